/* From a client through the server engine, a rule's edit and the client engine to the next server, in memory
 * (reliability T02): whatever bytes a body is made of, our own wire carries no bare CR, no bare LF, no NUL, and one end
 * of data; the next server counts the same one message with the same content.
 *
 * SLUICE_ROUNDS: bodies; 20,000 without it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/header_emit.h"
#include "smtp/client.h"
#include "tests/support/check.h"
#include "tests/support/dice.h"
#include "tests/support/smtp_drive.h"

/* What bodies are made of: all that has been taken for a line's or a message's end, and what might hide it. */
static const struct str bits[] = {STR("\r\n"), STR("\r\n"), STR("\r\n.\r\n"), STR("."), STR(".."), STR("x"),
                                  STR("\r\n."), STR("MAIL FROM:<evil@b.example>\r\n"), STR("\r\nDATA\r\n"),
                                  STR("\xe2\x80\xa8.\xe2\x80\xa8"), STR("\xc2\x85.\xc2\x85"), STR("\x0b.\x0b"),
                                  STR("\x0c"), STR("\xff"), STR(" "), STR(": "), STR("BDAT 0 LAST\r\n"),
                                  STR("a line of some length, so that not all is edges\r\n"),
                                  /* the forbidden */
                                  STR("\n"), STR("\r"), STR("\0"), STR("\n.\n"), STR("\r\r\n"), STR("\r.\r"),
                                  STR("\n.\r\n"), STR("\r\n.\n"), STR("\r\0\n")};
enum { BITS = sizeof bits / sizeof *bits, ALLOWED = 18 };

static void make_body(struct dice *d, struct buf *out)
{
    size_t n = dice_roll(d, 16);
    uint64_t sides = dice_roll(d, 4) ? ALLOWED : BITS; /* most are such as pass, or little would reach our wire */
    out->n = 0;
    for (size_t i = 0; i < n; i++) buf_add(out, bits[dice_roll(d, sides)]);
}

/* Gives it to a server as DATA (stuffed) or in chunks; true when that took it: *out is the content. */
static bool hand_in(struct dice *d, struct str body, bool chunks, struct buf *out)
{
    struct smtp_drive drive;
    struct buf in = {0};
    struct smtp_server_options o = {.hostname = STR("mx.example")};
    smtp_drive_init(&drive, &o);
    drive.late = dice_roll(d, 2);
    buf_add(&in, STR("EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"));
    if (chunks) {
        size_t cut = dice_roll(d, body.n + 1);
        buf_printf(&in, "BDAT %zu\r\n", cut);
        buf_add(&in, str_slice(body, 0, cut));
        buf_printf(&in, "BDAT %zu LAST\r\n", body.n - cut);
        buf_add(&in, str_from(body, cut));
    } else {
        buf_add(&in, STR("DATA\r\n"));
        for (size_t i = 0; i < body.n; i++) {
            bool first = i == 0 || (body.p[i - 1] == '\n' && i > 1 && body.p[i - 2] == '\r');
            if (first && body.p[i] == '.') buf_add_byte(&in, '.');
            buf_add_byte(&in, body.p[i]);
        }
        if (!str_ends(body, STR("\r\n"))) buf_add(&in, STR("\r\n"));
        buf_add(&in, STR(".\r\n"));
    }
    smtp_drive_feed_pieces(&drive, buf_str(&in), dice_roll(d, 2) ? 1 + dice_roll(d, 40) : 0);
    bool taken = drive.messages == 1;
    assert_in_range(drive.messages, 0, 1);
    out->n = 0;
    if (taken) buf_add(out, buf_str(&drive.content));
    buf_free(&in);
    smtp_drive_free(&drive);
    return taken;
}

/* A field that a rule adds in front, its value made of the same bits. */
static void edit(struct dice *d, struct buf *content)
{
    struct buf value = {0}, field = {0};
    make_body(d, &value);
    header_emit(&field, STR("X-Rule"), buf_str(&value), dice_roll(d, 2) ? HEADER_UTF8 : 0);
    buf_add(&field, buf_str(content));
    content->n = 0;
    buf_add(content, buf_str(&field));
    buf_free(&value);
    buf_free(&field);
}

