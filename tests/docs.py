#!/usr/bin/python3
"""Every ```sluice block of README.md and docs/ compiles without errors; so does every .sluice file under examples/."""
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


def check(path):
    return subprocess.run([SLUICE, "check", path], capture_output=True, text=True)


def main():
    failed = count = 0
    with tempfile.TemporaryDirectory() as folder:
        snippet = pathlib.Path(folder) / "snippet.sluice"
        cases = [(name, text, None) for name, text in blocks()]
        cases += [(str(p.relative_to(ROOT)), None, p) for p in sorted((ROOT / "examples").rglob("*.sluice"))]
        for name, text, path in cases:
            if text is not None:
                snippet.write_text(text)
            done = check(path or snippet)
            count += 1
            failed += done.returncode != 0
            print(f"{'ok' if done.returncode == 0 else 'not ok'} {count} - {name} compiles")
            if done.returncode:
                print("\n".join("# " + line for line in (done.stdout + done.stderr).splitlines()))
    return 1 if failed else 0


sys.exit(main())
