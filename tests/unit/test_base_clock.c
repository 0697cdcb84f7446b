/* tests/unit/test_base_clock.c -- shows that times are written as Kubernetes wants them and read in every
 * form that RFC 3339 has (kubernetes 9.1, item 63). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void writes_three_forms(void **state)
{
    char buf[CLOCK_TEXT_MAX];

    (void)state;
    clock_text_seconds(1767323045999, buf);
    assert_string_equal(buf, "2026-01-02T03:04:05Z");
    clock_text_millis(1767323045007, buf);
    assert_string_equal(buf, "2026-01-02T03:04:05.007Z");
    clock_text_micro(1767323045000009, buf);
    assert_string_equal(buf, "2026-01-02T03:04:05.000009Z");
    clock_text_micro(1767323045000000, buf);
    assert_string_equal(buf, "2026-01-02T03:04:05.000000Z");
    clock_text_millis(-1, buf);
    assert_string_equal(buf, "1969-12-31T23:59:59.999Z");
}

static void stays_inside_four_digit_years(void **state)
{
    char buf[CLOCK_TEXT_MAX];

    (void)state;
    clock_text_seconds(INT64_MAX, buf);
    assert_string_equal(buf, "9999-12-31T23:59:59Z");
    clock_text_micro(INT64_MAX, buf);
    assert_string_equal(buf, "9999-12-31T23:59:59.999999Z");
    clock_text_millis(INT64_MIN, buf);
    assert_string_equal(buf, "0000-01-01T00:00:00.000Z");
}

static void agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t s = -62167219200; s < 253402300799; s += 86400 * 13 + 7919) {
        char buf[CLOCK_TEXT_MAX];
        char wanted[64];
        struct tm tm;
        time_t t = s;
        int64_t back = 0;

        assert_non_null(gmtime_r(&t, &tm));
        snprintf(wanted, sizeof(wanted), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        clock_text_seconds(s * 1000, buf);
        assert_string_equal(buf, wanted);
        assert_int_equal(clock_parse(buf, strlen(buf), &back), 0);
        assert_int_equal(back, s * 1000);
    }
}

static void reads_offsets_and_fractions(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2026-01-02T03:04:05Z", 1767323045000},
        {"2026-01-02T03:04:05.1Z", 1767323045100},
        {"2026-01-02T03:04:05.007999999999999999999Z", 1767323045007},
        {"2026-01-02T05:34:05+02:30", 1767323045000},
        {"2026-01-01T22:04:05.250000-05:00", 1767323045250},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2000-02-29T00:00:00-00:00", 951782400000},
        {"1970-01-01T00:00:00Z", 0},
        {"0001-01-01T00:00:00Z", -62135596800000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ms = -1;
        assert_int_equal(clock_parse(good[i].text, strlen(good[i].text), &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
}

static void refuses_everything_else(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "2026-01-02",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05Z ",
        " 2026-01-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "1900-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-02T24:04:05Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+2:00",
        "+026-01-02T03:04:05Z",
        "20260102T030405Z",
    };
    int64_t ms = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(clock_parse(bad[i], strlen(bad[i]), &ms), -1);
    assert_int_equal(clock_parse(NULL, 0, &ms), -1);
    assert_int_equal(clock_parse("2026-01-02T03:04:05Z", 10, &ms), -1);
    assert_int_equal(ms, 42);
}

/* A child goes by its supervisor's origin, and a clock that is set later does not move it (design 12.2). */
static void the_steady_clock_keeps_its_origin(void **state)
{
    struct instant own = clock_now();

    (void)state;
    assert_true(own.steady_ms - own.wall_ms < 1000 && own.wall_ms - own.steady_ms < 1000);
    assert_int_equal(own.steady_ms - own.boot_ms, clock_origin());
    clock_set_origin(INT64_C(1234567890123));
    for (int i = 0; i < 3; i++) {
        struct instant told = clock_now();
        assert_int_equal(told.steady_ms - told.boot_ms, INT64_C(1234567890123));
    }
}

static void both_clocks_run(void **state)
{
    struct instant a = clock_now();
    struct instant b = clock_now();

    (void)state;
    assert_true(a.boot_ms > 0 && b.boot_ms >= a.boot_ms);
    assert_true(a.wall_ms > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_three_forms),
        cmocka_unit_test(stays_inside_four_digit_years),
        cmocka_unit_test(agrees_with_libc),
        cmocka_unit_test(reads_offsets_and_fractions),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(both_clocks_run),
        cmocka_unit_test(the_steady_clock_keeps_its_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
