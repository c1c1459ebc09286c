#include "relay/chain.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"

enum { ID_MAX = 250 }; /* bytes of one that is looked at */

void chain_mark(const struct relay *r, struct str queue_id, char out[CHAIN_MARK_SIZE])
{
    uint8_t digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    digest_hmac((struct str){(const char *)r->chain_key, sizeof r->chain_key}, queue_id, digest);
    digest_hex(digest, hex);
    memcpy(out, hex, CHAIN_MARK_SIZE - 1);
    out[CHAIN_MARK_SIZE - 1] = '\0';
}

/* "queue id.mark@our name", which only we could have written. */
static bool bears_our_mark(const struct relay *r, struct str id)
{
    struct str left, host, queue_id, mark;
    char wanted[CHAIN_MARK_SIZE];
    if (!str_cut(id, '@', &left, &host) || !str_cut(left, '.', &queue_id, &mark)) return false;
    chain_mark(r, queue_id, wanted);
    return str_eq(mark, str_of(wanted));
}

/* The next "<id>" of a field's body; false: there is none. */
static bool next_id(struct str *body, struct str *id)
{
    for (;;) {
        size_t open = str_find_byte(*body, '<');
        if (open == STR_NPOS) return false;
        *body = str_from(*body, open + 1);
        /* Looked for no further than one may be long: a body of "<" alone would be walked once for each of them. */
        size_t close = str_find_byte(str_slice(*body, 0, body->n < ID_MAX + 1 ? body->n : ID_MAX + 1), '>');
        if (close == STR_NPOS) continue;
        *id = str_slice(*body, 0, close);
        bool good = id->n > 0;
        for (size_t i = 0; good && i < id->n; i++) good = id->p[i] > ' ' && id->p[i] < 0x7f && id->p[i] != '<';
        if (!good) continue;
        *body = str_from(*body, close + 1);
        return true;
    }
}

/* The next field of that name, its folded lines included. */
static bool next_field(struct str *header, struct str name, struct str *body)
{
    while (header->n) {
        size_t end = 0, lf;
        do {
            lf = str_find_byte(str_from(*header, end), '\n');
            end = lf == STR_NPOS ? header->n : end + lf + 1;
        } while (end < header->n && (header->p[end] == ' ' || header->p[end] == '\t'));
        struct str field = str_slice(*header, 0, end);
        *header = str_from(*header, end);
        if (str_starts_nocase(field, name)) {
            *body = str_from(field, name.n);
            return true;
        }
    }
    return false;
}

/* Message-ID: the notice itself, which somebody's forwarding brings back. */
static const struct str fields[] = {STR_INIT("References:"), STR_INIT("In-Reply-To:"), STR_INIT("Message-ID:")};

bool chain_is_ours(const struct relay *r, struct str header)
{
    struct str body, id;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        for (struct str rest = header; next_field(&rest, fields[i], &body);)
            while (next_id(&body, &id))
                if (bears_our_mark(r, id)) return true;
    return false;
}

void chain_references(struct str header, struct buf *out)
{
    struct str body, id, last[CHAIN_REFERENCES_MAX];
    size_t n = 0;
    for (struct str rest = header; next_field(&rest, fields[0], &body);)
        while (next_id(&body, &id)) last[n++ % CHAIN_REFERENCES_MAX] = id;
    for (size_t i = n > CHAIN_REFERENCES_MAX ? n - CHAIN_REFERENCES_MAX : 0; i < n; i++) {
        struct str one = last[i % CHAIN_REFERENCES_MAX];
        buf_printf(out, "%s<%.*s>", out->n ? " " : "", STR_ARG(one));
    }
}
