/* tests/unit/test_watcher_exec_rig.h -- a plugin with its helper on a loop, and what a listener hears. Used
 * by the tests of exec_plugin.c. */
#ifndef TESTS_UNIT_TEST_WATCHER_EXEC_RIG_H
#define TESTS_UNIT_TEST_WATCHER_EXEC_RIG_H

#include "base/clock.h"
#include "tests/unit/test_watcher_exec.h"
#include "watcher/exec_plugin.h"

#define ENOUGH_MS 30000 /* a test that takes longer hangs */

struct rig {
    struct access access;
    struct exec_helper helper;
    struct exec_plugin *plugin;
    zloop_t *loop;
    unsigned heard, good, wanted;
    char error[1024];
};

static inline void on_heard(void *ctx, const char *error)
{
    struct rig *rig = ctx;

    rig->heard++;
    rig->good += error == NULL;
    snprintf(rig->error, sizeof rig->error, "%s", error ? error : "");
}

static inline int on_look(zloop_t *loop, int timer, void *arg)
{
    struct rig *rig = arg;

    (void)loop;
    (void)timer;
    return rig->heard >= rig->wanted ? -1 : 0;
}

static inline int on_hang(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    (void)arg;
    return -1;
}

/* Until so many runs have ended. */
static inline void run_until(struct rig *rig, unsigned wanted)
{
    rig->wanted = wanted;
    int look = zloop_timer(rig->loop, 2, 0, on_look, rig),
        hang = zloop_timer(rig->loop, ENOUGH_MS, 1, on_hang, rig);

    zloop_start(rig->loop);
    zloop_timer_end(rig->loop, look);
    zloop_timer_end(rig->loop, hang);
    assert_int_equal(rig->heard, wanted);
}

/* more: further members of exec; the plugin may take within_ms. */
static inline void rig_start(struct rig *rig, const char *plugin, const char *more, int64_t within_ms)
{
    char *runs = in_folder("runs");

    unlink(runs);
    free(runs);
    write_plugin(plugin);
    find_plugin(&rig->access, more);
    assert_int_equal(exec_helper_start(&rig->helper, rig->access.exec, within_ms), 0);
    rig->loop = zloop_new();
    zloop_set_nonstop(rig->loop, true);
    rig->plugin = exec_plugin_new(rig->loop, &rig->access, &rig->helper);
    assert_non_null(rig->plugin);
    exec_plugin_listen(rig->plugin, on_heard, rig);
}

/* One run, and what it came to. */
static inline void rig_run(struct rig *rig)
{
    assert_false(exec_plugin_ready(rig->plugin));
    run_until(rig, rig->heard + 1);
}

static inline int rig_open(void **state)
{
    struct rig *rig = x_calloc(1, sizeof *rig);

    zsys_handler_set(NULL);
    rig->helper.fd = -1;
    *state = rig;
    return 0;
}

static inline int rig_close(void **state)
{
    struct rig *rig = *state;

    exec_plugin_free(rig->plugin);
    exec_helper_end(&rig->helper);
    zloop_destroy(&rig->loop);
    access_clear(&rig->access);
    free(rig);
    return 0;
}

#endif
