/* smtp/client and smtp/reply: whole dialogues against scripted servers, in every segmentation of what the server
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/client.h"
#include "smtp/reply.h"

/* A caller with a fixed mind: STARTTLS when offered (unless `clear`), then `transactions` messages, then QUIT. */
struct caller {
    struct smtp_client *client;
    bool clear, demand_tls;
    int transactions;
    const char *content;
    size_t recipients;
    bool eight_bit, requiretls, dsn, ahead, binary, smtputf8;
    const char *orcpt; /* of the first recipient */
    size_t announced; /* size, where it is not the content's */
    struct buf events, sent;
    bool over;
};

static void send_one(struct caller *c)
{
    struct smtp_client_recipient to[3] = {{STR("one@d.example"), 0, c->orcpt ? str_of(c->orcpt) : STR_NONE},
                                          {STR("two@d.example"), 4, STR("rfc822;x")},
                                          {STR("three@d.example"), 0, STR_NONE}};
    struct smtp_client_transaction t = {
        .reverse_path = STR("a@b.example"),
        .recipients = to,
        .recipient_count = c->recipients,
        .size = c->announced ? c->announced : strlen(c->content),
        .eight_bit = c->eight_bit,
        .binary = c->binary,
        .smtputf8 = c->smtputf8,
        .requiretls = c->requiretls,
        .tls_demanded = c->demand_tls,
        .ret = c->dsn ? 'H' : 0,
        .envid = c->dsn ? STR("id") : STR_NONE,
    };
    smtp_client_send(c->client, &t);
}

static void write_body(struct caller *c)
{
    size_t n = strlen(c->content), half = n / 2;
    struct str runs[2] = {{c->content, half}, {c->content + half, n - half}}, piece;
    for (int i = 0; i < 2; i++) {
        while (smtp_client_body(c->client, &runs[i], &piece)) buf_add(&c->sent, piece);
        if (runs[i].n) return; /* cannot be sent: FAILED follows */
    }
    smtp_client_body_end(c->client);
    if (c->ahead && c->transactions > 0 && smtp_client_may_send_ahead(c->client)) {
        c->transactions--;
        send_one(c);
        c->ahead = !smtp_client_may_send_ahead(c->client); /* one, not two */
    }
}

static void take_output(struct caller *c)
{
    struct buf *out = smtp_client_output(c->client);
    buf_add(&c->sent, buf_str(out));
    out->n = 0;
}

static void order(struct caller *c)
{
    if (smtp_client_stage(c->client) != SMTP_STAGE_IDLE) return; /* one was sent ahead */
    if (c->transactions-- > 0)
        send_one(c);
    else
        smtp_client_quit(c->client);
}

static void run(struct caller *c)
{
    struct smtp_client_event ev;
    while (smtp_client_next(c->client, &ev)) {
        struct buf *b = &c->events;
        switch (ev.kind) {
        case SMTP_CLIENT_READY:
            buf_printf(b, "READY %s%u by %.*s\n", ev.ready.tls ? "tls " : "", ev.ready.extensions,
                       STR_ARG(ev.ready.greeted_by));
            if (!c->clear && (ev.ready.extensions & SMTP_EXT_STARTTLS))
                smtp_client_starttls(c->client);
            else if (c->demand_tls && !ev.ready.tls)
                smtp_client_quit(c->client);
            else
                order(c);
            break;
        case SMTP_CLIENT_STARTTLS:
            buf_add(b, STR("STARTTLS\n"));
            take_output(c);
            buf_add(&c->sent, STR("<tls>"));
            smtp_client_secured(c->client);
            break;
        case SMTP_CLIENT_STARTTLS_REFUSED:
            buf_printf(b, "REFUSED %u\n", ev.reply.code);
            if (c->demand_tls)
                smtp_client_quit(c->client);
            else
                order(c);
            break;
        case SMTP_CLIENT_AUTH_WORK:
        case SMTP_CLIENT_AUTHENTICATED:
        case SMTP_CLIENT_AUTH_REFUSED: fail_msg("AUTH, which nobody ordered"); break; /* smtp_login_test.c */
        case SMTP_CLIENT_RECIPIENT: buf_printf(b, "RCPT %zu %u\n", ev.recipient, ev.reply.code); break;
        case SMTP_CLIENT_BODY:
            take_output(c);
            write_body(c);
            break;
        case SMTP_CLIENT_RESULT:
            buf_printf(b, "RESULT %s %u %u.%u.%u %.*s\n", smtp_client_stage_name(ev.stage), ev.reply.code,
                       ev.reply.status.class, ev.reply.status.subject, ev.reply.status.detail, STR_ARG(ev.reply.text));
            order(c);
            break;
        case SMTP_CLIENT_FAILED:
            buf_printf(b, "FAILED %s %u%s\n", smtp_client_stage_name(ev.stage), ev.reply.code,
                       ev.may_be_delivered ? " maybe" : "");
            c->over = true;
            break;
        case SMTP_CLIENT_CLOSED:
            buf_add(b, STR("CLOSED\n"));
            c->over = true;
            break;
        }
    }
    take_output(c);
}

