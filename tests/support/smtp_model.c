#include "tests/support/smtp_model.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static void event(struct smtp_model *m, const char *text)
{
    buf_add(&m->events, str_of(text));
    buf_add_byte(&m->events, '\n');
}

/* The transaction is over without a message. */
static void forget(struct smtp_model *m)
{
    if (m->mail && !m->told) event(m, "ABORT");
    m->mail = m->told = m->tried = m->chunked = m->utf8 = m->binary = false;
    m->recipients = m->refusal = 0;
    m->content.n = 0;
}

static void end(struct smtp_model *m)
{
    forget(m);
    event(m, "CLOSE");
    m->wait = WAIT_OVER;
}

static void code(struct smtp_model *m, unsigned n) { buf_printf(&m->codes, "%s%u", m->codes.n ? " " : "", n); }

/* A refusal that is the client's fault. */
static void fault(struct smtp_model *m, unsigned n)
{
    code(m, n);
    if (++m->errors < 20) return;
    code(m, 421);
    end(m);
}

static bool is_junk(struct smtp_model *m)
{
    if (++m->junk <= 100) return false;
    code(m, 421);
    end(m);
    return true;
}

/* --- content ------------------------------------------------------------------------------------------------------ */

static bool has_stray(struct str s, bool whole)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))) return true;
        if (s.p[i] == '\r' && (i + 1 == s.n ? whole : s.p[i + 1] != '\n')) return true;
    }
    return false;
}

static void swallow(struct smtp_model *m, unsigned refusal)
{
    if (m->mail && !m->told) event(m, "ABORT");
    m->told = true;
    if (!m->refusal) m->refusal = refusal;
}

static void content_ends(struct smtp_model *m)
{
    m->wait = WAIT_COMMAND;
    if (m->refusal) {
        unsigned n = m->refusal;
        m->told = true;
        forget(m);
        fault(m, n);
        return;
    }
    buf_add(&m->events, STR("MESSAGE "));
    buf_add(&m->events, buf_str(&m->content));
    event(m, "");
    m->told = true;
    forget(m);
    m->junk = 0;
    code(m, 250);
}

static void data_line(struct smtp_model *m, struct str line)
{
    if (str_eq(line, STR("."))) {
        content_ends(m);
        return;
    }
    if (str_starts(line, STR("."))) line = str_from(line, 1);
    buf_add(&m->content, line);
    buf_add(&m->content, STR("\r\n"));
    if (m->content.n > SMTP_MODEL_SIZE) swallow(m, 552);
}

static void chunk_ends(struct smtp_model *m)
{
    if (!m->refusal && !m->binary && has_stray(buf_str(&m->content), m->last)) swallow(m, 554);
    m->wait = WAIT_COMMAND;
    if (m->refusal || m->last)
        content_ends(m);
    else
        code(m, 250);
}

static void bdat(struct smtp_model *m, struct str args)
{
    unsigned octets;
    int used = 0;
    char text[64];
    snprintf(text, sizeof text, "%.*s", STR_ARG(args));
    bool good = sscanf(text, "%u%n", &octets, &used) == 1 && ascii_is_digit(text[0]);
    m->last = good && str_eq_nocase(str_of(text + used), STR(" LAST"));
    if (!good || (text[used] && !m->last)) { /* where the next command stands nobody knows */
        fault(m, 501);
        if (m->wait != WAIT_OVER) end(m);
        return;
    }
    if (!m->last && octets < 512 && is_junk(m)) return;
    if (!m->mail || !m->tried)
        swallow(m, 503);
    else if (!m->recipients)
        swallow(m, 554);
    else if (m->content.n + octets > SMTP_MODEL_SIZE)
        swallow(m, 552);
    else if (!m->chunked)
        event(m, "DATA");
    if (!m->refusal) m->chunked = true;
    m->left = octets;
    m->wait = WAIT_CHUNK;
    if (octets == 0) chunk_ends(m);
}

