/* tests/unit/test_proto_syscalls.c -- shows that the list of system calls fits arm64 too, of which there is
 * no kernel here: libseccomp writes each role's filter for that machine, and the program in it is run by hand
 * on arm64's calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/confine.h"
#include "proto/contract.h"

#define NET       (WATCHER | GATEWAY)
#define EVERYBODY (NET | WORKER | EXPORTER)
#define FOLDER    7 /* in which a recording is made */
#define PROGRAM   4096

static const unsigned roles[] = {WATCHER, GATEWAY, WORKER, EXPORTER};
#define N_ROLES (sizeof roles / sizeof roles[0])

struct program {
    struct sock_filter line[PROGRAM];
    size_t n;
};

static struct program arm64[N_ROLES];

/* ---- what the kernel does with the program */

static bool jumps(const struct sock_filter *line, uint32_t a)
{
    switch (BPF_OP(line->code)) {
    case BPF_JEQ: return a == line->k;
    case BPF_JGT: return a > line->k;
    case BPF_JGE: return a >= line->k;
    case BPF_JSET: return (a & line->k) != 0;
    default: fail_msg("a jump of kind %#x", line->code); return false;
    }
}

static uint32_t run(const struct program *program, const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t at = 0; at < program->n; at++) {
        const struct sock_filter *line = &program->line[at];

        if (line->code == (BPF_LD | BPF_W | BPF_ABS))
            memcpy(&a, (const char *)data + line->k, sizeof a);
        else if (line->code == (BPF_ALU | BPF_AND | BPF_K))
            a &= line->k;
        else if (line->code == (BPF_RET | BPF_K))
            return line->k;
        else if (line->code == (BPF_JMP | BPF_JA))
            at += line->k;
        else if (BPF_CLASS(line->code) == BPF_JMP)
            at += jumps(line, a) ? line->jt : line->jf;
        else
            fail_msg("an instruction %#x", line->code);
    }
    fail_msg("the program has no end");
    return 0;
}

static uint32_t judged(size_t role, const char *call, uint64_t first, uint64_t second, uint64_t third,
                       uint64_t fourth)
{
    int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, call);
    const struct seccomp_data data = {
        .nr = number, .arch = AUDIT_ARCH_AARCH64, .args = {first, second, third, fourth}};

    if (number < 0)
        fail_msg("arm64 has no %s", call);
    return run(&arm64[role], &data) & SECCOMP_RET_ACTION_FULL;
}

/* ---- what is asked of it */

/* What the programs and their libraries need on arm64, as its C library makes the calls: where other machines
 * have open, poll, epoll_wait, select, stat, access, readlink, unlink and pipe, it has only the newer ones.
 */
