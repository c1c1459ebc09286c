/* tests/sim/sim: one relay in a world of dice.
 *
 * smtp/, relay/ and store/, the very objects of the product's library, run in one process and one thread under a seeded
 * network, DNS, clock, disk and judges that die; time is virtual.  Everything that happens is an event with a time; a
 * seed is a whole run, and two runs of it are equal to the byte.  What the world did to the relay and what the relay
 * did with the mail is written into a history, which is held to the promises in the end (history.c).
 *
 * A *life* is one run of the relay's process.  When it is killed, all that was due to it is dropped and its memory is
 * left as it lies: the next life gets what stands on the disk. */
#ifndef SLUICE_TESTS_SIM_H
#define SLUICE_TESTS_SIM_H

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "net/port.h"
#include "store/port.h"
#include "tests/support/dice.h"

enum trouble_point {
#define TROUBLE(name, chance, words) POINT_##name,
#include "tests/sim/troubles.def"
#undef TROUBLE
    TROUBLE_POINTS
};

#define SECONDS(n) ((int64_t)(n)*1000000)
#define MINUTES(n) SECONDS((n)*60LL)
#define HOURS(n)   SECONDS((n)*3600LL)
#define DAYS(n)    SECONDS((n)*86400LL)

struct sim_event;
struct world {
    uint64_t seed;
    struct dice dice;
    int64_t mono_us, utc_shift_us; /* utc = mono + shift */
    unsigned life; /* of the relay's process, from 1; one more at its end, and one more at the next start */
    bool calm;     /* no more troubles */
    bool tracing;
    uint64_t hash; /* of everything that was traced */
    unsigned events;
    uint16_t chance[TROUBLE_POINTS]; /* of this seed, in a thousand; 0: not in it */
    unsigned met[TROUBLE_POINTS];
    const char *mistake; /* planted on purpose: mistakes.c; NULL: none */
};
extern struct world world;

/* --- world.c ------------------------------------------------------------------------------------------------------ */
void world_begin(uint64_t seed);
uint64_t sim_roll(uint64_t sides);              /* 0 … sides-1 */
int64_t sim_between(int64_t low, int64_t high); /* both inclusive */
bool sim_happens(enum trouble_point t);
extern const char *const trouble_names[TROUBLE_POINTS];
int64_t sim_utc(void); /* microseconds */
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sim_violation(const char *format, ...) __attribute__((format(printf, 1, 2))); /* told, and the run has failed */
unsigned sim_violations(void);

typedef void sim_action(void *what);
/* The world's own, and what is due to the relay's present life only. */
struct sim_event *sim_after(int64_t us, sim_action *run, void *what);
struct sim_event *sim_after_alive(int64_t us, sim_action *run, void *what);
void sim_cancel(struct sim_event **e);
int64_t sim_event_at(const struct sim_event *e);
bool sim_step(void); /* the next event; false: there is none */

/* --- threads.c: the store's threads as fibers, which take turns as the dice say ----------------------------------- */
void sim_fiber_pause(int64_t us); /* on a fiber: others go on meanwhile; elsewhere nothing */
bool sim_fibers_turn(void);       /* from outside all fibers: one goes on now, whatever the time; false: none can */
void sim_fibers_forget(void);     /* a life ended */

/* --- disk.c: files that know what was synced ---------------------------------------------------------------------- */
struct disk_file;
enum disk_trouble { DISK_GOOD, DISK_EIO, DISK_ENOSPC };
struct disk_file *disk_find(const char *name); /* linked now; NULL */
struct disk_file *disk_make(const char *name); /* NULL: memory only, no name */
struct disk_file *disk_nth(size_t i, const char **name);
void disk_unlink(struct disk_file *f);
void disk_hold(struct disk_file *f); /* one more descriptor */
void disk_let_go(struct disk_file *f);
size_t disk_size(const struct disk_file *f);
size_t disk_read(const struct disk_file *f, size_t at, void *out, size_t n);
enum disk_trouble disk_write(struct disk_file *f, size_t at, const void *bytes, size_t n);
enum disk_trouble disk_resize(struct disk_file *f, size_t n);
enum disk_trouble disk_sync(struct disk_file *f);
enum disk_trouble disk_sync_directory(void);
struct str disk_view(const struct disk_file *f); /* until the next change */
uint64_t disk_free_bytes(void);
void disk_fill(bool full);
void disk_fail(unsigned writes); /* the next ones */
void disk_settle(void);          /* as it stands it is synced: the image every seed begins with */
void disk_power_cut(void);       /* what was not synced is lost, whole or in part */
void disk_close_all(void);       /* the descriptors of a life that ended */

/* vfs.c: SQLite's files on that disk; libc.c: the library's system calls on it. */
void vfs_register(void);
void vfs_forget(void);                  /* a life ended: locks and shared memory */
extern sim_action *libc_store_readable; /* the store's event descriptor turned readable */
int libc_memory_file(struct str bytes); /* a descriptor with these bytes, for the relay */
struct str libc_bytes(int fd);          /* what is in it */
void libc_forget(void);

