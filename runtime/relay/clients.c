#include "relay/clients.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/map.h"

enum { BUCKETS = 4096, KEY_V6_PREFIX = 8 };

struct client {
    struct client *next; /* in its bucket */
    uint8_t key[IP_SIZE];
    uint32_t sessions;
    int64_t window; /* when it began */
    uint32_t counts[CLIENT_COUNTS];
};

struct clients {
    struct client *buckets[BUCKETS];
    size_t n, sweep; /* the bucket to be tidied next */
};

struct clients *clients_create(void) { return mem_alloc(sizeof(struct clients)); }

void clients_free(struct clients **at)
{
    if (!*at) return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct client *c = (*at)->buckets[i], *next; c; c = next) {
            next = c->next;
            free(c);
        }
    free(*at);
    *at = NULL;
}

/* Whoever holds an IPv6 network holds all its addresses: a /64 is one client. */
static void key_of(struct str ip, uint8_t key[IP_SIZE])
{
    memset(key, 0, IP_SIZE);
    if (ip_parse(ip, key) && !ip_is_v4(key)) memset(key + KEY_V6_PREFIX, 0, IP_SIZE - KEY_V6_PREFIX);
}

/* Those that hold nothing any more go. */
static void tidy(struct clients *c, size_t bucket, int64_t now)
{
    for (struct client **at = &c->buckets[bucket]; *at;) {
        struct client *one = *at;
        if (one->sessions || now - one->window < CLIENTS_WINDOW_MS) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        free(one);
        c->n--;
    }
}

struct client *clients_enter(struct clients *c, struct str ip, int64_t now)
{
    uint8_t key[IP_SIZE];
    key_of(ip, key);
    size_t bucket = map_hash((struct str){(const char *)key, IP_SIZE}) % BUCKETS;
    c->sweep = (c->sweep + 1) % BUCKETS;
    tidy(c, c->sweep, now);
    struct client *who = c->buckets[bucket];
    while (who && memcmp(who->key, key, IP_SIZE) != 0) who = who->next;
    if (!who) {
        if (c->n >= CLIENTS_MOST) return NULL;
        who = mem_alloc(sizeof *who);
        memcpy(who->key, key, IP_SIZE);
        who->window = now;
        who->next = c->buckets[bucket];
        c->buckets[bucket] = who;
        c->n++;
    }
    who->sessions++;
    return who;
}

void clients_leave(struct clients *c, struct client *who)
{
    (void)c;
    if (!who) return;
    INVARIANT(who->sessions > 0);
    who->sessions--;
}

uint32_t client_sessions(const struct client *who) { return who ? who->sessions : 0; }

bool client_count(struct client *who, enum client_count what, uint32_t most, int64_t now)
{
    if (!who) return true;
    if (now - who->window >= CLIENTS_WINDOW_MS) {
        memset(who->counts, 0, sizeof who->counts);
        who->window = now;
    }
    if (most && who->counts[what] >= most) return false;
    who->counts[what]++;
    return true;
}

uint32_t client_counted(const struct client *who, enum client_count what, int64_t now)
{
    return who && now - who->window < CLIENTS_WINDOW_MS ? who->counts[what] : 0;
}
