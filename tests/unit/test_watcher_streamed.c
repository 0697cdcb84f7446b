/* tests/unit/test_watcher_streamed.c -- a list that comes as a stream (kubernetes 2.6): what makes it
 * complete, what breaks it off, when it comes by pages instead; a watch that is silent. */
#include "tests/unit/test_watcher_reflector.h"

#define INITIAL_END "k8s.io/initial-events-end"

static struct fx *streaming(void)
{
    struct fx *fx = fx_new(false, "");

    fx->streams = true;
    fx_go(fx);
    return fx;
}

static void initial_end(struct fx *fx, const char *version)
{
    char *event = x_asprintf("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Infrastructure\",\"metadata\":{"
                             "\"resourceVersion\":\"%s\",\"annotations\":{\"" INITIAL_END "\":\"true\"}}}}",
                             version);

    watcher_core_event(fx->core, STREAM_OBJECTS, event, strlen(event), fx->now);
    free(event);
}

static bool knows(const struct fx *fx, const char *name)
{
    return cache_find(&fx->core->cache, SPAN("shoot--a--b"), span_of(name));
}

static void stream_ends(struct fx *fx, int status, const char *body)
{
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, status, body, strlen(body), -1, fx->now);
}

/* The first events come in no order: only the bookmark that ends them has a version, and makes it a list. */
static void test_K_15_K_29_a_stream_is_the_list_and_the_watch(void **state)
{
    struct fx *fx = streaming();

    (void)state;
    assert_null(fx_asked(fx, "GET", ""));
    assert_non_null(strstr(fx->watch, "watch=true"));
    assert_non_null(strstr(fx->watch, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
    assert_non_null(strstr(fx->watch, "&allowWatchBookmarks=true"));
    assert_null(strstr(fx->watch, "&resourceVersion="));
    fx_event(fx, "ADDED", (struct fx_object){.name = "a", .version = "90"});
    fx_event(fx, "ADDED", (struct fx_object){.name = "b", .version = "20"});
    bookmark(fx, "50");
    assert_false(watcher_core_synced(fx->core));
    assert_string_equal(fx->core->reflector.version, "");
    initial_end(fx, "100");
    assert_true(watcher_core_synced(fx->core));
    assert_string_equal(fx->core->reflector.version, "100");
    fx_event(fx, "MODIFIED", (struct fx_object){.name = "a", .version = "120"});
    assert_string_equal(fx->core->reflector.version, "120");
    assert_int_equal(fx->watches, 1);
    assert_null(fx_asked(fx, "GET", ""));
    fx_tick(fx, 2000);
    stream_ends(fx, 0, "");
    assert_non_null(strstr(fx->watch, "&resourceVersion=120&"));
    assert_null(strstr(fx->watch, "sendInitialEvents"));
    fx_free(fx);
}

/* Nothing is gone before the end of the list; a stream that breaks off before it does not count. */
static void test_K_22_a_streaming_list_that_breaks_off_starts_over(void **state)
{
    struct fx *fx = streaming();

    (void)state;
    for (int i = 0; i < 3; i++)
        fx_event(fx, "ADDED", (struct fx_object){.name = (const char *[]){"a", "b", "c"}[i]});
    initial_end(fx, "100");
    error_event(fx, EXPIRED);
    pass_wait(fx);
    assert_non_null(strstr(fx->watch, "&resourceVersion=100&"));
    assert_non_null(strstr(fx->watch, "sendInitialEvents=true"));
    fx_event(fx, "ADDED", (struct fx_object){.name = "a", .version = "110"});
    fx_tick(fx, 2000);
    stream_ends(fx, 0, "");
    assert_true(knows(fx, "b") && knows(fx, "c"));
    assert_in_range(pass_wait(fx), 800, 60000);
    assert_non_null(strstr(fx->watch, "&resourceVersion=100&")); /* not the version of an event of it */
    fx_event(fx, "ADDED", (struct fx_object){.name = "b", .version = "111"});
    fx_event(fx, "ADDED", (struct fx_object){.name = "c", .version = "112"});
    fx_event(fx, "DELETED", (struct fx_object){.name = "c", .version = "113"});
    assert_true(knows(fx, "a"));
    initial_end(fx, "113");
    assert_false(knows(fx, "a")); /* only the stream before had shown it */
    assert_true(knows(fx, "b"));
    assert_false(knows(fx, "c"));
    fx_free(fx);
}

static void test_K_26_streams_that_only_break_off_give_way_to_pages(void **state)
{
    struct fx *fx = streaming();

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(fx->watch, "sendInitialEvents=true"));
        fx_event(fx, "ADDED", (struct fx_object){.name = "a"});
        stream_ends(fx, 0, "");
        assert_null(fx_asked(fx, "GET", "limit="));
        fx_tick(fx, 60000);
    }
    assert_int_equal(fx->watches, 3);
    assert_non_null(fx_asked(fx, "GET", "limit="));
    fx_answer_list(fx, "7", "", 0, NULL);
    assert_true(watcher_core_synced(fx->core));
    assert_false(knows(fx, "a"));
    fx_free(fx);
}

