/* tests/unit/test_gateway_list.c -- SEARCH: one complete list, filtered here, paged with limits, corrected by
 * what this process did itself (packet C-2, C-15 to C-19, C-23, C-28, C-29, C-38). */
#include "tests/unit/test_gateway_play.h"

#define EC_KEY                                                                                               \
    "ecdsa-sha2-nistp256 "                                                                                   \
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAmvRFTs3lVYnVdQN3NySJTC5lr/"                       \
    "0C5EkF4WotZ7dI0gzTDPgJJAto7fT8PdryO+1FA3TQhZuKnCbYbcrqgVS5U="

static struct rig *ready(const char *base_path)
{
    struct rig *rig = rig_new_with(0, 10, 32, base_path);

    assert_int_equal(rig_grant(rig, .id = RIG_ID), OUTCOME_OK);
    return rig;
}

static void answer_page(struct rig *rig, const char *members, const char *meta)
{
    char *body = x_asprintf("{\"meta\":%s,\"ssh_keys\":[%s]}", meta, members);

    rig_answer(rig, 200, body);
    free(body);
}

static void test_C_38_the_list_is_the_only_check(void **state)
{
    (void)state;
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_list(rig, "");
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 0);
    assert_int_equal(rig->n_requests, 1);
    rig_free(rig);
}

static void test_C_18_only_keys_that_concern_the_job_come_back(void **state)
{
    (void)state;
    char keys[4096], one[1024];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    /* recorded with other material and label; a stranger's; the same blob elsewhere; our label only */
    strcpy(keys, rig_key_json(one, sizeof one, RIG_ID, "x", RIG_KEY2, "2022-01-01T00:00:00Z", "[]"));
    strcat(strcat(keys, ","), rig_key_json(one, sizeof one, "33333333-54d1-4a0e-8f0a-2b6a5a1d9c44", "y",
                                           RIG_KEY2, "2020-01-01T00:00:00Z", "[]"));
    strcat(strcat(keys, ","),
           rig_key_json(one, sizeof one, "44444444-54d1-4a0e-8f0a-2b6a5a1d9c44", "y", RIG_KEY_BARE,
                        "2020-01-01T00:00:00Z", "[\"gardener.cloud/infrastructure=a/b\"]"));
    strcat(strcat(keys, ","), rig_key_json(one, sizeof one, "55555555-54d1-4a0e-8f0a-2b6a5a1d9c44", RIG_LABEL,
                                           "ssh-rsa !!! x", "2019-01-01T00:00:00Z", "null"));
    rig_list(rig, keys);
    const struct rig_message *m = rig_reply(rig, seq, OUTCOME_OK);

    assert_int_equal(value_count(m->found), 3);
    struct value recorded = rig_found(m, 0), label = rig_found(m, 1), blob = rig_found(m, 2);

    assert_true(value_is_text(value_get(recorded, "id"), RIG_ID));
    assert_true(rig_flag(recorded, "recorded") && !rig_flag(recorded, "blob") &&
                !rig_flag(recorded, "label"));
    assert_true(rig_flag(label, "label") && !rig_flag(label, "blob"));
    assert_true(value_is_text(value_get(label, "fingerprint"), ""));
    assert_true(rig_flag(blob, "blob") && !rig_flag(blob, "label"));
    int64_t owner = -1;

    assert_true(value_int(value_get(blob, "owner"), &owner));
    assert_int_equal(owner, OWNER_OTHER);
    rig_free(rig);
}

static void test_C_15_keys_are_told_by_type_and_blob(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool same;
    } rows[] = {
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t", true},
        {" ssh-ed25519\\tAAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t  other text "
         "\\n",
         true},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/u", false},
        {"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t", false},
        {"ssh-ed25519", false},
        {"", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[1024];
        struct rig *rig = ready("");
        uint64_t seq = rig_search(rig, .key = RIG_KEY);

        rig_list(rig, rig_key_json(key, sizeof key, RIG_ID, RIG_LABEL, rows[i].line, "x", "[]"));
        assert_int_equal(rig_flag(rig_found(rig_reply(rig, seq, OUTCOME_OK), 0), "blob"), rows[i].same);
        rig_free(rig);
    }
}

