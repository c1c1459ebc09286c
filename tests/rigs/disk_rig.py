#!/usr/bin/python3
"""A disk that another process fills to its last block, with a thousand messages queued; and again after a restart.

    tests/rigs/disk_rig.py      (root: it mounts a small tmpfs, and an ext4 where loop devices are)

What is queued drains, nothing twice; new mail is answered 452; when there is space again, mail is taken within ten
seconds.
"""
import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import rig
from relay import Skip, equal, main, test, wait_until

QUEUED = int(os.environ.get("SLUICE_DISK_QUEUED", 1000))
SIZE_MB = 64
RECOVERS_S = 10


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def small_disk(kind):
    """A file system of its own, of SIZE_MB."""
    if os.geteuid():
        raise Skip("mounting a small file system needs root")
    with tempfile.TemporaryDirectory(prefix="sluice-disk-") as folder:
        folder = pathlib.Path(folder)
        point = folder / "mounted"
        point.mkdir()
        try:
            if kind == "tmpfs":
                run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", point)
            else:
                with open(folder / "image", "wb") as image:
                    image.truncate(SIZE_MB << 20)
                run("mkfs.ext4", "-q", "-m", "0", folder / "image")
                run("mount", "-o", "loop", folder / "image", point)
        except (subprocess.CalledProcessError, FileNotFoundError) as no:
            raise Skip(f"no {kind} can be mounted here: {no}") from no
        try:
            yield point
        finally:
            run("umount", "-l", point)  # a child of the relay may be ending yet, and stands in it


class Filler:
    """Another process that wants all there is, and goes on wanting."""

    def __init__(self, folder):
        self.path = folder / "filler"

    def __enter__(self):
        self.process = subprocess.Popen(["dd", "if=/dev/zero", f"of={self.path}", "bs=64k", "oflag=append",
                                         "conv=notrunc"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.wait()  # it ends when nothing is left; what the relay gives back is taken too
        self.more = open(self.path, "ab", buffering=0)
        self.grab()
        return self

    def grab(self):
        with contextlib.suppress(OSError):
            while self.more.write(b"\0" * 512):
                pass

    def __exit__(self, *_):
        self.more.close()
        self.path.unlink()


def first_refusal(port):
    with contextlib.closing(rig.Client(port)) as client:
        return client.say(b"MAIL FROM:<a@corp.example>")


def plain(dice, tag):
    recipients, content, _, _ = rig.message(dice, tag)
    return recipients[:1], content.replace(b"unwanted", b"plain").replace(b"worthless", b"plain"), rig.DELIVER, False


def queue_up(relay, history):
    """QUEUED messages wait."""
    dice = rig.random.Random(rig.SEED)
    relay.sluice("queue", "suspend", "--domain", "*", "--reason", "until it is full")
    with contextlib.closing(rig.Client(relay.port)) as client:
        for n in range(QUEUED):
            client.send(history, f"d{n}", plain(dice, f"d{n}"))
    equal(history.waiting(), QUEUED, "queued")


def fill_and_drain(kind, restart):
    history = rig.History(rig.stamped)
    with small_disk(kind) as folder, rig.RecordingSink(history) as sink:
        with rig.RigRelay(rig.RULES, sink, relay="free_space 4 MB", folder=folder) as relay:
            queue_up(relay, history)
            with Filler(folder) as filler:
                if restart:
                    relay.stop()
                    filler.grab()
                    relay.start()
                left = os.statvfs(folder)
                wait_until(lambda: first_refusal(relay.port) == 452, "new mail to be refused")
                refused = room = 0
                began = time.monotonic()
                relay.sluice("queue", "resume", "1")
                while history.waiting():
                    filler.grab()
                    # Files of what is delivered go, so there may be room for a moment; within the second the relay sees
                    # it.
                    if first_refusal(relay.port) == 250:
                        room += 1
                    else:
                        refused += 1
                    time.sleep(0.02)
                    assert time.monotonic() - began < 60, \
                        f"{history.waiting()} of {QUEUED} still wait: {relay.log[-5:]}"
                drained = time.monotonic() - began
                filler.grab()
                wait_until(lambda: first_refusal(relay.port) == 452, "new mail to be refused to the end")
                wait_until(lambda: not relay.rows(), "an empty queue")
            began = time.monotonic()
            wait_until(relay.taking, "mail to be taken again", 60)
            again = time.monotonic() - began
            print(f"# {kind}{', after a restart' if restart else ''}: {left.f_bavail * left.f_frsize} octets "
                  f"free, {QUEUED} drained in "
                  f"{drained:.1f} s (new mail refused {refused} times, room for it {room} times), mail "
                  f"taken {again:.1f} s after there was space")
            assert again < RECOVERS_S, again
            history.check()
            equal(history.counts()["twice"], 0, "delivered twice")
            equal([end for end in relay.ends], [], "processes that ended")


@test
def ext4():
    """ext4 filled with 1,000 queued: all drain, once; 452; back in time"""
    fill_and_drain("ext4", False)


@test
def ext4_restarted():
    """ext4 filled with 1,000 queued, and the relay started anew on the full disk: the same"""
    fill_and_drain("ext4", True)


@test
def tmpfs():
    """tmpfs filled: the same"""
    fill_and_drain("tmpfs", False)


@test
def tmpfs_restarted():
    """tmpfs filled and the relay started anew: the same"""
    fill_and_drain("tmpfs", True)


if __name__ == "__main__":
    main()
