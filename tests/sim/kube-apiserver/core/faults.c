/* tests/sim/kube-apiserver/core/faults.c -- fault rules: which request they strike and what they do to it.
 * Owns the paths below /_sim/ and the table of actions (kubernetes 11.5). Called around every request. What a
 * rule may say and what each action does stands in ../help.c. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

static const char *const watch_actions[] = {"cutEvent", "silent", "duplicate", "replay",
                                            "short",    "expire", "errorEvent"};
static const char *const plain_actions[] = {"status",     "delay",     "reset",     "hang",  "truncate",
                                            "stall",      "drip",      "badLength", "stale", "tooLarge",
                                            "resetAfter", "hangAfter", "goaway"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool one_of(const char *const *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

/* ---- rules ---- */

/* Copies the text of key; -1 when it is no string or too long. */
static int take_text(const json_t *rule, const char *key, char *out, size_t size)
{
    const json_t *value = json_object_get(rule, key);

    if (value == NULL)
        return 0;
    if (!json_is_string(value) || json_string_length(value) >= size)
        return -1;
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return 0;
}

static json_int_t take_number(const json_t *rule, const char *key, json_int_t fallback)
{
    const json_t *value = json_object_get(rule, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static bool keys_known(const json_t *rule)
{
    static const char *const keys[] = {"verb",    "method",      "path", "resource",    "namespace",
                                       "name",    "query",       "user", "subresource", "action",
                                       "code",    "reason",      "lag",  "body",        "retryAfter",
                                       "delayMs", "afterEvents", "skip", "count",       "forMs"};
    json_t *object = (json_t *)(uintptr_t)rule; /* the iterator's signature; nothing is written */
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (!one_of(keys, COUNT(keys), key))
            return false;
    }
    return true;
}

static const char *default_reason(int code)
{
    switch (code) {
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "NotFound";
    case 409: return "Conflict";
    case 410: return "Expired";
    case 422: return "Invalid";
    case 429: return "TooManyRequests";
    case 503: return "ServiceUnavailable";
    case 504: return "Timeout";
    default: return "InternalError";
    }
}

int kube_sim_add_fault(struct kube_sim *sim, const json_t *rule, int64_t wall_ms)
{
    struct ks_fault fault = {0};
    json_int_t count = take_number(rule, "count", 1);
    json_int_t for_ms = take_number(rule, "forMs", 0);

    if (!json_is_object(rule) || !keys_known(rule) ||
        take_text(rule, "verb", fault.verb, sizeof fault.verb) != 0 ||
        take_text(rule, "resource", fault.resource, sizeof fault.resource) != 0 ||
        take_text(rule, "namespace", fault.ns, sizeof fault.ns) != 0 ||
        take_text(rule, "name", fault.name, sizeof fault.name) != 0 ||
        take_text(rule, "subresource", fault.subresource, sizeof fault.subresource) != 0 ||
        take_text(rule, "user", fault.user, sizeof fault.user) != 0 ||
        take_text(rule, "query", fault.query, sizeof fault.query) != 0 ||
        take_text(rule, "method", fault.method, sizeof fault.method) != 0 ||
        take_text(rule, "path", fault.path, sizeof fault.path) != 0 ||
        take_text(rule, "reason", fault.reason, sizeof fault.reason) != 0 ||
        take_text(rule, "body", fault.body, sizeof fault.body) != 0 ||
        take_text(rule, "action", fault.action, sizeof fault.action) != 0)
        return -1;
    if (!one_of(watch_actions, COUNT(watch_actions), fault.action) &&
        !one_of(plain_actions, COUNT(plain_actions), fault.action))
        return -1;
    fault.code = (int)take_number(rule, "code", 500);
    if (!*fault.reason)
        (void)snprintf(fault.reason, sizeof fault.reason, "%s", default_reason(fault.code));
    fault.retry_after = (int)take_number(rule, "retryAfter", -1);
    fault.delay_ms = (unsigned)take_number(rule, "delayMs", 0);
    fault.lag = (uint64_t)take_number(rule, "lag", 1);
    fault.after_events = (uint64_t)take_number(rule, "afterEvents", 0);
    fault.skip = (uint64_t)take_number(rule, "skip", 0);
    fault.count = count > 0 ? (uint64_t)count : UINT64_MAX;
    fault.until_ms = for_ms > 0 ? wall_ms + for_ms : INT64_MAX;
    if (for_ms > 0 && json_object_get(rule, "count") == NULL)
        fault.count = UINT64_MAX;
    sim->faults = x_realloc(sim->faults, (sim->n_faults + 1) * sizeof *sim->faults);
    sim->faults[sim->n_faults++] = fault;
    return 0;
}

void kube_sim_clear_faults(struct kube_sim *sim)
{
    free(sim->faults);
    sim->faults = NULL;
    sim->n_faults = 0;
}

static bool agrees(const char *rule, const char *call)
{
    return *rule == '\0' || strcmp(rule, call) == 0;
}

static bool strikes(const struct ks_fault *fault, const struct ks_call *call)
{
    return agrees(fault->verb, ks_verb_text(call)) && agrees(fault->resource, call->plural) &&
           agrees(fault->ns, call->ns) && agrees(fault->name, call->name) &&
           agrees(fault->subresource, call->sub) && agrees(fault->user, call->user) &&
           agrees(fault->method, call->req->method) && strstr(call->req->query, fault->query) != NULL &&
           (strncmp(call->req->path, fault->path, strlen(fault->path)) == 0 ||
            fnmatch(fault->path, call->req->path, FNM_PATHNAME) == 0);
}

struct ks_fault *ks_fault_match(struct ks_call *call)
{
    for (size_t i = 0; i < call->sim->n_faults; i++) {
        struct ks_fault *fault = &call->sim->faults[i];

        if (fault->count == 0 || call->now_ms >= fault->until_ms || !strikes(fault, call))
            continue;
        if (one_of(watch_actions, COUNT(watch_actions), fault->action) && call->verb != KS_WATCH)
            continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        if (fault->count != UINT64_MAX)
            fault->count--;
        fault->hits++;
        return fault;
    }
    return NULL;
}

/* ---- what they do ---- */

static void fail_as_told(struct ks_call *call, const struct ks_fault *fault)
{
    char seconds[16];

    ks_fail(call, fault->code, fault->reason, "injected failure");
    if (*fault->body)
        ks_answer_text(call, fault->code, *fault->body == '<' ? "text/html" : "text/plain; charset=utf-8",
                       x_strdup(fault->body), strlen(fault->body));
    (void)snprintf(seconds, sizeof seconds, "%d", fault->retry_after);
    if (fault->retry_after >= 0)
        ks_answer_header(call->answer, "Retry-After", seconds);
}

bool ks_fault_before(struct ks_call *call, const struct ks_fault *fault)
{
    if (strcmp(fault->action, "delay") == 0) {
        call->answer->delay_ms = fault->delay_ms;
    } else if (strcmp(fault->action, "stale") == 0) {
        call->lag = fault->lag;
    } else if (strcmp(fault->action, "goaway") == 0) {
        ks_answer_header(call->answer, "Connection", "close");
    } else if (strcmp(fault->action, "status") == 0) {
        fail_as_told(call, fault);
        return true;
    } else if (strcmp(fault->action, "tooLarge") == 0) {
        ks_fail_too_large(call, call->sim->revision + 1);
        return true;
    } else if (strcmp(fault->action, "reset") == 0) {
        call->answer->fate = SIM_RESET;
        return true;
    } else if (strcmp(fault->action, "hang") == 0) {
        call->answer->fate = SIM_HANG;
        return true;
    }
    return false;
}

void ks_fault_after(struct ks_call *call, const struct ks_fault *fault)
{
    static const struct {
        const char *action;
        enum sim_fate fate;
    } fates[] = {{"truncate", SIM_TRUNCATE},    {"stall", SIM_STALL},      {"drip", SIM_DRIP},
                 {"badLength", SIM_BAD_LENGTH}, {"resetAfter", SIM_RESET}, {"hangAfter", SIM_HANG}};

    for (size_t i = 0; i < COUNT(fates); i++)
        if (strcmp(fates[i].action, fault->action) == 0)
            call->answer->fate = fates[i].fate;
}

/* ---- /_sim/ ---- */

static void faults_post(struct ks_call *call)
{
    json_t *body = json_loadb(call->req->body, call->req->body_len, 0, NULL);
    json_t *list = json_is_array(body) ? body : json_object_get(body, "faults");
    size_t i;
    json_t *rule;
    int bad = list == NULL && kube_sim_add_fault(call->sim, body, call->now_ms) != 0;

    json_array_foreach(list, i, rule)
    {
        bad |= kube_sim_add_fault(call->sim, rule, call->now_ms) != 0;
    }
    json_decref(body);
    if (bad)
        ks_fail(call, 400, "BadRequest", "a fault rule has an unknown key, action or type");
    else
        ks_answer_json(call, 200, json_pack("{s:I}", "faults", (json_int_t)call->sim->n_faults));
}

static void faults_show(struct ks_call *call)
{
    json_t *list = json_array();

    for (size_t i = 0; i < call->sim->n_faults; i++) {
        const struct ks_fault *fault = &call->sim->faults[i];

        (void)json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:I,s:b}", "action", fault->action, "verb",
                                                    fault->verb, "resource", fault->resource, "hits",
                                                    (json_int_t)fault->hits, "spent", fault->count == 0));
    }
    ks_answer_json(call, 200, json_pack("{s:o}", "faults", list));
}