static void test_C_15_the_fingerprint_is_openssh_s(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_list(rig, rig_our_key(key, sizeof key));
    assert_true(value_is_text(value_get(rig_found(rig_reply(rig, seq, OUTCOME_OK), 0), "fingerprint"),
                              "SHA256:fBTkxAGuTMOOuT9U+x4uoLJPrEU10Hk57cmphIFXYNQ"));
    rig_free(rig);
}

/* packet 2.4's vector with padding and a comment of two words. */
static void test_C_15_padding_belongs_to_the_blob(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = EC_KEY);

    rig_list(rig, rig_key_json(key, sizeof key, RIG_ID, RIG_LABEL, EC_KEY " two words", "x", "[]"));
    struct value found = rig_found(rig_reply(rig, seq, OUTCOME_OK), 0);

    assert_true(rig_flag(found, "blob"));
    assert_true(
        value_is_text(value_get(found, "fingerprint"), "SHA256:olJvC5sbWAMcttIc40byjFFtclIhtlGC48CBzwns1Xo"));
    rig_free(rig);
}

static void test_C_18_a_label_with_a_nul_is_not_ours(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_list(rig, rig_key_json(key, sizeof key, RIG_ID, RIG_LABEL "\\u0000x", RIG_KEY, "x", "[]"));
    assert_false(rig_flag(rig_found(rig_reply(rig, seq, OUTCOME_OK), 0), "label"));
    rig_free(rig);
}

static void test_C_11_C_17_C_29_odd_members_do_not_fail_the_list(void **state)
{
    (void)state;
    char key[1024], keys[4096];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    snprintf(keys, sizeof keys,
             "null,7,\"x\",[],{},{\"id\":null},{\"id\":\"not-a-uuid\"},{\"id\":\"" RIG_ID2
             "\",\"label\":null,\"key\":{},\"tags\":{\"a\":1},\"created_at\":7,\"new\":[[1]]},"
             "{\"id\":\"66666666-54d1-4a0e-8f0a-2b6a5a1d9c44\",\"label\":\"a\\u0000b\",\"key\":\"sk-x\"},%s",
             rig_our_key(key, sizeof key));
    rig_list(rig, keys);
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 1);
    rig_free(rig);
}

static void test_C_23_order_is_recorded_then_oldest_then_id(void **state)
{
    (void)state;
    char keys[4096], one[1024];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    strcpy(keys, rig_key_json(one, sizeof one, "cccccccc-54d1-4a0e-8f0a-2b6a5a1d9c44", RIG_LABEL, RIG_KEY,
                              "2020-01-01T00:00:00Z", "[]"));
    strcat(strcat(keys, ","), rig_key_json(one, sizeof one, "BBBBBBBB-54d1-4a0e-8f0a-2b6a5a1d9c44", RIG_LABEL,
                                           RIG_KEY, "2020-01-01T00:00:00Z", "[]"));
    strcat(strcat(keys, ","), rig_key_json(one, sizeof one, "aaaaaaaa-54d1-4a0e-8f0a-2b6a5a1d9c44", RIG_LABEL,
                                           RIG_KEY, "2021-01-01T00:00:00Z", "[]"));
    strcat(strcat(keys, ","),
           rig_key_json(one, sizeof one, RIG_ID, RIG_LABEL, RIG_KEY, "2025-01-01T00:00:00Z", "[]"));
    rig_list(rig, keys);
    const struct rig_message *m = rig_reply(rig, seq, OUTCOME_OK);

    assert_true(value_is_text(value_get(rig_found(m, 0), "id"), RIG_ID));
    assert_true(value_is_text(value_get(rig_found(m, 1), "id"), "bbbbbbbb-54d1-4a0e-8f0a-2b6a5a1d9c44"));
    assert_true(value_is_text(value_get(rig_found(m, 2), "id"), "cccccccc-54d1-4a0e-8f0a-2b6a5a1d9c44"));
    assert_true(value_is_text(value_get(rig_found(m, 3), "id"), "aaaaaaaa-54d1-4a0e-8f0a-2b6a5a1d9c44"));
    rig_free(rig);
}

