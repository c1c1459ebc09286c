"""Hostile messages: one grammar in which every production has an ordinary form and forms that readers of mail take
differently.  Forced one at a time it makes the corpus; chosen at random, with small damage on top, the mutated messages.

Every message hides MARK in one place: its subject, its body or the name of an attachment.  All are as the relay takes
them in: CRLF, no bare CR or LF, no NUL, our Received field on top.
"""
import base64
import quopri

MARK = "plutonium cargo"
LEFT, RIGHT = MARK[:5], MARK[5:]
WIDE = "".join(chr(ord(c) + 0xFEE0) if c != " " else "\u3000" for c in MARK)
PLACES = ("subject", "body", "name")


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

# --- the subject: whole header lines -----------------------------------------------------------------------------------
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
}

# --- the body: markup, charset, transfer encoding -----------------------------------------------------------------------
HTML = {
    "none": None,
    "simple": f"<html><body><p>{MARK}</p></body></html>",
    "tag inside": f"<p>{LEFT}<b></b>{RIGHT}</p>",
    "unknown tag inside": f"<p>{LEFT}<x-y>{RIGHT}</p>",
    "comment inside": f"<p>{LEFT}<!-- x -->{RIGHT}</p>",
    "odd comment inside": f"<p>{LEFT}<!-->{RIGHT}</p>",
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
    "UTF-7 unlabelled": (None, lambda t: t.replace(MARK, utf7(MARK)).encode()),
    "ASCII as UTF-7": ("utf-7", lambda t: t.encode()),
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
    "UTF-8 with mark": ("utf-8", lambda t: b"\xef\xbb\xbf" + t.encode()),
    "JIS": ("iso-2022-jp", lambda t: t.replace(MARK, JIS).encode()),
    "JIS unlabelled": (None, lambda t: t.replace(MARK, JIS).encode()),
    "JIS as latin1": ("iso-8859-1", lambda t: t.replace(MARK, JIS).encode()),
    "wide EUC-JP": ("euc-jp", lambda t: t.replace(MARK, WIDE).encode("euc-jp", "replace")),
    "wide Shift_JIS": ("shift_jis", lambda t: t.replace(MARK, WIDE).encode("shift_jis", "replace")),
    "wide GB18030": ("gb18030", lambda t: t.replace(MARK, WIDE).encode("gb18030")),
    "wide GB2312": ("gb2312", lambda t: t.replace(MARK, WIDE).encode("gb18030")),
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
    "leading semicolon": ["; text/{sub}{ch}"],
    "twice, image first": ["image/png", "text/{sub}{ch}"],
    "twice, image last": ["text/{sub}{ch}", "image/png"],
    "twice, octets first": ["application/octet-stream", "text/{sub}{ch}"],
    "twice, octets last": ["text/{sub}{ch}", "application/octet-stream"],
    "blanks around slash": ["text / {sub}{ch}"],
    "unclosed quote": ['text/{sub}; x="y{ch}'],
    "two types": ["text/{sub}, image/png{ch}"],
    "quoted type": ['"text/{sub}"{ch}'],
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
}


class Picks:
    """Which form of each production a message takes: the one forced, a random one, or the ordinary first."""

    def __init__(self, forced=None, rng=None, chance=0.0):
        self.forced, self.rng, self.chance, self.taken = forced or {}, rng, chance, {}

    def of(self, production, forms):
        names = list(forms)
        name = self.forced.get(production)
        if name is None:
            name = names[0]
            if self.rng and self.rng.random() < self.chance:
                name = self.rng.choice(names)
        self.taken[production] = name
        return forms[name]


def part(picks, marked):
    """The header lines and body of a text part."""
    html = picks.of("html", HTML) if marked else None
    text = html if html is not None else f"Dear all,\r\n{MARK if marked else 'nothing here'}\r\nBye\r\n"
    charset = picks.of("charset", CHARSETS) if marked else CHARSETS["none"]
    data = charset[1](text)
    parameter = charset[2] if len(charset) > 2 else None if charset[0] is None else "charset=" + charset[0]
    ch = f"; {parameter}" if parameter else ""
    codes, encoder = picks.of("code", CODES) if marked else CODES["7bit"]
    body = encoder(data)
    if body is None:
        codes, body = ["base64"], enc(data)
    sub = "html" if html is not None else "plain"
    lines = ["Content-Type: " + t.format(sub=sub, SUB=sub.upper(), ch=ch)
             for t in (picks.of("type", TYPES) if marked else TYPES["plain"])]
    lines += ["Content-Transfer-Encoding: " + c for c in codes]
    lines += ["Content-Disposition: " + d for d in (picks.of("disposition", DISPOSITIONS) if marked else [])]
    return "\r\n".join(lines).encode("latin-1"), body


