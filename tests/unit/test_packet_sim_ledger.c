/* tests/unit/test_packet_sim_ledger.c -- ledger and administrative path of the Packet simulator (S-36), late
 * commits, rules of faults, repeatability. Owns nothing beyond the fixture. */
#include "tests/unit/test_packet_sim.h"

static void test_S_36_ledger(void **state)
{
    struct world *world = *state;
    char hash[PACKET_SIM_HASH_LEN + 1];
    set(world, "{\"latencyMs\":50}");
    assert_int_equal(
        call(world, "POST", KEYS "?include=", "{\"label\":\"user-token\",\"key\":\"" ED25519 "\"}"), 201);
    assert_int_equal(world->answer.delay_ms, 50);
    assert_null(strstr(world->last_line, "user-token"));
    assert_int_equal(post(world, "a", RSA), 201);
    json_t *line = json_loads(world->last_line, 0, NULL);
    packet_sim_token_hash("user-token", hash);
    assert_int_equal(json_integer_value(json_object_get(line, "seq")), 2);
    assert_string_equal(text(line, "method"), "POST");
    assert_string_equal(text(line, "path"), KEYS);
    assert_string_equal(text(line, "token"), hash);
    assert_string_equal(text(line, "projectId"), PROJECT);
    assert_string_equal(text(json_object_get(line, "body"), "label"), "a");
    assert_int_equal(json_integer_value(json_object_get(line, "receivedMs")), START_MS);
    assert_int_equal(json_integer_value(json_object_get(line, "committedMs")), START_MS);
    assert_int_equal(json_integer_value(json_object_get(line, "answerMs")), START_MS + 50);
    assert_int_equal(json_integer_value(json_object_get(line, "connection")), 7);
    assert_string_equal(text(line, "requestId"), header(world, "X-Request-Id"));
    json_decref(line);
    assert_int_equal(call(world, "GET", "/_sim/ledger?since=1", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(world->json, "requests")), 1);
    assert_int_equal(world->lines, 2);
}

/* The last line of the ledger after a GET with these headers. */
static json_t *line_with(struct world *world, const struct packet_sim_header *headers, size_t n)
{
    struct sim_request request = {.method = "GET",
                                  .path = KEYS,
                                  .query = "",
                                  .token = headers[0].value,
                                  .content_type = "",
                                  .accept = "",
                                  .user_agent = "",
                                  .body = ""};
    struct packet_sim_peer peer = {1, 0, headers, n};
    sim_answer_clear(&world->answer);
    packet_sim_handle_from(world->sim, &peer, &request, world->now_ms, &world->answer);
    return json_loads(world->last_line, 0, NULL);
}

static void test_S_36_headers_without_secrets(void **state)
{
    struct world *world = *state;
    static const struct packet_sim_header sent[] = {{"X-Auth-Token", "user-token"},
                                                    {"X-Odd", "one"},
                                                    {"x-odd", "two"},
                                                    {"X-Echo", "see user-token"},
                                                    {"Authorization", "Bearer of-something-else"},
                                                    {"Empty", ""},
                                                    {"X-Bytes", "\xff"}};
    char hash[PACKET_SIM_HASH_LEN + 1];
    json_t *line = line_with(world, sent, sizeof sent / sizeof *sent);
    json_t *headers = json_object_get(line, "headers");
    packet_sim_token_hash("user-token", hash);
    assert_int_equal(json_object_size(headers), 6);
    assert_string_equal(text(headers, "x-auth-token"), hash);
    assert_string_equal(text(headers, "x-odd"), "one, two");
    assert_string_equal(text(headers, "x-echo"), "[holds a token]");
    assert_string_equal(text(headers, "empty"), "");
    packet_sim_token_hash("Bearer of-something-else", hash);
    assert_string_equal(text(headers, "authorization"), hash);
    assert_null(strstr(world->last_line, "user-token"));
    assert_null(strstr(world->last_line, "of-something-else"));
    json_decref(line);
}

static void test_late_commit(void **state)
{
    struct world *world = *state;
    fault(world, "{\"match\":{\"method\":\"POST\"},\"fault\":{\"fate\":\"reset\",\"commitAfterMs\":90000}}");
    post(world, "a", ED25519);
    assert_int_equal(world->answer.fate, SIM_RESET);
    assert_int_equal(packet_sim_next_due(world->sim), START_MS + 90000);
    world->now_ms += 89999;
    assert_int_equal(listed(world), 0);
    world->now_ms += 1;
    assert_int_equal(listed(world), 1);
    assert_int_equal(world->lines, 4);
    assert_int_equal(packet_sim_next_due(world->sim), -1);
}

