#include "compiler/library.h"

/* Made from stdlib/library/ by the Makefile: LIBRARY(name, text). */
static const struct library_file files[] = {
#define LIBRARY(name, text) {STR_INIT(name), STR_INIT(text)},
#include "stdlib/library.def"
#undef LIBRARY
};
enum { FILES = sizeof files / sizeof *files };

const struct library_file *library_file(size_t i) { return i < FILES ? &files[i] : NULL; }

const struct library_file *library_find(struct str name)
{
    for (size_t i = 0; i < FILES; i++)
        if (str_eq(files[i].name, name)) return &files[i];
    return NULL;
}
