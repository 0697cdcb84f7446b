/* tests/unit/test_watcher_http.h -- the watcher's HTTP beside a server of the test. Used by
 * test_watcher_http.c. */
#ifndef TEST_WATCHER_HTTP_H
#define TEST_WATCHER_HTTP_H

#include <arpa/inet.h>
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
#include <microhttpd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "watcher/http.h"

#define ENOUGH_MS 20000 /* a test that takes longer hangs */

struct rig {
    struct MHD_Daemon *server;
    zloop_t *loop;
    struct http *http;
    struct access access;
    unsigned arrived; /* requests at the server */
    char agent[200], accept[100], encoding[100], authorization[100], type[100], body[200];
    struct watcher_result result; /* with its texts kept below */
    char answer[200], detail[200];
    unsigned results, events, ends;
    uint64_t list_id;
    unsigned items;
    char item[200];
    int end_status;
    char end_body[200], event[200];
    bool done;
};

static inline void keep(struct MHD_Connection *connection, const char *name, char *out, size_t size)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

    snprintf(out, size, "%s", value ? value : "");
}

static inline enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *body,
                                    const char *name, const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    if (name)
        MHD_add_response_header(response, name, value);
    enum MHD_Result rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static inline enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                         const char *method, const char *version, const char *data,
                                         size_t *len, void **per_request)
{
    struct rig *rig = ctx;

    (void)method;
    (void)version;
    if (!*per_request) { /* the headers */
        *per_request = rig;
        rig->arrived++;
        keep(connection, "User-Agent", rig->agent, sizeof rig->agent);
        keep(connection, "Accept", rig->accept, sizeof rig->accept);
        keep(connection, "Accept-Encoding", rig->encoding, sizeof rig->encoding);
        keep(connection, "Authorization", rig->authorization, sizeof rig->authorization);
        keep(connection, "Content-Type", rig->type, sizeof rig->type);
        return MHD_YES;
    }
    if (*len) {
        snprintf(rig->body, sizeof rig->body, "%.*s", (int)*len, data);
        *len = 0;
        return MHD_YES;
    }
    if (!strcmp(url, "/redirect"))
        return reply(connection, 302, "", "Location", "/elsewhere");
    if (!strcmp(url, "/busy"))
        return reply(connection, 429, "wait", "Retry-After", "3");
    if (!strcmp(url, "/warns"))
        return reply(connection, 200, "{\"fine\":1}", "Warning",
                     "299 - \"old\" \"a date\", 299 - \"older\", 199 - \"no\"");
    if (!strcmp(url, "/hangup"))
        return MHD_NO;
    if (!strcmp(url, "/gone"))
        return reply(connection, 410, "{\"kind\":\"Status\",\"code\":410}", NULL, NULL);
    if (!strcmp(url, "/stream"))
        return reply(connection, 200, "{\"type\":\"A\"}\n{\"type\":\"B\"}{\"cut", NULL, NULL);
    if (!strcmp(url, "/list"))
        return reply(connection, 200,
                     "{\"items\":[{\"a\":1}, {\"b\":\"]\"}],\"metadata\":{\"resourceVersion\":\"5\"}}", NULL,
                     NULL);
    if (!strcmp(url, "/cut-list"))
        return reply(connection, 200,
                     "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[{\"a\":1},{\"b\":", NULL, NULL);
    if (!strcmp(url, "/garbage"))
        return reply(connection, 200, "{\"type\":\"A\"} nonsense {}", NULL, NULL);
    return reply(connection, 200, "{\"fine\":1}", NULL, NULL);
}

static inline void on_result(void *ctx, const struct watcher_result *result)
{
    struct rig *rig = ctx;

    rig->result = *result;
    snprintf(rig->answer, sizeof rig->answer, "%s", result->body);
    snprintf(rig->detail, sizeof rig->detail, "%s", result->detail);
    rig->results++;
    rig->done = true;
}

static inline void on_item(void *ctx, uint64_t id, const char *json, size_t len)
{
    struct rig *rig = ctx;

    assert_int_equal(id, rig->list_id);
    assert_int_equal(rig->results, 0);
    snprintf(rig->item, sizeof rig->item, "%.*s", (int)len, json);
    rig->items++;
}

static inline void on_event(void *ctx, const char *json, size_t len)
{
    struct rig *rig = ctx;

    snprintf(rig->event, sizeof rig->event, "%.*s", (int)len, json);
    rig->events++;
}

static inline void on_watch_ended(void *ctx, int status, const char *body, size_t len, int64_t retry_after_ms)
{
    struct rig *rig = ctx;

    (void)retry_after_ms;
    rig->end_status = status;
    snprintf(rig->end_body, sizeof rig->end_body, "%.*s", (int)len, body);
    rig->ends++;
    rig->done = true;
}

static inline void on_settled(void *ctx)
{
    (void)ctx;
}

static inline int on_look(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    return ((struct rig *)arg)->done ? -1 : 0;
}

static inline int on_hang(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    (void)arg;
    return -1;
}

/* Runs the loop until a result or an end of the watch has come. */
static inline void run(struct rig *rig)
{
    int look = zloop_timer(rig->loop, 2, 0, on_look, rig),
        hang = zloop_timer(rig->loop, ENOUGH_MS, 1, on_hang, rig);

    rig->done = false;
    zloop_start(rig->loop);
    zloop_timer_end(rig->loop, look);
    zloop_timer_end(rig->loop, hang);
    assert_true(rig->done);
}

static inline int rig_open(void **state)
{
    struct rig *rig = x_calloc(1, sizeof *rig);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct http_events events = {rig, on_result, on_item, on_event, on_watch_ended, on_settled};

    log_set_level(LEVEL_ERROR);
    zsys_handler_set(NULL);
    rig->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, rig,
                                   MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&any, MHD_OPTION_END);
    if (!rig->server)
        return -1;
    rig->access.server =
        x_asprintf("http://127.0.0.1:%d", MHD_get_daemon_info(rig->server, MHD_DAEMON_INFO_BIND_PORT)->port);
    rig->access.plain = true;
    rig->access.proxy = x_strdup("");
    rig->access.token = x_strdup("secret-token");
    rig->loop = zloop_new();
    zloop_set_nonstop(rig->loop, true);
    rig->http = http_new(rig->loop, &rig->access, &events, false);
    *state = rig;
    return 0;
}

static inline int rig_close(void **state)
{
    struct rig *rig = *state;

    http_free(rig->http);
    zloop_destroy(&rig->loop);
    if (rig->server)
        MHD_stop_daemon(rig->server);
    access_clear(&rig->access);
    free(rig);
    return 0;
}

static inline void start(struct rig *rig, const char *method, const char *path, const char *body, bool once)
{
    struct watcher_request request = {.id = 7,
                                      .method = method,
                                      .path = path,
                                      .body = body,
                                      .once = once,
                                      .content_type = body ? "application/merge-patch+json" : NULL,
                                      .start_before = INT64_MAX,
                                      .end_before = INT64_MAX};

    http_start(rig->http, &request);
    run(rig);
}

#endif
