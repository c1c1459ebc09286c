/* Proofs against the machine: what the compiler says can never be true, is always true or makes no difference is held
 * to what judging random messages answers.  A wrong "never" is the one mistake this must not make. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/judged.h"

enum { CONDITIONS = 700, RULE_SETS = 500, MESSAGES = 24, DEPTH = 3 };

/* SLUICE_PROOF_ROUNDS: that many times as much, for `make torture`. */
static size_t rounds(void)
{
    const char *said = getenv("SLUICE_PROOF_ROUNDS");
    return said && atoi(said) > 0 ? (size_t)atoi(said) : 1;
}

/* --- random conditions -------------------------------------------------------------------------------------------- */

/* Few fields, few values: so that tests meet. */
/* clang-format off */
static const char *const atoms[] = {
    "authenticated", "not authenticated", "encrypted", "marked \"m\"",
    "sender.domain is \"a.example\"", "sender.domain is \"b.a.example\"", "sender.domain is \"*.a.example\"",
    "sender is \"x@a.example\"", "sender is any of (\"x@a.example\", \"@b.a.example\")", "sender is \"@a.example\"",
    "sender.domain is not \"a.example\"", "sender is absent", "sender is present", "sender.local is \"x\"",
    "sender.local is \"Y\"", "sender.scope is inside", "sender.scope is outside", "sender.domain is in ours",
    "recipient.domain is \"a.example\"", "recipient.domain is \"corp.example\"", "recipient is \"x@a.example\"",
    "any recipient.domain is \"a.example\"", "every recipient.domain is \"a.example\"",
    "no recipient.domain is \"a.example\"", "any recipient.domain is not \"a.example\"", "recipient.scope is inside",
    "recipient.scope is outside", "recipient.scope is partner", "direction is any of (inbound, relay)",
    "direction is any of (outbound, internal)", "direction is not any of (inbound, outbound, internal, relay)",
    "recipient_count is over 1", "recipient_count is at most 2", "recipient_count is at least 1",
    "recipient_count is 2",
    "recipient_count is between 2 and 3", "recipient_count is under 1",
    "size is over 1 KB", "size is under 2 KB", "size is at most 1 KB", "size is under 0 B",
    "subject contains \"ab\"", "subject contains \"abc\"", "subject is \"abc\"", "subject is \"ABC  d\"",
    "subject starts with \"ab\"", "subject starts with \"b\"", "subject ends with \"c\"", "subject ends with \"d\"",
    "subject is like \"a*c\"", "subject is absent", "subject contains word \"abc\"", "subject does not contain \"abc\"",
    "subject contains any of (\"ab\", \"zz\")", "subject matches /abc/", "subject is present",
    "subject contains at least 2 \"ab\"", "subject is \"аbс\"", "subject contains \"аb\"",
    "body contains \"ab\"", "body contains \"abc\"", "body is present",
    "to is present", "to is absent", "to is \"x@a.example\"", "any to is not \"x@a.example\"",
    "every to is \"x@a.example\"", "no to is \"x@a.example\"", "to.domain is \"a.example\"",
    "every to.domain is \"b.a.example\"", "any to where (domain is \"a.example\" and local is \"x\")",
    "any to where (domain is \"a.example\" and domain is \"b.example\")", "no to where (domain is \"a.example\")",
    "every to where (domain is \"a.example\")",
    "to.name is present", "any to.name is absent", "to.name contains \"ab\"",
    "from.domain is \"a.example\"", "every from.domain is not \"a.example\"", "no from.domain is \"*.a.example\"",
    "header \"X-A\" is present", "header \"x-a\" is absent", "header \"X-A\" contains \"ab\"",
    "every header \"X-A\" contains \"ab\"", "no header \"X-A\" contains \"abc\"", "any header \"X-A\" is not \"abc\"",
    "client.ip is in 10.0.0.0/8", "client.ip is in 10.1.0.0/16", "client.ip is 192.0.2.7",
    "client.ip is not in 10.0.0.0/8", "time is between 18:00 and 06:00", "time is after 12:00", "time is before 12:00",
    "time is 12:00", "weekday is any of (saturday, sunday)", "weekday is monday", "date is before 2026-11-01",
    "date is after 2026-11-01", "importance is high", "importance is any of (low, normal)",
    "sender.domain is recipient.domain", "reply_to.domain is from.domain", "always_size",
};
/* clang-format on */
enum { ATOMS = sizeof atoms / sizeof *atoms };

