"""What rules read of one message: the second evaluator's facts, the copy that earlier rules changed, conditions.

One recipient at a time, one test at a time; nothing is clever.
"""
import functools
import re

from evaluator_tests import NOTHING, Field, Values, one, over_lists, quantified
from evaluator_words import A, E, F, T, U, Address, a_labels, both, domain_matches, either, negate

NAMES = {U: "unreadable", E: "unavailable", A: "disputed"}
UNIQUE = {"subject": "Subject", "message_id": "Message-ID"}
ADDRESSES = {"from": "From", "to": "To", "cc": "Cc", "reply_to": "Reply-To"}
SET_BY = {"importance": "Importance", "scl": "X-MS-Exchange-Organization-SCL",
          "classification": "X-Microsoft-Classification"}
DAYS = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"]     # from 1970-01-01 on
CLOCK = {"time": lambda local, now: {"number": local % 86400 // 60}, "date": lambda local, now: {"number": now},
         "weekday": lambda local, now: {"text": DAYS[local // 86400 % 7]}}
REPLY_MARK = re.compile(r"(?:re|fwd?|aw|wg|sv|vs|vb|vl|tr|rv|res|ref|antw|enc|odp|pd|rif|i|r|doorst)"
                        r"(?:[\[(^][^: ]*)?:", re.I)
NOTIFY_WORDS = ["never", "success", "failure", "delay"]          # RFC 3461, by bit


class Member:
    def __init__(self, text, added=False, at=-1):
        self.text, self.address, self.added, self.at = text, Address(text), added, at
        self.state, self.disposition, self.again, self.copied = "play", "deliver", False, False
        self.peer = self.floor = self.not_before = 0
        self.onward = False
        self.marks, self.shadow = set(), set()
        self.notify = []
        self.edits = ()
        self.rule = self.tls_rule = self.reason = self.connector = ""
        self.rule_index, self.reply, self.target = None, None, None

    def raise_to(self, peer, onward, floor, rule):
        was = (self.peer, self.onward, self.floor)
        self.peer, self.onward, self.floor = max(self.peer, peer), self.onward or onward, max(self.floor, floor)
        if was != (self.peer, self.onward, self.floor):
            self.tls_rule = rule


class Unmodelled(Exception):
    """What this evaluator knows nothing of: the pair is left out, and counted."""


class Reading:
    """One message before one program: what is known of it, and what its conditions come to."""

    def __init__(self, program, message, told):
        self.program, self.message = program, message
        self.facts, self.headers, self.raw = told["facts"], told["headers"], told["raw"]
        self.members = [Member(a) for a in message["to"]]
        for m, bits in zip(self.members, message["notify"]):
            m.notify = [w for i, w in enumerate(NOTIFY_WORDS) if bits >> i & 1]
        self.named = len(self.members)
        self.sender = Address(message["from"])
        self.original = self.audit = False      # the content as received; marks of rules that are only watched
        self.cache = {}
        self.relay = (program.declared.get("relay") or [[]])[0]
        self.internal = self.domains(program.setting(self.relay, "internal"))
        self.partners = [d for c in program.declared.get("connector", []) if program.setting(c, "tls") == "verified"
                         for d in self.domains(program.setting(c, "domains"))]

    def domains(self, name):
        return [a_labels(v["value"]) for v in self.program.elements(name)] if name else []

    # --- facts
    def is_inside(self, domain):
        return any(domain_matches(d, domain) for d in self.internal)

    def sender_is_inside(self):
        ours = self.message["trusted"] or self.message["user"]
        return bool(ours) and self.is_inside(self.sender.domain)

    def values(self, field, who):
        key = (field.name, field.text, None if self.original else who.edits)
        if field.of_recipient or field.name == "recipient_count":
            return self.read(field, who)
        if key not in self.cache:
            self.cache[key] = self.read(field, who)
        return self.cache[key]

    def read(self, field, who):
        name = field.name
        if name == "sender":
            return one(address=self.sender, text=self.message["from"]) if self.message["from"] else NOTHING
        if name == "recipient":
            return one(address=who.address, text=who.text)
        if name == "sender.scope":
            return one(text="inside" if self.sender_is_inside() else "outside")
        if name == "recipient.scope":
            domain = who.address.domain
            partner = any(domain_matches(d, domain) for d in self.partners)
            return one(text="inside" if self.is_inside(domain) else "partner" if partner else "outside")
        if name == "direction":
            a, b = self.sender_is_inside(), self.is_inside(who.address.domain)
            return one(text={(1, 1): "internal", (1, 0): "outbound", (0, 1): "inbound", (0, 0): "relay"}[a, b])
        if name == "marked":
            return one(number=int(field.text in (who.shadow if self.audit else who.marks)))
        if name == "recipient_count":
            return one(number=len(self.members))
        if name == "recipient.dsn_notify":
            return Values([[[{"text": w}] for w in who.notify]])
        if name in CLOCK:
            return one(**CLOCK[name](self.message["now"] + self.message["offset"], self.message["now"]))
        if name in SET_BY and not self.original:
            said = [v for kind, header, v in who.edits if kind == "set_header" and header == SET_BY[name]]
            if said:
                return one(number=int(said[-1])) if name == "scl" else one(text=said[-1])
        if name in UNIQUE:
            all_views = [dict(v, absent=not v["text"] and not v.get("partial"))
                         for e in self.instances(UNIQUE[name], who) for v in e]
            return Values([[all_views]]) if not all(v["absent"] for v in all_views) else NOTHING
        if name == "header":
            return Values([self.instances(field.text, who)])
        if name == "header.raw":
            return self.raw_values(field.text, who)
        if name in ADDRESSES and not self.original and any(k in (ADDRESSES[name], None) for _, k, _ in who.edits):
            return self.edited_addresses(ADDRESSES[name], who, self.as_told(field))
        return self.as_told(field)

    def raw_values(self, name, who):
        """As it stands on the wire.  Of what rules wrote that is known where it is short and ASCII."""
        told = self.raw[next(k for k in self.raw if k.lower() == name.lower())]
        edits = () if self.original else who.edits
        if not any(header.lower() == name.lower() for _, header, _ in edits):
            return Values([[e["views"] for e in told["elements"]]], told.get("trouble"))
        shown = []
        for element, origin in self.fields(name, edits):
            text = element[0]["text"]
            if origin == "new" and text.isascii() and len(name) + len(text) < 70 and "  " not in text:
                shown.append([{"text": text}])
            elif origin == "old" and not any(k in ("set_header", "remove_header", "prepend_subject", "add_address") and
                                             h.lower() == name.lower() for k, h, _ in edits):
                shown.append(told["elements"][len([1 for _, o in self.fields(name, ()) if o]) - len(told["elements"]) +
                                              sum(1 for x in shown if x and x[0].get("old"))]["views"])
                shown[-1] = [dict(v, old=True) for v in shown[-1]]
            else:
                raise Unmodelled
        return Values([shown], told.get("trouble"))

    def as_told(self, field):
        told = self.facts[field.name]
        lists = [[] for _ in range(told["lists"])]
        for e in told["elements"]:
            views_ = e["views"]
            if field.row["type"] == "address":
                views_ = [dict(v, address=Address(v["text"], v["name"])) for v in views_]
            lists[e["list"]].append(views_)
        return Values(lists, told.get("trouble"))

    # --- what earlier rules changed
    def instances(self, name, who):
        """The header's fields of that name, each a list of views, in the order of the copy."""
        return [e for e, _ in self.fields(name, () if self.original else who.edits)]

    def fields(self, name, edits):
        key = next((k for k in self.headers if k.lower() == name.lower()), None)
        if key is None:
            raise KeyError(f"the driver was not asked for header {name}")
        old, new = [(e, "old") for e in self.headers[key]], []
        for kind, header, value in edits:
            if header.lower() != name.lower():
                continue
            if kind == "add_header":
                new.append(([{"text": value.strip(" \t")}], "new"))
            elif kind == "add_address":              # all instances in one, and this address behind them
                shown = [e[0]["text"] for e, _ in new + old if e[0]["text"]]
                made = ([{"text": ", ".join(shown + [value])}], "new")
                old, new = ([], [made]) if new or not old else ([made], [])
            elif kind in ("set_header", "remove_header"):
                if kind == "set_header":
                    made = ([{"text": value.strip(" \t")}], "new")
                    if new:
                        new[0] = made
                    elif old:
                        old[0] = made
                    else:
                        new.append(made)
                    first_new = bool(new)
                    new, old = new[:1], [] if first_new else old[:1]
                else:
                    old, new = [], []
            else:
                old, new = self.prepend(old, new, value)
        return new + old

    @staticmethod
    def prepend(old, new, value):
        """Before each subject, unless it begins so already, behind Re: and the like too."""
        if not new + old:
            return old, [([{"text": value.strip(" \t")}], "new")]
        wanted = value.strip().lower()

        def marked(element, origin):
            seen, rest = element[0]["text"], element[0]["text"].strip()
            while REPLY_MARK.match(rest):
                rest = REPLY_MARK.sub("", rest, count=1).strip()
            if seen.lower().startswith(wanted) or rest.lower().startswith(wanted):
                return element, origin
            return [dict(v, text=(value + v["text"]).strip(" \t")) for v in element], origin
        return [marked(*x) for x in old], [marked(*x) for x in new]

    def edited_addresses(self, name, who, told):
        lists = list(told.lists) if self.headers[name] else []
        fresh = []
        for kind, header, value in who.edits:
            if header is None or header.lower() != name.lower():
                continue
            made = [[{"text": value, "address": Address(value)}]]
            if kind == "add_header":
                fresh.append(made)
            elif kind == "set_header":
                lists, fresh = [], [made]
            elif kind == "add_address":
                lists, fresh = [], [[e for x in fresh + lists for e in x] + made]
            else:
                lists, fresh = [], []
        return Values(fresh + lists or [[]])

    # --- the clock
    def span(self, v):
        """A literal as the numbers that are equal to it: a date is its whole day or minute."""
        if v["kind"] != "date":
            return v["value"], v["value"]
        low = v["value"] - (0 if v["utc"] else self.message["offset"])
        return low, low + (86399 if v["day"] else 59)

    # --- conditions
    def condition(self, c, who, inside=None):
        kind = c["kind"]
        if kind == "always":
            return T
        if kind == "and":
            return both(self.condition(c["left"], who, inside), self.condition(c["right"], who, inside))
        if kind == "or":
            return either(self.condition(c["left"], who, inside), self.condition(c["right"], who, inside))
        if kind == "not":
            return negate(self.condition(c["inner"], who, inside))
        if kind == "where":
            return self.where(c, who)
        fields = c["fields"]
        if not c.get("verb") and not inside and fields[0]["name"] in self.program.defines:
            return self.condition(self.program.defines[fields[0]["name"]], who)
        answers = [self.test(f, c.get("verb"), who, inside) for f in fields]
        return functools.reduce(both if c.get("connective") == "and" else either, answers)

    def test(self, field, verb, who, inside):
        if not inside:
            return self.program.test(field, verb, alike=self.alike).answer(self, who)
        name, element, recipient = inside
        t = self.program.test(field, verb, name, self.alike)
        # of a field whose parts are fields of their own: the same element there
        if isinstance(element, int):
            values = self.values(t.field, who)
            there = [e for x in values.lists for e in x]
            if element >= len(there) and values.trouble != F:
                return values.trouble
            element = there[element] if element < len(there) else []
        if recipient:
            return t.single(self, self.values(t.field, recipient), None)
        return t.element(self, element, None)

    def where(self, c, who):
        if c["name"] == "recipient":
            answers = [self.condition(c["inner"], who, ("recipient", None, m)) for m in self.members]
            return quantified(c["quantifier"], answers)
        values = self.values(Field(self.program.rows, c["name"]), who)
        if c["name"] == "attachment":
            values = Values([list(range(values.n))], NAMES.get(values.trouble))
        return over_lists(c["quantifier"], values, lambda e: self.condition(c["inner"], who, (c["name"], e, None)))

    def whole(self, rule, who):
        self.alike = rule.options["confusables"] == "fold"
        x = self.condition(rule.when, who)
        for c in rule.unless:
            x = both(x, negate(self.condition(c, who)))
        return x
