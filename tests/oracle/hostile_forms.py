"""The forms of hostile_mail.py's productions: of a subject, a body and a file name, each as some reader takes it
differently.  The first of each table is the ordinary one; every one hides MARK.
"""
import base64
import quopri

MARK = "plutonium cargo"
LEFT, RIGHT = MARK[:5], MARK[5:]
WIDE = "".join(chr(ord(c) + 0xFEE0) if c != " " else "\u3000" for c in MARK)


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def hexed(data, upper=True):
    return "".join(("=%02X" if upper else "=%02x") % b for b in data)


def word(text, charset="utf-8", encoding="b", codec=None):
    data = text if isinstance(text, bytes) else text.encode(codec or charset)
    return f"=?{charset}?{encoding}?{b64(data) if encoding in 'bB' else hexed(data)}?="


def utf7(text):
    return "".join("+" + b64(c.encode("utf-16-be")).rstrip("=") + "-" if c.isalpha() else c for c in text)


JIS = "".join("\x1b$B" + chr(0x23) + chr(ord(c)) + "\x1b(B" if c.isalpha() else c for c in MARK)
OVERLONG = b"".join(bytes((0xC0 | ord(c) >> 6, 0x80 | ord(c) & 0x3F)) if c.isalpha() else c.encode() for c in MARK)
ZERO_WIDTH = MARK[:3] + "\u200b" + MARK[3:7] + "\u2060" + MARK[7:]
SOFT = MARK[:3] + "\u00ad" + MARK[3:]