static const struct dialogue {
    const char *name;
    struct caller caller;
    const char *server[16]; /* each fed once the client has answered the one before */
    const char *sent, *events;
    bool lost; /* then the stream goes */
} dialogues[] = {
    {"pipelined",
     {.transactions = 1, .recipients = 2, .content = "a\r\n.b\r\n", .eight_bit = true},
     {"220 x\r\n", "250-mx.d.example hi\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8bitmime\r\n",
      "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no\r\n354 go\r\n", "250 2.0.0 queued\r\n", "221 bye\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example> SIZE=7 BODY=8BITMIME\r\nRCPT TO:<one@d.example>\r\nRCPT "
     "TO:<two@d.example>\r\nDATA\r\n"
     "a\r\n..b\r\n.\r\nQUIT\r\n",
     "READY 7 by mx.d.example\nRCPT 0 250\nRCPT 1 550\nRESULT end of data 250 2.0.0 2.0.0 queued\nCLOSED\n",
     false},
    {"one at a time, after HELO",
     {.transactions = 1, .recipients = 2, .content = "x"},
     {"220 x\r\n", "502 what\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 done\r\n",
      "221\r\n"},
     "EHLO me.example\r\nHELO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nRCPT "
     "TO:<two@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
     "READY 0 by mx\nRCPT 0 250\nRCPT 1 250\nRESULT end of data 250 0.0.0 done\nCLOSED\n",
     false},
    {"reuse; RSET after a transaction without a dot",
     {.transactions = 3, .recipients = 1, .content = ""},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 one\r\n",
      "451 4.7.1 later\r\n503 no\r\n503 no\r\n", "250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n", "554 5.6.0 no\r\n",
      "221 bye\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n.\r\n"
     "MAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nRSET\r\nMAIL FROM:<a@b.example>\r\nRCPT "
     "TO:<one@d.example>\r\nDATA\r\n.\r\nQUIT\r\n",
     "READY 1 by mx\nRCPT 0 250\nRESULT end of data 250 0.0.0 one\nRESULT MAIL FROM 451 4.7.1 4.7.1 later\nRCPT 0 250\n"
     "RESULT end of data 554 5.6.0 5.6.0 no\nCLOSED\n",
     false},
    {"sent ahead of the result",
     {.transactions = 3, .recipients = 1, .content = "x\r\n", .ahead = true},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n",
      "250 one\r\n250 ok\r\n550 no\r\n354 go\r\n", "250 empty\r\n", "250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n",
      "452 full\r\n", "221 x\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nx\r\n.\r\n"
     "MAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n.\r\n"
     "RSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
     "READY 1 by mx\nRCPT 0 250\nRESULT end of data 250 0.0.0 one\nRCPT 0 550\nRESULT RCPT TO 550 0.0.0 no\nRCPT 0 "
     "250\n"
     "RESULT end of data 452 0.0.0 full\nCLOSED\n",
     false},
    {"sent ahead, lost before the result",
     {.transactions = 2, .recipients = 1, .content = "x\r\n", .ahead = true},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nx\r\n.\r\n"
     "MAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n",
     "READY 1 by mx\nRCPT 0 250\nFAILED end of data 0 maybe\n",
     true},
    {"no recipient, 354 all the same: a lone dot",
     {.transactions = 1, .recipients = 2, .content = "secret"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n550 5.1.1 a\r\n450 4.2.0 b\r\n354 go\r\n", "250 fine\r\n",
      "221 x\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nRCPT "
     "TO:<two@d.example>\r\nDATA\r\n.\r\nQUIT\r\n",
     "READY 1 by mx\nRCPT 0 550\nRCPT 1 450\nRESULT RCPT TO 450 4.2.0 4.2.0 b\nCLOSED\n",
     false},
    {"no recipient, one at a time: no DATA",
     {.transactions = 1, .recipients = 1, .content = "secret"},
     {"220 x\r\n", "250 mx\r\n", "250 ok\r\n", "550 5.1.1 a\r\n", "221 x\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nQUIT\r\n",
     "READY 0 by mx\nRCPT 0 550\nRESULT RCPT TO 550 5.1.1 5.1.1 a\nCLOSED\n",
     false},
    {"DATA refused",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n451 4.3.0 full\r\n", "221 x\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nQUIT\r\n",
     "READY 1 by mx\nRCPT 0 250\nRESULT DATA 451 4.3.0 4.3.0 full\nCLOSED\n",
     false},
    {"STARTTLS, REQUIRETLS, DSN",
     {.transactions = 1, .recipients = 2, .content = "x\r\n", .demand_tls = true, .requiretls = true, .dsn = true},
     {"220 x\r\n", "250-mx\r\n250-STARTTLS\r\n250-REQUIRETLS\r\n250 PIPELINING\r\n", "220 go\r\n",
      "250-mx\r\n250-STARTTLS\r\n250-DSN\r\n250 REQUIRETLS\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
      "250 ok\r\n", "221 x\r\n"},
     "EHLO me.example\r\nSTARTTLS\r\n<tls>EHLO me.example\r\nMAIL FROM:<a@b.example> REQUIRETLS RET=HDRS "
     "ENVID=id\r\nRCPT TO:<one@d.example>\r\n"
     "RCPT TO:<two@d.example> NOTIFY=FAILURE ORCPT=rfc822;x\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
     "READY 17 by mx\nSTARTTLS\nREADY tls 96 by mx\nRCPT 0 250\nRCPT 1 250\nRESULT end of data 250 0.0.0 ok\nCLOSED\n",
     false},
    {"TLS demanded, not offered",
     {.transactions = 1, .recipients = 1, .content = "x", .demand_tls = true},
     {"220 x\r\n", "250-mx\r\n250 XXXXXXXX\r\n", "221 x\r\n"},
     "EHLO me.example\r\nQUIT\r\n",
     "READY 0 by mx\nCLOSED\n",
     false},
    {"TLS demanded, refused",
     {.transactions = 1, .recipients = 1, .content = "x", .demand_tls = true},
     {"220 x\r\n", "250-mx\r\n250 STARTTLS\r\n", "454 4.7.0 no\r\n", "221 x\r\n"},
     "EHLO me.example\r\nSTARTTLS\r\nQUIT\r\n",
     "READY 16 by mx\nREFUSED 454\nCLOSED\n",
     false},
    {"bytes behind the 220 of STARTTLS",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n"},
     "EHLO me.example\r\nSTARTTLS\r\n",
     "READY 16 by mx\nFAILED STARTTLS 0\n",
     false},
    {"a second greeting inside TLS",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n", "220 mx ESMTP\r\n"},
     "EHLO me.example\r\nSTARTTLS\r\n<tls>EHLO me.example\r\n",
     "READY 16 by mx\nSTARTTLS\nFAILED EHLO 220\n",
     false},
    {"an answer ahead of its command",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250 mx\r\n250 ok\r\n"},
     "EHLO me.example\r\n",
     "READY 0 by mx\nFAILED idle 0\n",
     false},
    {"greeting refused",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"554 5.7.1 no\r\n"},
     "",
     "FAILED greeting 554\n",
     false},
    {"greeting of many lines",
     {.clear = true, .transactions = 0},
     {"220-a\r\n220-b\r\n220 c\r\n", "250 mx\r\n", "221 x\r\n"},
     "EHLO me.example\r\nQUIT\r\n",
     "READY 0 by mx\nCLOSED\n",
     false},
    {"421 in the middle",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n421 4.3.2 going\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n",
     "READY 1 by mx\nFAILED RCPT TO 421\n",
     false},
    {"by BDAT, without dots",
     {.transactions = 1, .recipients = 2, .content = "a\r\n.b", .eight_bit = true, .smtputf8 = true},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n",
      "250 ok\r\n550 no\r\n250 ok\r\n", "250 2.0.0 queued\r\n", "221 bye\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<one@d.example>\r\nRCPT "
     "TO:<two@d.example>\r\nBDAT 5 LAST\r\na\r\n.bQUIT\r\n",
     "READY 389 by mx\nRCPT 0 550\nRCPT 1 250\nRESULT end of data 250 2.0.0 2.0.0 queued\nCLOSED\n",
     false},
    {"ORCPT of the type utf-8, to a host with SMTPUTF8",
     {.transactions = 1, .recipients = 1, .content = "x", .smtputf8 = true, .orcpt = "utf-8;\xc3\xa4@d.example"},
     {"220 x\r\n", "250-mx\r\n250-SMTPUTF8\r\n250 DSN\r\n", "250 ok\r\n", "550 no\r\n", "221 bye\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example> SMTPUTF8\r\nRCPT TO:<one@d.example> "
     "ORCPT=utf-8;\xc3\xa4@d.example\r\nQUIT\r\n",
     "READY 160 by mx\nRCPT 0 550\nRESULT RCPT TO 550 0.0.0 no\nCLOSED\n",
     false},
    {"ORCPT of the type utf-8, to one without",
     {.transactions = 1, .recipients = 1, .content = "x", .orcpt = "utf-8;\xc3\xa4@d.example"},
     {"220 x\r\n", "250-mx\r\n250 DSN\r\n", "250 ok\r\n", "550 no\r\n", "221 bye\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example> ORCPT=utf-8;\\x{E4}@d.example\r\nQUIT\r\n",
     "READY 32 by mx\nRCPT 0 550\nRESULT RCPT TO 550 0.0.0 no\nCLOSED\n",
     false},
    {"binary by BDAT, one command at a time, and one more after it",
     {.transactions = 2, .recipients = 1, .content = "a\n\rb", .binary = true},
     {"220 x\r\n", "250-mx\r\n250-BINARYMIME\r\n250 CHUNKING\r\n", "250 ok\r\n", "250 ok\r\n", "250 one\r\n",
      "250 ok\r\n", "451 later\r\n", "221 bye\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example> BODY=BINARYMIME\r\nRCPT TO:<one@d.example>\r\nBDAT 4 "
     "LAST\r\na\n\rbMAIL FROM:<a@b.example> BODY=BINARYMIME\r\nRCPT TO:<one@d.example>\r\nQUIT\r\n",
     "READY 768 by mx\nRCPT 0 250\nRESULT end of data 250 0.0.0 one\nRCPT 0 451\nRESULT RCPT TO 451 0.0.0 "
     "later\nCLOSED\n",
     false},
    {"BDAT, ahead of the result, then nobody accepted",
     {.transactions = 2, .recipients = 1, .content = "x\r\n", .ahead = true},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n",
      "250 one\r\n451 4.7.1 later\r\n503 no\r\n", "221 x\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nBDAT 3 LAST\r\nx\r\n"
     "MAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nQUIT\r\n",
     "READY 257 by mx\nRCPT 0 250\nRESULT end of data 250 0.0.0 one\nRESULT MAIL FROM 451 4.7.1 4.7.1 later\nCLOSED\n",
     false},
    {"a chunk is refused",
     {.transactions = 1, .recipients = 1, .content = "x\r\n"},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n", "552 5.3.4 large\r\n",
      "221 x\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n",
     "READY 257 by mx\nRCPT 0 250\nRESULT end of data 552 5.3.4 5.3.4 large\nCLOSED\n",
     false},
    {"a bare LF does not leave by BDAT either",
     {.transactions = 1, .recipients = 1, .content = "x\n.\r\n"},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nBDAT 5 LAST\r\n",
     "READY 257 by mx\nRCPT 0 250\nFAILED message content 0\n",
     false},
    {"a chunk shorter than announced",
     {.transactions = 1, .recipients = 1, .content = "x\r\n", .announced = 4},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nBDAT 4 LAST\r\nx\r\n",
     "READY 257 by mx\nRCPT 0 250\nFAILED message content 0\n",
     false},
    {"a chunk longer than announced",
     {.transactions = 1, .recipients = 1, .content = "xxxx\r\n", .announced = 4},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nBDAT 4 LAST\r\nxxx",
     "READY 257 by mx\nRCPT 0 250\nFAILED message content 0\n",
     false},
    {"RSET refused says nothing about the next mail",
     {.transactions = 2, .recipients = 1, .content = ""},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "451 4.7.1 later\r\n503 no\r\n503 no\r\n",
      "554 too many errors\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nRSET\r\nMAIL "
     "FROM:<a@b.example>\r\n"
     "RCPT TO:<one@d.example>\r\nDATA\r\n",
     "READY 1 by mx\nRESULT MAIL FROM 451 4.7.1 4.7.1 later\nFAILED MAIL FROM 0\n",
     false},
    {"an answer ahead of the content is no answer to it",
     {.transactions = 1, .recipients = 1, .content = "x\r\n"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n250 once more\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n",
     "READY 1 by mx\nRCPT 0 250\nFAILED DATA 0\n",
     false},
    {"an answer ahead of the chunk is no answer to it",
     {.transactions = 1, .recipients = 1, .content = "x\r\n"},
     {"220 x\r\n", "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n250 once more\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\n",
     "READY 257 by mx\nRCPT 0 250\nFAILED DATA 0\n",
     false},
    {"an answer ahead of the next command is no answer to it",
     {.transactions = 1, .recipients = 2, .content = "x\r\n"},
     {"220 x\r\n", "250-mx\r\n250 CHUNKING\r\n", "250 ok\r\n", "250 ok\r\n451 4.3.0 once more\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\n",
     "READY 256 by mx\nRCPT 0 250\nFAILED RCPT TO 0\n",
     false},
    {"codes that do not agree", {.transactions = 1}, {"220-a\r\n221 b\r\n"}, "", "FAILED greeting 0\n", false},
    {"no code", {.transactions = 1}, {"hello\r\n"}, "", "FAILED greeting 0\n", false},
    {"bare LF", {.transactions = 1}, {"220 x\n"}, "", "FAILED greeting 0\n", false},
    {"lost before the dot was answered",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 half"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nx\r\n.\r\n",
     "READY 1 by mx\nRCPT 0 250\nFAILED end of data 0 maybe\n",
     true},
    {"lost before the content",
     {.transactions = 1, .recipients = 1, .content = "x"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n",
     "READY 1 by mx\nRCPT 0 250\nFAILED DATA 0\n",
     true},
    {"content that cannot be sent: bare LF",
     {.transactions = 1, .recipients = 1, .content = "x\n.\r\n"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\n",
     "READY 1 by mx\nRCPT 0 250\nFAILED message content 0\n",
     false},
    {"content that cannot be sent: bare CR at the end",
     {.transactions = 1, .recipients = 1, .content = "xy\r"},
     {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"},
     "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nDATA\r\nxy\r",
     "READY 1 by mx\nRCPT 0 250\nFAILED message content 0\n",
     false},
};

static void start(struct caller *c, const struct caller *from)
{
    *c = *from;
    c->client = smtp_client_create(&(struct smtp_client_options){STR("me.example")});
}

static void finish(struct caller *c)
{
    smtp_client_free(&c->client);
    buf_free(&c->events);
    buf_free(&c->sent);
}

static void dialogues_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++)
        for (size_t piece = 1; piece <= 200; piece++) {
            const struct dialogue *d = &dialogues[i];
            struct caller c;
            start(&c, &d->caller);
            for (size_t s = 0; s < 16 && d->server[s]; s++) {
                struct str said = str_of(d->server[s]);
                /* What comes in clear behind STARTTLS' answer only counts as such in one segment; later it is the
                 * handshake's. */
                size_t step = strstr(d->name, "behind the 220") || strstr(d->name, "ahead of") ? 200 : piece;
                for (size_t at = 0; at < said.n; at += step) {
                    struct buf copy = {0};
                    buf_add(&copy, str_slice(said, at, at + step));
                    smtp_client_feed(c.client, buf_str(&copy));
                    run(&c);
                    buf_free(&copy);
                }
            }
            if (d->lost) {
                smtp_client_lost(c.client, "lost");
                run(&c);
            }
            if (!c.over || !str_eq(buf_str(&c.sent), str_of(d->sent)) || !str_eq(buf_str(&c.events), str_of(d->events)))
                fail_msg("%s, pieces of %zu: sent\n%.*s\nevents\n%.*s", d->name, piece, STR_ARG(buf_str(&c.sent)),
                         STR_ARG(buf_str(&c.events)));
            finish(&c);
        }
}

/* Whatever the content, what is written is dot-stuffed so that a strict reader gets the content back, in any
 * cutting. */
static void stuffing_is_reversible(void **state)
{
    (void)state;
    uint64_t seed = 1;
    static const char *const bits[] = {".", "..", "\r\n", "\r\n.", "x", ".\r\n", "\r\n\r\n", "yy.yy", " "};
    for (int round = 0; round < 20000; round++) {
        struct buf content = {0}, wire = {0}, back = {0};
        struct caller c;
        start(&c, &(struct caller){.transactions = 1, .recipients = 1, .content = ""});
        static const char *const said[] = {"220 x\r\n", "250-mx\r\n250 PIPELINING\r\n", "250 x\r\n250 x\r\n354 x\r\n"};
        struct smtp_client_event ev;
        for (int i = 0; i < 3; i++) {
            smtp_client_feed(c.client, str_of(said[i]));
            while (smtp_client_next(c.client, &ev))
                if (ev.kind == SMTP_CLIENT_READY) send_one(&c);
        }
        assert_int_equal(smtp_client_stage(c.client), SMTP_STAGE_BODY);
        smtp_client_output(c.client)->n = 0;
        for (int i = 0; i < 12; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            buf_add(&content, str_of(bits[(seed >> 33) % 9]));
        }
        for (size_t at = 0; at < content.n;) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t n = 1 + (seed >> 33) % 9;
            struct str run_left = str_slice(buf_str(&content), at, at + n), piece;
            while (smtp_client_body(c.client, &run_left, &piece)) buf_add(&wire, piece);
            assert_int_equal(run_left.n, 0);
            at += n;
        }
        smtp_client_body_end(c.client);
        buf_add(&wire, buf_str(smtp_client_output(c.client)));
        /* A reader by the book: lines, up to the lone dot. */
        struct str rest = buf_str(&wire);
        for (;;) {
            size_t end = str_find(rest, STR("\r\n"));
            assert_true(end != STR_NPOS);
            struct str line = str_slice(rest, 0, end + 2);
            rest = str_from(rest, end + 2);
            if (str_eq(line, STR(".\r\n"))) break;
            buf_add(&back, line.p[0] == '.' ? str_from(line, 1) : line);
        }
        assert_int_equal(rest.n, 0);
        if (content.n < 2 || !str_ends(buf_str(&content), STR("\r\n"))) buf_add(&content, STR("\r\n"));
        assert_true(str_eq(buf_str(&content), buf_str(&back)));
        buf_free(&content);
        buf_free(&wire);
        buf_free(&back);
        finish(&c);
    }
}

static void an_address_cannot_end_its_command(void **state)
{
    (void)state;
    struct caller c;
    start(&c, &(struct caller){.content = ""});
    struct smtp_client_event ev;
    smtp_client_feed(c.client, STR("220 x\r\n"));
    assert_false(smtp_client_next(c.client, &ev));
    smtp_client_feed(c.client, STR("250 x\r\n"));
    assert_true(smtp_client_next(c.client, &ev) && ev.kind == SMTP_CLIENT_READY);
    smtp_client_output(c.client)->n = 0;
    struct smtp_client_recipient to = {.forward_path = STR("a@b>\r\nRCPT TO:<c@d")};
    smtp_client_send(c.client, &(struct smtp_client_transaction){.recipients = &to, .recipient_count = 1});
    assert_int_equal(smtp_client_output(c.client)->n, 0);
    assert_true(smtp_client_next(c.client, &ev) && ev.kind == SMTP_CLIENT_FAILED);
    finish(&c);
}

static void replies_are_bounded_and_emitted_safely(void **state)
{
    (void)state;
    struct smtp_reader r = {0};
    struct buf b = {0};
    for (int i = 0; i < 101; i++) buf_add(&b, STR("250-x\r\n"));
    struct str in = buf_str(&b);
    assert_int_equal(smtp_reader_feed(&r, &in), SMTP_REPLY_BAD);
    smtp_reader_free(&r);
    b.n = 0;
    buf_add(&b, STR("250 "));
    while (b.n < 2049) buf_add_byte(&b, 'x');
    in = buf_str(&b);
    assert_int_equal(smtp_reader_feed(&r, &in), SMTP_REPLY_BAD);
    smtp_reader_free(&r);
    in = STR("550-5.7.1 one\xff\r\n550 5.7.1 two\r\n250");
    assert_int_equal(smtp_reader_feed(&r, &in), SMTP_REPLY_WHOLE);
    assert_true(r.reply.code == 550 && r.reply.status.class == 5 && r.reply.status.subject == 7 &&
                r.reply.status.detail == 1);
    assert_true(str_eq(r.reply.text, STR("5.7.1 one?\n5.7.1 two")) && str_eq(in, STR("250")));
    smtp_reader_free(&r);
    in = STR("250 4.0.0 no\r\n"); /* a class that is not the reply's is no enhanced code */
    assert_int_equal(smtp_reader_feed(&r, &in), SMTP_REPLY_WHOLE);
    assert_int_equal(r.reply.status.class, 0);
    smtp_reader_free(&r);

    b.n = 0;
    smtp_reply_emit(&b, &(struct reply){550, STATUS(5, 7, 1), STR("a\nb\r\n250 c\x01")});
    assert_true(str_eq(buf_str(&b), STR("550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 250 c?\r\n")));
    b.n = 0;
    char text[1500];
    memset(text, 'y', sizeof text);
    smtp_reply_emit(&b, &(struct reply){450, STATUS(4, 0, 0), {text, sizeof text}});
    struct str line, rest = buf_str(&b);
    size_t lines = 0, kept = 0;
    while (rest.n && str_cut(rest, '\n', &line, &rest)) {
        assert_true(line.n <= 511);
        lines++;
        kept += line.n - 11;
    }
    assert_true(lines == 3 && kept == sizeof text);
    buf_free(&b);
}

static void limits_are_read(void **state)
{
    (void)state;
    struct smtp_client *c = smtp_client_create(&(struct smtp_client_options){STR("me.example")});
    struct smtp_client_event ev;
    smtp_client_feed(c, STR("220 x\r\n"));
    assert_false(smtp_client_next(c, &ev));
    smtp_client_feed(
        c, STR("250-mx\r\n250 limits rcptMAX=20 FOO=1 MAILMAX= RCPTMAX=0 RCPTDOMAINMAX=99999999999 MAILMAX=7\r\n"));
    assert_true(smtp_client_next(c, &ev));
    assert_int_equal(ev.kind, SMTP_CLIENT_READY);
    assert_int_equal(ev.ready.recipient_limit, 20);
    assert_int_equal(ev.ready.message_limit, 7);
    assert_int_equal(ev.ready.domain_limit, 0);
    smtp_client_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogues_come_out),
        cmocka_unit_test(limits_are_read),
        cmocka_unit_test(stuffing_is_reversible),
        cmocka_unit_test(an_address_cannot_end_its_command),
        cmocka_unit_test(replies_are_bounded_and_emitted_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
