/* tests/unit/test_gateway_shell.c -- the pure parts of the gateway's shell: the base URL taken apart and the
 * header lines read (packet C-1, C-12, C-34, C-36, C-40). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packet-gateway/headers.h"
#include "packet-gateway/options.h"

static void test_C_01_base_url_with_and_without_slash_and_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *url, *origin, *base_path;
    } rows[] = {
        {"https://api.equinix.com/metal/v1", "https://api.equinix.com", "/metal/v1"},
        {"https://api.equinix.com/metal/v1/", "https://api.equinix.com", "/metal/v1"},
        {"https://api.packet.net", "https://api.packet.net", ""},
        {"https://api.packet.net/", "https://api.packet.net", ""},
        {"https://host:8443/a/b/c//", "https://host:8443", "/a/b/c"},
        {"http://127.0.0.1:8080/metal/v1", "http://127.0.0.1:8080", "/metal/v1"},
        {"http://localhost:1", "http://localhost:1", ""},
        {"http://[::1]:1/x", "http://[::1]:1", "/x"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gateway_options o = {0};
        char error[256] = "";

        assert_int_equal(options_read_url(&o, rows[i].url, error, sizeof error), 0);
        assert_string_equal(o.origin, rows[i].origin);
        assert_string_equal(o.base_path, rows[i].base_path);
        options_free(&o);
    }
}

static void test_C_40_base_urls_that_would_show_the_token_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://api.equinix.com/metal/v1",
        "http://128.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://user:secret@host/",
        "https://host/?query=1",
        "api.equinix.com",
        "",
        "https://",
    };

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct gateway_options o = {0};
        char error[256] = "";

        if (options_read_url(&o, urls[i], error, sizeof error) == 0)
            fail_msg("accepted %s", urls[i]);
        assert_non_null(strstr(error, "--packet-url"));
        assert_null(strstr(error, "secret"));
        options_free(&o);
    }
}

#define WALL 1700000000000

static struct headers read_line(const char *line)
{
    struct headers h;

    headers_clear(&h, NULL);
    headers_read(&h, line, strlen(line), WALL);
    return h;
}

static void test_C_12_names_without_case_and_content_type_by_prefix(void **state)
{
    (void)state;
    assert_true(read_line("Content-Type: application/json; charset=utf-8\r\n").json);
    assert_true(read_line("content-type:application/json\r\n").json);
    assert_true(read_line("CONTENT-TYPE:  Application/JSON ;x\r\n").json);
    assert_false(read_line("Content-Type: text/html\r\n").json);
    assert_false(read_line("Content-Type: application/problem+json\r\n").json);
    assert_false(read_line("Content-Type: application/jsonp\r\n").json);
    assert_false(read_line("X-Content-Type: application/json\r\n").json);
    assert_string_equal(read_line("x-request-id: abc-1._Z\r\n").request_id, "abc-1._Z");
    assert_string_equal(read_line("X-REQUEST-ID: a b\r\n").request_id, "");
    assert_string_equal(read_line("X-Request-Id: \"x\"\r\n").request_id, "");
    assert_string_equal(read_line("X-Request-Id:\r\n").request_id, "");
    assert_true(read_line("Sunset: Tue, 30 Jun 2026 00:00:00 GMT\r\n").sunset);
}

static void test_C_34_retry_after_as_seconds_and_date(void **state)
{
    (void)state;
    assert_int_equal(read_line("Retry-After: 7\r\n").retry_after_ms, 7000);
    assert_int_equal(read_line("retry-after: 0\r\n").retry_after_ms, 0);
    assert_int_equal(read_line("Retry-After: 1000000000\r\n").retry_after_ms, 1000000000000);
    assert_int_equal(read_line("Retry-After: Tue, 14 Nov 2023 22:14:20 GMT\r\n").retry_after_ms, 60000);
    assert_int_equal(read_line("Retry-After: Tue, 14 Nov 2017 22:14:20 GMT\r\n").retry_after_ms, 0);
    assert_int_equal(read_line("Retry-After: -5\r\n").retry_after_ms, -1);
    assert_int_equal(read_line("Retry-After: soon\r\n").retry_after_ms, -1);
    assert_int_equal(read_line("Retry-After: 7.5\r\n").retry_after_ms, -1);
    assert_int_equal(read_line("Retry-After: 99999999999999999999999\r\n").retry_after_ms, -1);
    assert_int_equal(read_line("X-RateLimit-Remaining: 0\r\n").limit_remaining, 0);
    assert_int_equal(read_line("x-ratelimit-reset: 1700000060\r\n").limit_reset_s, 1700000060);
    assert_int_equal(read_line("x-ratelimit-limit: 40\r\n").limit, 40);
    assert_int_equal(read_line("Date: Tue, 14 Nov 2023 22:14:20 GMT\r\n").date_s, 1700000060);
    assert_int_equal(read_line("Date: Tue, 14 Nov 1700000010\r\n").date_s, -1);
    assert_int_equal(read_line("Retry-After: Tue, 14 Nov 1700000010\r\n").retry_after_ms, -1);
}

/* In either order: what counts is the distance by the server's own clock. */
static void test_C_34_a_retry_date_is_one_of_the_servers_clock(void **state)
{
    (void)state;
    static const char *const lines[] = {"Date: Tue, 14 Nov 2023 23:14:20 GMT\r\n",
                                        "Retry-After: Tue, 14 Nov 2023 23:14:25 GMT\r\n",
                                        "Date: Tue, 14 Nov 2023 23:14:20 GMT\r\n"};

    for (int i = 0; i < 2; i++) {
        struct headers h;

        headers_clear(&h, NULL);
        headers_read(&h, lines[i], strlen(lines[i]), WALL);
        headers_read(&h, lines[i + 1], strlen(lines[i + 1]), WALL);
        assert_int_equal(h.retry_after_ms, 5000);
    }
}

static void test_C_36_nothing_is_assumed_without_headers(void **state)
{
    (void)state;
    struct headers h = read_line("Date: today\r\n");

    assert_int_equal(h.retry_after_ms, -1);
    assert_int_equal(h.limit_remaining, -1);
    assert_int_equal(h.limit_reset_s, -1);
    assert_int_equal(h.limit, -1);
    assert_int_equal(h.date_s, -1);
    assert_false(h.json || h.sunset);
}

static void test_a_new_status_line_forgets_an_interim_answer(void **state)
{
    (void)state;
    struct headers h = read_line("Content-Type: application/json\r\n");

    headers_read(&h, "HTTP/1.1 200 OK\r\n", 17, WALL);
    assert_false(h.json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_C_01_base_url_with_and_without_slash_and_prefix),
        cmocka_unit_test(test_C_40_base_urls_that_would_show_the_token_are_refused),
        cmocka_unit_test(test_C_12_names_without_case_and_content_type_by_prefix),
        cmocka_unit_test(test_C_34_retry_after_as_seconds_and_date),
        cmocka_unit_test(test_C_34_a_retry_date_is_one_of_the_servers_clock),
        cmocka_unit_test(test_C_36_nothing_is_assumed_without_headers),
        cmocka_unit_test(test_a_new_status_line_forgets_an_interim_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
