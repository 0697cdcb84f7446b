/* tests/unit/test_watcher_explain.c -- what an operator is told of an object in each of its states, and which
 * ends of runs are kept. */
#include "tests/unit/test_watcher_fixture.h"

static void ask(struct fx *fx, const char *key)
{
    struct msg_explain body = {.question = 7, .key = span_of(key)};

    fx_say(fx, SUPERVISOR, 0, MSG_EXPLAIN, &body, 0, 0);
}

/* Valid until the next. */
static struct value answered(struct fx *fx)
{
    static uint8_t kept[65536];
    struct fx_sent *sent = fx_take(fx, MSG_EXPLAINED);

    assert_non_null(sent);
    assert_int_equal(sent->message.body.explained.question, 7);
    struct value said = sent->message.body.explained.answer;
    assert_true(said.len <= sizeof kept);
    memcpy(kept, said.at, said.len);
    return (struct value){.at = kept, .len = said.len};
}

/* The object is read for it, and the server has none. */
static struct value answer(struct fx *fx, const char *key)
{
    ask(fx, key);
    if (*key)
        fx_answer(fx, "GET", strchr(key, '/') + 1, 404, FX_NOT_FOUND);
    return answered(fx);
}

static void says(struct value map, const char *member, const char *text)
{
    char is[1200] = "(nothing)";

    span_copy(value_text(value_get(map, member)), is, sizeof is);
    assert_string_equal(is, text);
}

static void is(struct fx *fx, const char *state, const char *why)
{
    struct value said = answer(fx, "shoot--a--b/infra");
    char text[400] = "";

    assert_true(value_is_text(value_get(said, "state"), state));
    span_copy(value_text(value_get(said, "why")), text, sizeof text);
    if (!strstr(text, why))
        fail_msg("\"%s\" does not say \"%s\"", text, why);
}

static int64_t next_ms(struct fx *fx)
{
    int64_t ms = -2;

    value_int(value_get(answer(fx, "shoot--a--b/infra"), "nextMs"), &ms);
    return ms;
}

static unsigned runs(struct fx *fx, const char *key, const char *result)
{
    unsigned n = 0;

    for (struct value_iter it = value_each(value_get(answer(fx, key), "runs")); value_next(&it);)
        n += !result || value_is_text(value_get(it.item, "result"), result);
    return n;
}

static void test_each_state(void **state)
{
    struct fx *fx = fx_running(false);
    struct msg_suspected bad = {
        .key = SPAN("shoot--a--b/infra"), .strikes = 3, .terms = 1, .cause = SPAN("it died")};

    (void)state;
    is(fx, "unknown", "no such object");
    assert_int_equal(next_ms(fx), -1);
    fx_event(fx, "ADDED", (struct fx_object){.version = "10"});
    is(fx, "running", "being read");
    uint64_t job = fx_run(fx);
    is(fx, "running", "a worker is at it");
    assert_int_equal(runs(fx, "shoot--a--b/infra", NULL), 0);
    fx_done(fx, THE_WORKER, job, JOB_LATER, 60000);
    is(fx, "waiting", "again then");
    assert_in_range(next_ms(fx), 50000, 60000);
    assert_int_equal(runs(fx, "shoot--a--b/infra", "later"), 1);
    assert_int_equal(runs(fx, "shoot--a--b/other", NULL), 0);
    assert_int_equal(runs(fx, "", NULL), 1);
    bad.until = (uint64_t)fx->now.boot_ms + 30000;
    fx_say(fx, SUPERVISOR, 0, MSG_SUSPECTED, &bad, 0, 0);
    is(fx, "quarantined", "it died");
    assert_in_range(next_ms(fx), 1, 30000);
    fx_free(fx);
}

static void test_failures_and_their_wait(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    fx_event(fx, "ADDED", (struct fx_object){.version = "10"});
    uint64_t job = fx_run(fx);
    fx_done(fx, THE_WORKER, job, JOB_RETRY, 0);
    is(fx, "waiting", "it has failed 1 times in a row");
    assert_int_equal(runs(fx, "shoot--a--b/infra", "retry"), 1);
    fx_free(fx);
}

#define STATUS                                                                                               \
    "{\"observedGeneration\":3,\"lastOperation\":{\"type\":\"Reconcile\",\"state\":\"Error\",\"progress\":"  \
    "50,"                                                                                                    \
    "\"description\":\"half of it\",\"lastUpdateTime\":\"2026-11-27T11:00:00Z\"},"                           \
    "\"lastError\":{\"description\":\"The owner must act.\",\"codes\":[\"ERR_ONE\",7]},"                     \
    "\"providerStatus\":{\"sshKeyID\":\"" KEY_ID "\"},"                                                      \
    "\"state\":{\"project\":\"" PROJECT                                                                      \
    "\",\"fingerprint\":\"ab:cd\",\"attempts\":{\"ab:cd\":\"x\",\"cd\":\"y\"}}}"

