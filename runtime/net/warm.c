#include "net/warm.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <uv.h>

#include "net/tls.h"

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    (void)request;
    (void)status; /* the modules are loaded, whatever they answered */
    uv_freeaddrinfo(list);
}

/* A look-up in one of libuv's threads: starts them all, and makes glibc load its name service modules. */
static bool warm_resolver(struct err *e)
{
    uv_loop_t loop;
    uv_getaddrinfo_t request;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int rc = uv_loop_init(&loop);
    if (rc == 0) {
        rc = uv_getaddrinfo(&loop, &request, resolved, "localhost", NULL, &hints);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
    }
    return rc == 0 || err_set(e, EX_OSERR, "cannot start the resolver: %s", uv_strerror(rc));
}

bool net_warm(struct err *e)
{
    tzset();
    return warm_resolver(e) && tls_warm(e);
}
