/* watcher/core/lease_ask.c -- the elector's requests: their paths, bodies and time limits (kubernetes 6.2).
 * Decides nothing. Called by lease.c. */
#include <stdlib.h>

#include "base/alloc.h"
#include "watcher/core/lease.h"

#define LEASES        "/apis/coordination.k8s.io/v1/namespaces/%s/leases"
#define CALL_LEAST_MS 1000
#define WATCH_SECONDS 300

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Half the renew deadline for each request, so that an attempt may fail and be followed by another. */
static void ask(struct lease *lease, enum lease_step step, enum lease_verb verb, char *body,
                struct instant now)
{
    const struct lease_config *c = &lease->config;
    int64_t within = c->renew_ms / 2 > CALL_LEAST_MS ? c->renew_ms / 2 : CALL_LEAST_MS;
    int64_t end = now.boot_ms + within;
    char *path = verb == LEASE_CREATE ? x_asprintf(LEASES, c->ns) : x_asprintf(LEASES "/%s", c->ns, c->name);

    if (lease->role == ROLE_LEADER)
        end = earlier(end, lease_write_until(lease));
    if (lease->role == ROLE_RELEASING)
        end = earlier(end, lease->over_ms);
    lease->step = step;
    lease->ops.request(lease->ops.ctx, verb, path, body, end, lease->doubt);
    free(path);
}

void lease_ask_read(struct lease *lease, struct instant now)
{
    ask(lease, STEP_READ, LEASE_READ, NULL, now);
}

void lease_ask_put(struct lease *lease, enum lease_step step, enum lease_change change, struct instant now)
{
    char *body =
        lease_record_put(lease->seen, change, lease->config.identity, lease->config.duration_ms, now.wall_ms);

    lease->put_ms = now.boot_ms;
    ask(lease, step, LEASE_UPDATE, body, now);
}

void lease_ask_post(struct lease *lease, struct instant now)
{
    char *body = lease_record_post(lease->config.ns, lease->config.name, lease->config.identity,
                                   lease->config.duration_ms, now.wall_ms);

    lease->put_ms = now.boot_ms;
    ask(lease, STEP_CREATE, LEASE_CREATE, body, now);
}

void lease_ask_watch(struct lease *lease)
{
    char *path =
        x_asprintf(LEASES "?watch=true&allowWatchBookmarks=true&fieldSelector=metadata.name%%3D%s"
                          "&resourceVersion=%s&timeoutSeconds=%d",
                   lease->config.ns, lease->config.name, lease_record_version(lease->seen), WATCH_SECONDS);

    lease->watching = true;
    lease->ops.watch(lease->ops.ctx, path);
    free(path);
}
