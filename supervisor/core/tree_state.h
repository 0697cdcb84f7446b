/* supervisor/core/tree_state.h -- what is inside struct tree, and what the files of this folder do for each
 * other: tree.c (events in, rows out), introduce.c, epoch.c, watchdog.c, stop.c, roll.c, leader.c, blame.c.
 * They call down in that order and never back. Not for the shell. */
#ifndef SUPERVISOR_CORE_TREE_STATE_H
#define SUPERVISOR_CORE_TREE_STATE_H

#include "supervisor/core/child.h"
#include "supervisor/core/tree.h"

#define TREE_DOING_MAX 256u
#define TREE_KEY_MAX   (2u * LIMIT_NAME + 2u)

/* A place for one child. Slots outlive the processes in them. */
struct slot {
    struct child child;
    const struct role_policy *policy;
    uint64_t number; /* 0 to N-1 within its role */

    /* Introductions of the process in this slot to its partners (introduce.c), as sets of roles. */
    unsigned told;     /* both sides got PEER */
    unsigned knows;    /* it answered PEER_OK for them */
    unsigned known_to; /* they answered PEER_OK for it */
    int64_t told_ms;   /* when the last of its partners was told */
    bool go;           /* GO was sent */

    bool leaving;    /* it said that it ends by itself */
    int last_status; /* of the predecessor, as waitpid gave it */
    const char *why; /* why it is being ended; "" when it is not */
    char said[128];  /* the reason that a sibling gave, for why */
    char doing[TREE_DOING_MAX], key[TREE_KEY_MAX];
    char degraded[128]; /* what its confinement lacks, as it says; "" */
    uint8_t *gauges;    /* of the last beat that had any: one msgpack value */
    size_t gauges_len;
    bool gauges_lost; /* the last ones were more than TREE_GAUGES_MAX */
};

/* A restart under way, one process after the other (roll.c). */
struct roll {
    unsigned role;   /* 0: none */
    unsigned at;     /* index of the slot whose turn it is */
    uint64_t before; /* who has this incarnation or an earlier one is to be replaced */
};

struct tree {
    struct tree_config config;
    struct tree_ops ops;
    struct slot *slots; /* in the order of policy_roles(), each role's slots together */
    unsigned n_slots;
    struct slot *watcher, *gateway; /* into slots */
    uint64_t incarnations;          /* the last one given; the supervisor has the first */
    uint64_t random;
    unsigned ever_ready; /* set of roles that were READY at least once in the supervisor's life */

    uint64_t epoch;         /* the open one: the incarnation of the watcher that got GO; 0 without */
    uint64_t epoch_gateway; /* the gateway that may hold grants of it; 0 when none was introduced */
    bool closing;           /* EPOCH_OVER is under way */
    int64_t close_ms;       /* boot ms by which EPOCH_CLOSED must be here */

    struct tree_leader leader; /* as the watcher said last */

    bool held;                     /* by an operator: no job is begun */
    struct tree_suspect *suspects; /* TREE_SUSPECTS_MAX of them; an empty key is a free place */
    struct roll roll;
    uint64_t reload_before; /* who has this incarnation or an earlier one is to be replaced; 0: no reload */
    enum stop_phase phase;
    int code; /* what the supervisor exits with after the stop */
};

/* ---- slot.c */
/* Feeds one event to a slot and carries out the order. why: static text, used when it ends a process. */
void slot_event(struct tree *tree, struct slot *slot, enum child_event event, const char *why,
                struct instant now);
/* Whose process has this incarnation now; NULL when nobody's. */
struct slot *slot_of_incarnation(struct tree *tree, uint64_t incarnation);
struct slot *slot_of_pid(struct tree *tree, int64_t pid);
/* Workers that have a process, in any state. */
unsigned slot_live_workers(const struct tree *tree);
void slot_send(struct tree *tree, const struct slot *to, enum msg_id id, const void *body);

/* ---- introduce.c */
void introduce_settle(struct tree *tree, struct instant now);
void introduce_answer(struct tree *tree, struct slot *from, uint64_t incarnation);
/* The process in this slot was reaped: its siblings hear of it, and whether its job is to blame; its
 * introductions are void. */
void introduce_forget(struct tree *tree, struct slot *dead, bool blameless, const char *cause);
bool introduce_done(const struct slot *slot);
/* When the introduction of this slot is overdue (boot ms), or CHILD_NEVER. */
int64_t introduce_deadline(const struct slot *slot);
/* The introduction is overdue: ends whoever did not answer. */
void introduce_overdue(struct tree *tree, struct slot *slot, struct instant now);

/* ---- epoch.c */
void epoch_settle(struct tree *tree, struct instant now);
void epoch_closed(struct tree *tree, const struct slot *from, uint64_t epoch);
/* The watcher has its GO and lives, and so does the gateway: workers may run. */
bool epoch_runs(const struct tree *tree);
int64_t epoch_deadline(const struct tree *tree);
void epoch_overdue(struct tree *tree, struct instant now);

/* ---- leader.c */
void leader_said(struct tree *tree, const struct msg_leadership *said);
void leader_forget(struct tree *tree);
/* Answers the watcher's question. */
void leader_health(struct tree *tree, uint64_t seq, struct instant now);

/* ---- blame.c */
/* Is a worker's death, in the state it had before, no fault of its job? */
bool blame_nobody(const struct tree *tree, const struct slot *dead, enum child_state was, struct instant now);
/* How and why it died, for people. */
void blame_cause(const struct slot *dead, int status, char *buf, size_t size);
void blame_suspect(struct tree *tree, const struct msg_suspect *suspect);
/* The new watcher hears of all suspects before its GO. */
void blame_hand_over(struct tree *tree);

/* ---- roll.c */
void roll_settle(struct tree *tree, struct instant now);
void reload_settle(struct tree *tree, struct instant now);

/* ---- stop.c */
void stop_begin(struct tree *tree, int code, struct instant now);
void stop_settle(struct tree *tree, struct instant now);

/* ---- scale.c */
/* Workers that are too many, and those that have left, are dealt with. */
bool scale_surplus(const struct tree *tree, const struct slot *slot);

/* ---- tree.c */
/* May the tree start a process in this slot now? */
bool tree_may_start(const struct tree *tree, const struct slot *slot);
/* Everything that follows from the present state: introductions, GO, epochs, the stop's next phase, starts.
 */
void tree_settle(struct tree *tree, struct instant now);

#endif
