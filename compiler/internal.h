/* compiler/internal: what the compiler's files share: one compilation, its tables under construction, its intermediate
 * form.
 *
 * Order of work (compiler.c): load (files, imports) · names (lists, definitions, connectors) · fold (grammar) ·
 * lists · definitions · declarations · rules · code.  Scratch memory is `a`; what the program keeps goes to
 * `p->arena`. */
#ifndef SLUICE_COMPILER_INTERNAL_H
#define SLUICE_COMPILER_INTERNAL_H

#include "base/map.h"
#include "bytecode/program.h"
#include "compiler/compiler.h"
#include "compiler/words.h"
#include "grammar/ast.h"

enum {
    COMPILER_DEPTH_MAX = 400, /* of a condition with its definitions written out */
    COMPILER_IMPORT_DEPTH_MAX = 64,
    COMPILER_LINT_MAX = 2000,  /* instructions of a condition that is looked at whole */
    COMPILER_RULE_CODE_MAX = 65536, /* instructions of one rule */
    COMPILER_CODE_MAX = PROGRAM_ROWS_MAX,
    COMPILER_REPLY_TEXT_MAX = 400, /* RFC 5321 section 4.5.3.1.5: 512 bytes with code and status */
};

/* One rule file. */
struct unit {
    struct source *source;
    struct str key;       /* its path, normalised: a file is read once */
    struct str directory; /* of imports and list files; empty: the current one */
    struct ast_file *ast;
    uint32_t index; /* among the units */
    bool loading;   /* an import of it now is a circle */
    bool library;   /* std/…: what nobody uses of it is no mistake */
};

/* Where the lines of a source begin: origins are wanted for every test of ten thousand rules. */
struct line_index {
    uint32_t *starts;
    uint32_t n;
    uint32_t *characters; /* before each CHARACTER_STRIDE-th byte, so that a place on a long line is found at once */
};

/* --- pool.c: the program's tables under construction, equal rows kept once --- */
struct pool {
    struct arena *arena;   /* the program's */
    struct arena *scratch; /* of keys */
    struct map known;      /* a row's bytes -> its index + 1 */
    struct buf key;
    VEC(struct constant) constants;
    VEC(struct program_list) lists;
    VEC(struct pattern_source) patterns;
    VEC(struct field_ref) field_refs;
    VEC(struct test) tests;
    VEC(struct argument) arguments;
    VEC(struct action) actions;
    VEC(struct rule) rules;
    VEC(struct declaration) declarations;
    VEC(uint32_t) code;
    VEC(struct program_mail) mails;
    VEC(struct given) givens;
    VEC(struct expectation) expectations;
    VEC(uint32_t) scopes;
    VEC(struct program_case) cases;
};
void pool_init(struct pool *pool, struct arena *arena, struct arena *scratch);
void pool_free(struct pool *pool);
struct str pool_text(struct pool *pool, struct str s); /* a copy in the program's arena, equal texts once */
uint32_t pool_constant(struct pool *pool, const struct constant *c);
/* A list of constants of one type; equal unnamed lists are kept once. */
uint32_t pool_list(struct pool *pool, struct str name, enum value_type type, const struct constant *v, size_t n);
uint32_t pool_live_list(struct pool *pool, struct str name, enum value_type type, struct str table);
uint32_t pool_patterns(struct pool *pool, const struct pattern_source *v, size_t n); /* index of the first */
uint32_t pool_field(struct pool *pool, uint32_t field, struct str text, enum address_part part);
uint32_t pool_test(struct pool *pool, const struct test *t); /* the origin does not make it another test */
bool pool_is_full(const struct pool *pool);                  /* some table has more rows than a program may */
void pool_finish(struct pool *pool, struct program *p);

