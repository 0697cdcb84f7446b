/* watcher/proxy.h -- through which proxy the API server is reached: the kubeconfig's, or the environment's as
 * Go reads it (kubernetes 1.10, 11). Pure. Called by access.c. */
#ifndef WATCHER_PROXY_H
#define WATCHER_PROXY_H

#include <stddef.h>

/* NULL and "" are the same as not set. */
struct proxy_environment {
    const char *https, *http; /* HTTPS_PROXY, HTTP_PROXY, or in small letters */
    const char *no;           /* NO_PROXY */
};

/* What stands in our own environment; capitals first. ALL_PROXY is not asked, as Go does not. */
struct proxy_environment proxy_environment(void);

/* For libcurl: a proxy's URL, or "" for none; the caller frees it. server is an http or https URL.
 * `configured` is the kubeconfig's proxy-url or NULL, and wins. NULL with a sentence in error when the URL is
 * no http, https or socks5 one. */
char *proxy_choose(const char *server, const char *configured, const struct proxy_environment *env,
                   char *error, size_t error_size);

/* Without name and password, to be shown; the caller frees it. */
char *proxy_shown(const char *proxy);

#endif
