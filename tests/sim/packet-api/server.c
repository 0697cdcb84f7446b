/* tests/sim/packet-api/server.c -- the listening sockets and the one loop.
 * Owns the daemons of libmicrohttpd (external polling: no threads) and the signals; knows nothing of the API.
 * Called by main.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/packet-api/server.h"

#define SWEEP_MS 250

static int64_t mono_ms(void)
{
    return timers_now_ns() / 1000000;
}

int64_t server_now_ms(const struct server *server)
{
    return mono_ms() + server->wall_minus_mono_ms;
}

/* A socket of our own rather than libmicrohttpd's: the port must be known, and be taken again later. */
static int listen_on(const char *host, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1)
        goto fail;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        goto fail;
    *port = ntohs(address.sin_port);
    return fd;
fail:
    if (fd >= 0)
        close(fd);
    return -1;
}

static struct MHD_Daemon *start_daemon(struct server *server, int *port, bool tls)
{
    int fd = server->n_daemons < DAEMONS_MAX ? listen_on(server->options->host, port) : -1;
    if (fd < 0)
        return NULL;
    struct MHD_OptionItem secret[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
                                      {MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert},
                                      {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, exchange_handle,
        server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_end, server, MHD_OPTION_NOTIFY_CONNECTION, exchange_connection,
        server, MHD_OPTION_CONNECTION_LIMIT, 4000u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64 << 10),
        MHD_OPTION_ARRAY, tls ? secret : none, MHD_OPTION_END);
    if (daemon == NULL)
        close(fd);
    else
        server->daemons[server->n_daemons++] = daemon;
    return daemon;
}

void server_follow_sunset(struct server *server)
{
    bool refuse = packet_sim_switches(server->sim)->sunset == PACKET_SIM_SUNSET_REFUSED;
    if (refuse && server->listening != NULL) {
        int fd = MHD_quiesce_daemon(server->listening);
        if (fd >= 0)
            close(fd);
        server->listening = NULL;
    } else if (!refuse && server->listening == NULL) {
        server->listening = start_daemon(server, &server->port, server->cert != NULL);
    }
}

/* A daemon that listens no more is kept only for the connections it still has. */
static void stop_idle_daemons(struct server *server)
{
    unsigned kept = 1; /* the administrative one stays */
    for (unsigned i = 1; i < server->n_daemons; i++) {
        struct MHD_Daemon *daemon = server->daemons[i];
        if (daemon != server->listening &&
            MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections == 0)
            MHD_stop_daemon(daemon);
        else
            server->daemons[kept++] = daemon;
    }
    server->n_daemons = kept;
}

static void sweep(struct timer *timer)
{
    struct server *server = (struct server *)(void *)((char *)timer - offsetof(struct server, sweep));
    exchange_release(server, false);
    stop_idle_daemons(server);
    packet_sim_settle(server->sim, server_now_ms(server));
    if (server->ledger != NULL)
        fflush(server->ledger);
    timer_set(&server->timers, &server->sweep, SWEEP_MS);
}

void server_start_clock(struct server *server)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    server->wall_minus_mono_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - mono_ms();
}

int server_start(struct server *server)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < 16384 ? files.rlim_max : 16384;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    server->port = server->options->port;
    server->admin_port = server->options->admin_port;
    if (start_daemon(server, &server->admin_port, false) == NULL)
        return -1;
    server_follow_sunset(server);
    server->sweep.fire = sweep;
    timer_set(&server->timers, &server->sweep, SWEEP_MS);
    return 0;
}

/* Until when poll() may sleep: the next timer of ours or of a daemon. */
static int64_t wait_ns(struct server *server)
{
    int64_t next = timers_next_ns(&server->timers), wait = next != 0 ? next - timers_now_ns() : 1000000000;
    for (unsigned i = 0; i < server->n_daemons; i++) {
        MHD_UNSIGNED_LONG_LONG ms;
        if (MHD_get_timeout(server->daemons[i], &ms) == MHD_YES && (int64_t)ms * 1000000 < wait)
            wait = (int64_t)ms * 1000000;
    }
    return wait > 0 ? wait : 0;
}

static void step(struct server *server, int signal_fd)
{
    struct pollfd fds[DAEMONS_MAX + 1];
    nfds_t n = 0;
    for (unsigned i = 0; i < server->n_daemons; i++)
        fds[n++] =
            (struct pollfd){.fd = MHD_get_daemon_info(server->daemons[i], MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                            .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
    int64_t ns = wait_ns(server);
    struct timespec wait = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    if (ppoll(fds, n, &wait, NULL) > 0 && fds[n - 1].revents != 0)
        server->stopping = true;
    timers_run(&server->timers);
    for (unsigned i = 0; i < server->n_daemons; i++)
        MHD_run(server->daemons[i]);
}

int server_run(struct server *server)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    int signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0)
        return -1;
    while (!server->stopping)
        step(server, signal_fd);
    close(signal_fd);
    return 0;
}

void server_stop(struct server *server)
{
    server->stopping = true;
    exchange_release(server, true);
    for (unsigned i = 0; i < server->n_daemons; i++) {
        MHD_run(server->daemons[i]);
        MHD_stop_daemon(server->daemons[i]);
    }
    server->n_daemons = 0;
}
