/* cli: what the subcommands of `sluice` share: their table, options, output, and reading a rule set.
 *
 * One file per subcommand; cli/main.c holds the one table, which is also the help.  A subcommand answers an exit status
 * of sysexits.h. */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "bytecode/program.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand */
    const char *arguments, *summary;
};

int check_main(int argc, char **argv);
int build_main(int argc, char **argv);
int dump_main(int argc, char **argv);
int fmt_main(int argc, char **argv);
int judge_main(int argc, char **argv);
int test_main(int argc, char **argv);
int explain_main(int argc, char **argv);
int fields_main(int argc, char **argv);
int actions_main(int argc, char **argv);
int settings_main(int argc, char **argv);
int detectors_main(int argc, char **argv);
int library_main(int argc, char **argv);
int reference_main(int argc, char **argv);
int status_main(int argc, char **argv);
int reload_main(int argc, char **argv);
int queue_main(int argc, char **argv);
int why_main(int argc, char **argv);
int backup_main(int argc, char **argv);
int rules_main(int argc, char **argv);
int list_main(int argc, char **argv);
int user_main(int argc, char **argv);

/* --- options ------------------------------------------------------------------------------------------------------ */
/* "--name value" or "--name=value" when it takes one, else "--name".  A repeated one appends to `many` when that is
 * set. */
struct option {
    const char *name; /* without dashes; a second spelling may follow a blank: "output o" is --output and -o */
    const char **value;
    bool *flag;
    struct strings *many;
};
struct strings {
    VEC(const char *) list;
};

/* Takes options out of argv wherever they stand ("--" ends them); what remains is argv[1 .. return value).  Ends the
 * process with EX_USAGE and one sentence for an unknown option or a missing value; --help prints the command's help. */
int options_parse(const struct command *c, int argc, char **argv, const struct option *options, size_t n);

/* "usage: sluice NAME ARGUMENTS" to stderr after the sentence; answers EX_USAGE. */
int usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
const struct command *command_find(const char *name);

/* The detectors of the library (std/detectors), compiled; program_free it.  Exits with EX_SOFTWARE when it has
 * errors. */
struct program *library_detectors(void);
/* The first argument of that name of a declaration, or NULL. */
const struct constant *library_argument(const struct program *p, const struct declaration *d, const char *name);

/* --- output ------------------------------------------------------------------------------------------------------- */
bool use_colour(FILE *stream); /* a terminal, and NO_COLOR is not set (no-color.org) */
/* Writes the buffer and empties it; a broken stdout is EX_IOERR at once. */
void put(struct buf *out, FILE *stream);
/* "sluice: TEXT" to stderr; answers e->sysexit. */
int fail(const struct err *e);
/* Written beside the target, synced, then renamed over it: a reader sees the old file or the new one, never a part.
 * False with *e (EX_CANTCREAT). */
bool replace_file(const char *path, struct str bytes, struct err *e);

/* --- rule sets ---------------------------------------------------------------------------------------------------- */
enum diagnostics_form { DIAGNOSTICS_TEXT, DIAGNOSTICS_JSON };

/* Compiles one file (or decodes and verifies a .sluicec); diagnostics go to `to` in the form asked for.  NULL: *status
 * is the exit status (65 for errors in it, 66 when it cannot be read).  `counts` may be NULL. */
struct counts {
    size_t errors, warnings;
    bool unknown_names; /* a list, definition or field that nobody knows */
};
struct program *rule_set_load(const char *path, enum diagnostics_form form, bool werror, FILE *to,
                              struct counts *counts, int *status);
/* The tree of a source and of all it imports, one line of JSON each (grammar/tree); nothing when there are errors,
 * which go to stderr.  Answers the exit status. */
int rule_set_trees(const char *path, struct buf *out);
/* Appends a line for each rule file beside this one, or one folder above, that imports it. */
void importers_note(const char *path, struct buf *out);
/* A whole file, bounded; NULL with *e. */
bool read_file(const char *path, size_t most, struct buf *out, struct err *e);

#endif
