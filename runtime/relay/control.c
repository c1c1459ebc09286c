#include "relay/control.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/limits.h"
#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/lists.h"
#include "relay/receive.h"
#include "relay/reload.h"

enum { CLIENTS_MAX = 64, COUNTED_MAX = 10000, LISTING_MAX = 64 * 1024 * 1024, RULE_COLUMNS = 5 };

struct client {
    struct client *next;
    struct control *control;
    struct net_stream *stream; /* NULL once closed */
    struct buf in, out;
    bool busy;         /* a request waits for its answer: nothing further is read from `in` */
    bool asked_reload; /* `waiter` is with relay/reload */
    bool closing, overflow;
    bool taking;   /* take_requests runs */
    const struct js *request; /* while its operation begins */
    struct str id; /* of the request; own copy in `text` */
    struct buf text;
    struct store_query query;
    struct store_release release;
    struct reload_waiter waiter;
    uint64_t held; /* status: counted while the queue is read */
    bool counts_held;
};

struct control {
    struct relay *relay;
    void *listener;
    struct client *clients;
    unsigned count;
};

struct op {
    const char *name;
    bool changes; /* not for everybody */
    bool needs_id;
    void (*run)(struct client *c);
};

static void take_requests(struct client *c);

/* --- answering -----------------------------------------------------------------------------------------------------
 */

static void client_free(struct client *c)
{
    struct control *ct = c->control;
    for (struct client **at = &ct->clients; *at; at = &(*at)->next) {
        if (*at != c) continue;
        *at = c->next;
        break;
    }
    ct->count--;
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->text);
    free(c);
}

static void hang_up(struct client *c)
{
    if (!c->stream || c->closing) return;
    c->closing = true;
    c->control->relay->net->stream_close(c->control->relay->net->self, c->stream);
}

/* Prints and frees the object; answers to nobody vanish. */
static void send_line(struct client *c, struct js *row)
{
    const struct net_port *net = c->control->relay->net;
    c->out.n = 0;
    js_print(row, &c->out);
    js_free(&row);
    buf_add_byte(&c->out, '\n');
    if (c->stream && !c->overflow && net->stream_write(net->self, c->stream, buf_str(&c->out)) > LISTING_MAX)
        c->overflow = true;
}

static void send_last(struct client *c, struct js *last)
{
    c->overflow = false;
    send_line(c, last);
    if (c->overflow) hang_up(c); /* it asks on and reads nothing */
    c->overflow = false;
    c->busy = false;
    struct relay *r = c->control->relay;
    if (!c->stream)
        client_free(c);
    else
        take_requests(c);
    relay_settle(r);
}

static void answer_ok(struct client *c, struct str text)
{
    struct js *o = js_object();
    js_put_num(o, "v", 1);
    js_put_bool(o, "ok", true);
    if (text.n) js_put_str(o, "text", text);
    send_last(c, o);
}

static void answer_error(struct client *c, int status, struct str text)
{
    struct js *o = js_object();
    js_put_num(o, "v", 1);
    js_put_bool(o, "ok", false);
    js_put_num(o, "status", status);
    js_put_str(o, "error", text);
    send_last(c, o);
}

static void query_done(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok)
        answer_error(c, e && e->sysexit ? e->sysexit : EX_IOERR, str_of(e ? e->text : "the store does not answer"));
    else if (c->overflow)
        answer_error(c, EX_TEMPFAIL, STR("the listing is too long to be read at this speed; it was cut"));
    else
        answer_ok(c, STR_NONE);
}

static void run_query(struct client *c, struct store_query query)
{
    c->query = query;
    c->query.done = query.done ? query.done : query_done;
    c->query.owner = c;
    struct store_port *store = c->control->relay->store;
    store->query(store->self, &c->query);
}

/* --- queue ---------------------------------------------------------------------------------------------------------
 */

static const char *const state_names[RECIPIENT_STATE_COUNT] = {
    [RECIPIENT_QUEUED] = "queued", [RECIPIENT_HELD] = "held", [RECIPIENT_QUARANTINED] = "quarantined"};

/* The queue a message would stand in if it were Postfix's; quarantine is ours. */
static const char *queue_name(const struct stored_message *m)
{
    bool tried = false, held = false;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct stored_recipient *rcpt = &m->recipients[i];
        if (rcpt->state == RECIPIENT_QUARANTINED) return "quarantine";
        held = held || rcpt->state == RECIPIENT_HELD;
        tried = tried || rcpt->attempts;
    }
    return held ? "hold" : tried ? "deferred" : "active";
}

