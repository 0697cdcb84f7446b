/* tests/unit/test_watcher_queue.c -- the work queue against client-go's rules (kubernetes 30 to 36), the
 * table of known objects, the keyed hashes. */
#include "tests/unit/test_watcher_fixture.h"

struct rig {
    struct queue queue;
    uint64_t random;
};

static int rig_open(void **state)
{
    struct rig *rig = x_calloc(1, sizeof *rig);

    rig->random = 1;
    queue_open(&rig->queue, &(struct hash_key){1, 2}, &rig->random);
    *state = rig;
    return 0;
}

static int rig_close(void **state)
{
    struct rig *rig = *state;

    queue_close(&rig->queue);
    free(rig);
    return 0;
}

static void add(struct queue *q, const char *name, enum queue_priority priority, int64_t now)
{
    queue_add(q, SPAN("ns"), span_of(name), priority, (struct value){0}, now);
}

static void assert_takes(struct queue *q, const char *name, int64_t now)
{
    struct work *work = queue_take(q, now);

    assert_non_null(work);
    assert_string_equal(work_name(work).p, name);
}

/* kubernetes 30 */
static void test_K_30_a_key_is_handed_out_once(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;

    add(q, "a", PRIORITY_LIVE, 0);
    add(q, "a", PRIORITY_LIVE, 0);
    assert_int_equal(queue_depth(q), 1);
    assert_takes(q, "a", 0);
    assert_null(queue_take(q, 0));
    add(q, "a", PRIORITY_LIVE, 1);
    assert_null(queue_take(q, 1));
}

/* kubernetes 31 */
static void test_K_31_added_while_processing_runs_again(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;

    add(q, "a", PRIORITY_LIVE, 0);
    struct work *work = queue_take(q, 0);
    add(q, "a", PRIORITY_LIVE, 0);
    queue_done(q, work, 0);
    work = queue_take(q, 0);
    assert_non_null(work);
    queue_done(q, work, 0);
    assert_null(queue_take(q, 0));
    assert_int_equal(q->count, 0);
}

/* kubernetes 37: client-go counts what enters the queue, not what is merged with it, and each delay */
static void test_K_37_adds_and_retries_as_client_go_counts(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;

    add(q, "a", PRIORITY_LIVE, 0);
    add(q, "a", PRIORITY_LIVE, 0);
    assert_int_equal(q->adds, 1);
    struct work *work = queue_take(q, 0);
    add(q, "a", PRIORITY_LIVE, 0);
    add(q, "a", PRIORITY_LIVE, 0);
    assert_int_equal(q->adds, 2);
    queue_done(q, work, 0);
    work = queue_take(q, 0);
    assert_int_equal(q->adds, 2);
    queue_add_after(q, work, 0, 0);
    assert_int_equal(q->retries, 0);
    queue_add_limited(q, work, 0);
    queue_wait_budget(q, work, 10, 0);
    assert_int_equal(q->retries, 2);
    queue_done(q, work, 0);
    assert_ptr_equal(queue_take(q, 1000), work);
    assert_int_equal(q->adds, 3);
    queue_wait_budget(q, work, 10, 1000);
    queue_done(q, work, 1000);
    queue_come(q, work);
    queue_come(q, work);
    assert_int_equal(q->adds, 4);
}

/* kubernetes 32: 5 ms x 2^n, cap 1000 s, at most a tenth less */
static void test_K_32_backoff_series(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;
    int64_t now = 0;

    add(q, "a", PRIORITY_LIVE, now);
    for (int n = 0; n < 30; n++) {
        struct work *work = queue_take(q, now);
        assert_non_null(work);
        int64_t wait = queue_add_limited(q, work, now);
        int64_t want = n >= 18 ? 1000000 : 5 << n > 1000000 ? 1000000 : 5 << n;
        queue_done(q, work, now);
        assert_in_range(wait, want - want / 10, want);
        assert_null(queue_take(q, now + wait - 1));
        now += wait;
        assert_int_equal(queue_next_ms(q), now);
    }
    struct work *work = queue_take(q, now);
    queue_forget(work);
    assert_in_range(queue_add_limited(q, work, now), 4, 5);
    queue_done(q, work, now);
}

static void test_backoff_has_jitter(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;
    int64_t first = 0;
    bool differ = false;

    for (int k = 0; k < 8; k++) {
        char name[2] = {(char)('a' + k), 0};

        add(q, name, PRIORITY_LIVE, 0);
        struct work *work = queue_take(q, 0);
        work->failures = 12;
        int64_t wait = queue_add_limited(q, work, 0);
        queue_done(q, work, 0);
        differ = differ || (k && wait != first);
        first = wait;
    }
    assert_true(differ);
}

