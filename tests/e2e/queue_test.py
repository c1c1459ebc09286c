#!/usr/bin/python3
"""The queue under an operator's hands: each command, by id and by filter, over restarts; backup; export and import."""
import hashlib
import json
import os
import pathlib
import socket
import tempfile
import threading
import time

from relay import PATIENCE, Relay, Sink, equal, free_port, main, test, wait_until

DEAD = int(os.environ.get("SLUICE_DEAD_MESSAGES", 2000))  # make torture: 50,000
HOLD = 'rule "keep" when subject contains "hold" then hold reason "to be looked at"'
TLS = 'rule "secrets" when subject contains "secret" then require_tls verified'
RETRY = "retry first 1 second longest 1 minute until 5 days"


def refused():
    """A connector to a port where nobody listens."""
    return {"default": f'host "127.0.0.1" port {free_port()}'}


def ids(rows):
    return {row["queue_id"] for row in rows}


def queue(relay, *arguments):
    return [json.loads(line) for line in relay.sluice("queue", "list", "--json", *arguments).stdout.splitlines()]


def deferred(relay, count):
    return wait_until(lambda: (rows := relay.queue()) and len(rows) == count and
                      all(r.get("attempts") for row in rows for r in row["recipients"]) and rows,
                      f"{count} tried and deferred")


# --- commands ---------------------------------------------------------------------------------------------------------
@test
def listing():
    """list and show: every filter takes its part; a bad one is one sentence"""
    with Relay(HOLD + "\n" + TLS, connectors=refused()) as relay:
        relay.send("hold this", to=("one@held.example",))
        relay.send("plain", sender="b@corp.example", to=("two@x.example", "three@sub.x.example"))
        relay.send("secret", to=("four@y.example",), body="x" * 5000 + "\r\n")
        wait_until(lambda: len([r for row in relay.queue() for r in row["recipients"] if r["attempts"]]) == 3,
                   "three tried")
        cases = {("--sender", "b@corp.example"): 1, ("--sender", "*@corp.example"): 3, ("--recipient", "t*@*"): 1,
                 ("--domain", "x.example"): 1, ("--domain", "*.x.example"): 1, ("--rule", "keep"): 1,
                 ("--rule", "secrets"): 1,
                 ("--connector", "default"): 3, ("--connector", "other"): 0, ("--state", "held"): 1,
                 ("--state", "queued,held"): 3, ("--older", "1h"): 0, ("--newer", "1h"): 3, ("--larger", "4K"): 1,
                 ("--smaller", "4K"): 2, ("--reason", "refused"): 2, ("--reason", "LOOKED at"): 1,
                 ("--state", "held", "--domain", "x.example"): 0}
        for arguments, count in cases.items():
            equal(len(queue(relay, *arguments)), count, arguments)
        equal([r["address"] for row in queue(relay, "--domain", "*.x.example") for r in row["recipients"]],
              ["three@sub.x.example"])
        one = queue(relay, "--rule", "keep")[0]
        shown = relay.sluice("queue", "show", one["queue_id"]).stdout
        assert "one@held.example  held" in shown and "to be looked at" in shown, shown
        for bad in (("list", "--state", "lost"), ("list", "--older", "soon"), ("hold",), ("show",), ("redirect", "X"),
                    ("resume", "x"), ("frobnicate",), ("suspend", "--domain", "x"), ("remove", "--larger", "much")):
            done = relay.sluice("queue", *bad, check=False)
            assert done.returncode == 64 and done.stderr.strip(), (bad, done)
        done = relay.sluice("queue", "show", "NOSUCHMESSAGE", check=False)
        equal(done.returncode, 66)


@test
def why():
    """why: what it waits for, who demanded what, the last answer, next try and end"""
    with Relay(HOLD + "\n" + TLS, connectors=refused(), retry="retry first 1 hour until 5 days") as relay:
        relay.send("secret", to=("b@partner.example",))
        row = deferred(relay, 1)[0]
        text = relay.sluice("why", row["queue_id"]).stdout
        for words in ("from <a@corp.example>", "b@partner.example  queued", "waits for      the next attempt",
                      "TLS demanded   verified",
                      "by rule        secrets", "routed by      default", "last answer    4.4.1", "next try",
                      "returned after", "attempts"):
            assert words in text, (words, text)
        relay.send("hold", to=("c@partner.example",))
        held = queue(relay, "--state", "held")[0]["queue_id"]
        text = relay.sluice("why", held).stdout
        assert "waits for      a release by hand" in text and "held by rule   keep" in text, text
        equal(relay.sluice("why", "NOSUCH", check=False).returncode, 66)
        rows = [json.loads(line) for line in relay.sluice("why", held, "--json").stdout.splitlines()]
        equal(rows[0]["recipients"][0]["waits_for"], "a release by hand")


