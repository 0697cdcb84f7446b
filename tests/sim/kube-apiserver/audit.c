/* tests/sim/kube-apiserver/audit.c -- audit records as lines, in the shape of Kubernetes' own Metadata level.
 * Owns the format; the same counters then read this log and a real server's. Called by the core for every
 * request. */
#include "base/clock.h"
#include "tests/sim/kube-apiserver/server.h"

static void put(json_t *object, const char *key, const char *value)
{
    if (*value)
        (void)json_object_set_new(object, key, json_string(value));
}

static json_t *object_ref(const struct kube_audit *record)
{
    json_t *made = json_object();

    put(made, "resource", record->resource);
    put(made, "namespace", record->ns);
    put(made, "name", record->name);
    put(made, "apiGroup", record->group);
    put(made, "apiVersion", record->version);
    put(made, "subresource", record->subresource);
    return made;
}

static json_t *micro(int64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX];

    clock_text_micro(wall_ms * 1000, text);
    return json_string(text);
}

void audit_write(void *ctx, const struct kube_audit *record)
{
    FILE *file = ctx;
    json_t *line = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:{s:s},s:[s],s:s}", "kind", "Event", "apiVersion",
                             "audit.k8s.io/v1", "level", "Metadata", "stage",
                             record->stage == KUBE_AUDIT_STARTED ? "ResponseStarted" : "ResponseComplete",
                             "requestURI", record->uri, "verb", record->verb, "userAgent", record->user_agent,
                             "user", "username", record->user, "sourceIPs", "127.0.0.1", "auditID", "");

    if (line == NULL)
        return;
    (void)json_object_set_new(line, "auditID",
                              json_sprintf("%08x-0000-4000-8000-%012llx", 0, (unsigned long long)record->id));
    if (*record->resource)
        (void)json_object_set_new(line, "objectRef", object_ref(record));
    if (record->code)
        (void)json_object_set_new(line, "responseStatus",
                                  json_pack("{s:{},s:i}", "metadata", "code", record->code));
    (void)json_object_set_new(line, "requestReceivedTimestamp", micro(record->received_ms));
    (void)json_object_set_new(line, "stageTimestamp", micro(record->stage_ms));
    (void)json_dumpf(line, file, JSON_COMPACT);
    (void)fputc('\n', file);
    (void)fflush(file);
    json_decref(line);
}
