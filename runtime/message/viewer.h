/* message/viewer: how programs differ in what they show of the same octets, and the views that come of it (LANGUAGE
 * section 3).
 *
 * A viewer is a set of manners (message/manners.def).  Whatever decodes asks `manner_is` exactly where a manner would
 * change its result, which also notes that it matters here; views_collect then reads again with each manner that
 * mattered, and with their combinations, until nothing new is seen.  So what one pass over honest mail costs is one
 * pass, and a view equal to another is not made twice. */
#ifndef SLUICE_MESSAGE_VIEWER_H
#define SLUICE_MESSAGE_VIEWER_H

#include "base/vec.h"
#include "message/message.h"

enum manner {
#define MANNER(id, phrase, ambiguous) MANNER_##id,
#include "message/manners.def"
#undef MANNER
    MANNER_COUNT,
    MANNER_LAST_OF_STRUCTURE = MANNER_CODE_GUESS
};
#define MANNERS_OF_STRUCTURE (((uint64_t)2 << MANNER_LAST_OF_STRUCTURE) - 1)
/* Of structure too, where a part that holds others has to be decoded: CODE_RAW to QP_BLANKS. */
#define MANNERS_OF_DECODING (((uint64_t)2 << MANNER_QP_BLANKS) - ((uint64_t)1 << MANNER_CODE_RAW))

struct viewer {
    uint64_t manners; /* bits by enum manner: how to read */
    uint64_t differs; /* those with or without which the result may be another */
    size_t work;      /* octets looked at, where that is not the same for every reading */
};
/* The best reading, for who does not ask what else there is. */
#define BEST_VIEWER (&(struct viewer){0})

static inline bool manner_is(struct viewer *r, enum manner m)
{
    r->differs |= (uint64_t)1 << m;
    return r->manners >> m & 1;
}

/* One text read so: appended to *out, which is empty; answers enum unreadable bits. */
typedef uint32_t text_viewer(void *self, struct viewer *r, struct buf *out);

enum {
    VIEWS_MAX = 32,                       /* different texts of one value */
    READINGS_MAX = 256,                   /* attempts at them */
    VIEWS_BYTES_MAX = 8 * 1024 * 1024,    /* of all views but the first */
    READINGS_BYTES_MAX = 40 * 1024 * 1024 /* of work, of all attempts but the first */
};
/* All views of one value of the message; of a long one, while what the message keeps has room.  `size` is what every
 * reading costs, in octets, besides what it counts itself (viewer.work).  Beyond a limit: UNREADABLE_LIMIT. */
struct message_text views_collect(struct message *m, size_t size, text_viewer *read, void *self);
/* The same for one of many values that share what may be spent: *left octets, which become less. */
struct message_text views_collect_within(struct message *m, size_t size, size_t *left, text_viewer *read, void *self);

#endif
