/* tests/unit/test_base_log.c -- shows what a line looks like, and that nothing a field holds can break one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

static int saved_stderr, reader;
static char got[4 * PIPE_BUF];

static int open_pipe(void **state)
{
    int ends[2];

    (void)state;
    if (pipe(ends) != 0)
        return -1;
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    log_open("watcher", LEVEL_INFO, false);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(reader);
    return 0;
}

/* What one log call wrote, from the first key after the time on. */
static const char *line(void)
{
    ssize_t n = read(reader, got, sizeof(got) - 1);

    got[n > 0 ? n : 0] = '\0';
    return got;
}

static const char *after_time(void)
{
    const char *ts = strstr(line(), "\"ts\":\"");

    assert_non_null(ts);
    assert_int_equal(ts[6 + 24], '"');
    assert_int_equal(ts[6 + 23], 'Z');
    return ts + 6 + 25;
}

static void keys_in_order(void **state)
{
    (void)state;
    log_info("it is done", F_STR("name", "web"), F_INT("n", -5), F_STR("absent", (const char *)NULL));
    assert_string_equal(after_time(),
                        ",\"logger\":\"watcher\",\"msg\":\"it is done\",\"name\":\"web\",\"n\":-5,"
                        "\"absent\":\"\"}\n");
    assert_ptr_equal(strstr(got, "{\"level\":\"info\",\"ts\":\"20"), got);
}

static void levels(void **state)
{
    enum log_level level = LEVEL_WARN;

    (void)state;
    log_debug("hidden", F_INT("n", 1));
    assert_string_equal(line(), "");
    log_warn("odd", F_INT("n", 1));
    assert_string_equal(after_time(), ",\"logger\":\"watcher\",\"msg\":\"odd\",\"warning\":true,\"n\":1}\n");
    assert_non_null(strstr(got, "\"level\":\"info\""));
    log_set_level(LEVEL_ERROR);
    log_info("hidden", F_INT("n", 1));
    assert_string_equal(line(), "");
    log_error("shown", F_STR("error", "why"));
    assert_non_null(strstr(line(), "\"level\":\"error\""));
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LEVEL_DEBUG);
    assert_int_equal(log_level_parse("warn", &level), -1);
    assert_int_equal(log_level_parse("", &level), -1);
    assert_int_equal(log_level_parse(NULL, &level), -1);
    assert_int_equal(level, LEVEL_DEBUG);
}

static void escapes(void **state)
{
    (void)state;
    log_info("a\"b\\c\nd\te\rf\x01g\x7f", F_STR("k\"", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"));
    assert_string_equal(after_time(),
                        ",\"logger\":\"watcher\",\"msg\":\"a\\\"b\\\\c\\nd\\te\\rf\\u0001g\\u007f\","
                        "\"k\\\"\":\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"}\n");
}

static void replaces_what_is_not_utf8(void **state)
{
    static const struct {
        const char *bytes, *shown;
    } bad[] = {
        {"\xff", "\\ufffd"},
        {"\xc0\xaf", "\\ufffd\\ufffd"},            /* overlong */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"}, /* overlong */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xf0\x9f\x98", "\\ufffd\\ufffd\\ufffd"}, /* cut off */
        {"\xc3", "\\ufffd"},
        {"\x80x", "\\ufffdx"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char wanted[128];
        snprintf(wanted, sizeof(wanted), ",\"logger\":\"watcher\",\"msg\":\"m\",\"k\":\"%s\"}\n",
                 bad[i].shown);
        log_info("m", F_STR("k", bad[i].bytes));
        assert_string_equal(after_time(), wanted);
    }
}

/* One line, closed, with every text in it closed. */
static bool ends_well(const char *text)
{
    size_t n = strlen(text);
    size_t quotes = 0;

    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            c++;
        else
            quotes += *c == '"';
    }
    return n > 2 && quotes % 2 == 0 && strcmp(text + n - 2, "}\n") == 0 && strchr(text, '\n') == text + n - 1;
}

static void long_text_is_cut(void **state)
{
    char *text = x_malloc(10001);

    (void)state;
    memset(text, 'x', 10000);
    text[10000] = '\0';
    log_info("m", F_STR("k", text), F_INT("after", 7));
    assert_true(ends_well(line()));
    assert_true(strlen(got) < 2048);
    assert_non_null(strstr(got, "...\",\"after\":7,\"truncated\":true}"));
    memset(text, '\n', 10000);
    log_info(text, F_STR(text, text), F_STR("k", text), F_STR("l", text), F_INT("after", 7));
    assert_true(ends_well(line()));
    assert_true(strlen(got) <= PIPE_BUF);
    assert_non_null(strstr(got, "\"truncated\":true}"));
    free(text);
}

/* At every fill level of the line the next fields end it cleanly. */
static void every_length_ends_well(void **state)
{
    char text[1400];

    (void)state;
    memset(text, 'y', sizeof(text));
    for (size_t n = 1000; n < sizeof(text); n++) {
        text[n] = '\0';
        log_info("m", F_STR("a", text), F_STR("b", text), F_STR("c", text), F_STR("dd", "\x01\x02"),
                 F_INT("number", INT64_MIN), F_STR("e", ""));
        assert_true(ends_well(line()));
        assert_true(strlen(got) <= PIPE_BUF);
        for (const char *c = got; (c = strstr(c, "\"dd\":")); c++)
            assert_int_equal(c[5], '"');
        text[n] = 'y';
    }
}

static void text_format(void **state)
{
    (void)state;
    log_open("worker", LEVEL_DEBUG, true);
    log_warn("two\nlines", F_STR("k", "a \"b\""), F_INT("n", 3));
    assert_string_equal(strchr(line(), ' '), " WARN  worker \"two\\nlines\" k=\"a \\\"b\\\"\" n=3\n");
}

static void keeps_errno(void **state)
{
    (void)state;
    errno = EXDEV;
    log_info("m", F_INT("n", 1));
    assert_int_equal(errno, EXDEV);
    line();
}

static void strings(void **state)
{
    char *a = x_asprintf("%s-%d", "a", 7);
    char *b = x_strndup("abc", 2);
    char *c = x_strdup("");

    (void)state;
    assert_string_equal(a, "a-7");
    assert_string_equal(b, "ab");
    assert_string_equal(c, "");
    free(a);
    free(b);
    free(c);
    free(x_malloc(0));
    free(x_calloc(0, 9));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(keys_in_order),       CASE(levels),      CASE(escapes),     CASE(replaces_what_is_not_utf8),
        CASE(long_text_is_cut),    CASE(text_format), CASE(keeps_errno), CASE(every_length_ends_well),
        cmocka_unit_test(strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
