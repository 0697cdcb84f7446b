/* tests/sim/kube-apiserver/core/watch_open.c -- opens and closes a watch.
 * Owns where it begins and which options it takes (kubernetes 2.4 to 2.6), and its audit record at the end.
 * Called by the dispatcher and by who holds the watch. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/kube-apiserver/core/watch.h"

#define WATCH_DEFAULT_S 1800u /* as --min-request-timeout of the real server, without its jitter */

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
    if (*asked && !call->sim->switches.watch_list)
        ks_cause_add(&causes, "FieldValueForbidden", "sendInitialEvents",
                     "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate "
                     "is enabled");
    if (*asked && strcmp(match, "NotOlderThan") != 0)
        ks_cause_add(&causes, "FieldValueForbidden", "resourceVersionMatch",
                     "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (*asked && *match && strcmp(match, "NotOlderThan") != 0)
        ks_cause_add(&causes, "FieldValueNotSupported", "resourceVersionMatch",
                     "Unsupported value: \"%s\": supported values: \"NotOlderThan\"", match);
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
        /* an event in the stream, not an answer of its own: the headers of a watch are sent first */
        watch->too_early = asked;
        return 0;
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
            if (ks_watch_in_scope(watch, list[i]->key) && ks_selector_match(&watch->selector, list[i]->json))
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
    if (call->sim->switches.watch_max_ms > 0 &&
        watch->deadline_ms > call->now_ms + call->sim->switches.watch_max_ms)
        watch->deadline_ms = call->now_ms + call->sim->switches.watch_max_ms;
    watch->bookmarks = strcmp(ks_query_get(&call->query, "allowWatchBookmarks"), "true") == 0;
    watch->form = call->form;
    watch->bookmarks_seen = call->sim->bookmarks_asked;
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
