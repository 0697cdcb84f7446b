/* tests/sim/packet-api/core/keys_read.c -- lists and single reads of SSH keys (packet 2.1, 2.2, 2.6,
 * S-13..S-15, S-29). Owns nothing but what a list shows; a list may lag, hide new keys and keep deleted ones.
 * Never changes a key. Called by route.c. */
#include "tests/sim/packet-api/core/internal.h"

struct shown {
    struct psim_key *key;
    struct psim_version *version;
};

struct list {
    struct shown *items;
    size_t count;
};

static bool fits(const struct packet_sim *sim, const struct psim_version *version, const char *filter)
{
    if (filter == NULL || *filter == '\0')
        return true;
    if (sim->switches.search_exact)
        return strcmp(version->line, filter) == 0 || strcmp(version->label, filter) == 0 ||
               strcmp(version->pub.fingerprint, filter) == 0;
    return strstr(version->line, filter) != NULL || strstr(version->label, filter) != NULL ||
           strstr(version->pub.fingerprint, filter) != NULL;
}

/* The version that this read of the list shows, NULL for none; uses up the reads of S-29. */
static struct psim_version *visible(const struct packet_sim *sim, struct psim_key *key, int64_t now_ms)
{
    /* Without a lag the state is what it is, even if the caller's clock has stepped back. */
    int64_t as_of_ms = sim->switches.list_lag_ms > 0 ? now_ms - sim->switches.list_lag_ms : INT64_MAX;
    struct psim_version *version = psim_version_at(key, as_of_ms);
    if (version == NULL && key->deleted_ms >= 0 && key->ghost_lists > 0) {
        key->ghost_lists--;
        return psim_current(key);
    }
    if (version != NULL && key->hide_lists > 0) {
        key->hide_lists--;
        return NULL;
    }
    return version;
}

static struct list collect(struct psim_call *call, const struct psim_project *project, const char *filter)
{
    struct packet_sim *sim = call->sim;
    struct list list = {psim_alloc(sim->n_keys * sizeof *list.items), 0};
    bool newest = sim->switches.list_order == PACKET_SIM_NEWEST_FIRST;
    for (size_t i = 0; i < sim->n_keys; i++) {
        struct psim_key *key = sim->keys[newest ? sim->n_keys - 1 - i : i];
        if (key->project != project || (project == NULL && key->account != call->token->account))
            continue;
        struct psim_version *version = visible(sim, key, call->now_ms);
        if (version != NULL && fits(sim, version, filter))
            list.items[list.count++] = (struct shown){key, version};
    }
    return list;
}

static void add_meta(struct psim_call *call, struct psim_buf *body, const struct psim_page *page)
{
    const struct packet_sim_switches *switches = &call->sim->switches;
    char *keep =
        switches->meta_next_keeps_query ? psim_query_without(call->request->query, "page") : psim_strdup("");
    json_t *meta = psim_meta(call->sim, page, call->path, keep, (enum packet_sim_next)switches->meta_next,
                             (enum packet_sim_next)switches->meta_end);
    char *text = json_dumps(meta, JSON_COMPACT);
    psim_adds(body, ",\"meta\":");
    psim_adds(body, text);
    free(text);
    json_decref(meta);
    free(keep);
}

static void answer_list(struct psim_call *call, const struct list *list)
{
    const struct packet_sim_switches *switches = &call->sim->switches;
    struct psim_page page = {.count = list->count};
    struct psim_buf body = {0};
    if (switches->meta)
        page = psim_page(list->count, psim_query_int(call->request->query, "page", 1, 1, 100000),
                         switches->meta_page_size);
    psim_adds(&body, "{\"ssh_keys\":[");
    for (size_t i = 0; i < page.count; i++) {
        const struct shown *item = &list->items[page.first + i];
        if (i > 0)
            psim_adds(&body, ",");
        psim_adds(&body, psim_key_text(call->sim, item->key, item->version));
    }
    psim_adds(&body, "]");
    if (switches->meta)
        add_meta(call, &body, &page);
    psim_adds(&body, "}");
    psim_answer_take(call, 200, PSIM_JSON, body.data, body.len);
}

void psim_keys_list(struct psim_call *call)
{
    const char *query = call->request->query;
    struct psim_project *project = call->token->project;
    char *filter;
    if (call->kind == PACKET_SIM_PROJECT_KEYS) {
        project = psim_reach_project(call);
        if (project == NULL)
            return;
        filter = psim_query(query, "query");
        if (filter == NULL && call->sim->switches.search_on_projects)
            filter = psim_query(query, "search");
    } else {
        filter = psim_query(query, "search");
    }
    struct list list = collect(call, project, filter);
    answer_list(call, &list);
    free(list.items);
    free(filter);
}

void psim_key_read(struct psim_call *call)
{
    struct psim_key *key = psim_reach_key(call);
    if (key == NULL)
        return;
    if (key->hide_items > 0) {
        key->hide_items--;
        psim_answer_not_found(call);
        return;
    }
    char *text = psim_strdup(psim_key_text(call->sim, key, psim_current(key)));
    psim_answer_take(call, 200, PSIM_JSON, text, strlen(text));
}
