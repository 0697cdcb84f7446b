/* tests/unit/test_gateway_change.c -- UPDATE and REMOVE: only the members that change, only granted ids,
 * repeats that cannot hurt, and "gone" by proof alone (packet C-6, C-24 to C-27, 5.3). */
#include "tests/unit/test_gateway_play.h"

#define ITEM "/ssh-keys/" RIG_ID

static struct rig *ready(void)
{
    struct rig *rig = rig_new();

    assert_int_equal(rig_grant(rig, .id = RIG_ID), OUTCOME_OK);
    return rig;
}

static const char *changed(void)
{
    static char body[1024];

    return rig_our_key(body, sizeof body);
}

static void test_C_24_put_holds_only_what_changes(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool relabel, retag;
        const char *body;
    } rows[] = {
        {RIG_KEY2, false, false, "{\"key\":\"" RIG_KEY2 "\"}"},
        {NULL, true, false, "{\"label\":\"" RIG_LABEL "\"}"},
        {NULL, false, true, "{\"tags\":[\"gardener.cloud/infrastructure=" RIG_OWNER "\"]}"},
        {RIG_KEY2, true, false, "{\"label\":\"" RIG_LABEL "\",\"key\":\"" RIG_KEY2 "\"}"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *rig = ready();
        uint64_t seq = rig_update(rig, .id = RIG_ID, .key = rows[i].key, .relabel = rows[i].relabel,
                                  .retag = rows[i].retag);

        assert_string_equal(rig_expect(rig, "PUT", ITEM)->body, rows[i].body);
        assert_true(rig_expect(rig, "PUT", ITEM)->once);
        rig_answer(rig, 200, changed());
        assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID);
        rig_free(rig);
    }
}

static void test_C_24_an_empty_update_is_our_bug(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_reply(rig, rig_update(rig, .id = RIG_ID), OUTCOME_BUG);
    assert_int_equal(rig->n_requests, 0);
    rig_free(rig);
}

static void test_C_25_foreign_and_malformed_ids_are_not_granted(void **state)
{
    (void)state;
    static const char *const ids[] = {RIG_ID2, "", "17", "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c4g",
                                      "../projects/x"};
    struct rig *rig = ready();

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        rig_reply(rig, rig_remove(rig, .id = ids[i]), OUTCOME_NOT_GRANTED);
        rig_reply(rig, rig_update(rig, .id = ids[i], .relabel = true), OUTCOME_NOT_GRANTED);
    }
    assert_int_equal(rig->n_requests, 0);
    rig_free(rig);
}

static void test_C_25_an_id_found_ours_by_the_own_list_is_granted(void **state)
{
    (void)state;
    char ours[1024], other[1024], both[2100];
    struct rig *rig = ready();

    rig_search(rig, .key = RIG_KEY);
    rig_key_json(ours, sizeof ours, RIG_ID2, RIG_LABEL, RIG_KEY2, "2021-03-04T05:06:07Z", RIG_TAGS);
    rig_key_json(other, sizeof other, "22222222-54d1-4a0e-8f0a-2b6a5a1d9c44", RIG_LABEL, RIG_KEY2,
                 "2021-03-04T05:06:07Z", "[]");
    snprintf(both, sizeof both, "%s,%s", ours, other);
    rig_list(rig, both);
    rig_remove(rig, .id = RIG_ID2);
    rig_expect(rig, "DELETE", "/ssh-keys/" RIG_ID2);
    rig_reply(rig, rig_remove(rig, .id = "22222222-54d1-4a0e-8f0a-2b6a5a1d9c44"), OUTCOME_NOT_GRANTED);
    rig_free(rig);
}

static void test_C_26_delete_succeeds_with_204_200_202(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
    } rows[] = {{204, ""}, {200, ""}, {202, "{\"state\":\"deleting\"}"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *rig = ready();
        uint64_t seq = rig_remove(rig, .id = RIG_ID);
        struct gateway_result r = rig_json(rows[i].status, rows[i].body);

        r.json = rows[i].body[0] != '\0';
        rig_expect(rig, "DELETE", ITEM);
        rig_result(rig, r);
        assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID);
        rig_free(rig);
    }
}

static void test_C_40_delete_answered_by_another_host_is_no_success(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_result(rig, rig_html(200));
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

static void test_C_27_gone_needs_the_apis_404_and_a_list_without_it(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_no_reply(rig, seq);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_GONE);
    rig_free(rig);
}

static void test_C_27_404_while_still_listed_is_repeated_then_transient(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_our_key(key, sizeof key);
    for (int i = 0; i < 3; i++) {
        if (i)
            rig_next(rig);
        rig_expect(rig, "DELETE", ITEM);
        rig_answer(rig, 404, RIG_NOT_FOUND);
        rig_list(rig, key);
    }
    rig_reply(rig, seq, OUTCOME_TRANSIENT);
    rig_no_request(rig);
    rig_free(rig);
}

static void test_C_27_a_failed_list_proves_nothing(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_expect(rig, "GET", RIG_LIST);
    rig_answer(rig, 403, "{\"errors\":[\"You are not authorized\"]}");
    rig_reply(rig, seq, OUTCOME_UNAUTHORIZED);
    rig_free(rig);
}

static void test_C_27_403_on_delete_is_an_error(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_answer(rig, 403, "{\"errors\":[\"You are not authorized to delete this\"]}");
    rig_reply(rig, seq, OUTCOME_UNAUTHORIZED);
    rig_no_request(rig);
    rig_free(rig);
}

