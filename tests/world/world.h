/* tests/world/world.h -- the whole tree in one program: every role's core, both API servers' cores, a virtual
 * clock and a network that loses, delays and repeats. One seed gives one run. Owns the state of one world;
 * knows no real time. */
#ifndef TESTS_WORLD_WORLD_H
#define TESTS_WORLD_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "proto/codec.h"
#include "tests/sim/kube-apiserver/core/kube_sim.h"
#include "tests/sim/packet-api/core/packet_sim.h"

#define WORLD_OBJECTS  20u
#define WORLD_LISTS    1024u /* more requests than are sent while one is under way */
#define WORLD_WORKERS  3u
#define WORLD_PROCS    (2u + WORLD_WORKERS) /* watcher, packet-gateway, workers */
#define WORLD_PEERS    (WORLD_PROCS + 1u)
#define WORLD_TRACE    400u /* lines kept of the way to a violation */
#define WORLD_MADE     256u
#define WORLD_START_MS INT64_C(1767225600000) /* the virtual clock begins on 2026-01-01 */

/* ---- random numbers: splitmix64, the same on every machine ---- */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
/* 0 .. below-1 */
uint64_t rng_below(struct rng *rng, uint64_t below);
/* true in per_mille of 1000 draws */
bool rng_chance(struct rng *rng, unsigned per_mille);

/* ---- events ---- */
struct world;
struct event {
    int64_t at;                                            /* boot_ms */
    uint64_t seq;                                          /* order among events of one moment */
    bool (*run)(struct world *world, struct event *event); /* true: it has posted itself again */
    uint64_t life;                                         /* of the process or pod it belongs to */
    int64_t waited;                                        /* how long it has been put off */
    uint64_t a, b, c, d;                                   /* meaning is run's */
    char *data;                                            /* owned by the event, freed after run */
    size_t len;
    char text[384];
};

struct heap {
    struct event **items;
    size_t count, space;
    uint64_t next_seq;
};
/* A fresh event at now + delay_ms. */
struct event *event_post(struct world *world, int64_t delay_ms, bool (*run)(struct world *, struct event *));
/* Puts a running event off; run must then return true. */
void event_again(struct world *world, struct event *event, int64_t delay_ms);
struct event *heap_pop(struct heap *heap);
void heap_free(struct heap *heap);

/* ---- processes ---- */
#define WORLD_STREAMS 2u /* enum watcher_stream */

struct peer {
    uint64_t incarnation;
    unsigned role;
    uint64_t slot;
};

struct proc {
    struct world *world;
    unsigned role;
    uint64_t slot;
    uint64_t life; /* counts starts and deaths: an event of an earlier life sees that it is one */
    uint64_t job, handle, epoch; /* of a worker's last JOB, and its namespace */
    char ns[64];
    bool alive, ready;
    uint64_t incarnation;
    int64_t pid;
    void *core;
    struct peer peers[WORLD_PEERS];
    unsigned n_peers;
    int64_t stopped_until; /* SIGSTOP */
    struct kube_watch *watch[WORLD_STREAMS];
    uint64_t watch_id[WORLD_STREAMS];
};

struct tree;

