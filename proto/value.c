/* proto/value.c -- reads msgpack in place. Allocates nothing, recurses nowhere, never reads outside the bytes
 * it was given, whatever a header in them claims. Called by the decoder, the cores and the fuzzers. */
#include "proto/value.h"

#include <stdarg.h>
#include <string.h>

#define KEY_NUMBER_MAX 255u /* the largest number that may be a map's key: tags are below 32 */

/* One item's first bytes. */
struct head {
    enum value_kind kind;
    bool negative; /* of an INT */
    uint64_t n;    /* INT and BOOL: the number's bits; ARRAY: items; MAP: pairs; STR, BIN: bytes of payload */
    uint32_t size; /* of the head itself */
    uint64_t payload; /* bytes that follow and belong to this item alone */
};

/* msgpack's one-byte types from 0xc0 on: kind, and how many bytes of number follow. */
static const struct {
    uint8_t kind, width;
} wide[32] = {
    [0x00] = {VALUE_NIL, 0},   [0x02] = {VALUE_BOOL, 0}, [0x03] = {VALUE_BOOL, 0},  [0x04] = {VALUE_BIN, 1},
    [0x05] = {VALUE_BIN, 2},   [0x06] = {VALUE_BIN, 4},  [0x0a] = {VALUE_FLOAT, 4}, [0x0b] = {VALUE_FLOAT, 8},
    [0x0c] = {VALUE_INT, 1},   [0x0d] = {VALUE_INT, 2},  [0x0e] = {VALUE_INT, 4},   [0x0f] = {VALUE_INT, 8},
    [0x10] = {VALUE_INT, 1},   [0x11] = {VALUE_INT, 2},  [0x12] = {VALUE_INT, 4},   [0x13] = {VALUE_INT, 8},
    [0x19] = {VALUE_STR, 1},   [0x1a] = {VALUE_STR, 2},  [0x1b] = {VALUE_STR, 4},   [0x1c] = {VALUE_ARRAY, 2},
    [0x1d] = {VALUE_ARRAY, 4}, [0x1e] = {VALUE_MAP, 2},  [0x1f] = {VALUE_MAP, 4},
};

static struct head small_head(uint8_t b)
{
    if (b < 0x80)
        return (struct head){.kind = VALUE_INT, .n = b, .size = 1};
    if (b < 0x90)
        return (struct head){.kind = VALUE_MAP, .n = b & 0x0fu, .size = 1};
    if (b < 0xa0)
        return (struct head){.kind = VALUE_ARRAY, .n = b & 0x0fu, .size = 1};
    if (b < 0xc0)
        return (struct head){.kind = VALUE_STR, .n = b & 0x1fu, .payload = b & 0x1fu, .size = 1};
    return (struct head){.kind = VALUE_INT, .n = (uint64_t)(int64_t)(b - 0x100), .negative = true, .size = 1};
}

/* False when the head is cut off, is of an unused type, or claims more payload than there is. */
static bool read_head(const uint8_t *p, uint64_t len, struct head *h)
{
    if (len == 0)
        return false;
    if (p[0] < 0xc0 || p[0] >= 0xe0) {
        *h = small_head(p[0]);
        return h->payload <= len - 1;
    }
    unsigned width = wide[p[0] - 0xc0].width;
    uint64_t n = 0;
    if (wide[p[0] - 0xc0].kind == VALUE_NONE || width > len - 1)
        return false;
    for (unsigned i = 0; i < width; i++)
        n = n << 8 | p[1 + i];
    *h = (struct head){.kind = wide[p[0] - 0xc0].kind, .n = n, .size = 1 + width};
    if (h->kind == VALUE_BOOL)
        h->n = p[0] & 1u;
    if (h->kind == VALUE_STR || h->kind == VALUE_BIN)
        h->payload = n;
    if (p[0] >= 0xd0 && p[0] <= 0xd3 && n >> (8 * width - 1)) {
        h->negative = true;
        h->n = width == 8 ? n : n | ~UINT64_C(0) << (8 * width);
    }
    return h->payload <= len - h->size;
}

static bool may_be_key(const struct head *h)
{
    return h->kind == VALUE_STR || (h->kind == VALUE_INT && !h->negative && h->n <= KEY_NUMBER_MAX);
}

/* Containers that are open around the current place. */
struct nest {
    uint64_t left[VALUE_DEPTH_MAX]; /* items still to come; keys and values both count */
    bool map[VALUE_DEPTH_MAX];
    unsigned depth;
};

static bool nest_enter(struct nest *nest, const struct head *h)
{
    bool map = h->kind == VALUE_MAP;

    if (!map && h->kind != VALUE_ARRAY)
        return true;
    if (nest->depth == VALUE_DEPTH_MAX)
        return false;
    nest->map[nest->depth] = map;
    nest->left[nest->depth] = map ? 2 * h->n : h->n;
    nest->depth++;
    return true;
}

/* Bytes of a small number or short text, which is what most items are; 0 for all else, and for a text that is
 * cut off. Only the length matters here: read_head() would take it apart. */
static size_t small_length(const uint8_t *p, size_t len)
{
    if (len == 0 || (p[0] >= 0x80 && p[0] < 0xa0) || (p[0] >= 0xc0 && p[0] < 0xe0))
        return 0;
    size_t size = p[0] >= 0xa0 && p[0] < 0xc0 ? 1 + (p[0] & 0x1fu) : 1;

    return size <= len ? size : 0;
}

