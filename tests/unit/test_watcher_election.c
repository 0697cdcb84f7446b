/* tests/unit/test_watcher_election.c -- what leading and standing by mean for the rest of the watcher: who
 * lists, until when writes may start and end, what gateway and supervisor hear, and the end (design 12.15).
 */
#include "tests/unit/test_watcher_fixture.h"

#define ELECTION_PATH "/namespaces/garden/leases/the-lease"
#define DURATION      15000
#define DEADLINE      10000

static const char *lease(const char *holder, const char *version)
{
    static char text[400];

    snprintf(text, sizeof text,
             "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"the-lease\",\"resourceVersion\":\"%s\"},\"spec\":{"
             "\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":15,\"leaseTransitions\":2}}",
             version, holder);
    return text;
}

static struct fx *elected(void)
{
    struct fx *fx = fx_new(false, "");
    struct watcher_config config = {.seed = 42,
                                    .incarnation = ME,
                                    .field_manager = "fm",
                                    .election = {.ns = "garden",
                                                 .name = "the-lease",
                                                 .identity = "us",
                                                 .duration_ms = DURATION,
                                                 .renew_ms = DEADLINE,
                                                 .retry_ms = 2000}};
    struct watcher_ops ops = {fx, fx_send, fx_request, fx_watch, fx_unwatch};

    watcher_core_free(fx->core);
    fx->core = watcher_core_new(&config, &ops, fx->now);
    fx_peer(fx, GATEWAY, THE_GATEWAY);
    fx_peer(fx, WORKER, THE_WORKER);
    fx_go(fx);
    fx_idle(fx, THE_WORKER);
    return fx;
}

/* Nobody held it. */
static struct fx *leading(void)
{
    struct fx *fx = elected();

    fx_answer(fx, "GET", ELECTION_PATH, 200, lease("", "1"));
    fx_answer(fx, "PUT", ELECTION_PATH, 200, lease("us", "2"));
    fx_answer_list(fx, "5", "", 0, NULL);
    return fx;
}

static void renew(struct fx *fx)
{
    fx_tick(fx, 2000);
    fx_answer(fx, "PUT", ELECTION_PATH, 200, lease("us", "3"));
}

static struct msg_leadership *told(struct fx *fx)
{
    struct fx_sent *last = NULL, *sent;

    while ((sent = fx_take(fx, MSG_LEADERSHIP)))
        last = sent;
    assert_non_null(last);
    assert_int_equal(last->role, SUPERVISOR);
    return &last->message.body.leadership;
}

/* Gardener 59: nothing is read or written before the Lease is held. */
static void test_G_59_a_standby_keeps_still(void **state)
{
    struct fx *fx = elected();

    (void)state;
    assert_true(fx_asked(fx, "GET", ELECTION_PATH)->election);
    fx_answer(fx, "GET", ELECTION_PATH, 200, lease("them", "1"));
    assert_non_null(strstr(fx->lease_watch, "metadata.name%3Dthe-lease"));
    assert_string_equal(fx->watch, "");
    fx_tick(fx, 14000);
    assert_int_equal(fx->n_requests, 1);
    struct msg_leadership *said = told(fx);
    assert_int_equal(said->leading, 0);
    assert_true(span_is(said->holder, "them"));
    assert_true(span_is(said->lease, "garden/the-lease"));
    assert_int_equal(said->write_until, 0);
    assert_non_null(strstr(watcher_core_doing(fx->core), "standby; them"));
    fx_free(fx);
}

static void test_G_59_the_leader_lists(void **state)
{
    struct fx *fx = leading();

    (void)state;
    assert_int_not_equal(fx->watch[0], 0);
    assert_true(watcher_core_synced(fx->core));
    struct msg_leadership *said = told(fx);
    assert_int_equal(said->leading, 1);
    assert_int_equal(said->write_until, fx->now.boot_ms + DEADLINE);
    assert_int_equal(said->transitions, 2);
    fx_free(fx);
}

static void work(struct fx *fx)
{
    fx_event(fx, "ADDED", (struct fx_object){.operation = "reconcile", .version = "10"});
}