static void test_C_19_pages_are_followed_below_the_prefix(void **state)
{
    (void)state;
    char one[1024];
    struct rig *rig = ready("/metal/v1");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_expect(rig, "GET", RIG_LIST);
    answer_page(rig, rig_key_json(one, sizeof one, RIG_ID2, "x", RIG_KEY2, "x", "[]"),
                "{\"next\":{\"href\":\"/metal/v1/projects/6E5C1A52-8B0F-4D2A-9A53-0C8D1F9A7B10/ssh-keys"
                "?page=2\"}}");
    rig_no_reply(rig, seq);
    rig_expect(rig, "GET", RIG_LIST "?page=2");
    answer_page(rig, rig_our_key(one, sizeof one), "{\"next\":null,\"total\":2}");
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 1);
    rig_free(rig);
}

static void test_C_19_loops_and_empty_pages_end_the_list(void **state)
{
    (void)state;
    static const struct {
        const char *members, *meta;
    } rows[] = {
        {"{}", "{\"next\":{\"href\":\"" RIG_LIST "?page=1\"}}"},
        {"{}", "{\"next\":{\"href\":\"" RIG_LIST "?x=y&page=0\"}}"},
        {"{}", "{\"next\":{\"href\":\"" RIG_LIST "\"}}"},
        {"", "{\"next\":{\"href\":\"" RIG_LIST "?page=2\"}}"},
        {"{}", "{\"next\":{\"href\":null}}"},
        {"{}", "{\"next\":\"" RIG_LIST "?page=2\"}"},
        {"{}", "null"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *rig = ready("");
        uint64_t seq = rig_search(rig, .key = RIG_KEY);

        answer_page(rig, rows[i].members, rows[i].meta);
        rig_reply(rig, seq, OUTCOME_OK);
        rig_no_request(rig);
        rig_free(rig);
    }
}

static void test_C_19_a_list_without_end_is_no_list(void **state)
{
    (void)state;
    char meta[256];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    /* 500 requests fit into the rig's record: taken out again as they are answered. */
    for (unsigned page = 2; page <= 1001; page++) {
        rig_no_reply(rig, seq);
        snprintf(meta, sizeof meta, "{\"next\":{\"href\":\"" RIG_LIST "?page=%u\"}}", page);
        answer_page(rig, "{}", meta);
        if (rig->n_requests == rig->n_answered)
            continue;
        struct rig_request last = rig->requests[rig->n_requests - 1], first = rig->requests[0];

        rig->requests[0] = last;
        rig->requests[rig->n_requests - 1] = first;
        for (unsigned i = 1; i < rig->n_requests; i++) {
            free((char *)rig->requests[i].r.method);
            free((char *)rig->requests[i].r.path);
            free((char *)rig->requests[i].r.token);
        }
        rig->n_requests = 1;
        rig->n_answered = 0;
    }
    rig_reply(rig, seq, OUTCOME_TRANSIENT);
    rig_free(rig);
}

static void test_C_02_hrefs_to_elsewhere_are_refused(void **state)
{
    (void)state;
    static const char *const hrefs[] = {
        "https://evil.example" RIG_LIST "?page=2",
        "//evil.example" RIG_LIST "?page=2",
        "/metal/v1/projects/" RIG_ID "/ssh-keys?page=2",
        "/other" RIG_LIST "?page=2",
        "/metal/v2" RIG_LIST "?page=2",
        "/metal/v1" RIG_LIST "/../x?page=2",
        "/metal/v1" RIG_LIST "?page=2\\r\\nX-Evil: 1",
        "?page=2",
    };

    for (size_t i = 0; i < sizeof hrefs / sizeof hrefs[0]; i++) {
        char meta[512];
        struct rig *rig = ready("/metal/v1");
        uint64_t seq = rig_search(rig, .key = RIG_KEY);

        snprintf(meta, sizeof meta, "{\"next\":{\"href\":\"%s\"}}", hrefs[i]);
        answer_page(rig, "{}", meta);
        rig_reply(rig, seq, OUTCOME_MISCONFIGURED);
        rig_no_request(rig);
        rig_free(rig);
    }
}

static void test_C_28_own_deletions_outweigh_a_list_that_still_shows_them(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready("");

    rig_remove(rig, .id = RIG_ID);
    rig_answer(rig, 204, "");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_list(rig, rig_our_key(key, sizeof key));
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 0);
    rig_wait(rig, 30000);
    seq = rig_search(rig, .key = RIG_KEY);
    rig_list(rig, rig_our_key(key, sizeof key));
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 1);
    rig_free(rig);
}

