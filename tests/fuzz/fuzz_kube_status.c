/* tests/fuzz/fuzz_kube_status.c -- one job's way through the watcher's core against a server that gives one
 * kind of request the input as its answer: a Status, text, HTML, garbage (kubernetes 5.1, 48). No crash, no
 * control character in what is shown, and whatever the core sends fits its messages. The first bytes choose
 * the request, the status and Retry-After. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/codec.h"
#include "watcher/core/convert.h"
#include "watcher/core/status.h"
#include "watcher/core/watcher.h"

#define WAITING_MAX 64u
#define ROUNDS      48u
#define WORKER_ID   11u
#define GATEWAY_ID  9u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The kinds of requests, by method and part of the path, and what a healthy server answers. */
static const struct {
    const char *method, *part;
    int status;
    const char *body;
} kinds[] = {
    {"GET", "/leases/leader", 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404}"},
    {"POST", "/leases", 201,
     "{\"metadata\":{\"resourceVersion\":\"2\"},\"spec\":{\"holderIdentity\":\"us\",\"leaseDurationSeconds\":"
     "15}}"},
    {"PUT", "/leases/", 200,
     "{\"metadata\":{\"resourceVersion\":\"3\"},\"spec\":{\"holderIdentity\":\"us\",\"leaseDurationSeconds\":"
     "15}}"},
    {"GET", "infrastructures?", 200, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}"},
    {"GET", "/clusters/", 200, "{\"kind\":\"Cluster\",\"spec\":{\"shoot\":{\"kind\":\"Shoot\"}}}"},
    {"GET", "/secrets/", 200,
     "{\"data\":{\"apiToken\":\"dG9rZW4=\","
     "\"projectID\":\"MTExMTExMTEtMjIyMi0zMzMzLTQ0NDQtNTU1NTU1NTU1NTU1\"}}"},
    {"PATCH", "/status", 200, "{\"metadata\":{\"resourceVersion\":\"11\"},\"status\":{}}"},
    {"PATCH", "/infrastructures/", 200, "{\"metadata\":{\"resourceVersion\":\"12\"}}"},
    {"GET", "/infrastructures/", 200, "{\"metadata\":{\"resourceVersion\":\"13\"}}"},
    {"POST", "/events", 201, "{}"},
    {"PATCH", "/events/", 200, "{}"},
    {"GET", "/leases/gardener", 404, ""},
    {"PATCH", "/leases/", 200, "{}"},
    {"WATCH", "", 422, ""},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], THE_WATCH = KINDS - 1 };

static const int codes[] = {0,   200, 201, 301, 400, 401, 403, 404, 405, 409,
                            410, 413, 415, 422, 429, 500, 502, 503, 504};

static const char event[] =
    "{\"type\":\"ADDED\",\"object\":{\"apiVersion\":\"extensions.gardener.cloud/v1alpha1\",\"kind\":"
    "\"Infrastructure\",\"metadata\":{\"name\":\"i\",\"namespace\":\"n\",\"uid\":\"u\",\"resourceVersion\":"
    "\"10\",\"generation\":1},\"spec\":{\"type\":\"packet\",\"region\":\"r\",\"secretRef\":{\"name\":\"s\","
    "\"namespace\":\"n\"}}}}";

struct stage {
    struct watcher_core *core;
    struct instant now;
    struct {
        uint64_t id;
        unsigned kind;
    } waiting[WAITING_MAX];
    unsigned n;
    bool watches;
    uint64_t handle, job;
};

static unsigned kind_of(const struct watcher_request *request)
{
    unsigned k = 0;

    while (k < THE_WATCH &&
           (strcmp(kinds[k].method, request->method) || !strstr(request->path, kinds[k].part)))
        k++;
    if (k == THE_WATCH)
        abort(); /* a request that this file does not know */
    return k;
}

static void on_request(void *ctx, const struct watcher_request *request)
{
    struct stage *s = ctx;

    if (s->n < WAITING_MAX) {
        s->waiting[s->n].id = request->id;
        s->waiting[s->n++].kind = kind_of(request);
    }
}

static void on_send(void *ctx, unsigned role, uint64_t to, enum msg_id id, const void *body,
                    const struct envelope *envelope)
{
    struct stage *s = ctx;
    msgpack_sbuffer frame;
    struct message message;

    (void)to;
    msgpack_sbuffer_init(&frame);
    if (msg_encode(envelope, id, body, &frame) || msg_decode(frame.data, frame.size, WATCHER, role, &message))
        abort();
    if (id == MSG_GRANT)
        s->handle = message.body.grant.handle;
    if (id == MSG_JOB)
        s->job = message.body.job.job;
    msgpack_sbuffer_destroy(&frame);
}

static void on_watch(void *ctx, enum watcher_stream stream, const char *path)
{
    (void)path;
    ((struct stage *)ctx)->watches |= stream == STREAM_OBJECTS;
}

static void on_unwatch(void *ctx, enum watcher_stream stream)
{
    if (stream == STREAM_OBJECTS)
        ((struct stage *)ctx)->watches = false;
}

static void say(struct stage *s, unsigned role, uint64_t from, struct message *message, enum msg_id id)
{
    message->spec = msg_find(id);
    message->envelope = (struct envelope){.from = from, .epoch = 7};
    watcher_core_message(s->core, role, from, message, s->now);
}

