/* watcher/core/heap.c -- the two orders of the queue. Owns the arrays, never a key. Called by queue.c. */
#include "watcher/core/heap.h"

#include "base/alloc.h"

static bool before(const struct work *a, const struct work *b)
{
    return a->order != b->order ? a->order < b->order : a->seq < b->seq;
}

static void set(struct work_heap *heap, size_t at, struct work *work)
{
    heap->items[at] = work;
    work->heap_at = at;
}

static void sift_up(struct work_heap *heap, size_t at)
{
    struct work *work = heap->items[at];

    while (at > 0 && before(work, heap->items[(at - 1) / 2])) {
        set(heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    set(heap, at, work);
}

static void sift_down(struct work_heap *heap, size_t at)
{
    struct work *work = heap->items[at];

    for (size_t child = 2 * at + 1; child < heap->count; child = 2 * at + 1) {
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(heap->items[child], work))
            break;
        set(heap, at, heap->items[child]);
        at = child;
    }
    set(heap, at, work);
}

void queue_heap_push(struct work_heap *heap, struct work *work)
{
    if (heap->count == heap->room) {
        heap->room = heap->room ? heap->room * 2 : 64;
        heap->items = x_realloc(heap->items, heap->room * sizeof *heap->items);
    }
    set(heap, heap->count++, work);
    sift_up(heap, work->heap_at);
}

void queue_heap_remove(struct work_heap *heap, struct work *work)
{
    size_t at = work->heap_at;
    struct work *last = heap->items[--heap->count];

    if (last == work)
        return;
    set(heap, at, last);
    sift_up(heap, at);
    sift_down(heap, last->heap_at);
}
