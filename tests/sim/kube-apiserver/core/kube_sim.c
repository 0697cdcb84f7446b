/* tests/sim/kube-apiserver/core/kube_sim.c -- the simulator as a whole: its life, the dispatch of a request,
 * and the direct ways in for tests. Owns struct kube_sim. Called by the server, tests/world and unit tests.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/kube-apiserver/core/internal.h"

#define HISTORY_DEFAULT 4096u

static void put_namespace(struct kube_sim *sim, const char *name, int64_t wall_ms)
{
    json_t *ns = json_pack("{s:s,s:s,s:{s:s,s:{s:s}},s:{s:[s]},s:{s:s}}", "apiVersion", "v1", "kind",
                           "Namespace", "metadata", "name", name, "labels", "kubernetes.io/metadata.name",
                           name, "spec", "finalizers", "kubernetes", "status", "phase", "Active");

    (void)kube_sim_put(sim, ns, wall_ms);
    json_decref(ns);
}

struct kube_sim *kube_sim_new(const struct kube_sim_config *config, int64_t wall_ms)
{
    struct kube_sim *sim = x_calloc(1, sizeof *sim);

    sim->random = config->seed;
    sim->revision = config->first_revision ? config->first_revision : 1;
    sim->compacted = sim->revision;
    sim->ring_cap = config->history ? config->history : HISTORY_DEFAULT;
    sim->ring = x_calloc(sim->ring_cap, sizeof *sim->ring);
    sim->n_users = config->n_users;
    sim->users = x_calloc(config->n_users + 1, sizeof *sim->users);
    for (size_t i = 0; i < config->n_users; i++) {
        sim->users[i].token = x_strdup(config->users[i].token);
        sim->users[i].user = x_strdup(config->users[i].user);
    }
    sim->git_version = x_strdup(config->git_version ? config->git_version : "v1.34.0");
    sim->switches = config->switches ? *config->switches : kube_sim_defaults;
    sim->audit = config->audit;
    sim->audit_ctx = config->audit_ctx;
    sim->applied = json_object();
    ks_resources_init(sim);
    put_namespace(sim, "default", wall_ms);
    put_namespace(sim, "kube-system", wall_ms);
    return sim;
}

void kube_sim_free(struct kube_sim *sim)
{
    if (sim == NULL)
        return;
    for (size_t i = 0; i < sim->ring_cap; i++) {
        ks_object_unref(sim->ring[i].now);
        ks_object_unref(sim->ring[i].before);
    }
    free(sim->ring);
    ks_resources_free(sim);
    kube_sim_clear_faults(sim);
    for (size_t i = 0; i < sim->n_users; i++) {
        free((char *)(uintptr_t)sim->users[i].token);
        free((char *)(uintptr_t)sim->users[i].user);
    }
    free(sim->users);
    free(sim->git_version);
    json_decref(sim->applied);
    free(sim);
}

/* ---- requests ---- */

static void act(struct ks_call *call)
{
    if (call->res == NULL) {
        ks_other(call);
        return;
    }
    if (call->form == KS_NONE) {
        ks_fail(call, 406, "NotAcceptable",
                "only the following media types are accepted: application/json, "
                "application/yaml, application/vnd.kubernetes.protobuf");
        return;
    }
    ks_warn_deprecated(call);
    switch (call->verb) {
    case KS_GET:
        if (*call->sub && call->res->custom && strcmp(call->sub, "status") != 0)
            ks_fail_not_found(call);
        else if (*call->sub && (strcmp(call->sub, "status") != 0 || !call->res->status))
            ks_fail_bare(call, 404, "NotFound", "the server could not find the requested resource");
        else
            ks_get(call);
        break;
    case KS_LIST: ks_list(call); break;
    case KS_CREATE:
    case KS_UPDATE:
    case KS_PATCH: ks_write(call); break;
    case KS_DELETE: ks_delete(call); break;
    case KS_DELETE_ALL: ks_delete_all(call); break;
    default:
        ks_fail_bare(call, 405, "MethodNotAllowed",
                     "the server does not allow this method on the requested resource");
        break;
    }
}

static int audit_code(const struct sim_answer *answer)
{
    return answer->fate == SIM_RESET || answer->fate == SIM_HANG ? 0 : answer->status;
}

void kube_sim_handle(struct kube_sim *sim, const struct sim_request *request, int64_t wall_ms,
                     struct sim_answer *answer)
{
    struct ks_call call = {.sim = sim, .req = request, .now_ms = wall_ms, .answer = answer};
    struct ks_fault *fault;

    memset(answer, 0, sizeof *answer);
    if (ks_route(&call) == 0) {
        fault = strncmp(request->path, "/_sim/", 6) == 0 ? NULL : ks_fault_match(&call);
        if (fault == NULL) {
            act(&call);
        } else if (!ks_fault_before(&call, fault)) {
            act(&call);
            ks_fault_after(&call, fault);
        }
    }
    ks_audit(&call, KUBE_AUDIT_COMPLETE, audit_code(answer));
    ks_query_free(&call.query);
}

