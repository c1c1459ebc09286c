#include "relay/lists.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/sort.h"
#include "mail/live_list.h"
#include "relay/events.h"
#include "relay/generation.h"

enum { TRY_AGAIN_MS = 1000 };

struct entry {
    struct str key, text; /* one block of the heap, at key.p */
};

struct table {
    struct table *next;
    struct str name;
    uint8_t type;
    uint64_t revision, asked; /* in force; of the latest change that was given to the store */
    VEC(struct entry) entries; /* by key */
    size_t bytes;              /* of all keys */
    bool stale;                /* the block is not that of the entries */
    int fd;
    uint64_t size, version;
    int64_t tried_ms; /* when a block could not be made */
    struct err why;   /* … and why */
};

struct change {
    struct change *next; /* stored, waiting for judges */
    struct lists *lists;
    struct table *table;
    struct arena *arena;
    struct lists_call call;
    struct stored_entry *v; /* by key, each once */
    struct str *keys;
    size_t n, effective; /* effective: came or went */
    bool remove;
    struct stored_list_change stored;
    struct store_write write;
    uint64_t version; /* which judges must have */
};

struct lists {
    struct relay *relay;
    struct table *tables;
    struct change *waiting;
    struct store_query query;
    void (*loaded)(struct relay *r, const char *failure);
};

/* --- tables ------------------------------------------------------------------------------------------------------- */

static struct table *table_find(struct lists *l, struct str name)
{
    for (struct table *t = l->tables; t; t = t->next)
        if (str_eq(t->name, name)) return t;
    return NULL;
}

static struct table *table_add(struct lists *l, struct str name, uint8_t type)
{
    struct table *t = mem_alloc(sizeof *t);
    char *copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    t->name = (struct str){copy, name.n};
    t->type = type;
    t->fd = -1;
    t->stale = true;
    t->next = l->tables;
    l->tables = t;
    return t;
}

static struct entry entry_of(const struct stored_entry *e)
{
    char *p = mem_alloc(e->key.n + e->entry.n + 1);
    memcpy(p, e->key.p, e->key.n);
    memcpy(p + e->key.n, e->entry.p, e->entry.n);
    return (struct entry){{p, e->key.n}, {p + e->key.n, e->entry.n}};
}

static void entry_free(struct entry *e) { free((void *)(uintptr_t)e->key.p); }

static bool has_key(const struct table *t, struct str key)
{
    size_t low = 0, high = t->entries.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(t->entries.v[middle].key, key);
        if (order == 0) return true;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return false;
}

