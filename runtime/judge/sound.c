#include <sysexits.h>

#include "judge/protocol.h"
#include "mail/address.h"

/* What relay holds a verdict to, beyond its form: a judge has read hostile mail and may say anything. */

enum {
    SOUND_TEXT_MAX = 8192,
    SOUND_REPLY_MAX = 500,
    SOUND_HITS = HIT_APPLIED | HIT_REJECTED | HIT_DEFERRED | HIT_UNDECIDED | HIT_AUDIT
};

static bool unsound(struct err *e, const char *what)
{
    return err_set(e, EX_DATAERR, "the judge's verdict is unsound: %s", what);
}

static bool text_is_sound(struct str s)
{
    return s.n <= SOUND_TEXT_MAX && str_is_utf8(s) && str_find_byte(s, '\0') == STR_NPOS;
}

static bool reply_is_sound(const struct reply *r, unsigned class)
{
    if (r->code / 100 != class || r->text.n == 0 || r->text.n > SOUND_REPLY_MAX || !reply_is_consistent(r))
        return false;
    for (size_t i = 0; i < r->text.n; i++)
        if (!ascii_is_print(r->text.p[i])) return false;
    return true;
}

/* --- recipients --------------------------------------------------------------------------------------------------- */

static bool recipient_is_sound(const struct verdict *v, const struct verdict_recipient *r, struct err *e)
{
    bool content = r->disposition == DISPOSITION_DELIVER || r->disposition == DISPOSITION_QUARANTINE ||
                   r->disposition == DISPOSITION_HOLD;
    struct address a;
    if (r->disposition >= DISPOSITION_COUNT) return unsound(e, "a disposition that does not exist");
    if (content && r->copy >= v->copy_count) return unsound(e, "a recipient of a copy that does not exist");
    if (r->disposition == DISPOSITION_REJECT && !reply_is_sound(&r->reply, 5)) return unsound(e, "a recipient's reply");
    if (r->not_before < 0) return unsound(e, "a delivery before all time");
    if (r->added && !address_parse(r->address, ADDRESS_UTF8, &a))
        return unsound(e, "an added recipient that is no address");
    if (!text_is_sound(r->connector) || !text_is_sound(r->rule) || !text_is_sound(r->tls_rule) ||
        !text_is_sound(r->reason))
        return unsound(e, "a recipient's texts");
    return true;
}

static bool recipients_are_sound(const struct verdict *v, const struct envelope *env, struct err *e)
{
    if (v->answer == VERDICT_DEFER || (v->answer == VERDICT_REJECT && v->recipient_count == 0))
        return v->recipient_count == 0 || unsound(e, "recipients of a message that is deferred");
    if (v->recipient_count < env->recipient_count) return unsound(e, "a recipient of the envelope is missing");
    for (size_t i = 0; i < v->recipient_count; i++) {
        const struct verdict_recipient *r = &v->recipients[i];
        bool named = i < env->recipient_count;
        if (r->added == named) return unsound(e, "the envelope's recipients do not come first");
        if (r->stands_for > (named ? 0 : env->recipient_count))
            return unsound(e, "a recipient who stands for nobody there is");
        if (named && !str_eq(r->address, env->recipients[i]))
            return unsound(e, "the envelope's recipients are not in order");
        if (named && v->answer == VERDICT_REJECT && r->disposition != DISPOSITION_REJECT)
            return unsound(e, "a recipient who gets a message that is refused");
        if (!recipient_is_sound(v, r, e)) return false;
    }
    return true;
}

/* --- copies ------------------------------------------------------------------------------------------------------- */

/* RFC 5321 section 2.3.8: lines end with CR LF, and neither stands alone. */
static bool insert_is_sound(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0') return false;
        if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')) return false;
        if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) return false;
    }
    return true;
}

/* A CR LF of the content that a range ends or begins within is whole again where the pieces meet. */
static bool seams_are_sound(const struct pieces *p, struct str content)
{
    bool cr = false; /* the last byte so far is the CR of such a pair */
    for (size_t i = 0; i < p->n; i++) {
        const struct piece *x = &p->v[i];
        size_t from = (size_t)x->from, to = (size_t)x->to;
        bool lf = !x->insert.p && from > 0 && content.p[from] == '\n' && content.p[from - 1] == '\r';
        if (cr != lf) return false;
        cr = !x->insert.p && to < content.n && content.p[to - 1] == '\r' && content.p[to] == '\n';
    }
    return !cr;
}

/* Looks for the empty line, over text that comes in parts. */
struct line_end {
    bool fresh; /* at the beginning of a line, or only a CR after it */
    bool found;
};

static void look_for_end(struct line_end *l, struct str s)
{
    for (size_t i = 0; i < s.n && !l->found; i++) {
        if (s.p[i] == '\n') {
            l->found = l->fresh;
            l->fresh = true;
        } else if (s.p[i] != '\r') {
            l->fresh = false;
        }
    }
}

