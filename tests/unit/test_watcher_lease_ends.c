/* tests/unit/test_watcher_lease_ends.c -- how the elector stands by, with a watch and without, and how it
 * gives the Lease back (kubernetes 6.4, 56). */
#include "tests/unit/test_watcher_lease.h"

/* ---- standing by ---- */

/* 6.4: the watch by name; polling where there is none */
static void test_watches_by_name(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    assert_non_null(strstr(rig->watch, "/namespaces/garden/leases?watch=true"));
    assert_non_null(strstr(rig->watch, "fieldSelector=metadata.name%3Dthe-lease&"));
    assert_non_null(strstr(rig->watch, "resourceVersion=5&"));
    assert_int_equal(rig->watches, 1);
    pass(rig, 100);
    lease_watch_ended(&rig->lease, 403, rig->now);
    int64_t next = lease_next_ms(&rig->lease) - rig->now.boot_ms;
    assert_in_range(next, RETRY, 22 * RETRY / 10);
    pass(rig, next);
    assert_int_equal(rig->asked, 2);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "6", OLD, 3));
    assert_int_equal(rig->watches, 2); /* another try with each poll */
}

static void test_a_watch_whose_time_is_over_goes_on(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    pass(rig, 14000);
    event(rig, "MODIFIED", shown(OTHER, "6", "2020-01-01T00:00:09.000000Z", 3));
    lease_watch_ended(&rig->lease, 0, rig->now);
    assert_int_equal(lease_next_ms(&rig->lease), rig->now.boot_ms);
    pass(rig, 0);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "6", "2020-01-01T00:00:09.000000Z", 3));
    assert_int_equal(rig->watches, 2);
    assert_non_null(strstr(rig->watch, "resourceVersion=6&"));
}

/* The stream hangs: what it missed shows when the term would be over. */
static void test_a_silent_watch_is_replaced(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    pass(rig, DURATION);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "12", "2020-01-01T00:00:14.000000Z", 3));
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
    assert_int_equal(rig->unwatches, 1);
    assert_int_equal(rig->watches, 2);
    assert_int_equal(lease_next_ms(&rig->lease), rig->now.boot_ms + DURATION);
}

static void test_events_that_are_none(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    event(rig, "BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"9\"}}");
    assert_int_equal(rig->unwatches, 0);
    event(rig, "ERROR", "{\"kind\":\"Status\",\"code\":410}");
    assert_int_equal(rig->unwatches, 1);
    assert_in_range(lease_next_ms(&rig->lease) - rig->now.boot_ms, RETRY, 22 * RETRY / 10);
}

/* An answer that the watch has overtaken must not bring an older record back. */
static void test_an_older_answer_is_no_news(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    pass(rig, DURATION);
    event(rig, "MODIFIED", shown(OTHER, "30", "2020-01-01T00:00:30.000000Z", 3));
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "5", OLD, 3));
    assert_int_equal(rig->lease.step, STEP_NONE);
    assert_int_equal(lease_next_ms(&rig->lease), rig->now.boot_ms + DURATION);
}

static void test_bad_answers_are_failed_attempts(void **state)
{
    static const char *const bodies[] = {"", "<html>", "[]", "{}", "{\"metadata\":{\"resourceVersion\":7}}"};
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(rig->verb, LEASE_READ);
        result(rig, KUBE_ANSWERED, 200, bodies[i]);
        assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
        pass(rig, 22 * RETRY / 10);
    }
    result(rig, KUBE_ANSWERED, 200, "{\"metadata\":{\"resourceVersion\":\"7\"}}"); /* no spec: nobody's */
    assert_int_equal(rig->verb, LEASE_UPDATE);
    expect_spec(rig, ME, NULL, 1, 15);
}

/* ---- giving it back ---- */

/* 56 */
static void test_K_56_release(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    lease_release(&rig->lease, 2500, rig->now);
    assert_int_equal(lease_write_until(&rig->lease), 0);
    assert_int_equal(rig->verb, LEASE_READ);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "1", OLD, 3));
    expect_spec(rig, "", NULL, 3, 1);
    taken(rig, "2");
    assert_int_equal(rig->lease.role, ROLE_OVER);
}

static void test_K_56_only_if_the_fetched_holder_is_us(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    lease_release(&rig->lease, 2500, rig->now);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "9", OLD, 1));
    assert_int_equal(rig->asked, 3);
    assert_int_equal(rig->lease.role, ROLE_OVER);
}

static void test_K_56_a_conflict_is_tried_again(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    lease_release(&rig->lease, 2500, rig->now);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "1", OLD, 3));
    result(rig, KUBE_ANSWERED, 409, "{}");
    pass(rig, 0);
    assert_int_equal(rig->verb, LEASE_READ);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "2", OLD, 3));
    assert_non_null(strstr(rig->body, "\"resourceVersion\":\"2\""));
    taken(rig, "3");
    assert_int_equal(rig->lease.role, ROLE_OVER);
}

static void test_release_ends_in_time(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    lease_release(&rig->lease, 2500, rig->now);
    assert_int_equal(rig->end_before, START + 2500);
    pass(rig, 2500);
    assert_int_equal(rig->lease.role, ROLE_OVER);
    result(rig, KUBE_LOST, 0, "");
    assert_int_equal(rig->lease.role, ROLE_OVER);
}

static void test_a_standby_has_nothing_to_release(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    lease_release(&rig->lease, 2500, rig->now);
    assert_int_equal(rig->lease.role, ROLE_OVER);
    assert_int_equal(rig->asked, 1);
    assert_int_equal(rig->unwatches, 1);
}

/* A write of the candidate may have succeeded: then it is ours to give back. */
static void test_release_while_taking(void **state)
{
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    result(rig, KUBE_ANSWERED, 404, "{}");
    lease_release(&rig->lease, 2500, rig->now);
    assert_int_equal(rig->asked, 2);
    taken(rig, "1");
    pass(rig, 0);
    assert_int_equal(rig->verb, LEASE_READ);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "1", OLD, 0));
    taken(rig, "2");
    assert_int_equal(rig->lease.role, ROLE_OVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_watches_by_name),
        TEST(test_a_watch_whose_time_is_over_goes_on),
        TEST(test_a_silent_watch_is_replaced),
        TEST(test_events_that_are_none),
        TEST(test_an_older_answer_is_no_news),
        TEST(test_bad_answers_are_failed_attempts),
        TEST(test_K_56_release),
        TEST(test_K_56_only_if_the_fetched_holder_is_us),
        TEST(test_K_56_a_conflict_is_tried_again),
        TEST(test_release_ends_in_time),
        TEST(test_a_standby_has_nothing_to_release),
        TEST(test_release_while_taking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
