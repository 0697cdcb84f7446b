/* proto/syscalls.c -- the system calls that each role has a use for once it is READY, as one table. What is
 * not in it ends the process with SIGSYS; its crash record names the call's number. Called by proc.c.
 * Reasons for the conditions stand beside them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/confine.h"
#include "proto/contract.h"

#define ON_NET    (WATCHER | GATEWAY)
#define EVERYBODY (WATCHER | GATEWAY | WORKER | EXPORTER)

static const struct {
    int call;
    unsigned roles;
} allowed[] = {
    /* waiting, time */
    {SCMP_SYS(poll), EVERYBODY},
    {SCMP_SYS(ppoll), EVERYBODY},
    {SCMP_SYS(epoll_wait), EVERYBODY},
    {SCMP_SYS(epoll_pwait), EVERYBODY},
    {SCMP_SYS(epoll_ctl), EVERYBODY},
    {SCMP_SYS(epoll_create1), ON_NET | EXPORTER},
    {SCMP_SYS(select), EVERYBODY},
    {SCMP_SYS(pselect6), EVERYBODY},
    {SCMP_SYS(futex), EVERYBODY},
    {SCMP_SYS(clock_gettime), EVERYBODY},
    {SCMP_SYS(clock_getres), EVERYBODY},
    {SCMP_SYS(clock_nanosleep), EVERYBODY},
    {SCMP_SYS(nanosleep), EVERYBODY},
    {SCMP_SYS(gettimeofday), EVERYBODY},
    {SCMP_SYS(time), EVERYBODY},
    {SCMP_SYS(sched_yield), EVERYBODY},
    {SCMP_SYS(restart_syscall), EVERYBODY},
    /* what is open already */
    {SCMP_SYS(read), EVERYBODY},
    {SCMP_SYS(readv), EVERYBODY},
    {SCMP_SYS(write), EVERYBODY},
    {SCMP_SYS(writev), EVERYBODY},
    {SCMP_SYS(lseek), EVERYBODY},
    {SCMP_SYS(close), EVERYBODY},
    {SCMP_SYS(recvfrom), EVERYBODY},
    {SCMP_SYS(recvmsg), EVERYBODY},
    {SCMP_SYS(sendto), EVERYBODY},
    {SCMP_SYS(sendmsg), EVERYBODY},
    {SCMP_SYS(shutdown), EVERYBODY},
    {SCMP_SYS(getsockopt), EVERYBODY},
    {SCMP_SYS(setsockopt), EVERYBODY},
    {SCMP_SYS(getsockname), EVERYBODY},
    {SCMP_SYS(getpeername), EVERYBODY},
    {SCMP_SYS(eventfd2), EVERYBODY},
    {SCMP_SYS(accept4), ON_NET | EXPORTER},
    {SCMP_SYS(accept), ON_NET | EXPORTER},
    {SCMP_SYS(sendfile), EXPORTER},
    /* memory (mmap and mprotect: below) */
    {SCMP_SYS(brk), EVERYBODY},
    {SCMP_SYS(munmap), EVERYBODY},
    {SCMP_SYS(mremap), EVERYBODY},
    {SCMP_SYS(madvise), EVERYBODY},
    /* itself */
    {SCMP_SYS(getpid), EVERYBODY},
    {SCMP_SYS(gettid), EVERYBODY},
    {SCMP_SYS(getppid), EVERYBODY},
    {SCMP_SYS(getuid), EVERYBODY},
    {SCMP_SYS(geteuid), EVERYBODY},
    {SCMP_SYS(getgid), EVERYBODY},
    {SCMP_SYS(getegid), EVERYBODY},
    {SCMP_SYS(getrandom), EVERYBODY},
    {SCMP_SYS(getrusage), EVERYBODY},
    {SCMP_SYS(uname), EVERYBODY},
    {SCMP_SYS(sysinfo), EVERYBODY},
    {SCMP_SYS(sched_getaffinity), EVERYBODY},
    {SCMP_SYS(sched_getscheduler), EVERYBODY},
    {SCMP_SYS(sched_getparam), EVERYBODY},
    {SCMP_SYS(rt_sigaction), EVERYBODY},
    {SCMP_SYS(rt_sigprocmask), EVERYBODY},
    {SCMP_SYS(rt_sigreturn), EVERYBODY},
    {SCMP_SYS(sigaltstack), EVERYBODY},
    {SCMP_SYS(set_robust_list), EVERYBODY},
    {SCMP_SYS(rseq), EVERYBODY},
    {SCMP_SYS(membarrier), EVERYBODY},
    {SCMP_SYS(exit), EVERYBODY},
    {SCMP_SYS(exit_group), EVERYBODY},
    /* the network, and files of which Landlock says which */
    {SCMP_SYS(socket), ON_NET},
    {SCMP_SYS(socketpair), ON_NET},
    {SCMP_SYS(connect), ON_NET},
    {SCMP_SYS(bind), ON_NET}, /* netlink, to learn of addresses; TCP: Landlock */
    {SCMP_SYS(sendmmsg), ON_NET},
    {SCMP_SYS(recvmmsg), ON_NET},
    {SCMP_SYS(pipe2), ON_NET},
    {SCMP_SYS(unlink), ON_NET},
    {SCMP_SYS(unlinkat), ON_NET},
    {SCMP_SYS(newfstatat), ON_NET},
    {SCMP_SYS(statx), ON_NET},
    {SCMP_SYS(access), ON_NET},
    {SCMP_SYS(faccessat), ON_NET},
    {SCMP_SYS(faccessat2), ON_NET},
    {SCMP_SYS(readlink), ON_NET},
    {SCMP_SYS(readlinkat), ON_NET},
    {SCMP_SYS(getdents64), ON_NET},
    {SCMP_SYS(pread64), ON_NET},
    {SCMP_SYS(getcwd), ON_NET},
    {SCMP_SYS(fstat), EVERYBODY},
