/* watcher/headers.h -- the response headers that matter: Retry-After, and the API server's Warnings, each
 * text logged once (kubernetes 14, 49). Owns the hashes of the latest texts. Called by transfer.c. */
#ifndef WATCHER_HEADERS_H
#define WATCHER_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WARNINGS_KEPT                                                                                        \
    256 /* texts remembered, by 8 bytes each; then the oldest is forgotten, and may be told again */

struct warnings {
    uint64_t seen[WARNINGS_KEPT]; /* ring */
    unsigned count;
};

/* Does the header line begin with this name and a colon? In any case of letters. */
bool headers_is(const char *line, size_t len, const char *name);
/* Milliseconds of an integer Retry-After, -1 for anything else, a date too. */
int64_t headers_retry_after(const char *value, size_t len);
/* The value of one Warning line. Only code 299 counts. Never fails. Returns how many were new. */
unsigned headers_warning(struct warnings *warnings, const char *value, size_t len);

#endif
