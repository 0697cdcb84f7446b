/* watcher/core/backoff.c -- the reflector's waits: 0.8 s doubled up to 30 s, each times a factor of [1,2),
 * and from the start again when more than two minutes have passed since the last start (kubernetes 2.7, 24).
 * Called by reflector.c. */
#include "watcher/core/core.h"

#define BACKOFF_FIRST_MS 800
#define BACKOFF_CAP_MS   30000
#define BACKOFF_RESET_MS (2 * 60 * 1000)

int64_t reflector_backoff(struct watcher_core *core)
{
    struct reflector *r = &core->reflector;
    int64_t wait;

    if (core->now.boot_ms - r->backoff_reset_ms > BACKOFF_RESET_MS) {
        r->backoff_reset_ms = core->now.boot_ms;
        r->backoff_step = 0;
    }
    wait = (int64_t)BACKOFF_FIRST_MS << r->backoff_step;
    if (wait > BACKOFF_CAP_MS)
        wait = BACKOFF_CAP_MS;
    else
        r->backoff_step++;
    return wait + (int64_t)hash_random_below(&core->random, (uint64_t)wait);
}
