/* tests/unit/test_proto_spawn.h -- lets a test program be its own other process: it executes itself with the
 * name of a part to play. A fork alone would not do, as ZeroMQ's threads do not survive one. */
#ifndef TESTS_UNIT_TEST_PROTO_SPAWN_H
#define TESTS_UNIT_TEST_PROTO_SPAWN_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/bus.h"

#define SPAWN_ARGS_MAX 8
#define SPAWN_LIFETIME 60 /* seconds: a part that hangs ends itself */
#define SPAWN_WAIT_MS  20000

/* args: the part and what it needs, NULL-terminated. out: becomes the part's stdout, or -1. */
static inline pid_t spawn_part(const char *const *args, char *const *environment, int out)
{
    char *argv[SPAWN_ARGS_MAX + 2] = {(char *)"part"};

    for (int i = 0; i < SPAWN_ARGS_MAX && args[i]; i++)
        argv[i + 1] = (char *)args[i];
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        alarm(SPAWN_LIFETIME);
        if (out >= 0)
            dup2(out, STDOUT_FILENO);
        execve("/proc/self/exe", argv, environment);
        _exit(127);
    }
    return pid;
}

/* The exit code, or -1 for a signal. */
static inline int spawn_wait(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        return -2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int spawn_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    return spawn_wait(pid);
}

static char dir[64];   /* a runtime directory of the test's own */
static struct bus bus; /* the socket under test */

static inline bool next_frame(struct bus *b, struct inbound *in, enum verdict *verdict)
{
    zmq_pollitem_t item = {.socket = zsock_resolve(b->sock), .events = ZMQ_POLLIN};

    zmq_poll(&item, 1, SPAWN_WAIT_MS);
    return bus_receive(b, in, verdict);
}

static inline int open_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test-proto-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static inline int clean_up(void **state)
{
    static const char *const names[] = {ENDPOINT_JOBS, ENDPOINT_CONTROL, ENDPOINT_BUS};
    char path[128];

    (void)state;
    if (bus.sock)
        bus_close(&bus);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

#endif
