/* One judge: its flights in order, its watchdog, what it answers, and its end. */
#include <stdlib.h>
#include <sysexits.h>

#include "relay/events.h"
#include "relay/judges_core.h"

enum { WATCHDOG_BASE_MS = 2000, WATCHDOG_MIB_MS = 200, MIB = 1024 * 1024 };

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

void judge_remove(struct judge *j)
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

void judge_lost(struct judge *j, const char *how)
{
    struct judges *js = j->judges;
    struct relay *r = js->relay;
    js->status.deaths++;
    events_note(r, EVENT_WARNING, "judge %llu %s with %u messages; it is replaced", (unsigned long long)j->pid, how,
                j->jobs);
    judges_tell_template(js, &(struct link_message){.kind = LINK_KILL, .generation = j->pid});

    struct judge_job *condemned = NULL;
    for (unsigned i = j->in_flight; i-- > 0;) {
        struct judge_job *job = j->flights[i].job;
        if (!job) continue;
        job->judge = NULL;
        if (i > 0) {
            judges_wait_again(js, job);
        } else if (job->suspect) {
            condemned = job;
        } else {
            judges_suspect(js, job);
        }
    }
    /* Judges that die without work would be forked in a circle: those wait a second. */
    js->idle_deaths = j->judged || j->jobs ? 0 : js->idle_deaths + 1;
    judge_remove(j);
    judges_replace(js);
    if (condemned) judges_finish(js, condemned, NULL, "judging this message ended two judges");
    judges_dispatch(js);
    lists_judges_moved(r->lists);
}

/* --- what it is given --------------------------------------------------------------------------------------------- */

bool judge_push_lists(struct judge *j)
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

bool judge_is_free(const struct judge *j)
{
    return !j->full && !j->alone && j->jobs < JUDGE_IN_FLIGHT && j->judged + j->jobs < JUDGE_REPLACE_AFTER;
}

bool judge_send(struct judge *j, struct judge_job *job)
{
    struct judges *js = j->judges;
    if (!judge_push_lists(j) || j->in_flight == FLIGHTS_MAX) {
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

/* --- what it answers ---------------------------------------------------------------------------------------------- */

static void on_judge_closed(void *owner) { judge_lost(owner, "ended"); }

static void on_judge_writable(void *owner)
{
    struct judge *j = owner;
    j->full = false;
    judge_push_lists(j);
    judges_dispatch(j->judges);
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
    judge_push_lists(j);
    judges_dispatch(js);
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
        judges_dispatch(js);
        return;
    }
    struct judge_answer answer = {0};
    struct err e = {0};
    if (!decode_answer(j, job, datagram, &answer, &e)) {
        /* Not this message's fault alone, and not to be tried again: whoever answers so is not to be trusted. */
        events_note(r, EVENT_ERROR, "judge %llu answered unsoundly: %s", (unsigned long long)j->pid, e.text);
        j->flights[0].job = NULL;
        judge_lost(j, "answered unsoundly");
        judges_finish(js, job, NULL, "the judge's answer was not sound");
        return;
    }
    flight_over(j);
    if (j->judged >= JUDGE_REPLACE_AFTER && !j->in_flight) {
        judge_remove(j); /* it ends when its channel does */
        judges_spawn(js);
    }
    if (answer.kind == JUDGE_VERDICT)
        judges_finish(js, job, &answer.verdict, NULL);
    else
        judges_finish(js, job, NULL, arena_cstr(job->arena, answer.why));
    judges_dispatch(js);
}

void judge_add(struct judges *js, uint64_t pid, int fd)
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
    judge_push_lists(j);
}
