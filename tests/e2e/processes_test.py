#!/usr/bin/python3
"""The four kinds of process: jailed as told, and no death of one loses or harms mail."""
import os
import pathlib
import re
import signal
import socket
import tempfile
import time

from relay import SANITIZED, Relay, Sink, Skip, equal, main, test, wait_until

RULES = 'when subject contains "top secret" then require_tls'


def status_of(pid, field):
    return re.search(rf"^{field}:\s*(\S+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def judges(relay):
    return relay.children().get("sluiced-judge", [])


def stopped(pid):
    return status_of(pid, "State") == "T"


def in_data(relay):
    """A session that has sent its message but not the final dot."""
    client = relay.smtp()
    client.ehlo("client.test")
    client.mail("a@corp.example")
    client.rcpt("b@partner.example")
    client.putcmd("DATA")
    equal(client.getreply()[0], 354)
    client.send(b"Subject: x\r\n\r\nbody\r\n")
    return client


@test
def filters():
    """relay, template and judges run under a seccomp filter and hold no memory that is writable and executable"""
    with Sink() as sink, Relay('when body matches /sec[a-z]{2}t/ then mark "x"', sink) as relay:
        wait_until(lambda: judges(relay), "a judge")
        children = relay.children()
        for role in ("sluiced-relay", "sluiced-templat", "sluiced-judge"):
            assert children.get(role), (role, children)
            for pid in children[role]:
                equal(status_of(pid, "Seccomp"), "2", role)
                equal(status_of(pid, "NoNewPrivs"), "1", role)
                maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
                if not SANITIZED:
                    equal([line for line in maps.splitlines() if line.split()[1].startswith("rwx")], [], role)


@test
def supervised():
    """every process ends when the supervisor is killed"""
    with Sink() as sink, Relay(RULES, sink) as relay:
        wait_until(lambda: judges(relay), "a judge")
        pids = [pid for group in relay.children().values() for pid in group]
        assert len(pids) >= 3, pids
        relay.process.kill()
        relay.process.wait()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") and status_of(pid, "State") != "Z" for pid in pids),
                   "the end of all children")


@test
def judge_killed():
    """a judge stopped, given a message, then killed: another judges it, and it is accepted"""
    with Sink() as sink, Relay(RULES, sink) as relay:
        first = judges(relay)
        for pid in first:
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda p=pid: stopped(p), "a stopped judge")
        client = in_data(relay)
        client.send(b".\r\n")
        # The message is with a judge once its socket holds it; the relay's only way on is that judge's death.
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        equal(client.getreply()[0], 250)
        sink.wait()


@test
def judge_killed_twice():
    """a message that sees two judges die: 451; the next one is unharmed"""
    with Sink() as sink, Relay(RULES, sink) as relay:
        killed = set()
        for pid in judges(relay):
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda p=pid: stopped(p), "a stopped judge")
        client = in_data(relay)
        client.send(b".\r\n")
        client.sock.settimeout(0.02)
        code = None
        while code is None:
            for pid in judges(relay):
                if pid not in killed and status_of(pid, "State") != "Z":
                    killed.add(pid)
                    os.kill(pid, signal.SIGSTOP)
                    os.kill(pid, signal.SIGKILL)
            try:
                code = int(client.sock.recv(4096)[:3])
            except (socket.timeout, TimeoutError):
                pass
            assert len(killed) < 50, "the message outlived fifty judges"
        # Killing races with judging: a fresh judge may have answered first, which is as right.
        assert code in (250, 451), code
        if code == 451:
            equal(relay.queue(), [])
        equal(relay.send("next")[0], 250)
        sink.wait(1 if code == 451 else 2)


@test
def relay_killed():
    """the relay process killed: what was answered 250 arrives, and it listens again by itself"""
    with Sink() as sink, Relay(RULES,
                               connectors={"default": f'host "127.0.0.1" port {sink.port} tls opportunistic'}) as relay:
        for n in range(20):
            equal(relay.send(f"n{n}")[0], 250)
        os.kill(relay.children()["sluiced-relay"][0], signal.SIGKILL)

        def again():
            try:
                return relay.send("after")[0] == 250
            except OSError:
                return False
        wait_until(again, "mail is taken again")
        wait_until(lambda: {m.headers.split(b"Subject: ")[1].split(b"\r\n")[0] for m in sink.messages}
                   >= {b"n%d" % n for n in range(20)} | {b"after"}, "every message")


@test
def stuck_next_host():
    """SIGTERM while a next host says nothing: sluiced ends in time by itself, and the mail goes out after the next
    start"""
    with socket.create_server(("127.0.0.1", 0)) as silent, tempfile.TemporaryDirectory(prefix="sluice-e2e-") as folder:
        port = silent.getsockname()[1]
        connectors = {"default": f'host "127.0.0.1" port {port} tls opportunistic'}
        with Relay(RULES, connectors=connectors, folder=folder) as relay:
            equal(relay.send("stuck")[0], 250)
            held, _ = silent.accept()
            began = time.monotonic()
            relay.process.send_signal(signal.SIGTERM)
            equal(relay.process.wait(25), 0, "exit status")
            assert time.monotonic() - began > 5, "it is given some time"
            assert not any("did not end in time" in line for line in relay.log), relay.log[-5:]
            held.close()
        with Sink() as sink:
            connectors = {"default": f'host "127.0.0.1" port {sink.port} tls opportunistic'}
            with Relay(RULES, connectors=connectors, folder=folder):
                assert b"Subject: stuck" in sink.wait()[0].content


@test
def full_disk():
    """a full disk: 452 or 451, no 250, and mail is taken again when there is space"""
    if os.geteuid() != 0:
        raise Skip("mounting a small file system needs root")
    import subprocess
    import tempfile
    folder = tempfile.mkdtemp(prefix="sluice-small-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], check=True)
    try:
        with Sink() as sink, Relay(RULES, sink, relay="free_space 8 MB", folder=folder) as relay:
            equal(relay.send("before")[0], 250)
            sink.wait()
            filler = pathlib.Path(folder) / "filler"
            with open(filler, "wb") as f:
                try:
                    while True:
                        f.write(b"\0" * 65536)
                        f.flush()
                except OSError:
                    pass
            def refused():
                code, _ = send_or_refused(relay)
                assert code in (250, 451, 452), code
                return code != 250
            wait_until(refused, "a refusal")
            taken = len(sink.messages)
            filler.unlink()
            wait_until(lambda: send_or_refused(relay)[0] == 250, "mail is taken again")
            wait_until(lambda: len(sink.messages) > taken, "its arrival")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def send_or_refused(relay):
    """(code, text) of the first refusal, at whichever command, or of the final reply."""
    with relay.smtp() as client:
        client.ehlo("client.test")
        for step in (lambda: client.mail("a@corp.example"), lambda: client.rcpt("b@partner.example"),
                     lambda: client.data(b"Subject: x\r\n\r\nbody\r\n")):
            code, text = step()
            if code >= 400:
                return code, text.decode()
        return code, text.decode()


if __name__ == "__main__":
    main()
