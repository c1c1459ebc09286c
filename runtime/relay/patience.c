/* How long a client may take: for a command, a handshake, a content; and how long we let it wait for memory. */
#include "relay/events.h"
#include "relay/intake.h"
#include "relay/session.h"

enum {
    ROOM_PATIENCE_MS = 30000, /* how long DATA waits for memory before it is 452 */
    HANDSHAKE_MS = 60000,     /* for TLS, or a PROXY header: whoever needs longer is not coming */
    RATE_GRACE_MS = 60000     /* before content is held to the listener's least rate */
};

/* Before the greeting, and inside a handshake, there is nobody who could read a reply. */
static bool is_shaking_hands(const struct session *s) { return !s->server || smtp_server_expects_tls(s->server); }

static int64_t patience_ms(const struct session *s)
{
    uint32_t seconds = s->listener->settings->patience;
    return is_shaking_hands(s) ? HANDSHAKE_MS : seconds ? seconds * (int64_t)1000 : 300000;
}

static bool is_too_slow(const struct session *s)
{
    int64_t lasted = relay_ms(s->relay) - s->content_ms;
    bool kept = s->intake && s->intake->phase == INTAKE_CONTENT;
    return kept && smtp_server_is_in_data(s->server) && lasted > RATE_GRACE_MS &&
           s->content_bytes < (uint64_t)(lasted / 1000) * s->listener->settings->least_rate;
}

static void give_up(struct session *s, const char *why, const struct reply *last)
{
    struct str id = s->intake ? str_of(s->intake->queue_id) : STR_NONE;
    events_disconnect(s->relay, id, s->client.ip, why);
    session_stop(s, last);
}

static void timer_fired(void *owner)
{
    static const struct reply idle = {421, {4, 4, 2}, STR_INIT("Idle for too long")},
                              slow = {421, {4, 4, 2}, STR_INIT("Content comes too slowly")};
    struct session *s = owner;
    const struct net_port *net = s->relay->net;
    int64_t since = relay_ms(s->relay) - s->active_ms, patience = patience_ms(s);
    if (!s->stream) return;
    if (s->wants_room && since >= ROOM_PATIENCE_MS) {
        session_finds_no_room(s);
        since = 0;
    } else if (since >= patience && is_shaking_hands(s)) {
        give_up(s, s->server ? "no TLS handshake in time" : "no PROXY header or TLS handshake in time", NULL);
        return;
    } else if (s->server && !smtp_server_waits(s->server) && since >= patience) {
        give_up(s, "idle for too long", &idle);
        return;
    } else if (s->server && !smtp_server_waits(s->server) && is_too_slow(s)) {
        give_up(s, "the content came too slowly", &slow);
        return;
    }
    int64_t left = patience - since;
    if (left > ROOM_PATIENCE_MS)
        left = ROOM_PATIENCE_MS; /* the line for memory needs the finer beat, and so do rates */
    net->timer_set(net->self, &s->timer, left > 1000 ? left : 1000);
}

void session_watch(struct session *s)
{
    const struct net_port *net = s->relay->net;
    s->timer.fired = timer_fired;
    s->timer.owner = s;
    net->timer_set(net->self, &s->timer, ROOM_PATIENCE_MS);
}
