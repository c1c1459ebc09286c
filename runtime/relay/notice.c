#include "relay/notice.h"

#include "base/base64.h"
#include "base/limits.h"

enum { BASE64_LINE = 76 }; /* RFC 2045 section 6.8 */

/* Lines end with CR LF, the last one too.  False when some line is longer than RFC 5322 section 2.1.1 has it. */
static bool with_line_ends(struct str text, struct buf *out)
{
    bool fits = true;
    struct str line;
    for (bool more = text.n > 0; more;) {
        more = str_cut(text, '\n', &line, &text) && text.n > 0;
        fits = fits && line.n <= LIMIT_TEXT_LINE;
        buf_add(out, line);
        buf_add(out, STR("\r\n"));
    }
    return fits;
}

/* In seven bits whatever the text is, so that every next host takes it. */
void notice_build(const struct letter *head, struct str text, struct buf *out)
{
    struct buf lines = {0}, base64 = {0};
    letter_top(head, out);
    bool plain = with_line_ends(text, &lines) && str_is_ascii(text);
    if (plain) {
        buf_add(out, STR("Content-Type: text/plain; charset=us-ascii\r\n\r\n"));
        buf_add(out, buf_str(&lines));
    } else {
        buf_add(out, STR("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        base64_encode(buf_str(&lines), &base64);
        for (size_t i = 0; i < base64.n; i += BASE64_LINE) {
            buf_add(out, str_slice(buf_str(&base64), i, i + BASE64_LINE));
            buf_add(out, STR("\r\n"));
        }
    }
    buf_free(&base64);
    buf_free(&lines);
}
