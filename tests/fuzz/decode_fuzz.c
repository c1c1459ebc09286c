/* Any bytes through the decoders as any reader, base64 and quoted-printable beside a second, slower decoder written
 * from RFC 2045; charsets, sniffing, header values: texts are UTF-8, output is bounded. */
#include <string.h>

#include "message/charset.h"
#include "message/decode.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 2045 section 6.8: bytes outside the alphabet are skipped; padding ends a quantum. */
static void base64_again(struct str s, struct buf *out)
{
    unsigned v[4], n = 0;
    for (size_t i = 0; i <= s.n; i++) {
        const char *at = i < s.n && s.p[i] ? strchr(alphabet, s.p[i]) : NULL;
        bool ends = i == s.n || s.p[i] == '=';
        if (!at && !ends) continue;
        if (at) v[n++] = (unsigned)(at - alphabet);
        if (n < 4 && !ends) continue;
        if (n >= 2) buf_add_byte(out, (char)(v[0] * 4 + v[1] / 16));
        if (n >= 3) buf_add_byte(out, (char)(v[1] % 16 * 16 + v[2] / 4));
        if (n == 4) buf_add_byte(out, (char)(v[2] % 4 * 64 + v[3]));
        n = 0;
    }
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* RFC 2045 section 6.7, rules 1 to 5; what breaks them stands for itself. */
static void quoted_again(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        size_t blanks = i;
        while (blanks < s.n && ascii_is_blank(s.p[blanks])) blanks++;
        bool crlf = blanks + 1 < s.n && s.p[blanks] == '\r' && s.p[blanks + 1] == '\n';
        if (blanks > i) {
            if (blanks < s.n && s.p[blanks] != '\n' && !crlf) buf_add(out, str_slice(s, i, blanks));
            i = blanks; /* rule 3 */
            continue;
        }
        if (s.p[i] != '=') {
            buf_add_byte(out, s.p[i++]);
            continue;
        }
        if (i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
            buf_add_byte(out, (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])));
            i += 3;
            continue;
        }
        size_t end = i + 1;
        while (end < s.n && ascii_is_blank(s.p[end])) end++;
        bool soft_crlf = end + 1 < s.n && s.p[end] == '\r' && s.p[end + 1] == '\n';
        if (end == s.n || s.p[end] == '\n' || soft_crlf) { /* rule 5 */
            i = end == s.n ? end : end + 1 + soft_crlf;
            continue;
        }
        buf_add_byte(out, s.p[i++]);
    }
}

static void same(struct buf *a, struct buf *b)
{
    INVARIANT(str_eq(buf_str(a), buf_str(b)));
    a->n = b->n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready) INVARIANT(charset_warm(NULL));
    ready = true;
    if (size < 9) return 0;
    struct viewer r;
    memcpy(&r.manners, data, 8);
    r.manners &= ((uint64_t)1 << MANNER_COUNT) - 1;
    r.differs = 0;
    size_t row = data[8] % charset_count();
    struct str s = {(const char *)data + 9, size - 9};
    struct buf ours = {0}, theirs = {0};

    decode_base64(BEST_VIEWER, s, &ours);
    base64_again(s, &theirs);
    same(&ours, &theirs);
    decode_quoted_printable(BEST_VIEWER, s, true, &ours);
    quoted_again(s, &theirs);
    same(&ours, &theirs);

    decode_base64(&r, s, &ours);
    INVARIANT(ours.n <= s.n);
    ours.n = 0;
    decode_quoted_printable(&r, s, true, &ours);
    INVARIANT(ours.n <= s.n);
    ours.n = 0;
    decode_uuencode(&r, s, &ours);
    INVARIANT(ours.n <= s.n);
    ours.n = 0;
    charset_decode(&r, str_of(charset_iconv_name(row)), s, &ours);
    INVARIANT(str_is_utf8(buf_str(&ours)));
    ours.n = 0;
    charset_decode(&r, STR(""), s, &ours);
    INVARIANT(str_is_utf8(buf_str(&ours)));
    if (charset_is_plain(STR(""), s)) INVARIANT(str_eq(buf_str(&ours), s));
    ours.n = 0;
    decode_header_value(&r, s, &ours);
    INVARIANT(str_is_utf8(buf_str(&ours)));
    buf_free(&ours);
    buf_free(&theirs);
    return 0;
}
