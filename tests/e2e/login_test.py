#!/usr/bin/python3
"""AUTH to smart hosts: our own server, aiosmtpd, Postfix with Cyrus SASL, Exim and OpenSMTPD take mail from a user
only; passwords come from files that others cannot read, and go nowhere else."""
import contextlib
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

from relay import (PATIENCE, ROOT, SLUICE, SLUICED, Certificates, Message, Proxy, Relay, Sink, Skip, equal, free_port,
                   main, test,
                   wait_until)

USER, PASSWORD, HOST = "relay@smart.example", "pässwört, s=cret", "smart.example"


def password_file(folder, password=PASSWORD, mode=0o600, name="password"):
    path = pathlib.Path(folder) / name
    path.write_text(password + "\n")
    path.chmod(mode)
    return path


def connector(port, certificates, path, more=""):
    return (f'host "127.0.0.1" port {port} name "{HOST}" trust "{certificates.authority}" user "{USER}" '
            f'password_file "{path}" {more}')


class SmartHost(Relay):
    """Ours, which relays for users only."""

    def __init__(self, sink, folder, name=HOST):
        certificate, key = Certificates(folder).issue(name) if isinstance(folder, str) else folder.issue(name)
        self.submission = free_port()
        super().__init__("", connectors={"default": f'host "127.0.0.1" port {sink.port}\n'
                                         f'listener "submission" address "127.0.0.1:{self.submission}" domains '
                                         f'our_domains '
                                         f'certificate "{certificate}" key "{key}" auth required'})

    def add(self, password=PASSWORD):
        subprocess.run([SLUICE, "user", "add", USER, "--password-stdin", "--socket", self.control], check=True,
                       timeout=PATIENCE,
                       input=password + "\n", text=True, capture_output=True)


@contextlib.contextmanager
def pair(password=PASSWORD, name=HOST):
    """A relay with a user, and our own server as its smart host: (relay, smart host, wire, sink, the password's
    file)."""
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        path = password_file(folder, password)
        with SmartHost(sink, certificates, name) as smart, Proxy(smart.submission) as wire:
            smart.add()
            with Relay("", connectors={"default": connector(wire.port, certificates, path)},
                       retry="retry first 1 hour until 5 days") as relay:
                yield relay, smart, wire, sink, path


def reasons(relay):
    return [r["delay_reason"] for row in relay.queue() for r in row["recipients"] if "delay_reason" in r]


def assert_secret(relay, wire):
    """Neither the log nor the wire, nor anything that the relay wrote down, tells the password or the mail."""
    needles = [PASSWORD.encode(), "pässwört".encode(), b"s=cret", b"secret content"]
    texts = {"log": "\n".join(relay.log).encode(), "wire": bytes(wire.log)}
    for path in pathlib.Path(relay.folder).rglob("*"):
        if path.is_file() and path.stat().st_size < 64 << 20:
            texts[str(path)] = path.read_bytes()
    for name, text in texts.items():
        for needle in needles[:3] if "state" in name else needles:
            assert needle not in text, f"{needle} in {name}"


@test
def our_own_server():
    """By SCRAM-SHA-256 to our own server, once a connection; a user's mail leaves as ESMTPSA"""
    with pair() as (relay, smart, wire, sink, _):
        for _ in range(3):
            equal(relay.send(body="secret content\r\n")[0], 250)
        sink.wait(3)
        assert all(b"ESMTPSA" in m.headers for m in sink.messages), sink.messages[0].headers
        wait_until(lambda: relay.queue() == [], "an empty queue")
        said = [line for line in smart.log if "event=authenticated" in line]
        # One that was not yet greeted when another was free is given up.
        assert 1 <= len(said) <= wire.connections, said
        assert all("mechanism=SCRAM-SHA-256" in line and f"user={USER}" in line for line in said), said
        assert_secret(relay, wire)


