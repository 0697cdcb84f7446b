/* supervisor/core/scale.c -- what an operator changes while all runs: how many workers there are, whether
 * jobs are begun, and what is said to everybody. Called by the shell's control.c. */
#include "supervisor/core/tree_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

bool scale_surplus(const struct tree *tree, const struct slot *slot)
{
    return slot->policy->role == WORKER && slot->number >= tree->config.workers;
}

static unsigned count_workers(const struct tree *tree)
{
    unsigned n = 0;

    for (unsigned i = 0; i < tree->n_slots; i++)
        n += tree->slots[i].policy->role == WORKER;
    return n;
}

/* Workers stand together, before the exporter: status is read from top to bottom. Slots stay where they are
 * once made; nobody keeps a pointer to one but watcher and gateway, which come first. */
static void make_room(struct tree *tree, unsigned workers)
{
    unsigned had = count_workers(tree), first = 0;

    if (workers <= had)
        return;
    while (first < tree->n_slots && tree->slots[first].policy->role != WORKER)
        first++;
    unsigned more = workers - had, after = first + had;
    struct slot *slots = x_calloc(tree->n_slots + more, sizeof *slots);

    memcpy(slots, tree->slots, after * sizeof *slots);
    memcpy(slots + after + more, tree->slots + after, (tree->n_slots - after) * sizeof *slots);
    for (unsigned i = 0; i < more; i++)
        slots[after + i] =
            (struct slot){.policy = policy_of(WORKER),
                          .number = had + i,
                          .why = "",
                          .child = {.policy = &policy_of(WORKER)->restart, .deadline_ms = CHILD_NEVER}};
    tree->watcher = slots + (tree->watcher - tree->slots);
    tree->gateway = slots + (tree->gateway - tree->slots);
    free(tree->slots);
    tree->slots = slots;
    tree->n_slots += more;
    if (tree->roll.role != 0 && tree->roll.at >= after)
        tree->roll.at += more;
}

bool tree_scale(struct tree *tree, unsigned workers, struct instant now)
{
    if (tree->phase != STOP_NOT || workers < 1 || workers > POLICY_WORKERS_MAX)
        return false;
    make_room(tree, workers);
    tree->config.workers = workers;
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (scale_surplus(tree, &tree->slots[i]))
            slot_event(tree, &tree->slots[i], EV_RETIRE, "is one too many and does not leave", now);
    tree_settle(tree, now);
    return true;
}

void tree_hold(struct tree *tree, bool on)
{
    if (tree->held == on)
        return;
    tree->held = on;
    tree_tell_watcher(tree, MSG_HOLD, &(struct msg_hold){.on = on});
}

bool tree_held(const struct tree *tree)
{
    return tree->held;
}

void tree_tell_all(struct tree *tree, enum msg_id id, const void *body)
{
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (tree->slots[i].child.state == CHILD_READY)
            slot_send(tree, &tree->slots[i], id, body);
}

bool tree_tell_watcher(struct tree *tree, enum msg_id id, const void *body)
{
    if (!epoch_runs(tree))
        return false;
    slot_send(tree, tree->watcher, id, body);
    return true;
}
