/* tests/unit/test_gateway_create.c -- CREATE: never a POST without a list, never two for one question, and
 * every lost create found again (packet C-13, C-20 to C-23, C-25, C-28, C-41). Drives the core with scripted
 * answers. */
#include "tests/unit/test_gateway_play.h"

static struct rig *ready(void)
{
    struct rig *rig = rig_new();

    assert_int_equal(rig_grant(rig, .id = NULL), OUTCOME_OK);
    return rig;
}

static const char *created(void)
{
    static char body[1024];

    return rig_our_key(body, sizeof body);
}

static void test_C_13_create_sends_label_key_tags_only(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .shoot_uid = "shoot-uid-1");

    rig_list(rig, "");
    const struct gateway_request *r = rig_expect(rig, "POST", RIG_LIST);

    assert_string_equal(r->body, "{\"label\":\"" RIG_LABEL "\",\"key\":\"" RIG_KEY
                                 "\",\"tags\":[\"gardener.cloud/infrastructure=" RIG_OWNER
                                 "\",\"gardener.cloud/shoot-uid=shoot-uid-1\"]}");
    assert_string_equal(r->token, RIG_TOKEN);
    assert_true(r->once);
    rig_answer(rig, 201, created());
    assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID);
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->adopted, 0);
    rig_free(rig);
}

static void test_C_21_list_and_adopt_before_the_first_post(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, rig_our_key(key, sizeof key));
    assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID);
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->adopted, 1);
    assert_int_equal(rig_count(rig, "POST"), 0);
    rig_free(rig);
}

static void test_C_21_a_fresh_search_saves_the_list(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_search(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "POST", RIG_LIST);
    assert_int_equal(rig_count(rig, "GET"), 1);
    rig_free(rig);
}

static void test_C_21_an_old_search_does_not(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_search(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_wait(rig, 5000);
    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST);
    rig_free(rig);
}

static void test_C_21_the_age_counts_from_when_the_list_was_sent(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_search(rig, .key = RIG_KEY);
    rig_wait(rig, 4900); /* a slow answer */
    rig_list(rig, "");
    rig_wait(rig, 200);
    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST);
    rig_free(rig);
}

static void test_C_21_a_search_for_another_key_is_no_evidence(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_search(rig, .key = RIG_KEY2);
    rig_list(rig, "");
    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST);
    rig_free(rig);
}

static void test_C_21_a_search_before_another_mutation_is_no_evidence(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .id = RIG_ID2);
    rig_search(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_remove(rig, .id = RIG_ID2);
    rig_answer(rig, 204, "");
    rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST);
    rig_free(rig);
}

/* A POST with this result, then the list that shows the key: adopted, one POST in all. */
static void check_lost_but_made(struct gateway_result result)
{
    char key[1024];
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, result);
    rig_no_reply(rig, seq);
    rig_list(rig, rig_our_key(key, sizeof key));
    assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID);
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->adopted, 1);
    /* Whose key it is, nobody knows; a 422 was the end of ours. */
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->maybe, result.status != 422);
    assert_int_equal(rig_count(rig, "POST"), 1);
    rig_no_request(rig);
    rig_free(rig);
}

static void test_C_20_404_after_commit_is_adopted(void **state)
{
    (void)state;
    check_lost_but_made(rig_json(404, RIG_NOT_FOUND));
}

static void test_C_20_reset_after_commit_is_adopted(void **state)
{
    (void)state;
    check_lost_but_made(rig_fate(FATE_LOST));
}

static void test_C_20_500_after_commit_is_adopted(void **state)
{
    (void)state;
    check_lost_but_made(rig_json(500, "{\"errors\":[\"Oh snap\"]}"));
}

static void test_C_20_502_html_after_commit_is_adopted(void **state)
{
    (void)state;
    check_lost_but_made(rig_html(502));
}

static void test_C_41_201_truncated_is_adopted_by_list(void **state)
{
    (void)state;
    check_lost_but_made(rig_json(201, "{\"id\":\"" RIG_ID));
}

static void test_C_41_201_empty_object_is_adopted_by_list(void **state)
{
    (void)state;
    check_lost_but_made(rig_json(201, "{}"));
}

static void test_C_41_201_with_a_bad_id_is_adopted_by_list(void **state)
{
    (void)state;
    check_lost_but_made(rig_json(201, "{\"id\":\"17\"}"));
}

static void test_C_20_422_after_an_earlier_commit_is_adopted(void **state)
{
    (void)state;
    check_lost_but_made(rig_json(422, "{\"errors\":[\"Key must be unique\"]}"));
}

static void test_C_20_unknown_when_no_list_shows_it_and_listed_again_before_the_next_post(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_list(rig, "");
    assert_string_equal(rig_reply(rig, seq, OUTCOME_UNKNOWN)->detail, "connection reset by peer");
    seq = rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_answer(rig, 201, created());
    rig_reply(rig, seq, OUTCOME_OK);
    assert_int_equal(rig_count(rig, "POST"), 2);
    rig_free(rig);
}

