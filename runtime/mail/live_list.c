#include "mail/live_list.h"

#include <string.h>
#include <sysexits.h>

#include "base/limits.h"
#include "base/wire.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/fold.h"

const char *const live_type_names[LIVE_TYPE_COUNT] = {
    [LIVE_TEXT] = "text", [LIVE_ADDRESS] = "address", [LIVE_DOMAIN] = "domain", [LIVE_NETWORK] = "network"};

static const struct str magic = {"SLUICEL1", 8};
enum { HEAD_SIZE = 8 + 4 + 8 + 4, OFFSET_SIZE = 4, NETWORK_SIZE = 2 * IP_SIZE };

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool refuse(struct err *e, struct str entry, const char *why)
{
    return err_set(e, EX_DATAERR, "\"%.*s\" %s", (int)(entry.n > 100 ? 100 : entry.n), entry.p ? entry.p : "", why);
}

static bool network_key(struct str entry, struct buf *key)
{
    uint8_t low[IP_SIZE], high[IP_SIZE];
    if (!ip_range_parse(entry, low, high, NULL)) return false;
    buf_add(key, (struct str){(const char *)low, sizeof low});
    buf_add(key, (struct str){(const char *)high, sizeof high});
    return true;
}

static bool text_key(struct str entry, struct buf *key)
{
    size_t before = key->n;
    fold_text(entry, FOLD_TRIM, key, NULL);
    return key->n > before;
}

bool live_key(uint8_t type, struct str entry, struct buf *key, struct err *e)
{
    static const char *const wanted[LIVE_TYPE_COUNT] = {
        [LIVE_TEXT] = "holds nothing that can be seen",
        [LIVE_ADDRESS] = "is no address (every address of a domain is written \"@b.example\")",
        [LIVE_DOMAIN] = "is no domain",
        [LIVE_NETWORK] = "is no network, address or range of addresses"};
    INVARIANT(type < LIVE_TYPE_COUNT);
    if (entry.n > LIVE_ENTRY_MAX) return refuse(e, entry, "is too long for an entry");
    if (!str_is_utf8(entry)) return err_set(e, EX_DATAERR, "an entry is not UTF-8");
    for (size_t i = 0; i < entry.n; i++)
        if ((unsigned char)entry.p[i] < 0x20 || entry.p[i] == 0x7f)
            return err_set(e, EX_DATAERR, "an entry holds a line end or other control character");
    bool ok = type == LIVE_TEXT      ? text_key(entry, key)
              : type == LIVE_ADDRESS ? address_canonical_pattern(entry, key)
              : type == LIVE_DOMAIN  ? domain_canonical(entry, key)
                                     : network_key(entry, key);
    return ok || refuse(e, entry, wanted[type]);
}

/* --- the block ---------------------------------------------------------------------------------------------------- */

/* Whether the range `next` (which does not begin before `last`) touches or overlaps it; then `last` grows. */
static bool network_joins(char *last, const char *next)
{
    uint8_t after[IP_SIZE];
    memcpy(after, last + IP_SIZE, sizeof after);
    size_t i = IP_SIZE;
    while (i > 0 && ++after[i - 1] == 0) i--; /* the address behind the range; all ones wrap to none */
    bool last_of_all = i == 0;
    if (!last_of_all && memcmp(next, after, IP_SIZE) > 0) return false;
    if (memcmp(next + IP_SIZE, last + IP_SIZE, IP_SIZE) > 0) memcpy(last + IP_SIZE, next + IP_SIZE, IP_SIZE);
    return true;
}

/* Networks as disjoint ranges, appended to *out; answers how many. */
static size_t merge_networks(const struct str *keys, size_t n, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        INVARIANT(keys[i].n == NETWORK_SIZE);
        if (count && network_joins(out->p + out->n - NETWORK_SIZE, keys[i].p)) continue;
        buf_add(out, keys[i]);
        count++;
    }
    return count;
}

void live_block(uint8_t type, uint64_t revision, const struct str *keys, size_t n, struct buf *out)
{
    struct buf ranges = {0};
    INVARIANT(n <= LIVE_ENTRIES_MAX);
    if (type == LIVE_NETWORK) n = merge_networks(keys, n, &ranges);
    buf_add(out, magic);
    wire_put_u32(out, type);
    wire_put_u64(out, revision);
    wire_put_u32(out, (uint32_t)n);
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        wire_put_u32(out, at);
        at += (uint32_t)(type == LIVE_NETWORK ? NETWORK_SIZE : keys[i].n);
    }
    wire_put_u32(out, at);
    if (type == LIVE_NETWORK) buf_add(out, buf_str(&ranges));
    else
        for (size_t i = 0; i < n; i++) buf_add(out, keys[i]);
    buf_free(&ranges);
}

