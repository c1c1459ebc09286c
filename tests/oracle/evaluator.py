"""A second evaluator of the rule language, naive, from the tree of a rule set and the facts of a message as text.

Written from the language's definition (sections 2 to 4); shares no code with the product.  What rules read is
evaluator_reading's, what actions do evaluator_actions': here is which rules run for whom, in which order, and what
becomes of it all.
"""
from evaluator_actions import BODY, Acting, Deferred
from evaluator_reading import Member
from evaluator_words import A, E, F, T, U, Address

KEPT = ("quarantine", "hold")
TELLS = ("log", "notify", "notify_sender", "incident_report")


class Context(Acting):
    """One message before one program."""

    def __init__(self, program, message, told, disclaimers):
        super().__init__(program, message, told, disclaimers)
        self.trace, self.acted = [], []

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
        for action in rule.then:
            who = [m for m, manner in plan if self.counts(action, manner)]
            if who:
                acted = True
                self.acted += [[i, action["name"], self.members.index(m), 0] for m in who]
                self.act(rule, action, who, endings, wanted)
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
                self.act(rule, action, who, {}, [])
            else:
                self.note("audit", rule, who, None)
        held = [m for m, manner in plan if manner == "hold"]
        if held:
            self.hit(rule, 16)
            self.note("audit", rule, held, None)

    def rule_over(self, i, rule, endings, wanted):
        if self.defer_with:
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
                    self.act(rule, action, hit, {}, [])
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
            policy = self.program.setting(self.relay, "partial_reject") or ("dsn" if ours else "whole")
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
