/* tests/unit/test_base_blackbox.c -- what a process leaves behind: its last lines, the object in hand, and a
 * backtrace after a fatal signal, read from the outside as the supervisor does. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/blackbox.h"
#include "base/escape.h"
#include "base/log.h"

/* Runs body in a process with a box. Returns how it ended; what it left is in *box. */
static int lives_and_dies(void (*body)(void), struct blackbox *box)
{
    int fd = memfd_create("box", 0), status = 0;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof *box), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        blackbox_open(fd);
        blackbox_catch();
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(pread(fd, box, sizeof *box, 0), sizeof *box);
    close(fd);
    return status;
}

static void works(void)
{
    blackbox_about("ns/name", "asking");
    blackbox_about(NULL, "writing");
    blackbox_line("first\n", 6);
    blackbox_line("second\n", 7);
}

static void test_about_and_lines(void **unused)
{
    struct blackbox box;

    (void)unused;
    assert_int_equal(lives_and_dies(works, &box), 0);
    assert_string_equal(box.key, "ns/name");
    assert_string_equal(box.doing, "writing");
    assert_string_equal(box.log, "first\nsecond\n");
    assert_int_equal(box.log_end, 13);
    assert_string_equal(box.trace, "");
}

static void says_much(void)
{
    char line[100];

    for (int i = 0; i < 200; i++)
        blackbox_line(line, (size_t)snprintf(line, sizeof line, "line number %d\n", i));
    memset(line, 'x', sizeof line);
    for (int i = 0; i < 2; i++) {
        char *longer = malloc(2 * BLACKBOX_LOG);

        memset(longer, 'y', 2 * BLACKBOX_LOG);
        if (i == 1)
            blackbox_line(longer, 2 * BLACKBOX_LOG);
        free(longer);
    }
}

static void test_the_ring_goes_round(void **unused)
{
    struct blackbox box;

    (void)unused;
    assert_int_equal(lives_and_dies(says_much, &box), 0);
    assert_true(box.log_end < BLACKBOX_LOG);
    for (size_t i = 0; i < BLACKBOX_LOG; i++)
        assert_int_equal(box.log[i], 'y');
}

static void aborts(void)
{
    abort();
}

#ifndef SANITIZED
static volatile int deeper = 1;

static void overflows(void)
{
    volatile char frame[4096];

    frame[0] = 1;
    if (deeper)
        overflows();
    frame[1] = frame[0];
}
#endif

/* The signal has its own effect afterwards. */
static void test_a_backtrace(void **unused)
{
    struct blackbox box;
    int status = lives_and_dies(aborts, &box);

    (void)unused;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    box.trace[BLACKBOX_TRACE - 1] = '\0';
    assert_non_null(strstr(box.trace, "abort"));
#ifndef SANITIZED
    status = lives_and_dies(overflows, &box); /* on a stack of its own */
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_true(box.trace[0] != '\0');
#endif
}

static void logs(void)
{
    log_open("worker", LEVEL_INFO, false);
    if (!freopen("/dev/null", "w", stderr))
        _exit(1);
    log_info("hello", F_STR("key", "ns/name"));
    log_debug("not this", F_INT("n", 1));
}

static void test_the_log_goes_there(void **unused)
{
    struct blackbox box;

    (void)unused;
    assert_int_equal(lives_and_dies(logs, &box), 0);
    assert_non_null(strstr(box.log, "\"msg\":\"hello\",\"key\":\"ns/name\"}\n"));
    assert_null(strstr(box.log, "not this"));
}

/* Without a box all of it does nothing. */
static void test_no_box(void **unused)
{
    (void)unused;
    blackbox_open(-1);
    blackbox_catch();
    blackbox_line("x\n", 2);
    blackbox_about("a", "b");
}

static void test_escapes(void **unused)
{
    static const struct {
        const char *text, *escaped;
    } rows[] = {{"a", "a"},          {"\"", "\\\""},      {"\\", "\\\\"},           {"\n", "\\n"},
                {"\001", "\\u0001"}, {"\177", "\\u007f"}, {"\303\244", "\303\244"}, {"\377", "\\ufffd"}};

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[ESCAPE_MAX + 1] = "";
        size_t used, n = escape_one((const unsigned char *)rows[i].text, &used, out);

        assert_int_equal(n, strlen(rows[i].escaped));
        assert_memory_equal(out, rows[i].escaped, n);
        assert_int_equal(used, strlen(rows[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_box),
        cmocka_unit_test(test_about_and_lines),
        cmocka_unit_test(test_the_ring_goes_round),
        cmocka_unit_test(test_a_backtrace),
        cmocka_unit_test(test_the_log_goes_there),
        cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
