"""A second evaluator of the rule language, naive, from the tree of a rule set and the facts of a message as text.

Written from the language's definition (sections 2 to 4); shares no code with the product.  One recipient at a time, one
test at a time; nothing is clever.
"""
import functools
import re

from evaluator_tests import NOTHING, Field, Program, Values, one, over_lists, quantified
from evaluator_words import A, E, F, T, U, Address, a_labels, both, domain_matches, either, fold, like, negate

DISCLAIMERS = None      # those of evaluator_generate: set by whoever runs this

# --- one message -----------------------------------------------------------------------------------------------------

NAMES = {U: "unreadable", E: "unavailable", A: "disputed"}
UNIQUE = {"subject": "Subject", "message_id": "Message-ID"}
ADDRESSES = {"from": "From", "to": "To", "cc": "Cc", "reply_to": "Reply-To"}
KEPT = ("quarantine", "hold")
SET_BY = {"importance": "Importance", "scl": "X-MS-Exchange-Organization-SCL",
          "classification": "X-Microsoft-Classification"}
DAYS = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"]     # from 1970-01-01 on
CLOCK = {"time": lambda local, now: {"number": local % 86400 // 60}, "date": lambda local, now: {"number": now},
         "weekday": lambda local, now: {"text": DAYS[local // 86400 % 7]}}
PEERS = {"encrypt": 1, "verified": 2, "dane": 3, "requiretls": 2}
REPLY_MARK = re.compile(r"(?:re|fwd?|aw|wg|sv|vs|vb|vl|tr|rv|res|ref|antw|enc|odp|pd|rif|i|r|doorst)"
                        r"(?:[\[(^][^: ]*)?:", re.I)


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


class Deferred(Exception):
    pass


class Unmodelled(Exception):
    """What this evaluator knows nothing of: the pair is left out, and counted."""


NOTIFY_WORDS = ["never", "success", "failure", "delay"]          # RFC 3461, by bit
TELLS = ("log", "notify", "notify_sender", "incident_report")
SEVERITIES = ["informational", "low", "medium", "high", "critical"]
USUAL = {"sender", "recipients", "subject", "cc", "bcc", "severity", "override", "rules", "detectors"}
BODY = {"append_disclaimer": 0, "prepend_disclaimer": 1}


def in_a_line(text):
    """Foreign text in a report: nothing that breaks its line or turns it round."""
    text = re.sub("[\x00-\x1f\x7f-\x9f]", " ", text)
    return re.sub("[\u2028-\u202e\u2066-\u2069]", "?", text) or "(none)"


class Context:
    """One message before one program."""

    def __init__(self, program, message, told):
        self.program, self.message = program, message
        self.facts, self.headers, self.raw = told["facts"], told["headers"], told["raw"]
        self.takes, self.wraps = told["takes"], told["wraps"]
        self.members = [Member(a) for a in message["to"]]
        for m, bits in zip(self.members, message["notify"]):
            m.notify = [w for i, w in enumerate(NOTIFY_WORDS) if bits >> i & 1]
        self.notices, self.reports = [], {}
        self.named = len(self.members)
        self.original = self.audit = False
        self.hits, self.notes, self.trace, self.acted = {}, [], [], []
        self.sender = Address(message["from"])
        self.cache = {}
        relay = (program.declared.get("relay") or [[]])[0]
        self.internal = self.domains(program.setting(relay, "internal"))
        self.partial_reject = program.setting(relay, "partial_reject")
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

    # --- rules
    def applies_now(self, rule):
        now, o = self.message["now"], rule.options
        if o["mode"] == "off":
            return 1
        if o["effective"] and now < self.span(o["effective"])[0]:
            return 2
        if o["expires"] and now >= self.span(o["expires"])[0]:
            return 3
        return 0

    def run(self):
        try:
            for i, rule in enumerate(self.program.rules):
                self.rule(i, rule)
            self.second()
        except Deferred as d:
            return self.deferred(d)
        return self.finish()

    def hit(self, rule, bit):
        self.hits[rule.name] = self.hits.get(rule.name, 0) | bit

    def rule(self, i, rule):
        state = self.applies_now(rule)
        self.audit = rule.audit
        playing = [m for m in self.members if m.state == "play" and m.at < i]
        kept = [m for m in self.members if m.state == "final" and m.disposition in KEPT]
        if state == 0 and not playing + kept:
            state = 4
        if state:
            self.trace.append([i, state, 0, ""])
            return
        answers = {m: self.whole(rule, m) for m in self.members if m in playing or m in kept}
        self.trace.append([i, 0, 0, "".join(answers.get(m, "-") for m in self.members)])
        if any(x in (A, U, E) for x in answers.values()):
            self.hit(rule, 8)
        unavailable = any(answers[m] == E for m in playing)
        if unavailable and not rule.audit and rule.options["on_error"] == "defer":
            self.hit(rule, 4)
            raise Deferred(rule, [451, 4003000, None])
        plan = []
        for m, x in answers.items():
            manner = self.manner(rule, x)
            if m in kept and manner:
                manner = "protect"
            plan.append((m, manner))
        plan = [(m, manner) for m, manner in plan if manner]
        (self.record if rule.audit else self.enforce)(i, rule, plan)

    @staticmethod
    def manner(rule, x):
        if x == T:
            return "all"
        if x == A:
            return "strict"
        if x == U:
            return {"apply": "all", "skip": None, "hold": "hold", "protect": "protect"}[rule.options["on_unreadable"]]
        if x == E and not rule.audit and rule.options["on_error"] == "apply":
            return "all"
        return None

    def counts(self, action, manner):
        guard = self.program.rows["action " + action["name"]]["guard"]
        return manner == "all" or guard == "protects" or (manner == "strict" and guard != "relaxes")

    def enforce(self, i, rule, plan):
        endings, wanted, acted = {}, [], False
        self.current = rule
        for action in rule.then:
            who = [m for m, manner in plan if self.counts(action, manner)]
            if who:
                acted = True
                self.acted += [[i, action["name"], self.members.index(m), 0] for m in who]
                self.act(i, rule, action, who, endings, wanted)
        for m, manner in plan:
            if manner == "hold":
                acted = True
                endings.setdefault(m, {"disposition": "hold", "reason": "content that could not be read"})
        if acted:
            self.hit(rule, 1)
        self.rule_over(i, rule, endings, wanted)

    def record(self, i, rule, plan):
        tells = rule.options["mode"] == "audit_and_notify"
        for action in rule.then:
            who = [m for m, manner in plan if self.counts(action, manner)]
            if not who:
                continue
            self.hit(rule, 16)
            done = action["name"] in TELLS and tells
            self.acted += [[i, action["name"], self.members.index(m), 0 if done else 1] for m in who]
            if action["name"] == "mark":
                for m in who:
                    m.shadow.add(action["arguments"][-1]["value"])
            elif done:
                self.act(i, rule, action, who, {}, [])
            else:
                self.note("audit", rule, who, None)
        held = [m for m, manner in plan if manner == "hold"]
        if held:
            self.hit(rule, 16)
            self.note("audit", rule, held, None)

    def note(self, kind, rule, who, text):
        self.notes += [[kind, rule.name, m.text, text, len(self.members)] for m in who]

    # --- actions
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

    def act(self, i, rule, action, who, endings, wanted):
        name = action["name"]
        if name == "require_tls":
            a = self.arguments(action, ["level"], ["min"])
            level = a["level"]["value"] if "level" in a else "encrypt"
            floor = {None: 0, "1.2": 1, "1.3": 2}[a["min"]["value"] if "min" in a else None]
            for m in who:
                m.raise_to(PEERS[level], level == "requiretls", floor, rule.name)
        elif name in ("reject", "defer", "disconnect"):
            a = self.arguments(action, ["text"], ["status", "code"])
            usual, status = {"reject": (550, [5, 7, 1]), "defer": (451, [4, 7, 1]),
                             "disconnect": (421, [4, 7, 0])}[name]
            code = a["code"]["value"] if "code" in a else usual
            status = [int(x) for x in a["status"]["value"].split(".")] if "status" in a else status
            for m in who:
                if m in endings:
                    continue
                text = self.fill(rule, a["text"]["value"], m) if "text" in a else "Closing the connection"
                reply = [code, status[0] * 1000000 + status[1] * 1000 + status[2], text]
                if name != "reject":
                    self.hit(rule, 4)
                    self.defer_with = getattr(self, "defer_with", None) or Deferred(rule, reply)
                    endings[m] = {"defer": True}
                else:
                    endings[m] = {"disposition": "reject", "reply": reply}
        elif name in ("drop", "quarantine", "hold"):
            a = self.arguments(action, [], ["reason"])
            for m in who:
                reason = self.fill(rule, a["reason"]["value"], m) if "reason" in a else ""
                endings.setdefault(m, {"disposition": name, "reason": reason})
        elif name in ("redirect", "copy", "add_recipient"):
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
        elif name == "deliver_after":
            when = self.message["now"]
            for x in action["arguments"]:
                when = max(when,
                           self.message["now"] + x["value"] if x["kind"] == "duration" else self.next_clock(x["value"]))
            for m in who:
                m.not_before = max(m.not_before, when)
        elif name in ("set_importance", "set_scl", "set_classification"):
            value = str(action["arguments"][-1]["value"])
            said = {"set_importance": [("Importance", value), ("X-Priority", None), ("X-MSMail-Priority", None),
                                       ("Priority", None)],
                    "set_scl": [("X-MS-Exchange-Organization-SCL", value)],
                    "set_classification": [("X-Microsoft-Classified", "true"),
                                           ("X-Microsoft-Classification", value)]}[name]
            for m in who:
                m.edits += tuple(("set_header", h, v) if v else ("remove_header", h, "") for h, v in said)
        elif name == "route_via":
            for m in who:
                m.connector = self.arguments(action, ["connector"])["connector"]["value"]
        elif name in ("add_header", "set_header"):
            a = self.arguments(action, ["name", "value"])
            for m in list(who):
                m.edits += ((name, a["name"]["value"], self.fill(rule, a["value"]["value"], m)),)
        elif name == "remove_header":
            a = self.arguments(action, ["name"])
            for m in who:
                m.edits += ((name, a["name"]["value"], ""),)
        elif name == "prepend_subject":
            a = self.arguments(action, ["text"])
            for m in list(who):
                m.edits += ((name, "Subject", self.fill(rule, a["text"]["value"], m)),)
        elif name == "log":
            a = self.arguments(action, ["text"])
            for m in who:
                self.note("log", rule, [m], self.fill(rule, a["text"]["value"], m))
        elif name == "mark":
            for m in who:
                m.marks.add(self.arguments(action, ["mark"])["mark"]["value"])
                m.shadow.add(self.arguments(action, ["mark"])["mark"]["value"])
        elif name in BODY:
            a = self.arguments(action, ["text"], ["html", "fallback"])
            self.disclaimer(name, a, who, endings)
        elif name == "remove_attachment":
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
                        m.edits += ((name, "", i),)
        elif name == "notify":
            a = self.arguments(action, ["to", "text"])
            for m in list(who):
                to = self.target(a["to"], None, m)
                if to:
                    self.tell(rule, name, m, to, a["text"]["value"])
                else:
                    self.note("log", rule, [m], "notify left out: its to is absent")
        elif name == "notify_sender":
            a = self.arguments(action, ["text"])
            for m in who:
                if self.sender_is_inside():
                    self.tell(rule, name, m, self.message["from"], a["text"]["value"])
                else:
                    self.note("log", rule, [m], "notify_sender left out: the sender is none of ours")
        elif name == "incident_report":
            a = self.arguments(action, ["to"], ["contents"])
            to, contents = self.target(a["to"], None, None), a.get("contents")
            words = USUAL if contents is None else \
                {e[0]["value"] for e in contents["entries"]} if contents["kind"] == "group" else {contents["value"]}
            if all([self.may_tell(rule, name, m, to) for m in who]):
                report = self.reports.setdefault(Address(to).whole, {"to": to, "rule": rule, "words": set()})
                report["words"] |= words
        elif name == "stop":
            for m in who:
                endings.setdefault(m, {"stop": True})
        else:
            raise KeyError(f"no action {name} here")

    # --- what goes into bodies, and mail of the relay's own
    def disclaimer(self, name, a, who, endings):
        word = a["text"]["value"].split(":")[0]
        k = next(i for i, (text, _) in enumerate(DISCLAIMERS) if text.startswith(word))
        fallback = a["fallback"]["value"] if "fallback" in a else "wrap"
        if self.takes[k][BODY[name]]:
            for m in who:
                m.edits += ((name, "", word),)
        elif fallback == "skip":
            self.note("log", self.current, who, f"{name} skipped: the message cannot be changed where it would be seen")
        elif fallback == "wrap" and self.wraps:
            for m in who:
                m.edits += ((name, "", word),)
        else:
            text = "A text must be added to this message, and it cannot be changed"
            for m in who:
                endings.setdefault(m, {"disposition": "reject", "reply": [550, 5006003, text]})

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

    def rule_over(self, i, rule, endings, wanted):
        if getattr(self, "defer_with", None):
            raise self.defer_with
        for m, e in endings.items():
            m.state = "stopped" if e.get("stop") else "final"
            if e.get("stop"):
                continue
            m.disposition, m.rule, m.rule_index = e["disposition"], rule.name, i
            m.reason, m.reply, m.target = e.get("reason", ""), e.get("reply"), e.get("target")
        groups = {}
        for _, _, to, m, redirect in sorted(wanted, key=lambda w: w[:2]):
            groups.setdefault(Address(to).whole, []).append((to, m, redirect))
        for whole, asked in groups.items():
            there = next((m for m in self.members if m.address.whole == whole), None)
            x = there
            if not there:
                x = Member(asked[0][0], True, i)
                origin = asked[0][1]
                x.edits, x.marks, x.shadow = origin.edits, set(origin.marks), set(origin.shadow)
                self.members.append(x)
            for _, m, redirect in asked:
                x.raise_to(m.peer, m.onward, m.floor, m.tls_rule)
                x.copied = x.copied or not redirect or (m.added and m.copied)
            if there and x.state == "final" and x.disposition == "redirect":
                x.state, x.disposition, x.rule, x.target, x.at, x.again = "play", "deliver", "", None, i, True

    def second(self):
        """Of the rules up to the one that added them, added recipients get what protects, by the content as
        received."""
        self.audit, self.original = False, True
        if not any(m.added or m.again for m in self.members):
            self.original = False
            return
        for i, rule in enumerate(self.program.rules):
            who = [m for m in self.members if (m.added or m.again) and m.at >= i]
            if rule.audit or self.applies_now(rule) or not who:
                continue
            answers = {m: self.whole(rule, m) for m in who}
            self.trace.append([i, 0, 1, "".join(answers.get(m, "-") for m in self.members)])
            for action in rule.then:
                hit = [m for m in who if answers[m] != F]
                if action["name"] == "require_tls" and hit:
                    self.hit(rule, 1)
                    self.acted += [[i, action["name"], self.members.index(m), 0] for m in hit]
                    self.act(i, rule, action, hit, {}, [])
        self.original = False

    # --- one reply serves all
    def deferred(self, d):
        rule, reply = d.args
        hits = {k: v & ~1 for k, v in self.hits.items()}
        return {"answer": "defer", "rule": rule.name, "reply": reply, "recipients": [], "notes": [], "notices": [],
                "hits": {k: v for k, v in hits.items() if v}}

    def end_of(self, m):
        while m.disposition == "redirect":
            m = next(x for x in self.members if x.address.whole == m.target)
        return m

    def finish(self):
        for m, end in [(m, self.end_of(m)) for m in self.members]:
            if m is not end and end.disposition in ("reject", "drop"):
                m.fate = end
        for m in self.members:
            end = getattr(m, "fate", None)
            if end:
                m.disposition, m.rule, m.rule_index, m.reply = end.disposition, end.rule, end.rule_index, end.reply
        named = self.members[:self.named]
        refused = [m for m in named if m.disposition == "reject"]
        for m in refused:
            rule = self.program.rules[m.rule_index]
            self.hit(rule, 2)
        out = {"answer": "accept"}
        if refused:
            first = min(refused, key=lambda m: m.rule_index)
            ours = self.message["trusted"] or self.message["user"]
            policy = self.partial_reject or ("dsn" if ours else "whole")
            if len(refused) == len(named):
                out = {"answer": "reject", "rule": first.rule, "reply": first.reply}
            elif policy == "drop":
                for m in refused:
                    m.disposition = "drop"
            elif policy == "whole":
                names = ", ".join(m.text for m in refused)
                out = {"answer": "reject", "rule": first.rule,
                       "reply": first.reply[:2] + [f"{first.reply[2]} (refused for {names})"]}
                self.refuse_whole(first)
        out["recipients"] = [self.recipient(m) for m in self.members]
        out["hits"] = {k: v for k, v in self.hits.items() if v}
        self.write_reports()
        out["notes"], out["notices"] = self.notes, self.notices
        return out

    def refuse_whole(self, first):
        """Nobody the client named gets it, nor anybody in their place: only copies go on."""
        def refuse(m):
            m.disposition, m.rule, m.reply = "reject", first.rule, first.reply
        for m in self.members:
            if m.disposition != "reject" and not (m.added and m.copied):
                refuse(m)
        again = True
        while again:
            again = False
            for m in self.members[self.named:]:
                target = next((x for x in self.members if x.address.whole == m.target), None)
                if m.disposition == "redirect" and target.disposition == "reject":
                    refuse(m)
                    again = True

    def recipient(self, m):
        end = self.end_of(m)
        copy = {}
        if end.disposition in ("deliver", "quarantine", "hold"):
            copy = {h: [[v["text"] for v in e] for e, _ in self.fields(h, end.edits)] for h in self.headers}
            copy[" texts"] = sorted({v for k, _, v in end.edits if k in BODY})
            copy[" removed"] = sorted({v for k, _, v in end.edits if k == "remove_attachment"})
        return {"address": m.text, "added": m.added, "disposition": m.disposition, "peer": m.peer, "onward": m.onward,
                "floor": m.floor, "not_before": m.not_before, "connector": m.connector, "rule": m.rule,
                "tls_rule": m.tls_rule, "reason": m.reason,
                "reply": m.reply if m.disposition == "reject" else None, "copy": copy}
