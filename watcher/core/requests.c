/* watcher/core/requests.c -- the HTTP requests under way: whom their answers belong to, and which are sent
 * again. Owns them until their answer. Called by reflector.c, prepare.c, writes.c,
 * notes.c, election.c, heartbeat.c, watcher.c. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/blackbox.h"
#include "watcher/core/core.h"

#define RETRIES_MAX        10 /* after 429 or 5xx with Retry-After (kubernetes 49) */
#define RETRY_AFTER_CAP_MS 30000
#define READ_TRIES_MAX     3 /* a read without an answer (kubernetes 50) */
#define READ_AGAIN_MS      1000

/* led: only the leader may do it. The election itself is older than any leadership. */
static const struct {
    const char *method;
    bool led, election;
} kinds[] = {
    [CALL_LIST] = {"GET", false, false},         [CALL_SECRET] = {"GET", false, false},
    [CALL_CLUSTER] = {"GET", false, false},      [CALL_OBJECT] = {"GET", false, false},
    [CALL_PATCH] = {"PATCH", true, false},       [CALL_FETCH] = {"GET", false, false},
    [CALL_QUARANTINE] = {"PATCH", true, false},  [CALL_NOTE] = {"POST", true, false},
    [CALL_NOTE_AGAIN] = {"PATCH", true, false},  [CALL_LEASE_READ] = {"GET", false, true},
    [CALL_LEASE_CREATE] = {"POST", false, true}, [CALL_LEASE_UPDATE] = {"PUT", false, true},
    [CALL_BEAT_READ] = {"GET", false, false},    [CALL_BEAT_CREATE] = {"POST", true, false},
    [CALL_BEAT_PATCH] = {"PATCH", true, false},  [CALL_EXPLAIN] = {"GET", false, false},
};

static const char *content_type(const struct call *call)
{
    if (!call->body)
        return NULL;
    return kinds[call->kind].method[1] == 'A' ? "application/merge-patch+json" : "application/json";
}

/* The end of the leadership is asked for each time it is sent: it moves with every renewal. */
static void send_call(struct watcher_core *core, struct call *call)
{
    int64_t write_until = kinds[call->kind].led ? election_write_until(core) : INT64_MAX;
    int64_t end_until = kinds[call->kind].led ? election_end_until(core) : INT64_MAX;
    struct watcher_request request = {
        .id = call->id,
        .method = kinds[call->kind].method,
        .path = call->path,
        .content_type = content_type(call),
        .body = call->body,
        .once = kinds[call->kind].method[1] == 'O',
        .fresh = call->fresh,
        .list = call->kind == CALL_LIST,
        .election = kinds[call->kind].election,
        .secret = call->kind == CALL_SECRET,
        .start_before = call->start_before < write_until ? call->start_before : write_until,
        .end_before = call->end_before < end_until ? call->end_before : end_until,
    };

    call->resend_ms = 0;
    call->tries++;
    core->ops.request(core->ops.ctx, &request);
}

static struct call *start(struct watcher_core *core, const struct call *wanted)
{
    struct call *call = x_calloc(1, sizeof *call);

    *call = *wanted;
    call->next = core->requests;
    call->id = ++core->next_id;
    core->requests = call;
    send_call(core, call);
    return call;
}

struct call *requests_start(struct watcher_core *core, enum call_kind kind, struct job *job, char *path,
                            char *body, int64_t start_before)
{
    return start(core, &(struct call){.kind = kind,
                                      .job = job,
                                      .path = path,
                                      .body = body,
                                      .start_before = start_before,
                                      .end_before = INT64_MAX});
}

struct call *requests_start_until(struct watcher_core *core, enum call_kind kind, char *path, char *body,
                                  int64_t end_before, bool fresh)
{
    return start(core, &(struct call){.kind = kind,
                                      .path = path,
                                      .body = body,
                                      .start_before = end_before,
                                      .end_before = end_before,
                                      .fresh = fresh});
}

static void call_free(struct call *call)
{
    free(call->about);
    free(call->path);
    free(call->body);
    free(call);
}

const char *requests_error(const struct watcher_result *result, struct kube_status *status)
{
    struct text body = {.p = result->body, .len = result->body_len};

    if (result->fate != KUBE_ANSWERED)
        return result->detail && *result->detail ? result->detail : "no answer";
    status_read(result->status, body, status);
    return status->message;
}

/* How long until it is sent again, or -1. Only what a worker waits for is repeated here: a list has the
 * reflector's backoff, the reads before a job the queue's. A PATCH is locked by its version, so a second
 * arrival ends in 409 (kubernetes 42). */
static int64_t again_in(struct watcher_core *core, const struct call *call,
                        const struct watcher_result *result)
{
    bool busy = result->status == 429 || result->status >= 500;

    if (call->kind == CALL_NOTE || call->kind == CALL_NOTE_AGAIN)
        return notes_again_in(core, call, result);

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
    case CALL_QUARANTINE: quarantine_answer(core, call, result); break;
    case CALL_NOTE:
    case CALL_NOTE_AGAIN: notes_answer(core, call, result); break;
    case CALL_EXPLAIN: explain_read(core, call, result); break;
    case CALL_LEASE_READ:
    case CALL_LEASE_CREATE:
    case CALL_LEASE_UPDATE: election_result(core, result); break;
    case CALL_BEAT_READ:
    case CALL_BEAT_CREATE:
    case CALL_BEAT_PATCH: heartbeat_answer(core, call, result); break;
    }
}

void requests_item(struct watcher_core *core, uint64_t id, struct text item)
{
    for (const struct call *call = core->requests; call; call = call->next)
        if (call->id == id && call->kind == CALL_LIST)
            reflector_item(core, call, item);
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
    if (call->job || call->about)
        blackbox_about(call->about ? call->about : call->job->work->key, "reading an answer");
    deliver(core, call, result);
    blackbox_about("", "");
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
