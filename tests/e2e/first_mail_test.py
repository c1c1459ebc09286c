#!/usr/bin/python3
"""Mail through a running relay: what the rules decide is what happens on the wire."""
import email
import email.policy
import json
import pathlib
import re
import tempfile

from relay import Certificates, Proxy, Relay, Sink, equal, main, test, wait_until

TOP_SECRET = 'when subject contains "top secret" then require_tls'
SCRATCH = tempfile.TemporaryDirectory(prefix="sluice-certs-")
CERTIFICATES = Certificates(SCRATCH.name)
GOOD = CERTIFICATES.issue("mx.partner.example")
OTHER_NAME = CERTIFICATES.issue("mx.elsewhere.example")


def reason_of(relay, address):
    for message in relay.queue():
        for recipient in message["recipients"]:
            if recipient["address"] == address:
                return recipient.get("delay_reason", "")
    return ""


@test
def plain_mail():
    """plain mail arrives byte for byte behind our Received field"""
    with Sink() as sink, Relay(TOP_SECRET, sink) as relay:
        code, text = relay.send("hello",
                                body="line one\r\n..two dots\r\n.\r\n\xe9nd\r\n".encode("latin-1").decode("latin-1"))
        equal(code, 250, text)
        message = sink.wait()[0]
        received, rest = message.content.split(b"\r\nFrom: ", 1)
        assert received.startswith(b"Received: from client.test"), received
        assert b"by relay.corp.example" in received, received
        equal(b"From: " + rest, b"From: <a@corp.example>\r\nTo: <b@partner.example>\r\nSubject: hello\r\n\r\n"
              b"line one\r\n..two dots\r\n.\r\n\xc3\xa9nd\r\n", "content")
        equal(message.tls, False, "channel")
        wait_until(lambda: relay.queue() == [], "an empty queue")


@test
def notices():
    """notices go out beside the message, for a rejected one too; automatic mail is not answered; demands travel on"""
    rules = '''rule "secret" when subject contains "secret" then require_tls
rule "plans" when subject contains "plans"
then notify_sender "Your mail {subject} was seen.\\nRegards", notify recipient "r"
rule "no" when subject contains "no plans"
then reject "No plans here.", notify "desk@partner.example" "{rule} refused {subject}"'''
    with Sink() as sink, Relay(rules, sink) as relay:
        equal(relay.send("plans")[0], 250)
        notes = [mail for mail in sink.wait(3) if mail.sender == "<>"]
        equal(sorted(mail.recipients[0] for mail in notes), ["a@corp.example", "b@partner.example"])
        told = next(mail for mail in notes if mail.recipients == ["a@corp.example"])
        assert b"\r\nAuto-Submitted: auto-replied\r\n" in told.headers, told.headers
        assert b"\r\nSubject: Auto: plans\r\n" in told.headers, told.headers
        assert told.content.endswith(b"\r\n\r\nYour mail plans was seen.\r\nRegards\r\n"), told.content
        assert b"partner.example" not in told.content, told.content

        code, text = relay.send("no plans")
        equal((code, text), (550, "5.7.1 No plans here."))
        wait_until(lambda: any(mail.recipients == ["desk@partner.example"] for mail in sink.messages),
                   "the desk's notice")
        wait_until(lambda: relay.queue() == [], "an empty queue")
        equal(len(sink.messages), 6, "three of the first, three notices of the second")

        equal(relay.send("plans", headers="Auto-Submitted: auto-generated\r\n")[0], 250)
        equal([mail.sender for mail in sink.wait(7)].count("<>"), 5, "nobody is told of automatic mail")

        equal(relay.send("secret no plans")[0], 550)
        wait_until(lambda: len(relay.queue()) == 3, "three notices")
        equal(len(sink.messages), 7)
    assert any("event=rule" in line and "desk@partner.example" in line for line in relay.log), relay.log


