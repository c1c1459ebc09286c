#include "vm/trace.h"

void trace_free(struct trace *t)
{
    VEC_FREE(&t->rules);
    VEC_FREE(&t->tests);
    VEC_FREE(&t->actions);
    VEC_FREE(&t->facts);
    VEC_FREE(&t->fates);
    VEC_FREE(&t->recipients);
}
