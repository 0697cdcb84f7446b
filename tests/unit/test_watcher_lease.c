/* tests/unit/test_watcher_lease.c -- how the elector takes the Lease, holds it and loses it (kubernetes 6.3,
 * 6.4; design 12.15). */
#include "tests/unit/test_watcher_lease.h"

/* ---- taking it ---- */

/* 6.3, step 2 */
static void test_K_53_creates_an_absent_lease(void **state)
{
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    assert_int_equal(rig->verb, LEASE_READ);
    assert_string_equal(rig->path, "/apis/coordination.k8s.io/v1/namespaces/garden/leases/the-lease");
    result(rig, KUBE_ANSWERED, 404, "{}");
    assert_int_equal(rig->verb, LEASE_CREATE);
    assert_string_equal(rig->path, "/apis/coordination.k8s.io/v1/namespaces/garden/leases");
    expect_spec(rig, ME, NULL, 0, 15);
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
    taken(rig, "1");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
    assert_int_equal(rig->watches, 0);
}

/* Somebody else's POST was faster: a failed attempt, and the next one comes after 1 to 2.2 retry periods. */
static void test_K_53_created_by_another_meanwhile(void **state)
{
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    result(rig, KUBE_ANSWERED, 404, "{}");
    result(rig, KUBE_ANSWERED, 409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"code\":409}");
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
    assert_in_range(lease_next_ms(&rig->lease) - START, RETRY, 22 * RETRY / 10);
    pass(rig, 22 * RETRY / 10);
    assert_int_equal(rig->asked, 3);
    assert_int_equal(rig->verb, LEASE_READ);
}

/* 6.3, step 1 and 5; 58 */
static void test_K_53_renews_with_what_it_saw_last(void **state)
{
    struct rig *rig = *state;
    char acquired[CLOCK_TEXT_MAX];

    clock_text_micro(rig->now.wall_ms * 1000, acquired);
    lead(rig);
    for (int i = 2; i < 10; i++) {
        char version[16];

        pass(rig, RETRY);
        assert_int_equal(rig->verb, LEASE_UPDATE);
        assert_int_equal(rig->asked, i + 1);
        expect_spec(rig, ME, acquired, 0, 15);
        snprintf(version, sizeof version, "\"%d\"", i - 1);
        assert_non_null(strstr(rig->body, version));
        snprintf(version, sizeof version, "%d", i);
        taken(rig, version);
    }
    assert_int_equal(lease_write_until(&rig->lease), rig->now.boot_ms + DEADLINE);
    assert_int_equal(lease_end_until(&rig->lease), rig->now.boot_ms + DURATION);
}

/* Not the holder's clock counts, but what was seen to change here (57). */
static void test_K_46_K_57_waits_a_whole_duration(void **state)
{
    struct rig *rig = *state;

    stand_by(rig); /* its renewTime is years old: that says nothing */
    pass(rig, DURATION - 1);
    assert_int_equal(rig->asked, 1);
    pass(rig, 1);
    assert_int_equal(rig->asked, 2);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "5", OLD, 3));
    assert_int_equal(rig->verb, LEASE_UPDATE);
    expect_spec(rig, ME, NULL, 4, 15);
    assert_non_null(strstr(rig->body, "\"resourceVersion\":\"5\""));
    assert_non_null(strstr(rig->body, "\"strategy\":\"x\"")); /* what is not ours stays */
    assert_non_null(strstr(rig->body, "\"labels\""));
    assert_null(strstr(rig->body, "managedFields"));
    taken(rig, "6");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
    assert_int_equal(rig->unwatches, 1);
}

static void test_K_57_each_change_begins_it_anew(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    for (int i = 0; i < 5; i++) {
        char renewed[40], version[16];

        pass(rig, DURATION - 1);
        snprintf(renewed, sizeof renewed, "2020-01-01T00:00:0%d.000000Z", i + 1);
        snprintf(version, sizeof version, "%d", 6 + i);
        event(rig, "MODIFIED", shown(OTHER, version, renewed, 3));
    }
    assert_int_equal(rig->asked, 1);
    pass(rig, DURATION);
    assert_int_equal(rig->asked, 2);
}

