/* message/params: the value and parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183),
 * with RFC 2231's continuations and charsets and the RFC 2047 words that many senders put there.
 *
 * Internal to message/.  Everything made lives in the arena; the rest is a view of the field body. */
#ifndef SLUICE_MESSAGE_PARAMS_H
#define SLUICE_MESSAGE_PARAMS_H

#include "message/state.h"

struct params {
    struct str value; /* before the first ";", lower case, comments and blanks removed: "text/plain", "attachment" */
    const struct mime_param *v;
    size_t n;
    uint32_t unreadable; /* LIMIT: some of it was not read */
    bool loose_value;    /* words follow where a ";" should */
    bool loose;          /* not as RFC 2045 has it: a ";", a quote or a value is missing, or words stand between */
};
/* More of either in one field, and what lies beyond, is unreadable: no honest field is a tenth of that. */
enum { PARAMS_MAX = 64, PARAMS_BYTES_MAX = 32 * 1024 };

/* Of a part of this message.  Manners: those of PARAM_, TYPE_LOOSE. */
struct params params_parse(struct viewer *r, struct message *m, struct str field_body);
const struct mime_param *params_find(const struct mime_param *v, size_t n, struct str name);

#endif
