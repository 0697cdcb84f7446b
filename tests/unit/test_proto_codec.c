/* tests/unit/test_proto_codec.c -- shows that every message survives the way there and back, and that that
 * cut or flipped ones are refused. */
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

static void assert_same_field(const struct field_spec *f, const void *a, const void *b)
{
    const char *x = (const char *)a + f->offset;
    const char *y = (const char *)b + f->offset;

    if (f->type == TYPE_u64) {
        assert_int_equal(*(const uint64_t *)x, *(const uint64_t *)y);
        return;
    }
    if (f->type != TYPE_val) {
        assert_true(span_same(*(const struct span *)x, *(const struct span *)y));
        return;
    }
    struct value v = *(const struct value *)x, w = *(const struct value *)y;
    if (v.at)
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
            assert_int_not_equal(sample_verdict(frame.data, len, lowest(specs[i].from), lowest(specs[i].to)),
                                 FRAME_OK);
        pack_write(&frame, "\0", 1);
        assert_int_equal(sample_verdict(frame.data, frame.size, lowest(specs[i].from), lowest(specs[i].to)),
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
                assert_int_equal(sample_verdict(frame.data, frame.size, from, to), wanted);
            }
        }
        msgpack_sbuffer_destroy(&frame);
    }
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
        cmocka_unit_test(tokens_hold_no_line_end),
        cmocka_unit_test(encode_refuses_our_own_errors),
        cmocka_unit_test(encode_appends),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
