/* tests/unit/test_supervisor_tree.c -- who is started when, and what a death means for the others: scenarios
 * that state the orders they expect, in order. */
#include "tests/unit/test_supervisor_stage.h"

static void test_start_order(void **unused)
{
    struct stage *st = open_stage(1, true);

    (void)unused;
    tree_start(st->tree, st->now);
    expect(st, "spawn watcher0=1; spawn gateway0=2; spawn exporter0=3");
    ready(st, EXPORTER, 3);
    ready(st, WATCHER, 1);
    expect(st, "");
    ready(st, GATEWAY, 2);
    expect(st, "1 meets 2; 2 meets 1");
    knows(st, WATCHER, 1, 2);
    expect(st, "");
    knows(st, GATEWAY, 2, 1);
    expect(st, "1 go 1; spawn worker0=4");
    assert_false(tree_ready(st->tree));
    ready(st, WORKER, 4);
    expect(st, "4 meets 1; 1 meets 4; 4 meets 2; 2 meets 4");
    knows(st, WORKER, 4, 1);
    knows(st, WORKER, 4, 2);
    knows(st, WATCHER, 1, 4);
    expect(st, "");
    assert_false(tree_ready(st->tree));
    knows(st, GATEWAY, 2, 4);
    expect(st, "4 go 1");
    assert_true(tree_ready(st->tree));
    close_stage(st);
}

static void test_worker_death(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;

    (void)unused;
    died(st, 3, SIGSEGV);
    expect(st, "1 loses 3; 2 loses 3");
    assert_false(tree_ready(st->tree));
    assert_true(row_at(st, WORKER, 0, &row));
    assert_string_equal(row.state, "backoff");
    assert_int_equal(row.last_status, SIGSEGV);
    assert_int_equal(row.pid, 0);
    assert_in_range(row.next_start_ms, 10, 20);
    pass(st, 20, 0);
    expect(st, "spawn worker0=5");
    assert_true(row_at(st, WORKER, 0, &row));
    assert_int_equal(row.restarts, 1);
    /* Late words of the dead one mean nothing. */
    ready(st, WORKER, 3);
    knows(st, WORKER, 3, 1);
    expect(st, "");
    close_stage(st);
}

static void test_watcher_death_waits_for_the_epoch(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 1, SIGKILL);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    pass(st, 100, 0);
    expect(st, ""); /* no successor while workers live */
    died(st, 3, SIGKILL);
    expect(st, "2 loses 3");
    died(st, 4, SIGKILL);
    expect(st, "2 loses 4; 2 over 1");
    pass(st, 1000, 0);
    expect(st, ""); /* nor before the gateway has closed the epoch */
    closed(st, 2, 9);
    expect(st, "");
    closed(st, 2, 1);
    expect(st, "spawn watcher0=5");
    ready(st, WATCHER, 5);
    expect(st, "5 meets 2; 2 meets 5");
    knows(st, WATCHER, 5, 2);
    knows(st, GATEWAY, 2, 5);
    expect(st, "5 go 5; spawn worker0=6; spawn worker1=7"); /* at once: their deaths did not count */
    close_stage(st);
}

static void test_gateway_that_does_not_close_the_epoch(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 1, SIGKILL);
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    st->orders[0] = '\0';
    pass(st, EPOCH_CLOSE_MS - 1, 0);
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "KILL 2");
    died(st, 2, SIGKILL);
    expect(st, "spawn watcher0=5"); /* dead, it sends nothing any more */
    pass(st, 50, 0);
    expect(st, "spawn gateway0=6");
    close_stage(st);
}

static void test_gateway_death(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 2, SIGKILL);
    expect(st, "1 loses 2; KILL 3; KILL 4");
    pass(st, 100, 0);
    expect(st, "");
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    expect(st,
           "1 loses 3; 1 loses 4; spawn gateway0=5"); /* its delay is over; only the workers were missing */
    ready(st, GATEWAY, 5);
    expect(st, "1 meets 5; 5 meets 1");
    knows(st, GATEWAY, 5, 1);
    expect(st, "");
    knows(st, WATCHER, 1, 5);
    expect(st, "spawn worker0=6; spawn worker1=7"); /* the epoch goes on: no second GO to the watcher */
    close_stage(st);
}

/* The answers about its successor may come in the other order; none of the dead one's counts. */
static void test_second_gateway_death(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 2, SIGKILL);
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    pass(st, 50, 0);
    ready(st, GATEWAY, 5);
    st->orders[0] = '\0';
    knows(st, WATCHER, 1, 5);
    expect(st, "");
    knows(st, GATEWAY, 5, 1);
    expect(st, "spawn worker0=6; spawn worker1=7");
    /* The new gateway is asked to close the epoch that the old one began in. */
    died(st, 1, SIGKILL);
    died(st, 6, SIGKILL);
    died(st, 7, SIGKILL);
    expect(st, "5 loses 1; KILL 6; KILL 7; 5 over 1");
    close_stage(st);
}

static void test_both_die(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    died(st, 1, SIGKILL);
    died(st, 2, SIGKILL);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    pass(st, 50, 0);
    expect(st, "spawn watcher0=5; spawn gateway0=6");
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_order),
        cmocka_unit_test(test_worker_death),
        cmocka_unit_test(test_watcher_death_waits_for_the_epoch),
        cmocka_unit_test(test_gateway_that_does_not_close_the_epoch),
        cmocka_unit_test(test_gateway_death),
        cmocka_unit_test(test_second_gateway_death),
        cmocka_unit_test(test_both_die),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
