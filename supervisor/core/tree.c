/* supervisor/core/tree.c -- events of the whole tree in, orders out: who may run now, what a death means for
 * the others, rows for status. The life of one child is child.c's; introductions, epochs, deadlines and the
 * stop have files of their own. Driven by the supervisor's shell and by tests/world. */
#include "supervisor/core/tree_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"

static unsigned slots_of(const struct tree_config *config, const struct role_policy *policy)
{
    unsigned wanted = policy->role == WORKER     ? config->workers
                      : policy->role == EXPORTER ? config->exporter
                                                 : 1;

    return wanted < policy->slots_max ? wanted : policy->slots_max;
}

static void add_slots(struct tree *tree, const struct role_policy *policy)
{
    for (unsigned i = 0; i < slots_of(&tree->config, policy); i++) {
        struct slot *slot = &tree->slots[tree->n_slots++];

        slot->policy = policy;
        slot->number = i;
        slot->why = "";
        slot->child.policy = &policy->restart;
        slot->child.deadline_ms = CHILD_NEVER;
        if (policy->role == WATCHER)
            tree->watcher = slot;
        if (policy->role == GATEWAY)
            tree->gateway = slot;
    }
}

struct tree *tree_new(const struct tree_config *config, const struct tree_ops *ops, struct instant now)
{
    struct tree *tree = x_calloc(1, sizeof *tree);
    unsigned n_roles, n_slots = 0;
    const struct role_policy *roles = policy_roles(&n_roles);

    (void)now;
    tree->config = *config;
    tree->ops = *ops;
    tree->random = config->seed;
    tree->incarnations = SUPERVISOR_INCARNATION;
    for (unsigned i = 0; i < n_roles; i++)
        n_slots += slots_of(config, &roles[i]);
    tree->slots = x_calloc(n_slots, sizeof *tree->slots);
    for (unsigned i = 0; i < n_roles; i++)
        add_slots(tree, &roles[i]);
    return tree;
}

void tree_free(struct tree *tree)
{
    if (tree == NULL)
        return;
    for (unsigned i = 0; i < tree->n_slots; i++)
        free(tree->slots[i].gauges);
    free(tree->suspects);
    free(tree->slots);
    free(tree);
}

/* A watcher starts only when its predecessor's epoch is closed, which takes that no worker of it is left; a
 * gateway when no worker is left that knew its predecessor (design 2, 12.3); workers when both stand and know
 * each other. */
bool tree_may_start(const struct tree *tree, const struct slot *slot)
{
    if (tree->phase != STOP_NOT)
        return false;
    switch (slot->policy->role) {
    case WATCHER: return tree->epoch == 0;
    case GATEWAY: return slot_live_workers(tree) == 0;
    case WORKER: return epoch_runs(tree) && !scale_surplus(tree, slot) && tree->reload_before == 0;
    default: return true;
    }
}

static void start_what_may(struct tree *tree, struct instant now)
{
    for (unsigned i = 0; i < tree->n_slots; i++) {
        struct slot *slot = &tree->slots[i];

        if (child_has_process(&slot->child) || !tree_may_start(tree, slot))
            continue;
        if (slot->child.state == CHILD_STOPPED)
            slot_event(tree, slot, EV_START, "", now);
        else if (slot->child.deadline_ms <= now.boot_ms)
            slot_event(tree, slot, EV_TIMER, "", now);
    }
}

void tree_settle(struct tree *tree, struct instant now)
{
    epoch_settle(tree, now);
    introduce_settle(tree, now);
    stop_settle(tree, now);
    roll_settle(tree, now);
    reload_settle(tree, now);
    start_what_may(tree, now);
}

void tree_start(struct tree *tree, struct instant now)
{
    tree_settle(tree, now);
}

void tree_stop(struct tree *tree, struct instant now)
{
    stop_begin(tree, EXIT_OK, now);
    tree_settle(tree, now);
}

/* A watcher or gateway that never worked and calls its configuration or command line wrong will say so again
 * after each restart: the whole program gives up with that code, as Gardener's extensions do at their start.
 * So it does when the watcher has waited for the first list for as long as it was told to (kubernetes 29).
 */