/* --- the intermediate form of a condition --- */
enum ir_kind { IR_ALWAYS, IR_AND, IR_OR, IR_NOT, IR_TEST, IR_LOOP };
struct ir {
    enum ir_kind kind;
    struct ir *left, *right;
    uint32_t index;             /* TEST: the test; LOOP: the field reference */
    enum quantifier quantifier; /* LOOP */
    struct span at;             /* what was written; of a definition: where it is defined */
    uint16_t height;            /* levels */
    uint16_t need, rest;        /* answers on the stack: as written; after a first operand of the same chain */
    uint32_t size;              /* instructions, written out */
    bool content;               /* some test reads content (READS_CONTENT) */
    bool recipients;            /* some test is of each recipient for itself */
    bool linted, doubted;       /* lint.c has looked at it (a definition is shared), and told something */
    struct ir *alike;           /* lookalikes.c: the same with look-alikes folded; NULL: not asked for yet */
    uint32_t normal[2];         /* normal.c: of its denial, of itself; 0: not asked for yet */
};

/* --- names --- */
enum name_kind { NAME_LIST, NAME_DEFINE, NAME_BROKEN };
enum name_state { NAME_NEW, NAME_BUSY, NAME_DONE, NAME_FAILED };
struct name {
    enum name_kind kind;
    enum name_state state;
    struct str name;
    struct span at;
    struct ast_item *item;
    struct unit *unit;
    bool used;
    enum value_type type;      /* LIST */
    struct constant *elements; /* LIST, once done */
    size_t element_count;
    uint32_t index; /* LIST: in the program */
    bool live;      /* LIST: in a table, edited while the relay runs */
    struct ir *ir;  /* DEFINE, once done; NULL when it failed */
};

/* Options of a rule as they stand: from the table, `defaults`, the rule itself. */
struct rule_options {
    struct rule values; /* only the members that options set */
    bool alike;         /* confusables fold */
    struct span at[OPTION_COUNT];
    bool set[OPTION_COUNT];
};

/* --- normal.c: conditions that are written differently and are the same get one number --- */
enum normal_kind { NORMAL_ALWAYS, NORMAL_NEVER, NORMAL_TEST, NORMAL_LOOP, NORMAL_AND, NORMAL_OR };
struct normal {
    enum normal_kind kind;
    const struct ir *ir; /* TEST, LOOP: one that is so; `holds`: as written */
    bool holds;
    uint32_t *parts; /* AND, OR: ids, ascending, each once */
    uint32_t part_count;
};
struct normals {
    struct map known;
    struct buf key;
    VEC(struct normal) rows; /* by id; the first is none */
};

struct item_ref {
    struct unit *unit;
    struct ast_item *item;
};

struct compiler {
    const struct compile_input *in;
    struct diags *d;
    struct arena *a;
    struct program *p;
    struct pool pool;
    size_t errors_before, warnings_before; /* of *d: other runs may have told theirs */
    uint32_t first_source; /* number of the first source of this run */
    VEC(struct line_index) lines;
    VEC(struct unit *) units;
    VEC(struct item_ref) items; /* of all files, imports in their place */
    struct map files;           /* normalised path -> unit */
    struct map names;           /* -> struct name */
    struct map connectors;      /* name -> struct ast_item */
    struct map tables;          /* of live lists -> struct name */
    struct map rule_names;      /* name or identity -> struct ast_item */
    struct map rule_copies;     /* identity of a nameless rule written twice -> the number of its last copy */
    struct map declared;        /* "listener inbound", "relay" -> struct ast_item */
    struct map detectors;       /* name -> index of the declaration + 1 */
    struct ast_file *library;   /* std/detectors, once a rule asked for one of them */
    struct str *candidates;     /* for suggestions, made when first asked for */
    size_t candidate_count;
    uint32_t depth; /* of check_condition */
    struct normals normals;
    struct arena *proofs;   /* scratch of one proof */
    size_t pairs;           /* prove.c: held against each other so far */
    VEC(struct map) list_sets; /* element.c: of each list of the pool, made when first asked for */
};

/* --- load.c --- */
bool load_all(struct compiler *c);
/* A path as said by a file of `directory`. */
struct str load_join(struct compiler *c, struct str directory, struct str path);
/* A file of the library as a further source; NULL when there is none of that name. */
struct source *load_library(struct compiler *c, struct str name);
/* The unit that an import of `u` brought; NULL when it could not be read. */
const struct unit *load_imported(struct compiler *c, const struct unit *u, const struct ast_item *import);
/* Reads a file as a further source; NULL after E215 at `at`. */
struct source *load_source(struct compiler *c, struct str path, struct span at);
struct origin load_origin(struct compiler *c, struct span at);

