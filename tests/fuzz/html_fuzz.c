/* Any bytes, made UTF-8, as HTML: the text is UTF-8 and hardly longer than its source: &nGt; is six octets. */
#include <string.h>

#include "message/charset.h"
#include "message/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf html = {0}, text = {0};
    struct viewer plain = {0}, r = {0};
    charset_decode(&plain, STR("utf-8"), (struct str){(const char *)data, size}, &html);
    if (size >= 8) memcpy(&r.manners, data, 8);
    html_to_text(&r, buf_str(&html), &text);
    INVARIANT(text.n <= html.n + html.n / 5);
    INVARIANT(str_is_utf8(buf_str(&text)));
    text.n = 0;
    html_to_text(&plain, buf_str(&html), &text);
    INVARIANT(text.n <= html.n + html.n / 5);
    INVARIANT(str_is_utf8(buf_str(&text)));
    html_meta_charset(buf_str(&html));
    buf_free(&html);
    buf_free(&text);
    return 0;
}
