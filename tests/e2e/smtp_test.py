#!/usr/bin/python3
"""Hostile and foreign clients: the right code, nothing kept; swaks, smtp-source and STARTTLS in."""
import json
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile

from relay import PATIENCE, ROOT, Certificates, Relay, Sink, Skip, equal, main, test, wait_until

RULES = 'when subject contains "top secret" then require_tls'


class Raw:
    """A client that sends exactly the bytes it is told to."""

    def __init__(self, relay):
        self.socket = socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")
        self.reply()

    def reply(self):
        lines = []
        while line := self.file.readline():
            lines.append(line.decode())
            if line[3:4] != b"-":
                return int(line[:3]), "".join(lines)
        return None, "".join(lines)

    def say(self, data):
        self.socket.sendall(data)
        return self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def nothing_kept(relay, sink):
    equal(relay.queue(), [])
    equal(sink.messages, [])


@test
def out_of_order():
    """commands out of order: 503, and the session goes on"""
    with Sink() as sink, Relay(RULES, sink) as relay, Raw(relay) as raw:
        equal(raw.say(b"RCPT TO:<b@partner.example>\r\n")[0], 503)
        equal(raw.say(b"DATA\r\n")[0], 503)
        equal(raw.say(b"EHLO x\r\n")[0], 250)
        equal(raw.say(b"RCPT TO:<b@partner.example>\r\n")[0], 503)
        equal(raw.say(b"MAIL FROM:<a@corp.example>\r\n")[0], 250)
        equal(raw.say(b"MAIL FROM:<a@corp.example>\r\n")[0], 503)
        equal(raw.say(b"DATA\r\n")[0], 503)
        equal(raw.say(b"NONSENSE\r\n")[0], 500)
        equal(raw.say(b"RSET\r\n")[0], 250)
        nothing_kept(relay, sink)


@test
def line_ends():
    """bare LF, bare CR or NUL in the content: 554, the session closes, nothing is kept"""
    for bad in (b"bare\nlf\r\n", b"bare\rcr\r\n", b"nul\0byte\r\n", b"\n.\n", b"x\r\n.\nMAIL FROM:<evil@x>\r\n"):
        with Sink() as sink, Relay(RULES, sink) as relay, Raw(relay) as raw:
            raw.say(b"EHLO x\r\n")
            raw.say(b"MAIL FROM:<a@corp.example>\r\n")
            raw.say(b"RCPT TO:<b@partner.example>\r\n")
            equal(raw.say(b"DATA\r\n")[0], 354)
            equal(raw.say(b"Subject: x\r\n\r\n" + bad + b"\r\n.\r\n")[0], 554, bad)
            equal(raw.reply()[0], None, "closed")
            nothing_kept(relay, sink)
            told = 'event=disconnect client=127.0.0.1 reason="bare CR, bare LF or NUL in the content"'
            wait_until(lambda: any(told in line for line in relay.log), "the reason in the log")


@test
def long_lines():
    """an over-long command: 500"""
    with Sink() as sink, Relay(RULES, sink) as relay, Raw(relay) as raw:
        equal(raw.say(b"EHLO " + b"x" * 100_000 + b"\r\n")[0], 500)
        nothing_kept(relay, sink)


@test
def size():
    """SIZE over the limit: 552 at MAIL, and after the dot when it was not said"""
    with Sink() as sink, Relay(RULES, sink, relay="message_size 100 KB") as relay, Raw(relay) as raw:
        assert "SIZE 102400" in raw.say(b"EHLO x\r\n")[1]
        equal(raw.say(b"MAIL FROM:<a@corp.example> SIZE=200000\r\n")[0], 552)
        told = "-: event=refused from=a@corp.example client=127.0.0.1 code=552 status=5.3.4"
        wait_until(lambda: sum(told in line for line in relay.log) == 1, "the refusal of MAIL in the log")
        equal(raw.say(b"MAIL FROM:<a@corp.example>\r\n")[0], 250)
        equal(raw.say(b"RCPT TO:<b@partner.example>\r\n")[0], 250)
        equal(raw.say(b"DATA\r\n")[0], 354)
        equal(raw.say(b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 2000 + b".\r\n")[0], 552)
        told = "event=refused from=a@corp.example to=b@partner.example client=127.0.0.1 code=552 status=5.3.4"
        wait_until(lambda: any(told in line for line in relay.log), "the refusal in the log")
        nothing_kept(relay, sink)


@test
def extensions():
    """EHLO offers what is spoken"""
    with Sink() as sink, Relay(RULES, sink) as relay, Raw(relay) as raw:
        text = raw.say(b"EHLO x\r\n")[1]
        for word in ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "LIMITS RCPTMAX=1000",
                     "ENHANCEDSTATUSCODES"):
            assert re.search(rf"250[- ]{word}\b", text), text
        assert "STARTTLS" not in text, "no certificate, no STARTTLS"


