/* tests/unit/test_supervisor_shell.c -- the supervisor's hands on real processes: what a child finds when it
 * is born (environment, descriptors, signals), what a failed exec says, and the runtime directory. The child
 * programs are small shell scripts made for the test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

static struct supervisor s;
static char home[64];

static const char *in_home(const char *name)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static int set_up(void **unused)
{
    char error[OPTIONS_ERROR_MAX];
    char *argv[] = {(char *)(uintptr_t) "x", (char *)(uintptr_t) "--config-file=/c.yaml",
                    (char *)(uintptr_t) "--packet-url=https://p.test", NULL};

    (void)unused;
    log_open("test", LEVEL_ERROR, false);
    strcpy(home, "/tmp/supervisor-test-XXXXXX");
    if (mkdtemp(home) == NULL)
        return -1;
    s = (struct supervisor){
        .null = open("/dev/null", O_RDONLY | O_CLOEXEC), .signals = -1, .dir = {.lock = -1}};
    snprintf(s.libexec, sizeof s.libexec, "%s", home);
    snprintf(s.dir.path, sizeof s.dir.path, "%s", home);
    return options_read(&s.options, 3, argv, error);
}

static int tear_down(void **unused)
{
    static const char *const names[] = {
        "worker",       "out",      "out.done", "supervisor.lock", "dir/supervisor.lock",
        "dir/bus.sock", "dir/file", "bus.sock"};

    (void)unused;
    options_free(&s.options);
    close(s.null);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_home(names[i]));
    rmdir(in_home("dir"));
    return rmdir(home);
}

/* ---- a child's birth */

/* Makes the worker's program: a script that writes what it finds to "out". */
static void write_worker(const char *script)
{
    FILE *f = fopen(in_home("worker"), "w");

    fprintf(f, "#!/bin/sh\n(%s) >%s\n", script, in_home("out"));
    fclose(f);
    chmod(in_home("worker"), 0755);
}

/* Starts it, waits for its end. Returns what it wrote; the caller frees. */
static char *born(void)
{
    int status;
    int64_t pid = spawn_child(&s, WORKER, 2, 77);
    char *text = x_calloc(1, 65536);

    assert_true(pid > 0);
    assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
    FILE *f = fopen(in_home("out"), "r");
    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    return at && (at == text || at[-1] == '\n') && (at[strlen(line)] == '\n' || at[strlen(line)] == '\0');
}

static void test_environment(void **unused)
{
    (void)unused;
    setenv("SECRET_THING", "x", 1);
    setenv("TZ", "UTC", 1);
    setenv("HTTPS_PROXY", "http://proxy.test", 1);
    write_worker("env");
    char *text = born();
    assert_true(has_line(text, "PROVIDER_PACKET_ROLE=worker"));
    assert_true(has_line(text, "PROVIDER_PACKET_SLOT=2"));
    assert_true(has_line(text, "PROVIDER_PACKET_INCARNATION=77"));
    assert_true(has_line(text, "PROVIDER_PACKET_OPT_log_level=info"));
    assert_true(has_line(text, "TZ=UTC"));
    assert_null(strstr(text, "SECRET_THING"));
    assert_null(strstr(text, "HTTPS_PROXY"));                /* a worker has no network */
    assert_null(strstr(text, "PROVIDER_PACKET_OPT_packet")); /* and is told nothing about Packet */
    assert_null(strstr(text, "PROVIDER_PACKET_OPT_kubeconfig"));
    free(text);
    unsetenv("SECRET_THING");
    unsetenv("HTTPS_PROXY");
}

static void test_options_reach_the_right_child(void **unused)
{
    (void)unused;
    char **gateway = environment_make(&s, GATEWAY, 0, 5, -1),
         **watcher = environment_make(&s, WATCHER, 0, 6, -1);
    bool url = false, config = false;

    for (char **e = gateway; *e; e++) {
        url = url || strcmp(*e, "PROVIDER_PACKET_OPT_packet_url=https://p.test") == 0;
        assert_null(strstr(*e, "OPT_config_file"));
    }
    for (char **e = watcher; *e; e++) {
        config = config || strcmp(*e, "PROVIDER_PACKET_OPT_config_file=/c.yaml") == 0;
        assert_null(strstr(*e, "OPT_packet_url"));
    }
    assert_true(url && config);
    environment_free(gateway);
    environment_free(watcher);
}

/* What our parent left open, and what we opened without CLOEXEC by mistake, stays here. */
static void test_descriptors(void **unused)
{
    int leak = dup(s.null), high = fcntl(s.null, F_DUPFD, 200);

    (void)unused;
    write_worker("ls -l /proc/$$/fd | sed -n 's/.* \\([0-9]*\\) -> .*/fd \\1/p'; readlink /proc/$$/fd/0");
    char *text = born(), wrong[16];
    assert_true(has_line(text, "/dev/null"));
    snprintf(wrong, sizeof wrong, "fd %d", leak);
    assert_false(leak > 10 && has_line(text, wrong));
    snprintf(wrong, sizeof wrong, "fd %d", high);
    assert_false(has_line(text, wrong));
    free(text);
    close(leak);
    close(high);
}

