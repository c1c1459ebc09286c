/* store/content: the holder of large content behind struct content_port (DESIGN section 2, "Where a message lives").
 *
 * Begins as a memfd, becomes a spool file above `spool_over` bytes (what was held so far is copied over once), is
 * mapped and, if a memfd, sealed after the last byte.  Spool files are made exclusively in state/spool, named after the
 * queue id, and have a second, read-only descriptor for the judge.  Nothing here syncs.  Also closes and reads
 * descriptors that came over a channel.  Owns its files until `free`; a kept or opened spool file is left on the
 * disk. */
#ifndef SLUICE_STORE_CONTENT_H
#define SLUICE_STORE_CONTENT_H

#include "store/port.h"

struct content;

/* `state_fd` is a descriptor of the state directory and stays the caller's for the life of the holder. */
struct content *content_create(int state_fd, uint64_t spool_over);
void content_free(struct content **c);
struct content_port content_port_of(struct content *c);

#endif
