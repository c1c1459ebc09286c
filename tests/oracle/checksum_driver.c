/* Reads "NAME<TAB>NUMBER" lines and says of each, on a line of its own, whether the checksum holds: 1 or 0. */
#include <stdio.h>
#include <string.h>

#include "stdlib/checksums.h"

int main(void)
{
    char line[200];
    while (fgets(line, sizeof line, stdin)) {
        struct str whole = str_of(line), name, number;
        if (!str_cut(str_slice(whole, 0, strcspn(line, "\n")), '\t', &name, &number)) return 1;
        puts(checksum_holds(name, number) ? "1" : "0");
    }
    return 0;
}
