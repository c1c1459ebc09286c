#!/usr/bin/python3
"""Every ```sluice block of README.md and docs/ compiles without errors; so does every .sluice file under examples/.

What is shown can be formatted, the files of examples/ are formatted, and `dump --ast=json` prints a tree for each.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")) / "bin/sluice"


def blocks():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, text in enumerate(re.findall(r"^```sluice\n(.*?)^```", page.read_text(), re.M | re.S), 1):
            yield f"{page.relative_to(ROOT)}, snippet {number}", text


def sluice(*arguments):
    return subprocess.run([SLUICE, *arguments], capture_output=True, text=True)


def names(node):
    """The names of all items of a tree, in order."""
    return [i.get("name") for i in node["items"] if i["kind"] in ("rule", "define", "list")]


def trees(path):
    return [json.loads(line) for line in sluice("dump", "--ast=json", path).stdout.splitlines()]


def layout(path, shown):
    """What is wrong with the file's layout, or with what formatting makes of it; `shown` files may be laid out freely."""
    if not shown:
        done = sluice("fmt", "--check", path)
        return done.stdout + done.stderr
    before = trees(path)
    done = sluice("fmt", "-w", path)
    if done.returncode or sluice("fmt", "--check", path).returncode:
        return f"cannot be formatted, or not twice\n{done.stderr}"
    return "" if before and [names(t) for t in trees(path)] == [names(t) for t in before] else "another tree when formatted"


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        snippet = pathlib.Path(folder) / "snippet.sluice"
        cases = [(name, text, None) for name, text in blocks()]
        cases += [(str(p.relative_to(ROOT)), None, p) for p in sorted((ROOT / "examples").rglob("*.sluice"))]
        for name, text, path in cases:
            if text is not None:
                snippet.write_text(text)
            done = sluice("check", path or snippet)
            count += 1
            failed += done.returncode != 0
            print(f"{'ok' if done.returncode == 0 else 'not ok'} {count} - {name} compiles")
            if done.returncode:
                print("\n".join("# " + line for line in (done.stdout + done.stderr).splitlines()))
                continue
            wrong = layout(path or snippet, text is not None)
            count += 1
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {count} - {name} keeps its program in canonical layout")
            print("".join(f"# {line}\n" for line in wrong.splitlines()), end="")
    return 1 if failed else 0


sys.exit(main())
