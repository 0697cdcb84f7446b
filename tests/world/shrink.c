/* tests/world/shrink.c -- makes a failing world small: fewer objects, fewer kinds of faults, a shorter time,
 * as long as it still fails; then prints how it came. Called by main.c. */
#include <stdio.h>

#include "tests/world/run.h"

#define LEAST_BUSY_MS 1000
#define RUNS_MAX      200u

static bool fails(uint64_t seed, const struct settings *settings, unsigned *runs)
{
    struct world world;

    if (++*runs > RUNS_MAX)
        return false;
    world_open(&world, seed, settings);
    world_run(&world);
    bool failed = world.violation[0] != '\0';
    world_close(&world);
    return failed;
}

static struct settings shrink(uint64_t seed, struct settings small, unsigned objects, int64_t busy_ms,
                              unsigned *runs)
{
    for (unsigned n = 1; n < objects; n++) {
        struct settings fewer = small;
        fewer.objects = n;
        if (fails(seed, &fewer, runs)) {
            small = fewer;
            break;
        }
    }
    for (unsigned n = 0; plan_feature(n); n++) {
        struct settings fewer = small;
        fewer.off |= UINT64_C(1) << n;
        if (fewer.off != small.off && fails(seed, &fewer, runs))
            small = fewer;
    }
    for (int64_t ms = busy_ms / 2; ms >= LEAST_BUSY_MS; ms /= 2) {
        struct settings shorter = small;
        shorter.busy_ms = ms;
        if (fails(seed, &shorter, runs))
            small = shorter;
    }
    return small;
}

static void print(const struct world *world, const struct settings *settings)
{
    const char *comma = "";

    world_print_trace(world);
    printf("seed %lu, %u objects, with", world->seed, world->n_objects);
    for (unsigned n = 0; plan_feature(n); n++)
        if (plan_has(world, n))
            printf(" %s", plan_feature(n));
    printf(": %s\nagain: world --first %lu --seeds 1 --objects %u --busy-ms %ld --off ", world->violation,
           world->seed, world->n_objects, (long)world->plan.busy_ms);
    for (unsigned n = 0; plan_feature(n); n++)
        if (settings->off >> n & 1) {
            printf("%s%s", comma, plan_feature(n));
            comma = ",";
        }
    printf("\n");
}

void shrink_print(uint64_t seed, const struct settings *settings)
{
    struct world world;
    unsigned runs = 0;

    world_open(&world, seed, settings);
    unsigned objects = world.n_objects;
    int64_t busy_ms = world.plan.busy_ms;
    world_close(&world);
    struct settings small = shrink(seed, *settings, objects, busy_ms, &runs);
    small.trace = true;
    world_open(&world, seed, &small);
    world_run(&world);
    print(&world, &small);
    world_close(&world);
}
