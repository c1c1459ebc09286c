/* message/message: one message as its readers see it: header fields, addresses, the MIME tree, the body's text.
 *
 * The front door of this room, and all that the VM needs beside message/edits.h.  Opening indexes the header section;
 * the MIME tree and every text are made when first asked for and kept.  The content's bytes belong to the caller, are
 * never changed, and must outlive the message; everything handed out lives in the arena given to message_open, or is a
 * view of the content.  Nothing here fails: what could not be read is marked, with its reason, beside what could.
 *
 * Everything is bounded by struct message_limits and takes time linear in the content.  A process that reads messages
 * calls charset_warm (message/charset.h) first if it may not open files later. */
#ifndef SLUICE_MESSAGE_MESSAGE_H
#define SLUICE_MESSAGE_MESSAGE_H

#include "base/arena.h"

struct message;

/* --- what could not be read -------------------------------------------------------------------------------------- */

/* Why a value may lack something that a reader would see: bits, 0 when it was read whole.  A test on such a value that
 * finds no match is undecided (`unreadable`, LANGUAGE section 2), never "no". */
enum unreadable {
    UNREADABLE_CHARSET = 1,     /* a charset we do not know; its bytes are given as if it had named none */
    UNREADABLE_BYTES = 2,       /* bytes that are nothing in their charset; U+FFFD stands in their place */
    UNREADABLE_ENCODING = 4,    /* broken base64, an unknown Content-Transfer-Encoding */
    UNREADABLE_LIMIT = 8,       /* a limit of size, depth, parts, fields, views or memory cut it */
    UNREADABLE_ENCRYPTED = 16,  /* S/MIME or OpenPGP: the text is there, but not for us */
    UNREADABLE_UNSUPPORTED = 32 /* message/partial, message/external-body, opaque signed data */
};
enum { UNREADABLE_TEXT_MAX = 128 };
/* The reasons in words, "unknown charset, broken transfer encoding"; "" for 0.  Answers the length. */
size_t unreadable_print(uint32_t unreadable, char out[UNREADABLE_TEXT_MAX]);

/* --- texts and their views --------------------------------------------------------------------------------------- */

/* A text in UTF-8 (always valid; NUL is possible), with the readings that different receiving programs may show of the
 * same octets (LANGUAGE section 3).  There is always at least one view, and views[0] is the reading we hold for best;
 * no two are equal.  Ask all: yes if every view says yes, no if none does, otherwise disputed. */
struct message_text {
    const struct str *views;
    size_t view_count;
    uint32_t unreadable;     /* enum unreadable: of the best reading, and LIMIT when views were left out */
    const uint64_t *manners; /* by view, how it departs from the best reading: message_manners_print; [0] is 0 */
};
static inline struct str message_text_best(const struct message_text *t) { return t->views[0]; }

#define MANNER_BIT_OTHER_INSTANCE ((uint64_t)1 << 63) /* for the callers: another instance of the field */
enum { MANNERS_TEXT_MAX = 256 };
/* The name of a view, "the last of equal fields; base64 ends at its padding" (message/manners.def), cut to the room;
 * "" for the best reading.  Answers the length. */
size_t message_manners_print(uint64_t manners, char *out, size_t room);
/* Whether readers differ in it, in a way that honest mail does not show every day. */
bool message_text_is_ambiguous(const struct message_text *t);
bool message_manners_are_ambiguous(uint64_t manners);

/* --- opening ----------------------------------------------------------------------------------------------------- */

struct message_limits {
    size_t header_bytes; /* of the header section; fields that begin beyond are not read */
    size_t fields;       /* header fields in one header section */
    size_t depth;        /* nesting of MIME parts; at most MESSAGE_DEPTH_MAX */
    size_t parts;        /* MIME parts */
    size_t text_bytes;   /* decoded text of the body; bytes of nested messages that had to be decoded to be parsed */
    size_t memory;       /* octets made and kept of it, beyond which there are no further views of what is long */
};
enum { MESSAGE_DEPTH_MAX = 100 };
extern const struct message_limits message_limits_default; /* 256 KiB, 1,000, 32, 1,000, 12 MiB, 24 MiB */

/* `limits` may be NULL for the default.  A message_open'ed message needs no closing: it goes with the arena. */
struct message *message_open(struct arena *a, struct str content, const struct message_limits *limits);
struct str message_content(const struct message *m);
struct arena *message_arena(const struct message *m);

/* --- header fields ----------------------------------------------------------------------------------------------- */

