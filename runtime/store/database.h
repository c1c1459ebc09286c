/* store/database: a connection to the queue's file: opening, pragmas, migrations, prepared statements, what a result
 * means.
 *
 * Owns the connection and its statements; each connection is used by one thread at a time.  Knows no rows: those are
 * writer.c's and reader.c's.  The SQL itself stands in statements.def. */
#ifndef SLUICE_STORE_DATABASE_H
#define SLUICE_STORE_DATABASE_H

#include <sqlite3.h>

#include "base/err.h"
#include "base/str.h"
#include "store/port.h"

enum statement {
#define STATEMENT(id, who, sql) SQL_##id,
#include "store/statements.def"
    STATEMENT_COUNT
};
enum script {
#define SCRIPT(id, sql) SCRIPT_##id,
#include "store/statements.def"
    SCRIPT_COUNT
};

/* A message's id times 2^RECIPIENT_BITS is its first recipient's and its first copy's. */
enum { RECIPIENT_BITS = STORE_RECIPIENT_BITS, RECIPIENTS_MAX = 1 << RECIPIENT_BITS };
static inline int64_t first_of(int64_t message) { return message << RECIPIENT_BITS; }
static inline int64_t last_of(int64_t message) { return first_of(message) | (RECIPIENTS_MAX - 1); }

/* What a failure means for the requests at hand. */
enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_REFUSED, /* this request cannot be (a constraint, a size): others can */
    TROUBLE_FULL,    /* no space now */
    TROUBLE_FATAL    /* input or output failed, or the file is damaged: this process must not go on with it */
};

struct database {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct err last; /* the latest failure in words */
};

/* Opens; the writer makes the file when there is none, sets pragmas and migrates.  NULL-safe close; neither writes a
 * checkpoint by itself. */
bool database_open_writer(struct database *d, const char *path, uint32_t max_pages, struct err *e);
bool database_open_reader(struct database *d, const char *path, struct err *e);
void database_close(struct database *d);

/* The statement, reset and without values; bind, then step. */
sqlite3_stmt *database_statement(struct database *d, enum statement id);
/* Steps a statement that has no rows to read and resets it. */
enum trouble_kind database_run(struct database *d, sqlite3_stmt *statement);
enum trouble_kind database_script(struct database *d, enum script id);
/* Gives the file disk blocks for so many pages, in steps of 4 MiB.  False: there are none. */
bool database_take_blocks(struct database *d, int64_t pages);
/* SQLite's first finding, or "ok"; false with *e when it cannot even look. */
bool database_check(struct database *d, enum script id, char *answer, size_t n, struct err *e);
/* What a result means; a failure fills d->last, and *e if given, with `what` and SQLite's words. */
enum trouble_kind database_trouble(struct database *d, int result, const char *what, struct err *e);

/* Binding and reading views: bytes are SQLite's until the next step, or the caller's until reset. */
void bind_text(sqlite3_stmt *s, int index, struct str text);
void bind_blob(sqlite3_stmt *s, int index, const void *bytes, size_t n);
struct str column_str(sqlite3_stmt *s, int index);

#endif
