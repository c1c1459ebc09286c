/* Any bytes at all, in two segmentations, with early and late answers: the same events and replies come out, and there
 * are never more messages than there are legal ends of data and last chunks.  First byte: options; second: how the
 * input is cut. */
#include "tests/support/smtp_drive.c" /* the driver itself: fuzz targets link the library only */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(struct smtp_drive *d, uint8_t options, struct str input, uint32_t cuts, bool late)
{
    struct smtp_server_options o = {.hostname = STR("mx.example"),
                                    .message_size = options & 1 ? 100 : 0,
                                    .dsn = options & 2,
                                    .starttls = options & 4,
                                    .requiretls = options & 8,
                                    .smtputf8 = options & 32,
                                    .binarymime = options & 64,
                                    .xclient = options & 64,
                                    .auth = options & 32,
                                    .tls = options & 32};
    smtp_drive_init(d, &o);
    d->late = late;
    for (size_t at = 0; at < input.n;) {
        cuts = cuts * 1664525u + 1013904223u;
        size_t n = cuts >> 24 < 64 ? 1 : cuts >> 22 & 0x7f;
        smtp_drive_feed_pieces(d, str_slice(input, at, at + n), 0);
        at += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct str input = {(const char *)data + 2, size - 2};
    struct smtp_drive a, b;
    run(&a, data[0] & 0x6b, input, data[1], false); /* without STARTTLS: it forbids what segmentation would change */
    run(&b, data[0] & 0x6b, input, data[1] * 7919u + 1, true);
    INVARIANT(str_eq(buf_str(&a.events), buf_str(&b.events)) && str_eq(buf_str(&a.replies), buf_str(&b.replies)));
    INVARIANT(a.closed == b.closed && a.messages == b.messages);
    size_t ends = 0;
    for (struct str rest = input;; ends++) {
        size_t at = str_find(rest, STR("\r\n.\r\n"));
        if (at == STR_NPOS) break;
        rest = str_from(rest, at + 3); /* the end's CR LF may be the next one's */
    }
    for (size_t i = 0; i + 4 <= input.n; i++) ends += str_eq_nocase(str_slice(input, i, i + 4), STR("LAST"));
    INVARIANT(a.messages <= ends);
    smtp_drive_free(&a);
    smtp_drive_free(&b);
    run(&a, data[0] | 4, input, data[1], data[0] & 16);
    if (smtp_server_expects_tls(a.server) && !a.closed) smtp_server_secured(a.server);
    smtp_drive_feed(&a, input);
    smtp_server_stop(a.server, NULL);
    smtp_drive_feed(&a, STR_NONE);
    INVARIANT(a.closed && !a.open);
    smtp_drive_free(&a);
    return 0;
}
