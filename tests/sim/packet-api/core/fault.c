/* tests/sim/packet-api/core/fault.c -- what a fault does to an answer (S-21 to S-34).
 * Owns no state: reads the members of a rule's fault object, which fault_rules.c has checked. Called by sim.c
 * around the operation. */
#include <stdio.h>

#include "tests/sim/packet-api/core/internal.h"

static const struct {
    const char *name;
    enum sim_fate fate;
} fates[] = {{"answer", SIM_ANSWER},        {"reset", SIM_RESET}, {"hang", SIM_HANG},
             {"truncate", SIM_TRUNCATE},    {"stall", SIM_STALL}, {"drip", SIM_DRIP},
             {"bad-length", SIM_BAD_LENGTH}};

const char *psim_fate_name(enum sim_fate fate)
{
    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++)
        if (fates[i].fate == fate)
            return fates[i].name;
    return "?";
}

static int find_fate(json_t *fault)
{
    const char *name = json_string_value(json_object_get(fault, "fate"));
    for (size_t i = 0; name != NULL && i < sizeof fates / sizeof *fates; i++)
        if (strcmp(fates[i].name, name) == 0)
            return (int)fates[i].fate;
    return name == NULL ? (int)SIM_ANSWER : -1;
}

int psim_fault_check_fate(struct packet_sim *sim, json_t *fault)
{
    return find_fate(fault) < 0 ? psim_fail(sim, "unknown fate") : 0;
}

static bool has(json_t *fault, const char *name)
{
    return json_object_get(fault, name) != NULL;
}

/* Without a word about commit: a fault that replaces the answer keeps the operation from happening, one that
 * only adds to it or spoils its transport does not. */
bool psim_fault_is_dry(const struct psim_fault *rule)
{
    json_t *fault = rule->fault;
    int fate = find_fate(fault);
    if (has(fault, "commit"))
        return !json_is_true(json_object_get(fault, "commit"));
    return has(fault, "status") || has(fault, "answer") || has(fault, "raw") || has(fault, "redirect") ||
           fate == (int)SIM_RESET || fate == (int)SIM_HANG;
}

int64_t psim_fault_late_ms(const struct psim_fault *rule)
{
    json_t *late = json_object_get(rule->fault, "commitAfterMs");
    return json_is_integer(late) && json_integer_value(late) >= 0 ? json_integer_value(late) : -1;
}

const char *psim_intern(struct packet_sim *sim, const char *text)
{
    for (size_t i = 0; i < sim->n_interned; i++)
        if (strcmp(sim->interned[i], text) == 0)
            return sim->interned[i];
    sim->interned = psim_grow(sim->interned, (sim->n_interned + 1) * sizeof *sim->interned);
    sim->interned[sim->n_interned] = psim_strdup(text);
    return sim->interned[sim->n_interned++];
}

static void apply_body(struct psim_call *call, json_t *fault)
{
    json_t *wanted = json_object_get(fault, "status");
    int status = wanted != NULL ? (int)json_integer_value(wanted) : call->answer->status;
    const char *shape = json_string_value(json_object_get(fault, "answer"));
    const char *raw = json_string_value(json_object_get(fault, "raw"));
    if (shape != NULL)
        psim_shape(call, shape, status, fault);
    else if (raw != NULL)
        psim_answer_take(call, status, PSIM_JSON, psim_strdup(raw), strlen(raw));
    else if (wanted != NULL && status >= 400)
        psim_shape(call, "json", status, fault);
    else if (wanted != NULL && status == 204)
        psim_shape(call, "empty", status, fault);
    call->answer->status = status;
    const char *type = json_string_value(json_object_get(fault, "contentType"));
    if (type != NULL)
        call->answer->content_type = psim_intern(call->sim, type);
}

static void apply_redirect(struct psim_call *call, json_t *fault)
{
    const char *location = json_string_value(json_object_get(fault, "redirect"));
    if (location == NULL)
        return;
    json_t *status = json_object_get(fault, "status");
    psim_shape(call, "html", status != NULL ? (int)json_integer_value(status) : 307, fault);
    psim_header(call, "Location", "%s", location);
}

static void apply_wait(struct psim_call *call, json_t *fault)
{
    json_t *after = json_object_get(fault, "retryAfter"), *limit = json_object_get(fault, "rateLimit");
    if (json_is_integer(after)) {
        psim_header(call, "Retry-After", "%lld", (long long)json_integer_value(after));
        psim_rate_note_pause(call, json_integer_value(after));
    } else if (json_is_string(after)) {
        psim_header(call, "Retry-After", "%s", json_string_value(after));
    } else if (json_is_object(after)) {
        char date[32];
        int64_t seconds = json_integer_value(json_object_get(after, "dateInS"));
        psim_http_date(call->now_ms + seconds * 1000, date);
        psim_header(call, "Retry-After", "%s", date);
        psim_rate_note_pause(call, seconds - 1); /* whole seconds: the date may lie almost one earlier */
    }
    if (limit == NULL)
        return;
    psim_header(call, "X-RateLimit-Limit", "%lld",
                (long long)json_integer_value(json_object_get(limit, "limit")));
    psim_header(call, "X-RateLimit-Remaining", "%lld",
                (long long)json_integer_value(json_object_get(limit, "remaining")));
    psim_header(call, "X-RateLimit-Reset", "%lld",
                (long long)(call->now_ms / 1000 + json_integer_value(json_object_get(limit, "resetInS"))));
}

static void apply_headers(struct psim_call *call, json_t *fault)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(fault, "headers"), name, value)
    {
        if (json_is_string(value))
            psim_header(call, name, "%s", json_string_value(value));
    }
}

static void apply_request_id(struct psim_call *call, json_t *fault, const char *fresh)
{
    json_t *wanted = json_object_get(fault, "requestId");
    if (json_is_true(wanted))
        memcpy(call->request_id, fresh, sizeof call->request_id);
    else if (json_is_false(wanted))
        call->request_id[0] = '\0';
}

void psim_fault_apply(struct psim_call *call)
{
    json_t *fault = call->fault->fault, *delay = json_object_get(fault, "delayMs");
    json_t *close_after = json_object_get(fault, "closeAfterMs");
    char fresh[sizeof call->request_id];
    memcpy(fresh, call->request_id, sizeof fresh);
    if (has(fault, "redirect"))
        apply_redirect(call, fault);
    else
        apply_body(call, fault);
    apply_request_id(call, fault, fresh);
    apply_wait(call, fault);
    apply_headers(call, fault);
    call->answer->fate = (enum sim_fate)find_fate(fault);
    if (json_is_integer(delay) && json_integer_value(delay) >= 0)
        call->answer->delay_ms = (unsigned)json_integer_value(delay);
    if (json_is_integer(close_after) && json_integer_value(close_after) >= 0)
        call->close_after_ms = json_integer_value(close_after);
}
