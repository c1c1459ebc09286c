#include "relay/judges_core.h"

#include <stdlib.h>
#include <sysexits.h>

#include "relay/events.h"

enum { PATIENCE_MS = 30000, RESPAWN_MS = 1000 };

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

void judges_tell_template(struct judges *js, const struct link_message *m)
{
    if (!js->template) return;
    js->out.n = 0;
    link_encode(m, &js->out);
    struct str part = buf_str(&js->out);
    /* A template that does not take a few small datagrams is not serving; its end will be noticed. */
    if (!js->relay->net->channel_send(js->relay->net->self, js->template, &part, 1, NULL, 0))
        events_note(js->relay, EVENT_WARNING, "the template does not take messages");
}

void judges_spawn(struct judges *js)
{
    if (js->retired && !js->waiting.n && !js->suspects.n) return;
    while (js->template && js->running + js->starting < js->wanted) {
        js->starting++;
        judges_tell_template(js, &(struct link_message){.kind = LINK_SPAWN});
    }
}

static void respawn_fired(void *owner)
{
    struct judges *js = owner;
    judges_spawn(js);
}

void judges_replace(struct judges *js)
{
    if (js->idle_deaths <= 2) {
        judges_spawn(js);
        return;
    }
    js->respawn.fired = respawn_fired;
    js->respawn.owner = js;
    js->relay->net->timer_set(js->relay->net->self, &js->respawn, RESPAWN_MS);
}

void judges_wait_again(struct judges *js, struct judge_job *job) { line_push_front(&js->waiting, job); }

void judges_suspect(struct judges *js, struct judge_job *job)
{
    job->suspect = true;
    line_push(&js->suspects, job);
}

void judges_finish(struct judges *js, struct judge_job *job, const struct verdict *v, const char *why)
{
    job->judge = NULL;
    if (!v) js->status.unavailable++;
    job->done(job->owner, v, why);
}

/* --- handing out -------------------------------------------------------------------------------------------------- */

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

static void give_up(struct judges *js, const char *why)
{
    for (struct judge_job *j; (j = line_pop(&js->suspects)) || (j = line_pop(&js->waiting));)
        judges_finish(js, j, NULL, why);
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

void judges_dispatch(struct judges *js)
{
    struct judge *j;
    while (js->suspects.n && (j = judge_for_suspect(js))) {
        struct judge_job *job = line_pop(&js->suspects);
        if (!judge_send(j, job)) {
            line_push_front(&js->suspects, job);
            continue;
        }
        j->alone = true;
    }
    while (js->waiting.n && (j = judge_for_waiting(js))) {
        struct judge_job *job = line_pop(&js->waiting);
        if (!judge_send(j, job)) line_push_front(&js->waiting, job);
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
    judges_spawn(js);
    judges_dispatch(js);
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

/* --- live lists --------------------------------------------------------------------------------------------------- */

void judges_lists_changed(struct judges *js)
{
    for (struct judge *j = js->list; j; j = j->next) judge_push_lists(j);
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

/* --- the template ------------------------------------------------------------------------------------------------- */

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
        judges_dispatch(js);
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

static void on_template_writable(void *owner) { judges_spawn(owner); }

static void on_template_closed(void *owner)
{
    struct judges *js = owner;
    js->relay->net->channel_close(js->relay->net->self, js->template);
    js->template = NULL;
    js->starting = 0;
    if (!js->retired) events_note(js->relay, EVENT_ERROR, "the template ended; its judges go on, but no new ones come");
    judges_dispatch(js);
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
    judges_tell_template(js, &(struct link_message){.kind = LINK_HELLO, .text = r->ports.build_id});
    judges_spawn(js);
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
