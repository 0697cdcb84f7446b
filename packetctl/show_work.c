/* packetctl/show_work.c -- answers about jobs, limits and objects, and to orders. Called through ask(). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "packetctl/packetctl.h"

/* What the gateway's calls to Packet wait for. */
void show_calls(struct value row)
{
    struct value g = value_get(row, "gauges");
    char silent[24];

    if (value_kind(g) != VALUE_MAP)
        return;
    printf("\nPacket API: %" PRId64 " calls under way; waiting: %" PRId64 " deletes, %" PRId64
           " creates, %" PRId64 " reads, %" PRId64 " drift checks\n",
           cell_number(g, "calls_under_way"), cell_number(g, "deletes_waiting"),
           cell_number(g, "creates_waiting"), cell_number(g, "reads_waiting"),
           cell_number(g, "drift_waiting"));
    printf("  budget %" PRId64 " calls", cell_number(g, "budget"));
    if (cell_number(g, "rate_milli") > 0)
        printf(", limit found %.1f calls/s", (double)cell_number(g, "rate_milli") / 1000);
    printf(", answered 429: %" PRId64 " in %" PRId64 " probes\n", cell_number(g, "refused"),
           cell_number(g, "probes"));
    if (cell_number(g, "pause_ms") > 0)
        printf("  told to pause: %" PRId64 " of %" PRId64 " credentials, the longest for another %.1f s\n",
               cell_number(g, "credentials_paused"), cell_number(g, "credentials"),
               (double)cell_number(g, "pause_ms") / 1000);
    if (cell_number(g, "api_silent_ms") > 0)
        printf("  no answer for %s: only a probe is sent now and then\n",
               cell_duration(cell_number(g, "api_silent_ms") / 1000, silent, sizeof silent));
}

int show_limits(const struct message *answer, const struct command_line *line)
{
    for (struct value_iter it = value_each(answer->body.status.processes); value_next(&it);) {
        if (!value_is_text(value_get(it.item, "role"), role_name(GATEWAY)))
            continue;
        if (!value_get(it.item, "gauges").len)
            break;
        if (line->json)
            return print_json(to_json(value_get(it.item, "gauges")));
        show_calls(it.item);
        return PACKETCTL_OK;
    }
    fprintf(
        stderr,
        "packetctl: no packet-gateway is at work, or it has told nothing yet; ask again in two seconds\n");
    return PACKETCTL_FAILED;
}

int show_jobs(const struct message *answer, const struct command_line *line)
{
    json_t *jobs = line->json ? json_array() : NULL;
    char object[520], doing[200];
    unsigned n = 0;

    for (struct value_iter it = value_each(answer->body.status.processes); value_next(&it);) {
        if (!*cell(it.item, "object", object, sizeof object))
            continue;
        cell(it.item, "doing", doing, sizeof doing);
        if (jobs)
            json_array_append_new(jobs, json_pack("{s:s,s:I,s:I,s:s}", "object", object, "worker",
                                                  (json_int_t)cell_number(it.item, "slot"), "pid",
                                                  (json_int_t)cell_number(it.item, "pid"), "doing", doing));
        else if (n++ == 0)
            printf("%-6s  %-8s  %-50s  %s\n", "WORKER", "PID", "OBJECT", "DOING");
        if (!jobs)
            printf("%-6" PRId64 "  %-8" PRId64 "  %-50s  %s\n", cell_number(it.item, "slot"),
                   cell_number(it.item, "pid"), object, doing);
    }
    if (jobs)
        return print_json(jobs);
    if (n == 0)
        printf("no worker has a job\n");
    return PACKETCTL_OK;
}

static void print_suspect(struct value row)
{
    char object[520], cause[200], last[40], left[24];
    bool quarantined = false;

    value_bool(value_get(row, "quarantined"), &quarantined);
    cell(row, "object", object, sizeof object);
    cell(row, "cause", cause, sizeof cause);
    cell(row, "lastStrike", last, sizeof last);
    printf("%-50s  %-10s  %7" PRId64 "  %5" PRId64 "  %-20s  %-10s  %s\n", object,
           quarantined ? "quarantine" : "suspect", cell_number(row, "strikes"), cell_number(row, "times"),
           last, quarantined ? cell_duration(cell_number(row, "nextTrialMs") / 1000, left, sizeof left) : "-",
           cause);
}

int show_quarantine(const struct message *answer, const struct command_line *line)
{
    struct value objects = answer->body.quarantine.objects;
    struct value_iter it = value_each(objects);

    if (line->json)
        return print_json(to_json(objects));
    if (!value_next(&it)) {
        printf("no object is in quarantine, and none is suspect\n");
        return PACKETCTL_OK;
    }
    printf("%-50s  %-10s  %7s  %5s  %-20s  %-10s  %s\n", "OBJECT", "STATE", "STRIKES", "TIMES", "LAST STRIKE",
           "NEXT TRIAL", "CAUSE");
    do
        print_suspect(it.item);
    while (value_next(&it));
    return PACKETCTL_OK;
}

int show_released(const struct message *answer, const struct command_line *line)
{
    uint64_t n = answer->body.released.objects;

    if (n == 0 && line->key[0] != '\0') {
        fprintf(stderr, "packetctl: %s is not in quarantine; see packetctl quarantine list\n", line->key);
        return PACKETCTL_FAILED;
    }
    if (line->json)
        return print_json(json_pack("{s:I}", "released", (json_int_t)n));
    printf("released %" PRIu64 "; each is tried once, at once\n", n);
    return PACKETCTL_OK;
}

int show_agreed(const struct message *answer, const struct command_line *line)
{
    const struct msg_agreed *agreed = &answer->body.agreed;
    char refused[LIMIT_TEXT + 1];

    span_copy(agreed->refused, refused, sizeof refused);
    if (refused[0] != '\0') {
        fprintf(stderr, "packetctl: refused: %s\n", refused);
        return PACKETCTL_FAILED;
    }
    if (line->json)
        return print_json(json_pack("{s:b,s:I}", "done", 1, "number", (json_int_t)agreed->number));
    switch (line->command) {
    case COMMAND_SCALE:
        printf("%" PRIu64 " workers from now on; packetctl status shows how far it is\n", agreed->number);
        break;
    case COMMAND_DRAIN:
        printf("no job is begun any more; %" PRIu64 " still run. packetctl resume goes on\n", agreed->number);
        break;
    case COMMAND_RESUME: printf("jobs are begun again\n"); break;
    case COMMAND_RETRY: printf("%s is tried now, if the watcher knows it\n", line->key); break;
    default: printf("done\n"); break;
    }
    return PACKETCTL_OK;
}
