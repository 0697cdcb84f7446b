/* exporter/metrics.c -- /metrics in Prometheus' text format: a table of series with one row for
 * each process, and a table of the numbers in their beats. Called by http.c. */
#include <inttypes.h>
#include <string.h>

#include "exporter/exporter.h"

static int64_t number(struct value row, const char *key)
{
    int64_t n = 0;

    value_int(value_get(row, key), &n);
    return n;
}

static int64_t is_up(struct value row)
{
    return value_is_text(value_get(row, "state"), "ready");
}

static int64_t is_parked(struct value row)
{
    return value_is_text(value_get(row, "state"), "parked");
}

static int64_t is_degraded(struct value row)
{
    return value_text(value_get(row, "degraded")).len > 0;
}

static int64_t restarts(struct value row)
{
    return number(row, "restarts");
}

static int64_t uptime(struct value row)
{
    return number(row, "uptimeSeconds");
}

static const struct {
    const char *name, *type, *help;
    int64_t (*value)(struct value row);
} series[] = {
    {"provider_packet_process_up", "gauge", "Whether the process is ready.", is_up},
    {"provider_packet_process_parked", "gauge",
     "Whether the process died too often and is not restarted soon.", is_parked},
    {"provider_packet_process_degraded", "gauge", "Whether the process could not confine itself wholly.",
     is_degraded},
    {"provider_packet_process_restarts_total", "counter", "Starts of the process after its first.", restarts},
    {"provider_packet_process_uptime_seconds", "gauge", "Time since the process was started.", uptime},
};

void metrics_clean(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
            *c = '_';
}

/* Label values: role names are ours, but nothing that came in a frame is trusted to need no escaping. */
static void label(struct value row, char *buf, size_t size)
{
    if (!span_copy(value_text(value_get(row, "role")), buf, size))
        buf[0] = '\0';
    metrics_clean(buf);
}