EVIDENCE = """
list vips of address in table "vips"
rule "named" when any to where (to.domain is "partner.example") then log "seen"
rule "cards" on_unreadable skip when body contains credit_card_number and not sender is in vips then hold reason "cards"
"""


@test
def evidence():
    """why: which rules acted and on what evidence, and which revision of which list; over a restart, export and import;
    gone with it"""
    with tempfile.TemporaryDirectory() as folder, Relay(EVIDENCE, connectors=refused()) as relay:
        folder = pathlib.Path(folder) / "mail"
        relay.sluice("list", "add", "vips", "x@corp.example")
        relay.sluice("list", "add", "vips", "y@corp.example")
        relay.send("invoice", to=("b@partner.example",), body="pay with 4111 1111 1111 1111 please\r\n")
        held = queue(relay, "--state", "held")[0]["queue_id"]
        relay.stop()
        relay.start()
        text = relay.sluice("why", held).stdout
        for words in ("rules that acted\n    named\n      to.domain is \"partner.example\"\n        to.domain: "
                      "\"partner.example\"\n"
                      "    cards\n      body contains credit_card_number\n        body, at 9: \"**** **** **** "
                      "1111\"\n",
                      "live lists as they were\n    vips: revision 2\n"):
            assert words in text, (words, text)
        assert "4111" not in text
        row = json.loads(relay.sluice("why", held, "--json").stdout.splitlines()[0])
        equal(row["evidence"][1],
              {"rule": "cards", "test": "body contains credit_card_number", "field": "body", "from": 9,
                                   "to": 28, "answer": "holds", "text": "**** **** **** 1111"})
        equal(row["lists"], [{"list": "vips", "revision": 2}])
        relay.sluice("queue", "export", folder)
        with Relay("", connectors=refused()) as other:
            other.sluice("queue", "import", folder)
            there = json.loads(other.sluice("why", held, "--json").stdout.splitlines()[0])
            equal((there["evidence"], there["lists"]), (row["evidence"], row["lists"]))
        relay.sluice("queue", "remove", held, "--because", "paid")
        text = relay.sluice("why", held).stdout
        assert "removed" in text and "paid" in text and "cards" not in text, text


@test
def evidence_policy():
    """relay evidence: the place without what was found there, or nothing"""
    for policy, wanted in (("place",
                            {"rule": "cards", "test": "body contains credit_card_number", "field": "body", "from": 9,
                                      "to": 28, "answer": "holds"}), ("off", None)):
        with Relay(EVIDENCE, connectors=refused(), relay="evidence " + policy) as relay:
            relay.send("invoice", to=("b@other.example",), body="pay with 4111 1111 1111 1111 please\r\n")
            row = json.loads(relay.sluice("why", queue(relay, "--state", "held")[0]["queue_id"],
                                          "--json").stdout.splitlines()[0])
            equal(row.get("evidence"), [wanted] if wanted else None)


@test
def hold_release_retry():
    """hold stops mail over a restart, release and retry send it now; --dry-run only tells"""
    dead = free_port()
    with Sink() as sink, Relay("when always then log \"x\"", connectors={"default": f'host "127.0.0.1" port {dead}'},
                               retry="retry first 1 hour until 5 days") as relay:
        for n in range(3):
            relay.send(f"m{n}", to=(f"b{n}@partner.example",))
        deferred(relay, 3)
        told = relay.sluice("queue", "hold", "--domain", "partner.example", "--dry-run").stdout
        assert "3 recipients of 3 messages would be held" in told, told
        equal(len(queue(relay, "--state", "held")), 0)
        told = relay.sluice("queue", "hold", "--recipient", "b0@*", "--because", "ticket 5").stdout
        assert told.startswith("1 recipient of 1 message held"), told
        relay.stop()
        relay.config.write_text(relay.config.read_text().replace(f"port {dead}", f"port {sink.port}"))
        relay.start()
        equal([r["delay_reason"] for row in queue(relay, "--state", "held") for r in row["recipients"]], ["ticket 5"])
        equal(len(sink.messages), 0)
        told = relay.sluice("queue", "retry", "--all", "--dry-run").stdout
        assert "2 recipients of 3 messages would be tried now; 1 held or set aside (release lets them go)" in told, told
        relay.sluice("queue", "retry", "--all")
        sink.wait(2)
        wait_until(lambda: len(relay.queue()) == 1, "the two are gone")
        relay.sluice("queue", "release", relay.queue()[0]["queue_id"])
        sink.wait(3)
        wait_until(lambda: not relay.queue(), "an empty queue")
        status = json.loads(relay.sluice("status", "--json").stdout)
        equal((status["messages"], status["queued"], status["held"], status["damaged"]), (0, 0, 0, 0))


