#include "pattern/literals.h"

#include <stdlib.h>
#include <sysexits.h>

#if SLUICE_HYPERSCAN

#include <hs.h>

struct literals_scratch {
    hs_scratch_t *hs;
};

struct literals {
    hs_database_t **databases;
    size_t count;
};

bool literals_available(void) { return hs_valid_platform() == HS_SUCCESS; }

struct literals_scratch *literals_scratch_create(void) { return mem_alloc(sizeof(struct literals_scratch)); }

void literals_scratch_free(struct literals_scratch **s)
{
    if (!*s) return;
    hs_free_scratch((*s)->hs);
    free(*s);
    *s = NULL;
}

/* Hyperscan's search takes longer steps the longer the shortest literal of a database is, and from about 800
 * literals on.  Over 100 KiB of text 250 literals took 160 us; with 600 beside them that cannot occur, 38.  So short
 * ones have databases of their own, and a database of some size is filled up. */
enum { LONG = 6, FILL_FROM = 32, FILL_TO = 850 };

/* One database under way. */
struct batch {
    const char *texts[LITERALS_DATABASE_MAX];
    size_t lengths[LITERALS_DATABASE_MAX];
    unsigned flags[LITERALS_DATABASE_MAX], ids[LITERALS_DATABASE_MAX];
    unsigned n;
    char filling[FILL_TO][8];
};

static void batch_add(struct batch *b, const struct literal *l, size_t id)
{
    b->texts[b->n] = l->text.p;
    b->lengths[b->n] = l->text.n;
    b->flags[b->n] = l->every ? 0 : HS_FLAG_SINGLEMATCH;
    b->ids[b->n++] = (unsigned)id;
}

/* Bytes that stand in no UTF-8, 3 bits of a number in each. */
static void batch_fill(struct batch *b)
{
    if (b->n < FILL_FROM) return;
    for (unsigned i = 0; b->n < FILL_TO; i++) {
        uint32_t scrambled = (i + 1) * 2654435761u;
        for (unsigned k = 0; k < 8; k++) b->filling[i][k] = (char)(0xf8 | (scrambled >> 3 * k & 7));
        batch_add(b, &(struct literal){{b->filling[i], 8}, false}, UINT32_MAX);
    }
}

static bool batch_compile(struct batch *b, bool are_long, struct literals *l, struct literals_scratch *s, struct err *e)
{
    hs_database_t *database = NULL;
    hs_compile_error_t *fault = NULL;
    if (are_long) batch_fill(b);
    if (hs_compile_lit_multi(b->texts, b->flags, b->ids, b->lengths, b->n, HS_MODE_BLOCK, NULL, &database, &fault) !=
        HS_SUCCESS) {
        err_set(e, EX_SOFTWARE, "the index of literals cannot be built: %s",
                fault ? fault->message : "no reason given");
        hs_free_compile_error(fault);
        return false;
    }
    b->n = 0;
    l->databases[l->count++] = database;
    return hs_alloc_scratch(database, &s->hs) == HS_SUCCESS ||
           err_set(e, EX_SOFTWARE, "the index of literals has no room to work in");
}

/* Those that are long, or those that are not. */
static bool compile_half(struct batch *b, const struct literal *v, size_t n, bool are_long, struct literals *l,
                         struct literals_scratch *s, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if ((v[i].text.n >= LONG) != are_long) continue;
        batch_add(b, &v[i], i);
        if (b->n == LITERALS_DATABASE_MAX && !batch_compile(b, are_long, l, s, e)) return false;
    }
    return b->n == 0 || batch_compile(b, are_long, l, s, e);
}

struct literals *literals_create(const struct literal *v, size_t n, struct literals_scratch *s, struct err *e)
{
    struct literals *l = mem_alloc(sizeof *l);
    l->databases = mem_array(n / LITERALS_DATABASE_MAX + 2, sizeof *l->databases);
    struct batch *b = mem_alloc(sizeof *b);
    if (!compile_half(b, v, n, true, l, s, e) || !compile_half(b, v, n, false, l, s, e)) literals_free(&l);
    free(b);
    return l;
}

void literals_free(struct literals **l)
{
    if (!*l) return;
    for (size_t i = 0; i < (*l)->count; i++) hs_free_database((*l)->databases[i]);
    free((*l)->databases);
    free(*l);
    *l = NULL;
}

struct finding {
    literals_found *found;
    void *self;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
    const struct finding *f = context;
    (void)from;
    (void)flags;
    return !f->found(f->self, id, (size_t)to);
}

bool literals_scan(const struct literals *l, struct literals_scratch *s, struct str in, literals_found *found,
                   void *self)
{
    struct finding f = {found, self};
    if (in.n > UINT32_MAX) return false;
    for (size_t i = 0; in.n && i < l->count; i++)
        if (hs_scan(l->databases[i], in.p, (unsigned)in.n, 0, s->hs, on_match, &f) != HS_SUCCESS) return false;
    return true;
}

#else

bool literals_available(void) { return false; }
struct literals_scratch *literals_scratch_create(void) { return NULL; }
void literals_scratch_free(struct literals_scratch **s) { (void)s; }
void literals_free(struct literals **l) { (void)l; }

struct literals *literals_create(const struct literal *v, size_t n, struct literals_scratch *s, struct err *e)
{
    (void)v;
    (void)n;
    (void)s;
    err_set(e, EX_SOFTWARE, "this build has no index of literals");
    return NULL;
}

bool literals_scan(const struct literals *l, struct literals_scratch *s, struct str in, literals_found *found,
                   void *self)
{
    (void)l;
    (void)s;
    (void)in;
    (void)found;
    (void)self;
    return false;
}

#endif
