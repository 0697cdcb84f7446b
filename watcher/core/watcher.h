/* watcher/core/watcher.h -- everything the watcher decides: which events are work, what is known of each
 * object, the queue, which job goes to which worker, which writes of a worker are carried out. No socket, no
 * clock; HTTP requests leave through ops and come back as results. Driven by watcher/main.c and by
 * tests/world. */
#ifndef WATCHER_CORE_WATCHER_H
#define WATCHER_CORE_WATCHER_H

#include <stdbool.h>

#include "base/clock.h"
#include "proto/buckets.h"
#include "proto/messages.h"

struct watcher_core;

/* A request to start now; pointers are borrowed for the time of the call. */
struct watcher_request {
    uint64_t id;
    const char *method;       /* GET, PATCH, POST, PUT */
    const char *path;         /* with query, percent-encoded:
                                 "/apis/extensions.gardener.cloud/v1alpha1/infrastructures?limit=500" */
    const char *content_type; /* NULL without a body */
    const char *body;         /* NUL-terminated JSON, or NULL */
    bool once;                /* POST: fresh connection, never sent again (kubernetes 5.6, 42) */
    bool fresh;               /* not on a connection that is already there */
    bool list;                /* its items come in through watcher_core_item(), one by one; its result's body
                                 is the list without them */
    bool election;            /* about the leader Lease: waits behind nothing else (kubernetes 6.2) */
    bool secret;              /* the answer holds a Secret, which no connection shall keep */
    int64_t start_before;     /* CLOCK_BOOTTIME ms, INT64_MAX without leadership: not to be started later
                                 (design 12.15) */
    int64_t end_before; /* the same clock: its time-out ends then at the latest; INT64_MAX or 0: the usual */
};

enum watcher_fate { KUBE_ANSWERED, KUBE_NOT_SENT, KUBE_LOST, KUBE_FENCED };

struct watcher_result {
    uint64_t id;
    enum watcher_fate fate;
    int status;
    const char *body; /* body_len bytes, NUL after them */
    size_t body_len;
    int64_t retry_after_ms; /* integer Retry-After only (kubernetes 49), else -1 */
    const char *detail;     /* the HTTP library's sentence when there is no answer, or "" */
};

/* Leader election (kubernetes 6.2); without a name there is none, and GO is leadership. Texts live as long as
 * the core. */
struct watcher_election {
    const char *ns, *name, *identity;
    int64_t duration_ms, renew_ms, retry_ms;
};

struct watcher_config {
    uint64_t seed; /* of the jitter and of the keyed hashes */
    uint64_t incarnation;
    bool ignore_operation; /* --ignore-operation-annotation (gardener 3.4) */
    const char *classes;   /* --extension-classes, comma separated; "" = shoot (gardener 3.2) */
    const char *field_manager;
    struct watcher_election election;
    const char *heartbeat_ns; /* "" or NULL: no heartbeat Lease (gardener 8.1). Lives as long as the core */
    int64_t heartbeat_ms;
    int64_t sync_timeout_ms;   /* of the leader's first list; 0: none (kubernetes 29) */
    uint64_t quarantine_after; /* workers that die at an object put it into quarantine; 0: never */
    int64_t check_every_ms;    /* each object is looked at for drift so often; 0: never (design 12.12) */
};

enum watcher_stream { STREAM_OBJECTS, STREAM_LEASE };

struct watcher_ops {
    void *ctx;
    /* to: the receiver's incarnation, role WORKER, GATEWAY or SUPERVISOR. */
    void (*send)(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                 const struct envelope *envelope);
    void (*request)(void *ctx, const struct watcher_request *request);
    /* One watch of each kind at a time. The stream's events come in through watcher_core_event(), its end
     * through _watch_ended(). */
    void (*watch)(void *ctx, enum watcher_stream stream, const char *path);
    void (*unwatch)(void *ctx, enum watcher_stream stream);
};

struct watcher_core *watcher_core_new(const struct watcher_config *config, const struct watcher_ops *ops,
                                      struct instant now);
void watcher_core_free(struct watcher_core *core);

/* PEER, PEER_GONE, SUSPECTED, RELEASE, HOLD, RETRY, GO, HEALTH, DRAIN from the supervisor; IDLE, STARTED,
 * PATCH, FETCH, NOTE, DONE from workers; GRANTED, REVOKED, COME from the gateway. from: role and incarnation
 * as proven by the bus. The first GO starts the election; who leads lists and watches. */
void watcher_core_message(struct watcher_core *core, unsigned from_role, uint64_t from,
                          const struct message *message, struct instant now);
void watcher_core_result(struct watcher_core *core, const struct watcher_result *result, struct instant now);
/* One whole item of the list that request `id` asked for, before its result. */
void watcher_core_item(struct watcher_core *core, uint64_t id, const char *json, size_t len,
                       struct instant now);
/* One whole event of the stream, {"type":...,"object":...}. */
void watcher_core_event(struct watcher_core *core, enum watcher_stream stream, const char *json, size_t len,
                        struct instant now);
/* status: of the HTTP answer when it was no stream (410, 403 ...), body its Status; 0 when the stream or its
 * connection ended; -1 when no connection came about, body says why. */
void watcher_core_watch_ended(struct watcher_core *core, enum watcher_stream stream, int status,
                              const char *body, size_t len, int64_t retry_after_ms, struct instant now);
void watcher_core_tick(struct watcher_core *core, struct instant now);
int64_t watcher_core_next_ms(const struct watcher_core *core);

/* The first list is complete (kubernetes 29). */
bool watcher_core_synced(const struct watcher_core *core);
/* How many lists have been complete. */
uint64_t watcher_core_lists(const struct watcher_core *core);
/* It was to be within config.sync_timeout_ms, and is not. */
bool watcher_core_overdue(const struct watcher_core *core);
bool watcher_core_finished(const struct watcher_core *core);
/* Leadership was lost: nothing is done any more, the process ends with EXIT_LEASE_LOST. */
bool watcher_core_lost(const struct watcher_core *core);
/* Results as controller-runtime counts them (kubernetes 3.4); a worker that died at a job is its panic. */
enum measured_result { RESULT_SUCCESS, RESULT_ERROR, RESULT_REQUEUE, RESULT_REQUEUE_AFTER, RESULTS };

struct measures {
    uint64_t results[RESULTS];
    uint64_t held;                    /* of the errors, those that wait for the next event */
    uint64_t checks[CHECKS];          /* for drift, by enum check_result */
    struct histogram reconcile, work; /* the same times, in two tables of bounds */
};

#define WATCHER_PRIORITIES 4 /* periodic work, first list, live change, deletion */

/* Numbers for the beat and the metrics. */
struct watcher_gauges {
    uint64_t objects, queued, ready, waiting_for_budget, running, requests, leading, quarantined; /* now */
    uint64_t quarantines;                                                        /* since the start */
    uint64_t events, lists, watches, unreadable, jobs, failed, strikes, refused; /* since the start */
    uint64_t renewals, renewals_failed, heartbeats, adds, retries;
    uint64_t watch_silent_ms;           /* since the stream, or what led to it, last said something */
    uint64_t unfinished_ms, longest_ms; /* of the jobs that run: sum, and the longest */
    const struct measures *measures;    /* the core's */
    const struct histogram *waits;
    uint64_t ready_by[WATCHER_PRIORITIES];
};
void watcher_core_gauges(const struct watcher_core *core, struct instant now, struct watcher_gauges *out);
/* "watching, 200 objects, 3 queued, 2 running". Core-owned. */
const char *watcher_core_doing(struct watcher_core *core);

#endif
