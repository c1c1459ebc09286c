#!/usr/bin/python3
"""The checksums of detectors beside python-stdnum's: the same numbers are good and bad to both.

    checksum_stdnum_test.py [--numbers N] [--seed S]

Numbers of each shape are made at random, half of them with a last part that stdnum takes for good.  What stdnum refuses
for another reason than its checksum (a date, a region) is not compared: a detector leaves that to its pattern.
"""
import argparse
import importlib
import os
import pathlib
import random
import subprocess
import sys

from stdnum.exceptions import InvalidChecksum, ValidationError

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")) / "oracle/checksum_driver"


def digits(rnd, n):
    return "".join(rnd.choice("0123456789") for _ in range(n))


def date(rnd, form):
    year, month, day = rnd.randint(1954, 1999), rnd.randint(1, 12), rnd.randint(1, 28)
    return form.format(y=year % 100, Y=year, m=month, d=day)


def luhn(rnd):
    return digits(rnd, rnd.randint(12, 19))


def iban(rnd):
    country, bban = rnd.choice([("DE", 18), ("FR", 23), ("NL", 14), ("GB", 18), ("CH", 17), ("DK", 14), ("MT", 27)])
    letters = {"NL": 4, "GB": 4, "MT": 4}.get(country, 0)
    return country + digits(rnd, 2) + "".join(rnd.choice("ABCDXYZ") for _ in range(letters)) + digits(rnd,
                                                                                                      bban - letters)


def codice(rnd):
    return ("".join(rnd.choice("BCDFGLMNPRSTVZ") for _ in range(6)) + f"{rnd.randint(0, 99):02d}"
            + rnd.choice("ABCDEHLMPRST")
            + f"{rnd.randint(1, 28):02d}" + rnd.choice("AFHL") + digits(rnd, 3)
            + rnd.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


# name: (stdnum's module, a random number of that shape, how the end of one is varied until it is good)
NUMBERS = {
    "luhn": ("luhn", luhn, (1, "0123456789")),
    "iban": ("iban", iban, (2, "0123456789")),
    "aba": ("us.rtn", lambda r: f"{r.randint(1, 12):02d}" + digits(r, 7), (1, "0123456789")),
    "ean13": ("ean", lambda r: digits(r, 13), (1, "0123456789")),
    "nhs": ("gb.nhs", lambda r: digits(r, 10), (1, "0123456789")),
    "bsn": ("nl.bsn", lambda r: digits(r, 9), (1, "0123456789")),
    "dni": ("es.dni", lambda r: digits(r, 8) + r.choice("ABCDEFGHJKLMNPQRSTVWXYZ"), (1, "ABCDEFGHJKLMNPQRSTVWXYZ")),
    "nir": ("fr.nir",
            lambda r: r.choice("12") + date(r, "{y:02d}{m:02d}") + r.choice(["75", "33", "2A", "2B"]) + digits(r, 8),
            (2, "0123456789")),
    "codice_fiscale": ("it.codicefiscale", codice, (1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
    "nif": ("pt.nif", lambda r: r.choice("123568") + digits(r, 8), (1, "0123456789")),
    "steuer_id": ("de.idnr", lambda r: idnr_shape(r), (1, "0123456789")),
    "personnummer": ("se.personnummer", lambda r: date(r, "{y:02d}{m:02d}{d:02d}-") + digits(r, 4), (1, "0123456789")),
    "hetu": ("fi.hetu", lambda r: date(r, "{d:02d}{m:02d}{y:02d}") + "-" + f"{r.randint(2, 899):03d}"
             + r.choice("0123456789ABCDEFHJKLMNPRSTUVWXY"),
             (1, "0123456789ABCDEFHJKLMNPRSTUVWXY")),
    "fodselsnummer": ("no.fodselsnummer", lambda r: date(r, "{d:02d}{m:02d}{y:02d}") + digits(r, 5), (2, "0123456789")),
    "pesel": ("pl.pesel", lambda r: date(r, "{y:02d}{m:02d}{d:02d}") + digits(r, 5), (1, "0123456789")),
    "rijksregister": ("be.nn", lambda r: date(r, "{y:02d}{m:02d}{d:02d}") + digits(r, 5), (2, "0123456789")),
    "svnr": ("at.vnr", lambda r: r.choice("123456789") + digits(r, 3) + date(r, "{d:02d}{m:02d}{y:02d}"), (6, None)),
    "rodne_cislo": ("cz.rc", lambda r: date(r, "{y:02d}{m:02d}{d:02d}") + digits(r, 4), (1, "0123456789")),
    "isikukood": ("ee.ik", lambda r: r.choice("34") + date(r, "{y:02d}{m:02d}{d:02d}") + digits(r, 4),
                  (1, "0123456789")),
    "pps": ("ie.pps", lambda r: digits(r, 7) + r.choice("ABCDEFGHIJKLMNOPQRSTUVW"), (1, "ABCDEFGHIJKLMNOPQRSTUVW")),
}


def idnr_shape(rnd):
    """One digit of the first ten twice, one not at all (as those given out before 2016)."""
    ten = rnd.sample("0123456789", 9)
    ten.append(rnd.choice(ten))
    rnd.shuffle(ten)
    return "".join(ten) + rnd.choice("0123456789")


def verdict(module, number):
    try:
        module.validate(number)
        return 1
    except InvalidChecksum:
        return 0
    except ValidationError:
        return None


def vary(rnd, number, how):
    count, letters = how
    if letters is None:  # Austria: the check digit is the fourth
        return number[:3] + rnd.choice("0123456789") + number[4:]
    return number[:-count] + "".join(rnd.choice(letters) for _ in range(count))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--numbers", type=int, default=400, help="of each kind")
    parser.add_argument("--seed", type=int, default=7)
    options, _ = parser.parse_known_args()
    rnd = random.Random(options.seed)
    cases, good = [], {}
    for name, (path, make, how) in NUMBERS.items():
        module = importlib.import_module("stdnum." + path)
        for i in range(options.numbers):
            number = make(rnd)
            for _ in range(600 if i % 2 else 0):
                if verdict(module, number) == 1:
                    break
                number = vary(rnd, number, how)
            wanted = verdict(module, number)
            good[name] = good.get(name, 0) + (wanted == 1)
            if wanted is not None:
                cases.append((name, number, wanted))
    text = "".join(f"{name}\t{number}\n" for name, number, _ in cases)
    got = subprocess.run([DRIVER], input=text, capture_output=True, text=True, check=True).stdout.split()
    wrong = [(c, g) for c, g in zip(cases, got) if str(c[2]) != g]
    for (name, number, wanted), ours in wrong[:20]:
        print(f"# {name} {number}: stdnum {wanted}, ours {ours}")
    few = [name for name, n in good.items() if n < options.numbers // 8]
    print(f"{'not ok' if wrong or len(got) != len(cases) else 'ok'} 1 - {len(cases)} numbers, {len(wrong)} differences "
          f"(seed {options.seed})")
    print(f"{'not ok' if few else 'ok'} 2 - enough good numbers of every kind{': ' + ', '.join(few) if few else ''}")
    return 1 if wrong or few or len(got) != len(cases) else 0


sys.exit(main())
