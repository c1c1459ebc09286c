#!/usr/bin/python3
"""Relays whose rules tell each other's people of everything: their notices, which are mail as well, do not go round."""
import contextlib

from relay import Relay, Sink, equal, main, test, wait_until


def tells(*addresses):
    return "".join(f'when always then notify "{address}" "{{sender}} sent {{subject}}"\n' for address in addresses)


@contextlib.contextmanager
def ring(targets, names="abc"):
    """Relays, each of which tells the people at the next one of all it sees: [relay], and the sink where all mail ends."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(Sink())
        relays = []
        for n, name in enumerate(names):
            after = names[(n + 1) % len(names)]
            relays.append(Relay(tells(*(f"ops{k}@{after}.example" for k in range(targets))), sink))
        for n, (relay, name) in enumerate(zip(relays, names)):
            after = (n + 1) % len(names)
            text = relay.config.read_text().replace('"relay.corp.example"', f'"{name}.relay.example"')
            relay.config.write_text(text + f'\nconnector "next" host "127.0.0.1" port {relays[after].port} domains theirs\n'
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
        wait_until(lambda: any("comes of a notice of this relay" in line for line in a.log), "the first relay to see its own")
        wait_until(lambda: settled((a, b)), "empty queues")
        equal(sorted(m.recipients[0] for m in sink.messages), ["ops0@a.example", "ops0@b.example", "x@elsewhere.example"])
        by = {m.recipients[0]: m for m in sink.messages}
        first, second = by["ops0@b.example"], by["ops0@a.example"]
        assert all(b"Auto-Submitted: auto-replied" in m.headers and m.sender in ("", "<>") for m in (first, second))
        name = next(line.split(b" ")[1] for line in first.headers.split(b"\r\n") if line.startswith(b"Message-ID:"))
        assert name in second.headers.split(b"References:")[1], "the second names the first"
        # Whoever only says so is not believed: this comes of no notice.
        forged = "References: <0123456789abcdefghjk.0123456789abcdef@a.relay.example>\r\nAuto-Submitted: auto-replied\r\n"
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


if __name__ == "__main__":
    main()
