/* supervisor/supervisor.h -- the supervisor's one struct, and what the files of this folder do for main.c.
 * All of them may call core/, options.h and log; reap.c, children.c and clients.c end in loop.c's end_turn.
 * Nothing outside this folder includes it. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <limits.h>
#include <sys/types.h>

#include "base/clock.h"
#include "proto/bus.h"
#include "proto/pack.h"
#include "supervisor/core/tree.h"
#include "supervisor/options.h"

#define SUPERVISOR_DIR_MAX 80u /* so that each endpoint in it fits into a socket's address */

#define IDENTITY_MAX 300u /* a host name, '_', a UUID */

struct runtime_dir {
    char path[SUPERVISOR_DIR_MAX];
    int lock;  /* held while we live; -1 when not */
    bool made; /* by us, so we remove it */
};

struct box {
    int64_t pid; /* 0: free */
    int fd;
};

#define CLIENTS_MAX 32 /* of the control socket, at the same time: descriptors are for the children */

/* Somebody at the control socket. */
struct client {
    int fd; /* -1: a free place */
    pid_t pid;
    uid_t uid;
    int64_t heard_ms;     /* boot ms of its last question */
    uint64_t correlation; /* of the question that is being answered */
    uint64_t question;    /* that the watcher is to answer for it; 0: none */
};

struct supervisor {
    struct options options;
    char identity[IDENTITY_MAX]; /* in leader election; lives as long as we do (design 4) */
    struct runtime_dir dir;
    char libexec[PATH_MAX];
    int null; /* /dev/null, the children's stdin */
    int signals;
    struct bus bus; /* every child */
    int control;    /* listens for packetctl; -1 before and after */
    struct client clients[CLIENTS_MAX];
    int spare;          /* a descriptor for a client when none is left otherwise; -1: one has it */
    uint64_t questions; /* that the watcher was asked for clients, ever */
    struct tree *tree;
    struct instant started;
    bool was_ready;
    unsigned stop_requests;
    struct box boxes[BUS_PEERS_MAX]; /* of the children that live */

    zloop_t *loop;
    int timer;        /* of zloop; -1 when none */
    int64_t timer_ms; /* boot ms it is set for */
    int exit_code;
    bool over;
};

/* ---- runtime_dir.c: 0 or an exit code, with a line in the log */
/* Finds or makes the directory, takes its lock, removes sockets of a dead predecessor. */
int runtime_dir_open(struct runtime_dir *dir, const char *option);
/* Removes the sockets, the lock and, if it was made by us, the directory. */
void runtime_dir_close(struct runtime_dir *dir);

/* ---- spawn.c */
/* Where the children's programs are; 0 or an exit code when one is missing. */
int spawn_find_programs(struct supervisor *s);
/* tree_ops.spawn: forks and execs. */
/* The file that a role's children execute. */
void spawn_program_path(const struct supervisor *s, unsigned role, char *path, size_t size);
int64_t spawn_child(void *ctx, unsigned role, uint64_t slot, uint64_t incarnation);

/* ---- environment.c */
/* The child's whole environment: allow-list, contract, its options. Free with environment_free(). */
/* box: its black box's descriptor, or -1. */
char **environment_make(const struct supervisor *s, unsigned role, uint64_t slot, uint64_t incarnation,
                        int box);
void environment_free(char **environment);

/* ---- identity.c */
/* Makes the identity from the surroundings; 0 or an exit code. */
int identity_make(struct supervisor *s);
/* The same from what is given. pid: ours; pod_name, pod_uid, host: NULL when not known; random: 16 bytes. */
void identity_write(char *identity, int64_t pid, const char *pod_name, const char *pod_uid, const char *host,
                    const unsigned char *random);

/* ---- crash.c */
/* A box for a process that is about to start; -1 when there is none to be had, which costs only the record.
 */
int crash_box_make(void);
void crash_box_keep(struct supervisor *s, int64_t pid, int box);
/* The object ("namespace/name") that the box of this process names; false when it names none. What is no such
 * name is not taken for one. */
bool crash_key(const struct supervisor *s, int64_t pid, char *key, size_t size);
/* What a process does right now, by its box: more than its last beat told, which may be two seconds old.
 * False without a box. key and doing are of size bytes each. */
bool crash_box_look(const struct supervisor *s, int64_t pid, char *key, char *doing, size_t size);
/* Was this an end that nobody asked for? */
bool crash_is(const struct tree_row *was, int status);
/* The process of this row, as it was, has been reaped. Writes a record if it was an end that nobody asked
 * for; peak_kib: its largest resident memory. Frees its box. */
void crash_reaped(struct supervisor *s, const struct tree_row *was, int status, long peak_kib);

/* ---- reap.c */
/* Blocks the signals and opens the signalfd; before the first ZeroMQ socket. 0 or an exit code. */
int reap_open_signals(struct supervisor *s);
/* zloop handler of the signalfd: reaps until nothing is left, begins the stop. */
int reap_on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg);
/* The row of the process with this pid. */
bool reap_row_of_pid(const struct supervisor *s, int64_t pid, struct tree_row *row);

/* ---- children.c */
int children_listen(struct supervisor *s);
int children_on_frame(zloop_t *loop, zsock_t *sock, void *arg);
/* tree_ops.send and tree_ops.kill */
void children_send(void *ctx, uint64_t to, enum msg_id id, const void *body);
void children_kill(void *ctx, int64_t pid, int signo);
void children_expect(struct supervisor *s, unsigned role, uint64_t slot, uint64_t incarnation, int64_t pid);
void children_forget(struct supervisor *s, uint64_t incarnation);

/* ---- clients.c */
/* 0, or an exit code with a line in the log. */
int clients_listen(struct supervisor *s);
void clients_begin(struct supervisor *s);
/* Answers its question. Who does not read gets no answer. */
void clients_answer(struct client *to, enum msg_id id, const void *body);
/* Who waits for the watcher's answer to this question, or NULL: it has gone, or asked something else. */
struct client *clients_waiting(struct supervisor *s, uint64_t question);
void clients_end(struct supervisor *s);

/* ---- control.c */
/* The watcher has answered for somebody. */
void control_explained(struct supervisor *s, const struct msg_explained *said);
/* Answers a client's question. */
void control_take(struct supervisor *s, struct client *client, const struct message *message);

/* ---- orders.c */
/* Does, or refuses, what a client wants to be done, and answers. */
void orders_take(struct supervisor *s, struct client *client, const struct message *message);
/* Replaces all processes, so that files are read again. who: for the log. */
void orders_reload(struct supervisor *s, const char *who);

/* ---- status.c */
struct status_answer {
    struct msg_status body;
    struct pack processes, leadership;
};
void status_make(const struct supervisor *s, struct status_answer *answer);
void status_free(struct status_answer *answer);
/* The objects at which workers died, as an array of maps. */
void status_pack_suspects(const struct supervisor *s, struct pack *p);
#define STATUS_TEXT_MAX 160u
/* How a process ended, for people: "exit 66: its supervisor is gone", "SIGSEGV". */
void status_text(int wait_status, char *buf, size_t size);

/* ---- loop.c */
/* Runs until the tree is finished. Returns the exit code. */
int loop_run(struct supervisor *s);
/* What every handler returns: sets the next timer; -1 when all is over. */
int loop_end_turn(struct supervisor *s);
/* SIGTERM, SIGINT or packetctl: the first stops in order, a second ends at once (gardener 66). */
void loop_stop(struct supervisor *s, const char *who);

#endif