@test
def chunks():
    """BDAT in, BDAT on to the next relay, DATA to the last: the same bytes arrive"""
    body = b"Subject: c\r\n\r\n" + b"".join(b".%d\r\n" % n for n in range(20_000))
    with Sink() as sink, Relay(RULES, sink) as second, Relay(RULES, second) as first, Raw(first) as raw:
        raw.say(b"EHLO x\r\n")
        raw.say(b"MAIL FROM:<a@corp.example>\r\n")
        raw.say(b"RCPT TO:<b@partner.example>\r\n")
        for at in range(0, len(body), 50_000):
            piece = body[at:at + 50_000]
            last = b" LAST" if at + 50_000 >= len(body) else b""
            equal(raw.say(b"BDAT %d%s\r\n" % (len(piece), last) + piece)[0], 250)
        content = sink.wait()[0].content
        assert content.endswith(body), content[:600]
        equal(content[:-len(body)].count(b"Received:"), 2)


@test
def binary():
    """BODY=BINARYMIME goes to a host that takes it, and back with 5.6.3 from one that does not"""
    with Sink() as sink, Relay(RULES, sink) as second, Relay(RULES, second) as first, Raw(first) as raw:
        raw.say(b"EHLO x\r\n")
        equal(raw.say(b"MAIL FROM:<a@corp.example> BODY=BINARYMIME\r\n")[0], 250)
        raw.say(b"RCPT TO:<b@partner.example>\r\n")
        content = b"Subject: bin\r\n\r\n\0\n\r.\n"
        equal(raw.say(b"BDAT %d LAST\r\n" % len(content) + content)[0], 250)
        report = sink.wait()[0]
        equal(report.sender, "<>")
        assert b"Status: 5.6.3" in report.content and b"Reporting-MTA: dns; relay.corp.example" in report.content
        assert report.content.count(b"Received:") >= 2, report.content


@test
def internationalised():
    """SMTPUTF8 addresses travel where they are understood, and come back with 5.6.7 where not"""
    sender, recipient = "jos\u00e9@corp.example", "\u0438\u0432\u0430\u043d@partner.example"
    for utf8 in (True, False):
        with Sink(utf8=utf8) as sink, Relay(RULES, sink) as relay, Raw(relay) as raw:
            raw.say(b"EHLO x\r\n")
            equal(raw.say(f"MAIL FROM:<{sender}>\r\n".encode())[0], 550)
            source = sender if utf8 else "a@corp.example"
            equal(raw.say(f"MAIL FROM:<{source}> SMTPUTF8\r\n".encode())[0], 250)
            equal(raw.say(f"RCPT TO:<{recipient}>\r\n".encode())[0], 250)
            raw.say(b"DATA\r\n")
            equal(raw.say("Subject: \u00fc\r\n\r\nx\r\n.\r\n".encode())[0], 250)
            message = sink.wait()[0]
            if utf8:
                equal((message.sender, message.recipients), (sender, [recipient]))
                assert b"with UTF8SMTP id" in message.headers, message.headers
            else:
                assert b"Status: 5.6.7" in message.content, message.content


@test
def pipelined():
    """a whole transaction in one segment is answered in order"""
    with Sink() as sink, Relay(RULES, sink) as relay, Raw(relay) as raw:
        raw.say(b"EHLO x\r\n")
        raw.socket.sendall(b"MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nRCPT TO:<bad\r\nDATA\r\n")
        equal([raw.reply()[0] for _ in range(4)], [250, 250, 501, 354])
        equal(raw.say(b"Subject: p\r\n\r\nbody\r\n.\r\n")[0], 250)
        sink.wait()


@test
def starttls_in():
    """STARTTLS in: the session begins anew under TLS, Received says so, injected bytes end it"""
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        certificate, key = certificates.issue("relay.corp.example")
        with Relay('when encrypted then add_header "X-Was-Encrypted" "yes"', sink,
                   listener=f'certificate "{certificate}" key "{key}"') as relay:
            context = ssl.create_default_context(cafile=str(certificates.authority))
            client = smtplib.SMTP(local_hostname="client.test", timeout=PATIENCE)
            client.connect("127.0.0.1", relay.port)
            client._host = "relay.corp.example"
            client.starttls(context=context)
            client.sendmail("a@corp.example", ["b@partner.example"], "Subject: s\r\n\r\nx\r\n")
            client.quit()
            head = sink.wait()[0].headers
            assert b"with ESMTPS" in head and b"X-Was-Encrypted: yes" in head, head
            with Raw(relay) as raw:
                raw.say(b"EHLO x\r\n")
                code, _ = raw.say(b"STARTTLS\r\nMAIL FROM:<evil@x>\r\n")
                equal(code, 554, "injection")
                equal(raw.reply()[0], None, "closed")