/* A header section is looked for in so much of a message: far more than any is read of, and no more for each copy. */
enum { SOUND_HEADER_MAX = 1024 * 1024 };

static bool header_still_ends(const struct pieces *p, struct str content)
{
    struct line_end before = {true, false}, after = {true, false};
    look_for_end(&before, str_slice(content, 0, SOUND_HEADER_MAX));
    if (!before.found) return true;
    size_t left = SOUND_HEADER_MAX + PROTOCOL_DATAGRAM_MAX;
    for (size_t i = 0; i < p->n && !after.found && left; i++) {
        const struct piece *x = &p->v[i];
        struct str part = str_slice(x->insert.p ? x->insert : str_slice(content, x->from, x->to), 0, left);
        look_for_end(&after, part);
        left -= part.n;
    }
    return after.found;
}

static bool copies_are_sound(const struct verdict *v, struct str content, struct err *e)
{
    for (size_t i = 0; i < v->copy_count; i++) {
        const struct verdict_copy *c = &v->copies[i];
        if (!pieces_are_sound(&c->pieces, content.n)) return unsound(e, "pieces beyond the content, or out of order");
        if (pieces_length(&c->pieces) != c->length) return unsound(e, "a copy's length");
        for (size_t k = 0; k < c->pieces.n; k++)
            if (c->pieces.v[k].insert.p && !insert_is_sound(c->pieces.v[k].insert))
                return unsound(e, "a bare CR, LF or NUL");
        if (!seams_are_sound(&c->pieces, content)) return unsound(e, "a line end cut in two");
        if (!header_still_ends(&c->pieces, content)) return unsound(e, "a header section without end");
    }
    return true;
}

/* --- notices ------------------------------------------------------------------------------------------------------ */

/* What stands in a header field: one line that moves nothing. */
static bool line_is_sound(struct str s)
{
    if (s.n > NOTICE_LINE_MAX || !str_is_utf8(s)) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

static bool lines_are_sound(struct str s)
{
    if (s.n > NOTICE_TEXT_MAX || !str_is_utf8(s)) return false;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\n' && s.p[i] != '\t') || s.p[i] == 0x7f) return false;
    return true;
}

/* It will stand between angle brackets (RFC 5322 section 3.6.4). */
static bool id_is_sound(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '<' || s.p[i] == '>') return false;
    return s.n <= NOTICE_LINE_MAX;
}

static bool notices_are_sound(const struct verdict *v, struct err *e)
{
    if (v->notice_count && v->answer == VERDICT_DEFER) return unsound(e, "notices of a message that is deferred");
    if (v->notice_count > NOTICES_MAX) return unsound(e, "too many notices");
    for (size_t i = 0; i < v->notice_count; i++) {
        const struct verdict_notice *n = &v->notices[i];
        struct address a;
        if (!address_parse(n->to, ADDRESS_UTF8, &a)) return unsound(e, "a notice to what is no address");
        if (!text_is_sound(n->rule) || !line_is_sound(n->subject) || !id_is_sound(n->about) ||
            !lines_are_sound(n->text) || n->attach >= NOTICE_ATTACH_COUNT)
            return unsound(e, "a notice's texts");
    }
    return true;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static bool records_are_sound(const struct verdict *v, struct err *e)
{
    for (size_t i = 0; i < v->hit_count; i++)
        if (!text_is_sound(v->hits[i].rule) || v->hits[i].what == 0 || (v->hits[i].what & ~(uint32_t)SOUND_HITS))
            return unsound(e, "a hit");
    for (size_t i = 0; i < v->note_count; i++) {
        const struct verdict_note *n = &v->notes[i];
        if (n->kind > NOTE_AUDIT || !text_is_sound(n->rule) || !text_is_sound(n->recipient) || !text_is_sound(n->text))
            return unsound(e, "a note");
    }
    return true;
}

static bool evidence_fits(const struct verdict *v, struct err *e)
{
    bool none = !v->evidence.row_count && !v->evidence.list_count;
    if (!none && v->answer == VERDICT_DEFER) return unsound(e, "evidence of a message that is deferred");
    return evidence_is_sound(&v->evidence) || unsound(e, "evidence");
}

bool verdict_is_sound(const struct verdict *v, const struct envelope *env, struct str content, struct err *e)
{
    switch (v->answer) {
    case VERDICT_ACCEPT: break;
    case VERDICT_REJECT:
        if (!reply_is_sound(&v->reply, 5)) return unsound(e, "the reply");
        break;
    case VERDICT_DEFER:
        if (!reply_is_sound(&v->reply, 4)) return unsound(e, "the reply");
        break;
    default: return unsound(e, "an answer that does not exist");
    }
    if (!text_is_sound(v->rule)) return unsound(e, "the name of the rule that answers");
    return recipients_are_sound(v, env, e) && copies_are_sound(v, content, e) && records_are_sound(v, e) &&
           notices_are_sound(v, e) && evidence_fits(v, e);
}
