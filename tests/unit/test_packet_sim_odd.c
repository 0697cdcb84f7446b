/* tests/unit/test_packet_sim_odd.c -- requests that no client should send, made at random from pieces: the
 * simulator answers each, its ledger stays readable and no token gets into it (S-11, S-36). Owns nothing
 * beyond the fixture; one seed, so that a failure comes back. */
#include "tests/unit/test_packet_sim.h"

#define REQUESTS 40000

static uint64_t random_state;

static size_t draw(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

#define PICK(list) list[draw(sizeof list / sizeof *list)]

/* What gets somewhere stands there more than once. */
static const char *const methods[] = {"GET", "GET",   "POST",   "POST", "POST", "POST",
                                      "PUT", "PATCH", "DELETE", "HEAD", "get",  ""};
static const char *const tokens[] = {"user-token",   "user-token",    "user-token", "project-token",
                                     "reader-token", "revoked-token", "",           "\xff\n"};

static const char *const path_pieces[] = {"/metal/v1", "/projects",  ("/" PROJECT), "/ssh-keys", "/ssh-keys/",
                                          "/user",     "/_sim",      "/faults",     "/config",   "/keys",
                                          "/tokens",   "/projects/", "/ledger",     "/state",    "/counters",
                                          "/presets",  "/",          "//",          "%2e",       "\xff",
                                          "-",         "/locations", "/metros"};
static const char *const query_pieces[] = {
    "query=", "search=", "page=", "per_page=", "since=", "limit=", "include=", "ssh_keys",
    "&",      "=",       "%",     "%4",        "%00",    "+",      "-1",       "99999999999999999999",
    "0",      ",",       "\xff"};
static const char *const body_pieces[] = {"{",
                                          "}",
                                          "[",
                                          "]",
                                          ":",
                                          ",",
                                          "null",
                                          "true",
                                          "-1",
                                          "0",
                                          "1e9",
                                          "9223372036854775807",
                                          "\"\\u0000\"",
                                          "\"\xff\"",
                                          "\"label\":",
                                          "\"key\":",
                                          ("\"" ED25519 "\""),
                                          ("\"" ED25519 "\\n\""),
                                          ("\"" RSA "\""),
                                          "\"tags\":",
                                          "[\"t\"]",
                                          "\"op\":",
                                          "\"put\"",
                                          "\"alter\"",
                                          "\"delete\"",
                                          "\"id\":",
                                          "\"project\":",
                                          ("\"" PROJECT "\""),
                                          "\"fault\":{",
                                          "\"match\":{",
                                          "\"preset\":",
                                          "\"committed-404\"",
                                          "\"answer\":",
                                          "\"huge\"",
                                          "\"deep\"",
                                          "\"nulls\"",
                                          "\"no-id\"",
                                          "\"problem\"",
                                          "\"size\":",
                                          "\"fate\":",
                                          "\"status\":",
                                          "\"retryAfter\":",
                                          "\"dateInS\":",
                                          "\"rateLimit\":{",
                                          "\"commitAfterMs\":",
                                          "\"closeAfterMs\":",
                                          "\"headers\":{",
                                          "\"redirect\":",
                                          "\"count\":",
                                          "\"token\":",
                                          "\"kind\":",
                                          "\"user-token\"",
                                          "\"instances_ids\":[]",
                                          "\"sunset\":",
                                          "\"refused\"",
                                          "\"meta\":",
                                          "\"rate\":",
                                          "\"listLagMs\":",
                                          "\"account\":"};

static size_t build(char *out, size_t size, const char *const *pieces, size_t n, size_t most)
{
    size_t len = 0;
    for (size_t left = draw(most + 1); left > 0; left--) {
        const char *piece = pieces[draw(n)];
        size_t more = strlen(piece);
        if (len + more + 1 > size)
            break;
        memcpy(out + len, piece, more);
        len += more;
    }
    out[len] = '\0';
    return len;
}

#define BUILD(out, pieces, most) build(out, sizeof out, pieces, sizeof pieces / sizeof *pieces, most)

/* Bodies that are nearly right: an object of some of the pieces, often closed. */
static size_t build_body(char *out, size_t size)
{
    static const char *const whole[] = {
        ("{\"label\":\"a\",\"key\":\"" ED25519 "\"}"),
        "{\"fault\":{\"answer\":\"nulls\"},\"count\":2}",
        "{\"fault\":{\"answer\":\"no-id\",\"commit\":true},\"count\":2}",
        "{\"fault\":{\"answer\":\"huge\",\"size\":70000},\"count\":2}",
        "{\"fault\":{\"answer\":\"deep\",\"size\":5000},\"count\":2}",
        "{\"fault\":{\"answer\":\"truncated\"},\"count\":2}",
        "{\"fault\":{\"fate\":\"reset\",\"commitAfterMs\":500},\"count\":2}",
        "{\"fault\":{\"raw\":\"x\",\"contentType\":\"y\",\"status\":204},\"count\":2}",
        ("{\"op\":\"put\",\"key\":\"" RSA "\"}"),
        "{\"meta\":true,\"metaPageSize\":1,\"updatedAt\":\"moving\"}",
        "{\"listKeepDeletedReads\":3,\"listLagMs\":1000,\"dupCheck\":\"off\"}",
        "{\"sunset\":\"off\"}"};
    if (draw(2) == 0) {
        const char *body = PICK(whole);
        memcpy(out, body, strlen(body) + 1);
        return strlen(body);
    }
    size_t len = build(out, size - 8, body_pieces, sizeof body_pieces / sizeof *body_pieces, 12);
    if (draw(2) == 0) {
        memmove(out + 1, out, len + 1);
        out[0] = '{';
        len++;
        out[len++] = '}';
        out[len] = '\0';
    }
    return len;
}

static void path_of_a_key(struct world *world, char *out, size_t size)
{
    struct packet_sim_key key;
    size_t cursor = 0;
    if (packet_sim_key_next(world->sim, NULL, &cursor, &key))
        snprintf(out, size, "/metal/v1/ssh-keys/%s", key.id);
}

static void send_one(struct world *world)
{
    static const char *const likely[] = {
        KEYS,           KEYS,           KEYS,         "/metal/v1/ssh-keys", "/metal/v1/projects",
        "/_sim/faults", "/_sim/config", "/_sim/keys", "/_sim/ledger",       "/_sim/state"};
    char path[256], query[256], body[4096];
    if (draw(3) == 0)
        BUILD(path, path_pieces, 5);
    else
        snprintf(path, sizeof path, "%s", PICK(likely));
    if (draw(4) == 0)
        path_of_a_key(world, path, sizeof path);
    BUILD(query, query_pieces, 4);
    struct packet_sim_peer peer = {draw(5), (unsigned)draw(3), NULL, 0};
    struct sim_request request = {.method = PICK(methods),
                                  .path = path,
                                  .query = query,
                                  .token = PICK(tokens),
                                  .content_type = draw(2) ? "application/json" : "\xff",
                                  .accept = "",
                                  .user_agent = "",
                                  .body = body,
                                  .body_len = build_body(body, sizeof body)};
    struct sim_answer answer;
    world->now_ms += (int64_t)draw(200);
    packet_sim_handle_from(world->sim, &peer, &request, world->now_ms, &answer);
    if (answer.fate == SIM_ANSWER)
        assert_in_range(answer.status, 200, 599);
    assert_true(answer.body != NULL || answer.body_len == 0);
    sim_answer_clear(&answer);
}

static void test_S_11_S_36_random_requests(void **state)
{
    struct world *world = *state;
    random_state = 20260630;
    for (unsigned i = 0; i < REQUESTS; i++) {
        unsigned lines = world->lines;
        send_one(world);
        if (i % 50 == 0) { /* no rule, switch or lack of a token may last */
            packet_sim_clear_faults(world->sim);
            packet_sim_forget_keys(world->sim);
            *packet_sim_switches(world->sim) = packet_sim_switches_default();
        }
        if (world->lines == lines)
            continue;
        assert_null(strstr(world->last_line, "user-token\""));
        if (strlen(world->last_line) < sizeof world->last_line - 1) {
            json_t *line = json_loads(world->last_line, 0, NULL);
            assert_non_null(line);
            json_decref(line);
        }
    }
    const struct packet_sim_counters *counters = packet_sim_counters(world->sim);
    assert_true(counters->commits > 50); /* it did get somewhere */
    assert_true(counters->faults > 100);
    packet_sim_clear_faults(world->sim);
    *packet_sim_switches(world->sim) = packet_sim_switches_default();
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_11_S_36_random_requests, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
