/* grammar/ellipsis: folding chains, and telling what is refused; private to this room. */
#ifndef SLUICE_GRAMMAR_ELLIPSIS_H
#define SLUICE_GRAMMAR_ELLIPSIS_H

#include "grammar/parse.h"

struct fold {
    struct arena *arena;
    const struct source *source;
    struct diags *diags;
    ast_stands_bare *stands_bare;
    void *context;
    struct str element; /* inside `any attachment where (…)`: "attachment" */
};

/* One member of a chain after runs are folded. */
struct fold_unit {
    struct ast_condition *condition;
    struct span span;       /* as written */
    bool or_before;
    struct span connective;
};

/* The innermost operand under any number of `not`s. */
const struct operand *operand_core(const struct operand *o);

/* Each tells one diagnostic.  A run is the operands from `first` to `last`, the last of which has the verb. */
void tell_mixed_units(const struct fold *f, const struct fold_unit *units, size_t n);
void tell_mixed_run(const struct fold *f, const struct operand *first, const struct operand *last);
void tell_quantified_run(const struct fold *f, const struct operand *quantified, const struct operand *first,
                         const struct operand *last, const struct ast_verb *verb);
void tell_not_in_run(const struct fold *f, const struct operand *first, const struct operand *last);
void tell_negative_run(const struct fold *f, const struct ast_field *fields, const struct ast_verb *verb);
void tell_group_with_verb(const struct fold *f, const struct operand *group, const struct operand *culprit);
/* Operands without their field, from `first` to `last`; `donor` is the test before them, or NULL. */
void tell_fieldless(const struct fold *f, const struct operand *first, const struct operand *last,
                    const struct operand *donor);

#endif
