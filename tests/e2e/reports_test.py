#!/usr/bin/python3
"""Reports of delivery and of its failure (RFC 3461, 3464): who gets one, when, and what it brings back."""
import email
import email.policy
import socket
import threading

from relay import Relay, Sink, equal, free_port, main, test, wait_until

TLS = 'rule "secrets" when subject contains "secret" then require_tls verified'


class DsnServer:
    """An SMTP server that offers DSN, or not, and writes down every command."""

    def __init__(self, offers_dsn=True):
        self.offers_dsn, self.commands, self.contents = offers_dsn, [], []
        self._listen = socket.create_server(("127.0.0.1", 0))
        self.port = self._listen.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listen.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listen.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        file = peer.makefile("rwb")

        def say(text):
            file.write(text.encode() + b"\r\n")
            file.flush()

        say("220 dsn.test")
        for line in file:
            command = line.decode().strip()
            self.commands.append(command)
            if command.startswith("EHLO"):
                say("250-dsn.test\r\n250-8BITMIME\r\n" + ("250-DSN\r\n" if self.offers_dsn else "") + "250 PIPELINING")
            elif command == "DATA":
                say("354 go")
                content = b""
                while (line := file.readline()) not in (b".\r\n", b""):
                    content += line
                self.contents.append(content)
                say("250 2.0.0 taken")
            elif command == "QUIT":
                say("221 bye")
                return
            else:
                say("250 2.0.0 ok")


