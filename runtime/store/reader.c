#include "store/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "store/rows.h"
#include "store/spool.h"
#include "store/whole.h"

bool reader_failed(struct reader *r, int result, struct err *e)
{
    int primary = result & 0xff;
    database_trouble(&r->db, result, "reading the queue", e);
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) r->corrupt = true;
    return false;
}

static struct str column(struct page *p, sqlite3_stmt *s, int index)
{
    return arena_str(p->arena, column_str(s, index));
}

struct message_key {
    int64_t id, edited; /* edited: copies that have a row; -1: not told, in rows from before seals */
};

/* False: the row is damaged.  What could be read stands in *m all the same, for the listing. */
static bool take_message(struct page *p, sqlite3_stmt *s, struct stored_message *m, struct message_key *key)
{
    *key = (struct message_key){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 15)};
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
    bool sealed = sqlite3_column_int(s, 14);
    bool sound = rows_take_flags((uint32_t)sqlite3_column_int64(s, 9), m) && sealed && hash.n == sizeof m->sha256 &&
                 size >= 0 && copies >= 0 && copies <= RECIPIENTS_MAX && (ret == 0 || ret == 'H' || ret == 'F') &&
                 (m->spool.n == 0 || spool_path_parse(m->spool, &unused));
    m->size = size >= 0 ? (uint64_t)size : 0;
    m->copy_count = sound ? (size_t)copies : 0;
    if (hash.n == sizeof m->sha256) memcpy(m->sha256, hash.p, hash.n);
    return sound;
}

const struct str reader_damaged_record = STR_INIT("the stored record is damaged");

/* A recipient whose row does not make sense is never due: it shows as damaged, says why, and demands the most. */
static void set_aside(struct stored_recipient *r)
{
    r->state = RECIPIENT_DAMAGED;
    r->need = (struct obligation){TLS_PEER_DANE, TLS_FLOOR_1_3, true};
    r->copy = 0;
    r->reason = reader_damaged_record;
}

static void take_recipient(struct page *p, sqlite3_stmt *s, struct stored_recipient *r, bool message_sound,
                           size_t copies)
{
    r->id = sqlite3_column_int64(s, 0);
    r->address = column(p, s, 1);
    int64_t state = sqlite3_column_int64(s, 2), copy = sqlite3_column_int64(s, 4), notify = sqlite3_column_int64(s, 12);
    int64_t attempts = sqlite3_column_int64(s, 9);
    bool sealed = sqlite3_column_int(s, 16);
    bool sound = message_sound && sealed && obligation_parse(column_str(s, 3), &r->need) && state >= 0 &&
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
    r->waited = sqlite3_column_int64(s, 14);
    r->noticed = sqlite3_column_int(s, 15);
    if (!sound) set_aside(r);
}

static sqlite3_stmt *range(struct reader *r, enum statement id, int64_t message)
{
    sqlite3_stmt *s = database_statement(&r->db, id);
    sqlite3_bind_int64(s, 1, first_of(message));
    sqlite3_bind_int64(s, 2, last_of(message));
    return s;
}

enum which { ALL_RECIPIENTS, QUEUED_RECIPIENTS };

/* Of the statement, which is bound already. */
static bool read_recipients(struct reader *r, struct page *p, struct stored_message *m, sqlite3_stmt *s, bool sound,
                            enum which which, struct err *e)
{
    VEC(struct stored_recipient) list = {0};
    int result;
    p->aside = 0;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        struct stored_recipient one = {0};
        take_recipient(p, s, &one, sound, m->copy_count);
        p->aside += str_eq(one.reason, reader_damaged_record);
        if (which == ALL_RECIPIENTS || one.state == RECIPIENT_QUEUED) VEC_PUSH(&list, one);
    }
    m->recipients = arena_copy(p->arena, list.v, list.n, sizeof *list.v);
    m->recipient_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

static bool read_evidence(struct reader *r, struct page *p, struct stored_message *m, int64_t id, struct err *e)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_EVIDENCE);
    sqlite3_bind_int64(s, 1, id);
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW) m->evidence = column(p, s, 0);
    sqlite3_reset(s);
    return result == SQLITE_ROW || result == SQLITE_DONE || reader_failed(r, result, e);
}

