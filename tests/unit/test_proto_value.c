/* tests/unit/test_proto_value.c -- shows that the value reader reads what msgpack-c writes and that no lie
 * about size, depth or type gets past it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "proto/pack.h"

static void pack_object(struct pack *p)
{
    pack_open(p);
    pack_map(p, 3);
    pack_text(p, "metadata");
    pack_map(p, 2);
    pack_text(p, "name"), pack_text(p, "web");
    pack_text(p, "generation"), pack_int(p, 7);
    pack_text(p, "list");
    pack_array(p, 4);
    pack_bool(p, true), pack_nil(p), pack_int(p, -3), pack_bin(p, "\0\1", 2);
    pack_uint(p, 9), pack_text(p, "a number for a key");
}

static void reads_what_was_written(void **state)
{
    struct pack p;
    int64_t n;
    bool b;
    struct span s;

    (void)state;
    pack_object(&p);
    struct value v = pack_result(&p);
    assert_true(value_check(v.at, v.len));
    assert_int_equal(value_count(v), 3);
    assert_true(value_is_text(value_at(v, "metadata", "name", NULL), "web"));
    assert_true(value_int(value_at(v, "metadata", "generation", NULL), &n));
    assert_int_equal(n, 7);
    assert_int_equal(value_kind(value_at(v, "metadata", "missing", NULL)), VALUE_NONE);
    assert_int_equal(value_kind(value_at(v, "metadata", "name", "deeper", NULL)), VALUE_NONE);
    struct value_iter it = value_each(value_get(v, "list"));
    assert_true(value_next(&it) && value_bool(it.item, &b) && b && it.key.at == NULL);
    assert_true(value_next(&it) && value_kind(it.item) == VALUE_NIL);
    assert_true(value_next(&it) && value_int(it.item, &n) && n == -3);
    assert_true(value_next(&it) && value_bin(it.item, &s) && s.len == 2 && memcmp(s.p, "\0\1", 2) == 0);
    assert_false(value_next(&it));
    assert_false(value_next(&it));
    pack_close(&p);
}

static void walks_maps(void **state)
{
    struct pack p;
    unsigned texts = 0;
    unsigned numbers = 0;

    (void)state;
    pack_object(&p);
    for (struct value_iter it = value_each(pack_result(&p)); value_next(&it);) {
        texts += value_kind(it.key) == VALUE_STR;
        numbers += value_kind(it.key) == VALUE_INT;
    }
    assert_int_equal(texts, 2);
    assert_int_equal(numbers, 1);
    pack_close(&p);
}

static void every_truncation_is_refused(void **state)
{
    struct pack p;

    (void)state;
    pack_object(&p);
    for (size_t len = 0; len < p.out.size; len++) {
        uint8_t *copy = x_malloc(len);
        memcpy(copy, p.out.data, len);
        assert_int_equal(value_length(copy, len), 0);
        assert_false(value_check(copy, len));
        struct value cut = {copy, len};
        value_at(cut, "list", "x", NULL);
        for (struct value_iter it = value_each(cut); value_next(&it);)
            assert_true(it.item.at + it.item.len <= copy + len);
        free(copy);
    }
    pack_nil(&p);
    assert_int_equal(value_length(p.out.data, p.out.size), p.out.size - 1);
    assert_false(value_check(p.out.data, p.out.size));
    pack_close(&p);
}

static void every_number(void **state)
{
    static const int64_t numbers[] = {
        0,  1,   127, 128,  255,  256,    65535,  65536,     UINT32_MAX,      1ll << 32, INT64_MAX,
        -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, INT32_MIN - 1ll, INT64_MIN};
    struct pack p;
    int64_t n;
    uint64_t u;

    (void)state;
    pack_open(&p);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pack_again(&p);
        pack_int(&p, numbers[i]);
        assert_true(value_check(p.out.data, p.out.size));
        assert_true(value_int(pack_result(&p), &n));
        assert_int_equal(n, numbers[i]);
        assert_int_equal(value_uint(pack_result(&p), &u), numbers[i] >= 0);
    }
    pack_again(&p);
    pack_uint(&p, UINT64_MAX);
    assert_false(value_int(pack_result(&p), &n));
    assert_int_equal(n, 0);
    assert_true(value_uint(pack_result(&p), &u));
    assert_int_equal(u, UINT64_MAX);
    pack_close(&p);
}

static void nested(struct pack *p, unsigned depth, bool maps)
{
    pack_again(p);
    for (unsigned i = 0; i < depth; i++) {
        if (maps) {
            pack_map(p, 1);
            pack_text(p, "k");
        } else {
            pack_array(p, 1);
        }
    }
    pack_nil(p);
}

static void depth_has_a_limit(void **state)
{
    struct pack p;

    (void)state;
    pack_open(&p);
    for (int maps = 0; maps < 2; maps++) {
        nested(&p, VALUE_DEPTH_MAX, maps);
        assert_true(value_check(p.out.data, p.out.size));
        nested(&p, VALUE_DEPTH_MAX + 1, maps);
        assert_false(value_check(p.out.data, p.out.size));
        nested(&p, 100000, maps);
        assert_false(value_check(p.out.data, p.out.size));
    }
    pack_close(&p);
}

static void lies_and_unused_types(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\xdd\xff\xff\xff\xff\xc0", 6}, /* 4 Gi items */
        {"\xdf\xff\xff\xff\xff\xa0\xc0", 7},
        {"\xdb\xff\xff\xff\xff"
         "x",
         6},
        {"\xc6\x00\x00\x00\x02"
         "x",
         6},
        {"\xdd\x00\x00", 3},
        {"\xc1", 1},                 /* never used */
        {"\xc7\x01\x05x", 4},        /* extensions */
        {"\xd4\x05x", 3},            /* fixext */
        {"\x81\xcd\x01\x00\x01", 5}, /* a key that is no small number */
        {"\x81\xff\x01", 3},         /* a negative key */
        {"\x81\xc2\x01", 3},         /* a boolean key */
        {"\x81\xc4\x01k\x01", 5}     /* a binary key */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t *copy = x_malloc(bad[i].len);
        memcpy(copy, bad[i].bytes, bad[i].len);
        assert_false(value_check(copy, bad[i].len));
        free(copy);
    }
    assert_false(value_check(NULL, 0));
    assert_true(value_check("\x81\xcc\xff\x01", 4)); /* the largest key */
    assert_true(value_check("\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18", 9));
}

