/* Mistakes planted on purpose, to see that the history finds them: the linker's --wrap puts these between the product's
 * own objects, in a program of its own (sluice-sim-mistakes).  `--mistake NAME` chooses one; those of the disk are
 * disk.c's. */
#include <string.h>

#include "mail/obligation.h"
#include "relay/schedule.h"
#include "relay/trouble.h"
#include "smtp/client.h"
#include "store/spool.h"
#include "store/sqlite.h"
#include "store/writer.h"
#include "tests/sim/sim.h"

static bool planted(const char *name) { return world.mistake && strcmp(world.mistake, name) == 0; }

/* What is read back from the store demands nothing. */
bool __real_obligation_parse(struct str s, struct obligation *out);
bool __wrap_obligation_parse(struct str s, struct obligation *out);
bool __wrap_obligation_parse(struct str s, struct obligation *out)
{
    bool good = __real_obligation_parse(s, out);
    if (planted("forget-demand")) *out = (struct obligation){0};
    return good;
}

/* The policy does not see that TLS is demanded. */
bool __real_obligation_demands_tls(struct obligation o);
bool __wrap_obligation_demands_tls(struct obligation o);
bool __wrap_obligation_demands_tls(struct obligation o)
{
    return planted("go-in-clear") ? false : __real_obligation_demands_tls(o);
}

/* A reply lost after the dot, or a 4yz to RCPT, counts as delivered. */
struct trouble_answer __real_trouble_decide(const struct trouble *t);
struct trouble_answer __wrap_trouble_decide(const struct trouble *t);
struct trouble_answer __wrap_trouble_decide(const struct trouble *t)
{
    struct trouble_answer a = __real_trouble_decide(t);
    bool lost = t->cause == TROUBLE_LOST && t->phase == TROUBLE_DOT;
    bool later = t->cause == TROUBLE_REPLY && t->phase == TROUBLE_RCPT && t->reply.code / 100 == 4;
    if (planted("return-at-4yz") && later) a.fate = FATE_RETURN;
    if ((planted("lost-is-delivered") && lost) || (planted("drop-at-4yz") && later)) a.fate = FATE_DONE;
    return a;
}

/* Nobody is ever told. */
bool __real_trouble_may_report(struct str reverse_path, bool relay_made, uint8_t notify, enum report_kind kind);
bool __wrap_trouble_may_report(struct str reverse_path, bool relay_made, uint8_t notify, enum report_kind kind);
bool __wrap_trouble_may_report(struct str reverse_path, bool relay_made, uint8_t notify, enum report_kind kind)
{
    return !planted("lose-reports") && __real_trouble_may_report(reverse_path, relay_made, notify, kind);
}

/* The calendar alone says when a lifetime is over. */
struct next_try __real_schedule_next(const struct retry *r, const struct attempt *a, uint32_t chance);
struct next_try __wrap_schedule_next(const struct retry *r, const struct attempt *a, uint32_t chance);
struct next_try __wrap_schedule_next(const struct retry *r, const struct attempt *a, uint32_t chance)
{
    struct attempt by_calendar = *a;
    by_calendar.number += SCHEDULE_ATTEMPTS_LEAST;
    by_calendar.waited = r->until;
    by_calendar.lifetime = 0;
    return __real_schedule_next(r, planted("trust-the-calendar") ? &by_calendar : a, chance);
}

/* A failed commit is answered as if it had been one. */
bool __real_writer_batch(struct writer *w, struct work **works, size_t n);
bool __wrap_writer_batch(struct writer *w, struct work **works, size_t n);
bool __wrap_writer_batch(struct writer *w, struct work **works, size_t n)
{
    bool good = __real_writer_batch(w, works, n);
    if (planted("ack-failed-commit"))
        for (size_t i = 0; i < n; i++) works[i]->trouble = TROUBLE_NONE;
    return good;
}

/* Content goes out without its dots hidden. */
bool __real_smtp_client_body(struct smtp_client *c, struct str *run, struct str *piece);
bool __wrap_smtp_client_body(struct smtp_client *c, struct str *run, struct str *piece);
bool __wrap_smtp_client_body(struct smtp_client *c, struct str *run, struct str *piece)
{
    bool more = __real_smtp_client_body(c, run, piece);
    if (more && planted("bare-dots") && str_eq(*piece, STR("."))) *piece = STR("");
    return more;
}

/* Content in files of their own is never removed. */
void __real_spool_remove(int state_fd, struct str path);
void __wrap_spool_remove(int state_fd, struct str path);
void __wrap_spool_remove(int state_fd, struct str path)
{
    if (!planted("keep-spool-files")) __real_spool_remove(state_fd, path);
}

/* Where the log ends is not noted: what a failed commit left in it stays. */
void __real_writer_log_began(struct writer *w);
void __wrap_writer_log_began(struct writer *w);
void __wrap_writer_log_began(struct writer *w)
{
    if (!planted("keep-failed-commit")) __real_writer_log_began(w);
}

/* Every hit is counted twice. */
static void (*real_write)(void *self, struct store_write *w);
static void write_twice(void *self, struct store_write *w)
{
    struct stored_hit *hits = mem_array(w->hit_count + 1, sizeof *hits);
    for (size_t i = 0; i < w->hit_count; i++) {
        hits[i] = w->hits[i];
        hits[i].count *= 2;
    }
    w->hits = hits;
    real_write(self, w);
}

struct store_port __real_store_port_of(struct store *s);
struct store_port __wrap_store_port_of(struct store *s);
struct store_port __wrap_store_port_of(struct store *s)
{
    struct store_port p = __real_store_port_of(s);
    real_write = p.write;
    if (planted("count-twice")) p.write = write_twice;
    return p;
}
