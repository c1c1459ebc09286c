/* Opening and closing the writer: what a start checks and prepares (DESIGN section 4, "Start" and "The reserve"). */
#include "store/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "store/spool.h"

enum {
    WAL_RESERVE = 8 * 1024 * 1024,
    QUICK_CHECK_MAX = 256 * 1024 * 1024, /* checking more would keep the relay from starting */
    CHECKPOINT_FRAMES = 512,
    CHECKPOINT_AGAIN = 256,
    RESTART_FRAMES = 960, /* of 8 KiB: the reserve holds 1,024 */
};

/* An empty file in the state directory. */
#define DAMAGE_MARK "damaged"

static int count_frames(void *context, sqlite3 *handle, const char *name, int frames)
{
    struct writer *w = context;
    (void)handle;
    (void)name;
    if (!w->salt_known || w->log_moved || frames <= w->log_frames) writer_log_began(w);
    w->log_moved = false;
    w->wal_frames = w->log_frames = frames;
    return SQLITE_OK;
}

static bool number_of(struct writer *w, enum statement id, int64_t *out, struct err *e)
{
    sqlite3_stmt *s = database_statement(&w->db, id);
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW) *out = sqlite3_column_int64(s, 0);
    bool ok = database_trouble(&w->db, result, "reading the queue", e) == TROUBLE_NONE && result == SQLITE_ROW;
    sqlite3_reset(s);
    return ok || (result == SQLITE_DONE && err_set(e, EX_DATAERR, "the queue's database lacks a row that it needs"));
}

static bool set_clean(struct writer *w, bool clean)
{
    sqlite3_stmt *s = database_statement(&w->db, SQL_SET_CLEAN);
    sqlite3_bind_int(s, 1, clean);
    return database_run(&w->db, s) == TROUBLE_NONE;
}

/* Everything into the database, and the log begun anew: what stands in a log is read before the database and would,
 * were it damaged meanwhile, put old pages among new ones. */
