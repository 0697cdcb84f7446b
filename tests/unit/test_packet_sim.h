/* tests/unit/test_packet_sim.h -- a simulation with one project and every kind of token, and one call to
 * drive it. Owns the fixture of the test_packet_sim*.c programs; each includes it once. Never opens a socket.
 */
#ifndef TESTS_UNIT_TEST_PACKET_SIM_H
#define TESTS_UNIT_TEST_PACKET_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/sim/packet-api/core/packet_sim.h"

#define PROJECT  "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define SIBLING  "11111111-2222-4333-8444-555555555555" /* another project of the same account */
#define STRANGER "99999999-2222-4333-8444-555555555555" /* a project of another account */
#define KEYS     "/metal/v1/projects/" PROJECT "/ssh-keys"
#define START_MS INT64_C(1700000000000)

#define ED25519                                                                                              \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFYeYZjdAIpMEKpo4xHwHd+pPidFMjRYPbfUT0kvZf/t node@example.invalid"
#define ECDSA                                                                                                \
    "ecdsa-sha2-nistp256 "                                                                                   \
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAmvRFTs3lVYnVdQN3NySJTC5lr/"                       \
    "0C5EkF4WotZ7dI0gzTDPgJJAto7fT8Pd"                                                                       \
    "ryO+1FA3TQhZuKnCbYbcrqgVS5U= two words"
#define RSA                                                                                                  \
    "ssh-rsa "                                                                                               \
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDTqAHu+"                                                                  \
    "KjOMNPPyNCs8UB10iJvtTQaLX9JFxOCFvYQj4KJ1rnSNeLSLHvlG3ocnv4qldVEhBuRthSixqKG"                            \
    "rrpfn3vZLyjfNOfdJh3m9qDqHjfk79HaaIrPI9oQcZrcZ9sambOURuUo9CVRtwLZgWJ+fYMv/"                              \
    "23WjhP9q34DWdGXnQYX28jQ8AS5DsVKjXmh0klm"                                                                \
    "HxHibqp1oHBlCtwfZnkxXrfFKMP4nqL/x2W+2lXyE2liNObXLIbmmq5Afircva7aGC42UExeTCWZFWpf0YinjnV/"               \
    "f7LJ3DPq2XCOqXfbQ4gtX9XI"                                                                               \
    "98cCipanJ97/DMPjlijnxj2utb/rOyk8t7YV"

struct world {
    struct packet_sim *sim;
    int64_t now_ms;
    const char *token;
    unsigned served; /* of the connection that requests come from */
    int64_t close_after_ms;
    struct sim_answer answer;
    json_t *json;         /* parsed body, NULL if it is no JSON */
    char last_line[4096]; /* of the ledger */
    unsigned lines;
};

static inline void on_line(void *arg, const char *line, size_t len)
{
    struct world *world = arg;
    size_t n = len < sizeof world->last_line ? len : sizeof world->last_line - 1;
    memcpy(world->last_line, line, n);
    world->last_line[n] = '\0';
    world->lines++;
}

static inline int setup_with(void **state, const char *prefix)
{
    struct world *world = calloc(1, sizeof *world);
    struct packet_sim_config config = packet_sim_config_default();
    assert_non_null(world);
    config.prefix = prefix;
    config.ledger_keep = 100;
    config.on_line = on_line;
    config.arg = world;
    world->now_ms = START_MS;
    world->token = "user-token";
    world->sim = packet_sim_new(&config);
    assert_string_equal(packet_sim_add_project(world->sim, PROJECT, "dev", NULL, START_MS), PROJECT);
    assert_string_equal(packet_sim_add_project(world->sim, SIBLING, "other", "main", START_MS), SIBLING);
    assert_string_equal(packet_sim_add_project(world->sim, STRANGER, "far", "foreign", START_MS), STRANGER);
    assert_int_equal(packet_sim_add_token(world->sim, "user-token", PACKET_SIM_TOKEN_USER, NULL, NULL), 0);
    assert_int_equal(
        packet_sim_add_token(world->sim, "foreign-token", PACKET_SIM_TOKEN_USER, NULL, "foreign"), 0);
    assert_int_equal(
        packet_sim_add_token(world->sim, "project-token", PACKET_SIM_TOKEN_PROJECT, PROJECT, NULL), 0);
    assert_int_equal(
        packet_sim_add_token(world->sim, "reader-token", PACKET_SIM_TOKEN_READ_ONLY, PROJECT, NULL), 0);
    assert_int_equal(packet_sim_add_token(world->sim, "revoked-token", PACKET_SIM_TOKEN_REVOKED, NULL, NULL),
                     0);
    *state = world;
    return 0;
}

static inline int setup(void **state)
{
    return setup_with(state, "/metal/v1");
}

static inline int teardown(void **state)
{
    struct world *world = *state;
    json_decref(world->json);
    sim_answer_clear(&world->answer);
    packet_sim_free(world->sim);
    free(world);
    return 0;
}

/* One request; path may carry a query. Returns the status, which a reset or hang leaves as it was formed. */
static inline int call(struct world *world, const char *method, const char *path, const char *body)
{
    char uri[2048];
    struct packet_sim_peer peer = {7, world->served, NULL, 0};
    assert_true(strlen(path) < sizeof uri);
    memcpy(uri, path, strlen(path) + 1);
    char *mark = strchr(uri, '?');
    if (mark != NULL)
        *mark = '\0';
    struct sim_request request = {.method = method,
                                  .path = uri,
                                  .query = mark != NULL ? mark + 1 : "",
                                  .token = world->token,
                                  .content_type = body != NULL ? "application/json" : "",
                                  .accept = "application/json",
                                  .user_agent = "test/1",
                                  .body = body != NULL ? body : "",
                                  .body_len = body != NULL ? strlen(body) : 0};
    json_decref(world->json);
    sim_answer_clear(&world->answer);
    world->close_after_ms =
        packet_sim_handle_from(world->sim, &peer, &request, world->now_ms, &world->answer);
    world->json =
        world->answer.body != NULL ? json_loadb(world->answer.body, world->answer.body_len, 0, NULL) : NULL;
    return world->answer.status;
}

static inline const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

static inline const char *header(const struct world *world, const char *name)
{
    for (unsigned i = 0; i < world->answer.n_headers; i++)
        if (strcmp(world->answer.headers[i].name, name) == 0)
            return world->answer.headers[i].value;
    return NULL;
}

static inline int post(struct world *world, const char *label, const char *line)
{
    json_t *body = json_pack("{s:s, s:s}", "label", label, "key", line);
    char *dump = json_dumps(body, 0);
    int status = call(world, "POST", KEYS, dump);
    free(dump);
    json_decref(body);
    return status;
}

/* Number of keys that a list shows. */
static inline size_t listed(struct world *world)
{
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    return json_array_size(json_object_get(world->json, "ssh_keys"));
}

static inline void set(struct world *world, const char *switches)
{
    const char *why = "";
    if (packet_sim_configure(world->sim, switches, &why) != 0)
        fail_msg("%s: %s", switches, why);
}

static inline void fault(struct world *world, const char *rule)
{
    const char *why = "";
    if (packet_sim_add_fault(world->sim, rule, &why) < 0)
        fail_msg("%s: %s", rule, why);
}

/* Path of the key in the last answer; valid until the next call of this function. */
static inline const char *key_path(const struct world *world, char *out, size_t size)
{
    snprintf(out, size, "/metal/v1/ssh-keys/%s", text(world->json, "id"));
    return out;
}

#endif
