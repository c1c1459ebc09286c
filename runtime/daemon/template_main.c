#include <string.h>
#include <sysexits.h>

#include "builder/template.h"
#include "daemon/roles.h"

int template_main(int argc, char **argv)
{
    struct err e = {0};
    struct template_options o = {
        .supervisor = ROLE_CHANNEL_FD, .relay = ROLE_RELAY_FD, .program = ROLE_PROGRAM_FD, .build_id = role_build_id()};
    if (argc != 3 || !str_to_u64(str_of(argv[0]), &o.generation)) {
        err_set(&e, EX_USAGE, "started by hand: this is sluiced's own business");
        return role_fail("template", &e);
    }
    bool program = strcmp(argv[1], "program") == 0;
    o.source = program ? TEMPLATE_PROGRAM : TEMPLATE_FILE;
    o.config = argv[2];
    if (!role_begin("sluiced-templat", program ? ROLE_PROGRAM_FD : ROLE_RELAY_FD, &e)) return role_fail("template", &e);
    return template_run(&o);
}