def attachment(picks, marked):
    lines = picks.of("file", FILES) if marked else FILES["plain"]
    if not marked:
        lines = [line.replace(MARK, "minutes") for line in lines]
    return "\r\n".join(lines).encode(), b"octets of the file"


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
}


# --- structure -----------------------------------------------------------------------------------------------------------
def multi(parts, boundary="b1", sub="mixed", param=None, preamble=b"", epilogue=b"", close=True, pad="", extra=b""):
    """Header lines and body of a multipart; each part is (header, body)."""
    head = f"Content-Type: multipart/{sub}; ".encode() + (param or f'boundary="{boundary}"').encode() + extra
    out = preamble
    for h, b in parts:
        out += f"--{boundary}{pad}\r\n".encode() + (h + b"\r\n\r\n" if h is not None else b"") + b + b"\r\n"
    if close:
        out += f"--{boundary}--{pad}\r\n".encode()
    return head, out + epilogue


OTHER = (b"Content-Type: text/plain", b"nothing here")
INNER_HEAD = b"From: c@d.example\r\nSubject: inner\r\nMIME-Version: 1.0"


def message_in(p, head=INNER_HEAD, kind=b"message/rfc822", code=None, before=b""):
    inner = before + head + b"\r\n" + p[0] + b"\r\n\r\n" + p[1]
    h = b"Content-Type: " + kind
    if code == "base64":
        return h + b"\r\nContent-Transfer-Encoding: base64", enc(inner)
    if code == "qp":
        return h + b"\r\nContent-Transfer-Encoding: quoted-printable", qp(inner)
    if code:
        h += b"\r\nContent-Transfer-Encoding: " + code
    return h, inner


def deep(p, n):
    for i in range(n):
        p = multi([p], boundary=f"n{i}x")
    return p


def coded(p):
    return p[0] + b"\r\nContent-Transfer-Encoding: base64", enc(p[1])


