/* tests/unit/test_exporter_metrics.c -- the page of /metrics, read line by line as Prometheus would. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/exporter.h"
#include "proto/buckets.h"
#include "proto/pack.h"

/* The end of name{label="value",...}; NULL when it is none. */
static const char *sample_name(const char *p)
{
    while (isalnum((unsigned char)*p) || *p == '_' || *p == ':')
        p++;
    if (*p != '{')
        return p;
    do {
        p++;
        while (isalnum((unsigned char)*p) || *p == '_')
            p++;
        if (p[0] != '=' || p[1] != '"')
            return NULL;
        for (p += 2; *p && *p != '"'; p++)
            if (*p == '\\' && !strchr("\\\"n", *++p))
                return NULL;
        if (*p++ != '"')
            return NULL;
    } while (*p == ',');
    return *p == '}' ? p + 1 : NULL;
}

/* Buckets never fall, the last one is +Inf and the count. */
static void check_part(const char *suffix, const char *end, uint64_t *below)
{
    uint64_t n = strtoull(end + 1, NULL, 10);

    if (!strncmp(suffix, "_bucket{", 8)) {
        assert_true(n >= *below);
        *below = n;
    } else if (!strncmp(suffix, "_count{", 7)) {
        assert_int_equal(n, *below);
    } else {
        assert_int_equal(strncmp(suffix, "_sum{", 5), 0);
    }
}

/* Every family has its HELP, then its TYPE, then its samples, once. */
static void check_page(const struct text *page)
{
    char *copy = strdup(page->data), *rest = copy, *line;
    char family[128] = "", mark[160], type = ' ';
    uint64_t below = 0;

    assert_int_equal(page->data[page->len - 1], '\n');
    while ((line = strsep(&rest, "\n")) && rest) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%127s", family), 1);
            snprintf(mark, sizeof mark, "# HELP %s ", family);
            assert_null(strstr(strstr(page->data, mark) + 1, mark));
            line = strsep(&rest, "\n");
            snprintf(mark, sizeof mark, "# TYPE %s ", family);
            assert_true(line && strncmp(line, mark, strlen(mark)) == 0);
            type = line[strlen(mark)];
            assert_true(strcmp(line + strlen(mark), "gauge") == 0 ||
                        strcmp(line + strlen(mark), "counter") == 0 ||
                        strcmp(line + strlen(mark), "histogram") == 0);
            below = 0;
            continue;
        }
        const char *end = sample_name(line);
        char *after;

        assert_non_null(end);
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
        if (type == 'h')
            check_part(line + strlen(family), end, &below);
        else
            assert_true(line[strlen(family)] == '{' || line[strlen(family)] == ' ');
        assert_int_equal(*end, ' ');
        strtod(end + 1, &after);
        assert_true(after > end + 1 && *after == '\0');
    }
    free(copy);
}

static void row(struct pack *p, const char *role, const char *const keys[], const int64_t numbers[],
                uint32_t n)
{
    pack_map(p, 3);
    pack_text(p, "role");
    pack_text(p, role);
    pack_text(p, "state");
    pack_text(p, "ready");
    pack_text(p, "gauges");
    pack_map(p, n);
    for (uint32_t i = 0; i < n; i++) {
        pack_text(p, keys[i]);
        pack_int(p, numbers[i]);
    }
}

/* The processes are one, and its n numbers follow. */
static void open_beat(struct pack *p, const char *role, uint32_t n)
{
    pack_open(p);
    pack_array(p, 1);
    pack_map(p, 2);
    pack_text(p, "role");
    pack_text(p, role);
    pack_text(p, "gauges");
    pack_map(p, n);
}

static void render(const struct pack *p, struct text *page)
{
    struct state state = {.known = true, .elected = true, .lease = "le\"a\\se\n"};

    if (p) {
        state.processes = (uint8_t *)p->out.data;
        state.processes_len = p->out.size;
    } else
        state.known = false;
    metrics_page(&state, page);
    check_page(page);
}

static void assert_line(const struct text *page, const char *line)
{
    char whole[256];

    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(page->data, whole))
        fail_msg("no line %s", line);
}

