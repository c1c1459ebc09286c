/* The disk: files in memory which remember every write since their last sync.
 *
 * The kernel shows what was written; a power cut undoes what was not synced and then does some of it again: none, all,
 * a beginning with a torn end, or any of it, in pieces of 512 bytes.  A name that was made or taken away holds for sure
 * only when its directory was synced. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { SECTOR = 512, FILES_MOST = 4096 };
static const uint64_t CAPACITY = 64 * 1024 * 1024;

struct undone {
    bool resize;
    size_t at, n, size_before; /* n of a resize: the new size */
    char *before, *after;      /* what stood there, or beyond the new size; what came */
    size_t saved;              /* bytes of `before`; what follows them was zero, or beyond the end */
};

struct disk_file {
    char name[160]; /* empty: memory only */
    char *bytes;    /* from n to cap they are zero */
    size_t n, cap;
    bool linked, linked_for_sure;
    unsigned held;
    VEC(struct undone) unsynced;
};

static VEC(struct disk_file *) files;
static bool filled;
static unsigned failing; /* so many writes to come */

struct disk_file *disk_find(const char *name)
{
    for (size_t i = 0; i < files.n; i++)
        if (files.v[i]->linked && strcmp(files.v[i]->name, name) == 0) return files.v[i];
    return NULL;
}

struct disk_file *disk_nth(size_t i, const char **name)
{
    if (i >= files.n) return NULL;
    *name = files.v[i]->linked ? files.v[i]->name : "";
    return files.v[i];
}

struct disk_file *disk_make(const char *name)
{
    struct disk_file *f = mem_alloc(sizeof *f);
    if (!name) return f;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->linked = true;
    INVARIANT(files.n < FILES_MOST);
    VEC_PUSH(&files, f);
    return f;
}

static void forget_undone(struct disk_file *f)
{
    for (size_t i = 0; i < f->unsynced.n; i++) {
        free(f->unsynced.v[i].before);
        free(f->unsynced.v[i].after);
    }
    f->unsynced.n = 0;
}

static void drop(struct disk_file *f)
{
    for (size_t i = 0; i < files.n; i++)
        if (files.v[i] == f) files.v[i] = files.v[--files.n];
    forget_undone(f);
    VEC_FREE(&f->unsynced);
    free(f->bytes);
    free(f);
}

/* A file without a name stays as long as somebody has it open, or a power cut may bring its name back. */
static void drop_if_nobody(struct disk_file *f)
{
    if (!f->linked && !f->linked_for_sure && !f->held) drop(f);
}

void disk_unlink(struct disk_file *f)
{
    f->linked = false;
    drop_if_nobody(f);
}
void disk_hold(struct disk_file *f) { f->held++; }
void disk_let_go(struct disk_file *f)
{
    INVARIANT(f->held > 0);
    f->held--;
    drop_if_nobody(f);
}

void disk_close_all(void)
{
    for (size_t i = files.n; i-- > 0;) {
        files.v[i]->held = 0;
        drop_if_nobody(files.v[i]);
    }
}

size_t disk_size(const struct disk_file *f) { return f->n; }
struct str disk_view(const struct disk_file *f) { return (struct str){f->bytes, f->n}; }

size_t disk_read(const struct disk_file *f, size_t at, void *out, size_t n)
{
    if (at >= f->n) return 0;
    if (n > f->n - at) n = f->n - at;
    memcpy(out, f->bytes + at, n);
    return n;
}

uint64_t disk_free_bytes(void)
{
    uint64_t used = 0;
    if (filled) return 0;
    for (size_t i = 0; i < files.n; i++) used += files.v[i]->n;
    return used < CAPACITY ? CAPACITY - used : 0;
}

void disk_fill(bool full)
{
    sim_trace("disk %s", full ? "full" : "has room");
    filled = full;
}

void disk_fail(unsigned writes) { failing = writes; }

/* Up to the last byte from `from` on that is not zero. */
static size_t used_until(const struct disk_file *f, size_t from)
{
    static const char zeros[4096];
    size_t end = f->n;
    while (end >= from + sizeof zeros && memcmp(f->bytes + end - sizeof zeros, zeros, sizeof zeros) == 0)
        end -= sizeof zeros;
    while (end > from && f->bytes[end - 1] == 0) end--;
    return end;
}

static void set_size(struct disk_file *f, size_t n)
{
    if (n > f->cap) {
        size_t cap = n > 2 * f->cap ? n : 2 * f->cap;
        f->bytes = mem_grow(f->bytes, cap, 1);
        memset(f->bytes + f->cap, 0, cap - f->cap);
        f->cap = cap;
    }
    if (n < f->n) memset(f->bytes + n, 0, used_until(f, n) - n);
    f->n = n;
}

static char *copy(const char *p, size_t n)
{
    char *c = malloc(n ? n : 1); /* not mem_alloc: nothing of it needs to be zero */
    INVARIANT(c != NULL);
    if (n) memcpy(c, p, n);
    return c;
}

