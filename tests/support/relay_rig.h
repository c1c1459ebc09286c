/* tests/support/relay_rig: a relay on memory ports with one generation in force: what most tests of relay/ begin
 * with. */
#ifndef TESTS_RELAY_RIG_H
#define TESTS_RELAY_RIG_H

#include "mail/settings.h"
#include "tests/support/memory_ports.h"

struct rig {
    struct memory *memory;
    struct relay *relay;
    struct relay_ports ports;
    struct log *log;
    struct settings settings; /* for the next generation; change and call rig_generation */
    struct listener_settings listener;
    struct connector_settings connectors[2]; /* "default" to servers[0], "side" to servers[1] for side.example */
    const char *password; /* of connectors[0], where it has a user; NULL: the supervisor sends none */
    struct address_range trusted;            /* 10.0.0.0/8 */
    struct str our_domain, side_domain;
    uint64_t generation;
    int stopped; /* -1: runs */
};

enum { RIG_PORT = 2600, RIG_SIDE_PORT = 2601 };

void rig_setup(struct rig *g);   /* nothing started: settings may be changed */
void rig_start(struct rig *g);   /* relay, first generation, listening */
void rig_restart(struct rig *g); /* the process dies and another begins: same store, empty memory */
void rig_generation(struct rig *g, const char *certificate); /* sends and commits one more; NULL: no certificate */
void rig_teardown(struct rig *g);

struct net_stream *rig_session(struct rig *g, const char *ip); /* dialled, EHLO said, replies forgotten */
/* A whole transaction of one message; answers the reply to the final dot (or the first refusal), "250 2.0.0
 * Ok…". */
const char *rig_send(struct rig *g, struct net_stream *s, const char *from, const char *to, const char *content);
/* One request to the control socket, and all that came for it: `c` is memory_dial(g->memory, "control", ""). */
const char *rig_ask(struct rig *g, struct net_stream *c, const char *request);
bool rig_log_has(struct rig *g, const char *text);
size_t rig_log_count(struct rig *g, const char *text);
size_t rig_mails(const struct rig *g, int server);
const char *rig_reason(const struct rig *g); /* of the first recipient of the first stored message */

extern const char rig_mail[]; /* a small message */

#endif
