/* tests/world/packet.c -- the link to the Packet API: answers that get lost after or before the deed,
 * requests that run late because their sender died, 404s for keys that were created, HTML from a balancer,
 * 429. A POST runs 0 or 1 times: the shell never lets the HTTP library send it again. Called by pod.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/core/gateway.h"
#include "tests/world/coverage.h"
#include "tests/world/world.h"

#define LATE_MS         120000
#define STRAY_COUNTS_MS 5000 /* the bucket is full again after a second, and an answer tells of it */
#define REFUSED_ONCE_MS 30000
#define OUT_FROM_MS     1000
#define SLOW_MS         15000 /* of an answer; a call may take twice as long */

enum packet_link {
    LINK_OK,
    LINK_NOT_SENT,
    LINK_LOST_REQUEST,
    LINK_LOST_ANSWER,
    LINK_TWICE,
    LINK_404_AFTER,  /* the deed is done, the answer says 404 (packet 2.7) */
    LINK_500_BEFORE, /* nothing is done */
    LINK_500_AFTER,
    LINK_TRUNCATED, /* done, but the body is cut off */
    LINK_HTML,      /* a balancer's page */
    LINK_429,
    LINK_SLOW /* done, the answer comes much later */
};

static const enum world_fault met[] = {[LINK_NOT_SENT] = FAULT_PACKET_NOT_SENT,
                                       [LINK_LOST_REQUEST] = FAULT_PACKET_LOST_REQUEST,
                                       [LINK_LOST_ANSWER] = FAULT_PACKET_LOST_ANSWER,
                                       [LINK_TWICE] = FAULT_PACKET_TWICE,
                                       [LINK_404_AFTER] = FAULT_PACKET_404_AFTER,
                                       [LINK_500_BEFORE] = FAULT_PACKET_500_BEFORE,
                                       [LINK_500_AFTER] = FAULT_PACKET_500_AFTER,
                                       [LINK_TRUNCATED] = FAULT_PACKET_TRUNCATED,
                                       [LINK_HTML] = FAULT_PACKET_HTML,
                                       [LINK_429] = FAULT_PACKET_429,
                                       [LINK_SLOW] = FAULT_PACKET_SLOW};

/* Watches what reaches the service: design 12 rule by rule, where the ledger can show it. */
static void on_event(void *ctx, const struct packet_sim_event *event)
{
    struct world *world = ctx;
    char ns[64], name[64];

    if (strcmp(event->method, "DELETE") == 0 && event->committed)
        check_removed(world, event->key_id);
    if (strcmp(event->method, "POST") != 0)
        return;
    world->posts++;
    if (!event->committed)
        return;
    struct packet_sim_key key;
    if (!packet_sim_key_get(world->packet, event->key_id, &key))
        return;
    for (unsigned i = 0; i < world->n_objects; i++) {
        object_namespace(i, ns, sizeof ns);
        object_name(i, name, sizeof name);
        if (strncmp(key.label, ns, strlen(ns)) != 0)
            continue;
        struct made *made = &world->made[world->n_made++ % WORLD_MADE];
        made->object = i;
        snprintf(made->id, sizeof made->id, "%s", key.id);
        const json_t *object = object_stored(world, i);
        if (!object_has_finalizer(object))
            world_violation(world, "a key for %s/%s was created while the object %s", ns, name,
                            object ? "has no finalizer" : "does not exist");
    }
}

void packet_start(struct world *world)
{
    struct packet_sim_config config = packet_sim_config_default();

    config.seed = rng_next(&world->rng);
    config.on_event = on_event;
    config.arg = world;
    config.switches.list_lag_ms = (int)world->plan.list_lag_ms;
    config.switches.rate_per_s = (int)world->plan.packet_rate;
    config.switches.rate_burst = world->plan.packet_rate ? 1 + (int)world->plan.packet_rate : 0;
    config.switches.rate_headers = world->plan.packet_tells;
    world->packet = packet_sim_new(&config);
    packet_sim_add_project(world->packet, WORLD_PROJECT, "world", "main", world->now.wall_ms);
    packet_sim_add_project(world->packet, WORLD_OTHER, "other", "main", world->now.wall_ms);
    packet_sim_add_token(world->packet, WORLD_TOKEN, PACKET_SIM_TOKEN_USER, NULL, "main");
}