@test
def incident_reports():
    """one report an address says what was found and takes the message along, only in TLS where that must; of a rejected
    message too"""
    rules = '''rule "secret" when subject contains "secret" then require_tls
rule "cards" severity "high" on_unreadable skip when body contains at least 1 credit_card_number
then reject "No cards here.", incident_report to "dlp@corp.example" 
     contents (sender, recipients, rules, detectors, excerpts, original)
rule "first" priority 1 when always then incident_report to "dlp@Corp.Example" contents (subject)'''
    card = "the canary pays with 4111 1111 1111 1111 today\r\n"
    with Sink(GOOD) as home, Sink() as clear:
        connectors = {"default": f'host "127.0.0.1" port {clear.port} tls opportunistic',
                      "home": f'host "127.0.0.1" port {home.port} tls opportunistic domains our_domains'}
        with Relay(rules, connectors=connectors) as relay:
            equal(relay.send("an invoice", body=card)[0], 550)
            report = email.message_from_bytes(home.wait()[0].content, policy=email.policy.default)
            equal((home.messages[0].sender, home.messages[0].recipients), ("<>", ["dlp@corp.example"]))
            equal((report["auto-submitted"], report["subject"]), ("auto-generated", "Incident report: first"))
            text, original = report.iter_parts()
            words = text.get_content().replace("\r\n", "\n")
            for part in ("Sender: a@corp.example\nSubject: an invoice\n", "  b@partner.example (reject)\n",
                         "  cards: reject", "  credit_card_number, at least 1: body",
                         ">>>4111 1111 1111 1111<<< today", "The message is attached."):
                assert part in words, (part, words)
            equal(original.get_content_type(), "message/rfc822")
            equal(original.get_content().get_content().replace("\r\n", "\n"), card.replace("\r\n", "\n"))
            wait_until(lambda: relay.queue() == [], "an empty queue")
            equal(clear.messages, [])
        with Sink() as bare, Proxy(bare.port) as proxy:
            connectors["home"] = f'host "127.0.0.1" port {proxy.port} tls opportunistic domains our_domains'
            with Relay(rules, connectors=connectors) as relay:
                equal(relay.send("a secret invoice", body=card)[0], 550)
                wait_until(lambda: "TLS" in reason_of(relay, "dlp@corp.example"), "the report waits for TLS")
                assert b"EHLO" in bytes(proxy.log) and b"canary" not in bytes(proxy.log), proxy.log
                equal(bare.messages, [])


@test
def secret_over_tls():
    """a demand for TLS goes by STARTTLS where it is offered, any certificate"""
    with Sink(OTHER_NAME) as sink, Relay(TOP_SECRET, sink) as relay:
        equal(relay.send("a TOP  secret plan")[0], 250)
        equal(sink.wait()[0].tls, True, "channel")


@test
def secret_waits():
    """without STARTTLS it waits, says why, and not a canary byte crosses the wire in clear"""
    with Sink() as sink, Proxy(sink.port) as proxy:
        connectors = {"default": f'host "127.0.0.1" port {proxy.port} tls opportunistic'}
        with Relay(TOP_SECRET, connectors=connectors) as relay:
            equal(relay.send("canary-subject top secret", sender="canary-sender@corp.example",
                             to=("canary-rcpt@partner.example",), body="canary-body\r\n")[0], 250)
            wait_until(lambda: "TLS" in reason_of(relay, "canary-rcpt@partner.example"), "the reason in the queue")
            first = proxy.connections
            wait_until(lambda: proxy.connections > first + 1, "two more tries")
            row = relay.queue()[0]
            equal(row["sender"], "canary-sender@corp.example")
            equal(row["queue_name"], "deferred")
            assert "encrypt" in json.dumps(row), row
            human = relay.sluice("queue").stdout
            assert "TLS" in human and "canary-rcpt@partner.example" in human, human
        assert b"EHLO" in bytes(proxy.log), "the proxy saw the session"
        assert b"canary" not in bytes(proxy.log), "a canary left in clear"
        equal(sink.messages, [])


@test
def secret_expires():
    """when the time is over it is returned with 5.7.10, headers only, over the other way"""
    with Sink() as clear, Sink(GOOD) as home:
        connectors = {"default": f'host "127.0.0.1" port {clear.port} tls opportunistic',
                      "home": f'host "127.0.0.1" port {home.port} tls opportunistic domains our_domains'}
        with Relay(TOP_SECRET, connectors=connectors, retry="retry first 1 second until 3 seconds") as relay:
            equal(relay.send("top secret", body="canary-body\r\n")[0], 250)
            notice = home.wait()[0]
            equal(notice.sender, "<>", "the null reverse-path")
            equal(notice.recipients, ["a@corp.example"])
            assert b"5.7.10" in notice.content and b"multipart/report" in notice.content, notice.content
            assert b"canary-body" not in notice.content, "the body came back with the notice"
            equal(notice.tls, True, "the notice carries the demand")
            wait_until(lambda: relay.queue() == [], "an empty queue")
        equal(clear.messages, [])


@test
def verified():
    """`verified` wants the certificate's chain and name: good goes, wrong name and unknown authority wait"""
    rule = 'when subject contains "secret" then require_tls verified'
    with tempfile.TemporaryDirectory() as stranger_folder:
        stranger = Certificates(stranger_folder).issue("mx.partner.example")
        for certificate, arrives in ((GOOD, True), (OTHER_NAME, False), (stranger, False)):
            with Sink(certificate) as sink:
                connectors = \
                    {"default": f'host "127.0.0.1" port {sink.port} tls opportunistic name "mx.partner.example" '
                                         f'trust "{CERTIFICATES.authority}"'}
                with Relay(rule, connectors=connectors) as relay:
                    equal(relay.send("secret")[0], 250)
                    if arrives:
                        equal(sink.wait()[0].tls, True)
                    else:
                        wait_until(lambda: "certificate" in reason_of(relay, "b@partner.example").lower(), "the reason")
                        equal(sink.messages, [])


