#!/usr/bin/python3
"""What N rules cost a message: CPU time beside Pigeonhole, Postfix's pcre checks and rspamd with Hyperscan.

    make bench-rules [ROUNDS=5]

Runs inside the mount namespace in which they look installed (tests/peers/peers.sh run rules).  All get the same
messages and sets of one meaning (tests/bench/rules.py).  What is told is marginal: the CPU microseconds one message
takes with N rules less those with none, each the median over rounds in which all take turns.

  Sluice      tests/bench/rules_bench.c: the judge's own function, in one process
  Pigeonhole  sieve-filter over a mailbox of M messages less over one of 1: sieve-test's engine without a process a
  message Postfix     postmap -b over M times the body, -h over M times the header, less over one
  rspamd      its scanning process, M messages over HTTP; sets compiled by its Hyperscan helper before
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import servers  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build" / "release"))
WORK = ROOT / "build" / "bench" / "peers"
RULES = ROOT / "build" / "bench" / "rules"
SIZES = ("4k", "100k")
OURS, THEIRS = (1, 10, 100, 1000, 10000), (10, 100, 1000)
NOBODY = 65534
PATIENCE = 180


def cpu_of(*command, **more):
    """CPU seconds of a command, its children's included.  Status 1 is postmap's for "nothing found"."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    errors = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1) or "fatal" in errors.lower():
        raise SystemExit(f"{command[0]}: {errors[:400]}")
    return usage.ru_utime + usage.ru_stime


def message(size):
    return (RULES / f"m{size}.eml").read_text(encoding="utf-8")


# --- the four ---------------------------------------------------------------------------------------------------------
class Sluice:
    name, counts = "Sluice", OURS

    def round(self, size, cpu):
        out = subprocess.run([BUILD / "bench" / "rules_bench", RULES, size, "1", *map(str, self.counts)], check=True,
                             capture_output=True, text=True).stdout
        for one in json.loads(out)["sets"]:
            cpu.setdefault(one["rules"], []).append(one["cpu_us"])


class Difference:
    """CPU microseconds a message: M of them less one, over M - 1."""
    counts = THEIRS
    messages = {"4k": {0: 300, 10: 300, 100: 120, 1000: 60}, "100k": {0: 60, 10: 60, 100: 30, 1000: 12}}

    def round(self, size, cpu):
        for n in (0, *self.counts):
            m = self.messages[size][n]
            taken = self.cpu(size, n, m) - self.cpu(size, n, 1)
            cpu.setdefault(n, []).append(taken * 1e6 / (m - 1))


class Pigeonhole(Difference):
    name = "Pigeonhole"

    def __init__(self):
        self.home = WORK / "dovecot"
        for folder in ("run", "state"):
            (self.home / folder).mkdir(parents=True)
        pathlib.Path("/etc/dovecot").mkdir(exist_ok=True)
        pathlib.Path("/etc/dovecot/dovecot.conf").write_text(
            f"base_dir = {self.home}/run\nstate_dir = {self.home}/state\nmail_location = maildir:~/Maildir\nssl = no\n"
            f"default_internal_user = dovecot\nmail_uid = {NOBODY}\nmail_gid = {NOBODY}\nfirst_valid_uid = 0\n"
            "first_valid_gid = 0\nplugin {\n  sieve_extensions = +regex\n  sieve_max_script_size = 100M\n}\n")
        for n in (0, *self.counts):
            shutil.copy(RULES / f"mixed.{n}.sieve", self.home)
            subprocess.run(["sievec", self.home / f"mixed.{n}.sieve"], check=True)
        for size in SIZES:
            for m in {1, *self.messages[size].values()}:
                self.mailbox(size, m)
        subprocess.run(["chown", "-R", str(NOBODY), self.home], check=True)

    def mailbox(self, size, m):
        folder = self.home / f"{size}.{m}" / "Maildir"
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        text = message(size).replace("\n", "\r\n")
        for i in range(m):
            (folder / "cur" / f"17000{i}.x.host:2,S").write_text(text, encoding="utf-8", newline="")

    def cpu(self, size, n, m):
        return cpu_of("sieve-filter", "-c", "/etc/dovecot/dovecot.conf", self.home / f"mixed.{n}.sieve", "INBOX",
                      user=NOBODY,
                      group=NOBODY, extra_groups=[], cwd=self.home,
                      env={**os.environ, "HOME": str(self.home / f"{size}.{m}"), "USER": "nobody"})


class Postfix(Difference):
    name = "Postfix"

    def __init__(self):
        shutil.copy(ROOT / "tests" / "bench" / "postfix-main.cf", "/etc/postfix/main.cf")
        with open("/etc/postfix/dynamicmaps.cf", "a", encoding="ascii") as f:
            f.write("pcre /usr/lib/postfix/postfix-pcre.so dict_pcre_open\n")

    def cpu(self, size, n, m):
        header, body = message(size).split("\n\n", 1)
        parts = (("-b", "bc", "\n" + body * m), ("-h", "hc", (header + "\n") * m + "\n"))
        total = 0
        for option, table, text in parts:
            path = WORK / f"postfix.{table}"
            path.write_text(text, encoding="utf-8")
            with open(path, "rb") as f:
                total += cpu_of("postmap", f"{option}q", "-", f"pcre:{RULES}/mixed.{n}.{table}", stdin=f)
        return total


