/* tests/sim/kube-apiserver/core/table.c -- which form the client accepts, and the Table and metadata-only
 * forms. Owns the columns of built-in kinds and the simple JSON paths of printer columns (kubernetes 11.4).
 * Called for reads and watches. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/kube-apiserver/core/internal.h"

struct column {
    const char *name;
    const char *path; /* below the object, dots between keys */
    const char *type;
    int priority;
};

#define COLUMNS_MAX 10u

struct builtin_columns {
    const char *plural;
    struct column list[COLUMNS_MAX];
};

static const struct builtin_columns builtin_columns[] = {
    {"namespaces",
     {{"Status", "status.phase", "string", 0}, {"Age", "metadata.creationTimestamp", "date", 0}}},
    {"secrets",
     {{"Type", "type", "string", 0},
      {"Data", "data", "count", 0},
      {"Age", "metadata.creationTimestamp", "date", 0}}},
    {"configmaps", {{"Data", "data", "count", 0}, {"Age", "metadata.creationTimestamp", "date", 0}}},
    {"leases",
     {{"Holder", "spec.holderIdentity", "string", 0}, {"Age", "metadata.creationTimestamp", "date", 0}}},
    {"events",
     {{"Last Seen", "lastTimestamp", "date", 0},
      {"Type", "type", "string", 0},
      {"Reason", "reason", "string", 0},
      {"Object", "involvedObject", "object", 0},
      {"Subobject", "involvedObject.fieldPath", "text", 1},
      {"Source", "source.component", "text", 1},
      {"Message", "message", "string", 0},
      {"First Seen", "firstTimestamp", "date", 1},
      {"Count", "count", "string", 1},
      {"Name", "metadata.name", "string", 1}}},
    {"customresourcedefinitions", {{"Created At", "metadata.creationTimestamp", "stamp", 0}}},
};

static const struct column age_only[] = {{"Age", "metadata.creationTimestamp", "date", 0}};

static bool has(const char *part, size_t len, const char *word)
{
    return memmem(part, len, word, strlen(word)) != NULL;
}

/* The first form of the Accept list that this server can make; JSON when nothing was said. */
void ks_accept(struct ks_call *call)
{
    const char *at = call->req->accept;

    call->form = *at && strcmp(at, "application/json") != 0 ? KS_NONE : KS_JSON;
    while (*at != '\0' && call->form == KS_NONE) {
        size_t len = strcspn(at, ",");
        bool json = has(at, len, "application/json");
        bool v1 = has(at, len, "v=v1;") || has(at, len, "v=v1 ") ||
                  (len >= 4 && strncmp(at + len - 4, "v=v1", 4) == 0);

        if (has(at, len, "*/*") || has(at, len, "application/*") || (json && !has(at, len, "as=")))
            call->form = KS_JSON;
        else if (json && v1 && has(at, len, "as=Table"))
            call->form = KS_TABLE;
        else if (json && v1 && has(at, len, "as=PartialObjectMetadataList"))
            call->form = KS_PARTIAL_LIST;
        else if (json && v1 && has(at, len, "as=PartialObjectMetadata"))
            call->form = KS_PARTIAL;
        at += len + (at[len] == ',');
    }
}

