/* tests/unit/test_packet_sim.c -- the faithful defaults of the Packet simulator, one test for each item S-1
 * to S-12; S-13 to S-20 are in test_packet_sim_lists.c. Owns nothing beyond the fixture. Drives the core
 * directly; what the wire adds is in test_packet_sim_server*.c. */
#include "tests/unit/test_packet_sim.h"

static void test_S_01_prefix_in_paths_and_hrefs(void **state)
{
    struct world *world = *state;
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_string_equal(text(json_object_get(world->json, "owner"), "href"), "/metal/v1/projects/" PROJECT);
    assert_memory_equal(text(world->json, "href"), "/metal/v1/ssh-keys/", 19);
    assert_int_equal(call(world, "GET", "/projects/" PROJECT "/ssh-keys", NULL), 404);
    assert_string_equal(world->answer.content_type, "text/html");
}

static void test_S_01_empty_prefix(void **state)
{
    void *own = NULL;
    (void)state;
    setup_with(&own, "");
    struct world *world = own;
    assert_int_equal(
        call(world, "POST", "/projects/" PROJECT "/ssh-keys", "{\"label\":\"a\",\"key\":\"" ED25519 "\"}"),
        201);
    assert_memory_equal(text(world->json, "href"), "/ssh-keys/", 10);
    assert_string_equal(text(json_object_get(world->json, "owner"), "href"), "/projects/" PROJECT);
    teardown(&own);
}