static void test_signals_and_session(void **unused)
{
    sigset_t block, before;

    (void)unused;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, &before);
    signal(SIGPIPE, SIG_IGN);
    write_worker("grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/$$/status; set -- $(cat /proc/$$/stat); "
                 "[ \"$6\" = $$ ] && echo leads its session");
    char *text = born();
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    assert_true(has_line(text, "SigBlk:\t0000000000000000"));
    assert_true(has_line(text, "NoNewPrivs:\t1"));
    assert_true(has_line(text, "leads its session"));
    const char *ignored = strstr(text, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & (1ull << (SIGPIPE - 1)), 0);
    free(text);
}

/* fork worked, exec did not: no child is left, and the next try may work. */
static void test_exec_failure(void **unused)
{
    (void)unused;
    assert_int_equal(spawn_child(&s, WORKER, 0, 78), -1); /* no such program */
    write_worker("true");
    chmod(in_home("worker"), 0644);
    assert_int_equal(spawn_child(&s, WORKER, 0, 79), -1);
    FILE *f = fopen(in_home("worker"), "w");
    fprintf(f, "no program at all");
    fclose(f);
    chmod(in_home("worker"), 0755);
    assert_int_equal(spawn_child(&s, WORKER, 0, 80), -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* ---- how deaths are told */

static void test_status_text(void **unused)
{
    char text[STATUS_TEXT_MAX];

    (void)unused;
    status_text(EXIT_ORPHANED << 8, text, sizeof text);
    assert_string_equal(text, "exit 66: its supervisor is gone");
    status_text(SIGSEGV, text, sizeof text);
    assert_string_equal(text, "SIGSEGV");
    status_text(SIGABRT | 0x80, text, sizeof text);
    assert_string_equal(text, "SIGABRT (core dumped)");
}

/* ---- the runtime directory */

static mode_t mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void leave_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void test_runtime_dir_is_made_and_removed(void **unused)
{
    struct runtime_dir dir, second;

    (void)unused;
    assert_int_equal(runtime_dir_open(&dir, in_home("dir")), 0);
    assert_int_equal(mode_of(in_home("dir")), 0700);
    assert_int_equal(runtime_dir_open(&second, in_home("dir")), EXIT_SOCKET); /* somebody lives there */
    runtime_dir_close(&second);
    assert_int_equal(mode_of(in_home("dir")), 0700);
    runtime_dir_close(&dir);
    assert_int_equal(access(in_home("dir"), F_OK), -1);
}

static void test_runtime_dir_of_a_dead_predecessor(void **unused)
{
    struct runtime_dir dir;

    (void)unused;
    mkdir(in_home("dir"), 0700);
    leave_socket(in_home("dir/" ENDPOINT_BUS));
    fclose(fopen(in_home("dir/supervisor.lock"), "w")); /* its lock died with it */
    assert_int_equal(runtime_dir_open(&dir, in_home("dir")), 0);
    assert_int_equal(access(in_home("dir/" ENDPOINT_BUS), F_OK), -1);
    runtime_dir_close(&dir);
    assert_int_equal(access(in_home("dir"), F_OK), 0); /* not made by us, not removed by us */
    assert_int_equal(access(in_home("dir/supervisor.lock"), F_OK), -1);
}

static void test_runtime_dir_open_to_others(void **unused)
{
    struct runtime_dir dir;

    (void)unused;
    mkdir(in_home("dir"), 0700);
    chmod(in_home("dir"), 0755);
    fclose(fopen(in_home("dir/file"), "w"));
    assert_int_equal(runtime_dir_open(&dir, in_home("dir")), EXIT_SOCKET); /* is somebody's */
    assert_int_equal(mode_of(in_home("dir")), 0755);
    unlink(in_home("dir/file"));
    chmod(in_home("dir"), 01777);
    assert_int_equal(runtime_dir_open(&dir, in_home("dir")), EXIT_SOCKET); /* like /tmp */
    chmod(in_home("dir"), 0755);
    assert_int_equal(runtime_dir_open(&dir, in_home("dir")), 0); /* empty: closed to others */
    assert_int_equal(mode_of(in_home("dir")), 0700);
    runtime_dir_close(&dir);
}

static void test_runtime_dir_too_long(void **unused)
{
    struct runtime_dir dir;
    char path[SUPERVISOR_DIR_MAX + 2];

    (void)unused;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(runtime_dir_open(&dir, path), EXIT_SOCKET);
    runtime_dir_close(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options_reach_the_right_child, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signals_and_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exec_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runtime_dir_is_made_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runtime_dir_of_a_dead_predecessor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runtime_dir_open_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runtime_dir_too_long, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