static void test_C_32_a_balancers_404_is_no_absence(void **state)
{
    (void)state;
    struct gateway_result kinds[3] = {rig_html(404), rig_html(404), rig_json(404, RIG_NOT_FOUND)};

    kinds[1].request_id = "0f6c2f0f4b0d4c3b9a7e5d1c2b3a4f5e";
    kinds[2].request_id = "";
    for (int k = 0; k < 3; k++) {
        struct rig *rig = ready();
        uint64_t seq = rig_remove(rig, .id = RIG_ID);

        for (int i = 0; i < 6; i++) {
            if (i)
                rig_next(rig);
            rig_expect(rig, "DELETE", ITEM);
            rig_result(rig, kinds[k]);
        }
        rig_reply(rig, seq, OUTCOME_UNKNOWN);
        assert_int_equal(rig_count(rig, "GET"), 0);
        rig_free(rig);
    }
}

static void test_C_10_lost_deletes_and_puts_are_repeated(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_result(rig, rig_fate(FATE_LOST));
    rig_no_request(rig); /* not at once */
    rig_next(rig);
    rig_expect(rig, "DELETE", ITEM);
    rig_answer(rig, 204, "");
    rig_reply(rig, seq, OUTCOME_OK);

    seq = rig_update(rig, .id = RIG_ID, .relabel = true);
    rig_answer(rig, 500, "{\"errors\":[\"Oh snap\"]}");
    rig_next(rig);
    rig_expect(rig, "PUT", ITEM);
    rig_answer(rig, 200, changed());
    rig_reply(rig, seq, OUTCOME_OK);
    rig_free(rig);
}

static void test_C_10_after_the_last_repeat_the_outcome_is_unknown(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_update(rig, .id = RIG_ID, .key = RIG_KEY);

    for (int i = 0; i < 6; i++) {
        if (i)
            rig_next(rig);
        rig_result(rig, rig_fate(FATE_LOST));
    }
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_no_request(rig);
    rig_free(rig);
}

/* 30 s each: six of them would keep a worker for three minutes. */
static void test_C_9_slow_failures_are_repeated_less_often(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    for (int i = 0; i < 3; i++) {
        if (i)
            rig_next(rig);
        rig_no_reply(rig, seq);
        rig_wait(rig, PACKET_CALL_MS);
        rig_result(rig, rig_fate(FATE_LOST));
    }
    rig_reply(rig, seq, OUTCOME_TRANSIENT);
    rig_no_request(rig);
    rig_free(rig);
}

static void test_never_sent_stays_transient(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    for (int i = 0; i < 6; i++) {
        if (i)
            rig_next(rig);
        rig_result(rig, rig_fate(FATE_NOT_SENT));
    }
    rig_reply(rig, seq, OUTCOME_TRANSIENT);
    rig_free(rig);
}

static void test_a_lost_delete_then_404_and_proof_is_gone(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_result(rig, rig_fate(FATE_LOST));
    rig_next(rig);
    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_GONE);
    rig_free(rig);
}

static void test_no_repeat_after_the_deadline(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq =
        rig_update(rig, .id = RIG_ID, .key = RIG_KEY, .deadline_ms = (uint64_t)rig->now.boot_ms + 1000);

    assert_int_equal(rig_expect(rig, "PUT", ITEM)->start_before, rig->now.boot_ms + 1000);
    rig_wait(rig, 990);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

static void test_put_answered_for_another_key_is_no_success(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_update(rig, .id = RIG_ID, .relabel = true);

    for (int i = 0; i < 6; i++) {
        if (i)
            rig_next(rig);
        rig_answer(rig, 200, "{\"id\":\"" RIG_ID2 "\"}");
    }
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

static void test_a_refused_put_is_refused(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_update(rig, .id = RIG_ID, .key = RIG_KEY2);

    rig_answer(rig, 422, "{\"errors\":[\"Key must be unique\"]}");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_REFUSED)->http, 422);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_24_put_holds_only_what_changes),
        cmocka_unit_test(test_C_24_an_empty_update_is_our_bug),
        cmocka_unit_test(test_C_25_foreign_and_malformed_ids_are_not_granted),
        cmocka_unit_test(test_C_25_an_id_found_ours_by_the_own_list_is_granted),
        cmocka_unit_test(test_C_26_delete_succeeds_with_204_200_202),
        cmocka_unit_test(test_C_40_delete_answered_by_another_host_is_no_success),
        cmocka_unit_test(test_C_27_gone_needs_the_apis_404_and_a_list_without_it),
        cmocka_unit_test(test_C_27_404_while_still_listed_is_repeated_then_transient),
        cmocka_unit_test(test_C_27_a_failed_list_proves_nothing),
        cmocka_unit_test(test_C_27_403_on_delete_is_an_error),
        cmocka_unit_test(test_C_32_a_balancers_404_is_no_absence),
        cmocka_unit_test(test_C_10_lost_deletes_and_puts_are_repeated),
        cmocka_unit_test(test_C_10_after_the_last_repeat_the_outcome_is_unknown),
        cmocka_unit_test(test_C_9_slow_failures_are_repeated_less_often),
        cmocka_unit_test(test_never_sent_stays_transient),
        cmocka_unit_test(test_a_lost_delete_then_404_and_proof_is_gone),
        cmocka_unit_test(test_no_repeat_after_the_deadline),
        cmocka_unit_test(test_put_answered_for_another_key_is_no_success),
        cmocka_unit_test(test_a_refused_put_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
