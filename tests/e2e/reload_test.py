#!/usr/bin/python3
"""Hot reload: a message is judged by one generation, sessions survive, a bad set changes nothing."""
import json
import os
import pathlib
import signal
import ssl
import subprocess
import tempfile

from relay import SANITIZED, SLUICED, Certificates, Relay, Sink, equal, main, test, wait_until

RELOADS = 40 if SANITIZED else 200


def stamped(generation, letter):
    """A set whose two rules stamp the same thing: seen apart, the two headers would differ."""
    return (f'rule "first" when always then set_header "X-First" "{letter}{generation}"\n'
            f'rule "second" when always then set_header "X-Second" "{letter}{generation}"\n')


def taken(relay):
    try:
        return relay.send("again")[0] == 250
    except OSError:
        return False


def offered(relay):
    """STARTTLS works."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = relay.smtp()
    client.ehlo("client.test")
    equal(client.starttls(context=context)[0], 220)
    client.quit()


def begin(relay, upto):
    client = relay.smtp()
    client.ehlo("client.test")
    client.mail("a@corp.example")
    client.rcpt("b@partner.example")
    if upto == "data":
        client.putcmd("DATA")
        equal(client.getreply()[0], 354)
        client.send(b"Subject: x\r\n\r\n")
    return client


@test
def sessions_survive():
    """200 reloads with sessions open in MAIL, in DATA and after the dot: none dropped, none mixed"""
    with Sink() as sink, Relay(stamped(0, "A"), sink) as relay:
        sent = 0
        for generation in range(1, RELOADS + 1):
            in_mail, in_data, after_dot = begin(relay, "mail"), begin(relay, "data"), begin(relay, "data")
            relay.write_rules(stamped(generation, "AB"[generation % 2]))
            after_dot.send(b"after the dot\r\n.\r\n")
            relay.sluice("reload")
            equal(after_dot.getreply()[0], 250)
            in_data.send(b"in data\r\n.\r\n")
            equal(in_data.getreply()[0], 250)
            equal(in_mail.data(b"Subject: y\r\n\r\nin mail\r\n")[0], 250)
            for client in (in_mail, in_data, after_dot):
                client.quit()
            sent += 3
        sink.wait(sent)
        seen = set()
        for message in sink.messages:
            fields = dict(line.split(b": ", 1) for line in message.headers.split(b"\r\n") if line.startswith(b"X-"))
            equal(fields[b"X-First"], fields[b"X-Second"], "one generation per message")
            seen.add(fields[b"X-First"])
        equal(len(sink.messages), sent)
        assert len(seen) >= RELOADS, f"only {len(seen)} generations were seen"


@test
def new_rules_at_once():
    """the first message after `reload` answered is judged by the new set"""
    with Sink() as sink, Relay(stamped(0, "A"), sink) as relay:
        for generation in range(1, 6):
            relay.write_rules(stamped(generation, "A"))
            relay.sluice("reload")
            equal(relay.send("x")[0], 250)
            assert f"X-First: A{generation}\r\n".encode() in sink.wait(generation)[-1].content


@test
def bad_set():
    """a bad set is refused with its diagnostics and changes nothing"""
    with Sink() as sink, Relay(stamped(1, "A"), sink) as relay:
        relay.write_rules('when subjekt contains "x" then drop\n')
        refused = relay.sluice("reload", check=False)
        equal(refused.returncode, 65)
        said = refused.stdout + refused.stderr
        assert "rules.sluice:1:6" in said and "subject" in said, said
        equal(relay.send("x")[0], 250)
        assert b"X-First: A1\r\n" in sink.wait()[0].content


TESTED = """rule "r" when subject contains "secret" then set_header "X-Set" "{0}"
test "a secret is stamped" given subject "a secret", recipient "b@partner.example" expect set_header "X-Set" "{1}"
"""


@test
def failing_tests():
    """a set whose own tests fail is refused with expected beside actual, at a reload and at the start"""
    with Sink() as sink, Relay(TESTED.format("1", "1"), sink) as relay:
        relay.write_rules(TESTED.format("2", "1"))
        refused = relay.sluice("reload", check=False)
        equal(refused.returncode, 65)
        for words in ('rules.sluice:2:6: the test "a secret is stamped" fails', "for b@partner.example",
                      'expected: set_header "X-Set" "1"', 'actual:   set_header "X-Set" "2"', "1 of 1 tests"):
            assert words in refused.stderr, refused.stderr
        equal(relay.send("a secret")[0], 250)
        assert b"X-Set: 1\r\n" in sink.wait()[0].content
        checked = subprocess.run([str(SLUICED), "--check", "-c", str(relay.config)], capture_output=True, text=True)
        equal(checked.returncode, 78)
        assert "the test \"a secret is stamped\" fails" in checked.stdout + checked.stderr, checked
        relay.write_rules(TESTED.format("2", "2"))
        relay.sluice("reload")
        equal(relay.send("a secret")[0], 250)
        assert b"X-Set: 2\r\n" in sink.wait(2)[1].content
    with Sink() as sink:
        relay = Relay(TESTED.format("3", "2"), sink)
        try:
            relay.start()
        except AssertionError as said:
            assert "the test \"a secret is stamped\" fails" in str(said), said
            equal(relay.process.wait(10), 78, "exit status")
        else:
            raise AssertionError("it started")
        finally:
            relay.stop()


@test
def said_in_json():
    """relay log_format json: what the supervisor says is JSON too, a refused configuration and its reasons included"""
    with Sink() as sink, Relay("", sink, relay="log_format json") as relay:
        relay.write_rules('when subjekt contains "x" then drop\n')
        equal(relay.sluice("reload", check=False).returncode, 65)
        wait_until(lambda: any("the one in force stays" in line for line in relay.log), "the refusal in the log")
        rows = [json.loads(line) for line in relay.log]
        assert any(row["event"] == "supervisor" and row["text"] == "ready" for row in rows), rows
        told = [row for row in rows if row["event"] == "configuration"]
        assert len(told) == 1 and "rules.sluice:1:6" in told[0]["text"], told


@test
def last_good():
    """--last-good: the accepted program, with the queue, socket and certificate of the configuration; also when the
    relay dies"""
    relay = Relay('rule "keep" when always then hold reason "old"', connectors={"default": 'host "127.0.0.1"'},
                  listener='certificate "cert.pem" key "key.pem"')
    here = relay.config.read_text().replace(f"{relay.folder}/", "")
    assert 'state "state"' in here and 'control "control.sock"' in here, here
    relay.config.write_text(here)
    chain, key = Certificates(relay.folder).issue("relay.test")
    chain.rename(relay.folder / "cert.pem"), key.rename(relay.folder / "key.pem")
    with relay:
        equal(relay.send("first")[0], 250)
        relay.stop()
        relay.write_rules("when nonsense")
        relay.arguments = ["--last-good"]
        relay.start()
        status = json.loads(relay.sluice("status", "--json").stdout)
        equal((status["last_good"], status["held"]), (True, 1))
        offered(relay)
        equal(relay.send("second")[0], 250)
        os.kill(relay.children()["sluiced-relay"][0], signal.SIGKILL)
        wait_until(lambda: relay.sluice("status", check=False).returncode == 0, "the relay again")
        status = json.loads(relay.sluice("status", "--json").stdout)
        equal((status["last_good"], status["held"]), (True, 2))
        offered(relay)
        relay.write_rules("")
        relay.sluice("reload")
        equal(json.loads(relay.sluice("status", "--json").stdout)["last_good"], False)
        equal(sorted(p.name for p in (relay.folder / "state").iterdir() if p.is_dir()), ["spool"])


@test
def checks_trust():
    """--check reads the authorities that a connector trusts"""
    with Sink() as sink, tempfile.TemporaryDirectory(prefix="sluice-e2e-") as folder:
        path = pathlib.Path(folder) / "ca.pem"
        relay = Relay("", connectors={"default": f'host "127.0.0.1" port {sink.port} tls verified trust "{path}"'})
        for content, words in ((None, "No such file"), ("nothing\n", "no certificate in PEM")):
            if content:
                path.write_text(content)
            done = subprocess.run([str(SLUICED), "--check", "-c", str(relay.config)], capture_output=True, text=True)
            assert done.returncode == 78 and f'connector "default": trust: ' in done.stderr and words in done.stderr, \
                done
        Certificates(folder)
        done = subprocess.run([str(SLUICED), "--check", "-c", str(relay.config)], capture_output=True, text=True)
        equal(done.returncode, 0, done.stderr)


@test
def by_signal():
    """SIGHUP reloads too; counters of unchanged rules stay"""
    with Sink() as sink, Relay(stamped(1, "A"), sink) as relay:
        equal(relay.send("x")[0], 250)
        relay.write_rules(stamped(2, "A"))
        relay.process.send_signal(signal.SIGHUP)

        def stamped_anew():
            relay.send("x")
            return b"X-First: A2" in sink.wait()[-1].content
        wait_until(stamped_anew, "the new set")
        wait_until(lambda: relay.queue() == [], "an empty queue")
        row = relay.rules()["first"]
        equal(row["applied"], len(sink.messages), "hits of a rule that kept its identity")


@test
def bad_start():
    """a bad set at the start: exit 78 with the diagnostics"""
    with Sink() as sink:
        relay = Relay('when subject contanis "x" then drop\n', sink)
        try:
            relay.start()
        except AssertionError as said:
            assert "rules.sluice:1:14" in str(said), said
            equal(relay.process.wait(10), 78, "exit status")
        else:
            raise AssertionError("it started")
        finally:
            relay.stop()


@test
def bad_certificate():
    """a certificate that does not parse: exit 78 at the start; at a reload the good one stays and the answer says so"""
    with Sink() as sink, tempfile.TemporaryDirectory(prefix="sluice-e2e-") as folder:
        certificate, key = Certificates(folder).issue("relay.test")
        good = pathlib.Path(certificate).read_text()
        listener = f'certificate "{certificate}" key "{key}"'
        with Relay("", sink, listener=listener) as relay:
            pathlib.Path(certificate).write_text("no certificate\n")
            answer = relay.sluice("reload").stdout
            assert "the one in use stays" in answer and "generation 2 is in force: 0 rules" in answer, answer
            offered(relay)
            # The next relay process is given the good one too.
            os.kill(relay.children()["sluiced-relay"][0], signal.SIGKILL)
            wait_until(lambda: taken(relay), "mail is taken again")
            offered(relay)
        relay = Relay("", sink, listener=listener)
        try:
            relay.start()
        except AssertionError as said:
            assert "certificate" in str(said), said
            equal(relay.process.wait(10), 78, "exit status")
        else:
            raise AssertionError("it started")
        finally:
            relay.stop()
        pathlib.Path(certificate).write_text(good)
        with Relay("", sink, listener=listener) as relay:
            offered(relay)


if __name__ == "__main__":
    main()