/* Each turn takes at least one byte, so a claimed count costs nothing. */
size_t value_length(const void *data, size_t len)
{
    const uint8_t *p = data;
    struct nest nest;
    size_t at = 0;

    if (!data)
        return 0;
    nest.depth = 0;
    do {
        size_t small = small_length(p + at, len - at);
        struct head h = {.kind = VALUE_STR};

        if (!small && !read_head(p + at, len - at, &h))
            return 0;
        if (nest.depth > 0) {
            unsigned top = nest.depth - 1;
            bool key = small ? p[at] < 0xe0 : may_be_key(&h);
            if (nest.map[top] && nest.left[top] % 2 == 0 && !key)
                return 0;
            nest.left[top]--;
        }
        at += small ? small : h.size + (size_t)h.payload;
        if (!small && !nest_enter(&nest, &h))
            return 0;
        while (nest.depth > 0 && nest.left[nest.depth - 1] == 0)
            nest.depth--;
    } while (nest.depth > 0);
    return at;
}

bool value_check(const void *data, size_t len)
{
    return len > 0 && value_length(data, len) == len;
}

bool span_is(struct span s, const char *text)
{
    size_t n = strlen(text);

    return s.p && s.len == n && memcmp(s.p, text, n) == 0;
}

bool span_same(struct span a, struct span b)
{
    if (!a.p || !b.p)
        return a.p == b.p;
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

struct span span_of(const char *text)
{
    size_t n = text ? strlen(text) : 0;

    return (struct span){.p = text, .len = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n};
}

bool span_copy(struct span s, char *buf, size_t size)
{
    size_t n = s.p ? s.len : 0;
    bool whole = n < size;

    if (size == 0)
        return false;
    if (!whole)
        n = size - 1;
    if (n > 0)
        memcpy(buf, s.p, n);
    buf[n] = '\0';
    return whole && memchr(buf, '\0', n) == NULL;
}

struct span span_begin(struct span s, uint32_t max)
{
    if (s.len <= max)
        return s;
    s.len = max;
    while (s.len > 0 && ((unsigned char)s.p[s.len] & 0xc0) == 0x80)
        s.len--;
    return s;
}

static bool head_of(struct value v, struct head *h)
{
    return v.at && read_head(v.at, v.len, h);
}

enum value_kind value_kind(struct value v)
{
    struct head h;

    return head_of(v, &h) ? h.kind : VALUE_NONE;
}

bool value_is_map(struct value v)
{
    return value_kind(v) == VALUE_MAP;
}

struct value value_get(struct value v, const char *key)
{
    if (value_is_map(v)) {
        for (struct value_iter it = value_each(v); value_next(&it);)
            if (value_is_text(it.key, key))
                return it.item;
    }
    return (struct value){NULL, 0};
}

struct value value_at(struct value v, ...)
{
    va_list path;
    const char *key;

    va_start(path, v);
    while ((key = va_arg(path, const char *)) != NULL)
        v = value_get(v, key);
    va_end(path);
    return v;
}

static bool bytes_of(struct value v, enum value_kind kind, struct span *out)
{
    struct head h;

    *out = (struct span){NULL, 0};
    if (!head_of(v, &h) || h.kind != kind)
        return false;
    *out = (struct span){.p = (const char *)v.at + h.size, .len = (uint32_t)h.payload};
    return true;
}

bool value_str(struct value v, struct span *out)
{
    return bytes_of(v, VALUE_STR, out);
}

bool value_bin(struct value v, struct span *out)
{
    return bytes_of(v, VALUE_BIN, out);
}

bool value_uint(struct value v, uint64_t *out)
{
    struct head h;

    *out = 0;
    if (!head_of(v, &h) || h.kind != VALUE_INT || h.negative)
        return false;
    *out = h.n;
    return true;
}

bool value_int(struct value v, int64_t *out)
{
    struct head h;

    *out = 0;
    if (!head_of(v, &h) || h.kind != VALUE_INT || (!h.negative && h.n > INT64_MAX))
        return false;
    *out = (int64_t)h.n;
    return true;
}

bool value_bool(struct value v, bool *out)
{
    struct head h;

    *out = false;
    if (!head_of(v, &h) || h.kind != VALUE_BOOL)
        return false;
    *out = h.n != 0;
    return true;
}

struct span value_text(struct value v)
{
    struct span s;

    value_str(v, &s);
    return s;
}

bool value_is_text(struct value v, const char *text)
{
    return span_is(value_text(v), text);
}

struct value_iter value_each(struct value v)
{
    struct head h;
    struct value_iter it = {.left = 0};

    if (!head_of(v, &h) || (h.kind != VALUE_ARRAY && h.kind != VALUE_MAP))
        return it;
    it.at = v.at + h.size;
    it.end = v.at + v.len;
    it.left = (uint32_t)h.n;
    it.map = h.kind == VALUE_MAP;
    return it;
}

static bool take(struct value_iter *it, struct value *out)
{
    size_t n = value_length(it->at, (size_t)(it->end - it->at));

    if (n == 0)
        return false;
    *out = (struct value){.at = it->at, .len = n};
    it->at += n;
    return true;
}

bool value_next(struct value_iter *it)
{
    it->key = (struct value){NULL, 0};
    it->item = (struct value){NULL, 0};
    if (it->left == 0)
        return false;
    it->left--;
    if ((it->map && !take(it, &it->key)) || !take(it, &it->item)) {
        it->left = 0;
        it->key = (struct value){NULL, 0};
        return false;
    }
    return true;
}

uint32_t value_count(struct value v)
{
    struct head h;

    if (!head_of(v, &h) || (h.kind != VALUE_ARRAY && h.kind != VALUE_MAP))
        return 0;
    return (uint32_t)h.n;
}
