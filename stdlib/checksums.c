#include "stdlib/checksums.h"

/* The letters (lower case) and digits of a match; nothing has more than fits here. */
enum { CODE_MAX = 40 };
struct code {
    char c[CODE_MAX];
    size_t n;
    size_t digits; /* how many of them are digits */
};

static bool code_of(struct str s, struct code *out)
{
    *out = (struct code){.n = 0};
    for (size_t i = 0; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        if (!ascii_is_alpha(c) && !ascii_is_digit(c)) continue;
        if (out->n == CODE_MAX) return false;
        out->digits += ascii_is_digit(c);
        out->c[out->n++] = c;
    }
    return true;
}

static bool is_digits(const struct code *x, size_t n) { return x->n == n && x->digits == n; }
static unsigned digit(const struct code *x, size_t i) { return (unsigned)(x->c[i] - '0'); }
/* 0-9, a = 10 … z = 35. */
static unsigned value(char c) { return ascii_is_digit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10; }

static unsigned weighted(const struct code *x, const unsigned char *weights, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) sum += digit(x, i) * weights[i];
    return sum;
}
#define WEIGHTED(x, ...) weighted(x, (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__}))

/* The number of its first n digits, modulo m. */
static unsigned remainder_of(const struct code *x, size_t n, unsigned m)
{
    unsigned r = 0;
    for (size_t i = 0; i < n; i++) r = (r * 10 + digit(x, i)) % m;
    return r;
}

/* --- numbers of cards, accounts, things --------------------------------------------------------------------------- */

static bool luhn_from(const struct code *x, size_t from)
{
    unsigned sum = 0;
    for (size_t i = 0; i < x->n - from; i++) {
        unsigned d = digit(x, x->n - 1 - i) * (i % 2 ? 2 : 1);
        sum += d > 9 ? d - 9 : d;
    }
    return sum % 10 == 0;
}
/* ISO/IEC 7812-1. */
static bool luhn(const struct code *x) { return x->n >= 2 && x->digits == x->n && luhn_from(x, 0); }

/* ISO 13616 with the lengths of its registry, ISO 7064 MOD 97-10. */
static bool iban(const struct code *x)
{
    static const char lengths[] =
        "ad24 ae23 al28 at20 az28 ba20 be16 bg22 bh22 br29 by28 ch21 cr22 cy28 cz24 de22 dk18 do28 ee20 eg29 es24 fi18 "
        "fo18 fr27 gb22 ge22 gi23 gl18 gr27 gt28 hr21 hu28 ie22 il23 iq23 is26 it27 jo30 kw30 kz20 lb28 lc32 li21 lt20 "
        "lu20 lv21 ly25 mc27 md24 me22 mk19 mr27 mt31 mu30 nl18 no15 pk24 pl28 ps29 pt25 qa29 ro24 rs22 sa24 sc31 se24 "
        "si19 sk24 sm27 st25 sv28 tl23 tn24 tr26 ua29 va22 vg24 xk20";
    size_t length = 0;
    for (const char *p = lengths; x->n > 4 && !length; p += 5) {
        if (p[0] == x->c[0] && p[1] == x->c[1]) length = (size_t)(p[2] - '0') * 10 + (size_t)(p[3] - '0');
        if (p[4] == '\0') break;
    }
    if (length == 0 || x->n != length) return false;
    unsigned r = 0;
    for (size_t i = 0; i < x->n; i++) {
        unsigned v = value(x->c[(i + 4) % x->n]);
        r = (r * (v > 9 ? 100 : 10) + v) % 97;
    }
    return r == 1;
}

/* ICAO 9303-3 section 4.9: weights 7, 3, 1; the last is the check digit of all before it. */
static bool mrz(const struct code *x)
{
    static const unsigned char weights[] = {7, 3, 1};
    unsigned sum = 0;
    if (x->n < 2 || !ascii_is_digit(x->c[x->n - 1])) return false;
    for (size_t i = 0; i + 1 < x->n; i++) sum += value(x->c[i]) * weights[i % 3];
    return sum % 10 == digit(x, x->n - 1);
}

