/* watcher/core/watcher.c -- the entries of the core: each one notes the time, hands on what came in, and then
 * gives work to whoever is idle. Owns struct watcher_core. Called by watcher/main.c and tests/world. */
#include "watcher/core/watcher.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

struct watcher_core *watcher_core_new(const struct watcher_config *config, const struct watcher_ops *ops,
                                      struct instant now)
{
    struct watcher_core *core = x_calloc(1, sizeof *core);

    core->config = *config;
    core->classes = x_strdup(config->classes ? config->classes : "");
    core->field_manager = x_strdup(config->field_manager ? config->field_manager : "");
    core->ops = *ops;
    core->now = now;
    core->random = config->seed;
    core->hash.k0 = hash_random(&core->random);
    core->hash.k1 = hash_random(&core->random);
    core->rules =
        (struct admit_rules){.ignore_operation = config->ignore_operation, .classes = core->classes};
    core->reflector.wake_ms = core->drift.wake_ms = INT64_MAX;
    cache_open(&core->cache, &core->hash);
    queue_open(&core->queue, &core->hash, &core->random);
    pack_open(&core->scratch);
    election_open(core);
    return core;
}

void watcher_core_free(struct watcher_core *core)
{
    if (!core)
        return;
    jobs_close(core);
    requests_close(core);
    lease_close(&core->lease);
    ahead_close(core);
    queue_close(&core->queue);
    cache_close(&core->cache);
    pack_close(&core->scratch);
    free(core->suspects);
    explain_close(core);
    free(core->classes);
    free(core->field_manager);
    free(core);
}

void core_send(struct watcher_core *core, unsigned role, uint64_t to, enum msg_id id, const void *body,
               uint64_t correlation)
{
    struct envelope envelope = {
        .from = core->config.incarnation,
        .to = to,
        .correlation = correlation,
        .epoch = core->epoch,
    };

    if (!correlation)
        envelope.correlation = core->config.incarnation << 32 | (++core->next_correlation & UINT32_MAX);
    core->ops.send(core->ops.ctx, role, to, id, body, &envelope);
}

bool core_worth_a_line(unsigned failures)
{
    return !(failures & (failures - 1));
}

/* ---- messages ---- */

static void on_peer(struct watcher_core *core, const struct msg_peer *peer)
{
    if (peer->role == WORKER)
        jobs_worker_up(core, peer->incarnation);
    else if (peer->role == GATEWAY)
        core->gateway = peer->incarnation;
}

static void on_peer_gone(struct watcher_core *core, const struct msg_peer_gone *gone)
{
    if (gone->incarnation && gone->incarnation == core->gateway) {
        core->gateway = 0;
        grants_gateway_gone(core);
    } else {
        jobs_worker_gone(core, gone);
    }
}

static void on_go(struct watcher_core *core, uint64_t epoch)
{
    bool first = !core->epoch;

    core->epoch = epoch;
    if (first)
        election_start(core);
}

/* Jobs that no worker has seen are dropped: a successor's list finds their objects again. */
static void on_drain(struct watcher_core *core)
{
    core->draining = true;
    for (struct job *job = core->jobs, *next; job; job = next) {
        next = job->next;
        if (job->phase == PHASE_PREPARING || job->phase == PHASE_GRANTING) {
            grants_revoke(core, job);
            jobs_give_back(core, job, 0);
        }
    }
}

/* What the object waits for is waited for no longer. One that is settled is compared with what is at Packet;
 * what is found is put right. */
static void on_retry(struct watcher_core *core, struct span key)
{
    const char *slash = memchr(key.p, '/', key.len);
    char text[KEY_MAX];

    if (!slash)
        return;
    struct span ns = {.p = key.p, .len = (uint32_t)(slash - key.p)};
    struct span name = {.p = slash + 1, .len = key.len - ns.len - 1};

    quarantine_release(core, key);
    if (cache_find(&core->cache, ns, name)) {
        queue_add(&core->queue, ns, name, PRIORITY_PERIODIC, (struct value){0}, core->now.boot_ms);
        queue_come(&core->queue, queue_find(&core->queue, ns, name));
    } else {
        span_copy(key, text, sizeof text);
        log_warn("asked to try an object that is not known here", F_STR("key", text));
    }
}

