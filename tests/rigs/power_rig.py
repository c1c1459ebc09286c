#!/usr/bin/python3
"""Power cuts: a disk that logs every write and barrier, and the relay on what such a disk holds after any of them.

    SLUICE_CUTS=1000 SLUICE_SEED=1 tests/rigs/power_rig.py

The state directory is an ext4 of its own on a loop device over block_log.  After a load, disks are made for cuts at
diced moments: all writes before the last barrier, and of those behind it any, some torn within (512 octets are written
or not).  On each a relay is started, and delivers: whatever was acknowledged before the cut and had not yet arrived
arrives now, once and whole. And planted mistakes are found: the same relay with a sync left out, or an answer given too
early (mutants.c).
"""
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import random
import struct
import subprocess
import tempfile
import threading
import time

import rig
from history import DELIVER, as_sent
from relay import BUILD, Skip, equal, main, test, wait_until

CUTS = int(os.environ.get("SLUICE_CUTS", 12))
LONG = CUTS >= 1000
MESSAGES = 600 if LONG else 120
DISK = 64 << 20
BARRIER = 2**64 - 1
NEVER = 2**64, 0.0
SECTOR = 512
RECORD = struct.Struct("<QI")


def run(*command):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def mounted(device, where):
    """As at a start: where a torn superblock keeps it from being mounted, it is mended first."""
    if subprocess.run(["mount", device, where], capture_output=True).returncode != 0:
        subprocess.run(["e2fsck", "-fy", device], capture_output=True)
        run("mount", device, where)
    try:
        yield
    finally:
        run("umount", where)


@contextlib.contextmanager
def loop(path):
    device = run("losetup", "-f", "--show", path)
    try:
        yield device
    finally:
        run("losetup", "-d", device)


class LoggedDisk:
    """An ext4 at `where`, and the log of all that its disk was told."""

    def __init__(self, folder, where):
        self.folder, self.where, self.log = folder, where, folder / "log"

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            window = self.folder / "window"
            window.mkdir()
            server = subprocess.Popen([BUILD / "rigs/block_log", window, str(DISK), self.log])
            stack.callback(server.wait)
            wait_until(lambda: window.is_mount() or server.poll() is not None, "the disk")
            if server.poll() is not None:
                raise Skip("no FUSE here")
            stack.callback(run, "umount", window)
            device = stack.enter_context(loop(window / "disk"))
            run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", device)
            stack.enter_context(mounted(device, self.where))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def now(self):
        """A moment: how far the log has come (what was answered by now lies before), and the time."""
        return self.log.stat().st_size, time.monotonic()


class Timed(rig.History):
    """A history that knows the moment of each promise and each delivery."""

    def __init__(self, disk):
        super().__init__(rig.stamped)
        self.disk, self.dots, self.acks, self.arrivals = disk, {}, {}, {}

    def dot(self, tag):
        self.dots[tag] = self.disk.now()
        super().dot(tag)

    def answered(self, tag, code):
        if code == 250:
            self.acks[tag] = self.disk.now()
        super().answered(tag, code)

    def arrived(self, recipients, content, era):
        super().arrived(recipients, content, era)
        moment = self.disk.now()
        for recipient in recipients:
            self.arrivals.setdefault(recipient, moment)

    def owed(self, cut):
        """(recipients that must be served after a cut at that moment, those that may)."""
        must, may = set(), set()
        for tag, message in self.messages.items():
            if message.fate != DELIVER or not self.dots.get(tag, NEVER) <= cut:
                continue
            may.update(message.recipients)
            if self.acks.get(tag, NEVER) <= cut:
                must.update(r for r in message.recipients if self.arrivals.get(r, NEVER) > cut)
        return must, may

    def digest(self, recipient):
        return self.messages[self._of[recipient]].digest


def records(log):
    """(end in the log, offset, octets) of each write and barrier."""
    data, at = log.read_bytes(), 0
    while at + RECORD.size <= len(data):
        offset, n = RECORD.unpack_from(data, at)
        at += RECORD.size + n
        yield at, offset, memoryview(data)[at - n:at]


