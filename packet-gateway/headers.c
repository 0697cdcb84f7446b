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
    *headers = (struct headers){.api = provider_or_packet(api),
                                .retry_after_ms = -1,
                                .retry_at_s = -1,
                                .limit_remaining = -1,
                                .limit_reset_s = -1,
                                .limit = -1,
                                .date_s = -1};
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

/* An HTTP date in Unix seconds, or -1. libcurl reads years in the millions, too. */
static int64_t read_date(const char *text)
{
    int64_t at = isalpha((unsigned char)*text) ? (int64_t)curl_getdate(text, NULL) : -1;

    return at >= 0 && at <= (int64_t)LIMIT_TIME ? at : -1;
}

/* A Retry-After that is a date is one of the server's clock, which its own Date shows (packet C-34). */
static void know_retry(struct headers *headers, int64_t wall_ms)
{
    int64_t from = headers->date_s >= 0 ? headers->date_s * 1000 : wall_ms;

    if (headers->retry_at_s >= 0)
        headers->retry_after_ms = headers->retry_at_s * 1000 > from ? headers->retry_at_s * 1000 - from : 0;
}

static void read_server_date(struct headers *headers, const char *text, int64_t wall_ms)
{
    headers->date_s = read_date(text);
    know_retry(headers, wall_ms);
}

/* Seconds or an HTTP date. */
static void read_retry_after(struct headers *headers, const char *text, int64_t wall_ms)
{
    int64_t seconds = read_digits(text);

    headers->retry_at_s = seconds >= 0 ? -1 : read_date(text);
    headers->retry_after_ms = seconds >= 0 ? seconds * 1000 : -1;
    know_retry(headers, wall_ms);
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
        read_retry_after(headers, value, wall_ms);
    else if (is_named(line, n, api->remaining_field))
        headers->limit_remaining = read_digits(value);
    else if (is_named(line, n, api->reset_field))
        headers->limit_reset_s = read_digits(value);
    else if (is_named(line, n, api->limit_field))
        headers->limit = read_digits(value);
    else if (is_named(line, n, "date"))
        read_server_date(headers, value, wall_ms);
    else if (is_named(line, n, "deprecation") || is_named(line, n, "sunset"))
        headers->sunset = true;
}
