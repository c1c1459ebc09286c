#!/usr/bin/python3
"""make demo: four messages through a relay on loopback; exit 0 only if everything went as announced.

Uses the files beside it as they are, but for the ports, which are taken free, and the retry, which is made short.
"""
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "e2e"))
from relay import Certificates, Relay, Sink, wait_until  # noqa: E402

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
wrong = []


def title(text):
    print(f"\n\033[1m{text}\033[0m" if COLOUR else f"\n{text}", flush=True)


def announce(text, holds):
    """One line that was announced and is now seen, or not."""
    mark = ("\033[32mas announced\033[0m" if COLOUR else "as announced") if holds else \
        ("\033[31mNOT SO\033[0m" if COLOUR else "NOT SO")
    print(f"  {text}: {mark}", flush=True)
    if not holds:
        wrong.append(text)


def send(relay, name, sender, *recipients):
    content = (HERE / "mail" / name).read_bytes()
    with relay.smtp() as client:
        client.ehlo("laptop.corp.example")
        client.mail(sender)
        for address in recipients:
            client.rcpt(address)
        code, text = client.data(content)
    print(f"  {name} to {', '.join(recipients)} -> {code} {text.decode()}")
    return code, text.decode()


def prepare(folder, ports):
    """The examples in a folder of their own, on free ports, retrying every second."""
    for path in HERE.glob("*.sluice"):
        text = path.read_text()
        for old, new in ports.items():
            text = text.replace(str(old), str(new))
        text = text.replace("retry first 1 minute until 5 days", "retry first 1 second until 5 days")
        text = text.replace('"run/', f'"{folder}/run/')
        (folder / path.name).write_text(text)
    (folder / "run").mkdir()


class DemoRelay(Relay):
    """A Relay whose configuration is the example's."""

    def __init__(self, folder):
        super().__init__("", connectors={}, folder=folder)
        self.control = folder / "run" / "control.sock"


def main():
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as name:
        folder = pathlib.Path(name)
        certificate = Certificates(folder).issue("mx.partner.example")
        with Sink(certificate) as partner, Sink() as clear:
            relay = DemoRelay(folder)
            prepare(folder, {2525: relay.port, 2526: clear.port, 2527: partner.port})
            with relay:
                run(relay, partner, clear)
    title("Everything was as announced." if not wrong else f"{len(wrong)} thing(s) were not as announced.")
    return 1 if wrong else 0


def run(relay, partner, clear):
    title("Two destinations: partner.example offers STARTTLS, clear.example does not.")
    print("  the rule: when subject contains \"top secret\" and leaving then require_tls")

    title("1. A plain message goes to the clear side.")
    code, _ = send(relay, "plain.eml", "alice@corp.example", "bob@clear.example")
    announce("250, and it arrives in clear", code == 250 and not clear.wait()[0].tls)

    title("2. A top secret one to the TLS side leaves over TLS.")
    code, _ = send(relay, "secret.eml", "alice@corp.example", "carol@partner.example")
    announce("250, and it arrives over TLS", code == 250 and partner.wait()[0].tls)

    title("3. The same to the clear side waits.")
    code, _ = send(relay, "secret.eml", "alice@corp.example", "bob@clear.example")
    waiting = wait_until(lambda: [r for m in relay.queue() for r in m["recipients"]
                                  if "TLS" in r.get("delay_reason", "")],
                         "the reason in the queue")
    announce("250, it waits and says why", code == 250 and waiting[0]["address"] == "bob@clear.example")
    announce("nothing of it went out in clear", len(clear.messages) == 1)

    title("4. Payroll data for an outsider is refused.")
    code, text = send(relay, "payroll.eml", "dave@corp.example", "bob@clear.example")
    announce("550 5.7.1, in the rule's words", code == 550 and text.startswith("5.7.1 Payroll data"))

    title("The rules change while it runs.")
    rules = relay.folder / "rules.sluice"
    rules.write_text(rules.read_text().replace('"X-Relayed-By" "Sluice"', '"X-Relayed-By" "Sluice, second edition"'))
    print("  " + relay.sluice("reload").stdout.strip())
    send(relay, "plain.eml", "alice@corp.example", "bob@clear.example")
    announce("the next message meets the new rule", b"second edition" in clear.wait(2)[1].headers)
    rules.write_text(rules.read_text().replace("then require_tls", "then require_tsl"))
    refused = relay.sluice("reload", check=False)
    print("\n".join("  " + line for line in (refused.stdout + refused.stderr).splitlines()))
    announce("a misspelt set is refused and changes nothing", refused.returncode == 65)

    title("The queue (sluice queue):")
    print(relay.sluice("queue").stdout, end="")
    title("The counters (sluice rules):")
    print(relay.sluice("rules").stdout, end="")
    title("What arrived, and over which channel:")
    for where, sink in (("partner.example", partner), ("clear.example", clear)):
        for message in sink.messages:
            subject = next(line for line in message.headers.split(b"\r\n") if line.lower().startswith(b"subject:"))
            print(f"  {where:16} {'TLS  ' if message.tls else 'clear'}  {subject.decode()}")
    hits = relay.rules()
    announce("counters: two messages needed TLS, one was refused",
             hits["Top secret leaves only over TLS"]["applied"] == 2 and hits["Payroll stays here"]["rejected"] == 1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
