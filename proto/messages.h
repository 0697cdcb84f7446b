/* proto/messages.h -- the one list of messages between our processes. Ids, structs, encoder, decoder, limits,
 * names in traces, docs/protocol.md, the fuzz corpus and the round-trip tests all come from it. Ids and tags
 * are never reused. To add a message: one *_FIELDS list, one row in PROTO_MESSAGES; nothing else knows the
 * shapes. */
#ifndef PROTO_MESSAGES_H
#define PROTO_MESSAGES_H

#include "proto/contract.h"
#include "proto/supervision.h"
#include "proto/value.h"

#define PROTO_VERSION   1u
#define PROTO_FRAME_MAX (4u * 1024u * 1024u) /* an object of etcd's 1.5 MiB, and room around it */

/* ---- limits: bytes of text and data, or the largest number
 * --------------------------------------------------------- */
#define LIMIT_ID     UINT32_MAX              /* incarnations, jobs, handles, sequence numbers */
#define LIMIT_MS     (1000ull * 86400 * 365) /* milliseconds, up to a year */
#define LIMIT_TIME   253402300799ull         /* seconds since 1970, up to the year 9999 */
#define LIMIT_NAME   253u                    /* a Kubernetes name or namespace */
#define LIMIT_UUID   64u                     /* a uid or a Packet id */
#define LIMIT_LABEL  300u                    /* "<namespace>-ssh-publickey" */
#define LIMIT_TEXT   1024u                   /* a sentence for people */
#define LIMIT_TOKEN  4096u                   /* an API token */
#define LIMIT_KEY    16384u                  /* one line of authorized_keys */
#define LIMIT_OBJECT (2u * 1024u * 1024u)    /* an Infrastructure as msgpack */
#define LIMIT_PATCH  (64u * 1024u)           /* a patch, small by design (kubernetes 8.4) */
#define LIMIT_LIST   (256u * 1024u)          /* keys found, rows of status */
#define LIMIT_ENUM   255u
#define LIMIT_CALLS  1000u /* of one job to Packet */
/* With its envelope it fills the 8 KiB in which libzmq gathers what it sends, whatever stands before it
 * there, and is not so long that it would be sent past them. */
#define LIMIT_COVER   8160u
#define LIMIT_HOLDER  512u /* holderIdentity of a Lease */
#define LIMIT_VERSION 512u /* what a suspect looked like: uid, generation, and what else makes it another */

/* How a job's Secret looked to the watcher. The worker turns it into words and a code (gardener 13, 15). */
enum secret_state {
    SECRET_USABLE,      /* GRANT was made */
    SECRET_MISSING,     /* 404 */
    SECRET_EMPTY,       /* no data at all */
    SECRET_NO_TOKEN,    /* no, or empty, apiToken */
    SECRET_NO_PROJECT,  /* no, or empty, projectID */
    SECRET_BAD_TOKEN,   /* control characters, or over LIMIT_TOKEN */
    SECRET_BAD_PROJECT, /* projectID is no UUID */
    SECRET_WORKLOAD     /* WorkloadIdentity: config and token instead of an API token */
};

/* What a call to Packet came to. The worker's table turns it into a Gardener code, a sentence and a time
 * (gardener 15). */
enum outcome {
    OUTCOME_OK,
    OUTCOME_GONE,            /* proven absent (packet 5.3); for UPDATE and REMOVE */
    OUTCOME_REFUSED,         /* 422 and no key of ours with this material: content, or another owner's key */
    OUTCOME_UNAUTHENTICATED, /* 401 */
    OUTCOME_UNAUTHORIZED,    /* 403 */
    OUTCOME_NO_PROJECT,      /* 404 from the API itself on the project's list */
    OUTCOME_LATER,           /* budget, 429 or circuit breaker: wait_ms says how long; nothing was sent */
    OUTCOME_TRANSIENT,       /* 5xx, time-out, no connection; nothing was changed */
    OUTCOME_UNKNOWN,         /* a mutation was sent and no list has shown its result: an open attempt */
    OUTCOME_MISCONFIGURED,   /* redirect, TLS name, HTML instead of the API */
    OUTCOME_FENCED,          /* the epoch, the grant or the deadline was over: nothing was sent */
    OUTCOME_NOT_GRANTED,     /* outside the job's grant: our own error */
    OUTCOME_BUG              /* 400, 405, 415 ...: our own error */
};

