/* supervisor/core/policy.c -- the table of roles and the restart delay. Pure data and arithmetic; decides
 * nothing about a process. Read by core/child.c, core/tree.c and the shell's spawn.c. */
#include "supervisor/core/policy.h"

#include <stddef.h>

/* Watcher and gateway are never parked, only backed off (design 12.13): without either nothing works at all,
 * and a parked one would look like a healthy pod that does nothing. A run counts as stable soon, so that
 * kills from outside (no memory, a person) do not add up to a park while a crash loop does. */
#define RESTART_CENTRAL                                                                                      \
    {                                                                                                        \
        .drain_ms = STOP_REST_MS, .stable_ms = 2000, .backoff_ms = 20, .backoff_max_ms = 5000,               \
        .deaths_max = 0, .window_ms = 0, .park_ms = 0                                                        \
    }
#define RESTART_SPARE(drain)                                                                                 \
    {                                                                                                        \
        .drain_ms = (drain), .stable_ms = 2000, .backoff_ms = 20, .backoff_max_ms = 30000, .deaths_max = 10, \
        .window_ms = 300000, .park_ms = 120000                                                               \
    }

static const struct role_policy roles[] = {
    {WATCHER, "watcher", 1, STOP_REST, -200, RESTART_CENTRAL},
    {GATEWAY, "packet-gateway", 1, STOP_REST, -200, RESTART_CENTRAL},
    {WORKER, "worker", POLICY_WORKERS_MAX, STOP_WORKERS, 300, RESTART_SPARE(STOP_WORKERS_MS)},
    {EXPORTER, "exporter", 1, STOP_EXPORTER, 100,
     RESTART_SPARE(STOP_ALL_MS - STOP_WORKERS_MS - STOP_REST_MS)},
};

const struct role_policy *policy_roles(unsigned *count)
{
    *count = sizeof roles / sizeof roles[0];
    return roles;
}

const struct role_policy *policy_of(unsigned role)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (roles[i].role == role)
            return &roles[i];
    return NULL;
}

int64_t policy_delay_ms(const struct restart_policy *policy, unsigned streak, uint64_t draw)
{
    int64_t whole = policy->backoff_ms;

    for (unsigned i = 1; i < streak && whole < policy->backoff_max_ms; i++)
        whole *= 2;
    if (whole > policy->backoff_max_ms)
        whole = policy->backoff_max_ms;
    int64_t half = whole / 2;
    return half + (int64_t)(draw % (uint64_t)(whole - half + 1));
}