@test
def only_the_outsider():
    """one message, two recipients: the demand is the outsider's alone, edits too"""
    rules = ('define leaving as recipient.scope is outside\n'
             'when subject contains "secret" and leaving then require_tls, prepend_subject "[SECURE] "')
    with Sink() as clear, Sink(OTHER_NAME) as tls:
        connectors = {"default": f'host "127.0.0.1" port {tls.port} tls opportunistic',
                      "home": f'host "127.0.0.1" port {clear.port} tls opportunistic domains our_domains'}
        with Relay(rules, connectors=connectors) as relay:
            equal(relay.send("secret", to=("b@partner.example", "c@corp.example"))[0], 250)
            outside, inside = tls.wait()[0], clear.wait()[0]
            assert b"Subject: [SECURE] secret\r\n" in outside.content and outside.tls, outside.content
            assert b"Subject: secret\r\n" in inside.content and not inside.tls, inside.content


@test
def replies():
    """reject, defer and drop answer as the rule says, and nothing is kept"""
    rules = ('rule "no" when subject contains "no" then reject "Not here." status "5.7.1"\n'
             'rule "later" when subject contains "later" then defer "Come back."\n'
             'rule "gone" when subject contains "gone" then drop')
    with Sink() as sink, Relay(rules, sink) as relay:
        code, text = relay.send("no")
        equal(code, 550)
        assert "5.7.1" in text and "Not here." in text, text
        equal(relay.send("later")[0], 451)
        equal(relay.send("gone")[0], 250)
        equal(relay.queue(), [])
        hits = wait_until(lambda: {r: row for r, row in relay.rules().items() if row["applied"]}.keys() >= {"gone"}
                          and relay.rules(), "the counters")
        equal((hits["no"]["rejected"], hits["later"]["deferred"], hits["gone"]["applied"]), (1, 1, 1))
        equal(sink.messages, [])


@test
def rules_listed():
    """sluice rules: every rule in the order they run, with mode, place, counters and last hit; after a reload the old
    one is gone"""
    rules = ('rule "zeta" when subject contains "x" then log "x"\nrule "alpha" mode audit when always then drop\n'
             'rule "first" priority 1 when subject contains "never" then drop\nrule "off" mode off when always then '
             'drop\n')
    with Sink() as sink, Relay(rules, sink) as relay:
        rows = list(relay.rules().values())
        equal([(row["rule"], row["mode"], row["applied"], row["last_hit"]) for row in rows],
              [("first", "enforce", 0, None), ("zeta", "enforce", 0, None), ("alpha", "audit", 0, None),
               ("off", "off", 0, None)])
        equal(relay.send("x")[0], 250)
        wait_until(lambda: relay.rules()["alpha"]["audit"] == 1, "the counters")
        assert relay.rules()["zeta"]["last_hit"] > 1_700_000_000
        text = relay.sluice("rules").stdout.splitlines()
        assert text[0].split()[-2:] == ["mode", "rule"] and re.search(r"  zeta  \(.*/rules\.sluice:\d+\)$",
                                                                      text[2]), text
        assert "never" in text[1] and " audit " in text[3] and " off " in text[4], text
        relay.write_rules('rule "new" when always then log "x"\n')
        relay.sluice("reload")
        equal([(row["rule"], row["mode"]) for row in relay.rules().values()],
              [("new", "enforce"), ("alpha", "gone"), ("zeta", "gone")])


@test
def audit():
    """a rule in mode audit changes nothing, is counted, and says in the log what it would have done"""
    with Sink() as sink, Relay('rule "trial" mode audit when always then reject "No."', sink) as relay:
        equal(relay.send("x")[0], 250)
        sink.wait()
        wait_until(lambda: relay.rules()["trial"]["audit"] == 1, "the counter")
        assert any("event=audit" in line and "trial" in line and "reject" in line for line in relay.log), relay.log
        status = relay.sluice("status").stdout
        assert "rules       1" in status, status


