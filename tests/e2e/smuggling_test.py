#!/usr/bin/python3
"""335 ends of data that are none (reliability T01), and the one that is: no sequence makes a second message.

In: each in six segmentations, in clear and over STARTTLS, by DATA; and inside a chunk by BDAT.  Out: each by DATA and
by BDAT through the relay to Postfix, Exim, OpenSMTPD and aiosmtpd, which relay on: at the end there is one message for
each that was taken, and none from the sender that was smuggled.

A slice by default; SLUICE_WHOLE=1 for all of it.  The unpacked peers live in a mount namespace each: see
interop_test.py."""
import contextlib
import fcntl
import os
import pathlib
import random
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

import interop_test
from relay import PATIENCE, ROOT, Certificates, Relay, equal, wait_until

WHOLE = os.environ.get("SLUICE_WHOLE") == "1"
BEFORE = (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\0\r\n", b"\r\0\n", b"\r\n\0", b"\x0b", b"\x0c", b"\xc2\x85",
          b"\xe2\x80\xa8")
MIDDLE = (b".", b"..", b". ", b".\0")
AFTER = (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\r\0\n", b"\0\r\n", b"\n\n")
LEGAL = (b"\r\n", b".", b"\r\n")
SEQUENCES = [(b, m, a) for b in BEFORE for m in MIDDLE for a in AFTER if (b, m, a) != LEGAL]
EVIL = b"MAIL FROM:<evil@corp.example>\r\nRCPT TO:<evil@partner.example>\r\nDATA\r\nSubject: two\r\n\r\n2\r\n.\r\n"
SPLITS = range(6)


def is_stray(text):
    """Whether it holds a CR, an LF or a NUL that is none of CR LF."""
    rest = text.replace(b"\r\n", b"")
    return any(c in rest for c in b"\r\n\0")


def some(items, every):
    """All, or a slice that moves through every kind."""
    items = list(items)
    return items if WHOLE else random.Random(len(items)).sample(items, max(1, len(items) // every))


def segments(sequence, before, after, split):
    """The stream cut in one of six ways: not at all, in front, behind each of the three parts, everywhere."""
    b, m, a = sequence
    parts = (b, m, a)
    if split == 0:
        return [before + b + m + a + after]
    if split == 5:
        return [before, *(bytes([c]) for c in b + m + a), after]
    cut = sum(map(len, parts[:split - 1]))
    whole = b + m + a
    return [before + whole[:cut], whole[cut:] + after]


class Client:
    """One session, in clear or over STARTTLS, that sends what it is told in the segments it is told."""

    def __init__(self, port, context):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.say(b"EHLO client.test\r\n")
        if context:
            equal(self.say(b"STARTTLS\r\n"), 220)
            self.file.close()
            self.socket = context.wrap_socket(self.socket, server_hostname="relay.corp.example")
            self.file = self.socket.makefile("rb")
            self.say(b"EHLO client.test\r\n")

    def reply(self):
        while line := self.file.readline():
            if line[3:4] != b"-":
                return int(line[:3])
        return None

    def say(self, text):
        self.socket.sendall(text)
        return self.reply()

    def send(self, pieces):
        """Each piece has left before the next one goes: the kernel's queue is empty, or the relay has ended the
        session."""
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.socket.sendall(piece)
                gone = select.poll()
                gone.register(self.socket, select.POLLIN)
                while struct.unpack("i", fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]:
                    if gone.poll(0):
                        break

    def rest(self):
        codes = []
        with contextlib.suppress(OSError, ssl.SSLError):
            while code := self.reply():
                codes.append(code)
        return codes

    def close(self):
        self.file.close()
        self.socket.close()


class Counter:
    """How many of each: by the address that the message was meant for."""

    def __init__(self):
        self.ok = self.bad = 0

    def tell(self, title, problems):
        print(("not ok - " if problems else "ok - ") + title, flush=True)
        for line in problems[:10]:
            print("# " + line)
        self.bad += bool(problems)


def by_data(port, context, sequence, split, address, sender=b"a@corp.example"):
    """The codes that follow the content: the message's own, and those of what was smuggled, if it was."""
    client = Client(port, context)
    client.say(b"MAIL FROM:<" + sender + b">\r\n")
    client.say(b"RCPT TO:<" + address + b">\r\n")
    equal(client.say(b"DATA\r\n"), 354)
    client.send(segments(sequence, b"Subject: one\r\n\r\nhello", EVIL + b"QUIT\r\n", split))
    codes = client.rest()
    client.close()
    return codes


def by_bdat(port, context, sequence, address, sender=b"a@corp.example"):
    client = Client(port, context)
    content = b"Subject: one\r\n\r\nhello" + b"".join(sequence) + EVIL
    client.say(b"MAIL FROM:<" + sender + b">\r\n")
    client.say(b"RCPT TO:<" + address + b">\r\n")
    client.send([b"BDAT %d LAST\r\n" % len(content) + content[:30], content[30:], b"NOOP\r\nQUIT\r\n"])
    codes = client.rest()
    client.close()
    return codes


def judge_codes(sequence, codes, by):
    stray = is_stray(b"".join(sequence))
    want = {"data": [554] if stray else [250, 221], "bdat": [554, 250, 221] if stray else [250, 250, 221]}[by]
    return None if codes == want else f"{b''.join(sequence)!r} by {by}: {codes}, want {want}"


def settle(sink, relay, wanted):
    """Once nothing is under way any more: what is wrong with what arrived."""
    wait_until(lambda: relay.queue() == [], "an empty queue", 120)
    wait_until(lambda: len(sink.messages) >= len(wanted), f"{len(wanted)} messages at the sink", 120)
    problems = []
    for address in wanted:
        if len(sink.to(address)) != 1:
            problems.append(f"{address}: {len(sink.to(address))} messages")
    if len(sink.messages) != len(wanted):
        problems.append(f"{len(sink.messages)} messages, want {len(wanted)}")
    problems += [f"from {m.sender} to {m.recipients}" for m in sink.messages if "evil" in m.sender
                 + "".join(m.recipients)]
    return problems


def into_the_relay(counter):
    sink = interop_test.Sink()
    sink.controller.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            certificates = Certificates(folder)
            certificate, key = certificates.issue("relay.corp.example")
            tls = ssl.create_default_context(cafile=str(certificates.authority))
            with Relay("", listener=f'certificate "{certificate}" key "{key}" sessions_per_client 0',
                       connectors={"default": f'host "127.0.0.1" port {sink.port}'}) as relay:
                cases = [(s, split, secure) for s in SEQUENCES for split in SPLITS for secure in (False, True)]
                cases += [(s, "bdat", secure) for s in [*SEQUENCES, LEGAL] for secure in (False, True)]
                cases = some(cases, 30)
                problems, wanted = [], []
                for number, (sequence, split, secure) in enumerate(cases):
                    address, context = f"n{number}@partner.example", tls if secure else None
                    if split == "bdat":
                        wrong = judge_codes(sequence, by_bdat(relay.port, context, sequence, address.encode()), "bdat")
                    else:
                        wrong = judge_codes(sequence, by_data(relay.port, context, sequence, split, address.encode()),
                                            "data")
                    if wrong:
                        problems.append(wrong)
                    if not is_stray(b"".join(sequence)):
                        wanted.append(address)
                problems += settle(sink, relay, wanted)
                counter.tell(f"into the relay: {len(cases)} of {len(SEQUENCES)} sequences x 6 x 2 and by "
                             f"BDAT; {len(wanted)} are content,"
                             " the others refused, no second message", problems)
    finally:
        sink.controller.stop()


def through_the_relay(name, counter):
    """A peer behind us that relays to the sink; aiosmtpd is the sink itself."""
    sink = interop_test.Sink()
    sink.controller.start()
    try:
        with contextlib.nullcontext(sink) if name == "aiosmtpd" else interop_test.start(name, sink.port) as peer:
            with Relay("", listener="sessions_per_client 0",
                       connectors={"default": f'host "127.0.0.1" port {peer.port}'}) as relay:
                content = [s for s in [*SEQUENCES, LEGAL] if not is_stray(b"".join(s))]
                refused = [s for s in SEQUENCES if is_stray(b"".join(s))]
                problems, wanted = [], []
                for number, sequence in enumerate(content + some(refused, 30)):
                    for by in ("data", "bdat"):
                        if by == "data" and sequence == LEGAL:
                            continue  # two messages, by all rules
                        address = f"{by}{number}@partner.example"
                        if by == "data":
                            codes = by_data(relay.port, None, sequence, 0, address.encode())
                        else:
                            codes = by_bdat(relay.port, None, sequence, address.encode())
                        wrong = judge_codes(sequence, codes, by)
                        if wrong:
                            problems.append(wrong)
                        if not is_stray(b"".join(sequence)):
                            wanted.append(address)
                problems += settle(sink, relay, wanted)
                counter.tell(f"{name} behind the relay counts {len(wanted)} of {len(wanted)} messages, and none that "
                             f"was smuggled", problems)
    finally:
        sink.controller.stop()


def inside(name):
    counter = Counter()
    through_the_relay(name, counter)
    return counter.bad


def main():
    counter = Counter()
    equal(len(SEQUENCES), 335)
    into_the_relay(counter)
    through_the_relay("aiosmtpd", counter)
    failed = counter.bad
    for name in interop_test.NAMES[:3]:
        if not (ROOT / f"build/peers/{name}/done").exists():
            print(f"ok # SKIP {name} is not unpacked: make peers")
            continue
        failed += subprocess.run([ROOT / "tests/peers/peers.sh", "run", name, sys.executable, __file__, "inside",
                                  name]).returncode
    return failed != 0


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1:2] == ["inside"] else main())
