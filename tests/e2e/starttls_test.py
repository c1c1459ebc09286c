#!/usr/bin/python3
"""Commands and replies injected around STARTTLS, and clear bytes behind the end of TLS: 0 of 800 are taken.

In: 200 payloads behind STARTTLS, in one segment with it, before and after its 220 (CVE-2011-0411, NO STARTTLS).  Out:
100 servers that say more than 220 (CVE-2021-38371).  500 sessions that end TLS in every state and go on in clear
(CVE-2026-45185)."""
import contextlib
import random
import socket
import ssl
import tempfile
import threading

from relay import PATIENCE, Certificates, Relay, Sink, equal, main, test, wait_until

CANARY = "injected@evil.example"
PAYLOADS = [b"RSET\r\n", b"NOOP\r\n", b"EHLO evil\r\n", f"MAIL FROM:<{CANARY}>\r\n".encode(), b"STARTTLS\r\n",
            b"QUIT\r\n",
            b"MAIL FROM:<a@b", b"x", b"\r\n", b"\0", b"BDAT 10 LAST\r\n0123456789", b"AUTH PLAIN AHUAcA==\r\n",
            f"MAIL FROM:<{CANARY}>\r\nRCPT TO:<b@corp.example>\r\nDATA\r\nx\r\n.\r\n".encode()]


