#!/usr/bin/python3
"""Live lists: the message after `sluice list add` sees it, exactly; they survive reloads, dead judges and restarts."""
import json
import os
import signal
import socket

from relay import SANITIZED, Relay, Sink, equal, main, test, wait_until

ROUNDS = 100 if SANITIZED else 1000
RULES = """
list vips of address in table "vips"
list words of text in table "words"
list nets of network in table "nets"
rule "vip" when sender is in vips then reject "a vip"
rule "word" when subject is in words then reject "a word"
rule "net" when client.ip is in nets then reject "a net"
"""


class Control:
    """One connection to the control socket, for many requests."""

    def __init__(self, relay):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(relay.control))
        self.file = self.socket.makefile("rwb")

    def ask(self, op, **members):
        self.file.write(json.dumps({"v": 1, "op": op, **members}).encode() + b"\n")
        self.file.flush()
        rows = []
        while True:
            answer = json.loads(self.file.readline())
            if "ok" in answer:
                assert answer["ok"], answer
                return rows
            rows.append(answer)


class Session:
    """One SMTP session with one write and one read a message: MAIL, RCPT and DATA together, then the content."""

    def __init__(self, relay):
        self.socket = socket.create_connection(("127.0.0.1", relay.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.socket.sendall(b"EHLO client.test\r\n")
        self.reply()

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return int(line[:3]), line.decode()

    def send(self, sender, subject="x"):
        self.socket.sendall(f"MAIL FROM:<{sender}>\r\nRCPT TO:<b@partner.example>\r\nDATA\r\n".encode())
        for wanted in (250, 250, 354):
            equal(self.reply()[0], wanted)
        self.socket.sendall(f"Subject: {subject}\r\n\r\ntext\r\n.\r\n".encode())
        return self.reply()[0]


@test
def exact():
    """1,000 times (add, send, remove, send): 2,000 right verdicts"""
    with Sink() as sink, Relay(RULES + 'when always then drop\n', sink, relay="judges 3") as relay:
        control, session = Control(relay), Session(relay)
        right = 0
        for n in range(ROUNDS):
            sender = f"user{n % 7}@corp.example"
            control.ask("list add", list="vips", entries=[sender])
            right += session.send(sender) == 550
            control.ask("list remove", list="vips", entries=[sender])
            right += session.send(sender) == 250
        equal(right, 2 * ROUNDS, "right verdicts")
        equal(control.ask("list")[0]["revision"], 2 * ROUNDS)


@test
def by_command():
    """`sluice list`: add, show, remove; entries are held to the list's type; all of a request or none"""
    with Sink() as sink, Relay(RULES, sink) as relay:
        said = relay.sluice("list", "add", "vips", "A@Corp.Example", "@partner.example").stdout
        equal(said, "2 added; 2 in the list now\n")
        equal(relay.sluice("list", "add", "vips", "a@CORP.example").stdout,
              "0 added, 1 there already; 2 in the list now\n")
        equal(relay.sluice("list", "show", "vips").stdout, "@partner.example\na@CORP.example\n")
        equal(relay.send("x", sender="a@corp.example")[0], 550)
        equal(relay.send("x", sender="z@partner.example", to=["c@corp.example"])[0], 550)
        equal(relay.send("x", sender="b@corp.example")[0], 250)
        bad = relay.sluice("list", "add", "vips", "c@corp.example", "nonsense", check=False)
        equal(bad.returncode, 65)
        assert "\"nonsense\" is no address" in bad.stderr, bad.stderr
        equal(relay.sluice("list", "show", "vips").stdout.count("\n"), 2, "nothing of it was added")
        equal(relay.sluice("list", "add", "nowhere", "x", check=False).returncode, 66)
        relay.sluice("list", "add", "words", "Top  Secret")
        equal(relay.send("top secret", sender="b@corp.example")[0], 550)
        relay.sluice("list", "add", "nets", "127.0.0.0/9")
        equal(relay.send("x", sender="b@corp.example")[0], 550)
        equal(json.loads(relay.sluice("list", "remove", "nets", "127.0.0.0/9", "--json").stdout)["changed"], 1)
        equal(relay.send("x", sender="b@corp.example")[0], 250)
        rows = [json.loads(line) for line in relay.sluice("list", "--json").stdout.splitlines()]
        equal([(row["list"], row["entries"], row["available"]) for row in rows],
              [("vips", 2, True), ("words", 1, True), ("nets", 0, True)])
        many = "# a comment\n\n" + "".join(f"user{n}@many.example\n" for n in range(20000))
        (relay.folder / "many.txt").write_text(many)
        equal(relay.sluice("list", "add", "vips", "--from", relay.folder / "many.txt").stdout,
              "20000 added; 20002 in the list now\n")
        equal(relay.send("x", sender="user19999@many.example", to=["c@corp.example"])[0], 550)
        equal(relay.send("x", sender="user20000@many.example", to=["c@corp.example"])[0], 250)


@test
def survives():
    """a reload, a judge killed, the relay killed and a restart: the list is there for the first message"""
    with Sink() as sink, Relay(RULES, sink) as relay:
        relay.sluice("list", "add", "vips", "a@corp.example")

        def right():
            equal(relay.send("x", sender="a@corp.example")[0], 550)
            equal(relay.send("x", sender="b@corp.example")[0], 250)
        relay.write_rules(RULES.replace("a vip", "a known vip"))
        relay.sluice("reload")
        assert "a known vip" in relay.send("x", sender="a@corp.example")[1]
        right()
        for pid in relay.children()["sluiced-judge"]:
            os.kill(pid, signal.SIGKILL)
        right()
        os.kill(relay.children()["sluiced-relay"][0], signal.SIGKILL)

        def taken():
            try:
                return relay.send("x", sender="b@corp.example")[0] == 250
            except OSError:
                return False
        wait_until(taken, "mail is taken again")
        right()
        relay.stop()
        relay.start()
        right()
        equal(relay.sluice("list", "show", "vips").stdout, "a@corp.example\n")


@test
def another_type():
    """rules that make another type of a table that holds entries are refused, and the running set stays"""
    with Sink() as sink, Relay(RULES, sink) as relay:
        relay.sluice("list", "add", "vips", "a@corp.example")
        relay.write_rules('list vips of domain in table "vips"\nwhen sender.domain is in vips then drop\n')
        refused = relay.sluice("reload", check=False)
        equal(refused.returncode, 65)
        assert "holds entries of type address" in refused.stderr, refused.stderr
        equal(relay.send("x", sender="a@corp.example")[0], 550)
        relay.sluice("list", "remove", "vips", "a@corp.example")
        relay.sluice("reload")
        relay.sluice("list", "add", "vips", "corp.example")
        equal(relay.send("x", sender="b@corp.example")[0], 250)


if __name__ == "__main__":
    main()
