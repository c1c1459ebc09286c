#include "daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/link_io.h"
#include "base/log.h"
#include "daemon/children.h"
#include "daemon/roles.h"
#include "daemon/set.h"
#include "daemon/sockets.h"

enum {
    PAUSE_LEAST_MS = 100,
    PAUSE_MOST_MS = 10000, /* before a process that died is started again; doubles */
    STEADY_MS = 10000,     /* one that lived so long begins anew with the least pause */
    STOP_MS = 30000,       /* for the relay to finish; then it is killed */
    NEVER = -1,
};

struct supervisor {
    const struct supervisor_options *options;
    int self, signals, control;
    struct set *sets;             /* all that have a template, newest first */
    struct set *making, *current; /* of them; NULL: none */
    uint64_t last_number;
    bool reload_again;       /* asked for while one was being made */
    pid_t relay;             /* 0: not running */
    int channel;             /* to the relay */
    int64_t started;         /* the relay, or the template that failed */
    bool ready;              /* this relay is listening */
    bool was_ready;          /* some relay was: from then on this process does not end by itself */
    int64_t again_at, pause; /* when to make the current generation's processes anew */
    bool stopping;
    int64_t kill_at;
    bool ended;
    int status;
    struct buf datagram;
    char control_path[4096];
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Where the log is JSON, so is what this process says; until the first configuration was read it cannot know. */
static struct log *json;

static void form_log(bool wanted)
{
    if (!wanted) {
        log_free(&json);
    } else if (!json) {
        json = log_create(STDERR_FILENO, LOG_LEVEL_INFO, false);
        log_set_form(json, LOG_JSON);
    }
}

static void say_json(const char *event, const char *text)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    log_set_time(json, (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
    log_begin(json, LOG_LEVEL_INFO, STR(""), event);
    log_cstr(json, "text", text);
    log_end(json);
    log_flush(json);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;
    char text[1024];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (json)
        say_json("supervisor", text);
    else
        fprintf(stderr, "sluiced: %s\n", text);
    fflush(stderr);
}

static void end(struct supervisor *s, int status)
{
    s->ended = true;
    s->status = status;
}

static void say_diagnostics(struct str text)
{
    if (json) {
        struct buf copy = {0};
        buf_add(&copy, text);
        buf_add_byte(&copy, '\0');
        if (text.n) say_json("configuration", copy.p);
        buf_free(&copy);
        return;
    }
    fwrite(text.p, 1, text.n, stderr);
    if (text.n && text.p[text.n - 1] != '\n') fputc('\n', stderr);
    fflush(stderr);
}

static void tell_relay(struct supervisor *s, enum link_kind kind, uint64_t number, struct str text)
{
    struct link_message m = {.kind = kind, .generation = number, .text = text, .name = STR("")};
    if (s->channel >= 0) link_send(s->channel, &m, NULL, 0, NULL); /* if it is gone, SIGCHLD says so */
}

/* --- making a generation ------------------------------------------------------------------------------------------ */

static void remove_set(struct supervisor *s, struct set *set)
{
    for (struct set **at = &s->sets; *at; at = &(*at)->next) {
        if (*at != set) continue;
        *at = set->next;
        break;
    }
    if (s->making == set) s->making = NULL;
    if (s->current == set) s->current = NULL;
    set_free(&set);
}

static void plan_again(struct supervisor *s)
{
    if (now_ms() - s->started > STEADY_MS) s->pause = 0;
    s->pause = s->pause ? 2 * s->pause : PAUSE_LEAST_MS;
    if (s->pause > PAUSE_MOST_MS) s->pause = PAUSE_MOST_MS;
    s->again_at = now_ms() + s->pause;
}

/* `program`: a descriptor, of which the set keeps nothing; -1 for SET_CONFIG. */
static bool make(struct supervisor *s, enum set_source source, int program)
{
    struct err e = {0};
    s->again_at = NEVER;
    s->making = set_start(s->self, ++s->last_number, source, s->options->config, program, &e);
    if (!s->making) {
        say("%s", e.text);
        return false;
    }
    if (source == SET_ACCEPTED) s->making->last_accepted = true;
    if (source == SET_PROGRAM) s->making->last_accepted = s->current->last_accepted;
    s->making->next = s->sets;
    s->sets = s->making;
    return true;
}

static void start_failed(struct supervisor *s, int status)
{
    if (!s->current)
        end(s, status);
    else
        plan_again(s);
}

/* The generation in force, or the one that was, once more: after its relay or template died. */
static void make_again(struct supervisor *s)
{
    s->again_at = NEVER;
    if (!s->making && !make(s, SET_PROGRAM, s->current->program)) plan_again(s);
}

static void reload(struct supervisor *s)
{
    if (s->stopping) return;
    if (s->making) {
        s->reload_again = true;
        return;
    }
    s->reload_again = false;
    if (!make(s, SET_CONFIG, -1))
        tell_relay(s, LINK_REFUSED, s->last_number, STR("the template process could not be started"));
}

static void after_making(struct supervisor *s)
{
    if (!s->making && s->reload_again && !s->stopping) reload(s);
}

static bool start_relay(struct supervisor *s, const struct set *set, struct err *e)
{
    int ends[2];
    char *state = arena_cstr(set->arena, set->settings.state), *user = arena_cstr(set->arena, set->settings.user);
    const char *const arguments[] = {state, user, set->settings.sandbox ? "on" : "off",
                                     set->settings.log_json ? "json" : "text", NULL};
    if (!link_pair(ends, e)) return false;
    s->relay = child_start(s->self, "relay", arguments, &ends[1], 1, e);
    close(ends[1]);
    s->channel = ends[0];
    s->started = now_ms();
    s->ready = false;
    if (s->relay < 0) {
        s->relay = 0;
        close(s->channel);
        s->channel = -1;
        return false;
    }
    struct link_message m = {.kind = LINK_CONTROL, .text = STR(""), .name = STR("")};
    return link_greet(s->channel, role_build_id(), e) && link_send(s->channel, &m, &s->control, 1, e);
}

static bool open_house(struct supervisor *s, struct set *set, struct err *e)
{
    char *user = arena_cstr(set->arena, set->settings.user);
    if (!file_make_state(arena_cstr(set->arena, set->settings.state), user, e)) return false;
    if (s->control >= 0) return true;
    char *path = arena_cstr(set->arena, set->settings.control);
    s->control = socket_control(path, user, e);
    if (s->control >= 0) snprintf(s->control_path, sizeof s->control_path, "%s", path);
    return s->control >= 0;
}

static void keep_program(const struct set *set)
{
    struct err e = {0};
    if (set->last_accepted) return;
    if (!file_keep_program(arena_cstr(set->arena, set->settings.state), set->program, &e))
        say("the accepted program could not be kept for --last-good: %s", e.text);
}

/* The template is ready: everything is bound first, and one failure refuses the whole.  False with *e, nothing changed.
 */
static bool adopt(struct supervisor *s, struct set *set, struct err *e)
{
    if (s->current && set_needs_restart(s->current, set, e)) return false;
    if (!open_house(s, set, e) || !set_bind(set, s->current, e)) return false;
    if (!s->relay && !start_relay(s, set, e)) {
        if (s->channel >= 0) shutdown(s->channel, SHUT_RDWR); /* SIGCHLD tells the rest */
        return false;
    }
    s->current = set;
    s->making = NULL;
    form_log(set->settings.log_json);
    if (set->text.n) say_diagnostics(buf_str(&set->text));
    if (!set_send(set, s->channel, e)) say("%s", e->text); /* the relay died under it: it is made again */
    return true;
}

/* In the place of the configuration, whose directory its relative paths begin at. */
static bool start_last_good(struct supervisor *s, struct str state)
{
    struct arena *a = arena_create();
    struct str name = arena_printf(a, "%.*s/" ACCEPTED_PROGRAM, STR_ARG(state));
    int program = open(name.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    bool ok = program >= 0;
    if (ok) {
        say("starting the last accepted program, %s", name.p);
        ok = make(s, SET_ACCEPTED, program);
        close(program);
    } else {
        say("there is no last accepted program in %.*s", STR_ARG(state));
    }
    arena_free(&a);
    return ok;
}

/* `state` is where the last accepted program would be; empty when nobody knows. */
static void refuse(struct supervisor *s, struct set *set, struct str text, struct str state, int status)
{
    bool from_config = set->source == SET_CONFIG, first = !s->current;
    say_diagnostics(text);
    if (from_config) tell_relay(s, LINK_REFUSED, set->number, text);
    if (from_config && !first) say("the configuration is refused; the one in force stays");
    bool last_good = first && from_config && s->options->last_good && state.n;
    struct buf copy = {0};
    buf_add(&copy, state);
    remove_set(s, set);
    if (last_good && start_last_good(s, buf_str(&copy))) {
        buf_free(&copy);
        return;
    }
    buf_free(&copy);
    if (!s->relay || !s->current || s->current->channel < 0)
        start_failed(s, status); /* what is in force lacks a process, and this was to bring it */
    else
        after_making(s);
}

static void refuse_err(struct supervisor *s, struct set *set, const struct err *e)
{
    refuse(s, set, str_of(e->text), set->settings.state, e->sysexit ? e->sysexit : EX_CONFIG);
}

static void template_said(struct supervisor *s, struct set *set, const struct link_message *m, int fds[LINK_FDS_MAX])
{
    struct err e = {0};
    if (set != s->making) return;
    if (m->kind == LINK_REFUSED) {
        refuse(s, set, m->text, m->name, EX_CONFIG);
    } else if (m->kind == LINK_BEGIN) {
        set->rules = m->flags;
        bool taken = set_take(set, m->text, fds, &e);
        if (taken && !s->current) form_log(set->settings.log_json);
        if (!taken || !adopt(s, set, &e))
            refuse_err(s, set, &e);
        else
            after_making(s);
    }
}

/* --- what happens to the processes -------------------------------------------------------------------------------- */

static void template_ended(struct supervisor *s, struct set *set)
{
    close(set->channel);
    set->channel = -1;
    if (set == s->making) {
        struct str text = STR("the template process ended before it was ready");
        refuse(s, set, text, STR(""), EX_SOFTWARE);
    } else if (set != s->current) {
        remove_set(s, set); /* the relay let it go */
    } else if (!s->stopping && s->relay && !s->making) {
        say("the template of generation %llu ended; another is made", (unsigned long long)set->number);
        plan_again(s);
    }
}

static void hear_template(struct supervisor *s, struct set *set)
{
    struct link_message m;
    struct err e = {0};
    int fds[LINK_FDS_MAX];
    switch (link_receive(set->channel, false, &s->datagram, &m, fds, &e)) {
    case LINK_NOTHING: return;
    case LINK_GOT:
        template_said(s, set, &m, fds);
        link_close_all(fds);
        return;
    case LINK_FAILED: say("template: %s", e.text); break;
    case LINK_ENDED: break;
    }
    template_ended(s, set);
}

static void relay_is_ready(struct supervisor *s)
{
    s->ready = s->was_ready = true;
    say("ready");
    socket_notify("READY=1");
}

/* Only a generation that the relay took is one to start with another day. */
static void relay_took(struct supervisor *s, uint64_t number)
{
    if (!s->ready) relay_is_ready(s);
    if (s->current && s->current->number == number) keep_program(s->current);
}

/* The relay kept the generation before: so does the supervisor. */
static void relay_refused(struct supervisor *s, uint64_t number, struct str text)
{
    say("generation %llu is refused by the relay: %.*s", (unsigned long long)number, STR_ARG(text));
    if (!s->current || s->current->number != number) return;
    struct set *before = s->current->next;
    while (before && (before->channel < 0 || before == s->making)) before = before->next;
    if (!before) {
        end(s, EX_CONFIG);
        return;
    }
    struct set *refused = s->current;
    s->current = before;
    remove_set(s, refused);
}

static void hear_relay(struct supervisor *s)
{
    struct link_message m;
    struct err e = {0};
    int fds[LINK_FDS_MAX];
    enum link_got got = link_receive(s->channel, false, &s->datagram, &m, fds, &e);
    if (got == LINK_NOTHING) return;
    if (got != LINK_GOT) { /* it ended, or talks nonsense: either way it is over, and SIGCHLD follows */
        if (got == LINK_FAILED) {
            say("relay: %s", e.text);
            kill(s->relay, SIGKILL);
        }
        close(s->channel);
        s->channel = -1;
        return;
    }
    link_close_all(fds);
    if (m.kind == LINK_READY) relay_took(s, m.generation);
    if (m.kind == LINK_LISTENER && s->current) set_keep_keys(s->current, s->current->next, m.name);
    if (m.kind == LINK_RELOAD) reload(s);
    if (m.kind == LINK_REFUSED) relay_refused(s, m.generation, m.text);
}

static bool is_hopeless(int status)
{
    static const int hopeless[] = {EX_CONFIG,    EX_DATAERR, EX_NOUSER,   EX_NOPERM,
                                   EX_CANTCREAT, EX_USAGE,   EX_TEMPFAIL, EX_OSFILE};
    for (size_t i = 0; WIFEXITED(status) && i < sizeof hopeless / sizeof *hopeless; i++)
        if (WEXITSTATUS(status) == hopeless[i]) return true;
    return false;
}

static void relay_died(struct supervisor *s, int status)
{
    if (s->channel >= 0) close(s->channel);
    s->channel = -1;
    s->relay = 0;
    s->ready = false;
    if (s->stopping) {
        end(s, WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
        return;
    }
    say("the relay process ended: %s", child_end(status));
    if (!s->was_ready && is_hopeless(status)) {
        end(s, WEXITSTATUS(status));
        return;
    }
    if (!s->current) {
        end(s, EX_SOFTWARE);
        return;
    }
    plan_again(s);
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->relay) {
            relay_died(s, status);
            continue;
        }
        for (struct set *set = s->sets; set; set = set->next)
            if (set->pid == pid && WIFSIGNALED(status))
                say("the template of generation %llu ended: %s", (unsigned long long)set->number, child_end(status));
    }
}

static void stop(struct supervisor *s)
{
    if (s->stopping) {
        if (s->relay) kill(s->relay, SIGKILL);
        return;
    }
    s->stopping = true;
    s->again_at = NEVER;
    socket_notify("STOPPING=1");
    if (!s->relay) {
        end(s, EX_OK);
        return;
    }
    s->kill_at = now_ms() + STOP_MS;
    tell_relay(s, LINK_STOP, 0, STR(""));
}

static void hear_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) reap(s);
        if (info.ssi_signo == SIGHUP) reload(s);
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) stop(s);
    }
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static int patience(const struct supervisor *s)
{
    int64_t at = s->again_at;
    if (s->stopping && (at == NEVER || s->kill_at < at)) at = s->kill_at;
    if (at == NEVER) return -1;
    int64_t left = at - now_ms();
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

enum { SETS_WATCHED_MAX = 64 };

static void turn(struct supervisor *s)
{
    struct pollfd p[2 + SETS_WATCHED_MAX] = {{s->signals, POLLIN, 0}, {s->channel, POLLIN, 0}};
    struct set *watched[SETS_WATCHED_MAX];
    nfds_t n = 2;
    for (struct set *set = s->sets; set && n < 2 + SETS_WATCHED_MAX; set = set->next) {
        if (set->channel < 0) continue;
        watched[n - 2] = set;
        p[n++] = (struct pollfd){set->channel, POLLIN, 0};
    }
    if (poll(p, n, patience(s)) < 0 && errno != EINTR) {
        say("poll: %s", strerror(errno));
        end(s, EX_OSERR);
        return;
    }
    /* One event a turn for what may change the lists; the rest is still there at the next. */
    if (p[0].revents) {
        hear_signals(s);
    } else if (p[1].revents) {
        hear_relay(s);
    } else {
        for (nfds_t i = 2; i < n; i++) {
            if (!p[i].revents) continue;
            hear_template(s, watched[i - 2]);
            break;
        }
    }
    int64_t now = now_ms();
    if (s->again_at != NEVER && now >= s->again_at && s->current) make_again(s);
    if (s->stopping && now >= s->kill_at && s->relay) {
        say("the relay did not end in time");
        kill(s->relay, SIGKILL);
        s->kill_at = now + STOP_MS;
    }
}

static bool prepare(struct supervisor *s, struct err *e)
{
    sigset_t set;
    umask(0077);
    s->self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (s->self < 0) return err_os(e, EX_OSERR, "/proc/self/exe");
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0 || err_os(e, EX_OSERR, "watching for signals");
}

int supervisor_run(const struct supervisor_options *o)
{
    struct supervisor s = {.options = o, .control = -1, .channel = -1, .again_at = NEVER};
    struct err e = {0};
    if (!prepare(&s, &e)) return role_fail("supervisor", &e);
    s.started = now_ms();
    if (!make(&s, SET_CONFIG, -1)) return EX_OSERR;
    while (!s.ended) turn(&s);
    if (s.relay) kill(s.relay, SIGKILL); /* only when this process must end before it */
    if (s.control_path[0]) unlink(s.control_path);
    while (s.sets) remove_set(&s, s.sets); /* their templates read end of file */
    if (s.channel >= 0) close(s.channel);
    if (s.control >= 0) close(s.control);
    close(s.signals);
    close(s.self);
    buf_free(&s.datagram);
    form_log(false);
    return s.status;
}