# --- the subject: whole header lines ----------------------------------------------------------------------------------
SUBJECTS = {
    "plain": f"Subject: {MARK}",
    "b": f"Subject: {word(MARK)}",
    "q": f"Subject: {word(MARK, encoding='q')}",
    "two words": f"Subject: {word(LEFT)} {word(RIGHT)}",
    "two words folded": f"Subject: {word(LEFT)}\r\n {word(RIGHT)}",
    "two words of two charsets": f"Subject: {word(LEFT)} {word(RIGHT, 'iso-8859-1', 'q')}",
    "words not set off": f"Subject: {word(LEFT)}{word(RIGHT)}",
    "split inside a quantum": f"Subject: =?utf-8?b?{b64(MARK)[:6]}?= =?utf-8?b?{b64(MARK)[6:]}?=",
    "no padding": f"Subject: {word(MARK + 'x').replace('=?=', '?=').replace('=?=', '?=')}",
    "glued to text": f"Subject: x{word(' ' + MARK + ' ')}y",
    "glued in front": f"Subject: {LEFT}{word(RIGHT)}",
    "blank inside": f"Subject: =?utf-8?q?{MARK}?=",
    "over 75": f"Subject: {word('x' * 90 + ' ' + MARK)}",
    "unknown charset": f"Subject: {word(MARK, 'x-never', 'q', 'ascii')}",
    "unknown charset b": f"Subject: {word(MARK, 'x-never', 'b', 'ascii')}",
    "language tag": f"Subject: {word(MARK, 'utf-8*en', 'q', 'utf-8')}",
    "UTF-7": f"Subject: =?utf-7?q?{utf7(MARK).replace(' ', '_')}?=",
    "UTF-7 b": f"Subject: =?utf-7?b?{b64(utf7(MARK))}?=",
    "UTF-16": f"Subject: {word(MARK, 'utf-16be')}",
    "UTF-16 with mark": f"Subject: {word(MARK, 'utf-16')}",
    "UTF-16 without mark": f"Subject: {word(MARK, 'utf-16', codec='utf-16-be')}",
    "UTF-32": f"Subject: {word(MARK, 'utf-32be')}",
    "ISO-2022-JP": f"Subject: {word(JIS, 'iso-2022-jp', codec='latin-1')}",
    "ISO-2022-JP unlabelled": f"Subject: {JIS}",
    "JIS labelled UTF-8": f"Subject: {word(JIS, codec='latin-1', charset='utf-8')}",
    "overlong": f"Subject: {word(OVERLONG)}",
    "overlong raw": b"Subject: " + OVERLONG,
    "wide": f"Subject: {WIDE}",
    "wide word": f"Subject: {word(WIDE)}",
    "wide GB18030": f"Subject: {word(WIDE, 'gb18030')}",
    "wide labelled latin1": f"Subject: {word(WIDE, 'iso-8859-1', codec='utf-8')}",
    "zero width": f"Subject: {ZERO_WIDTH}",
    "zero width word": f"Subject: {word(ZERO_WIDTH, encoding='q')}",
    "soft hyphen": f"Subject: {word(SOFT)}",
    "lower hex": f"Subject: =?utf-8?q?{hexed(MARK.encode(), False)}?=",
    "control inside": f"Subject: =?utf-8?q?{LEFT}=08{RIGHT.replace(' ', '_')}?=",
    "NUL inside": f"Subject: =?utf-8?q?{LEFT}=00{RIGHT.replace(' ', '_')}?=",
    "in quotes": f'Subject: "{word(MARK)}"',
    "in a comment": f"Subject: ({word(MARK, encoding='q')})",
    "junk in base64": f"Subject: =?utf-8?b?{b64(MARK)[:5]}*{b64(MARK)[5:]}?=",
    "dash in base64": f"Subject: =?utf-8?b?{b64(MARK)[:5]}-{b64(MARK)[5:]}?=",
    "padding inside": f"Subject: =?utf-8?b?{b64(LEFT[:4])}{b64(LEFT[4:] + RIGHT)}?=",
    "padding inside, joined": f"Subject: =?utf-8?b?{b64('x' + MARK)[:6]}=={b64('x' + MARK)[6:]}?=",
    "no end": f"Subject: =?utf-8?q?{MARK.replace(' ', '_')}",
    "other encoding": f"Subject: =?utf-8?x?{MARK.replace(' ', '_')}?=",
    "word in a word": f"Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3F{MARK.replace(' ', '_')}=3F=3D?=",
    "empty words between": f"Subject: {word(LEFT)} =?utf-8?q??= {word(RIGHT)}",
    "no end, two question marks": f"Subject: =?utf-8?q?{hexed(MARK.encode())}=",
    "fold inside a word": f"Subject: =?utf-8?q?{LEFT}=\r\n {hexed(RIGHT.encode())[1:]}?=",
    "folded": f"Subject: {MARK.split()[0]}\r\n {MARK.split()[1]}",
    "folded with tab": f"Subject: {MARK.split()[0]}\r\n\t{MARK.split()[1]}",
    "folded early": f"Subject:\r\n {MARK}",
    "blank folded line": f"Subject: {MARK.split()[0]}\r\n \r\n {MARK.split()[1]}",
    "junk line": f"Subject: {MARK.split()[0]}\r\njunk line here\r\n {MARK.split()[1]}",
    "junk line before": f"X-A: a\r\njunk line here\r\nSubject: {MARK}",
    "second of two": f"Subject: minutes\r\nSubject: {MARK}",
    "first of two": f"Subject: {MARK}\r\nSubject: minutes",
    "third of three": f"Subject: minutes\r\nSubject: plans\r\nSubject: {MARK}",
    "blank before colon": f"Subject : {MARK}",
    "tab before colon": f"Subject\t: {MARK}",
    "lower case": f"sUBJECT:{MARK}",
    "percent": f"Subject: utf-8''{MARK.replace(' ', '%20')}",
    "extended name": f"Subject*: utf-8''{MARK.replace(' ', '%20')}",
    "behind a line of blanks": f"X-A: a\r\n  \r\nSubject: {MARK}",
    "long": f"Subject: {'x' * 1200} {MARK}",
    "many folds": "Subject: x" + "\r\n x" * 300 + f"\r\n {MARK}",
    "case of the encoding": f"Subject: =?UTF-8?Q?{hexed(MARK.encode())}?=",
    "blank in charset": f"Subject: =?utf-8 ?q?{MARK.replace(' ', '_')}?=",
    "blanks in base64": f"Subject: =?utf-8?b?{b64(MARK)[:8]} {b64(MARK)[8:]}?=",
    "question mark inside": f"Subject: =?utf-8?q?{MARK.replace(' ', '_')}?x?=",
    "split character": f"Subject: =?utf-8?b?{b64(WIDE.encode()[:4])}?= =?utf-8?b?{b64(WIDE.encode()[4:])}?=",
    "split character, charset by another name": f"Subject: =?utf-8?b?{b64(WIDE.encode()[:4])}?= "
                                                f"=?utf8?b?{b64(WIDE.encode()[4:])}?=",
    "split character, charset unknown": f"Subject: =?utf-8?b?{b64(WIDE.encode()[:4])}?= "
                                        f"=?ut-8?b?{b64(WIDE.encode()[4:])}?=",
    "tab in charset": f"Subject: =?utf\t-8?b?{b64(MARK)}?=",
    "tab before charset": f"Subject: =?\tutf-8?b?{b64(MARK)}?=",
    "escape in charset": f"Subject: =?utf-8\x1b(B?b?{b64(MARK)}?=",
    "8-bit in charset": f"Subject: =?utf-16\xa0be?b?{b64(MARK.encode('utf-16-be'))}?=".encode("latin-1"),
    "quote in charset": f"Subject: =?gb180\"30?b?{b64(WIDE.encode('gb18030'))}?=",
    "tab in an escape": f"Subject: =?utf-8?q?{hexed(MARK.encode())[:30]}=\t{hexed(MARK.encode())[31:]}?=",
    "8-bit blank before colon": f"Subject\xa0: {MARK}".encode("latin-1"),
    "8-bit blank before name": f"\xa0Subject: {MARK}".encode("latin-1"),
    "8-bit blank and a fold before name": f"\xa0\r\n Subject: {MARK}".encode("latin-1"),
    "colon on the next line": f"Subject\r\n : {MARK}",
    "colon on the next line behind an 8-bit blank": f"Subject\r\n \xa0: {MARK}".encode("latin-1"),
    "colon two lines on": f"Subject\r\n \r\n : {MARK}",
}

