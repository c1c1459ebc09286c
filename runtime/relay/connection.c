/* One SMTP connection: stream, engine and policy put together.  What it may carry is asked of tls_policy at every step;
 * the bytes of MAIL come from one place only, release(), which holds what was decided to an INVARIANT. */
#include "relay/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "relay/events.h"
#include "relay/tls_policy.h"

enum { WRITE_HIGH = 256 * 1024, BODY_STEP = 64 * 1024, QUIT_MS = 10000 };

struct connection *connection_next(const struct connection *c) { return c->next; }
bool connection_is_idle(const struct connection *c) { return c->ready && !c->delivery && !c->over && c->stream; }

static struct str tls_had(const struct connection *c) { return str_of(c->had); }

/* --- time --------------------------------------------------------------------------------------------------------- */

static void timer_fired(void *owner);

void connection_deadline(struct connection *c, int64_t ms)
{
    const struct net_port *net = c->relay->net;
    int64_t now = relay_ms(c->relay);
    c->deadline_ms = now + ms;
    if (c->armed_ms && c->armed_ms <= c->deadline_ms) return;
    c->armed_ms = c->deadline_ms;
    c->timer.fired = timer_fired;
    c->timer.owner = c;
    net->timer_set(net->self, &c->timer, ms);
}

static void timer_fired(void *owner)
{
    struct connection *c = owner;
    int64_t now = relay_ms(c->relay);
    c->armed_ms = 0;
    if (now < c->deadline_ms) {
        connection_deadline(c, c->deadline_ms - now);
        return;
    }
    if (connection_is_idle(c)) {
        connection_quit(c);
        return;
    }
    if (!c->stream) return;
    snprintf(c->why, sizeof c->why, "%s", "timed out");
    if (!c->over) {
        smtp_client_lost(c->client, "timed out");
        connection_turn(c);
    }
    if (c->stream) c->relay->net->stream_abort(c->relay->net->self, c->stream);
}

static void deadline_of_stage(struct connection *c)
{
    if (c->over)
        connection_deadline(c, QUIT_MS);
    else if (connection_is_idle(c))
        connection_deadline(c, DELIVER_IDLE_MS);
    else if (smtp_client_stage(c->client) == SMTP_STAGE_OVER)
        connection_deadline(c, 0); /* an order failed: FAILED is told in the next turn */
    else {
        unsigned seconds = smtp_client_timeout(smtp_client_stage(c->client));
        connection_deadline(c, (seconds ? seconds : 300) * (int64_t)1000);
    }
}

/* --- ending ------------------------------------------------------------------------------------------------------- */

static void unlink_and_free(struct connection *c)
{
    struct destination *to = c->destination;
    for (struct connection **at = &to->connections; *at; at = &(*at)->next) {
        if (*at != c) continue;
        *at = c->next;
        break;
    }
    to->open--;
    to->deliver->connections--;
    c->relay->net->timer_clear(c->relay->net->self, &c->timer);
    c->relay->net->timer_clear(c->relay->net->self, &c->work);
    smtp_client_free(&c->client);
    free(c->text);
    free(c);
}

/* The delivery is done with this connection, well or badly. */
static struct delivery *detach(struct connection *c)
{
    struct delivery *d = c->delivery;
    if (d && d->waiting) {
        queue_content_withdraw(d->message, &d->wait);
        d->waiting = false;
    }
    c->delivery = NULL;
    c->sending = false;
    return d;
}

/* Likewise; then those that were to follow it. */
static struct delivery *detach_any(struct connection *c)
{
    struct delivery *d = detach(c);
    if (d) return d;
    if ((d = c->upcoming) && d->waiting) queue_content_withdraw(d->message, &d->wait);
    c->upcoming = NULL;
    if (d) return d;
    d = c->ahead;
    c->ahead = NULL;
    return d;
}

void connection_abort(struct connection *c)
{
    if (c->stream) c->relay->net->stream_abort(c->relay->net->self, c->stream);
    for (struct delivery *d; (d = detach_any(c));) deliver_drop(d);
    unlink_and_free(c);
}

