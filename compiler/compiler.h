/* compiler/compiler: rule files become a program.
 *
 * Reads the file it is given and what that imports, checks everything, and answers a program or diagnostics, never both
 * a program and errors.  Does no input or output but through the reader it is handed.  The program owns its memory
 * (program_free); sources and diagnostics live in the arena of `struct diags`.
 *
 * Paths: imports and list files are relative to the file that says them; the paths of declarations (state, control,
 * certificate, key, trust) are relative to the directory of the first file, the configuration, and are recorded joined
 * with it.  Absolute paths are taken as they are. */
#ifndef SLUICE_COMPILER_COMPILER_H
#define SLUICE_COMPILER_COMPILER_H

#include "base/err.h"
#include "bytecode/program.h"
#include "grammar/ast.h"

/* Reads a whole file of at most COMPILER_FILE_MAX bytes into the arena.  False with *e when that fails. */
enum { COMPILER_FILE_MAX = 64 * 1024 * 1024 };
typedef bool compiler_read(void *context, struct arena *a, struct str path, struct str *out, struct err *e);

struct compile_input {
    struct str path; /* the first file, as the user named it */
    compiler_read *read;
    void *context;           /* handed to read */
    bool warnings_as_errors; /* no program when there are warnings */
    /* Handed each file's tree, folded, in the order of reading, errors or not; alive during the call.  May be NULL. */
    void (*tree)(void *context, const struct ast_file *file);
    void *tree_context;
};

/* Compiles.  NULL when there are errors (or, if so asked, warnings): all in *d, in source order (diags_sort has been
 * called).  d->arena and d->sources must be set; sources read are added to d->sources. */
struct program *compiler_compile(const struct compile_input *in, struct diags *d);

/* Readers.  compiler_read_disk opens files (context unused).  compiler_read_memory takes them from a table, for tests
 * and for `check -`: context is a struct compiler_memory. */
struct compiler_memory_file {
    struct str path, text;
};
struct compiler_memory {
    const struct compiler_memory_file *files;
    size_t n;
};
compiler_read compiler_read_disk;
compiler_read compiler_read_memory;

#endif
