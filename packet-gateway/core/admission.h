/* packet-gateway/core/admission.h -- who waits for budget, and in which order they are called in: the shapes,
 * and what admission.c and tickets.c answer. Part of internal.h; nobody else includes it. */
#ifndef PACKET_GATEWAY_CORE_ADMISSION_H
#define PACKET_GATEWAY_CORE_ADMISSION_H

#include <sys/queue.h>

#include "proto/messages.h"

#define AHEAD_MS        100 /* called in so long before the last of its calls may start: it must come first */
#define COMING_MS       5000  /* a reservation waits so long for its object */
#define TICKET_KEPT_MS  60000 /* who did not come keeps its place so long; an outage is told once in it */
#define TICKETS_MAX     20000u
#define OUTAGE_LEAST_MS 20 /* between two objects that are told of an outage */
#define AGAIN_LEAST_MS  10 /* between two looks at a budget that others hold */

struct gateway_core;
struct credential;
struct grant;

enum ticket_state {
    TICKET_WAITING, /* in its lane */
    TICKET_CALLED,  /* its calls are reserved until it comes */
    TICKET_KEPT     /* did not come, or owes calls: only what is known of it */
};

/* One object that waits. No token: the credential knows its hash. */
struct ticket {
    TAILQ_ENTRY(ticket) link; /* of its lane, of the called, of the kept */
    struct ticket *next;      /* of its chain */
    struct line *line;
    uint64_t order;   /* lowest first */
    int64_t until_ms; /* WAITING: its patience ends, INT64_MAX without; CALLED, KEPT: that ends */
    int64_t told_ms;  /* of an outage; 0: never */
    uint32_t watcher, epoch;
    uint16_t calls, owes; /* calls beyond what was promised last time */
    uint8_t lane, state;
    char owner[];
};
TAILQ_HEAD(tickets, ticket);

/* All that wait for one credential. */
struct line {
    TAILQ_ENTRY(line) link;
    struct credential *credential;
    struct tickets lanes[LANES];
    unsigned tickets; /* in any state */
};
TAILQ_HEAD(lines, line);

struct admission {
    struct lines lines;          /* whose turn it is comes first */
    struct tickets called, kept; /* by the end of it */
    struct ticket **chains;
    size_t n_chains;
    unsigned tickets, waiting[LANES], n_called;
    uint64_t next_order;
    int64_t patience_ms;         /* the first end of a patience, INT64_MAX: none */
    int64_t outage_ms, probe_ms; /* not before: the next that is told of an outage; the next probe */
};

/* ---- tickets.c: the table, the lanes ---- */
void tickets_open(struct admission *admission);
struct ticket *ticket_find(const struct admission *admission, struct span owner);
/* In state KEPT. NULL when there are too many. */
struct ticket *ticket_new(struct gateway_core *core, struct credential *credential, struct span owner);
void ticket_free(struct gateway_core *core, struct ticket *ticket);
/* Puts it into this lane, or at its end when it was in none. */
void ticket_wait(struct gateway_core *core, struct ticket *ticket, enum lane lane);
/* Reserves its calls for COMING_MS. */
void ticket_call(struct gateway_core *core, struct ticket *ticket);
/* Its reservation is given back. */
void ticket_keep(struct gateway_core *core, struct ticket *ticket);
/* Whose turn it is among those that wait in this lane or a higher one. */
struct ticket *line_first(const struct line *line, enum lane lowest);
struct line *line_of(const struct admission *admission, const struct credential *credential);

/* ---- admission.c ---- */
/* Has this new grant its budget? Else its object has a ticket and is called in; *wait_ms says how long that
 * would be now. What is reserved for the grant is not yet in its credential's `reserved`. */
bool admission_ask(struct gateway_core *core, const struct grant *grant, const struct msg_grant *message,
                   int64_t *wait_ms);
/* Calls in whoever has budget now. */
void admission_move(struct gateway_core *core);
int64_t admission_next_ms(const struct gateway_core *core);
/* The grant's job made more calls than were promised to it: next time it goes behind so many others. */
void admission_charge(struct gateway_core *core, const struct grant *grant);
void admission_epoch_over(struct gateway_core *core, uint64_t epoch);
void admission_free(struct gateway_core *core);

#endif
