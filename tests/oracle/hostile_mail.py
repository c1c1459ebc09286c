"""Hostile messages: one grammar in which every production has an ordinary form and forms that readers of mail take
differently.  Forced one at a time it makes the corpus; chosen at random, with small damage on top, the mutated
messages.

Every message hides MARK in one place: its subject, its body or the name of an attachment.  All are as the relay takes
them in: CRLF, no bare CR or LF, no NUL, our Received field on top.
"""
from hostile_forms import (AT, CHARSETS, CODES, DISPOSITIONS, FILES, HTML, MARK, SUBJECTS, TYPES, b64, enc, hexed, qp,
                           word)
from hostile_found import ABOVE, FOUND

PLACES = ("subject", "body", "name")


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


# --- structure --------------------------------------------------------------------------------------------------------
def multi(parts, boundary="b1", sub="mixed", param=None, preamble=b"", epilogue=b"", close=True, pad="", extra=b""):
    """Header lines and body of a multipart; each part is (header, body)."""
    head = f"Content-Type: multipart/{sub}; ".encode() + (
        param if isinstance(param, bytes) else (param or f'boundary="{boundary}"').encode()) + extra
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
    "message quoted, blanks before its header": lambda p: multi([OTHER, message_in(p, code="qp", before=b" \r\n")]),
    "message quoted, blanks before a part's header": lambda p: multi([OTHER, message_in(
        multi([OTHER, p], preamble=b"--b1\r\n \r\n" + p[0] + b"\r\n\r\n" + p[1] + b"\r\n"), code="qp")]),
    "message base64, padded inside": lambda p: multi([OTHER, (lambda h, b: (h, b[:-4] + b"===="
                                                                            + b[-4:]))(*message_in(p, code="base64"))]),
    "message said base64": lambda p: multi([OTHER, message_in(p, code=b"base64")]),
    "message unknown code": lambda p: multi([OTHER, message_in(p, code=b"x-unknown")]),
    "message behind a blank line": lambda p: multi([OTHER, message_in(p, before=b"\r\n")]),
    "message behind From": lambda p: multi([OTHER, message_in(p, before=b"From a@b Mon\r\n")]),
    "message with junk": lambda p: multi([OTHER, message_in(p, head=INNER_HEAD + b"\r\njunk line")]),
    "message global": lambda p: multi([OTHER, message_in(p, kind=b"message/global")]),
    "message attached": lambda p: multi([OTHER, (lambda h,
                                                 b: (h + b"\r\nContent-Disposition: attachment", b))(*message_in(p))]),
    "news": lambda p: multi([OTHER, message_in(p, kind=b"message/news")]),
    "digest": lambda p: multi([(None, b"\r\n" + INNER_HEAD + b"\r\n" + p[0] + b"\r\n\r\n" + p[1])], sub="digest"),
    "digest of no messages": lambda p: multi([(None, b"\r\nContent-Disposition: attachment\r\n" + p[1])], sub="digest"),
    "partial": lambda p: message_in(p, kind=b'message/partial; id="a@b"; number=1; total=2'),
    "partial, later": lambda p: (b'Content-Type: message/partial; id="a@b"; number=2; total=2', p[1]),
    "external": lambda p: (b'Content-Type: message/external-body; access-type="anon-ftp"', p[0] + b"\r\n\r\n" + p[1]),
    "delivery-status": lambda p: multi([OTHER, (b"Content-Type: message/delivery-status", b"Reporting-MTA: dns; "
                                                                                          b"x\r\n\r\nDiagnostic-Code: "
                                                                                          b"smtp; " + MARK.encode())]),
    "no close": lambda p: multi([OTHER, p], close=False),
    "inner no close": lambda p: multi([multi([p], "b2", close=False), OTHER]),
    "blanks behind delimiters": lambda p: multi([OTHER, p], pad=" \t"),
    "boundary in sections": lambda p: multi([OTHER, p], param='boundary*0="b"; boundary*1="1"'),
    "boundary extended": lambda p: multi([OTHER, p], param="boundary*=us-ascii''b1"),
    "boundary sections beside plain": lambda p: multi([OTHER, p],
                                                      param='boundary="zz"; boundary*0="b"; boundary*1="1"'),
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
    "boundary with comment, no blank": lambda p: multi([OTHER, p], param="boundary=b1(c)"),
    "boundary with comment": lambda p: multi([OTHER, p], param="boundary=b1 (c)"),
    "boundary without semicolon": lambda p: (lambda h, b: (h.replace(b"; ", b" "), b))(*multi([OTHER, p])),
    "boundary folded": lambda p: multi([OTHER, p], param='\r\n\tboundary="b1"'),
    "boundary word": lambda p: multi([OTHER, p], param=f'boundary="{word("b1")}"'),
    "boundary unclosed": lambda p: multi([OTHER, p], param='boundary="b1'),
    "boundary unclosed, with its quote": lambda p: multi([OTHER, p], boundary='"b1', param='boundary="b1'),
    "boundary with an 8-bit blank": lambda p: multi([OTHER, p], param=b'boundary="b1\xa0"'),
    "boundary extended, word": lambda p: multi([OTHER, p], param=f'boundary*="{word("b1")}"'),
    "boundary with words behind, escape in the name": lambda p: multi([OTHER, (p[0].replace(b"%20", b"%2\\0").replace(
        b'"plut', b'pl\\ut'), p[1])], param='boundary="b1"MIME-Version: 1.0'),
    "boundary extended, star forgotten": lambda p: multi([OTHER, p], param="boundary=us-ascii''b1"),
    "boundary extended, bracket": lambda p: multi([OTHER, p], param="boundary*=us-ascii''b1("),
    "boundary single quotes": lambda p: multi([OTHER, p], param="boundary='b1'"),
    "two types, first": lambda p: multi([OTHER, p], extra=b"\r\nContent-Type: text/plain"),
    "two types, last": lambda p: (lambda h, b: (b"Content-Type: text/plain\r\n" + h, b))(*multi([OTHER, p])),
    "two multiparts": lambda p: (lambda h,
                                 b: (b"Content-Type: multipart/mixed; boundary=zz\r\n" + h, b))(*multi([OTHER, p])),
    "inner of same boundary": lambda p: multi([OTHER, multi([OTHER, p])]),
    "inner prefix of outer": lambda p: multi([OTHER, multi([OTHER, p], "b")], "b1"),
    "outer prefix of inner": lambda p: multi([OTHER, multi([OTHER, p], "b12")], "b1"),
    "delimiter with text": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n", b"--b1 x\r\n")))(*multi([OTHER, p])),
    "delimiter begins so": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n", b"--b1x\r\n")))(*multi([OTHER, p])),
    "second delimiter begins so": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n" + p[0],
                                                                        b"--b1x\r\n" + p[0])))(*multi([OTHER, p])),
    "delimiter indented": lambda p: (lambda h, b: (h, b.replace(b"--b1\r\n", b" --b1\r\n")))(*multi([OTHER, p])),
    "close with junk": lambda p: multi([OTHER], epilogue=b"x", close=False)[:1]
    + (multi([OTHER], close=False)[1] + b"--b1--x\r\n" + p[0] + b"\r\n\r\n" + p[1] + b"\r\n--b1--\r\n",),
    "preamble": lambda p: multi([OTHER], preamble=p[1] + b"\r\n"),
    "epilogue": lambda p: multi([OTHER], epilogue=p[1] + b"\r\n"),
    "part behind close": lambda p: multi([OTHER], epilogue=b"--b1\r\n" + p[0] + b"\r\n\r\n" + p[1] + b"\r\n--b1--\r\n"),
    "part behind inner close": lambda p: multi([multi([OTHER], "b2", epilogue=b"--b2\r\n" + p[0] + b"\r\n\r\n" + p[1]
                                                      + b"\r\n--b2--\r\n"), OTHER]),
    "no subtype": lambda p: (lambda h, b: (h.replace(b"multipart/mixed", b"multipart"), b))(*multi([OTHER, p])),
    "empty subtype": lambda p: (lambda h, b: (h.replace(b"multipart/mixed", b"multipart/"), b))(*multi([OTHER, p])),
    "unknown subtype": lambda p: multi([OTHER, p], sub="x-unheard"),
    "encoded multipart": lambda p: coded(multi([OTHER, p])),
    "multipart said base64": lambda p: (lambda h,
                                        b: (h + b"\r\nContent-Transfer-Encoding: base64", b))(*multi([OTHER, p])),
    "multipart said quoted": lambda p: (lambda h, b: (h + b"\r\nContent-Transfer-Encoding: quoted-printable",
                                                      b))(*multi([OTHER, p])),
    "part without header": lambda p: multi([OTHER, (None, b"\r\n" + p[1])]),
    "part without empty line": lambda p: multi([OTHER, (None, p[1])]),
    "part header unended": lambda p: multi([OTHER, (None, p[0] + b"\r\n" + p[1])]),
    "part header with junk": lambda p: multi([OTHER, (b"junk line\r\n" + p[0], p[1])]),
    "part header junk inside": lambda p: multi([OTHER, (b"X-A: b\r\njunk line\r\n" + p[0], p[1])]),
    "part header, another type indented": lambda p: multi([OTHER, (b" Content-Type: image/png\r\n" + p[0], p[1])]),
    "part header, type only indented": lambda p: multi(
        [OTHER, (b" Content-Type: image/png\r\nContent-Transfer-Encoding: base64", enc(p[1]))]),
    "part header indented": lambda p: multi([OTHER, (b" " + p[0], p[1])]),
    "part header blank line": lambda p: multi([OTHER, (b"X-A: b\r\n  \r\n" + p[0], p[1])]),
    "part header blanks for end": lambda p: multi([OTHER, (None, p[0] + b"\r\n \r\n" + p[1])]),
    "part header colon spaced": lambda p: multi([OTHER, (p[0].replace(b":", b" :"), p[1])]),
    "forty deep": lambda p: deep(p, 40),
    "ten deep": lambda p: deep(p, 10),
    "in a message's message": lambda p: multi([OTHER, message_in(message_in(p))]),
    "report": lambda p: multi([OTHER, p], sub='report; report-type="delivery-status"'),
    "parallel": lambda p: multi([OTHER, p], sub="parallel"),
    "multipart in quotes": lambda p: (lambda h,
                                      b: (h.replace(b"multipart/mixed", b'"multipart/mixed"'), b))(*multi([OTHER, p])),
    "blank lines before delimiter": lambda p: multi([OTHER, p], preamble=b"\r\n\r\n\r\n"),
}
TOPS = {
    "plain": lambda h: h,
    "no MIME-Version": lambda h: h.replace(b"MIME-Version: 1.0\r\n", b""),
    "MIME-Version last": lambda h: h.replace(b"MIME-Version: 1.0\r\n", b"") + b"MIME-Version: 1.0\r\n",
    "MIME-Version 2": lambda h: h.replace(b"1.0", b"2.0 (x)"),
    "junk before the type": lambda h: h.replace(b"Content-Type", b"junk line here\r\nContent-Type", 1),
    "junk behind": lambda h: h + b"junk line here\r\n",
    "CR alone before the type": lambda h: h.replace(b"\r\nContent-Type", b"\rContent-Type", 1),
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
    "8-bit blank before the type": lambda h: h.replace(b"Content-Type", b"\xa0Content-Type", 1),
    "8-bit blank before the encoding's colon": lambda h: h.replace(b"Encoding:", b"Encoding\xa0:", 1),
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
           b"To: b@b.example\r\n" + subject
           + b"\r\nDate: Mon, 5 Oct 2026 10:00:00 +0000\r\nMessage-ID: <1@a.example>\r\n"
           b"MIME-Version: 1.0\r\n" + (head + b"\r\n" if head else b""))
    return picks.of("top", TOPS)(top) + b"\r\n" + body


