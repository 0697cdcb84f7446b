/* watcher/core/hash.h -- keyed 64-bit hashes (SipHash-2-4, Aumasson and Bernstein 2012), so that nobody who
 * names objects can make them collide (design 12.14), and the core's random numbers, drawn from its seed.
 * Owns nothing, never asks the system for randomness. Called by the other files of the core. */
#ifndef WATCHER_CORE_HASH_H
#define WATCHER_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "proto/value.h"

struct hash_key {
    uint64_t k0, k1;
};

/* Hashes len bytes after `prior`, the hash of what came before (0 at the start): chained calls hash a list of
 * fields without letting bytes move from one into the next. */
uint64_t hash_bytes(const struct hash_key *key, uint64_t prior, const void *data, size_t len);
uint64_t hash_span(const struct hash_key *key, uint64_t prior, struct span s);
uint64_t hash_number(const struct hash_key *key, uint64_t prior, uint64_t n);
/* Of a whole msgpack value; the order of a map's keys does not matter. v has passed value_check(). */
uint64_t hash_value(const struct hash_key *key, struct value v);

/* The next number of the sequence that *state stands for (splitmix64). */
uint64_t hash_random(uint64_t *state);
/* Uniform in [0, below); 0 when below is 0. */
uint64_t hash_random_below(uint64_t *state, uint64_t below);

#endif
