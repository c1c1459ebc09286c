/* What was promised and what was done; and whether the two agree.
 *
 *   acked      each recipient got it, or its sender a report about it, or by the rules nobody should
 *   refused    nobody got anything
 *   unknown    (the connection was lost before the reply) anything, but each at most as often as the world can excuse
 *   bytes      as sent, behind our Received field, but for the two header fields that the rules set; both of one
 * generation demands    no line of a mail that demands TLS came to anybody in clear, nor by a lesser channel than
 * demanded reports    none without a cause: a host's 5yz, a rule, or a lifetime really waited twice      only when a
 * life, a commit or the reply was lost */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "tests/sim/sim.h"

enum { MAILS_MOST = 64, GOTS_MOST = 4096, REFUSED_MOST = 512, HALF_LIFETIME_LEAST = 3600, ARRIVAL_MOST = 300 };

struct got {
    struct sent_recipient *to[RECIPIENTS_MOST];
    size_t n;
};

static struct sent_mail mails[MAILS_MOST];
static size_t mail_count;
static struct got gots[GOTS_MOST];
static size_t got_count;
struct addresses {
    char v[REFUSED_MOST][80];
    size_t n;
};
static struct addresses refused, lied;
static unsigned excuses;
static bool anybody_refused, sync_failed, log_unsure, without_ehlo;

struct sent_mail *history_new(void)
{
    INVARIANT(mail_count < MAILS_MOST);
    struct sent_mail *m = &mails[mail_count++];
    m->number = (unsigned)mail_count;
    return m;
}

size_t history_count(void) { return mail_count; }

struct sent_mail *history_mail(unsigned number) { return number && number <= mail_count ? &mails[number - 1] : NULL; }

unsigned history_token(struct str line)
{
    uint64_t number;
    if (!str_starts(line, STR("X-Token: "))) return 0;
    return str_to_u64(str_trim(str_from(line, 9)), &number) ? (unsigned)number : 0;
}

void history_cannot_carry(void) { without_ehlo = true; }
void history_excuse_duplicates(void) { excuses++; }
void history_storage_failed(void)
{
    sync_failed = true;
    excuses++;
}
void history_power_cut(void)
{
    log_unsure |= sync_failed;
    excuses++;
}

static void add(struct addresses *list, struct str address)
{
    if (list->n < REFUSED_MOST) snprintf(list->v[list->n++], sizeof *list->v, "%.*s", STR_ARG(address));
}

static bool has(const struct addresses *list, struct str address)
{
    for (size_t i = 0; i < list->n; i++) {
        struct str r = str_of(list->v[i]);
        if (r.p[0] == '@' ? str_ends(address, r) : str_eq(address, r)) return true;
    }
    return list->n == REFUSED_MOST;
}

void history_refused(struct str address)
{
    if (!address.p)
        anybody_refused = true;
    else
        add(&refused, address);
}
void history_lied(struct str address) { add(&lied, address); }

static bool was_refused(const struct sent_mail *m, struct str address)
{
    return anybody_refused || (without_ehlo && m->eight_bit) || has(&refused, address);
}

/* --- recipients as the rules make them ---------------------------------------------------------------------------- */

static bool is(const struct sent_mail *m, const char *word) { return strcmp(m->word, word) == 0; }

static bool goes_elsewhere(const struct sent_mail *m, const struct sent_recipient *r)
{
    return is(m, "elsewhere") && strcmp(r->address, "b@one.example") == 0;
}
static bool is_rejected(const struct sent_mail *m, const struct sent_recipient *r)
{
    return is(m, "partial") && strcmp(r->address, "b@one.example") == 0;
}

/* Whose mail that address is now; NULL: nobody's of this mail. */
static struct sent_recipient *recipient_of(struct sent_mail *m, struct str address)
{
    for (size_t i = 0; i < m->to_count; i++) {
        struct sent_recipient *r = &m->to[i];
        const char *now = goes_elsewhere(m, r) ? "desk@one.example" : r->address;
        if (str_eq(address, str_of(now))) return r;
    }
    return NULL;
}

