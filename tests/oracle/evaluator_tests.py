"""The second evaluator's fields, values, tests and programs (sections 2 and 3 of the language)."""
import functools
import ipaddress
import re

from evaluator_looks import look
from evaluator_words import (E, F, T, TROUBLE, U, a_labels, address_matches, both, count, domain_matches, either, fold,
                             fold_case, like, lower, negate, places, u_labels, views)

# --- values ----------------------------------------------------------------------------------------------------------

PARTS = {"address": "address", "local": "text", "domain": "domain", "name": "text"}


class Field:
    """A row, and the part of it that a dotted name means."""

    def __init__(self, rows, name, text=None):
        self.row, self.part = rows.get(name), None
        if not self.row:
            base, _, self.part = name.rpartition(".")
            self.row = rows[base]
        self.name, self.text = self.row["name"], text
        self.type = PARTS[self.part] if self.part else self.row["type"]
        self.several = self.row["of"] == "element"
        self.of_recipient = self.row["of"] == "recipient"

    def readings(self, view):
        """The texts that a text test looks at, folded; beside them as decoded, for patterns."""
        if self.row["type"] != "address":
            return [(fold(view["text"]), view["text"])]
        a = view["address"]
        if self.part == "name":
            return [(fold(a.name), a.name)]
        if self.part == "local":
            return [(a.local, a.local)]
        if self.part == "domain":
            return [(u_labels(a.domain), u_labels(a.domain))]
        if self.part == "address":
            return [(a.shown, a.shown)]
        return [(fold(a.text), a.text), (a.shown, a.shown)]

    @property
    def is_seen(self):
        """By readers, so that it can look like something; not what only programs compare."""
        return self.row["type"] == "text" or (self.row["type"] == "address" and self.part in (None, "name"))

    def looks(self, view):
        """The texts as they look."""
        if not self.is_seen:
            return []
        a = view.get("address")
        return [look(view["text"] if self.row["type"] == "text" else a.name if self.part else a.text)]

    def needle(self, text, reading, trim):
        if self.row["type"] != "address" or self.part == "name" or (self.part is None and reading == 0):
            return fold(text, trim)
        return lower(text) if self.part == "domain" else fold_case(text)

    def is_there(self, view):
        if view.get("absent"):
            return False
        if self.row["type"] != "address" or self.part is None:
            return True
        a = view["address"]
        return bool({"address": a.whole, "local": a.local, "domain": a.domain, "name": a.name}[self.part])

    def is_partial(self, view, whole_address):
        if self.row["type"] == "address" and not (self.part == "name" or (self.part is None and not whole_address)):
            return False                            # of an address only the display name can fail to be read
        return view.get("partial", False)


class Values:
    """All that a field says: lists (readings of the whole) of elements of views."""

    def __init__(self, lists, trouble=None):
        self.lists, self.trouble = lists, TROUBLE[trouble]
        self.n = sum(len(x) for x in lists)


def one(**view):
    return Values([[[view]]])


NOTHING = Values([[]])

# --- tests -----------------------------------------------------------------------------------------------------------


