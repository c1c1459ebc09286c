/* The check in the background, a message at a time: store/reader.h. */
#include <stdlib.h>
#include <sysexits.h>

#include "store/reader.h"

/* What damage is: the bytes that were stored are not the ones that are read.  A disk that does not answer is none. */
static bool is_damage(const struct err *e) { return e->sysexit == EX_DATAERR; }

/* Its record does not make sense: it is aside without anybody having set it there. */
static bool is_damaged_record(const struct stored_recipient *r) { return str_eq(r->reason, reader_damaged_record); }

static bool is_set_aside(const struct page *p)
{
    size_t n = 0;
    for (size_t i = 0; p->messages && i < p->messages->recipient_count; i++) {
        const struct stored_recipient *r = &p->messages->recipients[i];
        n += r->state == RECIPIENT_DAMAGED && !is_damaged_record(r);
    }
    return p->messages && n && n == p->messages->recipient_count;
}

/* Recipients whose own record is damaged are aside by themselves, and the others go on. */
static bool tell_recipients(struct page *p)
{
    const struct stored_message *m = p->messages;
    size_t n = 0;
    if (!m->recipient_count) return err_set(&p->err, EX_NOUSER, "the records of all its recipients are gone");
    for (size_t i = 0; i < m->recipient_count; i++) n += is_damaged_record(&m->recipients[i]);
    return !n || err_set(&p->err, EX_NOUSER, "the records of %zu of its recipients are damaged", n);
}

static bool next_message(struct reader *r, int64_t *id)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_NEXT_MESSAGE);
    sqlite3_bind_int64(s, 1, *id);
    int result = sqlite3_step(s);
    bool more = result == SQLITE_ROW;
    *id = more ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return more || (result != SQLITE_DONE && reader_failed(r, result, NULL));
}

struct page *reader_check_next(struct reader *r, int64_t *after, bool *more)
{
    struct page *p = mem_alloc(sizeof *p);
    p->arena = arena_create();
    *more = false;
    if (database_run(&r->db, database_statement(&r->db, SQL_READ_BEGIN)) == TROUBLE_NONE && next_message(r, after)) {
        sqlite3_stmt *s = database_statement(&r->db, SQL_READ_MESSAGE_ROW);
        sqlite3_bind_int64(s, 1, *after);
        *more = true;
        p->ok = reader_read_whole(r, p, s, &p->err) ? tell_recipients(p) : !is_damage(&p->err) || is_set_aside(p);
    }
    if (!sqlite3_get_autocommit(r->db.handle)) database_run(&r->db, database_statement(&r->db, SQL_READ_END));
    if (*more && !p->ok) return p;
    page_free(p);
    return NULL;
}