/* Any error, before the stream or in it: by pages, and the next list is tried as a stream again. */
static void test_K_26_falls_back_to_pages_on_any_error(void **state)
{
    static const char *const statuses[] = {"{\"kind\":\"Status\",\"reason\":\"Invalid\",\"code\":422}",
                                           "{\"kind\":\"Status\",\"code\":400}",
                                           EXPIRED,
                                           "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"code\":403}",
                                           BUSY,
                                           "{\"kind\":\"Status\",\"reason\":\"InternalError\",\"code\":500}",
                                           "{\"kind\":\"Status\",\"code\":503}"};
    static const int codes[] = {422, 400, 410, 403, 429, 500, 503, -1};

    (void)state;
    for (int i = 0; i < 15; i++) {
        struct fx *fx = streaming();
        int code = codes[i / 2];

        if (i % 2)
            error_event(fx, statuses[i / 2]);
        else
            stream_ends(fx, code, code > 0 ? statuses[i / 2] : "refused");
        if (code < 0 || code == 429 || code >= 500) { /* it is given time (24) */
            assert_null(fx_asked(fx, "GET", "limit="));
            pass_wait(fx);
        }
        assert_int_equal(fx->watches, 1);
        assert_non_null(fx_asked(fx, "GET", "infrastructures?limit=500"));
        fx_answer_list(fx, "7", "", 0, NULL);
        assert_non_null(strstr(fx->watch, "&resourceVersion=7&"));
        error_event(fx, EXPIRED);
        pass_wait(fx);
        assert_non_null(strstr(fx->watch, "sendInitialEvents=true"));
        fx_free(fx);
    }
}

/* Expired or too large for the version that was asked for: at once without one (2.7). */
static void test_K_19_K_26_a_stream_at_a_version_the_server_has_not(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        struct fx *fx = streaming();

        initial_end(fx, "100");
        error_event(fx, EXPIRED);
        pass_wait(fx);
        assert_non_null(strstr(fx->watch, "&resourceVersion=100&"));
        if (form % 2)
            error_event(fx, form / 2 ? TOO_LARGE : EXPIRED);
        else
            stream_ends(fx, form / 2 ? 504 : 410, form / 2 ? TOO_LARGE : EXPIRED);
        struct fx_request *list = fx_asked(fx, "GET", "limit=");
        assert_non_null(list);
        assert_null(strstr(list->path, "resourceVersion"));
        fx_free(fx);
    }
}

/* A server that does not know such lists takes it for a plain watch, and never ends it. */
static void test_K_26_a_streaming_list_that_never_ends(void **state)
{
    struct fx *fx = streaming();

    (void)state;
    fx_tick(fx, 29000);
    fx_event(fx, "ADDED", (struct fx_object){.name = "a"});
    fx_tick(fx, 29999);
    assert_int_equal(fx->unwatches, 0);
    fx_tick(fx, 1);
    assert_int_equal(fx->unwatches, 1);
    fx_answer_list(fx, "7", "", 0, NULL);
    assert_false(knows(fx, "a"));
    error_event(fx, EXPIRED);
    pass_wait(fx);
    assert_non_null(fx_asked(fx, "GET", "limit=")); /* not tried again */
    fx_free(fx);
}

