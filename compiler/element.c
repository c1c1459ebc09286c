/* One value and what is asked of it: whether some value can answer so. */
#include <string.h>

#include "compiler/prove.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/fold.h"
#include "mail/like.h"

enum { SET_MAX = 64, RANGES_MAX = 32, WORDS_MAX = 31 };

/* --- what is known of fields -------------------------------------------------------------------------------------- */

enum {
#define FIELD(id, name, type, of, text, many, editable, words, doc, example) ROW_##id,
#include "stdlib/fields.def"
#undef FIELD
    ROWS
};
#define UNBOUNDED INT64_MIN
static const struct {
    uint32_t field;
    struct known_field known;
} known_fields[] = {
#define KNOWN(id, one, decided, present, least, authored) {ROW_##id, {one, decided, present, authored, least}},
#include "stdlib/knowledge.def"
#undef KNOWN
};

const struct known_field *element_known(uint32_t field)
{
    static const struct known_field nothing = {.least = UNBOUNDED};
    for (size_t i = 0; i < sizeof known_fields / sizeof *known_fields; i++)
        if (known_fields[i].field == field) return &known_fields[i].known;
    return &nothing;
}

/* --- a test's operand --------------------------------------------------------------------------------------------- */

struct constants {
    const struct constant *v;
    size_t n;
};

static struct constants constants_of(const struct compiler *c, const struct test *t)
{
    const struct pool *pool = &c->pool;
    if (t->operand == OPERAND_CONSTANT) return (struct constants){&pool->constants.v[t->a], 1};
    if (t->operand != OPERAND_LIST) return (struct constants){NULL, 0};
    const struct program_list *l = &pool->lists.v[t->a];
    return (struct constants){pool->constants.v + l->first, l->count};
}

/* Its elements are edited while the relay runs: nothing is known of them. */
static bool is_live(const struct compiler *c, const struct test *t)
{
    return t->operand == OPERAND_LIST && c->pool.lists.v[t->a].table.n;
}

static const struct field_ref *ref_of(const struct compiler *c, const struct test *t)
{
    return &c->pool.field_refs.v[t->field];
}

static enum value_type type_of(const struct compiler *c, const struct test *t)
{
    const struct field_ref *ref = ref_of(c, t);
    return vocabulary_part_type(&words_rows.fields[ref->field], ref->part);
}

static bool same_part(const struct compiler *c, const struct test *a, const struct test *b)
{
    return ref_of(c, a)->part == ref_of(c, b)->part;
}

/* Negation and quantifier left out. */
static bool same_predicate(const struct compiler *c, const struct test *a, const struct test *b)
{
    return same_part(c, a, b) && a->relation == b->relation && a->operand == b->operand && a->a == b->a &&
           a->b == b->b && a->word == b->word && a->alike == b->alike && a->all == b->all && a->counted == b->counted &&
           a->least == b->least && a->most == b->most;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

struct range {
    int64_t low, high;
};
struct ranges { /* ascending by their low ends */
    struct range v[RANGES_MAX];
    size_t n;
};

/* A date is its whole day or minute, as for the machine. */
static struct range range_of(const struct constant *k)
{
    return (struct range){k->number, k->number + (k->type != TYPE_DATE ? 0 : k->date_only ? 86399 : 59)};
}

static void ranges_add(struct ranges *r, int64_t low, int64_t high)
{
    size_t at = 0;
    if (low > high) return;
    while (at < r->n && r->v[at].high < low) at++;
    if (at < r->n && r->v[at].low <= high) { /* they meet; equal constants do, days do not overlap */
        if (low < r->v[at].low) r->v[at].low = low;
        if (high > r->v[at].high) r->v[at].high = high;
        return;
    }
    memmove(&r->v[at + 1], &r->v[at], (r->n - at) * sizeof *r->v);
    r->v[at] = (struct range){low, high};
    r->n++;
}

/* The numbers that answer yes.  False: not to be had as ranges. */
static bool numbers_of(const struct compiler *c, const struct test *t, struct ranges *out)
{
    struct constants k = constants_of(c, t);
    const struct constant *range = t->operand == OPERAND_RANGE ? c->pool.constants.v : NULL;
    out->n = 0;
    if (range) {
        struct range a = range_of(&range[t->a]), b = range_of(&range[t->b]);
        if (range[t->a].date_zoned != range[t->b].date_zoned) return false;
        if (a.low > b.high)
            ranges_add(out, INT64_MIN, b.high), ranges_add(out, a.low, INT64_MAX); /* past midnight */
        else
            ranges_add(out, a.low, b.high);
        return true;
    }
    if (!k.n || k.n > RANGES_MAX / 4) return false;
    for (size_t i = 0; i < k.n; i++) {
        struct range r = range_of(&k.v[i]);
        switch (t->relation) {
        case REL_EQUAL: ranges_add(out, r.low, r.high); break;
        case REL_OVER:
        case REL_AFTER:
            if (r.high < INT64_MAX) ranges_add(out, r.high + 1, INT64_MAX);
            break;
        case REL_UNDER:
        case REL_BEFORE:
            if (r.low > INT64_MIN) ranges_add(out, INT64_MIN, r.low - 1);
            break;
        case REL_AT_LEAST: ranges_add(out, r.low, INT64_MAX); break;
        case REL_AT_MOST: ranges_add(out, INT64_MIN, r.high); break;
        default: return false;
        }
    }
    return true;
}

static void ranges_invert(struct ranges *r)
{
    struct ranges out = {.n = 0};
    int64_t from = INT64_MIN;
    bool open = true;
    for (size_t i = 0; i < r->n && open; i++) {
        if (r->v[i].low > from) out.v[out.n++] = (struct range){from, r->v[i].low - 1};
        open = r->v[i].high < INT64_MAX;
        if (open && r->v[i].high + 1 > from) from = r->v[i].high + 1;
    }
    if (open) out.v[out.n++] = (struct range){from, INT64_MAX};
    *r = out;
}

/* False when there would be too many. */
static bool ranges_meet(struct ranges *r, const struct ranges *with)
{
    struct ranges out = {.n = 0};
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < with->n; k++) {
            int64_t low = r->v[i].low > with->v[k].low ? r->v[i].low : with->v[k].low;
            int64_t high = r->v[i].high < with->v[k].high ? r->v[i].high : with->v[k].high;
            if (low > high) continue;
            if (out.n == RANGES_MAX) return false;
            out.v[out.n++] = (struct range){low, high};
        }
    }
    *r = out;
    return true;
}

