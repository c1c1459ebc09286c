/* Content: behind DATA up to the dot (RFC 5321 section 4.1.1.4), behind BDAT by count (RFC 3030). */
#include "smtp/scan.h"
#include "smtp/server_core.h"

void server_content_discard(struct smtp_server *s, const struct reply *r)
{
    s->discarding = true;
    s->discarded = 0;
    s->verdict_text.n = 0;
    buf_add(&s->verdict_text, r->text);
    s->verdict = *r;
    s->verdict.text = buf_str(&s->verdict_text);
    if (s->told || !s->mail) return;
    s->told = s->abort_due = true;
    s->abort_why = "the content is refused";
    s->abort_refused = true;
}

/* A run of content that ended; true when the caller should see it. */
static bool take_run(struct smtp_server *s, const char *from, const char *to, struct smtp_server_event *ev)
{
    if (from == to) return false;
    s->size += (uint64_t)(to - from);
    if (s->options.message_size && s->size > s->options.message_size && !s->discarding)
        server_content_discard(
            s, &(struct reply){552, STATUS(5, 3, 4), STR("The message is larger than this server takes")});
    if (s->discarding) {
        s->discarded += (uint64_t)(to - from);
        return false;
    }
    ev->kind = SMTP_SERVER_CONTENT;
    ev->bytes = (struct str){from, (size_t)(to - from)};
    return true;
}

static const struct reply stray = {554, {5, 6, 0}, {"The content holds a bare CR, a bare LF or a NUL", 47}};

/* The content is whole, or what was to be swallowed of it is. */
static enum server_step end_content(struct smtp_server *s, struct smtp_server_event *ev)
{
    s->phase = PHASE_COMMAND;
    if (s->discarding) {
        struct reply r = s->verdict;
        if (r.code >= 500)
            server_refuse(s, r.code, r.status, r.text);
        else
            server_say(s, r.code, r.status, r.text);
        if (r.code == 421) server_end(s, "421 was given for the message");
        server_reset(s, "the content is refused");
        return STEP_AGAIN;
    }
    s->asking = true;
    s->question = SMTP_SERVER_MESSAGE;
    *ev = (struct smtp_server_event){.kind = SMTP_SERVER_MESSAGE, .asks = true, .size = s->size};
    return STEP_EVENT;
}

/* --- DATA --------------------------------------------------------------------------------------------------------- */

static enum server_step break_content(struct smtp_server *s)
{
    server_say(s, stray.code, stray.status, stray.text);
    server_break(s, "bare CR, bare LF or NUL in the content");
    return STEP_AGAIN;
}

/* Reads content up to the next thing to tell: a run (cut where a stuffed dot is dropped), the end, or a breach.  The
 * end is CR LF "." CR LF and nothing else; the first CR LF belongs to the content. */
static enum server_step step_data(struct smtp_server *s, struct smtp_server_event *ev)
{
    const char *p = s->in.p, *from = p, *const end = p + s->in.n;
    while (p < end) {
        switch (s->content) {
        case CONTENT_LINE:
            if (*p == '.') {
                s->content = CONTENT_DOT;
                s->in = (struct str){p + 1, (size_t)(end - p - 1)};
                if (take_run(s, from, p, ev)) return STEP_EVENT;
                from = ++p;
                break;
            }
            s->content = CONTENT_TEXT;
            break;
        case CONTENT_TEXT:
            p += smtp_scan(p, (size_t)(end - p));
            if (p == end) break;
            if (*p++ != '\r') return break_content(s);
            s->content = CONTENT_CR;
            break;
        case CONTENT_CR:
            if (*p++ != '\n') return break_content(s);
            s->content = CONTENT_LINE;
            break;
        case CONTENT_DOT:
            s->content = *p == '\r' ? CONTENT_DOT_CR : CONTENT_TEXT;
            if (*p == '\r') from = ++p;
            break;
        case CONTENT_DOT_CR:
            if (*p++ != '\n') return break_content(s);
            s->in = (struct str){p, (size_t)(end - p)};
            return end_content(s, ev);
        }
    }
    s->in = (struct str){end, 0};
    return take_run(s, from, end, ev) ? STEP_EVENT : STEP_STARVED;
}

