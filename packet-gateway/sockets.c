/* packet-gateway/sockets.c -- knows each open socket by its local port. libcurl (7.88 looked at: url.c,
 * extract_if_dead) takes an idle connection for alive when there are bytes to read on it, and would read them
 * as the answer to the next request: one answer with more bytes than it announced, and the next call is told
 * a lie. Called by http.c and transfer.c. */
#include "packet-gateway/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

struct open_socket {
    LIST_ENTRY(open_socket) link;
    curl_socket_t fd;
    int port; /* at our end; 0: not yet asked for */
};

LIST_HEAD(open_sockets, open_socket);

struct sockets {
    struct open_sockets open;
};

struct sockets *sockets_new(void)
{
    return x_calloc(1, sizeof(struct sockets));
}

void sockets_free(struct sockets *sockets)
{
    struct open_socket *s;

    while ((s = LIST_FIRST(&sockets->open))) {
        LIST_REMOVE(s, link);
        free(s);
    }
    free(sockets);
}

/* A killed process must not leave half a buffer for the kernel to deliver (design 12.1). */
static int on_opened(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct sockets *sockets = arg;
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    (void)purpose;
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) != 0)
        return CURL_SOCKOPT_ERROR;
    struct open_socket *s = x_calloc(1, sizeof *s);

    s->fd = fd;
    LIST_INSERT_HEAD(&sockets->open, s, link);
    return CURL_SOCKOPT_OK;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct sockets *sockets = arg;

    for (struct open_socket *s = LIST_FIRST(&sockets->open); s; s = LIST_NEXT(s, link)) {
        if (s->fd != fd)
            continue;
        LIST_REMOVE(s, link);
        free(s);
        break;
    }
    return close(fd);
}

void sockets_attach(struct sockets *sockets, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_opened);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, sockets);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
}

static int port_of(struct open_socket *s)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;

    if (!s->port && getsockname(s->fd, (struct sockaddr *)&at, &len) == 0)
        s->port = at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&at)->sin6_port)
                                           : ntohs(((struct sockaddr_in *)&at)->sin_port);
    return s->port;
}

/* Bytes, an end or an error: an idle connection between two requests has none of them. */
static bool has_spoken(curl_socket_t fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Bytes that OpenSSL has taken off the socket already. */
static bool tls_holds_bytes(CURL *easy)
{
    struct curl_tlssessioninfo *tls = NULL;

    return curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
           tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals && SSL_has_pending(tls->internals) == 1;
}

bool sockets_unfit(struct sockets *sockets, CURL *easy, int local_port)
{
    struct open_socket *s;

    for (s = LIST_FIRST(&sockets->open); s; s = LIST_NEXT(s, link)) {
        if (port_of(s) == local_port && has_spoken(s->fd))
            return true;
    }
    return tls_holds_bytes(easy);
}
