/* tests/unit/test_gateway_leadership.c -- until when the gateway may start and have under way what changes
 * something in Packet: the Lease's terms, as the watcher tells them (design 12.15). */
#include "tests/unit/test_gateway_play.h"

static void extend(struct rig *rig, uint64_t watcher, int64_t write_until, int64_t end_until)
{
    struct message m = {.body.extend = {(uint64_t)write_until, (uint64_t)end_until}};

    rig_message(rig, WATCHER, watcher, &m, MSG_EXTEND);
}

static void test_the_grants_end_goes_with_the_request(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t now = rig->now.boot_ms;

    rig_grant(rig, .id = RIG_ID, .write_until = (uint64_t)now + 5000, .end_until = (uint64_t)now + 7000);
    rig_remove(rig, .id = RIG_ID);
    assert_int_equal(rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID)->start_before, now + 5000);
    assert_int_equal(rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID)->end_before, now + 7000);
    rig_free(rig);
}

/* A create whose list takes longer than the rest of a term still goes out in the next one. */
static void test_a_renewal_reaches_what_waits(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t now = rig->now.boot_ms;

    rig_grant(rig, .write_until = (uint64_t)now + 500, .end_until = (uint64_t)now + 700);
    rig_create(rig, .key = RIG_KEY);
    rig_wait(rig, 300);
    extend(rig, RIG_WATCHER, now + 9000, now + 9200);
    rig_wait(rig, 400);
    rig_list(rig, "");
    assert_int_equal(rig_expect(rig, "POST", RIG_LIST)->start_before, now + 9000);
    assert_int_equal(rig_expect(rig, "POST", RIG_LIST)->end_before, now + 9200);
    rig_free(rig);
}

static void test_without_a_renewal_it_is_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t now = rig->now.boot_ms;

    rig_grant(rig, .write_until = (uint64_t)now + 500, .end_until = (uint64_t)now + 700);
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_wait(rig, 700);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_FENCED);
    rig_no_request(rig);
    rig_reply(rig, rig_create(rig, .key = RIG_KEY), OUTCOME_FENCED);
    rig_free(rig);
}

/* Another incarnation's Lease says nothing about this one's grants. */
static void test_another_watchers_renewal(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    int64_t now = rig->now.boot_ms;

    rig_grant(rig, .id = RIG_ID, .write_until = (uint64_t)now + 500);
    extend(rig, RIG_WATCHER + 1, now + 9000, now + 9200);
    rig_wait(rig, 500);
    rig_reply(rig, rig_remove(rig, .id = RIG_ID), OUTCOME_FENCED);
    rig_free(rig);
}

/* Without an election there is no end. */
static void test_no_end_is_given(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .id = RIG_ID);
    rig_remove(rig, .id = RIG_ID);
    assert_true(rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID)->end_before == INT64_MAX);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_grants_end_goes_with_the_request),
        cmocka_unit_test(test_a_renewal_reaches_what_waits),
        cmocka_unit_test(test_without_a_renewal_it_is_refused),
        cmocka_unit_test(test_another_watchers_renewal),
        cmocka_unit_test(test_no_end_is_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
