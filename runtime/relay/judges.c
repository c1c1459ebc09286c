#include "relay/judges.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/link.h"
#include "relay/events.h"
#include "relay/lists.h"

enum { WATCHDOG_BASE_MS = 2000, WATCHDOG_MIB_MS = 200, PATIENCE_MS = 30000, RESPAWN_MS = 1000, MIB = 1024 * 1024 };

/* A job on its way: outlives a withdrawn job, because the judge answers it all the same.  Or a live list. */
struct flight {
    uint64_t id, size;
    struct judge_job *job; /* NULL: withdrawn, or a list */
    bool is_list;
    size_t list;      /* index into the settings' live lists … */
    uint64_t version; /* … as of this version: lists.h */
};

enum { FLIGHTS_MAX = JUDGE_IN_FLIGHT + LIVE_LISTS_MAX };

struct judge {
    struct judges *judges;
    struct judge *next;
    struct net_channel *channel;
    uint64_t pid, judged;
    struct flight flights[FLIGHTS_MAX];
    unsigned in_flight, jobs;                           /* jobs: those that are no lists */
    uint64_t sent[LIVE_LISTS_MAX], has[LIVE_LISTS_MAX]; /* versions by list; 0: none yet */
    bool full;                 /* its socket is; writable() will come */
    bool alone;                /* holds a suspect: nothing else goes there */
    struct net_timer watchdog; /* runs for flights[0] */
};

/* A line of jobs; push at the tail, or back at the head. */
struct line {
    struct judge_job *first, *last;
    unsigned n;
};

struct judges {
    struct relay *relay;
    const struct settings *settings;
    struct net_channel *template;
    struct judge *list;
    unsigned wanted, running, starting, idle_deaths;
    struct line waiting, suspects;
    uint64_t next_id;
    struct buf out;            /* one encoded request or link message */
    struct arena *scratch;     /* for decoding answers that are about lists */
    struct net_timer patience; /* while jobs wait: since `moved_ms` none was taken */
    bool impatient;            /* … and it runs */
    struct net_timer respawn;
    int64_t moved_ms;
    bool retired;
    struct judges_status status;
};

static void line_push(struct line *l, struct judge_job *j)
{
    j->next = NULL;
    if (l->last)
        l->last->next = j;
    else
        l->first = j;
    l->last = j;
    l->n++;
}

static void line_push_front(struct line *l, struct judge_job *j)
{
    j->next = l->first;
    l->first = j;
    if (!l->last) l->last = j;
    l->n++;
}

static struct judge_job *line_pop(struct line *l)
{
    struct judge_job *j = l->first;
    if (!j) return NULL;
    l->first = j->next;
    if (!l->first) l->last = NULL;
    l->n--;
    j->next = NULL;
    return j;
}

static bool line_remove(struct line *l, struct judge_job *gone)
{
    struct judge_job *before = NULL;
    for (struct judge_job *j = l->first; j; before = j, j = j->next) {
        if (j != gone) continue;
        if (before)
            before->next = j->next;
        else
            l->first = j->next;
        if (l->last == j) l->last = before;
        l->n--;
        return true;
    }
    return false;
}

static void dispatch(struct judges *js);
static void judge_lost(struct judge *j, const char *how);

static void tell_template(struct judges *js, const struct link_message *m)
{
    if (!js->template) return;
    js->out.n = 0;
    link_encode(m, &js->out);
    struct str part = buf_str(&js->out);
    /* A template that does not take a few small datagrams is not serving; its end will be noticed. */
    if (!js->relay->net->channel_send(js->relay->net->self, js->template, &part, 1, NULL, 0))
        events_note(js->relay, EVENT_WARNING, "the template does not take messages");
}

static void spawn_missing(struct judges *js)
{
    if (js->retired && !js->waiting.n && !js->suspects.n) return;
    while (js->template && js->running + js->starting < js->wanted) {
        js->starting++;
        tell_template(js, &(struct link_message){.kind = LINK_SPAWN});
    }
}

static void finish(struct judges *js, struct judge_job *job, const struct verdict *v, const char *why)
{
    job->judge = NULL;
    if (!v) js->status.unavailable++;
    job->done(job->owner, v, why);
}