STRUCTURES = {
    "single": lambda p: p,
    "only part": lambda p: multi([p]),
    "first part": lambda p: multi([p, OTHER]),
    "second part": lambda p: multi([OTHER, p]),
    "alternative": lambda p: multi([OTHER, p], sub="alternative"),
    "related": lambda p: multi([p, (b"Content-Type: image/png", b"x")], sub="related"),
    "nested": lambda p: multi([OTHER, multi([OTHER, p], "b2")]),
    "signed": lambda p: multi([p, (b"Content-Type: application/pgp-signature", b"x")], sub="signed"),
    "message": lambda p: message_in(p),
    "message in a part": lambda p: multi([OTHER, message_in(p)]),
    "message base64": lambda p: multi([OTHER, message_in(p, code="base64")]),
    "message quoted": lambda p: multi([OTHER, message_in(p, code="qp")]),
    "message said base64": lambda p: multi([OTHER, message_in(p, code=b"base64")]),
    "message unknown code": lambda p: multi([OTHER, message_in(p, code=b"x-unknown")]),
    "message behind a blank line": lambda p: multi([OTHER, message_in(p, before=b"\r\n")]),
    "message behind From": lambda p: multi([OTHER, message_in(p, before=b"From a@b Mon\r\n")]),
    "message with junk": lambda p: multi([OTHER, message_in(p, head=INNER_HEAD + b"\r\njunk line")]),
    "message global": lambda p: multi([OTHER, message_in(p, kind=b"message/global")]),
    "message attached": lambda p: multi([OTHER, (lambda h, b: (h + b"\r\nContent-Disposition: attachment", b))(*message_in(p))]),
    "news": lambda p: multi([OTHER, message_in(p, kind=b"message/news")]),
    "digest": lambda p: multi([(None, b"\r\n" + INNER_HEAD + b"\r\n" + p[0] + b"\r\n\r\n" + p[1])], sub="digest"),
    "partial": lambda p: message_in(p, kind=b'message/partial; id="a@b"; number=1; total=2'),
    "partial, later": lambda p: (b'Content-Type: message/partial; id="a@b"; number=2; total=2', p[1]),
    "external": lambda p: (b'Content-Type: message/external-body; access-type="anon-ftp"', p[0] + b"\r\n\r\n" + p[1]),
    "delivery-status": lambda p: multi([OTHER, (b"Content-Type: message/delivery-status", b"Reporting-MTA: dns; x\r\n\r\nDiagnostic-Code: smtp; " + MARK.encode())]),
    "no close": lambda p: multi([OTHER, p], close=False),
    "inner no close": lambda p: multi([multi([p], "b2", close=False), OTHER]),
    "blanks behind delimiters": lambda p: multi([OTHER, p], pad=" \t"),
    "boundary in sections": lambda p: multi([OTHER, p], param='boundary*0="b"; boundary*1="1"'),
    "boundary extended": lambda p: multi([OTHER, p], param="boundary*=us-ascii''b1"),
    "boundary sections beside plain": lambda p: multi([OTHER, p], param='boundary="zz"; boundary*0="b"; boundary*1="1"'),
    "boundary twice, first": lambda p: multi([OTHER, p], param="boundary=b1; boundary=b2"),
    "boundary twice, last": lambda p: multi([OTHER, p], param="boundary=b2; boundary=b1"),
    "boundary blank behind": lambda p: multi([OTHER, p], param='boundary="b1 "'),
    "boundary long": lambda p: multi([OTHER, p], boundary="b" * 120),
    "boundary unquoted blank": lambda p: multi([OTHER, p], param="boundary=b1 x"),
    "boundary special": lambda p: multi([OTHER, p], boundary="=_(x):?", param='boundary="=_(x):?"'),
    "boundary special unquoted": lambda p: multi([OTHER, p], boundary="=_x:?/", param="boundary==_x:?/"),
    "boundary escaped": lambda p: multi([OTHER, p], param='boundary="b\\1"'),
    "boundary empty": lambda p: multi([OTHER, p], boundary="", param='boundary=""'),
    "boundary absent": lambda p: multi([OTHER, p], param="x=y"),
    "boundary never comes": lambda p: (b"Content-Type: multipart/mixed; boundary=zz", p[1]),
    "boundary other case": lambda p: multi([OTHER, p], boundary="Bb", param="boundary=bB"),
    "boundary with comment": lambda p: multi([OTHER, p], param="boundary=b1 (c)"),
    "boundary without semicolon": lambda p: (lambda h, b: (h.replace(b"; ", b" "), b))(*multi([OTHER, p])),
    "boundary folded": lambda p: multi([OTHER, p], param='\r\n\tboundary="b1"'),
    "boundary word": lambda p: multi([OTHER, p], param=f'boundary="{word("b1")}"'),
    "boundary unclosed": lambda p: multi([OTHER, p], param='boundary="b1'),
    "boundary single quotes": lambda p: multi([OTHER, p], param="boundary='b1'"),
    "two types, first": lambda p: multi([OTHER, p], extra=b"\r\nContent-Type: text/plain"),
    "two types, last": lambda p: (lambda h, b: (b"Content-Type: text/plain\r\n" + h, b))(*multi([OTHER, p])),
    "two multiparts": lambda p: (lambda h, b: (b"Content-Type: multipart/mixed; boundary=zz\r\n" + h, b))(*multi([OTHER, p])),
    "inner of same boundary": lambda p: multi([OTHER, multi([OTHER, p])]),
    "inner prefix of outer": lambda p: multi([OTHER, multi([OTHER, p], "b")], "b1"),
    "outer prefix of inner": lambda p: multi([OTHER, multi([OTHER, p], "b12")], "b1"),
    "delimiter with text": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n", b"--b1 x\r\n")))(*multi([OTHER, p])),
    "delimiter begins so": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n", b"--b1x\r\n")))(*multi([OTHER, p])),
    "second delimiter begins so": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n" + p[0], b"--b1x\r\n" + p[0])))(*multi([OTHER, p])),
    "delimiter indented": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n", b" --b1\r\n")))(*multi([OTHER, p])),
    "close with junk": lambda p: multi([OTHER], epilogue=b"x", close=False)[:1] + (multi([OTHER], close=False)[1] + b"--b1--x\r\n" + p[0] + b"\r\n\r\n" + p[1] + b"\r\n--b1--\r\n",),
    "preamble": lambda p: multi([OTHER], preamble=p[1] + b"\r\n"),
    "epilogue": lambda p: multi([OTHER], epilogue=p[1] + b"\r\n"),
    "part behind close": lambda p: multi([OTHER], epilogue=b"--b1\r\n" + p[0] + b"\r\n\r\n" + p[1] + b"\r\n--b1--\r\n"),
    "part behind inner close": lambda p: multi([multi([OTHER], "b2", epilogue=b"--b2\r\n" + p[0] + b"\r\n\r\n" + p[1] + b"\r\n--b2--\r\n"), OTHER]),
    "no subtype": lambda p: (lambda h, b: (h.replace(b"multipart/mixed", b"multipart"), b))(*multi([OTHER, p])),
    "empty subtype": lambda p: (lambda h, b: (h.replace(b"multipart/mixed", b"multipart/"), b))(*multi([OTHER, p])),
    "unknown subtype": lambda p: multi([OTHER, p], sub="x-unheard"),
    "encoded multipart": lambda p: coded(multi([OTHER, p])),
    "multipart said base64": lambda p: (lambda h, b: (h + b"\r\nContent-Transfer-Encoding: base64", b))(*multi([OTHER, p])),
    "multipart said quoted": lambda p: (lambda h, b: (h + b"\r\nContent-Transfer-Encoding: quoted-printable", b))(*multi([OTHER, p])),
    "part without header": lambda p: multi([OTHER, (None, b"\r\n" + p[1])]),
    "part without empty line": lambda p: multi([OTHER, (None, p[1])]),
    "part header unended": lambda p: multi([OTHER, (None, p[0] + b"\r\n" + p[1])]),
    "part header with junk": lambda p: multi([OTHER, (b"junk line\r\n" + p[0], p[1])]),
    "part header junk inside": lambda p: multi([OTHER, (b"X-A: b\r\njunk line\r\n" + p[0], p[1])]),
    "part header indented": lambda p: multi([OTHER, (b" " + p[0], p[1])]),
    "part header blank line": lambda p: multi([OTHER, (b"X-A: b\r\n  \r\n" + p[0], p[1])]),
    "part header blanks for end": lambda p: multi([OTHER, (None, p[0] + b"\r\n \r\n" + p[1])]),
    "part header colon spaced": lambda p: multi([OTHER, (p[0].replace(b":", b" :"), p[1])]),
    "forty deep": lambda p: deep(p, 40),
    "ten deep": lambda p: deep(p, 10),
    "in a message's message": lambda p: multi([OTHER, message_in(message_in(p))]),
    "report": lambda p: multi([OTHER, p], sub='report; report-type="delivery-status"'),
    "parallel": lambda p: multi([OTHER, p], sub="parallel"),
    "multipart in quotes": lambda p: (lambda h, b: (h.replace(b"multipart/mixed", b'"multipart/mixed"'), b))(*multi([OTHER, p])),
    "blank lines before delimiter": lambda p: multi([OTHER, p], preamble=b"\r\n\r\n\r\n"),
}
TOPS = {
    "plain": lambda h: h,
    "no MIME-Version": lambda h: h.replace(b"MIME-Version: 1.0\r\n", b""),
    "MIME-Version last": lambda h: h.replace(b"MIME-Version: 1.0\r\n", b"") + b"MIME-Version: 1.0\r\n",
    "MIME-Version 2": lambda h: h.replace(b"1.0", b"2.0 (x)"),
    "junk before the type": lambda h: h.replace(b"Content-Type", b"junk line here\r\nContent-Type", 1),
    "junk behind": lambda h: h + b"junk line here\r\n",
    "blanks before the type": lambda h: h.replace(b"Content-Type", b" \r\nContent-Type", 1),
    "colon spaced": lambda h: h.replace(b"Content-Type:", b"Content-Type :").replace(b"Encoding:", b"Encoding :"),
    "From line inside": lambda h: h.replace(b"MIME-Version", b"From a@b Mon Oct\r\nMIME-Version", 1),
    "From line quoted": lambda h: h.replace(b"MIME-Version", b">From a@b Mon Oct\r\nMIME-Version", 1),
    "field without name": lambda h: h.replace(b"MIME-Version", b": x\r\nMIME-Version", 1),
    "name with blanks": lambda h: h.replace(b"MIME-Version", b"X Y: z\r\nMIME-Version", 1),
    "8-bit name": lambda h: h.replace(b"MIME-Version", b"X-\xe9: z\r\nMIME-Version", 1),
    "type folded oddly": lambda h: h.replace(b"Content-Type: ", b"Content-Type:\r\n  \r\n ", 1),
    "type indented": lambda h: h.replace(b"Content-Type", b" Content-Type", 1),
    "empty names": lambda h: h.replace(b"MIME-Version", b"X-A:\r\nX-B:\r\nMIME-Version", 1),
}


