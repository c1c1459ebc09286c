/* What reading a message costs, beside GMime in the same run: CPU time, medians of ROUNDS.
 *
 *   message_bench            every view of typical messages, with GMime parsing and decoding the same
 *   message_bench worst [N]  every hostile shape (tests/support/mail_shapes) in 5 and 10 MB: growth, time and memory;
 *                            and N random ones (200) in 10 MB: time and memory
 *
 * Ends with 1 when a promise is broken. */
#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mail/fold.h"
#include "message/charset.h"
#include "message/filetype.h"
#include "message/message.h"
#include "tests/support/mail_reading.h"
#include "tests/support/mail_shapes.h"

enum { ROUNDS = 9 };

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef void work(struct arena *a, struct str content);

/* Seconds of CPU for one, the median of ROUNDS runs of `times` each. */
static double measure(work *f, struct arena *a, struct str content, int times)
{
    double took[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        double from = cpu_now();
        for (int i = 0; i < times; i++) f(a, content);
        took[r] = (cpu_now() - from) / times;
    }
    qsort(took, ROUNDS, sizeof *took, by_value);
    return took[ROUNDS / 2];
}

/* --- the work ---------------------------------------------------------------------------------------------------- */

static size_t sink; /* so that nothing is left out */

static void read_views(struct arena *a, struct str content)
{
    static const char *const lists[] = {"From", "To", "Cc", "Reply-To"};
    arena_reset(a);
    struct message *m = message_open(a, content, NULL);
    sink += message_subject(m, NULL)->view_count;
    for (size_t i = 0; i < 4; i++) sink += message_addresses(m, str_of(lists[i]))->n;
    sink += message_body(m)->text.view_count + message_attachments(m)->n + message_facts(m)->depth;
}

static void read_and_fold(struct arena *a, struct str content)
{
    read_views(a, content);
    struct message *m = message_open(a, content, NULL);
    const struct message_text *t = &message_body(m)->text;
    struct buf folded = {0};
    for (size_t i = 0; i < t->view_count; i++) fold_text(t->views[i], 0, &folded, NULL);
    sink += folded.n;
    buf_free(&folded);
}

static void gmime_text(GMimeObject *parent, GMimeObject *object, gpointer unused)
{
    (void)parent, (void)unused;
    if (!GMIME_IS_TEXT_PART(object)) return;
    char *text = g_mime_text_part_get_text(GMIME_TEXT_PART(object));
    if (text) sink += strlen(text);
    g_free(text);
}

static void read_gmime(struct arena *a, struct str content)
{
    (void)a;
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(content.p, content.n);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
    const char *subject = g_mime_message_get_subject(message);
    sink += subject ? strlen(subject) : 0;
    GMimeObject *root = g_mime_message_get_mime_part(message);
    gmime_text(NULL, root, NULL);
    if (GMIME_IS_MULTIPART(root)) g_mime_multipart_foreach(GMIME_MULTIPART(root), gmime_text, NULL);
    g_object_unref(message);
    g_object_unref(parser);
    g_object_unref(stream);
}

/* --- typical messages -------------------------------------------------------------------------------------------- */

static const char top[] =
    "Received: from a.example by b.example with ESMTPS id X; Mon, 5 Oct 2026 10:00:00 +0000\r\nFrom: Ann "
    "<a@a.example>\r\n"
    "To: Bob <b@b.example>, Carol <c@c.example>\r\nSubject: the minutes\r\nDate: Mon, 5 Oct 2026 10:00:00 +0000\r\n"
    "Message-ID: <1@a.example>\r\nMIME-Version: 1.0\r\n";
static const char english[] = "The quick brown fox jumps over the lazy dog, and says so at some length.\r\n";
static const char german[] = "Zw\xc3\xb6lf Boxk\xc3\xa4mpfer jagen Viktor quer \xc3\xbc"
                             "ber den gro\xc3\x9f"
                             "en Sylter Deich.\r\n";
