#include "message/encode.h"

enum { LINE_MOST = 76 };

void encode_base64(struct str s, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_reserve(out, s.n / 3 * 4 + s.n / 28 + 8);
    for (size_t i = 0; i < s.n; i += 3) {
        if (i && i % (LINE_MOST / 4 * 3) == 0) buf_add(out, STR("\r\n"));
        size_t n = s.n - i < 3 ? s.n - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) v = v << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};
        buf_add(out, (struct str){four, 4});
    }
}

/* One line, without its end. */
static void quoted_line(struct str line, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    bool dashes = str_starts(line, STR("--"));
    size_t column = 0;
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        bool last = i + 1 == line.n;
        bool plain = c == ' ' || c == '\t' ? !last : c > ' ' && c < 0x7f && c != '=';
        if (i == 0 && dashes) plain = false;
        size_t width = plain ? 1 : 3;
        if (column + width > LINE_MOST - (last ? 0u : 1u)) {
            buf_add(out, STR("=\r\n"));
            column = 0;
            if (c == '-') plain = false, width = 3; /* the rest of the line may spell a boundary as well */
        }
        char escaped[3] = {'=', digits[c >> 4], digits[c & 15]};
        if (plain)
            buf_add_byte(out, (char)c);
        else
            buf_add(out, (struct str){escaped, 3});
        column += width;
    }
}

void encode_quoted_printable(struct str text, struct buf *out)
{
    buf_reserve(out, text.n + text.n / 8);
    while (text.n) {
        size_t end = str_find_byte(text, '\n');
        struct str line = str_slice(text, 0, end == STR_NPOS ? text.n : end);
        if (end != STR_NPOS && str_ends(line, STR("\r"))) line.n--;
        quoted_line(line, out);
        if (end == STR_NPOS) return;
        buf_add(out, STR("\r\n"));
        text = str_from(text, end + 1);
    }
}
