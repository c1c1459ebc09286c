#include "vm/detect.h"

#include <sysexits.h>

#include "mail/fold.h"

/* --- loading ------------------------------------------------------------------------------------------------------ */

static const struct constant *argument_of(const struct program *p, const struct declaration *d, uint8_t param,
                                          uint32_t *next)
{
    for (; *next < d->argument_count; ++*next) {
        const struct argument *a = &p->arguments[d->first_argument + *next];
        if (a->param == param && a->operand == OPERAND_CONSTANT)
            return &p->constants[p->arguments[d->first_argument + (*next)++].index];
    }
    return NULL;
}

static int64_t number_of(const struct program *p, const struct declaration *d, uint8_t param, int64_t otherwise)
{
    uint32_t next = 0;
    const struct constant *c = argument_of(p, d, param, &next);
    return c ? c->number : otherwise;
}

static struct str text_of(const struct program *p, const struct declaration *d, uint8_t param)
{
    uint32_t next = 0;
    const struct constant *c = argument_of(p, d, param, &next);
    return c ? c->text : STR_NONE;
}

static bool load_near(struct vm_program *r, const struct declaration *d, struct ready_detector *out, struct err *e)
{
    struct buf b = {0};
    out->near = ARENA_ARRAY(r->arena, struct str, d->argument_count);
    uint32_t next = 0;
    for (const struct constant *c; (c = argument_of(r->program, d, r->vocabulary->detector->near, &next));) {
        b.n = 0;
        fold_text(c->text, FOLD_TRIM, &b, NULL);
        if (b.n == 0) {
            buf_free(&b);
            return err_set(e, EX_DATAERR, "\"%.*s\" folds to nothing, so nothing can be near it", STR_ARG(c->text));
        }
        out->near[out->near_count++] = arena_str(r->arena, buf_str(&b));
    }
    buf_free(&b);
    return true;
}

const struct ready_detector *detect_load(struct vm_program *r, uint32_t declaration, struct err *e)
{
    if (r->detectors[declaration]) return r->detectors[declaration];
    const struct declaration *d = &r->program->declarations[declaration];
    const struct detector_shape *shape = r->vocabulary->detector;
    struct ready_detector *out = r->detectors[declaration] = ARENA_NEW(r->arena, struct ready_detector);
    struct pattern_fault fault;
    struct str source = text_of(r->program, d, shape->pattern);
    out->source = source;
    out->pattern = pattern_compile(source, 0, &fault);
    if (!out->pattern) {
        err_set(e, EX_DATAERR, "the pattern /%.*s/ cannot be used: %s", STR_ARG(source), fault.text);
        return NULL;
    }
    pattern_jit(out->pattern);
    out->checksum = text_of(r->program, d, shape->checksum);
    out->within = (uint32_t)number_of(r->program, d, shape->within, shape->within_default);
    out->confidence = (uint8_t)number_of(r->program, d, shape->confidence, shape->confidence_default);
    out->gives = (uint8_t)number_of(r->program, d, shape->gives, shape->gives_default);
    return load_near(r, d, out, e) ? out : NULL;
}

/* --- nearness ----------------------------------------------------------------------------------------------------- */

static bool is_inside_character(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

/* The text of so many characters before and after a match, the match left out: it is no evidence for itself. */
static struct str before(struct str text, size_t at, uint32_t characters)
{
    size_t from = at;
    while (from > 0 && characters > 0)
        if (!is_inside_character(text.p[--from])) characters--;
    return str_slice(text, from, at);
}
static struct str after(struct str text, size_t at, uint32_t characters)
{
    size_t to = at;
    while (to < text.n && characters > 0) {
        to++;
        while (to < text.n && is_inside_character(text.p[to])) to++;
        characters--;
    }
    return str_slice(text, at, to);
}

static bool some_near(const struct ready_detector *d, struct str text, const struct relation_where *at)
{
    struct str sides[] = {before(text, at->from, d->within), after(text, at->to, d->within)};
    for (size_t s = 0; s < 2; s++)
        for (uint32_t i = 0; i < d->near_count; i++)
            if (fold_find(sides[s], d->near[i], 0, true) != STR_NPOS) return true;
    return false;
}

/* --- counting ----------------------------------------------------------------------------------------------------- */

/* What was found, without the blanks and dashes people put between digits. */
static struct str value_of(struct judgement *j, struct str match)
{
    char *p = arena_alloc(j->arena, match.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < match.n; i++)
        if (match.p[i] != ' ' && match.p[i] != '-') p[n++] = match.p[i];
    return (struct str){p, n};
}

static bool is_find(struct judgement *j, const struct ready_test *t, struct str text, const struct relation_where *at)
{
    const struct ready_detector *d = t->detector;
    struct str match = str_slice(text, at->from, at->to);
    if (d->checksum.n && !j->program->vocabulary->detector->checksum_holds(d->checksum, match)) return false;
    uint8_t wanted = (uint8_t)t->test->b;
    if (d->confidence >= wanted) return true;
    return d->gives >= wanted && d->near_count && some_near(d, text, at);
}

/* How many different finds, no further than `most`.  False: beyond the budget of time. */
static bool count_finds(struct judgement *j, const struct ready_test *t, struct str text, size_t most, size_t *count,
                        struct relation_where *where)
{
    struct map seen = {0};
    struct relation_where at;
    bool utf8 = false;
    enum pattern_answer a = PATTERN_NO;
    size_t from = 0;
    while (seen.n < most && from <= text.n &&
           (a = relation_search(j, t->detector->pattern, text, from, &utf8, &at)) == PATTERN_YES) {
        bool found = at.to > at.from && is_find(j, t, text, &at);
        if (found) {
            struct str value = value_of(j, str_slice(text, at.from, at.to));
            if (!map_has(&seen, value)) map_put(&seen, value, j);
            if (where->to == 0) *where = at;
        }
        from = found ? at.to : at.from + 1; /* the number may begin inside what was none */
        while (from < text.n && is_inside_character(text.p[from])) from++;
    }
    *count = seen.n;
    map_free(&seen);
    if (a == PATTERN_UNREADABLE) j->why = STR("a detector went beyond its budget");
    return a != PATTERN_UNREADABLE;
}

enum answer_value detect_holds(struct judgement *j, const struct ready_test *t, struct view *v,
                               struct relation_where *where)
{
    const struct test *test = t->test;
    size_t least = test->counted ? (size_t)test->least : 1, best = 0;
    bool open = !test->counted || test->most < 0, whole = true;
    for (uint32_t k = 0; k < t->reading_count; k++) {
        size_t n;
        whole &=
            count_finds(j, t, view_reading(j, v, t->readings[k]), open ? least : (size_t)test->most + 1, &n, where);
        if (n > best) best = n;
    }
    whole &= !view_is_partial(j, t, v);
    if (!open && best > (size_t)test->most) return ANSWER_NO;
    if (!open && !whole) return ANSWER_UNREADABLE; /* there may be more than were seen */
    if (best >= least) return ANSWER_YES;
    return whole ? ANSWER_NO : ANSWER_UNREADABLE;
}