/* --- one judge -----------------------------------------------------------------------------------------------------
 */

static void watchdog_fired(void *owner)
{
    struct judge *j = owner;
    INVARIANT(j->in_flight > 0);
    judge_lost(j, "took too long");
}

static void watchdog_restart(struct judge *j)
{
    const struct net_port *net = j->judges->relay->net;
    if (!j->in_flight) {
        net->timer_clear(net->self, &j->watchdog);
        return;
    }
    int64_t ms = WATCHDOG_BASE_MS + (int64_t)(j->flights[0].size / MIB + 1) * WATCHDOG_MIB_MS;
    j->watchdog.fired = watchdog_fired;
    j->watchdog.owner = j;
    net->timer_set(net->self, &j->watchdog, ms);
}

static void judge_remove(struct judge *j)
{
    struct judges *js = j->judges;
    const struct net_port *net = js->relay->net;
    for (struct judge **at = &js->list; *at; at = &(*at)->next) {
        if (*at != j) continue;
        *at = j->next;
        break;
    }
    js->running--;
    net->timer_clear(net->self, &j->watchdog);
    net->channel_close(net->self, j->channel);
    free(j);
}

static void respawn_fired(void *owner)
{
    struct judges *js = owner;
    spawn_missing(js);
}

/* Its unanswered jobs find another judge; the oldest is under suspicion. */
static void judge_lost(struct judge *j, const char *how)
{
    struct judges *js = j->judges;
    struct relay *r = js->relay;
    js->status.deaths++;
    events_note(r, EVENT_WARNING, "judge %llu %s with %u messages; it is replaced", (unsigned long long)j->pid, how,
                j->jobs);
    tell_template(js, &(struct link_message){.kind = LINK_KILL, .generation = j->pid});

    struct judge_job *condemned = NULL;
    for (unsigned i = j->in_flight; i-- > 0;) {
        struct judge_job *job = j->flights[i].job;
        if (!job) continue;
        job->judge = NULL;
        if (i > 0) {
            line_push_front(&js->waiting, job);
        } else if (job->suspect) {
            condemned = job;
        } else {
            job->suspect = true;
            line_push(&js->suspects, job);
        }
    }
    /* Judges that die without work would be forked in a circle: those wait a second. */
    js->idle_deaths = j->judged || j->jobs ? 0 : js->idle_deaths + 1;
    judge_remove(j);
    if (js->idle_deaths > 2) {
        js->respawn.fired = respawn_fired;
        js->respawn.owner = js;
        r->net->timer_set(r->net->self, &js->respawn, RESPAWN_MS);
    } else {
        spawn_missing(js);
    }
    if (condemned) finish(js, condemned, NULL, "judging this message ended two judges");
    dispatch(js);
    lists_judges_moved(r->lists);
}

/* --- live lists ----------------------------------------------------------------------------------------------------
 */

/* Gives the judge every list that it has not got as it is now.  False when some must wait for room. */
static bool push_lists(struct judge *j)
{
    struct judges *js = j->judges;
    const struct net_port *net = js->relay->net;
    for (size_t i = 0; i < js->settings->live_list_count; i++) {
        const struct live_list_settings *l = &js->settings->live_lists[i];
        struct lists_block b = lists_block(js->relay->lists, l);
        if (j->sent[i] == b.version) continue;
        if (j->full || j->in_flight == FLIGHTS_MAX) return false;
        struct judge_list m = {.id = ++js->next_id, .name = l->name, .size = b.size};
        js->out.n = 0;
        protocol_encode_list(&m, &js->out);
        struct str part = buf_str(&js->out);
        if (!net->channel_send(net->self, j->channel, &part, 1, &b.fd, b.fd >= 0 ? 1 : 0)) {
            j->full = true;
            return false;
        }
        j->sent[i] = b.version;
        j->flights[j->in_flight++] =
            (struct flight){.id = m.id, .size = b.size, .is_list = true, .list = i, .version = b.version};
        if (j->in_flight == 1) watchdog_restart(j);
    }
    return true;
}

void judges_lists_changed(struct judges *js)
{
    for (struct judge *j = js->list; j; j = j->next) push_lists(j);
}

