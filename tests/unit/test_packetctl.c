/* tests/unit/test_packetctl.c -- packetctl's conversation with a small supervisor made for the test: a
 * process that answers one question on a real control socket. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "packetctl/packetctl.h"
#include "proto/dialog.h"
#include "proto/pack.h"

static char dir[64];

static int set_up(void **unused)
{
    (void)unused;
    strcpy(dir, "/tmp/packetctl-test-XXXXXX");
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **unused)
{
    char path[96];

    (void)unused;
    snprintf(path, sizeof path, "%s/" ENDPOINT_CONTROL, dir);
    unlink(path);
    return rmdir(dir);
}

/* ---- the conversation */

static void write_gateway(struct pack *p)
{
    static const struct {
        const char *name;
        uint64_t n;
    } gauges[] = {
        {"calls_under_way", 3}, {"deletes_waiting", 1}, {"creates_waiting", 8}, {"reads_waiting", 4},
        {"budget", 2},          {"credentials", 2},     {"refused", 5},         {"probes", 6},
        {"rate_milli", 9750},   {"pause_ms", 1250},     {"api_silent_ms", 0},   {"credentials_paused", 1},
    };
    const size_t n = sizeof gauges / sizeof gauges[0];

    pack_map(p, 2);
    pack_text(p, "role");
    pack_text(p, "packet-gateway");
    pack_text(p, "gauges");
    pack_map(p, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        pack_text(p, gauges[i].name);
        pack_uint(p, gauges[i].n);
    }
}

static void write_processes(struct pack *p)
{
    pack_open(p);
    pack_array(p, 3);
    pack_map(p, 8);
    pack_text(p, "role");
    pack_text(p, "worker");
    pack_text(p, "slot");
    pack_uint(p, 3);
    pack_text(p, "pid");
    pack_uint(p, 4711);
    pack_text(p, "incarnation");
    pack_uint(p, 9);
    pack_text(p, "state");
    pack_text(p, "ready");
    pack_text(p, "uptimeSeconds");
    pack_uint(p, 3725);
    pack_text(p, "restarts");
    pack_uint(p, 2);
    pack_text(p, "doing");
    pack_text(p, "bell\007 and \033[31mred");
    pack_map(p, 4);
    pack_text(p, "role");
    pack_text(p, "watcher");
    pack_text(p, "state");
    pack_text(p, "backoff");
    pack_text(p, "lastExit");
    pack_text(p, "SIGKILL");
    pack_text(p, "nextStartMs");
    pack_uint(p, 1500);
    write_gateway(p);
}

static void answer_status(int fd)
{
    struct pack processes;

    write_processes(&processes);
    struct msg_status status = {.version = SPAN("1.2.3"),
                                .pid = 42,
                                .uptime_ms = 61000,
                                .ready = 1,
                                .processes = pack_result(&processes)};
    dialog_send(fd, SUPERVISOR_INCARNATION, 0, MSG_STATUS, &status, 1);
    pack_close(&processes);
}

/* The small supervisor: answers one question and ends. */
static _Noreturn void supervise(int ready, bool dies)
{
    uint8_t buffer[4096];
    struct message message;
    enum verdict verdict;
    int listener = dialog_listen(dir, 1);

    if (listener < 0 || fcntl(listener, F_SETFL, 0) != 0 || write(ready, "r", 1) != 1)
        _exit(1);
    int fd = accept(listener, NULL, NULL);
    if (dialog_receive(fd, CONTROL, SUPERVISOR, buffer, sizeof buffer, &message, &verdict) != 1)
        _exit(1);
    if (dies)
        _exit(0);
    if (verdict == FRAME_OK && message.spec->id == MSG_ASK_STATUS)
        answer_status(fd);
    else if (verdict == FRAME_OK && message.spec->id == MSG_ASK_STOP)
        dialog_send(fd, SUPERVISOR_INCARNATION, 0, MSG_STOPPING, &(struct msg_stopping){.within_ms = 25000},
                    1);
    else
        _exit(2);
    for (;;)
        pause(); /* until the test ends it */
}

static pid_t start_supervisor(bool dies)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0)
        supervise(ready[1], dies);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* Runs one command against the small supervisor. Returns its exit code; what it printed is in *out. */
