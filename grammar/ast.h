/* grammar/ast: the tree of one rule file (LANGUAGE section 1).
 *
 * Two steps make it: ast_parse reads one source; ast_fold, once the names of all files are known, judges ellipsis: runs
 * are folded, mixed chains refused.  Folding cannot come earlier: `authenticated and sender is "x"` and
 * `subject and body contains "x"` have one shape, and only the names' owner knows which words stand bare.
 *
 * The grammar knows no mail: names are names, arguments are unread.  Every node bears its span.  All nodes live in the
 * arena given to the parser, names and texts there or in the source's own text, which must live as long; lists are
 * singly linked through `next`, in source order.  Depth is bounded (AST_DEPTH_MAX), so walkers may recurse. */
#ifndef SLUICE_GRAMMAR_AST_H
#define SLUICE_GRAMMAR_AST_H

#include "grammar/diag.h"

enum ast_literal_kind {
    LITERAL_TEXT,
    LITERAL_REGEX,
    LITERAL_NUMBER,
    LITERAL_SIZE,
    LITERAL_DURATION,
    LITERAL_DATE,
    LITERAL_CLOCK,
    LITERAL_NETWORK
};

enum { REGEX_FLAG_S = 1, REGEX_FLAG_M = 2, REGEX_FLAG_X = 4, REGEX_FLAG_C = 8 };

struct ast_literal {
    enum ast_literal_kind kind;
    struct span span;
    struct str text;   /* TEXT: the value, escapes resolved.  REGEX: the pattern between the slashes, as written.
                          Others: as written */
    int64_t number;    /* NUMBER; SIZE in bytes; DURATION in seconds; CLOCK in minutes; DATE: UTC seconds if it has a
                          zone, else seconds as if UTC, to be shifted by the relay's zone */
    bool date_only;    /* DATE without a time of day */
    bool date_zoned;   /* DATE with Z */
    uint8_t flags;     /* REGEX_FLAG_… */
};

enum ast_argument_kind { ARGUMENT_LITERAL, ARGUMENT_NAME, ARGUMENT_NO, ARGUMENT_GROUP };

/* literal | name.name | no | ( entry, entry ).  An entry is itself a list of arguments. */
struct ast_argument {
    enum ast_argument_kind kind;
    struct span span;
    struct ast_literal *literal;
    struct str name;            /* NAME, dots included, lower case */
    struct ast_entry *entries;  /* GROUP */
    struct ast_argument *next;
};
struct ast_entry {
    struct ast_argument *arguments;
    struct span span;
    struct ast_entry *next;
};

enum ast_quantifier { QUANTIFIER_NONE, QUANTIFIER_ANY, QUANTIFIER_EVERY, QUANTIFIER_NO };

struct ast_field {
    enum ast_quantifier quantifier;
    struct str name;            /* dotted, lower case: "recipient.domain" */
    struct ast_literal *text;   /* header "X-Foo", marked "seen"; NULL without */
    struct span span;           /* with quantifier and text */
    struct span name_span;
    struct ast_field *next;     /* the next field of a run */
};

/* A value is a literal or a field (a word of an enumeration, a list's name, or another field: decided by names). */
struct ast_value {
    struct ast_literal *literal; /* one of the two is set */
    struct ast_field *field;
    struct span span;
    struct ast_value *next;
};
/* set = field | NETWORK | ( value, … ) */
struct ast_set {
    struct ast_value *values;
    bool parenthesised;
    struct span span;
};

enum ast_verb_kind {
    VERB_IS,           /* value */
    VERB_IS_ANY_OF,    /* set */
    VERB_IS_IN,        /* set */
    VERB_IS_LIKE,      /* TEXT in `value`, or `set` after any of */
    VERB_IS_PRESENT,
    VERB_IS_ABSENT,
    VERB_IS_OVER,
    VERB_IS_UNDER,
    VERB_IS_AT_LEAST,
    VERB_IS_AT_MOST,
    VERB_IS_BETWEEN,   /* value and value2 */
    VERB_IS_BEFORE,
    VERB_IS_AFTER,
    VERB_CONTAINS,     /* needle */
    VERB_MATCHES,      /* literal REGEX (or TEXT, refused later), or set with `many` */
    VERB_STARTS_WITH,  /* TEXT, or set after any of */
    VERB_ENDS_WITH
};

enum ast_many { MANY_NONE, MANY_ANY, MANY_ALL, MANY_AT_LEAST };

struct ast_verb {
    enum ast_verb_kind kind;
    bool negated;               /* is not …, does not … */
    struct span span;
    struct ast_value *value, *value2;
    struct ast_set *set;
    enum ast_many many;         /* contains any|all|at least N [word] of, matches any|all of */
    bool word;                  /* contains word "x", contains any word of (…) */
    bool counted;               /* contains at least N x | between N and M x */
    int64_t least, most;        /* most = -1: open */
    struct str detector;        /* contains NAME arguments */
    struct span detector_span;
    struct ast_argument *arguments;
};

