#!/usr/bin/python3
"""The order of durability, seen by strace: no 250 after the dot before its rows are on the disk."""
import os
import re
import shutil
import subprocess
import threading
import time

from relay import PATIENCE, SANITIZED, Relay, Sink, Skip, equal, main, test

RULES = 'when subject contains "top secret" then require_tls'
CALLS = "trace=fdatasync,fsync,pwrite64,write,writev,sendmsg,sendto"


class Trace:
    """strace on the relay process (all its threads); .events() once it is detached."""

    def __init__(self, relay):
        self.path = relay.folder / "strace.out"
        pid = relay.children()["sluiced-relay"][0]
        self.process = subprocess.Popen(["strace", "-f", "-ttt", "-s", "9000", "-y", "-e", CALLS, "-o", str(self.path),
                                         "-p", str(pid)],
                                        stderr=subprocess.PIPE)
        line = self.process.stderr.readline()
        if b"attached" not in line:
            raise Skip("strace may not attach here: " + line.decode().strip())

    def events(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        return list(parse(self.path.read_text(errors="replace")))


CALL = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>(.*)$")


def parse(text):
    """(begin, end, name, arguments) for each finished call; strace writes lines in the order of time."""
    pending = {}
    for line in text.splitlines():
        if match := CALL.match(line):
            thread, when, name, rest = match[1], float(match[2]), match[3], match[4]
            if rest.endswith("<unfinished ...>"):
                pending[thread] = (when, name, rest)
            else:
                yield when, when, name, rest
        elif match := RESUMED.match(line):
            if match[1] in pending:
                begin, name, rest = pending.pop(match[1])
                yield begin, float(match[2]), name, rest


def send_many(relay, count, tag):
    with relay.smtp() as client:
        client.ehlo("client.test")
        for n in range(count):
            client.sendmail("a@corp.example", ["b@partner.example"], f"Subject: {tag}-{n}\r\n\r\nbody\r\n")


@test
def order():
    """200 messages, 20 sessions: each 250 after an fdatasync begun after its rows' write; fewer syncs than messages"""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    with Sink() as sink, Relay('when always then hold reason "stay"', sink) as relay:
        trace = Trace(relay)
        threads = [threading.Thread(target=send_many, args=(relay, 10, f"s{n}")) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        events = trace.events()
        writes = [e for e in events if e[2] == "pwrite64" and "-wal>" in e[3]]
        syncs = [(e[0], e[1]) for e in events if e[2] in ("fdatasync", "fsync") and "-wal>" in e[3]]
        replies = {queue_id: e[0] for e in events if e[2] in ("write", "writev", "sendmsg", "sendto")
                   for queue_id in re.findall(r"250 2\.0\.0 Ok: queued as (\w+)", e[3])}
        equal(len(replies), 200, "replies seen on the wire")
        for queue_id, replied in replies.items():
            # A transaction's frames are written in one run that ends in its one sync; later ones may write the page
            # anew.
            rows = next((e for e in writes if queue_id in e[3]), None)
            assert rows, f"the rows of {queue_id} never reached the WAL"
            sync = next((s for s in syncs if s[0] >= rows[1]), None)
            assert sync and sync[1] <= replied, f"the 250 of {queue_id} came before its rows were synced"
        print(f"# {len(syncs)} syncs for 200 messages")
        assert len(syncs) < 200, f"{len(syncs)} syncs for 200 messages: no group commit"
        equal(len(relay.queue()), 200)


@test
def no_timer():
    """one session: no 250 waits for a timer: the median of 100 is near one sync"""
    with Sink() as sink, Relay('when always then hold reason "stay"', sink) as relay:
        times = []
        with relay.smtp() as client:
            client.ehlo("client.test")
            for n in range(100):
                client.mail("a@corp.example")
                client.rcpt("b@partner.example")
                client.putcmd("DATA")
                client.getreply()
                client.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
                begin = time.monotonic()
                equal(client.getreply()[0], 250)
                times.append(time.monotonic() - begin)
        median = sorted(times)[50]
        probe = relay.folder / "probe"
        syncs = []
        with open(probe, "wb") as f:
            for _ in range(50):
                f.write(b"x" * 8192)
                f.flush()
                begin = time.monotonic()
                os.fdatasync(f.fileno())
                syncs.append(time.monotonic() - begin)
        sync = sorted(syncs)[25]
        print(f"# median reply {median * 1e6:.0f} us, one fdatasync here {sync * 1e6:.0f} us")
        limit = 0.05 if SANITIZED else 0.015 + 10 * sync
        assert median < limit, f"{median * 1e3:.1f} ms: something waits"


if __name__ == "__main__":
    main()