static bool is_request_id(const char *id)
{
    return id != NULL && strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

static void test_S_02_content_type_and_request_id(void **state)
{
    struct world *world = *state;
    char first[64];
    static const char *const paths[] = {KEYS, "/metal/v1/projects", "/metal/v1/nothing",
                                        "/metal/v1/ssh-keys/x"};
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    snprintf(first, sizeof first, "%s", header(world, "X-Request-Id"));
    for (size_t i = 0; i < 4; i++) {
        call(world, "GET", paths[i], NULL);
        assert_string_equal(world->answer.content_type, "application/json; charset=utf-8");
        assert_true(is_request_id(header(world, "X-Request-Id")));
        assert_string_not_equal(header(world, "X-Request-Id"), first);
        snprintf(first, sizeof first, "%s", header(world, "X-Request-Id"));
    }
    world->token = "";
    assert_int_equal(call(world, "GET", KEYS, NULL), 401);
    assert_true(is_request_id(header(world, "X-Request-Id")));
}

static void test_S_03_401_comes_first(void **state)
{
    struct world *world = *state;
    static const char *const tokens[] = {"", "unknown", "revoked-token"};
    static const char *const paths[] = {KEYS, "/metal/v1/ssh-keys/nonsense", "/metal/v1/nothing",
                                        "/metal/v1/user"};
    for (size_t t = 0; t < 3; t++)
        for (size_t p = 0; p < 4; p++) {
            world->token = tokens[t];
            assert_int_equal(call(world, "GET", paths[p], NULL), 401);
            assert_int_equal(world->answer.body_len, 40);
            assert_memory_equal(world->answer.body, "{\"error\":\"Invalid authentication token\"}", 40);
        }
}

static void test_S_04_errors_are_arrays(void **state)
{
    struct world *world = *state;
    assert_int_equal(call(world, "GET", "/metal/v1/ssh-keys/3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44", NULL),
                     404);
    assert_int_equal(world->answer.body_len, 24);
    assert_memory_equal(world->answer.body, "{\"errors\":[\"Not found\"]}", 24);
    assert_int_equal(call(world, "GET", "/metal/v1/projects/not-a-uuid/ssh-keys", NULL), 404);
    assert_int_equal(call(world, "GET", "/metal/v1/ssh-keys/", NULL), 404);
    assert_int_equal(call(world, "GET", KEYS "/3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44", NULL), 404);
    world->token = "project-token";
    assert_int_equal(call(world, "GET", "/metal/v1/user", NULL), 403);
    assert_string_equal(json_string_value(json_array_get(json_object_get(world->json, "errors"), 0)),
                        "Access denied for the current authentication token");
}

static void test_S_05_every_path_answers(void **state)
{
    struct world *world = *state;
    static const char *const gets[] = {KEYS,
                                       "/metal/v1/ssh-keys",
                                       "/metal/v1/projects",
                                       ("/metal/v1/projects/" PROJECT),
                                       "/metal/v1/user",
                                       "/metal/v1/locations/metros",
                                       "/metal/v1/locations/metros/932eecda-6808-44b9-a3be-3abef49796ef"};
    char path[128];
    for (size_t i = 0; i < sizeof gets / sizeof *gets; i++)
        assert_int_equal(call(world, "GET", gets[i], NULL), 200);
    assert_string_equal(text(world->json, "code"), "ny");
    assert_int_equal(call(world, "POST", "/metal/v1/ssh-keys", "{\"label\":\"u\",\"key\":\"" RSA "\"}"), 201);
    assert_int_equal(call(world, "GET", key_path(world, path, sizeof path), NULL), 200);
}

#define OTHER_PROJECT "/metal/v1/projects/" SIBLING

static void test_S_05_change_a_project(void **state)
{
    struct world *world = *state;
    static const char *const wrong[] = {"[]",
                                        "{\"name\":\"\"}",
                                        "{\"name\":7}",
                                        "{\"tags\":[1]}",
                                        "{\"customdata\":[]}",
                                        "{\"name\":\"four bytes: \xf0\x9f\x98\x80\"}"};
    world->now_ms += 1000;
    assert_int_equal(call(world, "PUT", OTHER_PROJECT, "{\"name\":\"new\",\"tags\":[\"t\"]}"), 200);
    assert_int_equal(call(world, "PUT", OTHER_PROJECT, "{\"customdata\":{\"a\":1}}"), 200);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(call(world, "PUT", OTHER_PROJECT, wrong[i]), 422);
    fault(world, "{\"fault\":{\"preset\":\"failed-no-id\"}}");
    assert_int_equal(call(world, "PUT", OTHER_PROJECT, "{\"name\":\"lost\"}"), 200);
    assert_int_equal(call(world, "GET", OTHER_PROJECT, NULL), 200);
    assert_string_equal(text(world->json, "name"), "new");
    assert_int_equal(json_array_size(json_object_get(world->json, "tags")), 1);
    assert_int_equal(json_object_size(json_object_get(world->json, "customdata")), 1);
    assert_string_equal(text(world->json, "created_at"), "2023-11-14T22:13:20Z");
    assert_string_equal(text(world->json, "updated_at"), "2023-11-14T22:13:21Z");
    world->token = "foreign-token";
    assert_int_equal(call(world, "PUT", OTHER_PROJECT, "{\"name\":\"x\"}"), 404);
    world->token = "reader-token";
    set(world, "{\"projectTokenProject\":200}");
    assert_int_equal(call(world, "PUT", "/metal/v1/projects/" PROJECT, "{\"name\":\"x\"}"), 403);
    assert_int_equal(call(world, "DELETE", "/metal/v1/projects/" PROJECT, NULL), 403);
}

/* Keys in it do not hold it up (packet 2.6). */
static void test_S_05_remove_a_project(void **state)
{
    struct world *world = *state;
    char path[128];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    fault(world, "{\"fault\":{\"preset\":\"failed-500\"}}");
    assert_int_equal(call(world, "DELETE", "/metal/v1/projects/" PROJECT, NULL), 500);
    assert_int_equal(call(world, "GET", path, NULL), 200);
    assert_int_equal(call(world, "DELETE", "/metal/v1/projects/" PROJECT, NULL), 204);
    assert_int_equal(call(world, "DELETE", "/metal/v1/projects/" PROJECT, NULL), 404);
    assert_int_equal(call(world, "GET", KEYS, NULL), 404);
    assert_int_equal(call(world, "GET", path, NULL), 404);
    assert_int_equal(packet_sim_key_count(world->sim, NULL), 0);
    assert_int_equal(call(world, "GET", "/metal/v1/projects", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(world->json, "projects")), 1);
    world->token = "project-token";
    assert_int_equal(call(world, "GET", KEYS, NULL), 401);
    assert_non_null(packet_sim_add_project(world->sim, PROJECT, "again", NULL, world->now_ms));
    assert_int_equal(call(world, "GET", KEYS, NULL), 401);
    world->token = "user-token";
    assert_int_equal(listed(world), 0);
}

static void test_S_06_statuses_of_changes(void **state)
{
    struct world *world = *state;
    char path[128];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    assert_int_equal(call(world, "PUT", path, "{\"label\":\"b\"}"), 200);
    assert_string_equal(text(world->json, "key"), ED25519);
    assert_int_equal(call(world, "DELETE", path, NULL), 204);
    assert_int_equal(world->answer.body_len, 0);
    assert_null(world->answer.content_type);
    assert_int_equal(call(world, "GET", path, NULL), 404);
    assert_int_equal(call(world, "DELETE", path, NULL), 404);
}

static void check_partial_update(struct world *world, const char *verb)
{
    char path[128], id[40], created[32];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    snprintf(id, sizeof id, "%s", text(world->json, "id"));
    snprintf(created, sizeof created, "%s", text(world->json, "created_at"));
    world->now_ms += 5000;
    assert_int_equal(call(world, verb, path, "{\"label\":\"b\"}"), 200);
    assert_string_equal(text(world->json, "label"), "b");
    assert_string_equal(text(world->json, "fingerprint"), "98:61:81:74:f2:a0:9b:84:86:1b:81:89:b0:07:52:f6");
    assert_int_equal(call(world, verb, path, "{\"key\":\"" RSA "\",\"tags\":[\"t\"]}"), 200);
    assert_string_equal(text(world->json, "label"), "b");
    assert_string_equal(text(world->json, "fingerprint"), "55:80:b9:13:90:5b:ad:d7:c6:68:d5:67:23:68:1a:72");
    assert_string_equal(text(world->json, "id"), id);
    assert_string_equal(text(world->json, "created_at"), created);
    assert_string_equal(text(json_object_get(world->json, "owner"), "href"), "/metal/v1/projects/" PROJECT);
    assert_int_equal(call(world, "DELETE", path, NULL), 204);
}

static void test_S_07_put_and_patch_are_partial(void **state)
{
    check_partial_update(*state, "PUT");
    check_partial_update(*state, "PATCH");
}

static void test_S_07_update_refuses_a_bad_key(void **state)
{
    struct world *world = *state;
    char path[128];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    assert_int_equal(call(world, "PUT", path, "{\"key\":\"nonsense\"}"), 422);
    assert_int_equal(call(world, "PUT", path, NULL), 200);
    set(world, "{\"refuseEmptyUpdate\":true}");
    assert_int_equal(call(world, "PUT", path, NULL), 422);
}

static void test_S_08_fingerprint_vectors(void **state)
{
    char out[48];
    (void)state;
    assert_true(packet_sim_fingerprint(ED25519, out));
    assert_string_equal(out, "98:61:81:74:f2:a0:9b:84:86:1b:81:89:b0:07:52:f6");
    assert_true(packet_sim_fingerprint(ECDSA, out));
    assert_string_equal(out, "9e:09:35:0e:9b:c7:1b:ff:f8:14:bd:03:9e:b3:77:8c");
    assert_true(packet_sim_fingerprint(RSA, out));
    assert_string_equal(out, "55:80:b9:13:90:5b:ad:d7:c6:68:d5:67:23:68:1a:72");
    assert_true(packet_sim_fingerprint(RSA "\n", out));
    assert_string_equal(out, "55:80:b9:13:90:5b:ad:d7:c6:68:d5:67:23:68:1a:72");
}

static void test_S_08_key_comes_back_byte_for_byte(void **state)
{
    struct world *world = *state;
    static const char line[] = ED25519 " \xc3\xa4/\t \n";
    char path[128];
    assert_int_equal(post(world, "a", line), 201);
    assert_string_equal(text(world->json, "key"), line);
    assert_int_equal(call(world, "GET", key_path(world, path, sizeof path), NULL), 200);
    assert_string_equal(text(world->json, "key"), line);
}

static void test_S_09_owner_member(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *word;
        bool owner, entity, user;
    } modes[] = {{"owner", true, false, false},
                 {"entity", false, true, false},
                 {"user", false, false, true},
                 {"both", true, true, false},
                 {"none", false, false, false}};
    char path[128], switches[64];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    for (size_t i = 0; i < 5; i++) {
        snprintf(switches, sizeof switches, "{\"ownerMember\":\"%s\"}", modes[i].word);
        set(world, switches);
        assert_int_equal(call(world, "GET", path, NULL), 200);
        assert_int_equal(json_object_get(world->json, "owner") != NULL, modes[i].owner);
        assert_int_equal(json_object_get(world->json, "entity") != NULL, modes[i].entity);
        assert_int_equal(json_object_get(world->json, "user") != NULL, modes[i].user);
    }
}

