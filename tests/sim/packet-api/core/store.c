/* tests/sim/packet-api/core/store.c -- accounts, projects, tokens and keys with their past.
 * Owns all records of a simulation; knows nothing of HTTP or JSON answers. Called by the operations, by
 * admin.c and through direct.c. */
#include <strings.h>

#include "tests/sim/packet-api/core/internal.h"

#define TOMBSTONE_KEEP_MS 600000 /* longer than any sensible list lag */

/* Room for one more element; the capacity is always the next power of two, so it need not be stored. */
static void *room(void *array, size_t count)
{
    if ((count & (count - 1)) == 0)
        return psim_grow(array, (count ? count * 2 : 1) * sizeof(void *));
    return array;
}

struct psim_account *psim_account(struct packet_sim *sim, const char *name, int64_t now_ms)
{
    if (name == NULL || *name == '\0')
        name = "main";
    for (size_t i = 0; i < sim->n_accounts; i++)
        if (strcmp(sim->accounts[i]->name, name) == 0)
            return sim->accounts[i];
    struct psim_account *account = psim_alloc(sizeof *account);
    account->name = psim_strdup(name);
    account->created_ms = now_ms;
    psim_uuid(&sim->random_ids, account->user_id);
    sim->accounts = room(sim->accounts, sim->n_accounts);
    sim->accounts[sim->n_accounts++] = account;
    return account;
}

struct psim_project *psim_project(const struct packet_sim *sim, const char *id)
{
    for (size_t i = 0; i < sim->n_projects; i++)
        if (!sim->projects[i]->deleted && strcasecmp(sim->projects[i]->id, id) == 0)
            return sim->projects[i];
    return NULL;
}

const char *packet_sim_add_project(struct packet_sim *sim, const char *id, const char *name,
                                   const char *account, int64_t now_ms)
{
    if (id != NULL && (!psim_is_uuid(id) || psim_project(sim, id) != NULL))
        return NULL;
    struct psim_project *project = psim_alloc(sizeof *project);
    if (id != NULL)
        memcpy(project->id, id, sizeof project->id);
    else
        psim_uuid(&sim->random_ids, project->id);
    project->name = psim_strdup(name != NULL && *name != '\0' ? name : "project");
    project->account = psim_account(sim, account, now_ms);
    project->created_ms = project->changed_ms = now_ms;
    project->members = json_pack("{s:{}, s:b, s:[]}", "customdata", "backend_transfer_enabled", 0, "tags");
    sim->projects = room(sim->projects, sim->n_projects);
    sim->projects[sim->n_projects++] = project;
    return project->id;
}

static void mark_deleted(const struct packet_sim *sim, struct psim_key *key, int64_t now_ms)
{
    key->deleted_ms = now_ms < 0 ? 0 : now_ms;
    key->ghost_lists = sim->switches.list_keep_deleted_reads;
}

/* The record stays: keys that lists still show and tokens point to it. */
void psim_project_delete(struct packet_sim *sim, struct psim_project *project, int64_t now_ms)
{
    project->deleted = true;
    for (size_t i = sim->n_keys; i-- > 0;)
        if (sim->keys[i]->project == project && sim->keys[i]->deleted_ms < 0)
            mark_deleted(sim, sim->keys[i], now_ms);
}

struct psim_token *psim_token(const struct packet_sim *sim, const char *text)
{
    for (size_t i = 0; i < sim->n_tokens; i++)
        if (strcmp(sim->tokens[i]->text, text) == 0)
            return sim->tokens[i];
    return NULL;
}

void packet_sim_token_hash(const char *token, char *out)
{
    unsigned char digest[32];
    psim_sha256(token, strlen(token), digest);
    psim_hex(digest, PACKET_SIM_HASH_LEN / 2, out);
}

int packet_sim_add_token(struct packet_sim *sim, const char *token, enum packet_sim_token_kind kind,
                         const char *project, const char *account)
{
    struct psim_project *scope = project != NULL && *project != '\0' ? psim_project(sim, project) : NULL;
    if (*token == '\0' || (scope == NULL && project != NULL && *project != '\0') ||
        (scope == NULL && kind == PACKET_SIM_TOKEN_PROJECT))
        return -1;
    struct psim_token *record = psim_token(sim, token);
    if (record == NULL) {
        record = psim_alloc(sizeof *record);
        record->text = psim_strdup(token);
        record->level_ms = INT64_MIN;
        packet_sim_token_hash(token, record->hash);
        sim->tokens = room(sim->tokens, sim->n_tokens);
        sim->tokens[sim->n_tokens++] = record;
    }
    record->kind = kind;
    record->project = kind == PACKET_SIM_TOKEN_USER ? NULL : scope;
    record->account = scope != NULL ? scope->account : psim_account(sim, account, 0);
    return 0;
}

struct psim_key *psim_key_live(const struct packet_sim *sim, const char *id)
{
    for (size_t i = 0; i < sim->n_keys; i++)
        if (sim->keys[i]->deleted_ms < 0 && strcasecmp(sim->keys[i]->id, id) == 0)
            return sim->keys[i];
    return NULL;
}

struct psim_version *psim_current(const struct psim_key *key)
{
    return &key->versions[key->n_versions - 1];
}

struct psim_version *psim_version_at(const struct psim_key *key, int64_t as_of_ms)
{
    if (key->deleted_ms >= 0 && key->deleted_ms <= as_of_ms)
        return NULL;
    for (size_t i = key->n_versions; i-- > 0;)
        if (key->versions[i].from_ms <= as_of_ms)
            return &key->versions[i];
    /* Old versions are dropped beyond PSIM_VERSIONS_MAX; the key itself is as old as it says. */
    return key->created_ms <= as_of_ms ? &key->versions[0] : NULL;
}

