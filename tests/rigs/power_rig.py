#!/usr/bin/python3
"""Power cuts: disks that hold no more than was promised, and the relay on what such a disk holds after any of them.

    SLUICE_CUTS=1000 SLUICE_SEED=1 tests/rigs/power_rig.py

Content: the state directory is an ext4 of its own on a loop device over block_log, which logs every write and barrier.
After a load, disks are made for cuts at diced moments: all writes before the last barrier, and of those behind it any,
some torn within (512 octets are written or not).  On each a relay is started, and delivers: whatever was acknowledged
before the cut and had not yet arrived arrives now, once and whole.

Names: ext4 syncs a new file's name with the file, and POSIX does not promise that.  So the state directory stands on
name_log too, which takes back at a cut what was not synced with its directory, in one life after another.

And planted mistakes are found: the same relay with a sync left out, or an answer given too early (mutants.c).
"""
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

import rig
from history import DELIVER, as_sent
from relay import BUILD, PATIENCE, Skip, equal, main, test, wait_until

CUTS = int(os.environ.get("SLUICE_CUTS", 12))
LONG = CUTS >= 1000
MESSAGES = 600 if LONG else 120
RUNS, LIVES = (CUTS // 50, 12) if LONG else (1, 2)  # on a disk that forgets names
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
def served(disk, window, *arguments):
    """A FUSE disk of ours, seen at `window`, until it is unmounted; its server may say something after that."""
    if os.geteuid() != 0:
        raise Skip("mounting needs root")
    window.mkdir(exist_ok=True)
    server = subprocess.Popen([BUILD / "rigs" / disk, window, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: window.is_mount() or server.poll() is not None, "the disk")
        if server.poll() is not None:
            raise Skip("FUSE cannot be used here (/dev/fuse, and leave to mount)")
        yield server
    finally:
        if server.poll() is None and subprocess.run(["umount", window]).returncode != 0:
            subprocess.run(["umount", "--lazy", window])  # something went wrong, and still has a file open
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise


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
            stack.enter_context(served("block_log", window, DISK, self.log))
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


def make_relay(folder, sink, program=None, state=None):
    relay = rig.RigRelay(rig.RULES, sink, folder=folder, state=state, relay="free_space 1 MB")
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


# --- names ------------------------------------------------------------------------------------------------------------
class NameDisk:
    """A disk whose cuts take back names that were not synced with their directory: all of them, or with dice any."""

    def __init__(self, folder, dice=None):
        self.dice, self.window, self.below = dice, folder / "window", folder / "disk" / "names"
        self.state = self.window / "state"
        self.cuts = self.taken = 0
        self.below.mkdir(parents=True)

    @contextlib.contextmanager
    def power(self):
        """It is there until the power goes."""
        dice = self.dice.choice((0, self.dice.getrandbits(30))) if self.dice else 0
        with served("name_log", self.window, self.below.parent, dice) as server:
            yield
        self.cuts += 1
        self.taken += int(server.stdout.read().split()[0])


def cut_down(relay):
    """All its processes, as if at one moment: none starts another, or sees one die."""
    os.kill(relay.process.pid, signal.SIGSTOP)
    everybody = [pid for pids in relay.children().values() for pid in pids] + [relay.process.pid]
    for stroke in (lambda pid: os.kill(pid, signal.SIGSTOP), rig.kill):
        for pid in everybody:
            with contextlib.suppress(ProcessLookupError):
                stroke(pid)
    relay.process.wait()


class Promised:
    """What an operator was told: that a program was accepted, and that a backup is there."""

    def __init__(self, relay, disk, number):
        self.mark = f"reload {number} "
        for which in ("one", "two"):  # when the second is answered, the program of the first is kept
            relay.write_rules(f'{rig.RULES}rule "{self.mark}{which}" when subject contains "nothing" then drop\n')
            relay.sluice("reload")
        self.program, self.backup = disk.below / "state" / "program.sluicec", disk.below / f"backup{number}"
        relay.sluice("backup", disk.window / self.backup.name)
        self.files = self._files()

    def _files(self):
        return sorted(self.backup.rglob("*"))

    def check(self):
        kept = self.program.exists() and self.mark.encode() in self.program.read_bytes()
        assert kept, f"lost: the program of {self.mark}"
        assert self._files() == self.files, f"lost: files of {self.backup}"
        shutil.rmtree(self.backup)


class Lives:
    """One relay's lives on such a disk, each ended by a cut, and the history of them all."""

    def __init__(self, folder, seed, program):
        self.folder, self.program, self.dice = folder, program, random.Random(seed)
        self.disk, self.history = NameDisk(folder, None if program else self.dice), rig.History(rig.stamped)
        self.lives, self.loaded, self.promised = 0, True, None
        self.sink = rig.RecordingSink(self.history, lambda n: "451 4.3.0 not now" if self.loaded and n % 2 else None)

    def _relay(self, program):
        return make_relay(self.folder, self.sink, program, self.disk.state)

    def begin(self):
        """First starts, cut at some moment, and as soon as it is ready."""
        with self.disk.power():
            relay = self._relay(self.program)
            relay.process = subprocess.Popen([relay.program, "-c", relay.config], stderr=subprocess.DEVNULL)
            time.sleep(self.dice.uniform(0, 0.3))  # the moment is what is diced, nothing is waited for
            cut_down(relay)
        with self.disk.power(), self._relay(self.program) as relay:
            cut_down(relay)
        spool = self.disk.below / "state" / "spool"
        assert spool.is_dir(), "lost: the state directory of a relay that was ready"
        spool.rmdir()  # somebody tidied up: it is made anew, beside a log that is there

    def _after_cut(self, program=None):
        """A relay on what the last cut has left."""
        relay = self._relay(program)
        if self.promised:
            self.promised.check()
            self.history.cut(relay.rows())
        return relay

    def live(self):
        """A life under load."""
        self.lives += 1
        with self.disk.power():
            enough = self.history.counts()["acked"] + self.dice.randrange(10, 60)
            with self._after_cut(self.program) as relay:
                with rig.Load(self.history, relay.port, prefix=f"life{self.lives}x", make=message):
                    self.promised = Promised(relay, self.disk, self.lives)
                    self._send_huge(relay.port)
                    wait_until(lambda: self.history.counts()["acked"] >= enough, "the load")
                    cut_down(relay)
            wait_until(self.sink.quiet, "the sink to have taken what was under way")

    def _send_huge(self, port):
        """One that outgrows memory too."""
        tag = f"huge{self.lives}"
        content = f"Subject: {tag}\r\n\r\n" + 9500 * f"{tag} {'x' * 900}\r\n"
        with contextlib.closing(rig.Client(port)) as client:
            client.send(self.history, tag, ([f"{tag}@plain.example"], content.encode(), DELIVER, False))

    def end(self):
        """The sound relay, whoever lived before, delivers what is owed."""
        self.loaded = False
        with self.disk.power():
            with self._after_cut() as relay:
                wait_until(lambda: all(one["queue_name"] == "damaged" for one in relay.queue()), "the queue", 60)
            self.history.check()
            equal(list((self.disk.state / "spool").iterdir()), [], "spool files of no message")


def lose_names(seed, lives, program=None):
    """Raises with what is wrong after so many lives."""
    with tempfile.TemporaryDirectory(prefix="sluice-names-", dir="/dev/shm") as folder:
        one = Lives(pathlib.Path(folder), seed, program)
        with one.sink:
            one.begin()
            for _ in range(lives):
                one.live()
            one.end()
        print(f"# seed {seed}: {one.history.counts()}; {one.disk.cuts} cuts took back {one.disk.taken} names",
              flush=True)
        assert one.disk.taken, "a disk that forgets nothing proves nothing"


@test
def names():
    """names that were not synced with their directory go with the power: acknowledged mail does not"""
    for seed in range(rig.SEED, rig.SEED + RUNS):
        lose_names(seed, LIVES)


def name_mutant(name, finds):
    """Found within a few runs, by what it must lose."""
    for seed in range(rig.SEED, rig.SEED + 5):
        try:
            lose_names(seed, 1, BUILD / f"rigs/sluiced-{name}")
        except AssertionError as why:
            if finds not in str(why):
                raise
            print(f"# {name}: found with seed {seed}: {str(why).splitlines()[:2]}")
            return
    raise AssertionError(f"{name} was not found")


@test
def no_directory_sync():
    """a relay that does not sync the directory of its spool files is found out"""
    name_mutant("no_directory_sync", ": lost")


if LONG:
    @test
    def no_program_sync():
        """a relay that does not sync the directory of its accepted program is found out"""
        name_mutant("no_program_sync", "lost: the program")


if __name__ == "__main__":
    main()
