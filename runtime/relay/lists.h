/* relay/lists: the live lists: kept in the store, held here, given to the judges as sealed blocks (mail/live_list.h).
 *
 * A change is stored, then in force here, then with every judge; only then is whoever asked for it answered, so that
 * the next message sees it.  A list is known by its name in the rules, or else by its table's.  Owns the entries in
 * memory and the descriptors of their blocks. */
#ifndef SLUICE_RELAY_LISTS_H
#define SLUICE_RELAY_LISTS_H

#include "base/json.h"
#include "relay/state.h"

struct lists *lists_create(struct relay *r);
void lists_free(struct lists **l); /* changes under way are forgotten: what the store has got, it keeps */
/* Reads all lists; `done` once: NULL, or why they cannot be read. */
void lists_load(struct lists *l, void (*done)(struct relay *r, const char *failure));

/* Whether every table that the settings name can be of their type; false with *e (EX_CONFIG). */
bool lists_fit(struct lists *l, const struct settings *s, struct err *e);

/* One list as it is now.  `version` grows with every change; `fd` stays ours; -1 and no size: not available now. */
struct lists_block {
    int fd;
    uint64_t size, version;
};
struct lists_block lists_block(struct lists *l, const struct live_list_settings *s);
/* Some judge answered, or is gone, or others judge now: whoever waited for that may be answered. */
void lists_judges_moved(struct lists *l);

/* Requests of the control socket.  `row` takes the object; `done` comes once, possibly at once: status 0, or a
 * sysexits code and why. */
struct lists_call {
    void (*row)(void *owner, struct js *row);
    void (*done)(void *owner, int status, struct str text);
    void *owner;
};
void lists_summary(struct lists *l, const struct lists_call *call); /* a row a list */
void lists_show(struct lists *l, struct str name, const struct lists_call *call); /* a row an entry */
/* `entries`: an array of texts; all of them, or none. */
void lists_change(struct lists *l, struct str name, const struct js *entries, bool remove,
                  const struct lists_call *call);

#endif