/* Copies without a row are the content itself. */
static bool read_copies(struct reader *r, struct page *p, struct stored_message *m, const struct message_key *key,
                        struct err *e)
{
    int64_t id = key->id, rows = 0;
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
        rows++;
        sound = number < m->copy_count && hash.n == sizeof copies->sha256 && sqlite3_column_int(s, 4);
        if (!sound) break;
        copies[number].length = (uint64_t)sqlite3_column_int64(s, 1);
        memcpy(copies[number].sha256, hash.p, hash.n);
        sound = rows_decode_pieces(p->arena, column(p, s, 3), m->size, &copies[number].pieces) &&
                pieces_length(&copies[number].pieces) == copies[number].length;
    }
    m->copies = copies;
    sqlite3_reset(s);
    if (result == SQLITE_DONE && key->edited >= 0 && rows != key->edited) sound = false;
    if (!sound) return err_set(e, EX_DATAERR, "the copies of message %.*s are damaged", STR_ARG(m->queue_id));
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

static bool read_content(struct reader *r, struct page *p, struct stored_message *m, int64_t id, struct err *e)
{
    if (m->spool.n) return true;
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_CONTENT);
    sqlite3_bind_int64(s, 1, id);
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW) m->content = column(p, s, 0);
    sqlite3_reset(s);
    if (result == SQLITE_DONE)
        return err_set(e, EX_DATAERR, "the content of message %.*s is missing", STR_ARG(m->queue_id));
    return result == SQLITE_ROW || reader_failed(r, result, e);
}

/* --- the kinds of query ------------------------------------------------------------------------------------------- */

/* A pattern as GLOB has it: `[` is no set of ours, and letter case is apart on both sides.  NULL for an empty one. */
static void bind_pattern(sqlite3_stmt *s, int index, const char *before, struct str pattern, const char *after)
{
    struct buf glob = {0};
    if (!pattern.n) {
        sqlite3_bind_null(s, index);
        return;
    }
    buf_add(&glob, str_of(before));
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '[')
            buf_add(&glob, STR("[[]"));
        else
            buf_add_byte(&glob, ascii_lower(pattern.p[i]));
    }
    buf_add(&glob, str_of(after));
    sqlite3_bind_text64(s, index, glob.p, glob.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    buf_free(&glob);
}

static int64_t no_more_than(uint64_t n) { return n > INT64_MAX ? INT64_MAX : (int64_t)n; }

static sqlite3_stmt *matching_messages(struct reader *r, const struct queue_filter *f, int64_t first, int64_t last)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_MATCHING);
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, last);
    if (str_eq(f->sender, STR("<>")))
        sqlite3_bind_text(s, 3, "", 0, SQLITE_STATIC);
    else
        bind_pattern(s, 3, "", f->sender, "");
    sqlite3_bind_int64(s, 4, f->arrived_from ? f->arrived_from : INT64_MIN);
    sqlite3_bind_int64(s, 5, f->arrived_until ? f->arrived_until : INT64_MAX);
    sqlite3_bind_int64(s, 6, no_more_than(f->size_from));
    sqlite3_bind_int64(s, 7, f->size_until ? no_more_than(f->size_until) : INT64_MAX);
    sqlite3_bind_int(s, 8, PAGE_MESSAGES);
    return s;
}

static sqlite3_stmt *matching_recipients(struct reader *r, const struct queue_filter *f, int64_t message)
{
    sqlite3_stmt *s = range(r, SQL_READ_MATCHING_RECIPIENTS, message);
    bind_pattern(s, 3, "", f->recipient, "");
    bind_pattern(s, 4, "*@", f->domain, "");
    bind_pattern(s, 5, "", f->rule, "");
    bind_pattern(s, 6, "", f->connector, "");
    bind_pattern(s, 7, "*", f->reason, "*");
    sqlite3_bind_int64(s, 8, f->states ? f->states : ~(uint32_t)0);
    return s;
}

