/* vm/detect: `contains at least 2 credit_card_number confidence 85`: how often a declared detector finds something.
 *
 * A find is a match of the pattern in the folded text whose checksum holds; words nearby make it surer.  The same value
 * twice is one find.  Owns counting and nearness; checksums are the vocabulary's. */
#ifndef SLUICE_VM_DETECT_H
#define SLUICE_VM_DETECT_H

#include "vm/relation.h"

/* The detector of that declaration, prepared once for all tests; lives as long as the program.  NULL with *e. */
const struct ready_detector *detect_load(struct vm_program *r, uint32_t declaration, struct err *e);

/* The positive relation of a test with OPERAND_DETECTOR; unreadable when the search went beyond its budget, or nothing
 * was found and some of the text could not be read. */
enum answer_value detect_holds(struct judgement *j, const struct ready_test *t, struct view *v,
                               struct relation_where *where);
#endif
