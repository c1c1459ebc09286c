#!/usr/bin/python3
"""Delivery by MX records from a real name server: knot serves the zones, the relay asks it through libunbound."""
import pathlib
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

import knot

from relay import Relay, Sink, Skip, equal, free_port, main, test, wait_until


@test
def mail_exchangers():
    """the best exchanger that answers takes the mail; a null MX, no domain and a loop come back; CNAME and [address]
    work"""
    zones = {
        "partner.test": "@ MX 10 dead\\n@ MX 20 live\\ndead A 127.0.0.9\\nlive A 127.0.0.1\\n"
                        "null MX 0 .\\nalias CNAME partner.test.\\nplain A 127.0.0.1\\nloop MX 5 "
                        "relay.corp.example.\\n",
        "corp.example": "@ MX 10 live.partner.test.\\n",
    }
    zones = {name: text.replace("\\n", "\n") for name, text in zones.items()}
    with tempfile.TemporaryDirectory() as folder, knot.serving(folder, zones) as server, Sink() as sink:
        with Relay("", connectors={"default": f"port {sink.port}"},
                   relay=f'resolver "127.0.0.1@{server.port}"') as relay:
            good = ["a@partner.test", "b@alias.partner.test", "c@plain.partner.test", "d@[127.0.0.1]"]
            equal(relay.send(to=good)[0], 250)
            wait_until(lambda: {r for m in sink.messages for r in m.recipients} >= set(good),
                       "four recipients at the sink")
            bad = {"e@null.partner.test": b"5.1.10", "f@nowhere.partner.test": b"5.1.2",
                   "g@loop.partner.test": b"5.4.6"}
            for recipient, status in bad.items():
                before = len(sink.messages)
                equal(relay.send(to=[recipient])[0], 250)
                report = sink.wait(before + 1)[before]
                assert b"Status: " + status in report.content, report.content
                equal(report.recipients, ["a@corp.example"])
            wait_until(lambda: relay.queue() == [], "an empty queue")
            assert any("live.partner.test[127.0.0.1]" in line for line in relay.log), "the log names the exchanger"


@test
def both_families():
    """IPv6 first, IPv4 when nobody answers there; an exchanger may be an alias; all addresses of one before the next
    exchanger"""
    zone = ("both MX 10 b\nb AAAA ::1\nb A 127.0.0.1\nsix MX 10 s\ns AAAA ::1\nvia MX 10 alias\nalias CNAME b\n"
            "last MX 10 b\nlast MX 20 t\nt A 127.0.0.3\n")
    with tempfile.TemporaryDirectory() as folder, knot.serving(folder,
                                                               {"partner.test": zone}) as server, Sink() as four:
        with Relay("", connectors={"default": f"port {four.port}"}, relay=f'resolver "127.0.0.1@{server.port}"',
                   retry="retry first 1 second until 5 days") as relay:
            for n, name in enumerate(("both", "via", "last"), 1):
                equal(relay.send(to=[f"x@{name}.partner.test"])[0], 250)
                four.wait(n)
            equal(relay.send(to=["x@six.partner.test"])[0], 250)
            wait_until(lambda: any("s.partner.test[::1]" in line and "event=deferred" in line for line in relay.log),
                       "::1 to refuse")
            with Sink(host="::1", port=four.port) as six:
                relay.sluice("queue", "retry", "--all")
                equal(six.wait()[0].recipients, ["x@six.partner.test"])
                relay.sluice("reload")  # what was known to fail is tried again
                equal(relay.send(to=["x@both.partner.test"])[0], 250)
                six.wait(2)
            equal(len(four.messages), 3)
            assert any("alias.partner.test[127.0.0.1]" in line or "b.partner.test[127.0.0.1]" in line
                       for line in relay.log)


def own_address():
    """An IPv4 address of an interface that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the route
        except OSError:
            raise Skip("this machine has no network") from None
        return s.getsockname()[0]


@test
def ourselves_under_other_names():
    """an exchanger whose address leads back to a listener of ours is a loop, whatever its name and whichever interface
    it is"""
    port, elsewhere = free_port(), "127.0.0.2"
    zone = (f"alias MX 10 me\nbackup MX 10 dead\nbackup MX 20 me\nbackup MX 20 dead\nbackup MX 30 dead\n"
            f"loopback MX 10 local\nplain A {own_address()}\nme A {own_address()}\nlocal A {elsewhere}\nnobody A "
            f"0.0.0.0\n"
            "dead AAAA ::1\nother MX 10 dead\n")
    with tempfile.TemporaryDirectory() as folder, knot.serving(folder,
                                                               {"partner.test": zone}) as server, Sink() as sink:
        out = {"default": f"port {port}", "home": f'host "127.0.0.1" port {sink.port} domains our_domains\n'
               f'listener "any" address "0.0.0.0:{port}" relay_for trusted_networks'}
        with Relay("", connectors=out, relay=f'resolver "127.0.0.1@{server.port}"',
                   retry="retry first 1 hour until 5 days") as relay:
            for n, name in enumerate(("alias", "plain", "loopback", "nobody")):
                equal(relay.send(to=[f"x@{name}.partner.test"])[0], 250)
                report = sink.wait(n + 1)[n]
                assert b"Status: 5.4.6" in report.content, report.content
            equal(relay.send(to=[f"x@[{own_address()}]"])[0], 250)
            assert b"Status: 5.4.6" in sink.wait(5)[4].content, sink.messages[4].content
            # Behind us nobody is asked; before us is a host that is dead just now; no listener of ours is at ::1.
            for name in ("backup", "other"):
                equal(relay.send(to=[f"x@{name}.partner.test"])[0], 250)
            reasons = lambda: [r["delay_reason"] for row in relay.queue() for r in row["recipients"]
                               if "delay_reason" in r]
            wait_until(lambda: len(reasons()) == 2, "two reasons")
            assert all(reason.startswith("4.4.1 ") for reason in reasons()), reasons()
            equal(len(sink.messages), 5)


@test
def a_name_server_that_is_silent():
    """without an answer the mail waits, and says for what"""
    with Sink() as sink:
        with Relay("", connectors={"default": f"port {sink.port}"},
                   relay=f'resolver "127.0.0.1@{free_port()}"') as relay:
            equal(relay.send(to=["a@partner.test"])[0], 250)
            reasons = lambda: [r["delay_reason"] for row in relay.queue() for r in row["recipients"]
                               if "delay_reason" in r]
            wait_until(reasons, "a reason")
            assert reasons()[0].startswith("4.4.4 looking up partner.test"), reasons()


if __name__ == "__main__":
    knot.or_skip(__file__)
    main()
