/* Who sends mail: clients that speak well, mostly, and vanish at any moment.
 *
 * Each writes into the history what it was promised: nothing before its content was whole, then anything may be until
 * the reply comes, and what the reply says is a promise. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { CLIENTS_MOST = 4, SESSIONS_MOST = 3, MAILS_MOST = 4, STEPS_MOST = 24, LARGE_ONE_IN = 25 };

enum step_kind {
    STEP_GREETING,
    STEP_EHLO,
    STEP_STARTTLS,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_DOT,
    STEP_CHUNK,
    STEP_RSET,
    STEP_QUIT
};

struct step {
    enum step_kind kind;
    size_t number; /* which recipient, which chunk */
};

struct client {
    struct net_stream *stream; /* NULL: not connected */
    unsigned sessions, mails;  /* still to come; mails: of this session */
    struct sent_mail *mail;
    struct step asked[STEPS_MOST]; /* commands said and not answered */
    size_t asked_n;
    struct step next[STEPS_MOST]; /* commands not said yet */
    size_t next_n;
    size_t chunks;
    struct buf line;
    bool pipelines, wants_tls, tls, bdat, silent, stranger;
    char ip[32];
};

static struct client clients[CLIENTS_MOST];
static unsigned client_count;

static void call(void *what);
static void go_on(struct client *c);

bool clients_are_done(void)
{
    for (unsigned i = 0; i < client_count; i++)
        if (clients[i].stream || clients[i].sessions) return false;
    return true;
}

/* --- what is sent ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    uint8_t need;
    bool onward;
} words[] = {
    {"plain", NEED_NOTHING, false},     {"plain", NEED_NOTHING, false},   {"plain", NEED_NOTHING, false},
    {"plain", NEED_NOTHING, false},     {"secret", NEED_ENCRYPT, false},  {"sealed", NEED_VERIFIED, false},
    {"onward", NEED_VERIFIED, true},    {"watched", NEED_NOTHING, false}, {"refuse", NEED_NOTHING, false},
    {"later", NEED_NOTHING, false},     {"vanish", NEED_NOTHING, false},  {"partial", NEED_NOTHING, false},
    {"elsewhere", NEED_NOTHING, false}, {"copied", NEED_NOTHING, false},  {"waiting", NEED_NOTHING, false},
};
static const char *const domains[] = {"one.example",  "one.example",  "two.example",   "mx.example",     "corp.example",
                                      "corp.example", "dead.example", "clear.example", "guarded.example"};

static void compose(struct sent_mail *m)
{
    struct buf *b = &m->content;
    size_t lines = sim_roll(LARGE_ONE_IN) ? sim_roll(12) : 200 + sim_roll(2500);
    m->eight_bit = sim_roll(5) == 0;
    buf_printf(b, "From: <%s>\r\nTo: <%s>\r\nSubject: a %s mail\r\nX-Token: %u\r\nMessage-ID: <%u@sender.example>\r\n",
               m->from, m->to[0].address, m->word, m->number, m->number);
    buf_printf(b, "Date: Mon, 23 Nov 2026 23:00:00 +0000\r\n\r\n");
    for (size_t i = 0; i < lines; i++) {
        static const char *const starts[] = {"", ".", "..", "From ", "--", "a"};
        buf_printf(b, "%s", starts[sim_roll(6)]);
        for (size_t k = sim_roll(70); k-- > 0;) buf_add_byte(b, (char)(' ' + sim_roll(95)));
        if (m->eight_bit) buf_add(b, STR("\xc3\xa9"));
        buf_add(b, STR("\r\n"));
    }
}

static struct sent_mail *think_of_one(const struct client *c)
{
    struct sent_mail *m = history_new();
    size_t word = sim_roll(sizeof words / sizeof *words);
    m->word = words[word].word;
    m->need = words[word].need;
    m->onward = words[word].onward;
    if (sim_roll(12)) snprintf(m->from, sizeof m->from, "s%u@sender.example", (unsigned)sim_roll(4));
    m->to_count = 1 + sim_roll(sim_roll(3) ? 2 : RECIPIENTS_MOST);
    for (size_t i = 0; i < m->to_count; i++) {
        const char *domain = domains[sim_roll(sizeof domains / sizeof *domains)];
        snprintf(m->to[i].address, sizeof m->to[i].address, "%c@%s", (char)('a' + i), domain);
        if (sim_roll(8) == 0) m->to[i].notify = (uint8_t[]){1, 4, 4 | 8, 2 | 4}[sim_roll(4)];
    }
    if (c->tls && sim_roll(5) == 0) { /* RFC 8689: REQUIRETLS */
        m->need = NEED_VERIFIED;
        m->onward = m->requiretls = true;
    }
    compose(m);
    return m;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void plan(struct client *c, enum step_kind kind, size_t number)
{
    INVARIANT(c->next_n < STEPS_MOST);
    c->next[c->next_n++] = (struct step){kind, number};
}

