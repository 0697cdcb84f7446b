/* tests/unit/test_gateway_answers.c -- what each HTTP answer comes to, as one table, and the sentences people
 * read (packet 5.2, C-7, C-11, C-30 to C-33, C-40, C-42's text). */
#include "tests/unit/test_gateway_play.h"

#define API_ERROR "{\"errors\":[\"something\"]}"
#define RID       "0f6c2f0f4b0d4c3b9a7e5d1c2b3a4f5e"

enum shape { API, NO_ID, HTML, HTML_WITH_ID, EMPTY };

static struct gateway_result shaped(int status, enum shape shape)
{
    struct gateway_result r =
        shape == HTML || shape == HTML_WITH_ID ? rig_html(status) : rig_json(status, API_ERROR);

    if (shape == EMPTY)
        r = rig_json(status, "");
    if (shape == NO_ID)
        r.request_id = "";
    if (shape == HTML_WITH_ID)
        r.request_id = RID;
    return r;
}

/* As the last answer to a list (GET), a create (POST, with lists without the key before and after) and a
 * deletion; each repeated as often as the core asks. */
static const struct {
    int status;
    enum shape shape;
    enum outcome list, create, removal;
} rows[] = {
    /* status        list                     create                   removal */
    {200, HTML, OUTCOME_MISCONFIGURED, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {200, EMPTY, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_OK},
    {204, EMPTY, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_OK},
    {206, API, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {301, HTML, OUTCOME_MISCONFIGURED, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {302, API, OUTCOME_MISCONFIGURED, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {400, API, OUTCOME_BUG, OUTCOME_BUG, OUTCOME_BUG},
    {401, API, OUTCOME_UNAUTHENTICATED, OUTCOME_UNAUTHENTICATED, OUTCOME_UNAUTHENTICATED},
    {402, API, OUTCOME_UNAUTHORIZED, OUTCOME_UNAUTHORIZED, OUTCOME_UNAUTHORIZED},
    {403, API, OUTCOME_UNAUTHORIZED, OUTCOME_UNAUTHORIZED, OUTCOME_UNAUTHORIZED},
    {403, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {404, API, OUTCOME_NO_PROJECT, OUTCOME_UNKNOWN, OUTCOME_GONE},
    {404, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {404, HTML_WITH_ID, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {404, NO_ID, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {404, EMPTY, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {405, API, OUTCOME_BUG, OUTCOME_BUG, OUTCOME_BUG},
    {408, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {409, API, OUTCOME_REFUSED, OUTCOME_REFUSED, OUTCOME_REFUSED},
    {410, API, OUTCOME_NO_PROJECT, OUTCOME_UNKNOWN, OUTCOME_GONE},
    {410, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {415, API, OUTCOME_BUG, OUTCOME_BUG, OUTCOME_BUG},
    {422, API, OUTCOME_REFUSED, OUTCOME_REFUSED, OUTCOME_REFUSED},
    {425, API, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {500, API, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {501, API, OUTCOME_BUG, OUTCOME_BUG, OUTCOME_BUG},
    {502, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {503, API, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {503, EMPTY, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {504, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
    {599, HTML, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN},
};

/* Answers every request of `method` with result, every other one with an empty list, until there is an
 * outcome. */
static enum outcome play(struct rig *rig, uint64_t seq, const char *method, struct gateway_result result)
{
    for (int i = 0; i < 20; i++) {
        while (rig->n_answered < rig->n_requests) {
            bool meant = strcmp(rig->requests[rig->n_answered].r.method, method) == 0;

            rig_result(rig, meant ? result : rig_json(200, RIG_EMPTY));
        }
        for (unsigned m = 0; m < rig->n_messages; m++) {
            if (rig->messages[m].seq == seq && rig->messages[m].id != MSG_GRANTED)
                return (enum outcome)rig->messages[m].outcome;
        }
        rig_next(rig);
    }
    fail_msg("no outcome");
    return OUTCOME_BUG;
}

static void check_row(size_t i, const char *method, enum outcome expected)
{
    struct rig *rig = rig_new();

    rig_grant(rig, .id = RIG_ID);
    uint64_t seq = strcmp(method, "GET") == 0    ? rig_search(rig, .key = RIG_KEY)
                   : strcmp(method, "POST") == 0 ? rig_create(rig, .key = RIG_KEY)
                                                 : rig_remove(rig, .id = RIG_ID);
    enum outcome outcome = play(rig, seq, method, shaped(rows[i].status, rows[i].shape));

    if (outcome != expected)
        fail_msg("%s answered %d (shape %d): %s instead of %s", method, rows[i].status, (int)rows[i].shape,
                 outcome_name(outcome), outcome_name(expected));
    /* Whatever the answer, one question posts once. */
    assert_true(rig_count(rig, "POST") <= 1);
    rig_free(rig);
}

static void test_C_31_C_32_C_33_C_40_every_status_and_shape(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(i, "GET", rows[i].list);
        check_row(i, "POST", rows[i].create);
        check_row(i, "DELETE", rows[i].removal);
    }
}

static void test_C_40_no_connection_and_a_wrong_peer(void **state)
{
    (void)state;
    struct rig *rig = rig_new();

    rig_grant(rig, .id = RIG_ID);
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    assert_int_equal(play(rig, seq, "GET", rig_fate(FATE_NOT_SENT)), OUTCOME_TRANSIENT);
    seq = rig_search(rig, .key = RIG_KEY);
    assert_int_equal(play(rig, seq, "GET", rig_fate(FATE_TLS)), OUTCOME_MISCONFIGURED);
    seq = rig_remove(rig, .id = RIG_ID);
    assert_int_equal(play(rig, seq, "DELETE", rig_fate(FATE_TLS)), OUTCOME_MISCONFIGURED);
    rig_free(rig);
}

/* The detail that a search ends with when the list is answered so. */
static void check_detail(int status, const char *body, const char *detail)
{
    struct rig *rig = rig_new();

    rig_grant(rig, .id = RIG_ID);
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_answer(rig, status, body);
    for (unsigned m = 0; m < rig->n_messages; m++) {
        if (rig->messages[m].id == MSG_FOUND && rig->messages[m].seq == seq)
            assert_string_equal(rig->messages[m].detail, detail);
    }
    assert_int_equal(rig_messages(rig, MSG_FOUND), 1);
    rig_free(rig);
}

static void test_C_30_error_and_errors_are_read_and_a_message_always_made(void **state)
{
    (void)state;
    check_detail(401, "{\"error\":\"Invalid authentication token\"}",
                 "HTTP 401: Invalid authentication token (request " RID ")");
    check_detail(403, "{\"errors\":[\"a\",\"b\"]}", "HTTP 403: a; b (request " RID ")");
    check_detail(401, "{\"errors\":\"text\"}", "HTTP 401: text (request " RID ")");
    check_detail(401, "{\"error\":null}", "HTTP 401 (request " RID ")");
    check_detail(401, "{\"errors\":[]}", "HTTP 401 (request " RID ")");
    check_detail(401, "{\"errors\":[null,7,{}]}", "HTTP 401 (request " RID ")");
    check_detail(401, "[\"x\"]", "HTTP 401 (request " RID ")");
    check_detail(401, "", "HTTP 401 (request " RID ")");
    check_detail(401, "{\"errors\":[\"line\\nbreak\\u0007\"]}", "HTTP 401: line break  (request " RID ")");
}

static void test_C_07_an_answer_that_repeats_the_token_is_not_repeated(void **state)
{
    (void)state;
    check_detail(401, "{\"error\":\"bad token " RIG_TOKEN "\"}", "HTTP 401 (request " RID ")");
    check_detail(401, "{\"error\":\"bad token t\\u006fken-of-the-test\"}",
                 "HTTP 401: the answer repeats the token");
}

static void test_a_long_error_is_cut_at_a_character(void **state)
{
    (void)state;
    char body[4096] = "{\"error\":\"";
    struct rig *rig = rig_new();

    for (int i = 0; i < 1000; i++)
        strcat(body, "\xc3\xa4");
    strcat(body, "\"}");
    rig_grant(rig, .id = RIG_ID);
    rig_search(rig, .key = RIG_KEY);
    rig_answer(rig, 401, body);
    const char *detail = rig->messages[rig->n_messages - 1].detail;

    assert_in_range(strlen(detail), 480, 511);
    assert_int_equal((unsigned char)detail[strlen(detail) - 1], 0xa4);
    rig_free(rig);
}

static void test_C_11_deep_wide_and_long_bodies_are_refused(void **state)
{
    (void)state;
    char *body = x_malloc(GATEWAY_ANSWER_MAX + 1024);
    struct rig *rig = rig_new();
    uint64_t seq;

    rig_grant(rig, .id = RIG_ID);

    /* Well-formed, a little deeper than allowed: a parser alone would take it. */
    snprintf(body, 1024, "{\"ssh_keys\":[],\"x\":%.*s%.*s}", 40, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
             40, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    seq = rig_search(rig, .key = RIG_KEY);
    assert_int_equal(play(rig, seq, "GET", rig_json(200, body)), OUTCOME_TRANSIENT);

    strcpy(body, "{\"ssh_keys\":[0");
    for (size_t at = strlen(body), i = 0; i < 300000; i++, at += 2)
        memcpy(body + at, ",0", 3);
    strcat(body, "]}");
    seq = rig_search(rig, .key = RIG_KEY);
    assert_int_equal(play(rig, seq, "GET", rig_json(200, body)), OUTCOME_TRANSIENT);

    strcpy(body, "{\"ssh_keys\":[]}");
    memset(body + 15, ' ', GATEWAY_ANSWER_MAX);
    body[15 + GATEWAY_ANSWER_MAX] = '\0';
    seq = rig_search(rig, .key = RIG_KEY);
    assert_int_equal(play(rig, seq, "GET", rig_json(200, body)), OUTCOME_TRANSIENT);

    body[15] = '\0';
    seq = rig_search(rig, .key = RIG_KEY);
    assert_int_equal(play(rig, seq, "GET", rig_json(200, body)), OUTCOME_OK);
    free(body);
    rig_free(rig);
}

static void test_C_33_401_and_403_on_post_are_credential_errors(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_grant(rig, .id = RIG_ID);
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, "");
    rig_answer(rig, 403, "{\"errors\":[\"Access denied for the current authentication token\"]}");
    rig_reply(rig, seq, OUTCOME_UNAUTHORIZED);
    seq = rig_create(rig, .key = RIG_KEY);
    rig_expect(rig, "GET", RIG_LIST); /* listed again before another POST */
    rig_answer(rig, 401, "{\"error\":\"Invalid authentication token\"}");
    rig_reply(rig, seq, OUTCOME_UNAUTHENTICATED);
    rig_no_request(rig);
    rig_free(rig);
}

static void test_a_key_that_is_no_key_is_refused_without_a_call(void **state)
{
    (void)state;
    struct rig *rig = rig_new();
    rig_grant(rig, .id = RIG_ID);
    uint64_t seq = rig_create(rig, .key = "nonsense");

    rig_reply(rig, seq, OUTCOME_REFUSED);
    assert_int_equal(rig->n_requests, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_31_C_32_C_33_C_40_every_status_and_shape),
        cmocka_unit_test(test_C_40_no_connection_and_a_wrong_peer),
        cmocka_unit_test(test_C_30_error_and_errors_are_read_and_a_message_always_made),
        cmocka_unit_test(test_C_07_an_answer_that_repeats_the_token_is_not_repeated),
        cmocka_unit_test(test_a_long_error_is_cut_at_a_character),
        cmocka_unit_test(test_C_33_401_and_403_on_post_are_credential_errors),
        cmocka_unit_test(test_a_key_that_is_no_key_is_refused_without_a_call),
        cmocka_unit_test(test_C_11_deep_wide_and_long_bodies_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
