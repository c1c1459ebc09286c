#!/usr/bin/python3
"""Postfix, Exim, OpenSMTPD and aiosmtpd before and behind the relay, twelve scenarios each: 96.

Behind: client, Sluice, peer, sink.  Before: client, peer, Sluice, sink.  The unpacked peers live in a mount namespace
each, so the script calls itself inside (tests/peers/peers.sh run NAME)."""
import contextlib
import os
import pathlib
import smtplib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Proxy as Forwarder

from relay import PATIENCE, ROOT, Message, Relay, equal, free_port, wait_until

SENDER = "sender@corp.example"
NAMES = ("postfix", "exim", "opensmtpd", "aiosmtpd")


class Sink:
    """aiosmtpd at the very end: refuses recipients that begin with `refused`."""

    def __init__(self):
        self.messages, self.lock = [], threading.Lock()
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, server_hostname="sink.test",
                                     decode_data=False, enable_SMTPUTF8=True)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        with self.lock:
            self.messages.append(Message(envelope, session))
        return "250 2.0.0 taken"

    def to(self, address):
        with self.lock:
            return [m for m in self.messages if address in m.recipients]

    def wait(self, address, count=1):
        wait_until(lambda: len(self.to(address)) >= count, f"{count} message(s) to {address} at the sink")
        messages = self.to(address)
        equal(len(messages), count, f"messages to {address}")
        return messages


def client(port):
    return smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=PATIENCE)


def send(port, to, content, sender=SENDER, options=()):
    with client(port) as c:
        c.ehlo()
        c.sendmail(sender, to, content, mail_options=[o for o in options if c.has_extn(o.split("=")[0]) or "=" in o])


def body(message):
    return message.content.split(b"\r\n\r\n", 1)[1]


# --- the scenarios: each gets the first hop's port, the sink, and a tag for its own addresses -------------------------
def plain(port, sink, tag):
    """a plain message"""
    send(port, [f"{tag}@end.example"], b"Subject: plain\r\n\r\nfirst\r\nlast\r\n")
    message = sink.wait(f"{tag}@end.example")[0]
    equal(body(message), b"first\r\nlast\r\n")
    equal(message.sender, SENDER)
    assert b"Subject: plain\r\n" in message.content


def eight_bits(port, sink, tag):
    """8-bit content"""
    text = "grüße, мир, 日本\r\n".encode()
    send(port, [f"{tag}@end.example"], b"Subject: 8\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
         b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text, options=["BODY=8BITMIME"])
    equal(body(sink.wait(f"{tag}@end.example")[0]), text)


def dots(port, sink, tag):
    """dots at the beginning of lines, and a line of 998 characters"""
    text = b".\r\n..\r\n.a\r\n" + b"x" * 998 + b"\r\n.\r\n"
    send(port, [f"{tag}@end.example"], b"Subject: dots\r\n\r\n" + text)
    equal(body(sink.wait(f"{tag}@end.example")[0]), text)


def many(port, sink, tag):
    """100 recipients, each once"""
    to = [f"{tag}-{n}@end.example" for n in range(100)]
    send(port, to, b"Subject: many\r\n\r\nx\r\n")
    for address in to:
        sink.wait(address)


def large(port, sink, tag):
    """three megabytes"""
    text = b"".join(b"%06d %s\r\n" % (n, b"z" * 64) for n in range(40_000))
    send(port, [f"{tag}@end.example"], b"Subject: large\r\n\r\n" + text)
    equal(body(sink.wait(f"{tag}@end.example")[0]) == text, True, "the content")


def empty(port, sink, tag):
    """a header without a body"""
    send(port, [f"{tag}@end.example"], b"Subject: empty\r\n\r\n")
    assert b"Subject: empty" in sink.wait(f"{tag}@end.example")[0].content


def null_sender(port, sink, tag):
    """the null reverse-path stays null"""
    send(port, [f"{tag}@end.example"], b"Subject: null\r\n\r\nx\r\n", sender="")
    assert sink.wait(f"{tag}@end.example")[0].sender in ("", "<>")


def two_in_a_session(port, sink, tag):
    """two messages in one session"""
    with client(port) as c:
        for n in range(2):
            c.sendmail(SENDER, [f"{tag}@end.example"], b"Subject: %d\r\n\r\n%d\r\n" % (n, n))
    equal(sorted(body(m) for m in sink.wait(f"{tag}@end.example", 2)), [b"0\r\n", b"1\r\n"])


def pipelined(port, sink, tag):
    """a transaction in as few segments as PIPELINING allows"""
    with client(port) as c:
        c.ehlo()
        if c.has_extn("pipelining"):
            c.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{tag}@end.example>\r\nDATA\r\n")
            equal([c.getreply()[0] for _ in range(3)], [250, 250, 354])
            c.send("Subject: pipelined\r\n\r\nx\r\n.\r\n")
            equal(c.getreply()[0], 250)
        else:
            c.sendmail(SENDER, [f"{tag}@end.example"], b"Subject: one by one\r\n\r\nx\r\n")
    sink.wait(f"{tag}@end.example")


def odd_addresses(port, sink, tag):
    """plus and slash in a local part, and capitals, arrive as written"""
    address = f"{tag}+Box/One@end.example"
    send(port, [address], b"Subject: odd\r\n\r\nx\r\n")
    sink.wait(address)


