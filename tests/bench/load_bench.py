#!/usr/bin/python3
"""What ten thousand rules cost a running relay: start, reload, memory, and a judge that dies.

    make bench-load [ROUNDS=5]

The rules are tests/bench/rules.py's mixture (2,500 patterns among them) and a test of a list of 100,000 domains.  Told
are medians over rounds: seconds until the relay takes mail, of those the template's CPU (compiling, verifying, machine
code, index), seconds of a reload, the template's memory, what a judge has that is its own after some hundred messages
(Private_Dirty), and milliseconds from a judge's death until its successor is there.
"""
import argparse
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from relay import BUILD, PATIENCE, Relay, Sink, wait_until  # noqa: E402

RULES = ROOT / "build" / "bench" / "rules"
MESSAGES = 300
LIMITS = {"start s": None, "load CPU s": 3, "reload s": None, "template MB": 150, "judge's own MB": 15,
          "replaced ms": 20}


def rules():
    domains = ", ".join(f'"d{i}.example"' for i in range(100000))
    return (f"list known of domain = {domains}\n" + (RULES / "mixed.10000.sluice").read_text() +
            'rule "known" when sender.domain is in known then log "known"\n')


def memory(pid, what):
    """Mebibytes, as /proc says."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(what + ":")) / 1024


def template_of(relay):
    """The one there is; a reload leaves the one before until its judges are done."""
    return wait_until(lambda: len(relay.children()["sluiced-templat"]) == 1 and relay.children()["sluiced-templat"][0],
                      "one template")


def judges_of(template):
    return pathlib.Path(f"/proc/{template}/task/{template}/children").read_text().split()


def replaced(relay, template):
    """Milliseconds from a judge's end until there is another, which then judges: after one that never did the relay
    pauses."""
    old = wait_until(lambda: len(judges_of(template)) == 1 and judges_of(template)[0], "one judge")
    began = time.monotonic()
    os.kill(int(old), signal.SIGKILL)
    while not set(judges_of(template)) - {old}:
        if time.monotonic() - began > PATIENCE:
            raise SystemExit("a judge that died has no successor")
    took = (time.monotonic() - began) * 1000
    code, reply = relay.send(to=("bob@corp.example",))
    if code != 250:
        raise SystemExit(f"no mail after a judge was replaced: {code} {reply}")
    return took


def one_round(sink):
    seen = {}
    began = time.monotonic()
    with Relay(rules(), sink, relay="judges 1") as relay:
        seen["start s"] = time.monotonic() - began
        seen["load CPU s"] = int(pathlib.Path(f"/proc/{template_of(relay)}/schedstat").read_text().split()[0]) / 1e9
        began = time.monotonic()
        relay.sluice("reload")
        seen["reload s"] = time.monotonic() - began
        message = (RULES / "m4k.eml").read_text()
        with relay.smtp() as client:
            for _ in range(MESSAGES):
                client.sendmail("alice@sender.example", ["bob@corp.example"], message)
        template = template_of(relay)
        seen["template MB"] = memory(template, "Rss")
        seen["judge's own MB"] = memory(judges_of(template)[0], "Private_Dirty")
        seen["replaced ms"] = statistics.median(replaced(relay, template) for _ in range(5))
    return seen


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments = arguments.parse_args()
    subprocess.run([ROOT / "tests" / "bench" / "rules.py", RULES], check=True)
    with Sink() as sink:
        rounds = [one_round(sink) for _ in range(arguments.rounds)]
    print(f"10,000 rules, 2,500 patterns, a list of 100,000 ({BUILD.name} build, {arguments.rounds} rounds)")
    for what, limit in LIMITS.items():
        values = sorted(r[what] for r in rounds)
        print(f"  {what:<16}{statistics.median(values):9.2f}   ({values[0]:.2f} … {values[-1]:.2f}" +
              (f"; at most {limit})" if limit else ")"))
    sys.exit(any(limit and statistics.median(r[what] for r in rounds) > limit for what, limit in LIMITS.items()))


if __name__ == "__main__":
    main()
