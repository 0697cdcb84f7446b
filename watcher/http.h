/* watcher/http.h -- the watcher's requests and its one watch, on libcurl's multi interface driven by zloop.
 * Decides nothing; each request started ends in exactly one result, each watch not taken back in exactly one
 * end. Called by main.c. */
#ifndef WATCHER_HTTP_H
#define WATCHER_HTTP_H

#include <czmq.h>

#include "watcher/access.h"
#include "watcher/core/watcher.h"

struct http;

struct http_events {
    void *ctx;
    void (*result)(void *ctx, const struct watcher_result *result);
    void (*item)(void *ctx, uint64_t id, const char *json, size_t len); /* of a list, before its result */
    void (*event)(void *ctx, const char *json, size_t len);
    void (*watch_ended)(void *ctx, int status, const char *body, size_t len, int64_t retry_after_ms);
    void (*settled)(void *ctx); /* after a batch of the above */
};

/* multiplex: HTTP/2 where the server has it, many requests on one connection; else HTTP/1.1, one request at a
 * time on each. Never both in one: libcurl (7.88) then hands a request that may share a connection one that
 * may not be shared, and answers are mixed up. access must live as long. NULL when libcurl cannot start. */
struct http *http_new(zloop_t *loop, struct access *access, const struct http_events *events, bool multiplex);
/* Drops what is under way without results. */
void http_free(struct http *http);

/* Both copy what they need; nothing is called back from inside them. */
void http_start(struct http *http, const struct watcher_request *request);
void http_watch(struct http *http, const char *path);
void http_unwatch(struct http *http);

uint64_t http_started(const struct http *http);
uint64_t http_failed(const struct http *http);

#endif
