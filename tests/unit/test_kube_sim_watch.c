/* tests/unit/test_kube_sim_watch.c -- the simulated API server's core: lists, pages, watches and fault rules.
 * Owns no state; each test makes its own simulator. The rules tested are those of kubernetes 2 and 11.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/test_kube_sim_fixture.h"

static struct kube_watch *watch_open(struct fixture *f, const char *query)
{
    struct sim_request request = fx_request(f, "GET", INFRAS, query);

    assert_true(kube_sim_is_watch(&request));
    sim_answer_clear(&f->answer);
    return kube_sim_watch(f->sim, &request, f->now_ms, &f->answer);
}

/* The next line must be an event of that type; its object stays in f->json. */
static void expect(struct fixture *f, struct kube_watch *watch, const char *type, const char *name)
{
    size_t len;
    const char *line = kube_watch_next(watch, &len);
    json_t *event;

    assert_non_null(line);
    assert_int_equal(line[len - 1], '\n');
    event = json_loadb(line, len, 0, NULL);
    assert_non_null(event);
    assert_string_equal(json_string_value(json_object_get(event, "type")), type);
    json_decref(f->json);
    f->json = json_incref(json_object_get(event, "object"));
    json_decref(event);
    if (*name)
        assert_string_equal(fx_str(f, "metadata.name"), name);
}

static void expect_nothing(struct kube_watch *watch)
{
    size_t len;

    assert_null(kube_watch_next(watch, &len));
}

static void fault(struct fixture *f, const char *text)
{
    json_t *rule = fx_json(text);

    assert_int_equal(kube_sim_add_fault(f->sim, rule, f->now_ms), 0);
    json_decref(rule);
}

static void follows_from_a_revision(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;
    char query[64];

    (void)fx_create_infra(f, "a");
    (void)snprintf(query, sizeof query, "watch=true&resourceVersion=%llu",
                   (unsigned long long)kube_sim_revision(f->sim));
    watch = watch_open(f, query);
    expect_nothing(watch);
    (void)fx_create_infra(f, "b");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'labels':{'x':'y'}}}");
    (void)fx_call(f, "DELETE", INFRAS "/b", "", "", NULL);
    expect(f, watch, "ADDED", "b");
    expect(f, watch, "MODIFIED", "a");
    expect(f, watch, "DELETED", "b");
    assert_int_equal(strtoull(fx_str(f, "metadata.resourceVersion"), NULL, 10), kube_sim_revision(f->sim));
    expect_nothing(watch);
    assert_false(kube_watch_ended(watch, NOW));
    assert_true(kube_watch_ended(watch, kube_watch_deadline_ms(watch)));
    kube_watch_close(watch, NOW);
    assert_string_equal(f->audit_verb, "watch");
}

static void tells_a_selector_what_comes_and_goes(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch = watch_open(f, "watch=1&resourceVersion=0&labelSelector=x%3Dy");

    (void)fx_create_infra(f, "a");
    expect_nothing(watch);
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'labels':{'x':'y'}}}");
    expect(f, watch, "ADDED", "a");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'labels':{'x':'z'}}}");
    expect(f, watch, "DELETED", "a");
    kube_watch_close(watch, NOW);
}

static void sends_initial_events(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;

    (void)fx_create_infra(f, "a");
    assert_null(watch_open(f, "watch=true&sendInitialEvents=true"));
    assert_int_equal(f->answer.status, 422);
    watch = watch_open(f, "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                          "&allowWatchBookmarks=true");
    expect(f, watch, "ADDED", "a");
    expect(f, watch, "BOOKMARK", "");
    assert_non_null(json_object_get(json_object_get(json_object_get(f->json, "metadata"), "annotations"),
                                    "k8s.io/initial-events-end"));
    (void)fx_create_infra(f, "b");
    expect(f, watch, "ADDED", "b");
    kube_watch_close(watch, NOW);
}

static void initial_events_of_the_future_are_an_error_in_the_stream(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch =
        watch_open(f, "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
                      "&allowWatchBookmarks=true&resourceVersion=999");

    assert_non_null(watch);
    expect(f, watch, "ERROR", "");
    assert_string_equal(fx_str(f, "code"), "504");
    assert_string_equal(fx_str(f, "reason"), "Timeout");
    assert_true(kube_watch_ended(watch, NOW));
    kube_watch_close(watch, NOW);
}

/* As the real server has it: the answer is what the request made, the event what was stored. */
static void the_last_event_shows_the_stored_finalizer(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;

    (void)fx_create_infra(f, "a");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':['example.org/x']}}");
    (void)fx_call(f, "DELETE", INFRAS "/a", "", "", NULL);
    watch = watch_open(f, "watch=true&resourceVersion=0");
    expect(f, watch, "ADDED", "a");
    assert_int_equal(fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'finalizers':null}}"),
                     200);
    assert_null(json_object_get(json_object_get(f->json, "metadata"), "finalizers"));
    expect(f, watch, "DELETED", "a");
    assert_int_equal(json_array_size(json_object_get(json_object_get(f->json, "metadata"), "finalizers")), 1);
    assert_int_equal(strtoull(fx_str(f, "metadata.resourceVersion"), NULL, 10), kube_sim_revision(f->sim));
    kube_watch_close(watch, NOW);
}

