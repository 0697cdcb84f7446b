/* tests/sim/packet-api/core/reach.c -- what a token may see and change (packet 3.1, S-15, S-16, S-19).
 * Owns no data. Called first by every operation on keys and projects. */
#include "tests/sim/packet-api/core/internal.h"

static bool sees(const struct psim_token *token, const struct psim_project *project)
{
    return token->project != NULL ? token->project == project : token->account == project->account;
}

struct psim_project *psim_reach_project(struct psim_call *call)
{
    struct psim_project *project = *call->id != '\0' ? psim_project(call->sim, call->id) : NULL;
    if (project == NULL) {
        psim_answer_not_found(call);
        return NULL;
    }
    memcpy(call->project_id, project->id, sizeof call->project_id);
    if (!sees(call->token, project)) {
        psim_answer_forbidden(call, call->sim->switches.foreign_status);
        return NULL;
    }
    return project;
}

struct psim_key *psim_reach_key(struct psim_call *call)
{
    struct psim_key *key = *call->id != '\0' ? psim_key_live(call->sim, call->id) : NULL;
    if (key == NULL) {
        psim_answer_not_found(call);
        return NULL;
    }
    const struct psim_token *token = call->token;
    memcpy(call->key_id, key->id, sizeof call->key_id);
    if (key->project != NULL)
        memcpy(call->project_id, key->project->id, sizeof call->project_id);
    bool ok = key->project != NULL ? sees(token, key->project)
                                   : token->project == NULL && token->account == key->account;
    if (!ok) {
        psim_answer_forbidden(call, call->sim->switches.foreign_status);
        return NULL;
    }
    return key;
}

bool psim_refuse_write(struct psim_call *call)
{
    if (call->token->kind != PACKET_SIM_TOKEN_READ_ONLY)
        return false;
    psim_answer_forbidden(call, 403);
    return true;
}