static void test_C_28_own_creations_are_found_for_a_while(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = ready("");

    rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_answer(rig, 201,
               rig_key_json(key, sizeof key, RIG_ID2, RIG_LABEL, RIG_KEY, "2021-03-04T05:06:07Z", "[]"));
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_list(rig, "");
    struct value found = rig_found(rig_reply(rig, seq, OUTCOME_OK), 0);

    assert_true(value_is_text(value_get(found, "id"), RIG_ID2));
    assert_true(rig_flag(found, "blob") && rig_flag(found, "label") && !rig_flag(found, "recorded"));
    rig_wait(rig, 30000);
    seq = rig_search(rig, .key = RIG_KEY);
    rig_list(rig, "");
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 0);
    rig_free(rig);
}

static void test_reads_are_repeated_five_times_then_transient(void **state)
{
    (void)state;
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_result(rig, rig_fate(FATE_LOST));
    rig_no_request(rig);
    rig_next(rig);
    for (int i = 0; i < 4; i++) {
        rig_answer(rig, 503, "{\"errors\":[\"later\"]}");
        rig_no_reply(rig, seq);
        rig_next(rig);
    }
    rig_answer(rig, 200, "{\"ssh_keys\":");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_TRANSIENT)->http, 200);
    assert_int_equal(rig->n_requests, 6);
    rig_free(rig);
}

static void test_FOUND_holds_at_most_64_keys(void **state)
{
    (void)state;
    char *keys = x_calloc(1, 100000), one[1024], id[37];
    struct rig *rig = ready("");
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    for (unsigned i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "%08x-54d1-4a0e-8f0a-2b6a5a1d9c44", i);
        strcat(keys,
               rig_key_json(one, sizeof one, id, RIG_LABEL, "ssh-rsa AAAA", "2021-01-01T00:00:00Z", "[]"));
        strcat(keys, ",");
    }
    strcat(keys, rig_key_json(one, sizeof one, RIG_ID, "x", RIG_KEY, "2029-01-01T00:00:00Z", "[]"));
    rig_list(rig, keys);
    const struct rig_message *m = rig_reply(rig, seq, OUTCOME_OK);

    assert_int_equal(value_count(m->found), 64);
    assert_true(rig_flag(rig_found(m, 0), "blob")); /* recorded, though last in the list */
    free(keys);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_38_the_list_is_the_only_check),
        cmocka_unit_test(test_C_18_only_keys_that_concern_the_job_come_back),
        cmocka_unit_test(test_C_15_keys_are_told_by_type_and_blob),
        cmocka_unit_test(test_C_15_the_fingerprint_is_openssh_s),
        cmocka_unit_test(test_C_15_padding_belongs_to_the_blob),
        cmocka_unit_test(test_C_18_a_label_with_a_nul_is_not_ours),
        cmocka_unit_test(test_C_11_C_17_C_29_odd_members_do_not_fail_the_list),
        cmocka_unit_test(test_C_23_order_is_recorded_then_oldest_then_id),
        cmocka_unit_test(test_C_19_pages_are_followed_below_the_prefix),
        cmocka_unit_test(test_C_19_loops_and_empty_pages_end_the_list),
        cmocka_unit_test(test_C_19_a_list_without_end_is_no_list),
        cmocka_unit_test(test_C_02_hrefs_to_elsewhere_are_refused),
        cmocka_unit_test(test_C_28_own_deletions_outweigh_a_list_that_still_shows_them),
        cmocka_unit_test(test_C_28_own_creations_are_found_for_a_while),
        cmocka_unit_test(test_reads_are_repeated_five_times_then_transient),
        cmocka_unit_test(test_FOUND_holds_at_most_64_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
