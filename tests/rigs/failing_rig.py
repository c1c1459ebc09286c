#!/usr/bin/python3
"""The k-th input or output of the store fails, once or for ever: nothing lost, no false 250, no crash, and mistakes are
found.

    SLUICE_FAILING=all tests/rigs/failing_rig.py

The program (tests/failing) drives the store's own objects through two lives with the failure and looks at everything in
a third without.  Short: points spread over all.  Long: every k, some 70,000 points and 40 minutes on two cores; in the
first start, whose reserve is a thousand equal writes, the first sixteen and the last of such a row.
"""
import os
import pathlib
import re
import subprocess

import rig  # noqa: F401  (tells where the module of the end to end tests is)
from relay import BUILD, main, test

LONG = os.environ.get("SLUICE_FAILING") == "all"
POINTS = 240
FIRST_READS = "first:vfs:eio:once:11"  # and 110 to 119: what a first start reads back; each must be told
JOBS = os.cpu_count() or 1
PROGRAM = BUILD / "rigs" / "sluice-failing"
MEMORY = pathlib.Path("/dev/shm")
# Each mistake with the points that must show it: tests/failing/libc.c.
MISTAKES = {
    "content-sync-ignored": "later:libc:lost:once",
    "directory-sync-ignored": "later:libc:lost:once",
    "commit-ignored": "later:vfs:sync:once",
    "log-not-cut": "later:vfs:sync:once",
    "short-write-ignored": "later:libc:short:once",
}
SUM = re.compile(r"(\d+) of \d+ points, (\d+) failed, .*wrong: (\d+)\n$")


def run(*arguments):
    """Its words, and how many points there were, failed, and were wrong."""
    environment = dict(os.environ, TMPDIR=str(MEMORY)) if os.access(MEMORY, os.W_OK) else None
    done = subprocess.run([PROGRAM, "--jobs", str(JOBS), *arguments], env=environment, capture_output=True, text=True)
    figures = SUM.search(done.stdout)
    assert figures, (done.returncode, done.stdout, done.stderr)
    return (done.stdout, *map(int, figures.groups()))


@test
def every_failure():
    """the k-th operation fails: SQLite's, of the calls below it, the store's own, the whole disk"""
    for arguments in ([("--points", "0", "--whole", "later"), ("--points", "0", "first")] if LONG
                      else [("--points", str(POINTS)), ("--points", "0", FIRST_READS)]):
        said, points, failed, wrong = run(*arguments)
        print("# " + said.splitlines()[-1])
        assert wrong == 0, said
        assert failed > points * 0.9, said


@test
def mistakes_are_found():
    """planted: a failed sync or commit ignored, a log left standing, half a write taken for whole"""
    for mistake, begins in MISTAKES.items():
        for _ in range(3):  # what is written together differs from run to run, and one point alone may show it
            said, _, failed, wrong = run("--points", "0", "--mistake", mistake, begins)
            if failed and wrong:
                break
        assert failed and wrong, (mistake, said)
    print(f"# {len(MISTAKES)} of {len(MISTAKES)} found")


if __name__ == "__main__":
    main()
