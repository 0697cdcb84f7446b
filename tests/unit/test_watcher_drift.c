/* tests/unit/test_watcher_drift.c -- when objects are checked for drift, which of them, and what becomes of a
 * check that meets something else (design 12.12, kubernetes 36). */
#include "tests/unit/test_watcher_fixture.h"

#define EVERY_MS 10000
#define DONE(type, state)                                                                                    \
    "{\"lastOperation\":{\"type\":\"" type "\",\"state\":\"" state                                           \
    "\",\"lastUpdateTime\":\"2026-01-01T00:00:00Z\"},\"observedGeneration\":1}"
#define FINALIZED "[\"extensions.gardener.cloud/infrastructure\"]"

static const struct fx_object settled = {
    .version = "5", .status = DONE("Create", "Succeeded"), .finalizers = FINALIZED};

/* The same, and gardenlet wants something of it. */
static const struct fx_object asked = {
    .version = "9", .operation = "reconcile", .status = DONE("Create", "Succeeded"), .finalizers = FINALIZED};

/* Leads, and has listed one object that wants nothing. */
static struct fx *open_with(int64_t every_ms)
{
    struct fx *fx = fx_new(false, "");

    fx->core->config.check_every_ms = every_ms;
    fx_peer(fx, GATEWAY, THE_GATEWAY);
    fx_peer(fx, WORKER, THE_WORKER);
    fx_go(fx);
    fx_answer_list(fx, "5", "", 1, &settled);
    fx_idle(fx, THE_WORKER);
    return fx;
}

/* Time goes on until the object is read afresh. Returns after how long, or -1. */
static int64_t until_read(struct fx *fx, int64_t limit_ms)
{
    for (int64_t ms = 0; ms <= limit_ms; ms += 100, fx_tick(fx, 100))
        if (fx_asked(fx, "GET", "/infrastructures/infra"))
            return ms;
    return -1;
}

/* A check has begun: the object is being read. */
static struct fx *open_checking(void)
{
    struct fx *fx = open_with(EVERY_MS);

    assert_true(until_read(fx, EVERY_MS) >= 0);
    return fx;
}

static void answer_object(struct fx *fx, struct fx_object object)
{
    char *json = fx_json(object);

    fx_answer(fx, "GET", "/infrastructures/infra", 200, json);
    free(json);
}

static void check_ends(struct fx *fx, uint64_t job, enum job_result result, enum check_result check)
{
    struct msg_done body = {.job = job, .result = result, .check = check};

    fx_say(fx, WORKER, THE_WORKER, MSG_DONE, &body, 0, 0);
    fx_idle(fx, THE_WORKER);
}

static void test_12_12_each_object_is_checked_once_in_each_round(void **state)
{
    struct fx *fx = open_checking();
    struct fx_sent *grant;

    (void)state;
    for (unsigned round = 1; round <= 3; round++) {
        answer_object(fx, settled);
        fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
        fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
        grant = fx_take(fx, MSG_GRANT);
        assert_non_null(grant);
        assert_int_equal(grant->message.body.grant.lane, LANE_CREATE); /* nothing is recorded: a guess */
        struct msg_granted body = {.handle = grant->message.body.grant.handle, .outcome = OUTCOME_OK};
        fx_say(fx, GATEWAY, THE_GATEWAY, MSG_GRANTED, &body, 0, 0);
        struct fx_sent *job = fx_take(fx, MSG_JOB);
        assert_true(job && job->message.body.job.check);
        check_ends(fx, job->message.body.job.job, JOB_DONE, CHECK_SAME);
        assert_null(fx_work(fx));
        assert_int_equal(fx->core->measures.checks[CHECK_SAME], round);
        int64_t ms = until_read(fx, 2 * EVERY_MS);
        assert_true(ms > EVERY_MS - 1000 && ms < EVERY_MS + 1000);
    }
    fx_free(fx);
}

static void test_12_12_a_flag_turns_it_off(void **state)
{
    struct fx *fx = open_with(0);

    (void)state;
    assert_int_equal(until_read(fx, 20 * EVERY_MS), -1);
    fx_free(fx);
}