static void flush(struct connection *c)
{
    struct buf *out = smtp_client_output(c->client);
    if (!c->stream || c->shut || !out->n) return;
    c->relay->net->stream_write(c->relay->net->self, c->stream, buf_str(out));
    out->n = 0;
}

static void name_remote(struct connection *c)
{
    if (!c->delivery->remote) c->delivery->remote = mem_strdup(c->label.p);
}

static void settle(struct connection *c)
{
    struct delivery *d = detach(c);
    if (!d) return;
    outcome_settle(d);
}

static void end_delivery(struct connection *c, const struct trouble *t)
{
    if (!c->delivery) return;
    name_remote(c);
    delivery_result_rest(c->delivery, t, tls_had(c));
    settle(c);
}

void connection_put_back(struct connection *c, bool tls_spent)
{
    struct delivery *d = detach(c);
    if (!d) return;
    d->tls_spent = d->tls_spent || tls_spent;
    destination_put_back(d);
}

static void shut(struct connection *c)
{
    if (!c->stream || c->shut) return;
    c->shut = true;
    c->relay->net->stream_close(c->relay->net->self, c->stream);
    connection_deadline(c, QUIT_MS);
}

void connection_quit(struct connection *c)
{
    if (c->over || !c->stream) return;
    c->over = true;
    if (c->ready) smtp_client_quit(c->client);
    c->ready = false;
    flush(c);
    shut(c);
}

static void break_off(struct connection *c)
{
    c->over = true;
    c->ready = false;
    if (c->stream) c->relay->net->stream_abort(c->relay->net->self, c->stream);
    c->shut = true;
}

struct delivery *connection_give_up(struct connection *c)
{
    struct delivery *d = detach_any(c);
    break_off(c);
    return d;
}

/* --- policy ------------------------------------------------------------------------------------------------------- */

static void wait_for_policy(struct connection *c, const struct tls_decision *decision, const char *detail)
{
    name_remote(c);
    delivery_waits_for_tls(c->delivery, decision, c->label, detail, tls_had(c));
    settle(c);
}

/* This host cannot give the mail its TLS; another may: true when the mail is in line for that one. */
static bool try_elsewhere(struct connection *c)
{
    struct delivery *d = detach(c);
    if (deliver_other_tls(c->destination, d, c->edition, c->which)) return true;
    c->delivery = d;
    return false;
}

/* TLS did not come about, and the engine (or the stream) is no further use for it. */
static void tls_failed(struct connection *c, const char *detail)
{
    if (!c->delivery) {
        connection_quit(c);
        return;
    }
    struct tls_situation s = connection_situation(c, c->delivery, TLS_FAILED);
    struct tls_decision decision = tls_policy(&s);
    if (decision.step == TLS_PLAIN) {
        events_note(c->relay, EVENT_WARNING, "TLS with %s failed (%s); mail that does not demand it goes without",
                    c->label.p, detail);
        connection_put_back(c, true);
    } else if (!try_elsewhere(c)) {
        wait_for_policy(c, &decision, detail);
    }
}

/* --- the message -------------------------------------------------------------------------------------------------- */

static bool unable(struct connection *c)
{
    struct reply reply;
    if (!connection_cannot_carry(c, c->delivery, &reply)) return false;
    end_delivery(c, &(struct trouble){.phase = TROUBLE_MAIL, .cause = TROUBLE_UNABLE, .reply = reply});
    return true;
}

static void content_ready(void *owner, const struct err *failure)
{
    struct connection *c = owner;
    c->delivery->waiting = false;
    if (!failure) {
        if (c->ready) connection_decide(c);
    } else {
        bool damaged = failure->sysexit == EX_DATAERR || failure->sysexit == EX_NOINPUT;
        end_delivery(c, &(struct trouble){.phase = TROUBLE_CONTENT,
                                          .cause = damaged ? TROUBLE_DAMAGED : TROUBLE_LOST,
                                          .why = str_of(failure->text)});
        if (c->ready) connection_quit(c);
    }
    connection_turn(c);
}

/* A row that names a form which was not stored: damage, and no reason to follow a pointer to nowhere. */
static const struct trouble no_form = {
    .phase = TROUBLE_CONTENT, .cause = TROUBLE_DAMAGED, .why = STR_INIT("the delivered form is missing")};

