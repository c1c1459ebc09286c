#include "relay/control_core.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/limits.h"
#include "relay/deliver.h"
#include "relay/events.h"
#include "relay/generation.h"
#include "relay/lists.h"
#include "relay/receive.h"
#include "relay/suspend.h"

enum { CLIENTS_MAX = 64, COUNTED_MAX = 100000, LISTING_MAX = 64 * 1024 * 1024 };

struct control {
    struct relay *relay;
    void *listener;
    struct client *clients;
    unsigned count;
};

/* READS is for everybody.  Of what a COMMAND did the log has a line; a STEP is part of something larger, or tells by
 * itself. */
struct op {
    const char *name;
    enum { READS, COMMAND, STEP } kind;
    void (*run)(struct client *c);
};

static void take_requests(struct client *c);

/* --- answering ---------------------------------------------------------------------------------------------------- */

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
    buf_free(&c->audit);
    control_backup_over(c);
    control_transfer_free(c);
    js_free(&c->request);
    free(c);
}

static void hang_up(struct client *c)
{
    if (!c->stream || c->closing) return;
    c->closing = true;
    c->control->relay->net->stream_close(c->control->relay->net->self, c->stream);
}

/* Prints and frees the object; answers to nobody vanish. */
void control_row(struct client *c, struct js *row)
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
    control_row(c, last);
    if (c->overflow) hang_up(c); /* it asks on and reads nothing */
    c->overflow = false;
    c->busy = false;
    js_free(&c->request);
    struct relay *r = c->control->relay;
    if (!c->stream)
        client_free(c);
    else
        take_requests(c);
    relay_settle(r);
}

/* Whoever may change things is told of in the log, whatever came of it; what only looks changes nothing. */
static void tell(struct client *c, bool ok, struct str answer)
{
    bool dry_run = false;
    if (!c->op || c->op->kind != COMMAND) return;
    js_get_bool(c->request, "dry_run", &dry_run);
    if (!dry_run) events_command(c->relay, c->uid, str_of(c->op->name), c->request, ok, answer);
}

void control_ok(struct client *c, struct str text)
{
    tell(c, true, text);
    struct js *o = js_object();
    js_put_num(o, "v", 1);
    js_put_bool(o, "ok", true);
    if (text.n) js_put_str(o, "text", text);
    send_last(c, o);
}

void control_error(struct client *c, int status, struct str text)
{
    tell(c, false, text);
    struct js *o = js_object();
    js_put_num(o, "v", 1);
    js_put_bool(o, "ok", false);
    js_put_num(o, "status", status);
    js_put_str(o, "error", text);
    send_last(c, o);
}

void control_result(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    if (!ok)
        control_error(c, e && e->sysexit ? e->sysexit : EX_IOERR, str_of(e ? e->text : "the store does not answer"));
    else if (c->overflow)
        control_error(c, EX_TEMPFAIL, STR("the listing is too long to be read at this speed; it was cut"));
    else
        control_ok(c, STR_NONE);
}

void control_query(struct client *c, struct store_query query)
{
    c->query = query;
    c->query.done = query.done ? query.done : control_result;
    c->query.owner = c;
    struct store_port *store = c->control->relay->store;
    store->query(store->self, &c->query);
}

struct str control_signed(struct client *c, struct str text)
{
    c->audit.n = 0;
    buf_printf(&c->audit, "%.*s%sby uid %lld", STR_ARG(text), text.n ? ", " : "", (long long)c->uid);
    return buf_str(&c->audit);
}

struct str control_text(const struct client *c, const char *key)
{
    struct str s = STR_NONE;
    js_get_str(c->request, key, &s);
    return s;
}

/* --- reload ------------------------------------------------------------------------------------------------------- */

static void reloaded(void *owner, bool ok, struct str text)
{
    struct client *c = owner;
    c->asked_reload = false;
    if (ok)
        control_ok(c, text);
    else
        control_error(c, EX_DATAERR, text);
}

static void op_reload(struct client *c)
{
    c->waiter = (struct reload_waiter){.done = reloaded, .owner = c};
    c->asked_reload = true;
    reload_ask(c->control->relay->reload, &c->waiter);
}

/* --- live lists --------------------------------------------------------------------------------------------------- */

static void list_row(void *owner, struct js *row) { control_row(owner, row); }

