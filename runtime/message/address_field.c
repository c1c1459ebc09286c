#include "mail/address.h"
#include "mail/domain.h"
#include "mail/header_emit.h"
#include "message/decode.h"
#include "message/state.h"

/* An address list that a rule wrote as text ("Jörg Müller <j@b.example>, …") as the tokens of a structured field:
 * encoded-words may stand in display names only, word by word beside atoms and quoted-strings (RFC 2047 section 5). */

static bool is_atom(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if (!ascii_is_alpha(word.p[i]) && !ascii_is_digit(word.p[i]) &&
            str_find_byte(STR("!#$%&'*+-/=?^_`{|}~"), word.p[i]) == STR_NPOS)
            return false;
    return word.n > 0 && str_find(word, STR("=?")) == STR_NPOS;
}

static void add_quoted(struct buf *out, struct str word)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '"' || word.p[i] == '\\') buf_add_byte(out, '\\');
        buf_add_byte(out, word.p[i]);
    }
    buf_add_byte(out, '"');
}

/* The next run of words of `rest` that are all ASCII, or all not: between two encoded-words no blank would be shown. */
static struct str run_next(struct str *rest, bool *ascii)
{
    size_t end = 0, at = 0;
    while (at < rest->n) {
        size_t length = str_find_byte(str_from(*rest, at), ' ');
        if (length == STR_NPOS) length = rest->n - at;
        bool word_is_ascii = str_is_ascii(str_slice(*rest, at, at + length));
        if (at == 0) *ascii = word_is_ascii;
        if (word_is_ascii != *ascii) break;
        end = at + length;
        at = end + 1;
    }
    struct str run = str_slice(*rest, 0, end);
    *rest = str_from(*rest, end + 1);
    return run;
}

static void add_name(struct buf *out, struct str name)
{
    bool ascii = true;
    while (name.n) {
        struct str run = run_next(&name, &ascii);
        if (run.n == 0) continue;
        if (!ascii)
            header_emit_fragment(out, run, 0, false);
        else if (is_atom(run))
            buf_add(out, run);
        else
            add_quoted(out, run);
        if (out->p[out->n - 1] != ' ') buf_add_byte(out, ' ');
    }
}

/* A domain is written in A-labels; a local part beyond ASCII has no other form (RFC 6532). */
static bool add_address(struct buf *out, const struct header_mailbox *address)
{
    if (address->address.n == 0 || !str_is_ascii(address->local)) return false;
    if (str_is_ascii(address->address)) {
        buf_add(out, address->address);
        return true;
    }
    buf_add(out, address->local);
    buf_add_byte(out, '@');
    return domain_canonical(address->domain, out);
}

bool message_address_tokens(struct arena *a, struct str value, struct buf *out)
{
    struct header_mailboxes list = address_list_parse(a, value);
    if (list.malformed || list.n == 0) return false;
    struct buf name = {0};
    bool good = true;
    for (size_t i = 0; i < list.n && good; i++) {
        name.n = 0;
        decode_header_value(BEST_VIEWER, message_mailbox_phrase(a, &list.v[i]), &name);
        if (i) buf_add(out, STR(", "));
        add_name(out, buf_str(&name));
        if (name.n) buf_add_byte(out, '<');
        good = add_address(out, &list.v[i]);
        if (name.n) buf_add_byte(out, '>');
    }
    buf_free(&name);
    return good;
}