/* One field as it stands in the content (RFC 5322 section 2.2; obsolete forms of section 4.5 too: blanks before the
 * colon).  A line that is no field (no name, no colon) inside a header section is taken into the field before it and
 * marks the message malformed (RFC 7103 section 7). */
struct message_field {
    struct str name; /* as written, without the colon and blanks before it */
    struct str raw;  /* all after the colon, folds included, without the last line end */
    size_t from, to; /* the whole field in the content, its last line end included */
    uint32_t line;   /* of its first byte, counted from 1 */
};

struct message_header {
    const struct message_field *fields; /* in the order of the content */
    size_t field_count;
    size_t from;         /* where the first field begins: 0, or after an mbox "From " line */
    size_t end;          /* where the last field ends; the empty line, if there is one, is [end, body) */
    size_t body;         /* where the body begins; content.n when there is none */
    bool malformed;      /* a line that is no field, or no end of the header section */
    uint32_t unreadable; /* UNREADABLE_LIMIT when fields beyond the limits were not read */
};
const struct message_header *message_header_section(struct message *m);

/* One instance of a field, read as text: unfolded (RFC 5322 section 2.2.3), encoded-words decoded (RFC 2047, wherever
 * they stand, as most readers do), white space trimmed at both ends.  8-bit bytes outside encoded-words are UTF-8 (RFC
 * 6532), or else windows-1252. */
struct message_value {
    struct message_text text;
    struct str raw; /* as in message_field; of an edited field: what will be emitted after the colon */
    const struct message_field *field; /* NULL for a field that an edit made */
};
struct message_values {
    const struct message_value *v; /* in the order of the content; then those that only some readers take for fields */
    size_t n;
    size_t doubtful;     /* how many of the latter, at the end; their `field` is NULL */
    uint32_t unreadable; /* of any instance; UNREADABLE_LIMIT also when instances may be beyond the limits */
};
/* Every instance of the field of this name (ASCII letters compare without case).  None: n == 0; mind `unreadable`. */
const struct message_values *message_header(struct message *m, struct str name);

/* The first Subject, or an absent text: *present (may be NULL) says which; views[0] is then empty. */
const struct message_text *message_subject(struct message *m, bool *present);
/* The first Message-ID without its angle brackets (RFC 5322 section 3.6.4); STR_NONE when absent. */
struct str message_id(struct message *m);

/* --- addresses --------------------------------------------------------------------------------------------------- */

struct message_address {
    struct str address;       /* as written: local part, @, domain; no comments or blanks.  Not normalised */
    struct str local, domain; /* views of `address`; domain empty when there is no @ */
    struct message_text name; /* the display name as a reader sees it (quotes off, RFC 2047 decoded); may be empty */
    uint32_t list;            /* of which reading of the field: below */
};
struct message_addresses {
    const struct message_address *v; /* of all instances of the field, in order; groups are flattened */
    size_t n;
    uint32_t lists; /* readings of the whole field: one for each instance, for readers differ in which they show */
    bool malformed; /* some of it was no address list (RFC 5322 section 3.4) and was read leniently */
    uint32_t unreadable;
};
const struct message_addresses *message_addresses(struct message *m, struct str name);

/* --- MIME -------------------------------------------------------------------------------------------------------- */

enum mime_encoding {
    MIME_7BIT,
    MIME_8BIT,
    MIME_BINARY,
    MIME_BASE64,
    MIME_QUOTED_PRINTABLE,
    MIME_UUENCODE,
    MIME_UNKNOWN
};
enum mime_disposition { MIME_DISPOSITION_NONE, MIME_INLINE, MIME_ATTACHMENT };

struct mime_param {
    struct str name; /* lower case, without RFC 2231 section or star */
    struct message_text
        value;      /* RFC 2231 continuations joined, charset decoded; RFC 2047 words decoded (many senders) */
    struct str raw; /* the joined bytes before any charset: what a boundary is compared with */
    bool extended;  /* written in the form of RFC 2231 */
    bool quoted;    /* written in quotes; of sections, the first */
};

