/* watcher/exec_run.c -- one run of an exec plugin, in the helper process: execve without a shell, no input,
 * its output bounded, its complaints passed on to the log, its whole process group killed at the end. Called
 * by exec_helper.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/contract.h"
#include "watcher/exec_helper.h"

#define READS_MAX 32u /* of stderr before the clock is looked at: more than a pipe holds */

extern char **environ;

struct run {
    const struct exec_entry *entry;
    pid_t pid;
    int out, err; /* of the plugin, non-blocking; -1: at its end */
    char *text;   /* what it printed */
    size_t len;
    char line[EXEC_LINE_MAX + 1];
    size_t line_len;
    unsigned lines;
    struct exec_report report;
    bool over;
};

/* ---- the program's file ---- */

/* As execvp would, but without the shell that it asks when a file is no program; and like Go's look-up
 * without folders that depend on where we are. Returns errno. */
static int find_program(const char *command, const char *path, char *file, size_t size)
{
    int error = ENOENT;

    if (strchr(command, '/')) {
        snprintf(file, size, "%s", command);
        return 0;
    }
    while (*path) {
        size_t len = strcspn(path, ":");

        if (*path == '/' && (size_t)snprintf(file, size, "%.*s/%s", (int)len, path, command) < size) {
            if (access(file, X_OK) == 0)
                return 0;
            error = errno == ENOENT || errno == ENOTDIR ? error : errno;
        }
        path += len + (path[len] == ':');
    }
    return error;
}

/* ---- between fork and execve ---- */

static _Noreturn void be_plugin(const char *file, char **arguments, const int out[2], const int err[2],
                                int report, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY), error;
    sigset_t none;

    sigemptyset(&none);
    setsid(); /* a group of its own, to be killed as one */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
        _exit(EXIT_ORPHANED);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out[1], STDOUT_FILENO) >= 0 &&
        dup2(err[1], STDERR_FILENO) >= 0) {
        close(null);
        signal(SIGPIPE, SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(file, arguments, environ);
    }
    error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(EXIT_EXEC);
    _exit(EXIT_EXEC);
}

static void close_both(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* Returns 0, or an errno. */
static int start(struct run *run, const char *file)
{
    int out[2], err[2], report[2], error = 0;
    pid_t parent = getpid();

    if (pipe2(out, O_CLOEXEC) != 0)
        return errno;
    if (pipe2(err, O_CLOEXEC) != 0 ||
        pipe2(report, O_CLOEXEC) != 0) /* a few leaked: the helper is beyond help */
        return errno;
    run->pid = fork();
    if (run->pid == 0)
        be_plugin(file, run->entry->arguments, out, err, report[1], parent);
    error = run->pid < 0 ? errno : 0;
    close(report[1]);
    /* End of file: execve worked, and the pipe closed with it. */
    if (!error && read(report[0], &error, sizeof error) == sizeof error)
        waitpid(run->pid, NULL, 0);
    close(report[0]);
    if (error) {
        close_both(out);
        close_both(err);
        return error;
    }
    close(out[1]);
    close(err[1]);
    run->out = out[0];
    run->err = err[0];
    fcntl(run->out, F_SETFL, O_NONBLOCK);
    fcntl(run->err, F_SETFL, O_NONBLOCK);
    return 0;
}

/* ---- what it says ---- */

static void tell_line(struct run *run)
{
    run->line[run->line_len] = '\0';
    if (run->line_len && run->lines++ < EXEC_LINES_MAX)
        log_info("the exec plugin says", F_STR("command", run->entry->name), F_STR("line", run->line));
    run->line_len = 0;
}

static void take_complaints(struct run *run, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            tell_line(run);
        else if (run->line_len < EXEC_LINE_MAX)
            run->line[run->line_len++] = data[i];
    }
}

static void read_err(struct run *run)
{
    char data[4096];

    for (unsigned i = 0; i < READS_MAX && run->err >= 0; i++) {
        ssize_t n = read(run->err, data, sizeof data);

        if (n < 0)
            return;
        take_complaints(run, data, (size_t)n);
        if (n > 0)
            continue;
        close(run->err);
        run->err = -1;
    }
}

/* More than there is room for ends the run. */
static void read_out(struct run *run)
{
    char more[1] = "";
    ssize_t n;

    while (run->out >= 0) {
        size_t room = EXEC_OUT_MAX - run->len;

        n = read(run->out, room ? run->text + run->len : more, room ? room : sizeof more);
        if (n < 0)
            return;
        if (n > 0 && !room) {
            run->report.end = EXEC_TOO_MUCH;
            run->over = true;
            return;
        }
        if (n == 0) {
            close(run->out);
            run->out = -1;
        } else {
            run->len += (size_t)n;
        }
    }
}

/* ---- its end ---- */

static void kill_all(const struct run *run)
{
    kill(-run->pid, SIGKILL);
}

/* Has the plugin itself ended? It stays a zombie until its group was killed: so its number is nobody else's.
 */
static void look_for_end(struct run *run)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != run->pid)
        return;
    run->report.end = info.si_code == CLD_EXITED ? EXEC_EXITED : EXEC_SIGNALLED;
    run->report.code = info.si_status;
    run->over = true;
    read_out(run); /* may find too much */
    read_err(run);
}

static void hear_signals(struct run *run, int signals)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        kill_all(run);
        _exit(EXIT_OK);
    }
}

static void watch(struct run *run, int64_t within_ms, int watcher, int signals)
{
    int64_t end_ms = clock_now().boot_ms + within_ms;

    while (!run->over) {
        struct pollfd fds[] = {{.fd = run->out, .events = POLLIN},
                               {.fd = run->err, .events = POLLIN},
                               {.fd = signals, .events = POLLIN},
                               {.fd = watcher, .events = POLLRDHUP}};
        int64_t left = end_ms - clock_now().boot_ms;

        if (left <= 0) {
            run->report.end = EXEC_TOO_LONG;
            return;
        }
        poll(fds, 4, left < INT_MAX ? (int)left : INT_MAX);
        if (fds[3].revents) {
            kill_all(run);
            _exit(EXIT_OK);
        }
        read_out(run);
        read_err(run);
        hear_signals(run, signals);
        if (!run->over)
            look_for_end(run);
    }
}

struct exec_report exec_run(const struct exec_entry *entry, const char *path, int64_t within_ms, int watcher,
                            int signals, char *out)
{
    struct run run = {.entry = entry, .out = -1, .err = -1, .text = out};
    char file[PATH_MAX];
    int error = find_program(entry->command, path, file, sizeof file);

    if (!error)
        error = start(&run, file);
    if (error)
        return (struct exec_report){.end = EXEC_NOT_STARTED, .code = error};
    watch(&run, within_ms, watcher, signals);
    kill_all(&run);
    waitpid(run.pid, NULL, 0);
    tell_line(&run);
    if (run.lines > EXEC_LINES_MAX)
        log_info("the exec plugin said more", F_STR("command", entry->name),
                 F_INT("lines", run.lines - EXEC_LINES_MAX));
    if (run.out >= 0)
        close(run.out);
    if (run.err >= 0)
        close(run.err);
    if (run.report.end == EXEC_EXITED && run.report.code == 0)
        run.report.len = (uint32_t)run.len;
    else
        explicit_bzero(out, run.len);
    return run.report;
}
