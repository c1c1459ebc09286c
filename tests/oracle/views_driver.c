/* What message/ says of messages, as a long-lived worker for tests/oracle/views_test.py: 4 bytes of length
 * (big-endian), the message; answered likewise with lines "subject ANSWER", "body ANSWER", "name ANSWER" for whether
 * the text given on the command line is contained (yes, no, disputed, unreadable), "flags …", and with --views "view
 * PLACE NAME HEX". */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "mail/fold.h"
#include "message/charset.h"
#include "message/message.h"
#include "vm/answer.h"

static struct buf out;
static struct str needle;
static bool show;

static void print_view(const char *place, const struct message_text *t, size_t i)
{
    char name[MANNERS_TEXT_MAX];
    message_manners_print(t->manners[i], name, sizeof name);
    buf_printf(&out, "view %s\t%s\t", place, name);
    for (size_t k = 0; k < t->views[i].n; k++) buf_printf(&out, "%02x", (unsigned char)t->views[i].p[k]);
    buf_add_byte(&out, '\n');
}

static enum answer_value contains(const char *place, const struct message_text *t)
{
    struct answer_tally tally = {0};
    for (size_t i = 0; i < t->view_count; i++) {
        struct buf folded = {0};
        fold_text(t->views[i], 0, &folded, NULL);
        bool found = str_find(buf_str(&folded), needle) != STR_NPOS;
        tally_add(&tally, found ? ANSWER_YES : t->unreadable ? ANSWER_UNREADABLE : ANSWER_NO);
        buf_free(&folded);
        if (show) print_view(place, t, i);
    }
    return tally_answer(&tally);
}

static enum answer_value subject_contains(struct message *m)
{
    const struct message_values *values = message_header(m, STR("Subject"));
    struct answer_tally tally = {0};
    for (size_t i = 0; i < values->n; i++) tally_add(&tally, contains("subject", &values->v[i].text));
    return tally_answer(&tally);
}

static enum answer_value some_name_contains(struct message *m)
{
    const struct message_attachments *all = message_attachments(m);
    struct answer_tally tally = {0};
    size_t at = 0;
    for (uint32_t list = 0; list < all->lists; list++) {
        enum answer_value one = ANSWER_NO;
        for (; at < all->n && all->v[at].list == list; at++) one = value_or(one, contains("name", &all->v[at].name));
        tally_add(&tally, one);
    }
    return value_or(tally_answer(&tally), all->unreadable & UNREADABLE_LIMIT ? ANSWER_UNREADABLE : ANSWER_NO);
}

static void print_flags(struct message *m)
{
    const struct message_facts *f = message_facts(m);
    buf_printf(&out, "flags%s%s%s%s%s%s\n", f->ambiguous ? " ambiguous" : "", f->malformed ? " malformed" : "",
               f->unscannable ? " unscannable" : "", f->truncated ? " truncated" : "", f->is_signed ? " signed" : "",
               f->is_encrypted ? " encrypted" : "");
}

static void answer(struct arena *a, struct str content)
{
    struct message *m = message_open(a, content, NULL);
    out.n = 0;
    buf_printf(&out, "subject %s\n", answer_names[subject_contains(m)]);
    buf_printf(&out, "body %s\n", answer_names[contains("body", &message_body(m)->text)]);
    buf_printf(&out, "name %s\n", answer_names[some_name_contains(m)]);
    print_flags(m);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (argc < 2 || !charset_warm(&e)) {
        fprintf(stderr, "usage: views_driver TEXT [--views]  %s\n", e.text);
        return 64;
    }
    struct buf folded = {0};
    fold_text(str_of(argv[1]), 0, &folded, NULL);
    needle = buf_str(&folded);
    show = argc > 2;
    struct arena *a = arena_create();
    struct buf content = {0};
    for (uint32_t length; fread(&length, 1, 4, stdin) == 4;) {
        content.n = 0;
        buf_reserve(&content, ntohl(length) + 1);
        content.n = fread(content.p, 1, ntohl(length), stdin);
        arena_reset(a);
        answer(a, buf_str(&content));
        uint32_t size = htonl((uint32_t)out.n);
        fwrite(&size, 1, 4, stdout);
        fwrite(out.p, 1, out.n, stdout);
        fflush(stdout);
    }
    buf_free(&content);
    buf_free(&out);
    arena_free(&a);
    return 0;
}
