"""What the rigs share: a load of clients, a sink that writes the history, a relay whose processes are cut down.

Everything is real: sluiced with all its processes, TCP on loopback, the store on a disk.  A seed fixes what is sent and
what is done to the relay; how the two interleave is the machine's affair.
"""
import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from history import DELIVER, DROP, REFUSE, History  # noqa: E402
from relay import PATIENCE, Relay, free_port, wait_until  # noqa: E402

SEED = int(os.environ.get("SLUICE_SEED", 1))

# One rule of each kind: each leaves a hit, and those that end a message or only watch leave one audit row a hit.
RULES = """\
rule "refuse" when subject contains "unwanted" then reject "unwanted here"
rule "drop" when subject contains "worthless" then drop
rule "watch" mode audit when subject contains "watched" then quarantine reason "would be"
rule "stamp" when always then set_header "X-Rig-One" "1"
rule "second" when recipient.domain is "edited.example" then set_header "X-Rig-Two" "2"
"""


def stamped(recipient, stamps):
    """What RULES declare for a recipient's copy."""
    want = {b"X-Rig-One: 1"} | ({b"X-Rig-Two: 2"} if recipient.endswith("@edited.example") else set())
    return set(stamps) == want and len(stamps) == len(want)


# --- the sink ---------------------------------------------------------------------------------------------------------
class RecordingSink:
    """Takes everything and tells the history; `answer(n)`: what it says to the n-th dot (None: 250)."""

    def __init__(self, history, answer=lambda n: None, port=0):
        self.history, self._answer = history, answer
        self._listen = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self._listen.getsockname()[1]
        self._lock, self._busy, self._count, self._peers = threading.Lock(), 0, 0, set()

    def __enter__(self):
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_):
        """The host is away: nobody listens, and who was connected is cut off."""
        with self._lock:
            for one in (self._listen, *self._peers):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        # Before the descriptor is free for another sink's socket nobody may wait on it any more.
        self._acceptor.join()
        self._listen.close()

    @property
    def taken(self):
        return self._count

    def quiet(self):
        """No connection stands: what was sent by a process that is gone has been taken."""
        return self._busy == 0

    def _accept(self):
        while True:
            try:
                peer, _ = self._listen.accept()
            except OSError:
                return
            with self._lock:
                self._busy += 1
                self._peers.add(peer)
            threading.Thread(target=self._serve, args=(peer, self.history.era), daemon=True).start()

    def _serve(self, peer, era):
        try:
            with contextlib.suppress(OSError), peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(peer, peer.makefile("rb"), era)
        finally:
            with self._lock:
                self._busy -= 1
                self._peers.discard(peer)

    def _talk(self, peer, lines, era):
        recipients = []
        peer.sendall(b"220 sink.test\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                peer.sendall(b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n")
            elif verb == b"RCPT":
                recipients.append(re.search(rb"<(.*)>", line)[1].decode())
                peer.sendall(b"250 ok\r\n")
            elif verb == b"DATA":
                peer.sendall(b"354 go\r\n")
                content = []
                while (line := lines.readline()) != b".\r\n":
                    if not line.endswith(b"\n"):
                        return  # cut in the middle: taken by nobody
                    content.append(line[1:] if line.startswith(b".") else line)
                with self._lock:
                    self._count += 1
                    number = self._count
                refusal = self._answer(number)
                if not refusal:
                    self.history.arrived(recipients, b"".join(content), era)
                recipients = []
                peer.sendall((refusal or "250 2.0.0 taken").encode() + b"\r\n")
            elif verb == b"QUIT":
                peer.sendall(b"221 bye\r\n")
                return
            else:
                recipients = [] if verb in (b"MAIL", b"RSET") else recipients
                peer.sendall(b"250 ok\r\n")


# --- the load ---------------------------------------------------------------------------------------------------------
class Refused(Exception):
    pass


