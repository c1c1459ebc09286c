/* The relay's own house: the supervisor, the template, and judges that die.
 *
 * The judges are the real ones: judge_message over the real compiler's program, through the protocol's codec; only
 * their process is missing.  A channel keeps its datagrams in order. */
#include <stdio.h>
#include <string.h>

#include "base/link.h"
#include "builder/build.h"
#include "judge/judge.h"
#include "tests/sim/sim.h"
#include "tests/support/compiled.h"

enum { FIRST_CHANNEL = 600000, SETS = 2 };
enum role { SUPERVISOR, TEMPLATE, JUDGE };

struct parcel {
    struct parcel *next;
    struct buf bytes, content; /* content: what a descriptor beside it holds */
    int fds[4];
};
struct queue {
    struct parcel *first, **end;
    struct sim_event *due;
};

struct peer {
    struct peer *next;
    enum role role;
    unsigned life;
    int fd;
    struct net_channel *channel; /* the relay's end; NULL before it is opened and after */
    struct peer *template;       /* a judge's */
    int set;                     /* which rules: a template's and a judge's */
    uint64_t pid;
    bool died, told, hangs;
    struct queue to_relay, to_peer;
};

struct net_channel {
    struct peer *peer;
    const struct net_channel_events *events;
    void *owner;
};

static struct compiled compiled[SETS];
static struct judge *judges[SETS];
static struct buf blocks[SETS]; /* encoded settings */
static struct settings settings[SETS];
static struct peer *peers;
static uint64_t generation, pids;
static int channel_count, set_in_force;

static void compile(int set, const char *text)
{
    struct buf words = {0};
    struct err e = {0};
    for (const char *p = text; *p; p++) {
        if (strncmp(p, "\"SET\"", 5) == 0) {
            buf_printf(&words, "\"%c\"", 'A' + set);
            p += 4;
        } else {
            buf_add_byte(&words, *p);
        }
    }
    compiled_open(&compiled[set], buf_str(&words));
    if (!compiled[set].program) fprintf(stderr, "%.*s\n", STR_ARG(compiled_diagnostics(&compiled[set])));
    INVARIANT(compiled[set].program != NULL);
    if (!settings_from_program(compiled[set].arena, compiled[set].program, NULL, &settings[set], &e)) {
        fprintf(stderr, "%s\n", e.text);
        INVARIANT(!"settings");
    }
    settings_encode(&settings[set], &blocks[set]);
    judges[set] = judge_create(compiled[set].program, &settings[set], &e);
    INVARIANT(judges[set] != NULL);
}

void channels_prepare(void)
{
    struct buf text = {0};
    struct err e = {0};
    INVARIANT(build_read_file("tests/sim/rules.sluice", 100000, &text, &e));
    buf_add_byte(&text, '\0');
    for (int set = 0; set < SETS; set++) compile(set, text.p);
    buf_free(&text);
}

/* --- datagrams ---------------------------------------------------------------------------------------------------- */

static void carry_to_relay(void *what);
static void carry_to_peer(void *what);

static void start(struct peer *p, bool to_relay)
{
    struct queue *q = to_relay ? &p->to_relay : &p->to_peer;
    if (q->first && !q->due)
        q->due = sim_after_alive(sim_between(5, 500), to_relay ? carry_to_relay : carry_to_peer, p);
}

static struct parcel *post(struct peer *p, bool to_relay, struct str bytes, const int *fds, size_t nfds)
{
    struct queue *q = to_relay ? &p->to_relay : &p->to_peer;
    struct parcel *parcel = mem_alloc(sizeof *parcel);
    buf_add(&parcel->bytes, bytes);
    for (size_t i = 0; i < 4; i++) parcel->fds[i] = i < nfds ? fds[i] : -1;
    if (!q->first) q->end = &q->first;
    *q->end = parcel;
    q->end = &parcel->next;
    start(p, to_relay);
    return parcel;
}

static void post_link(struct peer *p, const struct link_message *message, const int *fds, size_t nfds)
{
    struct buf out = {0};
    link_encode(message, &out);
    post(p, true, buf_str(&out), fds, nfds);
    buf_free(&out);
}

static struct peer *peer_new(enum role role, struct peer *template, int set)
{
    struct peer *p = mem_alloc(sizeof *p);
    *p = (struct peer){.next = peers, .role = role, .life = world.life, .template = template, .set = set};
    p->fd = FIRST_CHANNEL + channel_count++;
    peers = p;
    return p;
}

/* --- judges ------------------------------------------------------------------------------------------------------- */

static void tell_death(void *what)
{
    struct peer *p = what;
    if (p->told) return;
    p->told = true;
    sim_trace("judge %llu died", (unsigned long long)p->pid);
    if (p->channel) p->channel->events->closed(p->channel->owner);
    struct link_message died = {.kind = LINK_DIED, .generation = p->pid, .text = STR("signal 9")};
    if (p->template->channel) post_link(p->template, &died, NULL, 0);
}

static void kill_judge(struct peer *p)
{
    if (p->died) return;
    p->died = true;
    sim_after_alive(sim_between(10, 1000), tell_death, p);
}

