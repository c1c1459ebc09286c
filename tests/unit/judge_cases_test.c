/* Tests in rule files, run: each row is a rule set with tests, and which of them hold. */
#include <string.h>

#include "builder/build.h"
#include "bytecode/codec.h"
#include "bytecode/verify.h"
#include "judge/cases.h"
#include "stdlib/words.h"
#include "tests/support/check.h"
#include "tests/support/compiled.h"

#define RELAY                                                                                                          \
    "list inside of domain = \"corp.example\"\n"                                                                      \
    "list nets of network = 10.0.0.0/8\n"                                                                              \
    "relay hostname \"relay.corp.example\" internal inside\n"                                                          \
    "listener \"in\" address \"127.0.0.1:25\" relay_for nets\n"
#define GIVEN(facts) "test \"t\" given " facts " expect "

/* The tests of a set, one letter each: y passed, n failed.  The program goes through its file form first. */
static void hold_files(const struct compiler_memory_file *files, size_t n, const char *letters)
{
    struct compiled c;
    struct err e = {0};
    struct arena *a = arena_create();
    struct buf file = {0};
    struct settings settings;
    compiled_open_files(&c, files, n);
    if (!c.program) fail_msg("%.*s", STR_ARG(compiled_diagnostics(&c)));
    program_encode(c.program, &file);
    struct program *p = program_decode(buf_str(&file), &stdlib_rows, &e);
    if (!p || !program_verify_err(p, &stdlib_rows, &e)) fail_msg("%s", e.text);
    assert_true(settings_declared(a, p, NULL, &settings, &e));
    struct judge *j = judge_create(p, &settings, &e);
    assert_non_null(j);
    assert_int_equal(p->cases_count, strlen(letters));
    for (uint32_t i = 0; i < p->cases_count; i++) {
        struct case_result r;
        struct buf said = {0};
        case_run(j, i, a, &r);
        case_print(p, i, &r, "", &said);
        if (r.passed != (letters[i] == 'y'))
            fail_msg("test %u of\n%.*s\n%s\n%.*s", i + 1, STR_ARG(files[0].text), r.passed ? "passes" : "fails",
                     STR_ARG(buf_str(&said)));
        buf_free(&said);
    }
    judge_free(&j);
    program_free(&p);
    buf_free(&file);
    arena_free(&a);
    compiled_close(&c);
}

static void hold(const char *rules, const char *letters)
{
    hold_files(&(struct compiler_memory_file){STR("policy.sluice"), str_of(rules)}, 1, letters);
}

static void facts_of_the_envelope(void **state)
{
    (void)state;
    hold(RELAY "when sender is \"a@corp.example\" then drop\n" GIVEN("sender \"A@Corp.Example\"") "drop\n"
         GIVEN("sender absent") "nothing\n" GIVEN("subject \"x\"") "nothing\n", "yyy");
    hold(RELAY "when recipient.scope is outside then require_tls\n"
         GIVEN("recipient (\"b@partner.example\", \"c@corp.example\")")
         "require_tls for \"b@partner.example\", nothing for \"@corp.example\"\n"
         GIVEN("recipient (\"b@partner.example\", \"c@corp.example\")") "require_tls\n"
         GIVEN("recipient \"b@partner.example\"") "nothing\n" GIVEN("recipient.scope outside") "require_tls\n", "ynny");
    hold(RELAY "when sender.scope is inside and direction is outbound then drop\n"
         GIVEN("sender \"a@corp.example\", recipient \"b@x.example\", client.ip 10.1.2.3") "drop\n"
         GIVEN("sender \"a@corp.example\", recipient \"b@x.example\", authenticated") "drop\n"
         GIVEN("sender \"a@corp.example\", recipient \"b@x.example\", client.ip 192.0.2.1") "nothing\n"
         GIVEN("sender.scope inside, direction outbound") "drop\n", "yyyy");
    hold("when authenticated and not encrypted and client.helo is \"x\" then drop\n"
         GIVEN("authenticated, client.helo \"X\"") "drop\n"
         GIVEN("authenticated, encrypted, client.helo \"x\"") "nothing\n" GIVEN("not encrypted") "nothing\n", "yyy");
}