bool judges_have_list(const struct judges *js, struct str table, uint64_t version)
{
    for (size_t i = 0; i < js->settings->live_list_count; i++) {
        if (!str_eq(js->settings->live_lists[i].table, table)) continue;
        for (const struct judge *j = js->list; j; j = j->next)
            if (j->has[i] < version) return false;
    }
    return true;
}

static void on_judge_closed(void *owner) { judge_lost(owner, "ended"); }

static void on_judge_writable(void *owner)
{
    struct judge *j = owner;
    j->full = false;
    push_lists(j);
    dispatch(j->judges);
}

static bool decode_answer(struct judge *j, struct judge_job *job, struct str datagram, struct judge_answer *answer,
                          struct err *e)
{
    struct flight *f = &j->flights[0];
    if (!protocol_decode_answer(job->arena, arena_str(job->arena, datagram), answer, e)) return false;
    if (answer->id != f->id) return err_set(e, EX_DATAERR, "the answer is for another message");
    if (answer->kind == JUDGE_LISTED) return err_set(e, EX_DATAERR, "the answer is that of a list");
    if (answer->kind != JUDGE_VERDICT) return true;
    return verdict_is_sound(&answer->verdict, &job->request.envelope, job->request.content, e);
}

static void flight_over(struct judge *j)
{
    bool list = j->flights[0].is_list;
    j->in_flight--;
    for (unsigned i = 0; i < j->in_flight; i++) j->flights[i] = j->flights[i + 1];
    watchdog_restart(j);
    if (list) return;
    j->jobs--;
    j->judged++;
    j->judges->status.judged++;
    j->alone = false;
}

static void list_taken(struct judge *j, struct str datagram)
{
    struct judges *js = j->judges;
    const struct flight f = j->flights[0];
    struct judge_answer answer = {0};
    struct err e = {0};
    arena_reset(js->scratch);
    if (!protocol_decode_answer(js->scratch, datagram, &answer, &e) || answer.id != f.id ||
        answer.kind != JUDGE_LISTED) {
        judge_lost(j, "answered unsoundly about a list");
        return;
    }
    j->has[f.list] = f.version;
    j->full = false; /* it may have been full of lists; when its socket is, the next send will say so again */
    flight_over(j);
    push_lists(j);
    dispatch(js);
    lists_judges_moved(js->relay->lists);
}

static void on_judge_answer(void *owner, struct str datagram, const int fds[4])
{
    struct judge *j = owner;
    struct judges *js = j->judges;
    struct relay *r = js->relay;
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0) r->content->discard(r->content->self, fds[i]);
    if (!j->in_flight) {
        judge_lost(j, "answered what nobody asked");
        return;
    }
    if (j->flights[0].is_list) {
        list_taken(j, datagram);
        return;
    }
    struct judge_job *job = j->flights[0].job;
    if (!job) { /* withdrawn: nobody reads the answer */
        flight_over(j);
        dispatch(js);
        return;
    }
    struct judge_answer answer = {0};
    struct err e = {0};
    if (!decode_answer(j, job, datagram, &answer, &e)) {
        /* Not this message's fault alone, and not to be tried again: whoever answers so is not to be trusted. */
        events_note(r, EVENT_ERROR, "judge %llu answered unsoundly: %s", (unsigned long long)j->pid, e.text);
        j->flights[0].job = NULL;
        judge_lost(j, "answered unsoundly");
        finish(js, job, NULL, "the judge's answer was not sound");
        return;
    }
    flight_over(j);
    if (j->judged >= JUDGE_REPLACE_AFTER && !j->in_flight) {
        judge_remove(j); /* it ends when its channel does */
        spawn_missing(js);
    }
    if (answer.kind == JUDGE_VERDICT)
        finish(js, job, &answer.verdict, NULL);
    else
        finish(js, job, NULL, arena_cstr(job->arena, answer.why));
    dispatch(js);
}

static void judge_add(struct judges *js, uint64_t pid, int fd)
{
    static const struct net_channel_events events = {
        .received = on_judge_answer, .writable = on_judge_writable, .closed = on_judge_closed};
    struct judge *j = mem_alloc(sizeof *j);
    j->judges = js;
    j->pid = pid;
    j->channel = js->relay->net->channel_open(js->relay->net->self, fd, &events, j);
    j->next = js->list;
    js->list = j;
    js->running++;
    if (js->starting) js->starting--;
    push_lists(j);
}

