/* watcher/core/object.c -- reads an Infrastructure. Owns nothing, never trusts a length. Called by events.c,
 * admit.c, jobs.c, writes.c. */
#include "watcher/core/object.h"

#include <string.h>

#include "proto/messages.h"
#include "watcher/core/version.h"

#define API_VERSION "extensions.gardener.cloud/v1alpha1"

bool object_name_ok(struct span name)
{
    if (!name.p || !name.len || name.len > LIMIT_NAME || span_is(name, ".") || span_is(name, ".."))
        return false;
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return true;
}

static bool lists_finalizer(struct value list)
{
    struct value_iter it = value_each(list);

    while (value_kind(list) == VALUE_ARRAY && value_next(&it))
        if (value_is_text(it.item, OBJECT_FINALIZER))
            return true;
    return false;
}

static void read_metadata(struct value metadata, struct object *out)
{
    struct value annotations = value_get(metadata, "annotations");

    out->ns = value_text(value_get(metadata, "namespace"));
    out->name = value_text(value_get(metadata, "name"));
    out->uid = value_text(value_get(metadata, "uid"));
    out->version = value_text(value_get(metadata, "resourceVersion"));
    value_int(value_get(metadata, "generation"), &out->generation);
    out->deletion = value_text(value_get(metadata, "deletionTimestamp"));
    out->operation = value_text(value_get(annotations, OBJECT_OPERATION));
    out->timestamp = value_text(value_get(annotations, OBJECT_TIMESTAMP));
    out->finalizers = value_get(metadata, "finalizers");
    out->finalizer = lists_finalizer(out->finalizers);
}

int object_read(struct value whole, struct object *out)
{
    struct value spec = value_get(whole, "spec");
    struct value last = value_at(whole, "status", "lastOperation", NULL);
    struct value class_value = value_get(spec, "class");

    *out = (struct object){.whole = whole, .status = value_get(whole, "status")};
    if (!value_is_text(value_get(whole, "kind"), "Infrastructure") ||
        !value_is_text(value_get(whole, "apiVersion"), API_VERSION))
        return -1;
    read_metadata(value_get(whole, "metadata"), out);
    out->type = value_text(value_get(spec, "type"));
    out->has_class = value_str(class_value, &out->class_name);
    out->op_type = value_text(value_get(last, "type"));
    out->op_state = value_text(value_get(last, "state"));
    out->op_time = value_text(value_get(last, "lastUpdateTime"));
    out->secret_name = value_text(value_at(spec, "secretRef", "name", NULL));
    out->secret_ns = value_text(value_at(spec, "secretRef", "namespace", NULL));
    if (!out->secret_ns.len)
        out->secret_ns = out->ns;
    if (!object_name_ok(out->ns) || !object_name_ok(out->name))
        return -1;
    return out->uid.len && out->uid.len <= LIMIT_UUID && out->version.len && out->version.len < VERSION_MAX
               ? 0
               : -1;
}

uint64_t object_rule_hash(const struct hash_key *key, const struct object *object)
{
    uint64_t h = hash_number(key, 5, (uint64_t)object->generation);

    h = hash_span(key, h, object->deletion);
    h = hash_span(key, h, object->operation);
    return hash_span(key, h, object->timestamp);
}

uint64_t object_uid_hash(const struct hash_key *key, const struct object *object)
{
    return hash_span(key, 6, object->uid);
}

uint64_t object_status_hash(const struct hash_key *key, const struct object *object)
{
    return hash_value(key, object->status);
}
