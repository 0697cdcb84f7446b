/* worker/core/check.c -- the first step of a check for drift (design 12.12): what Packet's list shows beside
 * what status.state says. Nothing found, or no answer: nothing is written. Something found: an Event, and the
 * job goes on as a Reconcile. Missing tags alone are no drift, since Packet may refuse them and nothing
 * depends on them. Called by flow.c. */
#include <stdio.h>
#include <string.h>

#include "worker/core/job.h"

static enum progress over(struct worker_core *core, enum check_result result, const char *summary)
{
    core->job->done.check = result;
    return flow_end(core, JOB_DONE, 0, summary);
}

static enum progress failed(struct worker_core *core, enum cause cause)
{
    struct job *job = core->job;
    struct failure_words words = patch_words(job);
    char text[FAILURE_TEXT_MAX];

    job->failure.cause = cause;
    words.checking = true;
    failure_text(&job->failure, &words, text, sizeof text);
    ask_note(core, true, "DriftCheckFailed", text);
    return over(core, CHECK_FAILED, text);
}

static enum progress no_answer(struct worker_core *core)
{
    struct found *found = &core->job->found;

    if (found->outcome == OUTCOME_LATER || found->outcome == OUTCOME_FENCED)
        return flow_call_failed(core, found->outcome, found->wait_ms);
    return failed(core, cause_of_outcome(found->outcome));
}

/* A key of ours beside the current one, or NULL. */
static const struct found_key *one_too_many(const struct job *job, const struct found_key *current)
{
    for (unsigned i = 0; i < job->found.n_keys; i++)
        if (key_is_ours(job, &job->found.keys[i]) && &job->found.keys[i] != current)
            return &job->found.keys[i];
    return NULL;
}

/* What is not as it was left, or NULL; *id: of the key it is about. */
static const char *difference(const struct job *job, const char **id)
{
    const struct found_key *current = job->key.present ? keys_current(job) : NULL;
    const struct found_key *other = one_too_many(job, current);

    *id = job->state.id;
    if (job->key.present && current == NULL)
        return "is not there any more, or with another public key";
    if (other != NULL) {
        *id = other->id;
        return "of this Shoot is one too many";
    }
    if (current != NULL && !current->label)
        return "has another label";
    return NULL;
}

static enum progress found_drift(struct worker_core *core, const char *what, const char *id)
{
    struct job *job = core->job;
    char text[256];

    snprintf(text, sizeof text, "Project %s is not as it was left: SSH key %s %s. It is put right.",
             job->project, id, what);
    ask_note(core, true, "SSHKeyDrift", text);
    job->done.check = CHECK_FOUND;
    return GO_ON;
}

enum progress check_run(struct worker_core *core)
{
    struct job *job = core->job;

    if (job->failure.cause != CAUSE_NONE)
        return failed(core, job->failure.cause);
    if (!job_has_credentials(job))
        return over(core, CHECK_SAME, "no key is wanted, and none was ever made");
    if (strcmp(job->key.fingerprint, job->state.fingerprint) != 0)
        return over(core, CHECK_NONE, "the recorded key is not the wanted one; the next event is waited for");
    if (job->search_seq != 0)
        return WAIT;
    if (job->found.outcome != OUTCOME_OK)
        return no_answer(core);
    if (job->key.present && keys_current(job) == NULL && keys_foreign(job) != NULL) {
        memcpy(job->failure.id, keys_foreign(job)->id, sizeof job->failure.id);
        return failed(core, CAUSE_KEY_FOREIGN);
    }
    const char *id, *what = difference(job, &id);
    return what == NULL ? over(core, CHECK_SAME, "all is as it was left") : found_drift(core, what, id);
}
