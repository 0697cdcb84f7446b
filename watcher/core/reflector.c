/* watcher/core/reflector.c -- list, then watch from the list's version, for ever (kubernetes 2.7). Owns the
 * versions and the waits between attempts; never ends the process whatever the server answers. Called by
 * watcher.c, requests.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define LIST_PAGE          100
#define WATCH_LEAST_S      300   /* timeoutSeconds is drawn from [300, 600) (kubernetes 2.7) */
#define WATCH_GRACE_MS     30000 /* a stream that outlives its time by this is ended here (kubernetes 23) */
#define WATCH_SHORT_MS     1000  /* without an event: no real watch (kubernetes 2.5) */
#define RETRY_AFTER_MAX_MS 60000
#define COLLECTION         API_GROUP "/infrastructures"

static void wait_then(struct watcher_core *core, bool then_watch, int64_t at_least_ms)
{
    struct reflector *r = &core->reflector;
    int64_t wait = reflector_backoff(core);

    if (at_least_ms > RETRY_AFTER_MAX_MS)
        at_least_ms = RETRY_AFTER_MAX_MS;
    r->state = REFLECTOR_WAITING;
    r->then_watch = then_watch;
    r->wake_ms = core->now.boot_ms + (wait > at_least_ms ? wait : at_least_ms);
}

/* Each change of what is wrong is told once (the brief of an outage, not its length). */
static void trouble(struct watcher_core *core, const char *doing, const char *reason, const char *message)
{
    struct reflector *r = &core->reflector;
    char now[sizeof r->trouble];

    snprintf(now, sizeof now, "%s: %.40s", doing, reason);
    if (!strcmp(now, r->trouble))
        return;
    memcpy(r->trouble, now, sizeof r->trouble);
    log_warn("cannot reach the API server as needed; keeps trying", F_STR("doing", doing),
             F_STR("reason", reason), F_STR("error", message));
}

static void trouble_over(struct watcher_core *core)
{
    if (core->reflector.trouble[0])
        log_info("the API server answers again", F_STR("after", core->reflector.trouble));
    core->reflector.trouble[0] = '\0';
}

/* ---- list ---- */

static void page_ask(struct watcher_core *core, char *path)
{
    struct call *call = requests_start(core, CALL_LIST, NULL, path, NULL, INT64_MAX);

    call->list = core->reflector.list;
}

/* The version asked for is the last one seen, so that the view never goes back in time; NotOlderThan keeps
 * the paging (kubernetes 2.2, 19). */
static void list_begin(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    r->state = REFLECTOR_LISTING;
    r->wake_ms = INT64_MAX;
    r->list++;
    r->lists++;
    r->listed = 0;
    r->list_version[0] = '\0';
    r->asked_version = r->version[0] && !r->from_empty;
    cache_round_begin(&core->cache);
    page_ask(core,
             r->asked_version
                 ? x_asprintf(COLLECTION "?limit=%d&resourceVersion=%s&resourceVersionMatch=NotOlderThan",
                              LIST_PAGE, r->version)
                 : x_asprintf(COLLECTION "?limit=%d", LIST_PAGE));
}

/* Continue tokens are base64 of some kind, or anything else. Caller frees. */
static char *encoded(struct span text)
{
    char *out = x_malloc(3 * (size_t)text.len + 1), *at = out;

    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c))
            *at++ = (char)c;
        else
            at += sprintf(at, "%%%02X", c);
    }
    *at = '\0';
    return out;
}

static void page_next(struct watcher_core *core, struct span token)
{
    char *text = encoded(token);

    page_ask(core, x_asprintf(COLLECTION "?limit=%d&continue=%s", LIST_PAGE, text));
    free(text);
}

static void watch_begin(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;
    int64_t seconds = WATCH_LEAST_S + (int64_t)hash_random_below(&core->random, WATCH_LEAST_S);
    char *path =
        x_asprintf(COLLECTION "?watch=true&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%lld",
                   r->version, (long long)seconds);

    r->state = REFLECTOR_WATCHING;
    r->watches++;
    r->watch_began_ms = r->heard_ms = core->now.boot_ms;
    r->watch_events = 0;
    r->wake_ms = core->now.boot_ms + seconds * 1000 + WATCH_GRACE_MS;
    core->ops.watch(core->ops.ctx, STREAM_OBJECTS, path);
    free(path);
}

static void list_complete(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    r->from_empty = r->restarted = false;
    memcpy(r->version, r->list_version, sizeof r->version);
    events_list_complete(core);
    ahead_reached(core, span_of(r->version));
    trouble_over(core);
    if (!r->synced)
        log_info("first list complete", F_INT("objects", core->cache.count),
                 F_STR("resourceVersion", r->version));
    r->synced = true;
    watch_begin(core);
}

/* An expired or future version falls back to none, at once and once; anything else waits (kubernetes 2.7,
 * 16). */
