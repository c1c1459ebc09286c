#!/usr/bin/python3
"""Takes the verifier's checks away one by one, and parts of them, and sees whether a test notices.

    tests/mutants.py [--show] [--jobs N]

Every row of runtime/bytecode/checks.def is a mutant (its check always holds), and so is every part of a condition in
runtime/bytecode/verify*.c: in what a check demands a part becomes true, in what it refuses a part becomes false, a
bound moves by one.  Each mutant is compiled, linked with each test of the verifier and run: it is caught when one of
them fails.  A mutant that no program can tell from the original stands in EQUIVALENT, with the reason.  `make mutants`
is the way to call it.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ["runtime/bytecode/verify.c", "runtime/bytecode/verify_tables.c", "runtime/bytecode/verify_cases.c"]

# (function, the part as written): why nothing can tell it away.
EQUIVALENT = {
    ("verify_rule_ranges", "r->end > p->code_count"): "rules leave no gap, so the last one's end is held to the code's",
    ("verify_test_indexes",
     "t->a < p->patterns_count, bound"): "of patterns there is at least one, which then lies outside",
    ("field_argument_holds",
     "param->type == TYPE_ADDRESS"): "only parameters that are addresses say that a field may stand there",
}

Mutant = collections.namedtuple("Mutant", "file function text start end by")


# --- finding parts ---------------------------------------------------------------------------------------------------

def matching(text, at):
    """The place after the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i + 1
    raise ValueError("unbalanced")


def split(text, start, end, operator):
    """The parts of text[start:end] between an operator that stands outside parentheses."""
    parts, depth, at, i = [], 0, start, start
    while i < end:
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0 and text.startswith(operator, i):
            parts.append((at, i))
            i += len(operator)
            at = i
            continue
        i += 1
    return parts + [(at, end)]


def trimmed(text, start, end):
    while text[start].isspace():
        start += 1
    while text[end - 1].isspace():
        end -= 1
    return start, end


def parts_of(text, start, end, demanded):
    """(start, end, by): what of an expression can be weakened.  demanded: it must hold; else it is what is refused."""
    out = []
    weak = "true" if demanded else "false"
    operator = "&&" if demanded else "||"
    for a, b in split(text, start, end, operator):
        a, b = trimmed(text, a, b)
        inner = text[a:b]
        if inner in ("true", "false", "good", "0", "1"):
            continue
        out.append((a, b, weak, inner))
        if inner[0] == "(" and matching(text, a) == b:
            out += [p for p in parts_of(text, a + 1, b - 1, demanded) if p[:2] != trimmed(text, a + 1, b - 1)]
        bound = re.search(r" < " if demanded else r" >= ", inner)
        if bound and "(" not in inner and "[" not in inner[:bound.start()].split(".")[0]:
            a += bound.start()
            out.append((a, a + len(bound[0]), " <= " if demanded else " > ", f"{inner}, bound"))
    return out


def expressions(text):
    """(start, end, demanded) of what checks demand and refuse."""
    for m in re.finditer(r"\bif \(", text):
        end = matching(text, m.end() - 1)
        after = text[end:end + 60].lstrip()
        if re.match(r"(return fail\(|good = fail\(|return false;)", after):
            yield m.end(), end - 1, False
        elif re.match(r"(good = )", after):
            pass                                    # its guard: the assignment has parts of its own
    for m in re.finditer(r"\bgood = (?!fail\()|\bgood &= ", text):
        end = text.index(";", m.end())
        yield m.end(), end, True
    for m in re.finditer(r"\breturn (?=[^;]*(&&|==|<=|<))", text):
        end = text.index(";", m.end())
        body = text[m.end():end]
        if "fail(" in body:                         # return CONDITION || fail(…)
            yield m.end(), m.end() + body.rindex("|| fail("), True
        elif " ? " not in body.split("||")[0]:
            yield m.end(), end, True


