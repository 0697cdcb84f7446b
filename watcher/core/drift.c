/* watcher/core/drift.c -- when an object is looked at that nobody asked about (design 12.12). Time goes round
 * in parts; each object has its part by its name, so that checks are spread evenly, an object is looked at
 * once in each round, and nothing is kept for it. Decides only when: prepare.c sees whether, the worker sees
 * what. Called by watcher.c and reflector.c. */
#include "watcher/core/core.h"

#define PARTS_MAX     256u
#define PART_LEAST_MS 1000

static int64_t part_ms(const struct watcher_core *core)
{
    return core->config.check_every_ms / core->drift.parts;
}

void drift_start(struct watcher_core *core)
{
    int64_t every_ms = core->config.check_every_ms, parts = every_ms / PART_LEAST_MS;

    if (every_ms <= 0)
        return;
    core->drift.parts = parts < 1 ? 1 : parts > PARTS_MAX ? PARTS_MAX : (unsigned)parts;
    core->drift.part = 0;
    core->drift.wake_ms = core->now.boot_ms + part_ms(core);
}

static unsigned part_of(const struct watcher_core *core, const struct known *known)
{
    uint64_t h = hash_span(&core->hash, hash_span(&core->hash, 5, known_ns(known)), known_name(known));

    return (unsigned)(h % core->drift.parts);
}

/* One that waits, runs or has failures on its account needs no check: something else goes on with it. */
static void ask(struct watcher_core *core, const struct known *known)
{
    struct span ns = known_ns(known), name = known_name(known);

    if (!queue_find(&core->queue, ns, name))
        queue_add(&core->queue, ns, name, PRIORITY_PERIODIC, (struct value){0}, core->now.boot_ms);
}

void drift_tick(struct watcher_core *core)
{
    struct drift *drift = &core->drift;
    struct known *known;

    if (core->now.boot_ms < drift->wake_ms || core->draining)
        return;
    for (size_t at = 0; (known = cache_next(&core->cache, &at));)
        if (part_of(core, known) == drift->part)
            ask(core, known);
    drift->part = (drift->part + 1) % drift->parts;
    drift->wake_ms =
        core->now.boot_ms + part_ms(core); /* what a stop has missed is not made up for at once */
}

int64_t drift_next_ms(const struct watcher_core *core)
{
    return core->draining ? INT64_MAX : core->drift.wake_ms;
}
