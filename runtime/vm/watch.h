/* vm/watch: what must be seen in a field for one test to answer anything but `no`.
 *
 * Made once for each test from what vm/load prepared; the index (vm/index) watches for it.  A watch is a necessary
 * condition of the positive relation and never more: the test itself decides.  What no watch can see (a field that is
 * undecided, edits) is the index's to mind. */
#ifndef SLUICE_VM_WATCH_H
#define SLUICE_VM_WATCH_H

#include "base/vec.h"
#include "vm/ready.h"

enum watch_how {
    WATCH_LITERAL, /* these bytes somewhere in the text */
    WATCH_WORD,    /* a run of ASCII letters and digits that is this one, whole */
    WATCH_KEY,     /* the value, or what stands above it, is this */
    WATCH_PROBE,   /* the relation itself, asked of each view: cheap enough */
    WATCH_PRESENT  /* any value at all */
};
/* Which form of a value a key compares: a reading of the text, or one of these. */
enum { KEY_ADDRESS = READING_COUNT, KEY_DOMAIN, KEY_WORD, KEY_COUNT };

struct watch_item {
    uint8_t how;  /* enum watch_how */
    uint8_t form; /* LITERAL, WORD: enum reading; KEY: enum reading or KEY_… */
    char next;    /* LITERAL: what stands behind it, unless that is not ASCII; NUL: anything */
    uint32_t needle; /* LITERAL, WORD: of which needle it is; NO_INDEX: of none */
    struct str text;
};
/* Any of the items may be the one that is seen.  No items: nothing can be watched for. */
struct watch {
    const struct watch_item *items;
    uint32_t count;
    uint32_t cost; /* how often it may be seen in vain, roughly: the smaller the better */
};

/* Items live in `a`; texts there or in the loaded program. */
struct watch watch_test(struct arena *a, const struct vm_program *p, const struct ready_test *t);

/* For `sluice dump`: ` literal "top secret"`, ` key "b.example"`, …. */
void watch_print(const struct watch *w, struct buf *out);

#endif
