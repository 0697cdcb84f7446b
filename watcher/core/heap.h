/* watcher/core/heap.h -- a binary heap of queued keys, least order first, then least seq. Each key knows its
 * place so that it can be taken out anywhere. Owns the array, not the keys. Called by queue.c. */
#ifndef WATCHER_CORE_HEAP_H
#define WATCHER_CORE_HEAP_H

#include "watcher/core/queue.h"

void queue_heap_push(struct work_heap *heap, struct work *work);
void queue_heap_remove(struct work_heap *heap, struct work *work);

#endif