/* What a job wants of Packet's budget for; the earlier one is served first (design 6, 12.6). */
enum lane {
    LANE_DELETE,
    LANE_CREATE, /* also any other change */
    LANE_READ,   /* to see that all is as it was left */
    LANE_DRIFT,  /* the same, and nobody waits for it */
    LANES
};

/* Whose a found key is, by its tags (design 5, 12.9). */
enum key_owner { OWNER_UNTAGGED, OWNER_US, OWNER_OTHER };

/* How a job ended. */
enum job_result {            /* job_result_name() in contract.h has the words */
                  JOB_DONE,  /* success: forget the failures */
                  JOB_RETRY, /* failed and reported: back off (kubernetes 32) */
                  JOB_LATER, /* again after after_ms; no failure, no strike (design 12.6) */
                  JOB_AGAIN, /* the object changed under us: start anew at once with a fresh read
                                (design 12.1) */
                  JOB_SKIP,  /* nothing was to be done */
                  JOB_HELD /* failed and reported, and only a change of the object can help (kubernetes 35) */
};

/* What a check for drift came to (design 12.12); also in DONE.check. */
enum check_result {
    CHECK_NONE, /* it was no check, or there was nothing to compare */
    CHECK_SAME,
    CHECK_FOUND, /* the job has turned into a repair */
    CHECK_FAILED,
    CHECKS
};

enum patch_target { PATCH_META, PATCH_STATUS };

/* ---- fields:  tag  type  name        limit         need
 * ------------------------------------------------------------ u64: a number; may = absent, and then 0. str:
 * text without control characters in names (may = absent, and then no span). bin: bytes. val: one msgpack
 * value, checked for depth and shape.                                              */

/* watcher and worker */
#define IDLE_FIELDS(F, S) F(S, 1, u64, jobs_done, LIMIT_ID, may)
#define JOB_FIELDS(F, S)                                                                                     \
    F(S, 1, u64, job, LIMIT_ID, must)                                                                        \
    F(S, 2, str, ns, LIMIT_NAME, must)                                                                       \
    F(S, 3, str, name, LIMIT_NAME, must)                                                                     \
    F(S, 4, u64, handle, LIMIT_ID, may)                                                                      \
    F(S, 5, val, object, LIMIT_OBJECT, must)                                                                 \
    F(S, 6, u64, secret, LIMIT_ENUM, may)                                                                    \
    F(S, 7, str, secret_name, 2 * LIMIT_NAME + 1, may)                                                       \
    F(S, 8, str, project, LIMIT_UUID, may)                                                                   \
    F(S, 9, str, shoot_uid, LIMIT_UUID, may)                                                                 \
    F(S, 10, u64, force_delete, 1, may)                                                                      \
    F(S, 11, u64, absent_since, LIMIT_TIME, may)                                                             \
    F(S, 12, str, terraform_key, LIMIT_UUID, may)                                                            \
    F(S, 13, u64, check, 1, may)
#define STARTED_FIELDS(F, S) F(S, 1, u64, job, LIMIT_ID, must)
#define PATCH_FIELDS(F, S)                                                                                   \
    F(S, 1, u64, job, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 3, u64, target, 1, may)                                                                             \
    F(S, 4, str, resource_version, 64, must)                                                                 \
    F(S, 5, val, body, LIMIT_PATCH, must)
#define FETCH_FIELDS(F, S)                                                                                   \
    F(S, 1, u64, job, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, seq, LIMIT_ID, must)
