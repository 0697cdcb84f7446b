/* supervisor/core/slot.c -- feeds events to one slot's child and carries out what child.c orders: spawn, ask
 * to leave, abort, kill. Decides nothing. Called by the other files of supervisor/core/. */
#include "supervisor/core/tree_state.h"

#include <signal.h>

/* splitmix64: small, seedable, good enough for spreading delays. */
static uint64_t draw(struct tree *tree)
{
    uint64_t z = tree->random += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* A new process begins with nothing of its predecessor's but the memory of deaths. */
static void spawn(struct tree *tree, struct slot *slot, struct instant now)
{
    slot->told = slot->knows = slot->known_to = 0;
    slot->told_ms = 0;
    slot->go = slot->leaving = false;
    slot->why = "";
    slot->doing[0] = slot->key[0] = '\0';
    slot->gauges_len = 0;
    slot->gauges_lost = false;
    slot->child.incarnation = ++tree->incarnations;
    slot->child.pid =
        tree->ops.spawn(tree->ops.ctx, slot->policy->role, slot->number, slot->child.incarnation);
    if (slot->child.pid <= 0) {
        slot->last_status = EXIT_EXEC << 8;
        child_step(&slot->child, EV_UNBORN, now.boot_ms, draw(tree));
    }
}

/* A process that is READY hears DRAIN; one that is not may not read its bus yet, but it reads signals. */
static void ask_to_leave(struct tree *tree, struct slot *slot, struct instant now)
{
    int64_t left = slot->child.deadline_ms - now.boot_ms;

    if (slot->child.ready_ms != 0)
        slot_send(tree, slot, MSG_DRAIN, &(struct msg_drain){.within_ms = left > 0 ? (uint64_t)left : 0});
    else
        tree->ops.kill(tree->ops.ctx, slot->child.pid, SIGTERM);
}

void slot_event(struct tree *tree, struct slot *slot, enum child_event event, const char *why,
                struct instant now)
{
    enum child_order order = child_step(&slot->child, event, now.boot_ms, draw(tree));

    if ((order == ORDER_ABORT || order == ORDER_KILL) && slot->why[0] == '\0')
        slot->why = why; /* the first reason is the one that explains it */
    switch (order) {
    case ORDER_NOTHING: break;
    case ORDER_SPAWN: spawn(tree, slot, now); break;
    case ORDER_DRAIN: ask_to_leave(tree, slot, now); break;
    case ORDER_ABORT: tree->ops.kill(tree->ops.ctx, slot->child.pid, SIGABRT); break;
    case ORDER_KILL: tree->ops.kill(tree->ops.ctx, slot->child.pid, SIGKILL); break;
    }
}

struct slot *slot_of_incarnation(struct tree *tree, uint64_t incarnation)
{
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (child_has_process(&tree->slots[i].child) && tree->slots[i].child.incarnation == incarnation)
            return &tree->slots[i];
    return NULL;
}

struct slot *slot_of_pid(struct tree *tree, int64_t pid)
{
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (child_has_process(&tree->slots[i].child) && tree->slots[i].child.pid == pid)
            return &tree->slots[i];
    return NULL;
}

unsigned slot_live_workers(const struct tree *tree)
{
    unsigned n = 0;

    for (unsigned i = 0; i < tree->n_slots; i++)
        n += tree->slots[i].policy->role == WORKER && child_has_process(&tree->slots[i].child);
    return n;
}

void slot_send(struct tree *tree, const struct slot *to, enum msg_id id, const void *body)
{
    tree->ops.send(tree->ops.ctx, to->child.incarnation, id, body);
}