@test
def remove_redirect():
    """remove leaves an audit row and no report; redirect keeps the demand for TLS and the first address"""
    with Sink() as sink, Relay(HOLD + "\n" + TLS, sink) as relay:
        relay.send("hold a", to=("gone@x.example", "stays@x.example"))
        relay.send("hold secret", to=("old@x.example",))
        first, second = relay.queue()
        relay.sluice("queue", "remove", first["queue_id"], "--because", "spam")
        equal(ids(relay.queue()), {second["queue_id"]})
        gone = relay.sluice("why", first["queue_id"]).stdout
        assert "now ago" not in gone, gone
        gone = [json.loads(line) for line in relay.sluice("why", first["queue_id"], "--json").stdout.splitlines()]
        equal({(r["what"], r["recipient"]) for r in gone},
              {("removed", "gone@x.example"), ("removed", "stays@x.example")})
        by_me = f"by uid {os.getuid()}"
        equal({r["text"] for r in gone}, {f"spam, {by_me}"})
        said = f'what="queue remove" uid={os.getuid()} text=spam answer="2 recipients of 1 message removed"'
        wait_until(lambda: any(f"{first['queue_id']}: event=command {said}" in line for line in relay.log),
                   "who removed what and why, in the log")
        relay.sluice("queue", "redirect", second["queue_id"], "--to", "new@y.example")
        row = wait_until(lambda: (r := relay.queue()) and "4.7" in r[0]["recipients"][0].get("delay_reason", "") and r,
                         "it waits for TLS")[0]
        rcpt = row["recipients"][0]
        equal((rcpt["address"], rcpt["tls"], rcpt["orcpt"]), ("new@y.example", "verified", "rfc822;old@x.example"))
        equal(len(sink.messages), 0)
        rows = [json.loads(line) for line in relay.sluice("why", second["queue_id"], "--json").stdout.splitlines()]
        assert any(r.get("what") == "redirected" and r.get("text") == f"new@y.example, {by_me}" for r in rows), rows
        relay.sluice("queue", "release", second["queue_id"])
        told = relay.sluice("why", second["queue_id"]).stdout
        assert f"what           released\n    recipient      new@y.example\n    text           {by_me}\n" in told, told
        done = relay.sluice("queue", "redirect", second["queue_id"], "--to", "no address", check=False)
        equal(done.returncode, 64)


@test
def suspensions():
    """suspend keeps mail of a connector back over a restart, tells why, ends by itself or by resume; other mail goes"""
    with Sink() as sink, Sink() as side:
        connectors = {"default": f'host "127.0.0.1" port {sink.port}',
                      "side": f'host "127.0.0.1" port {side.port} domains sides'}
        with Relay('list sides of domain = "side.example"', connectors=connectors) as relay:
            relay.sluice("queue", "suspend", "--connector", "side", "--reason", "their maintenance")
            said = f'what="queue suspend" uid={os.getuid()} text="their maintenance" connector=side ' \
                'answer="suspension 1'
            wait_until(lambda: any(f"event=command {said}" in line for line in relay.log), "who suspends what")
            relay.send("to side", to=("x@side.example",))
            relay.send("to all", to=("x@other.example",))
            sink.wait(1)
            row = wait_until(lambda: queue(relay, "--connector", "side"), "it waits")[0]
            equal(row["recipients"][0]["waits_for"], "suspension 1: their maintenance")
            equal(row["recipients"][0]["attempts"], 0)
            relay.stop()
            relay.start()
            listed = wait_until(lambda: "1 wait" in (text := relay.sluice("queue", "suspensions").stdout) and text,
                                "one waits again")
            assert "connector side: their maintenance" in listed, listed
            equal(len(side.messages), 0)
            relay.sluice("queue", "suspend", "--sender", "never@x.example", "--reason", "short", "--for", "1s")
            wait_until(lambda: "short" not in relay.sluice("queue", "suspensions").stdout,
                       "the short one ends by itself")
            equal(relay.sluice("queue", "resume", "99", check=False).returncode, 66)
            relay.sluice("queue", "resume", "1")
            side.wait(1)
            wait_until(lambda: not relay.queue(), "an empty queue")


