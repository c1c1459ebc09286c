#!/usr/bin/python3
"""The message room under Valgrind, over the hostile corpus, the messages of tests/mail and folders named: every view,
fact and name of each, and edits of each.  Valgrind says nothing and both programs end well.

Usage: memory_check.py [FOLDER-OF-MAIL…]
"""
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import hostile_mail  # noqa: E402
from edits_messages import random_edits  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
VALGRIND = ["valgrind", "-q", f"--suppressions={ROOT}/tests/oracle/valgrind.supp", "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect"]


def messages(folders):
    for _, _, data in hostile_mail.corpus():
        yield data
    for folder in [ROOT / "tests/mail", *folders]:
        for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix in (".eml", ".txt")):
            yield path.read_bytes()


def edit_request(data, rng):
    records = b"".join("\x1f".join(e).encode() + b"\x1f\x1e" for e in random_edits(rng))
    return b"%d %d\n" % (len(records), len(data)) + records + data


def under_valgrind(name, arguments, requests):
    """Feeds all requests from a file, so that no pipe has to be emptied meanwhile."""
    held = BUILD / f"memory-{name}.in"
    held.write_bytes(b"".join(requests))
    with open(held, "rb") as source:
        done = subprocess.run([*VALGRIND, str(BUILD / "oracle" / name), *arguments], stdin=source,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    held.unlink()
    told = done.stderr.decode(errors="replace")
    bad = done.returncode != 0 or not done.stdout
    print(f"{'not ok' if bad else 'ok'} - {name} under Valgrind")
    for line in told.splitlines()[:60] if bad else []:
        print("# " + line)
    print(f"# {len(requests)} messages, {len(done.stdout)} bytes of answers")
    return bad


def main():
    mail = list(messages(sys.argv[1:]))
    rng = random.Random(1)
    bad = under_valgrind("views_driver", [hostile_mail.MARK, "--views"], [len(m).to_bytes(4, "big") + m for m in mail])
    bad |= under_valgrind("edits_driver", [], [edit_request(m, rng) for m in mail])
    return bad


if __name__ == "__main__":
    sys.exit(main())