#ifdef SANITIZED
    /* What reports of ASan, UBSan and LSan need: maps, symbols by another program, a tracer of its own. */
    {SCMP_SYS(openat), EVERYBODY},
    {SCMP_SYS(open), EVERYBODY},
    {SCMP_SYS(newfstatat), EVERYBODY},
    {SCMP_SYS(stat), EVERYBODY},
    {SCMP_SYS(readlink), EVERYBODY},
    {SCMP_SYS(getdents64), EVERYBODY},
    {SCMP_SYS(pread64), EVERYBODY},
    {SCMP_SYS(getdents), EVERYBODY},
    {SCMP_SYS(getrlimit), EVERYBODY},
    {SCMP_SYS(pipe), EVERYBODY},
    {SCMP_SYS(ioctl), EVERYBODY},
    {SCMP_SYS(pipe2), EVERYBODY},
    {SCMP_SYS(clone), EVERYBODY},
    {SCMP_SYS(fork), EVERYBODY},
    {SCMP_SYS(wait4), EVERYBODY},
    {SCMP_SYS(ptrace), EVERYBODY},
    {SCMP_SYS(prctl), EVERYBODY},
    {SCMP_SYS(tgkill), EVERYBODY},
    {SCMP_SYS(kill), EVERYBODY},
    {SCMP_SYS(tkill), EVERYBODY},
    {SCMP_SYS(fcntl), EVERYBODY},
    {SCMP_SYS(dup), EVERYBODY},
    {SCMP_SYS(dup2), EVERYBODY},
    {SCMP_SYS(execve), EVERYBODY},
    {SCMP_SYS(setrlimit), EVERYBODY},
    {SCMP_SYS(sched_setscheduler), EVERYBODY},
    {SCMP_SYS(prlimit64), EVERYBODY},
    {SCMP_SYS(socket), EVERYBODY},
    {SCMP_SYS(connect), EVERYBODY},
    {SCMP_SYS(arch_prctl), EVERYBODY},
#endif
};

/* Libraries try these and go on without: told that it is not permitted, they do. The C library looks at
 * /proc/sys/vm/overcommit_memory when a thread's heap shrinks. clone3: ENOSYS makes it fall back to clone,
 * whose flags can be looked at. For roles that may not do it anyway. */
static const struct {
    int call, error;
} answered[] = {
    {SCMP_SYS(open), EPERM},       {SCMP_SYS(openat2), ENOSYS},   {SCMP_SYS(stat), EPERM},
    {SCMP_SYS(lstat), EPERM},      {SCMP_SYS(statx), EPERM},      {SCMP_SYS(access), EPERM},
    {SCMP_SYS(faccessat), EPERM},  {SCMP_SYS(readlink), EPERM},   {SCMP_SYS(readlinkat), EPERM},
    {SCMP_SYS(faccessat2), EPERM}, {SCMP_SYS(unlink), EPERM},     {SCMP_SYS(unlinkat), EPERM},
    {SCMP_SYS(clone3), ENOSYS},    {SCMP_SYS(getdents64), EPERM},
};

#define NOT_PERMITTED SCMP_ACT_ERRNO(EPERM)
/* Of argument n. */
#define IS(n, value)         SCMP_A##n(SCMP_CMP_EQ, value, 0)
#define IS_NOT(n, value)     SCMP_A##n(SCMP_CMP_NE, value, 0)
#define BITS(n, mask, value) SCMP_A##n(SCMP_CMP_MASKED_EQ, mask, value)

#define ALLOW_IF(filter, call, ...) seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(call), __VA_ARGS__)

#define REFUSE_IF(filter, call, ...) seccomp_rule_add(filter, NOT_PERMITTED, SCMP_SYS(call), __VA_ARGS__)

/* No page becomes code: what is loaded now is all that ever runs. */
static int allow_memory(scmp_filter_ctx filter)
{
    return ALLOW_IF(filter, mmap, 1, BITS(2, PROT_EXEC, 0)) |
           ALLOW_IF(filter, mprotect, 1, BITS(2, PROT_EXEC, 0)) |
           REFUSE_IF(filter, mmap, 1, BITS(2, PROT_EXEC, PROT_EXEC)) |
           REFUSE_IF(filter, mprotect, 1, BITS(2, PROT_EXEC, PROT_EXEC));
}

