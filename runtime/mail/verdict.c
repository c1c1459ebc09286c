#include "mail/verdict.h"

const char *const disposition_names[DISPOSITION_COUNT] = {
    [DISPOSITION_DELIVER] = "deliver", [DISPOSITION_REJECT] = "reject", [DISPOSITION_DROP] = "drop",
    [DISPOSITION_QUARANTINE] = "quarantine", [DISPOSITION_HOLD] = "hold", [DISPOSITION_REDIRECT] = "redirect",
};
