/* base/blackbox.c -- the writer's side of the box. Nothing here allocates, blocks or fails. Called by log.c,
 * proto/proc.c and the roles. */
#include "base/blackbox.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX      48
#define STACK_OF_SIGNAL 16384u

/* A sanitizer has its own report for everything but SIGABRT. */
#ifdef SANITIZED
static const int fatal[] = {SIGABRT};
#else
static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
#endif

static struct blackbox *box;
static int box_fd = -1;

void blackbox_open(int fd)
{
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *box, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    box = at;
    box_fd = fd;
}

/* Only async-signal-safe calls; backtrace() has been called once before and loads nothing any more. */
static void on_fatal(int signo)
{
    void *frames[FRAMES_MAX];
    int n = backtrace(frames, FRAMES_MAX);

    if (lseek(box_fd, (off_t)offsetof(struct blackbox, trace), SEEK_SET) >= 0)
        backtrace_symbols_fd(frames, n, box_fd);
    raise(signo); /* blocked until we return, and by then it has its own effect again */
}

void blackbox_catch(void)
{
    static char stack[STACK_OF_SIGNAL]; /* a stack that has overflowed is of no use */
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};
    void *frame;

    if (!box)
        return;
    backtrace(&frame, 1);
    sigemptyset(&action.sa_mask);
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
}

void blackbox_line(const char *line, size_t len)
{
    if (!box)
        return;
    uint32_t at = box->log_end % BLACKBOX_LOG;

    if (len > BLACKBOX_LOG) {
        line += len - BLACKBOX_LOG;
        len = BLACKBOX_LOG;
    }
    size_t first = len < BLACKBOX_LOG - at ? len : BLACKBOX_LOG - at;
    memcpy(box->log + at, line, first);
    memcpy(box->log, line + first, len - first);
    box->log_end = (uint32_t)((at + len) % BLACKBOX_LOG);
}

static void put(char *to, size_t size, const char *text)
{
    size_t n = text ? strnlen(text, size - 1) : 0;

    if (!text)
        return;
    memcpy(to, text, n);
    to[n] = '\0';
}

void blackbox_about(const char *key, const char *doing)
{
    if (!box)
        return;
    put(box->key, sizeof box->key, key);
    put(box->doing, sizeof box->doing, doing);
}
