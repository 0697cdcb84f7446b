/* supervisor/core/child.c -- one child's life: the table of state x event, when a death is early, when a slot
 * is parked, and the watchdog's deadlines. No system call, no clock, no memory of its own. Called by the
 * files of supervisor/core/; walked exhaustively by tests/unit/test_supervisor_child.c. */
#include "supervisor/core/child.h"

#include <stddef.h>

/* What a cell of the table does besides moving to the next state. */
enum act {
    ACT_IGNORE, /* zero, so that a hole in the table is "nothing happens" */
    ACT_MOVE,   /* only the state changes */
    ACT_ALIVE,  /* a sign of life: the watchdog starts anew */
    ACT_SPAWN,
    ACT_DRAIN,
    ACT_ABORT, /* SIGABRT, for the backtrace (design 2) */
    ACT_KILL,
    ACT_UNBORN, /* the machine had nothing for it: wait ever longer, but no slot is parked for that */
    ACT_DEATH,  /* count the death: backoff, or parked */
    ACT_GONE    /* reaped, and the death is nobody's fault */
};

static const struct cell {
    enum child_state next;
    enum act act;
} table[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {
    [CHILD_STOPPED] =
        {
            [EV_START] = {CHILD_STARTING, ACT_SPAWN},
        },
    [CHILD_STARTING] =
        {
            [EV_READY] = {CHILD_READY, ACT_ALIVE},
            [EV_UNBORN] = {CHILD_BACKOFF, ACT_UNBORN},
            [EV_DIED] = {CHILD_BACKOFF, ACT_DEATH},
            [EV_TIMER] = {CHILD_CONDEMNED, ACT_ABORT}, /* up is not ready: START_DEADLINE_MS */
            [EV_END] = {CHILD_CONDEMNED, ACT_KILL},
            [EV_SACRIFICE] = {CHILD_SACRIFICED, ACT_KILL},
            [EV_RETIRE] = {CHILD_DRAINING, ACT_DRAIN},
        },
    [CHILD_READY] =
        {
            [EV_BEAT] = {CHILD_READY, ACT_ALIVE},
            [EV_DIED] = {CHILD_BACKOFF, ACT_DEATH},
            [EV_TIMER] = {CHILD_CONDEMNED, ACT_ABORT}, /* silent for BEAT_MISSED_MS */
            [EV_END] = {CHILD_CONDEMNED, ACT_KILL},
            [EV_SACRIFICE] = {CHILD_SACRIFICED, ACT_KILL},
            [EV_RETIRE] = {CHILD_DRAINING, ACT_DRAIN},
        },
    [CHILD_DRAINING] =
        {
            [EV_READY] = {CHILD_DRAINING, ACT_DRAIN}, /* only now it can hear the request */
            [EV_DIED] = {CHILD_STOPPED, ACT_GONE},
            [EV_TIMER] = {CHILD_SACRIFICED, ACT_KILL},
            [EV_END] = {CHILD_SACRIFICED, ACT_KILL},
            [EV_SACRIFICE] = {CHILD_SACRIFICED, ACT_KILL},
        },
    [CHILD_CONDEMNED] =
        {
            [EV_DIED] = {CHILD_BACKOFF, ACT_DEATH},
            [EV_TIMER] = {CHILD_CONDEMNED, ACT_KILL}, /* SIGABRT was not enough */
            [EV_END] = {CHILD_CONDEMNED, ACT_KILL},
            [EV_SACRIFICE] = {CHILD_CONDEMNED, ACT_KILL}, /* hurry, but it remains its own fault */
            [EV_RETIRE] = {CHILD_SACRIFICED, ACT_KILL},
        },
    [CHILD_SACRIFICED] =
        {
            [EV_DIED] = {CHILD_STOPPED, ACT_GONE},
            [EV_TIMER] = {CHILD_SACRIFICED, ACT_KILL},
        },
    [CHILD_BACKOFF] =
        {
            [EV_TIMER] = {CHILD_STARTING, ACT_SPAWN},
            [EV_RETIRE] = {CHILD_STOPPED, ACT_MOVE},
            [EV_REVIVE] = {CHILD_STARTING, ACT_SPAWN},
        },
    [CHILD_PARKED] =
        {
            [EV_TIMER] = {CHILD_STARTING, ACT_SPAWN},
            [EV_RETIRE] = {CHILD_STOPPED, ACT_MOVE},
            [EV_REVIVE] = {CHILD_STARTING, ACT_SPAWN},
        },
};

static const struct {
    const char *word;
    bool process;
} states[] = {
#define AS_ROW(STATE, word, process) [STATE] = {word, process},
    CHILD_STATES(AS_ROW)
#undef AS_ROW
};

bool child_has_process(const struct child *child)
{
    return states[child->state].process;
}

const char *child_state_word(enum child_state state)
{
    return (unsigned)state < CHILD_STATE_COUNT ? states[state].word : "?";
}

/* Remembers a death. One after a stable run (READY to last sign of life) ends the streak: such a child works,
 * and what ends it comes from outside, so that kills by no memory or by a person never add up to a park.
 * So does one at an object: that goes into quarantine for it.
 * Returns whether the slot is to be parked: more than deaths_max early deaths in a row, and within the
 * window. */
static bool death_parks(struct child *child, int64_t now_ms)
{
    const struct restart_policy *p = child->policy;
    bool stable =
        child->charged || (child->ready_ms != 0 && child->beat_ms - child->ready_ms >= p->stable_ms);

    child->charged = false;

    child->died_ms[child->deaths++ % CHILD_DEATHS_KEPT] = now_ms;
    child->streak = stable ? 1 : child->streak + 1;
    if (p->deaths_max == 0 || child->streak <= p->deaths_max)
        return false;
    unsigned first = child->deaths - 1 - p->deaths_max; /* no underflow: a streak is part of all deaths */
    return now_ms - child->died_ms[first % CHILD_DEATHS_KEPT] <= p->window_ms;
}

static int64_t deadline_of(const struct child *child, int64_t now_ms, uint64_t draw)
{
    const struct restart_policy *p = child->policy;

    switch (child->state) {
    case CHILD_STARTING: return now_ms + START_DEADLINE_MS;
    case CHILD_READY: return now_ms + BEAT_MISSED_MS;
    case CHILD_DRAINING: return now_ms + p->drain_ms;
    case CHILD_CONDEMNED:
    case CHILD_SACRIFICED: return now_ms + ABORT_TO_KILL_MS;
    case CHILD_BACKOFF: return now_ms + policy_delay_ms(p, child->streak + child->unborn, draw);
    case CHILD_PARKED: return now_ms + p->park_ms;
    case CHILD_STOPPED:
    case CHILD_STATE_COUNT: break;
    }
    return CHILD_NEVER;
}

static enum child_order order_of(enum act act)
{
    switch (act) {
    case ACT_SPAWN: return ORDER_SPAWN;
    case ACT_DRAIN: return ORDER_DRAIN;
    case ACT_ABORT: return ORDER_ABORT;
    case ACT_KILL: return ORDER_KILL;
    default: return ORDER_NOTHING;
    }
}

/* The members that an act sets besides the state. */
static void apply(struct child *child, enum act act, enum child_event event, int64_t now_ms)
{
    if (act == ACT_SPAWN) {
        child->starts++;
        child->started_ms = child->beat_ms = now_ms;
        child->ready_ms = 0;
    }
    if (act == ACT_ALIVE)
        child->beat_ms = now_ms;
    if (event == EV_READY)
        child->ready_ms = now_ms;
    if (act == ACT_DEATH && death_parks(child, now_ms))
        child->state = CHILD_PARKED;
    if (act == ACT_UNBORN || act == ACT_DEATH || act == ACT_GONE) {
        child->unborn = act == ACT_UNBORN ? child->unborn + 1 : 0;
        child->pid = 0;
    }
}

enum child_order child_step(struct child *child, enum child_event event, int64_t now_ms, uint64_t draw)
{
    const struct cell *cell = &table[child->state][event];
    bool repeated = cell->act == ACT_DRAIN && child->state == CHILD_DRAINING;

    if (cell->act == ACT_IGNORE)
        return ORDER_NOTHING;
    child->state = cell->next;
    apply(child, cell->act, event, now_ms);
    if (!repeated) /* asking once more gives no more time */
        child->deadline_ms = deadline_of(child, now_ms, draw);
    return order_of(cell->act);
}