# --- one destination is not another's ---------------------------------------------------------------------------------
@test
def dead_host():
    """thousands of messages to a host that swallows connections keep none to a live one waiting"""
    silent = socket.create_server(("127.0.0.1", 0), backlog=128)  # accepts in the kernel, and never greets
    with silent, Sink() as sink:
        connectors = {"default": f'host "127.0.0.1" port {sink.port}',
                      "dead": f'host "127.0.0.1" port {silent.getsockname()[1]} domains deads'}
        with Relay('list deads of domain = "dead.example"', connectors=connectors) as relay:
            def many(count, domain):
                with relay.smtp() as client:
                    client.ehlo("client.test")
                    for n in range(count):
                        client.sendmail("a@corp.example", [f"u{n}@{domain}"], "Subject: x\r\n\r\nbody\r\n")
            senders = [threading.Thread(target=many, args=(DEAD // 4, "dead.example")) for _ in range(4)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            begin = time.monotonic()
            many(100, "live.example")
            sink.wait(100, 30)
            print(f"# 100 behind {DEAD} in {time.monotonic() - begin:.2f} s")
            relay.sluice("queue", "remove", "--domain", "dead.example", "--state", "queued")
            left = json.loads(relay.sluice("status", "--json").stdout)["messages"]
            assert left == 0, left


@test
def put_off():
    """deliver_after: why says so; retry passes it over and tells; release sends it and tells"""
    with Sink() as sink, Relay('rule "later" when subject contains "later" then deliver_after 2 hours', sink) as relay:
        relay.send("later")
        row = wait_until(relay.queue, "the message")[0]
        equal(row["recipients"][0]["waits_for"], "the hour that a rule's deliver_after set")
        assert "deliver_after" in relay.sluice("why", row["queue_id"]).stdout
        told = relay.sluice("queue", "retry", "--all", "--dry-run").stdout
        assert "0 recipients" in told and "1 waits for the hour" in told, told
        told = relay.sluice("queue", "retry", "--all").stdout
        assert "0 recipients" in told and "1 waits for the hour that deliver_after set" in told, told
        equal(relay.queue()[0]["recipients"][0]["next_try"], row["recipients"][0]["next_try"])
        told = relay.sluice("queue", "release", row["queue_id"]).stdout
        assert "1 recipient" in told and "1 of them before the hour that deliver_after set" in told, told
        sink.wait()


@test
def what_is_suspended():
    """a suspension names a connector that there is, its end has a unit, and its number is used once"""
    with Sink() as sink, Relay("", sink) as relay:
        done = relay.sluice("queue", "suspend", "--connector", "defualt", "--reason", "x", check=False)
        assert done.returncode and 'no connector is called "defualt"; there are: default' in done.stderr, done
        done = relay.sluice("queue", "suspend", "--connector", "default", "--reason", "x", "--for", "2", check=False)
        assert done.returncode == 64 and "90m" in done.stderr, done
        numbers = []
        for _ in range(3):
            told = relay.sluice("queue", "suspend", "--connector", "def*", "--reason", "x", "--for", "2h").stdout
            numbers.append(told.split()[1].rstrip(":"))
            relay.sluice("queue", "resume", numbers[-1])
        equal(numbers, ["1", "2", "3"])
        relay.stop()
        relay.start()
        assert relay.sluice("queue", "suspend", "--connector", "default", "--reason",
                            "x").stdout.startswith("suspension 4")


@test
def who_is_meant():
    """the log: an audit event names each recipient; a report and a notice name the message that they are about"""
    rules = ('rule "watch" mode audit when subject contains "watched" then quarantine\n'
             'rule "tell" when subject contains "told" then notify "boss@corp.example" text "look"\n')
    with Sink(reply="550 5.7.1 no") as sink, Relay(rules, sink) as relay:
        relay.send("watched", to=("b@partner.example", "c@partner.example"))
        relay.send("told")

        def lines(*words):
            return [line for line in relay.log if all(word in line for word in words)]
        wait_until(lambda: len(lines("event=queued", "about=")) >= 3, "two reports and a notice")
        equal([line.split(" to=")[1].split()[0] for line in lines("event=audit", "rule=watch")],
              ["b@partner.example", "c@partner.example"])
        taken = {line.split()[1].rstrip(":") for line in lines("event=queued") if "about=" not in line}
        for line in lines("event=queued", "about="):
            assert line.split("about=")[1].split()[0] in taken, line


# --- files ------------------------------------------------------------------------------------------------------------
@test
def export_and_import():
    """export writes a self-describing file a message; import takes it to another relay, demands and all, and refuses
    any change"""
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        folder = pathlib.Path(folder) / "mail"
        with Relay(HOLD + "\n" + TLS + '\nrule "mark" when subject contains "mark" then prepend_subject "[X] "',
                   sink) as relay:
            relay.send("hold secret mark", to=("a@x.example", "b@x.example"), body="ä line\r\n" * 100)
            relay.send("hold large", to=("c@x.example",), body="0123456789\r\n" * 60_000)
            told = relay.sluice("queue", "export", folder).stdout
            assert "2 messages exported" in told, told
            rows = relay.queue()
        files = sorted(folder.glob("*.mail"))
        equal({f.stem for f in files}, ids(rows))
        for file in files:
            head, content = file.read_bytes().split(b"\n\n", 1)
            lines = [json.loads(line) for line in head.splitlines()]
            equal(hashlib.sha256(content).hexdigest(), lines[0]["message"]["sha256"])
        with Sink() as sink2, Relay(HOLD, sink2) as other:
            secret = next(f for f in files if b"verified" in f.read_bytes())
            whole = secret.read_bytes()
            for change in (lambda b: b.replace(b'"tls":"verified"', b'"tls":"none"'), lambda b: b[:-1] + b"x",
                           lambda b: b[:-1],
                           lambda b: b.replace(b'"state":1', b'"state":0'), lambda b: b"not at all\n\n"):
                secret.write_bytes(change(whole))
                done = other.sluice("queue", "import", secret, check=False)
                equal(done.returncode, 65, done.stderr)
            secret.write_bytes(whole)
            equal(other.queue(), [])
            told = other.sluice("queue", "import", folder).stdout
            assert "2 of 2 messages imported" in told, told
            told = other.sluice("why", secret.stem).stdout
            assert f"what           imported\n    text           by uid {os.getuid()}\n" in told, told
            for server, what in ((relay, "export"), (other, "import")):
                wait_until(lambda: sum(f"event=by-hand what={what} uid={os.getuid()}" in line
                                       for line in server.log) == 2, f"who did the {what}")
            again = other.sluice("queue", "import", secret, check=False)
            assert again.returncode == 65 and "already" in again.stderr, again
            for mine, theirs in zip(sorted(rows, key=lambda r: r["queue_id"]),
                                    sorted(other.queue(), key=lambda r: r["queue_id"])):
                for key in ("queue_id", "sender", "arrival_time", "message_size"):
                    equal(theirs[key], mine[key], key)
                for a, b in zip(mine["recipients"], theirs["recipients"]):
                    equal({k: b[k] for k in ("address", "tls", "state", "attempts", "expires")},
                          {k: a[k] for k in ("address", "tls", "state", "attempts", "expires")})
            other.sluice("queue", "release", "--recipient", "c@*")
            large = sink2.wait(1)[0]
            assert large.content.endswith(b"0123456789\r\n" * 60_000)
            other.sluice("queue", "release", "--all")
            wait_until(lambda: all("4.7" in r.get("delay_reason", "") for row in other.queue()
                                   for r in row["recipients"]),
                       "the secret one waits for TLS there as well")


@test
def backup():
    """backup copies a working relay's queue, spool files too; a relay started from the copy has all of it"""
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        copy = pathlib.Path(folder) / "copy"
        with Relay(HOLD, sink) as relay:
            relay.send("hold large", to=("large@x.example",), body="0123456789\r\n" * 60_000)
            for n in range(20):
                relay.send("hold", to=(f"u{n}@x.example",))
            going = threading.Event()
            stop = threading.Event()

            def load():
                while not stop.is_set():
                    relay.send("hold more", to=("more@x.example",))
                    going.set()
            thread = threading.Thread(target=load)
            thread.start()
            going.wait(PATIENCE)
            told = relay.sluice("backup", copy).stdout
            stop.set()
            thread.join()
            assert "spool file" in told, told
            equal(relay.sluice("backup", copy, check=False).returncode, 73)  # a new directory each time
            rows = relay.queue()
            config = relay.config.read_text()
            relay.stop()
            relay.config.write_text(config.replace(str(relay.folder / "state"), str(copy)))
            relay.start()
            restored = relay.queue()
            assert ids(restored) <= ids(rows) and len(restored) >= 22, (len(restored), len(rows))
            relay.sluice("queue", "release", "--recipient", "large@*")
            assert sink.wait(1)[0].content.endswith(b"0123456789\r\n" * 60_000)


@test
def who_may():
    """another user may look and not touch"""
    # The socket itself is for root, the relay's user and its group: what is left is held by unit tests of
    # relay/control.
    with Sink() as sink, Relay(HOLD, sink) as relay:
        equal(relay.control.stat().st_mode & 0o007, 0)


if __name__ == "__main__":
    main()
