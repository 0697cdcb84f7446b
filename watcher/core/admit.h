/* watcher/core/admit.h -- which events are work: Gardener's predicates as a pure function (gardener 3). The
 * two that need another object (is the Shoot Failed? is there a Cluster?) are asked when the job is prepared.
 * Owns nothing. Called by events.c and jobs.c. */
#ifndef WATCHER_CORE_ADMIT_H
#define WATCHER_CORE_ADMIT_H

#include "watcher/core/cache.h"
#include "watcher/core/object.h"

struct admit_rules {
    bool ignore_operation; /* gardener 3.4 */
    const char *classes;   /* comma separated; "" = shoot */
};

/* Is the object of our type and class (gardener 3.2)? Others are not even remembered. */
bool admit_ours(const struct admit_rules *rules, const struct object *object);
/* Nothing is ever to be done for it as it stands: wait-for-state (gardener 15), or on its way out and without
 * our finalizer (gardener 41). */
bool admit_nothing(const struct object *object);
/* May the object be checked for drift, as nobody wants anything else of it (design 12.12)? */
bool admit_check(const struct object *object);
/* Is an object seen for the first time work (gardener 3.3 Create event, 13)? */
bool admit_new(const struct admit_rules *rules, const struct object *object);
/* Is this version of an object work, given what is known of the one before (gardener 3.3 Update event, design
 * 12.14)? rule and status: hashes of the new version. */
bool admit_change(const struct admit_rules *rules, const struct known *before, const struct object *now,
                  uint64_t rule, uint64_t status);
/* Does a version begin to show a run as under way, while nobody here is in one? Then the write of a dead
 * process has arrived late, and nobody would ever end what it shows (design 12.1). */
bool admit_orphan(const struct known *before, const struct object *now, uint64_t status);

#endif