static void facts_of_the_header_see_edits(void **state)
{
    (void)state;
    hold("rule \"a\" when subject contains \"secret\" then prepend_subject \"[S] \"\n"
         "rule \"b\" when subject starts with \"[S]\" then require_tls\n"
         GIVEN("subject \"a secr\xc3\xa9t secret\"") "prepend_subject \"[S] \", require_tls\n"
         GIVEN("subject \"none\"") "nothing\n", "yy");
    hold("when any to is \"b@x.example\" and from.name contains \"ann\" and header \"X-A\" is \"2\" then drop\n"
         GIVEN("to (\"a@x.example\", \"Bob <b@x.example>\"), from \"Ann <a@corp.example>\", "
               "header \"x-a\" (\"1\", \"2\")")
         "drop\n" GIVEN("to \"a@x.example\", from \"Ann <a@corp.example>\", header \"X-A\" \"2\"") "nothing\n", "yy");
    hold("when cc is absent and message_id is absent then drop\n" GIVEN("cc absent") "drop\n"
         GIVEN("cc \"a@b.example\"") "nothing\n" GIVEN("message_id \"<1@x>\"") "nothing\n", "yyy");
}

static void facts_in_place_of_getters(void **state)
{
    (void)state;
    hold("when size is over 10 MB then drop\n" GIVEN("size 20 MB") "drop\n" GIVEN("size 10 MB") "nothing\n"
         GIVEN("body \"x\"") "nothing\n", "yyy");
    hold("when size is under 10 MB then drop\n" GIVEN("body \"x\"") "nothing\n", "y"); /* what is not given is absent */
    hold("when body contains at least 2 word \"x\" then drop\n" GIVEN("body \"x and x\"") "drop\n"
         GIVEN("body \"xx\"") "nothing\n" GIVEN("body absent") "nothing\n", "yyy");
    hold("when any attachment.extension is \"exe\" and spf is fail then drop\n"
         GIVEN("attachment.extension (\"pdf\", \"EXE\"), spf fail") "drop\n" GIVEN("spf fail") "nothing\n", "yy");
    /* A part that is given is a part of something. */
    hold("when any attachment where (extension is \"exe\" and size is over 1 MB) and attachment is present then drop\n"
         GIVEN("attachment.extension (\"pdf\", \"exe\"), attachment.size (1 KB, 2 MB)") "drop\n"
         GIVEN("attachment.extension (\"exe\", \"pdf\"), attachment.size (1 KB, 2 MB)") "nothing\n"
         GIVEN("attachment.extension \"exe\"") "nothing\n", "yyy");
    hold("when to is \"a@b.example\" and to.group is \"x\" then drop\n"
         GIVEN("to \"a@b.example\", to.group \"x\"") "drop\n" GIVEN("to.group \"x\"") "nothing\n", "yy");
    hold("when marked \"m\" then drop\n" GIVEN("marked \"m\"") "drop\n" GIVEN("marked \"n\"") "nothing\n", "yy");
}

static void lists_are_empty_unless_given(void **state)
{
    (void)state;
    hold("list vips of address in table \"vips\"\nlist nets of network in table \"nets\"\n"
         "rule \"r\" when sender is in vips or client.ip is in nets then drop\n"
         GIVEN("sender \"a@b.example\"") "nothing\n" GIVEN("sender \"a@b.example\", vips (\"@B.example\")") "drop\n"
         GIVEN("client.ip 10.1.1.1, nets (10.0.0.0/8)") "drop\n", "yyy");
}

static void messages(void **state)
{
    (void)state;
    const struct compiler_memory_file files[] = {
        {STR("policy.sluice"), STR("rule \"r\" when subject contains \"secret\" and body contains \"text\" then drop\n"
                                   "rule \"s\" when size is under 1 KB and header \"X-A\" is present then require_tls\n"
                                   GIVEN("message \"mail.eml\"") "drop\n"
                                   GIVEN("message \"mail.eml\", subject \"other\"") "nothing\n"
                                   GIVEN("message \"mail.eml\", subject absent, header \"X-A\" \"1\"") "require_tls\n"
                                   GIVEN("message \"mail.eml\", body \"none\"") "nothing\n")},
        {STR("mail.eml"), STR("From: a@b.example\nSubject: a\n secret\nX-B: 1\n\nthe text\n")}};
    hold_files(files, 2, "yyyy");
}

