#include <sysexits.h>

#include "cli/client.h"

int reload_main(int argc, char **argv)
{
    struct client c = {0};
    const struct option options[] = {CLIENT_SOCKET_OPTION(c.socket)};
    if (options_parse(command_find("reload"), argc, argv, options, 1) > 1)
        return usage("reload", "it takes no argument");
    return client_call(&c, "reload", NULL);
}
