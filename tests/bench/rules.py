#!/usr/bin/env python3
"""rules.py DIRECTORY: messages of 4 and 100 KiB (m4k.eml, m100k.eml), and sets of N mixed rules of one meaning for
Sluice, Pigeonhole, Postfix's pcre checks and rspamd (mixed.N.sluice, .sieve, .hc and .bc, .lua).

A rule is one of: a pattern in the body, five texts in the subject, the domain of From, a header that is there.  Only
the last one holds for the messages.  The same seed gives the same files.
"""
import os
import random
import sys

SIZES = (("4k", 4096), ("100k", 102400))
COUNTS = (0, 1, 10, 100, 1000, 10000)
KINDS = ("body", "subject", "from", "header")
SYLLABLES = ("ba be bi bo bu ca ce co da de di do fa fi ga ge go ha he in ka la le li lo ma me mi mo na ne no on or pa "
             "pe po ra re ri "
             "ro sa se si so ta te ti to un va ve vi wa we tion ment ing ter con pre pro st th er al ed es").split()

HEADER = """\
Return-Path: <alice@sender.example>
Received: from out.sender.example (out.sender.example [192.0.2.10])
\tby mx.perf.test (Postfix) with ESMTPS id 4XyZ1234
\tfor <bob@perf.test>; Mon, 23 Nov 2026 15:00:00 +0000 (UTC)
Date: Mon, 23 Nov 2026 14:59:58 +0000
From: Alice Example <alice@sender.example>
To: Bob Test <bob@perf.test>, Carol <carol@perf.test>
Cc: Dave <dave@other.example>
Subject: Re: quarterly planning notes and budget figures for the review
Message-ID: <20261123145958.1234@sender.example>
In-Reply-To: <20261122111111.9999@perf.test>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Mailer: ExampleMailer 1.0
List-Id: <team.sender.example>

"""
MATCH = "zzmatchzz"  # stands in every message, in no other rule


def word(least=1, most=4):
    return "".join(random.choice(SYLLABLES) for _ in range(random.randint(least, most)))


def body(size, vocabulary, weights):
    lines, line, total = [], "", 0
    for w in random.choices(vocabulary, weights, k=size // 3):
        if random.random() < .03:
            w = str(random.randint(1, 99999))
        if random.random() < .08:
            w = w.capitalize()
        if random.random() < .07:
            w += random.choice(".,;:")
        if len(line) + len(w) + 1 > 74:
            lines.append(line)
            total += len(line) + 1
            line = ""
            if total >= size:
                break
        line += (" " if line else "") + w
    return "\n".join(lines)


def message(size, vocabulary, weights):
    text = body(size - len(HEADER) - 40, vocabulary, weights)
    return HEADER + text[:size - len(HEADER) - 30].rsplit("\n", 1)[0] + f"\nend marker {MATCH}-12345 here\n"


class Rules:
    """Makes rules: (kind, payload); words that stand in no message and in no other rule."""

    def __init__(self, texts):
        self.texts = texts
        self.used = set()

    def fresh(self):
        while True:
            w = word(3, 4)
            if 7 <= len(w) <= 14 and w not in self.texts and w not in self.used:
                self.used.add(w)
                return w

    def rule(self, kind, holds):
        if kind == "body":
            return MATCH if holds else self.fresh()
        if kind == "subject":
            return [self.fresh() for _ in range(4)] + ["budget figures" if holds else self.fresh()]
        if kind == "from":
            return "sender.example" if holds else self.fresh() + ".example"
        return "X-Mailer" if holds else "X-" + self.fresh().capitalize()

    def mixed(self, n):
        self.used.clear()
        kinds = [KINDS[(n - 1 - i) % len(KINDS)] for i in range(n)]
        return [(k, self.rule(k, i == n - 1)) for i, k in enumerate(kinds)]


def quoted(s):
    return '"' + s.replace("\\", "\\\\").replace('"', '\\"') + '"'


def sluice(rules):
    tests = {"body": lambda p: f"body matches /\\b{p}[- ]?\\d{{3,6}}\\b/",
             "subject": lambda p: f"subject contains any of ({', '.join(map(quoted, p))})",
             "from": lambda p: f"from.domain is {quoted(p)}",
             "header": lambda p: f"header {quoted(p)} is present"}
    return {"sluice": "".join(f'rule "r{i}" when {tests[k](p)} then log "r{i}"\n' for i, (k, p) in enumerate(rules))}


def pigeonhole(rules):
    tests = {"body": lambda p: f'body :text :regex {quoted(p + "[- ]?[0-9]{3,6}")}',
             "subject": lambda p: f'header :contains "subject" [{", ".join(map(quoted, p))}]',
             "from": lambda p: f'address :domain :is "from" {quoted(p)}',
             "header": lambda p: f"exists {quoted(p)}"}
    return {"sieve": 'require ["body","regex","imap4flags"];\n' +
                     "".join(f'if {tests[k](p)} {{ addflag "r{i}"; }}\n' for i, (k, p) in enumerate(rules)) + "keep;\n"}


def postfix(rules):
    header, content = [], []
    for i, (k, p) in enumerate(rules):
        if k == "body":
            content.append(f"/\\b{p}[- ]?\\d{{3,6}}\\b/ WARN r{i}\n")
        elif k == "subject":
            header.append(f"/^Subject:.*({'|'.join(p)})/ WARN r{i}\n")
        elif k == "from":
            header.append(f"/^From:.*@{p.replace('.', chr(92) + '.')}>/ WARN r{i}\n")
        else:
            header.append(f"/^{p}:/ WARN r{i}\n")
    return {"hc": "".join(header), "bc": "".join(content)}


def rspamd(rules):
    tests = {"body": lambda p: f"/\\\\b{p}[- ]?\\\\d{{3,6}}\\\\b/i{{sa_raw_body}}",
             "subject": lambda p: f"Subject=/{'|'.join(p)}/i{{header}}",
             "from": lambda p: f"From=/@{p.replace('.', chr(92) * 2 + '.')}>/i{{header}}",
             "header": lambda p: f"header_exists({p})"}
    lines = [f"reconf['R{i}']={{re='{tests[k](p)}',score=0.01,description='r',group='t'}}\n" for i,
             (k, p) in enumerate(rules)]
    return {"lua": "local reconf = config['regexp']\n" + "".join(lines)}


def main(directory):
    random.seed(7)
    os.makedirs(directory, exist_ok=True)
    vocabulary = sorted({word() for _ in range(6000)})
    random.shuffle(vocabulary)
    weights = [1 / (i + 1) ** 0.9 for i in range(len(vocabulary))]
    texts = {name: message(size, vocabulary, weights) for name, size in SIZES}
    for name, text in texts.items():
        with open(f"{directory}/m{name}.eml", "w", encoding="utf-8") as f:
            f.write(text)
    maker = Rules("".join(texts.values()).lower())
    for n in COUNTS:
        rules = maker.mixed(n)
        for write in (sluice, pigeonhole, postfix, rspamd):
            for suffix, text in write(rules).items():
                with open(f"{directory}/mixed.{n}.{suffix}", "w", encoding="utf-8") as f:
                    f.write(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
