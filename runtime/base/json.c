#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sysexits.h>

#include "base/limits.h"

/* struct js is never defined: a struct js * is a json_t *, seen from outside this file. */
static json_t *in(struct js *v) { return (json_t *)v; }
static const json_t *look(const struct js *v) { return (const json_t *)v; }
static struct js *out_of(json_t *v)
{
    INVARIANT(v != NULL);
    return (struct js *)v;
}

void js_warm(void) { json_object_seed(0); }

struct js *js_object(void) { return out_of(json_object()); }
struct js *js_array(void) { return out_of(json_array()); }

void js_free(struct js **v)
{
    if (!v || !*v) return;
    json_decref(in(*v));
    *v = NULL;
}

/* Bytes of one well-formed UTF-8 character at s, or 0. */
static size_t character_length(struct str s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (str_is_utf8(str_slice(s, 0, n))) return n;
    return 0;
}

/* A copy with U+FFFD for every byte that is not part of UTF-8. */
static void repair(struct str s, struct buf *out)
{
    while (s.n) {
        size_t n = character_length(s);
        if (n)
            buf_add(out, str_slice(s, 0, n));
        else
            buf_add(out, STR("\xef\xbf\xbd"));
        s = str_from(s, n ? n : 1);
    }
}

static json_t *string_of(struct str s)
{
    if (str_is_utf8(s)) return json_stringn(s.p ? s.p : "", s.n);
    struct buf fixed = {0};
    repair(s, &fixed);
    json_t *v = json_stringn(fixed.p, fixed.n);
    buf_free(&fixed);
    return v;
}

static void put(struct js *object, const char *key, json_t *child)
{
    INVARIANT(child != NULL && json_object_set_new(in(object), key, child) == 0);
}

static void add(struct js *array, json_t *child)
{
    INVARIANT(child != NULL && json_array_append_new(in(array), child) == 0);
}

void js_put(struct js *object, const char *key, struct js *child) { put(object, key, in(child)); }
void js_put_str(struct js *object, const char *key, struct str s) { put(object, key, string_of(s)); }
void js_put_cstr(struct js *object, const char *key, const char *z)
{
    put(object, key, z ? string_of(str_of(z)) : json_null());
}
void js_put_num(struct js *object, const char *key, int64_t n) { put(object, key, json_integer(n)); }
void js_put_real(struct js *object, const char *key, double d)
{
    put(object, key, isfinite(d) ? json_real(d) : json_null());
}
void js_put_bool(struct js *object, const char *key, bool b) { put(object, key, json_boolean(b)); }
void js_put_null(struct js *object, const char *key) { put(object, key, json_null()); }
void js_add(struct js *array, struct js *child) { add(array, in(child)); }
void js_add_str(struct js *array, struct str s) { add(array, string_of(s)); }
void js_add_num(struct js *array, int64_t n) { add(array, json_integer(n)); }

static int append(const char *bytes, size_t n, void *buf)
{
    buf_add(buf, (struct str){bytes, n});
    return 0;
}

static void print(const json_t *v, struct buf *out, size_t flags)
{
    INVARIANT(json_dump_callback(v, append, out, flags | JSON_ENCODE_ANY) == 0);
}

void js_print(const struct js *v, struct buf *out) { print(look(v), out, JSON_COMPACT); }

void js_print_pretty(const struct js *v, struct buf *out)
{
    print(look(v), out, JSON_INDENT(2));
    buf_add_byte(out, '\n');
}

void js_escape(struct buf *out, struct str s)
{
    struct buf quoted = {0};
    json_t *v = string_of(s);
    print(v, &quoted, JSON_COMPACT);
    json_decref(v);
    buf_add(out, str_slice(buf_str(&quoted), 1, quoted.n - 1));
    buf_free(&quoted);
}

/* jansson's own depth limit is 2,048; ours is counted over the text before it recurses. */
static bool is_shallow(struct str text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH) return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

struct js *js_parse(struct str text, size_t most, struct err *e)
{
    if (text.n > most) {
        err_set(e, EX_DATAERR, "a request of %zu bytes; at most %zu are read", text.n, most);
        return NULL;
    }
    if (!is_shallow(text)) {
        err_set(e, EX_DATAERR, "JSON nested deeper than %d", LIMIT_JSON_DEPTH);
        return NULL;
    }
    json_error_t fault;
    json_t *v = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, &fault);
    if (!v) {
        err_set(e, EX_DATAERR, "not JSON at byte %d: %s", fault.position, fault.text);
        return NULL;
    }
    if (json_is_object(v)) return out_of(v);
    json_decref(v);
    err_set(e, EX_DATAERR, "a JSON object was expected");
    return NULL;
}

const struct js *js_get(const struct js *object, const char *key)
{
    return (const struct js *)json_object_get(look(object), key);
}

bool js_str(const struct js *v, struct str *out)
{
    if (!json_is_string(look(v))) return false;
    *out = (struct str){json_string_value(look(v)), json_string_length(look(v))};
    return true;
}

bool js_num(const struct js *v, int64_t *out)
{
    if (!json_is_integer(look(v))) return false;
    *out = json_integer_value(look(v));
    return true;
}

bool js_get_str(const struct js *object, const char *key, struct str *out) { return js_str(js_get(object, key), out); }
bool js_get_num(const struct js *object, const char *key, int64_t *out) { return js_num(js_get(object, key), out); }

bool js_get_bool(const struct js *object, const char *key, bool *out)
{
    const json_t *v = look(js_get(object, key));
    if (!json_is_boolean(v)) return false;
    *out = json_is_true(v);
    return true;
}

bool js_is_array(const struct js *v) { return json_is_array(look(v)); }
size_t js_count(const struct js *array) { return json_array_size(look(array)); }
const struct js *js_at(const struct js *array, size_t i) { return (const struct js *)json_array_get(look(array), i); }
