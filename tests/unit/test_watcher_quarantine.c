/* tests/unit/test_watcher_quarantine.c -- objects at which workers die: strikes, quarantine, what its status
 * says, and what ends it (design 2, 12.7; issue: blame the object). */
#include "tests/unit/test_watcher_fixture.h"

#define MINUTE 60000

static struct fx *suspicious(unsigned after)
{
    struct fx *fx = fx_running(false);

    fx->core->config.quarantine_after = after;
    fx_event(fx, "ADDED", (struct fx_object){.version = "10"});
    return fx;
}

static void dies(struct fx *fx, const char *cause, bool blameless)
{
    struct msg_peer_gone gone = {
        .incarnation = fx->core->jobs->worker->incarnation, .blameless = blameless, .cause = span_of(cause)};
    struct msg_revoked revoked = {.handle = fx->core->jobs->handle};

    fx_say(fx, SUPERVISOR, 0, MSG_PEER_GONE, &gone, 0, 0);
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_REVOKED, &revoked, 0, 0);
}

/* Another worker, which gets the key as soon as it is due. */
static void another_worker(struct fx *fx)
{
    static uint64_t next = 50;

    fx_peer(fx, WORKER, ++next);
    fx_idle(fx, next);
    fx_tick(fx, 1000);
}

static void read_afresh(struct fx *fx, struct fx_object object)
{
    char *json = fx_json(object);

    fx_answer(fx, "GET", "/infrastructures/infra", 200, json);
    free(json);
}

/* One more worker takes it and dies. */
static void strike_once(struct fx *fx, struct fx_object object)
{
    another_worker(fx);
    read_afresh(fx, object);
    fx_run(fx);
    dies(fx, "it was ended by SIGSEGV", false);
}

/* The last report about the object. */
static struct msg_suspect reported(struct fx *fx)
{
    struct fx_sent *sent, *last = NULL;

    while ((sent = fx_take(fx, MSG_SUSPECT)))
        last = sent;
    assert_non_null(last);
    return last->message.body.suspect;
}

static struct fx *in_quarantine(void)
{
    struct fx *fx = suspicious(3);

    fx_run(fx);
    dies(fx, "it was ended by SIGSEGV", false);
    strike_once(fx, (struct fx_object){.version = "11"});
    assert_int_equal(reported(fx).until, 0);
    strike_once(fx, (struct fx_object){.version = "12"});
    return fx;
}

/* Its status is written by the run that finds it there. */
static void tell_status(struct fx *fx)
{
    another_worker(fx);
    read_afresh(fx, (struct fx_object){.version = "13"});
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    char *json = fx_json((struct fx_object){.version = "14"});
    fx_answer(fx, "PATCH", "/status?fieldManager=fm", 200, json);
    free(json);
}

static void test_three_deaths_and_the_status_says_so(void **state)
{
    struct fx *fx = in_quarantine();
    struct msg_suspect said = reported(fx);

    (void)state;
    assert_int_equal(said.strikes, 3);
    assert_int_equal(said.terms, 1);
    assert_int_equal(said.until, fx->now.boot_ms + MINUTE);
    assert_true(span_is(said.key, "shoot--a--b/infra"));
    assert_int_equal(quarantine_count(fx->core), 1);
    another_worker(fx);
    read_afresh(fx, (struct fx_object){.version = "13", .generation = 4});
    fx_free(fx);

    fx = in_quarantine();
    another_worker(fx);
    read_afresh(fx, (struct fx_object){.version = "13"});
    const struct fx_request *patch = fx_asked(fx, "PATCH", "/status?fieldManager=fm");
    assert_non_null(patch);
    for (const char *const *word = (const char *const[]){"\"resourceVersion\":\"13\"", "\"state\":\"Error\"",
                                                         "\"type\":\"Create\"", "SIGSEGV", "\"codes\":null",
                                                         "packetctl quarantine release shoot--a--b/infra",
                                                         "\"observedGeneration\":1", NULL};
         *word; word++)
        assert_non_null(strstr(patch->body, *word));
    assert_null(fx_asked(fx, "POST", "/events"));
    char *json = fx_json((struct fx_object){.version = "14"});
    fx_answer(fx, "PATCH", "/status?fieldManager=fm", 200, json);
    free(json);
    assert_non_null(strstr(fx_asked(fx, "POST", "/events")->body, "Quarantined"));
    assert_true(reported(fx).told);
    assert_null(fx->core->jobs);
    fx_free(fx);
}

