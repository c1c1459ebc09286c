/* base/link_io: link messages over a blocking channel, with descriptors: for processes without an event loop.
 *
 * Supervisor and template use it; the relay's channels are the loop's (net/port.h).  Owns no descriptor: what is sent
 * stays the sender's, what is received becomes the receiver's. */
#ifndef SLUICE_BASE_LINK_IO_H
#define SLUICE_BASE_LINK_IO_H

#include "base/link.h"

enum { LINK_FDS_MAX = 4, LINK_DATAGRAM_MAX = 128 * 1024, LINK_TEXT_MAX = 96 * 1024 };

/* A channel: two connected SOCK_SEQPACKET ends, close-on-exec, with room for the largest datagram. */
bool link_pair(int ends[2], struct err *e);

/* Sends one message with `n` descriptors (-1 may not be among them).  A text beyond LINK_TEXT_MAX is cut, and says
 * so. */
bool link_send(int channel, const struct link_message *m, const int *fds, size_t n, struct err *e);

enum link_got { LINK_GOT, LINK_ENDED, LINK_NOTHING, LINK_FAILED };
/* Waits for one message (with `wait` false: LINK_NOTHING when there is none).  Its texts point into *datagram, which is
 * reused.  fds are -1 where absent, all close-on-exec.  LINK_FAILED with *e also for what is no link message. */
enum link_got link_receive(int channel, bool wait, struct buf *datagram, struct link_message *m, int fds[LINK_FDS_MAX],
                           struct err *e);
void link_close_all(int fds[LINK_FDS_MAX]);

/* Says, then demands, the build id on a fresh channel.  False with *e (EX_SOFTWARE) when the other side is another
 * build. */
bool link_greet(int channel, struct str build_id, struct err *e);

/* A sealed memfd with these bytes, close-on-exec; -1 with *e. */
int link_memfd(const char *name, struct str bytes, struct err *e);

#endif
