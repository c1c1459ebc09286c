#include "message/filetype.h"

#include <magic.h>
#include <string.h>
#include <sysexits.h>

#include "base/digest.h"
#include "base/library.h"

static magic_t database;

/* The last answers, by hash: libmagic takes milliseconds, and the readings of one attachment mostly give the same
 * bytes. */
enum { KNOWN_MAX = 16, TYPE_SIZE = 128 };
static struct known {
    uint8_t digest[DIGEST_SIZE];
    char type[TYPE_SIZE]; /* "": nothing is known here */
} known[KNOWN_MAX];
static unsigned oldest;

bool filetype_warm(struct err *e)
{
    if (database) return true;
    LIBRARY_ENTER();
    /* Never unpacked, and no file system is asked. */
    magic_t made = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TOKENS);
    if (!made) return LIBRARY_LEAVE(), err_set(e, EX_OSERR, "libmagic cannot be opened");
    if (magic_load(made, NULL) != 0) {
        err_set(e, EX_OSERR, "libmagic's database cannot be loaded: %s", magic_error(made));
        magic_close(made);
        LIBRARY_LEAVE();
        return false;
    }
    LIBRARY_LEAVE();
    database = made;
    return true;
}

static const char *ask(struct str bytes)
{
    LIBRARY_ENTER();
    const char *type = magic_buffer(database, bytes.p, bytes.n);
    LIBRARY_LEAVE();
    LIBRARY_WROTE_STRING(type);
    return type;
}

struct str filetype_of(struct str bytes)
{
    struct err e;
    uint8_t digest[DIGEST_SIZE];
    bytes = str_slice(bytes, 0, FILETYPE_BYTES_MAX);
    if (bytes.n == 0) return STR("application/x-empty");
    if (!filetype_warm(&e)) return STR_NONE;
    digest_sha256(bytes, digest);
    for (size_t i = 0; i < KNOWN_MAX; i++)
        if (known[i].type[0] && memcmp(known[i].digest, digest, sizeof digest) == 0) return str_of(known[i].type);
    const char *type = ask(bytes);
    if (!type || strlen(type) >= TYPE_SIZE) return str_of(type);
    struct known *k = &known[oldest++ % KNOWN_MAX];
    memcpy(k->digest, digest, sizeof digest);
    memcpy(k->type, type, strlen(type) + 1);
    return str_of(k->type);
}

bool filetype_is_executable(struct str media_type)
{
    static const char *const types[] = {"application/x-dosexec",
                                        "application/vnd.microsoft.portable-executable",
                                        "application/x-executable",
                                        "application/x-pie-executable",
                                        "application/x-sharedlib",
                                        "application/x-object",
                                        "application/x-mach-binary",
                                        "application/x-java-applet",
                                        "application/x-ms-shortcut",
                                        "application/x-msi",
                                        "application/x-msdownload",
                                        "application/x-setupscript",
                                        "text/x-shellscript",
                                        "text/x-msdos-batch",
                                        "application/x-wine-extension-ini"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_eq(media_type, str_of(types[i]))) return true;
    return false;
}
