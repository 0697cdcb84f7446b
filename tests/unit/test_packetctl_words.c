/* tests/unit/test_packetctl_words.c -- packetctl's command line: what is taken, what is refused with which
 * sentence, and where the supervisor is looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packetctl/packetctl.h"

static char error[256];

static int set_up(void **unused)
{
    (void)unused;
    unsetenv("PACKETCTL_SOCKET");
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
    return 0;
}

static int typed(struct command_line *line, const char *a, const char *b, const char *c, const char *d)
{
    const char *const words[] = {"packetctl", a, b, c, d, NULL};
    int n = 1;

    while (n < 5 && words[n])
        n++;
    error[0] = '\0';
    return command_line_read(line, n, (char *const *)(uintptr_t)words, error, sizeof error);
}

static void test_command_line(void **unused)
{
    struct command_line line;

    (void)unused;
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), 0);
    assert_int_equal(line.command, COMMAND_STATUS);
    assert_false(line.json);
    assert_string_equal(line.dir, "/run/gardener-extension-provider-packet");
    assert_int_equal(typed(&line, "--json", "--runtime-dir", "/x", "stop"), 0);
    assert_int_equal(line.command, COMMAND_STOP);
    assert_true(line.json);
    assert_string_equal(line.dir, "/x");
    assert_int_equal(typed(&line, "stop", "--runtime-dir=/y", NULL, NULL), 0);
    assert_string_equal(line.dir, "/y");
    assert_int_equal(typed(&line, "restart", "worker", "--rolling", NULL), 0);
    assert_int_equal(line.command, COMMAND_RESTART);
    assert_int_equal(line.role, WORKER);
    assert_true(line.rolling);
    assert_int_equal(typed(&line, "--help", "nonsense", NULL, NULL), 0);
    assert_int_equal(line.command, COMMAND_HELP);
    assert_int_equal(typed(&line, "--version", NULL, NULL, NULL), 0);
    assert_int_equal(line.command, COMMAND_VERSION);
}

static void test_wrong_command_lines(void **unused)
{
    struct command_line line;

    (void)unused;
    assert_int_equal(typed(&line, NULL, NULL, NULL, NULL), -1);
    assert_non_null(strstr(error, "no command given"));
    assert_int_equal(typed(&line, "statsu", NULL, NULL, NULL), -1);
    assert_non_null(strstr(error, "unknown command \"statsu\""));
    assert_int_equal(typed(&line, "status", "stop", NULL, NULL), -1);
    assert_int_equal(typed(&line, "--jsno", "status", NULL, NULL), -1);
    assert_non_null(strstr(error, "unknown option"));
    assert_int_equal(typed(&line, "status", "--runtime-dir", NULL, NULL), -1);
    assert_int_equal(typed(&line, "status", "--runtime-dir=", NULL, NULL), -1);
    assert_int_equal(typed(&line, "restart", NULL, NULL, NULL), -1);
    assert_non_null(strstr(error, "restart what?"));
    assert_int_equal(typed(&line, "restart", "kubelet", NULL, NULL), -1);
    assert_non_null(strstr(error, "unknown role \"kubelet\""));
    assert_int_equal(typed(&line, "restart", "supervisor", NULL, NULL), -1);
    assert_int_equal(typed(&line, "restart", "worker", "watcher", NULL), -1);
    assert_int_equal(typed(&line, "status", "--rolling", NULL, NULL), -1);
}

static void test_words_of_commands(void **unused)
{
    struct command_line line;

    (void)unused;
    assert_int_equal(typed(&line, "scale", "workers", "7", NULL), 0);
    assert_int_equal(line.number, 7);
    assert_int_equal(typed(&line, "quarantine", "list", NULL, NULL), 0);
    assert_false(line.release);
    assert_int_equal(typed(&line, "quarantine", "release", "ns/name", NULL), 0);
    assert_string_equal(line.key, "ns/name");
    assert_int_equal(typed(&line, "quarantine", "release", "--all", NULL), 0);
    assert_int_equal(typed(&line, "retry", "ns/name", "--json", NULL), 0);
    assert_int_equal(typed(&line, "loglevel", "error", NULL, NULL), 0);
    assert_int_equal(line.number, LEVEL_ERROR);
    for (const char *const *word =
             (const char *const[]){"jobs", "limits", "crashes", "drain", "resume", "reload", NULL};
         *word; word++) {
        assert_int_equal(typed(&line, *word, NULL, NULL, NULL), 0);
        assert_int_equal(typed(&line, *word, "more", NULL, NULL), -1);
    }
}

static void test_wrong_words_of_commands(void **unused)
{
    static const struct {
        const char *words[4], *error;
    } wrong[] = {
        {{"scale"}, "scale what? It is: packetctl scale workers N"},
        {{"scale", "workers"}, "scale what?"},
        {{"scale", "pods", "3"}, "only workers can be scaled"},
        {{"scale", "workers", "0"}, "\"0\" is no number of workers; there may be 1 to 64"},
        {{"scale", "workers", "65"}, "there may be 1 to 64"},
        {{"scale", "workers", "3x"}, "there may be 1 to 64"},
        {{"scale", "workers", "-1"}, "unknown option"},
        {{"quarantine"}, "quarantine what?"},
        {{"quarantine", "empty"}, "quarantine has list and release, not \"empty\""},
        {{"quarantine", "list", "ns/name"}, "\"quarantine list\" takes no"},
        {{"quarantine", "release"}, "release what? An object as NS/NAME, or --all"},
        {{"quarantine", "release", "ns/name", "--all"}, "release what?"},
        {{"quarantine", "list", "--all"}, "--all belongs to quarantine release"},
        {{"retry"}, "retry what?"},
        {{"retry", "name"}, "\"name\" is no object"},
        {{"retry", "/name"}, "is no object"},
        {{"retry", "ns/"}, "is no object"},
        {{"loglevel", "loud"}, "unknown level \"loud\"; there are debug, info and error"},
    };
    struct command_line line;

    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(
            typed(&line, wrong[i].words[0], wrong[i].words[1], wrong[i].words[2], wrong[i].words[3]), -1);
        assert_non_null(strstr(error, wrong[i].error));
    }
}

static void test_where_it_looks(void **unused)
{
    struct command_line line;

    (void)unused;
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), 0);
    assert_string_equal(line.dir, "/run/user/7/gardener-extension-provider-packet");
    setenv("RUNTIME_DIRECTORY", "/run/a:/run/b", 1);
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), 0);
    assert_string_equal(line.dir, "/run/a");
    setenv("PACKETCTL_SOCKET", "/run/c/control.sock", 1);
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), 0);
    assert_string_equal(line.dir, "/run/c");
    assert_int_equal(typed(&line, "status", "--socket", "/run/d/control.sock", NULL), 0);
    assert_string_equal(line.dir, "/run/d");
    assert_int_equal(typed(&line, "status", "--socket=/control.sock", NULL, NULL), 0);
    assert_string_equal(line.dir, "/");
    assert_int_equal(typed(&line, "status", "--runtime-dir=/y", NULL, NULL), 0);
    assert_string_equal(line.dir, "/y");
    setenv("PACKETCTL_SOCKET", "", 1);
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), 0);
    assert_string_equal(line.dir, "/run/a");
}

static void test_no_socket(void **unused)
{
    static const char *const wrong[] = {"", "/run/c", "control.sock", "/run/c/control.sock.old", "/run/c/"};
    struct command_line line;

    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(typed(&line, "status", "--socket", wrong[i], NULL), -1);
        assert_non_null(strstr(error, "ends in /control.sock"));
    }
    assert_int_equal(typed(&line, "status", "--socket", NULL, NULL), -1);
    setenv("PACKETCTL_SOCKET", "/run/c/bus.sock", 1);
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), -1);
    char longer[PACKETCTL_PATH_MAX + 40];
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    strcpy(longer + sizeof longer - sizeof "/control.sock", "/control.sock");
    assert_int_equal(typed(&line, "status", "--socket", longer, NULL), -1);
    assert_non_null(strstr(error, "too long"));
    setenv("XDG_RUNTIME_DIR", longer, 1);
    unsetenv("PACKETCTL_SOCKET");
    assert_int_equal(typed(&line, "status", NULL, NULL, NULL), -1);
    assert_non_null(strstr(error, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_command_line, set_up),
        cmocka_unit_test_setup(test_wrong_command_lines, set_up),
        cmocka_unit_test_setup(test_words_of_commands, set_up),
        cmocka_unit_test_setup(test_wrong_words_of_commands, set_up),
        cmocka_unit_test_setup(test_where_it_looks, set_up),
        cmocka_unit_test_setup(test_no_socket, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