static void judge_reads(struct peer *p, const struct parcel *parcel)
{
    struct arena *a = arena_create();
    struct judge_request r;
    struct judge_answer answer = {0};
    struct buf out = {0};
    struct err e = {0};
    if (p->died || p->hangs) return;
    INVARIANT(!protocol_is_list(buf_str(&parcel->bytes)) &&
              protocol_decode_request(a, buf_str(&parcel->bytes), &r, &e));
    struct str content = r.content_inline ? r.content : buf_str(&parcel->content);
    INVARIANT(content.n == r.size);
    if (sim_happens(POINT_JUDGE_DIES)) {
        kill_judge(p);
    } else if (sim_happens(POINT_JUDGE_HANGS)) {
        p->hangs = true;
    } else if (sim_happens(POINT_JUDGE_LIES)) {
        buf_add(&out, STR("\1\2\3\4 not an answer"));
    } else {
        judge_message(judges[p->set], a, &r, content, &answer, NULL);
        protocol_encode_answer(&answer, &out);
    }
    sim_trace("judge %llu judged %.*s: %zu bytes", (unsigned long long)p->pid, STR_ARG(r.queue_id), out.n);
    if (out.n) post(p, true, buf_str(&out), NULL, 0);
    buf_free(&out);
    arena_free(&a);
}

static void template_reads(struct peer *p, const struct link_message *message)
{
    if (message->kind == LINK_SPAWN) {
        struct peer *judge = peer_new(JUDGE, p, p->set);
        judge->pid = ++pids;
        post_link(p, &(struct link_message){.kind = LINK_JUDGE, .generation = judge->pid}, &judge->fd, 1);
    } else if (message->kind == LINK_KILL) {
        for (struct peer *judge = peers; judge; judge = judge->next)
            if (judge->role == JUDGE && judge->pid == message->generation) kill_judge(judge);
    }
}

static struct parcel *take(struct queue *q)
{
    struct parcel *parcel = q->first;
    q->due = NULL;
    if (parcel) q->first = parcel->next;
    return parcel;
}

static void parcel_free(struct parcel *parcel)
{
    buf_free(&parcel->bytes);
    buf_free(&parcel->content);
    free(parcel);
}

static void carry_to_relay(void *what)
{
    struct peer *p = what;
    if (!p->channel) { /* not opened yet: opening starts it */
        p->to_relay.due = NULL;
        return;
    }
    struct parcel *parcel = take(&p->to_relay);
    if (!p->told) p->channel->events->received(p->channel->owner, buf_str(&parcel->bytes), parcel->fds);
    parcel_free(parcel);
    start(p, true);
}

static void carry_to_peer(void *what)
{
    struct peer *p = what;
    struct parcel *parcel = take(&p->to_peer);
    struct link_message message;
    struct err e = {0};
    if (p->role == JUDGE) {
        judge_reads(p, parcel);
    } else {
        INVARIANT(link_decode(buf_str(&parcel->bytes), &message, &e));
        if (p->role == TEMPLATE) template_reads(p, &message);
        if (message.kind == LINK_REFUSED) sim_violation("the relay refuses a generation: %.*s", STR_ARG(message.text));
        if (message.kind == LINK_READY) sim_trace("generation %llu in force", (unsigned long long)message.generation);
    }
    parcel_free(parcel);
    start(p, false);
}

/* --- the port ----------------------------------------------------------------------------------------------------- */

static struct net_channel *port_open(void *self, int fd, const struct net_channel_events *ev, void *owner)
{
    struct peer *p = peers;
    (void)self;
    while (p && p->fd != fd) p = p->next;
    INVARIANT(p && !p->channel);
    struct net_channel *c = mem_alloc(sizeof *c);
    *c = (struct net_channel){p, ev, owner};
    p->channel = c;
    start(p, true);
    return c;
}

static bool port_send(void *self, struct net_channel *c, const struct str *parts, size_t n, const int *fds, size_t nfds)
{
    struct buf whole = {0};
    (void)self;
    for (size_t i = 0; i < n; i++) buf_add(&whole, parts[i]);
    struct parcel *parcel = post(c->peer, false, buf_str(&whole), fds, nfds);
    if (nfds) buf_add(&parcel->content, libc_bytes(fds[0]));
    buf_free(&whole);
    return true;
}

static void port_close(void *self, struct net_channel *c)
{
    (void)self;
    c->peer->channel = NULL;
    if (c->peer->role == JUDGE) c->peer->died = c->peer->told = true; /* it reads EOF and ends */
}

void channels_fill_port(struct net_port *p)
{
    p->channel_open = port_open;
    p->channel_send = port_send;
    p->channel_close = port_close;
}

/* --- the supervisor ----------------------------------------------------------------------------------------------- */

int channels_supervisor(void) { return peer_new(SUPERVISOR, NULL, 0)->fd; }

static struct peer *supervisor(void)
{
    struct peer *p = peers;
    while (p && !(p->role == SUPERVISOR && p->life == world.life)) p = p->next;
    return p;
}

static void say(struct link_message message, int first, int second, int third)
{
    message.generation = generation;
    post_link(supervisor(), &message, (int[4]){first, second, third, -1}, 4);
}

void channels_control(void) { say((struct link_message){.kind = LINK_CONTROL}, SOCKET_CONTROL, -1, -1); }

void channels_generation(void)
{
    set_in_force = generation++ ? (int)sim_roll(SETS) : 0;
    say((struct link_message){.kind = LINK_BEGIN}, libc_memory_file(buf_str(&blocks[set_in_force])), -1, -1);
    say((struct link_message){.kind = LINK_LISTENER, .name = STR("inbound")}, SOCKET_INBOUND,
        libc_memory_file(STR("certificate")), libc_memory_file(STR("key")));
    say((struct link_message){.kind = LINK_TEMPLATE}, peer_new(TEMPLATE, NULL, set_in_force)->fd, -1, -1);
    say((struct link_message){.kind = LINK_COMMIT}, -1, -1, -1);
}

void channels_stop(void)
{
    if (supervisor()) say((struct link_message){.kind = LINK_STOP}, -1, -1, -1);
}

void channels_forget(void) { peers = NULL; }
