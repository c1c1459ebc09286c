#include "store/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/digest.h"
#include "store/rows.h"
#include "store/spool.h"

enum {
    AUDIT_ROWS_MAX = 100000,
    AUDIT_DAYS_MAX = 30, /* what is kept */
    AUDIT_PRUNE_EACH = 500,
    AUDIT_PRUNE_ROWS = 1000, /* rows removed for so many added, so that it always catches up */
    SECONDS_A_DAY = 86400,
    STATE_QUEUED_MAX = RECIPIENT_STATE_COUNT - 1
};

uint64_t work_bytes(const struct work *w)
{
    uint64_t sum = 0;
    if (w->write)
        for (size_t i = 0; i < w->write->message_count; i++) sum += w->write->messages[i].size;
    return sum;
}

enum trouble_kind writer_refuse(struct writer *w, int sysexit, const char *why)
{
    err_set(&w->db.last, sysexit, "%s", why);
    return TROUBLE_REFUSED;
}

static enum trouble_kind refuse(struct writer *w, const char *why) { return writer_refuse(w, EX_TEMPFAIL, why); }

/* --- before the transaction: hashes and spool files --------------------------------------------------------------- */

static enum trouble_kind prepare_message(struct writer *w, struct work *work, const struct stored_message *m)
{
    VEC_PUSH(&work->prepared, (struct prepared){0});
    struct prepared *p = &work->prepared.v[work->prepared.n - 1];
    if (m->content.n != m->size) return refuse(w, "a message's size is not that of its content");
    if (m->recipient_count == 0 || m->recipient_count > RECIPIENTS_MAX || m->copy_count > RECIPIENTS_MAX)
        return refuse(w, "a message has no recipient, or too many");
    digest_sha256(m->content, p->sha256);
    if (m->spool.n) {
        w->directory_dirty = true;
        return spool_sync(w->state_fd, m->spool, &w->db.last);
    }
    if (m->size <= w->spool_threshold) return TROUBLE_NONE;
    char path[SPOOL_PATH_MAX];
    if (!spool_path(m->queue_id, path)) return refuse(w, "a queue id is not fit for a file's name");
    w->directory_dirty = true;
    enum trouble_kind kind = spool_write(w->state_fd, path, m->content, &w->db.last);
    if (kind == TROUBLE_NONE) memcpy(p->made, path, sizeof path);
    return kind;
}

static enum trouble_kind prepare(struct writer *w, struct work *work)
{
    enum trouble_kind kind = TROUBLE_NONE;
    for (size_t i = 0; work->write && i < work->write->message_count && kind == TROUBLE_NONE; i++)
        kind = prepare_message(w, work, &work->write->messages[i]);
    return kind;
}

static void undo_prepared(struct writer *w, struct work *work)
{
    for (size_t i = 0; i < work->prepared.n; i++)
        if (work->prepared.v[i].made[0]) spool_remove(w->state_fd, str_of(work->prepared.v[i].made));
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static enum trouble_kind add_recipient(struct writer *w, int64_t message, size_t number, struct stored_recipient *r,
                                       size_t copies)
{
    char need[OBLIGATION_TEXT_MAX];
    if (r->state > STATE_QUEUED_MAX || (r->copy >= copies && r->copy != 0))
        return refuse(w, "a recipient is not sound");
    size_t need_length = obligation_print(r->need, need);
    r->id = first_of(message) + (int64_t)number;
    sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_RECIPIENT);
    sqlite3_bind_int64(s, 1, r->id);
    bind_text(s, 2, r->address);
    sqlite3_bind_int(s, 3, r->state);
    bind_text(s, 4, (struct str){need, need_length});
    sqlite3_bind_int64(s, 5, r->copy);
    bind_text(s, 6, r->connector);
    bind_text(s, 7, r->rule);
    bind_text(s, 8, r->tls_rule);
    bind_text(s, 9, r->reason);
    sqlite3_bind_int64(s, 10, r->attempts);
    sqlite3_bind_int64(s, 11, r->next_try);
    sqlite3_bind_int64(s, 12, r->expires);
    sqlite3_bind_int(s, 13, r->notify);
    bind_text(s, 14, r->orcpt);
    sqlite3_bind_int64(s, 15, r->waited);
    sqlite3_bind_int(s, 16, r->noticed);
    return database_run(&w->db, s);
}

static bool needs_row(const struct stored_message *m, size_t copy)
{
    return !pieces_are_identity(&m->copies[copy].pieces, m->size);
}

