/* watcher/core/hash.c -- SipHash-2-4 and splitmix64. Owns nothing, allocates nothing. Called by the other
 * files of the core. */
#include "watcher/core/hash.h"

#include <string.h>

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static uint64_t little_endian(const uint8_t *at, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

uint64_t hash_bytes(const struct hash_key *key, uint64_t prior, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t k0 = key->k0 ^ prior;
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     key->k1 ^ 0x7465646279746573u};
    size_t whole = len / 8 * 8;

    for (size_t i = 0; i < whole; i += 8)
        sip_word(v, little_endian(at + i, 8));
    sip_word(v, (uint64_t)len << 56 | (len > whole ? little_endian(at + whole, len - whole) : 0));
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_span(const struct hash_key *key, uint64_t prior, struct span s)
{
    return hash_bytes(key, prior, s.p, s.p ? s.len : 0);
}

uint64_t hash_number(const struct hash_key *key, uint64_t prior, uint64_t n)
{
    return hash_bytes(key, prior, &n, sizeof n);
}

uint64_t hash_value(const struct hash_key *key, struct value v)
{
    enum value_kind kind = value_kind(v);
    uint64_t sum = (uint64_t)kind;

    if (kind != VALUE_MAP && kind != VALUE_ARRAY)
        return hash_bytes(key, sum, v.at, v.len);
    struct value_iter it = value_each(v);
    while (value_next(&it)) {
        uint64_t item = hash_value(key, it.item);

        if (kind == VALUE_MAP)
            sum += hash_number(key, hash_bytes(key, 1, it.key.at, it.key.len), item);
        else
            sum = hash_number(key, sum, item);
    }
    return hash_number(key, 2, sum);
}

uint64_t hash_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t hash_random_below(uint64_t *state, uint64_t below)
{
    return below ? hash_random(state) % below : 0;
}
