/* tests/unit/test_gateway_unsure.c -- what the gateway says of requests whose end nobody has seen: since when
 * it is sure (FOUND), whether it is (OUTCOME), and the grace of a key made a moment ago (packet C-28; design
 * 12.2). Drives the core with scripted answers; decides nothing about the worker's side. */
#include "tests/unit/test_gateway_play.h"

#define ITEM      "/ssh-keys/" RIG_ID
#define STARTED_S 1700000000 /* the rig's */
#define SURE_S    (STARTED_S + 1)
#define EFFECT_MS (1000 * (ATTEMPT_SEND_S + ATTEMPT_SETTLE_S))
#define GRACE_MS  10000
#define OTHER     "shoot--foo--baz-ssh-publickey"

static struct rig *ready(const char *id)
{
    struct rig *rig = rig_new();

    assert_int_equal(rig_grant(rig, .id = id), OUTCOME_OK);
    return rig;
}

static const char *ours(void)
{
    static char body[1024];

    return rig_our_key(body, sizeof body);
}

/* What a complete list says under this grant; none of it is a key. */
static uint64_t sure_since(struct rig *rig, uint64_t handle)
{
    uint64_t seq = rig_search(rig, .handle = handle, .key = RIG_KEY2);

    rig_list(rig, "");
    return rig_reply(rig, seq, OUTCOME_OK)->sure_since;
}

/* A POST that ends so, while the list after it does not show it. */
static void lose_create(struct rig *rig, struct gateway_result result)
{
    uint64_t seq = rig_post(rig, result);

    rig_list(rig, "");
    rig_reply(rig, seq, OUTCOME_UNKNOWN);
}

/* A PUT that is lost as often as it is sent. */
static void lose_update(struct rig *rig)
{
    uint64_t seq = rig_update(rig, .id = RIG_ID, .key = RIG_KEY);

    for (int i = 0; i < 6; i++) {
        if (i)
            rig_next(rig);
        rig_expect(rig, "PUT", ITEM);
        rig_result(rig, rig_fate(FATE_LOST));
    }
    assert_int_equal(rig_reply(rig, seq, OUTCOME_UNKNOWN)->unsure, 1);
}

/* A CREATE that finds the key by its first list. Returns OUTCOME.unsure. */
static uint64_t adopt(struct rig *rig)
{
    uint64_t seq = rig_create(rig, .key = RIG_KEY);

    rig_list(rig, ours());
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->adopted, 1);
    return rig_reply(rig, seq, OUTCOME_OK)->unsure;
}

/* A PUT that gets its 200 at once. Returns OUTCOME.unsure. */
static uint64_t put(struct rig *rig)
{
    uint64_t seq = rig_update(rig, .id = RIG_ID, .key = RIG_KEY);

    rig_expect(rig, "PUT", ITEM);
    rig_answer(rig, 200, ours());
    return rig_reply(rig, seq, OUTCOME_OK)->unsure;
}

/* The rig with a gateway that started so many milliseconds into its second. */
static struct rig *rig_started_at(int64_t ms)
{
    struct rig *rig = rig_new();
    struct gateway_config config = {
        .seed = 7, .incarnation = 3, .base_path = "", .burst = 10, .parallel = 32};
    struct gateway_ops ops = {.ctx = rig, .send = rig_on_send, .request = rig_on_request};

    gateway_core_free(rig->core);
    rig->now.steady_ms += ms;
    rig->core = gateway_core_new(&config, &ops, rig->now);
    assert_int_equal(rig_grant(rig, .id = NULL), OUTCOME_OK);
    return rig;
}

/* An intent of the second in which it started may have been sent by the one before it. */
static void test_12_2_sure_since_the_second_after_the_start(void **state)
{
    (void)state;
    static const int64_t starts[] = {0, 1, 500, 999};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct rig *rig = rig_started_at(starts[i]);

        assert_int_equal(sure_since(rig, 1), SURE_S);
        rig_wait(rig, 3600000);
        assert_int_equal(sure_since(rig, 1), SURE_S); /* it does not move with the time */
        rig_free(rig);
    }
}

static void test_12_2_a_list_that_failed_says_nothing(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_search(rig, .key = RIG_KEY);

    rig_expect(rig, "GET", RIG_LIST);
    rig_answer(rig, 403, "{\"errors\":[\"You are not authorized\"]}");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_UNAUTHORIZED)->sure_since, 0);
    rig_free(rig);
}

/* Unsure until the very moment at which nothing of it can arrive any more. */
static void check_floats_for_the_effect(struct rig *rig)
{
    assert_int_equal(sure_since(rig, 1), 0);
    rig_wait(rig, EFFECT_MS - 1);
    assert_int_equal(sure_since(rig, 1), 0);
    rig_wait(rig, 1);
    assert_int_equal(sure_since(rig, 1), SURE_S);
}

static void test_12_2_a_lost_post_floats(void **state)
{
    (void)state;
    const struct gateway_result ends[] = {rig_fate(FATE_LOST), rig_html(502),
                                          rig_json(500, "{\"errors\":[\"Oh snap\"]}"), rig_json(201, "{}")};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct rig *rig = ready(NULL);

        lose_create(rig, ends[i]);
        check_floats_for_the_effect(rig);
        rig_free(rig);
    }
}

