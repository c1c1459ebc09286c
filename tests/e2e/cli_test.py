#!/usr/bin/python3
"""The offline commands: exit statuses, both output forms, and bad input of every kind."""
import json
import re
import os
import pathlib
import socket
import subprocess
import tempfile

from relay import PATIENCE, ROOT, SLUICE, SLUICED, Skip, equal, main, test

EXAMPLES = ROOT / "examples"
FOLDER = tempfile.TemporaryDirectory(prefix="sluice-cli-")


def sluice(*arguments, **more):
    return subprocess.run([str(SLUICE), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, **more)


def write(name, content):
    path = pathlib.Path(FOLDER.name) / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def judge(rules, mail, *arguments):
    done = sluice("judge", rules, mail, "--from", "alice@corp.example", *arguments, "--json")
    equal(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)


@test
def check_statuses():
    """check: 0 for a good file, 65 with errors, 66 without the file, 64 for a wrong call"""
    equal(sluice("check", EXAMPLES / "relay.sluice").returncode, 0)
    bad = sluice("check", write("bad.sluice", 'when subjekt contains "x" then drop\n'))
    equal(bad.returncode, 65)
    assert "bad.sluice:1:6: error E2" in bad.stdout and "subject" in bad.stdout and "^~~~~~~" in bad.stdout, bad.stdout
    equal(sluice("check", "/no/such/file").returncode, 66)
    equal(sluice("check").returncode, 64)
    equal(sluice("chekc").returncode, 64)
    equal(sluice("check", "--nonsense", "x").returncode, 64)


@test
def check_what_a_relay_refuses():
    """check: 65 for rules that a relay refuses to load, allowed or not, compiled too; 0 when they are off; as sluiced
    --check says"""
    uses = 'when spf is fail then drop\n'
    for text, statuses in ((f'rule "x" {uses}', (65, 78)), (f'# allow W317 because "later"\nrule "x" {uses}', (65, 78)),
                           (f'rule "x" mode off {uses}', (0, 0)),
                           (f'define forged as spf is fail\nrule "x" when forged then drop\n', (65, 78)),
                           (f'define forged as spf is fail\nrule "x" mode off when forged then drop\n', (0, 0))):
        file = write("declared.sluice", 'relay hostname "mx.corp.example"\nlistener "in" address "127.0.0.1:2525"\n'
                     + 'connector "default" host "127.0.0.1" port 2526\n' + text)
        done = sluice("check", file)
        judged = subprocess.run([SLUICED, "-c", file, "--check"], capture_output=True, text=True)
        equal((done.returncode, judged.returncode), statuses, text + done.stdout + judged.stderr)
        refused = 'the rule "x" uses `spf`, which needs answers from DNS'
        equal((refused in done.stdout, refused in judged.stderr), (statuses[0] != 0,) * 2, done.stdout)
        json_form = sluice("check", "--format", "json", file)
        equal((json_form.returncode, refused in json_form.stderr), (statuses[0], statuses[0] != 0))
        assert all(json.loads(line) for line in json_form.stdout.splitlines())
        compiled = file.with_suffix(".sluicec")
        equal(sluice("build", file, "-o", compiled).returncode, 0)
        equal(sluice("check", compiled).returncode, statuses[0])


@test
def check_an_imported_file():
    """check of a file that another imports: the names it lacks are told, and who has them"""
    folder = pathlib.Path(FOLDER.name) / "imports"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "part.sluice").write_text("when recipient.domain is in partners then require_tls\n")
    (folder / "whole.sluice").write_text('import "sub/part.sluice"\nlist partners of domain = "a.example"\n')
    (folder / "other.sluice").write_text(
        'list partners of domain = "a.example"\nwhen sender.domain is in partners then log "x"\n')
    note = ("note: {0}whole.sluice imports this file and may hold the names it does not know: "
            "sluice check {0}whole.sluice\n")
    for name, where, prefix in (("sub/part.sluice", folder, ""), ("part.sluice", folder / "sub", "../"),
                                (str(folder / "sub/part.sluice"), "/", f"{folder}/")):
        got = sluice("check", name, cwd=where)
        equal(got.returncode, 65)
        assert "there is no list `partners`" in got.stdout and note.format(prefix) in got.stdout, got.stdout
        assert "other.sluice" not in got.stdout, got.stdout
    equal(sluice("check", folder / "whole.sluice").returncode, 0)
    rows = sluice("check", "--format", "json", folder / "sub/part.sluice").stdout.splitlines()
    equal([json.loads(row)["code"] for row in rows], ["E200"])


