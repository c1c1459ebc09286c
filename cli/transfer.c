#include "cli/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/digest.h"

enum { FILE_MOST = 1024 * 1024 * 1024, PART_BYTES = 30 * 1024, PATH_BYTES = 4096 };

#define ENDING ".mail"

static bool progress(void) { return isatty(STDERR_FILENO); }

static void print_hash(struct str bytes, char hex[DIGEST_HEX_SIZE])
{
    uint8_t hash[DIGEST_SIZE];
    digest_sha256(bytes, hash);
    digest_hex(hash, hex);
}

/* --- export ------------------------------------------------------------------------------------------------------- */

struct ids {
    VEC(char *) list;
};

static void take_id(void *owner, const struct js *row, struct str line)
{
    struct ids *ids = owner;
    struct str id;
    (void)line;
    if (!js_get_str(row, "queue_id", &id)) return;
    char *copy = mem_alloc(id.n + 1);
    memcpy(copy, id.p, id.n);
    VEC_PUSH(&ids->list, copy);
}

struct exported {
    struct buf head, content;
    bool broken;
};

static void take_part(void *owner, const struct js *row, struct str line)
{
    struct exported *x = owner;
    struct str part;
    if (!js_get_str(row, "content", &part)) {
        buf_add(&x->head, line);
        buf_add_byte(&x->head, '\n');
    } else if (!base64_decode(part, &x->content)) {
        x->broken = true;
    }
}

static int write_file(const struct exported *x, const char *directory, const char *id)
{
    char path[PATH_BYTES], hex[DIGEST_HEX_SIZE];
    struct err e = {0};
    struct buf whole = {0};
    print_hash(buf_str(&x->head), hex);
    buf_add(&whole, buf_str(&x->head));
    buf_printf(&whole, "{\"head_sha256\":\"%s\"}\n\n", hex);
    buf_add(&whole, buf_str(&x->content));
    bool ok = (size_t)snprintf(path, sizeof path, "%s/%s" ENDING, directory, id) < sizeof path
                  ? replace_file(path, buf_str(&whole), &e)
                  : err_set(&e, EX_CANTCREAT, "%s: too long", directory);
    buf_free(&whole);
    return ok ? EX_OK : fail(&e);
}

static int export_one(struct client *c, const char *directory, const char *id)
{
    struct exported x = {.broken = false};
    c->row = take_part;
    c->owner = &x;
    int status = client_call(c, "queue export", id);
    struct err e = {0};
    if (status == EX_OK && x.broken) {
        err_set(&e, EX_PROTOCOL, "the relay's answer about %s does not decode", id);
        status = fail(&e);
    } else if (status == EX_OK) {
        status = write_file(&x, directory, id);
    }
    buf_free(&x.head);
    buf_free(&x.content);
    return status;
}

int transfer_export(struct client *c, struct js *listing, const char *directory)
{
    struct ids ids = {0};
    struct err e = {0};
    c->row = take_id;
    c->owner = &ids;
    int status = client_send(c, listing);
    if (status == EX_OK && mkdir(directory, 0700) < 0 && errno != EEXIST) {
        err_os(&e, EX_CANTCREAT, "%s", directory);
        status = fail(&e);
    }
    size_t done = 0, gone = 0;
    for (size_t i = 0; i < ids.list.n && (status == EX_OK || status == EX_NOINPUT); i++) {
        status = export_one(c, directory, ids.list.v[i]);
        done += status == EX_OK;
        gone += status == EX_NOINPUT; /* delivered in the meantime */
        if (progress() && i % 100 == 99) fprintf(stderr, "\r%zu of %zu", i + 1, ids.list.n);
    }
    if (progress() && ids.list.n > 99) fputc('\n', stderr);
    if (status == EX_NOINPUT) status = EX_OK;
    if (status == EX_OK) printf("%zu message%s exported to %s\n", done, done == 1 ? "" : "s", directory);
    if (gone) printf("%zu had left the queue before their turn\n", gone);
    for (size_t i = 0; i < ids.list.n; i++) free(ids.list.v[i]);
    VEC_FREE(&ids.list);
    return status;
}

/* --- import ------------------------------------------------------------------------------------------------------- */

