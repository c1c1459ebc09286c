#include "tests/support/hostile.h"

#include <string.h>

uint32_t hostile_random(uint64_t *seed, uint32_t below)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17; /* xorshift64: G. Marsaglia, 2003 */
    return below ? (uint32_t)(*seed >> 16) % below : 0;
}

static struct str text(uint64_t *seed)
{
#define TEXT(s)                                                                                                        \
    {                                                                                                                  \
        s, sizeof s - 1                                                                                                \
    }
    static const struct str texts[] = {
        TEXT(""),
        TEXT("x"),
        TEXT("a\r\nb"),
        TEXT("\n"),
        TEXT("\r"),
        TEXT("\0"),
        TEXT("\r\n\r\n"),
        TEXT("\xff\xfe"),
        TEXT("X: y\r\n"),
        TEXT(".\r\n"),
        TEXT("<>"),
        TEXT("\xc3\xa4"),
        TEXT("\r\nX"),
        TEXT("Z\r"),
        TEXT("\nZ"),
        TEXT("a@b@c"),
        TEXT("x@y.example"),
        TEXT("b@partner.example"),
        TEXT("550 ok\r\n250 ok"),
        TEXT("\r\n.\r\nMAIL FROM:<x>\r\n"),
    };
#undef TEXT
    return texts[hostile_random(seed, sizeof texts / sizeof *texts)];
}

static uint64_t place(uint64_t *seed, uint64_t size)
{
    static const uint64_t far[] = {0, 1, 2, UINT64_MAX, UINT64_MAX - 1, 1ull << 63, 1ull << 32};
    uint32_t how = hostile_random(seed, 10);
    if (how < 7) return hostile_random(seed, (uint32_t)size + 2);
    return how == 7 ? size : how == 8 ? size + hostile_random(seed, 3) : far[hostile_random(seed, 7)];
}

static void mutate_reply(struct reply *r, uint64_t *seed)
{
    switch (hostile_random(seed, 5)) {
    case 0: r->code = (uint16_t)hostile_random(seed, 1000); break;
    case 1: r->status.class = (uint8_t)hostile_random(seed, 10); break;
    case 2: r->status.subject = (uint16_t)hostile_random(seed, 65536); break;
    case 3: r->status.detail = (uint16_t)hostile_random(seed, 65536); break;
    default: r->text = text(seed);
    }
}

static void mutate_recipient(struct verdict_recipient *r, uint64_t *seed)
{
    switch (hostile_random(seed, 13)) {
    case 0: r->address = text(seed); break;
    case 1: r->added = !r->added; break;
    case 2: r->disposition = (uint8_t)hostile_random(seed, 256); break;
    case 3: r->need.peer = (uint8_t)hostile_random(seed, 8); break;
    case 4: r->need.floor = (uint8_t)hostile_random(seed, 8); break;
    case 5: r->need.onward = !r->need.onward; break;
    case 6: r->copy = hostile_random(seed, 2) ? hostile_random(seed, 4) : UINT32_MAX; break;
    case 7: r->connector = text(seed); break;
    case 8: r->rule = text(seed); break;
    case 9: r->tls_rule = text(seed); break;
    case 10: r->reason = text(seed); break;
    case 11: r->stands_for = hostile_random(seed, 2) ? hostile_random(seed, 5) : UINT32_MAX; break;
    default: mutate_reply(&r->reply, seed);
    }
}

/* The length is often made to fit, so that what it would hide is looked at. */
static void mutate_copy(struct verdict_copy *c, struct str content, uint64_t *seed, struct arena *a)
{
    struct piece *more = ARENA_ARRAY(a, struct piece, c->pieces.n + 1);
    size_t at = hostile_random(seed, (uint32_t)c->pieces.n + 1);
    struct piece made = {place(seed, content.n), place(seed, content.n), STR_NONE};
    if (hostile_random(seed, 2)) made = (struct piece){0, 0, text(seed)};
    switch (hostile_random(seed, 6)) {
    case 0:
        if (c->pieces.n) c->pieces.v[at % c->pieces.n].from = place(seed, content.n);
        break;
    case 1:
        if (c->pieces.n) c->pieces.v[at % c->pieces.n].to = place(seed, content.n);
        break;
    case 2:
        if (c->pieces.n) c->pieces.v[at % c->pieces.n] = made;
        break;
    case 3: /* one more */
        if (at) memcpy(more, c->pieces.v, at * sizeof *more);
        if (c->pieces.n - at) memcpy(more + at + 1, c->pieces.v + at, (c->pieces.n - at) * sizeof *more);
        more[at] = made;
        c->pieces = (struct pieces){more, c->pieces.n + 1};
        break;
    case 4:
        if (c->pieces.n) c->pieces.n--;
        break;
    default: c->sha256[hostile_random(seed, 32)] ^= 1; return;
    }
    c->length = hostile_random(seed, 4) ? pieces_length(&c->pieces) : place(seed, content.n);
}

static void mutate_evidence(struct evidence *e, uint64_t *seed)
{
    struct evidence_row *r = &e->rows[0];
    struct str *texts[] = {&r->rule, &r->test, &r->field, &r->view, &r->text, &e->lists[0].name};
    switch (hostile_random(seed, 4)) {
    case 0: r->from = hostile_random(seed, 9), r->to = hostile_random(seed, 9); break;
    case 1: r->answer = (uint8_t)hostile_random(seed, 256); break;
    case 2: e->lists[0].revision = place(seed, 9); break;
    default: *texts[hostile_random(seed, 6)] = text(seed);
    }
}

static void mutate_once(struct verdict *v, struct str content, uint64_t *seed, struct arena *a)
{
    switch (hostile_random(seed, 12)) {
    case 0: v->answer = (uint8_t)hostile_random(seed, 256); break;
    case 1: mutate_reply(&v->reply, seed); break;
    case 2: v->rule = text(seed); break;
    case 3:
        if (v->recipient_count) v->recipient_count--;
        break;
    case 4:
        if (v->hit_count)
            v->hits[0] = (struct verdict_hit){text(seed), hostile_random(seed, 2) ? 1u << hostile_random(seed, 32) : 0};
        break;
    case 5:
        if (v->note_count)
            v->notes[0] = (struct verdict_note){(uint8_t)hostile_random(seed, 4), text(seed), text(seed), text(seed)};
        break;
    case 6:
    case 7:
        if (v->recipient_count)
            mutate_recipient(&v->recipients[hostile_random(seed, (uint32_t)v->recipient_count)], seed);
        break;
    case 8:
        if (v->notice_count)
            v->notices[0] =
                (struct verdict_notice){STR("r"), text(seed), text(seed), text(seed), text(seed), false,
                                        (uint8_t)hostile_random(seed, 5)};
        break;
    case 9:
        if (v->evidence.row_count) mutate_evidence(&v->evidence, seed);
        break;
    default:
        if (v->copy_count) mutate_copy(&v->copies[hostile_random(seed, (uint32_t)v->copy_count)], content, seed, a);
    }
}

void hostile_mutate(struct verdict *v, struct str content, uint64_t *seed, struct arena *a)
{
    for (uint32_t n = 1 + hostile_random(seed, 3); n > 0; n--) mutate_once(v, content, seed, a);
}
