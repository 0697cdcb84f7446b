/* packet-gateway/core/internal.h -- the shapes the gateway's core files share: grant, place (a lock and what
 * is known behind it), credential, call, task. Private to packet-gateway/core; nobody else includes it.
 * Everything hangs off struct gateway_core; there is no other state. */
#ifndef PACKET_GATEWAY_CORE_INTERNAL_H
#define PACKET_GATEWAY_CORE_INTERNAL_H

#include <sys/queue.h>

#include "packet-gateway/core/admission.h"
#include "packet-gateway/core/budget.h"

/* ---- limits and times of the gateway: each number once ---- */
#define GRACE_MS       10000 /* a 201 or 204 of ours outweighs lists asked for so soon (packet C-28) */
#define EVIDENCE_MS    5000  /* a list older than this is no reason to POST (design 5) */
#define LOCK_WAIT_MS   5000  /* so is a longer wait for somebody else's mutation */
#define OPEN_KEPT_MS   (1000 * (ATTEMPT_SEND_S + ATTEMPT_SETTLE_S)) /* an unknown POST is remembered */
#define TRIES_MAX      3     /* of a call that may be repeated, the first one counted */
#define TRIES_SOON_MAX 6     /* while its question is younger than ... */
#define TRIES_SOON_MS  15000 /* ... this: one call in five may fail, and no object shows an Error */
#define FAIR_CALL_MS   250   /* a call of a place counts so long ... */
#define FAIR_FREE_MS   1000  /* ... what goes beyond this puts its next one behind others ... */
#define FAIR_MOST_MS   1500  /* ... that come so much later, at most */
#define LIST_KEYS_MAX  256u  /* keys of one list that concern one object */
#define FOUND_KEYS_MAX 64u   /* of them in FOUND */
#define TRACES_MAX     64u   /* our own latest effects remembered for one label */
#define GRANT_IDS_MAX  256u
#define SWEEP_EVERY_MS 1000 /* what is remembered is looked through this often */

/* Walks a list of <sys/queue.h>; the body may not free the item it is at. */
#define EACH(item, head) for ((item) = TAILQ_FIRST(head); (item); (item) = TAILQ_NEXT(item, link))
/* The tasks that wait for a call. */
#define EACH_WAITER(item, call)                                                                              \
    for ((item) = TAILQ_FIRST(&(call)->tasks); (item); (item) = TAILQ_NEXT(item, beside))
#define EACH_TRACE(item, head) for ((item) = LIST_FIRST(head); (item); (item) = LIST_NEXT(item, link))

/* ---- a token in memory: secret.c ---- */
struct secret;
struct secret *secret_new(const char *text, size_t len);
const char *secret_text(const struct secret *secret);
void secret_free(struct secret **secret);

/* ---- a lock for (project, label) and what is known about it: locks.c ---- */
/* An effect of ours younger than GRACE_MS. */
struct trace {
    LIST_ENTRY(trace) link;
    char id[UUID_TEXT];
    bool gone; /* deleted by us; else made by us */
    struct material material;
    char created[CLOCK_TEXT_MAX];
    int64_t at_ms;
};
LIST_HEAD(traces, trace);

struct place {
    TAILQ_ENTRY(place) link;
    char project[UUID_TEXT];
    char *label;
    struct task *holder;
    unsigned tasks;        /* that refer to it */
    int64_t busy_until_ms; /* each of its calls moves this on: how many it has made of late (calls.c) */
    uint64_t mutations;    /* starts and ends of mutations here: a list is judged by it (design 12.11) */
    bool absent_known;     /* a complete list without this material ... */
    int64_t absent_ms;     /* ... whose first page was asked for then ... */
    uint64_t absent_seen;  /* ... when so many mutations were counted */
    struct material absent_material;
    const struct credential *absent_by;
    unsigned floating;         /* mutations that may still take effect: sent, and their end was never seen */
    int64_t floating_until_ms; /* then none of them can any more */
    bool open; /* a POST of this material may have been carried out, no list showed it (design 12.2) */
    int64_t open_until_ms;
    struct material open_material;
    struct traces traces; /* newest first */
};

