/* base/json: JSON out and in (RFC 8259); the only user of jansson.
 *
 * Out: values are built, then printed on one line; bytes that are not UTF-8 become U+FFFD, so output is always JSON.
 * In: one bounded text, no duplicate keys, depth at most LIMIT_JSON_DEPTH.  Functions that take a child take ownership
 * of it; a value that was given away is freed with its parent.  The prefix is js_: json_ is jansson's. */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include "base/err.h"
#include "base/vec.h"

struct js;

/* jansson seeds its tables from /dev/urandom at the first object: call this before a filter forbids that. */
void js_warm(void);

struct js *js_object(void);
struct js *js_array(void);
void js_free(struct js **v); /* of a root only */

/* Into an object, in the order of the calls. */
void js_put(struct js *object, const char *key, struct js *child);
void js_put_str(struct js *object, const char *key, struct str s);
void js_put_cstr(struct js *object, const char *key, const char *z); /* NULL: null */
void js_put_num(struct js *object, const char *key, int64_t n);
void js_put_real(struct js *object, const char *key, double d); /* not finite: null */
void js_put_bool(struct js *object, const char *key, bool b);
void js_put_null(struct js *object, const char *key);
/* Onto an array. */
void js_add(struct js *array, struct js *child);
void js_add_str(struct js *array, struct str s);
void js_add_num(struct js *array, int64_t n);

void js_print(const struct js *v, struct buf *out);        /* compact, one line, no newline after it */
void js_print_pretty(const struct js *v, struct buf *out); /* indented by two, with a newline after it */
/* The text between two quotes, escaped as js_print would: for whoever writes JSON as it goes. */
void js_escape(struct buf *out, struct str s);

/* NULL with *e (EX_DATAERR) for what is not one JSON object of at most `most` bytes. */
struct js *js_parse(struct str text, size_t most, struct err *e);
/* Borrowed views, alive as long as the root; NULL or false when the key is absent or of another type. */
const struct js *js_get(const struct js *object, const char *key);
bool js_get_str(const struct js *object, const char *key, struct str *out);
bool js_get_num(const struct js *object, const char *key, int64_t *out);
bool js_get_bool(const struct js *object, const char *key, bool *out);
bool js_is_array(const struct js *v);
size_t js_count(const struct js *array); /* 0 for what is no array */
const struct js *js_at(const struct js *array, size_t i);
bool js_str(const struct js *v, struct str *out); /* a string value itself */
bool js_num(const struct js *v, int64_t *out);

#endif
