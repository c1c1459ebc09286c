#include "pattern/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/err.h"
#include "base/limits.h"

enum {
    JIT_STACK_FIRST = 32 * 1024,
    JIT_STACK_MOST = 512 * 1024,
    HEAP_KIB = 8 * 1024, /* of the interpreter, per match; it stays with the match data */
    /* Windows, in start offsets.  A window's starts times its limit of steps at one start stay within WINDOW_STEPS;
     * a step of an open pattern may be longer. */
    WINDOW_STEPS = 1 << 20,
    WINDOW_OPEN_STEPS = 1 << 18,
    WINDOW_MOST = 64 * 1024,
    WINDOW_OPEN_MOST = 4096, /* of a pattern that may run over any length of text from each start */
    OPEN_WORK = 1 << 24,     /* such a pattern's first window times the length of the text: bytes run over */
    PROBE = 4,               /* start offsets tried where an open pattern's window ends */
    STEPS_LEAST = 16,
    STEPS_UP = 4,
    /* Microseconds. */
    WINDOW_FAST = 1000,
    WINDOW_SLOW = 5000,
    WINDOW_LONG = 15000, /* nothing is started that is expected to take longer */
    PROBE_FAST = 10
};

struct pattern {
    pcre2_code *code;
    bool jit;          /* compiled to machine code */
    bool open;         /* a repeat, reference or recursion without a bound: one step may run over the whole text */
    bool anchored;     /* matches where the search begins or nowhere */
    bool has_required; /* an ASCII byte without which there is no match ... */
    char required[2];  /* ... in both cases */
};

struct pattern_matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    int error;
};

/* --- compiling -------------------------------------------------------------------------------------------------- */

static void *fault_at(struct pattern_fault *f, size_t offset, const char *text)
{
    snprintf(f->text, sizeof f->text, "%s", text);
    f->offset = offset;
    return NULL;
}

/* "(*NAME)" or "(*NAME=…)" in capitals at the very start changes how the rest is read, or limits; ours are fixed. */
static bool begins_with_setting(struct str s)
{
    return str_starts(s, STR("(*")) && s.n > 2 && s.p[2] >= 'A' && s.p[2] <= 'Z';
}

/* What asks where the search began, or ends it as a whole; a test has no such place, and windows would change it. */
static const struct {
    const char *text, *fault;
} unavailable[] = {
    {"\\G", "\\G is not available here"},
    {"(*COMMIT", "(*COMMIT) is not available here"},
    {"(*SKIP", "(*SKIP) is not available here"},
};

/* Offset of such a thing with *fault; STR_NPOS: none. */
static size_t find_unavailable(struct str s, const char **fault)
{
    for (size_t i = 0; i + 1 < s.n; i++) {
        for (size_t k = 0; k < sizeof unavailable / sizeof *unavailable; k++) {
            *fault = unavailable[k].fault;
            if (str_starts(str_from(s, i), str_of(unavailable[k].text))) return i;
        }
        if (s.p[i] != '\\' || s.p[++i] != 'Q') continue;
        size_t end = str_find(str_from(s, i + 1), STR("\\E"));
        if (end == STR_NPOS) return STR_NPOS;
        i += end + 2;
    }
    return STR_NPOS;
}

/* Whether one step may run over any length of text: a repeat but `?`, a reference, a recursion, \X.  Read from the
 * source and too often true (`\+`, `[*]`), which costs a little time and nothing else. */
static bool is_open(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
        if (c == '*' || c == '+' || c == '{') return true;
        if (c == '\\' && next && strchr("gkX123456789", next)) return true;
        if (c == '?' && next && strchr("R&P0123456789-", next)) return true;
    }
    return false;
}

static int note_callout(pcre2_callout_enumerate_block *block, void *offset)
{
    *(size_t *)offset = block->pattern_position;
    return 1;
}

static pcre2_code *compile(struct str source, uint32_t options, struct pattern_fault *f)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    INVARIANT(context != NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
    pcre2_set_parens_nest_limit(context, LIMIT_PATTERN_NESTING);
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)(source.p ? source.p : ""), source.n, options, &error, &offset, context);
    pcre2_compile_context_free(context);
    if (code) return code;
    PCRE2_UCHAR text[sizeof f->text];
    if (pcre2_get_error_message(error, text, sizeof text) == PCRE2_ERROR_BADDATA)
        snprintf((char *)text, sizeof text, "error %d", error);
    return fault_at(f, offset < source.n ? offset : source.n, (const char *)text);
}

