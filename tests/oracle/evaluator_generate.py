"""Random rule sets and messages for the second evaluator.

Everything comes from one random.Random: a seed gives the same pairs on every machine.  Texts are drawn from few
fragments, in many spellings that fold to the same or nearly, so that tests hold often.  Code points are of Unicode 14,
as the libraries of both sides know them.
"""
import base64
import unicodedata
import urllib.parse

from evaluator_words import Address, fold

# Pairs of spellings that should and of some that should not fold alike.
WORDS = ["secret", "Secret", "SECRET", "se\u00adcret", "se\u200bcret", "\uff33\uff25\uff23\uff32\uff25\uff34",
         "secre\u0301t",
         "plan", "plane", "plan\u0308", "Stra\u00dfe", "STRASSE", "stra\u1e9ee", "caf\u00e9", "cafe\u0301",
         "CAFE\u0301", "cafe",
         "\u6771\u4eac", "\u6771\u4eac\u90fd", "\u30c6\u30b9\u30c8", "\uff83\uff7d\uff84", "\u041f\u043b\u0430\u043d",
         "\u043f\u043b\u0430\u043d",
         "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3", "\ufb01le", "file",
         "\u0130stanbul", "istanbul", "\u2460",
         "1", "12", "card 4111", "x-ray", "\u0e01\u0e32\u0e23", "\u1ec7", "e\u0323\u0302", "e\u0302\u0323", "k\u2126",
         "k\u03c9", "\u212aelvin", "kelvin",
         "a\u034f\u0301", "\u00e1", "\u1fb3", "\u03b1\u03b9", "\u0390", "\u1f00\u0345\u0301", "\uac00", "\u1100\u1161",
         "\u00bd", "[x]", "re", "a.b", "50%",
         "\u0455\u0435\u0441r\u0435t", "\u0405\u0415\u0421R\u0415\u0422", "rnodern", "Modern", "PaypaI", "paypa1",
         "INV0ICE", "invoice", "il|", "\u03bd\u039d n"]
BLANKS = [" ", "  ", "\t", "\u00a0", "\u3000", " "]
DOMAINS = ["corp.example", "eu.corp.example", "partner.example", "mail.partner.example", "other.example",
           "b\u00fccher.example",
           "xn--bcher-kva.example", "stra\u00dfe.example", "strasse.example", "CORP.example"]
LOCALS = ["ann", "Ann", "bob", "carl.x", "dora+tag", "j\u00f6rg", "jo\u0308rg", "postmaster"]
ASCII_LOCALS = [x for x in LOCALS if x.isascii()]
NAMES = ["", "", "Ann B", "Bob \"x\"", "J\u00f6rg", "secret plan", "\u6771\u4eac"]
ASCII_DOMAINS = [x for x in DOMAINS if x.isascii()]
IPS = ["192.0.2.1", "192.0.2.77", "10.1.2.3", "2001:db8::7", "2001:db8:1::1", "198.51.100.9"]
NETWORKS = ["192.0.2.0/24", "10.0.0.0/8", "192.0.2.1", "192.0.2.60-192.0.2.90", "2001:db8::/32", "2001:db8::7",
            "0.0.0.0/0"]
HEADERS = ["X-A", "X-B", "X-Class", "Subject", "Message-ID", "From", "To", "Cc", "Reply-To", "Importance", "X-Priority",
           "X-MS-Exchange-Organization-SCL", "X-Microsoft-Classified", "X-Microsoft-Classification"]
MARKS = ["m1", "m2", "M1"]
RAW = ["X-Raw", "X-Raw", "X-A", "X-B", "Subject"]        # X-Raw is what no rule changes
# Texts put into bodies: (text, HTML).  Each is told from all others by its first word.
DISCLAIMERS = [("disclaimone: from Corp Ltd", ""),
               ("disclaimtwo: \u00fcber alles", "<p>disclaimtwo: <b>\u00fcber</b> alles</p>"),
               ("disclaimthree: caution", "")]
DETECTORS = """detector "prj" pattern /\\bprj-\\d{3}\\b/ confidence 60 near ("project", "caf\u00e9") within 12 gives 90
detector "cardlike" pattern /\\b\\d(?:[ -]?\\d){5,9}\\b/ checksum luhn confidence 50 near ("visa") within 8 gives 80
detector "plain" pattern /s[ce]+r[a-z]t?/ confidence 70
"""
FINDABLE = ["prj-123", "PRJ-123", "prj-124", "project prj-123", "prj-123 caf\u00e9", "prj-1234", "79927398713",
            "7992-7398 713", "79927398710",
            "visa 79927398713", "1234566", "123 456 6 79927398713",
            "\uff17\uff19\uff19\uff12\uff17\uff13\uff19\uff18\uff17\uff11\uff13",
            "prj-123 79927398713 prj-124 PRJ\u00ad-123"]
