/* tests/unit/test_watcher_reads.c -- what is read for a job: Secrets, Clusters, Terraform's state
 * (kubernetes 9.3; gardener 4, 7.3, 35, 47; packet C-5). */
#include "tests/unit/test_watcher_fixture.h"
#include "watcher/core/convert.h"
#include "watcher/core/recorded.h"

static struct text text_of(const char *s)
{
    return (struct text){.p = s, .len = strlen(s)};
}

/* ---- secret ---- */

#define B64_PROJECT "MTExMTExMTEtMjIyMi0zMzMzLTQ0NDQtNTU1NTU1NTU1NTU1"

static void test_secret_states(void **state)
{
    struct row {
        const char *data;
        int state;
    } rows[] = {
        {"\"data\":{\"apiToken\":\"dG9rZW4=\",\"projectID\":\"" B64_PROJECT "\"}", SECRET_USABLE},
        {"\"data\":{\"apiToken\":\"IAl0b2tlbg0KCg==\",\"projectID\":"
         "\"IDExMTExMTExLTIyMjItMzMzMy00NDQ0LTU1NTU1NTU1NTU1NQo=\"}",
         SECRET_USABLE},
        {"\"data\":null", SECRET_EMPTY},
        {"\"type\":\"Opaque\"", SECRET_EMPTY},
        {"\"data\":{}", SECRET_EMPTY},
        {"\"data\":{\"projectID\":\"" B64_PROJECT "\"}", SECRET_NO_TOKEN},
        {"\"data\":{\"apiToken\":\"\",\"projectID\":\"" B64_PROJECT "\"}", SECRET_NO_TOKEN},
        {"\"data\":{\"apiToken\":\"IAo=\",\"projectID\":\"" B64_PROJECT "\"}", SECRET_NO_TOKEN},
        {"\"data\":{\"apiToken\":null,\"projectID\":\"" B64_PROJECT "\"}", SECRET_NO_TOKEN},
        {"\"data\":{\"apiToken\":\"dG9rZW4=\"}", SECRET_NO_PROJECT},
        {"\"data\":{\"apiToken\":\"dG9rZW4=\",\"projectID\":\"\"}", SECRET_NO_PROJECT},
        {"\"data\":{\"apiToken\":\"dG8Ka2Vu\",\"projectID\":\"" B64_PROJECT "\"}",
         SECRET_BAD_TOKEN}, /* "to\nken" */
        {"\"data\":{\"apiToken\":\"dG9rAGVu\",\"projectID\":\"" B64_PROJECT "\"}",
         SECRET_BAD_TOKEN}, /* a NUL */
        {"\"data\":{\"apiToken\":\"not base64!\",\"projectID\":\"" B64_PROJECT "\"}", SECRET_BAD_TOKEN},
        {"\"data\":{\"apiToken\":\"dG9rZW4=\",\"projectID\":\"bm8gdXVpZA==\"}", SECRET_BAD_PROJECT},
        {"\"data\":{\"config\":\"e30=\",\"token\":\"dG9rZW4=\"}", SECRET_WORKLOAD},
        {"\"data\":[]", -1},
        {"\"data\":\"x\"", -1},
    };
    struct credentials credentials, zero = {0};
    char body[600];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(body, sizeof body, "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",%s}", rows[i].data);
        if (secret_read(text_of(body), &credentials) != rows[i].state)
            fail_msg("wrong state: %s", rows[i].data);
        if (rows[i].state == SECRET_USABLE) {
            assert_string_equal(credentials.token, "token");
            assert_string_equal(credentials.project, PROJECT);
        } else {
            assert_memory_equal(&credentials, &zero, sizeof zero);
        }
    }
    assert_int_equal(secret_read(text_of("{\"kind\":\"Status\"}"), &credentials), -1);
    assert_int_equal(secret_read(text_of(""), &credentials), -1);
}

static void test_token_over_its_limit(void **state)
{
    char *body = x_malloc(3 * LIMIT_TOKEN);
    struct credentials credentials;

    (void)state;
    for (size_t units = LIMIT_TOKEN / 3 - 1; units < LIMIT_TOKEN / 3 + 200; units += 100) {
        char *at = body + sprintf(body, "{\"kind\":\"Secret\",\"data\":{\"projectID\":\"" B64_PROJECT
                                        "\",\"apiToken\":\"");
        for (size_t i = 0; i < units; i++)
            at += sprintf(at, "YWFh");
        sprintf(at, "\"}}");
        assert_int_equal(secret_read(text_of(body), &credentials),
                         units * 3 <= LIMIT_TOKEN ? SECRET_USABLE : SECRET_BAD_TOKEN);
    }
    free(body);
}

static void test_base64(void **state)
{
    struct row {
        const char *text;
        long len;
    } rows[] = {{"", 0},       {"YQ==", 1}, {"YWI=", 2},  {"YWJj", 3},      {"YWJj\r\nYQ==\n", 4},
                {"YQ", -1},    {"YQ=", -1}, {"Y===", -1}, {"YQ==YQ==", -1}, {"YQ==x", -1},
                {"Y Q==", -1}, {"=", -1},   {"YW=j", -1}, {"-_==", -1}};
    unsigned char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (secret_base64(rows[i].text, strlen(rows[i].text), out, sizeof out) != rows[i].len)
            fail_msg("base64 \"%s\"", rows[i].text);
    assert_int_equal(secret_base64("YWJjZA==", 8, out, 3), -1);
}

