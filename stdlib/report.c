#include "stdlib/report.h"

#include "message/message.h"
#include "stdlib/put.h"
#include "stdlib/vocabulary.h"
#include "vm/shown.h"

enum {
    NAMED_MAX = 10,     /* addresses of one kind, as Exchange has it */
    RULES_MAX = 20,
    LINE_MAX_BYTES = 400,
    AROUND_MAX = 150,   /* bytes of context on each side of an excerpt */
    MATCH_MAX = 200,
    CUT_ROOM = 100      /* for saying that it was cut */
};

uint32_t report_word(struct str word)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } words[] = {{"sender", REPORT_SENDER},       {"recipients", REPORT_RECIPIENTS}, {"subject", REPORT_SUBJECT},
                 {"cc", REPORT_CC},               {"bcc", REPORT_BCC},               {"severity", REPORT_SEVERITY},
                 {"override", REPORT_OVERRIDE},   {"rules", REPORT_RULES},           {"detectors", REPORT_DETECTORS},
                 {"excerpts", REPORT_EXCERPTS},   {"headers", REPORT_HEADERS},       {"original", REPORT_ORIGINAL}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(word, str_of(words[i].word))) return words[i].bit;
    return 0;
}

/* --- what is foreign ---------------------------------------------------------------------------------------------- */

/* Line and paragraph separator, and what turns the direction of text: a reader would show more than one honest line. */
static bool misleads(struct str s, size_t i)
{
    if (i + 2 >= s.n || (unsigned char)s.p[i] != 0xe2) return false;
    unsigned char b = (unsigned char)s.p[i + 1], c = (unsigned char)s.p[i + 2];
    return (b == 0x80 && c >= 0xa8 && c <= 0xae) || (b == 0x81 && c >= 0xa6 && c <= 0xa9);
}

static void add_foreign(struct judgement *j, struct buf *out, struct str s, size_t most)
{
    bool cut;
    s = shown_line(j->arena, s, most, &cut);
    for (size_t i = 0; i < s.n; i++) {
        bool mark = misleads(s, i);
        buf_add_byte(out, mark ? '?' : s.p[i]);
        if (mark) i += 2;
    }
    if (cut) buf_add(out, STR(" ..."));
}

static void line(struct judgement *j, struct buf *out, const char *label, struct str value)
{
    buf_printf(out, "%s: ", label);
    if (value.n) add_foreign(j, out, value, LINE_MAX_BYTES);
    else buf_add(out, STR("(none)"));
    buf_add_byte(out, '\n');
}

/* --- who ---------------------------------------------------------------------------------------------------------- */

static void more(struct buf *out, size_t all)
{
    if (all > NAMED_MAX) buf_printf(out, "  and %zu more\n", all - NAMED_MAX);
    if (!all) buf_add(out, STR("  (none)\n"));
}

static void recipients(struct judgement *j, struct buf *out)
{
    buf_add(out, STR("Recipients:\n"));
    for (size_t i = 0; i < j->members.n && i < NAMED_MAX; i++) {
        const struct member *m = &j->members.v[i];
        buf_add(out, STR("  "));
        add_foreign(j, out, m->address, LINE_MAX_BYTES);
        buf_printf(out, " (%s%s)\n", m->added ? "added, " : "", disposition_names[m->disposition]);
    }
    more(out, j->members.n);
}

static void cc(struct judgement *j, struct buf *out)
{
    const struct message_addresses *all = message_addresses(j->in->message, STR("Cc"));
    buf_add(out, STR("Cc:\n"));
    for (size_t i = 0; i < all->n && i < NAMED_MAX; i++) {
        buf_add(out, STR("  "));
        add_foreign(j, out, all->v[i].address, LINE_MAX_BYTES);
        buf_add_byte(out, '\n');
    }
    more(out, all->n);
}

static bool is_named(struct judgement *j, const char *field, struct str whole)
{
    const struct message_addresses *all = message_addresses(j->in->message, str_of(field));
    for (size_t i = 0; i < all->n; i++) {
        struct canonical_address a;
        if (canonical_address_of(j->arena, all->v[i].address, &a) && str_eq(a.whole, whole)) return true;
    }
    return false;
}