static bool is_hopeless(const struct tree *tree, const struct slot *slot, int status)
{
    if ((slot->policy->role != WATCHER && slot->policy->role != GATEWAY) || !WIFEXITED(status))
        return false;
    if (slot->policy->role == WATCHER && WEXITSTATUS(status) == EXIT_UNSYNCED)
        return true;
    if (tree->ever_ready & slot->policy->role)
        return false;
    return WEXITSTATUS(status) == EXIT_CONFIG || WEXITSTATUS(status) == EXIT_FLAGS;
}

/* Workers never outlive the watcher or gateway they were introduced to (design 12.3). */
static void sacrifice_workers(struct tree *tree, const char *why, struct instant now)
{
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (tree->slots[i].policy->role == WORKER)
            slot_event(tree, &tree->slots[i], EV_SACRIFICE, why, now);
}

void tree_blame_job(struct tree *tree, int64_t pid)
{
    struct slot *slot = slot_of_pid(tree, pid);

    if (slot != NULL && slot->policy->role == WORKER)
        slot->child.charged = true;
}

void tree_reaped(struct tree *tree, int64_t pid, int status, struct instant now)
{
    struct slot *slot = slot_of_pid(tree, pid);

    if (slot == NULL)
        return;
    char cause[LIMIT_TEXT + 1];
    bool blameless = blame_nobody(tree, slot, slot->child.state, now);

    slot->last_status = status;
    blame_cause(slot, status, cause, sizeof cause);
    slot_event(tree, slot, EV_DIED, "", now);
    introduce_forget(tree, slot, blameless, cause);
    if (slot == tree->watcher) {
        leader_forget(tree);
        sacrifice_workers(tree, "the watcher it was introduced to is dead", now);
    }
    if (slot == tree->gateway)
        sacrifice_workers(tree, "the packet-gateway it was introduced to is dead", now);
    if (is_hopeless(tree, slot, status))
        stop_begin(tree, WEXITSTATUS(status), now);
    tree_settle(tree, now);
}

/* Text for people: what does not fit is cut. */
static void keep(struct span text, char *buf, size_t size)
{
    size_t n = text.len < size - 1 ? text.len : size - 1;

    if (text.p == NULL)
        n = 0;
    if (n > 0)
        memcpy(buf, text.p, n);
    buf[n] = '\0';
}

static void keep_gauges(struct slot *slot, struct value gauges)
{
    if (!gauges.len)
        return;
    slot->gauges_lost = gauges.len > TREE_GAUGES_MAX;
    if (slot->gauges_lost) { /* old numbers would pass for new ones */
        slot->gauges_len = 0;
        return;
    }
    slot->gauges = x_realloc(slot->gauges, gauges.len);
    memcpy(slot->gauges, gauges.at, gauges.len);
    slot->gauges_len = gauges.len;
}

/* The reason is the end of a sentence that begins with "it". */
static void on_end_worker(struct tree *tree, const struct slot *from, const struct msg_end_worker *asked,
                          struct instant now)
{
    struct slot *worker = slot_of_incarnation(tree, asked->incarnation);

    if ((from != tree->watcher && from != tree->gateway) || worker == NULL || worker->policy->role != WORKER)
        return;
    if (worker->why != worker->said)
        keep(asked->reason, worker->said, sizeof worker->said);
    slot_event(tree, worker, EV_END, worker->said, now);
}

void tree_message(struct tree *tree, unsigned from_role, uint64_t from, const struct message *message,
                  struct instant now)
{
    struct slot *slot = slot_of_incarnation(tree, from);

