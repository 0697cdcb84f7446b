/* tests/unit/test_gateway_slow.c -- lists that come late tell of the time when they were asked for: what we
 * did just before that outweighs them, also when the answer took longer than the grace (packet C-28;
 * design 12.11). */
#include "tests/unit/test_gateway_play.h"

#define GRACE_MS 10000
#define SLOW_MS  15000

static const char *ours(void)
{
    static char key[1024];

    return rig_our_key(key, sizeof key);
}

/* A key of ours, made a moment ago. */
static struct rig *made(void)
{
    struct rig *rig = rig_new();

    rig_grant(rig, .id = RIG_ID);
    rig_reply(rig, rig_post(rig, rig_json(201, ours())), OUTCOME_OK);
    return rig;
}

/* A search whose list was asked for so long after the last effect, and took its time. Returns how many keys.
 */
static unsigned slow_search(struct rig *rig, int64_t after_ms, const char *members)
{
    rig_wait(rig, after_ms);
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_wait(rig, SLOW_MS);
    rig_list(rig, members);
    return value_count(rig_reply(rig, seq, OUTCOME_OK)->found);
}

static void test_C_28_a_201_outweighs_a_slow_list(void **state)
{
    (void)state;
    struct rig *rig = made();

    assert_int_equal(slow_search(rig, GRACE_MS - 1, ""), 1);
    rig_free(rig);
    rig = made();
    assert_int_equal(slow_search(rig, GRACE_MS, ""), 0);
    rig_free(rig);
}

static void test_C_28_a_204_outweighs_a_slow_list(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct rig *rig = made();

        rig_remove(rig, .id = RIG_ID);
        rig_answer(rig, 204, "");
        assert_int_equal(slow_search(rig, late ? GRACE_MS : GRACE_MS - 1, ours()), late);
        rig_free(rig);
    }
}

static void test_C_28_a_slow_list_is_no_proof_that_a_fresh_key_is_gone(void **state)
{
    (void)state;
    struct rig *rig = made();
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_wait(rig, SLOW_MS);
    rig_list(rig, "");
    assert_true(rig_reply(rig, seq, OUTCOME_LATER)->wait_ms > 0);
    seq = rig_remove(rig, .id = RIG_ID);
    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_GONE);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_28_a_201_outweighs_a_slow_list),
        cmocka_unit_test(test_C_28_a_204_outweighs_a_slow_list),
        cmocka_unit_test(test_C_28_a_slow_list_is_no_proof_that_a_fresh_key_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
