/* mail/obligation: what a recipient's mail demands of the channel it leaves by: the one type that knows the order.
 *
 * Three demands that only ever rise, joined by maximum (LANGUAGE section 4, DESIGN section 6): who is there, onward
 * (RFC 8689), and the lowest TLS version.  Plan, protocol, store, connection pool and tls_policy use this type; nothing
 * else may compare levels.  A zeroed obligation demands nothing. */
#ifndef SLUICE_MAIL_OBLIGATION_H
#define SLUICE_MAIL_OBLIGATION_H

#include "base/str.h"

enum tls_peer { TLS_PEER_ANY_CHANNEL, TLS_PEER_ENCRYPT, TLS_PEER_VERIFIED, TLS_PEER_DANE };
enum tls_floor { TLS_FLOOR_DEFAULT, TLS_FLOOR_1_2, TLS_FLOOR_1_3 };

struct obligation {
    uint8_t peer;   /* enum tls_peer */
    uint8_t floor;  /* enum tls_floor; the default is the relay's own, TLS 1.2 */
    bool onward;    /* the next hop must promise the same: REQUIRETLS, RFC 8689 */
};

enum { OBLIGATION_TEXT_MAX = 48 };

struct obligation obligation_join(struct obligation a, struct obligation b);
bool obligation_covers(struct obligation strong, struct obligation weak); /* join(strong, weak) == strong */
bool obligation_equal(struct obligation a, struct obligation b);
bool obligation_demands_tls(struct obligation o); /* true: never a byte of it in clear */

/* The one text form, in store, protocol, logs and queue listings: "none", "encrypt", "verified", "dane", each with
 * "+onward" and "+1.3"/"+1.2" behind it where demanded ("verified+onward+1.3").  Decoding accepts exactly what printing
 * writes: anything else is false, and the caller must treat it as damage, never as "none". */
size_t obligation_print(struct obligation o, char out[OBLIGATION_TEXT_MAX]); /* length without the NUL */
bool obligation_parse(struct str s, struct obligation *out);

#endif
