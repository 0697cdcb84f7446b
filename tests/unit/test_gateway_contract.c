/* tests/unit/test_gateway_contract.c -- items of the Packet contract that hold whatever the gateway is doing:
 * what it never asks for, and what of an answer never matters (packet C-6, C-11, C-14, C-16, C-17, C-26,
 * C-29, C-31, C-38, C-39). The list's keys are taken as they come in FOUND, byte for byte. */
#include "tests/unit/test_gateway_play.h"

#define LABEL "a b+c/d=e&f?g#h%2e"
#define ITEM  "/ssh-keys/" RIG_ID

static const struct rig_message *search(struct rig *rig, const char *members)
{
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_list(rig, members);
    return rig_reply(rig, seq, OUTCOME_OK);
}

/* Does a list with these members come to the same as one with those? */
static bool alike(const char *these, const char *those)
{
    struct rig *a = rig_new(), *b = rig_new();

    rig_grant(a, .id = RIG_ID);
    rig_grant(b, .id = RIG_ID);
    struct value x = search(a, these)->found, y = search(b, those)->found;
    bool same = x.len == y.len && memcmp(x.at, y.at, x.len) == 0;

    rig_free(a);
    rig_free(b);
    return same;
}

static void test_C_06_no_path_is_built_from_a_bad_id(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      "17",
                                      "../projects",
                                      "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c4",
                                      "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44/",
                                      "3f0c9b7e 54d1-4a0e-8f0a-2b6a5a1d9c44",
                                      "3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c4g"};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char key[1024];
        struct rig *rig = rig_new();

        /* Not as a project, not as a recorded id, not from a list. */
        assert_int_equal(rig_grant(rig, .handle = 2, .project = ids[i]), OUTCOME_NOT_GRANTED);
        assert_int_equal(rig_grant(rig, .id = ids[i], .id2 = RIG_ID), OUTCOME_OK);
        search(rig, rig_key_json(key, sizeof key, ids[i], RIG_LABEL, RIG_KEY, "x", RIG_TAGS));
        rig_reply(rig, rig_remove(rig, .id = ids[i]), OUTCOME_NOT_GRANTED);
        rig_reply(rig, rig_update(rig, .id = ids[i], .relabel = true), OUTCOME_NOT_GRANTED);
        rig_no_request(rig);
        rig_remove(rig, .id = RIG_ID); /* the good one beside it counts */
        rig_expect(rig, "DELETE", ITEM);
        rig_free(rig);
    }
}

/* Every kind of question, with a label that would need encoding: the list and single keys, without a query,
 * and nothing else of the API: no user, no project, no metro. */
static void test_C_14_C_38_C_39_only_the_list_and_granted_keys_are_asked_for(void **state)
{
    (void)state;
    char key[1024];
    struct rig *rig = rig_new();
    bool listed = false, changed = false;

    rig_grant(rig, .id = RIG_ID, .label = LABEL);
    search(rig, "");
    rig_create(rig, .key = RIG_KEY);
    rig_answer(rig, 201, rig_key_json(key, sizeof key, RIG_ID2, LABEL, RIG_KEY, "x", "[]"));
    rig_update(rig, .id = RIG_ID, .relabel = true, .retag = true);
    rig_answer(rig, 200, rig_our_key(key, sizeof key));
    rig_remove(rig, .id = RIG_ID);
    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_list(rig, "");
    for (unsigned i = 0; i < rig->n_requests; i++) {
        const char *path = rig->requests[i].r.path;

        assert_true(strcmp(path, RIG_LIST) == 0 || strcmp(path, ITEM) == 0);
        listed = listed || strcmp(path, RIG_LIST) == 0;
        changed = changed || strcmp(path, ITEM) == 0;
    }
    assert_true(listed && changed);
    rig_free(rig);
}

/* A next page is asked for by the server's own spelling of the query, and one that would need encoding is no
 * spelling of it. */
static void test_C_14_a_query_that_is_not_encoded_is_not_sent(void **state)
{
    (void)state;
    static const char *const queries[] = {"?page=2&label=a b", "?page=2&label=\\u00e4", "?page=2\\t",
                                          "?page=2\\u007f"};

    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct rig *rig = rig_new();
        char *body =
            x_asprintf("{\"ssh_keys\":[{}],\"meta\":{\"next\":{\"href\":\"" RIG_LIST "%s\"}}}", queries[i]);

        rig_grant(rig, .id = RIG_ID);
        rig_search(rig, .key = RIG_KEY);
        rig_answer(rig, 200, body);
        rig_no_request(rig);
        free(body);
        rig_free(rig);
    }
}

#define KEY_WITH(members)                                                                                    \
    "{\"id\":\"" RIG_ID "\",\"label\":\"" RIG_LABEL "\",\"key\":\"" RIG_KEY_BARE                             \
    "\",\"created_at\":\"2021-03-04T05:06:07Z\",\"tags\":" RIG_TAGS members "}"
#define OTHER_WITH(members)                                                                                  \
    "{\"id\":\"" RIG_ID2 "\",\"label\":\"" RIG_LABEL "\",\"key\":\"" RIG_KEY2                                \
    "\",\"created_at\":\"2021-03-04T05:06:08Z\",\"tags\":" RIG_TAGS members "}"

