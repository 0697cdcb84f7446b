/* tests/unit/test_proto_codec.c -- shows that every message survives the way there and back, and that every
 * way of being wrong has its own verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/test_proto_samples.h"

static unsigned lowest(unsigned roles)
{
    return roles & -roles;
}

static struct message decode(const struct msg_spec *spec, const void *frame, size_t len,
                             enum verdict *verdict)
{
    struct message m;

    *verdict = msg_decode(frame, len, lowest(spec->from), lowest(spec->to), &m);
    return m;
}

/* Copies, so that a read past the frame's end is past an allocation's end. */
static enum verdict verdict_of(const void *frame, size_t len, unsigned from, unsigned to)
{
    void *copy = x_malloc(len);
    struct message m;
    struct message zero;

    memcpy(copy, frame, len);
    memset(&zero, 0, sizeof(zero));
    enum verdict verdict = msg_decode(copy, len, from, to, &m);
    if (verdict != FRAME_OK) {
        zero.spec = m.spec;
        assert_memory_equal(&m, &zero, sizeof(m));
    }
    free(copy);
    return verdict;
}

static void assert_same_field(const struct field_spec *f, const void *a, const void *b)
{
    const char *x = (const char *)a + f->offset;
    const char *y = (const char *)b + f->offset;
    struct value v = *(const struct value *)x;
    struct value w = *(const struct value *)y;

    if (f->type == TYPE_u64)
        assert_int_equal(*(const uint64_t *)x, *(const uint64_t *)y);
    else if (f->type != TYPE_val)
        assert_true(span_same(*(const struct span *)x, *(const struct span *)y));
    else if (v.at)
        assert_true(v.len == w.len && memcmp(v.at, w.at, v.len) == 0);
    else
        assert_null(w.at);
}

static void round_trip(const struct msg_spec *spec, enum sample sample)
{
    struct envelope e = sample_envelope(sample);
    msgpack_sbuffer frame;
    union msg_body body;
    enum verdict verdict;

    msgpack_sbuffer_init(&frame);
    sample_body(spec, sample, &body);
    assert_int_equal(msg_encode(&e, (enum msg_id)spec->id, &body, &frame), 0);
    struct message m = decode(spec, frame.data, frame.size, &verdict);
    assert_int_equal(verdict, FRAME_OK);
    assert_ptr_equal(m.spec, spec);
    assert_memory_equal(&m.envelope, &e, sizeof(e));
    for (size_t i = 0; i < spec->n_fields; i++)
        assert_same_field(&spec->fields[i], &body, &m.body);
    msgpack_sbuffer_destroy(&frame);
}

static void every_message_round_trips(void **state)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);

    (void)state;
    assert_true(n > 30);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(msg_find(specs[i].id), &specs[i]);
        round_trip(&specs[i], SAMPLE_LEAST);
        round_trip(&specs[i], SAMPLE_FULL);
        round_trip(&specs[i], SAMPLE_LIMIT);
    }
}

static void make_frame(const struct msg_spec *spec, enum sample sample, msgpack_sbuffer *frame)
{
    struct envelope e = sample_envelope(sample);
    union msg_body body;

    msgpack_sbuffer_init(frame);
    sample_body(spec, sample, &body);
    assert_int_equal(msg_encode(&e, (enum msg_id)spec->id, &body, frame), 0);
}

static void every_truncation_is_refused(void **state)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);
    msgpack_sbuffer frame;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        make_frame(&specs[i], SAMPLE_FULL, &frame);
        for (size_t len = 0; len < frame.size; len++)
            assert_int_not_equal(verdict_of(frame.data, len, lowest(specs[i].from), lowest(specs[i].to)),
                                 FRAME_OK);
        pack_write(&frame, "\0", 1);
        assert_int_equal(verdict_of(frame.data, frame.size, lowest(specs[i].from), lowest(specs[i].to)),
                         FRAME_TRAILING);
        msgpack_sbuffer_destroy(&frame);
    }
}

/* What a flipped frame says is either refused or could be said by us. */
static void flip_bits(const struct msg_spec *spec, msgpack_sbuffer *frame)
{
    for (size_t bit = 0; bit < frame->size * 8; bit++) {
        msgpack_sbuffer again;
        enum verdict verdict;
        frame->data[bit / 8] = (char)(frame->data[bit / 8] ^ (1 << bit % 8));
        struct message m = decode(spec, frame->data, frame->size, &verdict);
        msgpack_sbuffer_init(&again);
        if (verdict == FRAME_OK)
            assert_int_equal(msg_encode(&m.envelope, (enum msg_id)m.spec->id, &m.body, &again), 0);
        msgpack_sbuffer_destroy(&again);
        frame->data[bit / 8] = (char)(frame->data[bit / 8] ^ (1 << bit % 8));
    }
}

