/* worker/core/worker.h -- the reconcile logic of one worker as a value: messages in, messages out.
 * No socket, no clock, no random source, no JSON, no credential, no allocation: a recorded job gives the same
 * answers again. Driven by worker/main.c and by tests/world. */
#ifndef WORKER_CORE_WORKER_H
#define WORKER_CORE_WORKER_H

#include <stdbool.h>

#include "base/clock.h"
#include "proto/messages.h"

struct worker_core;

struct worker_ops {
    void *ctx;
    /* to: WATCHER or GATEWAY. body is the struct msg_* of id, borrowed for the time of the call. envelope:
     * correlation, epoch and deadline are set where they matter; the shell fills in from and to. */
    void (*send)(void *ctx, unsigned to, enum msg_id id, const void *body, const struct envelope *envelope);
};

/* One core holds one job at most. Caller frees with worker_core_free(). */
struct worker_core *worker_core_new(const struct worker_ops *ops, uint64_t incarnation);
void worker_core_free(struct worker_core *core);

/* GO, JOB, REPLY, FOUND, OUTCOME, DRAIN arrive here. A message that does not fit the job's step is counted
 * and ignored. */
void worker_core_message(struct worker_core *core, unsigned from, const struct message *message,
                         struct instant now);
/* Deadlines of steps. */
void worker_core_tick(struct worker_core *core, struct instant now);
/* CLOCK_BOOTTIME ms of the next tick that is needed, or INT64_MAX. */
int64_t worker_core_next_ms(const struct worker_core *core);

/* What a job's messages depend on beside the job. */
struct worker_counters {
    uint64_t next_seq, next_correlation, jobs_done, epoch;
};
struct worker_counters worker_core_counters(const struct worker_core *core);
/* A fresh core goes on as if it had come so far, and GO had come: for a recorded job. */
void worker_core_resume(struct worker_core *core, const struct worker_counters *counters);

bool worker_core_busy(const struct worker_core *core);
/* Asked to leave and holding nothing: the process may end. */
bool worker_core_finished(const struct worker_core *core);
/* What it does now, for the beat: "idle", "patching status to Processing", "waiting for CREATE". Static or
 * core-owned. */
const char *worker_core_doing(const struct worker_core *core);
/* "namespace/name" of the job, or NULL. */
const char *worker_core_key(const struct worker_core *core);
/* What controller-runtime's log calls it: "reconcile", "delete", "migrate" or "restore" (gardener 67);
 * "check" for a look for drift; "" when there is no job. */
const char *worker_core_operation(const struct worker_core *core);

#endif