def build(place, picks):
    subject = picks.of("subject", SUBJECTS) if place == "subject" else "Subject: minutes"
    subject = subject if isinstance(subject, bytes) else subject.encode()
    p = part(picks, place == "body")
    if place == "name":
        p = multi([OTHER, attachment(picks, True)], "a1")
    structure = picks.of("structure", STRUCTURES) if place != "subject" else STRUCTURES["single"]
    head, body = structure(p)
    top = (b"Received: from a.example by b.example; Mon, 5 Oct 2026 10:00:00 +0000\r\nFrom: Ann <a@a.example>\r\n"
           b"To: b@b.example\r\n" + subject + b"\r\nDate: Mon, 5 Oct 2026 10:00:00 +0000\r\nMessage-ID: <1@a.example>\r\n"
           b"MIME-Version: 1.0\r\n" + (head + b"\r\n" if head else b""))
    return picks.of("top", TOPS)(top) + b"\r\n" + body


# What no client shows as the marked words, or no attachment at all: nothing to be seen there.
NOBODY = {"subject: subject: no end", "subject: subject: other encoding", "subject: subject: percent",
          "subject: subject: extended name", "name: file: colon for equals", "name: structure: delivery-status",
          "name: structure: delimiter indented", "name: structure: preamble", "name: structure: epilogue",
          "name: structure: part without header", "name: structure: part without empty line", "name: top: type indented"}


