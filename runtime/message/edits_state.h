/* message/edits_state: the inside of edits, for runtime/message/edits*.c only.
 *
 * A list of edits is resolved against a message into an effect: per field of the content nothing, or what became of it;
 * the fields that are new; and, when the whole message is written, the splices of the body.  Views and pieces read the
 * effect that the same functions made, so they cannot disagree.  Everything lives in the message's arena.
 *
 * edits.c lists, views and pieces; edits_header.c one edit of the header; edits_body.c which parts a text or a note
 * goes to; edits_text.c how it is written into one part. */
#ifndef SLUICE_MESSAGE_EDITS_STATE_H
#define SLUICE_MESSAGE_EDITS_STATE_H

#include "message/edits.h"
#include "message/state.h"

struct made_field {
    struct str name;
    struct str bytes; /* the whole field with its line end, as it will stand */
    struct str raw;   /* of `bytes`: what stands behind the colon */
    bool gone;
};

enum change_kind { CHANGE_REMOVED, CHANGE_REPLACED, CHANGE_PREPENDED };
struct change {
    enum change_kind kind;
    struct made_field made; /* REPLACED; PREPENDED: as it will be read, `bytes` unused */
    struct str prefix;      /* PREPENDED: the text before the old value */
    struct str insert;      /* PREPENDED: the bytes between [field.from, keep) and [resume, field.to) */
    size_t keep, resume;
};

/* These bytes instead of [from, to) of the content. */
struct splice {
    size_t from, to;
    size_t order; /* as they were added */
    struct str insert;
};
struct splices {
    struct splice *v;
    size_t n, cap;
};
void splice_add(struct arena *a, struct splices *s, size_t from, size_t to, struct str insert);

struct effect {
    size_t place;            /* index of the field before which new ones stand */
    size_t position;         /* in the content */
    struct change **changes; /* per field; NULL: untouched */
    struct made_field *added;
    size_t added_count, added_cap;
    struct splices body; /* of everything but the header section */
    bool wrapped;        /* a new message stands around it: */
    struct str border;   /* what is between its header and the body of the old one */
};

struct edits {
    const struct edits *before;
    uint8_t kind;  /* enum edit_kind */
    bool wrap;     /* of EDIT_APPEND_TEXT and EDIT_PREPEND_TEXT */
    bool has_body; /* this one or one before it changes more than the header */
    struct str name, value;
    struct str html;    /* of texts: the form for HTML; STR_NONE: made from `value` */
    size_t part;        /* of EDIT_REMOVE_PART */
    struct str emitted; /* ADD, SET, and PREPEND where there was no Subject: the whole field */
    size_t count;
    struct effect *effect; /* of the last message it was resolved against */
    const struct message *effect_of;
};

/* edits_header.c: one edit more of the header section. */
struct str edits_field_emit(struct arena *a, struct str name, struct str value);
void effect_of_header(struct message *m, struct effect *f, const struct edits *e);
void effect_set_field(struct message *m, struct effect *f, struct str name, struct str value);
/* A field of the content written anew, in the form that all readers take for one. */
void effect_restate_field(struct message *m, struct effect *f, size_t field);
void effect_remove_field(struct message *m, struct effect *f, struct str name);
/* The live instances of a name in the order of the edited message: fields of the content before the place of new ones,
 * the new ones, the other fields of the content. */
struct instance {
    struct made_field *added; /* or NULL: the field of the content */
    size_t field;
};
struct walk {
    struct message *m;
    struct effect *f;
    struct str name;
    size_t field, added; /* what comes next in each of the two rows */
};
struct walk walk_begin(struct message *m, struct effect *f, struct str name);
bool walk_next(struct walk *w, struct instance *out);
struct str instance_raw(const struct message *m, const struct effect *f, const struct instance *at);

/* UTF-8 with line ends as CR LF and nothing else that a text may not hold; without blank lines at its ends. */
struct str edits_text_clean(struct arena *a, struct str text);

/* edits_body.c: what all edits of the list do to the body; they are in `order`. */
void effect_of_body(struct message *m, struct effect *f, const struct edits *const *order, size_t n);
/* The splices of the header section. */
void effect_header_splices(const struct message *m, const struct effect *f, struct splices *out, struct arena *a);
/* [from, to) of the content with the splices carried out, of which none reaches over its ends. */
struct str splices_apply(struct arena *a, struct str content, size_t from, size_t to, struct splices *s);

#endif
