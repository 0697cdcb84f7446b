/* tests/unit/test_watcher_deaths.c -- the death of worker or gateway at each step of a job, and a JOB that
 * does not arrive (kubernetes 34; design 2, 12.17). */
#include "tests/unit/test_watcher_fixture.h"

/* design 12.17: JOB without STARTED within a second */
static void test_a_job_that_does_not_arrive(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_OK, 0);
    fx_tick(fx, STARTED_DEADLINE_MS - 1);
    assert_null(fx_take(fx, MSG_END_WORKER));
    fx_tick(fx, 1);
    struct fx_sent *end = fx_take(fx, MSG_END_WORKER);
    assert_non_null(end);
    assert_int_equal(end->message.body.end_worker.incarnation, THE_WORKER);
    assert_non_null(fx->core->jobs); /* the key is not free before it is reaped */
    fx_tick(fx, 10000);
    assert_null(fx_take(fx, MSG_END_WORKER));
    fx_free(fx);
}

/* ---- deaths ---- */

enum step { AT_PREPARING, AT_GRANTING, AT_SENT, AT_RUNNING, AT_PATCHING, STEPS };

static struct pack status_body(void)
{
    struct pack body;

    pack_open(&body);
    pack_map(&body, 1), pack_text(&body, "status"), pack_map(&body, 1),
        pack_text(&body, "observedGeneration");
    pack_int(&body, 1);
    return body;
}

/* Brings a job to a step. Returns its handle, 0 before there was one. */
static uint64_t bring_to(struct fx *fx, enum step step)
{
    if (step == AT_PREPARING)
        return 0;
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    uint64_t handle = fx->core->jobs->handle;
    if (step > AT_GRANTING)
        fx_granted(fx, OUTCOME_OK, 0);
    if (step > AT_SENT) {
        struct msg_started started = {.job = fx->core->jobs->id};
        fx_say(fx, WORKER, THE_WORKER, MSG_STARTED, &started, 0, 0);
    }
    if (step == AT_PATCHING) {
        struct pack body = status_body();
        struct msg_patch patch = {.job = fx->core->jobs->id,
                                  .seq = 1,
                                  .target = PATCH_STATUS,
                                  .resource_version = SPAN("10"),
                                  .body = {(const uint8_t *)body.out.data, body.out.size}};
        fx_say(fx, WORKER, THE_WORKER, MSG_PATCH, &patch, ME, 0);
        pack_close(&body);
        assert_non_null(fx_asked(fx, "PATCH", "/status?fieldManager=fm"));
    }
    return handle;
}

/* kubernetes 34, design 2: the key comes back when the worker is reaped, nothing of it is open, and the
 * gateway has let go; never before. */
static void test_K_34_the_worker_dies_at_each_step(void **state)
{
    (void)state;
    for (enum step step = AT_PREPARING; step < STEPS; step++) {
        struct fx *fx = fx_with_object();
        uint64_t handle = bring_to(fx, step);

        fx_peer(fx, WORKER, OTHER_WORKER);
        fx_idle(fx, OTHER_WORKER);
        fx_gone(fx, THE_WORKER);
        if (handle) {
            assert_int_equal(fx_take(fx, MSG_REVOKE)->message.body.revoke.handle, handle);
            assert_true(fx_work(fx)->processing);
            fx_tick(fx, 3000);
            assert_non_null(fx_take(fx, MSG_REVOKE)); /* asked again */
            assert_true(fx_work(fx)->processing);
            if (step == AT_PATCHING) {
                struct msg_revoked revoked = {.handle = handle};
                fx_say(fx, GATEWAY, THE_GATEWAY, MSG_REVOKED, &revoked, 0, 0);
                assert_true(fx_work(fx)->processing);
                fx_answer(fx, "PATCH", "/status", 200, "{}");
                assert_null(fx_take(fx, MSG_REPLY));
            } else {
                struct msg_revoked revoked = {.handle = handle};
                fx_say(fx, GATEWAY, THE_GATEWAY, MSG_REVOKED, &revoked, 0, 0);
            }
        }
        assert_int_equal(fx_work(fx)->strikes, step >= AT_SENT);
        assert_int_equal(fx_work(fx)->failures, step >= AT_SENT);
        fx_tick(fx, 1000);
        assert_int_equal(fx->core->jobs->worker->incarnation, OTHER_WORKER);
        fx_free(fx);
    }
}

/* The gateway dies: its workers are ended with it; no strike for anybody; the next gateway goes on. */
static void test_the_gateway_dies_at_each_step(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++)
        for (enum step step = AT_PREPARING; step < STEPS; step++) {
            struct fx *fx = fx_with_object();

            bring_to(fx, step);
            fx_gone(fx, order ? THE_GATEWAY : THE_WORKER);
            fx_gone(fx, order ? THE_WORKER : THE_GATEWAY);
            if (step == AT_PATCHING) {
                assert_true(fx_work(fx)->processing);
                fx_answer(fx, "PATCH", "/status", 200, "{}");
            }
            assert_null(fx->core->jobs);
            assert_int_equal(fx_work(fx)->strikes, 0);
            assert_int_equal(fx_work(fx)->failures, 0);
            fx_peer(fx, WORKER, OTHER_WORKER);
            fx_idle(fx, OTHER_WORKER);
            assert_null(fx->core->jobs);
            fx_peer(fx, GATEWAY, THE_GATEWAY + 10);
            fx_tick(fx, 20);
            assert_non_null(fx->core->jobs);
            fx_free(fx);
        }
}

static void test_a_gateway_that_does_not_answer_holds_nobody(void **state)
{
    struct fx *fx = fx_with_object();

    (void)state;
    bring_to(fx, AT_GRANTING);
    fx_tick(fx, 60000);
    assert_non_null(fx_take(fx, MSG_REVOKE));
    assert_int_equal(fx_work(fx)->failures, 1);
    fx_granted(fx, OUTCOME_OK, 0); /* comes after all: given back at once */
    assert_non_null(fx_take(fx, MSG_REVOKE));
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_that_does_not_arrive),
        cmocka_unit_test(test_K_34_the_worker_dies_at_each_step),
        cmocka_unit_test(test_the_gateway_dies_at_each_step),
        cmocka_unit_test(test_a_gateway_that_does_not_answer_holds_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