/* --- AUTH --------------------------------------------------------------------------------------------------------- */

/* The lines of an exchange that the walk gives, decoded; all else is no base64. */
#define LINE(base64, literal)                                                                                          \
    {                                                                                                                  \
        STR_INIT(base64), { literal, sizeof(literal) - 1 }                                                             \
    }
static const struct {
    struct str base64, plain;
} lines[] = {LINE("", ""), LINE("dQ==", "u"), LINE("cmlnaHQ=", "right"), LINE("text", "\xb5\xec\x6d"),
             LINE("biwsbj11LHI9YWJj", "n,,n=u,r=abc"), LINE("AHUAcmlnaHQ=", "\0u\0right"),
             LINE("AHUAd3Jvbmc=", "\0u\0wrong"), LINE("AHUAbGF0ZXI=", "\0u\0later"),
             /* Some commands are base64 too. */
             LINE("DATA", "\x0c\x04\xc0"), LINE("RSET", "\x45\x21\x13"), LINE("NOOP", "\x34\xe3\x8f"),
             LINE("HELP", "\x1c\x42\xcf"), LINE("QUIT", "\x41\x42\x13"), LINE("STARTTLS", "\x49\x30\x11\x4d\x32\xd2")};

static void fail_guess(struct smtp_model *m, struct str user)
{
    code(m, 535);
    buf_printf(&m->events, "NOT %.*s\n", STR_ARG(user));
    m->errors++;
    m->guesses++;
    if (m->errors < 20 && m->guesses < 3) return;
    code(m, 421);
    end(m);
}

static void guess(struct smtp_model *m, const char *mechanism, struct str user, struct str password)
{
    buf_printf(&m->events, "AUTH %s %.*s ", mechanism, STR_ARG(user));
    buf_printf(&m->events, "%.*s\n", STR_ARG(password)); /* up to a NUL, as the driver has it */
    if (str_eq(password, STR("later"))) {
        code(m, 451);
    } else if (str_eq(password, STR("right"))) {
        code(m, 235);
        m->authenticated = true;
        buf_printf(&m->events, "IS %.*s\n", STR_ARG(user));
    } else {
        fail_guess(m, user);
    }
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return s.n && str_is_utf8(s);
}

static void auth_line(struct smtp_model *m, struct str line)
{
    enum smtp_model_wait was = m->wait;
    const struct str *plain = NULL;
    struct str user;
    m->wait = WAIT_COMMAND;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (str_eq(line, lines[i].base64)) plain = &lines[i].plain;
    if (!plain) {
        fault(m, 501);
    } else if (was == WAIT_PLAIN && plain->n > 2 && plain->p[0] == '\0') {
        str_cut(str_from(*plain, 1), '\0', &user, &line);
        guess(m, "PLAIN", user, line);
    } else if (was == WAIT_LOGIN_USER && is_name(*plain)) {
        code(m, 334);
        m->user = *plain;
        m->wait = WAIT_LOGIN_PASSWORD;
    } else if (was == WAIT_LOGIN_PASSWORD && plain->n) {
        guess(m, "LOGIN", m->user, *plain);
    } else if (was == WAIT_SCRAM_FIRST && plain->n && plain->p[0] == 'n') {
        event(m, "AUTH SCRAM-SHA-256 u");
        code(m, 334);
        m->wait = WAIT_SCRAM_LAST;
    } else if (was == WAIT_SCRAM_LAST) {
        fail_guess(m, STR("u")); /* none of them is a proof */
    } else {
        fault(m, 501);
    }
}

