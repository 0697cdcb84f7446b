/* proto/proc.c -- a child's life as the supervisor expects it, from the environment to the last word. Knows
 * no role's work. Called by the main() of each child, in the order of proc.h; static state: none. */
#include "proto/proc.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/blackbox.h"
#include "base/clock.h"
#include "base/log.h"

/* The Makefile says it; every binary of one build has the same. */
#ifndef PROVIDER_PACKET_VERSION
#define PROVIDER_PACKET_VERSION "unknown"
#endif

#define PROGRAM         "gardener-extension-provider-packet" /* what a person should start */
#define CHILD_UMASK     077
#define LEAVE_LINGER_MS 200 /* for LEAVING alone; everything else is dropped at close */
#define MIB             (1024ull * 1024ull)

/* RLIMIT_DATA, so that a role that leaks dies alone, before the kubelet ends the whole container. Each is
 * many times what a role was seen to use (5 MiB, idle or with 1,000 objects), thread stacks (8 MiB each)
 * included. */
static rlim_t data_limit(unsigned role)
{
    switch (role) {
    case WATCHER: return 512 * MIB;
    case GATEWAY: return 256 * MIB;
    default: return 128 * MIB;
    }
}

static _Noreturn void die(int code, const char *msg, const char *detail)
{
    log_error(msg, F_STR("error", detail), F_STR("advice", exit_sentence(code)));
    exit(code);
}

static char *option_variable(const char *name)
{
    char *variable = x_asprintf("%s%s", ENV_OPTION_PREFIX, name);

    for (char *c = variable; *c; c++)
        if (*c == '-')
            *c = '_';
    return variable;
}

const char *proc_option(const char *name)
{
    char *variable = option_variable(name);
    const char *value = getenv(variable);

    free(variable);
    return value ? value : "";
}

bool proc_option_true(const char *name)
{
    return strcmp(proc_option(name), "true") == 0;
}

static void start_log(unsigned role)
{
    enum log_level level = LEVEL_INFO;

    log_level_parse(proc_option("log-level"), &level);
    log_open(role_name(role), level, strcmp(proc_option("log-format"), "text") == 0);
}

/* A decimal number from least to most out of the environment, or the end. */
static uint64_t number_between(const char *name, uint64_t least, uint64_t most)
{
    const char *text = getenv(name);
    char *end = NULL;

    errno = 0;
    unsigned long long n = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (!end || *end || errno || n < least || n > most)
        die(EXIT_FLAGS, "the supervisor's environment is broken", name);
    return n;
}

static uint64_t required_number(const char *name, uint64_t least)
{
    return number_between(name, least, LIMIT_ID);
}

static void read_environment(struct proc *proc, unsigned role)
{
    const char *given = getenv(ENV_ROLE);

    if (!given)
        die(EXIT_FLAGS, "this program is a child and is started by its supervisor; start " PROGRAM, ENV_ROLE);
    if (strcmp(given, role_name(role)) != 0)
        die(EXIT_FLAGS, "started for another role than this program has", given);
    *proc =
        (struct proc){.role = role, .signals = -1, .runtime_dir = getenv(ENV_RUNTIME_DIR), .degraded = ""};
    proc->slot = required_number(ENV_SLOT, 0);
    proc->incarnation = required_number(ENV_INCARNATION, SUPERVISOR_INCARNATION + 1);
    proc->supervisor_pid = (pid_t)required_number(ENV_SUPERVISOR_PID, 1);
    if (!proc->runtime_dir || proc->runtime_dir[0] != '/')
        die(EXIT_FLAGS, "the supervisor's environment is broken", ENV_RUNTIME_DIR);
    if (getenv(ENV_CLOCK))
        clock_set_origin((int64_t)number_between(ENV_CLOCK, 1, (uint64_t)1 << 50));
}

