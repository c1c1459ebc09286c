#include "vm/watch.h"

#include <string.h>

#include "pattern/required.h"
#include "vm/relation.h"

enum {
    LITERAL_LEAST = 2,            /* bytes: shorter ones are everywhere, and slow the search for all others */
    LITERAL_MOST = REQUIRED_MOST, /* bytes: a longer text is as rare by its beginning */
    WORDS_FROM = 64,              /* so many words are looked up, not searched for */
    KEYS_MOST = 1024,             /* a longer list has its own hash: asking it is one look-up */
    COST_KEY = 1,
    COST_PROBE = 256,
    COST_PRESENT_HEADER = 32,
    COST_PRESENT = 2000, /* To is nearly always there */
    COST_WORD = 1000,    /* half of all mail goes outside */
    COST_MOST = 1 << 20
};

struct items {
    struct arena *arena;
    struct watch_item *v;
    uint32_t n, cap;
    uint32_t cost;
};

static void add(struct items *x, enum watch_how how, unsigned form, struct str text, uint32_t cost)
{
    if (x->n == x->cap) {
        uint32_t cap = x->cap ? x->cap * 2 : 2;
        struct watch_item *more = ARENA_ARRAY(x->arena, struct watch_item, cap);
        if (x->n) memcpy(more, x->v, x->n * sizeof *more);
        x->v = more;
        x->cap = cap;
    }
    x->v[x->n++] = (struct watch_item){(uint8_t)how, (uint8_t)form, 0, NO_INDEX, text};
    x->cost = x->cost + cost < COST_MOST ? x->cost + cost : COST_MOST;
}

static uint32_t literal_cost(size_t n) { return n < 3 ? 512 : n < 4 ? 64 : n < 6 ? 8 : 2; }

/* `next`: as in struct watch_item. */
static bool add_literal(struct items *x, unsigned reading, struct str text, char next)
{
    if (text.n < LITERAL_LEAST) return false;
    if (text.n > LITERAL_MOST) text.n = LITERAL_MOST;
    add(x, WATCH_LITERAL, reading, text, literal_cost(text.n));
    x->v[x->n - 1].next = next;
    return true;
}

/* --- needles ------------------------------------------------------------------------------------------------------ */

/* The longest part of a `like` pattern that every text it fits has. */
static struct str like_part(struct str pattern)
{
    struct str best = STR("");
    for (size_t from = 0, i = 0; i <= pattern.n; i++) {
        if (i < pattern.n && pattern.p[i] != '*' && pattern.p[i] != '?') continue;
        if (i - from > best.n) best = str_slice(pattern, from, i);
        from = i + 1;
    }
    return best;
}

/* The letters and digits (of ASCII) that a needle begins with.  Where the needle stands as a word, its first character
 * has no letter or digit before it and its last none behind it, so these are such a run of the text, whole. */
static struct str leading_run(struct str needle)
{
    size_t n = 0;
    while (n < needle.n && (ascii_is_alpha(needle.p[n]) || ascii_is_digit(needle.p[n]))) n++;
    return str_slice(needle, 0, n);
}

static bool add_needle(struct items *x, const struct ready_test *t, uint32_t needle)
{
    for (uint32_t k = 0; k < t->reading_count; k++) {
        struct str text = t->needles[k][needle];
        if (t->test->relation == REL_LIKE) text = like_part(text);
        struct str run = t->test->word && t->needle_count >= WORDS_FROM ? leading_run(text) : STR("");
        if (run.n)
            add(x, WATCH_WORD, t->readings[k], run, literal_cost(run.n));
        else if (!add_literal(x, t->readings[k], text, 0))
            return false;
        x->v[x->n - 1].needle = needle;
    }
    return true;
}

/* Of several that are all needed, the longest is watched for. */
static uint32_t longest_needle(const struct ready_test *t)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < t->needle_count; i++)
        if (t->needles[0][i].n > t->needles[0][best].n) best = i;
    return best;
}

