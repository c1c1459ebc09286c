#!/usr/bin/python3
"""AUTH: users of `sluice user` by PLAIN, LOGIN and SCRAM-SHA-256, from smtplib, swaks and a client of RFC 5802."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import pty
import re
import shutil
import signal
import smtplib
import sqlite3
import ssl
import subprocess
import tempfile
import termios

from relay import PATIENCE, SLUICE, Certificates, Relay, Sink, Skip, equal, free_port, main, test, wait_until

NAME, PASSWORD = "Büro@corp.example", "geheim, naïve=p4ss"


class Submission(Relay):
    """The usual relay, with a second listener that trusts nobody's address."""

    def __init__(self, sink, folder, auth="offered"):
        self.certificates = Certificates(folder)
        certificate, key = self.certificates.issue("relay.corp.example")
        self.context = ssl.create_default_context(cafile=str(self.certificates.authority))
        self.submission = free_port()
        out = (f'host "127.0.0.1" port {sink.port}\nlistener "submission" address "127.0.0.1:{self.submission}" '
               f'domains our_domains certificate "{certificate}" key "{key}" auth {auth}')
        super().__init__('rule "scanner" when client.user is "scanner" then set_header "X-Scanner" "yes"\n',
                         connectors={"default": out})

    def user(self, *arguments, password=None, check=True):
        done = subprocess.run([SLUICE, "user", *arguments, "--socket", self.control], capture_output=True, text=True,
                              timeout=PATIENCE, input=None if password is None else password + "\n")
        if check and done.returncode:
            raise AssertionError(f"user {arguments}: {done.returncode} {done.stderr}")
        return done

    def add(self, name, password):
        return self.user("add", name, "--password-stdin", password=password)

    @contextlib.contextmanager
    def session(self, tls=True):
        client = smtplib.SMTP("127.0.0.1", self.submission, local_hostname="client.test", timeout=PATIENCE)
        try:
            client.ehlo()
            if tls:
                client._host = "relay.corp.example"  # whose certificate it is
                client.starttls(context=self.context)
                client.ehlo()
            yield client
        finally:
            client.close()

    def logged(self, *parts):
        wait_until(lambda: any(all(part in line for part in parts) for line in self.log), f"a log line with {parts}")


@contextlib.contextmanager
def submission(**how):
    with tempfile.TemporaryDirectory() as folder, Sink() as sink, Submission(sink, folder, **how) as relay:
        yield relay, sink


def b64(data):
    return base64.b64encode(data).decode()


def plain(client, name, password):
    return client.docmd("AUTH PLAIN", b64(f"\0{name}\0{password}".encode()))[0]


def login(client, name, password):
    equal(client.docmd("AUTH LOGIN")[0], 334)
    equal(client.docmd(b64(name.encode()))[0], 334)
    return client.docmd(b64(password.encode()))[0]


def scram_challenge(client, name, nonce="fyko+d2lbbFgONRv9qkxdawL"):
    """The client's first message and the server's: (bare, challenge)."""
    bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    code, text = client.docmd("AUTH SCRAM-SHA-256", b64(f"n,,{bare}".encode()))
    equal(code, 334)
    return bare, base64.b64decode(text).decode()


def scram(client, name, password):
    """RFC 5802 from the other side, hashed by Python; the server's signature is checked."""
    bare, challenge = scram_challenge(client, name)
    nonce, salt, iterations = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", challenge).groups()
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    mac = lambda key, text: hmac.new(key, text, hashlib.sha256).digest()
    key = mac(salted, b"Client Key")
    without = f"c=biws,r={nonce}"
    said = f"{bare},{challenge},{without}".encode()
    proof = bytes(a ^ b for a, b in zip(key, mac(hashlib.sha256(key).digest(), said)))
    code, text = client.docmd(b64(f"{without},p={b64(proof)}".encode()))
    if code != 334:
        return code
    equal(base64.b64decode(text).decode(), f"v={b64(mac(mac(salted, b'Server Key'), said))}", "the server's signature")
    return client.docmd("")[0]


MECHANISMS = [plain, login, scram]


