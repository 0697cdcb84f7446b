/* proto/value.h -- reads msgpack without allocating: a value is a window on bytes that somebody else owns.
 * msgpack-c's unpacker allocates 24 to 48 times what a header claims, before a byte of it is there; this
 * reader allocates nothing, so a frame can cost no more than its own length. Used by the decoder, the worker
 * and the watcher. */
#ifndef PROTO_VALUE_H
#define PROTO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed text or bytes; p is NULL when absent. Not NUL-terminated, may hold NULs. */
struct span {
    const char *p;
    uint32_t len;
};

#define SPAN(literal) ((struct span){.p = (literal), .len = (uint32_t)(sizeof(literal) - 1)})

bool span_is(struct span s, const char *text);
bool span_same(struct span a, struct span b);
struct span span_of(const char *text);
/* Copies into buf (size bytes, always NUL-terminated) and returns whether it fitted whole and held no NUL. */
bool span_copy(struct span s, char *buf, size_t size);
/* The beginning of UTF-8 text: at most max bytes, up to a whole character. */
struct span span_begin(struct span s, uint32_t max);

enum value_kind {
    VALUE_NONE, /* absent: what a look-up of a missing key gives */
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STR,
    VALUE_BIN,
    VALUE_ARRAY,
    VALUE_MAP
};

/* Exactly one msgpack item; at is NULL when absent. */
struct value {
    const uint8_t *at;
    size_t len;
};

#define VALUE_DEPTH_MAX 64u /* kubernetes 9.5 asks for at least 64 on our parser */

/* Is data one complete, well-formed item of exactly len bytes, nested no deeper than VALUE_DEPTH_MAX, with
 * maps keyed by text or small numbers and without extension types? Every value handed to the functions below
 * has passed this. */
bool value_check(const void *data, size_t len);
/* The length of the first item in data, or 0 when it is malformed or cut off. */
size_t value_length(const void *data, size_t len);

enum value_kind value_kind(struct value v);
bool value_is_map(struct value v);

/* The value under a text key, or an absent value; also when v is no map. */
struct value value_get(struct value v, const char *key);
/* value_get along a NULL-terminated path of keys: value_at(object, "metadata", "uid", NULL). */
struct value value_at(struct value v, ...) __attribute__((sentinel));

/* Each returns false (and leaves *out zero) for another kind. value_int takes unsigned ones up to INT64_MAX.
 */
bool value_str(struct value v, struct span *out);
bool value_int(struct value v, int64_t *out);
bool value_uint(struct value v, uint64_t *out); /* no negative ones, and up to UINT64_MAX */
bool value_bin(struct value v, struct span *out);
bool value_bool(struct value v, bool *out);
/* The text of v, or an absent span. */
struct span value_text(struct value v);
bool value_is_text(struct value v, const char *text);

/* Walks an array or a map: for (struct value_iter it = value_each(v); value_next(&it);) uses it.key and
 * it.item. */
struct value_iter {
    struct value key; /* absent in arrays */
    struct value item;
    const uint8_t *at, *end;
    uint32_t left;
    bool map;
};
struct value_iter value_each(struct value v);
bool value_next(struct value_iter *it);
/* Number of items of an array or pairs of a map, else 0. */
uint32_t value_count(struct value v);

#endif
