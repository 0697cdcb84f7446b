/* worker/core/make.c -- the effect of Create, Reconcile and Restore: exactly one key with the wanted material
 * stands, and what else is ours goes (design 5, 12.2; gardener 11.5). Called by flow.c; answers come through
 * worker.c. */
#include <string.h>

#include "worker/core/job.h"

/* Pauses between the questions for a create whose outcome is unknown, milliseconds. */
static const int64_t create_pauses[CREATE_TRIES_MAX - 1] = {100, 400, 1600};

/* Before another key is made, what is obsolete goes, listed or not: there is never a second key, and Packet
 * would refuse material that an obsolete one still holds. */
static void list_clear(struct job *job)
{
    for (unsigned i = 0; i < job->state.n_obsolete; i++)
        remove_add(job, job->state.obsolete[i]);
    job->n_clear = job->n_remove;
}

static enum progress begin(struct worker_core *core)
{
    struct job *job = core->job;

    if (job->failure.cause != CAUSE_NONE)
        return flow_fail(core, job->failure.cause);
    if (!job_has_credentials(job)) { /* no key is wanted, and none was ever made (gardener 75) */
        job->fresh_id = true;
        job->phase = PHASE_OVER;
        return GO_ON;
    }
    if (job->search_seq != 0)
        return WAIT;
    if (job->found.outcome != OUTCOME_OK)
        return flow_call_failed(core, job->found.outcome, job->found.wait_ms);
    uint64_t wait_ms = attempts_settle(core);
    if (wait_ms > 0)
        return flow_end(core, JOB_LATER, wait_ms, "an older change at Packet may still take effect");
    if (!job->key.present) {
        job->phase = PHASE_RECORD;
        return GO_ON;
    }
    const struct found_key *foreign = keys_foreign(job);
    if (keys_current(job) == NULL && foreign != NULL) {
        memcpy(job->failure.id, foreign->id, sizeof job->failure.id);
        return flow_fail(core, CAUSE_KEY_FOREIGN);
    }
    if (keys_current(job) == NULL)
        list_clear(job);
    job->phase = PHASE_CLEAR;
    return GO_ON;
}

static enum progress make_key(struct worker_core *core)
{
    struct job *job = core->job;
    const struct found_key *key = keys_current(job);

    if (key != NULL) {
        if (!job->retagged && (!key->label || key->owner != OWNER_US)) {
            ask_update(core, CALL_RETAG, key);
            return WAIT;
        }
        memcpy(job->current, key->id, sizeof job->current);
        job->phase = PHASE_RECORD;
        return GO_ON;
    }
    if (!attempts_may_send(core)) {
        job->intending = true;
        return write_start(core, WRITE_STATE, 0);
    }
    key = job->create_instead ? NULL : keys_rotatable(job);
    if (key != NULL)
        ask_update(core, CALL_ROTATE, key);
    else
        ask_create(core);
    return WAIT;
}

static void set_text(char *buf, size_t size, const char *text, bool *dirty)
{
    if (strcmp(buf, text) == 0)
        return;
    span_copy(span_of(text), buf, size);
    *dirty = true;
}

/* What stands goes into the state; what is to go is named there before the first of it is deleted. */
static enum progress record(struct worker_core *core)
{
    struct job *job = core->job;
    struct state *state = &job->state;
    bool news = false;

    job->n_remove = job->next_remove = 0;
    for (unsigned i = 0; i < job->found.n_keys; i++) {
        const struct found_key *key = &job->found.keys[i];

        if (key_is_ours(job, key) && strcmp(key->id, job->current) != 0)
            news |= state_add_obsolete(state, key->id);
    }
    if (!job->key.present && state->id[0] != '\0')
        news |= state_add_obsolete(state, state->id);
    for (unsigned i = 0; i < state->n_obsolete; i++)
        remove_add(job, state->obsolete[i]);
    set_text(state->id, sizeof state->id, job->current, &state->dirty);
    set_text(state->fingerprint, sizeof state->fingerprint, job->key.fingerprint, &state->dirty);
    set_text(state->project, sizeof state->project, job->project, &state->dirty);
    set_text(state->label, sizeof state->label, job->label, &state->dirty);
    attempts_close(core, true);
    job->fresh_id = true;
    job->phase = PHASE_REMOVE;
    return news ? write_start(core, WRITE_STATE, 0) : GO_ON;
}

enum progress make_run(struct worker_core *core)
{
    struct job *job = core->job;
    enum progress progress = GO_ON;

