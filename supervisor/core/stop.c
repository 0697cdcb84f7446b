/* supervisor/core/stop.c -- the ordered stop: workers finish their jobs, then watcher and gateway leave, then
 * the exporter (gardener 66). Each phase has its time; who overstays it is killed (child.c). Called by
 * tree.c. */
#include "supervisor/core/tree_state.h"

/* Everybody who is dead stays dead; everybody of the phase is asked to leave. */
static void retire(struct tree *tree, enum stop_phase phase, struct instant now)
{
    for (unsigned i = 0; i < tree->n_slots; i++) {
        struct slot *slot = &tree->slots[i];

        if (!child_has_process(&slot->child) || slot->policy->leaves == phase)
            slot_event(tree, slot, EV_RETIRE, "does not leave on request", now);
    }
}

static bool is_over(const struct tree *tree, enum stop_phase phase)
{
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (tree->slots[i].policy->leaves == phase && child_has_process(&tree->slots[i].child))
            return false;
    return true;
}

void stop_begin(struct tree *tree, int code, struct instant now)
{
    if (tree->phase != STOP_NOT)
        return;
    tree->code = code;
    tree->phase = STOP_WORKERS;
    retire(tree, tree->phase, now);
}

void stop_settle(struct tree *tree, struct instant now)
{
    if (tree->phase == STOP_NOT)
        return;
    while (tree->phase < STOP_PHASES && is_over(tree, tree->phase)) {
        tree->phase++;
        retire(tree, tree->phase, now);
    }
}