@test
def a_wrong_password():
    """A wrong password keeps the mail and says why; the right one goes with a reload, and another bad file does not
    replace it"""
    with pair(password="wrong") as (relay, smart, wire, sink, path):
        equal(relay.send()[0], 250)
        wait_until(lambda: reasons(relay), "a reason")
        equal(reasons(relay), ["535 5.7.8 Authentication credentials invalid"])
        assert any("refuses the user of connector default: 535" in line for line in relay.log), relay.log[-5:]
        password_file(path.parent)
        relay.sluice("reload")
        relay.sluice("queue", "retry", "--all")
        sink.wait(1)
        path.chmod(0o644)
        done = relay.sluice("reload")
        assert "its mode is 0644" in done.stdout + done.stderr and "the password in use stays" in done.stdout \
            + done.stderr, done
        equal(relay.send()[0], 250)
        sink.wait(2)
        assert_secret(relay, wire)
        config = relay.config.read_text()
        for mine, other in ((f'name "{HOST}"', 'name "other.example"'), (f"port {wire.port} ", f"port {free_port()} ")):
            relay.config.write_text(config.replace(mine, other))
            done = relay.sluice("reload", check=False)
            assert done.returncode and "its mode is 0644" in done.stdout + done.stderr, (mine, done)
            assert "stays" not in done.stdout + done.stderr, (mine, done)


@test
def the_relay_process_dies():
    """Another relay process gets the password that was in force, though the file is gone by then"""
    with pair() as (relay, smart, wire, sink, path):
        path.unlink()
        (pid,) = relay.children()["sluiced-relay"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: sum("sluiced: ready" in line for line in relay.log) >= 2, "another relay process")
        equal(relay.send()[0], 250)
        sink.wait(1)


@test
def certificates():
    """A host whose certificate bears another name never sees AUTH; one without STARTTLS never sees more than EHLO"""
    with pair(name="other.example") as (relay, smart, wire, sink, _):
        equal(relay.send()[0], 250)
        wait_until(lambda: reasons(relay), "a reason")
        assert reasons(relay)[0].startswith("4.7.5 TLS required but the handshake failed"), reasons(relay)
        equal([line for line in smart.log if "authenticated" in line or "auth-failed" in line], [])
    with tempfile.TemporaryDirectory() as folder, Sink() as sink, Proxy(sink.port) as wire:
        path = password_file(folder)
        with Relay("", connectors={"default": connector(wire.port, Certificates(folder), path)}) as relay:
            equal(relay.send(body="secret content\r\n")[0], 250)
            wait_until(lambda: reasons(relay), "a reason")
            assert reasons(relay)[0].startswith("4.7.4 TLS required but not offered by"), reasons(relay)
            equal([line.split(b" ")[0] for line in bytes(wire.log).split(b"\r\n") if line[:4] in (b"AUTH", b"MAIL")],
                  [])
            assert_secret(relay, wire)


@test
def files():
    """A start and --check refuse a password file that is missing, open to others, empty or no line; 0400 and 0640 are
    good"""
    rows = [(None, 0o600, "No such file"), (PASSWORD, 0o604, "its mode is 0604"), (PASSWORD, 0o660, "its mode is 0660"),
            ("", 0o600, "it holds no password"), ("two\nlines", 0o600, "it is not one line"),
            ("x" * 1100, 0o600, "larger than"),
            (PASSWORD, 0o400, None), (PASSWORD, 0o640, None)]
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        path = pathlib.Path(folder) / "password"
        relay = Relay("", connectors={"default": connector(sink.port, certificates, path)})
        for text, mode, why in rows:
            path.unlink(missing_ok=True)
            if text is not None:
                password_file(folder, text, mode)
            done = subprocess.run([SLUICED, "-c", relay.config, "--check"], capture_output=True, text=True,
                                  timeout=PATIENCE)
            equal(done.returncode, 78 if why else 0, done.stderr)
            if why:
                assert f'connector "default": password_file "{path}"' in done.stderr and why in done.stderr, done.stderr
                done = subprocess.run([SLUICED, "-c", relay.config], capture_output=True, text=True, timeout=PATIENCE)
                assert done.returncode in (66, 77, 78, 65) and why in done.stderr, (done.returncode, done.stderr)
        out = pathlib.Path(folder) / "out.sluicec"
        subprocess.run([SLUICE, "build", relay.config, "-o", out], check=True, capture_output=True, timeout=PATIENCE)
        assert PASSWORD.encode() not in out.read_bytes() and str(path).encode() in out.read_bytes()


