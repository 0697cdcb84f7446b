/* watcher/core/jobs.c -- which worker works on which key, from the queue to the end of the job. Owns the
 * jobs. A key is handed back to the queue only when nothing sent on its behalf is open (design 2, 12.1).
 * Called by watcher.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define REVOKE_AGAIN_MS 1000

/* A job that goes on for so long has lost its worker's attention; the worker's own answer to a long job comes
 * far earlier (design 12.7). */
#define JOB_LOST_MS (2 * JOB_WALL_MS)

void jobs_log(enum log_level level, const struct job *job, const char *msg, const char *detail)
{
    char ns[LIMIT_NAME + 1];

    span_copy(work_ns(job->work), ns, sizeof ns);
    log_write(level, msg,
              log_fields_(F_STR("namespace", ns), F_STR("name", work_name(job->work).p),
                          F_INT("job", job->id), F_STR("detail", detail)),
              4);
}

void jobs_phase(struct watcher_core *core, struct job *job, enum job_phase phase, int64_t within_ms)
{
    job->phase = phase;
    job->deadline_ms = within_ms < 0 ? INT64_MAX : core->now.boot_ms + within_ms;
}

/* ---- beginning ---- */

static struct worker_slot *idle_worker(struct watcher_core *core)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (core->workers[i].incarnation && core->workers[i].idle && !core->workers[i].job)
            return &core->workers[i];
    return NULL;
}

static void job_begin(struct watcher_core *core, struct work *work, struct worker_slot *worker)
{
    struct job *job = x_calloc(1, sizeof *job);

    *job = (struct job){.next = core->jobs,
                        .id = ++core->next_job,
                        .work = work,
                        .worker = worker,
                        .began_ms = core->now.boot_ms,
                        .check = work->priority == PRIORITY_PERIODIC,
                        .secret = -1};
    pack_open(&job->object);
    pack_open(&job->fresh);
    if (work->body) {
        pack_write(&job->object.out, work->body, work->body_len);
        queue_stale(&core->queue, work);
    }
    core->jobs = job;
    worker->job = job;
    jobs_phase(core, job, PHASE_PREPARING, -1);
    prepare_start(core, job);
}

void jobs_pump(struct watcher_core *core)
{
    struct worker_slot *worker;
    struct work *work;

    if (!core->leading || !core->gateway || core->draining || core->held)
        return;
    while ((worker = idle_worker(core)) && (work = queue_take(&core->queue, core->now.boot_ms)))
        job_begin(core, work, worker);
}

void jobs_send(struct watcher_core *core, struct job *job)
{
    struct value whole = pack_result(&job->object);
    struct span ns = work_ns(job->work), name = work_name(job->work);
    struct known *known = cache_find(&core->cache, ns, name);
    struct msg_job body = {
        .job = job->id,
        .ns = ns,
        .name = name,
        .handle = job->handle,
        .object = whole,
        .secret = (uint64_t)job->secret,
        .secret_name = span_of(job->secret_name),
        .project = span_of(job->project),
        .shoot_uid = span_of(job->cluster.shoot_uid),
        .force_delete = job->cluster.force_delete,
        .absent_since = job->work->absent_since,
        .terraform_key = span_of(job->terraform),
        .check = job->check,
    };
    struct object object;

    if (known && !object_read(whole, &object) && known->uid == object_uid_hash(&core->hash, &object)) {
        known->rule = object_rule_hash(&core->hash, &object);
        known->flags |= KNOWN_ACTED;
    }
    job->worker->idle = false;
    core->jobs_started++;
    jobs_phase(core, job, PHASE_SENT, STARTED_DEADLINE_MS);
    core_send(core, WORKER, job->worker->incarnation, MSG_JOB, &body, 0);
}

/* ---- what workers and the supervisor say ---- */

static struct worker_slot *slot_of(struct watcher_core *core, uint64_t incarnation)
{
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (core->workers[i].incarnation == incarnation)
            return &core->workers[i];
    return NULL;
}

struct job *jobs_find(struct watcher_core *core, uint64_t worker, uint64_t id)
{
    struct worker_slot *slot = worker ? slot_of(core, worker) : NULL;

    return slot && slot->job && slot->job->id == id ? slot->job : NULL;
}

static struct job *job_of_key(struct watcher_core *core, struct span ns, struct span name)
{
    for (struct job *job = core->jobs; job; job = job->next)
        if (span_same(work_ns(job->work), ns) && span_same(work_name(job->work), name))
            return job;
    return NULL;
}

bool jobs_news(struct watcher_core *core, struct span ns, struct span name)
{
    struct job *job = core->jobs ? job_of_key(core, ns, name) : NULL;

    if (!job || job->phase != PHASE_PREPARING)
        return false;
    job->stale = true;
    return true;
}

bool jobs_under_way(struct watcher_core *core, struct span ns, struct span name)
{
    return core->jobs && job_of_key(core, ns, name);
}

bool jobs_expect(struct watcher_core *core, struct span ns, struct span name, uint64_t rule)
{
    struct job *job = core->jobs ? job_of_key(core, ns, name) : NULL;

    return job && job->expected_rule && job->expected_rule == rule;
}

