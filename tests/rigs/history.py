"""What a relay promised and what became of it: the checker that every rig ends in.

The promises (README): a message answered 250 arrives for each recipient; one refused, or never finished, arrives for
none; one whose answer was lost arrives or not; whatever arrives is what was sent, byte for byte, with the edits that
the rig's rules declare and no other.  Twice only where the result of the first delivery was not yet stored when a
process was cut down: then its row was still in the queue at that moment, which is what `cut` is told.

Thread-safe.  Knows no relay: rigs tell it what clients said and heard, what a sink took, and what stood in the queue.
"""
import collections
import hashlib
import re
import threading

DELIVER, REFUSE, DROP = "deliver", "refuse", "drop"
OPEN, DOTTED, ACKED, REFUSED, BROKEN = "open", "dotted", "acked", "refused", "broken"

_STAMP = re.compile(rb"^X-Rig-[^\r]*\r\n", re.M)
_RECEIVED = re.compile(rb"\AReceived:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*")


class Sent:
    __slots__ = ("recipients", "digest", "fate", "state", "code")

    def __init__(self, recipients, digest, fate):
        self.recipients, self.digest, self.fate, self.state, self.code = recipients, digest, fate, OPEN, None


def as_sent(content):
    """(content without the relay's Received and the rig's stamps, the stamps)."""
    head, mark, body = content.partition(b"\r\n\r\n")
    head = _RECEIVED.sub(b"", head + b"\r\n", count=1)
    return _STAMP.sub(b"", head)[:-2] + mark + body, [line.strip() for line in _STAMP.findall(head)]


class History:
    def __init__(self, stamps=lambda recipient, stamps: True):
        """stamps: judges the X-Rig-* lines that a recipient's copy came with."""
        self._lock = threading.Lock()
        self._stamps = stamps
        self.messages = {}                                 # tag: Sent
        self._of = {}                                      # recipient: tag
        self.deliveries = collections.defaultdict(list)    # recipient: the era of each delivery
        self._waiting = set()                              # acknowledged and not delivered
        self.era = 0                                       # one more with every cut
        # by era: of those delivered by its end, whose rows still stood
        self._rows = []
        self.violations = []
        self.refusals = collections.Counter()

    # --- the clients' side ---
    def begin(self, tag, recipients, content, fate=DELIVER):
        with self._lock:
            self.messages[tag] = Sent(tuple(recipients), hashlib.sha256(content).digest(), fate)
            for recipient in recipients:
                self._of[recipient] = tag

    def dot(self, tag):
        """From now on the relay may have the whole message."""
        self.messages[tag].state = DOTTED

    def answered(self, tag, code):
        with self._lock:
            message = self.messages[tag]
            message.code = code
            message.state = ACKED if code == 250 else REFUSED
            if code != 250:
                self.refusals[code] += 1
            elif message.fate == DELIVER:
                self._waiting.update(r for r in message.recipients if r not in self.deliveries)
            if message.fate == REFUSE and code == 250:
                self._wrong(f"{tag}: accepted, and a rule refuses it")
            if message.fate != REFUSE and 500 <= code < 600:
                self._wrong(f"{tag}: answered {code}, and no rule refuses it")

    def broken(self, tag):
        """The connection ended without an answer: before the dot that is a refusal."""
        message = self.messages[tag]
        if message.state == OPEN:
            message.state = BROKEN

    # --- the sink's side ---
    def arrived(self, recipients, content, era):
        plain, stamps = as_sent(content)
        digest = hashlib.sha256(plain).digest()
        with self._lock:
            for recipient in recipients:
                message = self.messages.get(self._of.get(recipient))
                if not message:
                    self._wrong(f"{recipient}: nobody sent this: {content[:300]!r}")
                    continue
                if digest != message.digest:
                    self._wrong(f"{recipient}: not what was sent: {len(content)} octets, {content[:300]!r}")
                if not self._stamps(recipient, stamps):
                    self._wrong(f"{recipient}: stamped {stamps}")
                self.deliveries[recipient].append(era)
                self._waiting.discard(recipient)

    # --- the processes' side ---
    def cut(self, rows):
        """A process was cut down while `rows` (recipients) were in the queue; the sink has taken what was under way."""
        rows = set(rows)
        with self._lock:
            self._rows.append({r for r in rows if r in self.deliveries})
            self.era += 1
            for recipient in self._waiting - rows:
                self._wrong(f"{recipient}: lost at cut {self.era}")

    def doubtful(self):
        """Of the last cut: recipients delivered, whose row still stood."""
        return self._rows[-1]

    def waiting(self):
        """How many recipients of acknowledged messages are still to be served."""
        with self._lock:
            return len(self._waiting)

    def counts(self):
        with self._lock:
            by = collections.Counter(m.state for m in self.messages.values())
            twice = sum(len(eras) - 1 for eras in self.deliveries.values())
            return {"sent": len(self.messages), "acked": by[ACKED], "refused": by[REFUSED], "unknown": by[DOTTED],
                    "unfinished": by[BROKEN], "delivered": len(self.deliveries), "twice": twice}

    def _wrong(self, text):
        if len(self.violations) < 50:
            self.violations.append(text)

    def _excused(self, recipient, first, second):
        """Was its row there at every cut between the two deliveries?"""
        return first < second and all(recipient in self._rows[era] for era in range(first, second))

    def check(self):
        """To be called when the queue is empty: raises with every violation."""
        with self._lock:
            for tag, message in self.messages.items():
                for recipient in message.recipients:
                    eras = self.deliveries.get(recipient, [])
                    if message.state == ACKED and message.fate == DELIVER and not eras:
                        self._wrong(f"{recipient}: lost")
                    if eras and (message.state not in (ACKED, DOTTED) or message.fate != DELIVER):
                        self._wrong(
                            f"{recipient}: delivered, though it was {message.state} {message.code} ({message.fate})")
                    for first, second in zip(eras, eras[1:]):
                        if not self._excused(recipient, first, second):
                            self._wrong(
                                f"{recipient}: delivered twice (eras {first}, {second}) after its result was stored")
        self.check_violations()

    def check_violations(self):
        if self.violations:
            raise AssertionError("the history does not hold:\n" + "\n".join(self.violations))
