/* The hosts mail goes to: SMTP servers with moods.
 *
 * Each is strict about what matters (order of commands, dots, chunks, what came in clear) and moody about the rest, as
 * the dice say.  In the calm all are good, but for one that never speaks TLS and one that is not there. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { TO_MOST = 100, LINE_MOST = 2000 };

struct host {
    const char *name;
    bool never_tls, dead, keeps; /* keeps: it may be slow but never says 5yz: reports go there */
};
static const struct host hosts[] = {
    {.name = "one.partner.example"},
    {.name = "two.partner.example"},
    {.name = "192.0.2.1"},
    {.name = "192.0.2.2"},
    {.name = "192.0.2.3"},
    {.name = "back.sender.example", .keeps = true},
    {.name = "host.dead.example", .dead = true},
    {.name = "host.clear.example", .never_tls = true},
    {.name = "host.guarded.example"},
};

struct session {
    const struct host *host;
    struct net_stream *stream;
    struct buf line, content, from;
    char to[TO_MOST][80];
    size_t to_count, scanned;
    bool helo, mail, data, tls, requiretls, over, mute, starting_tls, used, out_of_step;
    bool starttls, chunking, dsn, offers_requiretls, pipelining, certificate, is_1_3;
    unsigned recipients_most;
    size_t chunk; /* bytes of it still to come */
    bool in_chunk, last_chunk;
    int got; /* of history_got, when the relay was told 250 and has not spoken since; -1 */
};

static void leave(struct session *s)
{
    s->over = true;
    sim_finish(s->stream);
}

/* What a host that says one reply too many makes of a mail, nobody can know. */
static void lie_to_all(const struct session *s)
{
    for (size_t i = 0; i < s->to_count; i++) history_lied(str_of(s->to[i]));
}

static void reply(struct session *s, const char *text)
{
    char line[400];
    if (s->over || s->mute) return;
    if (sim_happens(POINT_MUTE)) {
        s->mute = true;
        return;
    }
    if (sim_happens(POINT_GARBLED)) text = sim_roll(2) ? "hello?" : "2x0 what";
    snprintf(line, sizeof line, "%s\r\n", text);
    sim_say(s->stream, str_of(line));
    if (s->host->keeps || !sim_happens(POINT_OUT_OF_STEP)) return;
    s->out_of_step = true; /* from now on each reply may be taken for another's */
    history_refused(STR_NONE);
    lie_to_all(s);
    sim_say(s->stream, sim_roll(2) ? STR("250 2.0.0 once more\r\n") : STR("451 4.3.0 once more\r\n"));
}

static void reset(struct session *s)
{
    s->mail = s->data = s->in_chunk = s->requiretls = false;
    s->from.n = s->content.n = 0;
    s->to_count = s->scanned = 0;
}

/* --- content ------------------------------------------------------------------------------------------------------ */

static size_t recipients(const struct session *s, struct str out[TO_MOST])
{
    for (size_t i = 0; i < s->to_count; i++) out[i] = str_of(s->to[i]);
    return s->to_count;
}

/* Whoever listens on the line has seen what came in clear, whatever becomes of the mail. */
static void scan(struct session *s)
{
    struct str to[TO_MOST];
    size_t n = recipients(s, to);
    for (size_t end; (end = str_find(str_from(buf_str(&s->content), s->scanned), STR("\r\n"))) != STR_NPOS;) {
        struct str line = str_slice(buf_str(&s->content), s->scanned, s->scanned + end);
        history_seen(s->host->name, line, to, n, s->tls, s->tls && s->certificate, s->requiretls);
        s->scanned += end + 2;
    }
}

static void refuse_all(struct session *s)
{
    for (size_t i = 0; i < s->to_count; i++) history_refused(str_of(s->to[i]));
}

static void content_is_whole(struct session *s)
{
    struct str to[TO_MOST];
    scan(s);
    if (sim_happens(POINT_DOT_4XX)) {
        reply(s, "451 4.3.0 not this time");
    } else if (!s->host->keeps && sim_happens(POINT_DOT_5XX)) {
        refuse_all(s);
        reply(s, "554 5.6.0 not this");
    } else {
        struct got_mail g = {.host = s->host->name,
                             .from = buf_str(&s->from),
                             .to = to,
                             .to_count = recipients(s, to),
                             .content = buf_str(&s->content),
                             .tls = s->tls,
                             .verified = s->tls && s->certificate,
                             .requiretls = s->requiretls};
        s->got = history_got(&g);
        if (sim_happens(POINT_LOST_REPLY)) {
            s->over = true;
            sim_cut(s->stream);
        }
        bool muted = s->mute;
        unsigned garbled = world.met[POINT_GARBLED];
        reply(s, "250 2.0.0 taken");
        if (muted || s->mute || garbled != world.met[POINT_GARBLED]) s->got = -1;
    }
    reset(s);
    s->used = true;
}

