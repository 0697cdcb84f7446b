/* tests/unit/test_gateway_second_provider.c -- the gateway speaks another bare-metal API when it is given
 * another module: the same searches, creates, adoptions, rotations and deletions, decided by the same files.
 * The module is second_provider.c. */
#include "packet-gateway/transfer.h"
#include "tests/unit/second_provider.h"
#include "tests/unit/test_gateway_play.h"

#define KEYS      "/v2/account/keys"
#define KEY_PATH  KEYS "/512189"
#define KEY_ID    "00000000-0000-0000-0000-000000512189"
#define NOT_FOUND "{\"id\":\"not_found\",\"message\":\"The key does not exist.\"}"
#define LABELS    "{\"owner\":\"" RIG_OWNER "\"}"
#define KEY_OF(id, name, line, labels)                                                                       \
    "{\"id\":" id ",\"name\":\"" name "\",\"public_key\":\"" line                                            \
    "\",\"made_at\":1614834367,\"labels\":" labels "}"
#define OUR_KEY    KEY_OF("512189", RIG_LABEL, RIG_KEY_BARE, LABELS)
#define OTHERS_KEY KEY_OF("7", "somebody", RIG_KEY2, "null")
#define MADE       "{\"ssh_key\":" OUR_KEY "}"
#define LIST(keys) "{\"ssh_keys\":[" keys "],\"links\":{}}"

static struct rig *ready(const char *id)
{
    struct rig *rig =
        rig_new_config(&(struct gateway_config){.seed = 7, .burst = 10, .provider = &second_provider});

    assert_int_equal(rig_grant(rig, .id = id), OUTCOME_OK);
    return rig;
}

/* The next request is this one, and is answered so. Returns its body, the rig's. */
static const char *expect_and_answer(struct rig *rig, const char *method, const char *path, int status,
                                     const char *answer)
{
    const struct gateway_request *r = rig_expect(rig, method, path);

    rig_answer(rig, status, answer);
    return r->body;
}

static void check_key(const struct rig_message *reply, bool adopted)
{
    assert_string_equal(reply->key_id, KEY_ID);
    assert_int_equal(reply->adopted, adopted);
}

static void test_seam_a_search_reads_every_page(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_search(rig, .key = RIG_KEY);
    struct value found;

    expect_and_answer(rig, "GET", KEYS, 200,
                      "{\"ssh_keys\":[" OTHERS_KEY "],\"links\":{\"pages\":{\"next\":\"" KEYS
                      "?cursor=b\"}}}");
    expect_and_answer(rig, "GET", KEYS "?cursor=b", 200, LIST(OUR_KEY));
    found = rig_found(rig_reply(rig, seq, OUTCOME_OK), 0);
    assert_true(rig_flag(found, "label") && rig_flag(found, "blob") && !rig_flag(found, "recorded"));
    assert_int_equal(value_count(rig_reply(rig, seq, OUTCOME_OK)->found), 1);
    rig_free(rig);
}

static void test_seam_a_create_sends_the_modules_body(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_create(rig, .key = RIG_KEY, .shoot_uid = "u1");

    expect_and_answer(rig, "GET", KEYS, 200, LIST(OTHERS_KEY));
    assert_string_equal(expect_and_answer(rig, "POST", KEYS, 201, MADE),
                        "{\"name\":\"" RIG_LABEL "\",\"public_key\":\"" RIG_KEY
                        "\",\"labels\":{\"owner\":\"" RIG_OWNER "\",\"shoot\":\"u1\"}}");
    check_key(rig_reply(rig, seq, OUTCOME_OK), false);
    rig_free(rig);
}

static void test_seam_a_lost_create_is_listed_and_adopted(void **state)
{
    (void)state;
    const struct gateway_result lost[] = {rig_fate(FATE_LOST), rig_html(502), rig_json(201, "{\"ssh_key\":{"),
                                          rig_json(404, NOT_FOUND)};

    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        struct rig *rig = ready(NULL);
        uint64_t seq = rig_create(rig, .key = RIG_KEY);

        expect_and_answer(rig, "GET", KEYS, 200, LIST(""));
        rig_expect(rig, "POST", KEYS);
        rig_result(rig, lost[i]);
        rig_no_reply(rig, seq);
        expect_and_answer(rig, "GET", KEYS, 200, LIST(OTHERS_KEY "," OUR_KEY));
        check_key(rig_reply(rig, seq, OUTCOME_OK), true);
        assert_int_equal(rig_count(rig, "POST"), 1);
        rig_free(rig);
    }
}

