#include "vm/relation.h"

#include <string.h>

#include "base/ip.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/fold.h"
#include "mail/like.h"
#include "vm/detect.h"
#include "vm/index.h"
#include "mail/live_list.h"

/* --- texts of a view ---------------------------------------------------------------------------------------------- */

static struct str raw_reading(const struct view *v, enum reading r)
{
    switch (r) {
    case READING_TEXT:
    case READING_ALIKE: return v->text;
    case READING_NAME:
    case READING_NAME_ALIKE: return v->name;
    case READING_LOCAL: return v->address.local;
    case READING_DOMAIN: return v->address.unicode_domain;
    default: return STR_NONE; /* made by view_reading */
    }
}

struct str view_reading(struct judgement *j, struct view *v, enum reading r)
{
    if (r == READING_LOCAL || r == READING_DOMAIN) return raw_reading(v, r);
    if (v->has_read >> r & 1) return v->read[r];
    if (r == READING_ADDRESS) {
        const struct canonical_address *a = &v->address;
        v->read[r] =
            a->domain.n ? arena_printf(j->arena, "%.*s@%.*s", STR_ARG(a->local), STR_ARG(a->unicode_domain)) : a->local;
    } else {
        struct buf b = {0};
        struct str raw = raw_reading(v, r);
        bool whole = fold_text_within(raw, reading_is_alike(r) ? FOLD_ALIKE : 0, fold_most(raw.n), &b);
        if (!whole) v->cut_read |= (uint8_t)(1u << r);
        v->read[r] = arena_str(j->arena, buf_str(&b));
        buf_free(&b);
    }
    v->has_read |= (uint8_t)(1u << r);
    return v->read[r];
}

struct str view_written(struct judgement *j, struct view *v, enum reading r)
{
    return r == READING_ADDRESS ? view_reading(j, v, r) : raw_reading(v, r);
}

static bool view_is_cut(struct judgement *j, const struct view *v, enum reading r)
{
    bool cut = v->cut_read >> r & 1;
    if (cut) j->why = STR("its characters stand for too many others");
    return cut;
}

/* Folded text holds white space as single blanks only. */
static struct str trimmed(struct str s)
{
    if (s.n && s.p[0] == ' ') s = str_from(s, 1);
    if (s.n && s.p[s.n - 1] == ' ') s.n--;
    return s;
}

static bool found(struct relation_where *where, struct str text, size_t from, size_t to)
{
    *where = (struct relation_where){from, to, text};
    return true;
}

/* One needle against one text. */
static bool text_relation(const struct test *test, struct str text, struct str needle, struct relation_where *where)
{
    if (needle.n == 0) return false; /* only a field on the right can be so: an absent value */
    size_t at;
    switch (test->relation) {
    case REL_EQUAL: /* blanks alone are no value either */
        needle = trimmed(needle);
        return needle.n && str_eq(trimmed(text), needle) && found(where, text, 0, text.n);
    case REL_LIKE: return like_match(needle, trimmed(text)) && found(where, text, 0, text.n);
    case REL_STARTS: return str_starts(text, needle) && found(where, text, 0, needle.n);
    case REL_ENDS: return str_ends(text, needle) && found(where, text, text.n - needle.n, text.n);
    case REL_CONTAINS:
        at = fold_find(text, needle, 0, test->word);
        return at != STR_NPOS && found(where, text, at, at + needle.n);
    default: return false;
    }
}

/* --- text against constants --------------------------------------------------------------------------------------- */

/* In a text without its end, what reaches where it was cut is not known to match: more may follow. */
static bool reading_relates(struct judgement *j, const struct ready_test *t, struct view *v, enum reading r,
                            struct str needle, struct relation_where *where)
{
    struct str text = view_reading(j, v, r);
    if (!text_relation(t->test, text, needle, where)) return false;
    if (where->to < text.n || !view_is_cut(j, v, r)) return true;
    *where = (struct relation_where){0};
    return false;
}

static bool needle_matches(struct judgement *j, const struct ready_test *t, struct view *v, uint32_t needle,
                           struct relation_where *where)
{
    for (uint32_t k = 0; k < t->reading_count; k++)
        if (reading_relates(j, t, v, t->readings[k], t->needles[k][needle], where)) return true;
    return false;
}