/* A change before the list's end is a change, not one of the many of the list (36). */
static void test_K_36_a_change_overtakes_a_streaming_list(void **state)
{
    struct fx *fx = streaming();
    static const char *const order[] = {"shoot--a--b/i700", "shoot--a--b/i900", "shoot--a--b/i0"};
    char name[20];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "i%d", i);
        fx_event(fx, "ADDED", (struct fx_object){.name = name});
    }
    fx_event(fx, "MODIFIED",
             (struct fx_object){.name = "i700", .version = "20", .operation = "reconcile", .generation = 2});
    initial_end(fx, "100");
    fx_event(fx, "MODIFIED",
             (struct fx_object){.name = "i900", .version = "120", .operation = "reconcile", .generation = 2});
    assert_int_equal(queue_depth(&fx->core->queue), 1000);
    for (int i = 0; i < 3; i++) {
        const struct work *work = queue_take(&fx->core->queue, fx->now.boot_ms);
        assert_string_equal(work->key, order[i]);
    }
    fx_free(fx);
}

/* For those who want it as controller-runtime does it: two minutes, and the program ends. */
static void test_K_29_a_first_list_that_takes_too_long(void **state)
{
    (void)state;
    for (int synced = 0; synced < 2; synced++) {
        struct fx *fx = fx_new(false, "");

        fx->streams = true;
        fx->core->config.sync_timeout_ms = 120000;
        fx_go(fx);
        for (int64_t s = 1; s < 120; s++) {
            fx_event(fx, "ADDED", (struct fx_object){.name = "a"});
            fx_tick(fx, 1000);
        }
        if (synced)
            initial_end(fx, "100");
        assert_false(watcher_core_overdue(fx->core));
        if (!synced)
            assert_int_equal(watcher_core_next_ms(fx->core) - fx->now.boot_ms, 1000);
        fx_tick(fx, 1000);
        assert_int_equal(watcher_core_overdue(fx->core), !synced);
        fx_free(fx);
    }
}

/* Three minutes without a bookmark are told of once and end nothing; the next event ends the warning. */
static void test_K_23_a_silent_watch_is_seen(void **state)
{
    struct fx *fx = listed("700");

    (void)state;
    fx_tick(fx, 179999);
    assert_null(strstr(watcher_core_doing(fx->core), "silence"));
    fx_tick(fx, 1);
    assert_non_null(strstr(watcher_core_doing(fx->core), "silence"));
    assert_true(watcher_core_next_ms(fx->core) > fx->now.boot_ms);
    assert_int_equal(fx->watches, 1);
    bookmark(fx, "701");
    assert_null(strstr(watcher_core_doing(fx->core), "silence"));
    struct watcher_gauges gauges;
    watcher_core_gauges(fx->core, fx->now, &gauges);
    assert_int_equal(gauges.watch_silent_ms, 0);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_15_K_29_a_stream_is_the_list_and_the_watch),
        cmocka_unit_test(test_K_22_a_streaming_list_that_breaks_off_starts_over),
        cmocka_unit_test(test_K_26_streams_that_only_break_off_give_way_to_pages),
        cmocka_unit_test(test_K_26_falls_back_to_pages_on_any_error),
        cmocka_unit_test(test_K_19_K_26_a_stream_at_a_version_the_server_has_not),
        cmocka_unit_test(test_K_26_a_streaming_list_that_never_ends),
        cmocka_unit_test(test_K_36_a_change_overtakes_a_streaming_list),
        cmocka_unit_test(test_K_29_a_first_list_that_takes_too_long),
        cmocka_unit_test(test_K_23_a_silent_watch_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