static void every_bit_flip_is_survived(void **state)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);
    msgpack_sbuffer frame;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        make_frame(&specs[i], SAMPLE_FULL, &frame);
        flip_bits(&specs[i], &frame);
        msgpack_sbuffer_destroy(&frame);
    }
}

static void only_listed_senders_and_receivers(void **state)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);
    msgpack_sbuffer frame;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        make_frame(&specs[i], SAMPLE_LEAST, &frame);
        for (unsigned from = SUPERVISOR; from <= CONTROL; from <<= 1) {
            for (unsigned to = SUPERVISOR; to <= CONTROL; to <<= 1) {
                enum verdict wanted = !(specs[i].from & from) ? FRAME_WRONG_SENDER
                                      : !(specs[i].to & to)   ? FRAME_WRONG_RECEIVER
                                                              : FRAME_OK;
                assert_int_equal(verdict_of(frame.data, frame.size, from, to), wanted);
            }
        }
        msgpack_sbuffer_destroy(&frame);
    }
}

/* The head of a frame from a worker to the watcher; the caller writes the map. */
static void start_frame(struct pack *p, uint64_t version, uint64_t id)
{
    pack_open(p);
    pack_array(p, 8);
    pack_uint(p, version);
    pack_uint(p, id);
    for (int i = 0; i < 5; i++)
        pack_uint(p, 1);
}

static void assert_done_verdict(struct pack *p, enum verdict wanted)
{
    enum verdict verdict = verdict_of(p->out.data, p->out.size, WORKER, WATCHER);

    if (verdict != wanted)
        fail_msg("%s, not %s", verdict_name(verdict), verdict_name(wanted));
    pack_close(p);
}

static void wrong_version_and_id(void **state)
{
    struct pack p;

    (void)state;
    start_frame(&p, PROTO_VERSION + 1, MSG_IDLE);
    pack_map(&p, 0);
    assert_done_verdict(&p, FRAME_BAD_VERSION);
    start_frame(&p, PROTO_VERSION, 9999);
    pack_map(&p, 0);
    assert_done_verdict(&p, FRAME_UNKNOWN_ID);
    start_frame(&p, PROTO_VERSION, MSG_IDLE);
    pack_map(&p, 0);
    assert_done_verdict(&p, FRAME_OK);
}

/* Another version's envelope may have other items: it is a wrong version, not a broken envelope. */
static void version_comes_before_shape(void **state)
{
    struct pack p;

    (void)state;
    pack_open(&p);
    pack_array(&p, 2);
    pack_uint(&p, PROTO_VERSION + 1);
    pack_nil(&p);
    assert_done_verdict(&p, FRAME_BAD_VERSION);
}

static void broken_envelopes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } frames[] = {{"", 0},         {"\xc0", 1},         {"\x90", 1},  {"\x81\x01\x01", 3},
                  {"\x98\xff", 2}, {"\x97\x01\x14", 3}, {"\xa1x", 2}, {"\x98\x01\xc1", 3}};
    struct pack p;

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
        assert_int_equal(verdict_of(frames[i].bytes, frames[i].len, WORKER, WATCHER), FRAME_BAD_ENVELOPE);
    pack_open(&p);
    pack_array(&p, 8);
    pack_uint(&p, PROTO_VERSION);
    pack_uint(&p, MSG_IDLE);
    pack_uint(&p, LIMIT_ID + 1ull);
    for (int i = 0; i < 4; i++)
        pack_uint(&p, 1);
    pack_map(&p, 0);
    assert_done_verdict(&p, FRAME_BAD_ENVELOPE);
    start_frame(&p, PROTO_VERSION, MSG_IDLE);
    pack_array(&p, 0);
    assert_done_verdict(&p, FRAME_BAD_ENVELOPE);
}

static void too_big(void **state)
{
    char *frame = x_calloc(1, PROTO_FRAME_MAX + 1);

    (void)state;
    assert_int_equal(verdict_of(frame, PROTO_FRAME_MAX + 1, WORKER, WATCHER), FRAME_TOO_BIG);
    free(frame);
}

