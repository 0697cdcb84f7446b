/* watcher/core/core.h -- the watcher's whole state, and which file of the core does what with it. Private to
 * core/.
 *
 *   watcher.c    what comes in: messages, results, events, time     -> all below
 *   reflector.c  list and watch, versions, backoff                  -> stream.c, events.c, requests.c
 *   stream.c     the watch, and a list that comes as one            -> events.c, reflector.c
 *   events.c     one object as list or watch showed it              -> cache, admit, ahead, queue, jobs.c
 *   drift.c      when an object is looked at that nobody asked about -> queue
 *   jobs.c       who works on what                                  -> prepare.c, grants.c, job_end.c, queue
 *   job_end.c    what the end of a job means for queue and numbers  -> queue
 *   prepare.c    the reads before a job                             -> requests.c, grants.c, jobs.c,
 *                                                                      quarantine.c
 *   explain.c    what is with an object, and what ran                -> everybody, reading
 *   explain_object.c  and what it says itself                        -> nobody
 *   quarantine.c objects at which workers die                       -> requests.c, notes.c, jobs.c, queue
 *   grants.c     the gateway's side of a job                        -> jobs.c
 *   writes.c     PATCH and FETCH of workers                         -> requests.c, jobs.c
 *   notes.c      NOTE of workers, which becomes an Event            -> correlate.c, requests.c
 *   election.c   leads or stands by, until when writes may start    -> lease.c, reflector.c, heartbeat.c
 *   lease.c      the elector: a value of its own                    -> lease_ask.c, lease_record.c
 *   heartbeat.c  the heartbeat Lease, while all parts answer        -> requests.c
 *   requests.c      HTTP requests under way and their repetition       -> reflector.c, prepare.c, writes.c,
 *                                                                      notes.c, election.c, heartbeat.c */
#ifndef WATCHER_CORE_CORE_H
#define WATCHER_CORE_CORE_H

#include "base/log.h"
#include "proto/pack.h"
#include "watcher/core/admit.h"
#include "watcher/core/cache.h"
#include "watcher/core/calls.h"
#include "watcher/core/cluster.h"
#include "watcher/core/correlate.h"
#include "watcher/core/job.h"
#include "watcher/core/lease.h"
#include "watcher/core/object.h"
#include "watcher/core/queue.h"
#include "watcher/core/secret.h"
#include "watcher/core/status.h"
#include "watcher/core/version.h"
#include "watcher/core/watcher.h"

#define WORKERS_MAX 64u
#define API_GROUP   "/apis/extensions.gardener.cloud/v1alpha1"

/* ---- list and watch ---- */
enum reflector_state {
    REFLECTOR_OFF,
    REFLECTOR_STREAMING, /* a list that comes as a stream, which then is the watch */
    REFLECTOR_LISTING,   /* one by pages */
    REFLECTOR_WATCHING,
    REFLECTOR_WAITING
};

struct reflector {
    enum reflector_state state;
    bool then_watch;     /* after waiting: watch from `version` again instead of listing */
    bool synced;         /* a list has been complete (kubernetes 29) */
    int64_t began_ms;    /* since then it is tried */
    bool from_empty;     /* the next list is to ask for no version (kubernetes 2.7) */
    bool asked_version;  /* the list under way began with a version */
    bool restarted;      /* it has already begun anew because its continue token expired */
    bool by_pages;       /* a streaming list failed: by pages until one is complete */
    bool never_streamed; /* the server does not know streaming lists and does not say so */
    bool told_pages;
    unsigned streams_lost;                  /* streaming lists in a row that broke off */
    char version[VERSION_MAX];              /* last seen; "" before the first list */
    char list_version[VERSION_MAX];         /* of the list under way, from its first page */
    uint64_t complete;                      /* lists that ended */
    uint64_t list;                          /* counts lists; answers of an abandoned one are dropped */
    unsigned listed;                        /* objects of ours seen by it */
    int64_t wake_ms;                        /* end of the wait, or when a silent stream is looked at */
    int64_t watch_began_ms, watch_until_ms; /* and its latest end (kubernetes 2.8) */
    int64_t heard_ms;                       /* its last event */
    bool silent;                            /* that was long ago, which has been told */
    uint64_t watch_events;
    unsigned backoff_step;
    int64_t backoff_reset_ms;
    char trouble[64]; /* reason of the last failure, so that each change is logged once */
    uint64_t lists, watches, events, unreadable;
};

/* ---- versions known before the watch shows them ---- */
struct ahead_entry {
    char *key;
    char version[VERSION_MAX];
};

struct ahead {
    struct ahead_entry *entries;
    size_t count, room;
};

