#include "tests/support/random_policy.h"

#include <string.h>

#include "mail/fold.h"

#define PICK(d, table) ((table)[dice_roll((d), sizeof(table) / sizeof *(table))])

static bool one_in(struct dice *d, uint64_t n) { return dice_roll(d, n) == 0; }

/* --- words -------------------------------------------------------------------------------------------------------- */

static const char *const words[] = {
    "plane",    "planes", "secret",   "top secret", "budget",   "Straße",    "naïve", "ﬁle", "office",
    "kilo",     "sass",   "Ⅷ",        "x1y2z3",     "abc",      "ab",        "a",     "é",   "中文",
    "東京",     "ไทย",    "straße",   "STRASSE",    "per cent", "foo-bar",   "12345", "zz9", "ǆ",
    "İstanbul", "café",   "ｆｕｌｌ", "Å",          "ﷺ",        "secretary",
};
/* What may come between or behind letters: marks that compose, marks that do not, what folding removes, blanks. */
static const char *const specks[] = {"\u0301", "\u0323", "\u0338", "\u200d", "\u00ad", "\ufe0f", "\u2060",    "\u034f",
                                     "\u00a0", "\u3000", " ",      "\u0345", "\u180e", "\u1ab0", "\U000e0100"};
/* Code points whose folding is long, or odd. */
static const char *const oddities[] = {"\u212a", "\u017f", "\ufb03",       "\u0390", "\u1e9e",     "\uff41", "\u2126",
                                       "\u1f80", "\uac00", "\u1100\u1161", "\u3099", "\U0001f600", "\u0f77", "\ufdfa"};

static uint32_t random_code_point(struct dice *d)
{
    static const uint32_t ranges[][2] = {{0x20, 0x7e},     {0xa0, 0x24f},    {0x300, 0x36f},   {0x370, 0x3ff},
                                         {0x400, 0x45f},   {0x900, 0x939},   {0xe01, 0xe3a},   {0x1e00, 0x1eff},
                                         {0x2000, 0x206f}, {0x2100, 0x2188}, {0x3041, 0x3096}, {0x4e00, 0x4fff},
                                         {0xac00, 0xacff}, {0xfb00, 0xfb06}, {0xff01, 0xff5e}, {0x1d400, 0x1d454}};
    const uint32_t *r = PICK(d, ranges);
    return r[0] + (uint32_t)dice_roll(d, r[1] - r[0] + 1);
}

/* A word as somebody may write it who wants no filter to see it. */
static void disguise(struct dice *d, const char *word, struct buf *out)
{
    struct str s = str_of(word);
    static const char drawn[] = "aceopsxy";
    static const uint32_t alike[] = {0x430, 0x441, 0x435, 0x43e, 0x440, 0x455, 0x445, 0x443}; /* Cyrillic */
    bool upper = one_in(d, 4), wide = one_in(d, 6), specked = one_in(d, 3), foreign = one_in(d, 6);
    for (size_t i = 0; i < s.n;) {
        uint32_t c;
        i += fold_decode(s.p + i, s.n - i, &c);
        if (upper && c >= 'a' && c <= 'z' && one_in(d, 2)) c -= 32;
        const char *like = foreign && c && c < 0x80 && one_in(d, 2) ? strchr(drawn, (int)c) : NULL;
        if (like) c = alike[like - drawn];
        if (c == 'k' && one_in(d, 4)) c = 0x212a;
        if (c == 's' && one_in(d, 4)) c = 0x17f;
        if (wide && c > 0x20 && c < 0x7f) c += 0xfee0;
        fold_encode(out, c);
        if (specked && one_in(d, 3)) buf_add(out, str_of(PICK(d, specks)));
    }
}

void random_text(struct dice *d, size_t most, struct buf *out)
{
    static const char *const between[] = {" ", " ", "  ", "", "-", ".", ", ", "\u3000"};
    for (size_t n = dice_roll(d, most + 1); n > 0; n--) {
        if (one_in(d, 12))
            buf_add(out, str_of(PICK(d, oddities)));
        else if (one_in(d, 12))
            fold_encode(out, random_code_point(d));
        else
            disguise(d, PICK(d, words), out);
        buf_add(out, str_of(PICK(d, between)));
    }
}

static const char *const domains[] = {"corp.example", "partner.example", "x.partner.example", "münchen.example",
                                      "b.test",       "deep.b.test",     "c.example",         "strasse.example"};