/* What a worker would say of its job: a patch of each kind, a read, a note, its end. */
static void work(struct stage *s, unsigned round)
{
    static const char patch[] = "{\"status\":{\"observedGeneration\":1}}";
    struct message m = {.body.patch = {.job = s->job, .seq = round + 1, .target = PATCH_STATUS}};
    struct pack body;

    pack_open(&body);
    if (convert_object((struct text){.p = patch, .len = sizeof patch - 1}, &body))
        abort();
    m.body.patch.body = pack_result(&body);
    if (round % 4 == 0)
        say(s, WORKER, WORKER_ID, &m, MSG_PATCH);
    pack_close(&body);
    m = (struct message){.body.fetch = {.job = s->job, .seq = round + 1}};
    if (round % 4 == 1)
        say(s, WORKER, WORKER_ID, &m, MSG_FETCH);
    m = (struct message){.body.note = {.job = s->job, .reason = SPAN("Reason"), .message = SPAN("message")}};
    if (round % 4 == 2)
        say(s, WORKER, WORKER_ID, &m, MSG_NOTE);
}

static void turn(struct stage *s, unsigned round)
{
    struct message m = {.body.granted = {.handle = s->handle, .outcome = OUTCOME_OK}};

    if (s->handle && !s->job)
        say(s, GATEWAY, GATEWAY_ID, &m, MSG_GRANTED);
    m = (struct message){.body.started = {.job = s->job}};
    if (s->job && round % 16 == 3)
        say(s, WORKER, WORKER_ID, &m, MSG_STARTED);
    else if (s->job)
        work(s, round);
    m = (struct message){.body.done = {.job = s->job, .result = JOB_DONE}};
    if (s->job && round % 16 == 15) {
        say(s, WORKER, WORKER_ID, &m, MSG_DONE);
        m = (struct message){0};
        say(s, WORKER, WORKER_ID, &m, MSG_IDLE);
        s->job = s->handle = 0;
    }
}

static void answer(struct stage *s, unsigned at, int status, const char *body, size_t len, int64_t after_ms)
{
    struct watcher_result result = {.id = s->waiting[at].id,
                                    .fate = status ? KUBE_ANSWERED : KUBE_LOST,
                                    .status = status,
                                    .body = body,
                                    .body_len = len,
                                    .retry_after_ms = after_ms,
                                    .detail = "detail"};

    memmove(s->waiting + at, s->waiting + at + 1, (s->n - at - 1) * sizeof s->waiting[0]);
    s->n--;
    watcher_core_result(s->core, &result, s->now);
}

static void check_status(int status, const char *text, size_t len)
{
    struct kube_status read;

    status_read(status, (struct text){.p = text, .len = len}, &read);
    for (const char *p = read.message; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            abort();
    if (!read.reason[0] || !read.message[0] || read.retry_after_ms < -1)
        abort();
}

static void open_stage(struct stage *s)
{
    struct message m = {.body.peer = {.role = GATEWAY, .incarnation = GATEWAY_ID, .pid = 1}};

    say(s, SUPERVISOR, 0, &m, MSG_PEER);
    m = (struct message){.body.peer = {.role = WORKER, .incarnation = WORKER_ID, .pid = 2}};
    say(s, SUPERVISOR, 0, &m, MSG_PEER);
    m = (struct message){.body.go = {.epoch = 7}};
    say(s, SUPERVISOR, 0, &m, MSG_GO);
    m = (struct message){0};
    say(s, WORKER, WORKER_ID, &m, MSG_IDLE);
}

static void play(struct stage *s, const uint8_t *data, const char *text, size_t len)
{
    unsigned chosen = data[0] % KINDS;
    int status = codes[data[1] % (sizeof codes / sizeof codes[0])];
    int64_t after_ms = data[2] & 1 ? data[2] * 1000 : -1;

    open_stage(s);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (s->watches && chosen == THE_WATCH && round % 8 == 0) {
            s->watches = false;
            watcher_core_watch_ended(s->core, STREAM_OBJECTS, status, text, len, after_ms, s->now);
        } else if (s->watches && round % 8 == 1) {
            watcher_core_event(s->core, STREAM_OBJECTS, event, sizeof event - 1, s->now);
        }
        for (unsigned left = s->n; left && s->n; left--) {
            unsigned kind = s->waiting[0].kind;
            bool fuzzed = kind == chosen && (data[2] & 2 || round % 8 == 0);

            answer(s, 0, fuzzed ? status : kinds[kind].status, fuzzed ? text : kinds[kind].body,
                   fuzzed ? len : strlen(kinds[kind].body), fuzzed ? after_ms : -1);
        }
        turn(s, round);
        s->now.boot_ms += data[2] & 4 ? 20000 : 700;
        s->now.wall_ms += 700;
        watcher_core_tick(s->core, s->now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage s = {.now = {.boot_ms = 1000, .wall_ms = 1700000000000}};
    struct watcher_ops ops = {&s, on_send, on_request, on_watch, on_unwatch};
    struct watcher_config config = {.seed = 1,
                                    .incarnation = 7,
                                    .classes = "",
                                    .field_manager = "f",
                                    .election = {.ns = "garden",
                                                 .name = "leader",
                                                 .identity = "us",
                                                 .duration_ms = 15000,
                                                 .renew_ms = 10000,
                                                 .retry_ms = 2000},
                                    .heartbeat_ns = "garden",
                                    .heartbeat_ms = 5000};

    if (size < 3)
        return 0;
    log_set_level(LEVEL_ERROR + 1);
    config.election.name = data[2] & 8 ? "" : "leader";
    char *text = x_strndup((const char *)data + 3, size - 3);
    size_t len = strlen(text);

    check_status(codes[data[1] % (sizeof codes / sizeof codes[0])], text, len);
    s.core = watcher_core_new(&config, &ops, s.now);
    play(&s, data, text, len);
    watcher_core_free(s.core);
    free(text);
    return 0;
}