/* ---- Events ---- */
struct notes {
    struct correlator correlator;
    uint64_t last_number;                                /* in an Event's name; grows */
    uint64_t posted, failed, repeated, dropped, limited; /* since the start */
};

/* ---- heartbeat ---- */
enum beat_state { BEAT_OFF, BEAT_WAITING, BEAT_ASKED, BEAT_SENT };

struct heartbeat {
    enum beat_state state;
    int64_t wake_ms;           /* of WAITING: the next beat; of ASKED: too late for an answer */
    uint64_t asked;            /* number of the last question to the supervisor */
    char version[VERSION_MAX]; /* of the Lease as last seen, "" before */
    bool sick;                 /* told once */
    uint64_t beats;            /* since the start */
};

/* ---- drift ---- */
struct drift {
    int64_t wake_ms;      /* INT64_MAX: it is switched off, or nothing was listed yet */
    unsigned part, parts; /* of all objects, and which comes next */
};

struct watcher_core {
    struct watcher_config config;
    char *classes, *field_manager;
    struct watcher_ops ops;
    struct instant now; /* of the entry under way */
    uint64_t random;
    struct hash_key hash;
    struct admit_rules rules;
    struct cache cache;
    struct queue queue;
    struct ahead ahead;
    struct reflector reflector;
    struct notes notes;
    struct lease lease; /* ROLE_OFF for ever without an election */
    struct heartbeat heartbeat;
    struct drift drift;
    bool leading, lost;
    int64_t farewell_until_ms; /* so long the release waits for open Events; 0: it is not leaving */
    int64_t told_until; /* the end of the leadership that the gateway and the supervisor have heard of */
    char told_holder[LIMIT_HOLDER + 1];
    struct pack scratch; /* the object of the event under way */
    struct call *requests;
    struct job *jobs;
    struct worker_slot workers[WORKERS_MAX];
    uint64_t gateway; /* incarnation, 0 while there is none */
    uint64_t epoch;   /* 0 before GO */
    bool draining;
    bool held;                /* by an operator: no job is begun */
    struct explain *explain;  /* the latest ends of jobs; NULL while there was none */
    struct suspect *suspects; /* SUSPECTS_MAX, or NULL while there was none */
    uint64_t quarantines;
    uint64_t next_id; /* of calls */
    uint64_t next_job, next_handle, next_correlation;
    uint64_t jobs_started, jobs_failed, strikes, refused;
    struct measures measures;
    char doing[160];
};

/* requests.c. path and body are taken over. */
struct call *requests_start(struct watcher_core *core, enum call_kind kind, struct job *job, char *path,
                            char *body, int64_t start_before);
/* One of no job, which is given up at end_before. The answer may not come before this returns. */
struct call *requests_start_until(struct watcher_core *core, enum call_kind kind, char *path, char *body,
                                  int64_t end_before, bool fresh);
void requests_result(struct watcher_core *core, const struct watcher_result *result);
/* What is told of a request that has failed: borrowed from the result, or from *status, which it fills. */
const char *requests_error(const struct watcher_result *result, struct kube_status *status);
void requests_item(struct watcher_core *core, uint64_t id, struct text item);
/* The job's worker is gone, or has never been needed: answers to its reads are dropped, repetitions not sent.
 */
void requests_detach(struct watcher_core *core, struct job *job);
void requests_tick(struct watcher_core *core);
int64_t requests_next_ms(const struct watcher_core *core);
void requests_close(struct watcher_core *core);

/* reflector.c */
void reflector_start(struct watcher_core *core);
void reflector_item(struct watcher_core *core, const struct call *call, struct text item);
void reflector_listed(struct watcher_core *core, const struct call *call,
                      const struct watcher_result *result);
void reflector_tick(struct watcher_core *core);
/* A list by pages begins. */
void reflector_pages(struct watcher_core *core);
/* The list has shown everything: what it has not shown is gone. */
void reflector_complete(struct watcher_core *core);
/* One step of backoff, at least at_least_ms; then a watch from the last version, or a list. */
void reflector_wait(struct watcher_core *core, bool then_watch, int64_t at_least_ms);
/* Each change of what is wrong is told once (the brief of an outage, not its length). */
void reflector_trouble(struct watcher_core *core, const char *doing, const char *reason, const char *message);
void reflector_trouble_over(struct watcher_core *core);

/* stream.c */
#define COLLECTION API_GROUP "/infrastructures"
bool stream_is_open(const struct reflector *r);
/* As a list, and as a watch from the last version. */
void stream_list(struct watcher_core *core);
void stream_watch(struct watcher_core *core);
void stream_event(struct watcher_core *core, struct text event);
void stream_ended(struct watcher_core *core, int status, struct text body, int64_t retry_after_ms);
void stream_tick(struct watcher_core *core);
/* backoff.c: the next wait in ms (kubernetes 24). */
int64_t reflector_backoff(struct watcher_core *core);

