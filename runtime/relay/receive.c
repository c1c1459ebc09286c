#include "relay/receive.h"

#include <stdlib.h>

#include "relay/events.h"
#include "relay/intake.h"
#include "relay/received.h"
#include "relay/session.h"

enum {
    OUTPUT_MOST = 64 * 1024,   /* bytes of replies that a client leaves unread before we read no more of its */
    PROGRESS_BYTES = 16 * 1024 /* of content that is swallowed: so many are progress */
};

static const struct reply busy_memory = {452, {4, 3, 1}, STR_INIT("Insufficient memory, try again later")};
const struct reply session_no_storage = {452, {4, 3, 1}, STR_INIT("Insufficient system storage, try again later")};
const struct reply session_shutting_down = {421, {4, 3, 2}, STR_INIT("Service shutting down")};

/* The session and its message part: answered, refused, or the client is gone. */
static struct intake *release_intake(struct session *s)
{
    struct intake *in = s->intake;
    s->intake = NULL;
    if (in) in->session = NULL;
    return in;
}

static struct str id_of(const struct session *s) { return s->intake ? str_of(s->intake->queue_id) : STR_NONE; }

void session_refuse(struct session *s, const struct reply *reply, struct str from, struct str to)
{
    events_not_taken(s->relay, id_of(s), s->client.ip, from, to, reply);
    smtp_server_answer(s->server, reply);
}

/* --- content ------------------------------------------------------------------------------------------------------ */

static void begin_content(struct session *s)
{
    struct relay *r = s->relay;
    struct intake *in = s->intake;
    struct err e = {0};
    in->phase = INTAKE_CONTENT;
    s->content_ms = relay_ms(r);
    s->content_bytes = s->seen_bytes = 0;
    in->body = body_create(r, str_of(in->queue_id), in->declared);
    struct buf field = {0};
    int64_t now = relay_now(r);
    received_emit(&(struct received){.client = &s->client,
                                     .tls_cipher = s->tls.cipher,
                                     .hostname = s->generation->settings.hostname,
                                     .queue_id = str_of(in->queue_id),
                                     .recipient = in->recipients.n == 1 ? in->recipients.v[0] : STR_NONE,
                                     .esmtp = s->esmtp,
                                     .smtputf8 = in->envelope.smtputf8,
                                     .now = now,
                                     .utc_offset = r->net->utc_offset(r->net->self, now)},
                  &field);
    bool kept = body_append(in->body, buf_str(&field), &e); /* a short field into an empty buffer */
    INVARIANT(kept);
    buf_free(&field);
    smtp_server_answer(s->server, NULL);
}

static void on_data(struct session *s)
{
    if (relay_memory_is_full(s->relay, 0))
        session_refuse(s, &busy_memory, s->intake->envelope.reverse_path, STR_NONE);
    else if (!relay_memory_has_room(s->relay))
        session_wait_for_room(s); /* answered by receive_memory_came_back, or by session_finds_no_room */
    else
        begin_content(s);
}

void session_finds_no_room(struct session *s)
{
    session_leave_room(s);
    session_refuse(s, &busy_memory, s->intake->envelope.reverse_path, STR_NONE);
    session_run(s);
}

static void on_content(struct session *s, struct str bytes)
{
    struct err e = {0};
    if (relay_memory_is_full(s->relay, bytes.n)) {
        smtp_server_discard(s->server, &busy_memory);
        return;
    }
    if (body_append(s->intake->body, bytes, &e)) return;
    events_note(s->relay, EVENT_ERROR, "content of %s cannot be kept: %s", s->intake->queue_id, e.text);
    smtp_server_discard(s->server, &session_no_storage);
}