# What no client shows as the marked words, or no attachment at all: nothing to be seen there.
NOBODY = {"subject: subject: no end", "subject: subject: other encoding", "subject: subject: percent",
          "subject: subject: extended name", "name: file: colon for equals", "name: structure: delivery-status",
          "name: structure: delimiter indented", "name: structure: preamble", "name: structure: epilogue",
          "name: structure: part without header", "name: structure: part without empty line",
          "name: top: type indented"}


def corpus():
    """(name, place, message): every form of every production by itself, and what mutations found."""
    own = {"subject": {"subject": SUBJECTS, "top": TOPS},
           "body": {"html": HTML, "charset": CHARSETS, "code": CODES, "type": TYPES, "disposition": DISPOSITIONS,
                    "structure": STRUCTURES, "top": TOPS},
           "name": {"file": FILES, "structure": STRUCTURES, "top": TOPS}}
    for place, productions in own.items():
        for production, forms in productions.items():
            for form in forms:
                yield f"{place}: {production}: {form}", place, build(place, Picks({production: form}))
    for name, (place, data) in FOUND.items():
        yield "found: " + name, place, ABOVE + data


INSERTED = [c.encode() for c in " ;\"=()\\?-\t*'%:,<>&#_+./[]"] + [
    b"--", b"\x1b", b"\x1b(B", b"\xa0", b"\xff", b"\xe2\x80\x8b", b"=\r\n", b"?=", b"=?", b"*0", b"''", b"%00", b"<!--",
    b"&#"]


