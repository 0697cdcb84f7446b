/* tests/world/net.c -- frames between processes, through the real codec. A frame goes to an address, not to
 * an incarnation: it waits for whoever comes to life there next, as ZeroMQ delivers what was queued
 * (design 12.3). What bus.c checks is checked here: the sender as the kernel knows it, both incarnations.
 * Called by pod.c. */
#include <stdio.h>
#include <string.h>

#include "tests/world/coverage.h"
#include "tests/world/pod.h"
#include "tests/world/world.h"

#define HELD_FOR_MS    5
#define FRAME_LIVES_MS 10000 /* an undelivered frame is forgotten after this */

void proc_peer_add(struct proc *proc, uint64_t incarnation, unsigned role, uint64_t slot)
{
    for (unsigned i = 0; i < proc->n_peers; i++)
        if (proc->peers[i].role == role && proc->peers[i].slot == slot) {
            proc->peers[i].incarnation = incarnation;
            return;
        }
    if (proc->n_peers < WORLD_PEERS)
        proc->peers[proc->n_peers++] = (struct peer){incarnation, role, slot};
}

const struct peer *proc_peer(const struct proc *proc, uint64_t incarnation)
{
    for (unsigned i = 0; i < proc->n_peers; i++)
        if (proc->peers[i].incarnation == incarnation)
            return &proc->peers[i];
    return NULL;
}

static unsigned link_end(struct world *world, unsigned role, uint64_t slot)
{
    return role == SUPERVISOR ? WORLD_PROCS : (unsigned)(proc_at(world, role, slot) - world->procs);
}

/* The receiver is not there: the frame waits for whoever comes next, for a while. In the queue of one that is
 * stopped it waits as long as that takes. */
static bool hold(struct world *world, struct event *event, const struct proc *proc)
{
    if (proc->alive && proc->stopped_until > world->now.boot_ms) {
        event_again(world, event, proc->stopped_until - world->now.boot_ms);
        return true;
    }
    event->waited += HELD_FOR_MS;
    if (event->waited > FRAME_LIVES_MS)
        return false;
    event_again(world, event, HELD_FOR_MS);
    return true;
}

/* a: sender's role, b: sender's incarnation, c: receiver's role, d: receiver's slot; life: the pod's. */
static bool deliver(struct world *world, struct event *event)
{
    struct message message;

    if (event->life != world->pod_life)
        return false;
    struct proc *proc = event->c == SUPERVISOR ? NULL : proc_at(world, (unsigned)event->c, event->d);
    if (!proc && world->frozen_until > world->now.boot_ms) {
        event_again(world, event, world->frozen_until - world->now.boot_ms);
        return true;
    }
    if (proc && (!proc->alive || !proc->ready || proc->stopped_until > world->now.boot_ms))
        return hold(world, event, proc);
    enum verdict verdict =
        msg_decode(event->data, event->len, (unsigned)event->a, proc ? proc->role : SUPERVISOR, &message);
    if (verdict != FRAME_OK) {
        world_violation(world, "a frame of our own is refused: %s %s",
                        message.spec ? message.spec->name : "?", verdict_name(verdict));
        return false;
    }
    if (proc && (message.envelope.to != proc->incarnation ||
                 (event->a != SUPERVISOR && !proc_peer(proc, event->b)))) {
        cover(world, FAULT_FRAME_STALE);
        world->stale_frames++;
        return false;
    }
    if (proc)
        pod_deliver(world, proc, (unsigned)event->a, event->b, &message);
    else
        pod_deliver_supervisor(world, (unsigned)event->a, event->b, &message);
    return false;
}

static int64_t slow_frame(struct world *world)
{
    cover(world, FAULT_FRAME_SLOW);
    return (int64_t)rng_below(&world->rng, 1500);
}

void net_send(struct world *world, unsigned from_role, uint64_t from_slot, uint64_t from_incarnation,
              unsigned to_role, uint64_t to_slot, uint64_t to_incarnation, enum msg_id id, const void *body,
              const struct envelope *envelope)
{
    struct envelope full = envelope ? *envelope : (struct envelope){0};
    msgpack_sbuffer frame;

    full.from = from_incarnation;
    full.to = to_incarnation;
    msgpack_sbuffer_init(&frame);
    if (msg_encode(&full, id, body, &frame) != 0) {
        world_violation(world, "%s sends a %s that breaks its own limits", role_name(from_role),
                        msg_find(id)->name);
        msgpack_sbuffer_destroy(&frame);
        return;
    }
    int64_t delay = (int64_t)rng_below(&world->rng, 2);
    if (!world->quiet && rng_chance(&world->rng, world->plan.slow_frame))
        delay = slow_frame(world);
    int64_t *free_at =
        &world->link_free_at[link_end(world, from_role, from_slot)][link_end(world, to_role, to_slot)];
    if (*free_at > world->now.boot_ms + delay)
        delay = *free_at - world->now.boot_ms;
    *free_at = world->now.boot_ms + delay;

    struct event *event = event_post(world, delay, deliver);
    event->a = from_role;
    event->b = from_incarnation;
    event->c = to_role;
    event->d = to_slot;
    event->data = frame.data;
    event->len = frame.size;
    event->life = world->pod_life;
    world->comes += id == MSG_COME;
    if (id != MSG_BEAT)
        world_trace(world, "%s#%lu -> %s#%lu %s", role_name(from_role), from_incarnation, role_name(to_role),
                    to_incarnation, msg_find(id)->name);
}
