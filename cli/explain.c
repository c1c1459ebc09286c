#include <strings.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "grammar/diag.h"

static const struct {
    const char *id, *title, *text;
} codes[] = {
#define CODE(id, severity, title, text) {#id, title, text},
#include "grammar/codes.def"
#undef CODE
};

int explain_main(int argc, char **argv)
{
    argc = options_parse(command_find("explain"), argc, argv, NULL, 0);
    if (argc != 2) return usage("explain", "which code? For example E201");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcasecmp(codes[i].id, argv[1]) == 0) {
            printf("%s: %s\n\n%s\n", codes[i].id, codes[i].title, codes[i].text);
            return EX_OK;
        }
    fprintf(stderr, "sluice explain: there is no diagnostic `%s`\n", argv[1]);
    return EX_DATAERR;
}
