/* packetctl/show.c -- answers for people (a table, in colour on a terminal only) or for programs (JSON). What
 * comes from others is printed without control characters. Called through ask(). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packetctl/packetctl.h"

static int print_json(json_t *json)
{
    int failed = json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);

    json_decref(json);
    printf("\n");
    return failed ? PACKETCTL_FAILED : PACKETCTL_OK;
}

static json_t *status_json(const struct msg_status *status)
{
    json_t *json = json_object();

    json_object_set_new(json, "version", json_stringn(status->version.p, status->version.len));
    json_object_set_new(json, "pid", json_integer((json_int_t)status->pid));
    json_object_set_new(json, "uptimeSeconds", json_integer((json_int_t)(status->uptime_ms / 1000)));
    json_object_set_new(json, "ready", json_boolean(status->ready != 0));
    json_object_set_new(json, "processes", to_json(status->processes));
    json_object_set_new(json, "leadership", to_json(status->leadership));
    return json;
}

static bool in_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static const char *colour_of(const char *state)
{
    if (strcmp(state, "ready") == 0)
        return "\033[32m";
    if (strcmp(state, "backoff") == 0 || strcmp(state, "parked") == 0)
        return "\033[31m";
    return "\033[33m";
}

/* Text of a row, cut to size and safe for a terminal. */
static const char *cell(struct value row, const char *key, char *buf, size_t size)
{
    struct span text = value_text(value_get(row, key));
    size_t n = text.p == NULL ? 0 : text.len < size - 1 ? text.len : size - 1;

    for (size_t i = 0; i < n; i++)
        buf[i] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i];
    buf[n] = '\0';
    return buf;
}

static int64_t number(struct value row, const char *key)
{
    int64_t n = 0;

    value_int(value_get(row, key), &n);
    return n;
}

