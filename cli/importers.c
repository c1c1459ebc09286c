/* Who imports a file: names that it does not know may be theirs, and then they are what is to be checked. */
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "cli/cli.h"

enum { FILES_MAX = 200, TEXT_MAX = 256 * 1024 };

/* The path that a line `import "PATH"` says; STR_NONE for any other line. */
static struct str imported(struct str line)
{
    struct str rest = str_trim(line), path;
    if (!str_starts_nocase(rest, STR("import"))) return STR_NONE;
    rest = str_trim(str_from(rest, 6));
    if (!str_starts(rest, STR("\"")) || !str_cut(str_from(rest, 1), '"', &path, &rest)) return STR_NONE;
    return path;
}

/* Whether the file at `path`, which stands in `folder`, imports the one whose real path is `wanted`. */
static bool imports(const char *folder, const char *path, const char *wanted)
{
    struct buf text = {0}, joined = {0};
    char real[PATH_MAX];
    bool found = false;
    struct str line, rest = STR_NONE;
    if (read_file(path, TEXT_MAX, &text, NULL)) rest = buf_str(&text);
    while (rest.n && !found) {
        str_cut(rest, '\n', &line, &rest);
        struct str said = imported(line);
        if (!said.n) continue;
        joined.n = 0;
        if (said.p[0] != '/') buf_printf(&joined, "%s/", folder);
        buf_add(&joined, said);
        buf_add_byte(&joined, '\0');
        found = realpath(joined.p, real) && strcmp(real, wanted) == 0;
    }
    buf_free(&text);
    buf_free(&joined);
    return found;
}

static void look_in(const char *folder, const char *wanted, struct buf *out)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    for (unsigned seen = 0; d && seen < FILES_MAX && (entry = readdir(d));) {
        if (!str_ends(str_of(entry->d_name), STR(".sluice"))) continue;
        struct buf path = {0};
        seen++;
        if (strcmp(folder, ".") == 0) buf_printf(&path, "%s", entry->d_name);
        else buf_printf(&path, "%s/%s", folder, entry->d_name);
        buf_add_byte(&path, '\0');
        if (imports(folder, path.p, wanted))
            buf_printf(out, "note: %s imports this file and may hold the names it does not know: sluice check %s\n",
                       path.p, path.p);
        buf_free(&path);
    }
    if (d) closedir(d);
}

void importers_note(const char *path, struct buf *out)
{
    char real[PATH_MAX];
    struct buf folder = {0}, above = {0};
    struct str whole = str_of(path);
    size_t slash = str_rfind_byte(whole, '/');
    if (!realpath(path, real)) return;
    if (slash == STR_NPOS) buf_add(&folder, STR("."));
    else buf_add(&folder, slash ? str_slice(whole, 0, slash) : STR("/"));
    size_t up = str_rfind_byte(buf_str(&folder), '/');
    if (up == STR_NPOS) buf_printf(&above, "%s", str_eq(buf_str(&folder), STR(".")) ? ".." : ".");
    else buf_add(&above, str_slice(buf_str(&folder), 0, up ? up : 1));
    buf_add_byte(&folder, '\0');
    buf_add_byte(&above, '\0');
    look_in(folder.p, real, out);
    look_in(above.p, real, out);
    buf_free(&folder);
    buf_free(&above);
}
