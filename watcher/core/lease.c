/* watcher/core/lease.c -- the elector's attempts: take, renew, stand by, lose, give back. One request at a
 * time; lease_ask.c makes them. Called by election.c. */
#include "watcher/core/lease.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "watcher/core/hash.h"
#include "watcher/core/lease_record.h"
#include "watcher/core/scan.h"
#include "watcher/core/status.h"
#include "watcher/core/version.h"

#define RELEASE_AGAIN_MS 200

void lease_open(struct lease *lease, const struct lease_config *config, const struct lease_ops *ops,
                uint64_t *random)
{
    *lease = (struct lease){.config = *config, .ops = *ops, .random = random, .next_ms = INT64_MAX};
}

void lease_close(struct lease *lease)
{
    json_decref(lease->seen);
    lease->seen = NULL;
}

int64_t lease_write_until(const struct lease *lease)
{
    return lease->role == ROLE_LEADER ? lease->held_ms + lease->config.renew_ms : 0;
}

int64_t lease_end_until(const struct lease *lease)
{
    return lease->role == ROLE_LEADER ? lease->held_ms + lease->config.duration_ms : 0;
}

const char *lease_holder(const struct lease *lease)
{
    return lease_record_holder(lease->seen);
}

uint64_t lease_transitions(const struct lease *lease)
{
    return lease_record_transitions(lease->seen);
}

static bool is_mine(const struct lease *lease)
{
    return !strcmp(lease_record_holder(lease->seen), lease->config.identity);
}

/* When the record, as it was last seen to change, runs out (6.3, step 4). */
static int64_t expiry(const struct lease *lease)
{
    return lease->seen_ms + lease_record_duration_ms(lease->seen);
}

static bool is_free(const struct lease *lease, int64_t now_ms)
{
    return !*lease_record_holder(lease->seen) || expiry(lease) <= now_ms;
}

/* Candidates that lost together do not come back together (kubernetes 6.2). */
static int64_t pause_ms(struct lease *lease)
{
    int64_t retry = lease->config.retry_ms;

    return retry + (int64_t)hash_random_below(lease->random, (uint64_t)retry * 12 / 10);
}

/* The fast path is the leader's alone: whoever does not lead looks first (6.3, step 1). */
static void attempt(struct lease *lease, struct instant now)
{
    lease->attempt_ms = now.boot_ms;
    if (lease->role == ROLE_LEADER && is_mine(lease))
        lease_ask_put(lease, STEP_RENEW, LEASE_RENEW, now);
    else
        lease_ask_read(lease, now);
}

/* ---- what was seen ---- */

/* Only a change of the record counts as a sign of life, and it counts from when it was seen here. An answer
 * that was overtaken by the watch is no news. */
static void observe(struct lease *lease, json_t *object, struct instant now)
{
    struct span version = span_of(lease_record_version(object));

    if (lease->seen &&
        version_compare(version, span_of(lease_record_version(lease->seen))) == VERSION_OLDER) {
        json_decref(object);
        return;
    }
    if (!lease_record_same(lease->seen, object))
        lease->seen_ms = now.boot_ms;
    json_decref(lease->seen);
    lease->seen = object;
}

static void forget(struct lease *lease)
{
    json_decref(lease->seen);
    lease->seen = NULL;
}

/* ---- how an attempt ends ---- */

static void drop_watch(struct lease *lease)
{
    if (lease->watching)
        lease->ops.unwatch(lease->ops.ctx);
    lease->watching = false;
}

static void lose(struct lease *lease, const char *why)
{
    lease->role = ROLE_LOST;
    lease->next_ms = INT64_MAX;
    log_warn("lost the leader Lease", F_STR("lease", lease->config.name), F_STR("why", why),
             F_STR("holder", lease_holder(lease)), F_STR("trouble", lease->trouble));
}

static void next_after_failure(struct lease *lease, struct instant now)
{
    int64_t next = lease->attempt_ms + lease->config.retry_ms;

    if (lease->role == ROLE_LEADER)
        lease->next_ms = next > now.boot_ms ? next : now.boot_ms;
    else
        lease->next_ms = now.boot_ms + pause_ms(lease);
}

static void failed(struct lease *lease, const char *doing, const struct watcher_result *result,
                   struct instant now)
{
    struct kube_status status;

