/* packet-gateway/core/gateway.h -- everything the gateway decides: who may do what, when a call may start,
 * what an answer means, whether a create happened. No socket, no clock; HTTP requests leave through ops and
 * come back as results. Driven by packet-gateway/main.c and by tests/world. */
#ifndef PACKET_GATEWAY_CORE_GATEWAY_H
#define PACKET_GATEWAY_CORE_GATEWAY_H

#include <stdbool.h>

#include "base/clock.h"
#include "proto/messages.h"

/* Bytes of an answer. A project's list is one answer without pages: 8,000 keys of 4096 bits fit (packet 4.4
 * advises 1 MiB, which is full with 900). */
#define GATEWAY_ANSWER_MAX (8u * 1024 * 1024)

struct gateway_core;
struct provider; /* provider.h */

/* A request to start now. All pointers are borrowed for the time of the call. */
struct gateway_request {
    uint64_t id;
    const struct provider *api; /* whose header names to use; NULL: Packet */
    const char *method;         /* GET, POST, PUT, DELETE */
    const char *path;           /* below the base URL; of a list's next page, already resolved */
    const char *token;          /* NUL-terminated; never logged */
    const char *body;           /* JSON, or NULL */
    bool once;                  /* POST, PUT: never sent again by the HTTP library (packet C-10, C-20) */
    int64_t start_before;       /* CLOCK_BOOTTIME ms: not to be started later, checked where the bytes leave
                                   (design 12.15) */
    int64_t end_before; /* the same clock: its time-out ends then at the latest; INT64_MAX or 0: the usual */
};

enum gateway_fate {
    FATE_ANSWERED, /* status and body are there */
    FATE_NOT_SENT, /* no byte of the request left: refused, DNS, connect time-out */
    FATE_LOST,     /* it may have left, no valid answer came: reset, time-out, cut off, over the size limit */
    FATE_FENCED,   /* start_before was over */
    FATE_TLS       /* the peer is not who it should be */
};

struct gateway_result {
    uint64_t id;
    enum gateway_fate fate;
    int status;
    bool json;              /* content type starts with application/json, in any case (packet C-12) */
    const char *request_id; /* the API's own name of the call, or "" */
    const char *body;       /* body_len bytes, NUL after them */
    size_t body_len;
    int64_t retry_after_ms;                 /* from Retry-After in seconds or as a date, else -1 */
    int64_t limit_remaining, limit_reset_s; /* the API's rate limit in Unix seconds, else -1 */
    int64_t limit;                          /* calls that it allows in all, else 0 or -1 */
    int64_t date_s;                         /* the server's clock in Unix seconds, else 0 or -1 */
    const char *detail;                     /* the HTTP library's sentence when there is no answer, or "" */
};

struct gateway_config {
    uint64_t seed; /* of the jitter */
    uint64_t incarnation;
    const char *base_path; /* path prefix of the base URL, to strip from hrefs ("/metal/v1"), "" when none */
    double rate;           /* calls each second and credential at the start; 0: no limit of our own */
    unsigned burst;
    unsigned parallel;               /* calls under way at once, whole process */
    const struct provider *provider; /* NULL: Packet */
};

struct gateway_ops {
    void *ctx;
    /* to: the receiver's incarnation; its role follows from id. */
    void (*send)(void *ctx, uint64_t to, enum msg_id id, const void *body, const struct envelope *envelope);
    void (*request)(void *ctx, const struct gateway_request *request);
};

struct gateway_core *gateway_core_new(const struct gateway_config *config, const struct gateway_ops *ops,
                                      struct instant now);
/* Wipes every token. */
void gateway_core_free(struct gateway_core *core);

/* PEER, PEER_GONE, EPOCH_OVER, DRAIN from the supervisor (the shell answers PEER with PEER_OK after telling
 * its sockets); GRANT, REVOKE from the watcher; SEARCH, CREATE, UPDATE, REMOVE from workers. from: role and
 * incarnation as proven by the bus. */
void gateway_core_message(struct gateway_core *core, unsigned from_role, uint64_t from,
                          const struct message *message, struct instant now);
void gateway_core_result(struct gateway_core *core, const struct gateway_result *result, struct instant now);
void gateway_core_tick(struct gateway_core *core, struct instant now);
int64_t gateway_core_next_ms(const struct gateway_core *core);

bool gateway_core_finished(const struct gateway_core *core);
/* "idle", or "3 calls under way, 12 waiting, budget 4.2". Core-owned. */
const char *gateway_core_doing(struct gateway_core *core);

/* Numbers for the beat. */
struct gateway_gauges {
    unsigned under_way, waiting; /* calls */
    unsigned tickets[LANES];     /* objects that wait for budget, lane by lane */
    unsigned grants, credentials;
    unsigned paused;            /* credentials in a pause after 429 */
    double budget;              /* calls that may start now, of the scarcest credential */
    int64_t pause_ms;           /* left of the longest pause */
    unsigned waiting_in[LANES]; /* waiting, lane by lane: deletes, creates, reads, drift */
    double rate;                /* lowest rate learned, calls each second; 0: none */
    uint64_t limited, probes;   /* 429s so far; steps beyond what was known to be allowed */
    bool breaker_open;
    int64_t breaker_ms; /* since it opened */
};
void gateway_core_gauges(const struct gateway_core *core, struct gateway_gauges *gauges);

#endif
