/* worker/core/view.h -- what a run remembers of the Infrastructure as the API server last showed it. */
#ifndef WORKER_CORE_VIEW_H
#define WORKER_CORE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"

#define FINALIZER            "extensions.gardener.cloud/infrastructure"
#define ANNOTATION_OPERATION "gardener.cloud/operation"
#define ANNOTATION_TIMESTAMP "gardener.cloud/timestamp"
#define DIGEST_SIZE          32u
#define FINALIZERS_MAX       (LIMIT_PATCH / 2)

struct view {
    char resource_version[65];
    int64_t generation;
    bool deleting;
    char operation[32];  /* value of the annotation; "" when absent, "?" when it is none of Gardener's */
    int64_t timestamp_s; /* annotation, truncated to seconds since 1970; 0 = absent or unreadable */
    char last_type[16];  /* "" when there is no lastOperation */
    char last_state[16];
    int64_t last_update_s;
    bool has_finalizer;  /* ours */
    uint8_t *finalizers; /* the whole list as msgpack, owned; NULL when there is none */
    size_t finalizers_len;
    /* SHA-256 of what must not change under a run (design 12.1): uid, generation, deletionTimestamp,
     * operation and timestamp annotations; and of lastOperation. */
    uint8_t trigger[DIGEST_SIZE];
    uint8_t last[DIGEST_SIZE];
};

/* Fills *view from an Infrastructure; a former content is freed. Returns false when the object lacks what the
 * API server always sets, or its finalizers are longer than FINALIZERS_MAX; *view is then empty. */
bool view_read(struct view *view, struct value object);
void view_free(struct view *view);

#endif
