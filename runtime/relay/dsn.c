#include "relay/dsn.h"

#include "base/err.h"
#include "mail/orcpt.h"
#include "mail/xtext.h"
#include "relay/letter.h"

/* Fields of the delivery-status part have the form of header fields (RFC 3464 section 2.1). */

/* "type; value": a field whose value names its own address or diagnostic type. */
static void typed_field(struct buf *out, struct buf *scratch, const char *name, const char *type, struct str value)
{
    scratch->n = 0;
    buf_printf(scratch, "%s; ", type);
    buf_add(scratch, value);
    letter_field(out, name, buf_str(scratch));
}

/* One report may tell of several fates; the gravest gives the subject. */
static const struct {
    const char *subject, *before, *after, *action;
} kinds[] = {
    [REPORT_FAILED] = {"Undelivered Mail Returned to Sender",
                       "could not be delivered to:", "It will not be tried again for them.", "failed"},
    [REPORT_DELAYED] = {"Delayed Mail (it is still tried)", "has not been delivered yet to:",
                        "It is tried further; you need not send it again.", "delayed"},
    [REPORT_RELAYED] = {"Mail was passed on", "was passed on, to a system that will not report its delivery, for:",
                        "No further report will come.", "relayed"},
};

static bool has_kind(const struct dsn *d, uint8_t kind)
{
    for (size_t i = 0; i < d->recipient_count; i++)
        if (d->recipients[i].kind == kind) return true;
    return false;
}

static uint8_t gravest(const struct dsn *d)
{
    uint8_t kind = REPORT_FAILED;
    while (kind < REPORT_RELAYED && !has_kind(d, kind)) kind++;
    return kind;
}

static void top(const struct dsn *d, struct buf *out)
{
    letter_top(&(struct letter){.hostname = d->hostname,
                                .queue_id = d->queue_id,
                                .to = d->reverse_path,
                                .subject = str_of(kinds[gravest(d)].subject),
                                .now = d->now,
                                .utc_offset = d->utc_offset},
               out);
    buf_printf(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_%.*s\"\r\n\r\n",
               STR_ARG(d->queue_id));
}

static void part(const struct dsn *d, struct buf *out, const char *headers)
{
    buf_printf(out, "\r\n--=_%.*s\r\n%s\r\n", STR_ARG(d->queue_id), headers);
}

static void printable(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) buf_add_byte(out, ascii_is_print(s.p[i]) ? s.p[i] : '?');
}

static void one_for_people(const struct dsn_recipient *r, struct buf *out)
{
    char status[STATUS_TEXT_MAX];
    status_print(r->status, status);
    buf_add(out, STR("  <"));
    printable(out, r->address);
    buf_printf(out, ">\r\n    %s ", status);
    if (r->remote.n) {
        buf_add(out, STR("host "));
        printable(out, r->remote);
        buf_add(out, STR(" said: "));
    }
    printable(out, r->diagnostic);
    buf_add(out, STR("\r\n"));
}

static void words_for_people(const struct dsn *d, struct buf *out)
{
    part(d, out, "Content-Type: text/plain; charset=us-ascii\r\n");
    buf_printf(out, "This is the mail system at %.*s.\r\n", STR_ARG(d->hostname));
    for (uint8_t kind = REPORT_FAILED; kind <= REPORT_RELAYED; kind++) {
        if (!has_kind(d, kind)) continue;
        buf_printf(out, "\r\nYour message %.*s %s\r\n\r\n", STR_ARG(d->original_id), kinds[kind].before);
        for (size_t i = 0; i < d->recipient_count; i++)
            if (d->recipients[i].kind == kind) one_for_people(&d->recipients[i], out);
        buf_printf(out, "\r\n%s\r\n", kinds[kind].after);
    }
    buf_printf(out, "\r\n%s\r\n",
               d->whole ? "The message is attached." : "The header of the message is attached; its text is not.");
}

/* An address beyond ASCII has a type of its own, and a form in ASCII (RFC 6533 section 4). */
static void final_recipient(struct buf *out, struct buf *scratch, struct str address)
{
    struct buf named = {0};
    orcpt_of(address, &named);
    if (!str_starts(buf_str(&named), STR("utf-8;")))
        typed_field(out, scratch, "Final-Recipient", "rfc822", address);
    else
        typed_field(out, scratch, "Final-Recipient", "utf-8", str_from(buf_str(&named), 6));
    buf_free(&named);
}

static void words_for_programs(const struct dsn *d, struct buf *out, struct buf *scratch)
{
    part(d, out, "Content-Type: message/delivery-status\r\n");
    typed_field(out, scratch, "Reporting-MTA", "dns", d->hostname);
    struct buf envid = {0};
    if (d->envid.n && xtext_decode(d->envid, &envid)) letter_field(out, "Original-Envelope-Id", buf_str(&envid));
    buf_free(&envid);
    letter_date(out, "Arrival-Date", d->arrived, d->utc_offset);
    for (size_t i = 0; i < d->recipient_count; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        char status[STATUS_TEXT_MAX];
        size_t n = status_print(r->status, status);
        buf_add(out, STR("\r\n"));
        scratch->n = 0;
        if (r->orcpt.n && orcpt_report(r->orcpt, scratch)) letter_field(out, "Original-Recipient", buf_str(scratch));
        final_recipient(out, scratch, r->address);
        letter_field(out, "Action", str_of(kinds[r->kind].action));
        letter_field(out, "Status", (struct str){status, n});
        if (r->remote.n) typed_field(out, scratch, "Remote-MTA", "dns", r->remote);
        typed_field(out, scratch, "Diagnostic-Code", r->remote.n ? "smtp" : "x-sluice", r->diagnostic);
        letter_date(out, "Last-Attempt-Date", d->now, d->utc_offset);
        if (r->kind == REPORT_DELAYED) letter_date(out, "Will-Retry-Until", r->until, d->utc_offset);
    }
}

/* A giant header is cut at a line's end, so the part stays well-formed. */
static void original(const struct dsn *d, struct buf *out)
{
    buf_printf(out, "\r\n--=_%.*s\r\n", STR_ARG(d->queue_id));
    letter_original(out, d->whole ? d->header : letter_header_cut(d->header), d->whole);
}

bool dsn_returns_whole(uint8_t ret, uint64_t size, bool obliged, const struct dsn_recipient *recipients, size_t n)
{
    bool failed = false;
    for (size_t i = 0; i < n; i++) failed = failed || recipients[i].kind == REPORT_FAILED;
    return ret == 'F' && failed && !obliged && size <= DSN_WHOLE_MOST;
}

void dsn_build(const struct dsn *d, struct buf *out)
{
    INVARIANT(d->reverse_path.n != 0 && d->recipient_count > 0);
    struct buf scratch = {0};
    buf_reserve(out, 4096 + d->header.n);
    top(d, out);
    buf_add(out, STR("This is a MIME-encapsulated message.\r\n"));
    words_for_people(d, out);
    words_for_programs(d, out, &scratch);
    original(d, out);
    buf_printf(out, "\r\n--=_%.*s--\r\n", STR_ARG(d->queue_id));
    buf_free(&scratch);
}
