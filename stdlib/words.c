#include "stdlib/words.h"

#include "stdlib/rows.def"

const struct vocabulary_rows stdlib_rows = {
    field_rows,       sizeof field_rows / sizeof *field_rows,
    action_rows,      sizeof action_rows / sizeof *action_rows,
    declaration_rows, sizeof declaration_rows / sizeof *declaration_rows,
};
