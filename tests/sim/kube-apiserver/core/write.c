/* tests/sim/kube-apiserver/core/write.c -- POST, PUT and PATCH: bodies, patch types and create.
 * Owns which media types are taken (kubernetes 4.1) and what a new object gets. The rules for a changed
 * object are in update.c. Called by the dispatcher. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/kube-apiserver/core/internal.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf"

bool ks_media_is(const struct ks_call *call, const char *type)
{
    size_t len = strlen(type);
    const char *has = call->req->content_type;

    return strncasecmp(has, type, len) == 0 && (has[len] == '\0' || has[len] == ';' || has[len] == ' ');
}

/* The body as JSON. NULL and an answer when it cannot be. */
json_t *ks_read_body(struct ks_call *call)
{
    json_error_t error;
    json_t *body;

    if (call->req->body_len > KS_BODY_MAX) {
        ks_fail(call, 413, "RequestEntityTooLarge", "Request entity too large: limit is %u", KS_BODY_MAX);
        return NULL;
    }
    if (ks_media_is(call, PROTOBUF)) {
        body = ks_protobuf(call->req->body, call->req->body_len);
        if (body == NULL)
            ks_fail(call, 415, "UnsupportedMediaType", "this simulator does not know the kind in protobuf");
        return body;
    }
    body = json_loadb(call->req->body, call->req->body_len, 0, &error);
    if (body == NULL)
        ks_fail(call, 400, "BadRequest", "the object provided is unrecognized: %s", error.text);
    return body;
}

json_t *ks_assemble(const struct ks_resource *res, json_t *meta, json_t *body)
{
    char buf[KS_NAME_MAX + 64];
    json_t *made = json_object();
    const char *key;
    json_t *value;

    (void)json_object_set_new(made, "apiVersion", json_string(ks_api_version(res, buf, sizeof buf)));
    (void)json_object_set_new(made, "kind", json_string(res->kind));
    (void)json_object_set_new(made, "metadata", meta);
    json_object_foreach(body, key, value)
    {
        if (strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0 && strcmp(key, "metadata") != 0)
            (void)json_object_set(made, key, value);
    }
    return made;
}

/* apiVersion and kind of a body may be absent in built-in kinds only. 0, or -1 and a 400. */
static int check_kind(struct ks_call *call, const json_t *body)
{
    char buf[KS_NAME_MAX + 64];
    const char *version = ks_str(body, "apiVersion");
    const char *kind = ks_str(body, "kind");
    const char *want = ks_api_version(call->res, buf, sizeof buf);
    struct ks_causes causes = {0};

    if (!json_is_object(body) || (call->res->custom && (!*version || !*kind))) {
        ks_fail(call, 400, "BadRequest", "Object 'Kind' or 'apiVersion' is missing in the body");
        return -1;
    }
    if (*version && strcmp(version, want) != 0) {
        ks_fail(call, 400, "BadRequest",
                "the API version in the data (%s) does not match the expected API version (%s)", version,
                want);
        return -1;
    }
    if (*kind && strcmp(kind, call->res->kind) != 0 && call->res->custom) {
        ks_cause_add(&causes, "FieldValueInvalid", "kind", "Invalid value: \"%s\": must be %s", kind,
                     call->res->kind);
        ks_fail_invalid_kind(call, call->res->group, kind, ks_str(body, "metadata.name"), &causes);
        return -1;
    }
    if (*kind && strcmp(kind, call->res->kind) != 0) {
        ks_fail(call, 400, "BadRequest", "the kind in the data (%s) does not match the expected kind (%s)",
                kind, call->res->kind);
        return -1;
    }
    return 0;
}

/* ---- create ---- */

/* 0, or -1 and an answer: the namespace must be there and not on its way out. */
static int check_namespace(struct ks_call *call)
{
    struct ks_resource *namespaces = ks_resource_find(call->sim, "", "v1", "namespaces");
    struct ks_object *ns;
    char *message;
    json_t *status;

    if (!call->res->namespaced)
        return 0;
    ns = ks_find(namespaces, call->ns, NULL);
    if (ns != NULL && *ks_str(ns->json, "metadata.deletionTimestamp") == '\0')
        return 0;
    if (ns == NULL) {
        call->res = namespaces;
        (void)snprintf(call->name, sizeof call->name, "%s", call->ns);
        ks_fail_not_found(call);
        return -1;
    }
    message = x_asprintf("%s \"%s\" is forbidden: unable to create new content in namespace %s because it is "
                         "being terminated",
                         call->res->plural, call->name, call->ns);
    status = ks_status(403, "Forbidden", message);
    (void)json_object_set_new(status, "details",
                              json_pack("{s:s,s:s,s:[{s:s,s:s,s:s}]}", "name", call->name, "kind",
                                        call->res->plural, "causes", "reason", "NamespaceTerminating",
                                        "message", "namespace is being terminated", "field",
                                        "metadata.namespace"));
    ks_answer_json(call, 403, status);
    free(message);
    return -1;
}

