/* tests/sim/packet-api/core/direct.c -- the direct functions of packet_sim.h: keys behind the client's back
 * (S-31). Owns nothing; skips tokens, duplicates and the ledger on purpose. Called by tests/world and
 * admin.c. */
#include "tests/sim/packet-api/core/internal.h"

static const char *tags_text(struct packet_sim *sim, json_t *tags)
{
    free(sim->scratch);
    sim->scratch = json_dumps(tags, JSON_COMPACT);
    return sim->scratch;
}

static void show(struct packet_sim *sim, const struct psim_key *record, struct packet_sim_key *key)
{
    const struct psim_version *version = psim_current(record);
    *key = (struct packet_sim_key){.id = record->id,
                                   .label = version->label,
                                   .key = version->line,
                                   .fingerprint = version->pub.fingerprint,
                                   .tags = tags_text(sim, version->tags),
                                   .project_id = record->project != NULL ? record->project->id : "",
                                   .created_ms = record->created_ms,
                                   .changed_ms = version->from_ms};
}

static bool of_project(const struct psim_key *record, const struct psim_project *project)
{
    return record->deleted_ms < 0 && (project == NULL || record->project == project);
}

bool packet_sim_key_next(struct packet_sim *sim, const char *project, size_t *cursor,
                         struct packet_sim_key *key)
{
    const struct psim_project *scope = project != NULL ? psim_project(sim, project) : NULL;
    while (*cursor < sim->n_keys && (project == NULL || scope != NULL)) {
        const struct psim_key *record = sim->keys[(*cursor)++];
        if (of_project(record, scope)) {
            show(sim, record, key);
            return true;
        }
    }
    return false;
}

size_t packet_sim_key_count(struct packet_sim *sim, const char *project)
{
    const struct psim_project *scope = project != NULL ? psim_project(sim, project) : NULL;
    size_t count = 0;
    if (project != NULL && scope == NULL)
        return 0;
    for (size_t i = 0; i < sim->n_keys; i++)
        count += of_project(sim->keys[i], scope);
    return count;
}

bool packet_sim_key_get(struct packet_sim *sim, const char *id, struct packet_sim_key *key)
{
    const struct psim_key *record = psim_key_live(sim, id);
    if (record != NULL)
        show(sim, record, key);
    return record != NULL;
}

int packet_sim_put_key(struct packet_sim *sim, const char *project, const char *id, const char *label,
                       const char *line, const char *tags, int64_t now_ms, char *id_out)
{
    struct psim_project *scope = project != NULL ? psim_project(sim, project) : NULL;
    json_t *list = tags != NULL ? json_loads(tags, 0, NULL) : json_array();
    struct psim_version version;
    bool ok = list != NULL && (project == NULL || scope != NULL) && line != NULL &&
              (id == NULL || (psim_is_uuid(id) && psim_key_live(sim, id) == NULL)) &&
              psim_version_make(&version, NULL, label, line, list, now_ms);
    json_decref(list);
    if (!ok)
        return -1;
    struct psim_key *key =
        psim_key_new(sim, scope, scope != NULL ? scope->account : psim_account(sim, NULL, now_ms), &version);
    if (id != NULL)
        memcpy(key->id, id, sizeof key->id);
    psim_key_insert(sim, key);
    key->hide_lists = key->hide_items = 0;
    if (id_out != NULL)
        memcpy(id_out, key->id, sizeof key->id);
    return 0;
}

int packet_sim_alter_key(struct packet_sim *sim, const char *id, const char *label, const char *line,
                         const char *tags, int64_t now_ms)
{
    struct psim_key *key = psim_key_live(sim, id);
    json_t *list = tags != NULL ? json_loads(tags, 0, NULL) : NULL;
    struct psim_version version;
    bool ok = key != NULL && (tags == NULL || list != NULL) &&
              psim_version_make(&version, psim_current(key), label, line, list, now_ms);
    json_decref(list);
    if (!ok)
        return -1;
    psim_key_push(key, &version);
    return 0;
}

int packet_sim_delete_key(struct packet_sim *sim, const char *id, int64_t now_ms)
{
    struct psim_key *key = psim_key_live(sim, id);
    if (key == NULL)
        return -1;
    psim_key_delete(sim, key, now_ms);
    return 0;
}

void packet_sim_forget_keys(struct packet_sim *sim)
{
    for (size_t i = 0; i < sim->n_keys; i++)
        psim_key_free(sim->keys[i]);
    free(sim->keys);
    sim->keys = NULL;
    sim->n_keys = 0;
}
