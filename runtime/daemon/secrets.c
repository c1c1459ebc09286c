#include "daemon/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/link_io.h"
#include "builder/build.h"
#include "mail/scram.h"

enum { PEM_MAX = 1024 * 1024, PASSWORD_FILE_MAX = SCRAM_PASSWORD_MAX + 2 };

static void wipe(struct buf *b)
{
    if (b->p) explicit_bzero(b->p, b->cap);
    buf_free(b);
}

int secret_pem(const char *path, const char *what, struct err *e)
{
    struct buf bytes = {0};
    struct err why = {0};
    int fd = -1;
    if (!build_read_file(path, PEM_MAX, &bytes, &why))
        err_set(e, why.sysexit, "%s: %s", what, why.text);
    else
        fd = link_memfd("pem", buf_str(&bytes), e);
    wipe(&bytes);
    return fd;
}

/* Asked of the descriptor, so that it is this file that is read. */
static bool is_closed_to_others(int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return err_os(e, EX_NOINPUT, "reading a file");
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(e, EX_NOPERM, "it belongs to user %lu, who is neither root nor the service",
                       (unsigned long)st.st_uid);
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        return err_set(e, EX_NOPERM, "its mode is %04o: others can get at the password (chmod 600)",
                       (unsigned)(st.st_mode & 07777));
    return true;
}

/* One line, with or without its end. */
static bool take_line(struct str text, struct str *out, struct err *e)
{
    struct buf prepared = {0};
    if (str_ends(text, STR("\n"))) text.n--;
    if (str_ends(text, STR("\r"))) text.n--;
    *out = text;
    bool good = scram_prepare(text, &prepared);
    wipe(&prepared);
    if (good) return true;
    if (!text.n) return err_set(e, EX_CONFIG, "it holds no password");
    return err_set(e, EX_CONFIG, "it is not one line of UTF-8, at most %d bytes, without control characters",
                   SCRAM_PASSWORD_MAX);
}

int secret_password(const struct connector_settings *k, struct err *e)
{
    struct buf path = {0}, bytes = {0};
    struct str line;
    struct err why = {0};
    int out = -1;
    buf_add(&path, k->password_file);
    buf_add_byte(&path, '\0');
    int fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool ok = fd >= 0 || err_set(&why, errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s", strerror(errno));
    ok = ok && is_closed_to_others(fd, &why) && build_read_fd(fd, PASSWORD_FILE_MAX, &bytes, &why) &&
         take_line(buf_str(&bytes), &line, &why);
    if (ok) out = link_memfd("password", line, &why);
    if (out < 0)
        err_set(e, why.sysexit, "connector \"%.*s\": password_file \"%s\": %s", STR_ARG(str_slice(k->name, 0, 100)),
                path.p, why.text);
    if (fd >= 0) close(fd);
    wipe(&bytes);
    buf_free(&path);
    return out;
}

static bool tell(int fd, const struct err *e, struct buf *diagnostics)
{
    if (fd >= 0)
        close(fd);
    else
        buf_printf(diagnostics, "%s\n", e->text);
    return fd >= 0;
}

/* The authorities that a connector trusts: read, and of the form; the relay reads them again at each handshake. */
static bool check_trust(struct arena *a, const struct connector_settings *k, struct buf *diagnostics)
{
    struct err e = {0};
    struct buf bytes = {0};
    bool ok = !k->trust.n || build_read_file(arena_cstr(a, k->trust), PEM_MAX, &bytes, &e);
    if (ok && k->trust.n && str_find(buf_str(&bytes), STR("-----BEGIN ")) == STR_NPOS)
        ok = err_set(&e, EX_CONFIG, "%.*s: there is no certificate in PEM in it", STR_ARG(k->trust));
    if (!ok) buf_printf(diagnostics, "connector \"%.*s\": trust: %s\n", STR_ARG(str_slice(k->name, 0, 100)), e.text);
    buf_free(&bytes);
    return ok;
}

bool secrets_check(const struct settings *s, struct buf *diagnostics)
{
    bool ok = true;
    struct arena *a = arena_create();
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct listener_settings *l = &s->listeners[i];
        const struct str paths[] = {l->certificate, l->key};
        char what[160];
        snprintf(what, sizeof what, "listener \"%.*s\"", STR_ARG(str_slice(l->name, 0, 100)));
        for (size_t k = 0; l->certificate.n && k < 2; k++) {
            struct err e = {0};
            ok &= tell(secret_pem(arena_cstr(a, paths[k]), what, &e), &e, diagnostics);
        }
    }
    for (size_t i = 0; i < s->connector_count; i++) {
        struct err e = {0};
        ok &= check_trust(a, &s->connectors[i], diagnostics);
        if (s->connectors[i].user.n) ok &= tell(secret_password(&s->connectors[i], &e), &e, diagnostics);
    }
    arena_free(&a);
    return ok;
}