static bool add_needles(struct items *x, const struct ready_test *t)
{
    if (t->test->counted && t->test->least < 1) return false; /* holds where there is none */
    if (t->test->all) return t->needle_count && add_needle(x, t, longest_needle(t));
    for (uint32_t i = 0; i < t->needle_count; i++)
        if (!add_needle(x, t, i)) return false;
    return true;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool add_keys(struct items *x, const struct ready_test *t)
{
    if (t->hashed && t->constant_count > KEYS_MOST) {
        add(x, WATCH_PROBE, 0, STR(""), t->constant_count);
        return true;
    }
    for (uint32_t i = 0; i < t->constant_count; i++) {
        struct str text = t->constants[i].text;
        switch (t->left->type) {
        case TYPE_TEXT:
            for (uint32_t k = 0; k < t->reading_count; k++)
                add(x, WATCH_KEY, t->readings[k], str_trim(t->needles[k][i]), COST_KEY);
            break;
        case TYPE_ADDRESS: add(x, WATCH_KEY, KEY_ADDRESS, text, COST_KEY); break;
        case TYPE_DOMAIN: add(x, WATCH_KEY, KEY_DOMAIN, text, COST_KEY); break;
        case TYPE_WORD: add(x, WATCH_KEY, KEY_WORD, text, COST_WORD); break;
        case TYPE_NETWORK: add(x, WATCH_PROBE, 0, STR(""), COST_PROBE); return true; /* once for all of them */
        default: return false;
        }
    }
    return true;
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */

static bool add_required(struct items *x, const struct ready_test *t, struct str source, unsigned flags)
{
    struct required r;
    if (!pattern_required(source, flags, &r)) return false;
    struct str literal = arena_str(x->arena, (struct str){r.text, r.n});
    for (uint32_t k = 0; k < t->reading_count; k++)
        if (!add_literal(x, t->readings[k], literal, r.next)) return false;
    return true;
}

static bool add_patterns(struct items *x, const struct vm_program *p, const struct ready_test *t)
{
    bool every = t->pattern_count > 0;
    for (uint32_t i = 0; i < t->pattern_count; i++) {
        const struct pattern_source *s = &p->program->patterns[t->test->a + i];
        bool one = add_required(x, t, s->text, s->flags);
        if (t->test->all && one) return true; /* all are needed: one of them is enough to watch for */
        every = every && one;
    }
    return every;
}

/* Who wants to be surer than the pattern is needs one of the words near it; else the pattern's own literal. */
static bool add_detector(struct items *x, const struct ready_test *t)
{
    const struct ready_detector *d = t->detector;
    if (t->test->counted && t->test->least < 1) return false;
    if (t->test->b <= d->confidence) return add_required(x, t, d->source, 0);
    for (uint32_t i = 0; i < d->near_count; i++)
        for (uint32_t k = 0; k < t->reading_count; k++)
            if (!add_literal(x, t->readings[k], d->near[i], 0)) return false;
    return d->near_count > 0;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static bool add_relation(struct items *x, const struct vm_program *p, const struct ready_test *t)
{
    switch (t->test->operand) {
    case OPERAND_PATTERNS: return add_patterns(x, p, t);
    case OPERAND_CONSTANT:
    case OPERAND_LIST:
        if (t->test->relation == REL_EQUAL) return add_keys(x, t);
        return t->needle_count && add_needles(x, t);
    case OPERAND_DETECTOR: return add_detector(x, t);
    case OPERAND_LIVE: add(x, WATCH_PROBE, 0, STR(""), COST_PROBE); return true;
    default: return false;
    }
}

/* That there is a value says something of fields that most messages have not got. */
static void add_presence(struct items *x, const struct ready_test *t)
{
    const struct field_row *row = t->left->row;
    if (t->test->relation == REL_TRUE) return;
    if (row->text == FIELD_TEXT_HEADER)
        add(x, WATCH_PRESENT, 0, STR(""), COST_PRESENT_HEADER);
    else if (row->of == FACT_ELEMENT && row->type == TYPE_ADDRESS)
        add(x, WATCH_PRESENT, 0, STR(""), COST_PRESENT);
}

struct watch watch_test(struct arena *a, const struct vm_program *p, const struct ready_test *t)
{
    struct items x = {.arena = a};
    if (!add_relation(&x, p, t)) {
        x.n = x.cost = 0;
        add_presence(&x, t);
    }
    return (struct watch){x.v, x.n, x.cost};
}

/* --- in words ----------------------------------------------------------------------------------------------------- */

void watch_print(const struct watch *w, struct buf *out)
{
    static const char *const words[] = {[WATCH_LITERAL] = "literal",
                                        [WATCH_WORD] = "word",
                                        [WATCH_KEY] = "key",
                                        [WATCH_PROBE] = "look-up",
                                        [WATCH_PRESENT] = "presence"};
    enum { SHOWN = 4 };
    uint32_t shown = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct watch_item *item = &w->items[i];
        if (i && item->how == w->items[i - 1].how && str_eq(item->text, w->items[i - 1].text)) continue;
        if (shown++ == SHOWN) {
            buf_add(out, STR(", …"));
            break;
        }
        buf_printf(out, "%s %s", shown > 1 ? "," : "", words[item->how]);
        if (item->text.n) buf_printf(out, " \"%.*s\"", STR_ARG(item->text));
    }
}
