/* mail/live_list: one list that is edited while the relay runs, as a block of bytes (DESIGN section 3, LANGUAGE section
 * 4).
 *
 * The relay builds the block, a sealed memfd carries it, a judge verifies it whole before it looks anything up: neither
 * trusts the other.  Owns what an entry of each type is compared by (its key), the block's form, and the look-ups,
 * which mean what `is in` means for a list written in the rules.  A block is a header, count + 1 offsets, and the keys
 * in ascending order, each once; networks are disjoint ranges of twice sixteen bytes. */
#ifndef SLUICE_MAIL_LIVE_LIST_H
#define SLUICE_MAIL_LIVE_LIST_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/vec.h"

enum live_type { LIVE_TEXT, LIVE_ADDRESS, LIVE_DOMAIN, LIVE_NETWORK, LIVE_TYPE_COUNT };
extern const char *const live_type_names[LIVE_TYPE_COUNT]; /* "text", "address", … as in `list x of …` */

enum {
    LIVE_LISTS_MAX = 64,         /* of one rule set */
    LIVE_ENTRIES_MAX = 1000000,  /* of one list */
    LIVE_ENTRY_MAX = 1000,       /* bytes of one entry as written */
    LIVE_BLOCK_MAX = 64 * 1024 * 1024
};

/* Appends what `entry` is compared by: an address or domain in canonical form, a text folded, a network as its two
 * ends.  False with *e (EX_DATAERR, one sentence) when it is no entry for a list of this type. */
bool live_key(uint8_t type, struct str entry, struct buf *key, struct err *e);

/* Appends a block.  `keys` are in ascending order (str_cmp), each once; at most LIVE_ENTRIES_MAX. */
void live_block(uint8_t type, uint64_t revision, const struct str *keys, size_t n, struct buf *out);

/* A verified block; views into it. */
struct live_list {
    uint8_t type; /* enum live_type */
    uint64_t revision;
    uint32_t count;
    const unsigned char *offsets;
    struct str keys;
};
/* False with *e (EX_DATAERR) for anything but a block as live_block makes it: every length, order and key is looked
 * at once, so that look-ups need not. */
bool live_open(struct str block, struct live_list *out, struct err *e);

bool live_has(const struct live_list *l, struct str key); /* this very key */
/* Both canonical: the address itself, "@" its domain, or "@*." a domain above. */
bool live_has_address(const struct live_list *l, struct str whole, struct str domain);
bool live_has_domain(const struct live_list *l, struct str domain); /* itself, or "*." a domain above */
bool live_has_ip(const struct live_list *l, const uint8_t ip[IP_SIZE]); /* of a list of networks; else false */

#endif
