/* tests/unit/test_watcher_notes_ends.c -- no job waits for the Event that became of its worker's NOTE, and no
 * answer to it matters (kubernetes 60). */
#include "tests/unit/test_watcher_notes.h"

/* Whatever the answer is: it is told to nobody, nothing is sent again, the job goes on. */
static void test_K_60_answers_are_ignored(void **state)
{
    static const struct {
        enum watcher_fate fate;
        int status;
        int64_t retry_after_ms;
    } rows[] = {
        {KUBE_ANSWERED, 201, -1}, {KUBE_ANSWERED, 403, -1},  {KUBE_ANSWERED, 404, -1},
        {KUBE_ANSWERED, 409, -1}, {KUBE_ANSWERED, 422, -1},  {KUBE_ANSWERED, 429, 1000},
        {KUBE_ANSWERED, 500, -1}, {KUBE_ANSWERED, 503, 500}, {KUBE_FENCED, 0, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig rig = running((struct fx_object){.version = "10"});
        say(&rig, true, "Reason", "message");
        fx_result(rig.fx, open_post(rig.fx), rows[i].fate, rows[i].status, "", rows[i].retry_after_ms);
        assert_int_equal(rig.fx->core->notes.failed, rows[i].status != 201);
        assert_null(rig.fx->core->requests);
        assert_null(fx_take(rig.fx, MSG_REPLY));
        fx_tick(rig.fx, 60000);
        assert_int_equal(posts(rig.fx), 1);
        assert_ptr_equal(jobs_find(rig.fx->core, THE_WORKER, rig.job), rig.fx->core->jobs);
        fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
        assert_null(rig.fx->core->jobs);
        fx_free(rig.fx);
    }
}

/* The key is free while the Event is under way, and the late answer touches neither the old job nor its
 * successor. */
static void test_the_job_ends_before_its_event(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});

    (void)state;
    say(&rig, true, "Reason", "message");
    struct fx_request *post = open_post(rig.fx);
    fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
    assert_null(rig.fx->core->jobs);
    fx_event(rig.fx, "MODIFIED", (struct fx_object){.version = "20", .operation = "reconcile"});
    uint64_t next = fx_run(rig.fx);
    assert_int_not_equal(next, rig.job);
    struct msg_fetch fetch = {.job = next, .seq = 5};
    fx_say(rig.fx, WORKER, THE_WORKER, MSG_FETCH, &fetch, ME, 0);
    fx_result(rig.fx, post, KUBE_ANSWERED, 500, "", -1);
    fx_result(rig.fx, post, KUBE_ANSWERED, 500, "", -1); /* known no more */
    assert_int_equal(rig.fx->core->notes.failed, 1);
    assert_null(fx_take(rig.fx, MSG_REPLY));
    fx_answer(rig.fx, "GET", "/infrastructures/infra", 404, FX_NOT_FOUND);
    assert_int_equal(fx_take(rig.fx, MSG_REPLY)->message.body.reply.code, 404);
    assert_null(rig.fx->core->requests);
    fx_free(rig.fx);
}

static void test_the_worker_dies_before_its_event(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});

    (void)state;
    say(&rig, true, "Reason", "message");
    fx_gone(rig.fx, THE_WORKER);
    struct fx_sent *revoke = fx_take(rig.fx, MSG_REVOKE);
    assert_non_null(revoke);
    struct msg_revoked revoked = {.handle = revoke->message.body.revoke.handle};
    fx_say(rig.fx, GATEWAY, THE_GATEWAY, MSG_REVOKED, &revoked, 0, 0);
    assert_null(rig.fx->core->jobs);
    created(rig.fx);
    assert_null(rig.fx->core->requests);
    fx_free(rig.fx);
}

/* A leaver waits for its jobs alone. */
static void test_drain_does_not_wait(void **state)
{
    struct rig rig = running((struct fx_object){.version = "10"});
    struct msg_drain drain = {.within_ms = 5000};

    (void)state;
    say(&rig, true, "Reason", "message");
    fx_say(rig.fx, SUPERVISOR, 0, MSG_DRAIN, &drain, 0, 0);
    assert_false(watcher_core_finished(rig.fx->core));
    fx_done(rig.fx, THE_WORKER, rig.job, JOB_DONE, 0);
    assert_true(watcher_core_finished(rig.fx->core));
    assert_non_null(open_post(rig.fx));
    fx_free(rig.fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_60_answers_are_ignored),
        cmocka_unit_test(test_the_job_ends_before_its_event),
        cmocka_unit_test(test_the_worker_dies_before_its_event),
        cmocka_unit_test(test_drain_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