# --- the body: markup, charset, transfer encoding ---------------------------------------------------------------------
HTML = {
    "none": None,
    "simple": f"<html><body><p>{MARK}</p></body></html>",
    "tag inside": f"<p>{LEFT}<b></b>{RIGHT}</p>",
    "unknown tag inside": f"<p>{LEFT}<x-y>{RIGHT}</p>",
    "comment inside": f"<p>{LEFT}<!-- x -->{RIGHT}</p>",
    "odd comment inside": f"<p>{LEFT}<!-->{RIGHT}</p>",
    "comment ended with blanks": f"<p>{LEFT}<!-- x --\r\n >{RIGHT}</p>",
    "no name in a tag": f"<p>{LEFT}<=7>{RIGHT}</p>",
    "tag in a tag": f"<table><tr><td>{MARK.split()[0]}</td<td>{MARK.split()[1]}</td></tr></table>",
    "comment ended oddly": f"<p>{LEFT}<!-- x --!>{RIGHT}</p>",
    "bogus comment inside": f"<p>{LEFT}<!x>{RIGHT}</p>",
    "decimal": "<p>" + "".join(f"&#{ord(c)};" for c in MARK) + "</p>",
    "decimal open": "<p>" + "".join(f"&#{ord(c)}" for c in MARK) + "</p>",
    "hex": "<p>" + "".join(f"&#x{ord(c):x};" for c in MARK) + "</p>",
    "hex padded": "<p>" + "".join(f"&#x0000{ord(c):X};" for c in MARK) + "</p>",
    "nbsp": f"<p>{MARK.replace(' ', '&nbsp;')}</p>",
    "nbsp open": f"<p>{MARK.replace(' ', '&nbsp ')}</p>",
    "named letters": f"<p>&popf;{MARK[1:]}</p>",
    "shy": f"<p>{LEFT}&shy;{RIGHT}</p>",
    "zwnj": f"<p>{LEFT}&zwnj;{RIGHT}</p>",
    "zero width number": f"<p>{LEFT}&#8203;{RIGHT}</p>",
    "wbr": f"<p>{LEFT}<wbr>{RIGHT}</p>",
    "line break for a blank": f"<p>{MARK.replace(' ', '<br>')}</p>",
    "hidden inside": f'<p>{LEFT}<span style="display: none">xyz</span>{RIGHT}</p>',
    "size zero inside": f'<p>{LEFT}<span style="font-size:0px">xyz</span>{RIGHT}</p>',
    "hidden attribute": f"<p>{LEFT}<i hidden>xyz</i>{RIGHT}</p>",
    "hidden by class": f"<style>.q {{ display:none }}</style><p>{LEFT}<span class=q>xyz</span>{RIGHT}</p>",
    "hidden nested": f'<p>{LEFT}<span style="display:none">a<span>b</span>c</span>{RIGHT}</p>',
    "alternative text": f'<p><img src="x.png" alt="{MARK}"></p>',
    "target of a link": f'<p>x <a href="http://{MARK}/">y</a></p>',
    "source of an image": f'<p>x <img src="{MARK}"></p>',
    "value of a control": f'<form><input value="{MARK}"></form>',
    "conditional comment": f"<!--[if mso]><p>{MARK}</p><![endif]-->",
    "conditional downlevel": f"<![if !mso]><p>{MARK}</p><![endif]>",
    "unclosed comment": f"<p>x</p><!-- <p>{MARK}</p>",
    "unclosed tag": f"<p>x</p><a href={MARK}",
    "quoted greater": f'<a title="x>">{MARK}</a>',
    "unclosed quote": f'<a title="x>{MARK}</a>',
    "title": f"<html><head><title>{MARK}</title></head></html>",
    "textarea": f"<textarea>{MARK}</textarea>",
    "pre": f"<pre>{MARK}</pre>",
    "noscript": f"<noscript>{MARK}</noscript>",
    "script before": f"<script>var x = '<p>';</script><p>{MARK}</p>",
    "script unclosed": f"<script>x <p>{MARK}</p>",
    "upper case": f"<P>{LEFT}<B></B>{RIGHT}</P>",
    "cdata": f"<![CDATA[{MARK}]]>",
    "no markup": MARK,
    "white space": f"<p>{MARK.replace(' ', chr(13) + chr(10) + '   ')}</p>",
    "table cells": f"<table><tr><td>{MARK.split()[0]}</td><td>{MARK.split()[1]}</td></tr></table>",
    "less than": f"<p>1 < 2 {MARK}</p>",
    "slash in tag": f"<p>{LEFT}<b/>{RIGHT}</p>",
    "attributes without blanks": f"<p>{LEFT}<b a=\"1\"b='2'>{RIGHT}</p>",
}
# name: (charset parameter or None, bytes for a text, how)
CHARSETS = {
    "none": (None, lambda t: t.encode()),
    "UTF-8": ("utf-8", lambda t: t.encode()),
    "latin1": ("iso-8859-1", lambda t: t.encode("latin-1", "replace")),
    "quoted": ('"us-ascii"', lambda t: t.encode()),
    "blank behind": ('"utf-8 "', lambda t: t.encode()),
    "twice": ("utf-16; charset=utf-8", lambda t: t.encode()),
    "twice the other": ("utf-8; charset=utf-16be", lambda t: t.encode("utf-16-be")),
    "extended": (None, lambda t: t.encode("utf-16-be"), "charset*=us-ascii''utf-16be"),
    "wide": ("utf-8", lambda t: t.replace(MARK, WIDE).encode()),
    "wide as latin1": ("iso-8859-1", lambda t: t.replace(MARK, WIDE).encode()),
    "wide unlabelled": (None, lambda t: t.replace(MARK, WIDE).encode()),
    "UTF-7": ("utf-7", lambda t: t.replace(MARK, utf7(MARK)).encode()),
    "UTF-7 with odd bits": ("utf-7", lambda t: t.replace(MARK, utf7(MARK).replace("+AHQ-", "+AHQ+-")).encode()),
    "UTF-7 unlabelled": (None, lambda t: t.replace(MARK, utf7(MARK)).encode()),
    "ASCII as UTF-7": ("utf-7", lambda t: t.encode()),
    "UTF-7 behind a broken one": ("utf-7", lambda t: t.replace(MARK, "+r al=l, " + utf7(MARK)).encode()),
    "UTF-7 broken inside": ("utf-7", lambda t: t.replace(MARK, utf7(MARK).replace("+AG0-", "+AG%0-")).encode()),
    "wide EUC-JP, name behind two equals signs": ("=euc-jp",
                                                  lambda t: t.replace(MARK, WIDE).encode("euc-jp", "replace")),
    "wide Shift_JIS, name with dashes": ("shift_ji--s", lambda t: t.replace(MARK, WIDE).encode("shift_jis", "replace")),
    "UTF-16": ("utf-16", lambda t: t.encode("utf-16")),
    "UTF-16 big": ("utf-16", lambda t: t.encode("utf-16-be")),
    "UTF-16LE": ("utf-16le", lambda t: t.encode("utf-16-le")),
    "UTF-16 marked, unlabelled": (None, lambda t: t.encode("utf-16")),
    "UTF-16 unmarked, unlabelled": (None, lambda t: t.encode("utf-16-le")),
    "UTF-16 marked as UTF-8": ("utf-8", lambda t: t.encode("utf-16")),
    "ASCII as UTF-16": ("utf-16", lambda t: t.encode()),
    "UTF-32": ("utf-32", lambda t: t.encode("utf-32")),
    "UTF-32 big": ("utf-32be", lambda t: t.encode("utf-32-be")),
    "UTF-32 unlabelled": (None, lambda t: t.encode("utf-32")),
    "UTF-32 out of step": ("utf-32be", lambda t: t.encode("utf-32-be").replace("c".encode("utf-32-be"), b"junk\r\n"
                                                                               + "c".encode("utf-32-be"), 1)),
    "UTF-8 with mark": ("utf-8", lambda t: b"\xef\xbb\xbf" + t.encode()),
    "JIS": ("iso-2022-jp", lambda t: t.replace(MARK, JIS).encode()),
    "JIS, an escape broken": ("iso-2022-jp", lambda t: t.replace(MARK, JIS.replace("\x1b$B#n", "\x1bB#n")).encode()),
    "JIS unlabelled": (None, lambda t: t.replace(MARK, JIS).encode()),
    "JIS as latin1": ("iso-8859-1", lambda t: t.replace(MARK, JIS).encode()),
    "wide EUC-JP": ("euc-jp", lambda t: t.replace(MARK, WIDE).encode("euc-jp", "replace")),
    "wide Shift_JIS": ("shift_jis", lambda t: t.replace(MARK, WIDE).encode("shift_jis", "replace")),
    "wide GB18030": ("gb18030", lambda t: t.replace(MARK, WIDE).encode("gb18030")),
    "wide GB2312": ("gb2312", lambda t: t.replace(MARK, WIDE).encode("gb18030")),
    "wide GB2312, more behind the name": ("gb2312Content-Disposition: inline",
                                          lambda t: t.replace(MARK, WIDE).encode("gb18030")),
    "wide Big5": ("big5", lambda t: t.replace(MARK, WIDE).encode("big5", "replace")),
    "wide EUC-KR": ("euc-kr", lambda t: t.replace(MARK, WIDE).encode("euc-kr", "replace")),
    "GB lead before ASCII": ("gb2312", lambda t: t.encode("latin-1").replace(b"cargo", b"car\x81\xffgo")),
    "Big5 lead before ASCII": ("big5", lambda t: t.encode("latin-1").replace(b"cargo", b"car\xffgo")),
    "overlong": ("utf-8", lambda t: t.encode().replace(MARK.encode(), OVERLONG)),
    "overlong unlabelled": (None, lambda t: t.encode().replace(MARK.encode(), OVERLONG)),
    "zero width": ("utf-8", lambda t: t.replace(MARK, ZERO_WIDTH).encode()),
    "soft hyphen": ("utf-8", lambda t: t.replace(MARK, SOFT).encode()),
    "control inside": ("utf-8", lambda t: t.replace(LEFT, LEFT + "\x08").encode()),
    "unknown": ("x-never-heard", lambda t: t.encode()),
    "EBCDIC": ("cp037", lambda t: t.encode("cp037", "replace")),
    "HZ": ("hz-gb-2312", lambda t: t.encode()),
    "ISO-2022-KR": ("iso-2022-kr", lambda t: b"\x1b$)C" + t.encode()),
}