/* Nobody gets it while it lasts; then one trial, and the next strike brings a longer term. */
static void test_it_is_left_alone_and_then_tried_once(void **state)
{
    struct fx *fx = in_quarantine();

    (void)state;
    tell_status(fx);
    fx_tick(fx, MINUTE / 2);
    assert_null(fx->core->jobs);
    fx_tick(fx, MINUTE / 2);
    read_afresh(fx, (struct fx_object){.version = "14"});
    fx_run(fx);
    dies(fx, "it was ended by SIGBUS", false);
    struct msg_suspect said = reported(fx);
    assert_int_equal(said.terms, 2);
    assert_int_equal(said.until, fx->now.boot_ms + 2 * MINUTE);
    assert_false(said.told);
    fx_free(fx);
}

static void test_a_success_ends_it(void **state)
{
    struct fx *fx = in_quarantine();

    (void)state;
    tell_status(fx);
    fx_tick(fx, MINUTE);
    read_afresh(fx, (struct fx_object){.version = "14"});
    uint64_t job = fx_run(fx), worker = fx->core->jobs->worker->incarnation;
    fx_done(fx, worker, job, JOB_DONE, 0);
    assert_int_equal(reported(fx).strikes, 0);
    assert_int_equal(quarantine_count(fx->core), 0);
    fx_free(fx);
}

/* A new generation, deletion or timestamp is worth a trial; a status alone is not. */
static void test_a_change_frees_it_for_one_trial(void **state)
{
    const struct fx_object changes[] = {{.version = "20", .generation = 2, .operation = "reconcile"},
                                        {.version = "20", .operation = "reconcile", .timestamp = "now"},
                                        {.version = "20",
                                         .deletion = "2026-11-27T00:00:00Z",
                                         .finalizers = "[\"extensions.gardener.cloud/infrastructure\"]"}};

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct fx *fx = in_quarantine();

        tell_status(fx);
        fx_event(fx, "MODIFIED", changes[i]);
        assert_non_null(fx->core->jobs);
        fx_run(fx);
        dies(fx, "it was ended by SIGSEGV", false);
        assert_int_equal(reported(fx).terms, 2);
        fx_free(fx);
    }
}

static void test_an_operator_frees_it(void **state)
{
    struct fx *fx = in_quarantine();
    struct msg_release release = {.key = SPAN("shoot--a--b/infra")};

    (void)state;
    tell_status(fx);
    assert_null(fx->core->jobs);
    fx_say(fx, SUPERVISOR, 0, MSG_RELEASE, &release, 0, 0);
    fx_tick(fx, 1);
    assert_non_null(fx->core->jobs);
    read_afresh(fx, (struct fx_object){.version = "14"});
    fx_run(fx);
    fx_free(fx);
}

static void test_a_death_that_proves_nothing(void **state)
{
    struct fx *fx = suspicious(1);

    (void)state;
    fx_run(fx);
    dies(fx, "it was ended by SIGKILL", true);
    assert_null(fx_take(fx, MSG_SUSPECT));
    assert_int_equal(fx_work(fx)->failures, 0);
    assert_int_equal(fx->core->strikes, 0);
    fx_free(fx);
}

static void test_never(void **state)
{
    struct fx *fx = suspicious(0);

    (void)state;
    fx_run(fx);
    for (int i = 0; i < 4; i++) {
        dies(fx, "it was ended by SIGSEGV", false);
        fx_tick(fx, 1000);
        another_worker(fx);
        read_afresh(fx, (struct fx_object){.version = "11"});
        fx_run(fx);
    }
    assert_int_equal(reported(fx).until, 0);
    fx_free(fx);
}

/* What the supervisor kept for a watcher before this one. */
static void test_what_was_held_against_it_before(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct msg_suspected known = {.key = SPAN("shoot--a--b/infra"),
                                  .version = SPAN(UID " 1   "),
                                  .strikes = 3,
                                  .terms = 1,
                                  .until = (uint64_t)fx->now.boot_ms + MINUTE,
                                  .told = 1,
                                  .cause = SPAN("it was ended by SIGSEGV")};

    (void)state;
    fx->core->config.quarantine_after = 3;
    fx_peer(fx, GATEWAY, THE_GATEWAY);
    fx_peer(fx, WORKER, THE_WORKER);
    fx_say(fx, SUPERVISOR, 0, MSG_SUSPECTED, &known, 0, 0);
    fx_go(fx);
    fx_answer_list(fx, "5", "", 1, &(struct fx_object){.version = "10"});
    fx_idle(fx, THE_WORKER);
    assert_null(fx_take(fx, MSG_GRANT));
    assert_null(fx->core->jobs);
    fx_tick(fx, MINUTE + 1000);
    assert_non_null(fx->core->jobs);
    fx_free(fx);
}