static void auth(struct smtp_model *m, struct str args)
{
    static const struct {
        const char *name;
        enum smtp_model_wait wait;
    } mechanisms[] = {{"PLAIN", WAIT_PLAIN}, {"LOGIN", WAIT_LOGIN_USER}, {"SCRAM-SHA-256", WAIT_SCRAM_FIRST}};
    struct str name, initial;
    bool more = str_cut(args, ' ', &name, &initial);
    if (!(m->offers & OFFER_AUTH))
        fault(m, 502);
    else if (!m->esmtp)
        fault(m, 503);
    else if (!m->tls)
        fault(m, 538);
    else if (m->mail || m->authenticated)
        fault(m, 503);
    else {
        for (size_t i = 0; i < 3; i++) {
            if (!str_eq_nocase(name, str_of(mechanisms[i].name))) continue;
            m->wait = mechanisms[i].wait;
            if (more)
                auth_line(m, initial);
            else
                code(m, 334);
            return;
        }
        fault(m, 504);
    }
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void greet(struct smtp_model *m, bool esmtp)
{
    forget(m);
    m->greeted = true;
    m->esmtp = esmtp;
    event(m, esmtp ? "EHLO c" : "HELO c");
    code(m, 250);
}

/* The parameters of MAIL, one of each: 0, or the refusal. */
static unsigned mail_parameter(const struct smtp_model *m, struct str word)
{
    if (str_eq(word, STR("SIZE=99999")) || str_eq(word, STR("SIZE=10")) || str_eq(word, STR("BODY=8BITMIME"))) return 0;
    if (str_eq(word, STR("BODY=BINARYMIME"))) return m->offers & OFFER_BINARY ? 0 : 555;
    if (str_eq(word, STR("SMTPUTF8"))) return m->offers & OFFER_UTF8 ? 0 : 555;
    if (str_eq(word, STR("AUTH=<>"))) return m->offers & OFFER_AUTH ? 0 : 555;
    if (str_eq(word, STR("REQUIRETLS"))) return !m->tls ? 530 : m->offers & OFFER_REQUIRETLS ? 0 : 555;
    if (str_eq(word, STR("RET=FULL")) || str_eq(word, STR("ENVID=a+2Bb"))) return m->offers & OFFER_DSN ? 0 : 555;
    if (str_eq(word, STR("ENVID=a+0Ab"))) return m->offers & OFFER_DSN ? 501 : 555;
    return 555;
}

static void mail(struct smtp_model *m, struct str args)
{
    struct str path, rest, word;
    struct buf note = {0};
    unsigned refusal = 0;
    bool utf8 = false;
    if (!m->greeted || m->mail) {
        fault(m, 503);
        return;
    }
    if ((m->offers & OFFER_AUTH_REQUIRED) && !m->authenticated) {
        fault(m, 530);
        return;
    }
    if (!str_is_ascii(args) && !(m->offers & OFFER_UTF8)) {
        fault(m, 550);
        return;
    }
    if (!str_starts(args, STR("FROM:<")) || str_find_byte(args, '>') == STR_NPOS) {
        fault(m, 501);
        return;
    }
    str_cut(str_from(args, 6), '>', &path, &rest);
    buf_printf(&note, "MAIL <%.*s>", STR_ARG(path));
    bool large = false, eight = false, binary = false, requiretls = false, full = false, id = false, size = false;
    for (rest = str_trim(rest); rest.n && !refusal; rest = str_trim(rest)) {
        str_cut(rest, ' ', &word, &rest);
        refusal = mail_parameter(m, word);
        large |= str_eq(word, STR("SIZE=99999"));
        size |= str_eq(word, STR("SIZE=10"));
        eight |= str_eq(word, STR("BODY=8BITMIME"));
        binary |= str_eq(word, STR("BODY=BINARYMIME"));
        utf8 |= str_eq(word, STR("SMTPUTF8"));
        requiretls |= str_eq(word, STR("REQUIRETLS"));
        full |= str_eq(word, STR("RET=FULL"));
        id |= str_eq(word, STR("ENVID=a+2Bb"));
    }
    if (!refusal && !utf8 && !str_is_ascii(path)) refusal = 550;
    if (!refusal && large) refusal = 552;
    buf_printf(&note, "%s%s%s%s%s%s%s", size ? " size=10" : "", eight ? " 8bit" : "", binary ? " binary" : "",
               utf8 ? " utf8" : "", requiretls ? " requiretls" : "", full ? " ret=F" : "", id ? " envid=a+2Bb" : "");
    buf_add_byte(&note, '\0');
    if (refusal) {
        if (refusal == 552) buf_printf(&m->events, "REFUSED <%.*s> 552\n", STR_ARG(path));
        fault(m, refusal);
    } else {
        event(m, note.p);
        bool later = str_starts(path, STR("defer@"));
        code(m, later ? 451 : 250);
        m->mail = !later;
        m->utf8 = utf8;
        m->binary = binary;
    }
    buf_free(&note);
}

static void rcpt(struct smtp_model *m, struct str args)
{
    struct str path, rest;
    if (!m->mail || m->chunked) {
        fault(m, 503);
        return;
    }
    m->tried = true;
    if (!m->utf8 && !str_is_ascii(args)) {
        fault(m, 553);
        return;
    }
    if (!str_starts(args, STR("TO:<")) || str_find_byte(args, '>') == STR_NPOS) {
        fault(m, 501);
        return;
    }
    str_cut(str_from(args, 4), '>', &path, &rest);
    const char *note = "";
    rest = str_trim(rest);
    if (rest.n && !(m->offers & OFFER_DSN)) {
        fault(m, 555);
        return;
    }
    if (str_eq(rest, STR("NOTIFY=NEVER,DELAY")) || str_eq(rest, STR("NOTIFY=DELAY,DELAY")) ||
        str_eq(rest, STR("ORCPT=rfc822;a+00b"))) {
        fault(m, 501);
        return;
    }
    if (str_eq(rest, STR("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb"))) note = " notify=10 orcpt=rfc822;a+2Bb";
    if (str_eq(rest, STR("ORCPT=utf-8;\xc3\xa4"))) note = " orcpt=utf-8;\xc3\xa4";
    buf_printf(&m->events, "RCPT <%.*s>%s\n", STR_ARG(path), note);
    if (str_starts(path, STR("close@"))) {
        code(m, 421);
        end(m);
    } else if (str_starts(path, STR("later@"))) {
        code(m, 451);
    } else if (!str_starts(path, STR("bad@"))) {
        m->recipients++;
        code(m, 250);
    } else if (m->recipients) {
        code(m, 550);
    } else {
        fault(m, 550);
    }
}

static void data(struct smtp_model *m)
{
    if (!m->mail || !m->tried)
        fault(m, 503);
    else if (!m->recipients)
        fault(m, 554);
    else if (m->chunked || m->binary)
        fault(m, 503);
    else {
        event(m, "DATA");
        code(m, 354);
        m->wait = WAIT_DATA;
    }
}

/* `behind`: bytes of the same segment that stand behind the command. */
static void starttls(struct smtp_model *m, size_t behind)
{
    if (m->tls)
        fault(m, 503);
    else if (!(m->offers & OFFER_STARTTLS))
        fault(m, 502);
    else if (behind) {
        code(m, 554);
        end(m);
    } else {
        event(m, "STARTTLS");
        code(m, 220);
        forget(m);
        m->wait = WAIT_HANDSHAKE;
    }
}

static void xclient(struct smtp_model *m, struct str args)
{
    if (!(m->offers & OFFER_XCLIENT))
        fault(m, 550);
    else if (m->mail)
        fault(m, 503);
    else if (!str_starts(args, STR("ADDR=192.0.2.1")))
        fault(m, 501);
    else {
        bool login = str_ends(args, STR(" LOGIN=u"));
        m->greeted = m->esmtp = false;
        m->authenticated = login;
        event(m, login ? "XCLIENT 192.0.2.1 helo= login=u" : "XCLIENT 192.0.2.1 helo= login=");
        code(m, 220);
    }
}

static bool is_one_of(struct str verb, const char *const *words)
{
    for (; *words; words++)
        if (str_eq(verb, str_of(*words))) return true;
    return false;
}

static void command(struct smtp_model *m, struct str line, size_t behind)
{
    static const char *const junk[] = {"EHLO", "HELO", "RSET", "NOOP", "VRFY", "HELP", "XCLIENT", NULL};
    static const char *const guarded[] = {"MAIL", "RCPT", "DATA", "RSET", "VRFY", "HELP", "AUTH", "EXPN", NULL};
    struct str verb, args;
    str_cut(line, ' ', &verb, &args);
    if (is_one_of(verb, junk) && is_junk(m)) return;
    if ((m->offers & OFFER_TLS_REQUIRED) && !m->tls && is_one_of(verb, guarded))
        fault(m, 530);
    else if (str_eq(verb, STR("EHLO")) || str_eq(verb, STR("HELO")))
        greet(m, verb.p[0] == 'E');
    else if (str_eq(verb, STR("MAIL")))
        mail(m, args);
    else if (str_eq(verb, STR("RCPT")))
        rcpt(m, args);
    else if (str_eq(verb, STR("DATA")))
        data(m);
    else if (str_eq(verb, STR("BDAT")))
        bdat(m, args);
    else if (str_eq(verb, STR("AUTH")))
        auth(m, args);
    else if (str_eq(verb, STR("STARTTLS")))
        starttls(m, behind);
    else if (str_eq(verb, STR("XCLIENT")))
        xclient(m, args);
    else if (str_eq(verb, STR("RSET"))) {
        forget(m);
        code(m, 250);
    } else if (str_eq(verb, STR("NOOP")))
        code(m, 250);
    else if (str_eq(verb, STR("VRFY")))
        code(m, 252);
    else if (str_eq(verb, STR("HELP")))
        code(m, 214);
    else if (str_eq(verb, STR("QUIT"))) {
        code(m, 221);
        end(m);
    } else if (str_eq(verb, STR("EXPN")))
        fault(m, 502);
    else if (str_eq(verb, STR("GET"))) {
        fault(m, 502);
        if (m->wait != WAIT_OVER) end(m);
    } else
        fault(m, 500);
}

/* One segment: every line and every octet of a chunk in it. */
void smtp_model_feed(struct smtp_model *m, struct str in)
{
    while (in.n && m->wait != WAIT_OVER) {
        if (m->wait == WAIT_HANDSHAKE) {
            end(m);
        } else if (m->wait == WAIT_CHUNK) {
            size_t n = in.n < m->left ? in.n : m->left;
            buf_add(&m->content, str_slice(in, 0, n));
            in = str_from(in, n);
            m->left -= n;
            if (m->left == 0) chunk_ends(m);
        } else {
            size_t lf = str_find_byte(in, '\n');
            INVARIANT(lf != STR_NPOS); /* the walk gives whole lines */
            struct str line = str_slice(in, 0, lf ? lf - 1 : 0);
            bool base64 = m->wait > WAIT_HANDSHAKE; /* where a CR or a NUL inside the line is merely none */
            bool stray = lf == 0 || in.p[lf - 1] != '\r' || (!base64 && has_stray(line, true));
            in = str_from(in, lf + 1);
            if (stray && m->wait == WAIT_COMMAND && lf &&
                in.p[-2] == '\r') { /* a bare CR or a NUL inside a line counts too */
                fault(m, 500);
                if (m->wait != WAIT_OVER) end(m);
            } else if (stray) {
                code(m, m->wait == WAIT_DATA ? 554 : 500);
                end(m);
            } else if (m->wait == WAIT_DATA) {
                data_line(m, line);
            } else if (m->wait == WAIT_COMMAND) {
                command(m, line, in.n);
            } else {
                auth_line(m, line);
            }
        }
    }
}

void smtp_model_secured(struct smtp_model *m)
{
    m->wait = WAIT_COMMAND;
    m->tls = true;
    m->greeted = m->esmtp = m->authenticated = false;
}

void smtp_model_free(struct smtp_model *m)
{
    buf_free(&m->content);
    buf_free(&m->codes);
    buf_free(&m->events);
}