PATTERNS = ["secret", "s.cret", "^secret", "plan$", "\\\\bplan\\\\b", "\\\\d{2,}", "[a-c]+b", "caf(e|\u00e9)",
            "\u6771.", "st(ra|u)(ss|\u00df)e", "x-?ray",
            "\\\\w+ \\\\w+", "(?:a|b)\\\\.b", "e.?t\\\\b", "^\\\\S+$", "[^a-z ]", "ann@", "\\\\.example$"]
REPORT_WORDS = ["sender", "recipients", "subject", "cc", "bcc", "severity", "override", "rules", "detectors",
                "excerpts",
                "headers", "original"]
NOW = 1790000000
IDN = ', "b\u00fccher.example"'


# Characters that folding changes, and marks.
CHANGING = [c for c in map(chr, range(0xA1, 0x30000))
            if unicodedata.category(c) not in ("Cn", "Cs", "Co", "Cc", "Zl", "Zp") and (
    unicodedata.normalize("NFKC", c.casefold()) != c or unicodedata.combining(c)
    or unicodedata.category(c) in ("Cf", "Mc"))]


def exotic(rnd):
    """A few characters seldom seen, in one of their spellings."""
    base = "".join(rnd.choice([rnd.choice(CHANGING), rnd.choice(CHANGING), rnd.choice("aek")])
                   for _ in range(rnd.randint(1, 4)))
    return rnd.choice([str, str.upper, str.lower, str.casefold, str.title] + [lambda s, f=f: unicodedata.normalize(f, s)
                                                                              for f in ("NFC", "NFD", "NFKC",
                                                                                        "NFKD")])(base)


def rnd_text(rnd, pool, most=3):
    words = [rnd.choice(pool) for _ in range(rnd.randint(1, most))]
    text = words[0]
    for w in words[1:]:
        text += rnd.choice(BLANKS) + w
    return text


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n") + '"'


# --- messages --------------------------------------------------------------------------------------------------------

def encoded_word(rnd, text):
    return "=?utf-8?b?" + base64.b64encode(text.encode()).decode() + "?="


def header_text(rnd, text):
    if not text.isascii() and rnd.random() < 0.5:
        return " ".join(encoded_word(rnd, text[i:i + 12]) for i in range(0, len(text), 12))
    return text.replace("\t", " ")


def mailbox(rnd, locals_):
    address = f"{rnd.choice(locals_)}@{rnd.choice(DOMAINS if locals_ is LOCALS else ASCII_DOMAINS)}"
    name = rnd.choice(NAMES)
    if not name:
        return address
    if not name.isascii():
        return f"{encoded_word(rnd, name)} <{address}>"
    escaped = name.replace('"', '\\"')
    return f'"{escaped}" <{address}>'


def address(rnd):
    return f"{rnd.choice(LOCALS)}@{rnd.choice(DOMAINS)}"


