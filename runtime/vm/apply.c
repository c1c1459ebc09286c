#include "vm/apply.h"

#include <string.h>

#include "base/ip.h"
#include "mail/address.h"
#include "vm/plan.h"

const struct call_argument *call_argument(const struct action_call *c, uint8_t param)
{
    for (size_t i = 0; i < c->argument_count; i++)
        if (c->arguments[i].param == param) return &c->arguments[i];
    return NULL;
}

struct str call_text(const struct action_call *c, uint8_t param)
{
    const struct call_argument *a = call_argument(c, param);
    return a ? a->text : STR_NONE;
}

/* Values filled in come from the message: no line end and no NUL of theirs survives, and no markup in HTML.  *room is
 * what all of them together may still take. */
static void add_filled(struct buf *out, struct str s, bool html, size_t *room)
{
    size_t n = s.n < *room ? s.n : *room;
    while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--; /* whole characters only */
    *room -= n;
    for (size_t i = 0; i < n; i++) {
        char c = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i];
        if (html && memchr("<>&\"'", c, 5))
            buf_printf(out, "&#%d;", c);
        else
            buf_add_byte(out, c);
    }
}

/* {name} is what the vocabulary fills in, {{ a brace; anything else stands for itself. */
static struct str filled(struct judgement *j, struct str template, bool html, const struct edits *edits)
{
    struct buf out = {0};
    size_t room = VM_TEMPLATE_MAX;
    for (size_t i = 0; i < template.n; i++) {
        struct str rest = str_from(template, i);
        size_t close;
        if (str_starts(rest, STR("{{"))) {
            buf_add_byte(&out, '{');
            i++;
        } else if (rest.p[0] == '{' && (close = str_find_byte(rest, '}')) != STR_NPOS) {
            struct str value = j->program->vocabulary->fill(j, j->rule, str_slice(rest, 1, close), edits);
            add_filled(&out, value.p ? value : str_slice(rest, 0, close + 1), html, &room);
            i += close;
        } else {
            buf_add_byte(&out, template.p[i]);
        }
    }
    struct str s = arena_str(j->arena, buf_str(&out));
    buf_free(&out);
    return s;
}

static struct str field_text(struct judgement *j, const struct ready_ref *f, const struct view *v)
{
    char ip[IP_TEXT_MAX];
    switch (f->row->type) {
    case TYPE_ADDRESS:
        if (f->part == PART_NAME) return v->name;
        if (f->part == PART_LOCAL) return v->address.local;
        if (f->part == PART_DOMAIN) return v->address.domain;
        if (f->row->of == FACT_ELEMENT || v->address.domain.n == 0) return v->address.whole;
        /* Mail goes to the local part as it was written (RFC 5321 section 2.4). */
        return arena_printf(j->arena, "%.*s@%.*s", STR_ARG(address_local(v->text)), STR_ARG(v->address.domain));
    case TYPE_DOMAIN: return v->address.domain;
    case TYPE_NETWORK: return arena_printf(j->arena, "%.*s", (int)ip_print(v->ip, ip), ip);
    case TYPE_TEXT:
    case TYPE_WORD: return v->text;
    default: return arena_printf(j->arena, "%lld", (long long)v->number);
    }
}

/* What a field says that is an argument; else whom the rule names otherwise.  False when neither says anything. */
static bool evaluate(struct judgement *j, const struct ready_action *x, const struct ready_argument *a,
                     uint32_t recipient, const struct edits *edits, struct call_argument *out)
{
    *out = (struct call_argument){.param = a->argument->param, .constant = a->constant};
    if (a->constant) {
        const char *form = x->row->params[a->argument->param].words;
        bool html = form && strcmp(form, "html") == 0;
        out->text = a->template ? filled(j, a->constant->text, html, edits) : a->constant->text;
        return true;
    }
    const struct values *v = judgement_values(j, a->field->slot, recipient, edits);
    if (v->n && v->v[0].count) out->text = field_text(j, a->field, &v->v[0].views[0]);
    if (out->text.n == 0 && x->otherwise) out->text = x->otherwise->text;
    return out->text.n != 0;
}

static void call(struct judgement *j, const struct ready_action *x, uint32_t recipient, const struct edits *edits,
                 const uint64_t *who)
{
    struct call_argument arguments[ACTION_PARAMS_MAX * 4];
    uint32_t n = x->action->argument_count;
    if (n > sizeof arguments / sizeof *arguments)
        n = sizeof arguments / sizeof *arguments; /* the verifier allows fewer */
    for (uint32_t i = 0; i < n; i++) {
        if (evaluate(j, x, &x->arguments[i], recipient, edits, &arguments[i])) continue;
        plan_note(j, NOTE_LOG, who,
                  arena_printf(j->arena, "%s left out: its %s is absent", x->row->name,
                               x->row->params[x->arguments[i].argument->param].name));
        return;
    }
    struct action_call c = {j->rule, j->rule_index, x->action, x->row, who, arguments, n};
    j->program->vocabulary->appliers[x->action->action](j, &c);
}

static void call_by_recipient(struct judgement *j, const struct ready_action *x, const uint64_t *who)
{
    uint64_t *one = judgement_bits(j);
    for (uint32_t r = 0; r < j->members.n; r++) {
        if (!bit_has(who, r)) continue;
        bit_set(one, r);
        call(j, x, r, j->members.v[r].edits, one);
        bit_clear(one, r);
    }
}

/* Edit lists are taken down first: the action may change them. */
static void call_by_edits(struct judgement *j, const struct ready_action *x, const uint64_t *who)
{
    uint64_t *left = judgement_bits(j);
    memcpy(left, who, bits_words(j->members.n) * sizeof *left);
    for (uint32_t r = 0; r < j->members.n; r++) {
        if (!bit_has(left, r)) continue;
        const struct edits *edits = j->members.v[r].edits;
        uint64_t *same = judgement_bits(j);
        for (uint32_t k = r; k < j->members.n; k++) {
            if (!bit_has(left, k) || j->members.v[k].edits != edits) continue;
            bit_set(same, k);
            bit_clear(left, k);
        }
        call(j, x, r, edits, same);
    }
}

void apply_action(struct judgement *j, uint32_t action, const uint64_t *who)
{
    const struct ready_action *x = &j->program->actions[action];
    if (x->by_recipient)
        call_by_recipient(j, x, who);
    else if (x->by_edits)
        call_by_edits(j, x, who);
    else
        call(j, x, 0, NULL, who);
}