#define REPLY_FIELDS(F, S)                                                                                   \
    F(S, 1, u64, job, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 3, u64, code, 999, may)                                                                             \
    F(S, 4, str, reason, LIMIT_NAME, may)                                                                    \
    F(S, 5, str, message, LIMIT_TEXT, may)                                                                   \
    F(S, 6, val, object, LIMIT_OBJECT, may)
#define NOTE_FIELDS(F, S)                                                                                    \
    F(S, 1, u64, job, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, warning, 1, may)                                                                            \
    F(S, 3, str, reason, 128, must)                                                                          \
    F(S, 4, str, message, LIMIT_TEXT, must)
#define DONE_FIELDS(F, S)                                                                                    \
    F(S, 1, u64, job, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, result, LIMIT_ENUM, may)                                                                    \
    F(S, 3, u64, after_ms, LIMIT_MS, may)                                                                    \
    F(S, 4, u64, absent_since, LIMIT_TIME, may)                                                              \
    F(S, 5, str, summary, LIMIT_TEXT, may)                                                                   \
    F(S, 6, u64, check, LIMIT_ENUM, may)

/* watcher and packet-gateway, on the credentials endpoint */
#define GRANT_FIELDS(F, S)                                                                                   \
    F(S, 1, u64, handle, LIMIT_ID, must)                                                                     \
    F(S, 2, u64, worker, LIMIT_ID, must)                                                                     \
    F(S, 3, str, token, LIMIT_TOKEN, must)                                                                   \
    F(S, 4, str, project, LIMIT_UUID, must)                                                                  \
    F(S, 5, str, label, LIMIT_LABEL, must)                                                                   \
    F(S, 6, str, owner, 2 * LIMIT_NAME + 1, must)                                                            \
    F(S, 7, val, ids, LIMIT_LIST, must)                                                                      \
    F(S, 8, u64, write_until, LIMIT_MS * 100, may)                                                           \
    F(S, 9, u64, lane, LANES - 1, may)                                                                       \
    F(S, 10, u64, calls, LIMIT_CALLS, may)                                                                   \
    F(S, 11, u64, patience_ms, LIMIT_MS, may)                                                                \
    F(S, 12, u64, end_until, LIMIT_MS * 100, may)
#define GRANTED_FIELDS(F, S)                                                                                 \
    F(S, 1, u64, handle, LIMIT_ID, must)                                                                     \
    F(S, 2, u64, outcome, LIMIT_ENUM, may)                                                                   \
    F(S, 3, u64, wait_ms, LIMIT_MS, may)
#define EXTEND_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, write_until, LIMIT_MS * 100, must)                                                          \
    F(S, 2, u64, end_until, LIMIT_MS * 100, must)
#define REVOKE_FIELDS(F, S)  F(S, 1, u64, handle, LIMIT_ID, must)
#define REVOKED_FIELDS(F, S) F(S, 1, u64, handle, LIMIT_ID, must)
#define COME_FIELDS(F, S)    F(S, 1, str, owner, 2 * LIMIT_NAME + 1, must)
#define COVER_FIELDS(F, S)   F(S, 1, bin, filler, LIMIT_COVER, must)

/* worker and packet-gateway */
#define SEARCH_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, handle, LIMIT_ID, must)                                                                     \
    F(S, 2, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 3, str, key, LIMIT_KEY, may)
#define FOUND_FIELDS(F, S)                                                                                   \
    F(S, 1, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, outcome, LIMIT_ENUM, may)                                                                   \
    F(S, 3, u64, http, 999, may)                                                                             \
    F(S, 4, str, request_id, 128, may)                                                                       \
    F(S, 5, str, detail, LIMIT_TEXT, may)                                                                    \
    F(S, 6, u64, wait_ms, LIMIT_MS, may)                                                                     \
    F(S, 7, val, keys, LIMIT_LIST, may)                                                                      \
    F(S, 8, u64, sure_since, LIMIT_TIME, may)
#define CREATE_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, handle, LIMIT_ID, must)                                                                     \
    F(S, 2, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 3, str, key, LIMIT_KEY, must)                                                                       \
    F(S, 4, str, shoot_uid, LIMIT_UUID, may)
