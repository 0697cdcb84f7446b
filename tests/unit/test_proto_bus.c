/* tests/unit/test_proto_bus.c -- shows on real ipc sockets, between real processes, whom a listening socket
 * lets in, whose frames are old, and that nothing undeliverable is lost silently (design 12.3, 12.5, 12.17).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/log.h"
#include "proto/bus.h"
#include "tests/unit/test_proto_samples.h"
#include "tests/unit/test_proto_spawn.h"

#define WATCHER_INCARNATION 5
#define WORKER_INCARNATION  9

/* Says IDLE with a chosen routing id, from, to and number of parts, then waits for a frame. Knows nothing of
 * proto/bus.c, so it can lie. Ends with 0 when a frame came, 3 when none did. */
static int play_worker(char **argv)
{
    void *context = zmq_ctx_new();
    void *sock = zmq_socket(context, ZMQ_DEALER);
    struct envelope e = {.from = strtoull(argv[4], NULL, 10), .to = strtoull(argv[5], NULL, 10)};
    struct msg_idle idle = {.jobs_done = 1};
    int parts = atoi(argv[6]);
    char address[128];
    int one = 1;
    int timeout = SPAWN_WAIT_MS;
    msgpack_sbuffer frame;

    snprintf(address, sizeof(address), "ipc://%s/%s", argv[2], ENDPOINT_JOBS);
    msgpack_sbuffer_init(&frame);
    msg_encode(&e, MSG_IDLE, &idle, &frame);
    zmq_setsockopt(sock, ZMQ_ROUTING_ID, argv[3], strlen(argv[3]));
    zmq_setsockopt(sock, ZMQ_RCVTIMEO, &timeout, sizeof(timeout));
    zmq_setsockopt(sock, ZMQ_RCVHWM, &one, sizeof(one));
    zmq_connect(sock, address);
    for (int i = parts; i > 1; i--)
        zmq_send(sock, frame.data, frame.size, ZMQ_SNDMORE);
    zmq_send(sock, frame.data, frame.size, 0);
    if (strcmp(argv[7], "deaf") == 0)
        pause();
    int rc = zmq_recv(sock, address, sizeof(address), 0) >= 0 ? 0 : 3;
    msgpack_sbuffer_destroy(&frame);
    zmq_close(sock);
    zmq_ctx_term(context);
    return rc;
}

static pid_t start_worker(const char *routing_id, const char *from, const char *to, const char *parts,
                          const char *manner)
{
    const char *args[] = {"worker", dir, routing_id, from, to, parts, manner, NULL};

    return spawn_part(args, environ, -1);
}

static pid_t start_honest_worker(void)
{
    return start_worker("9", "9", "5", "1", "listens");
}

static void know(uint64_t incarnation, pid_t pid)
{
    struct bus_peer peer = {.role = WORKER, .slot = 1, .incarnation = incarnation, .pid = (uint64_t)pid};

    assert_int_equal(bus_peer_add(&bus, &peer), 0);
}

static int open_bus(void **state)
{
    return open_dir(state) || bus_listen(&bus, dir, ENDPOINT_JOBS, WATCHER, WATCHER_INCARNATION, WORKER);
}

/* Takes one frame, shows its verdict, and that anything but FRAME_OK carries no message. */
static struct bus_peer take(enum verdict wanted)
{
    static const union msg_body nothing;
    struct inbound in;
    enum verdict verdict = FRAME_OK;

    assert_true(next_frame(&bus, &in, &verdict));
    if (verdict != wanted)
        fail_msg("%s, not %s", verdict_name(verdict), verdict_name(wanted));
    if (verdict != FRAME_OK)
        assert_memory_equal(&in.message.body, &nothing, sizeof(nothing));
    else
        assert_int_equal(in.message.body.idle.jobs_done, 1);
    inbound_close(&in);
    return in.from;
}

static int send_reply(uint64_t to, size_t size)
{
    struct msg_reply reply = {.job = 1, .seq = 1, .code = 200};

    if (size > 0)
        reply.object = sample_value(SAMPLE_LIMIT, size);
    return bus_send(&bus, to, MSG_REPLY, &reply, NULL);
}

static void a_known_peer_is_heard_and_answered(void **state)
{
    pid_t pid = start_honest_worker();

    (void)state;
    know(WORKER_INCARNATION, pid);
    struct bus_peer from = take(FRAME_OK);
    assert_int_equal(from.role, WORKER);
    assert_int_equal(from.slot, 1);
    assert_int_equal(from.incarnation, WORKER_INCARNATION);
    assert_int_equal(from.pid, pid);
    assert_int_equal(send_reply(WORKER_INCARNATION, 0), 0);
    assert_int_equal(spawn_wait(pid), 0);
    assert_int_equal(bus.received, 1);
    assert_int_equal(bus.sent, 1);
}

static void nothing_to_receive_is_no_frame(void **state)
{
    struct inbound in;
    enum verdict verdict;

    (void)state;
    assert_false(bus_receive(&bus, &in, &verdict));
}

static void a_stranger_is_refused(void **state)
{
    pid_t pid = start_honest_worker();

    (void)state;
    struct bus_peer from = take(FRAME_STRANGER);
    assert_int_equal(from.pid, pid);
    assert_int_equal(from.role, 0);
    assert_int_equal(bus.strangers, 1);
    spawn_kill(pid);
}

static void a_peer_of_another_role_is_a_stranger(void **state)
{
    pid_t pid = start_honest_worker();
    struct bus_peer peer = {.role = EXPORTER, .incarnation = WORKER_INCARNATION, .pid = (uint64_t)pid};

    (void)state;
    bus_peer_add(&bus, &peer);
    take(FRAME_STRANGER);
    spawn_kill(pid);
}

