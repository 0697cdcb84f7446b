/* worker/core/worker.c -- the core as a whole: takes messages, gives them to the job if they fit its step,
 * counts the others. Holds one job at most. Called by worker/main.c and tests/world. */
#include "worker/core/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "worker/core/job.h"

struct worker_core *worker_core_new(const struct worker_ops *ops, uint64_t incarnation)
{
    struct worker_core *core = x_calloc(1, sizeof *core);

    core->ops = *ops;
    core->incarnation = incarnation;
    return core;
}

void worker_core_free(struct worker_core *core)
{
    if (core == NULL)
        return;
    job_free(core->job);
    free(core);
}

/* A job that cannot begin is answered, so that nobody waits for it. */
static void refuse_job(struct worker_core *core, const struct msg_job *msg, const char *why)
{
    struct msg_done done = {.job = msg->job, .result = JOB_AGAIN, .summary = span_of(why)};
    struct envelope envelope = {.correlation = core->incarnation << 32 | ++core->next_correlation,
                                .epoch = core->epoch};

    core->ignored++;
    core->ops.send(core->ops.ctx, WATCHER, MSG_DONE, &done, &envelope);
}

static void on_job(struct worker_core *core, const struct msg_job *msg, uint64_t epoch)
{
    struct msg_started started = {.job = msg->job};
    struct envelope envelope = {.correlation = core->incarnation << 32 | ++core->next_correlation,
                                .epoch = epoch};

    if (!core->gone || core->draining || core->job != NULL) {
        refuse_job(core, msg, "the worker takes no job now");
        return;
    }
    core->ops.send(core->ops.ctx, WATCHER, MSG_STARTED, &started, &envelope);
    core->job = job_new(msg, epoch, core->now);
    if (core->job->view.resource_version[0] == '\0')
        flow_end(core, JOB_RETRY, 0, "the object cannot be understood");
    else if (core->job->flow == NULL)
        flow_end(core, JOB_SKIP, 0, "nothing is to be done");
    else {
        flow_start(core);
        return;
    }
    flow_run(core);
}

static void on_reply(struct worker_core *core, const struct msg_reply *msg)
{
    if (core->job == NULL || msg->job != core->job->id) {
        core->ignored++;
        return;
    }
    write_reply(core, msg);
    flow_run(core);
}

static void note_failure(struct job *job, uint64_t http, struct span request_id, struct span detail)
{
    struct failure *failure = &job->failure;

    failure->http = (unsigned)http;
    if (!span_copy(request_id, failure->request_id, sizeof failure->request_id))
        failure->request_id[0] = '\0';
    if (detail.len > sizeof failure->detail - 1)
        detail.len = sizeof failure->detail - 1;
    for (uint32_t i = 0; i < detail.len; i++) /* it ends up in JSON and on terminals */
        failure->detail[i] = detail.p[i] >= 0x20 && detail.p[i] < 0x7f ? detail.p[i] : '?';
    failure->detail[detail.len] = '\0';
}

static void on_found(struct worker_core *core, const struct msg_found *msg)
{
    struct job *job = core->job;

    if (job == NULL || job->search_seq == 0 || msg->seq != job->search_seq) {
        core->ignored++;
        return;
    }
    job->search_seq = 0;
    job->found.arrived_s = core->now.steady_ms / 1000;
    if (!keys_read(&job->found, msg))
        job->found.outcome = OUTCOME_BUG;
    if (job->found.outcome == OUTCOME_OK)
        keys_expect(job);
    if (msg->outcome != OUTCOME_OK)
        note_failure(job, msg->http, msg->request_id, msg->detail);
    flow_run(core);
}

static void on_outcome(struct worker_core *core, const struct msg_outcome *msg)
{
    struct job *job = core->job;

    if (job == NULL || job->call_seq == 0 || msg->seq != job->call_seq) {
        core->ignored++;
        return;
    }
    job->call_seq = 0;
    if (msg->outcome != OUTCOME_OK)
        note_failure(job, msg->http, msg->request_id, msg->detail);
    make_outcome(core, msg);
    flow_run(core);
}

void worker_core_message(struct worker_core *core, unsigned from, const struct message *message,
                         struct instant now)
{
    const union msg_body *body = &message->body;

