#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static const struct command commands[] = {
    {"check", check_main, "FILE… [--format text|json] [--werror]", "tell everything that is wrong with rule files"},
    {"build", build_main, "FILE -o OUT [--werror]", "compile a rule file into a program"},
    {"dump", dump_main, "FILE|PROGRAM  |  --ast=json FILE", "print the compiled program, or the tree of its source"},
    {"fmt", fmt_main, "FILE… [--check] [--write|-w]", "lay rule files out in the one canonical way"},
    {"test", test_main, "FILE [--json]", "run the tests in rule files, and tell which rules they saw"},
    {"judge", judge_main,
     "RULES MAIL --from A --to B [--to C]… [--client IP] [--helo NAME] [--user NAME] [--tls VERSION] [--listener "
     "NAME]\n"
     "                    [--list NAME=FILE]… [--date DATE] [--time TIME] [--json]\n"
     "                    |  RULES --coverage FOLDER [--from A] [--to B]… [--json] …",
     "what the rules would do with a message, and why; no relay needed"},
    {"explain", explain_main, "CODE|WORD", "what a diagnostic or a word of the language means"},
    {"fields", fields_main, "[--json]", "what conditions can ask about"},
    {"actions", actions_main, "[--json]", "what rules can do"},
    {"detectors", detectors_main, "[--json]", "what `contains` finds by name: card numbers, accounts, identities"},
    {"library", library_main, "[NAME]", "the rule files that come with Sluice, or the text of one"},
    {"reference", reference_main, "", "all words of the language, as the manual's reference"},
    {"settings", settings_main, "[--json]", "what a configuration can declare"},
    {"status", status_main, "[--json] [--socket PATH]", "whether the relay runs, and on which rule set"},
    {"reload", reload_main, "[--socket PATH]", "take the changed rules into the running relay"},
    {"queue", queue_main,
     "[list|show ID…|hold|release|retry|remove|redirect|suspend|suspensions|resume N|export DIR|import DIR] [ID…]\n"
     "  [--sender P] [--recipient P] [--domain P] [--connector P] [--rule P] [--reason TEXT] [--state S,S] [--older "
     "TIME]\n"
     "  [--newer TIME] [--larger SIZE] [--smaller SIZE] [--all] [--dry-run] [--because TEXT] [--to ADDRESS] [--for "
     "TIME]\n"
     "  [--json] [--socket PATH]",
     "what waits; hold, release, retry, remove, redirect, suspend it; export and import"},
    {"why", why_main, "ID [--json] [--socket PATH]", "why one message waits: rules, last answer, next attempt, end"},
    {"backup", backup_main, "DIRECTORY [--socket PATH]", "a copy of queue and state, made while the relay works"},
    {"list", list_main,
     "[show NAME]  |  add NAME ENTRY… [--from FILE]  |  remove NAME ENTRY… [--from FILE]   "
      "[--json] [--socket PATH]",
     "the lists that are edited while the relay runs"},
    {"user", user_main,
     "[list]  |  add|password NAME [--password-stdin]  |  remove|disable|enable NAME   [--json] [--socket PATH]",
     "who may authenticate and then send anywhere"},
    {"rules", rules_main, "[--json] [--socket PATH]", "every rule in its order: mode, how often it worked, when last"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static void help(FILE *to)
{
    fputs("usage: sluice COMMAND …\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++) fprintf(to, "  %-9s  %s\n", commands[i].name, commands[i].summary);
    fputs("\n`sluice COMMAND --help` shows what a command takes.  The relay's socket is --socket PATH, else "
          "$SLUICE_SOCKET,\n"
          "else /run/sluice/control.sock.\n",
          to);
}

int usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sluice %s: ", command);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nusage: sluice %s %s\n", command, command_find(command)->arguments);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name && (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)) {
        help(stdout);
        return EX_OK;
    }
    if (name && strcmp(name, "--version") == 0) {
        puts("sluice 0.1.0");
        return EX_OK;
    }
    const struct command *c = name ? command_find(name) : NULL;
    if (!c) {
        if (name) fprintf(stderr, "sluice: there is no command `%s`\n", name);
        help(stderr);
        return EX_USAGE;
    }
    return c->run(argc - 1, argv + 1);
}
