/* bytecode/codec: the .sluicec file.
 *
 *   "SLUICEC\n" | format version u32 | vocabulary hash 32 | section count u32 | per section: id u32, rows u32, length
 * u64 | the sections' bytes | SHA-256 of all before
 *
 * Integers are little endian, strings length-prefixed (base/wire).  Decoding trusts nothing: sizes are checked against
 * the bytes that are there before anything is allocated, and a decoded program still has to pass bytecode/verify. */
#ifndef SLUICE_BYTECODE_CODEC_H
#define SLUICE_BYTECODE_CODEC_H

#include "base/err.h"
#include "base/vec.h"
#include "bytecode/program.h"

enum { PROGRAM_FORMAT_VERSION = 4, PROGRAM_FILE_MAX = 256 * 1024 * 1024 };

void program_encode(const struct program *p, struct buf *out); /* appends */
/* A program of its own memory (nothing points into `file`), or NULL with *e: EX_DATAERR for a damaged or foreign file,
 * EX_CONFIG for one of another format or vocabulary (`rows`), whose mend is to build it again. */
struct program *program_decode(struct str file, const struct vocabulary_rows *rows, struct err *e);
/* Whether these are the first bytes of a .sluicec file, to tell it from a source. */
bool program_is_compiled(struct str file);

#endif
