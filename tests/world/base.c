/* tests/world/base.c -- random numbers, the heap of events, the trace. Knows nothing of processes or servers.
 * Used by every file of the world. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/world.h"

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t below)
{
    return below ? rng_next(rng) % below : 0;
}

bool rng_chance(struct rng *rng, unsigned per_mille)
{
    return rng_below(rng, 1000) < per_mille;
}

static bool before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void heap_push(struct heap *heap, struct event *event)
{
    if (heap->count == heap->space) {
        heap->space = heap->space ? heap->space * 2 : 256;
        heap->items = x_realloc(heap->items, heap->space * sizeof *heap->items);
    }
    size_t i = heap->count++;
    while (i > 0 && before(event, heap->items[(i - 1) / 2])) {
        heap->items[i] = heap->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->items[i] = event;
}

struct event *heap_pop(struct heap *heap)
{
    if (heap->count == 0)
        return NULL;
    struct event *first = heap->items[0];
    struct event *last = heap->items[--heap->count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(heap->items[child], last))
            break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    if (heap->count > 0)
        heap->items[i] = last;
    return first;
}

struct event *event_post(struct world *world, int64_t delay_ms, bool (*run)(struct world *, struct event *))
{
    struct event *event = x_calloc(1, sizeof *event);

    event->run = run;
    event_again(world, event, delay_ms);
    return event;
}

void event_again(struct world *world, struct event *event, int64_t delay_ms)
{
    event->at = world->now.boot_ms + (delay_ms > 0 ? delay_ms : 0);
    event->seq = world->heap.next_seq++;
    heap_push(&world->heap, event);
}

void heap_free(struct heap *heap)
{
    for (struct event *event; (event = heap_pop(heap));) {
        free(event->data);
        free(event);
    }
    free(heap->items);
}

struct instant world_clock(const struct world *world)
{
    return (struct instant){.boot_ms = world->now.boot_ms,
                            .wall_ms = world->now.wall_ms + world->skew_ms,
                            .steady_ms = world->now.wall_ms + world->started_skew_ms};
}

void world_trace(struct world *world, const char *format, ...)
{
    if (!world->tracing)
        return;
    char *line = world->trace[world->trace_next++ % WORLD_TRACE];
    int at = snprintf(line, sizeof world->trace[0], "%10.3f ", (double)world->now.boot_ms / 1000.0);
    va_list args;

    va_start(args, format);
    vsnprintf(line + at, sizeof world->trace[0] - (size_t)at, format, args);
    va_end(args);
    if (world->verbose)
        printf("%s\n", line);
}

void world_print_trace(const struct world *world)
{
    unsigned lines = world->trace_next < WORLD_TRACE ? world->trace_next : WORLD_TRACE;

    for (unsigned i = world->trace_next - lines; i < world->trace_next; i++)
        printf("%s\n", world->trace[i % WORLD_TRACE]);
}

void world_violation(struct world *world, const char *format, ...)
{
    va_list args;

    if (world->violation[0])
        return;
    va_start(args, format);
    vsnprintf(world->violation, sizeof world->violation, format, args);
    va_end(args);
    world_trace(world, "VIOLATION %s", world->violation);
}