/* Of an address only the display name is text that can fail to be read. */
bool view_is_partial(struct judgement *j, const struct ready_test *t, const struct view *v)
{
    bool patterns = t->test->operand == OPERAND_PATTERNS; /* these look at the text as it is written too */
    for (uint32_t k = 0; k < t->reading_count && !patterns; k++)
        if (view_is_cut(j, v, t->readings[k])) return true;
    if (!v->partial || t->left->row->type != TYPE_ADDRESS) return v->partial;
    return t->left->part == PART_NAME || (t->left->part == PART_WHOLE && t->test->relation != REL_EQUAL);
}

/* `contains at least N "x"`, `contains between N and M "x"`. */
static enum answer_value counted_needle(struct judgement *j, const struct ready_test *t, struct view *v,
                                        struct relation_where *where)
{
    const struct test *test = t->test;
    size_t most = test->most < 0 ? (size_t)test->least : (size_t)test->most + 1, best = 0;
    for (uint32_t k = 0; k < t->reading_count; k++) {
        struct str text = view_reading(j, v, t->readings[k]);
        size_t n = fold_count(text, t->needles[k][0], test->word, most);
        if (n > best) best = n;
        if (n && !where->to) text_relation(test, text, t->needles[k][0], where);
    }
    if (test->most >= 0 && best > (size_t)test->most) return ANSWER_NO;
    bool partial = view_is_partial(j, t, v);
    if (partial && test->most >= 0) return ANSWER_UNREADABLE; /* there may be more than were seen */
    if (best >= (size_t)test->least) return ANSWER_YES;
    return partial ? ANSWER_UNREADABLE : ANSWER_NO;
}

/* Of a long list only those are tried that the index has seen. */
static bool seen_needles_match(struct judgement *j, const struct ready_test *t, struct view *v, const uint64_t *seen,
                               struct relation_where *where)
{
    uint32_t want = t->test->counted ? (uint32_t)t->test->least : 1, have = 0;
    for (size_t w = 0; seen && w < bits_words(t->needle_count); w++) {
        for (uint64_t left = seen[w]; left; left &= left - 1) {
            uint32_t needle = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(left);
            struct relation_where here = {0};
            if (!needle_matches(j, t, v, needle, &here)) continue;
            if (++have == 1) *where = here;
            if (have == want) return true;
        }
    }
    return false;
}

/* Several needles: any, all, at least N of them. */
static bool needles_match(struct judgement *j, const struct ready_test *t, struct view *v, struct relation_where *where)
{
    uint32_t want = t->test->all ? t->needle_count : t->test->counted ? (uint32_t)t->test->least : 1, have = 0;
    if (t->test->counted && t->test->least > t->needle_count) return false;
    const uint64_t *seen;
    if (index_needles(j, t, &seen)) return seen_needles_match(j, t, v, seen, where);
    for (uint32_t i = 0; i < t->needle_count && have < want; i++) {
        if (have + (t->needle_count - i) < want) break;
        struct relation_where here = {0};
        if (needle_matches(j, t, v, i, &here) && ++have == 1) *where = here;
    }
    return have >= want && t->needle_count > 0;
}

static bool in_set(const struct map *set, struct str key) { return key.n && map_has(set, key); }

/* What look-alikes become looks like nothing else, so one set serves both readings. */
static bool in_set_of_texts(struct judgement *j, const struct ready_test *t, struct view *v)
{
    for (uint32_t k = 0; k < t->reading_count; k++)
        if (in_set(&t->set, trimmed(view_reading(j, v, t->readings[k])))) return true;
    return false;
}

/* "*.b.example" for every name above the domain, with `prefix` before it ("@" for addresses). */
static bool in_set_above(struct judgement *j, const struct map *set, const char *prefix, struct str domain)
{
    struct str head, tail = domain;
    while (str_cut(tail, '.', &head, &tail))
        if (tail.p - domain.p > 1 && map_has(set, arena_printf(j->arena, "%s*.%.*s", prefix, STR_ARG(tail))))
            return true;
    return false;
}

