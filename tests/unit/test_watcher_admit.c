/* tests/unit/test_watcher_admit.c -- which events become work (gardener 3, items 1, 2, 8 to 16, 41), by
 * driving whole events through the core, and that no run wakes itself (design 12.14, gardener 10). */
#include "tests/unit/test_watcher_fixture.h"

#define SUCCEEDED                                                                                            \
    "{\"lastOperation\":{\"type\":\"Create\",\"state\":\"Succeeded\","                                       \
    "\"lastUpdateTime\":\"2026-08-21T17:55:55Z\"}}"
#define FAILED_OP                                                                                            \
    "{\"lastOperation\":{\"type\":\"Create\",\"state\":\"Error\",\"lastUpdateTime\":\"2026-08-21T17:55:"     \
    "55Z\"}}"
#define MIGRATED "{\"lastOperation\":{\"type\":\"Migrate\",\"state\":\"Succeeded\"}}"
#define OURS     "[\"extensions.gardener.cloud/infrastructure\"]"
#define WHEN     "2026-08-21T18:00:00Z"

/* Has the key been queued or taken up? */
static bool is_work(struct fx *fx, const char *name)
{
    struct work *work = queue_find(&fx->core->queue, SPAN("shoot--a--b"), span_of(name));

    return work && (work->place == WORK_READY || work->processing);
}

struct row {
    const char *what;
    bool ignore; /* mode */
    bool work;
    struct fx_object object;
};

static const struct row new_rows[] = {
    {"8: no annotation, no lastOperation", false, true, {.status = NULL}},
    {"13: Succeeded", false, false, {.status = SUCCEEDED}},
    {"13: Error", false, true, {.status = FAILED_OP}},
    {"13: Succeeded, reconcile", false, true, {.status = SUCCEEDED, .operation = "reconcile"}},
    {"13: Succeeded, migrate", false, true, {.status = SUCCEEDED, .operation = "migrate"}},
    {"13: Succeeded, restore", false, true, {.status = SUCCEEDED, .operation = "restore"}},
    {"13: Succeeded, unknown operation", false, false, {.status = SUCCEEDED, .operation = "maintain"}},
    {"13: Succeeded, deletion", false, true, {.status = SUCCEEDED, .deletion = WHEN, .finalizers = OURS}},
    {"13: timestamp of the same second",
     false,
     false,
     {.status = SUCCEEDED, .timestamp = "2026-08-21T17:55:55.999999Z"}},
    {"13: timestamp of the next second",
     false,
     true,
     {.status = SUCCEEDED, .timestamp = "2026-08-21T17:55:56.000000001Z"}},
    {"13: timestamp in another zone, earlier",
     false,
     false,
     {.status = SUCCEEDED, .timestamp = "2026-08-21T18:55:55+02:00"}},
    {"13: timestamp that is none", false, false, {.status = SUCCEEDED, .timestamp = "yesterday"}},
    {"15: wait-for-state, no lastOperation", false, false, {.operation = "wait-for-state"}},
    {"15: wait-for-state in ignore mode", true, false, {.operation = "wait-for-state"}},
    {"41: deletion without our finalizer", false, false, {.deletion = WHEN, .finalizers = "[\"other/one\"]"}},
    {"41: the same in ignore mode", true, false, {.deletion = WHEN}},
    {"51: migrated", false, false, {.status = MIGRATED}},
    {"16: ignore mode takes everything once", true, true, {.status = SUCCEEDED}},
    {"1: another type", false, false, {.type = "equinixmetal"}},
    {"1: another case", false, false, {.type = "Packet"}},
    {"2: class shoot", false, true, {.spec = ",\"class\":\"shoot\""}},
    {"2: class garden", false, false, {.spec = ",\"class\":\"garden\""}},
    {"2: class seed", false, false, {.spec = ",\"class\":\"seed\""}},
    {"2: class empty", false, false, {.spec = ",\"class\":\"\""}},
    {"2: class null", false, true, {.spec = ",\"class\":null"}},
};

