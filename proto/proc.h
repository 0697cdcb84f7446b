/* proto/proc.h -- the child's half of the contract with the supervisor: enter, connect, confine, say ready,
 * beat, leave. Every child's main() is these calls in this order (style: a process is a folder, and its
 * main() is its life). */
#ifndef PROTO_PROC_H
#define PROTO_PROC_H

#include <czmq.h>

#include "proto/bus.h"
#include "proto/confine.h"

struct proc {
    unsigned role;
    uint64_t slot;
    uint64_t incarnation;
    pid_t supervisor_pid;
    const char *runtime_dir;
    int signals;             /* signalfd: SIGTERM, SIGINT */
    struct bus bus;          /* to the supervisor */
    struct confinement keep; /* what the role wants to keep; to be filled before proc_shut_files() */
    const char *degraded;    /* what of the confinement this kernel cannot do; "" */
};

/* `--version` of every binary: prints and ends the process. For the first line of main(). */
void proc_version(int argc, char **argv, unsigned role);
/* Reads the environment (contract.h), blocks signals, opens the signalfd, dies with the supervisor (PDEATHSIG
 * and a getppid check), opens the log, calms czmq (no handlers, no linger). Ends the process with a sentence
 * when the environment is not the supervisor's: started by hand it says which program to start instead. */
void proc_enter(struct proc *proc, unsigned role);
/* Landlock (confine.h). Before the first socket of ZeroMQ, whose threads it does not reach. What the kernel
 * lacks is remembered for the status; what fails otherwise ends the process with EXIT_CONFINE, unless
 * --confinement=lenient. */
void proc_shut_files(struct proc *proc);
/* Connects to the supervisor's bus. Ends the process with EXIT_SOCKET when that cannot be. */
void proc_connect(struct proc *proc);
/* no_new_privs, no core, not dumpable, limits of the role, its system calls. Any failure ends the process
 * with EXIT_CONFINE, unless --confinement=lenient. After it nothing is opened that the role does not open for
 * its work. */
void proc_confine(struct proc *proc);
void proc_say_ready(struct proc *proc);
/* doing: one sentence without secrets; key: "namespace/name" of the job or NULL; gauges: a map of numbers, or
 * of a few texts about one thing; or absent. */
void proc_beat(struct proc *proc, const char *doing, const char *key, uint64_t busy_ms, struct value gauges);
/* Does what the supervisor asks of every child alike (LOGLEVEL). Returns whether the message was such a one.
 */
bool proc_takes(const struct message *message);
/* For watcher and gateway: a frame that was refused. Told once of each sender; at BAD_FRAMES_MAX a worker is
 * ended for it. Returns whether it came from the supervisor so often that this process must leave with
 * EXIT_PROTOCOL: the supervisor never sends such frames, so then we are of another build. */
bool proc_bad_frame(struct proc *proc, const struct bus *bus, const struct inbound *in, enum verdict verdict);
/* The signal that arrived, or 0. */
int proc_next_signal(struct proc *proc);
/* Says LEAVING and closes. Returns code, for main() to return. */
int proc_leave(struct proc *proc, int code, const char *reason);

/* An option as the supervisor passed it on (its flag's name, as "packet-url"), or "" when it was not given.
 */
const char *proc_option(const char *name);
/* Whether a boolean option is "true". */
bool proc_option_true(const char *name);

#endif