    while (progress == GO_ON) {
        if (job->call_seq != 0 || job->wake_ms != 0 || job->patch_seq != 0)
            return WAIT;
        switch (job->phase) {
        case PHASE_START: progress = begin(core); break;
        case PHASE_CLEAR:
            progress = remove_next(core, &job->next_clear, job->n_clear);
            if (progress == GO_ON)
                job->phase = PHASE_KEY;
            break;
        case PHASE_KEY: progress = make_key(core); break;
        case PHASE_RECORD: progress = record(core); break;
        case PHASE_REMOVE:
            progress = remove_next(core, &job->next_remove, job->n_remove);
            if (progress == GO_ON)
                job->phase = PHASE_OVER;
            break;
        case PHASE_OVER: return GO_ON;
        }
    }
    return progress;
}

/* Asked again after a pause: the gateway lists before each POST. Then the job waits in the queue. */
static enum progress create_unknown(struct worker_core *core)
{
    struct job *job = core->job;

    job->open = true;
    if (job->creates >= CREATE_TRIES_MAX)
        return flow_end(core, JOB_LATER, UNKNOWN_LATER_MS, "the outcome of a create is not known yet");
    job->wake_ms = core->now.boot_ms + create_pauses[job->creates - 1];
    return GO_ON;
}

static enum progress refused(struct worker_core *core)
{
    uint64_t wait_ms = 0;

    if (attempts_own_is_open(core, &wait_ms))
        return flow_end(core, JOB_LATER, wait_ms, "refused while an older create may still take effect");
    return flow_fail(core, CAUSE_REFUSED);
}

static enum progress created(struct worker_core *core, const struct msg_outcome *outcome)
{
    struct job *job = core->job;
    char id[ID_SIZE];

    if (!span_copy(outcome->id, id, sizeof id) || id[0] == '\0')
        return create_unknown(core);
    if (state_is_obsolete(&job->state, id)) /* the list lags: it is on its way out */
        return flow_end(core, JOB_LATER, UNKNOWN_LATER_MS, "an obsolete key is still listed");
    /* A key found after a create without an answer may be that one's, or an older one's. */
    attempts_took_effect(job, outcome->adopted && !outcome->maybe, outcome->unsure != 0);
    memcpy(job->current, id, sizeof job->current);
    job->phase = PHASE_RECORD;
    return GO_ON;
}

static enum progress create_outcome(struct worker_core *core, const struct msg_outcome *outcome)
{
    switch ((enum outcome)outcome->outcome) {
    case OUTCOME_OK: return created(core, outcome);
    case OUTCOME_UNKNOWN: return create_unknown(core);
    case OUTCOME_REFUSED: return refused(core);
    default: return flow_call_failed(core, (unsigned)outcome->outcome, outcome->wait_ms);
    }
}

/* The id stays when Packet takes the new material; else make before break. */
static enum progress rotate_outcome(struct worker_core *core, const struct msg_outcome *outcome)
{
    struct job *job = core->job;

    switch ((enum outcome)outcome->outcome) {
    case OUTCOME_OK:
        attempts_took_effect(job, false, outcome->unsure != 0);
        memcpy(job->current, job->call_id, sizeof job->current);
        job->phase = PHASE_RECORD;
        return GO_ON;
    case OUTCOME_GONE: keys_forget(job, job->call_id); return GO_ON;
    case OUTCOME_REFUSED: job->create_instead = true; return GO_ON;
    case OUTCOME_UNKNOWN:
        job->open = true;
        return flow_end(core, JOB_LATER, UNKNOWN_LATER_MS, "the outcome of a change is not known yet");
    default: return flow_call_failed(core, (unsigned)outcome->outcome, outcome->wait_ms);
    }
}

/* Nothing depends on tags alone: Packet may refuse them. */
static enum progress retag_outcome(struct worker_core *core, const struct msg_outcome *outcome)
{
    struct job *job = core->job;

    switch ((enum outcome)outcome->outcome) {
    case OUTCOME_OK: job->retagged = true; return GO_ON;
    case OUTCOME_GONE: keys_forget(job, job->call_id); return GO_ON;
    case OUTCOME_REFUSED:
        job->retagged = true;
        ask_note(core, true, "KeyNotTagged",
                 "Packet refused to change label or tags of the SSH key; it is used as it is.");
        return GO_ON;
    case OUTCOME_UNKNOWN:
        return flow_end(core, JOB_LATER, UNKNOWN_LATER_MS, "the outcome of a change is not known yet");
    default: return flow_call_failed(core, (unsigned)outcome->outcome, outcome->wait_ms);
    }
}

enum progress make_outcome(struct worker_core *core, const struct msg_outcome *outcome)
{
    switch (core->job->call) {
    case CALL_CREATE: return create_outcome(core, outcome);
    case CALL_ROTATE: return rotate_outcome(core, outcome);
    case CALL_RETAG: return retag_outcome(core, outcome);
    case CALL_REMOVE: return remove_outcome(core, outcome);
    case CALL_NONE: break;
    }
    return GO_ON;
}
