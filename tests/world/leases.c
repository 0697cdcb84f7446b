/* tests/world/leases.c -- the leader Lease: outages of the API server and stops of the whole tree that lose
 * it, another pod that takes it when it may, and what must hold: no write begins while another leads, or may
 * (design 12.15). The other pod's leader is an idle one. Called by kube.c, packet.c, pod.c, main.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/world/coverage.h"
#include "tests/world/world.h"
#include "watcher/core/watcher.h"

#define NS          "garden"
#define NAME        "leader"
#define PATH        "/apis/coordination.k8s.io/v1/namespaces/" NS "/leases/" NAME
#define RIVAL       "rival"
#define DURATION_MS 6000 /* short, so that a busy time holds many terms */
#define RENEW_MS    4000
#define RETRY_MS    1000
#define BEAT_MS     30000
#define CONNECT_MS  5000

static const json_t *stored(const struct world *world)
{
    return kube_sim_get(world->kube, "coordination.k8s.io", "leases", NS, NAME);
}

static const char *text_of(const json_t *lease, const char *part, const char *name)
{
    const char *text = json_string_value(json_object_get(json_object_get(lease, part), name));

    return text ? text : "";
}

static const char *holder_of(const json_t *lease)
{
    return text_of(lease, "spec", "holderIdentity");
}

static int64_t duration_of(const json_t *lease)
{
    return 1000 * json_integer_value(json_object_get(json_object_get(lease, "spec"), "leaseDurationSeconds"));
}

void leases_wrote(struct world *world, const char *method, const char *path, int status,
                  uint64_t revision_before)
{
    if (strcmp(method, "GET") == 0 || !strstr(path, "/leases"))
        return;
    world->lease_revisions += kube_sim_revision(world->kube) - revision_before;
    if (status / 100 == 2 && !strstr(path, "heartbeat"))
        world->lease_changed_ms = world->now.boot_ms;
}

/* A watcher learns of changes later than they happen, so whoever waits begins to count later than here. */
void leases_check_write(struct world *world, const char *what)
{
    const json_t *lease = stored(world);

    if (!world->plan.leases)
        return;
    if (!lease)
        world_violation(world, "%s begins, and there is no Lease", what);
    else if (strcmp(holder_of(lease), world->identity) != 0)
        world_violation(world, "%s begins while %s leads", what, holder_of(lease));
    else if (world->now.boot_ms >= world->lease_changed_ms + duration_of(lease))
        world_violation(world, "%s begins when the Lease may be another's since %.3f", what,
                        (double)(world->lease_changed_ms + duration_of(lease)) / 1000.0);
}

void leases_connect(struct world *world, struct event *event)
{
    unsigned slow = world->quiet ? 0 : world->plan.slow_connect;

    if (slow && rng_chance(&world->rng, slow)) {
        event_again(world, event, (int64_t)rng_below(&world->rng, CONNECT_MS));
        return;
    }
    if (event->run(world, event))
        return;
    free(event->data);
    free(event);
}

void leases_settle(struct world *world)
{
    struct proc *proc = proc_at(world, WATCHER, 0);

    if (!proc->alive || !proc->ready || !watcher_core_lost(proc->core))
        return;
    cover(world, FAULT_LEASE_LOST);
    world_trace(world, "watcher#%lu ends: it lost the Lease", proc->incarnation);
    world->losses++;
    proc_end(world, proc, EXIT_LEASE_LOST << 8);
}

void leases_identity(struct world *world)
{
    snprintf(world->identity, sizeof world->identity, "pod_%lu",
             world->plan.pod_identity ? 0 : world->pod_life);
}

/* Drawn from numbers of its own, so that the other worlds do not change with it. */
void leases_plan(struct world *world)
{
    struct rng rng = {~world->seed};
    static const unsigned often[] = {0, 3000, 6000}, slow[] = {20, 100, 300};

    if (!rng_chance(&rng, 250))
        return;
    world->plan.leases = true;
    world->plan.pod_identity = rng_chance(&rng, 500);
    world->plan.rival = rng_chance(&rng, 600);
    world->plan.outage_every_ms = often[rng_below(&rng, 3)];
    world->plan.freeze_every_ms = often[rng_below(&rng, 3)];
    world->plan.slow_connect = slow[rng_below(&rng, 3)];
    world->plan.busy_ms += 20000;
}

