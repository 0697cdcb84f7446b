/* tests/unit/test_gateway_flight.c -- one list for all that ask for the same one before it is sent, and never
 * for one that asks later (design 12.11; packet 4.4). One call at a time: what comes while it is under way
 * waits. */
#include "tests/unit/test_gateway_play.h"

#define OTHER_PROJECT "00000000-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define OTHER_LIST    "/projects/" OTHER_PROJECT "/ssh-keys"
#define THIRD_PROJECT "77777777-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define THIRD_LIST    "/projects/" THIRD_PROJECT "/ssh-keys"
#define BUSY          100u /* handle of the question whose list is under way */

/* A call of another project is under way; n grants of one project with labels of their own, 1 to n. */
static struct rig *busy_rig(double rate, unsigned n)
{
    struct rig *rig = rig_new_with(rate, 100, 1, "");
    char label[16];

    rig_grant(rig, .handle = BUSY, .project = OTHER_PROJECT, .label = "busy");
    rig_wait(rig, 15000);
    rig_search(rig, .handle = BUSY);
    rig_expect(rig, "GET", OTHER_LIST);
    for (unsigned i = 1; i <= n; i++) {
        snprintf(label, sizeof label, "l%u", i);
        rig_grant(rig, .handle = i, .worker = RIG_WORKER + i, .label = label, .owner = label, .calls = 2);
    }
    return rig;
}

/* The call under way ends: those that wait may start, one after the other. */
static void end_busy(struct rig *rig)
{
    rig_expect(rig, "GET", OTHER_LIST);
    rig_answer(rig, 200, RIG_EMPTY);
}

static uint64_t search(struct rig *rig, uint64_t handle)
{
    return rig_search(rig, .handle = handle, .worker = RIG_WORKER + handle, .key = RIG_KEY);
}

static const char *id_of(unsigned n)
{
    static char id[40];

    snprintf(id, sizeof id, "%08u-54d1-4a0e-8f0a-2b6a5a1d9c44", n);
    return id;
}

/* A key that is ours under label l<n>. */
static const char *key_of(unsigned n)
{
    static char text[2048];
    char label[16], tags[80];

    snprintf(label, sizeof label, "l%u", n);
    snprintf(tags, sizeof tags, "[\"gardener.cloud/infrastructure=%s\"]", label);
    return rig_key_json(text, sizeof text, id_of(n), label, RIG_KEY2, "2021-03-04T05:06:07Z", tags);
}

/* FOUND names exactly the key of l<n>. */
static void found_only(struct rig *rig, uint64_t seq, unsigned n)
{
    const struct rig_message *m = rig_reply(rig, seq, OUTCOME_OK);

    assert_true(value_is_text(value_get(rig_found(m, 0), "id"), id_of(n)));
    assert_int_equal(value_count(m->found), 1);
}

static void found_nothing(struct rig *rig, uint64_t seq)
{
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 0);
}

/* The i-th request ends so, in any order. */
static void answer_nth(struct rig *rig, unsigned i, struct gateway_result result)
{
    result.id = rig->requests[i].r.id;
    gateway_core_result(rig->core, &result, rig->now);
}

/* The same with a list of the key of l<n>. */
static void list_nth(struct rig *rig, unsigned i, unsigned n)
{
    char *body = x_asprintf("{\"ssh_keys\":[%s]}", key_of(n));

    answer_nth(rig, i, rig_json(200, body));
    free(body);
}

static void test_waiting_searches_of_a_project_make_one_get(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 20);
    uint64_t seqs[21];

    for (unsigned i = 1; i <= 20; i++)
        seqs[i] = search(rig, i);
    end_busy(rig);
    rig_list(rig, key_of(17));
    for (unsigned i = 1; i <= 20; i++) {
        if (i == 17)
            found_only(rig, seqs[i], i);
        else
            found_nothing(rig, seqs[i]);
    }
    assert_int_equal(rig->n_requests, 2);
    rig_free(rig);
}

static void test_another_credential_or_project_lists_for_itself(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 1);

    rig_grant(rig, .handle = 50, .label = "x", .token = "another-token");
    rig_grant(rig, .handle = 51, .label = "x", .project = THIRD_PROJECT);
    search(rig, 1);
    rig_search(rig, .handle = 50);
    rig_search(rig, .handle = 51);
    end_busy(rig);
    rig_list(rig, "");
    assert_string_equal(rig_expect(rig, "GET", RIG_LIST)->token, "another-token");
    rig_list(rig, "");
    rig_expect(rig, "GET", THIRD_LIST);
    rig_free(rig);
}

/* The delayed list of l1 was sent before the key of l2 was made, and shows nothing: nobody may take it for an
 * answer to a question of later. */
