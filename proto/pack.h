/* proto/pack.h -- writes msgpack through msgpack-c into one growing buffer. Thin names so that a patch reads
 * like JSON. The buffer belongs to the caller: pack_open, write, use data/len, pack_close. */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include <msgpack.h>

#include "proto/value.h"

struct pack {
    msgpack_sbuffer out; /* out.data, out.size */
    msgpack_packer to;
};

/* msgpack-c's way to write into an sbuffer, growing by base/alloc.h: never fails. For msgpack_packer_init. */
int pack_write(void *sbuffer, const char *data, size_t len);

void pack_open(struct pack *p);
void pack_close(struct pack *p);
/* Forgets what was written, keeps the memory. */
void pack_again(struct pack *p);

void pack_map(struct pack *p, uint32_t pairs);
void pack_array(struct pack *p, uint32_t items);
void pack_text(struct pack *p, const char *text);
void pack_span(struct pack *p, struct span s);
void pack_bin(struct pack *p, const void *data, size_t len);
void pack_int(struct pack *p, int64_t n);
void pack_uint(struct pack *p, uint64_t n);
void pack_bool(struct pack *p, bool b);
void pack_nil(struct pack *p);
/* Copies a whole item; an absent one is written as nil. */
void pack_value(struct pack *p, struct value v);

/* A member of a map: its name and its value. */
void pack_member(struct pack *p, const char *name, const char *text);
void pack_member_int(struct pack *p, const char *name, int64_t n);

/* What was written, as one value (the caller knows that it wrote one item). Valid until the next write. */
struct value pack_result(const struct pack *p);

#endif
