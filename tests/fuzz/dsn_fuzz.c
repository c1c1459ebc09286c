/* A report about any texts at all: it is whole lines, its header and its parts stand where they should, every field is
 * one that was meant, and nothing of the texts makes a boundary or a field of its own.  Texts are cut from the input at
 * NUL. */
#include "relay/dsn.h"
#include "relay/letter.h"

#include "base/err.h"
#include "mail/orcpt.h"
#include "mail/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECIPIENTS = 3 };

static struct str text(struct str *rest)
{
    struct str one;
    if (!str_cut(*rest, '\0', &one, rest)) *rest = STR("");
    return one;
}

static size_t count(struct str s, struct str what)
{
    size_t n = 0;
    for (size_t at; (at = str_find(s, what)) != STR_NPOS; n++) s = str_from(s, at + what.n);
    return n;
}

/* The header of the report and of its second part: names that were meant, and lines that go on. */
static void check_fields(struct str part)
{
    static const struct str known[] = {STR("Date:"),
                                       STR("From:"),
                                       STR("To:"),
                                       STR("Subject:"),
                                       STR("Message-ID:"),
                                       STR("Auto-Submitted:"),
                                       STR("MIME-Version:"),
                                       STR("Content-Type:"),
                                       STR("Content-Transfer-Encoding:"),
                                       STR("Reporting-MTA:"),
                                       STR("Original-Envelope-Id:"),
                                       STR("Arrival-Date:"),
                                       STR("Original-Recipient:"),
                                       STR("Final-Recipient:"),
                                       STR("Action:"),
                                       STR("Status:"),
                                       STR("Remote-MTA:"),
                                       STR("Diagnostic-Code:"),
                                       STR("Last-Attempt-Date:"),
                                       STR("Will-Retry-Until:")};
    struct str line;
    while (part.n && str_cut(part, '\n', &line, &part)) {
        bool good = line.n <= 1 || ascii_is_blank(line.p[0]);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) good |= str_starts(line, known[i]);
        INVARIANT(good && line.n <= 999);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4) return 0;
    struct str rest = {(const char *)data + 4, size - 4};
    struct dsn_recipient r[RECIPIENTS];
    struct buf out = {0}, xtext = {0};
    size_t n = 1 + data[0] % RECIPIENTS;
    struct str path = text(&rest);
    struct dsn d = {.hostname = STR("relay.example"),
                    .queue_id = STR("0DSN0"),
                    .original_id = STR("0MSG0"),
                    .reverse_path = path.n ? path : STR("a@b.example"),
                    .arrived = data[1] * 100000000ll,
                    .now = data[2] * 100000000ll,
                    .utc_offset = (data[3] - 128) * 300,
                    .recipients = r,
                    .recipient_count = n};
    struct str envid = text(&rest);
    if (data[0] & 16) xtext_encode(envid, &xtext);
    d.envid = data[0] & 16 ? buf_str(&xtext) : envid;
    for (size_t i = 0; i < n; i++)
        r[i] = (struct dsn_recipient){.kind = (uint8_t)((data[1] >> 2 * i) % REPORT_NONE),
                                      .address = text(&rest),
                                      .orcpt = text(&rest),
                                      .status = {(uint8_t)(2 + data[2] % 4), data[2], data[3]},
                                      .until = data[3] * 1000000ll,
                                      .diagnostic = text(&rest),
                                      .remote = text(&rest)};
    d.whole = data[0] & 32;
    d.header = d.whole ? rest : letter_header_section(rest);
    dsn_build(&d, &out);
    struct str s = buf_str(&out);
    bool bare = false;
    for (size_t i = 0; i < s.n; i++) {
        bare |= s.p[i] == '\0' || (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'));
        bare |= s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n');
    }
    INVARIANT(!bare);
    size_t body = str_find(s, STR("\r\n\r\n")),
           programs = str_find(s, STR("\r\n--=_0DSN0\r\nContent-Type: message/delivery-status\r\n"));
    INVARIANT(body != STR_NPOS && programs != STR_NPOS && str_ends(s, STR("\r\n--=_0DSN0--\r\n")));
    check_fields(str_slice(s, 0, body));
    size_t end = str_find(str_from(s, programs + 2), STR("\r\n--=_0DSN0\r\n"));
    INVARIANT(end != STR_NPOS);
    struct str fields = str_slice(s, programs + 2 + STR("--=_0DSN0\r\n").n, programs + 2 + end);
    check_fields(fields);
    INVARIANT(str_is_ascii(fields));
    INVARIANT(count(fields, STR("\r\nFinal-Recipient: ")) == n && count(fields, STR("\r\nStatus: ")) == n);
    INVARIANT(count(fields, STR("\r\nOriginal-Recipient: ")) <= n &&
              count(fields, STR("\r\nOriginal-Envelope-Id: ")) <= 1);
    buf_free(&out);
    buf_free(&xtext);
    return 0;
}