static struct fx_request *patch(struct fx *fx, uint64_t job)
{
    static const unsigned char body[] = {
        0x81, 0xa8, 'm', 'e', 't', 'a',  'd',  'a', 't', 'a', 0x81, 0xaa, 'f', 'i', 'n', 'a', 'l',
        'i',  'z',  'e', 'r', 's', 0x91, 0xd9, 40,  'e', 'x', 't',  'e',  'n', 's', 'i', 'o', 'n',
        's',  '.',  'g', 'a', 'r', 'd',  'e',  'n', 'e', 'r', '.',  'c',  'l', 'o', 'u', 'd', '/',
        'i',  'n',  'f', 'r', 'a', 's',  't',  'r', 'u', 'c', 't',  'u',  'r', 'e'};
    struct msg_patch m = {.job = job,
                          .seq = 1,
                          .target = PATCH_META,
                          .resource_version = SPAN("10"),
                          .body = {.at = body, .len = sizeof body}};

    fx_say(fx, WORKER, THE_WORKER, MSG_PATCH, &m, ME, 0);
    return fx_asked(fx, "PATCH", "/infrastructures/");
}

/* A write may start until the deadline after the last renewal began, and ends before another may lead. */
static void test_writes_carry_the_end(void **state)
{
    struct fx *fx = leading();
    int64_t began = fx->now.boot_ms;

    (void)state;
    fx_tick(fx, 500);
    work(fx);
    struct fx_request *request = patch(fx, fx_run(fx));
    assert_non_null(request);
    assert_int_equal(request->start_before, began + DEADLINE);
    assert_int_equal(request->end_before, began + DURATION);
    fx_free(fx);
}

/* Reads, and the election itself, need no leadership. */
static void test_reads_have_no_end(void **state)
{
    struct fx *fx = leading();

    (void)state;
    work(fx);
    assert_true(fx_asked(fx, "GET", "/secrets/")->start_before == INT64_MAX);
    assert_true(fx_asked(fx, "GET", "/secrets/")->end_before == INT64_MAX);
    fx_free(fx);
}

static void test_grants_and_renewals_tell_the_gateway(void **state)
{
    struct fx *fx = leading();
    int64_t began = fx->now.boot_ms;

    (void)state;
    while (fx_take(fx, MSG_EXTEND))
        continue;
    work(fx);
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    struct fx_sent *grant = fx_take(fx, MSG_GRANT);
    assert_int_equal(grant->message.body.grant.write_until, began + DEADLINE);
    assert_int_equal(grant->message.body.grant.end_until, began + DURATION);
    assert_null(fx_take(fx, MSG_EXTEND));
    renew(fx);
    struct fx_sent *extend = fx_take(fx, MSG_EXTEND);
    assert_int_equal(extend->to, THE_GATEWAY);
    assert_int_equal(extend->message.body.extend.write_until, began + 2000 + DEADLINE);
    assert_int_equal(extend->message.body.extend.end_until, began + 2000 + DURATION);
    assert_int_equal(told(fx)->write_until, began + 2000 + DEADLINE);
    fx_free(fx);
}

/* The first thing that a late wake-up does is to see that it is late; then nothing any more. */
static void test_K_54_nothing_is_done_after_the_end(void **state)
{
    struct fx *fx = leading();
    unsigned requests;

    (void)state;
    fx->now.boot_ms += DEADLINE;
    requests = fx->n_requests;
    work(fx);
    assert_true(watcher_core_lost(fx->core));
    assert_int_equal(fx->n_requests, requests);
    assert_null(fx_take(fx, MSG_GRANT));
    assert_int_equal(told(fx)->leading, 0);
    assert_true(watcher_core_next_ms(fx->core) == INT64_MAX);
    fx_tick(fx, 100000);
    assert_int_equal(fx->n_requests, requests);
    fx_free(fx);
}

static void test_a_workers_patch_after_the_end(void **state)
{
    struct fx *fx = leading();
    uint64_t job;

    (void)state;
    work(fx);
    job = fx_run(fx);
    fx->now.boot_ms += DEADLINE;
    assert_null(patch(fx, job));
    assert_true(watcher_core_lost(fx->core));
    fx_free(fx);
}

