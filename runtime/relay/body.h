/* relay/body: the content of one message while it is in memory: one heap buffer up to PROTOCOL_INLINE_MAX, above that a
 * holder behind struct content_port.  Shared by counting: a session fills it, the judge and the store read it, the
 * first delivery sends from it.  Owns the bytes, and their place in the relay's memory account. */
#ifndef SLUICE_RELAY_BODY_H
#define SLUICE_RELAY_BODY_H

#include "base/vec.h"
#include "relay/state.h"

struct body;

/* `expected` is the declared size, 0 when unknown; only a hint.  `queue_id` must outlive the body's filling. */
struct body *body_create(struct relay *r, struct str queue_id, uint64_t expected);
bool body_append(struct body *b, struct str bytes, struct err *e);
/* No more appending; the view may be used from here on.  Content of more than `inline_most` bytes leaves the buffer. */
bool body_seal(struct body *b, size_t inline_most, struct err *e);

/* Of what came back from the store: a copy of the bytes, or an opened spool file (ownership of `f` passes). */
struct body *body_of_bytes(struct relay *r, struct str bytes);
struct body *body_of_file(struct relay *r, struct content_file *f);

struct str body_view(const struct body *b); /* all bytes; lives as long as the body */
uint64_t body_size(const struct body *b);
bool body_is_inline(const struct body *b); /* in the heap buffer: goes to the judge inside the request */
int body_descriptor(const struct body *b); /* -1 when inline */
struct str body_spool(const struct body *b);
void body_keep(struct body *b); /* its transaction is committed */

struct body *body_ref(struct body *b);
void body_unref(struct body **b); /* NULL-safe; sets *b to NULL */

#endif