class Test:
    """One field and a verb, inside `where` or not."""

    def __init__(self, program, field, quantifier, verb, alike):
        self.program, self.field, self.quantifier, self.verb, self.alike = program, field, quantifier, verb, alike
        self.negated = bool(verb) and verb["negated"]
        self.kind = verb["kind"] if verb else "bare"
        self.right = self.live = None
        if self.kind == "is absent":
            self.kind, self.negated = "is present", not self.negated
        value = (verb or {}).get("value")
        only = (verb or {}).get("set") or []
        if value and value["kind"] == "field" and not self.is_word(value):
            self.right = Field(program.rows, value["name"], value.get("text"))
        elif len(only) == 1 and only[0]["kind"] == "field" and only[0]["name"] in program.live:
            self.live = only[0]["name"]
        elif len(only) == 1 and only[0]["kind"] == "field" and not self.is_word(only[0]) and \
                only[0]["name"] not in program.lists:
            self.right = Field(program.rows, only[0]["name"], only[0].get("text"))
        self.values = [] if self.right or self.live or not verb else self.constants()

    def is_word(self, value):
        return self.field.type == "word" and value["name"] in self.field.row["words"].split()

    def constants(self):
        out = []
        for v in self.verb.get("set") or [x for x in (self.verb.get("value"), self.verb.get("value2")) if x]:
            if v["kind"] != "field":
                out.append(v)
            elif self.is_word(v):
                out.append({"kind": "word", "value": v["name"]})
            else:
                out += self.program.elements(v["name"])
        return out

    # one view
    def says(self, ctx, view, right):
        if self.kind == "bare":
            return T if view["number"] else F
        there = self.field.is_there(view)
        if self.kind == "is present":
            return T if there else F
        partial = self.field.is_partial(view, self.kind in ("is", "is any of", "is in"))
        if not there:
            return U if partial else F
        if (self.verb or {}).get("detector"):
            return self.says_detector(view, partial)
        if self.live:
            x = self.says_live(ctx, view)
        elif right is not None:
            x = self.says_field(view, right)
        elif self.kind == "matches":
            x = T if self.says_pattern(view) else F
        elif self.kind in ("contains", "is like", "starts with", "ends with") or \
                (self.field.type == "text" and self.kind in ("is", "is any of", "is in")):
            return self.says_text(view, partial)
        else:
            x = T if self.says_value(ctx, view) else F
        return U if x == F and partial else x

    def relate(self, text, needle):
        if not needle:
            return False
        if self.kind in ("is", "is any of", "is in"):
            return text.strip(" ") == needle
        if self.kind == "is like":
            return bool(like(needle).fullmatch(text.strip(" ")))
        if self.kind == "starts with":
            return text.startswith(needle)
        if self.kind == "ends with":
            return text.endswith(needle)
        return any(True for _ in places(text, needle, self.verb.get("word", False)))

    def says_text(self, view, partial):
        trim = self.kind in ("is", "is any of", "is in", "is like")
        plain = len(self.field.readings(view))
        texts = [text for text, _ in self.field.readings(view)] + (self.field.looks(view) if self.alike else [])
        hits = 0

        def needle_of(written, i, trimmed):
            return look(written, trimmed) if i >= plain else self.field.needle(written, i, trimmed)
        if "least" in self.verb and not self.verb.get("set"):
            needle = self.values[0]["value"]
            n = max(count(text, needle_of(needle, i, False), self.verb.get("word", False))
                    for i, text in enumerate(texts))
            most = self.verb.get("most")
            if most is not None and n > most:
                return F
            if partial and (most is not None or n < self.verb["least"]):
                return U
            return T if n >= self.verb["least"] else F
        for v in self.values:
            hits += any(self.relate(text, needle_of(v["value"], i, trim)) for i, text in enumerate(texts))
        want = {"all": len(self.values), "at least": self.verb.get("least")}.get(self.verb.get("many"), 1)
        return T if hits >= want else U if partial else F

    def says_detector(self, view, partial):
        """Different finds that are sure enough, in the reading that has most of them."""
        wanted = next((a["value"] for a in self.verb["arguments"] if a["kind"] == "number"), 0)
        detector = self.program.detectors[self.verb["detector"]]
        n = max(len(detector.finds(text, wanted)) for text, _ in self.field.readings(view))
        least, most = self.verb.get("least", 1), self.verb.get("most")
        if most is not None and n > most:
            return F
        if partial and (most is not None or n < least):
            return U
        return T if n >= least else F

    def says_live(self, ctx, view):
        """A list that is not there now may hold the value, or not."""
        entries = ctx.message["live"].get(self.live)
        if entries is None:
            return E
        if self.field.type == "text":
            text = self.field.readings(view)[0][0].strip(" ")
            return T if text and text in [fold(x, True) for x in entries] else F
        return T if any(self.equals(ctx, view, {"value": x}) for x in entries) else F

    def says_pattern(self, view):
        hits = 0
        for v in self.values:
            flags = re.M * ("m" in v["flags"]) | re.S * ("s" in v["flags"]) | re.X * ("x" in v["flags"])
            flags |= 0 if "c" in v["flags"] else re.I
            pattern = re.compile(v["value"], flags)
            hits += any(pattern.search(raw) or ("c" not in v["flags"] and pattern.search(folded))
                        for folded, raw in self.field.readings(view))
        return hits == len(self.values) if self.verb.get("many") == "all" else hits > 0

    def says_value(self, ctx, view):
        if self.kind in ("is", "is any of", "is in"):
            return any(self.equals(ctx, view, v) for v in self.values)
        x, v = view["number"], self.values
        low, high = ctx.span(v[0])
        if self.kind in ("is over", "is after"):
            return x > high
        if self.kind in ("is under", "is before"):
            return x < low
        if self.kind == "is at least":
            return x >= low
        if self.kind == "is at most":
            return x <= high
        end = ctx.span(v[1])[1]
        if self.field.type == "clock" and low > end:
            return x >= low or x <= end
        return low <= x <= end

    def equals(self, ctx, view, v):
        if self.field.type == "address":
            return address_matches(v["value"], view["address"])
        if self.field.type == "domain":
            domain = view["address"].domain
            return bool(domain) and domain_matches(a_labels(v["value"]), domain)
        if self.field.type == "word":
            return view["text"] == v["value"] or (self.field.name, v["value"], view["text"]) in WORD_COVERS
        if self.field.type == "network":
            return in_network(view["text"], v["value"])
        low, high = ctx.span(v)
        return low <= view["number"] <= high

    def says_field(self, view, right):
        """Some element of the other field: each reading of the whole of it is a view."""
        lists = [functools.reduce(either, (views([self.says_view(view, v) for v in e]) for e in x), F)
                 for x in right.lists]
        return either(views(lists), right.trouble)

    def says_view(self, view, other):
        if other.get("absent"):
            return F
        if self.field.type == "text":
            pairs = [(self.field.readings(view)[0][0], self.right.readings(other)[0][0])]
            if self.alike and self.field.is_seen:
                pairs.append((self.field.looks(view)[0], (self.right.looks(other) or [pairs[0][1]])[0]))
            hit = any(a.strip(" ") == b.strip(" ") != "" for a, b in pairs)
            if not hit and self.right.is_partial(other, False):
                return U
            return T if hit else F
        if self.field.type == "address":
            hit = view["address"].whole != "" and view["address"].whole == other["address"].whole
        elif self.field.type == "domain":
            hit = view["address"].domain != "" and view["address"].domain == other["address"].domain
        elif self.field.type in ("word", "network"):
            hit = view["text"] == other["text"]
        else:
            x, y = view["number"], other["number"]
            hit = {"is over": x > y, "is after": x > y, "is under": x < y, "is before": x < y, "is at least": x >= y,
                   "is at most": x <= y}.get(self.kind, x == y)
        return T if hit else U if other.get("partial") else F

    # one element, in all its readings
    def element(self, ctx, element, right):
        x = views([self.says(ctx, v, right) for v in element])
        return negate(x) if self.negated else x

    # the whole field, for one recipient
    def answer(self, ctx, who):
        if self.field.of_recipient and self.quantifier:
            answers = [self.one_recipient(ctx, other, who) for other in ctx.members]
            return quantified(self.quantifier, answers)
        values = ctx.values(self.field, who)
        right = ctx.values(self.right, who) if self.right else None
        return self.over(ctx, values, right)

    def one_recipient(self, ctx, other, who):
        return self.single(ctx, ctx.values(self.field, other), ctx.values(self.right, who) if self.right else None)

    def over(self, ctx, values, right):
        q = self.quantifier or ("any" if self.field.several and not (self.kind == "is present") else None)
        if q is None:
            return self.single(ctx, values, right)
        return over_lists(q, values, lambda e: self.element(ctx, e, right))


    def single(self, ctx, values, right):
        """One value, or several words of one recipient, any of which will do; or present, said of the whole."""
        positive = [functools.reduce(either, (views([self.says(ctx, v, right) for v in e]) for e in x), F)
                    for x in values.lists]
        x = either(views(positive), values.trouble)
        return negate(x) if self.negated else x