static void sends_bookmarks(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch = watch_open(f, "watch=true&allowWatchBookmarks=true&resourceVersion=0");
    size_t len;

    expect_nothing(watch);
    (void)fx_call(f, "POST", "/api/v1/namespaces", "", JSON_TYPE, "{'metadata':{'name':'other'}}");
    assert_null(kube_watch_bookmark(watch, &len));
    expect_nothing(watch);
    assert_non_null(strstr(kube_watch_bookmark(watch, &len), "\"BOOKMARK\""));
    kube_watch_close(watch, NOW);
}

static void says_gone_after_compaction(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;
    char query[64];

    (void)snprintf(query, sizeof query, "watch=true&resourceVersion=%llu",
                   (unsigned long long)kube_sim_revision(f->sim));
    (void)fx_create_infra(f, "a");
    (void)fx_create_infra(f, "b");
    kube_sim_compact(f->sim, kube_sim_revision(f->sim));
    watch = watch_open(f, query);
    expect(f, watch, "ERROR", "");
    assert_string_equal(fx_str(f, "code"), "410");
    assert_string_equal(fx_str(f, "reason"), "Expired");
    assert_true(kube_watch_ended(watch, NOW));
    kube_watch_close(watch, NOW);
}

static void loses_a_slow_reader(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch = watch_open(f, "watch=true&resourceVersion=0");
    char name[16];

    expect_nothing(watch);
    for (unsigned i = 0; i < 70; i++) { /* the history of the fixture holds 64 */
        (void)snprintf(name, sizeof name, "n%u", i);
        (void)fx_create_infra(f, name);
    }
    expect(f, watch, "ERROR", "");
    kube_watch_close(watch, NOW);
}

static void pages_one_state(void **state)
{
    struct fixture *f = *state;
    char query[1200];
    const char *token;

    (void)fx_create_infra(f, "a");
    (void)fx_create_infra(f, "b");
    (void)fx_create_infra(f, "c");
    assert_int_equal(fx_call(f, "GET", INFRAS, "limit=2", "", NULL), 200);
    assert_string_equal(fx_str(f, "metadata.remainingItemCount"), "1");
    token = fx_str(f, "metadata.continue");
    (void)snprintf(query, sizeof query, "limit=2&continue=%s", token);
    (void)fx_call(f, "DELETE", INFRAS "/c", "", "", NULL);
    (void)fx_create_infra(f, "d");
    assert_int_equal(fx_call(f, "GET", INFRAS, query, "", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    assert_non_null(strstr(f->answer.body, "\"name\":\"c\""));
    assert_string_equal(fx_str(f, "metadata.continue"), "");
    kube_sim_compact(f->sim, kube_sim_revision(f->sim));
    assert_int_equal(fx_call(f, "GET", INFRAS, query, "", NULL), 410);
    assert_string_equal(fx_str(f, "reason"), "Expired");
    assert_string_not_equal(fx_str(f, "metadata.continue"), "");
}

static void selects(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    (void)fx_create_infra(f, "b");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'metadata':{'labels':{'x':'y'}}}");
    (void)fx_call(f, "GET", INFRAS, "fieldSelector=metadata.name%3Db", "", NULL);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    (void)fx_call(f, "GET", INFRAS, "labelSelector=x+in+(y,z)", "", NULL);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    (void)fx_call(f, "GET", INFRAS, "labelSelector=!x", "", NULL);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 1);
    (void)fx_call(f, "GET", INFRAS, "labelSelector=x,x!=y", "", NULL);
    assert_int_equal(json_array_size(json_object_get(f->json, "items")), 0);
    assert_int_equal(fx_call(f, "GET", INFRAS, "fieldSelector=spec.region%3Db", "", NULL), 400);
    assert_int_equal(fx_call(f, "GET", INFRAS, "labelSelector=%3D", "", NULL), 400);
}