/* Dates with a zone and dates of the relay's zone cannot be compared before a message comes. */
static int zone_of(const struct compiler *c, const struct test *t)
{
    struct constants k = constants_of(c, t);
    if (t->operand == OPERAND_RANGE) return c->pool.constants.v[t->a].date_zoned;
    for (size_t i = 1; i < k.n; i++)
        if (k.v[i].date_zoned != k.v[0].date_zoned) return 2;
    return k.n ? k.v[0].date_zoned : 2;
}

static bool numbers_are_impossible(const struct compiler *c, const struct asked *v, size_t n, bool may_be_absent,
                                   const struct ir *culprits[2])
{
    const struct known_field *known = element_known(ref_of(c, v[0].test)->field);
    enum value_type type = type_of(c, v[0].test);
    struct ranges all = {.v = {{INT64_MIN, INT64_MAX}}, .n = 1}, one;
    if (type == TYPE_SIZE || type == TYPE_DURATION) all.v[0].low = 0;
    if (type == TYPE_CLOCK) all.v[0] = (struct range){0, 1439};
    if (known->least != UNBOUNDED) all.v[0].low = known->least;
    bool present = !may_be_absent;
    int zone = -1;
    culprits[0] = culprits[1] = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!numbers_of(c, v[i].test, &one)) continue;
        if (type == TYPE_DATE && (zone_of(c, v[i].test) == 2 || (zone >= 0 && zone_of(c, v[i].test) != zone))) continue;
        zone = zone_of(c, v[i].test);
        if (v[i].holds)
            present = true;
        else
            ranges_invert(&one);
        if (one.n > RANGES_MAX / 2 || !ranges_meet(&all, &one)) continue;
        if (culprits[0] && !culprits[1])
            culprits[1] = v[i].from;
        else if (!culprits[0])
            culprits[0] = v[i].from;
        if (!all.n && present) return true;
        if (!all.n) break;
    }
    for (size_t i = 0; i < n && !all.n; i++) present = present || v[i].holds;
    return !all.n && present;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static uint32_t word_bit(const char *words, struct str word)
{
    struct str rest = str_of(words), head;
    for (uint32_t bit = 0; rest.n && bit < WORDS_MAX; bit++) {
        str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, word)) return (uint32_t)1 << bit;
    }
    return 0;
}

static uint32_t all_words(const char *words)
{
    struct str rest = str_of(words), head;
    uint32_t n = 0;
    for (; rest.n && n <= WORDS_MAX; n++) str_cut(rest, ' ', &head, &rest);
    return n > WORDS_MAX ? UINT32_MAX : ((uint32_t)1 << n) - 1;
}

