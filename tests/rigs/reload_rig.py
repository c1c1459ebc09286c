#!/usr/bin/python3
"""Reload after reload under load: each message is judged by one set, no session ends, no process grows.

    SLUICE_RELOADS=10000 SLUICE_SEED=1 tests/rigs/reload_rig.py

Two rules of each set stamp the set's number: seen apart, a message judged by two sets would bear two numbers.
"""
import os
import pathlib
import time

import rig
from relay import equal, main, test, wait_until

RELOADS = int(os.environ.get("SLUICE_RELOADS", 100))
SETTLED = max(RELOADS // 10, 20)  # memory is compared from here on: what is made once is made by then
GROWTH_KB = 1024 if RELOADS >= 1000 else 8192  # a slice ends before every buffer has met its largest mail
MESSAGES = 50  # that a judge has judged before its memory is looked at


def rules(number):
    return (f'rule "first" when always then set_header "X-Rig-First" "{number}"\n'
            f'rule "filler" on_unreadable skip when body contains "never {number}" then drop\n'
            f'rule "second" when always then set_header "X-Rig-Second" "{number}"\n')


def private_kb(pid):
    """What the process alone holds: pages that it shares with the others of its program are not its."""
    return sum(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
               if line.startswith(("Private_Clean:", "Private_Dirty:")))


def memory(relay, history):
    """By role, when the judge in force has judged some: the least of three looks, for what is in use for a moment is no
    growth."""
    looks = []
    for _ in range(3):
        goal = history.counts()["acked"] + MESSAGES
        wait_until(lambda: history.counts()["acked"] > goal, "some messages")
        roles = {"supervisor": [relay.process.pid],
                 **{name: relay.pids(name) for name in ("sluiced-relay", "sluiced-templat", "sluiced-judge")}}
        looks.append({role: max(map(private_kb, pids)) for role, pids in roles.items() if pids})
    return {role: min(look[role] for look in looks if role in look) for role in looks[-1]}


class Generations:
    """Which numbers a copy may bear: both the same, one that was in force while the message was under way."""

    def __init__(self):
        self.mixed, self.seen, self.latest = [], set(), 0

    def stamps(self, recipient, stamps):
        values = dict(line.split(b": ") for line in stamps)
        if set(values) != {b"X-Rig-First", b"X-Rig-Second"} or len(set(values.values())) != 1:
            self.mixed.append((recipient, stamps))
            return False
        self.seen.add(int(values[b"X-Rig-First"]))
        return int(values[b"X-Rig-First"]) <= self.latest


@test
def reloads():
    """reloads under load: none mixed, no session dropped, no mail refused, no process grows"""
    generations = Generations()
    history = rig.History(generations.stamps)

    def plain(dice, tag):
        recipients, content, _, halves = rig.message(dice, tag)
        return recipients, content, rig.DELIVER, halves

    with rig.RecordingSink(history) as sink, rig.RigRelay(rules(0), sink) as relay:
        with rig.Load(history, relay.port, clients=3, pause=0.005, make=plain) as load:
            began, before = time.monotonic(), None
            for number in range(1, RELOADS + 1):
                generations.latest = number
                relay.write_rules(rules(number))
                relay.sluice("reload")
                if number == SETTLED:
                    before = memory(relay, history)
                if RELOADS >= 1000 and number % 1000 == 0:
                    print(f"# {number} reloads in {time.monotonic() - began:.0f} "
                          f"s: {history.counts()}, {memory(relay, history)} KB", flush=True)
            took = time.monotonic() - began
            wait_until(lambda: len(relay.pids("sluiced-templat")) == 1, "the templates before to end")
            after = memory(relay, history)
        wait_until(lambda: not history.waiting() and not relay.rows(), "the queue to drain")
        history.check()
        counts = history.counts()
        print(f"# {RELOADS} reloads in {took:.1f} s, seed {rig.SEED}: {counts}, {len(generations.seen)} sets seen; "
              f"private memory "
              f"before {before} KB, after {after} KB")
        equal(generations.mixed, [], "judged by two sets")
        equal(load.dropped, 0, "sessions that were dropped")
        equal(counts["refused"] + counts["unknown"] + counts["unfinished"], 0, "mail that was not taken")
        assert len(generations.seen) > min(RELOADS / 4, counts["acked"] / 4), len(generations.seen)
        equal(relay.ends, [], "processes that ended")
        grown = {role: after[role] - before[role] for role in after if after[role] - before[role] > GROWTH_KB}
        assert not grown, f"grown by {grown} KB"


if __name__ == "__main__":
    main()
