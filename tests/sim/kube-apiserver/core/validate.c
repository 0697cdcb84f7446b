/* tests/sim/kube-apiserver/core/validate.c -- rules for metadata and for the built-in kinds.
 * Owns name and label rules, MicroTime strictness (kubernetes 9.1) and the defaults of Secret, Namespace,
 * Event, Lease and CustomResourceDefinition. Called by the write path. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define ENDS  "and must start and end with an alphanumeric character "
#define REGEX "regex used for validation is "
#define DNS_RULE                                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " ENDS   \
    "(e.g. 'example.com', " REGEX "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define NAME_RULE                                                                                            \
    "name part must consist of alphanumeric characters, '-', '_' or '.', " ENDS                              \
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', " REGEX "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define LABEL_RULE                                                                                           \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', " ENDS    \
    "(e.g. 'MyValue',  or 'my_value',  or '12345', " REGEX "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

static bool lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool ks_name_valid(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > 253 || !lower_alnum(name[0]) || !lower_alnum(name[len - 1]))
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!lower_alnum(name[i]) && name[i] != '-' && name[i] != '.')
            return false;
        if (name[i] == '.' && (!lower_alnum(name[i - 1]) || !lower_alnum(name[i + 1])))
            return false;
    }
    return true;
}

static bool label_value(const char *text, bool empty_allowed)
{
    size_t len = strlen(text);

    if (len == 0)
        return empty_allowed;
    if (len > 63 || !isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("-_.", text[i]) == NULL)
            return false;
    return true;
}

static bool qualified(const char *key)
{
    const char *slash = strchr(key, '/');
    char prefix[KS_NAME_MAX];

    if (slash == NULL)
        return label_value(key, false);
    if ((size_t)(slash - key) >= sizeof prefix)
        return false;
    (void)snprintf(prefix, sizeof prefix, "%.*s", (int)(slash - key), key);
    return ks_name_valid(prefix) && label_value(slash + 1, false);
}

static void check_map(const json_t *meta, const char *field, bool labels, struct ks_causes *causes)
{
    json_t *map = json_object_get(meta, field);
    char path[40];
    const char *key;
    json_t *value;

    (void)snprintf(path, sizeof path, "metadata.%s", field);
    json_object_foreach(map, key, value)
    {
        if (!qualified(key))
            ks_cause_add(causes, "FieldValueInvalid", path, "Invalid value: \"%s\": " NAME_RULE, key);
        if (labels && json_is_string(value) && !label_value(json_string_value(value), true))
            ks_cause_add(causes, "FieldValueInvalid", path, "Invalid value: \"%s\": " LABEL_RULE,
                         json_string_value(value));
    }
}

void ks_validate_meta(const json_t *meta, struct ks_causes *causes)
{
    const char *name = ks_str(meta, "name");
    size_t i;
    json_t *one;

    if (*name == '\0')
        ks_cause_add(causes, "FieldValueRequired", "metadata.name",
                     "Required value: name or generateName is required");
    else if (!ks_name_valid(name))
        ks_cause_add(causes, "FieldValueInvalid", "metadata.name", "Invalid value: \"%s\": %s", name,
                     DNS_RULE);
    check_map(meta, "labels", true, causes);
    check_map(meta, "annotations", false, causes);
    json_array_foreach(json_object_get(meta, "finalizers"), i, one)
    {
        if (!json_is_string(one) || !qualified(json_string_value(one)))
            ks_cause_add(causes, "FieldValueInvalid", "metadata.finalizers",
                         "Invalid value: \"%s\": " NAME_RULE,
                         json_is_string(one) ? json_string_value(one) : "");
    }
}

/* "2006-01-02T15:04:05.000000" and Z or an offset: exactly six fraction digits. */
static bool micro_time(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddddd";
    const char *zone = text + sizeof shape - 1;

    for (size_t i = 0; i + 1 < sizeof shape; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
            return false;
    return strcmp(zone, "Z") == 0 || ((*zone == '+' || *zone == '-') && strlen(zone) == 6 && zone[3] == ':');
}

/* 0, or -1 and a 400. */
static int check_micro(struct ks_call *call, const json_t *object, const char *path)
{
    const json_t *value = ks_at(object, path);

    if (value == NULL || json_is_null(value) ||
        (json_is_string(value) && micro_time(json_string_value(value))))
        return 0;
    ks_fail(call, 400, "BadRequest",
            "%s in version \"%s\" cannot be handled as a %s: parsing time \"%s\" as "
            "\"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"",
            call->res->kind, call->res->version, call->res->kind,
            json_is_string(value) ? json_string_value(value) : "");
    return -1;
}

static json_t *lease(struct ks_call *call, json_t *object, struct ks_causes *causes)
{
    const json_t *seconds = ks_at(object, "spec.leaseDurationSeconds");

    if (check_micro(call, object, "spec.acquireTime") != 0 ||
        check_micro(call, object, "spec.renewTime") != 0)
        return NULL;
    if (json_is_number(seconds) && json_integer_value(seconds) <= 0)
        ks_cause_add(causes, "FieldValueInvalid", "spec.leaseDurationSeconds",
                     "Invalid value: %lld: must be greater than 0", (long long)json_integer_value(seconds));
    return json_incref(object);
}

/* What the real server always shows of an event. */
static void event_default(json_t *event, const char *key, json_t *value)
{
    if (json_object_get(event, key) == NULL)
        (void)json_object_set(event, key, value);
    json_decref(value);
}

static json_t *event(struct ks_call *call, json_t *object, struct ks_causes *causes)
{
    const char *about = ks_str(object, "involvedObject.namespace");
    json_t *made;

    if (check_micro(call, object, "eventTime") != 0 ||
        check_micro(call, object, "series.lastObservedTime") != 0)
        return NULL;
    if (strcmp(*about ? about : "default", call->ns) != 0)
        ks_cause_add(causes, "FieldValueInvalid", "involvedObject.namespace",
                     "Invalid value: \"%s\": does not match event.namespace", about);
    made = json_copy(object);
    event_default(made, "eventTime", json_null());
    event_default(made, "reportingComponent", json_string(""));
    event_default(made, "reportingInstance", json_string(""));
    event_default(made, "source", json_object());
    return made;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *ks_base64(const char *text, size_t len)
{
    struct ks_text out = {0};
    json_t *made;

    for (size_t i = 0; i < len; i += 3) {
        unsigned a = (unsigned char)text[i];
        unsigned b = i + 1 < len ? (unsigned char)text[i + 1] : 0;
        unsigned c = i + 2 < len ? (unsigned char)text[i + 2] : 0;
        char four[4] = {base64_digits[a >> 2], base64_digits[(a & 3) << 4 | b >> 4],
                        i + 1 < len ? base64_digits[(b & 15) << 2 | c >> 6] : '=',
                        i + 2 < len ? base64_digits[c & 63] : '='};

        ks_text_add(&out, four, 4);
    }
    made = json_stringn(out.data ? out.data : "", out.len);
    free(out.data);
    return made;
}

static bool base64_valid(const char *text)
{
    size_t len = strlen(text);
    size_t body = strspn(text, base64_digits);

    return len % 4 == 0 && len - body <= 2 && strspn(text + body, "=") == len - body;
}

static json_t *secret(struct ks_call *call, const json_t *old, json_t *object, struct ks_causes *causes)
{
    json_t *plain = json_object_get(object, "stringData");
    json_t *data = json_object_get(object, "data");
    const char *key;
    json_t *value;
    json_t *made;

    data = json_is_object(data) ? json_copy(data) : json_object();
    json_object_foreach(plain, key, value)
    {
        (void)json_object_set_new(
            data, key,
            ks_base64(json_string_value(value) ? json_string_value(value) : "", json_string_length(value)));
    }
    json_object_foreach(data, key, value)
    {
        if (json_is_null(value) || (json_is_string(value) && base64_valid(json_string_value(value))))
            continue;
        ks_fail(
            call, 400, "BadRequest",
            "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 0");
        json_decref(data);
        return NULL;
    }
    made = json_copy(object);
    (void)json_object_del(made, "stringData");
    (void)json_object_del(made, "data");
    if (json_object_size(data) > 0)
        (void)json_object_set(made, "data", data);
    json_decref(data);
    if (*ks_str(made, "type") == '\0')
        (void)json_object_set_new(made, "type", json_string("Opaque"));
    if (old && strcmp(ks_str(old, "type"), ks_str(made, "type")) != 0)
        ks_cause_add(causes, "FieldValueInvalid", "type", "Invalid value: \"%s\": field is immutable",
                     ks_str(made, "type"));
    return made;
}

static json_t *namespace_defaults(const json_t *old, json_t *object)
{
    json_t *meta = json_object_get(object, "metadata");
    json_t *labels = ks_with(json_object_get(meta, "labels"), "kubernetes.io/metadata.name",
                             json_string(ks_str(meta, "name")));
    json_t *made;

    meta = ks_with(meta, "labels", labels);
    made = ks_with(object, "metadata", meta);
    if (json_object_get(made, "spec") == NULL)
        (void)json_object_set_new(made, "spec", json_pack("{s:[s]}", "finalizers", "kubernetes"));
    if (old == NULL)
        (void)json_object_set_new(made, "status", json_pack("{s:s}", "phase", "Active"));
    return made;
}

static json_t *crd_defaults(json_t *old, json_t *object, struct ks_causes *causes)
{
    char *name = x_asprintf("%s.%s", ks_str(object, "spec.names.plural"), ks_str(object, "spec.group"));
    const char *has = ks_str(object, "metadata.name");
    json_t *status;

    if (strcmp(has, name) != 0)
        ks_cause_add(causes, "FieldValueInvalid", "metadata.name",
                     "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", has);
    if (json_array_size(ks_at(object, "spec.versions")) == 0)
        ks_cause_add(causes, "FieldValueRequired", "spec.versions", "Required value");
    free(name);
    if (old != NULL)
        return json_incref(object);
    status = json_pack("{s:O?,s:[{s:s,s:s,s:s,s:s},{s:s,s:s,s:s,s:s}],s:[O?]}", "acceptedNames",
                       ks_at(object, "spec.names"), "conditions", "type", "NamesAccepted", "status", "True",
                       "reason", "NoConflicts", "message", "no conflicts found", "type", "Established",
                       "status", "True", "reason", "InitialNamesAccepted", "message",
                       "the initial names have been accepted", "storedVersions",
                       json_object_get(json_array_get(ks_at(object, "spec.versions"), 0), "name"));
    return ks_with(object, "status", status ? status : json_object());
}

json_t *ks_validate_builtin(struct ks_call *call, json_t *old, json_t *object, struct ks_causes *causes)
{
    const char *kind = call->res->kind;

    if (call->res->custom)
        return json_incref(object);
    if (strcmp(kind, "Lease") == 0)
        return lease(call, object, causes);
    if (strcmp(kind, "Event") == 0)
        return event(call, object, causes);
    if (strcmp(kind, "Secret") == 0)
        return secret(call, old, object, causes);
    if (strcmp(kind, "Namespace") == 0)
        return namespace_defaults(old, object);
    if (strcmp(kind, "CustomResourceDefinition") == 0)
        return crd_defaults(old, object, causes);
    return json_incref(object);
}
