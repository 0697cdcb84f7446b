/* tests/e2e/saboteur.c -- gets between a child of the supervisor and its libraries, so that any role can be
 * made to fail in any way, from inside and in its work loop: by a signal with a number (sigqueue), and by
 * what a JSON text says. In the supervisor it makes fork() fail. The program knows nothing of it.
 * It is loaded before everything else (LD_PRELOAD, by a wrapper that saboteur.py puts in the child's place);
 * where the libraries are inside the program it is linked with the same objects (--wrap, the Makefile). */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <zmq.h>

enum { NOTHING, EXIT, SPIN, LEAK, FLOOD_VALID, FLOOD_GARBAGE };

#define FRAMES 20000

#ifdef LINKED
#define OURS(name)   __wrap_##name
#define THEIRS(name) __real_##name
#define BOTH(name)   __typeof__(name) __wrap_##name, __real_##name
BOTH(zmq_poll);
BOTH(zmq_msg_send);
BOTH(zmq_send);
BOTH(json_loadb);
#else
#define OURS(name)   name
#define THEIRS(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#endif

static volatile sig_atomic_t wish;

/* The frame that was sent last through each socket, with its address. */
static struct {
    void *socket;
    zmq_msg_t parts[2];
    int n, begun;
} sent[4];

static void on_wish(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    wish = info->si_value.sival_int;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_sigaction = on_wish, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR2, &action, NULL);
    unsetenv("LD_PRELOAD");
}

static int send_again(zmq_msg_t *part, void *socket, int garbage, int flags)
{
    zmq_msg_t copy;

    if (garbage) {
        zmq_msg_init_size(&copy, 64);
        memset(zmq_msg_data(&copy), 0xc1, 64);
    } else {
        zmq_msg_init(&copy);
        zmq_msg_copy(&copy, part);
    }
    int rc = THEIRS(zmq_msg_send)(&copy, socket, flags);
    if (rc < 0)
        zmq_msg_close(&copy);
    return rc;
}

/* To everybody: the last frame again and again, or garbage in its place. */
static void flood(int garbage)
{
    for (int i = 0; i < FRAMES; i++)
        for (size_t s = 0; s < sizeof sent / sizeof sent[0]; s++)
            for (int k = 0; k < sent[s].n; k++) {
                int last = k == sent[s].n - 1;

                if (send_again(&sent[s].parts[k], sent[s].socket, garbage && last,
                               ZMQ_DONTWAIT | (last ? 0 : ZMQ_SNDMORE)) < 0)
                    break;
            }
}

static void leak(void)
{
    for (;;) {
        char *block = malloc(1 << 20);

        if (!block)
            abort(); /* as base/alloc.c ends it */
        memset(block, 1, 1 << 20);
    }
}

static void come_true(void)
{
    int what = wish;

    wish = NOTHING;
    if (what == EXIT)
        _exit(1);
    while (what == SPIN)
        ;
    if (what == LEAK)
        leak();
    if (what == FLOOD_VALID || what == FLOOD_GARBAGE)
        flood(what == FLOOD_GARBAGE);
}

int OURS(zmq_poll)(zmq_pollitem_t *items, int n, long timeout)
{
    if (wish)
        come_true();
    int got = THEIRS(zmq_poll)(items, n, timeout);
    if (wish)
        come_true();
    return got < 0 && errno == EINTR ? 0 : got;
}

#ifndef LINKED
/* Fails with the number in the file that SABOTEUR_FORK names, while there is such a file. */
pid_t fork(void)
{
    const char *path = getenv("SABOTEUR_FORK");
    FILE *f = path ? fopen(path, "re") : NULL;
    int error = 0;

    if (!f)
        return THEIRS(fork)();
    if (fscanf(f, "%d", &error) != 1)
        error = ENOSYS;
    fclose(f);
    errno = error;
    return -1;
}
#endif

static void keep(zmq_msg_t *part, void *socket, int more)
{
    for (size_t s = 0; s < sizeof sent / sizeof sent[0]; s++) {
        if (sent[s].socket && sent[s].socket != socket)
            continue;
        sent[s].socket = socket;
        if (sent[s].begun < 2) {
            if (sent[s].n == 0)
                zmq_msg_init(&sent[s].parts[sent[s].begun]);
            zmq_msg_copy(&sent[s].parts[sent[s].begun], part);
        }
        sent[s].begun++;
        if (!more) {
            sent[s].n = sent[s].begun < 2 ? sent[s].begun : 2;
            sent[s].begun = 0;
        }
        return;
    }
}

int OURS(zmq_msg_send)(zmq_msg_t *msg, void *socket, int flags)
{
    keep(msg, socket, flags & ZMQ_SNDMORE);
    return THEIRS(zmq_msg_send)(msg, socket, flags);
}

/* The address before a frame. */
int OURS(zmq_send)(void *socket, const void *bytes, size_t len, int flags)
{
    zmq_msg_t part;

    zmq_msg_init_size(&part, len);
    memcpy(zmq_msg_data(&part), bytes, len);
    keep(&part, socket, flags & ZMQ_SNDMORE);
    zmq_msg_close(&part);
    return THEIRS(zmq_send)(socket, bytes, len, flags);
}

/* A bug in the reader of JSON. */
json_t *OURS(json_loadb)(const char *text, size_t len, size_t flags, json_error_t *error)
{
    static const char poison[] = "e2e/kill-the-reader";

    if (memmem(text, len, poison, sizeof poison - 1))
        raise(SIGSEGV);
    return THEIRS(json_loadb)(text, len, flags, error);
}