def disks(log, cuts, dice, folder):
    """(moment, path) of a disk for each of these moments: all records before it."""
    every, durable, loose = records(log), bytearray(DISK), []
    following = next(every)
    for number, cut in enumerate(sorted(cuts)):
        while following and following[0] <= cut[0]:
            _, offset, octets = following
            following = next(every, None)
            if offset != BARRIER:
                loose.append((offset, octets))
                continue
            for o, b in loose:
                durable[o:o + len(b)] = b
            loose = []
        image = bytearray(durable)
        kept = dice.choice((0.0, 0.5, 0.9, 1.0))
        for o, b in loose:
            if dice.random() < kept:
                torn = len(b) if dice.random() < 0.8 else dice.randrange(0, len(b) // SECTOR + 1) * SECTOR
                image[o:o + torn] = b[:torn]
        path = folder / f"disk{number}"
        path.write_bytes(image)
        yield cut, path


def moments(history, log, first, n, dice):
    """Half behind a record of the log, half at an acknowledgement."""
    behind = [(end, float("inf")) for end, _, _ in records(log) if end > first[0]]
    return dice.choices(behind, k=n // 2) + dice.choices(list(history.acks.values()), k=n - n // 2)


class Taken:
    """What a sink gets from the relay after a cut; stands in for a history."""

    def __init__(self, history):
        self.history, self.era, self.wrong, self.recipients = history, 0, [], []

    def arrived(self, recipients, content, era):
        plain, stamps = as_sent(content)
        for recipient in recipients:
            self.recipients.append(recipient)
            if recipient not in self.history._of:
                self.wrong.append(f"{recipient}: nobody sent this")
            elif hashlib.sha256(plain).digest() != self.history.digest(recipient):
                self.wrong.append(f"{recipient}: not what was sent, {len(content)} octets")
            elif not rig.stamped(recipient, stamps):
                self.wrong.append(f"{recipient}: stamped {stamps}")


def make_relay(folder, sink, program=None):
    relay = rig.RigRelay(rig.RULES, sink, folder=folder, relay="free_space 1 MB")
    relay.program = program or relay.program
    return relay


def message(dice, tag):
    """As the other rigs', but one in six outgrows the database."""
    recipients, content, fate, halves = rig.message(dice, tag)
    if fate == DELIVER and dice.random() < 0.17:
        content += b"".join(b"large %d %x\r\n" % (n, dice.getrandbits(400)) for n in range(3000))
    return recipients, content, fate, halves


def load(folder, program):
    """The relay under load on a logged disk: (history, the disk, where its log stood at the start)."""
    state = folder / "state"
    state.mkdir()
    dice, delay = random.Random(rig.SEED), threading.Lock()

    def answer(n):
        with delay:
            pause = dice.choice((0, 0.005, 0.03))
        threading.Event().wait(pause)  # so that a queue stands at every moment
        return None

    with LoggedDisk(folder, state) as disk:
        history = Timed(disk)
        with rig.RecordingSink(history, answer) as sink, make_relay(folder, sink, program) as relay:
            first = disk.now()
            with rig.Load(history, relay.port, make=message):
                wait_until(lambda: len(history.acks) >= MESSAGES, "the load", 120)
        return history, disk, first


def after(position, path, history):
    """What is wrong with the relay on this disk: the sound one, whoever wrote it."""
    must, may = history.owed(position)
    taken = Taken(history)
    with tempfile.TemporaryDirectory(prefix="sluice-power-") as folder:
        folder = pathlib.Path(folder)
        (folder / "state").mkdir()
        try:
            with loop(path) as device, mounted(device, folder / "state"), rig.RecordingSink(taken) as sink:
                try:
                    with make_relay(folder, sink) as relay:
                        wait_until(lambda: not relay.rows(), "the queue to drain")
                        relay.stop()
                        with relay.database() as db:
                            equal(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                except AssertionError as why:
                    return [f"at {position}: {why}"]
        finally:
            path.unlink()
    wrong = list(taken.wrong)
    wrong += [f"{r}: lost at {position}" for r in must - set(taken.recipients)]
    wrong += [f"{r}: delivered, and was not promised at {position}" for r in set(taken.recipients) - may]
    wrong += [f"{r}: twice" for r in set(taken.recipients) if taken.recipients.count(r) > 1]
    return wrong


def cut_power(cuts, program=None, enough=None):
    """(cuts made, what was wrong with each that was not right); stops after `enough` of those."""
    if os.geteuid() != 0:
        raise Skip("loop devices need root")
    with tempfile.TemporaryDirectory(prefix="sluice-power-", dir="/dev/shm") as folder:
        folder = pathlib.Path(folder)
        history, disk, first = load(folder, program)
        history.check_violations()
        done, wrong = 0, []
        dice = random.Random(rig.SEED)
        made = disks(disk.log, moments(history, disk.log, first, cuts, dice), dice, folder)
        with concurrent.futures.ThreadPoolExecutor(2) as workers:
            for found in bounded(workers, lambda cut: after(*cut, history), made):
                done += 1
                if found:
                    wrong.append(found)
                    print(f"# cut {done}: {found[:6]}", flush=True)
                if done % 100 == 0:
                    print(f"# {done} cuts, {len(wrong)} wrong", flush=True)
                if enough and len(wrong) >= enough:
                    break
        print(f"# seed {rig.SEED}: {len(history.acks)} messages acknowledged, {len(history.arrivals)} "
              f"deliveries, {done} cuts, "
              f"{len(wrong)} wrong")
        return done, wrong


def bounded(workers, function, things, ahead=4):
    """Like map, with few things made before they are needed."""
    under_way = []
    for thing in things:
        under_way.append(workers.submit(function, thing))
        if len(under_way) == ahead:
            yield under_way.pop(0).result()
    for one in under_way:
        yield one.result()


@test
def cut():
    """the power goes at any moment: what was acknowledged is there, once and whole"""
    done, wrong = cut_power(CUTS)
    equal(done, CUTS)
    assert not wrong, "\n".join(map(str, wrong[:5]))


def mutant(name, cuts):
    done, wrong = cut_power(cuts, BUILD / f"rigs/sluiced-{name}", enough=1)
    print(f"# {name}: found at cut {done}: {wrong[:1]}")
    assert wrong, f"{name} was not found in {done} cuts"


@test
def no_sync():
    """a relay that never syncs is found out"""
    mutant("no_sync", 300)


if LONG:
    @test
    def synchronous_normal():
        """a relay whose log is synced before checkpoints only is found out"""
        mutant("synchronous_normal", 300)

    @test
    def answer_before_commit():
        """a relay that answers before it commits is found out"""
        mutant("answer_before_commit", 300)

    @test
    def no_content_sync():
        """a relay that does not sync its spool files is found out"""
        mutant("no_content_sync", 300)


if __name__ == "__main__":
    main()
