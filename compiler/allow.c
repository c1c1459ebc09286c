/* Comments that allow warnings.  Each concerns one item: the one it stands in, at the end of whose last line it stands,
 * or else the next one; and of that item one code. */
#include "compiler/internal.h"

static bool is_on_line_of_end(const struct source *s, const struct ast_item *item, uint32_t at)
{
    struct str between = str_slice(s->text, item->span.to, at);
    return at >= item->span.to && str_find_byte(between, '\n') == STR_NPOS;
}

static const struct ast_item *concerned(const struct unit *u, const struct ast_item **item, uint32_t at)
{
    /* Comments and items are both in the order of the source: *item never goes back. */
    while (*item && (*item)->span.to <= at && !is_on_line_of_end(u->source, *item, at)) *item = (*item)->next;
    return *item;
}

static bool is_within(struct span inner, struct span outer)
{
    return inner.source == outer.source && inner.from >= outer.from && inner.to <= outer.to;
}

static bool take_out(struct diags *d, size_t first, enum diag_code code, struct span within)
{
    size_t kept = first;
    for (size_t i = first; i < d->list.n; i++) {
        struct diag *e = d->list.v[i];
        bool allowed = e->code == code && is_within(e->span, within);
        if (!allowed) d->list.v[kept++] = e;
    }
    bool any = kept != d->list.n;
    d->warnings -= d->list.n - kept;
    d->list.n = kept;
    return any;
}

void allow_warnings(struct compiler *c, size_t first)
{
    size_t kept = 0;
    for (size_t i = first; i < c->d->list.n; i++) kept += diag_code_severity(c->d->list.v[i]->code) == SEVERITY_WARNING;
    bool complete = c->d->errors == c->errors_before && kept == c->d->warnings - c->warnings_before;
    for (size_t i = 0; i < c->units.n; i++) {
        const struct unit *u = c->units.v[i];
        const struct ast_item *item = u->ast->items;
        for (const struct ast_allow *a = u->ast->allows; a; a = a->next) {
            const struct ast_item *of = concerned(u, &item, a->span.from);
            bool used = of && take_out(c->d, first, a->code, of->span);
            /* With errors, or with more warnings than are kept, what it allows may not have been told. */
            if (!used && complete)
                diag_add(c->d, DIAG_W318, a->span, "this allows nothing: no %s is told of %s", diag_code_name(a->code),
                         of ? "the item it concerns" : "anything behind it");
        }
    }
}
