/* tests/sim/kube-apiserver/core/watch.c -- one watch: where it stands in the history and what it sends next.
 * Owns the order initial events, bookmark, live events (kubernetes 2.4 to 2.6). Never waits; the caller asks
 * again after each write. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/internal.h"

#define WATCH_DEFAULT_S 1800u /* as --min-request-timeout of the real server, without its jitter */

struct kube_watch {
    struct kube_sim *sim;
    struct ks_resource *res;
    struct ks_selector selector;
    enum ks_form form;
    char prefix[KS_KEY_MAX];
    char only[KS_KEY_MAX]; /* the one key of a watch on a named object; "" for all */
    char include[16];
    uint64_t seq; /* the next event to look at */
    struct ks_object **initial;
    size_t n_initial;
    size_t at_initial;
    uint64_t initial_revision;
    bool end_bookmark; /* sendInitialEvents: tell where the initial events end */
    bool bookmarks;
    bool first_table;
    bool lost; /* begun before the history: the first event is the 410 */
    bool ended;
    bool repeat; /* the line in text is sent once more (fault "duplicate") */
    enum sim_fate fate;
    struct ks_fault fault; /* action "" for none */
    int64_t opened_ms;
    int64_t deadline_ms;
    unsigned long long sent;
    struct ks_text text;
    /* for the closing audit record */
    char *user;
    char *uri;
    char *user_agent;
    char name[KS_NAME_MAX];
    char ns[KS_NAME_MAX];
    uint64_t id;
};

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
    ks_text_fmt(&watch->text, "\"metadata\":{\"resourceVersion\":\"%llu\"%s%s}", (unsigned long long)revision,
                watch->res->custom ? "" : ",\"creationTimestamp\":null",
                initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    if (watch->form == KS_TABLE)
        ks_text_str(&watch->text, ",\"columnDefinitions\":[],\"rows\":[]");
    ks_text_add(&watch->text, "}", 1);
    return line_end(watch, len);
}

static const char *error_line(struct kube_watch *watch, int code, const char *reason, const char *message,
                              size_t *len)
{
    json_t *status = ks_status(code, reason, message);

    line_begin(watch, "ERROR");
    ks_text_json(&watch->text, status);
    json_decref(status);
    watch->ended = true;
    return line_end(watch, len);
}

static const char *too_old(struct kube_watch *watch, size_t *len)
{
    char message[96];

    (void)snprintf(message, sizeof message, "too old resource version: %llu (%llu)",
                   (unsigned long long)watch->initial_revision, (unsigned long long)watch->sim->compacted);
    return error_line(watch, 410, "Expired", message, len);
}

/* ---- events ---- */

static bool in_scope(const struct kube_watch *watch, const char *key)
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

        if (event->res != watch->res || !in_scope(watch, event->now->key))
            continue;
        type = event_type(watch, event);
        if (type != NULL)
            return object_line(watch, type, event->now, len);
    }
    return NULL;
}

static const char *initial_event(struct kube_watch *watch, size_t *len)
{
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
        watch->fault.action[0] != '\0' || watch->seq < watch->sim->next_seq)
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

/* ---- opening ---- */

