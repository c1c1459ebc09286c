#!/usr/bin/python3
"""What `make install` leaves: programs, manual, a unit and samples that are sound as they come, and start."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from relay import BUILD, ROOT, Relay, Sink, Skip, equal, free_port, main, test, wait_until

FOLDER = tempfile.TemporaryDirectory(prefix="sluice-install-")
ROOTED = pathlib.Path(FOLDER.name) / "root"
BIN, ETC = ROOTED / "usr/bin", ROOTED / "etc/sluice"
UNIT = ROOTED / "usr/lib/systemd/system/sluice.service"


def install():
    subprocess.run(["make", "-s", "install", f"VARIANT={BUILD.name}", f"DESTDIR={ROOTED}", "PREFIX=/usr"], cwd=ROOT,
                   capture_output=True, check=True)


def sluice(*arguments):
    return subprocess.run([BIN / "sluice", *map(str, arguments)], capture_output=True, text=True)


def configured(relay, sink, port):
    """The sample instead of the relay's own configuration, with ports and directories of a test."""
    changes = {'"127.0.0.1:25"': f'"127.0.0.1:{port}"', '"/var/lib/sluice"': '"state"',
               '"/run/sluice/control.sock"': '"control.sock"',
               'host "mail.corp.example" port 25': f'host "127.0.0.1" port {sink.port}',
               'connector "default"': f'connector "default" host "127.0.0.1" port {sink.port}'}
    text = re.sub("#.*", "", (ETC / "relay.sluice").read_text())
    for was, now in changes.items():
        equal(text.count(was), 1, was)
        text = text.replace(was, now)
    relay.config.write_text(text)
    shutil.copy(ETC / "rules.sluice", relay.folder)
    relay.port, relay.program = port, ROOTED / "usr/sbin/sluiced"
    return relay


def sound(path):
    done = sluice("check", path)
    equal((done.returncode, done.stdout, done.stderr), (0, "", ""), f"{path} raises no doubt")


@test
def samples():
    """the samples are sound as they come, laid out as `sluice fmt` would, and their tests pass; so are the lines that
    wait in comments"""
    install()
    for name in ("relay.sluice", "rules.sluice"):
        sound(ETC / name)
        equal(sluice("fmt", "--check", ETC / name).returncode, 0, name)
        equal(sluice("test", ETC / name).returncode, 0, name)
        equal((ROOTED / "usr/share/sluice" / name).read_bytes(), (ETC / name).read_bytes())
    text = (ETC / "relay.sluice").read_text()
    text = re.sub(r'^(listener|connector "default").*\n', "", text, flags=re.M)
    text, uncommented = re.subn(r"^# (?=listener|connector|    certificate)", "", text, flags=re.M)
    equal(uncommented, 5)
    (ETC / "other.sluice").write_text(text)
    sound(ETC / "other.sluice")


@test
def keeps():
    """installing again keeps a configuration that was changed"""
    install()
    (ETC / "rules.sluice").write_text("when always then log \"mine\"\n")
    install()
    equal((ETC / "rules.sluice").read_text(), "when always then log \"mine\"\n")
    shutil.copy(ROOTED / "usr/share/sluice/rules.sluice", ETC)


@test
def starts():
    """a relay starts on the sample, with other ports and directories; its rules act, and it reloads as the unit says"""
    install()
    with Sink() as sink, configured(Relay("", sink), sink, free_port()) as relay:
        equal(relay.send("hello", to=("b@corp.example",))[0], 250)
        equal(sink.wait(1)[0].recipients, ["b@corp.example"])
        equal(relay.send("confidential: plans", to=("c@partner.example",))[0], 250)
        row = wait_until(relay.queue, "what must leave over TLS waits")[0]
        equal(row["recipients"][0]["tls_rule"], "Confidential mail leaves over TLS only")
        reload = re.search(r"^ExecReload=/usr/bin/(sluice .*)$", UNIT.read_text(), re.M)[1].split()
        equal(reload, ["sluice", "reload"])
        relay.sluice(*reload[1:])


def low_port():
    for port in range(600, 1024):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise Skip("no port below 1024 is free")


@test
def without_root():
    """as the unit starts it: as a user who has nothing of root's but the port below 1024, and no way to more"""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("root and setpriv are needed to become somebody else")
    install()
    nobody = 65534
    with Sink() as sink:
        relay = configured(Relay("", sink), sink, low_port())
        relay.wrapper = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--no-new-privs",
                         "--inh-caps=-all,+net_bind_service", "--ambient-caps=+net_bind_service",
                         "--bounding-set=-all,+net_bind_service"]
        os.chown(relay.folder, nobody, nobody)
        for folder in (FOLDER.name, relay.folder):
            os.chmod(folder, 0o755)
        with relay:
            equal(relay.send("hello", to=("b@corp.example",))[0], 250)
            sink.wait(1)
            status = pathlib.Path(f"/proc/{relay.process.pid}/status").read_text()
            equal(re.search(r"^CapBnd:\s*(\w+)", status, re.M)[1], f"{1 << 10:016x}", "CAP_NET_BIND_SERVICE alone")
            equal((relay.folder / "state").stat().st_uid, nobody)
            relay.sluice("reload")


@test
def unit():
    """the unit: paths of the installation, what systemd-analyze says of it, statuses that no start would mend"""
    install()
    text = UNIT.read_text()
    assert "@" not in text, text
    assert "ExecStart=/usr/sbin/sluiced -c /etc/sluice/relay.sluice\n" in text, text
    manual = (ROOT / "docs/man/sluiced.8").read_text().split(".SH EXIT STATUS")[1].split(".SH")[0]
    known = {int(n) for n in re.findall(r"(?<![\d/])(\d\d)(?= )", manual)}
    final = set(map(int, re.search(r"RestartPreventExitStatus=(.*)", text)[1].split()))
    assert final <= known and not final & {69, 70, 71, 74}, (final, known)
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze")
    copy = pathlib.Path(FOLDER.name) / "sluice.service"
    copy.write_text(text.replace("=/usr/", f"={ROOTED}/usr/"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    equal((done.returncode, done.stdout, done.stderr), (0, "", ""))


@test
def ready():
    """Type=notify: the relay tells when it takes mail"""
    path = pathlib.Path(FOLDER.name) / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, Sink() as sink:
        notify.bind(str(path))
        notify.settimeout(30)
        relay = Relay("", sink)
        relay.wrapper = ["env", f"NOTIFY_SOCKET={path}"]
        with relay:
            equal(notify.recv(100), b"READY=1")
            equal(relay.send()[0], 250)


if __name__ == "__main__":
    main()
