/* compiler/library: the rule files that come with Sluice (`import "std/files"`), inside the program itself, so that
 * they are found wherever it was installed.  Their text is stdlib/library/NAME.sluice.  Constant, owned by nobody. */
#ifndef SLUICE_COMPILER_LIBRARY_H
#define SLUICE_COMPILER_LIBRARY_H

#include "base/str.h"

struct library_file {
    struct str name; /* "std/files" */
    struct str text;
};
/* NULL past the last. */
const struct library_file *library_file(size_t i);
const struct library_file *library_find(struct str name); /* NULL: there is none of that name */

#endif