static bool equal_hashed(struct judgement *j, const struct ready_test *t, struct view *v)
{
    const struct canonical_address *a = &v->address;
    switch (t->left->type) {
    case TYPE_TEXT: return in_set_of_texts(j, t, v);
    case TYPE_WORD: return in_set(&t->set, v->text);
    case TYPE_DOMAIN: return in_set(&t->set, a->domain) || in_set_above(j, &t->set, "", a->domain);
    default:
        if (in_set(&t->set, a->whole)) return true;
        if (a->domain.n == 0) return false;
        if (map_has(&t->set, arena_printf(j->arena, "@%.*s", STR_ARG(a->domain)))) return true;
        return in_set_above(j, &t->set, "@", a->domain);
    }
}

/* A list that is not there now may hold the value, or not. */
static enum answer_value in_live_list(struct judgement *j, const struct ready_test *t, struct view *v)
{
    const struct live_list *l = j->in->lists ? j->in->lists[t->live] : NULL;
    const struct canonical_address *a = &v->address;
    j->lists_asked |= (uint64_t)1 << t->live;
    if (!l) {
        const struct program_list *named = &j->program->program->lists[t->test->a];
        j->why = arena_printf(j->arena, "the live list %.*s is not there", STR_ARG(named->name));
        return ANSWER_UNAVAILABLE;
    }
    bool has = false;
    switch (t->left->type) {
    case TYPE_TEXT: has = live_has(l, trimmed(view_reading(j, v, t->readings[0]))); break;
    case TYPE_ADDRESS: has = a->whole.n && live_has_address(l, a->whole, a->domain); break;
    case TYPE_DOMAIN: has = live_has_domain(l, a->domain); break;
    case TYPE_NETWORK: has = live_has_ip(l, v->ip); break;
    default: break;
    }
    return has ? ANSWER_YES : ANSWER_NO;
}

/* --- everything that is a number ---------------------------------------------------------------------------------- */

struct span_of_time {
    int64_t low, high;
};

/* A constant as the inclusive range of numbers that are equal to it: a date is its whole day or minute. */
static struct span_of_time number_span(const struct judgement *j, const struct constant *c)
{
    if (c->type != TYPE_DATE) return (struct span_of_time){c->number, c->number};
    int64_t low = c->date_zoned ? c->number : c->number - j->in->utc_offset;
    return (struct span_of_time){low, low + (c->date_only ? 86399 : 59)};
}

static bool number_relation(const struct judgement *j, const struct ready_test *t, int64_t x, const struct constant *c)
{
    struct span_of_time a = number_span(j, c), b = a;
    if (t->test->operand == OPERAND_RANGE) b = number_span(j, &j->program->program->constants[t->test->b]);
    switch (t->test->relation) {
    case REL_EQUAL: return a.low <= x && x <= a.high;
    case REL_OVER:
    case REL_AFTER: return x > a.high;
    case REL_UNDER:
    case REL_BEFORE: return x < a.low;
    case REL_AT_LEAST: return x >= a.low;
    case REL_AT_MOST: return x <= a.high;
    case REL_BETWEEN:
        if (t->left->type == TYPE_CLOCK && a.low > b.high) return x >= a.low || x <= b.high; /* past midnight */
        return a.low <= x && x <= b.high;
    default: return false;
    }
}

static bool equal_constant(const struct judgement *j, const struct ready_test *t, const struct view *v,
                           const struct constant *c)
{
    switch (t->left->type) {
    case TYPE_ADDRESS: return v->address.whole.n && address_matches(c->text, v->address.whole);
    case TYPE_DOMAIN: return v->address.domain.n && domain_matches(c->text, v->address.domain);
    case TYPE_WORD: return str_eq(v->text, c->text);
    case TYPE_NETWORK: return ip_in_range(v->ip, c->low, c->high);
    default: return number_relation(j, t, v->number, c);
    }
}

/* --- another field on the right ----------------------------------------------------------------------------------- */

static bool readings_relate(struct judgement *j, const struct ready_test *t, struct view *l, enum reading left,
                            struct view *r, enum reading right, struct relation_where *where)
{
    struct str needle = view_reading(j, r, right);
    return !view_is_cut(j, r, right) && reading_relates(j, t, l, left, needle, where);
}

