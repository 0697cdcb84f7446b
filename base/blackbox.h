/* base/blackbox.h -- what a process leaves behind whatever way it ends: a few kilobytes of memory that it
 * shares with the supervisor, with its last log lines, the object in hand, and, after a fatal signal, where
 * it was. Static state: the mapping, one for the process. */
#ifndef BASE_BLACKBOX_H
#define BASE_BLACKBOX_H

#include <stddef.h>
#include <stdint.h>

#define BLACKBOX_LOG   3072u
#define BLACKBOX_TRACE 4096u

/* As it lies in the memory; whoever reads it must not trust it. Texts may lack their NUL. */
struct blackbox {
    char key[512];    /* "namespace/name" of the object in hand; "" without */
    char doing[508];  /* the step */
    uint32_t log_end; /* where the next byte of log goes; the ring is full when log[log_end] is no NUL */
    char log[BLACKBOX_LOG];     /* lines, each with its newline */
    char trace[BLACKBOX_TRACE]; /* one line for each frame */
};

/* Maps it, keeps fd, and lets it go no further than this program. Without it (fd < 0, or no memory) the rest
 * does nothing. */
void blackbox_open(int fd);
/* A fatal signal writes its backtrace into the box before it ends the process as it would have. For SIGABRT
 * too, which the supervisor sends to who hangs. Call once, after blackbox_open(), early: it loads what a
 * backtrace needs. */
void blackbox_catch(void);
void blackbox_line(const char *line, size_t len);
/* key, doing: NULL leaves what is there. */
void blackbox_about(const char *key, const char *doing);

#endif
