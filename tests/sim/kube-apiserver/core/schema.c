/* tests/sim/kube-apiserver/core/schema.c -- the structural schema of a CRD at work: pruning, defaults,
 * checks. Owns the part of OpenAPI that the CRDs here use (kubernetes 8.4). Never looks at apiVersion, kind
 * and metadata. Called by the write path. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/kube-apiserver/core/internal.h"

#define PATH_MAX_LEN 512u

/* The way to a node. The text is only made when there is something to say about it. */
struct step {
    const struct step *up; /* NULL at the root */
    const char *key;       /* NULL: an index */
    size_t index;
};

struct walk {
    struct ks_causes *causes;
    struct ks_text *dropped;
    bool structural; /* something else than a CEL rule failed */
    bool of_status;  /* a write to /status is checked with its paths beginning below status */
};

static json_t *node(struct walk *walk, const json_t *schema, const json_t *old, json_t *value,
                    const struct step *path);

static void path_add(struct ks_text *text, const struct step *path)
{
    if (path == NULL || path->up == NULL)
        return;
    path_add(text, path->up);
    if (path->key == NULL)
        ks_text_fmt(text, "[%zu]", path->index);
    else
        ks_text_fmt(text, "%s%s", text->len ? "." : "", path->key);
}

/* buf holds PATH_MAX_LEN bytes */
static const char *path_text(const struct step *path, char *buf)
{
    struct ks_text text = {0};

    path_add(&text, path);
    (void)snprintf(buf, PATH_MAX_LEN, "%.500s", text.data ? text.data : "");
    free(text.data);
    return buf;
}

/* The path as messages have it. */
static const char *told_path(const struct walk *walk, const char *path)
{
    return walk->of_status && strncmp(path, "status.", 7) == 0 ? path + 7 : path;
}

static const char *type_text(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_INTEGER: return "integer";
    case JSON_REAL: return "number";
    case JSON_NULL: return "null";
    default: return "boolean";
    }
}

static bool type_fits(const json_t *schema, const json_t *value)
{
    const char *type = ks_str(schema, "type");
    const char *has = type_text(value);

    if (json_is_true(json_object_get(schema, "x-kubernetes-int-or-string")))
        return json_is_integer(value) || json_is_string(value);
    return *type == '\0' || strcmp(type, has) == 0 ||
           (strcmp(type, "number") == 0 && strcmp(has, "integer") == 0);
}

static bool base64_text(const char *text)
{
    size_t len = strlen(text);
    size_t body = len;

    while (body > 0 && len - body < 2 && text[body - 1] == '=')
        body--;
    for (size_t i = 0; i < body; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '+' && text[i] != '/')
            return false;
    return len % 4 == 0;
}

static bool format_fits(const char *format, const json_t *value)
{
    const char *text = json_string_value(value);
    int64_t when;

    if (text != NULL && strcmp(format, "date-time") == 0)
        return clock_parse(text, strlen(text), &when) == 0;
    if (text != NULL && strcmp(format, "byte") == 0)
        return base64_text(text);
    if (json_is_integer(value) && strcmp(format, "int32") == 0)
        return json_integer_value(value) >= INT32_MIN && json_integer_value(value) <= INT32_MAX;
    return true;
}

static void check_value(struct walk *walk, const json_t *schema, json_t *value, const struct step *where)
{
    char path[PATH_MAX_LEN];
    const char *format = ks_str(schema, "format");
    json_t *allowed = json_object_get(schema, "enum");
    json_t *least = json_object_get(schema, "minimum");
    bool found = allowed == NULL;

    if (allowed == NULL && least == NULL && *format == '\0')
        return;
    (void)path_text(where, path);
    for (size_t i = 0; i < json_array_size(allowed) && !found; i++)
        found = ks_same(json_array_get(allowed, i), value);
    walk->structural |= !found;
    if (!found)
        ks_cause_add(walk->causes, "FieldValueNotSupported", path, "Unsupported value: \"%s\"",
                     json_is_string(value) ? json_string_value(value) : type_text(value));
    if (*format && !format_fits(format, value)) {
        walk->structural = true;
        ks_cause_add(walk->causes, "FieldValueTypeInvalid", path,
                     "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", ks_str(value, ""),
                     told_path(walk, path), format,
                     json_is_string(value) ? json_string_value(value) : type_text(value));
    }
    if (json_is_number(least) && json_is_number(value) && json_number_value(value) < json_number_value(least))
        ks_cause_add(walk->causes, "FieldValueInvalid", path,
                     "Invalid value: %s in body should be greater than or equal to %g", path,
                     json_number_value(least));
}

/* The one CEL rule these CRDs have: once set, a value stays. */
static void check_rules(struct walk *walk, const json_t *schema, const json_t *old, const struct step *path)
{
    char buf[PATH_MAX_LEN];
    size_t i;
    json_t *rule;

    json_array_foreach(json_object_get(schema, "x-kubernetes-validations"), i, rule)
    {
        if (old != NULL && strcmp(ks_str(rule, "rule"), "self == oldSelf") == 0)
            ks_cause_add(walk->causes, "FieldValueInvalid", path_text(path, buf), "Invalid value: \"%s\": %s",
                         type_text(old),
                         *ks_str(rule, "message") ? ks_str(rule, "message") : "failed rule: self == oldSelf");
    }
}

