/* tests/sim/kube-apiserver/core/status.c -- answers: objects, Status bodies and headers.
 * Owns the texts and reasons of failures (kubernetes 5.1). Never decides whether something fails; every
 * handler calls it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

static __attribute__((format(printf, 1, 0))) char *format_text(const char *format, va_list args)
{
    va_list again;
    int len;
    char *text;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = x_malloc((size_t)len + 1);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

void ks_cause_add(struct ks_causes *causes, const char *reason, const char *field, const char *format, ...)
{
    va_list args;
    struct ks_cause *cause = &causes->list[causes->n];

    if (causes->n == KS_CAUSES_MAX)
        return;
    causes->n++;
    va_start(args, format);
    cause->reason = reason;
    cause->field = x_strdup(field);
    cause->message = format_text(format, args);
    va_end(args);
}

void ks_causes_free(struct ks_causes *causes)
{
    for (size_t i = 0; i < causes->n; i++) {
        free(causes->list[i].field);
        free(causes->list[i].message);
    }
    causes->n = 0;
}

void ks_answer_header(struct sim_answer *answer, const char *name, const char *value)
{
    struct sim_header *header = &answer->headers[answer->n_headers];

    if (answer->n_headers == SIM_HEADERS_MAX)
        return;
    answer->n_headers++;
    (void)snprintf(header->name, sizeof header->name, "%s", name);
    (void)snprintf(header->value, sizeof header->value, "%s", value);
}

void ks_answer_text(struct ks_call *call, int code, const char *type, char *data, size_t len)
{
    free(call->answer->body);
    call->answer->status = code;
    call->answer->content_type = type;
    call->answer->body = data;
    call->answer->body_len = len;
}

void ks_answer_json(struct ks_call *call, int code, json_t *value)
{
    struct ks_text text = {0};

    ks_text_json(&text, value);
    json_decref(value);
    ks_answer_text(call, code, "application/json", text.data, text.len);
}

void ks_answer_object(struct ks_call *call, int code, const struct ks_object *object)
{
    struct ks_text text = {0};
    struct ks_object *list[1] = {(struct ks_object *)(uintptr_t)object}; /* only read */

    if (call->form == KS_TABLE)
        ks_table(&text, call->res, list, 1, ks_str(object->json, "metadata.resourceVersion"), "", true,
                 ks_query_get(&call->query, "includeObject"), call->now_ms);
    else if (call->form == KS_PARTIAL)
        ks_partial(&text, object);
    else
        ks_text_add(&text, object->text, object->len);
    ks_answer_text(call, code, "application/json", text.data, text.len);
}

json_t *ks_status(int code, const char *reason, const char *message)
{
    json_t *status = json_object();

    (void)json_object_set_new(status, "kind", json_string("Status"));
    (void)json_object_set_new(status, "apiVersion", json_string("v1"));
    (void)json_object_set_new(status, "metadata", json_object());
    (void)json_object_set_new(status, "status", json_string("Failure"));
    (void)json_object_set_new(status, "message", json_string(message));
    if (*reason)
        (void)json_object_set_new(status, "reason", json_string(reason));
    (void)json_object_set_new(status, "code", json_integer(code));
    return status;
}

json_t *ks_details(const char *group, const char *name, const char *kind)
{
    json_t *made = json_object();

    if (*name)
        (void)json_object_set_new(made, "name", json_string(name));
    if (*group)
        (void)json_object_set_new(made, "group", json_string(group));
    if (*kind)
        (void)json_object_set_new(made, "kind", json_string(kind));
    return made;
}

void ks_fail(struct ks_call *call, int code, const char *reason, const char *format, ...)
{
    va_list args;
    char *message;
    json_t *status;

    va_start(args, format);
    message = format_text(format, args);
    va_end(args);
    status = ks_status(code, reason, message);
    /* others are made before the real server knows the resource */
    if (call->res && (code == 404 || code == 409))
        (void)json_object_set_new(status, "details",
                                  ks_details(call->res->group, call->name, call->res->plural));
    free(message);
    ks_answer_json(call, code, status);
}

