/* tests/sim/packet-api/core/presets.c -- faults by name, so that a test says what happened and not how.
 * Owns the table. Called by fault.c when a rule names a preset, and by admin.c to list them. */
#include "tests/sim/packet-api/core/internal.h"

static const struct preset {
    const char *item, *name, *fault;
} presets[] = {
    {"S-21", "lost-create", "{\"status\":404,\"commit\":true}"},
    {"S-24", "html-404", "{\"status\":404,\"answer\":\"html\"}"},
    {"S-24", "json-404-no-request-id", "{\"status\":404,\"requestId\":false}"},
    {"S-24", "html-404-request-id", "{\"status\":404,\"answer\":\"html\",\"requestId\":true}"},
    {"S-25", "html-503", "{\"status\":503,\"answer\":\"html\"}"},
    {"S-25", "html-503-retry-after", "{\"status\":503,\"answer\":\"html\",\"retryAfter\":2}"},
    {"S-25", "json-503", "{\"status\":503}"},
    {"S-25", "json-503-retry-after", "{\"status\":503,\"retryAfter\":2}"},
    {"S-26", "429", "{\"status\":429}"},
    {"S-26", "429-seconds", "{\"status\":429,\"retryAfter\":2}"},
    {"S-26", "429-date", "{\"status\":429,\"retryAfter\":{\"dateInS\":3}}"},
    {"S-26", "429-huge", "{\"status\":429,\"retryAfter\":1000000000}"},
    {"S-26", "429-negative", "{\"status\":429,\"retryAfter\":-5}"},
    {"S-26", "429-garbage", "{\"status\":429,\"retryAfter\":\"soon\"}"},
    {"S-26", "429-rate-limit",
     "{\"status\":429,\"rateLimit\":{\"limit\":10,\"remaining\":0,\"resetInS\":2}}"},
    {"S-27", "stall", "{\"fate\":\"stall\"}"},
    {"S-27", "drip", "{\"fate\":\"drip\"}"},
    {"S-27", "bad-length", "{\"fate\":\"bad-length\"}"},
    {"S-27", "cut-off", "{\"fate\":\"truncate\"}"},
    {"S-27", "huge-body", "{\"answer\":\"huge\",\"commit\":true}"},
    {"S-28", "close-before-next", "{\"closeAfterMs\":0}"},
    {"S-28", "close-on-reuse", "{\"closeOnReuse\":true}"},
    {"S-33", "error-empty-body", "{\"status\":500,\"answer\":\"empty\"}"},
    {"S-33", "error-array", "{\"status\":500,\"answer\":\"array\"}"},
    {"S-33", "error-string", "{\"status\":500,\"answer\":\"string\"}"},
    {"S-33", "error-null", "{\"status\":500,\"answer\":\"error-null\"}"},
    {"S-33", "errors-empty", "{\"status\":500,\"answer\":\"errors-empty\"}"},
    {"S-33", "errors-text", "{\"status\":500,\"answer\":\"errors-text\"}"},
    {"S-33", "problem-json", "{\"status\":500,\"answer\":\"problem\"}"},
    {"S-34", "deprecation",
     "{\"headers\":{\"Deprecation\":\"true\",\"Sunset\":\"Tue, 30 Jun 2026 23:59:59 GMT\","
     "\"Link\":\"<https://sunset.example.invalid/>; rel=\\\"sunset\\\"\"}}"},
};

/* S-22 and S-23: the same endings, as committed-NAME and failed-NAME. */
static const struct preset endings[] = {
    {"S-22/23", "404", "{\"status\":404}"},
    {"S-22/23", "reset", "{\"fate\":\"reset\"}"},
    {"S-22/23", "hang", "{\"fate\":\"hang\"}"},
    {"S-22/23", "500", "{\"status\":500}"},
    {"S-22/23", "502-html", "{\"status\":502,\"answer\":\"html\"}"},
    {"S-22/23", "503-html", "{\"status\":503,\"answer\":\"html\"}"},
    {"S-22/23", "truncated-json", "{\"answer\":\"truncated\"}"},
    {"S-22/23", "empty-object", "{\"answer\":\"empty-object\"}"},
    {"S-22/23", "no-id", "{\"answer\":\"no-id\"}"},
};

static json_t *ending(const char *name, bool commit)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcmp(endings[i].name, name) == 0) {
            json_t *fault = json_loads(endings[i].fault, 0, NULL);
            json_object_set_new(fault, "commit", json_boolean(commit));
            return fault;
        }
    return NULL;
}

json_t *psim_preset(const char *name)
{
    if (strncmp(name, "committed-", 10) == 0)
        return ending(name + 10, true);
    if (strncmp(name, "failed-", 7) == 0)
        return ending(name + 7, false);
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return json_loads(presets[i].fault, 0, NULL);
    return NULL;
}

json_t *psim_presets_json(void)
{
    json_t *list = json_object();
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        json_object_set_new(list, presets[i].name, psim_preset(presets[i].name));
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        json_t *committed = ending(endings[i].name, true), *failed = ending(endings[i].name, false);
        json_t *name = json_sprintf("committed-%s", endings[i].name);
        json_object_set_new(list, json_string_value(name), committed);
        json_decref(name);
        name = json_sprintf("failed-%s", endings[i].name);
        json_object_set_new(list, json_string_value(name), failed);
        json_decref(name);
    }
    return list;
}