/* American Bankers Association: 3, 7, 1; the first two digits are a Federal Reserve district. */
static bool aba(const struct code *x)
{
    if (!is_digits(x, 9)) return false;
    unsigned district = remainder_of(x, 2, 100);
    bool known = (district >= 1 && district <= 12) || (district >= 21 && district <= 32) ||
                 (district >= 61 && district <= 72) || district == 80;
    return known && WEIGHTED(x, 3, 7, 1, 3, 7, 1, 3, 7, 1) % 10 == 0;
}

/* GS1: weights 1, 3 from the left, 13 digits. */
static bool ean13(const struct code *x)
{
    return is_digits(x, 13) && WEIGHTED(x, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1) % 10 == 0;
}

/* US Drug Enforcement Administration: two letters, seven digits. */
static bool dea(const struct code *x)
{
    if (x->n != 9 || x->digits < 7 || !ascii_is_alpha(x->c[0])) return false;
    for (size_t i = 2; i < 9; i++)
        if (!ascii_is_digit(x->c[i])) return false;
    unsigned sum = digit(x, 2) + digit(x, 4) + digit(x, 6) + 2 * (digit(x, 3) + digit(x, 5) + digit(x, 7));
    return sum % 10 == digit(x, 8);
}

/* 49 CFR 565.15: transliterated letters, weights, mod 11 in the ninth place. */
static bool vin(const struct code *x)
{
    static const unsigned char letters[] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4,
                                            5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9};
    static const unsigned char weights[] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
    if (x->n != 17 || x->digits == 17 || x->digits == 0) return false;
    unsigned sum = 0;
    for (size_t i = 0; i < 17; i++) {
        unsigned v = ascii_is_digit(x->c[i]) ? digit(x, i) : letters[x->c[i] - 'a'];
        if (!ascii_is_digit(x->c[i]) && v == 0) return false; /* i, o, q */
        sum += v * weights[i];
    }
    unsigned check = sum % 11;
    return x->c[8] == (check == 10 ? 'x' : (char)('0' + check));
}

/* --- numbers of people -------------------------------------------------------------------------------------------- */

/* HM Revenue & Customs, NIM39110: prefixes that are not given out. */
static bool nino_prefix(const struct code *x)
{
    static const char *const never[] = {"bg", "gb", "kn", "nk", "nt", "tn", "zz"};
    if (x->n != 9 || x->digits != 6) return false;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (x->c[0] == never[i][0] && x->c[1] == never[i][1]) return false;
    return true;
}

/* NHS number: weights 10 to 2, mod 11. */
static bool nhs(const struct code *x)
{
    if (!is_digits(x, 10)) return false;
    unsigned check = 11 - WEIGHTED(x, 10, 9, 8, 7, 6, 5, 4, 3, 2) % 11;
    return (check == 11 ? 0 : check) == digit(x, 9);
}

/* Netherlands, burgerservicenummer: 9 to 2, -1, mod 11. */
static bool bsn(const struct code *x)
{
    return is_digits(x, 9) && remainder_of(x, 9, 1000000007) != 0 &&
           (WEIGHTED(x, 9, 8, 7, 6, 5, 4, 3, 2) + 10 * digit(x, 8)) % 11 == 0;
}

/* Spain, DNI and NIE: a letter by the number mod 23; X, Y, Z stand for 0, 1, 2. */
static bool dni(const struct code *x)
{
    struct code n = *x;
    if (n.n != 9 || !ascii_is_alpha(n.c[8])) return false;
    if (n.c[0] >= 'x' && n.c[0] <= 'z') n.c[0] = (char)('0' + (n.c[0] - 'x'));
    for (size_t i = 0; i < 8; i++)
        if (!ascii_is_digit(n.c[i])) return false;
    return "trwagmyfpdxbnjzsqvhlcke"[remainder_of(&n, 8, 23)] == n.c[8];
}