def damage(data, rng):
    """A few small changes where a parser looks: names, delimiters, quotes, line ends."""
    lines = data.split(b"\r\n")
    for _ in range(rng.randrange(5)):
        at = rng.randrange(1, len(lines))
        line, kind = lines[at], rng.randrange(12)
        where = rng.randrange(len(line) + 1)
        if kind == 0:
            lines[at] = line[:where] + rng.choice(INSERTED) + line[where:]
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
        elif kind == 7 and len(lines) > 12:
            del lines[at]
        elif kind == 8:
            lines[at - 1:at + 1] = [line, lines[at - 1]] if at > 1 else [lines[0], line]
        elif kind == 9 and at > 1:
            lines[at - 1:at + 1] = [lines[at - 1] + line]
        elif kind == 10:
            lines[at] = line.replace(b"=", rng.choice([b" =", b"= ", b"==", b"*=", b"=\""]), 1)
        elif kind == 11:
            lines[at] = rng.choice([b" ", b"\t", b">", b"-"]) + line
    return b"\r\n".join(lines)


def mutated(rng):
    place = rng.choice(PLACES)
    picks = Picks(rng=rng, chance=rng.choice([0.1, 0.25, 0.5]))
    data = build(place, picks)
    if rng.random() < 0.6:
        data = damage(data, rng)
    return place, picks.taken, data
