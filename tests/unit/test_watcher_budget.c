/* tests/unit/test_watcher_budget.c -- objects that wait for budget: what they are expected to need, how they
 * are called in, and what happens when the gateway that was to call them is gone (design 12.6). */
#include "tests/unit/test_watcher_fixture.h"
#include "watcher/core/convert.h"
#include "watcher/core/demand.h"

static struct work *work_of(struct fx *fx, const char *name)
{
    return queue_find(&fx->core->queue, SPAN("shoot--a--b"), span_of(name));
}

static void come(struct fx *fx, const char *name)
{
    char owner[2 * LIMIT_NAME + 2];

    snprintf(owner, sizeof owner, "shoot--a--b/%s", name);
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_COME, &(struct msg_come){.owner = span_of(owner)}, 0, 0);
}

/* An object of this name is added, asks for its grant and is told to wait. */
static void told_later(struct fx *fx, const char *name, uint64_t wait_ms)
{
    fx_event(fx, "ADDED", (struct fx_object){.name = name, .version = "10"});
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_LATER, wait_ms);
}

static void test_later_is_waiting_and_not_a_failure(void **state)
{
    struct fx *fx = fx_running(false);
    struct watcher_gauges gauges;

    (void)state;
    told_later(fx, "a", 300);
    watcher_core_gauges(fx->core, fx->now, &gauges);
    assert_int_equal(gauges.waiting_for_budget, 1);
    assert_int_equal(gauges.failed, 0);
    assert_int_equal(work_of(fx, "a")->failures, 0);
    assert_int_equal(work_of(fx, "a")->strikes, 0);
    assert_null(fx_asked(fx, "PATCH", "")); /* nothing is shown */
    assert_null(fx->core->workers[0].job);  /* and the worker is free */
    assert_null(fx_take(fx, MSG_JOB));
    fx_tick(fx, 59000); /* it does not poll */
    assert_null(fx_asked(fx, "GET", "infrastructures/a"));
    fx_tick(fx, 20000); /* a COME got lost */
    assert_non_null(fx_asked(fx, "GET", "infrastructures/a"));
    watcher_core_gauges(fx->core, fx->now, &gauges);
    assert_int_equal(gauges.waiting_for_budget, 0);
    fx_free(fx);
}

/* Its reservation lasts seconds: it goes before everything that is ready. */
static void test_who_is_called_in_is_next(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    told_later(fx, "a", 300);
    told_later(fx, "b", 300);
    for (unsigned i = 0; i < 50; i++) { /* the first of them takes the worker */
        char name[16];

        snprintf(name, sizeof name, "c%u", i);
        fx_event(fx, "ADDED", (struct fx_object){.name = name, .version = "11"});
    }
    come(fx, "b");
    come(fx, "a");
    assert_int_equal(fx->core->queue.for_budget, 0);
    assert_string_equal(fx->core->queue.ready.items[0]->key, "shoot--a--b/b"); /* as they were called */
    assert_non_null(fx_asked(fx, "GET", "/clusters/"));
    fx_run(fx);
    fx_done(fx, THE_WORKER, fx->core->workers[0].job->id, JOB_DONE, 0);
    assert_non_null(fx_asked(fx, "GET", "infrastructures/b"));
    fx_free(fx);
}

static void test_come_for_nobody_is_ignored(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    come(fx, "nobody");
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_COME, &(struct msg_come){.owner = SPAN("no-slash")}, 0, 0);
    told_later(fx, "a", 300);
    fx_say(fx, GATEWAY, THE_GATEWAY + 1, MSG_COME, &(struct msg_come){.owner = SPAN("shoot--a--b/a")}, 0, 0);
    assert_true(work_of(fx, "a")->for_budget); /* of a gateway that is none */
    /* One that waits for another reason keeps its backoff. */
    fx_event(fx, "ADDED", (struct fx_object){.name = "f", .version = "10"});
    fx_answer(fx, "GET", "/clusters/", 200, "{}");
    assert_int_equal(work_of(fx, "f")->failures, 1);
    come(fx, "f");
    assert_int_equal(work_of(fx, "f")->place, WORK_DELAYED);
    fx_free(fx);
}

