/* tests/unit/test_watcher_exec_plugin.c -- when an exec plugin is run and when not: one run for all who ask,
 * none while its credential is good, one more when the time is over or the server says 401 (kubernetes 1.6,
 * 10). */
#include "tests/unit/test_watcher_exec_rig.h"

/* Prints the file "answer"; its token counts the runs. */
#define FROM_FILE "sed s/N/$(wc -l <$D/runs)/ $D/answer"

static void write_answer(int64_t good_until_ms)
{
    char until[CLOCK_TEXT_MAX];

    clock_text_millis(good_until_ms, until);
    char *text = x_asprintf(ANSWER "\"token\":\"token-N\",\"expirationTimestamp\":\"%s\"}}", until);
    write_file("answer", text, 0600);
    free(text);
}

static void test_K_10_one_run_for_all_who_ask(void **state)
{
    struct rig *rig = *state;

    write_answer(clock_now().wall_ms + 3600000);
    rig_start(rig, FROM_FILE, "", EXEC_RUN_MS);
    assert_int_equal(exec_plugin_generation(rig->plugin), 0);
    for (int i = 0; i < 10; i++)
        assert_false(exec_plugin_ready(rig->plugin));
    run_until(rig, 1);
    assert_int_equal(rig->good, 1);
    for (int i = 0; i < 10; i++)
        assert_true(exec_plugin_ready(rig->plugin));
    assert_string_equal(rig->access.token, "token-1");
    assert_int_equal(count_runs(), 1);
}

static void test_K_10_good_for_ever_without_a_time(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "echo '" ANSWER "\"token\":\"t\"}}'", "", EXEC_RUN_MS);
    rig_run(rig);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 403);
    assert_true(exec_plugin_ready(rig->plugin));
    assert_int_equal(count_runs(), 1);
}

static void test_K_10_run_again_when_its_time_is_over(void **state)
{
    struct rig *rig = *state;
    int64_t end_ms;

    /* until one run was quick enough to be seen good */
    rig_start(rig, FROM_FILE, "", EXEC_RUN_MS);
    do {
        end_ms = clock_now().wall_ms + 500;
        write_answer(end_ms);
        rig_run(rig);
    } while (!rig->good || !exec_plugin_ready(rig->plugin));
    unsigned before = count_runs();
    write_answer(clock_now().wall_ms + 3600000);
    while (clock_now().wall_ms <= end_ms)
        usleep(1000);
    rig_run(rig);
    assert_true(exec_plugin_ready(rig->plugin));
    assert_int_equal(count_runs(), before + 1);
}

static void test_K_10_a_401_runs_it_at_once_and_only_once(void **state)
{
    struct rig *rig = *state;

    write_answer(clock_now().wall_ms + 3600000);
    rig_start(rig, FROM_FILE, "", EXEC_RUN_MS);
    rig_run(rig);
    uint64_t first = exec_plugin_generation(rig->plugin);
    exec_plugin_answered(rig->plugin, first, 401);
    exec_plugin_answered(rig->plugin, first, 401);
    assert_false(exec_plugin_ready(rig->plugin)); /* who asks now gets the next one */
    run_until(rig, 2);
    assert_string_equal(rig->access.token, "token-2");
    assert_true(exec_plugin_generation(rig->plugin) != first);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 200);
    exec_plugin_answered(rig->plugin, first, 401); /* a late answer to the old one */
    assert_true(exec_plugin_ready(rig->plugin));
    assert_int_equal(count_runs(), 2);
}

/* client-go would run it for every 401; here the third run in a row waits, and meanwhile the server may
 * answer for itself. A good answer ends the row. */
static void test_K_10_a_server_that_always_says_401_is_no_storm(void **state)
{
    struct rig *rig = *state;

    write_answer(clock_now().wall_ms + 3600000);
    rig_start(rig, FROM_FILE, "", EXEC_RUN_MS);
    rig_run(rig);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 401);
    run_until(rig, 2);
    int64_t before_ms = clock_now().boot_ms;
    for (int i = 0; i < 10; i++) {
        exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 401);
        assert_true(exec_plugin_ready(rig->plugin));
    }
    run_until(rig, 3);
    assert_true(clock_now().boot_ms - before_ms >= EXEC_AGAIN_MS);
    assert_int_equal(count_runs(), 3);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 200);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 401);
    assert_false(exec_plugin_ready(rig->plugin)); /* at once again */
    run_until(rig, 4);
}

