/* tests/sim/packet-api/core/admin.c -- the administrative path /_sim (help text:
 * tests/sim/packet-api/help.c). Owns its small table of operations; needs no token, writes nothing to the
 * ledger. Called by sim.c. */
#include "tests/sim/packet-api/core/internal.h"

static json_t *body_of(const struct psim_call *call)
{
    return json_loadb(call->request->body, call->request->body_len, 0, NULL);
}

static void answer(struct psim_call *call, int status, json_t *json)
{
    psim_answer_json_take(call, status, json);
}

static void refuse(struct psim_call *call, const char *why)
{
    answer(call, 400, json_pack("{s:s}", "error", why));
}

static const char *text(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* One rule or an array of rules; answers the numbers. All or nothing is not promised. */
static void add_faults(struct psim_call *call)
{
    json_t *body = body_of(call), *ids = json_array(), *rule;
    size_t i;
    int number = 0;
    if (!json_is_array(body)) {
        number = psim_fault_add_json(call->sim, body);
        json_array_append_new(ids, json_integer(number));
    }
    json_array_foreach(body, i, rule)
    {
        if (number < 0)
            break;
        number = psim_fault_add_json(call->sim, rule);
        json_array_append_new(ids, json_integer(number));
    }
    json_decref(body);
    if (number < 0) {
        json_decref(ids);
        refuse(call, call->sim->why);
        return;
    }
    answer(call, 201, json_pack("{s:o}", "ids", ids));
}

static void list_faults(struct psim_call *call)
{
    answer(call, 200, psim_faults_json(call->sim));
}

static void clear_faults(struct psim_call *call)
{
    packet_sim_clear_faults(call->sim);
    answer(call, 200, json_object());
}

static void presets(struct psim_call *call)
{
    answer(call, 200, psim_presets_json());
}

static void get_config(struct psim_call *call)
{
    answer(call, 200, psim_switches_json(call->sim));
}

static void set_config(struct psim_call *call)
{
    json_t *body = body_of(call);
    int result = psim_configure_json(call->sim, body);
    json_decref(body);
    if (result != 0)
        refuse(call, call->sim->why);
    else
        get_config(call);
}

static json_t *key_entry(const struct psim_key *key)
{
    const struct psim_version *version = psim_current(key);
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:s?, s:s, s:I, s:I, s:b}", "id", key->id, "label",
                     version->label, "key", version->line, "fingerprint", version->pub.fingerprint, "tags",
                     version->tags, "project", key->project != NULL ? key->project->id : NULL, "account",
                     key->account->name, "createdMs", (json_int_t)key->created_ms, "changedMs",
                     (json_int_t)version->from_ms, "deleted", key->deleted_ms >= 0);
}

static json_t *projects_json(const struct packet_sim *sim)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sim->n_projects; i++) {
        const struct psim_project *project = sim->projects[i];
        if (!project->deleted)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", project->id, "name", project->name,
                                                  "account", project->account->name));
    }
    return list;
}

static json_t *tokens_json(const struct packet_sim *sim)
{
    static const char *const kinds[] = {"user", "project", "read-only", "revoked"};
    json_t *list = json_array();
    for (size_t i = 0; i < sim->n_tokens; i++) {
        const struct psim_token *token = sim->tokens[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:s}", "token", token->hash, "kind",
                                              kinds[token->kind], "project",
                                              token->project != NULL ? token->project->id : NULL, "account",
                                              token->account->name));
    }
    return list;
}

static void state(struct psim_call *call)
{
    struct packet_sim *sim = call->sim;
    json_t *keys = json_array(), *deleted = json_array();
    for (size_t i = 0; i < sim->n_keys; i++)
        json_array_append_new(sim->keys[i]->deleted_ms < 0 ? keys : deleted, key_entry(sim->keys[i]));
    answer(call, 200,
           json_pack("{s:o, s:o, s:o, s:o, s:I}", "projects", projects_json(sim), "tokens", tokens_json(sim),
                     "keys", keys, "deletedKeys", deleted, "seq", (json_int_t)sim->seq));
}

static void ledger(struct psim_call *call)
{
    const char *query = call->request->query;
    answer(call, 200,
           psim_ledger_json(call->sim, (uint64_t)psim_query_int(query, "since", 0, 0, INT32_MAX),
                            (size_t)psim_query_int(query, "limit", 1000000, 1, INT32_MAX)));
}