static bool views_relate(struct judgement *j, const struct ready_test *t, struct view *l, struct view *r,
                         struct relation_where *where)
{
    enum value_type type = t->left->type;
    if (t->test->relation != REL_EQUAL || type == TYPE_TEXT) {
        if (type == TYPE_TEXT || type == TYPE_ADDRESS || type == TYPE_DOMAIN) {
            uint8_t readings[TEST_READINGS_MAX];
            uint32_t last = ready_readings(t->right, t->test->alike, readings) - 1;
            return readings_relate(j, t, l, t->readings[0], r, readings[0], where) ||
                   (t->test->alike &&
                    readings_relate(j, t, l, t->readings[t->reading_count - 1], r, readings[last], where));
        }
        struct constant c = {.type = t->right->type, .number = r->number, .date_zoned = true};
        return number_relation(j, t, l->number, &c);
    }
    switch (type) {
    case TYPE_ADDRESS: return l->address.whole.n && str_eq(l->address.whole, r->address.whole);
    case TYPE_DOMAIN: return l->address.domain.n && str_eq(l->address.domain, r->address.domain);
    case TYPE_WORD: return str_eq(l->text, r->text);
    case TYPE_NETWORK: return memcmp(l->ip, r->ip, sizeof l->ip) == 0;
    default: return l->number == r->number;
    }
}

/* Related to some element of the right side; the right side's own views may disagree, or be unreadable. */
static enum answer_value relate_element(struct judgement *j, const struct ready_test *t, struct view *v,
                                        struct element *right, struct relation_where *where)
{
    struct answer_tally tally = {0};
    for (uint32_t k = 0; k < right->count; k++) {
        bool holds = !right->views[k].absent && views_relate(j, t, v, &right->views[k], where);
        bool partial = right->views[k].partial || right->views[k].cut_read;
        tally_add(&tally, holds ? ANSWER_YES : partial ? ANSWER_UNREADABLE : ANSWER_NO);
    }
    return tally_answer(&tally);
}

