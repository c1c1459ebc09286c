"""What end-to-end tests share: a running sluiced, real sinks, certificates, a byte-logging proxy, and TAP lines.

Nothing here sleeps a guess: wait_until polls a condition and fails with what it saw.  Ports are free loopback ports;
only processes started here are ended, by id.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from aiosmtpd.controller import Controller

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build" / "release"))
SLUICE, SLUICED = BUILD / "bin" / "sluice", BUILD / "bin" / "sluiced"
SANITIZED = BUILD.name != "release"
PATIENCE = 60 if SANITIZED else 30


# --- TAP --------------------------------------------------------------------------------------------------------------
_tests = []


def test(function):
    """Registers a test; main() runs them in the order written."""
    _tests.append(function)
    return function


class Skip(Exception):
    """Raised where this machine cannot hold a test; the reason is printed."""


def main():
    failed = 0
    print(f"1..{len(_tests)}")
    for number, function in enumerate(_tests, 1):
        name = " ".join((function.__doc__ or function.__name__).strip().split("\n\n")[0].split())
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line)
    sys.exit(1 if failed else 0)


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def wait_until(condition, what, seconds=None):
    """Polls until condition() is true and answers its value."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- certificates -----------------------------------------------------------------------------------------------------
class Certificates:
    """A certificate authority made for one test run, in `folder`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.authority = self.folder / "ca.pem"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                  "-subj", "/CN=Sluice test authority", "-keyout", self.folder / "ca.key", "-out", self.authority,
                  "-addext", "basicConstraints=critical,CA:TRUE")

    def _run(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, name, days=30):
        """A certificate for the DNS name; answers (certificate, key) paths."""
        stem = self.folder / re.sub(r"[^a-z0-9.-]", "_", name)
        key, request, certificate, extensions = (stem.with_name(stem.name + end)
                                                 for end in (".key", ".csr", ".pem", ".ext"))
        extensions.write_text(f"subjectAltName=DNS:{name}\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                  "-keyout", key, "-out", request)
        self._run("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", self.folder / "ca.key",
                  "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate)
        return certificate, key


# --- sinks ------------------------------------------------------------------------------------------------------------
class Message:
    def __init__(self, envelope, session):
        self.sender, self.recipients = envelope.mail_from, list(envelope.rcpt_tos)
        self.content = envelope.original_content or b""
        self.tls = session.ssl is not None

    @property
    def headers(self):
        return self.content.split(b"\r\n\r\n", 1)[0]


class Sink:
    """aiosmtpd on a free port, with STARTTLS when given a certificate.  `messages` is what it took."""

    def __init__(self, certificate=None, reply="250 2.0.0 taken", utf8=False, host="127.0.0.1", port=None):
        self.messages, self.reply = [], reply
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a careless host: it shows whatever certificate it has
            context.load_cert_chain(*map(str, certificate))
        self.port = port or free_port()
        self._controller = Controller(self, hostname=host, port=self.port, server_hostname="sink.test",
                                      tls_context=context, auth_require_tls=False, decode_data=False,
                                      enable_SMTPUTF8=utf8)

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(Message(envelope, session))
        return self.reply

    def __enter__(self):
        self._controller.start()
        return self

    def __exit__(self, *_):
        self._controller.stop()

    def wait(self, count=1, seconds=None):
        wait_until(lambda: len(self.messages) >= count, f"{count} message(s) at the sink", seconds)
        return self.messages


class Proxy:
    """Passes TCP on to a port and keeps every byte of both directions: what a listener on the wire would see."""

    def __init__(self, to):
        self.to, self.log = to, bytearray()
        self._listen = socket.create_server(("127.0.0.1", 0))
        self.port = self._listen.getsockname()[1]
        self.connections = 0

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listen.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listen.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self.to))
                for a, b in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.log += data
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


# --- the relay --------------------------------------------------------------------------------------------------------
CONFIG = """\
list trusted_networks of network = 127.0.0.0/8
list our_domains of domain = "corp.example"
relay hostname "relay.corp.example" internal our_domains state "{state}" control "{control}" {relay}
listener "inbound" address "127.0.0.1:{port}" relay_for trusted_networks domains our_domains {listener}
{connectors}
{retry}
import "rules.sluice"
"""


class Relay:
    """sluiced in a folder of its own.  connectors: {name: text after the name}."""

    def __init__(self, rules, sink=None, connectors=None, retry="retry first 1 second until 5 days", relay="",
                 listener="",
                 wrapper=(), folder=None, state=None):
        self._folder = None if folder else tempfile.TemporaryDirectory(prefix="sluice-e2e-")
        self.folder = pathlib.Path(folder or self._folder.name)
        self.state = pathlib.Path(state or self.folder / "state")
        self.port, self.program = free_port(), SLUICED
        self.wrapper, self.arguments = list(wrapper), []
        self.control = self.folder / "control.sock"
        if connectors is None:
            connectors = {"default": f'host "127.0.0.1" port {sink.port} tls opportunistic'}
        lines = "\n".join(f'connector "{name}" {text}' for name, text in connectors.items())
        self.config = self.folder / "relay.sluice"
        self.config.write_text(CONFIG.format(state=self.state, control=self.control, relay=relay,
                                             port=self.port,
                                             listener=listener, connectors=lines, retry=retry))
        self.write_rules(rules)
        self.process, self.log, self.ready = None, [], False

    def write_rules(self, text):
        (self.folder / "rules.sluice").write_text(text)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind:
            print("# the relay said:")
            for line in self.log[-40:]:
                print("#   " + line)
        if self._folder:
            self._folder.cleanup()

    def start(self):
        self.process = subprocess.Popen([*self.wrapper, str(self.program), "-c", str(self.config), *self.arguments],
                                        cwd=self.folder,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        told, self.ready = threading.Event(), False

        def read(stream):
            for line in stream:
                text = line.decode(errors="replace").rstrip()
                self.hear(text)
                if "sluiced: ready" in text or '"event":"supervisor","text":"ready"' in text.replace(" ", ""):
                    self.ready = True
                    told.set()
            told.set()

        threading.Thread(target=read, args=(self.process.stderr,), daemon=True).start()
        if not told.wait(PATIENCE) or not self.ready:
            self.stop()
            raise AssertionError("sluiced did not become ready:\n" + "\n".join(self.log))

    def hear(self, text):
        """One line of what it says on its standard error."""
        self.log.append(text)

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("sluiced did not end when told to")

    def children(self):
        """{role: [pid]} of all processes below the supervisor, by the role in their command line."""
        found, pids = {}, [self.process.pid]
        while pids:
            pid = pids.pop()
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                        pids.append(int(child))
                        words = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
                        found.setdefault(words, []).append(int(child))
        return found

    def sluice(self, *arguments, check=True):
        done = subprocess.run([str(SLUICE), *map(str, arguments), "--socket", str(self.control)], capture_output=True,
                              text=True, timeout=PATIENCE)
        if check and done.returncode:
            raise AssertionError(f"sluice {arguments}: {done.returncode} {done.stdout} {done.stderr}")
        return done

    def queue(self):
        return [json.loads(line) for line in self.sluice("queue", "--json").stdout.splitlines()]

    def rules(self):
        return {row["rule"]: row for row in map(json.loads, self.sluice("rules", "--json").stdout.splitlines())}

    def smtp(self):
        # Without a name of its own smtplib would ask the resolver for one, and wait where there is none.
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test", timeout=PATIENCE)

    def send(self, subject="hello", sender="a@corp.example", to=("b@partner.example",), body="text\r\n", headers=""):
        """Sends one message and answers (code, text) of the final reply."""
        text = f"From: <{sender}>\r\nTo: <{to[0]}>\r\nSubject: {subject}\r\n{headers}\r\n{body}"
        with self.smtp() as client:
            client.ehlo("client.test")
            client.mail(sender)
            for address in to:
                code, reply = client.rcpt(address)
                if code != 250:
                    return code, reply.decode()
            code, reply = client.data(text.encode())
            return code, reply.decode()