static void say(struct client *c, const char *text) { sim_say(c->stream, str_of(text)); }

static void say_content(struct client *c)
{
    struct buf out = {0};
    struct str rest = buf_str(&c->mail->content);
    while (rest.n) {
        size_t end = str_find_byte(rest, '\n') + 1;
        if (rest.p[0] == '.') buf_add_byte(&out, '.');
        buf_add(&out, str_slice(rest, 0, end));
        rest = str_from(rest, end);
    }
    buf_add(&out, STR(".\r\n"));
    c->mail->fate = FATE_UNKNOWN;
    sim_say(c->stream, buf_str(&out));
    buf_free(&out);
}

static void say_chunk(struct client *c, size_t number)
{
    struct str all = buf_str(&c->mail->content);
    size_t from = all.n * number / c->chunks, to = all.n * (number + 1) / c->chunks;
    bool last = number + 1 == c->chunks;
    struct buf out = {0};
    buf_printf(&out, "BDAT %zu%s\r\n", to - from, last ? " LAST" : "");
    buf_add(&out, str_slice(all, from, to));
    if (sim_happens(POINT_CLIENT_BDAT_BROKEN)) {
        out.n -= (to - from) / 2 + 1;
        c->silent = true;
    } else if (last) {
        c->mail->fate = FATE_UNKNOWN;
    }
    sim_say(c->stream, buf_str(&out));
    if (c->silent) sim_finish(c->stream);
    buf_free(&out);
}

static void say_mail(struct client *c)
{
    struct buf out = {0};
    const struct sent_mail *m = c->mail;
    buf_printf(&out, "MAIL FROM:<%s>", m->from);
    if (m->eight_bit) buf_printf(&out, " BODY=8BITMIME");
    if (m->requiretls) buf_printf(&out, " REQUIRETLS");
    if (sim_roll(8) == 0) buf_printf(&out, " RET=%s", sim_roll(2) ? "FULL" : "HDRS");
    buf_printf(&out, "\r\n");
    sim_say(c->stream, buf_str(&out));
    buf_free(&out);
}

static void say_rcpt(struct client *c, size_t number)
{
    static const char *const notify[] = {
        [1] = "NEVER", [4] = "FAILURE", [12] = "FAILURE,DELAY", [6] = "SUCCESS,FAILURE"};
    struct buf out = {0};
    const struct sent_recipient *r = &c->mail->to[number];
    buf_printf(&out, "RCPT TO:<%s>", r->address);
    if (r->notify) buf_printf(&out, " NOTIFY=%s", notify[r->notify]);
    buf_printf(&out, "\r\n");
    sim_say(c->stream, buf_str(&out));
    buf_free(&out);
}

