/* base/limits: the limits of the house, in one place, each with its reason.
 *
 * What a limit cuts is told, never silent: a reply, a diagnostic, or the answer "unreadable". */
#ifndef SLUICE_BASE_LIMITS_H
#define SLUICE_BASE_LIMITS_H

enum {
    /* SMTP in (RFC 5321 section 4.5.3.1 gives the least a server must take). */
    LIMIT_COMMAND_LINE = 4096,         /* 512 and the extensions' increments; longer is 500, then the session ends */
    LIMIT_AUTH_LINE = 12288,           /* RFC 4954 section 4 */
    LIMIT_COMMAND_DISCARD = 64 * 1024, /* read of one overlong line before the connection is closed */
    LIMIT_CONTENT_DISCARD =
        64 * 1024 * 1024,      /* read of content that is refused already; then the connection is closed */
    LIMIT_TEXT_LINE = 998,     /* RFC 5322 section 2.1.1, without CR LF: what we make; longer received lines pass */
    LIMIT_RECIPIENTS = 1000,   /* at least 100; further ones get 452 4.5.3 (RFC 5321 section 4.5.3.1.10) */
    LIMIT_SESSION_ERRORS = 20, /* then 421: a peer that only errs is not speaking SMTP */
    LIMIT_SESSION_JUNK = 100,  /* NOOP, RSET, VRFY … without mail; empty BDAT chunks count here */
    LIMIT_HOPS = 100,          /* Received fields: RFC 5321 section 6.3 */

    /* SMTP out. */
    LIMIT_REPLY_LINE = 2048, /* 512 by the book; longer lines are seen in the wild */
    LIMIT_REPLY_LINES = 100,

    /* Addresses (RFC 5321 section 4.5.3.1; octets). */
    LIMIT_LOCAL_PART = 64,
    LIMIT_DOMAIN = 255,
    LIMIT_PATH = 256,               /* with the angle brackets: 254 for the mailbox */
    LIMIT_LABEL = 63,               /* RFC 1035 section 2.3.4 */
    LIMIT_HEADER_MAILBOXES = 10000, /* of one header field */

    /* Messages.  Past these the message is refused or unreadable; text is never cut in silence. */
    LIMIT_HEADER_SECTION = 256 * 1024,
    LIMIT_HEADER_FIELDS = 1000,
    LIMIT_HEADER_FIELD = 100 * 1024,
    LIMIT_MIME_DEPTH = 32,
    LIMIT_MIME_PARTS = 1000,

    /* Judging. */
    LIMIT_PATTERN_SOURCE = 1024,        /* bytes of one regex as written */
    LIMIT_PATTERN_COMPILED = 64 * 1024, /* bytes of PCRE2's code for it */
    LIMIT_PATTERN_NESTING = 50,         /* parentheses */
    LIMIT_LIKE_PATTERN = 4096,          /* bytes of a folded `like` pattern */
    LIMIT_EDIT_CLASSES = 64,            /* DESIGN section 3 */
    LIMIT_DELIVER_AFTER = 30 * 86400,   /* seconds: a queue is no archive */

    /* The house itself. */
    LIMIT_CONTROL_REQUEST = 64 * 1024, /* one JSON line on the control socket */
    LIMIT_JSON_DEPTH = 32,
    LIMIT_LOG_BUFFER = 1024 * 1024,
    LIMIT_SETTINGS_BLOCK = 64 * 1024 * 1024 /* it names every rule */
};

#endif
