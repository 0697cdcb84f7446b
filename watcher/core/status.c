/* watcher/core/status.c -- decodes Status bodies. Owns nothing, believes no length. Called by reflector.c,
 * jobs.c, writes.c. */
#include "watcher/core/status.h"

#include <stdio.h>
#include <string.h>

#include "watcher/core/convert.h"

/*   CODE REASON, where the body does not say it (kubernetes 5.1) */
static const struct {
    int code;
    const char *reason;
} made_up[] = {
    {400, "BadRequest"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "NotFound"},
    {405, "MethodNotAllowed"},
    {406, "NotAcceptable"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "RequestEntityTooLarge"},
    {415, "UnsupportedMediaType"},
    {422, "Invalid"},
    {429, "TooManyRequests"},
    {500, "InternalError"},
    {503, "ServiceUnavailable"},
    {504, "Timeout"},
};

static void copy_clean(char *to, size_t size, const char *from, size_t len)
{
    struct span text = span_begin((struct span){.p = from, .len = (uint32_t)len}, (uint32_t)size - 1);

    for (uint32_t i = 0; i < text.len; i++)
        to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? ' ' : from[i];
    to[text.len] = '\0';
}

static void copy_json(char *to, size_t size, json_t *text)
{
    if (json_is_string(text))
        copy_clean(to, size, json_string_value(text), json_string_length(text));
}

static void read_causes(json_t *details, struct kube_status *out)
{
    size_t i;
    json_t *cause, *seconds = json_object_get(details, "retryAfterSeconds");

    if (json_is_integer(seconds) && json_integer_value(seconds) >= 0 && json_integer_value(seconds) < 86400)
        out->retry_after_ms = json_integer_value(seconds) * 1000;
    json_array_foreach(json_object_get(details, "causes"), i, cause)
    {
        const char *reason = json_string_value(json_object_get(cause, "reason"));
        const char *message = json_string_value(json_object_get(cause, "message"));

        if ((reason && !strcmp(reason, "ResourceVersionTooLarge")) ||
            (message && strstr(message, "Too large resource version")))
            out->too_large = true;
    }
}

static bool read_status(struct text body, struct kube_status *out)
{
    json_t *json = body.len <= 1024u * 1024u ? convert_parse(body) : NULL;
    const char *kind = json_string_value(json_object_get(json, "kind"));
    bool is_status = kind && !strcmp(kind, "Status");

    if (is_status) {
        json_t *code = json_object_get(json, "code");

        if (!out->code && json_is_integer(code))
            out->code = (int)(json_integer_value(code) % 1000);
        copy_json(out->reason, sizeof out->reason, json_object_get(json, "reason"));
        copy_json(out->message, sizeof out->message, json_object_get(json, "message"));
        read_causes(json_object_get(json, "details"), out);
    }
    json_decref(json);
    return is_status;
}

void status_read(int code, struct text body, struct kube_status *out)
{
    *out = (struct kube_status){.code = code, .retry_after_ms = -1};
    if (!read_status(body, out) && body.p && body.len && body.p[0] != '<' && body.p[0] != '{')
        copy_clean(out->message, sizeof out->message, body.p, body.len);
    for (size_t i = 0; !out->reason[0] && i < sizeof made_up / sizeof *made_up; i++)
        if (made_up[i].code == out->code)
            snprintf(out->reason, sizeof out->reason, "%s", made_up[i].reason);
    if (!out->reason[0])
        snprintf(out->reason, sizeof out->reason, "%s", "Unknown");
    if (!out->message[0])
        snprintf(out->message, sizeof out->message, "the server answered %d", out->code);
    if (strstr(out->message, "Too large resource version"))
        out->too_large = true;
}

bool status_expired(const struct kube_status *status)
{
    return status->code == 410 || !strcmp(status->reason, "Expired") || !strcmp(status->reason, "Gone");
}
