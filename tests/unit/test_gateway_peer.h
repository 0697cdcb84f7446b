/* tests/unit/test_gateway_peer.h -- the gateway's HTTP shell (http.c, transfer.c, headers.c, sockets.c) on
 * its zloop against a peer of the test's own on the same loop, which says byte for byte what the test wants
 * and keeps what it was sent. Included by the test_gateway_transport*.c programs. */
#ifndef TESTS_UNIT_TEST_GATEWAY_PEER_H
#define TESTS_UNIT_TEST_GATEWAY_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "base/alloc.h"
#include "base/log.h"
#include "packet-gateway/http.h"

#define ENOUGH_MS 60000 /* a test that takes longer hangs */
#define TOKEN     "token-of-the-test"
#define LIST      "/projects/6e5c1a52-8b0f-4d2a-9a53-0c8d1f9a7b10/ssh-keys"
#define ITEM      "/ssh-keys/3f0c9b7e-54d1-4a0e-8f0a-2b6a5a1d9c44"
#define EMPTY     "{\"ssh_keys\":[]}"
#define CONNS_MAX 40
#define CALLS_MAX 40

struct rig;

/* A connection as the peer sees it. */
struct conn {
    struct rig *rig;
    unsigned number;   /* from 1 */
    int fd;            /* -1: closed */
    unsigned requests; /* whole ones that came on it */
    bool ended;        /* the other side has closed it */
    char in[8192];     /* of the request that is coming */
    size_t n;
    const char *endless; /* sent over and over */
};

struct call {
    bool done;
    enum gateway_fate fate;
    int status;
    bool json;
    size_t body_len;
    char body[1024], detail[256], request_id[100];
};

typedef void peer_fn(struct conn *conn, const char *request);

struct rig {
    zloop_t *loop;
    struct gateway_options options;
    struct http *http;
    struct call calls[CALLS_MAX]; /* by id */
    int listener;
    unsigned port;
    peer_fn *on_request;
    struct conn conns[CONNS_MAX];
    unsigned n_conns, n_requests;
    char last[8192]; /* the last whole request */
    unsigned waits_for;
    bool hung;
};

/* ---- the peer ---- */

static inline void conn_close(struct conn *conn)
{
    zmq_pollitem_t item = {.fd = conn->fd};

    if (conn->fd < 0)
        return;
    zloop_poller_end(conn->rig->loop, &item);
    close(conn->fd);
    conn->fd = -1;
}

static inline void say_bytes(struct conn *conn, const void *data, size_t len)
{
    assert_int_equal(send(conn->fd, data, len, MSG_NOSIGNAL), len);
}

static inline void say(struct conn *conn, const char *text)
{
    say_bytes(conn, text, strlen(text));
}

#define HEAD(status, len)                                                                                    \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nX-Request-Id: rid-1\r\nContent-Length: " #len  \
    "\r\n"

static inline void say_answer(struct conn *conn, const char *status, const char *body)
{
    char *text = x_asprintf("HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\n"
                            "X-Request-Id: rid-1\r\nContent-Length: %zu\r\n\r\n%s",
                            status, strlen(body), body);

    say(conn, text);
    free(text);
}

static inline void answer_empty(struct conn *conn, const char *request)
{
    (void)request;
    say_answer(conn, "200 OK", EMPTY);
}

static inline void answer_nothing(struct conn *conn, const char *request)
{
    (void)conn;
    (void)request;
}

/* The length of the first whole request in conn->in, or 0. */
static inline size_t whole(const struct conn *conn)
{
    const char *end = memmem(conn->in, conn->n, "\r\n\r\n", 4);
    const char *length = end ? strstr(conn->in, "\r\nContent-Length:") : NULL;
    size_t head = end ? (size_t)(end + 4 - conn->in) : 0;
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;

    return end && conn->n >= head + body ? head + body : 0;
}

static inline int on_conn(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct conn *conn = arg;
    size_t len;

    (void)loop;
    if (item->revents & ZMQ_POLLOUT && conn->endless) {
        if (send(conn->fd, conn->endless, strlen(conn->endless), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
            errno != EAGAIN) {
            conn->ended = true;
            conn_close(conn);
        }
        return 0;
    }
    ssize_t n = recv(conn->fd, conn->in + conn->n, sizeof conn->in - 1 - conn->n, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        conn->ended = true;
        conn_close(conn);
        return 0;
    }
    conn->n += (size_t)n;
    conn->in[conn->n] = '\0';
    while (conn->fd >= 0 && (len = whole(conn))) {
        memcpy(conn->rig->last, conn->in, len);
        conn->rig->last[len] = '\0';
        memmove(conn->in, conn->in + len, conn->n - len + 1);
        conn->n -= len;
        conn->requests++;
        conn->rig->n_requests++;
        conn->rig->on_request(conn, conn->rig->last);
    }
    return 0;
}

static inline void conn_poll(struct conn *conn, short events)
{
    zmq_pollitem_t item = {.fd = conn->fd, .events = events};

    zloop_poller_end(conn->rig->loop, &item);
    zloop_poller(conn->rig->loop, &item, on_conn, conn);
    zloop_poller_set_tolerant(conn->rig->loop, &item);
}

/* From now on this text without end. */
static inline void say_endlessly(struct conn *conn, const char *text)
{
    conn->endless = text;
    conn_poll(conn, ZMQ_POLLIN | ZMQ_POLLOUT);
}

static inline int on_listener(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct rig *rig = arg;
    struct conn *conn = &rig->conns[rig->n_conns];

    (void)loop;
    assert_true(rig->n_conns < CONNS_MAX);
    *conn = (struct conn){.rig = rig, .number = ++rig->n_conns, .fd = accept(item->fd, NULL, NULL)};
    assert_true(conn->fd >= 0);
    conn_poll(conn, ZMQ_POLLIN);
    return 0;
}

static inline void peer_listen(struct rig *rig)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    zmq_pollitem_t item = {.events = ZMQ_POLLIN};

    rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(rig->listener, 64), 0);
    assert_int_equal(getsockname(rig->listener, (struct sockaddr *)&at, &len), 0);
    rig->port = ntohs(at.sin_port);
    item.fd = rig->listener;
    zloop_poller(rig->loop, &item, on_listener, rig);
}

