/* tests/world/main.c -- runs worlds, one for each seed: busy with users and faults, then quiet until all is
 * as wished and nothing moves any more. Prints a failing seed with the way to it; the same seed gives the
 * same run. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "tests/world/world.h"

#define QUIET_LIMIT_MS                                                                                       \
    (4 * 3600 * 1000)          /* backoff may reach 1000 s (kubernetes 32), an open attempt takes minutes */
#define STILL_MS  (400 * 1000) /* as wished, and no write for this long: stable */
#define STEPS_MAX 3000000u

struct options {
    uint64_t first, seeds;
    unsigned objects;
    bool trace, expect_violation, verbose;
};

struct totals {
    uint64_t worlds, steps, kills, posts, stale, comes, losses;
    double virtual_hours;
};

static unsigned one_of(struct rng *rng, unsigned a, unsigned b, unsigned c)
{
    return (unsigned[]){a, b, c}[rng_below(rng, 3)];
}

static void draw_plan(struct world *world)
{
    struct rng *rng = &world->rng;

    world->plan =
        (struct plan){.ignore_operation = rng_chance(rng, 500),
                      .kube_fault = one_of(rng, 0, 20, 80),
                      .kube_twice = one_of(rng, 0, 20, 60),
                      .packet_fault = one_of(rng, 0, 60, 250),
                      .packet_slow = one_of(rng, 0, 20, 200),
                      .packet_out_ms = rng_chance(rng, 150) ? 3000 + (unsigned)rng_below(rng, 17000) : 0,
                      .slow_frame = one_of(rng, 0, 5, 30),
                      .kill_every_ms = one_of(rng, 0, 1000, 4000),
                      .stop_every_ms = one_of(rng, 0, 0, 5000),
                      .watch_break_every_ms = one_of(rng, 0, 2000, 15000),
                      .list_lag_ms = one_of(rng, 0, 0, 1500),
                      .packet_rate = rng_chance(rng, 250) ? 1 + (unsigned)rng_below(rng, 3) : 0,
                      .packet_tells = rng_chance(rng, 500),
                      .busy_ms = 5000 + (int64_t)rng_below(rng, 20000)};
    leases_plan(world);
}

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
    uint64_t revision = kube_sim_revision(world->kube) - world->lease_revisions,
             commits = packet_sim_counters(world->packet)->commits;
    if (revision == world->last_revision && commits == world->last_commits)
        return;
    world->last_revision = revision;
    world->last_commits = commits;
    world->last_change_ms = world->now.boot_ms;
    check_step(world);
}

static void run(struct world *world)
{
    char why[512] = "";

    while (!world->violation[0]) {
        step(world);
        if (world->steps > STEPS_MAX)
            world_violation(world, "never ends: %lu steps", world->steps);
        if (!world->quiet || world->now.boot_ms - world->last_change_ms < STILL_MS)
            continue;
        if (check_as_wished(world, why, sizeof why))
            return;
        if (world->now.boot_ms > world->plan.busy_ms + QUIET_LIMIT_MS)
            world_violation(world, "not as wished long after all is quiet: %s", why);
    }
}

static void world_open(struct world *world, uint64_t seed, const struct options *options)
{
    *world = (struct world){.seed = seed,
                            .rng = {seed},
                            .now = {.wall_ms = WORLD_START_MS},
                            .n_objects = options->objects,
                            .verbose = options->verbose};
    world->trace = x_calloc(WORLD_TRACE, sizeof *world->trace);
    for (unsigned i = 0; i < WORLD_OBJECTS; i++)
        world->unknown_at[i] = -1;
    draw_plan(world);
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
    users_start(world);
    chaos_start(world);
    pod_start(world);
}

static void world_close(struct world *world)
{
    if (world->tree)
        pod_free(world);
    heap_free(&world->heap);
    kube_sim_free(world->kube);
    packet_sim_free(world->packet);
    free(world->trace);
}

