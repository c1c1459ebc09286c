#!/usr/bin/python3
"""Random rule sets and messages: what compiler and machine make of them, beside the second evaluator (evaluator.py).

    evaluator_test.py [BUILD] [--pairs N] [--seed S] [--only SET]

A pair is a rule set and a message; each rule set meets several messages.  Set number K of a seed is made from (seed, K)
alone: `--seed S --only K` replays it, and prints it.  The torture run is `make torture`.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from evaluator import Context
from evaluator_generate import DISCLAIMERS, HEADERS, Generator
from evaluator_looks import disguised
from evaluator_messages import make_message
from evaluator_pools import WORDS, exotic
from evaluator_reading import Unmodelled
from evaluator_tests import Program

ROOT = pathlib.Path(__file__).resolve().parents[2]
MESSAGES = 10      # to a rule set
BATCH = 40         # rule sets to one run of the driver


class Driver:
    def __init__(self, build):
        self.path = str(pathlib.Path(build) / "oracle/evaluator_driver")
        self.tables = json.loads(self.run(b"TABLES\n")[0])

    def run(self, data):
        done = subprocess.run([self.path], input=data, stdout=subprocess.PIPE, check=True)
        return done.stdout.splitlines()


def written(rules, messages):
    source = rules.encode()
    data = [b"RULES %d\n%s" % (len(source), source)]
    for m in messages:
        data.append(b"MESSAGE %d\n%s" % (len(m["content"]), m["content"]))
        lines = [f"FROM {m['from']}", f"IP {m['ip']}", f"HELO {m['helo']}", f"NOW {m['now']}", f"OFFSET {m['offset']}",
                 f"LISTENER {m['listener']}"] + [f"HEADER {h}" for h in HEADERS + ["X-Raw"]]
        lines += [line for a, bits in zip(m["to"], m["notify"]) for line in (f"TO {a}", f"NOTIFY {bits}")]
        lines += [f"DISCLAIMER {text}\t{html}" for text, html in DISCLAIMERS]
        lines += [f"USER {m['user']}"] * bool(m["user"]) + [f"TLS {m['tls']}"] * bool(m["tls"]) \
            + ["TRUSTED"] * m["trusted"]
        for name, entries in m["live"].items():
            lines += [f"LIVE {name}"] + [f"ENTRY {x}" for x in entries]
        data.append("".join(line + "\n" for line in lines + ["JUDGE"]).encode())
    return b"".join(data)


# --- comparing -------------------------------------------------------------------------------------------------------

def squeezed(text):
    return " ".join(text.split())


def as_sent(text):
    """A reply as SMTP can say it: ASCII, one line, a mark for what is not."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:400]


def body_differs(texts, removed, copy, facts):
    """Each text that was put in is there, no other is, and of the attachments those that were not taken out."""
    for word in {text.split(":")[0] for text, _ in DISCLAIMERS}:
        if (word in copy[" body"]) != (word in texts):
            return f"{word} {'is not' if word in texts else 'is'} in the body {copy[' body']!r}"
    names = [(e["views"] or [{"text": ""}])[0]["text"] for e in facts["attachment.name"]["elements"] if e["list"] == 0]
    kept = [n for i, n in enumerate(names) if i not in removed and n]
    seen = [n for n in copy[" attachments"] if n]
    return None if kept == seen else f"attachments {kept}, not {seen}"


def recipients_differ(want, got, copies, facts):
    for w, g in zip(want, got):
        for key in ("address", "added", "disposition", "peer", "onward", "floor", "not_before", "connector", "rule",
                    "tls_rule"):
            if w[key] != g[key]:
                return f"{w['address']}: {key} {w[key]!r}, not {g[key]!r}"
        if squeezed(w["reason"]) != squeezed(g["reason"]):
            return f"{w['address']}: reason {w['reason']!r}, not {g['reason']!r}"
        if w["reply"] and w["reply"][:2] + [as_sent(w["reply"][2])] != g["reply"]:
            return f"{w['address']}: reply {w['reply']!r}, not {g['reply']!r}"
        what = w["copy"] and body_differs(w["copy"].pop(" texts"), w["copy"].pop(" removed"), copies[g["copy"]], facts)
        if what:
            return f"{w['address']}: {what}"
        for header, elements in w["copy"].items():
            seen = sorted(sorted(squeezed(v["text"]) for v in e) for e in copies[g["copy"]][header])
            if sorted(sorted(squeezed(v) for v in e) for e in elements) != seen:
                return f"{w['address']}: {header} {elements!r}, not {seen!r}"
    return None if len(want) == len(got) else f"{len(want)} recipients, not {len(got)}"


