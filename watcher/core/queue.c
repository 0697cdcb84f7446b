/* watcher/core/queue.c -- the work queue. A key is in one place only: waiting for its time, ready, or handed
 * out. Never looks at what is in an object. Called by events.c and jobs.c. */
#include "watcher/core/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "watcher/core/heap.h"

#define CHAINS_LEAST 64u

void queue_open(struct queue *queue, const struct hash_key *key, uint64_t *random)
{
    *queue = (struct queue){.hash = *key, .random = random, .n_chains = CHAINS_LEAST};
    queue->chains = x_calloc(queue->n_chains, sizeof *queue->chains);
}

static void work_free(struct queue *queue, struct work *work)
{
    queue->body_bytes -= work->body_len;
    free(work->body);
    free(work->key);
    free(work);
}

void queue_close(struct queue *queue)
{
    for (size_t i = 0; i < queue->n_chains; i++)
        while (queue->chains[i]) {
            struct work *work = queue->chains[i];

            queue->chains[i] = work->next;
            work_free(queue, work);
        }
    free(queue->chains);
    free(queue->delayed.items);
    free(queue->ready.items);
    *queue = (struct queue){0};
}

struct span work_ns(const struct work *work)
{
    return (struct span){.p = work->key, .len = work->ns_len};
}

struct span work_name(const struct work *work)
{
    const char *name = work->key + work->ns_len + 1;

    return (struct span){.p = name, .len = (uint32_t)strlen(name)};
}

static size_t chain_of(const struct queue *queue, struct span ns, struct span name)
{
    uint64_t h = hash_span(&queue->hash, hash_span(&queue->hash, 4, ns), name);

    return (size_t)h & (queue->n_chains - 1);
}

struct work *queue_find(const struct queue *queue, struct span ns, struct span name)
{
    struct work *work = queue->chains[chain_of(queue, ns, name)];

    while (work && (!span_same(work_ns(work), ns) || !span_same(work_name(work), name)))
        work = work->next;
    return work;
}

static void grow(struct queue *queue)
{
    struct work **old = queue->chains;
    size_t n_old = queue->n_chains;

    queue->n_chains *= 2;
    queue->chains = x_calloc(queue->n_chains, sizeof *queue->chains);
    for (size_t i = 0; i < n_old; i++)
        while (old[i]) {
            struct work *work = old[i];
            size_t at = chain_of(queue, work_ns(work), work_name(work));

            old[i] = work->next;
            work->next = queue->chains[at];
            queue->chains[at] = work;
        }
    free(old);
}

static struct work *work_new(struct queue *queue, struct span ns, struct span name)
{
    if (queue->count >= queue->n_chains)
        grow(queue);
    struct work *work = x_calloc(1, sizeof *work);
    size_t at = chain_of(queue, ns, name);

    work->key = x_asprintf("%.*s/%.*s", (int)ns.len, ns.p, (int)name.len, name.p);
    work->ns_len = ns.len;
    work->next = queue->chains[at];
    queue->chains[at] = work;
    queue->count++;
    return work;
}

/* Forgets a key that neither waits nor runs nor has anything on its account. */
static void work_settle(struct queue *queue, struct work *work)
{
    if (work->place != WORK_NOWHERE || work->processing || work->failures || work->absent_since)
        return;
    struct work **link = &queue->chains[chain_of(queue, work_ns(work), work_name(work))];
    while (*link != work)
        link = &(*link)->next;
    *link = work->next;
    queue->count--;
    work_free(queue, work);
}

static struct work_heap *heap_of(struct queue *queue, const struct work *work)
{
    return work->place == WORK_READY ? &queue->ready : &queue->delayed;
}

static void take_out(struct queue *queue, struct work *work)
{
    if (work->place != WORK_NOWHERE)
        queue_heap_remove(heap_of(queue, work), work);
    work->place = WORK_NOWHERE;
    queue->for_budget -= work->for_budget;
    work->for_budget = false;
}

static void put_in(struct queue *queue, struct work *work, enum work_place place, int64_t order)
{
    work->place = place;
    work->order = order;
    work->seq = queue->next_seq++;
    queue_heap_push(heap_of(queue, work), work);
}

static int64_t rank(const struct work *work, int64_t since_ms)
{
    static const int64_t later_ms[] = {[PRIORITY_PERIODIC] = QUEUE_PERIODIC_LATER_MS,
                                       [PRIORITY_INITIAL] = QUEUE_INITIAL_LATER_MS,
                                       [PRIORITY_LIVE] = 0,
                                       [PRIORITY_DELETE] = -QUEUE_DELETE_EARLIER_MS};

    return since_ms + later_ms[work->priority];
}

void queue_stale(struct queue *queue, struct work *work)
{
    queue->body_bytes -= work->body_len;
    free(work->body);
    work->body = NULL;
    work->body_len = 0;
}

static void keep_body(struct queue *queue, struct work *work, struct value body)
{
    queue_stale(queue, work);
    if (!body.at || body.len > QUEUE_BODIES_MAX - queue->body_bytes)
        return;
    work->body = x_malloc(body.len);
    memcpy(work->body, body.at, body.len);
    work->body_len = body.len;
    queue->body_bytes += body.len;
}

