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
    HEAP_KIB = 8 * 1024,  /* of the interpreter, per match; it stays with the match data */
    CLOCK_WORK = 32768,   /* work between two looks at the clock: bytes moved over, and CALLOUT_WORK per item tried */
    CALLOUT_WORK = 512    /* so the clock is read at every 64th item at least */
};

struct pattern {
    pcre2_code *code;
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

/* Offset of a \G, which asks where the search began: a test has no such place.  STR_NPOS: none. */
static size_t find_search_start(struct str s)
{
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] != '\\') continue;
        if (s.p[i + 1] == 'G') return i;
        if (s.p[++i] != 'Q') continue;
        size_t end = str_find(str_from(s, i + 1), STR("\\E"));
        if (end == STR_NPOS) return STR_NPOS;
        i += end + 2;
    }
    return STR_NPOS;
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
    return PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | (flags & PATTERN_C ? 0 : PCRE2_CASELESS) |
           (flags & PATTERN_S ? PCRE2_DOTALL : 0) | (flags & PATTERN_M ? PCRE2_MULTILINE : 0) |
           (flags & PATTERN_X ? PCRE2_EXTENDED : 0);
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
    size_t at = find_search_start(source);
    if (at != STR_NPOS) return fault_at(f, at, "\\G is not available here");
    /* Once as written, for callouts of the author's; then with ours. */
    pcre2_code *plain = compile(source, options_of(flags), f);
    if (!plain) return NULL;
    at = STR_NPOS;
    pcre2_callout_enumerate(plain, note_callout, &at);
    pcre2_code_free(plain);
    if (at != STR_NPOS) return fault_at(f, at < source.n ? at : source.n, "callouts are not available here");
    pcre2_code *code = compile(source, options_of(flags) | PCRE2_AUTO_CALLOUT, f);
    if (!code) return NULL;
    if (compiled_size(code) > LIMIT_PATTERN_COMPILED) {
        pcre2_code_free(code);
        return fault_at(f, source.n, "the pattern is too large once its repeats are written out");
    }
    struct pattern *p = mem_alloc(sizeof *p);
    p->code = code;
    return p;
}

void pattern_free(struct pattern **p)
{
    if (!p || !*p) return;
    pcre2_code_free((*p)->code);
    free(*p);
    *p = NULL;
}

bool pattern_jit(struct pattern *p) { return pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0; }

bool pattern_matches_empty(const struct pattern *p)
{
    uint32_t empty = 0;
    INVARIANT(pcre2_pattern_info(p->code, PCRE2_INFO_MATCHEMPTY, &empty) == 0);
    return empty == 1;
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
    pcre2_set_match_limit(m->context, UINT32_MAX); /* ours counts what the callout counts */
    pcre2_set_depth_limit(m->context, UINT32_MAX);
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

/* What is left of the budget during one match. */
struct meter {
    const struct pattern_budget *budget;
    uint32_t steps;
    int64_t work;    /* until the next look at the clock */
    size_t position; /* of the item before */
};

static bool is_late(const struct pattern_budget *b) { return b->clock && b->clock(b->self) >= b->deadline; }

/* Called before every item of the pattern that is tried.  Items that run over much text (\s+, .*) show in how far the
 * position moved, so work, not only their number, brings the next look at the clock nearer. */
static int spend(pcre2_callout_block *block, void *of)
{
    struct meter *m = of;
    size_t at = block->current_position, before = m->position;
    m->position = at;
    m->work -= CALLOUT_WORK + (int64_t)(at > before ? at - before : before - at);
    if (m->steps-- == 0) return PCRE2_ERROR_CALLOUT;
    if (m->work > 0) return 0;
    m->work = CLOCK_WORK;
    return is_late(m->budget) ? PCRE2_ERROR_CALLOUT : 0;
}

enum pattern_answer pattern_match(const struct pattern *p, struct pattern_matcher *m, struct pattern_subject *subject,
                                  size_t from, const struct pattern_budget *budget, struct pattern_span *where)
{
    struct meter meter = {budget, budget->steps ? budget->steps : PATTERN_STEPS, CLOCK_WORK, from};
    m->error = 0;
    if (from > subject->text.n) return PATTERN_NO;
    if (is_late(budget)) return PATTERN_UNREADABLE;
    if (!subject->checked && !str_is_utf8(subject->text)) {
        m->error = PCRE2_ERROR_UTF8_ERR1;
        return PATTERN_UNREADABLE;
    }
    subject->checked = true;
    pcre2_set_callout(m->context, spend, &meter);
    int rc = pcre2_match(p->code, (PCRE2_SPTR)(subject->text.p ? subject->text.p : ""), subject->text.n, from,
                         PCRE2_NO_UTF_CHECK, m->data, m->context);
    if (rc == PCRE2_ERROR_NOMATCH) return PATTERN_NO;
    if (rc < 0) {
        m->error = rc == PCRE2_ERROR_CALLOUT ? 0 : rc;
        return PATTERN_UNREADABLE;
    }
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(m->data);
    if (where) *where = (struct pattern_span){span[0], span[1] < span[0] ? span[0] : span[1]};
    return PATTERN_YES;
}
