#include "tests/support/mail_reading.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "message/edits.h"

static void check_text(const struct message_text *t) { INVARIANT(str_is_utf8(message_text_best(t))); }

static void read_header_fields(struct message *m)
{
    const struct message_header *h = message_header_section(m);
    for (size_t i = 0; i < h->field_count; i++) {
        const struct message_values *values = message_header(m, h->fields[i].name);
        for (size_t k = 0; k < values->n; k++) check_text(&values->v[k].text);
    }
    static const char *const lists[] = {"From", "To", "Cc", "Reply-To"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) message_addresses(m, str_of(lists[i]));
}

static void read_attachments(struct message *m)
{
    const struct message_attachments *attached = message_attachments(m);
    for (size_t i = 0; i < attached->n; i++) {
        struct message_text type = message_attachment_true_type(m, &attached->v[i]);
        check_text(&type);
        message_attachment_size(&attached->v[i]);
    }
}

static void edit(struct arena *a, struct message *m)
{
    const struct edits *e = edits_add(a, NULL, EDIT_PREPEND_SUBJECT, STR(""), STR("[x] "));
    e = edits_add(a, e, EDIT_REMOVE_HEADER, STR("To"), STR(""));
    struct str text = STR("Confidential");
    for (enum edit_kind kind = EDIT_APPEND_TEXT; kind <= EDIT_PREPEND_TEXT; kind++)
        if (message_takes_text(m, kind, text, STR(""))) e = edits_add_text(a, e, kind, text, STR(""), false);
    struct pieces p;
    edits_pieces(m, e, a, &p);
    INVARIANT(pieces_are_sound(&p, message_content(m).n));
}

void mail_read_all(struct arena *a, struct str content)
{
    struct message *m = message_open(a, content, NULL);
    read_header_fields(m);
    check_text(&message_body(m)->text);
    check_text(message_body_source(m));
    read_attachments(m);
    message_is_signed(m);
    message_is_encrypted(m);
    message_facts(m);
    edit(a, m);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static struct mail_cost cost_here(struct str content)
{
    struct timespec from, to;
    long kib = peak_kib();
    struct arena *a = arena_create();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    mail_read_all(a, content);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    return (struct mail_cost){seconds, peak_kib() - kib};
}

struct mail_cost mail_cost_of(struct str content)
{
    int ends[2];
    struct mail_cost cost;
    INVARIANT(pipe(ends) == 0);
    pid_t child = fork();
    INVARIANT(child >= 0);
    if (child == 0) {
        cost = cost_here(content);
        _exit(write(ends[1], &cost, sizeof cost) == sizeof cost ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &cost, sizeof cost) != sizeof cost) cost.seconds = -1;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return cost;
}