static void test_objects_seen_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof new_rows / sizeof *new_rows; i++) {
        for (int by_list = 0; by_list < 2; by_list++) {
            struct fx *fx = fx_new(new_rows[i].ignore, "");

            fx_go(fx);
            fx_answer_list(fx, "5", "", by_list ? 1 : 0, &new_rows[i].object);
            if (!by_list)
                fx_event(fx, "ADDED", new_rows[i].object);
            if (is_work(fx, "infra") != new_rows[i].work)
                fail_msg("%s (%s)", new_rows[i].what, by_list ? "list" : "event");
            fx_free(fx);
        }
    }
}

static const struct row change_rows[] = {
    {"9: spec alone", false, false, {.generation = 2, .status = SUCCEEDED}},
    {"16: spec in ignore mode", true, true, {.generation = 2, .status = SUCCEEDED}},
    {"11: reconcile", false, true, {.operation = "reconcile", .status = SUCCEEDED}},
    {"11: migrate", false, true, {.operation = "migrate", .status = SUCCEEDED}},
    {"11: restore", false, true, {.operation = "restore", .status = SUCCEEDED}},
    {"16: annotation alone in ignore mode", true, false, {.operation = "reconcile", .status = SUCCEEDED}},
    {"15: wait-for-state", false, false, {.operation = "wait-for-state", .status = SUCCEEDED}},
    {"12: deletion appears",
     false,
     true,
     {.generation = 2, .deletion = WHEN, .finalizers = OURS, .status = SUCCEEDED}},
    {"12: deletion together with a status",
     false,
     true,
     {.generation = 2, .deletion = WHEN, .finalizers = OURS, .status = FAILED_OP}},
    {"16: deletion in ignore mode",
     true,
     true,
     {.generation = 2, .deletion = WHEN, .finalizers = OURS, .status = SUCCEEDED}},
    {"41: deletion without our finalizer",
     false,
     false,
     {.generation = 2, .deletion = WHEN, .status = SUCCEEDED}},
    {"10: a status alone", false, false, {.status = FAILED_OP}},
    {"10: a timestamp alone", false, false, {.timestamp = WHEN, .status = SUCCEEDED}},
};

static void test_objects_that_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof change_rows / sizeof *change_rows; i++) {
        struct fx *fx = fx_new(change_rows[i].ignore, "");
        struct fx_object before = {.status = SUCCEEDED, .version = "10"}, after = change_rows[i].object;

        fx_go(fx);
        fx_answer_list(fx, "10", "", 1, &before);
        if (change_rows[i].ignore) { /* the first run of that mode */
            struct work *work = queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("infra"));
            queue_drop(&fx->core->queue, work);
        }
        assert_false(is_work(fx, "infra"));
        after.version = "11";
        fx_event(fx, "MODIFIED", after);
        if (is_work(fx, "infra") != change_rows[i].work)
            fail_msg("%s", change_rows[i].what);
        fx_free(fx);
    }
}

static void test_classes_of_the_flag(void **state)
{
    struct fx *fx = fx_new(false, "garden,seed");

    (void)state;
    fx_go(fx);
    fx_answer_list(fx, "5", "", 0, NULL);
    fx_event(fx, "ADDED", (struct fx_object){.name = "a", .spec = ",\"class\":\"seed\""});
    fx_event(fx, "ADDED", (struct fx_object){.name = "b", .spec = ",\"class\":\"gard\""});
    fx_event(fx, "ADDED", (struct fx_object){.name = "c"});
    assert_true(is_work(fx, "a"));
    assert_false(is_work(fx, "b"));
    assert_false(is_work(fx, "c"));
    fx_free(fx);
}

/* 12: gardenlet bumps the timestamp of a deleting object; its own status writes in between are none of that
 */