void ks_partial(struct ks_text *text, const struct ks_object *object)
{
    ks_text_str(text, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
    ks_text_json(text, json_object_get(object->json, "metadata"));
    ks_text_add(text, "}", 1);
}

/* ---- cells ---- */

/* As kubectl words an age: the two coarsest units that matter. */
static void age_text(char *buf, size_t size, const char *since, int64_t now_ms)
{
    int64_t then;
    long long s;

    if (clock_parse(since, strlen(since), &then) != 0) {
        (void)snprintf(buf, size, "<unknown>");
        return;
    }
    s = now_ms > then ? (long long)((now_ms - then) / 1000) : 0;
    if (s < 120)
        (void)snprintf(buf, size, "%llds", s);
    else if (s < 600 && s % 60 != 0)
        (void)snprintf(buf, size, "%lldm%llds", s / 60, s % 60);
    else if (s < 3 * 3600)
        (void)snprintf(buf, size, "%lldm", s / 60);
    else if (s < 48 * 3600)
        (void)snprintf(buf, size, "%lldh", s / 3600);
    else
        (void)snprintf(buf, size, "%lldd", s / 86400);
}

static void cell(struct ks_text *text, const json_t *object, const char *path, const char *type,
                 int64_t now_ms)
{
    json_t *value = ks_at(object, path);
    json_t *made = NULL;
    char buf[32];
    char kind[64];

    if (strcmp(type, "count") == 0) {
        ks_text_fmt(text, "%zu", json_object_size(value));
        return;
    }
    if (strcmp(type, "date") == 0 && json_is_string(value)) {
        age_text(buf, sizeof buf, json_string_value(value), now_ms);
        made = json_string(buf);
    } else if (strcmp(type, "object") == 0) {
        (void)snprintf(kind, sizeof kind, "%s", ks_str(value, "kind"));
        for (char *c = kind; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        made = json_sprintf("%s/%s", kind, ks_str(value, "name"));
    } else if (strcmp(type, "text") == 0) {
        made = json_string(json_is_string(value) ? json_string_value(value) : "");
    } else if (value != NULL && !json_is_object(value) && !json_is_array(value)) {
        made = json_incref(value);
    }
    if (made == NULL && strcmp(type, "date") == 0)
        made = json_string("<unknown>");
    ks_text_json(text, made ? made : json_null());
    json_decref(made);
}

static void definition(struct ks_text *text, const char *name, const char *type, const char *description,
                       long long priority)
{
    bool plain = strcmp(type, "object") == 0 || strcmp(type, "count") == 0 || strcmp(type, "text") == 0;
    json_t *made = json_pack("{s:s,s:s,s:s,s:s,s:I}", "name", name, "type",
                             plain                        ? "string"
                             : strcmp(type, "stamp") == 0 ? "date"
                                                          : type,
                             "format", strcmp(name, "Name") == 0 ? "name" : "", "description", description,
                             "priority", (json_int_t)priority);

    if (text->data[text->len - 1] != '[')
        ks_text_add(text, ",", 1);
    ks_text_json(text, made);
    json_decref(made);
}

static const struct column *columns_of(const struct ks_resource *res, size_t *n)
{
    for (size_t i = 0; !res->custom && i < sizeof builtin_columns / sizeof *builtin_columns; i++) {
        if (strcmp(builtin_columns[i].plural, res->plural) != 0)
            continue;
        for (*n = 0; *n < COLUMNS_MAX && builtin_columns[i].list[*n].name != NULL; (*n)++)
            continue;
        return builtin_columns[i].list;
    }
    *n = 1;
    return age_only;
}

/* Whether the name is one of the kind's own columns; else it comes first. */
static bool own_name(const struct column *list, size_t n)
{
    return strcmp(list[n - 1].name, "Name") == 0;
}

static void definitions(struct ks_text *text, const struct ks_resource *res)
{
    size_t n;
    const struct column *list = columns_of(res, &n);
    size_t i;
    json_t *column;

    ks_text_add(text, "[", 1);
    if (!own_name(list, n))
        definition(text, "Name", "string", "", 0);
    for (i = 0; json_array_size(res->columns) == 0 && i < n; i++)
        /* built-in kinds make a text of their dates, but those without columns of their own are as CRDs */
        definition(text, list[i].name,
                   list != age_only && strcmp(list[i].type, "date") == 0 ? "string" : list[i].type, "",
                   list[i].priority);
    json_array_foreach(res->columns, i, column)
    {
        definition(text, ks_str(column, "name"), ks_str(column, "type"), ks_str(column, "description"),
                   (long long)json_integer_value(json_object_get(column, "priority")));
    }
    ks_text_add(text, "]", 1);
}

static void row(struct ks_text *text, const struct ks_resource *res, const struct ks_object *object,
                const char *include, int64_t now_ms)
{
    size_t n;
    const struct column *list = columns_of(res, &n);
    size_t i;
    json_t *column;

    ks_text_str(text, "{\"cells\":[");
    if (!own_name(list, n))
        cell(text, object->json, "metadata.name", "string", now_ms);
    for (i = 0; json_array_size(res->columns) == 0 && i < n; i++) {
        if (text->data[text->len - 1] != '[')
            ks_text_add(text, ",", 1);
        cell(text, object->json, list[i].path, list[i].type, now_ms);
    }
    json_array_foreach(res->columns, i, column)
    {
        const char *path = ks_str(column, "jsonPath");

        ks_text_add(text, ",", 1);
        cell(text, object->json, path + (*path == '.'), ks_str(column, "type"), now_ms);
    }
    ks_text_str(text, "],\"object\":");
    if (strcmp(include, "None") == 0)
        ks_text_str(text, "null");
    else if (strcmp(include, "Object") == 0)
        ks_text_add(text, object->text, object->len);
    else
        ks_partial(text, object);
    ks_text_add(text, "}", 1);
}

void ks_table(struct ks_text *text, const struct ks_resource *res, struct ks_object *const *list, size_t n,
              const char *revision, const char *cont, bool with_columns, const char *include, int64_t now_ms)
{
    ks_text_fmt(text, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{");
    ks_text_fmt(text, "\"resourceVersion\":\"%s\"", revision);
    if (*cont)
        ks_text_fmt(text, ",\"continue\":\"%s\"", cont);
    ks_text_str(text, "},\"columnDefinitions\":");
    if (with_columns)
        definitions(text, res);
    else
        ks_text_str(text, "null");
    ks_text_str(text, ",\"rows\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            ks_text_add(text, ",", 1);
        row(text, res, list[i], include, now_ms);
    }
    ks_text_str(text, "]}");
}
