/* builder/build: from a file's path to a verified program: reading sources, compiling or decoding, checking.
 *
 * What the template process, `sluiced --check` and the command line share.  Owns the reading of source files (bounded:
 * BUILD_SOURCE_MAX each, BUILD_FILES_MAX of them); knows no processes. */
#ifndef SLUICE_BUILDER_BUILD_H
#define SLUICE_BUILDER_BUILD_H

#include "base/arena.h"
#include "base/vec.h"
#include "bytecode/program.h"
#include "mail/settings.h"

enum { BUILD_SOURCE_MAX = 8 * 1024 * 1024, BUILD_PROGRAM_MAX = 256 * 1024 * 1024, BUILD_FILES_MAX = 1024 };

/* Reads a whole regular file of at most `most` bytes into *out.  False with *e: EX_NOINPUT, EX_NOPERM, EX_DATAERR. */
bool build_read_file(const char *path, size_t most, struct buf *out, struct err *e);

/* Compiles the .sluice file at `path` with what it imports.  NULL when it has errors: *diagnostics then holds their text
 * form, else warnings, if any.  A failure of the world is *e with *diagnostics empty. */
struct program *build_compile(const char *path, struct buf *diagnostics, struct err *e);
/* Decodes and verifies a compiled program.  NULL with *e (EX_DATAERR). */
struct program *build_decode(struct str bytes, struct err *e);

/* The relay's settings from a program's declarations, defaults applied; views live in `a` and in the program.  False with
 * *e (EX_CONFIG) when a declaration that must be there is missing: it needs a relay and a listener. */
bool settings_from_program(struct arena *a, const struct program *p, struct settings *out, struct err *e);

/* The state directory that a configuration with errors still names, for starting the last accepted program; STR_NONE
 * when it does not. */
struct str build_salvage_state(struct arena *a, const char *path);

#endif