static void test_timestamp_during_deletion(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct fx_object o = {
        .generation = 2, .deletion = WHEN, .finalizers = OURS, .status = FAILED_OP, .version = "10"};

    (void)state;
    fx_go(fx);
    fx_answer_list(fx, "10", "", 1, &o);
    queue_drop(&fx->core->queue, queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("infra")));
    o.version = "11";
    o.status = SUCCEEDED;
    fx_event(fx, "MODIFIED", o);
    assert_false(is_work(fx, "infra"));
    o.version = "12";
    o.timestamp = "2026-08-21T18:00:01Z";
    fx_event(fx, "MODIFIED", o);
    assert_true(is_work(fx, "infra"));
    fx_free(fx);
}

/* A write of a worker and its event: the answer first, or the event first. */
static void run_own_writes(bool event_first)
{
    struct fx *fx = fx_running(false);
    struct fx_object o = {.version = "10", .operation = "restore", .finalizers = OURS, .status = MIGRATED};
    struct pack body;
    struct work *work;

    fx_event(fx, "ADDED", o);
    uint64_t job = fx_run(fx);
    /* Restore keeps its annotation while finalizer and Processing are written: each such event is an echo. */
    const char *const versions[] = {"11", "12", "13"};
    for (int i = 0; i < 3; i++) {
        struct msg_patch patch = {.job = job,
                                  .seq = (uint64_t)i + 1,
                                  .target = i == 2 ? PATCH_META : PATCH_STATUS,
                                  .resource_version = span_of(o.version)};

        pack_open(&body);
        pack_map(&body, 1);
        if (i == 2) {
            pack_text(&body, "metadata"), pack_map(&body, 1), pack_text(&body, "annotations"),
                pack_map(&body, 1);
            pack_text(&body, "gardener.cloud/operation"), pack_nil(&body);
        } else {
            pack_text(&body, "status"), pack_map(&body, 1), pack_text(&body, "observedGeneration");
            pack_int(&body, i + 1);
        }
        patch.body = pack_result(&body);
        fx_say(fx, WORKER, THE_WORKER, MSG_PATCH, &patch, ME, 0);
        pack_close(&body);
        o.version = versions[i];
        o.status = i == 0 ? "{\"observedGeneration\":1}" : "{\"observedGeneration\":2}";
        if (i == 2)
            o.operation = NULL;
        char *answer = fx_json(o);
        if (event_first)
            fx_event(fx, "MODIFIED", o);
        fx_answer(fx, "PATCH", "infrastructures/infra", 200, answer);
        if (!event_first)
            fx_event(fx, "MODIFIED", o);
        free(answer);
        work = queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("infra"));
        assert_false(work->dirty);
    }
    fx_done(fx, THE_WORKER, job, JOB_DONE, 0);
    assert_int_equal(queue_depth(&fx->core->queue), 0);
    assert_null(fx->core->jobs);
    /* ... and a new order is none */
    o.version = "20";
    o.operation = "restore";
    fx_event(fx, "MODIFIED", o);
    assert_non_null(fx->core->jobs);
    fx_free(fx);
}

static void test_own_writes_are_echoes(void **state)
{
    (void)state;
    run_own_writes(false);
    run_own_writes(true);
}

/* The watch lags: events from before the last own write come after the run has ended (kubernetes 9.4). */
static void test_late_events_are_no_news(void **state)
{
    struct fx *fx = fx_running(false);
    struct fx_object o = {.version = "10", .operation = "reconcile"};
    struct pack body;

    (void)state;
    fx_event(fx, "ADDED", o);
    uint64_t job = fx_run(fx);
    struct msg_patch patch = {.job = job, .seq = 1, .target = PATCH_META, .resource_version = SPAN("10")};
    pack_open(&body);
    pack_map(&body, 1), pack_text(&body, "metadata"), pack_map(&body, 1), pack_text(&body, "annotations");
    pack_map(&body, 1), pack_text(&body, "gardener.cloud/operation"), pack_nil(&body);
    patch.body = pack_result(&body);
    fx_say(fx, WORKER, THE_WORKER, MSG_PATCH, &patch, ME, 0);
    pack_close(&body);
    struct fx_object written = {.version = "12"};
    char *answer = fx_json(written);
    fx_answer(fx, "PATCH", "infrastructures/infra", 200, answer);
    free(answer);
    fx_done(fx, THE_WORKER, job, JOB_DONE, 0);
    o.version = "11"; /* a label, still with the annotation */
    fx_event(fx, "MODIFIED", o);
    assert_null(fx->core->jobs);
    written.status = SUCCEEDED;
    fx_event(fx, "MODIFIED", written);
    assert_null(fx->core->jobs);
    assert_int_equal(fx->core->ahead.count, 0);
    written.version = "13";
    written.operation = "reconcile";
    fx_event(fx, "MODIFIED", written);
    assert_non_null(fx->core->jobs);
    fx_free(fx);
}

