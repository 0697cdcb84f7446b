/* tests/unit/test_gateway_rate_odd.c -- limits of another kind, and what several share: fixed windows, a
 * clock that is wrong, a second client, a second credential, a delete behind a crowd (packet C-34 to C-37).
 */
#include "tests/unit/test_gateway_lab.h"

static const int64_t latencies[] = {0, 20, 50};

#define EACH_LATENCY(l) for (size_t l = 0; l < sizeof latencies / sizeof latencies[0]; l++)

static struct lab *run(struct lab_setup setup, int64_t latency_ms, const char *what)
{
    setup.latency_ms = latency_ms;
    struct lab *lab = lab_new(&setup);

    lab_run(lab, 3600000);
    lab_print(lab, what);
    assert_int_equal(lab->done, lab->setup.objects);
    assert_int_equal(lab->errors, 0);
    return lab;
}

static void test_C_37_a_fixed_window_is_used_and_never_exceeded(void **state)
{
    (void)state;
    EACH_LATENCY(l)
    {
        struct lab *lab = run((struct lab_setup){.window = 20, .headers = true}, latencies[l], "window");

        assert_int_equal(lab->refused, 0);
        assert_true(lab_share(lab) >= 0.85);
        lab_free(lab);
    }
}

static void test_C_36_a_fixed_window_without_headers_is_found(void **state)
{
    (void)state;
    EACH_LATENCY(l)
    {
        struct lab *lab = run((struct lab_setup){.window = 20}, latencies[l], "window, silent");

        assert_true(lab->refused <= lab_probes(lab));
        lab_free(lab);
    }
}

/* X-RateLimit-Reset is a time of the server's clock. */
static void test_C_34_a_wrong_clock_of_the_server_costs_nothing(void **state)
{
    (void)state;
    static const int64_t hours[] = {-3600000, 3600000};

    for (size_t i = 0; i < 2; i++) {
        struct lab *lab = run(
            (struct lab_setup){.rate = 10, .burst = 10, .headers = true, .skew_ms = hours[i]}, 50, "skewed");

        assert_int_equal(lab->refused, 0);
        assert_true(lab_share(lab) >= 0.98);
        lab_free(lab);
        lab =
            run((struct lab_setup){.window = 20, .headers = true, .skew_ms = hours[i]}, 50, "skewed window");
        assert_int_equal(lab->refused, 0);
        assert_true(lab_share(lab) >= 0.85);
        lab_free(lab);
    }
}

/* What it takes is missing in Remaining; what it takes between two answers may cost a 429 now and then. */
static void test_C_37_a_second_client_leaves_half(void **state)
{
    (void)state;
    EACH_LATENCY(l)
    {
        struct lab *lab = run((struct lab_setup){.rate = 10, .burst = 10, .headers = true, .other_ms = 200},
                              latencies[l], "half");

        assert_true(lab->refused * 20 <= lab->calls);
        assert_true(lab_share(lab) >= 0.4);
        lab_free(lab);
    }
}

/* Ten objects of another credential beside 190: as fast as alone. */
static void test_C_35_a_second_credential_is_not_slowed(void **state)
{
    (void)state;
    struct lab_setup setup = {.rate = 10, .burst = 10, .headers = true, .latency_ms = 50, .workers = 60};
    int64_t took[2];

    for (unsigned crowded = 0; crowded < 2; crowded++) {
        setup.objects = crowded ? 200 : 10;
        setup.others = 10;
        struct lab *lab = lab_new(&setup);

        took[crowded] = 0;
        lab_run(lab, 3600000);
        for (unsigned i = 0; i < setup.others; i++)
            if (lab->objects[i].done_ms - lab->begin_ms > took[crowded])
                took[crowded] = lab->objects[i].done_ms - lab->begin_ms;
        lab_free(lab);
    }
    print_message("second credential: %ld ms alone, %ld ms beside 190 others\n", (long)took[0],
                  (long)took[1]);
    assert_true(took[1] <= took[0] + took[0] / 10);
}

/* In each state of knowledge: 150 creates wait, then comes a delete. */
static void delete_overtakes(bool headers)
{
    struct lab_setup setup = {
        .rate = 10, .burst = 10, .headers = headers, .latency_ms = 50, .objects = 151, .workers = 151};
    struct lab *lab = lab_new(&setup);

    lab->objects[150].state = LAB_DONE; /* not yet */
    lab_run(lab, 1500);
    struct gateway_gauges gauges;

    lab->objects[150] = (struct lab_object){.removes = true};
    /* Its grant waits like any other; from then on the lanes decide. */
    for (int i = 0; i < 5000 && lab->objects[150].state != LAB_RUNS; i++)
        lab_run(lab, 1);
    unsigned before = lab->calls - (strcmp(lab->last_method, "DELETE") == 0);

    gateway_core_gauges(lab->core, &gauges);
    assert_true(gauges.tickets[LANE_CREATE] > 100);
    for (int i = 0; i < 5000 && strcmp(lab->last_method, "DELETE") != 0; i++)
        lab_run(lab, 1);
    assert_string_equal(lab->last_method, "DELETE");
    print_message("%u calls between a late delete and its DELETE, %u waited\n", lab->calls - 1 - before,
                  gauges.tickets[LANE_CREATE]);
    assert_true(lab->calls - 1 - before <= 1);
    lab_free(lab);
}

static void test_C_37_a_late_delete_overtakes_waiting_creates(void **state)
{
    (void)state;
    delete_overtakes(true);
    delete_overtakes(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_37_a_fixed_window_is_used_and_never_exceeded),
        cmocka_unit_test(test_C_36_a_fixed_window_without_headers_is_found),
        cmocka_unit_test(test_C_34_a_wrong_clock_of_the_server_costs_nothing),
        cmocka_unit_test(test_C_37_a_second_client_leaves_half),
        cmocka_unit_test(test_C_35_a_second_credential_is_not_slowed),
        cmocka_unit_test(test_C_37_a_late_delete_overtakes_waiting_creates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
