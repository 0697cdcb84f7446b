/* watcher/beat.c -- see beat.h. Owns nothing. */
#include "watcher/beat.h"

#include <assert.h>
#include <string.h>

#include "watcher/exec_plugin.h"

#define BEAT_NUMBERS 32u

static void numbers(struct pack *out, const struct watcher_core *core, uint64_t started, uint64_t failed,
                    const struct watcher_gauges *now)
{
    const struct {
        const char *name;
        uint64_t n;
    } rows[] = {
        {"synced", watcher_core_synced(core)},
        {"objects", now->objects},
        {"queued", now->queued},
        {"ready", now->ready},
        {"adds", now->adds},
        {"retries", now->retries},
        {"waiting_for_budget", now->waiting_for_budget},
        {"running", now->running},
        {"unfinished_ms", now->unfinished_ms},
        {"longest_ms", now->longest_ms},
        {"requests", now->requests},
        {"requests_started", started},
        {"requests_failed", failed},
        {"events", now->events},
        {"lists", now->lists},
        {"watches", now->watches},
        {"watch_silent_ms", now->watch_silent_ms},
        {"unreadable", now->unreadable},
        {"jobs", now->jobs},
        {"failed", now->failed},
        {"held", now->measures->held},
        {"checks_same", now->measures->checks[CHECK_SAME]},
        {"checks_found", now->measures->checks[CHECK_FOUND]},
        {"checks_failed", now->measures->checks[CHECK_FAILED]},
        {"strikes", now->strikes},
        {"quarantined", now->quarantined},
        {"quarantines", now->quarantines},
        {"refused", now->refused},
        {"leading", now->leading},
        {"renewals", now->renewals},
        {"renewals_failed", now->renewals_failed},
        {"heartbeats", now->heartbeats},
    };

    static_assert(sizeof rows / sizeof rows[0] == BEAT_NUMBERS, "the map's size is written before its rows");
    for (size_t i = 0; i < BEAT_NUMBERS; i++) {
        pack_text(out, rows[i].name);
        pack_uint(out, rows[i].n);
    }
}

static void histogram(struct pack *out, const char *name, const struct histogram *histogram,
                      const struct buckets *buckets)
{
    pack_text(out, name);
    pack_array(out, (uint32_t)buckets->n + 2);
    pack_uint(out, histogram->sum_ms);
    for (size_t i = 0; i <= buckets->n; i++)
        pack_uint(out, histogram->counts[i]);
}

/* "host:port" or "host", as client-go names it. */
static struct span host_of(const char *server)
{
    const char *host = strstr(server, "://") + 3;

    return (struct span){.p = host, .len = (uint32_t)strcspn(host, "/")};
}

void beat_pack(struct pack *out, const struct watcher_core *core, uint64_t started, uint64_t failed,
               const struct access *access)
{
    struct watcher_gauges now;

    watcher_core_gauges(core, clock_now(), &now);
    pack_map(out, BEAT_NUMBERS + 7 + (access->plugin != NULL));
    numbers(out, core, started, failed, &now);
    pack_text(out, "results");
    pack_array(out, RESULTS);
    for (unsigned i = 0; i < RESULTS; i++)
        pack_uint(out, now.measures->results[i]);
    pack_text(out, "ready_by");
    pack_array(out, WATCHER_PRIORITIES);
    for (unsigned i = 0; i < WATCHER_PRIORITIES; i++)
        pack_uint(out, now.ready_by[i]);
    histogram(out, "reconcile", &now.measures->reconcile, &buckets_reconcile);
    histogram(out, "work", &now.measures->work, &buckets_queue);
    histogram(out, "waits", now.waits, &buckets_queue);
    pack_text(out, "host");
    pack_span(out, host_of(access->server));
    pack_text(out, "rest");
    tally_pack(&access->tally, out);
    exec_plugin_pack(access->plugin, out);
}
