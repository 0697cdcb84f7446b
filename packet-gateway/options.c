/* packet-gateway/options.c -- reads and checks the options. Refuses what would send a token in the clear or
 * to nowhere; never opens anything. Called by main.c. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "packet-gateway/options.h"
#include "proto/proc.h"

#define RATE_MAX     10000.0
#define BURST_MAX    10000
#define PARALLEL_MAX 256

/* Names that never leave this machine: only there may a token travel in the clear (packet 9). */
static bool is_loopback(const char *host)
{
    unsigned a, b, c, d;
    char rest;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return sscanf(host, "%u.%u.%u.%u%c", &a, &b, &c, &d, &rest) == 4 && a == 127 && b < 256 && c < 256 &&
           d < 256;
}

static char *url_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    char *copy = NULL;

    if (curl_url_get(url, part, &text, 0) == CURLUE_OK)
        copy = x_strdup(text);
    curl_free(text);
    return copy;
}

static const char *take_apart(struct gateway_options *o, CURLU *url)
{
    char *scheme = url_part(url, CURLUPART_SCHEME), *host = url_part(url, CURLUPART_HOST);
    char *port = url_part(url, CURLUPART_PORT), *path = url_part(url, CURLUPART_PATH);
    char *query = url_part(url, CURLUPART_QUERY), *user = url_part(url, CURLUPART_USER);
    const char *wrong = NULL;

    o->tls = scheme && strcmp(scheme, "https") == 0;
    o->loopback = host && is_loopback(host);
    if (!host || !*host || query || user)
        wrong = "must be scheme, host and path only";
    else if (!o->tls && strcmp(scheme ? scheme : "", "http") != 0)
        wrong = "must start with https://";
    else if (!o->tls && !o->loopback)
        wrong = "plain http is for loopback addresses only: it would show the token";
    if (!wrong) {
        size_t len = strlen(path ? path : "");

        while (len && path[len - 1] == '/')
            len--;
        o->origin = x_asprintf("%s://%s%s%s", scheme, host, port ? ":" : "", port ? port : "");
        o->base_path = x_strndup(path ? path : "", len);
    }
    free(scheme);
    free(host);
    free(port);
    free(path);
    free(query);
    free(user);
    return wrong;
}

int options_read_url(struct gateway_options *options, const char *url, char *error, size_t size)
{
    CURLU *parsed = curl_url();
    const char *wrong = "is no URL";

    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        wrong = take_apart(options, parsed);
    curl_url_cleanup(parsed);
    if (!wrong)
        return 0;
    snprintf(error, size, "--packet-url %s", wrong);
    return -1;
}

/* "" keeps what is there. */
static int read_number(const char *name, double least, double most, double *number, char *error, size_t size)
{
    const char *text = proc_option(name);
    char *end = NULL;

    if (!*text)
        return 0;
    double n = strtod(text, &end);

    if (end != text && !*end && n >= least && n <= most) {
        *number = n;
        return 0;
    }
    snprintf(error, size, "--%s must be a number from %g to %g", name, least, most);
    return -1;
}

int options_read(struct gateway_options *options, char *error, size_t size)
{
    const char *url = proc_option("packet-url");
    double burst = DEFAULT_PACKET_BURST, parallel = DEFAULT_PACKET_PARALLEL;

    *options = (struct gateway_options){.rate = DEFAULT_PACKET_RATE, .limits = DEFAULT_LIMITS};
    options->ca_file = proc_option("packet-ca-file");
    options->consumer = proc_option("packet-consumer-token");
    if (options_read_url(options, *url ? url : DEFAULT_PACKET_URL, error, size) ||
        read_number("packet-rate", 0, RATE_MAX, &options->rate, error, size) ||
        read_number("packet-burst", 1, BURST_MAX, &burst, error, size) ||
        read_number("packet-parallel", 1, PARALLEL_MAX, &parallel, error, size))
        return -1;
    options->burst = (unsigned)burst;
    options->parallel = (unsigned)parallel;
    for (const char *c = options->consumer; *c; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f) {
            snprintf(error, size, "--packet-consumer-token holds blanks or control characters");
            return -1;
        }
    }
    return 0;
}

void options_free(struct gateway_options *options)
{
    free(options->origin);
    free(options->base_path);
    options->origin = options->base_path = NULL;
}
