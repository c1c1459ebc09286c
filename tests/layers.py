#!/usr/bin/python3
"""Holds the rooms to tests/layers.txt: by their includes, and by the symbols their objects ask for.

    tests/layers.py BUILD_DIR      e.g. build/release

Includes are read from the sources.  Objects are read with nm: a room may only ask for symbols that are defined in a
room it may name, so an arrow smuggled in by a bare `extern` is found too.  "pure" rows name symbols that a room's
objects must not ask for at all; "library" rows name the one module that may ask for a library's symbols.
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNTIME = {p.name for p in (ROOT / "runtime").iterdir() if p.is_dir()}
SOURCES = {".c", ".h", ".y", ".l", ".def"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# What a compiler or the C start-up code adds to any object.
IGNORED = re.compile(r"^(_GLOBAL_|__asan|__ubsan|__sanitizer|__tsan|__stack_chk|_ITM_|__gmon)")


def read_rules(path):
    allowed, pure, library = {}, {}, {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        if line.startswith("pure "):
            rooms, symbols = line[5:].split(":")
            for room in rooms.split():
                pure.setdefault(room, []).extend(symbols.split())
        elif line.startswith("library "):
            symbols, module = line[8:].split(":")
            for symbol in symbols.split():
                library[symbol] = module.strip()
        else:
            room, names = line.split("->")
            allowed[room.strip()] = names.split()
    return allowed, pure, library


def room_of(path):
    """runtime/base/str.h and base/str.h are both of room base."""
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] == "runtime":
        parts = parts[1:]
    return parts[0]


def short(path):
    """The name rows use for one file: base/digest.c -> base/digest.c"""
    text = path.relative_to(ROOT).as_posix()
    return text[len("runtime/"):] if text.startswith("runtime/") else text


def may(allowed, row, room, target):
    """May `row` (its room is `room`) include `target`?"""
    if room_of(target) == room:
        return True
    return any(n == room_of(target) or n == target or ("*" in n and fnmatch.fnmatch(target, n)) for n in allowed[row])


def check_includes(allowed, failures):
    count = 0
    for room in {r for r in allowed if "/" not in r}:
        base = ROOT / "runtime" / room if room in RUNTIME else ROOT / room
        for path in sorted(p for p in base.rglob("*") if p.suffix in SOURCES):
            name = short(path)
            row = name if name in allowed else room
            for target in INCLUDE.findall(path.read_text(errors="replace")):
                count += 1
                if row == name and room_of(target) == room and target != name and target.endswith(".h"):
                    # A header with a row of its own may not lean on its room's other headers either.
                    if target not in allowed[row] and room_of(target) not in allowed[row]:
                        failures.append(f"{name} includes {target}, which its own row does not allow")
                    continue
                if not may(allowed, row, room, target):
                    failures.append(f"{name} includes {target}: no arrow from {row} to {room_of(target)}")
    return count


def symbols_of(build):
    """{object name: (defined, wanted)} for every object of the rooms."""
    out = {}
    for path in sorted((build / "obj").rglob("*.o")):
        rel = path.relative_to(build / "obj").as_posix()
        if rel.startswith("gen/"):
            rel = rel[4:]
        if rel.startswith("tests/"):
            continue
        name = rel[len("runtime/"):] if rel.startswith("runtime/") else rel
        defined, wanted = set(), set()
        text = subprocess.run(["nm", "-P", "-g", str(path)], capture_output=True, text=True, check=True).stdout
        for line in text.splitlines():
            symbol, kind = line.split()[:2]
            symbol = symbol.split("@")[0]
            if not IGNORED.match(symbol):
                (wanted if kind in "Uwv" else defined).add(symbol)
        out[name[:-2]] = (defined, wanted)
    return out


def check_objects(allowed, pure, library, objects, failures):
    home = {s: name for name, (defined, _) in objects.items() for s in defined}
    count = 0
    for name, (_, wanted) in objects.items():
        room = room_of(name)
        if room not in allowed:
            failures.append(f"{name}.o is of no room in tests/layers.txt")
            continue
        for symbol in sorted(wanted):
            count += 1
            owner = home.get(symbol)
            if owner and not may(allowed, room, room, owner + ".c") and not may(allowed, room, room, owner + ".h"):
                failures.append(f"{name}.o asks for {symbol} of {owner}: no arrow from {room} to {room_of(owner)}")
            for pattern in pure.get(room, []):
                if fnmatch.fnmatchcase(symbol, pattern):
                    failures.append(f"{name}.o asks for {symbol}: {room} does no input or output")
            for pattern, module in library.items():
                if fnmatch.fnmatchcase(symbol, pattern) and name != module and room != module:
                    failures.append(f"{name}.o asks for {symbol}: that library belongs to {module}")
    return count


def check_merges(failures):
    """No file holds what a merge could not decide, and every shell script can be read at all."""
    marks = re.compile(r"^(<{7}|>{7}) ", re.M)
    read = {".sh", ".py", ".md", ".txt", ".sluice", ".expected", *SOURCES}
    for path in ROOT.rglob("*"):
        if path.relative_to(ROOT).parts[0] in ("build", ".git") or not path.is_file():
            continue
        if (path.suffix in read or path.name == "Makefile") and marks.search(path.read_text(errors="replace")):
            failures.append(f"{short(path)}: a merge was not finished")
        if path.suffix == ".sh" and subprocess.run(["bash", "-n", path], capture_output=True).returncode:
            failures.append(f"{short(path)}: bash cannot read it")


def main():
    build = pathlib.Path(sys.argv[1])
    allowed, pure, library = read_rules(ROOT / "tests" / "layers.txt")
    failures = []
    includes = check_includes(allowed, failures)
    objects = symbols_of(build)
    symbols = check_objects(allowed, pure, library, objects, failures)
    check_merges(failures)
    if not objects or not includes:
        failures.append("nothing was read: is the build directory right?")
    for failure in sorted(set(failures)):
        print(failure)
    print(f"layers: {includes} includes, {len(objects)} objects, {symbols} symbols, {len(set(failures))} wrong")
    return 1 if failures else 0


sys.exit(main())
