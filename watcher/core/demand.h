/* watcher/core/demand.h -- what a job will ask of Packet's budget (design 12.6). Owns nothing. Called by
 * grants.c. */
#ifndef WATCHER_CORE_DEMAND_H
#define WATCHER_CORE_DEMAND_H

#include "proto/messages.h"
#include "watcher/core/cluster.h"
#include "watcher/core/object.h"

struct demand {
    enum lane lane;
    unsigned calls;      /* expected, to be reserved; 0: the job calls nobody */
    int64_t patience_ms; /* it begins after this whatever the budget says; 0: it waits */
};

/* periodic: nobody asked for this run, it looks for drift. */
struct demand demand_of(const struct object *object, const struct cluster *cluster, bool periodic);

#endif
