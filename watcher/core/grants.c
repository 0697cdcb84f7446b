/* watcher/core/grants.c -- asks the gateway for a job's grant and takes it back (design 12.5, 12.6). Hands
 * the credentials over and wipes them. Called by prepare.c, jobs.c, watcher.c. */
#include <stdio.h>
#include <string.h>

#include "watcher/core/core.h"
#include "watcher/core/recorded.h"

#define GRANT_WAIT_MS                                                                                        \
    10000 /* the gateway answers at once; later the key is given back and asked for again                    \
           */

void grants_ask(struct watcher_core *core, struct job *job)
{
    struct span ns = work_ns(job->work);
    struct object object;
    struct pack ids;
    char label[LIMIT_LABEL + 1];
    struct msg_grant body = {
        .handle = ++core->next_handle,
        .worker = job->worker->incarnation,
        .token = span_of(job->credentials.token),
        .project = span_of(job->credentials.project),
        .owner = span_of(job->work->key),
    };

    if (!core->gateway) {
        jobs_give_back(core, job, 0);
        return;
    }
    job->handle = body.handle;
    snprintf(label, sizeof label, "%.*s-ssh-publickey", (int)ns.len, ns.p);
    body.label = span_of(label);
    pack_open(&ids);
    if (!object_read(pack_result(&job->object), &object))
        recorded_ids(object.status, job->terraform, &ids);
    else
        pack_array(&ids, 0);
    body.ids = pack_result(&ids);
    memcpy(job->project, job->credentials.project, sizeof job->project);
    jobs_phase(core, job, PHASE_GRANTING, GRANT_WAIT_MS);
    core_send(core, GATEWAY, core->gateway, MSG_GRANT, &body, 0);
    secret_wipe(&job->credentials);
    pack_close(&ids);
}

static struct job *job_of_handle(struct watcher_core *core, uint64_t handle)
{
    for (struct job *job = core->jobs; job; job = job->next)
        if (handle && job->handle == handle)
            return job;
    return NULL;
}

void grants_answer(struct watcher_core *core, const struct msg_granted *granted)
{
    struct job *job = job_of_handle(core, granted->handle);
    struct msg_revoke revoke = {.handle = granted->handle};

    if (!job) {
        core_send(core, GATEWAY, core->gateway, MSG_REVOKE, &revoke, 0);
        return;
    }
    if (job->phase != PHASE_GRANTING)
        return;
    if (granted->outcome == OUTCOME_OK) {
        jobs_send(core, job);
        return;
    }
    job->handle = 0;
    jobs_give_back(core, job, granted->outcome == OUTCOME_LATER ? jobs_later((int64_t)granted->wait_ms) : -1);
}

void grants_revoke(struct watcher_core *core, struct job *job)
{
    struct msg_revoke body = {.handle = job->handle};

    if (job->handle && core->gateway)
        core_send(core, GATEWAY, core->gateway, MSG_REVOKE, &body, 0);
}

void grants_revoked(struct watcher_core *core, uint64_t handle)
{
    struct job *job = job_of_handle(core, handle);

    if (!job || job->phase != PHASE_ORPHANED)
        return;
    job->revoked = true;
    jobs_settle(core, job);
}

/* Grants died with it. What it had sent is an open attempt in status.state (design 12.2). */
void grants_gateway_gone(struct watcher_core *core)
{
    for (struct job *job = core->jobs, *next; job; job = next) {
        next = job->next;
        if (job->phase == PHASE_GRANTING) {
            job->handle = 0;
            jobs_give_back(core, job, 0);
        } else {
            job->gateway_died = job->phase >= PHASE_SENT;
            jobs_settle(core, job);
        }
    }
}
