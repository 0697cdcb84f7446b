/* watcher/core/lease_record.h -- what a Lease object says, and the bodies that are written to it
 * (kubernetes 6.1, 6.3). Owns nothing. Called by lease.c. */
#ifndef WATCHER_CORE_LEASE_RECORD_H
#define WATCHER_CORE_LEASE_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A Lease with a metadata.resourceVersion in `body`, or NULL. Its managedFields are left out. Caller releases
 * it with json_decref(). */
json_t *lease_record_parse(const char *body, size_t len);

/* "" when nobody holds it. */
const char *lease_record_holder(const json_t *lease);
const char *lease_record_version(const json_t *lease);
int64_t lease_record_duration_ms(const json_t *lease);
uint64_t lease_record_transitions(const json_t *lease);
/* Does the record (not the object around it) say the same? (6.3, step 3) */
bool lease_record_same(const json_t *a, const json_t *b);

enum lease_change {
    LEASE_RENEW,  /* the holder stays: acquireTime and leaseTransitions stay */
    LEASE_TAKE,   /* another one's before: acquireTime = now, one transition more */
    LEASE_RELEASE /* nobody's from now on, as client-go's ReleaseOnCancel */
};

/* The whole object for a PUT: what `lease` holds beside these fields stays (strategy, labels). Caller frees.
 */
char *lease_record_put(const json_t *lease, enum lease_change change, const char *holder, int64_t duration_ms,
                       int64_t wall_ms);
/* The object for a POST. Caller frees. */
char *lease_record_post(const char *ns, const char *name, const char *holder, int64_t duration_ms,
                        int64_t wall_ms);

#endif
