/* proto/codec.c -- the only place where bytes become messages and messages become bytes. Refuses whatever the
 * list does not name, allocates nothing for what a frame claims, and leaves nothing half-read behind. Called
 * by proto/bus.c, tests and fuzzers. */
#include "proto/codec.h"

#include <stddef.h>
#include <string.h>

#include "proto/pack.h"

#define ENVELOPE_ITEMS 8u

/* A tag of 32 or more would not fit the decoder's set of seen fields. */
#define AS_TAG_CHECK(S, tag, type, name, limit, need)                                                        \
    _Static_assert((tag) > 0 && (tag) < 32, "tag of " #S "." #name);
#define AS_TAG_CHECKS(id, NAME, name, from, to, says) NAME##_FIELDS(AS_TAG_CHECK, name)
PROTO_MESSAGES(AS_TAG_CHECKS)

/* Never called: a message with one tag twice does not compile. */
#define AS_TAG_CASE(S, tag, type, name, limit, need) case tag:
#define AS_TAG_SWITCH(id, NAME, name, from, to, says)                                                        \
    case id:                                                                                                 \
        switch (tag) {                                                                                       \
            NAME##_FIELDS(AS_TAG_CASE, name) break;                                                          \
        }                                                                                                    \
        break;
__attribute__((unused)) static void tags_are_unique(int id, int tag)
{
    switch (id) {
        PROTO_MESSAGES(AS_TAG_SWITCH)
    }
}

#define AS_SPEC(S, tag, type, name, limit, need)                                                             \
    {tag, #name, TYPE_##type, NEED_##need, limit, offsetof(struct msg_##S, name)},
#define AS_FIELDS(id, NAME, name, from, to, says)                                                            \
    static const struct field_spec name##_fields[] = {NAME##_FIELDS(AS_SPEC, name)};
PROTO_MESSAGES(AS_FIELDS)

#define AS_ROW(id, NAME, name, from, to, says)                                                               \
    {id, #NAME, from, to, says, name##_fields, sizeof(name##_fields) / sizeof(name##_fields[0])},
static const struct msg_spec specs[] = {PROTO_MESSAGES(AS_ROW)};

#define SPECS (sizeof(specs) / sizeof(specs[0]))

const struct msg_spec *msg_specs(size_t *count)
{
    *count = SPECS;
    return specs;
}

/* A switch, so that two messages with one id do not compile. */
const struct msg_spec *msg_find(uint64_t id)
{
    enum {
        PROTO_ROW_BEFORE = -1,
#define AS_INDEX(id, NAME, name, from, to, says) INDEX_##NAME,
        PROTO_MESSAGES(AS_INDEX)
#undef AS_INDEX
    };

    switch (id) {
#define AS_CASE(id, NAME, name, from, to, says)                                                              \
    case id: return &specs[INDEX_##NAME];
        PROTO_MESSAGES(AS_CASE)
#undef AS_CASE
    default: return NULL;
    }
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
#define AS_NAME(name) [name] = #name,
        PROTO_VERDICTS(AS_NAME)
#undef AS_NAME
    };

    return (unsigned)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "?";
}

/* Names, ids and tokens end up in HTTP headers, paths and log lines: no control characters at all. Sentences
 * and keys are people's text: line ends and tabs are theirs, the rest is not. */
static bool text_allowed(const struct field_spec *f, struct span s)
{
    bool prose = f->limit == LIMIT_TEXT || f->limit == LIMIT_KEY;

    for (uint32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && !(prose && (c == '\n' || c == '\t'))) || c == 0x7f)
            return false;
    }
    return true;
}

/* ---- reading */

struct reader {
    const uint8_t *at, *end;
};

/* The head of an array or a map is taken without its items, to go through them one by one. */
static bool take_count(struct reader *r, enum value_kind kind, uint32_t *count)
{
    struct value v = {.at = r->at, .len = (size_t)(r->end - r->at)};

    if (value_kind(v) != kind)
        return false;
    *count = value_count(v);
    r->at = value_each(v).at;
    return true;
}

static bool take_item(struct reader *r, struct value *item)
{
    size_t n = value_length(r->at, (size_t)(r->end - r->at));

    *item = (struct value){.at = n ? r->at : NULL, .len = n};
    r->at += n;
    return n > 0;
}

static bool take_number(struct reader *r, uint64_t *n)
{
    struct value item;

    return take_item(r, &item) && value_uint(item, n);
}

static enum verdict take_u64(const struct field_spec *f, struct value item, uint64_t *member)
{
    uint64_t n;

    if (!value_uint(item, &n))
        return FRAME_BAD_TYPE;
    if (n > f->limit)
        return FRAME_OVER_LIMIT;
    *member = n;
    return FRAME_OK;
}

static enum verdict take_span(const struct field_spec *f, struct value item, struct span *member)
{
    struct span s;

    if (f->type == TYPE_str ? !value_str(item, &s) : !value_bin(item, &s))
        return FRAME_BAD_TYPE;
    if (s.len > f->limit)
        return FRAME_OVER_LIMIT;
    if (f->type == TYPE_str && !text_allowed(f, s))
        return FRAME_BAD_TYPE;
    *member = s;
    return FRAME_OK;
}

static enum verdict take_field(struct reader *r, const struct field_spec *f, void *body)
{
    void *member = (char *)body + f->offset;
    struct value item;

    if (!take_item(r, &item))
        return FRAME_BAD_TYPE;
    if (f->type == TYPE_u64)
        return take_u64(f, item, member);
    if (f->type != TYPE_val)
        return take_span(f, item, member);
    if (item.len > f->limit)
        return FRAME_OVER_LIMIT;
    *(struct value *)member = item;
    return FRAME_OK;
}

static const struct field_spec *field_find(const struct msg_spec *spec, uint64_t tag)
{
    for (size_t i = 0; i < spec->n_fields; i++)
        if (spec->fields[i].tag == tag)
            return &spec->fields[i];
    return NULL;
}

static enum verdict take_body(struct reader *r, const struct msg_spec *spec, void *body)
{
    uint32_t left;
    uint32_t seen = 0;

    if (!take_count(r, VALUE_MAP, &left))
        return FRAME_BAD_ENVELOPE;
    for (; left > 0; left--) {
        uint64_t tag;
        if (!take_number(r, &tag))
            return FRAME_BAD_ENVELOPE;
        const struct field_spec *f = field_find(spec, tag);
        if (!f)
            return FRAME_UNKNOWN_FIELD;
        if (seen & 1u << f->tag)
            return FRAME_REPEATED_FIELD;
        seen |= 1u << f->tag;
        enum verdict verdict = take_field(r, f, body);
        if (verdict != FRAME_OK)
            return verdict;
    }
    for (size_t i = 0; i < spec->n_fields; i++)
        if (spec->fields[i].need == NEED_must && !(seen & 1u << spec->fields[i].tag))
            return FRAME_MISSING_FIELD;
    return r->at == r->end ? FRAME_OK : FRAME_TRAILING;
}

/* The version comes first and alone: another version may have another envelope. */
static enum verdict take_envelope(struct reader *r, struct message *out)
{
    struct envelope *e = &out->envelope;
    uint32_t items;
    uint64_t version, id;

    if (!take_count(r, VALUE_ARRAY, &items) || items == 0 || !take_number(r, &version))
        return FRAME_BAD_ENVELOPE;
    if (version != PROTO_VERSION)
        return FRAME_BAD_VERSION;
    if (items != ENVELOPE_ITEMS || !take_number(r, &id) || !take_number(r, &e->from) ||
        !take_number(r, &e->to) || !take_number(r, &e->correlation) || !take_number(r, &e->epoch) ||
        !take_number(r, &e->deadline_ms))
        return FRAME_BAD_ENVELOPE;
    if (e->from > LIMIT_ID || e->to > LIMIT_ID || e->epoch > LIMIT_ID)
        return FRAME_BAD_ENVELOPE;
    out->spec = msg_find(id);
    return out->spec ? FRAME_OK : FRAME_UNKNOWN_ID;
}

enum verdict msg_decode(const void *frame, size_t len, unsigned from, unsigned me, struct message *out)
{
    const uint8_t *bytes = frame;
    struct reader r = {.at = bytes, .end = bytes ? bytes + len : NULL};
    enum verdict verdict = FRAME_TOO_BIG;

    memset(out, 0, sizeof(*out));
    if (len <= PROTO_FRAME_MAX)
        verdict = take_envelope(&r, out);
    if (verdict == FRAME_OK && !(out->spec->from & from))
        verdict = FRAME_WRONG_SENDER;
    if (verdict == FRAME_OK && !(out->spec->to & me))
        verdict = FRAME_WRONG_RECEIVER;
    if (verdict == FRAME_OK)
        verdict = take_body(&r, out->spec, &out->body);
    if (verdict != FRAME_OK) {
        const struct msg_spec *spec = out->spec;
        memset(out, 0, sizeof(*out));
        out->spec = spec;
    }
    return verdict;
}

/* ---- writing */

static bool field_present(const struct field_spec *f, const void *member)
{
    if (f->type == TYPE_u64)
        return f->need == NEED_must || *(const uint64_t *)member != 0;
    if (f->type == TYPE_val)
        return ((const struct value *)member)->at != NULL;
    return ((const struct span *)member)->p != NULL;
}

static bool field_allowed(const struct field_spec *f, const void *member)
{
    const struct span *s = member;
    const struct value *v = member;

    if (!field_present(f, member))
        return f->need == NEED_may;
    if (f->type == TYPE_u64)
        return *(const uint64_t *)member <= f->limit;
    if (f->type == TYPE_val)
        return v->len <= f->limit && value_check(v->at, v->len);
    return s->len <= f->limit && (f->type == TYPE_bin || text_allowed(f, *s));
}

static void put_field(struct msgpack_packer *to, msgpack_sbuffer *frame, const struct field_spec *f,
                      const void *member)
{
    const struct span *s = member;
    const struct value *v = member;

    msgpack_pack_uint8(to, f->tag);
    switch (f->type) {
    case TYPE_u64: msgpack_pack_uint64(to, *(const uint64_t *)member); break;
    case TYPE_str:
        msgpack_pack_str(to, s->len);
        msgpack_pack_str_body(to, s->p, s->len);
        break;
    case TYPE_bin:
        msgpack_pack_bin(to, s->len);
        msgpack_pack_bin_body(to, s->p, s->len);
        break;
    case TYPE_val: pack_write(frame, (const char *)v->at, v->len); break;
    }
}

static void put_envelope(struct msgpack_packer *to, const struct envelope *e, enum msg_id id)
{
    msgpack_pack_array(to, ENVELOPE_ITEMS);
    msgpack_pack_uint64(to, PROTO_VERSION);
    msgpack_pack_uint64(to, id);
    msgpack_pack_uint64(to, e->from);
    msgpack_pack_uint64(to, e->to);
    msgpack_pack_uint64(to, e->correlation);
    msgpack_pack_uint64(to, e->epoch);
    msgpack_pack_uint64(to, e->deadline_ms);
}

int msg_encode(const struct envelope *envelope, enum msg_id id, const void *body, msgpack_sbuffer *frame)
{
    const struct msg_spec *spec = msg_find(id);
    size_t before = frame->size;
    uint32_t present = 0;
    msgpack_packer to;

    if (!spec || envelope->from > LIMIT_ID || envelope->to > LIMIT_ID || envelope->epoch > LIMIT_ID)
        return -1;
    for (size_t i = 0; i < spec->n_fields; i++) {
        const void *member = (const char *)body + spec->fields[i].offset;
        if (!field_allowed(&spec->fields[i], member))
            return -1;
        present += field_present(&spec->fields[i], member);
    }
    msgpack_packer_init(&to, frame, pack_write);
    put_envelope(&to, envelope, id);
    msgpack_pack_map(&to, present);
    for (size_t i = 0; i < spec->n_fields; i++) {
        const void *member = (const char *)body + spec->fields[i].offset;
        if (field_present(&spec->fields[i], member))
            put_field(&to, frame, &spec->fields[i], member);
    }
    if (frame->size - before <= PROTO_FRAME_MAX)
        return 0;
    frame->size = before;
    return -1;
}