static const char russian[] =
    "\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c \xd0\xb6\xd0\xb5 \xd0\xb5\xd1\x89\xd1\x91 "
    "\xd1\x8d\xd1\x82\xd0\xb8\xd1\x85 "
    "\xd0\xbc\xd1\x8f\xd0\xb3\xd0\xba\xd0\xb8\xd1\x85 \xd1\x84\xd1\x80\xd0\xb0\xd0\xbd\xd1\x86\xd1\x83\xd0\xb7\r\n";
static const char japanese[] =
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87\xe7\xab\xa0\xe3\x81\xa7\xe3\x81\x99\xe3\x80\x82\r\n";

static void add_base64(struct buf *out, const char *unit, size_t size)
{
    GString *text = g_string_new(NULL);
    while (text->len < size) g_string_append(text, unit);
    gchar *encoded = g_base64_encode((const guchar *)text->str, text->len);
    for (size_t at = 0, n = strlen(encoded); at < n; at += 76)
        buf_printf(out, "%.*s\r\n", n - at < 76 ? (int)(n - at) : 76, encoded + at);
    g_free(encoded);
    g_string_free(text, TRUE);
}

static struct buf message_of(const char *type, const char *unit, size_t size, bool base64)
{
    struct buf b = {0};
    buf_printf(&b, "%sContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", top, type,
               base64 ? "base64" : "8bit");
    if (base64) add_base64(&b, unit, size);
    while (!base64 && b.n < size) buf_add(&b, str_of(unit));
    return b;
}

static struct buf message_of_two(size_t size)
{
    struct buf b = {0};
    buf_printf(&b,
               "%sContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n",
               top);
    while (b.n < size / 3) buf_add(&b, str_of(english));
    buf_add(&b, STR("--b\r\nContent-Type: text/html\r\n\r\n<html><body>\r\n"));
    while (b.n < size) buf_printf(&b, "<p style=\"margin:0\">A &amp; <b>%.40s</b></p>\r\n", english);
    buf_add(&b, STR("</body></html>\r\n--b--\r\n"));
    return b;
}

/* What is promised: MB/s at least, or microseconds at most; 0: nothing. */
static bool compare(struct arena *a, const char *name, struct buf b, double least, double most)
{
    struct str content = buf_str(&b);
    int times = content.n > 10000 ? 200 : 1000;
    double ours = measure(read_views, a, content, times), fold = measure(read_and_fold, a, content, times);
    double theirs = measure(read_gmime, a, content, times);
    double rate = (double)content.n / ours / 1e6;
    bool kept = (least == 0 || rate >= least) && (most == 0 || ours * 1e6 <= most);
    printf(
        "%-34s %6zu octets  views %7.1f us %7.0f MB/s  folded too %7.1f us %5.0f MB/s  GMime %7.1f us  ratio %.2f%s\n",
        name, content.n, ours * 1e6, rate, fold * 1e6, (double)content.n / fold / 1e6, theirs * 1e6, theirs / ours,
        kept ? "" : "  NOT AS PROMISED");
    fflush(stdout);
    buf_free(&b);
    return kept;
}

static bool typical(struct arena *a)
{
    bool kept = compare(a, "ASCII", message_of("text/plain", english, 20000, false), 150, 0);
    kept &= compare(a, "ASCII, 4 KiB", message_of("text/plain", english, 4096, false), 0, 60);
    kept &= compare(a, "ASCII and HTML", message_of_two(20000), 0, 0);
    kept &= compare(a, "ASCII, base64", message_of("text/plain", english, 15000, true), 0, 0);
    kept &= compare(a, "German, UTF-8", message_of("text/plain; charset=utf-8", german, 20000, false), 30, 0);
    kept &= compare(a, "Russian, UTF-8", message_of("text/plain; charset=utf-8", russian, 20000, false), 30, 0);
    kept &= compare(a, "Russian, UTF-8, base64", message_of("text/plain; charset=utf-8", russian, 15000, true), 30, 0);
    kept &= compare(a, "Japanese, UTF-8", message_of("text/plain; charset=utf-8", japanese, 20000, false), 30, 0);
    return kept;
}