static void generate_name(struct ks_call *call, const char *base)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    char tail[6] = "";

    for (size_t i = 0; i < 5; i++)
        tail[i] = letters[ks_random(call->sim) % (sizeof letters - 1)];
    (void)snprintf(call->name, sizeof call->name, "%.240s%s", base, tail);
}

/* The metadata of a new object; a new reference. */
static json_t *new_meta(struct ks_call *call, json_t *meta)
{
    static const char *const server_side[] = {"resourceVersion",
                                              "generation",
                                              "deletionTimestamp",
                                              "deletionGracePeriodSeconds",
                                              "creationTimestamp",
                                              "selfLink",
                                              "managedFields",
                                              "uid",
                                              "name",
                                              "namespace"};
    json_t *made = json_object();
    char text[CLOCK_TEXT_MAX];
    char uid[37];

    ks_uuid(call->sim, uid);
    clock_text_seconds(call->now_ms, text);
    (void)json_object_set_new(made, "name", json_string(call->name));
    if (call->res->namespaced)
        (void)json_object_set_new(made, "namespace", json_string(call->ns));
    (void)json_object_set_new(made, "uid", json_string(uid));
    (void)json_object_set_new(made, "creationTimestamp", json_string(text));
    if (call->res->generation)
        (void)json_object_set_new(made, "generation", json_integer(1));
    meta = json_is_object(meta) ? json_copy(meta) : json_object();
    for (size_t i = 0; i < sizeof server_side / sizeof *server_side; i++)
        (void)json_object_del(meta, server_side[i]);
    (void)json_object_update(made, meta);
    json_decref(meta);
    ks_meta_tidy(made);
    return made;
}

/* 0, or -1 and an answer. Sets call->name. */
static int check_create(struct ks_call *call, const json_t *body)
{
    const char *name = ks_str(body, "metadata.name");
    const char *ns = ks_str(body, "metadata.namespace");
    char buf[KS_NAME_MAX + 64];
    char key[KS_KEY_MAX];
    const struct ks_object *there;

    if (*call->name == '\0')
        (void)snprintf(call->name, sizeof call->name, "%.253s", name);
    if (*name == '\0' && *call->name == '\0' && *ks_str(body, "metadata.generateName"))
        generate_name(call, ks_str(body, "metadata.generateName"));
    if (*ks_str(body, "metadata.resourceVersion")) {
        ks_fail(call, 500, "", "resourceVersion should not be set on objects to be created");
        return -1;
    }
    if (*ns && strcmp(ns, call->ns) != 0) {
        ks_fail(call, 400, "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request");
        return -1;
    }
    if (check_namespace(call) != 0)
        return -1;
    ks_key(key, call->ns, call->name);
    there = ks_find(call->res, key, NULL);
    if (there != NULL) {
        ks_fail(call, 409, "AlreadyExists", "%s%s \"%s\" already exists",
                *ks_str(there->json, "metadata.deletionTimestamp") ? "object is being deleted: " : "",
                ks_qualified(call->res, buf, sizeof buf), call->name);
        return -1;
    }
    return 0;
}

void ks_create(struct ks_call *call, json_t *body)
{
    json_t *made;

    if (check_kind(call, body) == 0 && check_create(call, body) == 0) {
        made = ks_assemble(call->res, new_meta(call, json_object_get(body, "metadata")), body);
        if (call->res->status && call->res->custom)
            (void)json_object_del(made, "status");
        made = ks_check_object(call, NULL, made);
        if (made != NULL)
            ks_commit(call, 201, made);
    }
    json_decref(body);
}

/* ---- PUT and PATCH ---- */

static bool resource_takes(struct ks_call *call)
{
    bool status_ok = strcmp(call->sub, "status") == 0 && call->res->status;

    if (*call->sub && !status_ok && strcmp(call->sub, "finalize") != 0) {
        if (call->res->custom)
            ks_fail_not_found(call);
        else
            ks_fail_bare(call, 404, "NotFound", "the server could not find the requested resource");
        return false;
    }
    if (call->verb != KS_CREATE && *call->name)
        return true;
    /* the handler of custom resources looks at the method only */
    if (call->res->custom && *call->name == '\0' && call->verb != KS_CREATE) {
        ks_fail(call, 400, "BadRequest", "name must be provided");
        return false;
    }
    if (call->verb == KS_CREATE && (call->res->custom || *call->name == '\0') &&
        (*call->ns || !call->res->namespaced))
        return true;
    ks_fail_bare(call, 405, "MethodNotAllowed",
                 "the server does not allow this method on the requested resource");
    return false;
}

