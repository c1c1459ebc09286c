#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

/* Does the word between the dashes and "=" name this option? */
static bool is_named(const struct option *o, const char *word, size_t n)
{
    struct str first, second;
    str_cut(str_of(o->name), ' ', &first, &second);
    struct str w = {word, n};
    return str_eq(first, w) || (second.n && str_eq(second, w));
}

static const struct option *find(const struct option *options, size_t n, const char *word, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (is_named(&options[i], word, length)) return &options[i];
    return NULL;
}

static void take(const struct option *o, const char *value)
{
    if (o->many) VEC_PUSH(&o->many->list, value);
    if (o->value) *o->value = value;
    if (o->flag) *o->flag = true;
}

int options_parse(const struct command *c, int argc, char **argv, const struct option *options, size_t n)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--") == 0) {
            while (++i < argc) argv[kept++] = argv[i];
            break;
        }
        if (a[0] != '-' || a[1] == '\0') {
            argv[kept++] = argv[i];
            continue;
        }
        const char *word = a + (a[1] == '-' ? 2 : 1), *equals = strchr(word, '=');
        size_t length = equals ? (size_t)(equals - word) : strlen(word);
        if (length == 4 && memcmp(word, "help", 4) == 0) {
            printf("usage: sluice %s %s\n%s\n", c->name, c->arguments, c->summary);
            exit(EX_OK);
        }
        const struct option *o = find(options, n, word, length);
        if (!o) exit(usage(c->name, "there is no option `%s`", a));
        if (o->flag && equals) exit(usage(c->name, "`--%.*s` takes no value", (int)length, word));
        if (!o->flag && !equals && i + 1 == argc) exit(usage(c->name, "`%s` wants a value", a));
        take(o, o->flag ? NULL : equals ? equals + 1 : argv[++i]);
    }
    return kept;
}