/* France, numéro d'inscription au répertoire: 97 less the first 13 mod 97; Corsica's 2A, 2B count as 19, 18. */
static bool nir(const struct code *x)
{
    struct code n = *x;
    if (n.n != 15) return false;
    if (n.c[5] == '2' && (n.c[6] == 'a' || n.c[6] == 'b')) {
        n.c[6] = n.c[6] == 'a' ? '9' : '8';
        n.c[5] = '1';
        n.digits++;
    }
    if (n.digits != 15) return false;
    return 97 - remainder_of(&n, 13, 97) == digit(&n, 13) * 10 + digit(&n, 14);
}

/* Italy, D.M. 23 December 1976: odd places by this table, even ones by their value. */
static bool codice_fiscale(const struct code *x)
{
    static const unsigned char odd[] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
    if (x->n != 16 || !ascii_is_alpha(x->c[15])) return false;
    unsigned sum = 0;
    for (size_t i = 0; i < 15; i++) {
        unsigned v = ascii_is_digit(x->c[i]) ? digit(x, i) : (unsigned)(x->c[i] - 'a');
        sum += i % 2 ? v : odd[v];
    }
    return x->c[15] == (char)('a' + sum % 26);
}

/* Portugal, número de identificação fiscal: 9 to 2, mod 11. */
static bool nif(const struct code *x)
{
    if (!is_digits(x, 9)) return false;
    unsigned r = WEIGHTED(x, 9, 8, 7, 6, 5, 4, 3, 2) % 11;
    return digit(x, 8) == (r < 2 ? 0 : 11 - r);
}

/* Germany, Steuer-Identifikationsnummer: ISO 7064 MOD 11,10; of the first ten digits one stands two or three times. */
static bool steuer_id(const struct code *x)
{
    if (!is_digits(x, 11) || x->c[0] == '0') return false;
    unsigned seen[10] = {0}, repeated = 0, product = 10;
    for (size_t i = 0; i < 10; i++) {
        unsigned sum = (digit(x, i) + product) % 10;
        product = (sum ? sum : 10) * 2 % 11;
        seen[digit(x, i)]++;
    }
    for (size_t d = 0; d < 10; d++) {
        if (seen[d] > 3) return false;
        repeated += seen[d] > 1;
    }
    return repeated == 1 && (11 - product) % 10 == digit(x, 10);
}

/* Sweden: Luhn over the last ten digits, of a number with or without its century; the month is one. */
static bool personnummer(const struct code *x)
{
    if (x->digits != x->n || (x->n != 10 && x->n != 12)) return false;
    size_t from = x->n - 10;
    unsigned month = digit(x, from + 2) * 10 + digit(x, from + 3);
    return month >= 1 && month <= 12 && luhn_from(x, from);
}

/* Finland, henkilötunnus: date and number mod 31.  The sign of the century is no part of it. */
static bool hetu(const struct code *x)
{
    struct code n = {.n = 0};
    if (x->n < 10) return false;
    for (size_t i = 0; i < x->n; i++)
        if (i != 6 || x->n == 10) n.c[n.n++] = x->c[i]; /* a letter as the sign of the century */
    if (n.n != 10) return false;
    for (size_t i = 0; i < 9; i++)
        if (!ascii_is_digit(n.c[i])) return false;
    return "0123456789abcdefhjklmnprstuvwxy"[remainder_of(&n, 9, 31)] == n.c[9];
}

