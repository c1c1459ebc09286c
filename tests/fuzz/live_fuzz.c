/* The block of a live list as a judge takes it: verified whole or refused; what is sound is safe to ask and is made
 * again from its own keys, byte for byte.  And entries: whatever they are, a key is one that a block may hold. */
#include <stdlib.h>
#include <string.h>

#include "judge/protocol.h"
#include "mail/live_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct live_list *l, struct str bytes)
{
    uint8_t ip[IP_SIZE] = {0};
    memcpy(ip, bytes.p, bytes.n < sizeof ip ? bytes.n : sizeof ip);
    live_has(l, bytes);
    live_has_ip(l, ip);
    live_has_domain(l, bytes);
    live_has_address(l, bytes, str_from(bytes, bytes.n / 2));
}

static void key_of(uint8_t type, struct str entry)
{
    struct buf key = {0}, block = {0};
    struct live_list l;
    struct err e = {0};
    if (live_key(type, entry, &key, &e)) {
        struct str one = buf_str(&key);
        live_block(type, 1, &one, 1, &block);
        if (!live_open(buf_str(&block), &l, &e) || l.count != 1 || !live_has(&l, one)) abort();
    }
    buf_free(&key);
    buf_free(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct live_list l;
    struct judge_list list;
    struct err e = {0};
    if (size == 0) return 0;
    if (live_open(bytes, &l, &e)) {
        struct str *keys = calloc(l.count + 1, sizeof *keys);
        struct buf again = {0};
        for (uint32_t i = 0; i < l.count; i++) {
            const unsigned char *p = l.offsets + i * 4;
            uint32_t from = p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
            uint32_t to = p[4] | p[5] << 8 | p[6] << 16 | (uint32_t)p[7] << 24;
            keys[i] = str_slice(l.keys, from, to);
            if (!live_has(&l, keys[i])) abort();
        }
        look_up(&l, bytes);
        live_block(l.type, l.revision, keys, l.count, &again);
        /* Networks that touch are two in a block that others made, and one in ours. */
        if (l.type != LIVE_NETWORK && !str_eq(buf_str(&again), bytes)) abort();
        if (!live_open(buf_str(&again), &l, &e)) abort();
        buf_free(&again);
        free(keys);
    }
    if (protocol_is_list(bytes) && protocol_decode_list(bytes, &list, &e)) {
        struct buf out = {0};
        protocol_encode_list(&list, &out);
        if (!str_eq(buf_str(&out), bytes)) abort();
        buf_free(&out);
    }
    key_of((uint8_t)(data[0] % LIVE_TYPE_COUNT), str_from(bytes, 1));
    return 0;
}