@test
def tls_first():
    """tls implicit: TLS from the first byte; tls required: nothing but STARTTLS in clear"""
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        certificate, key = certificates.issue("relay.corp.example")
        files = f'certificate "{certificate}" key "{key}"'
        context = ssl.create_default_context(cafile=str(certificates.authority))
        with Relay(RULES, sink, listener=files + " tls implicit") as relay:
            raw = socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE)
            with context.wrap_socket(raw, server_hostname="relay.corp.example") as secure:
                file = secure.makefile("rwb")
                assert file.readline().startswith(b"220 "), "the greeting comes inside TLS"
                file.write(b"EHLO x\r\nMAIL FROM:<a@corp.example>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\n")
                file.flush()
                text = b""
                while b"354 " not in text:
                    text += file.readline()
                assert b"STARTTLS" not in text and b"250-REQUIRETLS" in text, text
                file.write(b"Subject: s\r\n\r\nx\r\n.\r\nQUIT\r\n")
                file.flush()
                assert file.readline().startswith(b"250 ")
            assert b"with ESMTPS" in sink.wait()[0].headers
            with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as clear:
                clear.sendall(b"EHLO x\r\n")
                assert b"250" not in clear.recv(4096), "clear text is no TLS"
        with Relay(RULES, sink, listener=files + " tls required") as relay, Raw(relay) as raw:
            raw.say(b"EHLO x\r\n")
            equal(raw.say(b"MAIL FROM:<a@corp.example>\r\n")[0], 530)
            equal(raw.say(b"STARTTLS\r\n")[0], 220)


@test
def behind_a_balancer():
    """proxy_from: the client's address is the header's"""
    with Sink() as sink, Relay(RULES, sink, listener="proxy_from trusted_networks") as relay:
        with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as raw:
            raw.sendall(b"PROXY TCP4 192.0.2.77 127.0.0.1 4000 25\r\n")
            file = raw.makefile("rb")
            assert file.readline().startswith(b"220 ")
            raw.sendall(
                b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@corp.example>\r\nRCPT TO:<d@partner.example>\r\n")
            replies = []
            while len(replies) < 4:
                line = file.readline()
                if line[3:4] == b" ":
                    replies.append(int(line[:3]))
            equal(replies, [250, 250, 250, 550], "192.0.2.77 is none of trusted_networks")


@test
def json_log():
    """relay log_format json: every event of the running relay is one JSON object, the attempt says what was asked and
    had"""
    with Sink() as sink, Relay(RULES, sink, relay="log_format json") as relay:
        relay.send(subject='a "quoted" subject')
        sink.wait()
        wait_until(lambda: any('"event":"delivered"' in line for line in relay.log), "the attempt in the log")
        events = [json.loads(line) for line in relay.log if line.startswith("{")]
        attempt = next(e for e in events if e["event"] == "delivered")
        equal((attempt["to"], attempt["tls_asked"], attempt["tls_had"], attempt["attempts"]),
              ("b@partner.example", "none", "none", 1))
        assert next(e for e in events if e["event"] == "queued")["id"] == attempt["id"]
        assert not any("quoted" in line for line in relay.log), "a subject is not logged"


@test
def swaks():
    """swaks sends through it, in clear and over STARTTLS"""
    if not shutil.which("swaks"):
        raise Skip("swaks is not installed")
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificate, key = Certificates(folder).issue("relay.corp.example")
        with Relay(RULES, sink, listener=f'certificate "{certificate}" key "{key}"') as relay:
            for more in ([], ["--tls"], ["--pipeline"]):
                done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(relay.port), "--from",
                                       "a@corp.example",
                                       "--to", "b@partner.example", "--helo", "swaks.test", *more], capture_output=True,
                                      text=True,
                                      timeout=PATIENCE)
                equal(done.returncode, 0, done.stdout + done.stderr)
            sink.wait(3)


@test
def smtp_source():
    """Postfix's smtp-source: 200 messages over 10 sessions, none lost, hits equal messages"""
    program = ROOT / "build/peers/postfix/root/usr/sbin/smtp-source"
    if not program.exists():
        raise Skip("make peers has not been run")
    with Sink() as sink, Relay('rule "count" when always then mark "seen"', sink) as relay:
        tree = ROOT / "build/peers/postfix/root/usr/lib"
        libraries = f"{tree}/postfix:{tree}/x86_64-linux-gnu"
        for more in ([], ["-d"]):
            subprocess.run([str(program), "-s", "10", "-m", "100", "-l", "4096", "-f", "a@corp.example", "-t",
                            "b@partner.example", *more, f"127.0.0.1:{relay.port}"], check=True, timeout=PATIENCE,
                           env=dict(os.environ, LD_LIBRARY_PATH=libraries))
        sink.wait(200)
        wait_until(lambda: relay.rules()["count"]["applied"] == 200, "200 hits")


if __name__ == "__main__":
    main()
