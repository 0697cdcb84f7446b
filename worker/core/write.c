/* worker/core/write.c -- sends one patch at a time and reads its answer: the new view, or what a refusal
 * means (design 12.1). Every patch is locked by the resource version it was decided on. A repeated patch is
 * built anew, since foreign finalizers may have changed. Called by flow.c and the effects. */
#include <string.h>

#include "worker/core/job.h"

unsigned write_meta_needed(const struct job *job, unsigned meta)
{
    const struct view *view = &job->view;
    bool reconcile = strcmp(view->operation, "reconcile") == 0;
    bool operation =
        reconcile || strcmp(view->operation, "migrate") == 0 || strcmp(view->operation, "restore") == 0;
    unsigned needed = 0;

    if ((meta & META_ADD_FINALIZER) && !view->has_finalizer)
        needed |= META_ADD_FINALIZER;
    if ((meta & META_DROP_FINALIZER) && view->has_finalizer)
        needed |= META_DROP_FINALIZER;
    if ((meta & META_DROP_RECONCILE) && reconcile)
        needed |= META_DROP_RECONCILE;
    if ((meta & META_DROP_OPERATION) && operation)
        needed |= META_DROP_OPERATION;
    return needed;
}

static void send_patch(struct worker_core *core)
{
    struct job *job = core->job;
    struct pack body;

    if (job->intending)
        attempts_intend(core);
    pack_open(&body);
    switch (job->writing) {
    case WRITE_META: patch_meta(&body, job, job->writing_meta); break;
    case WRITE_PROCESSING: patch_processing(&body, job, core->now.wall_ms); break;
    case WRITE_STATE: patch_state(&body, job); break;
    case WRITE_ERROR: patch_error(&body, job, core->now.wall_ms); break;
    case WRITE_SUCCEEDED: patch_succeeded(&body, job, core->now.wall_ms); break;
    case WRITE_NONE: break;
    }
    ask_patch(core, job->writing != WRITE_META, &body);
    pack_close(&body);
}

enum progress write_start(struct worker_core *core, enum write_kind kind, unsigned meta)
{
    core->job->writing = kind;
    core->job->writing_meta = meta;
    core->job->conflicts = 0;
    send_patch(core);
    return WAIT;
}

static bool is_same_run(const struct view *a, const struct view *b)
{
    return memcmp(a->trigger, b->trigger, DIGEST_SIZE) == 0 && memcmp(a->last, b->last, DIGEST_SIZE) == 0;
}

/* The object as it is now, after a 409: go on only if nobody else began something. */
static void on_fetched(struct worker_core *core, const struct msg_reply *reply)
{
    struct job *job = core->job;
    struct view fresh = {0};

    if (reply->code == 404) {
        flow_stop(core, JOB_DONE, 0, "the object is gone");
    } else if (reply->code != 200) {
        flow_stop(core, JOB_RETRY, 0, "the object could not be read after a conflict");
    } else if (!view_read(&fresh, reply->object)) {
        flow_stop(core, JOB_RETRY, 0, "the object cannot be understood");
    } else if (!is_same_run(&job->view, &fresh)) {
        view_free(&fresh);
        flow_stop(core, JOB_AGAIN, 0, "the object changed during the run");
    } else {
        view_free(&job->view);
        job->view = fresh;
        send_patch(core);
    }
}

static void on_written(struct worker_core *core, const struct msg_reply *reply)
{
    struct job *job = core->job;

    if (!view_read(&job->view, reply->object)) {
        flow_stop(core, JOB_RETRY, 0, "the answer to a patch cannot be understood");
        return;
    }
    if (job->writing == WRITE_STATE || (job->writing != WRITE_META && job->state.dirty))
        state_stored(&job->state);
    if (!job->ending && job->writing != WRITE_STATE)
        job->step++;
    job->intending = false;
    job->writing = WRITE_NONE;
}

static void on_patched(struct worker_core *core, const struct msg_reply *reply)
{
    struct job *job = core->job;

    if (reply->code >= 200 && reply->code < 300)
        on_written(core, reply);
    else if (reply->code == 404)
        flow_stop(core, JOB_DONE, 0, "the object is gone");
    else if (reply->code == 409 && ++job->conflicts > CONFLICTS_MAX)
        flow_stop(core, JOB_AGAIN, 0, "the object changes too fast");
    else if (reply->code == 409)
        ask_fetch(core);
    else
        flow_stop(core, JOB_RETRY, 0, "a patch was refused or got no answer");
}

void write_reply(struct worker_core *core, const struct msg_reply *reply)
{
    struct job *job = core->job;

    if (job->fetch_seq != 0 && reply->seq == job->fetch_seq) {
        job->fetch_seq = 0;
        on_fetched(core, reply);
    } else if (job->patch_seq != 0 && reply->seq == job->patch_seq) {
        job->patch_seq = 0;
        on_patched(core, reply);
    } else {
        core->ignored++;
    }
}
