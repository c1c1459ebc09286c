/* A server that says anything at all: the engine never delivers without a 2xx to a dot, never writes MAIL before it was
 * told to, and never writes the content in clear when TLS is demanded, never AUTH in clear.  First byte: how the caller
 * behaves. */
#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct caller {
    struct smtp_client *client;
    uint8_t ways;
    int left; /* transactions */
    bool ordered, tls, asked, in, body, over;
};

static void send_one(struct caller *c, uint32_t extensions)
{
    struct smtp_client_recipient to[2] = {
        {.forward_path = STR("one@d.example"), .orcpt = c->ways & 8 ? STR("utf-8;\xc3\xa4@d.example") : STR_NONE},
        {.forward_path = STR("two@d.example"), .notify = 14}};
    c->ordered = true;
    smtp_client_send(c->client,
                     &(struct smtp_client_transaction){.reverse_path = STR("a@b.example"),
                                                       .recipients = to,
                                                       .recipient_count = 2,
                                                       .size = 8,
                                                       .eight_bit = true,
                                                       .binary = (c->ways & 16) && (extensions & SMTP_EXT_BINARYMIME) &&
                                                                 (extensions & SMTP_EXT_CHUNKING),
                                                       .smtputf8 = (c->ways & 32) && (extensions & SMTP_EXT_SMTPUTF8),
                                                       .ret = c->ways & 8 ? 'F' : 0,
                                                       .envid = c->ways & 8 ? STR("id") : STR_NONE,
                                                       .tls_demanded = c->ways & 2,
                                                       .requiretls = c->tls && (extensions & SMTP_EXT_REQUIRETLS)});
}

static void order(struct caller *c, uint32_t extensions)
{
    if (smtp_client_stage(c->client) != SMTP_STAGE_IDLE) return; /* one was sent ahead */
    if (!c->tls && (c->ways & 1) && (extensions & SMTP_EXT_STARTTLS)) {
        smtp_client_starttls(c->client);
    } else if (c->tls && !c->asked && (c->ways & 4) && (extensions & SMTP_EXT_AUTH)) {
        c->asked = true;
        smtp_client_auth(c->client, &(struct smtp_client_login){STR("user"), STR("secret"), STR("chance"), true});
    } else if (c->left-- > 0 && (c->tls || !(c->ways & 2))) {
        send_one(c, extensions);
    } else {
        smtp_client_quit(c->client);
    }
}

static void check_output(struct caller *c)
{
    struct buf *out = smtp_client_output(c->client);
    INVARIANT(c->ordered || str_find(buf_str(out), STR("MAIL FROM")) == STR_NPOS);
    INVARIANT(!(c->ways & 2) || c->tls || str_find(buf_str(out), STR("@")) == STR_NPOS);
    INVARIANT(c->asked || str_find(buf_str(out), STR("AUTH ")) == STR_NPOS);
    out->n = 0;
}

static void handle(struct caller *c, const struct smtp_client_event *ev)
{
    struct str run = STR("a\r\n.b\r\n."), piece;
    static uint32_t extensions; /* of the last READY, for the orders after RESULT */
    INVARIANT(!c->over);
    switch (ev->kind) {
    case SMTP_CLIENT_READY: order(c, extensions = ev->ready.extensions); break;
    case SMTP_CLIENT_STARTTLS_REFUSED:
    case SMTP_CLIENT_RESULT:
        if (ev->kind == SMTP_CLIENT_RESULT && ev->stage == SMTP_STAGE_DOT) {
            INVARIANT(c->body && ev->reply.code >= 200);
            c->body = false;
        }
        order(c, extensions & ~(uint32_t)SMTP_EXT_STARTTLS);
        break;
    case SMTP_CLIENT_STARTTLS:
        check_output(c);
        c->tls = true;
        smtp_client_secured(c->client);
        break;
    case SMTP_CLIENT_AUTH_WORK:
        INVARIANT(c->asked && !c->in);
        while (!smtp_client_auth_work(c->client)) continue;
        break;
    case SMTP_CLIENT_AUTHENTICATED:
    case SMTP_CLIENT_AUTH_REFUSED:
        INVARIANT(c->asked && !c->in && c->tls);
        c->in = ev->kind == SMTP_CLIENT_AUTHENTICATED;
        order(c, extensions & ~(uint32_t)SMTP_EXT_STARTTLS);
        break;
    case SMTP_CLIENT_RECIPIENT: INVARIANT(ev->recipient < 2 && ev->reply.code >= 200); break;
    case SMTP_CLIENT_BODY:
        INVARIANT(!(c->ways & 2) || c->tls);
        c->body = true;
        while (smtp_client_body(c->client, &run, &piece)) continue;
        INVARIANT(run.n == 0);
        smtp_client_body_end(c->client);
        if ((c->ways & 64) && c->left > 0 && smtp_client_may_send_ahead(c->client)) {
            c->left--;
            send_one(c, extensions);
        }
        break;
    case SMTP_CLIENT_FAILED:
    case SMTP_CLIENT_CLOSED: c->over = true; break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct caller c = {.ways = data[0], .left = 3};
    struct smtp_client_event ev;
    c.client = smtp_client_create(&(struct smtp_client_options){STR("me.example")});
    size_t step = 1 + data[1] % 97;
    for (size_t at = 2; at < size; at += step) {
        smtp_client_feed(c.client, str_slice((struct str){(const char *)data, size}, at, at + step));
        while (smtp_client_next(c.client, &ev)) handle(&c, &ev);
        check_output(&c);
    }
    smtp_client_lost(c.client, "the end");
    while (smtp_client_next(c.client, &ev)) handle(&c, &ev);
    INVARIANT(c.over && smtp_client_stage(c.client) == SMTP_STAGE_OVER);
    smtp_client_free(&c.client);
    return 0;
}
