/* tests/sim/packet-api/core/keys_write.c -- create, change and delete of SSH keys (packet 2.1, S-6..S-12).
 * Owns the checks of a body; commits unless the call is dry, in which case only the answer is formed. Called
 * by route.c. */
#include "tests/sim/packet-api/core/internal.h"

struct input {
    json_t *body;             /* object */
    const char *label, *line; /* NULL: absent */
    json_t *tags;
};

static bool text_member(json_t *body, const char *name, const char **out)
{
    json_t *member = json_object_get(body, name);
    *out = json_string_value(member);
    return member == NULL || json_is_null(member) || *out != NULL;
}

/* False after answering 422. The caller drops in->body in every case. */
static bool read_input(struct psim_call *call, struct input *in)
{
    in->body = json_loadb(call->request->body, call->request->body_len, JSON_DECODE_ANY, NULL);
    if (!json_is_object(in->body)) {
        psim_answer_errors(call, 422, "Request body must be a JSON object");
        return false;
    }
    if (json_object_get(in->body, "instances_ids") != NULL)
        call->sim->counters.instances_ids++;
    in->tags = json_object_get(in->body, "tags");
    if (json_is_null(in->tags))
        in->tags = NULL;
    if (!text_member(in->body, "label", &in->label) || !text_member(in->body, "key", &in->line)) {
        psim_answer_errors(call, 422, "Label and key must be text");
        return false;
    }
    return true;
}

static bool check_create(struct psim_call *call, const struct input *in)
{
    if (in->line == NULL || *in->line == '\0') {
        psim_answer_errors(call, 422, "Key can't be blank");
        return false;
    }
    if ((in->label == NULL || *in->label == '\0') && !call->sim->switches.accept_missing_label) {
        psim_answer_errors(call, 422, "Label can't be blank");
        return false;
    }
    return true;
}

static bool refuse_duplicate(struct psim_call *call, const struct psim_key *self,
                             const struct psim_project *project, const struct psim_account *account,
                             const struct psim_pubkey *pub)
{
    if (!psim_duplicate(call->sim, self, project, account, pub))
        return false;
    psim_answer_errors(call, 422, "Key must be unique");
    return true;
}

static void answer_key(struct psim_call *call, int status, struct psim_key *key)
{
    char *text = psim_strdup(psim_key_text(call->sim, key, psim_current(key)));
    psim_answer_take(call, status, PSIM_JSON, text, strlen(text));
    memcpy(call->key_id, key->id, sizeof call->key_id);
}

static void create(struct psim_call *call, struct psim_project *project, const struct input *in)
{
    struct psim_account *account = project != NULL ? project->account : call->token->account;
    struct psim_version version;
    if (!check_create(call, in))
        return;
    if (!psim_version_make(&version, NULL, in->label, in->line, in->tags, call->now_ms)) {
        psim_answer_errors(call, 422, "Key is not a valid SSH public key");
        return;
    }
    if (refuse_duplicate(call, NULL, project, account, &version.pub)) {
        psim_version_clear(&version);
        return;
    }
    struct psim_key *key = psim_key_new(call->sim, project, account, &version);
    answer_key(call, 201, key);
    if (call->dry) {
        psim_key_free(key);
        return;
    }
    psim_key_insert(call->sim, key);
    call->committed = true;
    if (call->sim->switches.lost_create && call->token->project != NULL)
        psim_answer_not_found(call); /* packet 2.7 */
}

void psim_keys_create(struct psim_call *call)
{
    struct psim_project *project = NULL;
    struct input in = {0};
    if (call->kind == PACKET_SIM_PROJECT_KEYS) {
        project = psim_reach_project(call);
        if (project == NULL)
            return;
    } else if (call->token->project != NULL) {
        psim_answer_forbidden(call, 403); /* a project token has no user whose key this could be */
        return;
    }
    if (psim_refuse_write(call))
        return;
    if (read_input(call, &in))
        create(call, project, &in);
    json_decref(in.body);
}

/* A dry change pushes the version only to render it and then takes it back. */
static void change(struct psim_call *call, struct psim_key *key, struct psim_version *version)
{
    if (!call->dry) {
        psim_key_push(key, version);
        call->committed = true;
        answer_key(call, 200, key);
        return;
    }
    struct psim_key shadow = *key;
    shadow.versions = NULL;
    shadow.n_versions = 0;
    shadow.text = NULL;
    psim_key_push(&shadow, version);
    answer_key(call, 200, &shadow);
    psim_version_clear(&shadow.versions[0]);
    free(shadow.versions);
    free(shadow.text);
}

static void update(struct psim_call *call, struct psim_key *key, const struct input *in)
{
    struct psim_version version;
    if (in->label == NULL && in->line == NULL && in->tags == NULL) {
        answer_key(call, 200, key);
        return;
    }
    if (!psim_version_make(&version, psim_current(key), in->label, in->line, in->tags, call->now_ms)) {
        psim_answer_errors(call, 422, "Key is not a valid SSH public key");
        return;
    }
    if (in->line != NULL && refuse_duplicate(call, key, key->project, key->account, &version.pub)) {
        psim_version_clear(&version);
        return;
    }
    change(call, key, &version);
}

void psim_key_update(struct psim_call *call)
{
    struct input in = {0};
    struct psim_key *key = psim_reach_key(call);
    if (key == NULL || psim_refuse_write(call))
        return;
    if (call->request->body_len == 0 && !call->sim->switches.refuse_empty_update) {
        answer_key(call, 200, key);
        return;
    }
    if (read_input(call, &in))
        update(call, key, &in);
    json_decref(in.body);
}

void psim_key_remove(struct psim_call *call)
{
    struct psim_key *key = psim_reach_key(call);
    if (key == NULL || psim_refuse_write(call))
        return;
    if (!call->dry) {
        psim_key_delete(call->sim, key, call->now_ms);
        call->committed = true;
    }
    psim_answer_take(call, 204, NULL, NULL, 0);
}
