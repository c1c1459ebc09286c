#!/usr/bin/python3
"""Clients that take their time: half of them in clear, half in TLS, in every state, an octet now and then.  They cost
little memory each, TLS included, and a good client among them does not wait.

SLUICE_SLOW: how many; 200 without it, 2,000 in make torture-server."""
import contextlib
import os
import pathlib
import resource
import socket
import ssl
import tempfile
import threading
import time

from relay import PATIENCE, Certificates, Relay, Sink, equal, main, test, wait_until

SLOW = int(os.environ.get("SLUICE_SLOW", "200"))
MOST = 64 * 1024      # octets of the relay's memory for each
P99 = 2.0             # seconds of a good client's whole transaction
GOOD = 300            # transactions
LINES = [b"EHLO slow.example\r\n", b"MAIL FROM:<slow@corp.example>\r\n", b"RCPT TO:<b@corp.example>\r\n", b"DATA\r\n"]


def memory(pid):
    """The relay's own pages, in octets."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")


def relay_pid(relay):
    """Of the process that holds the listener: the one with the most descriptors."""
    pids = [pid for pids in relay.children().values() for pid in pids]
    return max(pids, key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))


class Slow:
    def __init__(self, port, context, number):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.read()
        if context:
            self.say(LINES[0])
            self.say(b"STARTTLS\r\n")
            self.socket = context.wrap_socket(self.socket, server_hostname="relay.corp.example")
        depth = number % 6  # greeted and silent; behind each command; in content; in a chunk
        for line in LINES[:min(depth, 4)]:
            self.say(line)
        if depth == 5:
            self.drip = b"x" * 70 + b"\r\n"
        elif depth == 4:
            self.drip = b"Subject: slow\r\n"
        else:
            self.drip = b"NOOP of one octet at a time"  # its line never ends
        self.at = 0

    def read(self):
        while not (data := self.socket.recv(4096)).splitlines()[-1][3:4] == b" ":
            assert data
        return data

    def say(self, line):
        self.socket.sendall(line)
        return self.read()

    def one_octet(self):
        with contextlib.suppress(OSError):
            self.socket.send(self.drip[self.at % len(self.drip):][:1])
            self.at += 1


@test
def a_good_client_among_slow_ones():
    """slow clients cost at most 64 KiB each, and a good client's 99th percentile stays under two seconds"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, SLOW + 500)), hard))
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        certificate, key = certificates.issue("relay.corp.example")
        context = ssl.create_default_context(cafile=str(certificates.authority))
        with Relay("", sink, listener=f'certificate "{certificate}" key "{key}"') as relay:
            for _ in range(20):  # what is made once is made
                equal(relay.send(to=["b@corp.example"])[0], 250)
            early = [Slow(relay.port, context if n % 2 else None, n) for n in range(12)]
            pid = relay_pid(relay)
            before = memory(pid)
            slow = [Slow(relay.port, context if n % 2 else None, n // 2) for n in range(SLOW)]
            stop = threading.Event()

            def drip():
                while not stop.wait(0.2):
                    for client in slow:
                        client.one_octet()

            dripping = threading.Thread(target=drip, daemon=True)
            dripping.start()
            took = []
            for n in range(GOOD):
                began = time.monotonic()
                equal(relay.send(to=["b@corp.example"])[0], 250)
                took.append(time.monotonic() - began)
            wait_until(lambda: min(client.at for client in slow) >= 3, "three octets from each", 120)
            each = (memory(pid) - before) / SLOW
            stop.set()
            dripping.join()
            took.sort()
            p99 = took[len(took) * 99 // 100]
            open_now = sum(client.socket.fileno() >= 0 for client in slow)
            print(f"# {SLOW} slow clients ({open_now} open): {each / 1024:.1f} KiB each; a good one: "
                  f"median {took[len(took) // 2] * 1000:.1f} ms, "
                  f"p99 {p99 * 1000:.1f} ms, worst {took[-1] * 1000:.1f} ms", flush=True)
            assert each <= MOST, each
            assert p99 <= P99, p99
            sink.wait(20 + GOOD)
            for client in early + slow:
                client.socket.close()
            wait_until(lambda: '"sessions":0' in relay.sluice("status", "--json").stdout.replace(" ", ""),
                       "nobody left")


if __name__ == "__main__":
    main()
