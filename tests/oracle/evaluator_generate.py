"""Random rule sets for the second evaluator.

Everything, messages too, comes from one random.Random: a seed gives the same pairs on every machine.
"""
from evaluator_pools import ASCII_LOCALS, DOMAINS, WORDS, address, quoted, rnd_text
from evaluator_words import fold

NETWORKS = ["192.0.2.0/24", "10.0.0.0/8", "192.0.2.1", "192.0.2.60-192.0.2.90", "2001:db8::/32", "2001:db8::7",
            "0.0.0.0/0"]
HEADERS = ["X-A", "X-B", "X-Class", "Subject", "Message-ID", "From", "To", "Cc", "Reply-To", "Importance", "X-Priority",
           "X-MS-Exchange-Organization-SCL", "X-Microsoft-Classified", "X-Microsoft-Classification"]
MARKS = ["m1", "m2", "M1"]
RAW = ["X-Raw", "X-Raw", "X-A", "X-B", "Subject"]        # X-Raw is what no rule changes
# Texts put into bodies: (text, HTML).  Each is told from all others by its first word.
DISCLAIMERS = [("disclaimone: from Corp Ltd", ""),
               ("disclaimtwo: \u00fcber alles", "<p>disclaimtwo: <b>\u00fcber</b> alles</p>"),
               ("disclaimthree: caution", "")]
DETECTORS = """detector "prj" pattern /\\bprj-\\d{3}\\b/ confidence 60 near ("project", "caf\u00e9") within 12 gives 90
detector "cardlike" pattern /\\b\\d(?:[ -]?\\d){5,9}\\b/ checksum luhn confidence 50 near ("visa") within 8 gives 80
detector "plain" pattern /s[ce]+r[a-z]t?/ confidence 70
"""
PATTERNS = ["secret", "s.cret", "^secret", "plan$", "\\\\bplan\\\\b", "\\\\d{2,}", "[a-c]+b", "caf(e|\u00e9)",
            "\u6771.", "st(ra|u)(ss|\u00df)e", "x-?ray", "\\\\w+ \\\\w+", "(?:a|b)\\\\.b", "e.?t\\\\b", "^\\\\S+$",
            "[^a-z ]", "ann@", "\\\\.example$"]
REPORT_WORDS = ["sender", "recipients", "subject", "cc", "bcc", "severity", "override", "rules", "detectors",
                "excerpts", "headers", "original"]
IDN = ', "b\u00fccher.example"'