/* Takes the head's lines off the front of *file, up to its hash and the empty line behind that. */
static bool cut_head(struct str *file, struct str *head, const char *path, struct err *e)
{
    static const char wrong[] = "%s: this is no exported message, or not all of one";
    struct str rest = *file;
    for (;;) {
        size_t end = str_find_byte(rest, '\n');
        if (end == STR_NPOS) return err_set(e, EX_DATAERR, wrong, path);
        struct str line = str_slice(rest, 0, end), hash;
        if (!str_starts(line, STR("{\"head_sha256\""))) {
            rest = str_from(rest, end + 1);
            continue;
        }
        *head = str_slice(*file, 0, (size_t)(rest.p - file->p));
        *file = str_from(rest, end + 1);
        char hex[DIGEST_HEX_SIZE];
        print_hash(*head, hex);
        struct js *seal = js_parse(line, 4096, e);
        bool same = seal && js_get_str(seal, "head_sha256", &hash) && str_eq(hash, str_of(hex));
        js_free(&seal);
        if (!same) return err_set(e, EX_DATAERR, "%s: its description does not match its hash", path);
        if (!str_starts(*file, STR("\n"))) return err_set(e, EX_DATAERR, wrong, path);
        *file = str_from(*file, 1);
        return true;
    }
}

/* The requests of one message over one connection. */
static int send_message(struct client *c, struct str head, struct str content)
{
    static const char *const kinds[] = {"message", "copy", "recipient"};
    static const char *const ops[] = {"queue import begin", "queue import copy", "queue import recipient"};
    int status;
    struct client_talk *talk = client_talk_begin(c, &status);
    struct str line;
    for (bool more = true; more && head.n && status == EX_OK;) {
        more = str_cut(head, '\n', &line, &head);
        struct buf request = {0};
        size_t kind = 0;
        while (kind < 2 && !str_starts(str_from(line, 2), str_of(kinds[kind]))) kind++;
        if (!line.n) continue;
        /* {"message":…} becomes {"v":1,"op":"…","message":…} */
        buf_printf(&request, "{\"v\":1,\"op\":\"%s\",", ops[kind]);
        buf_add(&request, str_from(line, 1));
        status = client_talk_line(talk, buf_str(&request));
        buf_free(&request);
    }
    while (content.n && status == EX_OK) {
        size_t n = content.n < PART_BYTES ? content.n : PART_BYTES;
        struct buf text = {0}, request = {0};
        base64_encode(str_slice(content, 0, n), &text);
        buf_printf(&request, "{\"v\":1,\"op\":\"queue import content\",\"content\":\"%.*s\"}", STR_ARG(buf_str(&text)));
        status = client_talk_line(talk, buf_str(&request));
        content = str_from(content, n);
        buf_free(&text);
        buf_free(&request);
    }
    if (status == EX_OK) status = client_talk_line(talk, STR("{\"v\":1,\"op\":\"queue import end\"}"));
    client_talk_end(&talk);
    return status;
}

static int import_one(struct client *c, const char *path)
{
    struct buf file = {0};
    struct err e = {0};
    struct str head, content;
    int status = read_file(path, FILE_MOST, &file, &e) ? EX_OK : fail(&e);
    if (status == EX_OK) {
        content = buf_str(&file);
        status = cut_head(&content, &head, path, &e) ? send_message(c, head, content) : fail(&e);
        if (status != EX_OK) fprintf(stderr, "sluice: %s: not imported\n", path);
    }
    buf_free(&file);
    return status;
}

static int is_mail(const struct dirent *entry)
{
    return str_ends(str_of(entry->d_name), STR(ENDING)) && entry->d_name[0] != '.';
}

int transfer_import(struct client *c, const char *path)
{
    struct stat st;
    struct err e = {0};
    struct dirent **entries = NULL;
    if (stat(path, &st) < 0) {
        err_os(&e, EX_NOINPUT, "%s", path);
        return fail(&e);
    }
    if (!S_ISDIR(st.st_mode)) return import_one(c, path);
    int n = scandir(path, &entries, is_mail, alphasort), status = EX_OK, done = 0;
    for (int i = 0; i < n; i++) {
        char name[PATH_BYTES];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        int one = import_one(c, name);
        done += one == EX_OK;
        if (one != EX_OK) status = one; /* the others are none the worse */
        if (progress() && i % 100 == 99) fprintf(stderr, "\r%d of %d", i + 1, n);
        free(entries[i]);
    }
    free(entries);
    printf("%d of %d message%s imported\n", done, n > 0 ? n : 0, n == 1 ? "" : "s");
    return status;
}