static const char *const locals[] = {"a", "b", "secret", "Plane", "all.hands", "\"odd one\""};

static void random_address(struct dice *d, struct buf *out)
{
    buf_printf(out, "%s@%s", PICK(d, locals), PICK(d, domains));
}

/* --- conditions --------------------------------------------------------------------------------------------------- */

static void quoted(struct dice *d, struct buf *out)
{
    struct buf b = {0};
    if (one_in(d, 3))
        disguise(d, PICK(d, words), &b);
    else
        buf_add(&b, str_of(PICK(d, words)));
    if (one_in(d, 6)) buf_printf(&b, " %s", PICK(d, words));
    buf_printf(out, "\"%.*s\"", STR_ARG(buf_str(&b)));
    buf_free(&b);
}

static void several(struct dice *d, size_t least, struct buf *out)
{
    buf_add(out, STR("("));
    for (size_t n = least + dice_roll(d, 4); n > 0; n--) {
        quoted(d, out);
        if (n > 1) buf_add(out, STR(", "));
    }
    buf_add(out, STR(")"));
}

const char *const random_patterns[] = {"plane",
                                       "\\bplane\\b",
                                       "pla(ne|t)",
                                       "secre[ts]",
                                       "secret?",
                                       "sec+ret",
                                       "(top )?secret",
                                       "foo.bar",
                                       "budg(?=et)et",
                                       "x\\d+y",
                                       "x1y\\d+z3",
                                       "(?:kilo|abc)",
                                       "k.lo",
                                       "sass",
                                       "\\x61bc",
                                       "\\p{L}{3,}",
                                       "caf\\x{e9}",
                                       "^plane",
                                       "office$",
                                       "a{2,}bc",
                                       "abc{0}d",
                                       "stra(ss|ß)e",
                                       "\\d{3,5}",
                                       "[plane]+secret",
                                       "plane|secret",
                                       "(?i)plane",
                                       "pla\\.ne",
                                       "planes*",
                                       "\\Qplane\\E",
                                       "secret(?#note)s",
                                       "zz\\d",
                                       "istanbul",
                                       "(plane)\\1?",
                                       "per cent",
                                       "ab(?!c)\\w*",
                                       "(?x)abc # plane",
                                       "secret(*ACCEPT)plane",
                                       "plane{0,2}s",
                                       "(?<n>top) secret\\g{-1}?",
                                       "[]plane]budget",
                                       "[[:alpha:]secret]?plane",
                                       "office\\x{301}?",
                                       "kilo(?#( )plane",
                                       "secret\\b|x",
                                       "plan\\ne?",
                                       "sec#ret"};
const size_t random_pattern_count = sizeof random_patterns / sizeof *random_patterns;

static void regex(struct dice *d, struct buf *out)
{
    static const char *const flags[] = {"", "", "", "c", "x", "s", "m"};
    buf_printf(out, "/%s/%s", PICK(d, random_patterns), PICK(d, flags));
}

