#include "store/database.h"

#include <string.h>
#include <sysexits.h>

#include "base/digest.h"

enum { APPLICATION_ID = 0x536c7563, QUERY_LENGTH_MAX = 100000, PAGE_SIZE = 8192, GROWTH_STEP = 4 * 1024 * 1024 };

enum owner { WRITER, READER };
static const struct {
    enum owner who;
    const char *sql;
} statements[STATEMENT_COUNT] = {
#define STATEMENT(id, who, sql) {who, sql},
#include "store/statements.def"
};
static const char *const scripts[SCRIPT_COUNT] = {
#define SCRIPT(id, sql) sql,
#include "store/statements.def"
};

enum pragma_when { NEW_FILE, WRITER_ONLY, BOTH_OF_THEM };
#define NEW  NEW_FILE
#define BOTH BOTH_OF_THEM
static const struct {
    int when;
    const char *sql;
} pragmas[] = {
#define WRITER            WRITER_ONLY
#define PRAGMA(when, sql) {when, sql},
#include "store/statements.def"
#undef WRITER
};
#undef NEW
#undef BOTH
#define PRAGMA_COUNT (sizeof pragmas / sizeof *pragmas)

static const struct {
    int version;
    const char *sql;
} migrations[] = {
#define MIGRATION(version, sql) {version, sql},
#include "store/statements.def"
};
#define MIGRATION_COUNT (sizeof migrations / sizeof *migrations)

static enum trouble_kind classify(struct database *d, int result, const char *what, struct err *e)
{
    const char *words = d->handle ? sqlite3_errmsg(d->handle) : sqlite3_errstr(result);
    switch (result & 0xff) {
    case SQLITE_FULL: err_set(e, EX_TEMPFAIL, "%s: the disk is full", what); return TROUBLE_FULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL: err_set(e, EX_IOERR, "%s: %s (%d)", what, words, result); return TROUBLE_FATAL;
    /* Unlike memory of our own it ends in order: a transaction is under way, and its clients can be told 451. */
    case SQLITE_NOMEM: err_set(e, EX_OSERR, "%s: no memory", what); return TROUBLE_FATAL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        err_set(e, EX_DATAERR, "%s: the database is damaged: %s (%d)", what, words, result);
        return TROUBLE_FATAL;
    default: /* constraint, too big, busy after five seconds: an answer about one request */
        err_set(e, EX_TEMPFAIL, "%s: %s (%d)", what, words, result);
        return TROUBLE_REFUSED;
    }
}

enum trouble_kind database_trouble(struct database *d, int result, const char *what, struct err *e)
{
    int primary = result & 0xff;
    if (primary == SQLITE_OK || primary == SQLITE_DONE || primary == SQLITE_ROW) return TROUBLE_NONE;
    INVARIANT(primary != SQLITE_MISUSE);
    enum trouble_kind kind = classify(d, result, what, &d->last);
    if (e) *e = d->last;
    return kind;
}

/* Also where SQLite names no trouble, and yet did not give what was asked. */
static bool failed(struct database *d, int result, const char *what, struct err *e)
{
    if (database_trouble(d, result, what, e) != TROUBLE_NONE) return false;
    return err_set(e, EX_DATAERR, "%s: SQLite has no answer", what);
}

static bool database_exec(struct database *d, const char *sql, const char *what, struct err *e)
{
    int result = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK || failed(d, result, what, e);
}

static bool read_number(struct database *d, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int result = sqlite3_prepare_v2(d->handle, sql, -1, &s, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(s);
    if (result == SQLITE_ROW) *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return result == SQLITE_ROW || failed(d, result, "reading the queue's database", e);
}

static bool set_flags(struct database *d, struct err *e)
{
    static const struct {
        int option, value;
    } flags[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        int now = -1;
        int result = sqlite3_db_config(d->handle, flags[i].option, flags[i].value, &now);
        if (result != SQLITE_OK || now != flags[i].value) return failed(d, SQLITE_ERROR, "setting the database up", e);
    }
    sqlite3_limit(d->handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(d->handle, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
    sqlite3_limit(d->handle, SQLITE_LIMIT_SQL_LENGTH, QUERY_LENGTH_MAX);
    int persist = 1, step = GROWTH_STEP;
    sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_CHUNK_SIZE, &step);
    sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    return true;
}

static bool run_pragmas(struct database *d, int when, struct err *e)
{
    for (size_t i = 0; i < PRAGMA_COUNT; i++)
        if (pragmas[i].when == when && !database_exec(d, pragmas[i].sql, "setting the database up", e)) return false;
    return true;
}

/* seal(…): 63 bits of a SHA-256 over the arguments with their types and lengths; never 0, which is "not sealed". */
static void seal(sqlite3_context *context, int n, sqlite3_value **values)
{
    uint8_t hash[DIGEST_SIZE];
    struct buf all = {0};
    for (int i = 0; i < n; i++) {
        int type = sqlite3_value_type(values[i]);
        int64_t number = type == SQLITE_INTEGER ? sqlite3_value_int64(values[i]) : 0;
        const void *bytes = type == SQLITE_INTEGER ? &number : sqlite3_value_blob(values[i]);
        int size = type == SQLITE_INTEGER ? (int)sizeof number : sqlite3_value_bytes(values[i]);
        buf_add_byte(&all, (char)type);
        buf_add(&all, (struct str){(const char *)&size, sizeof size});
        if (bytes) buf_add(&all, (struct str){bytes, (size_t)size});
    }
    digest_sha256(buf_str(&all), hash);
    buf_free(&all);
    int64_t sum = 0;
    for (int i = 0; i < 8; i++) sum = sum << 8 | (i ? hash[i] : hash[i] & 0x7f);
    sqlite3_result_int64(context, sum ? sum : 1);
}

static bool add_seal(struct database *d, struct err *e)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    int result = sqlite3_create_function_v2(d->handle, "seal", -1, flags, NULL, seal, NULL, NULL, NULL);
    return result == SQLITE_OK || failed(d, result, "setting the database up", e);
}

static bool open_connection(struct database *d, const char *path, int mode, struct err *e)
{
    memset(d, 0, sizeof *d);
    int flags = mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    int result = sqlite3_open_v2(path, &d->handle, flags, NULL);
    if (result != SQLITE_OK) return failed(d, result, path, e);
    return set_flags(d, e) && add_seal(d, e);
}

static bool prepare_all(struct database *d, enum owner who, struct err *e)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (statements[i].who != who) continue;
        int result =
            sqlite3_prepare_v3(d->handle, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i], NULL);
        /* The file is of our form, and lacks what our statements name. */
        if (result == SQLITE_ERROR)
            return err_set(e, EX_DATAERR, "the database is damaged: %s", sqlite3_errmsg(d->handle));
        if (result != SQLITE_OK) return failed(d, result, "preparing a statement", e);
    }
    return true;
}

