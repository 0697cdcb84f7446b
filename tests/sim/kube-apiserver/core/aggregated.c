/* tests/sim/kube-apiserver/core/aggregated.c -- discovery in one answer, as kubectl asks for it since 1.26
 * (kubernetes 11.2). Owns the form APIGroupDiscoveryList v2 and when it is given. Called for /api and /apis
 * by discovery.c. */
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define AGGREGATED "v=v2;as=APIGroupDiscoveryList"

/* A client that asks for v2beta1 must not get v2: it would see no resources at all. */
bool ks_wants_aggregated(const struct ks_call *call)
{
    return strstr(call->req->accept, AGGREGATED) != NULL;
}

static json_t *response_kind(const char *group, const char *version, const char *kind)
{
    return json_pack("{s:s,s:s,s:s}", "group", group, "version", version, "kind", kind);
}

static json_t *resource_of(const struct ks_resource *res)
{
    json_t *made =
        json_pack("{s:s,s:o,s:s,s:s,s:[s,s,s,s,s,s,s,s]}", "resource", res->plural, "responseKind",
                  response_kind(res->group, res->version, res->kind), "scope",
                  res->namespaced ? "Namespaced" : "Cluster", "singularResource", res->singular, "verbs",
                  "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch");
    json_t *shorts = json_array();

    for (size_t i = 0; i < KS_SHORT_MAX && res->short_names[i]; i++)
        (void)json_array_append_new(shorts, json_string(res->short_names[i]));
    if (json_array_size(shorts) > 0)
        (void)json_object_set(made, "shortNames", shorts);
    json_decref(shorts);
    if (res->status)
        (void)json_object_set_new(made, "subresources",
                                  json_pack("[{s:s,s:o,s:[s,s,s]}]", "subresource", "status", "responseKind",
                                            response_kind(res->group, res->version, res->kind), "verbs",
                                            "get", "patch", "update"));
    return made;
}

/* The group with its one version; resources is stolen. */
static json_t *item(const char *group, const char *version, json_t *resources)
{
    json_t *meta = *group ? json_pack("{s:s}", "name", group) : json_object();

    return json_pack("{s:o,s:[{s:s,s:o,s:s}]}", "metadata", meta, "versions", "version", version, "resources",
                     resources, "freshness", "Current");
}

static json_t *resources_of_group(const struct kube_sim *sim, const char *group)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sim->n_resources; i++)
        if (!sim->resources[i]->gone && strcmp(sim->resources[i]->group, group) == 0)
            (void)json_array_append_new(list, resource_of(sim->resources[i]));
    return list;
}

static json_t *reviews(void)
{
    return json_pack("[{s:s,s:o,s:s,s:s,s:[s]}]", "resource", "selfsubjectaccessreviews", "responseKind",
                     response_kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview"), "scope",
                     "Cluster", "singularResource", "selfsubjectaccessreview", "verbs", "create");
}

void ks_aggregated(struct ks_call *call, bool core)
{
    const struct kube_sim *sim = call->sim;
    json_t *items = json_array();
    struct ks_text text = {0};
    json_t *whole;

    if (core)
        (void)json_array_append_new(items, item("", "v1", resources_of_group(sim, "")));
    for (size_t i = 0; i < sim->n_resources && !core; i++) {
        const struct ks_resource *res = sim->resources[i];

        if (!res->gone && *res->group && !ks_group_seen(sim, i, res->group))
            (void)json_array_append_new(items,
                                        item(res->group, res->version, resources_of_group(sim, res->group)));
    }
    if (!core)
        (void)json_array_append_new(items, item("authorization.k8s.io", "v1", reviews()));
    whole = json_pack("{s:s,s:s,s:{},s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
                      "apidiscovery.k8s.io/v2", "metadata", "items", items);
    ks_text_json(&text, whole);
    json_decref(whole);
    ks_answer_text(call, 200, "application/json;g=apidiscovery.k8s.io;" AGGREGATED, text.data, text.len);
}
