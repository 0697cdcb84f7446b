/* tests/unit/test_watcher_stream.c -- the watch stream cut at every byte (kubernetes 17), the headers that
 * matter (kubernetes 14, 49). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/core/watch_stream.h"
#include "watcher/headers.h"
#include "watcher/yaml.h"

static const char stream_text[] =
    " \r\n{\"type\":\"ADDED\",\"object\":{\"a\":\"}{\\\"\\\\\"}}\n{\"type\":\n\"BOOKMARK\",\"object\":{}}"
    "{\"type\":\"MODIFIED\",\"object\":{\"u\":\"\\u00e4\xc3\xa4\",\"l\":[[{}],\"]\"]}}\t\n\n{\"x\":\"\\\\\"}"
    "\n"
    "{\"unfinished\":";
static const char *const objects[] = {
    "{\"type\":\"ADDED\",\"object\":{\"a\":\"}{\\\"\\\\\"}}",
    "{\"type\":\n\"BOOKMARK\",\"object\":{}}",
    "{\"type\":\"MODIFIED\",\"object\":{\"u\":\"\\u00e4\xc3\xa4\",\"l\":[[{}],\"]\"]}}",
    "{\"x\":\"\\\\\"}",
};

static void take_all(struct watch_stream *stream, unsigned *n)
{
    const char *json;
    size_t len;

    while (watch_stream_next(stream, &json, &len)) {
        assert_in_range(*n, 0, 3);
        assert_int_equal(len, strlen(objects[*n]));
        assert_memory_equal(json, objects[*n], len);
        ++*n;
    }
}

static void test_K_17_every_two_borders(void **state)
{
    size_t len = sizeof stream_text - 1;

    (void)state;
    for (size_t a = 0; a <= len; a++)
        for (size_t b = a; b <= len; b++) {
            struct watch_stream stream = {0};
            unsigned n = 0;

            watch_stream_feed(&stream, stream_text, a);
            take_all(&stream, &n);
            watch_stream_feed(&stream, stream_text + a, b - a);
            take_all(&stream, &n);
            watch_stream_feed(&stream, stream_text + b, len - b);
            take_all(&stream, &n);
            assert_int_equal(n, 4);
            assert_false(stream.broken);
            watch_stream_clear(&stream);
        }
}

/* ---- a recorded stream ----
 * What kube-apiserver 1.34 sent for GET .../infrastructures?watch=true&sendInitialEvents=true
 * &resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true while the program dealt with a new
 * object: its lines are its events. */
#define RECORDED "tests/unit/recorded/watch-stream.json"

struct cuts {
    size_t ends[8]; /* of each event, from the begin of the stream */
    unsigned n;
};

static void cut_on(struct watch_stream *stream, const char *text, size_t from, size_t len, struct cuts *cuts)
{
    const char *json;
    size_t n;

    watch_stream_feed(stream, text + from, len);
    while (watch_stream_next(stream, &json, &n)) {
        size_t end = cuts->n ? cuts->ends[cuts->n - 1] + 1 + n : n; /* after the newline before it */

        assert_in_range(cuts->n, 0, 7);
        assert_memory_equal(json, text + end - n, n);
        cuts->ends[cuts->n++] = end;
    }
}

static void test_K_17_a_recorded_stream_cut_everywhere(void **state)
{
    struct watch_stream bytes = {0};
    struct cuts whole = {.n = 0};
    size_t len;
    char *text = file_read(RECORDED, 1u << 20, &len);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        cut_on(&bytes, text, i, 1, &whole);
    assert_int_equal(whole.n, 8);
    assert_int_equal(whole.ends[7], len - 1);
    watch_stream_clear(&bytes);
    for (size_t at = 1; at < len; at++) {
        struct watch_stream stream = {0};
        struct cuts cuts = {.n = 0};

        cut_on(&stream, text, 0, at, &cuts);
        cut_on(&stream, text, at, len - at, &cuts);
        assert_int_equal(cuts.n, whole.n);
        assert_memory_equal(cuts.ends, whole.ends, whole.n * sizeof whole.ends[0]);
        watch_stream_clear(&stream);
    }
    free(text);
}

static void test_K_17_byte_by_byte_without_reading_between(void **state)
{
    struct watch_stream stream = {0};
    unsigned n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof stream_text - 1; i++)
        watch_stream_feed(&stream, stream_text + i, 1);
    take_all(&stream, &n);
    assert_int_equal(n, 4);
    watch_stream_clear(&stream);
}

/* What a list of many made large is small again for the watch. */
static void test_K_68_a_large_buffer_is_given_back(void **state)
{
    struct watch_stream stream = {0};
    char *many = x_malloc(2u << 20);
    const char *json;
    size_t len, n = 0;

    (void)state;
    for (size_t i = 0; i < 2u << 20; i += 2)
        memcpy(many + i, "{}", 2);
    watch_stream_feed(&stream, many, 2u << 20);
    assert_true(stream.room >= 2u << 20);
    while (watch_stream_next(&stream, &json, &len))
        n++;
    assert_int_equal(n, 1u << 20);
    assert_int_equal(stream.room, 0);
    watch_stream_feed(&stream, "{}", 2);
    assert_true(watch_stream_next(&stream, &json, &len));
    watch_stream_clear(&stream);
    free(many);
}

