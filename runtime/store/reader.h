/* store/reader: reading the queue back, a page at a time, each page one short read transaction.
 *
 * Owns the row forms' decoding; runs on the store's reader thread.  A page's memory is its own arena's, so that it can
 * be handed to the loop's thread whole. */
#ifndef SLUICE_STORE_READER_H
#define SLUICE_STORE_READER_H

#include "base/arena.h"
#include "store/database.h"
#include "store/port.h"

struct rule_row {
    struct str rule;
    uint64_t counts[5];
    int64_t last;
};

struct audit_row {
    int64_t at;
    struct stored_audit what;
};

struct page {
    struct page *next;
    struct store_query *query;
    struct arena *arena;
    struct stored_message *messages;
    size_t message_count;
    struct rule_row *rules;
    size_t rule_count;
    struct stored_list *lists;
    size_t list_count;
    struct audit_row *audit;
    size_t audit_count;
    struct due_entry *due;
    size_t due_count;
    struct stored_suspension *suspensions;
    size_t suspension_count;
    struct stored_user *users;
    size_t user_count;
    bool password_is; /* of the one user: store/hasher's */
    uint64_t states[RECIPIENT_STATE_COUNT];
    size_t aside;       /* recipients whose record is damaged, of the message read last */
    struct page *found; /* damage met on the way: messages[0].queue_id and err, as reader_check_next has it */
    bool last, ok; /* last: the query is answered with this page; ok is its answer */
    struct err err;
};

struct reader {
    struct database db; /* .last says how */
    int state_fd;
    bool corrupt; /* the database itself is damaged: nothing read from it is to be trusted */
};

enum { PAGE_MESSAGES = 256, PAGE_DUE = 8192 };

/* The next page of a query; *after is 0 at first and kept between pages.  Never NULL. */
struct page *reader_page(struct reader *r, struct store_query *q, int64_t *after);
void page_free(struct page *p);

/* The check in the background: reads the message behind *after whole, as a delivery would, and moves *after to it;
 * *more is false when there is none, and *after 0 again.  NULL, or what was found damaged: messages[0].queue_id and
 * err. */
/* EX_NOUSER: only records of recipients are damaged, and they are aside by themselves. */
struct page *reader_check_next(struct reader *r, int64_t *after, bool *more);

/* --- between reader.c and check.c --------------------------------------------------------------------------------- */
bool reader_failed(struct reader *r, int result, struct err *e); /* always false */
/* A whole message, of the statement that finds its row: record, recipients, copies, content against its hash. */
bool reader_read_whole(struct reader *r, struct page *p, sqlite3_stmt *found, struct err *e);
extern const struct str reader_damaged_record; /* the reason that such a recipient shows */

#endif
