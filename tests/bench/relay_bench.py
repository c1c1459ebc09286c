#!/usr/bin/python3
"""sluiced beside Postfix at its best on loopback: messages per second and CPU per message.

    make bench-relay [PAIRS=5] [MESSAGES=5000] [SIZE=4096] [SESSIONS=20] [RULES=100] [PEER=postfix] [TLS=yes] [NEW=yes]
    make bench-relay-table [PAIRS=5]     every row that is asked for, and the other relays

Runs inside the mount namespace in which the peer looks installed (tests/peers/peers.sh run postfix).  Both relays keep
their queue on the same disk, get the same messages from Postfix's smtp-source, over sessions that stay (-d) or, with
--new, over a new one for each message, and deliver to the same sink, which counts in a mapped file; with --tls only
over STARTTLS.  The two take turns; what is compared is the ratio within a pair, and the median over pairs.  With
--plain-too the pair's second is sluiced itself without TLS.
"""
import argparse
import contextlib
import functools
import json
import mmap
import os
import pathlib
import shutil
import statistics
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "peers"), str(ROOT / "tests" / "e2e")]
import servers  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build" / "release"))
WORK = ROOT / "build" / "bench"
TICK = os.sysconf("SC_CLK_TCK")

CONFIG = """\
list trusted_networks of network = 127.0.0.0/8
list our_domains of domain = "corp.example"
relay hostname "relay.corp.example" internal our_domains state "{state}" control "{control}" log_format json
listener "inbound" address "127.0.0.1:{port}" relay_for trusted_networks domains our_domains
connector "default" host "127.0.0.1" port {sink} tls {tls}
retry first 1 minute until 5 days
import "rules.sluice"
"""
# Rules of the yardstick's mixture: body pattern, subject words, domain of From, header; the last always applies.
KINDS = ('body matches /\\bquarterplan{n}[- ]?\\d{{3,6}}\\b/',
         'subject contains any of ("merger{n}", "takeover{n}", "layoff{n}")',
         'from.domain is "rival{n}.example"',
         'header "X-Project-{n}" is present')


def rules(count):
    lines = [f'rule "r{n}" when {KINDS[n % len(KINDS)].format(n=n)} then mark "m{n}"' for n in range(count - 1)]
    return "\n".join([*lines, 'rule "always" when always then mark "seen"', ""])


class SinkCounter:
    """The yardstick's sink and its counters: the first of nine 64-bit numbers is the messages taken, the seventh those
    that came over TLS."""

    def __init__(self, tls):
        self.port, self.stats, self.tls, self.certificate = servers.free_port(), WORK / "sink.stats", tls, []
        if tls:
            self.certificate = [str(WORK / "sink.pem"), str(WORK / "sink.key"), "ticket"]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-days", "9", "-subj", "/CN=sink.test", "-out", self.certificate[0], "-keyout",
                            self.certificate[1]], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["cc", "-O2", "-w", str(ROOT / "tests/bench/sink.c"), "-o", str(WORK / "sink"), "-lssl",
                        "-lcrypto",
                        "-lpthread"], check=True)

    @contextlib.contextmanager
    def run(self):
        with servers.running([str(WORK / "sink"), str(self.port), str(self.stats), *self.certificate], self.port):
            with open(self.stats, "r+b") as f:
                self.map = mmap.mmap(f.fileno(), 72)
            yield self

    def messages(self):
        return struct.unpack_from("9Q", self.map)[6 if self.tls else 0]


def tree(pid):
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                todo += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def cpu_seconds(pid):
    """Of a process, its living descendants, and the dead ones they waited for."""
    total = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15]))
    return total / TICK


def memory(pid):
    """{process name: proportional set size in MiB}"""
    out = {}
    for one in tree(pid):
        with contextlib.suppress(OSError):
            name = pathlib.Path(f"/proc/{one}/comm").read_text().strip()
            text = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text()
            pss = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
            out[name] = out.get(name, 0) + pss / 1024
    return out


@contextlib.contextmanager
def sluiced(sink, rule_count):
    folder = WORK / "sluice"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = servers.free_port()
    (folder / "relay.sluice").write_text(CONFIG.format(state=folder / "state", control=folder / "control.sock",
                                                       port=port,
                                                       sink=sink.port, tls="encrypt" if sink.tls else "opportunistic"))
    (folder / "rules.sluice").write_text(rules(rule_count))
    log = open(folder / "log", "wb")
    with servers.running([str(BUILD / "bin/sluiced"), "-c", str(folder / "relay.sluice")], port, stderr=log) as server:
        yield server


@contextlib.contextmanager
def postfix(sink, _rules):
    spool = WORK / "postfix-spool"
    shutil.rmtree(spool, ignore_errors=True)
    shutil.copytree("/var/spool/postfix", spool)
    for path in pathlib.Path("/var/spool/postfix").rglob("*"):
        state = path.lstat()
        os.chown(spool / path.relative_to("/var/spool/postfix"), state.st_uid, state.st_gid)
    subprocess.run(["mount", "--bind", str(spool), "/var/spool/postfix"], check=True)
    try:
        # At its best on loopback; with TLS, where connections are dear, those of tlsproxy are used again.
        tls = ["smtp_tls_security_level = encrypt", "smtp_tls_connection_reuse = yes"]
        extra = tls if sink.tls else ["smtp_connection_cache_on_demand = no"]
        with servers.postfix(relay_to=sink.port, extra=extra) as server:
            yield server
    finally:
        subprocess.run(["umount", "-l", "/var/spool/postfix"], check=True)


