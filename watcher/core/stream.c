/* watcher/core/stream.c -- the stream: first, as a list, all that there is (kubernetes 2.6), then what
 * happens. A list without it costs a page's JSON and a second request; with it each object is read as it
 * comes. Owns the stream's times; when it ends, says which way to go on. Called by reflector.c, watcher.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define WATCH_LEAST_S    300    /* timeoutSeconds is drawn from [300, 600) (kubernetes 2.7) */
#define WATCH_GRACE_MS   30000  /* a stream that outlives its time by this is ended here (kubernetes 23) */
#define WATCH_SHORT_MS   1000   /* without an event: no real watch (kubernetes 2.5) */
#define WATCH_SILENT_MS  180000 /* bookmarks come every minute (kubernetes 2.8) */
#define STREAM_SILENT_MS 30000  /* an older server takes such a list for a plain watch and never ends it */
#define STREAMS_LOST_MAX 3      /* lists that broke off; then one by pages, which gets on page by page */

bool stream_is_open(const struct reflector *r)
{
    return r->state == REFLECTOR_STREAMING || r->state == REFLECTOR_WATCHING;
}

/* When to look at it again if nothing comes. */
static void wake_set(struct reflector *r)
{
    int64_t silent =
        r->silent ? INT64_MAX
                  : r->heard_ms + (r->state == REFLECTOR_STREAMING ? STREAM_SILENT_MS : WATCH_SILENT_MS);

    r->wake_ms = silent < r->watch_until_ms ? silent : r->watch_until_ms;
}

static void open_stream(struct watcher_core *core, enum reflector_state state, const char *how,
                        const char *version)
{
    struct reflector *r = &core->reflector;
    int64_t seconds = WATCH_LEAST_S + (int64_t)hash_random_below(&core->random, WATCH_LEAST_S);
    char *path = x_asprintf(COLLECTION "?watch=true&allowWatchBookmarks=true%s%s%s&timeoutSeconds=%lld", how,
                            *version ? "&resourceVersion=" : "", version, (long long)seconds);

    r->state = state;
    r->watches++;
    r->watch_began_ms = r->heard_ms = core->now.boot_ms;
    r->watch_events = 0;
    r->silent = false;
    r->watch_until_ms = core->now.boot_ms + seconds * 1000 + WATCH_GRACE_MS;
    wake_set(r);
    core->ops.watch(core->ops.ctx, STREAM_OBJECTS, path);
    free(path);
}

void stream_watch(struct watcher_core *core)
{
    open_stream(core, REFLECTOR_WATCHING, "", core->reflector.version);
}

void stream_list(struct watcher_core *core)
{
    open_stream(core, REFLECTOR_STREAMING, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                core->reflector.asked_version ? core->reflector.version : "");
}

/* ---- how it goes on ---- */

/* By pages, then, until a list is complete; a busy or dead server is given time before (kubernetes 24, 26).
 */
static void list_failed(struct watcher_core *core, const struct kube_status *status)
{
    struct reflector *r = &core->reflector;
    bool wait = !status->code || status->code == 429 || status->code >= 500;

    r->by_pages = true;
    if ((status_expired(status) || status->too_large) && r->asked_version) {
        r->from_empty = true;
        wait = false;
    }
    if (wait) {
        reflector_trouble(core, "list", status->reason, status->message);
        reflector_wait(core, false, status->retry_after_ms);
        return;
    }
    if (!r->told_pages)
        log_info("no streaming list; lists by pages", F_STR("reason", status->reason),
                 F_STR("error", status->message));
    r->told_pages = true;
    reflector_pages(core);
}

static void failed(struct watcher_core *core, const struct kube_status *status)
{
    if (core->reflector.state == REFLECTOR_STREAMING) {
        list_failed(core, status);
    } else if (status->code == 429) {
        reflector_wait(core, true, status->retry_after_ms);
    } else { /* the loop of watching is left: one wait, then a list (kubernetes 2.5, 2.7) */
        if (!status_expired(status))
            reflector_trouble(core, "watch", status->reason, status->message);
        reflector_wait(core, false, status->retry_after_ms);
    }
}