static void list_done(void *owner, int status, struct str text)
{
    struct client *c = owner;
    if (status)
        control_error(c, status, text);
    else if (c->overflow)
        control_error(c, EX_TEMPFAIL, STR("the listing is too long to be read at this speed; it was cut"));
    else
        control_ok(c, text);
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

/* --- status ------------------------------------------------------------------------------------------------------- */

static void count_states(void *owner, const uint64_t by_state[RECIPIENT_STATE_COUNT])
{
    struct client *c = owner;
    for (size_t i = 0; i < RECIPIENT_STATE_COUNT; i++) c->states[i] = by_state[i];
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

static void put_queue(struct js *o, const struct client *c)
{
    struct relay *r = c->relay;
    struct store_space space = r->store->space(r->store->self);
    js_put_num(o, "messages", (int64_t)space.queued_messages);
    js_put_num(o, "queued", c->counted ? (int64_t)c->states[RECIPIENT_QUEUED] : (int64_t)queue_waiting(r->queue));
    if (c->counted) {
        js_put_num(o, "held", (int64_t)(c->states[RECIPIENT_HELD] + c->states[RECIPIENT_QUARANTINED]));
        js_put_num(o, "damaged", (int64_t)c->states[RECIPIENT_DAMAGED]);
    }
    js_put_num(o, "suspensions", (int64_t)suspensions_count(r->deliver->suspensions));
    js_put_num(o, "free_space", (int64_t)space.free_bytes);
    js_put_bool(o, "accepting", !r->current || space.free_bytes >= relay_settings(r)->free_space);
    js_put_num(o, "checked", (int64_t)space.checked_messages);
    if (space.damaged_messages) js_put_num(o, "found_damaged", (int64_t)space.damaged_messages);
}

static void status_counted(void *owner, bool ok, const struct err *e)
{
    struct client *c = owner;
    struct relay *r = c->control->relay;
    if (!ok) {
        control_result(c, ok, e);
        return;
    }
    struct js *o = js_object();
    js_put_cstr(o, "state", r->stopping ? "stopping" : r->current ? "running" : "starting");
    if (r->current) put_generation(o, r);
    js_put_num(o, "sessions", (int64_t)receive_sessions(r->receive));
    js_put_num(o, "deliveries", (int64_t)r->deliver->under_way);
    put_queue(o, c);
    js_put_num(o, "memory", (int64_t)r->memory_used);
    js_put_num(o, "uptime", relay_now(r) - r->started);
    put_counts(o, r);
    control_row(c, o);
    control_ok(c, STR_NONE);
}

/* Counting reads every row, which a long queue is spared. */
static void op_status(struct client *c)
{
    struct relay *r = c->relay;
    c->counted = r->store->space(r->store->self).queued_messages <= COUNTED_MAX;
    if (!c->counted) {
        status_counted(c, true, NULL);
        return;
    }
    control_query(c, (struct store_query){.kind = QUERY_COUNT, .count = count_states, .done = status_counted});
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static const struct op ops[] = {
    {"status", READS, op_status},
    {"rules", READS, control_rules},
    {"reload", COMMAND, op_reload},
    {"list", READS, op_lists},
    {"list show", READS, op_list_show},
    {"list add", COMMAND, op_list_add},
    {"list remove", COMMAND, op_list_remove},
    {"queue", READS, control_queue_list},
    {"queue why", READS, control_queue_why},
    {"queue hold", COMMAND, control_queue_change},
    {"queue release", COMMAND, control_queue_change},
    {"queue retry", COMMAND, control_queue_change},
    {"queue remove", COMMAND, control_queue_change},
    {"queue redirect", COMMAND, control_queue_change},
    {"queue suspensions", READS, control_suspensions},
    {"queue suspend", COMMAND, control_suspend},
    {"queue resume", COMMAND, control_resume},
    {"queue export", STEP, control_export},
    {"queue import begin", STEP, control_import},
    {"queue import recipient", STEP, control_import},
    {"queue import copy", STEP, control_import},
    {"queue import content", STEP, control_import},
    {"queue import end", STEP, control_import},
    {"user list", READS, control_user_list},
    {"user add", COMMAND, control_user_change},
    {"user password", COMMAND, control_user_change},
    {"user remove", COMMAND, control_user_change},
    {"user disable", COMMAND, control_user_change},
    {"user enable", COMMAND, control_user_change},
    {"backup", COMMAND, control_backup},
    {"backup drop", STEP, control_backup_drop},
};

static const struct op *op_find(struct str name)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (str_eq(name, str_of(ops[i].name))) return &ops[i];
    return NULL;
}

static bool may_change(const struct client *c)
{
    return c->uid == 0 || (c->uid >= 0 && c->uid == c->relay->ports.own_uid);
}

static void run_request(struct client *c, struct str line)
{
    struct err e = {0};
    int64_t version = 0;
    c->busy = true;
    c->op = NULL;
    c->uid = c->relay->net->stream_peer_uid(c->relay->net->self, c->stream);
    c->request = js_parse(line, LIMIT_CONTROL_REQUEST, &e);
    if (!c->request) {
        control_error(c, EX_DATAERR, str_of(e.text));
        return;
    }
    js_get_num(c->request, "v", &version);
    const struct op *op = c->op = version == 1 ? op_find(control_text(c, "op")) : NULL;
    if (version != 1)
        control_error(c, EX_PROTOCOL, STR("this relay speaks version 1 of the control protocol"));
    else if (!op)
        control_error(c, EX_USAGE, STR("there is no such operation"));
    else if (op->kind != READS && !may_change(c))
        control_error(c, EX_NOPERM, STR("only root and the relay's own user may change things"));
    else
        op->run(c);
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
    if (control_transfer_stop(c)) c->busy = false;
    if (c->asked_reload) {
        reload_withdraw(c->control->relay->reload, &c->waiter);
        c->busy = false;
    }
    struct relay *r = c->control->relay;
    if (!c->busy) client_free(c); /* else when the store has answered */
    relay_settle(r);
}

static void on_nothing(void *owner) { (void)owner; }
static void on_drained(void *owner) { control_transfer_drained(owner); }
static void on_tls(void *owner, const struct net_tls_facts *facts) { (void)owner, (void)facts; }

static void on_accepted(void *owner, struct net_stream *stream, struct str peer, uint16_t port)
{
    static const struct net_stream_events events = {.connected = on_nothing,
                                                    .received = on_received,
                                                    .drained = on_drained,
                                                    .tls_ready = on_tls,
                                                    .closed = on_closed};
    struct control *ct = owner;
    const struct net_port *net = ct->relay->net;
    (void)peer, (void)port;
    struct client *c = mem_alloc(sizeof *c);
    c->control = ct;
    c->relay = ct->relay;
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
