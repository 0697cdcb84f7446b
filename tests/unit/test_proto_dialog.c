/* tests/unit/test_proto_dialog.c -- shows both ends of the control socket: who is there, what is taken, what
 * is refused, and that nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/contract.h"
#include "proto/dialog.h"

static char dir[64], path[96];
static int listener, client, server;
static uint8_t buffer[DIALOG_FRAME_MAX];

static int open_both(void **state)
{
    pid_t pid;
    uid_t uid;

    (void)state;
    strcpy(dir, "/tmp/test-dialog-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/" ENDPOINT_CONTROL, dir);
    listener = dialog_listen(dir, 1);
    client = dialog_connect(dir, 200);
    server = dialog_accept(listener, &pid, &uid);
    assert_true(listener >= 0 && client >= 0 && server >= 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(uid, getuid());
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    close(client);
    close(server);
    close(listener);
    unlink(path);
    return rmdir(dir);
}

static void a_question_and_its_answer(void **state)
{
    const struct msg_ask_status ask = {.verbose = 1};
    const struct msg_stopping answer = {.within_ms = 25000};
    struct message message;
    enum verdict verdict;

    (void)state;
    assert_int_equal(dialog_receive(server, CONTROL, SUPERVISOR, buffer, sizeof buffer, &message, &verdict),
                     0);
    assert_int_equal(dialog_send(client, 0, SUPERVISOR_INCARNATION, MSG_ASK_STATUS, &ask, 77), 0);
    assert_int_equal(dialog_receive(server, CONTROL, SUPERVISOR, buffer, sizeof buffer, &message, &verdict),
                     1);
    assert_int_equal(verdict, FRAME_OK);
    assert_int_equal(message.body.ask_status.verbose, 1);
    assert_int_equal(message.envelope.correlation, 77);
    assert_int_equal(dialog_send(server, SUPERVISOR_INCARNATION, 0, MSG_STOPPING, &answer, 77), 0);
    assert_int_equal(dialog_receive(client, SUPERVISOR, CONTROL, buffer, sizeof buffer, &message, &verdict),
                     1);
    assert_int_equal(verdict, FRAME_OK);
    assert_int_equal(message.body.stopping.within_ms, 25000);
}

static void what_is_refused(void **state)
{
    struct message message;
    enum verdict verdict;

    (void)state;
    assert_int_equal(send(client, "garbage", 7, 0), 7);
    assert_int_equal(dialog_receive(server, CONTROL, SUPERVISOR, buffer, sizeof buffer, &message, &verdict),
                     1);
    assert_int_not_equal(verdict, FRAME_OK);
    memset(buffer, 0xc1, 5000);
    assert_int_equal(send(client, buffer, 5000, 0), 5000);
    assert_int_equal(dialog_receive(server, CONTROL, SUPERVISOR, buffer, 4096, &message, &verdict), 1);
    assert_int_equal(verdict, FRAME_TOO_BIG);
    close(client);
    client = -1;
    assert_int_equal(dialog_receive(server, CONTROL, SUPERVISOR, buffer, sizeof buffer, &message, &verdict),
                     -1);
}

static void nobody_waits_for_ever(void **state)
{
    const struct msg_stopping answer = {.within_ms = 1};
    struct message message;
    enum verdict verdict;
    int rc = 0;

    (void)state;
    assert_int_equal(dialog_receive(client, SUPERVISOR, CONTROL, buffer, sizeof buffer, &message, &verdict),
                     0);
    for (int i = 0; i < 100000 && rc == 0; i++)
        rc = dialog_send(server, SUPERVISOR_INCARNATION, 0, MSG_STOPPING, &answer, 1);
    assert_int_equal(rc, -1);
    assert_int_equal(errno, EAGAIN);
    close(client);
    client = -1;
    assert_int_equal(dialog_send(server, SUPERVISOR_INCARNATION, 0, MSG_STOPPING, &answer, 1), -1);
}

static void who_comes_when_the_queue_is_full(void **state)
{
    int waiting[8], n = 0;

    (void)state;
    while (n < 8 && (waiting[n] = dialog_connect(dir, 100)) >= 0)
        n++;
    assert_true(n < 8);
    assert_int_equal(errno, EAGAIN);
    while (n > 0)
        close(waiting[--n]);
}

static void only_sockets_are_replaced(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    close(listener);
    listener = dialog_listen(dir, 1);
    assert_true(listener >= 0);
    unlink(path);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(dialog_listen(dir, 1), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(dialog_connect(dir, 100), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)
    const struct CMUnitTest tests[] = {
        WITH(a_question_and_its_answer),        WITH(what_is_refused),           WITH(nobody_waits_for_ever),
        WITH(who_comes_when_the_queue_is_full), WITH(only_sockets_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
