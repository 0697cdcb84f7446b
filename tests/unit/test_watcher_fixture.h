/* tests/unit/test_watcher_fixture.h -- a watcher core with everything around it faked: what it asks for is
 * kept here, messages pass through the real codec, time moves only when a test says so. Used by the
 * test_watcher_* programs. */
#ifndef TEST_WATCHER_FIXTURE_H
#define TEST_WATCHER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/codec.h"
#include "tests/unit/test_watcher_objects.h"
#include "watcher/core/core.h"
#include "watcher/core/watch_stream.h"

#define FX_MAX       256
#define ME           7u /* the watcher's incarnation and epoch */
#define THE_WORKER   11u
#define OTHER_WORKER 12u
#define THE_GATEWAY  9u
#define PROJECT      "11111111-2222-3333-4444-555555555555"
#define KEY_ID       "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

struct fx_request {
    uint64_t id;
    char method[8], path[600], *body;
    int64_t start_before, end_before;
    bool election, list, answered;
};

struct fx_sent {
    unsigned role;
    uint64_t to;
    msgpack_sbuffer frame;
    struct message message; /* borrows from frame */
    bool taken;
};

struct fx {
    struct watcher_core *core;
    struct instant now;
    struct fx_request requests[FX_MAX];
    unsigned n_requests;
    struct fx_sent sent[FX_MAX];
    unsigned n_sent;
    char watch[600], lease_watch[600];
    unsigned watches, unwatches;
    bool streams; /* the server knows streaming lists (kubernetes 2.6) */
};

static inline void fx_send(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                           const struct envelope *envelope)
{
    struct fx *fx = ctx;
    struct fx_sent *sent = &fx->sent[fx->n_sent++];

    assert_true(fx->n_sent < FX_MAX);
    assert_true(role != SUPERVISOR || to == SUPERVISOR_INCARNATION); /* the bus delivers nothing else */
    sent->role = role;
    sent->to = to;
    msgpack_sbuffer_init(&sent->frame);
    assert_int_equal(msg_encode(envelope, id, body, &sent->frame), 0);
    assert_int_equal(msg_decode(sent->frame.data, sent->frame.size, WATCHER, role, &sent->message), FRAME_OK);
}

static inline void fx_request(void *ctx, const struct watcher_request *request)
{
    struct fx *fx = ctx;
    struct fx_request *r = &fx->requests[fx->n_requests++];

    assert_true(fx->n_requests < FX_MAX);
    r->id = request->id;
    r->start_before = request->start_before;
    r->end_before = request->end_before;
    r->election = request->election;
    r->list = request->list;
    snprintf(r->method, sizeof r->method, "%s", request->method);
    snprintf(r->path, sizeof r->path, "%s", request->path);
    r->body = request->body ? x_strdup(request->body) : NULL;
}

static inline void fx_watch(void *ctx, enum watcher_stream stream, const char *path)
{
    struct fx *fx = ctx;

    if (stream == STREAM_LEASE) {
        snprintf(fx->lease_watch, sizeof fx->lease_watch, "%s", path);
        return;
    }
    snprintf(fx->watch, sizeof fx->watch, "%s", path);
    fx->watches++;
}

static inline void fx_unwatch(void *ctx, enum watcher_stream stream)
{
    if (stream == STREAM_LEASE) {
        ((struct fx *)ctx)->lease_watch[0] = '\0';
        return;
    }
    ((struct fx *)ctx)->unwatches++;
    ((struct fx *)ctx)->watch[0] = '\0';
}

static inline struct fx *fx_new(bool ignore_operation, const char *classes)
{
    struct fx *fx = x_calloc(1, sizeof *fx);
    struct watcher_config config = {.seed = 42,
                                    .incarnation = ME,
                                    .ignore_operation = ignore_operation,
                                    .classes = classes,
                                    .field_manager = "fm"};
    struct watcher_ops ops = {fx, fx_send, fx_request, fx_watch, fx_unwatch};

    log_set_level(LEVEL_ERROR);
    fx->now = (struct instant){.boot_ms = 1000000, .wall_ms = 1800000000000};
    fx->core = watcher_core_new(&config, &ops, fx->now);
    return fx;
}

static inline void fx_free(struct fx *fx)
{
    watcher_core_free(fx->core);
    for (unsigned i = 0; i < fx->n_requests; i++)
        free(fx->requests[i].body);
    for (unsigned i = 0; i < fx->n_sent; i++)
        msgpack_sbuffer_destroy(&fx->sent[i].frame);
    free(fx);
}

/* ---- messages to the core ---- */

