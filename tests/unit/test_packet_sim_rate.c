/* tests/unit/test_packet_sim_rate.c -- the real rate limit of the Packet simulator (S-26): buckets, what they
 * announce, and the count of those who did not listen. Owns nothing beyond the fixture. */
#include "tests/unit/test_packet_sim.h"

static void test_S_26_real_bucket(void **state)
{
    struct world *world = *state;
    set(world, "{\"rate\":10,\"rateBurst\":2,\"rateHeaders\":true}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_string_equal(header(world, "X-RateLimit-Limit"), "2");
    assert_string_equal(header(world, "X-RateLimit-Remaining"), "1");
    assert_string_equal(header(world, "X-RateLimit-Reset"), "1700000001");
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    assert_string_equal(header(world, "Retry-After"), "1");
    world->token = "project-token";
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    world->token = "user-token";
    world->now_ms += 99;
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    assert_int_equal(packet_sim_counters(world->sim)->during_pause, 1);
    world->now_ms += 1;
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(packet_sim_counters(world->sim)->rate, 2);
    world->now_ms += 100000;
    for (int i = 0; i < 2; i++)
        assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
}

static void test_S_26_a_new_limit_starts_full(void **state)
{
    struct world *world = *state;
    set(world, "{\"rate\":1,\"rateBurst\":2,\"rateDeniedCostsNothing\":false}");
    for (int i = 0; i < 100; i++)
        call(world, "GET", KEYS, NULL);
    assert_int_equal(packet_sim_counters(world->sim)->rate, 98);
    world->now_ms += 3000; /* from two below empty, however many there were */
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    set(world, "{\"rateBurst\":2}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    set(world, "{\"rateBurst\":3}");
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
}

static void test_S_26_retry_after_of_the_bucket(void **state)
{
    struct world *world = *state;
    set(world, "{\"rate\":1,\"rateRetryAfter\":\"date\",\"rateHeaders\":true}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    assert_string_equal(header(world, "Retry-After"), "Tue, 14 Nov 2023 22:13:21 GMT");
    set(world, "{\"rateRetryAfter\":\"none\"}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    assert_null(header(world, "Retry-After"));
    set(world, "{\"rate\":0}");
    fault(world, "{\"fault\":{\"preset\":\"429-rate-limit\",\"headers\":{\"x-ratelimit-limit\":\"7\"}}}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    assert_string_equal(header(world, "x-ratelimit-limit"), "7");
    assert_null(header(world, "X-RateLimit-Limit"));
}

static void test_S_26_scope_of_the_bucket(void **state)
{
    struct world *world = *state;
    set(world, "{\"rate\":1}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    world->token = "project-token";
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    world->token = "nobody"; /* has no bucket */
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(world, "GET", KEYS, NULL), 401);
    set(world, "{\"rateScope\":\"all\"}");
    world->token = "user-token";
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    world->token = "project-token";
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    assert_int_equal(packet_sim_counters(world->sim)->rate, 1);
}

/* The retry time is counted from the answer, and one second of it is lost to the date's whole seconds. */
static void test_S_26_requests_during_a_pause(void **state)
{
    struct world *world = *state;
    fault(world, "{\"fault\":{\"status\":429,\"retryAfter\":{\"dateInS\":3}}}");
    assert_int_equal(call(world, "GET", KEYS, NULL), 429);
    world->now_ms += 40; /* was on its way already */
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(packet_sim_counters(world->sim)->during_pause, 0);
    world->now_ms += 1000;
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(packet_sim_counters(world->sim)->during_pause, 1);
    world->now_ms += 1000;
    assert_int_equal(call(world, "GET", KEYS, NULL), 200);
    assert_int_equal(packet_sim_counters(world->sim)->during_pause, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_S_26_real_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_26_a_new_limit_starts_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_26_retry_after_of_the_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_26_scope_of_the_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_S_26_requests_during_a_pause, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
