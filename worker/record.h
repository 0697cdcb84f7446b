/* worker/record.h -- writes down a job's messages with their times, so that replay.c can run it again. No
 * secret reaches a worker, so none is in it; the Infrastructure itself is. */
#ifndef WORKER_RECORD_H
#define WORKER_RECORD_H

#include "worker/core/worker.h"

#define RECORD_FORMAT 1
#define RECORD_FILES  64u /* of each worker; the oldest is written over */

enum record_kind { RECORD_IN, RECORD_OUT, RECORD_TICK, RECORD_DRAIN };

struct record {
    const char *dir; /* "" = nothing is recorded */
    uint64_t slot, incarnation;
    unsigned n; /* jobs so far */
    int fd;     /* of the job under way, -1 = none */
    bool told;  /* that it does not work */
    int dir_fd;
};

/* dir is made when it is missing, and lives as long as the record; "" records nothing. */
void record_open(struct record *record, const char *dir, uint64_t slot, uint64_t incarnation);
/* A job begins. A failure is logged once, and the job goes on without a recording. */
void record_job(struct record *record, const struct worker_counters *counters);
/* frame: the whole frame, or NULL for RECORD_TICK and RECORD_DRAIN. */
void record_add(struct record *record, enum record_kind kind, unsigned role, struct span frame,
                struct instant now);
void record_end(struct record *record);
void record_close(struct record *record);

/* replay.c: runs recorded jobs again and compares every message byte by byte; prints them. Returns an exit
 * status: 0 = identical, 1 = not, 2 = a file cannot be read. */
int replay_files(int n, char **paths);

#endif
