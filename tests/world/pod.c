/* tests/world/pod.c -- one pod: the supervisor's tree and the cores of its children, born, introduced, killed
 * and reaped as the shells would do it. Decides nothing that a core decides. Called by main.c, net.c and
 * chaos.c. */
#include "tests/world/pod.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "packet-gateway/core/gateway.h"
#include "supervisor/core/tree.h"
#include "watcher/core/watcher.h"
#include "worker/core/worker.h"

#define START_SKEW_MS 1000
#define BEAT_WORLD_MS (2 * BEAT_EVERY_MS) /* seldom, for speed, and often enough for the watchdog */

struct proc *proc_at(struct world *world, unsigned role, uint64_t slot)
{
    return &world->procs[role == WATCHER ? 0 : role == GATEWAY ? 1 : 2 + slot];
}

enum due proc_due(struct world *world, const struct proc *proc, uint64_t life, struct event *event)
{
    if (proc->life != life || !proc->alive)
        return DUE_NEVER;
    if (proc->stopped_until <= world->now.boot_ms)
        return DUE_NOW;
    event_again(world, event, proc->stopped_until - world->now.boot_ms);
    return DUE_LATER;
}

/* ---- birth ---- */
static void proc_event(struct world *world, const struct proc *proc, int64_t delay_ms,
                       bool (*run)(struct world *, struct event *))
{
    struct event *event = event_post(world, delay_ms, run);

    event->a = proc->role;
    event->b = proc->slot;
    event->life = proc->life;
}