/* Norway: two digits, each by its weights mod 11. */
static bool fodselsnummer(const struct code *x)
{
    return is_digits(x, 11) && WEIGHTED(x, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1) % 11 == 0 &&
           WEIGHTED(x, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0;
}

/* Poland: 1, 3, 7, 9 …, mod 10. */
static bool pesel(const struct code *x)
{
    return is_digits(x, 11) && WEIGHTED(x, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1) % 10 == 0;
}

/* Belgium: 97 less the first nine mod 97; those born from 2000 with a 2 before it. */
static bool rijksregister(const struct code *x)
{
    if (!is_digits(x, 11)) return false;
    unsigned check = digit(x, 9) * 10 + digit(x, 10), r = remainder_of(x, 9, 97);
    bool young = digit(x, 0) < 5;
    return check == 97 - r || (young && check == 97 - (2 * (1000000000u % 97) + r) % 97);
}

/* Austria, Sozialversicherungsnummer: the fourth digit is that of the others, mod 11. */
static bool svnr(const struct code *x)
{
    if (!is_digits(x, 10) || x->c[0] == '0') return false;
    return WEIGHTED(x, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6) % 11 == digit(x, 3);
}

/* Czechia and Slovakia since 1954: the last digit is the first nine mod 11, or 0 where that would be 10 (born before
 * 1985); the month has one of its forms (+50, +20, +70). */
static bool rodne_cislo(const struct code *x)
{
    if (!is_digits(x, 10)) return false;
    unsigned month = digit(x, 2) * 10 + digit(x, 3);
    month %= 50;
    if (month > 20) month -= 20;
    unsigned year = digit(x, 0) * 10 + digit(x, 1), check = remainder_of(x, 9, 11);
    if (check == 10 && year >= 54 && year < 85) check = 0;
    return month >= 1 && month <= 12 && check == digit(x, 9);
}

/* Estonia, Lithuania: two rounds of weights, mod 11. */
static bool isikukood(const struct code *x)
{
    if (!is_digits(x, 11)) return false;
    unsigned r = WEIGHTED(x, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11;
    if (r == 10) r = WEIGHTED(x, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11;
    return (r == 10 ? 0 : r) == digit(x, 10);
}

/* Ireland, Personal Public Service number: 8 to 2, a second letter counts nine times; mod 23, w for 0. */
static bool pps(const struct code *x)
{
    if (x->digits != 7 || x->n < 8 || x->n > 9) return false;
    for (size_t i = 0; i < 7; i++)
        if (!ascii_is_digit(x->c[i])) return false;
    unsigned sum = WEIGHTED(x, 8, 7, 6, 5, 4, 3, 2);
    if (x->n == 9 && x->c[8] != 'w') sum += 9 * (unsigned)(x->c[8] - 'a' + 1);
    return x->c[7] == "wabcdefghijklmnopqrstuv"[sum % 23];
}

/* --- by name ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    bool (*holds)(const struct code *x);
} checksums[] = {
    {"luhn", luhn},
    {"iban", iban},
    {"nino_prefix", nino_prefix},
    {"mrz", mrz},
    {"aba", aba},
    {"nhs", nhs},
    {"bsn", bsn},
    {"dni", dni},
    {"nir", nir},
    {"codice_fiscale", codice_fiscale},
    {"nif", nif},
    {"steuer_id", steuer_id},
    {"personnummer", personnummer},
    {"hetu", hetu},
    {"fodselsnummer", fodselsnummer},
    {"pesel", pesel},
    {"rijksregister", rijksregister},
    {"ean13", ean13},
    {"svnr", svnr},
    {"rodne_cislo", rodne_cislo},
    {"isikukood", isikukood},
    {"pps", pps},
    {"dea", dea},
    {"vin", vin},
};
enum { CHECKSUMS = sizeof checksums / sizeof *checksums };

bool checksum_holds(struct str name, struct str match)
{
    struct code x;
    if (!code_of(match, &x)) return false;
    for (size_t i = 0; i < CHECKSUMS; i++)
        if (str_eq(name, str_of(checksums[i].name))) return checksums[i].holds(&x);
    return false;
}

const char *checksum_name(size_t i) { return i < CHECKSUMS ? checksums[i].name : NULL; }