/* A copy that is the content itself needs no row. */
static enum trouble_kind add_copy(struct writer *w, int64_t message, size_t number, const struct stored_message *m)
{
    const struct stored_copy *c = &m->copies[number];
    if (!needs_row(m, number)) return TROUBLE_NONE;
    if (!pieces_are_sound(&c->pieces, m->size)) return refuse(w, "a copy's pieces are not sound");
    uint8_t hash[DIGEST_SIZE]; /* as of the content: believing nobody */
    digest_pieces(m->content, &c->pieces, hash);
    struct buf blob = {0};
    rows_encode_pieces(&c->pieces, &blob);
    sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_COPY);
    sqlite3_bind_int64(s, 1, first_of(message) + (int64_t)number);
    sqlite3_bind_int64(s, 2, (int64_t)c->length);
    bind_blob(s, 3, hash, sizeof hash);
    bind_blob(s, 4, blob.p, blob.n);
    enum trouble_kind kind = database_run(&w->db, s);
    buf_free(&blob);
    return kind;
}

static enum trouble_kind add_row(struct writer *w, int64_t id, const struct stored_message *m, const struct prepared *p)
{
    sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_MESSAGE);
    sqlite3_bind_int64(s, 1, id);
    bind_text(s, 2, m->queue_id);
    sqlite3_bind_int64(s, 3, m->arrived);
    bind_text(s, 4, m->reverse_path);
    bind_text(s, 5, m->client_ip);
    bind_text(s, 6, m->helo);
    sqlite3_bind_int64(s, 7, (int64_t)m->size);
    bind_text(s, 8, p->made[0] ? str_of(p->made) : m->spool);
    bind_blob(s, 9, p->sha256, sizeof p->sha256);
    sqlite3_bind_int64(s, 10, rows_flags(m));
    bind_text(s, 11, m->envid);
    sqlite3_bind_int(s, 12, m->ret);
    sqlite3_bind_int64(s, 13, (int64_t)m->generation);
    sqlite3_bind_int64(s, 14, m->copy_count ? (int64_t)m->copy_count : 1); /* none given: the content itself */
    int64_t edited = 0;
    for (size_t i = 0; i < m->copy_count; i++) edited += needs_row(m, i);
    sqlite3_bind_int64(s, 15, edited);
    bind_blob(s, 16, m->evidence.p, m->evidence.n);
    return database_run(&w->db, s);
}

static enum trouble_kind add_message(struct writer *w, const struct stored_message *m, const struct prepared *p)
{
    int64_t id = w->next_message++;
    enum trouble_kind kind = add_row(w, id, m, p);
    if (kind == TROUBLE_NONE && !m->spool.n && !p->made[0]) {
        sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_CONTENT);
        sqlite3_bind_int64(s, 1, id);
        bind_blob(s, 2, m->content.p, m->content.n);
        kind = database_run(&w->db, s);
    }
    for (size_t i = 0; i < m->copy_count && kind == TROUBLE_NONE; i++) kind = add_copy(w, id, i, m);
    for (size_t i = 0; i < m->recipient_count && kind == TROUBLE_NONE; i++)
        kind = add_recipient(w, id, i, &m->recipients[i], m->copy_count);
    w->queued++;
    return kind;
}

static enum trouble_kind run_with(struct writer *w, enum statement id, int64_t first, int64_t second)
{
    sqlite3_stmt *s = database_statement(&w->db, id);
    sqlite3_bind_int64(s, 1, first);
    if (sqlite3_bind_parameter_count(s) > 1) sqlite3_bind_int64(s, 2, second);
    return database_run(&w->db, s);
}

enum trouble_kind writer_look(struct writer *w, sqlite3_stmt *s, bool *row)
{
    int result = sqlite3_step(s);
    *row = result == SQLITE_ROW;
    return database_trouble(&w->db, result, "reading the queue", NULL);
}

static enum trouble_kind drop_message(struct writer *w, int64_t id)
{
    bool found;
    sqlite3_stmt *s = database_statement(&w->db, SQL_MESSAGE_REST);
    sqlite3_bind_int64(s, 1, id);
    enum trouble_kind kind = writer_look(w, s, &found);
    if (kind != TROUBLE_NONE || !found) {
        sqlite3_reset(s);
        return kind;
    }
    struct str spool = column_str(s, 0);
    bool has_copies = sqlite3_column_int64(s, 1) > 0, in_database = spool.n == 0;
    if (!in_database) {
        char *path = mem_alloc(spool.n + 1);
        memcpy(path, spool.p, spool.n);
        VEC_PUSH(&w->dropped, path);
    }
    sqlite3_reset(s);
    kind = run_with(w, SQL_DROP_MESSAGE, id, 0);
    if (kind == TROUBLE_NONE && in_database) kind = run_with(w, SQL_DROP_CONTENT, id, 0);
    if (kind == TROUBLE_NONE && has_copies) kind = run_with(w, SQL_DROP_COPIES, first_of(id), last_of(id));
    w->queued--;
    return kind;
}