/* A verb of text; `negative`: one that must say which value it means; `address`: one that addresses have too. */
static void text_verb(struct dice *d, bool negative, bool address, struct buf *out)
{
    if (negative) {
        switch (dice_roll(d, 4)) {
        case 0:
            buf_add(out, STR("does not contain "));
            quoted(d, out);
            return;
        case 1:
            buf_add(out, address ? STR("does not end with ") : STR("is not "));
            quoted(d, out);
            return;
        case 2:
            buf_add(out, STR("does not match "));
            regex(d, out);
            return;
        default:
            buf_add(out, STR("does not contain any of "));
            several(d, 2, out);
            return;
        }
    }
    static const char *const with_one[] = {"is ",
                                           "contains ",
                                           "contains ",
                                           "contains word ",
                                           "starts with ",
                                           "ends with ",
                                           "contains at least 2 ",
                                           "contains between 1 and 2 ",
                                           "contains at least 2 word "};
    static const char *const with_some[] = {"is any of ",
                                            "contains any of ",
                                            "contains all of ",
                                            "contains any word of ",
                                            "contains at least 2 of ",
                                            "starts with any of ",
                                            "contains all word of "};
    static const char *const finds[] = {"badge",
                                        "badge confidence 85",
                                        "number confidence 75",
                                        "at least 2 number",
                                        "between 1 and 2 badge confidence 60",
                                        "number confidence 90"};
    static const char *const with_many[] = {"contains any word of", "contains any of", "contains at least 2 of",
                                            "starts with any of", "ends with any of"};
    static const char *const likes[] = {"*plane*", "secr?t", "*", "?a*", "*top*secret*", "*Straße", "ab?"};
    switch (dice_roll(d, 13)) {
    case 12: buf_printf(out, "contains %s", PICK(d, finds)); return;
    case 0: buf_printf(out, "is like \"%s\"", PICK(d, likes)); return;
    case 1:
    case 2:
        buf_add(out, STR("matches "));
        regex(d, out);
        return;
    case 3:
        buf_printf(out, "matches %s of (", one_in(d, 2) ? "any" : "all");
        regex(d, out);
        buf_add(out, STR(", "));
        regex(d, out);
        buf_add(out, STR(")"));
        return;
    case 4:
    case 5:
    case 6:
        buf_add(out, str_of(with_some[address + dice_roll(d, 7 - address)]));
        several(d, 2, out);
        return;
    case 7:
        if (!address && one_in(d, 3))
            buf_add(out, STR("is in many"));
        else
            buf_printf(out, "%s many", PICK(d, with_many));
        return;
    default:
        buf_add(out, str_of(with_one[address + dice_roll(d, 9 - address)]));
        quoted(d, out);
        return;
    }
}

static void domain_verb(struct dice *d, bool negative, struct buf *out)
{
    const char *no = negative ? "not " : "";
    switch (dice_roll(d, 5)) {
    case 0: buf_printf(out, "is %sin doms", no); return;
    case 1: buf_printf(out, "is %s\"*.%s\"", no, PICK(d, domains)); return;
    case 2: buf_printf(out, "is %slike \"*part?er.*\"", no); return;
    case 3: buf_printf(out, "is %sany of (\"%s\", \"%s\")", no, PICK(d, domains), PICK(d, domains)); return;
    default: buf_printf(out, "is %s\"%s\"", no, PICK(d, domains));
    }
}

static void address_verb(struct dice *d, bool negative, struct buf *out)
{
    const char *no = negative ? "not " : "";
    if (one_in(d, 2)) {
        text_verb(d, negative, true, out);
        return;
    }
    if (one_in(d, 3)) {
        buf_printf(out, "is %s\"@%s\"", no, PICK(d, domains));
    } else if (one_in(d, 2)) {
        buf_printf(out, "is %sin people", no);
    } else {
        buf_printf(out, "is %s\"%s@%s\"", no, one_in(d, 2) ? "a" : "secret", PICK(d, domains));
    }
}

static void text_test(struct dice *d, struct buf *out)
{
    static const char *const ones[] = {"subject",    "subject",     "body",        "body",
                                       "message_id", "client.helo", "sender.local", "body.source"};
    static const char *const many[] = {"header \"X-A\"",     "header \"X-B\"",  "header \"X-C\"",  "header \"Subject\"",
                                       "header.raw \"X-A\"", "header \"From\"", "from.name",       "to.local",
                                       "attachment",         "attachment.name", "attachment.name", "charset"};
    bool negative = one_in(d, 5);
    if (one_in(d, 10)) {
        buf_printf(out, "%s is %s", one_in(d, 2) ? many[dice_roll(d, 6)] : PICK(d, ones),
                   one_in(d, 2) ? "present" : "absent");
        return;
    }
    if (one_in(d, 2)) {
        static const char *const quantifiers[] = {"any ", "every ", "no ", "any "};
        buf_printf(out, "%s%s ", negative || one_in(d, 3) ? PICK(d, quantifiers) : "", PICK(d, many));
    } else {
        buf_printf(out, "%s ", PICK(d, ones));
    }
    text_verb(d, negative, false, out);
}

static void address_test(struct dice *d, struct buf *out)
{
    static const char *const fields[] = {"from", "to", "cc", "reply_to", "recipient"};
    static const char *const quantifiers[] = {"any ", "every ", "no "};
    bool negative = one_in(d, 5), sender = one_in(d, 4), domain = one_in(d, 2);
    const char *quantifier = sender ? "" : negative || one_in(d, 2) ? PICK(d, quantifiers) : "";
    buf_printf(out, "%s%s%s ", quantifier, sender ? "sender" : PICK(d, fields), domain ? ".domain" : "");
    if (domain)
        domain_verb(d, negative, out);
    else
        address_verb(d, negative, out);
}

