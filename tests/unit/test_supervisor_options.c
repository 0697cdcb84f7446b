/* tests/unit/test_supervisor_options.c -- the table of options and the rules of reading it: every flag in
 * both of its forms, defaults, environment, errors with their suggestions, and what is checked beyond one
 * flag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "supervisor/options.h"

#define ARGS_MAX 8

struct run {
    struct options options;
    char error[OPTIONS_ERROR_MAX];
    int result;
};

/* Reads and, when that went well, checks. Arguments up to NULL. */
static struct run *read_args(const char *first, ...) __attribute__((sentinel));
static struct run *read_args(const char *first, ...)
{
    static struct run run;
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t) "program"};
    int argc = 1;
    va_list args;

    options_free(&run.options);
    run = (struct run){0};
    va_start(args, first);
    for (const char *arg = first; arg && argc <= ARGS_MAX; arg = va_arg(args, const char *))
        argv[argc++] = (char *)(uintptr_t)arg;
    va_end(args);
    run.result = options_read(&run.options, argc, argv, run.error);
    if (run.result == 0)
        run.result = options_check(&run.options, run.error);
    return &run;
}

#define CONFIG "--config-file=c.yaml"

static void expect_text(const struct run *run, const char *name, const char *value)
{
    if (run->result != 0)
        fail_msg("%s", run->error);
    assert_string_equal(options_text(&run->options, name), value);
}

static void expect_error(const struct run *run, const char *part)
{
    assert_int_equal(run->result, -1);
    if (!strstr(run->error, part))
        fail_msg("\"%s\" does not say \"%s\"", run->error, part);
}

static void clear_environment(void)
{
    size_t n;
    const struct option_row *rows = options_table(&n);

    for (size_t i = 0; i < n; i++)
        if (rows[i].env)
            unsetenv(rows[i].env);
}

static int set_up(void **unused)
{
    (void)unused;
    clear_environment();
    return 0;
}

