/* tests/sim/kube-apiserver/core/resources.c -- which resources exist: the built-in ones and those of CRDs.
 * Owns the table; a resource is never freed before the simulator is, since watches and events point at it.
 * Called at start, by the router and after a write to a CustomResourceDefinition. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

struct builtin {
    const char *group;
    const char *version;
    const char *plural;
    const char *singular;
    const char *kind;
    const char *short_name;
    bool namespaced;
    bool status;
    bool generation;
    bool unconditional; /* of leases and CRDs the real server wants the resourceVersion */
};

static const struct builtin builtins[] = {
    {"", "v1", "configmaps", "configmap", "ConfigMap", "cm", true, false, false, true},
    {"", "v1", "events", "event", "Event", "ev", true, false, false, true},
    {"", "v1", "namespaces", "namespace", "Namespace", "ns", false, true, false, true},
    {"", "v1", "secrets", "secret", "Secret", "", true, false, false, true},
    {"", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", "sa", true, false, false, true},
    {"coordination.k8s.io", "v1", "leases", "lease", "Lease", "", true, false, false, false},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition",
     "CustomResourceDefinition", "crd", false, true, true, false},
};

#define TEXT            "{\"type\":\"string\"}"
#define NUMBER          "{\"type\":\"integer\"}"
#define BOOLEAN         "{\"type\":\"boolean\"}"
#define FREE            "{\"x-kubernetes-preserve-unknown-fields\":true}"
#define TEXTS           "{\"type\":\"array\",\"items\":" TEXT "}"
#define MAP             "{\"type\":\"object\",\"additionalProperties\":" TEXT "}"
#define OBJECT(members) "{\"type\":\"object\",\"properties\":{" members "}}"

/* Which members the built-in kinds have, so that others are dropped and wrong types are refused. */
static const struct {
    const char *plural;
    const char *schema;
} builtin_schemas[] = {
    {"configmaps", OBJECT("\"data\":" MAP ",\"binaryData\":" MAP ",\"immutable\":" BOOLEAN)},
    {"secrets", OBJECT("\"data\":" MAP ",\"stringData\":" MAP ",\"type\":" TEXT ",\"immutable\":" BOOLEAN)},
    {"namespaces", OBJECT("\"spec\":" OBJECT("\"finalizers\":" TEXTS) ",\"status\":" FREE)},
    {"serviceaccounts",
     OBJECT("\"secrets\":" FREE ",\"imagePullSecrets\":" FREE ",\"automountServiceAccountToken\":" BOOLEAN)},
    {"leases",
     OBJECT("\"spec\":" OBJECT("\"holderIdentity\":" TEXT ",\"leaseDurationSeconds\":" NUMBER
                               ",\"acquireTime\":" TEXT ",\"renewTime\":" TEXT ",\"leaseTransitions\":" NUMBER
                               ",\"strategy\":" TEXT ",\"preferredHolder\":" TEXT))},
    {"events", OBJECT("\"involvedObject\":" MAP ",\"related\":" MAP ",\"reason\":" TEXT ",\"message\":" TEXT
                      ",\"source\":" MAP ",\"firstTimestamp\":" TEXT ",\"lastTimestamp\":" TEXT
                      ",\"count\":" NUMBER ",\"type\":" TEXT ",\"eventTime\":" TEXT ",\"series\":" FREE
                      ",\"action\":" TEXT ",\"reportingComponent\":" TEXT ",\"reportingInstance\":" TEXT)},
};

static json_t *builtin_schema(const char *plural)
{
    for (size_t i = 0; i < sizeof builtin_schemas / sizeof *builtin_schemas; i++)
        if (strcmp(builtin_schemas[i].plural, plural) == 0)
            return json_loads(builtin_schemas[i].schema, 0, NULL);
    return NULL;
}

static struct ks_resource *resource_add(struct kube_sim *sim)
{
    struct ks_resource *res = x_calloc(1, sizeof *res);

    sim->resources = x_realloc(sim->resources, (sim->n_resources + 1) * sizeof(struct ks_resource *));
    sim->resources[sim->n_resources++] = res;
    return res;
}

void ks_resources_init(struct kube_sim *sim)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        const struct builtin *from = &builtins[i];
        struct ks_resource *res = resource_add(sim);

        res->group = x_strdup(from->group);
        res->version = x_strdup(from->version);
        res->plural = x_strdup(from->plural);
        res->singular = x_strdup(from->singular);
        res->kind = x_strdup(from->kind);
        res->list_kind = x_asprintf("%sList", from->kind);
        res->short_names[0] = *from->short_name ? x_strdup(from->short_name) : NULL;
        res->namespaced = from->namespaced;
        res->status = from->status;
        res->generation = from->generation;
        res->unconditional = from->unconditional;
        res->schema = builtin_schema(from->plural);
    }
}

static void names_free(struct ks_resource *res)
{
    free(res->group);
    free(res->version);
    free(res->plural);
    free(res->singular);
    free(res->kind);
    free(res->list_kind);
    for (size_t i = 0; i < KS_SHORT_MAX; i++)
        free(res->short_names[i]);
    memset(res->short_names, 0, sizeof res->short_names);
    json_decref(res->schema);
    json_decref(res->columns);
    free(res->warning);
}

void ks_resources_free(struct kube_sim *sim)
{
    for (size_t i = 0; i < sim->n_resources; i++) {
        struct ks_resource *res = sim->resources[i];

        for (size_t k = 0; k < res->n; k++)
            ks_object_unref(res->items[k]);
        free(res->items);
        names_free(res);
        free(res);
    }
    free(sim->resources);
}