static struct js *recipient_row(const struct stored_recipient *rcpt)
{
    char tls[OBLIGATION_TEXT_MAX];
    size_t n = obligation_print(rcpt->need, tls);
    struct js *o = js_object();
    js_put_str(o, "address", rcpt->address);
    if (rcpt->reason.n) js_put_str(o, "delay_reason", rcpt->reason);
    js_put_cstr(o, "state", rcpt->state < RECIPIENT_STATE_COUNT ? state_names[rcpt->state] : NULL);
    js_put_str(o, "tls", (struct str){tls, n});
    if (rcpt->rule.n) js_put_str(o, "rule", rcpt->rule);
    if (rcpt->tls_rule.n) js_put_str(o, "tls_rule", rcpt->tls_rule);
    if (rcpt->connector.n) js_put_str(o, "connector", rcpt->connector);
    js_put_num(o, "next_try", rcpt->next_try);
    js_put_num(o, "expires", rcpt->expires);
    js_put_num(o, "attempts", rcpt->attempts);
    return o;
}

static void queue_row(void *owner, const struct stored_message *m)
{
    struct client *c = owner;
    if (!c->stream || c->overflow) return;
    struct js *o = js_object(), *recipients = js_array();
    js_put_cstr(o, "queue_name", queue_name(m));
    js_put_str(o, "queue_id", m->queue_id);
    js_put_num(o, "arrival_time", m->arrived);
    js_put_num(o, "message_size", (int64_t)m->size);
    js_put_bool(o, "forced_expire", false);
    js_put_str(o, "sender", m->reverse_path);
    for (size_t i = 0; i < m->recipient_count; i++) js_add(recipients, recipient_row(&m->recipients[i]));
    js_put(o, "recipients", recipients);
    send_line(c, o);
}

static void op_queue(struct client *c)
{
    run_query(c, (struct store_query){.kind = QUERY_QUEUE, .message = queue_row});
}

static void released(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok) {
        answer_error(c, e && e->sysexit ? e->sysexit : EX_IOERR, str_of(e ? e->text : "the store does not answer"));
        return;
    }
    char text[128];
    struct buf out = {0};
    buf_printf(&out, "%u recipient%s of %.*s released", c->release.released, c->release.released == 1 ? "" : "s",
               (int)(c->id.n > 40 ? 40 : c->id.n), c->id.p);
    size_t n = out.n < sizeof text ? out.n : sizeof text;
    for (size_t i = 0; i < n; i++) text[i] = out.p[i];
    buf_free(&out);
    queue_refresh(c->control->relay->queue, c->id);
    answer_ok(c, (struct str){text, n});
}

static void op_release(struct client *c)
{
    struct relay *r = c->control->relay;
    c->release = (struct store_release){.queue_id = c->id, .now = relay_now(r), .done = released, .owner = c};
    r->store->release(r->store->self, &c->release);
}

/* --- rules ---------------------------------------------------------------------------------------------------------
 */

static void rule_row(void *owner, struct str rule, const uint64_t counts[5], int64_t last)
{
    static const char *const columns[RULE_COLUMNS] = {"applied", "rejected", "deferred", "undecided", "audit"};
    struct js *o = js_object();
    js_put_str(o, "rule", rule);
    for (size_t i = 0; i < RULE_COLUMNS; i++) js_put_num(o, columns[i], (int64_t)counts[i]);
    if (last)
        js_put_num(o, "last_hit", last);
    else
        js_put_null(o, "last_hit");
    send_line(owner, o);
}

static void op_rules(struct client *c) { run_query(c, (struct store_query){.kind = QUERY_RULES, .rule = rule_row}); }

/* --- reload --------------------------------------------------------------------------------------------------------
 */

static void reloaded(void *owner, bool ok, struct str text)
{
    struct client *c = owner;
    c->asked_reload = false;
    if (ok)
        answer_ok(c, text);
    else
        answer_error(c, EX_DATAERR, text);
}

static void op_reload(struct client *c)
{
    c->waiter = (struct reload_waiter){.done = reloaded, .owner = c};
    c->asked_reload = true;
    reload_ask(c->control->relay->reload, &c->waiter);
}

/* --- live lists ----------------------------------------------------------------------------------------------------
 */

static void list_row(void *owner, struct js *row) { send_line(owner, row); }

static void list_done(void *owner, int status, struct str text)
{
    struct client *c = owner;
    if (status)
        answer_error(c, status, text);
    else if (c->overflow)
        answer_error(c, EX_TEMPFAIL, STR("the listing is too long to be read at this speed; it was cut"));
    else
        answer_ok(c, text);
}

static struct str list_named(struct client *c)
{
    struct str name = STR("");
    js_get_str(c->request, "list", &name);
    return name;
}

static struct lists_call list_call(struct client *c) { return (struct lists_call){list_row, list_done, c}; }

static void op_lists(struct client *c)
{
    struct lists_call call = list_call(c);
    lists_summary(c->control->relay->lists, &call);
}