static bool find_message(struct reader *r, struct str queue_id, int64_t *id, struct err *e)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_FIND_MESSAGE);
    bind_text(s, 1, queue_id);
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW) *id = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    if (result == SQLITE_DONE) return err_set(e, EX_NOINPUT, "no message has the queue id %.*s", STR_ARG(queue_id));
    return result == SQLITE_ROW || reader_failed(r, result, e);
}

static bool read_queue(struct reader *r, struct page *p, const struct queue_filter *f, int64_t *after, struct err *e)
{
    int64_t first = *after + 1, last = INT64_MAX;
    if (f->queue_id.n) {
        if (!find_message(r, f->queue_id, &first, e)) return false;
        last = first;
    }
    p->messages = ARENA_ARRAY(p->arena, struct stored_message, PAGE_MESSAGES);
    sqlite3_stmt *s = matching_messages(r, f, first, last);
    int result;
    size_t seen = 0;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        struct stored_message *m = &p->messages[p->message_count];
        memset(m, 0, sizeof *m);
        struct message_key key;
        bool sound = take_message(p, s, m, &key);
        *after = key.id;
        seen++;
        if (!read_recipients(r, p, m, matching_recipients(r, f, *after), sound, ALL_RECIPIENTS, e)) break;
        m->copy_count = 0;
        if (f->queue_id.n && !read_evidence(r, p, m, *after, e)) break;
        if (m->recipient_count) p->message_count++;
    }
    sqlite3_reset(s);
    p->last = seen < PAGE_MESSAGES || f->queue_id.n;
    return result == SQLITE_DONE || (result != SQLITE_ROW && reader_failed(r, result, e));
}

/* Some recipients of a message that is due are aside, and told. */
static void tell(struct page *p, struct str queue_id, const struct err *e)
{
    struct page *f = mem_alloc(sizeof *f);
    f->arena = arena_create();
    f->messages = ARENA_NEW(f->arena, struct stored_message);
    f->messages->queue_id = arena_str(f->arena, queue_id);
    f->err = *e;
    f->next = p->found;
    p->found = f;
}

/* Recipients that are due and have no message: one row's number was changed on the disk.  Nothing else would ever
 * tell. */
static void look_for_orphans(struct reader *r, struct page *p, int64_t message)
{
    sqlite3_stmt *s = range(r, SQL_READ_RECIPIENTS, message);
    if (sqlite3_step(s) == SQLITE_ROW) {
        struct str address = column_str(s, 1);
        struct err e = {0};
        err_set(&e, EX_NOUSER, "recipient %.*s belongs to no message: the record is damaged", STR_ARG(address));
        tell(p, STR("unknown"), &e);
    }
    sqlite3_reset(s);
}

/* *after counts the ids that were looked up. */
static bool read_load(struct reader *r, struct page *p, const struct store_query *q, int64_t *after, struct err *e)
{
    size_t end = q->id_count - (size_t)*after > PAGE_MESSAGES ? (size_t)*after + PAGE_MESSAGES : q->id_count;
    p->messages = ARENA_ARRAY(p->arena, struct stored_message, PAGE_MESSAGES);
    for (; (size_t)*after < end; ++*after) {
        int64_t id = q->ids[*after];
        struct stored_message *m = &p->messages[p->message_count];
        sqlite3_stmt *s = database_statement(&r->db, SQL_READ_MESSAGE_ROW);
        sqlite3_bind_int64(s, 1, id);
        memset(m, 0, sizeof *m);
        int result = sqlite3_step(s);
        struct message_key key;
        bool sound = result == SQLITE_ROW && take_message(p, s, m, &key);
        sqlite3_reset(s);
        if (result == SQLITE_DONE) {
            look_for_orphans(r, p, id);
            continue;
        }
        if (result != SQLITE_ROW) return reader_failed(r, result, e);
        if (!read_recipients(r, p, m, range(r, SQL_READ_RECIPIENTS, id), sound, QUEUED_RECIPIENTS, e)) return false;
        if (p->aside) {
            struct err why = {0};
            err_set(&why, EX_NOUSER, "the records of %zu of its recipients are damaged", p->aside);
            tell(p, m->queue_id, &why);
        }
        if (m->recipient_count) p->message_count++;
    }
    p->last = end == q->id_count;
    return true;
}

