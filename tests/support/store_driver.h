/* A store driven without an event loop: submit, then run until everything is answered. */
#ifndef SLUICE_TESTS_STORE_DRIVER_H
#define SLUICE_TESTS_STORE_DRIVER_H

#include "base/arena.h"
#include "store/sqlite.h"

struct driver {
    struct store *store;
    struct store_port port;
    struct content_port content;
    unsigned pending;         /* requests not answered yet */
    bool fatal;
    struct err fatal_err;
};

/* One request and what became of it. */
struct answer {
    struct driver *driver;
    bool answered, ok;
    struct err err;
};

/* A new directory under $TMPDIR or /tmp; removed with everything in it by directory_remove. */
char *directory_temporary(void); /* on the heap */
void directory_remove(const char *path);

bool driver_open(struct driver *d, const char *state_dir, const struct store_options *options, struct err *e);
void driver_close(struct driver *d);
void driver_run(struct driver *d); /* until nothing is pending */
void driver_turn(struct driver *d); /* waits for one wake-up and drains */

/* Submit; `a` must live until it is answered. */
void driver_write(struct driver *d, struct store_write *w, struct answer *a);
void driver_query(struct driver *d, struct store_query *q, struct answer *a); /* q->owner stays as set: see below */
void driver_change(struct driver *d, struct store_change *c, struct answer *a);

/* What a query read, copied. */
struct read_back {
    struct answer answer; /* first: it is the owner */
    struct arena *arena;
    struct stored_message *messages;
    size_t message_count, message_room;
    VEC(struct due_entry) due;
    uint64_t states[RECIPIENT_STATE_COUNT];
    struct { struct str rule; uint64_t counts[5]; int64_t last; } rules[64];
    size_t rule_count;
};
void read_back_free(struct read_back *r);
/* Runs one query to its end.  QUEUE: the queue id is the filter. */
void driver_read_filter(struct driver *d, const struct queue_filter *f, struct read_back *out);
void driver_read(struct driver *d, int kind, struct str queue_id, struct read_back *out);

/* A plain message to one recipient; `r` and the copy are the caller's memory. */
struct stored_message plain_message(struct str queue_id, struct str content, struct stored_recipient *r);

#endif