static void test_a_list_under_way_is_not_joined(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1, .label = "l1");
    rig_grant(rig, .handle = 2, .label = "l2", .owner = "l2");
    uint64_t early = rig_search(rig, .handle = 1); /* request 0 */

    rig_create(rig, .handle = 2, .key = RIG_KEY2);
    answer_nth(rig, 1, rig_json(200, RIG_EMPTY));
    answer_nth(rig, 2, rig_json(201, "{\"id\":\"00000002-54d1-4a0e-8f0a-2b6a5a1d9c44\"}"));
    rig_wait(rig, 11000); /* the gateway's own memory of the 201 is over */
    uint64_t late = rig_search(rig, .handle = 2, .key = RIG_KEY2);

    assert_int_equal(rig->n_requests, 4);
    answer_nth(rig, 0, rig_json(200, RIG_EMPTY));
    found_nothing(rig, early);
    rig_no_reply(rig, late);
    list_nth(rig, 3, 2);
    found_only(rig, late, 2);
    rig_free(rig);
}

static void test_the_list_after_an_effect_does_not_join_one_sent_before(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .handle = 1, .label = "l1");
    rig_grant(rig, .handle = 2, .label = "l2", .owner = "l2");
    uint64_t create = rig_create(rig, .handle = 2, .key = RIG_KEY2);

    answer_nth(rig, 0, rig_json(200, RIG_EMPTY));
    assert_string_equal(rig->requests[1].r.method, "POST");
    rig_search(rig, .handle = 1);            /* request 2, before the POST ends */
    answer_nth(rig, 1, rig_fate(FATE_LOST)); /* carried out all the same */
    assert_int_equal(rig->n_requests, 4);    /* the list that tells what became of it */
    answer_nth(rig, 2, rig_json(200, RIG_EMPTY));
    rig_no_reply(rig, create);
    list_nth(rig, 3, 2);
    assert_true(rig_reply(rig, create, OUTCOME_OK)->adopted);
    rig_free(rig);
}

static void test_the_list_after_an_effect_joins_one_not_yet_sent(void **state)
{
    (void)state;
    struct rig *rig = rig_new_with(0, 100, 1, "");

    rig_grant(rig, .handle = 1, .worker = RIG_WORKER + 1, .label = "l1");
    rig_grant(rig, .handle = 2, .label = "l2", .owner = "l2");
    uint64_t create = rig_create(rig, .handle = 2, .key = RIG_KEY2);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    uint64_t other = search(rig, 1);

    rig_result(rig, rig_fate(FATE_LOST));
    assert_int_equal(rig->n_requests, 3);
    rig_list(rig, key_of(2));
    found_nothing(rig, other);
    rig_reply(rig, create, OUTCOME_OK);
    rig_free(rig);
}

/* What a shared list did not show may be posted without another one, for as long after the list was sent as
 * with one of its own. */
static void test_a_shared_list_is_evidence_for_each(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 2);

    search(rig, 1);
    search(rig, 2);
    rig_wait(rig, 1500);
    end_busy(rig);
    rig_list(rig, "");
    rig_wait(rig, 4000);
    for (uint64_t i = 1; i <= 2; i++) {
        rig_create(rig, .handle = i, .worker = RIG_WORKER + i, .key = RIG_KEY);
        rig_expect(rig, "POST", RIG_LIST);
        rig_answer(rig, 201, "{\"id\":\"" RIG_ID "\"}");
    }
    rig_free(rig);
}

static void test_a_task_that_goes_leaves_the_list_to_the_others(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 4);
    uint64_t seqs[5];

    for (unsigned i = 1; i <= 4; i++)
        seqs[i] = search(rig, i);
    rig_worker_gone(rig, RIG_WORKER + 1); /* the one that asked for it */
    rig_revoke(rig, 3);
    end_busy(rig);
    rig_expect(rig, "GET", RIG_LIST);
    rig_worker_gone(rig, RIG_WORKER + 4); /* sent already */
    rig_list(rig, key_of(2));
    found_only(rig, seqs[2], 2);
    for (unsigned i = 1; i <= 4; i += i == 1 ? 2 : 1)
        rig_no_reply(rig, seqs[i]);
    rig_search(rig, .handle = BUSY);
    search(rig, 2);
    rig_worker_gone(rig, RIG_WORKER + 2);
    end_busy(rig);
    rig_no_request(rig); /* nobody is left */
    rig_free(rig);
}

/* Each waits for budget and place as long as it would alone. */
static void test_the_one_that_waited_too_long_goes_alone(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 2);
    uint64_t first = search(rig, 1);

    rig_wait(rig, 1500);
    uint64_t second = search(rig, 2);

    rig_wait(rig, 500);
    rig_reply(rig, first, OUTCOME_LATER);
    rig_no_reply(rig, second);
    rig_wait(rig, 1000);
    end_busy(rig);
    rig_list(rig, key_of(2));
    found_only(rig, second, 2);
    rig_free(rig);
}

/* A create joins the list a search waits for, and both go ahead of other searches; without the create they
 * wait again. */