class Generator:
    """Rule sets over the rows of the vocabulary."""

    ADDRESS_PARTS = {"address": "address", "local": "text", "domain": "domain", "name": "text"}
    MODELLED = {"sender", "sender.scope", "recipient", "recipient.scope", "recipient_count", "direction", "marked",
                "header", "header.raw", "recipient.dsn_notify"}
    # Fields that rules can change, by actions the evaluator carries out or by headers that no rule here touches.
    EDITABLE = {"subject", "message_id", "from", "to", "cc", "reply_to", "header", "header.raw", "importance", "scl",
                "classification", "date_sent", "sender_override", "is_auto_reply", "is_auto_forward", "is_bulk",
                "is_calendar", "is_voicemail", "is_approval_request", "is_rights_protected"}
    ACTIONS = {"require_tls", "reject", "defer", "drop", "quarantine", "hold", "redirect", "copy", "route_via",
               "add_header", "set_header", "remove_header", "prepend_subject", "log", "mark", "stop", "disconnect",
               "add_recipient", "deliver_after", "set_importance", "set_scl", "set_classification",
               "append_disclaimer", "prepend_disclaimer", "remove_attachment", "notify", "notify_sender",
               "incident_report"}

    def __init__(self, rows):
        self.rows, self.words = rows, WORDS
        self.plain = False      # addresses of ASCII only: others cannot be written into a field beside encoded names
        self.left_out = []
        self.fields = []
        for f in rows["fields"]:
            known = f["name"] in self.MODELLED or (f["of"] != "recipient" and f["text"] == "")
            editable = not f["editable"] or f["name"] in self.EDITABLE
            if f["works"] and known and editable:
                self.fields.append(f)
            else:
                self.left_out.append(f["name"])
        self.actions = [a["name"] for a in rows["actions"] if a["works"] and a["name"] in self.ACTIONS]
        self.left_out += [a["name"] for a in rows["actions"] if a["name"] not in self.actions]

    def fields_named(self, name):
        return next(f for f in self.fields if f["name"] == name)

    # one field as a rule names it: (text, type, row, part)
    def field(self, rnd, inside=None):
        if inside and inside["name"] == "attachment":
            row = rnd.choice([f for f in self.fields if f["name"].startswith("attachment.")])
            return row["name"].partition(".")[2], row["type"], row, None
        if inside:
            part = rnd.choice(["address", "local", "domain", "name"]
                              + (["scope"] if inside["name"] == "recipient" else []))
            if part == "scope":
                row = next(f for f in self.fields if f["name"] == "recipient.scope")
                return "scope", row["type"], row, None
            return part, self.ADDRESS_PARTS[part], inside, part
        f = rnd.choice(self.fields)
        if f["type"] == "address" and rnd.random() < 0.6:
            part = rnd.choice(list(self.ADDRESS_PARTS))
            return f"{f['name']}.{part}", self.ADDRESS_PARTS[part], f, part
        name = f["name"]
        if f["text"] == "header":
            name += " " + quoted(rnd.choice(RAW if f["name"] == "header.raw" else HEADERS[:4]))
        elif f["text"] == "mark":
            name += " " + quoted(rnd.choice(MARKS))
        return name, f["type"], f, None

    def needle(self, rnd):
        while True:
            t = rnd.choice([rnd.choice(self.words), rnd_text(rnd, self.words, 2), rnd.choice(self.words)[:2]])
            if fold(t, True):
                return t

    def text_value(self, rnd, type_, part):
        if type_ == "domain" or part == "domain":
            return rnd.choice(["example", "corp", ".example", "b\u00fccher", "BÜCHER", "stra"])
        if type_ == "address" or part in ("local", "address"):
            return rnd.choice(["ann", "ANN", "@corp", "j\u00f6rg", ".x", "secret", "corp.example", "b\u00fccher"])
        return self.needle(rnd)

    def set_of(self, rnd, make, n=3):
        return "(" + ", ".join(make() for _ in range(rnd.randint(1, n))) + ")"

    def text_verb(self, rnd, type_, part):
        """A verb of texts, positive and negative, and whether it counts as positive."""
        value = lambda: quoted(self.text_value(rnd, type_, part))
        if rnd.random() < 0.12:
            count = rnd.choice(["", "", "at least 2 ", "between 1 and 2 ", "at least 1 "])
            what = count + rnd.choice(["prj", "cardlike", "plain"]) + rnd.choice(["", "", " confidence 65",
                                                                                  " confidence 80", " confidence 90"])
            return f"contains {what}", f"does not contain {what}"
        k = rnd.randrange(9)
        if k == 0:
            return f"contains {value()}", f"does not contain {value()}"
        if k == 1:
            return f"contains word {value()}", f"does not contain word {value()}"
        if k == 2:
            kind = rnd.choice(["any", "all"])
            word = rnd.choice(["", " word"])
            s = self.set_of(rnd, value)
            return f"contains {kind}{word} of {s}", f"does not contain {kind}{word} of {s}"
        if k == 3:
            low = rnd.randint(1, 2)
            count = rnd.choice([f"at least {low}", f"between {low} and {low + rnd.randint(0, 1)}"])
            return f"contains {count} {value()}", f"does not contain {count} {value()}"
        if k == 4:
            n = rnd.randint(1, 2)
            s = "(" + ", ".join(value() for _ in range(n + rnd.randint(0, 2))) + ")"
            return f"contains at least {n} of {s}", f"does not contain at least {n} of {s}"
        if k == 5:
            v = self.text_value(rnd, type_, part)
            v = quoted(rnd.choice(["*" + v, v + "*", f"*{v}*", "?" + v[1:] if len(v) > 1 else "*" + v, v[:1] + "*"]))
            return f"is like {v}", f"is not like {v}"
        if k == 6:
            flags = rnd.choice(["", "", "c", "m", "s"])
            p = f"/{rnd.choice(PATTERNS).replace(chr(92) * 2, chr(92))}/{flags}"
            if rnd.random() < 0.2:
                q = f"/{rnd.choice(PATTERNS).replace(chr(92) * 2, chr(92))}/"
                kind = rnd.choice(["any", "all"])
                return f"matches {kind} of ({p}, {q})", f"does not match {kind} of ({p}, {q})"
            return f"matches {p}", f"does not match {p}"
        what, verb = rnd.choice([("starts", "start"), ("ends", "end")])
        v = rnd.choice([value(), f"any of {self.set_of(rnd, value)}"])
        return f"{what} with {v}", f"does not {verb} with {v}"

    def literal(self, rnd, type_, row):
        if type_ == "text":
            return quoted(self.needle(rnd))
        if type_ == "address":
            return quoted(rnd.choice([address(rnd), "@" + rnd.choice(DOMAINS), "@*.example", "@*.corp.example"]))
        if type_ == "domain":
            return quoted(rnd.choice(DOMAINS + ["*.example", "*.corp.example", "*.partner.example"]))
        if type_ == "network":
            return rnd.choice(NETWORKS)
        if type_ == "word":
            return rnd.choice(row["words"].split())
        if type_ == "number":
            return str(rnd.randint(0, 5))
        if type_ == "size":
            return rnd.choice(["300 B", "500 B", "1 KB", "2 KB", "700 bytes"])
        if type_ == "duration":
            return rnd.choice(["5 minutes", "1 hour"])
        if type_ == "clock":
            return rnd.choice(["08:00", "18:00", "12:30", "00:00"])
        if type_ == "date":
            return rnd.choice(["2026-09-20", "2026-09-21T18:00Z", "2026-09-22T08:30", "2026-09-23"])
        raise KeyError(type_)

    LISTS = {"text": "words", "address": "people", "domain": "partner_domains", "network": "nets"}

    LIVE_LISTS = {"text": "live_words", "address": "live_people", "domain": "live_domains"}

    def verb(self, rnd, type_, row, part, inside):
        """(positive, negative or None, whether it needs a quantifier on several values)"""
        if type_ in ("text", "address", "domain") and rnd.random() < 0.55:
            if type_ == "domain" or part == "domain":
                v = quoted(rnd.choice(["*.example", "*corp*", "b\u00fc*", "?artner.example", "*"]))
                e = quoted(self.text_value(rnd, "domain", part))
                return rnd.choice([(f"is like {v}", f"is not like {v}"), (f"ends with {e}", f"does not end with {e}")])
            return self.text_verb(rnd, type_, part)
        k = rnd.random()
        if k < 0.12 and type_ != "word" and not (inside and part == "address"):
            return rnd.choice([("is present", "is absent"), ("is present", "is not present")])
        if type_ in ("number", "size", "duration", "date", "clock") and k < 0.75:
            a, b = self.literal(rnd, type_, row), self.literal(rnd, type_, row)
            if type_ in ("date", "clock"):
                return rnd.choice([(f"is after {a}", f"is not after {a}"), (f"is before {a}", None)])
            between = f"is between {min(a, b, key=number)} and {max(a, b, key=number)}"
            return rnd.choice([(f"is over {a}", f"is not over {a}"), (f"is at least {a}", f"is not at least {a}"),
                               (f"is under {a}", None), (f"is at most {a}", None), (between, None)])
        if k < 0.5:
            v = self.literal(rnd, type_, row)
            return f"is {v}", f"is not {v}"
        if k < 0.75 and type_ in self.LISTS:
            name = rnd.choice([self.LISTS[type_], self.LISTS[type_], self.LIVE_LISTS.get(type_, self.LISTS[type_])])
            if part == "local" and name == "live_words":
                name = "words"
            return f"is in {name}", f"is not in {name}"
        s = self.set_of(rnd, lambda: self.literal(rnd, type_, row), rnd.choice([3, 3, 3, 12]))
        return f"is any of {s}", f"is not any of {s}"

    def right(self, rnd, type_, row, part):
        """Another field for the right side, or None."""
        choices = []
        for f in self.fields:
            if f["text"] == "mark" or f["type"] == "yesno":
                continue
            if f["of"] == "recipient" and row["of"] != "recipient":
                continue
            forms = [(f["name"] + (' "X-A"' if f["text"] else ""), f["type"])]
            if f["type"] == "address":
                forms += [(f"{f['name']}.{p}", t) for p, t in self.ADDRESS_PARTS.items() if p in ("address", "domain")]
            choices += [name for name, t in forms if t == type_ and type_ not in ("word", "yesno")]
        if part in ("local", "name") or not choices:
            return None
        return rnd.choice(choices)

    def test(self, rnd, inside=None):
        name, type_, row, part = self.field(rnd, inside)
        if type_ == "yesno":
            return name
        q = ""
        if not inside and row["of"] != "message" and rnd.random() < 0.5:
            q = rnd.choice(["any ", "every ", "no "])
        if not inside and not q and rnd.random() < 0.12:
            other = self.right(rnd, type_, row, part)
            if other and other != name:
                no = "" if row["of"] == "element" else rnd.choice(["", "not "])
                return f"{name} is {no}{other}"
        positive, negative = self.shaped_verb(rnd, row) if row["name"] in self.SHAPED else self.verb(rnd, type_, row,
                                                                                                     part, inside)
        must_say = row["of"] == "element" and not q and not inside
        whole = positive.startswith("is present") and part is None
        if negative is None and must_say:
            q = rnd.choice(["any ", "every ", "no "])
        if negative and (not must_say or whole) and rnd.random() < 0.35:
            return f"{q}{name} {negative}"
        return f"{q}{name} {positive}"

    # Fields whose values have a form, which the compiler holds texts to.
    SHAPED = {"attachment.extension": (["exe", "PDF", "gz", "txt", "\uff45xe", "caf\u00e9"], ["ex", "t", "pd"]),
              "attachment.type": (["application/pdf", "TEXT/plain", "image/png", "application/octet-stream"],
                                  ["pdf", "text/", "image", "/octet"]),
              "attachment.true_type": (["application/pdf", "text/plain", "application/x-dosexec"],
                                       ["pdf", "text", "x-", "/"]),
              "client.tls_version": (["1.2", "1.3"], ["1", ".3", "1."])}

    def shaped_verb(self, rnd, row):
        whole, parts = self.SHAPED[row["name"]]
        some = lambda of: "(" + ", ".join(quoted(rnd.choice(of)) for _ in range(rnd.randint(1, 3))) + ")"
        return rnd.choice([(f"is {quoted(rnd.choice(whole))}", f"is not {quoted(rnd.choice(whole))}"),
                           (f"is any of {some(whole)}", f"is not any of {some(whole)}"),
                           (f"contains {quoted(rnd.choice(parts))}", f"does not contain {quoted(rnd.choice(parts))}"),
                           (f"contains all of {some(parts)}", f"does not contain any of {some(parts)}"),
                           (f"starts with {quoted(rnd.choice(parts + whole))}",
                            f"does not start with {quoted(rnd.choice(whole))}"),
                           (f"ends with any of {some(parts + whole)}",
                            f"does not end with {quoted(rnd.choice(parts))}"),
                           (f"is like {quoted('*' + rnd.choice(parts) + '*')}",
                            f"is not like {quoted('?' + rnd.choice(parts) + '*')}"),
                           ("is in live_words", "is not in live_words"), ("is present", "is absent"),
                           (f"matches /{rnd.choice(['p.f', '^t', 'x$'])}/", "does not match /e/")])

    def run(self, rnd):
        """Several fields, one verb."""
        texts = ["subject", "body", 'header "X-A"', "message_id", "from.name", "sender.local"]
        people = ["from", "to", "cc", "sender", "reply_to"]
        domains = [f"{p}.domain" for p in people]
        names, type_, part = rnd.choice([(texts, "text", None), (people, "address", None),
                                         (domains, "domain", "domain")])
        chosen = rnd.sample(names, rnd.randint(2, 3))
        connective = rnd.choice([" or ", " and "])
        positive, _ = self.verb(rnd, type_, {"words": ""}, part, None)
        return f"({connective.join(chosen)}) {positive}"

    def condition(self, rnd, depth, defines=()):
        k = rnd.random()
        if depth <= 0 or k < 0.4:
            if defines and rnd.random() < 0.15:
                return rnd.choice(defines)
            if rnd.random() < 0.12:
                return self.run(rnd)
            return self.test(rnd)
        if k < 0.5:
            looped = rnd.choice(["from", "to", "cc", "recipient", "reply_to"] + ["attachment"] * 3)
            row = next((f for f in self.fields if f["name"] == looped), self.fields_named("to"))
            parts = [self.test(rnd, row) for _ in range(rnd.randint(1, 3))]
            joined = rnd.choice([" and ", " or "]).join(f"not ({p})" if rnd.random() < 0.15 else p for p in parts)
            return f"{rnd.choice(['any', 'every', 'no'])} {row['name']} where ({joined})"
        if k < 0.6:
            return f"not ({self.condition(rnd, depth - 1, defines)})"
        parts = [f"({self.condition(rnd, depth - 1, defines)})" for _ in range(rnd.randint(2, 3))]
        return rnd.choice([" and ", " or "]).join(parts)

    # --- rules
    def options(self, rnd, only=None):
        out = ""
        for name, values, weight in (
                ("priority", [str(n) for n in (1, 50, 100, 200)], 0.3),
                ("mode", ["audit", "audit_and_notify", "off", "enforce"], 0.2),
                ("on_error", ["defer", "skip", "apply"], 0.5),
                ("on_unreadable", ["protect", "hold", "apply", "skip"], 0.5),
                ("confusables", ["fold", "fold", "keep"], 0.4),
                ("severity", ['"low"', '"high"', '"medium"', '"odd"', '"critical"'], 0.5),
                ("effective", ["2026-09-20", "2026-09-21T14:00Z", "2026-09-22"], 0.06),
                ("expires", ["2026-09-21", "2026-09-22T02:00", "2026-09-24"], 0.06)):
            if name == "expires" and " effective " in out:
                continue
            if rnd.random() < weight and (only is None or name in only):
                out += f" {name} {rnd.choice(values)}"
        return out

    def value(self, rnd, reply=False):
        base = rnd.choice(["plain", "is {rule}", "from {sender}", "a {{brace", "tagged"])
        if not reply:
            base = rnd.choice([base, base, "on {subject}", "w\u00f6rds", "secret plan"])
        return quoted(base)

    def action(self, rnd, name):
        who = rnd.choice([quoted(address(rnd)), quoted(address(rnd)), quoted("archive@corp.example")])
        target = rnd.choice([who] * 4 + [f"{f} otherwise {who}" for f in ("sender", "recipient")])
        if name == "require_tls":
            level = rnd.choice(["", " encrypt", " verified", " dane", " requiretls", " level verified"])
            return "require_tls" + level + rnd.choice(["", "", ' min "1.2"', ' min "1.3"'])
        if name == "reject":
            return f"reject {self.value(rnd, True)}" + rnd.choice(["", "", ' status "5.7.0"', " code 554",
                                                                   ' status "5.6.0" code 552'])
        if name == "defer":
            return f"defer {self.value(rnd, True)}" + rnd.choice(["", ' status "4.2.1"', " code 452"])
        if name in ("quarantine", "hold"):
            return name + rnd.choice(["", f" reason {self.value(rnd)}"])
        if name in ("redirect", "copy"):
            return f"{name} to {target}"
        if name == "add_recipient":
            if not self.plain:
                return f"add_recipient bcc {target}"
            return f"add_recipient {rnd.choice(['to', 'cc'])} {quoted(rnd.choice(ASCII_LOCALS) + '@corp.example')}"
        if name == "disconnect":
            return "disconnect" + rnd.choice(["", f" {self.value(rnd, True)}"])
        if name == "deliver_after":
            return "deliver_after " + rnd.choice(["2 hours", "90 minutes", "18:00", "2 hours 06:30"])
        if name == "set_importance":
            return "set_importance " + rnd.choice(["low", "normal", "high"])
        if name == "set_scl":
            return f"set_scl {rnd.randint(-1, 9)}"
        if name == "set_classification":
            return f"set_classification {quoted(rnd.choice(['Confidential', 'public', 'secret plan']))}"
        if name == "route_via":
            return f"route_via {quoted(rnd.choice(['partner', 'other']))}"
        if name == "add_header":
            return f"add_header {quoted(rnd.choice(HEADERS[:3]))} {self.value(rnd)}"
        if name == "set_header":
            if rnd.random() < 0.3:
                header, whom = rnd.choice(HEADERS[6:9]), rnd.choice(["ann@corp.example", "x@other.example"])
                return f"set_header {quoted(header)} {quoted(whom)}"
            return f"set_header {quoted(rnd.choice(HEADERS[:4]))} {self.value(rnd)}"
        if name == "remove_header":
            return f"remove_header {quoted(rnd.choice(HEADERS[:4] + HEADERS[6:9]))}"
        if name == "prepend_subject":
            return f"prepend_subject {quoted(rnd.choice(['[x] ', 'P ', 'secret ', '[{rule}] ']))}"
        if name == "log":
            return f"log {self.value(rnd)}"
        if name == "mark":
            return f"mark {quoted(rnd.choice(MARKS))}"
        if name in ("append_disclaimer", "prepend_disclaimer"):
            text, html = rnd.choice(DISCLAIMERS)
            return f"{name} {quoted(text)}" + (f" html {quoted(html)}" if html else "") + \
                rnd.choice(["", "", " fallback wrap", " fallback skip", " fallback reject"])
        if name == "remove_attachment":
            names = rnd.choice(["", ' "*.exe"', ' ("*.pdf", "secret*")', ' "noname"', ' "*"', ' "*.t?t"'])
            return f"remove_attachment{names}" + rnd.choice(["", ' note "taken out"'])
        if name == "notify":
            return f"notify {rnd.choice([who, 'sender', 'recipient'])} {self.value(rnd)}"
        if name == "notify_sender":
            return f"notify_sender {self.value(rnd)}"
        if name == "incident_report":
            said = rnd.sample(REPORT_WORDS, rnd.randint(1, 6))
            return f"incident_report to {rnd.choice([who, quoted('dlp@corp.example')])}" + \
                rnd.choice(["", f" contents ({', '.join(said)})", f" contents ({said[0]})"])
        return name

    FINAL = ("reject", "defer", "drop", "quarantine", "hold", "redirect", "disconnect")

    def rule(self, rnd, number, defines):
        plain = [a for a in self.actions if a not in self.FINAL and a != "stop"]
        names = [rnd.choice(plain) for _ in range(rnd.randint(0, 3))]
        if not names or rnd.random() < 0.4:
            weights = {"defer": 0.3, "disconnect": 0.1}
            final = rnd.choices(self.FINAL, [weights.get(x, 1) for x in self.FINAL])[0]
            names.insert(rnd.randint(0, len(names)), final)
        if rnd.random() < 0.08:
            names.append("stop")
        actions, seen = [], set()
        for n in names:
            a = self.action(rnd, n)
            key = a if n not in ("set_header", "route_via", "remove_header", "require_tls", "deliver_after",
                                 "set_importance", "set_scl",
                             "set_classification") else n
            if key not in seen:
                seen.add(key)
                actions.append(a)
        text = f'rule "r{number}"{self.options(rnd)}\nwhen '
        text += "always\n" if rnd.random() < 0.06 else self.condition(rnd, rnd.choice([0, 1, 1, 2]), defines) + "\n"
        for _ in range(rnd.choice([0, 0, 0, 1, 2])):
            text += f"unless {self.condition(rnd, rnd.choice([0, 1]), defines)}\n"
        return text + "then " + ", ".join(actions) + "\n"

    def rule_set(self, rnd):
        partial = rnd.choice(["", "", " partial_reject whole", " partial_reject dsn", " partial_reject drop"])
        few = lambda make, n: ", ".join(make() for _ in range(n))
        text = DETECTORS + f'''list ours of domain = "corp.example", "*.corp.example"
list partner_domains of domain = "partner.example", "*.partner.example"{rnd.choice(["", IDN])}
list words of text = {few(lambda: self.literal(rnd, "text", None), rnd.choice([2, 3, 12]))}
list people of address = {few(lambda: self.literal(rnd, "address", None), rnd.choice([2, 3, 12]))}, more_people
list more_people of address = {self.literal(rnd, "address", None)}
list nets of network = {few(lambda: self.literal(rnd, "network", None), 2)}
list live_words of text in table "words"
list live_people of address in table "people"
list live_domains of domain in table "domains"
relay hostname "relay.example" internal ours{partial}
connector "partner" host "p.example" tls verified domains partner_domains
connector "other" host "o.example" port 2525
'''
        defines = []
        for i in range(rnd.choice([0, 0, 1, 2])):
            text += f"define d{i} as {self.condition(rnd, 1, tuple(defines))}\n"
            defines.append(f"d{i}")
        if rnd.random() < 0.15:
            text += "defaults" + (self.options(rnd, ("priority", "on_error", "on_unreadable", "confusables"))
                                  or " priority 60") + "\n"
        for number in range(rnd.randint(1, 5)):
            text += self.rule(rnd, number, defines)
        return text


def number(written):
    digits = int("".join(c for c in written if c.isdigit()))
    return digits * (1024 if "KB" in written else 1)