static void test_C_20_unknown_when_the_list_after_fails(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_expect(rig, "GET", RIG_LIST);
    rig_answer(rig, 401, "{\"error\":\"Invalid authentication token\"}");
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

static void test_C_20_a_search_sent_before_the_post_ended_is_no_evidence(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t first = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    uint64_t search = rig_search(rig, .key = RIG_KEY); /* has to wait for the lock */

    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_list(rig, "");
    rig_reply(rig, first, OUTCOME_UNKNOWN);
    rig_no_reply(rig, search);
    rig_list(rig, "");
    rig_reply(rig, search, OUTCOME_OK);
    rig_free(rig);
}

static void test_C_22_422_without_a_match_is_final(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_answer(rig, 422, "{\"errors\":[\"Key is invalid\",\"Label too long\"]}");
    rig_list(rig, "");
    const struct rig_message *m = rig_reply(rig, seq, OUTCOME_REFUSED);

    assert_int_equal(m->http, 422);
    assert_string_equal(m->detail, "HTTP 422: Key is invalid; Label too long (request "
                                   "0f6c2f0f4b0d4c3b9a7e5d1c2b3a4f5e)");
    assert_string_equal(m->request_id, "0f6c2f0f4b0d4c3b9a7e5d1c2b3a4f5e");
    rig_no_request(rig);
    rig_free(rig);
}

static void test_C_22_422_without_a_match_is_unknown_while_an_attempt_is_open(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_result(rig, rig_fate(FATE_LOST));
    rig_list(rig, "");
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, ""); /* the list lags */
    rig_expect(rig, "POST", RIG_LIST);
    rig_answer(rig, 422, "{\"errors\":[\"Key must be unique\"]}");
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

static void test_C_25_same_blob_under_a_foreign_label_is_left_alone(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig,
             rig_key_json(key, sizeof key, RIG_ID, "mine", RIG_KEY_BARE, "2021-03-04T05:06:07Z", "null"));
    assert_non_null(strstr(rig_reply(rig, seq, OUTCOME_REFUSED)->detail, RIG_ID));
    assert_int_equal(rig_count(rig, "POST"), 0);
    rig_free(rig);
}

static void test_C_25_another_owners_tag_is_left_alone(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, rig_key_json(key, sizeof key, RIG_ID, RIG_LABEL, RIG_KEY_BARE, "2021-03-04T05:06:07Z",
                               "[\"gardener.cloud/infrastructure=other/infra\"]"));
    assert_non_null(strstr(rig_reply(rig, seq, OUTCOME_REFUSED)->detail, RIG_ID));
    assert_int_equal(rig_count(rig, "POST"), 0);
    rig_free(rig);
}

static void test_C_23_the_oldest_of_several_is_adopted(void **state)
{
    (void)state;
    char a[1024], b[1024], both[2100];
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_key_json(a, sizeof a, RIG_ID, RIG_LABEL, RIG_KEY_BARE, "2021-03-04T05:06:08Z", "[]");
    rig_key_json(b, sizeof b, RIG_ID2, RIG_LABEL, RIG_KEY_BARE, "2021-03-04T05:06:07Z", "[]");
    snprintf(both, sizeof both, "%s,%s", a, b);
    rig_list(rig, both);
    assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID2);
    rig_free(rig);
}

static void test_C_28_a_201_outweighs_a_list_that_misses_it(void **state)
{
    (void)state;
    struct rig *rig = ready();

    rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_answer(rig, 201, created());
    rig_wait(rig, 9000);
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    assert_string_equal(rig_reply(rig, seq, OUTCOME_OK)->key_id, RIG_ID);
    assert_int_equal(rig_count(rig, "POST"), 1);
    rig_wait(rig, 1000); /* the grace is over */
    rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_free(rig);
}

static void test_C_20_not_sent_is_transient_and_needs_no_list(void **state)
{
    (void)state;
    struct rig *rig = ready();
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_result(rig, rig_fate(FATE_NOT_SENT));
    rig_reply(rig, seq, OUTCOME_TRANSIENT);
    rig_no_request(rig);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_13_create_sends_label_key_tags_only),
        cmocka_unit_test(test_C_21_list_and_adopt_before_the_first_post),
        cmocka_unit_test(test_C_21_a_fresh_search_saves_the_list),
        cmocka_unit_test(test_C_21_an_old_search_does_not),
        cmocka_unit_test(test_C_21_the_age_counts_from_when_the_list_was_sent),
        cmocka_unit_test(test_C_21_a_search_for_another_key_is_no_evidence),
        cmocka_unit_test(test_C_21_a_search_before_another_mutation_is_no_evidence),
        cmocka_unit_test(test_C_20_404_after_commit_is_adopted),
        cmocka_unit_test(test_C_20_reset_after_commit_is_adopted),
        cmocka_unit_test(test_C_20_500_after_commit_is_adopted),
        cmocka_unit_test(test_C_20_502_html_after_commit_is_adopted),
        cmocka_unit_test(test_C_41_201_truncated_is_adopted_by_list),
        cmocka_unit_test(test_C_41_201_empty_object_is_adopted_by_list),
        cmocka_unit_test(test_C_41_201_with_a_bad_id_is_adopted_by_list),
        cmocka_unit_test(test_C_20_422_after_an_earlier_commit_is_adopted),
        cmocka_unit_test(test_C_20_unknown_when_no_list_shows_it_and_listed_again_before_the_next_post),
        cmocka_unit_test(test_C_20_unknown_when_the_list_after_fails),
        cmocka_unit_test(test_C_20_a_search_sent_before_the_post_ended_is_no_evidence),
        cmocka_unit_test(test_C_22_422_without_a_match_is_final),
        cmocka_unit_test(test_C_22_422_without_a_match_is_unknown_while_an_attempt_is_open),
        cmocka_unit_test(test_C_25_same_blob_under_a_foreign_label_is_left_alone),
        cmocka_unit_test(test_C_25_another_owners_tag_is_left_alone),
        cmocka_unit_test(test_C_23_the_oldest_of_several_is_adopted),
        cmocka_unit_test(test_C_28_a_201_outweighs_a_list_that_misses_it),
        cmocka_unit_test(test_C_20_not_sent_is_transient_and_needs_no_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
