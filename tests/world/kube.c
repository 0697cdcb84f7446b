/* tests/world/kube.c -- the link to the Kubernetes API server: a request runs 0, 1 or 2 times, at once or
 * long after its sender died; answers get lost; Decides only what the network
 * does. The streams are in kube_watch.c. Called by pod.c and users.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/coverage.h"
#include "tests/world/world.h"
#include "watcher/core/watch_stream.h"
#include "watcher/core/watcher.h"

#define LATE_MS       120000 /* a dead sender's request may still run this much later (design 10) */
#define SHORT_TIME_MS 5      /* until a refused connection is noticed */

enum link_fate {
    LINK_OK,
    LINK_NOT_SENT,
    LINK_LOST_REQUEST,
    LINK_LOST_ANSWER,
    LINK_TWICE,
    LINK_500,
    LINK_429
};

static const enum world_fault met[] = {[LINK_NOT_SENT] = FAULT_KUBE_NOT_SENT,
                                       [LINK_LOST_REQUEST] = FAULT_KUBE_LOST_REQUEST,
                                       [LINK_LOST_ANSWER] = FAULT_KUBE_LOST_ANSWER,
                                       [LINK_TWICE] = FAULT_KUBE_TWICE,
                                       [LINK_500] = FAULT_KUBE_500,
                                       [LINK_429] = FAULT_KUBE_429};

static const char crd[] = "{\"apiVersion\":\"apiextensions.k8s.io/"
                          "v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{\"name\":\"%s.%s\"},"
                          "\"spec\":{\"group\":\"%s\",\"scope\":\"%s\",\"names\":{\"plural\":\"%s\","
                          "\"singular\":\"%s\",\"kind\":\"%s\","
                          "\"listKind\":\"%sList\"},\"versions\":[{\"name\":\"v1alpha1\",\"served\":true,"
                          "\"storage\":true,\"schema\":{"
                          "\"openAPIV3Schema\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":"
                          "true}},\"subresources\":{\"status\":{}}}]}}";

static void load_crd(struct world *world, const char *plural, const char *singular, const char *kind,
                     const char *scope)
{
    const char *group = "extensions.gardener.cloud";
    char *text = x_asprintf(crd, plural, group, group, scope, plural, singular, kind, kind);
    json_t *json = json_loads(text, 0, NULL);

    if (!json || kube_sim_load_crd(world->kube, json, world->now.wall_ms) != 0)
        world_violation(world, "the world's own CRD for %s is refused", kind);
    json_decref(json);
    free(text);
}

void kube_start(struct world *world)
{
    struct kube_sim_config config = {.seed = rng_next(&world->rng), .history = 512};

    world->kube = kube_sim_new(&config, world->now.wall_ms);
    load_crd(world, "infrastructures", "infrastructure", "Infrastructure", "Namespaced");
    load_crd(world, "clusters", "cluster", "Cluster", "Cluster");
}

static void execute(struct world *world, const char *method, const char *target, const char *content_type,
                    const char *body, size_t len, struct sim_answer *answer)
{
    char path[512];
    const char *query = strchr(target, '?');
    size_t path_len = query ? (size_t)(query - target) : strlen(target);

    snprintf(path, sizeof path, "%.*s", (int)path_len, target);
    struct sim_request request = {.method = method,
                                  .path = path,
                                  .query = query ? query + 1 : "",
                                  .token = "",
                                  .content_type = content_type,
                                  .accept = "application/json",
                                  .user_agent = "world",
                                  .body = body ? body : "",
                                  .body_len = len};
    memset(answer, 0, sizeof *answer);
    uint64_t before = kube_sim_revision(world->kube);
    kube_sim_handle(world->kube, &request, world->now.wall_ms, answer);
    leases_wrote(world, method, path, answer->status, before);
    if (strcmp(method, "GET") != 0)
        kube_pump_soon(world);
}

