"""What texts look like (option `confusables`): the second evaluator's reading of Unicode's confusables (UTS #39).

The skeletons come from ICU's library through ctypes; what they mean for texts whose case is folded is worked out here.
"""
import ctypes
import ctypes.util
import functools
import re
import unicodedata

from evaluator_words import BLANKS, VISIBLE


@functools.lru_cache(None)
def icu():
    name = ctypes.util.find_library("icui18n")
    version = re.search(r"\.so\.(\d+)", name)[1]
    library = ctypes.CDLL(name)
    opened, skeleton = getattr(library, f"uspoof_open_{version}"), getattr(library, f"uspoof_getSkeletonUTF8_{version}")
    opened.restype, opened.argtypes = ctypes.c_void_p, [ctypes.POINTER(ctypes.c_int)]
    skeleton.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_int32, ctypes.c_char_p,
                         ctypes.c_int32,
                         ctypes.POINTER(ctypes.c_int)]
    error = ctypes.c_int(0)
    return skeleton, opened(ctypes.byref(error))


def skeleton(text):
    function, checker = icu()
    out, error, data = ctypes.create_string_buffer(1000), ctypes.c_int(0), text.encode()
    n = function(checker, 0, data, len(data), out, len(out), ctypes.byref(error))
    assert error.value <= 0, (text, error.value)
    return out.raw[:n].decode()


def plainly(text):
    """NFKD in folded case, without what nobody sees."""
    for _ in range(2):
        text = unicodedata.normalize("NFKD", VISIBLE.sub("", text)).casefold()
    return unicodedata.normalize("NFKD", VISIBLE.sub("", text))


@functools.lru_cache(None)
def one_look(c):
    """Of a letter's two forms the one counts that is drawn like ASCII, its own first."""
    forms = [c] + [f for f in (c.upper(), c.lower()) if len(f) == 1]
    for f in forms:
        drawn = plainly(skeleton(f))
        if drawn and drawn.isascii() and drawn != plainly(c):
            return drawn
    return plainly(skeleton(c.lower() if len(c.lower()) == 1 else c))


@functools.lru_cache(None)
def look_of(c):
    """A character in NFKD."""
    text = one_look(c)
    while True:
        further = "".join(one_look(x) for x in text)
        if further == text:
            return text
        text = further


@functools.lru_cache(20000)
def look(text, trim=False):
    text = unicodedata.normalize("NFKD", VISIBLE.sub("", text))
    text = unicodedata.normalize("NFC", VISIBLE.sub("", "".join(look_of(c) for c in text)))
    text = BLANKS.sub(" ", text)
    return text.strip(" ") if trim else text


@functools.lru_cache(None)
def look_alikes():
    """Of each character of ASCII, what looks like it."""
    out = {}
    for c in map(chr, range(0x21, 0x20000)):
        if unicodedata.category(c)[0] in "LNP" and unicodedata.normalize("NFKD", c) == c and len(look_of(c)) == 1:
            out.setdefault(look_of(c), []).append(c)
    return {c: out[look_of(c)] for c in map(chr, range(0x21, 0x7F)) if len(look_of(c)) == 1 and look_of(c) in out}


def disguised(rnd, text):
    """The same to the eye, with some characters of other scripts."""
    return "".join(rnd.choice(look_alikes()[c]) if c in look_alikes() and rnd.random() < 0.5 else c for c in text)
