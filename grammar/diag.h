/* grammar/diag: what is told to the author of a rule file (LANGUAGE section 6).
 *
 * A diagnostic is a record: code, severity, one sentence with names in backquotes, a primary span, up to three notes
 * with spans, up to two fix-its.  This module owns sources, spans, the collecting list, its order, and both printed
 * forms (text with carets, JSON).  It knows no mail and no vocabulary; codes stand in grammar/codes.def, one row a
 * code. */
#ifndef SLUICE_GRAMMAR_DIAG_H
#define SLUICE_GRAMMAR_DIAG_H

#include "base/arena.h"
#include "base/vec.h"

/* One file as read.  `text` is as on disk (BOM kept out of columns by the lexer); lines are found on demand. */
struct source {
    struct str name; /* as the user wrote it, for messages */
    struct str text;
    uint32_t number; /* index in struct sources */
    uint32_t near_start, near_line; /* the line source_locate found last: diagnostics come in the order of the source */
};

struct sources {
    VEC(struct source *) list;
};

/* Bytes [from, to) of one source.  A zeroed span is "nowhere". */
struct span {
    uint32_t source, from, to;
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

enum diag_code {
#define CODE(id, severity, title, text) DIAG_##id,
#include "grammar/codes.def"
#undef CODE
    DIAG_CODE_COUNT
};

enum { DIAG_NOTES_MAX = 3, DIAG_FIXES_MAX = 2 };

struct diag_note {
    struct span span;
    struct str text;
};
struct diag_fix {
    struct str label; /* "some attachment is outside:" ; may be empty */
    struct str text;  /* what to write instead */
};

struct diag {
    enum diag_code code;
    struct span span;
    struct str text;
    struct diag_note notes[DIAG_NOTES_MAX];
    size_t note_count;
    struct diag_fix fixes[DIAG_FIXES_MAX];
    size_t fix_count;
};

/* Collects the diagnostics of one run.  Owns its records through `arena`; the same code at the same span is kept
 * once. */
struct diags {
    struct arena *arena;
    struct sources *sources;
    VEC(struct diag *) list;
    size_t errors, warnings;
};

/* Adds one and answers it so that notes and fixes can follow; never NULL (past 100 errors a spare record is answered
 * and nothing more is kept).  The text is one sentence without a full stop. */
struct diag *diag_add(struct diags *d, enum diag_code code, struct span at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diag_note(struct diags *d, struct diag *to, struct span at, const char *format,
               ...) __attribute__((format(printf, 4, 5)));
void diag_fix(struct diags *d, struct diag *to, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

const char *diag_code_name(enum diag_code code);       /* "E207" */
const char *diag_code_title(enum diag_code code);
const char *diag_code_text(enum diag_code code);       /* for `sluice explain` */
bool diag_code_find(struct str name, enum diag_code *out); /* "e207" or "E207" */
enum severity diag_code_severity(enum diag_code code);

void diags_sort(struct diags *d); /* source order, then position */
/* "policy.sluice:14:6: error E207: …" with the source line, carets, notes and helps.  colour: ANSI escapes. */
void diags_print_text(const struct diags *d, struct buf *out, bool colour);
void diags_print_json(const struct diags *d, struct buf *out); /* one JSON object a line */

/* Line (from 1) and column (from 1, in code points) of a byte offset. */
void source_locate(struct source *s, uint32_t offset, uint32_t *line, uint32_t *column);

/* The candidate nearest to `word` by edit distance if it is near enough to suggest (at most a third of its length, at
 * least 1), else STR_NONE.  Never suggests the word itself. */
struct str suggest_nearest(struct str word, const struct str *candidates, size_t n);

/* What to write instead of a word that people try (grammar/keywords.def): "equals" gives "is", "block" gives "reject",
 * "more than" gives "over"; two right words are joined by " or ".  STR_NONE when the word is not in the table.  Case
 * folds. */
struct str suggest_tried(struct str word);

#endif