static void test_12_2_a_lost_put_floats(void **state)
{
    (void)state;
    struct rig *rig = ready(RIG_ID);

    lose_update(rig);
    check_floats_for_the_effect(rig);
    rig_free(rig);
}

/* The next one that is lost begins the time anew. */
static void test_12_2_the_last_lost_one_counts(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);

    lose_create(rig, rig_fate(FATE_LOST));
    rig_wait(rig, EFFECT_MS - 1000);
    lose_create(rig, rig_fate(FATE_LOST));
    check_floats_for_the_effect(rig);
    rig_free(rig);
}

/* What did not leave, what was refused and a deletion make nothing that could come late. */
static void test_12_2_what_cannot_make_a_key_does_not_float(void **state)
{
    (void)state;
    struct rig *rig = ready(RIG_ID);
    uint64_t seq = rig_post(rig, rig_fate(FATE_NOT_SENT));

    assert_int_equal(rig_reply(rig, seq, OUTCOME_TRANSIENT)->unsure, 0);
    seq = rig_post(rig, rig_json(422, "{\"errors\":[\"Key is invalid\"]}"));

    rig_list(rig, "");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_REFUSED)->unsure, 0);
    seq = rig_remove(rig, .id = RIG_ID);
    rig_expect(rig, "DELETE", ITEM);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_next(rig);
    rig_answer(rig, 204, "");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->unsure, 0);
    assert_int_equal(sure_since(rig, 1), SURE_S);
    rig_free(rig);
}

static void test_12_2_another_label_is_not_affected(void **state)
{
    (void)state;
    struct rig *rig = ready(RIG_ID);

    assert_int_equal(
        rig_grant(rig, .handle = 2, .label = OTHER, .owner = "shoot--foo--baz/infra", .id = RIG_ID2),
        OUTCOME_OK);
    lose_create(rig, rig_fate(FATE_LOST));
    lose_update(rig);
    assert_int_equal(sure_since(rig, 1), 0);
    assert_int_equal(sure_since(rig, 2), SURE_S);
    uint64_t seq = rig_update(rig, .handle = 2, .id = RIG_ID2, .key = RIG_KEY2);

    rig_expect(rig, "PUT", "/ssh-keys/" RIG_ID2);
    rig_answer(rig, 200, "{\"id\":\"" RIG_ID2 "\"}");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->unsure, 0);
    rig_free(rig);
}

/* The asker died: what it had sent floats for the next one. */
static void test_12_4_a_dead_workers_post_floats_for_the_next(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);

    rig_create(rig, .key = RIG_KEY);
    rig_list(rig, "");
    rig_expect(rig, "POST", RIG_LIST);
    rig_worker_gone(rig, RIG_WORKER);
    rig_result(rig, rig_fate(FATE_LOST));
    assert_int_equal(rig_grant(rig, .handle = 2, .worker = RIG_WORKER + 1), OUTCOME_OK);
    uint64_t seq = rig_search(rig, .handle = 2, .worker = RIG_WORKER + 1, .key = RIG_KEY);

    rig_list(rig, "");
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->sure_since, 0);
    rig_free(rig);
}

/* By the list after it, or by the list before the next one. */
static void test_12_2_a_post_that_a_list_shows_has_landed(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_post(rig, rig_fate(FATE_LOST));

    rig_list(rig, ours());
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->unsure, 0);
    assert_int_equal(sure_since(rig, 1), SURE_S);
    rig_free(rig);
    rig = ready(NULL);
    lose_create(rig, rig_fate(FATE_LOST));
    assert_int_equal(adopt(rig), 0);
    assert_int_equal(sure_since(rig, 1), SURE_S);
    rig_free(rig);
}

/* Two are lost and one key is seen: the other may still come. Seeing the key again tells no more. */
static void test_12_2_one_key_does_not_tell_the_fate_of_two(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);

    lose_create(rig, rig_fate(FATE_LOST));
    lose_create(rig, rig_fate(FATE_LOST));
    assert_int_equal(adopt(rig), 1);
    assert_int_equal(adopt(rig), 1);
    assert_int_equal(sure_since(rig, 1), 0);
    rig_free(rig);
}

/* The second POST has its 201; the first has no end. */
static void test_12_2_a_201_after_a_lost_post_is_unsure(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);

    lose_create(rig, rig_fate(FATE_LOST));
    uint64_t seq = rig_post(rig, rig_json(201, ours()));

    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->adopted, 0);
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->unsure, 1);
    rig_free(rig);
}

static void test_12_2_a_plain_201_and_a_plain_200_are_sure(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);
    uint64_t seq = rig_post(rig, rig_json(201, ours()));

    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->unsure, 0);
    assert_int_equal(put(rig), 0);
    assert_int_equal(sure_since(rig, 1), SURE_S);
    rig_free(rig);
}