/* What our client writes for it, greeting to end of data, and a transaction behind it. */
static void pass_on(struct dice *d, struct str content, bool chunking, struct buf *wire)
{
    struct smtp_client *c = smtp_client_create(&(struct smtp_client_options){STR("me.example")});
    struct smtp_client_event ev;
    struct smtp_client_recipient to = {.forward_path = STR("c@d.example")};
    const char *const said[] = {
        "220 x\r\n", chunking ? "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n" : "250-x\r\n250 PIPELINING\r\n",
        chunking ? "250 x\r\n250 x\r\n" : "250 x\r\n250 x\r\n354 x\r\n"};
    struct smtp_client_transaction t = {
        .reverse_path = STR("a@b.example"), .recipients = &to, .recipient_count = 1, .size = content.n};
    wire->n = 0;
    for (int i = 0; i < 3; i++) {
        smtp_client_feed(c, str_of(said[i]));
        while (smtp_client_next(c, &ev))
            if (ev.kind == SMTP_CLIENT_READY) smtp_client_send(c, &t);
        buf_add(wire, buf_str(smtp_client_output(c)));
        smtp_client_output(c)->n = 0;
    }
    assert_int_equal(smtp_client_stage(c), SMTP_STAGE_BODY);
    for (size_t at = 0, n; at < content.n; at += n) {
        n = 1 + dice_roll(d, 64);
        struct str run = str_slice(content, at, at + n), piece;
        while (smtp_client_body(c, &run, &piece)) buf_add(wire, piece);
        assert_int_equal(run.n, 0);
    }
    smtp_client_body_end(c);
    if (dice_roll(d, 2) && smtp_client_may_send_ahead(c)) smtp_client_send(c, &t);
    buf_add(wire, buf_str(smtp_client_output(c)));
    smtp_client_free(&c);
}

static void one_body(struct dice *d, size_t counts[2])
{
    struct buf body = {0}, content = {0}, wire = {0};
    bool chunks = dice_roll(d, 2), chunking = dice_roll(d, 2);
    make_body(d, &body);
    if (hand_in(d, buf_str(&body), chunks, &content)) {
        counts[0]++;
        if (dice_roll(d, 2)) edit(d, &content);
        pass_on(d, buf_str(&content), chunking, &wire);
        for (size_t i = 0; i < wire.n; i++) {
            assert_true(wire.p[i] != '\0');
            assert_true(wire.p[i] != '\n' || (i && wire.p[i - 1] == '\r'));
            assert_true(wire.p[i] != '\r' || (i + 1 < wire.n && wire.p[i + 1] == '\n'));
        }
        struct smtp_drive next;
        struct smtp_server_options o = {.hostname = STR("mx.example")};
        smtp_drive_init(&next, &o);
        smtp_drive_feed_pieces(&next, buf_str(&wire), 0);
        assert_int_equal(next.messages, 1);
        assert_true(str_find(buf_str(&next.events), STR("MAIL <evil")) == STR_NPOS);
        if (!chunking && content.n && !str_ends(buf_str(&content), STR("\r\n"))) buf_add(&content, STR("\r\n"));
        struct buf told = {0}; /* a transaction that was sent ahead may follow */
        buf_printf(&told, "DATA\nMESSAGE ");
        buf_add(&told, buf_str(&content));
        buf_add_byte(&told, '\n');
        size_t at = str_find(buf_str(&next.events), STR("DATA\n"));
        if (!str_starts(str_from(buf_str(&next.events), at), buf_str(&told))) fail_msg("another content arrived");
        buf_free(&told);
        smtp_drive_free(&next);
    } else {
        counts[1]++;
    }
    buf_free(&body);
    buf_free(&content);
    buf_free(&wire);
}

static void our_wire_is_clean(void **state)
{
    (void)state;
    const char *rounds = getenv("SLUICE_ROUNDS");
    uint64_t n = rounds ? strtoull(rounds, NULL, 10) : 20000;
    struct dice dice = {51764};
    size_t counts[2] = {0};
    for (uint64_t i = 0; i < n; i++) one_body(&dice, counts);
    printf("# %llu bodies: %zu went on, %zu were refused\n", (unsigned long long)n, counts[0], counts[1]);
    assert_true(counts[0] > n / 2 && counts[1] > n / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(our_wire_is_clean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