static void test_K_37_numbers_of_the_beats(void **unused)
{
    const char *const watcher[] = {"ready", "adds", "retries", "running", "strikes"};
    const char *const gateway[] = {"calls_failed", "pause_ms"};
    struct pack p;
    struct text page = {0};

    (void)unused;
    pack_open(&p);
    pack_array(&p, 2);
    row(&p, "watcher", watcher, (const int64_t[]){7, 29, 5, 3, 2}, 5);
    row(&p, "packet-gateway", gateway, (const int64_t[]){11, 1050}, 2);
    render(&p, &page);
    assert_line(&page,
                "workqueue_depth{name=\"infrastructure\",controller=\"infrastructure\",priority=\"0\"} 0");
    assert_line(&page, "workqueue_adds_total{name=\"infrastructure\",controller=\"infrastructure\"} 29");
    assert_line(&page, "workqueue_retries_total{name=\"infrastructure\",controller=\"infrastructure\"} 5");
    assert_line(&page, "controller_runtime_active_workers{controller=\"infrastructure\"} 3");
    assert_line(&page, "provider_packet_strikes_total 2");
    assert_line(&page, "provider_packet_api_calls_failed_total 11");
    assert_line(&page, "provider_packet_api_pause_seconds 1.050");
    assert_null(strstr(page.data, "provider_packet_api_budget")); /* not said is not zero */
    text_free(&page);
    pack_close(&p);
}

static void test_K_37_series_exist_before_the_first_beat(void **unused)
{
    struct pack p;
    struct text page = {0};

    (void)unused;
    pack_open(&p);
    pack_array(&p, 0);
    render(&p, &page);
    assert_line(&page,
                "workqueue_depth{name=\"infrastructure\",controller=\"infrastructure\",priority=\"-100\"} 0");
    assert_line(&page, "controller_runtime_active_workers{controller=\"infrastructure\"} 0");
    assert_line(&page, "leader_election_master_status{name=\"le_a_se_\"} 0");
    text_free(&page);
    pack_close(&p);
}

/* The bounds and their texts as client_golang writes them; counts become cumulative. */
static void test_K_37_histograms(void **unused)
{
    struct pack p;
    struct text page = {0};

    (void)unused;
    open_beat(&p, "watcher", 6);
    pack_text(&p, "results");
    pack_array(&p, 4);
    for (int i = 1; i <= 4; i++)
        pack_uint(&p, (uint64_t)i);
    pack_text(&p, "waits");
    pack_array(&p, 14);
    pack_uint(&p, 12345);
    for (int i = 0; i < 13; i++)
        pack_uint(&p, i == 0 || i == 8 || i == 12 ? 2 : 0);
    pack_text(&p, "longest_ms");
    pack_uint(&p, 61007);
    pack_text(&p, "strikes");
    pack_uint(&p, 9);
    pack_text(&p, "host");
    pack_text(&p, "127.0.0.1:6443");
    pack_text(&p, "rest");
    pack_map(&p, 2);
    pack_text(&p, "PATCH 409");
    pack_uint(&p, 3);
    pack_text(&p, "GET <error>");
    pack_uint(&p, 1);
    render(&p, &page);
#define QUEUE "name=\"infrastructure\",controller=\"infrastructure\""
    assert_line(&page,
                "controller_runtime_reconcile_total{controller=\"infrastructure\",result=\"success\"} 1");
    assert_line(
        &page,
        "controller_runtime_reconcile_total{controller=\"infrastructure\",result=\"requeue_after\"} 4");
    assert_line(&page, "controller_runtime_reconcile_errors_total{controller=\"infrastructure\"} 2");
    assert_line(&page, "controller_runtime_reconcile_panics_total{controller=\"infrastructure\"} 9");
    assert_line(&page, "workqueue_queue_duration_seconds_bucket{" QUEUE ",le=\"1e-08\"} 2");
    assert_line(&page, "workqueue_queue_duration_seconds_bucket{" QUEUE ",le=\"9.999999999999999e-05\"} 2");
    assert_line(&page, "workqueue_queue_duration_seconds_bucket{" QUEUE ",le=\"1\"} 4");
    assert_line(&page, "workqueue_queue_duration_seconds_bucket{" QUEUE ",le=\"1000\"} 4");
    assert_line(&page, "workqueue_queue_duration_seconds_bucket{" QUEUE ",le=\"+Inf\"} 6");
    assert_line(&page, "workqueue_queue_duration_seconds_sum{" QUEUE "} 12.345");
    assert_line(&page, "workqueue_longest_running_processor_seconds{" QUEUE "} 61.007");
    assert_line(&page, "rest_client_requests_total{code=\"409\",host=\"127.0.0.1:6443\",method=\"PATCH\"} 3");
    assert_line(&page,
                "rest_client_requests_total{code=\"<error>\",host=\"127.0.0.1:6443\",method=\"GET\"} 1");
    assert_line(
        &page, "controller_runtime_reconcile_time_seconds_bucket{controller=\"infrastructure\",le=\"60\"} 0");
    text_free(&page);
    pack_close(&p);
}

