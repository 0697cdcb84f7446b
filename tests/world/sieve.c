/* tests/world/sieve.c -- Sieve's three patterns (OSDI '22) at every message boundary: one object lives its
 * whole life (created, rotated, without a key, with one again, moved, deleted, made again), and when the n-th
 * message arrives a process is killed, or the watch misses what happens, or it shows what was. Called by
 * run.c and main.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/run.h"
#include "worker/core/worker.h"

#define LOOK_MS     200
#define GAP_MS      3000
#define PATIENCE_MS 600000
#define AGAIN                                                                                                \
    "{\"verb\":\"watch\",\"resource\":\"infrastructures\",\"action\":\"replay\",\"lag\":12,\"count\":1}"

static const char *const names[] = {"none",         "kill the watcher", "kill the gateway", "kill the worker",
                                    "kill the pod", "an unseen change", "an old view",      "a late view"};

/* ---- the life ---- */
static bool is_settled(const struct world *world)
{
    const struct wish *wish = &world->wishes[0];
    const json_t *object = object_stored(world, 0);

    if (!wish->exists)
        return object == NULL;
    return !wish->moving && strcmp(object_last(world, 0, "state"), "Succeeded") == 0 &&
           !object_is_annotated(object) && object_is_observed(object);
}

static void live_on(struct world *world)
{
    switch (world->sieve.stage++) {
    case 0: user_create(world, 0, 1); return;
    case 1: user_set_key(world, 0, 2); return;
    case 2: user_set_key(world, 0, 0); return;
    case 3: user_set_key(world, 0, 3); return;
    case 4: moves_begin(world, 0); return;
    case 5: user_set_key(world, 0, 4); return;
    case 6: user_delete(world, 0); return;
    case 7: user_create(world, 0, 5); return;
    default: world->quiet = true; return;
    }
}

static bool live(struct world *world, struct event *event)
{
    if (is_settled(world)) {
        live_on(world);
        event->a = (uint64_t)world->now.boot_ms;
    } else if (world->now.boot_ms - (int64_t)event->a > PATIENCE_MS && !world->wishes[0].moving) {
        user_ask_again(world, 0); /* gardener 6.2: the case that is left to gardenlet's patience */
        event->a = (uint64_t)world->now.boot_ms;
    }
    if (world->quiet)
        return false;
    event_again(world, event, LOOK_MS);
    return true;
}

/* ---- what happens at the boundary ---- */
static void miss(struct world *world, bool lost)
{
    kube_watch_break(world);
    world->kube_gone_until = world->now.boot_ms + GAP_MS;
    if (!world->wishes[0].moving && world->wishes[0].exists && world->sieve.stage < 6)
        live_on(world);
    if (lost)
        kube_sim_compact(world->kube, kube_sim_revision(world->kube));
}

static void see_again(struct world *world)
{
    json_t *rule = json_loads(AGAIN, 0, NULL);

    if (kube_sim_add_fault(world->kube, rule, world->now.wall_ms) != 0)
        world_violation(world, "the simulator does not know the rule");
    json_decref(rule);
    kube_watch_break(world);
}

static void kill_worker(struct world *world)
{
    struct proc *worker = proc_at(world, WORKER, 0);

    for (uint64_t slot = 0; slot < WORLD_WORKERS; slot++) {
        struct proc *proc = proc_at(world, WORKER, slot);
        if (proc->alive && proc->ready && worker_core_busy(proc->core))
            worker = proc;
    }
    proc_kill(world, worker);
}

static bool happen(struct world *world, struct event *event)
{
    world_trace(world, "SIEVE %s at boundary %lu", names[event->a], world->sieve.at);
    switch ((enum sieve_pattern)event->a) {
    case SIEVE_KILL_WATCHER: proc_kill(world, proc_at(world, WATCHER, 0)); break;
    case SIEVE_KILL_GATEWAY: proc_kill(world, proc_at(world, GATEWAY, 0)); break;
    case SIEVE_KILL_WORKER: kill_worker(world); break;
    case SIEVE_KILL_POD: pod_kill(world); break;
    case SIEVE_UNOBSERVED: miss(world, true); break;
    case SIEVE_STALE: see_again(world); break;
    case SIEVE_LATE: miss(world, false); break;
    case SIEVE_NONE:
    case SIEVE_PATTERNS: break;
    }
    return false;
}

void sieve_boundary(struct world *world)
{
    if (world->sieve.on && !world->quiet && ++world->sieve.count == world->sieve.at)
        event_post(world, 0, happen)->a = world->sieve.pattern;
}

void sieve_start(struct world *world, const struct settings *settings)
{
    world->sieve = (struct sieve){.on = true, .at = settings->boundary, .pattern = settings->pattern};
    world->plan.busy_ms = INT64_MAX / 4; /* quiet comes when the life is over */
    users_surroundings(world, 0);
    event_post(world, LOOK_MS, live);
}

/* ---- all of them ---- */
static bool run_one(uint64_t boundary, enum sieve_pattern pattern, bool verbose, uint64_t *count)
{
    struct settings settings = {.objects = 1,
                                .sieve = true,
                                .pattern = pattern,
                                .boundary = boundary,
                                .trace = true,
                                .verbose = verbose};
    struct world world;

    world_open(&world, 1, &settings);
    world_run(&world);
    bool well = world.violation[0] == '\0';
    if (!well) {
        world_print_trace(&world);
        printf("%s at boundary %lu: %s\n", names[pattern], boundary, world.violation);
    }
    *count = world.sieve.count;
    world_close(&world);
    return well;
}

bool sieve_all(bool verbose)
{
    uint64_t boundaries = 0, ignored;

    if (!run_one(0, SIEVE_NONE, verbose, &boundaries))
        return false;
    for (uint64_t at = 1; at <= boundaries; at++)
        for (enum sieve_pattern pattern = SIEVE_NONE + 1; pattern < SIEVE_PATTERNS; pattern++)
            if (!run_one(at, pattern, false, &ignored))
                return false;
    printf("%lu message boundaries x %d patterns: no violation\n", boundaries, SIEVE_PATTERNS - 1);
    return true;
}