static uint32_t offset_at(const struct live_list *l, uint32_t i)
{
    const unsigned char *p = l->offsets + (size_t)i * OFFSET_SIZE;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct str key_at(const struct live_list *l, uint32_t i)
{
    uint32_t from = offset_at(l, i);
    return (struct str){l->keys.p + from, offset_at(l, i + 1) - from};
}

static bool key_is_sound(const struct live_list *l, struct str key, struct str before)
{
    if (l->type != LIVE_NETWORK)
        return key.n && str_is_utf8(key) && str_find_byte(key, '\0') == STR_NPOS &&
               (!before.p || str_cmp(before, key) < 0);
    if (key.n != NETWORK_SIZE || memcmp(key.p, key.p + IP_SIZE, IP_SIZE) > 0) return false;
    return !before.p || memcmp(before.p + IP_SIZE, key.p, IP_SIZE) < 0;
}

bool live_open(struct str block, struct live_list *out, struct err *e)
{
    struct wire w = wire_of(block);
    struct str head = wire_bytes(&w, magic.n);
    uint32_t type = wire_u32(&w);
    *out = (struct live_list){.type = (uint8_t)type};
    out->revision = wire_u64(&w);
    out->count = wire_u32(&w);
    bool sound = !w.failed && str_eq(head, magic) && type < LIVE_TYPE_COUNT && out->count <= LIVE_ENTRIES_MAX &&
                 block.n <= LIVE_BLOCK_MAX && wire_left(&w) / OFFSET_SIZE > out->count;
    if (sound) {
        size_t table = ((size_t)out->count + 1) * OFFSET_SIZE;
        out->offsets = (const unsigned char *)block.p + HEAD_SIZE;
        out->keys = str_from(block, HEAD_SIZE + table);
        sound = offset_at(out, 0) == 0 && offset_at(out, out->count) == out->keys.n;
    }
    struct str before = STR_NONE;
    for (uint32_t i = 0; sound && i < out->count; i++) {
        uint32_t from = offset_at(out, i), to = offset_at(out, i + 1);
        sound = from <= to && to <= out->keys.n && key_is_sound(out, key_at(out, i), before);
        if (sound) before = key_at(out, i);
    }
    return sound || err_set(e, EX_DATAERR, "the block of a live list is not sound");
}

/* --- look-ups ----------------------------------------------------------------------------------------------------- */

/* How many keys are not after `key`, which may be cut off behind its own length. */
static uint32_t keys_upto(const struct live_list *l, struct str key)
{
    uint32_t low = 0, high = l->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(key_at(l, middle), key) <= 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool live_has(const struct live_list *l, struct str key)
{
    uint32_t n = keys_upto(l, key);
    return key.n && n && str_eq(key_at(l, n - 1), key);
}

/* `prefix` and what follows each dot of the domain.  A name too long to be one is in no list. */
static bool has_above(const struct live_list *l, struct str prefix, struct str domain)
{
    char name[8 + LIMIT_DOMAIN];
    struct str head, tail = domain;
    memcpy(name, prefix.p, prefix.n);
    while (str_cut(tail, '.', &head, &tail)) {
        if (tail.n > LIMIT_DOMAIN) continue;
        memcpy(name + prefix.n, tail.p, tail.n);
        if (live_has(l, (struct str){name, prefix.n + tail.n})) return true;
    }
    return false;
}

bool live_has_domain(const struct live_list *l, struct str domain)
{
    return domain.n && (live_has(l, domain) || has_above(l, STR("*."), domain));
}

bool live_has_address(const struct live_list *l, struct str whole, struct str domain)
{
    char name[1 + LIMIT_DOMAIN];
    if (live_has(l, whole)) return true;
    if (!domain.n) return false;
    if (domain.n <= LIMIT_DOMAIN) {
        name[0] = '@';
        memcpy(name + 1, domain.p, domain.n);
        if (live_has(l, (struct str){name, domain.n + 1})) return true;
    }
    return has_above(l, STR("@*."), domain);
}

bool live_has_ip(const struct live_list *l, const uint8_t ip[IP_SIZE])
{
    char key[NETWORK_SIZE];
    if (l->type != LIVE_NETWORK) return false;
    memcpy(key, ip, IP_SIZE);
    memset(key + IP_SIZE, 0xff, IP_SIZE); /* behind every range that begins at the address or before */
    uint32_t n = keys_upto(l, (struct str){key, sizeof key});
    return n && memcmp(key_at(l, n - 1).p + IP_SIZE, ip, IP_SIZE) >= 0;
}
