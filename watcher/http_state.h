/* watcher/http_state.h -- what http.c, http_wait.c and http_era.c share: the state of one libcurl multi
 * handle. Nobody else includes it. */
#ifndef WATCHER_HTTP_STATE_H
#define WATCHER_HTTP_STATE_H

#include "watcher/http.h"
#include "watcher/transfer.h"

#define SPARE_MAX   8u  /* handles kept for the next requests */
#define SOCKETS_MAX 64u /* more than there are ever open: those that are being opened included */

struct http {
    zloop_t *loop;
    CURLM *multi;
    struct access *access;
    struct http_events events;
    bool multiplex; /* HTTP/2, else HTTP/1.1 */
    int timer;      /* zloop's id of libcurl's time-out, -1: none */
    struct transfers running;
    struct transfers waiting; /* for a credential of the exec plugin */
    struct transfer *watch;
    bool watch_waits;    /* for the same */
    CURLcode watch_code; /* with watch_over */
    bool watch_over;     /* the stream has ended, its last events are still to be handed over */
    CURL *spare[SPARE_MAX];
    unsigned n_spare;
    uint64_t watches, started, failed;
    uint64_t era; /* connections of earlier ones are closed */
    struct {
        curl_socket_t fd;
        uint64_t era;
    } sockets[SOCKETS_MAX];
    unsigned n_sockets;
};

/* http.c. Hands the transfer's end over and frees it; it is in no list any more. */
void http_finish(struct http *http, struct transfer *transfer, CURLcode code);
/* Hands over everything that libcurl has brought since the last time. */
void http_turn(struct http *http);

/* http_wait.c */
void http_wait_open(struct http *http);
/* Start now, or as soon as there is a credential. */
void http_wait_start(struct http *http, struct transfer *transfer);
void http_wait_watch(struct http *http);

/* http_era.c */
void http_era_arm(struct http *http, struct transfer *transfer);
/* Ends what belongs to an earlier era, as far as nothing is under way on it. */
void http_era_check(struct http *http);

#endif
