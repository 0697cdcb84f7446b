/* packetctl/show_explain.c -- what is with an object, and how the latest runs ended, as the watcher says.
 * Called through ask(). */
#include <inttypes.h>

#include "packetctl/packetctl.h"

/* Its sentence, if there is one; then there is nothing to show. */
static bool was_refused(const struct message *answer)
{
    struct span why = answer->body.explanation.refused;

    if (why.len == 0)
        return false;
    fprintf(stderr, "packetctl: %.*s\n", (int)why.len, why.p);
    return true;
}

static void print_run(struct value run, bool with_object)
{
    char time[40], result[16], id[48], text[300], object[520];

    printf("%-24s  %-10s  %-8s  %8.3f s  %s%s%s\n", cell(run, "time", time, sizeof time),
           cell(run, "result", result, sizeof result), cell(run, "reconcileID", id, sizeof id),
           (double)cell_number(run, "tookMs") / 1000,
           with_object ? cell(run, "object", object, sizeof object) : "", with_object ? "  " : "",
           cell(run, "text", text, sizeof text));
}

/* Returns how many there were. */
static unsigned print_runs(struct value runs, bool with_object)
{
    unsigned n = 0;

    for (struct value_iter it = value_each(runs); value_next(&it); n++) {
        if (n == 0)
            printf("%-24s  %-10s  %-8s  %10s  %s%s\n", "ENDED", "RESULT", "ID", "TOOK",
                   with_object ? "OBJECT  " : "", "WHAT IT SAID");
        print_run(it.item, with_object);
    }
    return n;
}

int show_explanation(const struct message *answer, const struct command_line *line)
{
    struct value said = answer->body.explanation.answer;
    char state[24], why[400];

    if (was_refused(answer))
        return PACKETCTL_FAILED;
    bool unknown = value_is_text(value_get(said, "state"), "unknown");
    if (line->json) {
        int code = print_json(to_json(said));
        return unknown ? PACKETCTL_FAILED : code;
    }
    int64_t next_ms = cell_number(said, "nextMs");

    printf("%s: %s: %s\n", line->key, cell(said, "state", state, sizeof state),
           cell(said, "why", why, sizeof why));
    if (next_ms >= 0)
        printf("goes on in %.1f s\n", (double)next_ms / 1000);
    printf("\n");
    if (print_runs(value_get(said, "runs"), false) == 0)
        printf("no run of it has ended since the watcher began, or all are forgotten\n");
    return unknown ? PACKETCTL_FAILED : PACKETCTL_OK;
}

int show_events(const struct message *answer, const struct command_line *line)
{
    struct value runs = value_get(answer->body.explanation.answer, "runs");

    if (was_refused(answer))
        return PACKETCTL_FAILED;
    if (line->json)
        return print_json(to_json(runs));
    if (print_runs(runs, true) == 0)
        printf("no run has ended since the watcher began\n");
    return PACKETCTL_OK;
}
