/* proto/endpoint.c -- what bus.c and dialog.c do alike before they listen. */
#include "proto/endpoint.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int endpoint_clear(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    return unlink(path);
}
