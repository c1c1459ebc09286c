#!/usr/bin/python3
"""The simulator: it links the product's own objects, finds what is planted, repeats itself, and finds nothing else in
many seeds.

    SLUICE_SIM_SEEDS   how many (1,000)        SLUICE_SIM_FIRST   from which on (1)
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build" / "release")).resolve()
SIM, MISTAKEN = BUILD / "sim" / "sluice-sim", BUILD / "sim" / "sluice-sim-mistakes"
SEEDS, FIRST = int(os.environ.get("SLUICE_SIM_SEEDS", 1000)), int(os.environ.get("SLUICE_SIM_FIRST", 1))
ROOMS = ("smtp", "relay", "store")
LEAST_POINTS = 30
# What is planted, and within how many seeds it must be found: about ten times what it takes.
MISTAKES = {"forget-demand": 50, "go-in-clear": 50, "lost-is-delivered": 300, "drop-at-4yz": 100, "lose-reports": 50,
            "trust-the-calendar": 300, "ack-failed-commit": 100, "bare-dots": 50, "keep-failed-commit": 300,
            "count-twice": 50,
            "return-at-4yz": 100,
            "keep-spool-files": 200, "no-sync": 300, "no-directory-sync": 1000}


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout


def symbols(path, kinds):
    """Global symbols of an object or archive: those that it defines ("TDBR") or asks for ("U")."""
    out = subprocess.run(["nm", "-g", path], capture_output=True, text=True, check=True).stdout
    return {m[2] for m in re.finditer(r"^(?:[0-9a-f]+)? +([A-Za-z]) (\S+)$", out, re.M) if m[1] in kinds}


def archive_members(path):
    """The contents of an ar file's members."""
    data, at, found = path.read_bytes(), 8, set()
    while at < len(data):
        size = int(data[at + 48:at + 58])
        found.add(data[at + 60:at + 60 + size])
        at += 60 + size + size % 2
    return found


def same_objects():
    """smtp/, relay/ and store/ are the library's objects, byte for byte, and nothing stands in for them"""
    library = BUILD / "libsluice.a"
    members = archive_members(library)
    linked = set(re.findall(r"libsluice\.a\((\S+\.o)\)", pathlib.Path(f"{SIM}.map").read_text()))
    used = set()
    for room in ROOMS:
        for source in sorted((ROOT / "runtime" / room).glob("*.c")):
            built = BUILD / "obj" / "runtime" / room / f"{source.stem}.o"
            assert built.read_bytes() in members, f"{built} is not in {library}"
            if built.name in linked:
                used |= symbols(built, "TDBR")
    mine = set()
    for o in (BUILD / "obj" / "tests" / "sim").glob("*.o"):
        mine |= symbols(o, "TDBR")
    stands_in = {name for name in mine & used}
    assert not stands_in, f"the simulator defines {stands_in}, which the product does"
    assert len(used) > 200 and {"relay_create", "store_open", "smtp_server_create"} <= used, used
    wrapped = {name.removeprefix("__wrap_") for o in (BUILD / "obj" / "tests" / "sim").glob("*.o")
               if o.stem != "mistakes"
               for name in symbols(o, "T") if name.startswith("__wrap_")}
    assert not wrapped & used, f"{wrapped & used} of the product are wrapped"


def repeats_itself():
    """the same seed twice is the same run, to the byte"""
    code, out = run(SIM, "--twice", "--first", FIRST, "--seeds", 20)
    assert code == 0, out


def nothing_is_found():
    """no promise is broken in any seed"""
    code, out = run(SIM, "--first", FIRST, "--seeds", SEEDS, "--jobs", os.cpu_count() or 1)
    print("# " + "\n# ".join(line for line in out.splitlines() if not re.match(r"# [A-Z]", line)))
    assert code == 0, out
    met = int(re.search(r"(\d+) of \d+ points of trouble met", out)[1])
    assert met >= LEAST_POINTS or SEEDS < 100, out


def planted(name, most):
    code, out = run(MISTAKEN, "--mistake", name, "--seeds", most, "--failures", 1, "--first", FIRST, "--jobs",
                    os.cpu_count() or 1)
    assert code == 1, f"not found in {most} seeds: {out[-400:]}"


def main():
    tests = [(" ".join(f.__doc__.split()), f) for f in (same_objects, repeats_itself, nothing_is_found)]
    tests += [(f"a planted mistake is found: {name}", lambda n=name, m=most: planted(n, m)) for name,
              most in MISTAKES.items()]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (words, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {words}", flush=True)
        except AssertionError as why:
            failed += 1
            print(f"not ok {number} - {words}", flush=True)
            print("# " + str(why).replace("\n", "\n# "))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
