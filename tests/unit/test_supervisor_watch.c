/* tests/unit/test_supervisor_watch.c -- deadlines, hangs, parking and the ordered stop: scenarios that state
 * the orders they expect, in order. */
#include "proto/pack.h"
#include "tests/unit/test_supervisor_stage.h"

static void test_hang(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;

    (void)unused;
    pass(st, 2 * BEAT_EVERY_MS, 0);
    expect(st, "");
    pass(st, BEAT_MISSED_MS - 1, 4);
    expect(st, "");
    pass(st, 1, 4);
    expect(st, "ABRT 4");
    assert_true(row_at(st, WORKER, 1, &row));
    assert_string_equal(row.state, "ending");
    assert_string_equal(row.why, "gave no sign of life in time");
    assert_int_equal(row.beat_age_ms, BEAT_MISSED_MS);
    pass(st, ABORT_TO_KILL_MS, 4);
    expect(st, "KILL 4");
    died(st, 4, SIGKILL);
    expect(st, "1 loses 4; 2 loses 4");
    assert_string_equal(state_of(st, WORKER, 1), "backoff"); /* its own fault: with a delay */
    close_stage(st);
}

static void test_hung_watcher(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    pass(st, BEAT_MISSED_MS, 1);
    expect(st, "ABRT 1");
    pass(st, ABORT_TO_KILL_MS - 1, 1); /* while it may still write, nobody is started in its place */
    expect(st, "");
    died(st, 1, SIGABRT);
    expect(st, "2 loses 1; KILL 3; KILL 4");
    close_stage(st);
}

static void test_start_deadline(void **unused)
{
    struct stage *st = open_stage(1, false);

    (void)unused;
    tree_start(st->tree, st->now);
    ready(st, GATEWAY, 2);
    expect(st, "spawn watcher0=1; spawn gateway0=2");
    pass(st, START_DEADLINE_MS - 1, 0); /* beats before READY count for nothing */
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "ABRT 1");
    died(st, 1, SIGABRT);
    pass(st, 100, 0);
    expect(st, "spawn watcher0=3");
    close_stage(st);
}

static void test_introduction_deadline(void **unused)
{
    struct stage *st = open_stage(1, false);

    (void)unused;
    tree_start(st->tree, st->now);
    ready(st, WATCHER, 1);
    ready(st, GATEWAY, 2);
    knows(st, WATCHER, 1, 2);
    st->orders[0] = '\0';
    pass(st, START_DEADLINE_MS - 1, 0);
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "KILL 2"); /* the one that did not answer */
    close_stage(st);
}

static void test_end_worker(void **unused)
{
    struct stage *st = open_running();
    struct message end = {
        .body.end_worker = {.incarnation = CHILD(4), .reason = SPAN("did not take its job in time")}};
    struct tree_row row;

    (void)unused;
    say(st, WORKER, 3, end, MSG_END_WORKER);
    expect(st, ""); /* only watcher and gateway may ask */
    end.body.end_worker.incarnation = CHILD(2);
    say(st, WATCHER, 1, end, MSG_END_WORKER);
    expect(st, ""); /* and only for a worker */
    end.body.end_worker.incarnation = CHILD(4);
    say(st, WATCHER, 1, end, MSG_END_WORKER);
    expect(st, "KILL 4");
    end.body.end_worker.reason = SPAN("sent frames that no worker sends");
    say(st, GATEWAY, 2, end, MSG_END_WORKER);
    assert_true(row_at(st, WORKER, 1, &row));
    assert_string_equal(row.why, "did not take its job in time"); /* the first reason explains it */
    st->orders[0] = '\0';
    died(st, 4, SIGKILL);
    assert_string_equal(state_of(st, WORKER, 1), "backoff");
    assert_string_equal(st->cause, "it did not take its job in time");
    assert_false(st->blameless);
    close_stage(st);
}

static void test_spawn_failure(void **unused)
{
    struct stage *st = open_stage(1, false);

    (void)unused;
    st->no_spawn = true;
    tree_start(st->tree, st->now);
    expect(st, "spawn watcher0=1; spawn gateway0=2");
    pass(st, 60000, 0); /* no busy loop: 20 ms doubling to 5 s */
    assert_in_range(st->spawned, 20, 70);
    st->no_spawn = false;
    st->orders[0] = '\0';
    pass(st, 5000, 0);
    assert_string_equal(state_of(st, WATCHER, 0), "starting");
    assert_string_equal(state_of(st, GATEWAY, 0), "starting");
    close_stage(st);
}