/* Strategic patches differ from merge patches in directives, which all start with '$', and in the finalizers,
 * which are merged as a set. Enough for the built-in kinds served here. */
static json_t *strategic(json_t *target, json_t *patch)
{
    json_t *plain = json_deep_copy(patch);
    json_t *old = ks_at(target, "metadata.finalizers");
    json_t *want = ks_at(plain, "metadata.finalizers");
    json_t *made;
    size_t i;
    json_t *one;
    const char *key;
    void *next;

    json_object_foreach_safe(plain, next, key, one)
    {
        if (*key == '$')
            (void)json_object_del(plain, key);
    }
    json_object_foreach_safe(json_object_get(plain, "metadata"), next, key, one)
    {
        if (*key == '$')
            (void)json_object_del(json_object_get(plain, "metadata"), key);
    }
    json_array_foreach(old, i, one)
    {
        bool found = !json_is_array(want);

        for (size_t k = 0; k < json_array_size(want) && !found; k++)
            found = ks_same(json_array_get(want, k), one);
        if (!found)
            (void)json_array_append(want, one);
    }
    made = ks_merge_patch(target, plain);
    json_decref(plain);
    return made;
}

static void fail_media(struct ks_call *call)
{
    ks_fail(call, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, %sapplication/apply-patch+yaml",
            call->res->custom ? "" : "application/strategic-merge-patch+json, ");
}

/* The object that the patch makes of before; NULL and an answer when it cannot be. */
static json_t *patched(struct ks_call *call, struct ks_object *before, json_t *body)
{
    char *error = NULL;
    json_t *made;

    if (ks_media_is(call, "application/json-patch+json")) {
        made = json_is_array(body) ? ks_json_patch(before->json, body, &error) : NULL;
        if (made == NULL && error != NULL)
            ks_fail_bare(call, 422, "Invalid",
                         "the server rejected our request due to an error in our request");
        else if (made == NULL)
            ks_fail(call, 400, "BadRequest", "error decoding patch: this is no list of operations");
        free(error);
        return made;
    }
    if (!json_is_object(body)) {
        ks_fail(call, 400, "BadRequest", "the patch is no JSON object");
        return NULL;
    }
    return ks_media_is(call, "application/strategic-merge-patch+json") ? strategic(before->json, body)
                                                                       : ks_merge_patch(before->json, body);
}

static void write_patch(struct ks_call *call, struct ks_object *before)
{
    bool apply = ks_media_is(call, "application/apply-patch+yaml");
    bool known = apply || ks_media_is(call, "application/merge-patch+json") ||
                 ks_media_is(call, "application/json-patch+json") ||
                 (!call->res->custom && ks_media_is(call, "application/strategic-merge-patch+json"));
    json_t *body;
    json_t *made;

    if (!known) {
        fail_media(call);
        return;
    }
    body = ks_read_body(call);
    if (body == NULL)
        return;
    if (apply) {
        ks_apply(call, before, body);
    } else if (before == NULL) {
        ks_fail_not_found(call);
    } else {
        made = patched(call, before, body);
        if (made != NULL)
            ks_update(call, before, made);
    }
    json_decref(body);
}

void ks_write(struct ks_call *call)
{
    char key[KS_KEY_MAX];
    struct ks_object *before;
    json_t *body;

    if (!resource_takes(call) || ks_check_options(call) != 0)
        return;
    ks_key(key, call->ns, call->name);
    before = ks_object_ref(ks_find(call->res, key, NULL));
    if (call->verb == KS_PATCH) {
        write_patch(call, before);
    } else if (*call->req->content_type && !ks_media_is(call, "application/json") &&
               (call->res->custom || !ks_media_is(call, PROTOBUF))) {
        ks_fail(call, 415, "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json, application/yaml, application/vnd.kubernetes.protobuf");
    } else if ((body = ks_read_body(call)) != NULL) {
        if (call->verb == KS_CREATE)
            ks_create(call, body);
        else if (check_kind(call, body) != 0)
            json_decref(body);
        else
            ks_update(call, before, body);
    }
    ks_object_unref(before);
}