static void empty_log(struct writer *w)
{
    sqlite3_wal_checkpoint_v2(w->db.handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    w->log_moved = true;
}

void writer_mark_damaged(int state_fd)
{
    int fd = openat(state_fd, DAMAGE_MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) close(fd);
}

static bool is_sound(struct writer *w, enum script how, const char *path, struct err *e)
{
    char answer[160] = "";
    if (!database_check(&w->db, how, answer, sizeof answer, e)) return false;
    return strcmp(answer, "ok") == 0 || err_set(e, EX_DATAERR, "%s is damaged: %s", path, answer);
}

/* Indexes too, which a quick check passes over; those can be made anew from the rows.  Else every start would deliver,
 * fail to write that down, and end. */
static bool check_whole(struct writer *w, const char *path, struct err *e)
{
    bool ok = is_sound(w, SCRIPT_WHOLE_CHECK, path, e);
    if (!ok && database_script(&w->db, SCRIPT_REINDEX) == TROUBLE_NONE && is_sound(w, SCRIPT_WHOLE_CHECK, path, e)) {
        fprintf(stderr, "sluiced: relay: %s: an index was damaged and is made anew\n", path);
        ok = true;
    }
    if (ok) unlinkat(w->state_fd, DAMAGE_MARK, 0);
    return ok;
}

static bool check(struct writer *w, const char *path, struct err *e)
{
    int64_t clean = 0;
    struct stat st;
    if (faccessat(w->state_fd, DAMAGE_MARK, F_OK, 0) == 0 && !check_whole(w, path, e)) return false;
    if (!number_of(w, SQL_GET_CLEAN, &clean, e)) return false;
    if (!clean) empty_log(w); /* a torn commit in it is not to be counted again at the next start: log_file.c */
    if (stat(path, &st) < 0 || st.st_size >= QUICK_CHECK_MAX) return true;
    return is_sound(w, SCRIPT_QUICK_CHECK, path, e);
}

static bool read_secret(struct writer *w, bool *there, struct err *e)
{
    sqlite3_stmt *s = database_statement(&w->db, SQL_GET_SECRET);
    int result = sqlite3_step(s);
    *there = result == SQLITE_ROW && sqlite3_column_bytes(s, 0) == STORE_SECRET_SIZE;
    if (*there) memcpy(w->secret, sqlite3_column_blob(s, 0), STORE_SECRET_SIZE);
    bool ok = database_trouble(&w->db, result, "reading the queue", e) == TROUBLE_NONE;
    sqlite3_reset(s);
    return ok;
}

/* The first start makes it; one of another size is made anew: nothing but made-up answers hangs on it. */
static bool have_secret(struct writer *w, struct err *e)
{
    bool there;
    if (!read_secret(w, &there, e)) return false;
    if (there) return true;
    if (getrandom(w->secret, sizeof w->secret, 0) != (ssize_t)sizeof w->secret)
        return err_os(e, EX_OSERR, "making a secret");
    sqlite3_stmt *s = database_statement(&w->db, SQL_SET_SECRET);
    sqlite3_bind_blob(s, 1, w->secret, sizeof w->secret, SQLITE_TRANSIENT);
    if (database_run(&w->db, s) == TROUBLE_NONE) return true;
    if (e) *e = w->db.last;
    return false;
}

static bool spool_known(void *context, struct str queue_id)
{
    struct writer *w = context;
    sqlite3_stmt *s = database_statement(&w->db, SQL_HAS_SPOOL);
    bind_text(s, 1, queue_id);
    int result = sqlite3_step(s);
    sqlite3_reset(s);
    return result != SQLITE_DONE; /* in doubt it stays */
}

/* Grows the log to what a full disk will leave us.  Without space for it the relay still starts: what is queued may yet
 * drain, and MAIL is refused below free_space anyway. */
static bool make_reserve(struct writer *w, const char *path, struct err *e)
{
    char wal[4096];
    struct stat st;
    if ((size_t)snprintf(wal, sizeof wal, "%s-wal", path) >= sizeof wal)
        return err_set(e, EX_CANTCREAT, "%s: too long", path);
    if (stat(wal, &st) == 0 && st.st_size >= WAL_RESERVE) return true;
    enum trouble_kind kind = database_script(&w->db, SCRIPT_RESERVE_UNDO);
    if (kind == TROUBLE_NONE) kind = database_script(&w->db, SCRIPT_RESERVE);
    if (kind == TROUBLE_FULL) {
        if (!sqlite3_get_autocommit(w->db.handle)) database_run(&w->db, database_statement(&w->db, SQL_ROLLBACK));
        kind = database_script(&w->db, SCRIPT_RESERVE_UNDO);
    }
    if (kind == TROUBLE_FATAL && e) *e = w->db.last;
    return kind != TROUBLE_FATAL;
}

bool writer_open(struct writer *w, const char *state_dir, int state_fd, uint32_t max_pages, struct err *e)
{
    char path[4096];
    int64_t last = 0;
    memset(w, 0, sizeof *w);
    w->state_fd = state_fd;
    if ((size_t)snprintf(path, sizeof path, "%s/queue.db", state_dir) >= sizeof path)
        return err_set(e, EX_CANTCREAT, "%s: too long", state_dir);
    if (!log_file_check(state_fd, e) || !database_open_writer(&w->db, path, max_pages, e)) return false;
    sqlite3_wal_hook(w->db.handle, count_frames, w);
    if (!check(w, path, e) || !have_secret(w, e) || !make_reserve(w, path, e)) goto undo;
    if (!number_of(w, SQL_LAST_MESSAGE, &last, e) || !number_of(w, SQL_COUNT_MESSAGES, &w->queued, e) ||
        !number_of(w, SQL_LAST_AUDIT, &w->last_audit, e) || !spool_sweep(state_fd, spool_known, w, e))
        goto undo;
    w->next_message = last + 1;
    /* A commit of ours, whatever else: from here on it is known where the log ends (undo_log.c). */
    if (!set_clean(w, false)) {
        if (e) *e = w->db.last;
        goto undo;
    }
    return true;
undo:
    database_close(&w->db);
    return false;
}

bool writer_checkpoint(struct writer *w)
{
    int mode = w->wal_frames >= RESTART_FRAMES ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    if (w->wal_frames < CHECKPOINT_FRAMES) {
        w->wal_checked = 0;
        return true;
    }
    if (mode == SQLITE_CHECKPOINT_PASSIVE && w->wal_checked && w->wal_frames < w->wal_checked + CHECKPOINT_AGAIN)
        return true;
    int result = sqlite3_wal_checkpoint_v2(w->db.handle, NULL, mode, NULL, NULL);
    w->wal_checked = w->wal_frames;
    w->log_moved = true;
    w->checkpoints++;
    return database_trouble(&w->db, result, "moving the log into the database", NULL) != TROUBLE_FATAL;
}

void writer_close(struct writer *w, bool clean)
{
    if (clean) {
        empty_log(w);
        set_clean(w, true);
    }
    for (size_t i = 0; i < w->dropped.n; i++) free(w->dropped.v[i]);
    VEC_FREE(&w->dropped);
    writer_keep_spool(w, false);
    VEC_FREE(&w->kept);
    database_close(&w->db);
}