static void wrong_fields(void **state)
{
    struct pack p;

    (void)state;
    start_frame(&p, PROTO_VERSION, MSG_FETCH);
    pack_map(&p, 3);
    pack_uint(&p, 1), pack_uint(&p, 1);
    pack_uint(&p, 2), pack_uint(&p, 1);
    pack_uint(&p, 31), pack_uint(&p, 1);
    assert_done_verdict(&p, FRAME_UNKNOWN_FIELD);
    start_frame(&p, PROTO_VERSION, MSG_FETCH);
    pack_map(&p, 2);
    pack_uint(&p, 1), pack_uint(&p, 1);
    pack_uint(&p, 1), pack_uint(&p, 1);
    assert_done_verdict(&p, FRAME_REPEATED_FIELD);
    start_frame(&p, PROTO_VERSION, MSG_FETCH);
    pack_map(&p, 1);
    pack_uint(&p, 1), pack_uint(&p, 1);
    assert_done_verdict(&p, FRAME_MISSING_FIELD);
    start_frame(&p, PROTO_VERSION, MSG_FETCH);
    pack_map(&p, 1);
    pack_text(&p, "job"), pack_uint(&p, 1);
    assert_done_verdict(&p, FRAME_BAD_ENVELOPE);
}

static void one_field_fetch(const void *item, size_t len, enum verdict wanted)
{
    struct pack p;

    start_frame(&p, PROTO_VERSION, MSG_FETCH);
    pack_map(&p, 2);
    pack_uint(&p, 2), pack_uint(&p, 1);
    pack_uint(&p, 1);
    pack_write(&p.out, item, len);
    assert_done_verdict(&p, wanted);
}

static void wrong_types_of_a_number(void **state)
{
    (void)state;
    one_field_fetch("\x05", 1, FRAME_OK);
    one_field_fetch("\xff", 1, FRAME_BAD_TYPE); /* -1 */
    one_field_fetch("\xc0", 1, FRAME_BAD_TYPE); /* nil */
    one_field_fetch("\xc3", 1, FRAME_BAD_TYPE); /* true */
    one_field_fetch("\xa1"
                    "5",
                    2, FRAME_BAD_TYPE);                                           /* "5" */
    one_field_fetch("\xca\x40\xa0\x00\x00", 5, FRAME_BAD_TYPE);                   /* 5.0 */
    one_field_fetch("\xc1", 1, FRAME_BAD_TYPE);                                   /* unused */
    one_field_fetch("\xd4\x01\x01", 3, FRAME_BAD_TYPE);                           /* extension */
    one_field_fetch("\xce\xff\xff\xff\xff", 5, FRAME_OK);                         /* LIMIT_ID */
    one_field_fetch("\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9, FRAME_OVER_LIMIT); /* and one more */
    one_field_fetch("\xdd\xff\xff\xff\xff", 5, FRAME_BAD_TYPE);                   /* claims 4 Gi items */
}

static void text_frame(enum msg_id id, struct span text, enum verdict wanted)
{
    struct pack p;

    start_frame(&p, PROTO_VERSION, id);
    pack_map(&p, 2);
    pack_uint(&p, 1), pack_uint(&p, 1);
    pack_uint(&p, 5), pack_span(&p, text); /* DONE.summary */
    assert_done_verdict(&p, wanted);
}

static void control_characters(void **state)
{
    struct pack p;

    (void)state;
    text_frame(MSG_DONE, SPAN("a sentence\n\tand another"), FRAME_OK);
    text_frame(MSG_DONE, SPAN("a\0b"), FRAME_BAD_TYPE);
    text_frame(MSG_DONE, SPAN("a\x1b[2J"), FRAME_BAD_TYPE);
    text_frame(MSG_DONE, SPAN("a\x7f"), FRAME_BAD_TYPE);
    text_frame(MSG_DONE, SPAN("a\r\n"), FRAME_BAD_TYPE);
    text_frame(MSG_DONE, sample_text(LIMIT_TEXT + 1), FRAME_OVER_LIMIT);
    start_frame(&p, PROTO_VERSION, MSG_NOTE);
    pack_map(&p, 3);
    pack_uint(&p, 1), pack_uint(&p, 1);
    pack_uint(&p, 3), pack_text(&p, "Two\nLines"); /* a name, no sentence */
    pack_uint(&p, 4), pack_text(&p, "message");
    assert_done_verdict(&p, FRAME_BAD_TYPE);
}

static void tokens_hold_no_line_end(void **state)
{
    struct msg_grant grant = {.handle = 1,
                              .worker = 2,
                              .token = SPAN("secret\nX-Other: header"),
                              .project = SPAN("p"),
                              .label = SPAN("l"),
                              .owner = SPAN("a/b"),
                              .ids = sample_value(SAMPLE_FULL, 0)};
    struct envelope e = {0};
    msgpack_sbuffer out;

    (void)state;
    msgpack_sbuffer_init(&out);
    assert_int_equal(msg_encode(&e, MSG_GRANT, &grant, &out), -1);
    grant.token = SPAN("secret");
    assert_int_equal(msg_encode(&e, MSG_GRANT, &grant, &out), 0);
    msgpack_sbuffer_destroy(&out);
}

static void values_in_frames(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum verdict verdict;
    } items[] = {
        {"\x80", 1, FRAME_OK},
        {"\x81\xc0\x01", 3, FRAME_BAD_TYPE},         /* a key that is nil */
        {"\x81\x90\x01", 3, FRAME_BAD_TYPE},         /* a key that is an array */
        {"\xc7\x00\x01", 3, FRAME_BAD_TYPE},         /* extension */
        {"\xdf\xff\xff\xff\xff", 5, FRAME_BAD_TYPE}, /* claims 4 Gi pairs */
        {"\xc6\x7f\xff\xff\xff", 5, FRAME_BAD_TYPE}, /* claims 2 GiB of bytes */
    };
    struct pack p;

    (void)state;
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        start_frame(&p, PROTO_VERSION, MSG_PATCH);
        pack_map(&p, 4);
        pack_uint(&p, 1), pack_uint(&p, 1);
        pack_uint(&p, 2), pack_uint(&p, 1);
        pack_uint(&p, 4), pack_text(&p, "17");
        pack_uint(&p, 5);
        pack_write(&p.out, items[i].bytes, items[i].len);
        assert_done_verdict(&p, items[i].verdict);
    }
}

