"""What random rule sets and messages for the second evaluator are made of.

Texts are drawn from few fragments, in many spellings that fold to the same or nearly, so that tests hold often.  Code
points are of Unicode 14, as the libraries of both sides know them.
"""
import functools
import unicodedata

# Pairs of spellings that should and of some that should not fold alike.
WORDS = ["secret", "Secret", "SECRET", "se\u00adcret", "se\u200bcret", "\uff33\uff25\uff23\uff32\uff25\uff34",
         "secre\u0301t", "plan", "plane", "plan\u0308", "Stra\u00dfe", "STRASSE", "stra\u1e9ee", "caf\u00e9",
         "cafe\u0301", "CAFE\u0301", "cafe", "\u6771\u4eac", "\u6771\u4eac\u90fd", "\u30c6\u30b9\u30c8",
         "\uff83\uff7d\uff84", "\u041f\u043b\u0430\u043d", "\u043f\u043b\u0430\u043d",
         "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3", "\ufb01le",
         "file", "\u0130stanbul", "istanbul", "\u2460", "1", "12", "card 4111", "x-ray", "\u0e01\u0e32\u0e23",
         "\u1ec7", "e\u0323\u0302", "e\u0302\u0323", "k\u2126", "k\u03c9", "\u212aelvin", "kelvin", "a\u034f\u0301",
         "\u00e1", "\u1fb3", "\u03b1\u03b9", "\u0390", "\u1f00\u0345\u0301", "\uac00", "\u1100\u1161", "\u00bd",
         "[x]", "re", "a.b", "50%", "\u0455\u0435\u0441r\u0435t", "\u0405\u0415\u0421R\u0415\u0422", "rnodern",
         "Modern", "PaypaI", "paypa1", "INV0ICE", "invoice", "il|", "\u03bd\u039d n"]
BLANKS = [" ", "  ", "\t", "\u00a0", "\u3000", " "]
DOMAINS = ["corp.example", "eu.corp.example", "partner.example", "mail.partner.example", "other.example",
           "b\u00fccher.example", "xn--bcher-kva.example", "stra\u00dfe.example", "strasse.example", "CORP.example"]
LOCALS = ["ann", "Ann", "bob", "carl.x", "dora+tag", "j\u00f6rg", "jo\u0308rg", "postmaster"]
ASCII_LOCALS = [x for x in LOCALS if x.isascii()]

NOT_IN_TEXTS = ("Cn", "Cs", "Co", "Cc", "Zl", "Zp")


def changes(c):
    """Whether folding changes it, or it is a mark."""
    kind = unicodedata.category(c)
    return kind not in NOT_IN_TEXTS and (
        unicodedata.normalize("NFKC", c.casefold()) != c or unicodedata.combining(c) or kind in ("Cf", "Mc"))


CHANGING = [c for c in map(chr, range(0xA1, 0x30000)) if changes(c)]


def exotic(rnd):
    """A few characters seldom seen, in one of their spellings."""
    base = "".join(rnd.choice([rnd.choice(CHANGING), rnd.choice(CHANGING), rnd.choice("aek")])
                   for _ in range(rnd.randint(1, 4)))
    forms = [functools.partial(unicodedata.normalize, f) for f in ("NFC", "NFD", "NFKC", "NFKD")]
    return rnd.choice([str, str.upper, str.lower, str.casefold, str.title] + forms)(base)


def rnd_text(rnd, pool, most=3):
    words = [rnd.choice(pool) for _ in range(rnd.randint(1, most))]
    text = words[0]
    for w in words[1:]:
        text += rnd.choice(BLANKS) + w
    return text


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n") + '"'


def address(rnd):
    return f"{rnd.choice(LOCALS)}@{rnd.choice(DOMAINS)}"
