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
/* READY, BEAT, PEER_OK, EPOCH_CLOSED, LEAVING, END_WORKER, LEADERSHIP, ASK_HEALTH. from: role and incarnation
 * as proven by the bus.
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

/* All children are gone after tree_stop, or the tree has given up; *code is the supervisor's exit code then.
 */
bool tree_finished(const struct tree *tree, int *code);
/* All parts READY and introduced. */
bool tree_ready(const struct tree *tree);

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
    struct value gauges; /* the numbers of its last beat, maybe texts; absent when there were none */
    int64_t beat_age_ms;
    const char *why; /* why it is (or, once dead, was) ended by a signal; "" when it was not. Static text */
    bool leaving;    /* it said that it ends by itself */
};
bool tree_row(const struct tree *tree, unsigned index, struct instant now, struct tree_row *row);

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
