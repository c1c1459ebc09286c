#include "smtp/params.h"

#include "mail/orcpt.h"
#include "mail/xtext.h"

enum {
    ENVID_MAX = 100, /* RFC 3461 section 4.4 */
    ORCPT_MAX = 500  /* RFC 3461 section 4.2 */
};

/* What a parameter's value may ask of its reader: the offer in, one of the two structures out. */
struct target {
    const struct smtp_params_offer *offer;
    struct smtp_server_mail *mail;
    struct smtp_server_rcpt *rcpt;
};

enum verdict_of_value { VALUE_GOOD, VALUE_BAD, VALUE_NOT_OFFERED, VALUE_NEEDS_TLS };

static enum verdict_of_value read_size(struct str value, struct target *t)
{
    if (value.n > 20 || !str_to_u64(value, &t->mail->size)) return VALUE_BAD;
    return VALUE_GOOD;
}

static enum verdict_of_value read_body(struct str value, struct target *t)
{
    static const struct str words[] = {
        [SMTP_BODY_7BIT] = STR("7BIT"), [SMTP_BODY_8BIT] = STR("8BITMIME"), [SMTP_BODY_BINARY] = STR("BINARYMIME")};
    for (uint8_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_eq_nocase(value, words[i])) continue;
        t->mail->body = i;
        return i == SMTP_BODY_BINARY && !t->offer->binarymime ? VALUE_NOT_OFFERED : VALUE_GOOD;
    }
    return VALUE_BAD;
}

static enum verdict_of_value read_smtputf8(struct str value, struct target *t)
{
    if (!t->offer->smtputf8) return VALUE_NOT_OFFERED;
    if (value.p) return VALUE_BAD;
    t->mail->smtputf8 = true;
    return VALUE_GOOD;
}

static enum verdict_of_value read_requiretls(struct str value, struct target *t)
{
    if (!t->offer->tls) return VALUE_NEEDS_TLS;
    if (!t->offer->requiretls) return VALUE_NOT_OFFERED;
    if (value.p) return VALUE_BAD;
    t->mail->requiretls = true;
    return VALUE_GOOD;
}

/* Whom the client says the message is from originally: nobody's word is trusted with that, so it is as AUTH=<> (RFC
 * 4954 section 5). */
static enum verdict_of_value read_auth(struct str value, struct target *t)
{
    if (!t->offer->auth) return VALUE_NOT_OFFERED;
    return value.n && (str_eq(value, STR("<>")) || xtext_is_valid(value)) ? VALUE_GOOD : VALUE_BAD;
}

static enum verdict_of_value read_ret(struct str value, struct target *t)
{
    if (!t->offer->dsn) return VALUE_NOT_OFFERED;
    if (str_eq_nocase(value, STR("FULL")))
        t->mail->ret = 'F';
    else if (str_eq_nocase(value, STR("HDRS")))
        t->mail->ret = 'H';
    else
        return VALUE_BAD;
    return VALUE_GOOD;
}

static enum verdict_of_value read_envid(struct str value, struct target *t)
{
    if (!t->offer->dsn) return VALUE_NOT_OFFERED;
    if (value.n == 0 || value.n > ENVID_MAX || !xtext_is_valid(value)) return VALUE_BAD;
    t->mail->envid = value;
    return VALUE_GOOD;
}

static enum verdict_of_value read_notify(struct str value, struct target *t)
{
    static const struct {
        struct str word;
        uint8_t bit;
    } words[] = {{STR("NEVER"), 1}, {STR("SUCCESS"), 2}, {STR("FAILURE"), 4}, {STR("DELAY"), 8}};
    if (!t->offer->dsn) return VALUE_NOT_OFFERED;
    uint8_t bits = 0;
    struct str word, rest = value;
    for (bool more = true; more;) {
        more = str_cut(rest, ',', &word, &rest);
        uint8_t bit = 0;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (str_eq_nocase(word, words[i].word)) bit = words[i].bit;
        if (bit == 0 || (bits & bit)) return VALUE_BAD;
        bits |= bit;
    }
    if ((bits & 1) && bits != 1) return VALUE_BAD; /* NEVER stands alone */
    t->rcpt->notify = bits;
    return VALUE_GOOD;
}

