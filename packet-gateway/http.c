/* packet-gateway/http.c -- libcurl's multi interface on zloop: its sockets are pollers, its time-out is a
 * timer. Never blocks, never decides; logs each failed call with its X-Request-Id (packet C-42). Called by
 * main.c. */
#include "packet-gateway/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "packet-gateway/transfer.h"

#define SPARE_MAX 8u /* handles kept for the next requests */

struct http {
    zloop_t *loop;
    CURLM *multi;
    const struct gateway_options *options;
    http_done_fn *done;
    void *ctx;
    int timer; /* zloop's id, -1: none */
    struct sockets *sockets;
    struct transfers running, refused;
    CURL *spare[SPARE_MAX];
    unsigned n_spare;
    bool sunset_told;
    uint64_t started, failed;
    struct tally tally;
};

static void log_result(struct http *http, const struct transfer *t, const struct gateway_result *r)
{
    static const char *const fates[] = {[FATE_ANSWERED] = "answered",
                                        [FATE_NOT_SENT] = "not sent",
                                        [FATE_LOST] = "lost",
                                        [FATE_FENCED] = "fenced",
                                        [FATE_TLS] = "wrong peer"};
    /* Without the query: a list's next page is named by the peer, who might repeat the token there. */
    char *path = x_strndup(t->path, strcspn(t->path, "?"));
    bool good = r->fate == FATE_ANSWERED && r->status >= 200 && r->status < 300;
    enum log_level level = good ? LEVEL_DEBUG : LEVEL_INFO;

    http->failed += !good;
    tally_add(&http->tally, t->method, r->fate == FATE_ANSWERED ? r->status : 0);
    if (t->headers.sunset && !http->sunset_told) {
        http->sunset_told = true;
        log_warn("the Packet API announces its end with Deprecation or Sunset", F_STR("path", path));
    }
    if (level >= log_get_level())
        log_write(level, good ? "packet call" : "packet call failed",
                  log_fields_(F_STR("method", t->method), F_STR("path", path), F_STR("fate", fates[r->fate]),
                              F_INT("status", r->status), F_STR("requestID", r->request_id),
                              F_STR("error", r->detail), F_INT("ms", clock_now().boot_ms - t->started_ms)),
                  7);
    free(path);
}

static void recycle(struct http *http, CURL *easy)
{
    if (http->n_spare < SPARE_MAX)
        http->spare[http->n_spare++] = easy;
    else
        curl_easy_cleanup(easy);
}

static void end_timer(struct http *http, struct transfer *t)
{
    if (t->timer != -1)
        zloop_timer_end(http->loop, t->timer);
    t->timer = -1;
}

static void finish(struct http *http, struct transfer *t, CURLcode code)
{
    struct gateway_result result = transfer_result(t, code);

    end_timer(http, t);

    log_result(http, t, &result);
    http->done(http->ctx, &result);
    recycle(http, transfer_free(t));
}

/* The total time is over. Not libcurl's own CURLOPT_TIMEOUT: when it sends a request again it starts that one
 * anew (7.88, MSTATE_CONNECT), and a call would outlive what the core was promised. Taking the handle out
 * closes its connection. */
static int on_total_over(zloop_t *loop, int timer, void *arg)
{
    struct http *http = arg;
    struct transfer *t = TAILQ_FIRST(&http->running);

    (void)loop;
    while (t && t->timer != timer)
        t = TAILQ_NEXT(t, link);
    if (!t) /* ended in this very turn of the loop, which fires what was due all the same */
        return 0;
    t->timer = -1;
    snprintf(t->error, sizeof t->error, "no whole answer within %ld ms", t->within_ms);
    TAILQ_REMOVE(&http->running, t, link);
    curl_multi_remove_handle(http->multi, t->easy);
    finish(http, t, CURLE_OPERATION_TIMEDOUT);
    return 0;
}

static int on_timeout_wanted(CURLM *multi, long ms, void *arg);

/* Back into libcurl's hands. on_timeout_wanted() comes from in here and makes it start. */
static void run(struct http *http, struct transfer *t)
{
    if (curl_multi_add_handle(http->multi, t->easy) == CURLM_OK) {
        TAILQ_INSERT_TAIL(&http->running, t, link);
        return;
    }
    TAILQ_INSERT_TAIL(&http->refused, t, link);
    on_timeout_wanted(http->multi, 0, http);
}