static void other_test(struct dice *d, struct buf *out)
{
    static const char *const tests[] = {"authenticated",
                                        "encrypted",
                                        "marked \"m1\"",
                                        "any marked \"m2\"",
                                        "size is over 700 B",
                                        "recipient_count is over 2",
                                        "recipient.scope is outside",
                                        "direction is any of (inbound, relay)",
                                        "sender.scope is inside",
                                        "client.ip is in nets",
                                        "client.ip is in 192.0.2.0/24",
                                        "any reply_to.domain is not from.domain",
                                        "sender.domain is from.domain",
                                        "any to is from",
                                        "every recipient.scope is outside",
                                        "cc is present",
                                        "scl is over 3",
                                        "importance is high",
                                        "is_bulk",
                                        "any to where (domain is \"corp.example\" and local is \"a\")",
                                        "no cc where (domain is in doms)",
                                        "every to where (not (name contains \"secret\") or domain is \"b.test\")",
                                        "any recipient where (domain is \"partner.example\" and not scope is inside)",
                                        "subject is message_id",
                                        "attachment.extension is any of (\"exe\", \"txt\")",
                                        "attachment.extension is in endings",
                                        "no attachment.extension is \"PDF\"",
                                        "every attachment.type is like \"text/*\"",
                                        "attachment.type is any of (\"text/html\", \"text/plain\")",
                                        "any attachment.type does not contain \"plain\"",
                                        "attachment.true_type starts with \"text/\"",
                                        "attachment.extension contains any of (\"pd\", \"xe\", \"zip\")",
                                        "any attachment.executable",
                                        "attachment.size is over 60 B",
                                        "attachment.depth is at least 1",
                                        "attachment_count is over 1",
                                        "has_attachments",
                                        "malformed",
                                        "unscannable",
                                        "any attachment where (extension is \"exe\" and name contains \"plane\")",
                                        "every attachment where (size is under 80 B or type is \"text/plain\")",
                                        "no attachment where (executable or name starts with \"secret\")",
                                        "recipient.dsn_notify is any of (success, delay)",
                                        "any recipient.dsn_notify is not failure",
                                        "every recipient where (dsn_notify is success or domain is \"b.test\")"};
    buf_add(out, str_of(PICK(d, tests)));
}

