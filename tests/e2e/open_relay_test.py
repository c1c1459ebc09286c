#!/usr/bin/python3
"""Strangers, loops and forged senders: what a relay must not do for them.

Open relay (reliability T13): every form of address that ever made a relay pass mail on, from outside: none is relayed,
at RCPT or later.  Loops (T14): two relays that point at each other end at the hop limit, with one report.  Backscatter
(T15): forged messages that rules refuse, for one recipient and for several: no report to anybody.

SLUICE_FORGED: how many forged messages; 600 without it."""
import os
import random
import socket
import sys

from relay import PATIENCE, Relay, Sink, equal, free_port, main, test, wait_until

FORGED = int(os.environ.get("SLUICE_FORGED", "600"))
# Nobody from 127.0.0.0/8 is trusted here: everything below comes from outside.
OUTSIDE = dict(listener='proxy_from trusted_networks')
HERE, THERE = "corp.example", "victim.example"

# Paths as they stand in RCPT TO:…, all of which mean, or once meant to somebody, a mailbox at victim.example.
FORMS = [
    "<user@victim.example>", "<USER@VICTIM.EXAMPLE>", "<user@victim.example.>", "<user@sub.victim.example>",
    # the percent hack, and more than one
    "<user%victim.example@corp.example>", "<user%victim.example@relay.corp.example>",
    "<user%victim.example@[127.0.0.1]>", "<user%victim.example>", "<user%a.example%victim.example@corp.example>",
    '<"user%victim.example"@corp.example>', "<user%victim.example%corp.example>", "<%victim.example@corp.example>",
    "<user%victim.example.@corp.example>", "<user%40victim.example@corp.example>",
    "<user%victim.example%@corp.example>", "<user%[192.0.2.1]@corp.example>",
    # bang paths
    "<victim.example!user@corp.example>", "<victim.example!user>", "<corp.example!victim.example!user>",
    "<!victim.example!user@corp.example>", '<"victim.example!user"@corp.example>',
    "<corp.example!user@victim.example>", "<a!b!c!user@corp.example>", "<user@victim.example!corp.example>",
    # source routes
    "<@corp.example:user@victim.example>", "<@relay.corp.example:user@victim.example>",
    "<@corp.example,@a.example:user@victim.example>", "<@[127.0.0.1]:user@victim.example>",
    "<@corp.example:user%victim.example@corp.example>", "<@victim.example:user%victim.example@corp.example>",
    "<@corp.example,@relay.corp.example:user@victim.example>", "<@corp.example:@victim.example:user>",
    "<@:user@victim.example>",
    # quoted local parts
    '<"user@victim.example"@corp.example>', '<"user@victim.example">', '<"user@victim.example"@relay.corp.example>',
    '<"user@victim.example"@[127.0.0.1]>', '<"user\\@victim.example"@corp.example>',
    '<"@victim.example"@corp.example>', '<"user"@victim.example>', '<""@victim.example>', '<"user\\"@victim.example>',
    '<"a b"@victim.example>', '<"user@victim.example\\"@corp.example>',
    # two domains
    "<user@victim.example@corp.example>", "<user@corp.example@victim.example>",
    "<user@[corp.example]@victim.example>", "<user@victim.example,user@corp.example>",
    "<user@victim.example><user@corp.example>", "<user@victim.example> <user@corp.example>",
    "<user@corp.example>,<user@victim.example>", "<user@victim.example:corp.example>",
    "<user@victim.example;corp.example>", "<user@victim.example corp.example>",
    # literals
    "<user@[192.0.2.1]>", "<user@[IPv6:2001:db8::1]>", "<user@192.0.2.1>", "<user@[127.0.0.1]>", "<user@[IPv6:::1]>",
    "<user@[IPv6:::ffff:192.0.2.1]>", "<user@[corp.example]>", "<user@#3221225985>", "<user@3221225985>",
    "<user@0xc0.0x00.0x02.0x01>", "<user@[victim.example]>",
    # what a careless comparison takes for corp.example
    "<user@corp.example.victim.example>", "<user@notcorp.example>", "<user@corp.example.example>", "<user@example>",
    "<user@.corp.example>", "<user@corp..example>", "<user@corp.example\\@victim.example>", "<user@corp_example>",
    "<user@c\u043erp.example>", "<user@\uff43\uff4f\uff52\uff50.example.victim.example>",
    "<user@xn--crp-tdd.example>", "<user@victim\u3002example>", "<us\u00e9r@v\u00edctim.example>",
    # no brackets, comments, blanks, controls
    "user@victim.example", "<user@victim.example", "< user@victim.example >", "<user @victim.example>",
    "<user@ victim.example>", "<(x)user@victim.example>", "<user(x)@victim.example>", "<user@(x)victim.example>",
    "<user@victim.example(corp.example)>", "<user\t@victim.example>", "<user@victim.example\\0@corp.example>",
    "User <user@victim.example>", "<>", "<@victim.example>", "<user@>", "<user>", "<postmaster%victim.example>",
    "<postmaster@victim.example>", "<user@victim.example?subject=x>", "<mailto:user@victim.example>",
    "<user@victim.example/corp.example>", "<|/bin/sh@victim.example>", "</tmp/x@victim.example>",
    "<user+victim.example@victim.example>", "<user=victim.example@victim.example>",
    "<user@victim.example=corp.example>",
]