void jobs_worker_up(struct watcher_core *core, uint64_t incarnation)
{
    struct worker_slot *slot = slot_of(core, incarnation);

    if (!slot)
        slot = slot_of(core, 0);
    if (slot && !slot->incarnation)
        *slot = (struct worker_slot){.incarnation = incarnation};
}

void jobs_worker_gone(struct watcher_core *core, const struct msg_peer_gone *gone)
{
    struct worker_slot *slot = gone->incarnation ? slot_of(core, gone->incarnation) : NULL;
    struct job *job = slot ? slot->job : NULL;

    if (!slot)
        return;
    *slot = (struct worker_slot){0};
    if (!job)
        return;
    job->worker = NULL;
    requests_detach(core, job);
    if (job->phase == PHASE_PREPARING) {
        jobs_give_back(core, job, 0);
        return;
    }
    job->blameless = gone->blameless != 0;
    span_copy(gone->cause, job->cause, sizeof job->cause);
    /* In GRANTING the worker had not seen the job: not the object's fault. */
    if (job->phase == PHASE_GRANTING) {
        job->done = true;
        job->result = (struct msg_done){.result = JOB_LATER, .absent_since = job->work->absent_since};
    }
    jobs_phase(core, job, PHASE_ORPHANED, REVOKE_AGAIN_MS);
    grants_revoke(core, job);
    jobs_settle(core, job);
}

void jobs_idle(struct watcher_core *core, uint64_t worker)
{
    struct worker_slot *slot = worker ? slot_of(core, worker) : NULL;

    if (slot)
        slot->idle = true;
}

void jobs_started(struct watcher_core *core, uint64_t worker, uint64_t id)
{
    struct job *job = jobs_find(core, worker, id);

    if (job && job->phase == PHASE_SENT)
        jobs_phase(core, job, PHASE_RUNNING, JOB_LOST_MS);
}

void jobs_done(struct watcher_core *core, uint64_t worker, const struct msg_done *done)
{
    struct job *job = jobs_find(core, worker, done->job);
    char summary[LIMIT_TEXT + 1] = "";

    if (!job || (job->phase != PHASE_SENT && job->phase != PHASE_RUNNING))
        return;
    job->result = *done;
    job->done = true;
    bool failed = done->result == JOB_RETRY || done->result == JOB_HELD;
    span_copy(done->summary, summary, sizeof summary);
    explain_note(core, job, worker, job_result_name(done->result), summary);
    if (!failed || core_worth_a_line(job->work->failures + 1))
        jobs_log(LEVEL_DEBUG, job, failed ? "job failed" : "job ended", summary);
    job->result.summary = (struct span){0};
    grants_revoke(core, job);
    jobs_phase(core, job, PHASE_ENDING, -1);
    job->worker->job = NULL;
    job->worker = NULL;
    jobs_settle(core, job);
}

/* ---- time ---- */

static void end_worker(struct watcher_core *core, struct job *job, struct span reason)
{
    struct msg_end_worker body = {.incarnation = job->worker->incarnation, .reason = reason};

    job->deadline_ms = INT64_MAX;
    if (job->end_asked)
        return;
    job->end_asked = true;
    jobs_log(LEVEL_WARN, job, "ending the worker", reason.p);
    core_send(core, SUPERVISOR, SUPERVISOR_INCARNATION, MSG_END_WORKER, &body, 0);
}

static void job_late(struct watcher_core *core, struct job *job)
{
    switch (job->phase) {
    case PHASE_SENT: end_worker(core, job, SPAN("did not take its job in time")); break;
    case PHASE_RUNNING: end_worker(core, job, SPAN("did not end its job")); break;
    case PHASE_GRANTING: /* the gateway does not answer: the worker is free for other keys meanwhile */
        grants_revoke(core, job);
        jobs_give_back(core, job, -1);
        break;
    case PHASE_ORPHANED:
        jobs_phase(core, job, PHASE_ORPHANED, REVOKE_AGAIN_MS);
        grants_revoke(core, job);
        break;
    case PHASE_PREPARING:
    case PHASE_ENDING: break;
    }
}

void jobs_tick(struct watcher_core *core)
{
    for (struct job *job = core->jobs, *next; job; job = next) {
        next = job->next;
        if (job->deadline_ms <= core->now.boot_ms)
            job_late(core, job);
    }
}

int64_t jobs_next_ms(const struct watcher_core *core)
{
    int64_t next = INT64_MAX;
    bool room = core->leading && core->gateway && !core->draining && !core->held;

    for (const struct job *job = core->jobs; job; job = job->next)
        if (job->deadline_ms < next)
            next = job->deadline_ms;
    for (unsigned i = 0; room && i < WORKERS_MAX; i++)
        if (core->workers[i].incarnation && core->workers[i].idle && !core->workers[i].job) {
            int64_t due = queue_next_ms(&core->queue);

            return due < next ? due : next;
        }
    return next;
}

void jobs_close(struct watcher_core *core)
{
    while (core->jobs) {
        struct job *job = core->jobs;

        job->worker = NULL;
        job->work->dirty = false;
        jobs_free(core, job);
    }
}