/* A version without a change of the record is no sign of life. */
static void test_K_57_a_label_is_no_sign_of_life(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    pass(rig, DURATION - 1000);
    event(rig, "MODIFIED", shown(OTHER, "6", OLD, 3));
    pass(rig, 1000);
    assert_int_equal(rig->asked, 2);
}

/* Its own clock may be wrong, and may step (53). */
static void test_K_53_no_wall_clock(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    rig->now.wall_ms += 86400000;
    pass(rig, DURATION - 1);
    rig->now.wall_ms -= 2 * 86400000LL;
    assert_int_equal(rig->asked, 1);
    pass(rig, 1);
    assert_int_equal(rig->asked, 2);
}

static void test_K_57_a_released_lease_at_once(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    pass(rig, 100);
    event(rig, "MODIFIED", shown("", "6", OLD, 3));
    assert_int_equal(rig->asked, 2);
    result(rig, KUBE_ANSWERED, 200, shown("", "6", OLD, 3));
    expect_spec(rig, ME, NULL, 4, 15);
    taken(rig, "7");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
}

static void test_K_53_a_deleted_lease_at_once(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    event(rig, "DELETED", shown(OTHER, "6", OLD, 3));
    assert_int_equal(rig->asked, 2);
    result(rig, KUBE_ANSWERED, 404, "{}");
    assert_int_equal(rig->verb, LEASE_CREATE);
}

/* The supervisor's identity outlives the watcher (design 4): the successor leads at once, and nothing of the
 * record but renewTime changes. */
static void test_own_identity_leads_at_once(void **state)
{
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "5", OLD, 3));
    assert_int_equal(rig->verb, LEASE_UPDATE);
    expect_spec(rig, ME, OLD, 3, 15);
    taken(rig, "6");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
    assert_int_equal(rig->now.boot_ms, START);
}

static void test_K_53_somebody_was_faster(void **state)
{
    struct rig *rig = *state;

    stand_by(rig);
    pass(rig, DURATION);
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "5", OLD, 3));
    result(rig, KUBE_ANSWERED, 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"code\":409}");
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
    pass(rig, 22 * RETRY / 10);
    assert_int_equal(rig->verb, LEASE_READ);
    result(rig, KUBE_ANSWERED, 200, shown("host_third", "9", OLD, 4));
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
    assert_string_equal(lease_holder(&rig->lease), "host_third");
    assert_int_equal(lease_next_ms(&rig->lease), rig->now.boot_ms + DURATION);
}

/* ---- holding it ---- */

/* The term begins before the write was sent, not when its answer came (54). */
static void test_K_54_a_slow_renewal_counts_from_its_start(void **state)
{
    struct rig *rig = *state;
    int64_t sent;

    lead(rig);
    pass(rig, RETRY);
    sent = rig->now.boot_ms;
    pass(rig, 4900);
    taken(rig, "2");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
    assert_int_equal(lease_write_until(&rig->lease), sent + DEADLINE);
    assert_int_equal(lease_end_until(&rig->lease), sent + DURATION);
    assert_int_equal(lease_next_ms(&rig->lease), sent + 4900 > sent + RETRY ? sent + RETRY : sent + 4900);
}

/* An answer from before a stop (SIGSTOP, a suspended machine) makes nobody leader. */
static void test_K_54_an_answer_after_the_term(void **state)
{
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    result(rig, KUBE_ANSWERED, 404, "{}");
    rig->now.boot_ms += DEADLINE;
    taken(rig, "1");
    assert_int_equal(rig->lease.role, ROLE_CANDIDATE);
    assert_int_equal(lease_write_until(&rig->lease), 0);
    pass(rig, 0);
    assert_int_equal(rig->verb, LEASE_READ);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "1", OLD, 0));
    taken(rig, "2");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
}