void leases_config(const struct world *world, struct watcher_config *config)
{
    if (!world->plan.leases)
        return;
    config->election = (struct watcher_election){.ns = NS,
                                                 .name = NAME,
                                                 .identity = world->identity,
                                                 .duration_ms = DURATION_MS,
                                                 .renew_ms = RENEW_MS,
                                                 .retry_ms = RETRY_MS};
    config->heartbeat_ns = NS;
    config->heartbeat_ms = BEAT_MS;
}

/* ---- the other pod ---- */
static void rival_writes(struct world *world, const char *holder)
{
    char now[CLOCK_TEXT_MAX], *body;
    const json_t *lease = stored(world);

    clock_text_micro(world->now.wall_ms * 1000, now);
    body = x_asprintf("{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
                      "\"" NAME "\",\"namespace\":\"" NS "\",\"resourceVersion\":\"%s\"},"
                      "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,\"renewTime\":\"%s\","
                      "\"acquireTime\":\"%s\",\"leaseTransitions\":1}}",
                      text_of(lease, "metadata", "resourceVersion"), holder, *holder ? DURATION_MS / 1000 : 1,
                      now, now);
    kube_admin(world, "PUT", PATH, body);
    free(body);
}

/* a: the record's version as seen last, b: since when, c: holds it until. As quick as an elector may be: it
 * sees every change at once. */
static bool rival(struct world *world, struct event *event)
{
    const json_t *lease = stored(world);
    uint64_t version = 0;

    sscanf(text_of(lease, "metadata", "resourceVersion"), "%lu", &version);
    if (lease && strcmp(holder_of(lease), RIVAL) == 0) {
        if (world->quiet || (int64_t)event->c < world->now.boot_ms) {
            if (world->quiet || rng_chance(&world->rng, 500)) /* else it dies without a word */
                rival_writes(world, "");
            event->c = INT64_MAX;
        } else if (event->c != INT64_MAX) {
            rival_writes(world, RIVAL);
        }
    } else if (world->quiet) {
        return false;
    } else if (lease && version == event->a && world->now.boot_ms >= (int64_t)event->b + duration_of(lease)) {
        event->c = (uint64_t)world->now.boot_ms + rng_below(&world->rng, 10000);
        rival_writes(world, RIVAL);
    } else if (version != event->a) {
        event->a = version;
        event->b = (uint64_t)world->now.boot_ms;
    }
    event_again(world, event, 100);
    return true;
}

/* ---- what makes it lose ---- */
static bool outage(struct world *world, struct event *event)
{
    if (world->quiet)
        return false;
    world->kube_gone_until = world->now.boot_ms + 2000 + (int64_t)rng_below(&world->rng, 10000);
    cover(world, FAULT_KUBE_GONE);
    world_trace(world, "the API server answers nobody until %.3f", (double)world->kube_gone_until / 1000.0);
    event_again(world, event,
                world->kube_gone_until - world->now.boot_ms +
                    (int64_t)rng_below(&world->rng, 2 * world->plan.outage_every_ms));
    return true;
}

/* They wake up in any order. */
static bool freeze(struct world *world, struct event *event)
{
    if (world->quiet)
        return false;
    cover(world, FAULT_FREEZE);
    int64_t until = world->now.boot_ms + 3000 + (int64_t)rng_below(&world->rng, 12000);
    if (until > world->frozen_until)
        world->frozen_until = until + (int64_t)rng_below(&world->rng, 50);
    for (unsigned i = 0; i < WORLD_PROCS; i++) {
        int64_t mine = until + (int64_t)rng_below(&world->rng, 50);
        if (mine > world->procs[i].stopped_until) /* frames wait for the longer stop already */
            world->procs[i].stopped_until = mine;
    }
    world_trace(world, "STOP the whole tree until %.3f", (double)until / 1000.0);
    event_again(world, event,
                until - world->now.boot_ms +
                    (int64_t)rng_below(&world->rng, 2 * world->plan.freeze_every_ms));
    return true;
}

void leases_start(struct world *world)
{
    if (!world->plan.leases)
        return;
    kube_admin(world, "POST", "/api/v1/namespaces",
               "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"" NS "\"}}");
    if (world->plan.rival)
        event_post(world, 0, rival);
    if (world->plan.outage_every_ms)
        event_post(world, world->plan.outage_every_ms, outage);
    if (world->plan.freeze_every_ms)
        event_post(world, world->plan.freeze_every_ms, freeze);
}