static void whose_rules_take_part(void **state)
{
    (void)state;
    const struct compiler_memory_file files[] = {
        {STR("policy.sluice"), STR("import \"a.sluice\"\nimport \"b.sluice\"\n"
                                    "rule \"top\" when subject is \"x\" then drop\n"
                                   GIVEN("subject \"x\"") "drop, copy to \"a@b.example\", require_tls\n")},
        {STR("a.sluice"), STR("import \"c.sluice\"\n"
                               "rule \"a\" priority 1 when subject is \"x\" then copy to \"a@b.example\"\n"
                              GIVEN("subject \"x\"") "copy to \"a@b.example\", require_tls\n")},
        {STR("b.sluice"), STR(GIVEN("subject \"x\"") "nothing\n")},
        {STR("c.sluice"), STR("rule \"c\" priority 1 when subject is \"x\" then require_tls\n"
                              GIVEN("subject \"x\"") "require_tls\n")}};
    hold_files(files, 4, "yyyy");
}

static void modes_and_windows(void **state)
{
    (void)state;
    hold("rule \"r\" mode audit when subject is \"x\" then drop\n" GIVEN("subject \"x\"") "nothing\n"
         GIVEN("subject \"x\", mode enforce") "drop\n", "yy");
    hold("rule \"r\" expires 2020-01-01 when subject is \"x\" then drop\n" GIVEN("subject \"x\"") "drop\n"
         GIVEN("subject \"x\", date 2020-01-01") "nothing\n" GIVEN("subject \"x\", date 2019-12-31") "drop\n", "yyy");
    hold("rule \"r\" when time is between 22:00 and 06:00 then drop\n" GIVEN("time 23:00") "drop\n"
         GIVEN("time 12:00") "nothing\n" GIVEN("date 2026-09-01T05:59Z") "drop\n", "yyy");
}

static void outcomes(void **state)
{
    (void)state;
    /* Demands join; what is expected is the whole of it. */
    hold("rule \"a\" when always then require_tls min \"1.3\"\nrule \"b\" when always then require_tls verified\n"
         GIVEN("subject \"x\"") "require_tls verified min \"1.3\"\n" GIVEN("subject \"x\"") "require_tls verified\n"
         GIVEN("subject \"x\"") "require_tls verified, require_tls min \"1.3\"\n", "yny");
    /* The last of set_header of one field, each of add_header; log, mark and stop only when they are asked for. */
    hold("rule \"a\" when always then set_header \"X-A\" \"1\", add_header \"X-B\" \"1\", log \"l\", mark \"m\"\n"
         "rule \"b\" when always then set_header \"x-a\" \"2\", add_header \"X-B\" \"1\", "
         "set_header \"X-C\" \"3\", stop\n"
         GIVEN("subject \"x\"") "set_header \"x-a\" \"2\", add_header \"X-B\" \"1\", add_header, "
         "set_header \"X-C\" \"3\"\n"
         GIVEN("subject \"x\"") "set_header \"x-a\" \"2\", set_header \"X-C\", add_header \"X-B\" \"1\"\n"
         GIVEN("subject \"x\"") "set_header \"x-a\", set_header \"X-C\", add_header, add_header, "
         "mark \"m\", log, stop\n"
         GIVEN("subject \"x\"") "set_header \"x-a\", set_header \"X-C\", add_header, add_header, mark \"n\"\n", "ynyn");
    /* What is left out of an expectation is not compared; what is said is. */
    hold("when always then reject \"no\" status \"5.7.9\"\n" GIVEN("subject \"x\"") "reject\n"
         GIVEN("subject \"x\"") "reject \"no\"\n" GIVEN("subject \"x\"") "reject \"nope\"\n"
         GIVEN("subject \"x\"") "reject status \"5.7.9\"\n" GIVEN("subject \"x\"") "drop\n", "yynyn");
    /* Added recipients are asked about by name. */
    hold("when recipient is \"b@x.example\" then redirect to \"desk@x.example\", require_tls\n"
         "when recipient is \"desk@x.example\" then hold\n"
         GIVEN("recipient \"b@x.example\"") "redirect to \"desk@x.example\", require_tls\n"
         GIVEN("recipient \"b@x.example\"") "redirect, require_tls, hold for \"desk@x.example\", "
         "require_tls for \"desk@x.example\"\n"
         GIVEN("recipient \"b@x.example\"") "redirect, require_tls, nothing for \"desk@x.example\"\n"
         GIVEN("recipient \"desk@x.example\"") "hold\n"
         GIVEN("recipient \"desk@x.example\"") "hold, nothing for \"else@x.example\"\n", "yynyn");
    /* One deferred recipient is everybody's. */
    hold("when recipient is \"b@x.example\" then defer \"later\"\n"
         GIVEN("recipient (\"a@x.example\", \"b@x.example\")") "defer \"later\"\n"
         GIVEN("recipient (\"a@x.example\", \"b@x.example\")") "defer for \"b@x.example\", "
         "nothing for \"a@x.example\"\n",
         "yn");
}

