/* supervisor/core/roll.c -- replaces the processes of a role, or all, in order: each is asked to leave as in
 * a stop, and its successor is started as after any end. Rolling: the next one only when that one works, so
 * that an executable that does not start stops it at the first. Called by tree.c. */
#include "supervisor/core/tree_state.h"

static const char why[] = "does not leave for its restart";

unsigned tree_restart(struct tree *tree, unsigned role, bool rolling, struct instant now)
{
    unsigned n = 0;

    if (tree->phase != STOP_NOT)
        return 0;
    for (unsigned i = 0; i < tree->n_slots; i++) {
        struct slot *slot = &tree->slots[i];

        if (slot->policy->role != role)
            continue;
        n++;
        if (!rolling)
            slot_event(tree, slot, EV_RETIRE, why, now);
    }
    tree->roll = (struct roll){.role = rolling ? role : 0, .before = tree->incarnations};
    tree_settle(tree, now);
    return n;
}

static bool is_replaced(const struct tree *tree, const struct slot *slot)
{
    return slot->child.incarnation > tree->roll.before && slot->child.state == CHILD_READY &&
           introduce_done(slot);
}

void roll_settle(struct tree *tree, struct instant now)
{
    struct roll *roll = &tree->roll;

    if (!roll->role || tree->phase != STOP_NOT)
        return;
    for (; roll->at < tree->n_slots; roll->at++) {
        struct slot *slot = &tree->slots[roll->at];

        if (slot->policy->role != roll->role || is_replaced(tree, slot))
            continue;
        if (slot->child.incarnation <= roll->before && slot->child.state != CHILD_DRAINING)
            slot_event(tree, slot, EV_RETIRE, why, now);
        return;
    }
    roll->role = 0;
}

bool tree_reload(struct tree *tree, struct instant now)
{
    if (tree->phase != STOP_NOT)
        return false;
    tree->roll.role = 0;
    tree->reload_before = tree->incarnations;
    tree_settle(tree, now);
    return true;
}

static bool is_old(const struct tree *tree, const struct slot *slot)
{
    return child_has_process(&slot->child) && slot->child.incarnation <= tree->reload_before;
}

/* Workers first, as their jobs need the others; none is started before watcher and gateway are new. */
void reload_settle(struct tree *tree, struct instant now)
{
    bool others_left = false;

    if (tree->reload_before == 0 || tree->phase != STOP_NOT)
        return;
    for (unsigned i = 0; i < tree->n_slots; i++) {
        struct slot *slot = &tree->slots[i];

        if (!is_old(tree, slot) || (slot->policy->role != WORKER && slot_live_workers(tree) > 0))
            continue;
        others_left = others_left || slot->policy->role != WORKER;
        if (slot->child.state != CHILD_DRAINING)
            slot_event(tree, slot, EV_RETIRE, why, now);
    }
    if (slot_live_workers(tree) == 0 && !others_left)
        tree->reload_before = 0;
}
