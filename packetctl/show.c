/* packetctl/show.c -- answers for people (a table, in colour on a terminal only) or for programs (JSON). What
 * comes from others is printed without control characters. Called through ask(). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packetctl/packetctl.h"

json_t *status_json(const struct msg_status *status)
{
    json_t *json = json_object();

    json_object_set_new(json, "version", json_stringn(status->version.p, status->version.len));
    json_object_set_new(json, "pid", json_integer((json_int_t)status->pid));
    json_object_set_new(json, "uptimeSeconds", json_integer((json_int_t)(status->uptime_ms / 1000)));
    json_object_set_new(json, "ready", json_boolean(status->ready != 0));
    json_object_set_new(json, "drained", json_boolean(status->held != 0));
    json_object_set_new(json, "quarantined", json_integer((json_int_t)status->quarantined));
    json_object_set_new(json, "processes", to_json(status->processes));
    json_object_set_new(json, "leadership", to_json(status->leadership));
    return json;
}

static bool in_colour(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !colour_refused() && term && strcmp(term, "dumb") != 0;
}

static const char *colour_of(const char *state)
{
    static const char *const colours[] = {
        [LOOK_GOOD] = "\033[32m", [LOOK_WAITS] = "\033[33m", [LOOK_BAD] = "\033[31m"};

    return colours[look_of(state)];
}

/* What a running process does, or how the last one ended and when the next one starts. */
static void print_doing(struct value row)
{
    char doing[100], object[300], how[200];

    cell(row, "doing", doing, sizeof doing);
    cell(row, "object", object, sizeof object);
    cell(row, "lastExit", how, sizeof how);
    if (cell_number(row, "pid") != 0)
        printf("%s%s%s", doing, *object ? " " : "", object);
    else if (*how)
        printf("last: %s; next start in %.1f s", how, (double)cell_number(row, "nextStartMs") / 1000);
}

static void print_row(struct value row, bool colour)
{
    char role[32], state[16], up[24], pid[24];

    cell(row, "state", state, sizeof state);
    cell(row, "role", role, sizeof role);
    snprintf(pid, sizeof pid, "%" PRId64, cell_number(row, "pid"));
    printf("%-14s %4" PRId64 "  %-8s %4" PRId64 "  %s%-8s%s  %-8s %8" PRId64 "  ", role,
           cell_number(row, "slot"), cell_number(row, "pid") ? pid : "-", cell_number(row, "incarnation"),
           colour ? colour_of(state) : "", state, colour ? "\033[0m" : "",
           cell_number(row, "pid") ? cell_duration(cell_number(row, "uptimeSeconds"), up, sizeof up) : "-",
           cell_number(row, "restarts"));
    print_doing(row);
    printf("\n");
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
           *ran ? ran : "never", cell_number(plugin, "runs"), cell_number(plugin, "failures"));
    if (*until)
        printf(", credential good until %s", until);
    printf("\n");
    if (*cell(plugin, "lastError", error, sizeof error))
        printf("  last error: %s\n", error);
}

static void print_degraded(struct value row)
{
    char role[32], degraded[200];

    if (*cell(row, "degraded", degraded, sizeof degraded))
        printf("degraded: %s %" PRId64 ": %s\n", cell(row, "role", role, sizeof role),
               cell_number(row, "slot"), degraded);
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
               (double)cell_number(row, "writeForMs") / 1000);
    else
        printf("standby for Lease %s, held by %s", lease, *holder ? holder : "nobody");
    printf(" (%" PRId64 " transitions)\n", cell_number(row, "transitions"));
}

static void print_table(const struct msg_status *status)
{
    bool colour = in_colour();
    char version[65] = "", up[24];

    span_copy(status->version, version, sizeof version);
    printf("gardener-extension-provider-packet %s, pid %" PRIu64 ", up %s, %s\n", version, status->pid,
           cell_duration((int64_t)(status->uptime_ms / 1000), up, sizeof up),
           status->ready ? "ready" : "not ready");
    print_leadership(status->leadership);
    if (status->held)
        printf("drained: no job is begun; packetctl resume goes on\n");
    if (status->quarantined)
        printf("in quarantine: %" PRIu64 " objects; see packetctl quarantine list\n", status->quarantined);
    printf("\n%-14s %4s  %-8s %4s  %-8s  %-8s %8s  %s\n", "ROLE", "SLOT", "PID", "INC", "STATE", "UP",
           "RESTARTS", "DOING");
    for (struct value_iter it = value_each(status->processes); value_next(&it);)
        print_row(it.item, colour);
    for (struct value_iter it = value_each(status->processes); value_next(&it);)
        print_degraded(it.item);
    for (struct value_iter it = value_each(status->processes); value_next(&it);)
        if (value_is_text(value_get(it.item, "role"), role_name(GATEWAY)))
            show_calls(it.item);
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

int show_restarting(const struct message *answer, const struct command_line *line)
{
    uint64_t n = answer->body.restarting.processes;

    if (n == 0) {
        fprintf(stderr, "packetctl: nothing is restarted: a stop is under way\n");
        return PACKETCTL_FAILED;
    }
    if (line->json)
        return print_json(json_pack("{s:s, s:I, s:b}", "restarting",
                                    line->role == SUPERVISOR ? "all" : role_name(line->role), "processes",
                                    (json_int_t)n, "rolling", line->rolling));
    if (line->command == COMMAND_RELOAD) {
        printf("replacing %" PRIu64 " processes; packetctl status shows how far it is\n", n);
        return PACKETCTL_OK;
    }
    printf("restarting %" PRIu64 " %s%s%s; packetctl status shows how far it is\n", n, role_name(line->role),
           n > 1 ? "s" : "", n > 1 && line->rolling ? ", one after the other" : "");
    return PACKETCTL_OK;
}

int show_stopped(const struct command_line *line)
{
    if (line->json)
        return print_json(json_pack("{s:b}", "stopped", 1));
    printf("stopped\n");
    return PACKETCTL_OK;
}