struct kube_watch *kube_sim_watch(struct kube_sim *sim, const struct sim_request *request, int64_t wall_ms,
                                  struct sim_answer *answer)
{
    struct ks_call call = {.sim = sim, .req = request, .now_ms = wall_ms, .answer = answer};
    struct kube_watch *watch = NULL;
    struct ks_fault *fault;

    memset(answer, 0, sizeof *answer);
    if (ks_route(&call) == 0) {
        fault = ks_fault_match(&call);
        if (fault != NULL && ks_fault_before(&call, fault))
            watch = NULL;
        else if (call.res == NULL || call.verb != KS_WATCH)
            ks_fail_not_found(&call);
        else {
            ks_warn_deprecated(&call);
            watch = ks_watch_open(&call, fault);
        }
    }
    ks_audit(&call, watch ? KUBE_AUDIT_STARTED : KUBE_AUDIT_COMPLETE, watch ? 200 : audit_code(answer));
    ks_query_free(&call.query);
    return watch;
}

/* ---- direct ways in ---- */

uint64_t kube_sim_news(const struct kube_sim *sim)
{
    return sim->next_seq + sim->bookmarks_asked;
}

void kube_sim_bookmark_all(struct kube_sim *sim)
{
    sim->bookmarks_asked++;
}

uint64_t kube_sim_revision(const struct kube_sim *sim)
{
    return sim->revision;
}

int kube_sim_load_crd(struct kube_sim *sim, const json_t *crd, int64_t wall_ms)
{
    struct sim_answer answer;
    struct ks_text text = {0};
    struct sim_request request = {.method = "POST",
                                  .path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                                  .query = "",
                                  .token = sim->n_users ? sim->users[0].token : "",
                                  .content_type = "application/json",
                                  .accept = "",
                                  .user_agent = "preload"};
    kube_audit_fn *audit = sim->audit;
    int status;

    ks_text_json(&text, crd);
    request.body = text.data;
    request.body_len = text.len;
    sim->audit = NULL;
    kube_sim_handle(sim, &request, wall_ms, &answer);
    sim->audit = audit;
    status = answer.status;
    sim_answer_clear(&answer);
    free(text.data);
    return status == 201 ? 0 : -1;
}

static void set_default(json_t *meta, const char *key, json_t *value)
{
    if (json_object_get(meta, key) == NULL)
        (void)json_object_set(meta, key, value);
    json_decref(value);
}

uint64_t kube_sim_put(struct kube_sim *sim, const json_t *object, int64_t wall_ms)
{
    struct ks_resource *res = ks_resource_of_kind(sim, ks_str(object, "apiVersion"), ks_str(object, "kind"));
    json_t *copy = json_deep_copy(object);
    json_t *meta = json_object_get(copy, "metadata");
    struct ks_object *before;
    struct ks_object *stored;
    char key[KS_KEY_MAX];
    char when[CLOCK_TEXT_MAX];
    char uid[37];

    if (res == NULL || *ks_str(meta, "name") == '\0') {
        json_decref(copy);
        return 0;
    }
    ks_key(key, ks_str(meta, "namespace"), ks_str(meta, "name"));
    before = ks_find(res, key, NULL);
    if (before != NULL) {
        set_default(meta, "uid", json_string(ks_str(before->json, "metadata.uid")));
        set_default(meta, "creationTimestamp",
                    json_string(ks_str(before->json, "metadata.creationTimestamp")));
    }
    ks_uuid(sim, uid);
    clock_text_seconds(wall_ms, when);
    set_default(meta, "uid", json_string(uid));
    set_default(meta, "creationTimestamp", json_string(when));
    if (res->generation)
        set_default(meta, "generation", json_integer(1));
    stored = ks_store_put(sim, res, key, ks_assemble(res, json_incref(meta), copy));
    json_decref(copy);
    ks_after_write(sim, res, stored, false, wall_ms);
    return sim->revision;
}

const json_t *kube_sim_get(struct kube_sim *sim, const char *group, const char *plural, const char *ns,
                           const char *name)
{
    const struct ks_resource *res = ks_resource_find(sim, group, NULL, plural);
    const struct ks_object *found;
    char key[KS_KEY_MAX];

    ks_key(key, ns, name);
    found = res ? ks_find(res, key, NULL) : NULL;
    return found ? found->json : NULL;
}

json_t *kube_sim_list(struct kube_sim *sim, const char *group, const char *plural, const char *ns)
{
    const struct ks_resource *res = ks_resource_find(sim, group, NULL, plural);
    json_t *list = json_array();

    for (size_t i = 0; res && i < res->n; i++)
        if (ns == NULL || strcmp(ks_str(res->items[i]->json, "metadata.namespace"), ns) == 0)
            (void)json_array_append(list, res->items[i]->json);
    return list;
}

bool kube_sim_remove(struct kube_sim *sim, const char *group, const char *plural, const char *ns,
                     const char *name)
{
    struct ks_resource *res = ks_resource_find(sim, group, NULL, plural);
    char key[KS_KEY_MAX];

    ks_key(key, ns, name);
    return res != NULL && ks_store_remove(sim, res, key, NULL) != NULL;
}
