#include "relay/letter.h"

#include "mail/datetime.h"
#include "mail/header_emit.h"

void letter_field(struct buf *out, const char *name, struct str value)
{
    if (!header_emit(out, str_of(name), value, HEADER_STRUCTURED)) header_emit(out, str_of(name), value, 0);
}

void letter_date(struct buf *out, const char *name, int64_t utc, int32_t offset)
{
    char date[DATETIME_RFC5322_MAX];
    size_t n = datetime_print_rfc5322(utc, offset, date);
    letter_field(out, name, (struct str){date, n});
}

static void bracketed(struct buf *out, struct buf *scratch, const char *name, struct str value)
{
    scratch->n = 0;
    buf_printf(scratch, "<%.*s>", STR_ARG(value));
    /* An address that is not ASCII travels with SMTPUTF8 alone (RFC 6532 section 3.2). */
    unsigned utf8 = str_is_ascii(value) ? 0 : HEADER_UTF8;
    if (!header_emit(out, str_of(name), buf_str(scratch), HEADER_STRUCTURED | utf8))
        letter_field(out, name, buf_str(scratch));
}

void letter_top(const struct letter *l, struct buf *out)
{
    struct buf scratch = {0};
    letter_date(out, "Date", l->now, l->utc_offset);
    buf_printf(&scratch, "Mail Delivery System <MAILER-DAEMON@%.*s>", STR_ARG(l->hostname));
    letter_field(out, "From", buf_str(&scratch));
    bracketed(out, &scratch, "To", l->to);
    header_emit(out, STR("Subject"), l->subject, 0);
    scratch.n = 0;
    buf_printf(&scratch, "<%.*s%s%.*s@%.*s>", STR_ARG(l->queue_id), l->mark.n ? "." : "", STR_ARG(l->mark), STR_ARG(l->hostname));
    letter_field(out, "Message-ID", buf_str(&scratch));
    if (l->about.n) bracketed(out, &scratch, "In-Reply-To", l->about);
    scratch.n = 0;
    buf_add(&scratch, l->before);
    if (l->about.n) buf_printf(&scratch, "%s<%.*s>", scratch.n ? " " : "", STR_ARG(l->about));
    if (scratch.n) letter_field(out, "References", buf_str(&scratch));
    letter_field(out, "Auto-Submitted", l->generated ? STR("auto-generated") : STR("auto-replied"));
    letter_field(out, "MIME-Version", STR("1.0"));
    buf_free(&scratch);
}

void letter_lines(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool pair = s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
        bool stray = s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0';
        buf_add_byte(out, stray && !pair ? ' ' : s.p[i]);
        if (pair) buf_add_byte(out, s.p[++i]);
    }
}

struct str letter_header_section(struct str content)
{
    if (str_starts(content, STR("\r\n"))) return str_slice(content, 0, 0);
    size_t end = str_find(content, STR("\r\n\r\n"));
    return end == STR_NPOS ? content : str_slice(content, 0, end + 2);
}

struct str letter_header_cut(struct str header)
{
    enum { HEADER_MOST = 64 * 1024 };
    if (header.n <= HEADER_MOST) return header;
    header.n = HEADER_MOST;
    size_t end = str_rfind_byte(header, '\n');
    header.n = end == STR_NPOS ? 0 : end + 1;
    return header;
}