/* kubernetes 33 */
static void test_K_33_the_earlier_delay_stays(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;

    add(q, "a", PRIORITY_LIVE, 0);
    struct work *work = queue_take(q, 0);
    queue_add_after(q, work, 500, 0);
    queue_add_after(q, work, 900, 0);
    assert_int_equal(queue_next_ms(q), 500);
    queue_add_after(q, work, 200, 0);
    assert_int_equal(queue_next_ms(q), 200);
    queue_done(q, work, 0);
    add(q, "a", PRIORITY_LIVE, 10); /* an event ends the wait (kubernetes 3.3) */
    assert_takes(q, "a", 10);
}

/* kubernetes 36 */
static void test_K_36_live_overtakes_initial_and_periodic(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;

    add(q, "periodic", PRIORITY_PERIODIC, 0);
    for (int i = 0; i < 1000; i++) {
        char name[24];
        snprintf(name, sizeof name, "initial-%d", i);
        add(q, name, PRIORITY_INITIAL, 0);
    }
    add(q, "live-1", PRIORITY_LIVE, 60000);
    add(q, "live-2", PRIORITY_LIVE, 60000);
    assert_takes(q, "live-1", 60000);
    assert_takes(q, "live-2", 60000);
    assert_takes(q, "initial-0", 60000);
    add(q, "initial-500", PRIORITY_LIVE, 60001); /* a change of one that still waits */
    assert_takes(q, "initial-500", 60001);
    for (int i = 1; i < 1000; i++)
        if (i != 500)
            assert_non_null(queue_take(q, 60002));
    assert_takes(q, "periodic", 60002);
}

static void test_nothing_starves(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;
    int64_t served_at = 0;

    add(q, "old", PRIORITY_PERIODIC, 0);
    for (int64_t now = 0; !served_at && now < 2 * QUEUE_PERIODIC_LATER_MS; now += 1000) {
        add(q, "hot", PRIORITY_LIVE, now);
        struct work *work = queue_take(q, now);
        if (!strcmp(work_name(work).p, "old"))
            served_at = now;
        queue_done(q, work, now);
    }
    assert_in_range(served_at, 1000, QUEUE_PERIODIC_LATER_MS + 1000);
}

static void test_bodies_are_bounded_and_only_for_single_news(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;
    char *big = x_calloc(1, 700 * 1024);
    struct value body = {.at = (const uint8_t *)big, .len = 700 * 1024};

    queue_add(q, SPAN("ns"), SPAN("a"), PRIORITY_LIVE, body, 0);
    queue_add(q, SPAN("ns"), SPAN("b"), PRIORITY_LIVE, body, 0);
    assert_int_equal(queue_find(q, SPAN("ns"), SPAN("a"))->body_len, 700 * 1024);
    assert_null(queue_find(q, SPAN("ns"), SPAN("b"))->body);
    assert_true(q->body_bytes <= QUEUE_BODIES_MAX);
    queue_add(q, SPAN("ns"), SPAN("a"), PRIORITY_LIVE, body, 0);
    assert_null(queue_find(q, SPAN("ns"), SPAN("a"))->body);
    assert_int_equal(q->body_bytes, 0);
    free(big);
}

static void test_a_dropped_key_is_gone(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;

    add(q, "a", PRIORITY_LIVE, 0);
    queue_drop(q, queue_find(q, SPAN("ns"), SPAN("a")));
    assert_int_equal(q->count, 0);
    add(q, "b", PRIORITY_LIVE, 0);
    struct work *work = queue_take(q, 0);
    add(q, "b", PRIORITY_LIVE, 0);
    queue_drop(q, work);
    queue_done(q, work, 0);
    assert_null(queue_take(q, 0));
    assert_int_equal(q->count, 0);
}

static void test_many_keys_keep_their_order(void **state)
{
    struct queue *q = &((struct rig *)*state)->queue;
    int64_t last = -1;

    for (unsigned i = 0; i < 3000; i++) {
        char name[24];
        snprintf(name, sizeof name, "k%u", i);
        add(q, name, PRIORITY_LIVE, 0);
        struct work *work = queue_take(q, 0);
        queue_add_after(q, work, (int64_t)(i * 7919u % 3001u), 0);
        queue_done(q, work, 0);
    }
    for (unsigned i = 0; i < 3000; i++) {
        int64_t due = queue_next_ms(q);
        assert_true(due >= last);
        last = due;
        struct work *work = queue_take(q, due);
        assert_non_null(work);
        queue_done(q, work, due);
    }
    assert_int_equal(q->count, 0);
}

