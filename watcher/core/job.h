/* watcher/core/job.h -- a job, the worker that has it, and what is held against an object at which workers
 * died. Part of core.h. */
#ifndef WATCHER_CORE_JOB_H
#define WATCHER_CORE_JOB_H

#include "proto/pack.h"
#include "watcher/core/cluster.h"
#include "watcher/core/queue.h"
#include "watcher/core/secret.h"

#define KEY_MAX (2 * LIMIT_NAME + 2) /* "namespace/name" and its NUL */

/* ---- workers and jobs ---- */
struct worker_slot {
    uint64_t incarnation; /* 0: free */
    bool idle;            /* has given credit for one job */
    struct job *job;
};

enum job_phase {
    PHASE_PREPARING, /* Secret, Cluster and perhaps the object are being read; the worker knows nothing yet */
    PHASE_GRANTING,  /* GRANT is with the gateway */
    PHASE_SENT,      /* JOB is with the worker, STARTED is awaited */
    PHASE_RUNNING,
    PHASE_ENDING,  /* DONE came, a write of it is still open */
    PHASE_ORPHANED /* its worker is dead: waits for its own requests and for REVOKED */
};

struct job {
    struct job *next;
    uint64_t id, handle; /* handle 0: no grant was asked for */
    enum job_phase phase;
    struct work *work; /* handed out by the queue until the job is freed */
    struct worker_slot *worker;
    struct pack object; /* the newest version that this job has seen; empty before it was read */
    struct pack fresh;  /* where an answer is converted to before it becomes `object` */
    bool have_cluster, have_secret;
    bool stale; /* an event came after `object`: read again before it is sent */
    bool revoked, gateway_died, end_asked, done;
    bool blameless;  /* its worker's death was no fault of the job */
    char cause[128]; /* how its worker died */
    bool check;      /* nobody asked for it: it looks for drift, and does nothing else (design 12.12) */
    struct cluster cluster;
    int secret; /* enum secret_state */
    char secret_name[KEY_MAX];
    struct credentials credentials; /* until GRANT */
    char project[LIMIT_UUID + 1], terraform[LIMIT_UUID + 1];
    unsigned open;          /* PATCHes under way */
    uint64_t expected_rule; /* rule hash after the PATCH under way, 0 when it does not change it */
    int64_t deadline_ms;    /* of the phase, INT64_MAX without */
    int64_t began_ms;
    struct msg_done result; /* after DONE; its texts are not kept */
};

/* ---- quarantine ---- */
#define SUSPECTS_MAX 128u

/* An object at which workers died. */
struct suspect {
    char key[KEY_MAX];               /* "" when free */
    char version[LIMIT_VERSION + 1]; /* at its last strike: another one is worth a trial */
    char cause[128];
    uint64_t strikes, terms; /* in a row; how often it was put into quarantine */
    int64_t until_ms;        /* CLOCK_BOOTTIME, the end of its quarantine; 0: it is in none */
    int64_t struck_s;        /* wall clock */
    bool told;               /* its status says so */
    bool unread;             /* watchers died at it: until then its body is not even read (design 12.13) */
};

#endif
