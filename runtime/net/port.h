/* net/port: the loop's services as relay/ sees them: time, timers, chance, streams, channels.
 *
 * relay/ never sees libuv, OpenSSL, time() or random(): only this.  The production adapter is net/loop.c; tests bring
 * scripted ones.  Every call only submits; what comes of it arrives later through the callbacks of the object, drained
 * by the loop, never from inside the submitting call.  After `closed` was called the object is gone and its owner must
 * not use it; close() may be called at any time and is always answered by exactly one `closed`. */
#ifndef SLUICE_NET_PORT_H
#define SLUICE_NET_PORT_H

#include "base/err.h"
#include "base/str.h"

/* --- time --------------------------------------------------------------------------------------------------------- */
struct net_timer {
    void (*fired)(void *owner);
    void *owner;
    void *impl;               /* the adapter's; zero before first use */
};

/* --- streams ------------------------------------------------------------------------------------------------------ */
struct net_stream; /* the adapter's */

/* What TLS came to on a stream; texts live as long as the stream. */
struct net_tls_facts {
    struct str version;       /* "TLSv1.3" */
    struct str cipher;
    bool peer_verified;       /* chain and name both good, as asked for by NET_VERIFY_PKIX or merely observed */
    struct str peer_problem;  /* when not: one sentence */
};

enum net_close_reason { NET_CLOSED_BY_US, NET_CLOSED_BY_PEER, NET_CLOSED_ERROR };

struct net_stream_events {
    void (*connected)(void *owner);                        /* outbound only; failure comes as closed(ERROR, why) */
    void (*received)(void *owner, struct str bytes);       /* the bytes live until it returns */
    void (*drained)(void *owner);                          /* everything written so far is with the kernel */
    void (*tls_ready)(void *owner, const struct net_tls_facts *facts); /* the handshake is over and good */
    void (*closed)(void *owner, enum net_close_reason reason, const char *why); /* a TLS failure too: why says so */
};

enum net_verify { NET_VERIFY_NONE, NET_VERIFY_PKIX };

struct net_tls_client {
    struct str name;          /* for SNI and, with PKIX, for the name check; must be a valid LDH host name then */
    enum net_verify verify;
    bool floor_1_3;           /* at least TLS 1.3; otherwise 1.2 */
    struct str trust;         /* path of a PEM file with the anchors; empty: the system's store */
};

struct net_target {
    struct str host;          /* an address literal, or a name for the system's resolver */
    uint16_t port;
};

/* --- DNS ---------------------------------------------------------------------------------------------------------- */
enum net_dns_kind { NET_DNS_MX, NET_DNS_A, NET_DNS_AAAA, NET_DNS_KINDS };
enum net_dns_status {
    NET_DNS_FOUND,
    NET_DNS_NO_DATA,   /* the domain exists, and has none of these */
    NET_DNS_NO_DOMAIN, /* it does not exist; or the name cannot be one */
    NET_DNS_FAILED,    /* nobody could say: asking again may help */
    NET_DNS_BOGUS      /* the answer was forged, or its signatures are broken: as FAILED, and never as insecure */
};
struct net_dns_record {
    uint16_t preference;      /* MX */
    struct str name;          /* MX: the exchange, lower case, without the last dot; empty is the null MX (RFC 7505) */
    uint8_t ip[16];           /* A, AAAA */
};
/* Views live until `done` returns. */
struct net_dns_answer {
    enum net_dns_status status;
    bool secure;              /* validated by DNSSEC, the absence of records too */
    struct str canonical;     /* where CNAMEs led; empty: nowhere else */
    const struct net_dns_record *v;
    size_t n;                 /* FOUND: at least 1 */
    const char *why;          /* not FOUND: one sentence */
};
struct net_dns_query {
    uint8_t kind;             /* enum net_dns_kind */
    struct str name;          /* A-labels; need live only during dns_ask */
    void (*done)(void *owner, const struct net_dns_answer *a);
    void *owner;
    void *impl;               /* the adapter's, while it is under way */
};

