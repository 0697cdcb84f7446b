/* worker/core/job.h -- one job as a value, everything of it visible in one place, and what the core's files
 * call of each other. Includes nothing of a shell. Private to worker/core. */
#ifndef WORKER_CORE_JOB_H
#define WORKER_CORE_JOB_H

#include "worker/core/plan.h"
#include "worker/core/state.h"
#include "worker/core/worker.h"

#define FOUND_MAX   64u /* the gateway names no more */
#define REMOVE_MAX  (FOUND_MAX + OBSOLETE_MAX + 2u)
#define NAME_SIZE   (LIMIT_NAME + 1)
#define OBJECT_SIZE (2 * LIMIT_NAME + 2)

/* Own pauses and patience, milliseconds (each rule's source beside it). */
#define CREATE_TRIES_MAX  4u    /* first and three more after an unknown outcome; pauses in make.c */
#define UNKNOWN_LATER_MS  5000  /* then the job waits in the queue, without an Error */
#define FORCE_DELETE_MS   10000 /* force delete is bounded (design 5, 12.6) */
#define SEND_MARGIN_MS    5000  /* an intent is used up this much before ATTEMPT_SEND_S */
#define CONFLICTS_MAX     5u    /* 409s of one patch before the run starts anew */
#define TIMESTAMP_AHEAD_S 3600  /* gardenlet's clock is believed this far ahead of ours (gardener 27) */

struct found_key {
    char id[ID_SIZE];
    char created[40];
    char fingerprint[FINGERPRINT_SIZE];
    bool label, blob, recorded;
    unsigned owner;
};

/* The answer to a SEARCH. */
struct found {
    bool arrived;
    unsigned outcome;
    uint64_t wait_ms;
    int64_t sent_s, arrived_s; /* wall clock: the list is from between them */
    int64_t sure_since_s; /* the gateway knows the end of all it has sent for the label since; 0: of none */
    struct found_key keys[FOUND_MAX];
    unsigned n_keys;
};

enum write_kind { WRITE_NONE, WRITE_META, WRITE_PROCESSING, WRITE_STATE, WRITE_ERROR, WRITE_SUCCEEDED };
enum call_kind { CALL_NONE, CALL_CREATE, CALL_ROTATE, CALL_RETAG, CALL_REMOVE };

/* Where the effect stands; the order is the order of time. */
enum phase {
    PHASE_START,
    PHASE_CLEAR,  /* obsolete keys that hold our material go first */
    PHASE_KEY,    /* CREATE, UPDATE or nothing */
    PHASE_RECORD, /* the new id and what is to go are written down */
    PHASE_REMOVE,
    PHASE_OVER
};

/* What a step came to. */
enum progress { GO_ON, WAIT, ENDING };

struct job {
    uint64_t id, handle, epoch;
    char ns[NAME_SIZE], name[NAME_SIZE], object[OBJECT_SIZE];
    char label[LIMIT_LABEL + 1], secret_name[OBJECT_SIZE], project[ID_SIZE], recorded_project[ID_SIZE],
        shoot_uid[ID_SIZE];
    unsigned secret;
    bool force;
    bool check;           /* it looks for drift (check.c) */
    int64_t absent_since; /* seconds; the first complete list without the open attempts, 0 = none */
    int64_t started_ms;

    struct view view;
    int64_t generation; /* of the spec that is being applied (gardener 79) */
    enum operation operation;
    const struct flow *flow;
    unsigned step;
    struct pubkey key;
    struct state state;
    struct failure failure; /* cause CAUSE_NONE: none so far */

    /* what is under way; sequence number 0: nothing */
    uint64_t patch_seq, fetch_seq, search_seq, call_seq;
    enum write_kind writing;
    unsigned writing_meta, conflicts;
    int64_t wake_ms; /* pause before the next CREATE, 0 = none */
    enum call_kind call;
    char call_id[ID_SIZE];

    /* the effect */
    struct found found;
    enum phase phase;
    char current[ID_SIZE];            /* the key that stands with our material */
    bool fresh_id;                    /* current is to be shown in the provider status */
    char remove[REMOVE_MAX][ID_SIZE]; /* keys to delete */
    unsigned n_remove, next_remove, n_clear, next_clear;
    bool create_instead; /* the change in place was refused: make before break */
    unsigned creates;
    bool retagged;      /* tags and label were repaired, or Packet would not have them */
    bool intending;     /* the patch that is built next carries the intent */
    int64_t intent_ms;  /* CLOCK_BOOTTIME of the intent written in this run, 0 = none */
    bool intent_before; /* an older run had left the same intent */
    int64_t intent_before_s;
    bool learned;               /* an id was recorded in this run that its grant does not name */
    bool open;                  /* a mutation of this run has no definite outcome */
    bool ahead;                 /* that it is so was written down */
    bool unsure;                /* the key stands, but some request for it has no known end */
    int64_t unsettled_before_s; /* state.unsettled_s as the job came */
    int64_t effect_started_ms;

    /* the end, once it is decided */
    bool ending;
    struct msg_done done;
    char summary[LIMIT_TEXT];
    char warning[256]; /* to become an Event, "" = none */
};

struct worker_core {
    struct worker_ops ops;
    uint64_t incarnation, epoch;
    uint64_t next_seq, next_correlation, jobs_done, ignored;
    bool gone; /* GO has come */
    bool draining;
    struct job *job; /* NULL between jobs */
    struct instant now;
};

/* ---- job.c */
/* Reads JOB and decides what is to be done. Returns NULL when the object is none (then the job is skipped).
 * Owned by the caller: job_free(). */
