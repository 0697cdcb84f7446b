/* tests/sim/packet-api/core/fault_rules.c -- the list of fault rules: reading, matching, counting (S-21 to
 * S-35). Owns the rules of a simulation; what a fault does to an answer is in fault.c. Called by admin.c,
 * direct.c and sim.c. */
#include <fnmatch.h>

#include "tests/sim/packet-api/core/internal.h"

#define RULES_MAX 1000
/* Of milliseconds and seconds that are added to the time: 11 days, 31 years. */
#define NUMBER_MAX 1000000000

enum type { ANY, TEXT, INTEGER, BOOLEAN, OBJECT };

static const struct member {
    const char *name;
    enum type type;
} fault_members[] = {{"preset", TEXT},
                     {"commit", BOOLEAN},
                     {"commitAfterMs", INTEGER},
                     {"status", INTEGER},
                     {"answer", TEXT},
                     {"text", TEXT},
                     {"raw", TEXT},
                     {"contentType", TEXT},
                     {"requestId", BOOLEAN},
                     {"fate", TEXT},
                     {"delayMs", INTEGER},
                     {"headers", OBJECT},
                     {"retryAfter", ANY},
                     {"rateLimit", OBJECT},
                     {"redirect", TEXT},
                     {"closeAfterMs", INTEGER},
                     {"closeOnReuse", BOOLEAN},
                     {"size", INTEGER},
                     {NULL, ANY}},
  rule_members[] = {{"match", OBJECT}, {"count", INTEGER},   {"skip", INTEGER},
                    {"fault", OBJECT}, {"percent", INTEGER}, {NULL, ANY}},
  match_members[] = {{"method", TEXT}, {"path", TEXT}, {"kind", TEXT}, {"token", TEXT}, {NULL, ANY}},
  after_members[] = {{"dateInS", INTEGER}, {NULL, ANY}},
  limit_members[] = {{"limit", INTEGER}, {"remaining", INTEGER}, {"resetInS", INTEGER}, {NULL, ANY}};

static bool has_type(const json_t *value, enum type type)
{
    switch (type) {
    case TEXT: return json_is_string(value);
    case INTEGER:
        return json_is_integer(value) && json_integer_value(value) >= -NUMBER_MAX &&
               json_integer_value(value) <= NUMBER_MAX;
    case BOOLEAN: return json_is_boolean(value);
    case OBJECT: return json_is_object(value);
    default: return true;
    }
}

/* A misspelt member would make a test pass for the wrong reason, so unknown ones are refused. */
static int check(struct packet_sim *sim, json_t *object, const struct member *members, const char *where)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const struct member *member = members;
        while (member->name != NULL && strcmp(member->name, name) != 0)
            member++;
        if (member->name == NULL || !has_type(value, member->type))
            return psim_fail(sim, "%s: unknown member or wrong type: %.60s", where, name);
    }
    return 0;
}

static int check_values(struct packet_sim *sim, json_t *given)
{
    const char *shape = json_string_value(json_object_get(given, "answer"));
    json_t *status = json_object_get(given, "status"), *after = json_object_get(given, "retryAfter");
    if (shape != NULL && !psim_shape_known(shape))
        return psim_fail(sim, "unknown answer: %.60s", shape);
    if (status != NULL && (json_integer_value(status) < 200 || json_integer_value(status) > 599))
        return psim_fail(sim, "status out of range");
    if (after != NULL && !json_is_integer(after) && !json_is_string(after) && !json_is_object(after))
        return psim_fail(sim, "retryAfter: number, text or {\"dateInS\":N}");
    return json_is_object(after) && check(sim, after, after_members, "retryAfter")
               ? -1
               : check(sim, json_object_get(given, "rateLimit"), limit_members, "rateLimit");
}

/* The fault with its preset's members filled in; NULL after psim_fail(). */
static json_t *read_fault(struct packet_sim *sim, json_t *given)
{
    const char *preset = json_string_value(json_object_get(given, "preset"));
    json_t *fault = preset != NULL ? psim_preset(preset) : json_object();
    if (fault == NULL) {
        psim_fail(sim, "unknown preset: %.60s", preset);
        return NULL;
    }
    if (check_values(sim, given)) {
        json_decref(fault);
        return NULL;
    }
    json_object_update(fault, given);
    json_object_del(fault, "preset");
    return fault;
}

static char *copy_of(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? psim_strdup(text) : NULL;
}