/* As client-go: the one that is there is used as long as its time lasts. */
static void test_K_10_a_failed_run_after_401_keeps_the_old_one(void **state)
{
    struct rig *rig = *state;

    rig_start(rig, "[ $(wc -l <$D/runs) = 1 ] || exit 3; echo '" ANSWER "\"token\":\"t\"}}'", "",
              EXEC_RUN_MS);
    rig_run(rig);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 401);
    run_until(rig, 2);
    assert_int_equal(rig->good, 2); /* nobody has to fail */
    assert_true(exec_plugin_ready(rig->plugin));
    assert_string_equal(rig->access.token, "t");
}

static void test_K_10_another_certificate_begins_another_era(void **state)
{
    struct rig *rig = *state;
    char *pem[4], line[64];

    make_pair("one", &pem[0], &pem[1]);
    make_pair("two", &pem[2], &pem[3]);
    for (unsigned i = 0; i < 3; i++) { /* one, one with another token, two */
        char *text =
            x_asprintf(ANSWER "\"token\":\"t%u\",\"clientCertificateData\":\"%s\",\"clientKeyData\":\"%s\"}}",
                       i, pem[i / 2 * 2], pem[i / 2 * 2 + 1]);
        char *escaped = x_calloc(2, strlen(text) + 1), *to = escaped;

        for (const char *from = text; *from; from++) {
            *to++ = *from == '\n' ? '\\' : *from;
            if (*from == '\n')
                *to++ = 'n';
        }
        snprintf(line, sizeof line, "answer%u", i + 1);
        write_file(line, escaped, 0600);
        free(text);
        free(escaped);
    }
    rig_start(rig, "cat $D/answer$(wc -l <$D/runs)", "", EXEC_RUN_MS);
    rig_run(rig);
    assert_string_equal(rig->access.cert, pem[0]);
    uint64_t era = rig->access.era;
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 401);
    run_until(rig, 2);
    assert_string_equal(rig->access.token, "t1");
    assert_int_equal(rig->access.era, era);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 200);
    exec_plugin_answered(rig->plugin, exec_plugin_generation(rig->plugin), 401);
    run_until(rig, 3);
    assert_string_equal(rig->access.cert, pem[2]);
    assert_true(rig->access.era != era);
    for (unsigned i = 0; i < 4; i++)
        free(pem[i]);
}

static void test_K_10_what_status_says_of_it(void **state)
{
    struct rig *rig = *state;
    struct pack p;
    uint64_t n = 0;

    write_answer(INT64_C(4102444800000));
    rig_start(rig, "[ $(wc -l <$D/runs) = 1 ] && exit 3; " FROM_FILE, "", EXEC_RUN_MS);
    rig_run(rig);
    pack_open(&p);
    pack_map(&p, 1);
    exec_plugin_pack(rig->plugin, &p);
    struct value said = value_get(pack_result(&p), "exec_plugin");
    assert_true(value_is_text(value_get(said, "command"), "plugin"));
    assert_non_null(strstr(value_text(value_get(said, "lastError")).p, "exit code 3"));
    assert_true(value_is_text(value_get(said, "goodUntil"), ""));
    assert_int_equal(value_text(value_get(said, "lastRun")).len, 20);
    rig_run(rig);
    pack_again(&p);
    pack_map(&p, 1);
    exec_plugin_pack(rig->plugin, &p);
    said = value_get(pack_result(&p), "exec_plugin");
    assert_true(value_is_text(value_get(said, "goodUntil"), "2100-01-01T00:00:00Z"));
    assert_true(value_is_text(value_get(said, "lastError"), ""));
    assert_true(value_uint(value_get(said, "runs"), &n) && n == 2);
    assert_true(value_uint(value_get(said, "failures"), &n) && n == 1);
    pack_close(&p);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(test_K_10_one_run_for_all_who_ask),
        RIGGED(test_K_10_good_for_ever_without_a_time),
        RIGGED(test_K_10_run_again_when_its_time_is_over),
        RIGGED(test_K_10_a_401_runs_it_at_once_and_only_once),
        RIGGED(test_K_10_a_server_that_always_says_401_is_no_storm),
        RIGGED(test_K_10_a_failed_run_after_401_keeps_the_old_one),
        RIGGED(test_K_10_another_certificate_begins_another_era),
        RIGGED(test_K_10_what_status_says_of_it),
    };

    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