    if (result->fate == KUBE_ANSWERED)
        status_read(result->status, (struct text){.p = result->body, .len = result->body_len}, &status);
    snprintf(lease->trouble, sizeof lease->trouble, "%s: %.100s", doing,
             result->fate == KUBE_ANSWERED ? status.message : result->detail);
    lease->failed++;
    if (!(lease->failures & (lease->failures + 1)))
        log_warn("an attempt at the leader Lease failed; it is tried again",
                 F_STR("lease", lease->config.name), F_STR("error", lease->trouble),
                 F_INT("failures", lease->failures + 1));
    lease->failures++;
    next_after_failure(lease, now);
}

/* A write of ours was carried out. Its term began before it was sent; an answer that comes after the end of
 * that term makes nobody leader. */
static void won(struct lease *lease, struct instant now)
{
    lease->failures = 0;
    lease->trouble[0] = '\0';
    lease->seen_ms = now.boot_ms;
    lease->next_ms = lease->attempt_ms + lease->config.retry_ms;
    if (now.boot_ms >= lease->put_ms + lease->config.renew_ms) {
        lease->next_ms = now.boot_ms;
        return;
    }
    lease->held_ms = lease->put_ms;
    lease->renewals++;
    if (lease->role == ROLE_LEADER)
        return;
    lease->role = ROLE_LEADER;
    drop_watch(lease);
    log_info("became leader", F_STR("lease", lease->config.name), F_STR("identity", lease->config.identity),
             F_INT("transitions", lease_transitions(lease)));
}

/* With a watch open there is nothing to do before the term ends; its end brings polling back (6.4). */
static void stand_by(struct lease *lease)
{
    lease->failures = 0;
    lease->trouble[0] = '\0';
    lease->next_ms = expiry(lease);
    if (!lease->watching)
        lease_ask_watch(lease);
}

/* 6.3, steps 4 and 5, with the record just read. */
static void judge(struct lease *lease, struct instant now)
{
    if (is_mine(lease))
        lease_ask_put(lease, STEP_TAKE, LEASE_RENEW, now);
    else if (is_free(lease, now.boot_ms))
        lease_ask_put(lease, STEP_TAKE, LEASE_TAKE, now);
    else if (lease->role == ROLE_LEADER)
        lose(lease, "another one holds it");
    else
        stand_by(lease);
}

static json_t *object_of(const struct watcher_result *result)
{
    return result->fate == KUBE_ANSWERED && result->status / 100 == 2
               ? lease_record_parse(result->body, result->body_len)
               : NULL;
}

/* A silent watch that missed a change is no watch. */
static void after_read(struct lease *lease, json_t *object, struct instant now)
{
    int64_t seen_ms = lease->seen_ms;
    bool knew = lease->seen;

    observe(lease, object, now);
    if (knew && lease->seen_ms != seen_ms)
        drop_watch(lease);
    judge(lease, now);
}

static void attempt_result(struct lease *lease, enum lease_step step, const struct watcher_result *result,
                           struct instant now)
{
    json_t *object = object_of(result);

    if (step == STEP_READ && result->fate == KUBE_ANSWERED && result->status == 404) {
        forget(lease);
        lease_ask_post(lease, now);
    } else if (step == STEP_READ && object) {
        after_read(lease, object, now);
    } else if (step == STEP_READ) {
        failed(lease, "read", result, now);
    } else if (object && !strcmp(lease_record_holder(object), lease->config.identity)) {
        json_decref(lease->seen);
        lease->seen = object;
        won(lease, now);
    } else if (step == STEP_RENEW) {
        json_decref(object);
        lease_ask_read(lease, now);
    } else {
        json_decref(object);
        failed(lease, step == STEP_CREATE ? "create" : "take", result, now);
    }
}

/* ---- giving it back ---- */

static void over(struct lease *lease, const char *how)
{
    lease->role = ROLE_OVER;
    lease->next_ms = INT64_MAX;
    log_info("out of the leader election", F_STR("lease", lease->config.name), F_STR("how", how));
}

/* The fetched holder decides, not what is remembered: a late release would take a successor's Lease away
 * (kubernetes 56). */
static void release_result(struct lease *lease, enum lease_step step, const struct watcher_result *result,
                           struct instant now)
{
    json_t *object = object_of(result);