/* ---- what the world does to its inhabitants, drawn from the seed; per mille ---- */
struct plan {
    bool ignore_operation;
    unsigned kube_fault, kube_twice;
    unsigned packet_fault, packet_slow;
    unsigned packet_out_ms; /* Packet does not answer at all from the first second on; 0: it does */
    unsigned slow_frame;
    unsigned kill_every_ms; /* 0: nobody is killed */
    unsigned stop_every_ms; /* 0: nobody is stopped */
    unsigned watch_break_every_ms;
    bool leases;               /* the pod leads by a Lease, and loses it now and then */
    bool pod_identity;         /* the next supervisor has the same identity (a container in the same pod) */
    bool rival;                /* another pod waits for the Lease */
    unsigned outage_every_ms;  /* the API server answers nobody for a while */
    unsigned freeze_every_ms;  /* the whole tree is stopped, the supervisor too */
    bool no_streams;           /* the API server knows no streaming lists */
    unsigned slow_connect;     /* per mille: a request waits for its connection */
    unsigned list_lag_ms;      /* of Packet's lists */
    unsigned packet_rate;      /* calls each second that Packet takes, 0: any number ... */
    bool packet_tells;         /* ... and its headers say so */
    int64_t busy_ms;           /* users and faults act this long, then all is quiet */
    bool moves;                /* control planes move to another seed and back, see moves.c */
    bool twins;                /* two Shoots with one public key */
    bool other_project;        /* Secrets name another project for a while */
    unsigned check_every_ms;   /* --drift-check-interval-seconds; 0: off */
    unsigned quarantine_after; /* --quarantine-after; 0: never */
    unsigned vandal_every_ms;  /* somebody changes keys at Packet */
    unsigned clock_step_every_ms;
    bool crash_loop; /* watcher and gateway die in their first moment, most times */
    bool rogue;      /* a worker has been broken into, see rogue.c */
};

/* What its users want of an object. */
struct wish {
    bool exists;
    unsigned key; /* index of the material; 0: no key */
    bool moving;  /* between seeds: it may be gone while its key stays */
    bool twin;    /* it was given another Shoot's key */
    bool foreign; /* its Secret names another project just now */
    /* Packet refused to change its key, as another has that material: a second one is made before the first
     * goes (design 5). */
    enum { ONE_KEY, MAY_BE_TWO, ARE_TWO } keys;
};

/* Who a key was made for. */
struct made {
    char id[40];
    unsigned object;
};

/* A list on the wire. */
struct list_seen {
    uint64_t life, id, number;
    int64_t at;
};

/* A question of a worker, and how many lists had been sent when it came. */
struct search_seen {
    uint64_t correlation, lists_sent;
};

/* The one thing that happens, and where (sieve.c). */
struct sieve {
    bool on;
    uint64_t count, at; /* message boundaries so far */
    unsigned pattern, stage;
};

struct world {
    struct sieve sieve;
    uint64_t seed;
    struct rng rng;
    struct plan plan;
    struct instant now;
    struct heap heap;
    bool quiet; /* users and faults have ended */

    struct kube_sim *kube;
    struct packet_sim *packet;
    uint64_t last_revision, last_commits; /* of both services, and when one of them changed last */
    int64_t last_change_ms;

    int64_t kube_gone_until; /* an outage of the API server */
    int64_t frozen_until;    /* the supervisor is stopped */
    int64_t missed_ms[2];    /* since when there is no watcher, no gateway; 0: there is */
    int64_t skew_ms;         /* of the pod's wall clock, and as it was when the pod started */
    int64_t started_skew_ms;
    unsigned unreaped;        /* workers that are dead and that the supervisor has not been told of */
    uint64_t deaths;          /* of workers at their own account, since this watcher lives */
    uint64_t lease_revisions; /* of last_revision those that are about Leases alone */
    int64_t lease_changed_ms; /* the leader Lease's last change */
    uint64_t losses;          /* watchers that ended because they lost it */
    char identity[48];

    struct tree *tree;
    uint64_t pod_life; /* counts supervisors */
    int64_t next_pid;
    struct proc procs[WORLD_PROCS];
    int64_t link_free_at[WORLD_PROCS + 1][WORLD_PROCS + 1]; /* frames of one link keep their order */

    uint64_t post_life[WORLD_OBJECTS]; /* gateway that has a POST under way for the object, 0: none */
    uint64_t post_id[WORLD_OBJECTS];   /* and the request's number */
    int64_t unknown_at[WORLD_OBJECTS]; /* when its last POST ended without a valid answer, -1: it did not */
    struct list_seen lists[WORLD_LISTS];
    struct search_seen searches[WORLD_LISTS]; /* the last of each worker */
    uint64_t lists_sent, list_at_hand;        /* number of the one just answered, 0: none came back whole */
    int64_t listed_at; /* when the latest that came back whole was asked for, and by which gateway */
    uint64_t listed_life;