/* A server without streaming lists says so when it is asked for one. */
static inline void fx_refuse_stream(struct fx *fx)
{
    static const char refusal[] =
        "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Invalid\",\"code\":422}";

    if (fx->streams || !strstr(fx->watch, "sendInitialEvents"))
        return;
    fx->watch[0] = '\0';
    fx->watches--;
    watcher_core_watch_ended(fx->core, STREAM_OBJECTS, 422, refusal, sizeof refusal - 1, -1, fx->now);
}

static inline void fx_say(struct fx *fx, unsigned role, uint64_t from, enum msg_id id, const void *body,
                          uint64_t epoch, uint64_t deadline_ms)
{
    struct envelope envelope = {
        .from = from, .to = ME, .correlation = 77, .epoch = epoch, .deadline_ms = deadline_ms};
    struct message message;
    msgpack_sbuffer frame;

    msgpack_sbuffer_init(&frame);
    assert_int_equal(msg_encode(&envelope, id, body, &frame), 0);
    assert_int_equal(msg_decode(frame.data, frame.size, role, WATCHER, &message), FRAME_OK);
    watcher_core_message(fx->core, role, from, &message, fx->now);
    fx_refuse_stream(fx);
    msgpack_sbuffer_destroy(&frame);
}

static inline void fx_peer(struct fx *fx, unsigned role, uint64_t incarnation)
{
    struct msg_peer body = {.role = role, .slot = 0, .incarnation = incarnation, .pid = 100 + incarnation};

    fx_say(fx, SUPERVISOR, 0, MSG_PEER, &body, 0, 0);
}

static inline void fx_gone(struct fx *fx, uint64_t incarnation)
{
    struct msg_peer_gone body = {.incarnation = incarnation};

    fx_say(fx, SUPERVISOR, 0, MSG_PEER_GONE, &body, 0, 0);
}

static inline void fx_idle(struct fx *fx, uint64_t worker)
{
    struct msg_idle body = {.jobs_done = 0};

    fx_say(fx, WORKER, worker, MSG_IDLE, &body, 0, 0);
}

static inline void fx_go(struct fx *fx)
{
    struct msg_go body = {.epoch = ME};

    fx_say(fx, SUPERVISOR, 0, MSG_GO, &body, 0, 0);
}

static inline void fx_tick(struct fx *fx, int64_t ms)
{
    fx->now.boot_ms += ms;
    fx->now.wall_ms += ms;
    watcher_core_tick(fx->core, fx->now);
    fx_refuse_stream(fx);
}

/* ---- what the core has asked for ---- */

/* The first unanswered request whose path contains the text, or NULL. */
static inline struct fx_request *fx_asked(struct fx *fx, const char *method, const char *path)
{
    for (unsigned i = 0; i < fx->n_requests; i++)
        if (!fx->requests[i].answered && !strcmp(fx->requests[i].method, method) &&
            strstr(fx->requests[i].path, path))
            return &fx->requests[i];
    return NULL;
}

/* Of a list the items come one by one, whatever its end; its result has the rest. */
static inline void fx_items(struct fx *fx, const struct fx_request *request, struct watcher_result *result,
                            struct watch_stream *stream)
{
    const char *item;
    size_t len;

    stream->list = true;
    watch_stream_feed(stream, result->body, result->body_len);
    while (watch_stream_next(stream, &item, &len))
        watcher_core_item(fx->core, request->id, item, len, fx->now);
    if (result->fate == KUBE_ANSWERED) {
        result->body = stream->rest;
        result->body_len = stream->rest_len;
    }
}

static inline void fx_result(struct fx *fx, struct fx_request *request, enum watcher_fate fate, int status,
                             const char *body, int64_t retry_after_ms)
{
    struct watcher_result result = {.id = request->id,
                                    .fate = fate,
                                    .status = status,
                                    .body = body,
                                    .body_len = strlen(body),
                                    .retry_after_ms = retry_after_ms,
                                    .detail = "detail"};

    struct watch_stream stream = {0};

    request->answered = true;
    if (request->list && result.body_len && (status == 200 || fate != KUBE_ANSWERED))
        fx_items(fx, request, &result, &stream);
    watcher_core_result(fx->core, &result, fx->now);
    watch_stream_clear(&stream);
    fx_refuse_stream(fx);
}

static inline void fx_answer(struct fx *fx, const char *method, const char *path, int status,
                             const char *body)
{
    struct fx_request *request = fx_asked(fx, method, path);

    assert_non_null(request);
    fx_result(fx, request, KUBE_ANSWERED, status, body, -1);
}