/* No condition is deeper; what is deeper is told as E115 and cut off.  Written nesting ends at 200 levels; a chain of
 * n operands becomes a balanced tree, which adds log2(n) levels.  Groups of arguments: 200. */
enum { AST_DEPTH_MAX = 1000 };

enum ast_condition_kind {
    CONDITION_ALWAYS,
    CONDITION_AND,  /* left, right */
    CONDITION_OR,
    CONDITION_NOT,  /* left */
    CONDITION_TEST, /* fields (one, or a run) and a verb; no verb: a yes/no field or a define, standing bare */
    CONDITION_WHERE, /* quantifier name where ( left ) */
    CONDITION_CHAIN  /* only between ast_parse and ast_fold; ast_fold leaves none */
};
struct ast_chain;    /* parsed, not yet folded: private to grammar/ */

struct ast_condition {
    enum ast_condition_kind kind;
    struct span span;
    struct ast_condition *left, *right;
    struct ast_field *fields;
    bool run_is_and;            /* the connective of a run of two or more fields */
    struct ast_verb *verb;
    enum ast_quantifier quantifier;
    struct str name;            /* WHERE */
    struct span name_span;
    struct ast_chain *chain;    /* CHAIN */
    bool refused;               /* an error was told here; do not tell another about it */
    uint16_t depth;             /* levels below and including this one */
    struct ast_condition *next; /* in a list of unless conditions */
};

struct ast_action {
    struct str name;
    struct span name_span, span;
    struct ast_argument *arguments;
    struct ast_action *next;
};

struct ast_rule {
    struct ast_literal *name;   /* NULL: a nameless rule */
    struct ast_argument *options;
    struct ast_condition *when;
    struct ast_condition *unless; /* before and after the actions alike */
    struct ast_action *actions;
};

/* given: a path with details, or not path */
struct ast_fact {
    bool negated, absent;
    struct str name;
    struct span name_span, span;
    struct ast_argument *details; /* a KIND among them is an ARGUMENT_NAME */
    struct ast_fact *next;
};

enum ast_item_kind {
    ITEM_IMPORT, ITEM_DEFAULTS, ITEM_LIST, ITEM_DEFINE, ITEM_RULE, ITEM_TEST, ITEM_DECLARATION,
    ITEM_BROKEN /* a list or define that could not be read: its name exists, so using it is no second error */
};

struct ast_item {
    enum ast_item_kind kind;
    struct span span;
    struct str name;              /* LIST, DEFINE, DECLARATION (its KIND) */
    struct span name_span;
    struct ast_literal *text;     /* IMPORT, TEST, LIST … in file|table TEXT */
    struct str element_type;      /* LIST … of NAME */
    struct span element_type_span;
    struct str origin;            /* LIST in NAME "…": "file" or "table"; empty for an inline list */
    struct span origin_span;
    struct ast_value *elements;   /* LIST */
    struct ast_argument *arguments; /* DEFAULTS, DECLARATION */
    struct ast_condition *condition; /* DEFINE */
    struct ast_rule rule;         /* RULE */
    struct ast_fact *facts;       /* TEST: of all givens */
    struct ast_action *expect;    /* TEST */
    struct ast_item *next;
};

/* Tells whether a name is a declaration's (KIND in the grammar); the vocabulary's owner hands it in. */
typedef bool ast_is_kind(struct str name);

/* # allow W304 because "…" */
struct ast_allow {
    struct span span; /* the comment */
    enum diag_code code;
    struct ast_allow *next;
};

struct ast_file {
    struct source *source;
    struct ast_item *items;
    struct ast_allow *allows; /* in source order */
};

/* Parses one source.  Always answers a tree of what could be read; diagnostics go to d.  Limits: 8 MiB of text, nesting
 * bounded by YYMAXDEPTH (told as E115, never a crash).  Conditions are still chains: call ast_fold before reading
 * them. */
struct ast_file *ast_parse(struct arena *a, struct source *s, ast_is_kind *is_kind, struct diags *d);

/* Tells whether a name standing bare is a complete test: a yes/no field or a define (of any file in the run).  Such a
 * name is never part of a run.  Unknown names: false. */
typedef bool ast_stands_bare(void *context, struct str name);

/* Judges ellipsis in every condition of the file (E121 to E128) and replaces its chains by AND, OR, NOT, TEST and
 * WHERE. A condition that was refused becomes CONDITION_ALWAYS with an empty chain pointer and `refused` set, so that
 * walkers need no further case; the run has failed anyway.  To be called once, after the names of all files are
 * collected. */
void ast_fold(struct arena *a, struct ast_file *f, ast_stands_bare *stands_bare, void *context, struct diags *d);

/* The tree as indented text, for goldens.  Also prints what is not yet folded. */
void ast_print(const struct ast_file *f, struct buf *out);

/* A folded rule in one line, the same for every layout: one blank between words, keywords and names in lower case,
 * texts re-escaped, comments gone, every `unless` before `then`.  The identity of a nameless rule is a hash of this. 
 * The name is printed too when there is one. */
void ast_rule_canonical(const struct ast_rule *rule, struct buf *out);

#endif