/* --- handing out ---------------------------------------------------------------------------------------------------
 */

static bool judge_is_free(const struct judge *j)
{
    return !j->full && !j->alone && j->jobs < JUDGE_IN_FLIGHT && j->judged + j->jobs < JUDGE_REPLACE_AFTER;
}

static struct judge *judge_for_waiting(struct judges *js)
{
    struct judge *best = NULL;
    for (struct judge *j = js->list; j; j = j->next)
        if (judge_is_free(j) && (!best || j->jobs < best->jobs)) best = j;
    return best;
}

static struct judge *judge_for_suspect(struct judges *js)
{
    for (struct judge *j = js->list; j; j = j->next)
        if (!j->full && !j->jobs && !j->judged) return j;
    return NULL;
}

static bool send_to(struct judges *js, struct judge *j, struct judge_job *job)
{
    if (!push_lists(j) || j->in_flight == FLIGHTS_MAX) {
        j->full = true;
        return false;
    }
    js->out.n = 0;
    job->request.id = ++js->next_id;
    struct str content = protocol_encode_request(&job->request, &js->out);
    const struct str parts[] = {buf_str(&js->out), content};
    INVARIANT(job->request.content_inline == (job->fd < 0));
    if (!js->relay->net->channel_send(js->relay->net->self, j->channel, parts, 2, &job->fd, job->fd >= 0 ? 1 : 0)) {
        j->full = true;
        return false;
    }
    j->flights[j->in_flight++] = (struct flight){.id = job->request.id, .size = job->request.size, .job = job};
    j->jobs++;
    job->judge = j;
    js->moved_ms = relay_ms(js->relay);
    if (j->in_flight == 1) watchdog_restart(j);
    return true;
}

static void give_up(struct judges *js, const char *why)
{
    for (struct judge_job *j; (j = line_pop(&js->suspects)) || (j = line_pop(&js->waiting));) finish(js, j, NULL, why);
}

static void patience_fired(void *owner)
{
    struct judges *js = owner;
    const struct net_port *net = js->relay->net;
    js->impatient = false;
    if (!js->waiting.n && !js->suspects.n) return;
    int64_t waited = relay_ms(js->relay) - js->moved_ms;
    if (waited >= PATIENCE_MS) {
        give_up(js, "no judge was ready in time");
        return;
    }
    js->impatient = true;
    net->timer_set(net->self, &js->patience, PATIENCE_MS - waited);
}

static void close_if_retired(struct judges *js)
{
    if (!js->retired || js->waiting.n || js->suspects.n) return;
    for (struct judge *j = js->list, *next; j; j = next) {
        next = j->next;
        if (!j->in_flight) judge_remove(j);
    }
    if (js->list || !js->template) return;
    js->relay->net->channel_close(js->relay->net->self, js->template);
    js->template = NULL;
}

static void dispatch(struct judges *js)
{
    struct judge *j;
    while (js->suspects.n && (j = judge_for_suspect(js))) {
        struct judge_job *job = line_pop(&js->suspects);
        if (!send_to(js, j, job)) {
            line_push_front(&js->suspects, job);
            continue;
        }
        j->alone = true;
    }
    while (js->waiting.n && (j = judge_for_waiting(js))) {
        struct judge_job *job = line_pop(&js->waiting);
        if (!send_to(js, j, job)) line_push_front(&js->waiting, job);
    }
    if (js->waiting.n || js->suspects.n) {
        if (!js->list && !js->template) {
            give_up(js, "there is no judge");
        } else if (!js->impatient) {
            js->impatient = true;
            js->patience.fired = patience_fired;
            js->patience.owner = js;
            js->relay->net->timer_set(js->relay->net->self, &js->patience, PATIENCE_MS);
        }
    }
    close_if_retired(js);
}

void judges_submit(struct judges *js, struct judge_job *j)
{
    INVARIANT(!js->retired);
    j->judge = NULL;
    j->suspect = false;
    if (!js->waiting.n && !js->suspects.n) js->moved_ms = relay_ms(js->relay);
    line_push(&js->waiting, j);
    spawn_missing(js);
    dispatch(js);
}

