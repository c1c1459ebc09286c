#include "bytecode/program.h"

#include "base/err.h"

struct program *program_create(void)
{
    struct arena *a = arena_create();
    struct program *p = ARENA_NEW(a, struct program);
    p->arena = a;
    return p;
}

void program_free(struct program **p)
{
    if (!*p) return;
    struct arena *a = (*p)->arena; /* the program itself stands in it */
    *p = NULL;
    arena_free(&a);
}

const struct program_list *program_find_list(const struct program *p, struct str name)
{
    if (!name.n) return NULL;
    for (uint32_t i = 0; i < p->lists_count; i++) {
        if (str_eq(p->lists[i].name, name)) return &p->lists[i];
    }
    return NULL;
}