def lines76(text):
    return "\r\n".join(text[i:i + 76] for i in range(0, len(text), 76))


def plain_bytes(data):
    """What may stand in a message as it is; else base64 must carry it."""
    return b"\0" not in data and not any(b in data.replace(b"\r\n", b"") for b in b"\r\n")


def qp(data):
    return quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def uu(data, name="x.txt"):
    import binascii
    rows = b"\r\n".join(binascii.b2a_uu(data[i:i + 45]).rstrip(b"\n") for i in range(0, len(data), 45))
    return b"begin 644 " + name.encode() + b"\r\n" + rows + b"\r\n`\r\nend\r\n"


def enc(data):
    return lines76(b64(data)).encode()


# name: (values of Content-Transfer-Encoding, encoder)
CODES = {
    "7bit": ([], lambda d: d if plain_bytes(d) else None),
    "base64": (["base64"], enc),
    "quoted-printable": (["quoted-printable"], qp),
    "8bit": (["8bit"], lambda d: d if plain_bytes(d) else None),
    "base64 junk": (["base64"], lambda d: b"!*".join([b64(d)[:7].encode(), b64(d)[7:].encode()])),
    "base64 dash": (["base64"], lambda d: b"-".join([b64(d)[:7].encode(), b64(d)[7:].encode()])),
    "base64 padded early": (["base64"], lambda d: b64(d[:7]).encode() + b64(d[7:]).encode()),
    "base64 padded early, lines": (["base64"], lambda d: b64(d[:7]).encode() + b"\r\n" + b64(d[7:]).encode()),
    "base64 padding inside": (["base64"], lambda d: b64(d)[:6].encode() + b"==" + b64(d)[6:].encode()),
    "base64 one pad inside": (["base64"], lambda d: b64(d)[:7].encode() + b"=" + b64(d)[7:].encode()),
    "base64 without padding": (["base64"], lambda d: enc(d).rstrip(b"=")),
    "base64 blanks": (["base64"], lambda d: b" \t".join(b64(d)[i:i + 3].encode() for i in range(0, len(b64(d)), 3))),
    "base64 one line": (["base64"], lambda d: b64(d).encode()),
    "base64 one each line": (["base64"], lambda d: b"\r\n".join(c.encode() for c in b64(d))),
    "base64 of URLs": (["base64"], lambda d: base64.urlsafe_b64encode(b"\xfb\xef\xbe " + d)),
    "base64 text behind": (["base64"], lambda d: enc(b"x") + b"\r\n\r\n" + d if plain_bytes(d) else None),
    "base64 behind a delimiter in the header": (["base64\r\n" + b64("Dear all,\r\n") + "\r\n--b1--"], enc),
    "base64 footer": (["base64"], lambda d: enc(d) + b"\r\n--\r\nlist footer"),
    "base64 leading pad": (["base64"], lambda d: b"====" + enc(d)),
    "base64 text": (["base64"], lambda d: d if plain_bytes(d) else None),
    "quoted soft": (["quoted-printable"], lambda d: qp(d).replace(LEFT.encode(), LEFT.encode() + b"=\r\n")),
    "quoted soft blank": (["quoted-printable"], lambda d: qp(d).replace(LEFT.encode(), LEFT.encode() + b"= \t\r\n")),
    "quoted all": (["quoted-printable"], lambda d: "=\r\n".join(
        hexed(d[i:i + 20]) for i in range(0, len(d), 20)).encode()),
    "quoted lower": (["quoted-printable"], lambda d: "=\r\n".join(
        hexed(d[i:i + 20], False) for i in range(0, len(d), 20)).encode()),
    "quoted junk": (["quoted-printable"], lambda d: b"=ZZ =\r\n" + qp(d)),
    "quoted raw": (["quoted-printable"], lambda d: d if plain_bytes(d) and b"=" not in d else None),
    "quoted blank end": (["quoted-printable"], lambda d: qp(d).replace(b"\r\n", b" \r\n") + b" "),
    "uuencode": (["x-uuencode"], uu),
    "uu": (["uuencode"], uu),
    "uu, line of another length": (["x-uuencode"], lambda d: uu(d).replace(b"\r\n", b"\r\nX-A: b\r\n", 1)),
    "uu, line ends lost": (["x-uuencode"],
                           lambda d: uu(d + b" " * 45).replace(b"\r\n", b"\r\n\r\n", 1).replace(b"\r\nM", b"M")),
    "uu, begin misspelt": (["x-uuencode"], lambda d: uu(d).replace(b"begin ", b"begin) ", 1)),
    "uuencoded in text": ([], lambda d: b"see below\r\n\r\n" + uu(d)),
    "unknown": (["x-unknown"], lambda d: d if plain_bytes(d) else None),
    "unknown base64": (["x-base64"], enc),
    "comment behind": (["base64 (really)"], enc),
    "comment before": (["(really) base64"], enc),
    "comment on text": (["base64 (really)"], lambda d: d if plain_bytes(d) else None),
    "suffix": (["base64;x"], enc),
    "suffix on text": (["base64;x=y"], lambda d: d if plain_bytes(d) else None),
    "quoted value": (['"base64"'], enc),
    "upper case": (["BASE64"], enc),
    "blanks": (["  base64 \t "], enc),
    "folded": (["\r\n base64"], enc),
    "two words": (["base64 base64"], enc),
    "comma": (["base64, 7bit"], enc),
    "7bit then base64": (["7bit", "base64"], enc),
    "base64 then 7bit": (["base64", "7bit"], enc),
    "7bit then base64, text": (["7bit", "base64"], lambda d: d if plain_bytes(d) else None),
    "base64 then 7bit, text": (["base64", "7bit"], lambda d: d if plain_bytes(d) else None),
    "quoted then base64": (["quoted-printable", "base64"], enc),
    "empty": ([""], lambda d: d if plain_bytes(d) else None),
    "binary": (["binary"], lambda d: d if plain_bytes(d) else None),
    "quoted with comment": (["quoted-printable (x)"], lambda d: hexed(d).encode() if len(d) < 300 else None),
    "misspelt": (["quoted-printible"], lambda d: hexed(d).encode() if len(d) < 300 else None),
    "base-64": (["base-64"], enc),
    "quote before": (['" quoted-printable'], qp),
    "semicolon before": ([";quoted-printable"], lambda d: hexed(d).encode() if len(d) < 300 else None),
    "backslash before": (["\\ base64"], enc),
}
# Content-Type values for {sub} (plain or html) and {ch} ("; charset=…" or "")
TYPES = {
    "plain": ["text/{sub}{ch}"],
    "absent": [],
    "no subtype": ["text{ch}"],
    "empty subtype": ["text/{ch}"],
    "upper case": ["TEXT/{SUB}{ch}"],
    "comment": ["text/{sub} (words){ch}"],
    "comment inside": ["text(x)/{sub}{ch}"],
    "unknown subtype": ["text/x-unheard{ch}"],
    "no semicolon": ["text/{sub} format=flowed{ch}"],
    "semicolons": ["text/{sub};;;{ch};"],
    "junk parameter": ["text/{sub}; junk{ch}"],
    "folded": ["text/{sub}\r\n{ch}"],
    "folded, charset another": ["text/{sub}\r\n; charset=utf-16be"],
    "leading semicolon": ["; text/{sub}{ch}"],
    "twice, image first": ["image/png", "text/{sub}{ch}"],
    "twice, image last": ["text/{sub}{ch}", "image/png"],
    "twice, octets first": ["application/octet-stream", "text/{sub}{ch}"],
    "twice, octets last": ["text/{sub}{ch}", "application/octet-stream"],
    "blanks around slash": ["text / {sub}{ch}"],
    "unclosed quote": ['text/{sub}; x="y{ch}'],
    "two types": ["text/{sub}, image/png{ch}"],
    "quoted type": ['"text/{sub}"{ch}'],
    "backslash before": ["\\ text/{sub}{ch}"],
    "quote before": ['"\r\n  text/{sub}{ch}'],
    "two types, folded": ["image/png\r\n Content-Type: text/{sub}{ch}"],
}
DISPOSITIONS = {
    "none": [],
    "inline": ["inline"],
    "unknown": ["somehow"],
    "empty": [""],
    "attachment then inline": ["attachment", "inline"],
    "inline then attachment": ["inline", "attachment"],
    "in a comment": ["inline (attachment)"],
    "quoted": ['"inline"'],
    "only a parameter": ["; x=y"],
    "inline with junk": ["inline attachment"],
    "attachment with junk": ["attachment\r\n\tContent-Disposition: inline"],
}