static bool is_archive(const struct sent_mail *m, struct str address)
{
    return is(m, "copied") && str_eq(address, STR("archive@corp.example"));
}

/* --- content ------------------------------------------------------------------------------------------------------ */

/* Takes the first field of that name away, whose value goes to *value; false: there is none, or another one. */
static bool take_field(struct buf *content, const char *name, struct buf *value)
{
    struct str all = buf_str(content);
    size_t header = str_find(all, STR("\r\n\r\n")), found = STR_NPOS, end = 0;
    if (header == STR_NPOS) return false;
    for (size_t at = 0; at < header + 2;) {
        size_t next = at;
        do next += str_find(str_from(all, next), STR("\r\n")) + 2;
        while (next < header + 2 && ascii_is_blank(all.p[next]));
        if (str_starts(str_from(all, at), str_of(name))) {
            if (found != STR_NPOS) return false;
            found = at;
            end = next;
        }
        at = next;
    }
    if (found == STR_NPOS) return false;
    buf_add(value, str_slice(all, found + strlen(name), end));
    memmove(content->p + found, content->p + end, content->n - end);
    content->n -= end - found;
    return true;
}

static const char *wrong_bytes(const struct sent_mail *m, struct str content)
{
    struct buf rest = {0}, received = {0}, first = {0}, last = {0};
    const char *wrong = NULL;
    buf_add(&rest, content);
    if (!str_starts(content, STR("Received: ")))
        wrong = "it does not begin with our Received";
    else if (!take_field(&rest, "Received: ", &received) || !take_field(&rest, "X-First: ", &first) ||
             !take_field(&rest, "X-Last: ", &last))
        wrong = "a header field that must be there is not, or twice";
    else if (!str_eq(buf_str(&first), buf_str(&last)))
        wrong = "two generations of rules had it";
    else if (!str_eq(buf_str(&rest), buf_str(&m->content)))
        wrong = "its bytes are others";
    buf_free(&rest);
    buf_free(&received);
    buf_free(&first);
    buf_free(&last);
    return wrong;
}

/* --- what hosts saw ----------------------------------------------------------------------------------------------- */

static void demand_of(const struct sent_mail *m, struct str address, uint8_t *need, bool *onward)
{
    *need = m->need;
    *onward = m->onward;
    if (str_ends(address, STR("@guarded.example")) && *need < NEED_VERIFIED) *need = NEED_VERIFIED;
}

void history_seen(const char *host, struct str line, const struct str *to, size_t to_count, bool tls, bool verified,
                  bool requiretls)
{
    const struct sent_mail *m = history_mail(history_token(line));
    if (!m) return;
    for (size_t i = 0; i < to_count; i++) {
        uint8_t need;
        bool onward;
        demand_of(m, to[i], &need, &onward);
        if (need && !tls)
            sim_violation("mail %u (%s) came to %s in clear, for %.*s", m->number, m->word, host, STR_ARG(to[i]));
        if (need == NEED_VERIFIED && !verified)
            sim_violation("mail %u (%s) came to %s, whose certificate is not good, for %.*s", m->number, m->word, host,
                          STR_ARG(to[i]));
        if (onward && !requiretls)
            sim_violation("mail %u (%s) came to %s without REQUIRETLS, for %.*s", m->number, m->word, host,
                          STR_ARG(to[i]));
    }
}

static struct str line_value(struct str line, const char *name)
{
    return str_starts(line, str_of(name)) ? str_trim(str_from(line, strlen(name))) : STR_NONE;
}

/* No lifetime of the rules ends before half of it was really waited.  It begins with the second in which the mail
 * began to arrive, a little before it was acknowledged. */
