/* worker/core/view.c -- reads the parts of an Infrastructure that decide what a run may still do.
 * Keeps no borrowed memory: an object can have 2 MiB and goes away with its frame. Called by job.c, write.c.
 */
#include "worker/core/view.h"

#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

static void digest_text(SHA2_CTX *sha, struct span s)
{
    uint8_t head[5] = {s.p != NULL, (uint8_t)(s.len >> 24), (uint8_t)(s.len >> 16), (uint8_t)(s.len >> 8),
                       (uint8_t)s.len};

    SHA256Update(sha, head, sizeof head);
    if (s.len > 0)
        SHA256Update(sha, (const uint8_t *)s.p, s.len);
}

static void digest_int(SHA2_CTX *sha, int64_t n)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((uint64_t)n >> (8 * i));
    SHA256Update(sha, bytes, sizeof bytes);
}

static void read_trigger(struct view *view, struct value meta, struct value annotations)
{
    SHA2_CTX sha;

    SHA256Init(&sha);
    digest_text(&sha, value_text(value_get(meta, "uid")));
    digest_int(&sha, view->generation);
    digest_text(&sha, value_text(value_get(meta, "deletionTimestamp")));
    digest_text(&sha, value_text(value_get(annotations, ANNOTATION_OPERATION)));
    digest_text(&sha, value_text(value_get(annotations, ANNOTATION_TIMESTAMP)));
    SHA256Final(view->trigger, &sha);
}

static void read_last_operation(struct view *view, struct value last)
{
    static const char *const texts[] = {"type", "state", "description", "lastUpdateTime"};
    SHA2_CTX sha;
    int64_t progress = 0, ms = 0;
    struct span when = value_text(value_get(last, "lastUpdateTime"));

    if (!span_copy(value_text(value_get(last, "type")), view->last_type, sizeof view->last_type) ||
        !span_copy(value_text(value_get(last, "state")), view->last_state, sizeof view->last_state))
        view->last_type[0] = view->last_state[0] = value_is_map(last) ? '?' : '\0';
    if (when.p != NULL && clock_parse(when.p, when.len, &ms) == 0)
        view->last_update_s = ms / 1000;
    SHA256Init(&sha);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        digest_text(&sha, value_text(value_get(last, texts[i])));
    value_int(value_get(last, "progress"), &progress);
    digest_int(&sha, progress);
    SHA256Final(view->last, &sha);
}

static bool read_finalizers(struct view *view, struct value list)
{
    for (struct value_iter it = value_each(list); value_next(&it);)
        if (value_is_text(it.item, FINALIZER))
            view->has_finalizer = true;
    if (value_count(list) == 0)
        return true;
    if (list.len > FINALIZERS_MAX)
        return false;
    view->finalizers = x_malloc(list.len);
    view->finalizers_len = list.len;
    memcpy(view->finalizers, list.at, list.len);
    return true;
}

bool view_read(struct view *view, struct value object)
{
    struct value meta = value_get(object, "metadata");
    struct value annotations = value_get(meta, "annotations");
    struct span operation = value_text(value_get(annotations, ANNOTATION_OPERATION));
    struct span timestamp = value_text(value_get(annotations, ANNOTATION_TIMESTAMP));
    int64_t ms;

    view_free(view);
    if (!span_copy(value_text(value_get(meta, "resourceVersion")), view->resource_version,
                   sizeof view->resource_version) ||
        view->resource_version[0] == '\0' || !value_int(value_get(meta, "generation"), &view->generation) ||
        !read_finalizers(view, value_get(meta, "finalizers"))) {
        view_free(view);
        return false;
    }
    view->deleting = value_text(value_get(meta, "deletionTimestamp")).len > 0;
    if (operation.p != NULL && !span_copy(operation, view->operation, sizeof view->operation))
        memcpy(view->operation, "?", 2);
    if (timestamp.p != NULL && clock_parse(timestamp.p, timestamp.len, &ms) == 0)
        view->timestamp_s = ms / 1000;
    read_trigger(view, meta, annotations);
    read_last_operation(view, value_at(object, "status", "lastOperation", NULL));
    return true;
}

void view_free(struct view *view)
{
    free(view->finalizers);
    memset(view, 0, sizeof *view);
}
