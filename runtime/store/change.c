/* What is done by hand, in the writer's transaction. */
#include <stdlib.h>
#include <sysexits.h>

#include "mail/orcpt.h"
#include "store/writer.h"

static sqlite3_stmt *of_recipient(struct writer *w, enum statement id, int64_t recipient)
{
    sqlite3_stmt *s = database_statement(&w->db, id);
    sqlite3_bind_int64(s, 1, recipient);
    return s;
}

/* Runs an update of one recipient and counts it. */
static enum trouble_kind run(struct writer *w, sqlite3_stmt *s, struct store_change *c)
{
    enum trouble_kind kind = database_run(&w->db, s);
    if (kind == TROUBLE_NONE) c->changed += (uint32_t)sqlite3_changes(w->db.handle);
    return kind;
}

/* Address and queue id of a recipient, for the audit row; *there is false when its row is gone. */
static enum trouble_kind name_of(struct writer *w, int64_t recipient, struct buf *address, struct buf *queue_id,
                                 bool *there)
{
    sqlite3_stmt *s = of_recipient(w, SQL_NAME_RECIPIENT, recipient);
    enum trouble_kind kind = writer_look(w, s, there);
    address->n = queue_id->n = 0;
    if (*there) {
        buf_add(address, column_str(s, 0));
        buf_add(queue_id, column_str(s, 1));
    }
    sqlite3_reset(s);
    return kind;
}

/* The new address stands in the row; the one the sender named is kept for reports (RFC 3461 section 5.2.1 (d)). */
static enum trouble_kind redirect(struct writer *w, struct store_change *c, int64_t recipient, struct str old)
{
    struct buf orcpt = {0};
    orcpt_of(old, &orcpt);
    sqlite3_stmt *s = of_recipient(w, SQL_REDIRECT, recipient);
    bind_text(s, 2, c->text);
    bind_text(s, 3, buf_str(&orcpt));
    sqlite3_bind_int64(s, 4, c->now);
    enum trouble_kind kind = run(w, s, c);
    buf_free(&orcpt);
    return kind;
}

static enum trouble_kind release(struct writer *w, struct store_change *c, int64_t recipient)
{
    sqlite3_stmt *s = of_recipient(w, SQL_RELEASE, recipient);
    sqlite3_bind_int64(s, 2, c->now);
    return run(w, s, c);
}

static enum trouble_kind decide_fate(struct writer *w, struct store_change *c, int64_t recipient, struct str address)
{
    if (c->kind == CHANGE_RELEASE) return release(w, c, recipient);
    if (c->kind == CHANGE_REDIRECT) return redirect(w, c, recipient, address);
    enum trouble_kind kind = writer_drop_recipient(w, recipient);
    if (kind == TROUBLE_NONE) c->changed++;
    return kind;
}

/* Removing, redirecting and letting go cannot be undone: who looks later finds a row about it. */
static enum trouble_kind audited(struct writer *w, struct store_change *c, int64_t recipient)
{
    static const char *const words[] = {
        [CHANGE_RELEASE] = "released", [CHANGE_REMOVE] = "removed", [CHANGE_REDIRECT] = "redirected"};
    struct buf address = {0}, queue_id = {0};
    bool there;
    enum trouble_kind kind = name_of(w, recipient, &address, &queue_id, &there);
    if (kind == TROUBLE_NONE && there) {
        struct stored_audit row = {.queue_id = buf_str(&queue_id),
                                   .recipient = buf_str(&address),
                                   .what = str_of(words[c->kind]),
                                   .text = c->audit};
        kind = writer_add_audit(w, &row, c->now);
        if (kind == TROUBLE_NONE) kind = decide_fate(w, c, recipient, row.recipient);
    }
    buf_free(&address);
    buf_free(&queue_id);
    return kind;
}

static enum trouble_kind change_one(struct writer *w, struct store_change *c, int64_t recipient)
{
    static const enum statement statements[] = {
        [CHANGE_HOLD] = SQL_HOLD, [CHANGE_RETRY] = SQL_RETRY, [CHANGE_DAMAGED] = SQL_SET_ASIDE};
    if (c->kind == CHANGE_RELEASE || c->kind == CHANGE_REMOVE || c->kind == CHANGE_REDIRECT)
        return audited(w, c, recipient);
    sqlite3_stmt *s = of_recipient(w, statements[c->kind], recipient);
    if (c->kind == CHANGE_RETRY)
        sqlite3_bind_int64(s, 2, c->now);
    else
        bind_text(s, 2, c->text);
    return run(w, s, c);
}