enum trouble_kind writer_drop_recipient(struct writer *w, int64_t recipient)
{
    enum trouble_kind kind = run_with(w, SQL_DROP_RECIPIENT, recipient, 0);
    if (kind != TROUBLE_NONE) return kind;
    int64_t message = recipient >> RECIPIENT_BITS;
    bool more;
    sqlite3_stmt *s = database_statement(&w->db, SQL_ANY_RECIPIENT);
    sqlite3_bind_int64(s, 1, first_of(message));
    sqlite3_bind_int64(s, 2, last_of(message));
    kind = writer_look(w, s, &more);
    sqlite3_reset(s);
    return kind == TROUBLE_NONE && !more ? drop_message(w, message) : kind;
}

static enum trouble_kind apply_outcome(struct writer *w, const struct outcome *o)
{
    if (o->kind == OUTCOME_DONE) return writer_drop_recipient(w, o->recipient);
    static const enum statement statements[] = {[OUTCOME_RETRY] = SQL_RETRY_RECIPIENT,
                                                [OUTCOME_DAMAGED] = SQL_SET_ASIDE,
                                                [OUTCOME_HELD] = SQL_HOLD};
    if (o->kind > OUTCOME_HELD) return refuse(w, "an outcome of no known kind");
    sqlite3_stmt *s = database_statement(&w->db, statements[o->kind]);
    sqlite3_bind_int64(s, 1, o->recipient);
    bind_text(s, 2, o->reason);
    if (o->kind == OUTCOME_RETRY) {
        sqlite3_bind_int64(s, 3, o->attempts);
        sqlite3_bind_int64(s, 4, o->next_try);
        sqlite3_bind_int64(s, 5, o->waited);
        sqlite3_bind_int(s, 6, o->noticed);
    }
    return database_run(&w->db, s);
}

enum trouble_kind writer_add_audit(struct writer *w, const struct stored_audit *a, int64_t now)
{
    sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_AUDIT);
    sqlite3_bind_int64(s, 1, ++w->last_audit);
    sqlite3_bind_int64(s, 2, now);
    bind_text(s, 3, a->queue_id);
    bind_text(s, 4, a->rule);
    bind_text(s, 5, a->recipient);
    bind_text(s, 6, a->what);
    bind_text(s, 7, a->text);
    w->audit_since_prune++;
    return database_run(&w->db, s);
}

static enum trouble_kind prune_audit(struct writer *w, int64_t now)
{
    if (w->audit_since_prune < AUDIT_PRUNE_EACH) return TROUBLE_NONE;
    w->audit_since_prune = 0;
    sqlite3_stmt *s = database_statement(&w->db, SQL_PRUNE_AUDIT);
    sqlite3_bind_int64(s, 1, w->last_audit - AUDIT_ROWS_MAX);
    sqlite3_bind_int64(s, 2, now - (int64_t)AUDIT_DAYS_MAX * SECONDS_A_DAY);
    sqlite3_bind_int64(s, 3, AUDIT_PRUNE_ROWS);
    return database_run(&w->db, s);
}

/* Hits are summed over the transaction: one row change a rule, however many messages. */
static void sum_hit(struct writer *w, const struct stored_hit *h, int64_t now)
{
    struct hit_sum *sum = map_get(&w->hits, h->rule);
    if (!sum) {
        sum = mem_alloc(sizeof *sum);
        sum->rule = h->rule;
        map_put(&w->hits, h->rule, sum);
    }
    for (int i = 0; i < 5; i++)
        if (h->what & (1u << i)) sum->counts[i] += h->count;
    if (now > sum->last) sum->last = now;
}

static void forget_hits(struct writer *w)
{
    for (size_t i = 0; i < w->hits.n; i++) free(w->hits.entries[i].value);
    map_free(&w->hits);
}