#define UPDATE_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, handle, LIMIT_ID, must)                                                                     \
    F(S, 2, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 3, str, id, LIMIT_UUID, must)                                                                       \
    F(S, 4, str, key, LIMIT_KEY, may)                                                                        \
    F(S, 5, u64, relabel, 1, may)                                                                            \
    F(S, 6, u64, retag, 1, may)                                                                              \
    F(S, 7, str, shoot_uid, LIMIT_UUID, may)
#define REMOVE_FIELDS(F, S)                                                                                  \
    F(S, 1, u64, handle, LIMIT_ID, must)                                                                     \
    F(S, 2, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 3, str, id, LIMIT_UUID, must)
#define OUTCOME_FIELDS(F, S)                                                                                 \
    F(S, 1, u64, seq, LIMIT_ID, must)                                                                        \
    F(S, 2, u64, outcome, LIMIT_ENUM, may)                                                                   \
    F(S, 3, u64, http, 999, may)                                                                             \
    F(S, 4, str, request_id, 128, may)                                                                       \
    F(S, 5, str, detail, LIMIT_TEXT, may)                                                                    \
    F(S, 6, u64, wait_ms, LIMIT_MS, may)                                                                     \
    F(S, 7, str, id, LIMIT_UUID, may)                                                                        \
    F(S, 8, u64, adopted, 1, may)                                                                            \
    F(S, 9, u64, unsure, 1, may)                                                                             \
    F(S, 10, u64, maybe, 1, may)

/* ---- the list:  id  NAME   struct   from   to   what it says (docs/protocol.md takes this sentence)
 * ------------------- */
