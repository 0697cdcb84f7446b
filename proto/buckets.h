/* proto/buckets.h -- the bounds of the histograms that dashboards of controller-runtime know
 * (kubernetes 3.5), so that who counts and who shows mean the same. Pure. Called by watcher/core and
 * exporter. */
#ifndef PROTO_BUCKETS_H
#define PROTO_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#define BUCKETS_MAX 41u /* with the one over all bounds */

struct bound {
    const char *text; /* in seconds, as client_golang writes it */
    double ms;
};

struct buckets {
    size_t n; /* bounds; one more bucket holds what is over all of them */
    const struct bound *bounds;
};

/* controller_runtime_reconcile_time_seconds; workqueue_*_duration_seconds. */
extern const struct buckets buckets_reconcile, buckets_queue;

/* What is counted: in which bucket, and the sum. */
struct histogram {
    uint64_t counts[BUCKETS_MAX];
    uint64_t sum_ms;
};

/* A negative time counts as none. */
void histogram_add(struct histogram *histogram, const struct buckets *buckets, int64_t ms);

#endif
