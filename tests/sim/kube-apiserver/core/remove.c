/* tests/sim/kube-apiserver/core/remove.c -- DELETE of one object and of a collection.
 * Owns the finalizer flow (kubernetes 4.7, 4.8): with finalizers an object is only marked. Called by the
 * dispatcher and, for what a namespace holds, by itself. */
#include <string.h>

#include "base/clock.h"
#include "tests/sim/kube-apiserver/core/internal.h"

static bool is_namespace(const struct ks_resource *res)
{
    return !res->custom && strcmp(res->kind, "Namespace") == 0;
}

static bool namespace_empty(const struct kube_sim *sim, const char *ns)
{
    char prefix[KS_KEY_MAX];
    size_t len;

    ks_key(prefix, ns, "");
    len = strlen(prefix);
    for (size_t i = 0; i < sim->n_resources; i++) {
        const struct ks_resource *res = sim->resources[i];
        size_t at;

        if (!res->namespaced || res->gone)
            continue;
        (void)ks_find(res, prefix, &at);
        if (at < res->n && strncmp(res->items[at]->key, prefix, len) == 0)
            return false;
    }
    return true;
}

/* Sets deletionTimestamp and counts the generation up (kubernetes 4.8). A new reference. */
static json_t *marked(const struct ks_resource *res, const struct ks_object *object, int64_t now_ms)
{
    json_t *meta = json_copy(json_object_get(object->json, "metadata"));
    json_t *generation = json_object_get(meta, "generation");
    char when[CLOCK_TEXT_MAX];
    json_t *made;

    clock_text_seconds(now_ms, when);
    (void)json_object_set_new(meta, "deletionTimestamp", json_string(when));
    if (!is_namespace(res))
        (void)json_object_set_new(meta, "deletionGracePeriodSeconds", json_integer(0));
    if (generation != NULL)
        (void)json_object_set_new(meta, "generation", json_integer(json_integer_value(generation) + 1));
    made = ks_assemble(res, meta, object->json);
    if (is_namespace(res))
        (void)json_object_set_new(made, "status", json_pack("{s:s}", "phase", "Terminating"));
    return made;
}

/* Every object of the namespace gets its DELETE; what has no finalizer is gone at once. */
static void empty_namespace(struct kube_sim *sim, const char *ns, int64_t now_ms)
{
    char prefix[KS_KEY_MAX];

    ks_key(prefix, ns, "");
    for (size_t i = 0; i < sim->n_resources; i++) {
        struct ks_resource *res = sim->resources[i];
        struct ks_object **list;
        size_t n;

        if (!res->namespaced || res->gone)
            continue;
        list = ks_snapshot(sim, res, prefix, sim->revision, &n);
        for (size_t k = 0; k < n; k++)
            ks_delete_object(sim, res, list[k], now_ms);
        ks_snapshot_free(list, n);
    }
}

void ks_delete_object(struct kube_sim *sim, struct ks_resource *res, struct ks_object *object, int64_t now_ms)
{
    bool held = json_array_size(ks_at(object->json, "metadata.finalizers")) > 0;
    bool pending = *ks_str(object->json, "metadata.deletionTimestamp") != '\0';
    char key[KS_KEY_MAX];

    ks_key(key, "", object->key);
    if ((held || is_namespace(res)) && !pending)
        (void)ks_store_put(sim, res, key, marked(res, object, now_ms));
    if (is_namespace(res)) {
        if (!pending)
            empty_namespace(sim, key, now_ms);
        if (!held && namespace_empty(sim, key) && ks_find(res, key, NULL))
            (void)ks_store_remove(sim, res, key, NULL);
        return;
    }
    if (!held)
        ks_after_write(sim, res, ks_store_remove(sim, res, key, NULL), true, now_ms);
}

