/* proto/dialog.c -- a socket that keeps packets apart, and the codec on both ends of it. */
#include "proto/dialog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/contract.h"
#include "proto/endpoint.h"

static int name_socket(const char *dir, struct sockaddr_un *address)
{
    address->sun_family = AF_UNIX;
    int n = snprintf(address->sun_path, sizeof address->sun_path, "%s/" ENDPOINT_CONTROL, dir);

    if (n >= 0 && (size_t)n < sizeof address->sun_path)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int close_failed(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

/* The largest answer is one packet, and a packet needs room in one piece. */
static void make_room(int fd)
{
    int room = DIALOG_FRAME_MAX;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

int dialog_listen(const char *dir, int backlog)
{
    struct sockaddr_un address;

    if (name_socket(dir, &address) || endpoint_clear(address.sun_path))
        return -1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) ||
        chmod(address.sun_path, ENDPOINT_MODE) || listen(fd, backlog))
        return close_failed(fd);
    return fd;
}

int dialog_connect(const char *dir, int within_ms)
{
    const struct timeval within = {.tv_sec = within_ms / 1000, .tv_usec = within_ms % 1000 * 1000};
    struct sockaddr_un address;

    if (name_socket(dir, &address))
        return -1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &within, sizeof within) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &within, sizeof within) ||
        connect(fd, (const struct sockaddr *)&address, sizeof address))
        return close_failed(fd);
    return fd;
}

int dialog_accept(int listener, pid_t *pid, uid_t *uid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return close_failed(fd);
    make_room(fd);
    *pid = peer.pid;
    *uid = peer.uid;
    return fd;
}

int dialog_send(int fd, uint64_t from, uint64_t to, enum msg_id id, const void *body, uint64_t correlation)
{
    const struct envelope envelope = {.from = from, .to = to, .correlation = correlation};
    msgpack_sbuffer frame;

    msgpack_sbuffer_init(&frame);
    errno = EINVAL;
    int rc = msg_encode(&envelope, id, body, &frame) != 0                                      ? -1
             : send(fd, frame.data, frame.size, MSG_NOSIGNAL | MSG_EOR) == (ssize_t)frame.size ? 0
                                                                                               : -1;
    int saved = errno;
    msgpack_sbuffer_destroy(&frame);
    errno = saved;
    return rc;
}

int dialog_receive(int fd, unsigned role, unsigned me, void *buffer, size_t size, struct message *message,
                   enum verdict *verdict)
{
    ssize_t n;

    do
        n = recv(fd, buffer, size, MSG_TRUNC); /* the packet's length, even if it was cut */
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    if (n == 0)
        return -1;
    *verdict = (size_t)n > size ? FRAME_TOO_BIG : msg_decode(buffer, (size_t)n, role, me, message);
    return 1;
}
