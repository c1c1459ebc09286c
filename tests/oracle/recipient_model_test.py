#!/usr/bin/python3
"""Random programs, judged by the model and by the real compiler and machine.

    recipient_model_test.py [--programs N] [--seed S] [BUILD_DIR]      e.g. --programs 100000

What a model's condition says of the message is made true of a real one: `disputed` by two Message-ID fields,
`unreadable` by a body in a charset nobody knows, `unavailable` by the driver, which does not know what the client said
in EHLO.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import recipient_model as model

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOMAINS = ["a.example", "b.example", "c.example"]
MARKS = ["m", "n"]
ADDED = ["x@a.example", "y@b.example", "z@d.example"]
NAMES = {"prepend": "prepend_subject", "relax": "remove_header"}


# --- conditions: (rule text, the model's function) --------------------------------------------------------------------

def atoms(rnd, addresses):
    domain, address, mark = rnd.choice(DOMAINS), rnd.choice(addresses), rnd.choice(MARKS)
    word = rnd.choice(["one", "two", "common"])
    return rnd.choice([
        lambda: (f'recipient.domain is "{domain}"', model.rdom(domain)),
        lambda: (f'recipient.domain is not "{domain}"', model.inv(model.rdom(domain))),
        lambda: (f'recipient is "{address}"', model.isr(address)),
        lambda: (f'recipient is any of ("{address}", "@{domain}")',
                 lambda j, r: model.OR(model.isr(address)(j, r), model.rdom(domain)(j, r))),
        lambda: (f'any recipient.domain is "{domain}"', model.anyr(domain)),
        lambda: (f'no recipient.domain is "{domain}"', model.inv(model.anyr(domain))),
        lambda: (f'every recipient.domain is not "{domain}"', model.inv(model.anyr(domain))),
        lambda: (f'any recipient where (recipient.domain is "{domain}")', model.anyr(domain)),
        lambda: ('subject contains "k"', model.subj("k")),
        lambda: ('subject does not contain "k"', model.inv(model.subj("k"))),
        lambda: (f'marked "{mark}"', model.marked(mark)),
        lambda: ("recipient_count is over 0", model.const(model.T)),
        lambda: ("recipient_count is over 5000", model.const(model.F)),
        lambda: (f'message_id contains "{word}"', model.views("message_id", word)),
        lambda: ('body contains "unheard"', model.const(model.U)),
        lambda: ('client.helo is "client.example"', model.const(model.E)),
    ])()


def condition(rnd, addresses, depth, gentle):
    """`gentle` leaves out what defers most programs."""
    roll = rnd.random()
    if depth == 0 or roll < 0.5:
        while True:
            text, f = atoms(rnd, addresses)
            if not (gentle and text.startswith("client.helo")):
                return text, f
    if roll < 0.65:
        text, f = condition(rnd, addresses, depth - 1, gentle)
        return f"not ({text})", model.inv(f)
    (lt, lf), (rt, rf) = (condition(rnd, addresses, depth - 1, gentle) for _ in range(2))
    if roll < 0.85:
        return f"({lt}) and ({rt})", model.both(lf, rf)
    return f"({lt}) or ({rt})", lambda j, r: model.OR(lf(j, r), rf(j, r))


# --- rules ------------------------------------------------------------------------------------------------------------

def added_later(rnd, serial):
    """Actions that meet in the second pass: demands, a changed subject, recipients added."""
    return rnd.choice([
        lambda: (f'require_tls {(level := rnd.choice(["encrypt", "verified", "dane"]))}', ("require_tls", level)),
        lambda: (f'prepend_subject "[k{serial}] "', ("prepend", f"[k{serial}] ")),
        lambda: (f'copy to "{(to := rnd.choice(ADDED))}"', ("copy", to)),
    ])()


def plain_action(rnd, serial):
    return rnd.choice([
        lambda: (f'require_tls {(level := rnd.choice(["encrypt", "verified", "dane"]))}', ("require_tls", level)),
        lambda: (f'prepend_subject "[k{serial}] "', ("prepend", f"[k{serial}] ")),
        lambda: (f'prepend_subject "[{serial}] "', ("prepend", f"[{serial}] ")),
        lambda: (f'mark "{(mark := rnd.choice(MARKS))}"', ("mark", mark)),
        lambda: (f'copy to "{(to := rnd.choice(ADDED))}"', ("copy", to)),
        lambda: ('remove_header "X-Nothing"', ("relax",)),
    ])()


def last_action(rnd, addresses):
    to = rnd.choice(addresses)
    return rnd.choice([
        lambda: ('reject "no"', ("reject",)),
        lambda: ("drop", ("drop",)),
        lambda: ("quarantine", ("quarantine",)),
        lambda: ("hold", ("hold",)),
        lambda: (f'redirect to "{to}"', ("redirect", to)),
        lambda: (f'redirect to "{to}"', ("redirect", to)),
        lambda: ("stop", ("stop",)),
    ])() if rnd.random() < 0.95 else ('defer "later"', ("defer",))


def make_rule(rnd, addresses, number, action):
    gentle = rnd.random() < 0.9
    text, when = condition(rnd, addresses, rnd.randint(0, 2), gentle)
    if action is added_later and rnd.random() < 0.5:
        text, when = 'subject contains "k"', model.subj("k")
    rule = {"when": when, "unless": [], "then": [], "name": f"r{number}", "mode": "enforce", "on_error": "defer"}
    options = f'rule "r{number}"'
    if rnd.random() < 0.2:
        rule["mode"] = rnd.choice(["audit", "audit_and_notify"])
        options += f' mode {rule["mode"]}'
        rule["mode"] = "audit"
    if rnd.random() < 0.5:
        rule["on_error"] = rnd.choice(["skip", "apply"])
        options += f' on_error {rule["on_error"]}'
    source = f"{options}\nwhen {text}\n"
    for _ in range(rnd.choice([0, 0, 0, 1, 2])):
        text, unless = condition(rnd, addresses, 1, gentle)
        rule["unless"].append(unless)
        source += f"unless {text}\n"
    actions = [action(rnd, number * 10 + i) for i in range(rnd.randint(0, 2))]
    seen = set()
    actions = [a for a in actions if not (a[1] in seen or seen.add(a[1]))]
    if not actions or rnd.random() < 0.45:
        actions.insert(rnd.randint(0, len(actions)), last_action(rnd, addresses))
        if rnd.random() < 0.1 and ("stop",) not in (a[1] for a in actions):
            actions.insert(rnd.randint(0, len(actions)), ("stop", ("stop",)))
    rule["then"] = [a[1] for a in actions]
    return rule, source + "then " + ", ".join(a[0] for a in actions) + "\n"


def make_program(rnd):
    recipients = [f"u{i}@{rnd.choice(DOMAINS)}" for i in range(rnd.randint(1, 5))]
    addresses = recipients + ADDED
    if rnd.random() < 0.3:
        recipients.append(rnd.choice(ADDED))
    rules, text = [], ""
    action = rnd.choice([plain_action, plain_action, added_later])
    for number in range(rnd.randint(1, 6)):
        rule, source = make_rule(rnd, addresses, number, action)
        rules.append(rule)
        text += source
    message = {"rcpt": recipients, "subject": rnd.choice(["", "k", "plain"]),
               "views": {"message_id": ["one.common@x.example", "two.common@x.example"]}}
    return rules, text, message


def content(message):
    return ("Received: from client.example by relay.example; Mon, 23 Nov 2026 12:00:00 +0000\r\n"
            "Message-ID: <one.common@x.example>\r\nMessage-ID: <two.common@x.example>\r\n"
            f"From: s@corp.example\r\nSubject: {message['subject']}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=x-nobody-knows\r\n\r\nsome text\r\n").encode()


# --- both sides -------------------------------------------------------------------------------------------------------

def expected(rules, message):
    judge = model.Judge(message, rules)
    out = judge.run()
    deferred = out["reply"] == 451 or any(v[0] == "defer" for v in out["rcpt"].values())
    if deferred:                                    # one recipient deferred defers the message: nothing happens
        return {"reply": 451, "rcpt": {}, "would": None}
    rcpt = {}
    for address, (final, tls, edits) in out["rcpt"].items():
        subject = "".join(reversed(edits)) + message["subject"]
        rcpt[address] = (final, tls, " ".join(subject.split()) if final in ("deliver", "quarantine", "hold") else None)
    would = sorted((a, NAMES.get(n, n)) for a, n in out.get("audit: would", []))
    return {"reply": out["reply"], "rcpt": rcpt, "would": would}


def actual(lines, whole):
    out = {"reply": None, "rcpt": {}, "would": []}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "error":
            return {"error": rest}
        if word == "reply":
            out["reply"] = int(rest)
        elif word == "rcpt":
            address, final, tls, *subject = rest.split(" ")
            subject = " ".join(" ".join(subject).split())
            out["rcpt"][address] = (final, int(tls), subject if final in ("deliver", "quarantine", "hold") else None)
        elif word == "would":
            out["would"].append(tuple(rest.split(" ")))
    out["would"] = None if out["reply"] == 451 else sorted(out["would"])
    return out


def run(driver, cases):
    data = bytearray()
    for rules, text, message in cases:
        mail, source = content(message), text.encode()
        data += b"CASE trusted\nRULES %d\n%sMESSAGE %d\n%s" % (len(source), source, len(mail), mail)
        data += b"".join(b"TO %s\n" % a.encode() for a in message["rcpt"]) + b"END\n"
    done = subprocess.run([driver], input=bytes(data), stdout=subprocess.PIPE, check=True)
    answers, lines = [], []
    for line in done.stdout.decode().splitlines():
        if line == "end":
            answers.append(lines)
            lines = []
        else:
            lines.append(line)
    return answers


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--programs", type=int, default=5000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("build", nargs="?", default=os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
    args = options.parse_args()
    driver = pathlib.Path(args.build) / "oracle/recipient_driver"
    rnd = random.Random(args.seed)
    differences = done = 0
    replies = {}
    while done < args.programs:
        cases = [make_program(rnd) for _ in range(min(1000, args.programs - done))]
        answers = run(driver, cases)
        if len(answers) != len(cases):
            print(f"not ok 1 - the driver answered {len(answers)} of {len(cases)} programs")
            return 1
        for (rules, text, message), lines in zip(cases, answers):
            want, got = expected(rules, message), actual(lines, message)
            replies[want["reply"]] = replies.get(want["reply"], 0) + 1
            if want == got:
                continue
            differences += 1
            if differences <= 3:
                print(f"# {message}\n# " + text.replace("\n", "\n# ") + f"\n# model   {want}\n# machine {got}")
        done += len(cases)
    spread = ", ".join(f"{n} times {reply}" for reply, n in sorted(replies.items()))
    print(f"# replies: {spread}")
    print(f"{'ok' if not differences else 'not ok'} 1 - {done} programs, {differences} differences (seed {args.seed})")
    laws = model.laws()
    named = {x if isinstance(x, str) else x[0] for x in laws}
    print(f"{'ok' if named <= {'distrib', 'absorb'} else 'not ok'} 2 - the laws of answers that hold do hold")
    broken = [name for name, count in model.props(n=300, seed=args.seed).items() if not count.startswith("0 of")]
    print(f"{'not ok' if broken else 'ok'} 3 - the model's own properties "
          f"hold{': ' + ', '.join(broken) if broken else ''}")
    return 1 if differences or broken else 0


if __name__ == "__main__":
    sys.exit(main())