static bool may_have_expired(const struct sent_mail *m)
{
    return m->fate != FATE_ACKED || world.mono_us - m->acked_us >= SECONDS(HALF_LIFETIME_LEAST - ARRIVAL_MOST);
}

static void reported(struct sent_mail *m, struct str address, struct str action, struct str status)
{
    struct sent_recipient *r = recipient_of(m, address);
    if (!r && is_archive(m, address)) return;
    sim_trace("mail %u: report of %.*s: %.*s %.*s", m->number, STR_ARG(address), STR_ARG(action), STR_ARG(status));
    if (!r) {
        sim_violation("mail %u: a report about %.*s, who is no recipient", m->number, STR_ARG(address));
        return;
    }
    if (str_eq(action, STR("delayed"))) r->delayed++;
    if (str_eq(action, STR("relayed"))) r->relayed++;
    if (!str_eq(action, STR("failed"))) return;
    r->failed++;
    if (!was_refused(m, address) && !is_rejected(m, r) && !may_have_expired(m))
        sim_violation("mail %u: %.*s was returned (%.*s) without a cause", m->number, STR_ARG(address),
                      STR_ARG(status));
    if (r->notify && !(r->notify & 4))
        sim_violation("mail %u: a failure of %.*s was reported against NOTIFY", m->number, STR_ARG(address));
}

static struct sent_mail *mail_in(struct str text)
{
    struct sent_mail *m = NULL;
    struct str line;
    for (bool more = true; more;) {
        more = str_cut(text, '\n', &line, &text);
        if (history_token(line)) m = history_mail(history_token(line));
    }
    return m;
}

/* The original that a report brings along travels in base64 when it is not of seven bits. */
static struct sent_mail *mail_in_base64(struct str report)
{
    struct str line;
    struct buf code = {0}, text = {0};
    size_t at = str_find(report, STR("Content-Transfer-Encoding: base64"));
    bool more = at != STR_NPOS;
    if (more) at += str_find(str_from(report, at), STR("\r\n\r\n"));
    for (struct str rest = str_from(report, at + 4); more;) {
        more = str_cut(rest, '\n', &line, &rest);
        if (str_starts(line, STR("--"))) break;
        buf_add(&code, str_trim(line));
    }
    struct sent_mail *m = base64_decode(buf_str(&code), &text) ? mail_in(buf_str(&text)) : NULL;
    buf_free(&code);
    buf_free(&text);
    return m;
}

/* A report: whose, about whom. */
static void got_report(const struct got_mail *g)
{
    struct str line, rest, address = STR_NONE, action = STR_NONE;
    struct sent_mail *m = mail_in(g->content);
    if (!m) m = mail_in_base64(g->content);
    if (!m) {
        sim_violation("a mail from <> that is no report of ours");
        return;
    }
    if (g->to_count != 1 || !str_eq(g->to[0], str_of(m->from)))
        sim_violation("mail %u: its report went to somebody else", m->number);
    rest = g->content;
    for (bool more = true; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        struct str value = line_value(line, "Final-Recipient: rfc822; ");
        if (value.p) address = value;
        value = line_value(line, "Action: ");
        if (value.p) action = value;
        value = line_value(line, "Status: ");
        if (value.p && address.p) reported(m, address, action, value);
    }
}

static void got_copy(struct sent_mail *m, const struct got_mail *g, struct got *got)
{
    const char *wrong = wrong_bytes(m, g->content);
    if (wrong) sim_violation("mail %u (%s) at %s: %s", m->number, m->word, g->host, wrong);
    if (!str_eq(g->from, str_of(m->from)))
        sim_violation("mail %u: its sender has become %.*s", m->number, STR_ARG(g->from));
    if (is(m, "refuse") || is(m, "later") || is(m, "vanish"))
        sim_violation("mail %u (%s) was delivered", m->number, m->word);
    for (size_t i = 0; i < g->to_count; i++) {
        struct sent_recipient *r = recipient_of(m, g->to[i]);
        if (!r && is_archive(m, g->to[i])) continue;
        if (!r || is_rejected(m, r)) {
            sim_violation("mail %u (%s) was delivered to %.*s", m->number, m->word, STR_ARG(g->to[i]));
            continue;
        }
        r->delivered++;
        if (got->n < RECIPIENTS_MOST) got->to[got->n++] = r;
    }
}

