#!/usr/bin/python3
"""The checker itself: it finds each kind of mistake, and nothing where there is none."""
import rig
from relay import main, test

STAMP = b"X-Rig-One: 1\r\n"
RECEIVED = b"Received: from client.test ([127.0.0.1])\r\n\tby relay.test; today\r\n"
SENT = b"Subject: plain\r\nX-Tag: a\r\n\r\nbody\r\n.dot\r\n"
ONE, TWO = "a.0@plain.example", "a.1@edited.example"


def as_delivered(content=SENT, stamp=STAMP):
    head, body = content.split(b"\r\n\r\n", 1)
    return RECEIVED + head + b"\r\n" + stamp + b"\r\n" + body


def told(code=250, recipients=(ONE,), fate=rig.DELIVER, dotted=True):
    history = rig.History(rig.stamped)
    history.begin("a", recipients, SENT, fate)
    if dotted:
        history.dot("a")
    if code:
        history.answered("a", code)
    else:
        history.broken("a")
    return history


def wrong(history, words):
    try:
        history.check()
    except AssertionError as found:
        assert words in str(found), (words, str(found))
    else:
        raise AssertionError(f"it saw nothing of: {words}")


@test
def sound():
    """what is right passes: delivered; refused; unknown once or never; twice with a row at the cut"""
    history = told()
    history.arrived([ONE], as_delivered(), 0)
    history.check()
    told(code=550, fate=rig.REFUSE).check()
    told(code=None).check()
    told(code=None, dotted=False).check()
    history = told()
    history.arrived([ONE], as_delivered(), 0)
    history.cut([ONE])
    history.arrived([ONE], as_delivered(), 1)
    history.check()


@test
def mistakes():
    """lost, halved, altered, misdirected, unstamped, delivered though refused or unfinished, twice: each is found"""
    wrong(told(), "lost")
    history = told(recipients=(ONE, TWO))
    history.arrived([ONE], as_delivered(), 0)
    wrong(history, f"{TWO}: lost")
    history = told()
    history.cut([])
    wrong(history, "lost at cut 1")
    for content in (as_delivered()[:-5], as_delivered(SENT.replace(b"body", b"bodx")),
                    as_delivered(SENT.replace(b": a", b": b")),
                    as_delivered()[:-2], as_delivered() + b"more\r\n"):
        history = told()
        history.arrived([ONE], content, 0)
        wrong(history, "not what was sent")
    history = told()
    history.arrived(["other@plain.example"], as_delivered(), 0)
    wrong(history, "nobody sent this")
    history = told(recipients=(ONE, TWO))
    history.arrived([ONE, TWO], as_delivered(), 0)
    wrong(history, f"{TWO}: stamped")
    for code, dotted, words in ((451, True, "refused 451"), (None, False, "broken")):
        history = told(code=code, dotted=dotted)
        history.arrived([ONE], as_delivered(), 0)
        wrong(history, words)
    history = told(fate=rig.DROP)
    history.arrived([ONE], as_delivered(), 0)
    wrong(history, "(drop)")
    wrong(told(fate=rig.REFUSE), "a rule refuses it")
    for rows, era in (([ONE], 0), ([], 1)):
        history = told()
        history.arrived([ONE], as_delivered(), 0)
        history.cut(rows)
        history.arrived([ONE], as_delivered(), era)
        wrong(history, "after its result was stored")


if __name__ == "__main__":
    main()
