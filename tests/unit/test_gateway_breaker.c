/* tests/unit/test_gateway_breaker.c -- an API that is not there: nothing is sent but a probe now and then,
 * and whoever waits is told why only when it lasts (design 12.6, packet C-33); and turns between objects. */
#include "tests/unit/test_gateway_play.h"

#define FIRST_MS 1000
#define LAST_MS  30000

static struct gateway_gauges gauges(const struct rig *rig)
{
    struct gateway_gauges g;

    gateway_core_gauges(rig->core, &g);
    return g;
}

static void grant(struct rig *rig, uint64_t handle)
{
    char label[24];

    snprintf(label, sizeof label, "l%lu", (unsigned long)handle);
    assert_int_equal(rig_grant(rig, .handle = handle, .label = label, .id = RIG_ID), OUTCOME_OK);
}

static uint64_t ask(struct rig *rig, uint64_t handle)
{
    grant(rig, handle);
    return rig_search(rig, .handle = handle);
}

/* Eight failures in a row: of two objects, whose calls are repeated. */
static void break_it(struct rig *rig, struct gateway_result how)
{
    ask(rig, 1);
    ask(rig, 2);

    for (int i = 0; i < 8; i++) {
        assert_false(gauges(rig).breaker_open);
        while (rig->n_requests == rig->n_answered)
            rig_next(rig);
        rig_result(rig, how);
    }
    assert_true(gauges(rig).breaker_open);
    rig_revoke(rig, 1);
    rig_revoke(rig, 2);
}

/* Somebody asks when the next probe may go; it is sent. Returns its question. */
static uint64_t probe(struct rig *rig, uint64_t handle)
{
    uint64_t told = ask(rig, handle);

    rig_no_request(rig);
    rig_wait(rig, (int64_t)rig_reply(rig, told, OUTCOME_LATER)->wait_ms);
    uint64_t seq = rig_search(rig, .handle = handle);

    rig_expect(rig, "GET", RIG_LIST);
    return seq;
}

static void test_the_breaker_opens_and_one_probe_closes_it(void **state)
{
    (void)state;
    const struct gateway_result deaths[] = {rig_fate(FATE_NOT_SENT), rig_fate(FATE_LOST), rig_html(503)};

    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        struct rig *rig = rig_new();

        break_it(rig, deaths[i]);
        uint64_t seq = probe(rig, 3), other = ask(rig, 4);

        rig_reply(rig, other, OUTCOME_LATER); /* one, no more */
        assert_int_equal(rig->n_requests, 9);
        rig_list(rig, "");
        rig_reply(rig, seq, OUTCOME_OK);
        assert_false(gauges(rig).breaker_open);
        ask(rig, 5);
        rig_expect(rig, "GET", RIG_LIST);
        rig_free(rig);
    }
}

static void test_any_answer_of_the_api_closes_the_breaker(void **state)
{
    (void)state;
    static const int statuses[] = {401, 404, 422, 429, 500, 503};

    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct rig *rig = rig_new();

        break_it(rig, rig_fate(FATE_LOST));
        probe(rig, 3);
        rig_answer(rig, statuses[i], "{\"errors\":[\"in its own words\"]}");
        assert_false(gauges(rig).breaker_open);
        rig_free(rig);
    }
}

static void test_failing_probes_come_ever_more_seldom(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    uint64_t last = FIRST_MS;

    break_it(rig, rig_fate(FATE_NOT_SENT));
    for (uint64_t i = 0; i < 5; i++) {
        uint64_t seq = probe(rig, 10 + i);

        rig_result(rig, rig_fate(FATE_NOT_SENT));
        rig_next(rig); /* it is not repeated */
        rig_no_request(rig);
        uint64_t wait = rig_reply(rig, seq, OUTCOME_LATER)->wait_ms;
        uint64_t least = 2 * last > LAST_MS ? LAST_MS : 2 * last;

        assert_in_range(wait, least - 200, least + least / 4); /* the repetition was due 50 to 100 ms later */
        last = least;
    }
    rig_free(rig);
}

static void test_an_outage_that_lasts_is_told(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    break_it(rig, rig_fate(FATE_LOST));
    rig_wait(rig, 59000);
    ask(rig, 3); /* a probe, by now */
    rig_expect(rig, "GET", RIG_LIST);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_reply(rig, ask(rig, 4), OUTCOME_LATER);
    rig_wait(rig, 1000);
    const struct rig_message *m = rig_reply(rig, ask(rig, 5), OUTCOME_TRANSIENT);

    assert_non_null(
        strstr(m->detail, "the Packet API has not answered since 2023-11-14T22:13:20Z: connection"));
    assert_non_null(strstr(gateway_core_doing(rig->core), "has not answered for 60 s"));
    rig_free(rig);
}