static void clear_ledger(struct psim_call *call)
{
    psim_ledger_clear(call->sim);
    answer(call, 200, json_object());
}

static void counters(struct psim_call *call)
{
    answer(call, 200, psim_counters_json(call->sim));
}

static void clear_counters(struct psim_call *call)
{
    memset(&call->sim->counters, 0, sizeof call->sim->counters);
    answer(call, 200, json_object());
}

static int change_keys(struct psim_call *call, json_t *body, char *id_out)
{
    const char *op = text(body, "op"), *id = text(body, "id");
    json_t *tags = json_object_get(body, "tags");
    char *tags_text = tags != NULL ? json_dumps(tags, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    int result = -1;
    if (op == NULL || strcmp(op, "put") == 0)
        result = packet_sim_put_key(call->sim, text(body, "project"), id, text(body, "label"),
                                    text(body, "key"), tags_text, call->now_ms, id_out);
    else if (id != NULL && strcmp(op, "alter") == 0)
        result = packet_sim_alter_key(call->sim, id, text(body, "label"), text(body, "key"), tags_text,
                                      call->now_ms);
    else if (id != NULL && strcmp(op, "delete") == 0)
        result = packet_sim_delete_key(call->sim, id, call->now_ms);
    free(tags_text);
    if (result == 0 && *id_out == '\0' && id != NULL && strlen(id) == PACKET_SIM_ID_LEN)
        memcpy(id_out, id, PACKET_SIM_ID_LEN + 1);
    return result;
}

static void keys(struct psim_call *call)
{
    char id[PACKET_SIM_ID_LEN + 1] = "";
    json_t *body = body_of(call);
    int result = change_keys(call, body, id);
    json_decref(body);
    if (result != 0)
        refuse(call, "op put|alter|delete with known id or project, a public key, tags as array of strings");
    else
        answer(call, 200, json_pack("{s:s}", "id", id));
}

static void forget_keys(struct psim_call *call)
{
    packet_sim_forget_keys(call->sim);
    answer(call, 200, json_object());
}

static void add_project(struct psim_call *call)
{
    json_t *body = body_of(call);
    const char *id = packet_sim_add_project(call->sim, text(body, "id"), text(body, "name"),
                                            text(body, "account"), call->now_ms);
    json_decref(body);
    if (id == NULL)
        refuse(call, "id is no UUID, or taken");
    else
        answer(call, 201, json_pack("{s:s}", "id", id));
}

static void add_token(struct psim_call *call)
{
    static const char *const kinds[] = {"user", "project", "read-only", "revoked"};
    json_t *body = body_of(call);
    const char *token = text(body, "token"), *kind = text(body, "kind");
    char hash[PACKET_SIM_HASH_LEN + 1] = "";
    int found = kind == NULL ? PACKET_SIM_TOKEN_USER : -1;
    for (int i = 0; kind != NULL && i < 4; i++)
        if (strcmp(kinds[i], kind) == 0)
            found = i;
    int result = -1;
    if (token != NULL && found >= 0)
        result = packet_sim_add_token(call->sim, token, (enum packet_sim_token_kind)found,
                                      text(body, "project"), text(body, "account"));
    if (result == 0)
        packet_sim_token_hash(token, hash);
    json_decref(body);
    if (result != 0)
        refuse(call, "token, kind user|project|read-only|revoked, project a known id");
    else
        answer(call, 201, json_pack("{s:s}", "token", hash));
}

static const struct {
    const char *method, *path;
    void (*run)(struct psim_call *call);
} operations[] = {
    {"POST", "/faults", add_faults},
    {"GET", "/faults", list_faults},
    {"DELETE", "/faults", clear_faults},
    {"GET", "/presets", presets},
    {"GET", "/config", get_config},
    {"POST", "/config", set_config},
    {"GET", "/state", state},
    {"GET", "/ledger", ledger},
    {"DELETE", "/ledger", clear_ledger},
    {"GET", "/counters", counters},
    {"DELETE", "/counters", clear_counters},
    {"POST", "/keys", keys},
    {"DELETE", "/keys", forget_keys},
    {"POST", "/projects", add_project},
    {"POST", "/tokens", add_token},
};

void psim_admin(struct psim_call *call)
{
    const char *path = call->request->path + strlen("/_sim");
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].method, call->request->method) == 0 &&
            strcmp(operations[i].path, path) == 0) {
            operations[i].run(call);
            return;
        }
    answer(call, 404, json_pack("{s:s}", "error", "no such administrative path; see --help"));
}
