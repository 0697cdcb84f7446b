/* tests/e2e/bad_worker.c -- the worker itself, but one that does what an object's annotation "e2e/misbehave"
 * says instead of its job: a bug, or whoever has taken it over. Linked with --wrap for the two functions
 * below; nothing of the program knows of it. Put in the worker's place by cases_blame.py. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "proto/bus.h"
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

/* Returns whether the job was misused. */
static bool misbehave(struct value object)
{
    struct span how = value_text(value_at(object, "metadata", "annotations", "e2e/misbehave", NULL));

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
    else if (span_is(how, "big-frames"))
        flood(to_watcher, PROTO_FRAME_MAX + 1, 1);
    else
        return false;
    return true;
}

void __wrap_worker_core_message(struct worker_core *core, unsigned from, const struct message *message,
                                struct instant now)
{
    if (message->spec->id == MSG_JOB && misbehave(message->body.job.object))
        return;
    __real_worker_core_message(core, from, message, now);
}
