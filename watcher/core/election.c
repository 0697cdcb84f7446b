/* watcher/core/election.c -- leads or stands by: joins the elector to the rest of the core, and says until
 * when writes may start (design 12.15). Only the leader lists and watches: what is kept of an object are
 * hashes, so whoever takes over has to list anyway, and a standby's list and watch would cost the API server
 * as much as the leader's. Called by watcher.c and requests.c. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define RELEASE_MS  (STOP_REST_MS / 2) /* the Lease runs out by itself when nobody can be told */
#define FAREWELL_MS 1000               /* for the Events that are still on their way */

static bool has_election(const struct watcher_core *core)
{
    return core->config.election.name && *core->config.election.name;
}

/* ---- what the elector wants ---- */

static void on_request(void *ctx, enum lease_verb verb, const char *path, char *body, int64_t end_before,
                       bool fresh)
{
    static const enum call_kind kinds[] = {[LEASE_READ] = CALL_LEASE_READ,
                                           [LEASE_CREATE] = CALL_LEASE_CREATE,
                                           [LEASE_UPDATE] = CALL_LEASE_UPDATE};

    requests_start_until(ctx, kinds[verb], x_strdup(path), body, end_before, fresh);
}

static void on_watch(void *ctx, const char *path)
{
    struct watcher_core *core = ctx;

    core->ops.watch(core->ops.ctx, STREAM_LEASE, path);
}

static void on_unwatch(void *ctx)
{
    struct watcher_core *core = ctx;

    core->ops.unwatch(core->ops.ctx, STREAM_LEASE);
}

void election_open(struct watcher_core *core)
{
    const struct watcher_election *e = &core->config.election;
    struct lease_config config = {.ns = e->ns,
                                  .name = e->name,
                                  .identity = e->identity,
                                  .duration_ms = e->duration_ms,
                                  .renew_ms = e->renew_ms,
                                  .retry_ms = e->retry_ms};
    struct lease_ops ops = {.ctx = core, .request = on_request, .watch = on_watch, .unwatch = on_unwatch};

    lease_open(&core->lease, &config, &ops, &core->random);
    core->told_until = -1;
}

/* ---- what follows from it ---- */

static void lead(struct watcher_core *core)
{
    core->leading = true;
    if (has_election(core))
        notes_election(core, "became leader");
    reflector_start(core);
    heartbeat_start(core);
}

static void tell(struct watcher_core *core)
{
    const struct watcher_election *e = &core->config.election;
    char name[KEY_MAX];
    struct msg_leadership body = {
        .leading = core->leading,
        .holder = span_of(core->told_holder),
        .write_until = (uint64_t)election_write_until(core),
        .transitions = lease_transitions(&core->lease),
    };

    snprintf(name, sizeof name, "%s/%s", e->ns, e->name);
    body.lease = span_of(name);
    core_send(core, SUPERVISOR, SUPERVISOR_INCARNATION, MSG_LEADERSHIP, &body, 0);
}

/* Supervisor and gateway hear of every change, and of every renewal. */
static void settle(struct watcher_core *core)
{
    const char *holder = lease_holder(&core->lease);
    int64_t until = lease_write_until(&core->lease);

    if (!has_election(core))
        return;
    if (core->lease.role == ROLE_LOST)
        core->lost = true;
    if (core->lease.role == ROLE_LEADER && !core->leading)
        lead(core);
    else if (core->lease.role != ROLE_LEADER)
        core->leading = false;
    if (until == core->told_until && !strncmp(holder, core->told_holder, LIMIT_HOLDER))
        return;
    core->told_until = until;
    snprintf(core->told_holder, sizeof core->told_holder, "%s", holder);
    if (until)
        grants_extend(core);
    tell(core);
}

void election_start(struct watcher_core *core)
{
    if (!has_election(core)) {
        lead(core);
        return;
    }
    log_info("standing for election", F_STR("namespace", core->config.election.ns),
             F_STR("lease", core->config.election.name), F_STR("identity", core->config.election.identity));
    lease_start(&core->lease, core->now);
}

void election_result(struct watcher_core *core, const struct watcher_result *result)
{
    lease_result(&core->lease, result, core->now);
    settle(core);
}

void election_event(struct watcher_core *core, struct text event)
{
    lease_event(&core->lease, event.p, event.len, core->now);
    settle(core);
}

void election_watch_ended(struct watcher_core *core, int status)
{
    lease_watch_ended(&core->lease, status, core->now);
}

void election_tick(struct watcher_core *core)
{
    lease_tick(&core->lease, core->now);
    settle(core);
}

int64_t election_next_ms(const struct watcher_core *core)
{
    int64_t next = lease_next_ms(&core->lease);

    return core->leading && core->farewell_until_ms && core->farewell_until_ms < next
               ? core->farewell_until_ms
               : next;
}

bool election_stands(struct watcher_core *core)
{
    if (core->leading && core->now.boot_ms >= election_write_until(core))
        election_tick(core);
    return !core->lost;
}

/* Released last (kubernetes 56): an Event sent after that would be another's write. */
static bool said_farewell(struct watcher_core *core)
{
    if (!core->farewell_until_ms) {
        notes_election(core, "stopped leading");
        core->farewell_until_ms = core->now.boot_ms + FAREWELL_MS;
    }
    return !notes_under_way(core) || core->now.boot_ms >= core->farewell_until_ms;
}

void election_leave(struct watcher_core *core)
{
    heartbeat_stop(core);
    if (core->leading && has_election(core) && !said_farewell(core))
        return;
    if (core->lease.role == ROLE_LEADER || core->lease.role == ROLE_CANDIDATE) {
        lease_release(&core->lease, RELEASE_MS, core->now);
        settle(core);
    }
}

bool election_left(const struct watcher_core *core)
{
    return core->lease.role != ROLE_LEADER && core->lease.role != ROLE_CANDIDATE &&
           core->lease.role != ROLE_RELEASING;
}

int64_t election_write_until(const struct watcher_core *core)
{
    return has_election(core) ? lease_write_until(&core->lease) : INT64_MAX;
}

int64_t election_end_until(const struct watcher_core *core)
{
    return has_election(core) ? lease_end_until(&core->lease) : INT64_MAX;
}
