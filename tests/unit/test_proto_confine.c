/* tests/unit/test_proto_confine.c -- shows for each role that what is forbidden to it cannot be done, and
 * that what it needs can: each attempt is made by a process of its own that has confined itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/proc.h"

enum fate { DONE, REFUSED, KILLED, OTHER };

static char dir[] = "/tmp/test-confine-XXXXXX";
static char runtime_dir[64], kept_file[64], other_file[64], new_file[64];
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};
static socklen_t abstract_len;

/* ---- attempts: 0, or -1 with errno */

static int read_other(void)
{
    return open(other_file, O_RDONLY);
}

static int read_kept(void)
{
    return open(kept_file, O_RDONLY);
}

static int read_system(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static int write_file(void)
{
    return open(new_file, O_WRONLY | O_CREAT, 0600);
}

static int remove_file(void)
{
    return unlink(other_file);
}

static int make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int listen_tcp(void)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return bind(make_socket(), (const struct sockaddr *)&any, sizeof any);
}

static int call_abstract(void)
{
    return connect(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&abstract, abstract_len);
}

static int run_program(void)
{
    char word[] = "true", *const words[] = {word, NULL};

    return execv("/bin/true", words);
}

static int make_process(void)
{
    return fork() < 0 ? -1 : 0;
}

static void *nothing(void *arg)
{
    return arg;
}

static int make_thread(void)
{
    pthread_t thread;

    errno = pthread_create(&thread, NULL, nothing, NULL);
    return errno ? -1 : 0;
}

static int signal_parent(void)
{
    return kill(getppid(), 0);
}

static int trace_parent(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int read_parent(void)
{
    char here[8];
    struct iovec to = {here, sizeof here}, from = {dir, sizeof here};

    return (int)process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int be_another(void)
{
    return setuid(1);
}

static int eat(void)
{
    return malloc(600u << 20) ? 0 : -1;
}

static int forget_limits(void)
{
    const struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};

    return setrlimit(RLIMIT_DATA, &more);
}

static int work(void)
{
    return malloc(1 << 20) && write(STDOUT_FILENO, "", 0) == 0 && clock_now().boot_ms > 0 ? 0 : -1;
}

#define NET (WATCHER | GATEWAY)

static const struct {
    const char *what;
    int (*attempt)(void);
    unsigned done, refused; /* roles; the others are killed for it */
} attempts[] = {
    {"works", work, NET | WORKER | EXPORTER, 0},
    {"reads a file of others", read_other, 0, NET | WORKER | EXPORTER},
    {"reads in a folder that it keeps", read_kept, NET, WORKER | EXPORTER},
    {"reads the system's configuration", read_system, NET, WORKER | EXPORTER},
    {"makes a file", write_file, 0, WORKER | EXPORTER},
    {"removes a file", remove_file, 0, NET | WORKER | EXPORTER},
    {"makes a socket", make_socket, NET, 0},
    {"listens", listen_tcp, 0, NET},
    {"calls an abstract socket", call_abstract, 0, NET},
    {"runs a program", run_program, 0, 0},
    {"makes a process", make_process, 0, 0},
    {"makes a thread", make_thread, NET, 0},
    {"signals the supervisor", signal_parent, 0, 0},
    {"traces the supervisor", trace_parent, 0, 0},
    {"reads the supervisor's memory", read_parent, 0, 0},
    {"makes code", make_code, 0, NET | WORKER | EXPORTER},
    {"becomes another user", be_another, 0, 0},
    {"takes 600 MiB", eat, 0, NET | WORKER | EXPORTER},
    {"lifts its limits", forget_limits, 0, 0},
};

/* ---- one attempt by one process */

static void confine(unsigned role)
{
    struct proc proc = {.role = role, .runtime_dir = runtime_dir, .degraded = ""};
    char folder[sizeof kept_file];

    snprintf(folder, sizeof folder, "%s/kept", dir);
    if (role & NET)
        confine_read(&proc.keep, folder);
    proc_shut_files(&proc);
    proc_confine(&proc);
}

static enum fate fate_of(unsigned role, int (*attempt)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGSYS, SIG_DFL); /* cmocka's */
        confine(role);
        if (attempt() >= 0)
            _exit(DONE);
        _exit(errno == EPERM || errno == EACCES || errno == ENOMEM ? REFUSED : OTHER);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : OTHER;
    return (enum fate)WEXITSTATUS(status);
}

static void nobody_does_what_is_forbidden(void **state)
{
    static const unsigned roles[] = {WATCHER, GATEWAY, WORKER, EXPORTER};
    static const char *const words[] = {"done", "refused", "killed", "something else"};
    int wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        for (size_t k = 0; k < sizeof roles / sizeof roles[0]; k++) {
            enum fate wanted = attempts[i].done & roles[k]      ? DONE
                               : attempts[i].refused & roles[k] ? REFUSED
                                                                : KILLED;
            enum fate got = fate_of(roles[k], attempts[i].attempt);
            if (got == wanted)
                continue;
            print_error("%s %s: %s, not %s\n", role_name(roles[k]), attempts[i].what, words[got],
                        words[wanted]);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

/* ---- what is seen from outside */

/* Another user owns what /proc shows of a process that is not dumpable: root. Needs root to be shown. */
static void a_confined_process_shows_it(void **state)
{
    char path[64], line[256], what[32];
    struct stat owner;
    int ready[2], n, seen = 0;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSYS, SIG_DFL);
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(OTHER);
        confine(EXPORTER);
        if (write(ready[1], "r", 1) == 1)
            poll(NULL, 0, -1);
        _exit(OTHER);
    }
    assert_int_equal(read(ready[0], line, 1), 1);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    assert_int_equal(stat(path, &owner), 0);
    FILE *status = fopen(path, "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "%31[^:]: %d", what, &n) == 2 &&
            (!strcmp(what, "NoNewPrivs") || !strcmp(what, "Seccomp")))
            seen += n;
    fclose(status);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(seen, 1 + 2); /* no new privileges; a filter */
    assert_int_equal(owner.st_uid, 0);
}

static void make_file(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    close(fd);
}

static int prepare(void **state)
{
    char folder[sizeof kept_file];

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(runtime_dir, sizeof runtime_dir, "%s/run", dir);
    snprintf(folder, sizeof folder, "%s/kept", dir);
    assert_int_equal(mkdir(runtime_dir, 0777) | mkdir(folder, 0777), 0);
    make_file(kept_file, sizeof kept_file, "kept/file");
    make_file(other_file, sizeof other_file, "other");
    snprintf(new_file, sizeof new_file, "%s/run/new", dir);
    snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "%s", dir);
    abstract_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(dir));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(listener, (const struct sockaddr *)&abstract, abstract_len) | listen(listener, 64);
}

static int clean(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* What this kernel's Landlock cannot do is not asked of it. */
static bool kernel_can(void)
{
    struct confinement keep = {{0}, 0, 0, 0};
    int abi = 0;

    if (fork() == 0)
        _exit(confine_files(&keep, EXPORTER, "/tmp", &abi) != 0 || abi < CONFINE_ABI_WHOLE);
    int status;
    wait(&status);
    return status == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_does_what_is_forbidden),
        cmocka_unit_test(a_confined_process_shows_it),
    };

    if (SANITIZED_BUILD || !kernel_can()) {
        for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
            printf("skipped, %s: %s\n", SANITIZED_BUILD ? "built with sanitizers" : "an old Landlock",
                   attempts[i].what);
        return 0;
    }
    return cmocka_run_group_tests(tests, prepare, clean);
}