/* --- channels: SOCK_SEQPACKET between our own processes ----------------------------------------------------------- */
struct net_channel;
struct net_channel_events {
    /* One datagram; fds (at most 4) now belong to the owner, and are -1 where absent. */
    void (*received)(void *owner, struct str datagram, const int fds[4]);
    void (*writable)(void *owner);   /* after a send that answered false */
    void (*closed)(void *owner);     /* the other side is gone */
};

/* --- the port ----------------------------------------------------------------------------------------------------- */
struct net_port {
    void *self;
    int64_t (*now)(void *self);              /* UTC, microseconds, read once per loop turn */
    int64_t (*monotonic)(void *self);        /* microseconds, read once per loop turn */
    int32_t (*utc_offset)(void *self, int64_t utc_seconds);
    void (*random)(void *self, void *out, size_t n); /* unpredictable bytes */

    void (*timer_set)(void *self, struct net_timer *t, int64_t after_ms); /* sets anew if already set */
    void (*timer_clear)(void *self, struct net_timer *t);

    /* Ownership of the listening descriptor goes to the port.  accepted() gives a stream without owner; the receiver
     * must call stream_own at once.  `peer` is "ip" in text form and lives until accepted returns. */
    void *(*listen)(void *self, int fd,
                    void (*accepted)(void *owner, struct net_stream *s, struct str peer, uint16_t port), void *owner);
    void (*unlisten)(void *self, void *listener);

    struct net_stream *(*connect)(void *self, const struct net_target *target, const struct net_stream_events *ev,
                                  void *owner);
    void (*stream_own)(void *self, struct net_stream *s, const struct net_stream_events *ev, void *owner);
    /* Who is at the other end of a local (unix) stream, SO_PEERCRED's uid; -1 where that is unknown. */
    int64_t (*stream_peer_uid)(void *self, struct net_stream *s);
    void (*stream_read)(void *self, struct net_stream *s, bool on); /* back-pressure; off after accept and connect */
    /* Queues bytes, copied; flushed at the end of the loop turn or at 64 KiB.  Answers the bytes now waiting in user
     * space: above 256 KiB the caller should wait for drained. */
    size_t (*stream_write)(void *self, struct net_stream *s, struct str bytes);
    /* Starts TLS on the stream.  Bytes received but not yet handed out are dropped and end the stream (injection,
     * CVE-2011-0411).  For a server the context is named by the listener. */
    void (*stream_tls_client)(void *self, struct net_stream *s, const struct net_tls_client *how);
    void (*stream_tls_server)(void *self, struct net_stream *s, void *server_context);
    void (*stream_close)(void *self, struct net_stream *s); /* after what is queued is written; at most 5 s */
    void (*stream_abort)(void *self, struct net_stream *s); /* at once, what is queued is lost */

    /* A server's context from PEM texts (the supervisor read the files).  NULL with *e when they do not fit. */
    void *(*tls_server_context)(void *self, struct str certificate, struct str key, struct err *e);
    void (*tls_server_release)(void *self, void *context); /* sessions that use it keep it */

    /* Whom to ask: "" the system's resolvers (/etc/resolv.conf), else "ip" or "ip@port"; and the file with the DNSSEC
     * trust anchor, "" for none: then no answer is secure.  Answers from before are forgotten; queries under way
     * fail. */
    bool (*dns_use)(void *self, struct str resolver, struct str anchor, struct err *e);
    void (*dns_ask)(void *self, struct net_dns_query *q);
    void (*dns_withdraw)(void *self, struct net_dns_query *q); /* no answer follows; harmless when none is under way */

    /* Whether the address (IPv4 as ::ffff:a.b.c.d) is this machine's: of an interface as it is now, or of loopback. */
    bool (*is_local)(void *self, const uint8_t ip[16]);

    struct net_channel *(*channel_open)(void *self, int fd, const struct net_channel_events *ev, void *owner);
    /* False when the socket is full: nothing was sent, writable() will come.  fds stay the caller's. */
    bool (*channel_send)(void *self, struct net_channel *c, const struct str *parts, size_t n, const int *fds,
                         size_t nfds);
    void (*channel_close)(void *self, struct net_channel *c); /* no event follows */
};

#endif