void metrics_head(struct text *out, const char *name, const char *type, const char *help)
{
    text_add(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* client-go's name for it (kubernetes 3.6). Without an election there is no such series. */
static void leadership(const struct state *state, struct text *out)
{
    char name[sizeof state->lease];

    if (!state->elected)
        return;
    memcpy(name, state->lease, sizeof name);
    metrics_clean(name);
    metrics_head(out, "leader_election_master_status", "gauge", "Whether this pod leads.");
    text_add(out, "leader_election_master_status{name=\"%s\"} %d\n", name, state->leading);
    metrics_head(out, "provider_packet_leader_transitions", "gauge",
                 "How often the Lease changed its holder.");
    text_add(out, "provider_packet_leader_transitions{name=\"%s\"} %" PRIu64 "\n", name, state->transitions);
}

/* Numbers of one process' last beat. A counter starts again at 0 with its process, which Prometheus knows. */
static const struct {
    const char *role, *key, *name, *type, *help;
    bool thousandths; /* of the unit in the name */
} beats[] = {
    {"watcher", "objects", "provider_packet_objects", "gauge", "Infrastructures that the watcher knows.",
     false},
    {"watcher", "synced", "provider_packet_synced", "gauge", "Whether the first list is complete.", false},
    {"watcher", "watch_silent_ms", "provider_packet_watch_silent_seconds", "gauge",
     "Time since the watch of Infrastructures last said something.", true},
    {"watcher", "waiting_for_budget", "provider_packet_waiting_for_budget", "gauge",
     "Objects that wait until Packet's budget allows them.", false},
    {"watcher", "strikes", "provider_packet_strikes_total", "counter", "Jobs that ended with their worker.",
     false},
    {"watcher", "quarantined", "provider_packet_quarantined", "gauge",
     "Objects in quarantine, as workers died at them.", false},
    {"watcher", "quarantines", "provider_packet_quarantines_total", "counter",
     "Times that an object was put into quarantine.", false},
    {"watcher", "renewals", "provider_packet_lease_renewals_total", "counter", "Renewals of the Lease.",
     false},
    {"watcher", "renewals_failed", "provider_packet_lease_renewals_failed_total", "counter",
     "Renewals of the Lease that failed.", false},
    {"packet-gateway", "calls_failed", "provider_packet_api_calls_failed_total", "counter",
     "Calls of Packet's API that failed.", false},
    {"packet-gateway", "calls_waiting", "provider_packet_api_calls_waiting", "gauge",
     "Calls that wait for Packet's budget.", false},
    {"packet-gateway", "budget", "provider_packet_api_budget", "gauge", "Calls that Packet still allows now.",
     false},
    {"packet-gateway", "pause_ms", "provider_packet_api_pause_seconds", "gauge",
     "Time until Packet is called again.", true},
    {"packet-gateway", "api_silent_ms", "provider_packet_api_silent_seconds", "gauge",
     "Time that Packet is taken for unreachable; 0: it answers.", true},
};

static struct value beat_of(struct value rows, const char *role)
{
    for (struct value_iter it = value_each(rows); value_next(&it);)
        if (value_is_text(value_get(it.item, "role"), role))
            return value_get(it.item, "gauges");
    return (struct value){0};
}

static unsigned rows_of(struct value rows, const char *role)
{
    unsigned n = 0;

    for (struct value_iter it = value_each(rows); value_next(&it);)
        n += value_is_text(value_get(it.item, "role"), role);
    return n;
}

static void beats_page(struct value rows, struct text *out)
{
    for (size_t i = 0; i < sizeof beats / sizeof beats[0]; i++) {
        int64_t n = 0;

        if (!value_int(value_get(beat_of(rows, beats[i].role), beats[i].key), &n) || n < 0)
            continue;
        metrics_head(out, beats[i].name, beats[i].type, beats[i].help);
        text_add(out, "%s ", beats[i].name);
        if (beats[i].thousandths)
            text_add(out, "%" PRId64 ".%03d\n", n / 1000, (int)(n % 1000));
        else
            text_add(out, "%" PRId64 "\n", n);
    }
}

void metrics_page(const struct state *state, struct text *out)
{
    struct value rows = {.at = state->processes, .len = state->processes_len};
    char role[32];

    metrics_head(out, "provider_packet_build_info", "gauge", "The version that runs.");
    text_add(out, "provider_packet_build_info{version=\"%s\"} 1\n", PROVIDER_PACKET_VERSION);
    metrics_head(out, "provider_packet_supervisor_up", "gauge",
                 "Whether the supervisor answered this scrape.");
    text_add(out, "provider_packet_supervisor_up %d\n", state->known);
    if (!state->known)
        return;
    metrics_head(out, "provider_packet_supervisor_uptime_seconds", "gauge",
                 "Time since the supervisor was started.");
    text_add(out, "provider_packet_supervisor_uptime_seconds %" PRIu64 "\n", state->uptime_ms / 1000);
    metrics_head(out, "provider_packet_ready", "gauge",
                 "Whether all processes are ready and know each other.");
    text_add(out, "provider_packet_ready %d\n", state->ready);
    leadership(state, out);
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++) {
        metrics_head(out, series[i].name, series[i].type, series[i].help);
        for (struct value_iter it = value_each(rows); value_next(&it);) {
            label(it.item, role, sizeof role);
            text_add(out, "%s{role=\"%s\",slot=\"%" PRId64 "\"} %" PRId64 "\n", series[i].name, role,
                     number(it.item, "slot"), series[i].value(it.item));
        }
    }
    controller_page(beat_of(rows, "watcher"), rows_of(rows, "worker"), out);
    beats_page(rows, out);
    metrics_tally(value_get(beat_of(rows, "packet-gateway"), "calls"), "provider_packet_api_calls_total",
                  "Calls of Packet's API that ended.", "", out);
    process_page(rows, out);
}
