/* watcher/http_era.c -- closes connections that were made as somebody else: when the client certificate has
 * changed, requests under way end in peace, the watch begins anew, and what is idle goes (kubernetes 1.6, 9).
 * libcurl cannot be told to, so the sockets are known here. Called by http.c and http_wait.c. */
#include <sys/socket.h>
#include <unistd.h>

#include "watcher/http_state.h"

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http *http = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    if (fd >= 0 && http->n_sockets < SOCKETS_MAX) {
        http->sockets[http->n_sockets].fd = fd;
        http->sockets[http->n_sockets++].era = http->access->era;
    }
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct http *http = arg;

    for (unsigned i = 0; i < http->n_sockets; i++)
        if (http->sockets[i].fd == fd) {
            http->sockets[i] = http->sockets[--http->n_sockets];
            break;
        }
    return close(fd);
}

void http_era_arm(struct http *http, struct transfer *t)
{
    t->era = http->access->era;
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, http);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, http);
}

/* As if the server had ended it: the core goes on from the last version. */
static void end_watch(struct http *http)
{
    curl_multi_remove_handle(http->multi, http->watch->easy);
    http->watch_over = true;
    http->watch_code = CURLE_RECV_ERROR;
}

void http_era_check(struct http *http)
{
    uint64_t era = http->access->era;
    const struct transfer *t;

    if (http->era == era)
        return;
    if (http->watch && !http->watch_waits && !http->watch_over && http->watch->era != era)
        end_watch(http);
    for (t = TAILQ_FIRST(&http->running); t; t = TAILQ_NEXT(t, link))
        if (t->era != era)
            return;
    http->era = era;
    for (unsigned i = 0; i < http->n_sockets; i++)
        if (http->sockets[i].era != era)
            shutdown(http->sockets[i].fd, SHUT_RDWR); /* libcurl finds it dead, and closes it */
}