/* The order closes the gap: had the supervisor died before prctl, the parent is another one by now. */
static void die_with_supervisor(const struct proc *proc)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        die(EXIT_CONFINE, "cannot be tied to the supervisor", strerror(errno));
    if (getppid() != proc->supervisor_pid)
        die(EXIT_ORPHANED, "the parent is not the supervisor", ENV_SUPERVISOR_PID);
}

/* Before the first socket, so that ZeroMQ's threads inherit the mask. No handler runs anywhere, but for what
 * ends the process. */
static void take_signals(struct proc *proc)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        proc->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (proc->signals < 0)
        die(EXIT_BUG, "cannot read signals", strerror(errno));
}

/* czmq would install handlers for SIGINT and SIGTERM, log to stdout and wait for unsent frames at exit. */
static void calm_czmq(void)
{
    zsys_handler_set(NULL);
    zsys_set_logstream(NULL);
    zsys_set_logsystem(false);
    zsys_set_linger(0);
}

void proc_version(int argc, char **argv, unsigned role)
{
    if (argc != 2 || strcmp(argv[1], "--version") != 0)
        return;
    printf("%s %s\n", role_name(role), PROVIDER_PACKET_VERSION);
    exit(EXIT_OK);
}

void proc_enter(struct proc *proc, unsigned role)
{
    umask(CHILD_UMASK);
    start_log(role);
    read_environment(proc, role);
    if (getenv(ENV_BLACKBOX))
        blackbox_open((int)number_between(ENV_BLACKBOX, 3, 1 << 20));
    blackbox_catch();
    die_with_supervisor(proc);
    take_signals(proc);
    calm_czmq();
}

void proc_connect(struct proc *proc)
{
    struct bus_peer supervisor = {
        .role = SUPERVISOR, .incarnation = SUPERVISOR_INCARNATION, .pid = (uint64_t)proc->supervisor_pid};

    if (bus_connect(&proc->bus, proc->runtime_dir, ENDPOINT_BUS, proc->role, proc->incarnation, SUPERVISOR) !=
        0)
        die(EXIT_SOCKET, "cannot open the supervisor's bus", strerror(errno));
    bus_peer_add(&proc->bus, &supervisor);
    if (bus_wait(&proc->bus, START_DEADLINE_MS) != 0)
        die(EXIT_SOCKET, "cannot reach the supervisor's bus", strerror(errno));
}

/* Fatal, unless the operator has said that what cannot be done shall be left out. */
static void not_confined(struct proc *proc, const char *what, const char *left_out)
{
    int error = errno;

    if (strcmp(proc_option("confinement"), "lenient") != 0)
        die(EXIT_CONFINE, what, strerror(error));
    log_warn(what, F_STR("error", strerror(error)),
             F_STR("advice", "--confinement=lenient: it goes on without"));
    proc->degraded = left_out;
}

/* An old kernel is no failure: a container cannot choose it. */
void proc_shut_files(struct proc *proc)
{
    int abi;

    if (confine_files(&proc->keep, proc->role, proc->runtime_dir, &abi) == 0) {
        if (abi < CONFINE_ABI_WHOLE)
            proc->degraded = "Landlock of this kernel is old: TCP and signals are not all withheld by it";
    } else if (errno == ENOSYS || errno == EOPNOTSUPP) {
        proc->degraded = "this kernel has no Landlock: files are withheld by permissions alone";
    } else {
        not_confined(proc, "cannot give up files", "files are withheld by permissions alone");
    }
}

static void set_limit(int resource, rlim_t value)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    struct rlimit now;

    if (getrlimit(resource, &now) == 0 && now.rlim_max < value)
        limit.rlim_cur = limit.rlim_max = now.rlim_max;
    if (setrlimit(resource, &limit) != 0)
        die(EXIT_CONFINE, "cannot limit itself", strerror(errno));
}

/* ZeroMQ's threads exist by now and no_new_privs is each thread's own; they have it because the supervisor
 * sets it before exec (design 12.16). Here it is made sure of. */
