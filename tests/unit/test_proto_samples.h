/* tests/unit/test_proto_samples.h -- makes a body for any message from its row in the list, so that tests and
 * the fuzz corpus cover a new message without a line about it. Owns only static buffers. */
#ifndef TESTS_UNIT_TEST_PROTO_SAMPLES_H
#define TESTS_UNIT_TEST_PROTO_SAMPLES_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "proto/codec.h"
#include "proto/pack.h"

enum sample {
    SAMPLE_LEAST, /* only what must be there */
    SAMPLE_FULL,  /* everything, small */
    SAMPLE_LIMIT  /* everything, as large as it may be */
};

static inline struct span sample_text(uint64_t len)
{
    static char text[LIMIT_OBJECT];

    memset(text, 'x', sizeof(text));
    return (struct span){.p = text, .len = (uint32_t)len};
}

/* A map for small samples; for the limit one text of exactly len bytes, head included. */
static inline struct value sample_value(enum sample sample, uint64_t len)
{
    static uint8_t big[LIMIT_OBJECT];
    static const uint8_t small[] = {0x82, 0xa1, 'a', 0x93, 0x01, 0xc0, 0xc3, 0x07, 0xa2, 'h', 'i'};
    uint32_t n = (uint32_t)len - 5;

    if (sample != SAMPLE_LIMIT)
        return (struct value){.at = small, .len = sizeof(small)};
    memset(big, 'v', sizeof(big));
    big[0] = 0xdb;
    for (int i = 0; i < 4; i++)
        big[1 + i] = (uint8_t)(n >> (24 - 8 * i));
    return (struct value){.at = big, .len = len};
}

static inline void sample_field(const struct field_spec *f, enum sample sample, void *body)
{
    void *member = (char *)body + f->offset;
    uint64_t small = f->limit < 3 ? f->limit : 3;

    if (f->type == TYPE_u64)
        *(uint64_t *)member = sample == SAMPLE_LIMIT ? f->limit : small;
    else if (f->type == TYPE_val)
        *(struct value *)member = sample_value(sample, f->limit);
    else
        *(struct span *)member = sample_text(sample == SAMPLE_LIMIT ? f->limit : small);
}

static inline void sample_body(const struct msg_spec *spec, enum sample sample, union msg_body *body)
{
    memset(body, 0, sizeof(*body));
    for (size_t i = 0; i < spec->n_fields; i++)
        if (sample != SAMPLE_LEAST || spec->fields[i].need == NEED_must)
            sample_field(&spec->fields[i], sample, body);
}

static inline struct envelope sample_envelope(enum sample sample)
{
    if (sample == SAMPLE_LEAST)
        return (struct envelope){0};
    return (struct envelope){.from = sample == SAMPLE_LIMIT ? LIMIT_ID : 7,
                             .to = sample == SAMPLE_LIMIT ? LIMIT_ID : 1,
                             .correlation = sample == SAMPLE_LIMIT ? UINT64_MAX : (7ull << 32) + 1,
                             .epoch = sample == SAMPLE_LIMIT ? LIMIT_ID : 5,
                             .deadline_ms = sample == SAMPLE_LIMIT ? UINT64_MAX : 60000};
}

/* Decodes a copy, so that a read past the frame's end is past an allocation's end, and shows that a refused
 * frame leaves nothing behind. */
static inline enum verdict sample_verdict(const void *frame, size_t len, unsigned from, unsigned to)
{
    void *copy = x_malloc(len);
    struct message m;
    struct message zero;

    memcpy(copy, frame, len);
    memset(&zero, 0, sizeof(zero));
    enum verdict verdict = msg_decode(copy, len, from, to, &m);
    if (verdict != FRAME_OK) {
        zero.spec = m.spec;
        if (memcmp(&m, &zero, sizeof(m)) != 0)
            abort();
    }
    free(copy);
    return verdict;
}

#endif
