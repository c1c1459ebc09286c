#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/json.h"
#include "base/limits.h"

struct log {
    int fd;
    enum log_level least;
    bool journal;
    enum log_form form;
    bool writing;     /* between log_begin and log_end of an event that is kept */
    int64_t now;      /* UTC microseconds */
    int64_t printed;  /* the `now` that `time` is the text of */
    char time[CIVIL_RFC3339_MAX];
    size_t time_length;
    uint64_t dropped; /* events, since the last one written */
    struct buf buffer;
};

static const struct {
    const char *name;
    char syslog; /* RFC 5424 section 6.2.1 */
} levels[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_DEBUG] = {"debug", '7'},     [LOG_LEVEL_INFO] = {"info", '6'},   [LOG_LEVEL_NOTICE] = {"notice", '5'},
    [LOG_LEVEL_WARNING] = {"warning", '4'}, [LOG_LEVEL_ERROR] = {"error", '3'},
};

struct log *log_create(int fd, enum log_level least, bool journal)
{
    struct log *l = mem_alloc(sizeof *l);
    l->fd = fd;
    l->least = least;
    l->journal = journal;
    l->printed = -1;
    return l;
}

void log_free(struct log **l)
{
    if (!l || !*l) return;
    log_flush(*l);
    buf_free(&(*l)->buffer);
    free(*l);
    *l = NULL;
}

void log_set_time(struct log *l, int64_t utc_micros)
{
    if (l) l->now = utc_micros;
}

void log_set_level(struct log *l, enum log_level least)
{
    if (l) l->least = least;
}

void log_set_form(struct log *l, enum log_form form)
{
    if (!l) return;
    INVARIANT(!l->writing);
    l->form = form;
}

struct str log_buffered(const struct log *l) { return l ? buf_str(&l->buffer) : STR_NONE; }

static bool is_bare(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_print(s.p[i]) || memchr(" \"\\=", s.p[i], 4)) return false;
    return s.n > 0;
}

/* A character beyond ASCII that ends a line, moves text about or cannot be seen: C1 controls, U+2028 and U+2029,
 * zero-width and bidirectional controls, the byte order mark. */
static bool is_disturbing(struct str c)
{
    const unsigned char *p = (const unsigned char *)c.p;
    if (c.n == 2) return (p[0] == 0xc2 && (p[1] < 0xa0 || p[1] == 0xad)) || (p[0] == 0xd8 && p[1] == 0x9c);
    if (c.n != 3) return false;
    if (p[0] == 0xef) return p[1] == 0xbb && p[2] == 0xbf;
    if (p[0] != 0xe2) return false;
    return (p[1] == 0x80 && ((p[2] >= 0x8b && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
           (p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf);
}

static void escape_byte(struct buf *out, char c)
{
    static const char digits[] = "0123456789abcdef";
    switch (c) {
    case '"': buf_add(out, STR("\\\"")); return;
    case '\\': buf_add(out, STR("\\\\")); return;
    case '\n': buf_add(out, STR("\\n")); return;
    case '\r': buf_add(out, STR("\\r")); return;
    case '\t': buf_add(out, STR("\\t")); return;
    default: break;
    }
    if (ascii_is_print(c)) {
        buf_add_byte(out, c);
        return;
    }
    char hex[4] = {'\\', 'x', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15]};
    buf_add(out, (struct str){hex, sizeof hex});
}

void log_escape(struct buf *out, struct str value)
{
    if (is_bare(value)) {
        buf_add(out, value);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < value.n;) {
        size_t n = 1;
        if ((unsigned char)value.p[i] >= 0x80)
            for (n = 2; n <= 4 && !(i + n <= value.n && str_is_utf8(str_slice(value, i, i + n))); n++) {}
        struct str c = str_slice(value, i, i + n);
        if (n >= 2 && n <= 4 && !is_disturbing(c)) {
            buf_add(out, c);
            i += n;
        } else if (n >= 2 && n <= 4) {
            for (size_t k = 0; k < n; k++) escape_byte(out, c.p[k]);
            i += n;
        } else {
            escape_byte(out, value.p[i++]);
        }
    }
    buf_add_byte(out, '"');
}

static int hex_value(char c) { return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool log_unescape(struct buf *out, struct str written)
{
    if (is_bare(written)) {
        buf_add(out, written);
        return true;
    }
    if (written.n < 2 || written.p[0] != '"' || written.p[written.n - 1] != '"') return false;
    struct str s = str_slice(written, 1, written.n - 1);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') return false;
        if (s.p[i] != '\\') {
            buf_add_byte(out, s.p[i]);
            continue;
        }
        if (++i == s.n) return false;
        static const char from[] = "\"\\nrt", to[] = "\"\\\n\r\t";
        const char *plain = memchr(from, s.p[i], 5);
        if (plain) {
            buf_add_byte(out, to[plain - from]);
            continue;
        }
        if (s.p[i] != 'x' || s.n - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0) return false;
        buf_add_byte(out, (char)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2])));
        i += 2;
    }
    return true;
}

