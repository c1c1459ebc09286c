/* base/log: events, one line each: `time queueid: key=value …` (conventions: a stable format is an interface).
 *
 * Owns the form, its escaping and the buffer; not the descriptor, nor the clock: the loop says the time once per turn
 * (log_set_time) and flushes once per turn (log_flush).  Never write a subject or a body.
 *
 * The same event as JSON (log_set_form) is one object a line: "time", "id" where there is one, "event", "level" from
 * warning upwards, then the keys; numbers are numbers.  Bytes that are no UTF-8 show as U+FFFD there.
 *
 * In text a value stands bare when it is a run of printable ASCII without blank, quote, backslash and "="; otherwise
 * between double quotes with \" \\ \n \r \t and \xHH for every byte that is a control, not UTF-8, or part of a
 * character that breaks or reorders lines.  So one event is one line, whatever a peer sent, and log_unescape gives the
 * bytes back.
 *
 *     log_begin(log, LOG_LEVEL_INFO, queue_id, "deliver");
 *     log_str(log, "to", address);
 *     log_num(log, "delay_ms", ms);
 *     log_end(log);
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/err.h"
#include "base/vec.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_COUNT
};

struct log;

/* Writes to `fd`, which stays the caller's; fd < 0 keeps everything in the buffer (tests: log_buffered).  Level names
 * stand in the line as `level=` only from warning upwards; with `journal` every line begins with syslog's "<N>". */
struct log *log_create(int fd, enum log_level least, bool journal);
void log_free(struct log **l); /* flushes */
void log_set_time(struct log *l, int64_t utc_micros);
enum log_form { LOG_TEXT, LOG_JSON };
void log_set_form(struct log *l, enum log_form form); /* between two events */
void log_set_level(struct log *l, enum log_level least);

/* One event.  queue_id may be empty ("-"); `event` is ours, a plain word.  Keys are ours, [a-z_]+.  Everything takes a
 * NULL log: nothing is written then. */
void log_begin(struct log *l, enum log_level level, struct str queue_id, const char *event);
void log_str(struct log *l, const char *key, struct str value);
void log_cstr(struct log *l, const char *key, const char *value); /* NULL: the key is left out */
void log_num(struct log *l, const char *key, int64_t value);
void log_err(struct log *l, const struct err *e); /* error="…" errno=N */
void log_end(struct log *l);

/* Writes what is buffered.  A descriptor that would block keeps the rest; past LIMIT_LOG_BUFFER events are dropped and
 * their number is the next event written. */
void log_flush(struct log *l);
struct str log_buffered(const struct log *l);

void log_escape(struct buf *out, struct str value);
bool log_unescape(struct buf *out, struct str written); /* false for what log_escape never writes */

#endif