def make_content(rnd, words, locals_):
    lines = ["Received: from client.example by relay.example; Mon, 21 Sep 2026 12:00:00 +0000"]
    for name, most, weight in (("From", 2, 0.95), ("To", 2, 0.9), ("Cc", 1, 0.4), ("Reply-To", 1, 0.4)):
        n = 0 if rnd.random() > weight else most if rnd.random() < 0.12 else 1
        for _ in range(n):
            lines.append(f"{name}: " + ", ".join(mailbox(rnd, locals_) for _ in range(rnd.choice([1, 1, 2, 3]))))
    for name, weight in (("Subject", 0.9), ("Message-ID", 0.8)):
        n = 0 if rnd.random() > weight else 2 if rnd.random() < 0.15 else 1
        for _ in range(n):
            if name == "Message-ID":
                lines.append(
                    f"Message-ID: <{rnd.choice(['one', 'two', 'plan'])}.{rnd.randint(1, 3)}@{rnd.choice(DOMAINS[:5])}>")
            else:
                start = rnd.choice(["", "", "Re: ", "[x] ", "Re: [x] ", "Fwd[2]: "])
                lines.append("Subject: " + rnd.choice(["", start + header_text(rnd, rnd_text(rnd, words))]
                                                      + [start + header_text(rnd, rnd_text(rnd, words))] * 8))
    if rnd.random() < 0.04:
        lines.append("Subject: =?x-nobody-knows?b?c2VjcmV0?= rest")
    for name, values, weight in (("Importance", ["high", "Low", "odd"], 0.1), ("X-Priority", ["1 (Highest)", "5"], 0.1),
                                 ("X-MS-Exchange-Organization-SCL", ["-1", "5", "x"], 0.1),
                                 ("Auto-Submitted", ["no", "auto-replied"], 0.1),
                                 ("X-Microsoft-Classification", ["secret plan", "public"], 0.1),
                                 ("Precedence", ["bulk"], 0.1),
                                 ("Date", ["Mon, 21 Sep 2026 12:00:00 +0000", "Tue, 22 Sep 2026 20:00:00 +0200", "x"],
                                  0.7)):
        for _ in range(2 if rnd.random() < 0.1 * weight else rnd.random() < weight):
            lines.append(f"{name}: {rnd.choice(values)}")
    for name in ("X-A", "X-B", "X-Class"):
        for _ in range(rnd.choice([0, 0, 1, 1, 2])):
            lines.append(f"{name}: {header_text(rnd, rnd_text(rnd, words, 2))}")
    for _ in range(rnd.choice([0, 0, 1, 1, 2])):
        lines.append("X-Raw:" + rnd.choice([" ", "", "\t", "\r\n ", "  "]) + rnd.choice(["\r\n ", " "]).join(
            header_text(rnd, w) for w in rnd.sample(words, 2)))
    for line, weight in (("List-Id: <x.example>", 0.06), ("X-Autoreply: yes", 0.03)):
        if rnd.random() < weight:
            lines.append(line)
    rnd.shuffle(lines)
    body = "\r\n".join(rnd_text(rnd, words, 6) for _ in range(rnd.randint(0, 3)))
    if rnd.random() < 0.4:
        body += rnd.choice(["\r\n", " "]) + rnd_text(rnd, FINDABLE, 3)
    kind = rnd.random()
    if kind < 0.75:
        lines.append("Content-Type: text/plain; charset=utf-8")
    elif kind < 0.85:
        lines.append("Content-Type: text/plain; charset=x-nobody-knows")
        body = "secret plan" if rnd.random() < 0.5 else "nothing"
    elif kind < 0.93:
        lines.append("Content-Type: text/html; charset=utf-8")
        body = f"<p>{body}</p>"
    else:
        lines.append("Content-Type: application/pkcs7-mime; smime-type=enveloped-data")
    if rnd.random() < 0.3:
        lines, body = with_attachments(rnd, words, lines, body)
    return ("\r\n".join(["MIME-Version: 1.0"] + lines) + "\r\n\r\n" + body + "\r\n").encode()


def with_attachments(rnd, words, lines, body):
    kind = lines.pop()
    parts = [f"{kind}\r\n\r\n{body}"]
    for _ in range(rnd.randint(1, 3)):
        name = rnd.choice(["plan.pdf", "secret.EXE", "x.tar.gz", "noname", rnd.choice(words).replace('"', "") + ".txt"])
        shown = rnd.choice([f'; filename="{name}"', f"; filename*=utf-8''{urllib.parse.quote(name)}", ""])
        type_ = rnd.choice(["application/octet-stream", "text/plain", "application/pdf", "image/png"])
        data = rnd.choice(["TVqQAAMAAAAEAAAA//8AALgAAAAAAAAA", "JVBERi0xLjQK", "c2VjcmV0IHBsYW4="])
        parts.append(f"Content-Type: {type_}\r\nContent-Disposition: attachment{shown}\r\nContent-Transfer-Encoding: "
                     f"base64\r\n\r\n{data}")
    lines.append('Content-Type: multipart/mixed; boundary="b-b"')
    return lines, "".join(f"--b-b\r\n{p}\r\n" for p in parts) + "--b-b--"


def make_message(rnd, words, plain=False):
    to = []
    for _ in range(rnd.choice([1, 1, 2, 2, 3, 4])):
        a = address(rnd)
        if a not in to:
            to.append(a)
    return {"content": make_content(rnd, words, ASCII_LOCALS if plain else LOCALS),
            "from": rnd.choice([""] + [address(rnd)] * 9), "to": distinct(to),
            "ip": rnd.choice(IPS),
            "helo": rnd.choice(["client.example", "MAIL.Partner.example", "unavailable.example", "x"]),
            "notify": [rnd.choice([0, 0, 0, 1, 2, 4, 6, 8, 14]) for _ in to],
            "user": rnd.choice(["", "", "ann"]), "tls": rnd.choice(["", "TLSv1.3"]), "trusted": rnd.random() < 0.4,
            "live": {name: [make(rnd, words) for _ in range(rnd.randint(0, 4))] for name,
                     make in LIVE.items() if rnd.random() < 0.85},
            "listener": "inbound", "now": NOW + rnd.randint(-200000, 200000),
            "offset": rnd.choice([0, 3600, 7200, -18000])}


def live_text(rnd, words):
    while True:
        t = rnd_text(rnd, words, 2).replace("\t", " ")      # an entry holds no control character
        if fold(t, True):
            return t


LIVE = {"live_words": live_text, "live_people": lambda rnd,
        words: rnd.choice([address(rnd), "@" + rnd.choice(DOMAINS), "@*.corp.example"]),
        "live_domains": lambda rnd, words: rnd.choice(DOMAINS + ["*.example", "*.partner.example"])}


