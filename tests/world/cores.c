/* tests/world/cores.c -- a process' core: made with what its shell would give it, and what it says put on the
 * wire. Called by pod.c. */
#include <stdio.h>

#include "packet-gateway/core/gateway.h"
#include "tests/world/pod.h"
#include "watcher/core/watcher.h"
#include "worker/core/worker.h"

/* ---- what the cores say ---- */
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
    packet_request(((struct proc *)ctx)->world, ctx, request);
}

static void watcher_send(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                         const struct envelope *envelope)
{
    send_from(ctx, role, to, id, body, envelope);
}

static void watcher_request(void *ctx, const struct watcher_request *request)
{
    kube_request(((struct proc *)ctx)->world, ctx, request);
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

void *core_new(struct world *world, struct proc *proc)
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
                                world_clock(world));
    }
    struct watcher_config config = {.seed = seed,
                                    .incarnation = proc->incarnation,
                                    .classes = "",
                                    .ignore_operation = world->plan.ignore_operation,
                                    .field_manager = "provider-packet",
                                    .check_every_ms = world->plan.check_every_ms,
                                    .quarantine_after = world->plan.quarantine_after};
    leases_config(world, &config);
    struct watcher_ops ops = {proc, watcher_send, watcher_request, watcher_watch, watcher_unwatch};
    return watcher_core_new(&config, &ops, world_clock(world));
}

void core_free(struct proc *proc)
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