int kube_admin(struct world *world, const char *method, const char *path, const char *body)
{
    struct sim_answer answer;
    const char *type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json";

    execute(world, method, path, body ? type : "", body, body ? strlen(body) : 0, &answer);
    int status = answer.status;
    script_request(world, method, path, body, status);
    world_trace(world, "user: %s %s -> %d", method, path, status);
    sim_answer_clear(&answer);
    return status;
}

/* ---- requests of the watcher ---- */
/* A list's items come one by one, also of one that is lost on the way. Returns what is left of it. */
static struct watch_stream pass_items(struct world *world, struct proc *proc, const struct event *event)
{
    struct watch_stream stream = {.list = true};
    const char *item;
    size_t len;

    watch_stream_feed(&stream, event->data, event->len);
    while (watch_stream_next(&stream, &item, &len))
        watcher_core_item(proc->core, event->a, item, len, world_clock(world));
    return stream;
}

static bool arrive_answer(struct world *world, struct event *event)
{
    struct watch_stream stream = {0};
    struct proc *proc = proc_at(world, WATCHER, 0);

    switch (proc_due(world, proc, event->life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    struct watcher_result result = {.id = event->a,
                                    .fate = (enum watcher_fate)event->b,
                                    .status = (int)event->c,
                                    .body = event->data ? event->data : "",
                                    .body_len = event->len,
                                    .retry_after_ms = event->c == 429 ? 1000 : -1,
                                    .detail = ""};
    if (result.fate != KUBE_ANSWERED)
        result.detail = "the world lost it";
    world_trace(world, "kube -> watcher#%lu: %s %d", proc->incarnation,
                result.fate == KUBE_ANSWERED ? "answer" : "no answer", result.status);
    world->steps++;
    sieve_boundary(world);
    if (event->d && result.body_len) {
        stream = pass_items(world, proc, event);
        result.body = result.fate == KUBE_ANSWERED && stream.rest ? stream.rest : "";
        result.body_len = strlen(result.body);
    }
    watcher_core_result(proc->core, &result, world_clock(world));
    watch_stream_clear(&stream);
    return false;
}

static struct event *tell(struct world *world, uint64_t life, uint64_t id, enum watcher_fate fate, int status,
                          char *body, size_t len, int64_t delay)
{
    struct event *event = event_post(world, delay, arrive_answer);

    event->life = life;
    event->a = id;
    event->b = fate;
    event->c = (uint64_t)status;
    event->data = body;
    event->len = len;
    return event;
}

static const char *content_type_of(const char *method)
{
    return strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json";
}

static bool arrive_request(struct world *world, struct event *event)
{
    struct proc *proc = proc_at(world, WATCHER, 0);
    bool orphan = proc->life != event->life;
    char method[8], target[376];
    struct sim_answer answer;

    if (orphan && event->d == 0) { /* its sender died meanwhile: it may never run, or run late */
        event->d = 1;
        if (world->quiet || rng_chance(&world->rng, 600))
            return false;
        event_again(world, event, (int64_t)rng_below(&world->rng, LATE_MS));
        return true;
    }
    if (sscanf(event->text, "%7s %375s", method, target) != 2)
        return false;
    if (orphan)
        cover(world, FAULT_KUBE_LATE);
    execute(world, method, target, event->len ? content_type_of(method) : "", event->data, event->len,
            &answer);
    sieve_boundary(world);
    world_trace(world, "kube runs %s %s -> %d%s", method, target, answer.status,
                orphan ? " (its sender is dead)" : "");
    int64_t back = 1 + (int64_t)rng_below(&world->rng, 4);
    bool lost = event->b == LINK_LOST_ANSWER, items = strstr(target, "?limit=") && answer.status == 200;
    size_t len = !answer.body || (lost && !items) ? 0
                 : lost                           ? (size_t)rng_below(&world->rng, answer.body_len)
                                                  : answer.body_len;
    if (lost || event->b != LINK_TWICE || !event->c)
        tell(world, event->life, event->a, lost ? KUBE_LOST : KUBE_ANSWERED, lost ? 0 : answer.status,
             len ? x_strndup(answer.body, len) : NULL, len, lost ? SHORT_TIME_MS : back)
            ->d = items;
    sim_answer_clear(&answer);
    if (event->b == LINK_TWICE && !event->c) {
        event->c = 1; /* the second run, which nobody waits for */
        event_again(world, event, (int64_t)rng_below(&world->rng, 3000));
        return true;
    }
    return false;
}

static enum link_fate draw_fate(struct world *world, bool once)
{
    if (world->quiet)
        return LINK_OK;
    if (!once && rng_chance(&world->rng, world->plan.kube_twice))
        return LINK_TWICE;
    if (!rng_chance(&world->rng, world->plan.kube_fault))
        return LINK_OK;
    return (enum link_fate[]){LINK_NOT_SENT, LINK_LOST_REQUEST, LINK_LOST_ANSWER, LINK_500,
                              LINK_429}[rng_below(&world->rng, 5)];
}

/* The connection stands: the last moment to say no. a: the request's number, b: start_before, c: end_before,
 * d: 1 of the election, 2 once. */
static bool begin(struct world *world, struct event *event)
{
    static const char busy[] =
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
        "\"message\":\"the world is busy\",\"reason\":\"InternalError\",\"code\":500}";

    struct proc *proc = proc_at(world, WATCHER, 0);

    switch (proc_due(world, proc, event->life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    uint64_t life = event->life, id = event->a;
    int64_t now = world->now.boot_ms, end = (int64_t)event->c, start = (int64_t)event->b;
    if (start <= now) {
        tell(world, life, id, KUBE_FENCED, 0, NULL, 0, 0);
        return false;
    }
    if (strncmp(event->text, "GET", 3) != 0 && !(event->d & 1))
        leases_check_write(world, event->text);
    if (now < world->kube_gone_until) {
        end = end < now + KUBE_CALL_MS ? end : now + KUBE_CALL_MS;
        tell(world, life, id, KUBE_LOST, 0, NULL, 0, end - now);
        return false;
    }
    enum link_fate fate = draw_fate(world, event->d & 2);
    if (fate != LINK_OK)
        cover_call(world, met[fate]);
    if (fate == LINK_NOT_SENT || fate == LINK_LOST_REQUEST) {
        tell(world, life, id, fate == LINK_NOT_SENT ? KUBE_NOT_SENT : KUBE_LOST, 0, NULL, 0, SHORT_TIME_MS);
        return false;
    }
    if (fate == LINK_500 || fate == LINK_429) {
        tell(world, life, id, KUBE_ANSWERED, fate == LINK_500 ? 500 : 429, x_strdup(busy), sizeof busy - 1,
             2);
        return false;
    }
    struct event *arrival = event_post(world, 1 + (int64_t)rng_below(&world->rng, 4), arrive_request);
    arrival->life = life;
    arrival->a = id;
    arrival->b = fate;
    memcpy(arrival->text, event->text, sizeof arrival->text);
    arrival->data = event->data;
    arrival->len = event->len;
    event->data = NULL;
    return false;
}

void kube_request(struct world *world, struct proc *watcher, const struct watcher_request *request)
{
    struct event *event = x_calloc(1, sizeof *event);

    world_trace(world, "watcher#%lu -> kube: %s %s %s", watcher->incarnation, request->method, request->path,
                request->body ? request->body : "");
    event->run = begin;
    event->life = watcher->life;
    event->a = request->id;
    event->b = (uint64_t)request->start_before;
    event->c = (uint64_t)request->end_before;
    event->d = request->election | (uint64_t)request->once << 1;
    snprintf(event->text, sizeof event->text, "%s %s", request->method, request->path);
    if (request->body) {
        event->data = x_strdup(request->body);
        event->len = strlen(request->body);
    }
    leases_connect(world, event);
}