static bool migrate(struct database *d, const char *path, struct err *e)
{
    int64_t version = 0, application = 0, pages = 0;
    if (!read_number(d, "PRAGMA user_version", &version, e) ||
        !read_number(d, "PRAGMA application_id", &application, e) || !read_number(d, "PRAGMA page_count", &pages, e))
        return false;
    int newest = migrations[MIGRATION_COUNT - 1].version;
    if (pages > 0 && application != APPLICATION_ID)
        return err_set(e, EX_DATAERR, "%s is no queue of this program: move it away", path);
    if (version > newest)
        return err_set(e, EX_CONFIG, "%s was written by a newer version (its form is %d, known is %d)", path,
                       (int)version, newest);
    if (version == newest) return true;
    if (!database_exec(d, "BEGIN EXCLUSIVE", "migrating the queue", e)) return false;
    for (size_t i = 0; i < MIGRATION_COUNT; i++) {
        if (migrations[i].version <= version) continue;
        if (!database_exec(d, migrations[i].sql, "migrating the queue", e)) goto undo;
    }
    char stamp[64];
    sqlite3_snprintf((int)sizeof stamp, stamp, "PRAGMA user_version=%d", newest);
    if (!database_exec(d, stamp, "migrating the queue", e) || !database_exec(d, "COMMIT", "migrating the queue", e))
        goto undo;
    return true;
undo:
    sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

bool database_open_writer(struct database *d, const char *path, uint32_t max_pages, struct err *e)
{
    int64_t pages = 0;
    if (!open_connection(d, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, e)) goto undo;
    if (!run_pragmas(d, BOTH_OF_THEM, e) || !read_number(d, "PRAGMA page_count", &pages, e)) goto undo;
    if (pages == 0 && !run_pragmas(d, NEW_FILE, e)) goto undo;
    if (!run_pragmas(d, WRITER_ONLY, e) || !migrate(d, path, e)) goto undo;
    if (max_pages) {
        char limit[64];
        sqlite3_snprintf((int)sizeof limit, limit, "PRAGMA max_page_count=%u", max_pages);
        if (!database_exec(d, limit, "setting the database up", e)) goto undo;
    }
    if (!prepare_all(d, WRITER, e)) goto undo;
    return true;
undo:
    database_close(d);
    return false;
}

bool database_open_reader(struct database *d, const char *path, struct err *e)
{
    if (open_connection(d, path, SQLITE_OPEN_READONLY, e) && run_pragmas(d, BOTH_OF_THEM, e) &&
        prepare_all(d, READER, e))
        return true;
    database_close(d);
    return false;
}

void database_close(struct database *d)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->handle);
    memset(d, 0, sizeof *d);
}

sqlite3_stmt *database_statement(struct database *d, enum statement id)
{
    sqlite3_stmt *s = d->statements[id];
    INVARIANT(s != NULL);
    sqlite3_reset(s);
    return s;
}

enum trouble_kind database_run(struct database *d, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    enum trouble_kind kind = database_trouble(d, result, "writing to the queue", NULL);
    sqlite3_reset(statement);
    return kind;
}

enum trouble_kind database_script(struct database *d, enum script id)
{
    return database_trouble(d, sqlite3_exec(d->handle, scripts[id], NULL, NULL, NULL), "writing to the queue", NULL);
}

bool database_take_blocks(struct database *d, int64_t pages)
{
    sqlite3_int64 bytes = pages * PAGE_SIZE;
    return sqlite3_file_control(d->handle, "main", SQLITE_FCNTL_SIZE_HINT, &bytes) == SQLITE_OK;
}

bool database_check(struct database *d, enum script id, char *answer, size_t n, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int result = sqlite3_prepare_v2(d->handle, scripts[id], -1, &s, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(s);
    if (result == SQLITE_ROW) sqlite3_snprintf((int)n, answer, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return result == SQLITE_ROW || failed(d, result, "checking the queue's database", e);
}

/* A length beyond SQLite's limit makes the bind fail; the step then meets a NULL in a NOT NULL column and is refused.
 */
void bind_text(sqlite3_stmt *s, int index, struct str text)
{
    sqlite3_bind_text64(s, index, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void bind_blob(sqlite3_stmt *s, int index, const void *bytes, size_t n)
{
    sqlite3_bind_blob64(s, index, bytes ? bytes : "", n, SQLITE_STATIC);
}

struct str column_str(sqlite3_stmt *s, int index)
{
    const char *p = sqlite3_column_blob(s, index);
    return (struct str){p ? p : "", (size_t)sqlite3_column_bytes(s, index)};
}