static uint32_t options_of(unsigned flags)
{
    return PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT |
           (flags & PATTERN_C ? 0 : PCRE2_CASELESS) | (flags & PATTERN_S ? PCRE2_DOTALL : 0) |
           (flags & PATTERN_M ? PCRE2_MULTILINE : 0) | (flags & PATTERN_X ? PCRE2_EXTENDED : 0);
}

static uint32_t info(const pcre2_code *code, uint32_t what)
{
    uint32_t value = 0;
    INVARIANT(pcre2_pattern_info(code, what, &value) == 0);
    return value;
}

static size_t compiled_size(const pcre2_code *code)
{
    size_t size = 0;
    INVARIANT(pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size) == 0);
    return size;
}

struct pattern *pattern_compile(struct str source, unsigned flags, struct pattern_fault *f)
{
    char text[96];
    INVARIANT((flags & ~(unsigned)PATTERN_FLAGS) == 0);
    snprintf(text, sizeof text, "a pattern may have at most %d bytes", LIMIT_PATTERN_SOURCE);
    if (source.n > LIMIT_PATTERN_SOURCE) return fault_at(f, LIMIT_PATTERN_SOURCE, text);
    if (begins_with_setting(source)) return fault_at(f, 0, "settings at the start of a pattern are not available here");
    const char *fault;
    size_t at = find_unavailable(source, &fault);
    if (at != STR_NPOS) return fault_at(f, at, fault);
    pcre2_code *code = compile(source, options_of(flags), f);
    if (!code) return NULL;
    at = STR_NPOS;
    pcre2_callout_enumerate(code, note_callout, &at);
    if (at != STR_NPOS) {
        pcre2_code_free(code);
        return fault_at(f, at < source.n ? at : source.n, "callouts are not available here");
    }
    if (compiled_size(code) > LIMIT_PATTERN_COMPILED) {
        pcre2_code_free(code);
        return fault_at(f, source.n, "the pattern is too large once its repeats are written out");
    }
    struct pattern *p = mem_alloc(sizeof *p);
    p->code = code;
    p->open = is_open(source);
    p->anchored = info(code, PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED;
    uint32_t unit = info(code, PCRE2_INFO_LASTCODEUNIT);
    p->has_required = info(code, PCRE2_INFO_LASTCODETYPE) == 1 && unit < 128;
    char lower = ascii_lower((char)unit);
    p->required[0] = lower;
    p->required[1] = lower >= 'a' && lower <= 'z' ? (char)(lower - 32) : lower;
    return p;
}

void pattern_free(struct pattern **p)
{
    if (!p || !*p) return;
    pcre2_code_free((*p)->code);
    free(*p);
    *p = NULL;
}

bool pattern_jit(struct pattern *p)
{
    p->jit = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0;
    return p->jit;
}

bool pattern_matches_empty(const struct pattern *p)
{
    return info(p->code, PCRE2_INFO_MATCHEMPTY) == 1;
}

/* --- matching --------------------------------------------------------------------------------------------------- */

struct pattern_matcher *pattern_matcher_create(void)
{
    struct pattern_matcher *m = mem_alloc(sizeof *m);
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    INVARIANT(m->data && m->context);
    m->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL); /* NULL: built without JIT */
    if (m->stack) pcre2_jit_stack_assign(m->context, NULL, m->stack);
    pcre2_set_heap_limit(m->context, HEAP_KIB);
    return m;
}

void pattern_matcher_free(struct pattern_matcher **m)
{
    if (!m || !*m) return;
    pcre2_match_data_free((*m)->data);
    pcre2_match_context_free((*m)->context);
    if ((*m)->stack) pcre2_jit_stack_free((*m)->stack);
    free(*m);
    *m = NULL;
}

int pattern_matcher_error(const struct pattern_matcher *m) { return m->error; }

