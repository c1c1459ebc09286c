/* Live lists: entries, the block and its verification, look-ups held to the words of mail/, and what conditions say. */
#include <string.h>

#include "base/sort.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/live_list.h"
#include "tests/support/check.h"
#include "tests/support/judged.h"

static int by_bytes(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* A block of these entries; in the arena. */
static struct str block_of(struct arena *a, uint8_t type, const char *const *entries, size_t n)
{
    struct str *keys = ARENA_ARRAY(a, struct str, n ? n : 1);
    size_t count = 0;
    struct err e = {0};
    for (size_t i = 0; i < n; i++) {
        struct buf key = {0};
        if (!live_key(type, str_of(entries[i]), &key, &e)) fail_msg("%s", e.text);
        keys[count++] = arena_str(a, buf_str(&key));
        buf_free(&key);
    }
    sort_array(keys, count, sizeof *keys, by_bytes, NULL);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!kept || !str_eq(keys[kept - 1], keys[i])) keys[kept++] = keys[i];
    struct buf out = {0};
    live_block(type, 7, keys, kept, &out);
    struct str block = arena_str(a, buf_str(&out));
    buf_free(&out);
    return block;
}

#define BLOCK(arena, type, ...)                                                                                        \
    block_of(arena, type, (const char *const[]){__VA_ARGS__},                                                          \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void entries_are_checked(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        const char *entry;
        bool good;
    } rows[] = {
        {LIVE_ADDRESS, "A.Person@Corp.Example", true}, {LIVE_ADDRESS, "@corp.example", true},
        {LIVE_ADDRESS, "@*.corp.example", true},       {LIVE_ADDRESS, "corp.example", false},
        {LIVE_ADDRESS, "", false},                     {LIVE_DOMAIN, "*.b.example", true},
        {LIVE_DOMAIN, "b\xc3\xbc" "cher.example", true}, {LIVE_DOMAIN, "a@b.example", false},
        {LIVE_NETWORK, "10.0.0.0/8", true},            {LIVE_NETWORK, "10.0.0.1-10.0.0.9", true},
        {LIVE_NETWORK, "10.0.0.1/8", false},           {LIVE_NETWORK, "2001:db8::/32", true},
        {LIVE_TEXT, "Project X", true},                {LIVE_TEXT, "\xe2\x80\x8b", false},
        {LIVE_TEXT, "two\nlines", false},              {LIVE_TEXT, "\xff", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf key = {0};
        struct err e = {0};
        bool good = live_key(rows[i].type, str_of(rows[i].entry), &key, &e);
        if (good != rows[i].good) fail_msg("\"%s\": %s", rows[i].entry, e.text);
        assert_int_equal(good, !e.sysexit);
        buf_free(&key);
    }
}

static void look_ups(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct live_list l;
    struct err e = {0};
    assert_true(live_open(BLOCK(a, LIVE_ADDRESS, "A@b.example", "@c.example", "@*.d.example"), &l, &e));
    assert_int_equal(l.revision, 7);
    assert_int_equal(l.count, 3);
    assert_true(live_has_address(&l, STR("a@b.example"), STR("b.example")));
    assert_true(live_has_address(&l, STR("x@c.example"), STR("c.example")));
    assert_true(live_has_address(&l, STR("x@a.b.d.example"), STR("a.b.d.example")));
    assert_false(live_has_address(&l, STR("x@d.example"), STR("d.example")));
    assert_false(live_has_address(&l, STR("b@b.example"), STR("b.example")));
    assert_true(live_open(BLOCK(a, LIVE_TEXT, "  Project \xef\xbc\xb8 "), &l, &e)); /* full-width X */
    assert_true(live_has(&l, STR("project x")));
    assert_true(live_open(block_of(a, LIVE_DOMAIN, NULL, 0), &l, &e));
    assert_false(live_has_domain(&l, STR("b.example")));
    arena_free(&a);
}

/* Random small lists over a small alphabet against the plain rules of mail/address, mail/domain and base/ip. */
static void agrees_with_the_plain_rules(void **state)
{
    (void)state;
    struct dice d = {20261125};
    struct arena *a = arena_create();
    unsigned in = 0;
    for (unsigned round = 0; round < 3000; round++) {
        const char *entries[12];
        size_t n = dice_roll(&d, 12);
        uint8_t type = (uint8_t)(LIVE_ADDRESS + dice_roll(&d, 3));
        for (size_t i = 0; i < n; i++) {
            struct str domain = arena_printf(a, "%s%c.%c", dice_roll(&d, 3) ? "" : "*.", (char)('a' + dice_roll(&d, 3)),
                                             (char)('x' + dice_roll(&d, 2)));
            unsigned low = (unsigned)dice_roll(&d, 250), high = low + (unsigned)dice_roll(&d, 6);
            entries[i] = type == LIVE_DOMAIN    ? domain.p
                         : type == LIVE_NETWORK ? arena_printf(a, "10.0.0.%u-10.0.0.%u", low, high).p
                         : domain.p[0] == '*' || dice_roll(&d, 2)
                             ? arena_printf(a, "@%s", domain.p).p
                             : arena_printf(a, "%c@%s", (char)('a' + dice_roll(&d, 2)), domain.p).p;
        }
        struct live_list l;
        struct err e = {0};
        if (!live_open(block_of(a, type, entries, n), &l, &e)) fail_msg("%s", e.text);
        for (unsigned k = 0; k < 20; k++) {
            struct str domain = arena_printf(a, "%s%c.%c", dice_roll(&d, 2) ? "" : "a.", (char)('a' + dice_roll(&d, 3)),
                                             (char)('x' + dice_roll(&d, 2)));
            struct str whole = arena_printf(a, "%c@%s", (char)('a' + dice_roll(&d, 2)), domain.p);
            uint8_t ip[IP_SIZE], low[IP_SIZE], high[IP_SIZE];
            assert_true(ip_parse(arena_printf(a, "10.0.0.%u", (unsigned)dice_roll(&d, 256)), ip));
            bool want = false;
            for (size_t i = 0; i < n; i++) {
                struct str entry = str_of(entries[i]);
                want |= type == LIVE_DOMAIN    ? domain_matches(entry, domain)
                        : type == LIVE_ADDRESS ? address_matches(entry, whole)
                                               : ip_range_parse(entry, low, high, NULL) && ip_in_range(ip, low, high);
            }
            bool got = type == LIVE_DOMAIN    ? live_has_domain(&l, domain)
                       : type == LIVE_ADDRESS ? live_has_address(&l, whole, domain)
                                              : live_has_ip(&l, ip);
            in += want;
            if (got != want) fail_msg("round %u: type %u, %s, %s", round, type, whole.p, n ? entries[0] : "empty");
        }
        arena_reset(a);
    }
    assert_true(in > 5000);
    arena_free(&a);
}

/* Every byte changed, every length: a block is sound or refused, and a sound one is safe to ask. */
static void damage_is_refused(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct str good = BLOCK(a, LIVE_DOMAIN, "a.example", "b.example", "*.c.example");
    struct live_list l;
    struct err e = {0};
    for (size_t n = 0; n < good.n; n++) {
        char *cut = memcpy(mem_alloc(n + 1), good.p, n); /* of its own, so that a read beyond it is seen */
        assert_false(live_open((struct str){cut, n}, &l, &e));
        free(cut);
    }
    char *bytes = memcpy(mem_alloc(good.n), good.p, good.n);
    unsigned refused = 0;
    for (size_t i = 0; i < good.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            if (!live_open((struct str){bytes, good.n}, &l, &e)) refused++;
            else live_has_domain(&l, STR("x.c.example"));
            bytes[i] ^= (char)(1 << bit);
        }
    assert_true(refused > 8 * 20); /* at least all of the head but the revision */
    free(bytes);
    assert_false(live_open(arena_printf(a, "%.*sx", STR_ARG(good)), &l, &e));
    arena_free(&a);
}

/* --- in conditions ------------------------------------------------------------------------------------------------ */

#define LISTS                                                                                                          \
    "list vips of address in table \"vips\"\nlist names of text in table \"names\"\n"                                  \
    "list nets of network in table \"nets\"\nlist doms of domain in table \"doms\"\n"

static char asked(const char *condition, const struct judged_list *lists)
{
    struct arena *a = arena_create();
    struct judged_case c = {.message = "From: a@corp.example\nSubject: Project X\n\nx\n", .to = {"b@partner.example"}};
    c.rules = arena_printf(a, "%srule \"r\" on_error skip when %s then require_tls", LISTS, condition).p;
    for (size_t i = 0; i < 4 && lists[i].name; i++) c.lists[i] = lists[i];
    struct judged j;
    judged_run(&j, &c);
    char letter = j.trace.rules.v[0].answers.p[0];
    judged_free(&j);
    arena_free(&a);
    return letter;
}

static void in_conditions(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    const struct judged_list none[4] = {{0}};
    const struct judged_list lists[4] = {{"vips", BLOCK(a, LIVE_ADDRESS, "A@corp.example")},
                                         {"names", BLOCK(a, LIVE_TEXT, "project x")},
                                         {"nets", BLOCK(a, LIVE_NETWORK, "192.0.2.0/24")},
                                         {"doms", BLOCK(a, LIVE_DOMAIN, "partner.example")}};
    const struct judged_list empty[4] = {{"vips", block_of(a, LIVE_ADDRESS, NULL, 0)}};
    assert_int_equal(asked("sender is in vips", lists), 'T');
    assert_int_equal(asked("from is in vips", lists), 'T');
    assert_int_equal(asked("recipient is in vips", lists), 'F');
    assert_int_equal(asked("any recipient is not in vips", lists), 'T');
    assert_int_equal(asked("subject is in names", lists), 'T');
    assert_int_equal(asked("client.ip is in nets", lists), 'T');
    assert_int_equal(asked("recipient.domain is in doms", lists), 'T');
    assert_int_equal(asked("sender is in vips", empty), 'F');
    assert_int_equal(asked("sender is not in vips", empty), 'T');
    assert_int_equal(asked("sender is in vips", none), 'E'); /* not there: never "no" */
    assert_int_equal(asked("not sender is in vips", none), 'E');
    assert_int_equal(asked("cc is in vips", none), 'F'); /* nobody to look up */
    assert_int_equal(asked("sender is in vips or subject is \"project x\"", none), 'T');
    arena_free(&a);
}

static void of_another_type(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct judged j;
    struct err e = {0};
    judged_run(&j, &(struct judged_case){.rules = LISTS "rule \"r\" when sender is in vips then hold",
                                         .message = "Subject: x\n\nx\n",
                                         .lists = {{"vips", BLOCK(a, LIVE_ADDRESS, "a@corp.example")}}});
    assert_false(judge_set_list(j.judge, STR("vips"), BLOCK(a, LIVE_DOMAIN, "corp.example"), &e));
    assert_false(judge_set_list(j.judge, STR("nobodys"), BLOCK(a, LIVE_DOMAIN, "corp.example"), &e));
    judge_message(j.judge, j.arena, &j.request, j.content, &j.answer, NULL);
    assert_int_equal(j.answer.verdict.answer, VERDICT_DEFER); /* after a bad block the list is not there */
    judged_free(&j);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_checked), cmocka_unit_test(look_ups),
        cmocka_unit_test(agrees_with_the_plain_rules), cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(in_conditions), cmocka_unit_test(of_another_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