static void condition(struct dice *d, unsigned depth, struct buf *out)
{
    if (depth && one_in(d, 2)) {
        bool and = one_in(d, 2);
        for (size_t n = 2 + dice_roll(d, 2); n > 0; n--) {
            if (one_in(d, 4)) buf_add(out, STR("not "));
            buf_add(out, STR("("));
            condition(d, depth - 1, out);
            buf_add(out, STR(")"));
            if (n > 1) buf_add(out, and? STR(" and ") : STR(" or "));
        }
        return;
    }
    switch (dice_roll(d, 8)) {
    case 0: other_test(d, out); break;
    case 1:
    case 2:
    case 3: address_test(d, out); break;
    default: text_test(d, out);
    }
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void actions(struct dice *d, struct buf *out)
{
    static const char *const usual[] = {"require_tls",
                                        "require_tls verified",
                                        "prepend_subject \"[plane] \"",
                                        "prepend_subject \"secret: \"",
                                        "set_header \"X-A\" \"the secret plane\"",
                                        "add_header \"X-B\" \"budget {sender}\"",
                                        "remove_header \"X-C\"",
                                        "set_header \"Subject\" \"budget\"",
                                        "mark \"m1\"",
                                        "mark \"m2\"",
                                        "log \"{subject}\"",
                                        "set_header \"To\" \"a@corp.example\"",
                                        "remove_header \"X-A\"",
                                        "set_scl 7",
                                        "set_importance high",
                                        "append_disclaimer \"the plane\"",
                                        "remove_attachment \"*.pdf\"",
                                        "remove_attachment (\"*plane*\", \"*.exe\") note \"{rule} took it\"",
                                        "prepend_disclaimer \"from {sender}\" fallback skip",
                                        "append_disclaimer \"{subject}\" html \"<p>{subject}</p>\" fallback reject",
                                        "notify \"n@corp.example\" \"{rule}: {subject}\"",
                                        "notify recipient \"told\"",
                                        "notify sender \"{subject}\"",
                                        "notify_sender \"it was {subject}\"",
                                        "set_classification \"secret plane\"",
                                        "deliver_after 2 hours"};
    static const char *const rare[] = {"copy to \"c@partner.example\"",
                                       "copy to \"secret@b.test\"",
                                       "redirect to \"d@x.partner.example\"",
                                       "stop",
                                       "quarantine reason \"q\"",
                                       "reject \"no\"",
                                       "hold",
                                       "drop",
                                       "defer \"later\""};
    for (size_t n = 1 + dice_roll(d, 2); n > 0; n--) buf_printf(out, "%s%s", PICK(d, usual), n > 1 ? ", " : "");
    if (one_in(d, 4)) buf_printf(out, ", %s", PICK(d, rare));
}

void random_rules(struct dice *d, struct buf *out)
{
    static const char *const options[] = {"",
                                          "",
                                          "",
                                          "",
                                          " mode audit",
                                          " on_unreadable apply",
                                          " on_unreadable hold",
                                          " on_unreadable skip",
                                          " on_error skip",
                                          " priority 50",
                                          " confusables fold",
                                          " confusables fold",
                                          " mode off"};
    buf_add(out,
            STR("list doms of domain = \"corp.example\", \"*.partner.example\", \"b.test\"\n"
                "list nets of network = 10.0.0.0/8, 192.0.2.7, 2001:db8::/32\n"
                "list people of address = \"a@corp.example\", \"@b.test\", \"@*.partner.example\", \"b@c.example\", "
                "\"q1@q.test\", \"q2@q.test\", \"q3@q.test\", \"q4@q.test\", \"q5@q.test\"\n"
                "detector \"badge\" pattern /\\bplane ?\\w+/ confidence 65 near (\"secret\", \"top secret\") within 20 "
                "gives 85\n"
                "detector \"number\" pattern /\\d{2,5}/ confidence 40 near (\"kilo\", \"office\", \"中文\") "
                "within 40 "
                "gives 80\n"
                "list endings of text = \"exe\", \"scr\", \"PDF\", \"e1\", \"e2\", \"e3\", \"e4\", \"e5\", \"e6\"\n"
                "list many of text = "));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) buf_printf(out, "\"%s\", ", words[i]);
    for (size_t i = 0, n = one_in(d, 4) ? 1200 : 60; i < n; i++) buf_printf(out, "\"rare%zu\", ", i);
    buf_add(out, STR("\"foo bar\"\n"));
    for (size_t i = 0, n = 1 + dice_roll(d, 12); i < n; i++) {
        buf_printf(out, "rule \"r%zu\"%s when ", i, PICK(d, options));
        condition(d, 2, out);
        if (one_in(d, 4)) {
            buf_add(out, STR(" unless "));
            condition(d, 1, out);
        }
        buf_add(out, STR(" then "));
        actions(d, out);
        buf_add_byte(out, '\n');
    }
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static void base64(struct str s, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++) buf_add_byte(out, i + k > s.n ? '=' : digits[v >> (18 - 6 * k) & 63]);
    }
}

/* One header field with text in it: raw, in encoded-words, or in some charset that nobody knows. */
static void text_field(struct dice *d, const char *name, struct buf *out)
{
    struct buf text = {0};
    random_text(d, 5, &text);
    buf_printf(out, "%s: ", name);
    switch (dice_roll(d, 5)) {
    case 0:
        buf_add(out, one_in(d, 3) ? STR("=?x-unheard-of?B?") : STR("=?utf-8?B?"));
        base64(str_slice(buf_str(&text), 0, 40), out); /* may cut a character in two */
        buf_add(out, STR("?="));
        break;
    case 1:
        buf_add(out, STR("plain "));
        buf_add(out, str_of(PICK(d, words)));
        buf_add(out, STR("\r\n\t"));
        buf_add(out, str_of(PICK(d, words)));
        break;
    default: buf_add(out, buf_str(&text));
    }
    buf_add(out, STR("\r\n"));
    buf_free(&text);
}

