/* tests/sim/packet-api/core/config.c -- the switches by name (POST /_sim/config).
 * Owns the table of names and the faithful defaults. Called by admin.c and direct callers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "tests/sim/packet-api/core/internal.h"

static const char *const no_yes[] = {"false", "true", NULL};
static const char *const dup_words[] = {"owner", "account", "global", "off", NULL};
static const char *const owner_words[] = {"owner", "entity", "user", "both", "none", NULL};
static const char *const tags_words[] = {"always", "when-set", "never", NULL};
static const char *const order_words[] = {"oldest", "newest", NULL};
static const char *const next_words[] = {"object", "null", "absent", NULL};
static const char *const end_words[] = {"\1", "null", "absent", NULL};
static const char *const updated_words[] = {"same", "later", "moving", NULL};
static const char *const sunset_words[] = {"off", "html-200", "html-404", "gone-410", "refused", NULL};
static const char *const scope_words[] = {"token", "all", NULL};
static const char *const after_words[] = {"seconds", "date", "none", NULL};

static const struct named {
    const char *name;
    size_t offset;
    const char *const *words; /* NULL: an integer */
    int min, max;
} table[] = {
#define WORD(name, member, words)                                                                            \
    {                                                                                                        \
        name, offsetof(struct packet_sim_switches, member), words, 0, 0                                      \
    }
#define NUMBER(name, member, min, max)                                                                       \
    {                                                                                                        \
        name, offsetof(struct packet_sim_switches, member), NULL, min, max                                   \
    }
    WORD("dupCheck", dup_check, dup_words),
    WORD("ownerMember", owner_member, owner_words),
    WORD("tagsMember", tags_member, tags_words),
    WORD("acceptMissingLabel", accept_missing_label, no_yes),
    WORD("refuseEmptyUpdate", refuse_empty_update, no_yes),
    WORD("searchOnProjects", search_on_projects, no_yes),
    WORD("searchExact", search_exact, no_yes),
    WORD("listOrder", list_order, order_words),
    WORD("meta", meta, no_yes),
    NUMBER("metaPageSize", meta_page_size, 1, 1000),
    WORD("metaNext", meta_next, next_words),
    WORD("metaEnd", meta_end, end_words),
    WORD("metaNextKeepsQuery", meta_next_keeps_query, no_yes),
    WORD("updatedAt", updated_at, updated_words),
    NUMBER("foreignStatus", foreign_status, 403, 404),
    NUMBER("listMissNewReads", list_miss_new_reads, 0, 1000000),
    NUMBER("itemMissNewReads", item_miss_new_reads, 0, 1000000),
    NUMBER("listKeepDeletedReads", list_keep_deleted_reads, 0, 1000000),
    NUMBER("listLagMs", list_lag_ms, 0, 600000),
    WORD("lostCreate", lost_create, no_yes),
    NUMBER("projectTokenProject", project_token_project, 200, 599),
    NUMBER("projectTokenMetros", project_token_metros, 200, 599),
    WORD("sunset", sunset, sunset_words),
    NUMBER("latencyMs", latency_ms, 0, 600000),
    NUMBER("latencyGetMs", latency_get_ms, -1, 600000),
    NUMBER("latencyPostMs", latency_post_ms, -1, 600000),
    NUMBER("latencyPutMs", latency_put_ms, -1, 600000),
    NUMBER("latencyDeleteMs", latency_delete_ms, -1, 600000),
    NUMBER("latencyJitterMs", latency_jitter_ms, 0, 600000),
    NUMBER("rate", rate_per_s, 0, 1000000),
    NUMBER("rateBurst", rate_burst, 0, 1000000),
    WORD("rateScope", rate_scope, scope_words),
    WORD("rateHeaders", rate_headers, no_yes),
    WORD("rateRetryAfter", rate_retry_after, after_words),
    WORD("rateDeniedCostsNothing", rate_denied_costs_nothing, no_yes),
};

#define SWITCHES (sizeof table / sizeof *table)

struct packet_sim_switches packet_sim_switches_default(void)
{
    return (struct packet_sim_switches){.meta_page_size = 10,
                                        .meta_end = PACKET_SIM_NEXT_NULL,
                                        .foreign_status = 404,
                                        .project_token_project = 404,
                                        .project_token_metros = 403,
                                        .latency_get_ms = -1,
                                        .latency_post_ms = -1,
                                        .latency_put_ms = -1,
                                        .latency_delete_ms = -1,
                                        .rate_denied_costs_nothing = 1};
}

int psim_fail(struct packet_sim *sim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sim->why, sizeof sim->why, format, args);
    va_end(args);
    return -1;
}

static int value_of(const struct named *entry, const json_t *value, int *out)
{
    const char *word = json_is_true(value)    ? "true"
                       : json_is_false(value) ? "false"
                                              : json_string_value(value);
    if (entry->words == NULL) {
        if (!json_is_integer(value) || json_integer_value(value) < entry->min ||
            json_integer_value(value) > entry->max)
            return -1;
        *out = (int)json_integer_value(value);
        return 0;
    }
    for (int i = 0; word != NULL && entry->words[i] != NULL; i++)
        if (strcmp(entry->words[i], word) == 0) {
            *out = i;
            return 0;
        }
    return -1;
}

static int set_one(struct packet_sim *sim, struct packet_sim_switches *to, const char *name,
                   const json_t *value)
{
    for (size_t i = 0; i < SWITCHES; i++) {
        int number;
        if (strcmp(table[i].name, name) != 0)
            continue;
        if (value_of(&table[i], value, &number))
            return psim_fail(sim, "%.60s: value not possible", name);
        memcpy((char *)to + table[i].offset, &number, sizeof number);
        return 0;
    }
    return psim_fail(sim, "no switch %.60s", name);
}

int psim_configure_json(struct packet_sim *sim, json_t *object)
{
    struct packet_sim_switches wanted = sim->switches;
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return psim_fail(sim, "not a JSON object");
    json_object_foreach(object, name, value)
    {
        if (set_one(sim, &wanted, name, value))
            return -1;
    }
    if (wanted.rate_per_s != sim->switches.rate_per_s || wanted.rate_burst != sim->switches.rate_burst)
        psim_rate_refill(sim);
    sim->switches = wanted;
    return 0;
}

int packet_sim_configure(struct packet_sim *sim, const char *json, const char **why)
{
    json_t *object = json_loads(json, 0, NULL);
    int result = psim_configure_json(sim, object);
    json_decref(object);
    if (result != 0 && why != NULL)
        *why = sim->why;
    return result;
}

json_t *psim_switches_json(const struct packet_sim *sim)
{
    json_t *object = json_object();
    for (size_t i = 0; i < SWITCHES; i++) {
        int number;
        memcpy(&number, (const char *)&sim->switches + table[i].offset, sizeof number);
        json_t *value = table[i].words == NULL     ? json_integer(number)
                        : table[i].words == no_yes ? json_boolean(number)
                                                   : json_string(table[i].words[number]);
        json_object_set_new(object, table[i].name, value);
    }
    return object;
}