class Stranger:
    """A client from 192.0.2.7, as a balancer tells."""

    def __init__(self, relay, utf8=True):
        self.socket = socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4000 25\r\n")
        equal(self.reply()[0], 220)
        equal(self.say("EHLO stranger.example")[0], 250)

    def reply(self):
        text = ""
        while line := self.file.readline().decode():
            text += line
            if line[3:4] != "-":
                return int(line[:3]), text
        return None, text

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()


@test
def address_forms():
    """every form of address to somebody else's mailbox, from outside: none is relayed"""
    assert len(set(FORMS)) >= 80, len(set(FORMS))
    with Sink(utf8=True) as sink, Relay("", sink, **OUTSIDE) as relay:
        taken = []
        for form in dict.fromkeys(FORMS):
            for options in ("", " SMTPUTF8"):
                with Stranger(relay) as client:
                    equal(client.say(f"MAIL FROM:<a@stranger.example>{options}")[0], 250)
                    code, text = client.say(f"RCPT TO:{form}")
                    if code != 250:
                        assert 500 <= code < 600, (form, text)
                        if code == 550:
                            assert "5.7.1" in text or "5.6.7" in text, (form, text)
                        continue
                    equal(client.say("DATA")[0], 354)
                    equal(client.say("Subject: x\r\n\r\nx\r\n.")[0], 250)
                    taken.append(form + options)
        # What is taken must be ours by every reading.
        sink.wait(len(taken)) if taken else None
        for message in sink.messages:
            for address in message.recipients:
                local, _, domain = address.rpartition("@")
                assert domain.lower() in (HERE, "relay.corp.example") and not any(c in local for c in "%!@"), (taken,
                                                                                                               address)
        assert not any(THERE in form for form in taken), taken
        equal(relay.queue(), [])


@test
def ours_is_taken():
    """and the same client is heard where it means us: our domains in any case and form, Postmaster without a domain"""
    with Sink() as sink, Relay("", sink, **OUTSIDE) as relay, Stranger(relay) as client:
        equal(client.say("MAIL FROM:<a@stranger.example>")[0], 250)
        for form in ("<user@corp.example>", "<User@CORP.Example>", '<"a user"@corp.example>',
                     "<@a.example,@b.example:route@corp.example>",
                     "<Postmaster>", "<user+tag@corp.example>"):
            equal(client.say(f"RCPT TO:{form}")[0], 250, form)
        equal(client.say("DATA")[0], 354)
        equal(client.say("Subject: x\r\n\r\nx\r\n.")[0], 250)
        sink.wait(1)


@test
def two_relays_that_point_at_each_other():
    """a loop ends at the hop limit, with one report; without one where the sender is null"""
    for sender in ("a@sender.example", ""):
        with Sink() as sink:
            port = free_port()
            back = {"default": f'host "127.0.0.1" port {port}',
                    "out": f'host "127.0.0.1" port {sink.port} domains senders\n'
                    'list senders of domain = "sender.example"'}
            with Relay("", connectors=back) as first:
                there = {"default": f'host "127.0.0.1" port {first.port}', "out": back["out"]}
                with Relay("", connectors=there, listener="") as second:
                    second.stop()
                    second.config.write_text(second.config.read_text().replace(f"127.0.0.1:{second.port}",
                                                                               f"127.0.0.1:{port}"))
                    second.port = port
                    second.start()
                    equal(first.send(sender=sender, to=["b@partner.example"])[0], 250)
                    both = (first, second)
                    wait_until(lambda: any("5.4.6" in line for relay in both for line in relay.log), "the hop limit",
                               120)
                    wait_until(lambda: not first.queue() and not second.queue(), "two empty queues", 120)
                    equal(len(sink.messages), 1 if sender else 0, "reports")
                    if sender:
                        report = sink.messages[0]
                        equal((report.sender, report.recipients), ("<>", [sender]))
                        assert b"Status: 5.4.6" in report.content, report.content
                    hops = sum("event=queued" in line for relay in both for line in relay.log)
                    assert 100 <= hops <= 104, hops