def notes_differ(want, got, members):
    """One note to everybody stands for a note each."""
    expected, everybody = collections.defaultdict(list), {}
    for kind, rule, recipient, text, n in want:
        key = (kind, rule, squeezed(text) if text else None)
        expected[key].append(recipient)
        everybody[key] = n
    seen = collections.defaultdict(list)
    for kind, rule, recipient, text in got:
        key = (kind, rule, None if kind == "audit" else squeezed(text))
        if recipient:
            seen[key].append(recipient)
        else:
            seen[key] += members[:everybody.get(key, len(members))]     # those there were at the time
    for key in expected.keys() | seen.keys():
        if sorted(expected[key]) != sorted(seen[key]):
            return f"notes {key}: {sorted(expected[key])}, not {sorted(seen[key])}"
    return None


def report_read(text, rules):
    """A report's text as the evaluator says it: None for what is only there, actions counted by what the rules have."""
    said, label = {}, None
    for line in text.splitlines():
        if line.startswith("  "):
            said[label].append(squeezed(line))
        else:
            label, _, value = line.partition(":")
            said[label] = squeezed(value) if value else []
    assert said.pop("Queue id") == "oracle" and "Message-ID" in said, text
    said.pop("Message-ID")
    for label in ("Cc", "Bcc", "Override", "Detectors", "Excerpts"):
        if label in said:
            said[label] = None
    if "Rules" in said:
        said["Rules"] = [name + f": {rules[name.split(' ')[0]]} actions" * bool(actions)
                         for name, _, actions in (line.partition(": ") for line in said["Rules"])]
    return said


def notices_differ(want, got, rules):
    def comparable(text):
        return {k: squeezed(v) if isinstance(v, str) else [squeezed(x) for x in v] if v else v for k,
                v in text.items()} \
            if isinstance(text, dict) else squeezed(text)
    expected = [[rule, to, squeezed(subject), comparable(text), attach, isinstance(text, dict)]
                for _, text, rule, to, subject, attach in want]
    seen = [[rule, to, squeezed(subject), report_read(text, rules) if report else squeezed(text), attach, bool(report)]
            for rule, to, subject, text, attach, report in got]
    unknown = {x[1] for x in expected if x[5] and x[3].get("Subject", "") is None}    # of several fields: which is said
    for x in seen:
        if x[5] and x[1] in unknown:
            x[3]["Subject"] = None
    order = lambda x: json.dumps(x, sort_keys=True)
    return None if sorted(expected, key=order) == sorted(seen, key=order) else f"notices {expected}, not {seen}"


def differ(context, want, told):
    """The first difference in words, or None."""
    got, names = told["verdict"], [m.text for m in context.members]
    mine = [[i, s, second, answers] for i, s, second, answers in context.trace]
    for w, g in zip(mine, told["rules"]):
        if w != g:
            what = "again for added ones, " if w[2] else ""
            return f"rule {context.program.rules[w[0]].name}, {what}state {w[1]}: {w[3]}, not {g} ({names})"
    if len(mine) != len(told["rules"]):
        return f"{len(mine)} rules were judged, not {len(told['rules'])}"
    if want["answer"] != got["answer"]:
        return f"{want['answer']}, not {got['answer']}"
    if want["answer"] != "accept":
        if want["rule"] != got["rule"]:
            return f"the reply is of {want['rule']}, not {got['rule']}"
        reply = want["reply"]
        if reply[:2] != got["reply"][:2] or (reply[2] is not None and as_sent(reply[2]) != got["reply"][2]):
            return f"reply {reply!r}, not {got['reply']!r}"
    if want["hits"] != got["hits"]:
        return f"hits {want['hits']}, not {got['hits']}"
    acted = None if sorted(context.acted) == sorted(told["actions"]) else \
        f"actions {sorted(context.acted)}, not {sorted(told['actions'])}"
    return acted or recipients_differ(want["recipients"], got["recipients"], got["copies"], told["facts"]) or \
        notes_differ(want["notes"], got["notes"], names) \
        or notices_differ(want["notices"], got["notices"], {r.name: len(r.then) for r in context.program.rules})


# --- running ---------------------------------------------------------------------------------------------------------