/* In order IDLE with a delivery at hand: what may happen now? */
void connection_decide(struct connection *c)
{
    while (c->delivery && c->ready && !c->over) {
        struct tls_situation s = connection_situation(c, c->delivery, c->tls ? TLS_DONE : TLS_IN_CLEAR);
        struct tls_decision decision = tls_policy(&s);
        if (decision.step == TLS_START) {
            c->ready = false;
            smtp_client_starttls(c->client);
            return;
        }
        if (decision.step != TLS_GO) {
            if (!try_elsewhere(c)) wait_for_policy(c, &decision, "");
            connection_quit(c);
            return;
        }
        if (connection_login_is_due(c)) {
            connection_login(c);
            return;
        }
        if (c->delivery->waiting) return; /* content_ready comes back here */
        if (!deliver_still_holds(c->delivery)) {
            c->delivery = NULL;
        } else if (!delivery_copy(c->delivery)) {
            end_delivery(c, &no_form);
        } else if (!unable(c)) {
            connection_release(c, c->delivery);
            return;
        }
        connection_go_on(c);
    }
}

void connection_give(struct connection *c, struct delivery *d)
{
    INVARIANT(!c->delivery);
    c->delivery = d;
    d->wait = (struct content_wait){.ready = content_ready, .owner = c};
    d->waiting = !queue_content(c->relay->queue, d->message, &d->wait);
    if (!c->ready) return;
    connection_decide(c);
    flush(c);
    deadline_of_stage(c);
}

static void pump_body(struct connection *c)
{
    const struct net_port *net = c->relay->net;
    struct delivery *d = c->delivery;
    struct str content = body_view(d->message->body), piece, insert;
    uint64_t from, n;
    for (;;) {
        while (smtp_client_body(c->client, &c->run, &piece)) {
            if (net->stream_write(net->self, c->stream, piece) > WRITE_HIGH) return; /* drained() goes on */
        }
        if (c->run.n) { /* cannot be sent as it is: FAILED follows */
            c->sending = false;
            return;
        }
        n = pieces_next(&c->cursor, BODY_STEP, &insert, &from);
        if (n == 0) break;
        c->run = insert.p ? insert : str_slice(content, (size_t)from, (size_t)(from + n));
    }
    c->sending = false;
    smtp_client_body_end(c->client);
    connection_send_ahead(c);
}

/* --- what the engine says ----------------------------------------------------------------------------------------- */

static uint8_t phase_of(enum smtp_client_stage stage)
{
    static const uint8_t phases[] = {
        [SMTP_STAGE_GREETING] = TROUBLE_GREETING, [SMTP_STAGE_EHLO] = TROUBLE_EHLO, [SMTP_STAGE_STARTTLS] = TROUBLE_TLS,
        [SMTP_STAGE_TLS] = TROUBLE_TLS,           [SMTP_STAGE_AUTH] = TROUBLE_AUTH, [SMTP_STAGE_IDLE] = TROUBLE_EHLO,
        [SMTP_STAGE_MAIL] = TROUBLE_MAIL,
        [SMTP_STAGE_RCPT] = TROUBLE_RCPT,         [SMTP_STAGE_DATA] = TROUBLE_DATA, [SMTP_STAGE_BODY] = TROUBLE_DATA,
        [SMTP_STAGE_DOT] = TROUBLE_DOT,           [SMTP_STAGE_QUIT] = TROUBLE_EHLO, [SMTP_STAGE_OVER] = TROUBLE_EHLO,
    };
    return (size_t)stage < sizeof phases ? phases[stage] : (uint8_t)TROUBLE_EHLO;
}

static void on_result(struct connection *c, const struct smtp_client_event *ev)
{
    c->ready = !c->ahead;
    c->served++;
    connection_heard(c, ev->stage);
    end_delivery(c, &(struct trouble){.phase = phase_of(ev->stage), .cause = TROUBLE_REPLY, .reply = ev->reply});
    destination_took(c->destination, c->edition, c->which);
    if (c->ahead) { /* it is under way already */
        c->delivery = c->ahead;
        c->ahead = NULL;
        return;
    }
    connection_let_go(c); /* there was no content behind which it could have gone */
    bool spent = c->message_limit && c->served >= c->message_limit;
    if (spent || c->generation != c->relay->current->number || c->destination->deliver->stopping) {
        connection_quit(c);
        return;
    }
    connection_go_on(c);
}