/* The thief has the routing id first; it is neither heard nor told anything. */
static void a_stolen_routing_id_opens_nothing(void **state)
{
    pid_t thief = start_honest_worker();

    (void)state;
    know(WORKER_INCARNATION, getpid());
    take(FRAME_STRANGER);
    assert_int_equal(send_reply(WORKER_INCARNATION, 0), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    spawn_kill(thief);
}

/* A process that is known cannot speak as another one that is known. */
static void a_known_pid_with_a_forged_routing_id_is_a_stranger(void **state)
{
    pid_t pid = start_worker("10", "10", "5", "1", "listens");

    (void)state;
    know(WORKER_INCARNATION, pid);
    know(10, getpid());
    take(FRAME_STRANGER);
    spawn_kill(pid);
}

/* Whom it is from stands in the frame, and the kernel knows better: a lie. Whom it is for may have changed.
 */
static void frames_for_other_incarnations_are_old(void **state)
{
    pid_t wrong_from = start_worker("9", "8", "5", "1", "listens");

    (void)state;
    know(WORKER_INCARNATION, wrong_from);
    take(FRAME_BAD_ENVELOPE);
    spawn_kill(wrong_from);
    pid_t wrong_to = start_worker("12", "12", "4", "1", "listens");
    know(12, wrong_to);
    take(FRAME_OLD_INCARNATION);
    spawn_kill(wrong_to);
    pid_t nobody = start_worker("13", "13", "0", "1", "listens");
    know(13, nobody);
    take(FRAME_OLD_INCARNATION);
    spawn_kill(nobody);
    assert_int_equal(bus.stale, 2);
}

static void late_frames_of_the_dead_are_old(void **state)
{
    pid_t pid = start_honest_worker();

    (void)state;
    know(WORKER_INCARNATION, pid);
    bus_peer_remove(&bus, WORKER_INCARNATION);
    take(FRAME_OLD_INCARNATION);
    assert_int_equal(send_reply(WORKER_INCARNATION, 0), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    spawn_kill(pid);
}

static void too_many_parts_are_drained(void **state)
{
    pid_t bad = start_worker("9", "9", "5", "4", "listens");
    pid_t good;

    (void)state;
    know(WORKER_INCARNATION, bad);
    take(FRAME_BAD_ENVELOPE);
    good = start_worker("10", "10", "5", "1", "listens");
    know(10, good);
    take(FRAME_OK);
    assert_int_equal(bus.refused, 1);
    spawn_kill(bad);
    spawn_kill(good);
}

static void nobody_there_is_said(void **state)
{
    pid_t pid;
    int rc = 0;

    (void)state;
    assert_int_equal(send_reply(WORKER_INCARNATION, 0), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    pid = start_honest_worker();
    know(WORKER_INCARNATION, pid);
    assert_int_equal(send_reply(WORKER_INCARNATION, 0), -1);
    assert_int_equal(errno, EHOSTUNREACH);
    take(FRAME_OK);
    spawn_kill(pid);
    for (int i = 0; i < SPAWN_WAIT_MS && rc == 0; i++) {
        rc = send_reply(WORKER_INCARNATION, 0);
        zclock_sleep(1);
        zmq_pollitem_t item = {.socket = zsock_resolve(bus.sock), .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, 0);
    }
    assert_int_equal(rc, -1);
    assert_true(errno == EHOSTUNREACH || errno == EAGAIN);
    assert_int_equal(bus.undelivered, 3);
}

static void a_full_queue_is_said(void **state)
{
    pid_t pid = start_worker("9", "9", "5", "1", "deaf");
    int rc = 0;

    (void)state;
    know(WORKER_INCARNATION, pid);
    take(FRAME_OK);
    for (int i = 0; i < 5000 && rc == 0; i++)
        rc = send_reply(WORKER_INCARNATION, LIMIT_OBJECT);
    assert_int_equal(rc, -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(bus.undelivered, 1);
    assert_true(bus.sent >= BUS_QUEUE_MAX / 2);
    spawn_kill(pid);
}

static void our_own_error_is_said(void **state)
{
    struct msg_reply reply = {.job = LIMIT_ID + 1ull, .seq = 1};
    pid_t pid = start_honest_worker();

    (void)state;
    know(WORKER_INCARNATION, pid);
    take(FRAME_OK);
    assert_int_equal(bus_send(&bus, WORKER_INCARNATION, MSG_REPLY, &reply, NULL), -1);
    assert_int_equal(errno, EINVAL);
    spawn_kill(pid);
}

#define ON_BUS(test) cmocka_unit_test_setup_teardown(test, open_bus, clean_up)

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        ON_BUS(a_known_peer_is_heard_and_answered),
        ON_BUS(nothing_to_receive_is_no_frame),
        ON_BUS(a_stranger_is_refused),
        ON_BUS(a_peer_of_another_role_is_a_stranger),
        ON_BUS(a_stolen_routing_id_opens_nothing),
        ON_BUS(a_known_pid_with_a_forged_routing_id_is_a_stranger),
        ON_BUS(frames_for_other_incarnations_are_old),
        ON_BUS(late_frames_of_the_dead_are_old),
        ON_BUS(too_many_parts_are_drained),
        ON_BUS(nobody_there_is_said),
        ON_BUS(a_full_queue_is_said),
        ON_BUS(our_own_error_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    zsys_handler_set(NULL);
    zsys_set_linger(0);
    log_open("test", LEVEL_DEBUG, false);
    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        return play_worker(argv);
    return run_all();
}
