/* watcher/beat.h -- the numbers in the watcher's beat, for packetctl and the metrics. Called by main.c. */
#ifndef WATCHER_BEAT_H
#define WATCHER_BEAT_H

#include "proto/pack.h"
#include "watcher/access.h"
#include "watcher/core/watcher.h"

/* One map from names to numbers, histograms (their sum in ms, then one count for each bucket) and maps. */
void beat_pack(struct pack *out, const struct watcher_core *core, uint64_t started, uint64_t failed,
               const struct access *access);

#endif
