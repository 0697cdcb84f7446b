/* tests/unit/test_supervisor_roll.c -- restarts in order: who is asked to leave when, and what ends a rolling
 * one. */
#include "tests/unit/test_supervisor_stage.h"

static void test_rolling_one_after_the_other(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    assert_int_equal(tree_restart(st->tree, WORKER, true, st->now), 2);
    expect(st, "3 drain");
    died(st, 3, 0);
    expect(st, "1 loses 3; 2 loses 3; spawn worker0=5");
    pass(st, 3000, 0);
    expect(st, ""); /* not before its successor works */
    works(st, 5);
    died(st, 4, 0);
    st->orders[0] = '\0';
    works(st, 6);
    assert_true(tree_ready(st->tree));
    pass(st, 3000, 0);
    expect(st, "");
    close_stage(st);
}

static void test_the_second_is_asked_when_the_first_is_replaced(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    tree_restart(st->tree, WORKER, true, st->now);
    died(st, 3, 0);
    st->orders[0] = '\0';
    ready(st, WORKER, 5);
    knows(st, WORKER, 5, 1);
    knows(st, WORKER, 5, 2);
    knows(st, WATCHER, 1, 5);
    st->orders[0] = '\0';
    knows(st, GATEWAY, 2, 5);
    expect(st, "5 go 1; 4 drain");
    close_stage(st);
}

/* A broken executable: the roll waits at the first, the others go on working. */
static void test_a_successor_that_does_not_start_ends_it_there(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    tree_restart(st->tree, WORKER, true, st->now);
    died(st, 3, 0);
    st->orders[0] = '\0';
    for (unsigned child = 5; child < 9; child++) {
        died(st, child, 1 << 8);
        pass(st, 400, 0);
    }
    assert_null(strstr(st->orders, "4 drain"));
    assert_string_equal(state_of(st, WORKER, 1), "ready");
    close_stage(st);
}

static void test_all_at_once(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    assert_int_equal(tree_restart(st->tree, WORKER, false, st->now), 2);
    expect(st, "3 drain; 4 drain");
    died(st, 4, 0);
    expect(st, "1 loses 4; 2 loses 4; spawn worker1=5");
    close_stage(st);
}

static void test_one_that_waits_for_its_start_starts_at_once(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 3, SIGSEGV);
    st->orders[0] = '\0';
    assert_string_equal(state_of(st, WORKER, 0), "backoff");
    tree_restart(st->tree, WORKER, true, st->now);
    expect(st, "spawn worker0=5");
    close_stage(st);
}

static void test_not_during_a_stop(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    tree_restart(st->tree, WORKER, true, st->now);
    expect(st, "3 drain");
    tree_stop(st->tree, st->now);
    expect(st, "4 drain");
    assert_int_equal(tree_restart(st->tree, WORKER, true, st->now), 0);
    died(st, 3, 0);
    died(st, 4, 0);
    assert_null(strstr(st->orders, "spawn"));
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rolling_one_after_the_other),
        cmocka_unit_test(test_the_second_is_asked_when_the_first_is_replaced),
        cmocka_unit_test(test_a_successor_that_does_not_start_ends_it_there),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_one_that_waits_for_its_start_starts_at_once),
        cmocka_unit_test(test_not_during_a_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