/* Half of the atoms of one condition come from one neighbourhood of the table, where fields are the same. */
static void add_condition(struct buf *out, struct dice *d, size_t near, unsigned depth)
{
    size_t shape = depth ? dice_roll(d, 5) : 0;
    if (shape < 2) {
        size_t i = dice_roll(d, 3) ? (near + dice_roll(d, 9)) % ATOMS : dice_roll(d, ATOMS);
        if (strcmp(atoms[i], "always_size") == 0)
            buf_printf(out, "size is at least 0 B");
        else
            buf_printf(out, "%s%s", dice_roll(d, 4) || str_starts(str_of(atoms[i]), STR("not ")) ? "" : "not ",
                       atoms[i]);
        return;
    }
    if (shape == 2) buf_add(out, STR("not "));
    buf_add_byte(out, '(');
    const char *joined = dice_roll(d, 2) ? " and " : " or ";
    size_t n = 2 + dice_roll(d, 2);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add(out, str_of(joined));
        add_condition(out, d, near, depth - 1);
    }
    buf_add_byte(out, ')');
}

/* --- random messages ---------------------------------------------------------------------------------------------- */

static const char *pick(struct dice *d, const char *const *v, size_t n) { return v[dice_roll(d, n)]; }
#define PICK(d, ...)                                                                                                   \
    pick(d, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static struct str random_content(struct arena *a, struct dice *d)
{
    struct buf b = {0};
    buf_printf(&b, "Received: from x by y; Mon, 23 Nov 2026 15:00:00 +0000\r\n%s",
               PICK(d, "", "From: x@a.example\r\n", "From: y@b.a.example, x@a.example\r\n", "From: z@c.example\r\n",
                    "From: x@a.example\r\nFrom: z@c.example\r\n"));
    buf_add(&b, str_of(PICK(d, "", "Subject: abc\r\n", "Subject: ABC d\r\n", "Subject: ab\r\nSubject: abcd\r\n",
                            "Subject: zz ab ab\r\n", "Subject: b\r\n", "Subject: =?utf-8?q?a_bc?=\r\n",
                            "Subject: аbc\r\n", "Subject: АВС d\r\n", "Subject: =?x-unheard-of?q?abc?=\r\n",
                            "Subject: \r\n", "Subject: abc\r\nSubject: abc\r\n")));
    buf_add(&b,
            str_of(PICK(d, "", "To: x@a.example\r\n", "To: ab <x@a.example>, y@b.a.example\r\n",
                        "To: y@b.a.example\r\n", "To: x@a.example\r\nTo: y@b.example\r\n", "To: undisclosed:;\r\n")));
    buf_add(&b, str_of(PICK(d, "", "X-A: abc\r\n", "X-A: ab\r\nX-A: abc\r\n", "X-A: q\r\n", "Importance: high\r\n",
                            "Importance: low\r\nX-Priority: 1\r\n", "Reply-To: q@a.example\r\n")));
    buf_add(&b, str_of(PICK(d, "\r\n", "Content-Type: text/plain; charset=x-unheard-of\r\n\r\n",
                            "Content-Type: text/plain; charset=utf-8\r\n\r\n")));
    buf_add(&b, str_of(PICK(d, "ab\r\n", "abc\r\n", "none\r\n", "")));
    for (size_t i = dice_roll(d, 3) * 900; b.n < i;) buf_add(&b, STR("padding line\r\n"));
    struct str out = arena_str(a, buf_str(&b));
    buf_free(&b);
    return out;
}

static void random_request(struct arena *a, struct dice *d, struct judge_request *r)
{
    struct envelope *env = &r->envelope;
    env->recipient_count = 1 + dice_roll(d, 3);
    env->recipients = ARENA_ARRAY(a, struct str, env->recipient_count);
    for (size_t i = 0; i < env->recipient_count; i++)
        env->recipients[i] = arena_printf(a, "%s",
                                          PICK(d, "x@a.example", "y@a.example", "y@b.a.example", "c@corp.example",
                                               "d@corp.example", "p@partner.example"));
    env->reverse_path =
        str_of(PICK(d, "", "x@a.example", "y@a.example", "Y@b.a.example", "a@corp.example", "q@d.b.a.example"));
    env->client.ip = str_of(PICK(d, "10.1.2.3", "10.200.0.1", "192.0.2.7", "2001:db8::1"));
    env->client.helo = str_of(PICK(d, "", "client.example"));
    env->client.trusted = dice_roll(d, 2);
    if (dice_roll(d, 2)) env->client.user = STR("user");
    if (dice_roll(d, 2)) env->client.tls_version = STR("TLSv1.3");
    r->queue_id = STR("TEST");
    r->now = 1793491200 + (int64_t)dice_roll(d, 2419200); /* some minute around 2026-11-01 */
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static struct str corp[] = {{"corp.example", 12}}, partner[] = {{"partner.example", 15}};
static struct connector_settings connectors[] = {
    {.tls = CONNECTOR_TLS_VERIFIED, .domains = {partner, 1}},
};
static const struct settings settings = {.internal = {corp, 1}, .connectors = connectors, .connector_count = 1};

/* What stands before the rules: half of the time look-alikes are the same. */
static const char *const heads[] = {
    "list ours of domain = \"a.example\", \"*.a.example\"\n",
    "list ours of domain = \"a.example\", \"*.a.example\"\ndefaults confusables fold\n"};
static const char *head;

static void judge_random_message(struct judge *judge, struct arena *a, struct dice *d, struct trace *t)
{
    struct judge_request r = {.queue_id = STR("TEST")};
    struct judge_answer answer;
    struct str content = random_content(a, d);
    random_request(a, d, &r);
    r.size = content.n;
    judge_message(judge, a, &r, content, &answer, t);
    assert_int_equal(answer.kind, JUDGE_VERDICT);
}

/* The letters that a condition gets over many messages, as bits of "TFAUE". */
static unsigned answers_of(struct str condition, uint64_t seed)
{
    struct compiled c;
    struct err e = {0};
    unsigned seen = 0;
    struct arena *a = arena_create();
    struct dice d = {seed};
    compiled_open(&c,
                  arena_printf(a, "%srule \"r\" on_error skip when %.*s then log \"x\"\n", head, STR_ARG(condition)));
    struct judge *judge = c.program ? judge_create(c.program, &settings, &e) : NULL;
    for (size_t m = 0; judge && m < MESSAGES * 2; m++) {
        struct trace t = {.arena = a};
        judge_random_message(judge, a, &d, &t);
        for (size_t i = 0; i < t.rules.n; i++)
            for (size_t k = 0; k < t.rules.v[i].answers.n; k++) {
                const char *letter = strchr("TFAUE", t.rules.v[i].answers.p[k]);
                if (letter) seen |= 1u << (letter - "TFAUE");
            }
        trace_free(&t);
    }
    judge_free(&judge);
    compiled_close(&c);
    arena_free(&a);
    return seen;
}

enum { YES = 1, NO = 2, UNDECIDED = 28 };

static struct str text_at(const struct compiled *c, struct span at)
{
    return str_slice(c->sources.list.v[at.source]->text, at.from, at.to);
}

static bool says_undecided(const struct diag *d)
{
    for (size_t i = 0; i < d->note_count; i++)
        if (str_find(d->notes[i].text, STR("leaves it undecided")) != STR_NPOS) return true;
    return false;
}

static const struct diag *find_diag(const struct compiled *c, const char *code, size_t *at)
{
    while (*at < c->diags.list.n) {
        const struct diag *d = c->diags.list.v[(*at)++];
        if (strcmp(diag_code_name(d->code), code) == 0) return d;
    }
    return NULL;
}

static void refuted(const struct compiled *c, const struct diag *d, struct str condition, const char *what)
{
    fail_msg("%s is told of `%.*s`, and a message %s\n%.*s", diag_code_name(d->code), STR_ARG(text_at(c, d->span)),
             what, STR_ARG(condition));
}

static void check_proofs(const struct compiled *c, struct str condition, uint64_t seed, size_t counts[3])
{
    const struct diag *d;
    for (size_t at = 0; (d = find_diag(c, "W301", &at)); counts[0]++) {
        unsigned seen = answers_of(text_at(c, d->span), seed);
        if (seen & YES) refuted(c, d, condition, "fulfils it");
        if (!says_undecided(d) && seen & UNDECIDED) refuted(c, d, condition, "leaves it undecided");
    }
    for (size_t at = 0; (d = find_diag(c, "W302", &at)); counts[1]++) {
        unsigned seen = answers_of(text_at(c, d->span), seed);
        if (seen & NO) refuted(c, d, condition, "does not fulfil it");
        if (!says_undecided(d) && seen & UNDECIDED) refuted(c, d, condition, "leaves it undecided");
    }
    for (size_t at = 0; (d = find_diag(c, "W303", &at)); counts[2]++) {
        struct str part = text_at(c, d->span), other = text_at(c, d->notes[0].span);
        bool of_and = str_eq(d->notes[0].text, STR("whatever fulfils this fulfils it too"));
        if (!of_and) {
            struct str swap = part;
            part = other;
            other = swap;
        }
        struct buf b = {0};
        buf_printf(&b, "(%.*s) and not (%.*s)", STR_ARG(other), STR_ARG(part));
        bool wrong = answers_of(buf_str(&b), seed) & YES;
        buf_free(&b);
        if (wrong) refuted(c, d, condition, "needs this part");
    }
}

static void what_is_proved_of_conditions_is_never_contradicted(void **state)
{
    (void)state;
    struct dice d = {20261125};
    size_t counts[3] = {0}, compiled = 0;
    for (size_t i = 0; i < CONDITIONS * rounds(); i++) {
        struct buf b = {0}, rule = {0};
        add_condition(&b, &d, dice_roll(&d, ATOMS), DEPTH);
        head = heads[i % 2];
        buf_printf(&rule, "%srule \"r\" when %.*s then log \"x\"\n", head, STR_ARG(buf_str(&b)));
        struct compiled c;
        compiled_open(&c, buf_str(&rule));
        compiled += c.program != NULL;
        check_proofs(&c, buf_str(&b), i + 1, counts);
        compiled_close(&c);
        buf_free(&rule);
        buf_free(&b);
    }
    print_message("%zu conditions, %zu compile: %zu never, %zu always, %zu parts without effect\n",
                  CONDITIONS * rounds(), compiled, counts[0], counts[1], counts[2]);
    assert_true(compiled > CONDITIONS * rounds() * 9 / 10);
    assert_true(counts[0] > 100 && counts[1] > 100 && counts[2] > 100);
}

/* --- rules that can never run ------------------------------------------------------------------------------------- */

static void add_rules(struct buf *out, struct dice *d, size_t n)
{
    size_t near = dice_roll(d, ATOMS);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "rule \"%zu\" %s%s%son_error skip when ", i, dice_roll(d, 5) ? "" : "priority 50 ",
                   dice_roll(d, 8) ? "" : "on_unreadable hold ", dice_roll(d, 3) ? "" : "confusables fold ");
        if (dice_roll(d, 12))
            add_condition(out, d, near, 1);
        else
            buf_add(out, STR("always"));
        buf_printf(out, " then %s\n",
                   PICK(d, "reject \"no\"", "drop", "stop", "drop", "stop", "log \"x\"",
                        "require_tls verified, log \"y\"", "prepend_subject \"abc \"", "mark \"m\"", "quarantine",
                        "hold", "copy to \"x@a.example\"", "redirect to \"d@corp.example\"",
                        "copy to \"y@b.a.example\", drop", "log \"z\"", "require_tls"));
    }
}