class Client:
    """TLS over memory, so that every byte on the socket is the test's to choose."""

    def __init__(self, port, context):
        self.raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.context, self.tls = context, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def clear_reply(self):
        text = b""
        while not text.endswith(b"\n") or text.splitlines()[-1][3:4] == b"-":
            data = self.raw.recv(4096)
            if not data:
                break
            text += data
        return text

    def handshake(self):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_hostname="relay.corp.example")
        self.pump(self.tls.do_handshake)

    def pump(self, step):
        while True:
            try:
                result = step()
                self.raw.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                data = self.raw.recv(65536)
                if not data:
                    raise EOFError from None
                self.incoming.write(data)

    def say(self, data):
        self.tls.write(data)
        self.raw.sendall(self.outgoing.read())

    def reply(self):
        text = b""
        while not text.endswith(b"\n") or text.splitlines()[-1][3:4] == b"-":
            text += self.pump(lambda: self.tls.read(65536))
        return text

    def end_and(self, clear):
        """close_notify and clear bytes in one segment; everything that still comes."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.raw.sendall(self.outgoing.read() + clear)
        rest = b""
        with contextlib.suppress(OSError):
            while data := self.raw.recv(65536):
                rest += data
        return rest


@contextlib.contextmanager
def relay_with_tls():
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        certificate, key = certificates.issue("relay.corp.example")
        context = ssl.create_default_context(cafile=str(certificates.authority))
        with Relay("", sink, listener=f'certificate "{certificate}" key "{key}"') as relay:
            yield relay, sink, context


@test
def commands_behind_starttls():
    """200 payloads behind STARTTLS: the session ends, or they are part of the handshake; none is executed"""
    dice = random.Random(4)
    with relay_with_tls() as (relay, sink, context):
        for n in range(200):
            payload = b"".join(dice.choice(PAYLOADS) for _ in range(dice.randint(1, 4)))
            if n % 10 == 0:
                payload += b"NOOP\r\n" * dice.randint(1, 10_000)
            with Client(relay.port, context) as client:
                client.clear_reply()
                client.raw.sendall(b"EHLO c\r\n")
                client.clear_reply()
                if n % 2:  # in the command's own segment
                    client.raw.sendall(b"STARTTLS\r\n" + payload)
                    answer = client.clear_reply()
                    assert answer.startswith(b"554 5.5.0"), answer
                else:  # between the 220 and the handshake
                    client.raw.sendall(b"STARTTLS\r\n")
                    assert client.clear_reply().startswith(b"220 ")
                    with contextlib.suppress(OSError):
                        client.raw.sendall(payload)
                        client.raw.shutdown(socket.SHUT_WR)  # half a record would have the handshake wait for the rest
                with contextlib.suppress(OSError):
                    while data := client.raw.recv(65536):
                        assert not any(line[:3].isdigit() for line in data.split(b"\r\n")), data
        equal(relay.queue(), [])
        equal(sink.messages, [])


class Liar:
    """A server that puts more than its 220 behind STARTTLS, then does TLS as it should."""

    def __init__(self, extra, certificate):
        self.extra, self.commands = extra, b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with contextlib.suppress(OSError, ssl.SSLError), connection:
                    connection.settimeout(PATIENCE)
                    connection.sendall(b"220 liar\r\n")
                    connection.recv(4096)
                    connection.sendall(b"250-liar\r\n250 STARTTLS\r\n")
                    connection.recv(4096)
                    connection.sendall(b"220 go\r\n" + self.extra)
                    secure = self.context.wrap_socket(connection, server_side=True)
                    while data := secure.recv(4096):
                        self.commands += data
                        secure.sendall(b"250 ok\r\n")


@test
def replies_behind_the_220():
    """100 servers that say more than 220: nothing is delivered, nothing goes out in clear, the mail waits for TLS"""
    dice = random.Random(5)
    replies = [b"250 ok\r\n", b"250-liar\r\n250 SIZE\r\n", b"220 liar\r\n", b"354 go\r\n", b"221 bye\r\n", b"2",
               b"\r\n", b"\0"]
    with tempfile.TemporaryDirectory() as folder:
        certificate = Certificates(folder).issue("liar.example")
        liars = [Liar(b"".join(dice.choice(replies) for _ in range(dice.randint(1, 3))), certificate)
                 for _ in range(100)]
        connectors = {f"c{n}": f'host "127.0.0.1" port {liar.port} domains d{n}\nlist d{n} of domain = "d{n}.example"'
                      for n, liar in enumerate(liars)}
        with Relay("when always then require_tls", connectors=connectors,
                   retry="retry first 1 hour until 5 days") as relay:
            equal(relay.send(to=[f"b@d{n}.example" for n in range(100)])[0], 250)
            reasons = lambda: [r["delay_reason"] for row in relay.queue() for r in row["recipients"]
                               if "delay_reason" in r]
            wait_until(lambda: len(reasons()) == 100, "100 reasons")
            assert all(reason.startswith("4.7.5 ") for reason in reasons()), reasons()
        equal(b"".join(liar.commands for liar in liars), b"")
        for liar in liars:
            liar.listener.close()


@test
def clear_bytes_behind_tls():
    """500 sessions that end TLS in every state and go on in clear: no answer, no message"""
    states = [[], [b"EHLO c\r\n"], [b"EHLO c\r\n", b"MAIL FROM:<a@corp.example>\r\n"],
              [b"EHLO c\r\n", b"MAIL FROM:<a@corp.example>\r\n", b"RCPT TO:<b@partner.example>\r\n"],
              [b"EHLO c\r\n", b"MAIL FROM:<a@corp.example>\r\n", b"RCPT TO:<b@partner.example>\r\n", b"DATA\r\n"],
              [b"EHLO c\r\n", b"MAIL FROM:<a@corp.example>\r\n", b"RCPT TO:<b@partner.example>\r\n", b"BDAT 2\r\nab"]]
    unanswered = [b"", b"Subject: x\r\n\r\n", b"BDAT 100\r\npart of it", b"MAIL FR"]
    dice = random.Random(6)
    with relay_with_tls() as (relay, sink, context):
        for n in range(500):
            with Client(relay.port, context) as client:
                client.clear_reply()
                client.raw.sendall(b"EHLO c\r\n")
                client.clear_reply()
                client.raw.sendall(b"STARTTLS\r\n")
                client.clear_reply()
                client.handshake()
                state = states[n % len(states)]
                for line in state:
                    client.say(line)
                    client.reply()
                tail = dice.choice(unanswered)
                if tail:
                    client.say(tail)
                clear = dice.choice([b".\r\n", b"\r\n.\r\n", b"x", b"NOOP\r\n", b"BDAT 0 LAST\r\n", b"RSET\r\nQUIT\r\n",
                                     b"x" * 90 + b"\r\n.\r\n"])
                rest = client.end_and(clear)
                assert b"250" not in rest and b"2.0.0" not in rest, (n, rest)
        equal(relay.queue(), [])
        equal(sink.messages, [])


if __name__ == "__main__":
    main()
