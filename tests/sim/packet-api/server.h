/* tests/sim/packet-api/server.h -- what the files of the stand-alone server share.
 * Owns the layout of the server's records; one thread, one loop, no locks. Never seen by the core. */
#ifndef TESTS_SIM_PACKET_API_SERVER_H
#define TESTS_SIM_PACKET_API_SERVER_H

#include <microhttpd.h>
#include <stdio.h>

#include "tests/sim/packet-api/core/packet_sim.h"

/* -- options.c, help.c
 * ----------------------------------------------------------------------------------------- */

#define PRELOADS_MAX 64u

struct options {
    struct packet_sim_config sim;
    const char *host;                                 /* address to listen on */
    int port, admin_port;                             /* 0: any free one */
    const char *tls_cert, *tls_key, *tls_self_signed; /* files, directory; NULL: plain HTTP */
    const char *ledger;                               /* file, "-" for standard output; NULL: none */
    bool die_with_parent;
    const char *projects[PRELOADS_MAX], *tokens[PRELOADS_MAX], *configs[PRELOADS_MAX], *faults[PRELOADS_MAX];
    unsigned n_projects, n_tokens, n_configs, n_faults;
    char switches[8][96]; /* switches set by flags of their own, as JSON */
    unsigned n_switches;
};

/* 0: go on; otherwise exit with *status after a message was printed. */
int options_read(struct options *options, int argc, char **argv, int *status);
void help_print(FILE *to);

/* -- timers.c
 * -------------------------------------------------------------------------------------------------- */

struct timer {
    int64_t due_ns; /* 0: not set */
    void (*fire)(struct timer *timer);
    struct timer *next;
};

struct timers {
    struct timer *first; /* by due time */
};

int64_t timers_now_ns(void); /* CLOCK_MONOTONIC */
void timer_set(struct timers *timers, struct timer *timer, int64_t after_ms);
void timer_clear(struct timers *timers, struct timer *timer);
void timers_run(struct timers *timers);
int64_t timers_next_ns(const struct timers *timers); /* 0: none */

/* -- server.c
 * -------------------------------------------------------------------------------------------------- */

#define DAEMONS_MAX 64u /* every return from "refused" needs a new one */

struct connection;

struct server {
    const struct options *options;
    struct packet_sim *sim;
    struct timers timers;
    struct MHD_Daemon *daemons[DAEMONS_MAX]; /* [0]: the administrative one */
    unsigned n_daemons;
    struct MHD_Daemon *listening; /* serves the API's port; NULL while refused */
    int port, admin_port;
    char *cert, *key; /* PEM */
    FILE *ledger;
    int64_t wall_minus_mono_ms;
    uint64_t next_connection;
    struct connection *connections;
    struct timer sweep;
    bool stopping;
};

void server_start_clock(struct server *server); /* before anything asks for the time */
int server_start(struct server *server);
int server_run(struct server *server); /* until a signal */
void server_stop(struct server *server);
int64_t server_now_ms(const struct server *server); /* wall time that never goes back */
void server_follow_sunset(struct server *server);   /* opens or closes the API's port */

/* -- exchange.c
 * ------------------------------------------------------------------------------------------------ */

struct connection {
    struct server *server;
    struct connection *next, **back;
    struct exchange *held; /* the exchange that is suspended, if any */
    int fd;
    bool admin_port;
    uint64_t number;
    unsigned served;
    struct timer closing; /* S-28 */
};

enum stage { STAGE_BODY, STAGE_WAIT, STAGE_ANSWER, STAGE_SENT };

struct exchange {
    struct server *server;
    struct connection *connection;
    struct MHD_Connection *mhd;
    char *uri; /* path, and query behind a NUL */
    const char *query;
    char *body;
    size_t body_len;
    bool headers_seen;
    enum stage stage;
    struct sim_answer answer;
    int64_t close_after_ms;
    size_t limit; /* bytes of the body that will be sent */
    struct timer timer;
    bool suspended;
    bool waited; /* one byte is due (SIM_DRIP) */
};

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **state);
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
void exchange_end(void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code);
void exchange_connection(void *cls, struct MHD_Connection *mhd, void **state,
                         enum MHD_ConnectionNotificationCode code);
/* Lets go of every suspended exchange: those whose client has left, or all. */
void exchange_release(struct server *server, bool all);
void exchange_suspend(struct exchange *exchange);
void exchange_resume(struct exchange *exchange);

/* -- respond.c
 * ------------------------------------------------------------------------------------------------- */

enum MHD_Result respond(struct exchange *exchange);
void respond_reset(const struct exchange *exchange);

/* -- selfsigned.c
 * ---------------------------------------------------------------------------------------------- */

/* Makes a key and a certificate for 127.0.0.1, ::1 and localhost, both PEM and malloc'ed, and writes the
 * certificate to DIR/ca.crt. 0 or -1. */
int selfsigned_make(const char *dir, char **cert, char **key);

#endif
