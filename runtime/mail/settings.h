/* mail/settings: the configuration of one generation, as the relay uses it.
 *
 * The builder takes it from the verified program's declarations; it travels as one encoded block (in a sealed memfd) to
 * supervisor and relay, which decode it as hostile.  The relay never reads source, nor a program.  All views live in
 * the decoder's arena. */
#ifndef SLUICE_MAIL_SETTINGS_H
#define SLUICE_MAIL_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

/* An inclusive range of addresses; IPv4 as ::ffff:a.b.c.d. */
struct address_range {
    uint8_t low[16], high[16];
};
struct address_ranges {
    struct address_range *v;
    size_t n;
};
struct domain_set {
    struct str *v; /* A-labels, lower case; "*.b.example" is any subdomain of b.example, not itself */
    size_t n;
};

enum listener_tls { LISTENER_TLS_OFFERED, LISTENER_TLS_REQUIRED, LISTENER_TLS_IMPLICIT };
enum listener_auth { LISTENER_AUTH_OFF, LISTENER_AUTH_OFFERED, LISTENER_AUTH_REQUIRED };
struct listener_settings {
    struct str name;
    struct str ip;
    uint16_t port;
    struct str certificate, key;      /* paths as the supervisor opens them; empty: no STARTTLS */
    struct address_ranges relay_for;  /* clients that may send anywhere */
    struct domain_set domains;        /* what anybody may send to */
    uint8_t tls;                      /* enum listener_tls, where there is a certificate */
    uint8_t auth;                     /* enum listener_auth, inside TLS */
    struct address_ranges proxy_from, xclient_from; /* who may tell us another client's address, and must: PROXY */
    uint32_t sessions;                /* open at once, all clients together */
    uint32_t client_sessions;         /* of one client; this and the next three not for relay_for; 0: no limit */
    uint32_t client_connects, client_messages, client_recipients; /* of one client in a minute; 0: no limit */
    uint32_t patience;                /* seconds for the next command */
    uint32_t least_rate;              /* bytes a second while content comes; 0: any */
};

enum connector_tls { CONNECTOR_TLS_OPPORTUNISTIC, CONNECTOR_TLS_NONE, CONNECTOR_TLS_ENCRYPT, CONNECTOR_TLS_VERIFIED };
struct connector_settings {
    struct str name;
    struct str host;                  /* one, or several with commas between; empty: the MX hosts of the domain */
    uint16_t port;
    uint8_t tls;                      /* enum connector_tls; `none` never means clear for obliged mail: it then waits */
    struct str tls_name;              /* the name a verified certificate must bear; empty: host */
    struct str trust;                 /* PEM file of anchors; empty: the system's */
    struct domain_set domains;        /* recipients that go this way; empty: the default */
    struct str user, password_file;   /* for AUTH; both or neither, and then tls is VERIFIED and there is a host */
    uint32_t retry_first, retry_most, retry_until,
        retry_notice; /* as in settings below; the builder fills in its values */
};

/* A list that is edited while the relay runs: `list name of type in table "table"`. */
struct live_list_settings {
    struct str name, table;
    uint8_t type;                     /* enum live_type */
};

/* One rule of the set, for those who list them: nothing is judged by it here. */
struct rule_settings {
    struct str name;                  /* its name, or the hash of its text: what its counters go by */
    struct str mode;                  /* enforce, audit, audit_and_notify, off */
    uint32_t file, line;              /* where it stands: of `files` */
};

struct settings {
    struct str hostname;
    struct str state, control;        /* paths */
    struct str user, judge_user;
    struct domain_set internal;
    bool sandbox;                     /* false only by `relay sandbox off` */
    uint64_t memory;                  /* bytes: DESIGN section 2, back-pressure */
    uint64_t free_space;              /* bytes that must stay free for MAIL to be accepted */
    uint64_t message_size;            /* largest message, bytes */
    uint32_t judges;                  /* processes; 0: cores - 1, at least 1 */
    bool log_json;
    struct str resolver, trust_anchor; /* for DNS; empty: the system's; none */
    uint8_t partial_reject;           /* 0 whole-for-strangers (default), 1 whole, 2 dsn, 3 drop: LANGUAGE section 4 */
    uint8_t evidence;                 /* enum evidence_policy: what is kept of why rules acted */
    /* Seconds: first delay, longest delay, lifetime, and after how much waiting the sender is told (0: never). */
    uint32_t retry_first, retry_most, retry_until, retry_notice;
    struct listener_settings *listeners;
    size_t listener_count;
    struct connector_settings *connectors;
    size_t connector_count;
    struct live_list_settings *live_lists;
    size_t live_list_count;
    struct str *files;                /* of the rule set */
    size_t file_count;
    struct rule_settings *rules;      /* in the order they run */
    size_t rule_count;
};

void settings_encode(const struct settings *s, struct buf *out);
bool settings_decode(struct arena *a, struct str block, struct settings *out, struct err *e);

bool ranges_contain(const struct address_ranges *r, struct str ip); /* false for text that is no address */
bool domains_contain(const struct domain_set *d, struct str domain); /* domain as A-labels, any case */
const struct connector_settings *settings_connector(const struct settings *s, struct str name); /* NULL: no such */
/* The connector whose domains name this one (exact before wildcard), else the one named "default", else NULL. */
const struct connector_settings *settings_route(const struct settings *s, struct str domain);

#endif