/* Merges sorted changes into the sorted entries: one pass, whatever their number. */
static void table_apply(struct table *t, struct change *c)
{
    struct entry *old = t->entries.v;
    size_t n = t->entries.n, k = 0;
    t->entries.v = NULL;
    t->entries.n = t->entries.cap = 0;
    VEC_RESERVE(&t->entries, n + c->n);
    for (size_t i = 0; i < n || k < c->n;) {
        int order = i == n ? 1 : k == c->n ? -1 : str_cmp(old[i].key, c->v[k].key);
        if (order < 0) {
            t->entries.v[t->entries.n++] = old[i++];
            continue;
        }
        if (order == 0) {
            t->bytes -= old[i].key.n;
            entry_free(&old[i++]);
        }
        c->effective += c->remove == (order == 0);
        if (!c->remove) {
            t->bytes += c->v[k].key.n;
            t->entries.v[t->entries.n++] = entry_of(&c->v[k]);
        }
        k++;
    }
    free(old);
    t->revision = c->stored.revision;
    t->stale = true;
    t->tried_ms = 0;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

static int share(struct lists *l, struct table *t, uint64_t *size)
{
    struct content_port *content = l->relay->content;
    struct str *keys = mem_grow(NULL, t->entries.n + 1, sizeof *keys);
    struct buf block = {0};
    for (size_t i = 0; i < t->entries.n; i++) keys[i] = t->entries.v[i].key;
    live_block(t->type, t->revision, keys, t->entries.n, &block);
    int fd = content->share(content->self, buf_str(&block), &t->why);
    *size = fd >= 0 ? block.n : 0;
    buf_free(&block);
    free(keys);
    return fd;
}

static void renew(struct lists *l, struct table *t)
{
    int64_t now = relay_ms(l->relay);
    if (t->tried_ms && now - t->tried_ms < TRY_AGAIN_MS) return;
    bool had = t->fd >= 0 || !t->version;
    if (t->fd >= 0) l->relay->content->discard(l->relay->content->self, t->fd);
    t->fd = share(l, t, &t->size);
    t->stale = t->fd < 0;
    t->tried_ms = t->stale ? now : 0;
    if (!t->stale || had) t->version++;
    if (t->stale)
        events_note(l->relay, EVENT_ERROR, "list %.*s is not available: %s", STR_ARG(t->name), t->why.text);
}

struct lists_block lists_block(struct lists *l, const struct live_list_settings *s)
{
    struct table *t = table_find(l, s->table);
    if (!t) t = table_add(l, s->table, s->type);
    if (!t->entries.n && t->type != s->type) { /* an empty one is of any type */
        t->type = s->type;
        t->stale = true;
    }
    if (t->stale) renew(l, t);
    return (struct lists_block){t->fd, t->size, t->version};
}

bool lists_fit(struct lists *l, const struct settings *s, struct err *e)
{
    for (size_t i = 0; i < s->live_list_count; i++) {
        const struct live_list_settings *w = &s->live_lists[i];
        const struct table *t = table_find(l, w->table);
        if (t && t->entries.n && t->type != w->type)
            return err_set(e, EX_CONFIG,
                           "list %.*s: the table \"%.*s\" holds entries of type %s, and the rules say %s; remove them "
                           "first, or use another table",
                           STR_ARG(w->name), STR_ARG(w->table), live_type_names[t->type], live_type_names[w->type]);
    }
    return true;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* Keys are made anew from the entries: what the database says is not trusted, and a later version may fold
 * otherwise. */
static int by_key(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(((const struct entry *)a)->key, ((const struct entry *)b)->key);
}

static void take_entries(struct lists *l, struct table *t, const struct stored_list *s)
{
    struct buf key = {0};
    for (size_t i = 0; i < s->entry_count; i++) {
        struct err e = {0};
        key.n = 0;
        if (!live_key(t->type, s->entries[i].entry, &key, &e)) {
            events_note(l->relay, EVENT_ERROR, "list %.*s: an entry is left out: %s", STR_ARG(t->name), e.text);
            continue;
        }
        VEC_PUSH(&t->entries, entry_of(&(struct stored_entry){buf_str(&key), s->entries[i].entry}));
        t->bytes += key.n;
    }
    buf_free(&key);
    sort_array(t->entries.v, t->entries.n, sizeof *t->entries.v, by_key, NULL);
    size_t kept = 0;
    for (size_t i = 0; i < t->entries.n; i++) {
        if (kept && str_eq(t->entries.v[kept - 1].key, t->entries.v[i].key)) entry_free(&t->entries.v[i]);
        else t->entries.v[kept++] = t->entries.v[i];
    }
    t->entries.n = kept;
}

static void on_list(void *owner, const struct stored_list *s)
{
    struct lists *l = owner;
    for (uint8_t type = 0; type < LIVE_TYPE_COUNT; type++) {
        if (!str_eq(s->type, str_of(live_type_names[type]))) continue;
        struct table *t = table_add(l, s->list, type);
        t->revision = t->asked = s->revision;
        take_entries(l, t, s);
        return;
    }
    events_note(l->relay, EVENT_ERROR, "list %.*s is of no known type and is left out", STR_ARG(s->list));
}

static void on_loaded(void *owner, bool ok, const struct err *e)
{
    struct lists *l = owner;
    l->loaded(l->relay, ok ? NULL : e ? e->text : "the store does not answer");
}

void lists_load(struct lists *l, void (*done)(struct relay *r, const char *failure))
{
    struct store_port *store = l->relay->store;
    l->loaded = done;
    l->query = (struct store_query){.kind = QUERY_LISTS, .list = on_list, .done = on_loaded, .owner = l};
    store->query(store->self, &l->query);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void answer(const struct lists_call *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void answer(const struct lists_call *call, int status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    call->done(call->owner, status, str_of(text));
}

/* By its name in the rules in force, else by that of its table.  NULL: told. */
static struct table *table_named(struct lists *l, struct str name, const struct lists_call *call)
{
    const struct settings *s = l->relay->current ? relay_settings(l->relay) : NULL;
    const struct live_list_settings *found = NULL;
    for (size_t pass = 0; pass < 2 && !found; pass++)
        for (size_t i = 0; s && i < s->live_list_count && !found; i++)
            if (str_eq(pass ? s->live_lists[i].table : s->live_lists[i].name, name)) found = &s->live_lists[i];
    if (found) {
        lists_block(l, found); /* makes the table when it is new */
        return table_find(l, found->table);
    }
    answer(call, EX_NOINPUT, "the rules in force have no list %.*s in a table", (int)(name.n > 100 ? 100 : name.n),
           name.p ? name.p : "");
    return NULL;
}

void lists_summary(struct lists *l, const struct lists_call *call)
{
    const struct settings *s = l->relay->current ? relay_settings(l->relay) : NULL;
    for (size_t i = 0; s && i < s->live_list_count; i++) {
        const struct live_list_settings *w = &s->live_lists[i];
        lists_block(l, w);
        const struct table *t = table_find(l, w->table);
        struct js *o = js_object();
        js_put_str(o, "list", w->name);
        js_put_str(o, "table", w->table);
        js_put_cstr(o, "type", live_type_names[w->type]);
        js_put_num(o, "entries", (int64_t)t->entries.n);
        js_put_num(o, "revision", (int64_t)t->revision);
        js_put_bool(o, "available", t->fd >= 0);
        call->row(call->owner, o);
    }
    call->done(call->owner, 0, STR_NONE);
}

void lists_show(struct lists *l, struct str name, const struct lists_call *call)
{
    const struct table *t = table_named(l, name, call);
    if (!t) return;
    for (size_t i = 0; i < t->entries.n; i++) {
        struct js *o = js_object();
        js_put_str(o, "entry", t->entries.v[i].text);
        call->row(call->owner, o);
    }
    call->done(call->owner, 0, STR_NONE);
}

static void change_free(struct change *c)
{
    arena_free(&c->arena);
    free(c);
}

static int by_stored_key(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(((const struct stored_entry *)a)->key, ((const struct stored_entry *)b)->key);
}

/* The entries of the request with their keys, sorted, each once. */
static bool take_request(struct change *c, const struct js *entries, struct err *e)
{
    size_t n = js_count(entries), kept = 0;
    struct buf key = {0};
    bool good = n > 0 || err_set(e, EX_USAGE, "no entries are given");
    c->v = ARENA_ARRAY(c->arena, struct stored_entry, n ? n : 1);
    for (size_t i = 0; i < n && good; i++) {
        struct str text = STR("");
        key.n = 0;
        good = js_str(js_at(entries, i), &text) || err_set(e, EX_DATAERR, "an entry is no text");
        text = str_trim(text);
        good = good && live_key(c->table->type, text, &key, e);
        c->v[i] = (struct stored_entry){arena_str(c->arena, buf_str(&key)), arena_str(c->arena, text)};
    }
    buf_free(&key);
    if (!good) return false;
    sort_array(c->v, n, sizeof *c->v, by_stored_key, NULL);
    for (size_t i = 0; i < n; i++)
        if (!kept || !str_eq(c->v[kept - 1].key, c->v[i].key)) c->v[kept++] = c->v[i];
    c->n = kept;
    c->keys = ARENA_ARRAY(c->arena, struct str, kept);
    for (size_t i = 0; i < kept; i++) c->keys[i] = c->v[i].key;
    return true;
}

static bool has_room(const struct change *c, struct err *e)
{
    const struct table *t = c->table;
    size_t new = 0, bytes = 0;
    for (size_t i = 0; i < c->n && !c->remove; i++) {
        if (has_key(t, c->v[i].key)) continue;
        new++;
        bytes += c->v[i].key.n;
    }
    if (t->entries.n + new <= LIVE_ENTRIES_MAX && t->bytes + bytes <= LIVE_BLOCK_MAX / 2) return true;
    return err_set(e, EX_DATAERR, "the list would be too long: at most %d entries, %d MiB", LIVE_ENTRIES_MAX,
                   LIVE_BLOCK_MAX / 2 >> 20);
}

static void finish(struct change *c)
{
    const struct table *t = c->table;
    struct js *o = js_object();
    js_put_str(o, "table", t->name);
    js_put_num(o, "changed", (int64_t)c->effective);
    js_put_num(o, "unchanged", (int64_t)(c->n - c->effective));
    js_put_num(o, "entries", (int64_t)t->entries.n);
    js_put_num(o, "revision", (int64_t)c->stored.revision);
    c->call.row(c->call.owner, o);
    if (t->fd < 0)
        answer(&c->call, EX_TEMPFAIL, "stored, but the list cannot be given to the judges now: %s", t->why.text);
    else
        c->call.done(c->call.owner, 0, STR_NONE);
    change_free(c);
}

void lists_judges_moved(struct lists *l)
{
    const struct generation *g = l->relay->current;
    for (struct change **at = &l->waiting; *at;) {
        struct change *c = *at;
        if (g && !judges_have_list(g->judges, c->table->name, c->version)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        finish(c);
        at = &l->waiting; /* whoever was answered may have asked for more */
    }
}

static void on_stored(void *owner, bool ok, const struct err *e)
{
    struct change *c = owner;
    struct lists *l = c->lists;
    if (!ok) {
        answer(&c->call, e && e->sysexit ? e->sysexit : EX_IOERR, "%s", e ? e->text : "the store does not answer");
        change_free(c);
        return;
    }
    table_apply(c->table, c);
    renew(l, c->table);
    c->version = c->table->version;
    struct change **end = &l->waiting;
    while (*end) end = &(*end)->next;
    *end = c;
    events_note(l->relay, EVENT_INFO, "list %.*s: revision %llu, %zu %s", STR_ARG(c->table->name),
                (unsigned long long)c->table->revision, c->effective, c->remove ? "removed" : "added");
    if (l->relay->current) judges_lists_changed(l->relay->current->judges);
    lists_judges_moved(l);
}

void lists_change(struct lists *l, struct str name, const struct js *entries, bool remove,
                  const struct lists_call *call)
{
    struct err e = {0};
    struct table *t = table_named(l, name, call);
    if (!t) return;
    struct change *c = mem_alloc(sizeof *c);
    *c = (struct change){.lists = l, .table = t, .arena = arena_create(), .call = *call, .remove = remove};
    if (!take_request(c, entries, &e) || !has_room(c, &e)) {
        answer(call, e.sysexit, "%s", e.text);
        change_free(c);
        return;
    }
    c->stored = (struct stored_list_change){
        .list = t->name, .type = str_of(live_type_names[t->type]), .revision = ++t->asked};
    if (remove) c->stored.remove = c->keys, c->stored.remove_count = c->n;
    else c->stored.add = c->v, c->stored.add_count = c->n;
    c->write = (struct store_write){
        .lists = &c->stored, .list_count = 1, .now = relay_now(l->relay), .done = on_stored, .owner = c};
    l->relay->store->write(l->relay->store->self, &c->write);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

struct lists *lists_create(struct relay *r)
{
    struct lists *l = mem_alloc(sizeof *l);
    l->relay = r;
    return l;
}

void lists_free(struct lists **at)
{
    struct lists *l = *at;
    *at = NULL;
    if (!l) return;
    for (struct change *c = l->waiting, *next; c; c = next) {
        next = c->next;
        change_free(c);
    }
    for (struct table *t = l->tables, *next; t; t = next) {
        next = t->next;
        for (size_t i = 0; i < t->entries.n; i++) entry_free(&t->entries.v[i]);
        VEC_FREE(&t->entries);
        if (t->fd >= 0) l->relay->content->discard(l->relay->content->self, t->fd);
        free((void *)(uintptr_t)t->name.p);
        free(t);
    }
    free(l);
}
