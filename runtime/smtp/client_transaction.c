/* One transaction and the next: its commands, pipelined where the server can, what their replies mean, and the
 * content. */
#include <string.h>

#include "mail/orcpt.h"
#include "smtp/client_core.h"
#include "smtp/scan.h"

/* Nothing that goes into a command line may end it. */
static bool is_one_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

static bool is_sound(const struct smtp_client_transaction *t)
{
    if (!is_one_line(t->reverse_path) || !is_one_line(t->envid)) return false;
    for (size_t i = 0; i < t->recipient_count; i++)
        if (!is_one_line(t->recipients[i].forward_path) || !is_one_line(t->recipients[i].orcpt)) return false;
    return true;
}

static void write_mail(struct smtp_client *c, struct buf *o, const struct smtp_client_transaction *t)
{
    buf_add(o, STR("MAIL FROM:<"));
    buf_add(o, t->reverse_path);
    buf_add_byte(o, '>');
    if (c->extensions & SMTP_EXT_SIZE) buf_printf(o, " SIZE=%llu", (unsigned long long)t->size);
    if (t->binary)
        buf_add(o, STR(" BODY=BINARYMIME"));
    else if (t->eight_bit && (c->extensions & SMTP_EXT_8BITMIME))
        buf_add(o, STR(" BODY=8BITMIME"));
    if (t->smtputf8) buf_add(o, STR(" SMTPUTF8"));
    if (t->requiretls) buf_add(o, STR(" REQUIRETLS"));
    if (c->extensions & SMTP_EXT_DSN) {
        if (t->ret) buf_add(o, t->ret == 'F' ? STR(" RET=FULL") : STR(" RET=HDRS"));
        if (t->envid.n) {
            buf_add(o, STR(" ENVID="));
            buf_add(o, t->envid);
        }
    }
    buf_add(o, STR("\r\n"));
}

static void write_notify(struct buf *o, uint8_t notify)
{
    static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    const char *sep = " NOTIFY=";
    for (unsigned i = 0; i < 4; i++) {
        if (!(notify & 1u << i)) continue;
        buf_add(o, str_of(sep));
        buf_add(o, str_of(words[i]));
        sep = ",";
    }
}

static void write_rcpt(struct smtp_client *c, struct buf *o, const struct smtp_client_recipient *r, bool utf8)
{
    buf_add(o, STR("RCPT TO:<"));
    buf_add(o, r->forward_path);
    buf_add_byte(o, '>');
    if (c->extensions & SMTP_EXT_DSN) {
        write_notify(o, r->notify);
        if (r->orcpt.n) {
            buf_add(o, STR(" ORCPT="));
            if (utf8)
                buf_add(o, r->orcpt);
            else
                orcpt_ascii(r->orcpt, o);
        }
    }
    buf_add(o, STR("\r\n"));
}

/* Without PIPELINING: the next line of the transaction, unless what would answer it is there already. */
static void write_next(struct smtp_client *c)
{
    if (c->pipelined || !client_is_in_step(c)) return;
    size_t lf = str_find_byte(buf_str(&c->commands), '\n');
    INVARIANT(lf != STR_NPOS);
    buf_add(&c->out, str_slice(buf_str(&c->commands), 0, lf + 1));
    buf_consume(&c->commands, lf + 1);
}

bool smtp_client_may_send_ahead(const struct smtp_client *c)
{
    return c->stage == SMTP_STAGE_DOT && c->pipelined && !c->lone_dot && !c->ahead;
}

/* The transaction whose commands are written now waits for MAIL's answer (RSET's before it, when that went ahead). */
static void begin(struct smtp_client *c, size_t recipients, uint64_t size, bool binary)
{
    c->recipients = recipients;
    c->answered = c->accepted = 0;
    c->lone_dot = false;
    c->chunked = c->extensions & SMTP_EXT_CHUNKING;
    c->left = size;
    c->binary = binary;
    c->data_sent = c->pipelined && !c->chunked;
    c->result_stage = SMTP_STAGE_IDLE;
    c->reset_due = true;
    c->stage = SMTP_STAGE_MAIL;
}

