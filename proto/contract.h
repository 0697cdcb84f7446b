/* proto/contract.h -- what the supervisor and its children have agreed on: roles, environment names,
 * endpoints, exit codes and time-outs. Each number stands here and nowhere else; time-outs that contain each
 * other are written so. */
#ifndef PROTO_CONTRACT_H
#define PROTO_CONTRACT_H

#include <stdint.h>

/* Built with sanitizers (make SAN=1): they reserve terabytes, and their reports need files, another program
 * and ptrace. So there are no memory limits and more system calls then, and processes stay dumpable. */
#ifdef SANITIZED
#define SANITIZED_BUILD 1
#else
#define SANITIZED_BUILD 0
#endif

/* Bits, so that a message's row can name a set of senders. */
enum role {
    SUPERVISOR = 1u << 0,
    WATCHER = 1u << 1,
    WORKER = 1u << 2,
    GATEWAY = 1u << 3,
    EXPORTER = 1u << 4,
    CONTROL = 1u << 5 /* packetctl, through the control socket */
};

/* The supervisor is the only one of its kind and takes its children with it; they count from 2. */
#define SUPERVISOR_INCARNATION 1u

/* "watcher", "packet-gateway", ...; "?" for a value that is no single role. */
const char *role_name(unsigned role);

/* Of DONE: "done", "retry", ...; "?" for a value that is no result. */
const char *job_result_name(uint64_t result);

/* ---- endpoints: file names in the runtime directory (0700)
 * ------------------------------------------------------- */
#define ENDPOINT_BUS     "bus.sock"     /* supervisor listens; every child connects */
#define ENDPOINT_CONTROL "control.sock" /* supervisor listens; packetctl connects */
#define ENDPOINT_JOBS    "jobs.sock"    /* watcher listens; workers connect */
#define ENDPOINT_CALLS   "calls.sock"   /* packet-gateway listens; workers connect */
#define ENDPOINT_CREDENTIALS                                                                                 \
    "credentials.sock" /* packet-gateway listens; only the watcher connects (design 12.5) */

/* ---- environment of a child: these names, the options below and nothing inherited but PATH, HOME, TZ and
 * the proxies */
#define ENV_ROLE           "PROVIDER_PACKET_ROLE"
#define ENV_SLOT           "PROVIDER_PACKET_SLOT"
#define ENV_INCARNATION    "PROVIDER_PACKET_INCARNATION"
#define ENV_SUPERVISOR_PID "PROVIDER_PACKET_SUPERVISOR_PID"
#define ENV_RUNTIME_DIR    "PROVIDER_PACKET_RUNTIME_DIR"
#define ENV_CLOCK          "PROVIDER_PACKET_CLOCK" /* clock_origin() of the supervisor; without it, the child's */
#define ENV_BLACKBOX       "PROVIDER_PACKET_BLACKBOX" /* descriptor of its black box (base/blackbox.h) */
#define ENV_IDENTITY       "PROVIDER_PACKET_IDENTITY" /* the supervisor's in leader election; the watcher's */
/* + a name: what the supervisor found in its own environment, for the watcher to hand to an exec plugin */
#define ENV_GIVEN_PREFIX "PROVIDER_PACKET_GIVEN_"
#define ENV_OWN_PREFIX   "PROVIDER_PACKET_" /* of all of these */
#define ENV_OPTION_PREFIX                                                                                    \
    "PROVIDER_PACKET_OPT_" /* + the flag's name, '-' as '_': PROVIDER_PACKET_OPT_packet_url */

/* ---- time-outs, milliseconds
 * ---------------------------------------------------------------------------------------- */
#define BEAT_EVERY_MS       2000                       /* each child beats from its work loop */
#define BEAT_MISSED_MS      (2 * BEAT_EVERY_MS + 1000) /* silent this long: SIGABRT */
#define ABORT_TO_KILL_MS    500                        /* time for the backtrace, then SIGKILL */
#define START_DEADLINE_MS   10000                      /* fork to READY */
#define STARTED_DEADLINE_MS 1000                       /* JOB to STARTED (design 12.17) */
#define JOB_MOVE_MS         10000 /* the worker's own thinking time for one move (design 12.7) */
#define PACKET_CALL_MS      30000 /* one HTTP request to Packet, whole (packet C-9) */
#define KUBE_CALL_MS        30000 /* one HTTP request to Kubernetes that is no watch (kubernetes 51) */
#define JOB_WALL_MS         (4 * (PACKET_CALL_MS + KUBE_CALL_MS)) /* a job longer than this is ended by an answer */
#define STOP_WORKERS_MS     15000                                 /* ordered stop: running jobs may end */
#define STOP_REST_MS        5000                                  /* then the watcher and the gateway */
#define STOP_ALL_MS         (STOP_WORKERS_MS + STOP_REST_MS + 5000) /* below 30 s (gardener 66) */
#define EPOCH_CLOSE_MS      5000 /* the gateway must close an epoch within this, or is ended itself */

/* How long an object's terms-th quarantine lasts: a minute, doubled each time, an hour at most. */
int64_t quarantine_term_ms(uint64_t terms);

/* So many frames that no process of this version sends, and their sender is ended. */
#define BAD_FRAMES_MAX 8u

/* ---- open attempts (design 12.2), seconds of wall clock
 * -------------------------------------------------------------- */
/* An intent older than this is not sent any more; the worker and the gateway both refuse. */
#define ATTEMPT_SEND_S 20
/* After the last moment at which it could be sent, a request may take effect this much later: its own
 * time-out, two minutes in a network or a proxy after its sender died, and a margin. */
#define ATTEMPT_SETTLE_S (PACKET_CALL_MS / 1000 + 120 + 10)
/* The two complete lists that show an attempt's absence lie at least this far apart. */
#define ATTEMPT_LISTS_S 10

/* ---- exit codes
 * ------------------------------------------------------------------------------------------------------- */
/*   code NAME            sentence (what happened and what to do) */
#define EXIT_CODES(X)                                                                                        \
    X(0, EXIT_OK, "ended as asked")                                                                          \
    X(64, EXIT_FLAGS, "the command line is wrong; see --help")                                               \
    X(65, EXIT_PROTOCOL,                                                                                     \
      "received frames that no sibling of this version sends; are all binaries of one build?")               \
    X(66, EXIT_ORPHANED, "its supervisor is gone")                                                           \
    X(67, EXIT_MEMORY, "no memory left; raise the pod's limit or lower --workers")                           \
    X(68, EXIT_CONFINE, "could not confine itself; the kernel or the container runtime forbids it")          \
    X(69, EXIT_SOCKET,                                                                                       \
      "could not open its socket in the runtime directory; is it writable and on a local disk?")             \
    X(70, EXIT_BUG, "found its own state broken; please report this with the log")                           \
    X(78, EXIT_CONFIG, "the configuration is wrong; the line before this one says where")                    \
    X(79, EXIT_LEASE_LOST, "lost the leader Lease and stopped at once")                                      \
    X(80, EXIT_HELPER, "its helper process for exec plugins ended")                                          \
    X(81, EXIT_UNSYNCED, "could not list the objects within --cache-sync-timeout-seconds; the log says why") \
    X(127, EXIT_EXEC, "could not be executed; is the libexec folder complete?")

enum exit_code {
#define AS_EXIT(code, NAME, sentence) NAME = code,
    EXIT_CODES(AS_EXIT)
#undef AS_EXIT
};

/* The sentence for a code, or "ended with an unknown code". Static text. */
const char *exit_sentence(int code);

#endif
