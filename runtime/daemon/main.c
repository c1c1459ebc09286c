/* sluiced: the relay.  What people call is the supervisor; the other roles are its children. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "builder/build.h"
#include "daemon/roles.h"
#include "daemon/secrets.h"
#include "daemon/supervisor.h"

#ifdef SLUICE_SANITIZED
/* A process under a filter cannot be traced by the leak checker, which would fail it at its end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0:allocator_may_return_null=0"; }
#endif

static const char usage_text[] =
    "usage: sluiced -c FILE [--last-good] [--check]\n"
    "\n"
    "  -c, --config FILE  the configuration: a rule file, or one compiled by `sluice build`\n"
    "      --check        compile it, read the files it names, say what is wrong, and end\n"
    "      --last-good    start the last accepted program when the configuration has errors\n"
    "      --version\n"
    "      --help\n"
    "\n"
    "Signals: HUP reads the configuration again; TERM and INT finish what is under way and end.\n"
    "Exit status: 0, or one of sysexits.h: 64 usage, 78 the configuration has errors, 74 the disk failed.\n";

struct arguments {
    const char *config;
    bool last_good, check;
};

static int usage_error(const char *what, const char *word)
{
    fprintf(stderr, "sluiced: %s%s\n%s", what, word, usage_text);
    return EX_USAGE;
}

/* Answers true when there is nothing left to do: *status is then the exit status. */
static bool parse(int argc, char **argv, struct arguments *out, int *status)
{
    *status = EX_OK;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
            fputs(usage_text, stdout);
            return true;
        }
        if (!strcmp(a, "--version")) {
            puts("sluiced 0.1.0");
            return true;
        }
        if (!strcmp(a, "--last-good")) {
            out->last_good = true;
        } else if (!strcmp(a, "--check")) {
            out->check = true;
        } else if (!strncmp(a, "--config=", 9) && a[9]) {
            out->config = a + 9;
        } else if ((!strcmp(a, "-c") || !strcmp(a, "--config")) && i + 1 < argc) {
            out->config = argv[++i];
        } else {
            bool lacks = !strcmp(a, "-c") || !strcmp(a, "--config") || !strcmp(a, "--config=");
            *status =
                lacks ? usage_error("which file? It is missing after ", a) : usage_error("there is no option ", a);
            return true;
        }
    }
    if (!out->config) *status = usage_error("which configuration? -c FILE", "");
    return !out->config;
}

/* What a start would make of it, without starting anything. */
static int check(const char *config)
{
    struct buf diagnostics = {0};
    bool ok = build_check(config, secrets_check, &diagnostics);
    if (diagnostics.n) fwrite(diagnostics.p, 1, diagnostics.n, stderr);
    buf_free(&diagnostics);
    return ok ? EX_OK : EX_CONFIG;
}

int main(int argc, char **argv)
{
    static const char role_option[] = "--role=";
    struct arguments arguments = {0};
    int status;
    /* One write a line: the processes share this stream, and a line in two halves could take another's between them. */
    static char line[4096];
    setvbuf(stderr, line, _IOLBF, sizeof line);
    if (argc > 1 && !strncmp(argv[1], role_option, sizeof role_option - 1)) {
        const struct role *role = role_find(argv[1] + sizeof role_option - 1);
        return role ? role->run(argc - 2, argv + 2) : usage_error("no such role: ", argv[1]);
    }
    if (parse(argc, argv, &arguments, &status)) return status;
    if (arguments.check) return check(arguments.config);
    return supervisor_run(&(struct supervisor_options){.config = arguments.config, .last_good = arguments.last_good});
}
