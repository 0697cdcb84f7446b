/* tests/sim/kube-apiserver/core/route.c -- who asks for what: token, path and method become a call.
 * Owns the shape of resource paths and the audit records. Never looks at objects. Called once for each
 * request before anything else. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define PARTS_MAX 10u

struct parts {
    char list[PARTS_MAX][KS_NAME_MAX];
    size_t n;
};

/* -1: a part is too long, badly escaped, or there are too many. */
static int split(const char *path, struct parts *parts)
{
    parts->n = 0;
    while (*path != '\0') {
        size_t len;

        path += *path == '/';
        len = strcspn(path, "/");
        if (len > 0 && parts->n == PARTS_MAX)
            return -1;
        if (len > 0) {
            char *part = parts->list[parts->n++];

            if (ks_unescape(path, len, false, part, KS_NAME_MAX) != 0 || strpbrk(part, "/%") != NULL ||
                strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
                return -1;
        }
        path += len;
    }
    return 0;
}

static void copy(char *out, size_t size, const char *text)
{
    size_t len = strnlen(text, size - 1);

    memcpy(out, text, len);
    out[len] = '\0';
}

/* Sets names from what stands behind the group and version. */
static void read_names(struct ks_call *call, const struct parts *parts, size_t at)
{
    if (at >= parts->n)
        return;
    call->is_resource = true;
    /* namespaces/NS/PLURAL..., but namespaces/NAME and namespaces/NAME/status are about the namespace */
    if (strcmp(parts->list[at], "namespaces") == 0 && *call->group == '\0' && parts->n - at >= 3 &&
        (strcmp(parts->list[at + 2], "status") == 0 || strcmp(parts->list[at + 2], "finalize") == 0)) {
        copy(call->plural, sizeof call->plural, parts->list[at]);
        copy(call->name, sizeof call->name, parts->list[at + 1]);
        copy(call->sub, sizeof call->sub, parts->list[at + 2]);
        return;
    }
    if (strcmp(parts->list[at], "namespaces") == 0 && parts->n - at >= 3) {
        copy(call->ns, sizeof call->ns, parts->list[at + 1]);
        at += 2;
    }
    copy(call->plural, sizeof call->plural, parts->list[at]);
    if (at + 1 < parts->n)
        copy(call->name, sizeof call->name, parts->list[at + 1]);
    if (at + 2 < parts->n)
        copy(call->sub, sizeof call->sub, parts->list[at + 2]);
}

static void read_path(struct ks_call *call, const struct parts *parts)
{
    if (parts->n >= 2 && strcmp(parts->list[0], "api") == 0) {
        copy(call->version, sizeof call->version, parts->list[1]);
        read_names(call, parts, 2);
    } else if (parts->n >= 3 && strcmp(parts->list[0], "apis") == 0) {
        copy(call->group, sizeof call->group, parts->list[1]);
        copy(call->version, sizeof call->version, parts->list[2]);
        read_names(call, parts, 3);
    }
    if (call->is_resource)
        call->res = ks_resource_find(call->sim, call->group, call->version, call->plural);
    if (call->res && (call->res->namespaced ? *call->name && !*call->ns : *call->ns != '\0'))
        call->res = NULL;
}

static bool says_watch(const char *query)
{
    struct ks_query parsed;
    const char *value;
    bool yes;

    ks_query_parse(&parsed, query);
    value = ks_query_get(&parsed, "watch");
    yes = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    ks_query_free(&parsed);
    return yes;
}

bool kube_sim_is_watch(const struct sim_request *request)
{
    return strcmp(request->method, "GET") == 0 && strncmp(request->path, "/api", 4) == 0 &&
           strstr(request->query, "watch=") != NULL && says_watch(request->query);
}

static enum ks_verb verb_of(const struct ks_call *call)
{
    const char *method = call->req->method;

    if (!call->is_resource)
        return KS_OTHER;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return kube_sim_is_watch(call->req) ? KS_WATCH : *call->name ? KS_GET : KS_LIST;
    if (strcmp(method, "POST") == 0)
        return KS_CREATE;
    if (strcmp(method, "PUT") == 0)
        return KS_UPDATE;
    if (strcmp(method, "PATCH") == 0)
        return KS_PATCH;
    if (strcmp(method, "DELETE") == 0)
        return *call->name ? KS_DELETE : KS_DELETE_ALL;
    return KS_OTHER;
}

/* NULL: nobody we know. */
static const char *user_of(const struct ks_call *call)
{
    if (call->sim->n_users == 0)
        return "system:anonymous";
    for (size_t i = 0; i < call->sim->n_users; i++)
        if (strcmp(call->sim->users[i].token, call->req->token) == 0)
            return call->sim->users[i].user;
    return NULL;
}

/* The health paths and the tests' own switches need no token (kubernetes 8.2). */
static bool open_path(const char *path)
{
    static const char *const open[] = {"/healthz", "/livez", "/readyz", "/version", "/_sim/"};

    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (strncmp(path, open[i], strlen(open[i])) == 0)
            return true;
    return false;
}

int ks_route(struct ks_call *call)
{
    struct parts parts;
    const char *user;

    call->id = ++call->sim->requests;
    call->user = "system:anonymous";
    ks_query_parse(&call->query, call->req->query);
    ks_accept(call);
    if (split(call->req->path, &parts) != 0) {
        call->verb = KS_OTHER;
        ks_fail_not_found(call);
        return -1;
    }
    read_path(call, &parts);
    call->verb = verb_of(call);
    call->dry_run = strcmp(ks_query_get(&call->query, "dryRun"), "All") == 0;
    user = user_of(call);
    if (user != NULL) {
        call->user = user;
    } else if (!open_path(call->req->path)) {
        call->res = NULL;
        ks_fail(call, 401, "Unauthorized", "Unauthorized");
        return -1;
    }
    return 0;
}

const char *ks_verb_text(const struct ks_call *call)
{
    static const char *const names[] = {"get",    "list",  "watch",  "create",
                                        "update", "patch", "delete", "deletecollection"};

    static const char *const methods[][2] = {{"GET", "get"},     {"POST", "post"},     {"PUT", "put"},
                                             {"PATCH", "patch"}, {"DELETE", "delete"}, {"HEAD", "head"}};

    if (call->verb != KS_OTHER)
        return names[call->verb];
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i][0], call->req->method) == 0)
            return methods[i][1];
    return call->req->method;
}

void ks_audit(struct ks_call *call, enum kube_audit_stage stage, int code)
{
    struct kube_audit record = {
        .stage = stage,
        .user = call->user,
        .verb = ks_verb_text(call),
        .group = call->group,
        .version = call->version,
        .resource = call->plural,
        .ns = call->ns,
        .name = call->name,
        .subresource = call->sub,
        .request = call->req,
        .user_agent = call->req->user_agent,
        .code = code,
        .id = call->id,
        .received_ms = call->now_ms,
        .stage_ms = call->now_ms,
    };
    char *uri;

    if (call->sim->audit == NULL)
        return;
    uri = x_asprintf("%s%s%s", call->req->path, *call->req->query ? "?" : "", call->req->query);
    record.uri = uri;
    call->sim->audit(call->sim->audit_ctx, &record);
    free(uri);
}
