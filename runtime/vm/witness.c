#include "vm/witness.h"

#include "bytecode/disasm.h"
#include "vm/shown.h"

enum {
    OF_RULE_MAX = 4,  /* what is kept of one rule */
    EXCERPT_MAX = 60, /* bytes of a value in the queue */
    TEST_MAX = 100,
    VIEW_MAX = 80,
    OPEN_END = 4 /* letters and digits of what a detector found that can be read */
};

void witness_push(struct judgement *j, const struct ready_test *t, const struct view *v,
                  const struct relation_where *where)
{
    if (j->seen_count == WITNESSES_MAX) return;
    j->seen[j->seen_count++] = (struct witness){.test = t,
                                                .view = v,
                                                .text = where->text,
                                                .from = where->from,
                                                .to = where->to,
                                                .element = j->seen_element,
                                                .elements = j->seen_elements,
                                                .member = j->seen_member};
}

void witness_test_over(struct judgement *j, const struct ready_test *t, const struct answer *x, size_t members,
                       uint32_t from)
{
    enum answer_value v = answer_any(x, members);
    if (v == ANSWER_NO) {
        j->seen_count = from;
        return;
    }
    for (uint32_t i = from; v == ANSWER_DISPUTED && i < j->seen_count; i++) j->seen[i].answer = EVIDENCE_DISPUTED;
    if (j->seen_count > from || j->seen_count == WITNESSES_MAX) return;
    j->seen[j->seen_count++] = (struct witness){.test = t,
                                                .why = v > ANSWER_YES ? j->why : STR_NONE,
                                                .answer = (uint8_t)(v - ANSWER_YES),
                                                .member = NO_INDEX};
}

void witness_share(struct judgement *j, struct known *k, uint32_t from)
{
    k->seen_count = j->seen_count - from;
    if (!k->seen_count) return;
    k->seen = ARENA_ARRAY(j->arena, struct witness, k->seen_count);
    for (uint32_t i = 0; i < k->seen_count; i++) k->seen[i] = j->seen[from + i];
}

void witness_again(struct judgement *j, const struct known *k)
{
    for (uint32_t i = 0; i < k->seen_count && j->seen_count < WITNESSES_MAX; i++) j->seen[j->seen_count++] = k->seen[i];
}

void witness_loop_over(struct judgement *j, uint32_t from, const struct answer *of_elements)
{
    uint32_t n = from;
    for (uint32_t i = from; i < j->seen_count; i++) {
        if (j->seen[i].member != NO_INDEX && answer_get(of_elements, j->seen[i].member) == ANSWER_NO) continue;
        j->seen[n] = j->seen[i];
        j->seen[n++].member = NO_INDEX;
    }
    j->seen_count = n;
}

/* A rule that is judged again for added recipients is the same rule. */
static bool is_kept(const struct judgement *j)
{
    for (size_t i = j->kept.n; i > 0; i--)
        if (j->kept.v[i - 1].rule == j->rule_index) return true;
    return false;
}

void witness_keep(struct judgement *j, const uint64_t *who)
{
    if (is_kept(j)) return;
    size_t n = 0;
    for (uint32_t i = 0; i < j->seen_count; i++) {
        const struct witness *w = &j->seen[i];
        if (w->member != NO_INDEX && !bit_has(who, w->member)) continue;
        if (n++ == OF_RULE_MAX) break;
        VEC_PUSH(&j->kept, (struct kept_witness){j->rule_index, *w});
    }
    if (!n) VEC_PUSH(&j->kept, (struct kept_witness){j->rule_index, {.member = NO_INDEX}});
}

/* --- as evidence -------------------------------------------------------------------------------------------------- */

/* Nearly every text is one line already, and stays where it is. */
static struct str line(const struct judgement *j, struct str s, size_t most)
{
    size_t i = 0;
    while (i < s.n && (unsigned char)s.p[i] >= 0x20 && (unsigned char)s.p[i] < 0x7f) i++;
    return i == s.n && s.n <= most ? s : shown_line(j->arena, s, most, NULL);
}