static enum trouble_kind suspend(struct writer *w, struct store_change *c)
{
    const struct stored_suspension *given = &c->suspension;
    enum trouble_kind kind = database_run(&w->db, database_statement(&w->db, SQL_NEXT_SUSPENSION));
    if (kind != TROUBLE_NONE) return kind;
    sqlite3_stmt *s = database_statement(&w->db, SQL_ADD_SUSPENSION);
    bind_text(s, 1, given->sender);
    bind_text(s, 2, given->recipient);
    bind_text(s, 3, given->domain);
    bind_text(s, 4, given->connector);
    bind_text(s, 5, given->reason);
    sqlite3_bind_int64(s, 6, given->began);
    sqlite3_bind_int64(s, 7, given->ends);
    kind = database_run(&w->db, s);
    c->suspension.id = sqlite3_last_insert_rowid(w->db.handle);
    return kind;
}

static enum trouble_kind resume(struct writer *w, struct store_change *c)
{
    enum trouble_kind kind = database_run(&w->db, of_recipient(w, SQL_DROP_SUSPENSION, c->suspension.id));
    if (kind != TROUBLE_NONE || sqlite3_changes(w->db.handle)) return kind;
    return writer_refuse(w, EX_NOINPUT, "there is no such suspension");
}

static sqlite3_stmt *user_statement(struct writer *w, const struct store_change *c)
{
    static const enum statement statements[] = {[CHANGE_USER_ADD] = SQL_ADD_USER,
                                                [CHANGE_USER_PASSWORD] = SQL_SET_PASSWORD,
                                                [CHANGE_USER_REMOVE] = SQL_DROP_USER,
                                                [CHANGE_USER_DISABLE] = SQL_DISABLE_USER,
                                                [CHANGE_USER_ENABLE] = SQL_DISABLE_USER};
    const struct stored_user *u = &c->user;
    sqlite3_stmt *s = database_statement(&w->db, statements[c->kind]);
    bind_text(s, 1, u->name);
    if (c->kind == CHANGE_USER_DISABLE || c->kind == CHANGE_USER_ENABLE)
        sqlite3_bind_int(s, 2, c->kind == CHANGE_USER_DISABLE);
    if (c->kind != CHANGE_USER_ADD && c->kind != CHANGE_USER_PASSWORD) return s;
    bind_blob(s, 2, u->secret.salt, sizeof u->secret.salt);
    sqlite3_bind_int64(s, 3, u->secret.iterations);
    bind_blob(s, 4, u->secret.stored_key, sizeof u->secret.stored_key);
    bind_blob(s, 5, u->secret.server_key, sizeof u->secret.server_key);
    if (c->kind == CHANGE_USER_ADD) sqlite3_bind_int64(s, 6, c->now);
    return s;
}

static enum trouble_kind change_user(struct writer *w, const struct store_change *c)
{
    enum trouble_kind kind = database_run(&w->db, user_statement(w, c));
    if (kind != TROUBLE_NONE || sqlite3_changes(w->db.handle)) return kind;
    return c->kind == CHANGE_USER_ADD ? writer_refuse(w, EX_CANTCREAT, "there is a user of that name already")
                                      : writer_refuse(w, EX_NOINPUT, "there is no such user");
}

enum trouble_kind writer_change(struct writer *w, struct store_change *c)
{
    c->changed = 0;
    if (c->kind >= CHANGE_USER_ADD) return change_user(w, c);
    if (c->kind == CHANGE_SUSPEND) return suspend(w, c);
    if (c->kind == CHANGE_RESUME) return resume(w, c);
    enum trouble_kind kind = TROUBLE_NONE;
    for (size_t i = 0; i < c->recipient_count && kind == TROUBLE_NONE; i++) kind = change_one(w, c, c->recipients[i]);
    return kind;
}
