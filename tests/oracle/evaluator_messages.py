"""Random messages for the second evaluator, with envelope, client, clock and what lists in tables hold."""
import base64
import urllib.parse

from evaluator_pools import ASCII_LOCALS, DOMAINS, LOCALS, address, rnd_text
from evaluator_words import Address, fold

NAMES = ["", "", "Ann B", "Bob \"x\"", "J\u00f6rg", "secret plan", "\u6771\u4eac"]
ASCII_DOMAINS = [x for x in DOMAINS if x.isascii()]
IPS = ["192.0.2.1", "192.0.2.77", "10.1.2.3", "2001:db8::7", "2001:db8:1::1", "198.51.100.9"]
FINDABLE = ["prj-123", "PRJ-123", "prj-124", "project prj-123", "prj-123 caf\u00e9", "prj-1234", "79927398713",
            "7992-7398 713", "79927398710", "visa 79927398713", "1234566", "123 456 6 79927398713",
            "\uff17\uff19\uff19\uff12\uff17\uff13\uff19\uff18\uff17\uff11\uff13",
            "prj-123 79927398713 prj-124 PRJ\u00ad-123"]
NOW = 1790000000


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