static void say_step(struct client *c, struct step step)
{
    switch (step.kind) {
    case STEP_EHLO: say(c, "EHLO client.example\r\n"); break;
    case STEP_STARTTLS:
        say(c,
            sim_happens(POINT_CLIENT_INJECTS) ? "STARTTLS\r\nMAIL FROM:<injected@sender.example>\r\n" : "STARTTLS\r\n");
        break;
    case STEP_MAIL: say_mail(c); break;
    case STEP_RCPT: say_rcpt(c, step.number); break;
    case STEP_DATA: say(c, "DATA\r\n"); break;
    case STEP_DOT:
        say_content(c);
        if (sim_happens(POINT_HALF_CLOSE)) sim_finish(c->stream);
        break;
    case STEP_CHUNK: say_chunk(c, step.number); break;
    case STEP_RSET: say(c, "RSET\r\n"); break;
    case STEP_QUIT: say(c, "QUIT\r\n"); break;
    case STEP_GREETING: break;
    }
}

/* The next mail, or the end of the session. */
static void plan_more(struct client *c)
{
    bool open = c->mail && c->mail->fate != FATE_ACKED; /* its transaction, perhaps */
    c->next_n = 0;
    c->mail = NULL;
    if (!c->mails) {
        plan(c, STEP_QUIT, 0);
        return;
    }
    c->mails--;
    c->mail = think_of_one(c);
    c->bdat = sim_roll(4) == 0;
    c->chunks = 1 + sim_roll(3);
    if (open) plan(c, STEP_RSET, 1);
    plan(c, STEP_MAIL, 0);
    for (size_t i = 0; i < c->mail->to_count; i++) plan(c, STEP_RCPT, i);
    if (sim_happens(POINT_CLIENT_RSET)) {
        plan(c, STEP_RSET, 0);
    } else if (c->bdat) {
        for (size_t i = 0; i < c->chunks; i++) plan(c, STEP_CHUNK, i);
    } else {
        plan(c, STEP_DATA, 0);
    }
}

static bool may_speak(const struct client *c)
{
    if (!c->next_n || c->silent || !c->stream) return false;
    if (!c->asked_n) return true;
    enum step_kind last = c->asked[c->asked_n - 1].kind;
    bool waits =
        last == STEP_EHLO || last == STEP_STARTTLS || last == STEP_DATA || last == STEP_GREETING || last == STEP_DOT;
    return c->pipelines && !waits && c->asked_n < STEPS_MOST;
}

static void go_on(struct client *c)
{
    while (may_speak(c)) {
        struct step step = c->next[0];
        memmove(c->next, c->next + 1, --c->next_n * sizeof *c->next);
        if (sim_happens(POINT_CLIENT_STALLS)) {
            c->silent = true;
            return;
        }
        if (sim_happens(POINT_CLIENT_LEAVES)) {
            c->silent = true;
            if (sim_roll(2)) say(c, "QUIT\r\n");
            sim_finish(c->stream);
            return;
        }
        c->asked[c->asked_n++] = step;
        say_step(c, step);
    }
}

/* --- replies ------------------------------------------------------------------------------------------------------ */

static void promised(struct client *c, struct str line)
{
    struct sent_mail *m = c->mail;
    if (!m || m->fate != FATE_UNKNOWN) return;
    m->fate = line.p[0] == '2' ? FATE_ACKED : FATE_REFUSED;
    m->acked_us = world.mono_us;
    snprintf(m->reply, sizeof m->reply, "%.*s", STR_ARG(line));
    sim_trace("mail %u: %s", m->number, m->reply);
}

/* Only a chunk that fails before the last one ends the mail early. */
static void chunk_answered(struct client *c, size_t number, bool good, struct str line)
{
    if (number + 1 == c->chunks) promised(c, line);
    if (number + 1 == c->chunks || (!good && !c->pipelines)) {
        if (number + 1 < c->chunks && c->mail->fate == FATE_UNKNOWN) promised(c, line);
        plan_more(c);
    }
}

