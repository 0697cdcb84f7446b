/* watcher/core/cluster.h -- the few things of a Cluster that matter here (gardener 4). Owns nothing. Called
 * by jobs.c. */
#ifndef WATCHER_CORE_CLUSTER_H
#define WATCHER_CORE_CLUSTER_H

#include "proto/messages.h"
#include "watcher/core/scan.h"

struct cluster {
    bool failed;       /* the Shoot's lastOperation.state is Failed (gardener 14) */
    bool force_delete; /* gardener 46 */
    char shoot_uid[LIMIT_UUID + 1];
};

/* Any apiVersion of the embedded Shoot is taken (gardener 4). Returns 0; -1 when the body is no Cluster or
 * its spec.shoot is no object. */
int cluster_read(struct text body, struct cluster *out);

#endif