/* Each must-field left out, and each field one over its limit: refused, and nothing is appended. */
static void encode_refuses_our_own_errors(void **state)
{
    size_t n;
    const struct msg_spec *specs = msg_specs(&n);
    struct envelope e = {0};
    msgpack_sbuffer out;
    union msg_body body;

    (void)state;
    msgpack_sbuffer_init(&out);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < specs[i].n_fields; j++) {
            const struct field_spec *f = &specs[i].fields[j];
            char *member = (char *)&body + f->offset;
            sample_body(&specs[i], SAMPLE_LIMIT, &body);
            if (f->type == TYPE_u64)
                *(uint64_t *)member += 1;
            else if (f->type == TYPE_val)
                *(struct value *)member = (struct value){NULL, 0};
            else
                ((struct span *)member)->len += 1;
            bool refused = f->type != TYPE_val || f->need == NEED_must;
            assert_int_equal(msg_encode(&e, (enum msg_id)specs[i].id, &body, &out), refused ? -1 : 0);
            assert_true(!refused || out.size == 0);
            msgpack_sbuffer_clear(&out);
        }
    }
    assert_int_equal(msg_encode(&e, (enum msg_id)9999, &body, &out), -1);
    e.from = LIMIT_ID + 1ull;
    sample_body(msg_find(MSG_IDLE), SAMPLE_FULL, &body);
    assert_int_equal(msg_encode(&e, MSG_IDLE, &body, &out), -1);
    msgpack_sbuffer_destroy(&out);
}

static void encode_appends(void **state)
{
    struct msg_idle idle = {.jobs_done = 3};
    struct envelope e = {.from = 2, .to = 3};
    msgpack_sbuffer out;

    (void)state;
    msgpack_sbuffer_init(&out);
    assert_int_equal(msg_encode(&e, MSG_IDLE, &idle, &out), 0);
    size_t one = out.size;
    assert_int_equal(msg_encode(&e, MSG_IDLE, &idle, &out), 0);
    assert_int_equal(out.size, 2 * one);
    assert_memory_equal(out.data, out.data + one, one);
    msgpack_sbuffer_destroy(&out);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(verdict_name(FRAME_STRANGER), "FRAME_STRANGER");
    assert_string_equal(verdict_name((enum verdict)99), "?");
    assert_string_equal(role_name(GATEWAY), "packet-gateway");
    assert_string_equal(role_name(WATCHER | WORKER), "?");
    assert_string_equal(outcome_name(OUTCOME_BUG), "bug");
    assert_string_equal(outcome_name(OUTCOME_BUG + 1), "?");
    assert_string_equal(exit_sentence(EXIT_ORPHANED), "its supervisor is gone");
    assert_string_equal(exit_sentence(1), "ended with an unknown code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_round_trips),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_bit_flip_is_survived),
        cmocka_unit_test(only_listed_senders_and_receivers),
        cmocka_unit_test(wrong_version_and_id),
        cmocka_unit_test(version_comes_before_shape),
        cmocka_unit_test(broken_envelopes),
        cmocka_unit_test(too_big),
        cmocka_unit_test(wrong_fields),
        cmocka_unit_test(wrong_types_of_a_number),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(tokens_hold_no_line_end),
        cmocka_unit_test(values_in_frames),
        cmocka_unit_test(encode_refuses_our_own_errors),
        cmocka_unit_test(encode_appends),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