void psim_version_clear(struct psim_version *version)
{
    free(version->label);
    free(version->line);
    json_decref(version->tags);
    memset(version, 0, sizeof *version);
}

bool psim_tags_fit(const json_t *tags)
{
    size_t i;
    json_t *tag;
    if (!json_is_array(tags))
        return false;
    json_array_foreach(tags, i, tag)
    {
        if (!json_is_string(tag))
            return false;
    }
    return true;
}

bool psim_version_make(struct psim_version *out, const struct psim_version *base, const char *label,
                       const char *line, json_t *tags, int64_t now_ms)
{
    memset(out, 0, sizeof *out);
    if (line == NULL && base == NULL)
        return false;
    if (line == NULL)
        out->pub = base->pub;
    else if (!psim_pubkey_parse(line, &out->pub))
        return false;
    if (tags != NULL && !psim_tags_fit(tags))
        return false;
    out->from_ms = now_ms;
    out->label = psim_strdup(label != NULL ? label : base != NULL ? base->label : "");
    out->line = psim_strdup(line != NULL ? line : base != NULL ? base->line : "");
    out->tags = tags != NULL ? json_deep_copy(tags) : base != NULL ? json_incref(base->tags) : json_array();
    return true;
}

struct psim_key *psim_key_new(struct packet_sim *sim, struct psim_project *project,
                              struct psim_account *account, struct psim_version *version)
{
    struct psim_key *key = psim_alloc(sizeof *key);
    psim_uuid(&sim->random_ids, key->id);
    key->project = project;
    key->account = account;
    key->created_ms = version->from_ms;
    key->deleted_ms = -1;
    psim_key_push(key, version);
    return key;
}

void psim_key_push(struct psim_key *key, struct psim_version *version)
{
    version->serial = key->n_versions > 0 ? psim_current(key)->serial + 1 : 1;
    if (key->n_versions == PSIM_VERSIONS_MAX) {
        psim_version_clear(&key->versions[0]);
        memmove(key->versions, key->versions + 1, --key->n_versions * sizeof *key->versions);
    }
    key->versions = psim_grow(key->versions, (key->n_versions + 1) * sizeof *key->versions);
    key->versions[key->n_versions++] = *version;
    memset(version, 0, sizeof *version);
}

void psim_key_insert(struct packet_sim *sim, struct psim_key *key)
{
    key->hide_lists = sim->switches.list_miss_new_reads;
    key->hide_items = sim->switches.item_miss_new_reads;
    sim->keys = room(sim->keys, sim->n_keys);
    sim->keys[sim->n_keys++] = key;
}

void psim_key_free(struct psim_key *key)
{
    for (size_t i = 0; i < key->n_versions; i++)
        psim_version_clear(&key->versions[i]);
    free(key->versions);
    free(key->text);
    free(key);
}

static void bury(struct packet_sim *sim, int64_t now_ms)
{
    size_t kept = 0, before = sim->n_keys;
    for (size_t i = 0; i < before; i++) {
        struct psim_key *key = sim->keys[i];
        bool old =
            key->deleted_ms >= 0 && key->ghost_lists <= 0 && now_ms - key->deleted_ms > TOMBSTONE_KEEP_MS;
        if (old)
            psim_key_free(key);
        else
            sim->keys[kept++] = key;
    }
    sim->n_keys = kept;
    size_t capacity = 1; /* room() derives it from the count */
    while (capacity < kept)
        capacity *= 2;
    sim->keys = psim_grow(sim->keys, capacity * sizeof *sim->keys);
}

void psim_key_delete(struct packet_sim *sim, struct psim_key *key, int64_t now_ms)
{
    mark_deleted(sim, key, now_ms);
    bury(sim, now_ms);
}

bool psim_duplicate(const struct packet_sim *sim, const struct psim_key *self,
                    const struct psim_project *project, const struct psim_account *account,
                    const struct psim_pubkey *pub)
{
    int scope = sim->switches.dup_check;
    if (scope == PACKET_SIM_DUP_OFF)
        return false;
    for (size_t i = 0; i < sim->n_keys; i++) {
        const struct psim_key *key = sim->keys[i];
        if (key == self || key->deleted_ms >= 0)
            continue;
        if (scope != PACKET_SIM_DUP_GLOBAL && key->account != account)
            continue;
        if (scope == PACKET_SIM_DUP_OWNER && key->project != project)
            continue;
        if (memcmp(psim_current(key)->pub.digest, pub->digest, sizeof pub->digest) == 0)
            return true;
    }
    return false;
}

void psim_store_free(struct packet_sim *sim)
{
    for (size_t i = 0; i < sim->n_keys; i++)
        psim_key_free(sim->keys[i]);
    for (size_t i = 0; i < sim->n_tokens; i++) {
        free(sim->tokens[i]->text);
        free(sim->tokens[i]);
    }
    for (size_t i = 0; i < sim->n_projects; i++) {
        free(sim->projects[i]->name);
        json_decref(sim->projects[i]->members);
        free(sim->projects[i]);
    }
    for (size_t i = 0; i < sim->n_accounts; i++) {
        free(sim->accounts[i]->name);
        free(sim->accounts[i]);
    }
    free(sim->keys);
    free(sim->tokens);
    free(sim->projects);
    free(sim->accounts);
}
