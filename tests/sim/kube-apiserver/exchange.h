/* tests/sim/kube-apiserver/exchange.h -- one HTTP request of the stand-alone server, from its first line to
 * its end. Owned by http.c; stream.c sends what a watch has to say. */
#ifndef TESTS_SIM_KUBE_APISERVER_EXCHANGE_H
#define TESTS_SIM_KUBE_APISERVER_EXCHANGE_H

#include "tests/sim/kube-apiserver/server.h"

struct exchange {
    struct exchange *next;
    struct exchange *prev;
    struct server *server;
    struct MHD_Connection *connection;
    char *path;
    char *query;
    char *body;
    size_t body_len;
    bool begun;
    bool decided; /* the core has answered */
    bool suspended;
    bool dead;      /* the client is gone or the server stops */
    bool gzip;      /* the client takes it */
    int64_t due_ms; /* when to go on; INT64_MAX: never by itself */
    struct sim_answer answer;
    size_t sent; /* of the body, for the broken ways to answer */
    /* a watch */
    struct kube_watch *watch;
    bool gzip_watch; /* as it was told to the client; the switch may turn meanwhile */
    int64_t bookmark_ms;
    const char *line;
    size_t line_len;
    size_t line_at;
    bool cut;     /* the line is the last thing before the connection drops */
    char *packed; /* a gzip member */
};

int64_t exchange_now_ms(void);
/* Suspends the connection until due_ms. */
void exchange_sleep(struct exchange *exchange, int64_t due_ms);

/* stream.c: the response of an open watch. */
struct MHD_Response *stream_response(struct exchange *exchange);
/* One gzip member of data (malloc'ed), its length in *len; NULL when it cannot be made. */
char *gzip_member(const char *data, size_t data_len, size_t *len);

#endif
