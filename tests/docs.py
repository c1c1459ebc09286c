#!/usr/bin/python3
"""Every ```sluice block of README.md and docs/ compiles without errors; so does every .sluice file under examples/ and
stdlib/library/.  docs/reference.md is what `sluice reference` prints.  docs/parity.md is whole, every rule text in it
compiles, and says "declared" exactly where the compiler tells that something is missing (W317)."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLUICE = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")) / "bin/sluice"
failed = count = 0


def told(name, good, text=""):
    global failed, count
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        print("\n".join("# " + line for line in text.splitlines()))


def blocks():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, text in enumerate(re.findall(r"^```sluice\n(.*?)^```", page.read_text(), re.M | re.S), 1):
            yield f"{page.relative_to(ROOT)}, snippet {number}", text


def check(path):
    return subprocess.run([SLUICE, "check", path], capture_output=True, text=True)


def snippets(snippet):
    for name, text in blocks():
        snippet.write_text(text)
        done = check(snippet)
        told(name + " compiles", done.returncode == 0, done.stdout + done.stderr)
        if name.startswith("docs/language.md"):  # what the manual shows is what people will write
            doubts = set(re.findall(r" warning (W\d+):", done.stdout)) - {"W309", "W317"}
            told(name + " raises no doubt", not doubts, done.stdout)
        if re.search(r"^test ", snippet.read_text(), re.M):
            done = subprocess.run([SLUICE, "test", snippet], capture_output=True, text=True)
            told(name + ": its tests pass", done.returncode == 0, done.stdout + done.stderr)
    for path in sorted([*(ROOT / "examples").rglob("*.sluice"), *(ROOT / "stdlib/library").glob("*.sluice")]):
        done = check(path)
        told(f"{path.relative_to(ROOT)} compiles", done.returncode == 0, done.stdout + done.stderr)


def reference():
    now = subprocess.run([SLUICE, "reference"], capture_output=True, text=True, check=True).stdout
    told("docs/reference.md is what the tables say", now == (ROOT / "docs/reference.md").read_text(),
         "run `make reference`")


def parity_rows():
    section = ""
    for line in (ROOT / "docs/parity.md").read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if section in ("Conditions", "Actions") and len(cells) == 3 and cells[0].startswith("`"):
            text = re.match(r"`(.*?)`", cells[1])
            yield section, re.findall(r"`(\w+)`", cells[0]), text and text[1], cells[2]


def parity(snippet):
    names = {"Conditions": [], "Actions": []}
    for section, parameters, text, today in parity_rows():
        names[section] += parameters
        name = "parity: " + ", ".join(parameters)
        if today == "not":
            told(name + " gives a reason", text is None)
            continue
        if section == "Conditions":
            text = f"{text} then log \"x\"\nwhen always unless {text.removeprefix('when ')} then log \"y\"\n"
        elif not text.startswith("rule "):
            text = f"when always then {text}\n"
        snippet.write_text(text)
        done = check(snippet)
        really = "declared" if "W317" in done.stdout else "works"
        told(f"{name} {today}", done.returncode == (65 if really == "declared" else 0) and today == really,
             f"{text}it {really}\n{done.stdout}{done.stderr}")
    for section, wanted in (("Conditions", 59), ("Actions", 39)):
        have = names[section]
        told(f"parity: {wanted} parameters of {section.lower()}", len(have) == len(set(have)) == wanted,
             f"{len(have)}, {len(set(have))}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        snippet = pathlib.Path(folder) / "snippet.sluice"
        snippets(snippet)
        reference()
        parity(snippet)
    first = subprocess.run([sys.executable, ROOT / "tests/first_rules.py"], capture_output=True, text=True)
    told("docs/first-rules.md", first.returncode == 0, first.stdout + first.stderr)
    return 1 if failed else 0


sys.exit(main())