static int converse_with(bool dies, bool json, enum msg_id question, char *out, size_t size)
{
    struct command_line line = {.json = json,
                                .command = question == MSG_ASK_STOP ? COMMAND_STOP : COMMAND_STATUS};
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    pid_t pid = start_supervisor(dies);
    int code;

    strcpy(line.dir, dir);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    if (question == MSG_ASK_STATUS)
        code = ask(&line, question, &(struct msg_ask_status){0}, MSG_STATUS, show_status);
    else
        code = ask(&line, question, &(struct msg_ask_stop){0}, MSG_STOPPING, show_stopping);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return code;
}

static int converse(bool json, enum msg_id question, char *out, size_t size)
{
    return converse_with(false, json, question, out, size);
}

static void test_status_as_json(void **unused)
{
    char out[4096];

    (void)unused;
    assert_int_equal(converse(true, MSG_ASK_STATUS, out, sizeof out), PACKETCTL_OK);
    json_t *json = json_loads(out, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "version")), "1.2.3");
    assert_int_equal(json_integer_value(json_object_get(json, "pid")), 42);
    assert_int_equal(json_integer_value(json_object_get(json, "uptimeSeconds")), 61);
    assert_true(json_is_true(json_object_get(json, "ready")));
    json_t *first = json_array_get(json_object_get(json, "processes"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "role")), "worker");
    assert_int_equal(json_integer_value(json_object_get(first, "pid")), 4711);
    assert_string_equal(json_string_value(json_object_get(first, "doing")), "bell\007 and \033[31mred");
    json_t *gateway = json_array_get(json_object_get(json, "processes"), 2);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(gateway, "gauges"), "refused")), 5);
    json_decref(json);
}

static void test_status_as_table(void **unused)
{
    char out[4096];

    (void)unused;
    assert_int_equal(converse(false, MSG_ASK_STATUS, out, sizeof out), PACKETCTL_OK);
    assert_non_null(strstr(out, "1.2.3, pid 42, up 1m01s, ready"));
    assert_non_null(strstr(out, "1h02m"));
    assert_non_null(strstr(out, "bell? and ?[31mred"));
    assert_null(strchr(out, '\033')); /* no colour into a file, and none from others ever */
    assert_null(strchr(out, '\007'));
    assert_non_null(strstr(out, "last: SIGKILL; next start in 1.5 s"));
    assert_non_null(
        strstr(out, "Packet API: 3 calls under way; waiting: 1 deletes, 8 creates, 4 reads, 0 drift"));
    assert_non_null(strstr(out, "budget 2 calls, limit found 9.8 calls/s, answered 429: 5 in 6 probes\n"));
    assert_non_null(strstr(out, "told to pause: 1 of 2 credentials, the longest for another 1.2 s\n"));
    assert_null(strstr(out, "no answer"));
}

static void test_stop(void **unused)
{
    char out[256];

    (void)unused;
    assert_int_equal(converse(false, MSG_ASK_STOP, out, sizeof out), PACKETCTL_OK);
    assert_string_equal(out, "stopping, at the latest within 25 s\n");
    assert_int_equal(converse(true, MSG_ASK_STOP, out, sizeof out), PACKETCTL_OK);
    assert_string_equal(out, "{\"stoppingWithinMs\":25000}\n");
}

/* A supervisor with nothing to do ends before packetctl has read its answer: that is what was asked for. */
static void test_end_instead_of_an_answer(void **unused)
{
    char out[256];

    (void)unused;
    assert_int_equal(converse_with(true, false, MSG_ASK_STOP, out, sizeof out), PACKETCTL_OK);
    assert_string_equal(out, "stopped\n");
    assert_int_equal(converse_with(true, true, MSG_ASK_STOP, out, sizeof out), PACKETCTL_OK);
    assert_string_equal(out, "{\"stopped\":true}\n");
    assert_int_equal(converse_with(true, false, MSG_ASK_STATUS, out, sizeof out), PACKETCTL_NOT_THERE);
    assert_string_equal(out, "");
}

/* Nobody there, and a socket whose owner has died: told at once, not waited for. */
static void test_no_supervisor(void **unused)
{
    struct command_line line = {.command = COMMAND_STATUS, .why_there = "from the test"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct msg_ask_status question = {0};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)unused;
    strcpy(line.dir, dir);
    assert_int_equal(ask(&line, MSG_ASK_STATUS, &question, MSG_STATUS, show_status), PACKETCTL_NOT_THERE);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/" ENDPOINT_CONTROL, dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(ask(&line, MSG_ASK_STATUS, &question, MSG_STATUS, show_status), PACKETCTL_NOT_THERE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_supervisor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status_as_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status_as_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_instead_of_an_answer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