static void test_S_10_duplicate_scopes(void **state)
{
    struct world *world = *state;
    assert_int_equal(packet_sim_put_key(world->sim, STRANGER, NULL, "f", RSA, NULL, START_MS, NULL), 0);
    assert_int_equal(packet_sim_put_key(world->sim, SIBLING, NULL, "s", ECDSA, NULL, START_MS, NULL), 0);
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_int_equal(post(world, "other label, other comment", ED25519 " x"), 422);
    assert_int_equal(world->answer.body_len, 33);
    set(world, "{\"dupCheck\":\"global\"}");
    assert_int_equal(post(world, "r", RSA), 422);
    set(world, "{\"dupCheck\":\"account\"}");
    assert_int_equal(post(world, "e", ECDSA), 422);
    assert_int_equal(post(world, "r", RSA), 201);
    set(world, "{\"dupCheck\":\"owner\"}");
    assert_int_equal(post(world, "e", ECDSA), 201);
    set(world, "{\"dupCheck\":\"off\"}");
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_int_equal(listed(world), 4);
}

static void test_S_10_labels_may_repeat(void **state)
{
    struct world *world = *state;
    assert_int_equal(post(world, "same", ED25519), 201);
    assert_int_equal(post(world, "same", RSA), 201);
}

static void test_S_11_refused_bodies(void **state)
{
    struct world *world = *state;
    static const char *const bodies[] = {"",
                                         "[]",
                                         "null",
                                         "\"text\"",
                                         "{",
                                         "{\"label\":\"a\"}",
                                         "{\"label\":\"a\",\"key\":\"\"}",
                                         "{\"label\":\"a\",\"key\":\"ssh-rsa\"}",
                                         "{\"label\":\"a\",\"key\":\"ssh-rsa AAAA\"}",
                                         "{\"label\":\"a\",\"key\":\"ssh-ed25519 !!!!\"}",
                                         "{\"label\":\"a\",\"key\":7}",
                                         "{\"label\":7,\"key\":\"" ED25519 "\"}",
                                         "{\"label\":\"a\",\"tags\":\"t\",\"key\":\"" ED25519 "\"}",
                                         "{\"label\":\"a\",\"key\":\"" ED25519 "\\n" ED25519 "\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(call(world, "POST", KEYS, bodies[i]), 422);
        assert_true(json_array_size(json_object_get(world->json, "errors")) > 0);
    }
    assert_int_equal(packet_sim_key_count(world->sim, NULL), 0);
}