static void test_rules_count_skip_and_refuse_nonsense(void **state)
{
    struct world *world = *state;
    const char *why = NULL;
    fault(world, "{\"skip\":1,\"count\":2,\"fault\":{\"status\":500}}");
    static const int expected[] = {200, 500, 500, 200};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(call(world, "GET", KEYS, NULL), expected[i]);
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"fault\":{\"stauts\":500}}",
                                      "{\"fault\":{\"preset\":\"x\"}}",
                                      "{\"fault\":{\"fate\":\"x\"}}",
                                      "{\"fault\":{\"status\":\"500\"}}",
                                      "{\"match\":{\"kind\":\"x\"},\"fault\":{}}",
                                      "{\"fault\":{\"status\":99}}",
                                      "{\"fault\":{\"status\":0}}",
                                      "{\"fault\":{\"delayMs\":9000000000000}}",
                                      "{\"fault\":{\"commitAfterMs\":9000000000000000000}}",
                                      "{\"fault\":{\"retryAfter\":[]}}",
                                      "{\"fault\":{\"retryAfter\":{\"dateInS\":9000000000000000000}}}",
                                      "{\"fault\":{\"rateLimit\":{\"resetInS\":9000000000000000000}}}",
                                      "{\"fault\":{\"rateLimit\":{\"rest\":1}}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(packet_sim_add_fault(world->sim, bad[i], &why), -1);
    assert_non_null(why);
    assert_int_equal(packet_sim_configure(world->sim, "{\"latencyMs\":1,\"noSwitch\":1}", &why), -1);
    assert_int_equal(packet_sim_switches(world->sim)->latency_ms, 0);
}

/* How many of these requests a rule answers: the list and a create of two tokens, then a list once more. */
static unsigned hits(struct world *world, const char *match, int count)
{
    static const char *const asked[][3] = {{"user-token", "GET", KEYS},
                                           {"project-token", "GET", KEYS},
                                           {"user-token", "POST", KEYS},
                                           {"project-token", "POST", KEYS},
                                           {"user-token", "GET", "/metal/v1/projects"},
                                           {"user-token", "GET", KEYS}};
    char rule[256];
    unsigned hit = 0;
    packet_sim_clear_faults(world->sim);
    snprintf(rule, sizeof rule, "{\"match\":%s,\"count\":%d,\"fault\":{\"status\":599}}", match, count);
    fault(world, rule);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        world->token = asked[i][0];
        hit += call(world, asked[i][1], asked[i][2], NULL) == 599;
    }
    return hit;
}

static void test_rules_by_token_method_path_and_count(void **state)
{
    struct world *world = *state;
    char by_hash[64], hash[PACKET_SIM_HASH_LEN + 1];
    packet_sim_token_hash("project-token", hash);
    snprintf(by_hash, sizeof by_hash, "{\"token\":\"%s\"}", hash);
    assert_int_equal(hits(world, "{}", -1), 6);
    assert_int_equal(hits(world, "{}", 4), 4);
    assert_int_equal(hits(world, "{}", 0), 0);
    assert_int_equal(hits(world, "{\"token\":\"project-token\"}", -1), 2);
    assert_int_equal(hits(world, by_hash, -1), 2);
    assert_int_equal(hits(world, "{\"method\":\"POST\"}", -1), 2);
    assert_int_equal(hits(world, "{\"path\":\"/projects/*/ssh-keys\"}", -1), 5);
    assert_int_equal(hits(world, "{\"path\":\"/metal/v1/projects\"}", -1), 6);
    assert_int_equal(hits(world, "{\"path\":\"/projects/" PROJECT "\"}", -1), 5);
    assert_int_equal(hits(world, "{\"kind\":\"projects\"}", -1), 1);
    assert_int_equal(
        hits(world, "{\"token\":\"user-token\",\"method\":\"GET\",\"kind\":\"project-keys\"}", -1), 2);
    assert_int_equal(
        hits(world, "{\"token\":\"user-token\",\"method\":\"GET\",\"kind\":\"project-keys\"}", 1), 1);
    assert_int_equal(hits(world, "{\"token\":\"nobody\"}", -1), 0);
}

static void test_same_seed_same_run(void **state)
{
    void *twin_state = NULL;
    struct world *world = *state, *twin;
    setup(&twin_state);
    twin = twin_state;
    for (int i = 0; i < 20; i++) {
        fault(world, "{\"count\":-1,\"percent\":50,\"fault\":{\"status\":500}}");
        fault(twin, "{\"count\":-1,\"percent\":50,\"fault\":{\"status\":500}}");
        assert_int_equal(post(world, "a", ED25519), post(twin, "a", ED25519));
        assert_int_equal(world->answer.body_len, twin->answer.body_len);
        assert_memory_equal(world->answer.body, twin->answer.body, twin->answer.body_len);
        assert_string_equal(world->last_line, twin->last_line);
    }
    teardown(&twin_state);
}

/* The status of an administrative request; the answer is parsed into world->json. */
static int admin(struct world *world, const char *method, const char *path, const char *body)
{
    world->token = "";
    int status = call(world, method, path, body);
    world->token = "user-token";
    return status;
}