/* Whom the envelope names and the header does not. */
static void bcc(struct judgement *j, struct buf *out)
{
    enum { LOOKED_AT = 100 }; /* each costs a walk over To and Cc */
    size_t n = 0;
    buf_add(out, STR("Bcc:\n"));
    for (size_t i = 0; i < j->envelope_count && i < LOOKED_AT; i++) {
        const struct member *m = &j->members.v[i];
        if (is_named(j, "To", m->canonical.whole) || is_named(j, "Cc", m->canonical.whole)) continue;
        if (n++ >= NAMED_MAX) continue;
        buf_add(out, STR("  "));
        add_foreign(j, out, m->address, LINE_MAX_BYTES);
        buf_add_byte(out, '\n');
    }
    more(out, n);
    if (j->envelope_count > LOOKED_AT) buf_printf(out, "  (of the first %d recipients)\n", LOOKED_AT);
}

/* --- what --------------------------------------------------------------------------------------------------------- */

static void override(struct judgement *j, struct buf *out)
{
    struct values v = {0};
    struct field_ask ask = {0};
    get_SENDER_OVERRIDE(j, &ask, &v);
    line(j, out, "Override", v.n && v.v[0].count ? v.v[0].views[0].text : STR_NONE);
}

static bool has_acted(const struct judgement *j, uint32_t rule)
{
    return j->hits[rule] & (HIT_APPLIED | HIT_REJECTED | HIT_AUDIT);
}

/* The words people use, in order; any other word says nothing of its rank and only stands where none of these does. */
static int rank(struct str severity)
{
    static const char *const words[] = {"informational", "low", "medium", "high", "critical"};
    for (int i = 0; i < 5; i++)
        if (str_eq_nocase(severity, str_of(words[i]))) return i + 1;
    return severity.n ? 0 : -1;
}

static void severity(struct judgement *j, struct buf *out)
{
    struct str highest = STR_NONE;
    for (uint32_t i = 0; i < j->program->program->rules_count; i++) {
        const struct rule *r = &j->program->program->rules[i];
        if (has_acted(j, i) && rank(r->severity) > rank(highest)) highest = r->severity;
    }
    line(j, out, "Severity", highest);
}

/* With its actions as they are written. */
static void rule(struct judgement *j, struct buf *out, uint32_t index)
{
    const struct program *p = j->program->program;
    const struct rule *r = &p->rules[index];
    const char *before = ": ";
    buf_add(out, STR("  "));
    add_foreign(j, out, r->identity, LINE_MAX_BYTES);
    if (!(j->hits[index] & (HIT_APPLIED | HIT_REJECTED))) buf_add(out, STR(" (audit, not carried out)"));
    for (uint32_t pc = r->first; pc < r->end; pc++) {
        if (instruction_op(p->code[pc]) != OP_ACT) continue;
        buf_printf(out, "%s", before);
        add_foreign(j, out, p->actions[instruction_operand(p->code[pc])].origin.text, LINE_MAX_BYTES);
        before = ", ";
    }
    buf_add_byte(out, '\n');
}

static void rules(struct judgement *j, struct buf *out)
{
    size_t n = 0;
    buf_add(out, STR("Rules:\n"));
    for (uint32_t i = 0; i < j->program->program->rules_count; i++)
        if (has_acted(j, i) && n++ < RULES_MAX) rule(j, out, i);
    if (n > RULES_MAX) buf_printf(out, "  and %zu more\n", n - RULES_MAX);
}

/* --- what was found ----------------------------------------------------------------------------------------------- */

static void place(struct judgement *j, struct buf *out, const struct witness *w)
{
    char view[MANNERS_TEXT_MAX];
    const struct field_ref *f = &j->program->program->field_refs[w->test->test->field];
    buf_printf(out, "%s", w->test->left->row->name);
    if (f->text.n) {
        buf_add(out, STR(" \""));
        add_foreign(j, out, f->text, LINE_MAX_BYTES);
        buf_add_byte(out, '"');
    }
    if (w->elements > 1) buf_printf(out, ", %u of %u", w->element + 1, w->elements);
    size_t n = w->view->manners ? message_manners_print(w->view->manners, view, sizeof view) : 0;
    if (n) buf_printf(out, " (%.*s)", (int)n, view);
    if (w->to > w->from) buf_printf(out, ", at %zu", w->from);
}