/* One bit a word; the highest stands for no value, or one that is not in the table. */
static bool words_are_impossible(const struct compiler *c, const struct asked *v, size_t n, bool may_be_absent,
                                 const struct ir *culprits[2])
{
    uint32_t field = ref_of(c, v[0].test)->field, other = (uint32_t)1 << WORDS_MAX;
    const char *words = words_rows.fields[field].words;
    uint32_t left = all_words(words);
    if (may_be_absent || !element_known(field)->present) left |= other;
    culprits[0] = culprits[1] = NULL;
    for (size_t i = 0; i < n; i++) {
        if (v[i].test->relation != REL_EQUAL) continue;
        struct constants k = constants_of(c, v[i].test);
        uint32_t set = 0, every_known = 1;
        for (size_t w = 0; w < k.n; w++) {
            uint32_t bit = word_bit(words, k.v[w].text);
            every_known &= bit != 0;
            set |= bit;
        }
        if (!k.n || !every_known) continue;
        left &= v[i].holds ? set : ~set;
        if (!culprits[0])
            culprits[0] = v[i].from;
        else if (!culprits[1])
            culprits[1] = v[i].from;
        if (!left) return true;
    }
    return false;
}

/* --- networks ----------------------------------------------------------------------------------------------------- */

static bool network_within(const struct constant *a, const struct constant *b)
{
    return memcmp(b->low, a->low, sizeof a->low) <= 0 && memcmp(a->high, b->high, sizeof a->high) <= 0;
}
static bool networks_meet(const struct constant *a, const struct constant *b)
{
    return memcmp(a->low, b->high, sizeof a->low) <= 0 && memcmp(b->low, a->high, sizeof a->low) <= 0;
}

/* --- addresses and domains: patterns of canonical form, "l@d", "@d", "@*.d" --------------------------------------- */

/* A domain is looked at as all addresses of it, so that `sender` and `sender.domain` can be held together. */
static struct str as_address(struct compiler *c, const struct constant *k)
{
    return k->type == TYPE_DOMAIN ? arena_printf(c->proofs, "@%.*s", STR_ARG(k->text)) : k->text;
}
static bool is_exact(struct str p) { return !str_starts(p, STR("@")); }
static bool is_wild(struct str p) { return str_starts(p, STR("@*.")); }

/* Every address of p is one of q. */
static bool covers(struct str q, struct str p)
{
    if (is_exact(p)) return address_matches(q, p);
    if (is_exact(q)) return false;
    if (str_eq(q, p)) return true;
    return is_wild(q) && domain_matches(str_from(q, 1), str_from(p, is_wild(p) ? 3 : 1));
}
static bool overlap(struct str p, struct str q) { return covers(p, q) || covers(q, p); }

/* The texts of a long list, to look one up. */
static const struct map *set_of(struct compiler *c, uint32_t list)
{
    while (c->list_sets.n <= list) VEC_PUSH(&c->list_sets, (struct map){0});
    struct map *m = &c->list_sets.v[list];
    const struct program_list *l = &c->pool.lists.v[list];
    if (!m->n && l->count)
        for (uint32_t i = 0; i < l->count; i++) map_put(m, c->pool.constants.v[l->first + i].text, c);
    return m;
}

/* A domain, and whatever has it as its end, in a long list; "@" stands before those of addresses. */
static bool long_list_has_domain(struct compiler *c, const struct map *set, const char *before, struct str domain)
{
    struct str head, tail = domain;
    if (map_has(set, arena_printf(c->proofs, "%s%.*s", before, STR_ARG(domain)))) return true;
    while (str_cut(tail, '.', &head, &tail))
        if (map_has(set, arena_printf(c->proofs, "%s*.%.*s", before, STR_ARG(tail)))) return true;
    return false;
}

