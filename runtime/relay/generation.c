#include "relay/generation.h"

#include <stdlib.h>
#include <string.h>

void generation_unlisten(struct generation *g)
{
    const struct net_port *net = g->relay->net;
    for (size_t i = 0; g->listeners && i < g->settings.listener_count; i++) {
        struct listener *l = &g->listeners[i];
        if (l->open) net->unlisten(net->self, l->open);
        if (l->fd >= 0) g->relay->content->discard(g->relay->content->self, l->fd);
        l->open = NULL;
        l->fd = -1;
    }
}

static void destroy(struct generation *g)
{
    const struct net_port *net = g->relay->net;
    net->timer_clear(net->self, &g->reaper);
    generation_unlisten(g);
    for (size_t i = 0; g->listeners && i < g->settings.listener_count; i++)
        if (g->listeners[i].tls) net->tls_server_release(net->self, g->listeners[i].tls);
    for (size_t i = 0; g->passwords && i < g->settings.connector_count; i++) {
        struct buf *b = &g->passwords[i];
        if (b->p) explicit_bzero(b->p, b->cap);
        buf_free(b);
    }
    judges_free(&g->judges);
    for (struct generation **at = &g->relay->generations; *at; at = &(*at)->next) {
        if (*at != g) continue;
        *at = g->next;
        break;
    }
    arena_free(&g->arena);
    free(g);
}

struct generation *generation_create(struct relay *r, uint64_t number, uint32_t flags, struct str block, struct err *e)
{
    struct generation *g = mem_alloc(sizeof *g);
    g->relay = r;
    g->number = number;
    g->flags = flags;
    g->refs = 1;
    g->arena = arena_create();
    g->next = r->generations;
    r->generations = g;
    if (!settings_decode(g->arena, arena_str(g->arena, block), &g->settings, e)) {
        destroy(g);
        return NULL;
    }
    g->listeners = ARENA_ARRAY(g->arena, struct listener, g->settings.listener_count);
    for (size_t i = 0; i < g->settings.listener_count; i++)
        g->listeners[i] = (struct listener){.generation = g, .settings = &g->settings.listeners[i], .fd = -1};
    g->passwords = ARENA_ARRAY(g->arena, struct buf, g->settings.connector_count);
    memset(g->passwords, 0, g->settings.connector_count * sizeof *g->passwords);
    return g;
}

struct str generation_password(const struct generation *g, const struct connector_settings *k)
{
    INVARIANT(k >= g->settings.connectors && k < g->settings.connectors + g->settings.connector_count);
    return buf_str(&g->passwords[k - g->settings.connectors]);
}

struct generation *generation_ref(struct generation *g)
{
    g->refs++;
    return g;
}

static void reap(void *owner) { destroy(owner); }

void generation_unref(struct generation **at)
{
    struct generation *g = *at;
    *at = NULL;
    if (!g || --g->refs) return;
    g->reaper.fired = reap;
    g->reaper.owner = g;
    g->relay->net->timer_set(g->relay->net->self, &g->reaper, 0);
}

void generation_free_all(struct relay *r)
{
    r->current = NULL;
    while (r->generations) destroy(r->generations);
}

struct listener *generation_listener(struct generation *g, struct str name)
{
    for (size_t i = 0; i < g->settings.listener_count; i++)
        if (str_eq(g->listeners[i].settings->name, name)) return &g->listeners[i];
    return NULL;
}
