#!/usr/bin/python3
"""net/dns against a real name server: knot serves zones on loopback, plain, signed and wrongly signed."""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

import knot  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release"))
PATIENCE = 60

ZONES = {
    "plain.test": "@ MX 10 mx\n@ MX 20 MX2.Other.test.\nmx A 192.0.2.1\nmx A 192.0.2.2\nmx AAAA 2001:db8::1\n"
                  "null MX 0 .\nnone TXT x\nalias CNAME mx\nhop CNAME alias\nround CNAME trip\ntrip CNAME round\n"
                  + "".join(f"many MX {n} mx{n}\n" for n in range(300)),
    "signed.test": "@ MX 10 mx\nmx A 192.0.2.3\n",
    "bogus.test": "@ MX 10 mx\nmx A 192.0.2.4\n",
}

# Question, and what must be answered: status, security, canonical name, records.
CASES = [
    ("MX plain.test", "FOUND insecure -", {"10:mx.plain.test", "20:mx2.other.test"}),
    ("A mx.plain.test", "FOUND insecure -", {"192.0.2.1", "192.0.2.2"}),
    ("AAAA mx.plain.test", "FOUND insecure -", {"2001:db8::1"}),
    ("MX null.plain.test", "FOUND insecure -", {"0:"}),
    ("MX none.plain.test", "NO_DATA insecure -", set()),
    ("MX nowhere.plain.test", "NO_DOMAIN insecure -", set()),
    ("A alias.plain.test", "FOUND insecure mx.plain.test", {"192.0.2.1", "192.0.2.2"}),
    ("A hop.plain.test", "FOUND insecure mx.plain.test", {"192.0.2.1", "192.0.2.2"}),
    ("A round.plain.test", "FAILED insecure -", set()),
    ("MX many.plain.test", "FOUND insecure -", 100),
    ("MX unserved.test", "FAILED insecure -", set()),
    ("MX signed.test", "FOUND secure -", {"10:mx.signed.test"}),
    ("A mx.signed.test", "FOUND secure -", {"192.0.2.3"}),
    ("A signed.test", "NO_DATA secure -", set()),
    ("A nowhere.signed.test", "NO_DOMAIN secure -", set()),
    ("MX bogus.test", "BOGUS insecure -", set()),
    ("A mx.bogus.test", "BOGUS insecure -", set()),
    ("A nowhere.bogus.test", "BOGUS insecure -", set()),
    ("A not..a.name", "NO_DOMAIN insecure -", set()),
    ("A with blank", "NO_DOMAIN insecure -", set()),
]


def anchors(folder, server):
    """The signed zone's DS as it is, the bogus zone's with its digest changed."""
    lines = []
    for name in ("signed.test", "bogus.test"):
        tag, algorithm, kind, digest = server.ds(name)
        if name == "bogus.test":
            digest = digest[:-1] + ("0" if digest[-1] != "0" else "1")
        lines.append(f"{name}. IN DS {tag} {algorithm} {kind} {digest}")
    path = folder / "anchors"
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(port, anchor):
    text = f"127.0.0.1@{port} {anchor}\n" + "".join(q + "\n" for q, _, _ in CASES)
    done = subprocess.run([BUILD / "oracle/dns_driver"], input=text, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise SystemExit(f"dns_driver: {done.stderr}")
    return done.stdout.splitlines()


def main():
    print(f"1..{len(CASES)}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with knot.serving(folder, ZONES, signed=("signed.test", "bogus.test")) as server:
            answers = ask(server.port, anchors(folder, server))
    failed = len(answers) != len(CASES)
    for n, ((question, head, records), answer) in enumerate(zip(CASES, answers), 1):
        got_head, _, got = answer.rpartition(" ")
        found = set(filter(None, got.split(",")))
        good = got_head == head and (len(found) == records if isinstance(records, int) else found == records)
        failed |= not good
        print(f"{'ok' if good else 'not ok'} {n} - {question}" + ("" if good else f"\n# got: {answer}"))
    return failed


if __name__ == "__main__":
    knot.or_skip(__file__)
    sys.exit(main())
