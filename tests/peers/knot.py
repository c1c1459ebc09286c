"""knot as an authoritative name server on loopback: zones as text, some of them signed.

    with knot.serving(folder, {"plain.test": "@ MX 10 mx\\n…"}, signed=("signed.test",)) as server: server.port,
    server.config
"""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60
SOA = "@ 60 SOA ns.{0}. admin.{0}. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"


def or_skip(script):
    """Goes on where knotd is; inside the namespace where it was unpacked; else says that the test is skipped."""
    if shutil.which("knotd"):
        return
    if "SLUICE_KNOT" in os.environ or not (ROOT / "build/peers/knot/done").exists():
        print("1..1\nok 1 # SKIP knot is not unpacked: make peers")
        sys.exit(0)
    os.environ["SLUICE_KNOT"] = "1"
    os.execv(ROOT / "tests/peers/peers.sh", ["peers.sh", "run", "knot", sys.executable, script])


class Server:
    def __init__(self, port, config):
        self.port, self.config = port, config

    def ds(self, zone):
        """The parts of a signed zone's DS record: tag, algorithm, kind, digest."""
        out = subprocess.run(["keymgr", "-c", str(self.config), zone, "ds"], check=True, capture_output=True,
                             text=True).stdout
        line = next(line for line in out.splitlines() if re.search(r"DS \d+ \d+ 2 ", line))
        return re.search(r"DS (\d+) (\d+) (\d+) (\S+)", line).groups()


def free_port():
    """Free for UDP and for TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                tcp.bind(("127.0.0.1", udp.getsockname()[1]))
                return udp.getsockname()[1]


def write_config(folder, port, texts, signed):
    zones = ""
    for name, text in texts.items():
        (folder / f"{name}.zone").write_text(f"$ORIGIN {name}.\n$TTL 60\n" + SOA.format(name) + text)
        signing = "    dnssec-signing: on\n    dnssec-policy: one\n" if name in signed else ""
        zones += (f"  - domain: {name}\n    file: {name}.zone\n    zonefile-sync: -1\n"
                  f"    journal-content: none\n{signing}")
    config = folder / "knot.conf"
    config.write_text(f"""\
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
database:
    storage: {folder}
log:
  - target: stderr
    any: warning
policy:
  - id: one
    single-type-signing: on
    algorithm: ecdsap256sha256
template:
  - id: default
    storage: {folder}
zone:
{zones}""")
    return config


def wait_for(port, process, zones):
    """Until every zone is served (a query is answered with NOERROR)."""
    end = time.monotonic() + PATIENCE
    left = list(zones)
    while left and time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit("knotd ended: " + process.stderr.read().decode())
        name = left[0]
        question = b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + b"".join(bytes([len(p)]) + p.encode()
                                                              for p in name.split(".")) + b"\0\0\6\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", port))
            try:
                s.send(question)
                if s.recv(4096)[3] & 15 == 0:
                    left.pop(0)
            except OSError:
                pass
    if left:
        raise SystemExit(f"not served: {left}")


@contextlib.contextmanager
def serving(folder, zones, signed=()):
    folder = pathlib.Path(folder)
    port = free_port()
    config = write_config(folder, port, zones, signed)
    process = subprocess.Popen(["knotd", "-c", str(config)], stderr=subprocess.PIPE)
    try:
        wait_for(port, process, zones)
        yield Server(port, config)
    finally:
        process.terminate()
        process.wait(PATIENCE)
