/* tests/sim/kube-apiserver/core/discovery.c -- what the server says about itself: discovery, OpenAPI, health.
 * Owns the plain JSON discovery forms (kubernetes 11.2) and the smallest OpenAPI that kubectl is content with
 * (kubernetes 11.3). Called for every path that is no resource. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

/* charset or any '@' in the type makes some kubectl refuse the answer */
#define OPENAPI_V2_TYPE "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

static json_t *group_json(const char *group, const char *version)
{
    char *gv = x_asprintf("%s/%s", group, version);
    json_t *made = json_pack("{s:s,s:[{s:s,s:s}],s:{s:s,s:s}}", "name", group, "versions", "groupVersion", gv,
                             "version", version, "preferredVersion", "groupVersion", gv, "version", version);

    free(gv);
    return made;
}

static void api_group(struct ks_call *call, const char *group, const char *version)
{
    json_t *made = group_json(group, version);

    (void)json_object_set_new(made, "kind", json_string("APIGroup"));
    (void)json_object_set_new(made, "apiVersion", json_string("v1"));
    ks_answer_json(call, 200, made);
}

bool ks_group_seen(const struct kube_sim *sim, size_t upto, const char *group)
{
    for (size_t i = 0; i < upto; i++)
        if (!sim->resources[i]->gone && strcmp(sim->resources[i]->group, group) == 0)
            return true;
    return false;
}

static void api_groups(struct ks_call *call)
{
    struct kube_sim *sim = call->sim;
    json_t *groups = json_array();

    for (size_t i = 0; i < sim->n_resources; i++) {
        const struct ks_resource *res = sim->resources[i];

        if (!res->gone && *res->group && !ks_group_seen(sim, i, res->group))
            (void)json_array_append_new(groups, group_json(res->group, res->version));
    }
    (void)json_array_append_new(groups, group_json("authorization.k8s.io", "v1"));
    ks_answer_json(call, 200,
                   json_pack("{s:s,s:s,s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups));
}

static json_t *resource_json(const struct ks_resource *res)
{
    json_t *made =
        json_pack("{s:s,s:s,s:b,s:s,s:[s,s,s,s,s,s,s,s]}", "name", res->plural, "singularName", res->singular,
                  "namespaced", res->namespaced, "kind", res->kind, "verbs", "create", "delete",
                  "deletecollection", "get", "list", "patch", "update", "watch");
    json_t *shorts = json_array();

    for (size_t i = 0; i < KS_SHORT_MAX && res->short_names[i]; i++)
        (void)json_array_append_new(shorts, json_string(res->short_names[i]));
    if (json_array_size(shorts) > 0)
        (void)json_object_set(made, "shortNames", shorts);
    json_decref(shorts);
    return made;
}

static void api_resources(struct ks_call *call, const char *group, const char *version)
{
    json_t *list = json_array();
    char *gv = x_asprintf("%s%s%s", group, *group ? "/" : "", version);

    for (size_t i = 0; i < call->sim->n_resources; i++) {
        const struct ks_resource *res = call->sim->resources[i];
        char *status;

        if (res->gone || strcmp(res->group, group) != 0 || strcmp(res->version, version) != 0)
            continue;
        (void)json_array_append_new(list, resource_json(res));
        if (!res->status)
            continue;
        status = x_asprintf("%s/status", res->plural);
        (void)json_array_append_new(list, json_pack("{s:s,s:s,s:b,s:s,s:[s,s,s]}", "name", status,
                                                    "singularName", "", "namespaced", res->namespaced, "kind",
                                                    res->kind, "verbs", "get", "patch", "update"));
        free(status);
    }
    if (strcmp(group, "authorization.k8s.io") == 0)
        (void)json_array_append_new(list,
                                    json_pack("{s:s,s:s,s:b,s:s,s:[s]}", "name", "selfsubjectaccessreviews",
                                              "singularName", "selfsubjectaccessreview", "namespaced", 0,
                                              "kind", "SelfSubjectAccessReview", "verbs", "create"));
    if (json_array_size(list) == 0) {
        json_decref(list);
        ks_fail_not_found(call);
    } else {
        ks_answer_json(call, 200,
                       json_pack("{s:s,s:s,s:s,s:o}", "kind", "APIResourceList", "apiVersion", "v1",
                                 "groupVersion", gv, "resources", list));
    }
    free(gv);
}

static void version(struct ks_call *call)
{
    const char *git = call->sim->git_version;
    unsigned major = 1;
    unsigned minor = 34;
    char buf[2][12];

    (void)sscanf(git, "v%u.%u", &major, &minor);
    (void)snprintf(buf[0], sizeof buf[0], "%u", major);
    (void)snprintf(buf[1], sizeof buf[1], "%u", minor);
    ks_answer_json(call, 200,
                   json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "major", buf[0], "minor", buf[1],
                             "gitVersion", git, "gitCommit", "0000000000000000000000000000000000000000",
                             "gitTreeState", "clean", "buildDate", "2025-01-01T00:00:00Z", "goVersion",
                             "none", "compiler", "gcc", "platform", "linux/amd64"));
}

/* ---- OpenAPI ---- */

static const char *gv_path(const struct ks_resource *res, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s/%s%s%s", *res->group ? "apis" : "api", res->group, *res->group ? "/" : "",
                   res->version);
    return buf;
}