    core->now = now;
    if (from == SUPERVISOR && message->spec->id == MSG_GO && !core->gone) {
        core->gone = true;
        core->epoch = body->go.epoch;
        ask_idle(core);
    } else if (from == SUPERVISOR && message->spec->id == MSG_DRAIN) {
        core->draining = true;
    } else if (from == WATCHER && message->spec->id == MSG_JOB) {
        on_job(core, &body->job, message->envelope.epoch);
    } else if (from == WATCHER && message->spec->id == MSG_REPLY) {
        on_reply(core, &body->reply);
    } else if (from == GATEWAY && message->spec->id == MSG_FOUND) {
        on_found(core, &body->found);
    } else if (from == GATEWAY && message->spec->id == MSG_OUTCOME) {
        on_outcome(core, &body->outcome);
    } else {
        core->ignored++;
    }
}

/* CLOCK_BOOTTIME ms at which a force delete stops trying, or INT64_MAX. */
static int64_t give_up_ms(const struct job *job)
{
    bool trying = job->force && job->effect_started_ms != 0 && job->phase != PHASE_OVER && !job->ending;

    return trying ? job->effect_started_ms + FORCE_DELETE_MS : INT64_MAX;
}

void worker_core_tick(struct worker_core *core, struct instant now)
{
    struct job *job = core->job;

    core->now = now;
    if (job == NULL)
        return;
    if (now.boot_ms >= job->started_ms + JOB_WALL_MS) {
        job->patch_seq = job->fetch_seq = 0;
        flow_stop(core, JOB_RETRY, 0, "the job took too long");
    } else if (now.boot_ms >= give_up_ms(job)) {
        remove_give_up(core, CAUSE_TRANSIENT);
    } else if (job->wake_ms != 0 && now.boot_ms >= job->wake_ms) {
        job->wake_ms = 0;
    } else {
        return;
    }
    flow_run(core);
}

int64_t worker_core_next_ms(const struct worker_core *core)
{
    const struct job *job = core->job;

    if (job == NULL)
        return INT64_MAX;
    int64_t next = job->started_ms + JOB_WALL_MS;
    if (give_up_ms(job) < next)
        next = give_up_ms(job);
    if (job->wake_ms != 0 && job->wake_ms < next)
        next = job->wake_ms;
    return next;
}

struct worker_counters worker_core_counters(const struct worker_core *core)
{
    return (struct worker_counters){core->next_seq, core->next_correlation, core->jobs_done, core->epoch};
}

void worker_core_resume(struct worker_core *core, const struct worker_counters *counters)
{
    core->gone = true;
    core->next_seq = counters->next_seq;
    core->next_correlation = counters->next_correlation;
    core->jobs_done = counters->jobs_done;
    core->epoch = counters->epoch;
}

bool worker_core_busy(const struct worker_core *core)
{
    return core->job != NULL;
}

bool worker_core_finished(const struct worker_core *core)
{
    return core->draining && core->job == NULL;
}

const char *worker_core_doing(const struct worker_core *core)
{
    static const char *const calls[] = {"waiting for the gateway", "waiting for CREATE", "waiting for UPDATE",
                                        "waiting for UPDATE", "waiting for REMOVE"};
    const struct job *job = core->job;

    if (job == NULL)
        return core->draining ? "leaving" : "idle";
    if (job->fetch_seq != 0)
        return "reading the object again after a conflict";
    if (job->writing == WRITE_ERROR)
        return "patching status to Error";
    if (job->writing == WRITE_STATE)
        return "recording the state";
    if (job->call_seq != 0)
        return calls[job->call];
    if (job->patch_seq == 0 && job->search_seq != 0)
        return "waiting for SEARCH";
    if (job->wake_ms != 0)
        return "pausing before the next CREATE";
    return job->flow != NULL ? job->flow->steps[job->step].doing : "ending the job";
}

const char *worker_core_operation(const struct worker_core *core)
{
    static const char *const names[] = {[OPERATION_CREATE] = "reconcile",
                                        [OPERATION_RECONCILE] = "reconcile",
                                        [OPERATION_DELETE] = "delete",
                                        [OPERATION_MIGRATE] = "migrate",
                                        [OPERATION_RESTORE] = "restore"};

    if (core->job != NULL && core->job->check)
        return "check";
    return core->job != NULL ? names[core->job->operation] : "";
}

const char *worker_core_key(const struct worker_core *core)
{
    return core->job != NULL ? core->job->object : NULL;
}
