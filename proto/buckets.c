/* proto/buckets.c -- the tables of buckets.h. Owns nothing. */
#include "proto/buckets.h"

#include <stdlib.h>

static const char *const reconcile[] = {"0.005", "0.01", "0.025", "0.05", "0.1",  "0.15", "0.2", "0.25",
                                        "0.3",   "0.35", "0.4",   "0.45", "0.5",  "0.6",  "0.7", "0.8",
                                        "0.9",   "1",    "1.25",  "1.5",  "1.75", "2",    "2.5", "3",
                                        "3.5",   "4",    "4.5",   "5",    "6",    "7",    "8",   "9",
                                        "10",    "15",   "20",    "25",   "30",   "40",   "50",  "60"};
static const char *const queue[] = {
    "1e-08", "1e-07", "1e-06", "9.999999999999999e-06", "9.999999999999999e-05", "0.001", "0.01", "0.1", "1",
    "10",    "100",   "1000"};

const struct buckets buckets_reconcile = {sizeof reconcile / sizeof *reconcile, reconcile};
const struct buckets buckets_queue = {sizeof queue / sizeof *queue, queue};

void histogram_add(struct histogram *histogram, const struct buckets *buckets, int64_t ms)
{
    size_t at = 0;

    if (ms < 0)
        ms = 0;
    while (at < buckets->n && (double)ms > strtod(buckets->texts[at], NULL) * 1000)
        at++;
    histogram->counts[at]++;
    histogram->sum_ms += (uint64_t)ms;
}