@test
def judge_at_a_time():
    """judge --date and --time: the clock that rules see, in the machine's zone"""
    rules = write("clock.sluice", 'rule "night" when time is between 22:00 and 06:00 then log "x"\n'
                                  'rule "tuesday" when weekday is tuesday then log "x"\n'
                                  'rule "day" when date is 2026-09-01 then log "x"\n'
                                  'rule "expired" expires 2026-09-01 when always then log "x"\n')

    def applied(*arguments, zone="UTC"):
        done = sluice("judge", rules, EXAMPLES / "mail" / "secret.eml", "--from", "a@corp.example", "--to",
                      "b@x.example", "--json",
                      *arguments, env={**os.environ, "TZ": zone})
        equal(done.returncode, 0, done.stderr)
        return {row["rule"] for row in json.loads(done.stdout)["rules"] if row.get("answer") == "yes"}
    equal(applied("--date", "2026-09-01T23:30"), {"night", "tuesday", "day"})
    equal(applied("--date", "2026-09-01", "--time", "05:59", zone="America/New_York"), {"night", "tuesday", "day"})
    equal(applied("--date", "2026-08-31", "--time", "12:00"), {"expired"})
    equal(applied("--date", "2026-08-31T12:00", "--time", "23:00"), {"night", "expired"})
    for bad in (["--date", "2026-02-30"], ["--date", "yesterday"], ["--time", "25:00"], ["--date", "2026-09-01T9"],
                ["--time", "9"]):
        equal(sluice("judge", rules, EXAMPLES / "mail" / "secret.eml", "--from", "", "--to", "b@x.example",
                     *bad).returncode, 64)


@test
def check_json():
    """check --format json: one record a line, with code, place and fix"""
    rows = [json.loads(line) for line in sluice("check", "--format", "json", write(
        "two.sluice", 'when subjekt contains "x" then drop\nwhen size is over "big" then drop\n')).stdout.splitlines()]
    codes = [row["code"] for row in rows if row["severity"] == "error"]
    assert len(codes) >= 2 and all(code.startswith("E") for code in codes), rows
    equal(rows[0]["line"], 1)
    known = sluice("explain", codes[0])
    equal(known.returncode, 0)
    assert codes[0] in known.stdout


@test
def words():
    """explain, detectors, library: every field, action, option and detector is explained; a near miss is offered; std/
    is readable"""
    names = [json.loads(line) for command in ("fields", "actions", "detectors") for line in
             sluice(command, "--json").stdout.splitlines()]
    assert len(names) > 140, len(names)
    for row in names:
        word = row.get("field") or row.get("action") or row["detector"]
        said = sluice("explain", word)
        equal((word, said.returncode), (word, 0))
        assert word in said.stdout and "e.g." in said.stdout, said.stdout
    for word in ("mode", "on_unreadable", "connector", "relay_for", "from.name"):
        equal(sluice("explain", word).returncode, 0)
    for keyword, said in {"when": "condition of a rule", "WHERE": "one and the same", "contains": "anywhere"}.items():
        got = sluice("explain", keyword)
        equal(got.returncode, 0)
        assert said in got.stdout and "e.g." in got.stdout, got.stdout
    assert "it is said `when`" in sluice("explain", "if").stdout
    wrong = sluice("explain", "recipiant")
    equal(wrong.returncode, 65)
    assert "`recipient`" in wrong.stderr, wrong.stderr
    library = sluice("library").stdout
    for name in re.findall(r"^(std/\w+): ", library, re.M):
        text = sluice("library", name)
        equal(text.returncode, 0)
        equal(sluice("check", write(name.replace("/", "_") + ".sluice", text.stdout)).returncode, 0)
    assert library.count("std/") >= 5
    equal(sluice("library", "std/nothing").returncode, 66)


