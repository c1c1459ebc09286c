#!/usr/bin/python3
"""Runs tests and counts them.

    tests/run.py BUILD_DIR [--jobs N] TEST…

Each TEST is a program that prints TAP lines ("ok 1 - name", "not ok 2 - name", "ok 3 - name # SKIP why"); cmocka
programs are told to.  A program that ends badly without a failed line, or that prints no line at all, counts as one
failure.  The last line is "N passed, N failed" (and ", N skipped").
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAP = re.compile(r"^(not ok|ok)\b\s*\d*\s*-?\s*([^#]*)(#\s*skip.*)?", re.I)
OUTPUT = threading.Lock()


def run(build, path, limit):
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", SLUICE_BUILD=str(build), PYTHONUNBUFFERED="1",
                       PYTHONDONTWRITEBYTECODE="1",
                       ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:" + os.environ.get("ASAN_OPTIONS", ""),
                       UBSAN_OPTIONS="print_stacktrace=1")
    command = ["/usr/bin/python3", str(path)] if path.suffix == ".py" else [str(path)]
    if path.name == "layers.py":
        command.append(str(build))
    started = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit)
        text, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        text, code = (late.stdout or b"").decode(errors="replace") + f"\nover {limit} s: ended\n", -1
    passed = failed = skipped = 0
    for line in text.splitlines():
        match = TAP.match(line)
        if match:
            # cmocka writes a skipped test as "not ok 6 # SKIP name".
            skipped += bool(match[3])
            passed += match[1].lower() == "ok" and not match[3]
            failed += match[1].lower() != "ok" and not match[3]
    if path.name == "layers.py":
        passed, failed = int(code == 0), int(code != 0)
    elif (code != 0 and not failed) or passed + failed + skipped == 0:
        failed += 1
    with OUTPUT:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        print(f"{'ok  ' if not failed else 'FAIL'} {name}: {passed} passed, {failed} failed"
              + (f", {skipped} skipped" if skipped else "") + f" ({time.monotonic() - started:.1f} s)", flush=True)
        for line in text.splitlines():
            if failed or re.search(r"# (?!ok|skip)\S|# skip", line, re.I):
                print("     " + line, flush=True)
    return passed, failed, skipped


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("tests", nargs="+", type=pathlib.Path)
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options.add_argument("--limit", type=int, default=280, help="seconds for one program")
    args = options.parse_args()
    build = args.build.resolve()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        totals = list(pool.map(lambda t: run(build, t.resolve(), args.limit), args.tests))
    passed, failed, skipped = (sum(column) for column in zip(*totals))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main())
