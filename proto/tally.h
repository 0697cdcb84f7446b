/* proto/tally.h -- requests counted by method and code, as client-go does it (kubernetes 3.5,
 * rest_client_requests_total). Called by the HTTP files and beats of watcher and packet-gateway. */
#ifndef PROTO_TALLY_H
#define PROTO_TALLY_H

#include <stdint.h>

#include "proto/pack.h"

#define TALLY_ROWS                                                                                           \
    48u /* pairs of method and code; the last one is for all that come when the others are taken */

struct tally {
    struct {
        char text[16]; /* "GET 200", "PATCH <error>", "<other> <other>" */
        uint64_t n;
    } rows[TALLY_ROWS];
    unsigned count;
};

/* Every attempt; code 0: no answer came. */
void tally_add(struct tally *tally, const char *method, int code);
/* A map from "METHOD CODE" to how many. */
void tally_pack(const struct tally *tally, struct pack *out);

#endif