/* One search: where it is, and how far it dares to go in one call of PCRE2. */
struct search {
    const struct pattern *p;
    struct pattern_matcher *m;
    struct str text;
    const struct pattern_budget *budget;
    uint64_t now;      /* of the budget's clock, after the last call */
    uint64_t took;     /* by the last call */
    size_t window;     /* start offsets of the next call */
    size_t window_most;
    uint32_t steps;    /* of PCRE2 at one start offset */
    uint32_t steps_most;
    unsigned calm;     /* calls since one ran into its limit or was slow */
    unsigned patience; /* calm calls before the window grows again */
};

static uint64_t read_clock(const struct pattern_budget *b) { return b->clock ? b->clock(b->self) : 0; }
static bool is_late(const struct search *s) { return s->budget->clock && s->now >= s->budget->deadline; }

/* The first match that begins in from … to - 1, both character boundaries; lookbehinds see all of the text. */
static int try_window(struct search *s, size_t from, size_t to)
{
    pcre2_set_offset_limit(s->m->context, to - 1);
    pcre2_set_match_limit(s->m->context, s->steps);
    PCRE2_SPTR text = (PCRE2_SPTR)(s->text.p ? s->text.p : "");
    if (s->p->jit) return pcre2_jit_match(s->p->code, text, s->text.n, from, 0, s->m->data, s->m->context);
    return pcre2_match(s->p->code, text, s->text.n, from, PCRE2_NO_UTF_CHECK, s->m->data, s->m->context);
}

static void take_time(struct search *s)
{
    uint64_t now = read_clock(s->budget);
    s->took = now > s->now ? now - s->now : 0;
    s->now = now;
}

/* The character boundary at or after `at`. */
static size_t boundary(struct str text, size_t at)
{
    while (at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80) at++;
    return at;
}

/* The last start offset that may match: none begins behind the last byte that it would need.  PCRE2 looks for that byte
 * itself, but from the beginning of every window.  STR_NPOS: no start may. */
static size_t last_start(const struct pattern *p, struct str text, size_t from)
{
    if (!p->has_required) return text.n;
    if (from == text.n) return STR_NPOS;
    const char *a = text.p + from, *b = memrchr(a, p->required[0], text.n - from);
    if (p->required[1] != p->required[0]) {
        const char *begin = b ? b : a, *other = memrchr(begin, p->required[1], (size_t)(text.p + text.n - begin));
        if (other) b = other;
    }
    return b ? (size_t)(b - text.p) : STR_NPOS;
}

/* How many steps at each start a window of this size may take. */
static uint32_t steps_of(const struct search *s)
{
    size_t steps = (s->p->open ? WINDOW_OPEN_STEPS : WINDOW_STEPS) / s->window;
    return steps < STEPS_LEAST ? STEPS_LEAST : (uint32_t)steps;
}

static void prepare(struct search *s, size_t from)
{
    size_t rest = s->text.n - from + 1;
    s->steps_most = s->budget->steps ? s->budget->steps : PATTERN_STEPS;
    s->window_most = s->p->open && s->p->jit ? WINDOW_OPEN_MOST : WINDOW_MOST;
    s->window = s->p->open ? OPEN_WORK / rest : WINDOW_MOST;
    if (s->window > s->window_most) s->window = s->window_most;
    if (s->p->open && s->window > WINDOW_OPEN_MOST) s->window = WINDOW_OPEN_MOST;
    if (s->window < PROBE) s->window = PROBE;
    s->steps = steps_of(s);
    /* Steps that may each run over all of a long text. */
    size_t fits = OPEN_WORK / rest < STEPS_LEAST ? STEPS_LEAST : OPEN_WORK / rest;
    if (s->p->open && s->steps > fits) s->steps = (uint32_t)fits;
    if (s->steps > s->steps_most) s->steps = s->steps_most;
    s->patience = 1;
}

static void shrink(struct search *s, size_t window)
{
    s->window = window ? window : 1;
    s->calm = 0;
    if (s->patience < 64) s->patience *= 2;
}

/* After a call that found nothing: further while it goes fast. */
static void adapt(struct search *s)
{
    if (s->took > WINDOW_SLOW) {
        shrink(s, (size_t)(s->window * WINDOW_SLOW / s->took));
    } else if (s->took < WINDOW_FAST && ++s->calm >= s->patience && s->window < s->window_most) {
        s->calm = 0;
        s->window = s->window * 8 < s->window_most ? s->window * 8 : s->window_most;
        if (s->steps > steps_of(s)) s->steps = steps_of(s);
    }
}

