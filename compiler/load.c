#include "compiler/internal.h"
#include "compiler/library.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"

/* --- readers ------------------------------------------------------------------------------------------------------ */

bool compiler_read_disk(void *context, struct arena *a, struct str path, struct str *out, struct err *e)
{
    (void)context;
    int fd = open(arena_cstr(a, path), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return err_os(e, EX_NOINPUT, "`%.*s` cannot be opened", STR_ARG(path));
    struct buf b = {0};
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
    if (!ok) err_set(e, EX_NOINPUT, "`%.*s` is a directory", STR_ARG(path));
    while (ok) {
        buf_reserve(&b, 64 * 1024);
        ssize_t n = read(fd, b.p + b.n, 64 * 1024);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) ok = err_os(e, EX_IOERR, "`%.*s` cannot be read", STR_ARG(path));
        if (n <= 0) break;
        b.n += (size_t)n;
        if (b.n > COMPILER_FILE_MAX) {
            ok = err_set(e, EX_DATAERR, "`%.*s` is larger than %d MiB", STR_ARG(path), COMPILER_FILE_MAX >> 20);
        }
    }
    close(fd);
    if (ok) *out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return ok;
}

bool compiler_read_memory(void *context, struct arena *a, struct str path, struct str *out, struct err *e)
{
    (void)a;
    const struct compiler_memory *m = context;
    for (size_t i = 0; i < m->n; i++) {
        if (!str_eq(m->files[i].path, path)) continue;
        *out = m->files[i].text;
        return true;
    }
    return err_set(e, EX_NOINPUT, "`%.*s` does not exist", STR_ARG(path));
}

/* --- paths -------------------------------------------------------------------------------------------------------- */

/* Without "." and, where a name stands before it, "..": lexically, so that one file reached by two ways is read once.
 */
static struct str normalise(struct compiler *c, struct str path)
{
    VEC(struct str) kept = {0};
    bool absolute = str_starts(path, STR("/"));
    struct str rest = path, head;
    while (rest.n) {
        str_cut(rest, '/', &head, &rest);
        if (!head.n || str_eq(head, STR("."))) continue;
        bool up = str_eq(head, STR(".."));
        if (up && kept.n && !str_eq(kept.v[kept.n - 1], STR(".."))) {
            kept.n--;
        } else if (!(up && absolute)) {
            VEC_PUSH(&kept, head);
        }
    }
    struct buf b = {0};
    if (absolute) buf_add_byte(&b, '/');
    for (size_t i = 0; i < kept.n; i++) {
        if (i) buf_add_byte(&b, '/');
        buf_add(&b, kept.v[i]);
    }
    struct str out = arena_str(c->a, buf_str(&b));
    buf_free(&b);
    VEC_FREE(&kept);
    return out;
}

struct str load_join(struct compiler *c, struct str directory, struct str path)
{
    if (!directory.n || str_starts(path, STR("/"))) return arena_str(c->a, path);
    const char *slash = str_ends(directory, STR("/")) ? "" : "/";
    return arena_printf(c->a, "%.*s%s%.*s", STR_ARG(directory), slash, STR_ARG(path));
}

static struct str directory_of(struct str path)
{
    size_t slash = str_rfind_byte(path, '/');
    if (slash == STR_NPOS) return STR_NONE;
    return str_slice(path, 0, slash ? slash : 1);
}

/* --- sources ------------------------------------------------------------------------------------------------------ */

static struct source *add_source(struct compiler *c, struct str path, struct str text)
{
    struct source *s = ARENA_NEW(c->d->arena, struct source);
    s->name = arena_str(c->d->arena, path);
    s->text = text;
    s->number = (uint32_t)c->d->sources->list.n;
    VEC_PUSH(&c->d->sources->list, s);
    return s;
}

struct source *load_library(struct compiler *c, struct str name)
{
    const struct library_file *f = library_find(name);
    return f ? add_source(c, f->name, f->text) : NULL;
}

struct source *load_source(struct compiler *c, struct str path, struct span at)
{
    struct str text = STR_NONE;
    struct err e = {0};
    if (str_find_byte(path, '\0') != STR_NPOS || !path.n) {
        diag_add(c->d, DIAG_E215, at, "this is no path of a file");
        return NULL;
    }
    if (!c->in->read(c->in->context, c->d->arena, path, &text, &e)) {
        diag_add(c->d, DIAG_E215, at, "%s", e.text);
        return NULL;
    }
    return add_source(c, path, text);
}

enum { CHARACTER_STRIDE = 1024 };

/* The characters of s that begin at from … to - 1. */
static uint32_t characters_in(struct str s, size_t from, size_t to)
{
    uint32_t n = 0;
    for (size_t k = from; k < to && k < s.n; k++) n += ((unsigned char)s.p[k] & 0xc0) != 0x80;
    return n;
}

static uint32_t characters_before(const struct line_index *x, struct str s, size_t at)
{
    if (at > s.n) at = s.n;
    size_t mark = at / CHARACTER_STRIDE;
    return x->characters[mark] + characters_in(s, mark * CHARACTER_STRIDE, at);
}

static const struct line_index *lines_of(struct compiler *c, const struct source *s)
{
    size_t i = s->number - c->first_source;
    while (c->lines.n <= i) VEC_PUSH(&c->lines, (struct line_index){0});
    struct line_index *x = &c->lines.v[i];
    if (x->starts) return x;
    size_t n = 1;
    for (size_t k = 0; k < s->text.n; k++) n += s->text.p[k] == '\n';
    x->starts = ARENA_ARRAY(c->a, uint32_t, n);
    for (size_t k = 0, line = 1; k < s->text.n; k++) {
        if (s->text.p[k] == '\n') x->starts[line++] = (uint32_t)(k + 1);
    }
    x->n = (uint32_t)n;
    size_t marks = s->text.n / CHARACTER_STRIDE + 1;
    x->characters = ARENA_ARRAY(c->a, uint32_t, marks);
    for (size_t k = 1; k < marks; k++) {
        size_t from = (k - 1) * CHARACTER_STRIDE;
        x->characters[k] = x->characters[k - 1] + characters_in(s->text, from, from + CHARACTER_STRIDE);
    }
    return x;
}

