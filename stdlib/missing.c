/* What the tables declare and this build has not got (FIELD_NEEDS, ACTION_NEEDS).  The relay loads no rules that use
 * it; `sluice judge` judges them all the same, and here nothing that cannot be known counts as "no match", and nothing
 * that should be kept back is let go. */
#include "stdlib/put.h"
#include "stdlib/vocabulary.h"
#include "vm/plan.h"

static void unavailable(struct judgement *j, struct values *out, const char *what)
{
    out->trouble = ANSWER_UNAVAILABLE;
    out->why = arena_printf(j->arena, "it needs %s", what);
}

static void not_done(struct judgement *j, const struct action_call *c, const char *what)
{
    if (c->row->final)
        plan_final(j, c, DISPOSITION_HOLD, NULL, arena_printf(j->arena, "%s needs %s", c->row->name, what));
    else
        plan_note(j, NOTE_LOG, c->who, arena_printf(j->arena, "%s is not done: it needs %s", c->row->name, what));
}

#define FIELD(id, name, type, of, text, many, editable, words, doc, example)
#define FIELD_NEEDS(id, what)                                                                                          \
    void get_##id(struct judgement *j, const struct field_ask *ask, struct values *out)                                \
    {                                                                                                                  \
        (void)ask;                                                                                                     \
        unavailable(j, out, what);                                                                                     \
    }
#include "stdlib/fields.def"
#undef FIELD

#define ACTION(id, name, join, guard, final, params, doc, example)
#define PARAM(action, id, index, name, type, words, positional, required, templated, many)
#define ACTION_NEEDS(id, what)                                                                                         \
    void apply_##id(struct judgement *j, const struct action_call *c) { not_done(j, c, what); }
#include "stdlib/actions.def"
#undef ACTION
#undef PARAM
