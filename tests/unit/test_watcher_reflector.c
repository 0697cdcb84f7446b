/* tests/unit/test_watcher_reflector.c -- list and watch as a contract (kubernetes 15 to 24, 27 to 29):
 * versions, pages, 410 in each form, what a list lacks, the waits. */
#include "tests/unit/test_watcher_reflector.h"

/* 15, 29 */
static void test_K_15_K_29_the_watch_starts_at_the_lists_version(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct fx_object o = {.version = "999"};

    (void)state;
    assert_null(fx_asked(fx, "GET", ""));
    fx_go(fx);
    assert_string_equal(fx->requests[0].path,
                        "/apis/extensions.gardener.cloud/v1alpha1/infrastructures?limit=500");
    assert_false(watcher_core_synced(fx->core));
    fx_answer_list(fx, "812", "", 1, &o);
    assert_true(watcher_core_synced(fx->core));
    assert_non_null(strstr(fx->watch, "&resourceVersion=812&"));
    assert_non_null(strstr(fx->watch, "allowWatchBookmarks=true"));
    int seconds = atoi(strstr(fx->watch, "timeoutSeconds=") + 15);
    assert_in_range(seconds, 300, 599);
    fx_free(fx);
}

/* 16: pages carry limit and token only; the version of the first page counts */
static void test_K_16_pages(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct fx_object a = {.name = "a"}, b = {.name = "b"};

    (void)state;
    fx_go(fx);
    fx_answer_list(fx, "100", "tok/en+1=", 1, &a);
    assert_false(watcher_core_synced(fx->core));
    struct fx_request *page = fx_asked(fx, "GET", "continue=");
    assert_non_null(page);
    assert_string_equal(strchr(page->path, '?'), "?limit=500&continue=tok%2Fen%2B1%3D");
    fx_answer_list(fx, "107", "next", 0, NULL); /* empty, and not the last */
    fx_answer_list(fx, "108", "", 1, &b);
    assert_non_null(strstr(fx->watch, "&resourceVersion=100&"));
    assert_int_equal(fx->core->cache.count, 2);
    fx_free(fx);
}

static void test_K_16_an_expired_token_starts_the_list_anew(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct fx_object a = {.name = "a"};

    (void)state;
    fx_go(fx);
    fx_answer_list(fx, "100", "t", 1, &a);
    fx_answer(fx, "GET", "continue=t", 410, EXPIRED);
    struct fx_request *again = fx_asked(fx, "GET", "infrastructures?limit=500");
    assert_non_null(again);
    assert_null(strstr(again->path, "continue"));
    assert_null(strstr(again->path, "resourceVersion"));
    fx_answer_list(fx, "200", "", 1, &a);
    assert_non_null(strstr(fx->watch, "&resourceVersion=200&"));
    fx_free(fx);
}

/* 18, 19: both forms of 410, from a watch: relist at the last version, after one wait, no other request
 * before */
static void test_K_18_K_19_410_relists_at_the_last_version(void **state)
{
    (void)state;
    for (int form = 0; form < 3; form++) {
        struct fx *fx = listed("700");

        bookmark(fx, "750");
        if (form == 0)
            error_event(fx, EXPIRED);
        else if (form == 1)
            error_event(fx, GONE_OLD);
        else
            watcher_core_watch_ended(fx->core, STREAM_OBJECTS, 410, EXPIRED, strlen(EXPIRED), -1, fx->now);
        assert_int_equal(fx->unwatches, form < 2);
        assert_in_range(pass_wait(fx), 800, 1599);
        struct fx_request *list = fx_asked(fx, "GET", "limit=");
        assert_non_null(list);
        assert_non_null(strstr(list->path, "resourceVersion=750"));
        assert_non_null(strstr(list->path, "resourceVersionMatch=NotOlderThan"));
        /* that list fails too: at once and once without a version */
        fx_result(fx, list, KUBE_ANSWERED, form ? 410 : 504, form ? EXPIRED : TOO_LARGE, -1);
        list = fx_asked(fx, "GET", "limit=");
        assert_non_null(list);
        assert_null(strstr(list->path, "resourceVersion"));
        fx_result(fx, list, KUBE_ANSWERED, 410, EXPIRED, -1);
        assert_null(fx_asked(fx, "GET", "limit="));
        pass_wait(fx);
        assert_non_null(fx_asked(fx, "GET", "limit="));
        fx_free(fx);
    }
}

