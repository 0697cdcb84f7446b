/* worker/core/flow.c -- walks a job through the steps of its flow, one thing awaited at a time (the search
 * alone overlaps with the first patches, design 5), and ends it. Called by worker.c. */
#include <string.h>

#include "worker/core/job.h"

static bool is_searching(const struct job *job)
{
    if (!job_has_credentials(job) || job->failure.cause != CAUSE_NONE)
        return false;
    return job_makes(job) || (job->operation == OPERATION_DELETE && !remove_is_single(job));
}

void flow_start(struct worker_core *core)
{
    struct job *job = core->job;

    if (job->warning[0] != '\0')
        ask_note(core, true, "ProviderConfig", job->warning);
    if (plan_migrate_is_closing(&job->view))
        job->step = 2;
    if (is_searching(job))
        ask_search(core);
    flow_run(core);
}

/* Will this run perhaps POST or PUT the material? Then the intent goes with the Processing patch
 * (design 12.2). */
static bool needs_intent(const struct job *job)
{
    if (!job_makes(job) || !job->key.present || !job_has_credentials(job) || job->failure.cause != CAUSE_NONE)
        return false;
    if (job->found.arrived)
        return job->found.outcome == OUTCOME_OK && keys_current(job) == NULL && keys_foreign(job) == NULL;
    return job->state.id[0] == '\0' || strcmp(job->state.fingerprint, job->key.fingerprint) != 0;
}

/* An open attempt of other material decides first whether this run may intend anything. */
static enum progress step_processing(struct worker_core *core)
{
    struct job *job = core->job;
    bool others = job_makes(job) && attempts_others_open(job);

    if (others && job->search_seq != 0)
        return WAIT;
    if (!job->force && job->found.arrived &&
        (job->found.outcome == OUTCOME_LATER || job->found.outcome == OUTCOME_FENCED))
        return flow_call_failed(core, job->found.outcome, job->found.wait_ms);
    bool settled =
        !others || !job->found.arrived || job->found.outcome != OUTCOME_OK || attempts_settle(core) == 0;
    job->intending = settled && needs_intent(job);
    return write_start(core, WRITE_PROCESSING, 0);
}

static enum progress run_step(struct worker_core *core)
{
    struct job *job = core->job;
    const struct step *step = &job->flow->steps[job->step];
    unsigned meta;

    switch (step->kind) {
    case STEP_CHECK: return job->check ? check_run(core) : GO_ON;
    case STEP_META:
        meta = write_meta_needed(job, step->meta);
        return meta == 0 ? GO_ON : write_start(core, WRITE_META, meta);
    case STEP_PROCESSING: return step_processing(core);
    case STEP_MAKE: return make_run(core);
    case STEP_REMOVE: return remove_run(core);
    case STEP_SUCCEEDED: return write_start(core, WRITE_SUCCEEDED, 0);
    case STEP_END: break;
    }
    return flow_end(core, JOB_DONE, 0, job->flow->success);
}

static void finish(struct worker_core *core)
{
    ask_done(core);
    job_free(core->job);
    core->job = NULL;
    core->jobs_done++;
    if (!core->draining)
        ask_idle(core);
}

void flow_run(struct worker_core *core)
{
    while (core->job != NULL && core->job->patch_seq == 0 && core->job->fetch_seq == 0) {
        if (core->job->ending) {
            finish(core);
            return;
        }
        enum progress progress = run_step(core);
        if (progress == WAIT)
            return;
        if (progress == GO_ON)
            core->job->step++;
    }
}

static void decide_end(struct job *job, enum job_result result, uint64_t after_ms, const char *summary)
{
    job->ending = true;
    job->done.result = result;
    job->done.after_ms = after_ms < LIMIT_MS ? after_ms : LIMIT_MS;
    span_copy(span_of(summary), job->summary, sizeof job->summary);
}

void flow_stop(struct worker_core *core, enum job_result result, uint64_t after_ms, const char *summary)
{
    decide_end(core->job, result, after_ms, summary);
    core->job->writing = WRITE_NONE;
}

enum progress flow_end(struct worker_core *core, enum job_result result, uint64_t after_ms,
                       const char *summary)
{
    struct job *job = core->job;

    decide_end(job, result, after_ms, summary);
    if (result == JOB_LATER || result == JOB_AGAIN) {
        attempts_close(core, false);
        if ((job->intent_ms != 0 || job->learned) && job->state.dirty)
            write_start(core, WRITE_STATE, 0);
    }
    return ENDING;
}

enum progress flow_fail(struct worker_core *core, enum cause cause)
{
    struct job *job = core->job;
    struct failure_words words = patch_words(job);
    char text[FAILURE_TEXT_MAX];

    job->failure.cause = cause;
    if (job->force) {
        remove_give_up(core, cause);
        return GO_ON;
    }
    failure_text(&job->failure, &words, text, sizeof text);
    decide_end(job, cause_is_held(cause) && !words.deleting ? JOB_HELD : JOB_RETRY, 0, text);
    attempts_close(core, false);
    write_start(core, WRITE_ERROR, 0);
    return ENDING;
}

enum progress flow_call_failed(struct worker_core *core, unsigned outcome, uint64_t wait_ms)
{
    if (outcome == OUTCOME_LATER && !core->job->force)
        return flow_end(core, JOB_LATER, wait_ms > 0 ? wait_ms : 1000, "Packet's budget is used up");
    if (outcome == OUTCOME_FENCED)
        return flow_end(core, JOB_AGAIN, 0, "the gateway does not take this run's calls any more");
    if (outcome == OUTCOME_NOT_GRANTED && core->job->learned)
        return flow_end(core, JOB_AGAIN, 0, "the next grant names the key that was found");
    return flow_fail(core, cause_of_outcome(outcome));
}
