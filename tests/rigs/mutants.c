/* Mistakes, planted into the relay's very objects by the linker: each makes a program that must fail the rig of the
 * power cuts.
 *
 * Built once for each mistake (Makefile), never part of the product. */
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "store/database.h"
#include "store/directory.h"
#include "store/spool.h"

/* Nothing is ever synced: what SQLite and the store call is this. */
#ifdef MUTANT_no_sync
int fsync(int fd) { return (void)fd, 0; }
int fdatasync(int fd) { return (void)fd, 0; }
#endif

/* The log of the database is synced before checkpoints only. */
#ifdef MUTANT_synchronous_normal
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context,
                        char **why);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context,
                        char **why);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context,
                        char **why)
{
    if (sqlite3_stricmp(sql, "PRAGMA synchronous=FULL") == 0) sql = "PRAGMA synchronous=NORMAL";
    return __real_sqlite3_exec(db, sql, row, context, why);
}
#endif

/* A transaction is committed when the next one begins: its mail is answered before. */
#ifdef MUTANT_answer_before_commit
enum trouble_kind __real_database_run(struct database *d, sqlite3_stmt *s);
enum trouble_kind __wrap_database_run(struct database *d, sqlite3_stmt *s);
enum trouble_kind __wrap_database_run(struct database *d, sqlite3_stmt *s)
{
    static bool open;
    if (s == d->statements[SQL_COMMIT]) {
        open = true;
        return TROUBLE_NONE;
    }
    if (s == d->statements[SQL_BEGIN] && open) __real_database_run(d, d->statements[SQL_COMMIT]);
    return __real_database_run(d, s);
}
#endif

/* Content in a file of its own is not synced. */
#ifdef MUTANT_no_content_sync
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) { return (void)fd, 0; }
#endif

/* … or its directory is not. */
#ifdef MUTANT_no_directory_sync
enum trouble_kind __wrap_spool_sync_directory(int state_fd, struct err *e);
enum trouble_kind __wrap_spool_sync_directory(int state_fd, struct err *e)
{
    return (void)state_fd, (void)e, TROUBLE_NONE;
}
#endif

/* The directory is not in which a reload's program takes the place of the one before. */
#ifdef MUTANT_no_program_sync
bool __wrap_directory_sync(int fd, const char *path, struct err *e);
bool __wrap_directory_sync(int fd, const char *path, struct err *e) { return (void)fd, (void)path, (void)e, true; }
#endif
