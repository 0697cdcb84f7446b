/* watcher/transfer.h -- one request to the API server as a libcurl handle: its options, its answer, what its
 * end means. Private to the shell; used by http.c. */
#ifndef WATCHER_TRANSFER_H
#define WATCHER_TRANSFER_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "watcher/access.h"
#include "watcher/core/watch_stream.h"
#include "watcher/core/watcher.h"
#include "watcher/headers.h"

struct transfer {
    TAILQ_ENTRY(transfer) link;
    CURL *easy;
    uint64_t id;
    bool watch;  /* no time-out, no compression, its events go to `stream` */
    bool list;   /* its items go to `stream` */
    bool secret; /* its answer is wiped */
    char *method, *path, *url, *body;
    size_t body_sent;
    struct curl_slist *fields, *connect_to; /* fields hold the token: wiped before they are freed */
    int64_t start_before, started_ms;
    long within_ms; /* its total time, a second try of libcurl's included */
    int timer;      /* zloop's id of its end, -1: none; http.c's */
    bool begun;     /* bytes may have left */
    bool fenced;    /* too late to begin */
    bool too_big;
    uint64_t generation; /* of the exec plugin's credential that it was sent with */
    uint64_t era;        /* of the connections that it may use; http_era.c's */
    int64_t retry_after_ms;
    struct warnings *warnings;
    char *answer; /* of a watch: its Status when it did not become a stream */
    size_t answer_len, answer_room, answer_max;
    struct watch_stream stream;
    char error[CURL_ERROR_SIZE];
};

TAILQ_HEAD(transfers, transfer);

/* easy: a fresh or reset handle, the transfer's until transfer_free(). Before it is started it has to be
 * armed. */
struct transfer *transfer_new(CURL *easy, struct access *access, bool multiplex,
                              const struct watcher_request *request);
struct transfer *transfer_new_watch(CURL *easy, struct access *access, const char *path);
/* transfer_way.c: TLS and the proxy. */
void transfer_set_way(CURL *easy, const struct access *access);
/* Gives it the credentials of this moment; once. */
void transfer_arm(struct transfer *transfer, struct access *access);
/* Wipes and frees; the reset handle is given back. */
CURL *transfer_free(struct transfer *transfer);
/* What came of it. Borrows from the transfer. */
struct watcher_result transfer_result(struct transfer *transfer, CURLcode code);

#endif
