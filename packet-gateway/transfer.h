/* packet-gateway/transfer.h -- one request as a libcurl handle: its options, what comes back, what the end
 * means. Private to the shell; used by http.c. */
#ifndef PACKET_GATEWAY_TRANSFER_H
#define PACKET_GATEWAY_TRANSFER_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "packet-gateway/core/gateway.h"
#include "packet-gateway/headers.h"
#include "packet-gateway/options.h"
#include "packet-gateway/sockets.h"

struct transfer {
    TAILQ_ENTRY(transfer) link;
    CURL *easy;
    int timer; /* zloop's id of its end, -1: none; http.c's */
    struct sockets *sockets;
    uint64_t id;
    const struct provider *api;
    char *method, *path, *url, *body;
    size_t body_sent;
    struct curl_slist *fields; /* holds the token: wiped before it is freed */
    bool mutation, once;
    int64_t start_before;
    long within_ms;    /* its total time */
    unsigned sent;     /* times that its bytes may have left */
    unsigned may_send; /* so often and no more */
    bool stopped;      /* not to begin any more */
    bool fenced;       /* did not begin because of start_before or stopped */
    bool dead;         /* the connection it was given had been used before, and was dead */
    bool again;        /* this is its second try, on a fresh connection */
    bool too_big;
    int64_t started_ms;
    struct headers headers;
    size_t headers_len;
    char *answer;
    size_t answer_len, answer_room;
    char error[CURL_ERROR_SIZE];
};

TAILQ_HEAD(transfers, transfer);

/* easy: a fresh or reset handle, owned by the transfer until transfer_free(). */
struct transfer *transfer_new(CURL *easy, const struct gateway_options *options, struct sockets *sockets,
                              const struct gateway_request *request);
/* After libcurl's end: was it the connection's fault alone, and may the request go out once more? Then the
 * handle is made ready for that, on a fresh connection, and the answer is true (packet C-10). */
bool transfer_again(struct transfer *transfer);
/* Wipes and frees; the reset handle is given back. */
CURL *transfer_free(struct transfer *transfer);
/* What came of it. Borrows from the transfer. */
struct gateway_result transfer_result(struct transfer *transfer, CURLcode code);

#endif