static bool arrive_answer(struct world *world, struct event *event)
{
    struct proc *proc = proc_at(world, GATEWAY, 0);

    switch (proc_due(world, proc, event->life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    struct gateway_result result = {.id = event->a,
                                    .fate = (enum gateway_fate)event->b,
                                    .status = (int)event->c,
                                    .json = event->d != 0,
                                    .request_id = event->d ? "0123456789abcdef0123456789abcdef" : "",
                                    .body = event->data ? event->data : "",
                                    .body_len = event->len,
                                    .retry_after_ms = -1,
                                    .limit_remaining = -1,
                                    .limit_reset_s = -1,
                                    .detail = ""};
    if (result.status == 429)
        result.retry_after_ms = 2000;
    if (sscanf(event->text, "%ld %ld %ld", &result.limit, &result.limit_remaining, &result.limit_reset_s) ==
        3)
        world->told_life = event->life;
    result.date_s = world->now.wall_ms / 1000;
    posts_answered(world, proc, &result);
    reads_answered(world, proc, &result);
    world_trace(world, "packet -> gateway#%lu: %s %d", proc->incarnation,
                result.fate == FATE_ANSWERED ? "answer" : "no answer", result.status);
    world->steps++;
    sieve_boundary(world);
    gateway_core_result(proc->core, &result, world_clock(world));
    return false;
}

static struct event *tell(struct world *world, uint64_t life, uint64_t id, enum gateway_fate fate, int status,
                          const char *body, size_t len, bool json, int64_t delay)
{
    struct event *event = event_post(world, delay, arrive_answer);

    event->life = life;
    event->a = id;
    event->b = fate;
    event->c = (uint64_t)status;
    event->d = json;
    event->data = body ? x_strndup(body, len) : NULL;
    event->len = body ? len : 0;
    return event;
}

/* A gateway that has heard of the limit keeps it, as long as it knows of all that runs (packet C-34). Not
 * where calls get lost before the API counts them: what it measures then comes out too high. The server tells
 * whole calls only, so that one may go half a call too early while it measures what comes back; not two. */
static void check_rate(struct world *world, const struct event *event, const struct sim_answer *answer)
{
    bool lossy = world->plan.packet_fault || world->plan.packet_out_ms;

    if (answer->status != 429 || !world->plan.packet_tells || lossy || world->told_life != event->life ||
        (world->stray_ms && world->now.boot_ms - world->stray_ms <= STRAY_COUNTS_MS))
        return;
    if (world->refused_life == event->life && world->now.boot_ms - world->refused_ms < REFUSED_ONCE_MS)
        world_violation(world, "the announced limit of %u calls a second is exceeded",
                        world->plan.packet_rate);
    world->refused_life = event->life;
    world->refused_ms = world->now.boot_ms;
}

static const char *header(const struct sim_answer *answer, const char *name)
{
    for (unsigned i = 0; i < answer->n_headers; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    return "";
}

static void answer_by_link(struct world *world, const struct event *event, const struct sim_answer *answer)
{
    static const char not_found[] = "{\"errors\":[\"Not found\"]}", oops[] = "{\"errors\":[\"Oh snap\"]}";
    int64_t back = 10 + (int64_t)rng_below(&world->rng, 40);
    uint64_t life = event->life, id = event->a;

    if (event->b == LINK_SLOW)
        back += (int64_t)rng_below(&world->rng, SLOW_MS);
    switch ((enum packet_link)event->b) {
    case LINK_LOST_ANSWER: tell(world, life, id, FATE_LOST, 0, NULL, 0, false, back); return;
    case LINK_404_AFTER:
        tell(world, life, id, FATE_ANSWERED, 404, not_found, sizeof not_found - 1, true, back);
        return;
    case LINK_500_AFTER: tell(world, life, id, FATE_ANSWERED, 500, oops, sizeof oops - 1, true, back); return;
    case LINK_TRUNCATED:
        tell(world, life, id, FATE_ANSWERED, answer->status, answer->body, answer->body_len / 2, true, back);
        return;
    default: break;
    }
    struct event *told =
        tell(world, life, id, FATE_ANSWERED, answer->status, answer->body ? answer->body : "",
             answer->body_len, answer->content_type != NULL, back);
    snprintf(told->text, sizeof told->text, "%s %s %s", header(answer, "X-RateLimit-Limit"),
             header(answer, "X-RateLimit-Remaining"), header(answer, "X-RateLimit-Reset"));
}

static bool arrive_request(struct world *world, struct event *event)
{
    struct proc *proc = proc_at(world, GATEWAY, 0);
    bool orphan = proc->life != event->life;
    char method[8], target[376];
    struct sim_answer answer;

    if (orphan && event->d == 0) {
        event->d = 1;
        if (world->quiet || rng_chance(&world->rng, 500))
            return false;
        event_again(world, event,
                    rng_chance(&world->rng, 500) ? 20 : (int64_t)rng_below(&world->rng, LATE_MS));
        return true;
    }
    if (sscanf(event->text, "%7s %375s", method, target) != 2)
        return false;
    char *query = strchr(target, '?');
    if (query)
        *query = '\0';
    struct sim_request request = {.method = method,
                                  .path = target,
                                  .query = query ? query + 1 : "",
                                  .token = WORLD_TOKEN,
                                  .content_type = event->len ? "application/json" : "",
                                  .accept = "application/json",
                                  .user_agent = "world",
                                  .body = event->data ? event->data : "",
                                  .body_len = event->len};
    memset(&answer, 0, sizeof answer);
    packet_sim_handle(world->packet, &request, world->now.wall_ms, &answer);
    sieve_boundary(world);
    world_trace(world, "packet runs %s %s %.*s -> %d%s%s%s", method, target,
                (int)(event->len > 260 ? 260 : event->len), event->data ? event->data : "", answer.status,
                orphan ? " (its sender is dead)" : "",
                *header(&answer, "X-RateLimit-Remaining") ? ", left: " : "",
                header(&answer, "X-RateLimit-Remaining"));
    if (strcmp(method, "PUT") == 0 && answer.status == 422)
        check_refused(world, strrchr(target, '/') + 1);
    bool second = event->c != 0;
    if (orphan)
        cover(world, FAULT_PACKET_LATE);
    if (orphan || second)
        world->stray_ms = world->now.boot_ms;
    check_rate(world, event, &answer);
    if (!second)
        answer_by_link(world, event, &answer);
    sim_answer_clear(&answer);
    if (event->b == LINK_TWICE && !second) {
        event->c = 1;
        event_again(world, event, (int64_t)rng_below(&world->rng, 3000));
        return true;
    }
    return false;
}

static enum packet_link draw_fate(struct world *world, bool once)
{
    static const enum packet_link fates[] = {
        LINK_NOT_SENT,   LINK_LOST_REQUEST, LINK_LOST_ANSWER, LINK_TWICE, LINK_404_AFTER,
        LINK_500_BEFORE, LINK_500_AFTER,    LINK_TRUNCATED,   LINK_HTML,  LINK_429};
    if (!world->quiet && world->now.boot_ms - OUT_FROM_MS < world->plan.packet_out_ms &&
        world->now.boot_ms >= OUT_FROM_MS)
        return rng_chance(&world->rng, 500) ? LINK_NOT_SENT : LINK_LOST_REQUEST;
    if (!world->quiet && rng_chance(&world->rng, world->plan.packet_slow))
        return LINK_SLOW;
    if (world->quiet || !rng_chance(&world->rng, world->plan.packet_fault))
        return LINK_OK;
    enum packet_link fate = fates[rng_below(&world->rng, sizeof fates / sizeof fates[0])];
    return once && fate == LINK_TWICE ? LINK_LOST_ANSWER : !once && fate == LINK_404_AFTER ? LINK_OK : fate;
}

/* The connection stands: the last moment to say no. a: the request's number, b: start_before, c: once. */
static bool begin(struct world *world, struct event *event)
{
    static const char html[] = "<html><body>502 Bad Gateway</body></html>",
                      busy[] = "{\"errors\":[\"Oh snap\"]}";
    struct proc *gateway = proc_at(world, GATEWAY, 0);
    uint64_t life = event->life, id = event->a;

    switch (proc_due(world, gateway, life, event)) {
    case DUE_NEVER: return false;
    case DUE_LATER: return true;
    case DUE_NOW: break;
    }
    if ((int64_t)event->b <= world->now.boot_ms) {
        tell(world, life, id, FATE_FENCED, 0, NULL, 0, false, 0);
        return false;
    }
    if (strncmp(event->text, "GET", 3) != 0)
        leases_check_write(world, event->text);
    enum packet_link fate = draw_fate(world, event->c);
    if (fate != LINK_OK)
        cover_call(world, met[fate]);
    switch (fate) {
    case LINK_NOT_SENT: tell(world, life, id, FATE_NOT_SENT, 0, NULL, 0, false, 5); return false;
    case LINK_LOST_REQUEST: tell(world, life, id, FATE_LOST, 0, NULL, 0, false, 50); return false;
    case LINK_500_BEFORE:
        tell(world, life, id, FATE_ANSWERED, 500, busy, sizeof busy - 1, true, 20);
        return false;
    case LINK_HTML: tell(world, life, id, FATE_ANSWERED, 502, html, sizeof html - 1, false, 20); return false;
    case LINK_429: tell(world, life, id, FATE_ANSWERED, 429, busy, sizeof busy - 1, true, 20); return false;
    default: break;
    }
    struct event *arrival = event_post(world, 10 + (int64_t)rng_below(&world->rng, 30), arrive_request);
    arrival->life = life;
    arrival->a = id;
    arrival->b = fate;
    memcpy(arrival->text, event->text, sizeof arrival->text);
    arrival->data = event->data;
    arrival->len = event->len;
    event->data = NULL;
    return false;
}

void packet_request(struct world *world, struct proc *gateway, const struct gateway_request *request)
{
    struct event *event = x_calloc(1, sizeof *event);

    world_trace(world, "gateway#%lu -> packet: %s %s", gateway->incarnation, request->method, request->path);
    posts_sent(world, gateway, request);
    reads_sent(world, gateway, request);
    if (strcmp(request->token, WORLD_TOKEN) != 0)
        world_violation(world, "the gateway sends another token than the Secret's");
    event->run = begin;
    event->life = gateway->life;
    event->a = request->id;
    event->b = (uint64_t)request->start_before;
    event->c = request->once;
    snprintf(event->text, sizeof event->text, "%s /metal/v1%s", request->method, request->path);
    if (request->body) {
        event->data = x_strdup(request->body);
        event->len = strlen(request->body);
    }
    leases_connect(world, event);
}
