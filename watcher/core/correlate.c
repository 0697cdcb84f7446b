/* watcher/core/correlate.c -- see correlate.h. Pure. */
#include "watcher/core/correlate.h"

#include <string.h>

/* Of a table whose entries begin with a head: the entry of that key, or where it goes: a free place, or the
 * one that was used longest ago. */
static void *place_of(void *table, size_t size, uint64_t key)
{
    struct head *best = table;

    for (size_t i = 0; i < CORRELATE_KEPT; i++) {
        struct head *head = (void *)((char *)table + i * size);

        if (head->key == key)
            return head;
        if (head->used_ms < best->used_ms)
            best = head;
    }
    return best;
}

/* One token less; false when there is none. */
static bool allowed(struct correlator *c, uint64_t object, int64_t now_ms)
{
    struct allowance *a = place_of(c->allowances, sizeof *c->allowances, object);

    if (a->head.key != object)
        *a = (struct allowance){.head.key = object, .full_ms = now_ms};
    a->head.used_ms = now_ms;
    if (a->full_ms < now_ms)
        a->full_ms = now_ms;
    if (a->full_ms + CORRELATE_REFILL_MS - now_ms > (int64_t)CORRELATE_BURST * CORRELATE_REFILL_MS)
        return false;
    a->full_ms += CORRELATE_REFILL_MS;
    return true;
}

/* Have so many different messages come lately that this one is told with the others? */
static bool is_similar(struct correlator *c, uint64_t group, uint64_t message, int64_t now_ms)
{
    struct similar *s = place_of(c->similar, sizeof *c->similar, group);

    if (s->head.key != group || now_ms - s->head.used_ms > CORRELATE_WINDOW_MS)
        *s = (struct similar){.head.key = group};
    s->head.used_ms = now_ms;
    for (unsigned i = 0; i < s->n; i++)
        if (s->messages[i] == message)
            return s->n == CORRELATE_SIMILAR;
    if (s->n < CORRELATE_SIMILAR)
        s->messages[s->n++] = message;
    return s->n == CORRELATE_SIMILAR;
}

struct told *correlate(struct correlator *c, uint64_t object, uint64_t group, uint64_t message,
                       int64_t now_ms, bool *combined)
{
    *combined = is_similar(c, group, message, now_ms);
    if (!allowed(c, object, now_ms))
        return NULL;
    uint64_t key = *combined ? group : group ^ message;
    struct told *told = place_of(c->told, sizeof *c->told, key);

    if (told->head.key != key)
        *told = (struct told){.head.key = key};
    told->head.used_ms = now_ms;
    told->count++;
    return told;
}

void correlate_forget(struct correlator *c, uint64_t number)
{
    for (unsigned i = 0; i < CORRELATE_KEPT; i++)
        if (c->told[i].number == number)
            c->told[i] = (struct told){.count = 0};
}
