#include "relay/reload.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/limits.h"
#include "base/link.h"
#include "relay/control.h"
#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/lists.h"
#include "relay/queue.h"
#include "relay/receive.h"

enum { KEY_MAX = 1024 * 1024, PASSWORD_MAX = 4096 };

struct reload {
    struct relay *relay;
    struct net_channel *channel;
    struct generation *making; /* between BEGIN and COMMIT */
    int template;              /* of it; -1: not yet */
    struct err failure;        /* why it cannot be taken; sysexit 0: nothing is wrong so far */
    struct buf text;           /* what is to be answered: COMMIT's text, and what the relay has to add */
    bool has_resolver;         /* dns_use was called with the settings in force */
    uint32_t rules;            /* COMMIT's */
    bool queue_loaded, commit_waits;
    struct reload_waiter *asked, *next_round;
    struct buf out;
};

static void tell(struct reload *rl, const struct link_message *m)
{
    struct relay *r = rl->relay;
    if (!rl->channel) return;
    rl->out.n = 0;
    link_encode(m, &rl->out);
    struct str part = buf_str(&rl->out);
    if (!r->net->channel_send(r->net->self, rl->channel, &part, 1, NULL, 0))
        events_note(r, EVENT_ERROR, "the supervisor does not take messages");
}

/* --- those who asked ---------------------------------------------------------------------------------------------- */

void reload_ask(struct reload *rl, struct reload_waiter *w)
{
    /* While a generation is in the making, the files may have been read already: such a one is answered by the next. */
    struct reload_waiter **list = rl->asked || rl->making ? &rl->next_round : &rl->asked;
    while (*list) list = &(*list)->next;
    w->next = NULL;
    *list = w;
    if (rl->asked == w) tell(rl, &(struct link_message){.kind = LINK_RELOAD});
}

void reload_withdraw(struct reload *rl, struct reload_waiter *w)
{
    struct reload_waiter **lists[] = {&rl->asked, &rl->next_round};
    for (size_t i = 0; i < 2; i++)
        for (struct reload_waiter **at = lists[i]; *at; at = &(*at)->next) {
            if (*at != w) continue;
            *at = w->next;
            return;
        }
}

static void answer_all(struct reload *rl, bool ok, struct str text)
{
    struct reload_waiter *list = rl->asked;
    rl->asked = rl->next_round;
    rl->next_round = NULL;
    while (list) {
        struct reload_waiter *w = list;
        list = w->next;
        w->done(w->owner, ok, text);
    }
    if (rl->asked) tell(rl, &(struct link_message){.kind = LINK_RELOAD});
}

/* --- a generation in the making ----------------------------------------------------------------------------------- */

static void discard_making(struct reload *rl)
{
    struct relay *r = rl->relay;
    generation_unref(&rl->making);
    if (rl->template >= 0) r->content->discard(r->content->self, rl->template);
    rl->template = -1;
    rl->failure = (struct err){0};
    rl->commit_waits = false;
}

static void begin(struct reload *rl, const struct link_message *m, int *fd)
{
    struct relay *r = rl->relay;
    struct buf block = {0};
    discard_making(rl);
    if (*fd < 0) {
        err_set(&rl->failure, EX_SOFTWARE, "the supervisor sent no settings");
        return;
    }
    int mine = *fd;
    *fd = -1;
    if (r->content->fetch(r->content->self, mine, LIMIT_SETTINGS_BLOCK, &block, &rl->failure))
        rl->making = generation_create(r, m->generation, m->flags, buf_str(&block), &rl->failure);
    buf_free(&block);
}

static void *make_tls(struct reload *rl, int fds[4], struct str *problem)
{
    struct relay *r = rl->relay;
    struct buf certificate = {0}, key = {0};
    struct err e = {0};
    void *context = NULL;
    bool good = r->content->fetch(r->content->self, fds[1], KEY_MAX, &certificate, &e);
    fds[1] = -1;
    if (good) {
        good = r->content->fetch(r->content->self, fds[2], KEY_MAX, &key, &e);
        fds[2] = -1;
    }
    if (good) context = r->net->tls_server_context(r->net->self, buf_str(&certificate), buf_str(&key), &e);
    if (!context) *problem = arena_str(rl->making->arena, str_of(e.text));
    for (size_t i = 0; i < key.n; i++) ((volatile char *)key.p)[i] = 0;
    buf_free(&certificate);
    buf_free(&key);
    return context;
}