/* Its own threads and descriptors. */
static int allow_self(scmp_filter_ctx filter)
{
    const scmp_datum_t me = (scmp_datum_t)getpid();

    return ALLOW_IF(filter, tgkill, 1, IS(0, me)) | /* abort(), the end of a fatal signal */
           ALLOW_IF(filter, prctl, 1, IS(0, PR_SET_NAME)) |
           ALLOW_IF(filter, prlimit64, 1, IS(2, 0)) | /* to look */
           /* ZeroMQ's threads, when they begin: they ask for what they have */
           ALLOW_IF(filter, sched_setscheduler, 1, IS(1, SCHED_OTHER)) |
           ALLOW_IF(filter, ioctl, 1, IS(1, FIONBIO)) | ALLOW_IF(filter, ioctl, 1, IS(1, FIONREAD)) |
           ALLOW_IF(filter, fcntl, 1, IS(1, F_GETFL)) | ALLOW_IF(filter, fcntl, 1, IS(1, F_SETFL)) |
           ALLOW_IF(filter, fcntl, 1, IS(1, F_GETFD)) | ALLOW_IF(filter, fcntl, 1, IS(1, F_SETFD));
}

/* On the net names are resolved by threads, and files are read, of which Landlock says which. Elsewhere only
 * a recording is made; the C library's fstat() is newfstatat. */
static int allow_files(scmp_filter_ctx filter, const struct confinement *keep, unsigned role)
{
    const scmp_datum_t folder = (scmp_datum_t)keep->write;

    if (role & ON_NET)
        return ALLOW_IF(filter, clone, 1, BITS(0, CLONE_THREAD, CLONE_THREAD)) |
               ALLOW_IF(filter, openat, 1, BITS(2, O_ACCMODE | O_CREAT, O_RDONLY)) |
               ALLOW_IF(filter, open, 1, BITS(1, O_ACCMODE | O_CREAT, O_RDONLY));
    return ALLOW_IF(filter, newfstatat, 1, IS(3, AT_EMPTY_PATH)) |
           REFUSE_IF(filter, newfstatat, 1, IS_NOT(3, AT_EMPTY_PATH)) |
           (folder
                ? ALLOW_IF(filter, openat, 1, IS(0, folder)) | REFUSE_IF(filter, openat, 1, IS_NOT(0, folder))
                : REFUSE_IF(filter, openat, 0));
}

static int allow_helper(scmp_filter_ctx filter, scmp_datum_t helper)
{
    return ALLOW_IF(filter, kill, 1, IS(0, helper)) | ALLOW_IF(filter, wait4, 1, IS(0, helper)) |
           ALLOW_IF(filter, pidfd_open, 1, IS(0, helper));
}

static bool always_allowed(int call, unsigned role)
{
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (allowed[i].call == call && (allowed[i].roles & role))
            return true;
    return false;
}

static int fill(scmp_filter_ctx filter, const struct confinement *keep, unsigned role)
{
    int bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) | allow_memory(filter);

    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (allowed[i].roles & role)
            bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i].call, 0);
    for (size_t i = 0; i < sizeof answered / sizeof answered[0]; i++)
        if (!always_allowed(answered[i].call, role) &&
            !(answered[i].call == SCMP_SYS(open) && (role & ON_NET)))
            bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)answered[i].error), answered[i].call, 0);
    if (!SANITIZED_BUILD)
        bad |= allow_self(filter) | allow_files(filter, keep, role);
    return bad | (keep->helper ? allow_helper(filter, (scmp_datum_t)keep->helper) : 0);
}

/* The filter for the machine arch (SCMP_ARCH_...). A call that this machine has and the other one has not is
 * left out there. NULL with errno when it cannot be made. */
static scmp_filter_ctx make(const struct confinement *keep, unsigned role, uint32_t arch)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int bad = filter ? 0 : -ENOMEM;

    if (filter && arch != seccomp_arch_native())
        bad = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE) | seccomp_arch_add(filter, arch);
    if (bad == 0)
        bad = fill(filter, keep, role);
    if (bad == 0)
        return filter;
    if (filter)
        seccomp_release(filter);
    errno = bad < 0 ? -bad : EINVAL;
    return NULL;
}

/* 0, or -1 with errno from what libseccomp returned. */
static int result(int error)
{
    errno = -error;
    return error ? -1 : 0;
}

int confine_syscalls(const struct confinement *keep, unsigned role)
{
    scmp_filter_ctx filter = make(keep, role, seccomp_arch_native());

    if (!filter)
        return -1;
    int error = seccomp_load(filter);
    seccomp_release(filter);
    return result(error);
}

int confine_program(const struct confinement *keep, unsigned role, uint32_t arch, int fd)
{
    scmp_filter_ctx filter = make(keep, role, arch);

    if (!filter)
        return -1;
    int error = seccomp_export_bpf(filter, fd);
    seccomp_release(filter);
    return result(error);
}