static void test_parked_worker(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;
    int deaths = 0;

    (void)unused;
    while (strcmp(state_of(st, WORKER, 1), "parked") != 0 && deaths < 100) {
        assert_true(row_at(st, WORKER, 1, &row));
        if (row.pid != 0) {
            died(st, (unsigned)child_number(row.incarnation), SIGSEGV);
            deaths++;
        } else {
            pass(st, row.next_start_ms, 0);
        }
    }
    assert_int_equal(deaths, policy_of(WORKER)->restart.deaths_max + 1);
    assert_string_equal(state_of(st, WORKER, 0), "ready"); /* the others go on */
    assert_false(tree_ready(st->tree));
    st->orders[0] = '\0';
    assert_true(row_at(st, WORKER, 1, &row));
    pass(st, row.next_start_ms, 0);
    assert_string_equal(state_of(st, WORKER, 1), "starting");
    close_stage(st);
}

static void test_ordered_stop(void **unused)
{
    struct stage *st = open_stage(1, true);
    int code;

    (void)unused;
    tree_start(st->tree, st->now);
    ready(st, WATCHER, 1);
    ready(st, GATEWAY, 2);
    ready(st, EXPORTER, 3);
    knows(st, WATCHER, 1, 2);
    knows(st, GATEWAY, 2, 1);
    st->orders[0] = '\0';
    tree_stop(st->tree, st->now); /* the worker has not said READY: it reads signals, perhaps not its bus */
    expect(st, "TERM 4");
    ready(st, WORKER, 4);
    expect(st, "4 drain");
    died(st, 4, 0);
    expect(st, "1 drain; 2 drain");
    died(st, 2, 0);
    expect(st, "1 loses 2");
    assert_false(tree_finished(st->tree, &code));
    died(st, 1, 0);
    expect(st, "3 drain");
    died(st, 3, 0);
    expect(st, "");
    assert_true(tree_finished(st->tree, &code));
    assert_int_equal(code, 0);
    assert_true(tree_next_ms(st->tree) == INT64_MAX);
    close_stage(st);
}

static void test_stop_escalates(void **unused)
{
    struct stage *st = open_running();
    int code;

    (void)unused;
    tree_stop(st->tree, st->now);
    expect(st, "3 drain; 4 drain");
    died(st, 3, 0);
    expect(st, "1 loses 3; 2 loses 3");
    pass(st, STOP_WORKERS_MS - 1, 0);
    expect(st, "");
    pass(st, 1, 0);
    expect(st, "KILL 4");
    died(st, 4, SIGKILL);
    expect(st, "1 loses 4; 2 loses 4; 1 drain; 2 drain");
    pass(st, STOP_REST_MS, 0);
    expect(st, "KILL 1; KILL 2");
    died(st, 1, SIGKILL);
    died(st, 2, SIGKILL);
    assert_true(tree_finished(st->tree, &code));
    assert_true(STOP_WORKERS_MS + STOP_REST_MS + policy_of(EXPORTER)->restart.drain_ms <= STOP_ALL_MS);
    assert_true(STOP_ALL_MS < 30000); /* gardener 66 */
    close_stage(st);
}

static void test_stop_while_things_are_broken(void **unused)
{
    struct stage *st = open_running();
    int code;

    (void)unused;
    died(st, 1, SIGKILL); /* watcher dead, workers being killed */
    st->orders[0] = '\0';
    tree_stop(st->tree, st->now);
    expect(st, "");
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    expect(st, "2 loses 3; 2 loses 4; 2 drain"); /* no successor, no epoch to close */
    died(st, 2, 0);
    assert_true(tree_finished(st->tree, &code));
    pass(st, 60000, 0);
    expect(st, "");
    close_stage(st);
}