static void test_S_36_admin_is_outside_of_it_all(void **state)
{
    struct world *world = *state;
    set(world, "{\"sunset\":\"html-200\",\"latencyMs\":50}");
    assert_int_equal(admin(world, "GET", "/_sim/state", NULL), 200);
    assert_int_equal(world->answer.delay_ms, 0);
    assert_int_equal(json_array_size(json_object_get(world->json, "projects")), 3);
    assert_int_equal(json_array_size(json_object_get(world->json, "tokens")), 5);
    assert_null(strstr(world->answer.body, "user-token"));
    assert_int_equal(admin(world, "GET", "/_sim/nothing", NULL), 404);
    assert_int_equal(world->lines, 0);
    assert_int_equal(packet_sim_counters(world->sim)->requests, 0);
    assert_int_equal(call(world, "GET", "/metal/v1/_sim/state", NULL),
                     200); /* the API's space: sunset page */
    assert_null(world->json);
}

static void test_admin_keys_tokens_projects(void **state)
{
    struct world *world = *state;
    char body[512], id[40];
    snprintf(body, sizeof body,
             "{\"op\":\"put\",\"project\":\"%s\",\"label\":\"l\",\"key\":\"%s\",\"tags\":[\"t\"]}", PROJECT,
             ED25519);
    assert_int_equal(admin(world, "POST", "/_sim/keys", body), 200);
    snprintf(id, sizeof id, "%s", text(world->json, "id"));
    assert_int_equal(listed(world), 1);
    snprintf(body, sizeof body, "{\"op\":\"alter\",\"id\":\"%s\",\"label\":\"m\"}", id);
    assert_int_equal(admin(world, "POST", "/_sim/keys", body), 200);
    snprintf(body, sizeof body, "{\"op\":\"delete\",\"id\":\"%s\"}", id);
    assert_int_equal(admin(world, "POST", "/_sim/keys", body), 200);
    assert_int_equal(admin(world, "POST", "/_sim/keys", body), 400);
    assert_int_equal(listed(world), 0);
    assert_int_equal(post(world, "again", ED25519), 201);
    assert_int_equal(admin(world, "DELETE", "/_sim/keys", NULL), 200);
    assert_int_equal(listed(world), 0);
    assert_int_equal(post(world, "again", ED25519), 201);
    assert_int_equal(admin(world, "POST", "/_sim/projects", "{\"name\":\"new\",\"account\":\"third\"}"), 201);
    snprintf(body, sizeof body, "{\"token\":\"fresh\",\"kind\":\"project\",\"project\":\"%s\"}",
             text(world->json, "id"));
    assert_int_equal(admin(world, "POST", "/_sim/tokens", body), 201);
    world->token = "fresh";
    assert_int_equal(call(world, "GET", "/metal/v1/projects", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(world->json, "projects")), 1);
    assert_int_equal(admin(world, "POST", "/_sim/tokens", "{\"token\":\"fresh\",\"kind\":\"revoked\"}"), 201);
    world->token = "fresh";
    assert_int_equal(call(world, "GET", KEYS, NULL), 401);
}

static void test_admin_faults_config_counters(void **state)
{
    struct world *world = *state;
    assert_int_equal(
        admin(world, "POST", "/_sim/faults", "[{\"fault\":{\"status\":500}},{\"fault\":{\"status\":502}}]"),
        201);
    assert_int_equal(json_array_size(json_object_get(world->json, "ids")), 2);
    assert_int_equal(call(world, "GET", KEYS, NULL), 500);
    assert_int_equal(admin(world, "GET", "/_sim/faults", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(world->json, "faults")), 2);
    assert_int_equal(admin(world, "DELETE", "/_sim/faults", NULL), 200);
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(admin(world, "POST", "/_sim/faults", "{\"fault\":{\"stauts\":1}}"), 400);
    assert_int_equal(admin(world, "POST", "/_sim/config", "{\"dupCheck\":\"off\"}"), 200);
    assert_string_equal(text(world->json, "dupCheck"), "off");
    assert_int_equal(admin(world, "POST", "/_sim/config", "{\"dupCheck\":\"maybe\"}"), 400);
    assert_int_equal(admin(world, "GET", "/_sim/presets", NULL), 200);
    assert_non_null(json_object_get(world->json, "committed-reset"));
    assert_int_equal(admin(world, "GET", "/_sim/counters", NULL), 200);
    assert_int_equal(json_integer_value(json_object_get(world->json, "requests")), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(world->json, "byStatus"), "500")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_36_ledger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_36_headers_without_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_36_admin_is_outside_of_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admin_keys_tokens_projects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admin_faults_config_counters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules_count_skip_and_refuse_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules_by_token_method_path_and_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_seed_same_run, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
