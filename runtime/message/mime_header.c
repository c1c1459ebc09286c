#include "message/mime_header.h"

#include <string.h>

#include "message/params.h"
#include "message/state.h"

static void take_once(struct viewer *r, struct str raw, struct str *to, bool *has)
{
    if (*has && (str_eq(*to, raw) || !manner_is(r, MANNER_LAST_FIELD))) return;
    *to = raw;
    *has = true;
}

void part_header_take(struct viewer *r, struct part_header *h, const struct message_field *f)
{
    if (f->name.n < 12 || ascii_lower(f->name.p[0]) != 'c') return;
    if (str_eq_nocase(f->name, STR("Content-Type"))) take_once(r, f->raw, &h->type, &h->has_type);
    if (str_eq_nocase(f->name, STR("Content-Transfer-Encoding"))) take_once(r, f->raw, &h->encoding, &h->has_encoding);
    if (str_eq_nocase(f->name, STR("Content-Disposition"))) take_once(r, f->raw, &h->disposition, &h->has_disposition);
}

static bool is_type_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("()<>@,;:\\\"/[]?=", s.p[i], 15)) return false;
    return s.n > 0;
}

/* In lower case. */
static struct str letters_of(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (ascii_is_alpha(s.p[i])) p[n++] = ascii_lower(s.p[i]);
    return (struct str){p, n};
}

static size_t slashes_before_semicolon(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && s.p[i] != ';'; i++) n += s.p[i] == '/';
    return n;
}

static void set_type(struct viewer *r, struct message *m, struct mime_part *part, const struct part_header *h,
                     bool in_digest)
{
    struct params params = h->has_type ? params_parse(r, m, h->type) : (struct params){.value = STR("")};
    struct str type, subtype;
    bool sound = str_cut(params.value, '/', &type, &subtype) && is_type_word(type) && is_type_word(subtype);
    part->type = STR("text"), part->subtype = STR("plain");
    if (in_digest && !sound && !manner_is(r, MANNER_DIGEST_TEXT)) /* RFC 2046 section 5.1.5 */
        part->type = STR("message"), part->subtype = STR("rfc822");
    if (!h->has_type) return;
    part->params = params.v;
    part->param_count = params.n;
    part->unreadable |= params.unreadable;
    part->loose_params = params.loose;
    if (sound) part->type = type, part->subtype = subtype;
    part->malformed = !sound;
    /* Some look for the words only, whatever stands around and between, and for a boundary; to some, two types are
     * none. */
    struct str text = sound ? params.value : str_slice(h->type, 0, PARAMS_BYTES_MAX);
    struct str words = letters_of(m->arena, text);
    bool composite = mime_part_param(part, STR("boundary")) && !str_eq(part->type, STR("multipart"));
    bool html = str_find(words, STR("html")) != STR_NPOS && !str_eq(part->subtype, STR("html"));
    bool digest = str_find(words, STR("digest")) != STR_NPOS;
    bool message = !sound && str_starts(words, STR("message"));
    arena_shrink(m->arena, words.p, text.n, 0); /* no more is done with them */
    bool two = sound && params.loose_value && !str_eq(type, STR("text")) && slashes_before_semicolon(h->type) > 1;
    if (!(composite || html || message || two) || !manner_is(r, MANNER_TYPE_LOOSE)) return;
    part->type = composite ? STR("multipart") : message ? STR("message") : STR("text");
    part->subtype = composite && digest ? STR("digest")
                    : composite         ? STR("mixed")
                    : message           ? STR("rfc822")
                    : html              ? STR("html")
                                        : STR("plain");
}

static bool has_word(struct str s, struct str word)
{
    for (size_t i = 0; i + word.n <= s.n; i++)
        if (str_eq_nocase(str_slice(s, i, i + word.n), word)) return true;
    return false;
}

/* Of a field body, by the words in it. */
static uint8_t encoding_guess(struct str words)
{
    if (has_word(words, STR("base64")) || has_word(words, STR("base-64"))) return MIME_BASE64;
    if (has_word(words, STR("quoted"))) return MIME_QUOTED_PRINTABLE;
    return has_word(words, STR("uu")) ? MIME_UUENCODE : MIME_UNKNOWN;
}