static void from_supervisor(struct watcher_core *core, const struct message *message)
{
    switch (message->spec->id) {
    case MSG_PEER: on_peer(core, &message->body.peer); break;
    case MSG_PEER_GONE: on_peer_gone(core, &message->body.peer_gone); break;
    case MSG_SUSPECTED: quarantine_known(core, &message->body.suspected); break;
    case MSG_HOLD: core->held = message->body.hold.on != 0; break;
    case MSG_RETRY: on_retry(core, message->body.retry.key); break;
    case MSG_EXPLAIN: explain_take(core, &message->body.explain); break;
    case MSG_RELEASE: quarantine_release(core, message->body.release.key); break;
    case MSG_GO: on_go(core, message->body.go.epoch); break;
    case MSG_HEALTH: heartbeat_health(core, &message->body.health); break;
    case MSG_DRAIN: on_drain(core); break;
    default: break;
    }
}

static void from_worker(struct watcher_core *core, uint64_t from, const struct message *message)
{
    switch (message->spec->id) {
    case MSG_IDLE: jobs_idle(core, from); break;
    case MSG_STARTED: jobs_started(core, from, message->body.started.job); break;
    case MSG_PATCH: writes_patch(core, from, message); break;
    case MSG_FETCH: writes_fetch(core, from, message); break;
    case MSG_NOTE: notes_take(core, from, message); break;
    case MSG_DONE: jobs_done(core, from, &message->body.done); break;
    default: break;
    }
}

static void from_gateway(struct watcher_core *core, uint64_t from, const struct message *message)
{
    if (from != core->gateway)
        return;
    if (message->spec->id == MSG_GRANTED) {
        grants_answer(core, &message->body.granted);
        grants_cover(core);
    } else if (message->spec->id == MSG_REVOKED) {
        grants_revoked(core, message->body.revoked.handle);
    } else if (message->spec->id == MSG_COME) {
        grants_come(core, message->body.come.owner);
    }
}

/* Every entry begins with the clock: who comes back from a stop after the end of its leadership does nothing
 * any more (design 12.15). */
static bool enter(struct watcher_core *core, struct instant now)
{
    core->now = now;
    return election_stands(core);
}

static void leave(struct watcher_core *core)
{
    if (!election_stands(core))
        return;
    jobs_pump(core);
    if (core->draining && !core->jobs)
        election_leave(core);
}

void watcher_core_message(struct watcher_core *core, unsigned from_role, uint64_t from,
                          const struct message *message, struct instant now)
{
    if (!enter(core, now))
        return;
    if (from_role == SUPERVISOR)
        from_supervisor(core, message);
    else if (from_role == WORKER)
        from_worker(core, from, message);
    else if (from_role == GATEWAY)
        from_gateway(core, from, message);
    leave(core);
}

/* ---- HTTP and time ---- */

void watcher_core_result(struct watcher_core *core, const struct watcher_result *result, struct instant now)
{
    if (!enter(core, now))
        return;
    requests_result(core, result);
    leave(core);
}

void watcher_core_item(struct watcher_core *core, uint64_t id, const char *json, size_t len,
                       struct instant now)
{
    if (!enter(core, now))
        return;
    requests_item(core, id, (struct text){.p = json, .len = len});
    leave(core);
}

void watcher_core_event(struct watcher_core *core, enum watcher_stream stream, const char *json, size_t len,
                        struct instant now)
{
    struct text event = {.p = json, .len = len};

    if (!enter(core, now))
        return;
    if (stream == STREAM_LEASE)
        election_event(core, event);
    else
        stream_event(core, event);
    leave(core);
}

void watcher_core_watch_ended(struct watcher_core *core, enum watcher_stream stream, int status,
                              const char *body, size_t len, int64_t retry_after_ms, struct instant now)
{
    if (!enter(core, now))
        return;
    if (stream == STREAM_LEASE)
        election_watch_ended(core, status);
    else
        stream_ended(core, status, (struct text){.p = body, .len = len}, retry_after_ms);
    leave(core);
}

