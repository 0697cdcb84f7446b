/* supervisor/options_help.c -- --help, made from the table, and the nearest name to a mistyped one. Called by
 * main.c and options_read.c. */
#include <stdio.h>
#include <string.h>

#include "supervisor/options.h"

#define NAME_MAX_LEN 64u
#define NEAR_ENOUGH  3u /* letters that may differ */

/* Letters to insert, delete or replace to make a of b (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_LEN + 1];
    size_t n = strlen(b);

    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
            unsigned least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = replace < least + 1 ? replace : least + 1;
        }
    }
    return row[n];
}

const char *options_nearest(const char *typed)
{
    size_t n;
    const struct option_row *rows = options_table(&n);
    const char *nearest = NULL;
    unsigned best = NEAR_ENOUGH + 1;

    if (strlen(typed) > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned d = strlen(rows[i].name) <= NAME_MAX_LEN ? distance(typed, rows[i].name) : best;
        if (d < best && d < strlen(rows[i].name)) {
            best = d;
            nearest = rows[i].name;
        }
    }
    return nearest;
}

static void print_group(enum option_group group, const char *title)
{
    static const char *const forms[] = {[OPTION_TEXT] = "=TEXT",
                                        [OPTION_BOOL] = "[=true|false]",
                                        [OPTION_COUNT] = "=N",
                                        [OPTION_LIST] = "=A,B"};
    size_t n;
    const struct option_row *rows = options_table(&n);

    printf("\n%s\n", title);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].group != group)
            continue;
        printf("  --%s%s\n        %s", rows[i].name, forms[rows[i].type], rows[i].help);
        if (rows[i].env)
            printf(" Default: $%s%s%s.", rows[i].env, *rows[i].fallback ? ", else " : "", rows[i].fallback);
        else if (*rows[i].fallback)
            printf(" Default: %s.", rows[i].fallback);
        printf("\n");
    }
}

void options_print_help(void)
{
    printf(
        "gardener-extension-provider-packet %s -- Gardener extension for Infrastructures of type packet\n\n"
        "Usage: gardener-extension-provider-packet --config-file=FILE [--option=value ...]\n\n"
        "Starts a tree of processes: a watcher that speaks to Kubernetes, workers that reconcile, a\n"
        "packet-gateway that speaks to Packet, an exporter for metrics and health. `packetctl status` shows\n"
        "them. SIGTERM or Ctrl-C stops in order, a second one at once.\n",
        PROVIDER_PACKET_VERSION);
    print_group(GROUP_OURS, "Options of this extension:");
    print_group(GROUP_GARDENER, "Options that all Gardener extensions have:");
    print_group(GROUP_IGNORED, "Taken and ignored, so that charts of full providers work:");
    printf("\nExit codes:\n");
#define AS_LINE(code, NAME, sentence) printf("  %3d  %s\n", code, sentence);
    EXIT_CODES(AS_LINE)
#undef AS_LINE
}