/* --- BDAT --------------------------------------------------------------------------------------------------------- */

/* Only CR LF ends a line in a chunk too, unless the content was announced as binary; a pair may be cut by a chunk's
 * end. */
static bool has_stray(struct smtp_server *s, struct str run)
{
    const char *p = run.p, *const end = p + run.n;
    while (p < end) {
        if (s->content == CONTENT_CR) {
            if (*p++ != '\n') return true;
            s->content = CONTENT_TEXT;
        } else {
            p += smtp_scan(p, (size_t)(end - p));
            if (p == end) break;
            if (*p++ != '\r') return true;
            s->content = CONTENT_CR;
        }
    }
    return false;
}

static enum server_step end_chunk(struct smtp_server *s, struct smtp_server_event *ev)
{
    if (s->chunk_last && s->content == CONTENT_CR && !s->binary && !s->discarding) server_content_discard(s, &stray);
    if (s->chunk_last || s->discarding) return end_content(s, ev);
    s->phase = PHASE_COMMAND;
    buf_printf(&s->out, "250 2.0.0 %llu octets so far\r\n", (unsigned long long)s->size);
    return STEP_AGAIN;
}

static enum server_step step_chunk(struct smtp_server *s, struct smtp_server_event *ev)
{
    if (s->chunk_left == 0) return end_chunk(s, ev);
    if (s->in.n == 0) return STEP_STARVED;
    size_t n = s->in.n < s->chunk_left ? s->in.n : (size_t)s->chunk_left;
    struct str run = str_slice(s->in, 0, n);
    s->in = str_from(s->in, n);
    s->chunk_left -= n;
    if (!s->discarding && !s->binary && has_stray(s, run)) server_content_discard(s, &stray);
    return take_run(s, run.p, run.p + run.n, ev) ? STEP_EVENT : STEP_AGAIN;
}

enum server_step server_chunk_begin(struct smtp_server *s, uint64_t octets, bool last, const struct reply *refusal,
                                    struct smtp_server_event *ev)
{
    bool first = !s->chunked;
    s->chunk_left = octets;
    s->chunk_last = last;
    if (refusal) server_content_discard(s, refusal);
    if (refusal || !first) {
        s->phase = PHASE_CHUNK;
        return STEP_AGAIN;
    }
    s->chunked = true;
    return server_ask(s, ev, SMTP_SERVER_DATA);
}

/* --- both --------------------------------------------------------------------------------------------------------- */

void server_content_begin(struct smtp_server *s, const struct reply *r, bool accepted)
{
    if (!s->chunked && !accepted) {
        server_say(s, r->code, r->status, r->text);
        return;
    }
    s->size = 0;
    s->content = s->chunked ? CONTENT_TEXT : CONTENT_LINE;
    s->phase = s->chunked ? PHASE_CHUNK : PHASE_CONTENT;
    if (!accepted)
        server_content_discard(s, r);
    else if (!s->chunked)
        buf_add(&s->out, STR("354 End data with <CR><LF>.<CR><LF>\r\n"));
}

/* Content that is refused is read to its end, so that the client hears why; but not for ever. */
static bool is_discarding_too_much(const struct smtp_server *s)
{
    uint64_t left = s->phase == PHASE_CHUNK ? s->chunk_left : 0;
    return s->discarding && (s->discarded > LIMIT_CONTENT_DISCARD || left > LIMIT_CONTENT_DISCARD);
}

enum server_step server_content_step(struct smtp_server *s, struct smtp_server_event *ev)
{
    if (is_discarding_too_much(s)) {
        server_say(s, s->verdict.code, s->verdict.status, s->verdict.text);
        server_break(s, "more refused content than is worth reading");
        return STEP_AGAIN;
    }
    return s->phase == PHASE_CONTENT ? step_data(s, ev) : step_chunk(s, ev);
}