void judges_withdraw(struct judges *js, struct judge_job *job)
{
    if (line_remove(&js->waiting, job) || line_remove(&js->suspects, job)) {
        close_if_retired(js);
        return;
    }
    struct judge *j = job->judge;
    if (!j) return;
    for (unsigned i = 0; i < j->in_flight; i++)
        if (j->flights[i].job == job) j->flights[i].job = NULL;
    job->judge = NULL;
}

/* --- the template --------------------------------------------------------------------------------------------------
 */

static void template_said(struct judges *js, const struct link_message *m, int *fd)
{
    struct relay *r = js->relay;
    switch (m->kind) {
    case LINK_HELLO:
        if (!str_eq(m->text, r->ports.build_id)) relay_fail(r, EX_SOFTWARE, "the template is of another build");
        break;
    case LINK_JUDGE:
        if (*fd < 0) break;
        judge_add(js, m->generation, *fd);
        *fd = -1;
        dispatch(js);
        break;
    case LINK_DIED:
        for (struct judge *j = js->list; j; j = j->next) {
            if (j->pid != m->generation) continue;
            char how[64];
            size_t n = m->text.n < sizeof how - 1 ? m->text.n : sizeof how - 1;
            for (size_t i = 0; i < n; i++) how[i] = ascii_is_print(m->text.p[i]) ? m->text.p[i] : '?';
            how[n] = '\0';
            judge_lost(j, n ? how : "died");
            break;
        }
        break;
    default: break; /* LINK_READY and the like are for the supervisor */
    }
}

static void on_template(void *owner, struct str datagram, const int fds[4])
{
    struct judges *js = owner;
    struct relay *r = js->relay;
    struct link_message m;
    struct err e = {0};
    int mine[4] = {fds[0], fds[1], fds[2], fds[3]};
    if (link_decode(datagram, &m, &e))
        template_said(js, &m, &mine[0]);
    else
        events_note(r, EVENT_ERROR, "the template sent nonsense: %s", e.text);
    for (int i = 0; i < 4; i++)
        if (mine[i] >= 0) r->content->discard(r->content->self, mine[i]);
}

static void on_template_writable(void *owner) { spawn_missing(owner); }

static void on_template_closed(void *owner)
{
    struct judges *js = owner;
    js->relay->net->channel_close(js->relay->net->self, js->template);
    js->template = NULL;
    js->starting = 0;
    if (!js->retired) events_note(js->relay, EVENT_ERROR, "the template ended; its judges go on, but no new ones come");
    dispatch(js);
}

struct judges *judges_create(struct relay *r, int template, unsigned wanted, const struct settings *s)
{
    static const struct net_channel_events events = {
        .received = on_template, .writable = on_template_writable, .closed = on_template_closed};
    struct judges *js = mem_alloc(sizeof *js);
    js->relay = r;
    js->settings = s;
    js->scratch = arena_create();
    js->wanted = wanted ? wanted : 1;
    js->template = r->net->channel_open(r->net->self, template, &events, js);
    tell_template(js, &(struct link_message){.kind = LINK_HELLO, .text = r->ports.build_id});
    spawn_missing(js);
    return js;
}

void judges_retire(struct judges *js)
{
    js->retired = true;
    close_if_retired(js);
}

void judges_free(struct judges **at)
{
    struct judges *js = *at;
    *at = NULL;
    if (!js) return;
    const struct net_port *net = js->relay->net;
    INVARIANT(!js->waiting.n && !js->suspects.n);
    while (js->list) {
        for (unsigned i = 0; i < js->list->in_flight; i++) INVARIANT(!js->list->flights[i].job);
        judge_remove(js->list);
    }
    if (js->template) net->channel_close(net->self, js->template);
    net->timer_clear(net->self, &js->patience);
    net->timer_clear(net->self, &js->respawn);
    buf_free(&js->out);
    arena_free(&js->scratch);
    free(js);
}

struct judges_status judges_status(const struct judges *js)
{
    struct judges_status s = js->status;
    s.running = js->running;
    s.starting = js->starting;
    s.waiting = js->waiting.n + js->suspects.n;
    for (const struct judge *j = js->list; j; j = j->next) s.in_flight += j->jobs;
    return s;
}
