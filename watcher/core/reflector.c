/* watcher/core/reflector.c -- list, then watch from the list's version, for ever (kubernetes 2.7). A list is
 * one stream that goes on as the watch (stream.c); where that fails, it comes by pages. Owns the versions and
 * the waits between attempts; never ends the process whatever the server answers. Called by stream.c,
 * election.c, requests.c, watcher.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/core.h"

#define LIST_PAGE          500 /* as client-go; its items are read one by one (kubernetes 68) */
#define RETRY_AFTER_MAX_MS 60000

void reflector_wait(struct watcher_core *core, bool then_watch, int64_t at_least_ms)
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
void reflector_trouble(struct watcher_core *core, const char *doing, const char *reason, const char *message)
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

void reflector_trouble_over(struct watcher_core *core)
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

/* The version asked for is the last one seen, so that the view never goes back in time (kubernetes 2.2, 19).
 * Nothing is known to be gone before the list has ended: then what it has not shown. */
static void round_begin(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    r->list++;
    r->lists++;
    r->listed = 0;
    r->list_version[0] = '\0';
    r->asked_version = r->version[0] && !r->from_empty;
    cache_round_begin(&core->cache);
}

/* NotOlderThan keeps the paging. */
void reflector_pages(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    round_begin(core);
    r->state = REFLECTOR_LISTING;
    r->wake_ms = INT64_MAX;
    page_ask(core,
             r->asked_version
                 ? x_asprintf(COLLECTION "?limit=%d&resourceVersion=%s&resourceVersionMatch=NotOlderThan",
                              LIST_PAGE, r->version)
                 : x_asprintf(COLLECTION "?limit=%d", LIST_PAGE));
}

static void list_begin(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    if (r->by_pages || r->never_streamed) {
        reflector_pages(core);
        return;
    }
    round_begin(core);
    stream_list(core);
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

void reflector_complete(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    r->from_empty = r->restarted = r->by_pages = false;
    r->streams_lost = 0;
    r->complete++;
    memcpy(r->version, r->list_version, sizeof r->version);
    events_list_complete(core);
    ahead_reached(core, span_of(r->version));
    reflector_trouble_over(core);
    if (r->synced)
        return;
    log_info("first list complete", F_INT("objects", core->cache.count),
             F_STR("resourceVersion", r->version));
    r->synced = true;
    drift_start(core);
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
        reflector_pages(core);
        return;
    }
    r->restarted = false;
    reflector_trouble(core, "list", status->reason, status->message);
    reflector_wait(core, false, status->retry_after_ms);
}

void reflector_item(struct watcher_core *core, const struct call *call, struct text item)
{
    const struct reflector *r = &core->reflector;

    if (call->list == r->list && r->state == REFLECTOR_LISTING)
        events_seen(core, r->synced ? SEEN_RELIST : SEEN_FIRST_LIST, item);
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
    struct span token = scan_string(scan_path(body, "metadata", "continue", NULL));
    if (token.len) {
        page_next(core, token);
        return;
    }
    reflector_complete(core);
    stream_watch(core);
}

/* ---- time ---- */

void reflector_start(struct watcher_core *core)
{
    core->reflector.backoff_reset_ms = core->reflector.began_ms = core->now.boot_ms;
    list_begin(core);
}

void reflector_tick(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;

    if (r->state == REFLECTOR_OFF || core->now.boot_ms < r->wake_ms)
        return;
    if (stream_is_open(r)) {
        stream_tick(core);
    } else if (r->state == REFLECTOR_WAITING) {
        if (r->then_watch)
            stream_watch(core);
        else
            list_begin(core);
    }
}
