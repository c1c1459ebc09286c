/* daemon/set: one generation as the supervisor has it: its template, settings, sockets, keys.  Private to this room.
 *
 * A set is being made (its template has not answered), in force, or old (its template serves until the relay lets it
 * go). Owns its descriptors and its arena. */
#ifndef SLUICE_DAEMON_SET_H
#define SLUICE_DAEMON_SET_H

#include <sys/types.h>

#include "mail/settings.h"

enum set_source { SET_CONFIG, SET_PROGRAM, SET_ACCEPTED };

struct binding {
    int socket;
    int certificate, key; /* memfds; -1: no STARTTLS */
};

struct set {
    struct set *next;
    uint64_t number;
    enum set_source source;
    bool last_accepted;   /* it runs the last accepted program, not the configuration */
    pid_t pid;            /* of the template */
    int channel;          /* to the template; -1: it ended */
    int relay_end;        /* the channel's end for the relay, until it was handed over */
    int program;          /* memfd */
    int settings_fd;
    struct arena *arena;
    struct settings settings;
    struct binding *bindings; /* settings.listener_count */
    int *passwords;           /* memfds, settings.connector_count; -1: it has no user */
    struct buf text;      /* the template's warnings */
    uint32_t rules;       /* how many it has */
};

/* Starts a template.  `path` is the configuration's, where relative paths begin; `program`, for all but SET_CONFIG
 * (-1), a compiled program in its place.  NULL with *e. */
struct set *set_start(int self, uint64_t number, enum set_source source, const char *path, int program, struct err *e);
void set_free(struct set **s); /* its template reads end of file and ends */

/* Takes what LINK_BEGIN brought: the descriptors become the set's. */
bool set_take(struct set *s, struct str text, int fds[4], struct err *e);
/* Sockets, keys and passwords; what `old` (may be NULL) has already is shared with it. */
bool set_bind(struct set *s, const struct set *old, struct err *e);
/* The relay could not use the certificate or key of the listener `name`: it keeps those of `before`, and so does
 * this. */
void set_keep_keys(struct set *s, const struct set *before, struct str name);
/* Whether the change from `old` needs a restart (DESIGN section 7): true with *e. */
bool set_needs_restart(const struct set *old, const struct set *new, struct err *e);
/* Sends it all to the relay, from LINK_BEGIN to LINK_COMMIT. */
bool set_send(struct set *s, int relay, struct err *e);

#endif
