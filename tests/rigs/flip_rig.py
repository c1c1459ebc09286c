#!/usr/bin/python3
"""Bits flipped on the disk: a relay is started on a damaged queue, again and again.

    SLUICE_FLIPS=1000 SLUICE_SEED=1 tests/rigs/flip_rig.py

Nothing is sent but what was sent in, to whom it was sent; what was held or demands TLS stays so; no process crashes;
what is damaged is told, by setting it aside or by refusing to start, and the rest arrives.
"""
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import rig
from relay import equal, main, test, wait_until

FLIPS = int(os.environ.get("SLUICE_FLIPS", 30))
ONLY = os.environ.get("SLUICE_FLIP")  # one run again, by its number
MESSAGES = 60
BLOCK, FRAME = 512, 24 + 8192  # a sector; a frame of the log
PATIENCE = 20
RULES = rig.RULES + """\
rule "keep" when subject contains "keep" then hold reason "to be looked at"
rule "secret" when subject contains "secret" then require_tls verified
"""
TOLD = re.compile(
    r"damage|cannot be trusted|malformed|is no queue|"
    r"set aside|lacks a row|missing|hash|corrupt|not a database|written by a newer")


def make(dice, tag):
    """As the load's, some to be held, some that demand TLS: the sink offers none."""
    recipients, content, _, _ = rig.message(dice, tag)
    roll = dice.random()
    word = b"keep" if roll < 0.1 else b"secret" if roll < 0.2 else b"plain"
    content = re.sub(rb"Subject: \w+", b"Subject: " + word, content)
    if roll > 0.95:
        content += b"long line of a large message\r\n" * 12000  # a spool file
    return recipients, content, rig.DELIVER if word == b"plain" else rig.DROP, False


class Prepared:
    """What a run begins with: a queue whose relay was stopped; was killed, all in the log; was stopped, and then killed
    idle."""

    NAMES = "stopped", "killed", "idle"

    def __init__(self, relay, name, folder):
        self.folder, self.name = folder, name
        self.messages = {}  # tag: what was sent
        dice, history = random.Random(f"{rig.SEED} {self.name}"), rig.History(rig.stamped)
        relay.start()
        with contextlib.closing(rig.Client(relay.port)) as client:
            for n in range(MESSAGES):
                tag = f"f{n}"
                self.messages[tag] = make(dice, tag)
                client.send(history, tag, self.messages[tag])
        equal(history.counts()["acked"], MESSAGES)
        wait_until(lambda: all(r.get("attempts") or r["state"] == "held" for m in relay.queue()
                               for r in m["recipients"]), "a first attempt")
        if name != "killed":
            relay.stop()
        if name == "idle":
            relay.start()
        if name != "stopped":
            end(relay)
        shutil.move(relay.folder / "state", folder)
        self.targets = [(path.relative_to(folder), offsets(path)) for path in
                        (folder / "queue.db", folder / "queue.db-wal", *sorted((folder / "spool").iterdir()))]

    def flip(self, state, dice):
        """Bits of one file; says which."""
        roll = dice.random()
        path, places = self.targets[0 if roll < 0.6 else 1 if roll < 0.8 else dice.randrange(2, len(self.targets))]
        count = dice.choice((1, 1, 1, 2, 8, 64, 0))
        with open(state / path, "r+b") as file:
            block = dice.choice(places)
            for _ in range(count):
                at = dice.choice((block, dice.choice(places))) + dice.randrange(BLOCK)
                file.seek(at)
                byte = file.read(1)[0] ^ 1 << dice.randrange(8)
                file.seek(at)
                file.write(bytes([byte]))
            if not count:
                file.seek(block)
                file.write(dice.randbytes(BLOCK))
        return f"{self.name}: {path}, " + (f"{count} bits about {block}" if count else f"the block at {block}")


def offsets(path):
    """The blocks of a file that hold something: of the log, those of its present salt."""
    data = path.read_bytes()
    if path.name.endswith("-wal"):
        frames = 0
        while data[32 + frames * FRAME + 8:][:8] == data[16:24]:
            frames += 1
        data = data[:32 + frames * FRAME]
    return [at for at in range(0, len(data) - BLOCK + 1, BLOCK) if any(data[at:at + BLOCK])]