/* The schema of one member: NULL and *keep for free members, NULL and !*keep for unknown ones. */
static const json_t *member_schema(const json_t *schema, const char *key, bool *keep)
{
    const json_t *found = json_object_get(json_object_get(schema, "properties"), key);
    const json_t *more = json_object_get(schema, "additionalProperties");

    *keep = true;
    if (found != NULL)
        return found;
    if (json_is_object(more))
        return more;
    *keep =
        json_is_true(more) || json_is_true(json_object_get(schema, "x-kubernetes-preserve-unknown-fields"));
    return NULL;
}

static void note_dropped(struct walk *walk, const struct step *path)
{
    char buf[PATH_MAX_LEN];

    ks_text_str(walk->dropped, path_text(path, buf));
    ks_text_add(walk->dropped, "\n", 1);
}

/* Sets or removes key in *copy, which is made from value on the first change. */
static void change(json_t **copy, json_t *value, const char *key, json_t *member)
{
    if (*copy == NULL)
        *copy = json_copy(value);
    if (member == NULL)
        (void)json_object_del(*copy, key);
    else
        (void)json_object_set_new(*copy, key, member);
}

static json_t *one_member(struct walk *walk, const json_t *schema, const json_t *old, json_t *member,
                          const struct step *path)
{
    json_t *fallback = json_object_get(schema, "default");

    if (json_is_null(member) && !json_is_true(json_object_get(schema, "nullable")))
        return json_incref(fallback);
    return node(walk, schema, old, member, path);
}

static void add_missing(struct walk *walk, const json_t *schema, json_t *value, json_t **copy,
                        const struct step *path)
{
    json_t *properties = json_object_get(schema, "properties");
    struct step below = {.up = path};
    char buf[PATH_MAX_LEN];
    const char *key;
    json_t *one;
    size_t i;

    json_object_foreach(properties, key, one)
    {
        json_t *fallback = json_object_get(one, "default");

        if (fallback != NULL && json_object_get(*copy ? *copy : value, key) == NULL)
            change(copy, value, key, json_incref(fallback));
    }
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        key = json_string_value(one);
        if (key == NULL || json_object_get(*copy ? *copy : value, key) != NULL)
            continue;
        below.key = key;
        walk->structural = true;
        ks_cause_add(walk->causes, "FieldValueRequired", path_text(&below, buf), "Required value");
    }
}

static json_t *object_node(struct walk *walk, const json_t *schema, const json_t *old, json_t *value,
                           const struct step *path)
{
    struct step below = {.up = path};
    json_t *copy = NULL;
    const char *key;
    json_t *member;

    json_object_foreach(value, key, member)
    {
        json_t *was = json_object_get(old, key);
        const json_t *one;
        json_t *made;
        bool keep;

        if (was == member) /* not NULL: member is there */
            continue;
        one = member_schema(schema, key, &keep);

        if (path->up == NULL &&
            (strcmp(key, "metadata") == 0 || strcmp(key, "kind") == 0 || strcmp(key, "apiVersion") == 0))
            continue;
        if (one == NULL && keep)
            continue;
        below.key = key;
        if (one == NULL) {
            note_dropped(walk, &below);
            change(&copy, value, key, NULL);
            continue;
        }
        made = one_member(walk, one, was, member, &below);
        if (made == member)
            json_decref(made);
        else
            change(&copy, value, key, made);
    }
    add_missing(walk, schema, value, &copy, path);
    return copy ? copy : json_incref(value);
}

static json_t *array_node(struct walk *walk, const json_t *schema, const json_t *old, json_t *value,
                          const struct step *path)
{
    const json_t *items = json_object_get(schema, "items");
    json_t *made = json_array();
    struct step below = {.up = path};

    if (items == NULL) {
        json_decref(made);
        return json_incref(value);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        below.index = i;
        (void)json_array_append_new(
            made, node(walk, items, json_array_get(old, i), json_array_get(value, i), &below));
    }
    return made;
}

static json_t *node(struct walk *walk, const json_t *schema, const json_t *old, json_t *value,
                    const struct step *where)
{
    char path[PATH_MAX_LEN];

    if (old != NULL && ks_same(old, value))
        return json_incref((json_t *)(uintptr_t)old);
    if (!type_fits(schema, value)) {
        (void)path_text(where, path);
        walk->structural = true;
        ks_cause_add(walk->causes, "FieldValueTypeInvalid", path,
                     "Invalid value: \"%s\": %s in body must be of type %s: \"%s\"", type_text(value),
                     told_path(walk, path), ks_str(schema, "type"), type_text(value));
        return json_incref(value);
    }
    check_rules(walk, schema, old, where);
    if (json_is_object(value))
        return object_node(walk, schema, old, value, where);
    if (json_is_array(value))
        return array_node(walk, schema, old, value, where);
    check_value(walk, schema, value, where);
    return json_incref(value);
}

json_t *ks_schema_apply(const struct ks_call *call, const json_t *old, json_t *proposed,
                        struct ks_causes *causes, struct ks_text *dropped)
{
    struct walk walk = {.causes = causes, .dropped = dropped, .of_status = strcmp(call->sub, "status") == 0};
    const struct step root = {0};
    json_t *made;

    if (call->res->schema == NULL)
        return proposed;
    made = object_node(&walk, call->res->schema, old, proposed, &root);
    json_decref(proposed);
    if (walk.structural && call->res->rules)
        ks_cause_add(causes, "FieldValueInvalid", "<nil>", KS_RULES_SKIPPED);
    return made;
}
