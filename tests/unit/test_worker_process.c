/* tests/unit/test_worker_process.c -- the worker as a process: this program plays its supervisor, watcher and
 * gateway on real sockets. Introductions, a whole job, beats, an ordered end, frames that no sibling sends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "proto/bus.h"
#include "proto/pack.h"
#include "tests/unit/worker_fixtures.h"
#include "tests/unit/worker_json.h"

#define WORKER_INCARNATION  7u
#define WATCHER_INCARNATION 3u
#define GATEWAY_INCARNATION 4u
#define PATIENCE_MS         20000

struct family {
    char dir[32];
    struct bus supervisor, jobs, calls;
    pid_t pid;
};

/* build/<config>/tests/test_worker_process beside build/<config>/libexec/worker. */
static char *worker_path(void)
{
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    assert_true(len > 0);
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    return x_asprintf("%s/../libexec/worker", self);
}

static pid_t start_worker(const struct family *f)
{
    char *path = worker_path();
    char *environment[] = {x_asprintf("%s=worker", ENV_ROLE),
                           x_asprintf("%s=0", ENV_SLOT),
                           x_asprintf("%s=%u", ENV_INCARNATION, WORKER_INCARNATION),
                           x_asprintf("%s=%d", ENV_SUPERVISOR_PID, (int)getpid()),
                           x_asprintf("%s=%s", ENV_RUNTIME_DIR, f->dir),
                           x_asprintf("%slog_level=error", ENV_OPTION_PREFIX),
                           NULL};
    char *argv[] = {path, NULL};
    sigset_t none;

    if (access(path, X_OK) != 0)
        fail_msg("%s is not built", path);
    pid_t pid = fork();
    if (pid == 0) {
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(path, argv, environment);
        _exit(127);
    }
    for (size_t i = 0; environment[i] != NULL; i++)
        free(environment[i]);
    free(path);
    return pid;
}

/* Waits for a frame with this message and no other but beats. Close *in with inbound_close(); it must not be
 * copied, as a small frame lies within it. */
static void next_message(struct bus *bus, enum msg_id id, struct inbound *in)
{
    zmq_pollitem_t item = {.socket = zsock_resolve(bus->sock), .events = ZMQ_POLLIN};
    enum verdict verdict;

    for (;;) {
        if (zmq_poll(&item, 1, PATIENCE_MS) <= 0)
            fail_msg("no %s came", msg_find(id)->name);
        if (!bus_receive(bus, in, &verdict))
            continue;
        if (verdict != FRAME_OK)
            fail_msg("a frame was refused: %s", verdict_name(verdict));
        if (in->message.spec->id == id)
            return;
        if (in->message.spec->id != MSG_BEAT)
            fail_msg("%s instead of %s", in->message.spec->name, msg_find(id)->name);
        inbound_close(in);
    }
}

static void take(struct bus *bus, enum msg_id id)
{
    struct inbound in;

    next_message(bus, id, &in);

    inbound_close(&in);
}

static void say(struct bus *bus, enum msg_id id, const void *body)
{
    struct envelope envelope = {.epoch = 9};

    assert_int_equal(bus_send(bus, WORKER_INCARNATION, id, body, &envelope), 0);
}

static void introduce(struct family *f, unsigned role, uint64_t incarnation)
{
    struct msg_peer peer = {.role = role, .incarnation = incarnation, .pid = (uint64_t)getpid()};

    say(&f->supervisor, MSG_PEER, &peer);
    struct inbound in;
    next_message(&f->supervisor, MSG_PEER_OK, &in);
    assert_int_equal(in.message.body.peer_ok.incarnation, incarnation);
    inbound_close(&in);
}

static void open_family(struct family *f)
{
    struct msg_go go = {.epoch = 9};

    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/test-worker-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    zsys_set_linger(0);
    assert_int_equal(
        bus_listen(&f->supervisor, f->dir, ENDPOINT_BUS, SUPERVISOR, SUPERVISOR_INCARNATION, WORKER), 0);
    assert_int_equal(bus_listen(&f->jobs, f->dir, ENDPOINT_JOBS, WATCHER, WATCHER_INCARNATION, WORKER), 0);
    assert_int_equal(bus_listen(&f->calls, f->dir, ENDPOINT_CALLS, GATEWAY, GATEWAY_INCARNATION, WORKER), 0);
    f->pid = start_worker(f);
    struct bus_peer worker = {.role = WORKER, .incarnation = WORKER_INCARNATION, .pid = (uint64_t)f->pid};
    bus_peer_add(&f->supervisor, &worker);
    bus_peer_add(&f->jobs, &worker);
    bus_peer_add(&f->calls, &worker);
    take(&f->supervisor, MSG_READY);
    introduce(f, WATCHER, WATCHER_INCARNATION);
    introduce(f, GATEWAY, GATEWAY_INCARNATION);
    say(&f->supervisor, MSG_GO, &go);
    take(&f->jobs, MSG_IDLE);
}