void smtp_client_send(struct smtp_client *c, const struct smtp_client_transaction *t)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    bool ahead = smtp_client_may_send_ahead(c);
    INVARIANT((c->stage == SMTP_STAGE_IDLE || ahead) && t->recipient_count > 0);
    INVARIANT(c->tls || !t->tls_demanded);
    INVARIANT(!t->requiretls || (c->tls && (c->extensions & SMTP_EXT_REQUIRETLS)));
    INVARIANT(!t->binary || ((c->extensions & SMTP_EXT_CHUNKING) && (c->extensions & SMTP_EXT_BINARYMIME)));
    INVARIANT(!t->smtputf8 || (c->extensions & SMTP_EXT_SMTPUTF8));
    if (!ahead && !client_is_in_step(c)) return;
    if (!is_sound(t)) {
        client_fail(c, "an address holds what no command may hold", NULL);
        return;
    }
    c->pipelined = c->extensions & SMTP_EXT_PIPELINING;
    c->commands.n = 0;
    struct buf *o = c->pipelined ? &c->out : &c->commands;
    c->reset_sent = c->reset_due && !ahead; /* the dot clears the server's buffers */
    if (c->reset_sent) buf_add(o, STR("RSET\r\n"));
    write_mail(c, o, t);
    for (size_t i = 0; i < t->recipient_count; i++) write_rcpt(c, o, &t->recipients[i], t->smtputf8);
    if (!(c->extensions & SMTP_EXT_CHUNKING)) buf_add(o, STR("DATA\r\n"));
    if (ahead) {
        c->ahead = t->recipient_count;
        c->size_ahead = t->size;
        c->binary_ahead = t->binary;
        return;
    }
    begin(c, t->recipient_count, t->size, t->binary);
    write_next(c);
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

static bool finish(struct smtp_client *c, enum smtp_client_stage stage, const struct reply *r,
                   struct smtp_client_event *ev)
{
    c->stage = SMTP_STAGE_IDLE;
    if (c->ahead) begin(c, c->ahead, c->size_ahead, c->binary_ahead);
    c->ahead = 0;
    ev->kind = SMTP_CLIENT_RESULT;
    ev->stage = stage;
    ev->reply = *r;
    return true;
}

/* The transaction's fate is known, but answers that belong to it are still to come. */
static void decide(struct smtp_client *c, enum smtp_client_stage stage, const struct reply *r)
{
    c->result_stage = stage;
    c->result_text.n = 0;
    buf_add(&c->result_text, r->text);
    c->result = *r;
    c->result.text = buf_str(&c->result_text);
}

static bool is_refusal(struct smtp_client *c, const struct reply *r)
{
    if (r->code >= 300 && r->code < 400) client_fail(c, "the server answered with an unfit code", r);
    return r->code >= 400;
}

bool client_on_mail(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (c->reset_sent) {
        c->reset_sent = false;
        if (r->code >= 300)
            client_fail(c, "the server refused RSET", NULL); /* that says nothing about the mail that follows */
        else
            write_next(c);
        return false;
    }
    bool refused = is_refusal(c, r);
    if (c->stage == SMTP_STAGE_OVER) return false;
    if (refused && !c->pipelined) return finish(c, SMTP_STAGE_MAIL, r, ev);
    if (refused) decide(c, SMTP_STAGE_MAIL, r);
    c->stage = SMTP_STAGE_RCPT;
    write_next(c);
    return false;
}

bool client_on_rcpt(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    bool refused = is_refusal(c, r);
    if (c->stage == SMTP_STAGE_OVER) return false;
    bool tell = c->result_stage != SMTP_STAGE_MAIL;
    ev->kind = SMTP_CLIENT_RECIPIENT;
    ev->recipient = c->answered++;
    ev->reply = *r;
    if (!refused && tell) c->accepted++;
    if (c->answered < c->recipients) {
        write_next(c);
        return tell;
    }
    if (c->accepted == 0 && tell) decide(c, SMTP_STAGE_RCPT, r);
    c->stage = SMTP_STAGE_DATA;
    if (c->chunked) return tell;
    if (c->accepted) write_next(c);
    c->data_sent = c->pipelined || c->accepted;
    return tell;
}