#define PROTO_MESSAGES(M)                                                                                    \
    M(1, READY, ready, WATCHER | WORKER | GATEWAY | EXPORTER, SUPERVISOR,                                    \
      "confined and able to work; sent once, last thing of the start")                                       \
    M(2, BEAT, beat, WATCHER | WORKER | GATEWAY | EXPORTER, SUPERVISOR,                                      \
      "alive, from the work loop, and what it is doing")                                                     \
    M(3, PEER, peer, SUPERVISOR, WATCHER | WORKER | GATEWAY,                                                 \
      "a sibling with this pid is up; frames are taken from it from now on")                                 \
    M(4, PEER_OK, peer_ok, WATCHER | WORKER | GATEWAY, SUPERVISOR, "the sibling is known here")              \
    M(5, PEER_GONE, peer_gone, SUPERVISOR, WATCHER | GATEWAY, "the sibling is dead and reaped")              \
    M(6, GO, go, SUPERVISOR, WATCHER | WORKER, "everybody knows everybody; begin, in this epoch")            \
    M(7, EPOCH_OVER, epoch_over, SUPERVISOR, GATEWAY, "send nothing more that belongs to this epoch")        \
    M(8, EPOCH_CLOSED, epoch_closed, GATEWAY, SUPERVISOR, "nothing of that epoch will be sent any more")     \
    M(9, DRAIN, drain, SUPERVISOR, WATCHER | WORKER | GATEWAY | EXPORTER,                                    \
      "finish what is running and leave")                                                                    \
    M(10, LEAVING, leaving, WATCHER | WORKER | GATEWAY | EXPORTER, SUPERVISOR,                               \
      "ends by itself, with this code")                                                                      \
    M(11, END_WORKER, end_worker, WATCHER | GATEWAY, SUPERVISOR,                                             \
      "this worker does not answer, or sends what no worker sends; end it")                                  \
    M(12, LEADERSHIP, leadership, WATCHER, SUPERVISOR, "who holds the leader Lease, and until when we do")   \
    M(13, ASK_HEALTH, ask_health, WATCHER, SUPERVISOR, "do the others answer? A heartbeat is due")           \
    M(14, HEALTH, health, SUPERVISOR, WATCHER, "who has shown life a moment ago")                            \
    M(15, SUSPECT, suspect, WATCHER, SUPERVISOR,                                                             \
      "this is held against an object, also by the next watcher; no strikes: nothing is")                    \
    M(16, SUSPECTED, suspected, SUPERVISOR, WATCHER, "that was held against an object by a watcher before")  \
    M(17, RELEASE, release, SUPERVISOR, WATCHER, "an operator lets this object out of quarantine")           \
    M(18, HOLD, hold, SUPERVISOR, WATCHER, "begin no job until told otherwise, or begin again")              \
    M(19, LOGLEVEL, loglevel, SUPERVISOR, WATCHER | WORKER | GATEWAY | EXPORTER,                             \
      "the least level that is logged from now on")                                                          \
    M(20, IDLE, idle, WORKER, WATCHER, "credit for one job")                                                 \
    M(21, JOB, job, WATCHER, WORKER, "reconcile this object")                                                \
    M(22, STARTED, started, WORKER, WATCHER, "the job has arrived")                                          \
    M(23, PATCH, patch, WORKER, WATCHER, "write this to the job's object, locked by resource version")       \
    M(24, FETCH, fetch, WORKER, WATCHER, "read the job's object afresh")                                     \
    M(25, REPLY, reply, WATCHER, WORKER, "the API server's answer to PATCH or FETCH")                        \
    M(26, NOTE, note, WORKER, WATCHER, "an Event about the job's object")                                    \
    M(27, DONE, done, WORKER, WATCHER, "the job has ended, and when it is to be run again")                  \
    M(30, RETRY, retry, SUPERVISOR, WATCHER, "an operator wants this object to be reconciled now")           \
    M(31, EXPLAIN, explain, SUPERVISOR, WATCHER, "an operator asks what is with this object, or all")        \
    M(32, EXPLAINED, explained, WATCHER, SUPERVISOR, "that is with it, and its latest runs")                 \
    M(40, GRANT, grant, WATCHER, GATEWAY,                                                                    \
      "this worker may act on this label in this project with this token")                                   \
    M(41, GRANTED, granted, GATEWAY, WATCHER, "the grant stands, or the object has to wait until COME")      \
    M(42, REVOKE, revoke, WATCHER, GATEWAY, "the job is over; forget the grant")                             \
    M(43, REVOKED, revoked, GATEWAY, WATCHER, "nothing is under way for that grant any more")                \
    M(44, COME, come, GATEWAY, WATCHER, "there is budget for this object now; held for a few seconds")       \
    M(45, COVER, cover, WATCHER, GATEWAY,                                                                    \
      "nothing: it takes the place of the GRANTs in the buffers that they passed through")                   \
    M(48, EXTEND, extend, WATCHER, GATEWAY, "the Lease was renewed: writes may start until then")            \
    M(50, SEARCH, search, WORKER, GATEWAY, "which keys of the project concern this job?")                    \
    M(51, FOUND, found, GATEWAY, WORKER, "the keys of a complete list, or why there is none")                \
    M(52, CREATE, create, WORKER, GATEWAY,                                                                   \
      "make sure that a key with the grant's label and this material exists")                                \
    M(53, UPDATE, update, WORKER, GATEWAY, "change this key in place")                                       \
    M(54, REMOVE, remove, WORKER, GATEWAY, "delete this key")                                                \
    M(55, OUTCOME, outcome, GATEWAY, WORKER, "what CREATE, UPDATE or REMOVE came to")                        \
    M(60, ASK_STATUS, ask_status, CONTROL | EXPORTER, SUPERVISOR, "how are all processes?")                  \
    M(61, STATUS, status, SUPERVISOR, CONTROL | EXPORTER, "how all processes are")                           \
    M(62, ASK_STOP, ask_stop, CONTROL, SUPERVISOR, "stop in order")                                          \
    M(63, STOPPING, stopping, SUPERVISOR, CONTROL, "stopping, at the latest within this time")               \
    M(64, ASK_RESTART, ask_restart, CONTROL, SUPERVISOR, "replace the processes of a role")                  \
    M(65, RESTARTING, restarting, SUPERVISOR, CONTROL,                                                       \
      "so many are being replaced; 0: none, a stop is under way")                                            \
    M(66, ASK_QUARANTINE, ask_quarantine, CONTROL, SUPERVISOR, "which objects are in quarantine, and why?")  \
    M(67, QUARANTINE, quarantine, SUPERVISOR, CONTROL,                                                       \
      "the objects with strikes, the quarantined among them")                                                \
    M(68, ASK_RELEASE, ask_release, CONTROL, SUPERVISOR,                                                     \
      "let this object out of quarantine, or all of them")                                                   \
    M(69, RELEASED, released, SUPERVISOR, CONTROL, "so many were let out")                                   \
    M(70, ASK_SCALE, ask_scale, CONTROL, SUPERVISOR, "run so many workers from now on")                      \
    M(71, ASK_HOLD, ask_hold, CONTROL, SUPERVISOR, "begin no job until told otherwise, or begin again")      \
    M(72, ASK_LOGLEVEL, ask_loglevel, CONTROL, SUPERVISOR, "the least level that everybody logs")            \
    M(73, ASK_RETRY, ask_retry, CONTROL, SUPERVISOR, "reconcile this object now")                            \
    M(74, AGREED, agreed, SUPERVISOR, CONTROL, "it is being done, or why not")                               \
    M(75, ASK_EXPLAIN, ask_explain, CONTROL, SUPERVISOR, "what is with this object? Without one: what ran?") \
    M(76, EXPLANATION, explanation, SUPERVISOR, CONTROL, "the watcher's answer, or why there is none")