/* As the inside of a JSON text. */
static void json_text(struct buf *out, struct str s)
{
    bool plain = true;
    for (size_t i = 0; i < s.n && plain; i++) plain = ascii_is_print(s.p[i]) && s.p[i] != '"' && s.p[i] != '\\';
    if (plain)
        buf_add(out, s);
    else
        js_escape(out, s);
}

static void json_pair(struct buf *out, const char *before, const char *key, struct str value)
{
    buf_add(out, str_of(before));
    buf_add_byte(out, '"');
    buf_add(out, str_of(key));
    buf_add(out, STR("\":\""));
    json_text(out, value);
    buf_add_byte(out, '"');
}

static void json_head(struct log *l, enum log_level level, struct str queue_id, const char *event)
{
    json_pair(&l->buffer, "{", "time", (struct str){l->time, l->time_length});
    if (queue_id.n) json_pair(&l->buffer, ",", "id", queue_id);
    json_pair(&l->buffer, ",", "event", str_of(event));
    if (level >= LOG_LEVEL_WARNING) json_pair(&l->buffer, ",", "level", str_of(levels[level].name));
}

/* The line's head: "<6>2026-11-23T22:50:02.123456Z QUEUEID: event=…". */
static void head(struct log *l, enum log_level level, struct str queue_id, const char *event)
{
    if (l->printed != l->now) {
        l->time_length = civil_print_micros(l->now, l->time);
        l->printed = l->now;
    }
    if (l->journal) buf_printf(&l->buffer, "<%c>", levels[level].syslog);
    if (l->form == LOG_JSON) {
        json_head(l, level, queue_id, event);
        return;
    }
    buf_add(&l->buffer, (struct str){l->time, l->time_length});
    buf_add_byte(&l->buffer, ' ');
    if (queue_id.n)
        log_escape(&l->buffer, queue_id);
    else
        buf_add_byte(&l->buffer, '-');
    buf_add(&l->buffer, STR(": event="));
    buf_add(&l->buffer, str_of(event));
    if (level >= LOG_LEVEL_WARNING) buf_printf(&l->buffer, " level=%s", levels[level].name);
}

void log_begin(struct log *l, enum log_level level, struct str queue_id, const char *event)
{
    if (!l) return;
    INVARIANT(!l->writing && level < LOG_LEVEL_COUNT);
    if (level < l->least) return;
    if (l->fd >= 0 && l->buffer.n > LIMIT_LOG_BUFFER) log_flush(l);
    if (l->fd >= 0 && l->buffer.n > LIMIT_LOG_BUFFER) {
        l->dropped++;
        return;
    }
    if (l->dropped) {
        int64_t dropped = (int64_t)l->dropped;
        l->dropped = 0;
        l->writing = true;
        head(l, LOG_LEVEL_ERROR, STR_NONE, "log-lost");
        log_num(l, "events", dropped);
        log_end(l);
    }
    l->writing = true;
    head(l, level, queue_id, event);
}

static void key_add(struct log *l, const char *key)
{
    buf_add_byte(&l->buffer, ' ');
    buf_add(&l->buffer, str_of(key));
    buf_add_byte(&l->buffer, '=');
}

void log_str(struct log *l, const char *key, struct str value)
{
    if (!l || !l->writing) return;
    if (l->form == LOG_JSON) {
        json_pair(&l->buffer, ",", key, value);
        return;
    }
    key_add(l, key);
    log_escape(&l->buffer, value);
}

void log_cstr(struct log *l, const char *key, const char *value)
{
    if (value) log_str(l, key, str_of(value));
}

void log_num(struct log *l, const char *key, int64_t value)
{
    if (!l || !l->writing) return;
    if (l->form == LOG_JSON)
        buf_printf(&l->buffer, ",\"%s\":", key);
    else
        key_add(l, key);
    buf_printf(&l->buffer, "%lld", (long long)value);
}

void log_err(struct log *l, const struct err *e)
{
    log_cstr(l, "error", e->text);
    if (e->os) log_num(l, "errno", e->os);
}

void log_end(struct log *l)
{
    if (!l || !l->writing) return;
    buf_add(&l->buffer, l->form == LOG_JSON ? STR("}\n") : STR("\n"));
    l->writing = false;
}

void log_flush(struct log *l)
{
    if (!l || l->fd < 0) return;
    size_t done = 0;
    while (done < l->buffer.n) {
        ssize_t n = write(l->fd, l->buffer.p + done, l->buffer.n - done);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        /* A log that cannot be written now waits in the buffer; a broken one fills it, and the events are counted. */
        break;
    }
    buf_consume(&l->buffer, done);
}