/* events.c */
enum sighting { SEEN_FIRST_LIST, SEEN_RELIST, SEEN_EVENT };
void events_seen(struct watcher_core *core, enum sighting how, struct text object);
void events_deleted(struct watcher_core *core, struct text object);
/* Removes what the complete list did not show. */
void events_list_complete(struct watcher_core *core);

/* ahead.c */
void ahead_note(struct watcher_core *core, const char *key, struct span version);
/* How an event's version stands to what is known ahead of the watch; NEWER when nothing is. */
enum version_order ahead_order(const struct watcher_core *core, struct span ns, struct span name,
                               struct span version);
/* The watch has shown everything up to this version. */
void ahead_reached(struct watcher_core *core, struct span version);
void ahead_forget(struct watcher_core *core, struct span ns, struct span name);
void ahead_close(struct watcher_core *core);

/* drift.c */
void drift_start(struct watcher_core *core);
void drift_tick(struct watcher_core *core);
int64_t drift_next_ms(const struct watcher_core *core);

/* job_end.c */
void jobs_free(struct watcher_core *core, struct job *job);

/* jobs.c */
void jobs_log(enum log_level level, const struct job *job, const char *msg, const char *detail);
void jobs_pump(struct watcher_core *core);
struct job *jobs_find(struct watcher_core *core, uint64_t worker, uint64_t id);
/* A version of the key that the job has not read: true when its preparation will read it. */
bool jobs_news(struct watcher_core *core, struct span ns, struct span name);
/* Is there a job of the key, in whatever phase? */
bool jobs_under_way(struct watcher_core *core, struct span ns, struct span name);
/* Is this rule hash what a PATCH under way will bring about? */
bool jobs_expect(struct watcher_core *core, struct span ns, struct span name, uint64_t rule);
void jobs_worker_up(struct watcher_core *core, uint64_t incarnation);
void jobs_worker_gone(struct watcher_core *core, const struct msg_peer_gone *gone);
void jobs_idle(struct watcher_core *core, uint64_t worker);
void jobs_started(struct watcher_core *core, uint64_t worker, uint64_t id);
void jobs_done(struct watcher_core *core, uint64_t worker, const struct msg_done *done);
void jobs_send(struct watcher_core *core, struct job *job);
/* Ends a job that no worker has seen; its worker is idle again. delay_ms < 0: back off with a failure; else
 * wait that long without one. */
void jobs_give_back(struct watcher_core *core, struct job *job, int64_t delay_ms);
/* The same, without a failure, until COME, at the latest after delay_ms. */
void jobs_wait_budget(struct watcher_core *core, struct job *job, int64_t delay_ms);
/* How long "later" is at least. */
int64_t jobs_later(int64_t asked_ms);
/* The same, and the key is not run again before the next event. */
void jobs_give_up(struct watcher_core *core, struct job *job);
/* Frees a job of phase ENDING or ORPHANED when nothing of it is open any more. */
void jobs_settle(struct watcher_core *core, struct job *job);
void jobs_tick(struct watcher_core *core);
int64_t jobs_next_ms(const struct watcher_core *core);
void jobs_close(struct watcher_core *core);
/* Room for a new deadline of the phase. */
void jobs_phase(struct watcher_core *core, struct job *job, enum job_phase phase, int64_t within_ms);

/* prepare.c */
void prepare_start(struct watcher_core *core, struct job *job);
void prepare_read(struct watcher_core *core, const struct call *call, const struct watcher_result *result);
/* ns and name have passed object_name_ok(). Caller frees. */
char *prepare_path(struct span ns, struct span name, const char *suffix);
char *prepare_object_path(const struct job *job, const char *suffix);

/* quarantine.c */
/* The job's worker died at it. cause: a phrase that follows "because". */
void quarantine_strike(struct watcher_core *core, const struct job *job, const char *cause);
/* A run of it has come to its end: nothing is held against it any more. */
void quarantine_passed(struct watcher_core *core, const struct work *work);
/* Is the object in quarantine as it is now? Then the job is over, or writes that into the status first. */
bool quarantine_holds(struct watcher_core *core, struct job *job, const struct object *object);
void quarantine_answer(struct watcher_core *core, const struct call *call,
                       const struct watcher_result *result);
void quarantine_known(struct watcher_core *core, const struct msg_suspected *said);
void quarantine_release(struct watcher_core *core, struct span key);
/* Must its body be left alone, as watchers ended while they read it? For as long as its term lasts. */
bool quarantine_unread(struct watcher_core *core, const char *key);
/* The same before a job; true: the job is over. */
bool quarantine_keeps_unread(struct watcher_core *core, struct job *job);
/* What is held against an object, or NULL. */
const struct suspect *quarantine_find(struct watcher_core *core, const char *key);
unsigned quarantine_count(const struct watcher_core *core);