/* As the rules name it. */
static struct str field_name(const struct judgement *j, const struct ready_test *t)
{
    const struct ready_ref *f = t->left;
    const struct field_ref *written = &j->program->program->field_refs[t->test->field];
    if (!written->text.n && f->part == PART_WHOLE) return str_of(f->row->name);
    struct buf name = {0};
    disasm_field(j->program->program, j->program->vocabulary->rows, t->test->field, &name);
    struct str s = arena_str(j->arena, buf_str(&name));
    buf_free(&name);
    return line(j, s, TEST_MAX);
}

/* Of what a detector found, a card's number, only the end can be read. */
static struct str covered(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t left = 0;
    for (size_t i = s.n; i > 0; i--) {
        bool alnum = ascii_is_alpha(s.p[i - 1]) || ascii_is_digit(s.p[i - 1]) || (unsigned char)s.p[i - 1] >= 0x80;
        p[i - 1] = alnum && left >= OPEN_END ? '*' : s.p[i - 1];
        left += alnum;
    }
    return str_is_utf8((struct str){p, s.n}) ? (struct str){p, s.n} : STR("*");
}

/* The place that matched; without one the value, when it is short enough to be one. */
static struct str excerpt(const struct judgement *j, const struct witness *w)
{
    bool place = w->to > w->from && w->to <= w->text.n;
    struct str s = place ? str_slice(w->text, w->from, w->to) : shown_words(j, j->arena, w->test->left, w->view);
    if (!place && s.n > EXCERPT_MAX && w->test->test->negated) return STR("");
    s = line(j, s, EXCERPT_MAX);
    return w->test->detector ? covered(j->arena, s) : s;
}

static void describe(const struct judgement *j, const struct witness *w, bool excerpts, struct evidence_row *out)
{
    if (!w->test) return;
    out->test = line(j, w->test->test->origin.text, TEST_MAX);
    out->answer = w->answer;
    if (!w->view) {
        out->text = line(j, w->why, EXCERPT_MAX);
        return;
    }
    char view[MANNERS_TEXT_MAX];
    out->field = field_name(j, w->test);
    if (w->view->manners) {
        struct str name = {view, message_manners_print(w->view->manners, view, sizeof view)};
        out->view = shown_line(j->arena, name, VIEW_MAX, NULL);
    }
    out->element = w->element;
    out->elements = w->elements;
    if (w->to > w->from && w->to <= UINT32_MAX) {
        out->from = (uint32_t)w->from;
        out->to = (uint32_t)w->to;
    }
    if (excerpts) out->text = excerpt(j, w);
}

static void list_consulted(struct judgement *j, struct evidence *out)
{
    out->lists = ARENA_ARRAY(j->arena, struct evidence_list, (size_t)__builtin_popcountll(j->lists_asked));
    for (uint64_t left = j->lists_asked; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        const struct live_list *l = j->in->lists ? j->in->lists[i] : NULL;
        struct str name = j->program->program->lists[j->program->live_lists[i]].name;
        out->lists[out->list_count++] =
            (struct evidence_list){line(j, name, EVIDENCE_TEXT_MAX), l ? l->revision : 0, l != NULL};
    }
}

void witness_evidence(struct judgement *j, struct verdict *out)
{
    uint8_t policy = j->in->settings ? j->in->settings->evidence : EVIDENCE_EXCERPT;
    struct evidence *e = &out->evidence;
    size_t bytes = 0;
    if (j->lists_asked) list_consulted(j, e);
    if (policy == EVIDENCE_OFF || !j->kept.n) return;
    size_t room = j->kept.n < EVIDENCE_ROWS_MAX ? j->kept.n : EVIDENCE_ROWS_MAX;
    e->rows = ARENA_ARRAY(j->arena, struct evidence_row, room);
    for (size_t i = 0; i < j->kept.n && !e->cut; i++) {
        struct str rule = j->program->program->rules[j->kept.v[i].rule].identity;
        struct evidence_row row = {.rule = line(j, rule, EVIDENCE_TEXT_MAX)};
        describe(j, &j->kept.v[i].witness, policy == EVIDENCE_EXCERPT, &row);
        bytes += evidence_row_bytes(&row);
        e->cut = e->row_count == room || bytes > EVIDENCE_BYTES_MAX;
        if (!e->cut) e->rows[e->row_count++] = row;
    }
}