class Rspamd:
    name, counts = "rspamd", THEIRS
    messages = {"4k": 1200, "100k": 200}

    def __init__(self):
        self.home = WORK / "rspamd"
        (self.home / "cache").mkdir(parents=True)
        self.processes, self.ports = {}, {}
        for n in (0, *self.counts):
            self.start(n)

    def start(self, n):
        folder, port, log = self.home / str(n), servers.free_port(), self.home / str(n) / "log"
        folder.mkdir()
        (folder / "rules.lua").write_text("config['regexp'] = config['regexp'] or {}\n"
                                          + (RULES / f"mixed.{n}.lua").read_text())
        (folder / "rspamd.conf").write_text(
            f'options {{ pidfile = "{folder}/pid"; filters = "regexp"; tempdir = "{folder}"; rrd = ""; '
            f'control_socket = "{folder}/control mode=0600"; dns {{ nameserver = ["127.0.0.1:9"]; timeout = 1s; }} '
            f'hs_cache_dir = "{self.home}/cache"; }}\n'
            f'logging {{ type = "file"; filename = "{log}"; level = "info"; }}\n'
            f'worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}\n'
            f'worker "hs_helper" {{ count = 1; cache_dir = "{self.home}/cache"; }}\n'
            f'regexp {{ max_size = 10M; }}\nlua = "{folder}/rules.lua"\n'
            'metric { name = "default"; actions { reject = 1500; add_header = 600; greylist = 400; } }\n')
        self.ports[n] = port
        self.processes[n] = subprocess.Popen(["rspamd", "-c", folder / "rspamd.conf", "-f", "-i"],
                                             stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL)
        # Its first start compiles the list of top level domains; the others find it in the cache.
        wanted = "(normal)" if n == 0 else "rspamd_worker_hyperscan_ready"
        deadline = time.monotonic() + PATIENCE
        while not (log.exists() and wanted in log.read_text(errors="replace") and self.answers(port)):
            if time.monotonic() > deadline or self.processes[n].poll() is not None:
                raise SystemExit(f"rspamd with {n} rules does not start: see {log}")
            time.sleep(.2)

    @staticmethod
    def answers(port):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            return connection.getresponse().read().strip() == b"pong"
        except OSError:
            return False

    def scanning(self, n):
        """The process that scans, of the rspamd with n rules: its title says so."""
        for pid in subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.processes[n].pid)], check=True,
                                  capture_output=True, text=True).stdout.splitlines():
            if "normal process" in pid:
                return int(pid.split()[0])
        raise SystemExit("rspamd has no scanning process")

    def round(self, size, cpu):
        text = message(size).encode()
        for n in (0, *self.counts):
            schedule = f"/proc/{self.scanning(n)}/schedstat"
            for i in range(-self.messages[size] // 4, self.messages[size]):
                if i == 0:  # those before warm what is cached
                    began = int(pathlib.Path(schedule).read_text().split()[0])
                connection = http.client.HTTPConnection("127.0.0.1", self.ports[n], timeout=30)
                connection.request("POST", "/checkv2", text)
                symbols = json.loads(connection.getresponse().read())["symbols"]
                if len(symbols) != (n > 0):
                    raise SystemExit(f"rspamd with {n} rules answers {len(symbols)} symbols")
            taken = int(pathlib.Path(schedule).read_text().split()[0]) - began
            cpu.setdefault(n, []).append(taken / 1e3 / self.messages[size])

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()


# --- together ---------------------------------------------------------------------------------------------------------
def tell(peers, results):
    for size in SIZES:
        print(f"\nCPU microseconds that N rules add to a message of {size}:")
        print(f"  {'N':>6}" + "".join(f"{p.name:>14}" for p in peers) + "   of Sluice's")
        for n in OURS:
            values = [results[size][p.name].get(n) for p in peers]
            ratios = "  ".join("-" if v <= 0 else f"{v / values[0]:.0f}x" for v in values[1:] if v is not None)
            print(f"  {n:>6}" + "".join(f"{'-' if v is None else f'{v:.1f}':>14}" for v in values) + f"   {ratios}")
        fixed = "".join(f"{results[size][p.name][0]:>14.1f}" for p in peers)
        print(f"  {'none':>6}{fixed}   (the whole message, without rules)")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments = arguments.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for folder in (WORK, *WORK.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o111)  # Pigeonhole reads there as nobody
    rspamd = None
    try:
        print("starting the peers", file=sys.stderr)
        rspamd = Rspamd()
        peers = [Sluice(), Pigeonhole(), Postfix(), rspamd]
        seen = {size: {p.name: {} for p in peers} for size in SIZES}
        for k in range(arguments.rounds):
            for size in SIZES:
                for p in peers:
                    p.round(size, seen[size][p.name])
            print(f"round {k + 1} of {arguments.rounds}", file=sys.stderr)
        results = {}
        for size in SIZES:
            results[size] = {}
            for p in peers:
                cpu = seen[size][p.name]
                results[size][p.name] = {n: statistics.median(a - b for a, b in zip(v, cpu[0])) for n,
                                         v in cpu.items() if n}
                results[size][p.name][0] = statistics.median(cpu[0])
        tell(peers, results)
    finally:
        if rspamd:
            rspamd.stop()


if __name__ == "__main__":
    main()