/* --- the worst --------------------------------------------------------------------------------------------------- */

static struct mail_cost cost_of(const struct mail_shape *shape, size_t size)
{
    struct buf b = mail_shape_make(shape, size);
    struct mail_cost c = mail_cost_of(buf_str(&b));
    buf_free(&b);
    return c;
}

struct worst {
    double slowest, steepest;
    long largest;
    const char *largest_of;
};

enum { LARGE = 10 * 1000 * 1000, MEMORY_MAX = 64 * 1024 };
static const double seconds_max = 2, steepest_max = 2.3;

static bool is_cheap(struct worst *w, const char *name, struct mail_cost c)
{
    if (c.seconds > w->slowest) w->slowest = c.seconds;
    if (c.kib > w->largest) w->largest = c.kib, w->largest_of = name;
    return c.seconds >= 0 && c.seconds <= seconds_max && c.kib <= MEMORY_MAX;
}

static bool listed_shape(struct worst *w, const struct mail_shape *shape)
{
    struct mail_cost half = {0}, whole = {0};
    double ratio = 0;
    for (int attempt = 0; attempt < 5; attempt++) { /* a busy machine may spoil some readings, not all */
        half = cost_of(shape, LARGE / 2), whole = cost_of(shape, LARGE);
        ratio = whole.seconds / (half.seconds > 0.001 ? half.seconds : 0.001);
        if (ratio <= steepest_max && whole.seconds <= seconds_max) break;
    }
    if (ratio > w->steepest) w->steepest = ratio;
    bool kept = is_cheap(w, shape->name, whole) && ratio <= steepest_max;
    printf("%-34s 5 MB %6.3f s  10 MB %6.3f s  ratio %4.2f  %6ld KiB%s\n", shape->name, half.seconds, whole.seconds,
           ratio, whole.kib, kept ? "" : "  NOT AS PROMISED");
    fflush(stdout);
    return kept;
}

/* Only what is not as promised is told. */
static bool random_shape(struct worst *w, struct arena *a, uint64_t seed)
{
    struct mail_shape shape = mail_shape_random(a, seed);
    struct mail_cost cost = cost_of(&shape, LARGE);
    for (int again = 0; again < 4 && cost.seconds > seconds_max; again++) cost = cost_of(&shape, LARGE);
    bool kept = is_cheap(w, shape.name, cost);
    if (!kept) printf("%-34s 10 MB %6.3f s  %6ld KiB  NOT AS PROMISED\n", shape.name, cost.seconds, cost.kib);
    return kept;
}

static bool worst(struct arena *a, unsigned long count)
{
    struct worst listed = {0}, random = {0};
    bool kept = true;
    for (size_t i = 0; i < mail_shape_count; i++) kept &= listed_shape(&listed, &mail_shapes[i]);
    printf("%zu shapes: slowest %.3f s, steepest %.2f, largest %ld KiB (%s)\n", mail_shape_count, listed.slowest,
           listed.steepest, listed.largest, listed.largest_of);
    fflush(stdout);
    for (unsigned long seed = 1; seed <= count; seed++) kept &= random_shape(&random, a, seed);
    if (count)
        printf("%lu random shapes: slowest %.3f s, largest %ld KiB (%s)\n", count, random.slowest, random.largest,
               random.largest_of);
    return kept;
}

int main(int argc, char **argv)
{
    struct err e;
    mem_return_large();
    if (!charset_warm(&e) || !filetype_warm(&e)) return fprintf(stderr, "%s\n", e.text), 1;
    g_mime_init();
    struct arena *a = arena_create();
    bool kept =
        argc > 1 && strcmp(argv[1], "worst") == 0 ? worst(a, argc > 2 ? strtoul(argv[2], NULL, 10) : 200) : typical(a);
    arena_free(&a);
    return kept ? 0 : 1;
}
