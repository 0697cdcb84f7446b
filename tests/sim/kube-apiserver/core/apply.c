/* tests/sim/kube-apiserver/core/apply.c -- server-side apply, near enough for kubectl (kubernetes 4.6).
 * Owns what each field manager applied last, so that dropped fields go and foreign ones conflict. There is no
 * managedFields in the objects, and lists are atomic. Called by the write path. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

static char *applied_key(const struct ks_call *call, const char *uid)
{
    return x_asprintf("%s/%s/%s", call->res->plural, uid, call->sub);
}

/* Puts null into patch for every member of last that body has no more. */
static void drop_missing(json_t *patch, json_t *last, const json_t *body)
{
    const char *key;
    json_t *value;

    json_object_foreach(last, key, value)
    {
        json_t *now = json_object_get(body, key);

        if (now == NULL)
            (void)json_object_set_new(patch, key, json_null());
        else if (json_is_object(now) && json_is_object(value))
            drop_missing(json_object_get(patch, key), value, now);
    }
}

/* The path of a value in body that other applied differently; false when there is none. */
static bool conflict(json_t *body, const json_t *other, const char *path, char *out, size_t size)
{
    const char *key;
    json_t *value;

    json_object_foreach(body, key, value)
    {
        json_t *theirs = json_object_get(other, key);
        char below[256];

        if (theirs == NULL || ks_same(theirs, value))
            continue;
        (void)snprintf(below, sizeof below, "%.150s.%.100s", path, key);
        if (json_is_object(theirs) && json_is_object(value)) {
            if (conflict(value, theirs, below, out, size))
                return true;
            continue;
        }
        (void)snprintf(out, size, "%s", below);
        return true;
    }
    return false;
}

/* 0, or -1 and a 409 with the field. */
static int check_conflicts(struct ks_call *call, json_t *managers, const char *me, json_t *body)
{
    const char *who;
    json_t *theirs;
    char field[256];
    char *message;
    json_t *status;

    if (strcmp(ks_query_get(&call->query, "force"), "true") == 0)
        return 0;
    json_object_foreach(managers, who, theirs)
    {
        if (strcmp(who, me) == 0 || !conflict(body, theirs, "", field, sizeof field))
            continue;
        message = x_asprintf("Apply failed with 1 conflict: conflict with \"%s\": %s", who, field);
        status = ks_status(409, "Conflict", message);
        free(message);
        message = x_asprintf("conflict with \"%s\"", who);
        (void)json_object_set_new(status, "details",
                                  json_pack("{s:[{s:s,s:s,s:s}]}", "causes", "reason", "FieldManagerConflict",
                                            "message", message, "field", field));
        ks_answer_json(call, 409, status);
        free(message);
        return -1;
    }
    return 0;
}

/* Keeps what me applied; takes it away from the managers that lost it. */
static void remember(struct ks_call *call, const char *me, json_t *body)
{
    char key[KS_KEY_MAX];
    struct ks_object *object;
    char *slot;
    json_t *managers;

    ks_key(key, call->ns, call->name);
    object = ks_find(call->res, key, NULL);
    if (call->dry_run || object == NULL || call->answer->status >= 300)
        return;
    slot = applied_key(call, ks_str(object->json, "metadata.uid"));
    managers = json_object_get(call->sim->applied, slot);
    managers = strcmp(ks_query_get(&call->query, "force"), "true") == 0 || managers == NULL
                   ? json_object()
                   : json_incref(managers);
    (void)json_object_set(managers, me, body);
    (void)json_object_set_new(call->sim->applied, slot, managers);
    free(slot);
}

/* The fields a manager owns: the body without what names the object. A new reference. */
static json_t *owned_fields(json_t *body)
{
    json_t *meta = json_is_object(json_object_get(body, "metadata"))
                       ? json_copy(json_object_get(body, "metadata"))
                       : json_object();
    json_t *made;

    (void)json_object_del(meta, "name");
    (void)json_object_del(meta, "namespace");
    made = ks_with(body, "metadata", meta);
    (void)json_object_del(made, "apiVersion");
    (void)json_object_del(made, "kind");
    return made;
}

static void apply_existing(struct ks_call *call, struct ks_object *before, const char *me, json_t *body,
                           json_t *owned)
{
    char *slot = applied_key(call, ks_str(before->json, "metadata.uid"));
    json_t *managers = json_object_get(call->sim->applied, slot);
    json_t *patch;
    json_t *made;

    free(slot);
    if (check_conflicts(call, managers, me, owned) != 0)
        return;
    patch = json_deep_copy(body);
    drop_missing(patch, json_object_get(managers, me), owned);
    made = ks_merge_patch(before->json, patch);
    json_decref(patch);
    ks_update(call, before, made);
}

void ks_apply(struct ks_call *call, struct ks_object *before, json_t *body)
{
    const char *me = ks_query_get(&call->query, "fieldManager");
    struct ks_causes causes = {0};
    json_t *owned;

    if (*me == '\0') {
        ks_cause_add(&causes, "FieldValueRequired", "fieldManager",
                     "Required value: is required for apply patch");
        ks_fail_invalid_kind(call, "meta.k8s.io", "PatchOptions", "", &causes);
        return;
    }
    if (!json_is_object(body) || ks_at(body, "metadata.managedFields") != NULL) {
        ks_fail(call, 400, "BadRequest", "metadata.managedFields must be nil");
        return;
    }
    owned = owned_fields(body);
    if (before != NULL)
        apply_existing(call, before, me, body, owned);
    else if (*call->sub)
        ks_fail_not_found(call);
    else
        ks_create(call, json_incref(body));
    remember(call, me, owned);
    json_decref(owned);
}
