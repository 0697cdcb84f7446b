/* supervisor/core/introduce.c -- who is told of whom, and who hears of a death. A child takes frames only
 * from siblings whose pid the supervisor told it (design 12.5), so nobody works before these introductions
 * are answered. Called by tree.c and watchdog.c. */
#include "supervisor/core/tree_state.h"

/* Each pair of partners has a junior, whose slot holds the state of their introduction. */
static unsigned partners_of(const struct slot *junior)
{
    switch (junior->policy->role) {
    case WATCHER: return GATEWAY;
    case WORKER: return WATCHER | GATEWAY;
    default: return 0;
    }
}

static struct slot *senior(struct tree *tree, unsigned role)
{
    return role == WATCHER ? tree->watcher : tree->gateway;
}

static void tell(struct tree *tree, const struct slot *to, const struct slot *of)
{
    slot_send(tree, to, MSG_PEER,
              &(struct msg_peer){.role = of->policy->role,
                                 .slot = of->number,
                                 .incarnation = of->child.incarnation,
                                 .pid = (uint64_t)of->child.pid});
}

static void introduce(struct tree *tree, struct slot *junior, unsigned role, struct instant now)
{
    struct slot *other = senior(tree, role);

    if (!(partners_of(junior) & role) || junior->told & role || other->child.state != CHILD_READY)
        return;
    tell(tree, junior, other);
    tell(tree, other, junior);
    junior->told |= role;
    junior->told_ms = now.boot_ms;
    if (junior == tree->watcher)
        tree->epoch_gateway = other->child.incarnation; /* from now on it may be given grants */
}

bool introduce_done(const struct slot *slot)
{
    unsigned partners = partners_of(slot);

    return (slot->knows & slot->known_to & partners) == partners;
}

void introduce_settle(struct tree *tree, struct instant now)
{
    for (unsigned i = 0; i < tree->n_slots; i++) {
        struct slot *slot = &tree->slots[i];

        if (slot->child.state != CHILD_READY)
            continue;
        introduce(tree, slot, WATCHER, now);
        introduce(tree, slot, GATEWAY, now);
        if (slot->policy->role == WORKER && !slot->go && introduce_done(slot)) {
            slot->go = true;
            slot_send(tree, slot, MSG_GO, &(struct msg_go){.epoch = tree->epoch});
        }
    }
}

void introduce_answer(struct tree *tree, struct slot *from, uint64_t incarnation)
{
    struct slot *about = slot_of_incarnation(tree, incarnation);

    if (about == NULL) /* it died meanwhile; from has PEER_GONE on its way */
        return;
    unsigned one = from->policy->role, other = about->policy->role;
    if (from->told & other)
        from->knows |= other;
    else if (about->told & one)
        about->known_to |= one;
}

/* Only those who were told of it are told that it is gone. Workers are not told: they end with the watcher or
 * gateway they knew. */
void introduce_forget(struct tree *tree, struct slot *dead, bool blameless, const char *cause)
{
    const struct msg_peer_gone gone = {
        .incarnation = dead->child.incarnation, .blameless = blameless, .cause = span_of(cause)};
    unsigned role = dead->policy->role;

    if (dead->told & WATCHER && child_has_process(&tree->watcher->child))
        slot_send(tree, tree->watcher, MSG_PEER_GONE, &gone);
    if (dead->told & GATEWAY && child_has_process(&tree->gateway->child))
        slot_send(tree, tree->gateway, MSG_PEER_GONE, &gone);
    if (tree->watcher->told & role && child_has_process(&tree->watcher->child))
        slot_send(tree, tree->watcher, MSG_PEER_GONE, &gone);

    dead->told = dead->knows = dead->known_to = 0;
    for (unsigned i = 0; i < tree->n_slots; i++) {
        if (!(partners_of(&tree->slots[i]) & role))
            continue;
        tree->slots[i].told &= ~role;
        tree->slots[i].knows &= ~role;
        tree->slots[i].known_to &= ~role;
    }
}

/* An introduction takes as long as a start may: both ends are READY and only have to answer. */
int64_t introduce_deadline(const struct slot *slot)
{
    if (slot->child.state != CHILD_READY || introduce_done(slot) || slot->told != partners_of(slot))
        return CHILD_NEVER;
    return slot->told_ms + START_DEADLINE_MS;
}

/* Without its own answer a child is at fault itself. Without its partner's answer a worker is ended as well,
 * because it is the cheaper of the two and a partner that hangs is found by its missing beats. */
void introduce_overdue(struct tree *tree, struct slot *slot, struct instant now)
{
    bool own_fault = (slot->knows & slot->told) != slot->told || slot->policy->role == WORKER;

    slot->told_ms = now.boot_ms; /* the death that follows ends this introduction */
    slot_event(tree, own_fault ? slot : tree->gateway, EV_END, "did not answer an introduction", now);
}
