#!/usr/bin/python3
"""Relays whose rules tell each other's people of everything: their notices, which are mail as well, do not go round."""
import contextlib
import email

from relay import Relay, Sink, equal, main, test, wait_until


def tells(*addresses, how='notify "{}" "{{sender}} sent {{subject}}"'):
    return "".join(f"when always then {how.format(address)}\n" for address in addresses)


REPORTS = 'incident_report to "{}" contents (sender, subject, rules, original)'


@contextlib.contextmanager
def ring(targets, names="abc", **what):
    """Relays, each of which tells the people at the next one of all it sees: [relay], and the sink where all mail
    ends."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(Sink())
        relays = []
        for n, name in enumerate(names):
            after = names[(n + 1) % len(names)]
            relays.append(Relay(tells(*(f"ops{k}@{after}.example" for k in range(targets)), **what), sink))
        for n, (relay, name) in enumerate(zip(relays, names)):
            after = (n + 1) % len(names)
            text = relay.config.read_text().replace('"relay.corp.example"', f'"{name}.relay.example"')
            relay.config.write_text(text
                                    + f'\nconnector "next" host "127.0.0.1" port {relays[after].port} domains theirs\n'
                                    f'list theirs of domain = "{names[after]}.example"\n')
            stack.enter_context(relay)
        yield relays, sink


def settled(relays):
    return all(relay.queue() == [] for relay in relays)


@test
def two_relays():
    """A notice about a notice goes back, and makes no third: one message makes two"""
    with ring(targets=1, names="ab") as ((a, b), sink):
        equal(a.send(to=["x@elsewhere.example"])[0], 250)
        wait_until(lambda: any("comes of a notice of this relay" in line for line in a.log),
                   "the first relay to see its own")
        wait_until(lambda: settled((a, b)), "empty queues")
        equal(sorted(m.recipients[0] for m in sink.messages),
              ["ops0@a.example", "ops0@b.example", "x@elsewhere.example"])
        by = {m.recipients[0]: m for m in sink.messages}
        first, second = by["ops0@b.example"], by["ops0@a.example"]
        assert all(b"Auto-Submitted: auto-replied" in m.headers and m.sender in ("", "<>") for m in (first, second))
        name = next(line.split(b" ")[1] for line in first.headers.split(b"\r\n") if line.startswith(b"Message-ID:"))
        assert name in second.headers.split(b"References:")[1], "the second names the first"
        # Whoever only says so is not believed: this comes of no notice.
        forged = \
            "References: <0123456789abcdefghjk.0123456789abcdef@a.relay.example>\r\nAuto-Submitted: auto-replied\r\n"
        equal(a.send(to=["y@elsewhere.example"], sender="", headers=forged)[0], 250)
        wait_until(lambda: sum(m.recipients == ["ops0@b.example"] for m in sink.messages) == 2, "its notice")


@test
def three_relays_two_targets_each():
    """In a ring of three, each of which tells two: 1 + 2 + 4 + 8 messages, and an end"""
    with ring(targets=2) as (relays, sink):
        equal(relays[0].send(to=["x@elsewhere.example"])[0], 250)
        wait_until(lambda: len(sink.messages) >= 1 + 2 + 4 + 8 and settled(relays), "the end of it")
        equal(len(sink.messages), 1 + 2 + 4 + 8)
        equal(sum("comes of a notice of this relay" in line for line in relays[0].log), 8)


@test
def two_relays_that_report():
    """An incident report on an incident report goes back, and makes no third; what each takes along can be read"""
    with ring(targets=1, names="ab", how=REPORTS) as ((a, b), sink):
        original = "caf\u00e9 \u6771\u4eac\r\n"
        with a.smtp() as client:
            client.sendmail("x@corp.example", ["y@elsewhere.example"],
                            f"Subject: plan\r\nMessage-ID: <1@x>\r\n\r\n{original}".encode(), ["BODY=8BITMIME"])
        wait_until(lambda: any("comes of a notice of this relay" in line for line in a.log),
                   "the first relay to see its own")
        wait_until(lambda: settled((a, b)), "empty queues")
        equal(sorted(m.recipients[0] for m in sink.messages),
              ["ops0@a.example", "ops0@b.example", "y@elsewhere.example"])
        first, second = (email.message_from_bytes(next(m.content for m in sink.messages if m.recipients == [to]))
                         for to in ("ops0@b.example", "ops0@a.example"))
        equal([first["Auto-Submitted"], second["Auto-Submitted"]], ["auto-generated"] * 2)
        assert first["Message-ID"] in second["References"], "the second names the first"
        kept = first.get_payload()[1]
        equal(kept.get_content_type(), "message/global")
        # The standard library takes any message/ part for one in plain sight; base64 is allowed in this one.
        inner = kept.get_payload(0).get_payload() if kept.is_multipart() else kept.get_payload()
        assert email.base64mime.decode(inner).endswith(original.encode()), inner
        equal(second.get_payload()[1].get_content_type(), "message/rfc822")


@test
def one_relay_and_somebody_who_forwards():
    """A report that comes back by way of a forwarder, to another address, is passed on and makes no other"""
    for how in (REPORTS, 'notify "{}" "seen"'):
        with Sink() as sink, Relay(tells("desk@side.example", how=how), sink) as relay:
            equal(relay.send(to=["x@elsewhere.example"])[0], 250)
            wait_until(lambda: len(sink.messages) == 2, "the message and what is told of it")
            report = next(m.content for m in sink.messages if m.recipients == ["desk@side.example"])
            with relay.smtp() as client:
                client.sendmail("", ["home@elsewhere.example"],
                                b"Received: from side.example by x; Thu, 26 Nov 2026 01:00:00 +0000\r\n"
                                + report)
            wait_until(lambda: any("comes of a notice of this relay" in line for line in relay.log)
                       and settled([relay]), "the end of it")
            equal([m.recipients for m in sink.messages[2:]], [["home@elsewhere.example"]])


if __name__ == "__main__":
    main()