@contextlib.contextmanager
def other(name, sink, _rules):
    if sink.tls:
        raise SystemExit("only Postfix is measured over TLS")
    with servers.START[name](relay_to=sink.port) as server:
        yield server


def check_hits(messages):
    """The rule that always applies was counted once for each message."""
    end = time.monotonic() + 10
    while True:
        out = subprocess.run([str(BUILD / "bin/sluice"), "rules", "--json", "--socket",
                              str(WORK / "sluice/control.sock")],
                             capture_output=True, text=True, check=True).stdout
        hits = next(row["applied"] for row in map(json.loads, out.splitlines()) if row["rule"] == "always")
        if hits == messages:
            return
        if time.monotonic() > end:
            raise SystemExit(f"the rule that always applies has {hits} hits for {messages} messages")
        time.sleep(0.02)


SOURCE = ROOT / "build/peers/postfix/root"


def one_run(relay, sink, args):
    with sink.run(), relay(sink, args.rules) as server:
        before, cpu = sink.messages(), cpu_seconds(server.process.pid)
        begin = time.monotonic()
        source = subprocess.Popen([str(SOURCE / "usr/sbin/smtp-source"), *([] if args.new else ["-d"]), "-s",
                                   str(args.sessions),
                                   "-m", str(args.messages), "-l", str(args.size), "-f", "a@corp.example", "-t",
                                   "b@partner.example", f"127.0.0.1:{server.port}"], stderr=subprocess.PIPE,
                                  env=dict(os.environ, LD_LIBRARY_PATH=str(SOURCE / "usr/lib/postfix")))
        _, said = source.communicate(timeout=600)
        accepted = time.monotonic() - begin
        if source.returncode:
            raise SystemExit(f"smtp-source: {said.decode()}")
        while sink.messages() - before < args.messages:
            if time.monotonic() - begin > 600:
                raise SystemExit(f"only {sink.messages() - before} of {args.messages} arrived")
            time.sleep(0.001)
        drained = time.monotonic() - begin
        if relay is sluiced:
            check_hits(args.messages)
        return {"accept": args.messages / accepted, "drain": args.messages / drained,
                "cpu": (cpu_seconds(server.process.pid) - cpu) / args.messages * 1e6,
                "memory": memory(server.process.pid)}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--messages", type=int, default=5000)
    options.add_argument("--size", type=int, default=4096)
    options.add_argument("--sessions", type=int, default=20)
    options.add_argument("--rules", type=int, default=100)
    options.add_argument("--peer", default="postfix", choices=["postfix", "exim", "opensmtpd", "haraka"])
    options.add_argument("--new", action="store_true", help="a session for each message")
    options.add_argument("--tls", action="store_true", help="out over mandatory STARTTLS")
    options.add_argument("--plain-too", action="store_true", help="with --tls: beside sluiced in clear, not a peer")
    args = options.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    sink, clear = SinkCounter(args.tls), SinkCounter(False)
    peer = postfix if args.peer == "postfix" else functools.partial(other, args.peer)
    name = "in clear" if args.plain_too else args.peer
    print(f"\n{args.size} bytes x {args.sessions} sessions "
          f"({'one a message' if args.new else 'kept'}), {args.messages} messages, "
          f"{args.rules} rules{', out over STARTTLS' if args.tls else ''}")
    print(f"pair   sluiced accept/s  drain/s  CPU us/msg   {name:>9} accept/s  drain/s  CPU us/msg   drain  CPU")
    pairs = []
    for n in range(args.pairs):
        turns = {"ours": lambda: one_run(sluiced, sink, args),
                 "theirs": lambda: one_run(sluiced, clear, args) if args.plain_too else one_run(peer, sink, args)}
        got = {who: turns[who]() for who in (("ours", "theirs") if n % 2 == 0 else ("theirs", "ours"))}
        ours, theirs = got["ours"], got["theirs"]
        pairs.append((ours, theirs))
        print(f"{n + 1:4}   {ours['accept']:16.0f} {ours['drain']:8.0f} {ours['cpu']:11.0f}   {theirs['accept']:18.0f} "
              f"{theirs['drain']:8.0f} {theirs['cpu']:11.0f}   {ours['drain'] / theirs['drain']:4.2f}x "
              f"1/{theirs['cpu'] / ours['cpu']:.1f}", flush=True)
    drain = statistics.median(a["drain"] / b["drain"] for a, b in pairs)
    cpu = statistics.median(b["cpu"] / a["cpu"] for a, b in pairs)
    print(f"median: {drain:.2f} x the drain rate of {name}, 1/{cpu:.1f} of the CPU per message")
    print("memory, MiB (proportional): " + ", ".join(f"{k} {v:.1f}" for k, v in pairs[-1][0]["memory"].items()))


main()