static void answered(struct client *c, struct step step, struct str line)
{
    bool good = line.p[0] == '2' || line.p[0] == '3';
    switch (step.kind) {
    case STEP_GREETING:
        if (!good) return;
        plan(c, STEP_EHLO, 0);
        break;
    case STEP_EHLO:
        if (c->wants_tls && !c->tls)
            plan(c, STEP_STARTTLS, 0);
        else
            plan_more(c);
        break;
    case STEP_STARTTLS:
        if (line.p[0] == '2')
            sim_secure(c->stream,
                       &(struct sim_tls){.good = !sim_happens(POINT_TLS_BREAKS), .certificate = true, .is_1_3 = true});
        else
            plan_more(c);
        break;
    case STEP_RCPT: c->mail->to[step.number].taken = good; break;
    case STEP_DATA:
        if (line.p[0] == '3') {
            plan(c, STEP_DOT, 0);
        } else {
            c->mail->fate = FATE_REFUSED;
            plan_more(c);
        }
        break;
    case STEP_DOT:
        promised(c, line);
        plan_more(c);
        break;
    case STEP_CHUNK: chunk_answered(c, step.number, good, line); break;
    case STEP_RSET:
        if (!step.number) plan_more(c);
        break;
    case STEP_MAIL:
    case STEP_QUIT: break;
    }
}

static void hear(struct client *c, struct str line)
{
    if (line.n < 4 || line.p[3] == '-') return;
    if (!c->asked_n) { /* 421 comes unasked */
        if (!c->silent && !str_starts(line, STR("421"))) sim_violation("a reply nobody asked for: %.*s", STR_ARG(line));
        return;
    }
    struct step step = c->asked[0];
    memmove(c->asked, c->asked + 1, --c->asked_n * sizeof *c->asked);
    if (str_starts(line, STR("421"))) {
        if (step.kind == STEP_DOT || step.kind == STEP_CHUNK) promised(c, line);
        c->silent = true;
        return;
    }
    answered(c, step, line);
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

static void on_connected(void *self) { (void)self; }

static void on_received(void *self, struct str bytes, bool tls)
{
    struct client *c = self;
    (void)tls;
    for (size_t i = 0; i < bytes.n && c->stream; i++) {
        buf_add_byte(&c->line, bytes.p[i]);
        if (bytes.p[i] != '\n') continue;
        struct buf line = c->line;
        c->line = (struct buf){0};
        hear(c, str_slice(buf_str(&line), 0, line.n - 2));
        buf_free(&line);
    }
    go_on(c);
}

static void on_secured(void *self, bool good)
{
    struct client *c = self;
    (void)good;
    c->tls = true;
    c->asked_n = c->next_n = 0;
    plan(c, STEP_EHLO, 0);
    go_on(c);
}

static void on_ended(void *self, bool reset)
{
    struct client *c = self;
    (void)reset;
    c->stream = NULL;
    c->mail = NULL;
    if (c->sessions) sim_after(sim_between(1000, SECONDS(60)), call, c);
}

static const struct sim_peer peer = {on_connected, on_received, on_secured, on_ended};

static void call(void *what)
{
    struct client *c = what;
    c->asked[0] = (struct step){STEP_GREETING, 0};
    c->asked_n = 1;
    c->next_n = c->line.n = 0;
    c->tls = c->silent = false;
    c->mail = NULL;
    c->mails = 1 + (unsigned)sim_roll(MAILS_MOST);
    c->pipelines = sim_roll(2);
    c->wants_tls = sim_roll(3) == 0;
    c->stranger = sim_roll(8) == 0;
    snprintf(c->ip, sizeof c->ip, c->stranger ? "198.51.100.%u" : "10.0.0.%u", (unsigned)(1 + sim_roll(4)));
    c->stream = sim_dial(SOCKET_INBOUND, c->ip, &peer, c);
    if (!c->stream) {
        sim_after(SECONDS(5), call, c);
        return;
    }
    c->sessions--;
}

void clients_begin(void)
{
    client_count = 1 + (unsigned)sim_roll(CLIENTS_MOST);
    for (unsigned i = 0; i < client_count; i++) {
        clients[i].sessions = 1 + (unsigned)sim_roll(SESSIONS_MOST);
        sim_after(sim_between(1000, SECONDS(120)), call, &clients[i]);
    }
}
