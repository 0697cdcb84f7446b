/* tests/sim/kube-apiserver/core/update.c -- what may change in an object, and storing it.
 * Owns the optimistic lock, the split between status and the rest, generation and finalizer rules (kubernetes
 * 4.2, 4.4, 4.5, 4.8). Called by the write path with the whole object that a request would make. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

/* What Go leaves out when it is empty. */
void ks_meta_tidy(json_t *meta)
{
    static const char *const optional[] = {"labels", "annotations", "finalizers", "ownerReferences",
                                           "generateName"};

    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        json_t *value = json_object_get(meta, optional[i]);

        if (json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0) ||
            (json_is_array(value) && json_array_size(value) == 0))
            (void)json_object_del(meta, optional[i]);
    }
}

/* The client's metadata with everything that is the server's taken from the old object. A new reference. */
static json_t *kept_meta(json_t *old, json_t *wanted)
{
    static const char *const server_side[] = {"name",
                                              "namespace",
                                              "uid",
                                              "resourceVersion",
                                              "generation",
                                              "creationTimestamp",
                                              "deletionTimestamp",
                                              "deletionGracePeriodSeconds"};
    json_t *made;

    if (wanted == old)
        return json_incref(old);
    made = json_is_object(wanted) ? json_copy(wanted) : json_object();
    for (size_t i = 0; i < sizeof server_side / sizeof *server_side; i++) {
        json_t *value = json_object_get(old, server_side[i]);

        if (value != NULL)
            (void)json_object_set(made, server_side[i], value);
        else
            (void)json_object_del(made, server_side[i]);
    }
    (void)json_object_del(made, "managedFields");
    (void)json_object_del(made, "selfLink");
    ks_meta_tidy(made);
    if (!ks_same(made, old))
        return made;
    json_decref(made);
    return json_incref(old);
}

/* Strings where Go has strings. 0, or -1 and a 400. */
static int check_meta_types(struct ks_call *call, const json_t *meta)
{
    static const char *const maps[] = {"labels", "annotations"};
    const char *key;
    json_t *value;

    for (size_t i = 0; i < 2; i++) {
        json_t *map = json_object_get(meta, maps[i]);

        if (map != NULL && !json_is_object(map) && !json_is_null(map)) {
            ks_fail_decode(call, "metadata.%s: expected a map", maps[i]);
            return -1;
        }
        json_object_foreach(map, key, value)
        {
            if (json_is_string(value))
                continue;
            ks_fail_decode(call, "metadata.%s.%s: expected a string", maps[i], key);
            return -1;
        }
    }
    value = json_object_get(meta, "finalizers");
    if (value == NULL || json_is_array(value) || json_is_null(value))
        return 0;
    ks_fail_decode(call, "metadata.finalizers: expected a list");
    return -1;
}

/* The real server checks the metadata of custom resources twice and tells each cause as often. */
static void add_causes(const struct ks_resource *res, struct ks_causes *causes, const char *reason,
                       const char *field, const char *message)
{
    for (int i = 0; i < (res->custom ? 2 : 1); i++)
        ks_cause_add(causes, reason, field, "%s", message);
}

static void immutable(const struct ks_resource *res, struct ks_causes *causes, const char *field,
                      const char *value)
{
    char *message = x_asprintf("Invalid value: \"%s\": field is immutable", value);

    add_causes(res, causes, "FieldValueInvalid", field, message);
    free(message);
}