/* --- names.c --- */
void names_collect(struct compiler *c);
bool names_stand_bare(void *compiler, struct str name);
struct name *names_find(struct compiler *c, struct str name); /* list, define or broken */
struct name *names_list(struct compiler *c, struct str name,
                        struct span at); /* resolved list, marked used; NULL told */
struct ir *names_define(struct compiler *c, struct name *n, struct span at);
/* The nearest name of a condition (fields, parts, lists, definitions), or STR_NONE. */
struct str names_suggest(struct compiler *c, struct str word);
/* Adds "did you mean" to a diagnostic when there is a near word or a word people try. */
void names_help(struct compiler *c, struct diag *to, struct str word, const struct str *candidates, size_t n);
void names_warn_unused(struct compiler *c);
/* A row of the vocabulary that is only declared (`needs`): rules may be written, and the relay will not load them. */
void names_warn_needs(struct compiler *c, struct span at, const char *word, const char *what);

/* --- values.c --- */
extern const char *const value_type_phrases[TYPE_NAME + 1]; /* "a text", "an address", … */
extern const char *const value_type_plurals[TYPE_NAME + 1]; /* "texts", "addresses", … */
/* NULL, or why `text` is no value of the type (one clause).  Texts in *out are scratch. */
const char *value_parse(struct compiler *c, enum value_type type, struct str text, struct constant *out);
/* The type that a literal of this kind has by its form. */
enum value_type value_literal_type(enum ast_literal_kind kind);
/* A literal where a value of `type` is wanted; false when told. */
bool value_literal(struct compiler *c, const struct ast_literal *l, enum value_type type, struct str of,
                   struct constant *out);
/* A text to search for (`whole`: to compare with, blanks at its ends do not count); false when told (E214). */
bool value_needle(struct compiler *c, const struct ast_literal *l, bool whole, struct constant *out);
/* NULL, or why nothing can be searched for by this text. */
const char *value_needle_fault(struct str text, bool whole);
/* Whether a value of the field can have this text in it (FIELD_NEVER_HAS); false when told, with the list as a note. */
bool value_can_occur(struct compiler *c, uint32_t field, struct str text, struct span at, const struct span *list);
bool value_can_be_whole(struct compiler *c, uint32_t field, struct str text, struct span at, const struct span *list);
bool value_is_same(const struct constant *a, const struct constant *b); /* of one type; texts without their case */
bool value_pattern(struct compiler *c, const struct ast_literal *l, struct pattern_source *out);

/* --- lists.c --- */
bool lists_type(struct str name, enum value_type *out);
void lists_resolve(struct compiler *c, struct name *n); /* elements, then the program's list */
/* Where only elements that are written down will do; false when told (E240). */
bool lists_are_written(struct compiler *c, const struct name *n, struct span at, const char *instead);

/* --- conditions.c, tests.c --- */
/* What `where` is about; NULL outside. */
struct where_scope {
    uint32_t field;
    struct str name;
};
struct ir *ir_new(struct compiler *c, enum ir_kind kind, struct ir *left, struct ir *right);
/* NULL when told. */
/* --- lookalikes.c: the same condition with look-alikes folded; itself when it compares no text that readers see --- */
struct ir *look_alikes(struct compiler *c, struct ir *x);
struct ir *check_condition(struct compiler *c, const struct ast_condition *cond, const struct where_scope *where);

/* A field of a condition, looked up and checked for its text. */
struct field_use {
    struct word_field word;
    const struct field_row *row;
    const struct ast_field *ast;
    uint32_t ref; /* in the program's field_refs */
    enum quantifier quantifier;
    bool in_where;
};
bool check_field(struct compiler *c, const struct ast_field *f, const struct where_scope *where, struct field_use *out);
/* One field with its verb. */
struct ir *check_test(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct span at);
struct ir *check_bare(struct compiler *c, const struct field_use *f, struct span at);
/* operand.c: the right side of a verb, into the test's operand. */
bool check_operand(struct compiler *c, const struct field_use *f, const struct ast_verb *v, struct test *t);

