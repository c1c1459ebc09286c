#include "builder/template.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/link_io.h"
#include "builder/build.h"
#include "builder/serve.h"
#include "bytecode/codec.h"
#include "bytecode/needs.h"
#include "jail/jail.h"
#include "jail/warm.h"
#include "judge/cases.h"
#include "judge/judge.h"
#include "message/charset.h"
#include "message/filetype.h"
#include "stdlib/words.h"

static bool warm_digest(struct err *e)
{
    (void)e;
    digest_warm();
    return true;
}

/* What a judge needs that libc or a library would open at its first use. */
static const struct warm_step steps[] = {
    {"digests", warm_digest}, {"charset converters", charset_warm}, {"file types", filetype_warm}};

/* One generation on its way from source to running judges. */
struct making {
    const struct template_options *o;
    struct arena *arena;
    struct program *program;
    struct settings settings;
    struct judge *judge;
    struct buf warnings;
    int maps;                    /* /proc/self/maps */
    int settings_fd, program_fd; /* memfds */
    bool jailed;                 /* filter 0 stands */
    struct err jail_err;         /* else: why not */
};

static bool refuse(const struct making *m, struct str text)
{
    struct link_message refused = {.kind = LINK_REFUSED, .generation = m->o->generation, .text = text, .name = STR("")};
    /* Once the settings are known nothing may be opened any more, and need not be. */
    if (m->settings.state.n) refused.name = m->settings.state;
    else if (m->o->source == TEMPLATE_FILE) refused.name = build_salvage_state(m->arena, m->o->config);
    link_send(m->o->supervisor, &refused, NULL, 0, NULL);
    return false;
}

static bool refuse_err(const struct making *m, const struct err *e)
{
    const char *config = m->o->config;
    /* What could not be read is named already, and a program in its place is another file. */
    bool named = !config || m->o->source == TEMPLATE_PROGRAM || str_starts(str_of(e->text), str_of(config));
    return refuse(m, arena_printf(m->arena, "%s%s%s\n", named ? "" : config, named ? "" : ": ", e->text));
}

/* Step 1: what is opened lazily, and the descriptor by which generated code is found later. */
static bool warm_up(struct making *m, struct err *e)
{
    mem_return_large();
    m->maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (m->maps < 0) return err_os(e, EX_OSERR, "/proc/self/maps");
    return warm_run(warm_common, warm_common_count, e) && warm_run(steps, sizeof steps / sizeof *steps, e);
}

static bool load_program(struct making *m, struct err *e)
{
    struct buf bytes = {0};
    bool ok = m->o->source == TEMPLATE_PROGRAM ? build_read_fd(m->o->program, BUILD_PROGRAM_MAX, &bytes, e)
                                               : build_read_file(m->o->config, BUILD_PROGRAM_MAX, &bytes, e);
    bool compiled = ok && (m->o->source == TEMPLATE_PROGRAM || program_is_compiled(buf_str(&bytes)));
    if (compiled) m->program = build_decode(buf_str(&bytes), e);
    buf_free(&bytes);
    if (!ok || compiled) return m->program != NULL;
    struct buf diagnostics = {0};
    m->program = build_compile(m->o->config, &diagnostics);
    m->warnings = diagnostics;
    return m->program != NULL || err_set(e, EX_CONFIG, "the configuration has errors");
}

/* Step 2, under filter 0: the program, its settings, and both as memfds. */
static bool build(struct making *m)
{
    struct err e = {0};
    struct buf bytes = {0};
    m->jailed = jail_install(JAIL_TEMPLATE_BUILD, &m->jail_err);
    if (!load_program(m, &e)) return m->warnings.n ? refuse(m, buf_str(&m->warnings)) : refuse_err(m, &e);
    if (!program_is_served(m->program, &stdlib_rows, &bytes)) {
        bool refused = refuse(m, arena_str(m->arena, buf_str(&bytes)));
        buf_free(&bytes);
        return refused;
    }
    if (!settings_from_program(m->arena, m->program, m->o->config, &m->settings, &e)) return refuse_err(m, &e);
    if (m->settings.sandbox && !m->jailed) return refuse_err(m, &m->jail_err);
    settings_encode(&m->settings, &bytes);
    m->settings_fd = link_memfd("settings", buf_str(&bytes), &e);
    bytes.n = 0;
    program_encode(m->program, &bytes);
    m->program_fd = m->settings_fd >= 0 ? link_memfd("program", buf_str(&bytes), &e) : -1;
    buf_free(&bytes);
    if (m->program_fd < 0) return refuse_err(m, &e);
    char *user = arena_cstr(m->arena, m->settings.judge_user);
    return jail_become(user, &e) || refuse_err(m, &e);
}

/* The set's own tests, before it judges any mail. */
static bool tests_hold(struct making *m)
{
    struct buf said = {0};
    bool hold = cases_hold(m->judge, &said) || refuse(m, buf_str(&said));
    buf_free(&said);
    return hold;
}

/* Steps 3 and 4: no opening any more; patterns become code, and the code read-only. */
static bool load(struct making *m)
{
    struct err e = {0};
    jail_harden_process();
    if (m->settings.sandbox && !jail_install(JAIL_TEMPLATE_SERVE, &e)) return refuse_err(m, &e);
    m->judge = judge_create(m->program, &m->settings, &e);
    if (!m->judge) return refuse_err(m, &e);
    if (m->o->source == TEMPLATE_FILE && !tests_hold(m)) return false; /* a program of this start held them once */
    if (!jail_seal_code(m->maps, &e)) return refuse_err(m, &e);
    close(m->maps);
    m->maps = -1;
    return true;
}

static bool announce(struct making *m)
{
    struct err e = {0};
    struct link_message begin = {.kind = LINK_BEGIN,
                                 .generation = m->o->generation,
                                 .flags = m->program->rules_count,
                                 .text = buf_str(&m->warnings)};
    bool ok = link_send(m->o->supervisor, &begin, (int[]){m->settings_fd, m->program_fd}, 2, &e);
    close(m->settings_fd);
    close(m->program_fd);
    buf_free(&m->warnings);
    return ok;
}

int template_run(const struct template_options *o)
{
    struct making m = {.o = o, .arena = arena_create(), .maps = -1, .settings_fd = -1, .program_fd = -1};
    struct err e = {0};
    int children = serve_watch_children(&e); /* a signalfd: made before making one is forbidden */
    if (children < 0 || !warm_up(&m, &e)) {
        refuse_err(&m, &e);
        return EX_OSERR;
    }
    if (!build(&m) || !load(&m)) return EX_CONFIG;
    if (!announce(&m)) return EX_OSERR;
    struct serving s = {.judge = m.judge,
                        .supervisor = o->supervisor,
                        .relay = o->relay,
                        .children = children,
                        .build_id = o->build_id,
                        .sandbox = m.settings.sandbox};
    return serve_forks(&s); /* the process ends with it: nothing is freed, least of all sealed code */
}