static enum verdict_of_value read_orcpt(struct str value, struct target *t)
{
    if (!t->offer->dsn) return VALUE_NOT_OFFERED;
    if (value.n > ORCPT_MAX || !orcpt_is_valid(value, t->offer->utf8)) return VALUE_BAD;
    t->rcpt->orcpt = value;
    return VALUE_GOOD;
}

struct parameter {
    struct str keyword;
    enum verdict_of_value (*read)(struct str value, struct target *t); /* value.p is NULL without "=" */
};

static const struct parameter mail_parameters[] = {
    {STR("SIZE"), read_size}, {STR("BODY"), read_body},   {STR("REQUIRETLS"), read_requiretls},
    {STR("RET"), read_ret},   {STR("ENVID"), read_envid}, {STR("SMTPUTF8"), read_smtputf8},
    {STR("AUTH"), read_auth},
    {STR_NONE, NULL},
};
static const struct parameter rcpt_parameters[] = {
    {STR("NOTIFY"), read_notify},
    {STR("ORCPT"), read_orcpt},
    {STR_NONE, NULL},
};

static bool refuse(struct reply *out, uint16_t code, struct status status, struct str text)
{
    *out = (struct reply){code, status, text};
    return false;
}

/* esmtp-keyword and esmtp-value of RFC 5321 section 4.1.2; RFC 6531 section 3.3 adds UTF-8, which the readers of most
 * values refuse. */
static bool is_well_formed(struct str keyword, struct str value)
{
    if (keyword.n == 0 || keyword.p[0] == '-') return false;
    for (size_t i = 0; i < keyword.n; i++)
        if (!ascii_is_alpha(keyword.p[i]) && !ascii_is_digit(keyword.p[i]) && keyword.p[i] != '-') return false;
    if (value.p && value.n == 0) return false;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c <= ' ' || c == '=' || c == 0x7f) return false;
    }
    return true;
}

static bool read_all(struct str text, const struct parameter *table, struct target *t, struct reply *refusal)
{
    unsigned seen = 0;
    if (text.n && text.p[0] != ' ')
        return refuse(refusal, 501, STATUS(5, 5, 4), STR("A space must stand between the path and its parameters"));
    while ((text = str_trim(text)).n) {
        struct str word, keyword, value;
        str_cut(text, ' ', &word, &text);
        if (!str_cut(word, '=', &keyword, &value)) value = STR_NONE;
        if (!is_well_formed(keyword, value)) return refuse(refusal, 501, STATUS(5, 5, 4), STR("Bad parameter syntax"));
        size_t at = 0;
        while (table[at].read && !str_eq_nocase(table[at].keyword, keyword)) at++;
        if (!table[at].read) return refuse(refusal, 555, STATUS(5, 5, 4), STR("Parameter not recognized"));
        if (seen & 1u << at) return refuse(refusal, 501, STATUS(5, 5, 4), STR("A parameter is given twice"));
        seen |= 1u << at;
        switch (table[at].read(value, t)) {
        case VALUE_GOOD: break;
        case VALUE_BAD: return refuse(refusal, 501, STATUS(5, 5, 4), STR("Bad parameter value"));
        case VALUE_NOT_OFFERED: return refuse(refusal, 555, STATUS(5, 5, 4), STR("Parameter not offered here"));
        case VALUE_NEEDS_TLS: return refuse(refusal, 530, STATUS(5, 7, 0), STR("REQUIRETLS is for use inside TLS"));
        }
    }
    return true;
}

bool smtp_params_mail(struct str text, const struct smtp_params_offer *offer, struct smtp_server_mail *out,
                      struct reply *refusal)
{
    return read_all(text, mail_parameters, &(struct target){.offer = offer, .mail = out}, refusal);
}

bool smtp_params_rcpt(struct str text, const struct smtp_params_offer *offer, struct smtp_server_rcpt *out,
                      struct reply *refusal)
{
    return read_all(text, rcpt_parameters, &(struct target){.offer = offer, .rcpt = out}, refusal);
}