/* 54, 55: a deadline after the last success it gives up, and for ever. */
static void test_K_55_gives_up_when_the_server_is_gone(void **state)
{
    struct rig *rig = *state;
    unsigned attempts = 0;

    lead(rig);
    while (rig->lease.role == ROLE_LEADER) {
        unsigned before = rig->asked;

        pass(rig, 10);
        if (rig->asked == before)
            continue;
        attempts++;
        result(rig, KUBE_NOT_SENT, 0, ""); /* PUT */
        assert_int_equal(rig->verb, LEASE_READ);
        assert_true(rig->fresh);
        result(rig, KUBE_NOT_SENT, 0, "");
    }
    assert_int_equal(attempts, DEADLINE / RETRY - 1);
    assert_in_range(rig->now.boot_ms, START + DEADLINE, START + DEADLINE + 10);
    assert_int_equal(rig->lease.role, ROLE_LOST);
    assert_int_equal(lease_write_until(&rig->lease), 0);
    assert_int_equal(lease_next_ms(&rig->lease), INT64_MAX);
    unsigned asked = rig->asked;
    pass(rig, 10 * DURATION);
    assert_int_equal(rig->asked, asked);
}

/* It wakes up late: the first thing it sees is that its time is over. */
static void test_K_54_late_wake_up(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    pass(rig, RETRY);
    rig->now.boot_ms += DEADLINE;
    taken(rig, "2");
    assert_int_equal(rig->lease.role, ROLE_LOST);
}

static void test_a_conflict_is_looked_into(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    pass(rig, RETRY);
    result(rig, KUBE_ANSWERED, 409, "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"code\":409}");
    assert_int_equal(rig->verb, LEASE_READ);
    result(rig, KUBE_ANSWERED, 200, shown(ME, "8", OLD, 0)); /* a label, or our own lost answer */
    assert_int_equal(rig->verb, LEASE_UPDATE);
    assert_non_null(strstr(rig->body, "\"8\""));
    taken(rig, "9");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
    assert_int_equal(lease_write_until(&rig->lease), rig->now.boot_ms + DEADLINE);
}

static void test_another_holder_ends_it_at_once(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    pass(rig, RETRY);
    result(rig, KUBE_ANSWERED, 409, "{}");
    result(rig, KUBE_ANSWERED, 200, shown(OTHER, "8", OLD, 1));
    assert_int_equal(rig->lease.role, ROLE_LOST);
}

static void test_a_lease_deleted_under_its_holder(void **state)
{
    struct rig *rig = *state;

    lead(rig);
    pass(rig, RETRY);
    result(rig, KUBE_ANSWERED, 404, "{}");
    result(rig, KUBE_ANSWERED, 404, "{}");
    assert_int_equal(rig->verb, LEASE_CREATE);
    taken(rig, "20");
    assert_int_equal(rig->lease.role, ROLE_LEADER);
}

/* 51: half the deadline for each request, and never beyond the end of the leadership */
static void test_K_51_every_request_is_bounded(void **state)
{
    struct rig *rig = *state;

    lease_start(&rig->lease, rig->now);
    assert_int_equal(rig->end_before, START + DEADLINE / 2);
    result(rig, KUBE_ANSWERED, 404, "{}");
    taken(rig, "1");
    pass(rig, RETRY);
    assert_int_equal(rig->end_before, START + RETRY + DEADLINE / 2);
    pass(rig, DEADLINE / 2);
    result(rig, KUBE_LOST, 0, "");
    assert_int_equal(rig->end_before, START + DEADLINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_K_53_creates_an_absent_lease),
        TEST(test_K_53_created_by_another_meanwhile),
        TEST(test_K_53_renews_with_what_it_saw_last),
        TEST(test_K_46_K_57_waits_a_whole_duration),
        TEST(test_K_57_each_change_begins_it_anew),
        TEST(test_K_57_a_label_is_no_sign_of_life),
        TEST(test_K_53_no_wall_clock),
        TEST(test_K_57_a_released_lease_at_once),
        TEST(test_K_53_a_deleted_lease_at_once),
        TEST(test_own_identity_leads_at_once),
        TEST(test_K_53_somebody_was_faster),
        TEST(test_K_54_a_slow_renewal_counts_from_its_start),
        TEST(test_K_54_an_answer_after_the_term),
        TEST(test_K_55_gives_up_when_the_server_is_gone),
        TEST(test_K_54_late_wake_up),
        TEST(test_a_conflict_is_looked_into),
        TEST(test_another_holder_ends_it_at_once),
        TEST(test_a_lease_deleted_under_its_holder),
        TEST(test_K_51_every_request_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
