/* watcher/core/queue.h -- which key is to be worked on next: client-go's semantics (kubernetes 3.1 to 3.4)
 * with priorities that age. Owns the failures counted for each key and the few bodies kept with queued keys.
 * Called by events.c and jobs.c. */
#ifndef WATCHER_CORE_QUEUE_H
#define WATCHER_CORE_QUEUE_H

#include <stdbool.h>

#include "proto/buckets.h"
#include "watcher/core/hash.h"

#define QUEUE_BODIES_MAX                                                                                     \
    (1024u * 1024u)                  /* bytes of objects kept with queued keys, all together (design 12.14) */
#define QUEUE_BACKOFF_MIN_MS 5       /* kubernetes 32: 5 ms x 2^n ... */
#define QUEUE_BACKOFF_MAX_MS 1000000 /* ... up to 1000 s */

/* A key of a lower priority is served as if it had come this much later: live changes overtake a whole
 * initial list, and nothing waits longer than this behind newer ones (design 4). */
#define QUEUE_INITIAL_LATER_MS  (10 * 60 * 1000)
#define QUEUE_PERIODIC_LATER_MS (30 * 60 * 1000)
/* A deletion that just came is prepared before all that is not one: it must reach its lane to overtake. */
#define QUEUE_DELETE_EARLIER_MS (10 * 60 * 1000)

enum queue_priority { PRIORITY_PERIODIC, PRIORITY_INITIAL, PRIORITY_LIVE, PRIORITY_DELETE, PRIORITIES };
enum work_place { WORK_NOWHERE, WORK_DELAYED, WORK_READY };

/* One key that waits, runs, or has failures on its account. */
struct work {
    struct work *next; /* of the hash chain */
    char *key;         /* "namespace/name" */
    uint32_t ns_len;
    enum queue_priority priority;
    enum work_place place;
    size_t heap_at;         /* in the heap of its place */
    int64_t order;          /* of that heap: when it is due, or its rank among the ready */
    int64_t ready_ms;       /* since when it is ready */
    uint64_t seq;           /* first come, first served among equals */
    bool processing, dirty; /* handed out; to be run again when it comes back (kubernetes 31) */
    bool for_budget;        /* delayed until COME; the delay is for the case that none comes */
    unsigned failures;      /* in a row */
    unsigned agains;        /* JOB_AGAIN in a row */
    unsigned strikes;       /* workers that died at it */
    uint64_t absent_since;  /* of JOB: handed from one run to the next (design 12.2) */
    void *body;             /* the object as the event brought it, msgpack, or NULL */
    size_t body_len;
};

struct work_heap {
    struct work **items;
    size_t count, room;
};

struct queue {
    struct work **chains;
    size_t n_chains, count;
    struct work_heap delayed, ready;
    struct hash_key hash;
    uint64_t *random; /* the core's state, for the jitter */
    uint64_t next_seq;
    size_t body_bytes;
    size_t for_budget; /* keys that wait for COME */
    uint64_t adds, retries;
    struct histogram waits; /* from ready to handed out */
};

void queue_open(struct queue *queue, const struct hash_key *key, uint64_t *random);
void queue_close(struct queue *queue);

struct span work_ns(const struct work *work);
struct span work_name(const struct work *work);

struct work *queue_find(const struct queue *queue, struct span ns, struct span name);
/* To be run now. A waiting key becomes ready, a running one dirty, a ready one keeps its place
 * (kubernetes 3.3). body is copied when it is the only news of the key and fits QUEUE_BODIES_MAX; else the
 * run reads afresh. */
void queue_add(struct queue *queue, struct span ns, struct span name, enum queue_priority priority,
               struct value body, int64_t now_ms);
/* To be run after delay_ms. The earlier of two delays stays (kubernetes 33). */
void queue_add_after(struct queue *queue, struct work *work, int64_t delay_ms, int64_t now_ms);
/* To be run when queue_come() is told of it, at the latest after delay_ms. */
void queue_wait_budget(struct queue *queue, struct work *work, int64_t delay_ms, int64_t now_ms);
/* Its turn has come: next of all, as its budget is held for seconds only. Nothing happens to a key that runs,
 * or waits for something else. */
void queue_come(struct queue *queue, struct work *work);
/* Whoever was to call them is gone: those that wait for budget ask again, in their own time within this. */
void queue_come_all(struct queue *queue, int64_t within_ms, int64_t now_ms);
/* Counts a failure and waits 5 ms x 2^n, up to 1000 s, minus up to a tenth (kubernetes 32). Returns the wait.
 */
int64_t queue_add_limited(struct queue *queue, struct work *work, int64_t now_ms);
/* Of a key that is handed out: what its next turns count as. */
void queue_raise(struct work *work, enum queue_priority priority);
/* Resets the failures; does not take the key out (kubernetes 3.1). */
void queue_forget(struct work *work);
/* A later event of the key: a body kept with it is no longer the newest. */
void queue_stale(struct queue *queue, struct work *work);
/* The object is gone: not to be run (again). */
void queue_drop(struct queue *queue, struct work *work);

/* Hands out the next key that is due, or NULL. queue_done() must follow. */
struct work *queue_take(struct queue *queue, int64_t now_ms);
/* The run is over; a dirty key is ready again. work may be gone after this. */
void queue_done(struct queue *queue, struct work *work, int64_t now_ms);

/* When the next waiting key is due, INT64_MAX when none waits; now or earlier when one is ready. */
int64_t queue_next_ms(const struct queue *queue);
/* Keys that wait or are ready. */
size_t queue_depth(const struct queue *queue);
/* How many are ready, by their priority. */
void queue_ready(const struct queue *queue, uint64_t counts[PRIORITIES]);

#endif