/* It is being prepared again already: its next GRANT finds the reservation. */
static void test_come_during_preparation_changes_nothing(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    told_later(fx, "a", 300);
    fx_event(fx, "MODIFIED", (struct fx_object){.name = "a", .version = "11", .operation = "reconcile"});
    assert_true(work_of(fx, "a")->processing);
    come(fx, "a");
    assert_true(work_of(fx, "a")->processing);
    assert_false(work_of(fx, "a")->dirty);
    fx_free(fx);
}

/* A new event is a new question: the object keeps its ticket in the gateway. */
static void test_an_event_ends_the_wait(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    told_later(fx, "a", 300);
    fx_event(fx, "MODIFIED", (struct fx_object){.name = "a", .version = "11", .operation = "reconcile"});
    assert_int_equal(fx->core->queue.for_budget, 0);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    assert_non_null(fx_take(fx, MSG_GRANT));
    fx_free(fx);
}

/* Nobody would call them any more. */
static void test_a_new_gateway_is_asked_again(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    told_later(fx, "a", 250000);
    told_later(fx, "b", 250000);
    fx_gone(fx, THE_GATEWAY);
    assert_int_equal(fx->core->queue.for_budget, 0);
    fx_tick(fx, 1000);
    assert_null(fx_asked(fx, "GET", "")); /* not while there is none */
    fx_peer(fx, GATEWAY, THE_GATEWAY + 1);
    assert_non_null(fx_asked(fx, "GET", "infrastructures/"));
    assert_int_equal(queue_depth(&fx->core->queue), 1); /* the other is ready and waits for the worker */
    assert_int_equal(fx->core->queue.delayed.count, 0);
    fx_free(fx);
}

/* issue: a late delete overtakes waiting creates; it must reach its lane for that */
static void test_a_deletion_is_prepared_before_others(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        char name[16];

        snprintf(name, sizeof name, "c%u", i);
        fx_event(fx, "ADDED", (struct fx_object){.name = name, .version = "11"});
    }
    fx_event(fx, "ADDED",
             (struct fx_object){.name = "d",
                                .version = "12",
                                .deletion = "2026-01-01T00:00:00Z",
                                .finalizers = "[\"" OBJECT_FINALIZER "\"]"});
    assert_string_equal(fx->core->queue.ready.items[0]->key, "shoot--a--b/d");
    fx_free(fx);
}

#define FX_ID    "\"state\":{\"id\":\"" KEY_ID "\"}"
#define FX_SHOWN "\"providerStatus\":{\"sshKeyID\":\"" KEY_ID "\"}"
#define FX_SEEN  "\"observedGeneration\":1"
#define DELETING .deletion = "2026-01-01T00:00:00Z", .finalizers = "[\"" OBJECT_FINALIZER "\"]"