/* ---- authority for one job: grants.c ---- */
struct grant {
    TAILQ_ENTRY(grant) link;
    uint64_t handle, worker, epoch;
    uint64_t watcher, correlation; /* who asked, for REVOKED */
    int64_t write_until_ms;        /* end of the leadership as the watcher knows it; INT64_MAX: not given */
    int64_t end_until_ms;          /* then another may lead: nothing may be under way any more; the same */
    struct credential *credential;
    double reserve;  /* calls still promised */
    unsigned beyond; /* calls made that were not promised */
    char project[UUID_TEXT];
    char *label, *owner;
    char (*ids)[UUID_TEXT]; /* room for room_ids: recorded by the object, then found ours by our own lists
                               (design 12.5) */
    unsigned n_recorded, n_ids, room_ids;
    unsigned tasks; /* that refer to it; it lives as long */
    bool listed;    /* still in the table */
    bool revoked;   /* REVOKED goes out when no task is left */
};

/* ---- one HTTP request: calls.c ---- */
enum call_state { CALL_WAITING, CALL_SENT, CALL_ANSWERED };

TAILQ_HEAD(waiters, task);

struct call {
    TAILQ_ENTRY(call) link;
    uint64_t id;
    enum call_state state;
    struct waiters tasks; /* who wants the answer, longest waiting first: one, for a list any number, or
                             nobody any more */
    struct credential *credential;
    enum lane lane;     /* the highest of its tasks */
    int64_t turn_ms;    /* of a lane the earliest goes first */
    struct start start; /* of the last time it was sent */
    const char *method;
    char *path, *body;
    bool mutation;
    int64_t ready_ms;     /* not to be started before */
    int64_t start_before; /* INT64_MAX: any time */
    unsigned tries;       /* of this page, when it is a list */
    unsigned pages;       /* of a list, read so far */
    long page;            /* number of the last page asked for */
};

/* ---- one question of a worker: tasks.c, and search.c create.c change.c ---- */
enum task_kind { TASK_SEARCH, TASK_CREATE, TASK_UPDATE, TASK_REMOVE };
enum task_step { STEP_LOCK, STEP_LIST, STEP_ACT, STEP_LIST_AFTER, STEP_LIST_REFUSED, STEP_LIST_PROOF };

struct list {
    struct found_key *keys;
    unsigned n, room;
    int64_t sent_ms;          /* first page asked for; 0: not yet sent */
    uint64_t seen;            /* place->mutations at that moment */
    bool watched_there;       /* the task's id was listed */
    int64_t watched_until_ms; /* or it was made by us a moment ago, and the list may lag until then; else 0 */
};

struct task {
    TAILQ_ENTRY(task) link;
    enum task_kind kind;
    enum task_step step;
    uint64_t asker, seq, correlation;
    struct grant *grant;
    struct place *place;
    struct call *call;
    TAILQ_ENTRY(task) beside; /* others that wait for the same call */
    int64_t called_ms;        /* it waits for the call since then */
    bool holds;               /* the place's lock */
    bool behind;              /* its object has made many calls of late */
    bool orphan;              /* nobody waits for the answer: nothing new is begun */
    bool maybe;               /* a mutation of this task may have been carried out */
    bool done;
    int64_t asked_ms, start_before;
    char *key; /* the wanted line, or NULL */
    struct material want;
    bool has_want;
    char id[UUID_TEXT];
    char *shoot_uid; /* or NULL */
    bool relabel, retag;
    unsigned rounds; /* DELETEs answered 404 while the list still has the key */
    struct list list;
    int http; /* of the answer that decided */
    char request_id[129];
    char detail[DETAIL_TEXT];
};

TAILQ_HEAD(credentials, credential);
TAILQ_HEAD(places, place);
TAILQ_HEAD(grants, grant);
TAILQ_HEAD(calls, call);
TAILQ_HEAD(tasks, task);

