/* tests/unit/test_packet_sim_lists.c -- lists, tokens, dates and lag of the Packet simulator: S-13 to S-20,
 * S-29 to S-31. Owns nothing beyond the fixture. */
#include "tests/unit/test_packet_sim.h"

static size_t shown(struct world *world, const char *path)
{
    assert_int_equal(call(world, "GET", path, NULL), 200);
    return json_array_size(json_object_get(world->json, "ssh_keys"));
}

static void put_three(struct world *world)
{
    assert_int_equal(post(world, "first", ED25519), 201);
    world->now_ms += 1000;
    assert_int_equal(post(world, "second", ECDSA), 201);
    world->now_ms += 1000;
    assert_int_equal(post(world, "third", RSA), 201);
}

static void test_S_13_filters(void **state)
{
    struct world *world = *state;
    put_three(world);
    assert_int_equal(shown(world, KEYS "?query=second"), 1);
    assert_int_equal(shown(world, KEYS "?query=98%3A61%3A81"), 1);
    assert_int_equal(shown(world, KEYS "?query=fYMv%2F23WjhP9q34"), 1);
    assert_int_equal(shown(world, KEYS "?query=two+words"), 1);
    assert_int_equal(shown(world, KEYS "?search=second"), 3);
    set(world, "{\"searchOnProjects\":true}");
    assert_int_equal(shown(world, KEYS "?search=second"), 1);
    assert_int_equal(shown(world, KEYS "?query=con"), 1);
    set(world, "{\"searchExact\":true}");
    assert_int_equal(shown(world, KEYS "?query=con"), 0);
    world->token = "project-token";
    assert_int_equal(shown(world, "/metal/v1/ssh-keys?search=third"), 1);
    world->token = "user-token";
    assert_int_equal(call(world, "POST", "/metal/v1/ssh-keys", "{\"label\":\"mine\",\"key\":\"" RSA "\"}"),
                     201);
    assert_int_equal(shown(world, "/metal/v1/ssh-keys?search=mine"), 1);
    assert_int_equal(shown(world, "/metal/v1/ssh-keys?search=yours"), 0);
    assert_int_equal(shown(world, "/metal/v1/ssh-keys?query=yours"), 1);
}

static void test_S_14_no_meta_by_default(void **state)
{
    struct world *world = *state;
    put_three(world);
    assert_int_equal(shown(world, KEYS), 3);
    assert_null(json_object_get(world->json, "meta"));
    assert_string_equal(text(json_array_get(json_object_get(world->json, "ssh_keys"), 0), "label"), "first");
    set(world, "{\"listOrder\":\"newest\"}");
    assert_int_equal(shown(world, KEYS), 3);
    assert_string_equal(text(json_array_get(json_object_get(world->json, "ssh_keys"), 0), "label"), "third");
}

static void test_S_14_pages(void **state)
{
    struct world *world = *state;
    put_three(world);
    set(world, "{\"meta\":true,\"metaPageSize\":2}");
    assert_int_equal(shown(world, KEYS "?include="), 2);
    json_t *meta = json_object_get(world->json, "meta");
    assert_string_equal(text(json_object_get(meta, "next"), "href"), KEYS "?page=2");
    assert_int_equal(json_integer_value(json_object_get(meta, "total")), 3);
    assert_int_equal(shown(world, KEYS "?page=2"), 1);
    assert_true(json_is_null(json_object_get(json_object_get(world->json, "meta"), "next")));
    set(world, "{\"metaEnd\":\"absent\",\"metaNextKeepsQuery\":true}");
    assert_int_equal(shown(world, KEYS "?page=2"), 1);
    assert_null(json_object_get(json_object_get(world->json, "meta"), "next"));
    assert_int_equal(shown(world, KEYS "?include=&page=1"), 2);
    assert_string_equal(text(json_object_get(json_object_get(world->json, "meta"), "next"), "href"),
                        KEYS "?include=&page=2");
    set(world, "{\"metaNext\":\"null\"}");
    assert_int_equal(shown(world, KEYS), 2);
    assert_true(json_is_null(json_object_get(json_object_get(world->json, "meta"), "next")));
    set(world, "{\"metaNext\":\"absent\"}");
    assert_int_equal(shown(world, KEYS), 2);
    assert_null(json_object_get(json_object_get(world->json, "meta"), "next"));
    assert_int_equal(shown(world, KEYS "?page=9"), 0);
}

static void test_S_15_user_and_project_keys_apart(void **state)
{
    struct world *world = *state;
    assert_int_equal(call(world, "POST", "/metal/v1/ssh-keys", "{\"label\":\"u\",\"key\":\"" RSA "\"}"), 201);
    assert_memory_equal(text(json_object_get(world->json, "owner"), "href"), "/metal/v1/users/", 16);
    assert_int_equal(post(world, "p", ED25519), 201);
    assert_int_equal(shown(world, KEYS), 1);
    assert_int_equal(shown(world, "/metal/v1/ssh-keys"), 1);
    assert_string_equal(text(json_array_get(json_object_get(world->json, "ssh_keys"), 0), "label"), "u");
    world->token = "project-token";
    assert_int_equal(shown(world, "/metal/v1/ssh-keys"), 1);
    assert_string_equal(text(json_array_get(json_object_get(world->json, "ssh_keys"), 0), "label"), "p");
    assert_int_equal(call(world, "POST", "/metal/v1/ssh-keys", "{\"label\":\"x\",\"key\":\"" ECDSA "\"}"),
                     403);
}

