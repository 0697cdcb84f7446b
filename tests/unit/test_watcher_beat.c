/* tests/unit/test_watcher_beat.c -- the watcher's numbers fit what the supervisor keeps of a beat, whatever
 * they are (kubernetes 37). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/tally.h"
#include "proto/value.h"
#include "supervisor/core/tree_state.h"
#include "tests/unit/test_watcher_fixture.h"
#include "watcher/access.h"
#include "watcher/beat.h"

/* What comes when all rows are taken is counted, and as nobody else's. */
static void test_K_37_a_tally_of_many(void **state)
{
    struct tally tally = {0};

    (void)state;
    for (int code = 1; code <= 100; code++)
        tally_add(&tally, "DELETE", code);
    tally_add(&tally, "DELETE", TALLY_ROWS - 1);
    assert_int_equal(tally.count, TALLY_ROWS);
    assert_string_equal(tally.rows[TALLY_ROWS - 2].text, "DELETE 47");
    assert_int_equal(tally.rows[TALLY_ROWS - 2].n, 2);
    assert_string_equal(tally.rows[TALLY_ROWS - 1].text, "<other> <other>");
    assert_int_equal(tally.rows[TALLY_ROWS - 1].n, 53);
}

static void test_K_37_the_largest_beat_is_kept(void **state)
{
    struct fx *fx = fx_running(false);
    static char host[300];
    struct access access = {.server = host};
    struct watcher_core *core = fx->core;
    struct pack p;

    (void)state;
    snprintf(host, sizeof host, "https://%0250d:65535", 7);
    for (unsigned i = 0; i < TALLY_ROWS; i++) {
        tally_add(&access.tally, "DELETEAL", (int)(100000 + i));
        access.tally.rows[i].n = UINT64_MAX / 2;
    }
    memset(&core->measures, 0x7f, sizeof core->measures);
    memset(&core->queue.waits, 0x7f, sizeof core->queue.waits);
    core->reflector.events = core->reflector.lists = core->reflector.watches = UINT64_MAX / 2;
    core->reflector.unreadable = core->jobs_started = core->jobs_failed = core->strikes = core->refused =
        UINT64_MAX / 2;
    core->lease.renewals = core->lease.failed = core->heartbeat.beats = core->queue.adds =
        core->queue.retries = UINT64_MAX / 2;
    pack_open(&p);
    beat_pack(&p, core, UINT64_MAX / 2, UINT64_MAX / 2, &access);
    assert_in_range(p.out.size, 2000, TREE_GAUGES_MAX - 600); /* an exec plugin's row comes to it */
    assert_int_equal(value_kind(pack_result(&p)), VALUE_MAP);
    pack_close(&p);
    fx_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_37_a_tally_of_many),
        cmocka_unit_test(test_K_37_the_largest_beat_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