static void test_S_11_missing_label(void **state)
{
    struct world *world = *state;
    assert_int_equal(call(world, "POST", KEYS, "{\"key\":\"" ED25519 "\"}"), 422);
    set(world, "{\"acceptMissingLabel\":true}");
    assert_int_equal(call(world, "POST", KEYS, "{\"key\":\"" ED25519 "\"}"), 201);
}

static void test_S_12_unknown_members_and_instances_ids(void **state)
{
    struct world *world = *state;
    assert_int_equal(call(world, "GET", KEYS "?nonsense=1&x", NULL), 200);
    assert_int_equal(call(world, "POST", KEYS, "{\"label\":\"a\",\"odd\":{},\"key\":\"" ED25519 "\"}"), 201);
    assert_int_equal(packet_sim_counters(world->sim)->instances_ids, 0);
    assert_int_equal(call(world, "POST", KEYS, "{\"label\":\"a\",\"instances_ids\":[],\"key\":\"" RSA "\"}"),
                     201);
    assert_int_equal(packet_sim_counters(world->sim)->instances_ids, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_01_prefix_in_paths_and_hrefs, setup, teardown),
        cmocka_unit_test(test_S_01_empty_prefix),
        cmocka_unit_test_setup_teardown(test_S_02_content_type_and_request_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_03_401_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_04_errors_are_arrays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_05_every_path_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_05_change_a_project, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_05_remove_a_project, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_06_statuses_of_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_07_put_and_patch_are_partial, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_07_update_refuses_a_bad_key, setup, teardown),
        cmocka_unit_test(test_S_08_fingerprint_vectors),
        cmocka_unit_test_setup_teardown(test_S_08_key_comes_back_byte_for_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_09_owner_member, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_10_duplicate_scopes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_10_labels_may_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_11_refused_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_11_missing_label, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_12_unknown_members_and_instances_ids, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
