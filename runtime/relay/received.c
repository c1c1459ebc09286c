#include "relay/received.h"

#include "mail/datetime.h"
#include "mail/header_emit.h"

enum { HELO_SHOWN = 255 };

/* The client chose these bytes: only what a domain or an address literal is made of is repeated. */
static void add_helo(struct buf *out, struct str helo)
{
    if (helo.n > HELO_SHOWN) helo.n = HELO_SHOWN;
    for (size_t i = 0; i < helo.n; i++) {
        char c = helo.p[i];
        bool plain = ascii_is_alpha(c) || ascii_is_digit(c) || (c && str_find_byte(STR(".-_:[]"), c) != STR_NPOS);
        buf_add_byte(out, plain ? c : '?');
    }
    if (!helo.n) buf_add(out, STR("unknown"));
}

/* RFC 3848; RFC 6531 section 4.3. */
static void add_with(struct buf *out, const struct received *r)
{
    buf_add(out, r->smtputf8 ? STR("UTF8SMTP") : r->esmtp ? STR("ESMTP") : STR("SMTP"));
    if (!r->esmtp) return;
    if (client_is_encrypted(r->client)) buf_add_byte(out, 'S');
    if (client_is_authenticated(r->client)) buf_add_byte(out, 'A');
}

void received_emit(const struct received *r, struct buf *out)
{
    char date[DATETIME_RFC5322_MAX];
    size_t n = datetime_print_rfc5322(r->now, r->utc_offset, date);
    struct buf value = {0};
    buf_add(&value, STR("from "));
    add_helo(&value, r->client->helo);
    bool v6 = str_find_byte(r->client->ip, ':') != STR_NPOS;
    buf_printf(&value, " ([%s%.*s]) by %.*s with ", v6 ? "IPv6:" : "", STR_ARG(r->client->ip), STR_ARG(r->hostname));
    add_with(&value, r);
    buf_printf(&value, " id %.*s", STR_ARG(r->queue_id));
    if (client_is_encrypted(r->client))
        buf_printf(&value, " (%.*s %.*s)", STR_ARG(r->client->tls_version), STR_ARG(r->tls_cipher));
    if (r->recipient.n && str_is_ascii(r->recipient)) buf_printf(&value, " for <%.*s>", STR_ARG(r->recipient));
    buf_printf(&value, "; %.*s", (int)n, date);
    bool good = header_emit(out, STR("Received"), buf_str(&value), HEADER_STRUCTURED);
    INVARIANT(good);
    buf_free(&value);
}

unsigned received_count(struct str content)
{
    unsigned count = 0;
    while (content.n) {
        size_t end = str_find_byte(content, '\n');
        struct str line = str_slice(content, 0, end == STR_NPOS ? content.n : end + 1);
        if (line.p[0] == '\r' || line.p[0] == '\n') break;
        if (str_starts_nocase(line, STR("received"))) {
            struct str rest = str_from(line, 8);
            while (rest.n && ascii_is_blank(rest.p[0])) rest = str_from(rest, 1);
            if (rest.n && rest.p[0] == ':') count++;
        }
        content = str_from(content, line.n);
    }
    return count;
}