static void test_what_a_job_is_expected_to_need(void **state)
{
    static const struct {
        struct fx_object object;
        bool force, periodic;
        enum lane lane;
        unsigned calls;
        int64_t patience_ms;
    } rows[] = {
        {{0}, .lane = LANE_CREATE, .calls = 2},
        {{.status = "{" FX_ID "," FX_SHOWN "," FX_SEEN "}"}, .lane = LANE_READ, .calls = 1},
        {{.status = "{" FX_ID "," FX_SEEN "}"}, .periodic = true, .lane = LANE_DRIFT, .calls = 1},
        {{.status = "{" FX_ID "," FX_SEEN "}", .generation = 2}, .lane = LANE_CREATE, .calls = 2},
        {{.status = "{" FX_ID "," FX_SEEN "}", .operation = "restore"}, .lane = LANE_CREATE, .calls = 2},
        {{.status = "{\"state\":{\"id\":\"" KEY_ID "\",\"attempts\":{\"f\":\"t\"}}," FX_SEEN "}"},
         .lane = LANE_CREATE,
         .calls = 2},
        {{.status = "{" FX_ID "," FX_SHOWN "}", DELETING}, .lane = LANE_DELETE, .calls = 1},
        {{.status = "{" FX_ID "}", DELETING}, true, .lane = LANE_DELETE, .calls = 1, .patience_ms = 10000},
        {{.status = "{\"state\":{\"id\":\"" KEY_ID "\",\"obsolete\":[\"" UID "\"]}}", DELETING},
         .lane = LANE_DELETE,
         .calls = 2},
        {{.status = "{\"state\":{\"id\":\"" KEY_ID "\",\"attempts\":{\"f\":\"t\"}}}", DELETING},
         .lane = LANE_DELETE,
         .calls = 2},
        {{.status = "{\"state\":{\"id\":\"" KEY_ID "\",\"unsettled\":\"t\"}}", DELETING},
         .lane = LANE_DELETE,
         .calls = 2},
        {{.status = "{\"state\":{\"id\":\"" UID "\"}," FX_SHOWN "}", DELETING},
         .lane = LANE_DELETE,
         .calls = 2},
        {{DELETING}, .lane = LANE_DELETE, .calls = 2},
        {{.deletion = "2026-01-01T00:00:00Z"}, .lane = LANE_DELETE, .calls = 0},
        {{.operation = "migrate", .status = "{" FX_ID "}"}, .lane = LANE_READ, .calls = 0},
        {{0}, true, .lane = LANE_CREATE, .calls = 2}, /* force says something of deletions only */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cluster cluster = {.force_delete = rows[i].force};
        char *json = fx_json(rows[i].object);
        struct object object;
        struct pack pack;

        pack_open(&pack);
        assert_int_equal(convert_object((struct text){.p = json, .len = strlen(json)}, &pack), 0);
        assert_int_equal(object_read(pack_result(&pack), &object), 0);
        struct demand demand = demand_of(&object, &cluster, rows[i].periodic);

        if (demand.lane != rows[i].lane || demand.calls != rows[i].calls ||
            demand.patience_ms != rows[i].patience_ms)
            fail_msg("row %zu: lane %d, %u calls, patience %ld", i, (int)demand.lane, demand.calls,
                     (long)demand.patience_ms);
        pack_close(&pack);
        free(json);
    }
}

/* What is expected goes with GRANT. */
static void test_the_grant_says_what_is_expected(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    fx_event(fx, "ADDED", (struct fx_object){.status = "{" FX_ID "}", DELETING});
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    const struct msg_grant *grant = &fx_take(fx, MSG_GRANT)->message.body.grant;

    assert_int_equal(grant->lane, LANE_DELETE);
    assert_int_equal(grant->calls, 1);
    assert_int_equal(grant->patience_ms, 0);
    fx_free(fx);
    fx = fx_running(false);
    fx_event(fx, "ADDED", (struct fx_object){0});
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    grant = &fx_take(fx, MSG_GRANT)->message.body.grant;
    assert_int_equal(grant->lane, LANE_CREATE);
    assert_int_equal(grant->calls, 2);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_is_waiting_and_not_a_failure),
        cmocka_unit_test(test_who_is_called_in_is_next),
        cmocka_unit_test(test_come_for_nobody_is_ignored),
        cmocka_unit_test(test_come_during_preparation_changes_nothing),
        cmocka_unit_test(test_an_event_ends_the_wait),
        cmocka_unit_test(test_a_new_gateway_is_asked_again),
        cmocka_unit_test(test_a_deletion_is_prepared_before_others),
        cmocka_unit_test(test_what_a_job_is_expected_to_need),
        cmocka_unit_test(test_the_grant_says_what_is_expected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