static void put(struct disk_file *f, size_t at, const char *bytes, size_t n)
{
    if (!n) return;
    if (at + n > f->n) set_size(f, at + n);
    memcpy(f->bytes + at, bytes, n);
}

/* Nothing is remembered where power never fails. */
static bool remembers(const struct disk_file *f) { return f->name[0] && world.chance[POINT_POWER_CUT] && !world.calm; }

enum disk_trouble disk_write(struct disk_file *f, size_t at, const void *bytes, size_t n)
{
    if (f->name[0]) {
        if (failing && !world.calm) {
            failing--;
            sim_trace("disk: a write of %s fails", f->name);
            history_excuse_duplicates();
            return DISK_EIO;
        }
        if (at + n > f->n && at + n - f->n > disk_free_bytes()) return DISK_ENOSPC;
    }
    if (remembers(f)) {
        size_t old = at < f->n ? (f->n - at < n ? f->n - at : n) : 0;
        struct undone u = {.at = at, .n = n, .size_before = f->n, .saved = old};
        u.before = copy(f->bytes + (old ? at : 0), old);
        u.after = copy(bytes, n);
        VEC_PUSH(&f->unsynced, u);
    }
    put(f, at, bytes, n);
    return DISK_GOOD;
}

enum disk_trouble disk_resize(struct disk_file *f, size_t n)
{
    if (f->name[0] && n > f->n && n - f->n > disk_free_bytes()) return DISK_ENOSPC;
    if (remembers(f)) {
        struct undone u = {.resize = true, .n = n, .size_before = f->n};
        if (n < f->n) {
            u.saved = used_until(f, n) - n;
            u.before = copy(f->bytes + n, u.saved);
        }
        VEC_PUSH(&f->unsynced, u);
    }
    set_size(f, n);
    return DISK_GOOD;
}

/* A sync that failed has maybe written, maybe not, and will not be told again: what is unsynced stays so. */
enum disk_trouble disk_sync(struct disk_file *f)
{
    if (sim_happens(POINT_SYNC_FAILS)) {
        sim_trace("disk: a sync of %s fails", f->name);
        history_storage_failed();
        return DISK_EIO;
    }
    if (world.mistake && strcmp(world.mistake, "no-sync") == 0) return DISK_GOOD;
    forget_undone(f);
    return DISK_GOOD;
}

enum disk_trouble disk_sync_directory(void)
{
    if (sim_happens(POINT_SYNC_FAILS)) {
        history_storage_failed();
        return DISK_EIO;
    }
    if (world.mistake && strcmp(world.mistake, "no-directory-sync") == 0) return DISK_GOOD;
    for (size_t i = files.n; i-- > 0;) {
        files.v[i]->linked_for_sure = files.v[i]->linked;
        drop_if_nobody(files.v[i]);
    }
    return DISK_GOOD;
}

void disk_settle(void)
{
    for (size_t i = files.n; i-- > 0;) {
        forget_undone(files.v[i]);
        files.v[i]->linked_for_sure = files.v[i]->linked;
    }
}

/* --- power -------------------------------------------------------------------------------------------------------- */

static void undo(struct disk_file *f, const struct undone *u)
{
    set_size(f, u->size_before);
    if (u->saved) memcpy(f->bytes + (u->resize ? u->n : u->at), u->before, u->saved);
}

enum keeping { KEEP_NONE, KEEP_ALL, KEEP_BEGINNING, KEEP_SOME };

static void redo(struct disk_file *f, const struct undone *u, bool torn)
{
    if (u->resize) {
        set_size(f, u->n);
        return;
    }
    for (size_t i = 0; i < u->n; i += SECTOR) {
        if (torn && sim_roll(2)) continue;
        put(f, u->at + i, u->after + i, u->n - i < SECTOR ? u->n - i : SECTOR);
    }
}

static void cut(struct disk_file *f)
{
    enum keeping keeping = (enum keeping)sim_roll(4);
    size_t n = f->unsynced.n, end = n ? sim_roll(n + 1) : 0;
    for (size_t i = n; i-- > 0;) undo(f, &f->unsynced.v[i]);
    for (size_t i = 0; i < n; i++) {
        bool keep =
            keeping == KEEP_ALL || (keeping == KEEP_BEGINNING && i <= end) || (keeping == KEEP_SOME && sim_roll(2));
        bool torn = (keeping == KEEP_BEGINNING && i == end) || (keeping == KEEP_SOME && sim_roll(4) == 0);
        if (keep) redo(f, &f->unsynced.v[i], torn);
    }
    if (n) sim_trace("power: %s had %zu writes unsynced, kept %d", f->name, n, (int)keeping);
    forget_undone(f);
}

void disk_power_cut(void)
{
    for (size_t i = files.n; i-- > 0;) {
        struct disk_file *f = files.v[i];
        cut(f);
        if (f->linked != f->linked_for_sure) f->linked = sim_roll(2);
        f->linked_for_sure = f->linked;
        drop_if_nobody(f);
    }
}
