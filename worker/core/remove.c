/* worker/core/remove.c -- the effect of Delete and force delete, and the removal of single keys for the other
 * flows. A single call when the state leaves no doubt, else a complete list first (design 12.8). Called by
 * flow.c and make.c. */
#include <stdio.h>
#include <string.h>

#include "worker/core/job.h"

bool remove_is_single(const struct job *job)
{
    const struct state *state = &job->state;
    bool one =
        state->id[0] != '\0' && (state->status_id[0] == '\0' || strcmp(state->status_id, state->id) == 0);

    return one && state->n_attempts == 0 && state->n_obsolete == 0 && state->unsettled_s == 0;
}

void remove_add(struct job *job, const char *id)
{
    if (id[0] == '\0' || job->n_remove == REMOVE_MAX)
        return;
    for (unsigned i = 0; i < job->n_remove; i++)
        if (strcmp(job->remove[i], id) == 0)
            return;
    span_copy(span_of(id), job->remove[job->n_remove++], ID_SIZE);
}

enum progress remove_next(struct worker_core *core, unsigned *next, unsigned limit)
{
    if (*next >= limit)
        return GO_ON;
    ask_remove(core, core->job->remove[(*next)++]);
    return WAIT;
}

/* Also what the list does not show: it may lag, and the gateway proves each absence by itself (packet 5.3).
 */
static void list_all(struct job *job)
{
    const struct state *state = &job->state;

    for (unsigned i = 0; i < job->found.n_keys; i++)
        if (key_is_ours(job, &job->found.keys[i]))
            remove_add(job, job->found.keys[i].id);
    for (unsigned i = 0; i < state->n_obsolete; i++)
        remove_add(job, state->obsolete[i]);
    remove_add(job, state->id);
    remove_add(job, state->status_id);
    for (unsigned i = 0; i < job->found.n_keys; i++) /* never another's, whatever we recorded */
        for (unsigned k = job->n_remove; job->found.keys[i].owner == OWNER_OTHER && k-- > 0;)
            if (strcmp(job->remove[k], job->found.keys[i].id) == 0)
                memcpy(job->remove[k], job->remove[--job->n_remove], ID_SIZE);
}

static enum progress over(struct job *job)
{
    job->phase = PHASE_OVER;
    return GO_ON;
}

static enum progress begin(struct worker_core *core)
{
    struct job *job = core->job;
    bool nothing = state_proves_nothing_sent(&job->state);

    job->phase = PHASE_REMOVE;
    if (nothing && (job->failure.cause != CAUSE_NONE || !job_has_credentials(job)))
        return over(job);
    if (job->failure.cause != CAUSE_NONE)
        return flow_fail(core, job->failure.cause);
    if (remove_is_single(job)) {
        remove_add(job, job->state.id);
        return GO_ON;
    }
    if (job->search_seq != 0) {
        job->phase = PHASE_START;
        return WAIT;
    }
    bool answered = job->found.outcome == OUTCOME_OK;
    if (!answered && nothing && job->found.outcome != OUTCOME_LATER && job->found.outcome != OUTCOME_FENCED)
        return over(job);
    if (!answered)
        return flow_call_failed(core, job->found.outcome, job->found.wait_ms);
    uint64_t wait_ms = attempts_settle(core);
    if (wait_ms > 0 && !job->force)
        return flow_end(core, JOB_LATER, wait_ms, "an older change at Packet may still take effect");
    list_all(job);
    return GO_ON;
}

/* What is recorded now is that nothing is left: a repeated run then needs no credentials. */
static void record_nothing(struct job *job)
{
    struct state *state = &job->state;

    if (state->id[0] != '\0' || state->fingerprint[0] != '\0')
        state->dirty = true;
    state->id[0] = state->fingerprint[0] = '\0';
    job->current[0] = '\0';
    job->fresh_id = state->status_id[0] != '\0';
}

enum progress remove_run(struct worker_core *core)
{
    struct job *job = core->job;
    enum progress progress = GO_ON;

    while (progress == GO_ON) {
        if (job->call_seq != 0 || job->patch_seq != 0)
            return WAIT;
        switch (job->phase) {
        case PHASE_START:
            if (job->effect_started_ms == 0)
                job->effect_started_ms = core->now.boot_ms;
            progress = begin(core);
            break;
        case PHASE_REMOVE:
            progress = remove_next(core, &job->next_remove, job->n_remove);
            if (progress == GO_ON) {
                record_nothing(job);
                job->phase = PHASE_OVER;
            }
            break;
        default: return GO_ON;
        }
    }
    return progress;
}

void remove_give_up(struct worker_core *core, enum cause cause)
{
    struct job *job = core->job;
    struct failure_words words = {
        .secret = job->secret_name, .project = job->project, .recorded = job->recorded_project};
    char text[FAILURE_TEXT_MAX], message[LIMIT_TEXT];
    const char *id = job->state.id[0] != '\0' ? job->state.id : job->call_id;

    job->failure.cause = cause;
    failure_text(&job->failure, &words, text, sizeof text);
    snprintf(
        message, sizeof message,
        "Forced deletion: SSH key %s%swith label %.100s may be left behind in Packet project %s and must be "
        "removed by hand. %.600s",
        id, id[0] != '\0' ? " " : "", job->label,
        job->recorded_project[0] != '\0' ? job->recorded_project : job->project, text);
    ask_note(core, true, "ForceDeletion", message);
    job->call_seq = job->search_seq = 0;
    job->phase = PHASE_OVER;
}

enum progress remove_outcome(struct worker_core *core, const struct msg_outcome *outcome)
{
    struct job *job = core->job;

    switch ((enum outcome)outcome->outcome) {
    case OUTCOME_OK:
    case OUTCOME_GONE:
        state_drop_obsolete(&job->state, job->call_id);
        keys_forget(job, job->call_id);
        return GO_ON;
    default:
        memcpy(job->failure.id, job->call_id, sizeof job->failure.id);
        return flow_call_failed(core, (unsigned)outcome->outcome, outcome->wait_ms);
    }
}
