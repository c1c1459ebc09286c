/* mail/verdict: what judging decided: the one form between vm, judge, protocol, relay, tests and the command line.
 *
 * The VM fills it, judge/protocol carries it, the relay checks it as hostile and carries it out.  Everything it points
 * to lives in one arena, the filler's. */
#ifndef SLUICE_MAIL_VERDICT_H
#define SLUICE_MAIL_VERDICT_H

#include "base/pieces.h"
#include "mail/evidence.h"
#include "mail/obligation.h"
#include "mail/status.h"

/* What becomes of one recipient.  The order is that of the names below and of nothing else. */
enum disposition {
    DISPOSITION_DELIVER,
    DISPOSITION_REJECT,
    DISPOSITION_DROP,
    DISPOSITION_QUARANTINE,
    DISPOSITION_HOLD,
    DISPOSITION_REDIRECT, /* its mail goes to the target, which is a recipient of its own */
    DISPOSITION_COUNT
};
extern const char *const disposition_names[DISPOSITION_COUNT]; /* "deliver", "reject", … : mail/verdict.c */

struct verdict_recipient {
    struct str address;
    bool added;                 /* not named by the client: copy or redirect made it */
    uint32_t stands_for;        /* 1 + index of the client's recipient that was redirected to it, if it was added for
                                 * one; 0: for nobody, it gets a copy */
    uint8_t disposition;        /* enum disposition */
    struct obligation need;
    uint32_t copy;              /* index into verdict.copies */
    struct str connector;       /* route_via; empty: the routing decides */
    int64_t not_before;         /* deliver_after: not delivered earlier, UTC seconds; 0: at once */
    struct str rule;            /* identity of the rule that decided the disposition; empty for plain delivery */
    struct str tls_rule;        /* identity of the last rule that raised `need`; empty when none did */
    struct str reason;          /* of quarantine, hold: for the queue listing */
    struct reply reply;         /* of reject */
};

/* One delivered form of the message. */
struct verdict_copy {
    struct pieces pieces;
    uint64_t length;            /* of the result */
    uint8_t sha256[32];         /* of the result; zeros when that is the content itself */
};

/* Which columns of the hit table a rule's work on this message raises; each at most once per message. */
enum {
    HIT_APPLIED = 1,   /* its actions were carried out for at least one recipient */
    HIT_REJECTED = 2,  /* its reject is why a recipient, or the message, was refused */
    HIT_DEFERRED = 4,  /* it deferred the message */
    HIT_UNDECIDED = 8, /* its condition was undecided for at least one recipient */
    HIT_AUDIT = 16     /* mode audit: it would have applied */
};
struct verdict_hit {
    struct str rule; /* identity: the name, else a hash of the formatted text */
    uint32_t what;   /* HIT_… bits */
};

enum note_kind { NOTE_LOG, NOTE_AUDIT };
/* A line for log or audit: the `log` action's text, or what an audit rule would have done to whom. */
struct verdict_note {
    uint8_t kind;         /* enum note_kind */
    struct str rule;
    struct str recipient; /* empty: the message */
    struct str text;
};

/* A mail that the relay is to write itself (notify, notify_sender, incident_report): it is sent beside the message,
 * whatever becomes of that, and carries the obligations of all its recipients, for it quotes the message. */
enum {
    NOTICES_MAX = 1000,            /* of one message */
    NOTICE_TEXT_MAX = 16 * 1024,   /* bytes of one text */
    NOTICE_TEXTS_MAX = 48 * 1024,  /* of all different texts: a verdict must fit its datagram */
    NOTICE_LINE_MAX = 500          /* of subject and message id */
};
/* What of the message goes with it. */
enum notice_attach { NOTICE_ALONE, NOTICE_HEADER, NOTICE_ORIGINAL, NOTICE_ATTACH_COUNT };
struct verdict_notice {
    struct str rule;
    struct str to;      /* one address */
    struct str subject; /* UTF-8, one line without control characters */
    struct str about;   /* Message-ID of the message, without its angle brackets; empty: none that can be named */
    struct str text;    /* UTF-8, lines with LF between; no other control characters but TAB */
    bool report;        /* on an incident, and no answer to anybody (RFC 3834 section 5: auto-generated) */
    uint8_t attach;     /* enum notice_attach */
};

enum verdict_answer {
    VERDICT_ACCEPT, /* 250 after the commit; every envelope recipient has a disposition */
    VERDICT_REJECT, /* the reply refuses the message for everyone */
    VERDICT_DEFER   /* 451: nothing happens but counters */
};

struct verdict {
    uint8_t answer;      /* enum verdict_answer */
    struct reply reply;  /* of REJECT and DEFER */
    struct str rule;     /* which rule gave that reply */
    struct verdict_recipient *recipients;
    size_t recipient_count;
    struct verdict_copy *copies;
    size_t copy_count;
    struct verdict_hit *hits;
    size_t hit_count;
    struct verdict_note *notes;
    size_t note_count;
    struct verdict_notice *notices;
    size_t notice_count;
    struct evidence evidence; /* why: stored with the message */
};

#endif