static void test_desired_and_actual(void **state)
{
    struct fx *fx = fx_running(false);
    char *json = fx_json((struct fx_object){.generation = 4,
                                            .operation = "reconcile",
                                            .deletion = "2026-11-27T12:00:00Z",
                                            .finalizers = "[\"extensions.gardener.cloud/infrastructure\"]",
                                            .status = STATUS});
    int64_t n = -1;
    bool finalizer = false;

    (void)state;
    ask(fx, "shoot--a--b/infra");
    assert_null(fx_take(fx, MSG_EXPLAINED));
    fx_answer(fx, "GET", "/namespaces/shoot--a--b/infrastructures/infra", 200, json);
    struct value said = answered(fx), desired = value_get(said, "desired"),
                 actual = value_get(said, "actual");
    assert_true(value_int(value_get(desired, "generation"), &n) && n == 4);
    says(desired, "operation", "reconcile");
    says(desired, "deletionTimestamp", "2026-11-27T12:00:00Z");
    says(desired, "secretName", "cloudprovider");
    assert_true(value_int(value_get(actual, "observedGeneration"), &n) && n == 3);
    assert_true(value_bool(value_get(actual, "finalizer"), &finalizer) && finalizer);
    assert_true(value_int(value_get(actual, "progress"), &n) && n == 50);
    assert_true(value_int(value_get(actual, "openAttempts"), &n) && n == 2);
    says(actual, "state", "Error");
    says(actual, "error", "The owner must act.");
    says(actual, "sshKeyID", KEY_ID);
    says(actual, "project", PROJECT);
    assert_int_equal(value_count(value_get(actual, "codes")), 2);
    free(json);
    fx_free(fx);
}

/* What cannot be read, or must not be, is said; the rest is answered all the same. */
static void test_an_object_that_is_not_read(void **state)
{
    struct fx *fx = fx_running(false);
    struct msg_suspected bad = {.key = SPAN("shoot--a--b/infra"),
                                .strikes = 2,
                                .terms = 1,
                                .unread = 1,
                                .until = (uint64_t)fx->now.boot_ms + 30000,
                                .cause = SPAN("it died")};

    (void)state;
    says(answer(fx, "shoot--a--b/infra"), "unread", "the server answered 404");
    ask(fx, "shoot--a--b/infra");
    fx_result(fx, fx_asked(fx, "GET", "/infrastructures/infra"), KUBE_LOST, 0, "", -1);
    says(answered(fx), "unread", "detail");
    ask(fx, "shoot--a--b/infra");
    fx_answer(fx, "GET", "/infrastructures/infra", 200, "{\"kind\":\"Pod\"}");
    says(answered(fx), "unread", "what the API server sent is no Infrastructure");
    ask(fx, "../infra");
    says(answered(fx), "unread", "no object can have this name");
    fx_say(fx, SUPERVISOR, 0, MSG_SUSPECTED, &bad, 0, 0);
    ask(fx, "shoot--a--b/infra");
    says(answered(fx), "unread", "watchers ended while they read it, so it is left alone for now");
    fx_free(fx);
}

/* A text as long as an object allows is shown up to a whole character. */
static void test_long_text_is_cut(void **state)
{
    struct fx *fx = fx_running(false);
    char text[3001] = "x", status[3200];

    (void)state;
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    snprintf(status, sizeof status, "{\"lastError\":{\"description\":\"%s\"}}", text);
    char *json = fx_json((struct fx_object){.status = status});
    ask(fx, "shoot--a--b/infra");
    fx_answer(fx, "GET", "/infrastructures/infra", 200, json);
    struct span error = value_text(value_at(answered(fx), "actual", "error", NULL));
    assert_int_equal(error.len, 1023);
    free(json);
    fx_free(fx);
}

/* Many objects: the oldest ends are forgotten, and one answer holds what is kept. */
static void test_only_the_latest_are_kept(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    for (int i = 0; i < 200; i++) {
        char key[] = "shoot--a--c/infra";
        struct work work = {.key = key};
        struct job job = {.work = &work, .id = (uint64_t)i};

        explain_note(fx->core, &job, 5, i < 100 ? "retry" : "done", "text");
    }
    assert_int_equal(runs(fx, "", NULL), 128);
    assert_int_equal(runs(fx, "shoot--a--c/infra", "retry"), 28);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_state),
        cmocka_unit_test(test_failures_and_their_wait),
        cmocka_unit_test(test_only_the_latest_are_kept),
        cmocka_unit_test(test_desired_and_actual),
        cmocka_unit_test(test_an_object_that_is_not_read),
        cmocka_unit_test(test_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
