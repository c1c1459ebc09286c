#include "vm/finish.h"

#include <string.h>
#include <sysexits.h>

#include "base/digest.h"
#include "vm/plan.h"
#include "vm/witness.h"

/* --- shared fates ------------------------------------------------------------------------------------------------- */

/* A redirected recipient shares its target's fate.  A redirect to somebody who was redirected brings that one back, so
 * chains end; that they do is checked, not trusted. */
static bool share_fates(struct judgement *j)
{
    size_t n = j->members.n;
    uint32_t *fate = ARENA_ARRAY(j->arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        fate[i] = i;
        for (size_t k = 0; j->members.v[fate[i]].disposition == DISPOSITION_REDIRECT; k++) {
            fate[i] = j->members.v[fate[i]].target;
            if (k > n || fate[i] == NO_INDEX) return err_set(j->error, EX_SOFTWARE, "redirects lead in a circle");
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        struct member *m = &j->members.v[i];
        const struct member *end = &j->members.v[fate[i]];
        if (fate[i] == i || (end->disposition != DISPOSITION_REJECT && end->disposition != DISPOSITION_DROP)) continue;
        m->disposition = end->disposition;
        m->rule = end->rule;
        m->rule_index = end->rule_index;
        m->reply = end->reply;
    }
    return true;
}

/* --- one reply serves all ----------------------------------------------------------------------------------------- */

static const struct member *first_rejected(const struct judgement *j, size_t *count)
{
    const struct member *first = NULL;
    *count = 0;
    for (size_t i = 0; i < j->envelope_count; i++) {
        const struct member *m = &j->members.v[i];
        if (m->disposition != DISPOSITION_REJECT) continue;
        ++*count;
        if (!first || m->rule_index < first->rule_index) first = m;
    }
    return first;
}

/* The rule's reply, with the refused named: the client refuses nobody else but must tell its user whom. */
static struct reply naming_reply(struct judgement *j, const struct member *first)
{
    struct buf b = {0};
    buf_add(&b, first->reply.text);
    for (size_t i = 0, named = 0; i < j->envelope_count; i++) {
        const struct member *m = &j->members.v[i];
        if (m->disposition != DISPOSITION_REJECT) continue;
        if (b.n + m->address.n + 16 > REPLY_TEXT_MAX) {
            buf_add(&b, STR(" ..."));
            break;
        }
        buf_add(&b, named++ ? STR(", ") : STR(" (refused for "));
        buf_add(&b, m->address);
    }
    buf_add(&b, STR(")"));
    struct reply r = first->reply;
    r.text = plan_reply_text(j->arena, buf_str(&b));
    buf_free(&b);
    return r;
}

static void refuse_member(struct member *m, const struct member *like)
{
    m->disposition = DISPOSITION_REJECT;
    m->rule = like->rule;
    m->rule_index = like->rule_index;
    m->reply = like->reply;
}

/* Nobody the client named gets a message that was refused, nor does anybody in their place: only copies go on. */
static void refuse_whole(struct judgement *j, const struct member *first)
{
    size_t n = j->members.n;
    for (size_t i = 0; i < n; i++) {
        struct member *m = &j->members.v[i];
        if (m->disposition != DISPOSITION_REJECT && !(m->added && m->copied)) refuse_member(m, first);
    }
    for (bool again = true; again;) { /* a copy whose redirect leads to one of those goes with it */
        again = false;
        for (size_t i = j->envelope_count; i < n; i++) {
            struct member *m = &j->members.v[i];
            if (m->disposition != DISPOSITION_REDIRECT || j->members.v[m->target].disposition != DISPOSITION_REJECT)
                continue;
            refuse_member(m, first);
            again = true;
        }
    }
}

enum partial { PARTIAL_BY_CLIENT, PARTIAL_WHOLE, PARTIAL_DSN, PARTIAL_DROP }; /* mail/settings: partial_reject */

static enum partial partial_policy(const struct judgement *j)
{
    uint8_t p = j->in->settings ? j->in->settings->partial_reject : PARTIAL_BY_CLIENT;
    const struct client_facts *c = &j->in->envelope->client;
    if (p != PARTIAL_BY_CLIENT) return (enum partial)p;
    return client_is_authenticated(c) || c->trusted ? PARTIAL_DSN : PARTIAL_WHOLE;
}

static void answer_all(struct judgement *j, struct verdict *out)
{
    size_t rejected;
    const struct member *first = first_rejected(j, &rejected);
    out->answer = VERDICT_ACCEPT;
    for (size_t i = 0; i < j->envelope_count; i++) {
        const struct member *m = &j->members.v[i];
        if (m->disposition == DISPOSITION_REJECT && m->rule_index != NO_INDEX)
            judgement_hit(j, m->rule_index, HIT_REJECTED);
    }
    if (rejected == 0) return;
    if (rejected == j->envelope_count) {
        out->answer = VERDICT_REJECT;
        out->rule = first->rule;
        out->reply = first->reply;
        return;
    }
    enum partial policy = partial_policy(j);
    if (policy == PARTIAL_DSN) return;
    if (policy == PARTIAL_DROP) {
        for (size_t i = 0; i < j->envelope_count; i++)
            if (j->members.v[i].disposition == DISPOSITION_REJECT) j->members.v[i].disposition = DISPOSITION_DROP;
        return;
    }
    out->answer = VERDICT_REJECT;
    out->rule = first->rule;
    out->reply = naming_reply(j, first);
    refuse_whole(j, first);
}

/* --- copies ------------------------------------------------------------------------------------------------------- */

static bool gets_content(const struct member *m)
{
    return m->disposition == DISPOSITION_DELIVER || m->disposition == DISPOSITION_QUARANTINE ||
           m->disposition == DISPOSITION_HOLD;
}

static uint32_t add_copy(struct judgement *j, struct verdict *out, const struct edits *edits)
{
    struct verdict_copy *c = &out->copies[out->copy_count];
    edits_pieces(j->in->message, edits, j->arena, &c->pieces);
    c->length = pieces_length(&c->pieces);
    struct str content = message_content(j->in->message);
    /* Of the content itself there is no hash to make: the store hashes what it writes, and believes nobody. */
    if (!pieces_are_identity(&c->pieces, content.n)) digest_pieces(content, &c->pieces, c->sha256);
    for (uint32_t i = 0; i < out->copy_count; i++) /* edits without effect, or with the same */
        if (out->copies[i].length == c->length && memcmp(out->copies[i].sha256, c->sha256, DIGEST_SIZE) == 0) return i;
    return (uint32_t)out->copy_count++;
}

/* Recipients with equal edits share one copy.  There is always at least one, so every index is of a copy that exists.
 */
static bool make_copies(struct judgement *j, struct verdict *out)
{
    size_t n = j->members.n;
    const struct edits **seen = ARENA_ARRAY(j->arena, const struct edits *, n);
    uint32_t *copy_of = ARENA_ARRAY(j->arena, uint32_t, n);
    size_t lists = 0;
    out->copies = ARENA_ARRAY(j->arena, struct verdict_copy, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!gets_content(&j->members.v[i])) continue;
        const struct edits *mine = j->members.v[i].edits;
        size_t k = 0;
        while (k < lists && seen[k] != mine && !edits_equal(seen[k], mine)) k++;
        if (k == lists) {
            if (lists == VM_COPIES_MAX)
                return err_set(j->error, EX_SOFTWARE, "the rules make more than %d different copies", VM_COPIES_MAX);
            seen[k] = mine;
            copy_of[k] = add_copy(j, out, mine);
            lists++;
        }
        out->recipients[i].copy = copy_of[k];
    }
    if (out->copy_count == 0) add_copy(j, out, NULL);
    for (size_t i = 0; i < n; i++) { /* the copy that goes to the end of the redirects */
        size_t at = i;
        while (j->members.v[at].disposition == DISPOSITION_REDIRECT) at = j->members.v[at].target;
        if (at != i) out->recipients[i].copy = out->recipients[at].copy;
    }
    return true;
}

