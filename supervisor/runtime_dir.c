/* supervisor/runtime_dir.c -- the directory that holds our sockets: 0700, ours, one live supervisor at a time
 * (a lock file), without what a dead predecessor left. Opens no socket. Called by main.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

#define LOCK_FILE "supervisor.lock"
#define DIR_NAME  "gardener-extension-provider-packet"

static int complain(const char *msg, const char *path, const char *error)
{
    log_error(msg, F_STR("dir", path), F_STR("error", error), F_STR("advice", exit_sentence(EXIT_SOCKET)));
    return EXIT_SOCKET;
}

/* packetctl looks in the same places in the same order. */
static int choose(const char *option, char *path, size_t size)
{
    const char *systemd = getenv("RUNTIME_DIRECTORY"), *user = getenv("XDG_RUNTIME_DIR");
    int n = -1;

    if (*option)
        n = snprintf(path, size, "%s", option);
    else if (systemd && *systemd)
        n = snprintf(path, size, "%.*s", (int)strcspn(systemd, ":"), systemd);
    else if (user && *user)
        n = snprintf(path, size, "%s/" DIR_NAME, user);
    else if (geteuid() == 0)
        n = snprintf(path, size, "/run/" DIR_NAME);
    else
        return complain("no directory for the sockets: give --runtime-dir, or set XDG_RUNTIME_DIR", "", "");
    if (n < 0 || (size_t)n >= size)
        return complain("the path of the runtime directory is too long for sockets in it", path,
                        strerror(ENAMETOOLONG));
    return 0;
}

/* Children get the path and change nothing about their working directory, but are not to depend on it. */
static int make_absolute(char *path, size_t size)
{
    char full[PATH_MAX];

    if (realpath(path, full) == NULL)
        return complain("cannot use the runtime directory", path, strerror(errno));
    if (strlen(full) >= size)
        return complain("the path of the runtime directory is too long for sockets in it", full,
                        strerror(ENAMETOOLONG));
    memcpy(path, full, strlen(full) + 1);
    return 0;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir != NULL;

    for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            empty = false;
    if (dir)
        closedir(dir);
    return empty;
}

/* A directory that is there already is only ever closed to others when nobody can have put anything into it:
 * --runtime-dir=/tmp must not cost the machine its /tmp. */
static int check_owner(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return complain("cannot use the runtime directory", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return complain("the runtime directory is no directory", path, strerror(ENOTDIR));
    if (st.st_uid != geteuid())
        return complain("the runtime directory belongs to somebody else; name one inside it that we can make",
                        path, strerror(EPERM));
    if ((st.st_mode & 077) == 0)
        return 0;
    if (st.st_mode & S_ISVTX || !is_empty(path))
        return complain("the runtime directory is open to others; give it mode 700, or name one inside it",
                        path, strerror(EPERM));
    return chmod(path, 0700) == 0
               ? 0
               : complain("cannot close the runtime directory to others", path, strerror(errno));
}

/* The lock file may be removed by its last holder between our open and our lock: then a new one is made. */
static int open_locked(const char *path)
{
    for (int tries = 0; tries < 10; tries++) {
        struct stat mine, there;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int saved = errno;
            if (fd >= 0)
                close(fd);
            errno = saved;
            return -1;
        }
        if (fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino)
            return fd;
        close(fd);
    }
    errno = EAGAIN;
    return -1;
}

static int take_lock(struct runtime_dir *dir)
{
    char path[SUPERVISOR_DIR_MAX + sizeof LOCK_FILE + 1], pid[24] = "";

    snprintf(path, sizeof path, "%s/" LOCK_FILE, dir->path);
    dir->lock = open_locked(path);
    if (dir->lock < 0 && errno == EWOULDBLOCK) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n = fd >= 0 ? read(fd, pid, sizeof pid - 1) : 0;
        if (fd >= 0)
            close(fd);
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        log_error("another supervisor runs with this runtime directory; `packetctl stop` ends it",
                  F_STR("dir", dir->path), F_STR("pid", pid));
        return EXIT_SOCKET;
    }
    if (dir->lock < 0)
        return complain("cannot lock the runtime directory", dir->path, strerror(errno));
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(dir->lock, 0) != 0 || write(dir->lock, pid, (size_t)n) != n)
        return complain("cannot write to the runtime directory", dir->path, strerror(errno));
    return 0;
}

static void remove_sockets(const struct runtime_dir *dir)
{
    static const char *const ours[] = {ENDPOINT_BUS, ENDPOINT_CONTROL, ENDPOINT_JOBS, ENDPOINT_CALLS,
                                       ENDPOINT_CREDENTIALS};
    char path[SUPERVISOR_DIR_MAX + 32];
    struct stat st;

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir->path, ours[i]);
        if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
            unlink(path);
    }
}

int runtime_dir_open(struct runtime_dir *dir, const char *option)
{
    int code = choose(option, dir->path, sizeof dir->path);

    dir->lock = -1;
    if (code != 0)
        return code;
    dir->made = mkdir(dir->path, 0700) == 0;
    if (!dir->made && errno != EEXIST)
        return complain("cannot make the runtime directory", dir->path, strerror(errno));
    code = make_absolute(dir->path, sizeof dir->path);
    if (code == 0)
        code = check_owner(dir->path);
    if (code == 0)
        code = take_lock(dir);
    if (code == 0)
        remove_sockets(dir);
    return code;
}

void runtime_dir_close(struct runtime_dir *dir)
{
    char path[SUPERVISOR_DIR_MAX + sizeof LOCK_FILE + 1];

    if (dir->lock < 0)
        return;
    remove_sockets(dir);
    snprintf(path, sizeof path, "%s/" LOCK_FILE, dir->path);
    unlink(path);
    close(dir->lock);
    dir->lock = -1;
    if (dir->made)
        rmdir(dir->path);
}
