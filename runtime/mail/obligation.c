#include "mail/obligation.h"

#include <string.h>

#include "base/err.h"

static const char *const peer_names[] = {"none", "encrypt", "verified", "dane"};
static const char *const floor_names[] = {"", "+1.2", "+1.3"};
enum { PEERS = sizeof peer_names / sizeof *peer_names, FLOORS = sizeof floor_names / sizeof *floor_names };

struct obligation obligation_join(struct obligation a, struct obligation b)
{
    return (struct obligation){
        .peer = a.peer > b.peer ? a.peer : b.peer,
        .floor = a.floor > b.floor ? a.floor : b.floor,
        .onward = a.onward || b.onward,
    };
}

bool obligation_equal(struct obligation a, struct obligation b)
{
    return a.peer == b.peer && a.floor == b.floor && a.onward == b.onward;
}

bool obligation_covers(struct obligation strong, struct obligation weak)
{
    return obligation_equal(obligation_join(strong, weak), strong);
}

/* Onward and a floor are demands on a TLS channel too: whoever makes them alone still never wants clear text. */
bool obligation_demands_tls(struct obligation o)
{
    return o.peer != TLS_PEER_ANY_CHANNEL || o.onward || o.floor != TLS_FLOOR_DEFAULT;
}

size_t obligation_print(struct obligation o, char out[OBLIGATION_TEXT_MAX])
{
    INVARIANT(o.peer < PEERS && o.floor < FLOORS);
    const char *parts[] = {peer_names[o.peer], o.onward ? "+onward" : "", floor_names[o.floor]};
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t part = strlen(parts[i]);
        memcpy(out + n, parts[i], part);
        n += part;
    }
    out[n] = '\0';
    return n;
}

/* There are few obligations, so the printed forms are the grammar: what none of them prints is damage. */
bool obligation_parse(struct str s, struct obligation *out)
{
    for (unsigned i = 0; i < PEERS * FLOORS * 2; i++) {
        struct obligation o = {(uint8_t)(i % PEERS), (uint8_t)(i / PEERS % FLOORS), i / (PEERS * FLOORS) != 0};
        char text[OBLIGATION_TEXT_MAX];
        size_t n = obligation_print(o, text);
        if (!str_eq(s, (struct str){text, n})) continue;
        *out = o;
        return true;
    }
    return false;
}
