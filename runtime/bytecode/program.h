/* bytecode/program: a compiled rule set in memory: tables, code, configuration.
 *
 * Made by the compiler or by codec from a .sluicec file, checked by verify, then never changed: the VM, the
 * disassembler and the builder only read it.  Owned by its arena; every view in it points there.  Tables refer to each
 * other by index; NO_INDEX says "none". */
#ifndef SLUICE_BYTECODE_PROGRAM_H
#define SLUICE_BYTECODE_PROGRAM_H

#include "base/arena.h"
#include "bytecode/vocabulary.h"

#define NO_INDEX UINT32_MAX

/* Answers on the stack at once, at most: the compiler refuses conditions nested deeper, the verifier such programs. */
enum { PROGRAM_STACK_MAX = 64 };
/* Rows of any table, at most: instructions, list entries, tests … */
enum { PROGRAM_ROWS_MAX = 4 * 1024 * 1024 };
/* Bytes of origin.text, at most. */
enum { ORIGIN_TEXT_MAX = 200 };

enum opcode {
#define OP(id, name, operand, pops, pushes, doc) OP_##id,
#include "bytecode/ops.def"
#undef OP
    OP_COUNT
};
static inline uint32_t instruction(enum opcode op, uint32_t operand) { return (uint32_t)op << 24 | operand; }
static inline uint8_t instruction_op(uint32_t i) { return (uint8_t)(i >> 24); }
static inline uint32_t instruction_operand(uint32_t i) { return i & 0xffffff; }

/* Where in the sources a thing was written, for explanations. */
struct origin {
    uint32_t source;      /* index into sources */
    uint32_t line, column;
    struct str text;      /* the words as written, one line, bounded to 200 bytes */
};

struct program_source {
    struct str name;
    uint8_t sha256[32];
};

/* One value, of any type: texts and words in `text`, everything else in numbers. */
struct constant {
    enum value_type type;
    struct str text;      /* TEXT as written; ADDRESS, DOMAIN, WORD in canonical form */
    int64_t number;       /* NUMBER, SIZE, DURATION, CLOCK (minutes), DATE (UTC seconds, or local as if UTC) */
    bool date_only, date_zoned;
    uint8_t low[16], high[16]; /* NETWORK: an inclusive range, IPv4 as ::ffff:a.b.c.d */
};

/* A set of constants of one type: a named list, or the words between parentheses.  Elements are constants
 * [first, first + count). */
struct program_list {
    struct str name;      /* empty: inline */
    struct str table;     /* not empty: a live list, edited while the relay runs: no elements here, and a name */
    enum value_type type;
    uint32_t first, count;
};

struct pattern_source {
    struct str text;
    uint8_t flags;        /* PATTERN_… of pattern/pattern.h, equal to the REGEX_FLAG_… of the grammar */
};

/* A field as a rule names it: which, with what text, which part. */
struct field_ref {
    uint32_t field;       /* row of the vocabulary */
    struct str text;      /* header name, mark */
    uint8_t part;         /* enum address_part */
};

enum quantifier { Q_NONE, Q_ANY, Q_EVERY, Q_NO };

/* The relation a test asks for.  Negation is the test's own flag: a negative verb is exactly `not` of its positive
 * one, for each member, before the quantifier (`any to is not "x"`: some member is not it).
 *
 * Quantifiers: outside EACH a test of a FACT_ELEMENT field bears Q_ANY, Q_EVERY or Q_NO (the compiler writes the
 * `any` that a rule leaves out), or Q_NONE with REL_PRESENT, which speaks of the whole.  Inside EACH every test is of
 * the loop's own field (or, when that is a FACT_RECIPIENT field, of any such field) with Q_NONE: the element at hand.
 *
 * Operands by type of the field (part): TEXT, ADDRESS, DOMAIN, … take constants of their own type with EQUAL; LIKE,
 * CONTAINS, STARTS, ENDS take TEXT (for a DOMAIN field: lower case U-labels); MATCHES takes patterns; an ADDRESS
 * constant is "a@b.example" or "@b.example"; a DOMAIN constant may be "*.b.example". */
enum relation {
    REL_TRUE,        /* a yes/no field, bare */
    REL_PRESENT,
    REL_EQUAL,       /* operand: constant, list (any of), field */
    REL_LIKE,
    REL_CONTAINS,    /* with count_least / all / word */
    REL_STARTS,
    REL_ENDS,
    REL_MATCHES,     /* operand: patterns */
    REL_OVER, REL_UNDER, REL_AT_LEAST, REL_AT_MOST, REL_BETWEEN, REL_BEFORE, REL_AFTER
};

/* LIVE is a kind of its own, so that nothing takes the elements of a live list for all there are. */
enum operand_kind {
    OPERAND_NONE, OPERAND_CONSTANT, OPERAND_RANGE, OPERAND_LIST, OPERAND_FIELD, OPERAND_PATTERNS, OPERAND_LIVE,
    OPERAND_DETECTOR
};

