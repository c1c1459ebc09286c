/* stdlib/put: the small makers that getters share: a value of each type into what a field says; and the facts that
 * getters and appliers share.
 *
 * Private to stdlib/.  Values live in the judgement's arena. */
#ifndef SLUICE_STDLIB_PUT_H
#define SLUICE_STDLIB_PUT_H

#include "vm/judgement.h"

static inline void put_number(struct judgement *j, struct values *out, int64_t n)
{
    values_one(j, out, (struct view){.number = n});
}
static inline void put_word(struct judgement *j, struct values *out, const char *word)
{
    values_one(j, out, (struct view){.text = str_of(word)});
}
/* An empty text is an absent one. */
static inline void put_text(struct judgement *j, struct values *out, struct str s)
{
    if (s.n) values_one(j, out, (struct view){.text = s});
}

/* The readings of one text. */
void put_views(struct judgement *j, struct element *e, const struct message_text *t);

/* A text of the content: absent when there is nothing in it. */
void put_content_text(struct judgement *j, const struct message_text *t, struct values *out);

/* Instances that nobody read may be there: the header section went beyond a limit. */
void put_limits(struct judgement *j, struct values *out, uint32_t unreadable);

/* Facts of the message that appliers ask for too; of the message as received. */
bool sender_is_inside(const struct judgement *j);  /* sender.scope is inside */
bool is_made_by_machines(struct judgement *j);     /* null reverse-path, or Auto-Submitted (RFC 3834 section 5) */
bool forbids_answers(struct judgement *j);         /* that, or mail of lists and in bulk: RFC 3834 section 2 */

/* Each instance of a field as an element.  What only some readers take for fields stands in a further reading of the
 * whole, behind the others. */
typedef void put_instance(struct judgement *j, const struct message_value *value, struct element *e);
void put_instances(struct judgement *j, struct values *out, const struct message_values *all, put_instance *put);

/* A field that must be unique: each instance is a view, for receiving programs differ in which one they show.  `read`
 * turns the text of an instance into a value and answers false when it is none; NULL: it is the text itself, if any. */
typedef bool put_reader(struct str text, struct view *out);
void put_unique(struct judgement *j, const struct field_ask *ask, struct str name, put_reader *read,
                struct values *out);

#endif
