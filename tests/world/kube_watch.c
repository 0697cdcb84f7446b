/* tests/world/kube_watch.c -- the streams of a watcher: how they are opened, what comes through them, how
 * they break off. Called by pod.c and chaos.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/world.h"
#include "watcher/core/watcher.h"

static void watch_end(struct world *world, struct proc *proc, unsigned stream, int status, const char *body,
                      size_t len)
{
    kube_watch_stop(world, proc, stream);
    world_trace(world, "watch %u of watcher#%lu ends: %d", stream, proc->incarnation, status);
    watcher_core_watch_ended(proc->core, stream, status, body, len, -1, world_clock(world));
}

static bool open_now(struct world *world, struct event *event)
{
    static const char refused[] = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
                                  "\"message\":\"sendInitialEvents is forbidden for watch unless the "
                                  "WatchList "
                                  "feature gate is enabled\",\"reason\":\"Invalid\",\"code\":422}";
    struct proc *proc = proc_at(world, WATCHER, 0);
    struct sim_answer answer;

    switch (proc_due(world, proc, event->life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    if (event->a != proc->watch_id[event->b])
        return false;
    if (world->now.boot_ms < world->kube_gone_until) {
        event_again(world, event, world->kube_gone_until - world->now.boot_ms);
        return true;
    }
    if (!world->quiet && rng_chance(&world->rng, world->plan.kube_fault)) {
        watch_end(world, proc, (unsigned)event->b, 0, "", 0);
        return false;
    }
    if (world->plan.no_streams && strstr(event->text, "sendInitialEvents")) {
        watch_end(world, proc, (unsigned)event->b, 422, refused, sizeof refused - 1);
        return false;
    }
    char *query = strchr(event->text, '?');
    *query = '\0';
    struct sim_request request = {.method = "GET",
                                  .path = event->text,
                                  .query = query + 1,
                                  .token = "",
                                  .content_type = "",
                                  .accept = "application/json",
                                  .user_agent = "world",
                                  .body = ""};
    memset(&answer, 0, sizeof answer);
    struct kube_watch *opened = kube_sim_watch(world->kube, &request, world->now.wall_ms, &answer);
    proc->watch[event->b] = opened;
    if (!opened)
        watch_end(world, proc, (unsigned)event->b, answer.status, answer.body ? answer.body : "",
                  answer.body_len);
    else
        kube_pump_soon(world);
    sim_answer_clear(&answer);
    return false;
}

void kube_watch_open(struct world *world, struct proc *watcher, unsigned stream, const char *path)
{
    kube_watch_stop(world, watcher, stream);
    struct event *event = event_post(world, 2, open_now);
    event->life = watcher->life;
    event->a = watcher->watch_id[stream];
    event->b = stream;
    snprintf(event->text, sizeof event->text, "%s", path);
}

void kube_watch_stop(struct world *world, struct proc *watcher, unsigned stream)
{
    watcher->watch_id[stream]++;
    if (watcher->watch[stream])
        kube_watch_close(watcher->watch[stream], world->now.wall_ms);
    watcher->watch[stream] = NULL;
}

static void pump_one(struct world *world, struct proc *proc, unsigned stream)
{
    const char *line;
    size_t len;

    while (proc->alive && proc->watch[stream] && (line = kube_watch_next(proc->watch[stream], &len))) {
        char *copy = x_strndup(line, len); /* the core may cause writes, which move the line */
        world->steps++;
        sieve_boundary(world);
        watcher_core_event(proc->core, stream, copy, len, world_clock(world));
        free(copy);
        if (!world->quiet && proc->watch[stream] && rng_chance(&world->rng, world->plan.kube_fault / 8))
            watch_end(world, proc, stream, 0, "", 0);
    }
    struct kube_watch *watch = proc->watch[stream];
    if (watch && kube_watch_ended(watch, world->now.wall_ms))
        watch_end(world, proc, stream, 0, "", 0);
    else if (watch && (line = kube_watch_bookmark(watch, &len)) && rng_chance(&world->rng, 50)) {
        char *copy = x_strndup(line, len);
        watcher_core_event(proc->core, stream, copy, len, world_clock(world));
        free(copy);
    }
}

static bool pump(struct world *world, struct event *event)
{
    struct proc *proc = proc_at(world, WATCHER, 0);
    int64_t until =
        proc->stopped_until > world->kube_gone_until ? proc->stopped_until : world->kube_gone_until;

    if (!proc->alive)
        return false;
    if (until > world->now.boot_ms) {
        event_again(world, event, until - world->now.boot_ms);
        return true;
    }
    for (unsigned stream = 0; stream < WORLD_STREAMS; stream++)
        pump_one(world, proc, stream);
    return false;
}

void kube_pump_soon(struct world *world)
{
    int64_t lag = 1 + (int64_t)rng_below(&world->rng, 5);

    if (!world->quiet && rng_chance(&world->rng, world->plan.slow_frame))
        lag = (int64_t)rng_below(&world->rng, 4000);
    event_post(world, lag, pump);
}

void kube_watch_break(struct world *world)
{
    struct proc *proc = proc_at(world, WATCHER, 0);

    for (unsigned stream = 0; stream < WORLD_STREAMS; stream++)
        if (proc->alive && proc->watch[stream] && proc->stopped_until <= world->now.boot_ms)
            watch_end(world, proc, stream, 0, "", 0);
}
