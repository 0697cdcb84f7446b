/* tests/unit/test_watcher_heartbeat.c -- the heartbeat Lease (gardener 8.1, 61; kubernetes 59): what it says,
 * how often, and when it is silent. */
#include "tests/unit/test_watcher_fixture.h"

#define BEAT_PATH "/namespaces/garden/leases/gardener-extension-heartbeat"
#define EVERY     30000

static const char *beat_lease(const char *version)
{
    static char text[300];

    snprintf(text, sizeof text,
             "{\"kind\":\"Lease\",\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"holderIdentity\":"
             "\"provider-packet\"}}",
             version);
    return text;
}

static struct fx *beating(void)
{
    struct fx *fx = fx_new(false, "");
    struct watcher_config config = {.seed = 42,
                                    .incarnation = ME,
                                    .field_manager = "fm",
                                    .heartbeat_ns = "garden",
                                    .heartbeat_ms = EVERY};
    struct watcher_ops ops = {fx, fx_send, fx_request, fx_watch, fx_unwatch};

    watcher_core_free(fx->core);
    fx->core = watcher_core_new(&config, &ops, fx->now);
    fx_peer(fx, GATEWAY, THE_GATEWAY);
    fx_go(fx);
    fx_tick(fx, 0);
    fx_answer_list(fx, "5", "", 0, NULL);
    fx_tick(fx, 1000);
    return fx;
}

/* Answers the question that is open. Returns whether there was one. */
static bool health(struct fx *fx, unsigned gateway, unsigned workers)
{
    struct fx_sent *asked = fx_take(fx, MSG_ASK_HEALTH);

    if (!asked)
        return false;
    assert_int_equal(asked->role, SUPERVISOR);
    struct msg_health body = {
        .seq = asked->message.body.ask_health.seq, .gateway = gateway, .workers = workers};
    fx_say(fx, SUPERVISOR, 0, MSG_HEALTH, &body, 0, 0);
    return true;
}

static json_t *spec_of(const struct fx_request *request)
{
    json_t *json = json_loads(request->body, 0, NULL), *spec = json_incref(json_object_get(json, "spec"));

    json_decref(json);
    assert_string_equal(json_string_value(json_object_get(spec, "holderIdentity")), "provider-packet");
    assert_int_equal(json_integer_value(json_object_get(spec, "leaseDurationSeconds")), 30);
    assert_int_equal(strlen(json_string_value(json_object_get(spec, "renewTime"))),
                     strlen("2026-01-01T00:00:00.000000Z"));
    return spec;
}

static void first_beat(struct fx *fx)
{
    assert_true(health(fx, 1, 1));
    fx_answer(fx, "GET", BEAT_PATH, 200, beat_lease("7"));
    fx_answer(fx, "PATCH", BEAT_PATH, 200, beat_lease("8"));
}

static void test_G_61_is_created(void **state)
{
    struct fx *fx = beating();

    (void)state;
    assert_true(health(fx, 1, 5));
    fx_answer(fx, "GET", BEAT_PATH, 404, FX_NOT_FOUND);
    struct fx_request *post = fx_asked(fx, "POST", "/namespaces/garden/leases");
    assert_non_null(strstr(post->body, "\"name\":\"gardener-extension-heartbeat\""));
    json_t *spec = spec_of(post);
    assert_int_equal(json_object_size(spec), 3);
    json_decref(spec);
    fx_result(fx, post, KUBE_ANSWERED, 201, beat_lease("7"), -1);
    fx_free(fx);
}

/* One locked request for each beat, after exactly the interval. */
static void test_G_61_is_renewed(void **state)
{
    struct fx *fx = beating();

    (void)state;
    first_beat(fx);
    for (int i = 8; i < 12; i++) {
        char version[40];

        fx_tick(fx, EVERY - 1);
        assert_false(health(fx, 1, 1));
        fx_tick(fx, 1);
        assert_true(health(fx, 1, 1));
        assert_null(fx_asked(fx, "GET", BEAT_PATH));
        struct fx_request *patch = fx_asked(fx, "PATCH", BEAT_PATH);
        snprintf(version, sizeof version, "\"resourceVersion\":\"%d\"", i);
        assert_non_null(strstr(patch->body, version));
        json_t *spec = spec_of(patch);
        assert_true(json_is_null(json_object_get(spec, "acquireTime")));
        assert_true(json_is_null(json_object_get(spec, "leaseTransitions")));
        json_decref(spec);
        snprintf(version, sizeof version, "%d", i + 1);
        fx_result(fx, patch, KUBE_ANSWERED, 200, beat_lease(version), -1);
    }
    fx_free(fx);
}