    uint64_t refused_life; /* gateway that got a 429, and when */
    int64_t refused_ms;
    uint64_t told_life; /* gateway that has heard of the rate */
    int64_t stray_ms;   /* when a request ran last of which the gateway that counts does not know */

    struct made made[WORLD_MADE]; /* the last keys that were posted */
    unsigned n_made;

    unsigned n_objects;
    struct wish wishes[WORLD_OBJECTS];
    unsigned next_key;

    uint64_t steps, kills, posts, stale_frames, comes;
    char violation[768];
    char (*trace)[900];
    unsigned trace_next;
    bool tracing, verbose, script;
};

/* Notes a line of the way here. */
void world_trace(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last lines of the way here, on stdout. */
void world_print_trace(const struct world *world);
/* An invariant is broken; the first one counts. */
void world_violation(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the pod's clocks say: servers and users have the true time. */
struct instant world_clock(const struct world *world);

/* moves.c: gardenlet moves an object to another seed (gardener 7) */
void moves_begin(struct world *world, unsigned object);

/* vandals.c: changes behind everybody's back, at Packet and in Secrets */
#define VANDAL_LABEL "vandal"
void vandals_start(struct world *world);

/* rogue.c: a worker that asks for what is not its job's (design 12.5) */
void rogue_job(struct world *world, const struct proc *worker);

/* pod.c */
void pod_start(struct world *world);
void pod_free(struct world *world);
void pod_tick(struct world *world);
/* Ends with this status of waitpid; reaped a moment later. */
void proc_end(struct world *world, struct proc *proc, int status);
int64_t pod_next_ms(const struct world *world);
/* Dies without a word; the supervisor reaps it a moment later. */
void proc_kill(struct world *world, struct proc *proc);
/* The supervisor dies, and everything with it; the next pod starts after a second. */
void pod_kill(struct world *world);
struct proc *proc_at(struct world *world, unsigned role, uint64_t slot);
/* Whether an event for `life` of this process may run now; puts the event off while the process is stopped.
 */
enum due { DUE_NOW, DUE_LATER, DUE_NEVER };
enum due proc_due(struct world *world, const struct proc *proc, uint64_t life, struct event *event);

/* net.c */
void net_send(struct world *world, unsigned from_role, uint64_t from_slot, uint64_t from_incarnation,
              unsigned to_role, uint64_t to_slot, uint64_t to_incarnation, enum msg_id id, const void *body,
              const struct envelope *envelope);
void proc_peer_add(struct proc *proc, uint64_t incarnation, unsigned role, uint64_t slot);
const struct peer *proc_peer(const struct proc *proc, uint64_t incarnation);

/* kube.c, kube_watch.c, packet.c: the links to both servers */
struct watcher_request;
void kube_start(struct world *world);
void kube_request(struct world *world, struct proc *watcher, const struct watcher_request *request);
void kube_watch_open(struct world *world, struct proc *watcher, unsigned stream, const char *path);
void kube_watch_stop(struct world *world, struct proc *watcher, unsigned stream);
/* The stream breaks off. */
void kube_watch_break(struct world *world);
/* As a user: a request with every right, carried out at once. Returns the status. */
int kube_admin(struct world *world, const char *method, const char *path, const char *body);
/* After any write: events are on their way to the watch. */
void kube_pump_soon(struct world *world);

struct gateway_request;
#define WORLD_PROJECT "6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10"
#define WORLD_OTHER   "0f9d7a44-52c1-4d0e-8f5e-7b2f6f0f9d11"
#define WORLD_TOKEN   "world-token"
void packet_start(struct world *world);
void packet_request(struct world *world, struct proc *gateway, const struct gateway_request *request);

/* posts.c: design 12.2, seen from the wire: no POST after one of unknown outcome without a list in between */
void posts_sent(struct world *world, const struct proc *gateway, const struct gateway_request *request);
struct gateway_result;
void posts_answered(struct world *world, const struct proc *gateway, const struct gateway_result *result);

/* reads.c: design 12.11, seen from both sides of the gateway: no question is answered from an earlier list */
void reads_sent(struct world *world, const struct proc *gateway, const struct gateway_request *request);
void reads_answered(struct world *world, const struct proc *gateway, const struct gateway_result *result);
void reads_asked(struct world *world, uint64_t worker, const struct message *message);
void reads_told(struct world *world, uint64_t worker, enum msg_id id, const void *body,
                const struct envelope *envelope);

/* object.c, users.c */
#define WORLD_INFRA "/apis/extensions.gardener.cloud/v1alpha1/namespaces/%s/infrastructures"
/* POSTs the object with these annotations (JSON). Returns the status. */
int object_post(struct world *world, unsigned object, const char *annotations);
/* A merge patch of the object, or of its status; body is freed. Returns the status. */
int object_patch(struct world *world, unsigned object, bool status, char *body);
/* {"gardener.cloud/operation":operation,"gardener.cloud/timestamp":now} */
void object_annotations(struct world *world, const char *operation, char *out, size_t size);
/* Merges these annotations (JSON) into the object's. Returns the status. */
int object_annotate(struct world *world, unsigned object, const char *annotations);
void object_delete(struct world *world, unsigned object);
/* The text under a.b.c, where b and c may be NULL; "" when there is none. json may be NULL. */
const char *object_text(const json_t *json, const char *a, const char *b, const char *c);
/* Does an operation annotation stand, our finalizer, is the generation observed? */
bool object_is_annotated(const json_t *object);
bool object_has_finalizer(const json_t *object);
bool object_is_observed(const json_t *object);
/* The text of status.lastOperation's member, or "". */
const char *object_last(const struct world *world, unsigned object, const char *member);
void users_start(struct world *world);
/* The object's namespace, Secret and Cluster. */
void users_surroundings(struct world *world, unsigned object);
void user_create(struct world *world, unsigned object, unsigned key);
void user_set_key(struct world *world, unsigned object, unsigned key);
/* gardenlet asks again for what it has asked for. */
void user_ask_again(struct world *world, unsigned object);
void user_delete(struct world *world, unsigned object);
/* script.c: noted when the world is written down. */
void script_request(const struct world *world, const char *method, const char *path, const char *body,
                    int status);
void script_kill(const struct world *world, unsigned role);
/* sieve.c: a message or an event arrives. */
void sieve_boundary(struct world *world);
void object_namespace(unsigned object, char *out, size_t size);
void object_name(unsigned object, char *out, size_t size);
/* The Infrastructure as the API server has it, borrowed until the next write; NULL when there is none. */
const json_t *object_stored(const struct world *world, unsigned object);
void base64_of(const char *text, char *out);
/* The authorized_keys line of material n (n > 0), the same in every run. */
void material_line(unsigned n, char *out, size_t size);

/* leases.c: the leader Lease, who else wants it, and what it must forbid */
struct watcher_config;
void leases_config(const struct world *world, struct watcher_config *config);
void leases_plan(struct world *world);
void leases_start(struct world *world);
/* The next supervisor's identity. */
void leases_identity(struct world *world);
/* After each request to the API server. */
void leases_wrote(struct world *world, const char *method, const char *target, int status,
                  uint64_t revision_before);
/* Lets a request begin when its connection stands: mostly at once. */
void leases_connect(struct world *world, struct event *event);
/* After each step: the watcher that lost the Lease ends, as its shell does. */
void leases_settle(struct world *world);
/* A write begins now: nobody else may lead, nor be allowed to (design 12.15). */
void leases_check_write(struct world *world, const char *what);

/* chaos.c */
void chaos_start(struct world *world);

/* check.c */
void check_step(struct world *world);
/* A DELETE has removed this key. */
void check_removed(struct world *world, const char *id);
/* A PUT of this key was refused. */
void check_refused(struct world *world, const char *id);
/* Nobody is blamed for another's death (design 12.7), and nothing is known that is gone. */
void check_watcher(struct world *world, bool still);
/* Whether everything is as its users wish. why gets the first difference. */
bool check_as_wished(struct world *world, char *why, size_t size);

#endif
