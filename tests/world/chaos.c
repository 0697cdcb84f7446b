/* tests/world/chaos.c -- draws who is killed, who is stopped, and when the watch breaks, until all is quiet.
 */
#include "tests/world/coverage.h"
#include "tests/world/world.h"

#define CLOCK_STEP_MS 300000

static bool kill_somebody(struct world *world, struct event *event)
{
    if (world->quiet)
        return false;
    unsigned dice = (unsigned)rng_below(&world->rng, 100);
    if (dice < 8) {
        cover(world, FAULT_KILL_POD);
        script_kill(world, SUPERVISOR);
        pod_kill(world);
    } else if (dice < 35) {
        cover(world, FAULT_KILL_WATCHER);
        script_kill(world, WATCHER);
        proc_kill(world, proc_at(world, WATCHER, 0));
    } else if (dice < 62) {
        cover(world, FAULT_KILL_GATEWAY);
        script_kill(world, GATEWAY);
        proc_kill(world, proc_at(world, GATEWAY, 0));
    } else {
        struct proc *worker = proc_at(world, WORKER, rng_below(&world->rng, WORLD_WORKERS));
        cover_worker(world, worker, FAULT_KILL_WORKER);
        script_kill(world, WORKER);
        proc_kill(world, worker);
    }
    event_again(world, event, 1 + (int64_t)rng_below(&world->rng, 2 * world->plan.kill_every_ms));
    return true;
}

static bool stop_somebody(struct world *world, struct event *event)
{
    if (world->quiet)
        return false;
    struct proc *proc = &world->procs[rng_below(&world->rng, WORLD_PROCS)];
    /* Not one that is stopped: a shorter stop would let later frames overtake those that wait for it. */
    if (proc->alive && proc->stopped_until <= world->now.boot_ms) {
        if (proc->role == WORKER)
            cover_worker(world, proc, FAULT_STOP_WORKER);
        else
            cover(world, proc->role == WATCHER ? FAULT_STOP_WATCHER : FAULT_STOP_GATEWAY);
        proc->stopped_until = world->now.boot_ms + 1 + (int64_t)rng_below(&world->rng, 8000);
        world_trace(world, "STOP %s#%lu until %.3f", role_name(proc->role), proc->incarnation,
                    (double)proc->stopped_until / 1000.0);
    }
    event_again(world, event, 1 + (int64_t)rng_below(&world->rng, 2 * world->plan.stop_every_ms));
    return true;
}

static bool break_watch(struct world *world, struct event *event)
{
    if (world->quiet)
        return false;
    cover(world, FAULT_WATCH_BREAK);
    kube_watch_break(world);
    if (rng_chance(&world->rng, 100)) {
        cover(world, FAULT_WATCH_EXPIRED);
        kube_sim_compact(world->kube, kube_sim_revision(world->kube));
    }
    event_again(world, event, 1 + (int64_t)rng_below(&world->rng, 2 * world->plan.watch_break_every_ms));
    return true;
}

/* The pod's wall clock jumps, as one does that is set, or that comes out of a sleeping machine. */
static bool step_clock(struct world *world, struct event *event)
{
    if (world->quiet)
        return false;
    cover(world, FAULT_CLOCK);
    world->skew_ms = (int64_t)rng_below(&world->rng, 2 * CLOCK_STEP_MS) - CLOCK_STEP_MS;
    world_trace(world, "the pod's clock is %.3f s off", (double)world->skew_ms / 1000.0);
    event_again(world, event, 1 + (int64_t)rng_below(&world->rng, 2 * world->plan.clock_step_every_ms));
    return true;
}

static bool be_quiet(struct world *world, struct event *event)
{
    (void)event;
    world->quiet = true;
    world->skew_ms = 0;
    world_trace(world, "users and faults have ended");
    return false;
}

void chaos_start(struct world *world)
{
    if (world->plan.kill_every_ms)
        event_post(world, world->plan.kill_every_ms, kill_somebody);
    if (world->plan.stop_every_ms)
        event_post(world, world->plan.stop_every_ms, stop_somebody);
    if (world->plan.watch_break_every_ms)
        event_post(world, world->plan.watch_break_every_ms, break_watch);
    if (world->plan.clock_step_every_ms)
        event_post(world, world->plan.clock_step_every_ms, step_clock);
    event_post(world, world->plan.busy_ms, be_quiet);
}
