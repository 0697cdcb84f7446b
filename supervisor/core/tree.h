/* supervisor/core/tree.h -- the whole tree of processes as a value: who runs, who is to be started or ended,
 * who has been introduced to whom, which epoch is open. Decides; touches no process. Uses core/child.h for
 * the life of one child. Driven by supervisor/main.c and by tests/world. */
#ifndef SUPERVISOR_CORE_TREE_H
#define SUPERVISOR_CORE_TREE_H

#include <stdbool.h>

#include "base/clock.h"
#include "proto/messages.h"

struct tree;

struct tree_config {
    unsigned workers; /* 1 to 64 */
    bool exporter;    /* start the exporter too */
    uint64_t seed;    /* of the jitter on restart delays */
};

struct tree_ops {
    void *ctx;
    /* Starts a child. Returns its pid, or -1 when fork or exec failed (told as a death, with its delay). */
    int64_t (*spawn)(void *ctx, unsigned role, uint64_t slot, uint64_t incarnation);
    void (*kill)(void *ctx, int64_t pid, int signo);
    void (*send)(void *ctx, uint64_t to, enum msg_id id, const void *body);
};

struct tree *tree_new(const struct tree_config *config, const struct tree_ops *ops, struct instant now);
void tree_free(struct tree *tree);

/* Starts everything that may start now. */
void tree_start(struct tree *tree, struct instant now);
/* A child was reaped: status as waitpid gives it. */
void tree_reaped(struct tree *tree, int64_t pid, int status, struct instant now);
/* READY, BEAT, PEER_OK, EPOCH_CLOSED, LEAVING, END_WORKER, SUSPECT, LEADERSHIP, ASK_HEALTH. from: role and
 * incarnation as proven by the bus.
 */
void tree_message(struct tree *tree, unsigned from_role, uint64_t from, const struct message *message,
                  struct instant now);
/* Ends the process with this incarnation, for a fault of its own. why: static text. */
void tree_end(struct tree *tree, uint64_t incarnation, const char *why, struct instant now);
void tree_tick(struct tree *tree, struct instant now);
/* CLOCK_BOOTTIME ms of the next tick that is needed, or INT64_MAX. */
int64_t tree_next_ms(const struct tree *tree);
/* Ordered stop: workers finish their jobs, then watcher and gateway, then the exporter (gardener 66). */
void tree_stop(struct tree *tree, struct instant now);
/* Replaces all processes of the role: each ends its work first. rolling: one after the other. A restart under
 * way is forgotten. Returns how many processes that concerns; 0 while a stop is under way. */
unsigned tree_restart(struct tree *tree, unsigned role, bool rolling, struct instant now);

/* Replaces everybody, so that all that is read at a start is read again: workers leave when their job ends,
 * then watcher, gateway and exporter; their successors go on. Returns false while a stop is under way. */
bool tree_reload(struct tree *tree, struct instant now);
/* Runs so many workers from now on (1 to POLICY_WORKERS_MAX): more are started, those beyond leave when their
 * job ends. Returns false, and changes nothing, while a stop is under way or for another number. */
bool tree_scale(struct tree *tree, unsigned workers, struct instant now);
/* The watcher, also a later one, begins no job while on. Leadership and watch stay. */
void tree_hold(struct tree *tree, bool on);
bool tree_held(const struct tree *tree);
/* Says something to every process that reads its bus. */
void tree_tell_all(struct tree *tree, enum msg_id id, const void *body);
/* Says something to the watcher; false when there is none at work. */
bool tree_tell_watcher(struct tree *tree, enum msg_id id, const void *body);

/* All children are gone after tree_stop, or the tree has given up; *code is the supervisor's exit code then.
 */
bool tree_finished(const struct tree *tree, int *code);
/* All parts READY and introduced. */
bool tree_ready(const struct tree *tree);

#define TREE_GAUGES_MAX 4096u /* bytes of a beat's numbers; more is not kept */

/* How many processes there are to be. */
unsigned tree_count(const struct tree *tree);

/* One row for status; index from 0, false after the last. doing, key and gauges are
 * tree-owned. */
struct tree_row {
    unsigned role;
    uint64_t slot, incarnation;
    int64_t pid;
    const char *state; /* "starting", "ready", "draining", "ending", "backoff", "parked", "stopped" */
    int64_t uptime_ms;
    uint64_t restarts;
    int last_status;       /* of its predecessor, as waitpid gave it; 0 when there was none */
    int64_t next_start_ms; /* from now, when in backoff */
    const char *doing, *key;
    const char *degraded; /* what its confinement lacks, "" when nothing */
    struct value gauges;  /* the numbers of its last beat, maybe texts; absent when there were none */
    bool gauges_lost;     /* there were too many to be kept */
    int64_t beat_age_ms;
    const char *why; /* why it is (or, once dead, was) ended by a signal; "" when it was not. Static text */
    bool leaving;    /* it said that it ends by itself */
    bool unasked;    /* should it end now, nobody has asked for that: it is its own fault */
};
bool tree_row(const struct tree *tree, unsigned index, struct instant now, struct tree_row *row);

#define TREE_SUSPECTS_MAX 128u

/* An object at which workers died. The watcher decides what that means; it is kept here because watchers come
 * and go. */
struct tree_suspect {
    char key[2 * LIMIT_NAME + 2]; /* "namespace/name"; "" when free */
    char version[LIMIT_VERSION + 1], cause[LIMIT_TEXT + 1];
    uint64_t strikes, terms; /* deaths in a row; how often it was put into quarantine */
    uint64_t until;          /* CLOCK_BOOTTIME ms, the end of its quarantine; 0: it is in none */
    uint64_t struck;         /* seconds of wall clock, the last death */
    bool told;               /* its status says so */
    uint64_t deaths;         /* of watchers at it, in a row */
    bool unread;             /* so its body is not read until then (design 12.13) */
};
/* The index-th suspect, or NULL after the last. */
const struct tree_suspect *tree_suspect(const struct tree *tree, unsigned index);
/* Lets the object, or with key "" all of them, out of quarantine: one more trial each. Returns how many that
 * concerns. */
unsigned tree_release(struct tree *tree, const char *key);

/* The worker of this pid has ended with a job in hand, so its death is the object's matter and says nothing
 * of the slot. To be called before tree_reaped(). */
void tree_blame_job(struct tree *tree, int64_t pid);
/* The watcher has ended while it read this object ("namespace/name"), whose fault that may be. To be called
 * before tree_reaped(). */
void tree_blame_reading(struct tree *tree, const char *key, int status, struct instant now);

/* What the watcher said last of the leader Lease. */
struct tree_leader {
    bool elected;           /* there is an election; else the rest is empty */
    bool leading;           /* this tree is the leader */
    int64_t write_until_ms; /* CLOCK_BOOTTIME; 0 unless leading */
    uint64_t transitions;
    char lease[2 * LIMIT_NAME + 2]; /* "namespace/name" */
    char holder[LIMIT_HOLDER + 1];
};
const struct tree_leader *tree_leader(const struct tree *tree);

#endif
