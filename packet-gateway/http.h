/* packet-gateway/http.h -- the gateway's requests on libcurl's multi interface, driven by the process's
 * zloop. Decides nothing about what a request means; every request started ends in exactly one result. Called
 * by main.c. */
#ifndef PACKET_GATEWAY_HTTP_H
#define PACKET_GATEWAY_HTTP_H

#include <czmq.h>

#include "packet-gateway/core/gateway.h"
#include "packet-gateway/options.h"
#include "proto/tally.h"

struct http;

typedef void http_done_fn(void *ctx, const struct gateway_result *result);

/* options must live as long. Returns NULL when libcurl cannot start. */
struct http *http_new(zloop_t *loop, const struct gateway_options *options, http_done_fn *done, void *ctx);
/* Drops what is under way without results. */
void http_free(struct http *http);

/* Copies what it needs. The result comes later through done, never from inside this call. */
void http_start(struct http *http, const struct gateway_request *request);
/* No mutation handed over so far may start any more; one that has begun goes on (design 12.15). */
void http_fence_mutations(struct http *http);

uint64_t http_started(const struct http *http);
uint64_t http_failed(const struct http *http);
/* Of the calls that ended. */
const struct tally *http_tally(const struct http *http);

#endif
