/* Reads each file named on the command line as a message and prints what message/ sees of it, for a comparison with
 * other parsers: lines of tab-separated words, texts in hexadecimal. */
#include <stdio.h>

#include "message/charset.h"
#include "message/message.h"
#include "message/state.h"
#include "tests/support/read_file.h"

static void print_hex(const char *before, struct str s)
{
    printf("%s", before);
    for (size_t i = 0; i < s.n; i++) printf("%02x", (unsigned char)s.p[i]);
}

static void print_addresses(struct message *m, const char *name)
{
    const struct message_addresses *list = message_addresses(m, str_of(name));
    for (size_t i = 0; i < list->n; i++) {
        printf("address\t%s", name);
        print_hex("\t", list->v[i].address);
        print_hex("\t", message_text_best(&list->v[i].name));
        printf("\n");
    }
}

static void print_parts(struct message *m)
{
    const struct mime_tree *tree = message_mime(m);
    for (size_t i = 0; i < tree->part_count; i++) {
        const struct mime_part *p = &tree->parts[i];
        bool leaf = i + 1 == tree->part_count || tree->parts[i + 1].parent != i;
        struct buf bytes = {0};
        if (leaf) mime_transfer_decode(BEST_VIEWER, p, p->raw, &bytes);
        printf("part\t%u\t%.*s/%.*s\t%s\t%u", p->depth, STR_ARG(p->type), STR_ARG(p->subtype), leaf ? "leaf" : "node",
               p->unreadable);
        print_hex("\t", buf_str(&bytes));
        const struct mime_param *name = mime_part_disposition_param(p, STR("filename"));
        if (!name) name = mime_part_param(p, STR("name"));
        print_hex("\t", name ? message_text_best(&name->value) : STR(""));
        printf("\n");
        buf_free(&bytes);
    }
}

static void print_message(struct message *m)
{
    bool present;
    const struct message_text *subject = message_subject(m, &present);
    const struct message_header *h = message_header_section(m);
    printf("header\t%zu\t%zu\t%d\n", h->field_count, h->body, h->malformed);
    if (present) {
        print_hex("subject\t", message_text_best(subject));
        printf("\n");
    }
    print_addresses(m, "From");
    print_addresses(m, "To");
    print_addresses(m, "Cc");
    print_parts(m);
    const struct message_body *body = message_body(m);
    print_hex("body\t", message_text_best(&body->text));
    printf("\t%u\n", body->text.unreadable);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (!charset_warm(&e)) {
        fprintf(stderr, "%s\n", e.text);
        return e.sysexit;
    }
    struct arena *a = arena_create();
    for (int i = 1; i < argc; i++) {
        printf("file\t%s\n", argv[i]);
        arena_reset(a);
        print_message(message_open(a, read_file(a, argv[i]), NULL));
    }
    arena_free(&a);
    return 0;
}
