/* tests/unit/test_gateway_budget.c -- the rate limit: a bucket and a pause for each credential, lanes, and
 * waiting that is spent in the watcher's queue (packet C-33 to C-37; design 12.6). */
#include "tests/unit/test_gateway_play.h"

#define OTHER_TOKEN "another-token"

static struct gateway_result limited(int64_t retry_after_ms)
{
    struct gateway_result r = rig_json(429, "{\"errors\":[\"Slow down\"]}");

    r.retry_after_ms = retry_after_ms;
    return r;
}

/* How long a new grant is told to wait now, 0 when it is granted. Takes the grant back. */
static uint64_t admission(struct rig *rig, const char *token)
{
    char owner[40]; /* each time somebody else, who has not been called in */
    snprintf(owner, sizeof owner, "shoot--foo--bar/%lu", (unsigned long)rig->next_seq);
    enum outcome outcome = rig_grant(rig, .handle = 900, .token = token, .owner = owner, .calls = 2);
    uint64_t wait = rig->messages[rig->n_messages - 1].wait_ms;

    assert_true(outcome == OUTCOME_OK || outcome == OUTCOME_LATER);
    assert_true((outcome == OUTCOME_LATER) == (wait > 0));
    rig_revoke(rig, 900);
    return wait;
}

static void test_C_35_a_429_stops_all_calls_of_that_credential_only(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1, .label = "a");
    rig_grant(rig, .handle = 2, .label = "b");
    rig_grant(rig, .handle = 3, .label = "c", .token = OTHER_TOKEN);
    uint64_t first = rig_search(rig, .handle = 1);

    rig_result(rig, limited(30000));
    assert_true(rig_reply(rig, first, OUTCOME_LATER)->wait_ms >= 30000);
    uint64_t second = rig_search(rig, .handle = 2);

    assert_true(rig_reply(rig, second, OUTCOME_LATER)->wait_ms >= 30000);
    assert_int_equal(rig->n_requests, 1);
    rig_search(rig, .handle = 3);
    assert_string_equal(rig_expect(rig, "GET", RIG_LIST)->token, OTHER_TOKEN);
    assert_true(admission(rig, RIG_TOKEN) >= 30000);
    assert_int_equal(admission(rig, OTHER_TOKEN), 0);
    rig_free(rig);
}

static void test_C_35_calls_already_waiting_are_sent_back_too(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(0, 10, 1, ""); /* one at a time */

    rig_grant(rig, .handle = 1, .label = "a");
    rig_grant(rig, .handle = 2, .label = "b");
    rig_search(rig, .handle = 1);
    uint64_t waiting = rig_search(rig, .handle = 2);

    assert_int_equal(rig->n_requests, 1);
    rig_result(rig, limited(10000));
    assert_true(rig_reply(rig, waiting, OUTCOME_LATER)->wait_ms >= 10000);
    assert_int_equal(rig->n_requests, 1);
    rig_free(rig);
}

static void test_C_34_retry_after_is_honoured_and_capped(void **state)
{
    (void)state;
    static const struct {
        int64_t retry_after_ms, remaining, reset_in_s;
        uint64_t least, most;
    } rows[] = {
        {10000, -1, 0, 10000, 11000},
        {1000000000000, -1, 0, 300000, 300000}, /* 10^9 s */
        {-1, 0, 20, 19000, 21000},
        {-1, 5, 20, 0, 2000}, /* something remains: the reset time means nothing */
        {-1, -1, 0, 0, 2000},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *rig = rig_new();
        struct gateway_result r = limited(rows[i].retry_after_ms);

        r.limit_remaining = rows[i].remaining;
        r.limit_reset_s = rows[i].reset_in_s ? rig->now.wall_ms / 1000 + rows[i].reset_in_s : -1;
        rig_grant(rig, .handle = 1);
        rig_search(rig, .handle = 1);
        rig_result(rig, r);
        uint64_t wait = admission(rig, RIG_TOKEN);

        assert_true(wait >= rows[i].least);
        assert_true(wait <= rows[i].most);
        rig_free(rig);
    }
}

static void test_C_36_without_headers_the_pause_doubles_with_jitter(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t last = 0;

    for (int i = 0; i < 6; i++) {
        char label[16];

        snprintf(label, sizeof label, "l%d", i);
        rig_grant(rig, .handle = 10 + (uint64_t)i, .label = label);
        uint64_t seq = rig_search(rig, .handle = 10 + (uint64_t)i);

        rig_expect(rig, "GET", RIG_LIST);
        rig_result(rig, limited(-1));
        int64_t pause = (int64_t)admission(rig, RIG_TOKEN);

        if (pause > 2000) {
            rig_reply(rig, seq, OUTCOME_LATER);
            assert_true(pause >= 2 * last || pause >= 30000);
            assert_true(pause <= 31000);
            last = pause - pause / 5;
            rig_wait(rig, pause);
        } else { /* short: the same call goes out again after it */
            while (rig->n_requests == rig->n_answered)
                rig_next(rig);
            rig_expect(rig, "GET", RIG_LIST);
            rig_result(rig, limited(-1));
            rig_wait(rig, 3000);
        }
        rig_revoke(rig, 10 + (uint64_t)i);
    }
    assert_true(last > 20000);
    rig_free(rig);
}