/* 20: ends that are none of the server's objections go on from the last version, without a list */
static void test_K_20_rewatch_without_relist(void **state)
{
    struct fx *fx = listed("700");

    (void)state;
    fx_tick(fx, 5000);
    bookmark(fx, "720");
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, 0, "", 0, -1,
                             fx->now); /* EOF, reset, clean end: at once */
    assert_int_equal(fx->watches, 2);
    assert_non_null(strstr(fx->watch, "&resourceVersion=720&"));
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, 429, BUSY, strlen(BUSY), 7000,
                             fx->now); /* after Retry-After */
    assert_int_equal(fx->watches, 2);
    assert_int_equal(pass_wait(fx), 7000);
    assert_int_equal(fx->watches, 3);
    assert_non_null(strstr(fx->watch, "&resourceVersion=720&"));
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, -1, "connection refused", 18, -1, fx->now);
    pass_wait(fx);
    assert_int_equal(fx->watches, 4);
    assert_null(fx_asked(fx, "GET", "limit="));
    fx_free(fx);
}

static void test_a_very_short_watch_backs_off_and_relists(void **state)
{
    struct fx *fx = listed("700");

    (void)state;
    fx->now.boot_ms += 999;
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, 0, "", 0, -1, fx->now);
    assert_int_equal(fx->watches, 1);
    pass_wait(fx);
    assert_non_null(fx_asked(fx, "GET", "resourceVersion=700"));
    fx_free(fx);
}

/* 23 */
static void test_K_23_a_stream_that_outlives_its_time_is_ended(void **state)
{
    struct fx *fx = listed("700");
    int seconds = atoi(strstr(fx->watch, "timeoutSeconds=") + 15);

    (void)state;
    fx_tick(fx, (seconds + 30) * 1000 - 1);
    assert_int_equal(fx->watches, 1);
    fx_tick(fx, 1);
    assert_int_equal(fx->unwatches, 1);
    assert_int_equal(fx->watches, 2);
    fx_free(fx);
}

/* 21 */
static void test_K_21_bookmarks_only_move_the_version(void **state)
{
    struct fx *fx = listed("700");

    (void)state;
    bookmark(fx, "701");
    assert_int_equal(fx->core->cache.count, 0);
    assert_int_equal(queue_depth(&fx->core->queue), 0);
    assert_string_equal(fx->core->reflector.version, "701");
    fx_free(fx);
}

/* 22, 28 */
static void test_K_22_K_28_a_relist_finds_deletions_and_new_uids(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct fx_object o[3] = {{.name = "a"},
                             {.name = "b"},
                             {.name = "c",
                              .status = "{\"lastOperation\":{\"state\":"
                                        "\"Succeeded\"}}"}};

    (void)state;
    fx_go(fx);
    fx_answer_list(fx, "700", "", 3, o);
    assert_int_equal(queue_depth(&fx->core->queue), 2);
    error_event(fx, EXPIRED);
    pass_wait(fx);
    struct fx_object left[2] = {o[1], o[2]};
    left[1].uid = "another-uid"; /* c was deleted and made again: a new object without an event */
    left[1].status = NULL;
    fx_answer_list(fx, "800", "", 2, left);
    assert_int_equal(fx->core->cache.count, 2);
    assert_null(cache_find(&fx->core->cache, SPAN("shoot--a--b"), SPAN("a")));
    assert_null(queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("a")));
    assert_non_null(queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("c")));
    assert_int_equal(queue_depth(&fx->core->queue), 2);
    fx_free(fx);
}

static void test_K_22_a_list_that_breaks_off_deletes_nothing(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct fx_object o[2] = {{.name = "a"}, {.name = "b"}};

    (void)state;
    fx_go(fx);
    fx_answer_list(fx, "700", "", 2, o);
    error_event(fx, EXPIRED);
    pass_wait(fx);
    fx_answer_list(fx, "800", "more", 1, o);
    fx_result(fx, fx_asked(fx, "GET", "continue=more"), KUBE_LOST, 0, "", -1);
    assert_int_equal(fx->core->cache.count, 2);
    pass_wait(fx);
    fx_answer_list(fx, "801", "", 1, o);
    assert_int_equal(fx->core->cache.count, 1);
    fx_free(fx);
}

/* 24: 0.8 s doubled to 30 s, times [1,2); never more than one request a second; from the start again after
 * two minutes */
