/* grammar/parse: what the parser's parts share; private to this room.
 *
 * Owns the state of one parse, the semantic values that never leave it, and the builders the grammar's actions call.
 * Everything allocated comes from the arena of the parse; nothing is freed alone. */
#ifndef SLUICE_GRAMMAR_PARSE_H
#define SLUICE_GRAMMAR_PARSE_H

#include "grammar/ast.h"

enum {
    PARSE_TEXT_MAX = 8 * 1024 * 1024,
    PARSE_NESTING_MAX = 200, /* parentheses and `not`, as written */
    PARSE_ERRORS_MAX = 100,
    PARSE_STRAYS = 12
};

/* Lists under construction: append in constant time. */
#define PARSE_LIST(name, type) \
    struct name {              \
        type *first, *last;    \
    }
#define PARSE_APPEND(list, node)                         \
    do {                                                 \
        if ((list)->last) (list)->last->next = (node);   \
        else (list)->first = (node);                     \
        (list)->last = (node);                           \
    } while (0)

/* A dotted name while its parts are read; joined once, when it is used. */
struct path_part {
    struct str name;
    struct path_part *next;
};
struct path {
    struct path_part *first, *last;
    struct span span;
};

PARSE_LIST(argument_list, struct ast_argument);
PARSE_LIST(entry_list, struct ast_entry);
PARSE_LIST(value_list, struct ast_value);
PARSE_LIST(action_list, struct ast_action);
PARSE_LIST(fact_list, struct ast_fact);
PARSE_LIST(condition_list, struct ast_condition);

/* One operand of a chain, as written. */
enum operand_kind {
    OPERAND_FIELD,  /* field, and a verb or none */
    OPERAND_WHERE,  /* quantifier name where ( chain ) */
    OPERAND_GROUP,  /* ( chain ), and a verb or none */
    OPERAND_NOT,    /* not inner */
    OPERAND_VERB,   /* a verb without its field: refused */
    OPERAND_LITERAL /* a value without field and verb: refused */
};
struct operand {
    enum operand_kind kind;
    struct span span;
    struct ast_field *field;
    struct ast_verb *verb;
    struct ast_chain *chain;
    struct operand *inner;
    struct ast_literal *literal;
    enum ast_quantifier quantifier;
    struct str name; /* WHERE */
    struct span name_span;
    bool or_before;         /* the connective before it; meaningless for the first */
    struct span connective; /* its place */
    unsigned depth;
    struct operand *next;
};
struct ast_chain {
    struct operand *first, *last;
    size_t count;
    struct span span;
    unsigned depth;
};

/* A token kept for later: lexical mistakes are mended by handing out what was meant. */
struct parse_token {
    int kind;
    struct span span;
    struct ast_literal *literal;
    struct str name;
};

struct parse {
    struct arena *arena;
    struct source *source;
    ast_is_kind *is_kind;
    struct diags *diags;
    struct ast_file *file;
    struct ast_item *last_item;
    struct ast_allow *last_allow;
    void *scanner;                  /* flex */

    /* lexer */
    uint32_t at;                    /* bytes consumed */
    uint32_t token_from;            /* where a token of several matches began */
    struct parse_token queue[3];    /* handed out before the scanner is asked again */
    size_t queue_head, queue_count;
    unsigned parens, nots;          /* open at this place */

    /* recovery and messages */
    bool resync;                    /* skip to the next item */
    struct parse_token found;       /* the last token handed to the parser … */
    struct parse_token previous;    /* … and the one before */
    struct parse_token strays[PARSE_STRAYS]; /* the last names since the last keyword, oldest first from stray_count */
    size_t stray_count;
    struct str pending;             /* the name of a list or define being read; its item may yet break */
    struct span pending_span;
    size_t errors_before;           /* diags->errors when this source began */
    bool too_deep;                  /* E115 was told for this item */
};

struct span span_join(struct span a, struct span b);
struct str span_text(const struct parse *p, struct span s);

/* lexing: literal.c (well-formed) and mistake.c (what people write instead) */
struct ast_literal *literal_new(struct parse *p, enum ast_literal_kind kind, struct span at);
struct ast_literal *literal_text(struct parse *p, struct span at);            /* "…" with its quotes */
struct ast_literal *literal_block(struct parse *p, struct span at);                   /* three quotes on each side */
struct ast_literal *literal_regex(struct parse *p, struct span at);           /* /…/flags */
struct ast_literal *literal_number(struct parse *p, struct span at);
struct ast_literal *literal_date(struct parse *p, struct span at);
struct ast_literal *literal_clock(struct parse *p, struct span at);
struct ast_literal *literal_network(struct parse *p, struct span at);
/* A number and the word after it: a SIZE or DURATION literal, mended and told if the unit is a common mistake, or NULL
 * when the word is no unit (then only the number was read). */
