/* watcher/core/cache.h -- what is known of each Infrastructure of ours: its name and three hashes, never the
 * object (design 12.14: at most 100 bytes each). Owns the table. Called by events.c, jobs.c and the
 * reflector. */
#ifndef WATCHER_CORE_CACHE_H
#define WATCHER_CORE_CACHE_H

#include "watcher/core/hash.h"

enum known_flag {
    KNOWN_ACTED = 1, /* a run has taken up the version that `rule` stands for: such an event is an echo */
    KNOWN_AHEAD = 2  /* core/ahead.c knows a newer version than the watch has shown */
};

struct known {
    uint64_t uid;        /* hash of metadata.uid */
    uint64_t rule;       /* hash of generation, deletionTimestamp, operation and timestamp annotations */
    uint64_t status;     /* hash of the status */
    uint32_t generation; /* low bits, for the ignore mode (gardener 3.4) */
    uint8_t flags, mark; /* enum known_flag; the list round that saw it last */
    uint8_t ns_len, name_len;
    char key[]; /* namespace and name, nothing between, no NUL */
};

struct cache {
    struct known **slots; /* open addressing, a power of two */
    size_t n_slots, count;
    struct hash_key hash;
    uint8_t round;
};

void cache_open(struct cache *cache, const struct hash_key *key);
void cache_close(struct cache *cache);

/* The entry or NULL. It stays where it is until it is removed. */
struct known *cache_find(const struct cache *cache, struct span ns, struct span name);
/* The entry, made all zero when it was not there. ns and name are at most LIMIT_NAME long. */
struct known *cache_put(struct cache *cache, struct span ns, struct span name);
void cache_remove(struct cache *cache, struct known *known);

struct span known_ns(const struct known *known);
struct span known_name(const struct known *known);

/* The entries one after the other: *at is 0 before the first, NULL comes after the last. Nothing may be put
 * or removed meanwhile. */
struct known *cache_next(const struct cache *cache, size_t *at);

/* A list begins: entries are marked as they are seen again. */
void cache_round_begin(struct cache *cache);
void cache_round_saw(struct cache *cache, struct known *known);
/* The list is complete: gone() is called for each entry it did not show, which is then removed (kubernetes
 * 22). */
void cache_round_end(struct cache *cache, void (*gone)(void *ctx, const struct known *known), void *ctx);

#endif