void queue_add(struct queue *queue, struct span ns, struct span name, enum queue_priority priority,
               struct value body, int64_t now_ms)
{
    struct work *work = queue_find(queue, ns, name);
    bool raised;

    if (!work) {
        work = work_new(queue, ns, name);
        work->priority = priority;
    }
    queue->adds += work->place != WORK_READY && !work->dirty; /* as client-go counts: not what is merged */
    raised = priority > work->priority;
    if (raised || (work->place == WORK_NOWHERE && !work->processing))
        work->priority = priority;
    if (work->processing) {
        work->dirty = true;
        return;
    }
    if (work->place == WORK_READY) {
        queue_stale(queue, work);
        if (!raised)
            return;
    } else {
        keep_body(queue, work, body);
    }
    if (work->place != WORK_READY)
        work->ready_ms = now_ms;
    take_out(queue, work);
    put_in(queue, work, WORK_READY, rank(work, now_ms));
}

void queue_add_after(struct queue *queue, struct work *work, int64_t delay_ms, int64_t now_ms)
{
    int64_t due = now_ms + (delay_ms > 0 ? delay_ms : 0);

    queue->retries += delay_ms > 0;
    if (work->place == WORK_READY || (work->place == WORK_DELAYED && work->order <= due))
        return;
    take_out(queue, work);
    put_in(queue, work, WORK_DELAYED, due);
}

void queue_wait_budget(struct queue *queue, struct work *work, int64_t delay_ms, int64_t now_ms)
{
    queue_add_after(queue, work, delay_ms, now_ms);
    if (work->place != WORK_DELAYED || work->for_budget)
        return;
    work->for_budget = true;
    queue->for_budget++;
}

void queue_come(struct queue *queue, struct work *work)
{
    if (work->place != WORK_READY && !work->for_budget)
        return;
    if (work->place != WORK_READY) {
        queue->adds++;
        work->ready_ms = INT64_MAX; /* it is taken at once */
    }
    take_out(queue, work);
    put_in(queue, work, WORK_READY, INT64_MIN);
}

void queue_come_all(struct queue *queue, int64_t within_ms, int64_t now_ms)
{
    for (size_t i = 0; queue->for_budget && i < queue->n_chains; i++)
        for (struct work *work = queue->chains[i]; work; work = work->next)
            if (work->for_budget) {
                take_out(queue, work);
                queue_add_after(queue, work,
                                (int64_t)hash_random_below(queue->random, (uint64_t)within_ms + 1), now_ms);
            }
}

int64_t queue_add_limited(struct queue *queue, struct work *work, int64_t now_ms)
{
    int64_t wait = QUEUE_BACKOFF_MAX_MS;

    if (work->failures < 18) /* 5 ms x 2^18 is beyond the cap */
        wait = (int64_t)QUEUE_BACKOFF_MIN_MS << work->failures;
    if (wait > QUEUE_BACKOFF_MAX_MS)
        wait = QUEUE_BACKOFF_MAX_MS;
    wait -= (int64_t)hash_random_below(queue->random, (uint64_t)wait / 10 + 1);
    work->failures++;
    queue_add_after(queue, work, wait, now_ms);
    return wait;
}

void queue_raise(struct work *work, enum queue_priority priority)
{
    if (work->priority < priority)
        work->priority = priority;
}

void queue_forget(struct work *work)
{
    work->failures = work->agains = work->strikes = 0;
}

void queue_drop(struct queue *queue, struct work *work)
{
    queue_forget(work);
    queue_stale(queue, work);
    take_out(queue, work);
    work->dirty = false;
    work->absent_since = 0;
    work_settle(queue, work);
}

struct work *queue_take(struct queue *queue, int64_t now_ms)
{
    while (queue->delayed.count && queue->delayed.items[0]->order <= now_ms) {
        struct work *due = queue->delayed.items[0];
        int64_t since = due->order;

        queue->adds++;
        due->ready_ms = since;
        take_out(queue, due);
        put_in(queue, due, WORK_READY, rank(due, since));
    }
    if (!queue->ready.count)
        return NULL;
    struct work *work = queue->ready.items[0];
    histogram_add(&queue->waits, &buckets_queue, work->ready_ms < now_ms ? now_ms - work->ready_ms : 0);
    take_out(queue, work);
    work->processing = true;
    return work;
}

void queue_done(struct queue *queue, struct work *work, int64_t now_ms)
{
    work->processing = false;
    queue_stale(queue, work);
    if (work->dirty) {
        work->dirty = false;
        work->ready_ms = now_ms;
        take_out(queue, work);
        put_in(queue, work, WORK_READY, rank(work, now_ms));
    }
    work_settle(queue, work);
}

int64_t queue_next_ms(const struct queue *queue)
{
    if (queue->ready.count)
        return 0;
    return queue->delayed.count ? queue->delayed.items[0]->order : INT64_MAX;
}

size_t queue_depth(const struct queue *queue)
{
    return queue->ready.count + queue->delayed.count;
}

void queue_ready(const struct queue *queue, uint64_t counts[PRIORITIES])
{
    memset(counts, 0, PRIORITIES * sizeof counts[0]);
    for (size_t i = 0; i < queue->ready.count; i++)
        counts[queue->ready.items[i]->priority]++;
}
