#include "pattern/literals.h"

#include <stdlib.h>
#include <sysexits.h>

#if SLUICE_HYPERSCAN

#include <hs.h>

struct literals_scratch {
    hs_scratch_t *hs;
};

struct literals {
    hs_database_t **databases; /* the k-th of texts [k * LITERALS_DATABASE_MAX, …) */
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

static hs_database_t *build(const struct str *texts, size_t first, size_t n, struct err *e)
{
    const char **texts_at = mem_array(n, sizeof *texts_at);
    size_t *lengths = mem_array(n, sizeof *lengths);
    unsigned *flags = mem_array(n, sizeof *flags), *ids = mem_array(n, sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        texts_at[i] = texts[first + i].p;
        lengths[i] = texts[first + i].n;
        flags[i] = HS_FLAG_SINGLEMATCH;
        ids[i] = (unsigned)(first + i);
    }
    hs_database_t *database = NULL;
    hs_compile_error_t *fault = NULL;
    if (hs_compile_lit_multi(texts_at, flags, ids, lengths, (unsigned)n, HS_MODE_BLOCK, NULL, &database, &fault) !=
        HS_SUCCESS) {
        err_set(e, EX_SOFTWARE, "the index of literals cannot be built: %s",
                fault ? fault->message : "no reason given");
        hs_free_compile_error(fault);
        database = NULL;
    }
    free(texts_at);
    free(lengths);
    free(flags);
    free(ids);
    return database;
}

struct literals *literals_create(const struct str *texts, size_t n, struct literals_scratch *s, struct err *e)
{
    struct literals *l = mem_alloc(sizeof *l);
    l->databases = mem_array((n + LITERALS_DATABASE_MAX - 1) / LITERALS_DATABASE_MAX, sizeof *l->databases);
    for (size_t first = 0; first < n; first += LITERALS_DATABASE_MAX) {
        size_t some = n - first < LITERALS_DATABASE_MAX ? n - first : LITERALS_DATABASE_MAX;
        hs_database_t *database = build(texts, first, some, e);
        if (database) l->databases[l->count++] = database;
        if (database && hs_alloc_scratch(database, &s->hs) == HS_SUCCESS) continue;
        if (database) err_set(e, EX_SOFTWARE, "the index of literals has no room to work in");
        literals_free(&l);
        return NULL;
    }
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
    (void)to;
    (void)flags;
    f->found(f->self, id);
    return 0;
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

struct literals *literals_create(const struct str *texts, size_t n, struct literals_scratch *s, struct err *e)
{
    (void)texts;
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