static void test_somebody_else_wrote_to_it(void **state)
{
    struct fx *fx = beating();

    (void)state;
    first_beat(fx);
    fx_tick(fx, EVERY);
    assert_true(health(fx, 1, 1));
    fx_answer(fx, "PATCH", BEAT_PATH, 409, "{}");
    fx_answer(fx, "GET", BEAT_PATH, 200, beat_lease("20"));
    struct fx_request *patch = fx_asked(fx, "PATCH", BEAT_PATH);
    assert_non_null(strstr(patch->body, "\"resourceVersion\":\"20\""));
    fx_free(fx);
}

static bool written(struct fx *fx)
{
    return fx_asked(fx, "PATCH", BEAT_PATH) || fx_asked(fx, "GET", BEAT_PATH) ||
           fx_asked(fx, "POST", "/namespaces/garden/leases");
}

/* kubernetes 59: it is silent while something does not answer, and comes back soon after. */
static void test_K_59_only_while_all_answer(void **state)
{
    struct fx *fx = beating();

    (void)state;
    assert_true(health(fx, 0, 5));
    assert_false(written(fx));
    fx_tick(fx, 1000);
    assert_true(health(fx, 1, 0));
    assert_false(written(fx));
    fx_tick(fx, 1000);
    assert_true(health(fx, 1, 1));
    assert_true(written(fx));
    fx_free(fx);
}

static void test_K_59_a_silent_supervisor(void **state)
{
    struct fx *fx = beating();
    struct fx_sent *asked = fx_take(fx, MSG_ASK_HEALTH);
    struct msg_health late = {.gateway = 1, .workers = 5};

    (void)state;
    assert_non_null(asked);
    late.seq = asked->message.body.ask_health.seq;
    fx_tick(fx, 1000);
    assert_false(written(fx));
    fx_say(fx, SUPERVISOR, 0, MSG_HEALTH, &late, 0, 0); /* the answer to the old question */
    assert_false(written(fx));
    fx_tick(fx, 1000);
    fx_say(fx, SUPERVISOR, 0, MSG_HEALTH, &late, 0, 0);
    assert_false(written(fx));
    assert_true(health(fx, 1, 1));
    assert_true(written(fx));
    fx_free(fx);
}

static void test_K_59_only_while_the_watch_is_fresh(void **state)
{
    struct fx *fx = beating();

    (void)state;
    first_beat(fx);
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, -1, "refused", 7, -1, fx->now);
    fx->core->reflector.wake_ms = INT64_MAX; /* the API server stays away */
    fx_tick(fx, EVERY);
    assert_false(health(fx, 1, 1));
    fx_tick(fx, 10000);
    assert_false(health(fx, 1, 1));
    fx->core->reflector.wake_ms = 0;
    fx_tick(fx, 1000);
    fx_tick(fx, 1000);
    assert_true(health(fx, 1, 1));
    fx_free(fx);
}

static void test_a_failure_is_tried_again_soon(void **state)
{
    struct fx *fx = beating();

    (void)state;
    assert_true(health(fx, 1, 1));
    fx_result(fx, fx_asked(fx, "GET", BEAT_PATH), KUBE_NOT_SENT, 0, "", -1);
    assert_false(written(fx));
    fx_tick(fx, 1000);
    assert_true(health(fx, 1, 1));
    assert_true(written(fx));
    fx_free(fx);
}

static void test_not_before_the_first_list(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct watcher_config config = {.seed = 42,
                                    .incarnation = ME,
                                    .field_manager = "fm",
                                    .heartbeat_ns = "garden",
                                    .heartbeat_ms = EVERY};
    struct watcher_ops ops = {fx, fx_send, fx_request, fx_watch, fx_unwatch};

    (void)state;
    watcher_core_free(fx->core);
    fx->core = watcher_core_new(&config, &ops, fx->now);
    fx_go(fx);
    fx_tick(fx, 5000);
    assert_false(health(fx, 1, 1));
    fx_free(fx);
}

static void test_none_without_a_namespace(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    fx_tick(fx, EVERY);
    fx_tick(fx, EVERY);
    assert_null(fx_take(fx, MSG_ASK_HEALTH));
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_G_61_is_created),
        cmocka_unit_test(test_G_61_is_renewed),
        cmocka_unit_test(test_somebody_else_wrote_to_it),
        cmocka_unit_test(test_K_59_only_while_all_answer),
        cmocka_unit_test(test_K_59_a_silent_supervisor),
        cmocka_unit_test(test_K_59_only_while_the_watch_is_fresh),
        cmocka_unit_test(test_a_failure_is_tried_again_soon),
        cmocka_unit_test(test_not_before_the_first_list),
        cmocka_unit_test(test_none_without_a_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