static void listener(struct reload *rl, const struct link_message *m, int fds[4])
{
    if (!rl->making) return;
    struct listener *l = generation_listener(rl->making, m->name);
    if (!l || l->fd >= 0 || fds[0] < 0) {
        err_set(&rl->failure, EX_SOFTWARE, "the supervisor's listener %.*s does not fit the settings",
                STR_ARG(m->name));
        return;
    }
    l->fd = fds[0];
    fds[0] = -1;
    if (fds[1] >= 0 && fds[2] >= 0) l->tls = make_tls(rl, fds, &l->tls_problem);
}

static void password(struct reload *rl, const struct link_message *m, int *fd)
{
    struct relay *r = rl->relay;
    struct generation *g = rl->making;
    if (!g) return;
    const struct connector_settings *k = settings_connector(&g->settings, m->name);
    struct buf *out = k ? &g->passwords[k - g->settings.connectors] : NULL;
    if (!k || !k->user.n || out->n || *fd < 0) {
        err_set(&rl->failure, EX_SOFTWARE, "the supervisor's password for %.*s does not fit the settings",
                STR_ARG(m->name));
        return;
    }
    int mine = *fd;
    *fd = -1;
    r->content->fetch(r->content->self, mine, PASSWORD_MAX, out, &rl->failure);
}

/* What only a restart can change (DESIGN section 7). */
static bool needs_restart(const struct settings *old, const struct settings *new, struct err *e)
{
    const struct {
        const char *name;
        struct str was, is;
    } rows[] = {{"hostname", old->hostname, new->hostname},
                {"state", old->state, new->state},
                {"control", old->control, new->control},
                {"user", old->user, new->user},
                {"judge_user", old->judge_user, new->judge_user}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_eq(rows[i].was, rows[i].is)) continue;
        err_set(e, EX_CONFIG, "relay %s \"%.*s\" was \"%.*s\": this change needs a restart", rows[i].name,
                STR_ARG(rows[i].is), STR_ARG(rows[i].was));
        return true;
    }
    return false;
}

/* A listener that is to offer STARTTLS never comes up without: it has a context, or the one before keeps its own. */
static bool has_its_tls(struct generation *old, const struct listener *l)
{
    if (l->tls || !l->settings->certificate.n) return true;
    struct listener *before = old ? generation_listener(old, l->settings->name) : NULL;
    return before && before->tls;
}

static bool is_whole(struct reload *rl, uint64_t number)
{
    if (rl->failure.sysexit) return false;
    if (!rl->making || rl->making->number != number || rl->template <0)
        return err_set(&rl->failure, EX_SOFTWARE, "the supervisor committed what it did not send");
    for (size_t i = 0; i < rl->making->settings.listener_count; i++) {
        const struct listener *l = &rl->making->listeners[i];
        if (l->fd < 0)
            return err_set(&rl->failure, EX_SOFTWARE, "listener %.*s has no socket", STR_ARG(l->settings->name));
        if (!has_its_tls(rl->relay->current, l))
            return err_set(&rl->failure, EX_CONFIG, "listener \"%.*s\": certificate: %.*s", STR_ARG(l->settings->name),
                           STR_ARG(l->tls_problem));
    }
    for (size_t i = 0; i < rl->making->settings.connector_count; i++) {
        const struct connector_settings *k = &rl->making->settings.connectors[i];
        if (k->user.n && !generation_password(rl->making, k).n)
            return err_set(&rl->failure, EX_SOFTWARE, "connector %.*s has no password", STR_ARG(k->name));
    }
    if (rl->relay->current) return !needs_restart(&rl->relay->current->settings, &rl->making->settings, &rl->failure);
    return true;
}