static void test_a_short_pause_is_waited_for(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1);
    uint64_t seq = rig_search(rig, .handle = 1);

    rig_result(rig, limited(1000));
    rig_no_reply(rig, seq);
    rig_wait(rig, 999);
    rig_no_request(rig);
    rig_wait(rig, 1001);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_OK);
    rig_free(rig);
}

static void test_a_limited_post_is_listed_again_before_the_next(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1);
    rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, limited(500));
    rig_wait(rig, 1000);
    rig_list(rig, "");
    rig_wait(rig, 1000); /* a rate is being looked for, one call at a time */
    rig_expect(rig, "POST", RIG_LIST);
    rig_free(rig);
}

static void test_a_pause_after_a_lost_post_is_unknown_not_later(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1);
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_result(rig, rig_fate(FATE_LOST));
    rig_expect(rig, "GET", RIG_LIST);
    rig_result(rig, limited(60000));
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

/* Calls that start within the next ms milliseconds, when each is answered at once. */
static unsigned started_within(struct rig *rig, int64_t ms)
{
    unsigned before = rig->n_requests;

    for (int64_t i = 0; i < ms; i++) {
        rig_wait(rig, 1);
        while (rig->n_answered < rig->n_requests)
            rig_answer(rig, 200, RIG_EMPTY);
    }
    return rig->n_requests - before;
}

/* Each in a project of its own: no list serves two. */
static void ask_many(struct rig *rig, unsigned n, uint64_t first, const char *token)
{
    for (unsigned i = 0; i < n; i++) {
        char project[40];

        snprintf(project, sizeof project, "%08lu-8b0f-4d2a-9a53-0c8d1f9a7b10", (unsigned long)(first + i));
        assert_int_equal(rig_grant(rig, .handle = first + i, .project = project, .token = token), OUTCOME_OK);
        rig_search(rig, .handle = first + i);
    }
}

static void test_C_37_the_bucket_starts_empty_and_keeps_the_rate(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(50, 5, 32, "");

    ask_many(rig, 40, 100, RIG_TOKEN);
    assert_int_equal(rig->n_requests, 0);
    assert_in_range(started_within(rig, 200), 9, 10);
    assert_in_range(started_within(rig, 400), 19, 20);
    rig_free(rig);
}

static void test_C_37_the_burst_is_bounded(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(50, 5, 32, "");

    rig_grant(rig, .handle = 1);
    rig_wait(rig, 60000);
    ask_many(rig, 20, 100, RIG_TOKEN);
    while (rig->n_answered < rig->n_requests)
        rig_answer(rig, 200, RIG_EMPTY);
    assert_int_equal(rig->n_requests, 5);
    rig_free(rig);
}

static void test_the_bucket_is_empty_at_a_new_epoch(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(50, 5, 32, "");

    rig_grant(rig, .handle = 1);
    rig_wait(rig, 60000);
    rig_epoch_over(rig, RIG_WATCHER);
    rig_grant(rig, .handle = 1, .watcher = 20);
    rig_search(rig, .handle = 1);
    assert_int_equal(rig->n_requests, 0);
    rig_free(rig);
}

static void test_a_full_bucket_is_told_at_admission(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(10, 10, 32, "");
    unsigned granted = 0;

    rig_grant(rig, .handle = 1);
    rig_wait(rig, 100);
    for (uint64_t i = 0; i < 30; i++)
        granted += rig_grant(rig, .handle = 100 + i, .calls = 2) == OUTCOME_OK;
    assert_int_equal(granted, 1); /* one call is there: its job may begin, for the others nothing is left */
    assert_in_range(rig->messages[rig->n_messages - 1].wait_ms, 300, 301);
    rig_free(rig);
}

static void test_deletes_go_first_and_have_a_reserve(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(50, 20, 32, "");

    rig_grant(rig, .handle = 1, .id = RIG_ID);
    ask_many(rig, 20, 100, RIG_TOKEN);
    rig_remove(rig, .id = RIG_ID);
    rig_wait(rig, 21); /* one token: less than the reserve, so for deletes alone */
    assert_int_equal(rig->n_requests, 1);
    rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID);
    rig_free(rig);
}

