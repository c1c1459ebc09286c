"""What actions do to a message and its recipients: the second evaluator's edits, endings, demands and notices."""
import re

from evaluator_reading import Reading, Unmodelled
from evaluator_tests import Field
from evaluator_words import Address, a_labels, fold, like

PEERS = {"encrypt": 1, "verified": 2, "dane": 3, "requiretls": 2}
SEVERITIES = ["informational", "low", "medium", "high", "critical"]
USUAL = {"sender", "recipients", "subject", "cc", "bcc", "severity", "override", "rules", "detectors"}
BODY = {"append_disclaimer": 0, "prepend_disclaimer": 1}


class Deferred(Exception):
    pass


def in_a_line(text):
    """Foreign text in a report: nothing that breaks its line or turns it round."""
    text = re.sub("[\x00-\x1f\x7f-\x9f]", " ", text)
    return re.sub("[\u2028-\u202e\u2066-\u2069]", "?", text) or "(none)"


class Acting(Reading):
    """The actions of one rule at a time, for the recipients that it is carried out for."""

    def __init__(self, program, message, told, disclaimers):
        super().__init__(program, message, told)
        self.takes, self.wraps, self.disclaimers = told["takes"], told["wraps"], disclaimers
        self.hits, self.notes, self.notices, self.reports = {}, [], [], {}
        self.defer_with = None

    def hit(self, rule, bit):
        self.hits[rule.name] = self.hits.get(rule.name, 0) | bit

    def note(self, kind, rule, who, text):
        self.notes += [[kind, rule.name, m.text, text, len(self.members)] for m in who]

    @staticmethod
    def arguments(action, positional, named=()):
        out, rest = {}, list(positional)
        args = list(action["arguments"])
        while args:
            a = args.pop(0)
            if a["kind"] == "name" and a["value"] in set(named) | set(positional) and args:
                out[a["value"]] = args.pop(0)
                if a["value"] in rest:
                    rest.remove(a["value"])
            else:
                out[rest.pop(0)] = a
        return out

    def fill(self, rule, text, who):
        def value(m):
            if m[0] == "{{":
                return "{"
            if m[1] == "rule":
                return rule.name
            if m[1] == "sender":
                return self.message["from"] or "<>"
            return next((e[0]["text"] for e in self.instances("Subject", who)), "") if m[1] == "subject" else m[0]
        return re.sub(r"\{\{|\{([^}]*)\}", value, text)

    def target(self, asked, otherwise, who):
        """Whom a rule names, or a field says (the first that is there), or whom the rule names otherwise."""
        def delivered(text):                         # the local part as written; a domain is its A-labels
            local, _, domain = text.rpartition("@")
            return f"{local}@{a_labels(domain)}"
        if asked["kind"] == "text":
            return delivered(asked["value"])
        field = Field(self.program.rows, asked["value"])
        first = next((e for x in self.values(field, who).lists for e in x), None)
        a = first[0]["address"] if first else None
        if a and a.whole:
            return a.whole if field.several else delivered(a.text)
        return delivered(otherwise["value"]) if otherwise else None

    def next_clock(self, minute):
        local = self.message["now"] + self.message["offset"]
        at = local - local % 86400 + minute * 60
        return (at if at > local else at + 86400) - self.message["offset"]

    # Each: (rule, action, recipients, endings by recipient, who is to be added).
    def demand(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["level"], ["min"])
        level = a["level"]["value"] if "level" in a else "encrypt"
        floor = {None: 0, "1.2": 1, "1.3": 2}[a["min"]["value"] if "min" in a else None]
        for m in who:
            m.raise_to(PEERS[level], level == "requiretls", floor, rule.name)

    def answer(self, rule, action, who, endings, wanted):
        name = action["name"]
        a = self.arguments(action, ["text"], ["status", "code"])
        usual, status = {"reject": (550, [5, 7, 1]), "defer": (451, [4, 7, 1]), "disconnect": (421, [4, 7, 0])}[name]
        code = a["code"]["value"] if "code" in a else usual
        status = [int(x) for x in a["status"]["value"].split(".")] if "status" in a else status
        for m in who:
            if m in endings:
                continue
            text = self.fill(rule, a["text"]["value"], m) if "text" in a else "Closing the connection"
            reply = [code, status[0] * 1000000 + status[1] * 1000 + status[2], text]
            if name != "reject":
                self.hit(rule, 4)
                self.defer_with = self.defer_with or Deferred(rule, reply)
                endings[m] = {"defer": True}
            else:
                endings[m] = {"disposition": "reject", "reply": reply}

    def put_aside(self, rule, action, who, endings, wanted):
        a = self.arguments(action, [], ["reason"])
        for m in who:
            reason = self.fill(rule, a["reason"]["value"], m) if "reason" in a else ""
            endings.setdefault(m, {"disposition": action["name"], "reason": reason})

    def send_to(self, rule, action, who, endings, wanted):
        name = action["name"]
        a = self.arguments(action, ["place", "address"] if name == "add_recipient" else ["to"], ["otherwise"])
        asked = a.get("to") or a["address"]
        targets = [(m, self.target(asked, a.get("otherwise"), m)) for m in who]
        self.note("log", rule, [m for m, to in targets if not to], f"{name} left out: its to is absent")
        place = {"to": "To", "cc": "Cc"}.get(a["place"]["value"]) if "place" in a else None
        for m, to in targets:
            if not to or (name == "redirect" and Address(to).whole == m.address.whole):
                continue
            if place:
                m.edits += (("add_address", place, to),)
            wanted.append((self.members.index(m), len(wanted), to, m, name == "redirect"))
            if name == "redirect":
                endings.setdefault(m, {"disposition": "redirect", "target": Address(to).whole})

    def deliver_after(self, rule, action, who, endings, wanted):
        now = self.message["now"]
        when = max([now] + [now + x["value"] if x["kind"] == "duration" else self.next_clock(x["value"])
                            for x in action["arguments"]])
        for m in who:
            m.not_before = max(m.not_before, when)

    def route_via(self, rule, action, who, endings, wanted):
        for m in who:
            m.connector = self.arguments(action, ["connector"])["connector"]["value"]

    def log(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["text"])
        for m in who:
            self.note("log", rule, [m], self.fill(rule, a["text"]["value"], m))

    def mark(self, rule, action, who, endings, wanted):
        mark = self.arguments(action, ["mark"])["mark"]["value"]
        for m in who:
            m.marks.add(mark)
            m.shadow.add(mark)

    def stop(self, rule, action, who, endings, wanted):
        for m in who:
            endings.setdefault(m, {"stop": True})

    # --- headers
    def classify(self, rule, action, who, endings, wanted):
        value = str(action["arguments"][-1]["value"])
        said = {"set_importance": [("Importance", value), ("X-Priority", None), ("X-MSMail-Priority", None),
                                   ("Priority", None)],
                "set_scl": [("X-MS-Exchange-Organization-SCL", value)],
                "set_classification": [("X-Microsoft-Classified", "true"),
                                       ("X-Microsoft-Classification", value)]}[action["name"]]
        for m in who:
            m.edits += tuple(("set_header", h, v) if v else ("remove_header", h, "") for h, v in said)

    def write_header(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["name", "value"])
        for m in who:
            m.edits += ((action["name"], a["name"]["value"], self.fill(rule, a["value"]["value"], m)),)

    def remove_header(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["name"])
        for m in who:
            m.edits += (("remove_header", a["name"]["value"], ""),)

    def prepend_subject(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["text"])
        for m in who:
            m.edits += (("prepend_subject", "Subject", self.fill(rule, a["text"]["value"], m)),)

    # --- bodies
    def disclaimer(self, rule, action, who, endings, wanted):
        name, a = action["name"], self.arguments(action, ["text"], ["html", "fallback"])
        word = a["text"]["value"].split(":")[0]
        k = next(i for i, (text, _) in enumerate(self.disclaimers) if text.startswith(word))
        fallback = a["fallback"]["value"] if "fallback" in a else "wrap"
        if self.takes[k][BODY[name]]:
            for m in who:
                m.edits += ((name, "", word),)
        elif fallback == "skip":
            self.note("log", rule, who, f"{name} skipped: the message cannot be changed where it would be seen")
        elif fallback == "wrap" and self.wraps:
            for m in who:
                m.edits += ((name, "", word),)
        else:
            text = "A text must be added to this message, and it cannot be changed"
            for m in who:
                endings.setdefault(m, {"disposition": "reject", "reply": [550, 5006003, text]})

    def remove_attachment(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["name"], ["note"])
        asked = [e[0]["value"] for e in a["name"]["entries"]] if a.get("name", {}).get("kind") == "group" else \
            [a["name"]["value"]] if "name" in a else []
        names = self.as_told(Field(self.program.rows, "attachment.name"))
        if len(names.lists) > 1:
            raise Unmodelled
        for i, element in enumerate(names.lists[0]):
            seen = [fold(v["text"], True) for v in element] or [""]
            if not asked or any(like(fold(p, True)).fullmatch(n) for p in asked for n in seen):
                for m in who:
                    m.edits += (("remove_attachment", "", i),)

    # --- mail of the relay's own
    def notify(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["to", "text"])
        for m in who:
            to = self.target(a["to"], None, m)
            if to:
                self.tell(rule, "notify", m, to, a["text"]["value"])
            else:
                self.note("log", rule, [m], "notify left out: its to is absent")

    def notify_sender(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["text"])
        for m in who:
            if self.sender_is_inside():
                self.tell(rule, "notify_sender", m, self.message["from"], a["text"]["value"])
            else:
                self.note("log", rule, [m], "notify_sender left out: the sender is none of ours")

    def incident_report(self, rule, action, who, endings, wanted):
        a = self.arguments(action, ["to"], ["contents"])
        to, contents = self.target(a["to"], None, None), a.get("contents")
        words = USUAL if contents is None else \
            {e[0]["value"] for e in contents["entries"]} if contents["kind"] == "group" else {contents["value"]}
        if all([self.may_tell(rule, "incident_report", m, to) for m in who]):
            report = self.reports.setdefault(Address(to).whole, {"to": to, "rule": rule, "words": set()})
            report["words"] |= words

    def header_lines(self):
        head = self.message["content"].partition(b"\r\n\r\n")[0].decode(errors="replace")
        for line in re.sub("\r\n[ \t]", " ", head).split("\r\n"):
            name, _, value = line.partition(":")
            yield name.lower(), value.strip().lower()

    def is_automatic(self):
        """RFC 3834: no reverse-path, or Auto-Submitted that is not `no`."""
        return not self.message["from"] or any(n == "auto-submitted" and v != "no" for n, v in self.header_lines())

    def is_answered(self):
        return not self.is_automatic() and not any(
            n.startswith("list-") or n in ("x-autoreply", "x-autorespond") or
            (n == "precedence" and v in ("bulk", "list", "junk", "auto_reply")) for n, v in self.header_lines())

    def recipient_at(self, whole):
        return next((x for x in self.members if x.address.whole == whole), None)

    def may_tell(self, rule, action, m, to):
        whole = Address(to).whole
        if whole == self.sender.whole and not self.is_answered():
            self.note("log", rule, [m],
                      f"{action} left out: automatic mail, or mail of a list, is not answered (RFC 3834)")
        elif self.recipient_at(whole) and self.is_automatic():
            self.note("log", rule, [m],
                      f"{action} left out: the message is automatic and goes to the same address (RFC 3834)")
        else:
            return True
        return False

    def tell(self, rule, action, m, to, text):
        if not self.may_tell(rule, action, m, to):
            return
        whole = Address(to).whole
        there = self.recipient_at(whole)
        text = self.fill(rule, text, m)
        subject = next((e[0]["text"] for e in self.instances("Subject", m)), "").strip(" \t") or "(no subject)"
        if not any(x[:2] == [whole, text] for x in self.notices):
            self.notices.append([whole, text, rule.name, there.text if there else to, "Auto: " + subject, 0])

    def write_reports(self):
        """When all is decided.  What a report says is a dictionary here; of some parts only that they are there."""
        acted = [(r, self.hits.get(r.name, 0)) for r in self.program.rules if self.hits.get(r.name, 0) & (1 | 2 | 16)]
        for whole, report in self.reports.items():
            words, said = report["words"], {"Incident report of rule": report["rule"].name}
            said.update({x.capitalize(): None for x in words & {"cc", "bcc", "override", "detectors", "excerpts"}})
            if "sender" in words:
                said["Sender"] = self.message["from"] or "(none)"
            if "subject" in words:
                self.original = True
                subjects = [e[0]["text"] for e in self.instances("Subject", self.members[0])]
                self.original = False
                said["Subject"] = in_a_line(subjects[0]) if len(subjects) == 1 else None
            if "recipients" in words:
                said["Recipients"] = [f"{m.text} ({'added, ' * m.added}{m.disposition})" for m in self.members[:10]] + \
                    [f"and {len(self.members) - 10} more"] * (len(self.members) > 10)
            if "severity" in words:
                ranked = [r.options["severity"] for r, _ in acted if r.options["severity"]]
                ranked.sort(key=lambda s: -SEVERITIES.index(s) if s in SEVERITIES else 1)
                said["Severity"] = ranked[0] if ranked else "(none)"
            if "rules" in words:
                said["Rules"] = [r.name + " (audit, not carried out)" * (not what & 3) + f": {len(r.then)} actions"
                                 for r, what in acted]
            attached = 2 if "original" in words else 1 if "headers" in words else 0
            self.notices.append([whole, said, report["rule"].name, report["to"],
                                 f"Incident report: {report['rule'].name}", attached])

    DOES = {"require_tls": demand, "reject": answer, "defer": answer, "disconnect": answer, "drop": put_aside,
            "quarantine": put_aside, "hold": put_aside, "redirect": send_to, "copy": send_to, "add_recipient": send_to,
            "deliver_after": deliver_after, "route_via": route_via, "log": log, "mark": mark, "stop": stop,
            "set_importance": classify, "set_scl": classify, "set_classification": classify,
            "add_header": write_header, "set_header": write_header, "remove_header": remove_header,
            "prepend_subject": prepend_subject, "append_disclaimer": disclaimer, "prepend_disclaimer": disclaimer,
            "remove_attachment": remove_attachment, "notify": notify, "notify_sender": notify_sender,
            "incident_report": incident_report}

    def act(self, rule, action, who, endings, wanted):
        self.DOES[action["name"]](self, rule, action, who, endings, wanted)