static int exit_code(struct family *f)
{
    int status = 0;

    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void close_family(struct family *f)
{
    static const char *const names[] = {ENDPOINT_BUS, ENDPOINT_JOBS, ENDPOINT_CALLS};
    char path[128];

    bus_close(&f->supervisor);
    bus_close(&f->jobs);
    bus_close(&f->calls);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    rmdir(f->dir);
}

static void pack_object(struct pack *p, const char *version)
{
    char *text = x_asprintf(
        "{'metadata':{'name':'infrastructure','namespace':'shoot--foo--bar','uid':'u','generation':2,"
        "'resourceVersion':'%s'," META_FINALIZED "},'spec':{'sshPublicKey':'" KEY_BASE64
        "'},'status':{" DONE_BEFORE "," FULL_STATE(ID_A, KEY_FP) "}}",
        version);
    json_t *json = json_of(text);

    pack_open(p);
    pack_json(p, json);
    json_decref(json);
    free(text);
}

/* Gives the job and stops where its Processing patch has been sent. */
static struct msg_reply begin_job(struct family *f)
{
    struct pack p;

    pack_object(&p, "1");
    struct msg_job job = {.job = 5,
                          .ns = SPAN("shoot--foo--bar"),
                          .name = SPAN("infrastructure"),
                          .handle = 11,
                          .object = pack_result(&p),
                          .project = SPAN(PROJECT)};
    say(&f->jobs, MSG_JOB, &job);
    pack_close(&p);
    take(&f->jobs, MSG_STARTED);
    struct inbound patch;
    next_message(&f->jobs, MSG_PATCH, &patch);
    struct msg_reply reply = {.job = 5, .seq = patch.message.body.patch.seq, .code = 200};
    assert_int_equal(patch.message.envelope.epoch, 9);
    inbound_close(&patch);
    return reply;
}

/* Answers everything up to DONE. */
static void finish_job(struct family *f, struct msg_reply reply)
{
    json_t *keys = json_of("[" FOUND_OURS(ID_A) "]");
    struct pack object, list;

    pack_object(&object, "2");
    pack_open(&list);
    pack_json(&list, keys);
    json_decref(keys);
    reply.object = pack_result(&object);
    say(&f->jobs, MSG_REPLY, &reply);
    struct inbound search;
    next_message(&f->calls, MSG_SEARCH, &search);
    struct msg_found found = {.seq = search.message.body.search.seq, .keys = pack_result(&list)};
    inbound_close(&search);
    say(&f->calls, MSG_FOUND, &found);
    struct inbound patch;
    next_message(&f->jobs, MSG_PATCH, &patch);
    reply.seq = patch.message.body.patch.seq;
    inbound_close(&patch);
    say(&f->jobs, MSG_REPLY, &reply);
    pack_close(&object);
    pack_close(&list);
    struct inbound done;
    next_message(&f->jobs, MSG_DONE, &done);
    assert_int_equal(done.message.body.done.result, JOB_DONE);
    inbound_close(&done);
}

static void a_job_goes_through_and_sigterm_ends_it_in_order(void **state)
{
    struct family f;
    (void)state;

    open_family(&f);
    finish_job(&f, begin_job(&f));
    take(&f.jobs, MSG_IDLE);
    kill(f.pid, SIGTERM);
    struct inbound leaving;
    next_message(&f.supervisor, MSG_LEAVING, &leaving);
    assert_int_equal(leaving.message.body.leaving.code, EXIT_OK);
    inbound_close(&leaving);
    assert_int_equal(exit_code(&f), EXIT_OK);
    close_family(&f);
}

static void drain_lets_the_job_in_hand_end(void **state)
{
    struct msg_drain drain = {.within_ms = 15000};
    struct family f;
    (void)state;

    open_family(&f);
    struct msg_reply reply = begin_job(&f);
    say(&f.supervisor, MSG_DRAIN, &drain);
    finish_job(&f, reply);
    take(&f.supervisor, MSG_LEAVING);
    assert_int_equal(exit_code(&f), EXIT_OK);
    close_family(&f);
}

static void it_beats_from_its_loop_and_says_what_it_does(void **state)
{
    struct family f;
    (void)state;

    open_family(&f);
    struct inbound beat;
    next_message(&f.supervisor, MSG_BEAT, &beat);
    assert_true(span_is(beat.message.body.beat.doing, "idle"));
    inbound_close(&beat);
    begin_job(&f);
    next_message(&f.supervisor, MSG_BEAT, &beat); /* this one may be older than the job */
    inbound_close(&beat);
    next_message(&f.supervisor, MSG_BEAT, &beat);
    assert_true(span_is(beat.message.body.beat.doing, "patching status to Processing"));
    assert_true(span_is(beat.message.body.beat.key, "shoot--foo--bar/infrastructure"));
    assert_true(beat.message.body.beat.busy_ms > 0);
    inbound_close(&beat);
    kill(f.pid, SIGKILL);
    assert_int_equal(exit_code(&f), -SIGKILL);
    close_family(&f);
}

static void frames_that_no_sibling_sends_end_it(void **state)
{
    struct family f;
    (void)state;

    open_family(&f);
    for (int i = 0; i < 32; i++) {
        zmq_send(zsock_resolve(f.jobs.sock), "7", 1, ZMQ_SNDMORE);
        zmq_send(zsock_resolve(f.jobs.sock), "junk", 4, 0);
    }
    struct inbound leaving;
    next_message(&f.supervisor, MSG_LEAVING, &leaving);
    assert_int_equal(leaving.message.body.leaving.code, EXIT_PROTOCOL);
    inbound_close(&leaving);
    assert_int_equal(exit_code(&f), EXIT_PROTOCOL);
    close_family(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_goes_through_and_sigterm_ends_it_in_order),
        cmocka_unit_test(drain_lets_the_job_in_hand_end),
        cmocka_unit_test(it_beats_from_its_loop_and_says_what_it_does),
        cmocka_unit_test(frames_that_no_sibling_sends_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
