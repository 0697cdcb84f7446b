/* tests/unit/test_gateway_admission.c -- waiting for budget: who has to wait, who is called in and in which
 * order, and what becomes of a reservation nobody comes for (design 12.6; packet C-35, C-37). */
#include "tests/unit/test_gateway_play.h"

#define OTHER_TOKEN "another-token"
#define HELD_MS     5000
#define OUTAGE_MS   60000

/* Asks for an object called name; its handle is drawn from it. */
static enum outcome ask_with(struct rig *rig, const char *name, struct rig_grant g)
{
    g.handle = g.handle ? g.handle : ++rig->next_seq + 1000;
    g.owner = name;
    g.label = name;
    g.calls = g.calls ? g.calls : 2;
    return rig_grant_with(rig, &g);
}

#define ask(rig, name, ...) ask_with(rig, name, (struct rig_grant){__VA_ARGS__})

/* Its credential is known for so long; nothing was called meanwhile. */
static struct rig *rested_rig(double rate, unsigned burst, int64_t ms)
{
    struct rig *rig = rig_new_with(rate, burst, 32, "");

    rig_grant(rig, .handle = 99);
    rig_wait(rig, ms);
    rig_revoke(rig, 99);
    return rig;
}

/* The objects called in so far, in order: "a b c". */
static const char *called(const struct rig *rig)
{
    static char text[4096];
    size_t at = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < rig->n_messages; i++)
        if (rig->messages[i].id == MSG_COME)
            at +=
                (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? " " : "", rig->messages[i].owner);
    return text;
}

/* A bucket of ten calls a second, of which two are promised and one is there. */
static struct rig *empty_rig(void)
{
    struct rig *rig = rested_rig(10, 10, 100);

    assert_int_equal(ask(rig, "first", .handle = 1, .lane = LANE_DELETE), OUTCOME_OK);
    return rig;
}

static void wait_in_steps(struct rig *rig, int64_t ms)
{
    for (int64_t i = 0; i < ms; i += 10)
        rig_wait(rig, 10);
}

static void test_C_37_first_come_first_served_and_called_once(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();
    struct gateway_gauges gauges;

    assert_int_equal(ask(rig, "a", .lane = LANE_CREATE), OUTCOME_LATER);
    assert_int_equal(ask(rig, "b", .lane = LANE_CREATE), OUTCOME_LATER);
    assert_int_equal(ask(rig, "c", .lane = LANE_CREATE), OUTCOME_LATER);
    assert_int_equal(ask(rig, "a", .lane = LANE_CREATE), OUTCOME_LATER); /* asking again changes nothing */
    gateway_core_gauges(rig->core, &gauges);
    assert_int_equal(gauges.tickets[LANE_CREATE], 3);
    assert_string_equal(called(rig), "");
    wait_in_steps(rig, 900);
    assert_string_equal(called(rig), "a b c");
    gateway_core_gauges(rig->core, &gauges);
    assert_int_equal(gauges.tickets[LANE_CREATE], 0);
    assert_int_equal(ask(rig, "a", .lane = LANE_CREATE), OUTCOME_OK);
    assert_int_equal(ask(rig, "c", .lane = LANE_CREATE), OUTCOME_OK);
    assert_string_equal(called(rig), "a b c");
    rig_free(rig);
}

static void test_C_37_a_higher_lane_is_called_first(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();

    ask(rig, "drift", .lane = LANE_DRIFT, .calls = 1);
    ask(rig, "read", .lane = LANE_READ, .calls = 1);
    ask(rig, "create", .lane = LANE_CREATE);
    ask(rig, "delete", .lane = LANE_DELETE, .calls = 1);
    wait_in_steps(rig, 2000);
    assert_string_equal(called(rig), "delete create read drift");
    rig_free(rig);
}

