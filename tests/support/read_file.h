/* support/read_file: a test's data file, whole. */
#ifndef SLUICE_TESTS_SUPPORT_READ_FILE_H
#define SLUICE_TESTS_SUPPORT_READ_FILE_H

#include "base/arena.h"

/* The file's bytes, in the arena; ends the test program when it cannot be read. */
struct str read_file(struct arena *a, const char *path);
/* The paths of all files in `folder` whose names end with `ending`, sorted; in the arena, ended by NULL. */
char **list_files(struct arena *a, const char *folder, const char *ending, size_t *count);

#endif
