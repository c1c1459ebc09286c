/* grammar/format_lines: clauses become lines; private to this room.
 *
 * A line is broken before connectives and after commas: a clause that does not fit is first broken at all of its own
 * (outside parentheses), what still does not fit is filled. */
#ifndef SLUICE_GRAMMAR_FORMAT_LINES_H
#define SLUICE_GRAMMAR_FORMAT_LINES_H

#include "grammar/format.h"
#include "grammar/parse.h"

struct comment {
    struct str text;   /* from # on */
    bool blank_before; /* an empty line stands before it */
};

struct word {
    int kind; /* the parser's token */
    struct str text;
    uint32_t from;                  /* its place in the source */
    size_t comments, comment_count; /* in lines of their own before it */
    bool blank_before;              /* an empty line before the word itself */
    struct str beside;              /* the comment after it in its line */
    bool dropped;
};

enum clause_kind {
    CLAUSE_ARGUMENTS, /* a rule's or test's first line, declarations, imports, defaults */
    CLAUSE_CONDITION,
    CLAUSE_DEFINE,
    CLAUSE_LIST,
    CLAUSE_ACTIONS,
    CLAUSE_FACTS
};
struct clause {
    enum clause_kind kind;
    size_t from, to; /* words */
};

struct line {
    size_t from, to; /* in struct format's text */
    struct str comment;
    bool blank_before;
    bool alone; /* a comment's own line, or one whose text has line ends in it: its comment is not aligned */
};

struct format {
    struct arena *arena;
    struct source *source;
    VEC(struct word) words;
    VEC(struct comment) comments;
    VEC(struct clause) clauses; /* of the item at hand */
    VEC(struct line) lines;
    struct buf text;
    size_t name_width, type_width; /* of the adjoining lists */
    size_t column;                 /* where the next word of the last line would stand */
    bool blank_next;               /* an empty line goes before the next line */
};

/* The word that begins there. */
struct word *lines_word_at(const struct format *f, uint32_t from);

/* No comment would be torn from its place if all stood in one line. */
bool lines_clause_is_plain(const struct format *f, const struct clause *c, bool first, bool last);
size_t lines_clause_width(const struct format *f, const struct clause *c);
/* Appends a whole clause to the last line when it is not its item's first, else begins a line. */
void lines_put_flat(struct format *f, const struct clause *c);

/* Appends the clause in lines of its own.  first: the comments above it have been put. */
void lines_put(struct format *f, const struct clause *c, bool first);
void lines_comment(struct format *f, struct str text, bool blank_before);
/* Sees to an empty line somewhere in the comments [first, item] before the line `item`. */
void lines_set_apart(struct format *f, size_t first, size_t item);

void lines_print(struct format *f, struct buf *out); /* frees the text */

#endif