static void compact(struct ks_call *call)
{
    json_t *body = json_loadb(call->req->body ? call->req->body : "", call->req->body_len, 0, NULL);
    const json_t *revision = json_object_get(body, "revision");

    kube_sim_compact(call->sim, json_is_integer(revision) ? (uint64_t)json_integer_value(revision)
                                                          : call->sim->revision);
    json_decref(body);
    ks_answer_json(call, 200, json_pack("{s:I}", "compacted", (json_int_t)call->sim->compacted));
}

void ks_sim_path(struct ks_call *call)
{
    const char *what = call->req->path + sizeof "/_sim/" - 1;
    const char *method = call->req->method;

    if (strcmp(what, "faults") == 0 && strcmp(method, "POST") == 0) {
        faults_post(call);
    } else if (strcmp(what, "faults") == 0 && strcmp(method, "DELETE") == 0) {
        kube_sim_clear_faults(call->sim);
        ks_answer_json(call, 200, json_object());
    } else if (strcmp(what, "faults") == 0) {
        faults_show(call);
    } else if (strcmp(what, "config") == 0) {
        ks_config_path(call);
    } else if (strcmp(what, "compact") == 0 && strcmp(method, "POST") == 0) {
        compact(call);
    } else if (strcmp(what, "bookmark") == 0 && strcmp(method, "POST") == 0) {
        kube_sim_bookmark_all(call->sim);
        ks_answer_json(call, 200, json_object());
    } else if (strcmp(what, "state") == 0) {
        ks_answer_json(call, 200,
                       json_pack("{s:I,s:I,s:I,s:I}", "revision", (json_int_t)call->sim->revision,
                                 "compacted", (json_int_t)call->sim->compacted, "watches",
                                 (json_int_t)call->sim->open_watches, "requests",
                                 (json_int_t)call->sim->requests));
    } else {
        ks_fail_not_found(call);
    }
}
