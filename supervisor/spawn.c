/* supervisor/spawn.c -- fork and exec of one child. Everything is prepared before the fork; between fork and
 * exec only async-signal-safe calls, because ZeroMQ's threads hold locks that nobody will ever release in the
 * copy. Decides nothing: the tree orders it through tree_ops.spawn. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/core/policy.h"
#include "supervisor/supervisor.h"

#define ENV_LIBEXEC "PROVIDER_PACKET_LIBEXEC"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define CLOSE_RANGE_ON_EXEC 4u /* CLOSE_RANGE_CLOEXEC */

/* All that the child needs after the fork. */
struct birth {
    const char *path;
    char *const *argv;
    char *const *environment;
    int null;
    int box;    /* shared with the child; -1: none */
    int report; /* write end of the close-on-exec pipe: an errno when exec failed */
    pid_t parent;
    char oom_score_adj[8];
    int oom_len;
};

/* ---- between fork and exec: async-signal-safe calls only */

static void put_oom_score(const struct birth *b)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, b->oom_score_adj, (size_t)b->oom_len) < 0) {
        /* a lower score needs a capability that we may not have; it is a wish */
    }
    close(fd);
}

static void be_born(const struct birth *b)
{
    sigset_t none;
    int error;

    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != b->parent)
        _exit(EXIT_ORPHANED);
    setsid(); /* a terminal's Ctrl-C is for the supervisor alone */
    put_oom_score(b);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* before any thread of the child (design 12.16) */
    if (dup2(b->null, STDIN_FILENO) >= 0) {
        syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_ON_EXEC); /* also what our own parent left open */
        if (b->box >= 0)
            fcntl(b->box, F_SETFD, 0);
        signal(SIGPIPE, SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(b->path, b->argv, b->environment);
    }
    error = errno;
    if (write(b->report, &error, sizeof error) < 0)
        _exit(EXIT_EXEC);
    _exit(EXIT_EXEC);
}

/* ---- before and after */

/* End of file: exec worked, the pipe closed with it. An errno: it did not, and the child has ended. */
static int exec_error(int report)
{
    int error = 0;
    ssize_t n;

    do
        n = read(report, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    return n == sizeof error ? error : 0;
}

static pid_t give_birth(struct birth *b)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC) != 0)
        return -1;
    b->report = report[1];
    pid_t pid = fork();
    if (pid == 0)
        be_born(b);
    int error = pid < 0 ? errno : 0;
    close(report[1]);
    if (pid > 0)
        error = exec_error(report[0]);
    close(report[0]);
    if (pid > 0 && error != 0)
        waitpid(pid, NULL, 0);
    errno = error;
    return error == 0 ? pid : -1;
}

void spawn_program_path(const struct supervisor *s, unsigned role, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", s->libexec, policy_of(role)->binary);
}

int64_t spawn_child(void *ctx, unsigned role, uint64_t slot, uint64_t incarnation)
{
    struct supervisor *s = ctx;
    const struct role_policy *policy = policy_of(role);
    char path[PATH_MAX + 32], name[32];
    char *argv[] = {name, NULL};
    struct birth b = {.path = path, .argv = argv, .null = s->null, .parent = getpid()};

    spawn_program_path(s, role, path, sizeof path);
    snprintf(name, sizeof name, "%s", policy->binary);
    b.oom_len = snprintf(b.oom_score_adj, sizeof b.oom_score_adj, "%d", policy->oom_score_adj);
    b.box = crash_box_make();
    char **environment = environment_make(s, role, slot, incarnation, b.box);
    b.environment = environment;
    pid_t pid = give_birth(&b);
    int error = errno;
    environment_free(environment);
    if (pid < 0) {
        if (b.box >= 0)
            close(b.box);
        log_error("could not start a process", F_STR("role", role_name(role)), F_INT("slot", slot),
                  F_STR("program", path), F_STR("error", strerror(error)));
        return -1;
    }
    crash_box_keep(s, pid, b.box);
    children_expect(s, role, slot, incarnation, pid);
    log_info("started a process", F_STR("role", role_name(role)), F_INT("slot", slot), F_INT("pid", pid),
             F_INT("incarnation", incarnation));
    return pid;
}

static int find_libexec(struct supervisor *s)
{
    const char *given = getenv(ENV_LIBEXEC);
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (given && *given)
        return snprintf(s->libexec, sizeof s->libexec, "%s", given) < (int)sizeof s->libexec ? 0 : -1;
    if (n < 0)
        return -1;
    self[n] = '\0';
    n = snprintf(s->libexec, sizeof s->libexec, "%s/../libexec", dirname(self));
    return n < (int)sizeof s->libexec ? 0 : -1;
}

/* A missing program would only show as an endless row of failed starts. */
int spawn_find_programs(struct supervisor *s)
{
    unsigned n;
    const struct role_policy *roles = policy_roles(&n);
    char path[PATH_MAX + 32];

    s->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (find_libexec(s) != 0 || s->null < 0) {
        log_error("cannot find the children's programs", F_STR("error", strerror(errno)));
        return EXIT_EXEC;
    }
    for (unsigned i = 0; i < n; i++) {
        spawn_program_path(s, roles[i].role, path, sizeof path);
        if (access(path, X_OK) != 0) {
            log_error("a child's program is missing; " ENV_LIBEXEC " names another folder",
                      F_STR("program", path), F_STR("error", strerror(errno)),
                      F_STR("advice", exit_sentence(EXIT_EXEC)));
            return EXIT_EXEC;
        }
    }
    return 0;
}