/* Gardener's defaults, which charts rely on (gardener 9.2). */
static void test_defaults(void **unused)
{
    static const char *const expected[][2] = {
        {"kubeconfig", ""},
        {"master", ""},
        {"leader-election", "true"},
        {"leader-election-id", "provider-packet-leader-election"},
        {"leader-election-namespace", ""},
        {"infrastructure-max-concurrent-reconciles", "5"},
        {"workers", "5"},
        {"ignore-operation-annotation", "false"},
        {"extension-classes", ""},
        {"gardener-version", ""},
        {"self-hosted-shoot-cluster", "false"},
        {"controllers", "infrastructure,controlplane,worker,healthcheck,heartbeat"},
        {"disable-controllers", ""},
        {"heartbeat-namespace", ""},
        {"heartbeat-renew-interval-seconds", "30"},
        {"metrics-bind-address", ":8080"},
        {"health-bind-address", ":8081"},
        {"log-level", "info"},
        {"log-format", "json"},
        {"controlplane-max-concurrent-reconciles", "5"},
        {"worker-max-concurrent-reconciles", "5"},
        {"healthcheck-max-concurrent-reconciles", "1"},
        {"webhook-config-server-port", "443"},
        {"webhook-config-cert-dir", "/tmp/gardener-extensions-cert"},
        {"webhook-config-mode", "service"},
        {"packet-rate", "200"},
        {"packet-burst", "40"},
        {"packet-parallel", "32"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        expect_text(read_args(CONFIG, NULL), expected[i][0], expected[i][1]);
}

/* A value that is allowed for the row and is not its default. */
static const char *other_value(const struct option_row *row)
{
    if (row->type == OPTION_BOOL)
        return strcmp(row->fallback, "true") == 0 ? "false" : "true";
    if (row->type == OPTION_COUNT) /* of the Lease's durations one must stay the longest */
        return strcmp(row->name, "leader-election-lease-duration-seconds") == 0 ? "17" : "7";
    if (row->choices) {
        static char last[32];
        const char *comma = strrchr(row->choices, ',');
        snprintf(last, sizeof last, "%s", comma ? comma + 1 : row->choices);
        return last;
    }
    return "some/thing";
}

static void test_every_flag_in_both_forms(void **unused)
{
    size_t n;
    const struct option_row *rows = options_table(&n);
    char flag[96], joined[160];

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        const char *value = other_value(&rows[i]);
        const char *config = strcmp(rows[i].name, "config-file") == 0 ? "--log-level=info" : CONFIG;

        snprintf(flag, sizeof flag, "--%s", rows[i].name);
        snprintf(joined, sizeof joined, "--%s=%s", rows[i].name, value);
        assert_string_not_equal(value, rows[i].fallback);
        expect_text(read_args(config, joined, NULL), rows[i].name, value);
        assert_true(options_given(&read_args(config, joined, NULL)->options, rows[i].name));
        if (rows[i].type != OPTION_BOOL)
            expect_text(read_args(config, flag, value, NULL), rows[i].name, value);
        else
            expect_text(read_args(config, flag, NULL), rows[i].name, "true");
        if (rows[i].type != OPTION_BOOL)
            expect_error(read_args(config, flag, NULL), "needs a value");
    }
}

static void test_table_is_sound(void **unused)
{
    size_t n;
    const struct option_row *rows = options_table(&n);

    (void)unused;
    for (size_t i = 0; i < n; i++) {
        assert_true(strlen(rows[i].help) > 5 && rows[i].help[strlen(rows[i].help) - 1] == '.');
        assert_true(rows[i].group != GROUP_IGNORED || rows[i].children == 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
        assert_true(strchr(rows[i].name, '_') == NULL); /* children find it by '-' as '_' */
    }
}

static void test_booleans(void **unused)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    char flag[64];

    (void)unused;
    for (size_t i = 0; i < 6; i++) {
        snprintf(flag, sizeof flag, "--leader-election=%s", yes[i]);
        expect_text(read_args(CONFIG, flag, NULL), "leader-election", "true");
        snprintf(flag, sizeof flag, "--leader-election=%s", no[i]);
        expect_text(read_args(CONFIG, flag, NULL), "leader-election", "false");
    }
    expect_error(read_args(CONFIG, "--leader-election=no", NULL), "must be true or false");
    expect_error(read_args(CONFIG, "--leader-election=", NULL), "must be true or false");
    expect_error(read_args(CONFIG, "--leader-election", "false", NULL), "booleans need '='");
}

static void test_last_one_wins_and_lists_grow(void **unused)
{
    (void)unused;
    expect_text(read_args(CONFIG, "--log-level=debug", "--log-level=error", NULL), "log-level", "error");
    expect_text(read_args(CONFIG, "--disable-webhooks=a,b", "--disable-webhooks", "c", NULL),
                "disable-webhooks", "a,b,c");
    expect_text(read_args(CONFIG, "--disable-webhooks=\"a\",b", NULL), "disable-webhooks", "a,b");
    expect_text(read_args(CONFIG, "--controllers=heartbeat", NULL), "controllers",
                "heartbeat"); /* not appended */
}

static void test_empty_lists(void **unused)
{
    (void)unused;
    expect_text(read_args(CONFIG, "--controllers=", NULL), "controllers", "");
    expect_text(read_args(CONFIG, "--disable-controllers=", NULL), "disable-controllers", "");
    expect_text(read_args(CONFIG, "--extension-classes", "", NULL), "extension-classes", "");
    expect_text(read_args(CONFIG, "--disable-webhooks=", NULL), "disable-webhooks", "");
}

static void test_unknown_flags(void **unused)
{
    (void)unused;
    expect_error(read_args(CONFIG, "--workrs=3", NULL), "unknown flag: --workrs; did you mean --workers?");
    expect_error(read_args(CONFIG, "--config-fil", "x", NULL), "did you mean --config-file?");
    expect_error(read_args(CONFIG, "--infrastructure-ignore-operation-annotation=true", NULL),
                 "unknown flag: --infrastructure-ignore-operation-annotation");
    expect_error(read_args(CONFIG, "--zzzzzzzzzz", NULL), "--help lists all");
    expect_error(read_args(CONFIG, "serve", NULL), "unexpected argument \"serve\"");
    expect_error(read_args(CONFIG, "-v", NULL), "unexpected argument");
    expect_error(read_args(CONFIG, "--", NULL), "unexpected argument");
}

/* gardener 62 */
static void test_checks(void **unused)
{
    (void)unused;
    expect_error(read_args("--log-level=info", NULL), "config file path not set");
    expect_error(read_args(CONFIG, "--controllers=infrastructure,foo", NULL), "\"foo\" is not one of");
    expect_error(read_args(CONFIG, "--disable-controllers=Infrastructure", NULL), "is not one of");
    expect_error(read_args(CONFIG, "--controllers=infrastructure,", NULL), "\"\" is not one of");
    expect_error(read_args(CONFIG, "--log-level=warn", NULL),
                 "--log-level: \"warn\" is not one of debug,info,error");
    expect_error(read_args(CONFIG, "--log-level=debug,info", NULL), "is not one of");
    expect_error(read_args(CONFIG, "--log-format=logfmt", NULL), "is not one of json,text");
    expect_error(read_args(CONFIG, "--heartbeat-renew-interval-seconds=0", NULL), "from 1 to");
    expect_error(read_args(CONFIG, "--heartbeat-renew-interval-seconds=-5", NULL), "from 1 to");
    expect_error(read_args(CONFIG, "--heartbeat-renew-interval-seconds=2147483648", NULL),
                 "from 1 to 2147483647");
    expect_error(read_args(CONFIG, "--heartbeat-renew-interval-seconds=10s", NULL), "must be a whole number");
    expect_error(read_args(CONFIG, "--workers=65", NULL), "from 1 to 64");
    expect_error(read_args(CONFIG, "--workers=", NULL), "must be a whole number");
    expect_error(read_args(CONFIG, "--packet-parallel=99999999999999999999", NULL), "must be a whole number");
}

static void test_one_number_by_two_names(void **unused)
{
    static const char ours[] = "workers", gardeners[] = "infrastructure-max-concurrent-reconciles";
    struct run *run;

    (void)unused;
    run = read_args(CONFIG, "--workers=9", NULL);
    expect_text(run, ours, "9");
    expect_text(run, gardeners, "9");
    run = read_args(CONFIG, "--infrastructure-max-concurrent-reconciles=11", NULL);
    expect_text(run, ours, "11");
    expect_text(run, gardeners, "11");
    run = read_args(CONFIG, "--workers=9", "--infrastructure-max-concurrent-reconciles=9", NULL);
    expect_text(run, ours, "9");
    run = read_args(CONFIG, "--workers=9", "--infrastructure-max-concurrent-reconciles=5", NULL);
    expect_error(run, "mean the same; give one");
}

/* kubernetes 6.2 */
static void test_lease_durations(void **unused)
{
    (void)unused;
    expect_text(read_args(CONFIG, NULL), "leader-election-lease-duration-seconds", "15");
    expect_text(read_args(CONFIG, NULL), "leader-election-renew-deadline-seconds", "10");
    expect_text(read_args(CONFIG, NULL), "leader-election-retry-period-seconds", "2");
    expect_error(read_args(CONFIG, "--leader-election-lease-duration-seconds=10", NULL),
                 "--leader-election-lease-duration-seconds=10 must be greater than "
                 "--leader-election-renew-deadline-seconds=10");
    expect_error(read_args(CONFIG, "--leader-election-renew-deadline-seconds=6",
                           "--leader-election-retry-period-seconds=5", NULL),
                 "greater than 1.2 times");
    assert_int_equal(read_args(CONFIG, "--leader-election-lease-duration-seconds=3",
                               "--leader-election-renew-deadline-seconds=2",
                               "--leader-election-retry-period-seconds=1", NULL)
                         ->result,
                     0);
}

static void test_environment(void **unused)
{
    (void)unused;
    setenv("LEADER_ELECTION_NAMESPACE", "garden", 1);
    setenv("PACKET_API_URL", "https://packet.test", 1);
    setenv("PACKET_CA_FILE", "/ca.pem", 1);
    expect_text(read_args(CONFIG, NULL), "leader-election-namespace", "garden");
    expect_text(read_args(CONFIG, NULL), "heartbeat-namespace", "garden");
    expect_text(read_args(CONFIG, NULL), "packet-url", "https://packet.test");
    expect_text(read_args(CONFIG, NULL), "packet-ca-file", "/ca.pem");
    expect_text(read_args(CONFIG, "--packet-url=https://flag.test", NULL), "packet-url", "https://flag.test");
    setenv("PACKET_API_URL", "", 1); /* empty is as absent */
    assert_string_not_equal(options_text(&read_args(CONFIG, NULL)->options, "packet-url"), "");
    clear_environment();
}

static void test_older_names(void **unused)
{
    (void)unused;
    expect_text(read_args(CONFIG, "--extension-class=garden", NULL), "extension-classes", "garden");
    expect_error(read_args(CONFIG, "--extension-class=garden", "--extension-classes=shoot", NULL),
                 "give one");
    expect_error(read_args(CONFIG, "--extension-class=nonsense", NULL), "is not one of");
    expect_text(read_args(CONFIG, "--autonomous-shoot-cluster", NULL), "self-hosted-shoot-cluster", "true");
}

/* What the chart of a full provider passes must do no harm. */
static void test_chart_flags(void **unused)
{
    struct run *run =
        read_args(CONFIG, "--controlplane-max-concurrent-reconciles=5", "--worker-deploy-crds=true",
                  "--webhook-config-server-port=10250", "--webhook-config-mode=url-service",
                  "--webhook-config-cert-dir=/x", "--disable-webhooks=", NULL);

    (void)unused;
    assert_int_equal(run->result, 0);
    assert_true(options_list_has("a,b", "b"));
    assert_false(options_list_has("a,bc", "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, set_up),
        cmocka_unit_test_setup(test_every_flag_in_both_forms, set_up),
        cmocka_unit_test_setup(test_table_is_sound, set_up),
        cmocka_unit_test_setup(test_booleans, set_up),
        cmocka_unit_test_setup(test_last_one_wins_and_lists_grow, set_up),
        cmocka_unit_test_setup(test_empty_lists, set_up),
        cmocka_unit_test_setup(test_unknown_flags, set_up),
        cmocka_unit_test_setup(test_checks, set_up),
        cmocka_unit_test_setup(test_one_number_by_two_names, set_up),
        cmocka_unit_test_setup(test_lease_durations, set_up),
        cmocka_unit_test_setup(test_environment, set_up),
        cmocka_unit_test_setup(test_older_names, set_up),
        cmocka_unit_test_setup(test_chart_flags, set_up),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    options_free(&read_args("--help", NULL)->options); /* what the last run held */
    return failed;
}