static void print_failure(const struct world *world)
{
    unsigned lines = world->trace_next < WORLD_TRACE ? world->trace_next : WORLD_TRACE;

    for (unsigned i = world->trace_next - lines; i < world->trace_next; i++)
        printf("%s\n", world->trace[i % WORLD_TRACE]);
    printf("seed %lu, %u objects: %s\nagain: world --first %lu --seeds 1 --objects %u\n", world->seed,
           world->n_objects, world->violation, world->seed, world->n_objects);
}

/* Returns whether the seed went well. Of a failing one the smallest number of objects that still fails is
 * shown. */
static bool run_seed(uint64_t seed, struct options options, struct totals *totals)
{
    struct world world;

    world_open(&world, seed, &options);
    run(&world);
    totals->worlds++;
    totals->steps += world.steps;
    totals->kills += world.kills;
    totals->posts += world.posts;
    totals->stale += world.stale_frames;
    totals->comes += world.comes;
    totals->losses += world.losses;
    totals->virtual_hours += (double)world.now.boot_ms / 3600000.0;
    bool failed = world.violation[0] != '\0';
    if (failed && options.trace) {
        for (unsigned fewer = 1; fewer < world.n_objects; fewer++) {
            struct options small = options;
            struct world less;
            small.objects = fewer;
            world_open(&less, seed, &small);
            run(&less);
            bool fails_too = less.violation[0] != '\0';
            if (fails_too)
                print_failure(&less);
            world_close(&less);
            if (fails_too)
                goto out;
        }
        print_failure(&world);
    } else if (failed) {
        printf("seed %lu: %s\n", seed, world.violation); /* the trace is out already, or nobody wants it */
    }
out:
    world_close(&world);
    return !failed;
}

static void parse(int argc, char **argv, struct options *options)
{
    static const struct option flags[] = {{"first", 1, NULL, 'f'},   {"seeds", 1, NULL, 'n'},
                                          {"objects", 1, NULL, 'o'}, {"verbose", 0, NULL, 'v'},
                                          {"help", 0, NULL, 'h'},    {"expect-violation", 0, NULL, 'x'},
                                          {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        switch (c) {
        case 'f': options->first = strtoull(optarg, NULL, 10); break;
        case 'n': options->seeds = strtoull(optarg, NULL, 10); break;
        case 'o': options->objects = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'v': options->verbose = true; break;
        case 'x': options->expect_violation = true; break;
        default:
            printf("world: the whole tree in one program, on a virtual clock, from a seed\n\n"
                   "  --first N             first seed (1)\n  --seeds N             how many (100)\n"
                   "  --objects N           Infrastructure objects in each world, up to %u (drawn from the "
                   "seed)\n"
                   "  --expect-violation    end 0 at the first violation, 1 when there is none\n"
                   "  --verbose             print every line of the trace as it comes\n",
                   WORLD_OBJECTS);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (options->objects > WORLD_OBJECTS)
        options->objects = WORLD_OBJECTS;
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 100, .trace = true};
    struct totals totals = {0};
    struct timespec start, end;

    parse(argc, argv, &options);
    options.trace = !options.expect_violation && !options.verbose;
    log_open("world", options.verbose ? LEVEL_INFO : LEVEL_ERROR, true);
    log_set_level(options.verbose ? LEVEL_DEBUG : LEVEL_ERROR);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t seed = options.first; seed < options.first + options.seeds; seed++) {
        if (run_seed(seed, options, &totals))
            continue;
        if (options.expect_violation) {
            printf("found with seed %lu\n", seed);
            return 0;
        }
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    printf("%lu worlds, %.1f virtual hours (%.2f each second), %lu steps, %lu kills, %lu POSTs, %lu objects "
           "called in, %lu stale frames dropped, %lu leaderships lost: "
           "no violation\n",
           totals.worlds, totals.virtual_hours, totals.virtual_hours / seconds, totals.steps, totals.kills,
           totals.posts, totals.comes, totals.stale, totals.losses);
    return options.expect_violation ? 1 : 0;
}
