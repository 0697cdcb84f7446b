/* worker/core/ask.c -- every message that leaves the core, with its correlation, epoch and deadline. Decides
 * nothing. Called by the flows. */
#include <string.h>

#include "worker/core/job.h"

static struct envelope stamp(struct worker_core *core)
{
    return (struct envelope){.correlation = core->incarnation << 32 | ++core->next_correlation,
                             .epoch = core->job != NULL ? core->job->epoch : core->epoch};
}

static void say(struct worker_core *core, unsigned to, enum msg_id id, const void *body)
{
    struct envelope envelope = stamp(core);

    core->ops.send(core->ops.ctx, to, id, body, &envelope);
}

/* Mutations that follow from an intent: not to be sent when it is used up (design 12.2). */
static void say_until_used_up(struct worker_core *core, enum msg_id id, const void *body)
{
    struct envelope envelope = stamp(core);
    int64_t from_ms = core->job->intent_ms != 0 ? core->job->intent_ms : core->now.boot_ms;

    envelope.deadline_ms = (uint64_t)(from_ms + ATTEMPT_SEND_S * 1000 - SEND_MARGIN_MS);
    core->ops.send(core->ops.ctx, GATEWAY, id, body, &envelope);
}

void ask_idle(struct worker_core *core)
{
    struct msg_idle body = {.jobs_done = core->jobs_done};

    say(core, WATCHER, MSG_IDLE, &body);
}

void ask_search(struct worker_core *core)
{
    struct job *job = core->job;
    struct msg_search body = {.handle = job->handle, .seq = ++core->next_seq};

    if (job->key.present)
        body.key = span_of(job->key.line);
    job->search_seq = body.seq;
    job->found.arrived = false;
    job->found.sent_s = core->now.steady_ms / 1000;
    say(core, GATEWAY, MSG_SEARCH, &body);
}

static struct span shoot_uid(const struct job *job)
{
    return job->shoot_uid[0] != '\0' ? span_of(job->shoot_uid) : (struct span){0};
}

void ask_create(struct worker_core *core)
{
    struct job *job = core->job;
    struct msg_create body = {.handle = job->handle,
                              .seq = ++core->next_seq,
                              .key = span_of(job->key.line),
                              .shoot_uid = shoot_uid(job)};

    job->call = CALL_CREATE;
    job->call_seq = body.seq;
    job->call_id[0] = '\0';
    job->creates++;
    say_until_used_up(core, MSG_CREATE, &body);
}

void ask_update(struct worker_core *core, enum call_kind kind, const struct found_key *key)
{
    struct job *job = core->job;
    struct msg_update body = {.handle = job->handle,
                              .seq = ++core->next_seq,
                              .id = span_of(key->id),
                              .relabel = !key->label,
                              .retag = key->owner != OWNER_US,
                              .shoot_uid = shoot_uid(job)};

    if (kind == CALL_ROTATE)
        body.key = span_of(job->key.line);
    job->call = kind;
    job->call_seq = body.seq;
    memcpy(job->call_id, key->id, sizeof job->call_id);
    say_until_used_up(core, MSG_UPDATE, &body);
}

void ask_remove(struct worker_core *core, const char *id)
{
    struct job *job = core->job;
    struct msg_remove body = {.handle = job->handle, .seq = ++core->next_seq, .id = span_of(id)};

    job->call = CALL_REMOVE;
    job->call_seq = body.seq;
    span_copy(span_of(id), job->call_id, sizeof job->call_id);
    say(core, GATEWAY, MSG_REMOVE, &body);
}

void ask_patch(struct worker_core *core, bool status, const struct pack *body)
{
    struct job *job = core->job;
    struct msg_patch patch = {.job = job->id,
                              .seq = ++core->next_seq,
                              .target = status ? PATCH_STATUS : PATCH_META,
                              .resource_version = span_of(job->view.resource_version),
                              .body = pack_result(body)};

    job->patch_seq = patch.seq;
    say(core, WATCHER, MSG_PATCH, &patch);
}

void ask_fetch(struct worker_core *core)
{
    struct msg_fetch body = {.job = core->job->id, .seq = ++core->next_seq};

    core->job->fetch_seq = body.seq;
    say(core, WATCHER, MSG_FETCH, &body);
}

void ask_note(struct worker_core *core, bool warning, const char *reason, const char *message)
{
    struct msg_note body = {
        .job = core->job->id, .warning = warning, .reason = span_of(reason), .message = span_of(message)};

    say(core, WATCHER, MSG_NOTE, &body);
}

void ask_done(struct worker_core *core)
{
    struct job *job = core->job;

    job->done.job = job->id;
    if (job->summary[0] != '\0')
        job->done.summary = span_of(job->summary);
    if (job->absent_since > 0 && job->done.result == JOB_LATER)
        job->done.absent_since = (uint64_t)job->absent_since;
    say(core, WATCHER, MSG_DONE, &job->done);
}