def distinct(to):
    """The relay knows an address that is written in two ways as one."""
    seen, out = set(), []
    for a in to:
        if Address(a).whole not in seen:
            seen.add(Address(a).whole)
            out.append(a)
    return out


# --- rule sets -------------------------------------------------------------------------------------------------------

class Generator:
    """Rule sets over the rows of the vocabulary."""

    ADDRESS_PARTS = {"address": "address", "local": "text", "domain": "domain", "name": "text"}
    MODELLED = {"sender", "sender.scope", "recipient", "recipient.scope", "recipient_count", "direction", "marked",
                "header",
                "header.raw", "recipient.dsn_notify"}
    # Fields that rules can change, by actions the evaluator carries out or by headers that no rule here touches.
    EDITABLE = {"subject", "message_id", "from", "to", "cc", "reply_to", "header", "header.raw", "importance", "scl",
                "classification",
                "date_sent", "sender_override", "is_auto_reply", "is_auto_forward", "is_bulk", "is_calendar",
                "is_voicemail",
                "is_approval_request", "is_rights_protected"}
    ACTIONS = {"require_tls", "reject", "defer", "drop", "quarantine", "hold", "redirect", "copy", "route_via",
               "add_header",
               "set_header", "remove_header", "prepend_subject", "log", "mark", "stop", "disconnect", "add_recipient",
               "deliver_after", "set_importance", "set_scl", "set_classification", "append_disclaimer",
               "prepend_disclaimer",
               "remove_attachment", "notify", "notify_sender", "incident_report"}

    def __init__(self, rows):
        self.rows, self.words = rows, WORDS
        self.plain = False      # addresses of ASCII only: others cannot be written into a field beside encoded names
        self.left_out = []
        self.fields = []
        for f in rows["fields"]:
            known = f["name"] in self.MODELLED or (f["of"] != "recipient" and f["text"] == "")
            editable = not f["editable"] or f["name"] in self.EDITABLE
            if f["works"] and known and editable:
                self.fields.append(f)
            else:
                self.left_out.append(f["name"])
        self.actions = [a["name"] for a in rows["actions"] if a["works"] and a["name"] in self.ACTIONS]
        self.left_out += [a["name"] for a in rows["actions"] if a["name"] not in self.actions]

    def fields_named(self, name):
        return next(f for f in self.fields if f["name"] == name)

    # one field as a rule names it: (text, type, row, part)
    def field(self, rnd, inside=None):
        if inside and inside["name"] == "attachment":
            row = rnd.choice([f for f in self.fields if f["name"].startswith("attachment.")])
            return row["name"].partition(".")[2], row["type"], row, None
        if inside:
            part = rnd.choice(["address", "local", "domain", "name"]
                              + (["scope"] if inside["name"] == "recipient" else []))
            if part == "scope":
                row = next(f for f in self.fields if f["name"] == "recipient.scope")
                return "scope", row["type"], row, None
            return part, self.ADDRESS_PARTS[part], inside, part
        f = rnd.choice(self.fields)
        if f["type"] == "address" and rnd.random() < 0.6:
            part = rnd.choice(list(self.ADDRESS_PARTS))
            return f"{f['name']}.{part}", self.ADDRESS_PARTS[part], f, part
        name = f["name"]
        if f["text"] == "header":
            name += " " + quoted(rnd.choice(RAW if f["name"] == "header.raw" else HEADERS[:4]))
        elif f["text"] == "mark":
            name += " " + quoted(rnd.choice(MARKS))
        return name, f["type"], f, None

    def needle(self, rnd):
        while True:
            t = rnd.choice([rnd.choice(self.words), rnd_text(rnd, self.words, 2), rnd.choice(self.words)[:2]])
            if fold(t, True):
                return t

    def text_value(self, rnd, type_, part):
        if type_ == "domain" or part == "domain":
            return rnd.choice(["example", "corp", ".example", "b\u00fccher", "BÜCHER", "stra"])
        if type_ == "address" or part in ("local", "address"):
            return rnd.choice(["ann", "ANN", "@corp", "j\u00f6rg", ".x", "secret", "corp.example", "b\u00fccher"])
        return self.needle(rnd)

    def set_of(self, rnd, make, n=3):
        return "(" + ", ".join(make() for _ in range(rnd.randint(1, n))) + ")"

    def text_verb(self, rnd, type_, part):
        """A verb of texts, positive and negative, and whether it counts as positive."""
        value = lambda: quoted(self.text_value(rnd, type_, part))
        if rnd.random() < 0.12:
            count = rnd.choice(["", "", "at least 2 ", "between 1 and 2 ", "at least 1 "])
            what = count + rnd.choice(["prj", "cardlike", "plain"]) + rnd.choice(["", "", " confidence 65",
                                                                                  " confidence 80", " confidence 90"])
            return f"contains {what}", f"does not contain {what}"
        k = rnd.randrange(9)
        if k == 0:
            return f"contains {value()}", f"does not contain {value()}"
        if k == 1:
            return f"contains word {value()}", f"does not contain word {value()}"
        if k == 2:
            kind = rnd.choice(["any", "all"])
            word = rnd.choice(["", " word"])
            s = self.set_of(rnd, value)
            return f"contains {kind}{word} of {s}", f"does not contain {kind}{word} of {s}"
        if k == 3:
            low = rnd.randint(1, 2)
            count = rnd.choice([f"at least {low}", f"between {low} and {low + rnd.randint(0, 1)}"])
            return f"contains {count} {value()}", f"does not contain {count} {value()}"
        if k == 4:
            n = rnd.randint(1, 2)
            s = "(" + ", ".join(value() for _ in range(n + rnd.randint(0, 2))) + ")"
            return f"contains at least {n} of {s}", f"does not contain at least {n} of {s}"
        if k == 5:
            v = self.text_value(rnd, type_, part)
            v = quoted(rnd.choice(["*" + v, v + "*", f"*{v}*", "?" + v[1:] if len(v) > 1 else "*" + v, v[:1] + "*"]))
            return f"is like {v}", f"is not like {v}"
        if k == 6:
            flags = rnd.choice(["", "", "c", "m", "s"])
            p = f"/{rnd.choice(PATTERNS).replace(chr(92) * 2, chr(92))}/{flags}"
            if rnd.random() < 0.2:
                q = f"/{rnd.choice(PATTERNS).replace(chr(92) * 2, chr(92))}/"
                kind = rnd.choice(["any", "all"])
                return f"matches {kind} of ({p}, {q})", f"does not match {kind} of ({p}, {q})"
            return f"matches {p}", f"does not match {p}"
        what, verb = rnd.choice([("starts", "start"), ("ends", "end")])
        v = rnd.choice([value(), f"any of {self.set_of(rnd, value)}"])
        return f"{what} with {v}", f"does not {verb} with {v}"

    def literal(self, rnd, type_, row):
        if type_ == "text":
            return quoted(self.needle(rnd))
        if type_ == "address":
            return quoted(rnd.choice([address(rnd), "@" + rnd.choice(DOMAINS), "@*.example", "@*.corp.example"]))
        if type_ == "domain":
            return quoted(rnd.choice(DOMAINS + ["*.example", "*.corp.example", "*.partner.example"]))
        if type_ == "network":
            return rnd.choice(NETWORKS)
        if type_ == "word":
            return rnd.choice(row["words"].split())
        if type_ == "number":
            return str(rnd.randint(0, 5))
        if type_ == "size":
            return rnd.choice(["300 B", "500 B", "1 KB", "2 KB", "700 bytes"])
        if type_ == "duration":
            return rnd.choice(["5 minutes", "1 hour"])
        if type_ == "clock":
            return rnd.choice(["08:00", "18:00", "12:30", "00:00"])
        if type_ == "date":
            return rnd.choice(["2026-09-20", "2026-09-21T18:00Z", "2026-09-22T08:30", "2026-09-23"])
        raise KeyError(type_)

    LISTS = {"text": "words", "address": "people", "domain": "partner_domains", "network": "nets"}

    LIVE_LISTS = {"text": "live_words", "address": "live_people", "domain": "live_domains"}

    def verb(self, rnd, type_, row, part, inside):
        """(positive, negative or None, whether it needs a quantifier on several values)"""
        if type_ in ("text", "address", "domain") and rnd.random() < 0.55:
            if type_ == "domain" or part == "domain":
                v = quoted(rnd.choice(["*.example", "*corp*", "b\u00fc*", "?artner.example", "*"]))
                e = quoted(self.text_value(rnd, "domain", part))
                return rnd.choice([(f"is like {v}", f"is not like {v}"), (f"ends with {e}", f"does not end with {e}")])
            return self.text_verb(rnd, type_, part)
        k = rnd.random()
        if k < 0.12 and type_ != "word" and not (inside and part == "address"):
            return rnd.choice([("is present", "is absent"), ("is present", "is not present")])
        if type_ in ("number", "size", "duration", "date", "clock") and k < 0.75:
            a, b = self.literal(rnd, type_, row), self.literal(rnd, type_, row)
            if type_ in ("date", "clock"):
                return rnd.choice([(f"is after {a}", f"is not after {a}"), (f"is before {a}", None)])
            between = f"is between {min(a, b, key=number)} and {max(a, b, key=number)}"
            return rnd.choice([(f"is over {a}", f"is not over {a}"), (f"is at least {a}", f"is not at least {a}"),
                               (f"is under {a}", None), (f"is at most {a}", None), (between, None)])
        if k < 0.5:
            v = self.literal(rnd, type_, row)
            return f"is {v}", f"is not {v}"
        if k < 0.75 and type_ in self.LISTS:
            name = rnd.choice([self.LISTS[type_], self.LISTS[type_], self.LIVE_LISTS.get(type_, self.LISTS[type_])])
            if part == "local" and name == "live_words":
                name = "words"
            return f"is in {name}", f"is not in {name}"
        s = self.set_of(rnd, lambda: self.literal(rnd, type_, row), rnd.choice([3, 3, 3, 12]))
        return f"is any of {s}", f"is not any of {s}"

    def right(self, rnd, type_, row, part):
        """Another field for the right side, or None."""
        choices = []
        for f in self.fields:
            if f["text"] == "mark" or f["type"] == "yesno":
                continue
            if f["of"] == "recipient" and row["of"] != "recipient":
                continue
            forms = [(f["name"] + (' "X-A"' if f["text"] else ""), f["type"])]
            if f["type"] == "address":
                forms += [(f"{f['name']}.{p}", t) for p, t in self.ADDRESS_PARTS.items() if p in ("address", "domain")]
            choices += [name for name, t in forms if t == type_ and type_ not in ("word", "yesno")]
        if part in ("local", "name") or not choices:
            return None
        return rnd.choice(choices)

    def test(self, rnd, inside=None):
        name, type_, row, part = self.field(rnd, inside)
        if type_ == "yesno":
            return name
        q = ""
        if not inside and row["of"] != "message" and rnd.random() < 0.5:
            q = rnd.choice(["any ", "every ", "no "])
        if not inside and not q and rnd.random() < 0.12:
            other = self.right(rnd, type_, row, part)
            if other and other != name:
                no = "" if row["of"] == "element" else rnd.choice(["", "not "])
                return f"{name} is {no}{other}"
        positive, negative = self.shaped_verb(rnd, row) if row["name"] in self.SHAPED else self.verb(rnd, type_, row,
                                                                                                     part, inside)
        must_say = row["of"] == "element" and not q and not inside
        whole = positive.startswith("is present") and part is None
        if negative is None and must_say:
            q = rnd.choice(["any ", "every ", "no "])
        if negative and (not must_say or whole) and rnd.random() < 0.35:
            return f"{q}{name} {negative}"
        return f"{q}{name} {positive}"

    # Fields whose values have a form, which the compiler holds texts to.
    SHAPED = {"attachment.extension": (["exe", "PDF", "gz", "txt", "\uff45xe", "caf\u00e9"], ["ex", "t", "pd"]),
              "attachment.type": (["application/pdf", "TEXT/plain", "image/png", "application/octet-stream"],
                                  ["pdf", "text/", "image", "/octet"]),
              "attachment.true_type": (["application/pdf", "text/plain", "application/x-dosexec"],
                                       ["pdf", "text", "x-", "/"]),
              "client.tls_version": (["1.2", "1.3"], ["1", ".3", "1."])}

    def shaped_verb(self, rnd, row):
        whole, parts = self.SHAPED[row["name"]]
        some = lambda of: "(" + ", ".join(quoted(rnd.choice(of)) for _ in range(rnd.randint(1, 3))) + ")"
        return rnd.choice([(f"is {quoted(rnd.choice(whole))}", f"is not {quoted(rnd.choice(whole))}"),
                           (f"is any of {some(whole)}", f"is not any of {some(whole)}"),
                           (f"contains {quoted(rnd.choice(parts))}", f"does not contain {quoted(rnd.choice(parts))}"),
                           (f"contains all of {some(parts)}", f"does not contain any of {some(parts)}"),
                           (f"starts with {quoted(rnd.choice(parts + whole))}",
                            f"does not start with {quoted(rnd.choice(whole))}"),
                           (f"ends with any of {some(parts + whole)}",
                            f"does not end with {quoted(rnd.choice(parts))}"),
                           (f"is like {quoted('*' + rnd.choice(parts) + '*')}",
                            f"is not like {quoted('?' + rnd.choice(parts) + '*')}"),
                           ("is in live_words", "is not in live_words"), ("is present", "is absent"),
                           (f"matches /{rnd.choice(['p.f', '^t', 'x$'])}/", "does not match /e/")])

    def run(self, rnd):
        """Several fields, one verb."""
        texts = ["subject", "body", 'header "X-A"', "message_id", "from.name", "sender.local"]
        people = ["from", "to", "cc", "sender", "reply_to"]
        domains = [f"{p}.domain" for p in people]
        names, type_, part = rnd.choice([(texts, "text", None), (people, "address", None),
                                         (domains, "domain", "domain")])
        chosen = rnd.sample(names, rnd.randint(2, 3))
        connective = rnd.choice([" or ", " and "])
        positive, _ = self.verb(rnd, type_, {"words": ""}, part, None)
        return f"({connective.join(chosen)}) {positive}"

    def condition(self, rnd, depth, defines=()):
        k = rnd.random()
        if depth <= 0 or k < 0.4:
            if defines and rnd.random() < 0.15:
                return rnd.choice(defines)
            if rnd.random() < 0.12:
                return self.run(rnd)
            return self.test(rnd)
        if k < 0.5:
            looped = rnd.choice(["from", "to", "cc", "recipient", "reply_to"] + ["attachment"] * 3)
            row = next((f for f in self.fields if f["name"] == looped), self.fields_named("to"))
            parts = [self.test(rnd, row) for _ in range(rnd.randint(1, 3))]
            joined = rnd.choice([" and ", " or "]).join(f"not ({p})" if rnd.random() < 0.15 else p for p in parts)
            return f"{rnd.choice(['any', 'every', 'no'])} {row['name']} where ({joined})"
        if k < 0.6:
            return f"not ({self.condition(rnd, depth - 1, defines)})"
        parts = [f"({self.condition(rnd, depth - 1, defines)})" for _ in range(rnd.randint(2, 3))]
        return rnd.choice([" and ", " or "]).join(parts)

    # --- rules
    def options(self, rnd, only=None):
        out = ""
        for name, values, weight in (
                ("priority", [str(n) for n in (1, 50, 100, 200)], 0.3),
                ("mode", ["audit", "audit_and_notify", "off", "enforce"], 0.2),
                ("on_error", ["defer", "skip", "apply"], 0.5),
                ("on_unreadable", ["protect", "hold", "apply", "skip"], 0.5),
                ("confusables", ["fold", "fold", "keep"], 0.4),
                ("severity", ['"low"', '"high"', '"medium"', '"odd"', '"critical"'], 0.5),
                ("effective", ["2026-09-20", "2026-09-21T14:00Z", "2026-09-22"], 0.06),
                ("expires", ["2026-09-21", "2026-09-22T02:00", "2026-09-24"], 0.06)):
            if name == "expires" and " effective " in out:
                continue
            if rnd.random() < weight and (only is None or name in only):
                out += f" {name} {rnd.choice(values)}"
        return out

    def value(self, rnd, reply=False):
        base = rnd.choice(["plain", "is {rule}", "from {sender}", "a {{brace", "tagged"])
        if not reply:
            base = rnd.choice([base, base, "on {subject}", "w\u00f6rds", "secret plan"])
        return quoted(base)

    def action(self, rnd, name):
        who = rnd.choice([quoted(address(rnd)), quoted(address(rnd)), quoted("archive@corp.example")])
        target = rnd.choice([who] * 4 + [f"{f} otherwise {who}" for f in ("sender", "recipient")])
        if name == "require_tls":
            level = rnd.choice(["", " encrypt", " verified", " dane", " requiretls", " level verified"])
            return "require_tls" + level + rnd.choice(["", "", ' min "1.2"', ' min "1.3"'])
        if name == "reject":
            return f"reject {self.value(rnd, True)}" + rnd.choice(["", "", ' status "5.7.0"', " code 554",
                                                                   ' status "5.6.0" code 552'])
        if name == "defer":
            return f"defer {self.value(rnd, True)}" + rnd.choice(["", ' status "4.2.1"', " code 452"])
        if name in ("quarantine", "hold"):
            return name + rnd.choice(["", f" reason {self.value(rnd)}"])
        if name in ("redirect", "copy"):
            return f"{name} to {target}"
        if name == "add_recipient":
            if not self.plain:
                return f"add_recipient bcc {target}"
            return f"add_recipient {rnd.choice(['to', 'cc'])} {quoted(rnd.choice(ASCII_LOCALS) + '@corp.example')}"
        if name == "disconnect":
            return "disconnect" + rnd.choice(["", f" {self.value(rnd, True)}"])
        if name == "deliver_after":
            return "deliver_after " + rnd.choice(["2 hours", "90 minutes", "18:00", "2 hours 06:30"])
        if name == "set_importance":
            return "set_importance " + rnd.choice(["low", "normal", "high"])
        if name == "set_scl":
            return f"set_scl {rnd.randint(-1, 9)}"
        if name == "set_classification":
            return f"set_classification {quoted(rnd.choice(['Confidential', 'public', 'secret plan']))}"
        if name == "route_via":
            return f"route_via {quoted(rnd.choice(['partner', 'other']))}"
        if name == "add_header":
            return f"add_header {quoted(rnd.choice(HEADERS[:3]))} {self.value(rnd)}"
        if name == "set_header":
            if rnd.random() < 0.3:
                header, whom = rnd.choice(HEADERS[6:9]), rnd.choice(["ann@corp.example", "x@other.example"])
                return f"set_header {quoted(header)} {quoted(whom)}"
            return f"set_header {quoted(rnd.choice(HEADERS[:4]))} {self.value(rnd)}"
        if name == "remove_header":
            return f"remove_header {quoted(rnd.choice(HEADERS[:4] + HEADERS[6:9]))}"
        if name == "prepend_subject":
            return f"prepend_subject {quoted(rnd.choice(['[x] ', 'P ', 'secret ', '[{rule}] ']))}"
        if name == "log":
            return f"log {self.value(rnd)}"
        if name == "mark":
            return f"mark {quoted(rnd.choice(MARKS))}"
        if name in ("append_disclaimer", "prepend_disclaimer"):
            text, html = rnd.choice(DISCLAIMERS)
            return f"{name} {quoted(text)}" + (f" html {quoted(html)}" if html else "") + \
                rnd.choice(["", "", " fallback wrap", " fallback skip", " fallback reject"])
        if name == "remove_attachment":
            names = rnd.choice(["", ' "*.exe"', ' ("*.pdf", "secret*")', ' "noname"', ' "*"', ' "*.t?t"'])
            return f"remove_attachment{names}" + rnd.choice(["", ' note "taken out"'])
        if name == "notify":
            return f"notify {rnd.choice([who, 'sender', 'recipient'])} {self.value(rnd)}"
        if name == "notify_sender":
            return f"notify_sender {self.value(rnd)}"
        if name == "incident_report":
            said = rnd.sample(REPORT_WORDS, rnd.randint(1, 6))
            return f"incident_report to {rnd.choice([who, quoted('dlp@corp.example')])}" + \
                rnd.choice(["", f" contents ({', '.join(said)})", f" contents ({said[0]})"])
        return name

    FINAL = ("reject", "defer", "drop", "quarantine", "hold", "redirect", "disconnect")

    def rule(self, rnd, number, defines):
        plain = [a for a in self.actions if a not in self.FINAL and a != "stop"]
        names = [rnd.choice(plain) for _ in range(rnd.randint(0, 3))]
        if not names or rnd.random() < 0.4:
            weights = {"defer": 0.3, "disconnect": 0.1}
            final = rnd.choices(self.FINAL, [weights.get(x, 1) for x in self.FINAL])[0]
            names.insert(rnd.randint(0, len(names)), final)
        if rnd.random() < 0.08:
            names.append("stop")
        actions, seen = [], set()
        for n in names:
            a = self.action(rnd, n)
            key = a if n not in ("set_header", "route_via", "remove_header", "require_tls", "deliver_after",
                                 "set_importance", "set_scl",
                             "set_classification") else n
            if key not in seen:
                seen.add(key)
                actions.append(a)
        text = f'rule "r{number}"{self.options(rnd)}\nwhen '
        text += "always\n" if rnd.random() < 0.06 else self.condition(rnd, rnd.choice([0, 1, 1, 2]), defines) + "\n"
        for _ in range(rnd.choice([0, 0, 0, 1, 2])):
            text += f"unless {self.condition(rnd, rnd.choice([0, 1]), defines)}\n"
        return text + "then " + ", ".join(actions) + "\n"

    def rule_set(self, rnd):
        partial = rnd.choice(["", "", " partial_reject whole", " partial_reject dsn", " partial_reject drop"])
        few = lambda make, n: ", ".join(make() for _ in range(n))
        text = DETECTORS + f'''list ours of domain = "corp.example", "*.corp.example"
list partner_domains of domain = "partner.example", "*.partner.example"{rnd.choice(["", IDN])}
list words of text = {few(lambda: self.literal(rnd, "text", None), rnd.choice([2, 3, 12]))}
list people of address = {few(lambda: self.literal(rnd, "address", None), rnd.choice([2, 3, 12]))}, more_people
list more_people of address = {self.literal(rnd, "address", None)}
list nets of network = {few(lambda: self.literal(rnd, "network", None), 2)}
list live_words of text in table "words"
list live_people of address in table "people"
list live_domains of domain in table "domains"
relay hostname "relay.example" internal ours{partial}
connector "partner" host "p.example" tls verified domains partner_domains
connector "other" host "o.example" port 2525
'''
        defines = []
        for i in range(rnd.choice([0, 0, 1, 2])):
            text += f"define d{i} as {self.condition(rnd, 1, tuple(defines))}\n"
            defines.append(f"d{i}")
        if rnd.random() < 0.15:
            text += "defaults" + (self.options(rnd, ("priority", "on_error", "on_unreadable", "confusables"))
                                  or " priority 60") + "\n"
        for number in range(rnd.randint(1, 5)):
            text += self.rule(rnd, number, defines)
        return text


def number(written):
    digits = int("".join(c for c in written if c.isdigit()))
    return digits * (1024 if "KB" in written else 1)
