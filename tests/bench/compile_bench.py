#!/usr/bin/python3
"""What `sluice build` takes for many rules: wall and CPU time and memory, medians over several runs.

Ten thousand mixed rules (subject words, body patterns, domains of From, header fields, sizes, lists, recipients), half
of them with an exception, and 100,000 entries in list files.  The same set every time.  `--keep DIR` leaves the
files."""
import argparse
import os
import pathlib
import random
import resource
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SLUICE = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")) / "bin/sluice"
SYLLABLES = \
    "ba be bi bo bu ca ce co da de di do fa fi ga ge go ha he in ka la le li lo ma me mi mo na ne no on or".split()


def word(rng, least=3, most=5):
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(least, most)))


def condition(rng, i):
    kinds = [
        lambda: f"body matches /{word(rng)}{i}[- ]?[0-9]{{3,6}}/",
        lambda: "subject contains any of (" + ", ".join(f'"{word(rng)} {i}"' for _ in range(5)) + ")",
        lambda: f'from.domain is "{word(rng)}{i}.example"',
        lambda: f'header "X-{word(rng).capitalize()}-{i}" is present',
        lambda: f'subject or body contains "{word(rng)} {i}" and size is over {i} KB',
        lambda: f'recipient.domain is "{word(rng)}{i}.example" and sender.domain is in partners',
        lambda: f"client.ip is in 10.{i // 250}.{i % 250}.0/24 and sender is in staff",
        lambda: f'(subject contains "{word(rng)}" or from is "{word(rng)}@{i}.example") and not authenticated',
    ]
    return kinds[i % len(kinds)]()


ACTIONS = [
    "reject \"Not accepted here.\"", "require_tls verified", 'prepend_subject "[EXT] "', 'add_header "X-Rule" "{rule}"',
    'quarantine reason "{rule}"', 'mark "seen"', 'set_header "X-Class" "internal"', 'copy to "archive@corp.example"',
]


def write_set(folder, rules, entries):
    rng = random.Random(11)
    domains = entries // 2
    (folder / "partners.txt").write_text("".join(f"{word(rng)}{i}.example\n" for i in range(domains)))
    (folder / "staff.txt").write_text("".join(f"{word(rng)}.{word(rng)}{i}@corp.example\n"
                                              for i in range(entries - domains)))
    lines = ['list partners of domain in file "partners.txt"', 'list staff of address in file "staff.txt"',
             "define leaving as recipient.scope is outside", "defaults on_unreadable hold", ""]
    for i in range(rules):
        lines.append(f'rule "rule {i}: {word(rng)}" priority {i % 100} owner "team {i % 40}" ticket "CHG-{i}"')
        lines.append(f"when {condition(rng, i)}" + (" and leaving" if i % 5 == 1 else ""))
        if i % 2:
            lines.append(f'unless encrypted and header "X-Case" is "{word(rng)}{i}"')
        lines.append(f"then {ACTIONS[i % len(ACTIONS)]}\n")
    (folder / "policy.sluice").write_text("\n".join(lines))


def build(folder):
    """Wall and CPU seconds and peak memory in MiB of one build, and what it said."""
    read, write = os.pipe()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.execv(SLUICE, [str(SLUICE), "build", str(folder / "policy.sluice"), "-o", str(folder / "policy.sluicec")])
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"sluice build failed:\n{said[:4000]}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--rules", type=int, default=10000)
    args.add_argument("--entries", type=int, default=100000)
    args.add_argument("--runs", type=int, default=5)
    args.add_argument("--keep", type=pathlib.Path)
    a = args.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = a.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_set(folder, a.rules, a.entries)
        runs = [build(folder) for _ in range(a.runs)]
    wall, cpu, memory = (statistics.median(r[i] for r in runs) for i in range(3))
    print(runs[-1][3].strip().splitlines()[-1])
    print(f"{a.rules} rules, {a.entries} list entries, median of {a.runs}: wall {wall:.3f} s, CPU {cpu:.3f} s, "
          f"peak {memory:.0f} MiB")
    print(f"wanted: wall <= 1 s, peak <= 200 MiB: {'held' if wall <= 1 and memory <= 200 else 'MISSED'}")
    return 0 if wall <= 1 and memory <= 200 else 1


if __name__ == "__main__":
    sys.exit(main())
