#include "store/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "store/rows.h"
#include "store/spool.h"

static bool failed(struct reader *r, int result, struct err *e)
{
    database_trouble(&r->db, result, "reading the queue", e);
    return false;
}

static struct str column(struct page *p, sqlite3_stmt *s, int index)
{
    return arena_str(p->arena, column_str(s, index));
}

/* False: the row is damaged.  What could be read stands in *m all the same, for the listing. */
static bool take_message(struct page *p, sqlite3_stmt *s, struct stored_message *m, int64_t *id)
{
    *id = sqlite3_column_int64(s, 0);
    m->queue_id = column(p, s, 1);
    m->arrived = sqlite3_column_int64(s, 2);
    m->reverse_path = column(p, s, 3);
    m->client_ip = column(p, s, 4);
    m->helo = column(p, s, 5);
    int64_t size = sqlite3_column_int64(s, 6), copies = sqlite3_column_int64(s, 13), ret = sqlite3_column_int64(s, 11);
    m->spool = column(p, s, 7);
    struct str hash = column_str(s, 8), unused;
    m->envid = column(p, s, 10);
    m->ret = (uint8_t)ret;
    m->generation = (uint64_t)sqlite3_column_int64(s, 12);
    bool sound = rows_take_flags((uint32_t)sqlite3_column_int64(s, 9), m) && hash.n == sizeof m->sha256 && size >= 0 &&
                 copies >= 0 && copies <= RECIPIENTS_MAX && (ret == 0 || ret == 'H' || ret == 'F') &&
                 (m->spool.n == 0 || spool_path_parse(m->spool, &unused));
    m->size = size >= 0 ? (uint64_t)size : 0;
    m->copy_count = sound ? (size_t)copies : 0;
    if (hash.n == sizeof m->sha256) memcpy(m->sha256, hash.p, hash.n);
    return sound;
}

/* A recipient whose row does not make sense is never due: it shows as held, says why, and demands the most. */
static void set_aside(struct stored_recipient *r)
{
    r->state = RECIPIENT_HELD;
    r->need = (struct obligation){TLS_PEER_DANE, TLS_FLOOR_1_3, true};
    r->copy = 0;
    r->reason = STR("the stored record is damaged");
}

static void take_recipient(struct page *p, sqlite3_stmt *s, struct stored_recipient *r, bool message_sound,
                           size_t copies)
{
    r->id = sqlite3_column_int64(s, 0);
    r->address = column(p, s, 1);
    int64_t state = sqlite3_column_int64(s, 2), copy = sqlite3_column_int64(s, 4), notify = sqlite3_column_int64(s, 12);
    int64_t attempts = sqlite3_column_int64(s, 9);
    bool sound = message_sound && obligation_parse(column_str(s, 3), &r->need) && state >= 0 &&
                 state < RECIPIENT_STATE_COUNT && copy >= 0 && (copy == 0 || (uint64_t)copy < copies) && notify >= 0 &&
                 notify <= 15 && attempts >= 0 && attempts <= UINT32_MAX;
    r->state = (uint8_t)state;
    r->copy = (uint32_t)copy;
    r->connector = column(p, s, 5);
    r->rule = column(p, s, 6);
    r->tls_rule = column(p, s, 7);
    r->reason = column(p, s, 8);
    r->attempts = (uint32_t)attempts;
    r->next_try = sqlite3_column_int64(s, 10);
    r->expires = sqlite3_column_int64(s, 11);
    r->notify = (uint8_t)notify;
    r->orcpt = column(p, s, 13);
    if (!sound) set_aside(r);
}

static sqlite3_stmt *range(struct reader *r, enum statement id, int64_t message)
{
    sqlite3_stmt *s = database_statement(&r->db, id);
    sqlite3_bind_int64(s, 1, first_of(message));
    sqlite3_bind_int64(s, 2, last_of(message));
    return s;
}

static bool read_recipients(struct reader *r, struct page *p, struct stored_message *m, int64_t id, bool sound,
                            bool due, struct err *e)
{
    VEC(struct stored_recipient) list = {0};
    sqlite3_stmt *s = range(r, SQL_READ_RECIPIENTS, id);
    int result;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        struct stored_recipient one = {0};
        take_recipient(p, s, &one, sound, m->copy_count);
        if (!due || one.state == RECIPIENT_QUEUED) VEC_PUSH(&list, one);
    }
    m->recipients = ARENA_ARRAY(p->arena, struct stored_recipient, list.n ? list.n : 1);
    if (list.n) memcpy(m->recipients, list.v, list.n * sizeof *list.v);
    m->recipient_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || failed(r, result, e);
}