/* A certificate that could not be used leaves its listener with the one it had; whoever asked is told, and so is the
 * supervisor, lest the next process be given the bad one. */
static void keep_old_certificates(struct reload *rl, struct generation *old, struct generation *new)
{
    for (size_t i = 0; i < new->settings.listener_count; i++) {
        struct listener *l = &new->listeners[i];
        if (l->tls || !l->settings->certificate.n) continue;
        struct listener *before = generation_listener(old, l->settings->name);
        INVARIANT(before && before->tls);
        l->tls = before->tls;
        before->tls = NULL;
        events_note(rl->relay, EVENT_ERROR, "listener %.*s: certificate: %.*s; the one in use stays",
                    STR_ARG(l->settings->name), STR_ARG(l->tls_problem));
        buf_printf(&rl->text, "listener \"%.*s\": certificate: %.*s; the one in use stays\n",
                   STR_ARG(l->settings->name), STR_ARG(l->tls_problem));
        tell(rl, &(struct link_message){.kind = LINK_LISTENER, .generation = new->number, .name = l->settings->name});
    }
}

/* Whom to ask for mail exchangers.  A resolver that cannot be set up is told; the one in use stays. */
static void use_resolver(struct reload *rl, const struct generation *old, const struct generation *new)
{
    const struct net_port *net = rl->relay->net;
    const struct settings *is = &new->settings, *was = old ? &old->settings : NULL;
    bool same = was && str_eq(was->resolver, is->resolver) && str_eq(was->trust_anchor, is->trust_anchor);
    bool asks = false;
    for (size_t i = 0; i < is->connector_count; i++) asks |= is->connectors[i].host.n == 0;
    struct err e = {0};
    if (!asks || (same && rl->has_resolver)) return;
    if (net->dns_use(net->self, is->resolver, is->trust_anchor, &e)) {
        rl->has_resolver = true;
        return;
    }
    events_note(rl->relay, EVENT_ERROR, "%s", e.text);
    buf_printf(&rl->text, "%s\n", e.text);
}

static void swap(struct reload *rl)
{
    struct relay *r = rl->relay;
    struct generation *old = r->current, *new = rl->making;
    unsigned wanted = new->settings.judges ? new->settings.judges : r->ports.judges;
    rl->making = NULL;
    new->judges = judges_create(r, rl->template, wanted, &new->settings);
    rl->template = -1;
    if (old) keep_old_certificates(rl, old, new);
    use_resolver(rl, old, new);
    new->rules = rl->rules;
    r->current = new;
    for (size_t i = 0; i < new->settings.listener_count; i++) receive_open(&new->listeners[i]);
    if (old) {
        /* The same sockets, through the new generation's descriptors: nobody in the backlog is lost. */
        generation_unlisten(old);
        judges_retire(old->judges);
        generation_unref(&old);
        deliver_generation_changed(r->deliver);
    }
    tell(rl, &(struct link_message){.kind = LINK_READY, .generation = new->number});
    log_set_form(r->ports.log, new->settings.log_json ? LOG_JSON : LOG_TEXT);
    events_note(r, EVENT_INFO, "generation %llu is in force: %u rules", (unsigned long long)new->number,
                (unsigned)rl->rules);
    buf_printf(&rl->text, "generation %llu is in force: %u rule%s", (unsigned long long)new->number,
               (unsigned)rl->rules, rl->rules == 1 ? "" : "s");
    answer_all(rl, true, buf_str(&rl->text));
    lists_judges_moved(r->lists);
    queue_clamp(r->queue);
    queue_pump(r->queue);
}

static void refuse(struct reload *rl, uint64_t number)
{
    struct str why = str_of(rl->failure.text);
    events_note(rl->relay, EVENT_ERROR, "generation %llu is refused: %s", (unsigned long long)number, rl->failure.text);
    tell(rl, &(struct link_message){.kind = LINK_REFUSED, .generation = number, .text = why});
    answer_all(rl, false, why);
    discard_making(rl);
}

