/* watcher/core/demand.c -- guesses a job's calls to Packet from what the object records, so that they can be
 * reserved before it begins. A wrong guess costs nobody anything but a short wait: what is not used is given
 * back, and what is used beyond it is charged to the object's next turn. Called by grants.c. */
#include "watcher/core/demand.h"

#define FORCE_PATIENCE_MS 10000 /* design 12.6 */

/* One key, and no doubt about it: worker and gateway need no list to remove it (design 12.8). */
static bool is_certain(const struct object *object)
{
    struct value state = value_get(object->status, "state");
    struct span id = value_text(value_get(state, "id"));
    struct span shown = value_text(value_at(object->status, "providerStatus", "sshKeyID", NULL));

    return id.len && (!shown.len || span_same(id, shown)) && !value_count(value_get(state, "attempts")) &&
           !value_count(value_get(state, "obsolete")) && !value_text(value_get(state, "unsettled")).len;
}

/* The control plane moves to another seed, or has: nothing in Packet changes. */
static bool is_migrating(const struct object *object)
{
    if (span_is(object->operation, "migrate"))
        return true;
    return span_is(object->op_type, "Migrate") && !object->deletion.len &&
           !span_is(object->operation, "restore");
}

struct demand demand_of(const struct object *object, const struct cluster *cluster, bool periodic)
{
    bool certain = is_certain(object);
    int64_t observed = 0;

    if (is_migrating(object))
        return (struct demand){.lane = LANE_READ};
    if (object->deletion.len)
        return (struct demand){.lane = LANE_DELETE,
                               .calls = !object->finalizer ? 0
                                        : certain          ? 1
                                                           : 2,
                               .patience_ms = cluster->force_delete ? FORCE_PATIENCE_MS : 0};
    value_int(value_get(object->status, "observedGeneration"), &observed);
    if (!certain || observed != object->generation || span_is(object->operation, "restore"))
        return (struct demand){.lane = LANE_CREATE, .calls = 2};
    return (struct demand){.lane = periodic ? LANE_DRIFT : LANE_READ, .calls = 1};
}