/* Actions of a rule whose answers are all yes or no; -1: some are undecided. */
static int acts(const struct trace *t, const struct program *p, struct str identity)
{
    int n = 0;
    for (size_t i = 0; i < t->actions.n; i++) n += str_eq(p->rules[t->actions.v[i].rule].identity, identity);
    for (size_t i = 0; i < t->rules.n; i++)
        for (size_t k = 0; k < t->rules.v[i].answers.n; k++)
            if (strchr("AUE", t->rules.v[i].answers.p[k])) return -1;
    return n;
}

static void what_can_never_run_never_runs(void **state)
{
    (void)state;
    struct dice d = {4711};
    size_t told = 0, undecided = 0;
    for (size_t i = 0; i < RULE_SETS * rounds(); i++) {
        struct buf b = {0};
        struct compiled c;
        struct err e = {0};
        buf_add(&b, str_of(heads[0]));
        add_rules(&b, &d, 2 + dice_roll(&d, 3));
        compiled_open(&c, buf_str(&b));
        size_t at = 0;
        bool any = find_diag(&c, "W304", &at) != NULL;
        struct judge *judge = any && c.program ? judge_create(c.program, &settings, &e) : NULL;
        struct arena *a = arena_create();
        for (size_t m = 0; judge && m < MESSAGES; m++) {
            struct trace t = {.arena = a};
            judge_random_message(judge, a, &d, &t);
            const struct diag *w;
            for (at = 0; (w = find_diag(&c, "W304", &at)); told++) {
                struct str name = text_at(&c, w->span);
                int n = acts(&t, c.program, str_slice(name, 1, name.n - 1));
                undecided += n < 0;
                bool loose = w->note_count > 1;
                if (n > 0 || (n < 0 && !loose && acts(&t, c.program, STR("none")) > 0))
                    fail_msg("W304 is told of rule %.*s, which acts\n%.*s", STR_ARG(name), STR_ARG(buf_str(&b)));
            }
            trace_free(&t);
        }
        arena_free(&a);
        judge_free(&judge);
        compiled_close(&c);
        buf_free(&b);
    }
    print_message("%zu rule sets: %zu times a dead rule and a message, %zu of them undecided\n", RULE_SETS * rounds(),
                  told, undecided);
    assert_true(told > 300);
}

