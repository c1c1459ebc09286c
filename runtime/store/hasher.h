/* store/hasher: the thread on which passwords are hashed, so that no reading of the queue waits behind one.
 *
 * Owns its thread and its line; a page that is in the line is the hasher's until it is handed back. */
#ifndef SLUICE_STORE_HASHER_H
#define SLUICE_STORE_HASHER_H

#include "store/reader.h"

struct hasher;

/* `hashed` runs on the hasher's thread, once for each page, in the order of hasher_submit. */
struct hasher *hasher_create(void (*hashed)(void *owner, struct page *p), void *owner);
/* A page that answers QUERY_USER with a password: sets password_is.  Nobody's secret is hashed where there is no such
 * user: the time tells no names.  From any thread. */
void hasher_submit(struct hasher *h, struct page *p);
void hasher_free(struct hasher **h); /* the line is empty: every page was handed back */

#endif