void ks_fail_bare(struct ks_call *call, int code, const char *reason, const char *message)
{
    json_t *status = ks_status(code, reason, message);

    (void)json_object_set_new(status, "details", json_object());
    ks_answer_json(call, code, status);
}

void ks_fail_not_found(struct ks_call *call)
{
    char buf[KS_NAME_MAX + 64];

    if (call->res == NULL) {
        ks_answer_text(call, 404, "text/plain; charset=utf-8", x_strdup("404 page not found\n"), 19);
        return;
    }
    ks_fail(call, 404, "NotFound", "%s \"%s\" not found", ks_qualified(call->res, buf, sizeof buf),
            call->name);
}

void ks_fail_conflict(struct ks_call *call, const char *why)
{
    char buf[KS_NAME_MAX + 64];

    ks_fail(call, 409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s",
            ks_qualified(call->res, buf, sizeof buf), call->name, why);
}

json_t *ks_status_too_large(const struct kube_sim *sim, uint64_t asked)
{
    char *message = x_asprintf("Too large resource version: %llu, current: %llu", (unsigned long long)asked,
                               (unsigned long long)sim->revision);
    char *whole = x_asprintf("Timeout: %s", message);
    json_t *status = ks_status(504, "Timeout", whole);

    (void)json_object_set_new(status, "details",
                              json_pack("{s:[{s:s,s:s}],s:i}", "causes", "reason", "ResourceVersionTooLarge",
                                        "message", "Too large resource version", "retryAfterSeconds", 1));
    free(message);
    free(whole);
    return status;
}

void ks_fail_too_large(struct ks_call *call, uint64_t asked)
{
    ks_answer_json(call, 504, ks_status_too_large(call->sim, asked));
    ks_answer_header(call->answer, "Retry-After", "1");
}

void ks_fail_invalid(struct ks_call *call, const char *name, struct ks_causes *causes)
{
    ks_fail_invalid_kind(call, call->res->group, call->res->kind, name, causes);
}

static bool told_before(const struct ks_causes *causes, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(causes->list[i].field, causes->list[at].field) == 0 &&
            strcmp(causes->list[i].message, causes->list[at].message) == 0)
            return true;
    return false;
}

void ks_fail_invalid_kind(struct ks_call *call, const char *group, const char *kind, const char *name,
                          struct ks_causes *causes)
{
    struct ks_text message = {0};
    struct ks_text told = {0};
    size_t n_told = 0;
    json_t *list = json_array();
    json_t *about = ks_details(group, name, kind);
    json_t *status;

    for (size_t i = 0; i < causes->n; i++) {
        const struct ks_cause *cause = &causes->list[i];

        /* the same cause twice stands twice in the list and once in the text */
        if (!told_before(causes, i))
            ks_text_fmt(&told, "%s%s: %s", n_told++ ? ", " : "", cause->field, cause->message);
        (void)json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "reason", cause->reason, "message",
                                                    cause->message, "field", cause->field));
    }
    ks_text_fmt(&message, "%s%s%s \"%s\" is invalid: %s%s%s", kind, *group ? "." : "", group, name,
                n_told > 1 ? "[" : "", told.data, n_told > 1 ? "]" : "");
    (void)json_object_set_new(about, "causes", list);
    status = ks_status(422, "Invalid", message.data);
    (void)json_object_set_new(status, "details", about);
    ks_answer_json(call, 422, status);
    free(message.data);
    free(told.data);
    ks_causes_free(causes);
}

void ks_fail_decode(struct ks_call *call, const char *format, ...)
{
    struct ks_causes causes = {0};
    va_list args;
    char *message;

    va_start(args, format);
    message = format_text(format, args);
    va_end(args);
    if (call->verb == KS_PATCH) {
        ks_cause_add(&causes, "FieldValueInvalid", "patch", "Invalid value: %s", message);
        ks_fail_invalid_kind(call, "", "", "", &causes);
    } else {
        ks_fail(call, 400, "BadRequest", "%s in version \"%s\" cannot be handled as a %s: %s",
                call->res->kind, call->res->version, call->res->kind, message);
    }
    free(message);
}
