/* tests/world/run.h -- one world as a value to be opened, run and closed, and what is set beside its seed. */
#ifndef TESTS_WORLD_RUN_H
#define TESTS_WORLD_RUN_H

#include "tests/world/world.h"

enum sieve_pattern {
    SIEVE_NONE, /* only counts the boundaries */
    SIEVE_KILL_WATCHER,
    SIEVE_KILL_GATEWAY,
    SIEVE_KILL_WORKER,
    SIEVE_KILL_POD,
    SIEVE_UNOBSERVED, /* the watch is away while the user changes the object, and the past is compacted */
    SIEVE_STALE,      /* the watch shows the last versions again */
    SIEVE_LATE,       /* the watch shows nothing for a while, the user goes on */
    SIEVE_PATTERNS
};

struct settings {
    unsigned objects;    /* 0: drawn from the seed */
    uint64_t off;        /* bits of plan.c's features that are switched off */
    int64_t busy_ms;     /* 0: drawn */
    bool trace, verbose; /* keep the last lines of the way; print all */
    bool script;
    bool sieve; /* one object's life, without other faults (sieve.c) */
    enum sieve_pattern pattern;
    uint64_t boundary; /* where the pattern happens */
};

void world_open(struct world *world, uint64_t seed, const struct settings *settings);
/* Until all is as wished, or something is not as it must be: then world->violation says what. */
void world_run(struct world *world);
void world_close(struct world *world);

/* plan.c: features that can be switched off, by name; NULL after the last. */
void plan_draw(struct world *world, const struct settings *settings);
const char *plan_feature(unsigned n);
bool plan_has(const struct world *world, unsigned feature);

/* shrink.c: finds less of a failing seed that still fails, and prints the way there. */
void shrink_print(uint64_t seed, const struct settings *settings);

/* script.c: prints the world's script. Returns whether it went well. */
bool script_print(uint64_t seed, const struct settings *settings);

/* sieve.c */
void sieve_start(struct world *world, const struct settings *settings);
/* Every pattern at every boundary. Returns whether all went well. */
bool sieve_all(bool verbose);

#endif