def over_lists(q, values, says):
    """Each reading of the whole field is a view of it.  Elements nobody has seen may be beyond."""
    if values.n == 0 and values.trouble == F:
        return T if q == "no" else F
    every = q == "every"
    x = views([quantified("every" if every else "any", [says(e) for e in one_list]) for one_list in values.lists])
    if values.trouble != F:
        x = both(T if values.n == 0 else x, values.trouble) if every else either(x, values.trouble)
    return negate(x) if q == "no" else x


def quantified(q, answers):
    if q == "every":
        return functools.reduce(both, answers, T) if answers else F
    x = functools.reduce(either, answers, F)
    return negate(x) if q == "no" else x


WORD_COVERS = {("recipient.scope", "outside", "partner")}


def in_network(text, network):
    ip = ipaddress.ip_address(text)
    if "-" in network:
        low, high = (ipaddress.ip_address(x) for x in network.split("-"))
        return ip.version == low.version and low <= ip <= high
    net = ipaddress.ip_network(network, strict=False)
    return ip.version == net.version and ip in net


class Detector:
    """What has a form, how sure each find is, and what stands near it."""

    def __init__(self, arguments):
        said = {a["value"]: b for a, b in zip(arguments[1::2], arguments[2::2])}
        value = lambda name, otherwise: said[name]["value"] if name in said else otherwise
        near = said.get("near", {"kind": "group", "entries": []})
        self.pattern = re.compile(said["pattern"]["value"], re.I)
        self.checksum, self.confidence = value("checksum", None), value("confidence", 65)
        self.within, self.gives = value("within", 300), value("gives", 85)
        self.near = [fold(e[0]["value"], True)
                     for e in near["entries"]] if near["kind"] == "group" else [fold(near["value"], True)]

    def is_find(self, text, m, wanted):
        if self.checksum and not luhn(m.group()):
            return False
        if self.confidence >= wanted:
            return True
        sides = text[max(0, m.start() - self.within):m.start()], text[m.end():m.end() + self.within]
        return self.gives >= wanted and any(any(True for _ in places(side, n, True)) for side in sides
                                            for n in self.near)

    def finds(self, text, wanted):
        found, at = set(), 0
        while m := self.pattern.search(text, at):
            good = m.end() > m.start() and self.is_find(text, m, wanted)
            if good:
                found.add(re.sub("[ -]", "", m.group()))
            at = m.end() if good else m.start() + 1     # the number may begin inside what was none
        return found


