/* supervisor/core/epoch.c -- the epoch: from a watcher's GO until the gateway has said that nothing of it
 * will be sent any more. Makes sure that no two watchers ever have authority at once (design 2, 12.3). Called
 * by tree.c and watchdog.c. */
#include "supervisor/core/tree_state.h"

static bool lives(const struct slot *slot, uint64_t incarnation)
{
    return child_has_process(&slot->child) && slot->child.incarnation == incarnation;
}

bool epoch_runs(const struct tree *tree)
{
    return tree->epoch != 0 && tree->watcher->child.incarnation == tree->epoch &&
           tree->watcher->child.state == CHILD_READY && tree->gateway->child.state == CHILD_READY &&
           introduce_done(tree->watcher);
}

static void open_epoch(struct tree *tree)
{
    tree->epoch = tree->watcher->child.incarnation;
    tree->watcher->go = true;
    blame_hand_over(tree);
    if (tree->held)
        slot_send(tree, tree->watcher, MSG_HOLD, &(struct msg_hold){.on = 1});
    slot_send(tree, tree->watcher, MSG_GO, &(struct msg_go){.epoch = tree->epoch});
}

/* The watcher of the open epoch is dead. First its workers must be reaped, then the gateway must say that it
 * sends nothing more of that epoch; a gateway that died, or never met that watcher, sends nothing anyway. In
 * a stop there is no successor to protect. */
static void close_epoch(struct tree *tree, struct instant now)
{
    if (slot_live_workers(tree) > 0)
        return;
    if (tree->epoch_gateway == 0 || !lives(tree->gateway, tree->epoch_gateway) || tree->phase != STOP_NOT) {
        tree->epoch = 0;
        tree->closing = false;
        return;
    }
    if (tree->closing)
        return;
    tree->closing = true;
    tree->close_ms = now.boot_ms + EPOCH_CLOSE_MS;
    slot_send(tree, tree->gateway, MSG_EPOCH_OVER, &(struct msg_epoch_over){.epoch = tree->epoch});
}

void epoch_settle(struct tree *tree, struct instant now)
{
    if (tree->epoch != 0 && !lives(tree->watcher, tree->epoch))
        close_epoch(tree, now);
    if (tree->epoch == 0 && tree->phase == STOP_NOT && tree->watcher->child.state == CHILD_READY &&
        introduce_done(tree->watcher))
        open_epoch(tree);
}

void epoch_closed(struct tree *tree, const struct slot *from, uint64_t epoch)
{
    if (!tree->closing || from != tree->gateway || epoch != tree->epoch)
        return;
    tree->epoch = 0;
    tree->closing = false;
    tree->epoch_gateway = 0;
}

int64_t epoch_deadline(const struct tree *tree)
{
    return tree->closing ? tree->close_ms : CHILD_NEVER;
}

/* Its death closes the epoch; should it not die at once, child.c's own deadline sees to it. */
void epoch_overdue(struct tree *tree, struct instant now)
{
    tree->close_ms = CHILD_NEVER;
    slot_event(tree, tree->gateway, EV_END, "did not close the epoch of a dead watcher", now);
}