class Client:
    """One SMTP client's connection; raises OSError when it is gone."""

    def __init__(self, port, patience=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self.socket.makefile("rb")
        if self.reply() != 220:
            raise ConnectionError("turned away")
        self.say(b"EHLO client.test")

    def reply(self):
        while True:
            line = self._lines.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("closed")
            if line[3:4] != b"-":
                return int(line[:3])

    def say(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.reply()

    def close(self):
        self._lines.close()
        self.socket.close()

    def send(self, history, tag, message):
        """One message; the answer stands in the history."""
        recipients, content, fate, halves = message
        history.begin(tag, recipients, content, fate)
        try:
            self.socket.sendall(b"".join([b"MAIL FROM:<a@corp.example>\r\n",
                                          *(b"RCPT TO:<" + r.encode() + b">\r\n" for r in recipients), b"DATA\r\n"]))
            codes = [self.reply() for _ in range(len(recipients) + 2)]
            if codes[-1] != 354:
                history.answered(tag, next(code for code in codes if code >= 400))
                return
            data = content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
            if halves:
                self.socket.sendall(data[:len(data) // 2])
                data = data[len(data) // 2:]
            history.dot(tag)
            self.socket.sendall(data)
            history.answered(tag, self.reply())
        except (OSError, ValueError):
            history.broken(tag)
            raise


def message(dice, tag):
    """(recipients, content, fate, in halves) of one message of the load."""
    roll = dice.random()
    fate = REFUSE if roll < 0.03 else DROP if roll < 0.06 else DELIVER
    word = {REFUSE: "unwanted", DROP: "worthless", DELIVER: "watched" if roll < 0.09 else "plain"}[fate]
    count = 1 if word != "plain" else dice.choice((1, 1, 1, 1, 2, 3))
    recipients = [f"{tag}.{n}@{'edited' if n else 'plain'}.example" for n in range(count)]
    lines = dice.randrange(1, 60) if dice.random() > 0.02 else 5000
    body = "".join(f"{'.' if n % 7 == 0 else ''}line {n} of {tag} {dice.getrandbits(200):x}\r\n" for n in range(lines))
    head = f"From: <a@corp.example>\r\nTo: <{recipients[0]}>\r\nSubject: {word} {tag}\r\nX-Tag: {tag}\r\n\r\n"
    return recipients, (head + body).encode(), fate, dice.random() < 0.1


class Load:
    """`clients` connections that send messages until `stop`; whatever ends a connection, another is made."""

    def __init__(self, history, port, clients=4, seed=SEED, prefix="m", pause=0.0, make=message):
        self.history, self.port, self.pause, self.make = history, port, pause, make
        self.dropped = 0  # connections that ended without being asked to
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run,
                                          args=(random.Random(f"{seed} {prefix} {n}"), f"{prefix}{n}"), daemon=True)
                         for n in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self, dice, name):
        sent = 0
        while not self._stop.is_set():
            try:
                client = Client(self.port)
            except (OSError, ValueError):
                self.dropped += 1
                self._stop.wait(0.01)
                continue
            with contextlib.closing(client):
                try:
                    while not self._stop.is_set():
                        sent += 1
                        tag = f"{name}x{sent}"
                        client.send(self.history, tag, self.make(dice, tag))
                        if self.pause:
                            self._stop.wait(self.pause)
                except (OSError, ValueError):
                    self.dropped += 1


# --- the relay --------------------------------------------------------------------------------------------------------
ENDED = re.compile(r"(relay process|template of generation \d+) ended: (.*)")


def state_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return None


def is_over(pid):
    return state_of(pid) in (None, "Z", "X")


class RigRelay(Relay):
    """A relay that is told what to lose, and keeps only the end of its log."""

    KEEP = 4000

    def __init__(self, *arguments, **named):
        self.ends = []  # how processes ended, by the supervisor's word
        super().__init__(*arguments, **named)

    def hear(self, text):
        super().hear(text)
        if found := ENDED.search(text):
            self.ends.append(found[2])
        if len(self.log) > 2 * self.KEEP:
            del self.log[:-self.KEEP]

    def pids(self, role):
        return [pid for pid in self.children().get(role, []) if not is_over(pid)]

    def database(self):
        """The queue's database, read only: rows as they were committed."""
        return contextlib.closing(sqlite3.connect(f"file:{self.state}/queue.db?mode=ro", uri=True,
                                                  timeout=PATIENCE))

    def rows(self, after=0):
        """The recipients queued, those of an id above `after`."""
        with self.database() as db:
            return [address for address, in db.execute("SELECT address FROM recipients WHERE id > ?", (after,))]

    def taking(self):
        """A message is taken: connected to, judged and stored."""
        with contextlib.suppress(OSError, ValueError):
            client = Client(self.port)
            with contextlib.closing(client):
                for command in (b"MAIL FROM:<a@corp.example>", b"RCPT TO:<probe@probe.example>", b"DATA"):
                    client.say(command)
                return client.say(b"Subject: worthless probe\r\n\r\nprobe\r\n.") == 250
        return False


def greeted(port):
    with contextlib.suppress(OSError, ValueError):
        Client(port).close()
        return True
    return False


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_over(pid), f"the end of {pid}")


def seconds(what):
    began = time.monotonic()
    what()
    return time.monotonic() - began
