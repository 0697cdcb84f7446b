/* packetctl/crashes.c -- shows the crash records: files that the supervisor leaves beside its socket. Asks
 * nobody, so it also works after the supervisor's own end. Called by main.c. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packetctl/packetctl.h"

#define RECORDS_MAX   1000       /* more than the supervisor keeps */
#define FILE_MAX      (1u << 20) /* bytes; a longer one is none of ours */
#define CRASH_DIR     "crashes"
#define TEXT_OF(r, k) json_string_value(json_object_get((r), (k)))

static int is_record(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');

    return e->d_name[0] != '.' && dot && !strcmp(dot, ".json");
}

/* NULL, with a line on stderr, when it cannot be read. */
static json_t *read_record(const char *dir, const char *name)
{
    char path[PACKETCTL_PATH_MAX + 300];
    json_error_t error;
    json_t *record = NULL;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    if (f && fseek(f, 0, SEEK_END) == 0 && ftell(f) <= (long)FILE_MAX) {
        rewind(f);
        record = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    }
    if (f)
        fclose(f);
    if (!record)
        fprintf(stderr, "packetctl: %s is no crash record that can be read\n", path);
    return record;
}

/* What comes from a dead process is shown without control characters. */
static const char *clean(const char *text, char *buf, size_t size)
{
    return clean_span(span_of(text ? text : ""), buf, size);
}

static void print_lines(const char *title, json_t *lines)
{
    size_t i;
    json_t *line;
    char text[1024];

    if (json_array_size(lines) == 0)
        return;
    printf("  %s:\n", title);
    json_array_foreach(lines, i, line) printf("    %s\n", clean(json_string_value(line), text, sizeof text));
}

static void print_record(json_t *r)
{
    char a[600], b[600];
    const char *why = TEXT_OF(r, "why");

    printf("%s  %s, pid %lld: %s", clean(TEXT_OF(r, "time"), a, 40), clean(TEXT_OF(r, "role"), b, 40),
           (long long)json_integer_value(json_object_get(r, "pid")), "");
    printf("%s%s%s\n", clean(TEXT_OF(r, "how"), a, sizeof a), why && *why ? "; " : "",
           clean(why, b, sizeof b));
    if (*clean(TEXT_OF(r, "object"), a, sizeof a))
        printf("  object: %s\n", a);
    printf("  doing: %s\n", clean(TEXT_OF(r, "doing"), a, sizeof a));
    printf("  up %.1f s, peak memory %lld KiB\n",
           (double)json_integer_value(json_object_get(r, "uptimeMs")) / 1000,
           (long long)json_integer_value(json_object_get(r, "peakMemoryKiB")));
    print_lines("backtrace", json_object_get(r, "backtrace"));
}

json_t *crashes_read(const struct command_line *line)
{
    char dir[PACKETCTL_PATH_MAX + sizeof CRASH_DIR + 1];
    struct dirent **names = NULL;

    snprintf(dir, sizeof dir, "%s/" CRASH_DIR, line->dir);
    int n = scandir(dir, &names, is_record, alphasort);
    if (n < 0 && errno != ENOENT) {
        fprintf(stderr, "packetctl: cannot read %s (%s): %s\n", dir, line->why_there, strerror(errno));
        return NULL;
    }
    json_t *all = json_array();
    for (int i = n - 1; i >= 0; i--) {
        json_t *record = i >= n - RECORDS_MAX ? read_record(dir, names[i]->d_name) : NULL;

        if (record)
            json_array_append_new(all, record);
        free(names[i]);
    }
    free(names);
    return all;
}

int crashes_show(const struct command_line *line)
{
    json_t *all = crashes_read(line);

    if (!all)
        return PACKETCTL_FAILED;
    if (line->json)
        return print_json(all);
    for (size_t i = 0; i < json_array_size(all); i++)
        print_record(json_array_get(all, i));
    if (json_array_size(all) == 0)
        printf("no crash record in %s/" CRASH_DIR " (%s)\n", line->dir, line->why_there);
    else
        printf("the last log lines of each are in %s/" CRASH_DIR ", or in packetctl --json crashes\n",
               line->dir);
    json_decref(all);
    return PACKETCTL_OK;
}