static void test_S_16_token_kinds(void **state)
{
    struct world *world = *state;
    char path[128];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    assert_int_equal(call(world, "GET", "/metal/v1/projects", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(world->json, "projects")), 2);
    world->token = "project-token";
    assert_int_equal(call(world, "GET", "/metal/v1/user", NULL), 403);
    assert_int_equal(call(world, "GET", "/metal/v1/projects", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(world->json, "projects")), 1);
    assert_int_equal(shown(world, KEYS), 1);
    assert_int_equal(call(world, "GET", "/metal/v1/projects/" SIBLING "/ssh-keys", NULL), 404);
    world->token = "reader-token";
    assert_int_equal(shown(world, KEYS), 1);
    assert_int_equal(post(world, "b", RSA), 403);
    assert_int_equal(call(world, "PUT", path, "{\"label\":\"b\"}"), 403);
    assert_int_equal(call(world, "DELETE", path, NULL), 403);
    assert_int_equal(packet_sim_key_count(world->sim, PROJECT), 1);
}

static void test_S_17_dates(void **state)
{
    struct world *world = *state;
    char path[128];
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    assert_string_equal(text(world->json, "created_at"), "2023-11-14T22:13:20Z");
    assert_string_equal(text(world->json, "updated_at"), "2023-11-14T22:13:20Z");
    set(world, "{\"updatedAt\":\"later\"}");
    call(world, "GET", path, NULL);
    assert_string_equal(text(world->json, "updated_at"), "2023-11-14T22:13:21Z");
    set(world, "{\"updatedAt\":\"moving\"}");
    char before[32];
    call(world, "GET", path, NULL);
    snprintf(before, sizeof before, "%s", text(world->json, "updated_at"));
    call(world, "GET", path, NULL);
    assert_string_not_equal(text(world->json, "updated_at"), before);
    assert_string_equal(text(world->json, "created_at"), "2023-11-14T22:13:20Z");
}

static void test_S_18_tolerates_versions_and_empty_include(void **state)
{
    struct world *world = *state;
    struct sim_request request = {"GET", KEYS, "include=", "user-token", "", "application/json; version=1",
                                  "",    "",   0};
    sim_answer_clear(&world->answer);
    packet_sim_handle(world->sim, &request, world->now_ms, &world->answer);
    assert_int_equal(world->answer.status, 200);
}

static void test_S_19_foreign_ids(void **state)
{
    struct world *world = *state;
    char id[37], path[128];
    assert_int_equal(packet_sim_put_key(world->sim, STRANGER, NULL, "f", RSA, NULL, START_MS, id), 0);
    snprintf(path, sizeof path, "/metal/v1/ssh-keys/%s", id);
    assert_int_equal(call(world, "GET", path, NULL), 404);
    assert_int_equal(call(world, "DELETE", path, NULL), 404);
    set(world, "{\"foreignStatus\":403}");
    assert_int_equal(call(world, "GET", path, NULL), 403);
    assert_int_equal(call(world, "DELETE", path, NULL), 403);
    assert_int_equal(call(world, "GET", "/metal/v1/projects/" STRANGER "/ssh-keys", NULL), 403);
    world->token = "foreign-token";
    assert_int_equal(call(world, "GET", path, NULL), 200);
}

static void test_S_20_all_members_in_recorded_order(void **state)
{
    struct world *world = *state;
    static const char *const members[] = {"id",         "label", "key",  "fingerprint", "created_at",
                                          "updated_at", "owner", "href", "tags"};
    size_t i = 0;
    const char *name;
    json_t *value;
    assert_int_equal(post(world, "a", ED25519), 201);
    json_object_foreach(world->json, name, value)
    {
        assert_true(i < 9);
        assert_string_equal(name, members[i++]);
    }
    assert_int_equal(i, 9);
    set(world, "{\"tagsMember\":\"when-set\"}");
    assert_int_equal(post(world, "b", RSA), 201);
    assert_null(json_object_get(world->json, "tags"));
}

static void test_S_29_reads_miss_a_new_key(void **state)
{
    struct world *world = *state;
    char path[128];
    set(world, "{\"listMissNewReads\":2,\"itemMissNewReads\":1}");
    assert_int_equal(post(world, "a", ED25519), 201);
    key_path(world, path, sizeof path);
    assert_int_equal(listed(world), 0);
    assert_int_equal(listed(world), 0);
    assert_int_equal(listed(world), 1);
    assert_int_equal(call(world, "GET", path, NULL), 404);
    assert_int_equal(call(world, "GET", path, NULL), 200);
    assert_int_equal(post(world, "a", ED25519), 422);
}