/* explain.c */
/* A job has ended. worker: who had it, 0 when nobody. result: static; text: for people. */
void explain_note(struct watcher_core *core, const struct job *job, uint64_t worker, const char *result,
                  const char *text);
/* Of one object: after it was read; of all: at once. */
void explain_take(struct watcher_core *core, const struct msg_explain *asked);
void explain_read(struct watcher_core *core, const struct call *call, const struct watcher_result *result);
void explain_close(struct watcher_core *core);

/* explain_object.c */
void explain_pack_desired(struct pack *p, const struct object *object);
void explain_pack_actual(struct pack *p, const struct object *object);

/* grants.c */
void grants_ask(struct watcher_core *core, struct job *job);
void grants_answer(struct watcher_core *core, const struct msg_granted *granted);
/* When no GRANT is under way any more, its token goes from the socket's buffer too. */
void grants_cover(struct watcher_core *core);
void grants_revoke(struct watcher_core *core, struct job *job);
void grants_revoked(struct watcher_core *core, uint64_t handle);
/* There is budget for this object now (design 12.6). */
void grants_come(struct watcher_core *core, struct span owner);
void grants_gateway_gone(struct watcher_core *core);
/* The Lease was renewed: the gateway hears until when it may start writes now. */
void grants_extend(struct watcher_core *core);

/* writes.c */
void writes_patch(struct watcher_core *core, uint64_t worker, const struct message *message);
void writes_fetch(struct watcher_core *core, uint64_t worker, const struct message *message);
/* The answer of a write that no worker asked for: its event will be an echo. */
void writes_own(struct watcher_core *core, struct job *job, struct text body);
void writes_answer(struct watcher_core *core, const struct call *call, const struct watcher_result *result);
/* Is it of another epoch, or past its deadline (design 12.15)? */
bool writes_fenced(const struct watcher_core *core, const struct message *message);

/* notes.c */
void notes_take(struct watcher_core *core, uint64_t worker, const struct message *message);
void notes_answer(struct watcher_core *core, const struct call *call, const struct watcher_result *result);
/* After how long it is sent again, or -1: when there was no answer, a few times. */
int64_t notes_again_in(struct watcher_core *core, const struct call *call,
                       const struct watcher_result *result);
unsigned notes_under_way(const struct watcher_core *core);
/* What the watcher itself has to tell of an object. */
void notes_object(struct watcher_core *core, const struct object *object, bool warning, const char *reason,
                  const char *message);
/* An Event about the leader Lease: the identity, and what it did. */
void notes_election(struct watcher_core *core, const char *did);

/* election.c */
void election_open(struct watcher_core *core);
/* GO: everybody knows everybody. */
void election_start(struct watcher_core *core);
void election_result(struct watcher_core *core, const struct watcher_result *result);
void election_event(struct watcher_core *core, struct text event);
void election_watch_ended(struct watcher_core *core, int status);
void election_tick(struct watcher_core *core);
int64_t election_next_ms(const struct watcher_core *core);
/* At the beginning of every entry: false when leadership is over, and nothing may be done any more. */
bool election_stands(struct watcher_core *core);
/* All jobs have ended after DRAIN: gives the Lease back, once. */
void election_leave(struct watcher_core *core);
bool election_left(const struct watcher_core *core);
/* CLOCK_BOOTTIME ms: writes may start before the one and must have ended before the other (design 12.15).
 * INT64_MAX without an election, 0 when not leading. */
int64_t election_write_until(const struct watcher_core *core);
int64_t election_end_until(const struct watcher_core *core);

/* heartbeat.c */
void heartbeat_start(struct watcher_core *core);
void heartbeat_stop(struct watcher_core *core);
void heartbeat_health(struct watcher_core *core, const struct msg_health *health);
void heartbeat_answer(struct watcher_core *core, const struct call *call,
                      const struct watcher_result *result);
void heartbeat_tick(struct watcher_core *core);
int64_t heartbeat_next_ms(const struct watcher_core *core);

/* allow.c: why a worker's patch is refused, or NULL when it may be sent (design 12.5). */
const char *allow_patch(uint64_t target, struct value body, const struct object *object);
/* Does the patch take off the operation annotation? */
bool allow_removes_operation(struct value body);

/* watcher.c */
void core_send(struct watcher_core *core, unsigned role, uint64_t to, enum msg_id id, const void *body,
               uint64_t correlation);
/* Is it the first, second, fourth, eighth ... failure in a row: worth a line in the log? */
bool core_worth_a_line(unsigned failures);

#endif
