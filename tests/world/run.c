/* tests/world/run.c -- one world from its seed to its end: busy with users and faults, then quiet until all
 * is as wished and nothing moves any more. The same seed and settings give the same run. Called by main.c,
 * shrink.c, sieve.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/run.h"

#define QUIET_LIMIT_MS                                                                                       \
    (4 * 3600 * 1000)          /* backoff may reach 1000 s (kubernetes 32), an open attempt takes minutes */
#define STILL_MS  (400 * 1000) /* as wished, and no write for this long: stable */
#define STEPS_MAX 3000000u

static void step(struct world *world)
{
    int64_t tick = pod_next_ms(world);
    struct event *event = world->heap.count ? world->heap.items[0] : NULL;

    if (event && event->at <= tick) {
        event = heap_pop(&world->heap);
        if (event->at > world->now.boot_ms)
            world->now.boot_ms = event->at;
        world->now.wall_ms = WORLD_START_MS + world->now.boot_ms;
        if (!event->run(world, event)) {
            free(event->data);
            free(event);
        }
    } else {
        if (tick > world->now.boot_ms)
            world->now.boot_ms = tick;
        world->now.wall_ms = WORLD_START_MS + world->now.boot_ms;
        pod_tick(world);
    }
    world->steps++;
    leases_settle(world);
    packet_sim_settle(world->packet, world->now.wall_ms);
    check_watcher(world, false);
    uint64_t revision = kube_sim_revision(world->kube) - world->lease_revisions,
             commits = packet_sim_counters(world->packet)->commits;
    if (revision == world->last_revision && commits == world->last_commits)
        return;
    world->last_revision = revision;
    world->last_commits = commits;
    world->last_change_ms = world->now.boot_ms;
    check_step(world);
}

void world_run(struct world *world)
{
    char why[512] = "";

    while (!world->violation[0]) {
        step(world);
        if (world->steps > STEPS_MAX)
            world_violation(world, "never ends: %lu steps", world->steps);
        if (!world->quiet || world->now.boot_ms - world->last_change_ms < STILL_MS)
            continue;
        if (check_as_wished(world, why, sizeof why)) {
            check_watcher(world, true);
            return;
        }
        if (world->now.boot_ms > world->plan.busy_ms + QUIET_LIMIT_MS)
            world_violation(world, "not as wished long after all is quiet: %s", why);
    }
}

void world_open(struct world *world, uint64_t seed, const struct settings *settings)
{
    *world = (struct world){.seed = seed,
                            .rng = {seed},
                            .now = {.wall_ms = WORLD_START_MS},
                            .n_objects = settings->objects,
                            .tracing = settings->trace || settings->verbose,
                            .verbose = settings->verbose,
                            .script = settings->script};
    world->trace = x_calloc(WORLD_TRACE, sizeof *world->trace);
    for (unsigned i = 0; i < WORLD_OBJECTS; i++)
        world->unknown_at[i] = -1;
    plan_draw(world, settings);
    /* Each twentieth world is full, the others are small: more worlds find more than larger ones. Drawn in
     * any case, so that the rest of the world is the same with fewer objects. */
    unsigned drawn =
        rng_chance(&world->rng, 50)
            ? WORLD_OBJECTS
            : 1 + (unsigned)rng_below(&world->rng, world->plan.packet_rate ? 8 : 4); /* a crowd */
    if (!world->n_objects)
        world->n_objects = drawn;
    kube_start(world);
    leases_start(world);
    packet_start(world);
    if (settings->sieve)
        sieve_start(world, settings);
    else
        users_start(world);
    vandals_start(world);
    chaos_start(world);
    pod_start(world);
}

void world_close(struct world *world)
{
    if (world->tree)
        pod_free(world);
    heap_free(&world->heap);
    kube_sim_free(world->kube);
    packet_sim_free(world->packet);
    free(world->trace);
}
