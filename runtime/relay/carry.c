/* What a host can carry, by what its EHLO offered, and what a delivery asks of it. */
#include "relay/letter.h"
#include "relay/connection.h"
#include "relay/dsn.h"

const struct stored_copy *delivery_copy(const struct delivery *d)
{
    return d->message->forms && d->copy < d->message->forms->n ? &d->message->forms->v[d->copy] : NULL;
}

/* Whether this delivery is internationalised mail (RFC 6531): by its addresses, or by a header that its client
 * declared. One that was declared so and is plain ASCII can go anywhere. */
bool delivery_needs_utf8(const struct delivery *d)
{
    if (!str_is_ascii(d->message->reverse_path)) return true;
    for (size_t i = 0; i < d->n; i++)
        if (!str_is_ascii(d->recipients[i]->address)) return true;
    return d->message->smtputf8 && !str_is_ascii(letter_header_section(body_view(d->message->body)));
}

/* What this server cannot carry, it will not carry tomorrow: 5.x.x, without asking it. */
bool connection_cannot_carry(const struct connection *c, const struct delivery *d, struct reply *why)
{
    static const struct reply seven_bits = {
        554, {5, 6, 3}, STR_INIT("the message has 8-bit content and the next host takes 7 bits only")};
    static const struct reply no_binary = {
        554, {5, 6, 3}, STR_INIT("the message has binary content, which the next host does not take")};
    static const struct reply no_utf8 = {
        553, {5, 6, 7}, STR_INIT("the message needs SMTPUTF8, which the next host does not offer")};
    static const struct reply too_large = {552, {5, 3, 4}, STR_INIT("the message is larger than the next host takes")};
    enum { binary_needs = SMTP_EXT_CHUNKING | SMTP_EXT_BINARYMIME };
    const struct queued_message *m = d->message;
    const struct reply *reply = NULL;
    if (m->eight_bit && !(c->extensions & SMTP_EXT_8BITMIME)) reply = &seven_bits;
    if (m->binary && (c->extensions & binary_needs) != binary_needs) reply = &no_binary;
    if (!(c->extensions & SMTP_EXT_SMTPUTF8) && delivery_needs_utf8(d)) reply = &no_utf8;
    if (c->size_limit && delivery_copy(d)->length > c->size_limit) reply = &too_large;
    if (reply) *why = *reply;
    return reply != NULL;
}