static void checks_revisions_of_reads(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    assert_int_equal(fx_call(f, "GET", INFRAS, "resourceVersion=999", "", NULL), 504);
    assert_string_equal(fx_str(f, "reason"), "Timeout");
    assert_non_null(strstr(f->answer.body, "ResourceVersionTooLarge"));
    assert_int_equal(fx_call(f, "GET", INFRAS, "resourceVersionMatch=Exact", "", NULL), 422);
    assert_int_equal(fx_call(f, "GET", INFRAS, "resourceVersionMatch=Nonsense&resourceVersion=1", "", NULL),
                     422);
    assert_int_equal(fx_call(f, "GET", INFRAS, "sendInitialEvents=true", "", NULL), 422);
}

static void makes_tables(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    f->accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 200);
    assert_string_equal(fx_str(f, "kind"), "Table");
    assert_non_null(strstr(f->answer.body, "\"cells\":[\"a\",\"ewr1\"]"));
    f->accept = "application/vnd.kubernetes.protobuf";
    assert_int_equal(fx_call(f, "GET", INFRAS, "", "", NULL), 406);
}

static void strikes_by_rule(void **state)
{
    struct fixture *f = *state;

    fault(f,
          "{'verb':'get','resource':'infrastructures','skip':1,'action':'status','code':429,'retryAfter':2}");
    (void)fx_create_infra(f, "a");
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 200);
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 429);
    assert_string_equal(f->answer.headers[0].name, "Retry-After");
    assert_string_equal(f->answer.headers[0].value, "2");
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 200);
    fault(f, "{'verb':'patch','action':'resetAfter'}");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'spec':{'region':'b'}}");
    assert_int_equal(f->answer.fate, SIM_RESET);
    assert_int_equal(f->audit_code, 0);
    (void)fx_call(f, "GET", INFRAS "/a", "", "", NULL);
    assert_string_equal(fx_str(f, "spec.region"), "b");
    fault(f, "{'action':'status','code':503,'forMs':1000}");
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 503);
    f->now_ms += 1000;
    assert_int_equal(fx_call(f, "GET", INFRAS "/a", "", "", NULL), 200);
}

static void serves_stale_reads(void **state)
{
    struct fixture *f = *state;

    (void)fx_create_infra(f, "a");
    (void)fx_call(f, "PATCH", INFRAS "/a", "", MERGE_TYPE, "{'spec':{'region':'b'}}");
    fault(f, "{'action':'stale','lag':1,'count':0}");
    (void)fx_call(f, "GET", INFRAS "/a", "resourceVersion=0", "", NULL);
    assert_string_equal(fx_str(f, "spec.region"), "ewr1");
    (void)fx_call(f, "GET", INFRAS "/a", "", "", NULL);
    assert_string_equal(fx_str(f, "spec.region"), "b");
    (void)fx_call(f, "GET", INFRAS, "resourceVersion=0", "", NULL);
    assert_non_null(strstr(f->answer.body, "\"region\":\"ewr1\""));
}

static void breaks_watches(void **state)
{
    struct fixture *f = *state;
    struct kube_watch *watch;
    size_t len;
    const char *line;

    (void)fx_create_infra(f, "a");
    fault(f, "{'action':'cutEvent'}");
    watch = watch_open(f, "watch=true&resourceVersion=0");
    line = kube_watch_next(watch, &len);
    assert_non_null(line);
    assert_int_not_equal(line[len - 1], '\n');
    assert_true(kube_watch_ended(watch, NOW));
    assert_int_equal(kube_watch_fate(watch), SIM_RESET);
    kube_watch_close(watch, NOW);
    fault(f, "{'action':'duplicate'}");
    watch = watch_open(f, "watch=true&resourceVersion=0");
    expect(f, watch, "ADDED", "a");
    expect(f, watch, "ADDED", "a");
    expect_nothing(watch);
    kube_watch_close(watch, NOW);
    fault(f, "{'action':'silent'}");
    watch = watch_open(f, "watch=true&resourceVersion=0");
    expect_nothing(watch);
    assert_false(kube_watch_ended(watch, NOW + 100000000));
    kube_watch_close(watch, NOW);
    fault(f, "{'action':'expire'}");
    watch = watch_open(f, "watch=true&resourceVersion=0");
    expect(f, watch, "ERROR", "");
    kube_watch_close(watch, NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows_from_a_revision, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(tells_a_selector_what_comes_and_goes, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(sends_initial_events, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(sends_bookmarks, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(initial_events_of_the_future_are_an_error_in_the_stream, fx_setup,
                                        fx_teardown),
        cmocka_unit_test_setup_teardown(the_last_event_shows_the_stored_finalizer, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(says_gone_after_compaction, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(loses_a_slow_reader, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(pages_one_state, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(selects, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(checks_revisions_of_reads, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(makes_tables, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(strikes_by_rule, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(serves_stale_reads, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(breaks_watches, fx_setup, fx_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
