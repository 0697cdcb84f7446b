/* watcher/http.c -- libcurl's multi interface on zloop: its sockets are pollers, its time-out is a timer.
 * Events and results are handed over between libcurl's calls, never from inside them, so that a receiver may
 * start requests. Never blocks. Called by main.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/exec_plugin.h"
#include "watcher/http_state.h"

#define CONNECTIONS_MAX 16L /* HTTP/1.1 to a server without HTTP/2; requests over it wait */

static CURL *handle_take(struct http *http)
{
    CURL *easy = http->n_spare ? http->spare[--http->n_spare] : curl_easy_init();

    if (easy)
        return easy;
    log_error("libcurl has no memory for a request", F_INT("running", http->started));
    exit(EXIT_MEMORY);
}

static void handle_give_back(struct http *http, CURL *easy)
{
    if (http->n_spare < SPARE_MAX)
        http->spare[http->n_spare++] = easy;
    else
        curl_easy_cleanup(easy);
}

static void log_result(struct http *http, const struct transfer *t, const struct watcher_result *r)
{
    bool good = r->fate == KUBE_ANSWERED && r->status >= 200 && r->status < 300;

    http->failed += !good;
    tally_add(&http->access->tally, t->method, r->fate == KUBE_ANSWERED || t->watch ? r->status : 0);
    if (r->status == 401)
        access_doubt(http->access);
    exec_plugin_answered(http->access->plugin, t->generation, r->status);
    if (log_get_level() > LEVEL_DEBUG)
        return;
    log_debug("kubernetes call", F_STR("method", t->method), F_STR("path", t->path),
              F_INT("status", r->status), F_STR("error", r->detail),
              F_INT("ms", clock_now().boot_ms - t->started_ms));
}

static void end_timer(struct http *http, struct transfer *t)
{
    if (t->timer != -1)
        zloop_timer_end(http->loop, t->timer);
    t->timer = -1;
}

/* Hands over the items that have come. */
static void items_pass_on(struct http *http, struct transfer *t)
{
    const char *json;
    size_t len;

    while (watch_stream_next(&t->stream, &json, &len))
        http->events.item(http->events.ctx, t->id, json, len);
}

void http_finish(struct http *http, struct transfer *t, CURLcode code)
{
    if (t->list)
        items_pass_on(http, t);
    struct watcher_result result = transfer_result(t, code);

    end_timer(http, t);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR)
        access_doubt(http->access);
    log_result(http, t, &result);
    http->events.result(http->events.ctx, &result);
    handle_give_back(http, transfer_free(t));
}

static struct transfer *with_timer(struct transfers *list, int timer)
{
    struct transfer *t = TAILQ_FIRST(list);

    while (t && t->timer != timer)
        t = TAILQ_NEXT(t, link);
    return t;
}

/* Ends a transfer that libcurl would go on with. */
static void cut(struct http *http, struct transfers *list, struct transfer *t, CURLcode code)
{
    TAILQ_REMOVE(list, t, link);
    curl_multi_remove_handle(http->multi, t->easy);
    http_finish(http, t, code);
}

/* Nothing can come after the bytes that broke it. */
static void list_pass_on(struct http *http, struct transfer *t)
{
    items_pass_on(http, t);
    if (t->stream.broken)
        cut(http, &http->running, t, CURLE_WRITE_ERROR);
}

/* The total time is over. Not CURLOPT_TIMEOUT, which begins anew when libcurl sends a request again: a write
 * would outlive the leadership that it began in (design 12.15). */
static int on_total_over(zloop_t *loop, int timer, void *arg)
{
    struct http *http = arg;
    struct transfers *list = &http->running;
    struct transfer *t = with_timer(list, timer);

    (void)loop;
    if (!t)
        t = with_timer(list = &http->waiting, timer);
    if (!t) /* ended in this very turn of the loop, which fires what was due all the same */
        return 0;
    t->timer = -1;
    snprintf(t->error, sizeof t->error, "no %s within %ld ms",
             list == &http->waiting ? "credential from the exec plugin" : "whole answer", t->within_ms);
    cut(http, list, t, CURLE_OPERATION_TIMEDOUT);
    http->events.settled(http->events.ctx);
    return 0;
}

/* ---- the watch ---- */

static void watch_drop(struct http *http)
{
    struct transfer *t = http->watch;

    http->watch = NULL;
    if (!http->watch_over)
        curl_multi_remove_handle(http->multi, t->easy);
    http->watch_over = http->watch_waits = false;
    handle_give_back(http, transfer_free(t));
}