/* After a call that ran into its limit of steps: the same start again with fewer starts, more steps, or both.
 * False when neither is left within the budget. */
static bool relent(struct search *s)
{
    /* At one start, with so many more steps; those of an open pattern tend to get longer as they go. */
    uint64_t expected = s->took * STEPS_UP * (s->p->open ? STEPS_UP : 1);
    bool more = s->steps < s->steps_most && expected < WINDOW_LONG;
    if (s->window == 1 && !more) return false;
    size_t window = s->window / 16;
    if (more && expected && window > WINDOW_LONG / expected) window = (size_t)(WINDOW_LONG / expected);
    shrink(s, window);
    if (more) s->steps = s->steps_most / STEPS_UP < s->steps ? s->steps_most : s->steps * STEPS_UP;
    return true;
}

/* An open pattern's cost at one start is the length of what it runs over, which its steps do not show.  A run that
 * would make a window long goes beyond its end: so a few starts there are tried before, and tell.  (The
 * interpreter counts most of it, and would look from each probe for a first character to the end of the text.) */
static size_t probed_end(struct search *s, size_t from, size_t to)
{
    if (!s->p->open || !s->p->jit || s->window <= PROBE || s->text.n - from <= WINDOW_OPEN_MOST) return to;
    size_t end = boundary(s->text, to + PROBE < s->text.n ? to + PROBE : s->text.n);
    if (end == to) return to;
    int rc = try_window(s, to, end);
    take_time(s);
    if (rc != PCRE2_ERROR_MATCHLIMIT && s->took <= PROBE_FAST) return to;
    size_t fits = s->took ? (size_t)(WINDOW_SLOW * PROBE / s->took) : s->window / 8;
    if (fits >= s->window) return to;
    shrink(s, fits);
    size_t shorter = boundary(s->text, from + s->window);
    return shorter < to ? shorter : to;
}

/* PCRE2's answer for all starts in from … last; PCRE2_ERROR_MATCHLIMIT also when time is up. */
static int search(struct search *s, size_t from, size_t last)
{
    for (;;) {
        size_t to = last + 1;
        if (!s->p->anchored && s->window < to - from) {
            to = boundary(s->text, from + s->window);
            if (to <= last) to = probed_end(s, from, to);
            if (is_late(s)) return PCRE2_ERROR_MATCHLIMIT;
        }
        if (s->p->anchored) s->window = 1;
        int rc = try_window(s, from, to);
        if (rc == PCRE2_ERROR_NOMATCH && (to > last || s->p->anchored)) return rc;
        if (rc != PCRE2_ERROR_NOMATCH && rc != PCRE2_ERROR_MATCHLIMIT) return rc;
        take_time(s);
        if (is_late(s)) return PCRE2_ERROR_MATCHLIMIT;
        if (rc == PCRE2_ERROR_NOMATCH) {
            from = to;
            adapt(s);
        } else if (!relent(s)) {
            return rc;
        }
    }
}

enum pattern_answer pattern_match(const struct pattern *p, struct pattern_matcher *m, struct pattern_subject *subject,
                                  size_t from, const struct pattern_budget *budget, struct pattern_span *where)
{
    struct search s = {.p = p, .m = m, .text = subject->text, .budget = budget};
    m->error = 0;
    if (from > s.text.n) return PATTERN_NO;
    s.now = read_clock(budget);
    if (is_late(&s)) return PATTERN_UNREADABLE;
    if (!subject->checked && !str_is_utf8(s.text)) {
        m->error = PCRE2_ERROR_UTF8_ERR1;
        return PATTERN_UNREADABLE;
    }
    subject->checked = true;
    size_t last = last_start(p, s.text, from);
    if (last == STR_NPOS) return PATTERN_NO;
    prepare(&s, from);
    int rc = search(&s, from, last);
    if (rc == PCRE2_ERROR_NOMATCH) return PATTERN_NO;
    if (rc < 0) {
        m->error = rc == PCRE2_ERROR_MATCHLIMIT ? 0 : rc;
        return PATTERN_UNREADABLE;
    }
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(m->data);
    if (where) *where = (struct pattern_span){span[0], span[1] < span[0] ? span[0] : span[1]};
    return PATTERN_YES;
}
