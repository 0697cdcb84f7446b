/* watcher/core/requests.c -- the HTTP requests under way: whom their answers belong to, and which are sent
 * again. Owns them until their answer. Called by reflector.c, prepare.c, writes.c,
 * notes.c, watcher.c. */
#include <stdlib.h>

#include "base/alloc.h"
#include "watcher/core/core.h"

#define RETRIES_MAX        10 /* after 429 or 5xx with Retry-After (kubernetes 49) */
#define RETRY_AFTER_CAP_MS 30000
#define READ_TRIES_MAX     3 /* a read without an answer (kubernetes 50) */
#define READ_AGAIN_MS      1000

static const char *const methods[] = {
    [CALL_LIST] = "GET",    [CALL_SECRET] = "GET", [CALL_CLUSTER] = "GET", [CALL_OBJECT] = "GET",
    [CALL_PATCH] = "PATCH", [CALL_FETCH] = "GET",  [CALL_NOTE] = "POST",
};

static const char *content_type(const struct call *call)
{
    if (!call->body)
        return NULL;
    return call->kind == CALL_PATCH ? "application/merge-patch+json" : "application/json";
}

static void send_call(struct watcher_core *core, struct call *call)
{
    struct watcher_request request = {
        .id = call->id,
        .method = methods[call->kind],
        .path = call->path,
        .content_type = content_type(call),
        .body = call->body,
        .once = call->kind == CALL_NOTE,
        .start_before = call->start_before,
    };

    call->resend_ms = 0;
    call->tries++;
    core->ops.request(core->ops.ctx, &request);
}

struct call *requests_start(struct watcher_core *core, enum call_kind kind, struct job *job, char *path,
                            char *body, int64_t start_before)
{
    struct call *call = x_calloc(1, sizeof *call);

    *call = (struct call){.next = core->requests,
                          .id = ++core->next_id,
                          .kind = kind,
                          .job = job,
                          .path = path,
                          .body = body,
                          .start_before = start_before};
    core->requests = call;
    send_call(core, call);
    return call;
}

static void call_free(struct call *call)
{
    free(call->path);
    free(call->body);
    free(call);
}

/* How long until it is sent again, or -1. Only what a worker waits for is repeated here: a list has the
 * reflector's backoff, the reads before a job the queue's. A PATCH is locked by its version, so a second
 * arrival ends in 409 (kubernetes 42). */
static int64_t again_in(struct watcher_core *core, const struct call *call,
                        const struct watcher_result *result)
{
    bool busy = result->status == 429 || result->status >= 500;

    if ((call->kind != CALL_PATCH && call->kind != CALL_FETCH) || !call->job ||
        call->job->phase != PHASE_RUNNING)
        return -1;
    if (result->fate == KUBE_ANSWERED && busy && result->retry_after_ms >= 0 && call->tries <= RETRIES_MAX) {
        int64_t wait =
            result->retry_after_ms < RETRY_AFTER_CAP_MS ? result->retry_after_ms : RETRY_AFTER_CAP_MS;

        return wait + (int64_t)hash_random_below(&core->random, (uint64_t)wait / 10 + 1);
    }
    if (call->kind == CALL_FETCH && (result->fate == KUBE_NOT_SENT || result->fate == KUBE_LOST) &&
        call->tries < READ_TRIES_MAX)
        return READ_AGAIN_MS + (int64_t)hash_random_below(&core->random, READ_AGAIN_MS / 10);
    return -1;
}

static void deliver(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    switch (call->kind) {
    case CALL_LIST: reflector_listed(core, call, result); break;
    case CALL_SECRET:
    case CALL_CLUSTER:
    case CALL_OBJECT:
        if (call->job)
            prepare_read(core, call, result);
        break;
    case CALL_PATCH:
    case CALL_FETCH: writes_answer(core, call, result); break;
    case CALL_NOTE: notes_answer(core, result); break;
    }
}

void requests_result(struct watcher_core *core, const struct watcher_result *result)
{
    struct call **link = &core->requests, *call;

    while (*link && (*link)->id != result->id)
        link = &(*link)->next;
    call = *link;
    if (!call || call->resend_ms)
        return;
    int64_t wait = again_in(core, call, result);
    if (wait >= 0) {
        call->resend_ms = core->now.boot_ms + wait;
        return;
    }
    *link = call->next;
    deliver(core, call, result);
    call_free(call);
}

/* A write that is under way stays the job's until its answer is here (design 2: nothing sent on its behalf is
 * open). */
void requests_detach(struct watcher_core *core, struct job *job)
{
    struct call **link = &core->requests;

    while (*link) {
        struct call *call = *link;

        if (call->job == job && call->resend_ms) {
            *link = call->next;
            job->open -= call->kind == CALL_PATCH;
            call_free(call);
            continue;
        }
        if (call->job == job && call->kind != CALL_PATCH)
            call->job = NULL;
        link = &call->next;
    }
}

void requests_tick(struct watcher_core *core)
{
    for (struct call *call = core->requests; call; call = call->next)
        if (call->resend_ms && call->resend_ms <= core->now.boot_ms)
            send_call(core, call);
}

int64_t requests_next_ms(const struct watcher_core *core)
{
    int64_t next = INT64_MAX;

    for (const struct call *call = core->requests; call; call = call->next)
        if (call->resend_ms && call->resend_ms < next)
            next = call->resend_ms;
    return next;
}

void requests_close(struct watcher_core *core)
{
    while (core->requests) {
        struct call *call = core->requests;

        core->requests = call->next;
        call_free(call);
    }
}
