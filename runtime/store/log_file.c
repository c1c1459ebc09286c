#include "store/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    MAGIC = 0x377f0682, /* the last bit: checksums are of big-endian words */
    PAGE_SIZE_AT = 8,
    HEADER_SUM_AT = 24,
    COMMIT_AT = 4, /* of a frame: pages of the database after this commit; 0: it goes on */
    FRAME_SALT_AT = 8,
    FRAME_SUM_AT = 16,
    TORN_COMMITS = 1, /* each is synced before the next begins: so many can be half on the disk */
};

struct sum {
    uint32_t a, b;
};

static uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static uint32_t little(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static struct sum sum_add(struct sum s, const uint8_t *p, size_t n, bool big_words)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        s.a += (big_words ? big(p + i) : little(p + i)) + s.b;
        s.b += (big_words ? big(p + i + 4) : little(p + i + 4)) + s.a;
    }
    return s;
}

static bool sum_is(struct sum s, const uint8_t *p) { return s.a == big(p) && s.b == big(p + 4); }

static ssize_t read_at(int fd, void *out, size_t n, off_t at)
{
    ssize_t got;
    do got = pread(fd, out, n, at);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Frames from the first on, until the file ends or one is of an older log. */
static bool look(int fd, const uint8_t header[LOG_HEADER], struct err *e)
{
    bool big_words = big(header) & 1, sound = true;
    struct sum s = {big(header + HEADER_SUM_AT), big(header + HEADER_SUM_AT + 4)};
    uint8_t *frame = mem_alloc(LOG_FRAME);
    unsigned lost = 0;
    long first = 0;
    ssize_t got = 0;
    for (long n = 1; (got = read_at(fd, frame, LOG_FRAME, LOG_HEADER + (off_t)(n - 1) * LOG_FRAME)) == LOG_FRAME; n++) {
        bool of_this_log = memcmp(frame + FRAME_SALT_AT, header + LOG_SALT_AT, LOG_SALT) == 0;
        if (sound) {
            s = sum_add(s, frame, FRAME_SALT_AT, big_words);
            s = sum_add(s, frame + LOG_FRAME_HEADER, LOG_PAGE, big_words);
            sound = of_this_log && sum_is(s, frame + FRAME_SUM_AT);
            if (!sound) first = n;
        }
        if (!sound && of_this_log && big(frame + COMMIT_AT)) lost++;
    }
    free(frame);
    if (got < 0) return err_os(e, EX_IOERR, LOG_FILE_NAME);
    if (lost <= TORN_COMMITS) return true;
    return err_set(e, EX_DATAERR,
                   LOG_FILE_NAME
                   " is damaged at its frame %ld, and %u commits stand behind it: restore a backup, or move "
                   "the file away to go on with what the database holds without it",
                   first, lost);
}

/* Made, and its header never written: that is synced before the first frame is. */
static bool is_blank(int fd)
{
    static const uint8_t zero[LOG_HEADER + LOG_FRAME_HEADER];
    uint8_t bytes[sizeof zero] = {0};
    return read_at(fd, bytes, sizeof bytes, 0) >= 0 && memcmp(bytes, zero, sizeof zero) == 0;
}

bool log_file_check(int state_fd, struct err *e)
{
    uint8_t header[LOG_HEADER];
    int fd = openat(state_fd, LOG_FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT || err_os(e, EX_IOERR, LOG_FILE_NAME);
    ssize_t got = read_at(fd, header, sizeof header, 0);
    bool ok = true;
    if (got < 0) {
        ok = err_os(e, EX_IOERR, LOG_FILE_NAME);
    } else if (got == LOG_HEADER && !is_blank(fd)) { /* shorter: no commit was ever in it */
        bool known =
            (big(header) | 1) == (MAGIC | 1) && big(header + PAGE_SIZE_AT) == LOG_PAGE &&
            sum_is(sum_add((struct sum){0, 0}, header, HEADER_SUM_AT, big(header) & 1), header + HEADER_SUM_AT);
        ok = known ? look(fd, header, e)
                   : err_set(e, EX_DATAERR,
                             LOG_FILE_NAME
                             " is damaged at its beginning, and what it holds cannot be read: restore a backup, or "
                             "move the file away to go on with what the database holds without it");
    }
    close(fd);
    return ok;
}
