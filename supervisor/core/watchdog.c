/* supervisor/core/watchdog.c -- how a hang ends, and everything else that has a deadline: READY after the
 * start, beats from the work loop, answers to introductions, the closing of an epoch, leaving when asked.
 * Silence brings SIGABRT for the backtrace, then SIGKILL (child.c). Called through tree_tick() and
 * tree_next_ms(). */
#include "supervisor/core/tree_state.h"

/* A tick that comes this much after its time was held up by ourselves (stopped, suspended, starved). What was
 * not heard in that time is held against nobody. */
#define TICK_LATE_MS 1000

static const char *reason(const struct slot *slot)
{
    switch (slot->child.state) {
    case CHILD_STARTING: return "did not become ready in time";
    case CHILD_READY: return "gave no sign of life in time";
    case CHILD_DRAINING: return "did not leave in time";
    default: return "is still there after a signal";
    }
}

static bool is_watched(const struct slot *slot)
{
    return slot->child.state == CHILD_STARTING || slot->child.state == CHILD_READY;
}

static void check(struct tree *tree, struct slot *slot, struct instant now, bool late)
{
    if (late && is_watched(slot) && slot->child.deadline_ms <= now.boot_ms)
        slot->child.deadline_ms = now.boot_ms + BEAT_MISSED_MS;
    if (child_has_process(&slot->child) && slot->child.deadline_ms <= now.boot_ms)
        slot_event(tree, slot, EV_TIMER, reason(slot), now);
    if (introduce_deadline(slot) <= now.boot_ms)
        introduce_overdue(tree, slot, now);
}

void tree_tick(struct tree *tree, struct instant now)
{
    int64_t due = tree_next_ms(tree);
    bool late = due != CHILD_NEVER && now.boot_ms - due > TICK_LATE_MS;

    for (unsigned i = 0; i < tree->n_slots; i++)
        check(tree, &tree->slots[i], now, late);
    if (epoch_deadline(tree) <= now.boot_ms)
        epoch_overdue(tree, now);
    tree_settle(tree, now);
}

int64_t tree_next_ms(const struct tree *tree)
{
    int64_t next = epoch_deadline(tree);

    for (unsigned i = 0; i < tree->n_slots; i++) {
        const struct slot *slot = &tree->slots[i];
        int64_t introduced = introduce_deadline(slot);

        if ((child_has_process(&slot->child) || tree_may_start(tree, slot)) && slot->child.deadline_ms < next)
            next = slot->child.deadline_ms;
        if (introduced < next)
            next = introduced;
    }
    return next;
}