/* The stream or its connection has ended without a word. */
static void lost(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    if (r->state == REFLECTOR_STREAMING) { /* the list starts over */
        r->by_pages = ++r->streams_lost >= STREAMS_LOST_MAX;
        reflector_wait(core, false, -1);
    } else if (!r->watch_events && core->now.boot_ms - r->watch_began_ms < WATCH_SHORT_MS) {
        reflector_wait(core, false, -1);
    } else {
        stream_watch(core);
    }
}

static bool event_take(struct watcher_core *core, struct span type, struct text object)
{
    struct reflector *r = &core->reflector;
    bool initial = r->state == REFLECTOR_STREAMING && span_is(type, "ADDED");

    if (span_is(type, "ADDED") || span_is(type, "MODIFIED"))
        events_seen(core, !initial ? SEEN_EVENT : r->synced ? SEEN_RELIST : SEEN_FIRST_LIST, object);
    else if (span_is(type, "DELETED"))
        events_deleted(core, object);
    else if (!span_is(type, "BOOKMARK"))
        return false;
    return true;
}

static bool ends_initial(struct span type, struct text object)
{
    return span_is(type, "BOOKMARK") && span_is(scan_string(scan_path(object, "metadata", "annotations",
                                                                      "k8s.io/initial-events-end", NULL)),
                                                "true");
}

/* Before the end of a streaming list its events are in no order: only its end has a version (kubernetes 2.4).
 */
static void event_reaches(struct watcher_core *core, struct span type, struct text object,
                          struct span version)
{
    struct reflector *r = &core->reflector;

    if (r->state == REFLECTOR_WATCHING) {
        span_copy(version, r->version, sizeof r->version);
        ahead_reached(core, version);
        reflector_trouble_over(core);
    } else if (ends_initial(type, object)) {
        span_copy(version, r->list_version, sizeof r->list_version);
        r->state = REFLECTOR_WATCHING;
        reflector_complete(core);
    }
    wake_set(r);
}

void stream_event(struct watcher_core *core, struct text event)
{
    struct reflector *r = &core->reflector;
    struct span type = scan_string(scan_member(event, "type"));
    struct text object = scan_member(event, "object");
    struct span version = scan_string(scan_path(object, "metadata", "resourceVersion", NULL));
    struct kube_status status;

    if (!stream_is_open(r))
        return;
    r->heard_ms = core->now.boot_ms;
    r->silent = false;
    r->watch_events++;
    r->events++;
    if (event_take(core, type, object) && version.len && version.len < VERSION_MAX) {
        event_reaches(core, type, object, version);
        return;
    }
    status_read(span_is(type, "ERROR") ? 0 : 500, object, &status);
    core->ops.unwatch(core->ops.ctx, STREAM_OBJECTS);
    failed(core, &status);
}

void stream_ended(struct watcher_core *core, int code, struct text body, int64_t retry_after_ms)
{
    struct reflector *r = &core->reflector;
    struct kube_status status;

    if (!stream_is_open(r))
        return;
    if (!code) {
        lost(core);
        return;
    }
    status_read(code > 0 ? code : 0, body, &status);
    if (retry_after_ms > status.retry_after_ms)
        status.retry_after_ms = retry_after_ms;
    if (code > 0) {
        failed(core, &status);
    } else {
        reflector_trouble(core, "watch", "Unreachable", status.message);
        r->by_pages = r->state == REFLECTOR_STREAMING;
        reflector_wait(core, r->state == REFLECTOR_WATCHING, -1);
    }
}

/* Over its time, or silent for too long. */
void stream_tick(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;
    bool over = core->now.boot_ms >= r->watch_until_ms;

    if (r->state == REFLECTOR_STREAMING) {
        r->never_streamed = true;
        core->ops.unwatch(core->ops.ctx, STREAM_OBJECTS);
        log_warn("a streaming list does not end; lists by pages from now on",
                 F_INT("events", r->watch_events), F_STR("reason", over ? "time is over" : "silent"));
        reflector_pages(core);
    } else if (over) {
        core->ops.unwatch(core->ops.ctx, STREAM_OBJECTS);
        stream_watch(core);
    } else {
        r->silent = true;
        reflector_trouble(core, "watch", "Silent", "nothing was heard for three minutes, no bookmark either");
        wake_set(r);
    }
}
