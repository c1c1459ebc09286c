"""How to run each unpacked mail server in the foreground on a loopback port, inside its own mount namespace.

Each START entry is a context manager that yields an object with `.port` and `.process`; leaving it ends the process
that was started, by its id, and waits for it.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, port, process):
        self.port, self.process = port, process


def wait_for_greeting(port, process, seconds=30):
    """Returns when the port greets with 220; raises when the process ends first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it listened")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
                if s.recv(4096).startswith(b"220"):
                    return
        except OSError:
            time.sleep(0.02)  # between two attempts; the condition above is what is waited for
    raise RuntimeError("the server did not greet in time")


@contextlib.contextmanager
def running(command, port, **more):
    process = subprocess.Popen(command, start_new_session=True, **more)
    try:
        wait_for_greeting(port, process)
        yield Server(port, process)
    finally:
        # The session is ours alone: its group holds the server and the children it started, nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def postfix(relay_to=None, extra=(), quiet=True):
    port = free_port()
    main_cf = (BENCH / "postfix-main.cf").read_text()
    main_cf = re.sub(r"(?m)^relayhost =.*$", f"relayhost = [127.0.0.1]:{relay_to}" if relay_to else "relayhost =",
                     main_cf)
    main_cf += "".join(f"{line}\n" for line in extra)
    master_cf = (BENCH / "postfix-master.cf").read_text()
    master_cf = re.sub(r"(?m)^127\.0\.0\.1:2500 ", f"127.0.0.1:{port} ", master_cf)
    pathlib.Path("/etc/postfix/main.cf").write_text(main_cf)
    pathlib.Path("/etc/postfix/master.cf").write_text(master_cf)
    out = subprocess.DEVNULL if quiet else None
    with running(["/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix"], port, stdout=out, stderr=out) as server:
        yield server


EXIM = """\
primary_hostname = exim.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts = {advertise}
{more}log_file_path = /var/log/exim4/%slog
spool_directory = /var/spool/exim4
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
acl_smtp_rcpt = {rcpt}
acl_smtp_data = accept
{acl}begin routers
onward:
  driver = manualroute
  route_list = * 127.0.0.1::{next}
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
{end}"""


@contextlib.contextmanager
def exim(relay_to=None, quiet=True, advertise="", more="", rcpt="accept", acl="", end=""):
    port = free_port()
    config = pathlib.Path("/etc/exim4/sluice-test.conf")
    config.parent.mkdir(exist_ok=True)
    config.write_text(EXIM.format(port=port, next=relay_to or 9, advertise=advertise, more=more, rcpt=rcpt, acl=acl,
                                  end=end))
    out = subprocess.DEVNULL if quiet else None
    with running(["/usr/sbin/exim4", "-C", str(config), "-bdf", "-q1s"], port, stdout=out, stderr=out) as server:
        yield server


@contextlib.contextmanager
def opensmtpd(relay_to=None, quiet=True, head="", listen="", match="from any"):
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"{head}listen on 127.0.0.1 port {port} hostname opensmtpd.test {listen}\n"
                     f'action "onward" relay host smtp://127.0.0.1:{relay_to or 9}\n'
                     f'match {match} for any action "onward"\n')
        config.flush()
        out = subprocess.DEVNULL if quiet else None
        with running(["/usr/sbin/smtpd", "-d", "-f", config.name], port, stdout=out, stderr=out) as server:
            yield server


HARAKA = pathlib.Path(__file__).resolve().parent.parent.parent / "build/peers/haraka"
# Takes all mail, and sends it on to one host; its queue is a folder of files.
HARAKA_PLUGIN = """\
exports.hook_lookup_rdns = function (next) { next(OK, 'localhost'); };
exports.hook_rcpt = function (next, connection) { connection.relaying = true; next(OK); };
exports.hook_get_mx = function (next) { next(OK, { priority: 0, exchange: '127.0.0.1', port: %d }); };
"""


@contextlib.contextmanager
def haraka(relay_to=None, quiet=True):
    """From npm, installed once; a process for each processor."""
    if not (HARAKA / "node_modules/Haraka").exists():
        HARAKA.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix",
                        str(HARAKA),
                        "Haraka@3.3.4"], check=True)
    port, out = free_port(), subprocess.DEVNULL if quiet else None
    with tempfile.TemporaryDirectory(dir=HARAKA) as place:
        for name, text in {"config/smtp.ini": f"listen=127.0.0.1:{port}\nnodes={os.cpu_count()}\n",
                           "config/plugins": "onward\n",
                           "config/loglevel": "ERROR\n", "config/outbound.ini": "enable_tls=false\nlocal_mx_ok=true\n",
                           "config/me": "haraka.test\n", "plugins/onward.js": HARAKA_PLUGIN % (relay_to or 9)}.items():
            path = pathlib.Path(place, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        pathlib.Path(place, "queue").mkdir()
        shutil.copy(HARAKA / "node_modules/Haraka/config/connection.ini", pathlib.Path(place, "config"))
        command = ["node", str(HARAKA / "node_modules/Haraka/bin/haraka"), "-c", place]
        with running(command, port, stdout=out, stderr=out) as server:
            yield server


# --- with AUTH: each takes mail from `user` only, inside TLS ----------------------------------------------------------
def postfix_login(relay_to, certificate, user, password):
    name, realm = user.split("@")
    subprocess.run(["saslpasswd2", "-p", "-c", "-u", realm, name], input=password.encode(), check=True)
    os.chmod("/etc/sasldb2", 0o644)
    pathlib.Path("/etc/postfix/sasl").mkdir(exist_ok=True)
    pathlib.Path("/etc/postfix/sasl/smtpd.conf").write_text(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: SCRAM-SHA-256 PLAIN LOGIN\n")
    return postfix(relay_to, extra=[
        "smtpd_sasl_auth_enable = yes", f"smtpd_sasl_local_domain = {realm}", "smtpd_tls_auth_only = yes",
        "smtpd_tls_security_level = may", f"smtpd_tls_cert_file = {certificate[0]}",
        f"smtpd_tls_key_file = {certificate[1]}",
        "cyrus_sasl_config_path = /etc/postfix/sasl",
        "smtpd_relay_restrictions = permit_sasl_authenticated, reject", "smtpd_tls_session_cache_database ="])


EXIM_LOGIN = """\
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""


def exim_login(relay_to, certificate, user, password):
    return exim(relay_to, more=f"tls_certificate = {certificate[0]}\ntls_privatekey = {certificate[1]}\n"
                f"tls_require_ciphers = NORMAL\n", advertise="*", rcpt="acl_user",
                acl="begin acl\nacl_user:\n  accept authenticated = *\n  deny\n",
                end=EXIM_LOGIN.format(user=user, password=password))


def opensmtpd_login(relay_to, certificate, user, password):
    hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], check=True, capture_output=True, text=True,
                            input=password).stdout.strip()
    os.chmod(certificate[1], 0o600)
    return opensmtpd(relay_to, head=f'pki "smart" cert "{certificate[0]}"\npki "smart" key "{certificate[1]}"\n'
                     f'table creds {{ "{user}" = "{hashed}" }}\n', listen='tls-require pki "smart" auth <creds>',
                     match="auth from any")


SUBMISSION = {"login": postfix_login, "exim": exim_login, "opensmtpd": opensmtpd_login}

START = {"postfix": postfix, "exim": exim, "opensmtpd": opensmtpd, "haraka": haraka}