static void content_line(struct session *s, struct str line)
{
    if (str_eq(line, STR("."))) {
        content_is_whole(s);
        return;
    }
    if (line.n && line.p[0] == '.') line = str_from(line, 1);
    buf_add(&s->content, line);
    buf_add(&s->content, STR("\r\n"));
    scan(s);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void ehlo(struct session *s)
{
    struct buf b = {0};
    if (sim_happens(POINT_EHLO_REFUSED)) {
        bool for_good = !s->host->keeps && sim_roll(2); /* then it is asked by HELO, and takes seven bits */
        if (for_good) history_cannot_carry();
        reply(s, for_good ? "550 5.5.1 not you" : "451 4.3.0 who knows");
        return;
    }
    s->helo = true;
    buf_printf(&b, "250-%s\r\n250-8BITMIME\r\n250-SIZE 10000000\r\n250-ENHANCEDSTATUSCODES\r\n", s->host->name);
    if (s->pipelining) buf_printf(&b, "250-PIPELINING\r\n");
    if (s->chunking) buf_printf(&b, "250-CHUNKING\r\n");
    if (s->dsn) buf_printf(&b, "250-DSN\r\n");
    if (s->starttls && !s->tls) buf_printf(&b, "250-STARTTLS\r\n");
    if (s->offers_requiretls && s->tls) buf_printf(&b, "250-REQUIRETLS\r\n");
    if (s->recipients_most) buf_printf(&b, "250-LIMITS RCPTMAX=%u\r\n", s->recipients_most);
    buf_printf(&b, "250 HELP%c", 0);
    reply(s, b.p);
    buf_free(&b);
}

static void starttls(struct session *s)
{
    if (!s->starttls || s->tls) {
        reply(s, "502 5.5.1 no");
        return;
    }
    if (sim_happens(POINT_STARTTLS_REFUSED)) {
        reply(s, "454 4.7.0 not available");
        return;
    }
    bool injected = sim_happens(POINT_STARTTLS_INJECTED);
    struct sim_tls t = {.good = !sim_happens(POINT_TLS_BREAKS), .certificate = s->certificate, .is_1_3 = s->is_1_3};
    s->starting_tls = true;
    reply(s, injected ? "220 go\r\n250-x\r\n250 SIZE 5" : "220 go");
    sim_secure(s->stream, &t);
}

/* What stands in the angle brackets. */
static struct str path_of(struct str line)
{
    size_t from = str_find_byte(line, '<'), to = str_find_byte(line, '>');
    return from == STR_NPOS || to == STR_NPOS ? STR_NONE : str_slice(line, from + 1, to);
}

static void mail(struct session *s, struct str line)
{
    if (!s->helo || s->mail) {
        reply(s, "503 5.5.1 not now");
    } else if (sim_happens(POINT_MAIL_4XX)) {
        reply(s, "450 4.1.8 later");
    } else if (!s->host->keeps && sim_happens(POINT_MAIL_5XX)) {
        history_refused(STR_NONE);
        reply(s, "550 5.1.8 never");
    } else {
        s->mail = true;
        s->requiretls = str_find(line, STR(" REQUIRETLS")) != STR_NPOS;
        buf_add(&s->from, path_of(line));
        reply(s, "250 2.1.0 ok");
    }
}

static void rcpt(struct session *s, struct str line)
{
    struct str address = path_of(line);
    if (s->out_of_step) history_lied(address);
    if (!s->mail) {
        reply(s, "503 5.5.1 MAIL first");
    } else if (s->recipients_most && s->to_count >= s->recipients_most) {
        reply(s, "452 4.5.3 too many");
    } else if (sim_happens(POINT_RCPT_4XX)) {
        reply(s, sim_roll(4) ? "450 4.2.1 later" : "552 5.5.3 too many");
    } else if (!s->host->keeps && sim_happens(POINT_RCPT_5XX)) {
        history_refused(address);
        reply(s, "550 5.1.1 unknown");
    } else {
        INVARIANT(s->to_count < TO_MOST);
        snprintf(s->to[s->to_count++], sizeof s->to[0], "%.*s", STR_ARG(address));
        reply(s, "250 2.1.5 ok");
    }
}

static void data(struct session *s)
{
    if (!s->to_count) {
        reply(s, "554 5.5.1 no valid recipients");
    } else if (sim_happens(POINT_DATA_4XX)) {
        reply(s, "451 4.3.0 later");
    } else if (!s->host->keeps && sim_happens(POINT_DATA_5XX)) {
        refuse_all(s);
        reply(s, "550 5.7.1 no");
    } else {
        s->data = true;
        reply(s, "354 go");
    }
}

static void bdat(struct session *s, struct str line)
{
    unsigned long n = 0;
    char text[64];
    snprintf(text, sizeof text, "%.*s", STR_ARG(line));
    INVARIANT(sscanf(text, "%*s %lu", &n) == 1);
    s->chunk = n;
    s->in_chunk = true;
    s->last_chunk = str_find(line, STR("LAST")) != STR_NPOS;
}

static void chunk_is_whole(struct session *s)
{
    s->in_chunk = false;
    if (!s->to_count) {
        s->content.n = 0;
        reply(s, "503 5.5.1 no recipients");
    } else if (s->last_chunk) {
        content_is_whole(s);
    } else {
        reply(s, "250 2.0.0 go on");
    }
}

static void command(struct session *s, struct str line)
{
    if (s->got >= 0) history_confirm(s->got);
    s->got = -1;
    bool bytes_follow = str_starts_nocase(line, STR("BDAT"));
    if (sim_happens(POINT_LEAVES_421) ||
        (s->used && str_starts_nocase(line, STR("MAIL")) && sim_happens(POINT_DROPS_IDLE))) {
        reply(s, "421 4.3.2 closing");
        leave(s);
    } else if (str_starts_nocase(line, STR("EHLO"))) {
        ehlo(s);
    } else if (str_starts_nocase(line, STR("HELO"))) {
        s->helo = true;
        reply(s, "250 hello");
    } else if (str_eq_nocase(line, STR("STARTTLS"))) {
        starttls(s);
    } else if (str_starts_nocase(line, STR("MAIL FROM:"))) {
        mail(s, line);
    } else if (str_starts_nocase(line, STR("RCPT TO:"))) {
        rcpt(s, line);
    } else if (str_eq_nocase(line, STR("DATA"))) {
        data(s);
    } else if (bytes_follow) {
        bdat(s, line);
    } else if (str_eq_nocase(line, STR("RSET"))) {
        reset(s);
        reply(s, "250 2.0.0 ok");
    } else if (str_eq_nocase(line, STR("QUIT"))) {
        reply(s, "221 2.0.0 bye");
        leave(s);
    } else {
        reply(s, "500 5.5.2 what?");
    }
}

/* --- the stream --------------------------------------------------------------------------------------------------- */

static void on_connected(void *self)
{
    struct session *s = self;
    if (sim_happens(POINT_GREETING_421)) {
        reply(s, "421 4.3.2 come back");
        leave(s);
    } else if (sim_happens(POINT_GREETING_554)) {
        reply(s, "554 5.7.1 no service");
        leave(s);
    } else {
        reply(s, "220 here ESMTP");
    }
}

static struct str chunk_bytes(struct session *s, struct str bytes)
{
    struct str now = str_slice(bytes, 0, s->chunk);
    buf_add(&s->content, now);
    if (s->to_count) scan(s);
    s->chunk -= now.n;
    if (!s->chunk) chunk_is_whole(s);
    return str_from(bytes, now.n);
}

static void on_received(void *self, struct str bytes, bool tls)
{
    struct session *s = self;
    s->tls = tls;
    while (bytes.n && !s->over) {
        if (s->in_chunk) {
            bytes = chunk_bytes(s, bytes);
            continue;
        }
        size_t end = str_find_byte(bytes, '\n');
        buf_add(&s->line, str_slice(bytes, 0, end == STR_NPOS ? bytes.n : end + 1));
        bytes = str_from(bytes, end == STR_NPOS ? bytes.n : end + 1);
        if (end == STR_NPOS) break;
        INVARIANT(s->line.n >= 2 && s->line.p[s->line.n - 2] == '\r');
        struct str line = str_slice(buf_str(&s->line), 0, s->line.n - 2);
        if (s->data)
            content_line(s, line);
        else
            command(s, line);
        s->line.n = 0;
        if (s->in_chunk && !s->chunk) chunk_is_whole(s); /* BDAT 0 LAST */
    }
}

static void on_secured(void *self, bool good)
{
    struct session *s = self;
    (void)good;
    s->helo = s->starting_tls = false;
    reset(s);
}

static void on_ended(void *self, bool was_reset)
{
    struct session *s = self;
    (void)was_reset;
    s->over = true;
}

static const struct sim_peer peer = {on_connected, on_received, on_secured, on_ended};

bool hosts_answer(struct str name, uint16_t port, const struct sim_peer **out, void **self, struct net_stream *stream)
{
    const struct host *h = NULL;
    (void)port;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (str_eq_nocase(name, str_of(hosts[i].name))) h = &hosts[i];
    if (!h) sim_violation("a connection to %.*s, which is nobody's", STR_ARG(name));
    if (!h || h->dead) return false;
    struct session *s = mem_alloc(sizeof *s);
    *s = (struct session){.host = h, .stream = stream, .got = -1};
    s->starttls = !h->never_tls && !sim_happens(POINT_NO_STARTTLS);
    s->certificate = !sim_happens(POINT_BAD_CERTIFICATE);
    s->is_1_3 = !sim_happens(POINT_OLD_TLS);
    s->offers_requiretls = world.calm || sim_roll(3);
    s->pipelining = sim_roll(4) != 0;
    s->chunking = sim_roll(3) == 0;
    s->dsn = sim_roll(2);
    s->recipients_most = sim_roll(6) ? 0 : 2;
    *out = &peer;
    *self = s;
    return true;
}
