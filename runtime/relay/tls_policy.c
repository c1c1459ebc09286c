#include "relay/tls_policy.h"

#include "base/err.h"

struct obligation tls_policy_demand(struct obligation need, uint8_t connector_tls)
{
    static const struct obligation of_connector[] = {
        [CONNECTOR_TLS_OPPORTUNISTIC] = {0},
        [CONNECTOR_TLS_NONE] = {0},
        [CONNECTOR_TLS_ENCRYPT] = {.peer = TLS_PEER_ENCRYPT},
        [CONNECTOR_TLS_VERIFIED] = {.peer = TLS_PEER_VERIFIED},
    };
    INVARIANT(connector_tls < sizeof of_connector / sizeof *of_connector);
    struct obligation demand = obligation_join(need, of_connector[connector_tls]);
    if (demand.onward) demand = obligation_join(demand, (struct obligation){.peer = TLS_PEER_VERIFIED});
    return demand;
}

static struct tls_decision go(void) { return (struct tls_decision){.step = TLS_GO}; }

/* The mail stays: at another host if there is one, else in the queue. */
static struct tls_decision lacking(const struct tls_situation *s, enum tls_lack lack)
{
    static const struct status codes[TLS_LACK_COUNT] = {
        [TLS_LACK_OFFER] = {4, 7, 4},       [TLS_LACK_CONNECTOR] = {4, 7, 4}, [TLS_LACK_HANDSHAKE] = {4, 7, 5},
        [TLS_LACK_CERTIFICATE] = {4, 7, 5}, [TLS_LACK_VERSION] = {4, 7, 5},   [TLS_LACK_REQUIRETLS] = {4, 7, 30},
        [TLS_LACK_DANE] = {4, 7, 4},
    };
    return (struct tls_decision){.step = s->more_hosts ? TLS_NEXT : TLS_DEFER, .lack = lack, .status = codes[lack]};
}

/* Where nothing demands TLS.  Never called for mail that does. */
static struct tls_decision without_demand(const struct tls_situation *s)
{
    switch (s->moment) {
    case TLS_IN_CLEAR:
        if (s->connector_tls == CONNECTOR_TLS_NONE || s->tls_spent || !s->offered) return go();
        return (struct tls_decision){.step = TLS_START};
    case TLS_FAILED: return (struct tls_decision){.step = TLS_PLAIN, .lack = TLS_LACK_HANDSHAKE};
    default: return go();
    }
}

/* Encrypted: is it the peer, the version and the promise that the demand asks for? */
static struct tls_decision when_encrypted(const struct tls_situation *s, struct obligation demand)
{
    if (obligation_covers(demand, (struct obligation){.peer = TLS_PEER_VERIFIED}) && !s->verified)
        return lacking(s, TLS_LACK_CERTIFICATE);
    if (obligation_covers(demand, (struct obligation){.floor = TLS_FLOOR_1_3}) && !s->is_1_3)
        return lacking(s, TLS_LACK_VERSION);
    if (demand.onward && !s->requiretls_offered) return lacking(s, TLS_LACK_REQUIRETLS);
    return go();
}

struct tls_decision tls_policy(const struct tls_situation *s)
{
    struct obligation demand = tls_policy_demand(s->need, s->connector_tls);
    if (!obligation_demands_tls(demand)) return without_demand(s);

    /* DANE needs DNSSEC answers, and there is no resolver yet that gives any: the mail waits, whatever is offered. */
    struct tls_situation alone = *s;
    alone.more_hosts = false;
    if (obligation_covers(demand, (struct obligation){.peer = TLS_PEER_DANE})) return lacking(&alone, TLS_LACK_DANE);
    if (s->connector_tls == CONNECTOR_TLS_NONE) return lacking(&alone, TLS_LACK_CONNECTOR);

    switch (s->moment) {
    case TLS_BEFORE: return go();
    case TLS_IN_CLEAR:
        if (!s->offered) return lacking(s, TLS_LACK_OFFER);
        return (struct tls_decision){.step = TLS_START};
    case TLS_FAILED: return lacking(s, TLS_LACK_HANDSHAKE);
    case TLS_DONE: return when_encrypted(s, demand);
    default: INVARIANT(!"a moment of a connection");
    }
    return lacking(s, TLS_LACK_HANDSHAKE);
}

const char *tls_policy_lack_text(uint8_t lack)
{
    static const char *const texts[TLS_LACK_COUNT] = {
        [TLS_LACK_NONE] = "",
        [TLS_LACK_OFFER] = "TLS required but not offered by",
        [TLS_LACK_CONNECTOR] = "TLS required but turned off (tls none) for",
        [TLS_LACK_HANDSHAKE] = "TLS required but the handshake failed with",
        [TLS_LACK_CERTIFICATE] = "verified TLS required but the certificate is not good at",
        [TLS_LACK_VERSION] = "TLS 1.3 required but not spoken by",
        [TLS_LACK_REQUIRETLS] = "REQUIRETLS required but not offered by",
        [TLS_LACK_DANE] = "DANE required, which this relay cannot check yet, for",
    };
    INVARIANT(lack < TLS_LACK_COUNT);
    return texts[lack];
}
