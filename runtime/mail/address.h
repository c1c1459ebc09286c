/* mail/address: mailboxes and paths of the envelope, strictly (RFC 5321 section 4.1.2, RFC 6531), and the address lists
 * of header fields, leniently (RFC 5322 section 3.4 with its obsolete forms).
 *
 * Results are views into what was parsed, except where said.  Decoding of display names (RFC 2047) is message's. */
#ifndef SLUICE_MAIL_ADDRESS_H
#define SLUICE_MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/vec.h"

struct address {
    struct str whole;  /* "local@domain" as written; empty for the null path */
    struct str local;  /* as written, with its quotes when quoted */
    struct str domain; /* as written; "[192.0.2.1]" with its brackets; empty for <> and for a bare postmaster */
    bool quoted;       /* the local part is a quoted-string */
    bool literal;      /* the domain is an address literal */
};

enum {
    ADDRESS_UTF8 = 1,       /* UTF-8 in local part and domain: SMTPUTF8 was asked for (RFC 6531 section 3.3) */
    ADDRESS_NULL = 2,       /* "<>" is one: a reverse-path */
    ADDRESS_POSTMASTER = 4  /* "<postmaster>" without a domain is one (RFC 5321 section 4.5.1) */
};

/* "local@domain", whole view, nothing around it.  Limits of RFC 5321 section 4.5.3.1 hold. */
bool address_parse(struct str s, unsigned flags, struct address *out);
/* A domain that is one: "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3; no other tag was ever
 * registered). */
bool address_literal(struct str domain, uint8_t ip[16]);
/* A path at the start of s: "<" [ "@a,@b:" ] mailbox ">"; the source route is read and ignored (RFC 5321 appendix C).
 * Answers how many bytes it took, 0 when there is none. */
size_t address_parse_path(struct str s, unsigned flags, struct address *out);

/* The form addresses are compared in: local part without needless quotes, NFC and case folded; domain as lower-case
 * A-labels (an address literal: its canonical text).  It is again a mailbox.  False, and nothing appended, for what
 * address_parse refuses (UTF-8 allowed). */
bool address_canonical(struct str mailbox, struct buf *out);
/* Both canonical; "@b.example" as `pattern` is every address of that very domain, "@*.b.example" of its subdomains. */
bool address_matches(struct str pattern, struct str address);
/* A canonical address, or "@domain": the constant a rule compares with. */
bool address_canonical_pattern(struct str written, struct buf *out);

/* Domain of a canonical or written mailbox: what follows the last "@"; empty when there is none. */
struct str address_domain(struct str mailbox);
struct str address_local(struct str mailbox);

/* One mailbox of a header field. */
struct header_mailbox {
    struct str phrase;  /* the display name's source bytes, as written, trimmed; maybe with quotes and encoded-words */
    struct str comment; /* inside of the last comment of this mailbox, as written: where old mail keeps the name */
    struct str group;   /* source bytes of the group's name; empty outside groups */
    struct str address; /* local@domain without comments and folding white space: a view, or a copy in the arena */
    struct str local, domain; /* of it; domain may be empty */
};
struct header_mailboxes {
    struct header_mailbox *v;
    size_t n;
    bool malformed; /* something was skipped, or guessed at */
    bool truncated; /* more than LIMIT_HEADER_MAILBOXES */
};

/* The mailboxes of an unfolded or folded field body, in order, in one linear pass.  What cannot be read is skipped to
 * the next comma and told in `malformed`; nested comments deeper than 32 likewise. */
struct header_mailboxes address_list_parse(struct arena *a, struct str body);

/* A phrase (or comment) as a reader sees it before RFC 2047: quotes, backslashes and comments removed, white space runs
 * to one blank.  Encoded-words stay as they stand. */
struct str address_phrase_text(struct arena *a, struct str phrase);

#endif