static void test_what_is_no_object(void **state)
{
    const char *const bad[] = {"x", "[]", "\"a\"", "{}]", "}", "{} x", "1"};
    const char *json;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct watch_stream stream = {0};

        watch_stream_feed(&stream, bad[i], strlen(bad[i]));
        while (watch_stream_next(&stream, &json, &len))
            ;
        assert_true(stream.broken);
        watch_stream_feed(&stream, "{}", 2);
        assert_false(watch_stream_next(&stream, &json, &len));
        watch_stream_clear(&stream);
    }
}

/* An event of 16 MiB passes, one more byte does not; neither takes more than a constant number of looks at
 * each byte. */
static void test_K_17_the_limit(void **state)
{
    char *chunk = x_malloc(65536);

    (void)state;
    memset(chunk, 'a', 65536);
    for (int over = 0; over < 2; over++) {
        struct watch_stream stream = {0};
        const char *json;
        size_t len, left = WATCH_EVENT_MAX - 8 + (size_t)over;

        watch_stream_feed(&stream, "{\"a\":\"", 6);
        while (left) {
            size_t n = left < 65536 ? left : 65536;
            watch_stream_feed(&stream, chunk, n);
            assert_false(watch_stream_next(&stream, &json, &len));
            left -= n;
        }
        watch_stream_feed(&stream, "\"}{}", 4);
        assert_int_equal(watch_stream_next(&stream, &json, &len), !over);
        assert_int_equal(stream.broken, over);
        if (!over)
            assert_int_equal(len, WATCH_EVENT_MAX);
        watch_stream_clear(&stream);
    }
    free(chunk);
}

/* A long stream keeps a small buffer. */
static void test_memory_stays_small(void **state)
{
    struct watch_stream stream = {0};
    const char *json;
    size_t len;
    char event[3000];

    (void)state;
    int n = snprintf(event, sizeof event, "{\"a\":\"%02500d\"}\n", 7);
    for (int i = 0; i < 20000; i++) {
        watch_stream_feed(&stream, event, (size_t)n);
        assert_true(watch_stream_next(&stream, &json, &len));
        assert_false(watch_stream_next(&stream, &json, &len));
    }
    assert_true(stream.room < 64 * 1024);
    watch_stream_clear(&stream);
}

static void test_retry_after(void **state)
{
    struct row {
        const char *value;
        int64_t ms;
    } rows[] = {{" 1\r\n", 1000},
                {"0", 0},
                {" 120", 120000},
                {"", -1},
                {" -1", -1},
                {"1.5", -1},
                {"1s", -1},
                {" Wed, 21 Oct 2026 07:28:00 GMT\r\n", -1},
                {"99999999999999999999", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(headers_retry_after(rows[i].value, strlen(rows[i].value)), rows[i].ms);
    assert_true(headers_is("retry-after: 1", 14, "Retry-After"));
    assert_false(headers_is("Retry-Afters: 1", 15, "Retry-After"));
    assert_false(headers_is("Retry", 5, "Retry-After"));
}

static unsigned warning(struct warnings *warnings, const char *value)
{
    return headers_warning(warnings, value, strlen(value));
}

static void test_K_14_warnings_once(void **state)
{
    struct warnings warnings = {.count = 0};

    (void)state;
    log_set_level(LEVEL_ERROR);
    assert_int_equal(warning(&warnings, " 299 - \"unknown field \\\"spec.x\\\"\""), 1);
    assert_int_equal(warning(&warnings, " 299 - \"unknown field \\\"spec.x\\\"\""), 0);
    assert_int_equal(warning(&warnings, "299 - \"a, b\" \"Wed, 21 Oct 2026 07:28:00 GMT\", 299 - \"c\""), 2);
    assert_int_equal(warning(&warnings, "199 - \"other code\""), 0);
    assert_int_equal(warning(&warnings, "2990 - \"other code\""), 0);
    assert_int_equal(warning(&warnings, "199 - \"d\", 299 host \"e\\\\\", 214 - \"f\" \"date\""), 1);
    assert_int_equal(warning(&warnings, "299 - \"e\\\\\""), 0);
    assert_int_equal(warning(&warnings, "299 - \"unfinished"), 1);
    assert_int_equal(warning(&warnings, "299"), 0);
    assert_int_equal(warning(&warnings, "299 - \"\\"), 1);
    assert_int_equal(warning(&warnings, ",,, ,"), 0);
    assert_int_equal(warning(&warnings, ""), 0);
}

/* A server that warns with a new text each time costs lines, and never memory. */
static void test_K_14_the_memory_of_warnings_is_bounded(void **state)
{
    struct warnings warnings = {.count = 0};
    char value[64];

    (void)state;
    log_set_level(LEVEL_ERROR);
    for (unsigned i = 0; i <= WARNINGS_KEPT; i++) {
        snprintf(value, sizeof value, "299 - \"%u\"", i);
        assert_int_equal(warning(&warnings, value), 1);
    }
    assert_int_equal(warning(&warnings, "299 - \"1\""), 0);
    assert_int_equal(warning(&warnings, "299 - \"0\""), 1); /* the oldest is forgotten */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_K_17_every_two_borders),
        cmocka_unit_test(test_K_17_a_recorded_stream_cut_everywhere),
        cmocka_unit_test(test_K_17_byte_by_byte_without_reading_between),
        cmocka_unit_test(test_K_68_a_large_buffer_is_given_back),
        cmocka_unit_test(test_what_is_no_object),
        cmocka_unit_test(test_K_17_the_limit),
        cmocka_unit_test(test_memory_stays_small),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_K_14_warnings_once),
        cmocka_unit_test(test_K_14_the_memory_of_warnings_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