/* Whether an address of p can be (holds: must be) among those of the test. */
static bool among(struct compiler *c, struct str p, const struct test *t, bool wholly)
{
    struct constants k = constants_of(c, t);
    if (is_live(c, t)) return !wholly;
    if (k.n <= SET_MAX || t->operand != OPERAND_LIST) {
        for (size_t i = 0; i < k.n; i++) {
            struct str q = as_address(c, &k.v[i]);
            if (wholly ? covers(q, p) : overlap(p, q)) return true;
        }
        return false;
    }
    const struct map *set = set_of(c, t->a);
    bool domains = type_of(c, t) == TYPE_DOMAIN;
    if (is_wild(p) || (!is_exact(p) && !domains)) return !wholly; /* not looked for: it may be */
    if (is_exact(p) && !domains && map_has(set, p)) return true;
    struct str domain = is_exact(p) ? address_domain(p) : str_from(p, 1);
    return domain.n && long_list_has_domain(c, set, domains ? "" : "@", domain);
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

/* As the machine folds it for the one reading that the test has (vm/load); STR_NONE when there are several readings, or
 * the field is a domain. */
static struct str needle_of(struct compiler *c, const struct test *t, const struct constant *k)
{
    const struct field_ref *ref = ref_of(c, t);
    const struct field_row *row = &words_rows.fields[ref->field];
    bool local = row->type == TYPE_ADDRESS && ref->part == PART_LOCAL;
    bool name = row->type == TYPE_ADDRESS && ref->part == PART_NAME;
    if (row->type != TYPE_TEXT && !local && !name) return STR_NONE;
    bool trim = t->relation == REL_EQUAL || t->relation == REL_LIKE;
    struct buf b = {0};
    if (local)
        fold_case_nfc(k->text, &b);
    else
        fold_text(k->text, trim ? FOLD_TRIM : 0, &b, NULL);
    struct str out = arena_str(c->proofs, buf_str(&b));
    buf_free(&b);
    return out;
}

/* The text `is` p: can it (wholly: must it) also be what the test's needle asks for?  Blanks at its ends do not count
 * for `is`, so a value may have one at either end. */
static bool text_agrees(struct compiler *c, struct str p, const struct test *t, struct str needle, bool wholly)
{
    struct str padded = arena_printf(c->proofs, " %.*s ", STR_ARG(p));
    switch (t->relation) {
    case REL_EQUAL: return str_eq(str_trim(p), str_trim(needle));
    case REL_LIKE: return like_match(needle, str_trim(p));
    case REL_CONTAINS: return fold_find(wholly ? p : padded, needle, 0, wholly && t->word) != STR_NPOS;
    case REL_STARTS: return !wholly && (str_starts(padded, needle) || str_starts(str_from(padded, 1), needle));
    case REL_ENDS: return !wholly && (str_ends(padded, needle) || str_ends(str_slice(padded, 0, padded.n - 1), needle));
    default: return !wholly;
    }
}

static bool is_plain(const struct test *t) { return !t->counted && !(t->all && t->operand == OPERAND_LIST); }

static bool text_among(struct compiler *c, const struct test *of, const struct constant *point, const struct test *t,
                       bool wholly)
{
    struct constants k = constants_of(c, t);
    struct str p = needle_of(c, of, point);
    if (of->alike || (t->alike && !wholly)) return !wholly; /* it may be another text; it may look like one */
    if (!is_plain(t) || !k.n || k.n > SET_MAX || !p.n) return !wholly;
    for (size_t i = 0; i < k.n; i++) {
        struct str needle = needle_of(c, t, &k.v[i]);
        if (needle.n ? text_agrees(c, p, t, needle, wholly) : !wholly) return true;
    }
    return false;
}

/* A text with a in it (at its start, its end) also has b where its test wants it. */
static bool needle_brings(const struct test *ta, struct str a, const struct test *tb, struct str b)
{
    if (!a.n || !b.n) return false;
    switch (tb->relation) {
    case REL_CONTAINS:
        if (ta->relation != REL_CONTAINS && ta->relation != REL_STARTS && ta->relation != REL_ENDS) return false;
        if (!tb->word) return str_find(a, b) != STR_NPOS;
        return ta->relation == REL_CONTAINS && ta->word && str_eq(a, b);
    case REL_STARTS: return ta->relation == REL_STARTS && str_starts(a, b);
    case REL_ENDS: return ta->relation == REL_ENDS && str_ends(a, b);
    default: return false;
    }
}

static bool needles_bring(struct compiler *c, const struct test *ta, const struct test *tb)
{
    struct constants a = constants_of(c, ta), b = constants_of(c, tb);
    if (ta->alike) return false; /* the text may hold what only looks like a */
    if (!is_plain(ta) || !is_plain(tb) || !same_part(c, ta, tb) || !a.n || !b.n || a.n * b.n > SET_MAX * SET_MAX)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        bool some = false;
        struct str na = needle_of(c, ta, &a.v[i]);
        for (size_t k = 0; k < b.n && !some; k++) some = needle_brings(ta, na, tb, needle_of(c, tb, &b.v[k]));
        if (!some) return false;
    }
    return true;
}