/* Hands over what has ended. The receiver may start new requests meanwhile. */
static void reap(struct http *http)
{
    struct transfer *t;
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(http->multi, &left))) {
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        curl_multi_remove_handle(http->multi, t->easy);
        TAILQ_REMOVE(&http->running, t, link);
        if (transfer_again(t))
            run(http, t);
        else
            finish(http, t, code);
    }
    while ((t = TAILQ_FIRST(&http->refused))) {
        TAILQ_REMOVE(&http->refused, t, link);
        finish(http, t, CURLE_FAILED_INIT);
    }
}

static int on_ready(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct http *http = arg;
    int running, what = 0;

    (void)loop;
    if (item->revents & ZMQ_POLLIN)
        what |= CURL_CSELECT_IN;
    if (item->revents & ZMQ_POLLOUT)
        what |= CURL_CSELECT_OUT;
    if (item->revents & ZMQ_POLLERR)
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(http->multi, item->fd, what, &running);
    reap(http);
    return 0;
}

/* libcurl wants to hear about this socket, or no more. */
static int on_interest(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    struct http *http = arg;
    zmq_pollitem_t item = {.fd = fd};

    (void)easy;
    (void)per_socket;
    zloop_poller_end(http->loop, &item);
    if (what == CURL_POLL_REMOVE)
        return 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        item.events |= ZMQ_POLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        item.events |= ZMQ_POLLOUT;
    zloop_poller(http->loop, &item, on_ready, http);
    zloop_poller_set_tolerant(http->loop, &item); /* else zloop drops it at the first POLLERR */
    return 0;
}

static int on_timer(zloop_t *loop, int timer, void *arg)
{
    struct http *http = arg;
    int running;

    (void)loop;
    if (timer == http->timer)
        http->timer = -1;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(http);
    return 0;
}

static int on_timeout_wanted(CURLM *multi, long ms, void *arg)
{
    struct http *http = arg;

    (void)multi;
    if (http->timer != -1)
        zloop_timer_end(http->loop, http->timer);
    http->timer = ms < 0 ? -1 : zloop_timer(http->loop, (size_t)ms, 1, on_timer, http);
    return 0;
}

struct http *http_new(zloop_t *loop, const struct gateway_options *options, http_done_fn *done, void *ctx)
{
    struct http *http = x_calloc(1, sizeof *http);

    http->loop = loop;
    http->options = options;
    http->done = done;
    http->ctx = ctx;
    http->timer = -1;
    TAILQ_INIT(&http->running);
    TAILQ_INIT(&http->refused);
    http->sockets = sockets_new();
    http->multi = curl_multi_init();
    if (!http->multi) {
        sockets_free(http->sockets);
        free(http);
        return NULL;
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)options->parallel);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)options->parallel);
    return http;
}

void http_free(struct http *http)
{
    struct transfer *t;

    if (!http)
        return;
    while ((t = TAILQ_FIRST(&http->running))) {
        TAILQ_REMOVE(&http->running, t, link);
        end_timer(http, t);
        curl_multi_remove_handle(http->multi, t->easy);
        curl_easy_cleanup(transfer_free(t));
    }
    while ((t = TAILQ_FIRST(&http->refused))) {
        TAILQ_REMOVE(&http->refused, t, link);
        end_timer(http, t);
        curl_easy_cleanup(transfer_free(t));
    }
    while (http->n_spare)
        curl_easy_cleanup(http->spare[--http->n_spare]);
    curl_multi_cleanup(http->multi);
    sockets_free(http->sockets);
    free(http);
}

void http_start(struct http *http, const struct gateway_request *request)
{
    CURL *easy = http->n_spare ? http->spare[--http->n_spare] : curl_easy_init();

    if (!easy) {
        log_error("libcurl has no memory for a request", F_INT("request", request->id));
        exit(EXIT_MEMORY);
    }
    struct transfer *t = transfer_new(easy, http->options, http->sockets, request);

    http->started++;
    t->timer = zloop_timer(http->loop, (size_t)t->within_ms, 1, on_total_over, http);
    run(http, t);
}

void http_fence_mutations(struct http *http)
{
    struct transfer *t = TAILQ_FIRST(&http->running);

    while (t) {
        t->stopped = t->stopped || t->mutation;
        t = TAILQ_NEXT(t, link);
    }
}

uint64_t http_started(const struct http *http)
{
    return http->started;
}

const struct tally *http_tally(const struct http *http)
{
    return &http->tally;
}

uint64_t http_failed(const struct http *http)
{
    return http->failed;
}