static bool read_due(struct reader *r, struct page *p, int64_t *after, struct err *e)
{
    p->due = ARENA_ARRAY(p->arena, struct due_entry, PAGE_DUE);
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_DUE);
    sqlite3_bind_int64(s, 1, *after);
    sqlite3_bind_int(s, 2, PAGE_DUE);
    int result;
    size_t seen = 0;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        *after = sqlite3_column_int64(s, 0);
        seen++;
        if (sqlite3_column_int64(s, 2) != RECIPIENT_QUEUED) continue;
        p->due[p->due_count++] = (struct due_entry){*after, sqlite3_column_int64(s, 1)};
    }
    sqlite3_reset(s);
    p->last = seen < PAGE_DUE;
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

static bool read_states(struct reader *r, struct page *p, struct err *e)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_STATES);
    int result;
    while ((result = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t state = sqlite3_column_int64(s, 0);
        if (state < 0 || state >= RECIPIENT_STATE_COUNT) state = RECIPIENT_DAMAGED;
        p->states[state] += (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    p->last = true;
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

static bool read_audit(struct reader *r, struct page *p, struct str queue_id, struct err *e)
{
    VEC(struct audit_row) list = {0};
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_AUDIT);
    int result;
    bind_text(s, 1, queue_id);
    p->last = true;
    while ((result = sqlite3_step(s)) == SQLITE_ROW)
        VEC_PUSH(&list, (struct audit_row){sqlite3_column_int64(s, 0),
                                           {.queue_id = queue_id,
                                            .rule = column(p, s, 1),
                                            .recipient = column(p, s, 2),
                                            .what = column(p, s, 3),
                                            .text = column(p, s, 4)}});
    p->audit = arena_copy(p->arena, list.v, list.n, sizeof *list.v);
    p->audit_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

static bool read_suspensions(struct reader *r, struct page *p, struct err *e)
{
    VEC(struct stored_suspension) list = {0};
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_SUSPENSIONS);
    int result;
    p->last = true;
    while ((result = sqlite3_step(s)) == SQLITE_ROW)
        VEC_PUSH(&list, (struct stored_suspension){.id = sqlite3_column_int64(s, 0),
                                                   .sender = column(p, s, 1),
                                                   .recipient = column(p, s, 2),
                                                   .domain = column(p, s, 3),
                                                   .connector = column(p, s, 4),
                                                   .reason = column(p, s, 5),
                                                   .began = sqlite3_column_int64(s, 6),
                                                   .ends = sqlite3_column_int64(s, 7)});
    p->suspensions = arena_copy(p->arena, list.v, list.n, sizeof *list.v);
    p->suspension_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

/* A whole message: record, recipients, copies, content, both against their hashes. */
bool reader_read_whole(struct reader *r, struct page *p, sqlite3_stmt *found, struct err *e)
{
    struct message_key key = {0};
    struct stored_message *m = p->messages = ARENA_NEW(p->arena, struct stored_message);
    int result = sqlite3_step(found);
    bool sound = result == SQLITE_ROW && take_message(p, found, m, &key);
    sqlite3_reset(found);
    if (result == SQLITE_DONE) return err_set(e, EX_NOINPUT, "there is no such message");
    if (result != SQLITE_ROW) return reader_failed(r, result, e);
    if (!read_recipients(r, p, m, range(r, SQL_READ_RECIPIENTS, key.id), sound, ALL_RECIPIENTS, e)) return false;
    if (!sound) return err_set(e, EX_DATAERR, "the record of message %.*s is damaged", STR_ARG(m->queue_id));
    if (!read_evidence(r, p, m, key.id, e) || !read_copies(r, p, m, &key, e) ||
        !read_content(r, p, m, key.id, e) || !whole_verify(r->state_fd, m, e))
        return false;
    p->message_count = 1;
    return true;
}

static bool read_message(struct reader *r, struct page *p, struct str queue_id, struct err *e)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_MESSAGE);
    bind_text(s, 1, queue_id);
    p->last = true;
    return reader_read_whole(r, p, s, e);
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
    p->rules = arena_copy(p->arena, list.v, list.n, sizeof *list.v);
    p->rule_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || reader_failed(r, result, e);
}

static bool read_entries(struct reader *r, struct page *p, struct stored_list *l, struct err *e)
{
    VEC(struct stored_entry) list = {0};
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_ENTRIES);
    bind_text(s, 1, l->list);
    int result;
    while ((result = sqlite3_step(s)) == SQLITE_ROW)
        VEC_PUSH(&list, (struct stored_entry){column(p, s, 0), column(p, s, 1)});
    l->entries = arena_copy(p->arena, list.v, list.n, sizeof *list.v);
    l->entry_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return result == SQLITE_DONE || reader_failed(r, result, e);
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
    p->lists = arena_copy(p->arena, all.v, all.n, sizeof *all.v);
    p->list_count = all.n;
    VEC_FREE(&all);
    bool ok = result == SQLITE_DONE || reader_failed(r, result, e);
    for (size_t i = 0; i < p->list_count && ok; i++) ok = read_entries(r, p, &p->lists[i], e);
    return ok;
}

