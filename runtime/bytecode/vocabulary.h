/* bytecode/vocabulary: the shape of a row of the vocabulary: fields, actions, their parameters, options, declarations.
 *
 * The rows themselves are stdlib's *.def tables; compiler, VM, documentation and the command line read them.  This
 * header owns only types and enums.  Ids are positions in the tables: a program names the vocabulary's hash and is
 * refused under another. */
#ifndef SLUICE_BYTECODE_VOCABULARY_H
#define SLUICE_BYTECODE_VOCABULARY_H

#include "base/str.h"

enum value_type {
    TYPE_TEXT, TYPE_ADDRESS, TYPE_DOMAIN, TYPE_NUMBER, TYPE_SIZE, TYPE_DURATION, TYPE_DATE, TYPE_CLOCK, TYPE_NETWORK,
    TYPE_WORD,  /* one of the row's own words */
    TYPE_YESNO, /* written bare */
    TYPE_NAME   /* parameters only: the name of a list, connector, rule … ; which is in `words` */
};

/* What a field is a fact of (LANGUAGE section 2). */
enum fact_of { FACT_MESSAGE, FACT_RECIPIENT, FACT_ELEMENT };

/* The text after a field: header "X", marked "x", sender.attribute "X". */
enum field_text { FIELD_TEXT_NONE, FIELD_TEXT_HEADER, FIELD_TEXT_MARK, FIELD_TEXT_NAME };

/* Part of an address-valued field. */
enum address_part { PART_WHOLE, PART_ADDRESS, PART_LOCAL, PART_DOMAIN, PART_NAME };

struct field_row {
    const char *name;
    enum value_type type;
    enum fact_of of;
    enum field_text text;
    bool many;              /* several values at once (to, cc, header "X"): FACT_ELEMENT, quantifiers, where */
    bool editable;          /* an earlier rule's edit can change it: evaluated per edit class */
    const char *words;      /* TYPE_WORD: "inside outside", space-separated */
    const char *doc, *example;
    const char *needs;      /* NULL, or what it needs that this relay has not got (bytecode/needs.h) */
};

/* How an action joins with earlier ones of its kind (LANGUAGE section 4). */
enum action_join { JOIN_ACCUMULATE, JOIN_MAXIMUM, JOIN_LAST, JOIN_FINAL, JOIN_STOP, JOIN_UNION, JOIN_LATEST };
enum action_guard { GUARD_NEITHER, GUARD_PROTECTS, GUARD_RELAXES };

struct param_row {
    const char *name;       /* as option word: set_header name "X" value "9" */
    enum value_type type;
    /* TYPE_WORD: the words.  TYPE_NAME: what is named ("connector", "list:domain").  TYPE_TEXT: the form the compiler
     * holds it to ("", "path", "header" …: see the tables).  TYPE_NUMBER: "least most".  TYPE_ADDRESS: "field" where
     * one may stand for it. */
    const char *words;
    bool positional;        /* may be given without its name, in the order of the rows */
    bool required;
    bool template;          /* {subject}, {sender}, {rule} … are filled in */
    bool many;              /* may be given several times, or as (a, b) */
};

enum { ACTION_PARAMS_MAX = 8, DECLARATION_PARAMS_MAX = 24 };

struct action_row {
    const char *name;
    enum action_join join;
    enum action_guard guard;
    bool final;
    struct param_row params[ACTION_PARAMS_MAX];
    size_t param_count;
    const char *doc, *example;
    const char *needs;      /* as in field_row */
};

/* relay, listener, connector, retry. */
struct declaration_row {
    const char *name;
    bool named;             /* its first argument is its name */
    bool once;              /* at most one in a set */
    struct param_row params[DECLARATION_PARAMS_MAX];
    size_t param_count;
    const char *doc, *example;
};

/* The rows of one vocabulary together: what a verifier is handed.  Order is identity. */
struct vocabulary_rows {
    const struct field_row *fields;
    size_t field_count;
    const struct action_row *actions;
    size_t action_count;
    const struct declaration_row *declarations;
    size_t declaration_count;
};

/* The type of a part of a field: the row's own for PART_WHOLE.  stdlib/parts.def says the same. */
enum value_type vocabulary_part_type(const struct field_row *row, uint8_t part);

/* Whether a text of that part stands as a reader sees it, so that look-alikes of it can be meant: texts, display names,
 * an address with its name; never what programs compare (local parts, domains). */
bool vocabulary_is_seen(const struct field_row *row, uint8_t part);

/* Whether its declarations are what `contains NAME` finds, and no part of the configuration. */
bool vocabulary_is_detector(const struct declaration_row *row);
/* "least most" of a TYPE_NUMBER parameter; without: from 0. */
void vocabulary_range(const char *words, int64_t *least, int64_t *most);

/* SHA-256 over everything in the rows that a compiled program relies on (documentation and examples left out). */
void vocabulary_hash(const struct vocabulary_rows *rows, uint8_t out[32]);
/* Whether the one stands for an element of the other, or for a part of that element: attachment, attachment.size. */
bool vocabulary_is_of_element(const struct field_row *row, const struct field_row *element);
/* Whether `word` is one of the space-separated words of a row. */
bool vocabulary_has_word(const char *words, struct str word);

#endif