static void test_K_37_the_queue_by_priority(void **unused)
{
    struct pack p;
    struct text page = {0};

    (void)unused;
    open_beat(&p, "watcher", 2);
    pack_text(&p, "held");
    pack_uint(&p, 5);
    pack_text(&p, "ready_by");
    pack_array(&p, 4);
    for (int i = 0; i < 4; i++)
        pack_uint(&p, (uint64_t)(10 + i));
    render(&p, &page);
    assert_line(&page, "controller_runtime_terminal_reconcile_errors_total{controller=\"infrastructure\"} 5");
    assert_line(&page, "workqueue_depth{" QUEUE ",priority=\"-200\"} 10");
    assert_line(&page, "workqueue_depth{" QUEUE ",priority=\"100\"} 13");
    text_free(&page);
    pack_close(&p);
}

static void test_calls_by_method_and_code(void **unused)
{
    struct pack p;
    struct text page = {0};

    (void)unused;
    open_beat(&p, "packet-gateway", 3);
    pack_text(&p, "budget");
    pack_int(&p, -1); /* no number of ours */
    pack_text(&p, "calls_failed");
    pack_uint(&p, 1);
    pack_text(&p, "calls");
    pack_map(&p, 2);
    pack_text(&p, "POST 201");
    pack_uint(&p, 3);
    pack_text(&p, "<other> <other>");
    pack_uint(&p, 1);
    render(&p, &page);
    assert_line(&page, "provider_packet_api_calls_total{code=\"201\",method=\"POST\"} 3");
    assert_line(&page, "provider_packet_api_calls_total{code=\"<other>\",method=\"<other>\"} 1");
    assert_null(strstr(page.data, "provider_packet_api_budget"));
    text_free(&page);
    pack_close(&p);
}

static void test_K_37_where_a_time_is_counted(void **unused)
{
    static const struct {
        int64_t ms;
        size_t reconcile, queue;
    } rows[] = {{-5, 0, 0}, {0, 0, 0},       {1, 0, 5},       {5, 0, 6},
                {6, 1, 6},  {60000, 39, 10}, {60001, 40, 10}, {1000001, 40, 12}};

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct histogram a = {.sum_ms = 0}, b = {.sum_ms = 0};

        histogram_add(&a, &buckets_reconcile, rows[i].ms);
        histogram_add(&b, &buckets_queue, rows[i].ms);
        assert_int_equal(a.counts[rows[i].reconcile], 1);
        assert_int_equal(b.counts[rows[i].queue], 1);
        assert_int_equal(a.sum_ms, rows[i].ms > 0 ? rows[i].ms : 0);
    }
}

static void test_K_69_a_page_without_the_supervisor(void **unused)
{
    struct text page = {0};

    (void)unused;
    render(NULL, &page);
    assert_line(&page, "provider_packet_supervisor_up 0");
    text_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_37_numbers_of_the_beats),
        cmocka_unit_test(test_K_37_series_exist_before_the_first_beat),
        cmocka_unit_test(test_K_37_histograms),
        cmocka_unit_test(test_K_37_the_queue_by_priority),
        cmocka_unit_test(test_calls_by_method_and_code),
        cmocka_unit_test(test_K_37_where_a_time_is_counted),
        cmocka_unit_test(test_K_69_a_page_without_the_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