static void test_an_object_that_asks_in_another_lane_changes_it(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();

    ask(rig, "a", .lane = LANE_CREATE);
    ask(rig, "b", .lane = LANE_CREATE);
    ask(rig, "b", .lane = LANE_DELETE, .calls = 1);
    wait_in_steps(rig, 2000);
    assert_string_equal(called(rig), "b a");
    rig_free(rig);
}

/* issue: a delete that arrives late overtakes 150 waiting creates */
static void test_C_37_a_late_delete_overtakes_150_waiting_creates(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();
    struct gateway_gauges gauges;
    char name[16];

    for (unsigned i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(ask(rig, name, .lane = LANE_CREATE), OUTCOME_LATER);
    }
    gateway_core_gauges(rig->core, &gauges);
    assert_int_equal(gauges.tickets[LANE_CREATE], 150);
    assert_int_equal(ask(rig, "late", .lane = LANE_DELETE, .calls = 1), OUTCOME_LATER);
    while (!called(rig)[0])
        rig_wait(rig, 10);
    assert_string_equal(called(rig), "late");
    assert_int_equal(ask(rig, "late", .lane = LANE_DELETE, .calls = 1), OUTCOME_OK);
    rig_free(rig);
}

static void test_C_35_a_second_credential_does_not_wait_behind_the_first(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();
    char name[16];

    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(ask(rig, name, .lane = LANE_CREATE), OUTCOME_LATER);
    }
    ask(rig, "x", .lane = LANE_CREATE, .token = OTHER_TOKEN);
    ask(rig, "y", .lane = LANE_CREATE, .token = OTHER_TOKEN);
    wait_in_steps(rig, 600);
    assert_string_equal(called(rig), "x c0 y c1"); /* each has its own bucket, and they take turns */
    rig_free(rig);
}

static void test_a_reservation_is_held_for_seconds_and_its_place_for_longer(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();

    ask(rig, "a", .lane = LANE_CREATE);
    wait_in_steps(rig, 400);
    assert_string_equal(called(rig), "a");
    wait_in_steps(rig, HELD_MS);
    for (unsigned i = 0; i < 6; i++) { /* what was held for it is there for others */
        char name[8];

        snprintf(name, sizeof name, "o%u", i);
        ask(rig, name, .handle = 10 + i, .lane = LANE_CREATE);
    }
    assert_int_equal(ask(rig, "a", .lane = LANE_CREATE), OUTCOME_LATER);
    rig_revoke(rig, 10);
    assert_string_equal(called(rig), "a a"); /* it was there before o5 */
    rig_free(rig);
}

static void test_nothing_is_left_of_an_epoch(void **state)
{
    (void)state;
    struct rig *rig = empty_rig();
    struct gateway_gauges gauges;

    ask(rig, "a", .lane = LANE_CREATE);
    ask(rig, "b", .lane = LANE_CREATE);
    wait_in_steps(rig, 400); /* a is called in */
    rig_epoch_over(rig, RIG_WATCHER);
    gateway_core_gauges(rig->core, &gauges);
    assert_int_equal(gauges.tickets[LANE_CREATE], 0);
    wait_in_steps(rig, 5000);
    assert_string_equal(called(rig), "a");
    /* Nor is anything held: the whole bucket is there. */
    assert_int_equal(ask(rig, "big", .lane = LANE_DELETE, .calls = 10, .watcher = 20), OUTCOME_OK);
    rig_free(rig);
}

/* A promise that was not used is given back, and who waits has it at once. */
static void test_what_a_job_did_not_use_goes_to_the_next(void **state)
{
    (void)state;
    struct rig *rig = rested_rig(1, 10, 10000);

    assert_int_equal(ask(rig, "many", .handle = 2, .lane = LANE_DELETE, .calls = 8), OUTCOME_OK);
    assert_int_equal(ask(rig, "a", .lane = LANE_DELETE, .calls = 3), OUTCOME_LATER);
    assert_string_equal(called(rig), "");
    rig_revoke(rig, 2);
    assert_string_equal(called(rig), "a");
    rig_free(rig);
}