@test
def every_mechanism():
    """PLAIN, LOGIN and SCRAM: the right password 235, any other, or anybody else, 535, and nothing tells who exists"""
    with submission() as (relay, _):
        equal(relay.add(NAME, PASSWORD).stdout, "user büro@corp.example added\n")
        for way in MECHANISMS:
            with relay.session() as client:
                equal(client.esmtp_features["auth"].split(), ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
                equal(way(client, NAME, "wrong"), 535)
                equal(way(client, "nobody", PASSWORD), 535)
                equal(way(client, NAME.swapcase(), PASSWORD), 235, way.__name__)  # names, not passwords, are folded
                equal(client.docmd("AUTH PLAIN")[0], 503)
        mechanism = {plain: "PLAIN", login: "LOGIN", scram: "SCRAM-SHA-256"}
        for way in MECHANISMS:
            relay.logged("event=authenticated", "client=127.0.0.1", "listener=submission",
                         f"mechanism={mechanism[way]}")
            relay.logged("event=auth-failed", "user=nobody", f"mechanism={mechanism[way]}")
        said = "\n".join(relay.log)
        assert "geheim" not in said and b64(PASSWORD.encode()) not in said
        with relay.session() as client, relay.session() as other:
            first, again = scram_challenge(client, "Nobody")[1], scram_challenge(other, "nobody")[1]
        salts = [re.search("s=([^,]+),i=20000$", text).group(1) for text in (first, again)]
        equal(salts[0], salts[1], "the made-up salt of one name")


@test
def smtplib_logs_in():
    """smtplib's own login, and mail that only then may leave: Received says ESMTPSA, rules see the user"""
    with submission() as (relay, sink):
        relay.add("Scanner", "pässword")
        with relay.session() as client:
            client.mail("a@corp.example")
            equal(client.rcpt("b@partner.example")[0], 550)
            client.rset()
            equal(login(client, "scanner", "pa\u0308ssword"), 235)  # NFC
            client.mail("a@corp.example")
            equal(client.rcpt("b@partner.example")[0], 250)
            equal(client.data("Subject: x\r\n\r\ntext\r\n")[0], 250)
        (message,) = sink.wait()
        assert b" with ESMTPSA id" in message.headers and b"X-Scanner: yes" in message.headers, message.headers
        relay.add("ascii", "a secret")
        for mechanism in ("PLAIN", "LOGIN"):
            with relay.session() as client:
                client.user, client.password = "ascii", "a secret"
                equal(client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))[0], 235)
        with relay.session() as client:
            equal(client.login("ascii", "a secret")[0], 235)


@test
def not_in_clear():
    """In clear AUTH is neither offered nor taken: 538"""
    with submission() as (relay, _):
        relay.add("u", "p")
        with relay.session(tls=False) as client:
            assert "auth" not in client.esmtp_features
            equal(plain(client, "u", "p"), 538)
            equal(client.docmd("AUTH LOGIN")[0], 538)
            equal(client.docmd("NOOP")[0], 250)


@test
def three_failures():
    """The third failure ends the session with 421"""
    with submission() as (relay, _):
        for way in MECHANISMS:
            with relay.session() as client:
                equal([way(client, "u", "p") for _ in range(3)], [535] * 3)
                equal(client.getreply()[0], 421)
                try:
                    raise AssertionError(client.docmd("NOOP"))
                except smtplib.SMTPServerDisconnected:
                    pass


@test
def required():
    """`auth required`: no MAIL without it, not even to our own domains"""
    with submission(auth="required") as (relay, sink):
        relay.add("u", "p")
        with relay.session() as client:
            equal(client.mail("a@corp.example")[0], 530)
            equal(scram(client, "u", "p"), 235)
            equal(client.mail("a@corp.example")[0], 250)


