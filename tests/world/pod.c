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

/* ---- what the cores say
 * ------------------------------------------------------------------------------------------------ */
static void send_from(struct proc *proc, unsigned role, uint64_t to, enum msg_id id, const void *body,
                      const struct envelope *envelope)
{
    static const struct peer supervisor = {.role = SUPERVISOR};
    const struct peer *peer = role == SUPERVISOR ? &supervisor : proc_peer(proc, to);

    if (peer) /* else EHOSTUNREACH */
        net_send(proc->world, proc->role, proc->slot, proc->incarnation, peer->role, peer->slot, to, id, body,
                 envelope);
}

static void worker_send(void *ctx, unsigned to, enum msg_id id, const void *body,
                        const struct envelope *envelope)
{
    struct proc *proc = ctx;

    for (unsigned i = 0; i < proc->n_peers; i++)
        if (proc->peers[i].role == to)
            send_from(proc, to, proc->peers[i].incarnation, id, body, envelope);
}

static void gateway_send(void *ctx, uint64_t to, enum msg_id id, const void *body,
                         const struct envelope *envelope)
{
    struct proc *proc = ctx;

    reads_told(proc->world, to, id, body, envelope);
    send_from(proc, to == SUPERVISOR_INCARNATION ? SUPERVISOR : WATCHER, to, id, body, envelope);
}

static void gateway_request(void *ctx, const struct gateway_request *request)
{
    struct proc *proc = ctx;

    packet_request(proc->world, proc, request);
}

static void watcher_send(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                         const struct envelope *envelope)
{
    send_from(ctx, role, to, id, body, envelope);
}

static void watcher_request(void *ctx, const struct watcher_request *request)
{
    struct proc *proc = ctx;

    kube_request(proc->world, proc, request);
}

static void watcher_watch(void *ctx, enum watcher_stream stream, const char *path)
{
    struct proc *proc = ctx;

    kube_watch_open(proc->world, proc, stream, path);
}

static void watcher_unwatch(void *ctx, enum watcher_stream stream)
{
    struct proc *proc = ctx;

    kube_watch_stop(proc->world, proc, stream);
}

/* ---- birth
 * ----------------------------------------------------------------------------------------------------------------
 */
static void *core_new(struct world *world, struct proc *proc)
{
    uint64_t seed = rng_next(&world->rng);

    if (proc->role == WORKER)
        return worker_core_new(&(struct worker_ops){proc, worker_send}, proc->incarnation);
    if (proc->role == GATEWAY) {
        struct gateway_config config = {.seed = seed,
                                        .incarnation = proc->incarnation,
                                        .base_path = "/metal/v1",
                                        .rate = 200,
                                        .burst = 40,
                                        .parallel = 32};
        return gateway_core_new(&config, &(struct gateway_ops){proc, gateway_send, gateway_request},
                                world->now);
    }
    struct watcher_config config = {.seed = seed,
                                    .incarnation = proc->incarnation,
                                    .classes = "",
                                    .ignore_operation = world->plan.ignore_operation,
                                    .field_manager = "provider-packet"};
    leases_config(world, &config);
    struct watcher_ops ops = {proc, watcher_send, watcher_request, watcher_watch, watcher_unwatch};
    return watcher_core_new(&config, &ops, world->now);
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
    proc->core = core_new(world, proc);
    proc->ready = true;
    net_send(world, proc->role, proc->slot, proc->incarnation, SUPERVISOR, 0, SUPERVISOR_INCARNATION,
             MSG_READY, &(struct msg_ready){.version = SPAN("world")}, NULL);
    struct event *beat = event_post(world, BEAT_WORLD_MS, proc_beat);
    beat->a = proc->role;
    beat->b = proc->slot;
    beat->life = proc->life;
    return false;
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
    *proc = (struct proc){.world = world,
                          .role = role,
                          .slot = slot,
                          .life = proc->life + 1,
                          .alive = true,
                          .incarnation = incarnation,
                          .pid = ++world->next_pid};
    struct event *birth = event_post(world, 2 + (int64_t)rng_below(&world->rng, 8), proc_born);
    birth->a = role;
    birth->b = slot;
    birth->life = proc->life;
    world_trace(world, "start %s#%lu", role_name(role), incarnation);
    return proc->pid;
}

/* ---- death
 * -----------------------------------------------------------------------------------------------------------------
 */
static void core_free(struct proc *proc)
{
    for (unsigned stream = 0; stream < WORLD_STREAMS; stream++)
        kube_watch_stop(proc->world, proc, stream);
    if (proc->core && proc->role == WORKER)
        worker_core_free(proc->core);
    else if (proc->core && proc->role == GATEWAY)
        gateway_core_free(proc->core);
    else if (proc->core)
        watcher_core_free(proc->core);
    proc->core = NULL;
}

static bool proc_reap(struct world *world, struct event *event)
{
    if (event->life == world->pod_life && world->frozen_until > world->now.boot_ms) {
        event_again(world, event, world->frozen_until - world->now.boot_ms);
        return true;
    }
    if (event->life == world->pod_life)
        tree_reaped(world->tree, (int64_t)event->a, (int)event->b, world->now);
    return false;
}

void proc_end(struct world *world, struct proc *proc, int status)
{
    if (!proc->alive)
        return;
    core_free(proc);
    proc->alive = proc->ready = false;
    proc->life++;
    struct event *reap = event_post(world, (int64_t)rng_below(&world->rng, 3), proc_reap);
    reap->a = (uint64_t)proc->pid;
    reap->b = (uint64_t)status;
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

    for (unsigned i = 0; i < WORLD_PROCS; i++)
        if (world->procs[i].alive && world->procs[i].pid == pid) {
            world_trace(world, "supervisor signals %s#%lu with %d", role_name(world->procs[i].role),
                        world->procs[i].incarnation, signo);
            proc_end(world, &world->procs[i], signo);
        }
}

/* ---- messages that a shell handles beside its core
 * ----------------------------------------------------------------------- */
static void core_message(struct world *world, struct proc *proc, unsigned from_role, uint64_t from,
                         const struct message *m)
{
    if (proc->role == GATEWAY)
        reads_asked(world, from, m);
    if (proc->role == WORKER)
        worker_core_message(proc->core, from_role, m, world->now);
    else if (proc->role == GATEWAY)
        gateway_core_message(proc->core, from_role, from, m, world->now);
    else
        watcher_core_message(proc->core, from_role, from, m, world->now);
}

void pod_deliver(struct world *world, struct proc *proc, unsigned from_role, uint64_t from,
                 const struct message *message)
{
    const union msg_body *body = &message->body;

    world->steps++;
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
            tree_message(world->tree, from_role, from, message, world->now);
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

/* ---- the pod
 * -----------------------------------------------------------------------------------------------------------------
 */
void pod_start(struct world *world)
{
    struct tree_config config = {.workers = WORLD_WORKERS, .seed = rng_next(&world->rng)};
    struct tree_ops ops = {world, tree_spawn, tree_kill, tree_send};

    world->pod_life++;
    world->frozen_until = 0;
    leases_identity(world);
    world->tree = tree_new(&config, &ops, world->now);
    tree_start(world->tree, world->now);
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
        tree_tick(world->tree, world->now);
    for (unsigned i = 0; i < WORLD_PROCS; i++) {
        struct proc *proc = &world->procs[i];
        if (proc_next_ms(proc) > world->now.boot_ms)
            continue;
        if (proc->role == WORKER)
            worker_core_tick(proc->core, world->now);
        else if (proc->role == GATEWAY)
            gateway_core_tick(proc->core, world->now);
        else
            watcher_core_tick(proc->core, world->now);
    }
}