/* Nothing is promised, so one job may begin although the bucket never holds all its calls. */
static void test_C_37_a_bucket_smaller_than_a_job_still_serves_it(void **state)
{
    (void)state;
    struct rig *rig = rested_rig(2, 1, 1000);

    assert_int_equal(ask(rig, "a", .handle = 1, .lane = LANE_CREATE), OUTCOME_OK);
    assert_int_equal(ask(rig, "b", .lane = LANE_CREATE), OUTCOME_LATER);
    wait_in_steps(rig, 3000);
    assert_string_equal(called(rig), "");
    rig_revoke(rig, 1);
    assert_string_equal(called(rig), "b");
    rig_free(rig);
}

/* design 12.6: force delete waits at most ten seconds. The call itself still honours the server's pause. */
static void test_C_35_patience_ends_the_wait_but_not_the_pause(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    struct gateway_result r = rig_json(429, "{\"errors\":[\"Slow down\"]}");

    r.retry_after_ms = 100000;
    ask(rig, "first", .handle = 1);
    rig_search(rig, .handle = 1);
    rig_result(rig, r);
    ask(rig, "delete", .lane = LANE_DELETE, .calls = 1);
    ask(rig, "forced", .lane = LANE_DELETE, .calls = 1, .patience_ms = 10000);
    wait_in_steps(rig, 9990);
    assert_string_equal(called(rig), "");
    assert_true(gateway_core_next_ms(rig->core) <= rig->now.boot_ms + 10);
    wait_in_steps(rig, 10);
    assert_string_equal(called(rig), "forced");
    assert_int_equal(ask(rig, "forced", .handle = 9, .lane = LANE_DELETE, .calls = 1, .patience_ms = 10000),
                     OUTCOME_OK);
    rig_reply(rig, rig_search(rig, .handle = 9), OUTCOME_LATER);
    assert_int_equal(rig->n_requests, 1);
    rig_free(rig);
}

/* More calls than were promised: next time two others go before it. */
static void test_C_37_who_used_more_goes_behind(void **state)
{
    (void)state;
    struct rig *rig = rested_rig(10, 10, 1000);

    assert_int_equal(ask(rig, "greedy", .handle = 1, .lane = LANE_CREATE, .calls = 1), OUTCOME_OK);
    for (unsigned i = 0; i < 3; i++) {
        rig_search(rig, .handle = 1);
        rig_list(rig, "");
    }
    rig_revoke(rig, 1);
    rig_wait(rig, 1000);
    assert_int_equal(ask(rig, "all", .handle = 2, .lane = LANE_CREATE, .calls = 9), OUTCOME_OK);
    ask(rig, "greedy", .lane = LANE_CREATE);
    ask(rig, "b", .lane = LANE_CREATE);
    ask(rig, "c", .lane = LANE_CREATE);
    ask(rig, "d", .lane = LANE_CREATE);
    assert_string_equal(called(rig), "");
    rig_revoke(rig, 2);
    assert_string_equal(called(rig), "b c greedy d");
    rig_free(rig);
}

/* Not all at once when a pause ends: as many as there are places for their calls. */
static void test_those_called_in_are_bounded(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(1000, 1000, 4, "");
    char name[8];

    rig_grant(rig, .handle = 99);
    rig_wait(rig, 1000);
    assert_int_equal(ask(rig, "all", .handle = 1, .lane = LANE_DELETE, .calls = 1000), OUTCOME_OK);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "o%u", i);
        assert_int_equal(ask(rig, name, .lane = LANE_DELETE, .calls = 101), OUTCOME_LATER);
    }
    rig_revoke(rig, 1);
    assert_string_equal(called(rig), "o0 o1 o2 o3");
    assert_int_equal(ask(rig, "o1", .lane = LANE_DELETE), OUTCOME_OK);
    assert_string_equal(called(rig), "o0 o1 o2 o3 o4");
    rig_free(rig);
}