/* kubernetes 56: first the jobs end, then the Lease is given back, then the process ends. */
static void test_K_56_drain_releases_last(void **state)
{
    struct fx *fx = leading();
    struct msg_drain drain = {.within_ms = 5000};
    uint64_t job;

    (void)state;
    work(fx);
    job = fx_run(fx);
    fx_say(fx, SUPERVISOR, 0, MSG_DRAIN, &drain, 0, 0);
    assert_null(fx_asked(fx, "GET", ELECTION_PATH));
    renew(fx); /* the job is still protected */
    fx_done(fx, THE_WORKER, job, JOB_DONE, 0);
    assert_false(watcher_core_finished(fx->core));
    for (unsigned i = 0; i < 2; i++) { /* the Events of the begin and of the end */
        assert_null(fx_asked(fx, "GET", ELECTION_PATH));
        fx_answer(fx, "POST", "/events", 201, "{}");
    }
    fx_answer(fx, "GET", ELECTION_PATH, 200, lease("us", "3"));
    struct fx_request *put = fx_asked(fx, "PUT", ELECTION_PATH);
    assert_non_null(strstr(put->body, "\"holderIdentity\":\"\""));
    fx_answer(fx, "PUT", ELECTION_PATH, 200, lease("", "4"));
    assert_true(watcher_core_finished(fx->core));
    assert_false(watcher_core_lost(fx->core));
    fx_free(fx);
}

/* The next leader does not wait for an Event that nobody takes. */
static void test_K_56_K_60_events_hold_no_release_up(void **state)
{
    struct fx *fx = leading();
    struct msg_drain drain = {.within_ms = 5000};

    (void)state;
    fx_say(fx, SUPERVISOR, 0, MSG_DRAIN, &drain, 0, 0);
    assert_int_equal(watcher_core_next_ms(fx->core) - fx->now.boot_ms, 1000);
    fx_tick(fx, 999);
    assert_null(fx_asked(fx, "GET", ELECTION_PATH));
    fx_tick(fx, 1);
    fx_answer(fx, "GET", ELECTION_PATH, 200, lease("us", "1"));
    assert_non_null(strstr(fx_asked(fx, "PUT", ELECTION_PATH)->body, "\"holderIdentity\":\"\""));
    fx_free(fx);
}

static void test_a_standby_leaves_at_once(void **state)
{
    struct fx *fx = elected();
    struct msg_drain drain = {.within_ms = 5000};

    (void)state;
    fx_answer(fx, "GET", ELECTION_PATH, 200, lease("them", "1"));
    fx_say(fx, SUPERVISOR, 0, MSG_DRAIN, &drain, 0, 0);
    assert_true(watcher_core_finished(fx->core));
    assert_null(fx_asked(fx, "PUT", ELECTION_PATH));
    fx_free(fx);
}

/* --leader-election=false: GO is leadership, without an end. */
static void test_without_election(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    work(fx);
    struct fx_request *request = patch(fx, fx_run(fx));
    assert_true(request->start_before == INT64_MAX);
    assert_null(fx_take(fx, MSG_LEADERSHIP));
    assert_null(fx_take(fx, MSG_EXTEND));
    assert_null(fx_asked(fx, "GET", "/leases"));
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_G_59_a_standby_keeps_still),
        cmocka_unit_test(test_G_59_the_leader_lists),
        cmocka_unit_test(test_writes_carry_the_end),
        cmocka_unit_test(test_reads_have_no_end),
        cmocka_unit_test(test_grants_and_renewals_tell_the_gateway),
        cmocka_unit_test(test_K_54_nothing_is_done_after_the_end),
        cmocka_unit_test(test_a_workers_patch_after_the_end),
        cmocka_unit_test(test_K_56_drain_releases_last),
        cmocka_unit_test(test_K_56_K_60_events_hold_no_release_up),
        cmocka_unit_test(test_a_standby_leaves_at_once),
        cmocka_unit_test(test_without_election),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
