#!/usr/bin/python3
"""docs/first-rules.md: the first rules that newcomers write, and what sluice says to each.

Reads tests/first-rules.txt, where `== title` begins each.  Without an argument it holds the page to what the tool says
now, and each rule to this: it is meant as it stands, or its first error shows a mend.  `--write` writes the page."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")) / "bin/sluice"
PAGE = ROOT / "docs/first-rules.md"
INTRODUCTION = """# The first rules that people write

What newcomers type, some of it from other tools, and what `sluice check` answers: either the rule is meant as it
stands, or the help shows what to write.  This page is the tool's own output; a test holds it to that
(`make first-rules` writes it).

"""


def cases():
    parts = re.split(r"^== (.*)\n", (ROOT / "tests/first-rules.txt").read_text(), flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2]))


def check(text, folder):
    (folder / "rules.sluice").write_text(text)
    done = subprocess.run([SLUICE, "check", "rules.sluice"], cwd=folder, capture_output=True, text=True)
    return done.returncode, "\n".join(done.stdout.splitlines()[:-1])


def mends(said):
    """Whether the first error (with what follows it) shows what to write."""
    first = re.split(r"\n(?=rules\.sluice:\d+:\d+: )", said)[0]
    return "help:" in first


def main():
    page, failed = [INTRODUCTION], []
    with tempfile.TemporaryDirectory() as temporary:
        for title, text in cases():
            status, said = check(text, pathlib.Path(temporary))
            page.append(f"## {title}\n\n```text\n{text.rstrip()}\n```\n\n")
            if status == 0 and not said:
                page.append("It is meant as it stands.\n\n")
            else:
                page.append(("It is meant, with a doubt:\n\n" if status == 0 else "") + f"```text\n{said}\n```\n\n")
            if status and not mends(said):
                failed.append(title)
    text = "".join(page).rstrip() + "\n"
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(text)
    same = PAGE.exists() and PAGE.read_text() == text
    print(f"{'ok' if not failed else 'not ok'} 1 - {len(cases())} first rules are meant or told the mend")
    for title in failed:
        print(f"# no mend: {title}")
    print(f"{'ok' if same else 'not ok'} 2 - docs/first-rules.md is what sluice "
          f"says{'' if same else ' (make first-rules)'}")
    return 0 if same and not failed else 1


sys.exit(main())
