/* tests/e2e/bad_worker.c -- the worker itself, but one that does what an object's annotation "e2e/misbehave"
 * says instead of its job: a bug, or whoever has taken it over. Linked with --wrap for the two functions
 * below; nothing of the program knows of it. Put in the worker's place by cases_blame.py. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/bus.h"
#include "proto/pack.h"
#include "worker/core/worker.h"

static struct bus *to_watcher, *to_gateway;

int __real_bus_connect(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
                       uint64_t my_incarnation, unsigned peer_roles);
int __wrap_bus_connect(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
                       uint64_t my_incarnation, unsigned peer_roles);
void __real_worker_core_message(struct worker_core *core, unsigned from, const struct message *message,
                                struct instant now);
void __wrap_worker_core_message(struct worker_core *core, unsigned from, const struct message *message,
                                struct instant now);

int __wrap_bus_connect(struct bus *bus, const char *dir, const char *endpoint, unsigned my_role,
                       uint64_t my_incarnation, unsigned peer_roles)
{
    if (strcmp(endpoint, ENDPOINT_JOBS) == 0)
        to_watcher = bus;
    if (strcmp(endpoint, ENDPOINT_CALLS) == 0)
        to_gateway = bus;
    return __real_bus_connect(bus, dir, endpoint, my_role, my_incarnation, peer_roles);
}

static void flood(struct bus *bus, size_t size, int frames)
{
    char *bytes = x_calloc(1, size);

    memset(bytes, 0xc1, size);
    for (int i = 0; i < frames; i++)
        zmq_send(zsock_resolve(bus->sock), bytes, size, ZMQ_DONTWAIT);
    free(bytes);
}

static void eat(void)
{
    for (;;)
        memset(x_malloc(1 << 20), 1, 1 << 20);
}

static void spin(void)
{
    for (volatile unsigned long n = 0;; n++)
        ;
}

static void crash(void)
{
    volatile uintptr_t nowhere = 0;

    *(volatile int *)nowhere = 1;
}

/* ---- taken over: 0 when it could, else -1 */

static int open_file(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static int make_file(void)
{
    return open("/tmp/made-by-a-worker", O_WRONLY | O_CREAT, 0600);
}

static int make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int run_program(void)
{
    char word[] = "true", *const words[] = {word, NULL};

    return execv("/bin/true", words);
}

static int make_process(void)
{
    return fork();
}

static int kill_group(void)
{
    return kill(-1, SIGKILL);
}

static int kill_parent(void)
{
    return kill(getppid(), SIGKILL);
}

static int trace_parent(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int read_parent(void)
{
    char word[8];
    struct iovec here = {word, sizeof word}, there = {word, sizeof word};

    return (int)process_vm_readv(getppid(), &here, 1, &there, 1, 0);
}

static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static const struct {
    const char *word;
    int (*attempt)(void);
} attempts[] = {
    {"open-file", open_file},     {"make-file", make_file},       {"make-socket", make_socket},
    {"run-program", run_program}, {"make-process", make_process}, {"kill-all", kill_group},
    {"kill-parent", kill_parent}, {"trace-parent", trace_parent}, {"read-parent", read_parent},
    {"make-code", make_code},
};

/* If it survives that, it goes on with its job. */
static void attempt(struct span how)
{
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        if (span_is(how, attempts[i].word))
            log_info("tried what is forbidden", F_STR("what", attempts[i].word),
                     F_STR("result", attempts[i].attempt() < 0 ? "refused" : "done"));
}

/* In the name of the worker that came after it: its job is done. */
static void forge(const struct message *job)
{
    const struct msg_done done = {.job = job->body.job.job, .result = 0, .summary = SPAN("forged")};
    struct envelope envelope = {.from = job->envelope.to + 1, .to = job->envelope.from};
    msgpack_sbuffer frame;

    msgpack_sbuffer_init(&frame);
    if (msg_encode(&envelope, MSG_DONE, &done, &frame) != 0)
        abort();
    for (int i = 0; i < 10; i++)
        zmq_send(zsock_resolve(to_watcher->sock), frame.data, frame.size, ZMQ_DONTWAIT);
    msgpack_sbuffer_destroy(&frame);
}

/* A write to an object of which it has no job, or to a part of its own object that is not its business. */
static void write_what_is_not_its(const struct message *job, bool own)
{
    struct value object = job->body.job.object;
    struct envelope envelope = {
        .from = job->envelope.to, .to = job->envelope.from, .correlation = 1, .epoch = job->envelope.epoch};
    msgpack_sbuffer frame;
    struct pack body;

    pack_open(&body);
    pack_map(&body, 1);
    pack_text(&body, own ? "spec" : "status");
    pack_map(&body, 1);
    pack_text(&body, own ? "region" : "phase");
    pack_text(&body, "taken over");
    const struct msg_patch patch = {.job = job->body.job.job + (own ? 0 : 1),
                                    .seq = 1000,
                                    .target = !own,
                                    .resource_version =
                                        value_text(value_at(object, "metadata", "resourceVersion", NULL)),
                                    .body = pack_result(&body)};
    msgpack_sbuffer_init(&frame);
    if (msg_encode(&envelope, MSG_PATCH, &patch, &frame) != 0)
        abort();
    zmq_send(zsock_resolve(to_watcher->sock), frame.data, frame.size, ZMQ_DONTWAIT);
    msgpack_sbuffer_destroy(&frame);
    pack_close(&body);
    log_info("tried what is forbidden", F_STR("what", own ? "write-a-field" : "write-another"),
             F_STR("result", "sent"));
}

/* Returns whether the job was misused. */
static bool misbehave(const struct message *message)
{
    struct span how =
        value_text(value_at(message->body.job.object, "metadata", "annotations", "e2e/misbehave", NULL));

    attempt(how);
    if (span_is(how, "write-a-field") || span_is(how, "write-another"))
        write_what_is_not_its(message, span_is(how, "write-a-field"));
    if (span_is(how, "crash"))
        crash();
    else if (span_is(how, "exit"))
        _exit(1);
    else if (span_is(how, "abort"))
        abort();
    else if (span_is(how, "spin"))
        spin();
    else if (span_is(how, "stop"))
        raise(SIGSTOP);
    else if (span_is(how, "eat"))
        eat();
    else if (span_is(how, "garbage-to-watcher"))
        flood(to_watcher, 100, 50);
    else if (span_is(how, "garbage-to-gateway"))
        flood(to_gateway, 100, 50);
    else if (span_is(how, "forge"))
        forge(message);
    else if (span_is(how, "big-frames"))
        flood(to_watcher, PROTO_FRAME_MAX + 1, 1);
    else
        return false;
    return true;
}

void __wrap_worker_core_message(struct worker_core *core, unsigned from, const struct message *message,
                                struct instant now)
{
    if (message->spec->id == MSG_JOB && misbehave(message))
        return;
    __real_worker_core_message(core, from, message, now);
}
