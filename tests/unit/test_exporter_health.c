/* tests/unit/test_exporter_health.c -- what /healthz and /readyz say of which state (gardener 12.1,
 * kubernetes 8.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/exporter.h"
#include "proto/pack.h"

static struct pack processes;

static void row(const char *role, const char *state, int64_t synced)
{
    pack_map(&processes, 3);
    pack_text(&processes, "role");
    pack_text(&processes, role);
    pack_text(&processes, "state");
    pack_text(&processes, state);
    pack_text(&processes, "gauges");
    pack_map(&processes, synced >= 0);
    if (synced >= 0) {
        pack_text(&processes, "synced");
        pack_int(&processes, synced);
    }
}

static struct state tree(const char *watcher, int64_t synced)
{
    pack_open(&processes);
    pack_array(&processes, 3);
    row("watcher", watcher, synced);
    row("packet-gateway", "ready", -1);
    row("worker", "ready", -1);
    return (struct state){
        .known = true, .processes = (uint8_t *)processes.out.data, .processes_len = processes.out.size};
}

static void assert_page(const struct state *state, const char *path, unsigned status, const char *word)
{
    struct text out = {0};

    if (health_page(state, path, true, NULL, &out) != status || !strstr(out.data, word))
        fail_msg("%s: %s", path, out.data);
    text_free(&out);
}

static void test_K_29_not_ready_before_the_first_list(void **unused)
{
    struct state state = tree("ready", -1);

    (void)unused;
    assert_page(&state, "/readyz", 500, "[-]informer-sync failed");
    pack_close(&processes);
    state = tree("ready", 0);
    assert_page(&state, "/readyz/informer-sync", 500, "failed");
    assert_page(&state, "/healthz", 200, "ok");
    pack_close(&processes);
    state = tree("ready", 1);
    assert_page(&state, "/readyz", 200, "[+]informer-sync ok");
    pack_close(&processes);
}

/* Readiness does not ask who leads. */
static void test_K_69_a_standby_is_ready(void **unused)
{
    struct state state = tree("ready", 0);

    (void)unused;
    state.elected = true;
    assert_page(&state, "/readyz", 500, "[-]informer-sync failed"); /* has not even seen the Lease */
    state.held = true;
    assert_page(&state, "/readyz", 200, "ok");
    state.leading = true;
    assert_page(&state, "/readyz", 500, "[-]informer-sync failed");
    pack_close(&processes);
}

static void test_K_69_without_the_supervisor(void **unused)
{
    struct state state = {.known = false};

    (void)unused;
    assert_page(&state, "/healthz", 500, "[-]ping failed");
    assert_page(&state, "/readyz", 500, "readyz check failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_29_not_ready_before_the_first_list),
        cmocka_unit_test(test_K_69_a_standby_is_ready),
        cmocka_unit_test(test_K_69_without_the_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