def luhn(text):
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    return sum(d if i % 2 == 0 else 2 * d - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0


# --- programs --------------------------------------------------------------------------------------------------------

OPTIONS = {"priority": 100, "mode": "enforce", "effective": None, "expires": None, "on_error": "defer",
           "on_unreadable": "protect", "confusables": "keep", "severity": ""}


def read_options(arguments, into):
    out = dict(into)
    for name, value in zip(arguments[::2], arguments[1::2]):
        out[name["value"]] = value if value["kind"] == "date" else value["value"]
    return out


class Rule:
    def __init__(self, item, defaults):
        self.name = item["name"]
        self.options = read_options(item["options"], defaults)
        self.when, self.unless, self.then = item["when"], item["unless"], item["then"]
        self.audit = self.options["mode"] in ("audit", "audit_and_notify")


class Program:
    def __init__(self, trees, rows):
        self.rows, self.lists, self.live, self.defines, self.declared = rows, {}, set(), {}, {}
        self.compiled, self.detectors, rules = {}, {}, []
        for tree in trees:
            defaults = OPTIONS
            for item in tree["items"]:
                if item["kind"] == "list" and "in" in item:
                    self.live.add(item["name"])
                elif item["kind"] == "list":
                    self.lists[item["name"]] = item["elements"]
                elif item["kind"] == "define":
                    self.defines[item["name"]] = item["condition"]
                elif item["kind"] == "defaults":
                    defaults = read_options(item["arguments"], defaults)
                elif item["kind"] == "declaration" and item["name"] == "detector":
                    self.detectors[item["arguments"][0]["value"]] = Detector(item["arguments"])
                elif item["kind"] == "declaration":
                    self.declared.setdefault(item["name"], []).append(item["arguments"])
                elif item["kind"] == "rule":
                    rules.append(Rule(item, defaults))
        self.rules = sorted(rules, key=lambda r: int(r.options["priority"]))

    def elements(self, name):
        out = []
        for v in self.lists[name]:
            out += self.elements(v["name"]) if v["kind"] == "field" else [v]
        return out

    def test(self, field, verb, inside=None, alike=False):
        key = (id(field), id(verb), inside, alike)
        if key not in self.compiled:
            name = field["name"]
            if inside and name != inside and not name.startswith(inside + "."):
                name = f"{inside}.{name}"
            self.compiled[key] = Test(self, Field(self.rows, name, field.get("text")), field.get("quantifier"), verb,
                                      alike)
        return self.compiled[key]

    def setting(self, arguments, name):
        for i, a in enumerate(arguments):
            if a["kind"] == "name" and a["value"] == name:
                return arguments[i + 1]["value"]
        return None
