/* tests/unit/test_packet_sim_faults.c -- the fault switches and the ledger of the Packet simulator: S-21 to
 * S-28, S-32 to S-36, late commits, repeatability. Owns nothing beyond the fixture. */
#include "tests/unit/test_packet_sim.h"

static void test_S_21_lost_create(void **state)
{
    struct world *world = *state;
    fault(world, "{\"match\":{\"method\":\"POST\",\"path\":\"/projects/*/"
                 "ssh-keys\"},\"fault\":{\"preset\":\"lost-create\"}}");
    assert_int_equal(post(world, "a", ED25519), 404);
    assert_memory_equal(world->answer.body, "{\"errors\":[\"Not found\"]}", 24);
    assert_non_null(header(world, "X-Request-Id"));
    assert_int_equal(packet_sim_key_count(world->sim, PROJECT), 1);
    assert_int_equal(post(world, "a", ED25519), 422);
    assert_int_equal(listed(world), 1);
}

static void test_S_21_lost_create_of_project_tokens(void **state)
{
    struct world *world = *state;
    set(world, "{\"lostCreate\":true}");
    assert_int_equal(post(world, "a", ED25519), 201);
    world->token = "project-token";
    assert_int_equal(post(world, "b", RSA), 404);
    assert_int_equal(listed(world), 2);
}

struct ending {
    const char *name;
    enum sim_fate fate;
    int status;
};

static const struct ending endings[] = {{"404", SIM_ANSWER, 404},
                                        {"reset", SIM_RESET, 201},
                                        {"hang", SIM_HANG, 201},
                                        {"500", SIM_ANSWER, 500},
                                        {"502-html", SIM_ANSWER, 502},
                                        {"503-html", SIM_ANSWER, 503},
                                        {"truncated-json", SIM_ANSWER, 201},
                                        {"empty-object", SIM_ANSWER, 201},
                                        {"no-id", SIM_ANSWER, 201}};

/* A reset or hang still forms the answer that does not arrive, so its id is not looked at there. */
static void check_endings(struct world *world, const char *prefix, size_t keys_after)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char rule[160];
        struct packet_sim_key key;
        size_t cursor = 0;
        snprintf(rule, sizeof rule, "{\"match\":{\"method\":\"POST\"},\"fault\":{\"preset\":\"%s-%s\"}}",
                 prefix, endings[i].name);
        fault(world, rule);
        assert_int_equal(post(world, "a", ED25519), endings[i].status);
        assert_int_equal(world->answer.fate, endings[i].fate);
        assert_int_equal(packet_sim_key_count(world->sim, PROJECT), keys_after);
        if (world->answer.fate == SIM_ANSWER)
            assert_string_equal(text(world->json, "id"), "");
        if (strstr(endings[i].name, "html") != NULL)
            assert_string_equal(world->answer.content_type, "text/html");
        if (packet_sim_key_next(world->sim, PROJECT, &cursor, &key))
            assert_int_equal(packet_sim_delete_key(world->sim, key.id, world->now_ms), 0);
    }
}

static void test_S_22_committed_endings(void **state)
{
    struct world *world = *state;
    fault(world, "{\"match\":{\"method\":\"POST\"},\"fault\":{\"preset\":\"committed-empty-object\"}}");
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_string_equal(world->answer.body, "{}");
    assert_int_equal(listed(world), 1);
    fault(world, "{\"match\":{\"method\":\"POST\"},\"fault\":{\"preset\":\"committed-truncated-json\"}}");
    assert_int_equal(post(world, "b", RSA), 201);
    assert_null(world->json);
    assert_int_equal(listed(world), 2);
    fault(world, "{\"match\":{\"method\":\"DELETE\"},\"fault\":{\"preset\":\"committed-reset\"}}");
    struct packet_sim_key key;
    size_t cursor = 0;
    char path[128];
    assert_true(packet_sim_key_next(world->sim, PROJECT, &cursor, &key));
    snprintf(path, sizeof path, "/metal/v1/ssh-keys/%s", key.id);
    call(world, "DELETE", path, NULL);
    assert_int_equal(world->answer.fate, SIM_RESET);
    assert_int_equal(listed(world), 1);
}

