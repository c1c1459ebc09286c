/* support/compiled: sources compiled from memory or disk, with all that the compilation needs, and golden files.
 *
 * Owns everything it answers; compiled_close frees it. */
#ifndef SLUICE_TESTS_SUPPORT_COMPILED_H
#define SLUICE_TESTS_SUPPORT_COMPILED_H

#include "bytecode/program.h"
#include "compiler/compiler.h"

struct compiled {
    struct arena *arena;
    struct sources sources;
    struct diags diags;
    struct program *program; /* NULL when there were errors */
};

/* One text, named "policy.sluice". */
void compiled_open(struct compiled *c, struct str text);
/* The first of several texts; they may import one another. */
void compiled_open_files(struct compiled *c, const struct compiler_memory_file *files, size_t n);
void compiled_open_disk(struct compiled *c, const char *path);
void compiled_close(struct compiled *c);
/* Diagnostics as text; in c->arena. */
struct str compiled_diagnostics(struct compiled *c);
/* Whether some diagnostic has this code ("E207"). */
bool compiled_has(const struct compiled *c, const char *code);
/* Compiles and ends the test program with the diagnostics when there is no program. */
struct program *compiled_program(struct compiled *c, struct str text);

/* Holds `got` to the file at `path`; with SLUICE_UPDATE_GOLDENS set, writes it there instead.  False after printing the
 * first line that differs. */
bool golden_holds(const char *path, struct str got);

/* A copy of a program file with `count` bytes changed as the seed says and its checksum made good again: what gets past
 * the checksum must meet the verifier.  In the arena. */
struct str mutated_program(struct arena *a, struct str file, uint64_t seed, unsigned count);
/* The same bytes with the trailing SHA-256 computed anew, in place. */
void repair_checksum(char *file, size_t n);

#endif
