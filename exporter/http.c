/* exporter/http.c -- the two HTTP ports on libmicrohttpd, inside our own loop (no threads): each request asks
 * the supervisor, waits suspended for a bounded time, and gets its page. Limits: connections, memory and time
 * of each. Called by main.c. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "exporter/exporter.h"

#define CONNECTION_MEMORY (16u * 1024u)

struct endpoint {
    struct exporter *exporter;
    enum port port;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, struct text *page)
{
    char nothing[] = "";
    struct MHD_Response *r =
        MHD_create_response_from_buffer(page->len, page->data ? page->data : nothing, MHD_RESPMEM_MUST_COPY);

    text_free(page);
    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result queued = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result answer_line(struct MHD_Connection *c, unsigned status, const char *line)
{
    struct text page = {0};

    text_add(&page, "%s\n", line);
    return answer(c, status, "text/plain; charset=utf-8", &page);
}

static enum MHD_Result answer_page(struct exporter *e, enum port port, struct MHD_Connection *c,
                                   const char *path)
{
    struct text page = {0};
    struct state state = e->state;
    unsigned status = MHD_HTTP_OK;

    state.known = state_is_fresh(e); /* an old answer is none */
    e->served++;
    if (port == PORT_METRICS) {
        metrics_page(&state, &page);
        return answer(c, status, "text/plain; version=0.0.4; charset=utf-8", &page);
    }
    bool verbose =
        MHD_lookup_connection_value_n(c, MHD_GET_ARGUMENT_KIND, "verbose", 7, NULL, NULL) == MHD_YES;
    const char *exclude = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "exclude");
    status = health_page(&state, path, verbose, exclude, &page);
    return answer(c, status, "text/plain; charset=utf-8", &page);
}

static bool is_known(enum port port, const char *path)
{
    if (port == PORT_METRICS)
        return strcmp(path, "/metrics") == 0;
    return strncmp(path, "/healthz", 8) == 0 || strncmp(path, "/readyz", 7) == 0;
}

static struct waiter *wait_for_state(struct exporter *e, struct MHD_Connection *c)
{
    struct waiter *w = x_calloc(1, sizeof *w);

    *w = (struct waiter){.connection = c, .next = e->waiters, .suspended = true};
    e->waiters = w;
    state_ask(e);
    MHD_suspend_connection(c);
    return w;
}

/* libmicrohttpd calls it for the head, for the body (which nobody reads) and again after a suspension;
 * *memory is the request's own: NULL at first, then its waiter. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *http_version, const char *body, size_t *body_len, void **memory)
{
    static struct waiter head_seen;
    const struct endpoint *endpoint = arg;
    struct exporter *e = endpoint->exporter;

    (void)http_version;
    (void)body;
    if (*memory == NULL) {
        *memory = &head_seen;
        return MHD_YES;
    }
    if (*body_len > 0) {
        *body_len = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_line(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    if (!is_known(endpoint->port, path))
        return answer_line(c, MHD_HTTP_NOT_FOUND, "404 page not found");
    if (*memory != &head_seen || state_is_fresh(e))
        return answer_page(e, endpoint->port, c, path);
    *memory = wait_for_state(e, c);
    return MHD_YES;
}

static void on_request_over(void *arg, struct MHD_Connection *c, void **memory,
                            enum MHD_RequestTerminationCode why)
{
    const struct endpoint *endpoint = arg;

    (void)why;
    (void)memory;
    for (struct waiter **at = &endpoint->exporter->waiters; *at;) {
        struct waiter *w = *at;
        if (w->connection != c) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        free(w);
    }
}

void http_resume(struct exporter *e)
{
    e->asking = false;
    for (struct waiter *w = e->waiters; w; w = w->next)
        if (w->suspended) {
            w->suspended = false;
            MHD_resume_connection(w->connection);
        }
}

static int on_timer(zloop_t *loop, int timer_id, void *arg)
{
    struct exporter *e = arg;

    (void)loop;
    (void)timer_id;
    e->timer = -1;
    http_run(e);
    return e->reason ? -1 : 0;
}

/* The next moment at which something is overdue: a connection's time (libmicrohttpd's), or the supervisor's
 * answer. */
static void set_timer(struct exporter *e)
{
    MHD_UNSIGNED_LONG_LONG least = e->waiters ? ASK_WAIT_MS / 4 : ~0ull, ms;

    for (int i = 0; i < PORT_COUNT; i++)
        if (e->daemons[i] && MHD_get_timeout(e->daemons[i], &ms) == MHD_YES && ms < least)
            least = ms;
    if (e->timer >= 0)
        zloop_timer_end(e->loop, e->timer);
    e->timer = -1;
    if (least != ~0ull)
        e->timer = zloop_timer(e->loop, (size_t)least, 1, on_timer, e);
}

void http_run(struct exporter *e)
{
    if (state_is_overdue(e))
        http_resume(e);
    for (int i = 0; i < PORT_COUNT; i++)
        if (e->daemons[i])
            MHD_run(e->daemons[i]);
    set_timer(e);
}

static int on_traffic(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct exporter *e = arg;

    (void)loop;
    (void)item;
    http_run(e);
    return e->reason ? -1 : 0;
}

void http_watch(struct exporter *e)
{
    for (int i = 0; i < PORT_COUNT; i++) {
        const union MHD_DaemonInfo *info =
            e->daemons[i] ? MHD_get_daemon_info(e->daemons[i], MHD_DAEMON_INFO_EPOLL_FD) : NULL;
        if (info == NULL)
            continue;
        zmq_pollitem_t item = {.fd = info->epoll_fd, .events = ZMQ_POLLIN};
        zloop_poller(e->loop, &item, on_traffic, e);
    }
}

static int start_one(struct exporter *e, enum port port, const char *what, const char *address)
{
    static struct endpoint endpoints[PORT_COUNT];
    struct endpoint *endpoint = &endpoints[port];
    int fd = listen_on(what, address);

    *endpoint = (struct endpoint){.exporter = e, .port = port};
    if (fd < 0)
        return fd == -1 ? 0 : EXIT_CONFIG;
    e->daemons[port] = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, endpoint,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, on_request_over, endpoint,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (e->daemons[port])
        return 0;
    log_error("cannot serve HTTP", F_STR("for", what), F_STR("address", address));
    return EXIT_BUG;
}

int http_start(struct exporter *e)
{
    int code = start_one(e, PORT_METRICS, "metrics", proc_option("metrics-bind-address"));

    return code ? code : start_one(e, PORT_HEALTH, "health", proc_option("health-bind-address"));
}

void http_stop(struct exporter *e)
{
    http_resume(e);
    for (int i = 0; i < PORT_COUNT; i++)
        if (e->daemons[i])
            MHD_stop_daemon(e->daemons[i]);
}
