/* watcher/core/calls.h -- one HTTP request under way, for whom it is, and when it is sent again. Owned by
 * requests.c; private to core/. */
#ifndef WATCHER_CORE_CALLS_H
#define WATCHER_CORE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

struct job;

enum call_kind {
    CALL_LIST,
    CALL_SECRET,
    CALL_CLUSTER,
    CALL_OBJECT,
    CALL_PATCH,
    CALL_FETCH,
    CALL_QUARANTINE,
    CALL_NOTE,
    CALL_NOTE_AGAIN,
    CALL_EXPLAIN,
    CALL_LEASE_READ,
    CALL_LEASE_CREATE,
    CALL_LEASE_UPDATE,
    CALL_BEAT_READ,
    CALL_BEAT_CREATE,
    CALL_BEAT_PATCH
};

struct call {
    struct call *next;
    uint64_t id;
    enum call_kind kind;
    struct job *job; /* NULL: of no job, or of one that is over; the answer is dropped then */
    char *path, *body;
    int64_t start_before; /* CLOCK_BOOTTIME ms; of a write that needs leadership also as election.c says */
    int64_t end_before;
    bool fresh;
    int64_t resend_ms; /* when it is sent again; 0 while it is under way */
    unsigned tries;
    uint64_t seq, correlation; /* of the worker's PATCH or FETCH */
    uint64_t list;             /* the reflector's list it belongs to */
    uint64_t question;         /* of EXPLAIN ... */
    char *about;               /* ... and its key; NULL for all others */
};

#endif
