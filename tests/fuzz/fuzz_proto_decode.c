/* tests/fuzz/fuzz_proto_decode.c -- any bytes, from any role to any role: never a crash, never half a
 * message, and what is accepted can be said by us and means the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool same(const struct field_spec *f, const void *a, const void *b)
{
    const char *x = (const char *)a + f->offset;
    const char *y = (const char *)b + f->offset;
    const struct value *v = (const void *)x;
    const struct value *w = (const void *)y;

    if (f->type == TYPE_u64)
        return *(const uint64_t *)(const void *)x == *(const uint64_t *)(const void *)y;
    if (f->type != TYPE_val)
        return span_same(*(const struct span *)(const void *)x, *(const struct span *)(const void *)y);
    return v->len == w->len && (!v->at || memcmp(v->at, w->at, v->len) == 0);
}

static void say_again(const struct message *m, unsigned from, unsigned me)
{
    msgpack_sbuffer frame;
    struct message again;

    msgpack_sbuffer_init(&frame);
    must(msg_encode(&m->envelope, (enum msg_id)m->spec->id, &m->body, &frame) == 0);
    must(msg_decode(frame.data, frame.size, from, me, &again) == FRAME_OK);
    must(again.spec == m->spec && memcmp(&again.envelope, &m->envelope, sizeof(m->envelope)) == 0);
    for (size_t i = 0; i < m->spec->n_fields; i++)
        must(same(&m->spec->fields[i], &m->body, &again.body));
    msgpack_sbuffer_destroy(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const union msg_body nothing;
    struct message m;

    for (unsigned from = SUPERVISOR; from <= CONTROL; from <<= 1) {
        for (unsigned me = SUPERVISOR; me <= CONTROL; me <<= 1) {
            enum verdict verdict = msg_decode(data, size, from, me, &m);
            if (verdict == FRAME_OK)
                say_again(&m, from, me);
            else
                must(memcmp(&m.body, &nothing, sizeof(nothing)) == 0);
        }
    }
    return 0;
}