def corpus():
    """(name, place, message): every form of every production by itself."""
    own = {"subject": {"subject": SUBJECTS, "top": TOPS},
           "body": {"html": HTML, "charset": CHARSETS, "code": CODES, "type": TYPES, "disposition": DISPOSITIONS,
                    "structure": STRUCTURES, "top": TOPS},
           "name": {"file": FILES, "structure": STRUCTURES, "top": TOPS}}
    for place, productions in own.items():
        for production, forms in productions.items():
            for form in forms:
                yield f"{place}: {production}: {form}", place, build(place, Picks({production: form}))


def damage(data, rng):
    """A few small changes where a parser looks: names, delimiters, quotes, line ends."""
    lines = data.split(b"\r\n")
    for _ in range(rng.randrange(4)):
        at = rng.randrange(1, len(lines))
        line, kind = lines[at], rng.randrange(8)
        where = rng.randrange(len(line) + 1)
        if kind == 0:
            lines[at] = line[:where] + rng.choice([b" ", b";", b'"', b"=", b"(", b")", b"\\", b"?", b"-", b"--", b"\t"]) + line[where:]
        elif kind == 1 and line:
            lines[at] = line[:where] + line[where + 1:]
        elif kind == 2:
            lines.insert(at, line)
        elif kind == 3:
            lines[at] = line.replace(b":", b" :", 1)
        elif kind == 4:
            lines.insert(at, rng.choice([b"", b" ", b"junk", b"--b1", b"--b1--", b"X-A: b"]))
        elif kind == 5:
            lines[at:at + 1] = [line[:where], b" " + line[where:]]
        elif kind == 6:
            lines[at] = line.swapcase() if b":" in line else line + b" "
        elif len(lines) > 12:
            del lines[at]
    return b"\r\n".join(lines)


def mutated(rng):
    place = rng.choice(PLACES)
    picks = Picks(rng=rng, chance=rng.choice([0.1, 0.25, 0.5]))
    data = build(place, picks)
    if rng.random() < 0.6:
        data = damage(data, rng)
    return place, picks.taken, data
