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

/* "NAME  text", when there is one. */
static void print_line(const char *name, const char *text)
{
    if (*text)
        printf("%-10s  %s\n", name, text);
}

static void print_desired(struct value desired)
{
    char operation[64], deletion[40], ns[270], name[270];

    cell(desired, "operation", operation, sizeof operation);
    cell(desired, "deletionTimestamp", deletion, sizeof deletion);
    printf("%-10s  generation %" PRId64 "%s%s%s%s, credentials in Secret %s/%s\n", "desired",
           cell_number(desired, "generation"), *operation ? ", operation " : "", operation,
           *deletion ? ", to be deleted since " : "", deletion,
           cell(desired, "secretNamespace", ns, sizeof ns), cell(desired, "secretName", name, sizeof name));
}

static void print_codes(struct value codes)
{
    for (struct value_iter it = value_each(codes); value_next(&it);) {
        char code[64];

        printf(" (%s)", clean_span(value_text(it.item), code, sizeof code));
    }
}

static void print_actual(struct value actual)
{
    char type[32], state[32], when[40], id[64], project[64], text[1100];

    cell(actual, "type", type, sizeof type);
    printf("%-10s  ", "actual");
    if (*type)
        printf("generation %" PRId64 ", %s %s, %" PRId64 " %%, since %s",
               cell_number(actual, "observedGeneration"), type, cell(actual, "state", state, sizeof state),
               cell_number(actual, "progress"), cell(actual, "lastUpdateTime", when, sizeof when));
    else
        printf("nothing was done yet");
    if (cell_number(actual, "openAttempts") > 0)
        printf(", calls of Packet whose end is not known: %" PRId64, cell_number(actual, "openAttempts"));
    cell(actual, "sshKeyID", id, sizeof id);
    cell(actual, "project", project, sizeof project);
    printf("\n%-10s  %s%s%s\n", "SSH key", *id ? id : "none is recorded", *project ? ", project " : "",
           project);
    if (!*cell(actual, "error", text, sizeof text)) {
        print_line("said", cell(actual, "description", text, sizeof text));
        return;
    }
    printf("%-10s  %s", "error", text);
    print_codes(value_get(actual, "codes"));
    printf("\n");
}

/* What is wanted and what is there, or why it is not known. */
static void print_object(struct value said)
{
    struct value desired = value_get(said, "desired");
    char why[600];

    if (value_is_map(desired)) {
        print_desired(desired);
        print_actual(value_get(said, "actual"));
    } else {
        print_line("not read", cell(said, "unread", why, sizeof why));
    }
}

int show_explanation(const struct message *answer, const struct command_line *line)
{
    struct value said = answer->body.explanation.answer;
    char state[24], why[660];

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
        printf("%-10s  in %.1f s\n", "goes on", (double)next_ms / 1000);
    print_object(said);
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