/* A rule that is no for another reason does not ask when it is; one whose answer hangs on it makes the test fail. */
static void the_clock(void **state)
{
    (void)state;
    hold("rule \"late\" when time is after 18:00 and sender.domain is \"a.example\" then hold\n"
         "rule \"x\" when subject is \"x\" then require_tls\n"
         GIVEN("subject \"x\"") "require_tls\n"
         GIVEN("subject \"x\", sender \"b@a.example\"") "require_tls, hold\n"
         GIVEN("subject \"x\", sender \"b@a.example\"") "defer\n"
         GIVEN("subject \"x\", sender \"b@a.example\", time 19:00") "require_tls, hold\n"
         GIVEN("subject \"x\", sender \"b@a.example\", date 2026-09-01") "require_tls\n", "ynnyn");
    hold("rule \"w\" when weekday is monday then hold\n" GIVEN("weekday monday") "hold\n"
         GIVEN("weekday sunday") "nothing\n" GIVEN("date 2026-08-31") "hold\n"
         GIVEN("date 2026-08-31, weekday monday") "hold\n" GIVEN("time 12:00") "hold\n", "yyyyn");
    hold("rule \"d\" on_error skip when date is 2026-12-24 or subject is \"x\" then hold\n"
         GIVEN("subject \"x\"") "hold\n"
         GIVEN("subject \"y\"") "nothing\n" GIVEN("subject \"y\", date 2026-12-24") "hold\n", "yny");
    hold("rule \"trial\" mode audit when time is after 18:00 then drop\n" GIVEN("subject \"x\"") "nothing\n"
         GIVEN("mode enforce") "nothing\n", "yn");
}

static void addresses_are_compared_as_addresses(void **state)
{
    (void)state;
    hold("when always then copy to \"boss@corp.example\"\n" GIVEN("subject \"x\"") "copy to \"Boss@Corp.example\"\n"
         GIVEN("subject \"x\"") "copy to \"boss@b\u00fc.example\"\n", "yn");
    hold("when always then redirect to \"a@b\xc3\xbc" "cher.example\"\n"
         GIVEN("subject \"x\"") "redirect to \"A@xn--bcher-kva.example\"\n", "y");
}

static void a_report(void **state)
{
    (void)state;
    struct compiled c;
    struct err e = {0};
    struct buf said = {0};
    struct program *p = compiled_program(&c, STR("rule \"r\" when subject is \"x\" then require_tls verified\n"
                                                 "test \"good\" given subject \"x\" expect require_tls verified\n"
                                                 "test \"bad\" given subject \"x\", recipient \"b@x.example\"\n"
                                                 "expect copy to \"a@b.example\"\n"));
    struct judge *j = judge_create(p, NULL, &e);
    assert_false(cases_hold(j, &said));
    check_buf(&said, "policy.sluice:3:6: the test \"bad\" fails\n"
                     "  at policy.sluice:3:6\n"
                     "  for b@x.example\n"
                     "    expected: copy \"a@b.example\"\n"
                     "    actual:   require_tls verified\n"
                     "1 of 2 tests of the rule set fail\n");
    buf_free(&said);
    judge_free(&j);
    compiled_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_of_the_envelope), cmocka_unit_test(facts_of_the_header_see_edits),
        cmocka_unit_test(facts_in_place_of_getters), cmocka_unit_test(lists_are_empty_unless_given),
        cmocka_unit_test(messages), cmocka_unit_test(whose_rules_take_part), cmocka_unit_test(modes_and_windows),
        cmocka_unit_test(outcomes), cmocka_unit_test(the_clock),
        cmocka_unit_test(addresses_are_compared_as_addresses), cmocka_unit_test(a_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
