#include "relay/notice.h"

#include "base/limits.h"

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
static void add_text(struct str text, struct buf *out)
{
    struct buf lines = {0};
    bool plain = with_line_ends(text, &lines) && str_is_ascii(text);
    if (plain) {
        buf_add(out, STR("Content-Type: text/plain; charset=us-ascii\r\n\r\n"));
        buf_add(out, buf_str(&lines));
    } else {
        buf_add(out, STR("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
        letter_base64(out, buf_str(&lines));
    }
    buf_free(&lines);
}

/* The boundary is the queue id: made after the content came, and not to be guessed. */
static void add_content(const struct letter *head, const struct notice *n, struct buf *out)
{
    static const char *const said[] = {"The header of the message is attached.", "The message is attached."};
    buf_printf(out, "Content-Type: multipart/mixed; boundary=\"=_%.*s\"\r\n", STR_ARG(head->queue_id));
    buf_printf(out, "\r\n--=_%.*s\r\n", STR_ARG(head->queue_id));
    struct buf text = {0};
    buf_add(&text, n->text);
    if (text.n && text.p[text.n - 1] != '\n') buf_add_byte(&text, '\n');
    buf_printf(&text, "\n%s\n", said[n->whole]);
    if (n->cut) buf_printf(&text, "All of it would be too much for a report.\n");
    add_text(buf_str(&text), out);
    buf_free(&text);
    buf_printf(out, "\r\n--=_%.*s\r\nContent-Disposition: attachment\r\n", STR_ARG(head->queue_id));
    letter_original(out, n->content, n->whole);
    buf_printf(out, "\r\n--=_%.*s--\r\n", STR_ARG(head->queue_id));
}

void notice_build(const struct letter *head, const struct notice *n, struct buf *out)
{
    letter_top(head, out);
    if (n->content.p) add_content(head, n, out);
    else add_text(n->text, out);
}
