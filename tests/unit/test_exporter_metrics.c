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

/* Every family has its HELP, then its TYPE, then its samples, once. */
static void check_page(const struct text *page)
{
    char *copy = strdup(page->data), *rest = copy, *line;
    char family[128] = "", mark[160];

    assert_int_equal(page->data[page->len - 1], '\n');
    while ((line = strsep(&rest, "\n")) && rest) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%127s", family), 1);
            snprintf(mark, sizeof mark, "# HELP %s ", family);
            assert_null(strstr(strstr(page->data, mark) + 1, mark));
            line = strsep(&rest, "\n");
            snprintf(mark, sizeof mark, "# TYPE %s ", family);
            assert_true(line && strncmp(line, mark, strlen(mark)) == 0);
            assert_true(strcmp(line + strlen(mark), "gauge") == 0 ||
                        strcmp(line + strlen(mark), "counter") == 0);
            continue;
        }
        const char *end = sample_name(line);
        char *after;

        assert_non_null(end);
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
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
    const char *const gateway[] = {"calls_started", "pause_ms"};
    struct pack p;
    struct text page = {0};

    (void)unused;
    pack_open(&p);
    pack_array(&p, 2);
    row(&p, "watcher", watcher, (const int64_t[]){7, 29, 5, 3, 2}, 5);
    row(&p, "packet-gateway", gateway, (const int64_t[]){11, 1050}, 2);
    render(&p, &page);
    assert_line(&page,
                "workqueue_depth{name=\"infrastructure\",controller=\"infrastructure\",priority=\"\"} 7");
    assert_line(&page, "workqueue_adds_total{name=\"infrastructure\",controller=\"infrastructure\"} 29");
    assert_line(&page, "workqueue_retries_total{name=\"infrastructure\",controller=\"infrastructure\"} 5");
    assert_line(&page, "controller_runtime_active_workers{controller=\"infrastructure\"} 3");
    assert_line(&page, "provider_packet_strikes_total 2");
    assert_line(&page, "provider_packet_api_calls_total 11");
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
                "workqueue_depth{name=\"infrastructure\",controller=\"infrastructure\",priority=\"\"} 0");
    assert_line(&page, "controller_runtime_active_workers{controller=\"infrastructure\"} 0");
    assert_line(&page, "leader_election_master_status{name=\"le_a_se_\"} 0");
    text_free(&page);
    pack_close(&p);
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
        cmocka_unit_test(test_K_69_a_page_without_the_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
