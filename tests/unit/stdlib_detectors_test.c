/* Detectors: what is found, how sure it is, how near a word must be, and every detector of the library by a number that
 * its publisher gives as an example. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/library.h"
#include "compiler/words.h"
#include "message/message.h"
#include "stdlib/checksums.h"
#include "stdlib/vocabulary.h"
#include "tests/support/check.h"
#include "tests/support/judged.h"
#include "vm/run.h"

static char asked(const char *condition, const char *body)
{
    char mail[4096];
    snprintf(mail, sizeof mail, "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n%s\n", body);
    return judged_condition(condition, mail, NULL);
}

static void must(const char *condition, const char *body, char wanted)
{
    char got = asked(condition, body);
    if (got != wanted) fail_msg("%s, of \"%s\": got %c, wanted %c", condition, body, got, wanted);
}

/* --- the library, one by one -------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *found, *near_miss; /* NULL: without checksum or form that a digit could break */
} samples[] = {
    {"credit_card_number", "4111 1111 1111 1111", "4111 1111 1111 1112"},
    {"credit_card_number", "378282246310005", "378282246310006"},
    {"credit_card_number", "3782-822463-10005", "3782-822463-10015"},
    {"credit_card_number", "30569309025904", "30569309025905"},
    {"credit_card_number", "5500-0000-0000-0004", "1234 1234 1234 1234"},
    {"iban", "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 01"},
    {"iban", "GB82WEST12345698765432", "GB82WEST1234569876543"},
    {"aba_routing_number", "021000021", "021000022"},
    {"us_ssn", "078-05-1120", "000-05-1120"},
    {"us_ssn", "219 09 9999", "219-09 9999"},
    {"us_itin", "912-70-1234", "912-93-1234"},
    {"us_dea_number", "AB1234563", "AB1234564"},
    {"uk_nino", "AA 12 34 56 C", "BG 12 34 56 C"},
    {"uk_nhs_number", "943 476 5919", "943 476 5918"},
    {"ireland_pps", "1234567T", "1234567U"},
    {"germany_tax_id", "86 095 742 719", "86 095 742 718"},
    {"germany_id_card", "T220001293", "T220001294"},
    {"france_nir", "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"},
    {"spain_dni", "12345678Z", "12345678A"},
    {"spain_dni", "X1234567L", "Y1234567L"},
    {"italy_codice_fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562T"},
    {"portugal_nif", "123 456 789", "123 456 788"},
    {"netherlands_bsn", "111222333", "111222334"},
    {"belgium_national_number", "85.07.30-033.28", "85.07.30-033.29"},
    {"austria_social_insurance", "1237 010180", "1238 010180"},
    {"switzerland_ahv", "756.9217.0769.85", "756.9217.0769.84"},
    {"sweden_personnummer", "811228-9874", "811228-9873"},
    {"norway_fodselsnummer", "15108695088", "15108695089"},
    {"finland_hetu", "131052-308T", "131052-308U"},
    {"denmark_cpr", "211062-5629", "321062-5629"},
    {"poland_pesel", "44051401359", "44051401358"},
    {"czech_birth_number", "710319/2745", "710319/2746"},
    {"baltic_personal_code", "37605030299", "37605030298"},
    {"passport_mrz", "L898902C36UTO7408122F1204159ZE184226B<<<<<10", "L898902C36UTO7408122F12041"},
    {"vehicle_identification_number", "1M8GDM9AXKP042788", "1M8GDM9A1KP042788"},
    {"email_address", "a.b+c@sub.example.org", "a.b@example"},
    {"ip_address", "192.0.2.255", "192.0.2.256"},
    {"private_key", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----"},
    {"access_token", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7"},
    {"access_token", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abc"},
    {"password", "Password: hunter2!", "the password is yours"},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void every_detector_finds_its_sample(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        char condition[100], body[300];
        snprintf(condition, sizeof condition, "body contains %s", samples[i].name);
        snprintf(body, sizeof body, "see %s, thanks", samples[i].found);
        must(condition, body, 'T');
        snprintf(body, sizeof body, "see %s, thanks", samples[i].near_miss);
        must(condition, body, 'F');
        must(condition, "nothing of the kind, 12 or 345", 'F');
    }
}

/* Each has a sample, compiles, and says what it finds. */
static void the_library_is_whole(void **state)
{
    (void)state;
    struct compiled c;
    struct program *p = compiled_program(&c, STR("import \"std/detectors\""));
    assert_true(p->declarations_count >= 25);
    for (uint32_t i = 0; i < p->declarations_count; i++) {
        const struct declaration *d = &p->declarations[i];
        bool sampled = false, told = false;
        for (size_t k = 0; k < SAMPLES; k++) sampled |= str_eq(d->name, str_of(samples[k].name));
        for (uint32_t k = 0; k < d->argument_count; k++)
            told |= p->arguments[d->first_argument + k].param == SETTING_DETECTOR_COMMENT;
        if (!sampled || !told) fail_msg("%.*s: sample %d, comment %d", STR_ARG(d->name), sampled, told);
    }
    compiled_close(&c);
    struct buf all = {0};
    for (size_t i = 0; library_file(i); i++) buf_printf(&all, "import \"%.*s\"\n", STR_ARG(library_file(i)->name));
    assert_true(library_find(STR("std/files")) && !library_find(STR("std/nothing")));
    buf_add(&all, STR("when client.ip is in private_networks and recipient.domain is in free_mail_domains\n"
                      "and subject contains any of confidential_words then drop"));
    compiled_open(&c, buf_str(&all));
    assert_non_null(c.program);
    assert_int_equal(c.program->lists_count, 3); /* what nobody names is not carried along */
    assert_int_equal(c.diags.warnings, 0);
    compiled_close(&c);
    buf_free(&all);
}

/* Every list of the library resolves: what is only resolved when used could hide a fault. */
static void every_list_of_the_library_resolves(void **state)
{
    (void)state;
    size_t lists = 0;
    for (size_t i = 0; library_file(i); i++) {
        struct str rest = library_file(i)->text, line;
        while (str_cut(rest, '\n', &line, &rest)) {
            struct str name, of;
            if (!str_starts(line, STR("list ")) || !str_cut(str_from(line, 5), ' ', &name, &of)) continue;
            static const char *const fields[][2] = {
                {"text", "subject"}, {"domain", "recipient.domain"}, {"network", "client.ip"}};
            char rules[300];
            struct compiled c;
            for (size_t k = 0; k < 3; k++) {
                if (!str_starts(str_from(of, 3), str_of(fields[k][0]))) continue;
                snprintf(rules, sizeof rules, "import \"%.*s\"\nwhen %s is in %.*s then drop",
                         STR_ARG(library_file(i)->name), fields[k][1], STR_ARG(name));
                compiled_open(&c, str_of(rules));
                if (!c.program) fail_msg("%.*s", STR_ARG(compiled_diagnostics(&c)));
                compiled_close(&c);
                lists++;
            }
        }
    }
    assert_true(lists >= 18);
}

static void checksums_are_those_of_the_table(void **state)
{
    (void)state;
    uint32_t row = words_find_declaration(STR("detector"));
    const char *words = words_rows.declarations[row].params[SETTING_DETECTOR_CHECKSUM].words;
    size_t n = 0;
    struct str rest = str_of(words), word;
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        assert_non_null(checksum_name(n));
        check_str(word, checksum_name(n++));
    }
    assert_null(checksum_name(n));
    assert_false(checksum_holds(STR("none"), STR("0000000000")));
    assert_false(checksum_holds(STR("luhn"), STR("")));
    assert_false(checksum_holds(STR("luhn"), STR("00000000000000000000000000000000000000000000000000")));
}

static void the_defaults_are_those_of_the_table(void **state)
{
    (void)state;
    uint32_t row = words_find_declaration(STR("detector"));
    const struct detector_shape *shape = stdlib_vocabulary.detector;
    assert_int_equal(shape->confidence_default, atoi(words_setting_default(row, SETTING_DETECTOR_CONFIDENCE)));
    assert_int_equal(shape->gives_default, atoi(words_setting_default(row, SETTING_DETECTOR_GIVES)));
    assert_int_equal(shape->within_default, atoi(words_setting_default(row, SETTING_DETECTOR_WITHIN)));
}

/* --- confidence, nearness, counting ------------------------------------------------------------------------------- */

static void words_nearby_make_it_surer(void **state)
{
    (void)state;
    const char *sure = "body contains credit_card_number confidence 85";
    must(sure, "4111 1111 1111 1111", 'F');
    must("body contains credit_card_number confidence 65", "4111 1111 1111 1111", 'T');
    must("body contains credit_card_number confidence 66", "4111 1111 1111 1111", 'F');
    must(sure, "my Visa is 4111 1111 1111 1111", 'T');
    must(sure, "4111 1111 1111 1111\nExpires: 2/2012", 'T');
    must(sure, "4111 1111 1111 1111 advisable", 'F'); /* a word, not a part of one */
    must("body contains credit_card_number confidence 86", "my Visa is 4111 1111 1111 1111", 'F');
    must("body does not contain credit_card_number confidence 85", "4111 1111 1111 1111", 'T');
}

static void near_is_so_many_characters(void **state)
{
    (void)state;
    static const char detector[] =
        "detector \"tag\" pattern /\\bt\\d\\d\\b/ confidence 10 near (\"here\") within 10 gives 90\n"
        "rule \"r\" when body contains tag confidence 50 then require_tls\n";
    static const struct {
        const char *body;
        bool found;
    } cases[] = {
        {"here 12345 t11", false}, /* the word begins 11 characters before */
        {"here 1234 t11", true},
        {"t11 1234 here", true},
        {"t11 12345 here", false},
        {"here \xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa9 t11", true}, /* characters, not bytes */
        {"there 123 t11", false},
        {"t11", false},
        {"t11 0123456789 0123456789 t12 here", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct judged j;
        char mail[200];
        snprintf(mail, sizeof mail, "Content-Type: text/plain; charset=utf-8\n\n%s\n", cases[i].body);
        judged_run(&j, &(struct judged_case){.rules = detector, .message = mail});
        bool found = obligation_demands_tls(judged_recipient(&j, "b@partner.example")->need);
        if (found != cases[i].found) fail_msg("%s", cases[i].body);
        judged_free(&j);
    }
}

static void different_values_are_counted(void **state)
{
    (void)state;
    const char *two = "body contains at least 2 credit_card_number",
               *one = "body contains between 1 and 1 credit_card_number";
    must(two, "4111 1111 1111 1111 and 5500 0000 0000 0004", 'T');
    must(two, "4111 1111 1111 1111 and 4111-1111-1111-1111 again", 'F');
    must(two, "4111 1111 1111 1111", 'F');
    must(one, "4111 1111 1111 1111 and 4111111111111111", 'T');
    must(one, "4111 1111 1111 1111 and 5500 0000 0000 0004", 'F');
    must(one, "none", 'F');
    must("body contains at least 3 email_address", "a@b.example, c@d.example; e@f.example", 'T');
}

static void what_readers_see_is_searched(void **state)
{
    (void)state;
    const char *any = "body contains credit_card_number";
    must(any, "4111 1111\n1111 1111", 'T'); /* over a line's end */
    must(any,
         "\xef\xbc\x94"
         "111 1111 1111 1111",
         'T'); /* a full-width 4 */
    must(any,
         "41\xe2\x80\x8b"
         "11 1111 1111 1111",
         'T'); /* a zero-width space inside */
    must(any, "94111 1111 1111 1111", 'F');
    must("subject or body contains iban", "DE89370400440532013000", 'T');
    assert_int_equal(judged_condition("body contains iban",
                                      "MIME-Version: 1.0\nContent-Type: text/plain; charset=x-unheard-of\n\nwords\n",
                                      NULL),
                     'U');
    assert_int_equal(judged_condition("from contains email_address", "From: a@b.example\n\nx\n", NULL), 'T');
}

static void the_own_one_counts(void **state)
{
    (void)state;
    struct judged j;
    judged_run(&j, &(struct judged_case){.rules = "detector \"iban\" pattern /account \\d+/\n"
                                                  "rule \"r\" when body contains iban then require_tls",
                                         .message = "Subject: x\n\naccount 12\n"});
    assert_true(obligation_demands_tls(judged_recipient(&j, "b@partner.example")->need));
    judged_free(&j);
}

/* A definition is looked at before the rules, and wherever the detector stands it knows it: the rule was once lost. */
static void definitions_know_it(void **state)
{
    (void)state;
    static const char *const rules[] = {"define found as body contains mine\nrule \"r\" when found then "
                                        "require_tls\ndetector \"mine\" pattern /account \\d+/\n",
                                        "detector \"mine\" pattern /account \\d+/\ndefine found as body contains "
                                        "mine\nrule \"r\" when found then require_tls\n",
                                        "define found as body contains iban\ndetector \"iban\" pattern /account "
                                        "\\d+/\nrule \"r\" when found then require_tls\n"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct judged j;
        judged_run(&j, &(struct judged_case){.rules = rules[i], .message = "Subject: x\n\naccount 12\n"});
        assert_int_equal(j.compiled.program->rules_count, 1);
        assert_true(obligation_demands_tls(judged_recipient(&j, "b@partner.example")->need));
        judged_free(&j);
    }
}

/* --- hostile texts ------------------------------------------------------------------------------------------------ */

static uint64_t ticks;
static uint64_t slow_clock(void *self)
{
    (void)self;
    return ticks += 100; /* microseconds a look */
}

/* A million candidates, none of them good: over the budget it is unreadable, never "no". */
static void a_text_of_candidates_ends(void **state)
{
    (void)state;
    struct compiled c;
    struct program *p = compiled_program(&c, STR("rule \"r\" when body contains credit_card_number then require_tls"));
    struct buf mail = {0};
    buf_add(&mail, STR("Subject: x\r\n\r\n"));
    for (int i = 0; i < 20000; i++) buf_add(&mail, STR("4111 1111 1111 1112\r\n"));
    struct err e = {0};
    struct arena *a = arena_create();
    struct vm_program *loaded = vm_load(p, &stdlib_vocabulary, &e);
    assert_non_null(loaded);
    struct str to = STR("b@partner.example");
    struct envelope env = {.recipients = &to, .recipient_count = 1, .reverse_path = STR("a@corp.example")};
    struct vm_input in = {
        .envelope = &env, .queue_id = STR("T"), .message = message_open(a, buf_str(&mail), NULL), .clock = slow_clock};
    struct verdict v;
    struct trace t = {.arena = a};
    assert_true(vm_judge(loaded, &in, a, &v, &t, &e));
    assert_int_equal(t.rules.v[0].answers.p[0], 'U');
    trace_free(&t);
    vm_program_free(&loaded);
    arena_free(&a);
    buf_free(&mail);
    compiled_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_detector_finds_its_sample),     cmocka_unit_test(the_library_is_whole),
        cmocka_unit_test(every_list_of_the_library_resolves),  cmocka_unit_test(checksums_are_those_of_the_table),
        cmocka_unit_test(the_defaults_are_those_of_the_table), cmocka_unit_test(words_nearby_make_it_surer),
        cmocka_unit_test(near_is_so_many_characters),          cmocka_unit_test(different_values_are_counted),
        cmocka_unit_test(what_readers_see_is_searched),        cmocka_unit_test(the_own_one_counts),
        cmocka_unit_test(definitions_know_it),
        cmocka_unit_test(a_text_of_candidates_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