static bool begin_body(struct smtp_client *c, struct smtp_client_event *ev)
{
    c->stage = SMTP_STAGE_BODY;
    c->body = c->chunked ? BODY_TEXT : BODY_LINE; /* no line of a chunk has a dot to hide */
    ev->kind = SMTP_CLIENT_BODY;
    return true;
}

bool client_on_data(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (r->code >= 400) {
        if (c->result_stage != SMTP_STAGE_IDLE) return finish(c, c->result_stage, &c->result, ev);
        return finish(c, SMTP_STAGE_DATA, r, ev);
    }
    if (r->code != 354) {
        client_fail(c, "the server answered DATA with an unfit code", r);
        return false;
    }
    if (c->accepted == 0) {
        buf_add(&c->out, STR(".\r\n"));
        c->lone_dot = true;
        c->stage = SMTP_STAGE_DOT;
        return false;
    }
    return client_is_in_step(c) && begin_body(c, ev);
}

bool client_on_dot(struct smtp_client *c, const struct reply *r, struct smtp_client_event *ev)
{
    if (c->lone_dot) return finish(c, c->result_stage, &c->result, ev);
    is_refusal(c, r);
    if (c->stage == SMTP_STAGE_OVER) return false;
    c->reset_due = false; /* after the dot the server's buffers are clear (RFC 5321 section 4.1.1.4) */
    return finish(c, SMTP_STAGE_DOT, r, ev);
}

static bool take_piece(struct smtp_client *c, struct str *run, size_t n, struct str *piece)
{
    *piece = str_slice(*run, 0, n);
    *run = str_from(*run, n);
    if (c->chunked) c->left -= n;
    return true;
}

bool smtp_client_body(struct smtp_client *c, struct str *run, struct str *piece)
{
    if (c->stage == SMTP_STAGE_OVER || run->n == 0) return false;
    INVARIANT(c->stage == SMTP_STAGE_BODY);
    const char *p = run->p;
    if (c->chunked && run->n > c->left) {
        client_fail(c, "the content is longer than was announced", NULL);
        return false;
    }
    if (c->binary) return take_piece(c, run, run->n, piece);
    if (c->body == BODY_LINE && p[0] == '.') { /* RFC 5321 section 4.5.2; the dot itself follows as text */
        c->body = BODY_TEXT;
        *piece = STR(".");
        return true;
    }
    size_t i = 0;
    bool broken = false;
    while (i < run->n && !broken) {
        if (c->body == BODY_LINE) {
            if (p[i] == '.') break;
            c->body = BODY_TEXT;
        }
        if (c->body == BODY_TEXT) {
            i += smtp_scan(p + i, run->n - i);
            if (i == run->n) break;
            broken = p[i++] != '\r';
            c->body = BODY_CR;
        } else {
            broken = p[i++] != '\n';
            c->body = c->chunked ? BODY_TEXT : BODY_LINE;
        }
    }
    if (broken) {
        client_fail(c, "the content holds a bare CR, a bare LF or a NUL and cannot be sent", NULL);
        return false;
    }
    return take_piece(c, run, i, piece);
}

void smtp_client_body_end(struct smtp_client *c)
{
    if (c->stage == SMTP_STAGE_OVER) return;
    INVARIANT(c->stage == SMTP_STAGE_BODY);
    if (c->body == BODY_CR || (c->chunked && c->left)) {
        client_fail(c,
                    c->left ? "the content is shorter than was announced"
                            : "the content ends in a bare CR and cannot be sent",
                    NULL);
        return;
    }
    if (!c->chunked) buf_add(&c->out, c->body == BODY_TEXT ? STR("\r\n.\r\n") : STR(".\r\n"));
    c->stage = SMTP_STAGE_DOT;
}

/* Where no DATA was written, what follows the last RECIPIENT: with every recipient refused the result, else content. */
bool client_follow_recipients(struct smtp_client *c, struct smtp_client_event *ev)
{
    if (c->stage != SMTP_STAGE_DATA || c->data_sent) return false;
    if (c->accepted) { /* by BDAT: nothing is asked first */
        if (!client_is_in_step(c)) return false;
        buf_printf(&c->out, "BDAT %llu LAST\r\n", (unsigned long long)c->left);
        return begin_body(c, ev);
    }
    return finish(c, c->result_stage, &c->result, ev);
}
