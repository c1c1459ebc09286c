/* A store on which the k-th input or output fails: what fails, and what is known of what was asked and answered.
 *
 * The store is the product's own objects.  Three layers can fail: SQLite's files (a VFS over its own), the calls that
 * SQLite's unix VFS makes, and the store's own calls to libc (the linker sends them to libc.c); or
 * the disk, which is both kinds of calls and SQLite's syncs together.  One point is one
 * layer, one kind of failure, once or for ever, and the k of the operations that the kind applies to. */
#ifndef SLUICE_TESTS_FAILING_H
#define SLUICE_TESTS_FAILING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum layer { LAYER_VFS, LAYER_CALLS, LAYER_LIBC, LAYER_DISK, LAYER_COUNT };
enum kind {
    KIND_EIO,
    KIND_FULL,   /* ENOSPC, SQLITE_FULL */
    KIND_MEMORY, /* ENOMEM, SQLITE_NOMEM */
    KIND_FILES,  /* EMFILE */
    KIND_SYNC,   /* a sync fails, and what was written stays */
    KIND_LOST,   /* a sync fails, and what was not synced before is gone */
    KIND_EINTR,  /* once only: callers try again */
    KIND_SHORT,  /* half of it is read or written, and that is told */
    KIND_COUNT
};
enum op {
    OP_OPEN,
    OP_MAKE,
    OP_READ,
    OP_WRITE,
    OP_SYNC,
    OP_TRUNCATE,
    OP_DELETE,
    OP_MAP,
    OP_SIZE,
    OP_GROW,
    OP_LOCK,
    OP_LIST,
    OP_COUNT
};

extern const char *const layer_names[LAYER_COUNT], *const kind_names[KIND_COUNT], *const op_names[OP_COUNT];

struct point {
    bool first_start; /* the store is made in the first life; else it stands, empty */
    enum layer layer;
    enum kind kind;
    bool for_ever;
    uint32_t k; /* from 1; 0: nothing fails */
};

enum { MESSAGES = 10, RECIPIENTS = 2, TRACE_MOST = 1 << 16, GENERATIONS = 2, TEXT_MOST = 600 };
enum answered { NOT_ASKED, UNANSWERED, SAID_OK, SAID_FAILED };

/* Shared with the processes that are a relay's lives. */
struct shared {
    struct point point;
    const char *mistake; /* NULL: none */
    _Atomic bool armed;
    _Atomic uint32_t count, struck;
    uint8_t struck_op;
    uint8_t trace[TRACE_MOST]; /* op of each, when nothing fails */
    bool cut_in_vain;          /* the store said that what it answered 451 may stand */
    struct told {
        uint8_t write, done[RECIPIENTS]; /* enum answered */
        uint8_t state[RECIPIENTS];       /* enum recipient_state: as the last change that was answered ok left it */
        bool state_unknown[RECIPIENTS];
        int64_t id[RECIPIENTS];
    } messages[MESSAGES];
    char wrong[TEXT_MOST];
};
extern struct shared *shared;

/* Whether this operation fails; counts it. */
bool fails(enum layer layer, enum op op);
int errno_of_kind(void);
bool mistaken(const char *name); /* it is this mistake that is planted */

void failing_vfs_register(void); /* before the first connection */
void libc_forget(void);          /* a new life: what is not synced is known to be there */

/* The scenario's part of one life of the relay, and the last life, on which all is looked at; never return. */
_Noreturn void live(const char *state_dir, unsigned generation);
_Noreturn void make_store(const char *state_dir); /* one that is empty, and was closed */
_Noreturn void look_at_all(const char *state_dir);

#endif
