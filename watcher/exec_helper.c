/* watcher/exec_helper.c -- the life of the process that runs the exec plugin: forked, closed off from the
 * watcher's descriptors, waiting for a byte, answering with what the plugin printed. Owns nothing but its
 * socket. Started by settings.c. */
#include "watcher/exec_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "proto/contract.h"

#define SOCKET_PLACE 3 /* everything above is closed */

extern char **environ;

/* The plugin gets the environment that the supervisor was started in (it hands it down under a prefix), what
 * the kubeconfig adds, and nothing of the watcher's own. */
static void make_environment(const struct exec_entry *entry)
{
    size_t prefix = strlen(ENV_GIVEN_PREFIX), n = 0;
    char **old;

    while (environ[n])
        n++;
    old = x_calloc(n + 1, sizeof *old);
    for (size_t i = 0; i < n; i++)
        old[i] = x_strdup(environ[i]);
    unsetenv("GLIBC_TUNABLES");
    for (char **at = old; *at; at++) {
        char *equals = strchr(*at, '=');

        if (!equals || strncmp(*at, ENV_OWN_PREFIX, strlen(ENV_OWN_PREFIX)))
            continue;
        *equals = '\0';
        unsetenv(*at);
        if (!strncmp(*at, ENV_GIVEN_PREFIX, prefix) && (*at)[prefix])
            setenv(*at + prefix, equals + 1, 1);
    }
    for (char **at = old; *at; at++)
        free(*at);
    free(old);
    for (char **at = entry->variables; *at; at += 2)
        setenv(at[0], at[1], 1);
    setenv("KUBERNETES_EXEC_INFO", entry->info, 1);
}

/* SIGTERM, not SIGKILL, when the watcher dies: the plugin's own children have to be ended too. */
static int confine(pid_t parent)
{
    struct rlimit none = {0, 0};
    sigset_t set;

    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0 || getppid() != parent)
        return -1;
    prctl(PR_SET_NAME, "exec-plugin", 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
    if (!SANITIZED_BUILD && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -1;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_SETMASK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void send_all(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(EXIT_ORPHANED);
        done += (size_t)n;
    }
}

static _Noreturn void serve(const struct exec_entry *entry, const char *path, int64_t within_ms, int signals)
{
    char *out = x_malloc(EXEC_OUT_MAX), ask;

    for (;;) {
        struct pollfd fds[] = {{.fd = SOCKET_PLACE, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        struct signalfd_siginfo info;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            _exit(EXIT_BUG);
        while (read(signals, &info, sizeof info) == sizeof info)
            if (info.ssi_signo != SIGCHLD)
                _exit(EXIT_OK);
        if (!(fds[0].revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        if (recv(SOCKET_PLACE, &ask, 1, 0) <= 0)
            _exit(EXIT_OK);
        struct exec_report report = exec_run(entry, path, within_ms, SOCKET_PLACE, signals, out);
        send_all(SOCKET_PLACE, &report, sizeof report);
        send_all(SOCKET_PLACE, out, report.len);
        explicit_bzero(out, report.len);
    }
}

static _Noreturn void be_helper(const struct exec_entry *entry, int64_t within_ms, int fd, pid_t parent)
{
    if (dup2(fd, SOCKET_PLACE) < 0 || fcntl(SOCKET_PLACE, F_SETFD, FD_CLOEXEC) < 0)
        _exit(EXIT_BUG);
    close_range(SOCKET_PLACE + 1, ~0u, 0);
    int signals = confine(parent);
    if (signals < 0) {
        log_error("the helper for exec plugins cannot confine itself", F_STR("error", strerror(errno)));
        _exit(EXIT_CONFINE);
    }
    /* client-go looks the program up in its own PATH, not in the one that `env` may set. */
    const char *given = getenv(ENV_GIVEN_PREFIX "PATH");
    char *path = x_strdup(given ? given : getenv("PATH") ? getenv("PATH") : "");
    make_environment(entry);
    serve(entry, path, within_ms, signals);
}

int exec_helper_start(struct exec_helper *helper, const struct exec_entry *entry, int64_t within_ms)
{
    pid_t parent = getpid();
    int ends[2];

    *helper = (struct exec_helper){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    helper->pid = fork();
    if (helper->pid == 0)
        be_helper(entry, within_ms, ends[1], parent);
    int error = errno;
    close(ends[1]);
    if (helper->pid > 0) {
        helper->fd = ends[0];
        return 0;
    }
    close(ends[0]);
    errno = error;
    return -1;
}

void exec_helper_end(struct exec_helper *helper)
{
    if (helper->fd < 0)
        return;
    int pidfd = pidfd_open(helper->pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    close(helper->fd);
    helper->fd = -1;
    if (pidfd < 0 || poll(&ended, 1, EXEC_END_MS) <= 0)
        kill(helper->pid, SIGKILL);
    waitpid(helper->pid, NULL, 0);
    if (pidfd >= 0)
        close(pidfd);
}