/* Name, namespace, uid and the optimistic lock. 0, or -1 and an answer. */
static int check_identity(struct ks_call *call, const json_t *old, const json_t *wanted)
{
    const char *name = ks_str(wanted, "name");
    const char *ns = ks_str(wanted, "namespace");
    const char *uid = ks_str(wanted, "uid");
    const char *revision = ks_str(wanted, "resourceVersion");
    const char *deleted = ks_str(wanted, "deletionTimestamp");
    uint64_t number;
    struct ks_causes causes = {0};

    if (!json_is_object(wanted)) {
        ks_fail_decode(call, "metadata: expected an object");
        return -1;
    }
    if (*name && strcmp(name, call->name) != 0) {
        ks_fail(call, 400, "BadRequest",
                "the name of the object (%s) does not match the name on the URL (%s)", name, call->name);
        return -1;
    }
    if (*ns && strcmp(ns, call->ns) != 0) {
        ks_fail(call, 400, "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request");
        return -1;
    }
    if (*uid && strcmp(uid, ks_str(old, "uid")) != 0 && call->verb == KS_UPDATE) {
        char *why = x_asprintf("StorageError: invalid object, Code: 4, Key: /registry/%s%s%s/%s%s%s, "
                               "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                               "precondition: %s, UID in object meta: %s",
                               call->res->group, *call->res->group ? "/" : "", call->res->plural, call->ns,
                               *call->ns ? "/" : "", call->name, uid, ks_str(old, "uid"));

        ks_fail_conflict(call, why);
        free(why);
        return -1;
    }
    if (*uid && strcmp(uid, ks_str(old, "uid")) != 0)
        immutable(call->res, &causes, "metadata.uid", uid);
    else if (*revision == '\0' && call->verb == KS_UPDATE && !call->res->unconditional)
        ks_cause_add(&causes, "FieldValueInvalid", "metadata.resourceVersion",
                     "Invalid value: 0: must be specified for an update");
    if (causes.n > 0 && call->verb == KS_UPDATE) {
        ks_fail_invalid_kind(call, call->res->group, call->res->plural, call->name, &causes);
        return -1;
    }
    if (*deleted && strcmp(deleted, ks_str(old, "deletionTimestamp")) != 0)
        immutable(call->res, &causes, "metadata.deletionTimestamp", deleted);
    if (causes.n > 0) {
        ks_fail_invalid(call, call->name, &causes);
        return -1;
    }
    if (*revision && ks_number(revision, &number) != 0) {
        ks_fail(call, 500, "", "strconv.ParseUint: parsing \"%s\": invalid syntax", revision);
        return -1;
    }
    if (*revision && strcmp(revision, ks_str(old, "resourceVersion")) != 0) {
        ks_fail_conflict(call,
                         "the object has been modified; please apply your changes to the latest version "
                         "and try again");
        return -1;
    }
    return 0;
}

static bool in_array(const json_t *array, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (ks_same(json_array_get(array, i), value))
            return true;
    return false;
}

static void check_finalizers(const struct ks_resource *res, const json_t *old, const json_t *meta,
                             struct ks_causes *causes)
{
    size_t i;
    json_t *one;
    char *message;

    if (json_object_get(old, "deletionTimestamp") == NULL)
        return;
    json_array_foreach(json_object_get(meta, "finalizers"), i, one)
    {
        if (in_array(json_object_get(old, "finalizers"), one))
            continue;
        message =
            x_asprintf("Forbidden: no new finalizers can be added if the object is being deleted, found "
                       "new finalizers []string{\"%s\"}",
                       json_is_string(one) ? json_string_value(one) : "");
        add_causes(res, causes, "FieldValueForbidden", "metadata.finalizers", message);
        free(message);
        return;
    }
}

/* Pruned fields: an error with Strict, a warning else (kubernetes 4.9). 0, or -1 and a 400. */
static int report_dropped(struct ks_call *call, const struct ks_text *dropped)
{
    const char *mode = ks_query_get(&call->query, "fieldValidation");
    size_t len = dropped->len ? strcspn(dropped->data, "\n") : 0;
    char warning[160];

    if (dropped->len == 0 || strcmp(mode, "Ignore") == 0)
        return 0;
    if (strcmp(mode, "Strict") == 0 && call->verb == KS_PATCH) {
        ks_fail_decode(call, "strict decoding error: unknown field \"%.*s\"", (int)len, dropped->data);
        return -1;
    }
    if (strcmp(mode, "Strict") == 0) {
        ks_fail(
            call, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: strict decoding error: unknown field \"%.*s\"",
            call->res->kind, call->res->version, call->res->kind, (int)len, dropped->data);
        return -1;
    }
    (void)snprintf(warning, sizeof warning, "299 - \"unknown field \\\"%.*s\\\"\"",
                   len > 100 ? 100 : (int)len, dropped->data);
    ks_answer_header(call->answer, "Warning", warning);
    return 0;
}

json_t *ks_check_object(struct ks_call *call, struct ks_object *before, json_t *object)
{
    struct ks_causes causes = {0};
    struct ks_text dropped = {0};
    json_t *old = before ? before->json : NULL;
    json_t *meta = json_object_get(object, "metadata");
    json_t *made = NULL;

    if (check_meta_types(call, meta) == 0) {
        object = ks_schema_apply(call, old, object, &causes, &dropped);
        if (causes.n > 0 && !call->res->custom) {
            ks_fail_decode(call, "%s: %s", causes.list[0].field, causes.list[0].message);
            goto out;
        }
        meta = json_object_get(object, "metadata");
        if (before == NULL || meta != json_object_get(old, "metadata"))
            ks_validate_meta(meta, &causes);
        if (*ks_str(meta, "name") == '\0' && call->res->rules)
            ks_cause_add(&causes, "FieldValueInvalid", "<nil>", KS_RULES_SKIPPED);
        if (before != NULL)
            check_finalizers(call->res, json_object_get(old, "metadata"), meta, &causes);
        if (report_dropped(call, &dropped) == 0)
            made = ks_validate_builtin(call, old, object, &causes);
    }
    if (made != NULL && causes.n > 0) {
        ks_fail_invalid(call, call->name, &causes);
        json_decref(made);
        made = NULL;
    }
out:
    ks_causes_free(&causes);
    free(dropped.data);
    json_decref(object);
    return made;
}

