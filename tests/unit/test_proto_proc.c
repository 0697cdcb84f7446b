/* tests/unit/test_proto_proc.c -- shows a child's whole life against a real bus, and that whoever is not the
 * supervisor's child ends at once with the right code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "proto/proc.h"
#include "tests/unit/test_proto_spawn.h"

#define INCARNATION 7

/* ---- the child */

/* The rest: test_proto_confine. */
static const char *confinement(mode_t mask)
{
    struct rlimit core;

    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
        return "core";
    return mask == 077 ? "confined" : "umask";
}

static int play_child(void)
{
    struct proc proc;
    struct pollfd wait = {.events = POLLIN};
    char long_text[2 * LIMIT_TEXT];

    proc_enter(&proc, WORKER);
    mode_t mask = umask(077);
    proc_connect(&proc);
    proc_confine(&proc);
    if (proc_next_signal(&proc) != 0)
        return 1;
    proc_say_ready(&proc);
    memset(long_text, 'w', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    proc_beat(&proc, confinement(mask), proc_option("packet-url"), UINT64_MAX, (struct value){NULL, 0});
    proc_beat(&proc, "two\r\nlines", NULL, 0, (struct value){NULL, 0});
    proc_beat(&proc, long_text, NULL, proc_option_true("webhook"), (struct value){NULL, 0});
    wait.fd = proc.signals;
    poll(&wait, 1, SPAWN_WAIT_MS);
    return proc_leave(&proc, proc_next_signal(&proc) == SIGTERM ? EXIT_LEASE_LOST : EXIT_BUG, "was\tasked");
}

/* ---- the supervisor */

enum { ROLE, SLOT, ID, PARENT, RUNTIME, URL, HOOK, VARIABLES };

/* NULL leaves a variable out. */
static void make_environment(char **environment)
{
    environment[ROLE] = x_strdup(ENV_ROLE "=worker");
    environment[SLOT] = x_strdup(ENV_SLOT "=3");
    environment[ID] = x_asprintf(ENV_INCARNATION "=%d", INCARNATION);
    environment[PARENT] = x_asprintf(ENV_SUPERVISOR_PID "=%d", getpid());
    environment[RUNTIME] = x_asprintf(ENV_RUNTIME_DIR "=%s", dir);
    environment[URL] = x_strdup(ENV_OPTION_PREFIX "packet_url=https://api.example");
    environment[HOOK] = x_strdup(ENV_OPTION_PREFIX "webhook=true");
    environment[VARIABLES] = NULL;
}

static void free_environment(char **environment)
{
    for (int i = 0; i < VARIABLES; i++)
        free(environment[i]);
}

static pid_t start_child(int changed, const char *value)
{
    static const char *const args[] = {"child", NULL};
    char *environment[VARIABLES + 1];

    make_environment(environment);
    if (value) {
        free(environment[changed]);
        environment[changed] = x_strdup(value);
    }
    pid_t pid = spawn_part(args, environment, -1);
    free_environment(environment);
    return pid;
}

static void take(struct inbound *in, enum msg_id id)
{
    enum verdict verdict;

    assert_true(next_frame(&bus, in, &verdict));
    assert_int_equal(verdict, FRAME_OK);
    assert_int_equal(in->message.spec->id, id);
    assert_int_equal(in->from.incarnation, INCARNATION);
}

static void a_whole_life(void **state)
{
    pid_t pid = start_child(ROLE, NULL);
    struct bus_peer peer = {.role = WORKER, .slot = 3, .incarnation = INCARNATION, .pid = (uint64_t)pid};
    struct inbound in;

    (void)state;
    bus_peer_add(&bus, &peer);
    take(&in, MSG_READY);
    assert_true(in.message.body.ready.version.len > 0);
    inbound_close(&in);
    take(&in, MSG_BEAT);
    assert_true(span_is(in.message.body.beat.doing, "confined"));
    assert_true(span_is(in.message.body.beat.key, "https://api.example"));
    assert_int_equal(in.message.body.beat.busy_ms, LIMIT_MS);
    inbound_close(&in);
    take(&in, MSG_BEAT);
    assert_true(span_is(in.message.body.beat.doing, "two  lines"));
    assert_null(in.message.body.beat.key.p);
    inbound_close(&in);
    take(&in, MSG_BEAT);
    assert_int_equal(in.message.body.beat.doing.len, LIMIT_TEXT);
    assert_int_equal(in.message.body.beat.busy_ms, 1);
    inbound_close(&in);
    kill(pid, SIGTERM);
    take(&in, MSG_LEAVING);
    assert_int_equal(in.message.body.leaving.code, EXIT_LEASE_LOST);
    assert_true(span_is(in.message.body.leaving.reason, "was asked"));
    inbound_close(&in);
    assert_int_equal(spawn_wait(pid), EXIT_LEASE_LOST);
}

static void nothing_goes_to_stdout(void **state)
{
    static const char *const args[] = {"child", NULL};
    char *environment[VARIABLES + 1];
    struct inbound in;
    enum verdict verdict;
    int ends[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    make_environment(environment);
    pid_t pid = spawn_part(args, environment, ends[1]);
    free_environment(environment);
    close(ends[1]);
    assert_true(next_frame(&bus, &in, &verdict));
    inbound_close(&in);
    kill(pid, SIGTERM);
    assert_int_equal(spawn_wait(pid), EXIT_LEASE_LOST);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void broken_environments_end_it(void **state)
{
    static const struct {
        int variable;
        const char *value;
        int code;
    } broken[] = {
        {ROLE, "OTHER=1", EXIT_FLAGS},
        {ROLE, ENV_ROLE "=watcher", EXIT_FLAGS},
        {SLOT, ENV_SLOT "=", EXIT_FLAGS},
        {SLOT, ENV_SLOT "=-1", EXIT_FLAGS},
        {ID, ENV_INCARNATION "=1", EXIT_FLAGS},
        {ID, ENV_INCARNATION "=7x", EXIT_FLAGS},
        {ID, ENV_INCARNATION "=4294967296", EXIT_FLAGS},
        {ID, ENV_INCARNATION "=99999999999999999999999", EXIT_FLAGS},
        {PARENT, "OTHER=1", EXIT_FLAGS},
        {PARENT, ENV_SUPERVISOR_PID "=1", EXIT_ORPHANED},
        {RUNTIME, ENV_RUNTIME_DIR "=relative", EXIT_FLAGS},
        {RUNTIME, "OTHER=1", EXIT_FLAGS},
        {HOOK, ENV_CLOCK "=yesterday", EXIT_FLAGS},
        {HOOK, ENV_CLOCK "=0", EXIT_FLAGS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_int_equal(spawn_wait(start_child(broken[i].variable, broken[i].value)), broken[i].code);
}

static int open_bus(void **state)
{
    return open_dir(state) ||
           bus_listen(&bus, dir, ENDPOINT_BUS, SUPERVISOR, SUPERVISOR_INCARNATION, WORKER | WATCHER);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_life, open_bus, clean_up),
        cmocka_unit_test_setup_teardown(nothing_goes_to_stdout, open_bus, clean_up),
        cmocka_unit_test_setup_teardown(broken_environments_end_it, open_bus, clean_up),
    };

    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return play_child();
    zsys_handler_set(NULL);
    zsys_set_linger(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
