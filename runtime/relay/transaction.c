/* A mail is given to the engine: when its turn has come, or ahead of the result of the one before.
 *
 * Ahead (RFC 2920 section 3.1: MAIL may follow the end of the content in one group): the next mail of the line leaves
 * its commands with the last bytes of this one's content, which saves a round trip, and a packet each way, per mail. It
 * is taken from the line, and its content fetched, when this one's commands leave.  Only where all connections have
 * their hands full, or it would have one of its own; only to a host whose last answer to content came at once, so that
 * it does not wait behind a slow one while others get free; and only what nothing stands in the way of. */
#include <stdlib.h>

#include "relay/connection.h"
#include "relay/tls_policy.h"

enum { PROMPT_MS = 500 };

static void look_ahead(struct connection *c);

struct tls_situation connection_situation(const struct connection *c, const struct delivery *d, uint8_t moment)
{
    return (struct tls_situation){
        .need = d->need,
        .connector_tls = c->connector_tls,
        .moment = moment,
        .offered = c->extensions & SMTP_EXT_STARTTLS,
        .tls_spent = c->tls_spent,
        .verified = c->verified,
        .is_1_3 = c->is_1_3,
        .requiretls_offered = c->extensions & SMTP_EXT_REQUIRETLS,
    };
}

/* The one place from which MAIL is given to the engine.  tls_policy has said GO on the way here; it is asked again, and
 * clear text for mail that demands TLS ends the process rather than the promise. */
void connection_release(struct connection *c, struct delivery *d)
{
    const struct stored_copy *copy = delivery_copy(d);
    struct obligation demand = tls_policy_demand(d->need, c->connector_tls);
    struct tls_situation s = connection_situation(c, d, c->tls ? TLS_DONE : TLS_IN_CLEAR);
    INVARIANT(tls_policy(&s).step == TLS_GO);
    INVARIANT(c->tls || !obligation_demands_tls(demand));
    INVARIANT(obligation_covers(c->demand, demand));
    INVARIANT(!c->login || (c->authenticated && c->verified));

    size_t most = c->recipient_limit && c->recipient_limit < DELIVER_PER_TRANSACTION ? c->recipient_limit
                                                                                      : DELIVER_PER_TRANSACTION;
    deliver_split(d, most, c->domain_limit);
    struct smtp_client_recipient few[8], *to = d->n <= 8 ? few : mem_array(d->n, sizeof *to);
    for (size_t i = 0; i < d->n; i++)
        to[i] = (struct smtp_client_recipient){.forward_path = d->recipients[i]->address,
                                               .notify = d->recipients[i]->notify,
                                               .orcpt = d->recipients[i]->orcpt};
    c->ready = false;
    d->dsn_offered = c->extensions & SMTP_EXT_DSN;
    smtp_client_send(c->client, &(struct smtp_client_transaction){
                                    .reverse_path = d->message->reverse_path,
                                    .recipients = to,
                                    .recipient_count = d->n,
                                    .size = copy->length,
                                    .eight_bit = d->message->eight_bit,
                                    .binary = d->message->binary,
                                    .smtputf8 = (c->extensions & SMTP_EXT_SMTPUTF8) && delivery_needs_utf8(d),
                                    .requiretls = d->need.onward,
                                    .tls_demanded = obligation_demands_tls(demand),
                                    .ret = d->message->ret,
                                    .envid = d->message->envid,
                                });
    if (to != few) free(to);
    look_ahead(c);
}

void connection_heard(struct connection *c, enum smtp_client_stage stage)
{
    c->prompt = stage == SMTP_STAGE_DOT && relay_ms(c->relay) - c->ended_ms <= PROMPT_MS;
}

/* --- ahead -------------------------------------------------------------------------------------------------------- */

static void upcoming_read(void *owner, const struct err *failure)
{
    struct connection *c = owner;
    (void)failure; /* then there is no content, and its own turn says so */
    c->upcoming->waiting = false;
}

void connection_let_go(struct connection *c)
{
    struct delivery *d = c->upcoming;
    c->upcoming = NULL;
    if (!d) return;
    if (d->waiting) queue_content_withdraw(d->message, &d->wait);
    d->waiting = false;
    destination_put_back(d);
}

/* One whose turn would come on another connection, which may stand still for minutes: this one is free now. */
static struct delivery *take_upcoming(struct connection *c)
{
    const struct connector_settings *how = settings_connector(relay_settings(c->relay), c->destination->name);
    for (struct connection *other = c->destination->connections; how && other; other = other->next) {
        struct delivery *d = other->upcoming;
        if (!d || !connection_takes(c, d, how)) continue;
        other->upcoming = NULL;
        if (d->waiting) queue_content_withdraw(d->message, &d->wait);
        d->waiting = false;
        if (deliver_still_holds(d)) return d;
    }
    return NULL;
}

/* One whose connection the host has not greeted yet, and may let wait for minutes: that connection is not needed
 * now. */
static struct delivery *take_ungreeted(struct connection *c)
{
    const struct connector_settings *how = settings_connector(relay_settings(c->relay), c->destination->name);
    for (struct connection *other = c->destination->connections; how && other; other = other->next) {
        bool greeted = smtp_client_stage(other->client) != SMTP_STAGE_GREETING;
        if (greeted || other->over || !other->delivery || !connection_takes(c, other->delivery, how)) continue;
        struct delivery *d = connection_give_up(other);
        if (deliver_still_holds(d)) return d;
    }
    return NULL;
}

void connection_go_on(struct connection *c)
{
    struct delivery *next = deliver_take(c->destination, c);
    if (!next) next = take_upcoming(c);
    if (!next) next = take_ungreeted(c);
    if (next) connection_give(c, next);
}

/* Nobody else could take what waits in line. */
static bool all_are_busy(const struct destination *to)
{
    for (const struct connection *c = to->connections; c; c = c->next)
        if (connection_is_idle(c)) return false;
    return to->open >= to->window;
}

/* While this mail is under way the next one's content is fetched. */
static void look_ahead(struct connection *c)
{
    const struct destination *to = c->destination;
    if (!c->prompt || c->upcoming || !(c->extensions & SMTP_EXT_PIPELINING) || to->deliver->stopping ||
        !all_are_busy(to))
        return;
    struct delivery *d = c->upcoming = deliver_take(c->destination, c);
    if (!d) return;
    d->wait = (struct content_wait){.ready = upcoming_read, .owner = c};
    d->waiting = !queue_content(c->relay->queue, d->message, &d->wait);
}

static bool may_go_ahead(struct connection *c, struct delivery *d)
{
    bool last = c->message_limit && c->served + 2 > c->message_limit;
    if (last || d->waiting || c->destination->deliver->stopping || !smtp_client_may_send_ahead(c->client) ||
        c->generation != c->relay->current->number)
        return false;
    struct reply lacks;
    struct tls_situation s = connection_situation(c, d, c->tls ? TLS_DONE : TLS_IN_CLEAR);
    return d->message->body && delivery_copy(d) && tls_policy(&s).step == TLS_GO &&
           !connection_cannot_carry(c, d, &lacks);
}

void connection_send_ahead(struct connection *c)
{
    INVARIANT(!c->ahead);
    c->ended_ms = relay_ms(c->relay);
    struct delivery *d = c->upcoming;
    if (!d) return;
    if (!may_go_ahead(c, d)) {
        connection_let_go(c); /* its own turn says what stands in its way */
        return;
    }
    c->upcoming = NULL;
    if (!deliver_still_holds(d)) return;
    c->ahead = d;
    connection_release(c, d);
}
