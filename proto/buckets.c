/* proto/buckets.c -- the tables of buckets.h. Owns nothing. */
#include "proto/buckets.h"

#define BOUND(seconds)                                                                                       \
    {                                                                                                        \
#seconds, (seconds)*1000.0                                                                           \
    }

static const struct bound reconcile[] = {
    BOUND(0.005), BOUND(0.01), BOUND(0.025), BOUND(0.05), BOUND(0.1),  BOUND(0.15), BOUND(0.2), BOUND(0.25),
    BOUND(0.3),   BOUND(0.35), BOUND(0.4),   BOUND(0.45), BOUND(0.5),  BOUND(0.6),  BOUND(0.7), BOUND(0.8),
    BOUND(0.9),   BOUND(1),    BOUND(1.25),  BOUND(1.5),  BOUND(1.75), BOUND(2),    BOUND(2.5), BOUND(3),
    BOUND(3.5),   BOUND(4),    BOUND(4.5),   BOUND(5),    BOUND(6),    BOUND(7),    BOUND(8),   BOUND(9),
    BOUND(10),    BOUND(15),   BOUND(20),    BOUND(25),   BOUND(30),   BOUND(40),   BOUND(50),  BOUND(60)};
static const struct bound queue[] = {BOUND(1e-08),
                                     BOUND(1e-07),
                                     BOUND(1e-06),
                                     BOUND(9.999999999999999e-06),
                                     BOUND(9.999999999999999e-05),
                                     BOUND(0.001),
                                     BOUND(0.01),
                                     BOUND(0.1),
                                     BOUND(1),
                                     BOUND(10),
                                     BOUND(100),
                                     BOUND(1000)};

const struct buckets buckets_reconcile = {sizeof reconcile / sizeof *reconcile, reconcile};
const struct buckets buckets_queue = {sizeof queue / sizeof *queue, queue};

void histogram_add(struct histogram *histogram, const struct buckets *buckets, int64_t ms)
{
    size_t at = 0;

    if (ms < 0)
        ms = 0;
    while (at < buckets->n && (double)ms > buckets->bounds[at].ms)
        at++;
    histogram->counts[at]++;
    histogram->sum_ms += (uint64_t)ms;
}
