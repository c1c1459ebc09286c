"""Messages for the edit tests: made by a small grammar, honest or damaged, from a seed."""
import base64
import quopri
import random

WORDS = ("Hello", "world", "meeting", "tomorrow", "Grüße", "naïve", "contract", "draft", "10=20", "-- ", "--x",
         "From me",
         "> quoted", "a  b", ".", "…", "日本", "&amp;", "Ω")
CHARSETS = {"us-ascii": "ascii", "utf-8": "utf-8", "iso-8859-1": "cp1252", "windows-1251": "cp1251", "iso-8859-15":
            "iso8859-15", "koi8-r": "koi8-r", "gb18030": "gb18030", "shift_jis": "cp932", "iso-2022-jp": "iso2022_jp",
            "utf-16": "utf-16", None: "ascii"}


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = 0

    def words(self, codec, most):
        lines = []
        for _ in range(self.r.randrange(most)):
            line = " ".join(self.r.choice(WORDS) for _ in range(self.r.randrange(12)))
            lines.append(line.encode(codec, "ignore").decode(codec))
        return "\r\n".join(lines)

    def text_part(self, html):
        r = self.r
        label = r.choice(list(CHARSETS)) if r.random() < 0.7 else "utf-8"
        codec = CHARSETS[label]
        text = self.words(codec, 8)
        if html:
            text = text.replace("<", "&lt;")
            form = r.randrange(4)
            if form == 0:
                text = "<p>" + text + "</p>"
            elif form == 1:
                text = ("<!DOCTYPE html>\r\n<html><head><title>t</title><style>body>a{}</style></head>\r\n"
                        "<body style=\"a>b\">\r\n" + text + "</body></html>\r\n")
            elif form == 2:
                text = "<html><body>" + text + "<!-- </body> -->"
        if r.random() < 0.8 and text:
            text += "\r\n"
        raw = text.encode(codec)
        choices = ["base64", "quoted-printable"]
        if codec != "utf-16":
            choices += ["8bit", "7bit", None] if not raw.isascii() else ["7bit", None, "8bit"]
        encoding = r.choice(choices)
        if not raw.isascii() and encoding in ("7bit", None):
            encoding = "8bit"
        if encoding == "base64":
            raw = base64.encodebytes(raw).replace(b"\n", b"\r\n")
            if r.random() < 0.2:
                raw = raw.rstrip()
        elif encoding == "quoted-printable":
            raw = quopri.encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
            if codec == "utf-16":
                encoding, raw = "base64", base64.encodebytes(text.encode(codec)).replace(b"\n", b"\r\n")
        kind = "text/html" if html else "text/plain"
        params = f"; charset={label}" if label else ""
        if not html and r.random() < 0.3:
            params += "; format=flowed" + ("; delsp=yes" if r.random() < 0.3 else "")
        head = f"Content-Type: {kind}{params}\r\n" if (html or params or r.random() < 0.5) else ""
        if encoding:
            head += f"Content-Transfer-Encoding: {encoding}\r\n"
        return head.encode(), raw

    def leaf(self):
        raw = bytes(self.r.randrange(256) for _ in range(self.r.randrange(200)))
        name = self.r.choice(("a.exe", "b.pdf", "c d.png", "ä.doc", ""))
        head = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        if name:
            head += f"Content-Disposition: attachment; filename=\"{name}\"\r\n"
        return head.encode(), base64.encodebytes(raw).replace(b"\n", b"\r\n")

    def multipart(self, subtype, parts, extra=""):
        self.n += 1
        b = f"b{self.n}" + self.r.choice(("", "=_x", "'()+_,-./:=?", " y"))
        lines = [b"preamble\r\n"] if self.r.random() < 0.2 else []
        for head, body in parts:
            lines.append(b"--" + b.encode() + b"\r\n" + head + b"\r\n" + body + b"\r\n")
        lines.append(b"--" + b.encode() + b"--\r\n")
        if self.r.random() < 0.1:
            lines.append(b"epilogue\r\n")
        return f"Content-Type: multipart/{subtype};\r\n boundary=\"{b}\"{extra}\r\n".encode(), b"".join(lines)

    def alternative(self):
        return self.multipart("alternative", [self.text_part(False), self.text_part(True)])

    def entity(self, depth=0):
        r = self.r.random()
        if r < 0.4 or depth > 2:
            return self.text_part(self.r.random() < 0.3)
        if r < 0.6:
            return self.alternative()
        if r < 0.7:
            return self.multipart("related", [self.entity(depth + 2), self.leaf()])
        if r < 0.9:
            rest = [self.leaf() for _ in range(self.r.randrange(1, 3))]
            if self.r.random() < 0.2:
                rest.append((b"Content-Type: message/rfc822\r\n", self.message(depth + 2)))
            first = [] if self.r.random() < 0.1 else [self.entity(depth + 1)]
            return self.multipart("mixed", first + rest)
        signature = (b"Content-Type: application/pgp-signature\r\n", b"-----BEGIN PGP SIGNATURE-----\r\n")
        return self.multipart("signed", [self.entity(depth + 1), signature],
                              "; micalg=pgp-sha256; protocol=\"application/pgp-signature\"")

    def message(self, depth=0):
        r = self.r
        head = b""
        if depth == 0:
            head += b"Received: from x by y; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        head += b"From: A <a@corp.example>\r\nTo: b@partner.example\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        subject = r.choice(("plain", "Re: [SECURE] seen", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= you", "", None,
                            "x" * 70 + " y" * 60,
                            "=?iso-8859-1?B?/Pw=?=\r\n =?utf-8?q?=C3=A9?=", "Grüße"))
        if subject is not None:
            head += f"Subject: {subject}\r\n".encode()
        for _ in range(r.randrange(3)):
            head += f"X-{r.choice('ABC')}: {'v' * r.randrange(100)}\r\n".encode()
        entity, body = self.entity(depth)
        if entity:
            head += b"MIME-Version: 1.0\r\n"
        return head + entity + b"\r\n" + body

    def damaged(self, message):
        r = self.r
        bytes_ = bytearray(message)
        for _ in range(r.randrange(1, 4)):
            at = r.randrange(len(bytes_) or 1)
            what = r.randrange(5)
            if what == 0 and bytes_:
                bytes_[at] = r.randrange(256)
            elif what == 1:
                del bytes_[at:at + r.randrange(1, 40)]
            elif what == 2:
                bytes_[at:at] = r.choice((b"\r\n", b"\n", b"\r", b"--", b"\r\n\r\n", b"=", b"\0", b"<", b"</body>",
                                          b"--b1\r\n",
                                          b"Content-Type: text/html\r\n"))
            elif what == 3:
                bytes_ = bytes_[:at]
            else:
                bytes_ = bytearray(bytes(bytes_).replace(b"\r\n", b"\n"))
        return bytes(bytes_)