static void test_C_36_calls_refused_together_are_one_event(void **state)
{
    (void)state;
    struct rig *rig = rig_new(); /* no limit of our own: any number under way */
    struct gateway_gauges gauges;

    ask_many(rig, 3, 100, RIG_TOKEN);
    assert_int_equal(rig->n_requests, 3);
    for (int i = 0; i < 3; i++)
        rig_result(rig, limited(-1));
    gateway_core_gauges(rig->core, &gauges);
    assert_int_equal(gauges.limited, 3);
    assert_in_range(gauges.pause_ms, 1000, 1250); /* the first step of backoff, once */
    assert_true(gauges.rate >= 1);                /* and one step down */
    rig_wait(rig, gauges.pause_ms);
    assert_int_equal(rig->n_requests, 4); /* the others at the rate that is being looked for */
    rig_wait(rig, 500);
    assert_int_equal(rig->n_requests, 5);
    rig_free(rig);
}

static void test_C_37_a_window_opens_while_nothing_is_known(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(200, 40, 32, "");

    ask_many(rig, 40, 100, RIG_TOKEN);
    rig_wait(rig, 1000);
    assert_int_equal(rig->n_requests, 1);
    for (int i = 0; i < 4; i++)
        rig_answer(rig, 200, RIG_EMPTY);
    assert_int_equal(rig->n_requests - rig->n_answered, 2);
    for (int i = 0; i < 4; i++)
        rig_answer(rig, 200, RIG_EMPTY);
    assert_int_equal(rig->n_requests - rig->n_answered, 3);
    rig_free(rig);
}

static void test_calls_under_way_are_bounded(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(0, 10, 3, "");

    ask_many(rig, 5, 100, RIG_TOKEN);
    assert_int_equal(rig->n_requests, 3);
    assert_string_equal(gateway_core_doing(rig->core), "3 calls under way, 2 waiting, budget 0.0");
    rig_answer(rig, 200, RIG_EMPTY);
    assert_int_equal(rig->n_requests, 4);
    rig_free(rig);
}

static void test_a_remaining_of_zero_pauses_before_the_429(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    struct gateway_result r = rig_json(200, RIG_EMPTY);

    r.limit_remaining = 0;
    r.limit_reset_s = rig->now.wall_ms / 1000 + 30;
    rig_grant(rig, .handle = 1);
    uint64_t seq = rig_search(rig, .handle = 1);

    rig_result(rig, r);
    rig_reply(rig, seq, OUTCOME_OK);
    assert_in_range(admission(rig, RIG_TOKEN), 29000, 31000);
    rig_free(rig);
}

static void test_C_33_a_401_is_not_repeated(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1);
    uint64_t seq = rig_search(rig, .handle = 1);

    rig_answer(rig, 401, "{\"error\":\"Invalid authentication token\"}");
    rig_reply(rig, seq, OUTCOME_UNAUTHENTICATED);
    assert_true(gateway_core_next_ms(rig->core) == INT64_MAX);
    rig_free(rig);
}

static void test_an_idle_gateway_has_nothing_to_wake_up_for(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(50, 5, 32, "");

    rig_grant(rig, .handle = 1);
    rig_search(rig, .handle = 1);
    rig_next(rig);
    rig_list(rig, "");
    assert_true(gateway_core_next_ms(rig->core) == INT64_MAX);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_35_a_429_stops_all_calls_of_that_credential_only),
        cmocka_unit_test(test_C_35_calls_already_waiting_are_sent_back_too),
        cmocka_unit_test(test_C_34_retry_after_is_honoured_and_capped),
        cmocka_unit_test(test_C_36_without_headers_the_pause_doubles_with_jitter),
        cmocka_unit_test(test_a_short_pause_is_waited_for),
        cmocka_unit_test(test_a_limited_post_is_listed_again_before_the_next),
        cmocka_unit_test(test_a_pause_after_a_lost_post_is_unknown_not_later),
        cmocka_unit_test(test_C_37_the_bucket_starts_empty_and_keeps_the_rate),
        cmocka_unit_test(test_C_37_the_burst_is_bounded),
        cmocka_unit_test(test_the_bucket_is_empty_at_a_new_epoch),
        cmocka_unit_test(test_a_full_bucket_is_told_at_admission),
        cmocka_unit_test(test_deletes_go_first_and_have_a_reserve),
        cmocka_unit_test(test_C_36_calls_refused_together_are_one_event),
        cmocka_unit_test(test_C_37_a_window_opens_while_nothing_is_known),
        cmocka_unit_test(test_calls_under_way_are_bounded),
        cmocka_unit_test(test_a_remaining_of_zero_pauses_before_the_429),
        cmocka_unit_test(test_C_33_a_401_is_not_repeated),
        cmocka_unit_test(test_an_idle_gateway_has_nothing_to_wake_up_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