/* ---- everything below is derived
 * ---------------------------------------------------------------------------------- */
typedef uint64_t proto_u64;
typedef struct span proto_str;
typedef struct span proto_bin;
typedef struct value proto_val;

#define AS_ID(id, NAME, name, from, to, says) MSG_##NAME = (id),
enum msg_id { PROTO_MESSAGES(AS_ID) };
#undef AS_ID

#define AS_MEMBER(S, tag, type, name, limit, need) proto_##type name;
#define AS_STRUCT(id, NAME, name, from, to, says)                                                            \
    struct msg_##name {                                                                                      \
        NAME##_FIELDS(AS_MEMBER, name)                                                                       \
    };
PROTO_MESSAGES(AS_STRUCT)
#undef AS_STRUCT

union msg_body {
#define AS_ARM(id, NAME, name, from, to, says) struct msg_##name name;
    PROTO_MESSAGES(AS_ARM)
#undef AS_ARM
};

/* Travels with every message. All zero but the ids where it does not matter. */
struct envelope {
    uint64_t from;        /* the sender's incarnation; 0 for packetctl, which has none */
    uint64_t to;          /* the receiver's incarnation: a frame for a predecessor is dropped (design 12.3) */
    uint64_t correlation; /* (sender's incarnation << 32) + its counter; answers carry the question's */
    uint64_t epoch;       /* the leadership epoch of a mutation, else 0 */
    uint64_t deadline_ms; /* CLOCK_BOOTTIME: not to be acted on later; 0 = none */
};

enum field_type { TYPE_u64, TYPE_str, TYPE_bin, TYPE_val };
enum field_need { NEED_may, NEED_must };

struct field_spec {
    uint8_t tag;
    const char *name;
    enum field_type type;
    enum field_need need;
    uint64_t limit;
    size_t offset; /* of the member in the message's struct */
};

struct msg_spec {
    uint16_t id;
    const char *name;
    unsigned from, to; /* sets of enum role */
    const char *says;
    const struct field_spec *fields;
    size_t n_fields;
};

/* A decoded message. body borrows from the frame. */
struct message {
    const struct msg_spec *spec;
    struct envelope envelope;
    union msg_body body;
};

/* The whole list, in order, for tests, traces and the protocol page. */
const struct msg_spec *msg_specs(size_t *count);
const struct msg_spec *msg_find(uint64_t id);
const char *outcome_name(unsigned outcome);

#endif
