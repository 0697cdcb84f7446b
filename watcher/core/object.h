/* watcher/core/object.h -- the parts of an Infrastructure that the watcher looks at. Owns nothing: everything
 * borrows from the msgpack it was read from. Called by events.c, admit.c, jobs.c, writes.c. */
#ifndef WATCHER_CORE_OBJECT_H
#define WATCHER_CORE_OBJECT_H

#include "watcher/core/hash.h"

#define OBJECT_FINALIZER "extensions.gardener.cloud/infrastructure"
#define OBJECT_OPERATION "gardener.cloud/operation"
#define OBJECT_TIMESTAMP "gardener.cloud/timestamp"

struct object {
    struct value whole, status;
    struct span ns, name, uid, version; /* present after object_read() */
    struct span type, class_name;       /* absent where the object has none */
    bool has_class;
    int64_t generation;
    struct span deletion, operation, timestamp;
    bool finalizer;                         /* ours is in the list */
    struct value finalizers;                /* the list */
    struct span op_type, op_state, op_time; /* status.lastOperation */
    struct span secret_ns, secret_name;
};

/* Reads what convert_object() made. Returns 0; -1 when it is no Infrastructure of our version, or its name,
 * namespace, uid or resource version is missing, too long or not fit for a path. */
int object_read(struct value whole, struct object *out);
/* May it stand in a path (kubernetes 1.11)? */
bool object_name_ok(struct span name);

/* Of what the update rule looks at: generation, deletionTimestamp, operation and timestamp (design 12.14). */
uint64_t object_rule_hash(const struct hash_key *key, const struct object *object);
uint64_t object_uid_hash(const struct hash_key *key, const struct object *object);
uint64_t object_status_hash(const struct hash_key *key, const struct object *object);

#endif
