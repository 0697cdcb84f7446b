/* packetctl/cells.c -- parts of a table for people, and JSON for programs. What comes from others is printed
 * without control characters. Called by the files that show something. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "packetctl/packetctl.h"

int print_json(json_t *json)
{
    int failed = json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);

    json_decref(json);
    printf("\n");
    return failed ? PACKETCTL_FAILED : PACKETCTL_OK;
}

const char *clean_span(struct span text, char *buf, size_t size)
{
    size_t n = text.p == NULL ? 0 : text.len < size - 1 ? text.len : size - 1;

    for (size_t i = 0; i < n; i++)
        buf[i] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? '?' : text.p[i];
    buf[n] = '\0';
    return buf;
}

const char *cell(struct value row, const char *key, char *buf, size_t size)
{
    return clean_span(value_text(value_get(row, key)), buf, size);
}

bool colour_refused(void)
{
    const char *no = getenv("NO_COLOR");

    return no && *no;
}

enum look look_of(const char *state)
{
    if (strcmp(state, "ready") == 0)
        return LOOK_GOOD;
    return strcmp(state, "backoff") == 0 || strcmp(state, "parked") == 0 ? LOOK_BAD : LOOK_WAITS;
}

int64_t cell_number(struct value row, const char *key)
{
    int64_t n = 0;

    value_int(value_get(row, key), &n);
    return n;
}

/* "3s", "12m05s", "7h30m", "4d06h" */
const char *cell_duration(int64_t seconds, char *buf, size_t size)
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
