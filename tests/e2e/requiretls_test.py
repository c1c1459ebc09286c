#!/usr/bin/python3
"""REQUIRETLS between two relays (RFC 8689), each in a network namespace of its own, with a clear destination in a
third: the demand travels, the message waits at the second hop and comes back as a report that bears the demand; every
frame on both links is read, and nothing of it is ever in clear.

    first relay (A) -- 10.203.1.0/24 -- second relay (B) -- 10.203.2.0/24 -- destinations (C)"""
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from relay import PATIENCE, Certificates, Message, Relay, Skip, equal, main, test, wait_until

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
A1, B1, B2, C2 = "10.203.1.1", "10.203.1.2", "10.203.2.1", "10.203.2.2"
SECRET = "this is top secret"


# --- the network ------------------------------------------------------------------------------------------------------
class Network:
    """Three namespaces, two links; names bear our process id, and only they are removed."""

    def __init__(self):
        self.names = {which: f"sluice-{os.getpid()}-{which}" for which in "abc"}

    @staticmethod
    def run(*words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def __enter__(self):
        try:
            for name in self.names.values():
                self.run("netns", "add", name)
                self.run("-n", name, "link", "set", "lo", "up")
            for left, right, l_ip, r_ip in (("a", "b", A1, B1), ("b", "c", B2, C2)):
                l_name, r_name = self.names[left], self.names[right]
                self.run("-n", l_name, "link", "add", f"to-{right}", "type", "veth", "peer", "name", f"to-{left}",
                         "netns", r_name)
                for name, device, ip in ((l_name, f"to-{right}", l_ip), (r_name, f"to-{left}", r_ip)):
                    self.run("-n", name, "addr", "add", f"{ip}/24", "dev", device)
                    self.run("-n", name, "link", "set", device, "up")
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=PATIENCE)

    @contextlib.contextmanager
    def inside(self, which):
        """This thread, and the processes and threads that it starts, are in that namespace."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self.names[which]}") as there:
            def enter(namespace):
                if LIBC.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            enter(there)
            try:
                yield
            finally:
                enter(here)


class Capture:
    """Every frame that passes a device, as AF_PACKET gives them, checked to be whole."""

    def __init__(self, network, which, device):
        with network.inside(which):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
            self.socket.bind((device, 0))
        self.frames, self.lock = [], threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(OSError):
            while True:
                frame = self.socket.recv(1 << 17)
                with self.lock:
                    self.frames.append(frame)

    def payload(self):
        """What TCP carried, connection by connection, in the order of the frames (a veth link reorders none)."""
        streams = {}
        with self.lock:
            frames = list(self.frames)
        for f in frames:
            if f[12:14] != b"\x08\x00" or f[23] != 6:
                continue
            ip_end = 14 + (f[14] & 15) * 4
            tcp_end = ip_end + (f[ip_end + 12] >> 4) * 4
            end = 14 + int.from_bytes(f[16:18], "big")
            streams.setdefault((f[26:34], f[ip_end:ip_end + 4]), bytearray()).extend(f[tcp_end:end])
        return b"\n".join(bytes(s) for s in streams.values())

    def close(self):
        PACKET_STATISTICS = 6
        received, dropped = map(int, memoryview(self.socket.getsockopt(263, PACKET_STATISTICS, 8)).cast("I"))
        self.socket.close()
        assert received > 0 and dropped == 0, f"the capture dropped {dropped} of {received} frames"


# --- destinations -----------------------------------------------------------------------------------------------------
class Strict(SMTP):
    """aiosmtpd with REQUIRETLS, where `offers` says so."""
    offers = False

    async def smtp_MAIL(self, arg):
        self.session.requiretls = bool(arg) and " REQUIRETLS" in arg.upper()
        if self.session.requiretls and not (self.offers and self.session.ssl):
            await self.push("555 5.5.4 REQUIRETLS is not offered")
            return
        await super().smtp_MAIL(arg.replace(" REQUIRETLS", "") if arg else arg)


class Destination:
    """A server in a namespace: in clear, with TLS, or with TLS and REQUIRETLS."""

    def __init__(self, network, which, host, port, certificate=None, offers=False):
        self.messages, self.mails, self.network, self.which, self.port = [], [], network, which, port
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*map(str, certificate))
        destination = self

        class Its(Controller):
            def factory(self):
                server = Strict(destination, hostname="destination.test", decode_data=False,
                                tls_context=destination.context)
                server.offers = offers
                return server

        self.offers = offers
        self.controller = Its(self, hostname=host, port=port)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        if self.offers and session.ssl:
            responses.insert(1, "250-REQUIRETLS")
        return responses

    async def handle_DATA(self, server, session, envelope):
        message = Message(envelope, session)
        message.requiretls = session.requiretls
        self.messages.append(message)
        return "250 2.0.0 taken"

    def __enter__(self):
        with self.network.inside(self.which):
            self.controller.start()
        return self

    def __exit__(self, *_):
        with self.network.inside(self.which):
            self.controller.stop()

    def wait(self, count=1):
        wait_until(lambda: len(self.messages) >= count, f"{count} message(s) at port {self.port}")
        return self.messages


# --- the two relays ---------------------------------------------------------------------------------------------------
class Hop(Relay):
    def __init__(self, network, which, *arguments, **named):
        super().__init__(*arguments, **named)
        self.network, self.which = network, which

    def start(self):
        with self.network.inside(self.which):
            super().start()

    def smtp(self):
        with self.network.inside(self.which):
            return super().smtp()

    def recipients(self):
        return {r["address"]: r for row in self.queue() for r in row["recipients"]}

    def reason(self, address):
        return self.recipients().get(address, {}).get("delay_reason", "")

    def waits(self, address, status):
        wait_until(lambda: self.reason(address).startswith(status), f"{address} to wait with {status}")

    def crash(self):
        """kill -9 of all of it, and a new start on the same queue."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start()