/* Copies without a row are the content itself. */
static bool read_copies(struct reader *r, struct page *p, struct stored_message *m, int64_t id, struct err *e)
{
    struct stored_copy *copies = ARENA_ARRAY(p->arena, struct stored_copy, m->copy_count ? m->copy_count : 1);
    struct piece *whole = ARENA_NEW(p->arena, struct piece);
    whole->to = m->size;
    for (size_t i = 0; i < m->copy_count; i++) {
        copies[i] = (struct stored_copy){.pieces = {whole, m->size ? 1 : 0}, .length = m->size};
        memcpy(copies[i].sha256, m->sha256, sizeof m->sha256);
    }
    sqlite3_stmt *s = range(r, SQL_READ_COPIES, id);
    int result;
    bool sound = true;
    while ((result = sqlite3_step(s)) == SQLITE_ROW && sound) {
        size_t number = (size_t)(sqlite3_column_int64(s, 0) - first_of(id));
        struct str hash = column_str(s, 2);
        sound = number < m->copy_count && hash.n == sizeof copies->sha256;
        if (!sound) break;
        copies[number].length = (uint64_t)sqlite3_column_int64(s, 1);
        memcpy(copies[number].sha256, hash.p, hash.n);
        sound = rows_decode_pieces(p->arena, column(p, s, 3), m->size, &copies[number].pieces) &&
                pieces_length(&copies[number].pieces) == copies[number].length;
    }
    m->copies = copies;
    sqlite3_reset(s);
    if (!sound) return err_set(e, EX_DATAERR, "the copies of message %.*s are damaged", STR_ARG(m->queue_id));
    return result == SQLITE_DONE || failed(r, result, e);
}

static bool verify(const struct stored_message *m, struct str content, struct err *e)
{
    uint8_t hash[DIGEST_SIZE];
    digest_sha256(content, hash);
    if (content.n == m->size && memcmp(hash, m->sha256, sizeof hash) == 0) return true;
    return err_set(e, EX_DATAERR, "the content of message %.*s is damaged: it does not match its hash",
                   STR_ARG(m->queue_id));
}

static bool verify_spool(struct reader *r, const struct stored_message *m, struct err *e)
{
    struct stat st;
    int fd = spool_open(r->state_fd, m->spool, e);
    if (fd < 0) {
        if (e && e->sysexit == EX_NOINPUT) e->sysexit = EX_DATAERR;
        return false;
    }
    bool ok = false;
    if (fstat(fd, &st) < 0) {
        err_os(e, EX_IOERR, "a spool file");
    } else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != m->size || m->size == 0) {
        err_set(e, EX_DATAERR, "the content of message %.*s is damaged: its length is wrong", STR_ARG(m->queue_id));
    } else {
        void *map = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            err_os(e, EX_TEMPFAIL, "a spool file");
        } else {
            ok = verify(m, (struct str){map, m->size}, e);
            munmap(map, m->size);
        }
    }
    close(fd);
    return ok;
}

static bool read_content(struct reader *r, struct page *p, struct stored_message *m, int64_t id, struct err *e)
{
    if (m->spool.n) return verify_spool(r, m, e);
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_CONTENT);
    sqlite3_bind_int64(s, 1, id);
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW) m->content = column(p, s, 0);
    sqlite3_reset(s);
    if (result == SQLITE_DONE)
        return err_set(e, EX_DATAERR, "the content of message %.*s is missing", STR_ARG(m->queue_id));
    return result == SQLITE_ROW ? verify(m, m->content, e) : failed(r, result, e);
}

static bool read_listing(struct reader *r, struct page *p, bool due, int64_t *after, struct err *e)
{
    p->messages = ARENA_ARRAY(p->arena, struct stored_message, PAGE_MESSAGES);
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_MESSAGES);
    sqlite3_bind_int64(s, 1, *after);
    sqlite3_bind_int(s, 2, PAGE_MESSAGES);
    int result;
    size_t seen = 0;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        struct stored_message *m = &p->messages[p->message_count];
        memset(m, 0, sizeof *m);
        bool sound = take_message(p, s, m, after);
        seen++;
        if (!read_recipients(r, p, m, *after, sound, due, e)) break;
        m->copy_count = 0;
        if (m->recipient_count) p->message_count++;
    }
    sqlite3_reset(s);
    p->last = seen < PAGE_MESSAGES;
    return result == SQLITE_DONE || (result != SQLITE_ROW && failed(r, result, e));
}

