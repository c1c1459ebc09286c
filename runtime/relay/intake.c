#include "relay/intake.h"

#include <stdlib.h>

#include "relay/origin.h"
#include "relay/session.h"

enum { INTAKES_KEPT = 64 };

struct intake *intake_create(struct session *s)
{
    struct receive *rc = s->relay->receive;
    struct intake *in = rc->unused;
    if (in) {
        rc->unused = in->next;
        rc->unused_count--;
    } else {
        in = mem_alloc(sizeof *in);
        in->arena = arena_create();
    }
    rc->intakes++;
    in->next = NULL;
    in->relay = s->relay;
    in->session = s;
    in->phase = INTAKE_ENVELOPE;
    origin_queue_id(s->relay, in->queue_id);
    return in;
}

static void destroy(struct intake *in)
{
    VEC_FREE(&in->recipients);
    VEC_FREE(&in->extras);
    arena_free(&in->arena);
    free(in);
}

void intake_free(struct intake *in)
{
    struct receive *rc = in->relay->receive;
    INVARIANT(!in->session);
    rc->intakes--;
    body_unref(&in->body);
    generation_unref(&in->generation);
    for (size_t i = 0; i < in->made_count; i++) origin_free(&in->made[i]);
    map_free(&in->seen);
    if (rc->unused_count >= INTAKES_KEPT) {
        destroy(in);
        return;
    }
    /* What was costly to get is kept for the next message: the arena's block and the two arrays. */
    struct intake clean = {.arena = in->arena, .recipients = in->recipients, .extras = in->extras, .next = rc->unused};
    clean.recipients.n = clean.extras.n = 0;
    arena_reset(clean.arena);
    *in = clean;
    rc->unused = in;
    rc->unused_count++;
}

void intake_free_unused(struct receive *rc)
{
    while (rc->unused) {
        struct intake *in = rc->unused;
        rc->unused = in->next;
        destroy(in);
    }
}
