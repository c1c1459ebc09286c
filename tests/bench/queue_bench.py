#!/usr/bin/python3
"""A long queue: how fast a relay with MESSAGES queued listens again, how much memory it takes, how fast it drains.

    tests/bench/queue_bench.py [MESSAGES] [DRAIN]

The queue is made by the store itself (build/release/bench/queue_fill_bench), one recipient a message, 4 KiB each, in
DIR (TMPDIR). Measured: seconds from exec to "ready" with a cold page cache (as root: the cache is dropped before) and
with a warm one; the relay's resident memory then and its peak; then DRAIN messages become due together, and the rate at
which a sink gets them, beside that of a relay that holds these DRAIN only; and, as root, the same with a cold cache,
dropped at the moment when they become due.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from relay import BUILD, Relay, free_port, wait_until  # noqa: E402

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
DRAIN = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000


def memory(pid, key):
    return int(re.search(rf"{key}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) // 1024


def cold():
    subprocess.run(["sync"], check=True)
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")
        return True
    except OSError:
        return False


class NullSink:
    """The yardstick's sink: takes every message."""

    def __init__(self, folder):
        self.port, self.program = free_port(), pathlib.Path(folder) / "sink"
        subprocess.run(["cc", "-O2", "-w", str(ROOT / "tests/bench/sink.c"), "-o", str(self.program), "-lssl",
                        "-lcrypto", "-lpthread"],
                       check=True)

    def __enter__(self):
        self.process = subprocess.Popen([self.program, str(self.port), f"{self.program}.stats"],
                                        stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def status(relay):
    return json.loads(relay.sluice("status", "--json").stdout)


def start(relay, what):
    begin = time.monotonic()
    relay.start()
    seconds = time.monotonic() - begin
    pid = relay.children()["sluiced-relay"][0]
    print(f"{what}: listening after {seconds:.2f} s; resident {memory(pid, 'VmRSS')} MB, peak {memory(pid, 'VmHWM')} "
          f"MB", flush=True)
    return pid


def drained(relay, domain, at_the_line=lambda: None):
    """Messages a second, from the moment when DRAIN of them become due together until they are gone."""
    told = relay.sluice("queue", "suspend", "--domain", domain, "--reason", "the start line").stdout
    relay.sluice("queue", "retry", "--domain", domain)
    wait_until(lambda: f"{DRAIN} wait" in relay.sluice("queue", "suspensions").stdout, "all at the start line", 600)
    goal = status(relay)["messages"] - DRAIN
    at_the_line()
    begin = time.monotonic()
    relay.sluice("queue", "resume", re.search(r"\d+", told)[0])
    wait_until(lambda: status(relay)["messages"] <= goal, "the drain", 3600)
    return DRAIN / (time.monotonic() - begin)


def main():
    dead = free_port()
    with tempfile.TemporaryDirectory() as folder, NullSink(folder) as sink:
        connectors = {"default": f'host "127.0.0.1" port {dead}',
                      "live": f'host "127.0.0.1" port {sink.port} domains lives'}
        relay = Relay('list lives of domain = "live.example", "cold.example"', connectors=connectors,
                      retry="retry first 1 hour until 5 days")
        state = relay.folder / "state"
        begin = time.monotonic()
        subprocess.run([BUILD / "bench" / "queue_fill_bench", state, str(MESSAGES), str(DRAIN)], check=True)
        size = sum(f.stat().st_size for f in state.rglob("*") if f.is_file()) >> 20
        print(f"{MESSAGES} messages queued in {time.monotonic() - begin:.0f} s, {size} MB", flush=True)
        was_cold = cold()
        pid = start(relay, "cold cache" if was_cold else "cache as it is")
        relay.stop()
        pid = start(relay, "warm cache")
        print(f"list of one message: {timed(lambda: relay.sluice('queue', '--recipient', 'u7@*')):.2f} s; status: "
              f"{timed(lambda: relay.sluice('status')):.2f} s", flush=True)
        rate = drained(relay, "live.example")
        cold_rate = drained(relay, "cold.example", cold) if was_cold else 0
        print(f"draining {DRAIN} of them: {rate:.0f}/s, with a cold cache {cold_rate:.0f}/s; "
              f"resident {memory(pid, 'VmRSS')} MB, peak {memory(pid, 'VmHWM')} MB", flush=True)
        relay.stop()
        relay._folder.cleanup()
        empty = Relay('list lives of domain = "live.example"', connectors=connectors,
                      retry="retry first 1 hour until 5 days")
        subprocess.run([BUILD / "bench" / "queue_fill_bench", empty.folder / "state", str(DRAIN), str(DRAIN)],
                       check=True)
        empty.start()
        alone = drained(empty, "live.example")
        print(f"draining {DRAIN} alone: {alone:.0f}/s; so beside the others {100 * rate / alone:.0f} %, with a cold "
              f"cache "
              f"{100 * cold_rate / alone:.0f} %")
        empty.stop()


def timed(what):
    begin = time.monotonic()
    what()
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