/* The live lists are read by now: what their tables hold must be what these rules make of them. */
static void take(struct reload *rl, uint64_t number)
{
    if (lists_fit(rl->relay->lists, &rl->making->settings, &rl->failure))
        swap(rl);
    else
        refuse(rl, number);
}

static void commit(struct reload *rl, uint64_t number, uint32_t rules, struct str text)
{
    rl->rules = rules;
    rl->text.n = 0;
    buf_add(&rl->text, text);
    if (text.n && text.p[text.n - 1] != '\n') buf_add_byte(&rl->text, '\n');
    if (!is_whole(rl, number)) {
        refuse(rl, number);
        return;
    }
    if (!rl->queue_loaded) {
        rl->commit_waits = true;
        return;
    }
    take(rl, number);
}

void reload_queue_loaded(struct reload *rl, const char *failure)
{
    if (failure) {
        relay_fail(rl->relay, EX_IOERR, failure);
        return;
    }
    rl->queue_loaded = true;
    if (!rl->commit_waits) return;
    rl->commit_waits = false;
    take(rl, rl->making->number);
}

/* --- the channel -------------------------------------------------------------------------------------------------- */

static void said(struct reload *rl, const struct link_message *m, int fds[4])
{
    struct relay *r = rl->relay;
    switch (m->kind) {
    case LINK_HELLO:
        if (!str_eq(m->text, r->ports.build_id)) relay_fail(r, EX_SOFTWARE, "the supervisor is of another build");
        break;
    case LINK_BEGIN: begin(rl, m, &fds[0]); break;
    case LINK_LISTENER: listener(rl, m, fds); break;
    case LINK_PASSWORD: password(rl, m, &fds[0]); break;
    case LINK_TEMPLATE:
        if (rl->making && rl->template <0) {
            rl->template = fds[0];
            fds[0] = -1;
        }
        break;
    case LINK_COMMIT: commit(rl, m->generation, m->flags, m->text); break;
    case LINK_REFUSED:
        discard_making(rl);
        answer_all(rl, false, m->text);
        break;
    case LINK_CONTROL:
        control_open(r->control, fds[0]);
        fds[0] = -1;
        break;
    case LINK_STOP: relay_stop(r); break;
    default:
        events_note(r, EVENT_ERROR, "the supervisor sent a message of kind %u, which is not for a relay",
                    (unsigned)m->kind);
    }
}

static void on_datagram(void *owner, struct str datagram, const int given[4])
{
    struct reload *rl = owner;
    struct relay *r = rl->relay;
    struct link_message m;
    struct err e = {0};
    int fds[4] = {given[0], given[1], given[2], given[3]};
    if (link_decode(datagram, &m, &e))
        said(rl, &m, fds);
    else
        events_note(r, EVENT_ERROR, "the supervisor sent nonsense: %s", e.text);
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0) r->content->discard(r->content->self, fds[i]);
}

static void on_writable(void *owner) { (void)owner; }

static void on_closed(void *owner)
{
    struct reload *rl = owner;
    rl->relay->net->channel_close(rl->relay->net->self, rl->channel);
    rl->channel = NULL;
    events_note(rl->relay, EVENT_WARNING, "the supervisor is gone");
    relay_stop(rl->relay);
}

struct reload *reload_create(struct relay *r, int supervisor)
{
    static const struct net_channel_events events = {
        .received = on_datagram, .writable = on_writable, .closed = on_closed};
    struct reload *rl = mem_alloc(sizeof *rl);
    rl->relay = r;
    rl->template = -1;
    rl->channel = r->net->channel_open(r->net->self, supervisor, &events, rl);
    return rl;
}

void reload_free(struct reload **at)
{
    struct reload *rl = *at;
    *at = NULL;
    if (!rl) return;
    discard_making(rl);
    if (rl->channel) rl->relay->net->channel_close(rl->relay->net->self, rl->channel);
    buf_free(&rl->text);
    buf_free(&rl->out);
    free(rl);
}
