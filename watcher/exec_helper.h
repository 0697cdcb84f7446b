/* watcher/exec_helper.h -- a small process beside the watcher that runs the exec plugin, since the watcher
 * itself may start no program once it is confined. Forked before the first thread; one run at a time; ends
 * with the watcher. Called by settings.c; spoken to by exec_plugin.c. */
#ifndef WATCHER_EXEC_HELPER_H
#define WATCHER_EXEC_HELPER_H

#include <stdint.h>
#include <sys/types.h>

#include "watcher/exec_entry.h"

#define EXEC_RUN_MS    60000          /* then the plugin and its process group are killed */
#define EXEC_OUT_MAX   (1024u * 1024) /* of its output */
#define EXEC_LINE_MAX  512u           /* of a line of its stderr; the rest is cut off */
#define EXEC_LINES_MAX 20u            /* of one run; the rest is counted */
#define EXEC_END_MS    1000           /* for the helper to end, when told */

enum exec_end {
    EXEC_EXITED,     /* code: exit status; the output follows */
    EXEC_SIGNALLED,  /* code: the signal */
    EXEC_TOO_LONG,   /* killed */
    EXEC_TOO_MUCH,   /* killed: over EXEC_OUT_MAX */
    EXEC_NOT_STARTED /* code: errno */
};

/* What the helper says after each run: this, and len bytes of output. */
struct exec_report {
    uint32_t end;
    int32_t code;
    uint32_t len;
};

struct exec_helper {
    int fd; /* non-blocking: one byte asks for a run, an exec_report answers; -1 without a helper */
    pid_t pid;
};

/* entry lives as long as the helper. within_ms: EXEC_RUN_MS, but for tests. Returns 0, or -1 with errno. */
int exec_helper_start(struct exec_helper *helper, const struct exec_entry *entry, int64_t within_ms);
/* Ends it, and the run under way; waits for it at most EXEC_END_MS. */
void exec_helper_end(struct exec_helper *helper);

/* exec_run.c, in the helper: one run. out has room for EXEC_OUT_MAX bytes; the caller wipes it. watcher: when
 * it hangs up, or `signals` (SIGCHLD, SIGTERM) tells the end, the plugin is killed and the process ends. */
struct exec_report exec_run(const struct exec_entry *entry, const char *path, int64_t within_ms, int watcher,
                            int signals, char *out);

#endif
