/* tests/unit/test_kube_sim_faults.c -- the simulated API server's core: the switches and fault rules that are
 * set over /_sim/ while it runs (kubernetes 11.5). Owns no state; each test makes its own simulator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/test_kube_sim_fixture.h"

#define INITIAL "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"

static void config(struct fixture *f, const char *text, int status)
{
    assert_int_equal(fx_call(f, "POST", "/_sim/config", "", JSON_TYPE, text), status);
}

static void fault(struct fixture *f, const char *text, int status)
{
    assert_int_equal(fx_call(f, "POST", "/_sim/faults", "", JSON_TYPE, text), status);
}

static int get(struct fixture *f, const char *path)
{
    return fx_call(f, "GET", path, "", "", NULL);
}

static struct kube_watch *watch_open(struct fixture *f, const char *query)
{
    struct sim_request request = fx_request(f, "GET", INFRAS, query);

    sim_answer_clear(&f->answer);
    return kube_sim_watch(f->sim, &request, f->now_ms, &f->answer);
}

static void expect(struct kube_watch *watch, const char *word)
{
    size_t len;
    const char *line = kube_watch_next(watch, &len);

    assert_non_null(line);
    assert_non_null(memmem(line, len, word, strlen(word)));
}

static void expect_nothing(struct kube_watch *watch)
{
    size_t len;

    assert_null(kube_watch_next(watch, &len));
}

static void test_K_72_switches_are_told_and_misspelt_ones_refused(void **state)
{
    struct fixture *f = *state;

    config(f, "{'bookmarkMs':100,'gzipWatch':true}", 200);
    config(f, "{'bookmarkMs':7,'gzipwatch':true}", 400);
    config(f, "{'bookmarkMs':true}", 400);
    config(f, "{'watchList':1}", 400);
    config(f, "[]", 400);
    assert_int_equal(get(f, "/_sim/config"), 200);
    assert_string_equal(fx_str(f, "bookmarkMs"), "100");
    assert_true(json_is_true(json_object_get(f->json, "gzipWatch")));
    assert_int_equal(kube_sim_switches(f->sim)->bookmark_ms, 100);
}

static void test_K_72_watch_list_can_be_switched_off(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch = watch_open(f, INITIAL);

    assert_non_null(watch);
    kube_watch_close(watch, NOW);
    config(f, "{'watchList':false}", 200);
    assert_null(watch_open(f, INITIAL));
    assert_int_equal(f->answer.status, 422);
    assert_non_null(strstr(f->answer.body, "WatchList feature gate"));
    watch = watch_open(f, "watch=true&resourceVersion=0");
    assert_non_null(watch);
    kube_watch_close(watch, NOW);
}

static void test_K_72_watches_can_be_made_very_short(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;

    config(f, "{'watchMaxMs':200}", 200);
    watch = watch_open(f, "watch=true&timeoutSeconds=300");
    assert_false(kube_watch_ended(watch, NOW + 199));
    assert_true(kube_watch_ended(watch, NOW + 200));
    assert_int_equal(kube_watch_fate(watch), SIM_ANSWER);
    kube_watch_close(watch, NOW);
}

static void test_K_72_faults_strike_by_method_and_path(void **state)
{
    struct fixture *f = *state;

    fault(f, "{'method':'GET','path':'/api/*/namespaces','action':'status','code':503,'retryAfter':2}", 200);
    assert_int_equal(get(f, "/api/v1/namespaces/default"), 200);
    assert_int_equal(get(f, "/api/v1/namespaces"), 503);
    assert_string_equal(f->answer.headers[0].name, "Retry-After");
    assert_int_equal(get(f, "/api/v1/namespaces"), 200);
    fault(f, "{'path':'/version','action':'status','code':500,'count':0}", 200);
    assert_int_equal(get(f, "/version"), 500);
    assert_int_equal(get(f, "/version"), 500);
    assert_int_equal(get(f, "/api/v1/namespaces"), 200);
    fault(f, "{'paths':'/version','action':'status'}", 400);
    fault(f, "{'path':'/version','action':'statu'}", 400);
    assert_int_equal(fx_call(f, "DELETE", "/_sim/faults", "", "", NULL), 200);
    assert_int_equal(get(f, "/version"), 200);
}

static void test_K_72_goaway_does_it_and_closes(void **state)
{
    struct fixture *f = *state;

    fault(f, "{'verb':'create','action':'goaway'}", 200);
    assert_int_equal(fx_create_infra(f, "a"), 201);
    assert_string_equal(f->answer.headers[0].name, "Connection");
    assert_string_equal(f->answer.headers[0].value, "close");
    assert_int_equal(fx_create_infra(f, "b"), 201);
    assert_int_equal(f->answer.n_headers, 0);
}

static void test_K_72_old_events_come_again(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;

    (void)fx_create_infra(f, "a");
    (void)fx_create_infra(f, "b");
    fault(f, "{'verb':'watch','action':'replay','lag':2,'afterEvents':3}", 200);
    watch = watch_open(f, "watch=true&resourceVersion=0");
    expect(watch, "\"a\"");
    expect(watch, "\"b\"");
    expect_nothing(watch);
    (void)fx_create_infra(f, "c");
    expect(watch, "\"c\"");
    expect(watch, "\"b\"");
    expect(watch, "\"c\"");
    expect_nothing(watch);
    kube_watch_close(watch, NOW);
}

static void test_K_72_a_fault_of_the_headers_leaves_bookmarks_alone(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;
    size_t len;

    fault(f, "{'verb':'watch','action':'delay','delayMs':5}", 200);
    watch = watch_open(f, "watch=true&resourceVersion=0&allowWatchBookmarks=true");
    assert_int_equal(kube_watch_delay_ms(watch), 5);
    assert_int_equal(get(f, "/_sim/state"), 200);
    assert_int_equal(fx_call(f, "POST", "/_sim/bookmark", "", "", NULL), 200);
    expect(watch, "BOOKMARK");
    assert_non_null(kube_watch_bookmark(watch, &len));
    kube_watch_close(watch, NOW);
    fault(f, "{'verb':'watch','action':'silent'}", 200);
    watch = watch_open(f, "watch=true&resourceVersion=0&allowWatchBookmarks=true");
    assert_null(kube_watch_bookmark(watch, &len));
    kube_watch_close(watch, NOW);
}

#define FX(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        FX(test_K_72_switches_are_told_and_misspelt_ones_refused),
        FX(test_K_72_watch_list_can_be_switched_off),
        FX(test_K_72_watches_can_be_made_very_short),
        FX(test_K_72_faults_strike_by_method_and_path),
        FX(test_K_72_goaway_does_it_and_closes),
        FX(test_K_72_old_events_come_again),
        FX(test_K_72_a_fault_of_the_headers_leaves_bookmarks_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
