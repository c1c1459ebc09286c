#!/usr/bin/python3
"""What Python's email package shows of messages: an oracle for message/, as a long-lived worker (the protocol of
gmime_reader.c).  Usage: python_reader.py compat32|default"""
import email
import email.header
import email.policy
import sys

POLICY = {"compat32": email.policy.compat32, "default": email.policy.default}[sys.argv[1]]


def decoded(value):
    text = str(value).replace("\r", "").replace("\n", "")
    if POLICY is not email.policy.compat32:
        return text
    out = ""
    for part, charset in email.header.decode_header(text):
        if isinstance(part, bytes):
            try:
                part = part.decode(charset or "latin-1", "replace")
            except LookupError:
                part = part.decode("latin-1")
        out += part
    return out


def text_of(part):
    payload = part.get_payload(decode=True) or b""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return payload.decode("latin-1")


def hexed(text):
    return str(text).encode("utf-8", "replace").hex()


def attempt(function, *arguments):
    """Some policies raise on what others read."""
    try:
        return function(*arguments)
    except Exception:  # an oracle that gives up says nothing
        return None


def read(data):
    lines = []
    message = email.message_from_bytes(data, policy=POLICY)
    subject = attempt(lambda: message["subject"])
    if subject is not None:
        lines.append("subject " + hexed(attempt(decoded, subject) or ""))
    for part in message.walk():
        name = attempt(part.get_filename)
        if name:
            lines.append("name " + hexed(attempt(decoded, name) or name))
        if part.is_multipart() or part.get_content_maintype() != "text":
            continue
        disposition = attempt(part.get_content_disposition) or "inline"
        text = attempt(text_of, part)
        if text is not None:
            lines.append(
                f"part {'_'.join(part.get_content_type().split())} "
                f"{'attachment' if disposition == 'attachment' else 'inline'} {hexed(text)}")
    return lines


def main():
    while True:
        head = sys.stdin.buffer.read(4)
        if len(head) < 4:
            return
        data = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        body = "".join(line + "\n" for line in attempt(read, data) or []).encode()
        sys.stdout.buffer.write(len(body).to_bytes(4, "big") + body)
        sys.stdout.buffer.flush()


main()