static void list_failed(struct watcher_core *core, const struct kube_status *status, bool first_page)
{
    struct reflector *r = &core->reflector;
    bool expired = status_expired(status) || status->too_large;

    if (expired && (first_page ? r->asked_version : !r->restarted)) {
        r->from_empty = true;
        r->restarted = !first_page;
        list_begin(core);
        return;
    }
    r->restarted = false;
    trouble(core, "list", status->reason, status->message);
    wait_then(core, false, status->retry_after_ms);
}

static void page_take(struct watcher_core *core, struct text body)
{
    struct reflector *r = &core->reflector;
    struct text items = scan_member(body, "items"), item;
    struct span token = scan_string(scan_path(body, "metadata", "continue", NULL));
    size_t at = 0;

    while (scan_item(items, &at, &item))
        events_seen(core, r->synced ? SEEN_RELIST : SEEN_FIRST_LIST, item);
    if (token.len)
        page_next(core, token);
    else
        list_complete(core);
}

void reflector_listed(struct watcher_core *core, const struct call *call, const struct watcher_result *result)
{
    struct reflector *r = &core->reflector;
    struct text body = {.p = result->body, .len = result->body_len};
    struct span version = scan_string(scan_path(body, "metadata", "resourceVersion", NULL));
    struct kube_status status;
    bool first_page = !r->list_version[0];

    if (call->list != r->list || r->state != REFLECTOR_LISTING)
        return;
    if (result->fate != KUBE_ANSWERED) {
        status = (struct kube_status){.reason = "Unreachable", .retry_after_ms = -1};
        snprintf(status.message, sizeof status.message, "%s", result->detail);
        list_failed(core, &status, first_page);
        return;
    }
    if (result->status != 200 || !version.len || version.len >= VERSION_MAX) {
        status_read(result->status, body, &status);
        if (result->retry_after_ms > status.retry_after_ms)
            status.retry_after_ms = result->retry_after_ms;
        list_failed(core, &status, first_page);
        return;
    }
    if (first_page)
        span_copy(version, r->list_version, sizeof r->list_version);
    page_take(core, body);
}

/* ---- watch ---- */

/* The loop of watching is left: one wait, then a list (kubernetes 2.5, 2.7). */
static void watch_leave(struct watcher_core *core, int64_t at_least_ms)
{
    wait_then(core, false, at_least_ms);
}

static void stream_failed(struct watcher_core *core, const struct kube_status *status)
{
    if (status->code == 429) {
        wait_then(core, true, status->retry_after_ms);
        return;
    }
    if (!status_expired(status))
        trouble(core, "watch", status->reason, status->message);
    watch_leave(core, status->retry_after_ms);
}

static bool event_take(struct watcher_core *core, struct span type, struct text object)
{
    if (span_is(type, "ADDED") || span_is(type, "MODIFIED"))
        events_seen(core, SEEN_EVENT, object);
    else if (span_is(type, "DELETED"))
        events_deleted(core, object);
    else if (!span_is(type, "BOOKMARK"))
        return false;
    return true;
}

void reflector_event(struct watcher_core *core, struct text event)
{
    struct reflector *r = &core->reflector;
    struct span type = scan_string(scan_member(event, "type"));
    struct text object = scan_member(event, "object");
    struct span version = scan_string(scan_path(object, "metadata", "resourceVersion", NULL));
    struct kube_status status;

    if (r->state != REFLECTOR_WATCHING)
        return;
    r->heard_ms = core->now.boot_ms;
    r->watch_events++;
    r->events++;
    if (event_take(core, type, object) && version.len && version.len < VERSION_MAX) {
        span_copy(version, r->version, sizeof r->version);
        ahead_reached(core, version);
        trouble_over(core);
        return;
    }
    status_read(span_is(type, "ERROR") ? 0 : 500, object, &status);
    core->ops.unwatch(core->ops.ctx, STREAM_OBJECTS);
    stream_failed(core, &status);
}

void reflector_watch_ended(struct watcher_core *core, int code, struct text body, int64_t retry_after_ms)
{
    struct reflector *r = &core->reflector;
    struct kube_status status;

    if (r->state != REFLECTOR_WATCHING)
        return;
    if (code > 0) {
        status_read(code, body, &status);
        if (retry_after_ms > status.retry_after_ms)
            status.retry_after_ms = retry_after_ms;
        stream_failed(core, &status);
    } else if (code < 0) {
        status_read(0, body, &status);
        trouble(core, "watch", "Unreachable", status.message);
        wait_then(core, true, -1);
    } else if (!r->watch_events && core->now.boot_ms - r->watch_began_ms < WATCH_SHORT_MS) {
        watch_leave(core, -1);
    } else {
        watch_begin(core);
    }
}

void reflector_start(struct watcher_core *core)
{
    core->reflector.backoff_reset_ms = core->now.boot_ms;
    list_begin(core);
}

void reflector_tick(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    if (r->state == REFLECTOR_OFF || core->now.boot_ms < r->wake_ms)
        return;
    if (r->state == REFLECTOR_WATCHING) {
        core->ops.unwatch(core->ops.ctx, STREAM_OBJECTS);
        watch_begin(core);
    } else if (r->state == REFLECTOR_WAITING) {
        if (r->then_watch)
            watch_begin(core);
        else
            list_begin(core);
    }
}
