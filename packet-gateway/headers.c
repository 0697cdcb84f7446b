/* packet-gateway/headers.c -- reads header lines: names without case, values by strict shapes, nonsense as
 * absent (packet C-12, C-34, C-36). Allocates nothing. Called by transfer.c. */
#include <ctype.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "packet-gateway/headers.h"

#define VALUE_MAX 128u /* longer values of the headers read here mean nothing */

void headers_clear(struct headers *headers, const struct provider *api)
{
    *headers = (struct headers){
        .api = provider_or_packet(api), .retry_after_ms = -1, .limit_remaining = -1, .limit_reset_s = -1};
}

/* Digits only, at most 15 of them; else -1. */
static int64_t read_digits(const char *text)
{
    int64_t n = 0;

    if (!*text || strlen(text) > 15)
        return -1;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text))
            return -1;
        n = n * 10 + (*text - '0');
    }
    return n;
}

/* Seconds or an HTTP date (packet C-34). */
static int64_t read_retry_after(const char *text, int64_t wall_ms)
{
    int64_t seconds = read_digits(text);

    if (seconds >= 0)
        return seconds * 1000;
    if (!isalpha((unsigned char)*text))
        return -1;
    time_t at = curl_getdate(text, NULL);

    if (at == (time_t)-1)
        return -1;
    return (int64_t)at * 1000 > wall_ms ? (int64_t)at * 1000 - wall_ms : 0;
}

static void read_request_id(const char *text, char out[REQUEST_ID_MAX])
{
    size_t len = strlen(text);

    out[0] = '\0';
    if (len >= REQUEST_ID_MAX)
        return;
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return;
    }
    memcpy(out, text, len + 1);
}

static bool is_json(const char *text)
{
    static const char type[] = "application/json";

    return strncasecmp(text, type, sizeof type - 1) == 0 && strchr("; \t", text[sizeof type - 1]) != NULL;
}

/* The value without blanks around it, or false when it is too long to matter. */
static bool take_value(const char *at, const char *end, char value[VALUE_MAX])
{
    while (at < end && isspace((unsigned char)*at))
        at++;
    while (at < end && isspace((unsigned char)end[-1]))
        end--;
    if ((size_t)(end - at) >= VALUE_MAX || memchr(at, '\0', (size_t)(end - at)))
        return false;
    memcpy(value, at, (size_t)(end - at));
    value[end - at] = '\0';
    return true;
}

/* name: NULL when the API has no such line. */
static bool is_named(const char *line, size_t n, const char *name)
{
    return name && strlen(name) == n && strncasecmp(line, name, n) == 0;
}

void headers_read(struct headers *headers, const char *line, size_t len, int64_t wall_ms)
{
    const struct provider *api = headers->api;
    const char *colon = memchr(line, ':', len);
    char value[VALUE_MAX];

    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        headers_clear(headers, headers->api);
        return;
    }
    if (!colon || !take_value(colon + 1, line + len, value))
        return;
    size_t n = (size_t)(colon - line);

    if (is_named(line, n, "content-type"))
        headers->json = is_json(value);
    else if (is_named(line, n, api->request_id_field))
        read_request_id(value, headers->request_id);
    else if (is_named(line, n, "retry-after"))
        headers->retry_after_ms = read_retry_after(value, wall_ms);
    else if (is_named(line, n, api->remaining_field))
        headers->limit_remaining = read_digits(value);
    else if (is_named(line, n, api->reset_field))
        headers->limit_reset_s = read_digits(value);
    else if (is_named(line, n, "deprecation") || is_named(line, n, "sunset"))
        headers->sunset = true;
}