static void test_S_23_failed_endings(void **state)
{
    struct world *world = *state;
    char path[128];
    assert_int_equal(post(world, "kept", RSA), 201);
    key_path(world, path, sizeof path);
    fault(world, "{\"match\":{\"path\":\"/ssh-keys/\"},\"count\":2,\"fault\":{\"preset\":\"failed-500\"}}");
    assert_int_equal(call(world, "PUT", path, "{\"label\":\"changed\"}"), 500);
    assert_int_equal(call(world, "DELETE", path, NULL), 500);
    assert_int_equal(call(world, "GET", path, NULL), 200);
    assert_string_equal(text(world->json, "label"), "kept");
    assert_int_equal(packet_sim_delete_key(world->sim, text(world->json, "id"), world->now_ms), 0);
    fault(world, "{\"match\":{\"method\":\"POST\"},\"fault\":{\"preset\":\"failed-empty-object\"}}");
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_int_equal(listed(world), 0);
}

static void test_S_22_S_23_all_endings(void **state)
{
    struct world *world = *state;
    check_endings(world, "committed", 1);
    check_endings(world, "failed", 0);
}

static void get_with(struct world *world, const char *preset, int status)
{
    char rule[160];
    snprintf(rule, sizeof rule, "{\"match\":{\"method\":\"GET\"},\"fault\":{\"preset\":\"%s\"}}", preset);
    fault(world, rule);
    assert_int_equal(call(world, "GET", KEYS, NULL), status);
}

static void test_S_24_three_kinds_of_404(void **state)
{
    struct world *world = *state;
    get_with(world, "html-404", 404);
    assert_null(header(world, "X-Request-Id"));
    assert_string_equal(world->answer.content_type, "text/html");
    get_with(world, "json-404-no-request-id", 404);
    assert_null(header(world, "X-Request-Id"));
    assert_non_null(world->json);
    get_with(world, "html-404-request-id", 404);
    assert_non_null(header(world, "X-Request-Id"));
    assert_string_equal(world->answer.content_type, "text/html");
}

static void test_S_25_503(void **state)
{
    struct world *world = *state;
    get_with(world, "html-503", 503);
    assert_null(header(world, "Retry-After"));
    assert_null(header(world, "X-Request-Id"));
    assert_null(world->json);
    assert_non_null(strstr(world->answer.body, "<hr><center>nginx</center>"));
    get_with(world, "html-503-retry-after", 503);
    assert_string_equal(header(world, "Retry-After"), "2");
    get_with(world, "json-503", 503);
    assert_null(header(world, "Retry-After"));
    assert_non_null(world->json);
    get_with(world, "json-503-retry-after", 503);
    assert_string_equal(header(world, "Retry-After"), "2");
}

static void test_S_26_forms_of_429(void **state)
{
    struct world *world = *state;
    get_with(world, "429", 429);
    assert_null(header(world, "Retry-After"));
    get_with(world, "429-seconds", 429);
    assert_string_equal(header(world, "Retry-After"), "2");
    get_with(world, "429-date", 429);
    assert_string_equal(header(world, "Retry-After"), "Tue, 14 Nov 2023 22:13:23 GMT");
    get_with(world, "429-huge", 429);
    assert_string_equal(header(world, "Retry-After"), "1000000000");
    get_with(world, "429-negative", 429);
    assert_string_equal(header(world, "Retry-After"), "-5");
    get_with(world, "429-garbage", 429);
    assert_string_equal(header(world, "Retry-After"), "soon");
    get_with(world, "429-rate-limit", 429);
    assert_string_equal(header(world, "X-RateLimit-Remaining"), "0");
    assert_string_equal(header(world, "X-RateLimit-Reset"), "1700000002");
}

static void test_S_27_transport_fates(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *name;
        enum sim_fate fate;
    } fates[] = {
        {"stall", SIM_STALL}, {"drip", SIM_DRIP}, {"bad-length", SIM_BAD_LENGTH}, {"cut-off", SIM_TRUNCATE}};
    for (size_t i = 0; i < 4; i++) {
        get_with(world, fates[i].name, 200);
        assert_int_equal(world->answer.fate, fates[i].fate);
    }
    get_with(world, "failed-hang", 200);
    assert_int_equal(world->answer.fate, SIM_HANG);
    fault(world, "{\"match\":{\"method\":\"GET\"},\"fault\":{\"preset\":\"huge-body\",\"size\":3000000}}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_true(world->answer.body_len > 3000000);
    assert_non_null(json_object_get(world->json, "ssh_keys"));
}