void watcher_core_tick(struct watcher_core *core, struct instant now)
{
    if (!enter(core, now))
        return;
    election_tick(core);
    heartbeat_tick(core);
    reflector_tick(core);
    requests_tick(core);
    jobs_tick(core);
    drift_tick(core);
    leave(core);
}

static int64_t sync_before(const struct watcher_core *core)
{
    int64_t within = core->config.sync_timeout_ms;

    return within && core->leading && !core->reflector.synced ? core->reflector.began_ms + within : INT64_MAX;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t watcher_core_next_ms(const struct watcher_core *core)
{
    int64_t next = earliest(core->reflector.wake_ms, requests_next_ms(core));

    if (core->lost)
        return INT64_MAX;
    next = earliest(next, earliest(election_next_ms(core), heartbeat_next_ms(core)));
    next = earliest(next, earliest(sync_before(core), drift_next_ms(core)));
    return earliest(next, jobs_next_ms(core));
}

/* ---- what others want to know ---- */

bool watcher_core_synced(const struct watcher_core *core)
{
    return core->reflector.synced;
}

uint64_t watcher_core_lists(const struct watcher_core *core)
{
    return core->reflector.complete;
}

bool watcher_core_overdue(const struct watcher_core *core)
{
    return core->now.boot_ms >= sync_before(core);
}

bool watcher_core_finished(const struct watcher_core *core)
{
    return core->draining && !core->jobs && election_left(core);
}

bool watcher_core_lost(const struct watcher_core *core)
{
    return core->lost;
}

void watcher_core_gauges(const struct watcher_core *core, struct instant now, struct watcher_gauges *out)
{
    *out = (struct watcher_gauges){
        .objects = core->cache.count,
        .queued = queue_depth(&core->queue),
        .ready = core->queue.ready.count,
        .waiting_for_budget = core->queue.for_budget,
        .events = core->reflector.events,
        .lists = core->reflector.lists,
        .watches = core->reflector.watches,
        .unreadable = core->reflector.unreadable,
        .jobs = core->jobs_started,
        .failed = core->jobs_failed,
        .strikes = core->strikes,
        .quarantined = quarantine_count(core),
        .quarantines = core->quarantines,
        .refused = core->refused,
        .leading = core->leading,
        .renewals = core->lease.renewals,
        .renewals_failed = core->lease.failed,
        .heartbeats = core->heartbeat.beats,
        .adds = core->queue.adds,
        .retries = core->queue.retries,
        .watch_silent_ms = core->leading ? (uint64_t)(now.boot_ms - core->reflector.heard_ms) : 0,
        .measures = &core->measures,
        .waits = &core->queue.waits,
    };
    static_assert(PRIORITIES == WATCHER_PRIORITIES, "in the order of enum queue_priority");
    queue_ready(&core->queue, out->ready_by);
    for (const struct job *job = core->jobs; job; job = job->next) {
        uint64_t ms = (uint64_t)(now.boot_ms - job->began_ms);

        out->running++;
        out->unfinished_ms += ms;
        out->longest_ms = ms > out->longest_ms ? ms : out->longest_ms;
    }
    for (const struct call *call = core->requests; call; call = call->next)
        out->requests += !call->resend_ms;
}

const char *watcher_core_doing(struct watcher_core *core)
{
    static const char *const states[] = {[REFLECTOR_OFF] = "waiting for GO",
                                         [REFLECTOR_STREAMING] = "listing",
                                         [REFLECTOR_LISTING] = "listing by pages",
                                         [REFLECTOR_WATCHING] = "watching",
                                         [REFLECTOR_WAITING] = "waiting for the API server"};
    size_t running = 0;

    if (core->epoch && !core->leading) {
        snprintf(core->doing, sizeof core->doing, "standby; %s holds the Lease",
                 *lease_holder(&core->lease) ? lease_holder(&core->lease) : "nobody");
        return core->doing;
    }
    for (const struct job *job = core->jobs; job; job = job->next)
        running++;
    snprintf(core->doing, sizeof core->doing, "%s, %zu objects, %zu queued, %zu running",
             core->reflector.silent ? "watching in silence" : states[core->reflector.state],
             core->cache.count, queue_depth(&core->queue), running);
    return core->doing;
}
