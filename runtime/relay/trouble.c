#include "relay/trouble.h"

#include <stdio.h>

#include "base/err.h"
#include "mail/envelope.h"

/* What is said when the connection itself failed in a phase: RFC 3463 section 3.5 (X.4.1 no answer, X.4.2 bad
 * connection), X.7.5 for the handshake, X.7.0 where we could not say who we are, X.3.0 for our own fault. */
static const struct status lost_status[TROUBLE_PHASE_COUNT] = {
    [TROUBLE_ROUTE] = {4, 4, 4},   [TROUBLE_CONNECT] = {4, 4, 1}, [TROUBLE_GREETING] = {4, 4, 2},
    [TROUBLE_EHLO] = {4, 4, 2},    [TROUBLE_TLS] = {4, 7, 5},     [TROUBLE_AUTH] = {4, 7, 0},
    [TROUBLE_MAIL] = {4, 4, 2},
    [TROUBLE_RCPT] = {4, 4, 2},    [TROUBLE_DATA] = {4, 4, 2},    [TROUBLE_DOT] = {4, 4, 2},
    [TROUBLE_CONTENT] = {4, 3, 0},
};

/* The enhanced code, made to agree with the class that was decided (RFC 2034 section 4: the code of the reply
 * rules). */
static struct status status_of(const struct reply *r, uint8_t class)
{
    if (r->status.class == class) return r->status;
    struct status s = r->status.class ? r->status : (struct status){class, 0, 0};
    s.class = class;
    return s;
}

static struct trouble_answer decide_reply(const struct trouble *t)
{
    const struct reply *r = &t->reply;
    bool host = t->phase <= TROUBLE_AUTH;
    struct trouble_answer retry = {.fate = FATE_RETRY, .host = host, .status = status_of(r, 4)};
    if (r->code < 200 || r->code > 599 || (r->code >= 300 && r->code < 400)) {
        retry.status = STATUS(4, 5, 0);
        return retry;
    }
    if (r->code < 300) {
        /* Only what answers the content says that the message was taken; at any other moment 2yz is a peer out of
         * step. */
        if (t->phase == TROUBLE_DOT) return (struct trouble_answer){.fate = FATE_DONE, .status = status_of(r, 2)};
        retry.status = STATUS(4, 5, 0);
        return retry;
    }
    if (r->code < 500) {
        /* 421: the service is going away, whatever was being said. */
        if (r->code == 421) retry.host = true;
        return retry;
    }
    /* A host that greets, or hears EHLO or AUTH, with 5yz refuses us today; its mail is not undeliverable for that. */
    if (host) return retry;
    /* "552 too many recipients" is 452 (RFC 5321 section 4.5.3.1.10); a full mailbox says so by X.2.2 and stays 552. */
    if (t->phase == TROUBLE_RCPT && r->code == 552 && r->status.subject != 2) return retry;
    /* The peer demands TLS (RFC 3207 section 4) or AUTH, or another AUTH (RFC 4954 section 6): configuration may change
     * that. */
    if (r->code == 530 || r->code == 534 || r->code == 535 || r->code == 538) return retry;
    /* "Bad sequence of commands" is a word on the session, which may be out of step since the mail before: not on this
     * one. */
    if (r->code == 503 && t->phase != TROUBLE_DOT) return retry;
    return (struct trouble_answer){.fate = FATE_RETURN, .status = status_of(r, 5)};
}

struct trouble_answer trouble_decide(const struct trouble *t)
{
    INVARIANT(t->phase < TROUBLE_PHASE_COUNT && t->cause < TROUBLE_CAUSE_COUNT);
    struct trouble_answer retry = {.fate = FATE_RETRY, .host = true, .status = lost_status[t->phase]};
    switch ((enum trouble_cause)t->cause) {
    case TROUBLE_REPLY: return decide_reply(t);
    case TROUBLE_UNABLE: return (struct trouble_answer){.fate = FATE_RETURN, .status = status_of(&t->reply, 5)};
    case TROUBLE_POLICY:
        retry.status = status_of(&t->reply, 4);
        retry.host = false; /* other mail may be allowed what this one is not */
        return retry;
    case TROUBLE_GARBLED: retry.status = STATUS(4, 5, 0); break;
    case TROUBLE_DAMAGED:
        return (struct trouble_answer){.fate = FATE_HOLD, .status = STATUS(4, 3, 0)}; /* DESIGN section 4 */
    case TROUBLE_LOST:
    case TROUBLE_TIMEOUT:
    default: break;
    }
    if (t->phase == TROUBLE_ROUTE || t->phase == TROUBLE_CONTENT) retry.host = false; /* no fault of the host's */
    retry.maybe_delivered = t->phase == TROUBLE_DOT;
    return retry;
}

static size_t append(char *out, size_t room, size_t at, struct str s)
{
    for (size_t i = 0; i < s.n && at + 1 < room; i++) {
        char c = s.p[i];
        out[at++] = ascii_is_print(c) ? c : c == '\n' ? ' ' : '?';
    }
    return at;
}

size_t trouble_reason(const struct trouble *t, const struct trouble_answer *a, char *out, size_t room)
{
    INVARIANT(room > 0);
    char first[STATUS_TEXT_MAX];
    size_t n;
    if (t->cause == TROUBLE_REPLY) {
        n = (size_t)snprintf(first, sizeof first, "%u", (unsigned)t->reply.code % 1000);
    } else {
        n = status_print(a->status, first);
    }
    n = append(out, room, 0, (struct str){first, n});
    n = append(out, room, n, STR(" "));
    n = append(out, room, n, t->cause == TROUBLE_REPLY || t->cause == TROUBLE_UNABLE ? t->reply.text : t->why);
    while (n && out[n - 1] == ' ') n--;
    out[n] = '\0';
    return n;
}

struct reply trouble_expiry(struct str reason)
{
    struct str first, rest;
    struct status s = {0};
    str_cut(reason, ' ', &first, &rest);
    /* Only our own reasons begin with an enhanced code: a peer's 4.7.x is not the policy's. */
    bool policy = status_parse(first, &s) && s.class == 4 && s.subject == 7;
    if (policy && s.detail == 30)
        return (struct reply){550, STATUS(5, 7, 30),
                              STR("REQUIRETLS support required, and the next host does not offer it")};
    if (policy && (s.detail == 4 || s.detail == 5))
        return (struct reply){550, STATUS(5, 7, 10), STR("Encryption needed, and it could not be had in time")};
    return (struct reply){550, STATUS(5, 4, 7), STR("Delivery time expired")};
}

bool trouble_must_keep(struct str reverse_path, struct status returned)
{
    return !reverse_path.n && returned.subject == 7 && (returned.detail == 10 || returned.detail == 30);
}

bool trouble_may_report(struct str reverse_path, bool relay_made, uint8_t notify, enum report_kind kind)
{
    if (reverse_path.n == 0 || relay_made) return false;
    switch (kind) {
    case REPORT_FAILED: return notify == 0 || (notify & NOTIFY_FAILURE);
    case REPORT_DELAYED: return notify == 0 || (notify & NOTIFY_DELAY);
    case REPORT_RELAYED: return notify & NOTIFY_SUCCESS;
    case REPORT_NONE: break;
    }
    return false;
}
