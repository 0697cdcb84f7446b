/* watcher/core/admit.c -- the predicates of gardener 3. Owns nothing, remembers nothing. Called by events.c
 * and jobs.c. */
#include "watcher/core/admit.h"

#include <string.h>

#include "base/clock.h"

#define OUR_TYPE      "packet"
#define DEFAULT_CLASS "shoot"

static bool class_listed(const char *classes, struct span wanted)
{
    if (!*classes)
        return span_is(wanted, DEFAULT_CLASS);
    for (const char *at = classes;; at++) {
        size_t len = strcspn(at, ",");

        if (len == wanted.len && !memcmp(at, wanted.p ? wanted.p : "", len))
            return true;
        at += len;
        if (!*at)
            return false;
    }
}

bool admit_ours(const struct admit_rules *rules, const struct object *object)
{
    if (!span_is(object->type, OUR_TYPE))
        return false;
    if (!object->has_class)
        return class_listed(rules->classes, SPAN(DEFAULT_CLASS));
    return object->class_name.len && class_listed(rules->classes, object->class_name);
}

bool admit_nothing(const struct object *object)
{
    return span_is(object->operation, "wait-for-state") || (object->deletion.len && !object->finalizer);
}

static bool asks_for_work(const struct object *object)
{
    return span_is(object->operation, "reconcile") || span_is(object->operation, "migrate") ||
           span_is(object->operation, "restore");
}

/* A run may have died between taking off the annotation and its first status write: then gardenlet's
 * timestamp is later than the last operation (gardener 13). An unreadable one says nothing. */
static bool asked_later(const struct object *object)
{
    int64_t asked = 0, answered = 0;

    if (!object->timestamp.p || clock_parse(object->timestamp.p, object->timestamp.len, &asked))
        return false;
    if (!object->op_time.p || clock_parse(object->op_time.p, object->op_time.len, &answered))
        return true;
    return asked / 1000 > answered / 1000;
}

bool admit_check(const struct object *object)
{
    int64_t observed = -1;

    value_int(value_get(object->status, "observedGeneration"), &observed);
    return span_is(object->op_state, "Succeeded") && !span_is(object->op_type, "Migrate") &&
           !span_is(object->op_type, "Delete") && observed == object->generation && !object->deletion.len &&
           !object->operation.len;
}

bool admit_new(const struct admit_rules *rules, const struct object *object)
{
    if (admit_nothing(object))
        return false;
    if (rules->ignore_operation || asks_for_work(object) || object->deletion.len)
        return true;
    return !span_is(object->op_state, "Succeeded") || asked_later(object);
}

bool admit_change(const struct admit_rules *rules, const struct known *before, const struct object *now,
                  uint64_t rule, uint64_t status)
{
    bool changed = rule != before->rule;

    if (admit_nothing(now))
        return false;
    if (rules->ignore_operation)
        return before->generation != (uint32_t)now->generation;
    if (!changed && before->flags & KNOWN_ACTED)
        return false;
    if (asks_for_work(now))
        return true;
    return now->deletion.len && (changed || status == before->status);
}

bool admit_orphan(const struct known *before, const struct object *now, uint64_t status)
{
    return span_is(now->op_state, "Processing") && status != before->status && !admit_nothing(now);
}
