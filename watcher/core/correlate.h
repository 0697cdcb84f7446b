/* watcher/core/correlate.h -- what becomes of the next Event: a new one, one more of an earlier one, one of
 * many similar ones, or nothing, as client-go's recorder decides (kubernetes 7.2). Bounded tables; the entry
 * that was used longest ago gives way. Called by notes.c. */
#ifndef WATCHER_CORE_CORRELATE_H
#define WATCHER_CORE_CORRELATE_H

#include <stdbool.h>
#include <stdint.h>

#define CORRELATE_KEPT      64u
#define CORRELATE_SIMILAR   10u              /* different messages, and they are told as one Event */
#define CORRELATE_WINDOW_MS (10 * 60 * 1000) /* within which they count as similar */
#define CORRELATE_BURST     25               /* Events about one object at once */
#define CORRELATE_REFILL_MS (300 * 1000)     /* then one in so long */

/* Each entry begins with it; key 0: free. */
struct head {
    uint64_t key;
    int64_t used_ms;
};

/* An Event that was told, and may be told again. */
struct told {
    struct head head;
    uint64_t number; /* in its name */
    unsigned count;  /* how often it was told */
};

struct similar {
    struct head head; /* of object, type and reason */
    uint64_t messages[CORRELATE_SIMILAR];
    unsigned n;
};

struct allowance {
    struct head head; /* of the object */
    int64_t full_ms;  /* when all of its burst will be there again */
};

struct correlator {
    struct told told[CORRELATE_KEPT];
    struct similar similar[CORRELATE_KEPT];
    struct allowance allowances[CORRELATE_KEPT];
};

/* Keyed hashes, none of them 0: of the object, of object, type and reason, and of the message. Returns NULL
 * when the object has used up its allowance. Else the Event to tell, with count counted up: 1 for a new one,
 * to which the caller gives its number. *combined: it stands for many similar ones. */
struct told *correlate(struct correlator *correlator, uint64_t object, uint64_t group, uint64_t message,
                       int64_t now_ms, bool *combined);
/* The API server has forgotten the Event of that number: the next one is new. */
void correlate_forget(struct correlator *correlator, uint64_t number);

#endif