static void test_seam_a_key_of_another_owner_is_left_alone(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    expect_and_answer(rig, "GET", KEYS, 200,
                      LIST(KEY_OF("9", RIG_LABEL, RIG_KEY, "{\"owner\":\"shoot--foo--other/infra\"}")));
    assert_non_null(strstr(rig_reply(rig, seq, OUTCOME_REFUSED)->detail, "another owner's tag"));
    assert_int_equal(rig_count(rig, "POST"), 0);
    rig_free(rig);
}

static void test_seam_a_rotation_uses_the_modules_method(void **state)
{
    (void)state;
    struct rig *rig = ready(KEY_ID);
    uint64_t seq = rig_update(rig, .id = KEY_ID, .key = RIG_KEY2);

    assert_string_equal(expect_and_answer(rig, "PATCH", KEY_PATH, 500, "{\"message\":\"oops\"}"),
                        "{\"public_key\":\"" RIG_KEY2 "\"}");
    rig_next(rig); /* the same change once more */
    expect_and_answer(rig, "PATCH", KEY_PATH, 200, MADE);
    check_key(rig_reply(rig, seq, OUTCOME_OK), false);
    rig_free(rig);
}

static void test_seam_a_deletion_is_gone_by_proof_only(void **state)
{
    (void)state;
    struct rig *rig = ready(KEY_ID);
    uint64_t seq = rig_remove(rig, .id = KEY_ID);

    expect_and_answer(rig, "DELETE", KEY_PATH, 204, "");
    rig_reply(rig, seq, OUTCOME_OK);
    seq = rig_remove(rig, .id = KEY_ID);
    expect_and_answer(rig, "DELETE", KEY_PATH, 404, NOT_FOUND);
    expect_and_answer(rig, "GET", KEYS, 200, LIST(OTHERS_KEY));
    rig_reply(rig, seq, OUTCOME_GONE);
    seq = rig_remove(rig, .id = KEY_ID);
    for (int i = 0; i < 6; i++) { /* not this API's 404: proves nothing */
        if (i)
            rig_next(rig);
        expect_and_answer(rig, "DELETE", KEY_PATH, 404, "{\"errors\":[\"Not found\"]}");
    }
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
    rig_free(rig);
}

static void test_seam_sentences_use_the_modules_words(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_search(rig, .key = NULL);

    expect_and_answer(rig, "GET", KEYS, 401, "{\"id\":\"unauthorized\",\"message\":\"Who are you?\"}");
    assert_ptr_equal(strstr(rig_reply(rig, seq, OUTCOME_UNAUTHENTICATED)->detail, "HTTP 401: Who are you?"),
                     rig_reply(rig, seq, OUTCOME_UNAUTHENTICATED)->detail);
    seq = rig_search(rig, .key = NULL);
    rig_expect(rig, "GET", KEYS);
    rig_result(rig, rig_html(302));
    assert_string_equal(rig_reply(rig, seq, OUTCOME_MISCONFIGURED)->detail,
                        "HTTP 302: this is not the second API");
    rig_free(rig);
}

static void test_seam_the_shell_uses_the_modules_header_names(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    char origin[] = "http://127.0.0.1", base_path[] = "";
    struct gateway_options options = {
        .origin = origin, .base_path = base_path, .ca_file = "", .consumer = "consumer-1"};
    static const char trace[] = "trace-id: abc\r\n", other[] = "X-Request-Id: def\r\n";

    rig_search(rig, .key = NULL);
    struct sockets *sockets = sockets_new();
    struct transfer *t = transfer_new(curl_easy_init(), &options, sockets, rig_expect(rig, "GET", KEYS));

    assert_string_equal(t->fields->data, "Authorization: Bearer " RIG_TOKEN);
    assert_string_equal(t->fields->next->data, "Accept: application/json");
    headers_read(&t->headers, trace, sizeof trace - 1, 0);
    headers_read(&t->headers, other, sizeof other - 1, 0);
    assert_string_equal(t->headers.request_id, "abc");
    headers_read(&t->headers, "X-RateLimit-Remaining: 0\r\n", 26, 0);
    assert_int_equal(t->headers.limit_remaining, -1);
    curl_easy_cleanup(transfer_free(t));
    sockets_free(sockets);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seam_a_search_reads_every_page),
        cmocka_unit_test(test_seam_a_create_sends_the_modules_body),
        cmocka_unit_test(test_seam_a_lost_create_is_listed_and_adopted),
        cmocka_unit_test(test_seam_a_key_of_another_owner_is_left_alone),
        cmocka_unit_test(test_seam_a_rotation_uses_the_modules_method),
        cmocka_unit_test(test_seam_a_deletion_is_gone_by_proof_only),
        cmocka_unit_test(test_seam_sentences_use_the_modules_words),
        cmocka_unit_test(test_seam_the_shell_uses_the_modules_header_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
