/* exporter/listen.c -- opens a TCP port from an address as Gardener writes it (":8080", "127.0.0.1:0", "0")
 * and says which port it really is. Called by http.c before the exporter confines itself. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "exporter/exporter.h"

#define BACKLOG  32
#define HOST_MAX 256u

static int complain(const char *what, const char *address, const char *error)
{
    log_error("cannot listen", F_STR("for", what), F_STR("address", address), F_STR("error", error));
    return -2;
}

/* Splits at the last colon; brackets around an IPv6 address go. */
static int take_apart(const char *address, char *host, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;

    if (colon == NULL || colon[1] == '\0' || len >= HOST_MAX)
        return -1;
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    *port = colon + 1;
    return 0;
}

static int open_one(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, off = 0;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); /* ":8080" is for both */
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* For an empty host IPv6 is tried first: its wildcard takes IPv4 as well. */
static int open_any(const struct addrinfo *list, bool wildcard)
{
    int fd = -1;

    for (const struct addrinfo *i = list; i && wildcard && fd < 0; i = i->ai_next)
        if (i->ai_family == AF_INET6)
            fd = open_one(i);
    for (const struct addrinfo *i = list; i && fd < 0; i = i->ai_next)
        fd = open_one(i);
    return fd;
}

static void tell(int fd, const char *what)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "0", full[NI_MAXHOST + NI_MAXSERV + 4];

    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(full, sizeof full, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    log_info("listening", F_STR("for", what), F_STR("address", full), F_INT("port", strtol(port, NULL, 10)));
}

int listen_on(const char *what, const char *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[HOST_MAX];
    const char *port;

    if (strcmp(address, "0") == 0)
        return -1;
    if (take_apart(address, host, &port) != 0)
        return complain(what, address, "is not host:port, :port or 0");
    int error = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (error != 0)
        return complain(what, address, gai_strerror(error));
    int fd = open_any(list, *host == '\0');
    freeaddrinfo(list);
    if (fd < 0)
        return complain(what, address, strerror(errno));
    tell(fd, what);
    return fd;
}
