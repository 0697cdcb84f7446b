/* supervisor/core/leader.c -- what the watcher says of the leader Lease, kept for status, and what it may ask
 * before a heartbeat: who has shown life a moment ago (gardener 8.1). Called by tree.c. */
#include "supervisor/core/tree_state.h"

#define ALIVE_MS (BEAT_EVERY_MS + 1000) /* silent for longer: it has missed a beat */

static void keep_text(struct span text, char *buf, size_t size)
{
    if (text.p == NULL || !span_copy(text, buf, size))
        buf[0] = '\0';
}

void leader_said(struct tree *tree, const struct msg_leadership *said)
{
    struct tree_leader *leader = &tree->leader;

    leader->elected = true;
    leader->leading = said->leading != 0;
    leader->write_until_ms = (int64_t)said->write_until;
    leader->transitions = said->transitions;
    keep_text(said->lease, leader->lease, sizeof leader->lease);
    keep_text(said->holder, leader->holder, sizeof leader->holder);
}

/* Its word died with it. */
void leader_forget(struct tree *tree)
{
    tree->leader.leading = false;
    tree->leader.write_until_ms = 0;
}

static bool answers(const struct slot *slot, struct instant now)
{
    return slot->child.state == CHILD_READY && now.boot_ms - slot->child.beat_ms <= ALIVE_MS;
}

void leader_health(struct tree *tree, uint64_t seq, struct instant now)
{
    struct msg_health health = {.seq = seq, .gateway = answers(tree->gateway, now)};

    for (unsigned i = 0; i < tree->n_slots; i++)
        health.workers += tree->slots[i].policy->role == WORKER && answers(&tree->slots[i], now);
    slot_send(tree, tree->watcher, MSG_HEALTH, &health);
}
