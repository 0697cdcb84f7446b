/* tests/world/coverage.c -- counts the pairs of (what a job is doing, what happens meanwhile). Counts for the
 * whole program, not for one world. Called wherever the world does something to its inhabitants. */
#include "tests/world/coverage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/core/worker.h"

static const char *const states[] = {
    "idle",
    "adding the finalizer",
    "patching status to Processing",
    "waiting for SEARCH",
    "making the key",
    "recording the state",
    "waiting for CREATE",
    "pausing before the next CREATE",
    "waiting for UPDATE",
    "waiting for REMOVE",
    "patching status to Succeeded",
    "patching status to Error",
    "removing the operation annotation",
    "removing the finalizer",
    "removing finalizer and annotation",
    "reading the object again after a conflict",
    "checking the key",
    "restoring the key",
    "removing the key",
    "ending the job",
};
#define STATES (sizeof states / sizeof states[0])

static const char *const faults[] = {
#define AS_TEXT(name, text) text,
    WORLD_FAULTS(AS_TEXT)
#undef AS_TEXT
};

/* Why pairs cannot be, or are rare. An empty text stands for all; a fault's text stands for all that begin
 * so. The first row that fits counts. */
static const struct {
    const char *state, *fault;
    enum { CANNOT_BE, IS_RARE } how;
    const char *why;
} reasons[] = {
    {"checking the key", "", CANNOT_BE, "a job does not rest there: it waits for SEARCH"},
    {"making the key", "", CANNOT_BE, "a job does not rest there: it waits for a call, a write or a pause"},
    {"restoring the key", "", CANNOT_BE,
     "a job does not rest there: it waits for a call, a write or a pause"},
    {"removing the key", "", CANNOT_BE, "a job does not rest there: it waits for a call, a write or a pause"},
    {"ending the job", "", CANNOT_BE, "a job does not rest there: it is over"},
    {"patching status to Succeeded", "Packet: ", CANNOT_BE,
     "the job's calls have ended before; only a search overlaps with writes"},
    {"patching status to Error", "Packet: ", CANNOT_BE,
     "the job's calls have ended before; only a search overlaps with writes"},
    {"recording the state", "Packet: ", CANNOT_BE,
     "the job's calls have ended before; only a search overlaps with writes"},
    {"removing the finalizer", "Packet: ", CANNOT_BE,
     "the job's calls have ended before; only a search overlaps with writes"},
    {"removing finalizer and annotation", "Packet: ", CANNOT_BE, "Migrate calls nobody at Packet"},
    {"pausing before the next CREATE", "Packet: ", CANNOT_BE, "no call is under way in the pause"},
    {"idle", "Packet: done, but 404", CANNOT_BE, "only creates end so (packet 2.7), and no job runs"},
    {"adding the finalizer", "Packet: done, but 404", CANNOT_BE,
     "only creates end so, and they come after Processing"},
    {"patching status to Processing", "Packet: done, but 404", CANNOT_BE,
     "only creates end so, and they come after Processing"},
    {"waiting for SEARCH", "Packet: done, but 404", CANNOT_BE,
     "only creates end so, and they come after Processing"},
    {"removing the operation annotation", "Packet: done, but 404", CANNOT_BE,
     "only creates end so, and they come after Processing"},
    {"reading the object again after a conflict", "Packet: done, but 404", CANNOT_BE,
     "only creates end so, and they come after Processing"},
    {"waiting for REMOVE", "Packet: done, but 404", CANNOT_BE, "only creates end so"},
    {"", "Kubernetes: a dead sender's request runs", IS_RARE,
     "such a request runs within two minutes of a death, and most jobs' states last for milliseconds"},
    {"", "Packet: a dead sender's request runs", IS_RARE,
     "such a request runs within two minutes of a death, and most jobs' states last for milliseconds"},
    {"reading the object again after a conflict", "Packet: ", IS_RARE,
     "a call begins then only when a search is asked anew after a loss"},
    {"removing the operation annotation", "", IS_RARE,
     "a step of Restore, and of a deletion that was annotated; it lasts for milliseconds"},
    {"removing finalizer and annotation", "", IS_RARE, "the last step of Migrate; it lasts for milliseconds"},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

/* Shared with the children of --jobs. */
static unsigned long (*seen)[FAULTS];

void cover_open(void)
{
    seen = mmap(NULL, STATES * sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        abort();
}

/* The row for the pair, or REASONS. */
static size_t reason_of(size_t state, size_t fault)
{
    size_t i = 0;

    while (i < REASONS && ((*reasons[i].state && strcmp(reasons[i].state, states[state]) != 0) ||
                           strncmp(reasons[i].fault, faults[fault], strlen(reasons[i].fault)) != 0))
        i++;
    return i;
}

static void note(struct world *world, const char *doing, enum world_fault fault)
{
    for (size_t i = 0; i < STATES; i++)
        if (strcmp(states[i], doing) == 0) {
            __atomic_add_fetch(&seen[i][fault], 1, __ATOMIC_RELAXED);
            return;
        }
    world_violation(world, "coverage.c does not know that a worker can be %s", doing);
}

static bool is_busy(const struct proc *proc)
{
    return proc->role == WORKER && proc->alive && proc->ready && worker_core_busy(proc->core);
}

void cover_worker(struct world *world, const struct proc *worker, enum world_fault fault)
{
    if (worker->alive && worker->ready)
        note(world, is_busy(worker) ? worker_core_doing(worker->core) : "idle", fault);
}

static void cover_all(struct world *world, enum world_fault fault, bool alone)
{
    const struct proc *busy = NULL;
    unsigned n = 0;

    for (unsigned i = 0; i < WORLD_PROCS; i++)
        if (is_busy(&world->procs[i])) {
            busy = &world->procs[i];
            n++;
            if (!alone)
                cover_worker(world, busy, fault);
        }
    if (n == 0)
        note(world, "idle", fault);
    else if (alone && n == 1)
        cover_worker(world, busy, fault);
}

void cover(struct world *world, enum world_fault fault)
{
    cover_all(world, fault, false);
}

void cover_call(struct world *world, enum world_fault fault)
{
    cover_all(world, fault, true);
}

unsigned cover_print(void)
{
    unsigned pairs = 0, reached = 0, cannot = 0, rare = 0, open = 0;

    for (size_t s = 0; s < STATES; s++)
        for (size_t f = 0; f < FAULTS; f++) {
            size_t reason = reason_of(s, f);
            bool met = seen[s][f] > 0, excused = reason < REASONS;

            pairs++;
            reached += met;
            cannot += !met && excused && reasons[reason].how == CANNOT_BE;
            rare += !met && excused && reasons[reason].how == IS_RARE;
            open += !met && !excused;
            if (!met)
                printf("%s: %s x %s%s%s\n",
                       !excused                           ? "not reached"
                       : reasons[reason].how == CANNOT_BE ? "cannot be"
                                                          : "rare",
                       states[s], faults[f], excused ? ": " : "", excused ? reasons[reason].why : "");
        }
    printf("%u pairs of (state x fault): %u reached, %u cannot be, %u rare, %u not reached\n", pairs, reached,
           cannot, rare, open);
    return open;
}
