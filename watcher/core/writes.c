/* watcher/core/writes.c -- carries out PATCH and FETCH of workers: checks whose job it is and what is
 * patched, adds the lock, hands the answer back. Never decides what to write. Called by watcher.c,
 * requests.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/convert.h"
#include "watcher/core/core.h"

static void reply(struct watcher_core *core, const struct job *job, const struct call *call, unsigned code,
                  const char *reason, const char *message, struct value object)
{
    struct msg_reply body = {
        .job = job->id,
        .seq = call->seq,
        .code = code,
        .reason = span_of(reason),
        .message = span_of(message),
        .object = object,
    };

    if (job->worker)
        core_send(core, WORKER, job->worker->incarnation, MSG_REPLY, &body, call->correlation);
}

static void refuse(struct watcher_core *core, const struct job *job, const struct message *message,
                   uint64_t seq, const char *reason, const char *why)
{
    struct call as_if = {.seq = seq, .correlation = message->envelope.correlation};

    core->refused++;
    log_warn("refused a worker's request", F_STR("key", job->work->key), F_INT("job", job->id),
             F_STR("reason", reason), F_STR("why", why));
    reply(core, job, &as_if, 0, reason, why, (struct value){0});
}

/* The rule hash that a PATCH brings about, so that its event is known for an echo even when it overtakes the
 * answer (design 12.14). 0 when the patch does not touch it. */
static uint64_t rule_after(struct watcher_core *core, const struct msg_patch *patch,
                           const struct object *object)
{
    struct object after = *object;

    if (patch->target == PATCH_STATUS || !allow_removes_operation(patch->body))
        return 0;
    after.operation = (struct span){0};
    return object_rule_hash(&core->hash, &after);
}

bool writes_fenced(const struct watcher_core *core, const struct message *message)
{
    uint64_t deadline = message->envelope.deadline_ms;

    return !core->leading || message->envelope.epoch != core->epoch ||
           (deadline && deadline <= (uint64_t)core->now.boot_ms);
}

void writes_patch(struct watcher_core *core, uint64_t worker, const struct message *message)
{
    const struct msg_patch *patch = &message->body.patch;
    struct job *job = jobs_find(core, worker, patch->job);
    struct object object;
    const char *why;
    char *body;

    if (!job || (job->phase != PHASE_SENT && job->phase != PHASE_RUNNING))
        return;
    if (writes_fenced(core, message)) {
        refuse(core, job, message, patch->seq, "Fenced", "the epoch or the deadline of this write is over");
        return;
    }
    if (job->open || object_read(pack_result(&job->object), &object) ||
        !span_same(patch->resource_version, object.version)) {
        refuse(core, job, message, patch->seq, "NotAllowed", "not based on the version this job saw last");
        return;
    }
    why = allow_patch(patch->target, patch->body, &object);
    body = why ? NULL : convert_patch(patch->body, patch->resource_version);
    if (!body) {
        refuse(core, job, message, patch->seq, "NotAllowed", why ? why : "the body cannot be said in JSON");
        return;
    }
    char *path =
        prepare_object_path(job, patch->target == PATCH_STATUS ? "/status?fieldManager=" : "?fieldManager=");
    char *whole = x_asprintf("%s%s", path, core->field_manager);
    uint64_t deadline = message->envelope.deadline_ms;
    free(path);
    jobs_phase(core, job, PHASE_RUNNING, job->deadline_ms == INT64_MAX ? -1 : 2 * JOB_WALL_MS);
    job->expected_rule = rule_after(core, patch, &object);
    job->open++;
    struct call *call =
        requests_start(core, CALL_PATCH, job, whole, body, deadline ? (int64_t)deadline : INT64_MAX);
    call->seq = patch->seq;
    call->correlation = message->envelope.correlation;
}

void writes_fetch(struct watcher_core *core, uint64_t worker, const struct message *message)
{
    struct job *job = jobs_find(core, worker, message->body.fetch.job);

    if (!job || (job->phase != PHASE_SENT && job->phase != PHASE_RUNNING))
        return;
    struct call *call = requests_start(core, CALL_FETCH, job, prepare_object_path(job, ""), NULL, INT64_MAX);
    call->seq = message->body.fetch.seq;
    call->correlation = message->envelope.correlation;
}

/* The answer of a write of ours is the newest version there is: its event will be an echo. */
static void remember_own(struct watcher_core *core, const struct job *job, const struct object *object)
{
    struct known *known = cache_find(&core->cache, object->ns, object->name);

    if (!known || known->uid != object_uid_hash(&core->hash, object))
        return;
    known->rule = object_rule_hash(&core->hash, object);
    known->status = object_status_hash(&core->hash, object);
    known->generation = (uint32_t)object->generation;
    known->flags |= KNOWN_ACTED;
    ahead_note(core, job->work->key, object->version);
}

void writes_own(struct watcher_core *core, struct job *job, struct text body)
{
    struct object object;

    if (!convert_object(body, &job->fresh) && !object_read(pack_result(&job->fresh), &object) &&
        span_same(object.ns, work_ns(job->work)) && span_same(object.name, work_name(job->work)))
        remember_own(core, job, &object);
}

static bool same_key(const struct job *job, const struct object *object)
{
    return span_same(object->ns, work_ns(job->work)) && span_same(object->name, work_name(job->work));
}

static void answer_ok(struct watcher_core *core, struct job *job, const struct call *call, int code,
                      struct text body)
{
    struct object object;

    if (convert_object(body, &job->fresh) || object_read(pack_result(&job->fresh), &object) ||
        !same_key(job, &object)) {
        reply(core, job, call, 0, "Unreadable", "the server's answer cannot be read", (struct value){0});
        return;
    }
    if (call->kind == CALL_PATCH)
        remember_own(core, job, &object);
    else
        ahead_note(core, job->work->key, object.version);
    /* the buffers alone: a packer points to the one beside it */
    msgpack_sbuffer old = job->object.out;
    job->object.out = job->fresh.out;
    job->fresh.out = old;
    reply(core, job, call, (unsigned)code, "", "", pack_result(&job->object));
}

void writes_answer(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    static const char *const fates[] = {
        [KUBE_ANSWERED] = "", [KUBE_NOT_SENT] = "NotSent", [KUBE_LOST] = "Lost", [KUBE_FENCED] = "Fenced"};
    struct text body = {.p = result->body, .len = result->body_len};
    struct job *job = call->job;
    struct kube_status status;

    if (!job)
        return;
    if (call->kind == CALL_PATCH) {
        job->open--;
        job->expected_rule = 0;
    }
    if (result->fate != KUBE_ANSWERED) {
        reply(core, job, call, 0, fates[result->fate], result->detail ? result->detail : "",
              (struct value){0});
    } else if (result->status / 100 == 2) {
        answer_ok(core, job, call, result->status, body);
    } else {
        status_read(result->status, body, &status);
        reply(core, job, call, (unsigned)status.code, status.reason, status.message, (struct value){0});
    }
    jobs_settle(core, job);
}