def function_at(text, at):
    names = re.findall(r"^(?:static )?(?:bool|void|const struct \w+ \*|uint64_t)\s?(\w+)\(", text[:at], re.M)
    return names[-1] if names else "?"


def mutants():
    for name in SOURCES:
        text = (ROOT / name).read_text()
        seen = set()
        for start, end, demanded in expressions(text):
            for a, b, by, part in parts_of(text, start, end, demanded):
                if (a, b, by) not in seen and function_at(text, a) not in ("is_jump", "has_control", "row_of"):
                    seen.add((a, b, by))
                    yield Mutant(name, function_at(text, a), part, a, b, by)
    text = (ROOT / SOURCES[0]).read_text()
    rows = text.index("#define CHECK(name, doc) {#name, verify_##name, doc},")
    for check in re.findall(r"^CHECK\((\w+),", (ROOT / "runtime/bytecode/checks.def").read_text(), re.M):
        yield Mutant(SOURCES[0], "checks.def", f"CHECK({check})", rows, rows, check)


# --- running ---------------------------------------------------------------------------------------------------------

def source_of(m):
    text = (ROOT / m.file).read_text()
    if m.function != "checks.def":
        return text[:m.start] + m.by + text[m.end:]
    gone = f"verify_{m.by}"
    return text.replace("/* --- the table --- */",
                        "static bool holds_always(const struct program *p, const struct vocabulary_rows *rows,"
                        " struct verify_failure *f)\n{\n    (void)p, (void)rows, (void)f;\n    return true;\n}\n"
                        f"#define {gone} holds_always\n")


def command(*words):
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True)


def fails(program):
    """Whether that test notices, and what it said."""
    try:
        done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, timeout=30)
        return done.returncode != 0, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return True, "over 30 s"
    finally:
        program.unlink()


def run(m, folder):
    stem = pathlib.Path(folder) / f"m{abs(hash(m))}"
    source, object_, program = stem.with_suffix(".c"), stem.with_suffix(".o"), stem.with_suffix(".test")
    source.write_text(source_of(m))
    cc, libraries = os.environ["MUTANT_CC"].split(), os.environ["MUTANT_LIBS"].split()
    made = command(*cc, "-c", str(source), "-o", str(object_))
    said = ""
    for test in os.environ["MUTANT_TESTS"].split():
        if made.returncode == 0:
            made = command(*cc, str(object_), test, *libraries, "-o", str(program))
        if made.returncode:
            return "no program", made.stderr
        caught, said = fails(program)
        if caught:
            return "caught", said
    return "lives", said


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--show", action="store_true", help="every mutant, not only those that live")
    args = options.parse_args()
    all_mutants, tally, living = list(mutants()), collections.defaultdict(collections.Counter), []
    excused = set()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for m, (how, text) in zip(all_mutants, pool.map(lambda m: run(m, folder), all_mutants)):
            if how == "lives" and (m.function, m.text) in EQUIVALENT:
                excused.add((m.function, m.text))
                how = "equivalent"
            tally[m.function][how] += 1
            if how in ("lives", "no program"):
                living.append((m, how, text))
            if args.show:
                print(f"{how:10} {m.function}: {m.text} -> {m.by}")
    for function, counts in tally.items():
        n = sum(counts.values()) - counts["equivalent"]
        print(f"  {function:32} caught {counts['caught']} of {n}" +
              (f" ({counts['equivalent']} cannot be told from the original)" if counts["equivalent"] else ""))
    for m, how, text in living:
        print(f"# {how}: {m.file} {m.function}: `{m.text}` -> `{m.by}`" + (f"\n{text}" if how == "no program" else ""))
    for idle in set(EQUIVALENT) - excused:
        print(f"# EQUIVALENT {idle} excuses nothing")
    caught = sum(c["caught"] for c in tally.values())
    n = len(all_mutants) - sum(c["equivalent"] for c in tally.values())
    print(f"caught {caught} of {n}")
    return 1 if living or set(EQUIVALENT) - excused else 0


if __name__ == "__main__":
    sys.exit(main())