int history_got(const struct got_mail *g)
{
    struct str line, rest = g->content;
    struct sent_mail *m = NULL;
    INVARIANT(got_count < GOTS_MOST);
    struct got *got = &gots[got_count++];
    bool more = true;
    while (more && !m) { /* the header alone: a report quotes another's */
        more = str_cut(rest, '\n', &line, &rest);
        if (str_eq(line, STR("\r"))) break;
        m = history_mail(history_token(line));
    }
    sim_trace("%s got mail %u from <%.*s>, %zu recipients%s", g->host, m ? m->number : 0, STR_ARG(g->from), g->to_count,
              g->tls ? ", TLS" : "");
    if (m)
        got_copy(m, g, got);
    else if (!g->from.n)
        got_report(g);
    else
        sim_violation("%s got a mail nobody sent", g->host);
    return (int)got_count - 1;
}

void history_confirm(int got)
{
    for (size_t i = 0; i < gots[got].n; i++) gots[got].to[i]->confirmed++;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

/* Nobody is told: there is no sender, or NOTIFY says so. */
static bool ends_in_silence(const struct sent_mail *m, const struct sent_recipient *r)
{
    bool no_report = !m->from[0] || (r->notify && !(r->notify & 4));
    struct str address = str_of(r->address);
    bool hopeless = str_ends(address, STR("@dead.example")) || (str_ends(address, STR("@clear.example")) && m->need);
    return no_report && (hopeless || was_refused(m, address) || is_rejected(m, r) || may_have_expired(m) ||
                         (goes_elsewhere(m, r) && was_refused(m, STR("desk@one.example"))));
}

static void judge_recipient(const struct sent_mail *m, const struct sent_recipient *r)
{
    bool stored = m->fate == FATE_ACKED;
    bool may_be = stored || m->fate == FATE_UNKNOWN;
    if (m->fate == FATE_REFUSED && log_unsure && strstr(m->reply, "stored")) may_be = true; /* relay: undo_log.c */
    if (r->delivered && !may_be)
        sim_violation("mail %u (%s): %s got it, though it was %s", m->number, m->word, r->address,
                      m->fate == FATE_REFUSED ? m->reply : "never sent whole");
    if (r->delivered && !r->taken && m->fate != FATE_UNKNOWN)
        sim_violation("mail %u: %s got it and was refused at RCPT", m->number, r->address);
    if (r->confirmed > 1 + excuses && !has(&lied, str_of(r->address)))
        sim_violation("mail %u: %s got it %u times", m->number, r->address, r->confirmed);
    if (r->failed && r->confirmed && !excuses && !goes_elsewhere(m, r))
        sim_violation("mail %u: %s got it, and was reported as failed", m->number, r->address);
    if (!stored || !r->taken || is(m, "vanish")) return;
    if (r->delivered || r->failed || ends_in_silence(m, r) || has(&lied, str_of(r->address))) return;
    sim_violation("mail %u (%s) from <%s> was acked (%s), and %s got nothing and nobody was told", m->number, m->word,
                  m->from, m->reply, r->address);
}

static int64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static void text_of(sqlite3 *db, const char *sql, char *out, size_t n)
{
    sqlite3_stmt *s = NULL;
    snprintf(out, n, "nothing");
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        snprintf(out, n, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
}

/* Counters and audit are written in one transaction with each other: they agree to the last one. */
static void judge_counts(sqlite3 *db)
{
    static const struct {
        const char *what, *hits, *rows;
    } pairs[] = {
        {"refuse", "SELECT ifnull(sum(rejected), 0) FROM hits WHERE rule='refuse'",
         "SELECT count(*) FROM audit WHERE rule='refuse' AND what='rejected'"},
        {"later", "SELECT ifnull(sum(deferred), 0) FROM hits WHERE rule='later'",
         "SELECT count(*) FROM audit WHERE rule='later' AND what='deferred'"},
        {"vanish", "SELECT ifnull(sum(applied), 0) FROM hits WHERE rule='vanish'",
         "SELECT count(DISTINCT queue_id) FROM audit WHERE rule='vanish' AND what='dropped'"},
        {"watched", "SELECT ifnull(sum(audit), 0) FROM hits WHERE rule='watched'",
         "SELECT count(DISTINCT queue_id) FROM audit WHERE rule='watched' AND what='audit'"},
        {"part", "SELECT ifnull(sum(rejected), 0) FROM hits WHERE rule='part'",
         "SELECT count(*) FROM audit WHERE rule='part' AND what='rejected'"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        int64_t hits = number_of(db, pairs[i].hits), rows = number_of(db, pairs[i].rows);
        if (hits != rows || hits < 0)
            sim_violation("rule %s: %lld hits, %lld rows of audit", pairs[i].what, (long long)hits, (long long)rows);
    }
}

static sqlite3 *open_database(void)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2("/sim/queue.db", &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        sim_violation("the database cannot be opened: %s", sqlite3_errmsg(db));
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return db;
}

static void hold_to(sqlite3 *db, const char *what, const char *sql)
{
    int64_t rows = number_of(db, sql);
    if (rows) sim_violation("%s: %lld", what, (long long)rows);
}

/* Whatever became of the relay: no message is there by halves. */
void history_look_at_disk(void)
{
    bool calm = world.calm;
    world.calm = true;
    sqlite3 *db = open_database();
    hold_to(db, "recipients without a message",
            "SELECT count(*) FROM recipients WHERE id >> 20 NOT IN (SELECT id FROM messages)");
    hold_to(db, "messages without recipients",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT id >> 20 FROM recipients)");
    hold_to(db, "contents without a message",
            "SELECT count(*) FROM contents WHERE message NOT IN (SELECT id FROM messages)");
    hold_to(db, "copies without a message",
            "SELECT count(*) FROM copies WHERE id >> 20 NOT IN (SELECT id FROM messages)");
    hold_to(db, "messages without content",
            "SELECT count(*) FROM messages WHERE spool = '' AND id NOT IN (SELECT message FROM contents)");
    sqlite3_close(db);
    world.calm = calm;
}

static void judge_store(void)
{
    const char *name;
    char found[200];
    sqlite3 *db = open_database();
    text_of(db, "PRAGMA integrity_check(1)", found, sizeof found);
    if (strcmp(found, "ok") != 0) sim_violation("the database is damaged: %s", found);
    /* Held is what has no sender and found no TLS in all its time; it waits for people. */
    hold_to(db, "recipients not ended", "SELECT count(*) FROM recipients WHERE state <> 1");
    hold_to(db, "held that need no TLS, or have a sender",
            "SELECT count(*) FROM recipients WHERE need = 'none' OR id >> 20 IN (SELECT id FROM messages WHERE "
            "reverse_path <> '')");
    bool held = number_of(db, "SELECT count(*) FROM messages") > 0;
    judge_counts(db);
    sqlite3_close(db);
    for (size_t i = 0; disk_nth(i, &name); i++)
        if (!held && strncmp(name, "/sim/spool/", 11) == 0) sim_violation("%s was left behind", name);
}

void history_judge(void)
{
    for (size_t i = 0; i < mail_count; i++)
        for (size_t k = 0; k < mails[i].to_count; k++) judge_recipient(&mails[i], &mails[i].to[k]);
    history_look_at_disk();
    judge_store();
}