static void openapi_index(struct ks_call *call)
{
    json_t *paths = json_object();
    char path[KS_NAME_MAX + 80];

    for (size_t i = 0; i < call->sim->n_resources; i++) {
        const struct ks_resource *res = call->sim->resources[i];
        char *url;

        if (res->gone)
            continue;
        url = x_asprintf("/openapi/v3/%s?hash=%llX", gv_path(res, path, sizeof path),
                         (unsigned long long)call->sim->n_resources);
        (void)json_object_set_new(paths, path, json_pack("{s:s}", "serverRelativeURL", url));
        free(url);
    }
    ks_answer_json(call, 200, json_pack("{s:o}", "paths", paths));
}

/* The PATCH operation that tells kubectl of server-side field validation. Strategic patches are not
 * announced: the schemas of built-in kinds here are empty, and kubectl would look for merge keys in them. */
static json_t *patch_operation(const struct ks_resource *res)
{
    static const char *const types[] = {"application/apply-patch+yaml", "application/json-patch+json",
                                        "application/merge-patch+json"};
    json_t *content = json_object();

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        (void)json_object_set_new(content, types[i], json_pack("{s:{s:s}}", "schema", "type", "object"));
    return json_pack("{s:[{s:s,s:s,s:{s:s}}],s:{s:o},s:{s:{s:s}},s:{s:s,s:s,s:s},s:s}", "parameters", "name",
                     "fieldValidation", "in", "query", "schema", "type", "string", "requestBody", "content",
                     content, "responses", "200", "description", "OK", "x-kubernetes-group-version-kind",
                     "group", res->group, "kind", res->kind, "version", res->version, "x-kubernetes-action",
                     "patch");
}

static json_t *component(const struct ks_resource *res)
{
    json_t *made = res->schema ? json_copy(res->schema) : json_pack("{s:s}", "type", "object");

    (void)json_object_set_new(
        made, "x-kubernetes-group-version-kind",
        json_pack("[{s:s,s:s,s:s}]", "group", res->group, "kind", res->kind, "version", res->version));
    return made;
}