static void test_S_28_kept_alive_connections(void **state)
{
    struct world *world = *state;
    get_with(world, "close-before-next", 200);
    assert_int_equal(world->close_after_ms, 0);
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(world->close_after_ms, -1);
    fault(world, "{\"fault\":{\"preset\":\"close-on-reuse\"}}");
    assert_int_equal(post(world, "a", ED25519), 201); /* the first request of its connection */
    world->served = 1;
    post(world, "b", RSA);
    assert_int_equal(world->answer.fate, SIM_RESET);
    assert_int_equal(packet_sim_key_count(world->sim, PROJECT), 1);
    assert_int_equal(post(world, "b", RSA), 201);
}

static void test_S_32_redirects(void **state)
{
    struct world *world = *state;
    static const int statuses[] = {301, 302, 307, 308};
    for (size_t i = 0; i < 4; i++) {
        char rule[160];
        snprintf(rule, sizeof rule, "{\"fault\":{\"redirect\":\"http://127.0.0.1:1/x\",\"status\":%d}}",
                 statuses[i]);
        fault(world, rule);
        assert_int_equal(post(world, "a", ED25519), statuses[i]);
        assert_string_equal(header(world, "Location"), "http://127.0.0.1:1/x");
    }
    assert_int_equal(packet_sim_key_count(world->sim, PROJECT), 0);
}

static void test_S_33_odd_errors(void **state)
{
    struct world *world = *state;
    get_with(world, "error-empty-body", 500);
    assert_int_equal(world->answer.body_len, 0);
    get_with(world, "error-array", 500);
    assert_true(json_is_array(world->json));
    get_with(world, "error-string", 500);
    assert_int_equal(world->answer.body[0], '"');
    get_with(world, "error-null", 500);
    assert_true(json_is_null(json_object_get(world->json, "error")));
    get_with(world, "errors-empty", 500);
    assert_true(json_is_array(json_object_get(world->json, "errors")));
    get_with(world, "errors-text", 500);
    assert_true(json_is_string(json_object_get(world->json, "errors")));
    get_with(world, "problem-json", 500);
    assert_string_equal(world->answer.content_type, "application/problem+json");
}

static void test_S_34_deprecation_headers(void **state)
{
    struct world *world = *state;
    fault(world,
          "{\"match\":{\"kind\":\"project-keys\"},\"count\":-1,\"fault\":{\"preset\":\"deprecation\"}}");
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_string_equal(header(world, "Deprecation"), "true");
    assert_non_null(header(world, "Sunset"));
    assert_non_null(header(world, "Link"));
    assert_int_equal(packet_sim_key_count(world->sim, PROJECT), 1);
    assert_int_equal(call(world, "GET", "/metal/v1/projects", NULL), 200);
    assert_null(header(world, "Sunset"));
}

static void test_S_35_after_the_end(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *mode;
        int status;
    } modes[] = {{"html-200", 200}, {"html-404", 404}, {"gone-410", 410}};
    for (size_t i = 0; i < 3; i++) {
        char switches[64];
        snprintf(switches, sizeof switches, "{\"sunset\":\"%s\"}", modes[i].mode);
        set(world, switches);
        assert_int_equal(post(world, "a", ED25519), modes[i].status);
        assert_string_equal(world->answer.content_type, "text/html");
        assert_null(header(world, "X-Request-Id"));
    }
    set(world, "{\"sunset\":\"refused\"}");
    post(world, "a", ED25519);
    assert_int_equal(world->answer.fate, SIM_RESET);
    assert_int_equal(packet_sim_key_count(world->sim, PROJECT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_21_lost_create, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_21_lost_create_of_project_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_22_committed_endings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_23_failed_endings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_22_S_23_all_endings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_24_three_kinds_of_404, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_25_503, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_26_forms_of_429, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_27_transport_fates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_28_kept_alive_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_32_redirects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_33_odd_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_34_deprecation_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_35_after_the_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