/* The 200 is the second PUT's; the first may still overwrite what comes after it. */
static void test_12_2_a_200_after_a_lost_put_is_unsure(void **state)
{
    (void)state;
    struct rig *rig = ready(RIG_ID);
    uint64_t seq = rig_update(rig, .id = RIG_ID, .key = RIG_KEY);

    rig_expect(rig, "PUT", ITEM);
    rig_result(rig, rig_fate(FATE_LOST));
    rig_next(rig);
    rig_expect(rig, "PUT", ITEM);
    rig_answer(rig, 200, ours());
    assert_int_equal(rig_reply(rig, seq, OUTCOME_OK)->unsure, 1);
    assert_int_equal(sure_since(rig, 1), 0);
    rig_wait(rig, EFFECT_MS);
    assert_int_equal(put(rig), 0);
    rig_free(rig);
}

/* A question without a grant has no label of which anything could be said. */
static void test_an_unknown_handle_is_answered_without_a_label(void **state)
{
    (void)state;
    struct rig *rig = ready(RIG_ID);

    lose_update(rig); /* so that there is something to be unsure of */
    const uint64_t asked[] = {rig_create(rig, .handle = 99, .key = RIG_KEY),
                              rig_update(rig, .handle = 99, .id = RIG_ID, .key = RIG_KEY),
                              rig_remove(rig, .handle = 99, .id = RIG_ID)};

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        assert_int_equal(rig_reply(rig, asked[i], OUTCOME_FENCED)->unsure, 0);
    uint64_t seq = rig_search(rig, .handle = 99, .key = RIG_KEY);

    assert_int_equal(rig_reply(rig, seq, OUTCOME_FENCED)->sure_since, 0);
    rig_no_request(rig);
    rig_free(rig);
}

/* ---- a key made a moment ago, and a list that misses it */

/* DELETE or PUT of a key that is nowhere: 404 for it, and a complete list without it. */
static const struct rig_message *nowhere(struct rig *rig, bool put, enum outcome outcome)
{
    uint64_t seq = put ? rig_update(rig, .id = RIG_ID, .key = RIG_KEY2) : rig_remove(rig, .id = RIG_ID);

    rig_expect(rig, put ? "PUT" : "DELETE", ITEM);
    rig_answer(rig, 404, RIG_NOT_FOUND);
    rig_list(rig, "");
    rig_no_request(rig); /* the rest of the grace is spent in the queue */
    return rig_reply(rig, seq, outcome);
}

static void test_C_28_a_fresh_key_that_is_nowhere_is_not_gone_yet(void **state)
{
    (void)state;
    static const int64_t ages[] = {0, 4000, GRACE_MS - 1};

    for (size_t i = 0; i < 2 * sizeof ages / sizeof ages[0]; i++) {
        struct rig *rig = ready(NULL);
        int64_t age = ages[i / 2];
        bool put = i % 2;

        rig_reply(rig, rig_post(rig, rig_json(201, ours())), OUTCOME_OK);
        rig_wait(rig, age);
        assert_int_equal(nowhere(rig, put, OUTCOME_LATER)->wait_ms, GRACE_MS - age);
        rig_wait(rig, GRACE_MS - age - 1);
        assert_int_equal(nowhere(rig, put, OUTCOME_LATER)->wait_ms, 1);
        rig_wait(rig, 1);
        nowhere(rig, put, OUTCOME_GONE);
        rig_free(rig);
    }
}

static void test_C_28_what_we_deleted_has_no_grace(void **state)
{
    (void)state;
    struct rig *rig = ready(NULL);

    rig_reply(rig, rig_post(rig, rig_json(201, ours())), OUTCOME_OK);
    uint64_t seq = rig_remove(rig, .id = RIG_ID);

    rig_answer(rig, 204, "");
    rig_reply(rig, seq, OUTCOME_OK);
    nowhere(rig, false, OUTCOME_GONE);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_12_2_sure_since_the_second_after_the_start),
        cmocka_unit_test(test_12_2_a_list_that_failed_says_nothing),
        cmocka_unit_test(test_12_2_a_lost_post_floats),
        cmocka_unit_test(test_12_2_a_lost_put_floats),
        cmocka_unit_test(test_12_2_the_last_lost_one_counts),
        cmocka_unit_test(test_12_2_what_cannot_make_a_key_does_not_float),
        cmocka_unit_test(test_12_2_another_label_is_not_affected),
        cmocka_unit_test(test_12_4_a_dead_workers_post_floats_for_the_next),
        cmocka_unit_test(test_12_2_a_post_that_a_list_shows_has_landed),
        cmocka_unit_test(test_12_2_one_key_does_not_tell_the_fate_of_two),
        cmocka_unit_test(test_12_2_a_201_after_a_lost_post_is_unsure),
        cmocka_unit_test(test_12_2_a_plain_201_and_a_plain_200_are_sure),
        cmocka_unit_test(test_12_2_a_200_after_a_lost_put_is_unsure),
        cmocka_unit_test(test_an_unknown_handle_is_answered_without_a_label),
        cmocka_unit_test(test_C_28_a_fresh_key_that_is_nowhere_is_not_gone_yet),
        cmocka_unit_test(test_C_28_what_we_deleted_has_no_grace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