static enum trouble_kind add_hits(struct writer *w)
{
    enum trouble_kind kind = TROUBLE_NONE;
    for (size_t i = 0; i < w->hits.n && kind == TROUBLE_NONE; i++) {
        const struct hit_sum *sum = w->hits.entries[i].value;
        sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_HIT);
        bind_text(s, 1, sum->rule);
        for (int k = 0; k < 5; k++) sqlite3_bind_int64(s, 2 + k, (int64_t)sum->counts[k]);
        sqlite3_bind_int64(s, 7, sum->last);
        kind = database_run(&w->db, s);
    }
    return kind;
}

static enum trouble_kind apply_list(struct writer *w, const struct stored_list_change *l)
{
    sqlite3_stmt *s = database_statement(&w->db, SQL_SET_LIST);
    bind_text(s, 1, l->list);
    bind_text(s, 2, l->type);
    sqlite3_bind_int64(s, 3, (int64_t)l->revision);
    enum trouble_kind kind = database_run(&w->db, s);
    for (size_t i = 0; i < l->remove_count && kind == TROUBLE_NONE; i++) {
        s = database_statement(&w->db, SQL_DROP_ENTRY);
        bind_text(s, 1, l->list);
        bind_blob(s, 2, l->remove[i].p, l->remove[i].n);
        kind = database_run(&w->db, s);
    }
    for (size_t i = 0; i < l->add_count && kind == TROUBLE_NONE; i++) {
        s = database_statement(&w->db, SQL_ADD_ENTRY);
        bind_text(s, 1, l->list);
        bind_blob(s, 2, l->add[i].key.p, l->add[i].key.n);
        bind_text(s, 3, l->add[i].entry);
        kind = database_run(&w->db, s);
    }
    return kind;
}

