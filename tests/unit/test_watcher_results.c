/* tests/unit/test_watcher_results.c -- what each end of a job means for its key (kubernetes 3.4, 35, 43). */
#include "tests/unit/test_watcher_fixture.h"

static void test_results(void **state)
{
    struct row {
        enum job_result result;
        uint64_t after_ms;
        unsigned failures;
        int64_t least, most; /* of the wait; -1: none */
    } rows[] = {
        {JOB_DONE, 0, 0, -1, -1},         {JOB_SKIP, 0, 0, -1, -1},  {JOB_RETRY, 0, 1, 4, 5},
        {JOB_LATER, 9000, 0, 9000, 9000}, {JOB_LATER, 0, 0, 1, 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fx *fx = fx_with_object();
        uint64_t job = fx_run(fx);

        fx_done(fx, THE_WORKER, job, rows[i].result, rows[i].after_ms);
        assert_null(fx->core->jobs);
        if (rows[i].least < 0) {
            assert_null(fx_work(fx));
        } else {
            assert_int_equal(fx_work(fx)->failures, rows[i].failures);
            assert_in_range(queue_next_ms(&fx->core->queue) - fx->now.boot_ms, rows[i].least, rows[i].most);
        }
        fx_free(fx);
    }
}

static void test_K_35_a_held_error_waits_for_the_next_event(void **state)
{
    struct fx *fx = fx_with_object();
    uint64_t job = fx_run(fx);

    (void)state;
    fx_done(fx, THE_WORKER, job, JOB_RETRY, 0);
    fx_tick(fx, 1000);
    char *object = fx_json((struct fx_object){.version = "10"});
    fx_answer(fx, "GET", "infrastructures/infra", 200, object);
    free(object);
    job = fx_run(fx);
    fx_done(fx, THE_WORKER, job, JOB_HELD, 0);
    assert_int_equal(queue_depth(&fx->core->queue), 0);
    assert_int_equal(fx_work(fx)->failures, 1); /* not forgotten (kubernetes 3.4) */
    assert_int_equal(fx->core->measures.held, 1);
    fx_tick(fx, 3600 * 1000);
    assert_null(fx_take(fx, MSG_JOB));
    fx_event(fx, "MODIFIED", (struct fx_object){.version = "20", .operation = "reconcile", .generation = 2});
    assert_int_not_equal(fx_run(fx), 0);
    fx_free(fx);
}

/* A patch without an answer ends the run with RETRY: whatever came of it is seen before anything else is
 * done. */
static void test_K_43_a_retry_reads_afresh(void **state)
{
    struct fx *fx = fx_with_object();
    uint64_t job = fx_run(fx);

    (void)state;
    fx_done(fx, THE_WORKER, job, JOB_RETRY, 0);
    assert_null(fx_asked(fx, "GET", "infrastructures/infra"));
    fx_tick(fx, 1000);
    struct fx_request *get = fx_asked(fx, "GET", "infrastructures/infra");
    assert_non_null(get);
    assert_null(strstr(get->path, "resourceVersion")); /* a quorum read */
    assert_null(fx_take(fx, MSG_JOB));
    fx_free(fx);
}

/* AGAIN starts anew at once with a fresh read; five in a row, then it backs off */
static void test_again(void **state)
{
    struct fx *fx = fx_with_object();
    char *object = fx_json((struct fx_object){.version = "10"});
    uint64_t job = fx_run(fx);

    (void)state;
    for (int i = 0; i < 5; i++) {
        fx_done(fx, THE_WORKER, job, JOB_AGAIN, 0);
        fx_answer(fx, "GET", "infrastructures/infra", 200, object);
        job = fx_run(fx);
        assert_int_equal(fx_work(fx)->failures, 0);
    }
    fx_done(fx, THE_WORKER, job, JOB_AGAIN, 0);
    assert_null(fx_asked(fx, "GET", "infrastructures/infra"));
    assert_int_equal(fx_work(fx)->failures, 1);
    free(object);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_K_35_a_held_error_waits_for_the_next_event),
        cmocka_unit_test(test_K_43_a_retry_reads_afresh),
        cmocka_unit_test(test_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
