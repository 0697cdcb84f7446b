/* watcher/headers.c -- reads single header lines; takes apart `299 - "text", 299 - "text"`. Owns nothing but
 * the ring. Called by transfer.c. */
#include "watcher/headers.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"

#define TEXT_MAX 512

bool headers_is(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);

    return len > n && !strncasecmp(line, name, n) && line[n] == ':';
}

int64_t headers_retry_after(const char *value, size_t len)
{
    int64_t seconds = 0;
    size_t at = 0;

    while (at < len && value[at] == ' ')
        at++;
    size_t first = at;
    for (; at < len && value[at] >= '0' && value[at] <= '9' && seconds < 86400; at++)
        seconds = seconds * 10 + (value[at] - '0');
    size_t digits = at - first;
    while (at < len && (value[at] == '\r' || value[at] == '\n' || value[at] == ' '))
        at++;
    return at == len && digits ? seconds * 1000 : -1;
}

static uint64_t hash_of(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a: a collision costs one log line */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

static bool is_new(struct warnings *warnings, const char *text)
{
    uint64_t h = hash_of(text);

    for (unsigned i = 0; i < warnings->count && i < WARNINGS_KEPT; i++)
        if (warnings->seen[i] == h)
            return false;
    warnings->seen[warnings->count++ % WARNINGS_KEPT] = h;
    return true;
}

/* Copies a quoted text from behind its opening quote. Returns the place behind the closing one. */
static size_t copy_quoted(const char *value, size_t len, size_t at, char *text)
{
    size_t used = 0;

    for (; at < len && value[at] != '"'; at++) {
        if (value[at] == '\\' && at + 1 < len)
            at++;
        if (used < TEXT_MAX - 1)
            text[used++] = (unsigned char)value[at] < 0x20 ? ' ' : value[at];
    }
    text[used] = '\0';
    return at < len ? at + 1 : len;
}

unsigned headers_warning(struct warnings *warnings, const char *value, size_t len)
{
    char text[TEXT_MAX];
    unsigned fresh = 0;
    size_t at = 0;

    while (at < len) {
        while (at < len && (value[at] == ' ' || value[at] == ','))
            at++;
        bool counts = len - at > 4 && !memcmp(value + at, "299 ", 4);
        while (at < len && value[at] != '"')
            at++;
        if (at == len)
            break;
        at = copy_quoted(value, len, at + 1, text);
        if (counts && is_new(warnings, text)) {
            fresh++;
            log_info("the API server warns", F_STR("warning", text));
        }
        /* an optional quoted date */
        while (at < len && value[at] == ' ')
            at++;
        if (at < len && value[at] == '"')
            at = copy_quoted(value, len, at + 1, text);
    }
    return fresh;
}
