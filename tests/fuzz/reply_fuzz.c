/* What any server may answer, and what we answer with any text.  Read in two segmentations it is the same replies; a
 * reply that was read is written again as lines that are read as the same; and no text makes a line of its own. */
#include "smtp/reply.h"

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that is read of it, as text. */
static void read_all(struct str in, size_t step, struct buf *out)
{
    struct smtp_reader r = {0};
    enum smtp_reply_progress got = SMTP_REPLY_MORE;
    for (size_t at = 0; at < in.n && got != SMTP_REPLY_BAD; at += step) {
        struct str piece = str_slice(in, at, at + step);
        do {
            got = smtp_reader_feed(&r, &piece);
            INVARIANT(got == SMTP_REPLY_WHOLE || got == SMTP_REPLY_BAD || piece.n == 0);
            if (got != SMTP_REPLY_WHOLE) break;
            const struct reply *reply = &r.reply;
            INVARIANT(reply->code >= 200 && reply->code <= 599 && r.lines <= SMTP_REPLY_LINES_MAX);
            INVARIANT(reply->status.class == 0 || reply->status.class == reply->code / 100);
            INVARIANT(smtp_reader_is_idle(&r));
            buf_printf(out, "%u %u.%u.%u %.*s\n", reply->code, reply->status.class, reply->status.subject,
                       reply->status.detail, STR_ARG(reply->text));
        } while (piece.n);
    }
    if (got == SMTP_REPLY_BAD) {
        struct str more = STR("250 ok\r\n");
        INVARIANT(r.problem && smtp_reader_feed(&r, &more) == SMTP_REPLY_BAD); /* it stays so */
        buf_printf(out, "bad: %s\n", r.problem);
    }
    smtp_reader_free(&r);
}

static void write_and_read(struct str text, uint16_t code, struct status status)
{
    struct buf wire = {0};
    struct smtp_reader r = {0};
    smtp_reply_emit(&wire, &(struct reply){code, status, text});
    struct str line, rest = buf_str(&wire), in = rest;
    bool last = false;
    size_t lines = 0;
    while (rest.n && str_cut(rest, '\n', &line, &rest)) {
        INVARIANT(!last && line.n >= 5 && line.n <= 511 && line.p[line.n - 1] == '\r');
        for (size_t i = 0; i + 1 < line.n; i++) INVARIANT(ascii_is_print(line.p[i]));
        last = line.p[3] == ' ';
        INVARIANT((last || line.p[3] == '-') && (unsigned)(line.p[0] - '0') == code / 100u);
        lines++;
    }
    INVARIANT(last);
    enum smtp_reply_progress got = smtp_reader_feed(&r, &in);
    INVARIANT(got == (lines > SMTP_REPLY_LINES_MAX ? SMTP_REPLY_BAD : SMTP_REPLY_WHOLE));
    if (got == SMTP_REPLY_WHOLE) INVARIANT(r.reply.code == code && in.n == 0);
    smtp_reader_free(&r);
    buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4) return 0;
    struct str in = {(const char *)data + 4, size - 4};
    struct buf whole = {0}, pieces = {0};
    read_all(in, in.n ? in.n : 1, &whole);
    read_all(in, 1 + data[0] % 61, &pieces);
    INVARIANT(str_eq(buf_str(&whole), buf_str(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    uint16_t code = (uint16_t)(200 + (data[1] * 256 + data[2]) % 400);
    write_and_read(in, code,
                   (struct status){data[3] & 1 ? (uint8_t)(code / 100) : 0, data[3], (uint16_t)(data[3] * 4)});
    return 0;
}