@test
def hold_and_release():
    """held and quarantined mail waits for `queue release`, and keeps its demand for TLS"""
    rules = ('rule "hold" when subject contains "wait" then hold reason "a person must look"\n'
             'rule "jail" when subject contains "virus" then quarantine reason "looks bad"\n'
             'rule "tls" when subject contains "wait" then require_tls')
    with Sink(OTHER_NAME) as sink, Relay(rules, sink) as relay:
        equal(relay.send("wait")[0], 250)
        equal(relay.send("virus")[0], 250)
        rows = {row["queue_name"]: row for row in relay.queue()}
        assert "person must look" in json.dumps(rows["hold"]), rows
        assert "looks bad" in json.dumps(rows["quarantine"]), rows
        equal(sink.messages, [])
        for what, told in (("held", 'rule=hold reason="a person must look"'),
                           ("quarantined", 'rule=jail reason="looks bad"')):
            lines = [line for line in relay.log if f"event={what} " in line]
            assert len(lines) == 1 and told in lines[0], lines
        relay.sluice("queue", "release", rows["hold"]["queue_id"])
        let_go = f"{rows['hold']['queue_id']}: event=by-hand what=release to="
        wait_until(lambda: any(let_go in line for line in relay.log), "the release in the log, by its queue id")
        equal(sink.wait()[0].tls, True, "released mail still wants TLS")
        equal(relay.sluice("queue", "release", "NOSUCHID", check=False).returncode != 0, True)


@test
def redirect_copy_headers():
    """redirect, copy, route_via and header edits reach the wire"""
    rules = ('rule "move" when recipient is "old@partner.example" then redirect to "new@partner.example"\n'
             'rule "copy" when subject contains "copy" then copy to "archive@corp.example"\n'
             'rule "edit" when always then add_header "X-One" "1", set_header "X-Two" "zwei \u00fc", remove_header '
             '"X-Bad"\n'
             'rule "way" when subject contains "route" then route_via "side"')
    with Sink() as sink, Sink() as side:
        connectors = {"default": f'host "127.0.0.1" port {sink.port} tls opportunistic',
                      "side": f'host "127.0.0.1" port {side.port} tls opportunistic domains side_domains'}
        rules = 'list side_domains of domain = "side.example"\n' + rules
        with Relay(rules, connectors=connectors) as relay:
            equal(relay.send("copy", to=("old@partner.example",), headers="X-Bad: 1\r\nX-Two: 2\r\n")[0], 250)
            wait_until(lambda: sorted(a for m in sink.messages for a in m.recipients)
                       == ["archive@corp.example", "new@partner.example"], "both recipients")
            head = sink.messages[0].headers
            assert b"X-One: 1" in head and b"X-Bad" not in head, head
            assert head.count(b"X-Two:") == 1 and b"=?" in head, head
            equal(relay.send("route")[0], 250)
            side.wait()
            assert any("event=redirected to=old@partner.example rule=move" in line for line in relay.log), relay.log


@test
def ends_stand_in_the_log():
    """who is dropped or refused while others are not stands in the log, with the rule"""
    rules = ('rule "away" when recipient is "gone@partner.example" then drop\n'
             'rule "never" when recipient is "no@partner.example" then reject "not here"')
    with Sink() as sink, Relay(rules, sink) as relay:
        equal(relay.send(to=("gone@partner.example", "no@partner.example", "b@partner.example"))[0], 250)
        sink.wait(2)  # the message, and the report on who was refused
        for text in ('event=dropped to=gone@partner.example rule=away',
                     'event=rejected to=no@partner.example rule=never'):
            assert any(text in line for line in relay.log), text


@test
def restart():
    """a restart picks the queue up, demand and all"""
    with Sink(OTHER_NAME) as sink, tempfile.TemporaryDirectory() as folder:
        dead = {"default": 'host "127.0.0.1" port 9 tls opportunistic'}
        with Relay(TOP_SECRET, connectors=dead, folder=folder) as relay:
            equal(relay.send("top secret")[0], 250)
            wait_until(lambda: reason_of(relay, "b@partner.example"), "a failed try")
        alive = {"default": f'host "127.0.0.1" port {sink.port} tls opportunistic'}
        with Relay(TOP_SECRET, connectors=alive, folder=folder) as relay:
            equal(sink.wait()[0].tls, True)


@test
def no_open_relay():
    """strangers may send to our domains only"""
    with Sink() as sink, Relay(TOP_SECRET, sink, listener="") as relay:
        text = relay.config.read_text().replace("network = 127.0.0.0/8", "network = 192.0.2.0/24")
        relay.config.write_text(text)
        relay.stop()
        relay.start()
        for address in ("b@partner.example", "b%partner.example@elsewhere.example", "@corp.example:b@partner.example",
                        '"b@partner.example"@elsewhere.example'):
            code, reply = relay.send("x", sender="x@elsewhere.example", to=(address,))
            assert 500 <= code < 600, (address, code, reply)
        told = ('event=refused from=x@elsewhere.example to=b@partner.example client=127.0.0.1 '
                'code=550 status=5.7.1 text="Relaying denied"')
        wait_until(lambda: any(told in line for line in relay.log), "the refused recipient in the log")
        equal(relay.send("x", sender="x@elsewhere.example", to=("c@corp.example",))[0], 250)
        equal(sink.wait()[0].recipients, ["c@corp.example"])


if __name__ == "__main__":
    main()