/* Two starts (two ends) of which neither begins the other. */
static bool affixes_exclude(struct compiler *c, const struct test *ta, const struct test *tb)
{
    struct constants a = constants_of(c, ta), b = constants_of(c, tb);
    bool starts = ta->relation == REL_STARTS;
    if (ta->alike || tb->alike) return false;
    if (ta->relation != tb->relation || (!starts && ta->relation != REL_ENDS) || !same_part(c, ta, tb)) return false;
    if (!a.n || !b.n || a.n * b.n > SET_MAX * SET_MAX) return false;
    for (size_t i = 0; i < a.n; i++) {
        for (size_t k = 0; k < b.n; k++) {
            struct str x = needle_of(c, ta, &a.v[i]), y = needle_of(c, tb, &b.v[k]);
            if (!x.n || !y.n) return false;
            if (starts ? str_starts(x, y) || str_starts(y, x) : str_ends(x, y) || str_ends(y, x)) return false;
        }
    }
    return true;
}

/* --- two tests ---------------------------------------------------------------------------------------------------- */

/* A value that `is` this constant of a's cannot answer b as claimed. */
static bool point_fails(struct compiler *c, const struct test *a, const struct constant *point, const struct asked *b)
{
    const struct test *t = b->test;
    if (t->relation == REL_EQUAL && point->type == TYPE_NETWORK) {
        struct constants k = constants_of(c, t);
        bool meets = !k.n || k.n > SET_MAX, within = false;
        for (size_t i = 0; i < k.n && k.n <= SET_MAX; i++) {
            meets = meets || networks_meet(point, &k.v[i]);
            within = within || network_within(point, &k.v[i]);
        }
        return b->holds ? !meets : within;
    }
    if (t->operand != OPERAND_CONSTANT && t->operand != OPERAND_LIST) return false;
    bool mailbox = point->type == TYPE_ADDRESS || point->type == TYPE_DOMAIN;
    if (mailbox) {
        enum value_type type = type_of(c, t);
        if (t->relation != REL_EQUAL || (type != TYPE_ADDRESS && type != TYPE_DOMAIN)) return false;
        bool is = among(c, as_address(c, point), t, !b->holds);
        return b->holds ? !is : is;
    }
    if (point->type != TYPE_TEXT || !same_part(c, a, t) || type_of(c, t) == TYPE_DOMAIN) return false;
    bool is = text_among(c, a, point, t, !b->holds);
    return b->holds ? !is : is;
}

/* Every value that `is` one of a's fails some other test. */
static bool points_fail(struct compiler *c, const struct asked *v, size_t n, size_t a, const struct ir *culprits[2])
{
    struct constants k = constants_of(c, v[a].test);
    culprits[0] = v[a].from;
    culprits[1] = NULL;
    if (!v[a].holds || v[a].test->relation != REL_EQUAL || !k.n || k.n > SET_MAX) return false;
    for (size_t i = 0; i < k.n; i++) {
        size_t b = 0;
        while (b < n && (b == a || !point_fails(c, v[a].test, &k.v[i], &v[b]))) b++;
        if (b == n) return false;
        if (!culprits[1]) culprits[1] = v[b].from;
    }
    return true;
}

/* Of two tests of one value: the one claimed brings the other, which is denied; or they exclude each other. */
static bool pair_is_impossible(struct compiler *c, const struct asked *a, const struct asked *b)
{
    if (!a->holds) return false;
    const struct test *ta = a->test, *tb = b->test;
    if (!b->holds) {
        if (same_predicate(c, ta, tb)) return true;
        uint8_t part = ref_of(c, tb)->part;
        if (tb->relation == REL_PRESENT && ta->relation != REL_PRESENT && ta->relation != REL_TRUE)
            return part == PART_WHOLE || same_part(c, ta, tb);
        return needles_bring(c, ta, tb);
    }
    return affixes_exclude(c, ta, tb);
}

bool element_is_impossible(struct compiler *c, const struct asked *v, size_t n, bool may_be_absent,
                           const struct ir *culprits[2])
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (i == k || !pair_is_impossible(c, &v[i], &v[k])) continue;
            culprits[0] = v[i < k ? i : k].from;
            culprits[1] = v[i < k ? k : i].from;
            return true;
        }
        const struct field_ref *ref = ref_of(c, v[i].test);
        if (v[i].test->relation == REL_PRESENT && !v[i].holds && ref->part == PART_WHOLE && !may_be_absent) {
            culprits[0] = v[i].from;
            culprits[1] = NULL;
            return true;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (points_fail(c, v, n, i, culprits)) return true;
    switch (type_of(c, v[0].test)) {
    case TYPE_NUMBER:
    case TYPE_SIZE:
    case TYPE_DURATION:
    case TYPE_DATE:
    case TYPE_CLOCK: return numbers_are_impossible(c, v, n, may_be_absent, culprits);
    case TYPE_WORD: return words_are_impossible(c, v, n, may_be_absent, culprits);
    default: return false;
    }
}