static void test_the_highest_lane_counts(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        struct rig *rig = busy_rig(0, 2);

        rig_grant(rig, .handle = 60, .label = "x", .project = THIRD_PROJECT);
        search(rig, 1);
        rig_create(rig, .handle = 60, .key = RIG_KEY);
        rig_create(rig, .handle = 2, .worker = RIG_WORKER + 2, .key = RIG_KEY);
        if (gone)
            rig_worker_gone(rig, RIG_WORKER + 2);
        end_busy(rig);
        rig_expect(rig, "GET", gone ? THIRD_LIST : RIG_LIST);
        rig_free(rig);
    }
}

static void test_a_repeated_list_stays_shared(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 3);
    uint64_t first = search(rig, 1), second = search(rig, 2);

    end_busy(rig);
    rig_expect(rig, "GET", RIG_LIST);
    rig_answer(rig, 500, "{\"errors\":[\"Oh snap\"]}");
    uint64_t third = search(rig, 3); /* has all its tries before it */

    rig_list(rig, key_of(3));
    found_only(rig, third, 3);
    rig_next(rig);
    assert_int_equal(rig->n_requests, 4);
    rig_list(rig, key_of(2));
    found_nothing(rig, first);
    found_only(rig, second, 2);
    rig_free(rig);
}

static void test_the_pages_are_shared(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(0, 3);
    uint64_t first = search(rig, 1), second = search(rig, 2);
    char *page =
        x_asprintf("{\"ssh_keys\":[%s],\"meta\":{\"next\":{\"href\":\"%s?page=2\"}}}", key_of(1), RIG_LIST);

    end_busy(rig);
    rig_expect(rig, "GET", RIG_LIST);
    uint64_t third =
        search(rig, 3); /* waits while the first page is under way, and does not join the second */

    rig_answer(rig, 200, page);
    free(page);
    rig_list(rig, key_of(3));
    found_only(rig, third, 3);
    rig_expect(rig, "GET", RIG_LIST "?page=2");
    list_nth(rig, rig->n_answered++, 2);
    found_only(rig, first, 1);
    found_only(rig, second, 2);
    rig_free(rig);
}

static void test_a_list_that_fails_fails_for_all(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum outcome outcome;
        unsigned tries;
    } rows[] = {
        {404, RIG_NOT_FOUND, OUTCOME_NO_PROJECT, 1},
        {500, RIG_NOT_FOUND, OUTCOME_TRANSIENT, 6},
        {200, "{\"ssh_keys\":[{}],\"meta\":{\"next\":{\"href\":\"/elsewhere\"}}}", OUTCOME_MISCONFIGURED, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *rig = busy_rig(0, 2);
        uint64_t first = search(rig, 1), second = search(rig, 2);

        end_busy(rig);
        for (unsigned n = 0; n < rows[i].tries; n++) {
            if (n)
                rig_next(rig);
            rig_expect(rig, "GET", RIG_LIST);
            rig_answer(rig, rows[i].status, rows[i].body);
        }
        rig_reply(rig, first, rows[i].outcome);
        rig_reply(rig, second, rows[i].outcome);
        rig_no_request(rig);
        rig_free(rig);
    }
}

/* 30 tokens, 14 grants that were promised two calls each, and one list for them all. */
static void test_a_shared_list_is_charged_once(void **state)
{
    (void)state;
    struct rig *rig = busy_rig(2, 13);
    struct gateway_gauges before, after;
    unsigned more = 0;

    for (unsigned i = 1; i <= 13; i++)
        search(rig, i);
    gateway_core_gauges(rig->core, &before);
    end_busy(rig);
    rig_expect(rig, "GET", RIG_LIST);
    gateway_core_gauges(rig->core, &after);
    assert_true(before.budget - after.budget == 1);
    /* 28 left and 14 promised: seven more find room. With all promises still standing it would be one. */
    while (rig_grant(rig, .handle = 200 + more, .calls = 2) == OUTCOME_OK)
        more++;
    assert_true(more >= 6);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_searches_of_a_project_make_one_get),
        cmocka_unit_test(test_another_credential_or_project_lists_for_itself),
        cmocka_unit_test(test_a_list_under_way_is_not_joined),
        cmocka_unit_test(test_the_list_after_an_effect_does_not_join_one_sent_before),
        cmocka_unit_test(test_the_list_after_an_effect_joins_one_not_yet_sent),
        cmocka_unit_test(test_a_shared_list_is_evidence_for_each),
        cmocka_unit_test(test_a_task_that_goes_leaves_the_list_to_the_others),
        cmocka_unit_test(test_the_one_that_waited_too_long_goes_alone),
        cmocka_unit_test(test_the_highest_lane_counts),
        cmocka_unit_test(test_a_repeated_list_stays_shared),
        cmocka_unit_test(test_the_pages_are_shared),
        cmocka_unit_test(test_a_list_that_fails_fails_for_all),
        cmocka_unit_test(test_a_shared_list_is_charged_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
