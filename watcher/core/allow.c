/* watcher/core/allow.c -- which patches of a worker are carried out (design 12.5): of its own object only our
 * finalizer, the operation annotation, and five members of the status. Owns nothing. Called by writes.c. */
#include <string.h>

#include "watcher/core/core.h"

struct allowed {
    const char *name;
    enum value_kind kinds[3]; /* VALUE_NONE ends the list; empty: any kind */
};

static bool kind_ok(const struct allowed *row, struct value v)
{
    for (unsigned i = 0; i < 3 && row->kinds[i] != VALUE_NONE; i++)
        if (row->kinds[i] == value_kind(v))
            return true;
    return false;
}

/* Does the map hold at least one of these members, each once, and no other? */
static bool only(struct value map, const struct allowed *rows, unsigned n)
{
    struct value_iter it = value_each(map);
    unsigned seen = 0;

    if (!value_is_map(map))
        return false;
    while (value_next(&it)) {
        unsigned i = 0;

        while (i < n && !value_is_text(it.key, rows[i].name))
            i++;
        if (i == n || seen & 1u << i || !kind_ok(&rows[i], it.item))
            return false;
        seen |= 1u << i;
    }
    return seen != 0;
}

/* The next item that is not our finalizer; absent after the last. */
static struct span next_foreign(struct value_iter *it)
{
    while (value_next(it))
        if (!value_is_text(it->item, OBJECT_FINALIZER))
            return value_text(it->item);
    return (struct span){0};
}

/* Do both lists hold the same finalizers of others, in the same order? The patch replaces the list whole
 * (kubernetes trap 8). A null list is an empty one. */
static bool same_foreign(struct value wanted, struct value has)
{
    struct value_iter a = value_each(wanted), b = value_each(has);
    uint32_t own = 0;
    struct value_iter count = value_each(wanted);

    while (value_next(&count)) {
        if (value_kind(count.item) != VALUE_STR)
            return false;
        own += value_is_text(count.item, OBJECT_FINALIZER);
    }
    if (own > 1)
        return false;
    for (;;) {
        struct span x = next_foreign(&a), y = next_foreign(&b);

        if (!x.p && !y.p)
            return true;
        if (!x.p || !y.p || !span_same(x, y))
            return false;
    }
}

static const char *allow_meta(struct value body, const struct object *object)
{
    static const struct allowed top[] = {{"metadata", {VALUE_MAP}}};
    static const struct allowed members[] = {{"finalizers", {VALUE_ARRAY, VALUE_NIL}},
                                             {"annotations", {VALUE_MAP}}};
    static const struct allowed annotation[] = {{OBJECT_OPERATION, {VALUE_NIL}}};
    struct value metadata = value_get(body, "metadata");
    struct value annotations = value_get(metadata, "annotations");
    struct value finalizers = value_get(metadata, "finalizers");

    if (!only(body, top, 1) || !only(metadata, members, 2))
        return "a patch of the object may hold metadata.finalizers and metadata.annotations only";
    if (annotations.at && !only(annotations, annotation, 1))
        return "the only annotation that may be changed is the operation, and only taken off";
    if (finalizers.at && !same_foreign(finalizers, object->finalizers))
        return "finalizers of others may not change";
    return NULL;
}

static const char *allow_status(struct value body)
{
    static const struct allowed top[] = {{"status", {VALUE_MAP}}};
    static const struct allowed members[] = {
        {"lastOperation", {VALUE_MAP}},
        {"lastError", {VALUE_MAP, VALUE_NIL}},
        {"observedGeneration", {VALUE_INT}},
        {"providerStatus", {VALUE_MAP}},
        {"state", {VALUE_MAP}},
    };

    if (!only(body, top, 1) || !only(value_get(body, "status"), members, sizeof members / sizeof *members))
        return "a patch of the status may hold lastOperation, lastError, observedGeneration, providerStatus "
               "and "
               "state only";
    return NULL;
}

const char *allow_patch(uint64_t target, struct value body, const struct object *object)
{
    return target == PATCH_STATUS ? allow_status(body) : allow_meta(body, object);
}

bool allow_removes_operation(struct value body)
{
    return value_kind(value_at(body, "metadata", "annotations", OBJECT_OPERATION, NULL)) == VALUE_NIL;
}
