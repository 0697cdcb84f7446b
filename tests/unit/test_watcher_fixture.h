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
#include "watcher/core/core.h"

#define FX_MAX       256
#define ME           7u /* the watcher's incarnation and epoch */
#define THE_WORKER   11u
#define OTHER_WORKER 12u
#define THE_GATEWAY  9u
#define UID          "6f0c2c4e-5a0f-4a7c-9d6e-0a1b2c3d4e5f"
#define PROJECT      "11111111-2222-3333-4444-555555555555"
#define KEY_ID       "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

struct fx_request {
    uint64_t id;
    char method[8], path[600], *body;
    int64_t start_before, end_before;
    bool election, answered;
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

    request->answered = true;
    watcher_core_result(fx->core, &result, fx->now);
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

struct fx_object {
    const char *ns, *name, *uid, *version, *operation, *timestamp, *deletion, *status, *type, *spec;
    const char *finalizers; /* JSON */
    int generation;
};

/* Fills in what was not given. Caller frees. */
static inline char *fx_json(struct fx_object o)
{
    char annotations[300] = "", deletion[100] = "";

    if (o.operation && o.timestamp)
        snprintf(annotations, sizeof annotations,
                 ",\"annotations\":{\"gardener.cloud/operation\":\"%s\",\"gardener.cloud/timestamp\":\"%s\"}",
                 o.operation, o.timestamp);
    else if (o.operation)
        snprintf(annotations, sizeof annotations, ",\"annotations\":{\"gardener.cloud/operation\":\"%s\"}",
                 o.operation);
    else if (o.timestamp)
        snprintf(annotations, sizeof annotations, ",\"annotations\":{\"gardener.cloud/timestamp\":\"%s\"}",
                 o.timestamp);
    if (o.deletion)
        snprintf(deletion, sizeof deletion, ",\"deletionTimestamp\":\"%s\"", o.deletion);
    return x_asprintf(
        "{\"apiVersion\":\"extensions.gardener.cloud/v1alpha1\",\"kind\":\"Infrastructure\",\"metadata\":{"
        "\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"%s\",\"resourceVersion\":\"%s\",\"generation\":%d%s%"
        "s%s%s,"
        "\"managedFields\":[{\"manager\":\"kubectl\"}]},"
        "\"spec\":{\"type\":\"%s\",\"region\":\"ewr1\",\"secretRef\":{\"name\":\"cloudprovider\","
        "\"namespace\":\"%s\"}%s}"
        "%s%s}",
        o.name ? o.name : "infra", o.ns ? o.ns : "shoot--a--b", o.uid ? o.uid : UID,
        o.version ? o.version : "10", o.generation ? o.generation : 1, annotations, deletion,
        o.finalizers ? ",\"finalizers\":" : "", o.finalizers ? o.finalizers : "", o.type ? o.type : "packet",
        o.ns ? o.ns : "shoot--a--b", o.spec ? o.spec : "", o.status ? ",\"status\":" : "",
        o.status ? o.status : "");
}

static inline void fx_event(struct fx *fx, const char *type, struct fx_object o)
{
    char *object = fx_json(o);
    char *event = x_asprintf("{\"type\":\"%s\",\"object\":%s}\n", type, object);

    watcher_core_event(fx->core, STREAM_OBJECTS, event, strlen(event), fx->now);
    free(event);
    free(object);
}

/* Caller frees. */
static inline char *fx_list(const char *version, const char *token, unsigned n,
                            const struct fx_object *objects)
{
    char *list =
        x_asprintf("{\"kind\":\"InfrastructureList\",\"apiVersion\":\"extensions.gardener.cloud/v1alpha1\","
                   "\"metadata\":{\"resourceVersion\":\"%s\",\"continue\":\"%s\"},\"items\":[",
                   version, token);

    for (unsigned i = 0; i < n; i++) {
        char *object = fx_json(objects[i]);
        char *longer = x_asprintf("%s%s%s", list, i ? ", " : "", object);

        free(object);
        free(list);
        list = longer;
    }
    char *whole = x_asprintf("%s]}", list);
    free(list);
    return whole;
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