static void test_gives_up_on_wrong_configuration(void **unused)
{
    struct stage *st = open_stage(1, false);
    int code;

    (void)unused;
    tree_start(st->tree, st->now);
    st->orders[0] = '\0';
    died(st, 1, EXIT_CONFIG << 8);
    expect(st, "TERM 2");
    died(st, 2, 0);
    assert_true(tree_finished(st->tree, &code));
    assert_int_equal(code, EXIT_CONFIG);
    close_stage(st);

    st = open_running(); /* it was told to give up (kubernetes 29) */
    died(st, 1, EXIT_UNSYNCED << 8);
    died(st, 3, SIGKILL);
    died(st, 4, SIGKILL);
    died(st, 2, 0);
    assert_true(tree_finished(st->tree, &code));
    assert_int_equal(code, EXIT_UNSYNCED);
    close_stage(st);

    st = open_running(); /* but once it has worked, it is waited out */
    died(st, 1, EXIT_CONFIG << 8);
    assert_false(tree_finished(st->tree, &code));
    assert_string_equal(state_of(st, WATCHER, 0), "backoff");
    close_stage(st);
}

/* The supervisor itself was stopped or the machine asleep: nobody could be heard, so nobody is blamed. */
static void test_own_pause_blames_nobody(void **unused)
{
    struct stage *st = open_running();

    (void)unused;
    st->now.boot_ms += 3600 * 1000;
    tree_tick(st->tree, st->now);
    expect(st, "");
    pass(st, 2 * BEAT_MISSED_MS, 0);
    expect(st, "");
    pass(st, BEAT_MISSED_MS, 3); /* a real hang afterwards is found as ever */
    expect(st, "ABRT 3");
    close_stage(st);
}

static void test_status_rows(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;
    char text[1000];

    (void)unused;
    memset(text, 'x', sizeof text);
    say(st, WORKER, 3,
        (struct message){.body.beat = {.doing = {text, sizeof text}, .key = SPAN("shoot--a/infra")}},
        MSG_BEAT);
    assert_true(row_at(st, WORKER, 0, &row));
    assert_string_equal(row.key, "shoot--a/infra");
    assert_int_equal(strlen(row.doing), 255); /* cut, not dropped */
    assert_int_equal(row.gauges.len, 0);
    assert_false(tree_row(st->tree, 4, st->now, &row));
    close_stage(st);
}

static void test_status_rows_show_the_last_numbers(void **unused)
{
    struct stage *st = open_running();
    struct tree_row row;
    struct pack p;
    int64_t n = 0;

    (void)unused;
    pack_open(&p);
    for (uint64_t i = 1; i <= 2; i++) {
        pack_again(&p);
        pack_map(&p, 1);
        pack_text(&p, "grants");
        pack_uint(&p, 7 * i);
        say(st, WORKER, 3, (struct message){.body.beat = {.doing = SPAN("x"), .gauges = pack_result(&p)}},
            MSG_BEAT);
    }
    assert_true(row_at(st, WORKER, 0, &row));
    assert_true(value_int(value_get(row.gauges, "grants"), &n));
    assert_int_equal(n, 14);
    pack_again(&p); /* too many: no numbers are better than old ones */
    pack_array(&p, 600);
    for (uint64_t i = 0; i < 600; i++)
        pack_uint(&p, UINT64_MAX / 2);
    say(st, WORKER, 3, (struct message){.body.beat = {.doing = SPAN("y"), .gauges = pack_result(&p)}},
        MSG_BEAT);
    pack_close(&p);
    assert_true(row_at(st, WORKER, 0, &row));
    assert_int_equal(row.gauges.len, 0);
    assert_true(row.gauges_lost);
    assert_string_equal(row.doing, "y");
    assert_string_equal(row.state, "ready");
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_hung_watcher),
        cmocka_unit_test(test_start_deadline),
        cmocka_unit_test(test_introduction_deadline),
        cmocka_unit_test(test_end_worker),
        cmocka_unit_test(test_spawn_failure),
        cmocka_unit_test(test_parked_worker),
        cmocka_unit_test(test_ordered_stop),
        cmocka_unit_test(test_stop_escalates),
        cmocka_unit_test(test_stop_while_things_are_broken),
        cmocka_unit_test(test_gives_up_on_wrong_configuration),
        cmocka_unit_test(test_own_pause_blames_nobody),
        cmocka_unit_test(test_status_rows),
        cmocka_unit_test(test_status_rows_show_the_last_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
