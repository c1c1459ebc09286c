/* Who keeps the relay: over the control socket, mail is held, released, tried at once, looked at.  Nothing is removed
 * or redirected: what was promised to senders must still come true. */
#include <string.h>

#include "tests/sim/sim.h"

enum { AGAIN_US = 5000000 };

struct operator
{
    struct net_stream *stream;
    const char *says;
    bool insists; /* until the answer is a good one */
    struct buf heard;
};

static bool released;
static unsigned visiting; /* the last release comes after all of them */

static void call(void *what);

static void on_connected(void *self) { (void)self; }
static void on_secured(void *self, bool good) { (void)self, (void)good; }

static void on_received(void *self, struct str bytes, bool tls)
{
    struct operator* o = self;
    (void)tls;
    buf_add(&o->heard, bytes);
    if (!str_ends(buf_str(&o->heard), STR("\n"))) return;
    if (o->insists && str_find(buf_str(&o->heard), STR("\"ok\":true")) != STR_NPOS) released = true;
    sim_finish(o->stream);
}

static void on_ended(void *self, bool reset)
{
    struct operator* o = self;
    (void)reset;
    o->stream = NULL;
    if (!o->insists) visiting--;
    if (o->insists && !released) sim_after(AGAIN_US, call, o);
}

static void call(void *what)
{
    static const struct sim_peer peer = {on_connected, on_received, on_secured, on_ended};
    struct operator* o = what;
    o->heard.n = 0;
    if (o->insists && visiting) {
        sim_after(AGAIN_US, call, o);
        return;
    }
    o->stream = sim_dial(SOCKET_CONTROL, "", &peer, o);
    if (o->stream) {
        if (!o->insists) visiting++;
        sim_say(o->stream, str_of(o->says));
        sim_say(o->stream, STR("\n"));
    } else if (o->insists) {
        sim_after(AGAIN_US, call, o);
    }
}

void operators_visit(void *unused)
{
    static const char *const orders[] = {
        "{\"v\":1,\"op\":\"queue hold\",\"all\":true,\"text\":\"to be looked at\"}",
        "{\"v\":1,\"op\":\"queue hold\",\"filter\":{\"domain\":\"one.example\"},\"text\":\"to be looked at\"}",
        "{\"v\":1,\"op\":\"queue release\",\"all\":true}",
        "{\"v\":1,\"op\":\"queue retry\",\"all\":true}",
        "{\"v\":1,\"op\":\"queue retry\",\"filter\":{\"domain\":\"*.example\"}}",
        "{\"v\":1,\"op\":\"queue\"}",
        "{\"v\":1,\"op\":\"status\"}",
    };
    (void)unused;
    if (world.calm) return;
    struct operator* o = mem_alloc(sizeof *o);
    o->says = orders[sim_roll(sizeof orders / sizeof *orders)];
    sim_trace("by hand: %s", o->says);
    call(o);
}

void operators_release(void)
{
    struct operator* o = mem_alloc(sizeof *o);
    o->says = "{\"v\":1,\"op\":\"queue release\",\"all\":true}";
    o->insists = true;
    call(o);
}

bool operators_are_done(void) { return released; }
