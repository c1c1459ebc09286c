/* `sluice user`: who may authenticate.  The password ends here: the relay gets, and keeps, the SCRAM secret made of
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "cli/client.h"
#include "mail/scram.h"

struct listing {
    bool json;
    size_t rows;
    struct buf out;
};

static void row(void *owner, const struct js *o, struct str line)
{
    struct listing *l = owner;
    struct str user = STR("");
    bool disabled = false;
    int64_t created = 0;
    l->rows++;
    if (l->json) {
        buf_add(&l->out, line);
    } else {
        char when[64];
        struct tm local;
        js_get_str(o, "user", &user);
        js_get_bool(o, "disabled", &disabled);
        js_get_num(o, "created", &created);
        time_t t = (time_t)created;
        size_t n = strftime(when, sizeof when, "%Y-%m-%d", localtime_r(&t, &local));
        buf_printf(&l->out, "%-32.*s  since %.*s%s", STR_ARG(user), (int)n, when, disabled ? "  disabled" : "");
    }
    buf_add_byte(&l->out, '\n');
    put(&l->out, stdout);
}

static int list(struct client *c, bool json)
{
    struct listing l = {.json = json};
    c->row = row;
    c->owner = &l;
    int status = client_send(c, client_request("user list"));
    if (status == EX_OK && !json && !l.rows) fprintf(stderr, "There is no user.\n");
    buf_free(&l.out);
    return status;
}

/* --- the password ------------------------------------------------------------------------------------------------- */

enum { LINE_MAX_BYTES = SCRAM_PASSWORD_MAX + 2 }; /* with its CR LF */

/* The first line of standard input. */
static bool read_password(struct buf *out, struct err *e)
{
    struct str line, rest;
    buf_reserve(out, LINE_MAX_BYTES);
    for (;;) {
        ssize_t n = read(STDIN_FILENO, out->p + out->n, LINE_MAX_BYTES - out->n);
        if (n < 0) return err_os(e, EX_IOERR, "reading standard input");
        out->n += (size_t)n;
        if (n == 0 || out->n == LINE_MAX_BYTES || str_find_byte(buf_str(out), '\n') != STR_NPOS) break;
    }
    str_cut(buf_str(out), '\n', &line, &rest);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    out->n = line.n;
    return true;
}

static volatile sig_atomic_t caught;
static void on_signal(int number) { caught = number; }

/* Signals are blocked but while it waits, under `waiting`: none slips in between the prompt and the wait. */
static ssize_t read_quietly(int terminal, const char *prompt, const sigset_t *waiting, char *line, size_t n)
{
    struct pollfd p = {.fd = terminal, .events = POLLIN};
    struct termios before, quiet;
    if (tcgetattr(terminal, &before) < 0) return -1;
    quiet = before;
    quiet.c_lflag = (quiet.c_lflag & ~(tcflag_t)ECHO) | ICANON | ECHONL;
    if (tcsetattr(terminal, TCSAFLUSH, &quiet) < 0) return -1;
    ssize_t got = -1;
    if (write(terminal, prompt, strlen(prompt)) >= 0 && ppoll(&p, 1, NULL, waiting) > 0) got = read(terminal, line, n);
    int why = errno;
    tcsetattr(terminal, TCSAFLUSH, &before);
    errno = why;
    return got;
}

/* One line from the terminal, without echo; a signal (Ctrl-C) puts the echo back before it does what it does. */
static bool type_in(int terminal, const char *prompt, struct buf *out, struct err *e)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    struct sigaction ours = {.sa_handler = on_signal}, before[SIGNALS];
    char line[LINE_MAX_BYTES];
    sigset_t blocked, mask;
    caught = 0;
    sigemptyset(&blocked);
    for (size_t i = 0; i < SIGNALS; i++) sigaddset(&blocked, signals[i]);
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) sigaction(signals[i], &ours, NULL); /* ignored it stays, as under nohup */
    }
    ssize_t n = read_quietly(terminal, prompt, &mask, line, sizeof line);
    bool good = n >= 0 || err_os(e, EX_IOERR, "reading the terminal");
    sigprocmask(SIG_SETMASK, &mask, NULL);
    for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
    if (caught) raise(caught);
    if (n > 0) buf_add(out, (struct str){line, line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n});
    explicit_bzero(line, sizeof line);
    return good;
}