@test
def users_come_and_go():
    """add, password, disable, enable, remove, list; a restart forgets nobody; the store holds no password"""
    with submission() as (relay, _):
        outcome = lambda password: [try_one(relay, way, "Anna", password) for way in MECHANISMS]
        relay.add("Anna", "one")
        relay.add("zoe", "z")
        equal(outcome("one"), [235] * 3)
        done = relay.user("add", "ANNA", "--password-stdin", password="two", check=False)
        equal((done.returncode, done.stderr), (73, "there is a user of that name already\n"))
        relay.user("password", "anna", "--password-stdin", password="two")
        equal(outcome("one") + outcome("two"), [535] * 3 + [235] * 3)
        equal(relay.user("disable", "anna").stdout, "user anna disabled\n")
        equal(outcome("two"), [535] * 3)
        rows = [json.loads(line) for line in relay.user("list", "--json").stdout.splitlines()]
        equal([(row["user"], row["disabled"]) for row in rows], [("anna", True), ("zoe", False)])
        assert all(sorted(row) == ["created", "disabled", "user"] for row in rows), rows
        assert re.match(r"anna +since \d{4}-\d\d-\d\d  disabled\nzoe +since \d{4}-\d\d-\d\d\n$", relay.user().stdout)
        relay.user("enable", "anna")
        relay.stop()
        with sqlite3.connect(relay.folder / "state" / "queue.db") as db:
            row = db.execute("SELECT * FROM users WHERE name='anna'").fetchone()
        secret = hashlib.pbkdf2_hmac("sha256", b"two", row[1], row[2])
        key = hmac.new(secret, b"Client Key", hashlib.sha256).digest()
        equal((row[2], row[3]), (20000, hashlib.sha256(key).digest()))
        relay.start()
        equal(outcome("two"), [235] * 3)
        relay.user("remove", "anna")
        equal(outcome("two"), [535] * 3)
        for word in ("remove", "disable", "enable"):
            equal(relay.user(word, "anna", check=False).returncode, 66, word)
        for arguments in (["add"], ["add", "x", "secret"], ["list", "x"], ["frob", "x"],
                          ["remove", "x", "--password-stdin"]):
            equal(relay.user(*arguments, password="p", check=False).returncode, 64, arguments)
        for password in ("", "tab\there", "x" * 1025):
            equal(relay.user("add", "x", "--password-stdin", password=password, check=False).returncode, 65, password)
        equal(relay.user("add", "bad\x01name", "--password-stdin", password="p", check=False).returncode, 64)
        done = relay.user("add", "x", password="p", check=False)
        equal(done.returncode, 64)
        assert "--password-stdin" in done.stderr, done.stderr


def try_one(relay, way, name, password):
    with relay.session() as client:
        return way(client, name, password)


def type_in(relay, answers):
    """`sluice user add typist` on a terminal: (exit status, all that the terminal showed); its echo is back."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # in the background a shell has it ignored, and that is inherited
        os.execv(SLUICE, ["sluice", "user", "add", "typist", "--socket", str(relay.control)])
    shown = b""
    with contextlib.suppress(OSError):  # Linux says EIO when the other end is gone
        while data := os.read(terminal, 4096):
            shown += data
            if shown.endswith((b"Password: ", b"Once more: ")) and answers:
                assert not termios.tcgetattr(terminal)[3] & termios.ECHO
                os.write(terminal, answers.pop(0))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert termios.tcgetattr(terminal)[3] & termios.ECHO, "the terminal stays without echo"
    os.close(terminal)
    return status, shown


@test
def on_a_terminal():
    """On a terminal the password is asked for twice and never shown; Ctrl-C ends it"""
    with submission() as (relay, _):
        status, shown = type_in(relay, [b"typed\n", b"typod\n"])
        equal(status, 65, shown)
        status, shown = type_in(relay, [b"typed\n", b"\x03"])
        equal(status, -signal.SIGINT, shown)
        status, shown = type_in(relay, [b"typed\n", b"typed\n"])
        equal(status, 0, shown)
        assert b"typed" not in shown and b"user typist added" in shown, shown
        equal(try_one(relay, plain, "typist", "typed"), 235)


@test
def swaks():
    """swaks authenticates by PLAIN and LOGIN and sends; with a wrong password it does not"""
    if not shutil.which("swaks"):
        raise Skip("swaks is not installed")
    with submission() as (relay, sink):
        relay.add("u@corp.example", "it's right")
        for count, mechanism in enumerate(("PLAIN", "LOGIN"), 1):
            command = ["swaks", "--server", "127.0.0.1", "--port", str(relay.submission), "--tls", "--from",
                       "a@corp.example",
                       "--to", "b@partner.example", "--helo", "swaks.test", "--auth", mechanism, "--auth-user",
                       "u@corp.example"]
            done = subprocess.run([*command, "--auth-password", "it's right"], capture_output=True, text=True,
                                  timeout=PATIENCE)
            equal(done.returncode, 0, done.stdout + done.stderr)
            sink.wait(count)
            done = subprocess.run([*command, "--auth-password", "wrong"], capture_output=True, text=True,
                                  timeout=PATIENCE)
            equal(done.returncode, 28, done.stdout)  # swaks: no authentication
            assert " 535 5.7.8 " in done.stdout, done.stdout


if __name__ == "__main__":
    main()