/* design 12.13: watchers died at its body, so it is not decoded before its term is over; the others are. */
static void test_a_body_at_which_watchers_died(void **state)
{
    struct fx *fx = fx_new(false, "");
    struct msg_suspected known = {.key = SPAN("shoot--a--b/infra"),
                                  .strikes = 2,
                                  .terms = 1,
                                  .unread = 1,
                                  .until = (uint64_t)fx->now.boot_ms + MINUTE,
                                  .cause = SPAN("it was ended by SIGSEGV")};

    (void)state;
    fx_peer(fx, GATEWAY, THE_GATEWAY);
    fx_peer(fx, WORKER, THE_WORKER);
    fx_say(fx, SUPERVISOR, 0, MSG_SUSPECTED, &known, 0, 0);
    fx_go(fx);
    fx_answer_list(fx, "5", "", 1, &(struct fx_object){.version = "10"});
    fx_idle(fx, THE_WORKER);
    assert_null(cache_find(&fx->core->cache, SPAN("shoot--a--b"), SPAN("infra")));
    assert_null(fx->core->jobs);
    fx_event(fx, "MODIFIED", (struct fx_object){.version = "11"});
    assert_null(cache_find(&fx->core->cache, SPAN("shoot--a--b"), SPAN("infra")));
    fx_event(fx, "ADDED", (struct fx_object){.version = "12", .ns = "shoot--a--c"});
    assert_non_null(cache_find(&fx->core->cache, SPAN("shoot--a--c"), SPAN("infra")));
    fx_run(fx);
    fx_tick(fx, MINUTE + 1000);
    another_worker(fx);
    assert_false(reported(fx).unread);
    read_afresh(fx, (struct fx_object){.version = "12"});
    assert_non_null(fx->core->jobs);
    fx_free(fx);
}

/* The write of its status is refused: it is tried again, and nobody gets the object meanwhile. */
static void test_the_status_cannot_be_written(void **state)
{
    struct fx *fx = in_quarantine();

    (void)state;
    for (int i = 0; i < 2; i++) {
        another_worker(fx);
        fx_tick(fx, 2000);
        read_afresh(fx, (struct fx_object){.version = "13"});
        fx_answer(fx, "PATCH", "/status?fieldManager=fm", i ? 500 : 409, "{}");
        assert_null(fx_take(fx, MSG_JOB) ? fx_take(fx, MSG_JOB) : NULL);
    }
    fx_tick(fx, 2000);
    read_afresh(fx, (struct fx_object){.version = "13"});
    assert_non_null(fx_asked(fx, "PATCH", "/status?fieldManager=fm"));
    fx_free(fx);
}

/* ---- other orders of an operator ---- */

static void test_hold(void **state)
{
    struct fx *fx = fx_running(false);
    struct msg_hold hold = {.on = 1};

    (void)state;
    fx_say(fx, SUPERVISOR, 0, MSG_HOLD, &hold, 0, 0);
    fx_event(fx, "ADDED", (struct fx_object){.version = "10"});
    fx_tick(fx, 1000);
    assert_null(fx->core->jobs);
    hold.on = 0;
    fx_say(fx, SUPERVISOR, 0, MSG_HOLD, &hold, 0, 0);
    assert_non_null(fx->core->jobs);
    fx_free(fx);
}

static void test_retry(void **state)
{
    struct fx *fx = fx_with_object();
    struct msg_retry retry = {.key = SPAN("shoot--a--b/infra")};

    (void)state;
    uint64_t job = fx_run(fx);
    fx_done(fx, THE_WORKER, job, JOB_RETRY, 0);
    for (int i = 0; i < 12; i++)
        queue_add_limited(&fx->core->queue, fx_work(fx), fx->now.boot_ms);
    fx_say(fx, SUPERVISOR, 0, MSG_RETRY, &retry, 0, 0);
    assert_non_null(fx->core->jobs);
    retry.key = SPAN("nobody/knows");
    fx_say(fx, SUPERVISOR, 0, MSG_RETRY, &retry, 0, 0);
    retry.key = SPAN("no slash");
    fx_say(fx, SUPERVISOR, 0, MSG_RETRY, &retry, 0, 0);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_deaths_and_the_status_says_so),
        cmocka_unit_test(test_it_is_left_alone_and_then_tried_once),
        cmocka_unit_test(test_a_success_ends_it),
        cmocka_unit_test(test_a_change_frees_it_for_one_trial),
        cmocka_unit_test(test_an_operator_frees_it),
        cmocka_unit_test(test_a_death_that_proves_nothing),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_what_was_held_against_it_before),
        cmocka_unit_test(test_a_body_at_which_watchers_died),
        cmocka_unit_test(test_the_status_cannot_be_written),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