#define N_OUT 6

/* Plays objects that come when they are called, against an API that is not there. Counts their errors. */
static void outage_for(struct rig *rig, int64_t ms, unsigned errors[N_OUT])
{
    unsigned seen = rig->n_messages;

    for (int64_t end = rig->now.boot_ms + ms; rig->now.boot_ms < end; rig_wait(rig, 100)) {
        while (rig->n_answered < rig->n_requests)
            rig_result(rig, rig_fate(FATE_NOT_SENT));
        for (; seen < rig->n_messages; seen++) {
            struct rig_message m = rig->messages[seen];
            uint64_t i = m.id == MSG_COME ? (uint64_t)(m.owner[1] - '0') : 0;

            if (m.id == MSG_FOUND)
                errors[m.correlation % N_OUT] += m.outcome == OUTCOME_TRANSIENT;
            if (m.id != MSG_COME)
                continue;
            assert_int_equal(ask(rig, m.owner, .handle = 100 + i), OUTCOME_OK);
            while (++rig->next_seq % N_OUT != i) /* so that the answer names it */
                continue;
            rig->next_seq--;
            rig_search(rig, .handle = 100 + i);
            while (rig->n_answered < rig->n_requests)
                rig_result(rig, rig_fate(FATE_NOT_SENT));
            rig_wait(rig, 10);
            rig_revoke(rig, 100 + i);
            assert_int_equal(ask(rig, m.owner, .lane = LANE_DELETE), OUTCOME_LATER);
        }
        rig->n_messages = seen = 0;
    }
}

static void test_an_outage_is_told_to_each_once_a_minute(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    unsigned errors[N_OUT] = {0};
    char name[8];

    for (uint64_t h = 1; h <= 2; h++) {
        ask(rig, "first", .handle = h);
        rig_search(rig, .handle = h);
    }
    while (gateway_core_next_ms(rig->core) < rig->now.boot_ms + 60000 || rig->n_answered < rig->n_requests) {
        if (rig->n_answered < rig->n_requests)
            rig_result(rig, rig_fate(FATE_NOT_SENT));
        else
            rig_next(rig);
    }
    for (uint64_t h = 1; h <= 2; h++)
        rig_revoke(rig, h);
    for (unsigned i = 0; i < N_OUT; i++) {
        snprintf(name, sizeof name, "o%u", i);
        ask(rig, name, .lane = LANE_DELETE);
    }
    outage_for(rig, OUTAGE_MS - 15000, errors);
    for (unsigned i = 0; i < N_OUT; i++)
        assert_int_equal(errors[i], 0);
    outage_for(rig, 15000 + 3 * OUTAGE_MS, errors);
    for (unsigned i = 0; i < N_OUT; i++)
        assert_in_range(errors[i], 2, 4); /* probes that found nothing included */
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_37_first_come_first_served_and_called_once),
        cmocka_unit_test(test_C_37_a_higher_lane_is_called_first),
        cmocka_unit_test(test_an_object_that_asks_in_another_lane_changes_it),
        cmocka_unit_test(test_C_37_a_late_delete_overtakes_150_waiting_creates),
        cmocka_unit_test(test_C_35_a_second_credential_does_not_wait_behind_the_first),
        cmocka_unit_test(test_a_reservation_is_held_for_seconds_and_its_place_for_longer),
        cmocka_unit_test(test_nothing_is_left_of_an_epoch),
        cmocka_unit_test(test_what_a_job_did_not_use_goes_to_the_next),
        cmocka_unit_test(test_C_37_a_bucket_smaller_than_a_job_still_serves_it),
        cmocka_unit_test(test_C_35_patience_ends_the_wait_but_not_the_pause),
        cmocka_unit_test(test_C_37_who_used_more_goes_behind),
        cmocka_unit_test(test_those_called_in_are_bounded),
        cmocka_unit_test(test_an_outage_is_told_to_each_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
