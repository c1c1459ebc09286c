#!/usr/bin/python3
"""`sluice judge` as people and programs read it: goldens of both forms, and of a whole folder.

SLUICE_UPDATE_GOLDENS=1 writes them anew.  What a clock says and how many steps it took are masked; everything else is
the same everywhere.
"""
import difflib
import json
import os
import pathlib
import re
import subprocess
import tempfile

from relay import PATIENCE, ROOT, SLUICE, equal, main, test

FOLDER = ROOT / "tests/golden/judge"
POLICY = "tests/golden/judge/policy.sluice"
UPDATE = os.environ.get("SLUICE_UPDATE_GOLDENS")
PLAIN = {**os.environ, "TZ": "UTC"}


def judge(*arguments, env=PLAIN, status=0):
    done = subprocess.run([str(SLUICE), "judge", *arguments], capture_output=True, text=True, cwd=ROOT, env=env,
                          timeout=PATIENCE)
    equal(done.returncode, status, done.stderr)
    return done.stdout


def masked(text):
    text = re.sub(r'("(?:slowest_micros|micros|steps)": ?)\d+', r"\g<1>0", text)
    text = re.sub(r"\d+ steps?", "0 steps", text)
    text = re.sub(r"\d+ µs(?= \()", "0 µs", re.sub(r"\d+ µs", "0 µs", text))
    text = re.sub(r'"facts": \{.+?\n  \}', '"facts": {}', text, flags=re.S)  # as many as the vocabulary has
    return re.sub(r'(0 µs \(|"slowest": ?").*?([)"])', r"\g<1>some.eml\2", text)


def hold(name, got):
    path, got = FOLDER / name, masked(got)
    if UPDATE:
        path.write_text(got)
    wanted = path.read_text()
    if got != wanted:
        raise AssertionError("\n".join(difflib.unified_diff(wanted.splitlines(), got.splitlines(), name, "now", "", "",
                                                            2)))


def cases():
    for mail in sorted((FOLDER / "mail").glob("*.eml")):
        yield mail.stem, [POLICY, str(mail.relative_to(ROOT)), *(FOLDER / "args" / mail.stem).read_text().splitlines()]


@test
def text():
    """what was seen, where it matched, for whom; what was skipped and why; what becomes of each recipient and copy"""
    for name, arguments in cases():
        hold(f"{name}.txt", judge(*arguments))


@test
def as_json():
    """the same facts as JSON"""
    for name, arguments in cases():
        out = judge(*arguments, "--json")
        hold(f"{name}.json", out)
        said, shown = json.loads(out), judge(*arguments)
        assert said["facts"]["client.ip"] and said["facts"]["subject"], said["facts"]
        for rule in said["rules"]:
            assert rule["rule"] in shown, rule
            for question in rule["tests"]:
                assert question["test"] in shown, question
            for skipped in rule["skipped"]:
                assert re.search(re.escape(skipped) + r": (\S+ )?skipped", shown), skipped
        for address in said["recipients"] if said["answer"] == "accept" else ():
            assert address in shown, address


@test
def coverage():
    """--coverage: how often each rule applied over a folder; envelopes from the header where none is told"""
    arguments = [POLICY, "--coverage", "tests/golden/judge/mail", "--list", "blocked=tests/golden/judge/blocked.txt"]
    hold("coverage.txt", judge(*arguments))
    hold("coverage.json", judge(*arguments, "--json"))
    rows = [json.loads(line) for line in judge(*arguments, "--json").splitlines()]
    for row in rows[:-1]:
        equal(row["applied"] + row["undecided"] + row["no"] + row["not_asked"], rows[-1]["messages"], row)


@test
def wrong_calls():
    """a list nobody declared, an entry that is none, no such folder: one sentence and the right status"""
    mail = "tests/golden/judge/mail/rejected.eml"
    whole = [POLICY, mail, "--from", "a@b.example", "--to", "b@b.example"]
    judge(*whole, "--list", "nowhere=x", status=64)
    judge(*whole, "--list", "blocked=/no/such/file", status=66)
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder, "r.sluice")
        rules.write_text('list mine of address in table "theirs"\nwhen sender is in mine then drop\n')
        entries = pathlib.Path(folder, "entries")
        entries.write_text("a@b.example\n")
        for name in ("mine", "theirs"):
            told = judge(str(rules), *whole[1:], "--list", f"{name}={entries}")
            assert "b@b.example: drop" in told, told
    judge(*whole, "--list", f"blocked={POLICY}", status=65)
    judge(POLICY, "--coverage", "/no/such/folder", status=66)
    judge(POLICY, mail, "--from", "a@b.example", status=64)


@test
def no_colours():
    """no escape sequence where no terminal reads, whatever NO_COLOR says"""
    for name, arguments in cases():
        assert "\033" not in judge(*arguments), name


if __name__ == "__main__":
    main()