def report(content):
    """(text, {recipient: fields}, third part) of a delivery status notification, as Python's email reads it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    equal(message.get_content_type(), "multipart/report")
    parts = list(message.iter_parts())
    equal([p.get_content_type() for p in parts[:2]], ["text/plain", "message/delivery-status"])
    blocks = parts[1].get_payload()
    rows = {str(b["Final-Recipient"]).split(";")[1].strip(): b for b in blocks[1:]}
    return message, blocks[0], rows, parts[2]


def send_with(relay, mail_options, rcpt_options, to="b@partner.example", sender="a@corp.example"):
    with relay.smtp() as client:
        client.ehlo("client.test")
        assert client.has_extn("dsn")
        code, text = client.mail(sender, mail_options)
        equal(code, 250, text)
        code, text = client.rcpt(to, rcpt_options)
        equal(code, 250, text)
        equal(client.data(b"Subject: x\r\n\r\nthe body\r\n")[0], 250)


@test
def parameters_travel():
    """DSN parameters go on unchanged to a server that offers DSN, which then reports; to another none go, and we
    report"""
    options = ["RET=FULL", "ENVID=a+2Bb"], ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;B+2Bx@Partner.example"]
    with DsnServer() as server, Relay("when always then log \"x\"",
                                      connectors={"default": f'host "127.0.0.1" port {server.port}'}) as relay:
        send_with(relay, *options)
        wait_until(lambda: server.contents, "the message")
        mail = next(c for c in server.commands if c.startswith("MAIL"))
        rcpt = next(c for c in server.commands if c.startswith("RCPT"))
        assert " RET=FULL" in mail and " ENVID=a+2Bb" in mail, mail
        assert " NOTIFY=SUCCESS,FAILURE" in rcpt and " ORCPT=rfc822;B+2Bx@Partner.example" in rcpt, rcpt
        wait_until(lambda: not relay.queue(), "no report of ours")
        equal(len(server.contents), 1)
    with DsnServer(offers_dsn=False) as server, \
            Relay("when always then log \"x\"",
                  connectors={"default": f'host "127.0.0.1" port {server.port}'}) as relay:
        send_with(relay, *options)
        wait_until(lambda: len(server.contents) == 2, "the message and our report")
        assert not any("NOTIFY" in c or "ENVID" in c for c in server.commands), server.commands
        message, whole, rows, third = report(server.contents[1])
        equal(str(whole["Original-Envelope-Id"]), "a+b")
        equal(str(rows["b@partner.example"]["Action"]), "relayed")
        equal(str(rows["b@partner.example"]["Original-Recipient"]), "rfc822;B+x@Partner.example")
        equal(third.get_content_type(), "text/rfc822-headers")
        assert "MAIL FROM:<>" in server.commands[-3] or any(c.startswith("MAIL FROM:<>")
                                                            for c in server.commands), server.commands


@test
def failures():
    """a failure is reported once: RET=FULL returns all, HDRS the header, an obliged message its header only; NEVER and
    <> nothing"""
    with Sink() as sink:
        # What is for bad.example goes where nobody takes it; reports go to the sink.
        class Refusing(Sink):
            async def handle_RCPT(self, server, session, envelope, address, options):
                return "550 5.1.1 no such user"
        with Refusing() as bad:
            connectors = {"default": f'host "127.0.0.1" port {sink.port}',
                          "bad": f'host "127.0.0.1" port {bad.port} domains bads'}
            with Relay('list bads of domain = "bad.example"\n' + TLS, connectors=connectors) as relay:
                send_with(relay, ["RET=FULL", "ENVID=one"], [], to="x@bad.example")
                _, whole, rows, third = report(sink.wait(1)[0].content)
                equal(sink.messages[0].sender, "<>")
                equal(str(rows["x@bad.example"]["Action"]), "failed")
                equal(str(rows["x@bad.example"]["Status"]), "5.1.1")
                equal(third.get_content_type(), "message/rfc822")
                assert "the body" in third.as_string()
                send_with(relay, ["RET=HDRS"], ["NOTIFY=FAILURE"], to="x@bad.example")
                third = report(sink.wait(2)[1].content)[3]
                equal(third.get_content_type(), "text/rfc822-headers")
                send_with(relay, [], ["NOTIFY=NEVER"], to="x@bad.example")
                send_with(relay, [], ["NOTIFY=DELAY"], to="x@bad.example")
                send_with(relay, [], [], to="x@bad.example", sender="")
                wait_until(lambda: sum("event=returned" in line for line in relay.log) == 5, "five refusals in the log")
                wait_until(lambda: not relay.queue(), "an empty queue")
                equal(len(sink.messages), 2)


@test
def delays():
    """a delay is told once, to whom it may be, with when it is given up"""
    port = free_port()
    with Sink() as sink:
        connectors = {"default": f'host "127.0.0.1" port {sink.port}',
                      "dead": f'host "127.0.0.1" port {port} domains deads first 1 second longest 1 second notice 2 '
                              f'seconds until 1 hour'}
        with Relay('list deads of domain = "dead.example"', connectors=connectors) as relay:
            send_with(relay, ["RET=FULL"], [], to="x@dead.example")
            send_with(relay, [], ["NOTIFY=FAILURE"], to="quiet@dead.example")
            message, whole, rows, third = report(sink.wait(1)[0].content)
            equal(list(rows), ["x@dead.example"])
            equal(str(rows["x@dead.example"]["Action"]), "delayed")
            assert rows["x@dead.example"]["Will-Retry-Until"], rows
            equal(third.get_content_type(), "text/rfc822-headers")
            tried = {r["address"]: r["attempts"] for row in relay.queue() for r in row["recipients"]}
            wait_until(lambda: all(r["attempts"] > tried[r["address"]] + 1 for row in relay.queue()
                                   for r in row["recipients"]), "two more tries")
            equal(len(sink.messages), 1)
            equal([r.get("delay_told") for row in relay.queue() for r in row["recipients"]
                   if r["address"] == "x@dead.example"], [True])


@test
def own_schedule():
    """a connector's own lifetime returns its mail, and only its"""
    with Sink() as sink:
        connectors = {"default": f'host "127.0.0.1" port {free_port()}',
                      "quick": f'host "127.0.0.1" port {free_port()} domains quicks first 1 second longest 1 second '
                               f'until 3 seconds',
                      "home": f'host "127.0.0.1" port {sink.port} domains our_domains'}
        with Relay('list quicks of domain = "quick.example"', connectors=connectors) as relay:
            relay.send("x", to=("x@quick.example",))
            relay.send("y", to=("y@slow.example",))
            _, _, rows, _ = report(sink.wait(1)[0].content)
            equal(str(rows["x@quick.example"]["Status"]), "5.4.7")
            wait_until(lambda: [r["address"] for row in relay.queue() for r in row["recipients"]] == ["y@slow.example"],
                       "one waits on")


if __name__ == "__main__":
    main()