/* The first message of this kind not yet taken, or NULL. */
static inline struct fx_sent *fx_take(struct fx *fx, enum msg_id id)
{
    for (unsigned i = 0; i < fx->n_sent; i++)
        if (!fx->sent[i].taken && fx->sent[i].message.spec->id == id) {
            fx->sent[i].taken = true;
            return &fx->sent[i];
        }
    return NULL;
}

/* ---- objects ---- */

static inline void fx_event(struct fx *fx, const char *type, struct fx_object o)
{
    char *object = fx_json(o);
    char *event = x_asprintf("{\"type\":\"%s\",\"object\":%s}\n", type, object);

    watcher_core_event(fx->core, STREAM_OBJECTS, event, strlen(event), fx->now);
    free(event);
    free(object);
}

static inline void fx_answer_list(struct fx *fx, const char *version, const char *token, unsigned n,
                                  const struct fx_object *objects)
{
    char *list = fx_list(version, token, n, objects);

    fx_answer(fx, "GET", "infrastructures?limit=", 200, list);
    free(list);
}

#define FX_CLUSTER                                                                                           \
    "{\"kind\":\"Cluster\",\"apiVersion\":\"extensions.gardener.cloud/"                                      \
    "v1alpha1\",\"metadata\":{\"name\":\"shoot--a--b\"},"                                                    \
    "\"spec\":{\"cloudProfile\":{},\"shoot\":{\"kind\":\"Shoot\",\"apiVersion\":\"core.gardener.cloud/"      \
    "v1beta1\","                                                                                             \
    "\"metadata\":{\"uid\":\"shoot-uid\"},\"status\":{\"lastOperation\":{\"state\":\"Processing\"}}}}}"
#define FX_CLUSTER_FAILED                                                                                    \
    "{\"kind\":\"Cluster\",\"spec\":{\"shoot\":{\"status\":{\"lastOperation\":{\"state\":\"Failed\"}}}}}"
/* apiToken " token1\n", projectID PROJECT */
#define FX_SECRET                                                                                            \
    "{\"kind\":\"Secret\",\"data\":{\"apiToken\":\"IHRva2VuMQo=\","                                          \
    "\"projectID\":\"MTExMTExMTEtMjIyMi0zMzMzLTQ0NDQtNTU1NTU1NTU1NTU1\"}}"
#define FX_NOT_FOUND "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"code\":404}"

/* GO, an empty first list, the watch running; one idle worker and the gateway. */
static inline struct fx *fx_running(bool ignore_operation)
{
    struct fx *fx = fx_new(ignore_operation, "");

    fx_peer(fx, GATEWAY, THE_GATEWAY);
    fx_peer(fx, WORKER, THE_WORKER);
    fx_go(fx);
    fx_answer_list(fx, "5", "", 0, NULL);
    fx_idle(fx, THE_WORKER);
    return fx;
}

/* The same with one object, whose job is being prepared. */
static inline struct fx *fx_with_object(void)
{
    struct fx *fx = fx_running(false);

    fx_event(fx, "ADDED", (struct fx_object){.version = "10"});
    return fx;
}

/* Its key in the queue, or NULL. */
static inline struct work *fx_work(struct fx *fx)
{
    return queue_find(&fx->core->queue, SPAN("shoot--a--b"), SPAN("infra"));
}

static inline void fx_granted(struct fx *fx, enum outcome outcome, uint64_t wait_ms)
{
    struct fx_sent *grant = fx_take(fx, MSG_GRANT);

    assert_non_null(grant);
    struct msg_granted body = {
        .handle = grant->message.body.grant.handle, .outcome = outcome, .wait_ms = wait_ms};
    fx_say(fx, GATEWAY, THE_GATEWAY, MSG_GRANTED, &body, 0, 0);
}

/* Secret, Cluster, GRANTED, JOB, STARTED for the key under way. Returns the job's id. */
static inline uint64_t fx_run(struct fx *fx)
{
    fx_answer(fx, "GET", "/clusters/", 200, FX_CLUSTER);
    fx_answer(fx, "GET", "/secrets/", 200, FX_SECRET);
    fx_granted(fx, OUTCOME_OK, 0);
    struct fx_sent *job = fx_take(fx, MSG_JOB);
    assert_non_null(job);
    struct msg_started started = {.job = job->message.body.job.job};
    fx_say(fx, WORKER, job->to, MSG_STARTED, &started, 0, 0);
    return started.job;
}

static inline void fx_done(struct fx *fx, uint64_t worker, uint64_t job, enum job_result result,
                           uint64_t after_ms)
{
    struct msg_done body = {.job = job, .result = result, .after_ms = after_ms};

    fx_say(fx, WORKER, worker, MSG_DONE, &body, 0, 0);
    fx_idle(fx, worker);
}

#endif
