/* watcher/core/job_end.c -- how a job ends: what its last word, or its worker's death, means for the queue
 * and for the numbers (kubernetes 3.4, 3.5). Owns nothing. Called by jobs.c, prepare.c, grants.c, writes.c.
 */
#include <stdlib.h>

#include "base/log.h"
#include "watcher/core/core.h"

#define LATER_LEAST_MS 10 /* "later" is never at once */
#define AGAINS_AT_ONCE 5  /* JOB_AGAIN in a row before it backs off */

void jobs_free(struct watcher_core *core, struct job *job)
{
    struct job **link = &core->jobs;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    if (job->worker)
        job->worker->job = NULL;
    requests_detach(core, job);
    secret_wipe(&job->credentials);
    pack_close(&job->object);
    pack_close(&job->fresh);
    queue_done(&core->queue, job->work, core->now.boot_ms);
    free(job);
}

static void job_measure(struct watcher_core *core, const struct job *job, enum measured_result result)
{
    int64_t ms = core->now.boot_ms - job->began_ms;

    core->measures.results[result]++;
    histogram_add(&core->measures.reconcile, &buckets_reconcile, ms);
    histogram_add(&core->measures.work, &buckets_queue, ms);
}

void jobs_give_back(struct watcher_core *core, struct job *job, int64_t delay_ms)
{
    job_measure(core, job, delay_ms < 0 ? RESULT_ERROR : RESULT_REQUEUE_AFTER);
    if (delay_ms < 0)
        queue_add_limited(&core->queue, job->work, core->now.boot_ms);
    else
        queue_add_after(&core->queue, job->work, delay_ms, core->now.boot_ms);
    jobs_free(core, job);
}

void jobs_wait_budget(struct watcher_core *core, struct job *job, int64_t delay_ms)
{
    job_measure(core, job, RESULT_REQUEUE_AFTER);
    queue_wait_budget(&core->queue, job->work, delay_ms, core->now.boot_ms);
    jobs_free(core, job);
}

int64_t jobs_later(int64_t asked_ms)
{
    return asked_ms > LATER_LEAST_MS ? asked_ms : LATER_LEAST_MS;
}

void jobs_give_up(struct watcher_core *core, struct job *job)
{
    job_measure(core, job, RESULT_SUCCESS);
    queue_forget(job->work);
    jobs_free(core, job);
}

/* What the worker's last word means for the queue (kubernetes 3.4). */
static void job_queue(struct watcher_core *core, struct job *job)
{
    struct work *work = job->work;
    int64_t now = core->now.boot_ms;

    core->measures.checks[job->result.check % CHECKS] += job->result.check < CHECKS;
    if (job->result.check == CHECK_FOUND)
        queue_raise(work, PRIORITY_LIVE); /* if it comes back, it is a repair that waits */
    work->absent_since = job->result.absent_since;
    work->agains = job->result.result == JOB_AGAIN ? work->agains + 1 : 0;
    switch (job->result.result) {
    case JOB_RETRY:
        core->jobs_failed++;
        job_measure(core, job, RESULT_ERROR);
        queue_add_limited(&core->queue, work, now);
        break;
    case JOB_HELD: /* its failures stay counted; the next event runs it */
        core->jobs_failed++;
        core->measures.held++;
        quarantine_passed(core, work);
        job_measure(core, job, RESULT_ERROR);
        break;
    case JOB_LATER:
        job_measure(core, job, RESULT_REQUEUE_AFTER);
        queue_forget(work);
        queue_add_after(&core->queue, work, jobs_later((int64_t)job->result.after_ms), now);
        break;
    case JOB_AGAIN:
        job_measure(core, job, RESULT_REQUEUE);
        if (work->agains > AGAINS_AT_ONCE)
            queue_add_limited(&core->queue, work, now);
        else
            queue_add_after(&core->queue, work, 0, now);
        break;
    default: /* JOB_DONE, JOB_SKIP */
        job_measure(core, job, RESULT_SUCCESS);
        work->absent_since = 0;
        queue_forget(work);
        quarantine_passed(core, work);
        break;
    }
}

/* A worker that died at it counts like a failure (kubernetes 34), unless the gateway died and took it along,
 * or it was told to go. */
static void job_strike(struct watcher_core *core, struct job *job)
{
    if (!core->gateway || job->gateway_died || job->blameless) {
        queue_add_after(&core->queue, job->work, 0, core->now.boot_ms);
        return;
    }
    job->work->strikes++;
    core->strikes++;
    job_measure(core, job, RESULT_ERROR);
    queue_add_limited(&core->queue, job->work, core->now.boot_ms);
    jobs_log(LEVEL_WARN, job, "the worker died at this object; it is run again", job->cause);
    explain_note(core, job, 0, "died", job->cause);
    quarantine_strike(core, job, job->cause[0] ? job->cause : "it died");
}

void jobs_settle(struct watcher_core *core, struct job *job)
{
    bool revoked = !job->handle || job->revoked || job->gateway_died || !core->gateway;

    if (job->open || (job->phase != PHASE_ENDING && job->phase != PHASE_ORPHANED))
        return;
    if (job->phase == PHASE_ORPHANED && !revoked)
        return;
    if (job->done)
        job_queue(core, job);
    else
        job_strike(core, job);
    jobs_free(core, job);
}