static enum trouble_kind apply_write(struct writer *w, struct work *work)
{
    const struct store_write *q = work->write;
    enum trouble_kind kind = TROUBLE_NONE;
    for (size_t i = 0; i < q->message_count && kind == TROUBLE_NONE; i++)
        kind = add_message(w, &q->messages[i], &work->prepared.v[i]);
    for (size_t i = 0; i < q->outcome_count && kind == TROUBLE_NONE; i++) kind = apply_outcome(w, &q->outcomes[i]);
    for (size_t i = 0; i < q->list_count && kind == TROUBLE_NONE; i++) kind = apply_list(w, &q->lists[i]);
    for (size_t i = 0; i < q->audit_count && kind == TROUBLE_NONE; i++)
        kind = writer_add_audit(w, &q->audit[i], q->now);
    if (kind == TROUBLE_NONE) kind = prune_audit(w, q->now);
    for (size_t i = 0; i < q->hit_count && kind == TROUBLE_NONE; i++) sum_hit(w, &q->hits[i], q->now);
    w->writes++;
    return kind;
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

/* A commit that makes the database grow first takes the disk blocks for it.  So the log can always be moved into the
 * database and begun anew, and its own reserve suffices for finishing what is queued on a disk that others have
 * filled. */
static enum trouble_kind take_blocks(struct writer *w)
{
    sqlite3_stmt *s = database_statement(&w->db, SQL_PAGE_COUNT);
    bool row;
    enum trouble_kind kind = writer_look(w, s, &row);
    int64_t pages = row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (kind != TROUBLE_NONE || pages <= w->pages_had) return kind;
    if (!database_take_blocks(&w->db, pages)) {
        err_set(&w->db.last, EX_TEMPFAIL, "writing to the queue: the disk is full");
        return TROUBLE_FULL;
    }
    w->pages_had = pages;
    return TROUBLE_NONE;
}

/* A spool file whose row is gone; while a backup stands it is only noted. */
static void let_go(struct writer *w, char **path)
{
    if (!w->keep_spool) {
        spool_remove(w->state_fd, str_of(*path));
        return;
    }
    VEC_PUSH(&w->kept, *path);
    *path = NULL;
}

void writer_keep_spool(struct writer *w, bool keep)
{
    w->keep_spool = keep;
    for (size_t i = 0; !keep && i < w->kept.n; i++) {
        spool_remove(w->state_fd, str_of(w->kept.v[i]));
        free(w->kept.v[i]);
    }
    if (!keep) w->kept.n = 0;
}

static enum trouble_kind commit(struct writer *w)
{
    enum trouble_kind kind = database_run(&w->db, database_statement(&w->db, SQL_COMMIT));
    if (kind == TROUBLE_FATAL && !writer_cut_log(w))
        fprintf(stderr,
                "sluiced: relay: the log cannot be cut: mail that was answered 451 just now may be delivered too\n");
    return kind;
}

/* Everything in one transaction: the trouble is that of the first that failed, and then nothing happened. */
static enum trouble_kind transact(struct writer *w, struct work **works, size_t n)
{
    int64_t next_message = w->next_message, last_audit = w->last_audit;
    w->queued_committed = w->queued;
    enum trouble_kind kind = TROUBLE_NONE;
    if (w->directory_dirty) kind = spool_sync_directory(w->state_fd, &w->db.last);
    if (kind != TROUBLE_NONE) return kind;
    w->directory_dirty = false;
    kind = database_run(&w->db, database_statement(&w->db, SQL_BEGIN));
    if (kind != TROUBLE_NONE) return kind;
    for (size_t i = 0; i < n && kind == TROUBLE_NONE; i++)
        kind = works[i]->write ? apply_write(w, works[i]) : writer_change(w, works[i]->change);
    if (kind == TROUBLE_NONE) kind = add_hits(w);
    if (kind == TROUBLE_NONE) kind = take_blocks(w);
    if (kind == TROUBLE_NONE) kind = commit(w);
    forget_hits(w);
    if (kind == TROUBLE_NONE) {
        w->commits++;
        for (size_t i = 0; i < w->dropped.n; i++) let_go(w, &w->dropped.v[i]);
    } else {
        struct err why = w->db.last; /* the rollback may have its own troubles: SQLite rolls back by itself on most */
        if (!sqlite3_get_autocommit(w->db.handle)) sqlite3_step(database_statement(&w->db, SQL_ROLLBACK));
        sqlite3_reset(w->db.statements[SQL_ROLLBACK]);
        w->db.last = why;
        w->next_message = next_message;
        w->last_audit = last_audit;
        w->queued = w->queued_committed;
    }
    for (size_t i = 0; i < w->dropped.n; i++) free(w->dropped.v[i]);
    w->dropped.n = 0;
    return kind;
}

static void settle(struct writer *w, struct work *work, enum trouble_kind kind)
{
    work->trouble = kind;
    if (kind == TROUBLE_NONE) return;
    work->err = w->db.last;
    if (!work->err.sysexit) err_set(&work->err, EX_TEMPFAIL, "the queue could not be written");
    for (size_t i = 0; work->write && i < work->write->message_count; i++)
        for (size_t k = 0; k < work->write->messages[i].recipient_count; k++)
            work->write->messages[i].recipients[k].id = 0;
    undo_prepared(w, work);
}

/* Moves everything into the database and begins the log anew: on a full disk the log's own space is what is left. */
static bool restart_log(struct writer *w)
{
    int result = sqlite3_wal_checkpoint_v2(w->db.handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    w->log_moved = true;
    w->checkpoints++;
    enum trouble_kind kind = database_trouble(&w->db, result, "moving the log into the database", NULL);
    if (kind == TROUBLE_NONE) w->wal_frames = w->wal_checked = 0;
    return kind != TROUBLE_FATAL;
}

static enum trouble_kind one_alone(struct writer *w, struct work *work)
{
    enum trouble_kind kind = transact(w, &work, 1);
    if (kind != TROUBLE_FULL) return kind;
    struct err full = w->db.last;
    if (!restart_log(w)) return TROUBLE_FATAL;
    w->db.last = full;
    return transact(w, &work, 1);
}

bool writer_batch(struct writer *w, struct work **works, size_t n)
{
    struct work *ready[BATCH_MAX];
    size_t ready_count = 0;
    enum trouble_kind kind = TROUBLE_NONE;
    INVARIANT(n <= BATCH_MAX);
    w->directory_dirty = false;
    for (size_t i = 0; i < n; i++) {
        enum trouble_kind one = kind == TROUBLE_FATAL ? TROUBLE_FATAL : prepare(w, works[i]);
        if (one == TROUBLE_FATAL) kind = TROUBLE_FATAL;
        if (one == TROUBLE_NONE)
            ready[ready_count++] = works[i];
        else
            settle(w, works[i], one);
    }
    if (kind != TROUBLE_FATAL && ready_count) kind = transact(w, ready, ready_count);
    if (kind == TROUBLE_NONE || kind == TROUBLE_FATAL) {
        for (size_t i = 0; i < ready_count; i++) settle(w, ready[i], kind);
        return kind != TROUBLE_FATAL;
    }
    for (size_t i = 0; i < ready_count; i++) { /* one of them spoilt it for all: each for itself */
        if (kind != TROUBLE_FATAL) kind = one_alone(w, ready[i]);
        settle(w, ready[i], kind);
    }
    return kind != TROUBLE_FATAL;
}