static uint64_t seq_after(const struct kube_sim *sim, uint64_t revision)
{
    uint64_t low = sim->oldest_seq;
    uint64_t high = sim->next_seq;

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;

        if (sim->ring[mid % sim->ring_cap].revision <= revision)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* kubernetes 2.6. 0, or -1 and a 422. */
static int check_initial(struct ks_call *call, bool *initial)
{
    const char *asked = ks_query_get(&call->query, "sendInitialEvents");
    const char *match = ks_query_get(&call->query, "resourceVersionMatch");
    struct ks_causes causes = {0};

    *initial = strcmp(asked, "true") == 0;
    if (*asked && strcmp(match, "NotOlderThan") != 0)
        ks_cause_add(&causes, "FieldValueForbidden", "resourceVersionMatch",
                     "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (!*asked && *match)
        ks_cause_add(
            &causes, "FieldValueForbidden", "resourceVersionMatch",
            "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (causes.n == 0)
        return 0;
    ks_fail_invalid_kind(call, "meta.k8s.io", "ListOptions", "", &causes);
    return -1;
}

/* Sets where the watch begins. 0, or -1 and an answer. */
static int watch_start(struct ks_call *call, struct kube_watch *watch)
{
    uint64_t asked;
    bool set;
    bool initial;

    if (ks_list_revision(call, &asked, &set) != 0 || check_initial(call, &initial) != 0)
        return -1;
    if (initial && asked > call->sim->revision) {
        ks_fail_too_large(call, asked);
        return -1;
    }
    watch->initial_revision = asked;
    watch->seq = asked == 0 || initial ? call->sim->next_seq : seq_after(call->sim, asked);
    if (asked != 0 && !initial && asked < call->sim->compacted) {
        watch->lost = true;
        return 0;
    }
    if (asked == 0 || initial) {
        struct ks_object **list;
        size_t n;

        watch->initial_revision = call->sim->revision;
        list = ks_snapshot(call->sim, call->res, watch->prefix, call->sim->revision, &n);
        for (size_t i = 0; i < n; i++) {
            if (in_scope(watch, list[i]->key) && ks_selector_match(&watch->selector, list[i]->json))
                list[watch->n_initial++] = list[i];
            else
                ks_object_unref(list[i]);
        }
        watch->initial = list;
        watch->end_bookmark = initial && watch->bookmarks;
    }
    return 0;
}

static void watch_about(struct ks_call *call, struct kube_watch *watch)
{
    const char *timeout = ks_query_get(&call->query, "timeoutSeconds");
    uint64_t seconds = 0;

    if (ks_number(timeout, &seconds) != 0 || seconds == 0)
        seconds = WATCH_DEFAULT_S;
    watch->opened_ms = call->now_ms;
    watch->deadline_ms = call->now_ms + (int64_t)(seconds < 86400 ? seconds : 86400) * 1000;
    watch->bookmarks = strcmp(ks_query_get(&call->query, "allowWatchBookmarks"), "true") == 0;
    watch->form = call->form;
    watch->first_table = true;
    watch->id = call->id;
    (void)snprintf(watch->include, sizeof watch->include, "%.15s",
                   ks_query_get(&call->query, "includeObject"));
    (void)snprintf(watch->name, sizeof watch->name, "%s", call->name);
    (void)snprintf(watch->ns, sizeof watch->ns, "%s", call->ns);
    watch->user = x_strdup(call->user);
    watch->user_agent = x_strdup(call->req->user_agent);
    watch->uri = x_asprintf("%s?%s", call->req->path, call->req->query);
}

static void watch_free(struct kube_watch *watch)
{
    ks_snapshot_free(watch->initial, watch->n_initial);
    ks_selector_free(&watch->selector);
    free(watch->text.data);
    free(watch->user);
    free(watch->uri);
    free(watch->user_agent);
    free(watch);
}

struct kube_watch *ks_watch_open(struct ks_call *call, const struct ks_fault *fault)
{
    struct kube_watch *watch = x_calloc(1, sizeof *watch);

    watch->sim = call->sim;
    watch->res = call->res;
    watch->fate = SIM_ANSWER;
    if (fault != NULL)
        watch->fault = *fault;
    ks_prefix(call, watch->prefix);
    if (*call->name)
        ks_key(watch->only, call->ns, call->name);
    watch_about(call, watch);
    if (ks_selector_parse(call, &watch->selector) == 0 && watch_start(call, watch) == 0) {
        call->sim->open_watches++;
        return watch;
    }
    watch_free(watch);
    return NULL;
}

void kube_watch_close(struct kube_watch *watch, int64_t wall_ms)
{
    struct kube_audit record = {.stage = KUBE_AUDIT_COMPLETE,
                                .user = watch->user,
                                .verb = "watch",
                                .group = watch->res->group,
                                .version = watch->res->version,
                                .resource = watch->res->plural,
                                .ns = watch->ns,
                                .name = watch->name,
                                .subresource = "",
                                .uri = watch->uri,
                                .user_agent = watch->user_agent,
                                .code = 200,
                                .id = watch->id,
                                .received_ms = watch->opened_ms,
                                .stage_ms = wall_ms,
                                .events = watch->sent};

    if (watch->sim->audit != NULL)
        watch->sim->audit(watch->sim->audit_ctx, &record);
    watch->sim->open_watches--;
    watch_free(watch);
}