static void detectors(struct judgement *j, struct buf *out)
{
    size_t n = 0;
    buf_add(out, STR("Detectors:\n"));
    for (size_t i = 0; i < j->kept.n; i++) {
        const struct witness *w = &j->kept.v[i].witness;
        if (!w->test || !w->test->detector || !w->view) continue;
        n++;
        const struct test *t = w->test->test;
        buf_add(out, STR("  "));
        add_foreign(j, out, j->program->program->declarations[t->a].name, LINE_MAX_BYTES);
        buf_printf(out, ", at least %lld", t->counted ? (long long)t->least : 1);
        if (t->b) buf_printf(out, ", confidence %u", t->b);
        buf_add(out, STR(": "));
        place(j, out, w);
        buf_add_byte(out, '\n');
    }
    if (!n) buf_add(out, STR("  (none)\n"));
}

static void excerpts(struct judgement *j, struct buf *out)
{
    size_t n = 0;
    buf_add(out, STR("Excerpts:\n"));
    for (size_t i = 0; i < j->kept.n; i++) {
        const struct witness *w = &j->kept.v[i].witness;
        if (!w->test || !w->view) continue;
        n++;
        buf_add(out, STR("  "));
        place(j, out, w);
        buf_add(out, STR("\n    "));
        if (w->to > w->from && w->to <= w->text.n) {
            struct str before = shown_before(w->text, w->from, AROUND_MAX),
                       after = shown_after(w->text, w->to, AROUND_MAX);
            if (before.n < w->from) buf_add(out, STR("... "));
            add_foreign(j, out, before, AROUND_MAX);
            buf_add(out, STR(">>>"));
            add_foreign(j, out, str_slice(w->text, w->from, w->to), MATCH_MAX);
            buf_add(out, STR("<<<"));
            add_foreign(j, out, after, AROUND_MAX);
            if (after.n < w->text.n - w->to) buf_add(out, STR(" ..."));
        } else {
            add_foreign(j, out, shown_words(j, j->arena, w->test->left, w->view), MATCH_MAX);
        }
        buf_add_byte(out, '\n');
    }
    if (!n) buf_add(out, STR("  (none)\n"));
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void cut(struct buf *text)
{
    if (text->n <= NOTICE_TEXT_MAX) return;
    text->n = NOTICE_TEXT_MAX - CUT_ROOM;
    size_t end = str_rfind_byte(buf_str(text), '\n');
    text->n = end == STR_NPOS ? 0 : end + 1;
    buf_add(text, STR("The report is cut here: it would be longer than 16 KiB.\n"));
}

void report_write(struct judgement *j, const struct planned_report *r, struct verdict_notice *out)
{
    static const struct {
        uint32_t bit;
        void (*write)(struct judgement *j, struct buf *out);
    } parts[] = {{REPORT_RECIPIENTS, recipients}, {REPORT_CC, cc},       {REPORT_BCC, bcc},
                 {REPORT_SEVERITY, severity},     {REPORT_OVERRIDE, override}, {REPORT_RULES, rules},
                 {REPORT_DETECTORS, detectors},   {REPORT_EXCERPTS, excerpts}};
    struct buf b = {0};
    struct str rule_name = j->program->program->rules[r->rule].identity;
    line(j, &b, "Incident report of rule", rule_name);
    line(j, &b, "Message-ID", message_id(j->in->message));
    line(j, &b, "Queue id", j->in->queue_id);
    if (r->contents & REPORT_SENDER) line(j, &b, "Sender", j->in->envelope->reverse_path);
    if (r->contents & REPORT_SUBJECT)
        line(j, &b, "Subject", message_text_best(message_subject(j->in->message, NULL)));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (r->contents & parts[i].bit) parts[i].write(j, &b);
    cut(&b);
    out->text = arena_str(j->arena, buf_str(&b));
    buf_free(&b);
    out->subject = shown_line(j->arena, arena_printf(j->arena, "Incident report: %.*s", STR_ARG(rule_name)),
                              NOTICE_LINE_MAX, NULL);
    out->report = true;
    out->attach = r->contents & REPORT_ORIGINAL  ? NOTICE_ORIGINAL
                  : r->contents & REPORT_HEADERS ? NOTICE_HEADER
                                                 : NOTICE_ALONE;
}