static bool read_one(struct reader *r, struct page *p, struct str queue_id, bool with_content, struct err *e)
{
    int64_t id = 0;
    struct stored_message *m = p->messages = ARENA_NEW(p->arena, struct stored_message);
    p->last = true;
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_MESSAGE);
    bind_text(s, 1, queue_id);
    int result = sqlite3_step(s);
    bool sound = result == SQLITE_ROW && take_message(p, s, m, &id);
    sqlite3_reset(s);
    if (result == SQLITE_DONE) return err_set(e, EX_NOINPUT, "no message has the queue id %.*s", STR_ARG(queue_id));
    if (result != SQLITE_ROW) return failed(r, result, e);
    if (!read_recipients(r, p, m, id, sound, false, e)) return false;
    if (!sound && with_content)
        return err_set(e, EX_DATAERR, "the record of message %.*s is damaged", STR_ARG(queue_id));
    if (!read_copies(r, p, m, id, e) || (with_content && !read_content(r, p, m, id, e))) return false;
    p->message_count = 1;
    return true;
}

static bool read_rules(struct reader *r, struct page *p, struct err *e)
{
    VEC(struct rule_row) list = {0};
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_HITS);
    int result;
    p->last = true;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        struct rule_row row = {.rule = column(p, s, 0), .last = sqlite3_column_int64(s, 6)};
        for (int i = 0; i < 5; i++) row.counts[i] = (uint64_t)sqlite3_column_int64(s, 1 + i);
        VEC_PUSH(&list, row);
    }
    p->rules = ARENA_ARRAY(p->arena, struct rule_row, list.n ? list.n : 1);
    if (list.n) memcpy(p->rules, list.v, list.n * sizeof *list.v);
    p->rule_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || failed(r, result, e);
}

static bool read_entries(struct reader *r, struct page *p, struct stored_list *l, struct err *e)
{
    VEC(struct stored_entry) list = {0};
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_ENTRIES);
    bind_text(s, 1, l->list);
    int result;
    while ((result = sqlite3_step(s)) == SQLITE_ROW)
        VEC_PUSH(&list, (struct stored_entry){column(p, s, 0), column(p, s, 1)});
    struct stored_entry *entries = ARENA_ARRAY(p->arena, struct stored_entry, list.n ? list.n : 1);
    if (list.n) memcpy(entries, list.v, list.n * sizeof *entries);
    l->entries = entries;
    l->entry_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || failed(r, result, e);
}

static bool read_lists(struct reader *r, struct page *p, struct err *e)
{
    VEC(struct stored_list) all = {0};
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_LISTS);
    int result;
    p->last = true;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        struct stored_list l = {.list = column(p, s, 0), .type = column(p, s, 1)};
        l.revision = (uint64_t)sqlite3_column_int64(s, 2);
        VEC_PUSH(&all, l);
    }
    sqlite3_reset(s);
    p->lists = ARENA_ARRAY(p->arena, struct stored_list, all.n ? all.n : 1);
    if (all.n) memcpy(p->lists, all.v, all.n * sizeof *all.v);
    p->list_count = all.n;
    VEC_FREE(&all);
    bool ok = result == SQLITE_DONE || failed(r, result, e);
    for (size_t i = 0; i < p->list_count && ok; i++) ok = read_entries(r, p, &p->lists[i], e);
    return ok;
}

static bool read_page(struct reader *r, struct page *p, struct store_query *q, int64_t *after)
{
    switch (q->kind) {
    case QUERY_DUE: return read_listing(r, p, true, after, &p->err);
    case QUERY_QUEUE: return read_listing(r, p, false, after, &p->err);
    case QUERY_MESSAGE: return read_one(r, p, q->queue_id, true, &p->err);
    case QUERY_FIND: return read_one(r, p, q->queue_id, false, &p->err);
    case QUERY_RULES: return read_rules(r, p, &p->err);
    case QUERY_LISTS: return read_lists(r, p, &p->err);
    }
    return err_set(&p->err, EX_SOFTWARE, "a query of no known kind");
}

struct page *reader_page(struct reader *r, struct store_query *q, int64_t *after)
{
    struct page *p = mem_alloc(sizeof *p);
    p->query = q;
    p->arena = arena_create();
    enum trouble_kind kind = database_run(&r->db, database_statement(&r->db, SQL_READ_BEGIN));
    if (kind == TROUBLE_NONE)
        p->ok = read_page(r, p, q, after);
    else
        p->err = r->db.last;
    if (!sqlite3_get_autocommit(r->db.handle)) database_run(&r->db, database_statement(&r->db, SQL_READ_END));
    if (!p->ok) p->last = true;
    return p;
}

void page_free(struct page *p)
{
    arena_free(&p->arena);
    free(p);
}
