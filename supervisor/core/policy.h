/* supervisor/core/policy.h -- the one table of roles: binary, place in status, order of the stop, and how its
 * children are restarted. Adding a role touches this table. Read by core/ and by the supervisor's shell. */
#ifndef SUPERVISOR_CORE_POLICY_H
#define SUPERVISOR_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/contract.h"

/* All times in milliseconds. */
struct restart_policy {
    int64_t drain_ms;   /* from the request to leave to SIGKILL */
    int64_t stable_ms;  /* READY this long: earlier deaths are forgotten, and the next one is no early one */
    int64_t backoff_ms; /* after the first early death; doubles with each further one ... */
    int64_t backoff_max_ms; /* ... up to this */
    unsigned deaths_max; /* more early deaths than this in a row, within window_ms: parked. 0: never parked */
    int64_t window_ms;
    int64_t park_ms; /* a parked slot is tried again after this long */
};

enum stop_phase { STOP_NOT, STOP_WORKERS, STOP_REST, STOP_EXPORTER, STOP_PHASES };

struct role_policy {
    unsigned role;
    const char *binary;     /* file name in libexec */
    unsigned slots_max;     /* how many there may be */
    enum stop_phase leaves; /* the phase of the ordered stop in which it leaves (gardener 66) */
    int oom_score_adj;      /* workers first in line when memory runs out (design 2) */
    struct restart_policy restart;
};

#define POLICY_WORKERS_MAX 64u

/* All roles, in the order in which status shows them. */
const struct role_policy *policy_roles(unsigned *count);
/* The row of one role; NULL for SUPERVISOR, CONTROL and anything unknown. */
const struct role_policy *policy_of(unsigned role);

/* The delay before the next start after `streak` (>= 1) early deaths in a row: doubles, is capped, and lies
 * between half of that and the whole, so that children that died together do not start together. */
int64_t policy_delay_ms(const struct restart_policy *policy, unsigned streak, uint64_t draw);

#endif