FIRST = (f'when subject contains "secret" then require_tls requiretls\n'
         f'when subject contains "verify" then require_tls verified\n')
SECOND = 'when recipient is "moved@clear.example" then redirect to "here@clear.example"\n' \
         'when recipient is "edited@clear.example" then prepend_subject "[second] "\n'
PORTS = {"hop": 2525, "clear": 2600, "tls": 2601, "strict": 2602, "home": 2603}


@contextlib.contextmanager
def two_relays(until="5 days"):
    if os.geteuid() or not shutil.which("ip"):
        raise Skip("network namespaces need root and ip")
    try:
        network = Network().__enter__()
    except OSError as why:
        raise Skip(f"no network namespaces here: {why}") from None
    with contextlib.ExitStack() as stack:
        stack.push(network)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        certificates = Certificates(folder)
        first, second, tls, strict, home = (certificates.issue(f"{name}.test")
                                            for name in ("first", "second", "tls", "strict", "home"))
        captures = [Capture(network, "b", "to-a"), Capture(network, "b", "to-c")]
        destinations = {"clear": Destination(network, "c", C2, PORTS["clear"]),
                        "tls": Destination(network, "c", C2, PORTS["tls"], tls),
                        "strict": Destination(network, "c", C2, PORTS["strict"], strict, offers=True),
                        "home": Destination(network, "a", "127.0.0.1", PORTS["home"], home, offers=True)}
        for destination in destinations.values():
            stack.enter_context(destination)
        trust = f'trust "{certificates.authority}"'

        def listener(ip, certificate):
            return (
                f'\nlist hops of network = 10.203.0.0/16\nlistener "net" address "{ip}:{PORTS["hop"]}" relay_for hops '
                    f'domains our_domains certificate "{certificate[0]}" key "{certificate[1]}"')

        a = Hop(network, "a", FIRST, retry="retry first 1 second until 5 days", connectors={
            "default": f'host "{B1}" port {PORTS["hop"]} name "second.test" {trust}',
            "home": f'host "127.0.0.1" port {PORTS["home"]} name "home.test" {trust} domains our_domains'
            + listener(A1, first)})
        out = {"home": f'host "{A1}" port {PORTS["hop"]} name "first.test" {trust} domains our_domains'
               + listener(B1, second)}
        for name in ("clear", "tls", "strict"):
            out[name] = (f'host "{C2}" port {PORTS[name]} name "{name}.test" {trust} domains to_{name}\n'
                         f'list to_{name} of domain = "{name}.example"')
        b = Hop(network, "b", SECOND, connectors=out, retry=f"retry first 1 second longest 1 second until {until}")
        for hop in (a, b):
            stack.enter_context(hop)
        yield a, b, destinations, captures
        for capture in captures:
            capture.close()
            assert SECRET.encode() not in capture.payload(), "of what must not be in clear"


def send(hop, *to, subject="secret", body=SECRET):
    equal(hop.send(subject=f"{subject} {body}", to=to, body=f"{body}\r\n")[0], 250)


