/* A judgement as text: rule by rule what was asked, what was seen and what came of it; then what becomes of the
 * message. */
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "bytecode/disasm.h"
#include "cli/judge_report.h"
#include "compiler/words.h"

struct pen {
    struct buf *out;
    bool colour;
    const struct program *p;
    const struct trace *t;
};

static void paint(struct pen *pen, const char *code, struct str text)
{
    if (pen->colour) buf_printf(pen->out, "\033[%sm%.*s\033[0m", code, STR_ARG(text));
    else buf_add(pen->out, text);
}

static void quote(struct pen *pen, struct str text, bool cut)
{
    buf_add_byte(pen->out, '"');
    js_escape(pen->out, text);
    buf_printf(pen->out, "%s\"", cut ? "…" : "");
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static const char *answer_colour(char letter)
{
    return letter == 'T' ? "32" : letter == 'F' || letter == '-' ? "2" : "33";
}

static void print_word(struct pen *pen, char letter)
{
    paint(pen, answer_colour(letter), str_of(judge_answer_word(letter)));
}

/* One answer for all, or for each answer the recipients it holds for. */
static void print_answers(struct pen *pen, struct str letters)
{
    static const char order[] = "TAUEF-";
    const struct trace *t = pen->t;
    bool same = true;
    if (letters.n == 0) return;
    for (size_t i = 1; i < letters.n; i++) same &= letters.p[i] == letters.p[0];
    if (same) {
        print_word(pen, letters.p[0]);
        return;
    }
    const char *before = "";
    for (const char *letter = order; *letter; letter++) {
        size_t n = 0;
        for (size_t i = 0; i < letters.n && i < t->recipients.n; i++) {
            if (letters.p[i] != *letter) continue;
            if (n++ == 0) {
                buf_printf(pen->out, "%s", before);
                print_word(pen, *letter);
                buf_add(pen->out, STR(" for "));
            } else {
                buf_add(pen->out, STR(", "));
            }
            buf_add(pen->out, t->recipients.v[i]);
        }
        if (n) before = "; ";
    }
}

static void print_elements(struct pen *pen, struct str letters)
{
    if (!letters.n) buf_add(pen->out, STR("of nothing"));
    for (size_t i = 0; i < letters.n; i++) {
        buf_printf(pen->out, "%s%zu: ", i ? ", " : "", i + 1);
        print_word(pen, letters.p[i]);
    }
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void print_value(struct pen *pen, uint32_t field, const struct trace_value *v)
{
    const struct trace *t = pen->t;
    buf_add(pen->out, STR("      "));
    disasm_field(pen->p, &words_rows, field, pen->out);
    if (v->elements > 1) buf_printf(pen->out, ", %u of %u", v->element + 1, v->elements);
    if (v->views > 1) buf_printf(pen->out, ", reading %u of %u", v->view + 1, v->views);
        if (v->manner.n) buf_printf(pen->out, " (%.*s)", STR_ARG(v->manner));
    if (v->recipient != NO_INDEX && v->recipient < t->recipients.n && t->recipients.n > 1)
        buf_printf(pen->out, ", for %.*s", STR_ARG(t->recipients.v[v->recipient]));
    buf_add(pen->out, STR(": "));
    quote(pen, v->text, v->cut);
    if (v->matched && v->match.n && !str_eq(v->match, v->text)) {
        buf_add(pen->out, STR("  matched at "));
        buf_printf(pen->out, "%u: %s", v->from, v->cut_before ? "…" : "");
        js_escape(pen->out, v->before);
        struct buf match = {0};
        buf_add(&match, STR("»"));
        js_escape(&match, v->match);
        buf_add(&match, STR("«"));
        paint(pen, "32", buf_str(&match));
        buf_free(&match);
        js_escape(pen->out, v->after);
        if (v->cut_after) buf_add(pen->out, STR("…"));
    } else if (v->matched) {
        paint(pen, "32", STR("  matched"));
    }
    buf_add_byte(pen->out, '\n');
}

static void print_test(struct pen *pen, const struct trace_test *tt)
{
    buf_printf(pen->out, "    %.*s: ", STR_ARG(pen->p->tests[tt->test].origin.text));
    if (tt->of_elements) print_elements(pen, tt->answers);
    else print_answers(pen, tt->answers);
    if (tt->why.n) buf_printf(pen->out, " (%.*s)", STR_ARG(tt->why));
    buf_add_byte(pen->out, '\n');
    uint32_t field = pen->p->tests[tt->test].field;
    for (size_t i = 0; i < tt->value_count; i++) print_value(pen, field, &tt->values[i]);
    if (tt->value_count) return;
    buf_add(pen->out, STR("      "));
    disasm_field(pen->p, &words_rows, field, pen->out);
    buf_add(pen->out, STR(": nothing there\n"));
}

/* Of which field, where the words of the test leave that open: a run names several, `where` only parts. */
static void print_which(struct pen *pen, uint32_t test)
{
    struct buf field = {0};
    struct str words = pen->p->tests[test].origin.text;
    disasm_field(pen->p, &words_rows, pen->p->tests[test].field, &field);
    struct str rest = str_from(words, field.n);
    bool said = str_starts(words, buf_str(&field)) && !str_starts(rest, STR(" or ")) && !str_starts(rest, STR(" and "));
    if (!said) buf_printf(pen->out, "%.*s ", STR_ARG(buf_str(&field)));
    buf_free(&field);
}

static void print_skipped(struct pen *pen, const struct trace_rule *tr)
{
    for (uint32_t at = 0, test; (test = judge_skipped(pen->p, pen->t, tr, &at)) != NO_INDEX;) {
        buf_printf(pen->out, "    %.*s: ", STR_ARG(pen->p->tests[test].origin.text));
        print_which(pen, test);
        paint(pen, "2", STR("skipped, the answer was known"));
        buf_add_byte(pen->out, '\n');
    }
}

/* What the rule did, each action with those it was done for. */
static void print_actions(struct pen *pen, uint32_t rule)
{
    const struct trace *t = pen->t;
    uint32_t open = NO_INDEX; /* the action whose line is being written */
    for (size_t i = 0; i < t->actions.n; i++) {
        const struct trace_action *ta = &t->actions.v[i];
        if (ta->rule != rule) continue;
        if (ta->action != open) {
            const struct action *a = &pen->p->actions[ta->action];
            if (open != NO_INDEX) buf_add_byte(pen->out, '\n');
            paint(pen, "36", ta->audit ? STR("    would (audit): ") : STR("    → "));
            disasm_call(pen->p, &words_rows, a->action, a->first_argument, a->argument_count, pen->out);
            open = ta->action;
            buf_add(pen->out, STR("  for "));
        } else {
            buf_add(pen->out, STR(", "));
        }
        buf_add(pen->out, t->recipients.v[ta->recipient]);
    }
    if (open != NO_INDEX) buf_add_byte(pen->out, '\n');
}

/* --- rules -------------------------------------------------------------------------------------------------------- */

static void print_name(struct pen *pen, const struct rule *rule)
{
    struct buf name = {0};
    if (rule->named) buf_printf(&name, "rule \"%.*s\"", STR_ARG(rule->identity));
    else buf_printf(&name, "rule %.*s", STR_ARG(rule->identity));
    paint(pen, "1", buf_str(&name));
    buf_free(&name);
    if (rule->origin.source < pen->p->sources_count)
        buf_printf(pen->out, "  (%.*s:%u)", STR_ARG(pen->p->sources[rule->origin.source].name), rule->origin.line);
}

static void print_rule(struct pen *pen, const struct trace_rule *tr)
{
    print_name(pen, &pen->p->rules[tr->rule]);
    buf_add(pen->out, STR("  "));
    if (tr->state == TRACE_RAN) print_answers(pen, tr->answers);
    else paint(pen, "2", str_of(judge_state_names[tr->state]));
    if (tr->second) buf_add(pen->out, STR("  (again, for added recipients: only require_tls)"));
    if (tr->state == TRACE_RAN)
        buf_printf(pen->out, "  [%llu step%s, %llu µs]", (unsigned long long)tr->steps, tr->steps == 1 ? "" : "s",
                   (unsigned long long)tr->micros);
    buf_add_byte(pen->out, '\n');
    for (size_t i = tr->first_test; i < tr->test_end; i++) print_test(pen, &pen->t->tests.v[i]);
    print_skipped(pen, tr);
    if (!tr->second) print_actions(pen, tr->rule);
}

/* --- the outcome -------------------------------------------------------------------------------------------------- */

static void print_recipient(struct pen *pen, const struct verdict_recipient *r)
{
    char need[OBLIGATION_TEXT_MAX];
    obligation_print(r->need, need);
    paint(pen, "1", r->address);
    buf_printf(pen->out, "%s: %s", r->added ? " (added)" : "", disposition_names[r->disposition]);
    if (r->rule.n) buf_printf(pen->out, " by rule %.*s", STR_ARG(r->rule));
    if (r->reason.n) {
        buf_add(pen->out, STR(", reason "));
        quote(pen, r->reason, false);
    }
    if (r->reply.code) {
        char status[STATUS_TEXT_MAX];
        status_print(r->reply.status, status);
        buf_printf(pen->out, ", %u %s %.*s", r->reply.code, status, STR_ARG(r->reply.text));
    }
    if (obligation_demands_tls(r->need)) {
        struct buf text = {0};
        buf_printf(&text, "TLS required: %s", need);
        buf_add(pen->out, STR(", "));
        paint(pen, "36", buf_str(&text));
        buf_printf(pen->out, " by rule %.*s", STR_ARG(r->tls_rule));
        buf_free(&text);
    }
    if (r->connector.n) buf_printf(pen->out, ", by connector %.*s", STR_ARG(r->connector));
    buf_add_byte(pen->out, '\n');
}

enum { INSERT_SHOWN = 200 };

static void print_copy(struct pen *pen, const struct verdict *v, size_t number, uint64_t size)
{
    const struct verdict_copy *c = &v->copies[number];
    uint64_t kept = judge_copy_kept(c);
    const char *before = "";
    buf_printf(pen->out, "copy %zu, %llu bytes", number + 1, (unsigned long long)c->length);
    if (c->length == size && kept == size) buf_add(pen->out, STR(", as it came"));
    else if (kept < size)
        buf_printf(pen->out, ", without %llu byte%s of it", (unsigned long long)(size - kept),
                   size - kept == 1 ? "" : "s");
    buf_add(pen->out, STR(", for "));
    for (size_t i = 0; i < v->recipient_count; i++) {
        if (v->recipients[i].copy != number) continue;
        buf_printf(pen->out, "%s%.*s", before, STR_ARG(v->recipients[i].address));
        before = ", ";
    }
    buf_add_byte(pen->out, '\n');
    for (size_t i = 0; i < c->pieces.n; i++) {
        struct str insert = c->pieces.v[i].insert;
        if (!insert.p) continue;
        size_t n = insert.n < INSERT_SHOWN ? insert.n : INSERT_SHOWN;
        while (n < insert.n && n > 0 && ((unsigned char)insert.p[n] & 0xc0) == 0x80) n--;
        buf_add(pen->out, STR("    + "));
        quote(pen, str_slice(insert, 0, n), n < insert.n);
        buf_add_byte(pen->out, '\n');
    }
}

static void print_notice(struct pen *pen, const struct verdict_notice *n)
{
    static const char *const attached[] = {"", " with its header", " with the message"};
    buf_printf(pen->out, "%s%s to ", n->report ? "incident report" : "notice", attached[n->attach]);
    quote(pen, n->to, false);
    buf_add(pen->out, STR(": "));
    quote(pen, n->text, false);
    buf_printf(pen->out, " (rule %.*s)\n", STR_ARG(n->rule));
}

static void print_for_all(struct pen *pen, const struct verdict *v)
{
    char status[STATUS_TEXT_MAX];
    status_print(v->reply.status, status);
    paint(pen, "31", str_of(judge_verdict_words[v->answer]));
    buf_printf(pen->out, " for everyone: %u %s %.*s (rule %.*s)\n", v->reply.code, status, STR_ARG(v->reply.text),
               STR_ARG(v->rule));
}

static void print_unreached(struct pen *pen)
{
    for (uint32_t i = judge_reached(pen->t); i < pen->p->rules_count; i++) {
        print_name(pen, &pen->p->rules[i]);
        buf_add(pen->out, STR("  "));
        paint(pen, "2", STR("not reached: the message is deferred"));
        buf_add_byte(pen->out, '\n');
    }
}

void judge_report_text(const struct program *p, const struct judge_request *r, const struct judge_answer *answer,
                       const struct trace *t, bool colour, struct buf *out)
{
    struct pen pen = {out, colour, p, t};
    const struct verdict *v = &answer->verdict;
    for (size_t i = 0; i < t->rules.n; i++) print_rule(&pen, &t->rules.v[i]);
    if (answer->kind == JUDGE_VERDICT && v->answer == VERDICT_DEFER) print_unreached(&pen);
    buf_add_byte(out, '\n');
    if (answer->kind == JUDGE_FAILED) {
        buf_printf(out, "cannot be judged: %.*s (a relay would answer 451)\n", STR_ARG(answer->why));
        return;
    }
    if (v->answer != VERDICT_ACCEPT) print_for_all(&pen, v);
    for (size_t i = 0; v->answer == VERDICT_ACCEPT && i < v->recipient_count; i++)
        print_recipient(&pen, &v->recipients[i]);
    for (size_t i = 0; v->answer == VERDICT_ACCEPT && i < v->copy_count; i++) print_copy(&pen, v, i, r->size);
    for (size_t i = 0; i < v->notice_count; i++) print_notice(&pen, &v->notices[i]);
    buf_printf(out, "judged in %llu µs, %llu steps\n", (unsigned long long)t->micros, (unsigned long long)t->steps);
}