/* "3s", "12m05s", "7h30m", "4d06h" */
static const char *duration(int64_t seconds, char *buf, size_t size)
{
    if (seconds < 60)
        snprintf(buf, size, "%" PRId64 "s", seconds);
    else if (seconds < 3600)
        snprintf(buf, size, "%" PRId64 "m%02" PRId64 "s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(buf, size, "%" PRId64 "h%02" PRId64 "m", seconds / 3600, seconds / 60 % 60);
    else
        snprintf(buf, size, "%" PRId64 "d%02" PRId64 "h", seconds / 86400, seconds / 3600 % 24);
    return buf;
}

/* What a running process does, or how the last one ended and when the next one starts. */
static void print_doing(struct value row)
{
    char doing[100], object[300], how[200];

    cell(row, "doing", doing, sizeof doing);
    cell(row, "object", object, sizeof object);
    cell(row, "lastExit", how, sizeof how);
    if (number(row, "pid") != 0)
        printf("%s%s%s", doing, *object ? " " : "", object);
    else if (*how)
        printf("last: %s; next start in %.1f s", how, (double)number(row, "nextStartMs") / 1000);
}

static void print_row(struct value row, bool colour)
{
    char role[32], state[16], up[24], pid[24];

    cell(row, "state", state, sizeof state);
    cell(row, "role", role, sizeof role);
    snprintf(pid, sizeof pid, "%" PRId64, number(row, "pid"));
    printf("%-14s %4" PRId64 "  %-8s %4" PRId64 "  %s%-8s%s  %-8s %8" PRId64 "  ", role, number(row, "slot"),
           number(row, "pid") ? pid : "-", number(row, "incarnation"), colour ? colour_of(state) : "", state,
           colour ? "\033[0m" : "",
           number(row, "pid") ? duration(number(row, "uptimeSeconds"), up, sizeof up) : "-",
           number(row, "restarts"));
    print_doing(row);
    printf("\n");
}

/* What the gateway's calls to Packet wait for. */
static void print_calls(struct value row)
{
    struct value g = value_get(row, "gauges");
    char silent[24];

    if (value_kind(g) != VALUE_MAP)
        return;
    printf("\nPacket API: %" PRId64 " calls under way; waiting: %" PRId64 " deletes, %" PRId64
           " creates, %" PRId64 " reads, %" PRId64 " drift checks\n",
           number(g, "calls_under_way"), number(g, "deletes_waiting"), number(g, "creates_waiting"),
           number(g, "reads_waiting"), number(g, "drift_waiting"));
    printf("  budget %" PRId64 " calls", number(g, "budget"));
    if (number(g, "rate_milli") > 0)
        printf(", limit found %.1f calls/s", (double)number(g, "rate_milli") / 1000);
    printf(", answered 429: %" PRId64 " in %" PRId64 " probes\n", number(g, "refused"), number(g, "probes"));
    if (number(g, "pause_ms") > 0)
        printf("  told to pause: %" PRId64 " of %" PRId64 " credentials, the longest for another %.1f s\n",
               number(g, "credentials_paused"), number(g, "credentials"),
               (double)number(g, "pause_ms") / 1000);
    if (number(g, "api_silent_ms") > 0)
        printf("  no answer for %s: only a probe is sent now and then\n",
               duration(number(g, "api_silent_ms") / 1000, silent, sizeof silent));
}

/* Nothing unless an exec plugin gives the credentials for the API server. */
static void print_exec_plugin(struct value row)
{
    struct value plugin = value_get(value_get(row, "gauges"), "exec_plugin");
    char command[100], ran[40], until[40], error[700];

    if (value_kind(plugin) != VALUE_MAP)
        return;
    cell(plugin, "command", command, sizeof command);
    cell(plugin, "lastRun", ran, sizeof ran);
    cell(plugin, "goodUntil", until, sizeof until);
    printf("\nexec plugin %s: last run %s, %" PRId64 " runs, %" PRId64 " failed", command,
           *ran ? ran : "never", number(plugin, "runs"), number(plugin, "failures"));
    if (*until)
        printf(", credential good until %s", until);
    printf("\n");
    if (*cell(plugin, "lastError", error, sizeof error))
        printf("  last error: %s\n", error);
}

/* Nothing without an election. */
static void print_leadership(struct value row)
{
    char lease[520], holder[520];
    bool leading = false;

    if (!*cell(row, "lease", lease, sizeof lease))
        return;
    cell(row, "holder", holder, sizeof holder);
    value_bool(value_get(row, "leading"), &leading);
    if (leading)
        printf("leader by Lease %s as %s, for %.1f s unless renewed", lease, holder,
               (double)number(row, "writeForMs") / 1000);
    else
        printf("standby for Lease %s, held by %s", lease, *holder ? holder : "nobody");
    printf(" (%" PRId64 " transitions)\n", number(row, "transitions"));
}

static void print_table(const struct msg_status *status)
{
    bool colour = in_colour();
    char version[65] = "", up[24];

    span_copy(status->version, version, sizeof version);
    printf("gardener-extension-provider-packet %s, pid %" PRIu64 ", up %s, %s\n", version, status->pid,
           duration((int64_t)(status->uptime_ms / 1000), up, sizeof up),
           status->ready ? "ready" : "not ready");
    print_leadership(status->leadership);
    printf("\n%-14s %4s  %-8s %4s  %-8s  %-8s %8s  %s\n", "ROLE", "SLOT", "PID", "INC", "STATE", "UP",
           "RESTARTS", "DOING");
    for (struct value_iter it = value_each(status->processes); value_next(&it);)
        print_row(it.item, colour);
    for (struct value_iter it = value_each(status->processes); value_next(&it);)
        if (value_is_text(value_get(it.item, "role"), role_name(GATEWAY)))
            print_calls(it.item);
        else if (value_is_text(value_get(it.item, "role"), role_name(WATCHER)))
            print_exec_plugin(it.item);
}

int show_status(const struct message *answer, const struct command_line *line)
{
    const struct msg_status *status = &answer->body.status;

    if (line->json)
        return print_json(status_json(status));
    print_table(status);
    return PACKETCTL_OK;
}

int show_stopping(const struct message *answer, const struct command_line *line)
{
    uint64_t within_ms = answer->body.stopping.within_ms;

    if (line->json)
        return print_json(json_pack("{s:I}", "stoppingWithinMs", (json_int_t)within_ms));
    printf("stopping, at the latest within %" PRIu64 " s\n", within_ms / 1000);
    return PACKETCTL_OK;
}

int show_stopped(const struct command_line *line)
{
    if (line->json)
        return print_json(json_pack("{s:b}", "stopped", 1));
    printf("stopped\n");
    return PACKETCTL_OK;
}