static bool take_key(sqlite3_stmt *s, int index, uint8_t *out, size_t size)
{
    struct str key = column_str(s, index);
    if (key.n != size) return false;
    memcpy(out, key.p, size);
    return true;
}

static bool take_user(struct page *p, sqlite3_stmt *s, struct stored_user *u)
{
    int64_t iterations = sqlite3_column_int64(s, 2);
    u->name = column(p, s, 0);
    u->secret.iterations = (uint32_t)iterations;
    u->disabled = sqlite3_column_int64(s, 5) != 0;
    u->created = sqlite3_column_int64(s, 6);
    return take_key(s, 1, u->secret.salt, sizeof u->secret.salt) && iterations >= SCRAM_ITERATIONS_MIN &&
           iterations <= SCRAM_ITERATIONS_MAX && take_key(s, 3, u->secret.stored_key, sizeof u->secret.stored_key) &&
           take_key(s, 4, u->secret.server_key, sizeof u->secret.server_key);
}

static bool read_users(struct reader *r, struct page *p, sqlite3_stmt *s, struct err *e)
{
    VEC(struct stored_user) list = {0};
    int result = SQLITE_DONE;
    bool sound = true;
    p->last = true;
    while (sound && (result = sqlite3_step(s)) == SQLITE_ROW) {
        struct stored_user u = {0};
        sound = take_user(p, s, &u);
        if (!sound) err_set(e, EX_DATAERR, "the record of user %.*s is damaged", STR_ARG(u.name));
        VEC_PUSH(&list, u);
    }
    p->users = arena_copy(p->arena, list.v, list.n, sizeof *list.v);
    p->user_count = list.n;
    VEC_FREE(&list);
    sqlite3_reset(s);
    return sound && (result == SQLITE_DONE || reader_failed(r, result, e));
}

static bool read_user(struct reader *r, struct page *p, const struct store_query *q, struct err *e)
{
    sqlite3_stmt *s = database_statement(&r->db, SQL_READ_USER);
    bind_text(s, 1, q->user_name);
    return read_users(r, p, s, e);
}

static bool read_page(struct reader *r, struct page *p, struct store_query *q, int64_t *after)
{
    switch (q->kind) {
    case QUERY_DUE: return read_due(r, p, after, &p->err);
    case QUERY_LOAD: return read_load(r, p, q, after, &p->err);
    case QUERY_MESSAGE: return read_message(r, p, q->queue_id, &p->err);
    case QUERY_QUEUE: return read_queue(r, p, &q->filter, after, &p->err);
    case QUERY_COUNT: return read_states(r, p, &p->err);
    case QUERY_RULES: return read_rules(r, p, &p->err);
    case QUERY_LISTS: return read_lists(r, p, &p->err);
    case QUERY_AUDIT: return read_audit(r, p, q->queue_id, &p->err);
    case QUERY_SUSPENSIONS: return read_suspensions(r, p, &p->err);
    case QUERY_USER: return read_user(r, p, q, &p->err);
    case QUERY_USERS: return read_users(r, p, database_statement(&r->db, SQL_READ_USERS), &p->err);
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
