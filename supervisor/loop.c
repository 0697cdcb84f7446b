/* supervisor/loop.c -- the supervisor's main loop: frames of children, requests of packetctl, signals, and
 * one timer for the tree's next deadline. With nothing to do it sleeps. Called by main.c. */
#include <stdlib.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

static void tell_readiness(struct supervisor *s)
{
    bool ready = tree_ready(s->tree);

    if (ready == s->was_ready)
        return;
    s->was_ready = ready;
    if (ready)
        log_info("all processes are ready", F_INT("uptimeMs", clock_now().boot_ms - s->started.boot_ms));
    else if (s->stop_requests == 0)
        log_warn("not all processes are ready", F_INT("uptimeMs", clock_now().boot_ms - s->started.boot_ms));
}

static int on_timer(zloop_t *loop, int timer_id, void *arg)
{
    struct supervisor *s = arg;

    (void)loop;
    (void)timer_id;
    s->timer = -1;
    tree_tick(s->tree, clock_now());
    return loop_end_turn(s);
}

/* Deadlines mostly move away with every beat: a timer that rings too early only looks and is set anew, so it
 * is touched only when something is due before it. */
static void set_timer(struct supervisor *s)
{
    int64_t next = tree_next_ms(s->tree), now = clock_now().boot_ms;

    if (next == INT64_MAX || (s->timer >= 0 && s->timer_ms <= next))
        return;
    if (s->timer >= 0)
        zloop_timer_end(s->loop, s->timer);
    s->timer_ms = next > now ? next : now;
    s->timer = zloop_timer(s->loop, (size_t)(s->timer_ms - now), 1, on_timer, s);
}

int loop_end_turn(struct supervisor *s)
{
    if (s->over || tree_finished(s->tree, &s->exit_code))
        return -1;
    tell_readiness(s);
    set_timer(s);
    return 0;
}

void loop_stop(struct supervisor *s, const char *who)
{
    if (++s->stop_requests == 1) {
        log_info("stopping in order", F_STR("asked", who), F_INT("withinMs", STOP_ALL_MS));
        tree_stop(s->tree, clock_now());
        return;
    }
    log_warn("asked to stop again: ending at once", F_STR("asked", who));
    s->exit_code = 1;
    s->over = true;
}

int loop_run(struct supervisor *s)
{
    zmq_pollitem_t signals = {.fd = s->signals, .events = ZMQ_POLLIN};

    s->timer = -1;
    s->loop = zloop_new();
    zloop_set_nonstop(s->loop, true); /* only our own handlers end it */
    zloop_reader(s->loop, s->bus.sock, children_on_frame, s);
    zloop_reader_set_tolerant(s->loop, s->bus.sock);
    zloop_poller(s->loop, &signals, reap_on_signal, s);
    clients_begin(s);

    tree_start(s->tree, clock_now());
    if (loop_end_turn(s) == 0)
        zloop_start(s->loop);
    zloop_destroy(&s->loop);
    return s->exit_code;
}