static void test_uuids(void **state)
{
    (void)state;
    assert_true(secret_uuid_ok(SPAN(PROJECT)));
    assert_true(secret_uuid_ok(SPAN("AAAAAAAA-bbbb-CCCC-dddd-eeeeeeeeeeee")));
    assert_false(secret_uuid_ok(SPAN("11111111-2222-3333-4444-55555555555")));
    assert_false(secret_uuid_ok(SPAN("11111111-2222-3333-4444-5555555555555")));
    assert_false(secret_uuid_ok(SPAN("11111111-2222-3333-4444+555555555555")));
    assert_false(secret_uuid_ok(SPAN("../../../../../../../../../../../../")));
    assert_false(secret_uuid_ok((struct span){0}));
}

/* ---- cluster and recorded ids ---- */

static void test_cluster(void **state)
{
    const char *const force[] = {"1", "t", "T", "TRUE", "true", "True"}, *const no[] = {"0", "yes", "tRUE",
                                                                                        "", " true"};
    struct cluster cluster;
    char body[500];

    (void)state;
    for (size_t i = 0; i < 11; i++) {
        snprintf(body, sizeof body,
                 "{\"kind\":\"Cluster\",\"metadata\":{\"annotations\":{}},\"spec\":{\"seed\":{},\"shoot\":{"
                 "\"apiVersion\":\"x/v9\","
                 "\"metadata\":{\"uid\":\"u-1\",\"annotations\":{\"confirmation.gardener.cloud/"
                 "force-deletion\":\"%s\"}}}}}",
                 i < 6 ? force[i] : no[i - 6]);
        assert_int_equal(cluster_read(text_of(body), &cluster), 0);
        assert_int_equal(cluster.force_delete, i < 6);
        assert_string_equal(cluster.shoot_uid, "u-1");
        assert_false(cluster.failed);
    }
    assert_int_equal(cluster_read(text_of(FX_CLUSTER_FAILED), &cluster), 0);
    assert_true(cluster.failed);
    const char *const bad[] = {"",
                               "{}",
                               "{\"kind\":\"Cluster\"}",
                               "{\"kind\":\"Cluster\",\"spec\":{\"shoot\":null}}",
                               "{\"kind\":\"Status\",\"spec\":{\"shoot\":{}}}",
                               "{\"kind\":\"Cluster\",\"spec\":{\"shoot\":{"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(cluster_read(text_of(bad[i]), &cluster), -1);
}

static void terraform(const char *json, char *id)
{
    struct pack pack;

    pack_open(&pack);
    assert_int_equal(convert_object(text_of(json), &pack), 0);
    recorded_terraform(pack_result(&pack), id);
    pack_close(&pack);
}

static void test_terraform_states(void **state)
{
    char id[LIMIT_UUID + 1];

    (void)state;
    /* {"version":4,"outputs":{"key_pair_id":{"value":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}}} */
    terraform("{\"state\":{\"encoding\":\"base64\",\"data\":"
              "\"eyJ2ZXJzaW9uIjo0LCJvdXRwdXRzIjp7ImtleV9wYWlyX2lkIjp7InZhbHVlIjoi"
              "YWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtZWVlZWVlZWVlZWVlIn19fQ==\"}}",
              id);
    assert_string_equal(id, KEY_ID);
    terraform(
        "{\"state\":{\"encoding\":\"none\",\"data\":\"{\\\"version\\\":3,\\\"modules\\\":[{\\\"outputs\\\":{"
        "\\\"key_pair_id\\\":{\\\"value\\\":\\\"" KEY_ID "\\\"}}}]}\"}}",
        id);
    assert_string_equal(id, KEY_ID);
    terraform("{\"state\":{\"encoding\":\"gzip\",\"data\":\"x\"}}", id);
    assert_string_equal(id, "");
    terraform("{\"state\":{\"encoding\":\"base64\",\"data\":\"!\"}}", id);
    assert_string_equal(id, "");
    terraform("{\"state\":{\"encoding\":\"none\",\"data\":\"{\\\"modules\\\":[]}\"}}", id);
    assert_string_equal(id, "");
    terraform("{\"state\":{\"id\":\"" KEY_ID "\"}}", id);
    assert_string_equal(id, "");
}

static uint64_t ask_grant(struct fx *fx)
{
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    struct fx_sent *grant = fx_take(fx, MSG_GRANT);

    assert_non_null(grant);
    return grant->message.body.grant.handle;
}

/* Tokens leave the socket's buffer too, once all GRANTs have left it: whatever the answers are. */
static void test_C_7_the_last_grant_is_covered(void **state)
{
    struct fx *fx = fx_running(false);

    (void)state;
    fx_peer(fx, WORKER, OTHER_WORKER);
    fx_idle(fx, OTHER_WORKER);
    fx_event(fx, "ADDED", (struct fx_object){.name = "a", .version = "10"});
    struct msg_granted first = {.handle = ask_grant(fx)};
    fx_event(fx, "ADDED", (struct fx_object){.name = "b", .version = "11"});
    struct msg_granted second = {.handle = ask_grant(fx), .outcome = OUTCOME_LATER, .wait_ms = 1000};

    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_GRANTED, &first, 0, 0);
    assert_null(fx_take(fx, MSG_COVER));
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_GRANTED, &second, 0, 0);
    struct fx_sent *cover = fx_take(fx, MSG_COVER);
    assert_non_null(cover);
    assert_int_equal(cover->to, THE_GATEWAY);
    assert_true(cover->message.body.cover.filler.len == LIMIT_COVER);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_states),
        cmocka_unit_test(test_token_over_its_limit),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_uuids),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_terraform_states),
        cmocka_unit_test(test_C_7_the_last_grant_is_covered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