#define MIME_NO_PART SIZE_MAX
struct mime_part {
    struct str type, subtype; /* lower case; text/plain when absent or not readable (RFC 2045 section 5.2) */
    const struct mime_param *params;
    size_t param_count;
    const struct mime_param *disposition_params;
    size_t disposition_param_count;
    uint8_t encoding;      /* enum mime_encoding */
    uint8_t disposition;   /* enum mime_disposition; an unknown word is an attachment (RFC 2183 section 2.8) */
    bool malformed;        /* a boundary that is missing or never comes, a part without its end, … */
    bool loose_params;     /* the Content-Type's parameters are not as RFC 2045 has them */
    struct str raw;        /* the body as transferred, its last line end (which is the boundary's) excluded */
    struct str outside;    /* of a multipart: what stands before, between and behind its parts, if more than the
                              usual "This is a multi-part message"; lines of several places follow each other */
    size_t from, body, to; /* header, body, end in the content; of the nearest part that stands in it when `derived` */
    bool derived;          /* found inside a decoded body (a base64 message/rfc822): `raw` is then no view of content */
    uint32_t depth;        /* 0: the message itself */
    size_t parent;         /* index, or MIME_NO_PART */
    uint32_t unreadable;   /* of the structure below it: limits, encryption, … */
};
struct mime_tree {
    const struct mime_part *parts; /* in document order, parents before children; parts[0] is the message */
    size_t part_count;
    uint32_t unreadable; /* of all parts */
};
const struct mime_tree *message_mime(struct message *m);
/* NULL when absent.  Content-Type's, or Content-Disposition's. */
const struct mime_param *mime_part_param(const struct mime_part *p, struct str name);
const struct mime_param *mime_part_disposition_param(const struct mime_part *p, struct str name);

/* --- the body's text --------------------------------------------------------------------------------------------- */

/* Where one part's text stands in views[0] of the body. */
struct message_body_part {
    size_t part; /* index into the MIME tree */
    size_t from, to;
    uint32_t unreadable;
};
struct message_body {
    struct message_text text;              /* UTF-8, line ends LF, one LF between two parts that do not end with one */
    const struct message_body_part *parts; /* in document order; may be none */
    size_t part_count;
};
/* All text that stands in the message itself: every text part (text/plain; text/html as its text; any other text as
 * plain, RFC 2046 section 4.1.4), all alternatives, also in forwarded messages (message/rfc822, however disposed).
 * Not in the best reading: text parts that are attachments (Content-Disposition: attachment), preamble and epilogue. */
const struct message_body *message_body(struct message *m);
/* The same with HTML as it is written: `body.source`. */
const struct message_text *message_body_source(struct message *m);

/* --- attachments ------------------------------------------------------------------------------------------------- */

/* A leaf that is disposed as one, that has a name, or that is no text; and a message in a message. */
struct message_attachment {
    const struct mime_part *part;
    uint32_t depth;                /* messages it stands in: 0 for one of this message's own */
    struct message_text name;      /* views: every candidate: filename, name, each of several */
    struct message_text extension; /* of each candidate: lower case, without the dot; may be empty */
    uint32_t list;                 /* of which reading of the message: below */
};
struct message_attachments {
    const struct message_attachment *v;
    size_t n;
    uint32_t lists; /* readings of the structure in which the attachments differ; elements in their order */
    const uint64_t *list_manners; /* by list: how it departs from the best reading */
    uint32_t unreadable;
};
const struct message_attachments *message_attachments(struct message *m);
/* What its bytes are, "application/pdf", of its first 256 KiB (message/filetype.h): a view for each way to decode them.
 * Empty where that cannot be said; UNREADABLE_LIMIT where a message has more of them than anyone sends. */
struct message_text message_attachment_true_type(struct message *m, const struct message_attachment *a);
size_t message_attachment_size(const struct message_attachment *a); /* decoded, in octets */

/* --- signed, encrypted ------------------------------------------------------------------------------------------- */

/* Whether the message itself, not one that it carries, says it is signed or encrypted: S/MIME (RFC 8551), OpenPGP (RFC
 * 3156, or RFC 9580 in the text).  Views "yes" and "no": what readers make of it.  `unreadable`: only UNREADABLE_LIMIT,
 * when what lies beyond a limit may be a further yes. */
struct message_text message_is_signed(struct message *m);
struct message_text message_is_encrypted(struct message *m);

/* --- facts of the whole message ---------------------------------------------------------------------------------- */

struct message_facts {
    bool ambiguous;   /* readers differ in its body, its unique fields or its attachments, beyond what is usual */
    bool malformed;   /* header, MIME structure or an address list break their grammar */
    bool unscannable; /* some of it cannot be read: encrypted, unknown or broken encoding, charset or form */
    bool truncated;   /* a limit cut what was read: of size, depth, parts, fields, views */
    bool is_signed;   /* message_is_signed and message_is_encrypted, to the best reading */
    bool is_encrypted;
    uint32_t depth;     /* of MIME nesting: 0 for a single part */
    size_t attachments; /* to the best reading */
};
const struct message_facts *message_facts(struct message *m);

#endif
