/* mail/scram and base/base64: RFC 7677's example, RFC 4648's vectors, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "mail/scram.h"
#include "tests/support/check.h"

static void base64_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } vectors[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}};
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v ", " Zm9v",
                                      "Zm-v", "Zm_v", "Zg==\n", "Zm9vYg"};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        b.n = 0;
        base64_encode(str_of(vectors[i].plain), &b);
        assert_true(str_eq(buf_str(&b), str_of(vectors[i].coded)));
        b.n = 0;
        assert_true(base64_decode(str_of(vectors[i].coded), &b));
        assert_true(str_eq(buf_str(&b), str_of(vectors[i].plain)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        b.n = 0;
        buf_add(&b, STR("kept"));
        if (base64_decode(str_of(bad[i]), &b)) fail_msg("%s was taken", bad[i]);
        assert_true(str_eq(buf_str(&b), STR("kept")));
    }
    buf_free(&b);
}

#define NONCE "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

static void pencil(struct scram_secret *out)
{
    struct buf salt = {0};
    assert_true(base64_decode(STR("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt));
    scram_secret_of(STR("pencil"), (const uint8_t *)salt.p, 4096, out);
    buf_free(&salt);
}

static void the_example_of_rfc7677(void **state)
{
    (void)state;
    struct scram_secret secret;
    struct scram_first first;
    struct buf out = {0};
    pencil(&secret);
    assert_true(scram_read_first(STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &first));
    assert_true(str_eq(first.user, STR("user")));
    assert_true(scram_check_final(&first, STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), &secret,
                                  STR("c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), &out));
    assert_true(str_eq(buf_str(&out), STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    buf_free(&out);
}

static void any_change_of_the_last_message_fails(void **state)
{
    (void)state;
    const char good[] = "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    struct scram_secret secret;
    struct scram_first first;
    struct buf out = {0};
    pencil(&secret);
    assert_true(scram_read_first(STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &first));
    for (size_t at = 0; at < sizeof good - 1; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            char bad[sizeof good];
            memcpy(bad, good, sizeof good);
            bad[at] ^= (char)(1u << bit);
            assert_false(scram_check_final(&first, STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), &secret,
                                           (struct str){bad, sizeof good - 1}, &out));
        }
    for (size_t n = 0; n < sizeof good - 1; n++)
        assert_false(scram_check_final(&first, STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), &secret,
                                       (struct str){good, n}, &out));
    assert_int_equal(out.n, 0);
    buf_free(&out);
}

static void first_messages(void **state)
{
    (void)state;
    static const char *const good[] = {"n,,n=u,r=x", "y,,n=u,r=x", "n,a=u,n=u,r=x", "n,,n=a=2Cb=3D,r=x,ext=1"};
    static const char *const bad[] = {"",
                                      "n",
                                      "n,,",
                                      "n,,n=u",
                                      "n,,n=,r=x",
                                      "n,,n=u,r=",
                                      "p=tls-unique,,n=u,r=x",
                                      "n,a=root,n=u,r=x",
                                      "n,,m=ext,n=u,r=x",
                                      "n,,r=x,n=u",
                                      "n,,n=u,r=a b",
                                      "x,,n=u,r=x"};
    static const char *const users[] = {"a=2Cb", "a,b", "x=3D", "x=", "=2c",  NULL,
                                        "=",     NULL,  "a=2",  NULL, "\xff", NULL};
    struct scram_first first;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!scram_read_first(str_of(good[i]), &first)) fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (scram_read_first(str_of(bad[i]), &first)) fail_msg("%s was taken", bad[i]);
    for (size_t i = 0; i < sizeof users / sizeof *users; i += 2) {
        struct buf b = {0};
        bool took = scram_user(str_of(users[i]), &b);
        assert_int_equal(took, users[i + 1] != NULL);
        if (took) assert_true(str_eq(buf_str(&b), str_of(users[i + 1])));
        buf_free(&b);
    }
}

static void passwords(void **state)
{
    (void)state;
    static const uint8_t salt[SCRAM_SALT_SIZE] = "0123456789abcde";
    struct scram_secret s;
    struct buf prepared = {0};
    assert_true(scram_prepare(STR("Pa\xcc\x88ss wort"), &prepared)); /* a + combining diaeresis is a-umlaut: NFC */
    assert_true(str_eq(buf_str(&prepared), STR("P\xc3\xa4ss wort")));
    scram_secret_of(buf_str(&prepared), salt, SCRAM_ITERATIONS_MIN, &s);
    assert_true(scram_password_is(&s, STR("P\xc3\xa4ss wort")));
    assert_false(scram_password_is(&s, STR("p\xc3\xa4ss wort")));
    assert_false(scram_password_is(&s, STR("")));
    assert_false(scram_password_is(&s, STR("\xff")));
    assert_false(scram_prepare(STR("a\nb"), &prepared));
    buf_free(&prepared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(the_example_of_rfc7677),
        cmocka_unit_test(any_change_of_the_last_message_fails),
        cmocka_unit_test(first_messages),
        cmocka_unit_test(passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