static uint8_t encoding_of(struct viewer *r, struct message *m, struct mime_part *part, const struct part_header *h)
{
    static const struct {
        struct str name;
        uint8_t encoding;
    } names[] = {{STR_INIT("7bit"), MIME_7BIT},
                 {STR_INIT("8bit"), MIME_8BIT},
                 {STR_INIT("binary"), MIME_BINARY},
                 {STR_INIT("base64"), MIME_BASE64},
                 {STR_INIT("quoted-printable"), MIME_QUOTED_PRINTABLE},
                 {STR_INIT("x-uuencode"), MIME_UUENCODE},
                 {STR_INIT("uuencode"), MIME_UUENCODE},
                 {STR_INIT("x-uue"), MIME_UUENCODE},
                 {STR_INIT("uue"), MIME_UUENCODE},
                 {STR_INIT(""), MIME_7BIT}};
    if (!h->has_encoding) return MIME_7BIT;
    struct params params = params_parse(r, m, h->encoding);
    struct str value = params.value;
    part->unreadable |= params.unreadable;
    uint8_t encoding = MIME_UNKNOWN;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq(value, names[i].name)) encoding = names[i].encoding;
    bool folded = str_find_byte(h->encoding, '\n') != STR_NPOS; /* some keep the fold in the value */
    if (str_eq_nocase(str_trim(h->encoding), value) && encoding != MIME_UNKNOWN && !folded) return encoding;
    uint8_t guess = encoding_guess(h->encoding);
    if (guess != MIME_UNKNOWN && guess != encoding && manner_is(r, MANNER_CODE_GUESS)) return guess;
    bool decodes = encoding >= MIME_BASE64 && encoding != MIME_UNKNOWN;
    return decodes && manner_is(r, MANNER_CODE_EXACT) ? MIME_UNKNOWN : encoding;
}

static void set_disposition(struct viewer *r, struct message *m, struct mime_part *part, const struct part_header *h)
{
    if (!h->has_disposition) return;
    struct params params = params_parse(r, m, h->disposition);
    bool shown = str_eq(params.value, STR("inline")) || params.value.n == 0;
    bool known = str_eq(params.value, STR("attachment")) && !params.loose_value;
    if (!shown && !known) shown = manner_is(r, MANNER_SHOWN);
    part->disposition = shown ? MIME_INLINE : MIME_ATTACHMENT;
    part->disposition_params = params.v;
    part->disposition_param_count = params.n;
    part->unreadable |= params.unreadable;
}

bool mime_part_is(const struct mime_part *part, const char *type, const char *subtype)
{
    return str_eq(part->type, str_of(type)) && (!subtype || str_eq(part->subtype, str_of(subtype)));
}

bool mime_holds_message(struct viewer *r, const struct mime_part *part)
{
    static const char *const texts[] = {"delivery-status", "disposition-notification", "feedback-report",
                                        "tracking-status"};
    if (!str_eq(part->type, STR("message"))) return false;
    if (mime_part_is(part, "message", "rfc822") || mime_part_is(part, "message", "global") ||
        mime_part_is(part, "message", "news"))
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (str_eq(part->subtype, str_of(texts[i]))) return false;
    return manner_is(r, MANNER_FRAGMENT);
}

/* What a type says about text we cannot see: RFC 1847, RFC 8551, RFC 3156, RFC 2046 sections 5.2.2 and 5.2.3. */
static uint32_t unreadable_by_type(const struct mime_part *part)
{
    if (mime_part_is(part, "multipart", "encrypted") || mime_part_is(part, "application", "pgp-encrypted"))
        return UNREADABLE_ENCRYPTED;
    if (mime_part_is(part, "message", "partial") || mime_part_is(part, "message", "external-body"))
        return UNREADABLE_UNSUPPORTED;
    if (!mime_part_is(part, "application", "pkcs7-mime") && !mime_part_is(part, "application", "x-pkcs7-mime"))
        return 0;
    const struct mime_param *kind = mime_part_param(part, STR("smime-type"));
    struct str word = kind ? message_text_best(&kind->value) : STR("");
    if (str_eq_nocase(word, STR("certs-only"))) return 0;
    bool open = str_eq_nocase(word, STR("signed-data")) || str_eq_nocase(word, STR("compressed-data"));
    return open ? UNREADABLE_UNSUPPORTED : UNREADABLE_ENCRYPTED;
}

void part_header_apply(struct viewer *r, struct message *m, const struct part_header *h, bool in_digest,
                       struct mime_part *part)
{
    set_type(r, m, part, h, in_digest);
    part->encoding = encoding_of(r, m, part, h);
    set_disposition(r, m, part, h);
    part->malformed |= h->empty_message;
    part->unreadable |= unreadable_by_type(part);
}

const struct mime_param *mime_part_param(const struct mime_part *p, struct str name)
{
    return params_find(p->params, p->param_count, name);
}

const struct mime_param *mime_part_disposition_param(const struct mime_part *p, struct str name)
{
    return params_find(p->disposition_params, p->disposition_param_count, name);
}