static void op_list_show(struct client *c)
{
    struct lists_call call = list_call(c);
    lists_show(c->control->relay->lists, list_named(c), &call);
}

static void op_list_add(struct client *c)
{
    struct lists_call call = list_call(c);
    lists_change(c->control->relay->lists, list_named(c), js_get(c->request, "entries"), false, &call);
}

static void op_list_remove(struct client *c)
{
    struct lists_call call = list_call(c);
    lists_change(c->control->relay->lists, list_named(c), js_get(c->request, "entries"), true, &call);
}

/* --- status --------------------------------------------------------------------------------------------------------
 */

static void count_held(void *owner, const struct stored_message *m)
{
    struct client *c = owner;
    for (size_t i = 0; i < m->recipient_count; i++) c->held += m->recipients[i].state != RECIPIENT_QUEUED;
}

static void put_counts(struct js *o, struct relay *r)
{
    struct js *counts = js_object();
    js_put_num(counts, "received", (int64_t)r->counts.received);
    js_put_num(counts, "refused", (int64_t)r->counts.refused);
    js_put_num(counts, "delivered", (int64_t)r->counts.delivered);
    js_put_num(counts, "deferred", (int64_t)r->counts.deferred);
    js_put_num(counts, "returned", (int64_t)r->counts.returned);
    js_put(o, "counts", counts);
}

static void put_generation(struct js *o, struct relay *r)
{
    const struct settings *s = relay_settings(r);
    struct judges_status judges = judges_status(r->current->judges);
    struct buf names = {0};
    for (size_t i = 0; i < s->listener_count; i++)
        buf_printf(&names, "%s%.*s %.*s:%u", i ? ", " : "", STR_ARG(s->listeners[i].name), STR_ARG(s->listeners[i].ip),
                   (unsigned)s->listeners[i].port);
    js_put_str(o, "hostname", s->hostname);
    js_put_num(o, "generation", (int64_t)r->current->number);
    js_put_num(o, "rules", (int64_t)r->current->rules);
    js_put_bool(o, "last_good", r->current->flags & 1);
    js_put_bool(o, "sandbox", s->sandbox);
    js_put_str(o, "listeners", buf_str(&names));
    js_put_num(o, "judges", judges.running);
    js_put_num(o, "judged", (int64_t)judges.judged);
    js_put_num(o, "judge_deaths", (int64_t)judges.deaths);
    buf_free(&names);
}

static void status_counted(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    struct relay *r = c->control->relay;
    if (!ok) {
        query_done(c, ok, e);
        return;
    }
    struct js *o = js_object();
    js_put_cstr(o, "state", r->stopping ? "stopping" : r->current ? "running" : "starting");
    if (r->current) put_generation(o, r);
    js_put_num(o, "sessions", (int64_t)receive_sessions(r->receive));
    js_put_num(o, "deliveries", (int64_t)r->deliver->under_way);
    js_put_num(o, "queued", (int64_t)queue_recipients(r->queue));
    if (c->counts_held) js_put_num(o, "held", (int64_t)c->held);
    js_put_num(o, "memory", (int64_t)r->memory_used);
    js_put_num(o, "uptime", relay_now(r) - r->started);
    put_counts(o, r);
    send_line(c, o);
    answer_ok(c, STR_NONE);
}

/* Held recipients are not in memory; counting them reads every row, which a long queue is spared. */
static void op_status(struct client *c)
{
    struct relay *r = c->control->relay;
    c->held = 0;
    c->counts_held = r->store->space(r->store->self).queued_messages <= COUNTED_MAX;
    if (!c->counts_held) {
        status_counted(c, true, NULL);
        return;
    }
    run_query(c, (struct store_query){.kind = QUERY_QUEUE, .message = count_held, .done = status_counted});
}

/* --- requests ------------------------------------------------------------------------------------------------------
 */

static const struct op ops[] = {
    {"status", false, false, op_status}, {"queue", false, false, op_queue},  {"queue release", true, true, op_release},
    {"rules", false, false, op_rules},   {"reload", true, false, op_reload},
    {"list", false, false, op_lists},    {"list show", false, false, op_list_show},
    {"list add", true, false, op_list_add}, {"list remove", true, false, op_list_remove},
};

static const struct op *op_find(struct str name)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (str_eq(name, str_of(ops[i].name))) return &ops[i];
    return NULL;
}

static bool may_change(const struct client *c)
{
    struct relay *r = c->control->relay;
    int64_t uid = r->net->stream_peer_uid(r->net->self, c->stream);
    return uid == 0 || (uid >= 0 && uid == r->ports.own_uid);
}

