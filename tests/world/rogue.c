/* tests/world/rogue.c -- a worker that has been broken into: with its own incarnation and its job's numbers
 * it asks for what is not its job's (design 12.5). Whatever it says, nothing of other objects may change, and
 * of its own object only what a worker may write. Called by main.c. */
#include <stdio.h>
#include <string.h>

#include "proto/pack.h"
#include "tests/world/coverage.h"
#include "tests/world/world.h"

#define IN_TIME_MS 10000
#define ROGUE_SEQ  900000000u /* its worker knows nothing of these questions */

static void say(struct proc *worker, unsigned to, enum msg_id id, const void *body)
{
    const struct envelope envelope = {.correlation = ROGUE_SEQ,
                                      .epoch = worker->epoch,
                                      .deadline_ms = (uint64_t)worker->world->now.boot_ms + IN_TIME_MS};

    for (unsigned i = 0; i < worker->n_peers; i++)
        if (worker->peers[i].role == to)
            net_send(worker->world, WORKER, worker->slot, worker->incarnation, to, worker->peers[i].slot,
                     worker->peers[i].incarnation, id, body, &envelope);
}

/* Writes what no worker may, into the object of the job that `victim` has: its own, or another worker's. */
static void patch(struct world *world, struct proc *rogue, const struct proc *victim, const char *version)
{
    static const char *const members[][3] = {{"spec", "region", "rogue"},
                                             {"metadata", "generateName", "rogue"},
                                             {"status", "conditions", "rogue"}};
    const char *const *member = members[rng_below(&world->rng, 3)];
    struct pack body;

    pack_open(&body);
    pack_map(&body, 1);
    pack_text(&body, member[0]);
    pack_map(&body, 1);
    pack_text(&body, member[1]);
    pack_text(&body, member[2]);
    say(rogue, WATCHER, MSG_PATCH,
        &(struct msg_patch){.job = victim->job,
                            .seq = ROGUE_SEQ,
                            .target = strcmp(member[0], "status") == 0 ? PATCH_STATUS : PATCH_META,
                            .resource_version = span_of(version),
                            .body = pack_result(&body)});
    pack_close(&body);
}

/* With another worker's handle, or with its own and another object's key. */
static void call(struct world *world, struct proc *rogue, const struct proc *victim, const char *id)
{
    char line[128];
    uint64_t handle = rng_chance(&world->rng, 500) ? victim->handle : rogue->handle;

    if (!handle || strcmp(victim->ns, rogue->ns) == 0)
        return; /* of its own object it may do what it likes */
    material_line(1 + (unsigned)rng_below(&world->rng, world->next_key), line, sizeof line);
    switch (rng_below(&world->rng, 3)) {
    case 0:
        if (*id)
            say(rogue, GATEWAY, MSG_REMOVE,
                &(struct msg_remove){.handle = handle, .seq = ROGUE_SEQ, .id = span_of(id)});
        return;
    case 1:
        if (*id)
            say(rogue, GATEWAY, MSG_UPDATE,
                &(struct msg_update){
                    .handle = handle, .seq = ROGUE_SEQ, .id = span_of(id), .key = span_of(line)});
        return;
    default:
        if (handle != rogue->handle)
            say(rogue, GATEWAY, MSG_CREATE,
                &(struct msg_create){.handle = handle, .seq = ROGUE_SEQ, .key = span_of(line)});
    }
}

/* The object of the worker's job, or NULL. */
static const json_t *object_of(const struct world *world, const struct proc *worker)
{
    char ns[64];

    for (unsigned i = 0; i < world->n_objects; i++) {
        object_namespace(i, ns, sizeof ns);
        if (strcmp(worker->ns, ns) == 0)
            return object_stored(world, i);
    }
    return NULL;
}

/* a: slot of the worker that has just got a job. */
static bool misbehave(struct world *world, struct event *event)
{
    struct proc *rogue = proc_at(world, WORKER, 0), *victim = proc_at(world, WORKER, event->a);

    if (world->quiet || !rogue->alive || !rogue->ready || !victim->alive || !victim->job)
        return false;
    const json_t *object = object_of(world, victim);
    const char *version = object_text(object, "metadata", "resourceVersion", NULL);
    cover(world, FAULT_ROGUE);
    world_trace(world, "worker#%lu misbehaves with the job of worker#%lu", rogue->incarnation,
                victim->incarnation);
    if (*version && rng_chance(&world->rng, 500))
        patch(world, rogue, victim, version);
    else
        call(world, rogue, victim, object_text(object, "status", "providerStatus", "sshKeyID"));
    return false;
}

void rogue_job(struct world *world, const struct proc *worker)
{
    if (world->plan.rogue && !world->quiet)
        event_post(world, (int64_t)rng_below(&world->rng, 80), misbehave)->a = worker->slot;
}
