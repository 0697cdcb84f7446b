/* exporter/process.c -- the process_* series that every Prometheus client shows, for the tree as a whole,
 * from /proc. The supervisor's own line holds what its dead children used, so that the sum never falls.
 * Called by metrics.c. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exporter/exporter.h"

struct use {
    uint64_t ticks;         /* of the processor, user and system */
    uint64_t resident;      /* bytes; pages that several share count for each */
    uint64_t virtual_bytes; /* address space */
    uint64_t fds;
    bool fds_known;         /* false once a process does not let us look */
    uint64_t started_ticks; /* of the supervisor, since boot */
};

static bool read_line(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    bool good = file && fgets(buf, (int)size, file);
    if (file)
        fclose(file);
    return good;
}

static void add_fds(pid_t pid, struct use *use)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir) {
        use->fds_known = false;
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        use->fds += entry->d_name[0] != '.';
    closedir(dir);
}

static void add(pid_t pid, bool supervisor, struct use *use)
{
    unsigned long long user, sys, dead_user, dead_sys, started, size, pages;
    char line[1024];
    const char *after;

    if (!read_line(pid, "stat", line, sizeof line) || !(after = strrchr(line, ')')) ||
        sscanf(after + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d %*d %llu", &user,
               &sys, &dead_user, &dead_sys, &started) != 5)
        return;
    use->ticks += user + sys + (supervisor ? dead_user + dead_sys : 0);
    if (supervisor)
        use->started_ticks = started;
    if (read_line(pid, "statm", line, sizeof line) && sscanf(line, "%llu %llu", &size, &pages) == 2) {
        use->virtual_bytes += size * (uint64_t)sysconf(_SC_PAGESIZE);
        use->resident += pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    add_fds(pid, use);
}

/* Seconds since 1970 at boot. */
static uint64_t boot_time(void)
{
    struct instant now = clock_now();

    return (uint64_t)((now.wall_ms - now.boot_ms) / 1000);
}

static void one(struct text *out, const char *name, const char *type, const char *help, uint64_t n)
{
    metrics_head(out, name, type, help);
    text_add(out, "%s %" PRIu64 "\n", name, n);
}

void process_page(struct value rows, struct text *out)
{
    struct use use = {.fds_known = true};
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    struct rlimit limit;
    int64_t pid;

    add(getppid(), true, &use);
    for (struct value_iter it = value_each(rows); value_next(&it);)
        if (value_int(value_get(it.item, "pid"), &pid) && pid > 0)
            add((pid_t)pid, false, &use);
    metrics_head(out, "process_cpu_seconds_total", "counter", "Time on a processor, of all processes ever.");
    text_add(out, "process_cpu_seconds_total %" PRIu64 ".%02" PRIu64 "\n", use.ticks / hz,
             use.ticks % hz * 100 / hz);
    one(out, "process_resident_memory_bytes", "gauge",
        "Resident memory; shared pages count for each process.", use.resident);
    one(out, "process_virtual_memory_bytes", "gauge", "Address space of all processes.", use.virtual_bytes);
    one(out, "process_start_time_seconds", "gauge", "When the supervisor was started, since 1970.",
        boot_time() + use.started_ticks / hz);
    if (use.fds_known)
        one(out, "process_open_fds", "gauge", "Open descriptors of all processes.", use.fds);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        one(out, "process_max_fds", "gauge", "Descriptors that each process may have.", limit.rlim_cur);
}
