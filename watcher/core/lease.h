/* watcher/core/lease.h -- who leads: client-go's leader election on one Lease as a value (kubernetes 6.3,
 * 6.4; design 12.15). Goes by its own CLOCK_BOOTTIME and by changes that it has seen itself, never by a time
 * that another machine wrote. Owns the record as last seen. Never retries after a loss: the process ends.
 * Called by election.c and by tests/unit/test_watcher_lease.c. */
#ifndef WATCHER_CORE_LEASE_H
#define WATCHER_CORE_LEASE_H

#include <jansson.h>

#include "watcher/core/lease_record.h"
#include "watcher/core/watcher.h"

struct lease_config {
    const char *ns, *name, *identity;        /* live as long as the lease */
    int64_t duration_ms, renew_ms, retry_ms; /* kubernetes 6.2; the order of sizes was checked before */
};

enum lease_verb { LEASE_READ, LEASE_CREATE, LEASE_UPDATE };

struct lease_ops {
    void *ctx;
    /* path is borrowed, body (NULL for READ) is handed over. end_before: CLOCK_BOOTTIME ms. fresh: not on a
     * connection that is already there, as the last attempt on it failed. */
    void (*request)(void *ctx, enum lease_verb verb, const char *path, char *body, int64_t end_before,
                    bool fresh);
    void (*watch)(void *ctx, const char *path);
    void (*unwatch)(void *ctx);
};

enum lease_role {
    ROLE_OFF,       /* not begun */
    ROLE_CANDIDATE, /* stands by */
    ROLE_LEADER,
    ROLE_LOST,      /* was leader; for ever */
    ROLE_RELEASING, /* all work has ended; gives the Lease back if it is ours */
    ROLE_OVER
};

enum lease_step { STEP_NONE, STEP_RENEW, STEP_READ, STEP_CREATE, STEP_TAKE, STEP_RELEASE };

struct lease {
    struct lease_config config;
    struct lease_ops ops;
    uint64_t *random;
    enum lease_role role;
    enum lease_step step; /* the request that is under way */
    json_t *seen;         /* the object as last seen, NULL when there is none */
    int64_t seen_ms;      /* when its record was first seen like this */
    int64_t attempt_ms;   /* when the attempt under way, or the last one, began */
    int64_t put_ms;       /* when its write was handed out */
    int64_t held_ms;      /* put_ms of the last write that succeeded: what leadership is measured from */
    int64_t next_ms;      /* next attempt */
    int64_t over_ms;      /* RELEASING ends at the latest */
    bool watching;
    bool doubt; /* the last request got no answer */
    unsigned failures;
    uint64_t renewals, failed; /* since the start */
    char trouble[128];         /* of the last failure; "" after a success */
};

void lease_open(struct lease *lease, const struct lease_config *config, const struct lease_ops *ops,
                uint64_t *random);
void lease_close(struct lease *lease);

void lease_start(struct lease *lease, struct instant now);
/* Everything that was done as leader has ended: gives the Lease back, for at most within_ms. */
void lease_release(struct lease *lease, int64_t within_ms, struct instant now);

void lease_result(struct lease *lease, const struct watcher_result *result, struct instant now);
/* One event of the watch, and its end with any status. */
void lease_event(struct lease *lease, const char *json, size_t len, struct instant now);
void lease_watch_ended(struct lease *lease, int status, struct instant now);
void lease_tick(struct lease *lease, struct instant now);
int64_t lease_next_ms(const struct lease *lease);

/* CLOCK_BOOTTIME ms: nothing may be written from then on (start of the last successful renewal + renew
 * deadline), and nothing may still be under way from then on (the same + lease duration, when another may
 * lead). 0 unless leader. */
int64_t lease_write_until(const struct lease *lease);
int64_t lease_end_until(const struct lease *lease);
/* Who holds it as far as is known, "" for nobody. Borrowed until the next call. */
const char *lease_holder(const struct lease *lease);
uint64_t lease_transitions(const struct lease *lease);

/* ---- lease_ask.c, for lease.c alone */
void lease_ask_read(struct lease *lease, struct instant now);
void lease_ask_put(struct lease *lease, enum lease_step step, enum lease_change change, struct instant now);
void lease_ask_post(struct lease *lease, struct instant now);
void lease_ask_watch(struct lease *lease);

#endif
