/* store/backup: a copy of the database made while the writer works, step by step on its own connection (SQLite's online
 * backup: what is written between two steps is carried over), in state/backup/NAME/queue.db.
 *
 * Spool files are not copied here: they never change once committed, so it is enough that none goes while the backup
 * stands (struct writer: `keep_spool`).  Database and spool directory together are then one moment of the queue.
 * Used by the writer's thread only. */
#ifndef SLUICE_STORE_BACKUP_H
#define SLUICE_STORE_BACKUP_H

#include "store/writer.h"

#define BACKUP_DIRECTORY "backup"

struct backup;

enum backup_step { BACKUP_GOES_ON, BACKUP_WHOLE, BACKUP_FAILED };

struct backup *backup_begin(struct writer *w, struct str name, struct err *e);
/* The next `pages`; *done and *total say how far it is. */
enum backup_step backup_go_on(struct backup *b, int pages, int64_t *done, int64_t *total, struct err *e);
void backup_end(struct backup **b);
/* Removes what backups left: one, or all when `name` is empty. */
void backup_remove(int state_fd, struct str name);

#endif
