#include "message/filetype.h"

#include <magic.h>
#include <sysexits.h>

#include "base/library.h"

static magic_t database;

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

struct str filetype_of(struct str bytes)
{
    struct err e;
    if (bytes.n == 0) return STR("application/x-empty");
    if (!filetype_warm(&e)) return STR_NONE;
    LIBRARY_ENTER();
    const char *type = magic_buffer(database, bytes.p, bytes.n < FILETYPE_BYTES_MAX ? bytes.n : FILETYPE_BYTES_MAX);
    LIBRARY_LEAVE();
    LIBRARY_WROTE_STRING(type);
    return str_of(type);
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