/* No session came about: another host may do. */
void connection_host_failed(struct connection *c, const struct trouble *t)
{
    struct delivery *d = detach(c);
    if (deliver_next_host(c->destination, d, c->edition, c->which, t)) return;
    c->delivery = d;
    end_delivery(c, t);
}

static void on_failed(struct connection *c, const struct smtp_client_event *ev)
{
    c->ready = false;
    c->over = true;
    connection_let_go(c);
    if (c->ahead) destination_put_back(c->ahead); /* the server has not answered any of it */
    c->ahead = NULL;
    bool untouched = ev->stage == SMTP_STAGE_MAIL || ev->stage == SMTP_STAGE_IDLE;
    if (c->delivery && c->served && untouched && (ev->reply.code == 0 || ev->reply.code == 421)) {
        /* A pooled connection that the peer had given up in the meantime: that says nothing about this mail. */
        connection_put_back(c, false);
        return;
    }
    if (ev->stage == SMTP_STAGE_STARTTLS || ev->stage == SMTP_STAGE_TLS) {
        tls_failed(c, c->why[0] ? c->why : ev->why ? ev->why : "the connection ended");
        return;
    }
    char why[256];
    snprintf(why, sizeof why, "%s: %s", c->label.p, c->why[0] ? c->why : ev->why ? ev->why : "the connection ended");
    struct trouble t = {.phase = phase_of(ev->stage),
                        .cause = ev->reply.code >= 400 ? TROUBLE_REPLY : TROUBLE_LOST,
                        .reply = ev->reply,
                        .why = str_of(why)};
    if (ev->may_be_delivered) t.phase = TROUBLE_DOT;
    bool host = ev->stage == SMTP_STAGE_GREETING || ev->stage == SMTP_STAGE_EHLO || ev->stage == SMTP_STAGE_AUTH;
    if (ev->reply.code == 421) destination_turned_away(c->destination);
    if (host && !c->served)
        connection_host_failed(c, &t);
    else
        end_delivery(c, &t);
}

static void handle(struct connection *c, const struct smtp_client_event *ev)
{
    const struct net_port *net = c->relay->net;
    switch (ev->kind) {
    case SMTP_CLIENT_READY:
        c->extensions = ev->ready.extensions;
        c->size_limit = ev->ready.size_limit;
        c->recipient_limit = ev->ready.recipient_limit;
        c->message_limit = ev->ready.message_limit;
        c->domain_limit = ev->ready.domain_limit;
        INVARIANT(ev->ready.tls == c->tls);
        c->ready = true;
        connection_decide(c);
        break;
    case SMTP_CLIENT_STARTTLS: {
        bool verify = obligation_covers(c->demand, (struct obligation){.peer = TLS_PEER_VERIFIED});
        flush(c);
        net->stream_tls_client(
            net->self, c->stream,
            &(struct net_tls_client){
                .name = c->tls_name,
                .verify = verify ? NET_VERIFY_PKIX : NET_VERIFY_NONE,
                .floor_1_3 = obligation_covers(c->demand, (struct obligation){.floor = TLS_FLOOR_1_3}),
                .trust = c->trust,
            });
        break;
    }
    case SMTP_CLIENT_STARTTLS_REFUSED: {
        char detail[160];
        snprintf(detail, sizeof detail, "%u %.*s", (unsigned)ev->reply.code,
                 STR_ARG(str_slice(ev->reply.text, 0, 120)));
        c->ready = true;
        tls_failed(c, detail);
        connection_quit(c);
        break;
    }
    case SMTP_CLIENT_AUTH_WORK:
    case SMTP_CLIENT_AUTHENTICATED:
    case SMTP_CLIENT_AUTH_REFUSED: connection_login_event(c, ev); break;
    case SMTP_CLIENT_RECIPIENT: {
        if (ev->reply.code >= 200 && ev->reply.code < 300) break; /* the message's own reply decides */
        name_remote(c);
        delivery_result(c->delivery, ev->recipient,
                        &(struct trouble){.phase = TROUBLE_RCPT, .cause = TROUBLE_REPLY, .reply = ev->reply},
                        tls_had(c));
        break;
    }
    case SMTP_CLIENT_BODY:
        c->cursor = (struct pieces_cursor){.pieces = &delivery_copy(c->delivery)->pieces};
        c->run = STR_NONE;
        c->sending = true;
        flush(c);
        pump_body(c);
        break;
    case SMTP_CLIENT_RESULT: on_result(c, ev); break;
    case SMTP_CLIENT_FAILED:
        on_failed(c, ev);
        break_off(c);
        break;
    case SMTP_CLIENT_CLOSED:
        c->over = true;
        shut(c);
        break;
    }
}