static const struct {
    const char *call;
    unsigned allowed, refused; /* roles; the others are ended for it */
    uint64_t args[4];
} wanted[] = {
    {"ppoll", EVERYBODY, 0, {0}},
    {"epoll_pwait", EVERYBODY, 0, {0}},
    {"epoll_ctl", EVERYBODY, 0, {0}},
    {"pselect6", EVERYBODY, 0, {0}},
    {"futex", EVERYBODY, 0, {0}},
    {"read", EVERYBODY, 0, {0}},
    {"write", EVERYBODY, 0, {0}},
    {"close", EVERYBODY, 0, {0}},
    {"writev", EVERYBODY, 0, {0}},
    {"lseek", EVERYBODY, 0, {0}},
    {"fcntl", EVERYBODY, 0, {0, F_GETFL}},
    {"fcntl", EVERYBODY, 0, {0, F_SETFL}},
    {"fcntl", 0, 0, {0, F_SETOWN}},
    {"getsockopt", EVERYBODY, 0, {0}},
    {"setsockopt", EVERYBODY, 0, {0}},
    {"getsockname", EVERYBODY, 0, {0}},
    {"getpeername", EVERYBODY, 0, {0}},
    {"sendto", EVERYBODY, 0, {0}},
    {"recvfrom", EVERYBODY, 0, {0}},
    {"sendmsg", EVERYBODY, 0, {0}},
    {"recvmsg", EVERYBODY, 0, {0}},
    {"eventfd2", EVERYBODY, 0, {0}},
    {"getpid", EVERYBODY, 0, {0}},
    {"gettid", EVERYBODY, 0, {0}},
    {"getrandom", EVERYBODY, 0, {0}},
    {"clock_gettime", EVERYBODY, 0, {0}},
    {"brk", EVERYBODY, 0, {0}},
    {"munmap", EVERYBODY, 0, {0}},
    {"mremap", EVERYBODY, 0, {0}},
    {"madvise", EVERYBODY, 0, {0}},
    {"rt_sigaction", EVERYBODY, 0, {0}},
    {"rt_sigprocmask", EVERYBODY, 0, {0}},
    {"rt_sigreturn", EVERYBODY, 0, {0}},
    {"exit", EVERYBODY, 0, {0}},
    {"exit_group", EVERYBODY, 0, {0}},
    {"fstat", EVERYBODY, 0, {0}},
    {"newfstatat", EVERYBODY, 0, {0, 0, 0, AT_EMPTY_PATH}}, /* fstat() */
    {"newfstatat", NET, WORKER | EXPORTER, {0}},            /* stat() */
    {"openat", NET, WORKER | EXPORTER, {(uint32_t)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC}},
    {"openat", 0, WORKER | EXPORTER, {(uint32_t)AT_FDCWD, 0, O_WRONLY | O_CREAT}},
    {"faccessat", NET, WORKER | EXPORTER, {0}},
    {"faccessat2", NET, WORKER | EXPORTER, {0}},
    {"readlinkat", NET, WORKER | EXPORTER, {0}},
    {"unlinkat", NET, WORKER | EXPORTER, {0}},
    {"getdents64", NET, WORKER | EXPORTER, {0}},
    {"pipe2", NET, 0, {0}},
    {"socket", NET, 0, {0}},
    {"connect", NET, 0, {0}},
    {"accept", NET | EXPORTER, 0, {0}},
    {"accept4", NET | EXPORTER, 0, {0}},
    {"sendfile", EXPORTER, 0, {0}},
    {"mmap", EVERYBODY, 0, {0, 0, PROT_READ | PROT_WRITE}},
    {"mprotect", EVERYBODY, 0, {0, 0, PROT_READ | PROT_WRITE}},
    {"mmap", 0, EVERYBODY, {0, 0, PROT_READ | PROT_EXEC}},
    {"mprotect", 0, EVERYBODY, {0, 0, PROT_EXEC}},
    {"clone3", 0, EVERYBODY, {0}}, /* the C library then tries clone */
    {"clone", NET, 0, {CLONE_VM | CLONE_THREAD}},
    {"clone", 0, 0, {CLONE_VM}},
    {"prctl", EVERYBODY, 0, {PR_SET_NAME}},
    {"prctl", 0, 0, {PR_SET_DUMPABLE}},
    {"tgkill", 0, 0, {1}},
    {"kill", 0, 0, {1}},
    {"execve", 0, 0, {0}},
    {"execveat", 0, 0, {0}},
    {"ptrace", 0, 0, {0}},
    {"process_vm_readv", 0, 0, {0}},
    {"pidfd_getfd", 0, 0, {0}},
    {"setuid", 0, 0, {0}},
    {"mount", 0, 0, {0}},
    {"bpf", 0, 0, {0}},
    {"io_uring_setup", 0, 0, {0}},
};

