/* message/filetype: what bytes are, whatever they are called.  The only user of libmagic.
 *
 * The database belongs to the process: filetype_warm loads it, because a judge may not open files; where files may be
 * opened it is loaded when first needed.  One thread per process may use this module.  Owns no message memory. */
#ifndef SLUICE_MESSAGE_FILETYPE_H
#define SLUICE_MESSAGE_FILETYPE_H

#include "base/err.h"
#include "base/str.h"

enum { FILETYPE_BYTES_MAX = 256 * 1024 }; /* looked at, of one part */

/* False with *e (EX_OSERR) when libmagic's database cannot be loaded. */
bool filetype_warm(struct err *e);

/* The media type of these bytes, "application/pdf": static, or valid until the next call.  STR_NONE when libmagic
 * cannot say, or cannot be used. */
struct str filetype_of(struct str bytes);

/* Whether files of this media type are run by the system that opens them: machine code, byte code, installers,
 * shortcuts, scripts of a shell. */
bool filetype_is_executable(struct str media_type);

#endif
