/* proto/pack.c -- writes msgpack items into a growing buffer. Decides nothing about shapes; absent text and
 * values become nil. Called by whoever builds a value: cores, shells, the encoder. */
#include "proto/pack.h"

#include <string.h>

#include "base/alloc.h"

#define FIRST_SIZE 512u

int pack_write(void *sbuffer, const char *data, size_t len)
{
    msgpack_sbuffer *out = sbuffer;
    size_t need = out->size + len;

    if (need > out->alloc) {
        size_t size = out->alloc ? out->alloc : FIRST_SIZE;
        while (size < need)
            size *= 2;
        out->data = x_realloc(out->data, size);
        out->alloc = size;
    }
    if (len > 0)
        memcpy(out->data + out->size, data, len);
    out->size = need;
    return 0;
}

void pack_open(struct pack *p)
{
    msgpack_sbuffer_init(&p->out);
    msgpack_packer_init(&p->to, &p->out, pack_write);
}

void pack_close(struct pack *p)
{
    msgpack_sbuffer_destroy(&p->out);
    msgpack_sbuffer_init(&p->out);
}

void pack_again(struct pack *p)
{
    msgpack_sbuffer_clear(&p->out);
}

void pack_map(struct pack *p, uint32_t pairs)
{
    msgpack_pack_map(&p->to, pairs);
}

void pack_array(struct pack *p, uint32_t items)
{
    msgpack_pack_array(&p->to, items);
}

void pack_text(struct pack *p, const char *text)
{
    pack_span(p, span_of(text));
}

void pack_span(struct pack *p, struct span s)
{
    if (!s.p) {
        pack_nil(p);
        return;
    }
    msgpack_pack_str(&p->to, s.len);
    msgpack_pack_str_body(&p->to, s.p, s.len);
}

void pack_bin(struct pack *p, const void *data, size_t len)
{
    msgpack_pack_bin(&p->to, len);
    msgpack_pack_bin_body(&p->to, data, len);
}

void pack_int(struct pack *p, int64_t n)
{
    msgpack_pack_int64(&p->to, n);
}

void pack_uint(struct pack *p, uint64_t n)
{
    msgpack_pack_uint64(&p->to, n);
}

void pack_bool(struct pack *p, bool b)
{
    if (b)
        msgpack_pack_true(&p->to);
    else
        msgpack_pack_false(&p->to);
}

void pack_nil(struct pack *p)
{
    msgpack_pack_nil(&p->to);
}

void pack_value(struct pack *p, struct value v)
{
    if (v.at)
        pack_write(&p->out, (const char *)v.at, v.len);
    else
        pack_nil(p);
}

void pack_member(struct pack *p, const char *name, const char *text)
{
    pack_text(p, name);
    pack_text(p, text);
}

void pack_member_int(struct pack *p, const char *name, int64_t n)
{
    pack_text(p, name);
    pack_int(p, n);
}

struct value pack_result(const struct pack *p)
{
    return (struct value){.at = (const uint8_t *)p->out.data, .len = p->out.size};
}
