/* vm/shown: how values stand in what people read: explanations, evidence, reports. */
#ifndef SLUICE_VM_SHOWN_H
#define SLUICE_VM_SHOWN_H

#include "vm/judgement.h"

/* At most `most` bytes, cut between characters, control characters as blanks.  Valid UTF-8, whatever it was. */
struct str shown_line(struct arena *a, struct str s, size_t most, bool *cut); /* cut: may be NULL */
/* What a reading of a field (part) says; numbers as numbers. */
struct str shown_value(struct arena *a, const struct ready_ref *ref, const struct view *v);
/* The same, numbers as people write them. */
struct str shown_words(const struct judgement *j, struct arena *a, const struct ready_ref *ref, const struct view *v);
/* `text` from at most `most` bytes before `from`, and to as many behind `to`, whole characters. */
struct str shown_before(struct str text, size_t from, size_t most);
struct str shown_after(struct str text, size_t to, size_t most);

#endif