static void test_K_24_backoff_of_a_dead_server(void **state)
{
    struct fx *fx = fx_new(false, "");
    int64_t least[] = {800, 1600, 3200, 6400, 12800, 25600, 30000};
    int64_t began = fx->now.boot_ms;
    unsigned n = 0, restarts = 0;
    int64_t last = 0;

    (void)state;
    fx_go(fx);
    while (fx->now.boot_ms - began < 1200000) {
        fx_result(fx, fx_asked(fx, "GET", "limit="), KUBE_NOT_SENT, 0, "", -1);
        int64_t wait = pass_wait(fx);
        if (n < 6)
            assert_in_range(wait, least[n], 2 * least[n] - 1);
        assert_in_range(wait, 800, 59999);
        restarts += wait < last / 4;
        last = wait;
        n++;
    }
    assert_in_range(restarts, 4, 10);
    assert_in_range(n, 30, 120);
    fx_free(fx);
}

static void test_401_403_404_on_a_list_are_waited_out(void **state)
{
    int codes[] = {401, 403, 404, 500, 503};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct fx *fx = fx_new(false, "");

        fx_go(fx);
        fx_answer(fx, "GET", "limit=", codes[i], "no");
        pass_wait(fx);
        assert_non_null(fx_asked(fx, "GET", "limit="));
        fx_free(fx);
    }
}

/* 27; an object that cannot be read is skipped, the others go on, and it is not taken for deleted */
static void test_K_27_odd_lists(void **state)
{
    const char *const empty[] = {
        "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":null}",
        "{\"metadata\":{\"resourceVersion\":\"5\"}}",
        "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":null},\"items\":[ ],\"x\":1}"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct fx *fx = fx_new(false, "");
        fx_go(fx);
        fx_answer(fx, "GET", "limit=", 200, empty[i]);
        assert_true(watcher_core_synced(fx->core));
        fx_free(fx);
    }
    struct fx *fx = fx_new(false, "");
    struct fx_object o[3] = {{.name = "a"},
                             {.name = "b", .spec = ",\"providerConfig\":{\"a\\u0000b\":1}"},
                             {.name = "c", .spec = ",\"providerConfig\":{\"n\":98765432109876543210}"}};
    fx_go(fx);
    fx_answer_list(fx, "5", "", 3, o);
    assert_int_equal(fx->core->cache.count, 1);
    assert_int_equal(fx->core->reflector.unreadable, 2);
    fx_event(fx, "MODIFIED",
             (struct fx_object){.name = "a", .version = "6", .spec = ",\"providerConfig\":{\"\\u0000\":1}"});
    assert_string_equal(fx->core->reflector.version, "6");
    assert_int_equal(fx->unwatches, 0);
    fx_free(fx);
}

static void test_an_event_that_is_none_ends_the_stream(void **state)
{
    const char *const events[] = {
        "{\"type\":\"SURPRISE\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}", "{}",
        "{\"type\":\"ERROR\",\"object\":{}}", "{\"type\":\"ADDED\"}"};

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct fx *fx = listed("700");
        watcher_core_event(fx->core, STREAM_OBJECTS, events[i], strlen(events[i]), fx->now);
        assert_int_equal(fx->unwatches, 1);
        pass_wait(fx);
        assert_non_null(fx_asked(fx, "GET", "resourceVersion=700"));
        fx_free(fx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_15_K_29_the_watch_starts_at_the_lists_version),
        cmocka_unit_test(test_K_16_pages),
        cmocka_unit_test(test_K_16_an_expired_token_starts_the_list_anew),
        cmocka_unit_test(test_K_18_K_19_410_relists_at_the_last_version),
        cmocka_unit_test(test_K_20_rewatch_without_relist),
        cmocka_unit_test(test_a_very_short_watch_backs_off_and_relists),
        cmocka_unit_test(test_K_23_a_stream_that_outlives_its_time_is_ended),
        cmocka_unit_test(test_K_21_bookmarks_only_move_the_version),
        cmocka_unit_test(test_K_22_K_28_a_relist_finds_deletions_and_new_uids),
        cmocka_unit_test(test_K_22_a_list_that_breaks_off_deletes_nothing),
        cmocka_unit_test(test_K_24_backoff_of_a_dead_server),
        cmocka_unit_test(test_401_403_404_on_a_list_are_waited_out),
        cmocka_unit_test(test_K_27_odd_lists),
        cmocka_unit_test(test_an_event_that_is_none_ends_the_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