/* A deleting object loses its reconcile annotation: the event of that write may overtake its answer (gardener
 * 10). */
static void test_an_echo_that_overtakes_its_answer(void **state)
{
    struct fx *fx = fx_running(false);
    struct fx_object o = {.version = "10",
                          .operation = "reconcile",
                          .generation = 2,
                          .deletion = WHEN,
                          .finalizers = OURS,
                          .status = SUCCEEDED};
    struct msg_patch patch = {.seq = 1, .target = PATCH_META, .resource_version = SPAN("10")};
    struct pack body;

    (void)state;
    fx_event(fx, "ADDED", o);
    patch.job = fx_run(fx);
    pack_open(&body);
    pack_map(&body, 1), pack_text(&body, "metadata"), pack_map(&body, 1), pack_text(&body, "annotations");
    pack_map(&body, 1), pack_text(&body, OBJECT_OPERATION), pack_nil(&body);
    patch.body = pack_result(&body);
    fx_say(fx, WORKER, THE_WORKER, MSG_PATCH, &patch, ME, 0);
    pack_close(&body);
    o.version = "11";
    o.operation = NULL;
    fx_event(fx, "MODIFIED", o);
    assert_false(queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("infra"))->dirty);
    o.version = "12"; /* gardenlet's timestamp is news all the same */
    o.timestamp = WHEN;
    fx_event(fx, "MODIFIED", o);
    assert_true(queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("infra"))->dirty);
    fx_free(fx);
}

/* A dead watcher's write that arrives late shows a run that nobody is in (world 73101; design 12.1). */
static void test_a_run_that_nobody_is_in(void **state)
{
    struct fx *fx = fx_running(false);
    struct fx_object o = {.version = "10", .status = SUCCEEDED};

    (void)state;
    fx_event(fx, "ADDED", o);
    assert_false(is_work(fx, "infra"));
    o.version = "11";
    o.status = "{\"lastOperation\":{\"type\":\"Reconcile\",\"state\":\"Processing\"}}";
    fx_event(fx, "MODIFIED", o);
    assert_true(is_work(fx, "infra"));
    fx_free(fx);
}

/* 14: nothing while the Shoot is Failed; the annotation stays, and any later event looks again */
static void test_failed_shoot(void **state)
{
    struct fx *fx = fx_running(false);
    struct fx_object o = {.version = "10", .operation = "reconcile"};

    (void)state;
    fx_event(fx, "ADDED", o);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER_FAILED);
    assert_null(fx->core->jobs);
    assert_int_equal(queue_depth(&fx->core->queue), 0);
    assert_null(fx_take(fx, MSG_JOB));
    o.version = "11";
    fx_event(fx, "MODIFIED", o);
    assert_non_null(fx->core->jobs);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_seen_first),
        cmocka_unit_test(test_objects_that_change),
        cmocka_unit_test(test_classes_of_the_flag),
        cmocka_unit_test(test_timestamp_during_deletion),
        cmocka_unit_test(test_own_writes_are_echoes),
        cmocka_unit_test(test_late_events_are_no_news),
        cmocka_unit_test(test_an_echo_that_overtakes_its_answer),
        cmocka_unit_test(test_a_run_that_nobody_is_in),
        cmocka_unit_test(test_failed_shoot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