static void the_list_fits_arm64(void **state)
{
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        for (size_t k = 0; k < N_ROLES; k++) {
            const uint64_t *args = wanted[i].args;
            uint32_t got = judged(k, wanted[i].call, args[0], args[1], args[2], args[3]);
            uint32_t right = wanted[i].allowed & roles[k]   ? SECCOMP_RET_ALLOW
                             : wanted[i].refused & roles[k] ? SECCOMP_RET_ERRNO
                                                            : SECCOMP_RET_TRAP;
            if (got == right)
                continue;
            print_error("arm64: %s of %s (row %zu): %#x, not %#x\n", wanted[i].call, role_name(roles[k]), i,
                        got, right);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

/* What is allowed here by an old name must be allowed there by the name that took its place. */
static void what_arm64_lacks_has_a_successor(void **state)
{
    static const char *const pairs[][2] = {
        {"poll", "ppoll"},         {"epoll_wait", "epoll_pwait"}, {"select", "pselect6"},
        {"open", "openat"},        {"stat", "newfstatat"},        {"lstat", "newfstatat"},
        {"access", "faccessat"},   {"readlink", "readlinkat"},    {"unlink", "unlinkat"},
        {"time", "clock_gettime"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_true(seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, pairs[i][0]) < 0);
        assert_true(seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, pairs[i][1]) >= 0);
        /* with O_RDONLY, of AT_FDCWD, of no flags: never the end of a process on the net */
        assert_int_equal(judged(0, pairs[i][1], (uint32_t)AT_FDCWD, 0, O_RDONLY, 0), SECCOMP_RET_ALLOW);
        assert_int_equal(judged(1, pairs[i][1], (uint32_t)AT_FDCWD, 0, O_RDONLY, 0), SECCOMP_RET_ALLOW);
    }
}

/* abort() and the end of a fatal signal. */
static void a_process_may_end_itself(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_ROLES; k++)
        assert_int_equal(judged(k, "tgkill", (uint64_t)getpid(), 0, 0, 0), SECCOMP_RET_ALLOW);
}

/* A program of 32 bits, or of another machine, gets no call through. */
static void another_machine_is_refused(void **state)
{
    const struct seccomp_data data = {.nr = 0, .arch = AUDIT_ARCH_ARM};

    (void)state;
    for (size_t k = 0; k < N_ROLES; k++)
        assert_int_not_equal(run(&arm64[k], &data), SECCOMP_RET_ALLOW);
}

static void write_program(struct program *to, const struct confinement *keep, unsigned role)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(confine_program(keep, role, SCMP_ARCH_AARCH64, fileno(file)), 0);
    rewind(file);
    to->n = fread(to->line, sizeof to->line[0], PROGRAM, file);
    fclose(file);
    assert_in_range(to->n, 10, PROGRAM - 1);
}

static int prepare(void **state)
{
    const struct confinement keep = {.n_read = 0};

    (void)state;
    for (size_t k = 0; k < N_ROLES; k++)
        write_program(&arm64[k], &keep, roles[k]);
    return 0;
}

/* With a folder for recordings a worker makes files there, and nowhere else. */
static void a_recording_is_made_in_its_folder(void **state)
{
    const struct confinement keep = {.write = FOLDER};
    static struct program own;
    struct program before = arm64[2];

    (void)state;
    write_program(&own, &keep, WORKER);
    arm64[2] = own;
    uint32_t there = judged(2, "openat", FOLDER, 0, O_WRONLY | O_CREAT, 0);
    uint32_t elsewhere = judged(2, "openat", FOLDER + 1, 0, O_WRONLY | O_CREAT, 0);
    arm64[2] = before;
    assert_int_equal(there, SECCOMP_RET_ALLOW);
    assert_int_equal(elsewhere, SECCOMP_RET_ERRNO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_fits_arm64),
        cmocka_unit_test(what_arm64_lacks_has_a_successor),
        cmocka_unit_test(a_process_may_end_itself),
        cmocka_unit_test(another_machine_is_refused),
        cmocka_unit_test(a_recording_is_made_in_its_folder),
    };

    if (SANITIZED_BUILD) {
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
            printf("skipped, built with sanitizers: %s\n", tests[i].name);
        return 0;
    }
    return cmocka_run_group_tests(tests, prepare, NULL);
}