class Run:
    def __init__(self, driver, seed):
        self.driver, self.seed = driver, seed
        self.generator = Generator(driver.tables)
        self.rows = {f["name"]: f for f in driver.tables["fields"]}
        self.rows.update(("action " + a["name"], a) for a in driver.tables["actions"])
        self.pairs = self.refused = self.unmodelled = self.notices = self.reports = 0
        self.differences = []
        self.answers = collections.Counter()
        self.verdicts = collections.Counter()

    def make(self, number):
        rnd = random.Random(f"{self.seed}/{number}")
        self.generator.words = words = WORDS + [exotic(rnd) for _ in range(rnd.choice([0, 10]))] + \
            [disguised(rnd, rnd.choice(WORDS)) for _ in range(rnd.choice([0, 10]))]
        self.generator.plain = plain = rnd.random() < 0.5
        return self.generator.rule_set(rnd), [make_message(rnd, words, plain) for _ in range(MESSAGES)]

    def batch(self, numbers):
        cases = [self.make(n) for n in numbers]
        answers = iter(self.driver.run(b"".join(written(*c) for c in cases)))
        for number, (rules, messages) in zip(numbers, cases):
            head = json.loads(next(answers))
            told = [json.loads(next(answers)) for _ in messages]
            if "error" in head:
                self.refused += 1
                self.refusal = head["error"]
                continue
            self.compare(number, rules, messages, head, told)

    def compare(self, number, rules, messages, head, told):
        program = Program(head["trees"], self.rows)
        for k, (m, t) in enumerate(zip(messages, told)):
            self.pairs += 1
            if "error" in t:
                self.differ(number, k, t["error"], rules, m)
                continue
            context = Context(program, m, t, DISCLAIMERS)
            try:
                want = context.run()
            except Unmodelled:
                self.unmodelled += 1
                continue
            self.notices += len(want["notices"])
            self.reports += sum(isinstance(n[1], dict) for n in want["notices"])
            for _, _, _, answers in context.trace:
                self.answers.update(answers)
            self.verdicts[want["answer"]] += 1
            what = differ(context, want, t)
            if what:
                self.differ(number, k, what, rules, m)

    def differ(self, number, k, what, rules, m):
        """Told at once, for long runs; the first few whole, at the end."""
        self.differences.append((number, k, what, rules, m))
        if len(self.differences) <= 20:
            print(f"# set {number}, message {k}: {what[:400]}", flush=True)


def report(run, seed):
    for number, k, what, rules, m in run.differences[:int(os.environ.get("EVALUATOR_SHOW", "3"))]:
        envelope = {name: value for name, value in m.items() if name != "content"}
        print(f"# replay: tests/oracle/evaluator_test.py --seed {seed} --only {number}   (message {k})\n# {what}")
        for line in rules.splitlines() + [str(envelope)] + m["content"].decode().splitlines():
            print("#   " + line)
    if run.refused:
        print("# refused, for example:\n#   " + run.refusal.replace("\n", "\n#   "))
    print("# not generated: " + (", ".join(run.generator.left_out) or "nothing"))
    print(f"# {run.unmodelled} pairs were judged by one only, {run.notices} notices, {run.reports} of them reports")
    print("# answers: " + ", ".join(f"{n} {a}" for a, n in sorted(run.answers.items())) + "; verdicts: " +
          ", ".join(f"{n} {v}" for v, n in sorted(run.verdicts.items())))


def halves(args):
    """Two processes, each with sets of its own."""
    base = [sys.executable, __file__, str(args.build), "--seed", str(args.seed), "--minutes", str(args.minutes or 0)]
    share = [base + ["--pairs", str(args.pairs // 2), "--from-set", str(first)] for first in (0, 10_000_000)]
    running = [subprocess.Popen(command) for command in share]
    return max(r.wait() for r in running)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", nargs="?", default=os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
    options.add_argument("--pairs", type=int, default=20000)
    options.add_argument("--minutes", type=float, default=0, help="stop after that long")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", type=int, help="one rule set")
    options.add_argument("--from-set", type=int, default=0)
    options.add_argument("--two", action="store_true", help="in two processes")
    args = options.parse_args()
    if args.two:
        return halves(args)
    run, began, told = Run(Driver(args.build), args.seed), time.monotonic(), time.monotonic()
    number = args.from_set
    if args.only is not None:
        print(run.make(args.only)[0])
        run.batch([args.only])
    while args.only is None and run.pairs < args.pairs and len(run.differences) < 1000:
        run.batch(range(number, number + BATCH))
        number += BATCH
        if args.minutes and time.monotonic() - began > args.minutes * 60:
            break
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"# {run.pairs} pairs, {len(run.differences)} differences", flush=True)
    report(run, args.seed)
    bad = bool(run.differences) or run.pairs == 0 or run.refused * 50 > run.pairs // MESSAGES \
        or run.unmodelled * 20 > run.pairs
    print(f"{'not ok' if bad else 'ok'} 1 - {run.pairs} pairs, {len(run.differences)} differences, {run.refused} rule "
          f"sets "
          f"refused (seed {args.seed}, sets {args.from_set} to {number}, {time.monotonic() - began:.0f} s)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