void proc_confine(struct proc *proc)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        die(EXIT_CONFINE, "cannot give up new privileges", strerror(errno));
    set_limit(RLIMIT_CORE, 0);
    if (SANITIZED_BUILD) {
        proc->degraded = "built with sanitizers: no memory limit, dumpable, more system calls";
    } else {
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
            die(EXIT_CONFINE, "cannot become undumpable", strerror(errno));
        set_limit(RLIMIT_DATA, data_limit(proc->role));
    }
    if (confine_syscalls(&proc->keep, proc->role) != 0)
        not_confined(proc, "cannot give up system calls", "no system call is withheld");
    malloc_trim(0); /* the list of system calls was a heap full of small blocks */
}

/* Text for a field: cut to its limit, and without the control characters that the codec refuses. The copy
 * belongs to the caller. */
static struct span clean_text(const char *text, size_t limit, char **copy)
{
    *copy = text ? x_strndup(text, limit) : NULL;
    for (char *c = *copy; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return span_of(*copy);
}

static int tell(struct proc *proc, enum msg_id id, const void *body)
{
    return bus_send(&proc->bus, SUPERVISOR_INCARNATION, id, body, NULL);
}

void proc_say_ready(struct proc *proc)
{
    struct msg_ready ready = {.version = SPAN(PROVIDER_PACKET_VERSION)};

    if (*proc->degraded)
        ready.degraded = span_of(proc->degraded);

    if (tell(proc, MSG_READY, &ready) != 0)
        die(EXIT_SOCKET, "cannot tell the supervisor that it is ready", strerror(errno));
}

/* A beat that cannot be sent is one that the supervisor misses: no need to do more about it. */
void proc_beat(struct proc *proc, const char *doing, const char *key, uint64_t busy_ms, struct value gauges)
{
    char *copies[2];
    struct msg_beat beat = {.doing = clean_text(doing ? doing : "", LIMIT_TEXT, &copies[0]),
                            .busy_ms = busy_ms > LIMIT_MS ? LIMIT_MS : busy_ms,
                            .key = clean_text(key, 2 * LIMIT_NAME + 1, &copies[1]),
                            .gauges = gauges};

    tell(proc, MSG_BEAT, &beat);
    free(copies[0]);
    free(copies[1]);
}

bool proc_takes(const struct message *message)
{
    if (message->spec->id != MSG_LOGLEVEL)
        return false;
    log_set_level((enum log_level)message->body.loglevel.level);
    return true;
}

bool proc_bad_frame(struct proc *proc, const struct bus *bus, const struct inbound *in, enum verdict verdict)
{
    const struct msg_end_worker end = {.incarnation = in->from.incarnation,
                                       .reason = SPAN("sent frames that no worker of this version sends")};

    if (verdict == FRAME_OLD_INCARNATION)
        return false;
    if (in->from.bad <= 1)
        log_error("refused a frame", F_STR("verdict", verdict_name(verdict)),
                  F_STR("role", role_name(in->from.role)), F_INT("pid", in->from.pid));
    if (in->from.bad != BAD_FRAMES_MAX)
        return false;
    if (in->from.role == WORKER)
        tell(proc, MSG_END_WORKER, &end);
    return bus == &proc->bus;
}

int proc_next_signal(struct proc *proc)
{
    struct signalfd_siginfo info;

    return read(proc->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

int proc_leave(struct proc *proc, int code, const char *reason)
{
    int linger = LEAVE_LINGER_MS;
    char *copy;
    struct msg_leaving leaving = {.code = (uint64_t)code, .reason = clean_text(reason, LIMIT_TEXT, &copy)};

    if (tell(proc, MSG_LEAVING, &leaving) == 0)
        zmq_setsockopt(zsock_resolve(proc->bus.sock), ZMQ_LINGER, &linger, sizeof(linger));
    free(copy);
    bus_close(&proc->bus);
    close(proc->signals);
    log_info("leaving", F_INT("code", code), F_STR("reason", reason));
    return code;
}