def end(relay):
    for pid in [relay.process.pid, *(pid for pids in relay.children().values() for pid in pids)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    relay.process.wait()


class Run:
    """One start on a damaged queue."""

    def __init__(self, relay, sink, prepared):
        self.relay, self.sink, self.prepared = relay, sink, prepared
        self.history = sink.history = rig.History(rig.stamped)
        self.due = set()
        for tag, (recipients, content, fate, _) in prepared.messages.items():
            self.history.begin(tag, recipients, content, fate)
            self.history.dot(tag)
            self.history.answered(tag, 250)
            if fate == rig.DELIVER:
                self.due.update(recipients)
        self.known = {}  # recipient: how the relay's own list shows it
        relay.log.clear()
        relay.ends.clear()

    def listed(self):
        try:
            done = self.relay.sluice("queue", "--json", check=False)
        except subprocess.TimeoutExpired:  # its relay died under it
            return False
        if done.returncode:
            return False
        self.known = {r["address"]: (r["state"], r.get("delay_reason", "")) for line in done.stdout.splitlines()
                      for r in json.loads(line)["recipients"]}
        return True

    def told(self):
        return [line for line in self.relay.log if TOLD.search(line)]

    def settled(self):
        """Everything arrived, or whatever did not is set aside or missing."""
        if self.due <= self.history.deliveries.keys():
            return True
        if self.relay.process.poll() is not None or any(end.startswith("exit") for end in self.relay.ends):
            return True
        return self.listed() and not any(self.known.get(r, ("",))[0] == "queued"
                                         for r in self.due - self.history.deliveries.keys())

    def go(self):
        """The word for how it ended."""
        try:
            self.relay.start()
        except AssertionError:
            return "refused to start" if self.told() else "refused to start without a reason"
        deadline = time.monotonic() + PATIENCE
        while not self.settled() and time.monotonic() < deadline:
            time.sleep(0.02)
        wait_until(lambda: self.sink.history.deliveries or True, "")
        missing = self.due - self.history.deliveries.keys()
        if self.relay.ends:
            return "stopped" if self.told() else "stopped without a reason"
        if not missing:
            return "all arrived"
        self.listed()
        shown = {self.known.get(r, ("missing",))[0] for r in missing}
        if "missing" in shown and not self.told():
            return "lost in silence"
        return "told: " + ", ".join(sorted(shown))


GOOD = {"all arrived", "refused to start", "stopped", "told: damaged", "told: damaged, missing", "told: missing"}


def verdict(run, word):
    """What is wrong with it."""
    wrong = [] if word in GOOD else [word]
    wrong += [end for end in run.relay.ends if end.startswith("signal")]
    wrong += [line for line in run.relay.log if "INVARIANT" in line or "Sanitizer" in line]
    for recipient, eras in run.history.deliveries.items():
        # what a relay that ended could not write down comes again, once a start
        if len(eras) > 1 + len(run.relay.ends):
            wrong.append(f"{recipient} twice")
        if recipient not in run.due:
            wrong.append(f"{recipient}: held, or to go by TLS only, and delivered")
    return wrong + run.history.violations


@test
def flipped():
    """a queue with flipped bits: nothing wrong is sent, nothing crashes, damage is told, the rest arrives"""
    words, wrong, places = collections.Counter(), [], collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory(prefix="sluice-flip-",
                                     dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        folder = pathlib.Path(folder)
        with rig.RecordingSink(rig.History()) as sink:
            retry = "retry first 1 second longest 1 second until 5 days"
            maker = rig.RigRelay(RULES, connectors={"default": f'host "127.0.0.1" port {rig.free_port()}'}, retry=retry,
                                 folder=folder)
            states = [Prepared(maker, name, folder / name) for name in Prepared.NAMES]
            relay = rig.RigRelay(RULES, sink, retry=retry, folder=folder)
            began = time.monotonic()
            for n in range(FLIPS) if not ONLY else [int(ONLY)]:
                dice = random.Random(f"{rig.SEED} {n}")
                prepared = states[n % len(states)]
                shutil.rmtree(relay.folder / "state", ignore_errors=True)
                shutil.copytree(prepared.folder, relay.folder / "state")
                what = prepared.flip(relay.folder / "state", dice) if n >= len(states) else f"{prepared.name}: nothing"
                run = Run(relay, sink, prepared)
                word = run.go()
                if relay.process.poll() is None:
                    end(relay)
                wait_until(sink.quiet, "the sink")
                words[word] += 1
                places[re.sub(r" about.*| at .*|/[^,]*", "", what)][word] += 1
                for line in verdict(run, word):
                    wrong.append(f"run {n} ({what}): {line}")
                    print(f"# {wrong[-1]}", flush=True)
                if ONLY or (FLIPS >= 1000 and n % 100 == 99):
                    print(f"# {n + 1} runs in {time.monotonic() - began:.0f} s: {dict(words)}, {len(wrong)} wrong",
                          flush=True)
                if n < len(states):
                    equal(word, "all arrived", "an undamaged queue")
            print(f"# {FLIPS} runs, seed {rig.SEED}, {(time.monotonic() - began) / FLIPS:.2f} s each: {dict(words)}")
            for place, counted in sorted(places.items()):
                print(f"#   {place}: {dict(counted)}")
            if ONLY:
                print("\n".join("# " + line for line in relay.log))
            assert not wrong, "\n".join(wrong[:60])


if __name__ == "__main__":
    main()