RULES = """\
rule "bad word" when subject contains "buy now" then reject "no" status "5.7.1"
rule "one of them" when recipient is "refuses@corp.example" then reject "not me" status "5.7.1"
rule "later" when subject contains "tempest" then defer "not now"
rule "away" when subject contains "into nothing" then drop
"""


@test
def forged_senders():
    """forged messages that rules refuse, defer or drop, for one recipient and for several: not one report"""
    dice = random.Random(15)
    to = ["one@corp.example", "two@corp.example", "refuses@corp.example", "three@corp.example"]
    with Sink() as sink, Relay(RULES, sink, **OUTSIDE) as relay:
        codes, passed, n = {}, 0, 0
        while n < FORGED:
            with Stranger(relay) as client:
                for _ in range(min(200, FORGED - n)):
                    n += 1
                    subject = dice.choice(["buy now", "tempest", "into nothing", "plain"])
                    recipients = dice.sample(to, dice.randint(1, 4))
                    if subject == "plain" and "refuses@corp.example" not in recipients:
                        recipients.append("refuses@corp.example")
                    notify = dice.choice(["", " NOTIFY=SUCCESS,FAILURE,DELAY", " NOTIFY=NEVER"])
                    sender = dice.choice([f"victim{n}@victim.example", "", "one@corp.example"])
                    lines = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{r}>{notify}" for r in recipients), "DATA"]
                    client.socket.sendall(("\r\n".join(lines) + "\r\n").encode())
                    equal([client.reply()[0] for _ in lines], [250] * (len(lines) - 1) + [354])
                    code, text = \
                        client.say(f"From: <{sender or 'x@victim.example'}>\r\nSubject: {subject}\r\n\r\nx\r\n.")
                    codes[subject, code] = codes.get((subject, code), 0) + 1
                    passed += code == 250 and subject == "plain"
                    if code == 421 or code is None:
                        break
        wait_until(lambda: relay.queue() == [], "an empty queue", 120)
        reports = [m for m in sink.messages if m.sender in ("", "<>") and b"multipart/report" in m.content]
        equal(reports, [], "reports")
        assert not any("victim.example" in r for m in sink.messages for r in m.recipients)
        assert not any("\"bounce\"" in line or "event=report" in line for line in relay.log)
        # Whoever refuses for one recipient refuses a stranger's message for all of them: there is nobody to report it
        # to.
        assert set(codes) <= {("buy now", 550), ("tempest", 451), ("tempest", 550), ("into nothing", 250),
                              ("into nothing", 550),
                              ("plain", 550)}, codes
        print(f"# {FORGED} forged messages: {codes}", file=sys.stderr)


@test
def dead_destinations():
    """behind the relay nobody takes it: one report to a sender who may be told, none to <>, none where NOTIFY says
    NEVER"""
    with Sink(reply="550 5.7.1 not here") as dead, Sink() as out:
        connectors = {"default": f'host "127.0.0.1" port {dead.port}',
                      "out": f'host "127.0.0.1" port {out.port} domains senders\nlist senders of domain = '
                             f'"sender.example"'}
        with Relay("", connectors=connectors, **OUTSIDE) as relay:
            many = [f"u{n}@corp.example" for n in range(5)]
            for sender, notify in (("", ""), ("", " NOTIFY=FAILURE"), ("a@sender.example", " NOTIFY=NEVER"),
                                   ("b@sender.example", ""),
                                   ("c@sender.example", " NOTIFY=DELAY")):
                with Stranger(relay) as client:
                    equal(client.say(f"MAIL FROM:<{sender}>")[0], 250)
                    for address in many:
                        equal(client.say(f"RCPT TO:<{address}>{notify}")[0], 250)
                    equal(client.say("DATA")[0], 354)
                    equal(client.say("Subject: x\r\n\r\nx\r\n.")[0], 250)
            wait_until(lambda: relay.queue() == [], "an empty queue")
            equal([(m.sender, m.recipients) for m in out.messages], [("<>", ["b@sender.example"])])
            equal(out.messages[0].content.count(b"Final-Recipient:"), len(many))


if __name__ == "__main__":
    main()