/* Whatever happened to the engine: its events, its output, the clock, the line. */
void connection_turn(struct connection *c)
{
    struct smtp_client_event ev;
    enum smtp_client_stage before = smtp_client_stage(c->client);
    bool moved = false;
    for (; smtp_client_next(c->client, &ev); moved = true) handle(c, &ev);
    moved |= smtp_client_output(c->client)->n || smtp_client_stage(c->client) != before;
    flush(c);
    /* Half a reply is no progress: the time is for the whole command (RFC 5321 section 4.5.3.2). */
    if (c->stream && moved) deadline_of_stage(c);
    deliver_pump(c->destination);
    relay_settle(c->relay);
}

/* --- what the stream says ----------------------------------------------------------------------------------------- */

static void on_connected(void *owner)
{
    struct connection *c = owner;
    c->relay->net->stream_read(c->relay->net->self, c->stream, true);
    deadline_of_stage(c);
}

static void on_received(void *owner, struct str bytes)
{
    struct connection *c = owner;
    if (c->over && smtp_client_stage(c->client) == SMTP_STAGE_OVER) return;
    smtp_client_feed(c->client, bytes);
    connection_turn(c);
}

static void on_drained(void *owner)
{
    struct connection *c = owner;
    if (!c->sending) return;
    pump_body(c);
    deadline_of_stage(c);
    connection_turn(c);
}

static void on_tls_ready(void *owner, const struct net_tls_facts *facts)
{
    struct connection *c = owner;
    c->tls = true;
    c->verified = facts->peer_verified;
    c->is_1_3 = str_eq(facts->version, STR("TLSv1.3"));
    snprintf(c->had, sizeof c->had, "%.*s %.*s%s", STR_ARG(facts->version), STR_ARG(facts->cipher),
             facts->peer_verified ? " verified" : "");
    smtp_client_secured(c->client);
    connection_turn(c);
}

static void on_closed(void *owner, enum net_close_reason reason, const char *why)
{
    struct connection *c = owner;
    struct destination *to = c->destination;
    struct relay *r = c->relay;
    bool never_connected =
        reason == NET_CLOSED_ERROR && smtp_client_stage(c->client) == SMTP_STAGE_GREETING && !c->over;
    c->stream = NULL;
    if (why && *why && !c->why[0]) snprintf(c->why, sizeof c->why, "%s", why);
    if (never_connected) {
        char text[256];
        snprintf(text, sizeof text, "%s: %s", c->label.p, c->why[0] ? c->why : "cannot be reached");
        struct trouble t = {.phase = TROUBLE_CONNECT, .cause = TROUBLE_LOST, .why = str_of(text)};
        c->over = true;
        connection_host_failed(c, &t);
    } else if (!c->over) {
        smtp_client_lost(c->client, "the connection ended");
        struct smtp_client_event ev;
        while (smtp_client_next(c->client, &ev)) handle(c, &ev);
    }
    INVARIANT(!c->delivery && !c->ahead && !c->upcoming);
    unlink_and_free(c);
    deliver_pump(to);
    relay_settle(r);
}

const struct net_stream_events connection_events = {.connected = on_connected,
                                                    .received = on_received,
                                                    .drained = on_drained,
                                                    .tls_ready = on_tls_ready,
                                                    .closed = on_closed};
