/* tools/confusables: writes the table of runtime/mail/confusables.c from Unicode's confusables (UTS #39 section 4),
 * which Debian carries in ICU.  Run by make, never installed; nothing of Sluice links ICU.
 *
 * UTS #39 knows prototypes of characters as they are drawn: capital I is drawn like l, small i is not; Cyrillic capital
 * TE like T, small te like nothing in Latin.  Text tests fold case, so of the two forms of a letter that one counts
 * which is drawn like ASCII: a character becomes what it is drawn like itself if that is ASCII, else what its other
 * form is drawn like if that is ASCII, else what its small form is drawn like.  All of it folded (NFKD, case, ignorable
 * characters gone), and again until nothing changes: what the table gives, it leaves alone.
 *
 * ALIKE(code point, n, …): n code points.  Only what folds to something else than without.  ALIKE_ASCII: the same of
 * ASCII, whose text is ASCII too. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

enum { UNITS = 256, ROUNDS = 16, WIDEST = 8 };

struct text {
    UChar p[UNITS];
    int32_t n;
};

static UErrorCode error = U_ZERO_ERROR;
static USpoofChecker *spoof;
static const UNormalizer2 *nfkd, *casefold;

static void must(const char *what)
{
    if (!U_FAILURE(error)) return;
    fprintf(stderr, "confusables: %s: %s\n", what, u_errorName(error));
    exit(70);
}

static struct text of_character(UChar32 c)
{
    struct text t = {.n = 0};
    U16_APPEND_UNSAFE(t.p, t.n, c);
    return t;
}

static bool same(const struct text *a, const struct text *b) { return u_strCompare(a->p, a->n, b->p, b->n, true) == 0; }

/* NFKD of folded case, ignorable characters gone. */
static struct text plain(const struct text *s)
{
    struct text folded, out;
    folded.n = unorm2_normalize(casefold, s->p, s->n, folded.p, UNITS, &error);
    out.n = unorm2_normalize(nfkd, folded.p, folded.n, out.p, UNITS, &error);
    must("folding");
    return out;
}

static struct text drawn_like(UChar32 c)
{
    struct text s = of_character(c), out;
    out.n = uspoof_getSkeleton(spoof, 0, s.p, s.n, out.p, UNITS, &error);
    must("uspoof_getSkeleton");
    return plain(&out);
}

/* Whether it is ASCII, and something else than c folds to anyhow. */
static bool is_ascii_look(const struct text *t, UChar32 c)
{
    struct text s = of_character(c), self = plain(&s);
    for (int32_t i = 0; i < t->n; i++)
        if (t->p[i] >= 0x80) return false;
    return t->n > 0 && !same(t, &self);
}

static struct text look_of(UChar32 c)
{
    UChar32 forms[] = {c, u_toupper(c), u_tolower(c)};
    for (int i = 0; i < 3; i++) {
        struct text t = drawn_like(forms[i]);
        if (is_ascii_look(&t, c)) return t;
    }
    return drawn_like(u_tolower(c));
}

static struct text closed(struct text t)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct text next = {.n = 0};
        for (int32_t i = 0; i < t.n;) {
            UChar32 c;
            U16_NEXT(t.p, i, t.n, c);
            struct text look = look_of(c);
            if (next.n + look.n > UNITS - 2) abort();
            u_memcpy(next.p + next.n, look.p, look.n);
            next.n += look.n;
        }
        if (same(&t, &next)) return t;
        t = next;
    }
    fprintf(stderr, "confusables: a circle of look-alikes\n");
    exit(70);
}

static void print_row(UChar32 c, const struct text *t)
{
    int32_t n = 0;
    for (int32_t i = 0; i < t->n; n++) {
        UChar32 part;
        U16_NEXT(t->p, i, t->n, part);
        if (c < 0x80 && part >= 0x80) abort();
    }
    if (n > WIDEST) abort();
    printf("%s(0x%04x, %d", c < 0x80 ? "ALIKE_ASCII" : "ALIKE", (unsigned)c, n);
    for (int32_t i = 0; i < t->n;) {
        UChar32 part;
        U16_NEXT(t->p, i, t->n, part);
        printf(", 0x%04x", (unsigned)part);
    }
    printf(")\n");
}

int main(void)
{
    spoof = uspoof_open(&error);
    nfkd = unorm2_getNFKDInstance(&error);
    casefold = unorm2_getNFKCCasefoldInstance(&error);
    must("opening");
    printf("/* Made by tools/confusables.c from Unicode %s. */\n", U_UNICODE_VERSION);
    for (UChar32 c = 0; c <= 0x10ffff; c++) {
        struct text s = of_character(c);
        if (U_IS_SURROGATE(c) || !u_isdefined(c) || !unorm2_isNormalized(nfkd, s.p, s.n, &error)) continue;
        struct text self = plain(&s);
        if (self.n == 0) continue; /* ignorable */
        struct text look = closed(look_of(c));
        if (!same(&look, &self)) print_row(c, &look);
    }
    return 0;
}