static void run_request(struct client *c, struct str line)
{
    struct err e = {0};
    struct str name = STR_NONE, id = STR_NONE;
    int64_t version = 0;
    struct js *request = js_parse(line, LIMIT_CONTROL_REQUEST, &e);
    c->busy = true;
    if (!request) {
        answer_error(c, EX_DATAERR, str_of(e.text));
        return;
    }
    js_get_num(request, "v", &version);
    js_get_str(request, "op", &name);
    js_get_str(request, "id", &id);
    c->text.n = 0;
    buf_add(&c->text, id);
    c->id = buf_str(&c->text);
    const struct op *op = version == 1 ? op_find(name) : NULL;
    c->request = request;
    if (version != 1)
        answer_error(c, EX_PROTOCOL, STR("this relay speaks version 1 of the control protocol"));
    else if (!op)
        answer_error(c, EX_USAGE, STR("there is no such operation"));
    else if (op->changes && !may_change(c))
        answer_error(c, EX_NOPERM, STR("only root and the relay's own user may change things"));
    else if (op->needs_id && !c->id.n)
        answer_error(c, EX_USAGE, STR("\"id\" is missing"));
    else
        op->run(c); /* which may be the client's end */
    js_free(&request);
}

/* One request at a time; the next line waits in `in`.  What is answered at once calls this again from inside: then the
 * loop that stands further up goes on, and a thousand requests in one read are no thousand frames. */
static void take_requests(struct client *c)
{
    size_t at = 0;
    if (c->taking) return;
    c->taking = true;
    while (!c->busy && c->stream && !c->closing) {
        struct str rest = str_from(buf_str(&c->in), at);
        size_t end = str_find_byte(rest, '\n');
        if (end == STR_NPOS) {
            if (rest.n > LIMIT_CONTROL_REQUEST) hang_up(c);
            break;
        }
        at += end + 1;
        run_request(c, str_slice(rest, 0, end));
    }
    buf_consume(&c->in, at);
    c->taking = false;
}

static void on_received(void *owner, struct str bytes)
{
    struct client *c = owner;
    if (c->in.n + bytes.n > 2 * LIMIT_CONTROL_REQUEST) {
        hang_up(c);
        return;
    }
    buf_add(&c->in, bytes);
    take_requests(c);
}

static void on_closed(void *owner, enum net_close_reason reason, const char *why)
{
    struct client *c = owner;
    (void)reason, (void)why;
    c->stream = NULL;
    if (c->asked_reload) {
        reload_withdraw(c->control->relay->reload, &c->waiter);
        c->busy = false;
    }
    struct relay *r = c->control->relay;
    if (!c->busy) client_free(c); /* else when the store has answered */
    relay_settle(r);
}

static void on_nothing(void *owner) { (void)owner; }
static void on_tls(void *owner, const struct net_tls_facts *facts) { (void)owner, (void)facts; }

static void on_accepted(void *owner, struct net_stream *stream, struct str peer, uint16_t port)
{
    static const struct net_stream_events events = {.connected = on_nothing,
                                                    .received = on_received,
                                                    .drained = on_nothing,
                                                    .tls_ready = on_tls,
                                                    .closed = on_closed};
    struct control *ct = owner;
    const struct net_port *net = ct->relay->net;
    (void)peer, (void)port;
    struct client *c = mem_alloc(sizeof *c);
    c->control = ct;
    c->stream = stream;
    c->next = ct->clients;
    ct->clients = c;
    ct->count++;
    net->stream_own(net->self, stream, &events, c);
    if (ct->count > CLIENTS_MAX)
        hang_up(c);
    else
        net->stream_read(net->self, stream, true);
}

struct control *control_create(struct relay *r)
{
    struct control *ct = mem_alloc(sizeof *ct);
    ct->relay = r;
    return ct;
}

void control_open(struct control *ct, int fd)
{
    const struct net_port *net = ct->relay->net;
    if (fd < 0) return;
    if (ct->listener) net->unlisten(net->self, ct->listener);
    ct->listener = net->listen(net->self, fd, on_accepted, ct);
}

void control_stop(struct control *ct)
{
    const struct net_port *net = ct->relay->net;
    if (ct->listener) net->unlisten(net->self, ct->listener);
    ct->listener = NULL;
    for (struct client *c = ct->clients; c; c = c->next) hang_up(c);
}

bool control_is_idle(const struct control *ct)
{
    for (const struct client *c = ct->clients; c; c = c->next)
        if (c->busy) return false;
    return true;
}

void control_free(struct control **at)
{
    struct control *ct = *at;
    *at = NULL;
    if (!ct) return;
    const struct net_port *net = ct->relay->net;
    if (ct->listener) net->unlisten(net->self, ct->listener);
    while (ct->clients) {
        if (ct->clients->stream) net->stream_abort(net->self, ct->clients->stream);
        client_free(ct->clients);
    }
    free(ct);
}
