/* tests/unit/test_proto_bus_ends.c -- shows the connecting side of the bus, and what may
 * be an endpoint (design 12.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "proto/bus.h"
#include "tests/unit/test_proto_samples.h"
#include "tests/unit/test_proto_spawn.h"

#define WATCHER_INCARNATION 5
#define WORKER_INCARNATION  9

/* Listens as the watcher and answers one frame of the worker whose pid is argv[3] with REPLY. */
static int play_watcher(char **argv)
{
    struct bus_peer worker = {
        .role = WORKER, .incarnation = WORKER_INCARNATION, .pid = strtoull(argv[3], NULL, 10)};
    struct msg_reply reply = {.job = 1, .seq = 2, .code = 200};
    struct inbound in;
    enum verdict verdict;

    if (bus_listen(&bus, argv[2], ENDPOINT_JOBS, WATCHER, WATCHER_INCARNATION, WORKER) != 0)
        return 10;
    bus_peer_add(&bus, &worker);
    if (!next_frame(&bus, &in, &verdict) || verdict != FRAME_OK)
        return 11;
    const struct envelope envelope = {.correlation = in.message.envelope.correlation};
    int rc = bus_send(&bus, in.from.incarnation, MSG_REPLY, &reply, &envelope);
    inbound_close(&in);
    if (rc != 0)
        return 12;
    pause();
    return 0;
}

/* The listener is another process that is about to start; who finds none tries no second time by itself. */
static void connect_when_it_listens(void)
{
    for (int ms = 0; ms < SPAWN_WAIT_MS; ms += 100) {
        assert_int_equal(bus_connect(&bus, dir, ENDPOINT_JOBS, WORKER, WORKER_INCARNATION, WATCHER), 0);
        if (bus_wait(&bus, 100) == 0)
            return;
        bus_close(&bus);
    }
    fail_msg("nobody listens");
}

static void connect_to_watcher(bool with_right_pid, enum verdict wanted)
{
    char me[24];
    const char *args[] = {"watcher", dir, me, NULL};
    struct msg_idle idle = {.jobs_done = 4};
    struct inbound in;
    enum verdict verdict;

    snprintf(me, sizeof(me), "%d", getpid());
    pid_t pid = spawn_part(args, environ, -1);
    struct bus_peer watcher = {.role = WATCHER,
                               .incarnation = WATCHER_INCARNATION,
                               .pid = (uint64_t)(with_right_pid ? pid : getpid())};
    connect_when_it_listens();
    bus_peer_add(&bus, &watcher);
    assert_int_equal(bus_send(&bus, WATCHER_INCARNATION, MSG_IDLE, &idle, NULL), 0);
    assert_true(next_frame(&bus, &in, &verdict));
    assert_int_equal(verdict, wanted);
    if (verdict == FRAME_OK) {
        assert_int_equal(in.message.spec->id, MSG_REPLY);
        assert_int_equal(in.message.envelope.correlation, ((uint64_t)WORKER_INCARNATION << 32) + 1);
    }
    inbound_close(&in);
    spawn_kill(pid);
}

static void the_listener_is_known_by_its_pid(void **state)
{
    (void)state;
    connect_to_watcher(true, FRAME_OK);
}

static void a_strange_listener_is_refused(void **state)
{
    (void)state;
    connect_to_watcher(false, FRAME_STRANGER);
}

static void without_connection_nothing_is_sent(void **state)
{
    struct bus_peer watcher = {.role = WATCHER, .incarnation = WATCHER_INCARNATION, .pid = 1};
    struct msg_idle idle = {.jobs_done = 4};

    (void)state;
    assert_int_equal(bus_connect(&bus, dir, ENDPOINT_JOBS, WORKER, WORKER_INCARNATION, WATCHER), 0);
    bus_peer_add(&bus, &watcher);
    assert_int_equal(bus_wait(&bus, 1), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(bus_send(&bus, WATCHER_INCARNATION, MSG_IDLE, &idle, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(bus_send(&bus, WATCHER_INCARNATION + 1, MSG_IDLE, &idle, NULL), -1);
    assert_int_equal(errno, EHOSTUNREACH);
}

static void only_sockets_are_replaced(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/%s", dir, ENDPOINT_JOBS);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(bus_listen(&bus, dir, ENDPOINT_JOBS, WATCHER, WATCHER_INCARNATION, WORKER), -1);
    assert_int_equal(errno, EEXIST);
    unlink(path);
    assert_int_equal(bus_listen(&bus, dir, ENDPOINT_JOBS, WATCHER, WATCHER_INCARNATION, WORKER), 0);
    struct bus old = bus;
    assert_int_equal(bus_listen(&bus, dir, ENDPOINT_JOBS, WATCHER, WATCHER_INCARNATION + 1, WORKER), 0);
    bus_close(&old);
}

static void impossible_endpoints_are_errors(void **state)
{
    char deep[200];

    (void)state;
    memset(deep, 'd', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(bus_listen(&bus, deep, ENDPOINT_JOBS, WATCHER, 5, WORKER), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(bus_connect(&bus, deep, ENDPOINT_JOBS, WORKER, 9, WATCHER), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(bus_listen(&bus, "/nonexistent", ENDPOINT_JOBS, WATCHER, 5, WORKER), -1);
    assert_int_equal(errno, ENOENT);
    assert_null(bus.sock);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, open_dir, clean_up)

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(the_listener_is_known_by_its_pid),   IN_DIR(a_strange_listener_is_refused),
        IN_DIR(without_connection_nothing_is_sent), IN_DIR(only_sockets_are_replaced),
        IN_DIR(impossible_endpoints_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    zsys_handler_set(NULL);
    zsys_set_linger(0);
    log_open("test", LEVEL_DEBUG, false);
    if (argc > 1 && strcmp(argv[1], "watcher") == 0)
        return play_watcher(argv);
    return run_all();
}