# --- other people's servers -------------------------------------------------------------------------------------------
class AioHost:
    """aiosmtpd, which takes mail from a user only."""

    def __init__(self, certificate, exclude):
        self.messages, self.mechanisms = [], []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))

        def authenticate(server, session, envelope, mechanism, data):
            self.mechanisms.append(mechanism)
            good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
            return AuthResult(success=good, handled=good)

        self.controller = Controller(self, hostname="127.0.0.1", port=free_port(), tls_context=context,
                                     require_starttls=True,
                                     auth_required=True, authenticator=authenticate, auth_exclude_mechanism=exclude,
                                     decode_data=False)
        self.port = self.controller.port

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(Message(envelope, session))
        return "250 2.0.0 taken"


@test
def aiosmtpd():
    """By PLAIN and by LOGIN to aiosmtpd; without the user it answers 530, and the mail waits"""
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(folder)
        certificate = certificates.issue(HOST)
        for mechanism, exclude in (("PLAIN", ["LOGIN"]), ("LOGIN", ["PLAIN"])):
            host = AioHost(certificate, exclude)
            host.controller.start()
            try:
                path = password_file(folder)
                with Relay("", connectors={"default": connector(host.port, certificates, path)}) as relay:
                    equal(relay.send()[0], 250)
                    wait_until(lambda: host.messages, "a message")
                    equal(host.mechanisms, [mechanism])
                nobody = f'host "127.0.0.1" port {host.port} tls opportunistic'
                with Relay("", connectors={"default": nobody}, retry="retry first 1 hour until 5 days") as relay:
                    equal(relay.send()[0], 250)
                    wait_until(lambda: reasons(relay), "a reason")
                    assert reasons(relay)[0].startswith("530 5.7.0"), reasons(relay)
            finally:
                host.controller.stop()


CANNOT = 75  # what this script answers, inside, for a peer that is no use


def offered(port):
    """The mechanisms inside TLS; None where there is no TLS: Debian 12's OpenSMTPD (6.8 on OpenSSL 3) fails every
    handshake, whoever the client is."""
    import smtplib
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLError, smtplib.SMTPException):
        with smtplib.SMTP("127.0.0.1", port, local_hostname="probe.test", timeout=PATIENCE) as client:
            client.starttls(context=context)
            client.ehlo()
            return client.esmtp_features["auth"].split()
    return None


def inside(name):
    """In the peer's namespace: mail goes through it to a sink with the right password; with a wrong one it waits."""
    import servers
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        certificates = Certificates(folder)
        certificate = certificates.issue(HOST)
        os.chmod(folder, 0o755)
        os.chmod(certificate[1], 0o644)  # Exim reads its key as a user of its own
        with servers.SUBMISSION[name](sink.port, certificate, USER, PASSWORD) as peer, Proxy(peer.port) as wire:
            mechanisms = offered(peer.port)
            if not mechanisms:
                sys.exit(CANNOT)
            equal("SCRAM-SHA-256" in mechanisms, name == "login", mechanisms)
            path = password_file(folder, "wrong")
            with Relay("", connectors={"default": connector(wire.port, certificates, path)},
                       retry="retry first 1 hour until 5 days") as relay:
                equal(relay.send(body="secret content\r\n")[0], 250)
                wait_until(lambda: reasons(relay), "a reason")
                assert reasons(relay)[0].startswith("535 "), reasons(relay)
                password_file(folder)
                relay.sluice("reload")
                relay.sluice("queue", "retry", "--all")
                sink.wait(1)
                wait_until(lambda: relay.queue() == [], "an empty queue")
                assert b"secret content" not in wire.log and PASSWORD.encode() not in wire.log


def peer(name):
    if not (ROOT / f"build/peers/{name}/done").exists():
        raise Skip(f"{name} is not unpacked: make peers")
    done = subprocess.run([ROOT / "tests/peers/peers.sh", "run", name, sys.executable, __file__, "inside", name],
                          capture_output=True, text=True, timeout=4 * PATIENCE)
    if done.returncode == CANNOT:
        raise Skip(f"this system's {name} takes no TLS, from Python's ssl neither")
    equal(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])


@test
def postfix():
    """By SCRAM-SHA-256 to Postfix with Cyrus SASL: 535 keeps the mail, the right password delivers it"""
    peer("login")


@test
def exim():
    """By PLAIN to Exim: 535 keeps the mail, the right password delivers it"""
    peer("exim")


@test
def opensmtpd():
    """By PLAIN to OpenSMTPD: 535 keeps the mail, the right password delivers it"""
    peer("opensmtpd")


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        inside(sys.argv[2])
    else:
        main()
