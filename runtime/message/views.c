#include <stdio.h>

#include "base/limits.h"
#include "message/viewer.h"
#include "message/state.h"

static const struct {
    const char *phrase;
    bool ambiguous;
} manners[MANNER_COUNT] = {
#define MANNER(id, phrase, ambiguous) {phrase, ambiguous},
#include "message/manners.def"
#undef MANNER
};

_Static_assert(MANNER_COUNT <= 63, "a set of manners is 64 bits, and one of them is MANNER_BIT_OTHER_INSTANCE");

size_t message_manners_print(uint64_t set, char *out, size_t room)
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < MANNER_COUNT && n < room; i++)
        if (set >> i & 1) n += (size_t)snprintf(out + n, room - n, "%s%s", n ? "; " : "", manners[i].phrase);
    if (set & MANNER_BIT_OTHER_INSTANCE && n < room)
        n += (size_t)snprintf(out + n, room - n, "%sanother instance of the field", n ? "; " : "");
    return n < room ? n : room - 1;
}

bool message_manners_are_ambiguous(uint64_t set)
{
    for (size_t i = 0; i < MANNER_COUNT; i++)
        if (set >> i & 1 && manners[i].ambiguous) return true;
    return false;
}

bool message_text_is_ambiguous(const struct message_text *t)
{
    for (size_t i = 1; i < t->view_count; i++)
        if (message_manners_are_ambiguous(t->manners[i])) return true;
    return false;
}

enum {
    TEXT_HELD_MAX = 1024 * 1024,      /* a larger text is not held while the next reading makes one more */
    SHORT_TEXT = LIMIT_HEADER_SECTION /* is read in all ways, whatever else the message keeps: of a field in a huge
                                         message nothing may be left in doubt */
};

/* A breadth-first walk over sets of manners: small departures first, so that a limit cuts the strangest readers. */
struct walk {
    struct message *m;
    struct buf text;
    uint64_t queue[READINGS_MAX];
    size_t queued, taken;
    struct str views[VIEWS_MAX];
    uint64_t manners[VIEWS_MAX];
    size_t n, bytes;
    bool cut;
};

static void walk_push(struct walk *w, uint64_t set)
{
    for (size_t i = 0; i < w->queued; i++)
        if (w->queue[i] == set) return;
    if (w->queued == READINGS_MAX) {
        w->cut = true;
        return;
    }
    w->queue[w->queued++] = set;
}

static bool has_room(const struct walk *w, size_t n) { return n <= SHORT_TEXT || n <= message_room(w->m); }

/* Keeps the text read as a view, when no other is equal. */
static void walk_view(struct walk *w, uint64_t set)
{
    struct str text = buf_str(&w->text);
    for (size_t i = 0; i < w->n; i++)
        if (str_eq(w->views[i], text)) return;
    bool large = w->bytes + text.n > VIEWS_BYTES_MAX || !has_room(w, text.n);
    if (w->n == VIEWS_MAX || (w->n > 0 && large)) {
        w->cut = true;
        return;
    }
    if (w->n) w->bytes += text.n;
    w->views[w->n] = arena_str(w->m->arena, text);
    w->manners[w->n++] = set;
}

/* Answers what the best reading could not read, and whether a limit cut any: that a stranger reader could not read it
 * either says nothing. */
static uint32_t walk_all(struct walk *w, size_t size, size_t *left, text_viewer *read, void *self)
{
    uint32_t unreadable = 0;
    while (w->taken < w->queued) {
        if (w->taken > 0 && (*left == 0 || size > *left || !has_room(w, w->views[0].n))) {
            w->cut = true;
            break;
        }
        struct viewer r = {.manners = w->queue[w->taken]};
        w->text.n = 0;
        uint32_t bits = read(self, &r, &w->text);
        size_t work = size + r.work;
        if (w->taken > 0) *left -= work < *left ? work : *left;
        unreadable |= w->taken++ == 0 ? bits : bits & UNREADABLE_LIMIT;
        walk_view(w, r.manners);
        if (w->text.cap > TEXT_HELD_MAX) buf_free(&w->text);
        /* Also where this one changed nothing: two manners may do together what neither does alone. */
        for (uint64_t rest = r.differs & ~r.manners; rest; rest &= rest - 1) walk_push(w, r.manners | (rest & -rest));
    }
    return unreadable;
}

struct message_text views_collect(struct message *m, size_t size, text_viewer *read, void *self)
{
    size_t left = READINGS_BYTES_MAX;
    return views_collect_within(m, size, &left, read, self);
}

struct message_text views_collect_within(struct message *m, size_t size, size_t *left, text_viewer *read, void *self)
{
    struct walk w; /* its arrays are filled as far as they are counted */
    w.m = m;
    w.queued = w.taken = w.n = w.bytes = 0;
    w.cut = false;
    w.text = (struct buf){0};
    walk_push(&w, 0);
    uint32_t unreadable = walk_all(&w, size, left, read, self);
    if (w.cut) unreadable |= UNREADABLE_LIMIT;
    buf_free(&w.text);
    return (struct message_text){.views = arena_copy(m->arena, w.views, w.n, sizeof *w.views),
                                 .view_count = w.n,
                                 .unreadable = unreadable,
                                 .manners = arena_copy(m->arena, w.manners, w.n, sizeof *w.manners)};
}