/* What is not settled is left to whoever will go on with it, and the watch brings that. */
static void test_12_12_only_what_is_settled(void **state)
{
    static const struct fx_object others[] = {
        {.version = "9", .status = DONE("Migrate", "Succeeded"), .finalizers = FINALIZED},
        {.version = "9",
         .status = DONE("Create", "Succeeded"),
         .finalizers = FINALIZED,
         .operation = "wait-for-state"},
        {.version = "9", .status = DONE("Create", "Succeeded"), .finalizers = FINALIZED, .generation = 2},
        {.version = "9", .status = DONE("Delete", "Succeeded"), .finalizers = FINALIZED},
        {.version = "9", .status = DONE("Create", "Succeeded"), .type = "metal"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct fx *fx = open_checking();

        answer_object(fx, others[i]);
        assert_null(fx_asked(fx, "GET", "/secrets/"));
        assert_null(fx_take(fx, MSG_GRANT));
        assert_null(fx_work(fx));
        fx_free(fx);
    }
}

/* The check reads what no event has shown yet: it is done now, as that event will pass for an echo. */
static void test_12_12_a_check_that_meets_work_does_it(void **state)
{
    struct fx *fx = open_checking();

    (void)state;
    answer_object(fx, asked);
    uint64_t job = fx_run(fx);
    fx_event(fx, "MODIFIED", asked);
    fx_done(fx, THE_WORKER, job, JOB_DONE, 0);
    assert_null(fx_work(fx));
    assert_int_equal(fx->core->jobs_started, 1);
    fx_free(fx);
}

/* The same when the event comes first, while the check is being prepared. */
static void test_12_12_an_event_during_a_check_is_not_lost(void **state)
{
    struct fx *fx = open_checking();

    (void)state;
    answer_object(fx, settled);
    fx_event(fx, "MODIFIED", asked);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    answer_object(fx, asked);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_OK, 0);
    struct fx_sent *job = fx_take(fx, MSG_JOB);
    assert_true(job && !job->message.body.job.check);
    fx_free(fx);
}

/* A check that cannot be prepared waits for the next one; one that an event has overtaken is tried again. */
static void test_12_12_a_failed_check_is_not_retried(void **state)
{
    struct fx *fx = open_checking();

    (void)state;
    fx_answer(fx, "GET", "/clusters/", 404, FX_NOT_FOUND);
    assert_null(fx_work(fx));
    assert_int_equal(fx->core->measures.checks[CHECK_FAILED], 1);
    fx_free(fx);
    fx = open_checking();
    fx_event(fx, "MODIFIED", asked);
    fx_answer(fx, "GET", "/clusters/", 404, FX_NOT_FOUND);
    assert_non_null(fx_work(fx));
    fx_free(fx);
}

/* A repair that comes back is not behind everything else any more, and not a check: the object says Error. */
static void test_12_12_a_repair_that_failed_goes_on_as_work(void **state)
{
    struct fx *fx = open_checking();
    struct fx_object broken = settled;

    (void)state;
    answer_object(fx, settled);
    check_ends(fx, fx_run(fx), JOB_RETRY, CHECK_FOUND);
    assert_int_equal(fx_work(fx)->priority, PRIORITY_LIVE);
    assert_int_equal(fx->core->measures.checks[CHECK_FOUND], 1);
    fx_tick(fx, 10);
    broken.version = "9";
    broken.status = DONE("Reconcile", "Error");
    answer_object(fx, broken);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_OK, 0);
    struct fx_sent *job = fx_take(fx, MSG_JOB);
    assert_true(job && !job->message.body.job.check);
    fx_free(fx);
}

/* Its failures are on its account: no check beside the retries, and none of what waits for its next event. */
static void test_12_12_no_check_of_what_failed(void **state)
{
    struct fx *fx = open_with(EVERY_MS);

    (void)state;
    fx_event(fx, "MODIFIED", asked);
    fx_done(fx, THE_WORKER, fx_run(fx), JOB_RETRY, 0);
    fx_done(fx, THE_WORKER, 0, JOB_DONE, 0);
    fx_tick(fx, 10);
    answer_object(fx, asked);
    fx_done(fx, THE_WORKER, fx_run(fx), JOB_HELD, 0);
    assert_int_equal(until_read(fx, 3 * EVERY_MS), -1);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_12_12_each_object_is_checked_once_in_each_round),
        cmocka_unit_test(test_12_12_a_flag_turns_it_off),
        cmocka_unit_test(test_12_12_only_what_is_settled),
        cmocka_unit_test(test_12_12_a_check_that_meets_work_does_it),
        cmocka_unit_test(test_12_12_an_event_during_a_check_is_not_lost),
        cmocka_unit_test(test_12_12_a_failed_check_is_not_retried),
        cmocka_unit_test(test_12_12_a_repair_that_failed_goes_on_as_work),
        cmocka_unit_test(test_12_12_no_check_of_what_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