/* --- arguments.c --- */
struct bound {
    const struct ast_argument *value; /* NULL: not given */
    struct span span;                 /* of the name, if it was named, and the value */
    struct constant constant;
    uint32_t field;        /* a field gives the value: its reference in the program; else NO_INDEX */
    struct constant *many; /* of a parameter that is given as (a, b): all of them; constant is the first */
    size_t count;
};
struct argument_rows {
    const char *what; /* "`reject`", "a rule" */
    const struct param_row *params;
    size_t n;
    bool action; /* the name of an action among them is a forgotten comma */
    bool partial; /* none is demanded: what is left out is not compared */
    const char *example; /* or NULL */
};
/* Binds and converts; every error is told.  False when one was. */
bool arguments_bind(struct compiler *c, const struct argument_rows *rows, struct span at,
                    const struct ast_argument *first, struct bound *out);
/* Puts what is bound into the program; answers the first index and the count. */
void arguments_record(struct compiler *c, const struct bound *bound, size_t n, uint32_t *first, uint32_t *count);

/* --- rules.c --- */
struct checked_rule {
    struct rule rule;
    const struct ast_item *item;
    struct ir *when, *condition; /* without and with what follows `unless` */
    struct ir **unless;
    uint32_t unless_count;
    uint32_t first_action, action_count;
    uint32_t options_set; /* bits of enum option_id: said in the rule or by `defaults` */
};
struct span rule_heading(const struct ast_item *item); /* what stands for a whole rule: its name, else its condition */

/* --- normal.c --- */
uint32_t normal_of(struct compiler *c, struct ir *x, bool holds);
const struct normal *normal_row(const struct compiler *c, uint32_t id);

/* --- lint*.c, allow.c: what is probably not meant --- */
void lint_definition(struct compiler *c, struct ir *x);
void lint_rule(struct compiler *c, const struct checked_rule *r);
void lint_actions(struct compiler *c, const struct checked_rule *r);
#define LINT_ONE_OF(row, names) lint_is_one_of(row, names, sizeof names / sizeof *names)
bool lint_is_one_of(const struct action_row *row, const char *const *names, size_t n);
bool lint_same_action(const struct compiler *c, uint32_t a, uint32_t b); /* by their places in the pool */
bool lint_guards(const struct compiler *c, const struct checked_rule *r); /* it decides, or protects */
void lint_trust(struct compiler *c, const struct checked_rule *r, bool guarded_later);
void lint_order(struct compiler *c, const struct checked_rule *rules, size_t n); /* in the order they run */
void allow_warnings(struct compiler *c, size_t first); /* first: of this run's diagnostics */

/* --- actions.c, declarations.c, rules.c, emit.c --- */
bool actions_check(struct compiler *c, const struct ast_rule *rule, const struct rule_options *o,
                   const struct ir *condition, uint32_t *first, uint32_t *count);
void detectors_check(struct compiler *c);    /* the declared detectors */
void declarations_check(struct compiler *c); /* all other declarations */
void declarations_check_item(struct compiler *c, const struct ast_item *item); /* one more */
/* detectors.c: what declarations told of one; `contains NAME …` of a test, false when told. */
bool detectors_check_name(struct compiler *c, struct str name, struct span at);
void detectors_declare(struct compiler *c, struct str name, uint32_t index);
bool detectors_operand(struct compiler *c, const struct ast_verb *v, struct test *t);
void rules_check(struct compiler *c); /* and emit, in the order they run */
void cases_check(struct compiler *c); /* test items, after the rules */
/* simplify.c: the same condition, or its negation, with constants folded and `not` pushed inward. */
struct ir *simplify(struct compiler *c, struct ir *x, bool negated);
void emit_rule(struct compiler *c, const struct ir *condition, uint32_t first_action, uint32_t action_count,
               uint32_t *first, uint32_t *end);

#endif
