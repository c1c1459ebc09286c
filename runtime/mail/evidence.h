/* mail/evidence: why rules acted on a message: what they saw, where, and which live lists they looked into.
 *
 * Collected by the VM, carried in the verdict, stored with the message, shown by `sluice why`.  Owns the form, its
 * bounds and its two encodings; what it points to is the maker's.  An excerpt is short, and of what a detector found
 * only the end can be read: the queue is no second place for what rules are to keep in. */
#ifndef SLUICE_MAIL_EVIDENCE_H
#define SLUICE_MAIL_EVIDENCE_H

#include "base/arena.h"
#include "base/vec.h"

struct wire_io;

enum {
    EVIDENCE_BYTES_MAX = 2048, /* of all rows' texts */
    EVIDENCE_ROWS_MAX = 32,
    EVIDENCE_LISTS_MAX = 64,
    EVIDENCE_TEXT_MAX = 240 /* of any one */
};

/* `relay evidence`: how much of it is kept. */
enum evidence_policy { EVIDENCE_EXCERPT, EVIDENCE_PLACE, EVIDENCE_OFF, EVIDENCE_POLICY_COUNT };

enum evidence_answer {
    EVIDENCE_HOLDS,
    EVIDENCE_DISPUTED,
    EVIDENCE_UNREADABLE,
    EVIDENCE_UNAVAILABLE,
    EVIDENCE_ANSWER_COUNT
};
extern const char *const evidence_answer_names[EVIDENCE_ANSWER_COUNT]; /* "holds", "disputed", … */

/* One reading of one value that a test of a rule holds of; or a test that could not be decided. */
struct evidence_row {
    struct str rule;            /* identity */
    struct str test;            /* as the rule has it; empty: always */
    struct str field;           /* `attachment.name`; empty: no one value decided */
    struct str view;            /* how readers of that reading differ; empty: the best reading */
    struct str text;            /* the excerpt, or why it is undecided; may be empty */
    uint32_t element, elements; /* which of the field's values, from 0, of how many */
    uint32_t from, to;          /* bytes of the text compared; 0, 0: not one place */
    uint8_t answer;             /* enum evidence_answer */
};

struct evidence_list {
    struct str name;
    uint64_t revision;
    bool there; /* false: it was not available */
};

struct evidence {
    struct evidence_row *rows; /* rule after rule, as they ran */
    size_t row_count;
    struct evidence_list *lists;
    size_t list_count;
    bool cut; /* there was more */
};

size_t evidence_row_bytes(const struct evidence_row *r); /* of its texts */

/* Inside the bounds, one printable line of UTF-8 each. */
bool evidence_is_sound(const struct evidence *e);

/* Written, or read: then texts are what `text` reads (as io_pieces). */
void io_evidence(struct wire_io *io, struct evidence *e, void (*text)(struct wire_io *io, struct str *s));

/* As it is stored; nothing for none.  Decoding takes tables from the arena and points into `blob`; false for what is
 * not well formed, or not sound. */
void evidence_encode(const struct evidence *e, struct buf *out);
bool evidence_decode(struct arena *a, struct str blob, struct evidence *out);

#endif
