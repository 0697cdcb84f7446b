/* exporter/health.c -- /healthz and /readyz: the checks and their page, in the form that Gardener's own
 * endpoints have (gardener 12.1). Nothing here depends on leadership: a standby is as ready as a leader.
 * Called by http.c. */
#include <string.h>

#include "exporter/exporter.h"

/* How many processes of a role are in a state; state NULL counts all. */
static unsigned count(const struct state *state, const char *role, const char *wanted)
{
    struct value rows = {.at = state->processes, .len = state->processes_len};
    unsigned n = 0;

    for (struct value_iter it = value_each(rows); state->known && value_next(&it);)
        n += value_is_text(value_get(it.item, "role"), role) &&
             (wanted == NULL || value_is_text(value_get(it.item, "state"), wanted));
    return n;
}

static bool supervisor_answers(const struct state *state)
{
    return state->known;
}

static bool watcher_ready(const struct state *state)
{
    return count(state, "watcher", "ready") == 1;
}

static bool gateway_ready(const struct state *state)
{
    return count(state, "packet-gateway", "ready") == 1;
}

/* One worker that starts anew is no reason to take the pod out; a parked slot is: somebody must look. */
static bool workers_ready(const struct state *state)
{
    return count(state, "worker", "ready") > 0 && count(state, "worker", "parked") == 0;
}

/* Has the first list been seen (kubernetes 29)? A standby keeps none: it has, when it saw whom it waits for.
 */
static bool synced(const struct state *state)
{
    struct value rows = {.at = state->processes, .len = state->processes_len};
    int64_t n = 0;

    if (!state->known)
        return false;
    if (state->elected && !state->leading)
        return state->held;
    for (struct value_iter it = value_each(rows); value_next(&it);)
        if (value_is_text(value_get(it.item, "role"), "watcher"))
            value_int(value_at(it.item, "gauges", "synced", NULL), &n);
    return n == 1;
}

static const struct {
    const char *page, *name;
    bool (*passes)(const struct state *state);
} checks[] = {
    {"healthz", "ping", supervisor_answers}, {"readyz", "supervisor", supervisor_answers},
    {"readyz", "watcher", watcher_ready},    {"readyz", "packet-gateway", gateway_ready},
    {"readyz", "workers", workers_ready},    {"readyz", "informer-sync", synced},
};

/* "/readyz/watcher" is the check "watcher" of the page "readyz". */
static bool is_asked(const char *path, const char *page, const char *name)
{
    size_t len = strlen(page);

    if (path[0] != '/' || strncmp(path + 1, page, len) != 0)
        return false;
    path += 1 + len;
    return *path == '\0' || strcmp(path, "/") == 0 || (*path == '/' && strcmp(path + 1, name) == 0);
}

unsigned health_page(const struct state *state, const char *path, bool verbose, const char *exclude,
                     struct text *out)
{
    struct text lines = {0};
    const char *page = "";
    unsigned asked = 0, failed = 0;

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!is_asked(path, checks[i].page, checks[i].name))
            continue;
        asked++;
        page = checks[i].page;
        if (exclude && strcmp(exclude, checks[i].name) == 0) {
            text_add(&lines, "[+]%s excluded: ok\n", checks[i].name);
        } else if (checks[i].passes(state)) {
            text_add(&lines, "[+]%s ok\n", checks[i].name);
        } else {
            failed++;
            text_add(&lines, "[-]%s failed: reason withheld\n", checks[i].name);
        }
    }
    if (asked == 0)
        text_add(out, "404 page not found\n");
    else if (failed > 0)
        text_add(out, "%s%s check failed\n", lines.data, page);
    else if (verbose)
        text_add(out, "%s%s check passed\n", lines.data, page);
    else
        text_add(out, "ok");
    text_free(&lines);
    return asked == 0 ? MHD_HTTP_NOT_FOUND : failed > 0 ? MHD_HTTP_INTERNAL_SERVER_ERROR : MHD_HTTP_OK;
}
