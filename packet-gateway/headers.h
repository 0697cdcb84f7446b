/* packet-gateway/headers.h -- what the gateway reads of an answer's header lines. Pure: no socket, no clock.
 * Called by transfer.c for each line libcurl hands over. */
#ifndef PACKET_GATEWAY_HEADERS_H
#define PACKET_GATEWAY_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet-gateway/core/provider.h"

#define REQUEST_ID_MAX 65u

struct headers {
    const struct provider *api;      /* who names some of the lines */
    bool json;                       /* the content type starts with application/json (packet C-12) */
    char request_id[REQUEST_ID_MAX]; /* letters, digits and -._ only; "" otherwise */
    int64_t retry_after_ms;          /* -1: none, or not readable */
    int64_t retry_at_s;              /* the same when it was a date */
    int64_t limit_remaining, limit_reset_s, limit;
    int64_t date_s; /* the server's clock, -1: not told */
    bool sunset;    /* Deprecation or Sunset was there (packet 9) */
};

/* api: NULL: Packet. */
void headers_clear(struct headers *headers, const struct provider *api);
/* One line with its line end; a status line starts anew (an interim answer came before). */
void headers_read(struct headers *headers, const char *line, size_t len, int64_t wall_ms);

#endif