/* ---- the table of known objects ---- */

static void count_gone(void *ctx, const struct known *known)
{
    (void)known;
    ++*(unsigned *)ctx;
}

static void test_cache_finds_what_a_list_lacks(void **state)
{
    struct cache cache;
    unsigned gone = 0;

    (void)state;
    cache_open(&cache, &(struct hash_key){3, 4});
    for (unsigned round = 0; round < 600; round++) /* past the wrap of the mark */
        cache_round_begin(&cache);
    for (unsigned i = 0; i < 5000; i++) {
        char name[24];
        snprintf(name, sizeof name, "o%u", i);
        cache_put(&cache, SPAN("ns"), span_of(name))->generation = i;
    }
    assert_int_equal(cache.count, 5000);
    cache_round_begin(&cache);
    for (unsigned i = 0; i < 5000; i += 2) {
        char name[24];
        snprintf(name, sizeof name, "o%u", i);
        cache_round_saw(&cache, cache_find(&cache, SPAN("ns"), span_of(name)));
    }
    cache_round_end(&cache, count_gone, &gone);
    assert_int_equal(gone, 2500);
    for (unsigned i = 0; i < 5000; i++) {
        char name[24];
        snprintf(name, sizeof name, "o%u", i);
        struct known *known = cache_find(&cache, SPAN("ns"), span_of(name));
        assert_int_equal(known != NULL, i % 2 == 0);
        if (known)
            assert_int_equal(known->generation, i);
    }
    cache_close(&cache);
}

/* design 12.14: at most 100 bytes for each object, what malloc adds included */
static void test_an_object_costs_at_most_100_bytes(void **state)
{
    size_t key = strlen("shoot--garden--production") + strlen("production");
    size_t chunk = (sizeof(struct known) + key + 8 + 15) / 16 * 16;

    (void)state;
    assert_true(chunk + sizeof(void *) * 8 / 7 * 2 <= 100);
}

static void test_hashes_are_keyed_and_ignore_the_order_of_names(void **state)
{
    struct hash_key a = {1, 2}, b = {1, 3};
    struct pack x, y;

    (void)state;
    assert_true(hash_bytes(&a, 0, "abc", 3) != hash_bytes(&b, 0, "abc", 3));
    assert_true(hash_bytes(&a, 1, "abc", 3) != hash_bytes(&a, 0, "abc", 3));
    pack_open(&x);
    pack_open(&y);
    pack_map(&x, 2), pack_text(&x, "p"), pack_int(&x, 1), pack_text(&x, "q"), pack_int(&x, 2);
    pack_map(&y, 2), pack_text(&y, "q"), pack_int(&y, 2), pack_text(&y, "p"), pack_int(&y, 1);
    assert_true(hash_value(&a, pack_result(&x)) == hash_value(&a, pack_result(&y)));
    pack_again(&y);
    pack_map(&y, 2), pack_text(&y, "q"), pack_int(&y, 1), pack_text(&y, "p"), pack_int(&y, 2);
    assert_true(hash_value(&a, pack_result(&x)) != hash_value(&a, pack_result(&y)));
    pack_close(&x);
    pack_close(&y);
}

/* The published test vector of SipHash-2-4: key 00..0f, input 00..0e. */
static void test_siphash_vector(void **state)
{
    struct hash_key key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint8_t input[15];

    (void)state;
    for (unsigned i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)i;
    assert_true(hash_bytes(&key, 0, input, sizeof input) == 0xa129ca6149be45e5u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_K_30_a_key_is_handed_out_once, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_31_added_while_processing_runs_again, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_37_adds_and_retries_as_client_go_counts, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_32_backoff_series, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_backoff_has_jitter, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_33_the_earlier_delay_stays, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_K_36_live_overtakes_initial_and_periodic, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_nothing_starves, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_bodies_are_bounded_and_only_for_single_news, rig_open,
                                        rig_close),
        cmocka_unit_test_setup_teardown(test_a_dropped_key_is_gone, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(test_many_keys_keep_their_order, rig_open, rig_close),
        cmocka_unit_test(test_cache_finds_what_a_list_lacks),
        cmocka_unit_test(test_an_object_costs_at_most_100_bytes),
        cmocka_unit_test(test_hashes_are_keyed_and_ignore_the_order_of_names),
        cmocka_unit_test(test_siphash_vector),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