struct ks_resource *ks_resource_find(const struct kube_sim *sim, const char *group, const char *version,
                                     const char *plural)
{
    for (size_t i = 0; i < sim->n_resources; i++) {
        struct ks_resource *res = sim->resources[i];

        if (!res->gone && strcmp(res->plural, plural) == 0 && strcmp(res->group, group) == 0 &&
            (version == NULL || strcmp(res->version, version) == 0))
            return res;
    }
    return NULL;
}

const char *ks_api_version(const struct ks_resource *res, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s%s%s", res->group, *res->group ? "/" : "", res->version);
    return buf;
}

const char *ks_qualified(const struct ks_resource *res, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s%s%s", res->plural, *res->group ? "." : "", res->group);
    return buf;
}

struct ks_resource *ks_resource_of_kind(const struct kube_sim *sim, const char *api_version, const char *kind)
{
    char buf[KS_NAME_MAX + 64];

    for (size_t i = 0; i < sim->n_resources; i++) {
        struct ks_resource *res = sim->resources[i];

        if (!res->gone && strcmp(res->kind, kind) == 0 &&
            strcmp(ks_api_version(res, buf, sizeof buf), api_version) == 0)
            return res;
    }
    return NULL;
}

/* The version this simulator serves: the stored one. NULL when there is none. */
static json_t *stored_version(const json_t *crd)
{
    json_t *versions = ks_at(crd, "spec.versions");
    size_t i;
    json_t *version;

    json_array_foreach(versions, i, version)
    {
        if (json_is_true(json_object_get(version, "storage")))
            return version;
    }
    return NULL;
}

static void fill_names(struct ks_resource *res, const json_t *crd, const json_t *version)
{
    const char *kind = ks_str(crd, "spec.names.kind");
    const char *list_kind = ks_str(crd, "spec.names.listKind");
    const char *singular = ks_str(crd, "spec.names.singular");
    json_t *shorts = ks_at(crd, "spec.names.shortNames");
    size_t len = strlen(kind);

    res->group = x_strdup(ks_str(crd, "spec.group"));
    res->version = x_strdup(ks_str(version, "name"));
    res->plural = x_strdup(ks_str(crd, "spec.names.plural"));
    res->kind = x_strdup(kind);
    res->list_kind = *list_kind ? x_strdup(list_kind) : x_asprintf("%sList", kind);
    res->singular = *singular ? x_strdup(singular) : x_strdup(kind);
    for (size_t i = 0; !*singular && i < len; i++)
        if (kind[i] >= 'A' && kind[i] <= 'Z')
            res->singular[i] = (char)(kind[i] - 'A' + 'a');
    for (size_t i = 0; i < KS_SHORT_MAX && i < json_array_size(shorts); i++)
        if (json_is_string(json_array_get(shorts, i)))
            res->short_names[i] = x_strdup(json_string_value(json_array_get(shorts, i)));
}

/* Whether a CEL rule stands anywhere in the schema. */
static bool has_rules(json_t *schema)
{
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach(schema, key, value)
    {
        if (strcmp(key, "x-kubernetes-validations") == 0 || has_rules(value))
            return true;
    }
    json_array_foreach(schema, i, value)
    {
        if (has_rules(value))
            return true;
    }
    return false;
}

/* The text of the warning, or NULL when the version is not deprecated. */
static char *deprecation(const struct ks_resource *res, const json_t *version)
{
    const char *text = ks_str(version, "deprecationWarning");
    char api_version[KS_NAME_MAX + 64];

    if (!json_is_true(json_object_get(version, "deprecated")))
        return NULL;
    if (*text)
        return x_strdup(text);
    return x_asprintf("%s %s is deprecated", ks_api_version(res, api_version, sizeof api_version), res->kind);
}

void ks_resource_from_crd(struct kube_sim *sim, json_t *crd)
{
    json_t *version = stored_version(crd);
    struct ks_resource *res;

    if (version == NULL)
        return;
    res = ks_resource_find(sim, ks_str(crd, "spec.group"), NULL, ks_str(crd, "spec.names.plural"));
    if (res == NULL)
        res = resource_add(sim);
    else if (res->custom)
        names_free(res);
    else
        return;
    fill_names(res, crd, version);
    res->namespaced = strcmp(ks_str(crd, "spec.scope"), "Namespaced") == 0;
    res->status = ks_at(version, "subresources.status") != NULL;
    res->custom = true;
    res->generation = true;
    res->unconditional = false;
    res->schema = json_incref(ks_at(version, "schema.openAPIV3Schema"));
    res->rules = has_rules(res->schema);
    res->columns = json_incref(json_object_get(version, "additionalPrinterColumns"));
    res->warning = deprecation(res, version);
}

void ks_warn_deprecated(struct ks_call *call)
{
    struct ks_text value = {0};

    if (call->res == NULL || call->res->warning == NULL)
        return;
    ks_text_str(&value, "299 - \"");
    for (const char *at = call->res->warning; *at; at++)
        ks_text_fmt(&value, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
    ks_text_str(&value, "\"");
    ks_answer_header(call->answer, "Warning", value.data);
    free(value.data);
}

void ks_resource_drop_crd(struct kube_sim *sim, const json_t *crd)
{
    struct ks_resource *res =
        ks_resource_find(sim, ks_str(crd, "spec.group"), NULL, ks_str(crd, "spec.names.plural"));

    if (res == NULL || !res->custom)
        return;
    while (res->n > 0) {
        char key[KS_KEY_MAX];

        (void)snprintf(key, sizeof key, "%s", res->items[res->n - 1]->key);
        (void)ks_store_remove(sim, res, key, NULL);
    }
    res->gone = true;
}
