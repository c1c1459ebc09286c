/* Channels and who is at their other ends: the supervisor (the test), templates and judges (played here). */
#include <string.h>

#include "tests/support/memory_impl.h"

struct mem_fd *memory_fd(struct memory *m, int fd)
{
    INVARIANT(fd >= 1000 && (size_t)fd - 1000 < m->impl->fds.n);
    return &m->impl->fds.v[fd - 1000];
}

int memory_fd_new(struct memory *m, struct mem_fd fd)
{
    VEC_PUSH(&m->impl->fds, fd);
    return 1000 + (int)m->impl->fds.n - 1;
}

static int peer_new(struct memory *m, enum peer_role role, struct peer **out)
{
    struct peer *p = mem_alloc(sizeof *p);
    p->memory = m;
    p->role = role;
    p->next = m->impl->peers;
    m->impl->peers = p;
    *out = p;
    return memory_fd_new(m, (struct mem_fd){.kind = FD_CHANNEL, .peer = p});
}

static void post(struct peer *p, bool to_relay, struct str bytes, const int *fds, size_t nfds)
{
    struct impl *im = p->memory->impl;
    struct parcel *parcel = mem_alloc(sizeof *parcel + bytes.n);
    parcel->peer = p;
    parcel->to_relay = to_relay;
    parcel->n = bytes.n;
    if (bytes.n) memcpy(parcel->bytes, bytes.p, bytes.n);
    for (size_t i = 0; i < 4; i++) parcel->fds[i] = i < nfds ? fds[i] : -1;
    *im->parcels_end = parcel;
    im->parcels_end = &parcel->next;
}

static void post_link(struct peer *p, const struct link_message *message, const int *fds, size_t nfds)
{
    struct buf out = {0};
    link_encode(message, &out);
    post(p, true, buf_str(&out), fds, nfds);
    buf_free(&out);
}

int memory_supervisor(struct memory *m)
{
    struct peer *p;
    return peer_new(m, PEER_SUPERVISOR, &p);
}

int memory_template(struct memory *m)
{
    struct peer *p;
    return peer_new(m, PEER_TEMPLATE, &p);
}

void memory_link(struct memory *m, const struct link_message *message, const int fds[4])
{
    for (struct peer *p = m->impl->peers; p; p = p->next)
        if (p->role == PEER_SUPERVISOR) post_link(p, message, fds, fds ? 4 : 0);
}

/* --- the port ----------------------------------------------------------------------------------------------------- */

static struct net_channel *port_open(void *self, int fd, const struct net_channel_events *ev, void *owner)
{
    struct mem_fd *f = memory_fd(self, fd);
    INVARIANT(f->kind == FD_CHANNEL);
    f->kind = FD_NONE;
    struct net_channel *c = mem_alloc(sizeof *c);
    *c = (struct net_channel){.peer = f->peer, .events = ev, .owner = owner};
    f->peer->channel = c;
    return c;
}

static bool port_send(void *self, struct net_channel *c, const struct str *parts, size_t n, const int *fds, size_t nfds)
{
    struct buf whole = {0};
    (void)self;
    for (size_t i = 0; i < n; i++) buf_add(&whole, parts[i]);
    post(c->peer, false, buf_str(&whole), fds, nfds);
    buf_free(&whole);
    return true;
}

static void port_close(void *self, struct net_channel *c)
{
    struct memory *m = self;
    if (c->peer->role == PEER_TEMPLATE) m->retired++;
    c->peer->channel = NULL;
    free(c);
}

void memory_channels_init(struct memory *m)
{
    m->net.channel_open = port_open;
    m->net.channel_send = port_send;
    m->net.channel_close = port_close;
    m->impl->parcels_end = &m->impl->parcels;
}

/* --- who plays there ---------------------------------------------------------------------------------------------- */

static void supervisor_reads(struct peer *p, const struct link_message *message)
{
    struct memory *m = p->memory;
    buf_add_byte(&m->supervisor, (char)message->kind);
    if (message->kind != LINK_REFUSED) return;
    m->said.n = 0;
    buf_add(&m->said, message->text);
}

