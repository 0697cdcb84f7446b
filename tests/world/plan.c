/* tests/world/plan.c -- draws what kind of world a seed gives: which faults, how often, who else is there.
 * Called by main.c. */
#include <stddef.h>
#include <string.h>

#include "tests/world/run.h"

static const struct feature {
    const char *name;
    size_t at, size;
} features[] = {
#define FEATURE(name)                                                                                        \
    {                                                                                                        \
#name, offsetof(struct plan, name), sizeof(((struct plan *)0)->name)                                 \
    }
    FEATURE(kube_fault),
    FEATURE(kube_twice),
    FEATURE(packet_fault),
    FEATURE(packet_slow),
    FEATURE(packet_out_ms),
    FEATURE(slow_frame),
    FEATURE(kill_every_ms),
    FEATURE(stop_every_ms),
    FEATURE(watch_break_every_ms),
    FEATURE(rival),
    FEATURE(outage_every_ms),
    FEATURE(freeze_every_ms),
    FEATURE(leases),
    FEATURE(pod_identity),
    FEATURE(no_streams),
    FEATURE(slow_connect),
    FEATURE(list_lag_ms),
    FEATURE(packet_rate),
    FEATURE(packet_tells),
    FEATURE(moves),
    FEATURE(twins),
    FEATURE(other_project),
    FEATURE(vandal_every_ms),
    FEATURE(check_every_ms),
    FEATURE(quarantine_after),
    FEATURE(clock_step_every_ms),
    FEATURE(crash_loop),
    FEATURE(rogue),
    FEATURE(ignore_operation),
#undef FEATURE
};
#define FEATURES (sizeof features / sizeof features[0])

const char *plan_feature(unsigned n)
{
    return n < FEATURES ? features[n].name : NULL;
}

bool plan_has(const struct world *world, unsigned n)
{
    const char *member = (const char *)&world->plan + features[n].at;

    for (size_t i = 0; i < features[n].size; i++)
        if (member[i])
            return true;
    return false;
}

static unsigned one_of(struct rng *rng, unsigned a, unsigned b, unsigned c)
{
    return (unsigned[]){a, b, c}[rng_below(rng, 3)];
}

/* From numbers of its own, so that the rest of a world does not change with it. */
static void draw_more(struct world *world)
{
    struct rng rng = {world->seed * UINT64_C(0x9e3779b97f4a7c15) + 17};
    struct plan *plan = &world->plan;

    plan->moves = !plan->ignore_operation && rng_chance(&rng, 400);
    plan->twins = rng_chance(&rng, 250);
    plan->other_project = rng_chance(&rng, 200);
    plan->check_every_ms = rng_chance(&rng, 300) ? 20000 : 0;
    plan->vandal_every_ms = plan->check_every_ms ? one_of(&rng, 0, 2000, 6000) : 0;
    plan->clock_step_every_ms = rng_chance(&rng, 200) ? 4000 : 0;
    plan->crash_loop = rng_chance(&rng, 100);
    plan->rogue = rng_chance(&rng, 200);
    plan->quarantine_after = rng_chance(&rng, 500) ? 1 + (unsigned)rng_below(&rng, 3) : 0;
}

void plan_draw(struct world *world, const struct settings *settings)
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
                      .no_streams = world->seed % 4 == 3,
                      .busy_ms = 5000 + (int64_t)rng_below(rng, 20000)};
    leases_plan(world);
    draw_more(world);
    for (unsigned n = 0; n < FEATURES; n++)
        if (settings->off >> n & 1 || settings->sieve)
            memset((char *)&world->plan + features[n].at, 0, features[n].size);
    if (settings->busy_ms)
        world->plan.busy_ms = settings->busy_ms;
}