# --- the name of an attachment: whole header lines --------------------------------------------------------------------
FILE = MARK + ".txt"
PCT = FILE.replace(" ", "%20")
AT = "Content-Type: application/octet-stream"
CD = "Content-Disposition: attachment"
FILES = {
    "plain": [AT, f'{CD}; filename="{FILE}"'],
    "name only": [f'{AT}; name="{FILE}"', CD],
    "name, no disposition": [f'{AT}; name="{FILE}"'],
    "name, text": [f'Content-Type: text/plain; name="{FILE}"'],
    "unquoted": [AT, f"{CD}; filename={FILE}"],
    "extended": [AT, f"{CD}; filename*=utf-8''{PCT}"],
    "extended upper": [AT, f"{CD}; FILENAME*=UTF-8'en'{PCT}"],
    "extended without charset": [AT, f"{CD}; filename*=''{PCT}"],
    "extended unknown charset": [AT, f"{CD}; filename*=x-never''{PCT}"],
    "extended without quotes": [AT, f"{CD}; filename*={PCT}"],
    "extended quoted": [AT, f"{CD}; filename*=\"utf-8''{PCT}\""],
    "extended bad escape": [AT, f"{CD}; filename*=utf-8''{PCT}%ZZ"],
    "sections": [AT, f'{CD}; filename*0="{FILE[:6]}"; filename*1="{FILE[6:]}"'],
    "sections swapped": [AT, f'{CD}; filename*1="{FILE[6:]}"; filename*0="{FILE[:6]}"'],
    "sections folded": [AT, f'{CD};\r\n filename*0="{FILE[:6]}";\r\n filename*1="{FILE[6:]}"'],
    "sections extended": [AT, f"{CD}; filename*0*=utf-8''{PCT[:6]}; filename*1*={PCT[6:]}"],
    "sections mixed": [AT, f"{CD}; filename*0*=utf-8''{PCT[:6]}; filename*1=\"{FILE[6:]}\""],
    "sections with a gap": [AT, f'{CD}; filename*0="{FILE}"; filename*2="x"'],
    "sections from one": [AT, f'{CD}; filename*1="{FILE[:6]}"; filename*2="{FILE[6:]}"'],
    "sections with zeros": [AT, f'{CD}; filename*00="{FILE[:6]}"; filename*01="{FILE[6:]}"'],
    "both, marked plain": [AT, f"{CD}; filename=\"{FILE}\"; filename*=utf-8''x.txt"],
    "both, marked extended": [AT, f"{CD}; filename=\"x.txt\"; filename*=utf-8''{PCT}"],
    "both, extended first": [AT, f"{CD}; filename*=utf-8''{PCT}; filename=\"x.txt\""],
    "name differs": [f'{AT}; name="{FILE}"', f'{CD}; filename="x.txt"'],
    "filename differs": [f'{AT}; name="x.txt"', f'{CD}; filename="{FILE}"'],
    "word": [AT, f'{CD}; filename="{word(FILE)}"'],
    "word unquoted": [AT, f"{CD}; filename={word(FILE, encoding='q')}"],
    "words": [AT, f'{CD}; filename="{word(FILE[:6])} {word(FILE[6:])}"'],
    "words folded": [AT, f'{CD}; filename="{word(FILE[:6])}\r\n {word(FILE[6:])}"'],
    "word in name": [f'{AT}; name="{word(FILE, encoding="q")}"', CD],
    "twice, first": [AT, f'{CD}; filename="{FILE}"; filename="x.txt"'],
    "twice, last": [AT, f'{CD}; filename="x.txt"; filename="{FILE}"'],
    "quoted pair": [AT, f'{CD}; filename="{FILE[:3]}\\{FILE[3:]}"'],
    "trailing dot": [AT, f'{CD}; filename="{FILE}. . "'],
    "path": [AT, f'{CD}; filename="/tmp/x/{FILE}"'],
    "windows path": [AT, f'{CD}; filename="C:\\\\x\\\\{FILE}"'],
    "windows path, raw": [AT, f'{CD}; filename="C:\\x\\{FILE}"'],
    "right to left": [AT, f'{CD}; filename="\u202e{FILE}"'],
    "zero width": [AT, f'{CD}; filename="{ZERO_WIDTH}.txt"'],
    "wide": [AT, f'{CD}; filename="{WIDE}.txt"'],
    "comment": [AT, f'{CD} (x); (y) filename="{FILE}" (z)'],
    "unclosed quote": [AT, f'{CD}; filename="{FILE}'],
    "single quotes": [AT, f"{CD}; filename='{FILE}'"],
    "no semicolon": [AT, f'{CD} filename="{FILE}"'],
    "semicolon inside": [AT, f'{CD}; filename="x;{FILE}"'],
    "blanks around equals": [AT, f'{CD}; filename = "{FILE}"'],
    "folded name": [AT, f'{CD}; filename="{MARK.split()[0]}\r\n {MARK.split()[1]}.txt"'],
    "upper case": [AT, f'{CD}; FileName="{FILE}"'],
    "empty and name": [f'{AT}; name="{FILE}"', f'{CD}; filename=""'],
    "disposition twice, first": [AT, f'{CD}; filename="{FILE}"', f'{CD}; filename="x.txt"'],
    "disposition twice, last": [AT, f'{CD}; filename="x.txt"', f'{CD}; filename="{FILE}"'],
    "type twice, last": [f'{AT}; name="x.txt"', f'{AT}; name="{FILE}"'],
    "type twice, first": [f'{AT}; name="{FILE}"', f'{AT}; name="x.txt"'],
    "inline": [AT, f'Content-Disposition: inline; filename="{FILE}"'],
    "no type": [f'{CD}; filename="{FILE}"'],
    "control inside": [AT, f"{CD}; filename*=utf-8''{PCT[:4]}%00{PCT[4:]}"],
    "word of UTF-16": [AT, f'{CD}; filename="{word(FILE, "utf-16be")}"'],
    "extended UTF-16": [AT, f"{CD}; filename*=utf-16be''" + "".join("%%%02X" % b for b in FILE.encode("utf-16-be"))],
    "only a parameter": [AT, f'Content-Disposition: ; filename="{FILE}"'],
    "junk between": [AT, f'{CD}; junk words; filename="{FILE}"'],
    "image": ["Content-Type: image/png", f'{CD}; filename="{FILE}"'],
    "colon for equals": [AT, f'{CD}; filename: "{FILE}"'],
    "extended, star forgotten": [AT, f"{CD}; filename=utf-8''{PCT}"],
    "escape outside quotes": [AT,
                              f"{CD}; filename=="
                               f"{word(FILE, encoding='q')[1:].replace('=75', '=' + chr(92) + '75', 1)}"],
    "quote inside a word": [AT, f"{CD}; filename={word(FILE, encoding='q').replace('=75', '=7' + chr(34) + '5', 1)}"],
    "quote inside a percent value": [AT, f"{CD}; filename=\"x.txt\"; filename*=utf-8''{PCT[:15]}\"{PCT[15:]}"],
    "escape inside a percent value": [AT, f"{CD}; filename=\"x.txt\"; filename*=utf-8''{PCT[:15]}\\{PCT[15:]}"],
    "escape inside a percent": [AT, f"{CD}; filename*=utf-8''{PCT.replace('%20', '%2' + chr(92) + '0')}"],
    "sections behind a bracket": [AT, f'{CD}; filename*0=)"{FILE[:6]}"; filename*1="{FILE[6:]}"'],
    "section without number": [AT, f'{CD}; filename*0="{FILE[:6]}"; filename*="{FILE[6:]}"'],
    "sections with a gap inside": [AT, f'{CD}; filename*0="{FILE[:6]}"; filename*2="{FILE[6:]}"'],
    "section twice": [AT, f'{CD}; filename*0="{FILE[:6]}"; filename*0="{FILE[6:]}"'],
    "section number with junk": [AT, f'{CD}; filename*0-="{FILE[:6]}"; filename*1="{FILE[6:]}"'],
    "section number of junk": [AT, f'{CD}; filename*>1="{FILE[:6]}"; filename*2="{FILE[6:]}"'],
    "section name folded": [AT, f'{CD}; filename*0="{FILE[:6]}"; filename*\r\n 1="{FILE[6:]}"'],
    "section name spaced": [AT, f"{CD}; filename*0 *=utf-8''{PCT[:6]}; filename*1*={PCT[6:]}"],
    "tab in the charset of a word": [AT, f'{CD}; filename="{word(FILE[:6])} =?u\ttf-8?b?{b64(FILE[6:])}?="'],
    "word as a percent value": [AT, f'{CD}; filename*="{word(FILE)}"'],
    "word of UTF-16 as a percent value": [AT, f'{CD}; filename*="{word(FILE, "utf-16be")}"'],
}
