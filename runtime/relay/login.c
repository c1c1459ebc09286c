/* AUTH to a smart host: who we are, said once per connection, to a verified peer inside TLS, before any mail.
 *
 * A host that refuses, or does not ask, is a host that failed: the next one is tried, then the mail waits with the
 * reason and is not returned; configuration, there or here, mends that. */
#include <stdio.h>
#include <string.h>

#include "mail/scram.h"
#include "relay/connection.h"
#include "relay/events.h"

bool connection_login_is_due(const struct connection *c) { return c->login && !c->authenticated; }

static void refused(struct connection *c, const struct trouble *t)
{
    connection_host_failed(c, t);
    connection_quit(c);
}

void connection_login(struct connection *c)
{
    const struct net_port *net = c->relay->net;
    const struct generation *g = c->relay->current;
    const struct connector_settings *how = settings_connector(&g->settings, c->destination->name);
    if (c->generation != g->number || !how) { /* another password may be in force, or another host */
        connection_put_back(c, false);
        connection_quit(c);
        return;
    }
    INVARIANT(c->tls && c->verified);
    if (!(c->extensions & SMTP_EXT_AUTH)) {
        char why[300];
        snprintf(why, sizeof why,
                 "%s: a user is set, but AUTH by SCRAM-SHA-256, PLAIN or LOGIN is not offered inside TLS", c->label.p);
        refused(c, &(struct trouble){.phase = TROUBLE_AUTH, .cause = TROUBLE_LOST, .why = str_of(why)});
        return;
    }
    uint8_t chance[SCRAM_NONCE_SIZE];
    net->random(net->self, chance, sizeof chance);
    c->ready = false;
    smtp_client_auth(c->client, &(struct smtp_client_login){.user = how->user,
                                                            .password = generation_password(g, how),
                                                            .chance = {(const char *)chance, sizeof chance},
                                                            .verified = c->verified});
}

/* A portion of the hashing a loop turn: other mail does not stand still for it. */
static void work(void *owner)
{
    struct connection *c = owner;
    if (!c->stream || c->over) return;
    if (smtp_client_auth_work(c->client))
        connection_turn(c);
    else
        c->relay->net->timer_set(c->relay->net->self, &c->work, 0);
}

/* The output has held the password. */
static void wipe_output(struct connection *c)
{
    struct buf *out = smtp_client_output(c->client);
    if (out->p) explicit_bzero(out->p + out->n, out->cap - out->n);
}

void connection_login_event(struct connection *c, const struct smtp_client_event *ev)
{
    if (ev->kind == SMTP_CLIENT_AUTH_WORK) {
        c->work.fired = work;
        c->work.owner = c;
        c->relay->net->timer_set(c->relay->net->self, &c->work, 0);
        return;
    }
    wipe_output(c);
    c->ready = true;
    c->authenticated = ev->kind == SMTP_CLIENT_AUTHENTICATED;
    if (c->authenticated) {
        connection_decide(c);
        return;
    }
    events_note(c->relay, EVENT_WARNING, "%s refuses the user of connector %.*s: %u %.*s", c->label.p,
                STR_ARG(c->destination->name), (unsigned)ev->reply.code, STR_ARG(str_slice(ev->reply.text, 0, 200)));
    refused(c, &(struct trouble){.phase = TROUBLE_AUTH, .cause = TROUBLE_REPLY, .reply = ev->reply});
}
