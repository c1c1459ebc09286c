#include "net/resolve.h"

#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"

struct resolve {
    struct loop *loop;
    uv_getaddrinfo_t request;
    uint16_t port;
    void (*done)(void *owner, const struct resolved *r, const char *why); /* NULL: cancelled */
    void *owner;
    const char *why; /* when it failed before it began */
    struct work work;
};

static bool add(struct resolved *out, const struct sockaddr *a, uint16_t port)
{
    if (out->n == RESOLVE_ADDRESSES_MAX) return false;
    struct sockaddr_storage *to = &out->v[out->n];
    if (a->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof v4);
        v4.sin_port = htons(port);
        memcpy(to, &v4, sizeof v4);
        out->length[out->n++] = sizeof v4;
    } else if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof v6);
        v6.sin6_port = htons(port);
        memcpy(to, &v6, sizeof v6);
        out->length[out->n++] = sizeof v6;
    }
    return true;
}

bool resolve_literal(struct str host, uint16_t port, struct resolved *out)
{
    uint8_t ip[IP_SIZE];
    out->n = 0;
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') host = str_slice(host, 1, host.n - 1);
    if (str_starts_nocase(host, STR("IPv6:"))) host = str_from(host, 5);
    if (!ip_parse(host, ip)) return false;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memcpy(&v4.sin_addr, ip + 12, 4);
    memcpy(&v6.sin6_addr, ip, IP_SIZE);
    add(out, ip_is_v4(ip) ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6, port);
    return true;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve *r = request->data;
    struct resolved *found = mem_alloc(sizeof *found);
    for (struct addrinfo *i = list; i && add(found, i->ai_addr, r->port); i = i->ai_next) continue;
    uv_freeaddrinfo(list);
    if (r->done) r->done(r->owner, found, status ? uv_strerror(status) : "no address");
    free(found);
    free(r);
}

static void tell_failure(struct work *w)
{
    struct resolve *r = LINK_OWNER(w, struct resolve, work);
    if (r->done) r->done(r->owner, &(struct resolved){0}, r->why);
    free(r);
}

struct resolve *resolve_start(struct loop *l, struct str host, uint16_t port,
                              void (*done)(void *owner, const struct resolved *r, const char *why), void *owner)
{
    struct resolve *r = mem_alloc(sizeof *r);
    char name[256];
    r->loop = l;
    r->request.data = r;
    r->port = port;
    r->done = done;
    r->owner = owner;
    r->work.run = tell_failure;
    if (host.n == 0 || host.n >= sizeof name || memchr(host.p, '\0', host.n)) {
        r->why = "not a host name";
    } else {
        memcpy(name, host.p, host.n);
        name[host.n] = '\0';
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        int rc = uv_getaddrinfo(&l->uv, &r->request, on_resolved, name, NULL, &hints);
        if (rc == 0) return r;
        r->why = uv_strerror(rc);
    }
    loop_queue(l, &r->work);
    return r;
}

void resolve_cancel(struct resolve **r)
{
    if (!*r) return;
    if ((*r)->why) {
        loop_unqueue((*r)->loop, &(*r)->work);
        free(*r);
    } else {
        (*r)->done = NULL;
        uv_cancel((uv_req_t *)&(*r)->request); /* its callback still comes, and frees */
    }
    *r = NULL;
}
