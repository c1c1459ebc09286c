"""The second evaluator's answers, and what it calls the same text, domain or address (sections 2 and 3 of the
language).

Answers are letters: F no, T yes, A disputed, U unreadable, E unavailable.
"""
import functools
import re
import unicodedata

F, T, A, U, E = "F", "T", "A", "U", "E"
GRAVITY = {A: 1, U: 2, E: 3}
TROUBLE = {None: F, "unreadable": U, "unavailable": E, "disputed": A}


def both(x, y):
    if F in (x, y):
        return F
    if x == T:
        return y
    if y == T:
        return x
    return max(x, y, key=GRAVITY.get)


def either(x, y):
    if T in (x, y):
        return T
    if x == F:
        return y
    if y == F:
        return x
    return max(x, y, key=GRAVITY.get)


def negate(x):
    return {F: T, T: F}.get(x, x)


def views(answers):
    """What several readings of one value say together: yes if all do, no if none does, otherwise disputed."""
    if answers and all(x == T for x in answers):
        return T
    if T in answers:
        return A
    return functools.reduce(either, answers, F)


# --- text ------------------------------------------------------------------------------------------------------------

# Default_Ignorable_Code_Point of Unicode 14 (DerivedCoreProperties.txt).
IGNORABLE = [(0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
             (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
             (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)]
VISIBLE = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in IGNORABLE) + "]")
# White_Space (PropList.txt).
BLANKS = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
UNSPACED = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR",
            "IDEOGRAPHIC", "HALFWIDTH KATAKANA")


@functools.lru_cache(20000)
def fold(text, trim=False):
    text = VISIBLE.sub("", text)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = unicodedata.normalize("NFKC", VISIBLE.sub("", text))
    text = BLANKS.sub(" ", text)
    return text.strip(" ") if trim else text


@functools.lru_cache(20000)
def fold_case(text):
    """For local parts."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def lower(text):
    """For labels of domains."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def in_word(c):
    return unicodedata.category(c)[0] in "LMN"


def unspaced(c):
    return unicodedata.name(c, "").startswith(UNSPACED)


def boundary(text, at):
    if at in (0, len(text)):
        return True
    before, after = text[at - 1], text[at]
    return not in_word(before) or not in_word(after) or unspaced(before) or unspaced(after)


def places(text, needle, word):
    at = text.find(needle)
    while at >= 0:
        if not word or (boundary(text, at) and boundary(text, at + len(needle))):
            yield at
        at = text.find(needle, at + 1)


def count(text, needle, word):
    n, end = 0, 0
    for at in places(text, needle, word):
        if at >= end:
            n, end = n + 1, at + len(needle)
    return n


@functools.lru_cache(20000)
def like(pattern):
    return re.compile("".join({"*": ".*", "?": "."}.get(c) or re.escape(c) for c in pattern), re.S)


# --- domains and addresses -------------------------------------------------------------------------------------------

@functools.lru_cache(20000)
def a_labels(domain):
    out = []
    for label in lower(domain).rstrip(".").split("."):
        out.append(label if label.isascii() else "xn--" + label.encode("punycode").decode())
    return ".".join(out)


@functools.lru_cache(20000)
def u_labels(domain):
    out = []
    for label in domain.lower().rstrip(".").split("."):
        try:
            shown = label[4:].encode().decode("punycode") if label.startswith("xn--") else label
        except UnicodeError:
            shown = label
        out.append(lower(shown))
    return ".".join(out)


def domain_matches(pattern, domain):
    """Both in A-labels."""
    if pattern.startswith("*."):
        return domain.endswith(pattern[1:]) and len(domain) > len(pattern) - 1
    return pattern == domain


class Address:
    def __init__(self, text, name=""):
        self.name = name
        self.text = text
        raw = text[len(name) + 2:-1] if name and text.startswith(f"{name} <") else text
        local, at, domain = raw.rpartition("@")
        if not at:
            local, domain = raw, ""
        self.local = fold_case(local)
        self.domain = a_labels(domain) if domain else ""
        self.shown = f"{self.local}@{u_labels(domain)}" if domain else self.local
        self.whole = f"{self.local}@{self.domain}" if domain and local else ""


def address_matches(written, address):
    local, _, domain = written.rpartition("@")
    if not local:
        return bool(address.domain) and domain_matches(a_labels(domain), address.domain)
    return address.whole == f"{fold_case(local)}@{a_labels(domain)}"