void ks_after_write(struct kube_sim *sim, struct ks_resource *res, struct ks_object *object, bool removed,
                    int64_t now_ms)
{
    struct ks_resource *namespaces;
    struct ks_object *ns;

    if (object == NULL)
        return;
    if (!res->custom && strcmp(res->kind, "CustomResourceDefinition") == 0) {
        if (removed)
            ks_resource_drop_crd(sim, object->json);
        else
            ks_resource_from_crd(sim, object->json);
    }
    if (!removed || !res->namespaced)
        return;
    namespaces = ks_resource_find(sim, "", "v1", "namespaces");
    ns = namespaces ? ks_find(namespaces, ks_str(object->json, "metadata.namespace"), NULL) : NULL;
    if (ns && *ks_str(ns->json, "metadata.deletionTimestamp"))
        ks_delete_object(sim, namespaces, ns, now_ms);
}

/* 0, or -1 and a 409 (kubernetes 4.7). The real server tells the kind here, not the plural. */
static int preconditions(struct ks_call *call, const json_t *options, const struct ks_object *object)
{
    const char *uid = ks_str(options, "preconditions.uid");
    const char *revision = ks_str(options, "preconditions.resourceVersion");
    const char *has_uid = ks_str(object->json, "metadata.uid");
    const char *has_revision = ks_str(object->json, "metadata.resourceVersion");
    json_t *status;
    char *message;
    char *why;

    if (*uid && strcmp(uid, has_uid) != 0)
        why = x_asprintf(
            "the UID in the precondition (%s) does not match the UID in record (%s). The object might "
            "have been deleted and then recreated",
            uid, has_uid);
    else if (*revision && strcmp(revision, has_revision) != 0)
        why = x_asprintf("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in "
                         "record (%s). The object might have been modified",
                         revision, has_revision);
    else
        return 0;
    message = x_asprintf("Operation cannot be fulfilled on %s%s%s \"%s\": %s", call->res->kind,
                         *call->res->group ? "." : "", call->res->group, call->name, why);
    status = ks_status(409, "Conflict", message);
    (void)json_object_set_new(status, "details", ks_details(call->res->group, call->name, call->res->kind));
    ks_answer_json(call, 409, status);
    free(message);
    free(why);
    return -1;
}

static void answer_gone(struct ks_call *call, const struct ks_object *object)
{
    json_t *status = json_pack("{s:s,s:s,s:{},s:s,s:{s:s,s:s,s:s}}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Success", "details", "name", call->name, "kind",
                               call->res->plural, "uid", ks_str(object->json, "metadata.uid"));

    if (*call->res->group)
        (void)json_object_set_new(json_object_get(status, "details"), "group", json_string(call->res->group));
    ks_answer_json(call, 200, status);
}

void ks_delete(struct ks_call *call)
{
    char key[KS_KEY_MAX];
    struct ks_object *object;
    struct ks_object *after;
    json_t *options = ks_check_options(call) == 0 ? ks_delete_options(call) : NULL;

    if (options == NULL)
        return;
    ks_key(key, call->ns, call->name);
    object = ks_object_ref(ks_find(call->res, key, NULL));
    if (object == NULL) {
        ks_fail_not_found(call);
    } else if (preconditions(call, options, object) == 0) {
        if (!call->dry_run)
            ks_delete_object(call->sim, call->res, object, call->now_ms);
        after = ks_find(call->res, key, NULL);
        if (call->dry_run && json_array_size(ks_at(object->json, "metadata.finalizers")) == 0)
            answer_gone(call, object);
        else if (after != NULL)
            ks_answer_object(call, 200, after);
        else
            answer_gone(call, object);
    }
    ks_object_unref(object);
    json_decref(options);
}

void ks_delete_all(struct ks_call *call)
{
    struct ks_selector selector;
    char prefix[KS_KEY_MAX];
    struct ks_object **list;
    json_t *options;
    size_t n;

    if (ks_selector_parse(call, &selector) != 0)
        return;
    options = ks_delete_options(call);
    if (options != NULL) {
        ks_prefix(call, prefix);
        list = ks_snapshot(call->sim, call->res, prefix, call->sim->revision, &n);
        ks_list(call);
        for (size_t i = 0; i < n && call->answer->status == 200 && !call->dry_run; i++)
            if (ks_selector_match(&selector, list[i]->json))
                ks_delete_object(call->sim, call->res, list[i], call->now_ms);
        ks_snapshot_free(list, n);
        json_decref(options);
    }
    ks_selector_free(&selector);
}
