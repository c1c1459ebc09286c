/* judge/protocol: the one request and the one answer between relay and judge.
 *
 * One datagram each way over SOCK_SEQPACKET.  Content up to PROTOCOL_INLINE_MAX travels inside the request; above it a
 * read-only descriptor comes with it (SCM_RIGHTS).  Both sides treat what they read as hostile: decoding checks every
 * length, enum and index, and relay additionally holds a verdict to `verdict_is_sound`.  This header is all that relay
 * may see of judging. */
#ifndef SLUICE_JUDGE_PROTOCOL_H
#define SLUICE_JUDGE_PROTOCOL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "mail/envelope.h"
#include "mail/verdict.h"

/* A datagram is held by the size that Linux lets a socket buffer have without asking (net.core.wmem_max, 208 KiB): what
 * does not fit is judge/fit's to say. */
enum { PROTOCOL_INLINE_MAX = 128 * 1024, PROTOCOL_DATAGRAM_MAX = 192 * 1024 };

struct judge_request {
    uint64_t id;              /* the relay's; comes back in the answer */
    struct str queue_id;
    int64_t now;              /* UTC seconds, read once at the final dot */
    int32_t utc_offset;       /* seconds east of UTC of the relay's timezone at `now` */
    struct envelope envelope;
    uint64_t size;            /* of the content, our Received field included */
    bool content_inline;
    struct str content;       /* travels when inline; else the receiver maps the descriptor */
};

/* Between two requests: a live list as it is from now on.  With `size` comes a sealed descriptor of the block
 * (mail/live_list.h); without, the list is not available.  Answered by JUDGE_LISTED. */
struct judge_list {
    uint64_t id;
    struct str name;          /* the list's, as the rules name it */
    uint64_t size;            /* of the block; 0: not available */
};

enum judge_answer_kind {
    JUDGE_VERDICT,
    JUDGE_FAILED,             /* this message could not be judged; why is in `why` */
    JUDGE_LISTED              /* the list of that id is in force */
};
struct judge_answer {
    uint64_t id;
    uint8_t kind;
    struct verdict verdict;
    struct str why;
};

/* Encoding appends to *out.  Decoding points into `datagram` for bytes and takes tables from the arena; false with *e
 * (EX_DATAERR) for anything but a well-formed datagram with nothing after it. */
/* … and a request's datagram ends with the bytes that are answered, which are not copied: inline content, or
 * nothing. */
struct str protocol_encode_request(const struct judge_request *r, struct buf *out);
void protocol_encode_list(const struct judge_list *l, struct buf *out);
bool protocol_is_list(struct str datagram); /* else it must be a request */
bool protocol_decode_list(struct str datagram, struct judge_list *out, struct err *e);
bool protocol_decode_request(struct arena *a, struct str datagram, struct judge_request *out, struct err *e);
void protocol_encode_answer(const struct judge_answer *r, struct buf *out);
bool protocol_decode_answer(struct arena *a, struct str datagram, struct judge_answer *out, struct err *e);

/* What the relay demands of a verdict beyond its form: pieces inside the content and ascending, recipients that parse,
 * every envelope recipient answered once and in order, copies that exist, reply codes and printable texts, no bare CR,
 * LF or NUL in inserted text, and a header section that still ends (looked for in the first MiB).  `content` is all of
 * it, however it went to the judge. */
bool verdict_is_sound(const struct verdict *v, const struct envelope *env, struct str content, struct err *e);

#endif