static void test_answers_between_failures_keep_the_breaker_closed(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    for (uint64_t i = 0; i < 12; i++) {
        ask(rig, 10 + i);
        rig_result(rig, i % 5 == 4 ? rig_json(200, RIG_EMPTY) : rig_fate(FATE_NOT_SENT));
        rig_revoke(rig, 10 + i);
    }
    assert_false(gauges(rig).breaker_open);
    rig_free(rig);
}

/* A task that can only begin with a DELETE must be able to find out that the API is back. */
static void test_a_delete_may_be_the_probe(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    break_it(rig, rig_fate(FATE_NOT_SENT));
    rig_wait(rig, 2 * FIRST_MS);
    grant(rig, 7);
    rig_remove(rig, .handle = 7, .id = RIG_ID);
    rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID);
    rig_free(rig);
}

/* ---- turns */

/* In a project of its own: no list serves two. */
static void grant_apart(struct rig *rig, uint64_t handle)
{
    char project[40];

    snprintf(project, sizeof project, "%08lu-8b0f-4d2a-9a53-0c8d1f9a7b10", (unsigned long)handle);
    assert_int_equal(rig_grant(rig, .handle = handle, .project = project, .id = RIG_ID), OUTCOME_OK);
}

static void many_calls(struct rig *rig, uint64_t handle, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        rig_search(rig, .handle = handle);
        rig_answer(rig, 200, RIG_EMPTY);
    }
}

static void test_an_object_with_many_calls_goes_behind_others(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(0, 10, 1, ""); /* one at a time */

    for (uint64_t handle = 1; handle <= 4; handle++)
        grant_apart(rig, handle);
    many_calls(rig, 1, 20);
    rig_search(rig, .handle = 2); /* under way */
    uint64_t busy = rig_search(rig, .handle = 1);

    rig_wait(rig, 100);
    uint64_t third = rig_search(rig, .handle = 3), fourth = rig_search(rig, .handle = 4);

    rig_answer(rig, 200, RIG_EMPTY);
    rig_answer(rig, 200, RIG_EMPTY);
    rig_reply(rig, third, OUTCOME_OK);
    rig_no_reply(rig, busy);
    rig_answer(rig, 200, RIG_EMPTY);
    rig_reply(rig, fourth, OUTCOME_OK);
    rig_no_reply(rig, busy);
    rig_answer(rig, 200, RIG_EMPTY);
    rig_reply(rig, busy, OUTCOME_OK);
    rig_free(rig);
}

/* A hundred obsolete keys of one object are not all more urgent than another's only one. */
static void test_many_deletes_of_one_object_do_not_overtake_everybody(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(0, 10, 1, "");

    for (uint64_t handle = 1; handle <= 3; handle++)
        grant_apart(rig, handle);
    many_calls(rig, 1, 20);
    rig_search(rig, .handle = 2);
    rig_remove(rig, .handle = 1, .id = RIG_ID);
    rig_create(rig, .handle = 3);
    rig_answer(rig, 200, RIG_EMPTY);
    rig_expect(rig, "GET", "/projects/00000003-8b0f-4d2a-9a53-0c8d1f9a7b10/ssh-keys"); /* of the create */
    rig_free(rig);

    rig = rig_new_with(0, 10, 1, "");
    for (uint64_t handle = 1; handle <= 3; handle++)
        grant_apart(rig, handle);
    rig_search(rig, .handle = 2);
    rig_create(rig, .handle = 3);
    rig_remove(rig, .handle = 1, .id = RIG_ID);
    rig_answer(rig, 200, RIG_EMPTY);
    rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_breaker_opens_and_one_probe_closes_it),
        cmocka_unit_test(test_any_answer_of_the_api_closes_the_breaker),
        cmocka_unit_test(test_failing_probes_come_ever_more_seldom),
        cmocka_unit_test(test_an_outage_that_lasts_is_told),
        cmocka_unit_test(test_answers_between_failures_keep_the_breaker_closed),
        cmocka_unit_test(test_a_delete_may_be_the_probe),
        cmocka_unit_test(test_an_object_with_many_calls_goes_behind_others),
        cmocka_unit_test(test_many_deletes_of_one_object_do_not_overtake_everybody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
