/* base/blackbox.c -- the writer's side of the box. Nothing here allocates, blocks or fails. Called by log.c,
 * proto/proc.c and the roles. */
#include "base/blackbox.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

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

/* By which system call the confinement was broken (proto/syscalls.c). */
static void write_call(int number)
{
    char line[] = "system call     is not allowed\n";
    char *digit = line + sizeof "system call     " - 2;

    for (int n = number; n > 0 && digit > line + sizeof "system call " - 2; n /= 10)
        *--digit = (char)('0' + n % 10);
    if (write(box_fd, line, sizeof line - 1) < 0)
        return;
}

struct frames {
    void *at[FRAMES_MAX];
    int n;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *arg)
{
    struct frames *frames = arg;

    if (frames->n == FRAMES_MAX)
        return _URC_END_OF_STACK;
    frames->at[frames->n++] = (void *)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

/* Only async-signal-safe calls. Not glibc's backtrace(), which loads libgcc_s: the lean programs have the
 * unwinder inside. */
static void on_fatal(int signo, siginfo_t *info, void *context)
{
    struct frames frames = {.n = 0};

    (void)context;
    _Unwind_Backtrace(add_frame, &frames);
    if (lseek(box_fd, (off_t)offsetof(struct blackbox, trace), SEEK_SET) >= 0) {
        if (signo == SIGSYS)
            write_call(info->si_syscall);
        backtrace_symbols_fd(frames.at, frames.n, box_fd);
    }
    raise(signo); /* blocked until we return, and by then it has its own effect again */
}

void blackbox_catch(void)
{
    static char stack[STACK_OF_SIGNAL]; /* a stack that has overflowed is of no use */
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_fatal,
                               .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK | SA_SIGINFO)};
    struct frames frames = {.n = FRAMES_MAX};

    if (!box)
        return;
    _Unwind_Backtrace(add_frame, &frames); /* what is resolved or looked up at its first call is so now */
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
