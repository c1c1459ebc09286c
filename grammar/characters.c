#include "grammar/characters.h"

bool character_is_in(uint32_t c, const struct character_range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].from && c <= r[i].to) return true;
    return false;
}

bool character_is_hidden(uint32_t c)
{
    static const struct character_range hidden[] = {
        {0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},  {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
    return character_is_in(c, hidden, sizeof hidden / sizeof *hidden);
}

size_t character_decode(struct str s, uint32_t *c)
{
    unsigned char lead = (unsigned char)s.p[0];
    size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (n > s.n || !str_is_utf8(str_slice(s, 0, n))) return 0;
    *c = n == 1 ? lead : lead & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) *c = *c << 6 | ((unsigned char)s.p[i] & 0x3f);
    return n;
}

/* Scripts with letters that look like those of another. */
enum script {
    SCRIPT_NONE,
    SCRIPT_OTHER,
    SCRIPT_LATIN,
    SCRIPT_GREEK,
    SCRIPT_CYRILLIC,
    SCRIPT_ARMENIAN,
    SCRIPT_CHEROKEE
};
static const char *const script_names[] = {"", "", "Latin", "Greek", "Cyrillic", "Armenian", "Cherokee"};

/* SCRIPT_NONE ends a word; SCRIPT_OTHER is part of one and looks like nothing else. */
static enum script script_of(uint32_t c)
{
    static const struct {
        struct character_range range;
        enum script script;
    } scripts[] = {
        {{'A', 'Z'}, SCRIPT_LATIN},          {{'a', 'z'}, SCRIPT_LATIN},        {{0xc0, 0x24f}, SCRIPT_LATIN},
        {{0x1e00, 0x1eff}, SCRIPT_LATIN},    {{0x370, 0x3ff}, SCRIPT_GREEK},    {{0x1f00, 0x1fff}, SCRIPT_GREEK},
        {{0x400, 0x52f}, SCRIPT_CYRILLIC},   {{0x531, 0x58f}, SCRIPT_ARMENIAN}, {{0x13a0, 0x13ff}, SCRIPT_CHEROKEE},
        {{0xab70, 0xabbf}, SCRIPT_CHEROKEE}, {{'0', '9'}, SCRIPT_OTHER},        {{0x300, 0x36f}, SCRIPT_OTHER},
    };
    if (c == 0xd7 || c == 0xf7) return SCRIPT_NONE; /* times, divided by */
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (c >= scripts[i].range.from && c <= scripts[i].range.to) return scripts[i].script;
    return SCRIPT_NONE;
}

/* Joiners shape Arabic, Indic and other letters; between Latin ones they do nothing. */
static bool is_needed(uint32_t c, uint32_t before) { return (c == 0x200c || c == 0x200d) && before >= 0x590; }

static bool is_layout(uint32_t c) { return c == '\n' || c == '\r' || c == '\t'; }

static struct span place(struct span at, size_t from, size_t n)
{
    return (struct span){at.source, at.from + (uint32_t)from, at.from + (uint32_t)(from + n)};
}

static void tell_hidden(struct diags *d, struct span at, uint32_t c)
{
    struct diag *e = diag_add(d, DIAG_W314, at, "a character that cannot be seen stands here: U+%04X", (unsigned)c);
    diag_fix(d, e, "leave it out, or if it is meant, write", "\\u{%x}", (unsigned)c);
}

static void tell_mixed(struct diags *d, struct span at, struct str letter, enum script is, enum script among)
{
    diag_add(d, DIAG_W314, at, "`%.*s` is a %s letter among %s ones, and may look like one of them", STR_ARG(letter),
             script_names[is], script_names[among]);
}

void characters_check(struct diags *d, struct str text, struct span at, bool pattern)
{
    enum script word = SCRIPT_NONE;
    uint32_t before = 0, c;
    bool in_class = false;
    if (str_is_ascii(text)) { /* nothing but control characters, which the lexer and the forms know */
        return;
    }
    for (size_t i = 0, n; i < text.n; i += n) {
        n = character_decode(str_from(text, i), &c);
        if (n == 0) n = 1, c = 0xfffd;
        if (pattern && c == '\\') {
            n = i + 1 < text.n ? 2 : 1;
            word = SCRIPT_NONE;
            continue;
        }
        if (pattern && (c == '[' || c == ']')) in_class = c == '[';
        if (character_is_hidden(c) && !is_layout(c) && !is_needed(c, before)) return tell_hidden(d, place(at, i, n), c);
        before = c;
        enum script s = in_class ? SCRIPT_NONE : script_of(c);
        if (s > SCRIPT_OTHER && word > SCRIPT_OTHER && s != word) {
            /* The stranger is the one that is not Latin. */
            enum script stranger = s == SCRIPT_LATIN ? word : s;
            return tell_mixed(d, place(at, i, n), str_slice(text, i, i + n), s, s == stranger ? word : stranger);
        }
        if (s == SCRIPT_NONE)
            word = SCRIPT_NONE;
        else if (s > SCRIPT_OTHER)
            word = s;
    }
}
