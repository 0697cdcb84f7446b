/* tests/sim/kube-apiserver/core/watch.c -- one watch: where it stands in the history and what it sends next.
 * Owns the order initial events, bookmark, live events (kubernetes 2.4 to 2.6). Never waits; the caller asks
 * again after each write. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/watch.h"

static bool fault_is(const struct kube_watch *watch, const char *action)
{
    return strcmp(watch->fault.action, action) == 0;
}

/* ---- lines ---- */

static void line_begin(struct kube_watch *watch, const char *type)
{
    watch->text.len = 0;
    ks_text_fmt(&watch->text, "{\"type\":\"%s\",\"object\":", type);
}

static const char *line_end(struct kube_watch *watch, size_t *len)
{
    ks_text_add(&watch->text, "}\n", 2);
    *len = watch->text.len;
    return watch->text.data;
}

static const char *object_line(struct kube_watch *watch, const char *type, struct ks_object *object,
                               size_t *len)
{
    line_begin(watch, type);
    if (watch->form == KS_TABLE) {
        /* ages in a watch are told from the time the watch began: no clock is at hand here */
        ks_table(&watch->text, watch->res, &object, 1, ks_str(object->json, "metadata.resourceVersion"), "",
                 watch->first_table, watch->include, watch->opened_ms);
        watch->first_table = false;
    } else if (watch->form == KS_PARTIAL || watch->form == KS_PARTIAL_LIST) {
        ks_partial(&watch->text, object);
    } else {
        ks_text_add(&watch->text, object->text, object->len);
    }
    watch->sent++;
    if (fault_is(watch, "duplicate"))
        watch->repeat = true;
    return line_end(watch, len);
}

/* What Go writes of an empty object of the kind, because omitempty leaves no struct out. */
static const char *empty_members(const struct ks_resource *res)
{
    if (strcmp(res->kind, "Lease") == 0 && !res->custom)
        return ",\"spec\":{}";
    if (strcmp(res->kind, "Namespace") == 0 && !res->custom)
        return ",\"spec\":{},\"status\":{}";
    if (strcmp(res->kind, "Event") == 0 && !res->custom)
        return ",\"involvedObject\":{},\"source\":{},\"firstTimestamp\":null,\"lastTimestamp\":null,"
               "\"eventTime\":null,\"reportingComponent\":\"\",\"reportingInstance\":\"\"";
    return "";
}