struct gateway_core {
    struct gateway_config config;
    const struct provider *api; /* the one that is spoken */
    char *base_path;
    struct gateway_ops ops;
    struct instant now; /* of the event being handled */
    int64_t started_steady_ms;
    uint64_t random;
    uint64_t next_call;
    unsigned under_way;       /* calls */
    uint64_t limited, probes; /* 429s; steps beyond what was known to be allowed */
    int64_t epoch_ms;         /* when this gateway, or its epoch, began */
    struct breaker breaker;
    uint64_t closed_epoch; /* this and older ones are over */
    bool draining;
    int64_t drain_until_ms;
    int64_t swept_ms;
    struct credentials credentials;
    struct places places;
    struct grants grants;
    struct calls calls;
    struct tasks tasks;
    struct admission admission;
    char doing[128];
};

/* retry.c */
/* Uniform in [0, 1), from the seed. */
double random_unit(struct gateway_core *core);
/* Wait before try number `tries` + 1: 0.1 .. 2 s, jittered. */
int64_t retry_delay_ms(struct gateway_core *core, unsigned tries);
/* Repeats the call when its class and the number of tries allow it. Returns false when they do not. */
bool retry_call(struct gateway_core *core, struct call *call, enum answer_class class);

/* locks.c */
struct place *place_get(struct gateway_core *core, const char *project, const char *label);
/* Gives free places to the tasks that have waited longest; says whether any task moved. */
bool locks_hand_out(struct gateway_core *core);
void lock_release(struct task *task);
int64_t locks_next_ms(const struct gateway_core *core);
void place_made(struct gateway_core *core, struct place *place, const char *id,
                const struct material *material, const char *created);
void place_changed(struct place *place, const char *id, const struct material *material);
void place_gone(struct gateway_core *core, struct place *place, const char *id);
/* The trace outweighs a list that was asked for then, however late it came (packet C-28). */
bool trace_counts(const struct trace *trace, int64_t asked_ms);
/* Deleted by us, says a trace that outweighs such a list. */
bool place_is_gone(const struct place *place, const char *id, int64_t asked_ms);
/* A mutation was sent whose end is not known; it may take effect until it has settled (design 12.2). */
void place_floats(struct gateway_core *core, struct place *place);
/* A list has shown what one of them did. */
void place_landed(struct place *place);
/* Is there one whose end nobody has seen? */
bool place_is_unsure(const struct gateway_core *core, const struct place *place);
/* The same at that moment: a list tells of the time when it was asked for. */
bool place_was_unsure(const struct place *place, int64_t at_ms);
void place_open(struct gateway_core *core, struct place *place, const struct material *material);
bool place_is_open(const struct gateway_core *core, const struct place *place,
                   const struct material *material);
/* May a POST go out without another list? (design 12.4, packet C-20, C-21) */
bool place_absent(const struct gateway_core *core, const struct task *task);
void place_note_absent(struct task *task);
/* Fair between objects: a place has one call at a time, so that within a lane they take turns. One that has
 * made many of late, like an object with a hundred obsolete keys, goes behind those that come so much later,
 * and its deletes wait with the creates. */
int64_t place_behind_ms(const struct gateway_core *core, const struct place *place);
/* A call of it was sent. */
void place_called(const struct gateway_core *core, struct place *place);
void locks_sweep(struct gateway_core *core);
void locks_free(struct gateway_core *core);

/* grants.c */
void grants_answer_grant(struct gateway_core *core, uint64_t from, const struct message *message);
void grants_answer_revoke(struct gateway_core *core, uint64_t from, const struct message *message);
/* EXTEND: the watcher's Lease was renewed. */
void grants_move_end(struct gateway_core *core, uint64_t from, const struct msg_extend *extend);
struct grant *grant_find(struct gateway_core *core, uint64_t handle);
/* Recorded ids only, or also those our own lists showed to be ours. */
bool grant_has_id(const struct grant *grant, const char *id, bool found_too);
void grant_learn_id(struct grant *grant, const char *id);
void grants_worker_gone(struct gateway_core *core, uint64_t worker);
void grants_epoch_over(struct gateway_core *core, uint64_t epoch);
/* A task of this grant has ended. */
void grant_unref(struct gateway_core *core, struct grant *grant);
void grants_free(struct gateway_core *core);