static void test_S_29_deleted_key_still_listed(void **state)
{
    struct world *world = *state;
    char path[128];
    set(world, "{\"listKeepDeletedReads\":2}");
    assert_int_equal(post(world, "a", ED25519), 201);
    assert_int_equal(call(world, "DELETE", key_path(world, path, sizeof path), NULL), 204);
    assert_int_equal(listed(world), 1);
    assert_int_equal(listed(world), 1);
    assert_int_equal(listed(world), 0);
}

static void test_S_29_lists_show_the_past(void **state)
{
    struct world *world = *state;
    char path[128];
    set(world, "{\"listLagMs\":5000}");
    assert_int_equal(post(world, "old", ED25519), 201);
    key_path(world, path, sizeof path);
    world->now_ms += 4999;
    assert_int_equal(listed(world), 0);
    world->now_ms += 1;
    assert_int_equal(listed(world), 1);
    assert_int_equal(call(world, "PUT", path, "{\"label\":\"new\"}"), 200);
    assert_int_equal(listed(world), 1);
    assert_string_equal(text(json_array_get(json_object_get(world->json, "ssh_keys"), 0), "label"), "old");
    world->now_ms += 5000;
    assert_int_equal(listed(world), 1);
    assert_string_equal(text(json_array_get(json_object_get(world->json, "ssh_keys"), 0), "label"), "new");
    assert_int_equal(call(world, "DELETE", path, NULL), 204);
    assert_int_equal(listed(world), 1);
    world->now_ms += 5000;
    assert_int_equal(listed(world), 0);
}

static void test_S_29_no_lag_under_a_stepping_clock(void **state)
{
    struct world *world = *state;
    assert_int_equal(post(world, "a", ED25519), 201);
    world->now_ms -= 3600000;
    assert_int_equal(listed(world), 1);
    assert_int_equal(post(world, "b", RSA), 201);
    assert_int_equal(listed(world), 2);
}

static void test_S_30_project_token_oddities(void **state)
{
    struct world *world = *state;
    world->token = "project-token";
    assert_int_equal(call(world, "GET", "/metal/v1/projects/" PROJECT, NULL), 404);
    assert_int_equal(call(world, "GET", "/metal/v1/locations/metros", NULL), 403);
    set(world, "{\"projectTokenProject\":401,\"projectTokenMetros\":200}");
    assert_int_equal(call(world, "GET", "/metal/v1/projects/" PROJECT, NULL), 401);
    assert_int_equal(call(world, "GET", "/metal/v1/locations/metros", NULL), 200);
    set(world, "{\"projectTokenProject\":200}");
    assert_int_equal(call(world, "GET", "/metal/v1/projects/" PROJECT, NULL), 200);
}

static void test_S_31_behind_the_clients_back(void **state)
{
    struct world *world = *state;
    struct packet_sim_key key;
    char id[37], path[128];
    size_t cursor = 0;
    assert_int_equal(post(world, "a", ED25519), 201);
    snprintf(id, sizeof id, "%s", text(world->json, "id"));
    snprintf(path, sizeof path, "/metal/v1/ssh-keys/%s", id);
    assert_int_equal(packet_sim_alter_key(world->sim, id, "b", RSA, "[\"x\"]", world->now_ms), 0);
    assert_int_equal(call(world, "GET", path, NULL), 200);
    assert_string_equal(text(world->json, "label"), "b");
    assert_string_equal(text(world->json, "key"), RSA);
    assert_int_equal(packet_sim_put_key(world->sim, PROJECT, NULL, "b", RSA, NULL, world->now_ms, NULL), 0);
    assert_int_equal(listed(world), 2);
    assert_int_equal(packet_sim_delete_key(world->sim, id, world->now_ms), 0);
    assert_int_equal(call(world, "GET", path, NULL), 404);
    assert_true(packet_sim_key_next(world->sim, PROJECT, &cursor, &key));
    assert_string_equal(key.label, "b");
    assert_string_equal(key.tags, "[]");
    assert_false(packet_sim_key_next(world->sim, PROJECT, &cursor, &key));
    assert_int_equal(packet_sim_delete_key(world->sim, id, world->now_ms), -1);
    assert_int_equal(
        packet_sim_put_key(world->sim, PROJECT, NULL, "b", "nonsense", NULL, world->now_ms, NULL), -1);
}

static void test_S_31_422_without_a_match(void **state)
{
    struct world *world = *state;
    set(world, "{\"dupCheck\":\"global\"}");
    assert_int_equal(packet_sim_put_key(world->sim, STRANGER, NULL, "f", ED25519, NULL, START_MS, NULL), 0);
    assert_int_equal(post(world, "a", ED25519), 422);
    assert_int_equal(listed(world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_13_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_14_no_meta_by_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_14_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_15_user_and_project_keys_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_16_token_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_17_dates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_18_tolerates_versions_and_empty_include, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_19_foreign_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_20_all_members_in_recorded_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_29_reads_miss_a_new_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_29_deleted_key_still_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_29_lists_show_the_past, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_29_no_lag_under_a_stepping_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_30_project_token_oddities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_31_behind_the_clients_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_31_422_without_a_match, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
