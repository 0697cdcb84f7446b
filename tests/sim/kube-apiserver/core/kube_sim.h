/* tests/sim/kube-apiserver/core/kube_sim.h -- the simulated Kubernetes API server as plain C.
 * Owns objects, the one revision counter, the history of events and the fault rules. Never touches a socket,
 * a clock or static state; callers are the stand-alone server, tests/world and the unit tests. */
#ifndef TESTS_SIM_KUBE_APISERVER_CORE_KUBE_SIM_H
#define TESTS_SIM_KUBE_APISERVER_CORE_KUBE_SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/sim.h"

struct kube_sim;
struct kube_watch;

struct kube_sim_user {
    const char *token;
    const char *user;
};

enum kube_audit_stage {
    KUBE_AUDIT_STARTED, /* a watch has begun; everything else has no such record */
    KUBE_AUDIT_COMPLETE /* the answer is decided, or the watch was closed */
};

/* One request as an audit log tells it. Strings are never NULL and live for the call only. */
struct kube_audit {
    enum kube_audit_stage stage;
    const char *user; /* "system:anonymous" when nobody is configured */
    const char *verb; /* get list watch create update patch delete deletecollection; else the method */
    const char *group;
    const char *version;
    const char *resource; /* "" when the path names none */
    const char *ns;
    const char *name;
    const char *subresource;
    const struct sim_request *request; /* NULL when a watch is closed */
    const char *uri;                   /* path and query of the request */
    const char *user_agent;
    int code;                  /* 0: the connection was dropped or hung without an answer */
    uint64_t id;               /* counts requests; STARTED and COMPLETE of one watch share it */
    int64_t received_ms;       /* wall clock when the request came */
    int64_t stage_ms;          /* wall clock of this record; equal to received_ms unless a watch ends */
    unsigned long long events; /* how many events a watch has delivered */
};

typedef void kube_audit_fn(void *ctx, const struct kube_audit *record);

/* What can be changed while the server runs (/_sim/config, config.c). The core obeys watch_list and
 * watch_max_ms; the others are carried out by whoever sends the bytes. */
struct kube_sim_switches {
    bool watch_list;       /* sendInitialEvents is known; else it is refused as a server without it does */
    unsigned watch_max_ms; /* every watch ends after that; 0: as the client asks */
    unsigned bookmark_ms;  /* between two bookmarks of a watch */
    unsigned latency_ms;   /* every answer is held back for so long */
    size_t split_bytes;    /* watches are sent in chunks of 1 to so many bytes; 0: as they come */
    size_t gzip_min;       /* answers of that size are compressed when the client allows it */
    bool gzip_watch;       /* watches too, each event a gzip member of its own */
};

extern const struct kube_sim_switches kube_sim_defaults;

struct kube_sim_config {
    uint64_t seed;                     /* of the uids */
    uint64_t first_revision;           /* the counter starts here; 0 means 1 */
    size_t history;                    /* events kept for watches; 0 means 4096 */
    const struct kube_sim_user *users; /* none: every request is allowed as system:anonymous */
    size_t n_users;
    const char *git_version; /* of /version; NULL means v1.34.0 */
    kube_audit_fn *audit;    /* may be NULL */
    void *audit_ctx;
    const struct kube_sim_switches *switches; /* NULL: the defaults */
};

/* The configuration is copied, strings too. Never NULL. Holds the namespaces default and kube-system. */
struct kube_sim *kube_sim_new(const struct kube_sim_config *config, int64_t wall_ms);
/* Every watch must have been closed. */
void kube_sim_free(struct kube_sim *sim);

/* Answers everything but a watch. wall_ms: milliseconds since 1970, used for timestamps and for faults with a
 * time span. The caller frees the answer with sim_answer_clear(). */
void kube_sim_handle(struct kube_sim *sim, const struct sim_request *request, int64_t wall_ms,
                     struct sim_answer *answer);

/* Whether the request must go to kube_sim_watch(). */
bool kube_sim_is_watch(const struct sim_request *request);
/* Opens a watch, or returns NULL and the refusal in *answer. The watch borrows nothing of the request. */
struct kube_watch *kube_sim_watch(struct kube_sim *sim, const struct sim_request *request, int64_t wall_ms,
                                  struct sim_answer *answer);

/* The next event as one line of JSON with its newline, valid until the next call for the same watch; NULL
 * when there is none now. After a NULL ask kube_watch_ended(). */
const char *kube_watch_next(struct kube_watch *watch, size_t *len);
/* A BOOKMARK line with the newest revision this watch has reached, or NULL when the client did not ask for
 * bookmarks or events are still waiting. */
const char *kube_watch_bookmark(struct kube_watch *watch, size_t *len);
/* Whether the stream is over: an ERROR event was delivered, a fault cut it, or wall_ms is past
 * timeoutSeconds. */
bool kube_watch_ended(const struct kube_watch *watch, int64_t wall_ms);
/* How the stream ends: SIM_ANSWER for a clean end, SIM_RESET for a cut. */
enum sim_fate kube_watch_fate(const struct kube_watch *watch);
/* Wall time at which the server ends the watch. */
int64_t kube_watch_deadline_ms(const struct kube_watch *watch);
/* Milliseconds the headers are to be held back (fault "delay"). */
unsigned kube_watch_delay_ms(const struct kube_watch *watch);
void kube_watch_close(struct kube_watch *watch, int64_t wall_ms);

/* Changes whenever an open watch may have something new to send. */
uint64_t kube_sim_news(const struct kube_sim *sim);
/* Makes every watch that allows bookmarks send one as soon as it has caught up. */
void kube_sim_bookmark_all(struct kube_sim *sim);

/* As they are now. */
const struct kube_sim_switches *kube_sim_switches(const struct kube_sim *sim);

/* The newest revision; changes with every stored write. */
uint64_t kube_sim_revision(const struct kube_sim *sim);
/* Forgets the history up to and including revision: watches and continue tokens from before it get 410. */
void kube_sim_compact(struct kube_sim *sim, uint64_t revision);

/* Registers the resource of a CustomResourceDefinition, as a POST of it would. 0, or -1 when it is refused.
 */
int kube_sim_load_crd(struct kube_sim *sim, const json_t *crd, int64_t wall_ms);

/* Stores an object whole (status, finalizers and labels too) as if somebody with every right had written it:
 * creates or replaces. Missing uid, creationTimestamp and generation are filled in; validation, namespaces
 * and locks are not looked at. Returns the new revision, 0 when the kind is unknown or there is no name. */
uint64_t kube_sim_put(struct kube_sim *sim, const json_t *object, int64_t wall_ms);
/* The stored object, borrowed until the next write; NULL when absent. ns "" for cluster scope. */
const json_t *kube_sim_get(struct kube_sim *sim, const char *group, const char *plural, const char *ns,
                           const char *name);
/* A new array with the stored objects in key order; ns NULL for all namespaces. The caller decrefs. */
json_t *kube_sim_list(struct kube_sim *sim, const char *group, const char *plural, const char *ns);
/* Removes an object at once, finalizers or not. false when it is absent. */
bool kube_sim_remove(struct kube_sim *sim, const char *group, const char *plural, const char *ns,
                     const char *name);

/* Adds one fault rule; see faults.c for the keys. 0, or -1 when a key is wrong. */
int kube_sim_add_fault(struct kube_sim *sim, const json_t *rule, int64_t wall_ms);
void kube_sim_clear_faults(struct kube_sim *sim);

#endif
