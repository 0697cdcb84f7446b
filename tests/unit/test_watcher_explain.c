/* tests/unit/test_watcher_explain.c -- what an operator is told of an object in each of its states, and which
 * ends of runs are kept. */
#include "tests/unit/test_watcher_fixture.h"

static struct value answer(struct fx *fx, const char *key)
{
    static uint8_t kept[65536];
    struct msg_explain ask = {.question = 7, .key = span_of(key)};

    fx_say(fx, SUPERVISOR, 0, MSG_EXPLAIN, &ask, 0, 0);
    struct fx_sent *sent = fx_take(fx, MSG_EXPLAINED);
    assert_non_null(sent);
    assert_int_equal(sent->message.body.explained.question, 7);
    struct value said = sent->message.body.explained.answer;
    assert_true(said.len <= sizeof kept);
    memcpy(kept, said.at, said.len);
    return (struct value){.at = kept, .len = said.len};
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
