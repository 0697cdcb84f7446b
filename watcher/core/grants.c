/* watcher/core/grants.c -- asks the gateway for a job's grant and takes it back (design 12.5, 12.6). Hands
 * the credentials over and wipes them. Lets objects wait for budget until they are called in. Called by
 * prepare.c, jobs.c, watcher.c. */
#include <stdio.h>
#include <string.h>

#include "watcher/core/core.h"
#include "watcher/core/demand.h"
#include "watcher/core/recorded.h"

#define GRANT_WAIT_MS                                                                                        \
    10000 /* the gateway answers at once; later the key is given back and asked for again                    \
           */
/* A COME that got lost, or came when all workers were busy for long, costs its object this time. */
#define COME_WAIT_MS  60000
#define COME_EACH_MS  20 /* and so much more for each that waits: asking is three reads of the API server */
#define AGAIN_EACH_MS 5  /* all ask again: each in its own time, spread over so much for each ... */
#define AGAIN_MOST_MS 10000 /* ... up to this */

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
    int64_t until = election_write_until(core);

    if (!core->gateway) {
        jobs_give_back(core, job, 0);
        return;
    }
    if (until != INT64_MAX) {
        body.write_until = (uint64_t)until;
        body.end_until = (uint64_t)election_end_until(core);
    }
    job->handle = body.handle;
    snprintf(label, sizeof label, "%.*s-ssh-publickey", (int)ns.len, ns.p);
    body.label = span_of(label);
    pack_open(&ids);
    if (!object_read(pack_result(&job->object), &object)) {
        struct demand demand = demand_of(&object, &job->cluster, job->check);

        recorded_ids(object.status, job->terraform, &ids);
        body.lane = demand.lane;
        body.calls = demand.calls;
        body.patience_ms = (uint64_t)demand.patience_ms;
    } else {
        pack_array(&ids, 0);
    }
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

static int64_t come_wait_ms(struct watcher_core *core, int64_t asked_ms)
{
    int64_t wait = COME_WAIT_MS + COME_EACH_MS * (int64_t)core->queue.for_budget;

    if (wait < asked_ms)
        wait = asked_ms;
    return wait + (int64_t)hash_random_below(&core->random, (uint64_t)wait / 4);
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
    if (granted->outcome == OUTCOME_LATER)
        jobs_wait_budget(core, job, come_wait_ms(core, (int64_t)granted->wait_ms));
    else
        jobs_give_back(core, job, -1);
}

void grants_come(struct watcher_core *core, struct span owner)
{
    const char *slash = owner.len ? memchr(owner.p, '/', owner.len) : NULL;
    struct work *work = NULL;

    if (slash) {
        uint32_t ns_len = (uint32_t)(slash - owner.p);

        work = queue_find(&core->queue, (struct span){.p = owner.p, .len = ns_len},
                          (struct span){.p = slash + 1, .len = owner.len - ns_len - 1});
    }
    if (work)
        queue_come(&core->queue, work);
}

/* The answer shows that the frame has left; until something longer is sent, its bytes stay in the buffer. */
void grants_cover(struct watcher_core *core)
{
    static const char filler[LIMIT_COVER];
    struct msg_cover body = {.filler = {.p = filler, .len = sizeof filler}};

    for (const struct job *job = core->jobs; job; job = job->next)
        if (job->phase == PHASE_GRANTING)
            return;
    if (core->gateway)
        core_send(core, GATEWAY, core->gateway, MSG_COVER, &body, 0);
}

/* One message for all grants of this watcher, whatever their number. */
void grants_extend(struct watcher_core *core)
{
    struct msg_extend body = {.write_until = (uint64_t)election_write_until(core),
                              .end_until = (uint64_t)election_end_until(core)};

    if (core->gateway)
        core_send(core, GATEWAY, core->gateway, MSG_EXTEND, &body, 0);
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

/* Grants and tickets died with it. What it had sent is an open attempt in status.state (design 12.2). */
void grants_gateway_gone(struct watcher_core *core)
{
    int64_t within = AGAIN_EACH_MS * (int64_t)core->queue.for_budget;

    queue_come_all(&core->queue, within < AGAIN_MOST_MS ? within : AGAIN_MOST_MS, core->now.boot_ms);
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