/* calls.c */
void call_answer(struct gateway_core *core, const struct gateway_result *result);
/* Queues a request of this task. path and body are handed over. */
void call_ask(struct gateway_core *core, struct task *task, const char *method, char *path, char *body);
/* Queues a GET of a list's first page, or joins one of the same path and credential that has not been sent
 * yet, never one that was sent (design 12.11). path is handed over. */
void call_ask_list(struct gateway_core *core, struct task *task, char *path);
void call_repeat(struct gateway_core *core, struct call *call, int64_t delay_ms);
/* The next page of a list, for all that wait for it. path is handed over. */
void call_turn(struct gateway_core *core, struct call *call, char *path);
/* Takes the task off its call. One that is under way stays in the table for its answer, for others too. */
void call_abandon(struct gateway_core *core, struct task *task);
bool calls_start(struct gateway_core *core);
int64_t calls_next_ms(const struct gateway_core *core);
bool calls_mutation_under_way(const struct gateway_core *core);
void calls_free(struct gateway_core *core);

/* tasks.c */
void tasks_answer_ask(struct gateway_core *core, uint64_t from, const struct message *message);
void task_begin(struct gateway_core *core, struct task *task);
/* The answer to a POST, PUT or DELETE. */
void task_acted(struct gateway_core *core, struct task *task, const struct answer *answer);
/* A complete list is in task->list; answer is that of its last page. */
void task_listed(struct gateway_core *core, struct task *task, const struct answer *answer);
/* Takes status, request id and sentence of an answer for the reply; does not overwrite those of a mutation
 * whose outcome is unknown. */
void task_note(struct task *task, const struct answer *answer);
void task_finish(struct gateway_core *core, struct task *task, enum outcome outcome);
/* Ends with what the class says, or UNKNOWN when a mutation may have been carried out, or LATER in a pause.
 */
void task_fail(struct gateway_core *core, struct task *task, enum answer_class class);
void task_finish_id(struct gateway_core *core, struct task *task, const char *id, bool adopted);
/* Nothing was sent by this call; wait_ms for LATER. */
void task_refuse(struct gateway_core *core, struct task *task, enum outcome outcome, int64_t wait_ms);
/* The asker is gone: what was sent goes on, nothing else does (design 12.4). */
void task_orphan(struct gateway_core *core, struct task *task);
bool task_sent_mutation(const struct task *task);
void tasks_drain(struct gateway_core *core);
void tasks_sweep(struct gateway_core *core);
void tasks_free(struct gateway_core *core);

/* reply.c */
void reply_outcome(struct gateway_core *core, const struct task *task, enum outcome outcome, int64_t wait_ms,
                   const char *id, bool adopted);
void reply_found(struct gateway_core *core, const struct task *task, enum outcome outcome, int64_t wait_ms);

/* list.c */
void list_begin(struct gateway_core *core, struct task *task, enum task_step step);
/* One page, for every task that waits for it: repeats what may be repeated, asks for the next page, or hands
 * the complete list to the tasks; ends them when it could not be had. */
void list_answer(struct gateway_core *core, struct call *call, const struct answer *answer);
void list_clear(struct list *list);

/* search.c, create.c, change.c: begin once the lock is held, then one call per answer or complete list */
void search_begin(struct gateway_core *core, struct task *task);
void search_listed(struct gateway_core *core, struct task *task, const struct answer *answer);
void create_begin(struct gateway_core *core, struct task *task);
void create_acted(struct gateway_core *core, struct task *task, const struct answer *answer);
void create_listed(struct gateway_core *core, struct task *task, const struct answer *answer);
void change_begin(struct gateway_core *core, struct task *task);
void change_acted(struct gateway_core *core, struct task *task, const struct answer *answer);
void change_listed(struct gateway_core *core, struct task *task, const struct answer *answer);

#endif