/* --- what must be found ------------------------------------------------------------------------------------------- */

static void what_can_be_proved_is(void **state)
{
    (void)state;
    static const struct {
        const char *condition, *code; /* NULL: nothing */
    } rows[] = {
        {"recipient.domain is \"a.example\" and recipient.domain is \"b.example\"", "W301"},
        {"any recipient.domain is \"a.example\" and any recipient.domain is \"b.example\"", NULL},
        {"sender is \"x@a.example\" and sender.domain is \"b.example\"", "W301"},
        {"sender is \"x@a.example\" and sender.domain is not \"a.example\"", "W301"},
        {"sender.domain is \"*.a.example\" and sender.domain is \"a.example\"", "W301"},
        {"sender.domain is \"*.a.example\" and sender.domain is \"b.a.example\"", "W303"},
        {"sender.domain is not \"a.example\" or sender.domain is not \"b.example\"", "W302"},
        {"sender.domain is not \"a.example\" and sender.domain is not \"b.example\"", NULL},
        {"size is over 10 MB and size is under 5 MB", "W301"},
        {"size is over 5 MB and size is under 10 MB", NULL},
        {"size is over 5 MB or size is at most 5 MB", "W302"},
        {"recipient_count is under 1", "W301"},
        {"recipient_count is between 3 and 5 and not recipient_count is 3", NULL},
        {"time is before 08:00 and time is after 18:00", "W301"},
        {"time is between 18:00 and 08:00 and time is 20:00", "W303"},
        {"date is before 2026-01-01 and date is 2026-05-05", "W301"},
        {"weekday is monday and weekday is tuesday", "W301"},
        {"direction is outbound or direction is any of (inbound, internal, relay)", "W302"},
        {"subject is \"abc\" and subject contains \"x\"", "W301"},
        {"subject starts with \"a\" and subject starts with \"b\"", "W301"},
        {"subject contains \"a\" and subject contains \"b\"", NULL},
        {"subject contains \"invoice\" or subject contains \"invoices\"", "W303"},
        {"header \"X-A\" is \"a\" and header \"X-A\" is \"b\"", NULL}, /* two fields of that name */
        {"every header \"X-A\" is \"a\" and header \"x-a\" is \"b\"", "W301"},
        {"to is absent and to.domain is \"a.example\"", "W301"},
        {"any to where (domain is \"a.example\" and domain is \"b.example\")", "W301"},
        {"sender.group is \"a\" and sender.group is \"b\"", NULL}, /* somebody is in two groups */
        {"sender is in live and sender is \"x@a.example\"", NULL},
        {"authenticated and not (encrypted or authenticated)", "W301"},
        {"client.ip is in 10.0.0.0/8 and client.ip is in 192.168.0.0/16", "W301"},
        {"client.ip is in 10.0.0.0/8 and client.ip is in 10.1.0.0/16", "W303"},
        {"authenticated and authenticated", "W305"},
        {"attachment.name ends with \".exe\" and attachment.size is over 5 MB", "W307"},
        {"spf is pass and spf is fail", "W301"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[500];
        struct compiled c;
        snprintf(text, sizeof text,
                 "list live of address in table \"t\"\nrule \"r\" when %s then log \"x\"\n"
                 "rule \"s\" when sender is in live then log \"z\"\n",
                 rows[i].condition);
        compiled_open(&c, str_of(text));
        bool quiet = !compiled_has(&c, "W301") && !compiled_has(&c, "W302") && !compiled_has(&c, "W303") &&
                     !compiled_has(&c, "W305");
        if (rows[i].code ? !compiled_has(&c, rows[i].code) : !quiet)
            fail_msg("%s: wanted %s\n%.*s", rows[i].condition, rows[i].code ? rows[i].code : "nothing",
                     STR_ARG(compiled_diagnostics(&c)));
        compiled_close(&c);
    }
}

/* The last rule of each set, and whether it can never run. */
static void what_may_run_is_left_alone(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        bool dead;
    } rows[] = {
        {"when size is over 1 KB then drop\nrule \"l\" when size is over 2 KB then log \"x\"", true},
        {"rule \"e\" mode audit when size is over 1 KB then drop\nrule \"l\" when size is over 2 KB then log \"x\"",
         false},
        {"rule \"e\" expires 2027-01-01 when size is over 1 KB then drop\nrule \"l\" when size is over 2 KB then log "
         "\"x\"",
         false},
        /* what an edit or a mark in between makes of the mail */
        {"when subject contains \"abc\" then drop\nwhen always then prepend_subject \"abc \"\n"
         "rule \"l\" when subject contains \"abc\" then log \"x\"",
         false},
        {"when marked \"m\" then drop\nwhen size is over 1 KB then mark \"m\"\nrule \"l\" when marked \"m\" then log "
         "\"x\"",
         false},
        /* recipients that the earlier rule never met */
        {"when recipient.domain is \"a.example\" then drop\nwhen size is over 1 KB then copy to \"x@a.example\"\n"
         "rule \"l\" when recipient.domain is \"a.example\" then log \"x\"",
         false},
        {"when size is over 1 KB then copy to \"x@a.example\"\nwhen recipient.domain is \"a.example\" then drop\n"
         "rule \"l\" when recipient.domain is \"a.example\" then log \"x\"",
         true},
        {"when always then copy to \"x@a.example\", drop\nrule \"l\" when size is over 1 KB then log \"x\"", false},
        /* what is kept still collects what protects */
        {"when size is over 5 KB then hold\nwhen size is over 1 KB then drop\n"
         "rule \"l\" when size is over 2 KB then require_tls",
         false},
        {"when size is over 5 KB then hold\nwhen size is over 1 KB then drop\nrule \"l\" when size is over 2 KB then "
         "log \"x\"",
         true},
        {"when size is over 1 KB then hold\nrule \"l\" when size is over 2 KB then log \"x\"", false},
        {"when any recipient.domain is \"a.example\" then drop\nwhen size is over 1 KB then copy to \"x@a.example\"\n"
         "rule \"l\" when any recipient.domain is \"a.example\" then log \"x\"",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct compiled c;
        size_t at = 0;
        bool dead = false;
        compiled_open(&c, str_of(rows[i].rules));
        assert_non_null(c.program);
        for (const struct diag *d; (d = find_diag(&c, "W304", &at));)
            dead = dead || str_eq(text_at(&c, d->span), STR("\"l\""));
        if (dead != rows[i].dead)
            fail_msg("%s\n%s\n%.*s", dead ? "told" : "not told", rows[i].rules, STR_ARG(compiled_diagnostics(&c)));
        compiled_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_proved_is),
        cmocka_unit_test(what_is_proved_of_conditions_is_never_contradicted),
        cmocka_unit_test(what_can_never_run_never_runs),
        cmocka_unit_test(what_may_run_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