/* --- the verdict -------------------------------------------------------------------------------------------------- */

static void list_recipients(struct judgement *j, struct verdict *out)
{
    out->recipient_count = j->members.n;
    out->recipients = ARENA_ARRAY(j->arena, struct verdict_recipient, j->members.n);
    for (size_t i = 0; i < j->members.n; i++) {
        const struct member *m = &j->members.v[i];
        struct verdict_recipient *r = &out->recipients[i];
        *r = (struct verdict_recipient){.address = m->address,
                                        .added = m->added,
                                        .disposition = m->disposition,
                                        .need = m->need,
                                        .connector = m->connector,
                                        .not_before = m->not_before,
                                        .rule = m->rule,
                                        .tls_rule = m->tls_rule,
                                        .reason = m->reason};
        if (m->disposition == DISPOSITION_REJECT) r->reply = m->reply;
    }
}

/* Who gets a redirected recipient's mail answers for it: its sender hears of a failure, as of the one it wrote to.  Of
 * a copy nobody does (LANGUAGE section 4). */
static void name_replaced(struct judgement *j, struct verdict *out)
{
    for (size_t i = 0; i < j->envelope_count; i++) {
        size_t at = i;
        while (j->members.v[at].disposition == DISPOSITION_REDIRECT) at = j->members.v[at].target;
        struct verdict_recipient *r = &out->recipients[at];
        if (r->added && !r->stands_for) r->stands_for = (uint32_t)i + 1;
    }
}

/* Without those in `except`.  Rules without a hit, nearly all, cost a bit each. */
static void list_hits(struct judgement *j, uint8_t except, struct verdict *out)
{
    const struct program *p = j->program->program;
    size_t words = bits_words(p->rules_count), n = 0;
    for (size_t w = 0; w < words; w++) n += (size_t)__builtin_popcountll(j->hit_rules[w]);
    out->hits = ARENA_ARRAY(j->arena, struct verdict_hit, n);
    for (size_t w = 0; w < words; w++) {
        for (uint64_t left = j->hit_rules[w]; left; left &= left - 1) {
            size_t rule = w * 64 + (size_t)__builtin_ctzll(left);
            uint32_t what = j->hits[rule] & ~(uint32_t)except;
            if (what) out->hits[out->hit_count++] = (struct verdict_hit){p->rules[rule].identity, what};
        }
    }
}

static void list_notices(struct judgement *j, struct verdict *out)
{
    out->notice_count = j->notices.n;
    out->notices = ARENA_ARRAY(j->arena, struct verdict_notice, j->notices.n);
    for (size_t i = 0; i < j->notices.n; i++) out->notices[i] = j->notices.v[i].notice;
}

bool finish_verdict(struct judgement *j, struct verdict *out)
{
    *out = (struct verdict){0};
    if (j->deferred) { /* nothing happens but counters */
        out->answer = VERDICT_DEFER;
        out->reply = j->defer_reply;
        out->rule = j->defer_rule;
        list_hits(j, HIT_APPLIED, out);
        return true;
    }
    if (!share_fates(j)) return false;
    answer_all(j, out);
    list_recipients(j, out);
    name_replaced(j, out);
    if (!make_copies(j, out)) return false;
    list_hits(j, 0, out);
    plan_write_reports(j);
    list_notices(j, out);
    witness_evidence(j, out);
    out->note_count = j->notes.n;
    out->notes = arena_copy(j->arena, j->notes.v, j->notes.n, sizeof *j->notes.v);
    return true;
}
