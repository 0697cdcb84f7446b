/* watcher/proxy.c -- libcurl reads the environment in its own way (ALL_PROXY, loopback through the proxy), so
 * the choice is made here and libcurl is always told. Owns nothing. Called by access.c. */
#include "watcher/proxy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define HOST_MAX 256

struct target {
    char host[HOST_MAX], port[8];
    bool is_ip;
    int family;
    unsigned char ip[16];
};

static const char *either(const char *capitals, const char *small)
{
    const char *text = getenv(capitals);

    if (!text || !*text)
        text = getenv(small);
    return text ? text : "";
}

struct proxy_environment proxy_environment(void)
{
    return (struct proxy_environment){.https = either("HTTPS_PROXY", "https_proxy"),
                                      .http = either("HTTP_PROXY", "http_proxy"),
                                      .no = either("NO_PROXY", "no_proxy")};
}

static bool read_ip(const char *text, int *family, unsigned char *ip)
{
    *family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(*family, text, ip) == 1;
}

/* "host", "host:port", "[v6]", "[v6]:port", or a bare v6 address; false when it does not fit. */
static bool split(const char *text, size_t len, struct target *out)
{
    const char *host = text, *end = text + len, *colon = memchr(text, ':', len);
    size_t host_len = len;

    *out = (struct target){.port = ""};
    if (len && text[0] == '[') {
        const char *close = memchr(text, ']', len);

        if (!close)
            return false;
        host = text + 1;
        host_len = (size_t)(close - host);
        colon = close + 1 < end && close[1] == ':' ? close + 1 : NULL;
    } else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        host_len = (size_t)(colon - text);
    } else {
        colon = NULL;
    }
    size_t port_len = colon ? (size_t)(end - colon - 1) : 0;
    if (host_len >= sizeof out->host || port_len >= sizeof out->port)
        return false;
    memcpy(out->host, host, host_len);
    if (colon)
        memcpy(out->port, colon + 1, port_len);
    out->is_ip = read_ip(out->host, &out->family, out->ip);
    return true;
}

static bool is_loopback(const struct target *t)
{
    static const unsigned char one[16] = {[15] = 1};

    if (!t->is_ip)
        return !strcasecmp(t->host, "localhost");
    return t->family == AF_INET ? t->ip[0] == 127 : !memcmp(t->ip, one, sizeof one);
}

static bool in_network(const struct target *t, const char *address, const char *bits)
{
    unsigned char ip[16];
    int family;
    char *end;
    unsigned long n = strtoul(bits, &end, 10);

    if (!t->is_ip || !read_ip(address, &family, ip) || family != t->family || *end || end == bits ||
        n > (family == AF_INET ? 32u : 128u))
        return false;
    if (memcmp(ip, t->ip, n / 8))
        return false;
    return n % 8 == 0 || (ip[n / 8] ^ t->ip[n / 8]) >> (8 - n % 8) == 0;
}

/* "example.com" is the host and all below it, ".example.com" and "*.example.com" only what is below. */
static bool in_domain(const char *host, const char *domain)
{
    size_t host_len = strlen(host), len;

    if (domain[0] == '*' && domain[1] == '.')
        domain++;
    if (domain[0] != '.' && !strcasecmp(host, domain))
        return true;
    domain += domain[0] == '.';
    len = strlen(domain);
    return len && host_len > len && host[host_len - len - 1] == '.' &&
           !strcasecmp(host + host_len - len, domain);
}

/* One entry of NO_PROXY, without blanks around it. */
static bool excepts(const char *entry, size_t len, const struct target *t)
{
    struct target e;
    char *slash;

    if (len == 1 && *entry == '*')
        return true;
    if (!len || !split(entry, len, &e))
        return false;
    if (*e.port && strcmp(e.port, t->port))
        return false;
    if ((slash = strchr(e.host, '/'))) {
        *slash = '\0';
        return in_network(t, e.host, slash + 1);
    }
    if (e.is_ip)
        return t->is_ip && e.family == t->family && !memcmp(e.ip, t->ip, sizeof e.ip);
    return !t->is_ip && in_domain(t->host, e.host);
}

static bool excepted(const char *no, const struct target *t)
{
    while (*no) {
        size_t len = strcspn(no, ","), from = strspn(no, " \t");
        size_t to = len;

        while (to > from && strchr(" \t", no[to - 1]))
            to--;
        if (from < to && excepts(no + from, to - from, t))
            return true;
        no += len + (no[len] == ',');
    }
    return false;
}

static bool names_host(const char *authority)
{
    size_t len = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', len);

    return strcspn(at ? at + 1 : authority, ":/?#") > 0;
}

/* socks5 leaves the look-up of names to the proxy, which libcurl calls socks5h. */
static char *for_libcurl(const char *url, char *error, size_t error_size)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    bool bare = !strstr(url, "://");

    if (bare && !strpbrk(url, " \t\r\n\"<>"))
        return x_asprintf("http://%s", url);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i]);

        if (!strncasecmp(url, schemes[i], len) && names_host(url + len) && !strpbrk(url, " \t\r\n\"<>"))
            return x_asprintf("%s%s", i == 2 ? "socks5h://" : schemes[i], url + len);
    }
    char *shown = proxy_shown(url);
    snprintf(error, error_size, "the proxy \"%.100s\" is no http, https or socks5 URL", shown);
    free(shown);
    return NULL;
}

char *proxy_choose(const char *server, const char *configured, const struct proxy_environment *env,
                   char *error, size_t error_size)
{
    bool tls = !strncmp(server, "https://", 8);
    const char *host = strstr(server, "://") + 3, *proxy = tls ? env->https : env->http;
    struct target target;

    if (configured && *configured)
        return for_libcurl(configured, error, error_size);
    if (!proxy || !*proxy || !split(host, strcspn(host, "/"), &target))
        return x_strdup("");
    if (!*target.port)
        strcpy(target.port, tls ? "443" : "80");
    if (is_loopback(&target) || excepted(env->no ? env->no : "", &target))
        return x_strdup("");
    return for_libcurl(proxy, error, error_size);
}

char *proxy_shown(const char *proxy)
{
    const char *host = strstr(proxy, "://");

    host = host ? host + 3 : proxy;
    const char *at = strrchr(host, '@');
    return x_asprintf("%.*s%s", (int)(host - proxy), proxy, at ? at + 1 : host);
}