@test
def bad_files():
    """invalid UTF-8, NUL, deep nesting, endless words: diagnostics, never a crash"""
    for name, content in {
        "utf8": b'when subject contains "\xff\xfe" then drop\n',
        "nul": b'when subject contains "a\0b" then drop\n',
        "nesting": b"when " + b"(" * (8 << 20),
        "nots": b"when " + b"not " * (2 << 20) + b"encrypted then drop",
        "quote": b'when subject contains "never closed\n' * 10,
        "words": b"frobnicate " * 100_000,
        "binary": bytes(range(256)) * 64,
        "empty-rule": b"when then",
        "list": b"list x of address = " + b'"@",' * 1000,
    }.items():
        done = sluice("check", write(name + ".sluice", content))
        equal(done.returncode, 65, f"{name}: {done.stdout[:300]} {done.stderr[:300]}")
        assert "error E" in done.stdout, (name, done.stdout[:300])
    equal(sluice("check", write("too-big.sluice", b"#" * ((8 << 20) + 1))).returncode, 65, "over 8 MiB")


@test
def build_and_dump():
    """build writes a program that dump reads as it reads the source; a damaged one is refused"""
    out = pathlib.Path(FOLDER.name) / "relay.sluicec"
    equal(sluice("build", EXAMPLES / "relay.sluice", "-o", out).returncode, 0)
    of_source, of_program = sluice("dump", EXAMPLES / "relay.sluice"), sluice("dump", out)
    equal(of_program.stdout, of_source.stdout)
    assert "require_tls" in of_program.stdout and "test" in of_program.stdout
    damaged = bytearray(out.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    refused = sluice("dump", write("damaged.sluicec", bytes(damaged)))
    equal(refused.returncode, 65)
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    equal(sluice("build", EXAMPLES / "relay.sluice", "-o", "/no/such/folder/x").returncode, 73)


@test
def no_such_configuration():
    """a configuration that cannot be read is named, once"""
    done = subprocess.run([SLUICED, "-c", "/no/such/relay.sluice"], capture_output=True, text=True, timeout=PATIENCE)
    equal((done.returncode, done.stderr), (78, "/no/such/relay.sluice: No such file or directory\n"))


@test
def a_socket_of_others():
    """who may not open the control socket is told so, not that no relay runs"""
    if os.geteuid() != 0:
        raise Skip("needs root, to be somebody else")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listen:
        path = f"{folder}/control.sock"
        listen.bind(path)
        listen.listen()
        os.chmod(folder, 0o755)
        os.chmod(path, 0o660)
        copy = pathlib.Path(folder, "sluice")
        copy.write_bytes(pathlib.Path(SLUICE).read_bytes())
        copy.chmod(0o755)
        done = subprocess.run([copy, "status", "--socket", path], user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, timeout=PATIENCE)
        equal((done.returncode, done.stderr),
              (77, f"sluice: {path} is for root, the relay's user and its group: Permission denied\n"))


@test
def nobody_behind_the_socket():
    """a socket that nobody serves: who asks is told that the relay does not answer, and gets the answer when it
    comes"""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listen:
        path = f"{folder}/control.sock"
        listen.bind(path)
        listen.listen()
        asked = subprocess.Popen([SLUICE, "status", "--socket", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)
        line = asked.stderr.readline()
        assert "no answer yet" in line, line
        peer, _ = listen.accept()
        with peer:
            peer.sendall(b'{"ok":true,"text":"late"}\n')
            out, _ = asked.communicate(timeout=30)
        equal((asked.returncode, out), (0, "late\n"))


@test
def judge_verdicts():
    """judge: the verdict per recipient, the rule, each test's value and where it matched"""
    secret = EXAMPLES / "mail" / "secret.eml"
    got = judge(EXAMPLES / "relay.sluice", secret, "--to", "bob@clear.example", "--to", "dave@corp.example")
    bob, dave = got["recipients"]["bob@clear.example"], got["recipients"]["dave@corp.example"]
    equal(bob["verdict"], "deliver")
    tls = next(a for a in bob["actions"] if a["action"] == "require_tls")
    equal((tls["level"], tls["rule"]), ("encrypt", "Top secret leaves only over TLS"))
    equal(dave["actions"], [])
    rule = next(r for r in got["rules"] if r["rule"] == "Top secret leaves only over TLS")
    subject = next(t for t in rule["tests"] if "subject" in t["test"])
    equal(subject["values"][0]["matched"], True)
    place = subject["values"][0]["place"]
    equal((place["match"], place["to"] - place["from"]), ("top secret", 10))
    assert got["facts"], "facts"
    payroll = judge(EXAMPLES / "relay.sluice", EXAMPLES / "mail" / "payroll.eml", "--to", "bob@clear.example")
    equal(payroll["recipients"]["bob@clear.example"]["verdict"], "reject")
    assert payroll["reply"].startswith("550 5.7.1 Payroll data"), payroll["reply"]


@test
def judge_without_a_listener():
    """judge: what a file of rules declares counts, though no relay could start from it"""
    rules = write("inside.sluice", 'list ours of domain = "corp.example"\nrelay hostname "r.example" internal ours\n'
                  'rule "out" when recipient.scope is outside then mark "out"\n')
    got = judge(rules, EXAMPLES / "mail" / "secret.eml", "--to", "bob@clear.example", "--to", "dave@corp.example")
    equal(got["rules"][0]["answer"], {"bob@clear.example": "yes", "dave@corp.example": "no"})


@test
def judge_audit():
    """judge: audit tells every action as not done, the mark too; audit_and_notify does log"""
    rules = write("audit.sluice", 'rule "a" mode audit when always then mark "m", drop\n'
                  'rule "n" mode audit_and_notify when marked "m" then log "seen", drop\n')
    bob = judge(rules, EXAMPLES / "mail" / "secret.eml", "--to", "bob@clear.example")["recipients"]["bob@clear.example"]
    equal(bob["verdict"], "deliver")
    equal([(a["action"], a.get("audit", False)) for a in bob["actions"]],
          [("mark", True), ("drop", True), ("log", False), ("drop", True)])


@test
def judge_text():
    """judge for people: rule, test, value and verdict can be read"""
    done = sluice("judge", EXAMPLES / "relay.sluice", EXAMPLES / "mail" / "secret.eml", "--from", "alice@corp.example",
                  "--to",
                  "bob@clear.example")
    equal(done.returncode, 0, done.stderr)
    for words in ("Top secret leaves only over TLS", "subject contains", "matched", "bob@clear.example: deliver",
                  "TLS required: encrypt"):
        assert words in done.stdout, (words, done.stdout)
    assert "\033" not in done.stdout, "colours only on a terminal"


@test
def judge_wrong_calls():
    """judge without an address, with a bad one, without a mail: one sentence each"""
    mail = EXAMPLES / "mail" / "plain.eml"
    for arguments, status in (((EXAMPLES / "relay.sluice", mail, "--to", "b@x.example"), 64),
                              ((EXAMPLES / "relay.sluice", mail, "--from", "a@x.example"), 64),
                              ((EXAMPLES / "relay.sluice", mail, "--from", "a@x.example", "--to", "not an address"),
                               64),
                              ((EXAMPLES / "relay.sluice", "/no/such.eml", "--from", "", "--to", "b@x.example"), 66)):
        done = sluice("judge", *arguments)
        equal(done.returncode, status, done.stderr)
        assert done.stderr.startswith("sluice"), done.stderr


@test
def vocabulary():
    """fields and actions print every row, with an example that compiles"""
    fields = [json.loads(line) for line in sluice("fields", "--json").stdout.splitlines()]
    assert {"subject", "recipient", "header", "marked"} <= {f["field"] for f in fields}
    actions = [json.loads(line) for line in sluice("actions", "--json").stdout.splitlines()]
    assert {"require_tls", "reject", "stop"} <= {a["action"] for a in actions}
    rules = ['connector "partners" host "mx.partner.example"']
    rules += [f'when {f["example"]} then mark "f{n}"' for n, f in enumerate(fields)]
    rules += [f'when size is over {n} MB then {a["example"]}' for n, a in enumerate(actions, 1)]
    done = sluice("check", write("vocabulary.sluice", "\n".join(rules) + "\n"))
    assert "\n0 errors, " in done.stdout, done.stdout
    equal(done.returncode, 65, "some are declared only (W317)")


@test
def settings():
    """settings lists every declaration's settings with their defaults"""
    rows = [json.loads(line) for line in sluice("settings", "--json").stdout.splitlines()]
    found = {(row["declaration"], row["setting"]): row for row in rows}
    equal(found["connector", "port"]["default"], "25")
    equal(found["relay", "hostname"]["required"], True)
    assert ("listener", "certificate") in found and "relay_for" in sluice("settings").stdout


@test
def no_relay():
    """control commands without a relay: 69 and one sentence that names the socket"""
    for command in (["status"], ["queue"], ["rules"], ["reload"], ["queue", "release", "X"]):
        done = sluice(*command, "--socket", "/no/such.sock")
        equal(done.returncode, 69, done.stderr)
        assert "/no/such.sock" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    done = sluice("status", env={**os.environ, "SLUICE_SOCKET": "/other.sock"})
    assert "/other.sock" in done.stderr


@test
def rule_tests():
    """test: TAP with expected beside actual, coverage, JSON; 0, 1 when one fails, 65 with errors, 66 without the
    file"""
    rules = ('rule "a" when subject contains "x" then require_tls\n'
             'rule "b" when subject contains "never" then drop\n'
             'test "good" given subject "x" expect require_tls\n'
             'test "bad" given subject "x", recipient "b@partner.example" expect drop\n')
    done = sluice("test", write("tested.sluice", rules))
    equal(done.returncode, 1)
    for words in ("1..2\nok 1 - good\nnot ok 2 - bad\n", "tested.sluice:4:6", "#   for b@partner.example\n",
                  "#     expected: drop\n#     actual:   require_tls\n", "b: no test where it applies",
                  "# 0 of 2 rules seen to apply and not to apply\n1 passed, 1 failed\n"):
        assert words in done.stdout, done.stdout
    rows = [json.loads(line) for line in sluice("test", "--json", write("tested.sluice", rules)).stdout.splitlines()]
    equal([row.get("passed") for row in rows], [True, False, None, None, 1])
    equal(rows[1]["recipients"], [{"recipient": "b@partner.example", "expected": "drop", "actual": "require_tls",
                                   "passed": False}])
    equal((rows[2]["rule"], rows[2]["yes"], rows[2]["no"]), ("a", 2, 0))
    compiled = pathlib.Path(FOLDER.name) / "tested.sluicec"
    equal(sluice("build", write("tested.sluice", rules), "-o", compiled).returncode, 0)
    equal(sluice("test", compiled).stdout, done.stdout, "a compiled program carries its tests")
    equal(sluice("test", write("untested.sluice", 'when subject is "x" then drop\n')).returncode, 0)
    equal(sluice("test", write("bad.sluice", 'test "x" given sendr "a@b.example" expect nothing\n')).returncode, 65)
    equal(sluice("test", "/no/such/file").returncode, 66)


if __name__ == "__main__":
    main()