def refused(port, sink, tag):
    """a recipient that is refused in the end comes back as a report; its neighbour gets the message"""
    sender = f"{tag}-sender@back.example"
    with contextlib.suppress(smtplib.SMTPRecipientsRefused):
        send(port, [f"refused-{tag}@end.example", f"{tag}@end.example"], b"Subject: refused\r\n\r\nx\r\n",
             sender=sender)
    sink.wait(f"{tag}@end.example")
    report = sink.wait(sender)[0]
    assert report.sender in ("", "<>") and b"550" in report.content and b"5.1.1" in report.content, report.content


def internationalised(port, sink, tag):
    """an SMTPUTF8 recipient arrives, or comes back, or is refused at once; never a mangled address"""
    address, sender = f"{tag}-ñandú@end.example", f"{tag}-back@back.example"
    with client(port) as c:
        c.ehlo()
        if not c.has_extn("smtputf8"):
            equal(c.docmd(f"MAIL FROM:<{sender}> SMTPUTF8")[0] >= 500, True, "MAIL with SMTPUTF8")
            return
        c.command_encoding = "utf-8"
        c.mail(sender, ["SMTPUTF8"])
        code, _ = c.rcpt(address)
        if code >= 500:
            return
        equal(c.data(b"Subject: utf8\r\n\r\nx\r\n")[0], 250)
    wait_until(lambda: sink.to(address) or sink.to(sender), f"{address} or its report")
    if not sink.to(address):
        assert b"5.6.7" in sink.to(sender)[0].content or b"SMTPUTF8" in sink.to(sender)[0].content


def backlog(port, sink, tag, relay):
    """a backlog over few connections: what is sent ahead of an answer arrives once"""
    relay.sluice("queue", "suspend", "--connector", "default", "--reason", "backlog")
    to = [f"{tag}-{n}@end.example" for n in range(60)]
    for address in to:
        send(port, [address], b"Subject: backlog\r\n\r\n" + address.encode() + b"\r\n")
    relay.sluice("queue", "resume", "1")
    wait_until(lambda: all(sink.to(address) for address in to), "the backlog at the sink", 4 * PATIENCE)
    for address in to:
        equal(body(sink.wait(address)[0]), address.encode() + b"\r\n")


SCENARIOS = (plain, eight_bits, dots, many, large, empty, null_sender, two_in_a_session, pipelined, odd_addresses,
             refused,
             internationalised)


# --- the two roles ----------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def aiosmtpd(relay_to):
    """As a relay: aiosmtpd's own Proxy, which passes each message on with smtplib before it answers."""
    port = free_port()
    controller = Controller(Forwarder("127.0.0.1", relay_to), hostname="127.0.0.1", port=port, decode_data=False,
                            enable_SMTPUTF8=False)  # smtplib would not pass the addresses on
    controller.start()
    try:
        yield type("Server", (), {"port": port})
    finally:
        controller.stop()


def start(name, relay_to):
    if name == "aiosmtpd":
        return aiosmtpd(relay_to)
    import servers
    return servers.START[name](relay_to=relay_to)


def run_scenarios(name, role, port, sink, relay, scenarios=SCENARIOS):
    failed = 0
    for number, scenario in enumerate(scenarios, 1):
        title = f"{name} {role}: {scenario.__doc__}"
        try:
            more = (relay,) if scenario is backlog else ()
            scenario(port, sink, f"{role}{number}" if not more else f"{role}-backlog", *more)
            print(f"ok - {title}", flush=True)
        except Exception as e:  # the next scenario has its own addresses
            failed += 1
            print(f"not ok - {title}\n# {type(e).__name__}: {str(e)[:2000]}", flush=True)
            for line in relay.log[-8:]:
                print("#   " + line)
    return failed


def inside(name):
    sink = Sink()
    sink.controller.start()
    try:
        # aiosmtpd's Proxy forgets refusals: behind us it stands by itself, and the sink is one.
        with contextlib.nullcontext(sink) if name == "aiosmtpd" else start(name, sink.port) as peer:
            with Relay("", connectors={"default": f'host "127.0.0.1" port {peer.port}'}) as relay:
                failed = run_scenarios(name, "behind", relay.port, sink, relay)
                failed += run_scenarios(name, "behind", relay.port, sink, relay, [backlog])
        with Relay("", connectors={"default": f'host "127.0.0.1" port {sink.port}'}) as relay:
            with start(name, relay.port) as peer:
                failed += run_scenarios(name, "before", peer.port, sink, relay)
    finally:
        sink.controller.stop()
    return failed


def main():
    failed = inside("aiosmtpd") if len(sys.argv) < 2 or sys.argv[1] == "aiosmtpd" else 0
    for name in NAMES[:3]:
        if len(sys.argv) > 1 and sys.argv[1] != name:
            continue
        if not (ROOT / f"build/peers/{name}/done").exists():
            print(f"ok # SKIP {name} is not unpacked: make peers")
            continue
        failed += subprocess.run([ROOT / "tests/peers/peers.sh", "run", name, sys.executable, __file__, "inside",
                                  name]).returncode
    return failed != 0


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1:2] == ["inside"] else main())