struct ast_literal *literal_with_unit(struct parse *p, struct span at);
struct str name_folded(struct parse *p, struct span at);

/* Tells one lexical mistake and queues the tokens that were meant (none: it is skipped).  mistake_sign handles < > <=
 * and so on; mistake_quotes a text in other quotes; mistake_hyphen `content-type`, answering how many bytes to take. */
void mistake_sign(struct parse *p, struct span at);
void mistake_negation(struct parse *p, struct span at);   /* isn't, doesn't */
void mistake_quotes(struct parse *p, struct span at, size_t open, size_t close);
void mistake_unclosed_quotes(struct parse *p, struct span at);
void mistake_address(struct parse *p, struct span at);
size_t mistake_hyphen(struct parse *p, struct span at);
void mistake_date(struct parse *p, struct span at);
void mistake_character(struct parse *p, struct span at);
void mistake_foreign_name(struct parse *p, struct span at);
void mistake_unclosed_text(struct parse *p, struct span at);
void mistake_unclosed_pattern(struct parse *p, struct span at);
void mistake_fraction(struct parse *p, struct span at);
void mistake_glued(struct parse *p, struct span at);      /* 5x, 7bit */
/* allow.c: a comment, which may allow a warning. */
void allow_comment(struct parse *p, struct span at);
void parse_queue(struct parse *p, int kind, struct span at, struct ast_literal *literal, struct str name);

/* builders: what the grammar's actions call */
struct str build_path_name(struct parse *p, const struct path *path);
struct path build_path(struct parse *p, struct str name, struct span at);
void build_path_add(struct parse *p, struct path *path, struct str name, struct span at);
struct ast_argument *build_argument(struct parse *p, enum ast_argument_kind kind, struct span at);
struct ast_entry *build_entry(struct parse *p, struct ast_argument *first, struct span at);
struct ast_field *build_field(struct parse *p, const struct path *path, struct ast_literal *text, struct span at);
struct ast_value *build_value(struct parse *p, struct ast_literal *l, struct ast_field *f, struct span at);
struct ast_set *build_set(struct parse *p, struct ast_value *values, bool parenthesised, struct span at);
struct ast_verb *build_verb(struct parse *p, enum ast_verb_kind kind);
void build_count(struct parse *p, struct ast_verb *v, const struct ast_literal *least, const struct ast_literal *most);
void build_at_least(struct parse *p, struct ast_verb *v, const struct ast_literal *least);
void build_pattern_text(struct parse *p, struct ast_literal *l);
struct operand *build_operand(struct parse *p, enum operand_kind kind, struct span at);
void build_operand_not(struct parse *p, struct operand *o, struct operand *inner, struct span keyword);
void build_operand_chain(struct parse *p, struct operand *o, struct ast_chain *chain);
struct ast_chain *build_chain(struct parse *p, struct operand *first);
void build_chain_add(struct ast_chain *c, struct operand *o, bool is_or, struct span connective);
struct ast_condition *build_condition(struct parse *p, struct ast_chain *c);
struct ast_condition *build_always(struct parse *p, struct span at);
struct ast_action *build_action(struct parse *p, struct str name, struct span name_span, struct ast_argument *arguments,
                                struct span at);
struct ast_fact *build_fact(struct parse *p, const struct path *path, bool negated, struct span at);
void build_fact_absent(struct ast_fact *f);
struct ast_item *build_item(struct parse *p, enum ast_item_kind kind, struct span at);
void build_item_done(struct parse *p, struct ast_item *item); /* appends it to the file */
void build_broken_item(struct parse *p);                      /* keeps at least the name of what was being read */
void build_pending(struct parse *p, struct str name, struct span at);
/* Tells, once an item, that `nesting` parentheses and `not`s are too many; false when they are not. */
bool build_too_deep(struct parse *p, unsigned nesting, struct span at);

/* keywords and names for messages */
int keyword_find(struct str word);          /* its token, or 0 */
const char *keyword_spelling(int token);    /* NULL when the token is no keyword */
bool token_starts_item(int token);          /* rule when list define import test defaults; not KIND */

#endif
