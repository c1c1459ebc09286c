#include "tests/support/read_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

static _Noreturn void give_up(const char *path)
{
    perror(path);
    exit(1);
}

struct str read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) give_up(path);
    struct buf all = {0};
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) buf_add(&all, (struct str){chunk, n});
    if (ferror(f)) give_up(path);
    fclose(f);
    struct str copy = arena_str(a, buf_str(&all));
    buf_free(&all);
    return copy;
}

char **list_files(struct arena *a, const char *folder, const char *ending, size_t *count)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) give_up(folder);
    char **paths = ARENA_ARRAY(a, char *, (size_t)n + 1);
    *count = 0;
    for (int i = 0; i < n; i++) {
        if (str_ends(str_of(entries[i]->d_name), str_of(ending)))
            paths[(*count)++] = (char *)arena_printf(a, "%s/%s", folder, entries[i]->d_name).p;
        free(entries[i]);
    }
    free(entries);
    return paths;
}
