/* builder/build: from a file's path to a verified program and its settings: what the template process and
 * `sluiced --check` share.  Knows no processes. */
#ifndef SLUICE_BUILDER_BUILD_H
#define SLUICE_BUILDER_BUILD_H

#include "base/arena.h"
#include "base/vec.h"
#include "bytecode/program.h"
#include "mail/settings.h"

enum { BUILD_PROGRAM_MAX = 256 * 1024 * 1024 }; /* bytes of a compiled program, or of one source */

/* Reads a whole regular file of at most `most` bytes, appending to *out.  False with *e: EX_NOINPUT, EX_NOPERM,
 * EX_DATAERR. */
bool build_read_file(const char *path, size_t most, struct buf *out, struct err *e);
bool build_read_fd(int fd, size_t most, struct buf *out, struct err *e); /* from its start; the descriptor stays open */

/* Compiles the .sluice file at `path` with what it imports, and verifies.  NULL when it has errors: *diagnostics then
 * holds their text form; with a program it holds the warnings. */
struct program *build_compile(const char *path, struct buf *diagnostics);
/* Decodes and verifies a compiled program.  NULL with *e (EX_DATAERR, EX_CONFIG). */
struct program *build_decode(struct str bytes, struct err *e);

/* The relay's settings from a program's declarations, the defaults of stdlib/declarations.def applied.  Views live in
 * `a` and in the program.  False with *e (EX_CONFIG) when a declaration cannot be used; settings_declared is content
 * with what there is, which may be nothing, and settings_from_program demands a relay and a listener.  `config` is the
 * file the program came from, source or compiled: relative paths begin at its directory; NULL: at the current one. */
bool settings_declared(struct arena *a, const struct program *p, const char *config, struct settings *out,
                       struct err *e);
bool settings_from_program(struct arena *a, const struct program *p, const char *config, struct settings *out,
                           struct err *e);

/* What a start would make of the configuration: true when nothing stands in its way; *diagnostics holds what there is
 * to say, warnings too.  `also` looks at what only a start reads: the files that the settings name. */
bool build_check(const char *path, bool (*also)(const struct settings *s, struct buf *diagnostics),
                 struct buf *diagnostics);

/* The state directory that a configuration with errors still names, for starting the last accepted program: empty when
 * it does not.  Joined with the configuration's directory. */
struct str build_salvage_state(struct arena *a, const char *path);

#endif