static const char *bookmark_line(struct kube_watch *watch, uint64_t revision, bool initial_end, size_t *len)
{
    char buf[KS_NAME_MAX + 64];

    line_begin(watch, "BOOKMARK");
    if (watch->form == KS_TABLE)
        ks_text_fmt(&watch->text, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",");
    else if (watch->form == KS_PARTIAL || watch->form == KS_PARTIAL_LIST)
        ks_text_fmt(&watch->text, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",");
    else
        ks_text_fmt(&watch->text, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", watch->res->kind,
                    ks_api_version(watch->res, buf, sizeof buf));
    ks_text_fmt(&watch->text, "\"metadata\":{\"resourceVersion\":\"%llu\"%s}", (unsigned long long)revision,
                initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    if (watch->form == KS_TABLE)
        ks_text_str(&watch->text, ",\"columnDefinitions\":null,\"rows\":null");
    else
        ks_text_str(&watch->text, empty_members(watch->res));
    ks_text_add(&watch->text, "}", 1);
    return line_end(watch, len);
}

static const char *status_line(struct kube_watch *watch, json_t *status, size_t *len)
{
    line_begin(watch, "ERROR");
    ks_text_json(&watch->text, status);
    json_decref(status);
    watch->ended = true;
    return line_end(watch, len);
}

static const char *error_line(struct kube_watch *watch, int code, const char *reason, const char *message,
                              size_t *len)
{
    return status_line(watch, ks_status(code, reason, message), len);
}

static const char *too_old(struct kube_watch *watch, size_t *len)
{
    char message[96];

    (void)snprintf(message, sizeof message, "too old resource version: %llu (%llu)",
                   (unsigned long long)watch->initial_revision, (unsigned long long)watch->sim->compacted);
    return error_line(watch, 410, "Expired", message, len);
}

/* ---- events ---- */

bool ks_watch_in_scope(const struct kube_watch *watch, const char *key)
{
    return *watch->only ? strcmp(key, watch->only) == 0
                        : strncmp(key, watch->prefix, strlen(watch->prefix)) == 0;
}

/* The type to send, NULL for nothing: with a selector objects come and go without being made
 * (kubernetes 2.4). */
static const char *event_type(const struct kube_watch *watch, const struct ks_event *event)
{
    bool was = event->before && ks_selector_match(&watch->selector, event->before->json);
    bool is = !event->deleted && ks_selector_match(&watch->selector, event->now->json);

    if (was)
        return is ? "MODIFIED" : "DELETED";
    return is ? "ADDED" : NULL;
}

static const char *live_event(struct kube_watch *watch, size_t *len)
{
    struct kube_sim *sim = watch->sim;

    if (watch->lost || watch->seq < sim->oldest_seq)
        return too_old(watch, len);
    while (watch->seq < sim->next_seq) {
        const struct ks_event *event = &sim->ring[watch->seq++ % sim->ring_cap];
        const char *type;

        if (event->res != watch->res || !ks_watch_in_scope(watch, event->now->key))
            continue;
        type = event_type(watch, event);
        if (type != NULL)
            return object_line(watch, type, event->now, len);
    }
    return NULL;
}

static const char *initial_event(struct kube_watch *watch, size_t *len)
{
    if (watch->too_early > 0)
        return status_line(watch, ks_status_too_large(watch->sim, watch->too_early), len);
    if (watch->at_initial < watch->n_initial)
        return object_line(watch, "ADDED", watch->initial[watch->at_initial++], len);
    if (watch->initial != NULL) {
        ks_snapshot_free(watch->initial, watch->n_initial);
        watch->initial = NULL;
        watch->n_initial = watch->at_initial = 0;
    }
    if (!watch->end_bookmark)
        return NULL;
    watch->end_bookmark = false;
    return bookmark_line(watch, watch->initial_revision, true, len);
}

/* What a fault makes of the stream after after_events events; NULL when it lets things pass. */
static const char *broken(struct kube_watch *watch, size_t *len)
{
    if (watch->fault.action[0] == '\0' || watch->sent < watch->fault.after_events)
        return NULL;
    if (fault_is(watch, "expire"))
        return error_line(watch, 410, "Expired", "too old resource version", len);
    if (fault_is(watch, "errorEvent"))
        return error_line(watch, watch->fault.code, watch->fault.reason, "injected failure", len);
    if (fault_is(watch, "short"))
        watch->ended = true;
    if (fault_is(watch, "replay") && !watch->replayed) {
        uint64_t kept = watch->seq > watch->sim->oldest_seq ? watch->seq - watch->sim->oldest_seq : 0;

        watch->seq -= watch->fault.lag < kept ? watch->fault.lag : kept;
        watch->replayed = true;
    }
    return NULL;
}

const char *kube_watch_next(struct kube_watch *watch, size_t *len)
{
    const char *line;

    *len = 0;
    if (watch->ended || (fault_is(watch, "silent") && watch->sent >= watch->fault.after_events))
        return NULL;
    if (watch->repeat) {
        watch->repeat = false;
        *len = watch->text.len;
        return watch->text.data;
    }
    line = broken(watch, len);
    if (line != NULL || watch->ended)
        return line;
    line = initial_event(watch, len);
    if (line == NULL)
        line = live_event(watch, len);
    if (line == NULL && watch->bookmarks_seen != watch->sim->bookmarks_asked) {
        watch->bookmarks_seen = watch->sim->bookmarks_asked;
        return kube_watch_bookmark(watch, len);
    }
    if (line != NULL && fault_is(watch, "cutEvent") && watch->sent > watch->fault.after_events) {
        watch->ended = true;
        watch->fate = SIM_RESET;
        *len /= 2;
    }
    return line;
}

const char *kube_watch_bookmark(struct kube_watch *watch, size_t *len)
{
    *len = 0;
    if (!watch->bookmarks || watch->ended || watch->initial != NULL || watch->end_bookmark || watch->repeat ||
        fault_is(watch, "silent") || watch->seq < watch->sim->next_seq)
        return NULL;
    return bookmark_line(watch, watch->sim->revision, false, len);
}

bool kube_watch_ended(const struct kube_watch *watch, int64_t wall_ms)
{
    return watch->ended || (wall_ms >= watch->deadline_ms && !fault_is(watch, "silent"));
}

enum sim_fate kube_watch_fate(const struct kube_watch *watch)
{
    return watch->fate;
}

int64_t kube_watch_deadline_ms(const struct kube_watch *watch)
{
    return watch->deadline_ms;
}

unsigned kube_watch_delay_ms(const struct kube_watch *watch)
{
    return watch->fault.delay_ms;
}