/* The words as written, white space (line ends too) as one blank, cut between characters. */
static struct str one_line(struct compiler *c, struct str s)
{
    char line[ORIGIN_TEXT_MAX + 4];
    size_t n = 0;
    bool blank = false;
    s = str_trim(s);
    for (size_t i = 0; i < s.n && n < ORIGIN_TEXT_MAX; i++) {
        unsigned char byte = (unsigned char)s.p[i];
        if (byte <= ' ') {
            blank = true;
            continue;
        }
        if (blank) line[n++] = ' ';
        blank = false;
        if (n < ORIGIN_TEXT_MAX) line[n++] = (char)byte;
    }
    if (n == ORIGIN_TEXT_MAX) { /* a character may have been cut */
        while (n && ((unsigned char)line[n - 1] & 0xc0) == 0x80) n--;
        if (n && (unsigned char)line[n - 1] >= 0xc0) n--;
    }
    return pool_text(&c->pool, (struct str){line, n});
}

struct origin load_origin(struct compiler *c, struct span at)
{
    const struct source *s = c->d->sources->list.v[at.source];
    const struct line_index *x = lines_of(c, s);
    uint32_t low = 0, high = x->n;
    while (high - low > 1) { /* the last line that begins at or before the place */
        uint32_t middle = low + (high - low) / 2;
        if (x->starts[middle] <= at.from)
            low = middle;
        else
            high = middle;
    }
    uint32_t start = x->starts[low];
    uint32_t column = 1 + (at.from - start < CHARACTER_STRIDE
                               ? characters_in(s->text, start, at.from)
                               : characters_before(x, s->text, at.from) - characters_before(x, s->text, start));
    return (struct origin){s->number - c->first_source, low + 1, column,
                           one_line(c, str_slice(s->text, at.from, at.to))};
}

/* --- files and imports --- */

static void load_file(struct compiler *c, struct str path, struct span at, unsigned depth);

static void load_import(struct compiler *c, struct unit *u, const struct ast_item *item, unsigned depth)
{
    struct str said = item->text ? item->text->text : STR_NONE;
    struct span at = item->text ? item->text->span : item->span;
    bool library = str_starts(said, STR("std/"));
    struct str path = library ? said : load_join(c, u->directory, said);
    struct unit *known = map_get(&c->files, normalise(c, path));
    if (known && known->loading) {
        struct diag *d =
            diag_add(c->d, DIAG_E216, at, "`%.*s` is being read already: these imports go in a circle", STR_ARG(said));
        diag_fix(c->d, d, "", "leave this import out");
        return;
    }
    if (known) return; /* every file once */
    if (depth >= COMPILER_IMPORT_DEPTH_MAX) {
        diag_add(c->d, DIAG_E232, at, "imports are nested more than %d deep", COMPILER_IMPORT_DEPTH_MAX);
        return;
    }
    load_file(c, path, at, depth + 1);
}

static void tell_library(struct compiler *c, struct str path, struct span at)
{
    VEC(struct str) known = {0};
    struct buf all = {0};
    struct diag *d = diag_add(c->d, DIAG_E215, at, "the library has no `%.*s`", STR_ARG(path));
    for (size_t i = 0; library_file(i); i++) {
        VEC_PUSH(&known, library_file(i)->name);
        buf_printf(&all, "%s%.*s", i ? ", " : "", STR_ARG(library_file(i)->name));
    }
    struct str near = suggest_nearest(path, known.v, known.n);
    if (near.n)
        diag_fix(c->d, d, "did you mean:", "\"%.*s\"", STR_ARG(near));
    else
        diag_fix(c->d, d, "it has:", "%.*s", STR_ARG(buf_str(&all)));
    buf_free(&all);
    VEC_FREE(&known);
}

static void load_file(struct compiler *c, struct str path, struct span at, unsigned depth)
{
    bool library = str_starts(path, STR("std/"));
    struct source *s = library ? load_library(c, path) : load_source(c, path, at);
    if (!s && library) tell_library(c, path, at);
    if (!s) return;
    struct unit *u = ARENA_NEW(c->a, struct unit);
    *u = (struct unit){.source = s,
                       .key = normalise(c, path),
                       .directory = directory_of(s->name),
                       .loading = true,
                       .library = library};
    u->index = (uint32_t)c->units.n;
    map_put(&c->files, u->key, u);
    VEC_PUSH(&c->units, u);
    u->ast = ast_parse(c->a, s, words_is_declaration, c->d);
    for (struct ast_item *i = u->ast->items; i; i = i->next) {
        if (i->kind == ITEM_IMPORT)
            load_import(c, u, i, depth);
        else
            VEC_PUSH(&c->items, (struct item_ref){u, i});
    }
    u->loading = false;
}

const struct unit *load_imported(struct compiler *c, const struct unit *u, const struct ast_item *import)
{
    struct str said = import->text->text;
    struct str path = str_starts(said, STR("std/")) ? said : load_join(c, u->directory, said);
    return map_get(&c->files, normalise(c, path));
}

bool load_all(struct compiler *c)
{
    load_file(c, c->in->path, (struct span){0}, 0);
    return c->units.n > 0;
}
