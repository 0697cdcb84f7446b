/* watcher/core/cache.c -- the table of known objects. Owns its entries; never holds an object's content.
 * Called by events.c, jobs.c and the reflector. */
#include "watcher/core/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SLOTS_LEAST 64u

void cache_open(struct cache *cache, const struct hash_key *key)
{
    *cache = (struct cache){.hash = *key, .n_slots = SLOTS_LEAST};
    cache->slots = x_calloc(cache->n_slots, sizeof *cache->slots);
}

void cache_close(struct cache *cache)
{
    for (size_t i = 0; i < cache->n_slots; i++)
        free(cache->slots[i]);
    free(cache->slots);
    *cache = (struct cache){0};
}

struct span known_ns(const struct known *known)
{
    return (struct span){.p = known->key, .len = known->ns_len};
}

struct span known_name(const struct known *known)
{
    return (struct span){.p = known->key + known->ns_len, .len = known->name_len};
}

static size_t home(const struct cache *cache, struct span ns, struct span name)
{
    uint64_t h = hash_span(&cache->hash, hash_span(&cache->hash, 3, ns), name);

    return (size_t)h & (cache->n_slots - 1);
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t slot_of(const struct cache *cache, struct span ns, struct span name)
{
    size_t at = home(cache, ns, name);

    while (cache->slots[at] &&
           (!span_same(known_ns(cache->slots[at]), ns) || !span_same(known_name(cache->slots[at]), name)))
        at = (at + 1) & (cache->n_slots - 1);
    return at;
}

struct known *cache_find(const struct cache *cache, struct span ns, struct span name)
{
    return cache->slots[slot_of(cache, ns, name)];
}

static void resize(struct cache *cache, size_t n_slots)
{
    struct known **old = cache->slots;
    size_t n_old = cache->n_slots;

    cache->n_slots = n_slots;
    cache->slots = x_calloc(n_slots, sizeof *cache->slots);
    for (size_t i = 0; i < n_old; i++)
        if (old[i])
            cache->slots[slot_of(cache, known_ns(old[i]), known_name(old[i]))] = old[i];
    free(old);
}

struct known *cache_put(struct cache *cache, struct span ns, struct span name)
{
    size_t at = slot_of(cache, ns, name);

    if (cache->slots[at])
        return cache->slots[at];
    if ((cache->count + 1) * 8 > cache->n_slots * 7) {
        resize(cache, cache->n_slots * 2);
        at = slot_of(cache, ns, name);
    }
    struct known *known = x_calloc(1, sizeof *known + ns.len + name.len);
    known->ns_len = (uint8_t)ns.len;
    known->name_len = (uint8_t)name.len;
    memcpy(known->key, ns.p, ns.len);
    memcpy(known->key + ns.len, name.p, name.len);
    cache->slots[at] = known;
    cache->count++;
    return known;
}

/* Closes the hole at `hole` by moving up what probing would no longer reach. */
static void close_hole(struct cache *cache, size_t hole)
{
    size_t mask = cache->n_slots - 1;

    for (size_t at = (hole + 1) & mask; cache->slots[at]; at = (at + 1) & mask) {
        struct known *known = cache->slots[at];
        size_t want = home(cache, known_ns(known), known_name(known));

        if (((at - want) & mask) >= ((at - hole) & mask)) {
            cache->slots[hole] = known;
            cache->slots[at] = NULL;
            hole = at;
        }
    }
}

void cache_remove(struct cache *cache, struct known *known)
{
    size_t at = slot_of(cache, known_ns(known), known_name(known));

    cache->slots[at] = NULL;
    close_hole(cache, at);
    free(known);
    cache->count--;
    if (cache->n_slots > SLOTS_LEAST && cache->count * 4 < cache->n_slots)
        resize(cache, cache->n_slots / 2);
}

struct known *cache_next(const struct cache *cache, size_t *at)
{
    while (*at < cache->n_slots)
        if (cache->slots[(*at)++])
            return cache->slots[*at - 1];
    return NULL;
}

void cache_round_begin(struct cache *cache)
{
    if (++cache->round)
        return;
    for (size_t i = 0; i < cache->n_slots; i++)
        if (cache->slots[i])
            cache->slots[i]->mark = 0;
    cache->round = 1;
}

void cache_round_saw(struct cache *cache, struct known *known)
{
    known->mark = cache->round;
}

void cache_round_end(struct cache *cache, void (*gone)(void *ctx, const struct known *known), void *ctx)
{
    struct known **missing = x_malloc((cache->count + 1) * sizeof *missing);
    size_t n = 0;

    for (size_t i = 0; i < cache->n_slots; i++)
        if (cache->slots[i] && cache->slots[i]->mark != cache->round)
            missing[n++] = cache->slots[i];
    for (size_t i = 0; i < n; i++) {
        gone(ctx, missing[i]);
        cache_remove(cache, missing[i]);
    }
    free(missing);
}
