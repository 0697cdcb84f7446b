/* watcher/tally.h -- requests to the API server, counted by method and code as client-go does
 * (kubernetes 3.5, rest_client_requests_total). One for the process. Called by http.c and beat.c. */
#ifndef WATCHER_TALLY_H
#define WATCHER_TALLY_H

#include <stdint.h>

#include "proto/pack.h"

#define TALLY_ROWS 48u /* pairs of method and code; what is beyond goes into the last one */

struct tally {
    struct {
        char text[16]; /* "GET 200", "PATCH <error>" */
        uint64_t n;
    } rows[TALLY_ROWS];
    unsigned count;
};

/* Every attempt; code 0: no answer came. */
void tally_add(struct tally *tally, const char *method, int code);
/* A map from "METHOD CODE" to how many. */
void tally_pack(const struct tally *tally, struct pack *out);

#endif
