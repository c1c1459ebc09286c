#!/usr/bin/python3
"""Edits, over real mail, over mail a grammar makes, and over that damaged: what is written is what was asked for, a
second reader (Python's email package) and a third (GMime) see it, and nothing else changed: the bytes, and DKIM's hash
of a body that no edit touched, also where a new message was put around it.

Usage: edits_test.py [--random N] [--seed N] [--fake-rounds] [FOLDER-OF-MAIL…]
"""
import argparse
import base64
import email
import email.policy
import email.header
import hashlib
import html.parser
import os
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from edits_messages import TEXTS, Maker, random_edits  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
MIME = re.compile(rb"(?i)^(content-[!-9;-~]*|mime-version)$")
CODECS = {"us-ascii": "ascii", "iso-8859-1": "cp1252", "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030"}


class Driver:
    def __init__(self):
        self.process = subprocess.Popen([str(BUILD / "oracle/edits_driver")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def edit(self, edits, content):
        records = b"".join("\x1f".join(e).encode() + b"\x1f\x1e" for e in edits)
        self.process.stdin.write(b"%d %d\n" % (len(records), len(content)) + records + content)
        self.process.stdin.flush()
        made, pieces, inserted = self.process.stdout.readline().split()
        lines = [self.process.stdout.readline().split() for _ in range(int(pieces))]
        data, out, texts = self.process.stdout.read(int(inserted)), b"", []
        for line in lines:
            if line[0] == b"c":
                out += content[int(line[1]):int(line[2])]
            else:
                texts.append(data[:int(line[1])])
                out += texts[-1]
                data = data[int(line[1]):]
        return made.decode(), out, texts


class GMime:
    """tests/oracle/readers/gmime_reader.c: the fields of the header, and the texts it shows with those of messages
    inside."""

    def __init__(self):
        subprocess.run(["make", "-s", "-C", str(ROOT), "build/oracles/gmime_reader"], check=True)
        self.process = subprocess.Popen([str(ROOT / "build/oracles/gmime_reader"), "--fields"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def read(self, message):
        self.process.stdin.write(len(message).to_bytes(4, "big") + message)
        self.process.stdin.flush()
        answer = self.process.stdout.read(int.from_bytes(self.process.stdout.read(4), "big")).decode()
        fields, texts = [], []
        for line in answer.split("\n")[:-1]:
            what, rest = line.split(" ", 1)
            name, _, encoded = rest.rpartition(" ")
            text = bytes.fromhex(encoded).decode("utf-8", "replace")
            if what == "field":
                fields.append((name.lower(), text))
            elif what == "part":
                texts.append(html_text(text) if name.lower().startswith("text/html") else text)
        return fields, texts


# --- what a second reader sees ----------------------------------------------------------------------------------------

class Visible(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.text, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("style", "script", "title")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "script", "title") and self.hidden > 0

    def handle_data(self, data):
        if not self.hidden:
            self.text.append(data)


def squeeze(text):
    return "".join(text.split())


def html_text(source):
    visible = Visible()
    visible.feed(source)
    visible.close()
    return "".join(visible.text)


def part_source(part):
    encoding = part.get("content-transfer-encoding")
    encoding = encoding if isinstance(encoding, str) else None
    if encoding is not None and encoding != encoding.strip():  # a fold behind the colon, which Python takes for a value
        part.replace_header("content-transfer-encoding", encoding.strip())
    raw = part.get_payload(decode=True) or b""
    charset = (part.get_content_charset() or "ascii").lower()
    try:
        return raw.decode(CODECS.get(charset, charset), "replace")
    except (LookupError, ValueError):
        return raw.decode("latin-1")


def shown(message, inside=False):
    """The text parts that are shown, without attachments and messages inside."""
    if message.get_content_type().startswith("message/"):
        return []
    if message.is_multipart():
        return [p for child in message.get_payload() for p in shown(child, True)]
    attached = message.get_content_disposition() == "attachment"
    return [message] if message.get_content_type() in ("text/plain", "text/html") and not attached else []


def part_text(part):
    source = part_source(part)
    return html_text(source) if part.get_content_type() == "text/html" else source


def leaves(message):
    return [p for p in message.walk() if not p.is_multipart()]


def header_section(content):
    """Field lines as RFC 5322 has them, and where the body begins; None when the header is not of that form."""
    at, fields = 0, []
    if content[:5] == b"From " or content[:6] == b">From ":
        at = content.find(b"\n") + 1
    while at < len(content):
        end = content.find(b"\n", at)
        if end < 0:
            return None
        line = content[at:end + 1]
        if line in (b"\r\n", b"\n"):
            return fields, end + 1
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += line
        elif re.match(rb"[!-9;-~]+[ \t]*:", line):
            fields.append(line)
        else:
            return None
        at = end + 1
    return None


def name_of(field):
    return field.split(b":", 1)[0].strip().lower()


def dkim_body_hash(body, relaxed):
    """RFC 6376 section 3.4.3 and 3.4.4."""
    if relaxed:
        body = b"\r\n".join(re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n"))
    while body.endswith(b"\r\n"):
        body = body[:-2]
    if body or not relaxed:
        body += b"\r\n"
    return base64.b64encode(hashlib.sha256(body).digest())


# What the RFC says of its own: hashes of the empty body, and the body of section 3.4.5.
assert dkim_body_hash(b"", False) == b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
assert dkim_body_hash(b"", True) == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
assert dkim_body_hash(b" C \r\nD \t E\r\n\r\n\r\n", True) == base64.b64encode(hashlib.sha256(b" C\r\nD E\r\n").digest())
assert dkim_body_hash(b" C \r\nD \t E\r\n\r\n\r\n",
                      False) == base64.b64encode(hashlib.sha256(b" C \r\nD \t E\r\n").digest())


def header_text(field):
    value = field.split(b":", 1)[1].decode("utf-8", "replace").replace("\r", "").replace("\n", "")
    out = ""
    for word, charset in email.header.decode_header(value):
        try:
            out += word.decode(charset or "ascii", "replace") if isinstance(word, bytes) else word
        except LookupError:
            out += word.decode("latin-1")
    return out


# --- what must hold ---------------------------------------------------------------------------------------------------

class Fault(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Fault(what)


def simulate(fields, edits):
    """How many fields of each name the header must have."""
    counts = {}
    for field in fields:
        counts[name_of(field)] = counts.get(name_of(field), 0) + 1
    for kind, name, _, _ in edits:
        key = name.lower().encode()
        if kind == "+":
            counts[key] = counts.get(key, 0) + 1
        elif kind == "=":
            counts[key] = 1
        elif kind == "-":
            counts[key] = 0
        elif kind == "^":
            counts[b"subject"] = max(1, counts.get(b"subject", 0))
    return {k: v for k, v in counts.items() if v and not MIME.match(k)}


def counted(fields):
    counts = {}
    for field in fields:
        if not MIME.match(name_of(field)):
            counts[name_of(field)] = counts.get(name_of(field), 0) + 1
    return counts


def check_always(content, out, texts):
    for text in texts:
        demand(b"\0" not in text and not re.search(rb"\r(?!\n)|(?<!\r)\n", text), "bare CR, LF or NUL")
    for line in re.split(rb"\r?\n", out):
        demand(len(line) <= 998 or line in content, f"a new line of {len(line)} octets")


def check_header(content, out, edits, made):
    before, after = header_section(content), header_section(out)
    if before is None:
        return
    demand(after is not None, "the header is no header any more")
    demand(counted(after[0]) == simulate(before[0], edits), "not the fields that were computed")
    last = {}
    for edit in edits:
        if edit[0] in "+=-^":
            last[(b"subject" if edit[0] == "^" else edit[1].lower().encode())] = edit
    for key, (kind, _, value, _) in last.items():
        found = [f for f in after[0] if name_of(f) == key]
        wanted = squeeze(value)
        if kind == "=" or kind == "+":
            demand(any(squeeze(header_text(f)) == wanted for f in found), f"{key} does not say what was written")
        if kind == "^" and wanted:
            demand(wanted.lower() in squeeze(header_text(found[0])).lower(), "the subject's prefix is not seen")
    if not any(e[0] in "apr" and how != "!" for e, how in zip(edits, made)):
        old, new = content[before[1]:], out[after[1]:]
        demand(old == new, "the body changed")
        check_dkim(old, new)
    if "w" in made and not any(e[0] in "apr" and how == "+" for e, how in zip(edits, made)):
        demand(content[before[1]:] == body_inside(out), "the body inside changed")
        check_dkim(content[before[1]:], body_inside(out))


def body_inside(out):
    """The body of the message that another was put around: its second part."""
    part = out.split(b"\r\n--" + email.message_from_bytes(out).get_boundary().encode())[2].removeprefix(b"\r\n")
    message = part[header_section(part)[1]:]
    return message[header_section(message)[1]:]


def check_dkim(old, new):
    for relaxed in (False, True):
        demand(dkim_body_hash(old, relaxed) == dkim_body_hash(new, relaxed), "the DKIM body hash changed")


def check_third(gmime, out, edits, made):
    """What was written last of each field, and each text, as GMime shows it."""
    fields, texts = gmime.read(out)
    last = {}
    for edit in edits:
        if edit[0] in "+=-^":
            last["subject" if edit[0] == "^" else edit[1].lower()] = edit
    for key, (kind, _, value, _) in last.items():
        found, wanted = [squeeze(v) for k, v in fields if k == key], squeeze(value)
        if kind in "=+":
            demand(wanted in found, f"to GMime {key} does not say what was written: {found!r}")
        elif kind == "-":
            demand(not found, f"to GMime {key} is still there")
        elif wanted:
            demand(wanted.lower() in found[0].lower(), "GMime does not show the subject's prefix")
    flat = [squeeze(t).replace(">", "") for t in texts]
    for edit in (e for e, how in zip(edits, made) if e[0] in "ap" and how != "!"):
        forms = [form.replace(">", "") for form in text_forms(edit)]
        demand(any(form in text for form in forms for text in flat), f"GMime does not show a text: {edit[2][:40]!r}")


def text_forms(edit):
    """What is seen of a text: as plain text, and as HTML."""
    _, _, text, source = edit
    return squeeze(text), squeeze(html_text(source)) if source else squeeze(text)


def check_texts(content, out, edits, made):
    """Each text is seen, in each alternative; the rest of each part is as it was; other parts are identical.  To Python
    a bare CR ends a line, in a header too: it sees other parts then.  The relay takes none in."""
    if re.search(rb"\r(?!\n)", content):
        return
    old, new = email.message_from_bytes(content), email.message_from_bytes(out)
    how = [(e, m) for e, m in zip(edits, made) if e[0] in "ap"]
    wrapped = "w" in made
    for edit, letter in how:
        if letter == "!":
            continue
        plain, rich = text_forms(edit)
        seen = [squeeze(part_text(p)) for p in shown(new)]
        inner = [squeeze(part_text(p)) for m in new.walk() if m.get_content_type() == "message/rfc822"
                 for p in shown(m.get_payload(0))] if wrapped else []
        flat = [s.replace(">", "") for s in seen + inner]
        demand(any(plain.replace(">", "") in s or rich.replace(">", "") in s for s in flat),
               f"a text is not seen: {edit[2][:40]!r} ({letter})")
    if any(e[0] == "r" for e in edits) or "w" in made or not how:
        return
    texts = ("text/plain", "text/html")
    others = [[p.get_payload(decode=True) for p in leaves(m) if p.get_content_type() not in texts] for m in (old, new)]
    demand(others[0] == others[1], "another part changed")
    before, after = shown(old), shown(new)
    if len(before) != len(after):
        demand(not before or len(after) > len(before), "a text part is gone")
        return
    for a, b in zip(before, after):
        demand(a.get_content_type() == b.get_content_type(), "a part is of another type")
        rest, wanted = squeeze(part_source(b)), squeeze(part_source(a))
        for edit, _ in sorted(how, key=lambda h: -len(h[0][2])):
            for form in inserted_forms(edit, a.get_content_type() == "text/html"):
                rest = rest.replace(form, "", 1) if rest != wanted else rest
        demand(rest == wanted or "\ufffd" in wanted,
               f"more of a {a.get_content_type()} part changed than the text put in: {rest[:80]!r} {wanted[:80]!r}")


def inserted_forms(edit, rich):
    _, _, text, source = edit
    if not rich:
        return [squeeze(text)]
    if not source:
        source = text.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
        source = "<div>" + re.sub(r"[ \t]*\r?\n", "<br>\n", source) + "</div>"
    return [squeeze("".join(c if ord(c) < 128 else f"&#{ord(c)};" for c in source))]


def check_twice(driver, out, edits, made):
    """A text that is there is not put there again; nor is a subject's prefix."""
    again = [e for e, m in zip(edits, made) if e[0] in "a^" and m in "+w"]
    if again and len(set(made) & set("+w")) == 1 and not any(e[0] in "=r-+"
                                                             for e in edits) and header_section(out) is not None:
        demand(driver.edit(again[-1:], out)[1] == out, f"twice: {again[-1][:3]}")


def check_removed(content, out, edits, made):
    notes = [e for e, m in zip(edits, made) if e[0] == "r" and m == "+"]
    old, new = email.message_from_bytes(content), email.message_from_bytes(out)
    if not notes or "w" in made:
        return
    parts = list(old.walk())
    for _, index, note, _ in notes:
        one = parts[int(index)] if int(index) < len(parts) else None
        if one and one.get_content_maintype() != "multipart" and not any(e[0] in "ap" for e in edits):
            same = [e for e in notes if e[1] == index]
            texts = [squeeze(part_source(p)) for p in leaves(new)]
            above = any(int(e[1]) < int(index) for e in notes)
            demand(above or same[0][2] != note or squeeze(note) in texts, "the note of a removed part is not seen")


def check(driver, gmime, content, edits, honest):
    made, out, texts = driver.edit(edits, content)
    check_always(content, out, texts)
    check_header(content, out, edits, made)
    check_texts(content, out, edits, made)
    check_twice(driver, out, edits, made)
    if header_section(content) is not None:
        check_third(gmime, out, edits, made)
    if honest:
        check_removed(content, out, edits, made)
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, default=int(os.environ.get("EDITS_RANDOM", 3000)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folders", nargs="*", default=os.environ.get("EDITS_MAIL", str(ROOT / "tests/mail")).split(":"))
    options = parser.parse_args()
    driver, gmime, faults, tally = Driver(), GMime(), 0, {}
    cases = []
    for folder in options.folders:
        for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file()
                           and p.suffix in (".eml", ".txt", "")):
            cases.append(str(path))

    def run(name, content, edits, honest):
        nonlocal faults
        try:
            for letter in check(driver, gmime, content, edits, honest):
                tally[letter] = tally.get(letter, 0) + 1
        except Fault as fault:
            faults += 1
            if faults <= 20:
                print(f"# {name}: {fault}\n#   edits {edits!r}")
                keep = BUILD / f"edits-fault-{faults}.eml"
                keep.write_bytes(content)
                print(f"#   content in {keep}")

    for name in cases:
        content = pathlib.Path(name).read_bytes()
        r = random.Random(name.rsplit("/", 1)[-1])
        run(name, content, [("a", "", TEXTS[0], ""), ("^", "", "[EXT] ", "")], False)
        run(name, content, [("p", "", TEXTS[1], "<p>Vertraulich</p>")], False)
        run(name, content, [("+", "X-New", "v", ""), ("=", "X-A", "w", ""), ("-", "Subject", "", "")], False)
        run(name, content, random_edits(r), False)
    for i in range(options.random):
        maker = Maker(options.seed * 1000003 + i)
        content, honest = maker.message(), True
        if maker.r.random() < 0.4:
            content, honest = maker.damaged(content), False
        run(f"seed {options.seed} number {i}", content, random_edits(maker.r), honest)
    enough = all(tally.get(letter, 0) > 0 for letter in "+w") and len(cases) > 0
    print(f"{'ok' if faults == 0 and enough else 'not ok'} - edits of {len(cases)} messages and {options.random} made "
          f"ones")
    print(
        f"# edits made {tally.get('+', 0)}, by a new message around {tally.get('w', 0)}, refused {tally.get('!', 0)}; "
          f"{faults} faults")
    return faults > 0 or not enough


if __name__ == "__main__":
    sys.exit(main())