/* ---- the gateway's side ---- */

static inline void on_done(void *ctx, const struct gateway_result *r)
{
    struct rig *rig = ctx;
    struct call *call = &rig->calls[r->id];

    assert_true(r->id < CALLS_MAX);
    assert_false(call->done); /* every request ends in exactly one result */
    *call = (struct call){
        .done = true, .fate = r->fate, .status = r->status, .json = r->json, .body_len = r->body_len};
    snprintf(call->body, sizeof call->body, "%s", r->body);
    snprintf(call->detail, sizeof call->detail, "%s", r->detail);
    snprintf(call->request_id, sizeof call->request_id, "%s", r->request_id);
}

static inline int on_look(zloop_t *loop, int timer, void *arg)
{
    struct rig *rig = arg;

    (void)loop;
    (void)timer;
    return rig->calls[rig->waits_for].done ? -1 : 0;
}

static inline int on_hang(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    ((struct rig *)arg)->hung = true;
    return -1;
}

/* Lets everybody work until this call has ended. */
static inline const struct call *wait_for(struct rig *rig, unsigned id)
{
    int look = zloop_timer(rig->loop, 1, 0, on_look, rig);
    int hang = zloop_timer(rig->loop, ENOUGH_MS, 1, on_hang, rig);

    rig->waits_for = id;
    if (!rig->calls[id].done)
        zloop_start(rig->loop);
    zloop_timer_end(rig->loop, look);
    zloop_timer_end(rig->loop, hang);
    assert_false(rig->hung);
    return &rig->calls[id];
}

static inline int on_pause_over(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    (void)arg;
    return -1;
}

/* Lets everybody work for a while. */
static inline void idle(struct rig *rig, size_t ms)
{
    zloop_timer(rig->loop, ms, 1, on_pause_over, rig);
    zloop_start(rig->loop);
}

/* body NULL: GET or DELETE. */
static inline void begin(struct rig *rig, unsigned id, const char *method, const char *path, const char *body)
{
    struct gateway_request request = {.id = id,
                                      .method = method,
                                      .path = path,
                                      .token = TOKEN,
                                      .body = body,
                                      .once = body != NULL,
                                      .start_before = INT64_MAX,
                                      .end_before = INT64_MAX};

    rig->calls[id].done = false;
    http_start(rig->http, &request);
}

static inline const struct call *call(struct rig *rig, const char *method, const char *path, const char *body)
{
    begin(rig, 0, method, path, body);
    return wait_for(rig, 0);
}

static inline const struct call *get(struct rig *rig)
{
    return call(rig, "GET", LIST, NULL);
}

/* The base URL's path; "" is none. Once for each test. */
static inline void rig_start(struct rig *rig, const char *base_path)
{
    char error[256] = "";
    char *url = x_asprintf("http://127.0.0.1:%u%s", rig->port, base_path);

    assert_int_equal(options_read_url(&rig->options, url, error, sizeof error), 0);
    free(url);
    rig->http = http_new(rig->loop, &rig->options, on_done, rig);
    assert_non_null(rig->http);
}

static inline int rig_open(void **state)
{
    struct rig *rig = x_calloc(1, sizeof *rig);

    zsys_handler_set(NULL);
    log_set_level(LEVEL_ERROR);
    rig->options = (struct gateway_options){
        .ca_file = "", .consumer = "", .burst = 10, .parallel = 32, .limits = DEFAULT_LIMITS};
    rig->loop = zloop_new();
    zloop_set_nonstop(rig->loop, true);
    rig->on_request = answer_empty;
    peer_listen(rig);
    *state = rig;
    return 0;
}

static inline int rig_close(void **state)
{
    struct rig *rig = *state;

    http_free(rig->http);
    for (unsigned i = 0; i < rig->n_conns; i++)
        conn_close(&rig->conns[i]);
    close(rig->listener);
    zloop_destroy(&rig->loop);
    options_free(&rig->options);
    free(rig);
    return 0;
}

/* How often a header of this name stands in the last request. */
static inline unsigned headers_named(const struct rig *rig, const char *name)
{
    unsigned n = 0;
    size_t len = strlen(name);

    for (const char *at = strstr(rig->last, "\r\n"); at && strncmp(at, "\r\n\r\n", 4) != 0;
         at = strstr(at + 2, "\r\n"))
        n += strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':';
    return n;
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

static inline int run_with_curl(const struct CMUnitTest *tests, size_t n)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = _cmocka_run_group_tests("tests", tests, n, NULL, NULL);

    curl_global_cleanup();
    return rc;
}

#endif