static void address_field(struct dice *d, const char *name, struct buf *out)
{
    buf_printf(out, "%s: ", name);
    for (size_t n = 1 + dice_roll(d, 3); n > 0; n--) {
        if (one_in(d, 2)) {
            buf_add_byte(out, '"');
            disguise(d, PICK(d, words), out);
            buf_add(out, STR("\" <"));
            random_address(d, out);
            buf_add_byte(out, '>');
        } else {
            random_address(d, out);
        }
        if (n > 1) buf_add(out, STR(", "));
    }
    buf_add(out, STR("\r\n"));
}

static void part_header(struct dice *d, struct buf *out)
{
    static const char *const charsets[] = {"utf-8", "utf-8", "utf-8", "us-ascii", "iso-8859-1", "x-unheard-of"};
    static const char *const encodings[] = {"8bit", "8bit", "quoted-printable", "base64", "x-odd"};
    bool html = one_in(d, 3);
    const char *encoding = PICK(d, encodings);
    buf_printf(out, "MIME-Version: 1.0\r\nContent-Type: text/%s; charset=%s\r\nContent-Transfer-Encoding: %s\r\n",
               html ? "html" : "plain", PICK(d, charsets), encoding);
}

static void multipart(struct dice *d, struct buf *out)
{
    static const char *const ends[] = {"exe", "pdf", "txt", "PDF"};
    buf_add(out, STR("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"));
    for (size_t n = 1 + dice_roll(d, 3); n > 0; n--) {
        buf_add(out, STR("--B\r\n"));
        if (one_in(d, 8)) {
            buf_add(out, STR("Content-Type: message/rfc822\r\n\r\n"));
            text_field(d, "Subject", out);
        }
        part_header(d, out);
        if (one_in(d, 2)) {
            buf_add(out, one_in(d, 6) ? STR("Content-Disposition: attachment; filename=other.txt; filename=\"")
                                      : STR("Content-Disposition: attachment; filename=\""));
            disguise(d, PICK(d, words), out);
            buf_printf(out, ".%s\"\r\n", PICK(d, ends));
        }
        buf_add(out, STR("\r\n"));
        if (one_in(d, 5)) buf_add(out, STR("MZ\x90\r\n"));
        random_text(d, 6, out);
        buf_add(out, STR("\r\n"));
    }
    if (!one_in(d, 4)) buf_add(out, STR("--B--\r\n"));
}

void random_message(struct dice *d, struct buf *out)
{
    static const char *const text_fields[] = {"Subject", "Subject", "X-A", "x-b", "X-C", "X-Other", "Message-ID"};
    static const char *const address_fields[] = {"From", "To", "Cc", "Reply-To", "From", "To"};
    for (size_t n = 2 + dice_roll(d, 7); n > 0; n--) {
        if (one_in(d, 2))
            text_field(d, PICK(d, text_fields), out);
        else
            address_field(d, PICK(d, address_fields), out);
    }
    if (one_in(d, 4)) {
        multipart(d, out);
        return;
    }
    if (one_in(d, 2)) part_header(d, out);
    buf_add(out, STR("\r\n"));
    for (size_t n = dice_roll(d, 4); n > 0; n--) {
        random_text(d, 8, out);
        buf_add(out, STR("\r\n"));
    }
}

void random_envelope(struct dice *d, struct arena *a, struct envelope *out)
{
    struct buf b = {0};
    *out = (struct envelope){0};
    random_address(d, &b);
    out->reverse_path = one_in(d, 8) ? STR("") : arena_str(a, buf_str(&b));
    out->client.ip = one_in(d, 2) ? STR("192.0.2.7") : one_in(d, 2) ? STR("10.1.2.3") : STR("2001:db8::1");
    out->client.helo = one_in(d, 2) ? STR("plane.example") : STR("secret");
    out->client.trusted = one_in(d, 2);
    out->recipient_count = 1 + dice_roll(d, 3);
    out->recipients = ARENA_ARRAY(a, struct str, out->recipient_count);
    for (size_t i = 0; i < out->recipient_count; i++) {
        b.n = 0;
        random_address(d, &b);
        if (one_in(d, 3)) buf_printf(&b, ".%zu", i);
        out->recipients[i] = arena_str(a, buf_str(&b));
    }
    out->notify_count = dice_roll(d, out->recipient_count + 1);
    out->notify = ARENA_ARRAY(a, uint8_t, out->recipient_count);
    for (size_t i = 0; i < out->notify_count; i++) out->notify[i] = one_in(d, 4) ? 1 : (uint8_t)(dice_roll(d, 8) * 2);
    buf_free(&b);
}