static void wrong_kinds_give_nothing(void **state)
{
    struct value none = {NULL, 0};
    struct value text = {(const uint8_t *)"\xa2hi", 3};
    int64_t n = 5;
    bool b = true;
    struct span s = SPAN("old");

    (void)state;
    assert_false(value_int(text, &n));
    assert_int_equal(n, 0);
    assert_false(value_bool(text, &b));
    assert_false(b);
    assert_false(value_bin(text, &s));
    assert_null(s.p);
    assert_false(value_str(none, &s));
    assert_null(value_text(none).p);
    assert_int_equal(value_count(text), 0);
    assert_null(value_get(text, "hi").at);
    assert_null(value_at(none, "a", "b", NULL).at);
    assert_false(value_is_text(none, ""));
}

static void spans(void **state)
{
    char buf[4];

    (void)state;
    assert_true(span_is(SPAN("abc"), "abc"));
    assert_false(span_is(SPAN("abc"), "ab"));
    assert_false(span_is(SPAN("a\0c"), "a"));
    assert_false(span_is((struct span){NULL, 0}, ""));
    assert_true(span_same(SPAN("x"), span_of("x")));
    assert_false(span_same(SPAN(""), (struct span){NULL, 0}));
    assert_true(span_same((struct span){NULL, 0}, span_of(NULL)));
    assert_true(span_copy(SPAN("abc"), buf, sizeof(buf)));
    assert_string_equal(buf, "abc");
    assert_false(span_copy(SPAN("abcd"), buf, sizeof(buf)));
    assert_string_equal(buf, "abc");
    assert_false(span_copy(SPAN("a\0c"), buf, sizeof(buf)));
    assert_true(span_copy((struct span){NULL, 0}, buf, sizeof(buf)));
    assert_string_equal(buf, "");
    assert_false(span_copy(SPAN(""), buf, 0));
}

static void absent_becomes_nil(void **state)
{
    struct pack p;

    (void)state;
    pack_open(&p);
    pack_array(&p, 3);
    pack_text(&p, NULL);
    pack_value(&p, (struct value){NULL, 0});
    pack_text(&p, "");
    struct value_iter it = value_each(pack_result(&p));
    assert_true(value_next(&it) && value_kind(it.item) == VALUE_NIL);
    assert_true(value_next(&it) && value_kind(it.item) == VALUE_NIL);
    assert_true(value_next(&it) && value_kind(it.item) == VALUE_STR);
    pack_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),      cmocka_unit_test(walks_maps),
        cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(every_number),
        cmocka_unit_test(depth_has_a_limit),           cmocka_unit_test(lies_and_unused_types),
        cmocka_unit_test(wrong_kinds_give_nothing),    cmocka_unit_test(spans),
        cmocka_unit_test(absent_becomes_nil),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