/* The end as the core wants it: a status when it was no stream, -1 when there was no connection, else 0. */
static void watch_end(struct http *http)
{
    struct transfer *t = http->watch;
    struct watcher_result result = transfer_result(t, http->watch_code);
    bool broken = t->stream.broken;
    const char *detail =
        broken ? "the stream holds what is no JSON object, or an event of over 16 MiB" : result.detail;
    int status = broken ? 500 : result.status == 200 ? 0 : result.status;

    log_result(http, t, &result);
    if (!broken && !result.status && !t->begun)
        status = -1;
    char *body = status == 500 || status < 0 ? x_strdup(detail) : x_strndup(result.body, result.body_len);
    int64_t retry_after_ms = result.retry_after_ms;
    watch_drop(http);
    http->events.watch_ended(http->events.ctx, status, body, strlen(body), retry_after_ms);
    free(body);
}

/* Still the same one? The receiver of an event may have ended it. */
static bool is_watch(const struct http *http, uint64_t id)
{
    return http->watch && http->watch->id == id;
}

/* Hands over what the stream holds: all of it, so that no more lies here than libcurl reads at once. */
static void watch_pass_on(struct http *http)
{
    uint64_t id = http->watch ? http->watch->id : 0;
    const char *json;
    size_t len;

    while (is_watch(http, id) && watch_stream_next(&http->watch->stream, &json, &len))
        http->events.event(http->events.ctx, json, len);
    if (is_watch(http, id) && (http->watch_over || http->watch->stream.broken))
        watch_end(http);
}

/* ---- libcurl and zloop ---- */

/* Hands over everything that libcurl has brought since the last time. */
void http_turn(struct http *http)
{
    struct transfer *t, *next;
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(http->multi, &left))) {
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        curl_multi_remove_handle(http->multi, t->easy);
        if (t->watch) {
            http->watch_over = true;
            http->watch_code = code;
        } else {
            TAILQ_REMOVE(&http->running, t, link);
            http_finish(http, t, code);
        }
    }
    http_era_check(http);
    watch_pass_on(http);
    for (t = TAILQ_FIRST(&http->running); t; t = next) {
        next = TAILQ_NEXT(t, link);
        if (t->list)
            list_pass_on(http, t);
    }
    http->events.settled(http->events.ctx);
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
    http_turn(http);
    return 0;
}

static int on_interest(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    struct http *http = arg;
    zmq_pollitem_t item = {.fd = fd};

    (void)easy;
    (void)per_socket;
    zloop_poller_end(http->loop, &item);
    if (what == CURL_POLL_REMOVE)
        return 0;
    if (what & CURL_POLL_IN)
        item.events |= ZMQ_POLLIN;
    if (what & CURL_POLL_OUT)
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
    http_turn(http);
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

/* ---- for main.c ---- */

struct http *http_new(zloop_t *loop, struct access *access, const struct http_events *events, bool multiplex)
{
    struct http *http = x_calloc(1, sizeof *http);

    *http =
        (struct http){.loop = loop, .access = access, .events = *events, .multiplex = multiplex, .timer = -1};
    TAILQ_INIT(&http->running);
    http->multi = curl_multi_init();
    if (!http->multi) {
        free(http);
        return NULL;
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING,
                      (long)(multiplex ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING));
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_MAX);
    http_wait_open(http);
    return http;
}

void http_free(struct http *http)
{
    struct transfer *t;

    if (!http)
        return;
    if (http->watch)
        watch_drop(http);
    TAILQ_CONCAT(&http->running, &http->waiting, link);
    while ((t = TAILQ_FIRST(&http->running))) {
        TAILQ_REMOVE(&http->running, t, link);
        end_timer(http, t);
        curl_multi_remove_handle(http->multi, t->easy);
        curl_easy_cleanup(transfer_free(t));
    }
    while (http->n_spare)
        curl_easy_cleanup(http->spare[--http->n_spare]);
    curl_multi_cleanup(http->multi);
    free(http);
}

void http_start(struct http *http, const struct watcher_request *request)
{
    struct transfer *t = transfer_new(handle_take(http), http->access, http->multiplex, request);

    t->timer = zloop_timer(http->loop, (size_t)t->within_ms, 1, on_total_over, http);
    http_wait_start(http, t);
}

void http_watch(struct http *http, const char *path)
{
    http_unwatch(http);
    http->watch = transfer_new_watch(handle_take(http), http->access, path);
    http->watch->id = ++http->watches;
    http_wait_watch(http);
}

void http_unwatch(struct http *http)
{
    if (http->watch)
        watch_drop(http);
}

uint64_t http_started(const struct http *http)
{
    return http->started;
}

uint64_t http_failed(const struct http *http)
{
    return http->failed;
}