static int64_t number_of(json_t *object, const char *name, int64_t fallback)
{
    json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

static int kind_of(const char *name)
{
    for (int i = 0; name != NULL && i < PACKET_SIM_KINDS; i++)
        if (strcmp(psim_kind_name((enum packet_sim_kind)i), name) == 0)
            return i;
    return -1;
}

static struct psim_fault *read_rule(struct packet_sim *sim, json_t *rule, json_t *fault)
{
    json_t *match = json_object_get(rule, "match");
    struct psim_fault *record = psim_alloc(sizeof *record);
    record->number = ++sim->next_fault;
    record->method = copy_of(match, "method");
    record->path = copy_of(match, "path");
    record->token = copy_of(match, "token");
    record->kind = kind_of(json_string_value(json_object_get(match, "kind")));
    record->count = number_of(rule, "count", 1);
    record->skip = number_of(rule, "skip", 0);
    record->percent = (int)number_of(rule, "percent", 100);
    record->fault = fault;
    return record;
}

int psim_fault_add_json(struct packet_sim *sim, json_t *rule)
{
    json_t *match = json_object_get(rule, "match"), *given = json_object_get(rule, "fault");
    const char *kind = json_string_value(json_object_get(match, "kind"));
    if (!json_is_object(rule) || !json_is_object(given))
        return psim_fail(sim, "a rule is an object with a member fault");
    if (check(sim, rule, rule_members, "rule") || check(sim, match, match_members, "match") ||
        check(sim, given, fault_members, "fault"))
        return -1;
    if (kind != NULL && kind_of(kind) < 0)
        return psim_fail(sim, "unknown kind: %.60s", kind);
    if (sim->n_faults >= RULES_MAX)
        return psim_fail(sim, "more than %d rules", RULES_MAX);
    json_t *fault = read_fault(sim, given);
    if (fault == NULL || psim_fault_check_fate(sim, fault)) {
        json_decref(fault);
        return -1;
    }
    sim->faults = psim_grow(sim->faults, (sim->n_faults + 1) * sizeof(struct psim_fault *));
    sim->faults[sim->n_faults++] = read_rule(sim, rule, fault);
    return sim->next_fault;
}

int packet_sim_add_fault(struct packet_sim *sim, const char *json, const char **why)
{
    json_t *rule = json_loads(json, 0, NULL);
    int number = psim_fault_add_json(sim, rule);
    json_decref(rule);
    if (number < 0 && why != NULL)
        *why = sim->why;
    return number;
}

void psim_fault_free(struct psim_fault *fault)
{
    free(fault->method);
    free(fault->path);
    free(fault->token);
    json_decref(fault->fault);
    free(fault);
}

void packet_sim_clear_faults(struct packet_sim *sim)
{
    for (size_t i = 0; i < sim->n_faults; i++)
        psim_fault_free(sim->faults[i]);
    free(sim->faults);
    sim->faults = NULL;
    sim->n_faults = 0;
}

static bool path_fits(const char *pattern, const char *path)
{
    if (path == NULL)
        return false;
    if (strpbrk(pattern, "*?[") != NULL)
        return fnmatch(pattern, path, FNM_PATHNAME) == 0;
    return strncmp(pattern, path, strlen(pattern)) == 0;
}

static bool fits(const struct psim_fault *rule, const struct psim_call *call)
{
    if (rule->method != NULL && strcmp(rule->method, call->request->method) != 0)
        return false;
    if (rule->kind >= 0 && rule->kind != (int)call->kind)
        return false;
    if (rule->path != NULL && !path_fits(rule->path, call->path) &&
        !path_fits(rule->path, call->request->path))
        return false;
    if (rule->token != NULL && strcmp(rule->token, call->request->token) != 0 &&
        (call->token == NULL || strcmp(rule->token, call->token->hash) != 0))
        return false;
    return !json_is_true(json_object_get(rule->fault, "closeOnReuse")) || call->peer->served > 0;
}

struct psim_fault *psim_fault_pick(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    for (size_t i = 0; i < sim->n_faults; i++) {
        struct psim_fault *rule = sim->faults[i];
        if (rule->count == 0 || !fits(rule, call))
            continue;
        if (rule->skip > 0) {
            rule->skip--;
            continue;
        }
        if (rule->percent < 100 && (int)(psim_random(&sim->random_faults) % 100) >= rule->percent)
            continue;
        if (rule->count > 0)
            rule->count--;
        rule->hits++;
        sim->counters.faults++;
        return rule;
    }
    return NULL;
}

json_t *psim_faults_json(const struct packet_sim *sim)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sim->n_faults; i++) {
        const struct psim_fault *rule = sim->faults[i];
        json_array_append_new(list, json_pack("{s:i, s:I, s:I, s:I, s:O}", "id", rule->number, "left",
                                              (json_int_t)rule->count, "skip", (json_int_t)rule->skip, "hits",
                                              (json_int_t)rule->hits, "fault", rule->fault));
    }
    return json_pack("{s:o}", "faults", list);
}
