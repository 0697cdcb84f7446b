/* supervisor/reap.c -- signals as events: SIGCHLD reaps until nothing is left (we may be PID 1, so also
 * children of others), SIGTERM and SIGINT begin the stop. No signal handler anywhere. Says how each child
 * ended and when the next one starts. Called by the loop. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

int reap_open_signals(struct supervisor *s)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* an ignored SIGCHLD is inherited, and would let the kernel reap */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->signals >= 0)
        return 0;
    log_error("cannot read signals", F_STR("error", strerror(errno)));
    return EXIT_BUG;
}

bool reap_row_of_pid(const struct supervisor *s, int64_t pid, struct tree_row *row)
{
    struct instant now = clock_now();

    for (unsigned i = 0; tree_row(s->tree, i, now, row); i++)
        if (row->pid == pid && pid != 0)
            return true;
    return false;
}

/* The row of the slot in which the dead one was, after its death. */
static bool row_of_slot(const struct supervisor *s, const struct tree_row *was, struct tree_row *row)
{
    struct instant now = clock_now();

    for (unsigned i = 0; tree_row(s->tree, i, now, row); i++)
        if (row->role == was->role && row->slot == was->slot)
            return true;
    return false;
}

static bool was_asked(const struct tree_row *was)
{
    return strcmp(was->state, "draining") == 0 || strcmp(was->state, "ending") == 0;
}

/* A death that nobody asked for is an error; one that was announced is somebody's decision. */
static enum log_level level_of(const struct tree_row *was, bool parked, bool in_order)
{
    if (parked)
        return LEVEL_ERROR;
    if (was_asked(was))
        return LEVEL_INFO;
    return was->leaving || in_order ? LEVEL_WARN : LEVEL_ERROR;
}

/* A death is told once, with everything: how, why, and what comes next. */
static void tell_death(const struct supervisor *s, const struct tree_row *was, int64_t pid, int status)
{
    struct tree_row is;
    char how[STATUS_TEXT_MAX];

    status_text(status, how, sizeof how);
    if (!row_of_slot(s, was, &is))
        return;
    bool parked = strcmp(is.state, "parked") == 0;
    const struct log_field fields[] = {
        F_STR("role", role_name(was->role)),
        F_INT("slot", was->slot),
        F_INT("pid", pid),
        F_INT("incarnation", was->incarnation),
        F_STR("how", how),
        F_STR("why", was->why),
        F_STR("was", was->state),
        F_STR("doing", was->doing),
        F_STR("object", was->key),
        F_INT("uptimeMs", was->uptime_ms),
        F_STR("announced", was->leaving ? "yes" : "no"),
        F_STR("now", is.state),
        F_INT("nextStartMs", is.next_start_ms),
    };
    /* Its last word may be overtaken by its end. */
    bool in_order = WIFEXITED(status) && !WEXITSTATUS(status);
    const char *msg = parked     ? "a process died too often and is parked"
                      : in_order ? "a process left"
                                 : "a process died";
    log_write(level_of(was, parked, in_order), msg, fields, sizeof fields / sizeof fields[0]);
}

/* What was in its hands when it ended. Somebody's SIGKILL from outside says nothing of what a watcher read;
 * ours comes to who hangs, with a reason. */
static void blame(struct supervisor *s, const struct tree_row *was, int status)
{
    char key[2 * LIMIT_NAME + 2];
    bool from_outside = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && was->why[0] == '\0';

    if (!crash_is(was, status) || !crash_key(s, was->pid, key, sizeof key))
        return;
    if (was->role == WORKER)
        tree_blame_job(s->tree, was->pid);
    else if (was->role == WATCHER && !from_outside)
        tree_blame_reading(s->tree, key, status, clock_now());
}

static void reap_all(struct supervisor *s)
{
    struct tree_row row;
    struct rusage usage;
    bool reaped = false;
    pid_t pid;
    int status;

    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        if (!reap_row_of_pid(s, pid, &row)) {
            log_info("reaped a process that is none of ours", F_INT("pid", pid));
            continue;
        }
        children_forget(s, row.incarnation);
        blame(s, &row, status);
        tree_reaped(s->tree, pid, status, clock_now());
        tell_death(s, &row, pid, status);
        crash_reaped(s, &row, status, usage.ru_maxrss);
        reaped = true;
    }
    if (reaped)
        malloc_trim(0); /* a peer's queues leave holes all over the heap */
}

int reap_on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct supervisor *s = arg;
    struct signalfd_siginfo info;

    (void)loop;
    (void)item;
    while (read(s->signals, &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
        case SIGCHLD: break; /* one may stand for many, so reaping does not count them */
        case SIGHUP: orders_reload(s, "SIGHUP"); break;
        default: loop_stop(s, info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM"); break;
        }
    }
    reap_all(s);
    return loop_end_turn(s);
}