static size_t spec_members(const struct ks_resource *res, json_t *object)
{
    size_t n = json_object_size(object);

    n -= json_object_get(object, "metadata") != NULL;
    return n - (res->status && json_object_get(object, "status") != NULL);
}

/* Whether anything but metadata and, with the subresource, status differs (kubernetes 4.8). */
static bool spec_differs(const struct ks_resource *res, json_t *old, json_t *now)
{
    const char *key;
    json_t *value;

    if (spec_members(res, old) != spec_members(res, now))
        return true;
    json_object_foreach(now, key, value)
    {
        if (strcmp(key, "metadata") == 0 || (res->status && strcmp(key, "status") == 0))
            continue;
        if (!ks_same(json_object_get(old, key), value))
            return true;
    }
    return false;
}

static json_t *count_generation(json_t *object)
{
    json_t *meta = json_object_get(object, "metadata");
    json_int_t generation = json_integer_value(json_object_get(meta, "generation"));
    json_t *made = ks_with(object, "metadata", ks_with(meta, "generation", json_integer(generation + 1)));

    json_decref(object);
    return made;
}

void ks_commit(struct ks_call *call, int code, json_t *object)
{
    char key[KS_KEY_MAX];
    struct ks_object *stored;
    struct ks_text text = {0};

    if (call->dry_run) {
        ks_text_json(&text, object);
        ks_answer_text(call, code, "application/json", text.data, text.len);
        json_decref(object);
        return;
    }
    ks_key(key, call->ns, call->name);
    stored = ks_object_ref(ks_store_put(call->sim, call->res, key, object));
    ks_answer_object(call, code, stored);
    ks_after_write(call->sim, call->res, stored, false, call->now_ms);
    ks_object_unref(stored);
}

/* The last finalizer of a deleted object is gone: so is the object (kubernetes 4.4). The answer is what the
 * request made of it, the event what was stored before, with the finalizer, as the real server has it. */
static void finish_deletion(struct ks_call *call, json_t *object)
{
    char key[KS_KEY_MAX];
    struct ks_object *gone;
    struct ks_text text = {0};

    ks_key(key, call->ns, call->name);
    ks_text_json(&text, object);
    ks_answer_text(call, 200, "application/json", text.data, text.len);
    json_decref(object);
    gone = ks_object_ref(ks_store_remove(call->sim, call->res, key, NULL));
    ks_after_write(call->sim, call->res, gone, true, call->now_ms);
    ks_object_unref(gone);
}

/* proposed with the part that this endpoint must not touch taken from the old object. A new reference. */
static json_t *isolated(struct ks_call *call, json_t *old, json_t *proposed)
{
    json_t *meta = json_object_get(old, "metadata");
    bool of_status = strcmp(call->sub, "status") == 0;
    json_t *status = json_object_get(of_status ? proposed : old, "status");
    json_t *made;

    if (of_status)
        made = ks_assemble(call->res, json_incref(meta), old);
    else
        made = ks_assemble(call->res, kept_meta(meta, json_object_get(proposed, "metadata")), proposed);
    if (status != NULL && call->res->status)
        (void)json_object_set(made, "status", status);
    else if (call->res->status)
        (void)json_object_del(made, "status");
    return made;
}

void ks_update(struct ks_call *call, struct ks_object *before, json_t *proposed)
{
    json_t *old = before ? before->json : NULL;
    json_t *made = NULL;
    const json_t *meta;

    if (before == NULL)
        ks_fail_not_found(call);
    else if (check_identity(call, json_object_get(old, "metadata"), json_object_get(proposed, "metadata")) ==
             0)
        made = ks_check_object(call, before, isolated(call, old, proposed));
    json_decref(proposed);
    if (made == NULL)
        return;
    if (call->res->generation && spec_differs(call->res, old, made))
        made = count_generation(made);
    meta = json_object_get(made, "metadata");
    if (json_object_get(meta, "deletionTimestamp") &&
        json_array_size(json_object_get(meta, "finalizers")) == 0 &&
        strcmp(call->res->kind, "Namespace") != 0 && !call->dry_run) {
        finish_deletion(call, made);
    } else if (ks_same(made, old)) {
        ks_answer_object(call, 200, before); /* nothing to store: no revision, no event (kubernetes 4.2) */
        json_decref(made);
    } else {
        ks_commit(call, 200, made);
    }
}
