/* proto/confine.h -- what a child gives up before it says READY (design 12.16): files and other processes by
 * Landlock, system calls by seccomp. What each role keeps stands in confine.c and syscalls.c, as tables.
 * Called by proc.c; a role only names the folders that it reads later. No state. */
#ifndef PROTO_CONFINE_H
#define PROTO_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFINE_FOLDERS_MAX 16

/* What one process needs beside what its role always has. Begins as {0}. */
struct confinement {
    int read[CONFINE_FOLDERS_MAX]; /* O_PATH descriptors; what is in these folders may be read */
    unsigned n_read;
    int write;    /* the one folder in which files may be made, or 0 */
    pid_t helper; /* its own child, which it may signal; or 0 */
};

/* Lets folder, or the folder in which file stands, be read later. One that is not there is left out. */
void confine_read(struct confinement *keep, const char *folder);
void confine_read_beside(struct confinement *keep, const char *file);
/* Lets files be made in the folder behind the descriptor, which stays the caller's. */
void confine_write(struct confinement *keep, int folder);

/* Landlock: no file but those of keep, no TCP that the role does not need, no signal to others, no abstract
 * sockets. Only for threads that are made later: call it before the first. Closes keep's descriptors.
 * Returns 0; or -1 with errno, which is ENOSYS or EOPNOTSUPP when this kernel has no Landlock. *abi: the
 * version that the kernel has, 0 without. */
int confine_files(struct confinement *keep, unsigned role, const char *runtime_dir, int *abi);
#define CONFINE_ABI_WHOLE 6 /* from this version on nothing of the above is missing (Linux 6.12) */

/* seccomp, for all threads: a call that the role has no use for ends it with SIGSYS (and a crash record);
 * opening and looking at files fails with EPERM instead, because libraries try that and go on without.
 * Returns 0, or -1 with errno. */
int confine_syscalls(const struct confinement *keep, unsigned role);

/* The same filter for the machine arch (libseccomp's SCMP_ARCH_AARCH64), not loaded but written to fd as the
 * program that its kernel would run: nothing else judges it where there is no such kernel. Returns 0, or -1
 * with errno. */
int confine_program(const struct confinement *keep, unsigned role, uint32_t arch, int fd);

#endif
