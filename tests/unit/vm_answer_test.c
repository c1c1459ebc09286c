/* The laws of answers, and that bit planes obey them as single values do. */
#include "vm/answer.h"

#include "tests/support/check.h"

enum { VALUES = ANSWER_UNAVAILABLE + 1 };

static void laws(void **state)
{
    (void)state;
    for (int i = 0; i < VALUES * VALUES * VALUES; i++) {
        enum answer_value x = i % VALUES, y = i / VALUES % VALUES, z = i / VALUES / VALUES;
        assert_int_equal(value_and(x, y), value_and(y, x));
        assert_int_equal(value_or(x, y), value_or(y, x));
        assert_int_equal(value_and(x, value_and(y, z)), value_and(value_and(x, y), z));
        assert_int_equal(value_or(x, value_or(y, z)), value_or(value_or(x, y), z));
        assert_int_equal(value_not(value_and(x, y)), value_or(value_not(x), value_not(y)));
        assert_int_equal(value_not(value_or(x, y)), value_and(value_not(x), value_not(y)));
        assert_int_equal(value_and(x, x), x);
        assert_int_equal(value_and(x, ANSWER_NO), ANSWER_NO);
        assert_int_equal(value_and(x, ANSWER_YES), x);
        assert_int_equal(value_or(x, ANSWER_YES), ANSWER_YES);
        assert_int_equal(value_or(x, ANSWER_NO), x);
    }
    assert_int_equal(value_and(ANSWER_DISPUTED, ANSWER_UNREADABLE), ANSWER_UNREADABLE);
    assert_int_equal(value_or(ANSWER_UNREADABLE, ANSWER_UNAVAILABLE), ANSWER_UNAVAILABLE);
}

struct plain {
    enum answer_value v[300];
};

static void roll(struct dice *d, struct arena *a, struct answer *x, struct plain *p, size_t n)
{
    answer_reserve(x, a, n);
    if (dice_roll(d, 3) == 0) {
        enum answer_value v = (enum answer_value)dice_roll(d, VALUES);
        answer_set_all(x, v);
        for (size_t i = 0; i < n; i++) p->v[i] = v;
        return;
    }
    answer_clear(x);
    for (size_t i = 0; i < n; i++) answer_set(x, i, p->v[i] = (enum answer_value)dice_roll(d, VALUES));
}

static void same(const struct answer *x, const struct plain *p, size_t n)
{
    enum answer_value any = ANSWER_NO, every = ANSWER_YES;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(answer_get(x, i), p->v[i]);
        any = value_or(any, p->v[i]);
        every = value_and(every, p->v[i]);
    }
    assert_int_equal(answer_any(x, n), any);
    assert_int_equal(answer_every(x, n), n ? every : ANSWER_YES);
}

static void planes_are_values(void **state)
{
    (void)state;
    struct dice d = {7};
    struct arena *a = arena_create();
    struct answer x = {0}, y = {0};
    static struct plain p, q;
    for (int round = 0; round < 20000; round++) {
        size_t n = dice_roll(&d, round % 2 ? 8 : 300);
        roll(&d, a, &x, &p, n);
        roll(&d, a, &y, &q, n);
        for (int step = 0; step < 4; step++) {
            switch (dice_roll(&d, 3)) {
            case 0:
                answer_and(&x, &y);
                for (size_t i = 0; i < n; i++) p.v[i] = value_and(p.v[i], q.v[i]);
                break;
            case 1:
                answer_or(&x, &y);
                for (size_t i = 0; i < n; i++) p.v[i] = value_or(p.v[i], q.v[i]);
                break;
            default:
                answer_not(&x, n);
                for (size_t i = 0; i < n; i++) p.v[i] = value_not(p.v[i]);
            }
            same(&x, &p, n);
        }
    }
    arena_free(&a);
}

static void everybody_who_matters(void **state)
{
    (void)state;
    struct arena *a = arena_create();
    struct answer x = {0};
    uint64_t who[2] = {0, 0};
    answer_reserve(&x, a, 100);
    answer_clear(&x);
    answer_set(&x, 70, ANSWER_YES);
    bit_set(who, 3);
    assert_true(answer_is_all(&x, ANSWER_NO, who, 100));
    bit_set(who, 70);
    assert_false(answer_is_all(&x, ANSWER_NO, who, 100));
    assert_false(answer_is_all(&x, ANSWER_YES, who, 100));
    bit_clear(who, 3);
    assert_true(answer_is_all(&x, ANSWER_YES, who, 100));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws),
        cmocka_unit_test(planes_are_values),
        cmocka_unit_test(everybody_who_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