@test
def the_demand_travels():
    """The demand of the first hop's rule is the second's, through kill -9 of both, reload, redirect, split, hold and
    release"""
    with two_relays() as (a, b, destinations, captures):
        # What nobody demanded passes in clear, on the second link: the capture sees what there is to see.
        send(a, "x@clear.example", subject="plain", body="nothing to hide")
        destinations["clear"].wait()
        wait_until(lambda: b"nothing to hide" in captures[1].payload(), "the plain message on the wire")

        # The second hop is away: the message waits at the first, also through its end, and keeps its demand.
        b.stop(signal.SIGKILL)
        addresses = ["x@clear.example", "moved@clear.example", "edited@clear.example", "y@tls.example",
                     "z@strict.example"]
        send(a, *addresses)
        a.waits("x@clear.example", "4.4.1")
        a.crash()
        equal({r["tls"] for r in a.recipients().values()}, {"verified+onward"}, "at the first hop, after its kill -9")
        b.start()
        a.sluice("queue", "retry", "--all")
        wait_until(lambda: a.queue() == [], "an empty first queue")

        # REQUIRETLS end to end is delivered; TLS alone waits for REQUIRETLS; clear waits for TLS.  The redirected one
        # as well.
        (message,) = destinations["strict"].wait()
        assert message.tls and message.requiretls, "the last hop is asked for REQUIRETLS as well"
        waiting = {"x@clear.example": "4.7.4", "here@clear.example": "4.7.4", "edited@clear.example": "4.7.4",
                   "y@tls.example": "4.7.30"}
        for _ in range(2):
            for address, status in waiting.items():
                b.waits(address, status)
            equal({address: r["tls"] for address, r in b.recipients().items()},
                  dict.fromkeys(waiting, "verified+onward"))
            b.crash()
        assert "TLS required but not offered by" in wait_until(lambda: b.reason("x@clear.example"), "a reason")
        assert "REQUIRETLS required but not offered by" in wait_until(lambda: b.reason("y@tls.example"), "a reason")

        # Rules that say otherwise now, a reload, hold and release, another address by hand: none of them weakens it.
        b.write_rules("")
        b.sluice("reload")
        b.sluice("queue", "hold", "--all")
        b.sluice("queue", "release", "--all")
        b.sluice("queue", "redirect", "--recipient", "edited@clear.example", "--to", "elsewhere@clear.example")
        b.sluice("queue", "retry", "--all")
        b.waits("elsewhere@clear.example", "4.7.4")
        b.waits("x@clear.example", "4.7.4")
        equal({r["tls"] for r in b.recipients().values()}, {"verified+onward"})

        # The same mail goes at once where its demand is met: by hand to the host that offers it.
        b.sluice("queue", "redirect", "--all", "--to", "saved@strict.example")
        wait_until(lambda: b.queue() == [], "an empty second queue")
        assert all(m.tls and m.requiretls for m in destinations["strict"].messages)
        assert any(b"Subject: [second] secret" in m.content for m in destinations["strict"].messages), "the split copy"
        equal(len(destinations["clear"].messages), 1)
        equal(len(destinations["tls"].messages), 0)

        # `verified` is between us and the next host: it asks for no promise.
        send(a, "v@tls.example", subject="verify", body="only for who proves it")
        destinations["tls"].wait()
        equal(destinations["tls"].messages[0].requiretls, False)


@test
def it_comes_back():
    """At expiry the second hop returns it, 5.7.10 or 5.7.30; the reports bear the demand home and quote the header
    only"""
    with two_relays(until="3 seconds") as (a, b, destinations, captures):
        send(a, "x@clear.example", "y@tls.example")
        home = destinations["home"]
        wait_until(lambda: {s for m in home.messages for s in (b"5.7.10", b"5.7.30") if b"Status: " + s in m.content} ==
                   {b"5.7.10", b"5.7.30"}, "both reports at home")
        for report in home.messages:
            assert report.tls and report.requiretls, "the report is as protected as the message"
            assert report.sender in ("", "<>"), report.sender
            assert b"Subject: secret" in report.content
            equal(report.content.count(SECRET.encode()), 1, "of the message its header, and no more")
        equal(len(destinations["clear"].messages) + len(destinations["tls"].messages), 0)
        wait_until(lambda: a.queue() == [] and b.queue() == [], "empty queues")


@test
def a_second_hop_without_requiretls():
    """A second hop that does not offer REQUIRETLS, or TLS, gets nothing that demands it: the first one keeps it, 4.7.30
    or 4.7.4"""
    with two_relays() as (a, b, destinations, captures):
        text = a.config.read_text()
        for port, name, status in ((PORTS["tls"], "tls.test", "4.7.30"), (PORTS["clear"], "clear.test", "4.7.4")):
            a.network.run("-n", a.network.names["a"], "route", "replace", "10.203.2.0/24", "via", B1)
            a.network.run("-n", a.network.names["c"], "route", "replace", "10.203.1.0/24", "via", B2)
            with a.network.inside("b"), open("/proc/sys/net/ipv4/ip_forward", "w") as forward:
                forward.write("1")
            a.config.write_text(text.replace(f'host "{B1}" port {PORTS["hop"]} name "second.test"',
                                             f'host "{C2}" port {port} name "{name}"'))
            a.sluice("reload")
            send(a, f"x{port}@clear.example")
            a.waits(f"x{port}@clear.example", status)
        equal(len(destinations["clear"].messages) + len(destinations["tls"].messages), 0)


if __name__ == "__main__":
    main()
