/* support/judged: rules and a message judged by the real compiler and machine, in one call.
 *
 * Owns everything it answers; judged_free frees it. */
#ifndef SLUICE_TESTS_SUPPORT_JUDGED_H
#define SLUICE_TESTS_SUPPORT_JUDGED_H

#include "judge/judge.h"
#include "tests/support/compiled.h"

enum { JUDGED_RECIPIENTS_MAX = 200 };

/* What the case sets; zeroed members get plain values. */
struct judged_case {
    const char *rules, *message;
    const char *from;                      /* NULL: a@corp.example; "" the null reverse-path */
    const char *to[JUDGED_RECIPIENTS_MAX]; /* none: b@partner.example, c@corp.example */
    struct client_facts client;            /* without ip: 192.0.2.7 */
    const struct settings *settings;       /* NULL: corp.example is internal */
    int64_t now;
    int32_t utc_offset;
    uint8_t notify; /* RFC 3461 NOTIFY of the first recipient: mail/envelope.h */
    const struct vocabulary *vocabulary; /* NULL: stdlib's */
    struct judged_list {
        const char *name;
        struct str block;
    } lists[4]; /* live lists that are there */
};

struct judged {
    struct compiled compiled;
    struct arena *arena;
    struct judge *judge;
    struct str content;
    struct judge_request request;
    struct judge_answer answer;
    const struct verdict *verdict; /* of the answer */
    struct trace trace;
};

/* Fails the test when the rules do not compile or the answer is no sound verdict. */
void judged_run(struct judged *j, const struct judged_case *c);
void judged_free(struct judged *j);

const struct verdict_recipient *judged_recipient(const struct judged *j, const char *address); /* fails without */
/* The whole copy that one recipient gets. */
struct str judged_copy(struct judged *j, const char *address);
uint32_t judged_hits(const struct judged *j, const char *rule); /* 0: none */
/* Whether a rule with this condition applies to the message (whole message, one recipient): "yes", "no", or by which
 * reason it is undecided, as the trace's letter: T F A U E. */
char judged_condition(const char *condition, const char *message, const struct judged_case *base);
/* Conditions with the letter that each must answer, of one message; fails at the first that answers another. */
struct judged_row {
    const char *condition;
    char wanted;
};
void judged_hold(const struct judged_row *rows, size_t n, const char *message, const struct judged_case *base);
#define HOLD(rows, message, base) judged_hold(rows, sizeof rows / sizeof *rows, message, base)

#endif