static bool proc_beat(struct world *world, struct event *event)
{
    struct proc *proc = proc_at(world, (unsigned)event->a, event->b);

    switch (proc_due(world, proc, event->life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    net_send(world, proc->role, proc->slot, proc->incarnation, SUPERVISOR, 0, SUPERVISOR_INCARNATION,
             MSG_BEAT, &(struct msg_beat){.doing = SPAN("working")}, NULL);
    event_again(world, event, BEAT_WORLD_MS);
    return true;
}

static bool proc_born(struct world *world, struct event *event)
{
    struct proc *proc = proc_at(world, (unsigned)event->a, event->b);

    switch (proc_due(world, proc, event->life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    if (proc->role != WORKER && world->plan.crash_loop && !world->quiet && rng_chance(&world->rng, 650)) {
        proc_kill(world, proc);
        return false;
    }
    proc->core = core_new(world, proc);
    proc->ready = true;
    net_send(world, proc->role, proc->slot, proc->incarnation, SUPERVISOR, 0, SUPERVISOR_INCARNATION,
             MSG_READY, &(struct msg_ready){.version = SPAN("world")}, NULL);
    proc_event(world, proc, BEAT_WORLD_MS, proc_beat);
    return false;
}

/* Its predecessor's workers are dead and reaped before a watcher is started (design 2, 12.3): a signal alone
 * proves nothing. */
static void check_orphans(struct world *world, uint64_t incarnation)
{
    if (world->unreaped > 0)
        world_violation(world, "watcher#%lu is started while %u old workers are not reaped", incarnation,
                        world->unreaped);
}

static int64_t tree_spawn(void *ctx, unsigned role, uint64_t slot, uint64_t incarnation)
{
    struct world *world = ctx;
    struct proc *proc = proc_at(world, role, slot);

    if (!world->quiet && rng_chance(&world->rng, 10))
        return -1; /* EAGAIN of fork */
    if (proc->alive) {
        world_violation(world, "%s %lu is started while its predecessor runs", role_name(role), slot);
        return -1;
    }
    if (role == WATCHER)
        check_orphans(world, incarnation);
    *proc = (struct proc){.world = world,
                          .role = role,
                          .slot = slot,
                          .life = proc->life + 1,
                          .alive = true,
                          .incarnation = incarnation,
                          .pid = ++world->next_pid};
    proc_event(world, proc, 2 + (int64_t)rng_below(&world->rng, 8), proc_born);
    if (role == WATCHER)
        world->deaths = 0;
    world_trace(world, "start %s#%lu", role_name(role), incarnation);
    return proc->pid;
}

/* ---- death ---- */
static bool proc_reap(struct world *world, struct event *event)
{
    if (event->life == world->pod_life && world->frozen_until > world->now.boot_ms) {
        event_again(world, event, world->frozen_until - world->now.boot_ms);
        return true;
    }
    if (event->life != world->pod_life)
        return false;
    world->unreaped -= (unsigned)event->c;
    tree_reaped(world->tree, (int64_t)event->a, (int)event->b, world_clock(world));
    return false;
}

void proc_end(struct world *world, struct proc *proc, int status)
{
    if (!proc->alive)
        return;
    world->deaths += proc->role == WORKER;
    core_free(proc);
    proc->alive = proc->ready = false;
    proc->life++;
    struct event *reap = event_post(world, (int64_t)rng_below(&world->rng, 3), proc_reap);
    reap->a = (uint64_t)proc->pid;
    reap->b = (uint64_t)status;
    reap->c = proc->role == WORKER;
    world->unreaped += proc->role == WORKER;
    reap->life = world->pod_life;
}

void proc_kill(struct world *world, struct proc *proc)
{
    if (!proc->alive)
        return;
    world_trace(world, "KILL %s#%lu", role_name(proc->role), proc->incarnation);
    world->kills++;
    proc_end(world, proc, SIGKILL);
}

static void tree_kill(void *ctx, int64_t pid, int signo)
{
    struct world *world = ctx;
    bool alone = proc_at(world, WATCHER, 0)->alive && proc_at(world, GATEWAY, 0)->alive;
    uint64_t deaths = world->deaths;

    for (unsigned i = 0; i < WORLD_PROCS; i++)
        if (world->procs[i].alive && world->procs[i].pid == pid) {
            world_trace(world, "supervisor signals %s#%lu with %d", role_name(world->procs[i].role),
                        world->procs[i].incarnation, signo);
            proc_end(world, &world->procs[i], signo);
        }
    if (!alone) /* it had to go with another */
        world->deaths = deaths;
}

/* ---- messages that a shell handles beside its core ---- */
static void core_message(struct world *world, struct proc *proc, unsigned from_role, uint64_t from,
                         const struct message *m)
{
    if (proc->role == GATEWAY)
        reads_asked(world, from, m);
    if (m->spec->id == MSG_JOB) {
        proc->job = m->body.job.job;
        proc->handle = m->body.job.handle;
        proc->epoch = m->envelope.epoch;
        span_copy(m->body.job.ns, proc->ns, sizeof proc->ns);
        rogue_job(world, proc);
    }
    if (proc->role == WORKER)
        worker_core_message(proc->core, from_role, m, world_clock(world));
    else if (proc->role == GATEWAY)
        gateway_core_message(proc->core, from_role, from, m, world_clock(world));
    else
        watcher_core_message(proc->core, from_role, from, m, world_clock(world));
}

void pod_deliver(struct world *world, struct proc *proc, unsigned from_role, uint64_t from,
                 const struct message *message)
{
    const union msg_body *body = &message->body;

    world->steps++;
    sieve_boundary(world);
    if (message->spec->id == MSG_PEER) {
        proc_peer_add(proc, body->peer.incarnation, (unsigned)body->peer.role, body->peer.slot);
        core_message(world, proc, from_role, from, message);
        net_send(world, proc->role, proc->slot, proc->incarnation, SUPERVISOR, 0, SUPERVISOR_INCARNATION,
                 MSG_PEER_OK, &(struct msg_peer_ok){body->peer.incarnation}, NULL);
        return;
    }
    core_message(world, proc, from_role, from, message);
    if (message->spec->id == MSG_PEER_GONE)
        for (unsigned i = 0; i < proc->n_peers; i++)
            if (proc->peers[i].incarnation == body->peer_gone.incarnation)
                proc->peers[i] = proc->peers[--proc->n_peers];
}

void pod_deliver_supervisor(struct world *world, unsigned from_role, uint64_t from,
                            const struct message *message)
{
    world->steps++;
    for (unsigned i = 0; i < WORLD_PROCS; i++)
        if (world->procs[i].alive && world->procs[i].incarnation == from)
            tree_message(world->tree, from_role, from, message, world_clock(world));
}

static void tree_send(void *ctx, uint64_t to, enum msg_id id, const void *body)
{
    struct world *world = ctx;

    for (unsigned i = 0; i < WORLD_PROCS; i++) {
        struct proc *proc = &world->procs[i];
        if (proc->alive && proc->incarnation == to)
            net_send(world, SUPERVISOR, 0, SUPERVISOR_INCARNATION, proc->role, proc->slot, to, id, body,
                     NULL);
    }
}

/* ---- the pod ---- */
void pod_start(struct world *world)
{
    struct tree_config config = {.workers = WORLD_WORKERS, .seed = rng_next(&world->rng)};
    struct tree_ops ops = {world, tree_spawn, tree_kill, tree_send};

    world->pod_life++;
    world->unreaped = 0;
    world->frozen_until = 0;
    if (world->plan.clock_step_every_ms && !world->quiet) /* nodes agree that well when pods start */
        world->skew_ms = (int64_t)rng_below(&world->rng, 2 * START_SKEW_MS) - START_SKEW_MS;
    world->started_skew_ms = world->skew_ms;
    leases_identity(world);
    world->tree = tree_new(&config, &ops, world_clock(world));
    tree_start(world->tree, world_clock(world));
}

void pod_free(struct world *world)
{
    for (unsigned i = 0; i < WORLD_PROCS; i++) {
        core_free(&world->procs[i]);
        world->procs[i].alive = world->procs[i].ready = false;
        world->procs[i].life++;
    }
    tree_free(world->tree);
    world->tree = NULL;
}

static bool pod_again(struct world *world, struct event *event)
{
    (void)event;
    pod_start(world);
    return false;
}

void pod_kill(struct world *world)
{
    if (!world->tree)
        return;
    world_trace(world, "KILL the supervisor, and with it the pod");
    world->kills++;
    pod_free(world);
    world->pod_life++;
    world->unreaped = 0;
    event_post(world, 1000, pod_again);
}

static int64_t proc_next_ms(const struct proc *proc)
{
    int64_t next;

    if (!proc->alive || !proc->ready)
        return INT64_MAX;
    if (proc->role == WORKER)
        next = worker_core_next_ms(proc->core);
    else if (proc->role == GATEWAY)
        next = gateway_core_next_ms(proc->core);
    else
        next = watcher_core_next_ms(proc->core);
    return next < proc->stopped_until ? proc->stopped_until : next;
}

int64_t pod_next_ms(const struct world *world)
{
    int64_t next = world->tree ? tree_next_ms(world->tree) : INT64_MAX;

    next = next < world->frozen_until ? world->frozen_until : next;
    for (unsigned i = 0; i < WORLD_PROCS; i++) {
        int64_t mine = proc_next_ms(&world->procs[i]);
        next = mine < next ? mine : next;
    }
    return next;
}

void pod_tick(struct world *world)
{
    if (world->tree && tree_next_ms(world->tree) <= world->now.boot_ms &&
        world->frozen_until <= world->now.boot_ms)
        tree_tick(world->tree, world_clock(world));
    for (unsigned i = 0; i < WORLD_PROCS; i++) {
        struct proc *proc = &world->procs[i];
        if (proc_next_ms(proc) > world->now.boot_ms)
            continue;
        if (proc->role == WORKER)
            worker_core_tick(proc->core, world_clock(world));
        else if (proc->role == GATEWAY)
            gateway_core_tick(proc->core, world_clock(world));
        else
            watcher_core_tick(proc->core, world_clock(world));
    }
}
