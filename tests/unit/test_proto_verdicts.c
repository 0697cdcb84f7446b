/* tests/unit/test_proto_verdicts.c -- shows that every way of being wrong has its own verdict, with frames
 * made by hand: none of them could come out of our own encoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/test_proto_samples.h"

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
    enum verdict verdict = sample_verdict(p->out.data, p->out.size, WORKER, WATCHER);

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
        assert_int_equal(sample_verdict(frames[i].bytes, frames[i].len, WORKER, WATCHER), FRAME_BAD_ENVELOPE);
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
    assert_int_equal(sample_verdict(frame, PROTO_FRAME_MAX + 1, WORKER, WATCHER), FRAME_TOO_BIG);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_version_and_id), cmocka_unit_test(version_comes_before_shape),
        cmocka_unit_test(broken_envelopes),     cmocka_unit_test(too_big),
        cmocka_unit_test(wrong_fields),         cmocka_unit_test(wrong_types_of_a_number),
        cmocka_unit_test(control_characters),   cmocka_unit_test(values_in_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