void receive_memory_came_back(struct receive *rc)
{
    /* A session that goes on may give memory back itself: the loop below sees it, so the stack need not grow. */
    if (rc->giving_room) return;
    rc->giving_room = true;
    while (rc->room_first && relay_memory_has_room(rc->relay)) {
        struct session *s = rc->room_first;
        session_leave_room(s);
        begin_content(s);
        if (!s->running) session_run(s);
    }
    rc->giving_room = false;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* By a limit that the engine holds to: answered already. */
static void on_refused(struct session *s, const struct smtp_server_event *ev)
{
    struct str from = s->intake ? s->intake->envelope.reverse_path : ev->mail.reverse_path;
    events_not_taken(s->relay, id_of(s), s->client.ip, from, ev->rcpt.forward_path, ev->refusal);
}

static void on_message(struct session *s)
{
    struct intake *in = s->intake;
    struct envelope *env = &in->envelope;
    env->recipients = in->recipients.v;
    env->recipient_count = in->recipients.n;
    env->client = s->client;
    env->client.ip = arena_str(in->arena, s->client.ip);
    env->client.helo = arena_str(in->arena, s->client.helo);
    env->client.user = arena_str(in->arena, s->client.user);
    env->client.tls_version = arena_str(in->arena, s->client.tls_version);
    env->client.listener = arena_str(in->arena, s->client.listener);
    accept_message(in);
}

static void on_abort(struct session *s, const struct reply *refusal)
{
    session_leave_room(s);
    struct intake *in = s->intake;
    if (in && refusal && in->recipients.n) /* else each of those that it named was told of by itself */
        events_not_taken(s->relay, id_of(s), s->client.ip, in->envelope.reverse_path, in->recipients.v[0], refusal);
    release_intake(s);
    if (in && (in->phase == INTAKE_JUDGING || in->phase == INTAKE_WRITING))
        accept_abandon(in);
    else if (in)
        intake_free(in);
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

static void session_free(struct session *s)
{
    struct relay *r = s->relay;
    struct receive *rc = r->receive;
    if (s->before)
        s->before->next = s->next;
    else
        rc->first = s->next;
    if (s->next) s->next->before = s->before;
    rc->sessions--;
    session_leave_room(s);
    session_forget_auth(s);
    r->net->timer_clear(r->net->self, &s->timer);
    clients_leave(rc->clients, s->counted);
    smtp_server_free(&s->server);
    generation_unref(&s->generation);
    buf_free(&s->helo);
    buf_free(&s->user);
    buf_free(&s->before_greeting);
    free(s);
}

static void handle(struct session *s, const struct smtp_server_event *ev)
{
    const struct net_port *net = s->relay->net;
    switch (ev->kind) {
    case SMTP_SERVER_HELO:
        s->helo.n = 0;
        buf_add(&s->helo, ev->helo);
        s->client.helo = buf_str(&s->helo);
        s->esmtp = ev->esmtp;
        break;
    case SMTP_SERVER_STARTTLS: {
        static const struct reply no_tls = {454, {4, 7, 0}, STR_INIT("TLS not available now")};
        struct buf *out = smtp_server_output(s->server);
        session_adopt_generation(s);
        if (!s->listener->tls) {
            smtp_server_answer(s->server, &no_tls);
            break;
        }
        smtp_server_answer(s->server, NULL);
        net->stream_write(net->self, s->stream, buf_str(out));
        out->n = 0;
        net->stream_tls_server(net->self, s->stream, s->listener->tls);
        break;
    }
    case SMTP_SERVER_XCLIENT: session_speaks_for(s, &ev->xclient); break;
    case SMTP_SERVER_AUTH: session_authenticate(s, &ev->auth); break;
    case SMTP_SERVER_AUTHENTICATED: session_authenticated(s, &ev->auth); break;
    case SMTP_SERVER_AUTH_FAILED: session_not_authenticated(s, &ev->auth); break;
    case SMTP_SERVER_MAIL: session_mail(s, &ev->mail); break;
    case SMTP_SERVER_RCPT: session_rcpt(s, &ev->rcpt); break;
    case SMTP_SERVER_REFUSED: on_refused(s, ev); break;
    case SMTP_SERVER_DATA: on_data(s); break;
    case SMTP_SERVER_CONTENT: on_content(s, ev->bytes); break;
    case SMTP_SERVER_MESSAGE: on_message(s); break;
    case SMTP_SERVER_ABORT: on_abort(s, ev->refusal); break;
    case SMTP_SERVER_CLOSE:
        if (ev->broken) events_disconnect(s->relay, STR_NONE, s->client.ip, ev->why);
        s->closing = true;
        break;
    }
}

static void flush(struct session *s)
{
    struct buf *out = smtp_server_output(s->server);
    if (!out->n || !s->stream) return;
    s->choked = s->relay->net->stream_write(s->relay->net->self, s->stream, buf_str(out)) > OUTPUT_MOST;
    out->n = 0;
}

/* Whatever was fed or answered: events, replies, and whether to read on. */
void session_run(struct session *s)
{
    const struct net_port *net = s->relay->net;
    struct smtp_server_event ev;
    bool moved = false;
    s->running = true;
    for (; smtp_server_next(s->server, &ev); moved = true) handle(s, &ev);
    s->running = false;
    if (!s->stream) return;
    /* Half a command is no progress: a byte now and then does not keep a session. */
    if (moved || smtp_server_output(s->server)->n) s->active_ms = relay_ms(s->relay);
    flush(s);
    bool read = !smtp_server_waits(s->server) && !s->closing && !s->choked;
    if (read != s->reading) net->stream_read(net->self, s->stream, read);
    s->reading = read;
    if (s->closing) {
        net->stream_close(net->self, s->stream);
        s->stream = NULL; /* only `closed` comes now */
    }
}

void session_answer(struct session *s, const struct reply *r)
{
    struct intake *in = release_intake(s);
    INVARIANT(in != NULL);
    smtp_server_answer(s->server, r);
    if (s->relay->stopping) smtp_server_stop(s->server, &session_shutting_down);
    if (!s->running) session_run(s);
}

void session_stop(struct session *s, const struct reply *r)
{
    if (!s->server) {
        session_drop(s);
        return;
    }
    smtp_server_stop(s->server, r);
    session_run(s);
}

static void on_received(void *owner, struct str bytes)
{
    struct session *s = owner;
    if (!s->stream) return;
    if (!s->server) {
        session_read_proxy(s, bytes);
        return;
    }
    if (smtp_server_is_in_data(s->server)) {
        s->content_bytes += bytes.n;
        bool much = s->content_bytes - s->seen_bytes >= PROGRESS_BYTES;
        if (much) s->active_ms = relay_ms(s->relay);
        if (much) s->seen_bytes = s->content_bytes;
    }
    smtp_server_feed(s->server, bytes);
    session_run(s);
}

static void on_drained(void *owner)
{
    struct session *s = owner;
    if (!s->choked || !s->stream) return;
    s->choked = false;
    session_run(s);
}
static void on_connected(void *owner) { (void)owner; }

static void on_tls_ready(void *owner, const struct net_tls_facts *facts)
{
    struct session *s = owner;
    s->tls = *facts;
    s->client.tls_version = facts->version;
    s->client.helo = s->client.user = STR_NONE; /* whatever came in clear: RFC 3207 section 4.2 */
    if (!s->server) {
        session_greet(s);
        return;
    }
    smtp_server_secured(s->server);
    session_run(s);
}

static void on_closed(void *owner, enum net_close_reason reason, const char *why)
{
    struct session *s = owner;
    struct relay *r = s->relay;
    if (reason == NET_CLOSED_ERROR && !s->closing) events_disconnect(r, id_of(s), s->client.ip, why);
    s->stream = NULL;
    if (!s->closing && s->server) {
        smtp_server_stop(s->server, NULL);
        session_run(s);
    }
    INVARIANT(!s->intake);
    session_free(s);
    relay_settle(r);
}

static void on_accepted(void *owner, struct net_stream *stream, struct str peer, uint16_t port)
{
    static const struct net_stream_events events = {.connected = on_connected,
                                                    .received = on_received,
                                                    .drained = on_drained,
                                                    .tls_ready = on_tls_ready,
                                                    .closed = on_closed};
    struct listener *l = owner;
    struct relay *r = l->generation->relay;
    struct receive *rc = r->receive;
    struct session *s = mem_alloc(sizeof *s);
    (void)port;
    s->relay = r;
    s->stream = stream;
    s->generation = generation_ref(l->generation);
    s->listener = l;
    s->active_ms = relay_ms(r);
    r->net->stream_own(r->net->self, stream, &events, s);
    s->next = rc->first;
    if (rc->first) rc->first->before = s;
    rc->first = s;
    rc->sessions++;
    session_watch(s);
    session_arrive(s, peer);
}

void receive_open(struct listener *l)
{
    const struct net_port *net = l->generation->relay->net;
    INVARIANT(l->fd >= 0 && !l->open);
    l->open = net->listen(net->self, l->fd, on_accepted, l);
    l->fd = -1;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

struct receive *receive_create(struct relay *r)
{
    struct receive *rc = mem_alloc(sizeof *rc);
    rc->relay = r;
    rc->clients = clients_create();
    return rc;
}

size_t receive_sessions(const struct receive *rc) { return rc->sessions; }
size_t receive_intakes(const struct receive *rc) { return rc->intakes; }

void receive_stop(struct receive *rc)
{
    for (struct session *s = rc->first, *next; s; s = next) {
        next = s->next;
        if (!s->stream || (s->intake && s->intake->phase >= INTAKE_JUDGING)) continue;
        session_leave_room(s);
        session_stop(s, &session_shutting_down);
    }
}

void receive_free(struct receive **at)
{
    struct receive *rc = *at;
    if (!rc) return;
    for (struct session *s = rc->first, *next; s; s = next) {
        next = s->next;
        if (s->stream) {
            rc->relay->net->stream_abort(rc->relay->net->self, s->stream);
            s->stream = NULL;
            if (s->server) session_stop(s, NULL);
        }
        session_free(s);
    }
    clients_free(&rc->clients);
    intake_free_unused(rc);
    free(rc);
    *at = NULL;
}
