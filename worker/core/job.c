/* worker/core/job.c -- reads a JOB into a struct job: copies what is needed, nothing of the object stays
 * borrowed. Decides the operation and what already forbids any call. Called by worker.c. */
#include "worker/core/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

bool job_has_credentials(const struct job *job)
{
    return job->secret == SECRET_USABLE && job->handle != 0;
}

bool job_makes(const struct job *job)
{
    return job->operation == OPERATION_CREATE || job->operation == OPERATION_RECONCILE ||
           job->operation == OPERATION_RESTORE;
}

/* What makes calls to Packet impossible or forbidden, most fundamental first. */
static enum cause find_obstacle(const struct job *job)
{
    if (job->operation == OPERATION_MIGRATE)
        return CAUSE_NONE;
    if (job->state.broken)
        return CAUSE_STATE_BROKEN;
    if (!job_has_credentials(job)) {
        bool idle = job_makes(job) && !job->key.present && state_proves_nothing_sent(&job->state);
        enum cause cause = cause_of_secret(job->secret);

        return idle ? CAUSE_NONE : cause != CAUSE_NONE ? cause : CAUSE_NO_GRANT;
    }
    if (job->recorded_project[0] != '\0' && state_binds_project(&job->state) &&
        strcasecmp(job->recorded_project, job->project) != 0)
        return CAUSE_PROJECT_CHANGED;
    return CAUSE_NONE;
}

/* The wanted key. Deletion looks at it too, to know its own material again, but does not judge it. */
static enum cause read_spec(struct job *job, struct value spec)
{
    enum cause key = pubkey_read(value_text(value_get(spec, "sshPublicKey")), &job->key);
    enum cause config = config_check(spec, &job->key, job->warning, sizeof job->warning);

    if (!job_makes(job)) {
        job->warning[0] = '\0';
        return CAUSE_NONE;
    }
    return config != CAUSE_NONE ? config : key;
}

static void read_names(struct job *job, const struct msg_job *msg)
{
    span_copy(msg->ns, job->ns, sizeof job->ns);
    span_copy(msg->name, job->name, sizeof job->name);
    snprintf(job->object, sizeof job->object, "%s/%s", job->ns, job->name);
    span_copy(msg->secret_name, job->secret_name, sizeof job->secret_name);
    span_copy(msg->project, job->project, sizeof job->project);
    span_copy(msg->shoot_uid, job->shoot_uid, sizeof job->shoot_uid);
}

static void read_state(struct job *job, const struct msg_job *msg)
{
    state_read(&job->state, value_get(msg->object, "status"), msg->terraform_key);
    job->unsettled_before_s = job->state.unsettled_s;
    memcpy(job->recorded_project, job->state.project, sizeof job->recorded_project);
    if (!state_binds_project(&job->state) || job->state.project[0] == '\0')
        memcpy(job->state.project, job->project, sizeof job->state.project);
    snprintf(job->label, sizeof job->label, "%s-ssh-publickey", job->ns);
    memcpy(job->state.label, job->label, sizeof job->state.label);
}

struct job *job_new(const struct msg_job *msg, uint64_t epoch, struct instant now)
{
    struct job *job = x_calloc(1, sizeof *job);

    job->id = msg->job;
    job->handle = msg->handle;
    job->epoch = epoch;
    job->secret = (unsigned)msg->secret;
    job->absent_since = (int64_t)msg->absent_since;
    job->started_ms = now.boot_ms;
    read_names(job, msg);
    if (!view_read(&job->view, msg->object))
        return job;
    job->generation = job->view.generation;
    job->operation = plan_operation(&job->view);
    job->flow = plan_flow(&job->view, job->operation);
    job->check = msg->check && job->operation == OPERATION_RECONCILE && job->flow != NULL;
    job->force = msg->force_delete && job->operation == OPERATION_DELETE;
    read_state(job, msg);
    enum cause spec = read_spec(job, value_get(msg->object, "spec"));
    job->failure.cause = spec != CAUSE_NONE ? spec : find_obstacle(job);
    return job;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    view_free(&job->view);
    free(job);
}