    if (slot == NULL || slot->policy->role != from_role)
        return;
    switch (message->spec->id) {
    case MSG_READY:
        slot_event(tree, slot, EV_READY, "", now);
        keep(message->body.ready.degraded, slot->degraded, sizeof slot->degraded);
        if (slot->child.state == CHILD_READY)
            tree->ever_ready |= slot->policy->role;
        break;
    case MSG_BEAT:
        slot_event(tree, slot, EV_BEAT, "", now);
        keep(message->body.beat.doing, slot->doing, sizeof slot->doing);
        keep(message->body.beat.key, slot->key, sizeof slot->key);
        keep_gauges(slot, message->body.beat.gauges);
        return; /* the one message that comes all the time, and changes nothing for the others */
    case MSG_PEER_OK: introduce_answer(tree, slot, message->body.peer_ok.incarnation); break;
    case MSG_EPOCH_CLOSED: epoch_closed(tree, slot, message->body.epoch_closed.epoch); break;
    case MSG_LEAVING: slot->leaving = true; break;
    case MSG_SUSPECT: blame_suspect(tree, &message->body.suspect); return;
    case MSG_LEADERSHIP: leader_said(tree, &message->body.leadership); return;
    case MSG_ASK_HEALTH: leader_health(tree, message->body.ask_health.seq, now); return;
    case MSG_END_WORKER: on_end_worker(tree, slot, &message->body.end_worker, now); break;
    default: break;
    }
    tree_settle(tree, now);
}

void tree_end(struct tree *tree, uint64_t incarnation, const char *why, struct instant now)
{
    struct slot *slot = slot_of_incarnation(tree, incarnation);

    if (slot != NULL)
        slot_event(tree, slot, EV_END, why, now);
    tree_settle(tree, now);
}

bool tree_finished(const struct tree *tree, int *code)
{
    *code = tree->code;
    if (tree->phase != STOP_PHASES)
        return false;
    for (unsigned i = 0; i < tree->n_slots; i++)
        if (child_has_process(&tree->slots[i].child))
            return false;
    return true;
}

bool tree_ready(const struct tree *tree)
{
    if (!epoch_runs(tree) || tree->phase != STOP_NOT)
        return false;
    for (unsigned i = 0; i < tree->n_slots; i++) {
        const struct slot *slot = &tree->slots[i];

        if (scale_surplus(tree, slot))
            continue;
        if (slot->child.state != CHILD_READY || (slot->policy->role == WORKER && !slot->go))
            return false;
    }
    return true;
}

const struct tree_leader *tree_leader(const struct tree *tree)
{
    return &tree->leader;
}

/* A worker that was too many and has left is not shown any more. */
static const struct slot *row_slot(const struct tree *tree, unsigned index)
{
    for (unsigned i = 0; i < tree->n_slots; i++) {
        const struct slot *slot = &tree->slots[i];

        if (scale_surplus(tree, slot) && !child_has_process(&slot->child))
            continue;
        if (index-- == 0)
            return slot;
    }
    return NULL;
}

unsigned tree_count(const struct tree *tree)
{
    unsigned n = 0;

    while (row_slot(tree, n) != NULL)
        n++;
    return n;
}

bool tree_row(const struct tree *tree, unsigned index, struct instant now, struct tree_row *row)
{
    const struct slot *slot = row_slot(tree, index);
    if (slot == NULL)
        return false;
    const struct child *child = &slot->child;
    bool runs = child_has_process(child),
         waits = child->state == CHILD_BACKOFF || child->state == CHILD_PARKED;

    *row = (struct tree_row){
        .role = slot->policy->role,
        .slot = slot->number,
        .incarnation = child->incarnation,
        .pid = child->pid,
        .state = child_state_word(child->state),
        .uptime_ms = runs ? now.boot_ms - child->started_ms : 0,
        .restarts = child->starts > 0 ? child->starts - 1 : 0,
        .last_status = slot->last_status,
        .next_start_ms = waits && child->deadline_ms > now.boot_ms ? child->deadline_ms - now.boot_ms : 0,
        .doing = runs ? slot->doing : "",
        .key = runs ? slot->key : "",
        .degraded = child->state == CHILD_READY ? slot->degraded : "",
        .gauges = {.at = slot->gauges, .len = runs ? slot->gauges_len : 0},
        .gauges_lost = runs && slot->gauges_lost,
        .beat_age_ms = runs ? now.boot_ms - child->beat_ms : 0,
        .why = slot->why,
        .leaving = slot->leaving,
        .unasked =
            child->state == CHILD_STARTING || child->state == CHILD_READY || child->state == CHILD_CONDEMNED,
    };
    return true;
}