TEXTS = ("This mail is confidential.", "Vertraulich: Grüße an alle.\nZweite Zeile",
         "> stuffed\nFrom here\n--b1\n-- \n.dot",
         "word " * 60, "日本語の免責事項", "x" * 1200, "Ω <b>&amp;</b> \"quoted\"", "One\n\n\nTwo   ")
HTMLS = ("", "", "<p>This is <b>confidential</b></p>", "<div>Grüße</div>", "<p>" + "long words " * 120 + "</p>")


def random_edits(r):
    edits = []
    for _ in range(r.randrange(1, 5)):
        kind = r.choice("+=-^apapr")
        if kind == "r":
            edits.append(("r", str(r.randrange(6)), f"Removed {r.randrange(1000)}.", ""))
        elif kind in "ap":
            edits.append((kind, "", r.choice(TEXTS), r.choice(HTMLS)))
        elif kind == "^":
            edits.append((kind, r"", r.choice(("[SECURE] ", "[Ü] ", "[x]", "[" + "long " * 20 + "] ")), ""))
        else:
            edits.append((kind, r.choice(("X-A", "X-New", "Subject", "x-b")),
                          r.choice(("v", "Grüße an", "a\r\nBcc: evil\r\n\r\nb", "long " * 300, "x" * 1500)), ""))
    return edits