static void test_C_16_updated_at_changes_nothing(void **state)
{
    (void)state;
    static const char *const plain = KEY_WITH("") "," OTHER_WITH("");

    assert_true(alike(plain, KEY_WITH(",\"updated_at\":\"2030-01-01T00:00:00Z\"") "," OTHER_WITH("")));
    assert_true(alike(plain, KEY_WITH("") "," OTHER_WITH(",\"updated_at\":\"1999-01-01T00:00:00Z\"")));
    assert_true(
        alike(plain, KEY_WITH(",\"updated_at\":null") "," OTHER_WITH(",\"updated_at\":\"yesterday\"")));
    assert_false(alike(plain, KEY_WITH(""))); /* else this would prove nothing */
}

/* A project's list holds only that project's keys: the owner is not needed, under no name. */
static void test_C_17_the_owner_under_any_name_or_none(void **state)
{
    (void)state;
#define HREF "{\"href\":\"/projects/" RIG_PROJECT "\"}"
    static const char *const with[] = {
        KEY_WITH(",\"owner\":" HREF),
        KEY_WITH(",\"entity\":" HREF),
        KEY_WITH(",\"user\":" HREF),
        KEY_WITH(",\"owner\":" HREF ",\"entity\":" HREF),
        KEY_WITH(",\"owner\":null,\"entity\":null"),
        KEY_WITH(",\"owner\":{\"href\":\"/p\"}"), /* shorter than what some clients compare */
        KEY_WITH(",\"owner\":\"text\",\"user\":[]"),
    };

    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++)
        assert_true(alike(KEY_WITH(""), with[i]));
}

static void test_C_11_any_order_unknown_members_and_nulls(void **state)
{
    (void)state;
    assert_true(alike(KEY_WITH(""),
                      "{\"tags\":" RIG_TAGS ",\"new\":{\"a\":[1,{\"b\":null}]},\"key\":\"" RIG_KEY_BARE
                      "\",\"fingerprint\":null,\"label\":\"" RIG_LABEL "\",\"href\":null,"
                      "\"created_at\":\"2021-03-04T05:06:07Z\",\"id\":\"" RIG_ID "\"}"));
    assert_true(
        alike(OTHER_WITH(""), OTHER_WITH(",\"owner\":null,\"fingerprint\":7,\"href\":{},\"x\":\"\\u0000\"")));
}

/* Beside ours: what no client of this API has a name for. */
static void test_C_29_keys_of_any_type(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "ssh-dss AAAAB3NzaC1kc3MAAACBAJ",
        "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t",
        "ssh-rsa",
        "ssh-rsa !!!! x",
        "-----BEGIN PUBLIC KEY-----\\nMIIB",
        "\\u0000\\u0001",
        "",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char *members = x_asprintf("{\"id\":\"" RIG_ID2 "\",\"label\":\"other\",\"key\":\"%s\"},%s", lines[i],
                                   KEY_WITH(""));

        assert_true(alike(KEY_WITH(""), members));
        free(members);
    }
}

static void test_C_26_a_204_is_not_parsed(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{", "<html>", "{\"errors\":[\"no\"]}"};

    for (size_t i = 0; i < 2 * sizeof bodies / sizeof bodies[0]; i++) {
        struct rig *rig = rig_new();
        struct gateway_result r = rig_json(204, bodies[i / 2]);

        rig_grant(rig, .id = RIG_ID);
        uint64_t seq = rig_remove(rig, .id = RIG_ID);

        r.json = i % 2;
        rig_result(rig, r);
        rig_reply(rig, seq, OUTCOME_OK);
        rig_free(rig);
    }
}

static enum outcome deleted(int status, const char *text)
{
    struct rig *rig = rig_new();
    char *body = x_asprintf("{\"errors\":[\"%s\"]}", text);

    rig_grant(rig, .id = RIG_ID);
    rig_remove(rig, .id = RIG_ID);
    for (int i = 0; i < 20 && !rig_messages(rig, MSG_OUTCOME); i++) {
        if (rig->n_answered == rig->n_requests)
            rig_next(rig);
        else if (strcmp(rig->requests[rig->n_answered].r.method, "GET") == 0)
            rig_list(rig, "");
        else
            rig_answer(rig, status, body);
    }
    enum outcome outcome = (enum outcome)rig->messages[rig->n_messages - 1].outcome;

    free(body);
    rig_free(rig);
    return outcome;
}

static void test_C_31_texts_change_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"Not found",
                                        "Key must be unique",
                                        "Invalid authentication token",
                                        "Access denied for the current authentication token",
                                        "rate limit exceeded",
                                        "quota",
                                        "timeout",
                                        ""};
    static const int statuses[] = {400, 401, 403, 404, 409, 410, 422, 429, 500, 503};

    for (size_t s = 0; s < sizeof statuses / sizeof statuses[0]; s++) {
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
            assert_int_equal(deleted(statuses[s], texts[t]), deleted(statuses[s], "something"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_06_no_path_is_built_from_a_bad_id),
        cmocka_unit_test(test_C_14_C_38_C_39_only_the_list_and_granted_keys_are_asked_for),
        cmocka_unit_test(test_C_14_a_query_that_is_not_encoded_is_not_sent),
        cmocka_unit_test(test_C_16_updated_at_changes_nothing),
        cmocka_unit_test(test_C_17_the_owner_under_any_name_or_none),
        cmocka_unit_test(test_C_11_any_order_unknown_members_and_nulls),
        cmocka_unit_test(test_C_29_keys_of_any_type),
        cmocka_unit_test(test_C_26_a_204_is_not_parsed),
        cmocka_unit_test(test_C_31_texts_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
