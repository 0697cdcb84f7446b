/* exporter/controller.c -- the part of /metrics that dashboards of controller-runtime know: results, times
 * and requests under the names, labels and bounds of kubernetes 3.5. From the watcher's last beat; with 0
 * before the first. Called by metrics.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "exporter/exporter.h"
#include "proto/buckets.h"

#define CONTROLLER "controller=\"infrastructure\""
#define QUEUE      "name=\"infrastructure\"," CONTROLLER

/* The i-th number of the list called key, 0 when there is none. */
static uint64_t nth(struct value gauges, const char *key, size_t i)
{
    struct value list = value_get(gauges, key);
    struct value_iter it = value_each(list);
    int64_t n = 0;

    if (value_kind(list) != VALUE_ARRAY)
        return 0;
    for (size_t at = 0; value_next(&it); at++)
        if (at == i)
            return value_int(it.item, &n) && n > 0 ? (uint64_t)n : 0;
    return 0;
}

static uint64_t number(struct value gauges, const char *key)
{
    int64_t n = 0;

    return value_int(value_get(gauges, key), &n) && n > 0 ? (uint64_t)n : 0;
}

static void one(struct text *out, const char *name, const char *type, const char *help, const char *labels,
                uint64_t n)
{
    metrics_head(out, name, type, help);
    text_add(out, "%s{%s} %" PRIu64 "\n", name, labels, n);
}

static void seconds(struct text *out, const char *name, const char *help, const char *labels, uint64_t ms)
{
    metrics_head(out, name, "gauge", help);
    text_add(out, "%s{%s} %" PRIu64 ".%03u\n", name, labels, ms / 1000, (unsigned)(ms % 1000));
}

static void results(struct value gauges, struct text *out)
{
    static const char *const names[] = {"success", "error", "requeue", "requeue_after"};
    static const char total[] = "controller_runtime_reconcile_total";

    metrics_head(out, total, "counter", "Runs by their result.");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        text_add(out, "%s{" CONTROLLER ",result=\"%s\"} %" PRIu64 "\n", total, names[i],
                 nth(gauges, "results", i));
    one(out, "controller_runtime_reconcile_errors_total", "counter", "Runs that ended with an error.",
        CONTROLLER, nth(gauges, "results", 1));
    one(out, "controller_runtime_terminal_reconcile_errors_total", "counter",
        "Runs whose error waits for the next event.", CONTROLLER, number(gauges, "held"));
    one(out, "controller_runtime_reconcile_panics_total", "counter", "Runs that ended with their worker.",
        CONTROLLER, number(gauges, "strikes"));
    one(out, "controller_runtime_reconcile_timeouts_total", "counter",
        "Runs that were ended for their time: none, the worker is, and counts as a panic.", CONTROLLER, 0);
}

static void checks(struct value gauges, struct text *out)
{
    static const struct {
        const char *result, *key;
    } rows[] = {{"same", "checks_same"}, {"found", "checks_found"}, {"failed", "checks_failed"}};
    static const char total[] = "provider_packet_drift_checks_total";

    metrics_head(out, total, "counter", "Keys at Packet that were compared with what was left there.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        text_add(out, "%s{result=\"%s\"} %" PRIu64 "\n", total, rows[i].result, number(gauges, rows[i].key));
}

static void histogram(struct value gauges, const char *key, const char *name, const char *help,
                      const char *labels, const struct buckets *buckets, struct text *out)
{
    uint64_t sum = nth(gauges, key, 0), count = 0;

    metrics_head(out, name, "histogram", help);
    for (size_t i = 0; i <= buckets->n; i++) {
        count += nth(gauges, key, i + 1);
        text_add(out, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, labels,
                 i < buckets->n ? buckets->bounds[i].text : "+Inf", count);
    }
    text_add(out, "%s_sum{%s} %" PRIu64 ".%03u\n", name, labels, sum / 1000, (unsigned)(sum % 1000));
    text_add(out, "%s_count{%s} %" PRIu64 "\n", name, labels, count);
}

/* The numbers are controller-runtime's, where it has such a priority. */
static void depth(struct value gauges, struct text *out)
{
    static const char *const priorities[] = {"-200", "-100", "0", "100"};

    metrics_head(out, "workqueue_depth", "gauge", "Objects whose turn has come, not those that are delayed.");
    for (size_t i = 0; i < sizeof priorities / sizeof priorities[0]; i++)
        text_add(out, "workqueue_depth{" QUEUE ",priority=\"%s\"} %" PRIu64 "\n", priorities[i],
                 nth(gauges, "ready_by", i));
}

/* "GET 200" is a method and a code. label: one more, with a comma behind it. */
void metrics_tally(struct value tally, const char *name, const char *help, const char *label,
                   struct text *out)
{
    char pair[32];

    if (value_kind(tally) != VALUE_MAP || !value_count(tally))
        return;
    metrics_head(out, name, "counter", help);
    for (struct value_iter it = value_each(tally); value_next(&it);) {
        int64_t n = 0;
        char *code;

        if (!span_copy(value_text(it.key), pair, sizeof pair) || !(code = strchr(pair, ' ')) ||
            !value_int(it.item, &n))
            continue;
        metrics_clean(pair);
        *code++ = '\0';
        text_add(out, "%s{code=\"%s\",%smethod=\"%s\"} %" PRId64 "\n", name, code, label, pair, n);
    }
}

static void requests(struct value gauges, struct text *out)
{
    char host[300], label[320];

    if (!span_copy(value_text(value_get(gauges, "host")), host, sizeof host))
        return;
    metrics_clean(host);
    snprintf(label, sizeof label, "host=\"%s\",", host);
    metrics_tally(value_get(gauges, "rest"), "rest_client_requests_total",
                  "Requests to the API server, each attempt.", label, out);
}

void controller_page(struct value gauges, unsigned workers, struct text *out)
{
    results(gauges, out);
    checks(gauges, out);
    histogram(gauges, "reconcile", "controller_runtime_reconcile_time_seconds",
              "Time of a run, the reads before it included.", CONTROLLER, &buckets_reconcile, out);
    one(out, "controller_runtime_max_concurrent_reconciles", "gauge", "Workers.", CONTROLLER, workers);
    one(out, "controller_runtime_active_workers", "gauge", "Jobs that run.", CONTROLLER,
        number(gauges, "running"));
    depth(gauges, out);
    one(out, "workqueue_adds_total", "counter", "Objects put into the queue.", QUEUE, number(gauges, "adds"));
    one(out, "workqueue_retries_total", "counter", "Objects put into the queue with a delay.", QUEUE,
        number(gauges, "retries"));
    histogram(gauges, "waits", "workqueue_queue_duration_seconds", "Time in the queue, ready to be run.",
              QUEUE, &buckets_queue, out);
    histogram(gauges, "work", "workqueue_work_duration_seconds", "Time of a run.", QUEUE, &buckets_queue,
              out);
    seconds(out, "workqueue_unfinished_work_seconds", "What the runs under way have taken so far, in sum.",
            QUEUE, number(gauges, "unfinished_ms"));
    seconds(out, "workqueue_longest_running_processor_seconds", "The longest of them.", QUEUE,
            number(gauges, "longest_ms"));
    requests(gauges, out);
}
