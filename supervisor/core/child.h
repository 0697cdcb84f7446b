/* supervisor/core/child.h -- the life of one child as a table of state x event. Owns the state, the
 * watchdog's deadline and the memory of deaths of one slot; touches no process and asks no clock. Called by
 * the other files of this folder only. */
#ifndef SUPERVISOR_CORE_CHILD_H
#define SUPERVISOR_CORE_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/core/policy.h"

/*   STATE, word in status, has a process */
#define CHILD_STATES(S)                                                                                      \
    S(CHILD_STOPPED, "stopped", 0)   /* no process, no delay: started as soon as the tree allows it */       \
    S(CHILD_STARTING, "starting", 1) /* forked, has not said READY */                                        \
    S(CHILD_READY, "ready", 1)       /* said READY; must beat */                                             \
    S(CHILD_DRAINING, "draining", 1) /* asked to finish and leave */                                         \
    S(CHILD_CONDEMNED, "ending", 1)  /* got a signal for a fault of its own: the death counts */             \
    S(CHILD_SACRIFICED, "ending", 1) /* got a signal for another's sake: the death does not count */         \
    S(CHILD_BACKOFF, "backoff", 0)   /* dead, waits before its next start */                                 \
    S(CHILD_PARKED, "parked", 0)     /* died too often, waits long or for a human */

enum child_state {
#define AS_STATE(STATE, word, alive) STATE,
    CHILD_STATES(AS_STATE)
#undef AS_STATE
        CHILD_STATE_COUNT
};

#define CHILD_EVENTS(E)                                                                                      \
    E(EV_START)     /* the tree allows it to run */                                                          \
    E(EV_READY)     /* its READY arrived */                                                                  \
    E(EV_BEAT)      /* a sign of life from its work loop */                                                  \
    E(EV_UNBORN)    /* fork or exec failed: nothing ran */                                                   \
    E(EV_DIED)      /* reaped */                                                                             \
    E(EV_TIMER)     /* deadline_ms has passed */                                                             \
    E(EV_END)       /* a sibling proved that it does not work, or its introduction failed: kill */           \
    E(EV_SACRIFICE) /* whom it was introduced to is dead (design 12.3): kill */                              \
    E(EV_RETIRE)    /* not wanted any more: finish and leave */                                              \
    E(EV_REVIVE)    /* an operator: try again now */

enum child_event {
#define AS_EVENT(EVENT) EVENT,
    CHILD_EVENTS(AS_EVENT)
#undef AS_EVENT
        CHILD_EVENT_COUNT
};

/* What the caller must do to the real process. */
enum child_order { ORDER_NOTHING, ORDER_SPAWN, ORDER_DRAIN, ORDER_ABORT, ORDER_KILL };

#define CHILD_DEATHS_KEPT 16u
#define CHILD_NEVER       INT64_MAX

struct child {
    const struct restart_policy *policy;
    enum child_state state;
    int64_t pid;                        /* 0 without a process */
    uint64_t incarnation;               /* of the process, or of the last one */
    int64_t deadline_ms;                /* boot ms of EV_TIMER; CHILD_NEVER without one */
    int64_t started_ms;                 /* boot ms of the spawn */
    int64_t ready_ms;                   /* boot ms of READY; 0 before */
    int64_t beat_ms;                    /* boot ms of the last sign of life */
    unsigned streak;                    /* deaths in a row without a stable run between them */
    unsigned unborn;                    /* starts in a row that made no process */
    int64_t died_ms[CHILD_DEATHS_KEPT]; /* ring of deaths that count; [deaths % KEPT] is the oldest */
    unsigned deaths;                    /* that count, ever */
    uint64_t starts;                    /* spawns ever */
    bool charged; /* its death, should it come now, is charged to an object, not to the slot */
};

/* Moves child by one event. draw: a random number, used for the delay after a death. After ORDER_SPAWN the
 * caller sets pid and incarnation, or reports EV_UNBORN when it could not. Every other order is for pid. */
enum child_order child_step(struct child *child, enum child_event event, int64_t now_ms, uint64_t draw);

bool child_has_process(const struct child *child);
const char *child_state_word(enum child_state state);

#endif
