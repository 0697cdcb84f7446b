/* proto/confine.c -- Landlock, by its system calls: Debian's C library has no functions for them, and its
 * header ends before TCP and signals. Source: Linux, Documentation/userspace-api/landlock.rst. */
#include "proto/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/contract.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_VERSION 1u /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_BENEATH   1u /* LANDLOCK_RULE_PATH_BENEATH */

#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SOCK   (1ull << 9)
#define FS_TRUNCATE    (1ull << 14)
#define NET_BIND       (1ull << 0)
#define NET_CONNECT    (1ull << 1)
#define SCOPE_ABSTRACT (1ull << 0)
#define SCOPE_SIGNAL   (1ull << 1)

struct ruleset {
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed));

/* All rights that a version of Landlock can withhold. */
static uint64_t fs_rights(int abi)
{
    uint64_t rights = (1ull << 13) - 1;

    if (abi >= 2)
        rights |= 1ull << 13; /* files from one folder into another */
    if (abi >= 3)
        rights |= FS_TRUNCATE;
    if (abi >= 5)
        rights |= 1ull << 15; /* ioctl of devices */
    return rights;
}

/* What resolving names, time zones and certificates needs; and what is a link in /etc. */
static const char *const for_network[] = {
    "/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", NULL};

void confine_read(struct confinement *keep, const char *folder)
{
    int fd = keep->n_read < CONFINE_FOLDERS_MAX ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0)
        keep->read[keep->n_read++] = fd;
}

void confine_read_beside(struct confinement *keep, const char *file)
{
    char path[PATH_MAX];

    if (file && *file && snprintf(path, sizeof path, "%s", file) < (int)sizeof path)
        confine_read(keep, dirname(path));
}

void confine_write(struct confinement *keep, int folder)
{
    keep->write = folder > 0 ? folder : 0;
}

static int allow(int ruleset, int folder, uint64_t rights, int abi)
{
    const struct beneath rule = {.allowed = rights & fs_rights(abi), .folder = folder};

    return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_BENEATH, &rule, 0u);
}

static int allow_all(int ruleset, const struct confinement *keep, unsigned role, const char *runtime_dir,
                     int abi)
{
    int dir = open(runtime_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), failed = dir < 0;

    if (role & (WATCHER | GATEWAY)) /* they listen there, and remove their sockets at the end */
        failed |= allow(ruleset, dir, FS_MAKE_SOCK | FS_REMOVE_FILE, abi);
    for (unsigned i = 0; i < keep->n_read; i++)
        failed |= allow(ruleset, keep->read[i], FS_READ_FILE | FS_READ_DIR, abi);
    if (keep->write)
        failed |= allow(ruleset, keep->write, FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG, abi);
    if (dir >= 0)
        close(dir);
    return failed ? -1 : 0;
}

/* TCP: watcher and gateway call others, the exporter is called; it listens after this. */
static struct ruleset withheld(const struct confinement *keep, unsigned role, int abi)
{
    struct ruleset rules = {.fs = fs_rights(abi)};

    if (abi >= 4)
        rules.net = role & (WATCHER | GATEWAY) ? NET_BIND
                    : role == EXPORTER         ? NET_CONNECT
                                               : NET_BIND | NET_CONNECT;
    if (abi >= 6)
        rules.scoped = SCOPE_ABSTRACT | (keep->helper ? 0 : SCOPE_SIGNAL);
    return rules;
}

static int restrict_self(struct confinement *keep, unsigned role, const char *runtime_dir, int abi)
{
    const struct ruleset rules = withheld(keep, role, abi);
    size_t size = abi >= 6 ? sizeof rules : abi >= 4 ? 2 * sizeof rules.fs : sizeof rules.fs;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0u);

    if (ruleset < 0)
        return -1;
    int failed = allow_all(ruleset, keep, role, runtime_dir, abi) != 0 ||
                 prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                 syscall(SYS_landlock_restrict_self, ruleset, 0u) != 0;
    int error = errno;
    close(ruleset);
    errno = error;
    return failed ? -1 : 0;
}

int confine_files(struct confinement *keep, unsigned role, const char *runtime_dir, int *abi)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    int error = errno, failed = version < 0;

    *abi = version > 0 ? version : 0;
    if (role & (WATCHER | GATEWAY))
        for (const char *const *folder = for_network; *folder; folder++)
            confine_read(keep, *folder);
    if (SANITIZED_BUILD)
        confine_read(keep, "/"); /* a report reads programs and maps */
    if (!failed) {
        failed = restrict_self(keep, role, runtime_dir, version) != 0;
        error = errno;
    }
    while (keep->n_read > 0)
        close(keep->read[--keep->n_read]);
    errno = error;
    return failed ? -1 : 0;
}