/* --- net.c -------------------------------------------------------------------------------------------------------- */
const struct net_port *sim_net(void);
enum { SOCKET_INBOUND = 500000, SOCKET_CONTROL }; /* descriptors, for LINK_LISTENER and LINK_CONTROL */
void sim_net_forget(void);                        /* a life ended: every peer sees a reset */

/* The other side of a stream: a client or a host of the world's. */
struct sim_peer {
    void (*connected)(void *self); /* a host's: somebody is there */
    void (*received)(void *self, struct str bytes, bool tls);
    void (*secured)(void *self, bool good);
    void (*ended)(void *self, bool reset); /* once; the stream is gone */
};
struct net_stream *sim_dial(int socket, const char *ip, const struct sim_peer *peer,
                            void *self); /* NULL: nobody listens */
void sim_say(struct net_stream *s, struct str bytes);
void sim_finish(struct net_stream *s); /* shuts the peer's side after what was said; it may still hear */
void sim_cut(struct net_stream *s);    /* at once, both ways */
void sim_cut_after(struct net_stream *s, uint64_t bytes); /* of both directions together */
struct sim_tls {
    bool good, certificate, is_1_3;
};
void sim_secure(struct net_stream *s,
                const struct sim_tls *t); /* the peer's half of the handshake; `secured` follows */

/* --- channels.c: supervisor, template and judges ------------------------------------------------------------------ */
void channels_prepare(void); /* compiles the rules, once */
void channels_fill_port(struct net_port *p);
int channels_supervisor(void); /* a new one's, for relay_begin */
void channels_control(void);
void channels_generation(void); /* BEGIN … COMMIT */
void channels_stop(void);       /* LINK_STOP */
void channels_forget(void);

/* --- dns.c, hosts.c, clients.c, operators.c ----------------------------------------------------------------------- */
void dns_fill_port(struct net_port *p);
/* The host at this name or address and port: what to talk to; NULL: nobody there. */
bool hosts_answer(struct str host, uint16_t port, const struct sim_peer **peer, void **self, struct net_stream *s);
void operators_visit(void *unused); /* by hand, over the control socket: hold, release, retry, look */
void operators_release(void);       /* the calm: what was held goes on; asked for until it is done */
bool operators_are_done(void);
void clients_begin(void);
bool clients_are_done(void);

/* --- history.c ---------------------------------------------------------------------------------------------------- */
enum { RECIPIENTS_MOST = 6 };
enum fate_known { FATE_UNSENT, FATE_ACKED, FATE_REFUSED, FATE_UNKNOWN };
enum need_peer { NEED_NOTHING, NEED_ENCRYPT, NEED_VERIFIED };
struct sent_recipient {
    char address[64];
    bool taken;     /* 250 to its RCPT */
    uint8_t notify; /* as RFC 3461's; 0: not given */
    unsigned delivered, confirmed, failed, relayed,
        delayed; /* copies hosts took, and which the relay knows of; reports */
};
struct sent_mail {
    unsigned number;
    char from[64];
    struct sent_recipient to[RECIPIENTS_MOST];
    size_t to_count;
    struct buf content; /* as the client meant it, without dot-stuffing */
    const char *word;   /* of the subject: what the rules do with it */
    uint8_t need;       /* enum need_peer: by rule or REQUIRETLS */
    bool onward, eight_bit, requiretls;
    uint8_t fate; /* enum fate_known */
    int64_t acked_us;
    char reply[200];
};
struct sent_mail *history_new(void);
struct sent_mail *history_mail(unsigned number); /* NULL: none */
size_t history_count(void);
/* The mail's token, as it stands in a header of each: "X-Token: 17"; 0: none is in there. */
unsigned history_token(struct str line);

struct got_mail {
    const char *host;
    struct str from; /* of MAIL; empty: null reverse-path */
    const struct str *to;
    size_t to_count;
    struct str content;
    bool tls, verified, requiretls;
};
int history_got(const struct got_mail *g);
void history_confirm(int got); /* the relay knows that this one was taken */
/* A line of content came to a host: nobody may see one in the clear who must not. */
void history_seen(const char *host, struct str line, const struct str *to, size_t to_count, bool tls, bool verified,
                  bool requiretls);
/* A host said 5yz about this recipient; about a whole domain: "@domain"; about whoever it was: STR_NONE. */
void history_refused(struct str address);
void history_lied(struct str address); /* a host was out of step with its replies about it */
void history_cannot_carry(void);       /* a host without EHLO: 8-bit mail cannot go there (5.6.3) */
void history_excuse_duplicates(void);  /* a life or a commit was lost: outcomes may have gone with it */
void history_storage_failed(void);     /* a commit is answered as failed: its mail must not be there */
void history_power_cut(void);          /* … but after one, it may: store/undo_log.c */
void history_look_at_disk(void);       /* between two lives */
void history_judge(void);              /* the end: everything must be accounted for */

#endif
