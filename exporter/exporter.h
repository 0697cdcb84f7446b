/* exporter/exporter.h -- the exporter's one struct and what its files do for each other: listen.c opens the
 * ports, http.c answers on them, state.c asks the supervisor, health.c and metrics.c write the pages. Nothing
 * outside this folder includes it. */
#ifndef EXPORTER_EXPORTER_H
#define EXPORTER_EXPORTER_H

#include <microhttpd.h>

#include "base/clock.h"
#include "exporter/text.h"
#include "proto/proc.h"

#define ASK_WAIT_MS  2000 /* a scrape waits this long for the supervisor, then says that it did not answer */
#define FRESH_MS     200  /* scrapes this close together share one answer */
#define CONNECTIONS  32u  /* on each port; more are refused */
#define CONNECTION_S 10u  /* an idle or slow client is cut off */

/* What the supervisor said last. */
struct state {
    bool known;     /* an answer younger than ASK_WAIT_MS and FRESH_MS is there */
    int64_t got_ms; /* boot ms of that answer */
    char version[65];
    uint64_t uptime_ms;
    bool ready;
    bool elected, leading, held; /* the watcher's election; held: by somebody */
    char lease[LIMIT_NAME + 1];  /* its name, without the namespace */
    uint64_t transitions;
    uint8_t *processes; /* msgpack, owned */
    size_t processes_len;
};

/* A request that waits for the supervisor. */
struct waiter {
    struct MHD_Connection *connection;
    struct waiter *next;
    bool suspended;
};

enum port { PORT_METRICS, PORT_HEALTH, PORT_COUNT };

struct exporter {
    struct proc proc;
    zloop_t *loop;
    struct MHD_Daemon *daemons[PORT_COUNT]; /* NULL when disabled */
    struct state state;
    struct waiter *waiters;
    bool asking;
    int64_t asked_ms;
    int timer; /* of zloop; -1 when none */
    uint64_t served;
    int exit_code;
    const char *reason; /* why it leaves; NULL while it goes on */
};

/* ---- listen.c */
/* Opens a listening socket on "host:port", ":port" or "[v6]:port" and logs where it really is. Returns the
 * descriptor, -1 for "0" (disabled), or -2 after a line in the log. */
int listen_on(const char *what, const char *address);

/* ---- http.c */
/* Starts the daemons on the two addresses. 0 or an exit code. */
int http_start(struct exporter *e);
void http_stop(struct exporter *e);
/* Lets both daemons work; sets the timer they need. */
void http_run(struct exporter *e);
/* The supervisor has answered, or its time is over: all waiting requests go on. */
void http_resume(struct exporter *e);
/* Hands the daemons' descriptors to the loop. */
void http_watch(struct exporter *e);

/* ---- state.c */
/* Asks the supervisor unless a question is under way. */
void state_ask(struct exporter *e);
bool state_is_fresh(const struct exporter *e);
/* No answer came in time. */
bool state_is_overdue(const struct exporter *e);
void state_take(struct exporter *e, const struct msg_status *status);
void state_free(struct exporter *e);

/* ---- health.c and metrics.c: pages from the state; pure but for allocation */
/* path: "/healthz", "/readyz" or one check of them. Returns the HTTP status; 404 for an unknown check. */
unsigned health_page(const struct state *state, const char *path, bool verbose, const char *exclude,
                     struct text *out);
void metrics_page(const struct state *state, struct text *out);
void metrics_head(struct text *out, const char *name, const char *type, const char *help);
/* Makes a label's value need no escapes. */
void metrics_clean(char *text);
/* ---- controller.c. gauges: of the watcher's last beat, absent before */
void metrics_tally(struct value tally, const char *name, const char *help, const char *label,
                   struct text *out);
void controller_page(struct value gauges, unsigned workers, struct text *out);
/* ---- process.c. The numbers of all processes in sum, from /proc */
void process_page(struct value rows, struct text *out);

#endif
