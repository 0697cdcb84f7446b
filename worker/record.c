/* worker/record.c -- the recording of a job: a sequence of msgpack arrays in a file of its own,
 * <slot>-<nn>.job. What was written before a death stays readable. Called by main.c. */
#include "worker/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/pack.h"

static void failed(struct record *record, const char *what)
{
    if (!record->told)
        log_warn("jobs are not recorded", F_STR("doing", what), F_STR("directory", record->dir),
                 F_STR("error", strerror(errno)));
    record->told = true;
    record_end(record);
}

void record_open(struct record *record, const char *dir, uint64_t slot, uint64_t incarnation)
{
    *record = (struct record){.dir = dir, .slot = slot, .incarnation = incarnation, .fd = -1, .dir_fd = -1};
    if (!*dir)
        return;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        failed(record, "making the directory");
    record->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (record->dir_fd < 0)
        failed(record, "opening the directory");
}

static void write_out(struct record *record, const struct pack *p)
{
    struct value bytes = pack_result(p);

    if (record->fd >= 0 && write(record->fd, bytes.at, bytes.len) != (ssize_t)bytes.len)
        failed(record, "writing");
}

void record_job(struct record *record, const struct worker_counters *counters)
{
    char name[64];
    struct pack p;

    record_end(record);
    if (record->dir_fd < 0)
        return;
    snprintf(name, sizeof name, "%llu-%02u.job", (unsigned long long)record->slot,
             record->n++ % RECORD_FILES);
    record->fd = openat(record->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (record->fd < 0) {
        failed(record, "making a file");
        return;
    }
    pack_open(&p);
    pack_array(&p, 6);
    pack_uint(&p, RECORD_FORMAT);
    pack_uint(&p, record->incarnation);
    pack_uint(&p, counters->next_seq);
    pack_uint(&p, counters->next_correlation);
    pack_uint(&p, counters->jobs_done);
    pack_uint(&p, counters->epoch);
    write_out(record, &p);
    pack_close(&p);
}

void record_add(struct record *record, enum record_kind kind, unsigned role, struct span frame,
                struct instant now)
{
    struct pack p;

    if (record->fd < 0)
        return;
    pack_open(&p);
    pack_array(&p, 6);
    pack_uint(&p, kind);
    pack_int(&p, now.boot_ms);
    pack_int(&p, now.wall_ms);
    pack_int(&p, now.steady_ms);
    pack_uint(&p, role);
    pack_bin(&p, frame.p, frame.len);
    write_out(record, &p);
    pack_close(&p);
}

void record_end(struct record *record)
{
    if (record->fd >= 0)
        close(record->fd);
    record->fd = -1;
}

void record_close(struct record *record)
{
    record_end(record);
    if (record->dir_fd >= 0)
        close(record->dir_fd);
    record->dir_fd = -1;
}
