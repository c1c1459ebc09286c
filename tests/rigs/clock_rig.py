#!/usr/bin/python3
"""The calendar jumps under a running relay, and between two starts: +1 hour, +6 days, +5 years, -1 day.

Mail that waits for a dead host is not returned for that, and goes as soon as the host is back; what comes meanwhile
goes at once; a session that stands goes on.
"""
import contextlib
import os
import pathlib
import struct
import subprocess
import tempfile
import time

import rig
from relay import ROOT, SANITIZED, Skip, equal, free_port, main, test, wait_until

HOUR, DAY = 3600, 86400
JUMPS = {"+1 hour": HOUR, "+6 days": 6 * DAY, "+5 years": 5 * 365 * DAY, "-1 day": -DAY}
WAITING = int(os.environ.get("SLUICE_CLOCK_MESSAGES", 20))
PROMPT_S = 20
RETRY = "retry first 1 second longest 2 seconds until 5 days notice 4 hours"


class Clock:
    """How far the calendar of everything started with `environment` is off."""

    def __init__(self, folder):
        self.file, shim = folder / "clock", folder / "shim.so"
        self.set(0)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", str(ROOT / "tests/rigs/clock_shim.c"), "-o", str(shim),
                        "-ldl"], check=True)
        self.wrapper = ["env", f"LD_PRELOAD={shim}", f"SLUICE_CLOCK_FILE={self.file}"]
        told = subprocess.run([*self.wrapper, "date", "+%s"], capture_output=True, text=True, check=True)
        equal(abs(int(told.stdout) - time.time()) < 60, True, "the shim")

    def set(self, seconds):
        with open(self.file, "r+b" if self.file.exists() else "w+b") as file:
            file.write(struct.pack("<q", seconds))
        self.seconds = seconds

    def jump(self, seconds):
        self.set(self.seconds + seconds)


def plain(tag, domain):
    recipient = f"{tag}@{domain}"
    return [recipient], \
        f"From: <a@corp.example>\r\nTo: <{recipient}>\r\nSubject: plain\r\n\r\nbody of {tag}\r\n".encode(), \
        rig.DELIVER, False


def attempts(relay):
    """By recipient that waits."""
    return {r["address"]: r["attempts"] for row in relay.queue() for r in row["recipients"]
            if r["address"].endswith("@away.example")}


def jump_through(relay, clock, history, name, seconds, restart):
    """One jump: mail waits for a host that is away; the calendar moves; the host comes back."""
    tag = name.strip("+-").replace(" ", "") + ("back" if seconds < 0 else "") + ("r" if restart else "")
    with contextlib.closing(rig.Client(relay.port)) as client:
        for n in range(WAITING):
            client.send(history, f"{tag}w{n}", plain(f"{tag}w{n}", "away.example"))
        wait_until(lambda: len(tried := attempts(relay)) == WAITING and all(tried.values()), "a first attempt of each")
        before = attempts(relay)
        for command in (b"MAIL FROM:<a@corp.example>", f"RCPT TO:<{tag}s@here.example>".encode(), b"DATA"):
            client.say(command)
        if restart:
            relay.stop()
            clock.jump(seconds)
            relay.start()
        else:
            clock.jump(seconds)
            recipients, content, fate, _ = plain(f"{tag}s", "here.example")
            history.begin(f"{tag}s", recipients, content, fate)
            history.dot(f"{tag}s")
            history.answered(f"{tag}s", client.say(content + b"."))
    began = time.monotonic()
    with contextlib.closing(rig.Client(relay.port)) as client:
        for n in range(5):
            client.send(history, f"{tag}n{n}", plain(f"{tag}n{n}", "here.example"))
    wait_until(lambda: history.waiting() == WAITING, f"{name}: what comes after the jump to go at once", PROMPT_S)
    prompt = time.monotonic() - began
    wait_until(lambda: all(n > before[r] for r, n in attempts(relay).items()), f"{name}: another attempt of each",
               PROMPT_S)
    equal(len(attempts(relay)), WAITING, f"{name}: still queued after another attempt")
    return prompt, time.monotonic() - began


def jumps(restart):
    history = rig.History(lambda recipient, stamps: not stamps)
    with tempfile.TemporaryDirectory(prefix="sluice-clock-") as folder, rig.RecordingSink(history) as sink:
        clock, away = Clock(pathlib.Path(folder)), free_port()
        connectors = {"default": f'host "127.0.0.1" port {sink.port}',
                      "away": f'host "127.0.0.1" port {away} domains aways'}
        with rig.RigRelay('list aways of domain = "away.example"', connectors=connectors, retry=RETRY,
                          wrapper=clock.wrapper) as relay:
            for name, seconds in JUMPS.items():
                prompt, again = jump_through(relay, clock, history, name, seconds, restart)
                began = time.monotonic()
                with rig.RecordingSink(history, port=away):
                    wait_until(lambda: not history.waiting(), f"{name}: what waited to go when its host is back",
                               PROMPT_S)
                    wait_until(lambda: not relay.queue(), "an empty queue")
                print(f"# {name}{', between two starts' if restart else ''}: new mail gone after {prompt:.2f} s, each "
                      f"waiting one tried again "
                      f"after {again:.2f} s, all gone {time.monotonic() - began:.2f} s after their host came back")
            told = [line for line in relay.log if "event=returned" in line or "event=undeliverable" in line]
            equal(told, [], "returned")
            if not restart:
                equal(sum("the clock jumped" in line for line in relay.log), len(JUMPS), "jumps that the log tells")
            history.check()
            equal(history.counts()["twice"], 0, "delivered twice")
            equal(history.counts()["refused"], 0, "refused")
            equal(relay.ends, [], "processes that ended")


@test
def running():
    """the calendar jumps under a running relay: nothing returned, nothing stands still"""
    if SANITIZED:
        raise Skip("a library loaded before the sanitizer's")
    jumps(False)


@test
def stopped():
    """the calendar jumps between two starts: nothing returned, nothing stands still"""
    if SANITIZED:
        raise Skip("a library loaded before the sanitizer's")
    jumps(True)


if __name__ == "__main__":
    main()