    if (step == STEP_READ && result->fate == KUBE_ANSWERED && result->status == 404) {
        over(lease, "it is gone");
    } else if (step == STEP_READ && object) {
        observe(lease, object, now);
        if (is_mine(lease))
            lease_ask_put(lease, STEP_RELEASE, LEASE_RELEASE, now);
        else
            over(lease, "another one's by now");
    } else if (step == STEP_RELEASE && object) {
        json_decref(lease->seen);
        lease->seen = object;
        over(lease, "released");
    } else {
        json_decref(object);
        lease->next_ms = step == STEP_READ ? now.boot_ms + RELEASE_AGAIN_MS : now.boot_ms;
    }
}

void lease_release(struct lease *lease, int64_t within_ms, struct instant now)
{
    bool held = lease->role == ROLE_LEADER || lease->step == STEP_CREATE || lease->step == STEP_TAKE;

    drop_watch(lease);
    if (!held) {
        if (lease->role != ROLE_LOST)
            lease->role = ROLE_OVER;
        lease->next_ms = INT64_MAX;
        return;
    }
    lease->role = ROLE_RELEASING;
    lease->over_ms = now.boot_ms + within_ms;
    lease->next_ms = now.boot_ms;
    lease_tick(lease, now);
}

/* ---- entries ---- */

void lease_start(struct lease *lease, struct instant now)
{
    lease->role = ROLE_CANDIDATE;
    attempt(lease, now);
}

/* True when the leadership is over by the clock. */
static bool is_past(const struct lease *lease, struct instant now)
{
    return lease->role == ROLE_LEADER && now.boot_ms >= lease_write_until(lease);
}

void lease_result(struct lease *lease, const struct watcher_result *result, struct instant now)
{
    enum lease_step step = lease->step;

    lease->step = STEP_NONE;
    lease->doubt = result->fate != KUBE_ANSWERED;
    if (is_past(lease, now))
        lose(lease, "not renewed in time");
    else if (lease->role == ROLE_RELEASING)
        release_result(lease, step, result, now);
    else if (lease->role == ROLE_CANDIDATE || lease->role == ROLE_LEADER)
        attempt_result(lease, step, result, now);
}

void lease_event(struct lease *lease, const char *json, size_t len, struct instant now)
{
    struct text event = {.p = json, .len = len}, object = scan_member(event, "object");
    struct span type = scan_string(scan_member(event, "type"));
    json_t *seen;

    if (!lease->watching || span_is(type, "BOOKMARK"))
        return;
    seen = span_is(type, "ERROR") ? NULL : lease_record_parse(object.p, object.len);
    if (!seen) {
        lease->ops.unwatch(lease->ops.ctx);
        lease_watch_ended(lease, 500, now);
        return;
    }
    if (span_is(type, "DELETED")) {
        json_decref(seen);
        forget(lease);
        lease->next_ms = now.boot_ms;
    } else {
        observe(lease, seen, now);
        lease->next_ms = is_mine(lease) || is_free(lease, now.boot_ms) ? now.boot_ms : expiry(lease);
    }
    lease_tick(lease, now);
}

void lease_watch_ended(struct lease *lease, int status, struct instant now)
{
    int64_t soon = lease->attempt_ms + lease->config.retry_ms;

    if (!lease->watching)
        return;
    lease->watching = false;
    if (status == 0 && soon < now.boot_ms) /* its time was over: go on at once */
        soon = now.boot_ms;
    else
        soon = now.boot_ms + pause_ms(lease);
    if (soon < lease->next_ms)
        lease->next_ms = soon;
}

void lease_tick(struct lease *lease, struct instant now)
{
    if (is_past(lease, now)) {
        lose(lease, "not renewed in time");
        return;
    }
    if (lease->role == ROLE_RELEASING && now.boot_ms >= lease->over_ms) {
        over(lease, "not released in time; it runs out by itself");
        return;
    }
    if (lease->step != STEP_NONE || lease->next_ms > now.boot_ms)
        return;
    if (lease->role == ROLE_RELEASING)
        lease_ask_read(lease, now);
    else if (lease->role == ROLE_CANDIDATE || lease->role == ROLE_LEADER)
        attempt(lease, now);
}

int64_t lease_next_ms(const struct lease *lease)
{
    int64_t next = lease->step == STEP_NONE ? lease->next_ms : INT64_MAX;

    if (lease->role == ROLE_LEADER && lease_write_until(lease) < next)
        return lease_write_until(lease);
    if (lease->role == ROLE_RELEASING && lease->over_ms < next)
        return lease->over_ms;
    return next;
}