struct test {
    uint32_t field;       /* index into field_refs */
    uint8_t quantifier;   /* enum quantifier; Q_NONE on a recipient fact: each recipient for itself */
    uint8_t relation;     /* enum relation */
    bool negated;
    bool word;            /* contains word */
    bool alike;           /* look-alikes count as the same too (option `confusables fold`) */
    bool all;             /* all of the list, patterns */
    bool counted;         /* least/most occurrences (contains) or members (at least N of) */
    int64_t least, most;  /* most -1: open */
    uint8_t operand;      /* enum operand_kind */
    uint32_t a, b; /* CONSTANT a; RANGE constants a..b; LIST, LIVE a; FIELD field_ref a; PATTERNS [a, a + b); DETECTOR
                    * declaration a, at least b percent sure (0: any) */
    struct origin origin;
};

/* One argument of an action: parameter `param` of its row has this constant, or field. */
struct argument {
    uint8_t param;
    uint8_t operand;      /* OPERAND_CONSTANT or OPERAND_FIELD */
    uint32_t index;
};

struct action {
    uint32_t action;      /* row of the vocabulary */
    uint32_t first_argument, argument_count;
    struct origin origin;
};

enum rule_mode { MODE_ENFORCE, MODE_AUDIT, MODE_AUDIT_AND_NOTIFY, MODE_OFF };
enum on_error { ON_ERROR_DEFER, ON_ERROR_SKIP, ON_ERROR_APPLY };
enum on_unreadable { ON_UNREADABLE_PROTECT, ON_UNREADABLE_HOLD, ON_UNREADABLE_APPLY, ON_UNREADABLE_SKIP };

struct rule {
    struct str identity;  /* the name, else the hash of the formatted text; unique */
    bool named;
    uint32_t first, end;  /* instructions [first, end), the last of them END */
    uint16_t priority;
    uint8_t mode, on_error, on_unreadable;
    bool has_effective, has_expires;
    struct constant effective, expires; /* dates; expires is exclusive */
    struct str owner, ticket, comment, severity;
    struct origin origin;
};

/* A declaration with its arguments: detectors, then the configuration section, each in the order of the sources. */
struct declaration {
    uint32_t declaration; /* row of the vocabulary */
    struct str name;      /* empty when its row is not `named` */
    uint32_t first_argument, argument_count; /* a TYPE_NAME of a list is a constant whose text is the list's name */
    struct origin origin;
};

/* --- tests in the rule files (LANGUAGE section 8): cases here, since tests are what conditions are made of --- */

/* A message that cases are given: its content as it comes over the wire. */
struct program_mail {
    struct str name;
    struct str content;
};

enum given_kind {
    GIVEN_VALUES,         /* field_ref `index` says the constants of list `list`; an address is a TEXT, as written */
    GIVEN_ABSENT,         /* it says nothing; of a yes/no field: no */
    GIVEN_YES,
    GIVEN_ELEMENTS,       /* the live list `index` holds the constants of list `list` */
    GIVEN_UNSAID          /* the test leaves open what the field says (the clock): who asks is undecided, unavailable */
};
struct given {
    uint8_t kind;         /* enum given_kind */
    uint32_t index, list; /* list: NO_INDEX where the kind has none */
};

/* One expected action, with those of its arguments that are to be compared. */
struct expectation {
    uint32_t action;      /* row of the vocabulary; NO_INDEX: nothing is done */
    uint32_t first_argument, argument_count;
    uint32_t list;        /* whom it is of: a list of addresses; NO_INDEX: every recipient */
    struct origin origin;
};

struct program_case {
    struct str name;
    uint32_t first_given, given_count, first_expectation, expectation_count;
    uint32_t first_scope, scope_count; /* of `scopes`: the sources whose rules take part */
    uint32_t mail;        /* or NO_INDEX */
    bool enforce;         /* audit rules as if enforced */
    bool windows;         /* effective and expires count: the date is given */
    int64_t now;          /* seconds, as if UTC; meaningful when a clock was given */
    struct origin origin;
};

struct program {
    struct arena *arena;
    uint8_t vocabulary_hash[32];
#define TABLE(type, name) type *name; uint32_t name##_count;
    TABLE(struct program_source, sources)
    TABLE(struct constant, constants)
    TABLE(struct program_list, lists)
    TABLE(struct pattern_source, patterns)
    TABLE(struct field_ref, field_refs)
    TABLE(struct test, tests)
    TABLE(struct argument, arguments)
    TABLE(struct action, actions)
    TABLE(struct rule, rules)       /* in the order they run */
    TABLE(struct declaration, declarations)
    TABLE(uint32_t, code)
    TABLE(struct program_mail, mails)
    TABLE(struct given, givens)
    TABLE(struct expectation, expectations)
    TABLE(uint32_t, scopes)         /* indexes of sources */
    TABLE(struct program_case, cases)
#undef TABLE
};

struct program *program_create(void);         /* empty, with an arena of its own */
void program_free(struct program **p);
/* The list of that name, or NULL. */
const struct program_list *program_find_list(const struct program *p, struct str name);

#endif