static enum answer_value relate_field(struct judgement *j, const struct ready_test *t, struct view *v,
                                      const struct values *right, struct relation_where *where)
{
    struct answer_tally tally = {0};
    uint32_t list = 0, from = 0, to;
    do {
        values_list(right, list, from, &to);
        enum answer_value one = ANSWER_NO;
        for (; from < to && one != ANSWER_YES; from++)
            one = value_or(one, relate_element(j, t, v, &right->v[from], where));
        from = to;
        tally_add(&tally, one);
    } while (++list < right->lists);
    return value_or(tally_answer(&tally), right->trouble);
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */

enum pattern_answer relation_search(struct judgement *j, const struct pattern *p, struct str text, size_t from,
                                    bool *utf8, struct relation_where *where)
{
    const struct vm_input *in = j->in;
    struct pattern_budget budget = {.clock = in->clock, .self = in->clock_self};
    uint64_t began = 0;
    if (in->clock) {
        uint64_t whole = in->message_budget ? in->message_budget : VM_MESSAGE_BUDGET;
        uint64_t one = in->match_budget ? in->match_budget : VM_MATCH_BUDGET;
        if (j->spent >= whole) return PATTERN_UNREADABLE;
        began = in->clock(in->clock_self);
        budget.deadline = began + (whole - j->spent < one ? whole - j->spent : one);
    }
    struct pattern_subject subject = {text, *utf8};
    struct pattern_span span = {0, 0};
    enum pattern_answer a = pattern_match(p, j->program->matcher, &subject, from, &budget, &span);
    *utf8 = subject.checked;
    if (in->clock) j->spent += in->clock(in->clock_self) - began;
    if (a == PATTERN_YES) *where = (struct relation_where){span.from, span.to, text};
    return a;
}

/* One pattern on the decoded text, and on the folded text unless case matters to it: folding would hide the case. */
static enum answer_value match_view(struct judgement *j, const struct ready_test *t, uint32_t pattern, struct view *v,
                                    struct relation_where *where)
{
    bool unreadable = false;
    for (uint32_t k = 0; k < t->reading_count; k++) {
        enum reading r = t->readings[k];
        uint8_t bit = (uint8_t)(1u << r);
        struct str folded = view_reading(j, v, r), raw = view_written(j, v, r);
        bool utf8 = v->utf8_raw & bit;
        enum pattern_answer a = relation_search(j, t->patterns[pattern], raw, 0, &utf8, where);
        if (utf8) v->utf8_raw |= bit;
        bool fold = !(t->pattern_flags[pattern] & PATTERN_C) && !str_eq(folded, raw);
        if (a == PATTERN_NO && fold && view_is_cut(j, v, r)) { /* it may ask for the end */
            unreadable = true;
        } else if (a == PATTERN_NO && fold) {
            utf8 = v->utf8_read & bit;
            a = relation_search(j, t->patterns[pattern], folded, 0, &utf8, where);
            if (utf8) v->utf8_read |= bit;
        }
        if (a == PATTERN_YES) return ANSWER_YES;
        if (a == PATTERN_UNREADABLE) {
            unreadable = true;
            j->why = STR("a pattern went beyond its budget");
        }
    }
    return unreadable ? ANSWER_UNREADABLE : ANSWER_NO;
}

static enum answer_value match_patterns(struct judgement *j, const struct ready_test *t, struct view *v,
                                        struct relation_where *where)
{
    enum answer_value out = t->test->all ? ANSWER_YES : ANSWER_NO;
    for (uint32_t i = 0; i < t->pattern_count; i++) {
        enum answer_value one = match_view(j, t, i, v, where);
        out = t->test->all ? value_and(out, one) : value_or(out, one);
        if (out == (t->test->all ? ANSWER_NO : ANSWER_YES)) break;
    }
    return t->pattern_count ? out : ANSWER_NO;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

bool relation_part_present(const struct ready_ref *ref, const struct view *v)
{
    if (v->absent) return false;
    switch (ref->row->type == TYPE_ADDRESS ? ref->part : PART_WHOLE) {
    case PART_ADDRESS: return v->address.whole.n != 0;
    case PART_LOCAL: return v->address.local.n != 0;
    case PART_DOMAIN: return v->address.domain.n != 0;
    case PART_NAME: return v->name.n != 0;
    default: return true;
    }
}

static bool relate_constants(struct judgement *j, const struct ready_test *t, struct view *v,
                             struct relation_where *where)
{
    if (t->hashed) return equal_hashed(j, t, v);
    if (t->needle_count) return needles_match(j, t, v, where);
    for (uint32_t i = 0; i < t->constant_count; i++)
        if (equal_constant(j, t, v, &t->constants[i])) return true;
    return false;
}

enum answer_value relation_holds(struct judgement *j, const struct ready_test *t, struct view *v,
                                 const struct relation_right *right, struct relation_where *where)
{
    *where = (struct relation_where){0};
    if (t->test->relation == REL_TRUE) return v->number ? ANSWER_YES : ANSWER_NO;
    if (!relation_part_present(t->left, v)) return view_is_partial(j, t, v) ? ANSWER_UNREADABLE : ANSWER_NO;
    if (right->values) {
        enum answer_value a = relate_field(j, t, v, right->values, where);
        return a == ANSWER_NO && view_is_partial(j, t, v) ? ANSWER_UNREADABLE : a;
    }
    if (t->test->operand == OPERAND_PATTERNS) {
        enum answer_value a = match_patterns(j, t, v, where);
        return a == ANSWER_NO && view_is_partial(j, t, v) ? ANSWER_UNREADABLE : a;
    }
    if (t->detector) return detect_holds(j, t, v, where);
    if (t->test->counted && t->test->operand == OPERAND_CONSTANT && t->test->relation == REL_CONTAINS &&
        t->needle_count)
        return counted_needle(j, t, v, where);
    if (t->live != NO_INDEX) {
        enum answer_value a = in_live_list(j, t, v);
        return a == ANSWER_NO && view_is_partial(j, t, v) ? ANSWER_UNREADABLE : a;
    }
    if (relate_constants(j, t, v, where)) return ANSWER_YES;
    return view_is_partial(j, t, v) ? ANSWER_UNREADABLE : ANSWER_NO;
}
