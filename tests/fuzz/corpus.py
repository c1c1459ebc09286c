#!/usr/bin/python3
"""Corpora of the fuzz targets.

    corpus.py seeds BUILD            build/fuzz/seeds/TARGET: the goldens and examples, as texts and as programs
                                     that BUILD compiles
    corpus.py minimise BUILD T…      tests/fuzz/corpus/T: the fewest small inputs that reach what all of T's corpora
                                     reach
    corpus.py coverage BUILD [T…]    lines of each target's files that its corpora reach; 1 when below LEAST
    corpus.py large BUILD [T…]       each target on what its corpora hold, made large; 1 when a sanitizer has
                                     something to say (build/asan), or one takes SLOW seconds (BUILD)

BUILD is build/fuzz, for coverage build/coverage, for large build/release: `make fuzz`, `make fuzz-coverage` and
`make fuzz-large` are the way to call it.
"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEAST = 80          # percent of lines of a target's files
# Bytes: sanitizers make the work many times what it is, so time is told of what is shipped, and of more.
LARGE = {"asan": 64 * 1024, "release": 256 * 1024}
SLOW = 1.0          # seconds of processor time, half of what a judge is given (relay/judges.h)
TRIES = 3           # of what was slow: what else the machine does costs time, too
# What each target is about.
FILES = {
    "grammar": ["grammar/*.[cly]", "-grammar/format.c", "-grammar/format_lines.c", "-grammar/tree.c"],
    "compile": ["compiler/*.c"],
    "program": ["runtime/bytecode/*.c", "runtime/vm/*.c"],
    "format": ["grammar/format.c", "grammar/format_lines.c"],
    "address": ["runtime/mail/address*.c"],
    "dns_records": ["runtime/net/dns_records.c"],
    "proxy": ["runtime/smtp/proxy.c"],
    "answer": ["runtime/judge/protocol.c", "runtime/judge/sound.c"],
    "decode": ["runtime/message/decode.c", "runtime/message/charset*.c"],
    "edits": ["runtime/message/edits*.c", "runtime/message/encode.c"],
    "evidence": ["runtime/mail/evidence.c"],
    "fold": ["runtime/mail/fold.c", "runtime/mail/confusables.c"],
    "html": ["runtime/message/html.c"],
    "live": ["runtime/mail/live_*.c"],
    "message": ["runtime/message/*.c", "-runtime/message/edits*.c", "-runtime/message/encode.c"],
    "dsn": ["runtime/relay/dsn.c", "runtime/relay/letter.c", "runtime/mail/orcpt.c"],
    "reply": ["runtime/smtp/reply.c"],
    "smtp_client": ["runtime/smtp/client*.c", "runtime/smtp/reply.c"],
    "smtp_server": ["runtime/smtp/server*.c", "runtime/smtp/params.c"],
}
TEXTS = ("grammar", "compile", "format")
SEEDS = ["tests/golden/grammar", "tests/golden/compiler", "tests/golden/format", "examples"]
MAIL_MOST = 4096    # bytes: libFuzzer makes no input longer than its longest seed, and a long message is a slow one
# What is done to each message of tests/mail, in the form of edits_fuzz.
EDITS = [b"0X-A: 1\n1Subject:new\n3:[EXT] \n2To:\n4:Bye\n5:Careful\n",
         b"6\1:Gone\n4<p>Gr\xc3\xbc\xc3\x9fe</p>:Gr\xc3\xbc\xc3\x9fe\n"]


def put(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def seeds(build):
    to = build.parent / "fuzz/seeds"
    mail_seeds(to)
    for source in [p for folder in SEEDS for p in sorted((ROOT / folder).glob("*.sluice"))]:
        if source.stat().st_size > 20000:
            continue
        for target in TEXTS:
            put(to / target, source.read_bytes())
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "p.sluicec"
            # From the tree's root: a program bears its sources' names, and those of this machine are nobody's business.
            done = subprocess.run([build.absolute() / "bin/sluice", "build", source.relative_to(ROOT), "-o", out.absolute()],
                                  capture_output=True, cwd=ROOT)
            if done.returncode == 0:
                put(to / "program", out.read_bytes())


def mail_seeds(to):
    for source in sorted((ROOT / "tests/mail").glob("*/*.eml")):
        message = source.read_bytes()
        if len(message) > MAIL_MOST:
            continue
        put(to / "message", message)
        for edits in EDITS:
            put(to / "edits", edits + b"\0" + message)


def corpora(build, target, found=True):
    """With what `make fuzz` found on this machine."""
    fuzz = build.parent / "fuzz"
    return [f for f in (ROOT / "tests/fuzz/corpus" / target, fuzz / "corpus" / target, fuzz / "seeds" / target)
            if f.is_dir() and (found or f.parent != fuzz / "corpus")]


def minimise(build, targets):
    for target in targets:
        fresh, kept = build / "minimal" / target, ROOT / "tests/fuzz/corpus" / target
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        subprocess.run([build / "fuzz" / f"{target}_fuzz", "-merge=1", "-use_counters=0", "-max_len=3000", fresh,
                        *corpora(build, target)], check=True,
                       capture_output=True)
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        for p in fresh.iterdir():
            shutil.copy(p, kept / p.name[:16])
        print(f"{target}: {len(list(kept.iterdir()))} inputs, {sum(p.stat().st_size for p in kept.iterdir())} bytes")


def files_of(target):
    named = set()
    for pattern in FILES.get(target, []):
        found = {p.relative_to(ROOT).as_posix() for p in ROOT.glob(pattern.lstrip("-"))}
        named = named - found if pattern[0] == "-" else named | found
    return named


def coverage(build, targets):
    bad = False
    for target in targets or sorted(p.name[:-len("_fuzz")] for p in (build / "fuzz").glob("*_fuzz")):
        program, raw, data = build / "fuzz" / f"{target}_fuzz", build / f"{target}.profraw", \
            build / f"{target}.profdata"
        with tempfile.TemporaryDirectory() as empty:
            subprocess.run([program, "-runs=0", "-rss_limit_mb=4096", empty, *corpora(build, target)], check=True,
                           capture_output=True,
                           env={"LLVM_PROFILE_FILE": str(raw)})
        subprocess.run(["llvm-profdata-14", "merge", "-sparse", raw, "-o", data], check=True)
        told = json.loads(subprocess.run(["llvm-cov-14", "export", "-summary-only", program, f"-instr-profile={data}"],
                                         check=True,
                                         capture_output=True).stdout)
        lines = {}
        for f in told["data"][0]["files"]:
            name = f["filename"].removeprefix(str(ROOT) + "/").removeprefix("./")
            lines[name] = (f["summary"]["lines"]["covered"], f["summary"]["lines"]["count"])
        mine = {name: lines[name] for name in files_of(target) if name in lines}
        covered, count = (sum(x) for x in zip(*mine.values())) if mine else (0, 0)
        share = 100 * covered / count if count else 0
        low = share < LEAST
        bad |= low
        print(f"{target:12} {share:5.1f} %  of {count} lines "
              f"in {', '.join(FILES.get(target, ['no files named in corpus.py']))}" + ("  below what is asked" * low),
              flush=True)
        for name, (c, n) in sorted(mine.items(), key=lambda x: x[1][0] / max(1, x[1][1])):
            if "--files" in sys.argv:
                print(f"    {100 * c / max(1, n):5.1f} %  {name} ({n})")
    return 1 if bad else 0


def make_large(target, folder, size):
    """Each input again and again, and its second half again and again behind its first: what costs a square shows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for p in [p for f in corpora(folder.parents[1], target, found=False) for p in sorted(f.iterdir()) if p.stat().st_size]:
        whole, half = p.read_bytes(), p.stat().st_size // 2
        (folder / p.name).write_bytes((whole * (size // len(whole) + 1))[:size])
        (folder / f"{p.name}.half").write_bytes((whole[:half] + whole[half:] * (size // (len(whole) - half)))[:size])
    return sorted(folder.iterdir())


def run_inputs(program, files):
    """Seconds of processor time of each; a program that did not get through them, and the input it ended at, are told."""
    took = {}
    for i in range(0, len(files), 100):
        some = files[i:i + 100]
        done = subprocess.run([program, *some], capture_output=True, text=True, env={"ASAN_OPTIONS": "detect_leaks=0"})
        lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
        took |= {pathlib.Path(path): float(time) for time, path in lines}
        if done.returncode:
            sys.exit(f"{program} {some[min(len(lines), len(some) - 1)]}: ended with {done.returncode}\n{done.stderr}")
    return took


def large(build, targets):
    bad = False
    for target in targets or sorted(p.name[:-len("_fuzz")] for p in (build / "fuzz").glob("*_fuzz")):
        for variant, size in LARGE.items():
            root = build.parent / variant
            program, files = root / "fuzz" / f"{target}_fuzz", make_large(target, root / "large" / target, size)
            took = run_inputs(program, files)
        for path in [p for p, t in took.items() if t > SLOW]:
            took[path] = min(run_inputs(program, [path])[path] for _ in range(TRIES))
        worst = max(took, key=took.get)
        print(f"{target:12} {took[worst]:5.2f} s at most, {len(files)} inputs of {size} bytes: {worst.name}", flush=True)
        bad |= took[worst] > SLOW
    return 1 if bad else 0


def main():
    what, build = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    targets = [a for a in sys.argv[3:] if not a.startswith("-")]
    return {"seeds": lambda: seeds(build), "minimise": lambda: minimise(build, targets),
            "coverage": lambda: coverage(build, targets),
            "large": lambda: large(build, targets)}[what]()


if __name__ == "__main__":
    sys.exit(main())