static void openapi_group(struct ks_call *call, const char *wanted)
{
    json_t *paths = json_object();
    json_t *schemas = json_object();
    char path[KS_NAME_MAX + 80];

    for (size_t i = 0; i < call->sim->n_resources; i++) {
        const struct ks_resource *res = call->sim->resources[i];
        char *url;
        char *name;

        if (res->gone || strcmp(gv_path(res, path, sizeof path), wanted) != 0)
            continue;
        url = x_asprintf("/%s%s/%s/{name}", path, res->namespaced ? "/namespaces/{namespace}" : "",
                         res->plural);
        name = x_asprintf("sim.%s.%s", res->version, res->kind);
        (void)json_object_set_new(paths, url, json_pack("{s:o}", "patch", patch_operation(res)));
        (void)json_object_set_new(schemas, name, component(res));
        free(url);
        free(name);
    }
    if (json_object_size(paths) == 0) {
        json_decref(paths);
        json_decref(schemas);
        ks_fail_not_found(call);
        return;
    }
    ks_answer_json(call, 200,
                   json_pack("{s:s,s:{s:s,s:s},s:o,s:{s:o}}", "openapi", "3.0.0", "info", "title",
                             "Kubernetes", "version", call->sim->git_version, "paths", paths, "components",
                             "schemas", schemas));
}

/* ---- the rest ---- */

static void access_review(struct ks_call *call)
{
    json_t *body = ks_read_body(call);

    if (body == NULL)
        return;
    (void)json_object_set_new(body, "kind", json_string("SelfSubjectAccessReview"));
    (void)json_object_set_new(body, "apiVersion", json_string("authorization.k8s.io/v1"));
    if (json_object_get(body, "metadata") == NULL)
        (void)json_object_set_new(body, "metadata", json_object());
    (void)json_object_set_new(body, "status", json_pack("{s:b}", "allowed", 1));
    ks_answer_json(call, 201, body);
}

static void discovery(struct ks_call *call)
{
    const char *path = call->req->path;

    if ((strcmp(path, "/api") == 0 || strcmp(path, "/apis") == 0) && ks_wants_aggregated(call))
        ks_aggregated(call, strcmp(path, "/api") == 0);
    else if (strcmp(path, "/api") == 0)
        ks_answer_json(call, 200,
                       json_pack("{s:s,s:[s],s:[{s:s,s:s}]}", "kind", "APIVersions", "versions", "v1",
                                 "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress",
                                 "127.0.0.1"));
    else if (strcmp(path, "/apis") == 0)
        api_groups(call);
    else if (*call->version)
        api_resources(call, call->group, call->version);
    else if (strncmp(path, "/apis/", 6) == 0 && strcmp(path + 6, "authorization.k8s.io") == 0)
        api_group(call, "authorization.k8s.io", "v1");
    else
        for (size_t i = 0; i < call->sim->n_resources && strncmp(path, "/apis/", 6) == 0; i++)
            if (!call->sim->resources[i]->gone && strcmp(call->sim->resources[i]->group, path + 6) == 0 &&
                path[6]) {
                api_group(call, path + 6, call->sim->resources[i]->version);
                return;
            }
    if (call->answer->status == 0)
        ks_fail_not_found(call);
}

static bool health_path(const char *path)
{
    return strncmp(path, "/healthz", 8) == 0 || strncmp(path, "/livez", 6) == 0 ||
           strncmp(path, "/readyz", 7) == 0;
}

void ks_other(struct ks_call *call)
{
    const char *path = call->req->path;

    if (strncmp(path, "/_sim/", 6) == 0)
        ks_sim_path(call);
    else if (health_path(path))
        ks_answer_text(call, 200, "text/plain; charset=utf-8", x_strdup("ok"), 2);
    else if (strcmp(path, "/version") == 0)
        version(call);
    else if (strcmp(path, "/openapi/v2") == 0)
        ks_answer_text(call, 200, OPENAPI_V2_TYPE, NULL, 0);
    else if (strcmp(path, "/openapi/v3") == 0)
        openapi_index(call);
    else if (strncmp(path, "/openapi/v3/", 12) == 0)
        openapi_group(call, path + 12);
    else if (strcmp(call->group, "authorization.k8s.io") == 0 && strcmp(call->req->method, "POST") == 0 &&
             strcmp(call->plural, "selfsubjectaccessreviews") == 0)
        access_review(call);
    else if (call->is_resource)
        ks_fail_not_found(call);
    else
        discovery(call);
}