struct job *job_new(const struct msg_job *msg, uint64_t epoch, struct instant now);
void job_free(struct job *job);
bool job_has_credentials(const struct job *job);
bool job_makes(const struct job *job);

/* ---- flow.c: the walk through the steps */
void flow_start(struct worker_core *core);
/* Goes on until something is awaited or the job has ended (core->job is NULL then). */
void flow_run(struct worker_core *core);
/* The run ends so; after_ms for JOB_LATER. An intent of this run that came to nothing is taken back first. */
enum progress flow_end(struct worker_core *core, enum job_result result, uint64_t after_ms,
                       const char *summary);
/* The run ends at once: nothing more can or may be written. */
void flow_stop(struct worker_core *core, enum job_result result, uint64_t after_ms, const char *summary);
/* The run ends with an Error patch and backoff. Force delete goes on instead. */
enum progress flow_fail(struct worker_core *core, enum cause cause);
/* What SEARCH, CREATE, UPDATE and REMOVE have in common when they did not do what was asked. */
enum progress flow_call_failed(struct worker_core *core, unsigned outcome, uint64_t wait_ms);

/* ---- write.c: patches and their answers */
/* Sends the patch and waits: always returns WAIT. */
enum progress write_start(struct worker_core *core, enum write_kind kind, unsigned meta);
void write_reply(struct worker_core *core, const struct msg_reply *reply);
/* Whether a PATCH_META of these changes would change anything. */
unsigned write_meta_needed(const struct job *job, unsigned meta);

/* ---- patch.c: bodies */
void patch_meta(struct pack *p, const struct job *job, unsigned meta);
void patch_processing(struct pack *p, const struct job *job, int64_t wall_ms);
void patch_state(struct pack *p, const struct job *job);
/* What the sentences about the job's failure name. */
struct failure_words patch_words(const struct job *job);
void patch_error(struct pack *p, const struct job *job, int64_t wall_ms);
void patch_succeeded(struct pack *p, const struct job *job, int64_t wall_ms);

/* ---- ask.c: messages out */
void ask_idle(struct worker_core *core);
void ask_search(struct worker_core *core);
void ask_create(struct worker_core *core);
void ask_update(struct worker_core *core, enum call_kind kind, const struct found_key *key);
void ask_remove(struct worker_core *core, const char *id);
void ask_patch(struct worker_core *core, bool status, const struct pack *body);
void ask_fetch(struct worker_core *core);
void ask_note(struct worker_core *core, bool warning, const char *reason, const char *message);
void ask_done(struct worker_core *core);

/* ---- make.c: the effect of Create, Reconcile and Restore */
enum progress make_run(struct worker_core *core);
enum progress make_outcome(struct worker_core *core, const struct msg_outcome *outcome);

/* ---- remove.c: the effect of Delete, and the removals of the others */
enum progress remove_run(struct worker_core *core);
/* The next of job->remove up to `limit`; GO_ON when all are gone. */
enum progress remove_next(struct worker_core *core, unsigned *next, unsigned limit);
enum progress remove_outcome(struct worker_core *core, const struct msg_outcome *outcome);
void remove_add(struct job *job, const char *id);
/* Force delete goes on without having removed everything: what may be left is named in an Event. */
void remove_give_up(struct worker_core *core, enum cause cause);
/* Is one REMOVE all that is needed (design 12.8)? */
bool remove_is_single(const struct job *job);

/* ---- check.c: does Packet still hold what was left there? GO_ON: it does not, and the steps of a Reconcile
 * follow. */
enum progress check_run(struct worker_core *core);

/* ---- keys.c: whose a found key is */
bool keys_read(struct found *found, const struct msg_found *msg);
bool key_is_ours(const struct job *job, const struct found_key *key);
/* A list that misses the recorded key is no proof: it may lag. The key counts as one to be changed in place,
 * and the gateway proves the absence before anything is created (packet 5.3, C-28). */
void keys_expect(struct job *job);
/* The key that is to be the current one, or NULL. */
const struct found_key *keys_current(const struct job *job);
/* The key of ours to be changed in place, or NULL. */
const struct found_key *keys_rotatable(const struct job *job);
/* A key with our material that we must not touch, or NULL. */
const struct found_key *keys_foreign(const struct job *job);
/* The key turned out to be gone. */
void keys_forget(struct job *job, const char *id);

/* ---- attempts.c: the rules of design 12.2 */
/* Is an attempt of other material than ours (or of any, when we want no key) open? */
bool attempts_others_open(struct job *job);
/* After a complete list: drops the attempts whose result is seen or that cannot come any more. Returns 0 when
 * none but our own is left, else the milliseconds to wait. */
uint64_t attempts_settle(struct worker_core *core);
/* May the older attempt of our own material still come? */
bool attempts_own_is_open(struct worker_core *core, uint64_t *wait_ms);
/* Writes the intent into the state (not yet to the API server), with the present time. */
void attempts_intend(struct worker_core *core);
/* Does the state say all that must be said before a POST or PUT of the material goes out? */
bool attempts_may_send(const struct worker_core *core);
/* A POST or PUT of the material is known to have taken effect; seen: by finding the key, so that it tells the
 * end of one request, which need not be the last. unsure: the gateway lost sight of one itself. */
void attempts_took_effect(struct job *job, bool seen, bool unsure);
/* The run is over or its outcome is known: what remains of our own intent. */
void attempts_close(struct worker_core *core, bool success);

/* ---- config.c */
/* Checks spec.providerConfig and takes the key from it when the spec has none. warning: room for a sentence
 * that is to become an Event; "" when there is nothing to tell. */
enum cause config_check(struct value spec, struct pubkey *key, char *warning, size_t size);

#endif