static void template_reads(struct peer *p, const struct link_message *message)
{
    struct memory *m = p->memory;
    if (message->kind == LINK_SPAWN) {
        struct peer *judge;
        int fd = peer_new(m, PEER_JUDGE, &judge);
        judge->pid = ++m->impl->next_pid;
        judge->template = p;
        m->spawned++;
        post_link(p, &(struct link_message){.kind = LINK_JUDGE, .generation = judge->pid}, &fd, 1);
    } else if (message->kind == LINK_KILL) {
        for (struct peer *judge = m->impl->peers; judge; judge = judge->next)
            if (judge->role == PEER_JUDGE && judge->pid == message->generation && !judge->died) {
                judge->died = true;
                m->killed++;
            }
    }
}

static void accept_all(const struct judge_request *request, struct arena *a, struct judge_answer *answer)
{
    size_t n = request->envelope.recipient_count;
    struct verdict *v = &answer->verdict;
    v->recipients = ARENA_ARRAY(a, struct verdict_recipient, n);
    v->recipient_count = n;
    v->copies = ARENA_NEW(a, struct verdict_copy);
    v->copy_count = 1;
    v->copies->pieces.v = ARENA_NEW(a, struct piece);
    v->copies->pieces.n = 1;
    v->copies->pieces.v[0] = (struct piece){.from = 0, .to = request->size};
    v->copies->length = request->size;
    for (size_t i = 0; i < n; i++)
        v->recipients[i] = (struct verdict_recipient){.address = request->envelope.recipients[i]};
}

/* A live list is taken as it comes; the block itself is a judge's to verify. */
static void judge_takes_list(struct peer *p, struct str datagram)
{
    struct judge_list l;
    struct err e = {0};
    struct buf out = {0};
    bool good = protocol_decode_list(datagram, &l, &e);
    INVARIANT(good);
    p->memory->listed++;
    if (p->memory->list_kills) p->died = true;
    if (!p->died) protocol_encode_answer(&(struct judge_answer){.id = l.id, .kind = JUDGE_LISTED}, &out);
    if (out.n) post(p, true, buf_str(&out), NULL, 0);
    buf_free(&out);
}

static void judge_reads(struct peer *p, struct str datagram)
{
    struct memory *m = p->memory;
    if (protocol_is_list(datagram)) {
        judge_takes_list(p, datagram);
        return;
    }
    struct arena *a = arena_create();
    struct judge_request request;
    struct judge_answer answer = {0};
    struct err e = {0};
    bool good = protocol_decode_request(a, datagram, &request, &e);
    INVARIANT(good);
    answer.id = request.id;
    accept_all(&request, a, &answer);
    enum judge_behaviour what = m->script ? m->script(m->script_owner, &request, a, &answer) : JUDGE_ANSWERS;
    struct buf out = {0};
    if (what == JUDGE_DIES) p->died = true;
    if (what == JUDGE_ANSWERS) protocol_encode_answer(&answer, &out);
    if (what == JUDGE_LIES) buf_add(&out, STR("\1\2\3\4 not an answer"));
    if (out.n) post(p, true, buf_str(&out), NULL, 0);
    buf_free(&out);
    arena_free(&a);
}

static void deliver(struct memory *m, struct parcel *parcel)
{
    struct peer *p = parcel->peer;
    struct str bytes = {parcel->bytes, parcel->n};
    if (parcel->to_relay) {
        if (p->channel && !(p->role == PEER_JUDGE && p->told))
            p->channel->events->received(p->channel->owner, bytes, parcel->fds);
        return;
    }
    if (p->role == PEER_JUDGE) {
        if (!p->died) judge_reads(p, bytes);
        return;
    }
    struct link_message message;
    struct err e = {0};
    bool good = link_decode(bytes, &message, &e);
    INVARIANT(good);
    if (p->role == PEER_SUPERVISOR)
        supervisor_reads(p, &message);
    else
        template_reads(p, &message);
    (void)m;
}

bool memory_channels_step(struct memory *m)
{
    struct impl *im = m->impl;
    struct parcel *parcel = im->parcels;
    if (parcel) {
        im->parcels = parcel->next;
        if (!im->parcels) im->parcels_end = &im->parcels;
        deliver(m, parcel);
        free(parcel);
        return true;
    }
    for (struct peer *p = im->peers; p; p = p->next) {
        if (p->role != PEER_JUDGE || !p->died || p->told) continue;
        p->told = true;
        if (p->channel) p->channel->events->closed(p->channel->owner);
        if (p->template->channel)
            post_link(p->template,
                      &(struct link_message){.kind = LINK_DIED, .generation = p->pid, .text = STR("signal 9")}, NULL,
                      0);
        return true;
    }
    return false;
}