static bool ask_password(struct buf *out, struct err *e)
{
    struct buf again = {0};
    int terminal = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1;
    if (terminal < 0)
        return err_set(e, EX_USAGE, "standard input is no terminal: give the password there with --password-stdin");
    bool good = type_in(terminal, "Password: ", out, e) && type_in(terminal, "Once more: ", &again, e) &&
                (str_eq(buf_str(out), buf_str(&again)) || err_set(e, EX_DATAERR, "the two passwords differ"));
    close(terminal);
    if (again.p) explicit_bzero(again.p, again.n);
    buf_free(&again);
    return good;
}

static void put_bytes(struct js *o, const char *key, const uint8_t *bytes, size_t n)
{
    struct buf text = {0};
    base64_encode((struct str){(const char *)bytes, n}, &text);
    js_put_str(o, key, buf_str(&text));
    buf_free(&text);
}

static bool make_secret(struct str password, struct scram_secret *out, struct err *e)
{
    uint8_t salt[SCRAM_SALT_SIZE];
    struct buf prepared = {0};
    if (!scram_prepare(password, &prepared))
        return err_set(e, EX_DATAERR, "a password is UTF-8 text of 1 to %d bytes without control characters",
                       SCRAM_PASSWORD_MAX);
    bool good = getrandom(salt, sizeof salt, 0) == sizeof salt || err_os(e, EX_OSERR, "getrandom");
    if (good) scram_secret_of(buf_str(&prepared), salt, SCRAM_ITERATIONS, out);
    explicit_bzero(prepared.p, prepared.n);
    buf_free(&prepared);
    return good;
}

static bool put_secret(struct js *o, bool from_stdin, struct err *e)
{
    struct buf password = {0};
    struct scram_secret secret;
    bool good = (from_stdin ? read_password(&password, e) : ask_password(&password, e)) &&
                make_secret(buf_str(&password), &secret, e);
    if (password.p) explicit_bzero(password.p, password.n);
    buf_free(&password);
    if (!good) return false;
    put_bytes(o, "salt", secret.salt, sizeof secret.salt);
    js_put_num(o, "iterations", secret.iterations);
    put_bytes(o, "stored_key", secret.stored_key, sizeof secret.stored_key);
    put_bytes(o, "server_key", secret.server_key, sizeof secret.server_key);
    explicit_bzero(&secret, sizeof secret);
    return true;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word, *op;
    bool wants_secret;
} changes[] = {{"add", "user add", true},
               {"password", "user password", true},
               {"remove", "user remove", false},
               {"disable", "user disable", false},
               {"enable", "user enable", false}};

int user_main(int argc, char **argv)
{
    struct client c = {0};
    bool json = false, from_stdin = false;
    const struct option options[] = {
        CLIENT_SOCKET_OPTION(c.socket), {"json", NULL, &json, NULL}, {"password-stdin", NULL, &from_stdin, NULL}};
    argc = options_parse(command_find("user"), argc, argv, options, 3);
    const char *word = argc > 1 ? argv[1] : "list";
    if (strcmp(word, "list") == 0) return argc > 2 ? usage("user", "list takes no name") : list(&c, json);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (strcmp(word, changes[i].word) != 0) continue;
        struct err e = {0};
        if (argc != 3) return usage("user", "%s: which user? (a password is never an argument)", word);
        if (from_stdin && !changes[i].wants_secret) return usage("user", "%s takes no password", word);
        struct js *o = client_request(changes[i].op);
        js_put_cstr(o, "user", argv[2]);
        if (!changes[i].wants_secret || put_secret(o, from_stdin, &e)) return client_send(&c, o);
        js_free(&o);
        return fail(&e);
    }
    return usage("user", "there is no `user %s`", word);
}
