/* tests/unit/test_gateway_rate_lab.c -- how much of a limit that the server keeps is used, and how often it
 * is exceeded: with and without headers, small and large, near and far (packet C-34 to C-37; design 11). */
#include "tests/unit/test_gateway_lab.h"

static const int64_t latencies[] = {0, 20, 50};

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

#define EACH_LATENCY(l) for (size_t l = 0; l < sizeof latencies / sizeof latencies[0]; l++)

static void announced(int rate, int burst, unsigned objects, double least)
{
    EACH_LATENCY(l)
    {
        struct lab *lab =
            run((struct lab_setup){.rate = rate, .burst = burst, .headers = true, .objects = objects},
                latencies[l], "announced");

        assert_int_equal(lab->refused, 0);
        assert_true(lab_share(lab) >= least);
        lab_free(lab);
    }
}

static void found(int rate, int burst, unsigned objects, double least)
{
    EACH_LATENCY(l)
    {
        struct lab *lab =
            run((struct lab_setup){.rate = rate, .burst = burst, .objects = objects}, latencies[l], "found");

        assert_true(lab->refused <= lab_probes(lab));
        assert_true(lab_share(lab) >= least);
        lab_free(lab);
    }
}

static void test_C_37_an_announced_limit_is_used_and_never_exceeded(void **state)
{
    (void)state;
    announced(10, 10, 200, 0.98);
    announced(100, 100, 1000, 0.98);
    announced(5, 5, 100, 0.98);
    announced(10, 100, 400, 0.98);
    announced(10, 3, 200, 0.7);
}

static void test_C_36_an_unknown_limit_is_found(void **state)
{
    (void)state;
    found(10, 10, 200, 0.8);
    found(100, 100, 1000, 0.8);
    found(5, 5, 100, 0.8);
    found(10, 100, 400, 0.8);
    found(10, 1, 200, 0.75);
    found(2, 2, 40, 0.8);
    found(1, 1, 40, 0.6);
}

/* What an answer says of the limit was true when the server counted its call, which may be long ago. */
static void test_C_37_slow_answers_do_not_make_a_limit_look_higher(void **state)
{
    (void)state;
    EACH_LATENCY(l)
    {
        struct lab *lab = run(
            (struct lab_setup){
                .rate = 2, .burst = 3, .headers = true, .objects = 60, .workers = 1, .slow = 7},
            latencies[l], "announced, slow");

        assert_int_equal(lab->refused, 0);
        lab_free(lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_37_an_announced_limit_is_used_and_never_exceeded),
        cmocka_unit_test(test_C_36_an_unknown_limit_is_found),
        cmocka_unit_test(test_C_37_slow_answers_do_not_make_a_limit_look_higher),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
